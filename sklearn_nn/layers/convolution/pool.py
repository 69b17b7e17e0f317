"""Pooling over windows that slide over an image, and over all places of a sample.

Kernels run along the channels of a place. Cells beyond an edge do not count. NaN counts as larger
than any number. As in PyTorch, the gradient of the maximum goes to the first maximum, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np
from llvmlite import ir
from numba import njit

from sklearn_nn._spec import parameters
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import Axis, as_images, read_by_window, slide_all
from sklearn_nn.layers.vectors import clear, copy

# --- over windows: geometry is height, width and channels of the input, height and width of the
# window and of the output, strides, and cells of the first window beyond the edges.
H, W, C, KH, KW, OH, OW, SH, SW, TOP, LEFT = range(11)


@njit(**INLINED_OPTIONS)
def _window(op, image, i, j):
    """Return the first cell of the window of place (i, j), and its numbers of rows and columns."""
    top, left = i * op[SH] - op[TOP], j * op[SW] - op[LEFT]
    row, column = max(0, top), max(0, left)
    rows, columns = min(op[KH] + top, op[H]) - row, min(op[KW] + left, op[W]) - column
    return (image * op[H] + row) * op[W] + column, rows, columns


def _emit_largest(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """Emit the maximum of 2 x 2 cells."""
    largest = loads[0](0, 0)
    for p, q in ((0, 1), (1, 0), (1, 1)):
        value = loads[0](p, q)
        greater = builder.fcmp_ordered(">", value, largest)
        is_nan = builder.fcmp_unordered("uno", value, value)
        largest = builder.select(builder.or_(greater, is_nan), value, largest)
    stores[1](largest, 0, 0)


def _emit_to_largest(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """Emit dx of 2 x 2 cells from x, y and dy: the first cell that equals y gets dy."""
    largest, left = loads[1](0, 0), loads[2](0, 0)
    zero = ir.Constant(left.type, None)
    for p, q in ((0, 0), (0, 1), (1, 0), (1, 1)):
        hit = builder.fcmp_unordered("==", loads[0](p, q), largest)
        stores[3](builder.select(hit, left, zero), p, q)
        left = builder.select(hit, zero, left)


_largest_of_four = make_lanes("largest_of_four", 2, _emit_largest)
_to_largest_of_four = make_lanes("to_largest_of_four", 4, _emit_to_largest)


@njit(**INLINED_OPTIONS)
def _is_two_by_two(op):
    """Return whether windows have 2 x 2 cells, are two apart, and lie inside the image."""
    square = op[KH] == 2 and op[KW] == 2 and op[SH] == 2 and op[SW] == 2
    return square and 2 * op[OH] <= op[H] and 2 * op[OW] <= op[W]


@kernel(FORWARD)
def max_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of each window. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[C], x.shape[1]
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        if _is_two_by_two(op):
            start = image * size + 2 * i * op[W] * channels
            cells = vector(x, start, 1), 2 * channels, op[W] * channels, channels
            target = vector(y, place * op[OW] * channels, 1), channels, 0, 0
            _largest_of_four(op[OW], channels, (cells, target))
            continue
        for j in range(op[OW]):
            first, rows, columns = _window(op, image, i, j)
            largest = vector(y, (place * op[OW] + j) * channels, channels)
            copy(vector(x, first * channels, channels), largest)
            for p in range(rows):
                start = (first + p * op[W]) * channels
                for q in range(columns):
                    cell = vector(x, start + q * channels, channels)
                    for c in range(channels):
                        value, old = cell[c], largest[c]
                        largest[c] = value if (value > old) | (value != value) else old


@kernel(BACKWARD)
def max_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy of the windows of which a cell is the maximum. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size, zero = op[C], dx.shape[1], like(dx[0, 0], 0)
    left_over = vector(workspace(ctx, CTX_SIZE, dx), 0, channels)
    if not _is_two_by_two(op) or 2 * op[OH] < op[H] or 2 * op[OW] < op[W]:
        clear(vector(dx, lo * size, (hi - lo) * size))
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        if _is_two_by_two(op):
            start, row = image * size + 2 * i * op[W] * channels, place * op[OW] * channels
            strides = 2 * channels, op[W] * channels, channels
            cells, found = (vector(x, start, 1), *strides), (vector(dx, start, 1), *strides)
            largest = vector(y, row, 1), channels, 0, 0
            gradient = vector(dy, row, 1), channels, 0, 0
            _to_largest_of_four(op[OW], channels, (cells, largest, gradient, found))
            continue
        for j in range(op[OW]):
            first, rows, columns = _window(op, image, i, j)
            at = (place * op[OW] + j) * channels
            gradient, largest = vector(dy, at, channels), vector(y, at, channels)
            copy(gradient, left_over)
            for p in range(rows):
                start = (first + p * op[W]) * channels
                for q in range(columns):
                    value = vector(x, start + q * channels, channels)
                    cell = vector(dx, start + q * channels, channels)
                    for c in range(channels):
                        hit = (value[c] == largest[c]) | (largest[c] != largest[c])
                        cell[c] += left_over[c] if hit else zero
                        left_over[c] = zero if hit else left_over[c]


@kernel(FORWARD)
def mean_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = mean of the cells of each window. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels = op[C]
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        for j in range(op[OW]):
            first, rows, columns = _window(op, image, i, j)
            mean = vector(y, (place * op[OW] + j) * channels, channels)
            clear(mean)
            for p in range(rows):
                start = (first + p * op[W]) * channels
                for q in range(columns):
                    cell = vector(x, start + q * channels, channels)
                    for c in range(channels):
                        mean[c] += cell[c]
            share_of_one = like(x[0, 0], 1.0 / (rows * columns))
            for c in range(channels):
                mean[c] *= share_of_one


@kernel(BACKWARD)
def mean_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy / number of cells over the windows of a cell. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[C], dx.shape[1]
    clear(vector(dx, lo * size, (hi - lo) * size))
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        for j in range(op[OW]):
            first, rows, columns = _window(op, image, i, j)
            gradient = vector(dy, (place * op[OW] + j) * channels, channels)
            share_of_one = like(dx[0, 0], 1.0 / (rows * columns))
            for p in range(rows):
                start = (first + p * op[W]) * channels
                for q in range(columns):
                    cell = vector(dx, start + q * channels, channels)
                    for c in range(channels):
                        cell[c] += gradient[c] * share_of_one


@parameters
class _Pool(Layer):
    """Base of pooling; `_rank` is the number of axes along which the window slides."""

    pool_size: int | Sequence[int] = 2
    _: KW_ONLY
    strides: int | Sequence[int] | None = None
    padding: str = "valid"

    _rank: ClassVar[int]
    _is_max: ClassVar[bool]

    def _axes(self, shape: Shape) -> list[Axis]:
        self._check_axes(shape, self._rank)
        window = self._whole_numbers("pool_size", self._rank)
        strides = window if self.strides is None else self._whole_numbers("strides", self._rank)
        return slide_all("pool_size", shape, window, strides, [1] * self._rank, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the number of positions of the window along each axis, and the channels."""
        return (*(axis.places for axis in self._axes(shape)), shape[-1])

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape = builder.shape(slot)
        axes = self._axes(shape)
        slot, clock = read_by_window(builder, slot, axes[-1], self.padding, sees_zeros=False)
        out = builder.slot(self.output_shape(shape), clock)
        height, width = as_images(axes)
        geometry = (
            height.size, width.size, shape[-1], height.window, width.window, height.places,
            width.places, height.stride, width.stride, height.before, width.before,
        )  # fmt: skip
        if self._is_max:
            kernels = Kernels(max_pool_forward, max_pool_backward)
            op = Instruction(slot, out, kernels, geometry=geometry, scratch=shape[-1])
        else:
            kernels = Kernels(mean_pool_forward, mean_pool_backward)
            op = Instruction(slot, out, kernels, geometry=geometry, keeps="")
        return builder.append(op)


