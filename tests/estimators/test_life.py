"""Live weights, pickles, scikit-learn's tools, messages and memory."""

import copy
import inspect
import io
import os
import pickle
import subprocess
import sys
import textwrap

import joblib
import numpy as np
import pytest
import sklearn
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.model_selection import GridSearchCV, KFold, cross_val_predict, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.iris import (
    IRIS,
    LENGTH,
    SETTINGS,
    SPECIES,
    assert_equal,
    fitted,
    make,
    output,
    target,
)
from helpers.estimators.mlp_problem import BOTH
from helpers.learning import learning, seeds
from sklearn_nn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- weights are live --------------------------------------------------------------------------


@BOTH
def test_coefs_are_live_views(Estimator):
    model = fitted(Estimator)
    before = output(model)
    assert model.layers_["dense1"]["kernel"] is model.coefs_[0]
    assert model.layers_["output"]["bias"] is model.intercepts_[1]
    model.coefs_[0][:] = 0
    model.intercepts_[0][:] = 0
    assert not np.array_equal(output(model), before)
    np.testing.assert_array_equal(output(model), np.broadcast_to(output(model)[0], before.shape))
    model.partial_fit(IRIS, target(Estimator))
    assert model.coefs_[1].any()


@BOTH
@pytest.mark.parametrize("way", ["list item", "whole list", "nested list", "float32"])
def test_coefs_may_be_replaced(Estimator, way):
    """By arrays of the same shape: predict, partial_fit and pickles take them in."""
    model, other = fitted(Estimator), fitted(Estimator, random_state=1)
    kernels = [array.copy() for array in other.coefs_]
    if way == "float32":
        kernels = [array.astype(np.float32) for array in kernels]
        for mine, given in zip(other.coefs_, kernels, strict=True):
            mine[:] = given
    if way == "nested list":
        kernels = [array.tolist() for array in kernels]
    if way == "whole list":
        model.coefs_ = kernels
    else:
        for k, kernel in enumerate(kernels):
            model.coefs_[k] = kernel
    model.intercepts_ = [array.copy() for array in other.intercepts_]
    loaded = pickle.loads(pickle.dumps(model))
    copied = copy.deepcopy(model)
    np.testing.assert_array_equal(output(model), output(other))
    np.testing.assert_array_equal(output(loaded), output(other))
    np.testing.assert_array_equal(output(copied), output(other))
    if way != "nested list":
        model.coefs_[0][0, 0] += 1.0  # the array given is live, too
        assert not np.array_equal(output(model), output(other))


def test_initial_weights_may_be_replaced_before_training_goes_on():
    model = make(MLPRegressor, warm_start=True, max_iter=1).fit(IRIS, LENGTH)
    model.coefs_[0] = np.zeros_like(model.coefs_[0])
    model.intercepts_[0] = np.zeros_like(model.intercepts_[0])
    model.fit(IRIS, LENGTH)
    # All hidden units were alike: a relu at zero passes no gradient on.
    np.testing.assert_array_equal(model.coefs_[0], 0)


# --- persistence -------------------------------------------------------------------------------


def _round_trips(model, tmp_path):
    yield "deepcopy", copy.deepcopy(model)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        yield f"pickle {protocol}", pickle.loads(pickle.dumps(model, protocol))
    joblib.dump(model, tmp_path / "model.joblib")
    yield "joblib", joblib.load(tmp_path / "model.joblib")
    yield "joblib memmap", joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    buffer = io.BytesIO()
    joblib.dump(model, buffer, compress=3)
    buffer.seek(0)
    yield "joblib compressed", joblib.load(buffer)


@BOTH
@pytest.mark.parametrize("settings", [*SETTINGS, {"dropout": 0.2}], ids=str)
def test_round_trips(Estimator, settings, tmp_path):
    """The same predictions, the same next epoch, and views that live again."""
    y = target(Estimator)
    model = fitted(Estimator, **settings)
    expected = output(model)
    goes_on = "solver" not in settings or settings["solver"] != "lbfgs"
    goes_on = goes_on and "early_stopping" not in settings
    trips = list(_round_trips(model, tmp_path))
    if goes_on:
        model.partial_fit(IRIS, y)
    for name, loaded in trips:
        np.testing.assert_array_equal(output(loaded), expected, err_msg=name)
        assert loaded.get_params() == model.get_params()
        if goes_on:
            loaded.partial_fit(IRIS, y)
            assert_equal(loaded, model)
            assert loaded.loss_curve_ == model.loss_curve_
        if loaded.coefs_[0].flags.writeable:
            loaded.coefs_[0][:] = 0
            assert not np.array_equal(output(loaded), expected), name


