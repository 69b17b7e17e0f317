"""Callbacks: objects whose methods run during training and may stop it.

A callback derives its state from the history, so that training resumed from a file continues as if
it had not been interrupted.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import KW_ONLY
from pathlib import Path
from typing import Any

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.training.progress import begin_bar
from sklearn_nn.training.schedules import Plateau

__all__ = [
    "Callback", "EarlyStopping", "LambdaCallback", "LearningRateScheduler", "ModelCheckpoint",
    "ProgressBar", "ReduceLROnPlateau", "TerminateOnNaN", "TrainingScore",
]  # fmt: skip


class Callback(Spec):
    """Base class of callbacks, whose methods do nothing; a subclass overrides some of them.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import Callback
    >>> class Print(Callback):
    ...     def on_epoch_end(self, epoch, log, estimator):
    ...         print("epoch", epoch, "rate", log["learning_rate"])
    ...         return epoch == 3  # stops
    >>> model = NeuralNetworkRegressor([Dense(4)], callbacks=[Print()], learning_rate_init=0.1)
    >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
    epoch 1 rate 0.1
    epoch 2 rate 0.1
    epoch 3 rate 0.1
    """

    #: Whether it runs after the other callbacks, for example to save what they have changed.
    sees_others = False

    def check_parameters(self) -> None:
        """Raise ValueError if a hyperparameter is invalid; called at the beginning of a fit."""
        Spec.check(self)

    def on_fit_begin(self, estimator: Any) -> None:
        """Run before the first epoch."""

    def on_epoch_begin(self, epoch: int, estimator: Any) -> None:
        """Run before an epoch; `epoch` counts from 1."""

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> bool | None:
        """Run after an epoch.

        Parameters
        ----------
        epoch : int
            Number of the epoch, from 1.
        log : dict of str to float
            Figures of the epoch: "loss", "seconds", with a validation set also "val_loss" and
            "val_score", and "learning_rate", the base rate of the next epoch (which a schedule's
            factors multiply). The callback may change "learning_rate".
        estimator : object
            The estimator in its present state: it can predict and be saved, and has `history_`.

        Returns
        -------
        stop : bool or None
            True ends training.
        """
        return None

    def on_fit_end(self, estimator: Any) -> None:
        """Run after the last epoch, however training ended."""


def monitored(monitor: str | None, figures: Mapping[str, Any], owner: str) -> str:
    """Return the figure to watch: `monitor`, or by default "val_loss" if present, else "loss".

    Raises ValueError if there is no such figure.
    """
    if monitor is None:
        return "val_loss" if "val_loss" in figures else "loss"
    if monitor not in figures:
        raise ValueError(
            f"monitor={monitor!r} of {owner} is not among the figures of an epoch, "
            f"{', '.join(figures)}; pass a validation set (X_val, y_val) or early_stopping=True "
            "to record those that begin with val_."
        )
    return monitor


def _losses(monitor: str, curve: list[float]) -> list[float]:
    """Return the curve with lower values better: scores change sign, NaN becomes infinity."""
    sign = -1 if monitor.endswith("score") else 1
    if sign == 1 and not math.isnan(sum(curve)):  # the usual case needs no copy
        return curve
    return [math.inf if math.isnan(value) else sign * value for value in curve]


@parameters
class EarlyStopping(Callback):
    """Callback that stops training when a figure no longer improves.

    The estimators' `early_stopping` also restores the best weights; this callback can watch any
    figure and keeps the present weights.

    Parameters
    ----------
    monitor : str or None, default=None
        Figure to watch; scores are better if higher, all others if lower. None is "val_loss", or
        "loss" without a validation set.
    patience : int, default=10
        Number of epochs without an improvement after which training stops.
    min_delta : float, default=0.0
        Smallest change that counts as an improvement.

    Examples
    --------
    The loss of validation rows, without a change of the weights that training ends with:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import EarlyStopping
    >>> X, y = load_digits(return_X_y=True)
    >>> stop = EarlyStopping(monitor="val_loss", patience=3)
    >>> model = MLPClassifier(32, learning_rate_init=0.02, callbacks=[stop], random_state=0)
    >>> model = model.fit(X[:1000] / 16, y[:1000], X_val=X[1000:] / 16, y_val=y[1000:])
    >>> losses = model.validation_loss_curve_
    >>> model.n_iter_ - losses.index(min(losses)) - 1
    3
    """

    limits = {"patience": "[0, inf)", "min_delta": "[0, inf)"}

    monitor: str | None = None
    _: KW_ONLY
    patience: int = 10
    min_delta: float = 0.0

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> bool:
        """Return True if none of the last `patience` epochs improved on all epochs before."""
        name = monitored(self.monitor, estimator.history_, "EarlyStopping")
        curve = _losses(name, estimator.history_[name])
        patience = max(1, self.patience)
        before, recent = curve[:-patience], curve[-patience:]
        return bool(before) and min(recent) >= min(before) - self.min_delta


def path_of(callback: Any, name: str = "path") -> str:
    """Return a parameter as a str, which a checkpoint can store; raise TypeError if no path."""
    value = getattr(callback, name)
    try:
        return os.fsdecode(value)
    except TypeError as error:
        raise TypeError(
            f"{name}={value!r} of {type(callback).__name__} is not the path of a file; use a str "
            "or a pathlib.Path."
        ) from error


@parameters
class ModelCheckpoint(Callback):
    """Callback that saves the estimator to a file during training.

    Files are replaced atomically, so that the file under this name can always be loaded.

    Parameters
    ----------
    path : str or path
        Path of the file. It may contain figures in braces: "net-{epoch:03d}-{val_loss:.4f}.npz".
    monitor : str or None, default=None
        Figure that `save_best_only` watches, as in `EarlyStopping`.
    save_best_only : bool, default=False
        Save only after epochs that are better than all before.
    every : int, default=1
        Number of epochs between saves.

    Examples
    --------
    >>> import os, tempfile
    >>> from sklearn_nn import NeuralNetworkRegressor, load
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import ModelCheckpoint
    >>> folder = tempfile.mkdtemp()
    >>> keep = ModelCheckpoint(os.path.join(folder, "net-{epoch:03d}.npz"), every=2)
    >>> model = NeuralNetworkRegressor([Dense(4)], callbacks=[keep], max_iter=5)
    >>> model = model.fit([[0.0], [1.0]], [0.0, 1.0])
    >>> sorted(os.listdir(folder))
    ['net-002.npz', 'net-004.npz']
    >>> load(os.path.join(folder, "net-004.npz")).n_iter_
    4
    """

    sees_others = True
    limits = {"every": "[1, inf)"}

    path: str | Path
    _: KW_ONLY
    monitor: str | None = None
    save_best_only: bool = False
    every: int = 1

    def __post_init__(self) -> None:
        self.path = path_of(self)

    def file(self, epoch: int, log: Mapping[str, float]) -> Path:
        """Return the file for an epoch.

        Raises
        ------
        ValueError
            If the path contains an unknown figure.
        """
        try:
            return Path(str(self.path).format(epoch=epoch, **log))
        except (KeyError, IndexError, ValueError) as error:
            raise ValueError(
                f"path={str(self.path)!r} of ModelCheckpoint cannot be formatted ({error}); the "
                f"figures are epoch, {', '.join(log)}, and literal braces are doubled."
            ) from error

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Save the estimator."""
        if epoch % self.every:
            return
        if self.save_best_only:
            name = monitored(self.monitor, estimator.history_, "ModelCheckpoint")
            *before, now = _losses(name, estimator.history_[name])
            if not now < min(before, default=math.inf):
                return
        estimator.save(self.file(epoch, log))


