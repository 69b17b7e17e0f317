"""Twins of the layers that read sequences step by step, for one sequence at a time.

`forward(parameters, x)` takes x of shape (steps, channels), which may have no steps, and
`backward(parameters, x, dy)` returns dx and the gradients of the parameters.
"""

import numpy as np


def _none(x):
    return np.zeros(x.shape[1])


def mean_forward(parameters, x):
    return sum(x) / len(x) if len(x) else _none(x)


def mean_backward(parameters, x, dy):
    return np.array([dy / len(x) for _ in x]).reshape(x.shape), []


def max_forward(parameters, x):
    return np.array([max(column) for column in x.T]) if len(x) else _none(x)


def max_backward(parameters, x, dy):
    """Return dx: the gradient goes to the first of equal ones."""
    dx = np.zeros_like(x)
    for c, column in enumerate(x.T):
        if len(x):
            dx[list(column).index(max(column)), c] = dy[c]
    return dx, []


def mean_and_max_forward(parameters, x):
    """Return the vectors of two members."""
    return np.array([mean_forward([], x), max_forward([], x)])


def mean_and_max_backward(parameters, x, dy):
    return mean_backward([], x, dy[0])[0] + max_backward([], x, dy[1])[0], []


def mixed_forward(parameters, x):
    """Return x W at every step, or x if there is no W, for one channel."""
    return x @ parameters[0][0] if parameters else x


def mixed_backward(parameters, x, dy):
    if not parameters:
        return dy, []
    ((kernel,),) = parameters
    return dy @ kernel.T, [np.array([x.T @ dy])]


def last_forward(parameters, x):
    return x[-1] if len(x) else _none(x)


def last_backward(parameters, x, dy):
    dx = np.zeros_like(x)
    if len(x):
        dx[-1] = dy
    return dx, []


def _attention(parameters, x):
    """Return the hidden value of every step, and the weights."""
    kernel, bias, context = parameters
    seen = [np.tanh(step @ kernel + bias) for step in x]
    scores = np.array([np.dot(one, context) for one in seen])
    weights = np.exp(scores - scores.max())
    return seen, weights / weights.sum()


def attention_forward(parameters, x):
    if not len(x):
        return _none(x)
    return sum(weight * step for weight, step in zip(_attention(parameters, x)[1], x, strict=True))


def attention_backward(parameters, x, dy):
    kernel, _, context = parameters
    dx, gradients = np.zeros_like(x), [np.zeros_like(p) for p in parameters]
    if not len(x):
        return dx, gradients
    seen, weights = _attention(parameters, x)
    of_weights = np.array([np.dot(dy, step) for step in x])
    jacobian = np.diag(weights) - np.outer(weights, weights)
    for t, of_score in enumerate(jacobian @ of_weights):
        of_sum = of_score * context * (1 - seen[t] ** 2)
        dx[t] = weights[t] * dy + kernel @ of_sum
        gradients[0] += np.outer(x[t], of_sum)
        gradients[1] += of_sum
        gradients[2] += of_score * seen[t]
    return dx, gradients


def dense_forward(parameters, x):
    kernel, bias = parameters
    return np.array([step @ kernel + bias for step in x]).reshape(len(x), len(bias))


def dense_backward(parameters, x, dy):
    kernel, bias = parameters
    dkernel, dbias = np.zeros_like(kernel), np.zeros_like(bias)
    for step, gradient in zip(x, dy, strict=True):
        dkernel += np.outer(step, gradient)
        dbias += gradient
    return np.array([kernel @ g for g in dy]).reshape(x.shape), [dkernel, dbias]


def embedding_forward(parameters, x):
    (table,) = parameters
    return np.array([table[int(number)] for number in x[:, 0]]).reshape(len(x), table.shape[1])


def embedding_backward(parameters, x, dy):
    gradient = np.zeros_like(parameters[0])
    for number, given in zip(x[:, 0], dy, strict=True):
        gradient[int(number)] += given
    return np.zeros_like(x), [gradient]


def one_hot_forward(count):
    def forward(parameters, x):
        y = np.zeros((len(x), count))
        for t, number in enumerate(x[:, 0]):
            y[t, int(number)] = 1
        return y

    return forward


def one_hot_backward(parameters, x, dy):
    return np.zeros_like(x), []
