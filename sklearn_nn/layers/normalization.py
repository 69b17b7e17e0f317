"""Normalization by the statistics of a sample or of a batch.

Channels are the last axis; the places before it (of an image, of a sequence) count as samples.
Normalization by sample is two instructions: one standardizes, and one scales and shifts each
channel by the parameters gamma and beta. That by batch is one, which also applies a relu or relu6
that follows; its loops run along the channels of a place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, replace
from typing import Any

import numpy as np
from llvmlite import ir

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.emit import multiply_add
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import dot, total, total_of_squares, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, TRAINING, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Memory, Parameter, Shape
from sklearn_nn.layers.vectors import clear, copy, owned_columns


@njit(**INLINED_OPTIONS)
def _moments(values, share_of_one, epsilon):
    """Return mean and 1 / standard deviation of values."""
    mean = total(values) * share_of_one
    variance = total_of_squares(values, mean) * share_of_one
    return mean, like(mean, 1) / np.sqrt(variance + epsilon)


@kernel(FORWARD)
def standardize_by_sample(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = (x - mean) / standard deviation over the channels of a place. Owners: rows."""
    channels = op[0]
    lo, hi = owned_rows(x, part, parts)
    places, epsilon = x.shape[1] // channels, like(x[0, 0], real(op[1]))
    share_of_one = like(x[0, 0], 1.0 / channels)
    for i in range(lo * places, hi * places):
        source, target = vector(x, i * channels, channels), vector(y, i * channels, channels)
        mean, scale = _moments(source, share_of_one, epsilon)
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
        _, scale = _moments(source, share_of_one, epsilon)
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
    lo, hi = owned_columns(channels, part, parts)
    dgamma, dbeta = vector(grad, lo, hi - lo), vector(grad, channels + lo, hi - lo)
    clear(dgamma)
    clear(dbeta)
    for i in range(x.size // channels):
        g, row = vector(dy, i * channels + lo, hi - lo), vector(x, i * channels + lo, hi - lo)
        for j in range(dgamma.size):
            dgamma[j] = fma(g[j], row[j], dgamma[j])
            dbeta[j] += g[j]


def gamma_and_beta(channels: int) -> list[Parameter]:
    """Return the parameters gamma, ones, and beta, zeros, of a normalization."""
    gamma = Parameter("gamma", (channels,), "ones", channels, channels, decay=0.0)
    return [gamma, replace(gamma, name="beta", initializer="zeros")]


def lower_scale_and_shift(builder: Builder, slot: int, parameters: Sequence[Parameter]) -> int:
    """Append ``y = gamma x + beta`` for channels of the size of the parameters."""
    out, geometry = builder.slot(builder.shape(slot)), (parameters[0].size,)
    kernels = Kernels(scale_and_shift, scale_and_shift_backward, scale_and_shift_weights)
    return builder.append(Instruction(slot, out, kernels, parameters, geometry=geometry, keeps="x"))


@parameters
class LayerNorm(Layer):
    """Layer that standardizes, scales and shifts the channels of each sample (Ba et al., 2016).

    Samples with several places (of an image, of a sequence) are standardized place by place.
    Training and prediction are equal.

    Parameters
    ----------
    epsilon : float, default=1e-5
        Added to the variance.

    Examples
    --------
    Each row gets mean 0 and variance 1, whatever its scale:

    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import LayerNorm
    >>> X = [[0.0, 1.0, 2.0], [0.0, 3.0, 6.0]]
    >>> network = NeuralNetworkClassifier([LayerNorm()]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="layernorm1").fit_transform(X).round(2)
    array([[-1.22,  0.  ,  1.22],
           [-1.22,  0.  ,  1.22]])
    """

    limits = {"epsilon": "(0, inf)"}

    _: KW_ONLY
    epsilon: float = 1e-5

    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append two instructions, with the parameters gamma and beta."""
        shape = self.output_shape(builder.shape(slot))
        out, geometry = builder.slot(shape), (shape[-1], real_bits(self.epsilon))
        kernels = Kernels(standardize_by_sample, standardize_by_sample_backward)
        builder.append(Instruction(slot, out, kernels, geometry=geometry))
        return lower_scale_and_shift(builder, out, gamma_and_beta(shape[-1]))


# An instruction's geometry; the last three are whether the layer is frozen and applies a relu or a
# relu6.
_CHANNELS, _MOMENTUM, _EPSILON, _FROZEN, _RELU, _RELU6 = range(6)
# Rows of the table of coefficients, which has a column for each channel: mean, 1 / standard
# deviation, gamma / standard deviation, beta, lower and upper bound of y, and for the gradient the
# factor of (x - mean) and the number that is subtracted from dy.
_MEAN, _SCALE, _FACTOR, _BETA, _FLOOR, _CEILING, _TILT, _SHIFT, _ROWS = range(9)
#: Minimal number of places, evenly spread over the batch, whose mean is the pivot.
_PIVOTS = 64
#: Places that are summed in registers before they are added to memory.
_TOGETHER = 4

_Loads = Sequence[Load]
_Stores = Sequence[Store]


def _emit_value(builder: ir.IRBuilder, x: ir.Value, row: Load) -> tuple[ir.Value, ir.Value]:
    """Emit x - mean, and y before it is bounded."""
    centred = builder.fsub(x, row(_MEAN, 0))
    return centred, multiply_add(builder, centred, row(_FACTOR, 0), row(_BETA, 0))


def _emit_gradient(
    builder: ir.IRBuilder, x: ir.Value, dy: ir.Value, row: Load
) -> tuple[ir.Value, ir.Value]:
    """Emit x - mean, and dy where y is between its bounds, else 0."""
    centred, value = _emit_value(builder, x, row)
    above = builder.fcmp_ordered(">", value, row(_FLOOR, 0))
    below = builder.fcmp_ordered("<", value, row(_CEILING, 0))
    return centred, builder.select(builder.and_(above, below), dy, ir.Constant(dy.type, None))


def _forward(builder: ir.IRBuilder, loads: _Loads, stores: _Stores) -> None:
    """Emit y. Operands: x, coefficients, y."""
    _, value = _emit_value(builder, loads[0](0, 0), loads[1])
    for comparison, row in (("<", _FLOOR), (">", _CEILING)):
        bound = loads[1](row, 0)
        beyond = builder.fcmp_ordered(comparison, value, bound)  # in this order NaN stays NaN
        value = builder.select(beyond, bound, value)
    stores[2](value, 0, 0)


def _backward(builder: ir.IRBuilder, loads: _Loads, stores: _Stores) -> None:
    """Emit dx. Operands: x, dy, coefficients, dx."""
    row = loads[2]
    centred, dy = _emit_gradient(builder, loads[0](0, 0), loads[1](0, 0), row)
    taken = builder.fsub(dy, row(_SHIFT, 0))
    inner = multiply_add(builder, row(_TILT, 0), centred, taken)
    stores[3](builder.fmul(row(_FACTOR, 0), inner), 0, 0)


def _emit_sums(
    builder: ir.IRBuilder, pairs: Sequence[tuple[Any, Any]], load: Load, store: Store
) -> None:
    """Emit the addition of a to the first sum and of a b to the second, for pairs (a, b)."""
    first, second = pairs[0][0], builder.fmul(*pairs[0])
    for a, b in pairs[1:]:
        first, second = builder.fadd(first, a), multiply_add(builder, a, b, second)
    store(builder.fadd(load(0, 0), first), 0, 0)
    store(builder.fadd(load(1, 0), second), 1, 0)


def _make_sums(places: int) -> tuple[Any, Any]:
    """Make sums over places: of differences and their squares, of gradients and moments."""

    def differences(builder: ir.IRBuilder, loads: _Loads, stores: _Stores) -> None:
        """Emit sums of x - pivot. Operands: x, pivot, sums."""
        found = [builder.fsub(loads[0](p, 0), loads[1](0, 0)) for p in range(places)]
        _emit_sums(builder, [(d, d) for d in found], loads[2], stores[2])

    def gradients(builder: ir.IRBuilder, loads: _Loads, stores: _Stores) -> None:
        """Emit sums of dy. Operands: x, dy, coefficients, sums."""
        found = [
            _emit_gradient(builder, loads[0](p, 0), loads[1](p, 0), loads[2]) for p in range(places)
        ]
        _emit_sums(builder, [(g, centred) for centred, g in found], loads[3], stores[3])

    to_sums = make_lanes(f"differences_{places}", 3, differences)
    return to_sums, make_lanes(f"gradient_sums_{places}", 4, gradients)


_normalize, _to_input = make_lanes("normalize", 3, _forward), make_lanes("to_input", 4, _backward)
_differences, _gradients = _make_sums(_TOGETHER)
_difference, _gradient = _make_sums(1)


@njit(**INLINED_OPTIONS)
def _uses_memory(ctx, op):
    """Return whether running statistics are used: in prediction, or if the layer is frozen."""
    return not ctx[TRAINING] or op[_FROZEN] != 0


@njit(**INLINED_OPTIONS)
def _coefficients(ctx, op, theta, state, work, lo, hi):
    """Return the table of coefficients of channels lo to hi, without those of the gradient."""
    channels, one = op[_CHANNELS], like(theta[0], 1)
    table = vector(workspace(ctx, CTX_SIZE, theta), 0, _ROWS * channels)
    memory = _uses_memory(ctx, op)
    floor = like(one, 0) if op[_RELU] or op[_RELU6] else like(one, -np.inf)
    ceiling = like(one, 6) if op[_RELU6] else like(one, np.inf)
    for j in range(lo, hi):
        if memory:  # prediction has no `work`
            mean = state[j]
            scale = one / np.sqrt(state[channels + j] + like(one, real(op[_EPSILON])))
        else:
            mean, scale = work[j], work[channels + j]
        table[_MEAN * channels + j] = mean
        table[_SCALE * channels + j] = scale
        table[_FACTOR * channels + j] = scale * theta[j]
        table[_BETA * channels + j] = theta[channels + j]
        table[_FLOOR * channels + j] = floor
        table[_CEILING * channels + j] = ceiling
        table[_TILT * channels + j] = 0
        table[_SHIFT * channels + j] = 0
    return table


@njit(**INLINED_OPTIONS)
def _shares(momentum, rows, usual_rows):
    """Return weights of old and new statistics; that of a smaller batch is in proportion."""
    taken = 1.0 - momentum
    if rows >= usual_rows:
        return momentum, taken
    taken *= rows / usual_rows
    return 1.0 - taken, taken


@kernel(FORWARD)
def batch_statistics(ctx, op, part, parts, theta, state, work, x, y):
    """Compute work = mean and 1 / standard deviation, and update state. Owners: channels.

    One pass over the batch sums differences from a pivot and their squares, which are corrected by
    the pivot's distance from the mean (Chan, Golub & LeVeque, 1983). The pivot is the mean of some
    places, so the rounding error is small. For a single place, which has no variance, the running
    statistics are used and not changed.
    """
    channels = op[_CHANNELS]
    n = x.size // channels
    lo, hi = owned_columns(channels, part, parts)
    own = hi - lo
    mean, scale = vector(work, lo, own), vector(work, channels + lo, own)
    error, squares = vector(work, 2 * channels + lo, own), vector(work, 3 * channels + lo, own)
    moving_mean, moving_variance = vector(state, lo, own), vector(state, channels + lo, own)
    one, epsilon = like(x[0, 0], 1), like(x[0, 0], real(op[_EPSILON]))
    if n == 1:
        copy(moving_mean, mean)
        for j in range(own):
            scale[j] = one / np.sqrt(moving_variance[j] + epsilon)
        return
    stride = max(1, n // _PIVOTS)
    share_of_one, zero = like(x[0, 0], 1.0 / ((n + stride - 1) // stride)), like(x[0, 0], 0)
    clear(mean)
    clear(error)
    clear(squares)
    for i in range(0, n, stride):
        row = vector(x, i * channels + lo, own)
        for j in range(own):
            mean[j] += row[j]
    for j in range(own):
        mean[j] *= share_of_one
    many, sums = n // _TOGETHER, (error, 0, channels, 0)
    pivot, rest = (mean, 0, 0, 0), many * _TOGETHER * channels
    places = vector(x, lo, 0), _TOGETHER * channels, channels, 0
    _differences(many, own, (places, pivot, sums))
    _difference(n - many * _TOGETHER, own, ((vector(x, rest + lo, 0), channels, 0, 0), pivot, sums))
    kept, taken = _shares(real(op[_MOMENTUM]), x.shape[0], ctx[TRAINING])
    keep, new, share_of_one = like(zero, kept), like(zero, taken), like(zero, 1.0 / n)
    # As in PyTorch, the running variance is the unbiased one.
    unbiased = like(zero, 1.0 / (n - 1))
    for j in range(own):
        mean[j] = fma(error[j], share_of_one, mean[j])
        spread = fma(-error[j], error[j] * share_of_one, squares[j])
        spread = zero if spread < zero else spread
        moving_mean[j] = fma(keep, moving_mean[j], new * mean[j])
        moving_variance[j] = fma(keep, moving_variance[j], new * (spread * unbiased))
        scale[j] = one / np.sqrt(fma(spread, share_of_one, epsilon))


@kernel(FORWARD)
def batch_norm_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = gamma (x - mean) / standard deviation + beta, or its relu(6). Owners: rows."""
    channels = op[_CHANNELS]
    lo, hi = owned_rows(x, part, parts)
    table = _coefficients(ctx, op, theta, state, work, 0, channels), 0, channels, 0
    source, target = vector(x, lo * x.shape[1], 0), vector(y, lo * x.shape[1], 0)
    n = (hi - lo) * x.shape[1] // channels
    _normalize(n, channels, ((source, channels, 0, 0), table, (target, channels, 0, 0)))


@kernel(BACKWARD)
def batch_norm_gradient_sums(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute work = sums of dy (within y's bounds) and of dy times scaled x. Owners: channels."""
    channels = op[_CHANNELS]
    lo, hi = owned_columns(channels, part, parts)
    own, n = hi - lo, x.size // channels
    coefficients = vector(_coefficients(ctx, op, theta, state, work, lo, hi), lo, 0)
    slope, curve = vector(work, 2 * channels + lo, own), vector(work, 3 * channels + lo, own)
    clear(slope)
    clear(curve)
    many, sums, table = n // _TOGETHER, (slope, 0, channels, 0), (coefficients, 0, channels, 0)
    rest, step = many * _TOGETHER * channels + lo, _TOGETHER * channels
    places = (vector(x, lo, 0), step, channels, 0), (vector(dy, lo, 0), step, channels, 0)
    others = (vector(x, rest, 0), channels, 0, 0), (vector(dy, rest, 0), channels, 0, 0)
    _gradients(many, own, (places[0], places[1], table, sums))
    _gradient(n - many * _TOGETHER, own, (others[0], others[1], table, sums))
    for j in range(own):
        curve[j] *= work[channels + lo + j]


@kernel(BACKWARD)
def batch_norm_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = gamma (dy - mean of dy - z mean of dy z) / standard deviation; z is scaled x.

    Running statistics are constants: where they are used (as for a batch of one place),
    dx = gamma dy / deviation. With a relu or relu6, dy counts only between the bounds of y. Owners:
    rows.
    """
    channels = op[_CHANNELS]
    lo, hi = owned_rows(x, part, parts)
    table = _coefficients(ctx, op, theta, state, work, 0, channels)
    if not _uses_memory(ctx, op) and x.size > channels:
        share_of_one = like(dx[0, 0], channels / x.size)
        for j in range(channels):
            scale = table[_SCALE * channels + j]
            table[_TILT * channels + j] = -scale * work[3 * channels + j] * share_of_one
            table[_SHIFT * channels + j] = work[2 * channels + j] * share_of_one
    start, n = lo * x.shape[1], (hi - lo) * x.shape[1] // channels
    source, gradient = (vector(x, start, 0), channels, 0, 0), (vector(dy, start, 0), channels, 0, 0)
    found = vector(dx, start, 0), channels, 0, 0
    _to_input(n, channels, (source, gradient, (table, 0, channels, 0), found))


@kernel(BACKWARD)
def batch_norm_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Copy dgamma = sum of dy times standardized x and dbeta = sum of dy. Owners: channels."""
    channels = op[_CHANNELS]
    lo, hi = owned_columns(channels, part, parts)
    own = hi - lo
    copy(vector(work, 3 * channels + lo, own), vector(grad, lo, own))
    copy(vector(work, 2 * channels + lo, own), vector(grad, channels + lo, own))


@parameters
class BatchNorm(Layer):
    """Layer that standardizes, scales and shifts each channel (Ioffe & Szegedy, 2015).

    In training, mean and variance of a channel are those of the batch; in prediction they are
    running means, so that predictions do not depend on other samples. A frozen layer uses the
    running means in training too, and does not change them.

    A batch of one place (one sample that is a vector) has no variance: it is standardized by the
    running means, which do not change. The weight of a smaller last batch of an epoch in the
    running means is proportional to its size.

    Parameters
    ----------
    momentum : float, default=0.9
        Weight of the old value in an update of the running means, in [0, 1]. Keras's default is
        0.99, which suits longer training; PyTorch's `momentum` is 1 minus this one.
    epsilon : float, default=1e-5
        Added to the variance.

    Examples
    --------
    Between a linear layer and its activation:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Activation, BatchNorm, Dense
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Dense(64), BatchNorm(), Activation("relu")]
    >>> model = NeuralNetworkClassifier(
    ...     layers, batch_size=32, learning_rate_init=0.01, max_iter=10, random_state=0
    ... )
    >>> round(model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]), 1)
    0.9
    >>> sorted(model.layers_["batchnorm1"])
    ['beta', 'gamma', 'moving_mean', 'moving_variance']
    """

    limits = {"momentum": "[0, 1]", "epsilon": "(0, inf)"}

    momentum: float = 0.9
    _: KW_ONLY
    epsilon: float = 1e-5

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with gamma, beta, moving_mean and moving_variance."""
        shape = self.output_shape(builder.shape(slot))
        channels, frozen = shape[-1], builder.is_frozen
        kernels = Kernels(batch_norm_forward, batch_norm_backward, batch_norm_weights)
        if not frozen:
            sums = {"forward_sums": batch_statistics, "backward_sums": batch_norm_gradient_sums}
            kernels = kernels._replace(**sums)
        memories = [Memory("moving_mean", (channels,)), Memory("moving_variance", (channels,), 1.0)]
        op = Instruction(slot, builder.slot(shape), kernels, gamma_and_beta(channels), memories)
        op.geometry = (channels, real_bits(self.momentum), real_bits(self.epsilon), frozen, 0, 0)
        op.work, op.scratch, op.keeps = 4 * channels, _ROWS * channels, "x"
        op.absorbs = {"relu": _RELU, "relu6": _RELU6}
        return builder.append(op)
