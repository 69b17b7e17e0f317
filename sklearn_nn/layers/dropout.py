"""Dropout, from counted random numbers: no mask is stored, and none depends on the threads."""

from __future__ import annotations

from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    SEED,
    STEP,
    TRAINING,
    Builder,
    Layer,
    Shape,
    owned_rows,
)


@kernel(FORWARD)
def dropout_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x / (1 - rate) where the unit is kept, else 0; y = x in prediction. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    if not ctx[TRAINING]:
        for i in range(lo, hi):
            for j in range(x.shape[1]):
                y[i, j] = x[i, j]
        return
    threshold, scale = op[1], like(x[0, 0], real(op[2]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[0], i)
        for j in range(x.shape[1]):
            keep = random_bits(key, j) >= threshold
            y[i, j] = x[i, j] * scale if keep else like(scale, 0)


@kernel(BACKWARD)
def dropout_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy / (1 - rate) where the unit was kept, else 0; dx = dy in prediction. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    if not ctx[TRAINING]:
        for i in range(lo, hi):
            for j in range(x.shape[1]):
                dx[i, j] = dy[i, j]
        return
    threshold, scale = op[1], like(x[0, 0], real(op[2]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[0], i)
        for j in range(x.shape[1]):
            keep = random_bits(key, j) >= threshold
            dx[i, j] = dy[i, j] * scale if keep else like(scale, 0)


class Dropout(Layer):
    """Set a random share of the inputs to zero while training, and scale up the rest.

    A mask is drawn for every sample of every batch; what survives is divided by ``1 - rate``,
    so that nothing changes at prediction (inverted dropout; Srivastava et al., 2014).

    Parameters
    ----------
    rate : float
        The share that is dropped, in [0, 1).
    """

    is_random = True
    lengths = "keeps"

    def __init__(self, rate: float) -> None:
        self.rate = rate

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate={self.rate!r} of Dropout must lie in [0, 1).")
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; a rate of 0 is none."""
        shape = self.output_shape(builder.shape(slot))
        if self.rate == 0:
            return slot
        out = builder.slot(shape)
        threshold = round(self.rate * 2**32)
        # The slot's number sets this layer's random numbers apart from those of the others.
        geometry = (out, threshold, real_bits(1 / (1 - self.rate)))
        builder.instruction(
            slot, out, forward=dropout_forward, backward=dropout_backward, geometry=geometry
        )
        return out
