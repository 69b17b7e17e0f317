"""Weights, parameters, validation sets and refits that are not as they should be."""

import warnings

import numpy as np
import pytest
from sklearn.datasets import load_iris

from helpers.estimators.mlp_problem import BOTH, SOLVERS
from helpers.estimators.small_data import CLASSES, NUMBERS, X, make, output, target
from sklearn_nn import MLPClassifier, MLPRegressor

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


# --- 5: batch size -----------------------------------------------------------------------------


@BOTH
def test_batch_size(Estimator):
    y = target(Estimator)
    with pytest.warns(UserWarning, match="larger than sample size. It is going to be clipped"):
        clipped = make(Estimator, batch_size=61).fit(X, y)
    whole = make(Estimator, batch_size=60).fit(X, y)
    np.testing.assert_array_equal(clipped.coefs_[0], whole.coefs_[0])
    assert np.isfinite(output(make(Estimator, batch_size=1).fit(X, y), X)).all()
    with pytest.raises(ValueError, match=r"'batch_size' parameter .* Got 0 instead"):
        make(Estimator, batch_size=0).fit(X, y)


# --- 12: weights -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.full(60, np.nan), "sample_weight contains NaN"),
        (np.full(60, np.inf), "sample_weight contains infinity"),
        (np.ones(59), r"sample_weight.shape == \(59,\)"),
        (np.ones((60, 2)), "must be 1D"),
        (-np.ones(60), "(?i)negative values.*sample_weight|sample_weight.*negative"),
        (np.zeros(60), "(?i)weight.*zero"),
        (np.full(60, "a"), "could not convert|Unable to convert"),
    ],
)
def test_bad_weights(Estimator, weight, message):
    y = target(Estimator)
    for call in (make(Estimator).fit, make(Estimator, warm_start=True).fit):
        with pytest.raises(ValueError, match=message):
            call(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=message):
        make(Estimator).fit(X, y).partial_fit(X, y, sample_weight=weight)
    with pytest.raises(ValueError, match=message):
        make(Estimator).fit(X, y, X_val=X, y_val=y, sample_weight_val=weight)


@BOTH
@SOLVERS
def test_weights_of_one_are_no_weights(Estimator, solver):
    y = target(Estimator)
    plain = make(Estimator, solver=solver).fit(X, y)
    for ones in (np.ones(60), np.ones(60, dtype=int), [1] * 60):
        weighted = make(Estimator, solver=solver).fit(X, y, sample_weight=ones)
        np.testing.assert_array_equal(output(weighted, X), output(plain, X))


@BOTH
def test_a_weight_of_zero_removes_the_row(Estimator):
    """To rounding, and without shuffling, which draws by the number of rows."""
    y = target(Estimator)
    weight = np.ones(60)
    weight[50:] = 0
    settings = {"shuffle": False, "batch_size": 60}
    weighted = make(Estimator, **settings).fit(X, y, sample_weight=weight)
    removed = make(Estimator, **{**settings, "batch_size": 50}).fit(X[:50], y[:50])
    np.testing.assert_allclose(output(weighted, X), output(removed, X), rtol=1e-9)


def test_weights_that_leave_a_side_of_the_split_empty():
    weight = np.zeros(60)
    weight[0] = 1
    with pytest.raises(ValueError, match=r"sample_weight is zero for every .*positive weight"):
        make(MLPClassifier, early_stopping=True).fit(X, CLASSES, sample_weight=weight)


# --- 13: parameters ----------------------------------------------------------------------------

INVALID = {
    "hidden_layer_sizes": [0, -1, (5, 0), (2.5,), "ab", None],
    "activation": ["step", None],
    "solver": ["newton", None],
    "alpha": [-1, "a", None],
    "batch_size": [0, -5, 2.5, "all"],
    "learning_rate": ["cosines", 0.1],
    "learning_rate_init": [0, -1, "a"],
    "power_t": [-1],
    "max_iter": [0, -1, 2.5],
    "shuffle": [2, "yes"],
    "random_state": ["a", -1],
    "tol": [-1e-4, None],
    "verbose": [-1, "a"],
    "warm_start": [2],
    "momentum": [-0.1, 1.1],
    "nesterovs_momentum": [2],
    "early_stopping": ["worst", 2],
    "validation_fraction": [-0.1, 1.0, 2],
    "beta_1": [1.0, -0.1],
    "beta_2": [1.0, -0.1],
    "epsilon": [0, -1],
    "n_iter_no_change": [0, -1, 2.5],
    "max_fun": [0, -1],
    "dropout": [1.0, -0.1, "a", (0.1, 0.2, 0.3)],
    "l1_ratio": [-0.1, 1.1],
    "input_noise": [-1.0],
    "batch_norm": [2],
    "max_norm": [-1.0],
    "weight_decay": [-0.1],
    "clipnorm": [-1.0],
    "ema_momentum": [1.0],
    "weight_init": ["ortho", 2],
    "bias_init": ["one", None],
    "n_restarts": [0, 1.5],
    "callbacks": ["print"],
    "n_jobs": [2.5, "all", 0],
    "dtype": ["float16", "int", None],
}


