"""Slow, obvious twins of the losses: the value of every row, and its gradient with respect to z."""

import numpy as np
from scipy import special

from helpers.naive.vectors import ascending, softmax_forward


def squared_error(z, y, eps):
    return ((z - y) ** 2).mean(axis=1) / 2, z - y


def poisson(z, y, eps):
    return (special.xlogy(y, y) - y * z - y + np.exp(z)).sum(axis=1), np.exp(z) - y


def absolute_error(z, y, eps):
    return np.abs(z - y).mean(axis=1), np.sign(z - y)


def huber(z, y, eps, delta=1.0):
    error = z - y
    size = np.abs(error)
    value = np.where(size <= delta, error**2 / 2, delta * (size - delta / 2))
    return value.mean(axis=1), np.where(size <= delta, error, delta * np.sign(error))


def quantile(z, y, eps, quantile=0.5):
    if np.ndim(quantile) > 0:
        return quantiles(z, y, quantile)
    value = np.where(z > y, (1 - quantile) * (z - y), quantile * (y - z))
    return value.mean(axis=1), np.where(z > y, 1 - quantile, np.where(z < y, -quantile, 0))


def quantiles(z, y, levels):
    """Return value and gradient of the pinball losses of ascending quantiles: see `ascending`."""
    n_levels, n_targets = len(levels), y.shape[1]
    value, gradient = np.zeros(len(z)), np.zeros_like(z)
    for k in range(n_targets):
        part = slice(k * n_levels, (k + 1) * n_levels)
        q, jacobian = ascending(z[:, part], levels)
        losses, slopes = zip(
            *(quantile(q[:, [j]], y[:, [k]], None, level) for j, level in enumerate(levels)),
            strict=True,
        )
        value += np.mean(losses, axis=0) / n_targets
        dq = np.hstack(slopes) / n_levels
        gradient[:, part] = np.einsum("ni,nij->nj", dq, jacobian)
    return value, gradient


def log_cosh(z, y, eps):
    return np.log(np.cosh(z - y)).mean(axis=1), np.tanh(z - y)


def sigmoid_log_loss(z, y, eps, label_smoothing=0.0):
    y = (1 - label_smoothing) * y + label_smoothing / 2
    p, rest = (np.clip(special.expit(s), eps, 1) for s in (z, -z))
    return -(y * np.log(p) + (1 - y) * np.log(rest)).sum(axis=1), special.expit(z) - y


def softmax_log_loss(z, y, eps, label_smoothing=0.0):
    p, n = softmax_forward(None, z), z.shape[1]
    target = (1 - label_smoothing) * np.eye(n)[y[:, 0].astype(int)] + label_smoothing / n
    return -(target * np.log(np.clip(p, eps, 1))).sum(axis=1), p - target


def focal(p, eps, gamma):
    """Return value and derivative in p, the probability of the true label."""
    slope = gamma * (1 - p) ** (gamma - 1) * np.log(p) - (1 - p) ** gamma / p
    return -((1 - p) ** gamma) * np.log(np.clip(p, eps, 1)), slope


def sigmoid_focal(z, y, eps, gamma=2.0):
    p = np.where(y == 1, special.expit(z), special.expit(-z))
    value, slope = focal(p, eps, gamma)
    return value.sum(axis=1), slope * p * (1 - p) * np.where(y == 1, 1, -1)


def softmax_focal(z, y, eps, gamma=2.0):
    p, labels = softmax_forward(None, z), y[:, 0].astype(int)
    own = np.take_along_axis(p, labels[:, None], axis=1)
    value, slope = focal(own, eps, gamma)
    return value[:, 0], slope * own * (np.eye(z.shape[1])[labels] - p)
