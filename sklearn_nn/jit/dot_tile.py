"""Dot tile: sums over the filters of a convolution, for a few channels at several places at once.

The tiles of `tile.py` hold channels in the lanes of a vector, which leaves most lanes idle if there
are three. Here the lanes hold filters, and every sum has its own vector::

    x[i, c] = sum over rows k, positions j and filters f of y[k, i + before - j, f] W[k, j, c, f]

for ``i < places`` and ``c < channels``. Places of y beyond an edge are read from a row of zeros.
Finally, the lanes of each sum are added. This is done for as many sums as a vector has lanes, in
rounds of shuffles that halve the number of vectors and put sum number i into lane i, so that the
result is a vector of x. Every sum adds its lanes in the same order.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from sklearn_nn.jit import intrinsic, njit, register_jitable, types
from sklearn_nn.jit.emit import define, int64, load_vector, multiply_add, prefetch
from sklearn_nn.jit.host import INLINED_OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from sklearn_nn.jit.tile import Loop, Memory, TileShape
from sklearn_nn.jit.views import vector

_I64 = ir.IntType(64)

#: Largest number of places of a tile: each needs a pointer, in one of 16 registers.
MOST_PLACES = 8


def _add_lanes(builder: ir.IRBuilder, sums: list[ir.Value]) -> ir.Value:
    """Return a vector with sum number i in lane i.

    Every round halves the number of vectors: lanes that are `half` apart are added, in two vectors
    whose totals fill one.
    """
    lanes = sums[0].type.count
    kind = ir.VectorType(ir.IntType(32), lanes)
    rows = sums + [ir.Constant(sums[0].type, None)] * (lanes - len(sums))
    half = lanes // 2
    while half:
        stay = [i if i & half == 0 else lanes + i for i in range(lanes)]
        move = [i + half if i & half == 0 else lanes + i - half for i in range(lanes)]
        rows = [
            builder.fadd(
                *(builder.shuffle_vector(*pair, ir.Constant(kind, order)) for order in (stay, move))
            )
            for pair in zip(rows[:half], rows[half:], strict=True)
        ]
        half //= 2
    return rows[0]


def _sums(
    builder: ir.IRBuilder, shape: TileShape, operands: Sequence[ir.Value],
    counts: Sequence[ir.Value], start: ir.Value,
) -> list[ir.Value]:  # fmt: skip
    """Emit the loops over kernel rows, positions and filters; `start` is the first place.

    Every vector of filters prefetches a cache line of y that the next row of x reads first.
    """
    zeros, y, y_step, w, w_step = operands
    rows, positions, filters, there = counts
    places, channels, lanes = shape.rows, shape.vectors, int64(shape.lanes)
    size = builder.mul(builder.mul(there, filters), int64(shape.bits // 8))
    back, skip = builder.neg(filters), builder.mul(filters, int64(channels))
    ahead = builder.gep(y, [builder.sub(start, y_step)])
    carried = [ahead, *[ir.Constant(shape.vector, None)] * (places * channels)]
    outer = Loop(builder, rows, [(y, y_step), (w, w_step)], carried, "rows")
    y_row, w_row = outer.pointers
    first = builder.gep(y_row, [start])
    middle = Loop(builder, positions, [(first, back), (w_row, skip)], outer.sums, "positions")
    of_y, of_w = (
        [builder.gep(pointer, [builder.mul(filters, int64(k))]) for k in range(count)]
        for pointer, count in zip(middle.pointers, (places, channels), strict=True)
    )
    begin = builder.ptrtoint(y_row, _I64)
    for r, place in enumerate(of_y):
        offset = builder.sub(builder.ptrtoint(place, _I64), begin)
        of_y[r] = builder.select(builder.icmp_unsigned("<", offset, size), place, zeros)
    chunks = builder.sdiv(filters, lanes)
    inner = Loop(builder, chunks, [(p, lanes) for p in of_y + of_w], middle.sums, "filters")
    loaded = [
        load_vector(builder, builder.bitcast(p, shape.vector.as_pointer())) for p in inner.pointers
    ]
    ahead, *sums = inner.sums
    prefetch(builder, ahead)
    pairs = itertools.product(loaded[:places], loaded[places:])
    sums = [multiply_add(builder, *pair, sums[k]) for k, pair in enumerate(pairs)]
    for loop in (inner, middle, outer):
        loop.close([builder.gep(ahead, [lanes]), *sums])
    return sums


def _define(module: ir.Module, shape: TileShape) -> ir.Function:
    """Define ``void f(zeros, y, y row stride, w, w row stride, x, before, tiles, width, rows,
    positions, filters, y places)``, which computes adjacent tiles of a row of `width` places.
    """
    places, channels = shape.rows, shape.vectors

    def emit(builder: ir.IRBuilder, *values: ir.Value) -> None:
        *operands, x, before, tiles, width, rows, positions, filters, there = values
        together = int64(places * channels)
        beside = Loop(builder, tiles, [(x, together)], [], "tiles")
        begin = builder.mul(beside.step, int64(places))
        start = builder.mul(builder.add(begin, before), filters)
        sums = _sums(builder, shape, operands, (rows, positions, filters, there), start)
        left = builder.mul(builder.sub(width, begin), int64(channels))
        count = builder.select(builder.icmp_signed("<", left, together), left, together)
        for k in range(0, len(sums), shape.lanes):
            memory = Memory(builder, shape._replace(vectors=1), builder.sub(count, int64(k)))
            target = builder.gep(beside.pointers[0], [int64(k)])
            memory.store(_add_lanes(builder, sums[k : k + shape.lanes]), target, 0)
        beside.close([])

    pointer = shape.scalar.as_pointer()
    arguments = [pointer, pointer, _I64, pointer, _I64, pointer, *[_I64] * 7]
    return define(module, f"dot_{shape.name}", arguments, emit)


#: Number of sums that hide the latency of an addition.
_ENOUGH = 8


@register_jitable
def _places(channels):
    """Return the smallest and largest number of places of a tile, equal or one apart."""
    most = max(1, min(MOST_PLACES, (VECTOR_REGISTERS - 1) // channels - 1))
    return most - 1 if (most - 1) * channels >= _ENOUGH else most, most


def _sizes(lanes: int) -> list[tuple[int, int]]:
    """Return (places, channels) of all tiles that `dot_row` uses."""
    return [
        (places, channels)
        for channels in range(1, lanes + 1)
        for places in sorted(set(_places(channels)))
    ]


@intrinsic
def _tiles(
    typingctx, places, channels, zeros, y, y_step, w, w_step, x,
    before, tiles, width, rows, positions, filters, there,
):  # fmt: skip
    """Compute tiles of the given places and channels; see `_define`."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        places, channels, *rest = (
            context.make_array(kind)(context, builder, value).data
            if isinstance(kind, types.Array)
            else value
            for kind, value in zip(signature.args, args, strict=True)
        )
        bits, after = y.dtype.bitwidth, builder.append_basic_block("tiles_end")
        number = builder.add(builder.mul(channels, int64(MOST_PLACES + 1)), places)
        switch = builder.switch(number, after)
        for r, c in _sizes(VECTOR_BITS // bits):
            shape = TileShape(r, c, bits, VECTOR_BITS, masked=True)
            block = builder.append_basic_block(shape.name)
            switch.add_case(int64(c * (MOST_PLACES + 1) + r), block)
            builder.position_at_end(block)
            builder.call(_define(builder.module, shape), rest)
            builder.branch(after)
        builder.position_at_end(after)
        return context.get_dummy_value()

    size = types.int64
    return types.void(size, size, zeros, y, size, w, size, x, *[size] * 7), codegen


@njit(**INLINED_OPTIONS)
def lanes_of(array):
    """Return the number of elements in a vector register."""
    return VECTOR_BITS // (8 * array.itemsize)


@njit(**INLINED_OPTIONS)
def dot_plan(width, channels):
    """Return the places of a larger tile, and the numbers of larger and smaller tiles in a row."""
    fewest, most = _places(channels)
    tiles = (width + most - 1) // most
    shorter = tiles * most - width if fewest < most else 0
    taller = max(0, tiles - shorter)
    return most, taller, tiles - taller


@njit(**INLINED_OPTIONS)
def dot_row(
    plan, width, channels, zeros, y, y_step, w, w_step, x, before, rows, positions, filters, there
):
    """Set x[i, c] = sum over k, j, f of y[k, i + before - j, f] W[k, j, c, f], for i < width.

    k < `rows` advances by `y_step` numbers in `y` and `w_step` in `w`; j < `positions`. Rows of y
    have `there` places; others are read from `zeros`, of length `filters`, a multiple of
    `lanes_of(y)` and at least `channels`. `plan` is the result of `dot_plan`.
    """
    most, taller, shorter = plan
    i = taller * most
    if taller > 0:
        _tiles(
            most, channels, zeros, y, y_step, w, w_step, x,
            before, taller, width, rows, positions, filters, there,
        )  # fmt: skip
    if shorter > 0:
        _tiles(
            most - 1, channels, zeros, y, y_step, w, w_step, vector(x, i * channels, 1),
            before + i, shorter, width - i, rows, positions, filters, there,
        )  # fmt: skip
