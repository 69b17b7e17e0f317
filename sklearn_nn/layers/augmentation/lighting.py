"""Lighting: the values of images changed at random, their brightness and contrast."""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.sums import total
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import (
    Augmentation,
    C,
    Range,
    between,
    copy_rows,
    sample_key,
)
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, Builder, Shape, owned_rows

# Geometry behind height, width and channels: the range of the number that is drawn, and that which
# values are clipped to.
_LOW, _HIGH, _DARKEST, _BRIGHTEST = range(4, 8)


@njit(**INLINED_OPTIONS)
def _clipped(value: Any, lowest: Any, highest: Any) -> Any:
    """The value within limits; NaN stays NaN."""
    above = lowest if value < lowest else value
    return highest if above > highest else above


@njit(**INLINED_OPTIONS)
def _limits(op, example):
    """What values are clipped to: infinite, where they are not."""
    return like(example, real(op[_DARKEST])), like(example, real(op[_BRIGHTEST]))


@njit(**INLINED_OPTIONS)
def _drawn(ctx, op, i, example):
    """The number that a sample drew."""
    return like(example, between(sample_key(ctx, op, i), 0, real(op[_LOW]), real(op[_HIGH])))


@kernel(FORWARD)
def brightness_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x + what each sample drew, clipped; y = x in prediction. Owners: rows of the batch."""
    if not ctx[TRAINING]:
        copy_rows(part, parts, x, y)
        return
    lo, hi = owned_rows(x, part, parts)
    size = x.shape[1]
    lowest, highest = _limits(op, x[0, 0])
    for i in range(lo, hi):
        more = _drawn(ctx, op, i, x[0, 0])
        source, target = vector(x, i * size, size), vector(y, i * size, size)
        for j in range(size):
            target[j] = _clipped(source[j] + more, lowest, highest)


@kernel(BACKWARD)
def brightness_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy where nothing was clipped, else 0. Owners: rows of the batch."""
    if not ctx[TRAINING]:
        copy_rows(part, parts, dy, dx)
        return
    lo, hi = owned_rows(x, part, parts)
    size, zero = x.shape[1], like(x[0, 0], 0)
    lowest, highest = _limits(op, x[0, 0])
    for i in range(lo, hi):
        more = _drawn(ctx, op, i, x[0, 0])
        source = vector(x, i * size, size)
        given, out = vector(dy, i * size, size), vector(dx, i * size, size)
        for j in range(size):
            value = source[j] + more
            out[j] = zero if (value < lowest) | (value > highest) else given[j]


