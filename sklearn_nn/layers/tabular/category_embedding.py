"""Embeddings of category codes, which lie behind the numbers in a row of a table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn._spec import parameters
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.embedding import MOST_CODES
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Memory, Parameter, Shape
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.tabular.draws import draw_normal
from sklearn_nn.layers.vectors import clear, copy


@njit(**INLINED_OPTIONS)
def _category(value, count):
    """Return the row of a table of `count` rows for a code; -1 for an invalid one, such as NaN."""
    inside = value >= like(value, 0) and value < like(value, count)
    return np.int64(value if inside else like(value, -1))


@kernel(FORWARD)
def category_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = the numbers, then a row of each category's table, or zeros. Owners: rows."""
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
    """Set dx = dy for numbers, 0 for categories. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    width, total = dx.shape[1], dy.shape[1]
    numbers = width - state.size
    for i in range(lo, hi):
        copy(vector(dy, i * total, numbers), vector(dx, i * width, numbers))
        clear(vector(dx, i * width + numbers, state.size))


@kernel(BACKWARD)
def category_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute the gradient of a table's row = sum of dy where it was read. Owners: tables."""
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


@parameters
class CategoryEmbedding(Layer):
    """Layer that maps category codes to trained vectors (Guo & Berkhahn, 2016).

    Samples are vectors whose last columns are category codes, from 0 to ``sizes[c] - 1`` for column
    c of these. The output is the columns before them, unchanged, and then the vectors of all
    categories. An invalid code, such as -1 or NaN for a missing or unseen value, has a vector of
    zeros; to train one for missing values, count them as a category. The parameter, all tables one
    below the other, is named embeddings.

    Parameters
    ----------
    sizes : sequence of int
        Number of categories of each of the last columns.
    output_dim : int, default=8
        Length of the vectors.
    embeddings_initializer : str, Initializer or None, default=None
        Initial tables, of shape (sum of sizes, output_dim). None is standard normal.
    rate_factor : float, default=1.0
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay.

    References
    ----------
    Guo, C., & Berkhahn, F. (2016). Entity embeddings of categorical variables. arXiv:1604.06737.
    """

    sizes: Sequence[int]
    output_dim: int = 8
    _: KW_ONLY
    embeddings_initializer: Any = None
    rate_factor: float = 1.0
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return (columns before the categories + lengths of their vectors,)."""
        count = len(self.sizes)
        if not count:
            raise ValueError("sizes=() of CategoryEmbedding has no category; leave the layer out.")
        sizes = whole_numbers("sizes", tuple(self.sizes), count)
        (columns,) = whole_numbers("output_dim", self.output_dim, 1)
        if max(sizes) > MOST_CODES:
            raise ValueError(
                f"sizes={self.sizes!r} of CategoryEmbedding must be at most {MOST_CODES}: larger "
                "whole numbers are not exact in float32; give rare categories a common number."
            )
        if len(shape) != 1 or shape[0] < count:
            raise ValueError(
                f"CategoryEmbedding takes vectors whose last {count} columns are categories, got "
                f"samples of shape {shape}; give a size for each of them."
            )
        return (shape[0] - count + count * columns,)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter embeddings."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        shape = (int(sum(self.sizes)), int(self.output_dim))
        draw = self.embeddings_initializer or draw_normal
        factors: dict[str, Any] = {"rate": self.rate_factor, "decay": self.decay_factor}
        sizes = np.array(self.sizes, dtype=np.float64)
        kernels = Kernels(category_forward, category_backward, category_weights)
        tables = [Parameter("embeddings", shape, draw, *shape, **factors)]
        memories = [Memory("sizes", sizes.shape, sizes, (shape[0], shape[0]))]
        return builder.append(
            Instruction(slot, out, kernels, tables, memories, geometry=shape[1:], keeps="x")
        )
