"""Dropout of the features of sequences: with one mask for all steps (Gal & Ghahramani, 2016)."""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    SEED,
    STEP,
    TRAINING,
    Builder,
    owned_rows,
)
from sklearn_nn.layers.vectors import copy

# An instruction's geometry: steps and features, then the layer's number, the threshold and what
# survivors are multiplied by.
_STEPS, _FEATURES, _DRAWS, _THRESHOLD, _FACTOR = range(5)


def mask_geometry(number: int, rate: float) -> tuple[int, int, int]:
    """Number of a layer, threshold and factor: what kernels need for the masks of a rate."""
    return number, round(rate * 2**32), real_bits(1 / (1 - rate))


@njit(**INLINED_OPTIONS)
def _mask(ctx, op, part, parts, x, y):
    """y = x times the mask of its row. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    features, factor = op[_FEATURES], like(x[0, 0], real(op[_FACTOR]))
    for i in range(lo, hi):
        if not ctx[TRAINING]:
            copy(vector(x, i * x.shape[1], x.shape[1]), vector(y, i * x.shape[1], x.shape[1]))
            continue
        key = stream(ctx[SEED], ctx[STEP], op[_DRAWS], i)
        for t in range(op[_STEPS]):
            at = i * x.shape[1] + t * features
            source, target = vector(x, at, features), vector(y, at, features)
            for j in range(features):
                keep = random_bits(key, j) >= op[_THRESHOLD]
                target[j] = source[j] * factor if keep else like(factor, 0)


@kernel(FORWARD)
def sequence_dropout_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x / (1 - rate) where the feature is kept, else 0; y = x in prediction. Owners: rows."""
    _mask(ctx, op, part, parts, x, y)


@kernel(BACKWARD)
def sequence_dropout_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy / (1 - rate) where the feature was kept, else 0. Owners: rows of the batch."""
    _mask(ctx, op, part, parts, dy, dx)


def sequence_dropout(builder: Builder, slot: int, rate: float) -> int:
    """Append an instruction that drops features of sequences; a rate of 0 is none."""
    if rate == 0:
        return slot
    shape = builder.shape(slot)
    out = builder.slot(shape, builder.clock(slot))
    builder.instruction(
        slot,
        out,
        forward=sequence_dropout_forward,
        backward=sequence_dropout_backward,
        geometry=(*shape, *mask_geometry(out, rate)),
        keeps="",
    )
    return out
