"""Random crops, flips and cutouts: pixels that are copied or replaced, and not blended."""

from __future__ import annotations

from dataclasses import KW_ONLY
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_nn._spec import is_number, parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_uniform
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import Augmentation, C, H, W, as_image, fold, key_of, pick
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Shape
from sklearn_nn.layers.vectors import changed_rows, clear, copy, copy_rows, fill, symmetric_kernels

Pair = tuple[int, int]
# Geometry of a window, after the image's: height and width of the output, the ranges of its first
# row and column, and how places outside the image are filled.
_OH, _OW, _TOP, _LAST_TOP, _LEFT, _LAST_LEFT, _MODE, _FILL = range(4, 12)


@njit(**INLINED_OPTIONS)
def _corner(ctx, op, i):
    """Return the first row and column of a sample's window, and its columns inside the image."""
    if ctx[TRAINING]:
        key = key_of(ctx, op, i)
        top = pick(key, 0, op[_TOP], op[_LAST_TOP])
        left = pick(key, 1, op[_LEFT], op[_LAST_LEFT])
    else:
        top, left = (op[H] - op[_OH]) // 2, (op[W] - op[_OW]) // 2
    first = min(max(0, -left), op[_OW])
    return top, left, first, max(first, min(op[_OW], op[W] - left))


@kernel(FORWARD)
def window_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = a window of x, filled where it lies outside. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, value = op[C], like(x[0, 0], real(op[_FILL]))
    length, size = op[W] * channels, op[_OW] * channels
    for i in range(lo, hi):
        top, left, first, last = _corner(ctx, op, i)
        for h in range(op[_OH]):
            out = vector(y, (i * op[_OH] + h) * size, size)
            origin = fold(top + h, op[H], op[_MODE])
            if origin < 0:
                fill(out, value)
                continue
            row = vector(x, (i * op[H] + origin) * length, length)
            inside = (last - first) * channels
            source = vector(row, (left + first) * channels, inside)
            copy(source, vector(out, first * channels, inside))
            for k in range(op[_OW] - (last - first)):
                w = k if k < first else k + (last - first)
                place = fold(left + w, op[W], op[_MODE])
                for c in range(channels):
                    out[w * channels + c] = value if place < 0 else row[place * channels + c]


@kernel(BACKWARD)
def window_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy of the places that a place was copied to. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels = op[C]
    length, size = op[W] * channels, op[_OW] * channels
    clear(vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1]))
    for i in range(lo, hi):
        top, left, first, last = _corner(ctx, op, i)
        for h in range(op[_OH]):
            origin = fold(top + h, op[H], op[_MODE])
            if origin < 0:
                continue
            given = vector(dy, (i * op[_OH] + h) * size, size)
            row = vector(dx, (i * op[H] + origin) * length, length)
            inside = vector(given, first * channels, (last - first) * channels)
            target = vector(row, (left + first) * channels, (last - first) * channels)
            for j in range(target.size):
                target[j] += inside[j]
            for k in range(op[_OW] - (last - first)):
                w = k if k < first else k + (last - first)
                place = fold(left + w, op[W], op[_MODE])
                if place >= 0:
                    for c in range(channels):
                        row[place * channels + c] += given[w * channels + c]


def lower_window(
    builder: Builder, slot: int, sizes: Pair, tops: Pair, lefts: Pair, filling: Pair
) -> int:
    """Append a window of random position; nothing if it can only be the image itself."""
    shape = builder.shape(slot)
    height, width, channels = as_image(shape)
    if (*sizes, *tops, *lefts) == (height, width, 0, 0, 0, 0):
        return slot
    out = builder.slot((*sizes, channels)[-len(shape) :])
    geometry = (out, height, width, channels, *sizes, *tops, *lefts, *filling)
    kernels = Kernels(window_forward, window_backward)
    return builder.append(Instruction(slot, out, kernels, geometry=geometry))


