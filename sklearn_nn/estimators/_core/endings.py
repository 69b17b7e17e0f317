"""Warnings and errors about how a training ended."""

from __future__ import annotations

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
            "partial_fit, or batch of an iterable, is one. These epochs are over, so the schedule "
            f"begins again; set max_iter to the total number of epochs, or {endless}"
        )
    else:
        message = f"{told} has reached 0, so that nothing more is learnt; set {endless}"
    warn(message)


def _scaling(est):
    """Return the advice to scale the data, in a list that is empty where fits scale them anyway."""
    if hasattr(est, "scale_inputs"):  # where targets are scaled
        return ["scale X (scale_inputs=True)"]
    return ["scale the data (StandardScaler)"] if est._like_scikit_learn else []


def tell_divergence(est, trainer):
    """Warn if there are best weights, or a callback asks for a warning; else raise an error."""
    remedies = " or ".join([*_scaling(est), "lower learning_rate_init"])
    told = (
        f"Training diverged in epoch {trainer.n_epochs} with a learning rate of "
        f"{trainer.descent.learning_rate:g}; {remedies}."
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


def tell_explosion(est, trainer):
    """Warn that the loss is finite, but absurdly large."""
    remedies = ", ".join(["lower learning_rate_init", *_scaling(est)])
    kept = " The best weights are kept." if trainer.history.best_theta is not None else ""
    warn(
        f"Training exploded: the loss rose from {trainer.first_loss:.3g} to "
        f"{trainer.history.curves['loss'][-1]:.3g} with a learning rate of "
        f"{trainer.descent.base_rate:.3g}; {remedies}, or limit the gradient, as by "
        f"clipnorm=1.{kept}",
        ConvergenceWarning,
    )
