"""Targets of any scale: CNN, RNN and NeuralNetwork regressors learn them standardized."""

import copy
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import r2_score

from sklearn_nn import (
    CNNRegressor,
    FeatureExtractor,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNRegressor,
    load,
)
from sklearn_nn.inspection import occlusion_map, saliency_map
from sklearn_nn.layers import Dense, Flatten
from sklearn_nn.training.losses import Huber

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 8, 2))
RAGGED = [RNG.standard_normal((3 + k % 5, 2)) for k in range(60)]
ONE = X[:, :, 0].mean(axis=1) + 0.1 * RNG.standard_normal(60)
TWO = np.column_stack([ONE, X[:, :, 1].max(axis=1)])
STEPS = [np.cumsum(x[:, 0]) for x in RAGGED]
SCALES = [(1e4, 3e4), (1e-4, 0.0), (1e-4, 5.0), (3e8, -1e9)]
SMALL = {"max_iter": 8, "batch_size": 20, "random_state": 0}
MAKE = {
    "cnn": lambda **kw: CNNRegressor(4, hidden_layer_sizes=5, **SMALL | kw),
    "rnn": lambda **kw: RNNRegressor(5, cell="gru", **SMALL | kw),
    "network": lambda **kw: NeuralNetworkRegressor([Flatten(), Dense(5)], **SMALL | kw),
}
CASES = {
    **{
        f"{name}-{n}": (make, X, y)
        for name, make in MAKE.items()
        for n, y in (("1", ONE), ("2", TWO))
    },
    "ragged": (MAKE["rnn"], RAGGED, ONE),
    "steps": (lambda **kw: MAKE["rnn"](return_sequences=True, **kw), RAGGED, STEPS),
    "windows": (lambda **kw: MAKE["rnn"](return_sequences=True, truncation=3, **kw), RAGGED, STEPS),
}
every_case = pytest.mark.parametrize(("make", "samples", "y"), CASES.values(), ids=CASES)
every_kind = pytest.mark.parametrize("make", MAKE.values(), ids=MAKE)


def changed(y, a, b):
    return [a * one + b for one in y] if isinstance(y, list) else a * y + b


def flat(y):
    return np.concatenate(y) if isinstance(y, list) else np.asarray(y)


def assert_equal(got, wanted, a=1.0, b=0.0):
    """Predictions, in units of the targets before `changed`."""
    room = 1e-7 + 1e-13 * abs(b / a)
    np.testing.assert_allclose((flat(got) - b) / a, flat(wanted), rtol=0, atol=room)


@pytest.mark.parametrize(("a", "b"), SCALES)
@every_case
def test_predictions_do_not_depend_on_the_units(make, samples, y, a, b):
    model = make().fit(samples, y)
    other = make().fit(samples, changed(y, a, b))
    assert_equal(other.predict(samples), model.predict(samples), a, b)
    assert other.score(samples, changed(y, a, b)) == pytest.approx(
        model.score(samples, y), abs=1e-6
    )
    np.testing.assert_allclose(other.loss_curve_, model.loss_curve_, rtol=1e-5, atol=1e-9)


@pytest.mark.parametrize("loss", ["absolute_error", "log_cosh", "quantile", Huber(delta=0.5)])
@every_kind
def test_losses_are_those_of_scaled_targets(make, loss):
    model, other = (make(loss=loss).fit(X, y) for y in (ONE, 1e4 * ONE - 7))
    assert_equal(other.predict(X), model.predict(X), 1e4, -7)


@every_kind
def test_poisson_is_scaled_by_the_mean(make):
    counts = np.exp(ONE)
    model, other = (make(loss="poisson").fit(X, y) for y in (counts, 1e4 * counts))
    np.testing.assert_allclose(other.predict(X), 1e4 * model.predict(X), rtol=1e-6)


@pytest.mark.parametrize("options", [{"early_stopping": True}, {"solver": "lbfgs"}], ids=str)
@every_kind
def test_other_training(make, options):
    model, other = (make(**options).fit(X, y) for y in (ONE, 1e3 * ONE + 1e3))
    assert_equal(other.predict(X), model.predict(X), 1e3, 1e3)
    if model.validation_scores_ if "early_stopping" in options else False:
        np.testing.assert_allclose(other.validation_scores_, model.validation_scores_, atol=1e-6)


