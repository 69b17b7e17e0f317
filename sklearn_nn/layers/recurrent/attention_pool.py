"""Attention pooling: the mean over the steps of a sequence, with weights computed from the steps.

A layer is six instructions. ``tanh(x_t W + b)`` is a slot, and so are the scores of the steps.
Sequence and scores are copied into one slot, one after the other, for the last instruction.
Backward computes the attention weights again.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.functions import exp, fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.views import dot, total, vector, workspace
from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.convolution.pool import CHANNELS, PLACES, own_places
from sklearn_nn.layers.dense import lower_steps
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of
from sklearn_nn.layers.merge import join
from sklearn_nn.layers.vectors import clear, owned_columns

# Geometry is that of global pooling: steps, channels, and the clock.


@kernel(FORWARD)
def score_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y_t = x_t v for the steps before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels = op[CHANNELS]
    for i in range(lo, hi):
        for t in range(own_places(ctx, op, i)):
            step = vector(x, i * x.shape[1] + t * channels, channels)
            y[i, t] = dot(step, theta)


@kernel(BACKWARD)
def score_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx_t = dy_t v; 0 in the padding. Owners: rows of the batch."""
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
    """Compute dv = sum of dy_t x_t over the steps before the padding. Owners: channels."""
    channels = op[CHANNELS]
    lo, hi = owned_columns(channels, part, parts)
    dv = vector(grad, lo, hi - lo)
    clear(dv)
    for i in range(x.shape[0]):
        for t in range(own_places(ctx, op, i)):
            step, gradient = vector(x, i * x.shape[1] + t * channels + lo, hi - lo), dy[i, t]
            for c in range(dv.size):
                dv[c] = fma(gradient, step[c], dv[c])


@njit(**INLINED_OPTIONS)
def _softmax(scores, weights):
    """Compute weights = exp(scores) / their sum."""
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
    """Compute y = sum of a_t x_t before the padding; a = softmax of the scores. Owners: rows."""
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
    """Compute dx_t = a_t dy, and a_t (dy x_t - dy y) for scores; 0 in the padding. Owners: rows."""
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
            at, weight = i * size + t * channels, weights[t]
            step, found = vector(x, at, channels), vector(dx, at, channels)
            of_scores[t] = weight * (dot(gradient, step) - mean)
            for c in range(channels):
                found[c] = weight * gradient[c]


@parameters
class AttentionPool(Layer):
    """Layer that takes the mean over the steps of a sequence, weighted by attention.

    ``y = sum_t a_t x_t`` with ``a = softmax over t of v . tanh(x_t W + b)`` (Bahdanau et al., 2015;
    in this form, with a learnt context v, Yang et al., 2016). Samples of shape (steps, channels)
    become vectors of shape (channels,). Padding of sequences of unequal length is ignored; a
    sequence without steps becomes zeros.

    Parameters
    ----------
    units : int or None, default=None
        Columns of W, and length of v. None is the number of channels.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (channels, units). None is Glorot's uniform distribution.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (units,). None is zeros.
    context_initializer : str, Initializer or None, default=None
        Initial v, of shape (units,). None is Glorot's uniform distribution.

    References
    ----------
    Bahdanau, D., Cho, K., & Bengio, Y. (2015). Neural machine translation by jointly learning to
    align and translate. ICLR.

    Yang, Z., et al. (2016). Hierarchical attention networks for document classification. NAACL.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import GRU, AttentionPool
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.standard_normal((n, 3)) for n in (5, 9, 7, 12)]  # sequences of unequal length
    >>> layers = [GRU(8, return_sequences=True), AttentionPool()]
    >>> model = NeuralNetworkClassifier(layers).initialize(X, [0, 1, 0, 1])
    >>> model.layers_["attentionpool1"]["kernel"].shape, model.predict_proba(X).shape
    ((8, 8), (4, 2))
    """

    units: int | None = None
    _: KW_ONLY
    kernel_initializer: Any = None
    bias_initializer: Any = None
    context_initializer: Any = None

    lengths = "reads"
    reads_steps = True

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        self._check_axes(shape, 1)
        if self.units is not None:
            self._whole_number("units")
        return shape[-1:]

    def _parameters(self, channels: int) -> list[Parameter]:
        """Return kernel, bias and context."""
        units = channels if self.units is None else int(self.units)
        fans = {"fan_in": channels, "fan_out": units}
        draw_kernel = self._initializer("kernel_initializer", "glorot_uniform")
        draw_bias = self._initializer("bias_initializer", "zeros")
        draw_context = self._initializer("context_initializer", "glorot_uniform")
        return [
            Parameter("kernel", (channels, units), draw_kernel, **fans),
            Parameter("bias", (units,), draw_bias, **fans, decay=0.0),
            Parameter("context", (units,), draw_context, fan_in=units, fan_out=1),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append six instructions, with the parameters kernel, bias and context."""
        shape, clock = builder.shape(slot), geometry_of(builder.clock(slot))
        out = builder.slot(self.output_shape(shape))
        steps, channels = shape
        *of_steps, context = self._parameters(channels)
        seen = Activation("tanh").lower(builder, lower_steps(builder, slot, of_steps))
        scores = builder.slot((steps,))
        kernels = Kernels(score_forward, score_backward, score_weights)
        geometry = (steps, context.size, *clock)
        builder.append(Instruction(seen, scores, kernels, [context], geometry=geometry, keeps="x"))
        size = int(np.prod(shape))
        both = builder.slot((size + steps,))
        for part, width, first in ((slot, size, 0), (scores, steps, size)):
            join(builder, part, both, (1, width, size + steps, first))
        kernels, geometry = Kernels(attend_forward, attend_backward), (steps, channels, *clock)
        return builder.append(Instruction(both, out, kernels, geometry=geometry, scratch=steps))
