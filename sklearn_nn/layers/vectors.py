"""Division of columns and weights among parts, and loops that many kernels use."""

from __future__ import annotations

from typing import Any

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, owned_rows

#: Rows of weights (a tile's height) and columns (a cache line of float32) are divided among parts
#: in multiples of these. Which columns are in a loop's vectors and which in its tail depends on the
#: share, so sums of products use `fma`: the compiler may contract a * b + c in one of the two only.
WEIGHT_GRAIN, COLUMN_GRAIN = 8, 16


@njit(**INLINED_OPTIONS)
def owned_columns(n: int, part: int, parts: int) -> tuple[int, int]:
    """Return the first and one past the last of n columns that a part owns."""
    return share(n, part, parts, COLUMN_GRAIN)


@njit(**INLINED_OPTIONS)
def owned_weights(n: int, part: int, parts: int) -> tuple[int, int]:
    """Return the first and one past the last of n rows of weights that a part owns."""
    return share(n, part, parts, WEIGHT_GRAIN)


@njit(**INLINED_OPTIONS)
def copy(source: Any, target: Any) -> None:
    """Set target = source, for vectors of equal size."""
    for j in range(target.size):
        target[j] = source[j]


@njit(**INLINED_OPTIONS)
def clear(target: Any) -> None:
    """Set target = 0."""
    for j in range(target.size):
        target[j] = 0


@njit(**INLINED_OPTIONS)
def fill(target: Any, value: Any) -> None:
    """Set all elements of a vector to `value`."""
    for j in range(target.size):
        target[j] = value


@njit(**INLINED_OPTIONS)
def rows_of(x: Any, lo: int, hi: int) -> Any:
    """Return rows lo to hi of a matrix."""
    return matrix(x, lo * x.shape[1], hi - lo, x.shape[1])


@njit(**INLINED_OPTIONS)
def copy_rows(part: int, parts: int, source: Any, target: Any) -> None:
    """Set target = source in the rows of the batch that a part owns."""
    lo, hi = owned_rows(source, part, parts)
    size = source.shape[1]
    copy(vector(source, lo * size, (hi - lo) * size), vector(target, lo * size, (hi - lo) * size))


@njit(**INLINED_OPTIONS)
def changed_rows(ctx: Any, part: int, parts: int, source: Any, target: Any) -> tuple[int, int]:
    """Return the rows that a part owns in training; in prediction copy them, and return none."""
    lo, hi = owned_rows(source, part, parts)
    if ctx[TRAINING]:
        return lo, hi
    copy_rows(part, parts, source, target)
    return lo, lo


@njit(**INLINED_OPTIONS)
def sum_rows(x: Any, column: int, sums: Any) -> None:
    """Set sums = the sums over the rows of x, for columns from `column` on."""
    clear(sums)
    for i in range(x.shape[0]):
        row = vector(x, i * x.shape[1] + column, sums.size)
        for j in range(sums.size):
            sums[j] += row[j]


def symmetric_kernels(name: str, apply: Any) -> tuple[Kernel, Kernel]:
    """Make kernels of a symmetric linear map, ``apply(ctx, op, part, parts, source, target)``."""

    @kernel(FORWARD, name=f"layers.{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute y = A x. Owners: rows of the batch."""
        apply(ctx, op, part, parts, x, y)

    @kernel(BACKWARD, name=f"layers.{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx = A dy. Owners: rows of the batch."""
        apply(ctx, op, part, parts, dy, dx)

    return forward, backward
