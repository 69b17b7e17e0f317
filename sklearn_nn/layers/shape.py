"""Shapes: layers that change or pad them, checks of parameters, and sliding windows.

An image is a sample of shape (height, width, channels); a sequence, of shape (steps, channels), is
an image of height 1 to the kernels. In a row of a slot, the channels of a place are contiguous.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Integral
from typing import Any

import numpy as np

from sklearn_nn._spec import is_number, parameters
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Clock, Instruction, Kernels, Layer, Shape, several
from sklearn_nn.layers.lengths import after_window, trim
from sklearn_nn.layers.vectors import clear, copy

Sizes = Sequence[int]
Margins = tuple[tuple[int, int], ...]
PADDINGS = ("valid", "same")
#: Axis of the channels in samples; in a slot they are last.
CHANNELS_FIRST, CHANNELS_LAST = "channels_first", "channels_last"


@dataclass(frozen=True)
class Axis:
    """A window that slides along one axis."""

    #: Number of cells of the axis and of the window, and distances between places and cells.
    size: int
    window: int
    stride: int
    dilation: int
    #: Number of positions of the window.
    places: int
    #: Number of cells beyond the ends; of an odd number, the larger half is after.
    before: int
    after: int

    @property
    def reach(self) -> int:
        """Number of cells from the window's first to its last."""
        return (self.window - 1) * self.dilation + 1


