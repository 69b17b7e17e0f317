"""Attention over the steps of a sequence: their mean, weighted by what is in them.

A layer is six instructions. What is made of every step, ``tanh(x_t W + b)``, is a slot, and so are
the scores, one number a step. The last instruction reads the sequence and its scores, which are
copied into one slot for it, one behind the other. Its weights are computed anew in backward.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.functions import exp, fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.sums import dot, total
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.base import (
    BACKWARD,
    CTX_SIZE,
    FORWARD,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.convolution.global_pool import CHANNELS, PLACES, own_places
from sklearn_nn.layers.lengths import geometry_of
from sklearn_nn.layers.merge import join
from sklearn_nn.layers.normalization.layer_norm import CHANNEL_GRAIN
from sklearn_nn.layers.shape import check_axes, whole_numbers
from sklearn_nn.layers.time_distributed import lower_steps
from sklearn_nn.layers.vectors import clear

# Geometry is that of pooling over all places: steps, channels, and the clock.


@kernel(FORWARD)
def score_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_t = x_t v of every own step. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels = op[CHANNELS]
    for i in range(lo, hi):
        for t in range(own_places(ctx, op, i)):
            step = vector(x, i * x.shape[1] + t * channels, channels)
            y[i, t] = dot(step, theta)


@kernel(BACKWARD)
def score_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx_t = dy_t v; 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places = own_places(ctx, op, i)
        for t in range(places):
            step, gradient = vector(dx, i * size + t * channels, channels), dy[i, t]
            for c in range(channels):
                step[c] = gradient * theta[c]
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(BACKWARD)
def score_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dv = sum over own steps of dy_t x_t. Owners: channels."""
    channels = op[CHANNELS]
    lo, hi = share(channels, part, parts, CHANNEL_GRAIN)
    dv = vector(grad, lo, hi - lo)
    clear(dv)
    for i in range(x.shape[0]):
        for t in range(own_places(ctx, op, i)):
            step, gradient = vector(x, i * x.shape[1] + t * channels + lo, hi - lo), dy[i, t]
            for c in range(dv.size):
                dv[c] = fma(gradient, step[c], dv[c])


@njit(**INLINED_OPTIONS)
def _softmax(scores, weights):
    """weights = exp(scores) / their sum."""
    largest = scores[0]
    for t in range(1, scores.size):
        largest = scores[t] if scores[t] > largest else largest
    for t in range(scores.size):
        weights[t] = exp(scores[t] - largest)
    share_of_one = like(largest, 1) / total(weights)
    for t in range(scores.size):
        weights[t] *= share_of_one


@kernel(FORWARD)
def attend_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = sum over own steps of a_t x_t, a = softmax of the scores behind x. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, mean = own_places(ctx, op, i), vector(y, i * channels, channels)
        clear(mean)
        if places == 0:
            continue
        weights = vector(workspace(ctx, CTX_SIZE, x), 0, places)
        _softmax(vector(x, i * size + op[PLACES] * channels, places), weights)
        for t in range(places):
            step, weight = vector(x, i * size + t * channels, channels), weights[t]
            for c in range(channels):
                mean[c] += weight * step[c]


@kernel(BACKWARD)
def attend_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx_t = a_t dy, and of the scores a_t (dy x_t - dy y); 0 in the padding. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        clear(vector(dx, i * size, size))
        places, behind = own_places(ctx, op, i), i * size + op[PLACES] * channels
        if places == 0:
            continue
        weights = vector(workspace(ctx, CTX_SIZE, x), 0, places)
        _softmax(vector(x, behind, places), weights)
        gradient, of_scores = vector(dy, i * channels, channels), vector(dx, behind, places)
        mean = dot(gradient, vector(y, i * channels, channels))
        for t in range(places):
            step, found = (
                vector(x, i * size + t * channels, channels),
                vector(dx, i * size + t * channels, channels),
            )
            weight = weights[t]
            of_scores[t] = weight * (dot(gradient, step) - mean)
            for c in range(channels):
                found[c] = weight * gradient[c]


class AttentionPool(Layer):
    """Take the mean over the steps of a sequence, weighted by attention.

    ``y = sum_t a_t x_t`` with ``a = softmax over t of v . tanh(x_t W + b)``: what to attend to is
    learnt, and how much is decided by each step's own content (Bahdanau et al., 2015; in this form,
    with a learnt context v, Yang et al., 2016). Samples of shape (steps, channels) become vectors
    of channels. Of sequences of unequal length each one's own steps count; one without steps
    becomes zeros.

    Parameters
    ----------
    units : int or None, default=None
        Columns of W, and length of v. None is the number of channels.
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (channels, units). None is Glorot's uniform distribution.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (units,). None is zeros.
    context_initializer : str, Initializer or None, default=None
        Draws v, of shape (units,). None is Glorot's uniform distribution.

    References
    ----------
    Bahdanau, D., Cho, K., & Bengio, Y. (2015). Neural machine translation by jointly learning to
    align and translate. ICLR.

    Yang, Z., et al. (2016). Hierarchical attention networks for document classification. NAACL.
    """

    lengths = "heeds"

    def __init__(
        self,
        units: int | None = None,
        *,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        context_initializer: Any = None,
    ) -> None:
        self.units = units
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.context_initializer = context_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """One vector: the channels."""
        check_axes(self, shape, 1)
        if self.units is not None:
            whole_numbers("units", self.units, 1)
        return shape[-1:]

    def _parameters(self, channels: int) -> list[Parameter]:
        """Kernel, bias and context."""
        units = channels if self.units is None else int(self.units)
        fans = {"fan_in": channels, "fan_out": units}
        draw_kernel = self.kernel_initializer or "glorot_uniform"
        draw_bias = self.bias_initializer or "zeros"
        draw_context = self.context_initializer or "glorot_uniform"
        return [
            Parameter("kernel", (channels, units), draw_kernel, **fans),
            Parameter("bias", (units,), draw_bias, **fans, decay=0.0),
            Parameter("context", (units,), draw_context, fan_in=units, fan_out=1),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Six instructions; parameters kernel, bias and context."""
        shape, clock = builder.shape(slot), geometry_of(builder.clock(slot))
        out = builder.slot(self.output_shape(shape))
        steps, channels = shape
        *of_steps, context = self._parameters(channels)
        seen = Activation("tanh").lower(builder, lower_steps(builder, slot, of_steps))
        scores = builder.slot((steps,))
        builder.instruction(
            seen,
            scores,
            forward=score_forward,
            backward=score_backward,
            weights=score_weights,
            parameters=[context],
            geometry=(steps, context.size, *clock),
            keeps="x",
        )
        size = int(np.prod(shape))
        both = builder.slot((size + steps,))
        for part, width, first in ((slot, size, 0), (scores, steps, size)):
            join(builder, part, both, (1, width, size + steps, first))
        builder.instruction(
            both,
            out,
            forward=attend_forward,
            backward=attend_backward,
            scratch=steps,
            geometry=(steps, channels, *clock),
        )
        return out
