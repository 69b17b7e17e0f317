"""Learning-rate schedules, and the table of those that estimators accept by name.

Some schedules change the rate between epochs; those derived from `ByStep` have a factor for each
batch. A class with a `name` enters the table.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple

import numpy as np

from sklearn_nn._hints import about_class
from sklearn_nn._spec import Spec, is_number, lies_in, named_classes, parameters

__all__ = [
    "Adaptive", "Constant", "CosLog4", "Cosine", "Exponential", "FlatCos", "Function",
    "InverseScaling", "InverseTime", "Listed", "OneCycle", "Plateau", "Polynomial", "Schedule",
    "StepDecay",
]  # fmt: skip


class Progress(NamedTuple):
    """Position of the next batches in the whole training."""

    steps: np.ndarray  # number of batches trained before each of these, over all epochs, from 0
    steps_per_epoch: int
    max_epochs: int  # number of epochs planned
    samples_seen: int  # samples trained on before this epoch


class Schedule(Spec):
    """Base class of schedules; by itself a constant schedule.

    The learning rate of a batch is the base rate times the batch's factor. A schedule has no state,
    so that resumed training continues bit for bit.

    Examples
    --------
    A schedule is a parameter of the estimator, and its own parameters can be searched over:

    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import Cosine
    >>> model = MLPClassifier(learning_rate=Cosine(warmup=1))
    >>> model.set_params(learning_rate__warmup=2).learning_rate
    Cosine(warmup=2)
    """

    #: Value of `learning_rate` that selects this class in estimators.
    name: ClassVar[str]
    #: Parameters taken from the estimator if the schedule is given by name.
    shared: ClassVar[tuple[str, ...]] = ()
    #: Whether the factors depend on the planned number of epochs.
    plans_the_end: ClassVar[bool] = False

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


class Constant(Schedule):
    """Constant learning rate.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Constant
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=Constant(), learning_rate_init=0.1, max_iter=3
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> model.history_["learning_rate"]
    [0.1, 0.1, 0.1]
    """

    name = "constant"


@parameters
class InverseScaling(Schedule):
    """Factor 1 / (samples seen + 1) ** power_t in each epoch: scikit-learn's "invscaling".

    Parameters
    ----------
    power_t : float, default=0.5
        Exponent; 0 gives a constant rate.

    Examples
    --------
    Two samples an epoch:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import InverseScaling
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], solver="sgd", learning_rate=InverseScaling(), learning_rate_init=0.1,
    ...     max_iter=4,
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.1, 0.058, 0.045, 0.038]
    """

    name = "invscaling"
    shared = ("power_t",)
    limits = {"power_t": "[0, inf)"}

    power_t: float = 0.5

    def factors(self, progress: Progress) -> float:
        """Return one factor for the epoch; 1 in the first."""
        return float(1 / self._divisor(progress))

    def rates(self, base: float, progress: Progress) -> float:
        """Return the base rate divided by the divisor, bit for bit scikit-learn's rate."""
        return float(base / self._divisor(progress))

    def _divisor(self, progress: Progress) -> float:
        self.check()
        return float((progress.samples_seen + 1) ** self.power_t)


@parameters
class Adaptive(Schedule):
    """Division of the rate by 5 when training no longer improves: scikit-learn's "adaptive".

    Parameters
    ----------
    smallest : float, default=1e-6
        Training stops at a plateau if the rate is at most this.

    Examples
    --------
    A loss that does not improve: after `n_iter_no_change` epochs the rate is divided by 5.

    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Adaptive
    >>> model = NeuralNetworkClassifier(
    ...     [Dense(4)], solver="sgd", learning_rate=Adaptive(), learning_rate_init=0.1,
    ...     n_iter_no_change=2, max_iter=8, alpha=0, shuffle=False, random_state=0,
    ... ).fit([[0.0], [0.0]], [0, 1])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.1, 0.1, 0.1, 0.02, 0.02, 0.02, 0.004]
    """

    name = "adaptive"
    limits = {"smallest": "[0, inf)"}

    smallest: float = 1e-6

    def at_plateau(self, rate: float) -> float | None:
        """Return a fifth of the rate, or None to stop."""
        self.check()
        return None if rate <= self.smallest else rate / 5.0