@parameters
class RandomCrop(Augmentation):
    """Layer that crops each image or signal at random, and to the centre in prediction.

    With `padding` alone the image keeps its size and is shifted by up to `padding` whole pixels.

    Parameters
    ----------
    height : int or None, default=None
        Height of the window; None is that of the image. Signals have none.
    width : int or None, default=None
        Width of the window, for signals in steps; None is that of the image or signal.
    padding : int or pair of ints, default=0
        Pixels by which the window may reach beyond the edges: (above and below, left and right).
        4 is usual for images of 32 x 32.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="constant"
        Values beyond the edges: `fill_value`; the image mirrored with its edge, dcba|abcd|dcba; the
        image repeated, abcd|abcd|abcd; or its edge, aaaa|abcd|dddd.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".

    Examples
    --------
    As the first layer of a network, and what it does to one image:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomCrop
    >>> model = CNNClassifier(16, augmentation=[RandomCrop(padding=1)])
    >>> image = np.array([[[1, 2, 3], [4, 5, 6], [7, 8, 9]]], dtype=float)
    >>> augment_images(image, RandomCrop(padding=1), random_state=0)[0]
    array([[4., 5., 6.],
           [7., 8., 9.],
           [0., 0., 0.]])
    >>> augment_images(image, RandomCrop(2, 2), random_state=0)[0]
    array([[4., 5.],
           [7., 8.]])
    """

    takes_signals = True

    height: int | None = None
    width: int | None = None
    _: KW_ONLY
    padding: Any = 0
    fill_mode: str = "constant"
    fill_value: float = 0.0

    def _margins(self, shape: Shape) -> Pair:
        count, value = len(shape) - 1, self.padding
        pair = tuple(value) if isinstance(value, tuple | list) else (value,) * count
        if len(pair) != count or not all(is_number(p, Integral) and p >= 0 for p in pair):
            several = "" if count == 1 else ", or two of them"
            raise self._invalid("padding", f"must be a whole number >= 0{several}.")
        above, beside = (0, *pair)[-2:]
        return int(above), int(beside)

    def _window(self, shape: Shape) -> tuple[Pair, Pair, Pair]:
        """Return height and width, and the ranges of the first row and column."""
        self._check_samples(shape)
        if len(shape) == 2 and self.height is not None:
            raise self._invalid("height", "is for images; signals have a width only.")
        sizes, corners = [], []
        sides = zip(("height", "width"), as_image(shape)[:2], self._margins(shape), strict=True)
        for name, size, margin in sides:
            given = getattr(self, name)
            window = size if given is None else self._whole_number(name)
            if window > size + 2 * margin:
                remedy = f"padding={self.padding!r}; use a smaller window or more padding."
                raise self._invalid(name, f"does not fit samples of shape {shape} with {remedy}")
            sizes.append(window)
            corners.append((-margin, size + margin - window))
        return (sizes[0], sizes[1]), corners[0], corners[1]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the window; the channels stay."""
        self.check()
        sizes = self._window(shape)[0]
        self._filling(self.fill_mode, self.fill_value)
        return (*sizes, shape[-1])[-len(shape) :]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none if the window is the image."""
        filling = self._filling(self.fill_mode, self.fill_value)
        return lower_window(builder, slot, *self._window(builder.shape(slot)), filling)


_MODES = ("horizontal", "vertical", "horizontal_and_vertical")
_HORIZONTAL, _VERTICAL = 4, 5


@njit(**INLINED_OPTIONS)
def _reverse(source: Any, target: Any, places: int, channels: int) -> None:
    """Copy the places of source in reverse order, each with its channels in order."""
    for j in range(places):
        for c in range(channels):
            target[j * channels + c] = source[np.uint64((places - 1 - j) * channels + c)]


@njit(**INLINED_OPTIONS)
def _flip(ctx, op, part, parts, source, target):
    """Copy source to target, in training each sample flipped at random."""
    lo, hi = changed_rows(ctx, part, parts, source, target)
    height, width, channels = op[H], op[W], op[C]
    length = width * channels
    for i in range(lo, hi):
        key = key_of(ctx, op, i)
        mirrored = op[_HORIZONTAL] != 0 and random_uniform(key, 0, np.float64) < 0.5
        upturned = op[_VERTICAL] != 0 and random_uniform(key, 1, np.float64) < 0.5
        for h in range(height):
            origin = height - 1 - h if upturned else h
            given = vector(source, (i * height + origin) * length, length)
            taken = vector(target, (i * height + h) * length, length)
            if not mirrored:
                copy(given, taken)
            elif channels == 1:
                _reverse(given, taken, width, 1)
            elif channels == 3:
                _reverse(given, taken, width, 3)
            else:
                _reverse(given, taken, width, channels)


