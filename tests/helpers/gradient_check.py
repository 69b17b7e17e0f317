"""Gradients against central differences in float64, through the machine."""

from types import SimpleNamespace

import numpy as np

from helpers.programs import Gradient, build, draw_theta
from sklearn_nn.network.source import sequences
from sklearn_nn.training.losses import SquaredError

EPS, LIMIT = 1e-6, 1e-6
#: The loss of two outputs is their mean, the gradient that of their sum.
SQUARED = SimpleNamespace(loss=SquaredError(), gradient_factor=2)


def numerical_gradient(value, theta, places):
    """Return central differences of `value` at `theta`, at some places of it."""
    gradient = np.zeros_like(theta)
    for k in places:
        moved = theta.copy()
        moved[k] = theta[k] + EPS
        above = value(moved)
        moved[k] = theta[k] - EPS
        gradient[k] = (above - value(moved)) / (2 * EPS)
    return gradient


def gradient_error(program, case, X, y, weight=None, *, alpha=0.0, theta=None, **options):
    """Return the largest difference of gradients, relative to the parameter's largest element.

    (Or to a hundredth of the largest of all: differences carry the loss's rounding error.)

    Where a layer lies below another, its parameters' gradient rests on the gradient of the
    other's input: a Dense layer below checks `backward` as well as `weights`.
    """
    targets = case.loss.targets(y, weight, "float64")
    theta = draw_theta(program, np.random.default_rng(1)) if theta is None else theta
    batch = Gradient(program, X, targets, alpha=alpha, **options)
    plain = Gradient(program, X, targets, **options)

    def value(moved):
        repeated = case.gradient_factor - 1
        return batch.loss(moved) + (repeated * plain.loss(moved) if repeated else 0.0)

    exact = batch.gradient(theta)
    places = np.concatenate(
        [np.arange(p.start, p.start + p.parameter.size) for p in program.parameters]
    )
    assert (np.delete(exact, places) == 0).all(), "a gap between parameters has a gradient"
    approximate = numerical_gradient(value, theta, places)
    size, largest = np.maximum(np.abs(exact), np.abs(approximate)), 0.0
    if not size.any():  # dropout has cut every path
        return 0.0
    for placed in program.parameters:
        error = np.abs(placed.view(exact) - placed.view(approximate)).max()
        largest = max(largest, error / max(placed.view(size).max(), 0.01 * size.max()))
    return largest


def check_gradient(*arguments, **options):
    """Assert that the relative error is within the limit."""
    error = gradient_error(*arguments, **options)
    assert error <= LIMIT, f"relative error {error:.1e}"


def check_layers(layers, shape, X=None, *, ragged=False, scale=0.5, **options):
    """Check the gradient of layers with two outputs below a squared error, in one thread and two.

    Without X, samples are drawn; if `ragged`, sequences of unequal length.
    """
    program = build(layers, shape, "float64", SQUARED.loss, ragged=ragged)
    rng, n = np.random.default_rng(0), 19
    if ragged:
        lengths = np.array([6, 1, 3, 0, 4, 6, 2, 2, 5, 1, 3])
        starts = np.concatenate([[0], np.cumsum(lengths)[:-1]]) * shape[1]
        values = rng.standard_normal(shape[1] * lengths.sum())
        X, n = sequences(values, starts, lengths, shape[1], "float64"), len(lengths)
    elif X is None:
        X = rng.standard_normal((n, int(np.prod(shape))))
    theta, y = draw_theta(program, rng, scale), rng.standard_normal((n, 2))
    for n_jobs in (1, 2):
        check_gradient(program, SQUARED, X, y, theta=theta, n_jobs=n_jobs, **options)
