"""Threads, forked children, joblib's workers and Ctrl-C."""

import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV, cross_val_score

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    TabularClassifier,
)
from sklearn_nn.estimators._targets.codec import LabelCodec

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 6))
CLASSES = np.arange(300) % 3
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


def _fit(seed, n_jobs=None):
    return MLPClassifier((16, 8), max_iter=10, random_state=seed, n_jobs=n_jobs).fit(X, CLASSES)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_threads_that_predict_with_one_estimator(n_jobs):
    model = _fit(0, n_jobs)
    model.coefs_[0] = model.coefs_[0].copy()  # has to be taken in by every predict
    expected = model.predict_proba(X)
    model._network._program = None  # as after unpickling: all threads make the program
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda _: model.predict_proba(X), range(80)))
    for result in results:
        np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_threads_that_fit(n_jobs):
    expected = [_fit(seed).predict_proba(X) for seed in range(3)]
    for _ in range(3):
        with ThreadPoolExecutor(3) as pool:
            models = list(pool.map(lambda seed: _fit(seed, n_jobs), range(3)))
        for model, result in zip(models, expected, strict=True):
            np.testing.assert_array_equal(model.predict_proba(X), result)


def _several_kinds():
    """Return unfitted estimators of every family, and X and y for each."""
    series, images = RNG.standard_normal((60, 7, 2)), RNG.standard_normal((60, 6, 6))
    y, small = CLASSES[:60], {"max_iter": 3, "batch_size": 16, "random_state": 0}
    return [
        *((MLPClassifier(h, alpha=a, **small), X, CLASSES) for h in (4, (8, 4)) for a in (0, 1.0)),
        (MLPClassifier(8, solver="sgd", dropout=0.2, early_stopping=True, **small), X, CLASSES),
        (
            MLPRegressor(hidden_layer_sizes=8, solver="lbfgs", max_iter=9, random_state=0),
            X,
            X[:, 0],
        ),
        (MLPRegressor(hidden_layer_sizes=8, batch_norm=True, **small), X.astype("f4"), X[:, 0]),
        (CNNClassifier((4,), batch_norm=True, **small), images, y),
        (RNNClassifier(hidden_size=4, bidirectional=True, **small), series, y),
        (TabularClassifier(n_networks=2, hidden_layer_sizes=(8,), **small), X[:60], y),
    ]


def _fitted_weights(case):
    model, X, y = case
    model = clone(model).fit(X, y)
    return model._network.theta.copy(), model.predict(X)


@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_estimators_of_every_kind_that_are_fitted_at_once():
    cases = _several_kinds()
    expected = [_fitted_weights(case) for case in cases]
    with ThreadPoolExecutor(6) as pool:
        for found, wanted in zip(pool.map(_fitted_weights, cases * 3), expected * 3, strict=True):
            for one, other in zip(found, wanted, strict=True):
                np.testing.assert_array_equal(one, other)


_COMPILED_AT_ONCE = """
    import warnings
    from concurrent.futures import ThreadPoolExecutor
    import numpy as np
    from sklearn_nn import MLPClassifier, MLPRegressor

    warnings.simplefilter("ignore")
    X = np.random.default_rng(0).standard_normal((50, 4))
    small = {"max_iter": 3, "batch_size": 16, "random_state": 0}
    models = [
        MLPClassifier(4, activation="tanh", **small), MLPClassifier(8, **small),
        MLPRegressor(hidden_layer_sizes=4, solver="sgd", **small), MLPClassifier((4, 4), **small),
    ]

    def weights(model):
        y = X[:, 0] if isinstance(model, MLPRegressor) else np.arange(50) % 3
        return model.fit(X, y)._network.theta.copy()

    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(weights, models))
    for model, theta in zip(models, found):
        assert np.array_equal(weights(model), theta)
    print("equal")
"""


