"""Losses, and the tables of the losses that estimators accept by name.

`base` defines the interface, `regression` and `classification` the losses. A class with a `name`
enters the table of its module.
"""

from sklearn_nn.training.losses import classification, regression
from sklearn_nn.training.losses.base import Loss
from sklearn_nn.training.losses.classification import *
from sklearn_nn.training.losses.regression import *

__all__ = ["Loss", *classification.__all__, *regression.__all__]

CLASSIFICATION_LOSSES = classification.CLASSIFICATION_LOSSES
REGRESSION_LOSSES = regression.REGRESSION_LOSSES
get_classification_loss = classification.get_classification_loss
get_regression_loss = regression.get_regression_loss