@parameters
class LearningRateScheduler(Callback):
    """Callback that sets the base learning rate by a user-defined function after every epoch.

    The estimators' `learning_rate` takes schedules that also change the rate within epochs.

    Parameters
    ----------
    schedule : callable
        Called with the number of the next epoch, from 0, and the rate; returns the new rate.

    Examples
    --------
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import LearningRateScheduler
    >>> halve = LearningRateScheduler(lambda epoch, rate: rate / 2)
    >>> model = NeuralNetworkRegressor(
    ...     [Dense(4)], callbacks=[halve], learning_rate_init=0.1, max_iter=4
    ... ).fit([[0.0], [1.0]], [0.0, 1.0])
    >>> model.history_["learning_rate"]
    [0.1, 0.05, 0.025, 0.0125]
    """

    schedule: Callable[[int, float], float]

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Set the rate of the next epoch."""
        rate = float(self.schedule(epoch, log["learning_rate"]))
        if not (rate > 0 and math.isfinite(rate)):
            raise ValueError(
                f"schedule of LearningRateScheduler returned {rate}; "
                "the rate must be positive and finite."
            )
        log["learning_rate"] = rate


@parameters
class ReduceLROnPlateau(Callback):
    """Callback that reduces the base learning rate when a figure no longer improves.

    Parameters
    ----------
    monitor : str or None, default=None
        Figure to watch, as in `EarlyStopping`.
    factor : float, default=0.1
        Factor on the rate.
    patience : int, default=10
        Number of epochs without an improvement before a reduction.
    min_delta : float, default=1e-4
        Smallest change that counts as an improvement.
    min_rate : float, default=0.0
        Lower bound of the rate.

    Examples
    --------
    A loss that does not improve: after two such epochs the rate is halved.

    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import ReduceLROnPlateau
    >>> reduce = ReduceLROnPlateau(factor=0.5, patience=2)
    >>> model = NeuralNetworkClassifier(
    ...     [Dense(4)], learning_rate_init=0.1, callbacks=[reduce], alpha=0, max_iter=8
    ... ).fit([[0.0], [0.0]], [0, 1])
    >>> [round(rate, 4) for rate in model.history_["learning_rate"]]
    [0.1, 0.1, 0.1, 0.05, 0.05, 0.025, 0.025, 0.0125]
    """

    limits = Plateau.limits

    monitor: str | None = None
    _: KW_ONLY
    factor: float = 0.1
    patience: int = 10
    min_delta: float = 1e-4
    min_rate: float = 0.0

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Reduce the rate of the next epoch if patience has run out."""
        name = monitored(self.monitor, estimator.history_, "ReduceLROnPlateau")
        plateau = Plateau(self.factor, self.patience, self.min_delta, self.min_rate, monitor=name)
        log["learning_rate"] = plateau.after_epoch(log["learning_rate"], estimator.history_)


