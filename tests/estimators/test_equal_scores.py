"""Early stopping where all scores are equal: the validation loss says which epoch is best."""

import numpy as np
import pytest
import sklearn.neural_network
from sklearn.base import clone

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
from sklearn_nn.layers import Activation, Dense
from sklearn_nn.training.history import History

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 4))
CONSTANT = np.full(40, 7.0)
LABELS = (X[:, 0] > 0).astype(int)
FIT = {"random_state": 0, "max_iter": 12, "learning_rate_init": 0.01}
LAYERS = [Dense(4), Activation("relu")]
IMAGES = {"kernel_size": 1, "pool_size": 1, "hidden_layer_sizes": (), "input_shape": (2, 2)}
REGRESSORS = [
    NeuralNetworkRegressor(LAYERS, **FIT),
    CNNRegressor(4, **IMAGES, **FIT),
    RNNRegressor(4, input_shape=(4, 1), **FIT),
]
CLASSIFIERS = [
    NeuralNetworkClassifier(LAYERS, **FIT),
    CNNClassifier(4, **IMAGES, **FIT),
    RNNClassifier(4, input_shape=(4, 1), **FIT),
]
MLPS = [
    MLPRegressor(hidden_layer_sizes=(4,), **FIT),
    MLPClassifier(hidden_layer_sizes=(4,), **FIT),
]
TABLES = [
    TabularRegressor(n_networks=1, batch_size=16, **FIT),
    TabularClassifier(n_networks=1, batch_size=16, **FIT),
]


def constant_score(estimator, X, y, sample_weight=None):
    return 0.5


def undefined_score(estimator, X, y, sample_weight=None):
    return np.nan


def assert_loss_decides(model):
    """The weights are those of the smallest validation loss, which was not that of epoch one."""
    losses = model.history_["val_loss"]
    assert len({score for score in model.validation_scores_ if not np.isnan(score)}) <= 1
    assert model.best_iteration_ == 1 + np.argmin(losses) > 2
    np.testing.assert_equal(model.best_validation_score_, model.validation_scores_[0])


@pytest.mark.parametrize("early_stopping", [True, "best"])
@pytest.mark.parametrize("model", REGRESSORS)
def test_constant_target(model, early_stopping):
    """R^2 is 0 however near the prediction is; training goes on while the loss falls."""
    options = {"early_stopping": early_stopping, "n_iter_no_change": 2}
    model = clone(model).set_params(**options, validation_fraction=0.25).fit(X, CONSTANT)
    assert set(model.validation_scores_) == {0.0}
    assert_loss_decides(model)
    assert len(model.loss_curve_) == 12


@pytest.mark.parametrize("early_stopping", [True, "best"])
@pytest.mark.parametrize("scoring", [constant_score, undefined_score])
@pytest.mark.parametrize("model", [*REGRESSORS, *CLASSIFIERS, *MLPS, *TABLES])
def test_scores_that_do_not_tell(model, scoring, early_stopping):
    y = LABELS if "Classifier" in type(model).__name__ else X[:, 0]
    options = {"early_stopping": early_stopping, "n_iter_no_change": 3, "tol": 0.0}
    model = clone(model).set_params(**options, scoring=scoring)
    model.fit(X, y, X_val=X[:20], y_val=y[:20])
    assert_loss_decides(model)


@pytest.mark.parametrize("model", CLASSIFIERS)
def test_perfect_from_the_first_epoch_on(model):
    """Classes that lie far apart, and weights that tell them apart before scores are taken."""
    far = X + np.where(LABELS, 3, -3)[:, np.newaxis]
    model = clone(model).set_params(max_iter=40).fit(far, LABELS)
    model.set_params(early_stopping=True, n_iter_no_change=2)
    for _ in range(6):
        model.partial_fit(far, LABELS, X_val=far[:20], y_val=LABELS[:20])
    scores, losses = (model.history_[name][40:] for name in ("val_score", "val_loss"))
    assert set(scores) == {1.0}
    assert model.best_iteration_ == 41 + np.argmin(losses) > 42


def test_no_more_patience_than_with_the_loss():
    """Training ends where the loss does not improve by tol."""
    model = NeuralNetworkRegressor(
        LAYERS, early_stopping=True, n_iter_no_change=3, tol=1e3, max_iter=50, random_state=0
    )
    model.fit(X, CONSTANT)
    assert len(model.loss_curve_) == 5
    assert_loss_decides(model)


