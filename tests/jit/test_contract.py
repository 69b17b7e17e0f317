"""The contraction: values, masked tails, one order of summation, transposition."""

import ctypes

import numpy as np
import pytest
from llvmlite import binding
from numba import cfunc, njit, types
from numba.core.errors import TypingError

from sklearn_nn.jit import contract as module
from sklearn_nn.jit.blocks import (
    CHAIN,
    PACKED_MULTIPLE,
    PACKED_ROWS,
    PAGE,
    WIDE,
    WIDE_ROWS,
    plain,
    tiled,
)
from sklearn_nn.jit.contract import (
    contract,
    contract_and_fetch,
    contract_groups,
    contract_onto,
    load_contract,
)
from sklearn_nn.jit.host import OPTIONS, lanes
from sklearn_nn.jit.tile import Kind, make_tiles
from sklearn_nn.jit.transpose import transpose

DTYPES = ["float32", "float64"]
GUARD = 77.0


@pytest.fixture(scope="module", autouse=True)
def _loaded():
    for dtype in DTYPES:
        load_contract(dtype)


@njit(**OPTIONS)
def call_contract(a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta):  # noqa: E741
    contract(a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta)


@njit(**OPTIONS)
def call_contract_and_fetch(
    wanted, row, first, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta  # noqa: E741
):  # fmt: skip
    contract_and_fetch(wanted, row, first, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta)


@njit(**OPTIONS)
def call_contract_onto(d, ds, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O):  # noqa: E741
    contract_onto(d, ds, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O)


@njit(**OPTIONS)
def call_contract_groups(d, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, G, ag, cg):  # noqa: E741
    contract_groups(d, a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, G, ag, cg)


@njit(**OPTIONS)
def call_transpose(source, target, lo, hi):
    transpose(source, target, lo, hi)


def naive(a, ars, acs, ao, b, bs, bo, c, cs, M, N, K, O, beta):  # noqa: E741
    """The definition, in the obvious loops and in float64, on flat arrays."""
    for i in range(M):
        for j in range(N):
            total = float(c[i * cs + j]) if beta else 0.0
            for o in range(O):
                for k in range(K):
                    total += float(a[i * ars + o * ao + k * acs]) * float(b[o * bo + k * bs + j])
            c[i * cs + j] = total


