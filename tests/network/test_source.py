"""Sources of batches: any memory layout and sparse matrices, gathered as the twin does."""

import gc
import weakref

import numpy as np
import pytest
from scipy import sparse

from helpers.naive.training import gather_sparse
from helpers.parametrize import dtypes
from sklearn_nn.layers.base import LENGTHS, LONGEST
from sklearn_nn.network.program import contexts
from sklearn_nn.network.source import dense_rows, readonly, sequences, source


def gather(data, rows, dtype, parts=1):
    x = np.full((len(rows), data.width), np.nan, dtype)
    ctx = contexts(1, 0, dtype, n_lengths=len(rows))[0]
    for part in range(parts):
        rows = np.asarray(rows, np.int64)
        data.gather(ctx, part, parts, data.values, data.indices, data.indptr, rows, x)
    return x


def layouts(X):
    """X in every way that memory can hold it."""
    unaligned = np.frombuffer(b"\0" + X.tobytes(), np.uint8)[1:].view(X.dtype).reshape(X.shape)
    frozen = X.copy()
    frozen.flags.writeable = False
    return {
        "C": X,
        "Fortran": np.asfortranarray(X),
        "rows strided": np.repeat(X, 3, axis=0)[::3],
        "columns strided": np.repeat(X, 2, axis=1)[:, ::2],
        "negative": X[::-1, ::-1].copy()[::-1, ::-1],
        "unaligned": unaligned,
        "read-only": frozen,
        "big-endian": X.astype(X.dtype.newbyteorder(">")),
    }


@dtypes
@pytest.mark.parametrize("given", ["float16", "float32", "float64", "int64", "uint8", "bool"])
def test_dense_in_any_layout(dtype, given, rng):
    X = (3 * rng.standard_normal((11, 5))).astype(given)
    rows = rng.integers(0, 11, 23)
    for name, array in layouts(X).items():
        before = array.copy()
        got = gather(source(array, dtype), rows, dtype)
        np.testing.assert_array_equal(got, X[rows].astype(dtype), err_msg=name)
        np.testing.assert_array_equal(array, before)


@dtypes
def test_nothing_is_copied_without_need(dtype):
    X = np.ones((4, 3), dtype)
    assert np.shares_memory(source(X, dtype).values, X)
    assert not source(X, dtype).values.flags.writeable
    assert X.flags.writeable
    whole = np.ones((4, 3), np.uint8)
    assert source(whole, dtype).indptr[0] == whole.ctypes.data
    assert source(whole.reshape(2, 2, 3), dtype).indptr[0] == whole.ctypes.data


def naive_bytes(X, dtype, divisor):
    """Bytes are scaled as NumPy scales them in float32, in float64 too."""
    return (X.astype(np.float32) / np.float32(divisor)).astype(dtype)


@dtypes
@pytest.mark.parametrize("divisor", [1, 255])
def test_bytes_are_divided_as_numpy_divides_them(dtype, divisor, rng):
    every = np.arange(256, dtype=np.uint8)
    expected = naive_bytes(every, dtype, divisor)
    np.testing.assert_array_equal(
        dense_rows(source(every[None], dtype, divisor), dtype)[0], expected
    )
    np.testing.assert_array_equal(
        dense_rows(source(every[:, None], dtype, divisor), dtype)[:, 0], expected
    )
    for width in range(1, 41):
        X, rows = rng.integers(0, 256, (9, width), dtype=np.uint8), rng.integers(0, 9, 13)
        got = gather(source(X, dtype, divisor), rows, dtype)
        np.testing.assert_array_equal(got, naive_bytes(X[rows], dtype, divisor))


@dtypes
@pytest.mark.parametrize("given", ["uint8", "float32", "float64", "int16"])
@pytest.mark.parametrize("shape", [(2, 1), (3, 17), (4, 16), (7, 40)])
def test_planes_are_gathered_pixel_by_pixel(dtype, given, shape, rng):
    X, rows = rng.integers(0, 256, (6, *shape)).astype(given), rng.integers(0, 6, 11)
    scaled = naive_bytes(X, dtype, 255) if given == "uint8" else X.astype(dtype)
    expected = np.moveaxis(scaled[rows], 1, 2).reshape(11, -1)
    data = source(X, dtype, 255)
    assert (data.n_rows, data.width) == (6, shape[0] * shape[1])
    for parts in (1, 2, 3):
        np.testing.assert_array_equal(gather(data, rows, dtype, parts), expected)


