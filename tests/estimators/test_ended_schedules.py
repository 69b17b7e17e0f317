"""partial_fit after the last epoch that a schedule plans for: it begins again, and says so once."""

import math
import pickle
import re
import warnings

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
    RNNRegressor,
    TextGenerator,
    load,
)
from sklearn_nn.layers import Dense
from sklearn_nn.training import LambdaCallback
from sklearn_nn.training.schedules import ByStep, Cosine, OneCycle, Polynomial, StepDecay

rng = np.random.default_rng(0)
X = rng.standard_normal((40, 4))
Y = (X[:, 0] > 0).astype(int)
SMALL = {"hidden_layer_sizes": (3,), "random_state": 0}
ENDING = ["cosine", "polynomial", "flat_cos", "coslog4", "onecycle"]


class Ramp(ByStep):
    """A user's own schedule, planned to its end."""

    plans_the_end = True

    def _factor(self, step, per_epoch, total):
        return max(0.0, 1 - step / total)


def told(call, times=1):
    """In which of so many calls there was a warning; each is checked to name this file."""
    found = []
    for k in range(times):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            call()
        for warning in caught:
            assert warning.filename == __file__
            assert re.search("begins again|has reached 0", str(warning.message))
            found.append(k)
    return found


def feeder(model, first=True):
    """A call of partial_fit."""
    classes = {"classes": [0, 1]} if isinstance(model, MLPClassifier | CNNClassifier) else {}
    return lambda: model.partial_fit(X, Y, **classes)


@pytest.mark.parametrize("learning_rate", [*ENDING, Ramp(), Cosine(warmup=2, restarts=1)])
def test_ended_schedule_begins_again_with_one_warning(learning_rate):
    model = MLPClassifier(learning_rate=learning_rate, max_iter=6, batch_size=10, **SMALL)
    assert told(feeder(model), 6) == []
    before = model.coefs_[0].copy()
    assert told(feeder(model), 12) == [0]
    assert (model.coefs_[0] != before).any()
    rates = model.history_["learning_rate"]
    assert rates[:6] == rates[6:12] == rates[12:]
    assert max(rates) > 0.0005


@pytest.mark.parametrize("learning_rate", ENDING)
def test_restarted_schedule_equals_a_new_one(learning_rate):
    """With plain steps: the same weights as those of a new optimizer after the plan."""
    options = {"learning_rate": learning_rate, "max_iter": 4, "solver": "sgd", "momentum": 0.0}
    one = MLPRegressor(**options, shuffle=False, batch_size=10, **SMALL)
    other = MLPRegressor(**options, shuffle=False, batch_size=10, warm_start=True, **SMALL)
    assert told(lambda: one.partial_fit(X, Y), 8) == [4]
    other.fit(X, Y).fit(X, Y)
    np.testing.assert_array_equal(one.coefs_[0], other.coefs_[0])


@pytest.mark.parametrize(
    "learning_rate",
    [
        "constant", "invscaling", "adaptive", "step", "exponential", "inverse_time", "plateau",
        Cosine(end=0.1), Polynomial(end=0.01), OneCycle(final_div_factor=4.0), StepDecay(0.5, 1),
        lambda epoch: max(0.0, epoch - 5), lambda epoch: float(epoch % 3 == 0),
    ],
)  # fmt: skip
def test_nothing_is_said_where_it_goes_on(learning_rate):
    model = MLPClassifier(learning_rate=learning_rate, max_iter=4, solver="sgd", **SMALL)
    assert told(feeder(model), 14) == []
    before = model.coefs_[0].copy()
    assert told(feeder(model), 6) == []
    assert (model.coefs_[0] != before).any()


def test_function_that_has_come_to_zero():
    """In the tenth call without any: it might be a zero among others."""
    model = MLPClassifier(learning_rate=lambda epoch: max(0.0, 1 - epoch / 4), **SMALL)
    assert told(feeder(model), 20) == [13]


@pytest.mark.parametrize(
    "model",
    [
        MLPRegressor(hidden_layer_sizes=(3,)),
        NeuralNetworkRegressor([Dense(2)]),
        CNNClassifier(2, kernel_size=1, pool_size=1, hidden_layer_sizes=(), input_shape=(2, 2)),
        RNNRegressor(2, input_shape=(4, 1)),
    ],
)
def test_every_estimator(model):
    model.set_params(learning_rate="cosine", max_iter=3, random_state=0)
    assert told(feeder(model), 8) == [3]


def test_texts():
    model = TextGenerator(
        hidden_size=2, learning_rate="cosine", max_iter=3, sequence_length=5, random_state=0
    )
    assert told(lambda: model.partial_fit("abracadabra" * 3), 8) == [3]


