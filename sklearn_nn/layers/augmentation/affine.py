"""Affine maps of images: shifts, turns and zooms, by one kernel that reads between places.

A place of the output reads the input at a point, which lies between four places; it is their mean,
weighted by how near they are (bilinear). Points beyond the edges read what fills the outside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import (
    Augmentation,
    C,
    H,
    Range,
    W,
    as_image,
    between,
    copy_rows,
    fill,
    fold,
    sample_key,
)
from sklearn_nn.layers.augmentation.crop import lower_window
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, Builder, Shape, owned_rows

#: What a map does with its two numbers: moves by parts of height and width, turns by a part of a
#: turn, or magnifies what it reads, vertically and horizontally.
SHIFT, TURN, ZOOM = range(3)

# Geometry behind height, width and channels: what is done, the ranges of two numbers, whether the
# second is the first, and how places outside are filled.
_KIND, _LOW, _HIGH, _OTHER_LOW, _OTHER_HIGH, _TIED, _MODE, _FILL = range(4, 12)


@njit(**HELPER_OPTIONS)
def _draw(ctx: Any, op: Any, i: int) -> tuple[float, float, float, float, float, float]:
    """The map of a sample: (a, b, c, d, p, q); place (h, w) reads at a h + b w + p, c h + d w + q.

    Turns and zooms leave the centre where it is.
    """
    key = sample_key(ctx, op, i)
    first = between(key, 0, real(op[_LOW]), real(op[_HIGH]))
    second = between(key, 1, real(op[_OTHER_LOW]), real(op[_OTHER_HIGH]))
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
    """The k in [0, n), from first to one past the last, with 0 <= start + k step <= last."""
    lo, hi = 0, n
    if step != 0:
        one, other = -start / step, (last - start) / step
        lo = math.ceil(min(max(min(one, other), 0.0), float(n)))
        hi = math.floor(min(max(max(one, other), -1.0), n - 1.0)) + 1
    # Rounding may have taken in one that is not inside; the points do not turn back.
    while lo < hi and not 0 <= fma(float(lo), step, start) <= last:
        lo += 1
    while lo < hi and not 0 <= fma(float(hi - 1), step, start) <= last:
        hi -= 1
    return lo, max(lo, hi)


@njit(**INLINED_OPTIONS)
def _inside(op, step_y, step_x, start_y, start_x):
    """The places of a row, from first to one past the last, that read inside the image."""
    first, last = _within(start_y, step_y, op[H] - 1.0, op[W])
    other_first, other_last = _within(start_x, step_x, op[W] - 1.0, op[W])
    first = max(first, other_first)
    return first, max(first, min(last, other_last))


@njit(**INLINED_OPTIONS)
def _read_inside(op, channels, first, last, step_y, step_x, start_y, start_x, image, out):
    """out = the image where a row's places first to last read it, all inside."""
    height, width = np.int32(op[H]), np.int32(op[W])
    one = like(image[0], 1)
    target = vector(out, first * channels, (last - first) * channels)
    for k in range(last - first):
        w = float(first + k)
        y, x = fma(w, step_y, start_y), fma(w, step_x, start_x)
        top, left = np.int32(y), np.int32(x)
        v, u = like(one, y - top), like(one, x - left)
        # On the last row or column there is none behind, and its weight is 0.
        below, right = min(top + 1, height - 1), min(left + 1, width - 1)
        for c in range(channels):
            north = image[np.uint64((top * width + left) * channels + c)] * (one - u)
            north += image[np.uint64((top * width + right) * channels + c)] * u
            south = image[np.uint64((below * width + left) * channels + c)] * (one - u)
            south += image[np.uint64((below * width + right) * channels + c)] * u
            target[k * channels + c] = north * (one - v) + south * v


@njit(**INLINED_OPTIONS)
def _corners(op, w, step_y, step_x, start_y, start_x):
    """Of a place that reads at or beyond an edge: rows, columns, and the weights of the second.

    A row or column of -1 is filled with a constant.
    """
    y, x = fma(float(w), step_y, start_y), fma(float(w), step_x, start_x)
    top, left = math.floor(y), math.floor(x)
    rows = fold(top, op[H], op[_MODE]), fold(top + 1, op[H], op[_MODE])
    columns = fold(left, op[W], op[_MODE]), fold(left + 1, op[W], op[_MODE])
    return rows, columns, y - top, x - left


