"""Flips: images mirrored at random."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.random import random_uniform
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.augmentation.base import Augmentation, C, H, W, copy_rows, sample_key
from sklearn_nn.layers.base import BACKWARD, FORWARD, TRAINING, Builder, Shape, owned_rows
from sklearn_nn.layers.vectors import copy

_MODES = ("horizontal", "vertical", "horizontal_and_vertical")
_HORIZONTAL, _VERTICAL = 4, 5


@njit(**INLINED_OPTIONS)
def _reverse(source: Any, target: Any, places: int, channels: int) -> None:
    """target = the places of source from last to first, each with its channels in order."""
    for j in range(places):
        for c in range(channels):
            target[j * channels + c] = source[np.uint64((places - 1 - j) * channels + c)]


@njit(**INLINED_OPTIONS)
def _flip(ctx, op, part, parts, source, target):
    """target = source, flipped by what each sample drew. Owners: rows of the batch."""
    lo, hi = owned_rows(source, part, parts)
    height, width, channels = op[H], op[W], op[C]
    length = width * channels
    for i in range(lo, hi):
        key = sample_key(ctx, op, i)
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


@kernel(FORWARD)
def flip_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x, or x mirrored; y = x in prediction. Owners: rows of the batch."""
    if ctx[TRAINING]:
        _flip(ctx, op, part, parts, x, y)
    else:
        copy_rows(part, parts, x, y)


@kernel(BACKWARD)
def flip_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy, flipped back. Owners: rows of the batch."""
    if ctx[TRAINING]:
        _flip(ctx, op, part, parts, dy, dx)
    else:
        copy_rows(part, parts, dy, dx)


class RandomFlip(Augmentation):
    """Mirror half of the images, of signals the order of the steps.

    Parameters
    ----------
    mode : {"horizontal", "vertical", "horizontal_and_vertical"}, default="horizontal"
        "horizontal" turns left and right round, "vertical" top and bottom, each for half of the
        samples; with both, each is drawn by itself. Signals are turned round by "horizontal".
    """

    def __init__(self, mode: str = "horizontal") -> None:
        self.mode = mode

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        self._check_samples(shape, signals=True)
        if self.mode not in _MODES:
            raise self._fail("mode", f"is not known; use one of {', '.join(_MODES)}.")
        if len(shape) == 2 and self.mode != "horizontal":
            raise self._fail("mode", 'is for images; signals have mode="horizontal" only.')
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        self.output_shape(builder.shape(slot))
        directions = int("horizontal" in self.mode), int("vertical" in self.mode)
        return self._append(builder, slot, flip_forward, flip_backward, *directions)
