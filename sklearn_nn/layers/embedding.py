"""Layers that read whole numbers, such as words or characters by number: embeddings, one-hot rows.

A network's numbers are real, and so are these; float32 holds them exactly up to 2**24. Estimators
check the data before (`Layer.check_values`); kernels take what is out of range for the nearest
number that is not, so that no memory is read that is not theirs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    INPUT,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: steps, how many numbers there are, and the clock.
_STEPS, _NUMBERS, _OFFSET, _STRIDE = range(4)
# Columns of the table are dealt out in multiples of this: a cache line of float32.
_COLUMN_GRAIN = 16
#: With more numbers than this, float32 would take some for their neighbours.
_MOST = 2**24


@njit(**INLINED_OPTIONS)
def _row(value, count):
    """The row of a table of so many that a number stands for; NaN is 0."""
    zero, last = like(value, 0), like(value, count - 1)
    at_least = value if value > zero else zero
    return np.int64(at_least if at_least < last else last)


@kernel(FORWARD)
def embedding_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_t = row x_t of the table. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, columns = op[_STEPS], y.shape[1] // op[_STEPS]
    for i in range(lo, hi):
        for t in range(own_steps(ctx, op[_OFFSET], op[_STRIDE], i, steps)):
            source = vector(theta, _row(x[i, t], op[_NUMBERS]) * columns, columns)
            copy(source, vector(y, (i * steps + t) * columns, columns))


@kernel(BACKWARD)
def lookup_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    clear(vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1]))


@kernel(BACKWARD)
def embedding_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Row k of the gradient = sum of dy_t where x_t is k. Owners: columns."""
    steps, columns = op[_STEPS], dy.shape[1] // op[_STEPS]
    lo, hi = share(columns, part, parts, _COLUMN_GRAIN)
    size = hi - lo
    if size == columns:
        clear(grad)
    else:
        for k in range(op[_NUMBERS] if size else 0):
            clear(vector(grad, k * columns + lo, size))
    for i in range(x.shape[0] if size else 0):
        for t in range(own_steps(ctx, op[_OFFSET], op[_STRIDE], i, steps)):
            given = vector(dy, (i * steps + t) * columns + lo, size)
            found = vector(grad, _row(x[i, t], op[_NUMBERS]) * columns + lo, size)
            for c in range(size):
                found[c] += given[c]


@kernel(FORWARD)
def one_hot_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_t = 1 in column x_t, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, columns = op[_STEPS], op[_NUMBERS]
    clear(vector(y, lo * y.shape[1], (hi - lo) * y.shape[1]))
    for i in range(lo, hi):
        for t in range(own_steps(ctx, op[_OFFSET], op[_STRIDE], i, steps)):
            y[i, t * columns + _row(x[i, t], columns)] = 1


