"""Mixup: each sample is mixed with another of its batch, and so are their losses."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_normal, random_uniform, stream
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import SLOT, Augmentation, copy_rows
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    PARTNER,
    SEED,
    STEP,
    TRAINING,
    Builder,
    Shape,
    owned_rows,
)

_ALPHA = 1


@njit(**HELPER_OPTIONS)
def _log_gamma(key: int, alpha: float) -> float:
    """The logarithm of a number that is gamma distributed (Marsaglia and Tsang, 2000).

    Below a shape of 1 by that of alpha + 1 and a uniform number; its logarithm does not underflow.
    """
    d = (alpha if alpha >= 1 else alpha + 1) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    lower = 0.0 if alpha >= 1 else math.log(1 - random_uniform(key, 0, np.float64)) / alpha
    unit = 1
    while True:
        normal = random_normal(key, unit, np.float64)
        uniform = 1 - random_uniform(key, unit + 1, np.float64)
        v = (1 + c * normal) ** 3
        if v > 0 and math.log(uniform) < 0.5 * normal * normal + d * (1 - v + math.log(v)):
            return math.log(d * v) + lower
        unit += 2


@njit(**HELPER_OPTIONS)
def partner_share(ctx: Any, op: Any) -> float:
    """The share of the partner at this step: 1 - lambda, of which lambda is Beta(alpha, alpha)."""
    one = _log_gamma(stream(ctx[SEED], ctx[STEP], op[SLOT], 0), real(op[_ALPHA]))
    other = _log_gamma(stream(ctx[SEED], ctx[STEP], op[SLOT], 1), real(op[_ALPHA]))
    return 1 / (1 + math.exp(min(one - other, 700.0)))


@kernel(FORWARD)
def mixup_share(ctx, op, part, parts, theta, state, work, x, y):
    """ctx = the share of the partner. Owners: each part has a ctx.

    The barriers around it are wanted, too, as a row of y needs two of x.
    """
    ctx[PARTNER] = np.float64(partner_share(ctx, op)).view(np.int64)


@njit(**INLINED_OPTIONS)
def _mix(ctx, part, parts, source, target):
    """Rows of target = lambda source + (1 - lambda) source of the partner; a copy in prediction.

    Mixing is its own transpose, so it is the gradient's way back, too.
    """
    if not ctx[TRAINING]:
        copy_rows(part, parts, source, target)
        return
    share = real(ctx[PARTNER])
    lo, hi = owned_rows(source, part, parts)
    n, size = source.shape
    own, others = like(source[0, 0], 1 - share), like(source[0, 0], share)
    for i in range(lo, hi):
        row, partner = vector(source, i * size, size), vector(source, (n - 1 - i) * size, size)
        mixed = vector(target, i * size, size)
        for j in range(size):
            mixed[j] = own * row[j] + others * partner[j]


@kernel(FORWARD)
def mixup_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x mixed. Owners: rows."""
    _mix(ctx, part, parts, x, y)


@kernel(BACKWARD)
def mixup_meet(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Nothing: the barriers around it are wanted, as a row of dx needs two of dy."""


@kernel(BACKWARD)
def mixup_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy mixed. Owners: rows."""
    _mix(ctx, part, parts, dy, dx)


class Mixup(Augmentation):
    """Mix each sample with another one of its batch, and their losses as well (Zhang et al., 2018).

    Of a batch of n samples the i-th becomes ``lambda x[i] + (1 - lambda) x[n - 1 - i]``, and its
    loss ``lambda loss(y[i]) + (1 - lambda) loss(y[n - 1 - i])``, each loss times the weight of the
    sample whose target it is. For every batch lambda is drawn from a Beta(alpha, alpha)
    distribution. Batches are shuffled, so that the partner is a random one.

    It works with samples of any shape and with every loss, and need not come first: behind other
    layers it mixes what they make of the samples (manifold mixup; Verma et al., 2019). A network
    has one at most, and not within a branch of another layer.

    Parameters
    ----------
    alpha : float, default=0.2
        Both parameters of the distribution. Small values mostly leave one sample as it is, 1 mixes
        evenly at random, large values mix in equal parts.
    """

    mixes_rows = True

    def __init__(self, alpha: float = 0.2) -> None:
        self.alpha = alpha

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if not 0 < self.alpha < math.inf:
            raise ValueError(
                f"alpha={self.alpha!r} of Mixup must be a number > 0; use alpha=0.2, or leave the "
                "layer out."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction, with barriers around its kernels."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        builder.instruction(
            slot,
            out,
            forward=mixup_forward,
            backward=mixup_backward,
            forward_sums=mixup_share,
            backward_sums=mixup_meet,
            geometry=(out, real_bits(self.alpha)),
        )
        return out
