"""What a learning-rate schedule is; those that there are stand in schedules.py."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Integral, Real
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn._spec import Spec


class Progress(NamedTuple):
    """Where training stands, for the batches that come next.

    Attributes
    ----------
    steps : ndarray of shape (n_batches,), int64
        Batches trained on before each coming one, over all epochs, from 0.
    steps_per_epoch : int
        Batches in an epoch.
    max_epochs : int
        Epochs planned in all.
    samples_seen : int
        Samples trained on when this epoch began.
    """

    steps: np.ndarray
    steps_per_epoch: int
    max_epochs: int
    samples_seen: int


def lies_in(value: Any, interval: str) -> bool:
    """Whether a number lies in an interval as mathematics writes it, such as "(0, 1]"."""
    low, high = map(float, interval[1:-1].split(","))
    at_end = (value == low and interval[0] == "[") or (value == high and interval[-1] == "]")
    return bool(at_end or low < value < high)


class Schedule(Spec):
    """Base of all schedules; by itself the constant one.

    A batch is trained at the base rate times its factor. Both are pure functions of what they are
    given: a schedule remembers nothing, so training that is resumed goes on to the last bit.
    """

    #: Whether the rate falls towards the last epoch planned: training is meant to get there.
    plans_the_end: ClassVar[bool] = False
    #: Where parameters must lie, in intervals; a parameter with a whole default must be whole.
    limits: ClassVar[Mapping[str, str]] = {}

    def check(self) -> None:
        """Raise a ValueError if a parameter is outside its limits."""
        for name, interval in self.limits.items():
            value, default = getattr(self, name), getattr(type(self)(), name)
            whole = isinstance(default, int)
            if not isinstance(value, Integral if whole else Real) or not lies_in(value, interval):
                raise ValueError(
                    f"{name}={value!r} does not suit {type(self).__name__}; "
                    f"use a {'whole ' if whole else ''}number in {interval}, such as {default!r}."
                )

    def factors(self, progress: Progress) -> float | np.ndarray:
        """Factors on the base rate.

        Parameters
        ----------
        progress : Progress
            The coming batches, and where they stand in the whole.

        Returns
        -------
        factors : float or ndarray of shape (n_batches,)
            One for all of these batches, or one for each.
        """
        return 1.0

    @classmethod
    def varies(cls) -> bool:
        """Whether there are factors other than 1: they take time to work out at every epoch."""
        return cls.factors is not Schedule.factors or cls.rates is not Schedule.rates

    def rates(self, base: float, progress: Progress) -> float | np.ndarray:
        """The learning rates of the coming batches: the base rate times their factors."""
        return base * self.factors(progress)

    def after_epoch(self, rate: float, history: Mapping[str, list[float]]) -> float:
        """The base rate of the next epoch.

        Parameters
        ----------
        rate : float
            The base rate of the epoch that has just ended.
        history : mapping from str to list of float
            One number for each epoch, that one included: "loss", and "val_loss" where there is
            validation data.

        Returns
        -------
        rate : float
        """
        return rate

    def at_plateau(self, rate: float) -> float | None:
        """The base rate to go on with when training no longer improves.

        Parameters
        ----------
        rate : float
            The base rate as it stands.

        Returns
        -------
        rate : float or None
            None is to stop.
        """
        return None


class ByStep(Schedule):
    """A schedule with a factor for each batch."""

    def factors(self, progress: Progress) -> np.ndarray:
        """One factor for each batch."""
        self.check()
        per_epoch, total = progress.steps_per_epoch, progress.steps_per_epoch * progress.max_epochs
        # One by one: NumPy's vector loops may round a number by where it stands in the array, and
        # a factor must have the same bits whatever slice of the epoch is asked for.
        factors = (self._factor(step, per_epoch, total) for step in progress.steps.tolist())
        return np.fromiter(factors, np.float64, progress.steps.size)

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        """The factor after `step` batches, of `total` planned."""
        raise TypeError(f"{type(self).__name__} must define _factor")
