"""Normalisation by the statistics of a sample.

A layer is two instructions: one standardises, and one scales and shifts each channel by the
parameters gamma and beta. Channels are the last axis; the places before it (of an image, of a
sequence) count as samples.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.sums import dot, total, total_of_squares
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, COLUMN_GRAIN, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.vectors import clear


@kernel(FORWARD)
def standardize_by_sample(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = (x - mean) / standard deviation over the channels of a place. Owners: rows."""
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
    """Compute dx = (dy - mean of dy - y mean of dy y) / standard deviation. Owners: rows."""
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
    """Compute y = gamma x + beta. Owners: rows of the batch."""
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
    """Compute dx = gamma dy. Owners: rows of the batch."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, gamma = x.shape[1] // channels, vector(theta, 0, channels)
    for i in range(lo * places, hi * places):
        g, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
        for j in range(channels):
            out[j] = gamma[j] * g[j]


@kernel(BACKWARD)
def scale_and_shift_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dgamma = sum of dy x and dbeta = sum of dy. Owners: channels."""
    channels = op[0]
    lo, hi = share(channels, part, parts, COLUMN_GRAIN)
    dgamma, dbeta = vector(grad, lo, hi - lo), vector(grad, channels + lo, hi - lo)
    clear(dgamma)
    clear(dbeta)
    for i in range(x.size // channels):
        g, row = vector(dy, i * channels + lo, hi - lo), vector(x, i * channels + lo, hi - lo)
        for j in range(dgamma.size):
            dgamma[j] = fma(g[j], row[j], dgamma[j])
            dbeta[j] += g[j]


def gamma_and_beta(channels: int) -> list[Parameter]:
    """Return the parameters gamma and beta of a normalisation."""
    return [
        Parameter("gamma", (channels,), "ones", channels, channels, decay=0.0),
        Parameter("beta", (channels,), "zeros", channels, channels, decay=0.0),
    ]


def lower_scale_and_shift(builder: Builder, slot: int, parameters: Sequence[Parameter]) -> int:
    """Append ``y = gamma x + beta`` for channels of the size of the parameters."""
    out, geometry = builder.slot(builder.shape(slot)), (parameters[0].size,)
    kernels = Kernels(scale_and_shift, scale_and_shift_backward, scale_and_shift_weights)
    return builder.append(Instruction(slot, out, kernels, parameters, geometry=geometry, keeps="x"))


def check_epsilon(layer: Layer, epsilon: float) -> None:
    """Raise ValueError unless `epsilon` is positive."""
    if not epsilon > 0:
        raise ValueError(
            f"epsilon={epsilon!r} of {type(layer).__name__} must be positive; 1e-5 is usual."
        )


@parameters
class LayerNorm(Layer):
    """Layer that standardises, scales and shifts the channels of each sample (Ba et al., 2016).

    Samples with several places (of an image, of a sequence) are standardised place by place.
    Training and prediction are equal.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance.
    """

    _: KW_ONLY
    epsilon: float = 1e-5

    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        check_epsilon(self, self.epsilon)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append two instructions, with the parameters gamma and beta."""
        shape = self.output_shape(builder.shape(slot))
        out, geometry = builder.slot(shape), (shape[-1], real_bits(self.epsilon))
        kernels = Kernels(standardize_by_sample, standardize_by_sample_backward)
        builder.append(Instruction(slot, out, kernels, geometry=geometry))
        return lower_scale_and_shift(builder, out, gamma_and_beta(shape[-1]))
