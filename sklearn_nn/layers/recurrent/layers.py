"""Recurrent layers: sequences are read step by step, and what was read is remembered."""

from __future__ import annotations

from numbers import Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Builder, Layer, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of
from sklearn_nn.layers.recurrent.activation import CELL_ACTIVATION_NAMES, cell_activation_number
from sklearn_nn.layers.recurrent.gru import gru_backward, gru_forward, gru_weights
from sklearn_nn.layers.recurrent.lstm import lstm_backward, lstm_forward, lstm_weights
from sklearn_nn.layers.recurrent.output import output_backward, output_forward
from sklearn_nn.layers.recurrent.recurrence import recurrent_prepare
from sklearn_nn.layers.recurrent.simple_rnn import simple_backward, simple_forward, simple_weights
from sklearn_nn.layers.regularization.sequence_dropout import mask_geometry, sequence_dropout
from sklearn_nn.layers.shape import check_axes, whole_numbers

#: Rows of the tape that are a multiple of so many elements apart crowd a few sets of the cache.
_PAGE, _LINE = 512, 16


class _Cell(NamedTuple):
    """What sets one recurrence apart from another.

    Attributes
    ----------
    gates : int
        Columns of the kernels, in units.
    stretch : int
        What is kept of a step, in units; h is the last of it.
    state : int
        Where in a stretch, in units, that begins which the next step needs.
    biases : tuple of int
        Shape of the bias but for the columns.
    forward, backward, weights : Kernel
    """

    gates: int
    stretch: int
    state: int
    biases: tuple[int, ...]
    forward: Kernel
    backward: Kernel
    weights: Kernel