def test_fits_during_which_kernels_are_compiled(tmp_path):
    """All threads need kernels that are not in the cache, most of them the same ones."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_COMPILED_AT_ONCE)]
    environment = {**os.environ, "SKLEARN_NN_CACHE_DIR": str(tmp_path)}
    ran = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert ran.stdout == "equal\n", ran.stderr
    assert any(tmp_path.rglob("*.kernel"))


def _fit_in_child(queue):
    queue.put(_fit(1, n_jobs=2).predict_proba(X))


@needs_fork
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
def test_fork_then_fit():
    """After this process has fitted with threads of its own."""
    expected = _fit(1, n_jobs=2).predict_proba(X)
    context = multiprocessing.get_context("fork")
    queue = context.Queue()
    child = context.Process(target=_fit_in_child, args=(queue,))
    child.start()
    np.testing.assert_array_equal(queue.get(timeout=600), expected)
    child.join(600)
    assert child.exitcode == 0


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_backends(backend):
    expected = [_fit(seed).predict_proba(X) for seed in range(4)]
    with joblib.parallel_config(backend=backend, n_jobs=2):
        models = joblib.Parallel()(joblib.delayed(_fit)(seed) for seed in range(4))
    for model, result in zip(models, expected, strict=True):
        np.testing.assert_array_equal(model.predict_proba(X), result)


def test_grid_search_and_cross_validation_in_workers():
    grid = {"hidden_layer_sizes": [(4,), (6, 3)], "alpha": [1e-4, 1.0]}
    model = MLPClassifier(max_iter=20, random_state=0)
    one, two = (GridSearchCV(model, grid, cv=3, n_jobs=jobs).fit(X, CLASSES) for jobs in (None, 2))
    scores = "mean_test_score"
    with joblib.parallel_config(backend="threading"):
        three = GridSearchCV(model, grid, cv=3, n_jobs=3).fit(X, CLASSES)
    np.testing.assert_array_equal(one.cv_results_[scores], three.cv_results_[scores])
    np.testing.assert_array_equal(one.predict_proba(X), three.predict_proba(X))
    np.testing.assert_array_equal(one.cv_results_[scores], two.cv_results_[scores])
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    regressor = MLPRegressor(hidden_layer_sizes=8, max_iter=20, random_state=0)
    one, two = (cross_val_score(regressor, X, X[:, 0], cv=3, n_jobs=jobs) for jobs in (None, 2))
    np.testing.assert_array_equal(one, two)


def test_large_input_reaches_workers_as_a_read_only_memmap():
    big = RNG.standard_normal((40_000, 6))  # joblib maps what is over a megabyte
    y = (big[:, 0] > 0).astype(int)
    model = MLPClassifier(4, max_iter=1, random_state=0)
    one, two = (cross_val_score(model, big, y, cv=2, n_jobs=jobs) for jobs in (None, 2))
    np.testing.assert_array_equal(one, two)


# --- Ctrl-C ------------------------------------------------------------------------------------

_INTERRUPTED = """
    import sys, time, warnings
    import numpy as np
    from sklearn_nn import MLPClassifier

    rng = np.random.default_rng(0)
    X = rng.standard_normal((20_000, 50))
    y = rng.integers(0, 3, 20_000)
    model = MLPClassifier((256, 128), max_iter=100_000, tol=0, random_state=0, **%s)
    model.set_params(max_iter=1).fit(X[:100], y[:100])
    model.set_params(max_iter=100_000)
    print("ready", flush=True)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            model.fit(X, y)
        except KeyboardInterrupt:
            print("raised", flush=True)
    print(*[str(w.message) for w in caught], flush=True)
    assert all(np.isfinite(array).all() for array in model.coefs_)
    assert np.isfinite(model.predict_proba(X[:10])).all()
    model.set_params(max_iter=1).fit(X[:100], y[:100])
    print("usable", flush=True)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGINT for a child process")
@pytest.mark.parametrize(
    ("parameters", "answer"),
    [
        ({"solver": "adam"}, "Training interrupted by user."),
        ({"solver": "sgd", "n_jobs": 2}, "Training interrupted by user."),
        ({"early_stopping": True, "n_iter_no_change": 10**6}, "Training interrupted by user."),
        ({"batch_size": 20_000}, "Training interrupted by user."),
        ({"solver": "lbfgs", "max_fun": 10**9}, "raised"),
        (
            {"n_restarts": 3, "early_stopping": "best", "n_jobs": 2},
            "Training interrupted by user.",
        ),
        ({"n_restarts": 3, "solver": "lbfgs", "max_fun": 10**9, "n_jobs": 2}, "raised"),
    ],
    ids=[
        "adam", "two threads", "early stopping", "one batch an epoch", "lbfgs", "networks at once",
        "minimizations at once",
    ],
)  # fmt: skip
def test_ctrl_c_is_answered(parameters, answer):
    """And the estimator can be used afterwards. Without an answer, it would train for hours."""
    line, rest = _interrupt(textwrap.dedent(_INTERRUPTED % parameters))
    assert answer in line
    assert rest.endswith("usable\n")


def _interrupt(script):
    """Run a script, send it SIGINT half a second after it is ready; returns what it answered."""
    command = [sys.executable, "-W", "ignore", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout.readline() == "ready\n"
            time.sleep(0.5)
            child.send_signal(signal.SIGINT)
            return child.stdout.readline(), child.stdout.read()
        finally:
            child.kill()


def test_an_interrupt_between_epochs_keeps_what_was_learnt():
    """The warning is scikit-learn's; n_iter_ and the curves end where training did."""
    model = MLPClassifier(8, max_iter=50, random_state=0)
    calls = []

    def interrupt(*_):
        calls.append(1)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return 0.5

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(LabelCodec, "score", interrupt)
        with pytest.warns(UserWarning, match=r"Training interrupted by user\."):
            model.fit(X, CLASSES, X_val=X[:10], y_val=CLASSES[:10])
    assert model.n_iter_ == len(model.loss_curve_) == 4
    assert model.validation_scores_[:3] == [0.5, 0.5, 0.5]
    assert np.isnan(model.validation_scores_[3])
    assert model.t_ == 4 * len(X)
    assert np.isfinite(model.predict_proba(X)).all()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(X, CLASSES)
    assert model.n_iter_ == 50


def test_no_threads_are_left_behind():
    before = set(threading.enumerate())
    model = _fit(0, n_jobs=2)
    model.predict(X)
    deadline = time.monotonic() + 300  # they end on their own, a moment later
    while not set(threading.enumerate()) <= before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert set(threading.enumerate()) <= before
