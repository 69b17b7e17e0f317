"""Register tile: a small matrix product, emitted as LLVM vector code.

A tile holds ``rows x vectors`` vector registers of C. For each step of the reduction it loads
``vectors`` registers of B, broadcasts one number of A per row, and multiplies and adds into all of
C. C is therefore accessed once, and each load of B serves every row::

    C[i, j] = D[i, j] + sum_o sum_k A[i*ars + o*ao + k*acs] * B[o*bo + k*bs + j]

for ``i < rows`` and ``j < columns``, where D is C itself, another array, or nothing. The reduction
has two levels, so that a window of an image (rows of pixels, and pixels within a row) needs no
copy. The strides of A are free, so that A can be read by rows or by columns. The last vector of
each row is masked: columns outside C are neither read nor written.

At each step a tile that fetches also prefetches one cache line, at ``p + o*po + k*ps``, which is
needed later. The processor does this by itself only for consecutive addresses. It also prefetches
its part of C before the reduction, so that the stores do not wait for memory.

Every element of C is summed in the same order, k ascending inside o ascending, so that the result
does not depend on the tile that computes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from sklearn_nn.jit import intrinsic, types
from sklearn_nn.jit.emit import (
    define,
    int64,
    is_given,
    lanes_below,
    load_vector,
    multiply_add,
    prefetch,
    splat,
    store_vector,
)

_I64 = ir.IntType(64)

#: Rows of A that share a pointer. With one pointer for all, LLVM adds strides from row to row, and
#: a step of the reduction takes at least a cycle per row.
ROWS_A_POINTER = 4


class TileShape(NamedTuple):
    """Size of a tile in registers, and the registers it is made for."""

    rows: int
    vectors: int
    bits: int
    vector_bits: int
    masked: bool
    fetches: bool = False

    @property
    def lanes(self) -> int:
        """Elements per vector register."""
        return self.vector_bits // self.bits

    @property
    def scalar(self) -> ir.Type:
        """LLVM type of an element."""
        return ir.FloatType() if self.bits == 32 else ir.DoubleType()

    @property
    def vector(self) -> ir.VectorType:
        """LLVM type of a register."""
        return ir.VectorType(self.scalar, self.lanes)

    @property
    def name(self) -> str:
        """Symbol of the tile's function."""
        kind = "masked_tile" if self.masked else "tile"
        kind = f"fetching_{kind}" if self.fetches else kind
        return f"{kind}_{self.rows}x{self.vectors}_f{self.bits}_v{self.vector_bits}"


