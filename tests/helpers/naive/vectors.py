"""Slow, obvious twins of the layers of vectors, in float64 NumPy or plain Python.

The twin of a layer is a pair of functions: `forward(parameters, x, context)` returns y, and
`backward(parameters, x, dy, context)` returns dx and the list of the parameters' gradients.
"""

import numpy as np
from scipy import special

from helpers.naive.random_numbers import random_normal, random_word, stream


def normal_cdf(x):
    return special.ndtr(x)


def normal_pdf(x):
    return np.exp(-x * x / 2) / np.sqrt(2 * np.pi)


def softplus(x):
    return np.logaddexp(0, x)


def tanh_of_softplus(x):
    return np.tanh(softplus(x))


SCALE, ALPHA = 1.0507009873554804934193349852946, 1.6732632423543772848170429916717

#: Value and derivative, both as functions of x.
ELEMENTWISE = {
    "identity": (lambda x: x, np.ones_like),
    "logistic": (special.expit, lambda x: special.expit(x) * special.expit(-x)),
    "tanh": (np.tanh, lambda x: 1 / np.cosh(x) ** 2),
    "relu": (lambda x: np.where(x > 0, x, 0), lambda x: np.where(x > 0, 1, 0)),
    "relu6": (lambda x: np.clip(x, 0, 6), lambda x: np.where((x > 0) & (x < 6), 1.0, 0.0)),
    "leaky_relu": (lambda x: np.where(x > 0, x, 0.01 * x), lambda x: np.where(x > 0, 1, 0.01)),
    "elu": (lambda x: np.where(x > 0, x, np.expm1(x)), lambda x: np.where(x > 0, 1, np.exp(x))),
    "selu": (
        lambda x: SCALE * np.where(x > 0, x, ALPHA * np.expm1(x)),
        lambda x: SCALE * np.where(x > 0, 1, ALPHA * np.exp(x)),
    ),
    "gelu": (lambda x: x * normal_cdf(x), lambda x: normal_cdf(x) + x * normal_pdf(x)),
    "silu": (
        lambda x: x * special.expit(x),
        lambda x: special.expit(x) * (1 + x * special.expit(-x)),
    ),
    "mish": (
        lambda x: x * tanh_of_softplus(x),
        lambda x: tanh_of_softplus(x) + x * special.expit(x) / np.cosh(softplus(x)) ** 2,
    ),
    "softplus": (softplus, special.expit),
    "hard_sigmoid": (
        lambda x: np.clip(x / 6 + 0.5, 0, 1),
        lambda x: np.where(np.abs(x) < 3, 1 / 6, 0),
    ),
    "exp": (np.exp, np.exp),
}


def elementwise_forward(name):
    def forward(parameters, x, context=None):
        return ELEMENTWISE[name][0](x)

    return forward


def elementwise_backward(name):
    def backward(parameters, x, dy, context=None):
        return dy * ELEMENTWISE[name][1](x), []

    return backward


def softmax_forward(parameters, x, context=None):
    y = np.exp(x - x.max(axis=1, keepdims=True))
    return y / y.sum(axis=1, keepdims=True)


def softmax_backward(parameters, x, dy, context=None):
    dx = np.zeros_like(x)
    for i, y in enumerate(softmax_forward(None, x)):
        dx[i] = (np.diag(y) - np.outer(y, y)) @ dy[i]
    return dx, []


def dense_forward(parameters, x, context=None):
    w, b = parameters
    return x @ w + b


def dense_backward(parameters, x, dy, context=None):
    return dy @ parameters[0].T, [x.T @ dy, dy.sum(axis=0)]


def dropout_mask(rate, shape, context):
    """Return 1 / (1 - rate) where a unit is kept, 0 where it is not."""
    mask = np.zeros(shape)
    for i in range(shape[0]):
        key = stream(context.seed, context.step, context.slot, i)
        for j in range(shape[1]):
            kept = random_word(key, j) >= round(rate * 2**32)
            mask[i, j] = 1 / (1 - rate) if kept else 0
    return mask


