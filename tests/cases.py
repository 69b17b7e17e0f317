"""One row for every layer, loss and optimizer, with its naive twin. Contract tests run over them.

A new layer, activation, loss or optimizer gets a row here; tests fail until it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import naive
import numpy as np
from extra_layers import Residual

from sklearn_nn.layers import Activation, Dense, Dropout, Layer
from sklearn_nn.layers.activation import ACTIVATIONS
from sklearn_nn.training.losses import (
    Loss,
    Poisson,
    SigmoidLogLoss,
    SoftmaxLogLoss,
    SquaredError,
)
from sklearn_nn.training.optimizers import SGD, Adam, Optimizer

DTYPES = ("float32", "float64")


@dataclass(frozen=True)
class LayerCase:
    """A layer and its twin.

    Attributes
    ----------
    units : int or None
        Width of the output; None is the input's.
    n_slots : int
        How many slots it makes.
    """

    name: str
    layer: Layer
    forward: Callable
    backward: Callable
    units: int | None = None
    n_slots: int = 1


def dense(units):
    """A row for a dense layer; its width is part of it."""
    twin = (naive.dense_forward, naive.dense_backward)
    return LayerCase(f"dense{units}", Dense(units), *twin, units)


def dropout(rate):
    """A row for a dropout layer."""
    twin = (naive.dropout_forward(rate), naive.dropout_backward(rate))
    return LayerCase(f"dropout{rate}", Dropout(rate), *twin, n_slots=int(rate > 0))


def activation(name):
    """A row for an activation."""
    if name == "softmax":
        twin = (naive.softmax_forward, naive.softmax_backward)
    else:
        twin = (naive.elementwise_forward(name), naive.elementwise_backward(name))
    return LayerCase(name, Activation(name), *twin, n_slots=int(name != "identity"))


RESIDUAL = LayerCase("residual", Residual(), naive.residual_forward, naive.residual_backward)
LAYERS = [dense(5), dense(1), dropout(0.4), *(activation(name) for name in ACTIVATIONS)]


@dataclass(frozen=True)
class LossCase:
    """A loss, its twin, and what targets it takes.

    Attributes
    ----------
    n_outputs : int
    draw : callable
        Targets of shape (n, n_targets) for (rng, n, n_outputs).
    gradient_factor : int
        The kernel's gradient is that of so many times its value.
    """

    name: str
    loss: Loss
    naive: Callable
    n_outputs: int
    draw: Callable
    gradient_factor: int = 1


def _real(rng, n, n_outputs):
    return rng.standard_normal((n, n_outputs))


def _count(rng, n, n_outputs):
    return rng.poisson(1.5, (n, n_outputs)).astype(float)


def _label(rng, n, n_outputs):
    return rng.integers(0, n_outputs, (n, 1)).astype(float)


def _binary(rng, n, n_outputs):
    return rng.integers(0, 2, (n, n_outputs)).astype(float)


LOSSES = [
    LossCase("squared_error", SquaredError(), naive.squared_error, 1, _real),
    # scikit-learn's value is the mean over outputs, its gradient that of their sum.
    LossCase("squared_error_3", SquaredError(), naive.squared_error, 3, _real, gradient_factor=3),
    LossCase("poisson", Poisson(), naive.poisson, 1, _count),
    LossCase("poisson_2", Poisson(), naive.poisson, 2, _count),
    LossCase("binary", SigmoidLogLoss(), naive.sigmoid_log_loss, 1, _binary),
    LossCase("multilabel", SigmoidLogLoss(), naive.sigmoid_log_loss, 4, _binary),
    LossCase("multiclass", SoftmaxLogLoss(), naive.softmax_log_loss, 3, _label),
    LossCase("two_classes", SoftmaxLogLoss(), naive.softmax_log_loss, 2, _label),
]


@dataclass(frozen=True)
class OptimizerCase:
    """An optimizer and its twin, a function of (theta, gradient, moments, t, rate)."""

    name: str
    optimizer: Optimizer
    naive: Callable


OPTIMIZERS = [
    OptimizerCase("sgd", SGD(0.0, False), partial(naive.sgd, momentum=0.0, nesterov=False)),
    OptimizerCase("momentum", SGD(0.8, False), partial(naive.sgd, momentum=0.8, nesterov=False)),
    OptimizerCase("nesterov", SGD(0.9, True), partial(naive.sgd, momentum=0.9, nesterov=True)),
    OptimizerCase("adam", Adam(), naive.adam),
    OptimizerCase(
        "adam_fast",
        Adam(0.5, 0.9, 1e-3),
        partial(naive.adam, beta_1=0.5, beta_2=0.9, epsilon=1e-3),
    ),
]


def names(rows):
    """The test ids of a table."""
    return [row.name for row in rows]


def sample(rng, case, n, width, dtype="float64"):
    """Data, targets and weights (some of them zero) for a row of LOSSES."""
    X = rng.standard_normal((n, width)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, n)
    if n > 1:
        weight[:: max(2, n // 2)] = 0
    return X, case.draw(rng, n, case.n_outputs), weight.astype(np.float32).astype(dtype)