def test_partial_fit_with_a_validation_set():
    model = NeuralNetworkRegressor(LAYERS, early_stopping=True, n_iter_no_change=2, random_state=0)
    for _ in range(6):
        model.partial_fit(X, CONSTANT, X_val=X[:10], y_val=CONSTANT[:10])
    assert_loss_decides(model)
    assert not model._history.stopped


def test_mlps_do_as_scikit_learns():
    """Where it can do the same; with what it has not, the loss decides."""
    options = {"hidden_layer_sizes": (4,), "early_stopping": True, "n_iter_no_change": 4, **FIT}
    ours = MLPRegressor(**options).fit(X, CONSTANT)
    theirs = sklearn.neural_network.MLPRegressor(**options).fit(X, CONSTANT)
    assert ours.best_iteration_ == 1
    assert ours.n_iter_ == theirs.n_iter_
    for own, other in zip(ours.coefs_, theirs.coefs_, strict=True):
        np.testing.assert_allclose(own, other, rtol=1e-9)
    assert_loss_decides(ours.set_params(early_stopping="best").fit(X, CONSTANT))


def test_smallest_loss_decides_between_restarts_with_equal_scores():
    for seed in range(3):
        model = NeuralNetworkRegressor(
            LAYERS, early_stopping="best", max_iter=5, n_restarts=4, random_state=seed
        ).set_params(scoring=constant_score)
        losses, fitted = [], model.fit(X, X[:, 0], X_val=X[:20], y_val=X[:20, 0])
        kept = fitted.history_["val_loss"][fitted.best_iteration_ - 1]
        generator = np.random.RandomState(seed)
        for _ in range(4):
            one = NeuralNetworkRegressor(
                LAYERS, early_stopping="best", max_iter=5, random_state=generator
            ).set_params(scoring=constant_score)
            one.fit(X, X[:, 0], X_val=X[:20], y_val=X[:20, 0])
            losses.append(min(one.history_["val_loss"]))
        assert kept == min(losses)


def recorded(scores, losses, **options):
    """A history of such validation figures; weights are the number of the epoch."""
    history = History(validated=True, **{"loss_decides": True} | options)
    for k, (score, loss) in enumerate(zip(scores, losses, strict=True), start=1):
        weights = np.full(1, float(k)), np.zeros(0)
        history.record({"loss": 1.0, "val_loss": loss, "val_score": score}, weights, tol=0.1)
        assert history.best_theta is None or history.best_theta[0] == history.best_epoch
    return history


@pytest.mark.parametrize("takes_last", [False, True])
def test_loss_decides_until_a_score_does(takes_last):
    equal = recorded([0.5] * 4, [3.0, 1.0, 2.0, 0.95], takes_last=takes_last)
    assert (equal.best_epoch, equal.best_score, equal.no_improvement) == (4, 0.5, 2)
    better = recorded([0.5, 0.5, 0.9, 0.5], [3.0, 1.0, 9.0, 0.5], takes_last=takes_last)
    assert (better.best_epoch, better.best_score, better.no_improvement) == (3, 0.9, 1)
    worse = recorded([0.5, 0.5, 0.4], [3.0, 1.0, 0.5], takes_last=takes_last)
    assert (worse.best_epoch, worse.best_score, worse.no_improvement) == (2, 0.5, 1)
    undefined = recorded([np.nan, np.nan, 0.1, np.nan], [3.0, 4.0, 9.0, 1.0], takes_last=takes_last)
    assert (undefined.best_epoch, undefined.best_score) == (3, 0.1)
    never = recorded([np.nan] * 3, [3.0, 1.0, 2.0], takes_last=takes_last)
    assert (never.best_epoch, never.no_improvement) == (2, 1)


def test_first_of_equal_scores_where_loss_does_not_decide():
    history = recorded([0.5] * 3, [3.0, 2.0, 1.0], loss_decides=False)
    assert (history.best_epoch, history.no_improvement) == (1, 2)
    history = recorded([np.nan, np.nan], [3.0, 2.0], loss_decides=False)
    assert (history.best_epoch, history.best_score, history.no_improvement) == (0, -np.inf, 0)
