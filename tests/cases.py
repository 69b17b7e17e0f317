"""One row for every layer, loss and optimizer, with its naive twin. Contract tests run over them.

A new layer, activation, loss or optimizer gets a row here; tests fail until it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import naive
import numpy as np
from extra_layers import Residual

from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    LayerNorm,
)
from sklearn_nn.layers.activation import ACTIVATIONS
from sklearn_nn.training.losses import (
    AbsoluteError,
    Huber,
    LogCosh,
    Loss,
    Poisson,
    Quantile,
    SigmoidFocal,
    SigmoidLogLoss,
    SoftmaxFocal,
    SoftmaxLogLoss,
    SquaredError,
)
from sklearn_nn.training.optimizers import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    Lion,
    NAdam,
    Optimizer,
    RMSprop,
)

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
    over_batch : bool
        Whether, in training, a row's output depends on the rows beside it.
    """

    name: str
    layer: Layer
    forward: Callable
    backward: Callable
    units: int | None = None
    n_slots: int = 1
    over_batch: bool = False


def dense(units):
    """A row for a dense layer; its width is part of it."""
    twin = (naive.dense_forward, naive.dense_backward)
    return LayerCase(f"dense{units}", Dense(units), *twin, units)


def activated(units, name):
    """A row for a dense layer that ends in an activation."""
    value, backward = naive.elementwise_forward(name), naive.elementwise_backward(name)

    def forward(parameters, x, context):
        return value([], naive.dense_forward(parameters, x, context), context)

    def both_back(parameters, x, dy, context):
        dz, _ = backward([], naive.dense_forward(parameters, x, context), dy, context)
        return naive.dense_backward(parameters, x, dz, context)

    layer = Dense(units, activation=name)
    return LayerCase(f"dense{units}_{name}", layer, forward, both_back, units, n_slots=2)


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


def noise(stddev):
    """A row for Gaussian noise."""
    twin = (naive.noise_forward(stddev), naive.noise_backward)
    return LayerCase(f"noise{stddev}", GaussianNoise(stddev), *twin, n_slots=int(stddev > 0))


def batch_norm(epsilon=1e-5):
    """A row for batch normalisation."""
    twin = (naive.norm_forward(0, epsilon), naive.norm_backward(0, epsilon))
    layer = BatchNorm(epsilon=epsilon)
    return LayerCase(f"batch_norm{epsilon}", layer, *twin, over_batch=True)


def layer_norm(epsilon=1e-5):
    """A row for layer normalisation."""
    twin = (naive.norm_forward(1, epsilon), naive.norm_backward(1, epsilon))
    return LayerCase(f"layer_norm{epsilon}", LayerNorm(epsilon=epsilon), *twin, n_slots=2)


RESIDUAL = LayerCase("residual", Residual(), naive.residual_forward, naive.residual_backward)
LAYERS = [
    dense(5),
    dense(1),
    activated(4, "tanh"),
    activated(3, "gelu"),
    dropout(0.4),
    noise(0.7),
    batch_norm(),
    batch_norm(0.5),
    layer_norm(),
    layer_norm(0.5),
    *(activation(name) for name in ACTIVATIONS),
]


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


def loss_row(name, loss, twin, n_outputs, draw):
    """A row for a loss; the twin gets the same hyperparameters."""
    # scikit-learn's value is the mean over outputs, its gradient that of their sum; so are ours.
    factor = n_outputs if draw is _real else 1
    return LossCase(name, loss, partial(twin, **loss.get_params()), n_outputs, draw, factor)