def dropout_forward(rate):
    def forward(parameters, x, context):
        return x * dropout_mask(rate, x.shape, context) if context.training else x

    return forward


def dropout_backward(rate):
    def backward(parameters, x, dy, context):
        return dy * dropout_mask(rate, x.shape, context) if context.training else dy, []

    return backward


def noise_forward(stddev):
    def forward(parameters, x, context):
        noise = np.zeros(x.shape)
        for i in range(x.shape[0] if context.training else 0):
            key = stream(context.seed, context.step, context.slot, i)
            for j in range(x.shape[1]):
                noise[i, j] = stddev * random_normal(key, j, context.dtype)
        return x + noise

    return forward


def noise_backward(parameters, x, dy, context):
    return dy, []


def standardize(x, mean, variance, epsilon):
    return (x - mean) / np.sqrt(variance + epsilon)


def standardize_backward(x, dy, axis, epsilon):
    """Return dx, where mean and variance are taken along an axis of x."""
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    y = standardize(x, mean, variance, epsilon)
    dx = dy - dy.mean(axis, keepdims=True) - y * (dy * y).mean(axis, keepdims=True)
    return dx / np.sqrt(variance + epsilon)


def remembers(axis, x, context):
    """Return whether batch norm uses its memories: in prediction, or for a single place."""
    return axis == 0 and (len(x) == 1 or not context.training)


def norm_forward(axis, epsilon):
    """Return batch norm (axis 0) or layer norm (axis 1); rows of x are places, columns channels."""

    def forward(parameters, x, context):
        gamma, beta = parameters
        mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
        if remembers(axis, x, context):
            mean, variance = 0, 1  # what a batch norm remembers before it has seen a batch
        return gamma * standardize(x, mean, variance, epsilon) + beta

    return forward


def norm_backward(axis, epsilon):
    def backward(parameters, x, dy, context):
        gamma, _ = parameters
        mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
        dx = standardize_backward(x, gamma * dy, axis, epsilon)
        if remembers(axis, x, context):
            mean, variance = 0, 1
            dx = gamma * dy / np.sqrt(variance + epsilon)
        y = standardize(x, mean, variance, epsilon)
        return dx, [(dy * y).sum(axis=0), dy.sum(axis=0)]

    return backward


def residual_forward(parameters, x, context=None):
    return x + dense_forward(parameters, x)


def residual_backward(parameters, x, dy, context=None):
    dx, gradients = dense_backward(parameters, x, dy)
    return dx + dy, gradients


def ascending(z, levels):
    """Return ascending quantiles and their derivatives (n, quantile, number), for z (n, n_levels).

    Quantiles are the middle number, plus or minus the gaps up to it: softplus(z + s), where s makes
    the gap of z = 0 that of the standard normal distribution.
    """
    n = len(levels)
    middle = min(((n - 1) // 2, n // 2), key=lambda j: (abs(levels[j] - 0.5), j))
    normal = special.ndtri(levels)
    q, jacobian = np.zeros_like(z), np.zeros((len(z), n, n))
    for i in range(n):
        q[:, i] = z[:, middle]
        jacobian[:, i, middle] = 1
        step = 1 if i > middle else -1
        for j in range(middle + step, i + step, step) if i != middle else ():
            shifted = z[:, j] + np.log(np.expm1(abs(normal[j] - normal[j - step])))
            q[:, i] += step * np.logaddexp(0, shifted)
            jacobian[:, i, j] = step * special.expit(shifted)
    return q, jacobian


def quantiles_forward(levels):
    """Return the twin of a layer that makes the numbers of each target ascend."""

    def forward(parameters, x, context):
        return ascending(x.reshape(-1, len(levels)), levels)[0].reshape(x.shape)

    return forward


def quantiles_backward(levels):
    """Return the twin of its gradient."""

    def backward(parameters, x, dy, context):
        _, jacobian = ascending(x.reshape(-1, len(levels)), levels)
        dq = dy.reshape(-1, len(levels))
        return np.einsum("ni,nij->nj", dq, jacobian).reshape(x.shape), []

    return backward