@njit(**INLINED_OPTIONS)
def _channel_mean(image: Any, channel: int, channels: int) -> Any:
    """The mean of one channel of an image."""
    places = image.size // channels
    if channels == 1:
        return total(image) * like(image[0], 1.0 / places)
    # Four sums, so that an addition need not wait for the last.
    zero = like(image[0], 0)
    a, b, c, d = zero, zero, zero, zero
    for k in range(places // 4):
        at = 4 * k * channels + channel
        a += image[at]
        b += image[at + channels]
        c += image[at + 2 * channels]
        d += image[at + 3 * channels]
    for k in range(places // 4 * 4, places):
        a += image[k * channels + channel]
    return ((a + b) + (c + d)) * like(zero, 1.0 / places)


@kernel(FORWARD)
def contrast_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = m + factor (x - m), clipped; m is a channel's mean; y = x in prediction. Owners: rows."""
    if not ctx[TRAINING]:
        copy_rows(part, parts, x, y)
        return
    lo, hi = owned_rows(x, part, parts)
    size, channels = x.shape[1], op[C]
    lowest, highest = _limits(op, x[0, 0])
    for i in range(lo, hi):
        factor = _drawn(ctx, op, i, x[0, 0])
        source, target = vector(x, i * size, size), vector(y, i * size, size)
        for c in range(channels):
            mean = _channel_mean(source, c, channels)
            for k in range(size // channels):
                j = k * channels + c
                target[j] = _clipped(mean + factor * (source[j] - mean), lowest, highest)


@kernel(BACKWARD)
def contrast_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = factor g + (1 - factor) mean of g, g being dy where nothing was clipped. Owners: rows.

    The mean is the channel's.
    """
    if not ctx[TRAINING]:
        copy_rows(part, parts, dy, dx)
        return
    lo, hi = owned_rows(x, part, parts)
    size, channels = x.shape[1], op[C]
    lowest, highest = _limits(op, x[0, 0])
    zero, one = like(x[0, 0], 0), like(x[0, 0], 1)
    for i in range(lo, hi):
        factor = _drawn(ctx, op, i, x[0, 0])
        source = vector(x, i * size, size)
        given, out = vector(dy, i * size, size), vector(dx, i * size, size)
        for c in range(channels):
            mean = _channel_mean(source, c, channels)
            for k in range(size // channels):
                j = k * channels + c
                value = mean + factor * (source[j] - mean)
                out[j] = zero if (value < lowest) | (value > highest) else given[j]
            rest = (one - factor) * _channel_mean(out, c, channels)
            for k in range(size // channels):
                j = k * channels + c
                out[j] = factor * out[j] + rest


class _Lighting(Augmentation):
    """What changes of brightness and of contrast share: the range that values are clipped to."""

    def __init__(self, factor: Any, value_range: Any = None) -> None:
        self.factor = factor
        self.value_range = value_range

    def _values(self) -> Range:
        """The range of values; infinite, where it is not given."""
        if self.value_range is None:
            return -math.inf, math.inf
        low, high = self._range("value_range")
        if not isinstance(self.value_range, tuple | list) or low == high:
            raise self._fail("value_range", "must be a pair (low, high) with low < high, or None.")
        return low, high

    def _drawn_range(self) -> Range:
        """The range of the number that is drawn."""
        raise TypeError(f"{type(self).__name__} must define _drawn_range")

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        self._check_samples(shape, signals=False)
        self._values()
        self._drawn_range()
        return shape

    def _lower(self, builder: Builder, slot: int, *kernels: Any) -> int:
        self.output_shape(builder.shape(slot))
        bits = [real_bits(number) for number in (*self._drawn_range(), *self._values())]
        return self._append(builder, slot, *kernels, *bits)


class RandomBrightness(_Lighting):
    """Make each image brighter or darker at random: one number is added to all its values.

    Parameters
    ----------
    factor : float or pair of floats
        What is added, in parts of the range of values: f is the range (-f, f), a pair (low, high)
        itself, within [-1, 1].
    value_range : pair of floats or None, default=None
        The darkest and the brightest value, which values are clipped to. None does not clip, and
        takes the range for 1 long, as that of images is that come as bytes, whose values the
        estimators scale to 0..1.
    """

    def _drawn_range(self) -> Range:
        low, high = self._range("factor", -1.0, 1.0)
        darkest, brightest = self._values()
        length = brightest - darkest if self.value_range is not None else 1.0
        return length * low, length * high

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        return self._lower(builder, slot, brightness_forward, brightness_backward)


class RandomContrast(_Lighting):
    """Change the contrast of each image at random: how far its values lie from their mean.

    A value x becomes ``(x - mean) * f + mean``, with the mean of its channel over the image.

    Parameters
    ----------
    factor : float or pair of floats
        f is drawn from ``1 - factor`` to ``1 + factor``, and for a pair (lower, upper) from
        ``1 - lower`` to ``1 + upper``, both >= 0, and the lower at most 1.
    value_range : pair of floats or None, default=None
        The smallest and the largest value, which values are clipped to; None does not clip.
    """

    def _drawn_range(self) -> Range:
        value = self.factor
        pair = value if isinstance(value, tuple | list) else (value, value)
        if len(pair) != 2 or not all(
            isinstance(v, Real) and 0 <= float(v) < math.inf for v in pair
        ):
            raise self._fail("factor", "must be a number in [0, 1], or a pair (lower, upper) >= 0.")
        lower, upper = (float(v) for v in pair)
        if lower > 1:
            raise self._fail("factor", "must not lower the contrast by more than 1.")
        return 1.0 - lower, 1.0 + upper

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        return self._lower(builder, slot, contrast_forward, contrast_backward)
