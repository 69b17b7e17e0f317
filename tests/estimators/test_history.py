"""The history of a fit as a table, and progress on a terminal and elsewhere."""

import io
import math
import pickle
import sys

import numpy as np
import pytest

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    WEIGHTS,
    X,
    diverging,
    fitted,
    make,
    target,
    validation,
)
from sklearn_nn import MLPClassifier
from sklearn_nn.jit.console import tell_once
from sklearn_nn.training import LambdaCallback, ProgressBar, TrainingScore

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- the history ----------------------------------------------------------------------------------


def check_history(model):
    """All lists are as long as each other, and make a table."""
    assert {len(curve) for curve in model.history_.values()} == {len(model.loss_curve_)}
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(model.history_)
    assert frame["loss"].tolist() == model.loss_curve_
    assert set(frame.columns) >= {"loss", "learning_rate", "seconds"}
    assert set(frame.dtypes.astype(str)) == {"float64"}
    return frame


@BOTH
@pytest.mark.parametrize(
    "parameters",
    [
        {}, {"early_stopping": True}, {"early_stopping": "best", "scoring": "loss"},
        {"n_restarts": 2}, {"warm_start": True}, {"warm_start": "resume"},
    ],
    ids=str,
)  # fmt: skip
def test_the_history_is_a_table(Estimator, parameters):
    model = fitted(Estimator, **parameters)
    frame = check_history(model)
    assert len(frame) == model.n_iter_
    assert ("val_score" in frame) == bool(model.early_stopping)
    model.fit(X, target(Estimator))
    check_history(model)


@BOTH
@pytest.mark.parametrize("early_stopping", [False, True])
def test_the_score_on_the_training_samples(Estimator, early_stopping):
    """After every epoch, of the rows that are trained on, weighted as they are."""
    y, weight, scores = target(Estimator), WEIGHTS, []

    def take_down(epoch, log, estimator):
        rows = sorted(estimator._order)
        scores.append(estimator.score(X[rows], y[rows], weight[rows]))

    model = make(
        Estimator, early_stopping=early_stopping,
        callbacks=[TrainingScore(), LambdaCallback(take_down)],
    ).fit(X, y, weight)  # fmt: skip
    assert model.history_["score"] == pytest.approx(scores, rel=1e-12)
    assert len(model._order) == (180 if early_stopping else 200)
    plain = make(Estimator, early_stopping=early_stopping).fit(X, y, weight)
    assert plain.loss_curve_ == model.loss_curve_
    assert "score" not in plain.history_
    check_history(model)


def test_the_history_of_partial_fits():
    """Where the validation set comes and goes, what was not taken is NaN."""
    model, sets = make(), validation(MLPClassifier)
    model.partial_fit(X, CLASSES, classes=[0, 1, 2])
    model.partial_fit(X, CLASSES, **sets)
    model.partial_fit(X, CLASSES)
    frame = check_history(model)
    assert frame["val_score"].isna().tolist() == [True, False, True]
    assert model.best_validation_score_ == frame["val_score"].max()


def test_the_history_of_a_fit_that_diverged():
    with pytest.raises(ValueError, match="diverged"):
        (model := diverging()).fit(1e3 * X, NUMBERS)
    assert {len(curve) for curve in model.history_.values()} == {len(model.loss_curve_)}
    assert model.n_iter_ == len(model.loss_curve_) + 1


# --- progress -------------------------------------------------------------------------------------


class Terminal(io.StringIO):
    """What says that it is a terminal."""

    def isatty(self):
        return True


def on_a_terminal(monkeypatch, fit):
    """What is drawn while `fit` runs."""
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Terminal())
        patch.setenv("TERM", "xterm")
        patch.setenv("COLUMNS", "120")
        fit()
        return sys.stdout.getvalue()


@pytest.mark.parametrize("early_stopping", [False, True])
def test_verbose_draws_a_bar_on_a_terminal(early_stopping, monkeypatch):
    model = make(verbose=True, early_stopping=early_stopping, tol=0.5, n_iter_no_change=1)
    drawn = on_a_terminal(monkeypatch, lambda: model.fit(X, CLASSES))
    assert f"epoch {model.n_iter_}/12" in drawn
    assert f"loss {model.loss_curve_[-1]:.4f}" in drawn
    assert "samples/s" in drawn
    assert ("val_score" in drawn) == early_stopping
    assert "Iteration" not in drawn
    assert model.n_iter_ < 12
    assert model.callbacks is None
    pickle.dumps(model)


def test_a_bar_that_an_error_ends(monkeypatch):
    """The terminal is given back: a bar that is still alive would not let another begin."""

    def fail(*_):
        raise RuntimeError("mine")

    def fit():
        for _ in range(2):
            with pytest.raises(RuntimeError, match="mine"):
                fitted(callbacks=[ProgressBar(), LambdaCallback(fail)])

    assert "epoch 1/12" in on_a_terminal(monkeypatch, fit)


def test_verbose_prints_lines_where_there_is_no_terminal(capsys):
    model = fitted(verbose=True)
    lines = capsys.readouterr().out.splitlines()
    expected = [f"Iteration {i}, loss = {loss:.8f}" for i, loss in enumerate(model.loss_curve_, 1)]
    assert lines == expected


def test_verbose_prints_lines_where_neither_rich_nor_tqdm_is_installed(monkeypatch, capsys):
    def fit():
        with monkeypatch.context() as patch:
            for name in ("rich", "tqdm"):
                patch.setitem(sys.modules, name, None)
            fitted(verbose=True)

    try:
        assert "Iteration 12, loss = " in on_a_terminal(monkeypatch, fit)
        assert "pip install rich" in capsys.readouterr().err
    finally:
        tell_once.cache_clear()


def test_a_bar_without_rich_and_tqdm(monkeypatch):
    for name in ("rich", "tqdm"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match="rich or tqdm; install one of them with pip install"):
        fitted(callbacks=[ProgressBar()])


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_restarts_say_which_network_is_trained(solver, capsys, monkeypatch):
    fitted(verbose=True, n_restarts=3, max_iter=2, solver=solver)
    lines = capsys.readouterr().out.splitlines()
    names = [f"Network {k} of 3" for k in (1, 2, 3)]
    assert [line for line in lines if "loss" not in line] == names
    if solver == "adam":
        assert lines[::3] == names
        model = make(verbose=True, n_restarts=3, max_iter=2)
        drawn = on_a_terminal(monkeypatch, lambda: model.fit(X, CLASSES))
        assert all(f"{name.lower()}, epoch 2/2" in drawn for name in names)
        assert "_network_name" not in vars(model)


def test_partial_fit_prints_a_line_on_a_terminal_too(monkeypatch):
    """It is one epoch, which needs no bar."""
    model = make(verbose=True)

    def fit():
        for _ in range(2):
            model.partial_fit(X, CLASSES, classes=np.unique(CLASSES))

    drawn = on_a_terminal(monkeypatch, fit)
    losses = [f"loss = {loss:.8f}" for loss in model.loss_curve_]
    assert drawn.splitlines() == [f"Iteration 1, {loss}" for loss in losses]


def test_a_bar_where_there_is_no_terminal(capsys):
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    model = fitted(callbacks=[ProgressBar()])
    assert "epoch 12/12" in capsys.readouterr().out
    assert math.isfinite(model.loss_)
