"""How an estimator is trained: what the trainer is made from, and what is published after it."""

from __future__ import annotations

import copy
import inspect
import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from sklearn_nn.estimators._core.all_or_nothing import DivergenceError
from sklearn_nn.estimators._core.callbacks import SubtaskCallback
from sklearn_nn.estimators._core.parameters import checked_callbacks
from sklearn_nn.estimators._core.warnings import warn
from sklearn_nn.estimators._core.weights import writable
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.machine import Machine
from sklearn_nn.training.callbacks import Callback, is_stopped_gently
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import get_optimizer
from sklearn_nn.training.progress import ProgressBar, can_draw
from sklearn_nn.training.schedules import SCHEDULES, Listed, get_schedule
from sklearn_nn.training.trainer import Ending, Trainer

#: scikit-learn's own schedules, which its adam does not heed.
_SCIKIT_LEARN_SCHEDULES = ("constant", "invscaling", "adaptive")


class _Publisher(Callback):
    """Brings the estimator up to date before other callbacks look at it."""

    def __init__(self, trainer):
        self._trainer = trainer

    def on_epoch_end(self, epoch, log, estimator):
        """Publish what training has come to."""
        estimator._order = self._trainer.rows
        estimator._take_over(self._trainer.history, self._trainer.n_epochs)


