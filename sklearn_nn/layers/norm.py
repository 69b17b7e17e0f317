"""Normalisation: by the statistics of a batch, or of a sample.

Each layer is two instructions: one that standardises, and one that scales and shifts each channel
by the parameters gamma and beta. Channels are the last axis; whatever lies before it (the places
of an image, the steps of a sequence) is counted among the samples.
"""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.sums import dot, total, total_of_squares
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
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


@kernel(FORWARD)
def standardize_by_batch(ctx, op, part, parts, theta, state, work, x, y):
    """y = (x - mean) / standard deviation, the running ones in prediction. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // channels
    epsilon, one = like(x[0, 0], real(op[2])), like(x[0, 0], 1)
    if ctx[TRAINING]:
        mean, scale = vector(work, 0, channels), vector(work, channels, channels)
        for i in range(lo * places, hi * places):
            source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
            for j in range(channels):
                target[j] = (source[j] - mean[j]) * scale[j]
    else:
        mean, variance = vector(state, 0, channels), vector(state, channels, channels)
        for i in range(lo * places, hi * places):
            source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
            for j in range(channels):
                target[j] = (source[j] - mean[j]) * (one / np.sqrt(variance[j] + epsilon))


@kernel(BACKWARD)
def batch_gradient_sums(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """work = mean of dy and of dy y over the batch. Owners: channels."""
    channels = op[0]
    n = x.size // channels
    lo, hi = share(channels, part, parts, _CHANNEL_GRAIN)
    slope = vector(work, 2 * channels + lo, hi - lo)
    curve = vector(work, 3 * channels + lo, hi - lo)
    for j in range(slope.size):
        slope[j] = 0
        curve[j] = 0
    for i in range(n):
        g, row = vector(dy, i * channels + lo, hi - lo), vector(y, i * channels + lo, hi - lo)
        for j in range(slope.size):
            slope[j] += g[j]
            curve[j] = fma(g[j], row[j], curve[j])
    share_of_one = like(x[0, 0], 1.0 / n)
    for j in range(slope.size):
        slope[j] *= share_of_one
        curve[j] *= share_of_one


@kernel(BACKWARD)
def standardize_by_batch_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = (dy - mean of dy - y mean of dy y) / standard deviation. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places = x.shape[1] // channels
    scale = vector(work, channels, channels)
    slope, curve = vector(work, 2 * channels, channels), vector(work, 3 * channels, channels)
    for i in range(lo * places, hi * places):
        g, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
        row = vector(y, i * channels, channels)
        for j in range(channels):
            out[j] = scale[j] * (g[j] - slope[j] - row[j] * curve[j])


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


def _lower_scale_and_shift(builder: Builder, slot: int) -> int:
    """The second instruction of both layers."""
    shape = builder.shape(slot)
    channels = shape[-1]
    out = builder.slot(shape)
    builder.instruction(
        slot,
        out,
        forward=scale_and_shift,
        backward=scale_and_shift_backward,
        weights=scale_and_shift_weights,
        parameters=[
            Parameter("gamma", (channels,), "ones", channels, channels, decay=0.0),
            Parameter("beta", (channels,), "zeros", channels, channels, decay=0.0),
        ],
        geometry=(channels,),
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
    running means of them, so that a sample's prediction does not depend on the others.

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
        """Two instructions; parameters gamma and beta, memories moving_mean and moving_variance."""
        shape = self.output_shape(builder.shape(slot))
        channels = shape[-1]
        out = builder.slot(shape)
        builder.instruction(
            slot,
            out,
            forward=standardize_by_batch,
            backward=standardize_by_batch_backward,
            forward_sums=batch_statistics,
            backward_sums=batch_gradient_sums,
            state=[
                Memory("moving_mean", (channels,)),
                Memory("moving_variance", (channels,), 1.0),
            ],
            work=4 * channels,
            geometry=(channels, real_bits(self.momentum), real_bits(self.epsilon)),
        )
        return _lower_scale_and_shift(builder, out)


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
