"""Pooling: a window slides over an image, and of its cells the largest or the mean is kept.

Each channel is by itself; kernels run along the channels of a place. Cells beyond an edge do not
count. NaN counts as larger than any number. The gradient of the largest goes to one cell: as in
PyTorch the first of equal ones, row by row.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from llvmlite import ir
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, Builder, Layer, Shape, owned_rows
from sklearn_nn.layers.shape import (
    Axis,
    as_images,
    check_axes,
    read_by_window,
    slide_all,
    whole_numbers,
)
from sklearn_nn.layers.vectors import clear

# An instruction's geometry. H, W and C are the input's height, width and channels, KH and KW the
# window's height and width, then output height and width, strides, and what the first window
# reaches beyond the edges.
H, W, C, KH, KW, OH, OW, SH, SW, TOP, LEFT = range(11)


@njit(**INLINED_OPTIONS)
def _window(op, i, j):
    """Of the window of place (i, j): its first row and column, and the cells inside the image."""
    top, left = i * op[SH] - op[TOP], j * op[SW] - op[LEFT]
    rows = max(0, -top), min(op[KH], op[H] - top)
    return top, left, rows, (max(0, -left), min(op[KW], op[W] - left))


def _emit_largest(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """The largest of 2 x 2 cells."""
    largest = loads[0](0, 0)
    for p, q in ((0, 1), (1, 0), (1, 1)):
        value = loads[0](p, q)
        greater = builder.fcmp_ordered(">", value, largest)
        is_nan = builder.fcmp_unordered("uno", value, value)
        largest = builder.select(builder.or_(greater, is_nan), value, largest)
    stores[1](largest, 0, 0)


def _emit_to_largest(builder: Any, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    """dx of 2 x 2 cells from x, y and dy: the first that equals y gets dy."""
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
    """Whether windows are of 2 x 2 cells, two apart, and inside the image."""
    square = op[KH] == 2 and op[KW] == 2 and op[SH] == 2 and op[SW] == 2
    return square and 2 * op[OH] <= op[H] and 2 * op[OW] <= op[W]


@kernel(FORWARD)
def max_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = the largest of each window. Owners: rows of the batch."""
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
            top, left, rows, columns = _window(op, i, j)
            largest = vector(y, (place * op[OW] + j) * channels, channels)
            start = image * size + ((top + rows[0]) * op[W] + left + columns[0]) * channels
            cell = vector(x, start, channels)
            for c in range(channels):
                largest[c] = cell[c]
            for p in range(rows[0], rows[1]):
                start = image * size + ((top + p) * op[W] + left) * channels
                for q in range(columns[0], columns[1]):
                    cell = vector(x, start + q * channels, channels)
                    for c in range(channels):
                        value, old = cell[c], largest[c]
                        largest[c] = value if (value > old) | (value != value) else old


