"""Losses by name: the registries, and what an estimator's `loss=` becomes.

What a loss is stands in loss_base.py, the losses in regression_losses.py and
classification_losses.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn_nn.training.classification_losses import (
    SigmoidFocal,
    SigmoidLogLoss,
    SoftmaxFocal,
    SoftmaxLogLoss,
)
from sklearn_nn.training.loss_base import Loss
from sklearn_nn.training.regression_losses import (
    AbsoluteError,
    Huber,
    LogCosh,
    Poisson,
    Quantile,
    SquaredError,
)

__all__ = [
    "CLASSIFICATION_LOSSES",
    "REGRESSION_LOSSES",
    "AbsoluteError",
    "Huber",
    "LogCosh",
    "Loss",
    "Poisson",
    "Quantile",
    "SigmoidFocal",
    "SigmoidLogLoss",
    "SoftmaxFocal",
    "SoftmaxLogLoss",
    "SquaredError",
    "get_classification_loss",
    "get_regression_loss",
]

#: What `loss=` may be for a regressor.
REGRESSION_LOSSES: dict[str, type[Loss]] = {
    "squared_error": SquaredError,
    "absolute_error": AbsoluteError,
    "huber": Huber,
    "quantile": Quantile,
    "log_cosh": LogCosh,
    "poisson": Poisson,
}
#: What `loss=` may be for a classifier: two classes or several labels, and more classes.
CLASSIFICATION_LOSSES: dict[str, tuple[type[Loss], type[Loss]]] = {
    "log_loss": (SigmoidLogLoss, SoftmaxLogLoss),
    "focal": (SigmoidFocal, SoftmaxFocal),
}


def get_regression_loss(loss: Any, parameters: Mapping[str, Any]) -> Loss:
    """The loss of a name, with the estimator's `parameters` that it shares; an object as it is.

    Parameters
    ----------
    loss : str or Loss
        One of `REGRESSION_LOSSES`, or a loss.
    parameters : mapping of str to object
        The estimator's, of which "quantile" takes its `quantile` where there is one.

    Raises
    ------
    ValueError
        If there is no loss of this name.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in REGRESSION_LOSSES:
        return REGRESSION_LOSSES[loss].sharing(parameters)
    raise _unknown(loss, REGRESSION_LOSSES)


def get_classification_loss(loss: Any, multiclass: bool, parameters: Mapping[str, Any]) -> Loss:
    """The loss of a name, with the estimator's `parameters` that it shares; an object as it is.

    Parameters
    ----------
    loss : str or Loss
        One of `CLASSIFICATION_LOSSES`, or a loss.
    multiclass : bool
        Whether one of several classes is right (a softmax), or each output is a yes or no.
    parameters : mapping of str to object
        The estimator's, of which "log_loss" takes its `label_smoothing` where there is one;
        "focal" takes none.

    Raises
    ------
    ValueError
        If there is no loss of this name.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in CLASSIFICATION_LOSSES:
        return CLASSIFICATION_LOSSES[loss][int(multiclass)].sharing(parameters)
    raise _unknown(loss, CLASSIFICATION_LOSSES)


def _unknown(loss: Any, names: Iterable[str]) -> ValueError:
    return ValueError(
        f"loss={loss!r} is not known; use one of {', '.join(names)}, or a Loss object."
    )
