"""Random brightness, random contrast and mixup: layers that change the values of samples."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from sklearn_nn._spec import is_number, parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_normal, random_uniform, stream
from sklearn_nn.jit.views import total, vector
from sklearn_nn.layers.augmentation.base import SLOT, Augmentation, C, Range, key_of, uniform
from sklearn_nn.layers.base import BACKWARD, FORWARD, PARTNER, SEED, STEP
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Shape
from sklearn_nn.layers.vectors import changed_rows, symmetric_kernels

# Geometry of lighting, after the image's: the ranges of the random number and of clipped values.
_LOW, _HIGH, _DARKEST, _BRIGHTEST = range(4, 8)


@njit(**INLINED_OPTIONS)
def _clipped(value: Any, lowest: Any, highest: Any) -> Any:
    """Return the value clipped to limits; NaN stays NaN."""
    above = lowest if value < lowest else value
    return highest if above > highest else above


@njit(**INLINED_OPTIONS)
def _limits(op, example):
    """Return the limits of values, which may be infinite."""
    return like(example, real(op[_DARKEST])), like(example, real(op[_BRIGHTEST]))


@njit(**INLINED_OPTIONS)
def _drawn(ctx, op, i, example):
    """Return the random number of a sample."""
    return like(example, uniform(key_of(ctx, op, i), 0, real(op[_LOW]), real(op[_HIGH])))


@kernel(FORWARD)
def brightness_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x + a random number, clipped; y = x in prediction. Owners: rows."""
    lo, hi = changed_rows(ctx, part, parts, x, y)
    size = x.shape[1]
    lowest, highest = _limits(op, x[0, 0])
    for i in range(lo, hi):
        more = _drawn(ctx, op, i, x[0, 0])
        source, target = vector(x, i * size, size), vector(y, i * size, size)
        for j in range(size):
            target[j] = _clipped(source[j] + more, lowest, highest)


