"""Losses, and the tables of the losses that estimators accept by name.

`base` defines the interface, `regression` and `classification` the losses, `pointwise` the kernel
of losses that compare one output with one target. A class with a `name` enters its table.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from sklearn_nn._spec import named_classes
from sklearn_nn.training.losses import classification, regression
from sklearn_nn.training.losses.base import Loss
from sklearn_nn.training.losses.classification import *
from sklearn_nn.training.losses.regression import *

__all__ = ["Loss", *classification.__all__, *regression.__all__]

#: Losses of regressors by name.
REGRESSION_LOSSES = {kind.name: kind for kind in named_classes(Loss, vars(regression))}
_BY_LINK = {(kind.name, kind.link): kind for kind in named_classes(Loss, vars(classification))}
#: Losses of classifiers by name: for two classes or several labels, and for more classes.
CLASSIFICATION_LOSSES = {
    name: (_BY_LINK[name, "logistic"], _BY_LINK[name, "softmax"]) for name, _ in _BY_LINK
}


def get_regression_loss(loss: Any, parameters: Mapping[str, Any]) -> Loss:
    """Return the loss of this name with the estimator's `parameters` that it shares.

    A `Loss` is returned unchanged; an unknown name raises ValueError.
    """
    if isinstance(loss, Loss):
        return loss
    if isinstance(loss, str) and loss in REGRESSION_LOSSES:
        return REGRESSION_LOSSES[loss].sharing(parameters)
    raise _unknown(loss, REGRESSION_LOSSES)


def get_classification_loss(loss: Any, multiclass: bool, parameters: Mapping[str, Any]) -> Loss:
    """Return the loss of this name with the estimator's `parameters` that it shares.

    `multiclass` selects the form for a softmax; otherwise each output has a sigmoid of its own.
    A `Loss` is returned unchanged; an unknown name raises ValueError.
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