def random(dtype, *shape, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def multiply(a, b, c=None):
    """a @ b, or c + a @ b, for 2-D arrays; C stands between guards, which are checked."""
    M, K = a.shape
    N, cs, before = b.shape[1], b.shape[1] + 3, 5
    memory = np.full(before + M * cs + 64, GUARD, a.dtype)
    rows = memory[before : before + M * cs].reshape(M, cs)
    if c is not None:
        rows[:, :N] = c
    arguments = (a.reshape(-1), K, 1, 0, b.reshape(-1), N, 0, memory[before:], cs)
    call_contract(*arguments, M, N, K, 1, 0 if c is None else 1)
    result = rows[:, :N].copy()
    rows[:, :N] = GUARD
    assert (memory == GUARD).all(), "wrote outside C"
    return result


def tolerance(dtype, terms):
    return 4 * np.finfo(dtype).eps * (terms + 4)


@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_every_height_and_masked_tail(dtype, beta):
    width = 6 * lanes(dtype) + 1
    a, b, c = random(dtype, 40, 9), random(dtype, 9, width, seed=1), random(dtype, 40, width)
    exact = a.astype("float64") @ b + (c if beta else 0)
    heights = list(range(1, 41))
    for n in range(1, width + 1):
        # All heights at the widths about a register's edge, one height in turn elsewhere.
        chosen = heights if n % lanes(dtype) in (0, 1) else [heights[n % 40], 14]
        for m in chosen:
            start = c[:m, :n] if beta else None
            got = multiply(a[:m].copy(), np.ascontiguousarray(b[:, :n]), start)
            np.testing.assert_allclose(got, exact[:m, :n], rtol=0, atol=tolerance(dtype, 30))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_step(dtype):
    """A column times a row, with the bits of a tile: 0 + a b, which is never -0."""
    column = random(dtype, 19, 1)
    column[3], column[4] = 0, -0.0
    for n in range(2, 3 * lanes(dtype) + 2):
        row = random(dtype, 1, n, seed=n)
        found = multiply(column, row)
        np.testing.assert_array_equal(found, column * row)
        assert not np.signbit(found[3:5]).any()
        two = np.hstack([column, 0 * column]), np.vstack([row, row])
        np.testing.assert_array_equal(found, multiply(*two))


@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_two_level_reduction_with_any_strides(dtype, beta):
    cases = [
        # M, N, K, O, ars, acs, ao, bs, bo, cs
        (5, 3, 4, 3, 2, 1, 11, 3, 12, 4),
        (7, 19, 6, 2, 1, 7, 42, 19, 114, 19),
        (3, 33, 2, 5, 3, 3, 9, 40, 90, 50),
        (1, 1, 1, 1, 1, 1, 1, 1, 1, 1),
        (6, 8, 3, 4, 6, 1, 1, 0, 8, 8),
    ]
    for M, N, K, O, ars, acs, ao, bs, bo, cs in cases:  # noqa: E741
        a = random(dtype, (M - 1) * ars + (O - 1) * ao + (K - 1) * acs + 1)
        b = random(dtype, (O - 1) * bo + (K - 1) * bs + N, seed=1)
        c = random(dtype, M * cs, seed=2)
        expected = c.copy()
        arguments = (a, ars, acs, ao, b, bs, bo)
        naive(*arguments, expected, cs, M, N, K, O, beta)
        call_contract(*arguments, c, cs, M, N, K, O, beta)
        np.testing.assert_allclose(c, expected, rtol=0, atol=tolerance(dtype, 30))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_read_by_columns(dtype):
    """The gradient of a dense weight: x' dy."""
    for samples, inputs, outputs in [(10, 23, 17), (200, 64, 33), (1, 5, 5)]:
        x, dy = random(dtype, samples, inputs), random(dtype, samples, outputs, seed=1)
        dw = np.empty((inputs, outputs), dtype)
        sizes = (inputs, outputs, samples)
        call_contract(x, 1, inputs, 0, dy, outputs, 0, dw, outputs, *sizes, 1, 0)
        exact = x.astype("float64").T @ dy
        np.testing.assert_allclose(dw, exact, rtol=0, atol=tolerance(dtype, samples))


@pytest.mark.parametrize("dtype", DTYPES)
def test_convolution_without_copy(dtype):
    """A window of an image is a two-level reduction: kernel rows, then columns and channels."""
    height, width, channels, filters, size = 6, 7, 3, 5, 3
    image = random(dtype, height, width, channels)
    kernel = random(dtype, size, size, channels, filters, seed=1)
    out = np.empty((height - size + 1, width - size + 1, filters), dtype)
    steps = size * channels
    for row in range(out.shape[0]):
        call_contract(
            image[row:].reshape(-1), channels, 1, width * channels,
            kernel.reshape(-1), filters, steps * filters,
            out[row].reshape(-1), filters, out.shape[1], filters, steps, size, 0,
        )  # fmt: skip
    windows = np.lib.stride_tricks.sliding_window_view(image, (size, size), axis=(0, 1))
    exact = np.einsum("hwcyx,yxcf->hwf", windows.astype("float64"), kernel)
    np.testing.assert_allclose(out, exact, rtol=0, atol=tolerance(dtype, 27))


@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("K", [CHAIN - 1, CHAIN, CHAIN + 1, 2 * CHAIN, 3 * CHAIN + 7])
@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_of_the_reduction(dtype, K, beta):
    a, b = random(dtype, 17, K), random(dtype, K, 2 * lanes(dtype) + 3, seed=1)
    c = random(dtype, 17, b.shape[1], seed=2) if beta else None
    exact = a.astype("float64") @ b + (c if beta else 0)
    np.testing.assert_allclose(multiply(a, b, c), exact, rtol=0, atol=tolerance(dtype, K))


@pytest.mark.parametrize("dtype", DTYPES)
def test_blocks_of_the_outer_reduction(dtype):
    M, N = 5, 9
    for K, O in [(3, 200), (100, 7), (CHAIN + 44, 3)]:  # noqa: E741
        a, b = random(dtype, O, M, K), random(dtype, O, K, N, seed=1)
        c = np.empty((M, N), dtype)
        call_contract(
            a.reshape(-1), K, 1, M * K, b.reshape(-1), N, K * N, c, N, M, N, K, O, 0
        )  # fmt: skip
        exact = np.einsum("omk,okn->mn", a.astype("float64"), b)
        np.testing.assert_allclose(c, exact, rtol=0, atol=tolerance(dtype, K * O))


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("K", [1, 7, 64, 601])
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_single_column(dtype, K, beta, transposed):
    M, outer = 37, 3
    a, b, start = (
        random(dtype, outer, M, K),
        random(dtype, outer, K, seed=1),
        random(dtype, M, seed=2),
    )
    expected = np.einsum("omk,ok->m", a, b, dtype=np.float64) + beta * start
    stored = np.ascontiguousarray(a.transpose(0, 2, 1)) if transposed else a
    ars, acs = (1, M) if transposed else (K, 1)

    def product(lo, hi):
        c, flat = start.copy(), stored.reshape(-1)[lo * ars :]
        call_contract(flat, ars, acs, M * K, b, 1, K, c[lo:], 1, hi - lo, 1, K, outer, beta)
        return c[lo:hi]

    whole = product(0, M)
    np.testing.assert_allclose(whole, expected, rtol=0, atol=tolerance(dtype, K * outer))
    for split in range(1, M):
        np.testing.assert_array_equal(np.concatenate([product(0, split), product(split, M)]), whole)


@pytest.mark.parametrize("K", [1, 2, 2 * CHAIN + 90])
@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_however_rows_and_columns_are_split(dtype, beta, K):
    M, N = 37, 5 * lanes(dtype) + 3
    a, b = random(dtype, M, K), random(dtype, K, N, seed=1)
    whole = random(dtype, M, N, seed=2)
    start = whole.copy()
    call_contract(a, K, 1, 0, b, N, 0, whole, N, M, N, K, 1, beta)
    for split in range(1, M):
        parts = start.copy()
        for lo, hi in [(0, split), (split, M)]:
            call_contract(a[lo:hi], K, 1, 0, b, N, 0, parts[lo:hi], N, hi - lo, N, K, 1, beta)
        np.testing.assert_array_equal(parts, whole)
    for split in range(1, N):
        parts = start.copy()
        flat_b, flat_c = b.reshape(-1), parts.reshape(-1)
        for lo, hi in [(0, split), (split, N)]:
            sizes = (M, hi - lo, K, 1, beta)
            call_contract(a, K, 1, 0, flat_b[lo:], N, 0, flat_c[lo:], N, *sizes)
        np.testing.assert_array_equal(parts, whole)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_where_b_is_packed(dtype):
    bs = PAGE // np.dtype(dtype).itemsize + PACKED_MULTIPLE
    M, N, K, O = PACKED_ROWS + 1, bs - 27, 50, 3  # noqa: E741
    a, b = random(dtype, O, M, K), random(dtype, O, K, bs, seed=1)
    exact = np.einsum("omk,okn->mn", a.astype("float64"), b[..., :N], optimize=True)
    packed, parts = np.empty((M, N), dtype), np.empty((M, N), dtype)
    for c, rows in [(packed, M), (parts, M // 3)]:
        for lo in range(0, M, rows):
            operands = (a.reshape(-1)[lo * K :], K, 1, M * K, b.reshape(-1), bs, K * bs)
            call_contract(*operands, c[lo:], N, min(rows, M - lo), N, K, O, 0)
    np.testing.assert_allclose(packed, exact, rtol=0, atol=tolerance(dtype, K * O))
    np.testing.assert_array_equal(parts, packed)


@pytest.mark.parametrize("dtype", DTYPES)
def test_same_bits_however_the_operand_lies_in_memory(dtype):
    """Rows a page apart use shorter tiles; the sums must not show it."""
    M, K = 29, 4096 // np.dtype(dtype).itemsize
    a, b = random(dtype, M, K), random(dtype, K, 20, seed=1)
    apart = np.empty((M, K + 1), dtype)
    apart[:, :K] = a
    columns = np.ascontiguousarray(a.T)
    results = []
    for source, ars, acs in [(a, K, 1), (apart, K + 1, 1), (columns, 1, M)]:
        c = np.empty((M, 20), dtype)
        call_contract(source, ars, acs, 0, b, 20, 0, c, 20, M, 20, K, 1, 0)
        results.append(c)
    np.testing.assert_array_equal(results[0], results[1])
    np.testing.assert_array_equal(results[0], results[2])


@pytest.mark.parametrize("dtype", DTYPES)
def test_empty_products(dtype):
    a, b = random(dtype, 8), random(dtype, 8)
    for M, N in [(0, 3), (3, 0), (-1, 3), (3, -1)]:
        c = np.full(9, GUARD, dtype)
        call_contract(a, 1, 1, 0, b, 1, 0, c, 3, M, N, 2, 1, 0)
        assert (c == GUARD).all()
    for K, O in [(0, 1), (1, 0), (-1, 1), (0, 0)]:  # noqa: E741
        for beta in (0, 1):
            c = np.full(12, GUARD, dtype)
            call_contract(a, 1, 1, 0, b, 1, 0, c, 4, 3, 2, K, O, beta)
            inside = c.reshape(3, 4)[:, :2]
            assert (inside == (GUARD if beta else 0)).all()
            assert (c.reshape(3, 4)[:, 2:] == GUARD).all()


@pytest.mark.parametrize("K", [0, 3, CHAIN + 5])
@pytest.mark.parametrize("N", [1, 10, 37])
@pytest.mark.parametrize("one_row", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_onto_another_array(dtype, one_row, N, K):
    """D is a row added to all, as a bias is, or a matrix; it is read and not written."""
    M = 200
    a, b = random(dtype, M, K), random(dtype, K, N, seed=1)
    d = random(dtype, 1 if one_row else M, N, seed=2)
    d.flags.writeable = False
    memory = np.full(M * N + 2 * 64, GUARD, dtype)
    operands = (a, K, 1, 0, b, N, 0, memory[64:], N)
    call_contract_onto(d, 0 if one_row else N, *operands, M, N, K, 1)
    got = memory[64:-64].reshape(M, N)
    expected = d + a.astype("float64") @ b
    np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance(dtype, K))
    assert (memory[:64] == GUARD).all()
    assert (memory[-64:] == GUARD).all()
    # The same bits as adding to a C that already holds D.
    other = np.array(np.broadcast_to(d, (M, N)), order="C")
    call_contract(a, K, 1, 0, b, N, 0, other, N, M, N, K, 1, 1)
    np.testing.assert_array_equal(got, other)


@pytest.mark.parametrize(
    ("M", "N", "K", "O"),
    [(5, 9, 4, 3), (33, 40, 9, 3), (1, 1, 3, 2), (2, 200, 7, 3), (3, 20, CHAIN + 9, 2),
     (3, 20, 1, 1), (4, 1, CHAIN + 9, 1), (150, 30, 250, 1), (40, 70, 0, 1)],
)  # fmt: skip
@pytest.mark.parametrize("with_row", [True, False])
@pytest.mark.parametrize("dtype", DTYPES)
def test_groups_of_rows(dtype, with_row, M, N, K, O):  # noqa: E741
    """As one contraction a group, to the last bit; nothing is written beside C."""
    G, ars, row = 5, K + 2, M + 3
    ao, ag = M * ars + 1, ars
    a = random(dtype, G * ag + O * ao + M * ars + K)
    b, d = random(dtype, O, K, N, seed=1), random(dtype, N * with_row, seed=2)
    operands = (ars, 1, ao, b.reshape(-1), N, K * N)
    got = np.full(G * row * (N + 2) + 64, GUARD, dtype)
    expected = got.copy()
    sizes = (M, N, K, O)
    call_contract_groups(d, a, *operands, got, N + 2, *sizes, G, ag, row * (N + 2))
    start = d if with_row else np.zeros(N, dtype)
    for g in range(G):
        call_contract_onto(
            start, 0, a[g * ag :], *operands, expected[g * row * (N + 2) :], N + 2, *sizes
        )
    np.testing.assert_array_equal(got, expected)
    untouched = got[:-64].reshape(G, row, N + 2)
    assert (untouched[:, M:] == GUARD).all()
    assert (untouched[:, :, N:] == GUARD).all()
    call_contract_groups(d, a, *operands, got, N + 2, *sizes, 0, ag, row * (N + 2))
    np.testing.assert_array_equal(got, expected)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("beta", [0, 1])
@pytest.mark.parametrize(("M", "N", "K"), [(1, 40, 3), (14, 64, CHAIN + 9), (31, 33, 5)])
def test_prefetched_memory_does_not_change_the_product(dtype, beta, M, N, K):
    a, b = random(dtype, M * K), random(dtype, K * N, seed=1)
    expected = random(dtype, M * N, seed=2)
    operands, sizes = (a, K, 1, 0, b, N, 0), (N, M, N, K, 1, beta)
    starts = [(a, K, 0), (b[:1], 10**9, M - 1), (np.empty(0, dtype), -(10**9), 0)]
    results = [expected.copy() for _ in starts]
    call_contract(*operands, expected, *sizes)
    for (wanted, row, first), c in zip(starts, results, strict=True):
        call_contract_and_fetch(wanted, row, first, *operands, c, *sizes)
        np.testing.assert_array_equal(c, expected)


@pytest.mark.parametrize("dtype", DTYPES)
def test_few_rows_have_the_bits_of_many(dtype):
    """They are taken in tiles of more vectors."""
    rows, N, K, O = WIDE_ROWS + 5, (2 * WIDE + 3) * lanes(dtype) + 2, 30, 3  # noqa: E741
    a, b = random(dtype, rows, O, K), random(dtype, O, K, N, seed=1)
    exact = np.einsum("mok,okn->mn", a.astype("float64"), b)
    operands, many = (O * K, 1, K, b.reshape(-1), N, K * N), np.empty((rows, N), dtype)
    call_contract(a, *operands, many, N, rows, N, K, O, 0)
    np.testing.assert_allclose(many, exact, rtol=0, atol=tolerance(dtype, K * O))
    for m in range(1, WIDE_ROWS + 1):
        memory = np.full(m * N + 64, GUARD, dtype)
        call_contract(a, *operands, memory, N, m, N, K, O, 0)
        np.testing.assert_array_equal(memory[:-64].reshape(m, N), many[:m])
        assert (memory[-64:] == GUARD).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_nan_stays_in_its_row_and_column(dtype):
    a, b = random(dtype, 20, 30), random(dtype, 30, 40, seed=1)
    a[3, 4], b[7, 9] = np.nan, np.inf
    bad = np.zeros((20, 40), bool)
    bad[3], bad[:, 9] = True, True
    np.testing.assert_array_equal(~np.isfinite(multiply(a, b)), bad)


def test_read_only_operands_and_rejected_types():
    a, b, c = random("float32", 4, 4), random("float32", 4, 4), np.zeros((4, 4), "float32")
    a.flags.writeable = b.flags.writeable = False
    call_contract(a, 4, 1, 0, b, 4, 0, c, 4, 4, 4, 4, 1, 0)
    np.testing.assert_allclose(c, a @ b, rtol=1e-5)
    frozen = c.copy()
    frozen.flags.writeable = False
    for wrong in [
        (a.astype("float64"), b, c),
        (a.astype("int32"), b.astype("int32"), c.astype("int32")),
        (a, b, frozen),
        (a.T, b, c),
    ]:
        with pytest.raises(TypingError, match="contract: "):
            call_contract(wrong[0], 4, 1, 0, wrong[1], 4, 0, wrong[2], 4, 4, 4, 4, 1, 0)


def call_by_pointers(compiled, *arguments):
    """Call a compiled C function; arrays are passed by address."""
    kinds = compiled.ctypes.argtypes
    values = [
        value.ctypes.data_as(kind) if isinstance(value, np.ndarray) else value
        for kind, value in zip(kinds, arguments, strict=True)
    ]
    compiled.ctypes(*values)


def call_code(code, *arguments):
    """Call machine code in Numba's convention: two places for results, then the arguments."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_int64] * (2 + len(arguments)))
    results = np.zeros(2, np.int64)
    places = [results.ctypes.data, results[1:].ctypes.data]
    kind(code)(
        *places, *[a.ctypes.data if isinstance(a, np.ndarray) else a or 0 for a in arguments]
    )


@pytest.mark.parametrize(("rows", "vectors"), [(3, 1), (6, 2), (2, 4)])
@pytest.mark.parametrize("vector_bits", [128, 256, 512])
@pytest.mark.parametrize("bits", [32, 64])
def test_tiles_of_other_processors(bits, vector_bits, rows, vectors):
    """The compiler splits registers wider than this processor's."""
    tile = make_tiles([Kind(vectors, rows, rows, masked=True)], vector_bits)
    pointer = types.CPointer(types.float32 if bits == 32 else types.float64)

    @cfunc(types.void(pointer, pointer, pointer, types.int64))
    def run(a, b, c, columns):
        tile(
            rows, vectors, 0, a, 6, 1, 3, b, columns, 3 * columns, c, columns + 1, c, columns + 1,
            a, 0, 0, 3, 2, columns,
        )  # fmt: skip

    dtype, width = f"float{bits}", vector_bits // bits
    a = random(dtype, rows, 6)
    for columns in range((vectors - 1) * width + 1, vectors * width + 1):
        b, c = random(dtype, 6, columns, seed=1), np.ones((rows, columns + 1), dtype)
        call_by_pointers(run, a, b, c, columns)
        np.testing.assert_allclose(c[:, :-1], 1 + a @ b, rtol=0, atol=tolerance(dtype, 6))
        assert (c[:, -1] == 1).all()


@pytest.mark.parametrize("dtype", DTYPES)
def test_plain_loops_agree_with_tiles(dtype):
    loops, tiles = module._compile(plain, dtype), module._compile(tiled, dtype)
    for M, N, K, O in [(5, 7, 3, 2), (3, 4, CHAIN + 5, 1), (2, 3, 0, 1), (0, 3, 2, 1)]:  # noqa: E741
        for beta in (0, 1):
            a, b = random(dtype, O * M * K + 1), random(dtype, O * K * N + 1, seed=1)
            expected = random(dtype, max(M, 1), N + 2, seed=2)
            got = expected.copy()
            for compiled, c in [(loops, got), (tiles, expected)]:
                operands = (a, K, 1, M * K, b, N, K * N, c, N + 2, c if beta else None, N + 2)
                call_code(compiled, *operands, M, N, K, O, 1, 0, 0, None, 0, 0)
            np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance(dtype, K * O))
        if M > 0:
            a, d = random(dtype, O * M * K + 3), random(dtype, N, seed=3)
            got = np.full((3, M, N + 2), GUARD, dtype)
            expected = got.copy()
            for compiled, c in [(loops, got), (tiles, expected)]:
                operands = (a, K, 1, M * K, b, N, K * N, c, N + 2, d, 0)
                call_code(compiled, *operands, M, N, K, O, 3, 1, M * (N + 2), None, 0, 0)
            np.testing.assert_allclose(got, expected, rtol=0, atol=tolerance(dtype, K * O))


def test_falls_back_to_plain_loops(monkeypatch):
    def rejected(a, ars, acs, ao, b, bs, bo, c, cs, d, ds, M, N, K, O, G, ag, cg, w, wr, first):  # noqa: E741
        c[0] = a.no_such_attribute

    names, obtain = [], module.obtain
    recorded = lambda function, *rest: names.append(function.__name__) or obtain(function, *rest)  # noqa: E731
    monkeypatch.setattr(module, "obtain", recorded)
    monkeypatch.setattr(module, "tiled", rejected)
    with pytest.warns(RuntimeWarning, match="slower"):
        module._compile_best("float32")
    assert names == ["rejected", "plain"]


def test_loading_is_idempotent_and_names_the_symbol():
    for dtype in DTYPES:
        address = binding.address_of_symbol(f"sklearn_nn_contract_{dtype}")
        assert address
        load_contract(dtype)
        assert binding.address_of_symbol(f"sklearn_nn_contract_{dtype}") == address


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "shape", [(1, 1), (3, 50), (50, 3), (16, 16), (17, 33), (100, 41), (8, 64)]
)
def test_transpose(dtype, shape):
    rows, columns = shape
    source = random(dtype, rows, columns)
    source.flags.writeable = False
    for lo, hi in [(0, rows), (rows // 3, rows), (0, rows // 2), (rows // 2, rows // 2)]:
        memory = np.full(columns * rows + 40, GUARD, dtype)
        target = memory[20:-20].reshape(columns, rows)
        expected = target.copy()
        expected[:, lo:hi] = source[lo:hi].T
        call_transpose(source, target, lo, hi)
        np.testing.assert_array_equal(target, expected)
        assert (memory[:20] == GUARD).all()
        assert (memory[-20:] == GUARD).all()
