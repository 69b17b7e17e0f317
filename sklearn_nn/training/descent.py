"""An optimizer at work: its moments, how far it has come, and the rate it is at."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from sklearn_nn.network.machine import Update
from sklearn_nn.network.memory import allocate
from sklearn_nn.training.optimizers import Optimizer
from sklearn_nn.training.schedule import Progress, Schedule

#: What schedules see of an epoch: its steps, the epochs planned in all, the samples seen before.
Epoch = tuple[int, int, int]


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

    def rates(self, n_batches: int, epoch: Epoch) -> np.ndarray | float:
        """The learning rates of the next batches."""
        if not self.schedule.varies():
            return self.base_rate
        done = np.arange(self.step, self.step + n_batches)
        # A schedule of one's own may return any kind of number.
        rates = np.asarray(self.schedule.rates(self.base_rate, Progress(done, *epoch)), np.float64)
        return rates if rates.ndim else float(rates)

    def update(self, n_batches: int, epoch: Epoch = (1, 1, 0)) -> Update:
        """What to do in the next batches."""
        rates = self.rates(n_batches, epoch)
        done = np.arange(self.step, self.step + n_batches)
        dtype = "float32" if self.moments.itemsize == 4 else "float64"  # dtype.name takes 2 us
        decays = np.full(n_batches, rates * self.weight_decay) if self.weight_decay else None
        if decays is not None and self.decay_schedule is not None:
            decays *= self.decay_schedule.factors(Progress(done, *epoch))
        return Update(
            self.optimizer.kernel.address(dtype),
            self.optimizer.scalars(done + 1, rates),
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
        if self.average is not None and self.raw is None and self.step > 0:
            self.raw = theta.copy()
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
