"""Callbacks: what is called at the end of every epoch, and may stop training.

A callback remembers nothing between epochs that it could not read off the history: training that is
resumed from a file then goes on as if it had never been interrupted.
"""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Mapping
from numbers import Integral, Real
from pathlib import Path
from typing import Any, ClassVar

from sklearn_nn._spec import Spec
from sklearn_nn.training.schedule import lies_in
from sklearn_nn.training.schedules import Plateau


class Callback(Spec):
    """Base of all callbacks; by itself it does nothing. A subclass overrides what it needs."""

    #: Whether it runs after the callbacks that do not: it keeps what they have done.
    sees_others = False
    #: Where parameters must lie, in intervals, and whether they are whole numbers.
    _limits: ClassVar[Mapping[str, tuple[str, type]]] = {}

    def check_parameters(self) -> None:
        """Raise a ValueError if a parameter is outside its limits."""
        for name, (interval, kind) in self._limits.items():
            value = getattr(self, name)
            if not isinstance(value, kind) or not lies_in(value, interval):
                number = "whole number" if kind is Integral else "number"
                raise ValueError(
                    f"{name}={value!r} of {type(self).__name__} must be a {number} in {interval}."
                )

    def on_fit_begin(self, estimator: Any) -> None:
        """Before the first epoch."""

    def on_epoch_begin(self, epoch: int, estimator: Any) -> None:
        """Before an epoch, whose number counts from 1."""

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> bool | None:
        """After an epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 1.
        log : dict of str to float
            The epoch's figures: "loss", "seconds", "val_loss" and "val_score" where there is a
            validation set, and "learning_rate", the base rate of the next epoch (what a schedule's
            factors multiply), which may be changed here.
        estimator : object
            The estimator as it is now: it can predict, be saved, and has its `history_`.

        Returns
        -------
        stop : bool or None
            True ends training.
        """
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """After the last epoch, however training ended."""


def monitored(monitor: str | None, figures: Mapping[str, Any], owner: str) -> str:
    """The name of the figure to watch; None is the validation loss, or the loss without one.

    Raises
    ------
    ValueError
        If there is no such figure.
    """
    if monitor is None:
        return "val_loss" if "val_loss" in figures else "loss"
    if monitor not in figures:
        raise ValueError(
            f"monitor={monitor!r} of {owner} is not among the figures of an epoch, "
            f"{', '.join(figures)}; pass a validation set (X_val, y_val) or early_stopping=True "
            "for those that begin with val_."
        )
    return monitor


def _losses(monitor: str, curve: list[float]) -> list[float]:
    """A curve that is better where it is lower: scores change their sign. NaN is the worst."""
    sign = -1 if monitor.endswith("score") else 1
    if sign == 1 and not math.isnan(sum(curve)):  # as nearly always: nothing to go through
        return curve
    return [math.inf if math.isnan(value) else sign * value for value in curve]


class EarlyStopping(Callback):
    """Stop when a figure no longer improves.

    The estimators' `early_stopping` does the same and goes back to the best weights; this callback
    can watch any figure, and leaves the weights as they are.

    Parameters
    ----------
    monitor : str or None, default=None
        Figure to watch; scores are better the higher, all others the lower. None is "val_loss", or
        "loss" without a validation set.
    patience : int, default=10
        Stop after this many epochs without an improvement.
    min_delta : float, default=0.0
        What counts as an improvement.
    """

    _limits = {"patience": ("[0, inf)", Integral), "min_delta": ("[0, inf)", Real)}

    def __init__(
        self, monitor: str | None = None, *, patience: int = 10, min_delta: float = 0.0
    ) -> None:
        self.monitor = monitor
        self.patience = patience
        self.min_delta = min_delta

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> bool:
        """Stop if none of the last `patience` epochs was better than all before."""
        name = monitored(self.monitor, estimator.history_, "EarlyStopping")
        curve = _losses(name, estimator.history_[name])
        patience = max(1, self.patience)
        before, recent = curve[:-patience], curve[-patience:]
        return bool(before) and min(recent) >= min(before) - self.min_delta


