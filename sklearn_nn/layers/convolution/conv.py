"""Convolutional layers for images and sequences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY, replace
from typing import Any, ClassVar

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.layers.activation import Activated
from sklearn_nn.layers.convolution.convolve import AMID_ZEROS, BY_LANES, DIRECT
from sklearn_nn.layers.convolution.depthwise import DEPTHWISE
from sklearn_nn.layers.convolution.windows import lower_windows
from sklearn_nn.layers.convolution.winograd import FEWEST_CHANNELS, FEWEST_PLACES, WINOGRAD, room
from sklearn_nn.layers.layer import Builder, Instruction, Layer, Parameter, Shape
from sklearn_nn.layers.shape import Axis, as_images, read_by_window, slide, slide_all

_ONE = slide(1, 1, 1, 1, "valid")

#: With fewer channels than this, dX is summed over lanes: a vector of channels has idle lanes.
THIN_CHANNELS = 16
#: For reductions of fewer terms than this, images are copied with zeros left and right, so that a
#: kernel row is one reduction, and y is read and written less often.
FEW_STEPS = 64


def _is_fast(height: Axis, width: Axis, channels: int, filters: int, groups: int) -> bool:
    """Return whether the kernels of winograd.py apply and are faster."""
    if groups > 1 or min(channels, filters) < FEWEST_CHANNELS:
        return False
    fits = [a.stride == a.dilation == 1 and a.window == 3 for a in (height, width)]
    return all(fits) and min(height.places, width.places) >= FEWEST_PLACES


@parameters
class _Conv(Activated):
    """Base of convolutions; `_rank` is the number of axes along which the kernel slides."""

    filters: int
    kernel_size: int | Sequence[int]
    _: KW_ONLY
    strides: int | Sequence[int] = 1
    padding: str = "valid"
    dilation_rate: int | Sequence[int] = 1
    groups: int = 1
    activation: Any = None
    use_bias: bool = True
    kernel_initializer: Any = None
    bias_initializer: Any = None

    _rank: ClassVar[int]

    def axes(self, shape: Shape) -> list[Axis]:
        """Return the positions of the kernel over samples of `shape`; check all parameters."""
        self._check_axes(shape, self._rank)
        filters, groups = self._whole_number("filters"), self._whole_number("groups")
        for name, number in (("filters", filters), ("channels", shape[-1])):
            if number % groups:
                raise ValueError(
                    f"groups={groups} does not divide {name}={number}; use a divisor of both the "
                    f"{filters} filters and the {shape[-1]} channels."
                )
        names = ("kernel_size", "strides", "dilation_rate")
        window, strides, dilations = (self._whole_numbers(name, self._rank) for name in names)
        return slide_all("kernel_size", shape, window, strides, dilations, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the number of positions of the kernel along each axis, and the filters."""
        self.activation_layer()
        return (*(axis.places for axis in self.axes(shape)), int(self.filters))

    def _parameters(self, window: Sequence[int], depth: int) -> list[Parameter]:
        """Return kernel and bias; the fans are those of Keras: receptive field times channels."""
        field = int(np.prod(window))
        fans = {"fan_in": field * depth, "fan_out": field * int(self.filters)}
        kernel_shape = (*window, depth, int(self.filters))
        draw_kernel = self._initializer("kernel_initializer", "glorot_uniform")
        parameters = [Parameter("kernel", kernel_shape, draw_kernel, **fans)]
        if self.use_bias:
            draw_bias = self._initializer("bias_initializer", "zeros")
            parameters.append(Parameter("bias", kernel_shape[-1:], draw_bias, **fans, decay=0.0))
        return parameters

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, and the activation."""
        shape = builder.shape(slot)
        axes = self.axes(shape)
        channels, filters, groups = shape[-1], int(self.filters), int(self.groups)
        slot, clock = read_by_window(builder, slot, axes[-1], self.padding, sees_zeros=True)
        out = builder.slot(self.output_shape(shape), clock)
        parameters = self._parameters([axis.window for axis in axes], channels // groups)
        height, width = as_images(axes)
        # With a kernel of the size of the image, or of one cell, it is a matrix product.
        covers = self.padding == "valid" and all(axis.window == axis.size for axis in axes)
        if covers and groups == 1:
            channels, height, width = int(np.prod(shape)), _ONE, _ONE
        elif height.window * width.window * height.stride * width.stride == 1:
            places = height.size * width.size
            height, width = _ONE, replace(_ONE, size=places, places=places)
        if groups == channels == filters:
            taps = height.window * width.window
            numbers, scratch = lower_windows(height, width, channels, taps + 1, weights=True)
            op = Instruction(slot, out, DEPTHWISE, parameters, geometry=numbers, keeps="x")
            op.scratch = scratch
            return self.activate(builder, builder.append(op))
        fast = _is_fast(height, width, channels, filters, groups)
        neighbours = not fast and groups == 1 and width.dilation == 1 < width.window
        is_few = channels < THIN_CHANNELS or channels * height.window < FEW_STEPS
        dense = height.stride == width.stride == height.dilation == 1
        thin = neighbours and dense and channels < THIN_CHANNELS
        few = BY_LANES if thin else AMID_ZEROS if neighbours and is_few else 0
        beyond = width.before + width.after
        scratch = height.size * (width.size + beyond) * channels if few and beyond else 0
        if thin:
            scratch = max(scratch, filters)
        elif fast:
            scratch = room(max(width.size, width.places), channels, filters)
        winograd = WINOGRAD._replace(prepare=DIRECT.prepare)
        kernels = winograd if fast else DIRECT
        geometry = (
            height.size, width.size, channels, height.window, width.window, filters,
            height.places, width.places, height.stride, width.stride,
            height.dilation, width.dilation, height.before, width.before, groups, few,
        )  # fmt: skip
        op = Instruction(slot, out, kernels, parameters, geometry=geometry, keeps="x")
        op.work, op.scratch = parameters[0].size, scratch
        return self.activate(builder, builder.append(op))


class Conv2D(_Conv):
    """Convolution of images; each filter sees all channels.

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
        Distance between positions of the kernel, down and to the right.
    padding : {"valid", "same"}, default="valid"
        "valid" keeps the kernel inside the image, at ceil((size - k + 1) / stride) positions if it
        covers k cells. With "same" it reaches beyond the edges, where it sees zeros, at ceil(size /
        stride) positions; of an odd number of cells beyond, the larger half is at the bottom and
        right.
    dilation_rate : int or pair of ints, default=1
        Distance between cells of the kernel.
    groups : int, default=1
        Number of groups into which input and output channels are divided, in order; a filter sees
        the channels of its group. With as many groups as channels, it is a depthwise convolution.
    activation : str, Activation, ParametricActivation or None, default=None
        Activation of y: a name that :class:`Activation` takes, or a layer; None is the identity.
    use_bias : bool, default=True
        Whether to add b.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (height, width, channels / groups, filters). None is Glorot's uniform
        distribution, with fans of height * width times channels / groups, and times filters.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (filters,). None is zeros.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D
    >>> digits = load_digits()
    >>> X, y = digits.images[..., None] / 16, digits.target  # (n, height, width, channels)
    >>> layers = [Conv2D(16, 3, activation="relu"), Conv2D(32, 3, strides=2, padding="same")]
    >>> model = NeuralNetworkClassifier(
    ...     layers, batch_size=32, learning_rate_init=0.005, max_iter=5, random_state=0
    ... )
    >>> round(model.fit(X[:1200], y[:1200]).score(X[1200:], y[1200:]), 1)
    0.9
    >>> [(row.name, row.output_shape) for row in model.summary().rows][:2]
    [('conv2d1', (6, 6, 16)), ('conv2d2', (3, 3, 32))]
    >>> model.layers_["conv2d2"]["kernel"].shape
    (3, 3, 16, 32)
    """

    _rank = 2


class Conv1D(_Conv):
    """Convolution of sequences and signals; each filter sees all channels.

    ``y[i, f] = b[f] + sum_{p, c} x[i s + p d - before, c] W[p, c, f]`` for a stride s and a
    dilation rate d. See `Conv2D` for details.

    Parameters
    ----------
    filters : int
        Number of output channels.
    kernel_size : int
        Length of the kernel.
    strides : int, default=1
        Distance between positions of the kernel.
    padding : {"valid", "same"}, default="valid"
        "valid" keeps the kernel inside the sequence; with "same" it reaches beyond the ends, where
        it sees zeros. For sequences of unequal length, "same" requires `strides` of 1.
    dilation_rate : int, default=1
        Distance between cells of the kernel.
    groups : int, default=1
        Number of groups into which input and output channels are divided.
    activation : str, Activation, ParametricActivation or None, default=None
        Activation of y: a name that :class:`Activation` takes, or a layer; None is the identity.
    use_bias : bool, default=True
        Whether to add b.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (length, channels / groups, filters). None is Glorot's uniform
        distribution.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (filters,). None is zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv1D, GlobalMaxPool
    >>> X = np.random.default_rng(0).standard_normal((4, 100, 3))  # 4 signals of 3 channels
    >>> layers = [Conv1D(16, 7, activation="relu"), Conv1D(32, 5, strides=2), GlobalMaxPool()]
    >>> model = NeuralNetworkClassifier(layers).initialize(X, [0, 1, 0, 1])
    >>> [(row.name, row.output_shape) for row in model.summary().rows][:3]
    [('conv1d1', (94, 16)), ('conv1d2', (45, 32)), ('globalmaxpool1', (32,))]
    """

    _rank = 1
    lengths = "reads"
    reads_steps = True


@parameters
class Bottleneck(Layer):
    """Layer that mixes the channels of each step of a sequence: a `Conv1D` of length 1, no bias.

    Before large convolutions it reduces the number of channels (Szegedy et al., 2015). A sequence
    of one channel is left as it is, so that one list of layers serves for series of one channel and
    of many.

    Parameters
    ----------
    filters : int
        Number of output channels, unless there is only one input channel.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (1, channels, filters). None is Glorot's uniform distribution.

    References
    ----------
    Szegedy, C., et al. (2015). Going deeper with convolutions. CVPR.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Bottleneck, Conv1D, GlobalAveragePool
    >>> layers = [Bottleneck(4), Conv1D(8, 20), GlobalAveragePool()]
    >>> for channels in (1, 12):
    ...     X = np.zeros((2, 100, channels))
    ...     model = NeuralNetworkClassifier(layers).initialize(X, [0, 1])
    ...     print([(row.output_shape, row.n_parameters) for row in model.summary().rows][:2])
    [((100, 1), 0), ((81, 8), 168)]
    [((100, 4), 48), ((81, 8), 648)]
    """

    filters: int
    _: KW_ONLY
    kernel_initializer: Any = None

    lengths = "reads"
    reads_steps = True

    def convolution(self, shape: Shape) -> Conv1D | None:
        """Return the convolution that it is for samples of `shape`, or None for one channel."""
        self._check_axes(shape, 1)
        self._whole_number("filters")
        if shape[-1] == 1:
            return None
        return Conv1D(self.filters, 1, use_bias=False, kernel_initializer=self.kernel_initializer)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the number of steps, and the filters; `shape` for one channel."""
        convolution = self.convolution(shape)
        return shape if convolution is None else convolution.output_shape(shape)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none for one channel."""
        convolution = self.convolution(builder.shape(slot))
        return slot if convolution is None else convolution.lower(builder, slot)
