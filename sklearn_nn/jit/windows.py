"""Loops over windows: what many outputs compute from shifted cells, as explicit vector code.

Output i of a loop combines the cells at ``item[i] + term[t]``, over all terms t of its window. Both
offsets are read from tables, so that one loop serves any windows, and its transposition, with items
and terms exchanged, sums over places instead of over a window. Every offset begins a run of lanes:
the channels of a place, or a whole row of an image.

Some items are processed at once, so that they share what a term needs; each of them combines its
terms one by one in the order of the table, whichever items are beside it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from sklearn_nn.jit import intrinsic, types
from sklearn_nn.jit.emit import (
    define,
    int64,
    lanes_below,
    load_vector,
    multiply_add,
    splat,
    store_vector,
)  # fmt: skip
from sklearn_nn.jit.host import VECTOR_BITS
from sklearn_nn.jit.lanes import Loop

_I64 = ir.IntType(64)

#: Items at once. A multiplication takes four cycles, and two begin in each: with fewer items, sums
#: over many terms wait for one another.
TOGETHER = 5


class _Access(NamedTuple):
    """Loads of vectors of a loop's arrays: at an item's cell or place, or where a term says."""

    builder: ir.IRBuilder
    arrays: Sequence[ir.Value]
    vector: ir.VectorType
    mask: ir.Value | None
    #: The loop's number; see `make_windows`.
    number: ir.Value

    def pointer(self, k: int, offset: ir.Value) -> ir.Value:
        """Return the address of element `offset` of array k."""
        return self.builder.gep(self.arrays[k], [offset])

    def load(self, k: int, offset: ir.Value) -> ir.Value:
        """Return the vector that begins at element `offset` of array k."""
        return self.at(self.pointer(k, offset))

    def at(self, pointer: ir.Value) -> ir.Value:
        """Return the vector at an address."""
        address = self.builder.bitcast(pointer, self.vector.as_pointer())
        return load_vector(self.builder, address, self.mask)

    def constant(self, value: float) -> ir.Value:
        """Return a vector with `value` in every lane."""
        return ir.Constant(self.vector, [value] * self.vector.count)

    def spread(self, number: ir.Value) -> ir.Value:
        """Return a vector with a whole number in every lane."""
        scalar = self.builder.sitofp(number, self.vector.element)
        return splat(self.builder, scalar, self.vector.count)


class Rule(NamedTuple):
    """Rule by which a loop combines cells.

    The first `cells` of the arrays are read at cells; the last one is written.

    ``start(access, place, lane)`` returns the first total of an item, and what else it needs;
    ``share(access, number, lane)`` what all items need at a term; and ``step(access, total, own,
    cells, shared)`` the next total.
    """

    arrays: int
    cells: int
    start: Callable[[_Access, ir.Value, ir.Value], tuple[ir.Value, Any]]
    share: Callable[[_Access, ir.Value, ir.Value], Any]
    step: Callable[..., ir.Value]


def _emit_items(
    access: _Access, rule: Rule, lane: ir.Value, places: Sequence[ir.Value],
    cells: Sequence[ir.Value], terms: tuple[ir.Value, ir.Value],
) -> None:  # fmt: skip
    """Emit the loop over terms for the vectors of some items, from `lane` on."""
    builder, (table, count) = access.builder, terms
    starts = [rule.start(access, builder.add(place, lane), lane) for place in places]
    origins = [
        [access.pointer(k, builder.add(cell, lane)) for k in range(rule.cells)] for cell in cells
    ]
    loop = Loop(builder, count, carried=[total for total, _ in starts])
    entry = builder.gep(table, [builder.mul(loop.index, int64(2))])
    offset, number = builder.load(entry), builder.load(builder.gep(entry, [int64(1)]))
    shared = rule.share(access, number, lane)
    totals = []
    for total, (_, own), pointers in zip(loop.carried, starts, origins, strict=True):
        found = [access.at(builder.gep(pointer, [offset])) for pointer in pointers]
        totals.append(rule.step(access, total, own, found, shared))
    loop.close(totals)
    for place, total in zip(places, loop.carried, strict=True):
        pointer = access.pointer(rule.arrays - 1, builder.add(place, lane))
        address = builder.bitcast(pointer, access.vector.as_pointer())
        store_vector(builder, total, address, access.mask)


def _define(module: ir.Module, name: str, rule: Rule, scalar: ir.Type) -> ir.Function:
    """Define ``void f(items, item count, terms, term count, lanes, number, arrays ...)``."""
    width = VECTOR_BITS // (32 if isinstance(scalar, ir.FloatType) else 64)
    vector = ir.VectorType(scalar, width)

    def loops(builder: ir.IRBuilder, *given: ir.Value) -> None:
        items, count, terms, n_terms, lanes, number, *arrays = given
        groups = builder.sdiv(builder.add(count, int64(TOGETHER - 1)), int64(TOGETHER))
        group = Loop(builder, groups)
        begin, last = builder.mul(group.index, int64(TOGETHER)), builder.sub(count, int64(1))
        cells, places = [], []
        for k in range(TOGETHER):
            # Behind the last item, it is computed again.
            item = builder.add(begin, int64(k))
            item = builder.select(builder.icmp_signed("<", item, last), item, last)
            entry = builder.gep(items, [builder.mul(item, int64(2))])
            cells.append(builder.load(entry))
            places.append(builder.load(builder.gep(entry, [int64(1)])))

        def body(lane: ir.Value, mask: ir.Value | None) -> None:
            access = _Access(builder, arrays, vector, mask, number)
            _emit_items(access, rule, lane, places, cells, (terms, n_terms))

        vectors = Loop(builder, lanes, width)
        body(vectors.index, None)
        vectors.close()
        left = builder.sub(lanes, vectors.index)
        with builder.if_then(builder.icmp_signed(">", left, int64(0))):
            body(vectors.index, lanes_below(builder, left, width))
        group.close()

    table = _I64.as_pointer()
    arguments = [table, _I64, table, _I64, _I64, _I64, *[scalar.as_pointer()] * rule.arrays]
    return define(module, name, arguments, loops)


def make_windows(name: str, rule: Rule) -> Any:
    """Return an intrinsic ``f(items, count, terms, n_terms, lanes, number, arrays)``.

    `items` holds pairs: the element of an item's cell, and the element of its place in the arrays
    that are not read at cells. `terms` holds pairs: the distance from an item's cell, and a number
    whose meaning is the rule's, as that of `number`. All arrays are C-contiguous and share one
    dtype, float32 or float64. Nothing is checked. `name` names the symbol.
    """

    @intrinsic
    def loop(typingctx, items, count, terms, n_terms, lanes, number, arrays):
        kind = arrays.types[0].dtype

        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            def data(kind: types.Type, value: ir.Value) -> ir.Value:
                return context.make_array(kind)(context, builder, value).data

            symbol = f"{name}_windows_f{kind.bitwidth}"
            function = _define(builder.module, symbol, rule, context.get_data_type(kind))
            of_items, count, of_terms, *numbers, _ = args
            kinds = signature.args
            pointers = [
                data(array, builder.extract_value(args[-1], k))
                for k, array in enumerate(kinds[-1].types)
            ]
            tables = data(kinds[0], of_items), count, data(kinds[2], of_terms)
            builder.call(function, [*tables, *numbers, *pointers])
            return context.get_dummy_value()

        size = types.int64
        return types.void(items, size, terms, size, size, size, arrays), codegen

    return loop


def _nothing(access: _Access, number: ir.Value, lane: ir.Value) -> None:
    """Share nothing."""


def _from_zero(access: _Access, place: ir.Value, lane: ir.Value) -> tuple[ir.Value, None]:
    return access.constant(0.0), None


def _from_least(access: _Access, place: ir.Value, lane: ir.Value) -> tuple[ir.Value, None]:
    return access.constant(-math.inf), None


def _from_given(access: _Access, place: ir.Value, lane: ir.Value) -> tuple[ir.Value, None]:
    """Start from array 2, at the place if the loop's number is 1, or from its row 0."""
    row = access.builder.mul(access.builder.sub(place, lane), access.number)
    return access.load(2, access.builder.add(row, lane)), None


