"""Strided, blocked contraction on register tiles: the only matrix product in the project.

Kernels call `contract`. Its machine code is compiled once for each dtype and found by the
name of a symbol, so that the tiles are not compiled again inside every kernel that uses them.
`load_contract` must have run before code that calls `contract` is compiled or loaded.

Every element of the result is summed in one order, which depends on the lengths K and O of
the reduction alone (and on whether B is a single column, which is summed in its own way).
However the rows and columns of a product are shared out among threads or split into batches,
the result is the same to the last bit.
"""

from __future__ import annotations

import functools
import threading
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from llvmlite import binding, ir
from numba import njit, types
from numba.core import cgutils
from numba.core.ccallback import CFunc
from numba.core.errors import NumbaError, TypingError
from numba.extending import intrinsic

from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.host import HELPER_OPTIONS, OPTIONS, VECTOR_BITS, VECTOR_REGISTERS
from sklearn_nn.jit.pointers import (
    advance,
    advance_any,
    element_bits,
    exists,
    stack_vectors,
    zero_of,
)
from sklearn_nn.jit.tile import make_tiles

#: Steps of the reduction in one block: 256 rows of B, two vectors wide, fill the first cache.
BLOCK = 256

#: Room for one block of B, two vectors wide: 16 KiB of 256-bit vectors.
PANEL_VECTORS = 2 * BLOCK

#: Most rows of a tile of one and of two vectors. With two, 14 rows take 28 registers, which
#: leaves four for A and B; 16 registers hold six rows. With one, eight sums already hide the
#: latency of an addition, and every tile more is longer to compile.
MAX_ROWS = (8, 14) if VECTOR_REGISTERS >= 32 else (8, 6)

#: Whether tiles of two vectors are masked. AVX-512 masks for nothing; elsewhere a masked load
#: costs several instructions, so columns that do not fill two vectors go one vector at a time.
MASKED_PAIRS = VECTOR_BITS == 512

#: Rows of A that lie a multiple of PAGE bytes apart fall into one set of the first cache, which
#: holds CACHE_WAYS lines or more. A tile of more rows would fetch each line again at every step.
PAGE, CACHE_WAYS = 4096, 8

#: B is copied to a small buffer, panel by panel, where its rows are PACKED_STRIDE bytes apart or
#: more (they would crowd a few sets of the cache and one page each) and the copy serves
#: PACKED_ROWS rows of C or more. Tiles of 14 rows read B so rarely that only whole pages matter.
PACKED_ROWS, PACKED_STRIDE = 96, PAGE if VECTOR_REGISTERS >= 32 else PAGE // 4

#: Bytes of a block of A: it stays in the second cache beside a panel of B and what comes next.
BLOCK_BYTES = 128 * 1024

_DTYPES = {"float32": types.float32, "float64": types.float64}
_LOCK = threading.Lock()
_tile = make_tiles(MAX_ROWS, (True, MASKED_PAIRS), VECTOR_BITS)

# Merged into the caller before compilation: as functions of their own, each would be optimised
# with a copy of all the tiles.
_inlined = njit(inline="always")
_reassociated = njit(**{**HELPER_OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})


def _symbol(dtype: str) -> str:
    return f"sklearn_nn_contract_{dtype}"


def _signature(pointer: types.Type) -> Any:
    size = types.int64
    of_a, of_b, of_c = (pointer, *[size] * 3), (pointer, *[size] * 2), (pointer, size) * 2
    return types.void(*of_a, *of_b, *of_c, *[size] * 4)


@_inlined
def _block_lengths(K, O):
    """Steps of the inner and of the outer reduction in one block.

    They follow from K and O alone: the order of summation must not depend on M or N.
    """
    if K * O <= BLOCK:  # the divisions below take as long as some rows of a small product
        return K, O
    blocks = (K + BLOCK - 1) // BLOCK
    return (K + blocks - 1) // blocks, min(O, max(1, BLOCK // K))


@_inlined
def _block_rows(M, length, bits):
    """Rows of A and C in one block: as many as let the block of A stay in the second cache.

    Each panel reads all of it once more. The blocks are of nearly equal height.
    """
    if M * length * bits <= 8 * BLOCK_BYTES:
        return M
    blocks = (M * length * bits + 8 * BLOCK_BYTES - 1) // (8 * BLOCK_BYTES)
    rows = (M + blocks - 1) // blocks
    tallest = MAX_ROWS[1]
    return (rows + tallest - 1) // tallest * tallest


