"""Translation, rotation and zoom of images by one kernel, an affine map.

A place of the output is the bilinear interpolation of four places around a point of the input.
"""

from __future__ import annotations

import math
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import Augmentation, C, H, Range, W, fold, key_of, uniform
from sklearn_nn.layers.augmentation.windows import lower_window
from sklearn_nn.layers.base import BACKWARD, FORWARD
from sklearn_nn.layers.layer import Builder, Kernels, Shape
from sklearn_nn.layers.vectors import changed_rows, clear

#: Kinds of map, whose random numbers are fractions of the sizes, of a turn, and magnification.
SHIFT, TURN, ZOOM = range(3)

# Geometry, after that of the image: the kind of map, the ranges of two numbers, whether the second
# equals the first, and how places outside are filled.
_KIND, _LOW, _HIGH, _OTHER_LOW, _OTHER_HIGH, _TIED, _MODE, _FILL = range(4, 12)


@njit(**HELPER_OPTIONS)
def _draw(ctx: Any, op: Any, i: int) -> tuple[float, float, float, float, float, float]:
    """Return a sample's map (a, b, c, d, p, q): (h, w) reads at (a h + b w + p, c h + d w + q)."""
    key = key_of(ctx, op, i)
    first = uniform(key, 0, real(op[_LOW]), real(op[_HIGH]))
    second = uniform(key, 1, real(op[_OTHER_LOW]), real(op[_OTHER_HIGH]))
    second = first if op[_TIED] else second
    y, x = 0.5 * (op[H] - 1), 0.5 * (op[W] - 1)
    a, b, c, d, p, q = 1.0, 0.0, 0.0, 1.0, 0.0, 0.0
    if op[_KIND] == SHIFT:
        p, q = -first * op[H], -second * op[W]
    elif op[_KIND] == TURN:
        angle = 2 * math.pi * first
        a, c = math.cos(angle), -math.sin(angle)
        b, d = -c, a
        p, q = y - a * y - b * x, x - c * y - d * x
    else:
        a, d = 1 + first, 1 + second
        p, q = -first * y, -second * x
    return a, b, c, d, p, q


@njit(**HELPER_OPTIONS)
def _within(start: float, step: float, last: float, n: int) -> tuple[int, int]:
    """Return the first and one past the last k in [0, n) with 0 <= start + k step <= last."""
    lo, hi = 0, n
    if step != 0:
        one, other = -start / step, (last - start) / step
        lo = math.ceil(min(max(min(one, other), 0.0), float(n)))
        hi = math.floor(min(max(max(one, other), -1.0), n - 1.0)) + 1
    # Rounding may have included one that is not inside; the points are monotonic.
    while lo < hi and not 0 <= fma(float(lo), step, start) <= last:
        lo += 1
    while lo < hi and not 0 <= fma(float(hi - 1), step, start) <= last:
        hi -= 1
    return lo, max(lo, hi)


@njit(**INLINED_OPTIONS)
def _inside(op, line):
    """Return the first and one past the last place of a row that reads inside the image."""
    step_y, step_x, start_y, start_x = line
    first, last = _within(start_y, step_y, op[H] - 1.0, op[W])
    other_first, other_last = _within(start_x, step_x, op[W] - 1.0, op[W])
    first = max(first, other_first)
    return first, max(first, min(last, other_last))


@njit(**INLINED_OPTIONS)
def _read_inside(op, channels, first, last, line, image, out):
    """Compute places first to last of a row, which all read inside the image."""
    step_y, step_x, start_y, start_x = line
    height, width = np.int32(op[H]), np.int32(op[W])
    one = like(image[0], 1)
    target = vector(out, first * channels, (last - first) * channels)
    for k in range(last - first):
        w = float(first + k)
        y, x = fma(w, step_y, start_y), fma(w, step_x, start_x)
        top, left = np.int32(y), np.int32(x)
        v, u = like(one, y - top), like(one, x - left)
        # After the last row or column the weight is 0.
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        for c in range(channels):
            north = image[np.uint64((top * width + left) * channels + c)] * (one - u)
            north += image[np.uint64((top * width + right) * channels + c)] * u
            south = image[np.uint64((below * width + left) * channels + c)] * (one - u)
            south += image[np.uint64((below * width + right) * channels + c)] * u
            target[k * channels + c] = north * (one - v) + south * v


@njit(**INLINED_OPTIONS)
def _corners(op, w, line):
    """Return two rows and two columns that place w of a row reads (-1: constant), and weights."""
    step_y, step_x, start_y, start_x = line
    y, x = fma(float(w), step_y, start_y), fma(float(w), step_x, start_x)
    top, left = math.floor(y), math.floor(x)
    rows = fold(top, op[H], op[_MODE]), fold(top + 1, op[H], op[_MODE])
    columns = fold(left, op[W], op[_MODE]), fold(left + 1, op[W], op[_MODE])
    return rows, columns, y - top, x - left


