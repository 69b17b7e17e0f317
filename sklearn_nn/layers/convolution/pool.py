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

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import matrix, vector, workspace
from sklearn_nn.jit.windows import find_equal, find_largest, larger, sum_cells, sum_noted
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.convolution.windows import (
    AT_INSIDE,
    BACK_GROUPS,
    BEGIN_BACK,
    BLOCK_BACK,
    CELLS,
    COPIED_GROUPS,
    FEW_CHANNELS,
    FIRST_TAP,
    FORWARD_GROUPS,
    IMAGES,
    LANES,
    LINE_BACK,
    NOTED,
    OF_PLACES,
    OH,
    OW,
    ROWS,
    ROWS_OF_CONSTANTS,
    SORTED_CELLS,
    TOGETHER,
    UNCOPIED_BACK,
    C,
    H,
    W,
    cells_from,
    copy_places,
    copy_rows,
    finish_back,
    group_of,
    items_of,
    last_terms_of,
    lower_windows,
    over_groups,
    places_from,
    room,
    take_cells,
    take_places,
    target_back,
    terms_of,
)  # fmt: skip
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import Axis, as_images, read_by_window, slide_all
from sklearn_nn.layers.vectors import clear, copy, fill

_find_largest, _sum_cells = over_groups(find_largest), over_groups(sum_cells)

# --- over windows: for the geometry see windows.py -----------------------------------------------


@kernel(FORWARD)
def max_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of each window. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    cells = room(workspace(ctx, CTX_SIZE, x), op, CELLS)
    fill(cells, like(x[0, 0], -np.inf))
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        seen = take_cells(op, x, image, images, cells)
        target = vector(y, image * y.shape[1], images * y.shape[1])
        _find_largest(op, FORWARD_GROUPS, images, seen, (), target)