class MaxPool2D(_Pool):
    """Layer that takes the maximum over each window of an image, channel by channel.

    The gradient goes to the first maximum, row by row.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Height and width of the window.
    strides : int or pair of ints or None, default=None
        Distance between positions of the window. None is the size of the window.
    padding : {"valid", "same"}, default="valid"
        "same" lets the window reach beyond the edges, where there are no cells; "valid" does not.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import MaxPool2D
    >>> image = np.array([[0.0, 4.0, 1.0, 1.0], [2.0, 2.0, 1.0, 3.0]])[:, :, None]
    >>> X = np.stack([image, 2 * image])
    >>> network = NeuralNetworkClassifier([MaxPool2D(2)]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="maxpool2d1").fit_transform(X)
    array([[4., 3.],
           [8., 6.]])
    """

    _rank, _is_max = 2, True


class MaxPool1D(_Pool):
    """Layer that takes the maximum over each window of a sequence, channel by channel.

    The gradient goes to the first maximum.

    Parameters
    ----------
    pool_size : int, default=2
        Length of the window.
    strides : int or None, default=None
        Distance between positions of the window. None is the length of the window.
    padding : {"valid", "same"}, default="valid"
        "valid" keeps the window inside the sequence; with "same" it reaches beyond the ends, where
        there are no steps. Sequences of unequal length require "valid".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import MaxPool1D
    >>> X = np.array([[0.0, 1.0, 2.0, -1.0, 3.0], [1.0, 0.0, 0.0, 2.0, 1.0]])[:, :, None]
    >>> network = NeuralNetworkClassifier([MaxPool1D(3, strides=1)]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="maxpool1d1").fit_transform(X)
    array([[2., 2., 3.],
           [1., 2., 2.]])
    """

    _rank, _is_max = 1, True
    lengths = "reads"