@njit(**INLINED_OPTIONS)
def _value(image, row, column, width, channels, c, value):
    """Return the image at a row and a column, or `value` if one of them is -1."""
    outside = (row | column) < 0
    at = np.uint64(0 if outside else (row * width + column) * channels + c)
    return value if outside else image[at]


@njit(**INLINED_OPTIONS)
def _read_beyond(op, channels, w, line, image, out):
    """Compute place w of a row, which reads at or beyond an edge."""
    (top, below), (left, right), v, u = _corners(op, w, line)
    value, width = like(image[0], real(op[_FILL])), op[W]
    one, v, u = like(value, 1), like(value, v), like(value, u)
    for c in range(channels):
        north = _value(image, top, left, width, channels, c, value) * (one - u)
        north += _value(image, top, right, width, channels, c, value) * u
        south = _value(image, below, left, width, channels, c, value) * (one - u)
        south += _value(image, below, right, width, channels, c, value) * u
        out[w * channels + c] = north * (one - v) + south * v


@njit(**HELPER_OPTIONS)
def _read(op, channels, place, image, out):
    """Compute the image under the map `place`, row by row.

    The places of a row read along a line: (step of y, step of x, first y, first x).
    """
    a, b, c, d, p, q = place
    length = op[W] * channels
    for h in range(op[H]):
        row = vector(out, h * length, length)
        line = b, d, fma(a, float(h), p), fma(c, float(h), q)
        first, last = _inside(op, line)
        _read_inside(op, channels, first, last, line, image, row)
        for k in range(op[W] - (last - first)):
            w = k if k < first else k + (last - first)
            _read_beyond(op, channels, w, line, image, row)


@kernel(FORWARD)
def affine_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x under the random map of each sample; y = x in prediction. Owners: rows."""
    lo, hi = changed_rows(ctx, part, parts, x, y)
    size = x.shape[1]
    for i in range(lo, hi):
        image, out, place = vector(x, i * size, size), vector(y, i * size, size), _draw(ctx, op, i)
        # With a constant number of channels, the loop over them is unrolled.
        if op[C] == 1:
            _read(op, 1, place, image, out)
        elif op[C] == 3:
            _read(op, 3, place, image, out)
        else:
            _read(op, op[C], place, image, out)


@kernel(BACKWARD)
def affine_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy of the places that read a place, with weights. Owners: rows."""
    lo, hi = changed_rows(ctx, part, parts, dy, dx)
    size, channels = dx.shape[1], op[C]
    one = like(dx[0, 0], 1)
    for i in range(lo, hi):
        image = vector(dx, i * size, size)
        clear(image)
        a, b, c, d, p, q = _draw(ctx, op, i)
        for place in range(op[H] * op[W]):
            h, w = place // op[W], place % op[W]
            given = vector(dy, i * size + place * channels, channels)
            line = b, d, fma(a, float(h), p), fma(c, float(h), q)
            rows, columns, v, u = _corners(op, w, line)
            for j in range(2):
                for k in range(2):
                    weight = like(one, v if j else 1 - v) * like(one, u if k else 1 - u)
                    if rows[j] >= 0 and columns[k] >= 0:
                        at = (rows[j] * op[W] + columns[k]) * channels
                        target = vector(image, at, channels)
                        for channel in range(channels):
                            target[channel] += weight * given[channel]


class _Affine(Augmentation):
    """Base of translation, rotation and zoom."""

    fill_mode: str
    fill_value: float

    def _lower_map(self, builder: Builder, slot: int, kind: int) -> int:
        """Append the map, unless it can only be the identity."""
        first, second = self._ranges(builder.shape(slot))
        filling = self._filling(self.fill_mode, self.fill_value)
        other = first if second is None else second
        if not (any(first) or any(other)):
            return slot
        ranges = [real_bits(number) for number in (*first, *other)]
        kernels = Kernels(affine_forward, affine_backward)
        return self._append(builder, slot, kernels, kind, *ranges, int(second is None), *filling)

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        """Return the ranges of the two numbers of the map; None if the second equals the first."""
        raise TypeError(f"{type(self).__name__} must define _ranges")

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        self._ranges(shape)
        self._filling(self.fill_mode, self.fill_value)
        return shape


