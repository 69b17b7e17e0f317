"""Convolutional layers, of images and of sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np

from sklearn_nn.layers.activated import Activated
from sklearn_nn.layers.base import Builder, Parameter, Shape
from sklearn_nn.layers.convolution.convolve import (
    AMID_ZEROS,
    BY_LANES,
    conv_backward,
    conv_forward,
    conv_prepare,
    conv_weights,
)
from sklearn_nn.layers.convolution.depthwise import (
    depthwise_backward,
    depthwise_forward,
    depthwise_weights,
)
from sklearn_nn.layers.convolution.winograd import (
    FEWEST_CHANNELS,
    FEWEST_PLACES,
    room,
    winograd_backward,
    winograd_forward,
    winograd_weights,
)
from sklearn_nn.layers.shape import (
    Axis,
    as_images,
    check_axes,
    read_by_window,
    slide,
    slide_all,
    whole_numbers,
)

_DIRECT: dict[str, Any] = {
    "forward": conv_forward,
    "prepare": conv_prepare,
    "backward": conv_backward,
    "weights": conv_weights,
}
_DEPTHWISE: dict[str, Any] = {
    "forward": depthwise_forward,
    "backward": depthwise_backward,
    "weights": depthwise_weights,
}
_WINOGRAD: dict[str, Any] = {
    "forward": winograd_forward,
    "prepare": conv_prepare,
    "backward": winograd_backward,
    "weights": winograd_weights,
}
_ONE = slide(1, 1, 1, 1, "valid")

#: With fewer channels than this, dX is summed over the lanes of vectors: channels would leave some
#: idle.
THIN_CHANNELS = 16
#: A reduction of fewer steps than this is not worth its reading and writing of y. Images are then
#: copied amid zeros, left and right, so that the positions of a kernel row are one reduction.
FEW_STEPS = 64


def _is_fast(height: Axis, width: Axis, channels: int, filters: int, groups: int) -> bool:
    """Whether there are kernels with fewer multiplications: those of 3 x 3 cells."""
    if groups > 1 or min(channels, filters) < FEWEST_CHANNELS:
        return False
    return all(
        axis.stride == axis.dilation == 1 and axis.window == 3 and axis.places >= FEWEST_PLACES
        for axis in (height, width)
    )


class _Conv(Activated):
    """What convolutions of images and of sequences share; `_rank` counts the axes they slide on."""

    _rank: ClassVar[int]

    def __init__(
        self,
        filters: int,
        kernel_size: int | Sequence[int],
        *,
        strides: int | Sequence[int] = 1,
        padding: str = "valid",
        dilation_rate: int | Sequence[int] = 1,
        groups: int = 1,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
    ) -> None:
        self.filters = filters
        self.kernel_size = kernel_size
        self.strides = strides
        self.padding = padding
        self.dilation_rate = dilation_rate
        self.groups = groups
        self.activation = activation
        self.use_bias = use_bias
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def _axes(self, shape: Shape) -> list[Axis]:
        """How the kernel slides over samples of `shape`; checks all parameters."""
        check_axes(self, shape, self._rank)
        (filters,), (groups,) = (
            whole_numbers(name, getattr(self, name), 1) for name in ("filters", "groups")
        )
        for name, number in (("filters", filters), ("channels", shape[-1])):
            if number % groups:
                raise ValueError(
                    f"groups={groups} does not divide {name}={number}; use a divisor of both the "
                    f"{filters} filters and the {shape[-1]} channels."
                )
        window, strides, dilations = (
            whole_numbers(name, getattr(self, name), self._rank)
            for name in ("kernel_size", "strides", "dilation_rate")
        )
        return slide_all("kernel_size", shape, window, strides, dilations, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        """Where the kernel has a place along each axis, and the filters."""
        self.activation_layer()
        return (*(axis.places for axis in self._axes(shape)), int(self.filters))

    def _parameters(self, window: Sequence[int], depth: int) -> list[Parameter]:
        """Kernel and bias; the fans are those of Keras: receptive field times channels."""
        field = int(np.prod(window))
        fans = {"fan_in": field * depth, "fan_out": field * int(self.filters)}
        kernel_shape = (*window, depth, int(self.filters))
        draw_kernel = self.kernel_initializer or "glorot_uniform"
        parameters = [Parameter("kernel", kernel_shape, draw_kernel, **fans)]
        if self.use_bias:
            draw_bias, bias_shape = self.bias_initializer or "zeros", kernel_shape[-1:]
            parameters.append(Parameter("bias", bias_shape, draw_bias, **fans, decay=0.0))
        return parameters

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction, and the activation."""
        shape = builder.shape(slot)
        axes = self._axes(shape)
        channels, filters, groups = shape[-1], int(self.filters), int(self.groups)
        slot, clock = read_by_window(builder, slot, axes[-1], self.padding, sees_zeros=True)
        out = builder.slot(self.output_shape(shape), clock)
        parameters = self._parameters([axis.window for axis in axes], channels // groups)
        height, width = as_images(axes)
        # A kernel as large as the image, and one of one cell, are products of matrices.
        covers = self.padding == "valid" and all(axis.window == axis.size for axis in axes)
        if covers and groups == 1:
            channels, height, width = int(np.prod(shape)), _ONE, _ONE
        elif height.window * width.window * height.stride * width.stride == 1:
            places = height.size * width.size
            height, width = _ONE, replace(_ONE, size=places, places=places)
        fast = _is_fast(height, width, channels, filters, groups)
        neighbours = not fast and groups == 1 and width.dilation == 1 < width.window
        amid_zeros = neighbours and (
            channels < THIN_CHANNELS or channels * height.window < FEW_STEPS
        )
        dense = height.stride == width.stride == height.dilation == 1
        thin = neighbours and dense and channels < THIN_CHANNELS
        few = BY_LANES if thin else AMID_ZEROS if amid_zeros else 0
        depthwise = 1 < groups == channels == filters
        beyond = width.before + width.after
        scratch = height.size * (width.size + beyond) * channels if few and beyond else 0
        if thin:
            scratch = max(scratch, filters)
        elif fast:
            scratch = room(max(width.size, width.places), channels, filters)
        kernels = _DEPTHWISE if depthwise else _WINOGRAD if fast else _DIRECT
        builder.instruction(
            slot,
            out,
            **kernels,
            parameters=parameters,
            work=0 if depthwise else parameters[0].size,
            scratch=scratch,
            geometry=(
                height.size, width.size, channels, height.window, width.window, filters,
                height.places, width.places, height.stride, width.stride,
                height.dilation, width.dilation, height.before, width.before, groups, few,
            ),
            keeps="x",
        )  # fmt: skip
        return self.activate(builder, out)


class Conv2D(_Conv):
    """Convolution of images: every filter is moved over the image, and sees all channels.

    ``y[i, j, f] = b[f] + sum_{p, q, c} x[i s + p d - top, j s + q d - left, c] W[p, q, c, f]``
    for strides s and dilation rates d (LeCun et al., 1989; Dumoulin & Visin, 2016). As in Keras the
    kernel is not flipped. A `kernel_size` of 1 mixes channels place by place.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int or pair of ints
        Height and width of the kernel.
    strides : int or pair of ints, default=1
        Steps from one place of the kernel to the next, down and to the right.
    padding : {"valid", "same"}, default="valid"
        "valid" places the kernel inside the image: ceil((size - k + 1) / stride) times, where it
        reaches over k cells. "same" goes on beyond the edges, where it sees zeros: ceil(size /
        stride) times; of an odd number of cells beyond, the larger half is at the bottom and right.
    dilation_rate : int or pair of ints, default=1
        Steps from one cell of the kernel to the next.
    groups : int, default=1
        Input and output channels are dealt out to so many groups, in order, and a filter sees the
        channels of its group. As many groups as channels: a depthwise convolution.
    activation : str, Activation, ParametricActivation or None, default=None
        Applied to y, as a layer behind this one would be: a name that :class:`Activation` takes,
        or a layer. None and "linear" are none.
    use_bias : bool, default=True
        Whether b is there.
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (height, width, channels / groups, filters). None is Glorot's uniform
        distribution. Fans are height * width times channels / groups, and times filters.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (filters,). None is zeros.
    """

    _rank = 2


class Conv1D(_Conv):
    """Convolution of sequences and signals: every filter is moved along the steps.

    ``y[i, f] = b[f] + sum_{p, c} x[i s + p d - before, c] W[p, c, f]`` for a stride s and a
    dilation rate d. `Conv2D` says more.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int
        Length of the kernel.
    strides : int, default=1
        Steps from one place of the kernel to the next.
    padding : {"valid", "same"}, default="valid"
        Whether the kernel stays inside the sequence, or goes on beyond its ends, where it sees
        zeros. Sequences of unequal length take "same" with `strides` of 1 only.
    dilation_rate : int, default=1
        Steps from one cell of the kernel to the next.
    groups : int, default=1
        Input and output channels are dealt out to so many groups.
    activation : str, Activation, ParametricActivation or None, default=None
        Applied to y, as a layer behind this one would be: a name that :class:`Activation` takes,
        or a layer. None and "linear" are none.
    use_bias : bool, default=True
        Whether b is there.
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (length, channels / groups, filters). None is Glorot's uniform
        distribution.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (filters,). None is zeros.
    """

    _rank = 1
    lengths = "heeds"