@njit(**INLINED_OPTIONS)
def _value(image, row, column, width, channels, c, value):
    """What a row and a column have in a channel: `value`, where one of them is outside."""
    outside = (row | column) < 0
    at = np.uint64(0 if outside else (row * width + column) * channels + c)
    return value if outside else image[at]


@njit(**INLINED_OPTIONS)
def _read_beyond(op, channels, w, step_y, step_x, start_y, start_x, image, out):
    """out = the image where place w of a row reads it, at or beyond an edge."""
    (top, below), (left, right), v, u = _corners(op, w, step_y, step_x, start_y, start_x)
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
    """out = the image under the map `place`, row by row."""
    a, b, c, d, p, q = place
    length = op[W] * channels
    for h in range(op[H]):
        row = vector(out, h * length, length)
        y, x = fma(a, float(h), p), fma(c, float(h), q)
        first, last = _inside(op, b, d, y, x)
        _read_inside(op, channels, first, last, b, d, y, x, image, row)
        for k in range(op[W] - (last - first)):
            w = k if k < first else k + (last - first)
            _read_beyond(op, channels, w, b, d, y, x, image, row)


@kernel(FORWARD)
def affine_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x under the map that each sample drew; y = x in prediction. Owners: rows."""
    if not ctx[TRAINING]:
        copy_rows(part, parts, x, y)
        return
    lo, hi = owned_rows(x, part, parts)
    size = x.shape[1]
    for i in range(lo, hi):
        image, out, place = vector(x, i * size, size), vector(y, i * size, size), _draw(ctx, op, i)
        # With their number known, the loop over channels is none.
        if op[C] == 1:
            _read(op, 1, place, image, out)
        elif op[C] == 3:
            _read(op, 3, place, image, out)
        else:
            _read(op, op[C], place, image, out)


@kernel(BACKWARD)
def affine_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum of dy of the places that read a place, weighted as they read. Owners: rows."""
    if not ctx[TRAINING]:
        copy_rows(part, parts, dy, dx)
        return
    lo, hi = owned_rows(dx, part, parts)
    size, channels = dx.shape[1], op[C]
    one, zero = like(dx[0, 0], 1), like(dx[0, 0], 0)
    for i in range(lo, hi):
        image = vector(dx, i * size, size)
        fill(image, zero)
        a, b, c, d, p, q = _draw(ctx, op, i)
        for place in range(op[H] * op[W]):
            h, w = place // op[W], place % op[W]
            given = vector(dy, i * size + place * channels, channels)
            start_y, start_x = fma(a, float(h), p), fma(c, float(h), q)
            rows, columns, v, u = _corners(op, w, b, d, start_y, start_x)
            for j in range(2):
                for k in range(2):
                    weight = like(one, v if j else 1 - v) * like(one, u if k else 1 - u)
                    if rows[j] >= 0 and columns[k] >= 0:
                        at = (rows[j] * op[W] + columns[k]) * channels
                        target = vector(image, at, channels)
                        for channel in range(channels):
                            target[channel] += weight * given[channel]


def lower_affine(
    builder: Builder,
    slot: int,
    kind: int,
    first: Sequence[float],
    second: Sequence[float] | None,
    filling: Sequence[int],
) -> int:
    """Append a map whose numbers are drawn from two ranges; from one, where the second is None.

    A map that can only leave the image as it is, is no instruction.
    """
    other = first if second is None else second
    if not (any(first) or any(other)):
        return slot
    shape = builder.shape(slot)
    out = builder.slot(shape)
    ranges = [real_bits(number) for number in (*first, *other)]
    geometry = (out, *as_image(shape), kind, *ranges, int(second is None), *filling)
    assert len(geometry) == _FILL + 1
    builder.instruction(
        slot, out, forward=affine_forward, backward=affine_backward, geometry=geometry
    )
    return out


