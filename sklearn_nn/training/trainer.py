"""The training loop."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

import numpy as np

from sklearn_nn.network.machine import Machine, Targets
from sklearn_nn.network.source import Source
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.history import History

#: The machine comes back to Python about this often, in seconds, so that Ctrl-C is answered.
_SLICE_SECONDS = 0.1
#: Assumed before the first slice is timed, in multiply-adds a second.
_ASSUMED_SPEED = 1e10


class Ending(Enum):
    """How a run ended."""

    CONVERGED = "no more improvement"
    EXHAUSTED = "all epochs used"
    INTERRUPTED = "interrupted by the user"
    DIVERGED = "the loss or the parameters became infinite or NaN"


def say(text: str) -> None:
    """Tell the user a line of progress."""
    sys.stdout.write(text + "\n")


@dataclass
class Trainer:
    """Trains a machine epoch by epoch until it no longer improves.

    Attributes
    ----------
    machine, data, targets : Machine, Source, Targets
    descent : Descent
    history : History
    rows : ndarray of int64
        Rows of `data` to train on.
    batch_size : int
    random_state : RandomState or None
        Shuffles the rows before each epoch; None keeps their order.
    tol, patience : float
        Stop after more than `patience` epochs without an improvement of `tol`.
    score : callable or None
        Returns the validation score of the machine's present parameters.
    verbose : bool
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
    score: Callable[[], float] | None = None
    verbose: bool = False
    n_epochs: int = 0
    _slice: int = 0

    def run(self, max_epochs: int, *, once: bool = False) -> Ending:
        """Train for at most `max_epochs`, or for one epoch if `once`.

        Whatever the ending, the parameters are finite: those of the best score where early
        stopping watches it, those from before the epoch where training diverged.
        """
        ending = Ending.EXHAUSTED
        order = np.arange(self.rows.size)
        try:
            for _ in range(max_epochs):
                order = self._shuffled(order)
                before = self._snapshot()
                loss = self._epoch(self.rows[order])
                self.n_epochs += 1
                self._take_down(loss)
                if not (math.isfinite(loss) and np.isfinite(self.machine.theta).all()):
                    ending = Ending.DIVERGED
                    self._turn_back(*before)
                    break
                if self._stops_improving() or once:
                    ending = Ending.CONVERGED
                    break
        except KeyboardInterrupt:
            ending = Ending.INTERRUPTED
        if self.history.early_stopping and self.history.best_theta is not None:
            self.machine.theta[:] = self.history.best_theta
        return ending

    def _shuffled(self, order: np.ndarray) -> np.ndarray:
        """The next epoch's order: a shuffle of the last one's, with scikit-learn's own draws."""
        if self.random_state is None:
            return order
        permutation = np.arange(order.size)
        self.random_state.shuffle(permutation)
        return order[permutation]

    def _epoch(self, order: np.ndarray) -> float:
        """Train on every batch once; returns the mean loss."""
        n_batches = -(-order.size // self.batch_size)
        losses = np.empty(n_batches)
        first = 0
        while first < n_batches:
            last = min(n_batches, first + self._slice_length())
            started = time.perf_counter()
            losses[first:last] = self.machine.train(
                self.data, self.targets, order, self.batch_size, first, last,
                self.descent.update(last - first), self.descent.step,
            )  # fmt: skip
            seconds = (time.perf_counter() - started) / (last - first)
            self._slice = max(1, int(_SLICE_SECONDS / seconds))
            self.descent.step += last - first
            first = last
        rest = order.size - (n_batches - 1) * self.batch_size
        total = losses[:-1].sum() * self.batch_size + losses[-1] * rest
        return float(total / order.size)

    def _slice_length(self) -> int:
        """Batches the machine may train before it comes back to Python."""
        if self._slice == 0:
            work = 3 * self.machine.program.n_theta * self.batch_size
            self._slice = max(1, int(_SLICE_SECONDS * _ASSUMED_SPEED / max(1, work)))
        return self._slice

    def _take_down(self, loss: float) -> None:
        """Record the epoch, and move the learning rate on."""
        history, descent = self.history, self.descent
        history.samples_seen += self.rows.size
        if self.verbose:
            say(f"Iteration {self.n_epochs}, loss = {loss:.8f}")
        score = None if self.score is None else self.score()
        if self.verbose and score is not None:
            say(f"Validation score: {score:f}")
        history.record(loss, score, self.machine.theta, self.tol)
        descent.learning_rate = descent.schedule.after_epoch(
            descent.learning_rate, descent.initial_rate, history.samples_seen
        )

    def _stops_improving(self) -> bool:
        """Whether patience is at an end, and the schedule has no lower rate to try."""
        if self.history.no_improvement <= self.patience:
            return False
        watched = "Validation score" if self.history.early_stopping else "Training loss"
        message = (
            f"{watched} did not improve more than tol={self.tol:f} "
            f"for {self.patience:.0f} consecutive epochs."
        )
        rate = self.descent.schedule.at_plateau(self.descent.learning_rate)
        if rate is not None:
            self.descent.learning_rate = rate
            self.history.no_improvement = 0
            message += f" Setting learning rate to {rate:f}"
        else:
            message += " Stopping."
        if self.verbose:
            say(message)
        return rate is None

    def _snapshot(self) -> tuple[np.ndarray, np.ndarray, int]:
        """Where the epoch begins: parameters, moments and step."""
        return self.machine.theta.copy(), self.descent.moments.copy(), self.descent.step

    def _turn_back(self, theta: np.ndarray, moments: np.ndarray, step: int) -> None:
        """Go back to a snapshot. With moments that are not finite no later call could go on."""
        self.machine.theta[:] = theta
        self.descent.moments[:], self.descent.step = moments, step