class TerminateOnNaN(Callback):
    """Callback that turns the error of diverging training into a warning.

    Infinite and NaN losses are detected in any case, and the last finite weights are kept.

    Examples
    --------
    A rate that is far too large. Training ends early, with finite weights:

    >>> import warnings
    >>> import numpy as np
    >>> from sklearn_nn import MLPRegressor
    >>> from sklearn_nn.training import TerminateOnNaN
    >>> settings = {"solver": "sgd", "learning_rate_init": 1e99, "callbacks": [TerminateOnNaN()]}
    >>> model = MLPRegressor("squared_error", (), **settings)
    >>> with warnings.catch_warnings(record=True) as caught:
    ...     warnings.simplefilter("always")
    ...     model = model.fit([[0.0], [1.0]], [0.0, 1.0])
    >>> [warning.category.__name__ for warning in caught], np.isfinite(model.coefs_[0])
    (['ConvergenceWarning'], array([[ True]]))
    """


class TrainingScore(Callback):
    """Callback that records the score on the training samples after every epoch.

    The score appears as "score" in `history_` and is computed like "val_score". Predicting all
    training samples takes a quarter of the training time or more.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense
    >>> from sklearn_nn.training import TrainingScore
    >>> X, y = load_digits(return_X_y=True)
    >>> model = NeuralNetworkClassifier(
    ...     [Dense(64, activation="relu")], callbacks=[TrainingScore()], batch_size=32,
    ...     learning_rate_init=0.01, max_iter=5, random_state=0,
    ... ).fit(X / 16, y)
    >>> scores = model.history_["score"]
    >>> len(scores), round(scores[0], 1), round(scores[-1], 1)
    (5, 0.9, 1.0)
    """


