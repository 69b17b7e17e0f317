"""Layers of tables in estimators: set by data before training, saved, resumed, of members."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import log_loss

from helpers.estimators.all_estimators import activations
from helpers.learning import learning, median
from sklearn_nn import NeuralNetworkClassifier, NeuralNetworkRegressor, load, load_checkpoint
from sklearn_nn.estimators._core.fit import Fit
from sklearn_nn.layers import (
    Activation,
    CategoryEmbedding,
    Dropout,
    MemberHeads,
    MemberLinear,
    NTPLinear,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    ScaleFeatures,
)
from sklearn_nn.training import ModelCheckpoint
from sklearn_nn.training.schedules import FlatCos

RNG = np.random.default_rng(0)
#: Three numbers and two categories.
X = np.column_stack(
    [RNG.standard_normal((240, 3)), RNG.integers(0, 5, 240), RNG.integers(-1, 3, 240)]
)
NUMBERS = np.sin(2 * X[:, 0]) + (X[:, 3] == 2) + 0.1 * RNG.standard_normal(240)
CLASSES = np.digitize(NUMBERS, [-0.3, 0.6])


def realmlp(*embeddings):
    return [
        *embeddings,
        CategoryEmbedding((5, 3)),
        ScaleFeatures(),
        NTPLinear(24),
        ParametricActivation("mish"),
        Dropout(0.15, "flat_cos"),
        NTPLinear(24),
        ParametricActivation("selu"),
    ]


PERIODIC = realmlp(PeriodicEmbedding(features=3))
BINS = tuple(tuple(np.quantile(X[:, f], np.linspace(0, 1, 9))) for f in range(3))
PIECEWISE = realmlp(PiecewiseLinearEmbedding(BINS))
both = pytest.mark.parametrize("layers", [PERIODIC, PIECEWISE], ids=["periodic", "piecewise"])


def make(layers=PERIODIC, Estimator=NeuralNetworkRegressor, **parameters):
    options = {
        "learning_rate_init": 0.02, "learning_rate": "coslog4", "max_iter": 12, "batch_size": 32,
        "random_state": 3, "weight_decay": 0.02, "solver": "adamw", "beta_2": 0.95,
    }  # fmt: skip
    return Estimator(layers, **{**options, **parameters})


def deviations(model):
    """Standard deviations of what the layers make of the data."""
    return [activations(model, X, name).std(axis=0) for name in ("ntplinear1", "ntplinear2")]


@both
def test_weights_are_set_by_the_data(layers):
    model = make(layers).initialize(X, NUMBERS)
    for found in deviations(model):
        np.testing.assert_allclose(found, 1, rtol=1e-9)
    other = make(layers, n_jobs=2).initialize(X, NUMBERS)
    np.testing.assert_array_equal(other._network.theta, model._network.theta)
    assert (
        make(layers, random_state=4).initialize(X, NUMBERS)._network.theta != model._network.theta
    ).any()


@learning
@both
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_learns_the_same_with_any_number_of_threads(layers, dtype):
    def score(seed):
        model = make(layers, max_iter=60, dtype=dtype, random_state=seed)
        return model.fit(X, NUMBERS).score(X, NUMBERS)

    assert median(score) > 0.85
    short = [make(layers, n_jobs=jobs, dtype=dtype).fit(X, NUMBERS) for jobs in (1, 3)]
    np.testing.assert_array_equal(short[0]._network.theta, short[1]._network.theta)


@both
def test_saved_and_resumed(layers, tmp_path):
    """Training that is taken up again goes on with the rates it would have had."""
    model = make(layers, callbacks=[ModelCheckpoint(tmp_path / "{epoch:02d}.npz")])
    model.fit(X, NUMBERS)
    for epoch in (1, 8):
        resumed = load_checkpoint(tmp_path / f"{epoch:02d}.npz").fit(X, NUMBERS)
        np.testing.assert_array_equal(resumed._network.theta, model._network.theta)
    model.set_params(callbacks=None).save(tmp_path / "model.npz")
    for copied in (load(tmp_path / "model.npz"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(copied.predict(X), model.predict(X))
        assert copied.layers_.keys() == model.layers_.keys()


def test_decay_of_an_estimator_may_have_a_schedule():
    """What `Fit.decay_schedule` returns is the optimizer's, also where training goes on."""

    class FallingFit(Fit):
        def decay_schedule(self):
            return FlatCos()

    class Falling(NeuralNetworkRegressor):
        _fit_kind = FallingFit

    options = {"weight_decay": 0.5, "learning_rate": "constant", "warm_start": True, "max_iter": 8}
    plain, falling = (
        make(PERIODIC, kind, **options).fit(X, NUMBERS)
        for kind in (NeuralNetworkRegressor, Falling)
    )
    assert falling._optimizer.decay_schedule == FlatCos()
    assert plain._optimizer.decay_schedule is None
    norms = [np.linalg.norm(m.layers_["ntplinear2"]["kernel"]) for m in (plain, falling)]
    assert norms[1] > 1.02 * norms[0]
    falling.fit(X, NUMBERS)
    assert falling._optimizer.decay_schedule == FlatCos()


