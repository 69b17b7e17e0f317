"""Speed of convolution, pooling and padding, beside PyTorch with one thread where it is installed.

Run by hand: ``python tests/benchmarks/conv.py``. Every kernel runs by itself on a batch of 64 rows,
in one thread. The work of a convolution counts all multiplications, those by the zeros of a padding
too, which are left out: a share of the peak may exceed 100%. Figures are the best of several.
"""

from __future__ import annotations

import importlib
import time
from collections.abc import Callable

import numpy as np
from contract import peak
from numba import njit

from sklearn_nn.jit.contract import load_contract
from sklearn_nn.jit.kernel import invoke
from sklearn_nn.layers import (
    AveragePool2D,
    Conv1D,
    Conv2D,
    GlobalAveragePool,
    GlobalMaxPool,
    Layer,
    MaxPool2D,
    ZeroPad,
)
from sklearn_nn.layers.base import CTX_SIZE
from sklearn_nn.network.lowering import ProgramBuilder
from sklearn_nn.network.program import GEOMETRY, LEAST_WIDTH, allocate

BATCH = 64
#: (shape of a sample, filters, kernel size), all with padding "same".
CONVOLUTIONS = [
    ((14, 14, 32), 64, 3),
    ((7, 7, 64), 128, 3),
    ((32, 32, 3), 32, 3),
    ((28, 28, 1), 32, 3),
    ((16, 16, 64), 64, 3),
    ((14, 14, 256), 64, 1),
    ((14, 14, 64), 64, 5),
    ((128, 32), 64, 5),
]


@njit(nogil=True)
def repeat(repeats: int, address: int, arguments: tuple[object, ...]) -> None:
    """Call a kernel some times. Called from Python, each call would check its arguments."""
    for _ in range(repeats):
        invoke(address, arguments)


def best_seconds(run: Callable[[int], object], seconds: float = 0.2) -> float:
    """Seconds of one repetition, the best of as many pairs as fill some time."""
    run(1)
    best, end = np.inf, time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.perf_counter()
        run(2)
        best = min(best, (time.perf_counter() - start) / 2)
    return best


class Timed:
    """A layer's kernels with memory to run in.

    Attributes
    ----------
    seconds : dict of (int, str) to float
        Of each kernel by instruction and kind.
    """

    def __init__(self, layer: Layer, shape: tuple[int, ...], dtype: str) -> None:
        builder, rng = ProgramBuilder(), np.random.default_rng(0)
        layer.lower(builder, builder.slot(shape))

        def draw(shape: int | tuple[int, int]) -> np.ndarray:
            """Numbers that lie where a network's do: from the begin of a line of the cache on."""
            numbers = allocate(shape, dtype)
            numbers[...] = rng.standard_normal(shape)
            return numbers

        slots, gradients = (
            [draw((BATCH, int(np.prod(s)))) for s in builder.slots] for _ in range(2)
        )
        ctx = np.zeros(CTX_SIZE + max(op.scratch for op in builder.instructions), np.int64)
        self.seconds: dict[tuple[int, str], float] = {}
        for k, op in enumerate(builder.instructions):
            forward, backward, weights, prepare, *_ = op.kernels
            size = sum(p.size for p in op.parameters)
            theta, grad = draw(size), allocate(size, dtype)
            state, work = np.zeros(0, dtype), allocate(op.work, dtype)
            geometry = np.zeros(max(LEAST_WIDTH - GEOMETRY, len(op.geometry)), np.int64)
            geometry[: len(op.geometry)] = op.geometry
            geometry.flags.writeable = False  # the type that kernels declare
            before = (ctx, geometry, 0, 1)
            data = (slots[op.x], slots[op.y])
            behind = (theta, grad, state, work, *data, gradients[op.x], gradients[op.y])
            for kind, kernel, arguments in (
                ("forward", forward, (theta, state, work, *data)),
                ("prepare", prepare, (theta, work)),
                ("backward", backward, behind),
                ("weights", weights, behind),
            ):
                if kernel is not None:
                    at, given = kernel.address(dtype), (*before, *arguments)
                    self.seconds[k, kind] = best_seconds(lambda n: repeat(n, at, given))  # noqa: B023

    def total(self, *kinds: str) -> float:
        """Seconds of some kinds of kernel."""
        return sum(s for (_, kind), s in self.seconds.items() if kind in kinds)


