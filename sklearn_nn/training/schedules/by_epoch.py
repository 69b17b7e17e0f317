"""Schedules that change the learning rate between epochs."""

from __future__ import annotations

import math
from collections.abc import Mapping

from sklearn_nn.training.schedules.base import Progress, Schedule

__all__ = ["Adaptive", "Constant", "InverseScaling", "Plateau"]


class Constant(Schedule):
    """Constant learning rate."""

    name = "constant"


class InverseScaling(Schedule):
    """Factor 1 / (samples seen + 1) ** power_t in each epoch: scikit-learn's "invscaling".

    Parameters
    ----------
    power_t : float, default=0.5
        Exponent; 0 gives a constant rate.
    """

    name = "invscaling"
    shared = ("power_t",)
    limits = {"power_t": "[0, inf)"}

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t

    def factors(self, progress: Progress) -> float:
        """Return one factor for the epoch; 1 in the first."""
        return float(1 / self._divisor(progress))

    def rates(self, base: float, progress: Progress) -> float:
        """Return the base rate divided by the divisor, bit for bit scikit-learn's rate."""
        return float(base / self._divisor(progress))

    def _divisor(self, progress: Progress) -> float:
        self.check()
        return float((progress.samples_seen + 1) ** self.power_t)


class Adaptive(Schedule):
    """Division of the rate by 5 when training no longer improves: scikit-learn's "adaptive".

    Parameters
    ----------
    smallest : float, default=1e-6
        Training stops at a plateau if the rate is at most this.
    """

    name = "adaptive"
    limits = {"smallest": "[0, inf)"}

    def __init__(self, smallest: float = 1e-6) -> None:
        self.smallest = smallest

    def at_plateau(self, rate: float) -> float | None:
        """Return a fifth of the rate, or None to stop."""
        self.check()
        return None if rate <= self.smallest else rate / 5.0


class Plateau(Schedule):
    """Reduction of the rate after `patience` epochs without improvement: Keras's ReduceLROnPlateau.

    Epochs are counted from the last improvement or reduction. The estimator's own patience must be
    longer than this one, or training stops before the rate is reduced.

    Parameters
    ----------
    factor : float, default=0.1
        Factor on the rate.
    patience : int, default=10
        Epochs without improvement before a reduction.
    min_delta : float, default=1e-4
        A value is an improvement if it is lower than the best one by more than this.
    min_rate : float, default=0.0
        Lower bound of the rate.
    monitor : str or None, default=None
        Column of the history to watch; scores are better if higher, all others if lower. None is
        "val_loss" if it exists, otherwise "loss".
    """

    name = "plateau"
    limits = {
        "factor": "(0, 1)", "patience": "[0, inf)", "min_delta": "[0, inf)", "min_rate": "[0, inf)",
    }  # fmt: skip

    def __init__(
        self, factor: float = 0.1, patience: int = 10, min_delta: float = 1e-4,
        min_rate: float = 0.0, monitor: str | None = None,
    ) -> None:  # fmt: skip
        self.factor = factor
        self.patience = patience
        self.monitor = monitor
        self.min_delta = min_delta
        self.min_rate = min_rate

    def after_epoch(self, rate: float, history: Mapping[str, list[float]]) -> float:
        """Return the rate, reduced if patience has run out.

        Raises
        ------
        ValueError
            If the history has no column `monitor`.
        """
        self.check()
        name = self.monitor or ("val_loss" if history.get("val_loss") else "loss")
        if name not in history:
            raise ValueError(f"monitor={name!r} is not recorded; use one of {', '.join(history)}.")
        # The whole curve at every epoch, so that the schedule needs no state.
        sign, best, waited, ends = -1 if name.endswith("score") else 1, math.inf, 0, False
        for value in history[name]:
            improves = sign * value < best - self.min_delta
            best = sign * value if improves else best
            waited = 0 if improves else waited + 1
            ends = waited >= max(1, self.patience)
            waited = 0 if ends else waited
        return max(rate * self.factor, self.min_rate) if ends and rate > self.min_rate else rate
