"""Results of training: what is kept, what is published, and what users are told."""

from __future__ import annotations

import contextlib

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn.estimators._core.checks import warn
from sklearn_nn.training.callbacks import Callback, is_stopped_gently

#: Attributes that a training leaves and that a new one from other weights begins without.
LEFT_BY_TRAINING = (
    "_history",
    "_optimizer",
    "_order",
    "_was_frozen",
    "_seed",
    "_incomplete",
    "_end_was_told",
    "_no_improvement_count",
    "history_",
    "loss_",
    "loss_curve_",
    "validation_loss_curve_",
    "best_loss_",
    "best_iteration_",
    "validation_scores_",
    "best_validation_score_",
)


class DivergenceError(ValueError):
    """Training came to numbers that are infinite or NaN."""


#: Attributes that exist only while a fit is under way.
OF_A_FIT = ("_callback_data", "_descent_before", "_first_rows", "_stopped_by", "_subtasks")


@contextlib.contextmanager
def all_or_nothing(estimator):
    """Restore the estimator if an error is raised within.

    Weights are trained in buffers of their own; what training changes in place, the optimizer and
    the history, is put back. Two endings are kept, since their results stand for themselves:
    training that diverged, as it was before that epoch; and training that was stopped by an error
    in a callback or by an interrupt, as it is.
    """
    before = estimator.__dict__.copy()
    history, generator = before.get("_history"), before.get("random_state")
    mark = None if history is None else history.mark()
    is_generator = isinstance(generator, np.random.RandomState)
    drawn = generator.get_state() if is_generator else None
    try:
        yield
    except BaseException as error:
        stopped = estimator.__dict__.get("_stopped_by") is error
        if not stopped and not isinstance(error, DivergenceError):
            descent = estimator.__dict__.get("_descent_before")
            estimator.__dict__ = before
            if descent is not None:
                vars(before["_optimizer"]).update(vars(descent))
            if history is not None:
                history.back_to(mark)
            if is_generator:
                generator.set_state(drawn)
        raise
    finally:
        for name in OF_A_FIT:
            estimator.__dict__.pop(name, None)


class Publisher(Callback):
    """Brings the estimator up to date before other callbacks look at it."""

    def __init__(self, trainer):
        self._trainer = trainer

    def on_epoch_end(self, epoch, log, estimator):
        """Publish the order of the rows and the history."""
        estimator._order = self._trainer.rows
        publish_history(estimator, self._trainer.history, self._trainer.n_epochs)


def publish_history(estimator, history, n_epochs):
    """Publish the history under scikit-learn's names, and its own."""
    curves = history.curves
    estimator.n_iter_ = n_epochs
    estimator.t_ = history.samples_seen
    estimator.loss_curve_ = curves.setdefault("loss", [])
    estimator.validation_loss_curve_ = curves.get("val_loss")
    if estimator.loss_curve_:
        estimator.loss_ = estimator.loss_curve_[-1]
    estimator.best_loss_ = None if history.validated else history.best_loss
    estimator.best_iteration_ = history.best_epoch
    scored = history.validated or "val_score" in curves
    estimator.validation_scores_ = curves.get("val_score", []) if scored else None
    estimator.best_validation_score_ = history.best_score if scored else None
    estimator._no_improvement_count = history.no_improvement


def tell_end_of_schedule(est):
    """Warn that partial_fit has been called more often than the schedule plans for."""
    est._end_was_told = True
    told = f"learning_rate={est._setting('learning_rate')!r}"
    endless = "a learning_rate without an end, such as 'constant' or 'inverse_time'."
    if est._optimizer.schedule.plans_the_end:
        message = (
            f"{told} plans for max_iter={est._setting('max_iter')} epochs, and each call of "
            "partial_fit, or batch of an iterable, is one. They are over, so it begins again "
            f"from its start; set max_iter to the number of all that will come, or {endless}"
        )
    else:
        message = f"{told} has come to 0, so that nothing more is learnt; set {endless}"
    warn(message)


def tell_divergence(trainer):
    """Warn where there are best weights to keep, or where that is asked for; else raise."""
    told = (
        f"Training diverged in epoch {trainer.n_epochs} with a learning rate of "
        f"{trainer.descent.learning_rate:g}; scale the data (StandardScaler) or lower "
        "learning_rate_init."
    )
    best = trainer.history.best_theta is not None
    if best or is_stopped_gently(trainer.callbacks):
        kept = "best weights" if best else "weights from before that epoch"
        warn(f"{told} The {kept} are kept.", ConvergenceWarning)
        return
    raise DivergenceError(
        "Solver produced non-finite parameter weights. The input data may contain large"
        f" values and need to be preprocessed. {told} The weights from before that epoch are"
        " kept."
    )


def objective(estimator):
    """Return the objective by which restarts are compared: the smaller, the better.

    That is minus a score, and the loss for those that are equal in it.
    """
    history = getattr(estimator, "_history", None)
    scores = getattr(estimator, "validation_scores_", None)
    found = getattr(estimator, "loss_", np.inf), 0.0
    if history is not None and scores:
        kept = history.best_theta is not None
        losses = history.curves["val_loss"]
        score = history.best_score if kept else scores[-1]
        found = -score, losses[history.best_epoch - 1 if kept else -1]
    return tuple(objective if np.isfinite(objective) else np.inf for objective in found)
