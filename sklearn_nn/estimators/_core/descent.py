"""Training in batches by a first-order optimizer, and what is told at its end."""

from __future__ import annotations

from sklearn.exceptions import ConvergenceWarning

from sklearn_nn.estimators._core import fitted_network
from sklearn_nn.estimators._core.callbacks import Publisher, tell_network
from sklearn_nn.estimators._core.endings import (
    tell_divergence,
    tell_end_of_schedule,
    tell_explosion,
)
from sklearn_nn.estimators._core.parts import FitMode, warn
from sklearn_nn.training.trainer import Ending


class Descent:
    """Training in batches, with a first-order optimizer, that is ready to begin."""

    def __init__(self, fit, trainer):
        self._fit, self._trainer = fit, trainer
        self._once = fit.mode is FitMode.ONE_EPOCH
        self._max_iter = fit.estimator._setting("max_iter")
        self._epochs_left = self._max_iter - trainer.n_epochs
        self._ending = None

    def run(self):
        """Train."""
        fit, trainer, est = self._fit, self._trainer, self._fit.estimator
        fit.begin_subtasks(1 if self._once else self._max_iter * est.n_restarts)
        if "_subtasks" in est.__dict__:
            trainer.callbacks = [*trainer.callbacks, est._subtasks]
        if trainer.callbacks:
            trainer.callbacks = [Publisher(trainer), *trainer.callbacks]
        if trainer.verbose:
            tell_network(est)
        try:
            self._ending = trainer.run(self._max_iter, once=self._once)
            fitted_network.publish_history(est, trainer.history, trainer.n_epochs)
        except KeyboardInterrupt:  # after training has ended
            fitted_network.publish_history(est, trainer.history, trainer.n_epochs)
            self._ending = Ending.INTERRUPTED
        except BaseException as error:
            if trainer.callback_failed:
                fitted_network.publish_history(est, trainer.history, trainer.n_epochs)
                est._stopped_by = error
            raise
        finally:
            est._order = trainer.rows

    def skip(self, random_state, until):
        """Draw from another generator what training for all epochs draws, or end sooner."""
        self._trainer.skip(random_state, self._epochs_left, until)

    def conclude(self, fit):
        """Tell how the training ended, and return it; the fit's estimator is as it was left."""
        est, trainer, ending = fit.estimator, self._trainer, self._ending
        # In scikit-learn's MLP, `max_iter` is a limit.
        is_planned = self._once or fit.uses_all_epochs() or not est._like_scikit_learn
        if ending is Ending.INTERRUPTED:
            warn("Training interrupted by user.")
        elif ending is Ending.EXHAUSTED and not is_planned:
            warn(
                f"Stochastic Optimizer: Maximum iterations ({self._max_iter}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
            )
        elif ending is Ending.DIVERGED:
            tell_divergence(est, trainer)
        if ending is not Ending.DIVERGED and trainer.has_exploded():
            fit.explosion_was_told = True
            tell_explosion(est, trainer)
        if trainer.schedule_ended and not est.__dict__.get("_end_was_told"):
            tell_end_of_schedule(est)
        return ending
