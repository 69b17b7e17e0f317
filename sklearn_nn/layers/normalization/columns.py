"""What layers share that turn each of a row's first columns into several numbers.

They work through blocks of rows, a column at a time: so loops are as long as a block, however few
the columns are. What stands behind those columns is handed on.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import Layer, Shape
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.vectors import copy

#: Rows of a block. Where sums go over a batch, blocks begin at its first row whatever the part.
BLOCK = 128


@njit(**INLINED_OPTIONS)
def take_column(x: Any, first: int, column: int, target: Any) -> None:
    """target = a column of x from row `first` on."""
    width = x.shape[1]
    source = vector(x, first * width + column, target.size * width)
    for i in range(target.size):
        target[i] = source[i * width]


@njit(**INLINED_OPTIONS)
def put_column(source: Any, y: Any, first: int, column: int) -> None:
    """A column of y from row `first` on = source."""
    width = y.shape[1]
    target = vector(y, first * width + column, source.size * width)
    for i in range(source.size):
        target[i * width] = source[i]


@njit(**INLINED_OPTIONS)
def hand_on(x: Any, first: int, y: Any, begin: int, lo: int, hi: int) -> None:
    """Columns of y from `begin` on = those of x from `first` on, for rows lo to hi."""
    width, total = x.shape[1], y.shape[1]
    size = total - begin
    for i in range(lo, hi):
        copy(vector(x, i * width + first, size), vector(y, i * total + begin, size))


def count_columns(layer: Layer, shape: Shape, features: Any) -> int:
    """How many columns are turned: `features`, or all if that is None.

    Raises
    ------
    ValueError
        If samples are not vectors of so many columns or more.
    """
    kind = type(layer).__name__
    if len(shape) != 1:
        raise ValueError(
            f"{kind} takes vectors, got samples of shape {shape}; put a Flatten before it."
        )
    (count,) = whole_numbers("features", shape[0] if features is None else features, 1)
    if count > shape[0]:
        raise ValueError(
            f"features={count} of {kind} is more than the {shape[0]} columns that there are."
        )
    return count
