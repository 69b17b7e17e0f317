"""The layers SimpleRNN, LSTM, GRU and Bidirectional; the kernels copy outputs from the tape."""

from __future__ import annotations

from dataclasses import KW_ONLY, replace
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, real_bits
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.diagram import Block, chain
from sklearn_nn.layers.dropout import sequence_dropout
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of, longest, own_steps
from sklearn_nn.layers.recurrent import cells
from sklearn_nn.layers.vectors import clear, copy

#: Rows of the tape that are a multiple of _PAGE elements apart share few sets of the cache.
_PAGE, _LINE = 512, 16

# Geometry of the output: units, maximal number of steps, the clock; width of a record of x, the
# tape, and the place of h in it; whether all steps are output, and whether they are reversed;
# number of columns of a step of y, and the first column that this layer writes.
_UNITS, _STEPS, _OFFSET, _STRIDE, _WIDTH, _HOME, _ALL, _TURNED, _COLUMNS, _COLUMN = range(10)


@njit(**INLINED_OPTIONS)
def _place(op, t, own):
    """Return where h of step t is written in a row of y, for a row of `own` steps."""
    step = own - t if op[_TURNED] else t - 1
    return step * op[_COLUMNS] + op[_COLUMN]


@kernel(FORWARD)
def output_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = h of a row's last step, or of all steps and 0 in the padding. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    units, row = op[_UNITS], y.shape[1]
    for i in range(lo, hi):
        own = own_steps(ctx, op[_OFFSET], op[_STRIDE], i, op[_STEPS])
        home = i * x.shape[1] + op[_HOME]
        if not op[_ALL]:
            copy(vector(x, home + own * op[_WIDTH], units), vector(y, i * row + op[_COLUMN], units))
            continue
        for t in range(1, own + 1):
            h = vector(x, home + t * op[_WIDTH], units)
            copy(h, vector(y, i * row + _place(op, t, own), units))
        for t in range(own, op[_STEPS]):
            clear(vector(y, i * row + t * op[_COLUMNS] + op[_COLUMN], units))


@kernel(BACKWARD)
def output_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx of h = dy; 0 in the padding, if all steps are output. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    units, most = op[_UNITS], longest(ctx, op[_OFFSET], op[_STRIDE], op[_STEPS])
    for i in range(lo, hi):
        own = own_steps(ctx, op[_OFFSET], op[_STRIDE], i, op[_STEPS])
        row, home = i * dy.shape[1], i * dx.shape[1] + op[_HOME]
        if not op[_ALL]:
            copy(vector(dy, row + op[_COLUMN], units), vector(dx, home + own * op[_WIDTH], units))
            continue
        for t in range(1, own + 1):
            dh = vector(dx, home + t * op[_WIDTH], units)
            copy(vector(dy, row + _place(op, t, own), units), dh)
        for t in range(own + 1, most + 1):
            clear(vector(dx, home + t * op[_WIDTH], units))


class _Cell(NamedTuple):
    """A recurrence and the layout of its arrays, in units."""

    kernels: Kernels
    #: Columns of W and of R.
    gates: int
    #: Width of a record; h is the last part of it.
    width: int
    #: Place in a record of the state that the next step reads.
    state: int
    #: Shape of the bias without the columns.
    biases: tuple[int, ...] = ()


