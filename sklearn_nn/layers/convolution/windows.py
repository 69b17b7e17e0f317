"""Windows that slide over images, channel by channel: cells, places and their tables.

Place (i, j) of the output sees the cells ``(i * stride + k * dilation - top, j * stride + q *
dilation - left)`` of its image. The loops of `jit.windows` find cells and places in tables of
offsets, which `lower_windows` puts into an instruction's geometry. With many channels, an item is a
place and the lanes are its channels. With few, an item is a row and the lanes are all its places
and channels: for that, the columns of an image are sorted by their remainder by the stride, so that
what a tap sees for the places of a row is contiguous.

Some images are processed at once. They are copied with what lies beyond the edges, if anything
does, so that all windows are alike. The gradient of the input is a sum over the places that see a
cell. Cells whose coordinates have the same remainders by the strides, a *phase*, are seen by the
same taps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.shape import Axis

# The geometry of an instruction: height, width and channels of the input, height and width of the
# output; cells of a window, items of a row, elements of an item, images that are processed at
# once, and length of a row of constants for the items of any loop.
H, W, C, OH, OW, TAPS, ACROSS, LANES, IMAGES, CONSTANTS = range(10)
# Copy of the input's cells: elements from one row, and one image, to the next (0 if there is no
# copy); where it begins, rows, elements of a row; whether columns are sorted.
LINE, BLOCK, BEGIN, COPIED_ROWS, COPIED_LANES, SORTED = range(10, 16)
# Copy of what belongs to the output's places, likewise; whether it can be read without a copy.
LINE_BACK, BLOCK_BACK, BEGIN_BACK, COPIED_ROWS_BACK = range(16, 20)
COPIED_LANES_BACK, UNCOPIED_BACK = 20, 21
# Number of phases, and where tables begin: items, taps, taps from the last to the first, places as
# items within a copy of the output, phases, columns in sorted order, rows and columns of windows
# inside the image. The tap that finds the first cell of the first window.
PHASES, AT_ITEMS, AT_TAPS, AT_LAST_TAPS, AT_PLACES, AT_PHASES = range(22, 28)
AT_COLUMNS, AT_INSIDE, FIRST_TAP = range(28, 31)
# Rows of the output and of the input whose items are in the tables, and distance of rows of the
# input from one row of places to the next.
ROWS, ROWS_BACK, STEP = range(31, 34)
# Where parts of the scratch memory begin: cells, places, a second copy of places, sorted columns of
# the input, rows of constants, end.
CELLS, OF_PLACES, NOTED, SORTED_CELLS, ROWS_OF_CONSTANTS, END = range(34, 40)
_NUMBERS = 40

#: With fewer channels, lanes are the places of a row: a vector of channels has idle lanes.
FEW_CHANNELS = 16
#: Limits of the images that are processed at once: elements, which fit into the second-level cache,
#: and images, of which each has its items in the tables.
_TOGETHER, _MOST_IMAGES = 16384, 16
#: Places of an image, at most, that are in the tables; a larger image has several parts of rows.
_MOST_PLACES = 1024


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


def _pairs(first: np.ndarray, second: np.ndarray) -> list[int]:
    """Return a table of pairs; the arrays are broadcast against each other."""
    return np.stack(np.broadcast_arrays(first, second), axis=-1).ravel().tolist()


class _Layout:
    """Tables of windows; see `lower_windows`."""

    def __init__(self, height: Axis, width: Axis, channels: int) -> None:
        self.axes, self.channels = (height, width), channels
        self.is_flat = channels < FEW_CHANNELS
        self.sorts = width.stride if self.is_flat else 1
        self.taps = height.window * width.window
        # Cells that windows see, from the first window's first cell on.
        down, right = ((a.places - 1) * a.stride + a.reach for a in self.axes)
        inside = height.before == width.before == 0 and down <= height.size and right <= width.size
        self.copied = not inside or self.sorts > 1
        self.columns = _ceil(max(right, width.size + width.before), self.sorts)
        self.line = (self.columns * self.sorts if self.copied else width.size) * channels
        self.block = (down if self.copied else height.size) * self.line
        self.seen = down, right
        # Places that see cells of the image, and places beside them that do not exist.
        self.first = [_ceil(a.before - a.reach + 1, a.stride) for a in self.axes]
        self.seeing = [
            (a.size - 1 + a.before) // a.stride - first + 1
            for a, first in zip(self.axes, self.first, strict=True)
        ]
        same = self.seeing == [height.places, width.places]
        self.copied_back = not (same and self.first == [0, 0])
        self.line_back = self.seeing[1] * channels
        self.block_back = self.seeing[0] * self.line_back
        largest = max(self.block, self.block_back, height.size * width.size * channels)
        self.images = min(_MOST_IMAGES, max(1, _TOGETHER // largest))
        self.rows, self.rows_back = height.places, height.size
        if not self.is_flat:
            self.rows = min(self.rows, max(1, _MOST_PLACES // width.places))
        if self.rows < height.places:
            self.images, self.rows_back = 1, self.rows * height.stride

    @property
    def constants(self) -> int:
        """Length of a row of constants for the items of any loop."""
        width = self.axes[1]
        return max(width.size, width.places) * self.channels if self.is_flat else self.channels

    def items(self, line: int, block: int) -> list[int]:
        """Return the items of an output with these distances: a window's first cell, its place."""
        height, width = self.axes
        images = np.arange(self.images)[:, None, None]
        rows = np.arange(self.rows)[:, None]
        columns = np.arange(1 if self.is_flat else width.places)
        cells = images * self.block + rows * height.stride * self.line
        cells = cells + columns * width.stride * self.channels
        return _pairs(cells, images * block + rows * line + columns * self.channels)

    def terms(self) -> np.ndarray:
        """Return for every tap the distance of its cell from the window's first."""
        height, width = self.axes
        rows = np.arange(height.window)[:, None] * height.dilation
        columns = np.arange(width.window) * width.dilation
        columns = columns % self.sorts * self.columns + columns // self.sorts
        return (rows * self.line + columns * self.channels).ravel()

    def sorted_columns(self) -> np.ndarray:
        """Return where columns of the input are in sorted order."""
        width = self.axes[1]
        columns = np.arange(width.size) + width.before
        return columns % self.sorts * self.columns + columns // self.sorts

    def phases(self, scale: int) -> Iterator[tuple[list[int], list[int], int, int, int]]:
        """Yield items and terms of a phase, its first row, the items of a row, and lanes.

        For an item: the element that belongs to the place that sees it by the first tap, and the
        cell. The numbers of terms are those of taps, times `scale`.
        """
        (height, width), channels = self.axes, self.channels
        images = np.arange(self.images)[:, None, None]
        is_sorted = self.sorts > 1
        length = self.columns * self.sorts if is_sorted else width.size
        k, j = np.divmod(np.arange(self.taps), width.window)
        k, j = k * height.dilation, j * width.dilation
        for p, q in itertools.product(range(height.stride), range(width.stride)):
            top = (p - height.before) % height.stride
            rows = np.arange(top, self.rows_back, height.stride)
            columns = np.arange((q - width.before) % width.stride, width.size, width.stride)
            lanes = columns.size * channels if self.is_flat else channels
            columns = columns[:1] if self.is_flat else columns
            of_rows = (rows + height.before - p) // height.stride - self.first[0]
            of_columns = (columns + width.before - q) // width.stride - self.first[1]
            places = of_rows[:, None] * self.line_back + of_columns * channels
            columns = self.sorted_columns()[columns] if is_sorted else columns
            cells = (rows[:, None] * length + columns) * channels
            items = _pairs(
                images * self.block_back + places, images * height.size * length * channels + cells
            )
            taps = np.flatnonzero((k % height.stride == p) & (j % width.stride == q))
            back = k // height.stride * self.line_back + j // width.stride * channels
            terms = _pairs(-back[taps], taps * scale)
            yield items, terms, top, columns.size, lanes