@pytest.mark.parametrize("early", [2, 9])
def test_iterable_of_batches(early):
    """All batches in one call, or some before."""
    model = MLPClassifier(learning_rate="cosine", max_iter=6, **SMALL)
    found = told(lambda: model.partial_fit(iter([(X, Y)] * early), classes=[0, 1]), 2)
    assert found == ([] if early == 2 else [0])
    assert len(told(lambda: model.partial_fit(iter([(X, Y)] * 9)))) == (early == 2)


def test_copies_do_not_say_it_again(tmp_path):
    model = MLPClassifier(learning_rate="cosine", max_iter=3, **SMALL)
    assert told(feeder(model), 5) == [3]
    model.save(tmp_path / "model.npz")
    for copied in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")):
        assert told(feeder(copied), 3) == []
    assert told(feeder(clone(model)), 5) == [3]


@pytest.mark.parametrize("remedy", [{"max_iter": 30}, {"learning_rate": "constant"}])
def test_advice_of_the_warning_works_at_any_time(remedy):
    model = MLPClassifier(learning_rate="cosine", max_iter=3, **SMALL)
    assert told(feeder(model), 3) == []
    model.set_params(**remedy)
    assert told(feeder(model), 20) == []
    rates = model.history_["learning_rate"][3:]
    max_iter = model.max_iter if "max_iter" in remedy else np.inf
    wanted = [0.001 * (1 + math.cos(math.pi * k / max_iter)) / 2 for k in range(3, 23)]
    np.testing.assert_allclose(rates, wanted)


def test_a_copy_takes_the_schedule_of_its_parameters(tmp_path):
    """As the estimator itself does."""
    model = MLPClassifier(learning_rate="cosine", max_iter=9, **SMALL)
    feeder(model)()
    model.set_params(learning_rate="inverse_time")
    model.save(tmp_path / "model.npz")
    copies = [pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")]
    for one in (model, *copies):
        feeder(one)()
        np.testing.assert_array_equal(one.coefs_[0], model.coefs_[0])


@pytest.mark.parametrize("epochs", [3, 7])
def test_after_a_fit_a_plan_begins(epochs):
    """The calls are those of another training, which may take as many."""
    model = MLPClassifier(learning_rate="cosine", max_iter=epochs, batch_size=16, **SMALL)
    model.fit(X, Y)
    assert told(feeder(model), 2 * epochs + 1) == [epochs]
    rates = model.history_["learning_rate"]
    assert rates[:epochs] == rates[epochs : 2 * epochs] == rates[2 * epochs : 3 * epochs]


def test_after_a_fit_that_stopped_early_the_plan_goes_on():
    model = MLPClassifier(learning_rate="cosine", max_iter=8, **SMALL)
    model.set_params(
        callbacks=[LambdaCallback(on_epoch_end=lambda epoch, _log, _model: epoch >= 3)]
    )
    model.fit(X, Y)
    model.set_params(callbacks=None)
    assert told(feeder(model), 6) == [5]
    wanted = [0.001 * (1 + math.cos(math.pi * (k % 8) / 8)) / 2 for k in range(9)]
    np.testing.assert_allclose(model.history_["learning_rate"], wanted)


def test_fits_that_go_on_begin_again_or_are_planned_anew():
    cosine = {"learning_rate": "cosine", "max_iter": 4, **SMALL}
    model = MLPClassifier(warm_start=True, **cosine)
    wanted = [0.001 * (1 + math.cos(math.pi * epoch / 4)) / 2 for epoch in range(4)]
    for k in range(3):
        assert told(lambda: model.fit(X, Y)) == []
        np.testing.assert_allclose(model.history_["learning_rate"][4 * k :], wanted)
    resumed = MLPClassifier(warm_start="resume", **cosine).fit(X, Y)
    before = resumed.coefs_[0].copy()
    assert told(lambda: resumed.set_params(max_iter=8).fit(X, Y)) == []
    assert (resumed.coefs_[0] != before).any()


def test_calls_of_unequal_size_are_an_epoch_each():
    """A small batch is no further on than the large ones beside it."""
    model = MLPRegressor(learning_rate="cosine", max_iter=8, batch_size=8, **SMALL)
    sizes = [40, 8, 24, 8, 40, 16, 8, 40]
    for size in sizes:
        assert told(lambda size=size: model.partial_fit(X[:size], Y[:size])) == []
    wanted = [0.001 * (1 + math.cos(math.pi * k / 8)) / 2 for k in range(8)]
    np.testing.assert_allclose(model.history_["learning_rate"], wanted)
    assert told(lambda: model.partial_fit(X[:8], Y[:8]), 2) == [0]