@parameters
class RandomTranslation(_Affine):
    """Layer that shifts each image or signal at random.

    Parameters
    ----------
    height_factor : float or pair of floats
        Range of the shift down, as a fraction of the height: f is (-f, f), a pair is (low, high),
        within [-1, 1]. It is 0 for signals.
    width_factor : float or pair of floats
        Range of the shift to the right, as a fraction of the width, in the same form.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        Values beyond the edges, as in :class:`RandomCrop`.
    interpolation : {"bilinear", "nearest"}, default="bilinear"
        "bilinear" shifts by fractions of pixels and interpolates; "nearest" shifts by whole pixels.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".

    Examples
    --------
    A signal of one channel, four times, shifted by up to a quarter of its length:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomTranslation
    >>> shift = RandomTranslation(0, 0.25, fill_mode="wrap", interpolation="nearest")
    >>> model = CNNClassifier(16, augmentation=[shift])
    >>> X = np.array([[0, 0, 1, 2, 3, 0, 0, 0]] * 4, dtype=float)[:, :, None]
    >>> augment_images(X, shift, random_state=0, input_shape=(8, 1))[:, :, 0]
    array([[0., 0., 0., 1., 2., 3., 0., 0.],
           [0., 0., 1., 2., 3., 0., 0., 0.],
           [0., 0., 1., 2., 3., 0., 0., 0.],
           [0., 0., 0., 1., 2., 3., 0., 0.]])
    """

    takes_signals = True

    height_factor: Any
    width_factor: Any
    fill_mode: str = "reflect"
    interpolation: str = "bilinear"
    _: KW_ONLY
    fill_value: float = 0.0

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape)
        self._check_choice("interpolation", ("bilinear", "nearest"))
        down, right = (self._range(f"{side}_factor", -1.0, 1.0) for side in ("height", "width"))
        if len(shape) == 2 and any(down):
            raise self._invalid("height_factor", "is for images; use 0 for signals.")
        return down, right

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none without a shift."""
        shape = builder.shape(slot)
        down, right = self._ranges(shape)
        assert right is not None
        filling = self._filling(self.fill_mode, self.fill_value)
        if self.interpolation == "bilinear":
            return self._lower_map(builder, slot, SHIFT)
        height, width = (1, *shape)[-3:-1]
        # A window to the left shows the image shifted to the right.
        tops = -round(down[1] * height), -round(down[0] * height)
        lefts = -round(right[1] * width), -round(right[0] * width)
        return lower_window(builder, slot, (height, width), tops, lefts, filling)


@parameters
class RandomRotation(_Affine):
    """Layer that rotates each image about its centre by a random angle.

    Parameters
    ----------
    factor : float or pair of floats
        Range of the counter-clockwise angle, as a fraction of a full turn: f is (-f, f), a pair is
        (low, high), within [-1, 1]. 0.05 is up to 18 degrees in both directions.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        Values beyond the edges, as in :class:`RandomCrop`.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".

    Examples
    --------
    A horizontal line, turned by a quarter of a full turn:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomRotation
    >>> model = CNNClassifier(16, augmentation=[RandomRotation(0.05)])  # up to 18 degrees
    >>> image = np.array([[[0, 0, 0], [1, 1, 1], [0, 0, 0]]], dtype=float)
    >>> turned = augment_images(image, RandomRotation((0.25, 0.25)), random_state=0)
    >>> turned[0].round().astype(int)
    array([[0, 1, 0],
           [0, 1, 0],
           [0, 1, 0]])
    """

    factor: Any
    fill_mode: str = "reflect"
    _: KW_ONLY
    fill_value: float = 0.0

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape)
        low, high = self._range("factor")
        if max(-low, high) > 1:
            turn = "is a fraction of a full turn, within [-1, 1]: 15 degrees is 15/360."
            raise self._invalid("factor", turn)
        return (low, high), None

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none without a rotation."""
        return self._lower_map(builder, slot, TURN)


@parameters
class RandomZoom(_Affine):
    """Layer that zooms each image about its centre at random.

    Parameters
    ----------
    height_factor : float or pair of floats
        Range of the relative change of the visible height: 0.2 is 20 % more, which zooms out; -0.2
        is 20 % less, which zooms in. f is (-f, f), a pair is (low, high), from -0.99.
    width_factor : float, pair of floats or None, default=None
        The same for the width; None uses the number drawn for the height.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        Values beyond the edges, as in :class:`RandomCrop`.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".

    Examples
    --------
    The height and width that are seen become half as large, so that the middle is magnified:

    >>> import numpy as np
    >>> from sklearn_nn import CNNClassifier, augment_images
    >>> from sklearn_nn.layers import RandomZoom
    >>> model = CNNClassifier(16, augmentation=[RandomZoom(0.1)])  # up to a tenth in or out
    >>> image = np.array([[[0] * 4, [0, 16, 32, 0], [0, 48, 64, 0], [0] * 4]], dtype=float)
    >>> augment_images(image, RandomZoom((-0.5, -0.5)), random_state=0)[0].round().astype(int)
    array([[ 9, 15, 21, 18],
           [18, 28, 36, 30],
           [30, 44, 52, 42],
           [27, 39, 45, 36]])
    """

    height_factor: Any
    width_factor: Any = None
    fill_mode: str = "reflect"
    _: KW_ONLY
    fill_value: float = 0.0

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape)
        tall = self._range("height_factor", -0.99)
        return tall, None if self.width_factor is None else self._range("width_factor", -0.99)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none without a zoom."""
        return self._lower_map(builder, slot, ZOOM)