class LambdaCallback(Callback):
    """Callback made of functions.

    Parameters
    ----------
    on_epoch_end : callable, optional
        Called with (epoch, log, estimator); the return value True stops training.
    on_fit_begin : callable, optional
        Called with (estimator) before the first epoch.
    on_fit_end : callable, optional
        Called with (estimator) after the last epoch.

    Examples
    --------
    Stop when the loss is small enough:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import LambdaCallback
    >>> X, y = load_digits(return_X_y=True)
    >>> enough = LambdaCallback(lambda epoch, log, estimator: log["loss"] < 0.2)
    >>> model = MLPClassifier(learning_rate_init=0.005, callbacks=[enough], random_state=0)
    >>> round(model.fit(X / 16, y).loss_, 1)
    0.2
    """

    _HOOKS = ("on_epoch_end", "on_fit_begin", "on_fit_end")

    def __init__(
        self,
        on_epoch_end: Callable[[int, dict[str, float], Any], bool | None] | None = None,
        *,
        on_fit_begin: Callable[[Any], None] | None = None,
        on_fit_end: Callable[[Any], None] | None = None,
    ) -> None:
        # A given function replaces the method of the same name.
        given = (on_epoch_end, on_fit_begin, on_fit_end)
        for name, function in zip(self._HOOKS, given, strict=True):
            if function is not None:
                setattr(self, name, function)

    def check_parameters(self) -> None:
        """Raise ValueError if a value is not a function; one that was set to None is taken away."""
        for name, value in self.get_params().items():
            if value is None:
                self.__dict__.pop(name, None)
            elif not callable(value):
                raise ValueError(
                    f"{name}={value!r} does not suit LambdaCallback; use a function or None."
                )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the functions that were given."""
        return {name: self.__dict__.get(name) for name in self._HOOKS}


def is_stopped_gently(callbacks: Any) -> bool:
    """Return whether one of the callbacks turns the error of divergence into a warning."""
    return any(isinstance(callback, TerminateOnNaN) for callback in callbacks)


@parameters
class ProgressBar(Callback):
    """Progress bar with loss, validation score, samples per second and remaining time.

    `verbose=True` shows one by itself in a notebook, and on a terminal with rich or tqdm installed.
    If a fit trains several networks (`n_restarts`, `n_networks`), each has a bar that names it.

    Parameters
    ----------
    max_epochs : int or None, default=None
        Length of the bar; None is the estimator's `max_iter`, also where that is "auto".
    n_samples : int or None, default=None
        Samples per epoch, for the speed.
    unit : str, default='samples'
        Unit of the speed.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.training import ProgressBar
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(callbacks=[ProgressBar(n_samples=len(X))])
    >>> model.fit(X / 16, y)  # doctest: +SKIP
    """

    limits = {"max_epochs": "[1, inf)", "n_samples": "[1, inf)"}

    max_epochs: int | None = None
    n_samples: int | None = None
    unit: str = "samples"

    def on_fit_begin(self, estimator: Any) -> None:
        """Draw the bar.

        Raises
        ------
        ImportError
            If neither rich nor tqdm is installed, outside of notebooks.
        """
        name = vars(estimator).get("_network_name")
        total = self.max_epochs or estimator._setting("max_iter")
        self._bar = begin_bar("epoch" if name is None else f"{name}, epoch", total)
        self._shown = 0.0
        self._log: dict[str, float] = {}

    def on_epoch_end(self, epoch: int, log: dict[str, float], estimator: Any) -> None:
        """Advance the bar, at most ten times a second."""
        self._log = log
        now = time.perf_counter()
        if now - self._shown > 0.1:
            self._shown = now
            self._show(epoch)

    def on_fit_end(self, estimator: Any) -> None:
        """Show the last epoch and stop drawing."""
        self._show(len(estimator.history_.get("loss", ())))
        self._bar.close()
        del self._bar, self._log  # a bar holds a lock, which cannot be pickled

    def _show(self, epoch: int) -> None:
        """Move the bar to the end of an epoch and show the figures of the last one."""
        log = self._log
        figures = [f"{name} {log[name]:.4f}" for name in ("loss", "val_score") if name in log]
        if self.n_samples and log.get("seconds", 0) > 0:
            figures.append(f"{self.n_samples / log['seconds']:,.0f} {self.unit}/s")
        self._bar.show(epoch, "  ".join(figures))
