"""The same random_state and float64 data give scikit-learn's model, epoch by epoch."""

import functools
import inspect
import warnings

import numpy as np
import pytest
import sklearn.neural_network
from scipy import sparse
from sklearn.datasets import make_classification, make_multilabel_classification, make_regression
from sklearn.preprocessing import StandardScaler

import sklearn_nn

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    # scikit-learn's own arithmetic, on its way through a softmax or a logarithm.
    pytest.mark.filterwarnings("ignore::RuntimeWarning"),
]

THEIRS_HAS_WEIGHTS = (
    "sample_weight" in inspect.signature(sklearn.neural_network.MLPClassifier.fit).parameters
)
THEIRS_HAS_LOSS = "loss" in inspect.signature(sklearn.neural_network.MLPRegressor).parameters
needs_weights = pytest.mark.skipif(
    not THEIRS_HAS_WEIGHTS, reason="this scikit-learn's MLP takes no sample_weight"
)
needs_loss = pytest.mark.skipif(not THEIRS_HAS_LOSS, reason="this scikit-learn has no loss=")

N_SAMPLES = 230
ATTRIBUTES = ["n_iter_", "t_", "n_layers_", "n_outputs_", "out_activation_", "n_features_in_"]


def _classes(n):
    return make_classification(
        N_SAMPLES, 12, n_informative=8, n_classes=n, flip_y=0.1, random_state=n
    )


def _labels():
    return make_multilabel_classification(N_SAMPLES, 12, n_classes=4, random_state=1)


def _numbers(n_outputs):
    X, y = make_regression(N_SAMPLES, 12, n_targets=n_outputs, noise=5.0, random_state=2)
    return X, y / 50


def _counts():
    X, y = _numbers(1)
    return X, np.random.default_rng(3).poisson(np.exp(y / 3)).astype(float)


TASKS = {
    "2 classes": ("MLPClassifier", lambda: _classes(2)),
    "5 classes": ("MLPClassifier", lambda: _classes(5)),
    "4 labels": ("MLPClassifier", _labels),
    "1 output": ("MLPRegressor", lambda: _numbers(1)),
    "3 outputs": ("MLPRegressor", lambda: _numbers(3)),
}


@functools.cache
def _made(task):
    X, y = TASKS[task][1]()
    return StandardScaler().fit_transform(X), y


def _data(task):
    X, y = _made(task)
    return X.copy(), y.copy()


def _pair(task, **parameters):
    defaults = {"hidden_layer_sizes": (17, 9), "max_iter": 20, "random_state": 7, "tol": 0.0}
    name = TASKS[task][0]
    modules = (sklearn_nn, sklearn.neural_network)
    return [getattr(module, name)(**{**defaults, **parameters}) for module in modules]


def _assert_same(ours, theirs, X, rtol=1e-9):
    """Same curves, same weights, same predictions, same counts."""
    for name in ATTRIBUTES:
        assert getattr(ours, name) == getattr(theirs, name), name
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=rtol)
    np.testing.assert_allclose(ours.loss_, theirs.loss_, rtol=rtol)
    if theirs.best_loss_ is None:
        assert ours.best_loss_ is None
        np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=rtol)
        assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_, rel=rtol)
    else:
        np.testing.assert_allclose(ours.best_loss_, theirs.best_loss_, rtol=rtol)
        assert ours.validation_scores_ is None
        assert ours.best_validation_score_ is None
    for name in ("coefs_", "intercepts_"):
        pairs = zip(getattr(ours, name), getattr(theirs, name), strict=True)
        for mine, other in pairs:
            assert mine.shape == other.shape
            assert mine.dtype == other.dtype
            np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)
    _assert_same_predictions(ours, theirs, X, rtol=1e-7)


def _assert_same_predictions(ours, theirs, X, rtol):
    mine, other = ours.predict(X), theirs.predict(X)
    assert mine.shape == other.shape
    assert mine.dtype == other.dtype
    np.testing.assert_allclose(mine, other, rtol=rtol, atol=1e-9)
    if hasattr(theirs, "predict_proba"):
        np.testing.assert_array_equal(ours.classes_, theirs.classes_)
        np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), rtol, 1e-9)
        mine, other = ours.predict_log_proba(X), theirs.predict_log_proba(X)
        np.testing.assert_allclose(mine, other, rtol=1e-6, atol=1e-9)


SOLVERS = {
    "adam": {},
    "adam, other betas": {"beta_1": 0.8, "beta_2": 0.95, "epsilon": 1e-5},
    "sgd, plain": {"solver": "sgd", "momentum": 0.0, "nesterovs_momentum": False},
    "sgd, momentum": {"solver": "sgd", "momentum": 0.8, "nesterovs_momentum": False},
    "sgd, Nesterov": {"solver": "sgd"},
    "sgd, invscaling": {"solver": "sgd", "learning_rate": "invscaling", "power_t": 0.25},
    "sgd, adaptive": {
        "solver": "sgd",
        "learning_rate": "adaptive",
        "tol": 0.05,
        "n_iter_no_change": 2,
    },
}


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", SOLVERS)
def test_solvers(task, solver):
    X, y = _data(task)
    ours, theirs = _pair(task, learning_rate_init=0.02, **SOLVERS[solver])
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


