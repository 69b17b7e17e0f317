"""The training loop."""

from __future__ import annotations

import contextlib
import math
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn.network.machine import Machine, Targets
from sklearn_nn.network.source import Source
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.epoch_plan import Stretch, plan_epoch
from sklearn_nn.training.history import History

#: The machine comes back to Python about this often, in seconds, so that Ctrl-C is answered.
_SLICE_SECONDS = 0.1
#: Assumed before the first slice is timed, in multiply-adds a second.
_ASSUMED_SPEED = 1e10


class Ending(Enum):
    """How a run ended."""

    CONVERGED = "no more improvement"
    CALLED_OFF = "a callback asked to stop"
    EXHAUSTED = "all epochs used"
    INTERRUPTED = "interrupted by the user"
    DIVERGED = "the loss or the parameters became infinite or NaN"


def say(text: str) -> None:
    """Tell the user a line of progress."""
    sys.stdout.write(text + "\n")


class _Before(NamedTuple):
    """What an epoch that is cut short leaves as it was: see `Trainer._bookmark`."""

    n_epochs: int
    ahead: tuple[int, int, int]
    base_rate: float
    learning_rate: float
    planned: float | None
    n_recorded: int
    history: dict[str, Any]


class _Trained(NamedTuple):
    """What an epoch has come to when all of its batches are trained, to be recorded."""

    log: dict[str, float]
    n_epochs: int
    ahead: tuple[int, int, int]
    planned: float | None