def torch_seconds(shape: tuple[int, ...], filters: int, size: int) -> dict[str, float]:
    """Seconds of PyTorch's forward, weights and backward, channels last, in float32."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    rng, sizes = np.random.default_rng(0), (1, *shape)[-3:-1] if len(shape) == 2 else shape[:2]
    kernel = (size if len(shape) == 3 else 1, size)

    def draw(*dims: int) -> object:
        values = torch.tensor(rng.standard_normal(dims).astype("float32"))
        return values.contiguous(memory_format=torch.channels_last)

    x, w = draw(BATCH, shape[-1], *sizes), draw(filters, shape[-1], *kernel)
    dy, b = draw(BATCH, filters, *sizes), torch.zeros(filters)
    edges = [k // 2 for k in kernel]

    def gradient(*mask: bool) -> object:
        return torch.ops.aten.convolution_backward(
            dy, x, w, [filters], [1, 1], edges, [1, 1], False, [0, 0], 1, list(mask)
        )

    def times(run: Callable[[], object]) -> float:
        return best_seconds(lambda n: [run() for _ in range(n)])

    with torch.no_grad():
        return {
            "forward": times(lambda: torch.nn.functional.conv2d(x, w, b, padding=edges)),
            "weights": times(lambda: gradient(False, True, True)),
            "backward": times(lambda: gradient(True, False, False)),
        }


def measure_convolution(dtype: str, limit: float, shape, filters: int, size: int) -> None:
    """Lines for forward, dW and dX; padding is measured and part of the figures."""
    layer = (Conv2D if len(shape) == 3 else Conv1D)(filters, size, padding="same")
    own = Timed(layer, shape, dtype)
    try:
        other = torch_seconds(shape, filters, size) if dtype == "float32" else {}
    except ImportError:
        other = {}
    taps = size ** (len(shape) - 1)
    work = 2 * BATCH * int(np.prod(shape)) * filters * taps
    label = f"{'x'.join(map(str, shape))}->{filters} {size}"
    for kind, name, more in (
        ("forward", "forward", ()),
        ("weights", "dW", ()),
        ("backward", "dX", ("prepare",)),
    ):
        seconds = own.total(kind, *more)
        share = 100 * work / seconds / 1e9 / limit
        beside = f"{100 * work / other[kind] / 1e9 / limit:8.0f}%" if other else ""
        print(f"{label:20s} {name:8s}{seconds * 1e6:10.0f} us{share:8.0f}%{beside}")


def measure_elements(dtype: str, layer: Layer, shape: tuple[int, ...]) -> None:
    """Nanoseconds an element of the input."""
    own, size = Timed(layer, shape, dtype), BATCH * int(np.prod(shape))
    forward, backward = (own.total(kind) / size * 1e9 for kind in ("forward", "backward"))
    print(f"{layer!s:44s}{'x'.join(map(str, shape)):12s}{forward:8.2f}{backward:8.2f}")


def main() -> None:
    """Print the tables."""
    for dtype in ("float32", "float64"):
        load_contract(dtype)
        limit = peak(dtype)
        print(f"{dtype}: peak {limit:.0f} GFLOP/s; share of it, ours and PyTorch's")
        for row in CONVOLUTIONS:
            measure_convolution(dtype, limit, *row)
    print(f"float32: ns an element of the input{'':21s}{'forward':>8s}{'back':>8s}")
    for shape in [(28, 28, 32), (14, 14, 64), (7, 7, 128), (28, 28, 1)]:
        for layer in (
            MaxPool2D(),
            MaxPool2D(3, strides=2, padding="same"),
            MaxPool2D(3, strides=1, padding="same"),
            AveragePool2D(),
            GlobalAveragePool(),
            GlobalMaxPool(),
            ZeroPad(1),
            Conv2D(shape[-1], 3, padding="same", groups=shape[-1]),
        ):
            measure_elements("float32", layer, shape)


if __name__ == "__main__":
    main()