LOSSES = [
    loss_row("squared_error", SquaredError(), naive.squared_error, 1, _real),
    loss_row("squared_error_3", SquaredError(), naive.squared_error, 3, _real),
    loss_row("absolute_error", AbsoluteError(), naive.absolute_error, 1, _real),
    loss_row("absolute_error_3", AbsoluteError(), naive.absolute_error, 3, _real),
    loss_row("huber", Huber(), naive.huber, 1, _real),
    loss_row("huber_narrow_3", Huber(0.3), naive.huber, 3, _real),
    loss_row("quantile", Quantile(), naive.quantile, 1, _real),
    loss_row("quantile_high_3", Quantile(0.9), naive.quantile, 3, _real),
    loss_row("log_cosh", LogCosh(), naive.log_cosh, 1, _real),
    loss_row("log_cosh_3", LogCosh(), naive.log_cosh, 3, _real),
    loss_row("poisson", Poisson(), naive.poisson, 1, _count),
    loss_row("poisson_2", Poisson(), naive.poisson, 2, _count),
    loss_row("binary", SigmoidLogLoss(), naive.sigmoid_log_loss, 1, _binary),
    loss_row("multilabel", SigmoidLogLoss(), naive.sigmoid_log_loss, 4, _binary),
    loss_row("binary_smooth", SigmoidLogLoss(0.1), naive.sigmoid_log_loss, 1, _binary),
    loss_row("multilabel_smooth", SigmoidLogLoss(0.3), naive.sigmoid_log_loss, 4, _binary),
    loss_row("multiclass", SoftmaxLogLoss(), naive.softmax_log_loss, 3, _label),
    loss_row("two_classes", SoftmaxLogLoss(), naive.softmax_log_loss, 2, _label),
    loss_row("multiclass_smooth", SoftmaxLogLoss(0.1), naive.softmax_log_loss, 3, _label),
    loss_row("two_classes_smooth", SoftmaxLogLoss(0.7), naive.softmax_log_loss, 2, _label),
    loss_row("binary_focal", SigmoidFocal(), naive.sigmoid_focal, 1, _binary),
    loss_row("multilabel_focal", SigmoidFocal(0.5), naive.sigmoid_focal, 4, _binary),
    loss_row("binary_focal_0", SigmoidFocal(0.0), naive.sigmoid_focal, 1, _binary),
    loss_row("multiclass_focal", SoftmaxFocal(), naive.softmax_focal, 3, _label),
    loss_row("two_classes_focal", SoftmaxFocal(0.5), naive.softmax_focal, 2, _label),
    loss_row("multiclass_focal_0", SoftmaxFocal(0.0), naive.softmax_focal, 3, _label),
]


@dataclass(frozen=True)
class OptimizerCase:
    """An optimizer and its twin, a function of (theta, gradient, moments, t, rate)."""

    name: str
    optimizer: Optimizer
    naive: Callable


def rule(name, optimizer, twin):
    """A row for an optimizer; the twin gets the same hyperparameters."""
    return OptimizerCase(name, optimizer, partial(twin, **optimizer.get_params()))


# Decay is the machine's, and not of every parameter: here the rows have none.
OPTIMIZERS = [
    rule("sgd", SGD(0.0, False), naive.sgd),
    rule("momentum", SGD(0.8, False), naive.sgd),
    rule("nesterov", SGD(0.9, True), naive.sgd),
    rule("adam", Adam(), naive.adam),
    rule("adam_fast", Adam(0.5, 0.9, 1e-3), naive.adam),
    rule("adamw", AdamW(weight_decay=0.0), naive.adamw),
    rule("nadam", NAdam(), naive.nadam),
    rule("nadam_fast", NAdam(0.8, 0.9, 1e-3, momentum_decay=0.3), naive.nadam),
    rule("adamax", Adamax(), naive.adamax),
    rule("adagrad", Adagrad(), naive.adagrad),
    rule("adagrad_bold", Adagrad(1e-3, 1e-5), naive.adagrad),
    rule("rmsprop", RMSprop(), naive.rmsprop),
    rule("rmsprop_momentum", RMSprop(0.8, momentum=0.7), naive.rmsprop),
    rule("rmsprop_centered", RMSprop(centered=True, epsilon=1e-4), naive.rmsprop),
    rule("adadelta", Adadelta(), naive.adadelta),
    rule("adadelta_fast", Adadelta(0.7, 1e-3), naive.adadelta),
    rule("lion", Lion(), naive.lion),
]
#: The only one that keeps three moments.
RMSPROP = rule("rmsprop_of_three", RMSprop(0.8, 0.7, True, 1e-4), naive.rmsprop)


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
