"""Division of a contraction into blocks of the reduction, panels of C, and tiles of rows.

contract.py compiles `tiled` and `plain`, whose arguments are pointers, strides and lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from llvmlite import ir

from sklearn_nn.jit import cgutils, intrinsic, njit, types
from sklearn_nn.jit.emit import (
    emitted,
    int64,
    is_given,
    lanes_below,
    load_vector,
    multiply_add,
    splat,
    store_vector,
)
from sklearn_nn.jit.host import HELPER_OPTIONS, LINE, VECTOR_BITS, VECTOR_REGISTERS
from sklearn_nn.jit.lanes import Loop
from sklearn_nn.jit.tile import Kind, make_tiles

#: Steps of the reduction whose products are added up in one chain; the chains are added in order.
CHAIN = 256

#: Whether there are enough registers for 24 sums.
_MANY_REGISTERS = VECTOR_REGISTERS >= 32

#: Steps of the reduction in one block. A tile computes its chains one after another, while its part
#: of C is in the first-level cache. With few registers, a chain's panel of B is in that cache, too.
BLOCK = 2 * CHAIN if _MANY_REGISTERS else CHAIN

#: Largest number of rows of a tile, by its number of vectors. With 32 registers, 24 sums leave
#: eight for B and A. Four vectors by six rows load ten times for 24 products, where two vectors by
#: twelve rows load fourteen times. With 16 registers there is room for 12 sums. Eight sums hide the
#: latency of an addition.
MOST_ROWS = {1: 12, 2: 12, 3: 8, 4: 6, 8: 3} if _MANY_REGISTERS else {1: 8, 2: 6, 4: 3}

#: Vectors of the tiles for many rows, and their least number of rows. Up to WIDE_ROWS rows are
#: computed in tiles of WIDE vectors, because fewer sums would not hide the latency of an addition.
TALL, TALL_ROWS = (4, 4) if _MANY_REGISTERS else (2, 4)
WIDE = max(MOST_ROWS)
WIDE_ROWS = MOST_ROWS[WIDE]
# Numba reads no dictionaries.
_ONE_HIGH, _TWO_HIGH, _THREE_HIGH, _TALL_HIGH = (MOST_ROWS.get(n, 0) for n in (1, 2, 3, TALL))

#: Whether tiles of two and three vectors are masked, to be computed where fewer columns are left.
#: Masks are free with AVX-512; elsewhere a masked load takes several instructions, and columns that
#: do not fill two vectors use single vectors.
MASKED = VECTOR_BITS == 512

#: Room for one block of B, as wide as the widest tile that it is copied for.
PANEL_VECTORS = TALL * BLOCK

#: Rows of A that are a multiple of PAGE bytes apart share a set of the first-level cache, which
#: holds CACHE_WAYS lines or more. A tile of more rows would load each line again at every step.
PAGE, CACHE_WAYS = 4096, 8

#: B is copied to a small buffer, panel by panel, if its rows are at least PACKED_STRIDE bytes apart
#: (they would share a few cache sets and need a page each) and the copy serves PACKED_ROWS rows of
#: C or more. With high tiles only strides of nearly a page, and of an even number of lines, matter.
PACKED_ROWS, PACKED_STRIDE = 96, PAGE * 3 // 4 if _MANY_REGISTERS else PAGE // 4
PACKED_MULTIPLE = 2 * LINE if _MANY_REGISTERS else 1

#: The same if rows of B do not begin on cache lines, and a vector is as long as a line: each vector
#: would cross lines, and need two loads.
CROSSES_LINES, UNALIGNED_ROWS = VECTOR_BITS == 8 * LINE, 48

#: Bytes of a block of A, which stays in the second-level cache with a panel of B and the next one.
#: Processors with vectors of 512 bits have a cache of 1 MiB or more.
BLOCK_BYTES = 1024 * 1024 if VECTOR_BITS == 512 else 256 * 1024

#: Tiles of TALL vectors prefetch the next operands, in products of FETCHED multiplications or more;
#: operands of smaller ones are in the cache.
FETCHED = 2**19


_tile = make_tiles(
    [
        Kind(1, 1, MOST_ROWS[1], True),
        Kind(2, 1, MOST_ROWS[2], MASKED),
        *([Kind(3, TALL_ROWS, MOST_ROWS[3], True)] if MASKED else []),
        # Seven rows are divided into four and three.
        *([Kind(TALL, TALL_ROWS - 1, MOST_ROWS[TALL], False)] if TALL > 2 else []),
        Kind(TALL, TALL_ROWS, MOST_ROWS[TALL], False, True),
        Kind(WIDE, 1, WIDE_ROWS, False),
    ],
    VECTOR_BITS,
)

# Inlined before compilation: separate functions would each be optimized with a copy of all tiles.
_inlined = njit(inline="always")
_reassociated = njit(**{**HELPER_OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})


@intrinsic
def advance(typingctx: Any, pointer: types.Type, count: types.Type) -> Any:
    """Return `pointer` moved by `count` elements."""
    signature = pointer(pointer, types.int64)
    return emitted(signature, lambda builder, start, count: builder.gep(start, [count]))


@intrinsic
def advance_any(typingctx: Any, pointer: types.Type, count: types.Type) -> Any:
    """Return `pointer` moved by `count` elements; null stays null."""

    def emit(builder: Any, start: Any, count: Any) -> Any:
        moved = builder.gep(start, [count])
        return builder.select(is_given(builder, start), moved, start)

    return emitted(pointer(pointer, types.int64), emit)


@intrinsic
def exists(typingctx: Any, pointer: types.Type) -> Any:
    """Return whether `pointer` is not null."""
    return emitted(types.boolean(pointer), is_given)


@intrinsic
def into_line(typingctx: Any, pointer: types.Type) -> Any:
    """Return the number of bytes from the last start of a cache line to `pointer`."""

    def emit(builder: Any, start: Any) -> Any:
        return builder.and_(builder.ptrtoint(start, ir.IntType(64)), int64(LINE - 1))

    return emitted(types.int64(pointer), emit)


@intrinsic(prefer_literal=True)
def copy_vectors(typingctx: Any, source: types.Type, target: types.Type, vectors: Any) -> Any:
    """Copy a constant number of vectors from `source` to `target`, wherever both begin."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        number = context.get_data_type(source.dtype)
        vector = ir.VectorType(number, VECTOR_BITS // source.dtype.bitwidth)
        for j in range(vectors.literal_value):
            read, written = (
                builder.bitcast(builder.gep(start, [int64(j * vector.count)]), vector.as_pointer())
                for start in args[:2]
            )
            store_vector(builder, load_vector(builder, read), written)
        return context.get_dummy_value()

    return types.void(source, target, vectors), codegen


@intrinsic
def scale_row(typingctx: Any, factor: types.Type, b: types.Type, c: types.Type, size: Any) -> Any:
    """Set c[j] = 0 + factor * b[j] for j < size; the sum is that of a tile, and is not -0."""

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        factor, *pointers, size = args
        vector = ir.VectorType(factor.type, VECTOR_BITS // signature.args[0].bitwidth)
        factors, zero = splat(builder, factor, vector.count), ir.Constant(vector, None)
        loop = Loop(builder, size, vector.count)

        def body(mask: Any) -> None:
            source, target = (
                builder.bitcast(builder.gep(p, [loop.index]), vector.as_pointer()) for p in pointers
            )
            product = multiply_add(builder, factors, load_vector(builder, source, mask), zero)
            store_vector(builder, product, target, mask)

        body(None)
        loop.close()
        left = builder.sub(size, loop.index)
        with builder.if_then(builder.icmp_signed(">", left, int64(0))):
            body(lanes_below(builder, left, vector.count))
        return context.get_dummy_value()

    return types.void(b.dtype, b, c, types.int64), codegen


@intrinsic
def element_bits(typingctx: Any, pointer: types.Type) -> Any:
    """Return the bits of an element that `pointer` points to."""
    return emitted(types.int64(pointer), lambda *_: int64(pointer.dtype.bitwidth))


@intrinsic
def zero_of(typingctx: Any, pointer: types.Type) -> Any:
    """Return 0 of the type that `pointer` points to."""
    return emitted(pointer.dtype(pointer), lambda _, start: start.type.pointee(0.0))


@intrinsic(prefer_literal=True)
def stack_vectors(typingctx: Any, pointer: types.Type, vectors: types.IntegerLiteral) -> Any:
    """Allocate a constant number of vectors of the pointer's element type on the stack."""
    count = vectors.literal_value * VECTOR_BITS // pointer.dtype.bitwidth

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        room = cgutils.alloca_once(builder, context.get_data_type(pointer.dtype), size=count)
        room.align = VECTOR_BITS // 8
        return room

    return pointer(pointer, vectors), codegen


@_inlined
def _block_lengths(K, O):
    """Return the steps of the inner reduction in one chain and in one block, and the outer steps.

    Chains depend on K and O only, since the order of summation must not depend on M or N.
    """
    if K * O <= CHAIN:  # saves divisions, which take as long as some rows of a small product
        return K, K, O
    if K <= CHAIN:
        return K, K, min(O, CHAIN // K)
    chains = (K + CHAIN - 1) // CHAIN
    chain = (K + chains - 1) // chains
    return chain, BLOCK // CHAIN * chain, 1


@_inlined
def _block_rows(M, length, bits):
    """Return the rows of A and C in one block, so that A stays in the second-level cache.

    Each panel reads all of it again. The blocks have nearly equal heights.
    """
    if M * length * bits <= 8 * BLOCK_BYTES:
        return M
    blocks = (M * length * bits + 8 * BLOCK_BYTES - 1) // (8 * BLOCK_BYTES)
    rows = (M + blocks - 1) // blocks
    return (rows + _TALL_HIGH - 1) // _TALL_HIGH * _TALL_HIGH


@_inlined
def _block_groups(G, M, length, bits):
    """Return the number of groups of M rows in one block, by the rule of `_block_rows`."""
    if G * M * length * bits <= 8 * BLOCK_BYTES:
        return G
    return max(1, 8 * BLOCK_BYTES // (M * length * bits))


@_inlined
def _begin(c, cs, d, ds, M, N):
    """Set C = D, or 0 without D."""
    given = exists(d)
    for i in range(M):
        row, addend = advance(c, i * cs), advance_any(d, i * ds)
        for j in range(N):
            row[j] = addend[j] if given else 0


@_inlined
def _pack(b, bs, bo, packed, vectors, columns, K, O):
    """Copy the first columns of a block of B, two or TALL vectors, row after row without gaps."""
    for o in range(O):
        source, target = advance(b, o * bo), advance(packed, o * K * columns)
        for _k in range(K):
            if vectors == 2:
                copy_vectors(source, target, 2)
            else:
                copy_vectors(source, target, TALL)
            source, target = advance(source, bs), advance(target, columns)


@_inlined
def _choose(M, left, lanes, crowded):
    """Return the vectors of the next panel, and the most rows of its tiles.

    `left` columns are left. If A is `crowded`, more than CACHE_WAYS rows would evict one another.
    """
    if M <= WIDE_ROWS and left >= WIDE * lanes:
        return WIDE, WIDE_ROWS
    # Seven or eight rows are computed in one tile, so that B is read once.
    if MASKED and _TALL_HIGH < M <= _THREE_HIGH and left >= 3 * lanes:
        return 3, _THREE_HIGH
    if M >= TALL_ROWS and left >= TALL * lanes:
        return TALL, _TALL_HIGH
    vectors, most = 1, _ONE_HIGH
    if MASKED and M >= TALL_ROWS and 2 * lanes < left <= 3 * lanes:
        vectors, most = 3, _THREE_HIGH
    elif left > lanes if MASKED else left >= 2 * lanes:
        vectors, most = 2, _TWO_HIGH
    return vectors, min(most, CACHE_WAYS - 1) if crowded else most


@_inlined
def _panel(
    most, vectors, a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, columns, K, chain, O, G, ag, cg, dg,
    fetches, ask_a, next_a, of_next_b, of_wanted,
):  # fmt: skip
    """Compute a panel of C, `vectors` registers wide, G groups of M rows, by tiles of `most` rows.

    The tiles have nearly equal heights, since a last tile of one row would load as much of B as a
    full one. With `fetches`, each tile prefetches cache lines: if `wanted` is given, those of its
    rows, in turn from row `first` on; otherwise, in the first tiles, one for each vector, those of
    the next B, and in the others those of the next A if `ask_a`, else of the next B.
    """
    next_b, next_bs, next_bo = of_next_b
    wanted, wanted_row, first = of_wanted
    tiles = (M + most - 1) // most
    rows, taller = M // tiles, M % tiles
    line, n = LINE * 8 // element_bits(a), 0
    fetching = 1 if fetches and vectors == TALL and rows >= TALL_ROWS else 0
    for g in range(G):
        a_t, c_t, d_t = advance(a, g * ag), advance(c, g * cg), advance_any(d, g * dg)
        for t in range(tiles):
            height = rows + 1 if t < taller else rows
            if fetching and exists(wanted):
                p, ps, po = advance(wanted, (first + n) % M * wanted_row), line, K * line
            elif not fetching or n < vectors or not ask_a:
                p, ps, po = advance(next_b, n % vectors * line), next_bs, next_bo
            else:
                p, ps, po = advance(next_a, (n - vectors) * line), acs, ao
            k, d_k, ds_k = 0, d_t, ds
            while k < K:
                _tile(
                    height, vectors, fetching, advance(a_t, k * acs), ars, acs, ao,
                    advance(b, k * bs), bs, bo, c_t, cs, d_k, ds_k,
                    advance(p, k * ps), ps, po, min(chain, K - k), O, columns,
                )  # fmt: skip
                d_k, ds_k = c_t, cs  # the next chain adds to what this one wrote
                k += chain
            n += 1
            a_t, c_t = advance(a_t, height * ars), advance(c_t, height * cs)
            d_t = advance_any(d_t, height * ds)


@_inlined
def _block(
    a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, chain, O, G, ag, cg, dg, total,
    fetches, next_a, next_b, wanted, wanted_row, first,
):  # fmt: skip
    """Compute one block of the reduction panel by panel, so that a panel of B stays in the cache.

    `next_a` and `next_b` are A and B of the next block; after the last block, they are those of the
    first, since the next product often has the same B. `total` is the number of rows of C. Returns
    the next value of `first`.
    """
    scratch = stack_vectors(a, PANEL_VECTORS)
    bits = element_bits(a)
    lanes = VECTOR_BITS // bits
    crowded = acs == 1 and ars % (PAGE * 8 // bits) == 0
    pack = total >= PACKED_ROWS and bs * bits >= PACKED_STRIDE * 8
    pack = pack and bs * bits % (PACKED_MULTIPLE * 8) == 0
    if CROSSES_LINES and G * M >= UNALIGNED_ROWS:
        pack = pack or bs * bits % (8 * LINE) != 0 or into_line(b) != 0
    j = 0
    while j < N:
        vectors, most = _choose(M, N - j, lanes, crowded)
        columns = min(N - j, vectors * lanes)
        b_j, bs_j, bo_j = advance(b, j), bs, bo
        c_j, d_j = advance(c, j), advance_any(d, j)
        is_last, then_b, then_bs, then_bo = j + columns >= N, advance(b_j, columns), bs, bo
        if is_last:
            then_b = next_b
        if pack and (vectors == 2 or vectors == TALL) and columns == vectors * lanes:
            _pack(b_j, bs, bo, scratch, vectors, columns, K, O)
            b_j, bs_j, bo_j = scratch, columns, columns * K
            then_b, then_bs, then_bo = b_j, bs_j, bo_j  # rows in one cache set evict one another
        ask_a = is_last and acs != 1
        _panel(
            most, vectors, a, ars, acs, ao, b_j, bs_j, bo_j, c_j, cs, d_j, ds,
            M, columns, K, chain, O, G, ag, cg, dg, fetches, ask_a,
            next_a, (then_b, then_bs, then_bo), (wanted, wanted_row, first),
        )  # fmt: skip
        j += columns
        first += G * ((M + most - 1) // most)
    return first


@_reassociated
def _dot(a, b, K):
    """Return the sum of a[k] b[k], in an order that depends on K only."""
    total = zero_of(a)
    for k in range(K):
        total += a[k] * b[k]
    return total


@_inlined
def _column(a, ars, acs, ao, b, bo, c, M, K, O):
    """Add A b to C for vectors b and C, for which a tile would use a single lane.

    Rows of A are multiplied if they are contiguous, otherwise its columns are added up.
    """
    for o in range(O):
        a_o, b_o = advance(a, o * ao), advance(b, o * bo)
        if acs == 1:
            for i in range(M):
                c[i] += _dot(advance(a_o, i * ars), b_o, K)
        else:
            for k in range(K):
                column, factor = advance(a_o, k * acs), b_o[k]
                for i in range(M):
                    c[i] += column[i] * factor


def tiled(
    a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O, G, ag, cg, wanted, wanted_row, first
):
    """Compute C = A B (+ D) by tiles."""
    if M <= 0 or N <= 0:
        return
    column = N == 1 and bs == 1 and cs == 1 and (acs == 1 or ars == 1)
    if column or K <= 0 or O <= 0:
        for g in range(G):
            c_g = advance(c, g * cg)
            _begin(c_g, cs, d, ds, M, N)
            if K > 0 and O > 0:
                _column(advance(a, g * ag), ars, acs, ao, b, bo, c_g, M, K, O)
        return
    if K == 1 and O == 1 and not exists(d):  # calling a tile would take longer than its work
        for g in range(G):
            for i in range(M):
                scale_row(a[g * ag + i * ars], b, advance(c, g * cg + i * cs), N)
        return
    chain, k_step, o_step = _block_lengths(K, O)
    i_step = _block_rows(M, k_step * o_step, element_bits(a))
    g_step = _block_groups(G, M, k_step * o_step, element_bits(a))
    fetches = exists(wanted) or G * M * N * K * O >= FETCHED
    # While loops: `range` with a step needs a division, which takes as long as some rows.
    o, dg = 0, 0
    while o < O:
        k = 0
        while k < K:
            b_block = advance(b, o * bo + k * bs)
            inner, outer = min(k_step, K - k), min(o_step, O - o)
            next_o, next_k = o, k + k_step
            if next_k >= K:
                next_o, next_k = o + o_step, 0
                if next_o >= O:
                    next_o = 0
            next_b = advance(b, next_o * bo + next_k * bs)
            g = 0
            while g < G:
                i = 0
                while i < M:
                    a_block = advance(a, g * ag + i * ars + o * ao + k * acs)
                    next_a = advance(a, g * ag + i * ars + next_o * ao + next_k * acs)
                    c_block = advance(c, g * cg + i * cs)
                    d_block = advance_any(d, g * dg + i * ds)
                    first = _block(
                        a_block, ars, acs, ao, b_block, bs, bo, c_block, cs, d_block, ds,
                        min(i_step, M - i), N, inner, chain, outer, min(g_step, G - g), ag, cg, dg,
                        G * M, fetches, next_a, next_b, wanted, wanted_row, first,
                    )  # fmt: skip
                    i += i_step
                g += g_step
            d, ds, dg = c, cs, cg  # the next block adds to what this one wrote
            k += k_step
        o += o_step


def plain(
    a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O, G, ag, cg, wanted, wanted_row, first
):
    """Compute C = A B (+ D) by loops, for a host whose compiler rejects the tiles."""
    k_step, _, o_step = _block_lengths(K, O)
    for g in range(G):
        a_g, c_g = advance(a, g * ag), advance(c, g * cg)
        _begin(c_g, cs, d, ds, M, N)
        if M <= 0 or N <= 0 or K <= 0 or O <= 0:
            continue
        for o in range(0, O, o_step):
            for k in range(0, K, k_step):
                for i in range(M):
                    for j in range(N):
                        total = zero_of(c)
                        for p in range(o, min(o + o_step, O)):
                            for q in range(k, min(k + k_step, K)):
                                total += a_g[i * ars + p * ao + q * acs] * b[p * bo + q * bs + j]
                        c_g[i * cs + j] += total