@dataclass
class Trainer:
    """Trains a machine epoch by epoch until it no longer improves.

    Attributes
    ----------
    machine, data, targets : Machine, Source, Targets
    descent : Descent
    history : History
    rows : ndarray of int64
        Rows of `data` to train on, in the order of the last epoch. Changed at every epoch.
    batch_size : int
    random_state : RandomState or None
        Shuffles the rows before each epoch; None keeps their order.
    tol, patience : float
        Stop after more than `patience` epochs without an improvement of `tol`.
    evaluate : callable or None
        Returns the validation figures of the machine's present parameters: "val_loss", "val_score".
    callbacks : sequence of Callback
    estimator : object
        What callbacks are shown.
    verbose : bool
    counts_rows : bool
        Whether batches count in an epoch's loss by their rows even where targets have weights, as
        in scikit-learn; otherwise the loss is the mean over targets by their weights.
    n_epochs : int
        Epochs trained so far, by this run and by those that it goes on from. Unless the last has
        diverged, all of them are recorded: one that an interrupt cuts short does not count.
    schedule_ended : bool
        Whether the schedule had come to its end when the last epoch began, which stood alone.
    batch_losses : ndarray
        The loss of each batch of the last epoch.
    callback_failed : bool
        Whether an error in a callback has ended the run.
    """

    machine: Machine
    data: Source
    targets: Targets
    descent: Descent
    history: History
    rows: np.ndarray
    batch_size: int
    random_state: np.random.RandomState | None
    tol: float
    patience: float
    evaluate: Callable[[], dict[str, float]] | None = None
    callbacks: Sequence[Callback] = ()
    estimator: Any = None
    verbose: bool = False
    counts_rows: bool = False
    n_epochs: int = 0
    schedule_ended: bool = False
    batch_losses: np.ndarray = field(default_factory=lambda: np.zeros(0))
    callback_failed: bool = False
    _weights: np.ndarray | None = None
    _slice: int = 0
    _kept: list[np.ndarray] = field(default_factory=list)
    _kept_step: int = 0
    _kept_epochs: float | None = None
    _ahead: tuple[int, int, int] = (1, 1, 0)
    _before: _Before | None = None
    _trained: _Trained | None = None
    _is_evaluated: bool = False
    _turns_back: bool = False
    _is_left: bool = False

    def run(self, max_epochs: int, *, once: bool = False) -> Ending:
        """Train until `max_epochs` have been trained in all, or for one epoch if `once`.

        Whatever the ending, the parameters are finite: those of the best score where validation
        is watched, those from before the epoch where training diverged. Where an interrupt came,
        they are those after the last batch that was trained as a whole, and the epoch counts if all
        of its batches were.
        """
        ending = Ending.CONVERGED if self.history.stopped and not once else Ending.EXHAUSTED
        begun: list[Callback] = []
        self._is_left = False
        self.machine.go_on_from(self.descent.step)
        try:
            self._take_up_last()
            self.descent.hide_average(self.machine.theta)
            for callback in self.callbacks:
                with self._calling_back():
                    callback.on_fit_begin(self.estimator)
                begun.append(callback)
            while ending is Ending.EXHAUSTED and self.n_epochs < max_epochs:
                ending = self._run_epoch(max_epochs, alone=once)
                if once:
                    break
                if ending is Ending.EXHAUSTED:
                    self.descent.hide_average(self.machine.theta)
            self._finish(begun, once=once)
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
            self._finish_in_spite_of_interrupts(begun, once=once)
        except BaseException:
            self._finish_in_spite_of_interrupts(begun, once=once)
            raise
        return ending

    def _run_epoch(self, max_epochs: int, *, alone: bool) -> Ending:
        """Train an epoch and record it; returns whether and how training ends with it."""
        theta = self.machine.theta
        self._keep()
        with self._calling_back():
            for callback in self.callbacks:
                callback.on_epoch_begin(self.history.n_epochs + 1, self.estimator)
        self._trained, self._is_evaluated = None, False
        self._before = self._bookmark()
        log = self.train_epoch(max_epochs, alone=alone)
        if not (math.isfinite(log["loss"]) and np.isfinite(theta).all()):
            self._turns_back, self._before = True, None
            return Ending.DIVERGED
        self.descent.show_average(theta)
        ending = self._close_epoch(log)
        self._before = None
        if self.callbacks and self._call_back(log) and ending is Ending.EXHAUSTED:
            ending = Ending.CALLED_OFF
        return ending

    def _bookmark(self) -> _Before:
        """What to go back to if the coming epoch is not recorded."""
        history, descent = self.history, self.descent
        of_descent = descent.base_rate, descent.learning_rate, descent.epochs
        of_history = history.n_epochs, vars(history).copy()
        return _Before(self.n_epochs, self._ahead, *of_descent, *of_history)

    def _finish_in_spite_of_interrupts(self, begun: list[Callback], *, once: bool) -> None:
        while True:
            try:
                self._finish(begun, once=once)
                return
            except KeyboardInterrupt:
                continue

    def _finish(self, begun: list[Callback], *, once: bool) -> None:
        """Leave all as it is to be found. Called again, it goes on where it was cut short."""
        if not self._is_left:
            self._leave(once=once)
            self._is_left = True
        with self._calling_back():
            while begun:
                begun.pop(0).on_fit_end(self.estimator)

    def _leave(self, *, once: bool) -> None:
        """Bring an epoch that was cut short to an end; put the weights in their place."""
        history, descent, before, trained = self.history, self.descent, self._before, self._trained
        if before is not None:
            vars(history).update(before.history)
            for values in history.curves.values():
                del values[before.n_recorded :]
            descent.step = self.machine.step
            descent.base_rate, descent.learning_rate = before.base_rate, before.learning_rate
            descent.epochs = before.planned
            self.n_epochs, self._ahead = before.n_epochs, before.ahead
            loss = 0.0 if trained is None else trained.log["loss"]
            finite = math.isfinite(loss) and np.isfinite(self.machine.theta).all()
            self._turns_back = self._turns_back or not finite
        if self._turns_back:
            self._turn_back()
        descent.show_average(self.machine.theta)
        if before is not None and trained is not None and not self._turns_back:
            self._count(trained)
            # Without figures that were not taken any more.
            record = self._record if self._is_evaluated else self._record_in_history
            record(trained.log)
            if history.validated:
                for name in ("val_loss", "val_score"):
                    history.curves.setdefault(name, [math.nan] * history.n_epochs)
        self._before, self._turns_back = None, False
        if not once or history.stopped:
            self._restore_best()

    def train_epoch(self, max_epochs: int, *, alone: bool = False) -> dict[str, float]:
        """Train on every batch once; returns the epoch's figures.

        An epoch that stands `alone` is that of a call which is one of many, each with its data.
        """
        if self.random_state is not None:
            # A shuffle of the last epoch's order, with scikit-learn's own draws.
            permutation = np.arange(self.rows.size)
            self.random_state.shuffle(permutation)
            self.rows = self.rows[permutation]
        plan = plan_epoch(
            self.data, self.rows, self.batch_size, self.random_state, self._target_weights()
        )
        n_batches = sum(stretch.n_batches for stretch in plan)
        epoch = n_batches, max_epochs, self.history.samples_seen
        begins_again = self.descent.begin_epoch(epoch, alone=alone)
        if not self.batch_losses.size:  # later epochs of the run were looked ahead to
            self.descent.look_ahead(epoch)
        if alone:
            before = self.history.curves.get("learning_rate", ())
            self.schedule_ended = begins_again or self.descent.is_without_rate(epoch, before)
        started = time.perf_counter()
        losses = [self._train_stretch(stretch, epoch) for stretch in plan]
        self.batch_losses = np.concatenate(losses)
        total = sum(stretch.total(own) for stretch, own in zip(plan, losses, strict=True))
        log = {
            "loss": total / (sum(stretch.size for stretch in plan) or 1),
            "learning_rate": self.descent.learning_rate,
            "seconds": time.perf_counter() - started,
        }
        ahead = n_batches, max_epochs, self.history.samples_seen + self.rows.size
        planned = (self.descent.epochs or 0.0) + 1.0
        self._trained = _Trained(log, self.n_epochs + 1, ahead, planned)
        self._count(self._trained)
        return log

    def _count(self, trained: _Trained) -> None:
        """Count an epoch as trained."""
        self.n_epochs, self._ahead = trained.n_epochs, trained.ahead
        self.history.samples_seen = trained.ahead[-1]
        self.descent.epochs = trained.planned

    def _target_weights(self) -> np.ndarray | None:
        """The sum of the weights of the targets of each row, or window of it; None for equal ones.

        What lies behind the end of a sequence has the weight 0.
        """
        weight, data = self.targets.weight, self.data
        if self.counts_rows or not weight.size:
            return None
        if self._weights is None:
            in_rows = weight.reshape(data.n_rows * data.windows, -1)
            self._weights = in_rows.sum(axis=1, dtype=np.float64)
        return self._weights

    def _train_stretch(self, stretch: Stretch, epoch: tuple[int, int, int]) -> np.ndarray:
        """Train on batches, a slice at a time; returns their losses."""
        losses, first = np.empty(stretch.n_batches), 0
        while first < stretch.n_batches:
            last = min(stretch.n_batches, first + self._slice_length())
            begun = time.perf_counter()
            losses[first:last] = self.machine.train(
                self.data, self.targets, stretch.order, stretch.batch_size, first, last,
                self.descent.update(last - first, epoch), self.descent.step, stretch.windows,
            )  # fmt: skip
            seconds = (time.perf_counter() - begun) / (last - first)
            self._slice = max(1, int(_SLICE_SECONDS / seconds))
            self.descent.step += last - first
            first = last
        return losses

    def _slice_length(self) -> int:
        """Batches the machine may train before it comes back to Python."""
        if self._slice == 0:
            work = 3 * self.machine.program.n_theta * self.batch_size
            self._slice = max(1, int(_SLICE_SECONDS * _ASSUMED_SPEED / max(1, work)))
        return self._slice

    def _close_epoch(self, log: dict[str, float]) -> Ending:
        """Validate, record, move the learning rate on, and see whether to stop."""
        if self.evaluate is not None:
            log.update(self.evaluate())
        self._is_evaluated = True
        if self.verbose:
            say(f"Iteration {self.n_epochs}, loss = {log['loss']:.8f}")
            if "val_score" in log:
                say(f"Validation score: {log['val_score']:f}")
        return self._record(log)

    def _record_in_history(self, log: dict[str, float]) -> None:
        self.history.record(log, (self.machine.theta, self.machine.state), self.tol)

    def _record(self, log: dict[str, float]) -> Ending:
        """Record an epoch, move the learning rate on, and see whether to stop."""
        history, descent = self.history, self.descent
        self._record_in_history(log)
        descent.base_rate = float(descent.schedule.after_epoch(descent.base_rate, history.curves))
        ending = Ending.CONVERGED if self._stops_improving() else Ending.EXHAUSTED
        history.stopped = ending is Ending.CONVERGED
        descent.look_ahead(self._ahead)
        return ending

    @contextlib.contextmanager
    def _calling_back(self) -> Iterator[None]:
        """Note it where a callback raises an error."""
        try:
            yield
        except BaseException:
            self.callback_failed = True
            raise

    def _call_back(self, log: dict[str, float]) -> bool:
        """Run the callbacks, those that save last; returns whether one asks to stop."""
        for callback in sorted(self.callbacks, key=lambda c: c.sees_others):
            log["learning_rate"] = self.descent.base_rate
            with self._calling_back():
                stop = callback.on_epoch_end(self.history.n_epochs, log, self.estimator)
            if log["learning_rate"] != self.descent.base_rate:
                self.descent.base_rate = float(log["learning_rate"])
                self.descent.look_ahead(self._ahead)
            self.history.stopped = self.history.stopped or bool(stop)
        return self.history.stopped

    def _stops_improving(self) -> bool:
        """Whether patience is at an end, and the schedule has no lower rate to try."""
        if self.history.no_improvement <= self.patience:
            return False
        watched = "Validation score" if self.history.validated else "Training loss"
        if self.history.validated and self.history.watches_loss:
            watched = "Validation loss"
        message = (
            f"{watched} did not improve more than tol={self.tol:f} "
            f"for {self.patience:.0f} consecutive epochs."
        )
        rate = self.descent.schedule.at_plateau(self.descent.base_rate)
        if rate is not None:
            self.descent.base_rate = float(rate)
            self.history.no_improvement = 0
            message += f" Setting learning rate to {rate:f}"
        else:
            message += " Stopping."
        if self.verbose:
            say(message)
        return rate is None

    def _restore_best(self) -> None:
        """Go back to the best weights, where validation is watched; keep the last ones aside."""
        best, theta, state = self.history, self.machine.theta, self.machine.state
        if best.validated and best.best_theta is not None and best.best_state is not None:
            if best.last is None and not best.stopped:  # else an interrupt came in between
                best.last = theta.copy(), state.copy()
            theta[:], state[:] = best.best_theta, best.best_state

    def _take_up_last(self) -> None:
        """Go on from the last weights, where the best ones have taken their place.

        Not where the user has put others there since.
        """
        history, theta, state = self.history, self.machine.theta, self.machine.state
        last, best_theta, best_state = history.last, history.best_theta, history.best_state
        if last is None or best_theta is None or best_state is None:
            history.last = None
            return
        if np.array_equal(theta, best_theta) and np.array_equal(state, best_state):
            theta[:], state[:] = last
        history.last = None  # not before: an interrupt would lose them

    def _what_an_epoch_changes(self) -> list[np.ndarray]:
        average = self.descent.average
        arrays = [self.machine.theta, self.machine.state, self.descent.moments]
        return arrays if average is None else [*arrays, average]

    def _keep(self) -> None:
        """Keep what the coming epoch changes, in case it diverges."""
        self._kept_step, self._kept_epochs = self.descent.step, self.descent.epochs
        arrays = self._what_an_epoch_changes()
        if not self._kept:
            self._kept = [np.empty_like(array) for array in arrays]
        for kept, array in zip(self._kept, arrays, strict=True):
            np.copyto(kept, array)

    def _turn_back(self) -> None:
        """Undo the epoch. With moments that are not finite no later call could go on."""
        self.descent.step, self.descent.epochs = self._kept_step, self._kept_epochs
        self.descent.raw = None
        for kept, array in zip(self._kept, self._what_an_epoch_changes(), strict=True):
            np.copyto(array, kept)