def _from_largest(access: _Access, place: ir.Value, lane: ir.Value) -> tuple[ir.Value, ir.Value]:
    """Keep the largest cell; start from -1, or if it is NaN from the loop's number."""
    largest = access.load(1, place)
    is_nan = access.builder.fcmp_unordered("uno", largest, largest)
    number = access.spread(access.number)
    return access.builder.select(is_nan, number, access.constant(-1.0)), largest


def _weight(access: _Access, number: ir.Value, lane: ir.Value) -> ir.Value:
    return access.load(1, access.builder.add(number, lane))


def _spread(access: _Access, number: ir.Value, lane: ir.Value) -> ir.Value:
    return access.spread(number)


def _add_product(access: _Access, total: ir.Value, own: None, cells: Any, weight: Any) -> ir.Value:
    return multiply_add(access.builder, cells[0], weight, total)


def _add(access: _Access, total: ir.Value, own: None, cells: Any, shared: None) -> ir.Value:
    return access.builder.fadd(total, cells[0])


def larger(builder: ir.IRBuilder, value: ir.Value, other: ir.Value) -> ir.Value:
    """Return the larger of two vectors, lane by lane. NaN is larger than any number."""
    greater = builder.fcmp_ordered(">", value, other)
    is_nan = builder.fcmp_unordered("uno", value, value)
    return builder.select(builder.or_(greater, is_nan), value, other)


def _take_larger(access: _Access, total: ir.Value, own: None, cells: Any, shared: None) -> ir.Value:
    return larger(access.builder, cells[0], total)


def _note_equal(access: _Access, total: ir.Value, own: Any, cells: Any, number: Any) -> ir.Value:
    builder = access.builder
    return builder.select(builder.fcmp_ordered("==", cells[0], own), number, total)


def _add_noted(access: _Access, total: ir.Value, own: None, cells: Any, number: Any) -> ir.Value:
    builder = access.builder
    hit = builder.fcmp_ordered("==", cells[0], number)
    return builder.fadd(total, builder.select(hit, cells[1], access.constant(0.0)))


#: ``y = z + sum of x w``, of arrays (x, w, z, y): a term's number is the element of its w, and the
#: loop's number 1 if z has a row for every item like y, or 0 if it has one for all.
sum_products = make_windows("sum_products", Rule(4, 1, _from_given, _weight, _add_product))
#: ``y = sum of x``, of arrays (x, y).
sum_cells = make_windows("sum_cells", Rule(2, 1, _from_zero, _nothing, _add))
#: ``y = maximum of x``, of arrays (x, y). NaN is larger than any number.
find_largest = make_windows("find_largest", Rule(2, 1, _from_least, _nothing, _take_larger))
#: Of arrays (x, y, which): set `which` to the number of the last term whose x equals y; to -1 if
#: there is none, and to the loop's number if y is NaN. `which` may be y.
find_equal = make_windows("find_equal", Rule(3, 1, _from_largest, _spread, _note_equal))
#: ``y = sum of x where which equals the term's number``, of arrays (which, x, y).
sum_noted = make_windows("sum_noted", Rule(3, 2, _from_zero, _spread, _add_noted))
