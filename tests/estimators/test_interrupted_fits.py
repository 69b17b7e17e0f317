"""A fit that is interrupted, at whatever instant: what is kept fits together, and is resumed."""

import itertools
import warnings

import numpy as np
import pytest

from helpers.interrupts import At, raising
from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNClassifier,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
)
from sklearn_nn.estimators._core import fit as _training
from sklearn_nn.estimators._core import queue
from sklearn_nn.estimators._targets.codec import LabelCodec
from sklearn_nn.layers import Dense
from sklearn_nn.training import trainer as module
from sklearn_nn.training.history import History

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((60, 4))
CLASSES, NUMBERS = (ROWS[:, 0] > 0).astype(int), ROWS[:, 1]
IMAGES, SIGNALS = RNG.random((60, 8, 8, 1)), RNG.standard_normal((60, 5, 2))
TEXT = "abcab cabca " * 20
EPOCHS = 3
COMMON = {"max_iter": EPOCHS, "random_state": 0}
SMALL = {**COMMON, "batch_size": 30}
TABLE = {**SMALL, "hidden_layer_sizes": (4,), "n_networks": 1}

FITS = {
    "MLPClassifier": (MLPClassifier(4, **SMALL), ROWS, CLASSES),
    "two threads": (MLPRegressor(hidden_layer_sizes=4, n_jobs=2, **SMALL), ROWS, NUMBERS),
    "early stopping": (MLPClassifier(4, early_stopping=True, **SMALL), ROWS, CLASSES),
    "averaged": (MLPClassifier(4, ema_momentum=0.5, **SMALL), ROWS, CLASSES),
    "CNNClassifier": (CNNClassifier(filters=(2,), **SMALL), IMAGES, CLASSES),
    "RNNClassifier": (RNNClassifier(3, **SMALL), SIGNALS, CLASSES),
    "NeuralNetworkRegressor": (NeuralNetworkRegressor([Dense(2)], **SMALL), ROWS, NUMBERS),
    "TabularClassifier": (TabularClassifier(**TABLE), ROWS, CLASSES),
    "networks": (TabularRegressor(**{**TABLE, "n_networks": 2}), ROWS, NUMBERS),
    "networks at once": (
        TabularRegressor(**{**TABLE, "n_networks": 3, "n_jobs": 2}), ROWS, NUMBERS,
    ),
    "TextGenerator": (TextGenerator(4, sequence_length=8, **COMMON), TEXT, None),
}  # fmt: skip
SEVERAL = [name for name in FITS if name.startswith("networks")]


@pytest.fixture(autouse=True)
def _quiet(monkeypatch):
    monkeypatch.setattr(queue, "_LEAST_EPOCH", 0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def new(name):
    """An estimator of the table, and what its fit takes."""
    model, *data = FITS[name]
    return type(model)(**model.get_params(deep=False)), [d for d in data if d is not None]


def check_whole(model):
    """As many epochs are counted as there are figures of; weights are finite."""
    if hasattr(model, "history_"):
        assert {len(curve) for curve in model.history_.values()} <= {model.n_iter_}
        assert np.isfinite(model._network.theta).all()


def instants(file, stride):
    """Every so many lines of a file, until there are no more."""
    for k in itertools.count(1, stride):
        at = At(file, k)
        yield at
        if at.left > 0:
            return


@pytest.mark.parametrize("name", FITS)
@pytest.mark.parametrize("file", [module.__file__, _training.__file__, queue.__file__])
def test_interrupt_at_any_line(name, file):
    """It is resumed, to the same number of epochs."""
    count, stride = 0, 23 if name in ("MLPClassifier", "early stopping") else 97
    for at in instants(file, 5 if file == queue.__file__ else stride):
        model, data = new(name)
        try:
            with at:
                model.fit(*data)
        except KeyboardInterrupt:
            pass
        check_whole(model)
        count += 1
        if not (name in SEVERAL and "_all_trained" in vars(model)):
            model.set_params(warm_start="resume").fit(*data)
            check_whole(model)
        assert model.n_iter_ == EPOCHS or name in SEVERAL
    assert count > 1


@pytest.mark.parametrize("name", [name for name in FITS if name not in SEVERAL])
def test_epochs_are_recorded_as_a_whole(name, monkeypatch):
    """An interrupt between counting an epoch and taking it down."""
    plain, calls = History.record, []

    def record(history, log, *arguments):
        calls.append(1)
        if len(calls) == 2:
            history.curves["loss"].append(log["loss"])
            raise KeyboardInterrupt
        plain(history, log, *arguments)

    monkeypatch.setattr(History, "record", record)
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    model, data = new(name)
    model.fit(*data)
    assert model.n_iter_ == len(model.loss_curve_) == 2
    check_whole(model)


def test_an_interrupted_validation_leaves_its_figures_out(monkeypatch):
    model, data = new("early stopping")
    monkeypatch.setattr(LabelCodec, "score", raising(KeyboardInterrupt))
    model.fit(*data)
    assert model.n_iter_ == len(model.loss_curve_) == 1
    assert np.isnan(model.validation_scores_).tolist() == [True]
    monkeypatch.undo()
    model.set_params(warm_start="resume").fit(*data)
    assert model.n_iter_ == EPOCHS
    assert np.isfinite(model.validation_scores_[1:]).all()


def test_restarts_before_the_one_that_is_interrupted_are_kept(monkeypatch):
    """Also where it has not begun yet."""
    first = MLPClassifier(4, **SMALL).fit(ROWS, CLASSES)
    model = MLPClassifier(4, n_restarts=3, **SMALL)
    plain, calls = model._fit_kind.ready, []

    def ready(self):
        calls.append(1)
        found = plain(self)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return found

    monkeypatch.setattr(model._fit_kind, "ready", ready)
    with pytest.raises(KeyboardInterrupt):
        model.fit(ROWS, CLASSES)
    np.testing.assert_array_equal(model._network.theta, first._network.theta)
    assert model.loss_curve_ == first.loss_curve_


def test_networks_before_the_one_that_is_interrupted_are_kept(monkeypatch):
    """Where a further one cannot begin, it is not taken for one that is trained."""
    straight, data = new("networks")
    straight.set_params(refit_full=True).fit(*data)
    for k in range(2, 5):
        (model, data), calls = new("networks"), []
        plain = model._fit_kind.ready

        def ready(self, plain=plain, calls=calls, k=k):
            calls.append(1)
            found = plain(self)
            if len(calls) == k:
                raise KeyboardInterrupt
            return found

        with monkeypatch.context() as patch:
            patch.setattr(model._fit_kind, "ready", ready)
            with pytest.raises(KeyboardInterrupt):
                model.set_params(refit_full=True).fit(*data)
        assert np.isfinite(model.predict(ROWS)).all()
        model.set_params(warm_start="resume").fit(*data)
        np.testing.assert_array_equal(model.predict(ROWS), straight.predict(ROWS))
