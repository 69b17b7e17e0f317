"""Callbacks of a fit: one that publishes its history, and scikit-learn's (since 1.9).

Also the names of networks, which callbacks and verbose lines show.
"""

from __future__ import annotations

try:
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:  # scikit-learn before 1.9 has no callbacks

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Mixin without effect."""

    def with_callbacks(method):
        """Return the method unchanged."""
        return method


import functools

from sklearn_nn.estimators._core.fitted_network import publish_history, publish_network
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.trainer import say

__all__ = ["CallbackSupportMixin", "with_callbacks"]


def _snapshot(estimator):
    """Return the attributes that make a copy of an estimator predict as it does now."""
    copied = estimator._twin()
    publish_network(copied, estimator._network.copy())
    names = ("_network", *estimator._transient, *estimator._ARRAY_LISTS)
    return {name: vars(copied)[name] for name in names if name in vars(copied)}


def name_network(estimator, number, of, remark=""):
    """Name the network that is trained next, for progress bars and verbose lines."""
    named = f"network {number} of {of}" if of > 1 else ""
    estimator._network_name = ", ".join(filter(None, (named, remark))) or None


def tell_network(estimator):
    """Print which of several networks is trained."""
    if (name := estimator._network_name) is not None:
        say(name.capitalize())


class SubtaskCallback(Callback):
    """Callback that reports the fit, of at most `max_epochs`, to scikit-learn's callbacks."""

    def __init__(self, estimator, max_epochs):
        self._fit = estimator._init_callback_context(max_subtasks=max_epochs)
        self._epoch = None
        self._attributes = functools.partial(_snapshot, estimator)
        X, y = estimator._callback_data
        self._data = {"X": X, "y": y}
        self._fit.call_on_fit_task_begin(estimator=estimator, **self._data)

    def on_epoch_begin(self, epoch, estimator):
        """Begin the task of the epoch."""
        self._epoch = self._fit.subcontext(task_name="epoch")
        self._epoch.call_on_fit_task_begin(estimator=estimator, **self._data)

    def on_epoch_end(self, epoch, log, estimator):
        """End the task of the epoch; return whether a callback requests to stop."""
        return self._epoch.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes=self._attributes, **self._data
        )

    def end(self, estimator):
        """End the task of the fit."""
        self._fit.call_on_fit_task_end(
            estimator=estimator, reconstruction_attributes=self._attributes, **self._data
        )


class Publisher(Callback):
    """Callback that updates the estimator before other callbacks read it."""

    def __init__(self, trainer):
        self._trainer = trainer

    def on_epoch_end(self, epoch, log, estimator):
        """Publish the order of the rows and the history."""
        estimator._order = self._trainer.rows
        publish_history(estimator, self._trainer.history, self._trainer.n_epochs)
