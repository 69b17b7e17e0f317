"""Dropout, from counted random numbers: no mask is stored, and none depends on the threads."""

from __future__ import annotations

import math

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    PROGRESS,
    SEED,
    STEP,
    TRAINING,
    Builder,
    Layer,
    Shape,
    owned_rows,
)

# An instruction's geometry: what sets its random numbers apart, the bits of the rate, the schedule.
_SLOT, _RATE, _SCHEDULE = range(3)
#: How the rate changes while training. Names are those of the schedules of the learning rate.
SCHEDULES = {"constant": 0, "flat_cos": 1}


@njit(**INLINED_OPTIONS)
def _rate_now(ctx, op):
    """The rate of this batch: where it falls, all of it to half-time, then half a cosine to 0."""
    if op[_SCHEDULE] == 0:
        return real(op[_RATE])
    past_half = max(0.0, 2.0 * real(ctx[PROGRESS]) - 1.0)
    return real(op[_RATE]) * (1.0 + math.cos(math.pi * past_half)) / 2.0


@kernel(FORWARD)
def dropout_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x / (1 - rate) where the unit is kept, else 0; y = x in prediction. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    if not ctx[TRAINING]:
        for i in range(lo, hi):
            for j in range(x.shape[1]):
                y[i, j] = x[i, j]
        return
    rate = _rate_now(ctx, op)
    threshold, scale = np.int64(np.rint(rate * 2.0**32)), like(x[0, 0], 1.0 / (1.0 - rate))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[_SLOT], i)
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
    rate = _rate_now(ctx, op)
    threshold, scale = np.int64(np.rint(rate * 2.0**32)), like(x[0, 0], 1.0 / (1.0 - rate))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[_SLOT], i)
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
    schedule : {"constant", "flat_cos"}, default="constant"
        How the rate changes while training. With "flat_cos" it is `rate` for the first half of the
        epochs planned and falls to 0 in the second, as half a cosine (Holzmüller et al., 2024).

    References
    ----------
    Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I., & Salakhutdinov, R. (2014). Dropout:
    a simple way to prevent neural networks from overfitting. JMLR 15.

    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.
    """

    is_random = True
    lengths = "keeps"

    def __init__(self, rate: float, schedule: str = "constant") -> None:
        self.rate = rate
        self.schedule = schedule

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if not 0 <= self.rate < 1:
            raise ValueError(f"rate={self.rate!r} of Dropout must lie in [0, 1).")
        if self.schedule not in SCHEDULES:
            raise ValueError(
                f"schedule={self.schedule!r} of Dropout is not known; use one of "
                f"{', '.join(SCHEDULES)}."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; a rate of 0 is none."""
        shape = self.output_shape(builder.shape(slot))
        if self.rate == 0:
            return slot
        out = builder.slot(shape)
        # The slot's number sets this layer's random numbers apart from those of the others.
        geometry = (out, real_bits(self.rate), SCHEDULES[self.schedule])
        builder.instruction(
            slot, out, forward=dropout_forward, backward=dropout_backward, geometry=geometry
        )
        return out