@BOTH
def test_a_read_only_memmap_can_be_changed_by_replacing(Estimator, tmp_path):
    joblib.dump(fitted(Estimator), tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    before = output(loaded)
    loaded.coefs_[0] = np.zeros_like(loaded.coefs_[0])
    assert not np.array_equal(output(loaded), before)
    np.testing.assert_array_equal(output(joblib.load(tmp_path / "model.joblib")), before)


def _reachable(value, seen):
    """Every object a pickle of `value` would hold, as far as attributes and containers go."""
    if id(value) in seen:
        return
    seen[id(value)] = value
    if isinstance(value, dict):
        children = [*value.keys(), *value.values()]
    elif isinstance(value, (list, tuple, set)):
        children = list(value)
    else:
        children = list(vars(value).values()) if hasattr(value, "__dict__") else []
    for child in children:
        _reachable(child, seen)


@BOTH
def test_pickles_hold_nothing_compiled(Estimator):
    model = fitted(Estimator)
    output(model)
    state = model.__getstate__()
    assert not {"_views", "layers_", "coefs_", "intercepts_"} & state.keys()
    state["_network"] = state["_network"].__getstate__()
    seen = {}
    _reachable(state, seen)
    modules = {type(value).__module__.partition(".")[0] for value in seen.values()}
    assert modules <= {"builtins", "numpy", "sklearn_nn"}
    classes = {type(value).__name__ for value in seen.values()}
    assert not classes & {"Program", "Kernel", "Machine", "Placed"}
    numbers = {value for value in seen.values() if isinstance(value, int)}
    addresses = {
        number for number in model._network.program.table.ravel().tolist() if number > 2**20
    }
    assert addresses
    assert not addresses & numbers
    assert len(pickle.dumps(model)) < 8 * 4 * model._network.theta.size + 12_000


@BOTH
def test_a_pickle_predicts_in_a_fresh_process(Estimator, tmp_path):
    model = fitted(Estimator)
    joblib.dump((model, IRIS, target(Estimator), output(model)), tmp_path / "model.joblib")
    script = """
        import sys, joblib, numpy as np
        model, X, y, expected = joblib.load(sys.argv[1])
        got = model.predict_proba(X) if hasattr(model, "classes_") else model.predict(X)
        np.testing.assert_array_equal(got, expected)
        model.set_params(warm_start=True, max_iter=1).fit(X, y)
    """
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    subprocess.run([*command, tmp_path / "model.joblib"], check=True, timeout=900)


@BOTH
def test_unfitted_estimators_round_trip(Estimator):
    model = pickle.loads(pickle.dumps(make(Estimator)))
    assert not hasattr(model, "coefs_")
    assert_equal(model.fit(IRIS, target(Estimator)), fitted(Estimator))


# --- scikit-learn's tools ----------------------------------------------------------------------


@BOTH
def test_parameters(Estimator):
    model = make(Estimator, dropout=0.1, activation="gelu")
    same = clone(model)
    assert same is not model
    assert same.get_params() == model.get_params()
    assert set(model.get_params()) == set(inspect.signature(Estimator).parameters)
    assert "dropout=0.1" in repr(model)
    assert repr(Estimator()) == f"{Estimator.__name__}()"
    assert Estimator.__name__ in fitted(Estimator)._repr_html_()
    with pytest.raises(ValueError, match=r"Invalid parameter 'droput'.*dropout"):
        model.set_params(droput=0.1)


@BOTH
def test_cloning_a_fitted_estimator(Estimator):
    model = fitted(Estimator)
    assert not hasattr(clone(model), "coefs_")
    assert_equal(clone(model).fit(IRIS, target(Estimator)), model)


@learning
def test_grid_search_in_a_pipeline():
    X, y = load_breast_cancer(return_X_y=True)
    model = make_pipeline(
        StandardScaler(),
        MLPClassifier(max_iter=30, learning_rate_init=0.02, random_state=seeds(1)[0]),
    )
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(8,), (16, 8)],
        "mlpclassifier__dropout": [0.0, 0.2],
        "mlpclassifier__class_weight": [None, "balanced"],
    }
    search = GridSearchCV(model, grid, cv=KFold(2, shuffle=True, random_state=0), n_jobs=2)
    assert search.fit(X, y).best_score_ > 0.9  # .63 of the rows are of one class; .97 measured


