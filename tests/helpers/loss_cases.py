"""One row for every loss, with its naive twin.

A new loss gets a row here: a test fails until it has one.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from helpers.naive import losses as naive
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


@dataclass(frozen=True)
class LossCase:
    """A loss, its twin, and the targets that it takes.

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


def _quantile(rng, n, n_outputs):
    """Draw a number for each three outputs."""
    return _real(rng, n, n_outputs // 3)


def loss_row(name, loss, twin, n_outputs, draw):
    """Return a row for a loss; the twin gets the same hyperparameters."""
    # scikit-learn's value is the mean over outputs, its gradient that of their sum; so are ours.
    n_targets = n_outputs // loss.outputs_per_target
    factor = n_targets if draw in (_real, _quantile) else 1
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
    loss_row("quantiles", Quantile([0.1, 0.5, 0.9]), naive.quantile, 3, _quantile),
    loss_row("quantiles_2x3", Quantile([0.2, 0.3, 0.95]), naive.quantile, 6, _quantile),
    loss_row("quantiles_one_3", Quantile([0.9]), naive.quantile, 3, _real),
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


def sample(rng, case, n, width, dtype="float64"):
    """Return data, targets and weights (some of them zero) for a row of LOSSES."""
    X = rng.standard_normal((n, width)).astype(dtype)
    weight = rng.uniform(0.5, 2.0, n)
    if n > 1:
        weight[:: max(2, n // 2)] = 0
    return X, case.draw(rng, n, case.n_outputs), weight.astype(np.float32).astype(dtype)