def test_the_adaptive_schedule_got_to_lower_its_rate():
    """Otherwise the test above would not have tried it."""
    X, y = _data("2 classes")
    ours, theirs = _pair("2 classes", learning_rate_init=0.02, **SOLVERS["sgd, adaptive"])
    ours.fit(X, y)
    theirs.fit(X, y)
    assert ours._optimizer.learning_rate == theirs._optimizer.learning_rate < 0.02


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("activation", ["identity", "logistic", "tanh", "relu"])
def test_activations(task, activation):
    X, y = _data(task)
    ours, theirs = _pair(task, activation=activation, learning_rate_init=0.01)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_early_stopping(task, solver):
    X, y = _data(task)
    ours, theirs = _pair(
        task,
        solver=solver,
        early_stopping=True,
        validation_fraction=0.2,
        learning_rate_init=0.02,
        max_iter=60,
        n_iter_no_change=4,
        tol=1e-3,
    )
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


def test_early_stopping_stopped_early_and_kept_the_best():
    X, y = _data("5 classes")
    ours, theirs = _pair("5 classes", early_stopping=True, n_iter_no_change=3, max_iter=100)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)
    assert 4 < ours.n_iter_ < 100
    assert ours.best_validation_score_ == max(ours.validation_scores_)


@needs_loss
@pytest.mark.parametrize("solver", ["sgd", "adam"])
def test_poisson(solver):
    X, y = _counts()
    X = StandardScaler().fit_transform(X)
    ours, theirs = _pair("1 output", loss="poisson", solver=solver, learning_rate_init=0.005)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@needs_weights
@pytest.mark.parametrize("early_stopping", [False, True])
@pytest.mark.parametrize("task", TASKS)
def test_sample_weight(task, early_stopping):
    X, y = _data(task)
    weight = np.random.default_rng(0).integers(0, 4, N_SAMPLES) * 0.5
    ours, theirs = _pair(task, early_stopping=early_stopping, batch_size=50)
    ours.fit(X, y, sample_weight=weight)
    theirs.fit(X, y, sample_weight=weight)
    _assert_same(ours, theirs, X)


@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("batch_size", [1, 7, 64, N_SAMPLES - 1, N_SAMPLES, "auto"])
def test_batches(batch_size, shuffle):
    X, y = _data("5 classes")
    ours, theirs = _pair("5 classes", batch_size=batch_size, shuffle=shuffle, max_iter=6)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("layers", [1, (3,), [40, 2, 5], np.array([8, 8, 8, 8]), ()])
def test_hidden_layer_sizes(layers):
    X, y = _data("1 output")
    ours, theirs = _pair("1 output", hidden_layer_sizes=layers)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("alpha", [0.0, 10.0])
def test_alpha(alpha):
    X, y = _data("2 classes")
    ours, theirs = _pair("2 classes", alpha=alpha, batch_size=33)
    _assert_same(ours.fit(X, y), theirs.fit(X, y), X)


