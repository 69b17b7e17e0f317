"""SequenceScaler: channels of sequences get mean 0 and standard deviation 1."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_nn import RNNClassifier, RNNRegressor, SequenceScaler

RNG = np.random.default_rng(0)
LISTED = [RNG.normal([5, -300], [2, 40], (n, 2)) for n in RNG.integers(3, 9, 50)]
STEPS = np.concatenate(LISTED)
EVEN = RNG.normal([5, -300], [2, 40], (30, 7, 2))
LABELS = np.arange(50) % 2


def padded(listed):
    array = np.full((len(listed), max(map(len, listed)) + 2, listed[0].shape[1]), np.nan)
    for row, x in zip(array, listed, strict=True):
        row[: len(x)] = x
    return array


def objects(listed):
    array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array


@parametrize_with_checks([SequenceScaler()])
def test_estimator_checks(estimator, check):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        check(estimator)


@pytest.mark.parametrize(
    "form",
    [list, tuple, objects, padded, lambda x: [one.tolist() for one in x]],
    ids=["list", "tuple", "objects", "padded", "lists"],
)
def test_forms_of_unequal_length(form):
    X = form(LISTED)
    scaler = SequenceScaler().fit(X)
    np.testing.assert_allclose(scaler.mean_, STEPS.mean(axis=0))
    np.testing.assert_allclose(scaler.scale_, STEPS.std(axis=0))
    np.testing.assert_allclose(scaler.var_, STEPS.var(axis=0))
    assert (scaler.n_steps_seen_, scaler.n_features_in_) == (len(STEPS), 2)
    scaled = scaler.transform(X)
    for one, x in zip(scaled, LISTED, strict=True):
        np.testing.assert_allclose(one[: len(x)], (x - STEPS.mean(axis=0)) / STEPS.std(axis=0))
        assert np.isnan(one[len(x) :]).all()
    assert isinstance(scaled, np.ndarray if isinstance(X, np.ndarray) else list)
    for one, x in zip(scaler.inverse_transform(scaled), LISTED, strict=True):
        np.testing.assert_allclose(one[: len(x)], x)


def test_arrays_and_channels_first():
    scaler = SequenceScaler().fit(EVEN)
    flat = scaler.transform(EVEN).reshape(-1, 2)
    np.testing.assert_allclose(flat.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(flat.std(axis=0), 1)
    first = SequenceScaler(data_format="channels_first")
    moved = np.moveaxis(EVEN, -1, 1)
    np.testing.assert_allclose(
        first.fit_transform(moved), np.moveaxis(scaler.transform(EVEN), -1, 1)
    )
    np.testing.assert_allclose(first.inverse_transform(first.transform(moved)), moved)
    turned = first.fit_transform([x.T for x in LISTED])
    np.testing.assert_allclose(turned[3].T, SequenceScaler().fit_transform(LISTED)[3])


def test_signals_of_one_channel():
    rows = RNG.normal(40, 8, (30, 6))
    scaler = SequenceScaler().fit(rows)
    np.testing.assert_allclose([scaler.mean_, scaler.scale_], [[rows.mean()], [rows.std()]])
    assert scaler.n_features_in_ == 6
    signals = [row[: 2 + k % 4] for k, row in enumerate(rows)]
    scaled = SequenceScaler().fit_transform(signals)
    assert [x.shape for x in scaled] == [x.shape for x in signals]
    np.testing.assert_allclose(np.concatenate(scaled).std(), 1)
    np.testing.assert_array_equal(
        scaler.transform(rows[:, :, np.newaxis])[..., 0], scaler.transform(rows)
    )


def test_parameters():
    centred = SequenceScaler(with_std=False).fit_transform(LISTED)
    np.testing.assert_allclose(np.concatenate(centred), STEPS - STEPS.mean(axis=0))
    divided = SequenceScaler(with_mean=False).fit_transform(LISTED)
    np.testing.assert_allclose(np.concatenate(divided), STEPS / STEPS.std(axis=0))
    with pytest.raises(ValueError, match="The 'data_format' parameter of SequenceScaler"):
        SequenceScaler(data_format="first").fit(LISTED)


def test_partial_fit_equals_fit():
    scaler, whole = SequenceScaler(), SequenceScaler().fit(LISTED)
    for k in range(0, 50, 10):
        scaler.partial_fit(LISTED[k : k + 10])
    for name in ("mean_", "var_", "scale_", "n_steps_seen_"):
        np.testing.assert_allclose(getattr(scaler, name), getattr(whole, name))
    again = scaler.fit(LISTED[:10])
    np.testing.assert_allclose(again.mean_, np.concatenate(LISTED[:10]).mean(axis=0))


def test_constant_channels_types_and_large_offsets():
    X = np.dstack([np.full((9, 4), 0.1), 1e9 + RNG.random((9, 4))])
    scaler = SequenceScaler().fit(X)
    assert scaler.scale_[0] == 1
    scaled = scaler.transform(X)
    assert (scaled[..., 0] == 0).all()
    np.testing.assert_allclose(scaled[..., 1].std(), 1, rtol=1e-6)
    assert SequenceScaler().fit_transform(EVEN.astype(np.float32)).dtype == np.float32
    assert SequenceScaler().fit_transform(EVEN.astype(np.int16)).dtype == np.float64
    pixels = [RNG.integers(0, 256, (3 + k % 3, 1)).astype(np.uint8) for k in range(9)]
    np.testing.assert_allclose(np.concatenate(SequenceScaler().fit_transform(pixels)).std(), 1)


def test_input_is_not_changed():
    before = copy.deepcopy(LISTED)
    SequenceScaler().fit(LISTED).transform(LISTED)
    assert all(map(np.array_equal, before, LISTED))


def test_errors():
    with pytest.raises(NotFittedError):
        SequenceScaler().transform(LISTED)
    scaler = SequenceScaler().fit(LISTED)
    with pytest.raises(
        ValueError, match="X has sequences of 1 channels, but SequenceScaler was fitted with 2"
    ):
        scaler.transform([x[:, :1] for x in LISTED])
    with pytest.raises(ValueError, match=r"missing values \(NaN\): X\[0\] at step 1"):
        scaler.transform([np.array([[1.0, 1], [np.nan, 1], [1, 1]]), LISTED[0]])
    with pytest.raises(ValueError, match=r"X\[1\] has 1 channels, but X\[0\] has 2"):
        SequenceScaler().fit([LISTED[0], LISTED[1][:, :1]])
    with pytest.raises(ValueError, match="holds no sequences"):
        SequenceScaler().fit(np.zeros((0, 4, 2)))
    with pytest.raises(ValueError, match=r"X\[0\] has dtype <U1"):
        SequenceScaler().fit([np.array([["a"], ["b"]]), np.array([["a"]])])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_in_a_pipeline():
    """StandardScaler raises an error for the same list."""
    network = RNNClassifier(4, max_iter=3, random_state=0)
    with pytest.raises(ValueError, match=r"inhomogeneous|sequence"):
        make_pipeline(StandardScaler(), network).fit(LISTED, LABELS)
    pipe = make_pipeline(SequenceScaler(), network)
    wanted = clone(network).set_params(scale_inputs=False)
    wanted.fit(SequenceScaler().fit_transform(LISTED), LABELS)
    got = pipe.fit(LISTED, LABELS).predict_proba(LISTED)
    np.testing.assert_array_equal(got, wanted.predict_proba(SequenceScaler().fit_transform(LISTED)))
    grid = GridSearchCV(pipe, {"sequencescaler__with_mean": [True, False]}, cv=2)
    assert grid.fit(LISTED, LABELS).predict(LISTED).shape == (50,)
    twin = pickle.loads(pickle.dumps(pipe))
    np.testing.assert_array_equal(twin.predict_proba(LISTED), got)
    regressor = make_pipeline(SequenceScaler(), RNNRegressor(4, max_iter=3))
    assert regressor.fit(EVEN, EVEN[:, 0, 0]).predict(EVEN).shape == (30,)
