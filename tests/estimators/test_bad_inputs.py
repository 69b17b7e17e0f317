"""Values and labels: an error that says what is wrong, or a finite result. Never a crash."""

import numpy as np
import pytest
from scipy import sparse

from helpers.estimators.mlp_problem import BOTH, SOLVERS
from helpers.estimators.small_data import (
    CLASSES,
    NUMBERS,
    X,
    fit_or_error,
    make,
    output,
    partial_fit,
    target,
)
from sklearn_nn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- 1, 2: values ------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nan_and_infinity(Estimator, value):
    y = target(Estimator)
    bad = X.copy()
    bad[3, 2] = value
    name = "NaN" if np.isnan(value) else "infinity"
    with pytest.raises(ValueError, match=f"X contains {name}"):
        make(Estimator).fit(bad, y)
    with pytest.raises(ValueError, match=f"X contains {name}"):
        partial_fit(make(Estimator), bad, y)
    fitted = make(Estimator).fit(X, y)
    with pytest.raises(ValueError, match=f"X contains {name}"):
        fitted.predict(bad)
    with pytest.raises(ValueError, match=f"X contains {name}"):
        fitted.predict(sparse.csr_matrix(bad))
    bad_y = y.astype(float)
    bad_y[3] = value
    with pytest.raises(ValueError, match=f"(y|Input) contains {name}"):
        make(Estimator).fit(X, bad_y)


@BOTH
@SOLVERS
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("scale", [1e30, 1e150, 1e300])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_huge_inputs(Estimator, solver, dtype, scale):
    p = fit_or_error(make(Estimator, solver=solver, dtype=dtype), X * scale, target(Estimator))
    assert np.isfinite(p).all()