class _Affine(Augmentation):
    """What shifts, turns and zooms share: how they fill what lies outside."""

    fill_mode: str
    fill_value: float

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        """The ranges of the two numbers of the map; one, where the second is None."""
        raise TypeError(f"{type(self).__name__} must define _ranges")

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        self._ranges(shape)
        self._filling(self.fill_mode, self.fill_value)
        return shape


class RandomTranslation(_Affine):
    """Shift each image, or signal, at random.

    Parameters
    ----------
    height_factor : float or pair of floats
        By which part of the height, down where positive: f is the range (-f, f), a pair (low, high)
        itself, within [-1, 1]. 0 for signals.
    width_factor : float or pair of floats
        By which part of the width, to the right where positive.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        What lies beyond the edges, as in :class:`RandomCrop`.
    interpolation : {"bilinear", "nearest"}, default="bilinear"
        "bilinear" shifts by any amount, and blends neighbouring pixels; "nearest" by whole pixels,
        which are copied.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any,
        fill_mode: str = "reflect",
        interpolation: str = "bilinear",
        *,
        fill_value: float = 0.0,
    ) -> None:
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.fill_mode = fill_mode
        self.interpolation = interpolation
        self.fill_value = fill_value

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape, signals=True)
        if self.interpolation not in ("bilinear", "nearest"):
            raise self._fail("interpolation", "is not known; use one of bilinear, nearest.")
        down, right = (self._range(f"{side}_factor", -1.0, 1.0) for side in ("height", "width"))
        if len(shape) == 2 and any(down):
            raise self._fail("height_factor", "is for images; use 0 for signals.")
        return down, right

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; without a shift, none."""
        shape = builder.shape(slot)
        down, right = self._ranges(shape)
        assert right is not None
        filling = self._filling(self.fill_mode, self.fill_value)
        if self.interpolation == "bilinear":
            return lower_affine(builder, slot, SHIFT, down, right, filling)
        sizes = as_image(shape)[:2]
        # A window that lies to the left shows the image shifted to the right.
        tops, lefts = (
            (-round(high * size), -round(low * size))
            for size, (low, high) in zip(sizes, (down, right), strict=True)
        )
        return lower_window(builder, slot, sizes, tops, lefts, filling)


class RandomRotation(_Affine):
    """Turn each image about its centre by a random angle.

    Parameters
    ----------
    factor : float or pair of floats
        The angle in parts of a full turn, counter-clockwise where positive: f is the range (-f, f),
        a pair (low, high) itself. 0.05 is 18 degrees either way.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        What lies beyond the edges, as in :class:`RandomCrop`.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".
    """

    def __init__(self, factor: Any, fill_mode: str = "reflect", *, fill_value: float = 0.0) -> None:
        self.factor = factor
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape, signals=False)
        return self._range("factor"), None

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; without a turn, none."""
        angles = self._ranges(builder.shape(slot))
        filling = self._filling(self.fill_mode, self.fill_value)
        return lower_affine(builder, slot, TURN, *angles, filling)


class RandomZoom(_Affine):
    """Zoom each image about its centre at random.

    Parameters
    ----------
    height_factor : float or pair of floats
        By how much more of the height is seen: 0.2 is 20 % more, which zooms out, -0.2 is 20 %
        less, which zooms in. f is the range (-f, f), a pair (low, high) itself, from -0.99.
    width_factor : float, pair of floats or None, default=None
        The same of the width; None is what was drawn for the height.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="reflect"
        What lies beyond the edges, as in :class:`RandomCrop`.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".
    """

    def __init__(
        self,
        height_factor: Any,
        width_factor: Any = None,
        fill_mode: str = "reflect",
        *,
        fill_value: float = 0.0,
    ) -> None:
        self.height_factor = height_factor
        self.width_factor = width_factor
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def _ranges(self, shape: Shape) -> tuple[Range, Range | None]:
        self._check_samples(shape, signals=False)
        tall = self._range("height_factor", -0.99)
        return tall, None if self.width_factor is None else self._range("width_factor", -0.99)

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; without a zoom, none."""
        factors = self._ranges(builder.shape(slot))
        filling = self._filling(self.fill_mode, self.fill_value)
        return lower_affine(builder, slot, ZOOM, *factors, filling)
