"""Networks of a fit that threads train at once: the fit is that of training one by one."""

import itertools
import threading
import time
import warnings

import numpy as np
import pytest
from sklearn import config_context, get_config
from sklearn.exceptions import ConvergenceWarning

from helpers.interrupts import interrupt_when, sends_signals
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
from sklearn_nn.estimators._core import queue
from sklearn_nn.estimators._core.descent import Descent
from sklearn_nn.jit import team
from sklearn_nn.layers import Dense, Dropout, NTPLinear
from sklearn_nn.network.initializers import Initializer
from sklearn_nn.training import Callback

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 90
ROWS = RNG.standard_normal((N, 4))
NUMBERS = ROWS[:, 0] - ROWS[:, 1] ** 2 + 0.3 * RNG.standard_normal(N)
CLASSES = np.digitize(NUMBERS, [-1.0, 0.2])
IMAGES = RNG.random((N, 6, 6, 1))
#: Sequences of unequal length, whose batches are drawn in another way.
SIGNALS = [RNG.standard_normal((n, 2)) for n in RNG.integers(3, 9, N)]
COMMON = {"max_iter": 4, "batch_size": 16, "random_state": 3}
AGAIN = {**COMMON, "n_restarts": 5}
TABLE = {**COMMON, "hidden_layer_sizes": (8,), "n_networks": 5}
LAYERS = [Dense(6), Dropout(0.2), Dense(5, activation="relu")]

FITS = {
    "MLPClassifier": (MLPClassifier(8, **AGAIN), ROWS, CLASSES),
    "MLPRegressor": (MLPRegressor(hidden_layer_sizes=8, **AGAIN), ROWS, NUMBERS),
    "best": (MLPClassifier(8, early_stopping="best", **AGAIN), ROWS, CLASSES),
    "schedule": (MLPClassifier(8, learning_rate="onecycle", **AGAIN), ROWS, CLASSES),
    "in order": (MLPClassifier(8, shuffle=False, early_stopping=True, **AGAIN), ROWS, CLASSES),
    "scoring": (
        MLPClassifier(8, early_stopping="best", scoring="f1_macro", **AGAIN), ROWS, CLASSES,
    ),
    "lbfgs": (MLPRegressor(hidden_layer_sizes=8, solver="lbfgs", **AGAIN), ROWS, NUMBERS),
    "CNNClassifier": (CNNClassifier(filters=(4,), batch_norm=True, **AGAIN), IMAGES, CLASSES),
    "CNNRegressor": (CNNRegressor(filters=(4,), **AGAIN), IMAGES, NUMBERS),
    "RNNClassifier": (RNNClassifier(4, **AGAIN), SIGNALS, CLASSES),
    "RNNRegressor": (RNNRegressor(4, dropout=0.2, **AGAIN), SIGNALS, NUMBERS),
    "NeuralNetworkClassifier": (NeuralNetworkClassifier(LAYERS, **AGAIN), ROWS, CLASSES),
    "NeuralNetworkRegressor": (NeuralNetworkRegressor(LAYERS, **AGAIN), ROWS, NUMBERS),
    "TabularClassifier": (TabularClassifier(**TABLE), ROWS, CLASSES),
    "TabularRegressor": (TabularRegressor(**TABLE), ROWS, NUMBERS),
    "without validation": (TabularClassifier(early_stopping=False, **TABLE), ROWS, CLASSES),
    "tabm": (TabularRegressor(architecture="tabm", **{**TABLE, "n_networks": 3}), ROWS, NUMBERS),
}  # fmt: skip


@pytest.fixture(autouse=True)
def _many_cores(monkeypatch):
    """There are cores enough for several threads, and no network is too small."""
    monkeypatch.setattr(team, "available_cores", lambda: 8)
    monkeypatch.setattr(queue, "_LEAST_EPOCH", 0)


@pytest.fixture
def crews(monkeypatch):
    """Return the list of crews, which grows."""
    found, plain = [], queue._Crew.__init__

    def begin(self, *arguments):
        plain(self, *arguments)
        if self.size > 1:
            found.append(self)

    monkeypatch.setattr(queue._Crew, "__init__", begin)
    return found


def fitted(name, **parameters):
    model, X, y = FITS[name]
    model = type(model)(**{**model.get_params(deep=False), **parameters})
    return model.fit(X, y)


