"""Crops: a window of an image, whose corner is drawn at random."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import (
    Augmentation,
    C,
    H,
    W,
    as_image,
    fill,
    fold,
    sample_key,
    whole_between,
)
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, Builder, Shape, owned_rows
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.vectors import copy

# Height and width of the output, the range that its first row and column are drawn from, and how
# places outside the image are filled.
_OH, _OW, _TOP, _LAST_TOP, _LEFT, _LAST_LEFT, _MODE, _FILL = range(4, 12)


@njit(**INLINED_OPTIONS)
def _corner(ctx, op, i):
    """Where in the image the window of a sample begins: drawn in training, else the centre."""
    if ctx[TRAINING]:
        key = sample_key(ctx, op, i)
        top = whole_between(key, 0, op[_TOP], op[_LAST_TOP])
        left = whole_between(key, 1, op[_LEFT], op[_LAST_LEFT])
    else:
        top, left = (op[H] - op[_OH]) // 2, (op[W] - op[_OW]) // 2
    # Columns of the window that lie inside the image.
    first = min(max(0, -left), op[_OW])
    return top, left, first, max(first, min(op[_OW], op[W] - left))


@kernel(FORWARD)
def window_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = a window of x, filled where it lies outside. Owners: rows of the batch."""
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
            copy(
                vector(row, (left + first) * channels, inside),
                vector(out, first * channels, inside),
            )
            for k in range(op[_OW] - (last - first)):
                w = k if k < first else k + (last - first)
                place = fold(left + w, op[W], op[_MODE])
                for c in range(channels):
                    out[w * channels + c] = value if place < 0 else row[place * channels + c]


@kernel(BACKWARD)
def window_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum of dy of the places that a place was copied to. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels = op[C]
    length, size = op[W] * channels, op[_OW] * channels
    fill(vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1]), like(dx[0, 0], 0))
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
    builder: Builder,
    slot: int,
    sizes: Sequence[int],
    tops: Sequence[int],
    lefts: Sequence[int],
    filling: Sequence[int],
) -> int:
    """Append a window of `sizes`, height and width, whose corner is drawn from two ranges.

    A window that can only be the image itself is no instruction.
    """
    shape = builder.shape(slot)
    height, width, channels = as_image(shape)
    if (*sizes, *tops, *lefts) == (height, width, 0, 0, 0, 0):
        return slot
    out = builder.slot((*sizes, channels)[-len(shape) :])
    geometry = (out, height, width, channels, *sizes, *tops, *lefts, *filling)
    builder.instruction(
        slot, out, forward=window_forward, backward=window_backward, geometry=geometry
    )
    return out


class RandomCrop(Augmentation):
    """Cut a window out of each image at random, of signals a stretch; the centre in prediction.

    With `padding` alone the image keeps its size: it is shifted by up to so many whole pixels.

    Parameters
    ----------
    height, width : int or None, default=None
        Size of the window; None is the image's. Of signals only the width, their length in steps.
    padding : int or pair of ints, default=0
        Pixels by which the window may reach beyond the edges: (above and below, left and right).
        4 is usual for images of 32 x 32.
    fill_mode : {"constant", "reflect", "wrap", "nearest"}, default="constant"
        What lies beyond the edges: `fill_value`; the image mirrored with its edge, dcba|abcd|dcba;
        the image again, abcd|abcd|abcd; or its edge, aaaa|abcd|dddd.
    fill_value : float, default=0.0
        Value beyond the edges with "constant".
    """

    def __init__(
        self,
        height: int | None = None,
        width: int | None = None,
        *,
        padding: Any = 0,
        fill_mode: str = "constant",
        fill_value: float = 0.0,
    ) -> None:
        self.height = height
        self.width = width
        self.padding = padding
        self.fill_mode = fill_mode
        self.fill_value = fill_value

    def _margins(self, shape: Shape) -> tuple[int, int]:
        count, value = len(shape) - 1, self.padding
        pair = tuple(value) if isinstance(value, tuple | list) else (value,) * count
        if len(pair) != count or not all(isinstance(p, int | np.integer) and p >= 0 for p in pair):
            several = "" if count == 1 else ", or two of them"
            raise self._fail("padding", f"must be a whole number >= 0{several}.")
        above, beside = (0, *pair)[-2:]
        return int(above), int(beside)

    def _window(self, shape: Shape) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
        """Height and width, and the ranges of the first row and column."""
        self._check_samples(shape, signals=True)
        if len(shape) == 2 and self.height is not None:
            raise self._fail("height", "is for images; signals have a width only.")
        sizes, corners = [], []
        whole, margins = as_image(shape)[:2], self._margins(shape)
        for name, size, margin in zip(("height", "width"), whole, margins, strict=True):
            given = getattr(self, name)
            window = size if given is None else whole_numbers(name, given, 1)[0]
            if window > size + 2 * margin:
                raise self._fail(
                    name,
                    f"does not fit samples of shape {shape} with padding={self.padding!r}; use "
                    "a smaller window or more padding.",
                )
            sizes.append(window)
            corners.append((-margin, size + margin - window))
        return (sizes[0], sizes[1]), corners[0], corners[1]

    def output_shape(self, shape: Shape) -> Shape:
        """The window's height and width; the channels stay."""
        sizes = self._window(shape)[0]
        self._filling(self.fill_mode, self.fill_value)
        return (*sizes, shape[-1])[-len(shape) :]

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; where the window is the image, none."""
        filling = self._filling(self.fill_mode, self.fill_value)
        return lower_window(builder, slot, *self._window(builder.shape(slot)), filling)
