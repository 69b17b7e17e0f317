"""Learning-rate schedules."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from numbers import Real
from typing import Any

from sklearn_nn.training.schedule import ByStep, Schedule, lies_in
from sklearn_nn.training.schedule import Progress as Progress


class Constant(Schedule):
    """The base rate throughout."""


class InverseScaling(Schedule):
    """1 / (samples seen + 1) ** power_t, epoch by epoch: scikit-learn's "invscaling".

    Parameters
    ----------
    power_t : float, default=0.5
        0 is constant.
    """

    limits = {"power_t": "[0, inf)"}

    def __init__(self, power_t: float = 0.5) -> None:
        self.power_t = power_t

    def factors(self, progress: Progress) -> float:
        """One factor for the epoch; 1 in the first."""
        return float(1 / self._divisor(progress))

    def rates(self, base: float, progress: Progress) -> float:
        """The base rate, divided: scikit-learn's rates to the last bit."""
        return float(base / self._divisor(progress))

    def _divisor(self, progress: Progress) -> float:
        self.check()
        return float((progress.samples_seen + 1) ** self.power_t)


class Adaptive(Schedule):
    """A fifth of the rate whenever training no longer improves: scikit-learn's "adaptive".

    Parameters
    ----------
    smallest : float, default=1e-6
        Training stops at a plateau with a rate no larger than this.
    """

    limits = {"smallest": "[0, inf)"}

    def __init__(self, smallest: float = 1e-6) -> None:
        self.smallest = smallest

    def at_plateau(self, rate: float) -> float | None:
        """A fifth of the rate."""
        self.check()
        return None if rate <= self.smallest else rate / 5.0


