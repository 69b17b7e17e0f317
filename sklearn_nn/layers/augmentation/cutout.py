"""Cutout: a window of each image is set to a constant."""

from __future__ import annotations

from typing import Any

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import (
    Augmentation,
    C,
    H,
    W,
    copy_rows,
    fill,
    sample_key,
    whole_between,
)
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, Builder, Shape, owned_rows
from sklearn_nn.layers.shape import whole_numbers

_CUT_HEIGHT, _CUT_WIDTH, _CUT_FILL = 4, 5, 6


@njit(**INLINED_OPTIONS)
def _cut(ctx, op, part, parts, source, target, value):
    """target = source, but `value` in the window that each sample drew. Owners: rows."""
    copy_rows(part, parts, source, target)
    lo, hi = owned_rows(source, part, parts)
    height, width, channels = op[H], op[W], op[C]
    for i in range(lo, hi):
        key = sample_key(ctx, op, i)
        top = whole_between(key, 0, 0, height - 1) - op[_CUT_HEIGHT] // 2
        left = whole_between(key, 1, 0, width - 1) - op[_CUT_WIDTH] // 2
        first, last = max(0, left), min(width, left + op[_CUT_WIDTH])
        for h in range(max(0, top), min(height, top + op[_CUT_HEIGHT])):
            start = ((i * height + h) * width + first) * channels
            fill(vector(target, start, (last - first) * channels), value)


@kernel(FORWARD)
def cutout_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x, but a constant in one window; y = x in prediction. Owners: rows of the batch."""
    if ctx[TRAINING]:
        _cut(ctx, op, part, parts, x, y, like(x[0, 0], real(op[_CUT_FILL])))
    else:
        copy_rows(part, parts, x, y)


@kernel(BACKWARD)
def cutout_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy, but 0 in the window. Owners: rows of the batch."""
    if ctx[TRAINING]:
        _cut(ctx, op, part, parts, dy, dx, like(dy[0, 0], 0))
    else:
        copy_rows(part, parts, dy, dx)


class Cutout(Augmentation):
    """Set a window of each image, or a stretch of each signal, to a constant.

    So no single part of an image decides (DeVries and Taylor, 2017). The centre of the window is
    drawn from all places, so that it may lie partly outside.

    Parameters
    ----------
    size : int or pair of ints
        Height and width of the window; of signals its length.
    fill_value : float, default=0.0
        What is put there, in all channels. Where X is standardised, 0 is its mean.
    """

    def __init__(self, size: Any, fill_value: float = 0.0) -> None:
        self.size = size
        self.fill_value = fill_value

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        self._check_samples(shape, signals=True)
        whole_numbers("size", self.size, len(shape) - 1)
        self._finite("fill_value", self.fill_value)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        shape = self.output_shape(builder.shape(slot))
        height, width = (1, *whole_numbers("size", self.size, len(shape) - 1))[-2:]
        bits = real_bits(self._finite("fill_value", self.fill_value))
        return self._append(builder, slot, cutout_forward, cutout_backward, height, width, bits)
