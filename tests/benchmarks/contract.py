"""Speed of the contraction on the shapes of networks, beside NumPy with one thread.

Run as ``python tests/benchmarks/contract.py``. Operands are as NumPy allocates them, which need not
begin on a cache line. The peak is the speed of the highest tile on operands in the first-level
cache. The speed of processors changes from moment to moment, so the peak, the contraction and NumPy
are measured in turn, in several rounds; ratios are medians over the rounds.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
from numba import cfunc, njit, types
from threadpoolctl import threadpool_limits

from sklearn_nn.jit.blocks import LINE, MOST_ROWS, TALL
from sklearn_nn.jit.contract import contract, load_contract
from sklearn_nn.jit.host import OPTIONS, VECTOR_BITS, lanes
from sklearn_nn.jit.tile import Kind, make_tiles
from sklearn_nn.jit.transpose import transpose

# (name, M, N, K, A is read by columns)
PRODUCTS = [
    ("forward", 32, 64, 20, False),
    ("forward", 32, 64, 64, False),
    ("forward", 200, 100, 64, False),
    ("forward", 200, 10, 100, False),
    ("forward", 128, 256, 784, False),
    ("forward", 128, 128, 256, False),
    ("forward", 128, 10, 128, False),
    ("forward", 200, 512, 512, False),
    ("dW", 64, 100, 200, True),
    ("dW", 100, 10, 200, True),
    ("dW", 784, 256, 128, True),
    ("dW of an LSTM", 64, 256, 3200, True),
    ("square", 1024, 1024, 1024, False),
]
# (height = width, channels, filters) of a 3x3 convolution; one row of output each
CONVOLUTIONS = [(28, 1, 32), (14, 32, 64), (7, 64, 128), (32, 3, 32), (16, 64, 64), (56, 64, 64)]
#: Rounds of measurements in turn.
ROUNDS = 11
TRANSPOSES = [(64, 64), (100, 64), (784, 256), (256, 128), (1024, 1024)]


@njit(**OPTIONS)
def repeat_contract(repeats, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O):  # noqa: E741
    """The same contraction `repeats` times."""
    for _ in range(repeats):
        contract(a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, 0)


@njit(**OPTIONS)
def repeat_transpose(repeats, source, target):
    """The same transposition `repeats` times."""
    for _ in range(repeats):
        transpose(source, target, 0, source.shape[0])


def best_seconds(run: Callable[[int], None], estimate: float) -> float:
    """Return seconds of one repetition, the best of three groups of about half a millisecond."""
    repeats = max(1, int(5e-4 / estimate))
    run(1)
    best = np.inf
    for _ in range(3):
        start = time.perf_counter()
        run(repeats)
        best = min(best, (time.perf_counter() - start) / repeats)
    return best


def tile_of(dtype: str) -> tuple[Callable[[int], None], int]:
    """Return a function that repeats the highest tile on operands in the first cache; its work."""
    rows, depth, columns = MOST_ROWS[TALL], 100, TALL * lanes(dtype)
    tile = make_tiles([Kind(TALL, rows, rows, masked=False)], VECTOR_BITS)
    pointer = types.CPointer(getattr(types, dtype))

    @cfunc(types.void(types.int64, pointer, pointer, pointer))
    def run(repeats, a, b, c):
        for _ in range(repeats):
            tile(
                rows, TALL, 0, a, depth, 1, 0, b, columns, 0, c, columns, c, columns,
                a, 0, 0, depth, 1, columns,
            )  # fmt: skip

    arrays = [aligned(shape, dtype) for shape in [(rows, depth), (depth, columns), (rows, columns)]]
    places = [
        array.ctypes.data_as(kind)
        for array, kind in zip(arrays, run.ctypes.argtypes[1:], strict=True)
    ]

    def repeat(repeats: int, _operands: list[np.ndarray] = arrays) -> None:
        run.ctypes(repeats, *places)

    return repeat, 2 * rows * columns * depth


def peak(dtype: str) -> float:
    """Return GFLOP/s of the highest tile."""
    run, work = tile_of(dtype)
    return work / best_seconds(run, work / 1e11) / 1e9


def aligned(shape: tuple[int, int], dtype: str) -> np.ndarray:
    """Return ones that begin on a cache line."""
    size = shape[0] * shape[1]
    ones = np.ones(size + LINE, dtype)
    first = -ones.ctypes.data % LINE // ones.itemsize
    return ones[first : first + size].reshape(shape)


def in_turn(runs: list[Callable[[int], None]], estimates: list[float]) -> np.ndarray:
    """Return seconds of one repetition of each, in every round: shape (ROUNDS, number of runs)."""
    return np.array(
        [[best_seconds(*pair) for pair in zip(runs, estimates, strict=True)] for _ in range(ROUNDS)]
    )


def report(label: str, work: int, tile: tuple[Callable[[int], None], int], *runs: Any) -> list[Any]:
    """Print one line of the table, for our run and NumPy's, if any; return their ratios."""
    run_peak, peak_work = tile
    estimates = [peak_work / 1e11, work / 1e11, work / 5e10][: len(runs) + 1]
    seconds = in_turn([run_peak, *runs], estimates)
    of_peak = np.median(work / seconds[:, 1] / (peak_work / seconds[:, 0]))
    ours = seconds[:, 1].min()
    line = f"{label:38s}{ours * 1e6:11.2f}{work / ours / 1e9:10.1f}{100 * of_peak:8.0f}%"
    ratios = [of_peak]
    if len(runs) > 1:
        ratios.append(np.median(seconds[:, 2] / seconds[:, 1]))
        line += f"{ratios[1]:8.2f}"
    print(line, flush=True)
    return ratios


