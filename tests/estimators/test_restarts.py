"""Several trainings from other initial weights: the best is kept, whatever becomes of the rest."""

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    X,
    assert_same_training,
    fitted,
    make,
    output,
    target,
    validation,
)
from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.training import Callback, LambdaCallback, TerminateOnNaN

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
SETS, NUMBER_SETS = validation(MLPClassifier), validation(MLPRegressor)


class Runs(Callback):
    """Takes down the outcome of every training; the runs named go astray in their second epoch."""

    def __init__(self, astray=(), outcomes=None):
        self.astray = astray
        self.outcomes = outcomes

    def on_fit_begin(self, estimator):
        self.outcomes.append(None)

    def on_epoch_begin(self, epoch, estimator):
        if epoch == 2 and len(self.outcomes) in self.astray:
            estimator._network.theta[0] = np.nan

    def on_fit_end(self, estimator):
        held_out = estimator._held_out
        self.outcomes[-1] = (
            getattr(estimator, "loss_", np.inf),
            estimator.best_validation_score_,
            None if held_out is None else held_out.tolist(),
        )


def restarted(n=4, astray=(), **parameters):
    runs = Runs(astray, [])
    return make(n_restarts=n, callbacks=[runs], **parameters), runs


@BOTH
def test_the_restart_of_the_smallest_loss_is_kept(Estimator):
    model, runs = restarted(max_iter=4)
    model = make(Estimator, n_restarts=4, max_iter=4, callbacks=[runs]).fit(X, target(Estimator))
    losses = [loss for loss, *_ in runs.outcomes]
    assert len(set(losses)) == 4
    assert model.loss_ == model.loss_curve_[-1] == min(losses)
    first = fitted(Estimator, max_iter=4)
    assert losses[0] == first.loss_
    assert model.n_iter_ == 4


@BOTH
@pytest.mark.parametrize("early_stopping", [True, "best"])
def test_the_restart_of_the_best_score_is_kept(Estimator, early_stopping):
    """All are scored on the same rows."""
    runs = Runs((), [])
    model = make(
        Estimator, n_restarts=4, early_stopping=early_stopping, max_iter=6, callbacks=[runs],
        validation_fraction=0.3,
    ).fit(X, target(Estimator))  # fmt: skip
    assert model.best_validation_score_ == max(score for _, score, _ in runs.outcomes)
    assert len({score for _, score, _ in runs.outcomes}) > 1
    assert all(held_out == runs.outcomes[0][2] for *_, held_out in runs.outcomes)
    held_out = model._held_out
    y = target(Estimator)
    score = model.score(X[held_out], y[held_out])
    assert score == pytest.approx(model.best_validation_score_, rel=1e-12)


def test_a_recorded_score_is_that_of_the_weights_kept():
    """Without early stopping the last weights are kept, and their score counts."""
    last = []
    note = LambdaCallback(on_fit_end=lambda model: last.append(model.validation_scores_[-1]))
    model = make(MLPRegressor, n_restarts=5, max_iter=5, learning_rate_init=0.2, callbacks=[note])
    model.fit(X, NUMBERS, **NUMBER_SETS)
    assert model.score(*NUMBER_SETS.values()) == pytest.approx(max(last), rel=1e-12)


def test_restarts_of_lbfgs():
    model = fitted(solver="lbfgs", n_restarts=4, max_iter=5)
    generator = np.random.RandomState(3)
    alone = [fitted(solver="lbfgs", max_iter=5, random_state=generator) for _ in range(4)]
    assert model.loss_ == min(other.loss_ for other in alone)


def test_restarts_are_reproducible_and_move_a_generator_on():
    first, second = (fitted(n_restarts=3, dropout=0.2, n_jobs=jobs) for jobs in (1, 2))
    assert_same_training(first, second)
    generator = np.random.RandomState(3)
    one = fitted(n_restarts=3, random_state=generator)
    other = fitted(n_restarts=3, random_state=generator)
    assert one.loss_ != other.loss_


@pytest.mark.parametrize("astray", [(1,), (2,), (4,), (1, 2, 3)])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_a_restart_that_diverges_is_worse(astray, early_stopping):
    model, runs = restarted(astray=astray, early_stopping=early_stopping, max_iter=5)
    if early_stopping:  # the best weights so far are kept, with their score
        with pytest.warns(ConvergenceWarning, match="diverged in epoch 2.*best weights are kept"):
            model.fit(X, CLASSES)
        assert model.best_validation_score_ == max(score for _, score, _ in runs.outcomes)
    else:
        told = f"{len(astray)} of 4 restarts diverged and were left out"
        with pytest.warns(ConvergenceWarning, match=told):
            model.fit(X, CLASSES)
        sound = [outcome[0] for k, outcome in enumerate(runs.outcomes, 1) if k not in astray]
        assert model.loss_ == min(sound)
        assert model.n_iter_ == len(model.loss_curve_) == 5
    assert len(runs.outcomes) == 4
    assert np.isfinite(output(model)).all()
    model.set_params(callbacks=None).partial_fit(X, CLASSES, **SETS)


def test_all_restarts_diverge():
    model, runs = restarted(n=3, astray=(1, 2, 3))
    with pytest.raises(ValueError, match=r"diverged in epoch 2.*from before that epoch are\s+kept"):
        model.fit(X, CLASSES)
    assert len(runs.outcomes) == 3
    assert np.isfinite(output(model)).all()


def test_a_restart_that_diverges_gently_is_worse_too():
    runs = Runs((1, 3), [])
    model = make(n_restarts=3, callbacks=[runs, TerminateOnNaN()], max_iter=4)
    with pytest.warns(ConvergenceWarning, match="diverged in epoch 2"):
        model.fit(X, CLASSES)
    assert model.n_iter_ == len(model.loss_curve_) == 4
    assert model.loss_ == runs.outcomes[1][0]


def test_ctrl_c_in_a_restart():
    """The restarts before it are not lost, and there is none after it."""
    begun = []

    def interrupt(epoch, _, model):
        if len(begun) == 2 and epoch == 1:
            raise KeyboardInterrupt

    callbacks = [LambdaCallback(interrupt, on_fit_begin=begun.append)]
    with pytest.warns(UserWarning, match="interrupted by user"):
        model = make(n_restarts=4, callbacks=callbacks).fit(X, CLASSES)
    assert len(begun) == 2
    assert_same_training(model, fitted())


def test_an_error_in_a_restart_is_an_error():
    def fail(model):
        raise ValueError("mine")

    with pytest.raises(ValueError, match="mine"):
        fitted(n_restarts=3, callbacks=[LambdaCallback(on_fit_begin=fail)])


def test_warm_started_and_resumed_fits_do_not_restart():
    model, runs = restarted(n=3, warm_start=True)
    model.fit(X, CLASSES).fit(X, CLASSES).partial_fit(X, CLASSES)
    assert len(runs.outcomes) == 5
