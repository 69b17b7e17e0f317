"""Scoring, early stopping, interrupts, divergence, partial_fit with a validation set."""

import warnings

import numpy as np
import pytest
from sklearn.metrics import f1_score, get_scorer, make_scorer
from sklearn.model_selection import train_test_split

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    RNG,
    WEIGHTS,
    N,
    X,
    assert_same_training,
    diverging,
    fitted,
    make,
    target,
    validation,
)
from helpers.interrupts import interrupt_when, sends_signals
from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.network.machine import Machine
from sklearn_nn.training import LambdaCallback, TerminateOnNaN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SETS, NUMBER_SETS = validation(MLPClassifier), validation(MLPRegressor)
X_VAL, CLASSES_VAL = SETS.values()
NUMBERS_VAL = NUMBER_SETS["y_val"]

# --- scoring --------------------------------------------------------------------------------------


@BOTH
def test_scoring_by_the_loss(Estimator):
    model = make(Estimator, scoring="loss", early_stopping=True)
    model.fit(X, target(Estimator), **validation(Estimator))
    assert model.validation_scores_ == [-loss for loss in model.validation_loss_curve_]
    assert model.best_iteration_ == 1 + int(np.argmin(model.validation_loss_curve_))
    if Estimator is MLPRegressor:
        error = model.predict(X_VAL) - NUMBERS_VAL
        assert min(model.validation_loss_curve_) == pytest.approx(np.mean(error**2) / 2)


@pytest.mark.parametrize(
    ("scoring", "y", "y_val"),
    [
        ("balanced_accuracy", CLASSES, CLASSES_VAL),
        ("neg_log_loss", CLASSES, CLASSES_VAL),
        ("roc_auc_ovr", CLASSES, CLASSES_VAL),
        ("roc_auc", CLASSES > 0, CLASSES_VAL > 0),
        ("f1", np.array(["a", "b"])[(CLASSES > 0) * 1] == "b", CLASSES_VAL > 0),
        ("f1_macro", np.c_[CLASSES > 0, CLASSES > 1] * 1, np.c_[CLASSES_VAL > 0, CLASSES_VAL > 1]),
        ("neg_mean_absolute_error", NUMBERS, NUMBERS_VAL),
        ("r2", np.c_[NUMBERS, -NUMBERS], np.c_[NUMBERS_VAL, NUMBERS_VAL]),
        (make_scorer(f1_score, average="weighted"), CLASSES, CLASSES_VAL),
    ],
    ids=str,
)
@pytest.mark.parametrize("weighted", [False, True])
def test_scorers_of_scikit_learn(scoring, y, y_val, weighted):
    """What is recorded is what the scorer says of the estimator."""
    Estimator = MLPRegressor if y.dtype.kind == "f" else MLPClassifier
    weights = {"sample_weight_val": np.linspace(0.1, 2, len(X_VAL))} if weighted else {}
    model = make(Estimator, scoring=scoring, max_iter=3)
    model.fit(X, y, X_val=X_VAL, y_val=y_val, **weights)
    scorer = get_scorer(scoring) if isinstance(scoring, str) else scoring
    passed = {"sample_weight": weights["sample_weight_val"]} if weighted else {}
    expected = scorer(model, X_VAL, y_val * 1, **passed)
    assert model.validation_scores_[-1] == pytest.approx(expected, rel=1e-12)
    if weighted:
        assert expected != scorer(model, X_VAL, y_val * 1)


def test_a_scorer_of_ones_own():
    seen = []

    def score(model, X, y):
        seen.append(y)
        return float(np.mean(model.predict(X) == y) - model.predict_proba(X)[:, 0].mean())

    model = make(scoring=score, max_iter=3).fit(X, CLASSES, **SETS)
    p = model.predict_proba(X_VAL)
    expected = np.mean(p.argmax(1) == CLASSES_VAL) - p[:, 0].mean()
    assert model.validation_scores_[-1] == pytest.approx(expected)
    np.testing.assert_array_equal(seen[0], CLASSES_VAL)


def test_a_scorer_that_takes_no_weights():
    def score(model, X, y):
        return model.score(X, y)

    model = make(scoring=score, early_stopping=True)
    model.fit(X, CLASSES)
    with pytest.raises(ValueError, match=r"scoring=<function.*takes no sample_weight.*argument"):
        model.fit(X, CLASSES, WEIGHTS)


def test_unknown_scorers():
    with pytest.raises(ValueError, match="'nonsense' is not a valid scoring value"):
        fitted(scoring="nonsense", early_stopping=True)
    with pytest.raises(ValueError, match="'scoring' parameter"):
        fitted(scoring=3)


