"""Normalisation: by the statistics of a batch, or of a sample.

What is standardised is then scaled and shifted, each channel by the parameters gamma and beta.
Channels are the last axis; whatever lies before it (the places
of an image, the steps of a sequence) is counted among the samples.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.sums import dot, total, total_of_squares
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import (
    BACKWARD,
    CTX_SIZE,
    FORWARD,
    TRAINING,
    Builder,
    Layer,
    Memory,
    Parameter,
    Shape,
    owned_rows,
)

# Channels are dealt out in multiples of this: a cache line of float32. Which of them fall into a
# loop's vectors and which into its tail depends on the share, so products are added by `fma`: left
# to the compiler, it may round once in the one and twice in the other.
_CHANNEL_GRAIN = 16


@njit(**INLINED_OPTIONS)
def _uses_memory(ctx, op):
    """Whether a batch is standardised by the running statistics: in prediction, or frozen."""
    return not ctx[TRAINING] or op[3] != 0


@kernel(FORWARD)
def batch_statistics(ctx, op, part, parts, theta, state, work, x, y):
    """work = mean and 1 / standard deviation; state = their running means. Owners: channels.

    The corrected two-pass algorithm (Chan, Golub & LeVeque, 1983).
    """
    channels = op[0]
    n = x.size // channels
    lo, hi = share(channels, part, parts, _CHANNEL_GRAIN)
    mean, scale = vector(work, lo, hi - lo), vector(work, channels + lo, hi - lo)
    error = vector(work, 2 * channels + lo, hi - lo)
    for j in range(mean.size):
        mean[j] = 0
        scale[j] = 0
        error[j] = 0
    for i in range(n):
        row = vector(x, i * channels + lo, hi - lo)
        for j in range(mean.size):
            mean[j] += row[j]
    share_of_one = like(x[0, 0], 1.0 / n)
    for j in range(mean.size):
        mean[j] *= share_of_one
    for i in range(n):
        row = vector(x, i * channels + lo, hi - lo)
        for j in range(mean.size):
            difference = row[j] - mean[j]
            scale[j] = fma(difference, difference, scale[j])
            error[j] += difference
    # Put the mean's rounding right: of a large, constant channel it is all that would be left.
    zero = like(x[0, 0], 0)
    for j in range(mean.size):
        mean[j] = fma(error[j], share_of_one, mean[j])
        spread = fma(-error[j], error[j] * share_of_one, scale[j])
        scale[j] = zero if spread < zero else spread
    moving_mean = vector(state, lo, hi - lo)
    moving_variance = vector(state, channels + lo, hi - lo)
    keep, epsilon = like(x[0, 0], real(op[1])), like(x[0, 0], real(op[2]))
    new = like(x[0, 0], 1 - real(op[1]))
    # As in PyTorch, the running variance is the unbiased one.
    unbiased = like(x[0, 0], 1.0 / max(1, n - 1))
    for j in range(mean.size):
        moving_mean[j] = fma(keep, moving_mean[j], new * mean[j])
        moving_variance[j] = fma(keep, moving_variance[j], new * (scale[j] * unbiased))
        scale[j] = like(x[0, 0], 1) / np.sqrt(fma(scale[j], share_of_one, epsilon))


@njit(**INLINED_OPTIONS)
def _factor(ctx, op, state, work, j):
    """1 / standard deviation of channel j, the running one or the batch's."""
    channels, one = op[0], like(state[0], 1)
    if _uses_memory(ctx, op):
        return one / np.sqrt(state[channels + j] + like(one, real(op[2])))
    return work[channels + j]


@kernel(FORWARD)
def batch_norm_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = gamma (x - mean) / standard deviation + beta. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // channels
    gamma, beta = vector(theta, 0, channels), vector(theta, channels, channels)
    scale = vector(workspace(ctx, CTX_SIZE, x), 0, channels)
    for j in range(channels):
        scale[j] = _factor(ctx, op, state, work, j)
    mean = vector(state, 0, channels) if _uses_memory(ctx, op) else vector(work, 0, channels)
    for i in range(lo * places, hi * places):
        source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
        for j in range(channels):
            target[j] = (source[j] - mean[j]) * scale[j] * gamma[j] + beta[j]


