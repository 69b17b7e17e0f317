"""Few rows in an array of floats skip the checks that they pass: nothing else differs."""

import copy
import pickle
import warnings
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.layers import GRU, BatchNorm, Dense, Embedding, Flatten
from sklearn_nn.network.machine import FewRows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 40
ROWS, IMAGES = RNG.standard_normal((N, 12)), RNG.standard_normal((N, 6, 4, 2))
SERIES, INTEGERS = RNG.standard_normal((N, 6, 2)), RNG.integers(0, 5, (N, 6)).astype(float)
LABELS, NUMBERS = np.arange(N) % 3, RNG.standard_normal(N)
SMALL = {"max_iter": 2, "random_state": 0}

#: Estimators with X and y, and whether they take the short way.
CASES = {
    "binary": (MLPClassifier((8,), **SMALL), ROWS, LABELS > 0, True),
    "one class": (MLPClassifier((8,), **SMALL), ROWS, np.zeros(N, int), True),
    "names": (MLPClassifier((8,), **SMALL), ROWS, np.array(["a", "b", "c"])[LABELS], True),
    "labels": (MLPClassifier((8,), **SMALL), ROWS, RNG.integers(0, 2, (N, 2)), True),
    "norm": (MLPClassifier((8,), batch_norm=True, n_jobs=2, **SMALL), ROWS, LABELS, True),
    "number": (MLPRegressor(hidden_layer_sizes=(8,), **SMALL), ROWS, NUMBERS, True),
    "numbers": (MLPRegressor(hidden_layer_sizes=(8,), **SMALL), ROWS, ROWS[:, :2], True),
    "one feature": (MLPClassifier((8,), **SMALL), ROWS[:, :1], LABELS, True),
    "images": (CNNClassifier((8,), **SMALL), IMAGES, LABELS, True),
    "scaled images": (CNNRegressor((8,), scale_inputs=True, **SMALL), 99 * IMAGES, NUMBERS, True),
    "channels first": (
        CNNClassifier((8,), data_format="channels_first", **SMALL),
        np.moveaxis(IMAGES, -1, 1), LABELS, False,
    ),
    "signals": (CNNClassifier((8,), **SMALL), ROWS, LABELS, True),
    "series": (RNNClassifier(hidden_size=4, **SMALL), SERIES, LABELS, True),
    "a number each": (RNNRegressor(hidden_size=4, **SMALL), SERIES, NUMBERS, True),
    "flat series": (
        RNNRegressor(hidden_size=4, input_shape=(6, 2), **SMALL), ROWS, NUMBERS, True,
    ),
    "windows": (RNNClassifier(hidden_size=4, truncation=3, **SMALL), SERIES, LABELS, False),
    "every step": (
        RNNClassifier(hidden_size=4, return_sequences=True, **SMALL),
        SERIES, np.repeat(LABELS, 6).reshape(N, 6), False,
    ),
    "unequal lengths": (
        RNNClassifier(hidden_size=4, **SMALL),
        np.where(np.arange(6)[:, np.newaxis] < RNG.integers(2, 7, N)[:, np.newaxis, np.newaxis],
                 SERIES, np.nan), LABELS, False,
    ),
    "layers": (
        NeuralNetworkClassifier([Flatten(), Dense(4), BatchNorm()], **SMALL), IMAGES, LABELS, True,
    ),
    "recurrent layer": (NeuralNetworkRegressor([GRU(4)], **SMALL), SERIES, NUMBERS, True),
    "integers": (
        NeuralNetworkClassifier([Embedding(5, 2), Flatten()], **SMALL), INTEGERS, LABELS, False,
    ),
    "table": (TabularClassifier(n_networks=1, **SMALL), ROWS, LABELS, False),
    "table, numbers": (TabularRegressor(n_networks=2, **SMALL), ROWS, NUMBERS, False),
}  # fmt: skip


@pytest.fixture
def generally(monkeypatch):
    """Return a function that calls another one without the short way."""

    def call(function, *arguments):
        with monkeypatch.context() as patch:
            patch.setattr(BaseNetwork, "_output_of_few", lambda *_: None)
            return function(*arguments)

    return call


def _methods(model):
    names = ("predict", "predict_proba", "predict_log_proba")
    return [getattr(model, name) for name in names if hasattr(model, name)]


def _same(found, expected):
    assert type(found) is type(expected)
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other, strict=True)