def slide(size: int, window: int, stride: int, dilation: int, padding: str) -> Axis:
    """Return the positions of a window along an axis, of which there may be none.

    There are ceil(size / stride) with padding "same", and ceil((size - reach + 1) / stride) else.
    """
    reach = (window - 1) * dilation + 1
    if padding == "valid":
        return Axis(size, window, stride, dilation, -(-(size - reach + 1) // stride), 0, 0)
    places = -(-size // stride)
    beyond = max(0, (places - 1) * stride + reach - size)
    return Axis(size, window, stride, dilation, places, beyond // 2, beyond - beyond // 2)


def slide_all(
    parameter: str, shape: Shape, window: Sizes, strides: Sizes, dilations: Sizes, padding: str
) -> list[Axis]:
    """Return the positions of a window, named `parameter` in errors, along axes but the last."""
    if padding not in PADDINGS:
        raise ValueError(f"padding={padding!r} is not known; use one of {', '.join(PADDINGS)}.")
    sizes = zip(shape[:-1], window, strides, dilations, strict=True)
    axes = [slide(*numbers, padding) for numbers in sizes]
    if any(axis.places < 1 for axis in axes):
        size = window[0] if len(set(window)) == 1 else tuple(window)
        dilated = "" if set(dilations) == {1} else " with its dilation_rate"
        image = "x".join(map(str, shape[:-1])) if len(shape) > 2 else f"{shape[0]} steps long"
        noun = "kernel" if parameter == "kernel_size" else "window"
        remedy = f'use padding="same" or a smaller {noun}'
        raise ValueError(f"{parameter}={size}{dilated} does not fit the {image} input; {remedy}.")
    return axes


def read_by_window(
    builder: Builder, slot: int, axis: Axis, padding: str, *, sees_zeros: bool
) -> tuple[int, Clock | None]:
    """Return the slot that a window along sequences reads, and the clock of its output.

    `sees_zeros` is whether the window sees zeros beyond the ends, or nothing. Raise ValueError if
    its positions in a sequence would depend on the lengths of the others.
    """
    clock = builder.clock(slot)
    if clock is None or padding == "valid" or axis.reach == 1:
        return slot, after_window(clock, axis.reach, axis.stride)
    if sees_zeros and axis.stride == 1:
        return trim(builder, slot), clock
    strided = ", or strides=1 and a pooling layer after it" if sees_zeros else ""
    raise ValueError(
        f'padding="same" with a window of {axis.reach} steps and strides={axis.stride} does not '
        f'take sequences of unequal length; use padding="valid"{strided}, or pad all to one '
        "length."
    )


def as_images(axes: Sequence[Axis]) -> tuple[Axis, Axis]:
    """Return the axes of height and width; sequences have a height of 1."""
    height = slide(1, 1, 1, 1, "valid") if len(axes) == 1 else axes[0]
    return height, axes[-1]


# --- kernels: geometry is height, width, channels, top, left, padded height, padded width -------


@kernel(FORWARD)
def pad_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = x surrounded by zeros. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    height, size = op[0], op[1] * op[2]
    top, left, rows, length = op[3], op[4] * op[2], op[5], op[6] * op[2]
    for i in range(lo * rows, hi * rows):
        h = i % rows - top
        inside = h >= 0 and h < height
        clear(vector(y, i * length, left if inside else length))
        if inside:
            source = vector(x, (i // rows * height + h) * size, size)
            copy(source, vector(y, i * length + left, size))
            clear(vector(y, i * length + left + size, length - left - size))


@kernel(BACKWARD)
def pad_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy without its margins. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    height, size = op[0], op[1] * op[2]
    top, left, rows, length = op[3], op[4] * op[2], op[5], op[6] * op[2]
    for i in range(lo * height, hi * height):
        row = i // height * rows + top + i % height
        copy(vector(dy, row * length + left, size), vector(dx, i * size, size))


def padded_shape(shape: Shape, margins: Margins) -> Shape:
    """Return the shape with margins: (before, after) for every axis except the channels."""
    spatial = zip(shape[:-1], margins, strict=True)
    return (*(size + before + after for size, (before, after) in spatial), shape[-1])


def pad(builder: Builder, slot: int, margins: Margins) -> int:
    """Append an instruction that pads with zeros, if there are margins."""
    if not any(map(sum, margins)):
        return slot
    shape = builder.shape(slot)
    wide = padded_shape(shape, margins)
    out = builder.slot(wide)
    # A sequence is an image of height 1.
    *sizes, channels = (1, *shape)[-3:]
    (top, _), (left, _) = ((0, 0), *margins)[-2:]
    geometry = (*sizes, channels, top, left, *(1, *wide)[-3:-1])
    kernels = Kernels(pad_forward, pad_backward)
    return builder.append(Instruction(slot, out, kernels, geometry=geometry, keeps=""))


# --- layers ---------------------------------------------------------------------------------


class Flatten(Layer):
    """Layer that reshapes each sample to a vector. Nothing is copied.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D, Dense, Flatten
    >>> X = np.random.default_rng(0).random((4, 8, 8, 1))
    >>> model = NeuralNetworkClassifier([Conv2D(16, 3), Flatten(), Dense(32)])
    >>> model = model.initialize(X, [0, 1, 0, 1])
    >>> [(row.name, row.output_shape) for row in model.summary().rows][:3]
    [('conv2d1', (6, 6, 16)), ('flatten1', (576,)), ('dense1', (32,))]
    """

    def output_shape(self, shape: Shape) -> Shape:
        """Return (number of elements,)."""
        return (int(np.prod(shape)),)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append no instruction; return another view of the slot."""
        return builder.reshape(slot, self.output_shape(builder.shape(slot)))


@parameters
class Reshape(Layer):
    """Layer that reshapes each sample; elements keep their order. Nothing is copied.

    Parameters
    ----------
    target_shape : tuple of int
        Shape of one sample. One entry may be -1, which is inferred.

    Examples
    --------
    Rows of 64 numbers become images of 8 x 8 pixels:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D, Reshape
    >>> X, y = load_digits(return_X_y=True)
    >>> model = NeuralNetworkClassifier([Reshape((8, 8, 1)), Conv2D(16, 3)]).initialize(X / 16, y)
    >>> [(row.name, row.output_shape) for row in model.summary().rows][:2]
    [('reshape1', (8, 8, 1)), ('conv2d1', (6, 6, 16))]
    """

    target_shape: Sequence[int]

    def output_shape(self, shape: Shape) -> Shape:
        """Return the target shape, with -1 replaced."""
        target = several(self.target_shape, 1)
        valid = all(isinstance(n, int | np.integer) and (n > 0 or n == -1) for n in target)
        if not target or not valid or target.count(-1) > 1:
            wanted = "must hold positive whole numbers, of which one may be -1."
            raise ValueError(f"target_shape={self.target_shape!r} {wanted}")
        size, known = int(np.prod(shape)), int(np.prod([n for n in target if n != -1]))
        if size % known or (-1 not in target and size != known):
            raise ValueError(
                f"target_shape={self.target_shape!r} does not hold the {size} elements of samples "
                f"of shape {shape}; use -1 for one of its entries, or other numbers."
            )
        return tuple(size // known if n == -1 else int(n) for n in target)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append no instruction; return another view of the slot."""
        return builder.reshape(slot, self.output_shape(builder.shape(slot)))


@parameters
class ZeroPad(Layer):
    """Layer that pads images on all sides, or sequences at both ends, with zeros.

    Parameters
    ----------
    padding : int, tuple of two ints, or tuple of two pairs of ints
        For images: the same on all sides; (above and below, left and right); or ((top, bottom),
        (left, right)). For sequences: the same on both sides, or (before, after).

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import ZeroPad
    >>> X = np.array([[[1.0, 2.0]], [[3.0, 1.0]]])[..., None]  # two images of 1 x 2 pixels
    >>> network = NeuralNetworkClassifier([ZeroPad(((0, 1), (1, 2)))]).initialize(X, [0, 1])
    >>> extractor = FeatureExtractor(network, layer="zeropad1").fit(X)
    >>> extractor.transform(X[:1]).reshape(extractor.output_shape_)[:, :, 0]
    array([[0., 1., 2., 0., 0.],
           [0., 0., 0., 0., 0.]])
    """

    padding: Any = 1

    def margins(self, shape: Shape) -> Margins:
        """Return (before, after) for every axis of samples of `shape` except the channels."""
        if len(shape) not in (2, 3):
            images = "images of shape (height, width, channels)"
            takes = f"{images} or sequences of shape (steps, channels)"
            raise self._misfit(shape, takes, "put a Reshape before it.")
        count, sides = len(shape) - 1, several(self.padding, 2)
        pairs = [sides] if count == 1 else [several(side, 2) for side in sides]
        numbers = [n for pair in pairs for n in pair]
        fits = len(pairs) == count and all(len(pair) == 2 for pair in pairs)
        if not fits or not all(is_number(n, Integral) and n >= 0 for n in numbers):
            wanted = "two of them" if count == 1 else "two of them, or two pairs of them"
            remedy = f"must be a whole number >= 0, {wanted}, for samples of shape {shape}."
            raise self._invalid("padding", remedy)
        return tuple((int(before), int(after)) for before, after in pairs)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape with the margins added."""
        return padded_shape(shape, self.margins(shape))

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none without margins."""
        return pad(builder, slot, self.margins(builder.shape(slot)))
