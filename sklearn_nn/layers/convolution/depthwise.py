"""Kernels of depthwise convolution, of one filter a channel.

Lanes are channels, and nothing is summed over them. The geometry is that of convolve.py.
"""

from __future__ import annotations

from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.convolution.convolve import (
    BIAS_GRAIN,
    DH,
    DW,
    KH,
    KW,
    LEFT,
    OH,
    OW,
    SH,
    SW,
    TOP,
    C,
    H,
    W,
    add_places,
    fill,
    inside,
)


@kernel(FORWARD)
def depthwise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x * W + b, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, stride = op[C], op[SW]
    size = op[KH] * op[KW] * channels
    bias = vector(theta, size, theta.size - size)
    for i in range(lo * op[OH], hi * op[OH]):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = inside(op[H], op[KH], op[DH], top)
        fill(vector(y, i * op[OW] * channels, op[OW] * channels), bias, channels)
        for tap in range(first * op[KW], last * op[KW]):
            weight = vector(theta, tap * channels, channels)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(x, (row + o * stride) * channels, channels)
                place = vector(y, (i * op[OW] + o) * channels, channels)
                for c in range(channels):
                    place[c] += cell[c] * weight[c]


@kernel(BACKWARD)
def depthwise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum over windows of dy W, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, stride = op[C], op[SW]
    whole = vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1])
    for j in range(whole.size):
        whole[j] = 0
    for i in range(lo * op[OH], hi * op[OH]):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = inside(op[H], op[KH], op[DH], top)
        for tap in range(first * op[KW], last * op[KW]):
            weight = vector(theta, tap * channels, channels)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(dx, (row + o * stride) * channels, channels)
                place = vector(dy, (i * op[OW] + o) * channels, channels)
                for c in range(channels):
                    cell[c] += place[c] * weight[c]


@kernel(BACKWARD)
def depthwise_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over places of x dy, db = sum of dy. Owners: channels."""
    channels, stride = op[C], op[SW]
    taps = op[KH] * op[KW]
    lo, hi = share(channels, part, parts, BIAS_GRAIN)
    size = hi - lo
    for k in range(grad.size // channels):
        total = vector(grad, k * channels + lo, size)
        for c in range(size):
            total[c] = 0
    for i in range(x.shape[0] * op[OH] if size else 0):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = inside(op[H], op[KH], op[DH], top)
        for tap in range(first * op[KW], last * op[KW]):
            total = vector(grad, tap * channels + lo, size)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(x, (row + o * stride) * channels + lo, size)
                place = vector(dy, (i * op[OW] + o) * channels + lo, size)
                for c in range(size):
                    total[c] += cell[c] * place[c]
    if grad.size > taps * channels:
        rows = matrix(dy, 0, dy.size // channels, channels)
        add_places(rows, lo, vector(grad, taps * channels + lo, size))