def lower_windows(
    height: Axis, width: Axis, channels: int, constants: int = 1, weights: bool = False
) -> tuple[list[int], int]:
    """Return the geometry of windows, and the size of the scratch memory.

    `constants` is the number of rows of constants that the kernels keep besides. The numbers of
    terms are those of taps, or, for `weights`, the elements of their row of constants.
    """
    layout = _Layout(height, width, channels)
    scale = layout.constants if weights else 1
    numbers, of_taps = np.arange(layout.taps) * scale, layout.terms()
    of_place = width.places * channels
    tables = [
        layout.items(of_place, height.places * of_place),
        _pairs(of_taps, numbers),
        _pairs(of_taps[::-1], numbers[::-1]),
        layout.items(layout.line_back, layout.block_back),
    ]
    phases = list(layout.phases(scale))
    begins = [0, *itertools.accumulate(map(len, tables), initial=_NUMBERS)][1:]
    of_phases, at = [], begins[-1] + 6 * len(phases)
    for items, terms, top, across, lanes in phases:
        of_phases += [at, at + len(items), top, across, len(terms) // 2, lanes]
        at += len(items) + len(terms)
    is_sorted = layout.sorts > 1
    inside = [
        min(i * a.stride - a.before + a.window, a.size) - max(i * a.stride - a.before, 0)
        for a in (height, width)
        for i in range(a.places)
    ]
    columns = (layout.sorted_columns() * channels).tolist() if is_sorted else []
    sorted_room = layout.images * height.size * layout.columns * layout.sorts * channels
    room = [
        layout.images * layout.block * layout.copied,
        layout.images * layout.block_back,
        layout.images * layout.block_back,
        sorted_room * is_sorted,
        constants * layout.constants,
    ]
    ends, axes = list(itertools.accumulate(room, initial=0)), (height, width)
    down, right = (min(n - a.before, a.size) for n, a in zip(layout.seen, axes, strict=True))
    down_back, right_back = (
        min(n + first, a.places)
        for n, first, a in zip(layout.seeing, layout.first, axes, strict=True)
    )
    geometry = [
        height.size, width.size, channels, height.places, width.places, layout.taps,
        1 if layout.is_flat else width.places,
        of_place if layout.is_flat else channels, layout.images, layout.constants,
        layout.line, layout.block if layout.copied else 0,
        height.before * layout.line + width.before * channels, down, right * channels,
        int(is_sorted),
        layout.line_back, layout.block_back,
        -layout.first[0] * layout.line_back - layout.first[1] * channels,
        down_back, right_back * channels, int(not layout.copied_back),
        len(phases), *begins, at, at + len(columns),
        height.before * width.window + width.before,
        layout.rows, layout.rows_back, height.stride, *ends,
    ]  # fmt: skip
    assert len(geometry) == _NUMBERS
    tables += [of_phases, *(table for items, terms, *_ in phases for table in (items, terms))]
    return [*geometry, *itertools.chain.from_iterable(tables), *columns, *inside], ends[-1]


@njit(**INLINED_OPTIONS)
def room(memory, op, which):
    """Return a part of the scratch memory: CELLS, OF_PLACES and so on."""
    return vector(memory, op[which], op[which + 1] - op[which])


@njit(**INLINED_OPTIONS)
def pairs(op, at, count):
    """Return a table of pairs of which element `at` of the geometry is the first."""
    return vector(op, at, 2 * count)


@njit(**INLINED_OPTIONS)
def phase_of(op, phase, images, rows):
    """Return items of a phase and their number, for some images and rows, terms likewise, lanes."""
    of = vector(op, op[AT_PHASES] + 6 * phase, 6)
    items = max(0, rows - of[2] + op[STEP] - 1) // op[STEP] * of[3] * images
    return pairs(op, of[0], items), items, pairs(op, of[1], of[4]), of[4], of[5]


@njit(**INLINED_OPTIONS)
def items_of(op, images, row):
    """Return the number of items of a part of some images that begins at a row of the output."""
    return images * min(op[ROWS], op[OH] - row) * op[ACROSS]


@njit(**INLINED_OPTIONS)
def cells_from(op, cells, row):
    """Return the cells from the first one that a row of the output sees."""
    return vector(cells, row * op[STEP] * op[LINE], 1)


@njit(**INLINED_OPTIONS)
def places_from(op, places, row):
    """Return what belongs to places from the first one on that sees a row of the input."""
    return vector(places, row // op[STEP] * op[LINE_BACK], 1)


def _emit_copy(builder: object, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    stores[1](loads[0](0, 0), 0, 0)


#: Copies a row of lanes for every item.
copy_rows = make_lanes("copy_rows", 2, _emit_copy)


@njit(**INLINED_OPTIONS)
def take_cells(op, x, image, images, target):
    """Return the cells that windows see: x from `image` on, or a copy amid what `target` holds."""
    size, length = op[H] * op[W] * op[C], op[W] * op[C]
    if op[BLOCK] == 0:
        return vector(x, image * size, images * size)
    for i in range(images):
        source = vector(x, (image + i) * size, 1), length, 0, 0
        if not op[SORTED]:
            into = vector(target, i * op[BLOCK] + op[BEGIN], 1), op[LINE], 0, 0
            copy_rows(op[COPIED_ROWS], op[COPIED_LANES], (source, into))
            continue
        for h in range(op[COPIED_ROWS]):
            cells = vector(x, (image + i) * size + h * length, length)
            begin = i * op[BLOCK] + (op[BEGIN] // op[LINE] + h) * op[LINE]
            _sort(op, cells, vector(target, begin, op[LINE]))
    return target


@njit(**INLINED_OPTIONS)
def _sort(op, cells, target):
    """Set `target` to a row of cells in sorted order."""
    channels, columns = op[C], vector(op, op[AT_COLUMNS], op[W])
    for c in range(channels):
        for w in range(op[COPIED_LANES] // channels):
            target[columns[w] + c] = cells[w * channels + c]


@njit(**INLINED_OPTIONS)
def copy_places(op, y, image, images, target):
    """Copy what belongs to the output's places of some images amid what `target` holds."""
    length = op[OW] * op[C]
    for i in range(images):
        source = vector(y, (image + i) * op[OH] * length, 1), length, 0, 0
        into = vector(target, i * op[BLOCK_BACK] + op[BEGIN_BACK], 1), op[LINE_BACK], 0, 0
        copy_rows(op[COPIED_ROWS_BACK], op[COPIED_LANES_BACK], (source, into))
    return target


@njit(**INLINED_OPTIONS)
def take_places(op, dy, image, images, target):
    """Return what belongs to the places that see some images: dy from `image` on, or a copy."""
    if op[UNCOPIED_BACK]:
        size = op[OH] * op[OW] * op[C]
        return vector(dy, image * size, images * size)
    return copy_places(op, dy, image, images, target)


@njit(**INLINED_OPTIONS)
def target_back(op, dx, image, row, sorted_cells):
    """Return where gradients are written from a row of an image on: dx, or sorted by column."""
    if op[SORTED]:
        return vector(sorted_cells, row * op[LINE], 1)
    return vector(dx, (image * op[H] + row) * op[W] * op[C], 1)


@njit(**INLINED_OPTIONS)
def finish_back(op, dx, image, images, sorted_cells):
    """Put the gradients of cells into dx, if they are sorted by column."""
    channels, length = op[C], op[W] * op[C]
    columns = vector(op, op[AT_COLUMNS], op[W])
    for h in range(images * op[H] if op[SORTED] else 0):
        cells = vector(dx, (image * op[H] + h) * length, length)
        row = vector(sorted_cells, h * op[LINE], op[LINE])
        for c in range(channels):
            for w in range(op[W]):
                cells[w * channels + c] = row[columns[w] + c]