class AveragePool2D(_Pool):
    """Layer that takes the mean over each window of an image, channel by channel.

    As in Keras, it is the mean of the cells inside the image.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Height and width of the window.
    strides : int or pair of ints or None, default=None
        Distance between positions of the window. None is the size of the window.
    padding : {"valid", "same"}, default="valid"
        "same" lets the window reach beyond the edges, where there are no cells; "valid" does not.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import AveragePool2D
    >>> image = np.array([[0.0, 4.0, 1.0, 1.0], [2.0, 2.0, 1.0, 1.0]])[:, :, None]
    >>> X = np.stack([image, -image])
    >>> network = NeuralNetworkClassifier([AveragePool2D(2)]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="averagepool2d1").fit_transform(X)
    array([[ 2.,  1.],
           [-2., -1.]])
    """

    _rank, _is_max = 2, False


class AveragePool1D(_Pool):
    """Layer that takes the mean over each window of a sequence, channel by channel.

    As in Keras, it is the mean of the steps inside the sequence.

    Parameters
    ----------
    pool_size : int, default=2
        Length of the window.
    strides : int or None, default=None
        Distance between positions of the window. None is the length of the window.
    padding : {"valid", "same"}, default="valid"
        "valid" keeps the window inside the sequence; with "same" it reaches beyond the ends, where
        there are no steps. Sequences of unequal length require "valid".

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import AveragePool1D
    >>> X = np.array([[0.0, 1.0, 2.0, 4.0], [1.0, 1.0, 0.0, 0.0]])[:, :, None]
    >>> network = NeuralNetworkClassifier([AveragePool1D(2)]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="averagepool1d1").fit_transform(X)
    array([[0.5, 3. ],
           [1. , 0. ]])
    """

    _rank, _is_max = 1, False
    lengths = "reads"


# --- over all places of a sample, without the padding of sequences: geometry is places, channels,
# and the clock. The output for a sequence without steps is zeros.
PLACES, CHANNELS, OFFSET, STRIDE = range(4)


