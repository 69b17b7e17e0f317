"""Embeddings of the category numbers that stand behind the numbers of a table's row."""

from __future__ import annotations

from collections.abc import Sequence
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
    Builder,
    Layer,
    Memory,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.draws import draw_normal
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.vectors import clear, copy

#: With more categories than this, float32 would take some for their neighbours.
_MOST = 2**24


@njit(**INLINED_OPTIONS)
def _category(value, count):
    """The row of a table of so many that a number stands for; -1 for what is none, as NaN."""
    inside = value >= like(value, 0) and value < like(value, count)
    return np.int64(value if inside else like(value, -1))


@kernel(FORWARD)
def category_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = the numbers, then the row of each category's table, or zeros. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    tables, columns = state.size, op[0]
    width, total = x.shape[1], y.shape[1]
    numbers = width - tables
    for i in range(lo, hi):
        copy(vector(x, i * width, numbers), vector(y, i * total, numbers))
        first = 0
        for c in range(tables):
            target = vector(y, i * total + numbers + c * columns, columns)
            own = _category(x[i, numbers + c], state[c])
            if own < 0:
                clear(target)
            else:
                copy(vector(theta, (first + own) * columns, columns), target)
            first += int(state[c])


@kernel(BACKWARD)
def category_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy for numbers, 0 for categories. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    width, total = dx.shape[1], dy.shape[1]
    numbers = width - state.size
    for i in range(lo, hi):
        copy(vector(dy, i * total, numbers), vector(dx, i * width, numbers))
        clear(vector(dx, i * width + numbers, state.size))


@kernel(BACKWARD)
def category_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """The gradient of a table's row = sum of dy where it was read. Owners: tables."""
    tables, columns, total = state.size, op[0], y.shape[1]
    numbers = x.shape[1] - tables
    lo, hi = share(tables, part, parts, 1)
    first = 0
    for c in range(hi):
        count = int(state[c])
        if c >= lo:
            clear(vector(grad, first * columns, count * columns))
        for i in range(x.shape[0] if c >= lo else 0):
            own = _category(x[i, numbers + c], state[c])
            if own >= 0:
                given = vector(dy, i * total + numbers + c * columns, columns)
                found = vector(grad, (first + own) * columns, columns)
                for j in range(columns):
                    found[j] += given[j]
        first += count


class CategoryEmbedding(Layer):
    """Give every category of a table's row a vector, which is learnt (Guo & Berkhahn, 2016).

    Samples are vectors whose last columns are categories, by number: column c of them has
    `sizes[c]`, numbered from 0. They become the numbers that stand before them, unchanged, and then
    the vectors of all categories. Whatever is not such a number, as -1 or NaN for a value that is
    missing or was not seen in training, has a vector of zeros; to learn one for missing values,
    count them as a category. The parameter, all tables one below the other, is called embeddings.

    Parameters
    ----------
    sizes : sequence of int
        Number of categories of each of the last columns.
    output_dim : int, default=8
        Length of the vectors.
    embeddings_initializer : str, Initializer or None, default=None
        Draws the tables, of shape (sum of sizes, output_dim). None is standard normal.
    rate_factor : float, default=1.0
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay.

    References
    ----------
    Guo, C., & Berkhahn, F. (2016). Entity embeddings of categorical variables. arXiv:1604.06737.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        output_dim: int = 8,
        *,
        embeddings_initializer: Any = None,
        rate_factor: float = 1.0,
        decay_factor: float = 1.0,
    ) -> None:
        self.sizes = sizes
        self.output_dim = output_dim
        self.embeddings_initializer = embeddings_initializer
        self.rate_factor = rate_factor
        self.decay_factor = decay_factor

    def output_shape(self, shape: Shape) -> Shape:
        """The numbers, and the vectors of all categories."""
        count = len(self.sizes)
        if not count:
            raise ValueError("sizes=() of CategoryEmbedding names no category; leave it out.")
        sizes = whole_numbers("sizes", tuple(self.sizes), count)
        (columns,) = whole_numbers("output_dim", self.output_dim, 1)
        if max(sizes) > _MOST:
            raise ValueError(
                f"sizes={self.sizes!r} of CategoryEmbedding must be at most {_MOST}: float32 holds "
                "larger whole numbers only in part; give rare categories a common number."
            )
        if len(shape) != 1 or shape[0] < count:
            raise ValueError(
                f"CategoryEmbedding takes vectors whose last {count} columns are categories, got "
                f"samples of shape {shape}; give a size for each of them."
            )
        return (shape[0] - count + count * columns,)

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameter is embeddings (sum of sizes, output_dim)."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        shape = (int(sum(self.sizes)), int(self.output_dim))
        draw = self.embeddings_initializer or draw_normal
        factors: dict[str, Any] = {"rate": self.rate_factor, "decay": self.decay_factor}
        sizes = np.array(self.sizes, dtype=np.float64)
        builder.instruction(
            slot,
            out,
            forward=category_forward,
            backward=category_backward,
            weights=category_weights,
            parameters=[Parameter("embeddings", shape, draw, *shape, **factors)],
            state=[Memory("sizes", sizes.shape, sizes, (shape[0], shape[0]))],
            geometry=shape[1:],
            keeps="x",
        )
        return out