def _forget_nothing(
    rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Bias of an LSTM before training: 1 for the forget gate, 0 for the others."""
    units = shape[-1] // 4
    bias = np.zeros(shape)
    bias[units : 2 * units] = 1
    return bias


class Recurrent(Layer):
    """What recurrent layers share: a cell, and where it reads and writes."""

    lengths = "heeds"
    _cell: ClassVar[_Cell]
    _default_bias: ClassVar[Any] = "zeros"

    def __init__(
        self,
        units: int,
        activation: str | None = "tanh",
        *,
        return_sequences: bool = False,
        go_backwards: bool = False,
        dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.dropout = dropout
        self.recurrent_dropout = recurrent_dropout
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer

    @property
    def label(self) -> str:
        """Its class, and the activation where it is not the usual one."""
        kind = type(self).__name__
        return kind if self.activation == "tanh" else f"{kind}, {self.activation or 'identity'}"

    @property
    def is_random(self) -> bool:
        """Whether it drops something."""
        return self.dropout != 0 or self.recurrent_dropout != 0

    def output_shape(self, shape: Shape) -> Shape:
        """The units, of the last step or of every one."""
        check_axes(self, shape, 1)
        self._activation_number()
        (units,) = whole_numbers("units", self.units, 1)
        for name in ("dropout", "recurrent_dropout"):
            rate = getattr(self, name)
            if not (isinstance(rate, Real) and 0 <= float(rate) < 1):
                raise ValueError(f"{name}={rate!r} of {type(self).__name__} must lie in [0, 1).")
        return (shape[0], units) if self.return_sequences else (units,)

    def _activation_number(self) -> int:
        """Its place in `CELL_ACTIVATIONS`; a ValueError if it is not there."""
        number = cell_activation_number(self.activation)
        if number is None:
            raise ValueError(
                f"activation={self.activation!r} of {type(self).__name__} must be one of "
                f"{', '.join(map(repr, CELL_ACTIVATION_NAMES))} or None: it stands within the "
                "recurrence; to change the output alone, put an Activation layer behind it."
            )
        return number

    def _parameters(self, features: int, prefix: str) -> list[Parameter]:
        """Kernel, recurrent kernel and bias; the fans are those of Keras."""
        units, size = int(self.units), self._cell.gates * int(self.units)
        fans = {"fan_in": features, "fan_out": size}
        draw = self.kernel_initializer or "glorot_uniform"
        draw_recurrent = self.recurrent_initializer or "orthogonal"
        draw_bias = self.bias_initializer or self._default_bias
        return [
            Parameter(f"{prefix}kernel", (features, size), draw, **fans),
            Parameter(f"{prefix}recurrent_kernel", (units, size), draw_recurrent, units, size),
            Parameter(f"{prefix}bias", (*self._cell.biases, size), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Two instructions: the recurrence, and what is handed on of it."""
        shape = self.output_shape(builder.shape(slot))
        end = builder.slot(shape, builder.clock(slot) if self.return_sequences else None)
        self.lower_into(builder, slot, end)
        return end

    def lower_into(
        self, builder: Builder, slot: int, end: int, column: int = 0, prefix: str = "",
        turned: bool = False,
    ) -> None:  # fmt: skip
        """As `lower`, into some columns of each step of a slot that there is.

        Parameters
        ----------
        builder : Builder
        slot : int
            What is read.
        end : int
            What is written.
        column : int
            The first of its columns in a step of `end`.
        prefix : str
            What the names of parameters begin with.
        turned : bool
            Whether the steps are turned round again where the layer goes backwards.
        """
        self._check_direction(builder)
        (steps, _), clock = builder.shape(slot), geometry_of(builder.clock(slot))
        units, home = int(self.units), (self._cell.stretch - 1) * int(self.units)
        seen = sequence_dropout(builder, slot, self.dropout)
        tape, width = self._recurrence(builder, seen, prefix)
        columns = builder.shape(end)[-1]
        returned = (bool(self.return_sequences), turned and bool(self.go_backwards))
        builder.instruction(
            tape,
            end,
            forward=output_forward,
            backward=output_backward,
            geometry=(units, steps, *clock, width, home, *returned, columns, column),
            keeps="",
        )

    def _check_direction(self, builder: Builder) -> None:
        """Raise a ValueError where batches go on, but not to where the layer begins."""
        if self.go_backwards and builder.carries:
            raise ValueError(
                f"{type(self).__name__} with go_backwards=True cannot go on where the batch before "
                "ended, since it begins at the end; use go_backwards=False, or read each sequence "
                "as a whole."
            )

    def _recurrence(self, builder: Builder, slot: int, prefix: str) -> tuple[int, int]:
        """Append the recurrence; returns the tape, and the width of its stretches."""
        cell, units, (steps, features) = self._cell, int(self.units), builder.shape(slot)
        parameters = self._parameters(features, prefix)
        size = cell.gates * units
        home = (cell.stretch - 1) * units
        masked = home + units if self.recurrent_dropout else home
        width = _stretch_width(masked + units)
        tape = builder.slot((_tape_length(steps, width, builder.carries),))
        clock = geometry_of(builder.clock(slot))
        places = (width, cell.state * units, home, masked)
        directions = (bool(self.go_backwards), bool(self.return_sequences))
        masks = mask_geometry(tape, self.recurrent_dropout)
        activation = self._activation_number()
        builder.instruction(
            slot,
            tape,
            forward=cell.forward,
            prepare=recurrent_prepare,
            backward=cell.backward,
            weights=cell.weights,
            parameters=parameters,
            work=(features + units) * size,
            geometry=(
                *(features, units, steps, size, *clock),
                *(*places, *directions, builder.carries, *masks, activation),
            ),
            weights_need_backward=True,
            asks_to_stop=True,
        )
        return tape, width


def _stretch_width(used: int) -> int:
    """Numbers of a stretch of which so many are used.

    Long ones are an odd number of cache lines apart: products that read one column of many steps
    would else find them in a few sets of the first cache. Of one number a step, steps would be one
    vector.
    """
    return (-(-used // _LINE) | 1) * _LINE if used >= 4 * _LINE else max(used, 2)


def _tape_length(steps: int, width: int, carries: bool) -> int:
    """Numbers of a row of the tape, which has a stretch before the first step.

    Where batches go on, it has one behind the last.
    """
    length = (steps + 1 + carries) * width
    return length + _LINE if length % _PAGE == 0 else length


class SimpleRNN(Recurrent):
    """Recurrent layer without gates: ``h = f(x W + h R + b)`` (Elman, 1990).

    The activation f is tanh if no other is chosen. It forgets what is more than some ten steps
    back, since gradients vanish on the way; `LSTM` and `GRU` do not. Samples are sequences of
    shape (steps, features), and h is 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation f within the recurrence, as in Keras. None is the identity, and Keras' names
        "sigmoid" and "linear" are taken, too. To change the output alone, put an
        :class:`Activation` behind the layer.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    dropout : float, default=0.0
        The share of the features that is set to zero in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The share of h that is set to zero in training where h R reads it, in [0, 1). Both have one
        mask for all steps of a sample, drawn anew for every batch (Gal & Ghahramani, 2016).
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (features, units). None is Glorot's uniform distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Draws R, of shape (units, units). None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (units,). None is zeros.

    References
    ----------
    Elman, J. L. (1990). Finding structure in time. Cognitive Science 14(2).

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.
    """

    _cell = _Cell(1, 1, 0, (), simple_forward, simple_backward, simple_weights)


class LSTM(Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    ``i, f, g, o = x W + h R + b``, each of `units` columns, and ``c = s(f) c + s(i) a(g)``,
    ``h = s(o) a(c)`` for the logistic function s and the activation a. Samples are
    sequences of shape (steps, features), and c and h are 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h and in c.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation a within the recurrence, as in Keras; that of the gates is always s. None is
        the identity, and Keras' names "sigmoid" and "linear" are taken, too. To change the output
        alone, put an :class:`Activation` behind the layer.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    dropout : float, default=0.0
        The share of the features that is set to zero in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The share of h that is set to zero in training where h R reads it, in [0, 1). Both have one
        mask for all steps of a sample, drawn anew for every batch (Gal & Ghahramani, 2016).
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (features, 4 units). None is Glorot's uniform distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Draws R, of shape (units, 4 units). None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (4 units,). None is 1 for the forget gate f, so that at first nothing is
        forgotten (Jozefowicz et al., 2015), and 0 for the others.

    References
    ----------
    Hochreiter, S., & Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8).

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.

    Gers, F., Schmidhuber, J., & Cummins, F. (2000). Learning to forget. Neural Computation 12(10).

    Jozefowicz, R., Zaremba, W., & Sutskever, I. (2015). An empirical exploration of recurrent
    network architectures. ICML.
    """

    _cell = _Cell(4, 6, 4, (), lstm_forward, lstm_backward, lstm_weights)
    _default_bias = staticmethod(_forget_nothing)


class GRU(Recurrent):
    """Gated recurrent unit (Cho et al., 2014), in the form of cuDNN, Keras and torch.

    ``z = s(x W_z + h R_z + b_z)`` and likewise r for the logistic function s,
    ``hh = a(x W_h + b_h + r (h R_h + b'_h))`` for the activation a, and ``h = z h + (1 - z) hh``.
    Samples are sequences of shape (steps, features), and h is 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h.
    activation : {"tanh", "relu", "logistic", "identity"} or None, default="tanh"
        The activation a within the recurrence, as in Keras; that of the gates is always s. None is
        the identity, and Keras' names "sigmoid" and "linear" are taken, too. To change the output
        alone, put an :class:`Activation` behind the layer.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    dropout : float, default=0.0
        The share of the features that is set to zero in training, in [0, 1).
    recurrent_dropout : float, default=0.0
        The share of h that is set to zero in training where h R reads it, in [0, 1). Both have one
        mask for all steps of a sample, drawn anew for every batch (Gal & Ghahramani, 2016).
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (features, 3 units), for z, r and hh. None is Glorot's uniform
        distribution.
    recurrent_initializer : str, Initializer or None, default=None
        Draws R, of shape (units, 3 units). None is an orthogonal matrix.
    bias_initializer : str, Initializer or None, default=None
        Draws the biases, of shape (2, 3 units): those beside x W, and those beside h R. None is
        zeros.

    References
    ----------
    Cho, K., et al. (2014). Learning phrase representations using RNN encoder-decoder for
    statistical machine translation. EMNLP.

    Gal, Y., & Ghahramani, Z. (2016). A theoretically grounded application of dropout in recurrent
    neural networks. NeurIPS.
    """

    _cell = _Cell(3, 5, 4, (2,), gru_forward, gru_backward, gru_weights)