@BOTH
@pytest.mark.parametrize("name", INVALID)
def test_invalid_parameters(Estimator, name):
    """Not an error in __init__; one in fit that names parameter and value."""
    for value in INVALID[name]:
        model = make(Estimator, **{name: value})
        shown = str(value).strip("()[],")
        with pytest.raises(ValueError, match=rf"(?s){name}.*{shown}"):
            model.fit(X, target(Estimator))
        assert not hasattr(model, "coefs_")


@pytest.mark.parametrize("value", ["even", [1.0, 2.0, 3.0], 2])
def test_invalid_class_weight(value):
    with pytest.raises(ValueError, match="class_weight"):
        make(MLPClassifier, class_weight=value).fit(X, CLASSES)


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ({0: 1, 7: 2}, r"weights for \[7\].*none for \[1, 2\]"),
        ({0: 1, 1: -1, 2: 1}, "finite weights >= 0"),
        ({0: 1, 1: np.nan, 2: 1}, "finite weights >= 0"),
        ({0: 0, 1: 0, 2: 0}, "zero for every"),
    ],
)
def test_invalid_class_weight_dict(weights, message):
    with pytest.raises(ValueError, match=message):
        make(MLPClassifier, class_weight=weights).fit(X, CLASSES)


def test_invalid_loss():
    with pytest.raises(ValueError, match=r"'loss' parameter.*Got 'mape'"):
        make(MLPRegressor, loss="mape").fit(X, NUMBERS)


def test_a_parameter_made_invalid_after_fit_is_an_error_of_the_next_call():
    model = make(MLPClassifier).fit(X, CLASSES).set_params(n_jobs=0)
    with pytest.raises(ValueError, match="n_jobs"):
        model.predict(X)
    with pytest.raises(ValueError, match="n_jobs"):
        model.partial_fit(X, CLASSES)


# --- 14: early stopping ------------------------------------------------------------------------


def test_early_stopping_with_a_class_of_one_member():
    y = np.zeros(60, dtype=int)
    y[0] = 1
    with pytest.raises(ValueError, match=r"least populated class.* only 1 member"):
        make(MLPClassifier, early_stopping=True).fit(X, y)
    y[1:30] = 2  # several classes are not stratified, as in scikit-learn
    model = make(MLPClassifier, early_stopping=True).fit(X, y)
    assert len(model.validation_scores_) == 5


@BOTH
def test_early_stopping_with_few_rows(Estimator):
    y = np.arange(60) % 2 if Estimator is MLPClassifier else NUMBERS
    with pytest.raises(ValueError, match=r"validation set is too small|least populated class"):
        make(Estimator, early_stopping=True).fit(X[:2], y[:2])
    model = make(Estimator, early_stopping=True, validation_fraction=0.5).fit(X[:4], y[:4])
    assert len(model.validation_scores_) == model.n_iter_


# --- 15: refitting, and what fit leaves behind -------------------------------------------------


@SOLVERS
def test_refit_on_another_shape(solver):
    model = make(MLPClassifier, solver=solver, hidden_layer_sizes=(4, 4)).fit(X, CLASSES)
    model.set_params(hidden_layer_sizes=3).fit(X[:30, :2], np.arange(30) % 2)
    fresh = make(MLPClassifier, solver=solver, hidden_layer_sizes=3)
    fresh.fit(X[:30, :2], np.arange(30) % 2)
    np.testing.assert_array_equal(model.predict_proba(X[:, :2]), fresh.predict_proba(X[:, :2]))
    for name in ("n_iter_", "t_", "n_layers_", "n_outputs_", "loss_", "n_features_in_"):
        assert getattr(model, name) == getattr(fresh, name)
    assert vars(model).keys() == vars(fresh).keys()


