"""Layers that read whole numbers: codes of words, of characters, or of categories.

Estimators validate the data (`Layer.check_values`); kernels clip values to the valid range, so that
memory accesses stay within it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Memory, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.tabular.linear import draw_normal
from sklearn_nn.layers.vectors import clear, copy, owned_columns

# An instruction's geometry: steps, number of rows of the table, and the clock.
_STEPS, _NUMBERS, _OFFSET, _STRIDE = range(4)
#: Larger whole numbers are not exact in float32.
MOST_CODES = 2**24
_TOO_MANY = f"must be at most {MOST_CODES}: larger whole numbers are not exact in float32"


@njit(**INLINED_OPTIONS)
def _row(value, count):
    """Return a number clipped to the rows of a table, [0, count); NaN becomes 0."""
    zero, last = like(value, 0), like(value, count - 1)
    at_least = value if value > zero else zero
    return np.int64(at_least if at_least < last else last)


@kernel(FORWARD)
def embedding_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y_t = row x_t of the table. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, columns = op[_STEPS], y.shape[1] // op[_STEPS]
    for i in range(lo, hi):
        for t in range(own_steps(ctx, op[_OFFSET], op[_STRIDE], i, steps)):
            source = vector(theta, _row(x[i, t], op[_NUMBERS]) * columns, columns)
            copy(source, vector(y, (i * steps + t) * columns, columns))


@kernel(BACKWARD)
def lookup_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    clear(vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1]))


@kernel(BACKWARD)
def embedding_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute row k of the gradient = sum of dy_t over x_t = k. Owners: columns."""
    steps, columns = op[_STEPS], dy.shape[1] // op[_STEPS]
    lo, hi = owned_columns(columns, part, parts)
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
    """Set y_t = 1 in column x_t, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, columns = op[_STEPS], op[_NUMBERS]
    clear(vector(y, lo * y.shape[1], (hi - lo) * y.shape[1]))
    for i in range(lo, hi):
        for t in range(own_steps(ctx, op[_OFFSET], op[_STRIDE], i, steps)):
            y[i, t * columns + _row(x[i, t], columns)] = 1


def _draw_table(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw uniformly from [-0.05, 0.05), as Keras does."""
    return rng.uniform(-0.05, 0.05, shape)


class _Lookup(Layer):
    """Base of layers that read whole numbers from 0 to `input_dim` - 1."""

    lengths = "reads"
    input_dim: int

    @property
    def reads_whole_numbers(self) -> bool:
        """Return True: the input is whole numbers."""
        return True

    def _width(self) -> int:
        """Return the length of the vector of one number."""
        return int(self.input_dim)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (steps, length of the vectors)."""
        if self._whole_number("input_dim") > MOST_CODES:
            raise self._invalid("input_dim", f"{_TOO_MANY}; give rare ones a common number.")
        if len(shape) != 1 and shape[1:] != (1,):
            takes = "sequences of whole numbers, of shape (steps,) or (steps, 1)"
            raise self._misfit(shape, takes, "pass X as rows of numbers, one a step.")
        return (shape[0], self._width())

    def _lowered_shape(self, builder: Builder, slot: int) -> Shape:
        """Return the output shape; raise ValueError unless it reads the network's input."""
        if slot != 0:  # the network's input
            raise ValueError(
                f"{type(self).__name__} reads the whole numbers of X and must be the network's "
                "first layer; move the layers before it to a place after it, or remove them."
            )
        return self.output_shape(builder.shape(slot))

    def check_values(self, lowest: float, highest: float, whole: bool) -> None:
        """Raise ValueError unless all values are whole numbers below `input_dim`."""
        kind, last = type(self).__name__, self.input_dim - 1
        reads = f"{kind}(input_dim={self.input_dim}) reads whole numbers from 0 to {last}"
        if not (whole and lowest >= 0):
            found = f"X holds {lowest:g}" if whole else "X holds numbers that are not whole"
            remedy = "number them first, with sklearn.preprocessing.OrdinalEncoder for instance"
            raise ValueError(f"{found}, and {reads}; {remedy}.")
        if not highest < self.input_dim:
            remedy = f"use input_dim={highest + 1:.0f}"
            raise ValueError(f"X holds {highest:.0f}, and {reads}; {remedy}.")


