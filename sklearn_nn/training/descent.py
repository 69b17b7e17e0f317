"""An optimizer at work: its moments, how far it has come, and the rate it is at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.network.machine import Update
from sklearn_nn.network.memory import allocate
from sklearn_nn.training.optimizers import Optimizer
from sklearn_nn.training.schedules import Schedule


@dataclass
class Descent:
    """What a first-order solver carries from batch to batch and from fit to fit.

    Attributes
    ----------
    optimizer : Optimizer
    schedule : Schedule
    initial_rate, learning_rate : float
        The rate at the start, and now.
    moments : ndarray of shape (n_moments, n_theta)
    step : int
        Number of batches trained on.
    """

    optimizer: Optimizer
    schedule: Schedule
    initial_rate: float
    learning_rate: float
    moments: np.ndarray
    step: int = 0

    @classmethod
    def start(
        cls, optimizer: Optimizer, schedule: Schedule, rate: float, theta: np.ndarray
    ) -> Descent:
        """Begin with zero moments."""
        moments = allocate((optimizer.n_moments, theta.size), theta.dtype.name)
        return cls(optimizer, schedule, float(rate), float(rate), moments)

    def update(self, n_batches: int) -> Update:
        """What to do in the next batches."""
        steps = np.arange(self.step + 1, self.step + 1 + n_batches)
        dtype = "float32" if self.moments.itemsize == 4 else "float64"  # dtype.name takes 2 us
        address = self.optimizer.kernel.address(dtype)
        return Update(address, self.optimizer.scalars(steps, self.learning_rate), self.moments)