def without_times(history):
    return {name: curve for name, curve in history.items() if name != "seconds"}


def assert_same_fit(a, b):
    """All that a fit leaves is the same to the last bit, and so are later random numbers."""
    for network, other in zip(
        [*getattr(a, "_earlier", []), a._network], [*getattr(b, "_earlier", []), b._network],
        strict=True,
    ):  # fmt: skip
        np.testing.assert_array_equal(network.theta, other.theta)
        np.testing.assert_array_equal(network.state, other.state)
    assert sorted(set(vars(a)) ^ set(vars(b))) == []
    for name in ("history_", "histories_"):
        found = [getattr(model, name, {}) for model in (a, b)]
        of_all = [[h] if isinstance(h, dict) else h for h in found]
        assert [without_times(h) for h in of_all[0]] == [without_times(h) for h in of_all[1]]
    for name in ("n_iter_", "loss_", "best_iteration_", "t_", "_temperatures", "_seed"):
        assert getattr(a, name, None) == getattr(b, name, None)
    np.testing.assert_array_equal(getattr(a, "_order", ()), getattr(b, "_order", ()))
    assert a._random_state.randint(10**6) == b._random_state.randint(10**6)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", FITS)
def test_the_fit_is_the_same(name, dtype, crews):
    one_by_one = fitted(name, dtype=dtype)
    assert not crews
    for n_jobs in (2, 3):
        at_once = fitted(name, dtype=dtype, n_jobs=n_jobs)
        assert at_once.n_jobs == n_jobs
        assert_same_fit(at_once, one_by_one)
        one_by_one = fitted(name, dtype=dtype) if n_jobs == 2 else one_by_one
    assert [crew.size for crew in crews] == [2, 3]
    assert all(crew.n_concluded == crew.times for crew in crews)


@pytest.mark.parametrize("name", ["MLPClassifier", "TabularRegressor"])
def test_a_generator_moves_on_as_far(name):
    generators = [np.random.RandomState(5) for _ in range(2)]
    for generator, n_jobs in zip(generators, (None, 4), strict=True):
        for _ in range(2):
            model = fitted(name, random_state=generator, n_jobs=n_jobs)
        model.set_params(warm_start="resume")
    one, other = (generator.get_state(legacy=False)["state"] for generator in generators)
    np.testing.assert_array_equal(one["key"], other["key"])
    assert one["pos"] == other["pos"]


@pytest.mark.parametrize("waits", [True, False])
def test_networks_that_converge_sooner(waits, crews, monkeypatch):
    """What has begun after them is discarded: the random numbers are others."""
    data, plain = {"max_iter": 40, "tol": 0.02, "n_iter_no_change": 2}, Descent.run
    one_by_one = fitted("MLPClassifier", **data)

    def run(self):
        while waits and crews[0].n_begun < 2:
            time.sleep(0.001)
        plain(self)

    monkeypatch.setattr(Descent, "run", run)
    at_once = fitted("MLPClassifier", **data, n_jobs=2)
    assert one_by_one.n_iter_ < 40
    assert crews[0]._has_departed or not waits
    assert_same_fit(at_once, one_by_one)


def test_data_dependent_initial_weights(crews):
    layers = [NTPLinear(6), Dropout(0.2)]
    one, other = (fitted("NeuralNetworkClassifier", layers=layers, n_jobs=n) for n in (1, 2))
    assert crews
    assert_same_fit(other, one)


class Wild(Initializer):
    """Weights of which some are far too large."""

    def __call__(self, rng, shape, fan_in, fan_out):
        wild = rng.uniform() < 0.05
        return rng.uniform(-0.5, 0.5, shape) * (1e200 if wild else 1)


def test_networks_that_diverge():
    """A network that diverges ends sooner, and is left out."""
    n_diverged = []
    for seed in range(6):
        options = {"weight_init": Wild(), "random_state": seed, "solver": "sgd"}
        found = []
        for n_jobs in (None, 3):
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                found.append(fitted("MLPRegressor", n_jobs=n_jobs, **options))
            texts = [str(w.message) for w in told if "diverged and were left" in str(w.message)]
            n_diverged.append(texts)
        assert n_diverged[-1] == n_diverged[-2]
        assert_same_fit(*found)
    assert any(n_diverged)
    assert not all(n_diverged)