def _remember_all(
    rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Return the initial bias of an LSTM: 1 for the forget gate, 0 for the others."""
    return np.repeat([0.0, 1.0, 0.0, 0.0], shape[-1] // 4)


@parameters
class Recurrent(Layer):
    """Base of the recurrent layers: a cell, and where it reads and writes."""

    limits = {"dropout": "[0, 1)", "recurrent_dropout": "[0, 1)"}

    units: int
    activation: Any = "tanh"
    _: KW_ONLY
    return_sequences: bool = False
    go_backwards: bool = False
    dropout: float = 0.0
    recurrent_dropout: float = 0.0
    kernel_initializer: Any = None
    recurrent_initializer: Any = None
    bias_initializer: Any = None

    lengths = "reads"
    reads_steps = True
    _cell: ClassVar[_Cell]
    _default_bias: ClassVar[Any] = "zeros"

    @property
    def label(self) -> str:
        """Class of the layer, and its activation if it is not tanh."""
        kind = type(self).__name__
        return kind if self.activation == "tanh" else f"{kind}, {self.activation or 'identity'}"

    @property
    def is_random(self) -> bool:
        """Return whether there is dropout."""
        return self.dropout != 0 or self.recurrent_dropout != 0

    def output_shape(self, shape: Shape) -> Shape:
        """Return (units,), or (steps, units) with `return_sequences`."""
        self.check()
        self._check_axes(shape, 1)
        self._activation_number()
        units = self._whole_number("units")
        return (shape[0], units) if self.return_sequences else (units,)

    def _activation_number(self) -> int:
        """Return the activation's index in `CELL_ACTIVATIONS`."""
        name = "identity" if self.activation is None else self.activation
        if not isinstance(name, str) or name not in cells.CELL_ACTIVATION_NAMES:
            names = f"one of {', '.join(map(repr, cells.CELL_ACTIVATION_NAMES))} or None"
            remedy = "to apply another one to the output, put an Activation layer after it."
            wrong = f"must be {names}, as part of the recurrence; {remedy}"
            raise self._invalid("activation", wrong)
        return list(cells.CELL_ACTIVATIONS).index(OTHER_NAMES.get(name, name))

    def _parameters(self, features: int, prefix: str) -> list[Parameter]:
        """Return kernel, recurrent kernel and bias; the fans are those of Keras."""
        units, size = int(self.units), self._cell.gates * int(self.units)
        fans = {"fan_in": features, "fan_out": size}
        draw = self._initializer("kernel_initializer", "glorot_uniform")
        draw_recurrent = self._initializer("recurrent_initializer", "orthogonal")
        draw_bias = self._initializer("bias_initializer", self._default_bias)
        return [
            Parameter(f"{prefix}kernel", (features, size), draw, **fans),
            Parameter(f"{prefix}recurrent_kernel", (units, size), draw_recurrent, units, size),
            Parameter(f"{prefix}bias", (*self._cell.biases, size), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append two instructions: the recurrence, and its output."""
        shape = self.output_shape(builder.shape(slot))
        end = builder.slot(shape, builder.clock(slot) if self.return_sequences else None)
        return self.lower_into(builder, slot, end)

    def lower_into(
        self, builder: Builder, slot: int, end: int, column: int = 0, prefix: str = "",
        turned: bool = False,
    ) -> int:  # fmt: skip
        """Append the instructions, which write to columns of an existing slot, `end`.

        `column` is the first of these in each step, `prefix` begins the names of parameters, and
        `turned` reverses the steps of the output again if the layer goes backwards.
        """
        if self.go_backwards and builder.carries:
            remedy = "use go_backwards=False, or read each sequence as a whole."
            raise ValueError(
                f"{type(self).__name__} with go_backwards=True cannot continue the previous batch, "
                f"since it begins at the end; {remedy}"
            )
        (steps, _), clock = builder.shape(slot), geometry_of(builder.clock(slot))
        units, home = int(self.units), (self._cell.width - 1) * int(self.units)
        seen = sequence_dropout(builder, slot, self.dropout)
        tape, width = self._recurrence(builder, seen, prefix)
        columns = builder.shape(end)[-1]
        returned = (bool(self.return_sequences), turned and bool(self.go_backwards))
        geometry = (units, steps, *clock, width, home, *returned, columns, column)
        kernels = Kernels(output_forward, output_backward)
        return builder.append(Instruction(tape, end, kernels, geometry=geometry, keeps=""))

    def _recurrence(self, builder: Builder, slot: int, prefix: str) -> tuple[int, int]:
        """Append the recurrence; return the tape, and the width of its records."""
        cell, units, (steps, features) = self._cell, int(self.units), builder.shape(slot)
        size = cell.gates * units
        home = (cell.width - 1) * units
        masked = home + units if self.recurrent_dropout else home
        width = _record_width(masked + units)
        tape = builder.slot((_tape_length(steps, width, builder.carries),))
        clock = geometry_of(builder.clock(slot))
        places = (width, cell.state * units, home, masked)
        directions = (bool(self.go_backwards), bool(self.return_sequences))
        rate = self.recurrent_dropout
        masks = (tape, round(rate * 2**32), real_bits(1 / (1 - rate)))
        op = Instruction(slot, tape, cell.kernels, self._parameters(features, prefix))
        sizes = (features, units, steps, size, *clock)
        modes = (*directions, builder.carries, *masks, self._activation_number())
        op.geometry = (*sizes, *places, *modes)
        op.work = (features + units) * size
        op.weights_need_backward = op.asks_to_stop = True
        return builder.append(op), width


def _record_width(used: int) -> int:
    """Return the width of a record that holds `used` numbers.

    Wide ones are an odd number of cache lines apart, so that the steps of a column do not share few
    sets of the first cache. At a width of 1, `contract` would sum in another way.
    """
    return (-(-used // _LINE) | 1) * _LINE if used >= 4 * _LINE else max(used, 2)


def _tape_length(steps: int, width: int, carries: bool) -> int:
    """Return the length of a row of the tape: see tape.py."""
    length = (steps + 1 + carries) * width
    return length + _LINE if length % _PAGE == 0 else length


class SimpleRNN(Recurrent):
    """Recurrent layer without gates: ``h = f(x W + h R + b)`` (Elman, 1990).

    Its gradients vanish after about ten steps; those of `LSTM` and `GRU` do not. Samples are
    sequences of shape (steps, features). The initial h is 0.

    Parameters
    ----------
    units : int
        Length of h.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation f. None is the identity; Keras' names "sigmoid" and "linear" are accepted.
    return_sequences : bool, default=False
        Whether to output h of every step, of shape (steps, units), or of the last step only.
    go_backwards : bool, default=False
        Whether to read, and to output, the steps from the last to the first.
    dropout : float, default=0.0
        Fraction of the features that are set to zero in training, in [0, 1), by one mask for all
        steps of a sample (Gal & Ghahramani, 2016).
    recurrent_dropout : float, default=0.0
        Fraction of the h that R multiplies that are set to zero in training, in [0, 1), by one mask
        for all steps of a sample.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (features, units). None is Glorot's uniform distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Initial R, of shape (units, units). None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (units,). None is zeros.

    References
    ----------
    Elman, J. L. (1990). Finding structure in time. Cognitive Science 14(2).

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.

    Examples
    --------
    Whether the first of five numbers is positive:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import SimpleRNN
    >>> X = np.random.default_rng(0).standard_normal((600, 5, 1))
    >>> model = NeuralNetworkClassifier(
    ...     [SimpleRNN(16)], batch_size=32, learning_rate_init=0.01, max_iter=30, random_state=0
    ... )
    >>> y = X[:, 0, 0] > 0
    >>> round(model.fit(X[:500], y[:500]).score(X[500:], y[500:]), 1)
    1.0
    """

    _cell = _Cell(cells.SIMPLE_RNN, 1, 1, 0)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    ``i, f, g, o = x W + h R + b``, each of `units` columns, and ``c = s(f) c + s(i) a(g)``,
    ``h = s(o) a(c)`` for the logistic function s and the activation a. Samples are sequences of
    shape (steps, features). The initial c and h are 0.

    Parameters
    ----------
    units : int
        Length of h and of c.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation a; that of the gates is always s. None is the identity, and Keras' names
        "sigmoid" and "linear" are accepted.
    return_sequences : bool, default=False
        Whether to output h of every step, of shape (steps, units), or of the last step only.
    go_backwards : bool, default=False
        Whether to read, and to output, the steps from the last to the first.
    dropout : float, default=0.0
        Fraction of the features that are set to zero in training, in [0, 1), by one mask for all
        steps of a sample (Gal & Ghahramani, 2016).
    recurrent_dropout : float, default=0.0
        Fraction of the h that R multiplies that are set to zero in training, in [0, 1), by one mask
        for all steps of a sample.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (features, 4 units). None is Glorot's uniform distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Initial R, of shape (units, 4 units). None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (4 units,). None is 1 for the forget gate f (Jozefowicz et al., 2015),
        and 0 for the others.

    References
    ----------
    Hochreiter, S., & Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8).

    Gers, F., Schmidhuber, J., & Cummins, F. (2000). Learning to forget. Neural Computation 12(10).

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.

    Jozefowicz, R., Zaremba, W., & Sutskever, I. (2015). An empirical exploration of recurrent
    network architectures. ICML.

    Examples
    --------
    Two layers; the first passes on the state of every step. Sequences may have unequal lengths:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import LSTM
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((n, 3)) for n in (5, 9, 7, 12)]
    >>> layers = [LSTM(16, return_sequences=True), LSTM(8)]
    >>> model = NeuralNetworkClassifier(layers).initialize(X, [0, 1, 0, 1])
    >>> {name: array.shape for name, array in model.layers_["lstm1"].items()}
    {'kernel': (3, 64), 'recurrent_kernel': (16, 64), 'bias': (64,)}
    >>> model.predict_proba(X).shape
    (4, 2)
    """

    _cell = _Cell(cells.LSTM_CELL, 4, 6, 4)
    _default_bias = staticmethod(_remember_all)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., 2014), in the form of cuDNN, Keras and torch.

    ``z = s(x W_z + h R_z + b_z)`` and likewise r for the logistic function s,
    ``hh = a(x W_h + b_h + r (h R_h + b'_h))`` for the activation a, and ``h = z h + (1 - z) hh``.
    Samples are sequences of shape (steps, features). The initial h is 0.

    Parameters
    ----------
    units : int
        Length of h.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation a; that of the gates is always s. None is the identity, and Keras' names
        "sigmoid" and "linear" are accepted.
    return_sequences : bool, default=False
        Whether to output h of every step, of shape (steps, units), or of the last step only.
    go_backwards : bool, default=False
        Whether to read, and to output, the steps from the last to the first.
    dropout : float, default=0.0
        Fraction of the features that are set to zero in training, in [0, 1), by one mask for all
        steps of a sample (Gal & Ghahramani, 2016).
    recurrent_dropout : float, default=0.0
        Fraction of the h that R multiplies that are set to zero in training, in [0, 1), by one mask
        for all steps of a sample.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (features, 3 units), for z, r and hh. None is Glorot's uniform
        distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Initial R, of shape (units, 3 units), for z, r and hh. None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Initial biases, of shape (2, 3 units): those of x W, and those of h R. None is zeros.

    References
    ----------
    Cho, K., et al. (2014). Learning phrase representations using RNN encoder-decoder for
    statistical machine translation. EMNLP.

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.

    Examples
    --------
    Whether a sequence of 5 to 20 numbers begins with a positive one:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import GRU
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((n, 1)) for n in rng.integers(5, 20, 400)]
    >>> y = [x[0, 0] > 0 for x in X]
    >>> model = NeuralNetworkClassifier(
    ...     [GRU(16)], batch_size=32, learning_rate_init=0.02, max_iter=40, random_state=0
    ... )
    >>> round(model.fit(X[:300], y[:300]).score(X[300:], y[300:]), 1)
    1.0
    """

    _cell = _Cell(cells.GRU_CELL, 3, 5, 4, (2,))


#: How the outputs of both directions are combined.
MERGE_MODES = ("concat", "sum", "mul", "ave")
_SUM, _MUL, _AVE = range(1, 4)

# Geometry of merging: steps, units, merge mode. In x, both directions of a step lie side by side.


@kernel(FORWARD)
def merge_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = sum, product or mean of both directions. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, units, mode = op[0], op[1], op[2]
    for k in range(lo * steps, hi * steps):
        a, b = vector(x, 2 * k * units, units), vector(x, (2 * k + 1) * units, units)
        out = vector(y, k * units, units)
        if mode == _MUL:
            for j in range(units):
                out[j] = a[j] * b[j]
        else:
            for j in range(units):
                out[j] = a[j] + b[j]
        if mode == _AVE:
            for j in range(units):
                out[j] /= 2


@kernel(BACKWARD)
def merge_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx of both directions from dy. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    steps, units, mode = op[0], op[1], op[2]
    for k in range(lo * steps, hi * steps):
        a, b = vector(x, 2 * k * units, units), vector(x, (2 * k + 1) * units, units)
        da, db = vector(dx, 2 * k * units, units), vector(dx, (2 * k + 1) * units, units)
        given = vector(dy, k * units, units)
        if mode == _MUL:
            for j in range(units):
                da[j], db[j] = given[j] * b[j], given[j] * a[j]
        elif mode == _AVE:
            for j in range(units):
                da[j] = db[j] = given[j] / 2
        else:
            for j in range(units):
                da[j] = db[j] = given[j]


@parameters
class Bidirectional(Layer):
    """Layer that reads sequences in both directions (Schuster & Paliwal, 1997).

    A copy of the given recurrent layer, with its own weights, reads sequences backwards. With
    ``return_sequences=True``, the outputs of both layers for the same step are combined; otherwise,
    the output of the given layer for the last step and that of the copy for the first step. Samples
    are sequences of shape (steps, features). Parameters are named "forward_kernel",
    "backward_kernel" and so on.

    Parameters
    ----------
    layer : SimpleRNN, LSTM or GRU
        The layer that reads forward.
    merge_mode : {"concat", "sum", "mul", "ave"}, default="concat"
        How both values are combined: concatenated, forward first; added; multiplied; or averaged.

    References
    ----------
    Schuster, M., & Paliwal, K. K. (1997). Bidirectional recurrent neural networks. IEEE
    Transactions on Signal Processing 45(11).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import LSTM, Bidirectional
    >>> X = np.random.default_rng(0).standard_normal((4, 12, 3))
    >>> layers = [
    ...     Bidirectional(LSTM(16, return_sequences=True)),
    ...     Bidirectional(LSTM(16), merge_mode="sum"),
    ... ]
    >>> model = NeuralNetworkClassifier(layers).initialize(X, [0, 1, 0, 1])
    >>> [(row.name, row.output_shape) for row in model.summary().rows][:2]
    [('bidirectional1', (12, 32)), ('bidirectional2', (16,))]
    """

    layer: Recurrent
    _: KW_ONLY
    merge_mode: str = "concat"

    lengths = "reads"
    reads_steps = True

    def _sk_visual_block_(self) -> Block:
        """Return what scikit-learn's diagrams show within the layer."""
        return chain([("layer", self.layer)])

    @property
    def is_random(self) -> bool:
        """Return whether there is dropout."""
        return self.layer.is_random

    def _check(self) -> None:
        """Raise ValueError if a parameter is invalid."""
        if not isinstance(self.layer, Recurrent):
            raise self._invalid("layer", "must be a recurrent layer: SimpleRNN, LSTM or GRU.")
        Spec.check(self.layer)
        if self.layer.go_backwards:
            remedy = "leave out go_backwards=True, since a copy reads in the other direction."
            raise self._invalid("layer", f"goes backwards; {remedy}")
        self._check_choice("merge_mode", MERGE_MODES)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output shape of the layer, with twice the columns for "concat"."""
        self._check()
        *places, units = self.layer.output_shape(shape)
        return (*places, 2 * units if self.merge_mode == "concat" else units)

    def backward_layer(self) -> Recurrent:
        """Return the layer that reads backwards."""
        return replace(self.layer, go_backwards=True)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append the instructions of both layers, which write side by side, and one that merges."""
        shape = self.output_shape(builder.shape(slot))
        if builder.carries:
            remedy = f"use {type(self.layer).__name__} alone, or read each sequence as a whole."
            raise ValueError(
                "Bidirectional cannot continue the previous batch, since one layer begins at the "
                f"end; {remedy}"
            )
        units = int(self.layer.units)
        clock = builder.clock(slot) if self.layer.return_sequences else None
        both = builder.slot((*shape[:-1], 2 * units), clock)
        self.layer.lower_into(builder, slot, both, 0, "forward_")
        self.backward_layer().lower_into(builder, slot, both, units, "backward_", True)
        if self.merge_mode == "concat":
            return both
        out = builder.slot(shape, clock)
        geometry = (int(np.prod(shape[:-1])), units, MERGE_MODES.index(self.merge_mode))
        keeps = "x" if self.merge_mode == "mul" else ""
        kernels = Kernels(merge_forward, merge_backward)
        return builder.append(Instruction(both, out, kernels, geometry=geometry, keeps=keeps))