class StepDecay(ByStep):
    """Down at once every few epochs: drop ** floor(epoch / epochs).

    Parameters
    ----------
    drop : float, default=0.5
        Factor at each step down.
    epochs : int, default=10
        Epochs from one to the next.
    """

    limits = {"drop": "(0, 1]", "epochs": "[1, inf)"}

    def __init__(self, drop: float = 0.5, epochs: int = 10) -> None:
        self.drop = drop
        self.epochs = epochs

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.drop ** (step // (per_epoch * self.epochs))


class Exponential(ByStep):
    """gamma ** epoch; the epoch is a real number, so the rate falls a little with each batch.

    Parameters
    ----------
    gamma : float, default=0.95
        What is left of the rate after an epoch.
    """

    limits = {"gamma": "(0, 1]"}

    def __init__(self, gamma: float = 0.95) -> None:
        self.gamma = gamma

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.gamma ** (step / per_epoch)


class InverseTime(ByStep):
    """1 / (1 + decay * epoch); the epoch is a real number, as in `Exponential`.

    Parameters
    ----------
    decay : float, default=0.1
        After 1 / decay epochs half of the rate is left.
    """

    limits = {"decay": "[0, inf)"}

    def __init__(self, decay: float = 0.1) -> None:
        self.decay = decay

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return 1 / (1 + self.decay * step / per_epoch)


def _part(step: int, total: int) -> float:
    """t = step / total: 0 at the first batch, just below 1 at the last, and 1 at all that follow.

    As in PyTorch's schedules when they step by batch, and in RealMLP's code.
    """
    return min(1.0, step / total)


def _half_cosine(x: float) -> float:
    """From 1 down to 0 as x goes from 0 to 1."""
    return (1 + math.cos(math.pi * x)) / 2


class Polynomial(ByStep):
    """end + (1 - end) (1 - t) ** power, with t = step / (max_epochs * steps_per_epoch).

    Parameters
    ----------
    power : float, default=1.0
        1 is a straight line.
    end : float, default=0.0
        The last factor.
    """

    plans_the_end = True

    limits = {"power": "(0, inf)", "end": "[0, 1]"}

    def __init__(self, power: float = 1.0, end: float = 0.0) -> None:
        self.power = power
        self.end = end

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.end + (1 - self.end) * (1 - _part(step, total)) ** self.power


class CosLog4(ByStep):
    """(1 - cos(2 pi log2(1 + 15 t))) / 2, with t = step / (max_epochs * steps_per_epoch).

    Four waves, 0 to 1 to 0, each twice as long as the one before. RealMLP's (Holzmüller, Grinsztajn
    & Steinwart, 2024, "Better by default", NeurIPS). The very first batch has the factor 0.
    """

    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(1 + 2 * math.log2(1 + 15 * _part(step, total)))


class FlatCos(ByStep):
    """1 until t = 1/2, then half a cosine to 0, with t = step / (max_epochs * steps_per_epoch)."""

    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(max(0.0, 2 * _part(step, total) - 1))


class Cosine(ByStep):
    """A linear warm-up, then half a cosine from 1 to `end`, with warm restarts if wanted.

    With w steps of warm-up the factor is (step + 1) / w until step w. It is then
    end + (1 - end) (1 + cos(pi u)) / 2, where u is the part of the present period that is over
    (Loshchilov & Hutter, 2017, "SGDR", ICLR, eq. 5). The restarts + 1 periods are of one length.

    Parameters
    ----------
    warmup : float, default=0.0
        Epochs in which the rate rises.
    restarts : int, default=0
        How often the rate jumps back to its maximum.
    end : float, default=0.0
        The last factor of each period.
    """

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
            raise ValueError(f"warmup={self.warmup!r} takes all of the {planned}; use less.")
        if step < warmup:
            return min(1.0, (step + 1) / warmup)
        # Multiplied before divided: a restart falls on a whole number, exactly.
        u = (step - warmup) * (self.restarts + 1) / (total - warmup)
        return self.end + (1 - self.end) * _half_cosine(u % 1 if u < self.restarts + 1 else 1.0)


class OneCycle(ByStep):
    """Up from 1 / div_factor to 1 and far down, each half a cosine; the base rate is the maximum.

    Smith and Topin's policy (2018, "Super-convergence", arXiv:1708.07120) in the form of PyTorch's
    OneCycleLR: of n steps, step pct_start * n - 1 has the factor 1 and step n - 1 the last one,
    1 / (div_factor * final_div_factor). The momentum is left as it is.

    Parameters
    ----------
    pct_start : float, default=0.3
        Part of the training in which the rate rises.
    div_factor, final_div_factor : float, default=25.0, 1e4
        Maximum over first rate, and first rate over last.
    """

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


class Plateau(Schedule):
    """A lower base rate after `patience` epochs without improvement: Keras's ReduceLROnPlateau.

    Epochs are counted from the last improvement or reduction. The estimator's own patience must be
    longer than this one, or training stops before the rate is reduced.

    Parameters
    ----------
    factor : float, default=0.1
        Factor on the rate.
    patience : int, default=10
        Epochs to wait.
    min_delta : float, default=1e-4
        An improvement is a value lower than the best before by more than this.
    min_rate : float, default=0.0
        The rate is never reduced below this.
    monitor : str or None, default=None
        The column of the history to watch, where lower is better (higher, of a score); None is
        "val_loss" if there is one, otherwise "loss".
    """

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
        """The rate, reduced if patience is at an end.

        Raises
        ------
        ValueError
            If the history has no column `monitor`.
        """
        self.check()
        name = self.monitor or ("val_loss" if history.get("val_loss") else "loss")
        if name not in history:
            raise ValueError(f"monitor={name!r} is not recorded; use one of {', '.join(history)}.")
        # The whole curve again at every epoch: what it says of the past needs no remembering.
        sign, best, waited, ends = -1 if name.endswith("score") else 1, math.inf, 0, False
        for value in history[name]:
            improves = sign * value < best - self.min_delta
            best = sign * value if improves else best
            waited = 0 if improves else waited + 1
            ends = waited >= max(1, self.patience)
            waited = 0 if ends else waited
        return max(rate * self.factor, self.min_rate) if ends and rate > self.min_rate else rate


class Function(ByStep):
    """A user's own factor as a function of the epoch.

    Parameters
    ----------
    function : callable
        Takes the epoch as a float, such as 2.5 halfway through the third, and nothing else.
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
    """A factor for each step, from a list; the last for all that come after.

    Parameters
    ----------
    listed : sequence of float
    """

    def __init__(self, listed: Sequence[float]) -> None:
        self.listed = listed

    def check(self) -> None:
        """Raise a ValueError if the list is empty."""
        if not len(self.listed):
            raise ValueError("listed=[] of Listed holds no factor; give one for each step.")

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return float(self.listed[min(step, len(self.listed) - 1)])


SCHEDULES: dict[str, type[Schedule]] = {
    "constant": Constant, "invscaling": InverseScaling, "adaptive": Adaptive, "step": StepDecay,
    "exponential": Exponential, "inverse_time": InverseTime, "polynomial": Polynomial,
    "cosine": Cosine, "onecycle": OneCycle, "coslog4": CosLog4, "flat_cos": FlatCos,
    "plateau": Plateau,
}  # fmt: skip


def get_schedule(learning_rate: Any, parameters: Mapping[str, Any]) -> Schedule:
    """The schedule that an estimator's `learning_rate` stands for.

    Parameters
    ----------
    learning_rate : str, Schedule or callable
        A name in `SCHEDULES`; an object, returned as it is; or a function of the epoch.
    parameters : mapping from str to object
        The estimator's parameters, of which "invscaling" takes its `power_t`.

    Returns
    -------
    schedule : Schedule

    Raises
    ------
    ValueError
        If `learning_rate` is none of these.
    """
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, str) and learning_rate in SCHEDULES:
        kind = SCHEDULES[learning_rate]
        shared = kind is InverseScaling and "power_t" in parameters
        return InverseScaling(parameters["power_t"]) if shared else kind()
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return Function(learning_rate)
    raise ValueError(
        f"learning_rate={learning_rate!r} is not known; use one of {', '.join(SCHEDULES)}, "
        f"a schedule object or a function of the epoch."
    )