def test_a_network_of_a_table_that_diverges():
    options = {"learning_rate_init": 1e30, "learning_rate": "constant"}
    told = []
    for n_jobs in (None, 3):
        with pytest.raises(ValueError, match="diverged") as caught:
            fitted("TabularRegressor", n_jobs=n_jobs, **options)
        told.append(str(caught.value))
    assert told[0] == told[1]


def test_warnings_point_to_the_call_of_fit():
    found = []
    for n_jobs in (None, 2):
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always", ConvergenceWarning)
            model, X, y = FITS["MLPClassifier"]
            MLPClassifier(**{**model.get_params(), "n_jobs": n_jobs}).fit(X, y)
        assert {warning.filename for warning in told} == {__file__}
        found.append([str(warning.message) for warning in told])
    assert len(found[0]) == 5
    assert found[0] == found[1]


def test_an_error_in_one_network_is_an_error_of_the_fit(crews):
    """The estimator is as before, and all threads end."""
    before, calls = set(threading.enumerate()), itertools.count()

    def scoring(estimator, X, y):
        if next(calls) == 6:
            raise ValueError("mine")
        return 1.0

    model = fitted("best")
    theta, state = model._network.theta.copy(), {**vars(model)}
    model.set_params(scoring=scoring, n_jobs=2)
    for data in ({"max_iter": 4}, {"max_iter": 10**6}):
        calls = itertools.count()
        with pytest.raises(ValueError, match="mine"):
            model.set_params(**data).fit(ROWS, CLASSES)
        np.testing.assert_array_equal(model._network.theta, theta)
        assert set(vars(model)) == set(state)
    assert len(crews) == 2
    sides = [t for t in threading.enumerate() if isinstance(t, team.SideThread)]
    assert set(sides) <= before


def test_settings_of_the_calling_thread_hold():
    seen = []

    def scoring(estimator, X, y):
        seen.append((get_config()["assume_finite"], np.geterr()["under"]))
        return 1.0

    with config_context(assume_finite=True), np.errstate(under="raise"):
        fitted("best", scoring=scoring, n_jobs=2)
    assert set(seen) == {(True, "raise")}
    assert len(seen) == 20


class Nothing(Callback):
    """Callback that does nothing."""


@pytest.mark.parametrize(
    ("name", "parameters"),
    [
        ("MLPClassifier", {"callbacks": [Nothing()]}),
        ("MLPClassifier", {"verbose": True}),
        ("MLPClassifier", {"early_stopping": True}),
        ("TabularClassifier", {"early_stopping": True}),
        ("TabularClassifier", {"refit_full": True}),
        ("MLPClassifier", {"n_restarts": 1}),
        ("MLPClassifier", {"hidden_layer_sizes": (1000, 1000), "max_iter": 1}),
    ],
)
def test_networks_that_are_trained_one_by_one(name, parameters, crews):
    one, two = (fitted(name, n_jobs=n_jobs, **parameters) for n_jobs in (None, 2))
    assert not crews
    assert_same_fit(one, two)


def test_epochs_that_are_mostly_python_are_trained_one_by_one(monkeypatch):
    monkeypatch.undo()
    monkeypatch.setattr(team, "available_cores", lambda: 8)
    began = []
    monkeypatch.setattr(queue._Crew, "_begin", began.append)
    fitted("best", n_jobs=2)
    assert not began


# --- Ctrl-C ------------------------------------------------------------------------------------