@kernel(BACKWARD)
def brightness_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy where y was not clipped, else 0. Owners: rows of the batch."""
    lo, hi = changed_rows(ctx, part, parts, dy, dx)
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
    """Return the mean of one channel of an image."""
    places = image.size // channels
    if channels == 1:
        return total(image) * like(image[0], 1.0 / places)
    # Four sums, so that an addition need not wait for the previous one.
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
    """Compute y = m + factor (x - m), clipped, for the mean m of a channel. Owners: rows."""
    lo, hi = changed_rows(ctx, part, parts, x, y)
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
    """Compute dx = factor g + (1 - factor) mean of g over the channel. Owners: rows of the batch.

    g is dy where y was not clipped, else 0.
    """
    lo, hi = changed_rows(ctx, part, parts, dy, dx)
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


@parameters
class _Lighting(Augmentation):
    """Base of brightness and contrast: the random factor, and the range of values."""

    factor: Any
    value_range: Any = None

    def _values(self) -> Range:
        """Return the range of values, infinite if `value_range` is None."""
        if self.value_range is None:
            return -math.inf, math.inf
        low, high = self._range("value_range")
        if not isinstance(self.value_range, tuple | list) or low == high:
            remedy = "must be a pair (low, high) with low < high, or None."
            raise self._invalid("value_range", remedy)
        return low, high

    def _drawn_range(self) -> Range:
        """Return the range of the random number."""
        raise TypeError(f"{type(self).__name__} must define _drawn_range")

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self._check_samples(shape)
        self._values()
        self._drawn_range()
        return shape

    def _lower(self, builder: Builder, slot: int, kernels: Kernels) -> int:
        self.output_shape(builder.shape(slot))
        bits = [real_bits(number) for number in (*self._drawn_range(), *self._values())]
        return self._append(builder, slot, kernels, *bits)


class RandomBrightness(_Lighting):
    """Layer that adds a random number to all values of each image.

    Parameters
    ----------
    factor : float or pair of floats
        Range of the number, as a fraction of the length of the value range: f is (-f, f), a pair is
        (low, high), within [-1, 1].
    value_range : pair of floats or None, default=None
        Minimum and maximum, to which values are clipped. None does not clip, and assumes a length
        of 1, as for images of bytes, whose values the estimators scale to [0, 1].

    Examples
    --------
    Two grey images become lighter or darker:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomBrightness
    >>> model = CNNClassifier(16, augmentation=[RandomBrightness(0.2)])
    >>> images = np.full((2, 1, 3), 0.5)
    >>> augment_images(images, RandomBrightness(0.2), random_state=0).round(2)[:, 0]
    array([[0.6 , 0.6 , 0.6 ],
           [0.64, 0.64, 0.64]])
    """

    def _drawn_range(self) -> Range:
        low, high = self._range("factor", -1.0, 1.0)
        darkest, brightest = self._values()
        length = brightest - darkest if self.value_range is not None else 1.0
        return length * low, length * high

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        return self._lower(builder, slot, Kernels(brightness_forward, brightness_backward))


class RandomContrast(_Lighting):
    """Layer that changes the contrast of each image at random.

    A value x becomes ``(x - mean) * f + mean``, with the mean of its channel over the image.

    Parameters
    ----------
    factor : float or pair of floats
        f is uniform between ``1 - factor`` and ``1 + factor``, and for a pair (lower, upper)
        between ``1 - lower`` and ``1 + upper``, with 0 <= lower <= 1 and upper >= 0.
    value_range : pair of floats or None, default=None
        Minimum and maximum, to which values are clipped; None does not clip.

    Examples
    --------
    The differences from an image's mean grow or shrink; the mean stays:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomContrast
    >>> model = CNNClassifier(16, augmentation=[RandomContrast(0.5)])
    >>> images = np.array([[[0.4, 0.5, 0.6]]] * 3)
    >>> augment_images(images, RandomContrast(0.5), random_state=0).round(2)[:, 0]
    array([[0.38, 0.5 , 0.62],
           [0.37, 0.5 , 0.63],
           [0.45, 0.5 , 0.55]])
    """

    def _drawn_range(self) -> Range:
        value = self.factor
        pair = value if isinstance(value, tuple | list) else (value, value)
        valid = all(is_number(v) and 0 <= float(v) < math.inf for v in pair)
        if len(pair) != 2 or not valid:
            remedy = "must be a number in [0, 1], or a pair (lower, upper) >= 0."
            raise self._invalid("factor", remedy)
        lower, upper = (float(v) for v in pair)
        if lower > 1:
            raise self._invalid("factor", "must not lower the contrast by more than 1.")
        return 1.0 - lower, 1.0 + upper

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        return self._lower(builder, slot, Kernels(contrast_forward, contrast_backward))


# Place of alpha in the geometry of mixup, after the key.
_ALPHA = 1


@njit(**HELPER_OPTIONS)
def _log_gamma(key: int, alpha: float) -> float:
    """Return the logarithm of a gamma distributed number (Marsaglia and Tsang, 2000).

    For alpha < 1 it uses a shape of alpha + 1 and a uniform number. The logarithm cannot underflow.
    """
    d = (alpha if alpha >= 1 else alpha + 1) - 1 / 3
    c = 1 / math.sqrt(9 * d)
    lower = 0.0 if alpha >= 1 else math.log(1 - random_uniform(key, 0, np.float64)) / alpha
    unit = 1
    while True:
        normal = random_normal(key, unit, np.float64)
        uniform = 1 - random_uniform(key, unit + 1, np.float64)
        v = (1 + c * normal) ** 3
        if v > 0 and math.log(uniform) < 0.5 * normal * normal + d * (1 - v + math.log(v)):
            return math.log(d * v) + lower
        unit += 2


@njit(**HELPER_OPTIONS)
def partner_share(ctx: Any, op: Any) -> float:
    """Return the share of the partner: 1 - lambda, with lambda from Beta(alpha, alpha)."""
    one = _log_gamma(stream(ctx[SEED], ctx[STEP], op[SLOT], 0), real(op[_ALPHA]))
    other = _log_gamma(stream(ctx[SEED], ctx[STEP], op[SLOT], 1), real(op[_ALPHA]))
    return 1 / (1 + math.exp(min(one - other, 700.0)))


@kernel(FORWARD)
def mixup_share(ctx, op, part, parts, theta, state, work, x, y):
    """Store the share of the partner in ctx, of which each part has a copy."""
    # The barriers around this kernel are needed, because a row of y depends on two rows of x.
    ctx[PARTNER] = np.float64(partner_share(ctx, op)).view(np.int64)


@njit(**INLINED_OPTIONS)
def _mix(ctx, op, part, parts, source, target):
    """Set target = lambda source + (1 - lambda) source of the partner; a copy in prediction."""
    lo, hi = changed_rows(ctx, part, parts, source, target)
    share = real(ctx[PARTNER])
    n, size = source.shape
    own, others = like(source[0, 0], 1 - share), like(source[0, 0], share)
    for i in range(lo, hi):
        row, partner = vector(source, i * size, size), vector(source, (n - 1 - i) * size, size)
        mixed = vector(target, i * size, size)
        for j in range(size):
            mixed[j] = own * row[j] + others * partner[j]


@kernel(BACKWARD)
def mixup_meet(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Do nothing; the barriers are needed, because a row of dx depends on two rows of dy."""


_MIXUP = Kernels(
    *symmetric_kernels("augmentation.mixup", _mix), None, None, mixup_share, mixup_meet
)


@parameters
class Mixup(Augmentation):
    """Layer that mixes each sample with another one of its batch (Zhang et al., 2018).

    Sample i of a batch of n becomes ``lambda x[i] + (1 - lambda) x[n - 1 - i]``, and its loss
    ``lambda loss(y[i]) + (1 - lambda) loss(y[n - 1 - i])``, each loss times the weight of the
    sample that the target belongs to. lambda is drawn from a Beta(alpha, alpha) distribution for
    each batch. Batches are shuffled, so that pairs are random.

    It works with samples of any shape and with every loss. After other layers, it mixes their
    outputs (manifold mixup; Verma et al., 2019). A network has at most one `Mixup`, which must not
    be in a branch of another layer.

    Parameters
    ----------
    alpha : float, default=0.2
        Both parameters of the distribution. Small values change most samples little, 1 is the
        uniform distribution, and for large values lambda is close to 1/2.

    Examples
    --------
    Two samples, 0 and 1, each mixed with the other:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import Mixup
    >>> model = CNNClassifier(16, augmentation=[Mixup(0.2)])
    >>> images = np.stack([np.zeros((1, 2)), np.ones((1, 2))])
    >>> augment_images(images, Mixup(1.0), random_state=0).round(2)[:, 0]
    array([[0.69, 0.69],
           [0.31, 0.31]])
    """

    takes_signals = True

    limits = {"alpha": "(0, inf)"}

    alpha: float = 0.2

    mixes_rows = True

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with barriers before its kernels."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        return builder.append(Instruction(slot, out, _MIXUP, geometry=(out, real_bits(self.alpha))))