@_inlined
def _begin(c, cs, d, ds, M, N):
    """C = D; 0 where there is no D."""
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
def _panel(most, vectors, a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, columns, K, O):
    """A panel of C, `vectors` registers wide and M rows high, in tiles of at most `most` rows.

    The tiles are of nearly equal height: a last one of one row would cost as many loads of B
    as a full one.
    """
    tiles = (M + most - 1) // most
    rows, taller = M // tiles, M % tiles
    for t in range(tiles):
        height = rows + 1 if t < taller else rows
        _tile(height, vectors, a, ars, acs, ao, b, bs, bo, c, cs, d, ds, K, O, columns)
        a, c = advance(a, height * ars), advance(c, height * cs)
        d = advance_any(d, height * ds)


@_inlined
def _block(a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O):
    """One block of the reduction: panel by panel, so that a panel of B stays in the cache."""
    scratch = stack_vectors(a, PANEL_VECTORS)
    bits = element_bits(a)
    lanes = VECTOR_BITS // bits
    narrow, wide = MAX_ROWS
    if acs == 1 and ars % (PAGE * 8 // bits) == 0:
        narrow, wide = min(narrow, CACHE_WAYS - 1), min(wide, CACHE_WAYS - 1)
    fewest = lanes + 1 if MASKED_PAIRS else 2 * lanes
    pack = M >= PACKED_ROWS and bs * bits >= PACKED_STRIDE * 8
    j = 0
    while j < N:
        vectors, most = (2, wide) if N - j >= fewest else (1, narrow)
        columns = min(N - j, vectors * lanes)
        b_j, bs_j, bo_j = advance(b, j), bs, bo
        c_j, d_j = advance(c, j), advance_any(d, j)
        if pack and columns == 2 * lanes:
            _pack(b_j, bs, bo, scratch, 2 * lanes, K, O)
            b_j, bs_j, bo_j = scratch, columns, columns * K
        _panel(most, vectors, a, ars, acs, ao, b_j, bs_j, bo_j, c_j, cs, d_j, ds, M, columns, K, O)
        j += columns


@_reassociated
def _dot(a, b, K):
    """Sum of a[k] b[k]. The compiler may order it, but orders equal lengths equally."""
    total = zero_of(a)
    for k in range(K):
        total += a[k] * b[k]
    return total


@_inlined
def _column(a, ars, acs, ao, b, bo, c, M, K, O):
    """C += A b for a contiguous vector b and a vector C: a tile would leave all lanes idle but one.

    Rows of A are multiplied where they are contiguous, else its columns are added up.
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


def _tiled(a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O):
    """C = A B (+ D), tile by tile."""
    if M <= 0 or N <= 0:
        return
    if K <= 0 or O <= 0:
        _begin(c, cs, d, ds, M, N)
        return
    if N == 1 and bs == 1 and cs == 1 and (acs == 1 or ars == 1):
        _begin(c, cs, d, ds, M, N)
        _column(a, ars, acs, ao, b, bo, c, M, K, O)
        return
    k_step, o_step = _block_lengths(K, O)
    i_step = _block_rows(M, k_step * o_step, element_bits(a))
    for o in range(0, O, o_step):
        for k in range(0, K, k_step):
            b_block = advance(b, o * bo + k * bs)
            inner, outer = min(k_step, K - k), min(o_step, O - o)
            for i in range(0, M, i_step):
                a_block = advance(a, i * ars + o * ao + k * acs)
                c_block, d_block = advance(c, i * cs), advance_any(d, i * ds)
                _block(
                    a_block, ars, acs, ao, b_block, bs, bo, c_block, cs, d_block, ds,
                    min(i_step, M - i), N, inner, outer,
                )  # fmt: skip
            d, ds = c, cs  # the next block adds to what this one wrote


def _plain(a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O):
    """C = A B (+ D) by loops, for a host whose compiler rejects the tiles."""
    _begin(c, cs, d, ds, M, N)
    if M <= 0 or N <= 0 or K <= 0 or O <= 0:
        return
    k_step, o_step = _block_lengths(K, O)
    for o in range(0, O, o_step):
        for k in range(0, K, k_step):
            for i in range(M):
                for j in range(N):
                    total = zero_of(c)
                    for p in range(o, min(o + o_step, O)):
                        for q in range(k, min(k + k_step, K)):
                            total += a[i * ars + p * ao + q * acs] * b[p * bo + q * bs + j]
                    c[i * cs + j] += total


def _compile(function: Callable[..., None], dtype: str) -> CFunc:
    """`function` as machine code for `dtype`, from the disk cache if it is there."""
    signature = _signature(types.CPointer(_DTYPES[dtype]))
    # No fast-math flag: where the compiler unrolls a reduction of one step, "contract" would
    # let it round once instead of twice, in some tiles and not in others.
    options = {"error_model": OPTIONS["error_model"]}
    compiled = CFunc(function, (signature.args, signature.return_type), {}, options)
    compiled._cache = KernelCache(f"contract{function.__name__}_{dtype}", __file__)
    compiled.compile()
    return compiled


def _compile_best(dtype: str) -> CFunc:
    """The tiles, or the plain loops where the host's compiler rejects them."""
    try:
        return _compile(_tiled, dtype)
    except (NumbaError, RuntimeError, NotImplementedError) as error:
        warnings.warn(
            f"The fast matrix product cannot be compiled here ({error}); a slower one is used.",
            RuntimeWarning,
            stacklevel=4,
        )
        return _compile(_plain, dtype)


@functools.cache
def _load(dtype: str) -> CFunc:
    """The machine code for `dtype`, compiled once, kept alive by the cache of this function."""
    compiled = _compile_best(dtype)
    binding.add_symbol(_symbol(dtype), compiled.address)
    return compiled


def load_contract(dtype: str) -> None:
    """Make `contract` available to kernels of `dtype`, "float32" or "float64".

    Compiles it, or loads it from the disk cache, on the first call for a dtype.
    """
    with _LOCK:
        _load(dtype)


def _check(arrays: Sequence[types.Type], names: str) -> types.Type:
    """The dtype that the operands share."""
    dtypes = {getattr(array, "dtype", None) for array in arrays}
    for name, array in zip(names, arrays, strict=True):
        if not isinstance(array, types.Array) or array.layout != "C":
            raise TypingError(f"contract: {name} must be a C-contiguous array, got {array}.")
    if len(dtypes) != 1 or not dtypes <= set(_DTYPES.values()):
        raise TypingError(f"contract: operands must share float32 or float64, got {dtypes}.")
    if not arrays[-1].mutable:
        raise TypingError("contract: c is read-only.")
    return dtypes.pop()


def _pointers(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> list[Any]:
    """The arguments, arrays as pointers to their first element."""
    return [
        context.make_array(kind)(context, builder, value).data
        if isinstance(kind, types.Array)
        else value
        for kind, value in zip(signature.args, args, strict=True)
    ]


def _call(builder: Any, dtype: str, values: list[Any]) -> None:
    """Call the machine code for `dtype`."""
    function_type = ir.FunctionType(ir.VoidType(), [value.type for value in values])
    function = cgutils.get_or_insert_function(builder.module, function_type, _symbol(dtype))
    builder.call(function, values)


@intrinsic
def contract(typingctx, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta):
    """C[i, j] (+)= sum_o sum_k A[i*ars + o*ao + k*acs] * B[o*bo + k*bs + j].

    For i < M, j < N, k < K, o < O and C[i, j] at c[i*cs + j]; `beta` = 0 writes C, 1 adds
    to it. `a`, `b` and `c` are C-contiguous arrays that start at the operand's first element
    and share one dtype, float32 or float64; `a` and `b` may be read-only. Strides count
    elements. `c` must not overlap `a` or `b`. Nothing is checked.
    """
    dtype = _check((a, b, c), "abc")
    size = types.int64
    signature = types.void(a, size, size, size, b, size, size, c, *[size] * 6)

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        *operands, c, cs, M, N, K, O, beta = _pointers(context, builder, signature, args)
        adds = builder.icmp_signed("!=", beta, ir.Constant(beta.type, 0))
        d = builder.select(adds, c, ir.Constant(c.type, None))
        _call(builder, dtype.name, [*operands, c, cs, d, cs, M, N, K, O])
        return context.get_dummy_value()

    return signature, codegen


@intrinsic
def contract_onto(typingctx, d, ds, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O):
    """C[i, j] = D[i*ds + j] + sum_o sum_k A[i*ars + o*ao + k*acs] * B[o*bo + k*bs + j].

    As `contract`, but what it adds to is another array than what it writes. With ds = 0, D is one
    row, such as a layer's bias.
    """
    dtype = _check((d, a, b, c), "dabc")
    size = types.int64
    signature = types.void(d, size, a, size, size, size, b, size, size, c, *[size] * 5)

    def codegen(context: Any, builder: Any, signature: Any, args: Sequence[Any]) -> Any:
        d, ds, *operands, c, cs, M, N, K, O = _pointers(context, builder, signature, args)
        _call(builder, dtype.name, [*operands, c, cs, d, ds, M, N, K, O])
        return context.get_dummy_value()

    return signature, codegen
