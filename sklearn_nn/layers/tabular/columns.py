"""Helpers of layers that turn each of a row's first columns into several numbers.

They process blocks of rows, a column at a time, so that loops are long even with few columns. The
columns behind are copied.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.layer import Layer, Shape
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.vectors import copy

#: Rows of a block. For sums over a batch, blocks begin at its first row in every part.
BLOCK = 128


@njit(**INLINED_OPTIONS)
def take_column(x: Any, first: int, column: int, target: Any) -> None:
    """Copy a column of x, from row `first` on, to `target`."""
    width = x.shape[1]
    source = vector(x, first * width + column, target.size * width)
    for i in range(target.size):
        target[i] = source[i * width]


@njit(**INLINED_OPTIONS)
def put_column(source: Any, y: Any, first: int, column: int) -> None:
    """Copy `source` to a column of y, from row `first` on."""
    width = y.shape[1]
    target = vector(y, first * width + column, source.size * width)
    for i in range(source.size):
        target[i * width] = source[i]


@njit(**INLINED_OPTIONS)
def hand_on(x: Any, first: int, y: Any, begin: int, lo: int, hi: int) -> None:
    """Copy columns of x from `first` on to those of y from `begin` on, for rows lo to hi."""
    width, total = x.shape[1], y.shape[1]
    size = total - begin
    for i in range(lo, hi):
        copy(vector(x, i * width + first, size), vector(y, i * total + begin, size))


def count_columns(layer: Layer, shape: Shape, features: Any) -> int:
    """Return `features`, or the number of columns if that is None.

    Raise ValueError if samples are not vectors of at least `features` columns.
    """
    kind = type(layer).__name__
    if len(shape) != 1:
        raise ValueError(
            f"{kind} takes vectors, got samples of shape {shape}; put a Flatten before it."
        )
    (count,) = whole_numbers("features", shape[0] if features is None else features, 1)
    if count > shape[0]:
        raise ValueError(
            f"features={count} of {kind} is more than the {shape[0]} columns of a sample."
        )
    return count
