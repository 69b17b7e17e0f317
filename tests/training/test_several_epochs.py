"""Brief epochs that are trained at once: the same as one by one, to the last bit."""

import warnings

import numpy as np
import pytest

from helpers.interrupts import raising
from sklearn_nn import CNNClassifier, MLPClassifier, MLPRegressor, NeuralNetworkClassifier
from sklearn_nn.layers import BatchNorm, Dense, Mixup
from sklearn_nn.network.machine import Machine
from sklearn_nn.training import LambdaCallback
from sklearn_nn.training import trainer as module

pytestmark = pytest.mark.filterwarnings("ignore")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((70, 5))
CLASSES, NUMBERS, WEIGHTS = np.arange(70) % 3, X[:, 0] * 2 + 1, RNG.random(70)
SMALL = {"batch_size": 32, "random_state": 0, "max_iter": 25}
MLP = {"hidden_layer_sizes": 6, **SMALL}

#: Estimators, and whether they train several epochs at once.
CASES = {
    "adam": (MLPClassifier(**MLP), True),
    "no shuffle": (MLPClassifier(shuffle=False, **MLP), True),
    "one batch": (MLPClassifier(**{**MLP, "batch_size": 70}), True),
    "two threads": (MLPClassifier(n_jobs=2, **MLP), True),
    "sgd": (MLPClassifier(solver="sgd", alpha=0.1, max_norm=1.0, clipnorm=0.1, **MLP), True),
    "float32": (MLPClassifier(dtype="float32", dropout=0.3, batch_norm=True, **MLP), True),
    "decay": (MLPClassifier(solver="adamw", weight_decay=0.1, input_noise=0.1, **MLP), True),
    "converges": (MLPClassifier(**{**MLP, "tol": 0.02, "max_iter": 200}), True),
    "patient": (MLPClassifier(n_iter_no_change=np.inf, **MLP), True),
    "impatient": (MLPClassifier(n_iter_no_change=1, **MLP), False),
    "adaptive": (
        MLPClassifier(solver="sgd", learning_rate="adaptive", tol=0.02, n_iter_no_change=4,
                      **{**MLP, "max_iter": 80}), True,
    ),
    "regression": (MLPRegressor(loss="huber", **MLP), True),
    "images": (CNNClassifier((4,), input_shape=(5, 1), **SMALL), True),
    "mixed rows": (NeuralNetworkClassifier([Mixup(0.2), Dense(4), BatchNorm()], **SMALL), True),
    "restarts": (MLPClassifier(n_restarts=2, **MLP), True),
    "schedule": (MLPClassifier(learning_rate="cosine", **MLP), False),
    "plateau": (MLPClassifier(learning_rate="plateau", **MLP), False),
    "averaged": (MLPClassifier(ema_momentum=0.9, **MLP), False),
    "validated": (MLPClassifier(early_stopping=True, **MLP), False),
    "watched": (MLPClassifier(callbacks=[LambdaCallback()], **MLP), False),
}  # fmt: skip


def _clone(case):
    model = CASES[case][0]
    return type(model)(**model.get_params(deep=False))


def _left(model):
    """Return all that training leaves behind, without times."""
    curves = {name: curve for name, curve in model.history_.items() if name != "seconds"}
    draws = model._random_state.get_state()[1:4]
    numbers = model.n_iter_, model.t_, model.best_iteration_, model._no_improvement_count
    optimizer = model._optimizer
    rest = optimizer.step, optimizer.epochs, optimizer.base_rate, optimizer.learning_rate
    network = model._network
    arrays = network.theta, network.state, optimizer.moments, model._order, *draws[:1]
    return [*curves.values(), numbers, rest, draws[1:], *arrays]


def _check_equal(found, expected):
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture
def epochs(monkeypatch):
    """Return a list of the number of epochs of every call of the machine."""
    found, plain = [], Machine.train

    def train(self, *arguments, epochs=1, **named):
        found.append(epochs)
        return plain(self, *arguments, epochs=epochs, **named)

    monkeypatch.setattr(Machine, "train", train)
    return found


@pytest.mark.parametrize("weight", [None, WEIGHTS], ids=["plain", "weighted"])
@pytest.mark.parametrize("case", CASES)
def test_results_are_those_of_single_epochs(case, weight, epochs, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_AT_ONCE", 1e9)  # however busy the machine is
    y = NUMBERS if case == "regression" else CLASSES
    together = _clone(case).fit(X, y, weight)
    assert (max(epochs) > 1) == CASES[case][1]
    together.set_params(warm_start="resume", max_iter=together.n_iter_ + 7).fit(X, y, weight)
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    epochs.clear()
    single = _clone(case).fit(X, y, weight)
    single.set_params(warm_start="resume", max_iter=single.n_iter_ + 7).fit(X, y, weight)
    assert max(epochs) == 1
    _check_equal(_left(together), _left(single))


def test_long_epochs_are_trained_one_by_one(epochs, monkeypatch):
    monkeypatch.setattr(module, "_SECONDS_AT_ONCE", 0.0)
    MLPClassifier(**MLP).fit(X, CLASSES)
    assert max(epochs) == 1


@pytest.mark.parametrize("at", [2, 9, 24])
def test_divergence_is_that_of_single_epochs(at, epochs, monkeypatch):
    """Losses from some batch on are not finite; weights are those before that epoch."""
    monkeypatch.setattr(module, "_SECONDS_AT_ONCE", 1e9)
    plain = Machine.train

    def train(self, *arguments, **named):
        losses = plain(self, *arguments, **named)
        losses[max(0, 3 * at - self.step + losses.size) :] = np.nan
        return losses

    monkeypatch.setattr(Machine, "train", train)
    models = []
    for most in (32, 1):
        monkeypatch.setattr(module, "_MOST_AT_ONCE", most)
        models.append(MLPClassifier(**MLP))
        with pytest.raises(ValueError, match="diverged"):
            models[-1].fit(X, CLASSES)
        assert models[-1].n_iter_ == at + 1
    assert max(epochs) > 1
    _check_equal(*map(_left, models))


def test_an_interrupt_undoes_epochs_that_are_trained_at_once(epochs, monkeypatch):
    """They are trained again when the fit is resumed."""
    monkeypatch.setattr(module, "_SECONDS_AT_ONCE", 1e9)
    model = MLPClassifier(**MLP)
    with monkeypatch.context() as patch:
        patch.setattr(module.History, "record", _interrupted(module.History.record, 5))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            model.fit(X, CLASSES)
    assert "Training interrupted by user." in [str(w.message) for w in caught]
    one = MLPClassifier(**{**MLP, "max_iter": 1}).fit(X, CLASSES)
    assert model.n_iter_ == len(model.loss_curve_) == 1 < max(epochs)
    np.testing.assert_array_equal(model._network.theta, one._network.theta)
    np.testing.assert_array_equal(model._optimizer.moments, one._optimizer.moments)
    model.set_params(warm_start="resume").fit(X, CLASSES)
    assert model.n_iter_ == len(model.loss_curve_) == 25


def _interrupted(plain, call):
    """Return a method that raises KeyboardInterrupt in that call."""
    count = iter(range(call))
    interrupt = raising(KeyboardInterrupt)

    def method(*arguments):
        return interrupt() if next(count, None) is None else plain(*arguments)

    return method
