"""Where batches come from: any memory layout and sparse matrices, gathered as the twin does."""

import naive
import numpy as np
import pytest
from cases import DTYPES
from scipy import sparse

from sklearn_nn.network.source import readonly, source

dtypes = pytest.mark.parametrize("dtype", DTYPES)


def gather(data, rows, dtype, parts=1):
    x = np.full((len(rows), data.width), np.nan, dtype)
    for part in range(parts):
        rows = np.asarray(rows, np.int64)
        data.gather(part, parts, data.values, data.indices, data.indptr, rows, x)
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


@dtypes
@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array])
def test_sparse(dtype, index, kind, rng):
    X = kind(sparse.random(30, 17, 0.2, random_state=0, format="csr"))
    X.indices, X.indptr = X.indices.astype(index), X.indptr.astype(index)
    rows = rng.integers(0, 30, 41)
    got = gather(source(X, dtype), rows, dtype)
    np.testing.assert_array_equal(got, X.toarray()[rows].astype(dtype))
    expected = naive.gather_sparse(X.data, X.indices, X.indptr, rows, 17)
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