_FLIP = Kernels(*symmetric_kernels("augmentation.flip", _flip))


@parameters
class RandomFlip(Augmentation):
    """Layer that mirrors each image, or reverses each signal, with probability 1/2.

    Parameters
    ----------
    mode : {"horizontal", "vertical", "horizontal_and_vertical"}, default="horizontal"
        "horizontal" exchanges left and right, "vertical" top and bottom; with both, each is drawn
        independently. Signals are reversed by "horizontal".

    Examples
    --------
    As the first layer of a network, and what it does to four copies of one image:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomFlip
    >>> model = CNNClassifier(16, augmentation=[RandomFlip()])
    >>> image = np.array([[1.0, 2.0, 3.0]])
    >>> augment_images(np.stack([image] * 4), RandomFlip(), random_state=0)[:, 0]
    array([[1., 2., 3.],
           [1., 2., 3.],
           [3., 2., 1.],
           [3., 2., 1.]])
    """

    takes_signals = True

    mode: str = "horizontal"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self._check_samples(shape)
        self._check_choice("mode", _MODES)
        if len(shape) == 2 and self.mode != "horizontal":
            raise self._invalid("mode", 'is for images; signals have mode="horizontal" only.')
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        self.output_shape(builder.shape(slot))
        directions = int("horizontal" in self.mode), int("vertical" in self.mode)
        return self._append(builder, slot, _FLIP, *directions)


_CUT_HEIGHT, _CUT_WIDTH, _CUT_FILL = 4, 5, 6


@njit(**INLINED_OPTIONS)
def _cut(ctx, op, part, parts, source, target, value):
    """Copy source to target, in training with a random window set to `value`."""
    copy_rows(part, parts, source, target)
    if not ctx[TRAINING]:
        return
    lo, hi = owned_rows(source, part, parts)
    height, width, channels = op[H], op[W], op[C]
    for i in range(lo, hi):
        key = key_of(ctx, op, i)
        top = pick(key, 0, 0, height - 1) - op[_CUT_HEIGHT] // 2
        left = pick(key, 1, 0, width - 1) - op[_CUT_WIDTH] // 2
        first, last = max(0, left), min(width, left + op[_CUT_WIDTH])
        for h in range(max(0, top), min(height, top + op[_CUT_HEIGHT])):
            start = ((i * height + h) * width + first) * channels
            fill(vector(target, start, (last - first) * channels), value)


@kernel(FORWARD)
def cutout_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = x, but a constant in one window; y = x in prediction. Owners: rows."""
    _cut(ctx, op, part, parts, x, y, like(x[0, 0], real(op[_CUT_FILL])))


@kernel(BACKWARD)
def cutout_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy, but 0 in the window. Owners: rows of the batch."""
    _cut(ctx, op, part, parts, dy, dx, like(dy[0, 0], 0))


@parameters
class Cutout(Augmentation):
    """Layer that sets a random window of each image or signal to a constant.

    It is a regularizer (DeVries and Taylor, 2017). The centre of the window is uniform over all
    places, so that the window may lie partly outside.

    Parameters
    ----------
    size : int or pair of ints
        Height and width of the window; for signals its length.
    fill_value : float, default=0.0
        The constant, in all channels. If X is standardized, 0 is its mean.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import Cutout
    >>> model = CNNClassifier(16, augmentation=[Cutout(2)])
    >>> augment_images(np.ones((1, 4, 6)), Cutout(2), random_state=0)[0]
    array([[1., 1., 1., 1., 1., 1.],
           [1., 0., 0., 1., 1., 1.],
           [1., 0., 0., 1., 1., 1.],
           [1., 1., 1., 1., 1., 1.]])
    """

    takes_signals = True

    size: Any
    fill_value: float = 0.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        self._check_samples(shape)
        self._whole_numbers("size", len(shape) - 1)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape = self.output_shape(builder.shape(slot))
        height, width = (1, *self._whole_numbers("size", len(shape) - 1))[-2:]
        bits = real_bits(self.fill_value)
        kernels = Kernels(cutout_forward, cutout_backward)
        return self._append(builder, slot, kernels, height, width, bits)