@learning
def test_cross_validation_of_a_regressor():
    X, y = load_diabetes(return_X_y=True)
    network = MLPRegressor(
        hidden_layer_sizes=20, solver="lbfgs", alpha=10, max_iter=50, random_state=seeds(1)[0]
    )
    model = TransformedTargetRegressor(
        make_pipeline(StandardScaler(), network), transformer=StandardScaler()
    )
    scores = cross_val_score(model, X, y, cv=KFold(4, shuffle=True, random_state=0))
    assert scores.mean() > 0.3  # as a linear model's, .48
    assert cross_val_predict(model, X, y, cv=3).shape == y.shape


def test_set_output_does_not_concern_predict():
    pd = pytest.importorskip("pandas")
    pipeline = make_pipeline(StandardScaler(), make(MLPClassifier)).set_output(transform="pandas")
    frame = pd.DataFrame(IRIS, columns=list("abcd"))
    pipeline.fit(frame, SPECIES)
    assert isinstance(pipeline.predict(frame), np.ndarray)
    assert pipeline[-1].feature_names_in_.tolist() == list("abcd")
    with sklearn.config_context(transform_output="pandas"):
        model = make(MLPClassifier, early_stopping=True).fit(frame, SPECIES)
        assert isinstance(model.predict_proba(frame), np.ndarray)


# --- messages ----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_prints_what_scikit_learn_prints(Estimator, early_stopping, capsys):
    theirs = getattr(sklearn.neural_network, Estimator.__name__)
    settings = {"verbose": True, "early_stopping": early_stopping, "n_iter_no_change": 2}
    settings |= {"tol": 0.5, "solver": "sgd", "learning_rate": "adaptive"}
    fitted(Estimator, **settings)
    ours = capsys.readouterr().out
    make(theirs, **settings).fit(IRIS, target(Estimator))
    expected = capsys.readouterr().out
    assert "Iteration 1, loss = " in ours
    assert "Setting learning rate to" in ours
    assert ours == expected


@BOTH
def test_verbose_lbfgs_prints_a_line_an_iteration(Estimator, capsys):
    model = fitted(Estimator, solver="lbfgs", verbose=1)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == model.n_iter_
    assert lines[0].startswith("Iteration 1, loss = ")


@BOTH
def test_silent_by_default(Estimator, capsys):
    output(fitted(Estimator))
    assert capsys.readouterr() == ("", "")


# --- memory ------------------------------------------------------------------------------------

_PREDICT_A_MILLION = """
    import resource, sys
    import numpy as np
    from sklearn_nn import {name}

    rng = np.random.default_rng(0)
    A = rng.standard_normal((500, 50))
    y = A[:, 0] > 0
    model = {name}(hidden_layer_sizes=(64, 32), max_iter=2, random_state=0, dtype="{computed}")
    model.fit(A.astype("{given}"), y)
    model.{method}(A)
    X = np.zeros((1_000_000, 50), dtype="{given}", order="{order}")
    X += 0.5  # touch every page
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    p = model.{method}(X)
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    assert len(p) == 1_000_000 and (p == p[0]).all()
    print((after - before) * (1 if sys.platform == "darwin" else 1024) / 2**20)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows does not say how much memory was used")
@pytest.mark.parametrize(
    ("name", "method", "given", "order", "computed"),
    [
        ("MLPClassifier", "predict_proba", "float64", "C", "auto"),
        ("MLPClassifier", "predict", "float64", "C", "float32"),
        ("MLPRegressor", "predict", "float32", "C", "auto"),
        ("MLPRegressor", "predict", "float64", "F", "auto"),
        ("MLPClassifier", "predict_proba", "float32", "F", "float64"),
    ],
)
def test_memory_of_predict(name, method, given, order, computed):
    """A million rows of 50 features take at most 64 MB beyond X itself."""
    script = _PREDICT_A_MILLION.format(
        name=name, method=method, given=given, order=order, computed=computed
    )
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script)]
    done = subprocess.run(command, check=True, timeout=900, capture_output=True, text=True)
    assert float(done.stdout) < 64