def _unrelated(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    """Return `value` while hiding its computation from LLVM."""
    return builder.asm(ir.FunctionType(value.type, [value.type]), "", "=r,0", [value], False)


class Memory:
    """Loads and stores of vectors, masked for the last vector of a row in a masked tile."""

    def __init__(self, builder: ir.IRBuilder, shape: TileShape, columns: ir.Value):
        self.builder, self.shape = builder, shape
        left = builder.sub(columns, int64((shape.vectors - 1) * shape.lanes))
        self._last = lanes_below(builder, left, shape.lanes)

    def _place(self, row: ir.Value, index: int) -> tuple[ir.Value, ir.Value | None]:
        """Return the address and the mask of vector number `index` of a row."""
        shape, place = self.shape, self.builder.gep(row, [int64(index * self.shape.lanes)])
        address = self.builder.bitcast(place, shape.vector.as_pointer())
        return address, self._last if shape.masked and index == shape.vectors - 1 else None

    def load(self, row: ir.Value, index: int) -> ir.Value:
        """Return vector number `index` of the row that starts at `row`."""
        return load_vector(self.builder, *self._place(row, index))

    def store(self, value: ir.Value, row: ir.Value, index: int) -> None:
        """Write vector number `index` of the row that starts at `row`."""
        store_vector(self.builder, value, *self._place(row, index))

    def prefetch(self, first: ir.Value, stride: ir.Value) -> None:
        """Prefetch all rows of a tile, of which the first starts at `first`, to write them."""
        builder, shape = self.builder, self.shape
        for i in range(shape.rows):
            row = builder.gep(first, [builder.mul(stride, int64(i))])
            for j in range(shape.vectors):
                prefetch(builder, builder.gep(row, [int64(j * shape.lanes)]), to_write=True)


class Loop:
    """Loop ``for step in range(count)`` with pointers and sums that change from step to step.

    The count is at least one. `pointers` are (start, stride) pairs. With `apart`, each advances by
    itself. Otherwise LLVM may replace them by one offset and a pointer for every address in the
    body, of which there can be more than registers.
    """

    def __init__(
        self, builder: ir.IRBuilder, count: ir.Value, pointers: list[tuple[ir.Value, ir.Value]],
        sums: list[ir.Value], name: str, apart: bool = False,
    ):  # fmt: skip
        self._apart = apart
        self._builder, self._count, self._name = builder, count, name
        before = builder.block
        self._head = builder.append_basic_block(name)
        builder.branch(self._head)
        builder.position_at_end(self._head)
        self.step = self._phi(int64(0), before)
        self._strides = [stride for _, stride in pointers]
        self.pointers = [self._phi(start, before) for start, _ in pointers]
        self.sums = [self._phi(start, before) for start in sums]

    def _phi(self, value: ir.Value, block: ir.Block) -> ir.Instruction:
        phi = self._builder.phi(value.type)
        phi.add_incoming(value, block)
        return phi

    def close(self, sums: list[ir.Value]) -> None:
        """End the body; `sums` are the values for the next step."""
        builder, end = self._builder, self._builder.block
        # Hiding the count prevents unrolling, whose pointers would fill the registers.
        step = _unrelated(builder, builder.add(self.step, int64(1)))
        self.step.add_incoming(step, end)
        for phi, stride in zip(self.pointers, self._strides, strict=True):
            moved = builder.gep(phi, [stride])
            phi.add_incoming(_unrelated(builder, moved) if self._apart else moved, end)
        for phi, value in zip(self.sums, sums, strict=True):
            phi.add_incoming(value, end)
        after = builder.append_basic_block(self._name + "_end")
        builder.cbranch(builder.icmp_signed("<", step, self._count), self._head, after)
        builder.position_at_end(after)


def _multiply_add(
    memory: Memory, a_rows: list[ir.Value], b_row: ir.Value, sums: list[ir.Value]
) -> list[ir.Value]:
    """Emit one step of the reduction: sums[i, j] += a[i] * b[j]."""
    builder, shape, new = memory.builder, memory.shape, list(sums)
    if shape.vectors <= shape.rows:
        b = [memory.load(b_row, j) for j in range(shape.vectors)]
        for i, row in enumerate(a_rows):
            a = splat(builder, builder.load(row), shape.lanes)
            for j in range(shape.vectors):
                k = i * shape.vectors + j
                new[k] = multiply_add(builder, a, b[j], sums[k])
        return new
    a_all = [splat(builder, builder.load(row), shape.lanes) for row in a_rows]
    for j in range(shape.vectors):
        b_j = memory.load(b_row, j)
        for i in range(shape.rows):
            k = i * shape.vectors + j
            new[k] = multiply_add(builder, a_all[i], b_j, sums[k])
    return new


def _reduce(
    memory: Memory, values: Sequence[ir.Value], inner_count: ir.Value, outer_count: ir.Value
) -> list[ir.Value]:
    """Emit the two loops of the reduction over A, B and the prefetched; return the sums."""
    builder, shape = memory.builder, memory.shape
    a, ars, acs, ao, b, bs, bo, *ahead = values
    zeros = [ir.Constant(shape.vector, None)] * (shape.rows * shape.vectors)
    steps = [builder.mul(ars, int64(i)) for i in range(shape.rows)]
    groups = [_unrelated(builder, builder.gep(a, [first])) for first in steps[::ROWS_A_POINTER]]
    walks = [(b, bo, bs), *((group, ao, acs) for group in groups)]
    if ahead:
        p, ps, po = ahead
        walks.append((p, po, ps))
    starts = [(pointer, stride) for pointer, stride, _ in walks]
    outer = Loop(builder, outer_count, starts, zeros, "outer")
    starts = [(p, stride) for p, (_, _, stride) in zip(outer.pointers, walks, strict=True)]
    inner = Loop(builder, inner_count, starts, outer.sums, "inner", apart=True)
    b_step, *a_steps = inner.pointers
    if ahead:
        prefetch(builder, a_steps.pop())
    a_rows = [builder.gep(p, [step]) for p in a_steps for step in steps[:ROWS_A_POINTER]]
    sums = _multiply_add(memory, a_rows[: shape.rows], b_step, inner.sums)
    inner.close(sums)
    outer.close(sums)
    return sums


def _write(memory: Memory, sums: list[ir.Value], *operands: tuple[ir.Value, ir.Value]) -> None:
    """Store C = sums or C = D + sums; `operands` are (first element, row stride) of C and of D."""
    builder, vectors = memory.builder, memory.shape.vectors
    for i in range(memory.shape.rows):
        row, *addend = (builder.gep(p, [builder.mul(stride, int64(i))]) for p, stride in operands)
        for j, value in enumerate(sums[i * vectors : (i + 1) * vectors]):
            total = builder.fadd(memory.load(addend[0], j), value) if addend else value
            memory.store(total, row, j)


def _define(module: ir.Module, shape: TileShape) -> ir.Function:
    """Return the function of one tile in `module`."""

    def emit(builder: ir.IRBuilder, *values: ir.Value) -> None:
        c, cs, d, ds, *ahead, inner, outer, columns = values[7:]
        memory = Memory(builder, shape, columns)
        if shape.fetches:
            memory.prefetch(c, cs)
        sums = _reduce(memory, [*values[:7], *ahead], inner, outer)
        with builder.if_else(is_given(builder, d)) as (then, otherwise):
            with then:
                _write(memory, sums, (c, cs), (d, ds))
            with otherwise:
                _write(memory, sums, (c, cs))

    pointer = shape.scalar.as_pointer()
    of_a, of_b, of_c = [pointer, *[_I64] * 3], [pointer, *[_I64] * 2], [pointer, _I64] * 2
    arguments = [*of_a, *of_b, *of_c, *(of_b if shape.fetches else []), *[_I64] * 3]
    return define(module, shape.name, arguments, emit)


class Kind(NamedTuple):
    """Tiles of a number of vectors, with `fewest` to `most` rows."""

    vectors: int
    fewest: int
    most: int
    masked: bool
    fetches: bool = False


def make_tiles(kinds: Sequence[Kind], vector_bits: int) -> Any:
    """Return an intrinsic ``tile(rows, vectors, fetches, a, ..., ds, p, ps, po, K, O, columns)``.

    When called it selects the tile of one of the `kinds`; other sizes do nothing. `a`, `b`, `c`,
    `d` and `p` are pointers to float32 or float64; strides count elements. K and O are at least
    one. `columns` ends in the last of the `vectors` registers of `vector_bits` bits; an unmasked
    tile ignores it and fills the registers. `d` may be null, for nothing to add, or `c`; with
    ds = 0 it is one row, added to all. `p` and its strides are used if `fetches` is 1.
    """
    stride, apart = max(kind.most for kind in kinds) + 1, max(kind.vectors for kind in kinds) + 1
    sizes = [(r, kind) for kind in kinds for r in range(kind.fewest, kind.most + 1)]

    @intrinsic
    def tile(
        typingctx, rows, vectors, fetches,
        a, ars, acs, ao, b, bs, bo, c, cs, d, ds, p, ps, po, K, O, columns,
    ):  # fmt: skip
        def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
            rows, vectors, fetches, *rest = args
            after = builder.append_basic_block("tile_end")
            kind = builder.add(builder.mul(fetches, int64(apart)), vectors)
            switch = builder.switch(builder.add(builder.mul(kind, int64(stride)), rows), after)
            for r, (v, _, _, masked, fetching) in sizes:
                shape = TileShape(r, v, a.dtype.bitwidth, vector_bits, masked, fetching)
                block = builder.append_basic_block(shape.name)
                switch.add_case(int64((fetching * apart + v) * stride + r), block)
                builder.position_at_end(block)
                given = rest if fetching else [*rest[:11], *rest[14:]]
                builder.call(_define(builder.module, shape), given)
                builder.branch(after)
            builder.position_at_end(after)
            return context.get_dummy_value()

        size = types.int64
        of_a, of_b, of_c = (a, size, size, size), (a, size, size), (a, size)
        return types.void(size, size, size, *of_a, *of_b, *of_c, *of_c, *of_b, *[size] * 3), codegen

    return tile