@kernel(BACKWARD)
def max_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy of the windows of which a cell is the maximum. Owners: rows.

    The first tap that finds the maximum is noted for every place; if it is NaN, a tap that finds a
    cell inside the image.
    """
    lo, hi = owned_rows(dx, part, parts)
    memory = workspace(ctx, CTX_SIZE, dx)
    cells, sorted_cells = room(memory, op, CELLS), room(memory, op, SORTED_CELLS)
    places, noted = room(memory, op, OF_PLACES), room(memory, op, NOTED)
    fill(cells, like(dx[0, 0], np.nan))  # equals nothing
    fill(noted, like(dx[0, 0], -1))
    clear(places)
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        seen = take_cells(op, x, image, images, cells)
        largest = take_places(op, y, image, images, noted)
        own = vector(noted, op[BEGIN_BACK], noted.size - op[BEGIN_BACK])
        if not op[UNCOPIED_BACK]:
            largest = own
        for k in range(op[COPIED_GROUPS + 1]):
            group = group_of(op, COPIED_GROUPS, k)
            terms, (_, n_terms) = last_terms_of(op, group), terms_of(op, group)
            for row in range(0, group[ROWS], group[TOGETHER]):
                items, n = items_of(op, group, images, row)
                values, to = places_from(group, largest, row), places_from(group, own, row)
                arrays = cells_from(group, seen, row), values, to
                find_equal(items, n, terms, n_terms, group[LANES], group[FIRST_TAP], arrays)
        seeing = take_places(op, dy, image, images, places)
        target = target_back(op, dx, image, sorted_cells)
        for k in range(op[BACK_GROUPS + 1]):
            group = group_of(op, BACK_GROUPS, k)
            terms, n_terms = terms_of(op, group)
            for row in range(0, group[ROWS], group[TOGETHER]):
                items, n = items_of(op, group, images, row)
                which, values = cells_from(group, noted, row), cells_from(group, seeing, row)
                arrays = which, values, places_from(group, target, row)
                sum_noted(items, n, terms, n_terms, group[LANES], 0, arrays)
        finish_back(op, dx, image, images, sorted_cells)


@njit(**INLINED_OPTIONS)
def _divide(op, images, values, line, block, shares):
    """Divide the values of some images by the numbers of cells inside of their windows.

    `line` and `block` are the elements from one row, and one image, to the next; `shares` is a row.
    """
    channels, before = op[C], 0
    rows, columns = vector(op, op[AT_INSIDE], op[OH]), vector(op, op[AT_INSIDE] + op[OH], op[OW])
    for i in range(images):
        for r in range(op[OH]):
            if rows[r] != before:
                before = rows[r]
                for j in range(op[OW]):
                    share = like(shares[0], 1.0 / (before * columns[j]))
                    fill(vector(shares, j * channels, channels), share)
            row = vector(values, i * block + r * line, op[OW] * channels)
            for e in range(row.size):
                row[e] *= shares[e]


@kernel(FORWARD)
def mean_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = mean of the cells of each window. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    memory = workspace(ctx, CTX_SIZE, x)
    cells, shares = room(memory, op, CELLS), room(memory, op, ROWS_OF_CONSTANTS)
    clear(cells)
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        seen = take_cells(op, x, image, images, cells)
        target = vector(y, image * y.shape[1], images * y.shape[1])
        _sum_cells(op, FORWARD_GROUPS, images, seen, (), target)
        _divide(op, images, target, op[OW] * op[C], y.shape[1], shares)


@kernel(BACKWARD)
def mean_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum of dy / number of cells over the windows of a cell. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    memory = workspace(ctx, CTX_SIZE, dx)
    places, sorted_cells = room(memory, op, OF_PLACES), room(memory, op, SORTED_CELLS)
    shares = room(memory, op, ROWS_OF_CONSTANTS)
    clear(places)
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        copy_places(op, dy, image, images, places)
        own = vector(places, op[BEGIN_BACK], places.size - op[BEGIN_BACK])
        _divide(op, images, own, op[LINE_BACK], op[BLOCK_BACK], shares)
        target = target_back(op, dx, image, sorted_cells)
        _sum_cells(op, BACK_GROUPS, images, places, (), target)
        finish_back(op, dx, image, images, sorted_cells)


# --- maximum of 2 x 2 cells that no other window sees --------------------------------------------


def _emit_largest(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """Emit the maximum of 2 x 2 cells."""
    largest = loads[0](0, 0)
    for p, q in ((0, 1), (1, 0), (1, 1)):
        largest = larger(builder, loads[0](p, q), largest)
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


@kernel(FORWARD)
def four_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of 2 x 2 cells. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels = op[C]
    for place in range(lo * op[OH], hi * op[OH]):
        row = (place // op[OH] * op[H] + 2 * (place % op[OH])) * op[W] * channels
        cells = vector(x, row, 1), 2 * channels, op[W] * channels, channels
        target = vector(y, place * op[OW] * channels, 1), channels, 0, 0
        _largest_of_four(op[OW], channels, (cells, target))


@kernel(BACKWARD)
def four_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy at the first maximum of 2 x 2 cells, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[C], dx.shape[1]
    if 2 * op[OH] < op[H] or 2 * op[OW] < op[W]:
        clear(vector(dx, lo * size, (hi - lo) * size))
    for place in range(lo * op[OH], hi * op[OH]):
        row = (place // op[OH] * op[H] + 2 * (place % op[OH])) * op[W] * channels
        strides, at = (2 * channels, op[W] * channels, channels), place * op[OW] * channels
        cells, found = (vector(x, row, 1), *strides), (vector(dx, row, 1), *strides)
        largest, gradient = (vector(y, at, 1), channels, 0, 0), (vector(dy, at, 1), channels, 0, 0)
        _to_largest_of_four(op[OW], channels, (cells, largest, gradient, found))


_MAX_OF_FOUR = Kernels(four_forward, four_backward)
_MAX = Kernels(max_pool_forward, max_pool_backward)
_MEAN = Kernels(mean_pool_forward, mean_pool_backward)


@parameters
class _Pool(Layer):
    """Base of pooling; `_rank` is the number of axes along which the window slides."""

    pool_size: int | Sequence[int] = 2
    _: KW_ONLY
    strides: int | Sequence[int] | None = None
    padding: str = "valid"

    _rank: ClassVar[int]
    _is_max: ClassVar[bool]

    def axes(self, shape: Shape) -> list[Axis]:
        """Return the positions of the window over samples of `shape`."""
        self._check_axes(shape, self._rank)
        window = self._whole_numbers("pool_size", self._rank)
        strides = window if self.strides is None else self._whole_numbers("strides", self._rank)
        return slide_all("pool_size", shape, window, strides, [1] * self._rank, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the number of positions of the window along each axis, and the channels."""
        return (*(axis.places for axis in self.axes(shape)), shape[-1])

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape = builder.shape(slot)
        axes = self.axes(shape)
        slot, clock = read_by_window(builder, slot, axes[-1], self.padding, sees_zeros=False)
        out = builder.slot(self.output_shape(shape), clock)
        height, width = as_images(axes)
        geometry, scratch = lower_windows(height, width, shape[-1], width.places)
        kernels = _MAX if self._is_max else _MEAN
        by_four = all(a.window == a.stride == 2 and 2 * a.places <= a.size for a in axes)
        if self._is_max and self._rank == 2 and by_four:
            kernels, geometry, scratch = _MAX_OF_FOUR, geometry[: OW + 1], 0
        op = Instruction(slot, out, kernels, geometry=geometry, scratch=scratch)
        op.keeps = "xy" if self._is_max else ""
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
    reads_steps = True


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
    reads_steps = True


# --- over all places of a sample, without the padding of sequences: geometry is places, channels,
# and the clock. The output for a sequence without steps is zeros.
PLACES, CHANNELS, OFFSET, STRIDE = range(4)


