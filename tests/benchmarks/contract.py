"""Speed of the contraction on the shapes of networks, beside NumPy with one thread.

Run by hand: ``python tests/benchmarks/contract.py``. The peak is the best of a few tiles on
operands that stay in the first cache. Every figure is the best of several repetitions.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
from numba import cfunc, njit, types
from threadpoolctl import threadpool_limits

from sklearn_nn.jit.blocks import MAX_ROWS
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
    """Seconds of one repetition, the best of 15 groups of about a millisecond."""
    repeats = max(1, int(1e-3 / estimate))
    run(1)
    best = np.inf
    for _ in range(15):
        start = time.perf_counter()
        run(repeats)
        best = min(best, (time.perf_counter() - start) / repeats)
    return best


def peak(dtype: str) -> float:
    """GFLOP/s of the best tile on operands in the first cache."""
    return max(tile_rate(dtype, rows) for rows in {MAX_ROWS[1], MAX_ROWS[1] // 2}) / 1e9


def tile_rate(dtype: str, rows: int) -> float:
    """FLOP/s of the tile of two vectors and this number of rows."""
    depth, columns, pointer = 100, 2 * lanes(dtype), types.CPointer(getattr(types, dtype))
    tile = make_tiles([Kind(2, rows, rows, masked=True)], VECTOR_BITS)

    @cfunc(types.void(types.int64, pointer, pointer, pointer))
    def run(repeats, a, b, c):
        for _ in range(repeats):
            tile(
                rows, 2, 0, a, depth, 1, 0, b, columns, 0, c, columns, c, columns,
                a, 0, 0, depth, 1, columns,
            )  # fmt: skip

    shapes = [(rows, depth), (depth, columns), (rows, columns)]
    arrays = [np.ones(shape, dtype) for shape in shapes]
    places = [
        array.ctypes.data_as(kind)
        for array, kind in zip(arrays, run.ctypes.argtypes[1:], strict=True)
    ]
    work = 2 * rows * columns * depth
    return work / best_seconds(lambda n: run.ctypes(n, *places), work / 1e11)


def report(label: str, work: float, ours: float, limit: float, numpy: float | None) -> None:
    """One line of the table; seconds, and the limit in GFLOP/s."""
    rate = work / ours / 1e9
    beside = "" if numpy is None else f"{work / numpy / 1e9:8.1f}"
    print(f"{label:38s}{ours * 1e6:11.2f}{rate:10.1f}{100 * rate / limit:8.0f}%{beside}")


def measure_product(dtype, limit, name, M, N, K, by_columns):
    """One matrix product, beside NumPy."""
    rng = np.random.default_rng(0)
    a = rng.standard_normal((K, M) if by_columns else (M, K)).astype(dtype)
    b, c = rng.standard_normal((K, N)).astype(dtype), np.empty((M, N), dtype)
    ars, acs, left = (1, M, a.T) if by_columns else (K, 1, a)
    work = 2 * M * N * K
    ours = best_seconds(
        lambda n: repeat_contract(n, a, ars, acs, 0, b, N, 0, c, N, M, N, K, 1), work / 1e11
    )

    def run_numpy(repeats):
        for _ in range(repeats):
            np.matmul(left, b, out=c)

    report(f"{name} {M}x{N}x{K}", work, ours, limit, best_seconds(run_numpy, work / 5e10))


def measure_convolution(dtype, limit, side, channels, filters):
    """One row of a convolution's output, and the weight gradient of one kernel row."""
    rng = np.random.default_rng(0)
    image = rng.standard_normal((side + 2, side + 2, channels)).astype(dtype)
    kernel = rng.standard_normal((3, 3, channels, filters)).astype(dtype)
    out = rng.standard_normal((side, side, filters)).astype(dtype)
    steps, row = 3 * channels, (side + 2) * channels
    label = f"conv {side}x{side}x{channels}->{filters}"
    forward = (image, channels, 1, row, kernel, filters, steps * filters, out, filters)
    work = 2 * side * filters * steps * 3
    seconds = best_seconds(
        lambda n: repeat_contract(n, *forward, side, filters, steps, 3), work / 1e11
    )
    report(f"{label} forward", work, seconds, limit, None)
    backward = (image, 1, channels, row, out, filters, side * filters, kernel, filters)
    work = 2 * side * side * filters * steps
    seconds = best_seconds(
        lambda n: repeat_contract(n, *backward, steps, filters, side, side), work / 1e11
    )
    report(f"{label} dW", work, seconds, limit, None)


def main() -> None:
    """Print the table for both dtypes."""
    for dtype in ("float32", "float64"):
        start = time.perf_counter()
        load_contract(dtype)
        print(f"{dtype}: load {time.perf_counter() - start:.3f} s (compiled or from the cache)")
        limit = peak(dtype)
        print(f"peak {limit:.0f} GFLOP/s")
        print(f"{'':38s}{'us':>11s}{'GFLOP/s':>10s}{'of peak':>9s}{'NumPy':>8s}")
        with threadpool_limits(1):
            for product in PRODUCTS:
                measure_product(dtype, limit, *product)
        for convolution in CONVOLUTIONS:
            measure_convolution(dtype, limit, *convolution)
        for shape in TRANSPOSES:
            source, target = np.ones(shape, dtype), np.empty(shape[::-1], dtype)
            run = best_seconds(lambda n: repeat_transpose(n, source, target), source.size / 1e9)  # noqa: B023
            print(f"transpose {shape[0]}x{shape[1]}: {run / source.size * 1e9:.2f} ns an element")


if __name__ == "__main__":
    main()