def long_fit(name, condition, **parameters):
    """Return an estimator whose long fit is interrupted once something holds of its crew."""
    model, X, y = FITS[name]
    options = {**model.get_params(deep=False), "n_jobs": 2, "max_iter": 50_000, **parameters}
    model, crews = type(model)(**options), []
    plain = queue._Crew.trainings

    def trainings(self):
        crews.append(self)
        return plain(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(queue._Crew, "trainings", trainings)
        thread = interrupt_when(lambda: bool(crews) and condition(crews[0]))
        try:
            model.fit(X, y)
        finally:
            thread.join()
            assert not any(isinstance(t, team.SideThread) for t in threading.enumerate())
    return model


def epochs_of(crew):
    return [len(turn.estimator.history_.get("loss", ())) for turn in [*crew._turns]]


def both_train(crew):
    return len(crew._turns) == 2 and min(epochs_of(crew)) > 3


@sends_signals
@pytest.mark.parametrize("name", ["best", "MLPRegressor", "RNNClassifier", "CNNRegressor"])
def test_an_interrupt_while_two_networks_are_trained(name):
    """The first of them is kept as far as it has come."""
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = long_fit(name, both_train, n_iter_no_change=10**6)
    assert 3 < model.n_iter_ == len(model.loss_curve_) < 50_000
    assert np.isfinite(model._network.theta).all()
    assert model.n_jobs == 2
    short = {"max_iter": model.n_iter_, "n_restarts": 1, "n_iter_no_change": 10**6}
    straight = fitted(name, **short)
    assert model.loss_curve_ == straight.loss_curve_


@sends_signals
def test_an_interrupted_minimization_leaves_the_estimator_as_it_was():
    def is_under_way(crew):
        return len(crew._turns) == 2 and all(turn.thread.is_alive() for turn in [*crew._turns])

    with pytest.raises(KeyboardInterrupt):
        long_fit("lbfgs", is_under_way, tol=0.0, max_fun=10**9)


@sends_signals
def test_an_interrupted_fit_of_a_table_goes_on():
    """Networks before the one that is interrupted are kept, and so is its training."""
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = long_fit("TabularClassifier", both_train, n_networks=3)
    n_epochs = model.n_iter_
    assert len(model.histories_) == len(model.temperatures_) == 1
    assert 3 < n_epochs == len(model.loss_curve_)
    assert np.isfinite(model.predict_proba(ROWS)).all()
    model.set_params(warm_start="resume", max_iter=n_epochs + 2).fit(ROWS, CLASSES)
    assert [len(history["loss"]) for history in model.histories_] == [n_epochs + 2] * 3
    assert len(model.temperatures_) == 3


def test_an_interrupt_when_networks_have_ended(monkeypatch):
    """Those that are trained are kept; a fit that resumes trains the rest."""
    straight = fitted("TabularRegressor")
    plain = queue._Crew._begin
    for n in range(1, 5):

        def begin(self, n=n):
            if self.n_begun == n:
                for turn in self._turns:
                    turn.thread.join()
                raise KeyboardInterrupt
            plain(self)

        model, X, y = FITS["TabularRegressor"]
        model = TabularRegressor(**{**model.get_params(), "n_jobs": 2})
        with monkeypatch.context() as patch:
            patch.setattr(queue._Crew, "_begin", begin)
            with pytest.raises(KeyboardInterrupt):
                model.fit(X, y)
        assert len(model.histories_) == n
        for k, network in enumerate([*model._earlier, model._network]):
            expected = [*straight._earlier, straight._network][k]
            np.testing.assert_array_equal(network.theta, expected.theta)
        model.set_params(warm_start="resume").fit(X, y)
        assert_same_fit(model, straight.set_params(warm_start="resume"))
        straight = fitted("TabularRegressor")


def test_an_interrupt_before_a_network_has_ended_leaves_no_traces(monkeypatch):
    def wait(self):
        raise KeyboardInterrupt

    model = fitted("MLPClassifier")
    before = {**vars(model)}
    with monkeypatch.context() as patch:
        patch.setattr(queue._Crew, "_begin", wait)
        with pytest.raises(KeyboardInterrupt):
            model.set_params(n_jobs=2).fit(ROWS, CLASSES)
    assert vars(model) == {**before, "n_jobs": 2}


# --- how many at once --------------------------------------------------------------------------


@pytest.mark.parametrize("n", range(1, 12))
@pytest.mark.parametrize("jobs", range(1, 12))
def test_small_networks_are_trained_by_a_thread_each(n, jobs):
    size = queue._best_size(n, jobs, 10_000)
    assert size <= min(n, jobs)
    assert -(-n // size) == -(-n // min(n, jobs))


def test_threads_are_divided_among_large_networks():
    assert [queue._best_size(n, 8, 10**9) for n in (1, 2, 4, 8, 16)] == [1, 2, 4, 8, 8]
    assert queue._best_size(3, 2, 10**9) == 2
    assert queue._best_size(4, 6, 10**9) in (2, 3)  # with four, two threads would have no work
