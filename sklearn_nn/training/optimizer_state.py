"""State of an optimizer during training: moments, number of updates, learning rate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_nn.network.machine import Update
from sklearn_nn.network.program import allocate
from sklearn_nn.training.optimizers.base import Optimizer
from sklearn_nn.training.schedules.base import Progress, Schedule

#: An epoch as schedules see it: its batches, the planned number of epochs, the samples seen before.
Epoch = tuple[int, int, int]
#: A schedule that plans the end has ended if its factors are at most this.
_NEXT_TO_NOTHING = 1e-3
#: Any other schedule has ended if the rate was 0 for this number of epochs; it may rise again.
_WITHOUT_RATE = 10


@dataclass
class OptimizerState:
    """State of a first-order optimizer, kept from batch to batch and from fit to fit.

    Attributes
    ----------
    optimizer : Optimizer
    schedule : Schedule
    base_rate : float
        Learning rate that the schedule's factors multiply.
    learning_rate : float
        Learning rate of the next batch.
    moments : ndarray of shape (n_moments, n_theta)
    weight_decay : float
        Decoupled weight decay: each weight is multiplied by 1 - learning_rate * weight_decay
        before an update (Loshchilov & Hutter, 2019).
    decay_schedule : Schedule or None
        Schedule whose factors multiply `weight_decay`.
    step : int
        Number of batches trained on.
    epochs : float or None
        Number of epochs of the schedule that are over; None if not counted yet.
    stood_alone : bool
        Whether the last epoch was a call of partial_fit.
    ahead : int
        Difference between the number of batches that schedules see and `step`.
    average : ndarray of shape (n_theta,) or None
        Running average of the parameters, if one is kept.
    raw : ndarray of shape (n_theta,) or None
        Parameters themselves while `theta` holds the average.
    """

    optimizer: Optimizer
    schedule: Schedule
    base_rate: float
    moments: np.ndarray
    weight_decay: float = 0.0
    step: int = 0
    learning_rate: float = 0.0
    average: np.ndarray | None = None
    raw: np.ndarray | None = None
    decay_schedule: Schedule | None = None
    epochs: float | None = None
    stood_alone: bool = False
    ahead: int = 0

    @classmethod
    def start(
        cls,
        optimizer: Optimizer,
        schedule: Schedule,
        rate: float,
        theta: np.ndarray,
        *,
        weight_decay: float | None = None,
        averaged: bool = False,
        decay_schedule: Schedule | None = None,
    ) -> OptimizerState:
        """Return the initial state; `weight_decay` None is that of the optimizer."""
        dtype = theta.dtype.name
        moments = allocate((optimizer.n_moments, theta.size), dtype)
        for row, value in zip(moments, optimizer.initial_moments(), strict=True):
            row[:] = value
        decay = optimizer.weight_decay if weight_decay is None else weight_decay
        average = allocate(theta.size, dtype) if averaged else None
        return cls(
            optimizer, schedule, float(rate), moments, weight_decay=float(decay),
            learning_rate=float(rate), average=average, decay_schedule=decay_schedule,
        )  # fmt: skip

    def copy(self) -> OptimizerState:
        """Return a copy that can be continued without changing this one."""
        copied = replace(self)
        copied.moments = allocate(self.moments.shape, self.moments.dtype.name)
        copied.moments[...] = self.moments
        if self.average is not None:
            copied.average = allocate(self.average.size, self.average.dtype.name)
            copied.average[...] = self.average
        return copied

    def begin_epoch(self, epoch: Epoch, *, alone: bool) -> bool:
        """Prepare for an epoch; `alone` marks a call of partial_fit, whose data differ each time.

        Schedules then count the earlier epochs as if each had had as many batches as this one. A
        schedule whose plan is over and whose rates are next to nothing begins again. Returns
        whether it does so after another epoch that stood alone.
        """
        n_batches, max_epochs, _ = epoch
        if self.epochs is None:
            self.epochs = self.step / n_batches
        self.ahead = round(self.epochs * n_batches) - self.step if alone else 0
        is_over = alone and self.schedule.plans_the_end and self.epochs >= max_epochs
        is_over = is_over and bool(
            np.all(self.rates(n_batches, epoch) <= _NEXT_TO_NOTHING * self.base_rate)
        )
        begins_again = is_over and self.stood_alone
        if is_over:
            self.epochs, self.ahead = 0.0, -self.step
        self.stood_alone = alone
        return begins_again

    def is_without_rate(self, epoch: Epoch, before: Sequence[float]) -> bool:
        """Return whether the rates of a schedule without a plan are 0 in this and earlier epochs.

        `before` holds the rates at which the earlier epochs began.
        """
        last = before[1 - _WITHOUT_RATE :]
        if self.schedule.plans_the_end or not max(before, default=0.0) > 0 == max(last):
            return False
        return not np.any(self.rates(epoch[0], epoch))

    def _done(self, n_batches: int) -> np.ndarray:
        """Return the number of batches that schedules see before each of the next batches."""
        first = self.step + self.ahead
        return np.arange(first, first + n_batches)

    def rates(self, n_batches: int, epoch: Epoch) -> np.ndarray | float:
        """Return the learning rates of the next batches."""
        if not self.schedule.varies():
            return self.base_rate
        # A user-defined schedule may return any number type.
        progress = Progress(self._done(n_batches), *epoch)
        rates = np.asarray(self.schedule.rates(self.base_rate, progress), np.float64)
        return rates if rates.ndim else float(rates)

    def update(self, n_batches: int, epoch: Epoch = (1, 1, 0)) -> Update:
        """Return the update of the parameters in the next batches."""
        rates = self.rates(n_batches, epoch)
        steps, done = np.arange(self.step, self.step + n_batches), self._done(n_batches)
        dtype = "float32" if self.moments.itemsize == 4 else "float64"  # dtype.name takes 2 us
        decays = np.full(n_batches, rates * self.weight_decay) if self.weight_decay else None
        if decays is not None and self.decay_schedule is not None:
            decays *= self.decay_schedule.factors(Progress(done, *epoch))
        return Update(
            self.optimizer.kernel.address(dtype),
            self.optimizer.scalars(steps + 1, rates),
            self.moments,
            decays=decays,
            average=self.average,
            progress=np.minimum(1.0, done / (epoch[0] * epoch[1])),
        )

    def look_ahead(self, epoch: Epoch) -> None:
        """Set `learning_rate` to that of the next batch."""
        rates = self.rates(1, epoch)
        self.learning_rate = rates if isinstance(rates, float) else float(rates[0])

    def show_average(self, theta: np.ndarray) -> None:
        """Replace the parameters by their average and keep them in `raw`."""
        if self.average is None:
            return
        if self.raw is None and self.step > 0:
            self.raw = theta.copy()
        if self.raw is not None:  # also after an interrupt between these lines
            theta[:] = self.average

    def hide_average(self, theta: np.ndarray) -> None:
        """Restore the parameters so that training can continue.

        If the user has changed them, training and averaging continue from the user's values.
        """
        if self.average is not None and self.raw is not None:
            if np.array_equal(theta, self.average):
                theta[:] = self.raw
            else:
                self.average[:] = theta
        self.raw = None
