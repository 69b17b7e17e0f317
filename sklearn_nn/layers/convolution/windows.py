"""Windows that slide over images, channel by channel: cells, places and their tables.

Place (i, j) of the output sees the cells ``(i * stride + k * dilation - top, j * stride + q *
dilation - left)`` of its image. The loops of `jit.windows` find cells and places in tables of
offsets, which `lower_windows` puts into an instruction's geometry.

With many channels, an item is a place and the lanes are its channels. Places whose windows have the
same taps inside the image are a group, with one table of terms. The gradient of the input is a sum
over the places that see a cell, and cells that are seen by the same taps are a group.

With few channels, an item is a row and the lanes are all its places and channels. For that, images
are copied with what lies beyond the edges, so that all places have the same taps, and with columns
sorted by their remainder by the stride, so that what a tap sees for the places of a row is
contiguous. Cells whose coordinates have the same remainders by the strides are a group.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.lanes import Load, Store, make_lanes
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.shape import Axis

# The geometry of an instruction: height, width and channels of the input, height and width of the
# output; cells of a window, images that are processed at once, and length of a row of constants for
# the items of any loop.
H, W, C, OH, OW, TAPS, IMAGES, CONSTANTS = range(8)
# Copy of the input's cells: elements from one row, and one image, to the next (0 if there is no
# copy); where it begins, rows, elements of a row; whether columns are sorted.
LINE, BLOCK, BEGIN, COPIED_ROWS, COPIED_LANES, SORTED = range(8, 14)
# Copy of what belongs to the output's places, likewise; whether it can be read without a copy.
LINE_BACK, BLOCK_BACK, BEGIN_BACK, COPIED_ROWS_BACK, COPIED_LANES_BACK = range(14, 19)
UNCOPIED_BACK = 19
# Where groups begin, each followed by the number of groups: of places, of the same places within
# the copy, and of cells. Where the tables of columns in sorted order begin, and of the numbers of
# rows and columns of windows inside the image.
FORWARD_GROUPS, COPIED_GROUPS, BACK_GROUPS, AT_COLUMNS, AT_INSIDE = 20, 22, 24, 26, 27
# Where parts of the scratch memory begin: cells, places, a second copy of places, sorted columns of
# the input, rows of constants, end.
CELLS, OF_PLACES, NOTED, SORTED_CELLS, ROWS_OF_CONSTANTS, END = range(28, 34)
_NUMBERS = 34

#: Numbers of a group: where its items begin, and its terms; number of terms; rows, items of a row,
#: rows that are in the table; elements from one of its rows to the next, of cells and of places;
#: lanes; the tap that finds the first cell inside.
_GROUP = 10
_ITEMS, _TERMS, _N_TERMS, ROWS, _ACROSS, TOGETHER, _CELL_STEP, _PLACE_STEP = range(8)
LANES, FIRST_TAP = 8, 9

#: With fewer channels, lanes are the places of a row: a vector of channels has idle lanes.
FEW_CHANNELS = 16
#: Limits of the images that are processed at once: elements, which fit into the second-level cache,
#: and images, of which each has its items in the tables.
_MOST_ELEMENTS, _MOST_IMAGES = 16384, 16
#: Items of an image in a table, about: the rows of a large image share some rows' items.
_MOST_ITEMS = 1024


def _ceil(a: int, b: int) -> int:
    return -(-a // b)


class _Group(NamedTuple):
    """Items that have the same terms, for each row and column: first cell, and place."""

    row_cells: np.ndarray
    row_places: np.ndarray
    column_cells: np.ndarray
    column_places: np.ndarray
    #: Distances from an item's cell, and taps.
    terms: np.ndarray
    taps: np.ndarray
    lanes: int


def _classes(keys: Iterable[Any]) -> Iterator[tuple[Any, np.ndarray]]:
    """Yield every key with the indices at which it is found."""
    found: dict[Any, list[int]] = {}
    for index, key in enumerate(keys):
        found.setdefault(key, []).append(index)
    yield from ((key, np.array(indices)) for key, indices in found.items())


def _inside(axis: Axis) -> list[tuple[int, ...]]:
    """Return for every place the cells of its window that are inside the image."""
    starts = [place * axis.stride - axis.before for place in range(axis.places)]
    window = range(axis.window)
    return [
        tuple(k for k in window if 0 <= start + k * axis.dilation < axis.size) for start in starts
    ]


def _seen_by(axis: Axis) -> list[tuple[int, tuple[int, ...]]]:
    """Return for every cell its remainder by the stride, and the cells of windows that see it."""
    found = []
    for cell in range(axis.size):
        place, remainder = divmod(cell + axis.before, axis.stride)
        back = [divmod(k * axis.dilation, axis.stride) for k in range(axis.window)]
        taps = [
            k for k, (b, r) in enumerate(back)
            if r == remainder and 0 <= place - b < axis.places
        ]  # fmt: skip
        found.append((remainder, tuple(taps)))
    return found


class _Layout:
    """Tables of windows; see `lower_windows`."""

    def __init__(self, height: Axis, width: Axis, channels: int) -> None:
        self.axes, self.channels = (height, width), channels
        self.is_flat = channels < FEW_CHANNELS
        self.sorts = width.stride if self.is_flat else 1
        # Cells that windows see, from the first window's first cell on.
        down, right = ((a.places - 1) * a.stride + a.reach for a in self.axes)
        inside = height.before == width.before == 0 and down <= height.size and right <= width.size
        self.copied = self.is_flat and (not inside or self.sorts > 1)
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
        places = [height.places, width.places]
        same = self.seeing == places and self.first == [0, 0]
        self.copied_back = self.is_flat and not same
        if not self.is_flat:
            self.first, self.seeing = [0, 0], places
        self.line_back = self.seeing[1] * channels
        self.block_back = self.seeing[0] * self.line_back
        largest = max(self.block, self.block_back, height.size * width.size * channels)
        self.images = min(_MOST_IMAGES, max(1, _MOST_ELEMENTS // largest))

    @property
    def constants(self) -> int:
        """Length of a row of constants for the items of any loop."""
        width = self.axes[1]
        return max(width.size, width.places) * self.channels if self.is_flat else self.channels

    def sorted_columns(self) -> np.ndarray:
        """Return where columns of the input are in sorted order."""
        width = self.axes[1]
        columns = np.arange(width.size) + width.before
        return columns % self.sorts * self.columns + columns // self.sorts

    def places(self, line: int) -> Iterator[_Group]:
        """Yield groups of places, whose rows are `line` elements apart."""
        (height, width), channels = self.axes, self.channels
        rows, columns = _inside(height), _inside(width)
        before = height.before, width.before
        if self.is_flat:
            rows, before = [tuple(range(height.window))] * height.places, (0, 0)
            columns = [tuple(range(width.window))]
        for (k, i), (q, j) in itertools.product(_classes(rows), _classes(columns)):
            right = np.array(q, int) * width.dilation
            if self.copied:
                right = right % self.sorts * self.columns + right // self.sorts
            down = np.array(k, int)[:, None] * height.dilation
            yield _Group(
                (i * height.stride - before[0]) * self.line, i * line,
                (j * width.stride - before[1]) * channels, j * channels,
                (down * self.line + right * channels).ravel(),
                (np.array(k, int)[:, None] * width.window + np.array(q, int)).ravel(),
                width.places * channels if self.is_flat else channels,
            )  # fmt: skip

    def cells(self) -> Iterator[_Group]:
        """Yield groups of cells; an item's cell belongs to the place that sees it by tap 0."""
        (height, width), channels = self.axes, self.channels
        rows, columns = _seen_by(height), _seen_by(width)
        if self.is_flat:  # places that do not exist are seen, too
            rows, columns = (
                [
                    (r, tuple(k for k in range(a.window) if k * a.dilation % a.stride == r))
                    for r, _ in seen
                ]
                for seen, a in ((rows, height), (columns, width))
            )
        is_sorted, of_columns = self.sorts > 1, self.sorted_columns()
        length = (self.columns * self.sorts if is_sorted else width.size) * channels
        for ((p, k), h), ((r, q), w) in itertools.product(_classes(rows), _classes(columns)):
            lanes = w.size * channels if self.is_flat else channels
            w = w[:1] if self.is_flat else w
            down = np.array(k, int)[:, None] * height.dilation // height.stride
            right = np.array(q, int) * width.dilation // width.stride
            yield _Group(
                ((h + height.before - p) // height.stride - self.first[0]) * self.line_back,
                h * length,
                ((w + width.before - r) // width.stride - self.first[1]) * channels,
                (of_columns[w] if is_sorted else w) * channels,
                -(down * self.line_back + right * channels).ravel(),
                (np.array(k, int)[:, None] * width.window + np.array(q, int)).ravel(),
                lanes,
            )  # fmt: skip

    def tables(
        self, groups: Sequence[_Group], at: int, blocks: tuple[int, int], scale: int
    ) -> list[int]:
        """Return the numbers of groups, which begin at `at`, and behind them their tables.

        `blocks` are the elements from an image to the next, of cells and places. Numbers of terms
        are those of taps times `scale`; the terms are followed by themselves in reversed order.
        """
        numbers, tables = [], []
        at += _GROUP * len(groups)
        images = np.arange(self.images)[:, None, None]
        for g in groups:
            rows, across = g.row_cells.size, g.column_cells.size
            together = rows
            if self.images == 1 and not self.is_flat:
                together = min(rows, max(1, _MOST_ITEMS // across))
            pairs = (
                images * block + of_rows[:together, None] + of_columns
                for block, of_rows, of_columns in zip(blocks, g[:2], g[2:4], strict=True)
            )
            items = np.stack(list(pairs), axis=-1).ravel()
            terms = np.stack([g.terms, g.taps * scale], axis=-1)
            steps = [int(x[1] - x[0]) if rows > 1 else 0 for x in g[:2]]
            first = self.first_tap if self.is_flat else int(g.taps[0]) if g.taps.size else 0
            numbers += [
                at, at + items.size, g.taps.size, rows, across, together, *steps, g.lanes, first
            ]  # fmt: skip
            tables += [items, terms.ravel(), terms[::-1].ravel()]
            at += items.size + 2 * terms.size
        return [*numbers, *np.concatenate(tables).tolist()]

    @property
    def first_tap(self) -> int:
        """The tap that finds the first cell of the first window."""
        height, width = self.axes
        return height.before * width.window + width.before


def lower_windows(
    height: Axis, width: Axis, channels: int, constants: int = 1, weights: bool = False
) -> tuple[list[int], int]:
    """Return the geometry of windows, and the size of the scratch memory.

    `constants` is the number of rows of constants that the kernels keep besides. The numbers of
    terms are those of taps, or, for `weights`, the elements of their row of constants.
    """
    layout = _Layout(height, width, channels)
    scale, line = layout.constants if weights else 1, width.places * channels
    size, is_sorted = height.size * width.size * channels, layout.sorts > 1
    if is_sorted:
        size = height.size * layout.columns * layout.sorts * channels
    tables: list[int] = []
    begins: list[int] = []
    for groups, blocks in (
        (list(layout.places(line)), (layout.block, height.places * line)),
        (list(layout.places(layout.line_back)), (layout.block, layout.block_back)),
        (list(layout.cells()), (layout.block_back, size)),
    ):
        if not layout.is_flat and len(begins) == 2:  # those before: there is no copy
            begins += begins
            continue
        begins += [_NUMBERS + len(tables), len(groups)]
        tables += layout.tables(groups, begins[-2], blocks, scale)
    begins.append(_NUMBERS + len(tables))
    tables += (layout.sorted_columns() * channels).tolist() if is_sorted else []
    begins.append(_NUMBERS + len(tables))
    tables += [len(taps) for axis in layout.axes for taps in _inside(axis)]
    room = [
        layout.images * layout.block * layout.copied,
        layout.images * layout.block_back,
        layout.images * layout.block_back,
        layout.images * size * is_sorted,
        constants * layout.constants,
    ]
    ends = list(itertools.accumulate(room, initial=0))
    down, right = (min(n - a.before, a.size) for n, a in zip(layout.seen, layout.axes, strict=True))
    down_back, right_back = (
        min(n + first, a.places)
        for n, first, a in zip(layout.seeing, layout.first, layout.axes, strict=True)
    )
    geometry = [
        height.size, width.size, channels, height.places, width.places,
        height.window * width.window, layout.images, layout.constants,
        layout.line, layout.block if layout.copied else 0,
        height.before * layout.line + width.before * channels, down, right * channels,
        int(is_sorted),
        layout.line_back, layout.block_back,
        -layout.first[0] * layout.line_back - layout.first[1] * channels,
        down_back, right_back * channels, int(not layout.copied_back), *begins, *ends,
    ]  # fmt: skip
    return [*geometry, *tables], ends[-1]


@njit(**INLINED_OPTIONS)
def room(memory, op, which):
    """Return a part of the scratch memory: CELLS, OF_PLACES and so on."""
    return vector(memory, op[which], op[which + 1] - op[which])


@njit(**INLINED_OPTIONS)
def group_of(op, groups, k):
    """Return the numbers of group k of FORWARD_GROUPS, COPIED_GROUPS or BACK_GROUPS."""
    return vector(op, op[groups] + k * _GROUP, _GROUP)


@njit(**INLINED_OPTIONS)
def items_of(op, group, images, row):
    """Return items of a group from one of its rows on, and their number, for some images."""
    n = images * min(group[TOGETHER], group[ROWS] - row) * group[_ACROSS]
    return vector(op, group[_ITEMS], 2 * n), n


@njit(**INLINED_OPTIONS)
def terms_of(op, group):
    """Return the terms of a group, and their number."""
    return vector(op, group[_TERMS], 2 * group[_N_TERMS]), group[_N_TERMS]


@njit(**INLINED_OPTIONS)
def last_terms_of(op, group):
    """Return the terms of a group from the last to the first."""
    return vector(op, group[_TERMS] + 2 * group[_N_TERMS], 2 * group[_N_TERMS])


@njit(**INLINED_OPTIONS)
def cells_from(group, cells, row):
    """Return an array of cells, or of places that see them, for a group from one row on."""
    return vector(cells, row * group[_CELL_STEP], 1)


@njit(**INLINED_OPTIONS)
def places_from(group, places, row):
    """Return an array of places, or of cells that they see, for a group from one row on."""
    return vector(places, row * group[_PLACE_STEP], 1)


def over_groups(loop: Any) -> Any:
    """Return a function that runs a loop of jit/windows.py over all groups of some images' windows.

    The arrays of the loop are `source`, with the cells, `constants`, and `target`, with the places.
    """

    @njit(**INLINED_OPTIONS)
    def run(op, groups, images, source, constants, target):
        for k in range(op[groups + 1]):
            group = group_of(op, groups, k)
            terms, n_terms = terms_of(op, group)
            for row in range(0, group[ROWS], group[TOGETHER]):
                items, n = items_of(op, group, images, row)
                into = places_from(group, target, row)
                arrays = (cells_from(group, source, row), *constants, into)
                loop(items, n, terms, n_terms, group[LANES], 0, arrays)

    return run


def _emit_copy(builder: object, loads: Sequence[Load], stores: Sequence[Store]) -> None:
    stores[1](loads[0](0, 0), 0, 0)


#: Copies a row of lanes for every item.
copy_rows = make_lanes("copy_rows", 2, _emit_copy)


# The functions that copy are called, not inlined: kernels compile in two thirds of the time.
@njit(**HELPER_OPTIONS)
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


@njit(**HELPER_OPTIONS)
def copy_places(op, y, image, images, target):
    """Copy what belongs to the output's places of some images amid what `target` holds."""
    length = op[OW] * op[C]
    for i in range(images):
        source = vector(y, (image + i) * op[OH] * length, 1), length, 0, 0
        into = vector(target, i * op[BLOCK_BACK] + op[BEGIN_BACK], 1), op[LINE_BACK], 0, 0
        copy_rows(op[COPIED_ROWS_BACK], op[COPIED_LANES_BACK], (source, into))
    return target


@njit(**HELPER_OPTIONS)
def take_places(op, dy, image, images, target):
    """Return what belongs to the places that see some images: dy from `image` on, or a copy."""
    if op[UNCOPIED_BACK]:
        size = op[OH] * op[OW] * op[C]
        return vector(dy, image * size, images * size)
    return copy_places(op, dy, image, images, target)


@njit(**INLINED_OPTIONS)
def target_back(op, dx, image, sorted_cells):
    """Return where the gradients of cells are written: dx from `image` on, or sorted by column."""
    if op[SORTED]:
        return sorted_cells
    return vector(dx, image * op[H] * op[W] * op[C], 1)


@njit(**HELPER_OPTIONS)
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
