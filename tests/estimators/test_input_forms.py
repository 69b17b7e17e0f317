"""Types, layouts, shapes, frames and sparse matrices: one result, or an error that says why not."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

from helpers.estimators.mlp_problem import BOTH, SOLVERS
from helpers.estimators.small_data import CLASSES, NUMBERS, RNG, X, make, output, target
from sklearn_nn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- 6, 7: types and layouts of X --------------------------------------------------------------

SMALL_INTEGERS = RNG.integers(0, 2, (60, 5))


@BOTH
@pytest.mark.parametrize(
    "dtype",
    ["f2", "f4", "f8", ">f8", ">f4", "g", "O", "i1", "i2", "i4", "i8", ">i4", "u1", "u8", "?"],
)
def test_input_dtypes(Estimator, dtype):
    y = target(Estimator)
    converted = SMALL_INTEGERS.astype(dtype)
    model = make(Estimator).fit(converted, y)
    real = np.float32 if dtype == "f4" else np.float64
    assert model.coefs_[0].dtype in (real, np.dtype(np.float32) if dtype == ">f4" else real)
    same = make(Estimator).fit(SMALL_INTEGERS.astype(model.coefs_[0].dtype), y)
    expected = output(same, SMALL_INTEGERS.astype(real))
    np.testing.assert_array_equal(output(model, converted), expected)
    np.testing.assert_array_equal(output(same, converted), expected)


@BOTH
@pytest.mark.parametrize("dtype", ["f2", ">f8", "g", "i4", "?"])
def test_dtypes_of_y_and_weights(Estimator, dtype):
    y = SMALL_INTEGERS[:, 0]
    weight = SMALL_INTEGERS[:, 1] + SMALL_INTEGERS[:, 2]
    model = make(Estimator).fit(X, y.astype(dtype), sample_weight=weight.astype(dtype))
    weight = weight.astype(dtype).astype(float)
    same = make(Estimator).fit(X, y.astype(float), sample_weight=weight)
    np.testing.assert_array_equal(output(model, X), output(same, X))


@BOTH
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.full((60, 5), "a"), "could not convert|dtype='numeric'|Unable to convert"),
        (np.full((60, 5), "2020-01-01", dtype="M8[D]"), "(?i)datetime|dtype"),
        (X + 1j, "Complex data not supported"),
        (np.full((60, 5), None, dtype=object), "NaN|float"),
        (np.full((60, 5), "a", dtype=object), "could not convert"),
        (np.array([[{}] * 5] * 60, dtype=object), "float|real number"),
    ],
    ids=["str", "datetime", "complex", "None", "object str", "dict"],
)
def test_inputs_that_are_no_numbers(Estimator, bad, message):
    y = target(Estimator)
    with pytest.raises((ValueError, TypeError), match=message):
        make(Estimator).fit(bad, y)
    fitted = make(Estimator).fit(X, y)
    with pytest.raises((ValueError, TypeError)):
        output(fitted, bad)


def _layouts(A):
    yield "Fortran", np.asfortranarray(A)
    yield "negative strides", A[::-1, ::-1].copy()[::-1, ::-1]
    yield "every other column", np.repeat(A, 2, axis=1)[:, ::2]
    yield "every other row", np.repeat(A, 2, axis=0)[::2]
    yield "transposed", A.T.copy().T
    unaligned = np.zeros(A.nbytes + 1, dtype=np.uint8)[1:].view(A.dtype).reshape(A.shape)
    unaligned[:] = A
    assert not unaligned.flags.aligned
    yield "unaligned", unaligned
    readonly = A.copy()
    readonly.flags.writeable = False
    yield "read-only", readonly
    yield "list", A.tolist()
    yield "np.matrix view", A.view()


@BOTH
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_memory_layouts(Estimator, dtype, tmp_path):
    A, y = X.astype(dtype), target(Estimator)
    expected = output(make(Estimator).fit(A, y), A)
    layouts = dict(_layouts(A))
    np.save(tmp_path / "X.npy", A)
    for mode in ("r", "c", "r+"):
        layouts[f"memmap {mode}"] = np.load(tmp_path / "X.npy", mmap_mode=mode)
    for name, same in layouts.items():
        if name == "list" and dtype == np.float32:
            continue
        model = make(Estimator).fit(same, y)
        np.testing.assert_array_equal(output(model, A), expected, err_msg=name)
        np.testing.assert_array_equal(output(model, same), expected, err_msg=name)


@BOTH
def test_layouts_of_y_and_weights(Estimator):
    y, weight = target(Estimator), RNG.random(60)
    expected = output(make(Estimator).fit(X, y, sample_weight=weight), X)
    for name, both in _layouts(np.c_[y.astype(float), weight]):
        y_same, w_same = np.asarray(both).T
        model = make(Estimator).fit(X, y_same, sample_weight=w_same)
        np.testing.assert_array_equal(output(model, X), expected, err_msg=name)


@BOTH
@SOLVERS
def test_inputs_are_never_changed(Estimator, solver):
    y = target(Estimator)
    inputs = [X.copy(), y.copy(), np.ones(60), X[:9].copy(), y[:9].copy(), np.ones(9)]
    before = [array.copy() for array in inputs]
    A, b, w, A_val, b_val, w_val = inputs
    model = make(Estimator, solver=solver)
    model.fit(A, b, w, X_val=A_val, y_val=b_val, sample_weight_val=w_val)
    if solver != "lbfgs":
        model.partial_fit(A, b, w)
    output(model, A)
    model.score(A, b, w)
    for array, copy in zip(inputs, before, strict=True):
        np.testing.assert_array_equal(array, copy)
    S = sparse.csr_matrix(np.where(X > 0.5, X, 0))
    parts = [S.data.copy(), S.indices.copy(), S.indptr.copy()]
    model.fit(S, y)
    output(model, S)
    for array, copy in zip((S.data, S.indices, S.indptr), parts, strict=True):
        np.testing.assert_array_equal(array, copy)


# --- 8, 9: shapes ------------------------------------------------------------------------------


@BOTH
def test_y_as_a_column(Estimator):
    y = target(Estimator)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model = make(Estimator).fit(X, y.reshape(-1, 1))
    flat = make(Estimator).fit(X, y)
    np.testing.assert_array_equal(output(model, X), output(flat, X))
    assert model.predict(X).shape == (60,)
    assert model.predict(X[:1]).shape == (1,)


@pytest.mark.parametrize("n_outputs", [1, 2])
def test_shapes_of_predictions(n_outputs):
    y = np.c_[NUMBERS, -NUMBERS][:, :n_outputs]
    model = make(MLPRegressor).fit(X, y.ravel() if n_outputs == 1 else y)
    for n in (1, 2, 60):
        assert model.predict(X[:n]).shape == ((n,) if n_outputs == 1 else (n, 2))
    classifier = make(MLPClassifier).fit(X, CLASSES)
    assert classifier.predict(X[:1]).shape == (1,)
    assert classifier.predict_proba(X[:1]).shape == (1, 3)


@BOTH
@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((60,), "Expected 2D array, got 1D array"),
        ((0, 5), r"0 sample\(s\)"),
        ((60, 0), r"0 feature\(s\)"),
        ((60, 5, 2), "dim 3"),
        ((59, 5), "inconsistent numbers of samples"),
    ],
)
def test_input_shapes(Estimator, shape, message):
    with pytest.raises(ValueError, match=message):
        make(Estimator).fit(np.ones(shape), target(Estimator))


@BOTH
def test_input_shapes_at_predict(Estimator):
    fitted = make(Estimator).fit(X, target(Estimator))
    for bad, message in (
        (X[:, :4], "X has 4 features, but MLP.* is expecting 5"),
        (np.c_[X, X], "X has 10 features"),
        (X[0], "Expected 2D array"),
        (X[:0], "0 sample"),
        (X[None], "dim 3"),
        (sparse.csr_matrix(X[:, :4]), "X has 4 features"),
    ):
        with pytest.raises(ValueError, match=message):
            fitted.predict(bad)


@BOTH
def test_shapes_of_y(Estimator):
    y = target(Estimator)
    for bad in (y.reshape(1, -1), y[:59], np.float64(1.0), y[:0], np.tile(y, (2, 2, 1))):
        with pytest.raises((ValueError, TypeError)):
            make(Estimator).fit(X, bad)
    with pytest.raises(ValueError, match=r"y cannot be None|requires y"):
        make(Estimator).fit(X, None)


@BOTH
def test_one_sample(Estimator):
    model = make(Estimator).fit(X[:1], target(Estimator)[:1])
    assert np.isfinite(output(model, X)).all()


# --- 10: data frames ---------------------------------------------------------------------------


@BOTH
def test_columns_of_data_frames(Estimator):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    y = pd.Series(target(Estimator), index=np.arange(60)[::-1])
    model = make(Estimator).fit(frame, y)
    assert model.feature_names_in_.tolist() == list("abcde")
    expected = output(make(Estimator).fit(X, target(Estimator)), X)
    np.testing.assert_array_equal(output(model, frame), expected)
    for bad in (frame[list("bacde")], frame[list("abcd")], frame.rename(columns={"a": "z"})):
        with pytest.raises(ValueError, match="feature names should match"):
            model.predict(bad)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(X)


@BOTH
def test_nullable_columns(Estimator):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=list("abcde"))
    y = target(Estimator)
    expected = output(make(Estimator).fit(frame, y), frame)
    nullable = frame.astype("Float64")
    np.testing.assert_array_equal(output(make(Estimator).fit(nullable, y), nullable), expected)
    mixed = frame.assign(a=CLASSES > 0, b=CLASSES.astype("int8"), c=X[:, 2].astype("float32"))
    assert np.isfinite(output(make(Estimator).fit(mixed, y), mixed)).all()
    nullable.iloc[3, 2] = pd.NA
    with pytest.raises(ValueError, match=r"NaN|NAType|missing"):
        make(Estimator).fit(nullable, y)
    objects = nullable.astype(object)
    with pytest.raises((ValueError, TypeError), match=r"NAType|NaN|missing"):
        make(Estimator).fit(objects, y)
    dates = frame.apply(lambda column: pd.Timestamp("2020-01-01") + pd.to_timedelta(column, "D"))
    with pytest.raises(ValueError, match=r"X has columns of dtype datetime64.*turn dates into"):
        make(Estimator).fit(dates, y)
    words = frame.assign(a="word")
    with pytest.raises(ValueError, match="could not convert string to float"):
        make(Estimator).fit(words, y)


# --- 11: sparse --------------------------------------------------------------------------------

SPARSE = np.where(X > 0.3, X, 0.0)


@BOTH
@pytest.mark.parametrize(
    "layout",
    [
        sparse.csr_matrix,
        sparse.csc_matrix,
        sparse.coo_matrix,
        sparse.csr_array,
        sparse.csc_array,
        sparse.coo_array,
        sparse.lil_matrix,
        sparse.dok_matrix,
        sparse.bsr_matrix,
    ],
)
def test_sparse_layouts(Estimator, layout):
    y = target(Estimator)
    dense = make(Estimator).fit(SPARSE, y)
    model = make(Estimator).fit(layout(SPARSE), y)
    expected = output(dense, SPARSE)
    np.testing.assert_array_equal(output(model, layout(SPARSE)), expected)
    np.testing.assert_array_equal(output(model, SPARSE), expected)
    np.testing.assert_array_equal(output(dense, layout(SPARSE)), expected)
    np.testing.assert_array_equal(output(model, layout(SPARSE.astype(np.float32))).shape[0], 60)


def _odd_csr(case):
    S = sparse.csr_matrix(SPARSE)
    if case == "int64 indices":
        S.indices, S.indptr = S.indices.astype(np.int64), S.indptr.astype(np.int64)
    elif case == "unsorted":
        for i in range(60):
            span = slice(S.indptr[i], S.indptr[i + 1])
            S.indices[span], S.data[span] = S.indices[span][::-1].copy(), S.data[span][::-1].copy()
        S.has_sorted_indices = False
    elif case == "duplicates":
        n = S.nnz
        arrays = np.repeat(S.data / 2, 2), np.repeat(S.indices, 2), 2 * S.indptr
        S = sparse.csr_matrix(arrays, shape=S.shape)
        assert S.nnz == 2 * n
    elif case == "explicit zeros":
        S.data[0] = 0.0
    elif case == "empty rows":
        S = sparse.csr_matrix(np.where(np.arange(60)[:, None] % 2, SPARSE, 0.0))
    elif case == "nothing stored":
        S = sparse.csr_matrix((60, 5))
    return S


@BOTH
@pytest.mark.parametrize(
    "case",
    ["int64 indices", "unsorted", "duplicates", "explicit zeros", "empty rows", "nothing stored"],
)
def test_odd_sparse_matrices(Estimator, case):
    y = target(Estimator)
    S = _odd_csr(case)
    model, dense = make(Estimator).fit(S, y), make(Estimator).fit(S.toarray(), y)
    np.testing.assert_array_equal(output(model, S), output(dense, S.toarray()))


@BOTH
@pytest.mark.parametrize("corruption", ["index", "negative index", "indptr", "short data"])
def test_corrupt_sparse_matrices(Estimator, corruption):
    """Found before a kernel follows the index."""
    y = target(Estimator)
    fitted = make(Estimator).fit(SPARSE, y)
    S = sparse.csr_matrix(SPARSE)
    if corruption == "index":
        S.indices[7] = 10**6
    elif corruption == "negative index":
        S.indices[7] = -3
    elif corruption == "indptr":
        S.indptr[5] = 10**6
    else:
        S.data = S.data[:10]
    for call in (lambda: make(Estimator).fit(S, y), lambda: output(fitted, S)):
        with pytest.raises(ValueError):
            call()
