"""Division of a contraction into blocks of the reduction, panels of C, and tiles of rows.

contract.py compiles `tiled` and `plain`, whose arguments are pointers, strides and lengths.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from sklearn_nn.jit.emit import emitted, int64, is_given
from sklearn_nn.jit.host import HELPER_OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from sklearn_nn.jit.tile import Kind, make_tiles

#: Steps of the reduction in one block: 256 rows of B, two vectors wide, fill the first-level cache.
BLOCK = 256

#: Room for one block of B, two vectors wide: 16 KiB of 256-bit vectors.
PANEL_VECTORS = 2 * BLOCK

#: Largest number of rows of a tile of one vector, and of a tile of two. With two, 14 rows take 28
#: registers, which leaves four for A and B; 16 registers hold six rows. With one, eight sums hide
#: the latency of an addition, and more tiles take longer to compile.
MAX_ROWS = (8, 14) if VECTOR_REGISTERS >= 32 else (8, 6)

#: Up to WIDE_ROWS rows are computed in tiles of WIDE vectors, because three rows of two vectors do
#: not hide the latency of an addition.
WIDE_ROWS, WIDE = 3, 8 if VECTOR_REGISTERS >= 32 else 4

#: Whether tiles of two vectors are masked. Masks are free with AVX-512; elsewhere a masked load
#: takes several instructions, and columns that do not fill two vectors use single vectors.
MASKED_PAIRS = VECTOR_BITS == 512

#: Rows of A that are a multiple of PAGE bytes apart share a set of the first-level cache, which
#: holds CACHE_WAYS lines or more. A tile of more rows would load each line again at every step.
PAGE, CACHE_WAYS = 4096, 8

#: Bytes of a cache line.
LINE = 64

#: B is copied to a small buffer, panel by panel, if its rows are at least PACKED_STRIDE bytes apart
#: (they would share a few cache sets and need a page each) and the copy serves PACKED_ROWS rows of
#: C or more. With tiles of 14 rows only strides of nearly a page, and of an even number of lines,
#: matter.
PACKED_ROWS, PACKED_STRIDE = 96, PAGE * 3 // 4 if VECTOR_REGISTERS >= 32 else PAGE // 4
PACKED_MULTIPLE = 2 * LINE if VECTOR_REGISTERS >= 32 else 1

#: Bytes of a block of A, which stays in the second-level cache with a panel of B and the next one.
BLOCK_BYTES = 128 * 1024

#: Tiles of two vectors and at least this number of rows prefetch the next operands, in products of
#: FETCHED multiplications or more; operands of smaller ones are in the cache.
FETCHING_ROWS, FETCHED = MAX_ROWS[1] // 2 + 1, 2**19

_tile = make_tiles(
    [
        Kind(1, 1, MAX_ROWS[0], True),
        Kind(2, 1, MAX_ROWS[1], MASKED_PAIRS),
        Kind(2, FETCHING_ROWS, MAX_ROWS[1], MASKED_PAIRS, True),
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
    """Return the numbers of steps of the inner and of the outer reduction in one block.

    They depend on K and O only, since the order of summation must not depend on M or N.
    """
    if K * O <= BLOCK:  # saves divisions, which take as long as some rows of a small product
        return K, O
    blocks = (K + BLOCK - 1) // BLOCK
    return (K + blocks - 1) // blocks, min(O, max(1, BLOCK // K))


@_inlined
def _block_rows(M, length, bits):
    """Return the rows of A and C in one block, so that A stays in the second-level cache.

    Each panel reads all of it again. The blocks have nearly equal heights.
    """
    if M * length * bits <= 8 * BLOCK_BYTES:
        return M
    blocks = (M * length * bits + 8 * BLOCK_BYTES - 1) // (8 * BLOCK_BYTES)
    rows = (M + blocks - 1) // blocks
    tallest = MAX_ROWS[1]
    return (rows + tallest - 1) // tallest * tallest


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
def _pack(b, bs, bo, packed, columns, K, O):
    """Copy the first columns of a block of B to `packed`, row after row without gaps."""
    for o in range(O):
        for k in range(K):
            source, target = advance(b, o * bo + k * bs), advance(packed, (o * K + k) * columns)
            for j in range(columns):
                target[j] = source[j]


@_inlined
def _panel(
    most, vectors, a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, columns, K, O, G, ag, cg, dg,
    fetches, ask_a, next_a, next_b, next_bs, next_bo, wanted, wanted_row, first,
):  # fmt: skip
    """Compute a panel of C, `vectors` registers wide, G groups of M rows, by tiles of `most` rows.

    The tiles have nearly equal heights, since a last tile of one row would load as much of B as a
    full one. With `fetches`, each tile prefetches cache lines: if `wanted` is given, those of its
    rows, in turn from row `first` on; otherwise, in the first two tiles, those of the next B, and
    in the others those of the next A if `ask_a`, else of the next B.
    """
    tiles = (M + most - 1) // most
    rows, taller = M // tiles, M % tiles
    line, n = LINE * 8 // element_bits(a), 0
    for g in range(G):
        a_t, c_t, d_t = advance(a, g * ag), advance(c, g * cg), advance_any(d, g * dg)
        for t in range(tiles):
            height = rows + 1 if t < taller else rows
            fetching = 1 if fetches and vectors == 2 and height >= FETCHING_ROWS else 0
            if fetching and exists(wanted):
                p, ps, po = advance(wanted, (first + n) % M * wanted_row), line, K * line
            elif not fetching or n < 2 or not ask_a:
                p, ps, po = advance(next_b, n % 2 * line), next_bs, next_bo
            else:
                p, ps, po = advance(next_a, (n - 2) * line), acs, ao
            _tile(
                height, vectors, fetching, a_t, ars, acs, ao, b, bs, bo, c_t, cs, d_t, ds,
                p, ps, po, K, O, columns,
            )  # fmt: skip
            n += 1
            a_t, c_t = advance(a_t, height * ars), advance(c_t, height * cs)
            d_t = advance_any(d_t, height * ds)


@_inlined
def _block(
    a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O, G, ag, cg, dg,
    fetches, next_a, next_b, wanted, wanted_row, first,
):  # fmt: skip
    """Compute one block of the reduction panel by panel, so that a panel of B stays in the cache.

    `next_a` and `next_b` are A and B of the next block; after the last block, they are those of the
    first, since the next product often has the same B. Returns the next value of `first`.
    """
    scratch = stack_vectors(a, PANEL_VECTORS)
    bits = element_bits(a)
    lanes = VECTOR_BITS // bits
    narrow, wide = MAX_ROWS
    if acs == 1 and ars % (PAGE * 8 // bits) == 0:
        narrow, wide = min(narrow, CACHE_WAYS - 1), min(wide, CACHE_WAYS - 1)
    fewest = lanes + 1 if MASKED_PAIRS else 2 * lanes
    pack = G * M >= PACKED_ROWS and bs * bits >= PACKED_STRIDE * 8
    pack = pack and bs * bits % (PACKED_MULTIPLE * 8) == 0
    j = 0
    while j < N:
        if M <= WIDE_ROWS and N - j >= WIDE * lanes:
            vectors, most = WIDE, WIDE_ROWS
        else:
            vectors, most = (2, wide) if N - j >= fewest else (1, narrow)
        columns = min(N - j, vectors * lanes)
        b_j, bs_j, bo_j = advance(b, j), bs, bo
        c_j, d_j = advance(c, j), advance_any(d, j)
        is_last, then_b, then_bs, then_bo = j + columns >= N, advance(b_j, columns), bs, bo
        if is_last:
            then_b = next_b
        if pack and columns == 2 * lanes:
            _pack(b_j, bs, bo, scratch, 2 * lanes, K, O)
            b_j, bs_j, bo_j = scratch, columns, columns * K
            then_b, then_bs, then_bo = b_j, bs_j, bo_j  # rows in one cache set evict one another
        _panel(
            most, vectors, a, ars, acs, ao, b_j, bs_j, bo_j, c_j, cs, d_j, ds,
            M, columns, K, O, G, ag, cg, dg, fetches, is_last and acs != 1,
            next_a, then_b, then_bs, then_bo, wanted, wanted_row, first,
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
    k_step, o_step = _block_lengths(K, O)
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
                        min(i_step, M - i), N, inner, outer, min(g_step, G - g), ag, cg, dg,
                        fetches, next_a, next_b, wanted, wanted_row, first,
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
    k_step, o_step = _block_lengths(K, O)
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