@parameters
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

    Examples
    --------
    A loss that does not improve: after two such epochs the rate is halved.

    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Plateau
    >>> model = NeuralNetworkClassifier(
    ...     [Dense(4)], learning_rate=Plateau(factor=0.5, patience=2), learning_rate_init=0.1,
    ...     max_iter=8, alpha=0, random_state=0,
    ... ).fit([[0.0], [0.0]], [0, 1])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]
    """

    name = "plateau"
    limits = {
        "factor": "(0, 1)", "patience": "[0, inf)", "min_delta": "[0, inf)", "min_rate": "[0, inf)",
    }  # fmt: skip

    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    min_rate: float = 0.0
    monitor: str | None = None

    def after_epoch(self, rate: float, history: Mapping[str, list[float]]) -> float:
        """Return the rate, reduced if patience has run out.

        Raises
        ------
        ValueError
            If the history has no column `monitor`.
        """
        self.check()
        usual = "val_loss" if history.get("val_loss") else "loss"
        name = usual if self.monitor is None else self.monitor
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


@parameters
class StepDecay(ByStep):
    """Step decay: drop ** floor(epoch / epochs).

    Parameters
    ----------
    drop : float, default=0.5
        Factor on the rate at each drop.
    epochs : int, default=10
        Number of epochs between drops.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import StepDecay
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=StepDecay(epochs=2), learning_rate_init=0.1, max_iter=6
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.1, 0.05, 0.05, 0.025, 0.025]
    """

    name = "step"
    limits = {"drop": "(0, 1]", "epochs": "[1, inf)"}

    drop: float = 0.5
    epochs: int = 10

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.drop ** (step // (per_epoch * self.epochs))


@parameters
class Exponential(ByStep):
    """Exponential decay: gamma ** epoch, with a real-valued epoch that grows with each batch.

    Parameters
    ----------
    gamma : float, default=0.95
        Factor on the rate per epoch.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Exponential
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=Exponential(gamma=0.5), learning_rate_init=0.1, max_iter=4
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.05, 0.025, 0.0125]
    """

    name = "exponential"
    limits = {"gamma": "(0, 1]"}

    gamma: float = 0.95

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.gamma ** (step / per_epoch)


@parameters
class InverseTime(ByStep):
    """Inverse-time decay: 1 / (1 + decay * epoch), with a real-valued epoch as in `Exponential`.

    Parameters
    ----------
    decay : float, default=0.1
        The rate is halved after 1 / decay epochs.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import InverseTime
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=InverseTime(decay=1), learning_rate_init=0.1, max_iter=5
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.1, 0.05, 0.033, 0.025, 0.02]
    """

    name = "inverse_time"
    limits = {"decay": "[0, inf)"}

    decay: float = 0.1

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return 1 / (1 + self.decay * step / per_epoch)


def _part(step: int, total: int) -> float:
    """Return t = step / total, below 1 at the last planned batch as in PyTorch, 1 beyond."""
    return min(1.0, step / total)


def _half_cosine(x: float) -> float:
    """Return half a cosine, from 1 at x = 0 down to 0 at x = 1."""
    return (1 + math.cos(math.pi * x)) / 2


@parameters
class Polynomial(ByStep):
    """Polynomial decay: end + (1 - end) (1 - t) ** power, where t is the elapsed part of training.

    Parameters
    ----------
    power : float, default=1.0
        Exponent; 1 is linear decay.
    end : float, default=0.0
        Final factor.

    Examples
    --------
    Linear decay to a tenth of the initial rate, over the planned epochs:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Polynomial
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=Polynomial(end=0.1), learning_rate_init=0.1, max_iter=6
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.1, 0.085, 0.07, 0.055, 0.04, 0.025]
    """

    name = "polynomial"
    plans_the_end = True
    limits = {"power": "(0, inf)", "end": "[0, 1]"}

    power: float = 1.0
    end: float = 0.0

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return self.end + (1 - self.end) * (1 - _part(step, total)) ** self.power


class CosLog4(ByStep):
    """(1 - cos(2 pi log2(1 + 15 t))) / 2, with t = step / (max_epochs * steps_per_epoch).

    Four waves from 0 to 1 to 0, each twice as long as the one before, as in RealMLP (Holzmüller,
    Grinsztajn & Steinwart, 2024, "Better by default", NeurIPS). The first batch has the factor 0.

    Examples
    --------
    The first half of 32 epochs has three of the four waves:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import CosLog4
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=CosLog4(), learning_rate_init=0.1, max_iter=32
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 2) for rate in model.history_["learning_rate"]][:16]
    [0.0, 0.1, 0.0, 0.06, 0.1, 0.05, 0.0, 0.01, 0.05, 0.09, 0.1, 0.09, 0.06, 0.03, 0.01, 0.0]
    """

    name = "coslog4"
    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(1 + 2 * math.log2(1 + 15 * _part(step, total)))


class FlatCos(ByStep):
    """1 until t = 1/2, then half a cosine to 0, with t = step / (max_epochs * steps_per_epoch).

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import FlatCos
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=FlatCos(), learning_rate_init=0.1, max_iter=8
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.1, 0.1, 0.1, 0.1, 0.1, 0.085, 0.05, 0.015]
    """

    name = "flat_cos"
    plans_the_end = True

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return _half_cosine(max(0.0, 2 * _part(step, total) - 1))


@parameters
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

    Examples
    --------
    Two epochs of warm-up, then half a cosine:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Cosine
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=Cosine(warmup=2), learning_rate_init=0.1, max_iter=8
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.05, 0.1, 0.1, 0.093, 0.075, 0.05, 0.025, 0.007]
    """

    name = "cosine"
    plans_the_end = True
    limits = {"warmup": "[0, inf)", "restarts": "[0, inf)", "end": "[0, 1]"}

    warmup: float = 0.0
    restarts: int = 0
    end: float = 0.0

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


