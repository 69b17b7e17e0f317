"""Slow, obvious twins of the optimizers: one update of (theta, gradient, moments), in place.

Moments are zeros at t = 1. Keywords are those of the class.
"""

import numpy as np


def sgd(theta, gradient, moments, t, rate, momentum=0.9, nesterov=True):
    moments[0] = momentum * moments[0] - rate * gradient
    theta += momentum * moments[0] - rate * gradient if nesterov else moments[0]


def adagrad(theta, gradient, moments, t, rate, initial_accumulator_value=0.1, epsilon=1e-7):
    moments[0] += gradient**2
    theta -= rate * gradient / np.sqrt(initial_accumulator_value + moments[0] + epsilon)


def rmsprop(theta, gradient, moments, t, rate, rho=0.9, momentum=0.0, centered=False, epsilon=1e-7):
    moments[0] = rho * moments[0] + (1 - rho) * gradient**2
    spread = moments[0]
    if centered:
        moments[-1] = rho * moments[-1] + (1 - rho) * gradient
        spread = np.maximum(moments[0] - moments[-1] ** 2, 0)
    step = rate * gradient / np.sqrt(spread + epsilon)
    if momentum:
        moments[1] = momentum * moments[1] + step
        step = moments[1]
    theta -= step


def means(gradient, moments, beta_1, beta_2):
    """Return running means of the gradient and its square."""
    moments[0] = beta_1 * moments[0] + (1 - beta_1) * gradient
    moments[1] = beta_2 * moments[1] + (1 - beta_2) * gradient**2


def adam(theta, gradient, moments, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    means(gradient, moments, beta_1, beta_2)
    corrected = rate * np.sqrt(1 - beta_2**t) / (1 - beta_1**t)
    theta -= corrected * moments[0] / (np.sqrt(moments[1]) + epsilon)


def adamw(theta, gradient, moments, t, rate, weight_decay=0.01, **options):
    theta *= 1 - rate * weight_decay
    adam(theta, gradient, moments, t, rate, **options)


def nadam(
    theta, gradient, moments, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8, momentum_decay=4e-3
):
    means(gradient, moments, beta_1, beta_2)
    momenta = [beta_1 * (1 - 0.96 ** (s * momentum_decay) / 2) for s in range(1, t + 2)]
    ahead = (1 - momenta[t - 1]) * gradient / (1 - np.prod(momenta[:t]))
    ahead += momenta[t] * moments[0] / (1 - np.prod(momenta))
    theta -= rate * ahead / (np.sqrt(moments[1] / (1 - beta_2**t)) + epsilon)


def adamax(theta, gradient, moments, t, rate, beta_1=0.9, beta_2=0.999, epsilon=1e-8):
    moments[0] = beta_1 * moments[0] + (1 - beta_1) * gradient
    moments[1] = np.maximum(beta_2 * moments[1], np.abs(gradient) + epsilon)
    theta -= rate / (1 - beta_1**t) * moments[0] / moments[1]


def adadelta(theta, gradient, moments, t, rate, rho=0.9, epsilon=1e-6):
    moments[0] = rho * moments[0] + (1 - rho) * gradient**2
    step = np.sqrt(moments[1] + epsilon) / np.sqrt(moments[0] + epsilon) * gradient
    moments[1] = rho * moments[1] + (1 - rho) * step**2
    theta -= rate * step


def lion(theta, gradient, moments, t, rate, beta_1=0.9, beta_2=0.99, weight_decay=0.0):
    theta *= 1 - rate * weight_decay
    theta -= rate * np.sign(beta_1 * moments[0] + (1 - beta_1) * gradient)
    moments[0] = beta_2 * moments[0] + (1 - beta_2) * gradient
