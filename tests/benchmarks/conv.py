"""Speed of convolution and pooling, beside PyTorch with one thread where it is installed.

Run by hand: ``python tests/benchmarks/conv.py [products] [elements]``. The first prints shares of
the peak, of convolutions that sum over channels; the second ns an element of the input, of layers
that act channel by channel, whose limit is often that of copying the input. Every kernel runs by
itself on a batch of 64 rows, in one thread. The work of a convolution counts all multiplications,
those by the zeros of a padding too, which are left out: a share of the peak may exceed 100%.
Figures are the best of several.
"""

from __future__ import annotations

import importlib
import sys
import time
from collections.abc import Callable

import numpy as np
from contract import peak
from numba import njit

from sklearn_nn.jit.contract import load_contract
from sklearn_nn.jit.kernel import invoke
from sklearn_nn.layers import (
    AveragePool1D,
    AveragePool2D,
    Conv1D,
    Conv2D,
    GlobalAveragePool,
    GlobalMaxPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
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


def best_seconds(run: Callable[[int], object], seconds: float = 0.1) -> float:
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


#: Shapes of samples with many and few channels.
SHAPES = [(28, 28, 32), (14, 14, 64), (7, 7, 128), (28, 28, 3), (28, 28, 1), (128, 32), (500, 1)]


def layers_of(channels: int, axes: int) -> list[tuple[str, Layer]]:
    """Layers that act channel by channel, on images of two axes or sequences of one, with names."""
    convolution, largest, mean = (
        classes[axes - 1]
        for classes in ((Conv1D, Conv2D), (MaxPool1D, MaxPool2D), (AveragePool1D, AveragePool2D))
    )
    return [
        *(
            (f"depthwise 3, strides {s}", convolution(
                channels, 3, strides=s, padding="same", groups=channels
            ))
            for s in (1, 2)
        ),
        *(
            (f"{name} pool {size}, strides {s}", pool(size, strides=s, padding=padding))
            for name, pool in (("max", largest), ("average", mean))
            for size, s, padding in ((2, 2, "valid"), (3, 2, "same"), (3, 1, "same"))
        ),
        ("global average", GlobalAveragePool()),
        ("global max", GlobalMaxPool()),
    ]  # fmt: skip


def torch_elements(layer: Layer, shape: tuple[int, ...], dtype: str) -> dict[str, float]:
    """Seconds of PyTorch's kernels for the same layer, channels last."""
    torch = importlib.import_module("torch")
    torch.set_num_threads(1)
    functional, rng = torch.nn.functional, np.random.default_rng(0)
    sizes = (1, *shape)[-3:] if len(shape) == 2 else shape

    def draw(*dims: int) -> object:
        values = torch.tensor(rng.standard_normal(dims).astype(dtype))
        return values.contiguous(memory_format=torch.channels_last).requires_grad_()

    x, channels = draw(BATCH, sizes[2], *sizes[:2]), sizes[2]
    window = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", 1)
    steps = getattr(layer, "strides", 1) or window
    edge = (window - 1) // 2 if getattr(layer, "padding", "valid") == "same" else 0
    kernel, strides, edges = (
        (one if len(shape) == 2 else n, n) for one, n in ((1, window), (1, steps), (0, edge))
    )
    w, inputs = draw(channels, 1, *kernel), {"backward": x}
    if isinstance(layer, (Conv1D, Conv2D)):
        inputs["weights"] = w
        run = lambda: functional.conv2d(x, w, None, strides, edges, groups=channels)  # noqa: E731
    elif isinstance(layer, (MaxPool1D, MaxPool2D)):
        run = lambda: functional.max_pool2d(x, kernel, strides, edges)  # noqa: E731
    elif isinstance(layer, (AveragePool1D, AveragePool2D)):
        run = lambda: functional.avg_pool2d(  # noqa: E731
            x, kernel, strides, edges, count_include_pad=False
        )
    else:
        reduce = "mean" if isinstance(layer, GlobalAveragePool) else "amax"
        run = lambda: getattr(x, reduce)(dim=(2, 3))  # noqa: E731
    y = run()
    dy = torch.ones_like(y)
    seconds = {}
    with torch.no_grad():
        seconds["forward"] = best_seconds(lambda n: [run() for _ in range(n)])
    for kind, given in inputs.items():
        seconds[kind] = best_seconds(
            lambda n, given=given: [
                torch.autograd.grad(y, given, dy, retain_graph=True) for _ in range(n)
            ]
        )
    return seconds


def measure_elements(dtype: str) -> None:
    """Nanoseconds an element of the input, of layers that act channel by channel, and copying."""
    kinds = ("forward", "backward", "weights")
    heads = "".join(f"{kind:>16s}" for kind in kinds)
    print(f"{dtype}: ns an element of the input, ours and PyTorch's{heads}")
    for shape in SHAPES:
        size, label = BATCH * int(np.prod(shape)), "x".join(map(str, shape))
        source, target = np.ones(size, dtype), np.ones(size, dtype)
        seconds = best_seconds(lambda n: [np.copyto(target, source) for _ in range(n)])  # noqa: B023
        print(f"{label:12s}{'copying':40s}{seconds / size * 1e9:8.2f}")
        for name, layer in layers_of(shape[-1], len(shape) - 1):
            own = Timed(layer, shape, dtype)
            try:
                other = torch_elements(layer, shape, dtype)
            except ImportError:
                other = {}
            line = f"{label:12s}{name:40s}"
            for kind in kinds:
                if own.total(kind):
                    line += f"{own.total(kind) / size * 1e9:8.2f}"
                    line += f"{other[kind] / size * 1e9:8.2f}" if other else " " * 8
            print(line)


def measure_products(dtype: str) -> None:
    """Shares of the peak of convolutions that sum over channels."""
    load_contract(dtype)
    limit = peak(dtype)
    print(f"{dtype}: peak {limit:.0f} GFLOP/s; share of it, ours and PyTorch's")
    for row in CONVOLUTIONS:
        measure_convolution(dtype, limit, *row)


MODES = {"products": measure_products, "elements": measure_elements}


def main() -> None:
    """Print the tables of the modes that are named, or all."""
    for mode in sys.argv[1:] or MODES:
        for dtype in ("float32", "float64"):
            MODES[mode](dtype)


if __name__ == "__main__":
    main()