@every_kind
def test_validation_scores_are_those_of_predictions(make):
    y = 1e4 * TWO + 5e4
    model = make().fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    assert model.validation_scores_[-1] == pytest.approx(r2_score(y[40:], model.predict(X[40:])))
    scored = make(scoring="neg_mean_absolute_error").fit(X[:40], y[:40], X_val=X[40:], y_val=y[40:])
    wanted = -np.abs(y[40:] - scored.predict(X[40:])).mean()
    assert scored.validation_scores_[-1] == pytest.approx(wanted)


@every_case
def test_copies_and_files(make, samples, y, tmp_path):
    y = changed(y, 1e4, 3e4)
    model = make().fit(samples, y)
    model.save(tmp_path / "model.npz")
    wanted = flat(model.predict(samples))
    for twin in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model.npz"),
    ):
        np.testing.assert_array_equal(flat(twin.predict(samples)), wanted)
        twin.set_params(warm_start="resume", max_iter=11).fit(samples, y)
        whole = make(max_iter=11).fit(samples, y)
        np.testing.assert_array_equal(flat(twin.predict(samples)), flat(whole.predict(samples)))


@every_case
def test_partial_fit_keeps_the_scale_of_the_first_batch(make, samples, y, tmp_path):
    models = []
    for a, b in ((1.0, 0.0), (1e4, 3e4)):
        model, scales = make(), []
        for first in (0, 30):
            part = slice(first, first + 30)
            model.partial_fit(samples[part], changed(y[part], a, b))
            scales.append(model._codec.scale)
        np.testing.assert_array_equal(*scales)
        models.append(model)
    assert_equal(models[1].predict(samples), models[0].predict(samples), 1e4, 3e4)
    models[1].save(tmp_path / "model.npz")
    twin = load(tmp_path / "model.npz").partial_fit(samples, changed(y, 1e4, 3e4))
    models[1].partial_fit(samples, changed(y, 1e4, 3e4))
    np.testing.assert_array_equal(flat(twin.predict(samples)), flat(models[1].predict(samples)))


@every_kind
def test_batches_of_one_row_are_learnt(make):
    """The first row has no standard deviation; its size is used."""
    model, y = make(learning_rate_init=0.01, batch_size=1), 1e4 * ONE + 3e4
    for _ in range(3):
        for k in range(60):
            model.partial_fit(X[k : k + 1], y[k : k + 1])
    assert np.abs(model.predict(X) - y).mean() < 1.5e4


@every_kind
def test_constant_targets(make):
    for value in (0.0, 7.0, -1e6, 1e-9):
        predicted = make(max_iter=60, learning_rate_init=0.01).fit(X, np.full(60, value)).predict(X)
        assert np.abs(predicted - value).max() < 0.2 * (abs(value) or 1)
    two = make(max_iter=60, learning_rate_init=0.01).fit(
        X, np.column_stack([1e4 * ONE, np.full(60, 3.0)])
    )
    assert two.score(X, np.column_stack([1e4 * ONE, two.predict(X)[:, 1]])) > 0


@every_kind
def test_warm_start_keeps_the_scale(make):
    model = make(warm_start=True).fit(X, 1e4 * ONE)
    scale = model._codec.scale
    model.fit(X, 1e4 * ONE + 1e4)
    np.testing.assert_array_equal(model._codec.scale, scale)
    fresh = clone(model).fit(X, 1e-4 * ONE)
    assert fresh._codec.scale[1, 0] == pytest.approx(1e-4 * ONE.std())


def test_weights_count_in_the_scale(rng):
    weight = rng.integers(0, 3, 60)
    y = 1e3 * ONE
    weighted = NeuralNetworkRegressor([Flatten()], **SMALL).fit(X, y, sample_weight=weight)
    repeated = NeuralNetworkRegressor([Flatten()], **SMALL).fit(
        np.repeat(X, weight, axis=0), np.repeat(y, weight)
    )
    np.testing.assert_allclose(weighted._codec.scale, repeated._codec.scale, rtol=1e-12)
    of_steps = CASES["steps"][0]().fit(RAGGED, STEPS, sample_weight=weight)
    lengths = [len(x) for x in RAGGED]
    every = np.repeat(np.concatenate(STEPS), np.repeat(weight, lengths))
    np.testing.assert_allclose(of_steps._codec.scale[:, 0], [every.mean(), every.std()])