class Training:
    """Mixin: training by L-BFGS or by a first-order optimizer, and its results."""

    #: Whether batches count in an epoch's loss by their rows, whatever the weights of these.
    _counts_rows = False

    def _train(self, train, again, times):
        """Train `times` times, each time from other initial weights, and keep what is best.

        Parameters
        ----------
        train : callable
            The first training, ready to begin.
        again : callable
            Makes a further one ready.
        times : int

        Raises
        ------
        DivergenceError
            If all of them diverge; one that does is worse than any that does not.
        """
        generator, best, failures = self._random_state, None, []
        for k in range(times):
            self._random_state = generator
            try:
                ending = (again() if k else train)()
                diverged = ending is Ending.DIVERGED and self._history.best_theta is None
            except DivergenceError as error:
                ending, diverged = Ending.DIVERGED, True
                failures.append(error)
            except KeyboardInterrupt as interrupt:  # before it has begun
                if best is not None:
                    self.__dict__ = best[1]
                    self._stopped_by = interrupt
                raise
            rank = diverged, *self._objective()
            if best is None or rank < best[0]:
                # What is kept goes on from the random numbers that it has come to.
                state = {"_random_state": copy.deepcopy(generator)} if times > 1 else {}
                best = rank, {**self.__dict__, **state}
            if ending is Ending.INTERRUPTED:
                break
        (diverged, *_), self.__dict__ = best
        if failures and diverged:
            raise failures[0]
        if failures:
            message = f"{len(failures)} of {times} restarts diverged and were left out."
            warnings.warn(message, ConvergenceWarning, stacklevel=6)

    def _machine(self, program, capacity):
        """The machine to train the estimator's weights."""
        if not hasattr(self, "_seed"):
            # Nothing is drawn without need: scikit-learn's MLP draws no such number.
            self._seed = self._random_state.randint(2**31 - 1) if program.is_random else 0
        return Machine(
            program,
            self._theta,
            self._state,
            capacity,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            clipnorm=self.clipnorm,
            max_norm=self.max_norm,
            average_keep=self.ema_momentum,
            seed=self._seed,
            n_jobs=resolve_n_jobs(self.n_jobs),
        )

    # --- L-BFGS --------------------------------------------------------------------------

    def _lbfgs(self, program, data, target, weight, validation):
        """What L-BFGS trains on all rows at once: machine, data, targets."""
        if checked_callbacks(self):
            raise ValueError(
                f"callbacks={self.callbacks} are called after epochs, which solver='lbfgs' has "
                "not; use solver='adam', say, or callbacks=None."
            )
        for name in ("clipnorm", "max_norm", "weight_decay", "ema_momentum"):
            default = inspect.signature(type(self)).parameters[name].default
            if getattr(self, name) not in (0, None, default):
                raise ValueError(
                    f"{name}={getattr(self, name)} acts on steps of a first-order solver; use "
                    f"solver='adam', say, or {name}=0 with solver='lbfgs'."
                )
        self._check_frozen_or_not(program)
        if self.l1_ratio and self.alpha:
            raise ValueError(
                f"l1_ratio={self.l1_ratio} has a kink at 0, which solver='lbfgs' cannot take; use "
                "solver='adam', say, or l1_ratio=0."
            )
        machine = self._machine(program, data.n_rows)
        return machine, data, self._loss().targets(target, weight, program.dtype)

    def _run_lbfgs(self, machine, data, targets):
        from sklearn.utils.optimize import _check_optimize_result

        from sklearn_nn.training.lbfgs import minimize

        self._begin_subtasks(0)
        result = minimize(
            machine,
            data,
            targets,
            max_iter=self.max_iter,
            max_fun=self.max_fun,
            tol=self.tol,
            verbose=bool(self.verbose),
        )
        self.n_iter_ = _check_optimize_result("lbfgs", result, self.max_iter)
        self.loss_ = float(result.fun)

    # --- first order ---------------------------------------------------------------------

    def _optimizer_and_schedule(self):
        """What a first-order solver works with."""
        parameters = self._settings()
        optimizer = get_optimizer(self.solver, parameters)
        schedule = self._setting("learning_rate")
        if self.solver == "adam" and schedule in _SCIKIT_LEARN_SCHEDULES:
            # scikit-learn's adam does not heed its `learning_rate`.
            return optimizer, SCHEDULES["constant"]()
        return optimizer, get_schedule(schedule, parameters)

    def _decay_schedule(self):
        """What multiplies `weight_decay` batch by batch; None for nothing."""
        return

    def _trainer(self, program, data, target, weight, validation, goes_on):
        """What trains in batches with a first-order optimizer."""
        incremental, resumed = goes_on == "incremental", goes_on == "resumed"
        if goes_on == "warm":
            self.__dict__.pop("_seed", None)
        rows, held_out = self._rows(target, weight, validation, data.n_rows, goes_on)
        if held_out is not None:
            validation = (data, held_out, target, weight)
        history = self._begin_history(validation is not None, resumed=resumed)
        incomplete = self.__dict__.pop("_incomplete", False)
        continues = (incremental or resumed) and hasattr(self, "_optimizer")
        if not continues or self._thaws(program):
            optimizer, schedule = self._optimizer_and_schedule()
            self._optimizer = Descent.start(
                optimizer,
                schedule,
                self._setting("learning_rate_init"),
                self._theta,
                weight_decay=self._setting("weight_decay"),
                averaged=self.ema_momentum > 0,
            )
        else:
            self._descent_before = self._optimizer.copy()  # if training fails
            # As of `max_iter`: what the parameters say now.
            optimizer, self._optimizer.schedule = self._optimizer_and_schedule()
            if resumed or incomplete:  # a function of one's own is not saved
                self._optimizer.optimizer = optimizer
        self._optimizer.decay_schedule = self._decay_schedule()
        self._check_moments(self._optimizer)
        self._hold_frozen(program, history)
        batch_size = self._batch_size(rows.size)
        verbose, callbacks = bool(self.verbose), checked_callbacks(self)
        if verbose and can_draw():
            verbose, callbacks = False, [*callbacks, self._progress_bar(rows.size)]
        trainer = Trainer(
            machine=self._machine(program, batch_size),
            data=data,
            targets=self._loss().targets(target, weight, program.dtype),
            descent=self._optimizer,
            history=history,
            rows=rows,
            batch_size=batch_size,
            random_state=self._random_state if self.shuffle else None,
            tol=self.tol,
            patience=self._patience(),
            evaluate=self._figures(
                program, (data, np.sort(rows), target, weight), validation, callbacks
            ),
            callbacks=callbacks,
            estimator=self,
            verbose=verbose,
            counts_rows=self._counts_rows,
            n_epochs=history.n_epochs if resumed else 0,
        )
        self._publish_history(history)
        self._order = rows  # before the first epoch too: an interrupt may come at once
        return trainer

    def _progress_bar(self, n_rows):
        """What shows how far training has come, where there is a terminal."""
        return ProgressBar(self._setting("max_iter"), n_rows)

    def _check_moments(self, descent):
        """Raise a ValueError if the moments are not those of the solver; make them writable."""
        wanted = (descent.optimizer.n_moments, self._theta.size)
        if descent.moments.shape != wanted:
            raise ValueError(
                f"solver={self.solver!r} cannot go on with the training of another solver, which "
                "has left other moments; set the solver of then, or fit with warm_start=True to "
                "begin with a new one."
            )
        descent.moments = writable(descent.moments)
        if descent.average is not None:
            descent.average = writable(descent.average)

    def _begin_history(self, has_validation, *, resumed):
        """The history to go on with."""
        watches = bool(self.early_stopping) and has_validation
        history = self.__dict__.setdefault("_history", History(watches))
        history.validated = watches
        history.takes_last, history.least_gain = self._rule_of_best()
        history.loss_decides = self._loss_decides()
        if not resumed:
            history.stopped, history.last = False, None
        return history

    def _rule_of_best(self):
        """What `takes_last` and `least_gain` of the history are."""
        return False, 0.0

    def _loss_decides(self):
        """Whether the validation loss tells epochs apart that all have one score."""
        return True

    def _run_descent(self, trainer, *, once):
        max_iter = self._setting("max_iter")
        self._begin_subtasks(1 if once else max_iter * self.n_restarts)
        if "_subtasks" in self.__dict__:
            trainer.callbacks = [*trainer.callbacks, self._subtasks]
        if trainer.callbacks:
            trainer.callbacks = [_Publisher(trainer), *trainer.callbacks]
        try:
            ending = trainer.run(max_iter, once=once)
            self._take_over(trainer.history, trainer.n_epochs)
        except KeyboardInterrupt:  # which came when training had ended
            self._take_over(trainer.history, trainer.n_epochs)
            ending = Ending.INTERRUPTED
        except BaseException as error:
            if trainer.callback_failed:
                self._take_over(trainer.history, trainer.n_epochs)
                self._stopped_by = error
            raise
        finally:
            self._order = trainer.rows
        if ending is Ending.INTERRUPTED:
            warnings.warn("Training interrupted by user.", stacklevel=7)
        elif ending is Ending.EXHAUSTED and not (once or self._means_to_use_all_epochs()):
            warnings.warn(
                f"Stochastic Optimizer: Maximum iterations ({max_iter}) "
                "reached and the optimization hasn't converged yet.",
                ConvergenceWarning,
                stacklevel=7,
            )
        elif ending is Ending.DIVERGED:
            self._tell_divergence(trainer)
        if trainer.schedule_ended and not self.__dict__.get("_end_was_told"):
            self._tell_end_of_schedule()
        return ending

    def _tell_end_of_schedule(self):
        """Warn that partial_fit has been called more often than the schedule plans for."""
        self._end_was_told = True
        told = f"learning_rate={self._setting('learning_rate')!r}"
        endless = "a learning_rate without an end, such as 'constant' or 'inverse_time'."
        if self._optimizer.schedule.plans_the_end:
            message = (
                f"{told} plans for max_iter={self._setting('max_iter')} epochs, and each call of "
                "partial_fit, or batch of an iterable, is one. They are over, so it begins again "
                f"from its start; set max_iter to the number of all that will come, or {endless}"
            )
        else:
            message = f"{told} has come to 0, so that nothing more is learnt; set {endless}"
        warn(message)

    def _means_to_use_all_epochs(self):
        """Whether there is nothing to warn of when `max_iter` epochs have been trained."""
        return self.early_stopping == "best" or self._optimizer.schedule.plans_the_end

    def _patience(self):
        """Most epochs without improvement; what means to use all epochs is not cut short."""
        goes_on = self._means_to_use_all_epochs() and self.early_stopping is not True
        return np.inf if goes_on else self.n_iter_no_change

    def _begin_subtasks(self, most):
        """Tell scikit-learn's callbacks, if there are any, of a fit of so many epochs at most."""
        if getattr(self, "_skl_callbacks", None) and "_subtasks" not in self.__dict__:
            self._subtasks = SubtaskCallback(self, most)

    def _tell_divergence(self, trainer):
        """Warn where there are best weights to keep, or where that is asked for; else raise."""
        told = (
            f"Training diverged in epoch {trainer.n_epochs} with a learning rate of "
            f"{trainer.descent.learning_rate:g}; scale the data (StandardScaler) or lower "
            "learning_rate_init."
        )
        best = trainer.history.best_theta is not None
        if best or is_stopped_gently(trainer.callbacks):
            kept = "best weights" if best else "weights from before that epoch"
            warnings.warn(f"{told} The {kept} are kept.", ConvergenceWarning, stacklevel=8)
            return
        raise DivergenceError(
            "Solver produced non-finite parameter weights. The input data may contain large"
            f" values and need to be preprocessed. {told} The weights from before that epoch are"
            " kept."
        )

    def _range_test(self, X, y, sample_weight, rates):
        """The loss of each batch while the learning rate runs through `rates`."""
        self._validate_params()
        self._take_down()
        self._random_state = check_random_state(self.random_state)
        prepared = self._prepare(X, y, sample_weight, None, None)
        trainer = self._trainer(*prepared, None)
        trainer.descent.base_rate, trainer.descent.schedule = 1.0, Listed(rates)
        losses = []
        while len(losses) < len(rates) and np.isfinite(losses).all():
            trainer.train_epoch(1)
            losses.extend(trainer.batch_losses)
        return np.array(losses[: len(rates)])

    # --- what was learnt -----------------------------------------------------------------

    def _snapshot(self):
        """What makes a copy of this estimator one that can predict, as it is now."""
        copied = self._twin()
        copied._theta, copied._state = self._theta.copy(), self._state.copy()
        copied._publish_views()
        names = ("_theta", "_state", *self._transient)
        return {name: vars(copied)[name] for name in names if name in vars(copied)}

    def _publish_history(self, history):
        """Show the history while it grows: what callbacks read."""
        self.history_ = history.curves

    def _take_over(self, history, n_epochs):
        """Publish the history under scikit-learn's names, and its own."""
        curves = history.curves
        self.n_iter_ = n_epochs
        self.t_ = history.samples_seen
        self.loss_curve_ = curves.setdefault("loss", [])
        self.validation_loss_curve_ = curves.get("val_loss")
        if self.loss_curve_:
            self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = None if history.validated else history.best_loss
        self.best_iteration_ = history.best_epoch
        scored = history.validated or "val_score" in curves
        self.validation_scores_ = curves.get("val_score", []) if scored else None
        self.best_validation_score_ = history.best_score if scored else None
        self._no_improvement_count = history.no_improvement

    def _check_finite_weights(self):
        """What reaches the user is finite, whatever happened."""
        if not np.isfinite(self._theta).all():
            raise ValueError(
                "Solver produced non-finite parameter weights. The input data may contain large"
                " values and need to be preprocessed."
            )

    def _batch_size(self, n_samples):
        batch_size = self._setting("batch_size")
        if batch_size == "auto":
            return min(200, n_samples)
        if batch_size > n_samples:
            warnings.warn(
                "Got `batch_size` less than 1 or larger than "
                "sample size. It is going to be clipped",
                stacklevel=8,
            )
        return min(batch_size, n_samples)

    def _objective(self):
        """What the best of several restarts is best in, of its weights: the smaller, the better.

        That is minus a score, and the loss for those that are equal in it.
        """
        history = getattr(self, "_history", None)
        scores = getattr(self, "validation_scores_", None)
        found = getattr(self, "loss_", np.inf), 0.0
        if history is not None and scores:
            kept = history.best_theta is not None
            losses = history.curves["val_loss"]
            score = history.best_score if kept else scores[-1]
            found = -score, losses[history.best_epoch - 1 if kept else -1]
        return tuple(objective if np.isfinite(objective) else np.inf for objective in found)
