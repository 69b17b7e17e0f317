"""Base classes of learning-rate schedules."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn._spec import Spec


class Progress(NamedTuple):
    """Position of the next batches in the whole training.

    Attributes
    ----------
    steps : ndarray of shape (n_batches,), int64
        Number of batches trained before each of these, over all epochs, from 0.
    steps_per_epoch : int
        Batches of an epoch.
    max_epochs : int
        Number of epochs planned.
    samples_seen : int
        Samples trained on before this epoch.
    """

    steps: np.ndarray
    steps_per_epoch: int
    max_epochs: int
    samples_seen: int


def lies_in(value: Any, interval: str) -> bool:
    """Return whether a number lies in an interval in mathematical notation, such as "(0, 1]"."""
    low, high = map(float, interval[1:-1].split(","))
    at_end = (value == low and interval[0] == "[") or (value == high and interval[-1] == "]")
    return bool(at_end or low < value < high)


class Schedule(Spec):
    """Base class of schedules; by itself a constant schedule.

    The learning rate of a batch is the base rate times the batch's factor. A schedule has no state,
    so that resumed training continues bit for bit.
    """

    #: Value of `learning_rate` that selects this class in estimators.
    name: ClassVar[str]
    #: Parameters taken from the estimator if the schedule is given by name.
    shared: ClassVar[tuple[str, ...]] = ()
    #: Whether the factors depend on the planned number of epochs.
    plans_the_end: ClassVar[bool] = False
    #: Interval of each parameter; a parameter with an integer default must be an integer.
    limits: ClassVar[Mapping[str, str]] = {}

    def check(self) -> None:
        """Raise ValueError if a parameter is outside its limits."""
        for name, interval in self.limits.items():
            value, default = getattr(self, name), getattr(type(self)(), name)
            whole = isinstance(default, int)
            if not isinstance(value, Integral if whole else Real) or not lies_in(value, interval):
                raise ValueError(
                    f"{name}={value!r} does not suit {type(self).__name__}; "
                    f"use a {'whole ' if whole else ''}number in {interval}, such as {default!r}."
                )

    def factors(self, progress: Progress) -> float | np.ndarray:
        """Return the factors on the base rate.

        Parameters
        ----------
        progress : Progress
            The next batches.

        Returns
        -------
        factors : float or ndarray of shape (n_batches,)
            One factor for all of these batches, or one for each.
        """
        return 1.0

    @classmethod
    def varies(cls) -> bool:
        """Return whether factors may differ from 1 and must be computed."""
        return cls.factors is not Schedule.factors or cls.rates is not Schedule.rates

    def rates(self, base: float, progress: Progress) -> float | np.ndarray:
        """Return the learning rates of the next batches: the base rate times their factors."""
        return base * self.factors(progress)

    def after_epoch(self, rate: float, history: Mapping[str, list[float]]) -> float:
        """Return the base rate of the next epoch.

        Parameters
        ----------
        rate : float
            Base rate of the epoch that has just ended.
        history : mapping from str to list of float
            Curves up to that epoch: "loss", and "val_loss" if there is validation data.

        Returns
        -------
        rate : float
        """
        return rate

    def at_plateau(self, rate: float) -> float | None:
        """Return the base rate to continue with when training no longer improves.

        Parameters
        ----------
        rate : float
            Present base rate.

        Returns
        -------
        rate : float or None
            None stops training.
        """
        return None


class ByStep(Schedule):
    """Base class of schedules with a factor for each batch."""

    def factors(self, progress: Progress) -> np.ndarray:
        """Return one factor for each batch."""
        self.check()
        per_epoch, total = progress.steps_per_epoch, progress.steps_per_epoch * progress.max_epochs
        # One by one: rounding in NumPy's vector loops may depend on the position in the array, and
        # a factor must not depend on the slice of the epoch.
        factors = (self._factor(step, per_epoch, total) for step in progress.steps.tolist())
        return np.fromiter(factors, np.float64, progress.steps.size)

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        """Return the factor after `step` batches of `total` planned."""
        raise TypeError(f"{type(self).__name__} must define _factor")
