"""Schedules with a factor for each batch."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from numbers import Real
from typing import Any

from sklearn_nn.training.schedules.base import ByStep, lies_in

__all__ = [
    "CosLog4", "Cosine", "Exponential", "FlatCos", "Function", "InverseTime", "Listed", "OneCycle",
    "Polynomial", "StepDecay",
]  # fmt: skip


class StepDecay(ByStep):
    """Step decay: drop ** floor(epoch / epochs).

    Parameters
    ----------
    drop : float, default=0.5
        Factor on the rate at each drop.
    epochs : int, default=10
        Number of epochs between drops.
    """

    name = "step"
    limits = {"drop": "(0, 1]", "epochs": "[1, inf)"}

    def __init__(self, drop: float = 0.5, epochs: int = 10) -> None:
        self.drop = drop
        self.epochs = epochs

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.drop ** (step // (per_epoch * self.epochs))


class Exponential(ByStep):
    """Exponential decay: gamma ** epoch, with a real-valued epoch that grows with each batch.

    Parameters
    ----------
    gamma : float, default=0.95
        Factor on the rate per epoch.
    """

    name = "exponential"
    limits = {"gamma": "(0, 1]"}

    def __init__(self, gamma: float = 0.95) -> None:
        self.gamma = gamma

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.gamma ** (step / per_epoch)


class InverseTime(ByStep):
    """Inverse-time decay: 1 / (1 + decay * epoch), with a real-valued epoch as in `Exponential`.

    Parameters
    ----------
    decay : float, default=0.1
        The rate is halved after 1 / decay epochs.
    """

    name = "inverse_time"
    limits = {"decay": "[0, inf)"}

    def __init__(self, decay: float = 0.1) -> None:
        self.decay = decay

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return 1 / (1 + self.decay * step / per_epoch)


def _part(step: int, total: int) -> float:
    """Return t = step / total: 0 at the first batch, below 1 at the last planned, then 1.

    PyTorch's schedules, stepped by batch, and RealMLP's code do the same.
    """
    return min(1.0, step / total)


def _half_cosine(x: float) -> float:
    """Return half a cosine, from 1 at x = 0 down to 0 at x = 1."""
    return (1 + math.cos(math.pi * x)) / 2


class Polynomial(ByStep):
    """Polynomial decay: end + (1 - end) (1 - t) ** power, where t is the elapsed part of training.

    Parameters
    ----------
    power : float, default=1.0
        Exponent; 1 is linear decay.
    end : float, default=0.0
        Final factor.
    """

    name = "polynomial"
    plans_the_end = True
    limits = {"power": "(0, inf)", "end": "[0, 1]"}

    def __init__(self, power: float = 1.0, end: float = 0.0) -> None:
        self.power = power
        self.end = end

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.end + (1 - self.end) * (1 - _part(step, total)) ** self.power


class CosLog4(ByStep):
    """(1 - cos(2 pi log2(1 + 15 t))) / 2, with t = step / (max_epochs * steps_per_epoch).

    Four waves from 0 to 1 to 0, each twice as long as the one before, as in RealMLP (Holzmüller,
    Grinsztajn & Steinwart, 2024, "Better by default", NeurIPS). The first batch has the factor 0.
    """

    name = "coslog4"
    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(1 + 2 * math.log2(1 + 15 * _part(step, total)))


class FlatCos(ByStep):
    """1 until t = 1/2, then half a cosine to 0, with t = step / (max_epochs * steps_per_epoch)."""

    name = "flat_cos"
    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(max(0.0, 2 * _part(step, total) - 1))


class Cosine(ByStep):
    """Linear warm-up, then cosine annealing from 1 to `end`, optionally with warm restarts.

    With w steps of warm-up the factor is (step + 1) / w until step w. It is then
    end + (1 - end) (1 + cos(pi u)) / 2, where u is the elapsed fraction of the present period
    (Loshchilov & Hutter, 2017, "SGDR", ICLR, eq. 5). The restarts + 1 periods have equal lengths.

    Parameters
    ----------
    warmup : float, default=0.0
        Number of warm-up epochs.
    restarts : int, default=0
        Number of warm restarts, at which the rate returns to its maximum.
    end : float, default=0.0
        Final factor of each period.
    """

    name = "cosine"
    plans_the_end = True
    limits = {"warmup": "[0, inf)", "restarts": "[0, inf)", "end": "[0, 1]"}

    def __init__(self, warmup: float = 0.0, restarts: int = 0, end: float = 0.0) -> None:
        self.warmup = warmup
        self.restarts = restarts
        self.end = end

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        warmup = self.warmup * per_epoch
        if warmup >= total:
            planned = f"{total // per_epoch} epochs planned"
            raise ValueError(f"warmup={self.warmup!r} takes all of the {planned}; reduce it.")
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        # Multiplication before division makes u exactly an integer at a restart.
        u = (step - warmup) * (self.restarts + 1) / (total - warmup)
        return self.end + (1 - self.end) * _half_cosine(u % 1 if u < self.restarts + 1 else 1.0)


class OneCycle(ByStep):
    """One-cycle policy: half a cosine up from 1 / div_factor to 1, then half a cosine down.

    Smith & Topin, 2018, "Super-convergence", arXiv:1708.07120, in the form of PyTorch's OneCycleLR:
    of n steps, step pct_start * n - 1 has the factor 1 and step n - 1 the final factor
    1 / (div_factor * final_div_factor). The base rate is the maximum; momentum does not change.

    Parameters
    ----------
    pct_start : float, default=0.3
        Fraction of the training in which the rate rises.
    div_factor, final_div_factor : float, default=25.0, 1e4
        Ratio of the maximum to the first rate, and of the first rate to the last.
    """

    name = "onecycle"
    plans_the_end = True
    limits = {"pct_start": "[0, 1]", "div_factor": "[1, inf)", "final_div_factor": "[1, inf)"}

    def __init__(
        self, pct_start: float = 0.3, div_factor: float = 25.0, final_div_factor: float = 1e4
    ) -> None:
        self.pct_start = pct_start
        self.div_factor = div_factor
        self.final_div_factor = final_div_factor

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        top, first = self.pct_start * total - 1, 1 / self.div_factor
        if step < top:
            return 1 + (first - 1) * _half_cosine(step / top)
        last = first / self.final_div_factor
        down = (step - top) / (total - 1 - top) if top < total - 1 else float(step > top)
        return last + (1 - last) * _half_cosine(min(1.0, down))


class Function(ByStep):
    """User-defined factor as a function of the epoch.

    Parameters
    ----------
    function : callable
        Called with the epoch as a float, such as 2.5 halfway through the third; returns the factor.
    """

    def __init__(self, function: Callable[[float], float]) -> None:
        self.function = function

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        factor: Any = self.function(step / per_epoch)
        if not isinstance(factor, Real) or not lies_in(factor, "[0, inf)"):
            raise ValueError(
                f"learning_rate={self.function!r} returned {factor!r} for epoch "
                f"{step / per_epoch:g}; return a factor on the rate, a number in [0, inf)."
            )
        return float(factor)


class Listed(ByStep):
    """List of factors, one for each step; the last one holds for all later steps.

    Parameters
    ----------
    listed : sequence of float
        Factors on the base rate.
    """

    def __init__(self, listed: Sequence[float]) -> None:
        self.listed = listed

    def check(self) -> None:
        """Raise ValueError if the list is empty."""
        if not len(self.listed):
            raise ValueError("listed=[] of Listed holds no factor; give one for each step.")

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return float(self.listed[min(step, len(self.listed) - 1)])