@kernel(BACKWARD)
def batch_norm_gradient_sums(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """work = sums over the batch of dy, and of dy times standardised x. Owners: channels."""
    channels = op[0]
    lo, hi = share(channels, part, parts, _CHANNEL_GRAIN)
    mean, scale = vector(work, lo, hi - lo), vector(work, channels + lo, hi - lo)
    slope = vector(work, 2 * channels + lo, hi - lo)
    curve = vector(work, 3 * channels + lo, hi - lo)
    for j in range(slope.size):
        slope[j] = 0
        curve[j] = 0
    for i in range(x.size // channels):
        g, row = vector(dy, i * channels + lo, hi - lo), vector(x, i * channels + lo, hi - lo)
        for j in range(slope.size):
            slope[j] += g[j]
            curve[j] = fma(g[j], (row[j] - mean[j]) * scale[j], curve[j])


@kernel(BACKWARD)
def batch_norm_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = gamma (dy - mean of dy - z mean of dy z) / standard deviation, z standardised x.

    The running mean and deviation are constants: where they are used, dx = gamma dy / deviation.
    Owners: rows.
    """
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, gamma = x.shape[1] // channels, vector(theta, 0, channels)
    room = workspace(ctx, CTX_SIZE, x)
    factor, scale = vector(room, 0, channels), vector(room, channels, channels)
    for j in range(channels):
        scale[j] = _factor(ctx, op, state, work, j)
        factor[j] = gamma[j] * scale[j]
    if _uses_memory(ctx, op):
        for i in range(lo * places, hi * places):
            g, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
            for j in range(channels):
                out[j] = g[j] * factor[j]
        return
    # dx = a dy + b (x - mean) + c with a, b and c the same for all places.
    mean, tilt, shift = vector(work, 0, channels), scale, vector(room, 2 * channels, channels)
    share_of_one = like(x[0, 0], 1.0 / (x.size // channels))
    for j in range(channels):
        tilt[j] = -factor[j] * scale[j] * work[3 * channels + j] * share_of_one
        shift[j] = -factor[j] * work[2 * channels + j] * share_of_one
    for i in range(lo * places, hi * places):
        g, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
        row = vector(x, i * channels, channels)
        for j in range(channels):
            out[j] = factor[j] * g[j] + tilt[j] * (row[j] - mean[j]) + shift[j]


@kernel(BACKWARD)
def batch_norm_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dgamma = sum of dy times standardised x, dbeta = sum of dy. Owners: channels."""
    channels = op[0]
    lo, hi = share(channels, part, parts, _CHANNEL_GRAIN)
    for j in range(lo, hi):
        grad[j] = work[3 * channels + j]
        grad[channels + j] = work[2 * channels + j]


@kernel(FORWARD)
def standardize_by_sample(ctx, op, part, parts, theta, state, work, x, y):
    """y = (x - mean) / standard deviation of the channels of one place. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, epsilon = x.shape[1] // channels, like(x[0, 0], real(op[1]))
    share_of_one = like(x[0, 0], 1.0 / channels)
    for i in range(lo * places, hi * places):
        source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
        mean = total(source) * share_of_one
        variance = total_of_squares(source, mean) * share_of_one
        scale = like(mean, 1) / np.sqrt(variance + epsilon)
        for j in range(channels):
            target[j] = (source[j] - mean) * scale


@kernel(BACKWARD)
def standardize_by_sample_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = (dy - mean of dy - y mean of dy y) / standard deviation. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, epsilon = x.shape[1] // channels, like(x[0, 0], real(op[1]))
    share_of_one = like(x[0, 0], 1.0 / channels)
    for i in range(lo * places, hi * places):
        source, g = vector(x, i * channels, channels), vector(dy, i * channels, channels)
        row, out = vector(y, i * channels, channels), vector(dx, i * channels, channels)
        mean = total(source) * share_of_one
        variance = total_of_squares(source, mean) * share_of_one
        scale = like(mean, 1) / np.sqrt(variance + epsilon)
        slope, curve = total(g) * share_of_one, dot(g, row) * share_of_one
        for j in range(channels):
            out[j] = scale * (g[j] - slope - row[j] * curve)


@kernel(FORWARD)
def scale_and_shift(ctx, op, part, parts, theta, state, work, x, y):
    """y = gamma x + beta. Owners: rows of the batch."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // channels
    gamma, beta = vector(theta, 0, channels), vector(theta, channels, channels)
    for i in range(lo * places, hi * places):
        source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
        for j in range(channels):
            target[j] = gamma[j] * source[j] + beta[j]


@kernel(BACKWARD)
def scale_and_shift_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = gamma dy. Owners: rows of the batch."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, gamma = x.shape[1] // channels, vector(theta, 0, channels)
    for i in range(lo * places, hi * places):
        g, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
        for j in range(channels):
            out[j] = gamma[j] * g[j]


@kernel(BACKWARD)
def scale_and_shift_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dgamma = sum of dy x, dbeta = sum of dy. Owners: channels."""
    channels = op[0]
    lo, hi = share(channels, part, parts, _CHANNEL_GRAIN)
    dgamma, dbeta = vector(grad, lo, hi - lo), vector(grad, channels + lo, hi - lo)
    for j in range(dgamma.size):
        dgamma[j] = 0
        dbeta[j] = 0
    for i in range(x.size // channels):
        g, row = vector(dy, i * channels + lo, hi - lo), vector(x, i * channels + lo, hi - lo)
        for j in range(dgamma.size):
            dgamma[j] = fma(g[j], row[j], dgamma[j])
            dbeta[j] += g[j]


def _gamma_and_beta(channels: int) -> list[Parameter]:
    return [
        Parameter("gamma", (channels,), "ones", channels, channels, decay=0.0),
        Parameter("beta", (channels,), "zeros", channels, channels, decay=0.0),
    ]


def _lower_scale_and_shift(builder: Builder, slot: int) -> int:
    """The second instruction of LayerNorm."""
    shape = builder.shape(slot)
    channels = shape[-1]
    out = builder.slot(shape)
    builder.instruction(
        slot,
        out,
        forward=scale_and_shift,
        backward=scale_and_shift_backward,
        weights=scale_and_shift_weights,
        parameters=_gamma_and_beta(channels),
        geometry=(channels,),
        keeps="x",
    )
    return out


def _check_epsilon(layer: Layer, epsilon: float) -> None:
    if not epsilon > 0:
        raise ValueError(
            f"epsilon={epsilon!r} of {type(layer).__name__} must be positive; 1e-5 is usual."
        )


class BatchNorm(Layer):
    """Standardise each channel by the batch, then scale and shift it (Ioffe & Szegedy, 2015).

    In training a channel's mean and variance are those of the batch; in prediction they are
    running means of them, so that a sample's prediction does not depend on the others. Frozen, it
    uses the running means in training too, and leaves them as they are.

    Parameters
    ----------
    momentum : float, default=0.9
        How much of the running means is kept at each batch, in [0, 1]. Keras's default is 0.99, and
        suits longer training; PyTorch counts from the other end, and its default is the one here.
    epsilon : float, default=1e-5
        Added to the variance.
    """

    def __init__(self, momentum: float = 0.9, *, epsilon: float = 1e-5) -> None:
        self.momentum = momentum
        self.epsilon = epsilon

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if not 0 <= self.momentum <= 1:
            raise ValueError(f"momentum={self.momentum!r} of BatchNorm must lie in [0, 1].")
        _check_epsilon(self, self.epsilon)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; parameters gamma and beta, memories moving_mean and moving_variance."""
        shape = self.output_shape(builder.shape(slot))
        channels, frozen = shape[-1], builder.is_frozen
        out = builder.slot(shape)
        builder.instruction(
            slot,
            out,
            forward=batch_norm_forward,
            backward=batch_norm_backward,
            weights=batch_norm_weights,
            forward_sums=None if frozen else batch_statistics,
            backward_sums=None if frozen else batch_norm_gradient_sums,
            parameters=_gamma_and_beta(channels),
            state=[
                Memory("moving_mean", (channels,)),
                Memory("moving_variance", (channels,), 1.0),
            ],
            work=4 * channels,
            scratch=3 * channels,
            geometry=(channels, real_bits(self.momentum), real_bits(self.epsilon), frozen),
            keeps="x",
        )
        return out


class LayerNorm(Layer):
    """Standardise the channels of each sample, then scale and shift them (Ba et al., 2016).

    Samples with several places (of an image, of a sequence) are standardised place by place.
    Training and prediction do the same.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance.
    """

    def __init__(self, *, epsilon: float = 1e-5) -> None:
        self.epsilon = epsilon

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        _check_epsilon(self, self.epsilon)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Two instructions; parameters gamma and beta."""
        shape = self.output_shape(builder.shape(slot))
        out = builder.slot(shape)
        builder.instruction(
            slot,
            out,
            forward=standardize_by_sample,
            backward=standardize_by_sample_backward,
            geometry=(shape[-1], real_bits(self.epsilon)),
        )
        return _lower_scale_and_shift(builder, out)