@pytest.mark.parametrize("layout", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_sparse(layout):
    X, y = _data("5 classes")
    X[np.abs(X) < 0.7] = 0
    ours, theirs = _pair("5 classes")
    _assert_same(ours.fit(layout(X), y), theirs.fit(layout(X), y), layout(X))
    dense, _ = _pair("5 classes")
    np.testing.assert_array_equal(ours.predict_proba(layout(X)), dense.fit(X, y).predict_proba(X))


def _partial_fits(estimator, X, y, classes=None):
    first = {} if classes is None else {"classes": classes}
    for i in range(12):
        chunk = slice(i * 19, i * 19 + 19 + i)
        estimator.partial_fit(X[chunk], y[chunk], **first)
        first = {}
    return estimator


@pytest.mark.parametrize("solver", ["sgd", "adam"])
@pytest.mark.parametrize("task", TASKS)
def test_partial_fit(task, solver):
    X, y = _data(task)
    ours, theirs = _pair(task, solver=solver)
    classes = None
    if task.endswith("classes"):
        classes = np.unique(y)
    elif task == "4 labels":
        classes = np.arange(4)
    _assert_same(_partial_fits(ours, X, y, classes), _partial_fits(theirs, X, y, classes), X)


@pytest.mark.parametrize("task", ["2 classes", "3 outputs"])
def test_partial_fit_goes_on_after_fit(task):
    X, y = _data(task)
    for estimator in (pair := _pair(task, max_iter=5)):
        estimator.fit(X, y)
        for _ in range(5):
            estimator.partial_fit(X[:100], y[:100])
    _assert_same(*pair, X)


def _fit_three_times(estimator, X, y):
    estimator.fit(X, y)
    estimator.set_params(max_iter=7, random_state=8)
    return estimator.fit(X, y).fit(X, y)


@pytest.mark.parametrize("task", TASKS)
def test_warm_start(task):
    X, y = _data(task)
    ours, theirs = (_fit_three_times(e, X, y) for e in _pair(task, warm_start=True))
    assert len(ours.loss_curve_) == 34
    _assert_same(ours, theirs, X)


@pytest.mark.parametrize("task", ["5 classes", "1 output"])
def test_warm_start_with_early_stopping(task):
    """Same curves. The weights kept are ours: from its second fit on, scikit-learn trains the very
    arrays that it holds for the best ones, so that they are the last ones unless it improves.
    """
    X, y = _data(task)
    pair = _pair(task, warm_start=True, early_stopping=True)
    ours, theirs = (_fit_three_times(e, X, y) for e in pair)
    np.testing.assert_allclose(ours.loss_curve_, theirs.loss_curve_, rtol=1e-9)
    np.testing.assert_allclose(ours.validation_scores_, theirs.validation_scores_, rtol=1e-9)
    assert ours.best_validation_score_ == pytest.approx(theirs.best_validation_score_)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.t_ == theirs.t_


def test_random_state_instances_are_drawn_from_alike():
    """Two fits on one instance differ, and leave it where scikit-learn leaves it."""
    X, y = _data("2 classes")
    generators = np.random.RandomState(3), np.random.RandomState(3)
    fitted = []
    for _ in range(2):
        ours, theirs = _pair("2 classes", early_stopping=True)
        ours.set_params(random_state=generators[0]).fit(X, y)
        theirs.set_params(random_state=generators[1]).fit(X, y)
        _assert_same(ours, theirs, X)
        fitted.append(ours.coefs_[0])
    assert not np.array_equal(*fitted)
    assert generators[0].randint(2**31) == generators[1].randint(2**31)


def test_random_state_none_draws_from_numpys_global_generator():
    X, y = _data("2 classes")
    for estimator in (pair := _pair("2 classes", random_state=None, max_iter=3)):
        np.random.seed(5)
        estimator.fit(X, y)
    _assert_same(*pair, X)


@pytest.mark.parametrize("task", TASKS)
def test_lbfgs(task):
    """Same loss to 1e-4: a line search turns differences of the last bit into more."""
    X, y = _data(task)
    ours, theirs = _pair(task, solver="lbfgs", alpha=1.0, max_iter=30, tol=1e-4)
    ours.fit(X, y)
    theirs.fit(X, y)
    assert ours.loss_ == pytest.approx(theirs.loss_, rel=1e-4)
    assert ours.n_iter_ == pytest.approx(theirs.n_iter_, abs=1)
    assert hasattr(ours, "loss_curve_") == hasattr(theirs, "loss_curve_")
    _assert_same_predictions(ours, theirs, X, rtol=1e-2) if task == "1 output" else None


@needs_weights
def test_lbfgs_with_sample_weight():
    X, y = _data("5 classes")
    weight = np.random.default_rng(0).random(N_SAMPLES)
    for estimator in (pair := _pair("5 classes", solver="lbfgs", alpha=1.0)):
        estimator.fit(X, y, sample_weight=weight)
    assert pair[0].loss_ == pytest.approx(pair[1].loss_, rel=1e-4)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
def test_parameters_and_defaults_are_scikit_learns(name):
    """In its order, with its defaults and its constraints; ours come after, by keyword only."""
    mine = inspect.signature(getattr(sklearn_nn, name)).parameters
    other = inspect.signature(getattr(sklearn.neural_network, name)).parameters
    if name == "MLPRegressor" and not THEIRS_HAS_LOSS:
        mine = {key: value for key, value in mine.items() if key != "loss"}
    assert list(mine)[: len(other)] == list(other)
    for key, parameter in other.items():
        assert mine[key].default == parameter.default, key
        if THEIRS_HAS_LOSS:
            assert mine[key].kind == parameter.kind, key
    added = list(mine)[len(other) :]
    assert added
    assert all(mine[key].kind is inspect.Parameter.KEYWORD_ONLY for key in added)


@pytest.mark.parametrize("name", ["MLPClassifier", "MLPRegressor"])
@pytest.mark.parametrize("solver", ["lbfgs", "sgd", "adam"])
def test_public_fitted_attributes_are_scikit_learns(name, solver):
    X, y = _data("2 classes")
    modules = (sklearn_nn, sklearn.neural_network)
    ours, theirs = (
        getattr(module, name)(hidden_layer_sizes=5, max_iter=2, solver=solver) for module in modules
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ours.fit(X, y)
        theirs.fit(X, y)
    public = [
        {key for key in vars(e) if key.endswith("_") and key[0] != "_"} for e in (ours, theirs)
    ]
    assert public[1] <= public[0]
    assert public[0] - public[1] <= {
        "best_iteration_",
        "history_",
        "layers_",
        "n_parameters_",
        "validation_loss_curve_",
    }