@parameters
class Embedding(_Lookup):
    """Layer that maps whole numbers to trained vectors (Bengio et al., 2003).

    Samples are sequences of whole numbers from 0 to `input_dim` - 1, codes of words or characters
    for instance, of shape (steps,) or (steps, 1); the output has shape (steps, output_dim). It must
    be the first layer of a network. The parameter, of shape (input_dim, output_dim), is named
    embeddings.

    Parameters
    ----------
    input_dim : int
        Number of different whole numbers: the largest plus one.
    output_dim : int
        Length of the vectors.
    mask_zero : bool, default=False
        Whether zeros at the end of a sequence are padding, which is not part of the sequence.
    embeddings_initializer : str, Initializer or None, default=None
        Initial vectors. None is uniform between -0.05 and 0.05, as in Keras.

    References
    ----------
    Bengio, Y., Ducharme, R., Vincent, P., & Jauvin, C. (2003). A neural probabilistic language
    model. JMLR 3.

    Examples
    --------
    Sentences as the numbers of their words, with 0 after their end:

    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import GRU, Embedding
    >>> words = {"good": 1, "bad": 2, "not": 3, "very": 4}
    >>> X = [[1, 0], [2, 0], [3, 1], [3, 2], [4, 1], [4, 2]]
    >>> y = ["+", "-", "-", "+", "+", "-"]
    >>> layers = [Embedding(len(words) + 1, 8, mask_zero=True), GRU(8)]
    >>> model = NeuralNetworkClassifier(
    ...     layers, learning_rate_init=0.05, max_iter=200, random_state=0
    ... ).fit(X, y)
    >>> model.predict([[words["not"], words["bad"]]])
    array(['+'], dtype='<U1')
    """

    input_dim: int
    output_dim: int
    _: KW_ONLY
    mask_zero: bool = False
    embeddings_initializer: Any = None

    @property
    def padding_value(self) -> int | None:
        """Value of its input that is padding: 0 with `mask_zero`, else None."""
        return 0 if self.mask_zero else None

    def _width(self) -> int:
        return self._whole_number("output_dim")

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter embeddings."""
        shape, clock = self._lowered_shape(builder, slot), builder.clock(slot)
        out, count = builder.slot(shape, clock), int(self.input_dim)
        draw = self._initializer("embeddings_initializer", _draw_table)
        table = Parameter("embeddings", (count, shape[1]), draw, count, shape[1])
        kernels = Kernels(embedding_forward, lookup_backward, embedding_weights)
        op = Instruction(slot, out, kernels, [table], keeps="x")
        op.geometry = (shape[0], count, *geometry_of(clock))
        return builder.append(op)


@parameters
class OneHot(_Lookup):
    """Layer that encodes whole numbers as one-hot vectors.

    Samples are sequences of whole numbers from 0 to `input_dim` - 1, of shape (steps,) or
    (steps, 1); the output has shape (steps, input_dim). It must be the first layer of a network.
    For many numbers, `Embedding` is faster than this layer and a `Dense` layer.

    Parameters
    ----------
    input_dim : int
        Number of different whole numbers: the largest plus one.

    Examples
    --------
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import OneHot
    >>> X, y = [[0, 2], [1, 1]], ["a", "b"]
    >>> network = NeuralNetworkClassifier([OneHot(3)]).initialize(X, y)
    >>> FeatureExtractor(network, layer="onehot1").fit_transform(X).reshape(2, 2, 3)
    array([[[1., 0., 0.],
            [0., 0., 1.]],
    <BLANKLINE>
           [[0., 1., 0.],
            [0., 1., 0.]]])
    """

    input_dim: int

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape, clock = self._lowered_shape(builder, slot), builder.clock(slot)
        kernels, out = Kernels(one_hot_forward, lookup_backward), builder.slot(shape, clock)
        geometry = (*shape, *geometry_of(clock))
        return builder.append(Instruction(slot, out, kernels, geometry=geometry, keeps=""))


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

    Examples
    --------
    Two numbers, then a column with three categories and one with five:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import CategoryEmbedding, Dense
    >>> rng = np.random.default_rng(0)
    >>> numbers = rng.standard_normal((50, 2))
    >>> codes = np.column_stack([rng.integers(0, 3, 50), rng.integers(0, 5, 50)])
    >>> X, y = np.hstack([numbers, codes]), numbers[:, 0]
    >>> layers = [CategoryEmbedding([3, 5], output_dim=4), Dense(16, activation="relu")]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, y)
    >>> [(row.name, row.output_shape) for row in model.summary().rows]
    [('categoryembedding1', (10,)), ('dense1', (16,)), ('output', (1,))]
    >>> model.layers_["categoryembedding1"]["embeddings"].shape
    (8, 4)
    """

    limits = {"rate_factor": "[0, inf)", "decay_factor": "[0, inf)"}

    sizes: Sequence[int]
    output_dim: int = 8
    _: KW_ONLY
    embeddings_initializer: Any = None
    rate_factor: float = 1.0
    decay_factor: float = 1.0

    @property
    def refers_to_values(self) -> bool:
        """Return True: columns are codes."""
        return True

    def output_shape(self, shape: Shape) -> Shape:
        """Return (columns before the categories + lengths of their vectors,)."""
        if not np.ndim(self.sizes):
            raise self._invalid("sizes", "must be a list of the numbers of categories.")
        count = len(self.sizes)
        if not count:
            raise ValueError("sizes=() of CategoryEmbedding has no category; leave the layer out.")
        sizes = self._whole_numbers("sizes", count)
        columns = self._whole_number("output_dim")
        if max(sizes) > MOST_CODES:
            raise self._invalid("sizes", f"{_TOO_MANY}; give rare categories a common number.")
        if len(shape) != 1 or shape[0] < count:
            takes = f"vectors whose last {count} columns are categories"
            raise self._misfit(shape, takes, "give a size for each of them.")
        return (shape[0] - count + count * columns,)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter embeddings."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        shape = (int(sum(self.sizes)), int(self.output_dim))
        draw = self._initializer("embeddings_initializer", draw_normal)
        factors: dict[str, Any] = {"rate": self.rate_factor, "decay": self.decay_factor}
        sizes = np.array(self.sizes, dtype=np.float64)
        kernels = Kernels(category_forward, category_backward, category_weights)
        tables = [Parameter("embeddings", shape, draw, *shape, **factors)]
        memories = [Memory("sizes", sizes.shape, sizes, (shape[0], shape[0]))]
        op = Instruction(slot, out, kernels, tables, memories, geometry=shape[1:], keeps="x")
        return builder.append(op)
