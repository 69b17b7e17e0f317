"""The base of layers that change images and signals at random in training.

In prediction the output is the input. The random numbers of a sample are a function of the seed,
the optimizer's step, the layer and the sample's row in the batch; backward computes them again. An
image is a sample of shape (height, width, channels); a signal, of shape (steps, channels), is an
image of height 1.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, ClassVar

import numpy as np

from sklearn_nn._spec import is_number
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import real_bits
from sklearn_nn.jit.random import random_uniform, stream
from sklearn_nn.layers.base import SEED, STEP
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape

Range = tuple[float, float]
#: How places beyond the edges are filled, as in Keras; a geometry holds the index of a mode.
FILL_MODES = ("constant", "reflect", "wrap", "nearest")
_CONSTANT, _REFLECT, _WRAP = range(3)

# The geometry of these layers begins with the number of the output slot, which is a part of the key
# of the random numbers, and the image's height, width and channels.
SLOT, H, W, C = range(4)


def as_image(shape: Shape) -> tuple[int, int, int]:
    """Return height, width and channels of an image, or of a signal."""
    height, width, channels = (1, *shape)[-3:]
    return height, width, channels


@njit(**INLINED_OPTIONS)
def key_of(ctx: Any, op: Any, i: int) -> int:
    """Return the key of the random numbers of the sample in row i of the batch."""
    return stream(ctx[SEED], ctx[STEP], op[SLOT], i)


@njit(**INLINED_OPTIONS)
def uniform(key: int, unit: int, low: float, high: float) -> float:
    """Draw the key's number `unit` uniformly from [low, high), equal in both real types."""
    return low + (high - low) * random_uniform(key, unit, np.float64)


@njit(**INLINED_OPTIONS)
def pick(key: int, unit: int, low: int, high: int) -> int:
    """Draw the key's number `unit` from the integers low, ..., high."""
    return low + int((high + 1 - low) * random_uniform(key, unit, np.float64))


@njit(**INLINED_OPTIONS)
def fold(place: int, size: int, mode: int) -> int:
    """Return the place inside an axis whose value fills `place`; -1 for the constant."""
    # No branch depends on the place, except one that is seldom taken.
    if mode == _REFLECT:
        # The image and its mirror image, repeated.
        found = place ^ (place >> 63)
        if found >= 2 * size:
            found = found % (2 * size)
        found = min(found, 2 * size - 1 - found)
    elif mode == _CONSTANT:
        found = place if (place >= 0) & (place < size) else -1
    elif mode == _WRAP:
        found = place % size if (place < 0) | (place >= size) else place
    else:
        found = min(max(place, 0), size - 1)
    return found


def _of_signals(kind: type[Augmentation]) -> Iterator[str]:
    """Yield the names of a class and its subclasses of this package that take signals."""
    if kind.takes_signals and kind.__module__.startswith(f"{__package__}."):
        yield kind.__name__
    for child in kind.__subclasses__():
        yield from _of_signals(child)


class Augmentation(Layer):
    """Base of the layers that change samples at random in training."""

    #: Whether samples may be signals.
    takes_signals: ClassVar[bool] = False

    is_random = True

    def _check_samples(self, shape: Shape) -> None:
        """Raise ValueError unless samples are images or, if allowed, signals."""
        if len(shape) == 2 and self.takes_signals:
            return
        if len(shape) == 2:
            others = ", ".join(sorted(_of_signals(Augmentation)))
            raise ValueError(
                f"{type(self).__name__} takes images of shape (height, width, channels), got "
                f"signals of shape {shape}; {others} take signals."
            )
        self._check_axes(shape, 2)

    def _range(self, name: str, least: float = -math.inf, most: float = math.inf) -> Range:
        """Return the range of a factor: (-f, f) for one number f, or the given pair."""
        value = getattr(self, name)
        pair = value if isinstance(value, tuple | list) else (value, value)
        if len(pair) != 2 or not all(is_number(v) and math.isfinite(v) for v in pair):
            raise self._invalid(name, "must be a number >= 0 or a pair (low, high) of numbers.")
        low, high = (float(v) for v in pair)
        if pair is not value:
            if high < 0:
                raise self._invalid(name, "must be >= 0; pass (low, high) for another range.")
            low = -high
        if not least <= low <= high <= most:
            between = f"within [{least:g}, {most:g}]" if math.isfinite(most) else f"from {least:g}"
            within = "" if math.isinf(least) else f", {between}"
            raise self._invalid(name, f"must be a range (low, high) with low <= high{within}.")
        return low, high

    def _filling(self, mode: str, value: float) -> tuple[int, int]:
        """Return a fill mode and its value as numbers of a geometry."""
        self._check_choice("fill_mode", FILL_MODES)
        return FILL_MODES.index(mode), real_bits(float(value))

    def _append(self, builder: Builder, slot: int, kernels: Kernels, *geometry: int) -> int:
        """Append an instruction whose output has the shape of its input."""
        shape = builder.shape(slot)
        out = builder.slot(shape)
        geometry = (out, *as_image(shape), *geometry)
        return builder.append(Instruction(slot, out, kernels, geometry=geometry))
