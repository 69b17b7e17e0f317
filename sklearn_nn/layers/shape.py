"""Shapes: layers that rename or pad them, and how far a window slides over an image.

An image is a sample of shape (height, width, channels), a sequence one of (steps, channels), which
kernels take for an image of height 1. Either lies in its row of a slot place by place, the channels
of a place next to each other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, Builder, Clock, Layer, Shape, owned_rows
from sklearn_nn.layers.lengths import after_window, trim

PADDINGS = ("valid", "same")
#: Where samples have their channels before they are made rows of a slot, which has them last.
CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"
#: What samples of so many axes besides the channels are called.
_KINDS = {1: "sequences of shape (steps, channels)", 2: "images of shape (height, width, channels)"}


def _is_whole(value: Any) -> bool:
    return isinstance(value, int | np.integer)


def _several(value: Any, count: int) -> tuple[Any, ...]:
    """`value` so many times, if it is not several already."""
    return tuple(value) if isinstance(value, Sequence | np.ndarray) else (value,) * count


def whole_numbers(name: str, value: Any, count: int) -> tuple[int, ...]:
    """`value` as `count` positive whole numbers; one stands for all.

    Raises
    ------
    ValueError
        If it is neither one such number nor `count` of them.
    """
    numbers = _several(value, count)
    if len(numbers) != count or not all(_is_whole(n) and n > 0 for n in numbers):
        several = "" if count == 1 else f", or {count} of them"
        raise ValueError(f"{name}={value!r} must be a positive whole number{several}.")
    return tuple(int(n) for n in numbers)


def check_axes(layer: Layer, shape: Shape, count: int) -> None:
    """Raise a ValueError if samples have not `count` axes besides the channels."""
    if len(shape) != count + 1:
        after = (
            ", or return_sequences=True in the recurrent layer before it"
            if (count, len(shape)) == (1, 1)
            else ""
        )
        raise ValueError(
            f"{type(layer).__name__} takes {_KINDS[count]}, got samples of shape {shape}; put a "
            f"Reshape before it{after}."
        )


@dataclass(frozen=True)
class Axis:
    """A window that slides along one axis.

    Attributes
    ----------
    size, window, stride, dilation : int
        Cells of the axis and of the window, steps from place to place and from cell to cell.
    places : int
        Where the window stands: ceil(size / stride) for padding "same", and for "valid"
        ceil((size - reach + 1) / stride), where it reaches over (window - 1) dilation + 1 cells.
    before, after : int
        Cells by which the first and the last place reach beyond the ends; the odd one is after.
    """

    size: int
    window: int
    stride: int
    dilation: int
    places: int
    before: int
    after: int


def slide(size: int, window: int, stride: int, dilation: int, padding: str) -> Axis:
    """Slide a window along an axis; there may be no place for it."""
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return Axis(size, window, stride, dilation, -(-(size - reach + 1) // stride), 0, 0)
    places = -(-size // stride)
    beyond = max(0, (places - 1) * stride + reach - size)
    return Axis(size, window, stride, dilation, places, beyond // 2, beyond - beyond // 2)


def slide_all(
    parameter: str,
    shape: Shape,
    window: Sequence[int],
    strides: Sequence[int],
    dilations: Sequence[int],
    padding: str,
) -> list[Axis]:
    """Slide a window along every axis of samples of `shape` but the channels.

    Parameters
    ----------
    parameter : str
        What the window is called in an error: "kernel_size".
    shape : tuple of int
    window, strides, dilations : sequence of int
    padding : {"valid", "same"}

    Raises
    ------
    ValueError
        If `padding` is not known, or there is no place for the window.
    """
    if padding not in PADDINGS:
        raise ValueError(f"padding={padding!r} is not known; use one of {', '.join(PADDINGS)}.")
    sizes = zip(shape[:-1], window, strides, dilations, strict=True)
    axes = [slide(*numbers, padding) for numbers in sizes]
    if any(axis.places < 1 for axis in axes):
        size = window[0] if len(set(window)) == 1 else tuple(window)
        dilated = "" if set(dilations) == {1} else " with its dilation_rate"
        image = "x".join(map(str, shape[:-1])) if len(shape) > 2 else f"{shape[0]} steps long"
        noun = "kernel" if parameter == "kernel_size" else "window"
        raise ValueError(
            f"{parameter}={size}{dilated} does not fit the {image} input; use "
            f'padding="same" or a smaller {noun}.'
        )
    return axes


def read_by_window(
    builder: Builder, slot: int, axis: Axis, padding: str, *, sees_zeros: bool
) -> tuple[int, Clock | None]:
    """What a window along sequences of unequal length reads instead of `slot`, and its own clock.

    Parameters
    ----------
    builder : Builder
    slot : int
    axis : Axis
        How it slides over the longest of them.
    padding : {"valid", "same"}
    sees_zeros : bool
        Whether the window sees zeros beyond the ends, or nothing.

    Raises
    ------
    ValueError
        If the window's places in a sequence would depend on how long the others are.
    """
    clock = builder.clock(slot)
    reach = (axis.window - 1) * axis.dilation + 1
    if clock is None or padding == "valid" or reach == 1:
        return slot, after_window(clock, reach, axis.stride)
    if sees_zeros and axis.stride == 1:
        return trim(builder, slot), clock
    strided = ", or strides=1 and a pool behind it" if sees_zeros else ""
    raise ValueError(
        f'padding="same" with a window of {reach} steps and strides={axis.stride} does not take '
        f'sequences of unequal length; use padding="valid"{strided}.'
    )


def as_images(axes: Sequence[Axis]) -> tuple[Axis, Axis]:
    """Height and width of what slides over images or, of height 1, sequences."""
    height = slide(1, 1, 1, 1, "valid") if len(axes) == 1 else axes[0]
    return height, axes[-1]


# --- kernels: geometry is height, width, channels, top, left, padded height, padded width ---------


@kernel(FORWARD)
def pad_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x amid zeros. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    height, size, zero = op[0], op[1] * op[2], like(x[0, 0], 0)
    top, left, rows, length = op[3], op[4] * op[2], op[5], op[6] * op[2]
    for i in range(lo * rows, hi * rows):
        h = i % rows - top
        inside = h >= 0 and h < height
        first = left if inside else length
        before = vector(y, i * length, first)
        for j in range(before.size):
            before[j] = zero
        if inside:
            source = vector(x, (i // rows * height + h) * size, size)
            target = vector(y, i * length + left, size)
            for j in range(size):
                target[j] = source[j]
            after = vector(y, i * length + left + size, length - left - size)
            for j in range(after.size):
                after[j] = zero


@kernel(BACKWARD)
def pad_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy without its margins. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    height, size = op[0], op[1] * op[2]
    top, left, rows, length = op[3], op[4] * op[2], op[5], op[6] * op[2]
    for i in range(lo * height, hi * height):
        row = i // height * rows + top + i % height
        source, target = vector(dy, row * length + left, size), vector(dx, i * size, size)
        for j in range(size):
            target[j] = source[j]


Margins = tuple[tuple[int, int], ...]


def padded_shape(shape: Shape, margins: Margins) -> Shape:
    """Shape of a sample between margins: (before, after) for every axis but the channels."""
    spatial = zip(shape[:-1], margins, strict=True)
    return (*(size + before + after for size, (before, after) in spatial), shape[-1])


def pad(builder: Builder, slot: int, margins: Margins) -> int:
    """Append an instruction that pads with zeros; no margins are no instruction."""
    shape = builder.shape(slot)
    if not any(map(sum, margins)):
        return slot
    wide = padded_shape(shape, margins)
    out = builder.slot(wide)
    # A sequence is an image of height 1.
    *sizes, channels = (1, *shape)[-3:]
    (top, _), (left, _) = ((0, 0), *margins)[-2:]
    geometry = (*sizes, channels, top, left, *(1, *wide)[-3:-1])
    forward, backward = pad_forward, pad_backward
    builder.instruction(slot, out, forward=forward, backward=backward, geometry=geometry, keeps="")
    return out


# --- layers ---------------------------------------------------------------------------------


class Flatten(Layer):
    """Turn each sample into a vector, in the order of its axes. Nothing is copied."""

    def output_shape(self, shape: Shape) -> Shape:
        """One axis that holds all elements."""
        return (int(np.prod(shape)),)

    def lower(self, builder: Builder, slot: int) -> int:
        """No instruction: another name for the slot."""
        return builder.reshape(slot, self.output_shape(builder.shape(slot)))


class Reshape(Layer):
    """Give each sample another shape; its elements keep their order. Nothing is copied.

    Parameters
    ----------
    target_shape : tuple of int
        Shape of one sample. One entry may be -1: it is what is left.
    """

    def __init__(self, target_shape: Sequence[int]) -> None:
        self.target_shape = target_shape

    def output_shape(self, shape: Shape) -> Shape:
        """The target shape, with -1 replaced."""
        target = _several(self.target_shape, 1)
        valid = all(_is_whole(n) and (n > 0 or n == -1) for n in target)
        if not target or not valid or target.count(-1) > 1:
            raise ValueError(
                f"target_shape={self.target_shape!r} must hold positive whole numbers, of which "
                "one may be -1."
            )
        size, known = int(np.prod(shape)), int(np.prod([n for n in target if n != -1]))
        if size % known or (-1 not in target and size != known):
            raise ValueError(
                f"target_shape={self.target_shape!r} does not hold the {size} elements of samples "
                f"of shape {shape}; use -1 for one of its entries, or other numbers."
            )
        return tuple(size // known if n == -1 else int(n) for n in target)

    def lower(self, builder: Builder, slot: int) -> int:
        """No instruction: another name for the slot."""
        return builder.reshape(slot, self.output_shape(builder.shape(slot)))


class ZeroPad(Layer):
    """Put zeros around images, or before and after sequences.

    Parameters
    ----------
    padding : int, tuple of two ints, or tuple of two pairs of ints
        For images: the same on all sides; (above and below, left and right); or ((top, bottom),
        (left, right)). For sequences: the same on both sides, or (before, after).
    """

    def __init__(self, padding: Any = 1) -> None:
        self.padding = padding

    def _margins(self, shape: Shape) -> Margins:
        if len(shape) not in (2, 3):
            raise ValueError(
                f"ZeroPad takes {_KINDS[2]} or {_KINDS[1]}, got samples of shape {shape}; put a "
                "Reshape before it."
            )
        count, given = len(shape) - 1, self.padding
        sides = _several(given, 2)
        pairs = [sides] if count == 1 else [_several(side, 2) for side in sides]
        numbers = [n for pair in pairs for n in pair]
        fits = len(pairs) == count and all(len(pair) == 2 for pair in pairs)
        if not fits or not all(_is_whole(n) and n >= 0 for n in numbers):
            wanted = "two of them" if count == 1 else "two of them, or two pairs of them"
            raise ValueError(
                f"padding={given!r} of ZeroPad must be a whole number >= 0, {wanted}, for samples "
                f"of shape {shape}."
            )
        return tuple((int(before), int(after)) for before, after in pairs)

    def output_shape(self, shape: Shape) -> Shape:
        """The margins are added; the channels stay."""
        return padded_shape(shape, self._margins(shape))

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; no margins are none."""
        return pad(builder, slot, self._margins(builder.shape(slot)))