@pytest.mark.parametrize("scoring", [None, "loss", "balanced_accuracy"])
def test_data_frames_are_scored_without_a_warning(scoring):
    pd = pytest.importorskip("pandas")
    frame, frame_val = (pd.DataFrame(rows, columns=list("abcdef")) for rows in (X, X_VAL))
    words = {0: "low", 1: "mid", 2: "high"}
    y, y_val = (pd.Series(labels).map(words) for labels in (CLASSES, CLASSES_VAL))
    named = make(scoring=scoring, early_stopping=True).fit(frame, y)
    assert len(named.validation_scores_) == named.n_iter_
    named.fit(frame, y, X_val=frame_val, y_val=y_val)
    plain = make(scoring=scoring, early_stopping=True)
    plain.fit(X, y.to_numpy(), X_val=X_VAL, y_val=y_val)
    assert_same_training(named, plain)


def test_weights_of_held_out_rows_count():
    weighted = make(early_stopping=True, max_iter=3).fit(X, CLASSES, WEIGHTS)
    held_out = weighted._held_out
    assert weighted.best_validation_score_ == pytest.approx(
        weighted.score(X[held_out], CLASSES[held_out], WEIGHTS[held_out])
    )


# --- early stopping -------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("ema_momentum", [0.0, 0.5])
def test_best_never_stops_and_goes_back(Estimator, ema_momentum):
    y, sets = target(Estimator), validation(Estimator)
    parameters = {"ema_momentum": ema_momentum, "batch_norm": True, "learning_rate_init": 0.05}
    bests = []
    for seed in range(3):
        parameters["random_state"] = seed
        model = make(Estimator, early_stopping="best", n_iter_no_change=1, max_iter=40)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.set_params(**parameters).fit(X, y, **sets)
        assert model.n_iter_ == 40
        bests.append(best := model.best_iteration_)
        assert best == 1 + int(np.argmax(model.validation_scores_))
        assert model.score(*sets.values()) == pytest.approx(model.best_validation_score_, rel=1e-12)
        straight = make(Estimator, max_iter=best, tol=0.0, n_iter_no_change=np.inf, **parameters)
        straight.fit(X, y, **sets)
        np.testing.assert_array_equal(model._network.theta, straight._network.theta)
        np.testing.assert_array_equal(model._network.state, straight._network.state)
    assert min(bests) < 40  # else there was nothing to go back to


def test_the_best_iteration_of_a_loss():
    bests = []
    for seed in range(3):
        model = fitted(MLPRegressor, learning_rate_init=0.1, max_iter=40, random_state=seed)
        bests.append(model.best_iteration_)
        assert bests[-1] == 1 + int(np.argmin(model.loss_curve_))
        assert model.best_loss_ == min(model.loss_curve_)
    assert min(bests) < 40


def epochs_by_rule(curve, tol, patience):
    """Epochs until more than `patience` of them have not been better than all before by `tol`."""
    best, count = np.inf, 0
    for epoch, value in enumerate(curve, 1):
        count = 0 if value <= best - tol else count + 1
        best = min(best, value)
        if count > patience:
            return epoch
    return len(curve)


@BOTH
@pytest.mark.parametrize("tol", [0.0, 1e-3, 0.02])
@pytest.mark.parametrize("scoring", ["training", None, "loss"])
def test_tol_is_the_least_improvement(Estimator, scoring, tol):
    watched = {} if scoring == "training" else {"early_stopping": True, "scoring": scoring}
    parameters = {"n_iter_no_change": 3, "tol": tol, "max_iter": 60, "learning_rate_init": 0.05}
    model = make(Estimator, **watched, **parameters)
    model.fit(X, target(Estimator), **validation(Estimator))
    curve = [-score for score in model.validation_scores_] if watched else model.loss_curve_
    assert model.n_iter_ == epochs_by_rule(curve, tol, 3)


def test_only_binary_targets_are_stratified():
    """As scikit-learn's MLP does it: a quirk of its own, kept so that results are the same."""
    model = fitted(early_stopping=True)
    rows = np.arange(N)
    generator = np.random.RandomState(3)
    generator.uniform(size=sum(array.size for array in model.coefs_ + model.intercepts_))
    assert set(train_test_split(rows, random_state=generator, test_size=0.1)[1]) == set(
        model._held_out
    )
    two = make(early_stopping=True, validation_fraction=0.2).fit(X, CLASSES > 0)
    share = np.mean(CLASSES[two._held_out] > 0)
    assert share == pytest.approx(np.mean(CLASSES > 0), abs=1 / 40)


# --- interrupts and divergence --------------------------------------------------------------------