@njit(**INLINED_OPTIONS)
def own_places(ctx, op, i):
    """Return the number of places of row i that are not padding."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], i, op[PLACES])


#: Elements of a row of several places, which are combined at once if there are few channels.
_ROW = 64


@njit(**INLINED_OPTIONS)
def _places_of_row(op):
    """Return the number of places of a row."""
    return max(1, _ROW // op[CHANNELS])


def _emit_larger(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """Emit the larger of a row and the largest so far."""
    stores[1](larger(builder, loads[0](0, 0), loads[1](0, 0)), 0, 0)


_take_larger = make_lanes("take_larger", 2, _emit_larger)


@kernel(FORWARD)
def global_mean_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = mean of the places before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size, each = op[CHANNELS], x.shape[1], _places_of_row(op)
    total = vector(workspace(ctx, CTX_SIZE, x), 0, each * channels)
    for i in range(lo, hi):
        places, mean = own_places(ctx, op, i), vector(y, i * channels, channels)
        rows = places // each
        rest = vector(x, i * size + rows * total.size, (places - rows * each) * channels)
        clear(total)
        add_places(matrix(x, i * size, rows, total.size), 0, total)
        for j in range(rest.size):
            total[j] += rest[j]
        share_of_one, left = like(x[0, 0], 1.0 / max(places, 1)), each
        while left > 1:
            half = (left + 1) // 2
            behind = vector(total, half * channels, (left - half) * channels)
            add_places(matrix(behind, 0, 1, behind.size), 0, vector(total, 0, behind.size))
            left = half
        for c in range(channels):
            mean[c] = total[c] * share_of_one


@kernel(BACKWARD)
def global_mean_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy / number of places before the padding, in it 0. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size, each = op[CHANNELS], dx.shape[1], _places_of_row(op)
    row = vector(workspace(ctx, CTX_SIZE, dx), 0, each * channels)
    for i in range(lo, hi):
        places, gradient = own_places(ctx, op, i), vector(dy, i * channels, channels)
        share_of_one = like(dx[0, 0], 1.0 / max(places, 1))
        for t in range(each):
            for c in range(channels):
                row[t * channels + c] = gradient[c] * share_of_one
        rows = places // each
        copy_rows(rows, row.size, ((row, 0, 0, 0), (vector(dx, i * size, 1), row.size, 0, 0)))
        rest = vector(dx, i * size + rows * row.size, (places - rows * each) * channels)
        copy(vector(row, 0, rest.size), rest)
        clear(vector(dx, i * size + places * channels, size - places * channels))


@kernel(FORWARD)
def global_max_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = maximum of the places before the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size, each = op[CHANNELS], x.shape[1], _places_of_row(op)
    found = vector(workspace(ctx, CTX_SIZE, x), 0, each * channels)
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        if places == 0:
            clear(largest)
            continue
        rows = places // each
        rest = vector(x, i * size + rows * found.size, (places - rows * each) * channels)
        fill(found, like(x[0, 0], -np.inf))
        into, left = (found, 0, 0, 0), each
        _take_larger(rows, found.size, ((vector(x, i * size, 1), found.size, 0, 0), into))
        _take_larger(1, rest.size, ((rest, 0, 0, 0), into))
        while left > 1:
            half = (left + 1) // 2
            behind = vector(found, half * channels, (left - half) * channels)
            _take_larger(1, behind.size, ((behind, 0, 0, 0), into))
            left = half
        copy(vector(found, 0, channels), largest)


@kernel(BACKWARD)
def global_max_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy at the first maximum, else 0. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size, zero = op[CHANNELS], dx.shape[1], like(dx[0, 0], 0)
    left_over = vector(workspace(ctx, CTX_SIZE, dx), 0, channels)
    for i in range(lo, hi):
        places, largest = own_places(ctx, op, i), vector(y, i * channels, channels)
        values, found = vector(x, i * size, size), vector(dx, i * size, size)
        if channels < FEW_CHANNELS:
            clear(found)
            for c in range(channels):
                for t in range(places):
                    if values[t * channels + c] == largest[c] or largest[c] != largest[c]:
                        found[t * channels + c] = dy[i, c]
                        break
            continue
        copy(vector(dy, i * channels, channels), left_over)
        for t in range(places):
            value = vector(values, t * channels, channels)
            place = vector(found, t * channels, channels)
            for c in range(channels):
                hit = (value[c] == largest[c]) | (largest[c] != largest[c])
                place[c] = left_over[c] if hit else zero
                left_over[c] = zero if hit else left_over[c]
        clear(vector(found, places * channels, size - places * channels))


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
        op.scratch = max(_ROW, shape[-1])
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
    reads_steps = True

    def output_shape(self, shape: Shape) -> Shape:
        """Return (channels,)."""
        self._check_axes(shape, 1)
        return shape[-1:]
