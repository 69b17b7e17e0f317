"""Learning-rate schedules."""

from __future__ import annotations

from sklearn_nn._spec import Spec


class Schedule(Spec):
    """Base of all schedules; by itself the constant one."""

    def after_epoch(self, rate: float, initial: float, samples_seen: int) -> float:
        """The rate of the next epoch.

        Parameters
        ----------
        rate, initial : float
            The rate of this epoch, and the first of all.
        samples_seen : int
            Samples trained on so far, over all epochs.
        """
        return rate

    def at_plateau(self, rate: float) -> float | None:
        """The rate to go on with when training no longer improves; None to stop."""
        return None


class Constant(Schedule):
    """The initial rate throughout."""


class InverseScaling(Schedule):
    """initial / (samples seen + 1) ** power_t, epoch by epoch: scikit-learn's "invscaling".

    Parameters
    ----------
    power_t : float, default=0.5
    """

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t

    def after_epoch(self, rate: float, initial: float, samples_seen: int) -> float:
        """The scaled initial rate."""
        return initial / (samples_seen + 1) ** self.power_t


class Adaptive(Schedule):
    """A fifth of the rate whenever training no longer improves: scikit-learn's "adaptive".

    Parameters
    ----------
    smallest : float, default=1e-6
        Training stops at a plateau with a rate no larger than this.
    """

    def __init__(self, smallest: float = 1e-6) -> None:
        self.smallest = smallest

    def at_plateau(self, rate: float) -> float | None:
        """A fifth of the rate."""
        return None if rate <= self.smallest else rate / 5.0