def test_copied_layers_are_left_as_they_are():
    taught = make().fit(X, NUMBERS)
    model = make(random_state=9).from_pretrained(taught, layers=["ntplinear1"])
    model.initialize(X, NUMBERS)
    for name, array in taught.layers_["ntplinear1"].items():
        np.testing.assert_array_equal(model.layers_["ntplinear1"][name], array)
    np.testing.assert_allclose(deviations(model)[1], 1, rtol=1e-9)


def test_partial_fit_sets_weights_by_its_first_batch_only():
    model = make().partial_fit(X[:100], NUMBERS[:100])
    first = model._network.theta.copy()
    model.partial_fit(X[100:], NUMBERS[100:])
    assert 0 < np.abs(model._network.theta - first).max() < 0.5


class Members(NeuralNetworkClassifier):
    """A network whose last layer has outputs for each member."""

    def _layers(self, reader, n_outputs):
        layers = super()._layers(reader, n_outputs)
        return [*layers[:-2], ("output", MemberHeads(n_outputs))]


TABM = [MemberLinear(16, 8), Activation("relu"), Dropout(0.1), MemberLinear(16), Activation("relu")]


@learning
@pytest.mark.parametrize("labels", [CLASSES, CLASSES > 0], ids=["three", "two"])
def test_members_learn(labels):
    def score(seed):
        model = make(TABM, Members, max_iter=40, learning_rate="constant", random_state=seed)
        return model.fit(X, labels).score(X, labels)

    assert median(score) > 0.75


@pytest.mark.parametrize("labels", [CLASSES, CLASSES > 0], ids=["three", "two"])
@pytest.mark.parametrize("weighted", [False, True])
def test_members_in_an_estimator(labels, weighted):
    """Loss, validation and probabilities are those of the mean over members."""
    weight = RNG.uniform(0.5, 2, 240) if weighted else None
    options = {"early_stopping": "best", "learning_rate": "constant"}
    model = make(TABM, Members, max_iter=15, **options)
    model.fit(X, labels, weight, X_val=X, y_val=labels, sample_weight_val=weight)
    p = model.predict_proba(X)
    assert p.shape == (240, len(np.unique(labels)))
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    # The mean of losses is at least the loss of the mean (Jensen), and not far from it.
    found = model.validation_loss_curve_[model.best_iteration_ - 1]
    mean = log_loss(labels, p, sample_weight=weight)
    assert mean <= found < mean + 0.5
    again = clone(model).set_params(n_jobs=2)
    again.fit(X, labels, weight, X_val=X, y_val=labels, sample_weight_val=weight)
    np.testing.assert_array_equal(again._network.theta, model._network.theta)