def test_bytes_stay_as_long_as_the_arrays_do():
    """Without the Source itself, too: the machine keeps the arrays."""
    X = np.full((3, 5), 51, np.uint8)
    alive, data = weakref.ref(X), source(X, "float32", 255)
    gather_kernel, arrays = data.gather, (data.values, readonly(data.indices), data.indptr[:])
    del X, data
    gc.collect()
    assert alive() is not None
    x = np.empty((1, 5), "float32")
    gather_kernel(contexts(1, 0, "float32")[0], 0, 1, *arrays, np.zeros(1, np.int64), x)
    np.testing.assert_array_equal(x, np.full((1, 5), np.float32(0.2)))
    del arrays
    gc.collect()
    assert alive() is None


@dtypes
def test_memmaps_are_read_where_they_are(dtype, tmp_path, rng):
    for given in (dtype, "uint8"):
        np.save(tmp_path / "X.npy", rng.integers(0, 9, (7, 3)).astype(given))
        X = np.load(tmp_path / "X.npy", mmap_mode="r")
        data = source(X, dtype)
        address = data.indptr[0] if given == "uint8" else data.values.ctypes.data
        assert address == X.ctypes.data
        np.testing.assert_array_equal(dense_rows(data, dtype), np.asarray(X).astype(dtype))


@dtypes
@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse(dtype, index, kind, rng):
    X = kind(sparse.random(30, 17, 0.2, random_state=0, format="csr"))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    rows = rng.integers(0, 30, 41)
    got = gather(source(X, dtype), rows, dtype)
    np.testing.assert_array_equal(got, X.toarray()[rows].astype(dtype))
    expected = gather_sparse(X.data, X.indices, X.indptr, rows, 17)
    np.testing.assert_array_equal(got, expected.astype(dtype))


def test_sparse_with_empty_rows_duplicates_and_no_order():
    data, indices = np.array([1.0, 2.0, 4.0, 8.0]), np.array([2, 0, 2, 1])
    X = sparse.csr_matrix((data, indices, [0, 0, 3, 3, 4]), shape=(4, 3))
    expected = np.array([[0, 0, 0], [2, 0, 5], [0, 0, 0], [0, 8, 0]])
    np.testing.assert_array_equal(gather(source(X, "float64"), range(4), "float64"), expected)


@pytest.mark.parametrize(
    ("name", "place", "value"), [("indices", 0, 3), ("indices", 1, -1), ("indptr", 2, 9)]
)
def test_sparse_that_points_outside_is_refused(name, place, value):
    X = sparse.csr_matrix(np.eye(3))
    getattr(X, name)[place] = value
    with pytest.raises(ValueError, match="ind"):
        source(X, "float32")


@dtypes
def test_parts_own_rows(dtype, rng):
    for X in (
        rng.standard_normal((50, 7)),
        rng.integers(0, 256, (50, 7), dtype=np.uint8),
        sparse.random(50, 7, 0.3, random_state=0, format="csr"),
    ):
        data, rows = source(X, dtype), rng.permutation(50)
        whole = gather(data, rows, dtype)
        for parts in (2, 3, 4, 7):
            np.testing.assert_array_equal(gather(data, rows, dtype, parts), whole)


def test_readonly_is_a_view():
    array = np.zeros(3)
    view = readonly(array)
    assert view.base is array
    assert array.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1


@dtypes
@pytest.mark.parametrize("given", ["float64", "float32", "uint8"])
def test_sequences_have_zeros_behind_them(dtype, given, rng):
    """Any lengths, zero included, at any place; the lengths are in the context."""
    channels, lengths = 3, np.array([4, 0, 7, 1, 7])
    values = rng.integers(0, 255, 200).astype(given)
    starts = np.array([90, 0, 30, 31, 179])
    data = sequences(values, starts, lengths, channels, dtype)
    assert (data.n_rows, data.width) == (5, 21)
    rows = np.array([3, 0, 2, 2, 1])
    expected = np.zeros((5, 21), dtype)
    for out, row in zip(expected, rows, strict=True):
        size = lengths[row] * channels
        out[:size] = values[starts[row] : starts[row] + size]
    for parts in (1, 2, 3):
        np.testing.assert_array_equal(gather(data, rows, dtype, parts), expected)
    for part in range(2):  # each part knows the lengths of all rows
        ctx = contexts(1, 4, dtype, n_lengths=5)[0]
        x = np.empty((5, 21), dtype)
        data.gather(ctx, part, 2, data.values, data.indices, data.indptr, rows, x)
        np.testing.assert_array_equal(ctx[ctx[LENGTHS] :][:5], lengths[rows])
        assert ctx[LONGEST] == 7


def test_bytes_of_sequences_stay_as_long_as_the_arrays_do():
    values = np.arange(12, dtype=np.uint8)
    alive = weakref.ref(values)
    data = sequences(values, [3], [2], 1, "float32")
    del values
    gc.collect()
    assert alive() is not None
    np.testing.assert_array_equal(dense_rows(data, "float32"), [[3, 4]])