@parameters
class OneCycle(ByStep):
    """One-cycle policy: half a cosine up from 1 / div_factor to 1, then half a cosine down.

    Smith & Topin, 2018, "Super-convergence", arXiv:1708.07120, in the form of PyTorch's OneCycleLR:
    of n steps, step pct_start * n - 1 has the factor 1 and step n - 1 the final factor
    1 / (div_factor * final_div_factor). The base rate is the maximum; momentum does not change.

    Parameters
    ----------
    pct_start : float, default=0.3
        Fraction of the training in which the rate rises.
    div_factor : float, default=25.0
        Ratio of the maximum to the first rate.
    final_div_factor : float, default=1e4
        Ratio of the first rate to the last.

    Examples
    --------
    The maximum is a third of the way through training:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import OneCycle
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=OneCycle(), learning_rate_init=0.1, max_iter=10
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.004, 0.052, 0.1, 0.095, 0.081, 0.061, 0.039, 0.019, 0.005, 0.0]
    """

    name = "onecycle"
    plans_the_end = True
    limits = {"pct_start": "[0, 1]", "div_factor": "[1, inf)", "final_div_factor": "[1, inf)"}

    pct_start: float = 0.3
    div_factor: float = 25.0
    final_div_factor: float = 1e4

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        top, first = self.pct_start * total - 1, 1 / self.div_factor
        if step < top:
            return 1 + (first - 1) * _half_cosine(step / top)
        last = first / self.final_div_factor
        down = (step - top) / (total - 1 - top) if top < total - 1 else float(step > top)
        return last + (1 - last) * _half_cosine(min(1.0, down))


def _is_factor(value: Any) -> bool:
    """Return whether a value is a factor on the rate: a number in [0, inf)."""
    return is_number(value) and lies_in(value, "[0, inf)")


@parameters
class Function(ByStep):
    """User-defined factor as a function of the epoch.

    Parameters
    ----------
    function : callable
        Called with the epoch as a float, such as 2.5 halfway through the third; returns the factor.

    Examples
    --------
    Estimators make one of a function that is their `learning_rate`:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=lambda epoch: 0.5**epoch, learning_rate_init=0.1, max_iter=4
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.05, 0.025, 0.0125]
    """

    function: Callable[[float], float]

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        factor: Any = self.function(step / per_epoch)
        if not _is_factor(factor):
            raise ValueError(
                f"learning_rate={self.function!r} returned {factor!r} for epoch "
                f"{step / per_epoch:g}; return a factor on the rate, a number in [0, inf)."
            )
        return float(factor)


@parameters
class Listed(ByStep):
    """List of factors, one for each step; the last one holds for all later steps.

    Parameters
    ----------
    listed : sequence of float
        Factors on the base rate.

    Examples
    --------
    With one batch in an epoch, a step is an epoch:

    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Listed
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], learning_rate=Listed([1, 0.5, 0.1]), learning_rate_init=0.1, max_iter=5
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [round(rate, 3) for rate in model.history_["learning_rate"]]
    [0.1, 0.05, 0.01, 0.01, 0.01]
    """

    listed: Sequence[float]

    def check(self) -> None:
        """Raise ValueError unless there are factors, and all are numbers in [0, inf)."""
        listed: Any = self.listed
        factors = listed if isinstance(listed, np.ndarray) else np.array(listed, dtype=object)
        if factors.size == 0:
            raise ValueError("listed=[] of Listed holds no factor; give one for each step.")
        if factors.ndim != 1 or not all(map(_is_factor, factors)):
            raise ValueError(
                f"listed={self.listed!r} does not suit Listed; use a list of factors on the rate, "
                "numbers in [0, inf), such as [1, 0.1]."
            )

    def _factor(self, step: int, per_epoch: int, total: int) -> float:
        return float(self.listed[min(step, len(self.listed) - 1)])


#: Schedules by name.
SCHEDULES = {kind.name: kind for kind in named_classes(Schedule, globals())}


def get_schedule(learning_rate: Any, parameters: Mapping[str, Any]) -> Schedule:
    """Return the schedule that an estimator's `learning_rate` stands for.

    A name selects a class, which takes from `parameters` those that it shares; a `Schedule` is
    returned unchanged; a function of the epoch becomes a `Function`. Others raise ValueError.
    """
    if isinstance(learning_rate, Schedule):
        learning_rate.check()
        return learning_rate
    if isinstance(learning_rate, str) and learning_rate in SCHEDULES:
        kind = SCHEDULES[learning_rate]
        return kind(**{name: parameters[name] for name in kind.shared if name in parameters})
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return Function(learning_rate)
    raise ValueError(
        f"learning_rate={learning_rate!r} is not known; use one of {', '.join(SCHEDULES)}, "
        f"a schedule object or a function of the epoch.{about_class(learning_rate)}"
    )