@kernel(BACKWARD)
def max_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum of dy of the windows of which a cell is the largest. Owners: rows of the batch."""
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
            top, left, rows, columns = _window(op, i, j)
            at = (place * op[OW] + j) * channels
            gradient, largest = vector(dy, at, channels), vector(y, at, channels)
            for c in range(channels):
                left_over[c] = gradient[c]
            for p in range(rows[0], rows[1]):
                start = image * size + ((top + p) * op[W] + left) * channels
                for q in range(columns[0], columns[1]):
                    value = vector(x, start + q * channels, channels)
                    cell = vector(dx, start + q * channels, channels)
                    for c in range(channels):
                        hit = (value[c] == largest[c]) | (largest[c] != largest[c])
                        cell[c] += left_over[c] if hit else zero
                        left_over[c] = zero if hit else left_over[c]


@kernel(FORWARD)
def mean_pool_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = mean of the cells of each window. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, size = op[C], x.shape[1]
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        for j in range(op[OW]):
            top, left, rows, columns = _window(op, i, j)
            mean = vector(y, (place * op[OW] + j) * channels, channels)
            clear(mean)
            for p in range(rows[0], rows[1]):
                start = image * size + ((top + p) * op[W] + left) * channels
                for q in range(columns[0], columns[1]):
                    cell = vector(x, start + q * channels, channels)
                    for c in range(channels):
                        mean[c] += cell[c]
            count = (rows[1] - rows[0]) * (columns[1] - columns[0])
            share_of_one = like(x[0, 0], 1.0 / count)
            for c in range(channels):
                mean[c] *= share_of_one


@kernel(BACKWARD)
def mean_pool_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum of dy / cells of the windows that a cell lies in. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, size = op[C], dx.shape[1]
    clear(vector(dx, lo * size, (hi - lo) * size))
    for place in range(lo * op[OH], hi * op[OH]):
        image, i = place // op[OH], place % op[OH]
        for j in range(op[OW]):
            top, left, rows, columns = _window(op, i, j)
            gradient = vector(dy, (place * op[OW] + j) * channels, channels)
            count = (rows[1] - rows[0]) * (columns[1] - columns[0])
            share_of_one = like(dx[0, 0], 1.0 / count)
            for p in range(rows[0], rows[1]):
                start = image * size + ((top + p) * op[W] + left) * channels
                for q in range(columns[0], columns[1]):
                    cell = vector(dx, start + q * channels, channels)
                    for c in range(channels):
                        cell[c] += gradient[c] * share_of_one


def _lower_max(builder: Builder, slot: int, out: int, geometry: Sequence[int]) -> None:
    builder.instruction(
        slot,
        out,
        forward=max_pool_forward,
        backward=max_pool_backward,
        scratch=builder.shape(out)[-1],
        geometry=geometry,
    )


def _lower_mean(builder: Builder, slot: int, out: int, geometry: Sequence[int]) -> None:
    forward, backward = mean_pool_forward, mean_pool_backward
    builder.instruction(slot, out, forward=forward, backward=backward, geometry=geometry, keeps="")


def _geometry(height: Axis, width: Axis, channels: int) -> tuple[int, ...]:
    """In the order of H, W, C, ..."""
    return (
        height.size, width.size, channels, height.window, width.window, height.places,
        width.places, height.stride, width.stride, height.before, width.before,
    )  # fmt: skip


class _Pool(Layer):
    """What pools of images and of sequences share; `_rank` counts the axes they slide on."""

    _rank: ClassVar[int]
    _is_max: ClassVar[bool]

    def __init__(
        self,
        pool_size: int | Sequence[int] = 2,
        *,
        strides: int | Sequence[int] | None = None,
        padding: str = "valid",
    ) -> None:
        self.pool_size = pool_size
        self.strides = strides
        self.padding = padding

    def _axes(self, shape: Shape) -> list[Axis]:
        check_axes(self, shape, self._rank)
        window = whole_numbers("pool_size", self.pool_size, self._rank)
        strides = window
        if self.strides is not None:
            strides = whole_numbers("strides", self.strides, self._rank)
        return slide_all("pool_size", shape, window, strides, [1] * self._rank, self.padding)

    def output_shape(self, shape: Shape) -> Shape:
        """Where the window has a place along each axis; the channels stay."""
        return (*(axis.places for axis in self._axes(shape)), shape[-1])

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        shape = builder.shape(slot)
        axes = self._axes(shape)
        slot, clock = read_by_window(builder, slot, axes[-1], self.padding, sees_zeros=False)
        out = builder.slot(self.output_shape(shape), clock)
        geometry = _geometry(*as_images(axes), shape[-1])
        lower = _lower_max if self._is_max else _lower_mean
        lower(builder, slot, out, geometry)
        return out


class MaxPool2D(_Pool):
    """Keep the largest of each window of an image, channel by channel.

    Its gradient goes to one cell: the first of equal ones, row by row.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Height and width of the window.
    strides : int or pair of ints or None, default=None
        Steps from one place of the window to the next. None is the window's size.
    padding : {"valid", "same"}, default="valid"
        "valid" places the window inside the image; with "same" it goes on beyond the edges, where
        it sees nothing.
    """

    _rank, _is_max = 2, True


class MaxPool1D(_Pool):
    """Keep the largest of each window of a sequence, channel by channel.

    Its gradient goes to one step: the first of equal ones.

    Parameters
    ----------
    pool_size : int, default=2
        Length of the window.
    strides : int or None, default=None
        Steps from one place of the window to the next. None is the window's length.
    padding : {"valid", "same"}, default="valid"
        Whether the window stays inside the sequence, or goes on beyond its ends, where it sees
        nothing. Sequences of unequal length take "valid".
    """

    _rank, _is_max = 1, True
    lengths = "heeds"


class AveragePool2D(_Pool):
    """Take the mean of each window of an image, channel by channel.

    As in Keras, it is the mean of the cells inside the image.

    Parameters
    ----------
    pool_size : int or pair of ints, default=2
        Height and width of the window.
    strides : int or pair of ints or None, default=None
        Steps from one place of the window to the next. None is the window's size.
    padding : {"valid", "same"}, default="valid"
        "valid" places the window inside the image; with "same" it goes on beyond the edges, where
        it sees nothing.
    """

    _rank, _is_max = 2, False


class AveragePool1D(_Pool):
    """Take the mean of each window of a sequence, channel by channel.

    As in Keras, it is the mean of the steps inside the sequence.

    Parameters
    ----------
    pool_size : int, default=2
        Length of the window.
    strides : int or None, default=None
        Steps from one place of the window to the next. None is the window's length.
    padding : {"valid", "same"}, default="valid"
        Whether the window stays inside the sequence, or goes on beyond its ends, where it sees
        nothing. Sequences of unequal length take "valid".
    """

    _rank, _is_max = 1, False
    lengths = "heeds"
