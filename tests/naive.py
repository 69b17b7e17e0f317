"""Slow, obvious twins of every kernel, in float64 NumPy or plain Python.

A layer's twin is a pair of functions: `forward(parameters, x, context)` returns y, and
`backward(parameters, x, dy, context)` returns dx and the list of the parameters' gradients.
"""

from dataclasses import dataclass

import numpy as np
from scipy import special

# --- random numbers ------------------------------------------------------------------------


@dataclass(frozen=True)
class Context:
    """What a layer's random numbers depend on, and whether any are drawn."""

    seed: int = 0
    step: int = 0
    slot: int = 1
    training: bool = True
    dtype: str = "float64"


def mix64(x):
    x = ((x ^ (x >> 30)) * 0xBF58476D1CE4E5B9) % 2**64
    x = ((x ^ (x >> 27)) * 0x94D049BB133111EB) % 2**64
    return x ^ (x >> 31)


def mix32(x):
    x = ((x ^ (x >> 16)) * 0x7FEB352D) % 2**32
    x = ((x ^ (x >> 15)) * 0x846CA68B) % 2**32
    return x ^ (x >> 16)


def stream(*numbers):
    key = 0
    for number in numbers:
        key = mix64(((key ^ number % 2**64) + 0x9E3779B97F4A7C15) % 2**64)
    return key


def random_word(key, unit, index=0):
    """32 bits, number `index` of one unit."""
    start = mix32((key + unit) % 2**32) ^ (key >> 32)
    return mix32((start + index * 0x9E3779B9) % 2**32)


def random_uniform(key, unit, index, dtype):
    if dtype == "float32":
        return (random_word(key, unit, index) >> 8) / 2**24
    high, low = random_word(key, unit, 2 * index), random_word(key, unit, 2 * index + 1)
    return ((high >> 5) * 2**26 + (low >> 6)) / 2**53


def random_normal(key, unit, dtype):
    """By Box and Muller."""
    u, v = (random_uniform(key, unit, index, dtype) for index in (0, 1))
    return np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)


# --- layers --------------------------------------------------------------------------------


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
    """1 / (1 - rate) where a unit is kept, 0 where it is not."""
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
    """dx, where mean and variance are taken along an axis of x."""
    mean, variance = x.mean(axis, keepdims=True), x.var(axis, keepdims=True)
    y = standardize(x, mean, variance, epsilon)
    dx = dy - dy.mean(axis, keepdims=True) - y * (dy * y).mean(axis, keepdims=True)
    return dx / np.sqrt(variance + epsilon)


def remembers(axis, x, context):
    """Whether it is a batch norm in prediction, or of one place, which has no variance."""
    return axis == 0 and (len(x) == 1 or not context.training)


def norm_forward(axis, epsilon):
    """Batch norm for axis 0, layer norm for axis 1: x has a row a place, a column a channel."""

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


# --- losses: every row's value, and its gradient with respect to z ---------------------------


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
    value = np.where(z > y, (1 - quantile) * (z - y), quantile * (y - z))
    return value.mean(axis=1), np.where(z > y, 1 - quantile, np.where(z < y, -quantile, 0))


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
    """Value and derivative in p, the probability of the true label."""
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


# --- optimizers: one step on (theta, gradient, moments), changed in place --------------------
# Moments are zeros at t = 1. Keywords are those of the class.


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
    """Running means of the gradient and its square."""
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


# --- data ----------------------------------------------------------------------------------


def gather_sparse(values, indices, indptr, rows, width):
    x = np.zeros((len(rows), width))
    for i, row in enumerate(rows):
        for k in range(indptr[row], indptr[row + 1]):
            x[i, indices[k]] += values[k]
    return x