@SOLVERS
@pytest.mark.parametrize("loss", ["squared_error", "poisson"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_huge_targets(solver, loss, dtype):
    model = make(MLPRegressor, solver=solver, loss=loss, dtype=dtype)
    assert np.isfinite(fit_or_error(model, X, np.abs(NUMBERS) * 1e200)).all()


@BOTH
@pytest.mark.parametrize("solver", ["adam", "sgd"])
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_huge_learning_rate(Estimator, solver):
    model = make(Estimator, solver=solver, learning_rate_init=1e6, max_iter=30)
    assert np.isfinite(fit_or_error(model, X, target(Estimator))).all()


def test_divergence_names_epoch_and_remedy_and_keeps_finite_weights():
    model = make(MLPRegressor, solver="sgd", learning_rate_init=1e6, max_iter=30)
    with pytest.raises(ValueError, match=r"non-finite parameter weights.*") as caught:
        model.fit(X, NUMBERS)
    assert f"epoch {model.n_iter_}" in str(caught.value)
    for remedy in ("StandardScaler", "learning_rate_init", "weights from before that epoch"):
        assert remedy in str(caught.value)
    assert all(np.isfinite(array).all() for array in (*model.coefs_, *model.intercepts_))
    assert model.predict(X[:1] * 1e-300).shape == (1,)
    model.set_params(learning_rate_init=1e-3).fit(X, NUMBERS)
    assert np.isfinite(model.predict(X)).all()


@BOTH
def test_values_too_large_for_float32(Estimator):
    y = target(Estimator)
    with pytest.raises(ValueError, match=r"X contains values too large.*float32.*scale X"):
        make(Estimator, dtype="float32").fit(X * 1e60, y)
    fitted = make(Estimator).fit(X.astype(np.float32), y)
    with pytest.raises(ValueError, match=r"X contains values too large.*float32.*scale X"):
        fitted.predict(X * 1e60)
    with pytest.raises(ValueError, match=r"y holds values too large.*float32.*scale y"):
        make(MLPRegressor, dtype="float32").fit(X, NUMBERS * 1e60)


@BOTH
def test_outputs_that_overflow_are_an_error(Estimator):
    fitted = make(Estimator).fit(X, target(Estimator))
    assert np.isfinite(output(fitted, X * 1e10)).all()
    fitted.coefs_[0][:] = 1e308
    with pytest.raises(ValueError, match=r"not finite for some rows.*scale X"):
        fitted.predict(np.full((1, 5), 1e10))


@BOTH
@SOLVERS
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_denormals_and_constant_columns(Estimator, solver, dtype):
    smallest = np.finfo(dtype).smallest_subnormal
    for X_odd in (
        np.where(X > 0, smallest, -smallest),
        np.zeros_like(X),
        np.full_like(X, 3.0),
        np.where(np.arange(5) % 2, 0.0, X),
    ):
        model = make(Estimator, solver=solver).fit(X_odd.astype(dtype), target(Estimator))
        assert np.isfinite(output(model, X_odd.astype(dtype))).all()


# --- 3, 4: labels ------------------------------------------------------------------------------


@SOLVERS
def test_one_class_is_predicted(solver):
    model = make(MLPClassifier, solver=solver).fit(X, np.full(60, "only"))
    assert model.predict(X).tolist() == ["only"] * 60
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((60, 1)))
    assert model.score(X, np.full(60, "only")) == 1.0


def test_partial_fit_needs_classes_and_knows_no_others():
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        make(MLPClassifier).partial_fit(X, CLASSES)
    model = make(MLPClassifier).partial_fit(X, CLASSES, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=r"y.* has classes not in.*\[7\]"):
        model.partial_fit(X[:2], [1, 7])
    with pytest.raises(ValueError, match="is not the same as on last call"):
        model.partial_fit(X, CLASSES, classes=[0, 1])
    with pytest.raises(ValueError, match="has classes not in"):
        make(MLPClassifier).partial_fit(X, CLASSES, classes=[0, 1])


LABELS = {
    "int64": np.array([0, 1, 2]),
    "int8": np.array([-1, 0, 1], dtype=np.int8),
    "uint64": np.array([1, 2, 2**63], dtype=np.uint64),
    "large": np.array([-7, 0, 2**40]),
    "float": np.array([0.0, 1.0, 5.0]),
    "str": np.array(["a", "bb", "ccc"]),
    "digits": np.array(["0", "1", "10"]),
    "object": np.array(["a", "bb", "ccc"], dtype=object),
    "bytes": np.array([b"a", b"b", b"c"]),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_keep_their_type(kind):
    labels = LABELS[kind]
    if kind == "bytes":
        # A warning in scikit-learn 1.6.
        with pytest.raises((TypeError, FutureWarning), match="bytes"):
            make(MLPClassifier).fit(X, labels[CLASSES])
        return
    model = make(MLPClassifier, max_iter=200, learning_rate_init=0.02).fit(X, labels[CLASSES])
    assert model.classes_.dtype == labels.dtype
    np.testing.assert_array_equal(model.classes_, np.sort(labels))
    assert model.predict(X).dtype == labels.dtype
    assert set(model.predict(X)) <= set(labels)
    same = make(MLPClassifier, max_iter=200, learning_rate_init=0.02).fit(X, CLASSES)
    np.testing.assert_array_equal(model.predict(X), labels[same.predict(X)])


def test_boolean_labels():
    model = make(MLPClassifier).fit(X, CLASSES > 0)
    assert model.classes_.tolist() == [False, True]
    assert model.predict(X).dtype == bool


def _pandas_labels():
    pd = pytest.importorskip("pandas")
    words = np.array(["a", "b", "c"])[CLASSES]
    yield "Categorical", pd.Series(pd.Categorical(words, categories=["c", "b", "a"])), words
    yield "unused category", pd.Series(pd.Categorical(words, categories=list("abcd"))), words
    yield "Int64", pd.Series(CLASSES, dtype="Int64"), CLASSES
    yield "boolean", pd.Series(CLASSES > 0, dtype="boolean"), CLASSES > 0
    yield "string", pd.Series(words, dtype="string"), words
    yield "object", pd.Series(words.astype(object)), words
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        return
    yield "Arrow string", pd.Series(words, dtype="string[pyarrow]"), words
    yield "Arrow int64", pd.Series(CLASSES, dtype="int64[pyarrow]"), CLASSES


@pytest.mark.parametrize("incremental", [False, True])
def test_labels_of_pandas(incremental):
    for kind, y, plain in _pandas_labels():
        model, same = make(MLPClassifier), make(MLPClassifier)
        if incremental:
            model.partial_fit(X, y, classes=np.unique(plain))
            same.partial_fit(X, plain, classes=np.unique(plain))
        else:
            model.fit(X, y)
            same.fit(X, plain)
        assert model.classes_.tolist() == np.unique(plain).tolist(), kind
        assert model.predict(X).tolist() == same.predict(X).tolist(), kind
        assert model.score(X, y) == same.score(X, plain), kind


def test_missing_labels():
    pd = pytest.importorskip("pandas")
    for y in (
        pd.Series([1, pd.NA, 2] * 20, dtype="Int64"),
        pd.Series(["a", None, "b"] * 20, dtype="string"),
        pd.Series(["a", None, "b"] * 20, dtype="category"),
        pd.Series(["a", np.nan, "b"] * 20, dtype=object),
        pd.Series(["a", pd.NA, "b"] * 20, dtype=object),
    ):
        with pytest.raises(ValueError, match=r"(?i)nan|missing|NAType|NoneType"):
            make(MLPClassifier).fit(X, y)


@pytest.mark.parametrize("other", [True, 1, 2.5])
def test_mixed_labels(other):
    y = np.array(["a", other, "b"] * 20, dtype=object)
    with pytest.raises(ValueError, match=r"y mixes labels of the types .*str.*one type"):
        make(MLPClassifier).fit(X, y)
    model = make(MLPClassifier).fit(X, np.array(["a", "c", "b"] * 20, dtype=object))
    with pytest.raises(ValueError, match="y mixes labels of the types"):
        model.partial_fit(X, y)


def test_continuous_labels():
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        make(MLPClassifier).fit(X, NUMBERS)


def test_several_multiclass_columns():
    with pytest.raises(ValueError, match="MultiOutputClassifier"):
        make(MLPClassifier).fit(X, np.c_[CLASSES, CLASSES])


@pytest.mark.parametrize(
    "y", [CLASSES.astype(str), CLASSES.astype("datetime64[D]"), NUMBERS.astype("timedelta64[s]")]
)
def test_regression_targets_must_be_numbers(y):
    with pytest.raises(ValueError, match="numbers"):
        make(MLPRegressor).fit(X, y)


def test_poisson_targets_must_not_be_negative():
    with pytest.raises(ValueError, match=r"loss='poisson' needs y >= 0, got .*-.*squared_error"):
        make(MLPRegressor, loss="poisson").fit(X, NUMBERS)
