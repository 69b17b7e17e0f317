"""An optimizer at work: its moments, how far it has come, and the rate it is at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from sklearn_nn.network.machine import Update
from sklearn_nn.network.memory import allocate
from sklearn_nn.training.optimizers import Optimizer
from sklearn_nn.training.schedule import Progress, Schedule

#: What schedules see of an epoch: its steps, the epochs planned in all, the samples seen before.
Epoch = tuple[int, int, int]
#: A schedule that plans the end leaves nothing where this part of the rate is left, or less.
_NEXT_TO_NOTHING = 1e-3
#: Any other, where there was no rate for so many epochs: it may be 0 in some and rise again.
_WITHOUT_RATE = 10


@dataclass
class Descent:
    """What a first-order solver carries from batch to batch and from fit to fit.

    Attributes
    ----------
    optimizer : Optimizer
    schedule : Schedule
    base_rate : float
        What the schedule's factors multiply batch by batch.
    learning_rate : float
        The rate of the batch that comes next.
    moments : ndarray of shape (n_moments, n_theta)
    weight_decay : float
        Share of each weight, times the learning rate, that a batch takes away before the update
        (Loshchilov & Hutter, 2019).
    decay_schedule : Schedule or None
        Its factors multiply `weight_decay`, batch by batch.
    step : int
        Number of batches trained on.
    epochs : float or None
        How many epochs of the schedule are over; None where they have not been counted.
    stood_alone : bool
        Whether the last epoch was a call by itself, of partial_fit.
    ahead : int
        By how much schedules see more batches than `step`.
    average : ndarray of shape (n_theta,) or None
        Running average of the parameters, where one is kept.
    raw : ndarray of shape (n_theta,) or None
        The parameters themselves, while the average stands in their place.
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
    ) -> Descent:
        """Begin, with moments at the optimizer's first values.

        `weight_decay` None is the optimizer's own.
        """
        dtype = theta.dtype.name
        moments = allocate((optimizer.n_moments, theta.size), dtype)
        for row, value in zip(moments, optimizer.initial_moments(), strict=True):
            row[:] = value
        decay = optimizer.weight_decay if weight_decay is None else weight_decay
        average = allocate(theta.size, dtype) if averaged else None
        return cls(
            optimizer, schedule, float(rate), moments, float(decay), 0, float(rate),
            average=average, decay_schedule=decay_schedule,
        )  # fmt: skip

    def copy(self) -> Descent:
        """Another, which can go on without a change to this one."""
        copied = replace(self)
        copied.moments = allocate(self.moments.shape, self.moments.dtype.name)
        copied.moments[...] = self.moments
        if self.average is not None:
            copied.average = allocate(self.average.size, self.average.dtype.name)
            copied.average[...] = self.average
        return copied

    def begin_epoch(self, epoch: Epoch, *, alone: bool) -> bool:
        """Get ready for an epoch, perhaps one that stands `alone`: the data of each are others.

        Schedules then see as many batches as if those before had had as many as this one, since
        a small one has come no further than its neighbours. One whose plan is over, and which
        would leave nothing of the rate, begins again.

        Returns
        -------
        begins_again : bool
            Whether it does, after other epochs that stood alone.
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
        """Whether a schedule without a plan has come to 0, in this epoch and in those before.

        Parameters
        ----------
        epoch : tuple
        before : sequence of float
            The rates at which the epochs before began.
        """
        last = before[1 - _WITHOUT_RATE :]
        if self.schedule.plans_the_end or not max(before, default=0.0) > 0 == max(last):
            return False
        return not np.any(self.rates(epoch[0], epoch))

    def _done(self, n_batches: int) -> np.ndarray:
        """How many batches schedules see before each of the next ones."""
        first = self.step + self.ahead
        return np.arange(first, first + n_batches)

    def rates(self, n_batches: int, epoch: Epoch) -> np.ndarray | float:
        """The learning rates of the next batches."""
        if not self.schedule.varies():
            return self.base_rate
        # A schedule of one's own may return any kind of number.
        progress = Progress(self._done(n_batches), *epoch)
        rates = np.asarray(self.schedule.rates(self.base_rate, progress), np.float64)
        return rates if rates.ndim else float(rates)

    def update(self, n_batches: int, epoch: Epoch = (1, 1, 0)) -> Update:
        """What to do in the next batches."""
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
            decays,
            self.average,
            np.minimum(1.0, done / (epoch[0] * epoch[1])),
        )

    def look_ahead(self, epoch: Epoch) -> None:
        """Set `learning_rate` to that of the batch that comes next."""
        rates = self.rates(1, epoch)
        self.learning_rate = rates if isinstance(rates, float) else float(rates[0])

    def show_average(self, theta: np.ndarray) -> None:
        """Put the average in the place of the parameters, which are kept."""
        if self.average is None:
            return
        if self.raw is None and self.step > 0:
            self.raw = theta.copy()
        if self.raw is not None:  # again, where an interrupt came in between
            theta[:] = self.average

    def hide_average(self, theta: np.ndarray) -> None:
        """Put the parameters back, to go on training them.

        Where the user has put others there, training and averaging go on from those.
        """
        if self.average is not None and self.raw is not None:
            if np.array_equal(theta, self.average):
                theta[:] = self.raw
            else:
                self.average[:] = theta
        self.raw = None
