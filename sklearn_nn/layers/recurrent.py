"""Recurrent layers: sequences are read step by step, and what was read is remembered."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Builder, Layer, Parameter, Shape
from sklearn_nn.layers.convolve import conv_backward, conv_forward, conv_prepare, conv_weights
from sklearn_nn.layers.recurrent_cells import (
    gru_backward,
    gru_forward,
    gru_weights,
    lstm_backward,
    lstm_forward,
    recurrent_prepare,
    recurrent_weights,
    simple_backward,
    simple_forward,
    take_backward,
    take_forward,
)
from sklearn_nn.layers.shape import check_axes, whole_numbers


class _Cell(NamedTuple):
    """What sets one recurrence apart from another.

    Attributes
    ----------
    gates : int
        Columns of the kernels, in units.
    stretch : int
        What is kept of a step, in units; h is the last of it.
    biases : tuple of int
        Shape of the bias but for the columns.
    forward, backward, weights : Kernel
    """

    gates: int
    stretch: int
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


class _Recurrent(Layer):
    """What recurrent layers share: a cell, and where it reads and writes."""

    _cell: ClassVar[_Cell]
    _default_bias: ClassVar[Any] = "zeros"

    def __init__(
        self,
        units: int,
        *,
        return_sequences: bool = False,
        go_backwards: bool = False,
        kernel_initializer: Any = None,
        recurrent_initializer: Any = None,
        bias_initializer: Any = None,
    ) -> None:
        self.units = units
        self.return_sequences = return_sequences
        self.go_backwards = go_backwards
        self.kernel_initializer = kernel_initializer
        self.recurrent_initializer = recurrent_initializer
        self.bias_initializer = bias_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """The units, of the last step or of every one."""
        check_axes(self, shape, 1)
        (units,) = whole_numbers("units", self.units, 1)
        return (shape[0], units) if self.return_sequences else (units,)

    def _parameters(self, features: int) -> list[Parameter]:
        """Kernel, recurrent kernel and bias; the fans are those of Keras."""
        units, size = int(self.units), self._cell.gates * int(self.units)
        fans = {"fan_in": features, "fan_out": size}
        draw = self.kernel_initializer or "glorot_uniform"
        draw_recurrent = self.recurrent_initializer or "orthogonal"
        draw_bias = self.bias_initializer or self._default_bias
        return [
            Parameter("kernel", (features, size), draw, **fans),
            Parameter("recurrent_kernel", (units, size), draw_recurrent, units, size),
            Parameter("bias", (*self._cell.biases, size), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Three instructions: x W for all steps, the recurrence, and what is handed on of it."""
        shape = builder.shape(slot)
        out = self.output_shape(shape)
        cell, units, (steps, features) = self._cell, int(self.units), shape
        size, width = cell.gates * units, cell.stretch * units
        kernel, recurrent_kernel, bias = self._parameters(features)
        seen, tape = builder.slot((steps, size)), builder.slot((steps, width))
        builder.instruction(
            slot,
            seen,
            forward=conv_forward,
            prepare=conv_prepare,
            backward=conv_backward,
            weights=conv_weights,
            parameters=[kernel],
            work=kernel.size,
            geometry=(1, steps, features, 1, 1, size, 1, steps, 1, 1, 1, 1, 0, 0, 1, 0),
            keeps="x",
        )
        first = 0 if self.return_sequences else steps - 1
        geometry = (
            units, steps, bool(self.go_backwards), cell.gates, width, width - units, first,
        )  # fmt: skip
        builder.instruction(
            seen,
            tape,
            forward=cell.forward,
            prepare=recurrent_prepare,
            backward=cell.backward,
            weights=cell.weights,
            parameters=[recurrent_kernel, bias],
            work=recurrent_kernel.size,
            geometry=geometry,
            keeps="y",
        )
        end = builder.slot(out)
        builder.instruction(
            tape, end, forward=take_forward, backward=take_backward, geometry=geometry, keeps=""
        )
        return end


class SimpleRNN(_Recurrent):
    """Recurrent layer without gates: ``h = tanh(x W + h R + b)`` (Elman, 1990).

    It forgets what is more than some ten steps back, since gradients vanish on the way; `LSTM` and
    `GRU` do not. Samples are sequences of shape (steps, features), and h is 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    kernel_initializer : Initializer or None, default=None
        Draws W, of shape (features, units). None is Glorot's uniform distribution.
    recurrent_initializer : Initializer or None, default=None
        Draws R, of shape (units, units). None is an orthogonal matrix.
    bias_initializer : Initializer or None, default=None
        Draws b, of shape (units,). None is zeros.

    References
    ----------
    Elman, J. L. (1990). Finding structure in time. Cognitive Science 14(2).
    """

    _cell = _Cell(1, 1, (), simple_forward, simple_backward, recurrent_weights)


class LSTM(_Recurrent):
    """Long short-term memory (Hochreiter & Schmidhuber, 1997; Gers et al., 2000).

    ``i, f, g, o = x W + h R + b``, each of `units` columns, and ``c = s(f) c + s(i) tanh(g)``,
    ``h = s(o) tanh(c)`` for the logistic function s. Samples are sequences of shape (steps,
    features), and c and h are 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h and in c.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    kernel_initializer : Initializer or None, default=None
        Draws W, of shape (features, 4 units). None is Glorot's uniform distribution.
    recurrent_initializer : Initializer or None, default=None
        Draws R, of shape (units, 4 units). None is an orthogonal matrix.
    bias_initializer : Initializer or None, default=None
        Draws b, of shape (4 units,). None is 1 for the forget gate f, so that at first nothing is
        forgotten (Jozefowicz et al., 2015), and 0 for the others.

    References
    ----------
    Hochreiter, S., & Schmidhuber, J. (1997). Long short-term memory. Neural Computation 9(8).

    Gers, F., Schmidhuber, J., & Cummins, F. (2000). Learning to forget. Neural Computation 12(10).

    Jozefowicz, R., Zaremba, W., & Sutskever, I. (2015). An empirical exploration of recurrent
    network architectures. ICML.
    """

    _cell = _Cell(4, 6, (), lstm_forward, lstm_backward, recurrent_weights)
    _default_bias = staticmethod(_forget_nothing)


class GRU(_Recurrent):
    """Gated recurrent unit (Cho et al., 2014), in the form of cuDNN, Keras and torch.

    ``z = s(x W_z + h R_z + b_z)`` and likewise r for the logistic function s,
    ``hh = tanh(x W_h + b_h + r (h R_h + b'_h))`` and ``h = z h + (1 - z) hh``. Samples are
    sequences of shape (steps, features), and h is 0 before the first.

    Parameters
    ----------
    units : int
        Numbers in h.
    return_sequences : bool, default=False
        Whether the output is h of every step, of shape (steps, units), or of the last one.
    go_backwards : bool, default=False
        Whether to read from the last step to the first. The output's steps are in the order in
        which they were read, as in Keras.
    kernel_initializer : Initializer or None, default=None
        Draws W, of shape (features, 3 units), for z, r and hh. None is Glorot's uniform
        distribution.
    recurrent_initializer : Initializer or None, default=None
        Draws R, of shape (units, 3 units). None is an orthogonal matrix.
    bias_initializer : Initializer or None, default=None
        Draws the biases, of shape (2, 3 units): those beside x W, and those beside h R. None is
        zeros.

    References
    ----------
    Cho, K., et al. (2014). Learning phrase representations using RNN encoder-decoder for
    statistical machine translation. EMNLP.
    """

    _cell = _Cell(3, 5, (2,), gru_forward, gru_backward, gru_weights)