def _draw_table(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """A table before training, as in Keras."""
    return rng.uniform(-0.05, 0.05, shape)


class _Lookup(Layer):
    """What layers share that read whole numbers from 0 to `input_dim` - 1."""

    lengths = "heeds"
    input_dim: int

    @property
    def reads_whole_numbers(self) -> bool:
        """Always."""
        return True

    def _width(self) -> int:
        """Numbers that stand for one."""
        raise TypeError(f"{type(self).__name__} must define _width")

    def output_shape(self, shape: Shape) -> Shape:
        """The steps, each with the numbers that stand for one."""
        (count,) = whole_numbers("input_dim", self.input_dim, 1)
        if count > _MOST:
            raise ValueError(
                f"input_dim={count} of {type(self).__name__} must be at most {_MOST}: float32 "
                "holds larger whole numbers only in part; give rare ones a common number."
            )
        if len(shape) != 1 and shape[1:] != (1,):
            raise ValueError(
                f"{type(self).__name__} takes sequences of whole numbers, of shape (steps,) or "
                f"(steps, 1), got samples of shape {shape}; pass X as rows of numbers, one a step."
            )
        return (shape[0], self._width())

    def _lowered_shape(self, builder: Builder, slot: int) -> Shape:
        """Its output's shape; a ValueError if it does not read the network's input."""
        if slot != INPUT:
            raise ValueError(
                f"{type(self).__name__} reads the whole numbers of X and must be the network's "
                "first layer; put what stands before it behind it, or leave it out."
            )
        return self.output_shape(builder.shape(slot))

    def check_values(self, lowest: float, highest: float, whole: bool) -> None:
        """Raise a ValueError if there are others than whole numbers below `input_dim`."""
        kind = f"{type(self).__name__}(input_dim={self.input_dim})"
        if not (whole and lowest >= 0):
            found = f"X holds {lowest:g}" if whole else "X holds numbers that are not whole"
            raise ValueError(
                f"{found}, and {kind} reads whole numbers from 0 to {self.input_dim - 1}; number "
                "them first, with sklearn.preprocessing.OrdinalEncoder for instance."
            )
        if not highest < self.input_dim:
            raise ValueError(
                f"X holds {highest:.0f}, and {kind} reads whole numbers from 0 to "
                f"{self.input_dim - 1}; use input_dim={highest + 1:.0f}."
            )


class Embedding(_Lookup):
    """Give every whole number a vector, which is learnt (Bengio et al., 2003).

    Samples are sequences of whole numbers from 0 to `input_dim` - 1, words or characters by number
    for instance, of shape (steps,) or (steps, 1); they become such of shape (steps, output_dim).
    It stands first in a network.

    Parameters
    ----------
    input_dim : int
        How many numbers there are: one more than the largest.
    output_dim : int
        Length of the vectors.
    mask_zero : bool, default=False
        Whether zeros at the end of a sequence are padding, and the sequence as much shorter.
    embeddings_initializer : str, Initializer or None, default=None
        Draws the table, of shape (input_dim, output_dim), whose parameter is called embeddings.
        None is uniform between -0.05 and 0.05, as in Keras.

    References
    ----------
    Bengio, Y., Ducharme, R., Vincent, P., & Jauvin, C. (2003). A neural probabilistic language
    model. JMLR 3.
    """

    def __init__(
        self,
        input_dim: int,
        output_dim: int,
        *,
        mask_zero: bool = False,
        embeddings_initializer: Any = None,
    ) -> None:
        self.input_dim = input_dim
        self.output_dim = output_dim
        self.mask_zero = mask_zero
        self.embeddings_initializer = embeddings_initializer

    @property
    def padding_value(self) -> int | None:
        """0 if it stands for padding, else None."""
        return 0 if self.mask_zero else None

    def _width(self) -> int:
        return whole_numbers("output_dim", self.output_dim, 1)[0]

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameter is embeddings (input_dim, output_dim)."""
        shape, clock = self._lowered_shape(builder, slot), builder.clock(slot)
        out, count = builder.slot(shape, clock), int(self.input_dim)
        draw = self.embeddings_initializer or _draw_table
        builder.instruction(
            slot,
            out,
            forward=embedding_forward,
            backward=lookup_backward,
            weights=embedding_weights,
            parameters=[Parameter("embeddings", (count, shape[1]), draw, count, shape[1])],
            geometry=(shape[0], count, *geometry_of(clock)),
            keeps="x",
        )
        return out


class OneHot(_Lookup):
    """Turn every whole number into a row of zeros with a one in its place.

    Samples are sequences of whole numbers from 0 to `input_dim` - 1, of shape (steps,) or
    (steps, 1); they become such of shape (steps, input_dim). Nothing is learnt. It stands first in
    a network; for many numbers `Embedding` does the same as it and a `Dense` layer in less time.

    Parameters
    ----------
    input_dim : int
        How many numbers there are: one more than the largest.
    """

    def __init__(self, input_dim: int) -> None:
        self.input_dim = input_dim

    def _width(self) -> int:
        return int(self.input_dim)

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        shape, clock = self._lowered_shape(builder, slot), builder.clock(slot)
        out = builder.slot(shape, clock)
        builder.instruction(
            slot,
            out,
            forward=one_hot_forward,
            backward=lookup_backward,
            geometry=(*shape, *geometry_of(clock)),
            keeps="",
        )
        return out