def _layouts(X):
    """Yield the same numbers in other types, orders and places."""
    yield from (X, X.astype("f4"), X.astype(">f8"), X.astype(">f4"), np.asfortranarray(X))
    yield np.repeat(X, 2, axis=0)[::2]
    yield X[:, ::-1][:, ::-1]
    held = X.copy()
    held.flags.writeable = False
    yield held
    raw = np.zeros(X.nbytes + 1, dtype=np.uint8)
    odd = raw[1:].view(X.dtype).reshape(X.shape)
    odd[...] = X
    yield odd


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_the_general_path(case, dtype, generally):
    model, X, y, is_short = CASES[case]
    model = clone(model).set_params(dtype=dtype).fit(X, y)
    for n_rows in (1, 2, FewRows.MOST, FewRows.MOST + 1):
        few = n_rows <= FewRows.MOST
        for rows in _layouts(X[:n_rows]):
            assert (model._output_of_few(rows) is not None) == (is_short and few)
            for method in _methods(model):
                _same(method(rows), generally(method, rows))


def test_results_belong_to_the_caller():
    model = MLPClassifier((8,), **SMALL).fit(ROWS, LABELS)
    first = model.predict_proba(ROWS[:2])
    kept = first.copy()
    second = model.predict_proba(ROWS[2:4])
    first[...] = 0
    assert not np.shares_memory(first, second)
    np.testing.assert_array_equal(model.predict_proba(ROWS[:2]), kept)


# --- what is not plain -------------------------------------------------------------------------

HUGE = np.full((1, 12), 1e300)
BAD = {
    "NaN": np.where(np.arange(12) == 3, np.nan, ROWS[:1]),
    "infinite": np.where(np.arange(12) == 3, -np.inf, ROWS[:1]),
    "infinite in float32": HUGE,
    "too narrow": ROWS[:1, :11],
    "too wide": np.ones((1, 13)),
    "no rows": ROWS[:0],
    "no axis": np.array(1.0),
    "one axis": ROWS[0],
    "three axes": ROWS[:2].reshape(1, 2, 12),
    "complex": ROWS[:1] + 1j,
    "text": np.full((1, 12), "a"),
    "objects": np.full((1, 12), None, dtype=object),
    "dates": np.zeros((1, 12), "M8[D]"),
    "list": [[1.0] * 11],
    "scalar": 3.0,
    "None": None,
}