def measure_product(dtype, tile, name, M, N, K, by_columns):
    """Measure one matrix product, beside NumPy; return the share of the peak and the ratio."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((K, M) if by_columns else (M, K)).astype(dtype)
    b, c = rng.standard_normal((K, N)).astype(dtype), np.empty((M, N), dtype)
    ars, acs, left = (1, M, a.T) if by_columns else (K, 1, a)

    def run(repeats):
        repeat_contract(repeats, a, ars, acs, 0, b, N, 0, c, N, M, N, K, 1)

    def run_numpy(repeats):
        for _ in range(repeats):
            np.matmul(left, b, out=c)

    return report(f"{name} {M}x{N}x{K}", 2 * M * N * K, tile, run, run_numpy)


def measure_convolution(dtype, tile, side, channels, filters):
    """Measure one row of a convolution's output, and the weight gradient of one kernel row."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((side + 2, side + 2, channels)).astype(dtype)
    kernel = rng.standard_normal((3, 3, channels, filters)).astype(dtype)
    out = rng.standard_normal((side, side, filters)).astype(dtype)
    steps, row = 3 * channels, (side + 2) * channels
    label = f"conv {side}x{side}x{channels}->{filters}"
    forward = (image, channels, 1, row, kernel, filters, steps * filters, out, filters)
    work = 2 * side * filters * steps * 3
    sizes = (side, filters, steps, 3)
    report(f"{label} forward", work, tile, lambda n: repeat_contract(n, *forward, *sizes))
    backward = (image, 1, channels, row, out, filters, side * filters, kernel, filters)
    work = 2 * side * side * filters * steps
    of_weights = (steps, filters, side, side)
    report(f"{label} dW", work, tile, lambda n: repeat_contract(n, *backward, *of_weights))


def main() -> None:
    """Print the table for both dtypes."""
    for dtype in ("float32", "float64"):
        start = time.perf_counter()
        load_contract(dtype)
        print(f"{dtype}: load {time.perf_counter() - start:.3f} s (compiled or from the cache)")
        print(f"peak {peak(dtype):.0f} GFLOP/s")
        tile = tile_of(dtype)
        print(f"{'':38s}{'us':>11s}{'GFLOP/s':>10s}{'of peak':>9s}{'x NumPy':>8s}")
        with threadpool_limits(1):
            found = np.array([measure_product(dtype, tile, *product) for product in PRODUCTS])
        mean, least = np.exp(np.log(found[:, 0]).mean()), found[:, 1].min()
        print(f"geometric mean {100 * mean:.0f}% of the peak; {least:.2f} times NumPy's speed")
        for convolution in CONVOLUTIONS:
            measure_convolution(dtype, tile, *convolution)
        for shape in TRANSPOSES:
            source, target = np.ones(shape, dtype), np.empty(shape[::-1], dtype)
            run = best_seconds(lambda n: repeat_transpose(n, source, target), source.size / 1e9)  # noqa: B023
            print(f"transpose {shape[0]}x{shape[1]}: {run / source.size * 1e9:.2f} ns an element")


if __name__ == "__main__":
    main()