@njit(**INLINED_OPTIONS)
def own_places(ctx, op, i):
    """Return the number of places of row i that are not padding."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], i, op[PLACES])


@kernel(FORWARD)
def global_mean_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = mean of the places before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, mean = own_places(ctx, op, i), vector(y, i * channels, channels)
        clear(mean)
        for t in range(places):
            place = vector(x, i * size + t * channels, channels)
            for c in range(channels):
                mean[c] += place[c]
        share_of_one = like(x[0, 0], 1.0 / max(places, 1))
        for c in range(channels):
            mean[c] *= share_of_one


@kernel(BACKWARD)
def global_mean_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy / number of places before the padding, in it 0. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places, gradient = own_places(ctx, op, i), vector(dy, i * channels, channels)
        share_of_one = like(dx[0, 0], 1.0 / max(places, 1))
        for t in range(places):
            place = vector(dx, i * size + t * channels, channels)
            for c in range(channels):
                place[c] = gradient[c] * share_of_one
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(FORWARD)
def global_max_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of the places before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        if places == 0:
            clear(largest)
            continue
        copy(vector(x, i * size, channels), largest)
        for t in range(1, places):
            place = vector(x, i * size + t * channels, channels)
            for c in range(channels):
                value, old = place[c], largest[c]
                largest[c] = value if (value > old) | (value != value) else old


@kernel(BACKWARD)
def global_max_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy at the first maximum, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size, zero = op[CHANNELS], dx.shape[1], like(dx[0, 0], 0)
    left_over = vector(workspace(ctx, CTX_SIZE, dx), 0, channels)
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        copy(vector(dy, i * channels, channels), left_over)
        for t in range(places):
            value = vector(x, i * size + t * channels, channels)
            place = vector(dx, i * size + t * channels, channels)
            for c in range(channels):
                hit = (value[c] == largest[c]) | (largest[c] != largest[c])
                place[c] = left_over[c] if hit else zero
                left_over[c] = zero if hit else left_over[c]
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(FORWARD)
def last_step_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set y = the last place before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[CHANNELS], x.shape[1]
    for i in range(lo, hi):
        places, target = own_places(ctx, op, i), vector(y, i * channels, channels)
        if places == 0:
            clear(target)
        else:
            copy(vector(x, i * size + (places - 1) * channels, channels), target)


@kernel(BACKWARD)
def last_step_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy at the last place before the padding, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[CHANNELS], dx.shape[1]
    for i in range(lo, hi):
        places = own_places(ctx, op, i)
        clear(vector(dx, i * size, size))
        if places > 0:
            target = vector(dx, i * size + (places - 1) * channels, channels)
            copy(vector(dy, i * channels, channels), target)


class _GlobalPool(Layer):
    """Base of layers that reduce all places to one vector."""

    lengths = "reads"
    _kernels: ClassVar[Kernels]
    _keeps: ClassVar[str] = ""

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        return shape[-1:]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        geometry = (int(np.prod(shape[:-1])), shape[-1], *geometry_of(builder.clock(slot)))
        op = Instruction(slot, out, self._kernels, geometry=geometry, keeps=self._keeps)
        op.scratch = shape[-1]
        return builder.append(op)


class GlobalMaxPool(_GlobalPool):
    """Layer that takes the maximum over all places of a sample, channel by channel.

    The gradient goes to the first maximum. Padding of sequences of unequal length is ignored.

    Examples
    --------
    The largest value of each channel, of sequences of two and of three steps:

    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import GlobalMaxPool
    >>> X = [np.array([[1.0, 0.0], [2.0, -1.0]]), np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 0.0]])]
    >>> network = NeuralNetworkClassifier([GlobalMaxPool()]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="globalmaxpool1").fit_transform(X)
    array([[2., 0.],
           [2., 3.]])
    """

    _kernels, _keeps = Kernels(global_max_forward, global_max_backward), "xy"


class GlobalAveragePool(_GlobalPool):
    """Layer that takes the mean over all places of a sample, channel by channel (Lin et al., 2014).

    Padding of sequences of unequal length is ignored.

    Examples
    --------
    In place of `Flatten` it makes the output layer small, and independent of the size of images:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D, GlobalAveragePool
    >>> digits = load_digits()
    >>> layers = [Conv2D(16, 3, activation="relu"), GlobalAveragePool()]
    >>> model = NeuralNetworkClassifier(layers, max_iter=1)
    >>> model = model.fit(digits.images[..., None] / 16, digits.target)
    >>> [(row.name, row.output_shape, row.n_parameters) for row in model.summary().rows]
    [('conv2d1', (6, 6, 16), 160), ('globalaveragepool1', (16,), 0), ('output', (10,), 170)]
    """

    _kernels = Kernels(global_mean_forward, global_mean_backward)


class LastStep(_GlobalPool):
    """Layer that takes the last step of a sequence.

    After a recurrent layer with ``return_sequences=True``, its output is that of the layer with
    ``return_sequences=False``. The last step is the last one that is not padding; a sequence
    without steps becomes zeros.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import LastStep
    >>> X = [np.array([[1.0, 0.0], [2.0, -1.0]]), np.array([[0.0, 3.0], [1.0, 1.0], [2.0, 0.0]])]
    >>> network = NeuralNetworkClassifier([LastStep()]).initialize(X, [0, 1])
    >>> FeatureExtractor(network, layer="laststep1").fit_transform(X)
    array([[ 2., -1.],
           [ 2.,  0.]])
    """

    _kernels = Kernels(last_step_forward, last_step_backward)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        self._check_axes(shape, 1)
        return shape[-1:]