def _outcome(method, X):
    """Return the result, or the error, and the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            result = method(X)
        except Exception as error:
            result = type(error), str(error)
    return result, [(w.category, str(w.message)) for w in caught]


@pytest.mark.parametrize("bad", BAD)
@pytest.mark.parametrize("case", ["names", "number", "signals", "flat series"])
def test_errors_are_those_of_the_general_path(case, bad, generally):
    model, X, y, _ = CASES[case]
    model = clone(model).fit(X.astype(np.float32), y)
    model.predict(ROWS[:1])
    for method in _methods(model):
        (error, told), expected = _outcome(method, BAD[bad]), generally(_outcome, method, BAD[bad])
        assert isinstance(expected[0], tuple)  # an error
        assert (error, told) == expected
    np.testing.assert_array_equal(model.predict(ROWS[:1]), generally(model.predict, ROWS[:1]))


@pytest.mark.parametrize(
    "X",
    [ROWS[:1].tolist(), ROWS[:1].astype("f2"), np.ones((1, 12), int), np.ones((1, 12), bool),
     ROWS[:1].astype(object), pd.DataFrame(ROWS[:1]), np.ma.array(ROWS[:1]),
     ROWS[:1].view(type("Own", (np.ndarray,), {}))],
)  # fmt: skip
def test_other_forms_are_read_generally(X, generally):
    model = MLPClassifier((8,), **SMALL).fit(ROWS, LABELS)
    assert model._output_of_few(X) is None
    np.testing.assert_array_equal(model.predict_proba(X), generally(model.predict_proba, X))


def test_outputs_that_are_not_finite_raise_an_error():
    model = MLPRegressor(hidden_layer_sizes=(8,), **SMALL).fit(ROWS, NUMBERS)
    assert np.isfinite(model.predict(np.full((1, 12), 1e30))).all()
    model.coefs_[0][...] = 1e300
    with pytest.raises(ValueError, match="output is not finite"):
        model.predict(np.full((1, 12), 1e30))


def test_names_of_columns_are_missed(generally):
    frame = pd.DataFrame(ROWS, columns=[f"x{k}" for k in range(12)])
    model = MLPClassifier((8,), **SMALL).fit(frame, LABELS)
    with pytest.warns(UserWarning, match="does not have valid feature names"):
        model.predict(ROWS[:1])
    assert _outcome(model.predict, frame[::-1].iloc[:1, ::-1])[0][0] is ValueError


def test_units_other_than_the_fitted_ones_are_told():
    images = RNG.integers(0, 256, (N, 6, 4), dtype=np.uint8)
    model = CNNClassifier((8,), **SMALL).fit(images, LABELS)
    with pytest.warns(UserWarning, match="bytes"):
        model.predict(images[:1].astype(float))


def test_parameters_of_prediction_are_checked():
    model = MLPClassifier((8,), **SMALL)
    with pytest.raises(NotFittedError):
        model.predict(ROWS[:1])
    model.fit(ROWS, LABELS).predict(ROWS[:1])
    model.set_params(n_jobs=0)
    with pytest.raises(ValueError, match="n_jobs"):
        model.predict(ROWS[:1])
    model.n_features_in_ = 11
    with pytest.raises(ValueError, match="12 features, but MLPClassifier is expecting 11"):
        model.set_params(n_jobs=None).predict(ROWS[:1])


# --- changes of the network --------------------------------------------------------------------


def _change_layer(model):
    model.layers_["output"]["bias"] = np.array([3.0, 2.0, 1.0])


def _change_list(model):
    model.coefs_[0] = model.coefs_[0] + 1


def _change_place(model):
    model.intercepts_[0][:] += 1


CHANGES = {
    "replaced in layers_": _change_layer,
    "replaced in coefs_": _change_list,
    "in place": _change_place,
    "partial_fit": lambda model: model.partial_fit(ROWS, LABELS),
    "fit": lambda model: model.set_params(hidden_layer_sizes=(5, 5)).fit(ROWS, LABELS),
    "another width": lambda model: model.fit(np.tile(ROWS, 2)[:, :13], LABELS),
    "another type": lambda model: model.set_params(dtype="float32").fit(ROWS, LABELS),
    "warm start": lambda model: model.set_params(warm_start=True).fit(ROWS, LABELS),
    "other weights": lambda model: model.from_pretrained(
        MLPClassifier((8,), max_iter=9, random_state=1).fit(ROWS, LABELS)
    ),
    "initialize": lambda model: model.set_params(random_state=3).initialize(ROWS, LABELS),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_the_network_are_seen(change, generally):
    model = MLPClassifier((8,), **SMALL).fit(ROWS, LABELS)
    before = model.predict_proba(ROWS[:3])
    CHANGES[change](model)
    rows = np.tile(ROWS, 2)[:3, : model.n_features_in_]
    after = model.predict_proba(rows)
    assert model._output_of_few(rows) is not None
    assert not np.array_equal(before, after)
    np.testing.assert_array_equal(after, generally(model.predict_proba, rows))


def test_freezing_changes_no_prediction(generally):
    model = MLPClassifier((8,), **SMALL).fit(ROWS, LABELS)
    before = model.predict_proba(ROWS[:3])
    for change in (model.freeze, model.unfreeze):
        change("output")
        np.testing.assert_array_equal(model.predict_proba(ROWS[:3]), before)
        model.partial_fit(ROWS, LABELS)
        before = model.predict_proba(ROWS[:3])
        np.testing.assert_array_equal(before, generally(model.predict_proba, ROWS[:3]))


@pytest.mark.parametrize(
    "copied", [copy.copy, copy.deepcopy, lambda model: pickle.loads(pickle.dumps(model))]
)
def test_copies_predict_with_their_own_weights(copied):
    model = MLPClassifier((8,), **SMALL).fit(ROWS, LABELS)
    size = len(pickle.dumps(model))
    expected = model.predict_proba(ROWS[:1])
    assert len(pickle.dumps(model)) == size  # nothing that was prepared
    other = copied(model)
    np.testing.assert_array_equal(other.predict_proba(ROWS[:1]), expected)
    other.partial_fit(ROWS, LABELS)
    assert not np.array_equal(other.predict_proba(ROWS[:1]), expected)
    np.testing.assert_array_equal(model.predict_proba(ROWS[:1]), expected)
    with pytest.raises(NotFittedError):
        clone(model).predict(ROWS[:1])


@pytest.mark.parametrize("case", ["names", "norm", "images", "series"])
def test_threads_predict_with_one_model(case):
    model, X, y, _ = CASES[case]
    model = clone(model).fit(X, y)
    expected = [model.predict_log_proba(X[k : k + 1]) for k in range(N)]
    again = pickle.loads(pickle.dumps(model))  # all threads prepare the program

    def predict(k):
        return again.predict_log_proba(X[k % N : k % N + 1])

    with ThreadPoolExecutor(12) as pool:
        for k, found in enumerate(pool.map(predict, range(50 * N))):
            np.testing.assert_array_equal(found, expected[k % N])
