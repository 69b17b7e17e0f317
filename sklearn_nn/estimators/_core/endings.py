"""Endings of training that users are told of."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn.estimators._core.parts import warn
from sklearn_nn.training.callbacks import is_stopped_gently


class DivergenceError(ValueError):
    """Training came to numbers that are infinite or NaN."""


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