class ModelCheckpoint(Callback):
    """Save the estimator to a file while it trains.

    Files are replaced as a whole: whatever happens, what lies under the name can be loaded.

    Parameters
    ----------
    path : str or path
        Where to. May hold figures in braces: "net-{epoch:03d}-{val_loss:.4f}.npz".
    monitor : str or None, default=None
        Figure that `save_best_only` watches, as in `EarlyStopping`.
    save_best_only : bool, default=False
        Save only after epochs that are better than all before.
    every : int, default=1
        Save after every so many epochs.
    """

    sees_others = True
    _limits = {"every": ("[1, inf)", Integral)}

    def __init__(
        self,
        path: str | Path,
        *,
        monitor: str | None = None,
        save_best_only: bool = False,
        every: int = 1,
    ) -> None:
        self.path = os.fspath(path)  # text, so that the checkpoint itself can hold it
        self.monitor = monitor
        self.save_best_only = save_best_only
        self.every = every

    def file(self, epoch: int, log: Mapping[str, float]) -> Path:
        """The file for an epoch.

        Raises
        ------
        ValueError
            If the path asks for a figure that there is not.
        """
        try:
            return Path(str(self.path).format(epoch=epoch, **log))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"path={str(self.path)!r} of ModelCheckpoint cannot be filled in ({error}); the "
                f"figures are epoch, {', '.join(log)}, and a brace itself is written twice."
            ) from error

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Save."""
        if epoch % self.every:
            return
        if self.save_best_only:
            name = monitored(self.monitor, estimator.history_, "ModelCheckpoint")
            *before, now = _losses(name, estimator.history_[name])
            if not now < min(before, default=math.inf):
                return
        estimator.save(self.file(epoch, log))


class LearningRateScheduler(Callback):
    """Set the base learning rate by a function of one's own after every epoch.

    For a schedule that is known ahead, `learning_rate=` of the estimators changes the rate within
    epochs, too.

    Parameters
    ----------
    schedule : callable
        Called with the number of the epoch that comes next, from 0, and the rate; returns the rate.
    """

    def __init__(self, schedule: Callable[[int, float], float]) -> None:
        self.schedule = schedule

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Set the rate of the next epoch."""
        rate = float(self.schedule(epoch, log["learning_rate"]))
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(
                f"schedule of LearningRateScheduler returned {rate}; rates are positive numbers."
            )
        log["learning_rate"] = rate


class ReduceLROnPlateau(Callback):
    """Lower the base learning rate when a figure no longer improves.

    Parameters
    ----------
    monitor : str or None, default=None
        Figure to watch, as in `EarlyStopping`.
    factor : float, default=0.1
        What the rate is multiplied by.
    patience : int, default=10
        Epochs without an improvement before that.
    min_delta : float, default=1e-4
        What counts as an improvement.
    min_rate : float, default=0.0
        The rate is never lower.
    """

    _limits = {
        "factor": ("(0, 1)", Real), "patience": ("[0, inf)", Integral),
        "min_delta": ("[0, inf)", Real), "min_rate": ("[0, inf)", Real),
    }  # fmt: skip

    def __init__(
        self,
        monitor: str | None = None,
        *,
        factor: float = 0.1,
        patience: int = 10,
        min_delta: float = 1e-4,
        min_rate: float = 0.0,
    ) -> None:
        self.monitor = monitor
        self.factor = factor
        self.patience = patience
        self.min_delta = min_delta
        self.min_rate = min_rate

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Lower the rate of the next epoch."""
        name = monitored(self.monitor, estimator.history_, "ReduceLROnPlateau")
        plateau = Plateau(self.factor, self.patience, self.min_delta, self.min_rate, monitor=name)
        log["learning_rate"] = plateau.after_epoch(log["learning_rate"], estimator.history_)


class TerminateOnNaN(Callback):
    """End training that diverges with a warning, where it would otherwise raise.

    That a loss is infinite or NaN is always looked for, and the last good weights are kept.
    """


class TrainingScore(Callback):
    """Take down the score on the training samples after every epoch, beside that on others.

    It is "score" in `history_`, judged as "val_score" is. It takes a prediction of all training
    samples an epoch, a quarter of the time of training or more, and is asked for by this callback.
    """


class CSVLogger(Callback):
    """Write every epoch's figures to a CSV file as training goes.

    Parameters
    ----------
    path : str or path
    append : bool, default=False
        Whether to go on with a file that is there, as when training is resumed. Its columns stay
        as they are.
    """

    def __init__(self, path: str | Path, *, append: bool = False) -> None:
        self.path = os.fspath(path)
        self.append = append

    def on_fit_begin(self, estimator: Any) -> None:
        """Begin the file anew, unless it is to be gone on with."""
        if not self.append:
            Path(self.path).write_text("", encoding="utf-8")

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Add a line; the first is preceded by the names."""
        row = {"epoch": epoch, **{k: curve[-1] for k, curve in estimator.history_.items()}}
        with Path(self.path).open("a+", encoding="utf-8", newline="") as file:
            file.seek(0)
            names = next(csv.reader(file), None)
            writer = csv.DictWriter(file, names or list(row), extrasaction="ignore")
            if names is None:
                writer.writeheader()
            writer.writerow(row)


class LambdaCallback(Callback):
    """A callback made of functions.

    Parameters
    ----------
    on_epoch_end : callable, optional
        Called with (epoch, log, estimator); returning True ends training.
    on_fit_begin, on_fit_end : callable, optional
        Called with (estimator).
    """

    _HOOKS = ("on_epoch_end", "on_fit_begin", "on_fit_end")

    def __init__(
        self,
        on_epoch_end: Callable[[int, dict[str, float], Any], bool | None] | None = None,
        *,
        on_fit_begin: Callable[[Any], None] | None = None,
        on_fit_end: Callable[[Any], None] | None = None,
    ) -> None:
        # A parameter that is given takes the place of the method of its name.
        given = (on_epoch_end, on_fit_begin, on_fit_end)
        for name, function in zip(self._HOOKS, given, strict=True):
            if function is not None:
                setattr(self, name, function)

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The functions that were given."""
        return {name: self.__dict__.get(name) for name in self._HOOKS}


def is_stopped_gently(callbacks: Any) -> bool:
    """Whether divergence is to be a warning and no error."""
    return any(isinstance(callback, TerminateOnNaN) for callback in callbacks)