def test_attributes_of_another_solver_do_not_stay():
    model = make(MLPClassifier).fit(X, CLASSES).set_params(solver="lbfgs").fit(X, CLASSES)
    fresh = make(MLPClassifier, solver="lbfgs").fit(X, CLASSES)
    np.testing.assert_array_equal(model.predict_proba(X), fresh.predict_proba(X))
    assert not hasattr(model, "loss_curve_")
    assert not hasattr(model, "validation_scores_")


@BOTH
@pytest.mark.parametrize(
    "call",
    [
        lambda m, y: m.fit(X[:, :3], y * np.nan),
        lambda m, y: m.fit(X[:, :3], np.where(y > 0, "a", None)),
        lambda m, y: m.fit(X[:, :3], y, sample_weight=np.zeros(60)),
        lambda m, y: m.fit(X[:, :3], y, X_val=X, y_val=y),
        lambda m, y: m.fit(X[:, :3], y, X_val=X[:, :3]),
        lambda m, y: m.set_params(hidden_layer_sizes=(3, 0)).fit(X[:, :3], y),
        lambda m, y: m.set_params(early_stopping=True).fit(X[:2, :3], y[:2]),
        lambda m, y: m.set_params(warm_start=True, hidden_layer_sizes=9).fit(X, y),
        lambda m, y: m.partial_fit(X[:, :3], y),
    ],
)
def test_a_fit_that_cannot_begin_leaves_the_last_one(Estimator, call):
    y = target(Estimator)
    model = make(Estimator).fit(X, y)
    expected, before = output(model, X), vars(model).copy()
    with pytest.raises(ValueError):
        call(model, y)
    np.testing.assert_array_equal(output(model, X), expected)
    parameters = model.get_params()
    after = vars(model)
    assert before.keys() == after.keys()
    assert all(after[key] is before[key] for key in before if key not in parameters)


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_global_random_state_is_left_alone(Estimator, early_stopping):
    np.random.seed(0)
    before = np.random.get_state()[1].copy()
    make(Estimator, early_stopping=early_stopping, dropout=0.3).fit(X, target(Estimator)).predict(X)
    np.testing.assert_array_equal(np.random.get_state()[1], before)


# --- validation sets ---------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X_val": X}, "X_val is provided, but y_val was not"),
        ({"y_val": NUMBERS}, "y_val is provided, but X_val was not"),
        ({"sample_weight_val": np.ones(60)}, "sample_weight_val is provided, but X_val and y_val"),
        ({"X_val": X[:, :3], "y_val": CLASSES}, "validation set.*X has 3 features"),
        ({"X_val": X[:0], "y_val": CLASSES[:0]}, r"validation set.*0 sample\(s\)"),
        ({"X_val": X * np.nan, "y_val": CLASSES}, "validation set.*X contains NaN"),
        ({"X_val": X, "y_val": CLASSES[:5]}, "validation set.*inconsistent numbers"),
        ({"X_val": X, "y_val": np.c_[CLASSES, CLASSES]}, "validation set.*y has"),
    ],
)
def test_bad_validation_sets(Estimator, arguments, message):
    for early_stopping in (False, True):
        model = make(Estimator, early_stopping=early_stopping)
        with pytest.raises(ValueError, match=f"(?s){message}"):
            model.fit(X, target(Estimator), **arguments)
        assert not hasattr(model, "coefs_")


def test_validation_sets_with_unseen_labels_or_too_few_rows():
    with pytest.raises(ValueError, match=r"validation set.*classes not in.*\[7\]"):
        make(MLPClassifier).fit(X, CLASSES, X_val=X[:2], y_val=[0, 7])
    with pytest.raises(ValueError, match=r"validation set.*1 sample"):
        make(MLPRegressor).fit(X, NUMBERS, X_val=X[:1], y_val=NUMBERS[:1])
    model = make(MLPClassifier).fit(X, CLASSES, X_val=X[:1], y_val=CLASSES[:1])
    assert set(model.validation_scores_) <= {0.0, 1.0}


# --- replaced weights --------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("shape", [(5, 7), (1, 8), (8,), (6, 8)])
def test_weights_replaced_by_another_shape(Estimator, shape):
    model = make(Estimator).fit(X, target(Estimator))
    model.coefs_[0] = np.zeros(shape)
    with pytest.raises(
        ValueError, match=r"replaced by arrays.*pass arrays of the shapes \[\(5, 8\)"
    ):
        model.predict(X)


def test_nothing_here_warns_of_itself():
    """What the filters at the top let pass is scikit-learn's ConvergenceWarning alone."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        load = load_iris(return_X_y=True)
        MLPClassifier(5, max_iter=2000, tol=1e-2, random_state=0).fit(*load).score(*load)
