"""A recurrent layer that reads sequences from both ends."""

from __future__ import annotations

import copy
from dataclasses import KW_ONLY

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape
from sklearn_nn.layers.recurrent.layers import Recurrent

#: How the outputs of both directions are combined.
MERGE_MODES = ("concat", "sum", "mul", "ave")
_SUM, _MUL, _AVE = range(1, 4)

# An instruction's geometry: steps, units, and the index in `MERGE_MODES`. In x, the values of both
# directions of a step lie side by side.


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

    A copy of the given recurrent layer, with weights of its own, goes backwards. With
    ``return_sequences=True``, the values of both directions for the same step are combined;
    without, that of the last step forward and that of the first step backward. Samples are
    sequences of shape (steps, features). Parameters are named "forward_kernel", "backward_kernel"
    and so on.

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
    """

    layer: Recurrent
    _: KW_ONLY
    merge_mode: str = "concat"

    lengths = "heeds"

    @property
    def is_random(self) -> bool:
        """Return whether there is dropout."""
        return self.layer.is_random

    def _check(self) -> None:
        """Raise ValueError if a parameter is invalid."""
        if not isinstance(self.layer, Recurrent):
            raise ValueError(
                f"layer={self.layer!r} of Bidirectional must be a recurrent layer: SimpleRNN, LSTM "
                "or GRU."
            )
        if self.layer.go_backwards:
            raise ValueError(
                f"layer={self.layer!r} of Bidirectional goes backwards; leave out "
                "go_backwards=True, since a copy reads in the other direction."
            )
        if self.merge_mode not in MERGE_MODES:
            raise ValueError(
                f"merge_mode={self.merge_mode!r} of Bidirectional must be one of "
                f"{', '.join(map(repr, MERGE_MODES))}."
            )

    def output_shape(self, shape: Shape) -> Shape:
        """Return the output shape of the layer, with twice the columns for "concat"."""
        self._check()
        *places, units = self.layer.output_shape(shape)
        return (*places, 2 * units if self.merge_mode == "concat" else units)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append the instructions of both layers, which write side by side, and one that merges."""
        shape = self.output_shape(builder.shape(slot))
        if builder.carries:
            raise ValueError(
                "Bidirectional cannot continue the previous batch, since one layer begins "
                f"at the end; use {type(self.layer).__name__} alone, or read each sequence as a "
                "whole."
            )
        units = int(self.layer.units)
        clock = builder.clock(slot) if self.layer.return_sequences else None
        both = builder.slot((*shape[:-1], 2 * units), clock)
        turned = copy.copy(self.layer)
        turned.go_backwards = True
        self.layer.lower_into(builder, slot, both, 0, "forward_")
        turned.lower_into(builder, slot, both, units, "backward_", True)
        if self.merge_mode == "concat":
            return both
        out = builder.slot(shape, clock)
        geometry = (int(np.prod(shape[:-1])), units, MERGE_MODES.index(self.merge_mode))
        keeps = "x" if self.merge_mode == "mul" else ""
        kernels = Kernels(merge_forward, merge_backward)
        return builder.append(Instruction(both, out, kernels, geometry=geometry, keeps=keeps))