def test_targets_beyond_float32():
    y = 1e60 * ONE
    model = CNNRegressor(4, hidden_layer_sizes=5, **SMALL).fit(X.astype("float32"), y)
    assert np.isfinite(model.predict(X.astype("float32"))).all()
    near = NeuralNetworkRegressor([Flatten(), Dense(5)], dtype="float32", **SMALL)
    predicted = near.fit(X, 1e9 + ONE).predict(X)  # float32 has steps of 64 there
    assert np.unique(np.round(predicted, 3)).size > 30


# --- transfer -----------------------------------------------------------------------------------


@every_kind
def test_all_of_a_pretrained_network(make):
    """The output layer is copied for other units of targets: the function stays the same."""
    old = make().fit(X, 1e4 * ONE + 3e4)
    for y in (1e4 * ONE + 3e4, ONE, 1e-3 * ONE - 5):
        new = make().from_pretrained(old).initialize(X, y)
        np.testing.assert_allclose(new.predict(X), old.predict(X), rtol=1e-6)
        fitted = make().fit(X, y).from_pretrained(old)
        np.testing.assert_allclose(fitted.predict(X), old.predict(X), rtol=1e-6)
    same = make().from_pretrained(old).initialize(X, 1e4 * ONE + 3e4)
    np.testing.assert_array_equal(same.layers_["output"]["kernel"], old.layers_["output"]["kernel"])


def test_to_and_from_networks_that_do_not_scale():
    rows = X.reshape(60, -1)
    mlp = MLPRegressor(hidden_layer_sizes=5, **SMALL).fit(rows, 10 * ONE + 30)
    network = NeuralNetworkRegressor([("dense1", Dense(5, activation="relu"))], **SMALL)
    network.from_pretrained(mlp).initialize(rows, 10 * ONE + 30)
    np.testing.assert_allclose(network.predict(rows), mlp.predict(rows), rtol=1e-6)
    back = MLPRegressor(hidden_layer_sizes=5, **SMALL).from_pretrained(network)
    back.initialize(rows, ONE)
    np.testing.assert_allclose(back.predict(rows), mlp.predict(rows), rtol=1e-6)


def test_poisson_is_copied_in_other_units():
    options = {**SMALL, "loss": "poisson"}
    old = NeuralNetworkRegressor([Flatten(), Dense(5)], **options).fit(X, 50 * np.exp(ONE))
    new = NeuralNetworkRegressor([Flatten(), Dense(5)], **options).from_pretrained(old)
    new.initialize(X, np.exp(ONE))
    np.testing.assert_allclose(new.predict(X), old.predict(X), rtol=1e-6)


def test_pretrained_units_are_saved(tmp_path):
    make = MAKE["cnn"]
    old = make().fit(X, 1e4 * ONE)
    make().from_pretrained(old).fit(X, ONE).save(tmp_path / "model.npz")
    again = clone(load(tmp_path / "model.npz")).initialize(X, ONE)
    np.testing.assert_allclose(again.predict(X), old.predict(X), rtol=1e-6)


# --- readers of outputs -------------------------------------------------------------------------


def test_features_do_not_depend_on_the_units():
    one, other = (MAKE["cnn"]().fit(X, y) for y in (ONE, 1e4 * ONE))
    features = [FeatureExtractor(model).fit(X).transform(X) for model in (one, other)]
    np.testing.assert_allclose(*features, atol=1e-7)


def test_inspection_is_in_units_of_the_target():
    one, other = (MAKE["cnn"]().fit(X, y) for y in (ONE, 1e4 * ONE + 7))
    np.testing.assert_allclose(
        saliency_map(other, X), 1e4 * saliency_map(one, X), rtol=1e-4, atol=1e-3
    )
    covered = [occlusion_map(model, X, window=2) for model in (one, other)]
    np.testing.assert_allclose(covered[1], 1e4 * covered[0], rtol=1e-4, atol=1e-2)


def test_mlp_regressor_does_not_scale():
    rows = X.reshape(60, -1)
    model = MLPRegressor(hidden_layer_sizes=5, **SMALL).fit(rows, 1e4 + ONE)
    assert np.abs(model.predict(rows)).max() < 1e3


def test_learns_targets_of_any_size():
    for y in (1e4 * ONE + 3e4, 1e-4 * ONE):
        for make in MAKE.values():
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                model = make(max_iter=200, learning_rate_init=0.01).fit(X, y)
            assert model.score(X, y) > 0.8