@sends_signals
def test_ctrl_c_is_answered(monkeypatch):
    """What was learnt is kept; the estimator predicts, goes on, and fits anew."""
    rows, steps, plain = RNG.standard_normal((20_000, 40)), [0], Machine.train

    def train(machine, *arguments, **named):
        losses = plain(machine, *arguments, **named)
        steps[0] = machine.step
        return losses

    monkeypatch.setattr(Machine, "train", train)
    model = make(MLPRegressor, hidden_layer_sizes=(300, 300), max_iter=10_000)
    watch = interrupt_when(lambda: steps[0] > 0)
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(rows, rows[:, 0])
    watch.join()
    assert model.n_iter_ == len(model.loss_curve_) < 10_000
    assert np.isfinite(model.predict(rows[:10])).all()
    model.partial_fit(rows[:100], rows[:100, 0])
    model.set_params(hidden_layer_sizes=(5,), max_iter=2).fit(X, NUMBERS)


@pytest.mark.parametrize("ema_momentum", [0.0, 0.9])
def test_divergence_in_the_first_epoch_keeps_the_initial_weights(ema_momentum):
    model = diverging(ema_momentum=ema_momentum, learning_rate_init=1e200)
    with pytest.raises(ValueError, match=r"diverged in epoch 1 with a learning rate of 1e\+200"):
        model.fit(1e3 * X, NUMBERS)
    initial = diverging().initialize(X, NUMBERS)
    np.testing.assert_array_equal(model._network.theta, initial._network.theta)


def interrupt(*_):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (make(), "Maximum iterations"),
        (make(batch_size=1000), "It is going to be clipped"),
        (make(callbacks=[LambdaCallback(interrupt)]), "interrupted by user"),
        (diverging(callbacks=[TerminateOnNaN()]), "Training diverged"),
    ],
    ids=["epochs", "batch", "Ctrl-C", "NaN"],
)
def test_warnings_point_to_the_call_of_fit(model, message):
    pytest.importorskip("sklearn.callback", reason="without it, fit has a frame less around it")
    with pytest.warns(match=message) as told:
        model.fit(1e3 * X, CLASSES)
    assert {warning.filename for warning in told if message in str(warning.message)} == {__file__}


# --- partial_fit ----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("ema_momentum", [0.0, 0.5])
def test_partial_fit_and_early_stopping(Estimator, ema_momentum):
    """Once patience is at an end the weights are the best ones, and training goes on from them."""
    y, sets = target(Estimator), validation(Estimator)
    model = make(
        Estimator, early_stopping=True, n_iter_no_change=4, tol=0.0, ema_momentum=ema_momentum,
        learning_rate_init=0.05,
    )  # fmt: skip
    first = {"classes": [0, 1, 2]} if Estimator is MLPClassifier else {}
    weights = [model.partial_fit(X, y, **first, **sets)._network.theta.copy()]
    while not model._history.stopped:
        weights.append(model.partial_fit(X, y, **sets)._network.theta.copy())
    assert len(weights) == len(model.loss_curve_) < 200
    best = model.best_iteration_
    assert len(weights) == best + 5
    np.testing.assert_array_equal(weights[-1], weights[best - 1])
    assert model.score(*sets.values()) == pytest.approx(model.best_validation_score_, rel=1e-12)
    begun = []
    look = LambdaCallback(on_fit_begin=lambda model: begun.append(model._network.theta.copy()))
    model.set_params(callbacks=[look]).partial_fit(X, y, **sets)
    np.testing.assert_array_equal(begun[0], weights[best - 1])


@pytest.mark.parametrize("early_stopping", [True, "best"])
def test_partial_fit_needs_a_validation_set_to_stop_by(early_stopping):
    model = make(MLPRegressor, early_stopping=early_stopping)
    with pytest.raises(ValueError, match=r"partial_fit does not support.*pass X_val and y_val"):
        model.partial_fit(X, NUMBERS)
    assert not hasattr(model, "coefs_")
    model.partial_fit(X, NUMBERS, **NUMBER_SETS)


def test_partial_fit_without_early_stopping_records():
    model = make(MLPRegressor)
    for _ in range(3):
        model.partial_fit(X, NUMBERS, **NUMBER_SETS)
    assert len(model.validation_scores_) == 3
    assert model.validation_scores_[-1] == pytest.approx(model.score(X_VAL, NUMBERS_VAL))


@pytest.mark.parametrize("schedule", ["onecycle", "cosine", "coslog4", "flat_cos", "polynomial"])
def test_schedules_that_plan_the_end_get_there(schedule):
    """The training loss does not cut them short; nor is anybody warned at the end."""
    X, y = np.zeros((20, 2)), np.arange(20) % 2
    # The loss does not improve by so much.
    options = {"max_iter": 30, "tol": 1.0, "n_iter_no_change": 2, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        planned = MLPClassifier((2,), learning_rate=schedule, **options).fit(X, y)
    assert planned.n_iter_ == 30
    assert MLPClassifier((2,), **options).fit(X, y).n_iter_ < 10
    early = MLPClassifier((2,), learning_rate=schedule, early_stopping=True, **options)
    assert early.fit(X, y).n_iter_ < 10
