"""Gaussian noise, from counted random numbers: the same for any number of threads."""

from __future__ import annotations

from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_normal, stream
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
def noise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x + standard deviation * normal number; y = x in prediction. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    if not ctx[TRAINING]:
        for i in range(lo, hi):
            for j in range(x.shape[1]):
                y[i, j] = x[i, j]
        return
    stddev = like(x[0, 0], real(op[1]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[0], i)
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] + stddev * random_normal(key, j, x.dtype)


@kernel(BACKWARD)
def noise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            dx[i, j] = dy[i, j]


class GaussianNoise(Layer):
    """Add normal noise while training: another sample each time it is seen (Bishop, 1995).

    Parameters
    ----------
    stddev : float
        Standard deviation of the noise, in the units of its input.
    """

    is_random = True
    lengths = "keeps"

    def __init__(self, stddev: float) -> None:
        self.stddev = stddev

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if not self.stddev >= 0:
            raise ValueError(f"stddev={self.stddev!r} of GaussianNoise must be >= 0.")
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; a standard deviation of 0 is none."""
        shape = self.output_shape(builder.shape(slot))
        if self.stddev == 0:
            return slot
        out = builder.slot(shape)
        # The slot's number sets this layer's random numbers apart from those of the others.
        geometry = (out, real_bits(self.stddev))
        builder.instruction(
            slot, out, forward=noise_forward, backward=noise_backward, geometry=geometry
        )
        return out
