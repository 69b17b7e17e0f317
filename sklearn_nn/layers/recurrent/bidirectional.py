"""A recurrent layer that reads sequences from both ends."""

from __future__ import annotations

import copy

import numpy as np

from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, Builder, Layer, Shape, owned_rows
from sklearn_nn.layers.recurrent.layers import Recurrent

#: What may be made of both directions.
MERGE_MODES = ("concat", "sum", "mul", "ave")
_SUM, _MUL, _AVE = range(1, 4)

# An instruction's geometry: steps, units, and the place in `MERGE_MODES`. In x, the values of both
# directions stand side by side.


@kernel(FORWARD)
def merge_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = sum, product or mean of both directions. Owners: rows of the batch."""
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
    """dx = what each direction counts in y, times dy. Owners: rows of the batch."""
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


class Bidirectional(Layer):
    """Read sequences from both ends with two recurrent layers (Schuster & Paliwal, 1997).

    The second is a copy of the first that goes backwards and has weights of its own. With
    ``return_sequences=True``, both values of a step stand together; without, they are those of the
    last step for one and of the first for the other. Samples are sequences of shape (steps,
    features). Parameters have the layer's names with a direction before them: "forward_kernel",
    "backward_kernel" and so on.

    Parameters
    ----------
    layer : SimpleRNN, LSTM or GRU
        The layer that reads forward.
    merge_mode : {"concat", "sum", "mul", "ave"}, default="concat"
        What is made of both values: they stand side by side, forward first, in twice as many
        columns; or they are added, multiplied or averaged.

    References
    ----------
    Schuster, M., & Paliwal, K. K. (1997). Bidirectional recurrent neural networks. IEEE
    Transactions on Signal Processing 45(11).
    """

    lengths = "heeds"

    def __init__(self, layer: Recurrent, *, merge_mode: str = "concat") -> None:
        self.layer = layer
        self.merge_mode = merge_mode

    @property
    def is_random(self) -> bool:
        """Whether the layers drop something."""
        return self.layer.is_random

    def _check(self) -> None:
        """Raise a ValueError if it cannot go both ways."""
        if not isinstance(self.layer, Recurrent):
            raise ValueError(
                f"layer={self.layer!r} of Bidirectional must be a recurrent layer: SimpleRNN, LSTM "
                "or GRU."
            )
        if self.layer.go_backwards:
            raise ValueError(
                f"layer={self.layer!r} of Bidirectional goes backwards already; leave out "
                "go_backwards=True, since a copy reads the other way."
            )
        if self.merge_mode not in MERGE_MODES:
            raise ValueError(
                f"merge_mode={self.merge_mode!r} of Bidirectional must be one of "
                f"{', '.join(map(repr, MERGE_MODES))}."
            )

    def output_shape(self, shape: Shape) -> Shape:
        """That of the layer; with "concat", twice as many columns."""
        self._check()
        *places, units = self.layer.output_shape(shape)
        return (*places, 2 * units if self.merge_mode == "concat" else units)

    def lower(self, builder: Builder, slot: int) -> int:
        """The instructions of both layers, which write side by side, and one that merges."""
        shape = self.output_shape(builder.shape(slot))
        if builder.carries:
            raise ValueError(
                "Bidirectional cannot go on where the batch before ended, since one layer begins "
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
        builder.instruction(
            both,
            out,
            forward=merge_forward,
            backward=merge_backward,
            geometry=(int(np.prod(shape[:-1])), units, MERGE_MODES.index(self.merge_mode)),
            keeps="x" if self.merge_mode == "mul" else "",
        )
        return out
