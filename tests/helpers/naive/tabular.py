"""Slow, obvious twins of the layers of tables, in float64 NumPy.

Their form is that of the twins of vectors. Rows are samples; members are an axis behind them.
"""

import numpy as np

from helpers.naive import vectors as naive


def scale_forward(parameters, x, context=None):
    return x * parameters[0].ravel()


def scale_backward(parameters, x, dy, context=None):
    return dy * parameters[0].ravel(), [(dy * x).sum(axis=0)]


def parametric_forward(name):
    value = naive.elementwise_forward(name)

    def forward(parameters, x, context=None):
        (a,) = parameters
        return x + a * (value([], x, None) - x)

    return forward


def parametric_backward(name):
    value, slope = naive.elementwise_forward(name), naive.elementwise_backward(name)

    def backward(parameters, x, dy, context=None):
        (a,) = parameters
        derivative = slope([], x, np.ones_like(x), None)[0]
        return dy * (1 + a * (derivative - 1)), [(dy * (value([], x, None) - x)).sum(axis=0)]

    return backward


def ntp_forward(parameters, x, context=None):
    w, b = parameters
    return x @ w / np.sqrt(len(w)) + b


def ntp_backward(parameters, x, dy, context=None):
    w, _ = parameters
    root = np.sqrt(len(w))
    return dy @ w.T / root, [x.T @ dy / root, dy.sum(axis=0)]


# --- columns -------------------------------------------------------------------------------


def category_forward(sizes):
    def forward(parameters, x, context=None):
        (tables,) = parameters
        numbers, firsts = x.shape[1] - len(sizes), np.cumsum([0, *sizes])
        y = [x[:, :numbers]]
        for c, size in enumerate(sizes):
            found = np.zeros((len(x), tables.shape[1]))
            for i, value in enumerate(x[:, numbers + c]):
                if 0 <= value < size:
                    found[i] = tables[firsts[c] + int(value)]
            y.append(found)
        return np.concatenate(y, axis=1)

    return forward


def category_backward(sizes):
    def backward(parameters, x, dy, context=None):
        (tables,) = parameters
        numbers, firsts, width = x.shape[1] - len(sizes), np.cumsum([0, *sizes]), tables.shape[1]
        dx, grad = np.zeros_like(x), np.zeros_like(tables)
        dx[:, :numbers] = dy[:, :numbers]
        for c, size in enumerate(sizes):
            for i, value in enumerate(x[:, numbers + c]):
                if 0 <= value < size:
                    start = numbers + c * width
                    grad[firsts[c] + int(value)] += dy[i, start : start + width]
        return dx, [grad]

    return backward


def periodic_forward(parameters, x, context=None):
    w, p, kernel, bias = parameters
    count = len(w)
    y = []
    for f in range(count):
        waves = np.cos(2 * np.pi * x[:, f : f + 1] * w[f] + p[f])
        y += [x[:, f : f + 1], waves @ kernel[f] + bias[f]]
    return np.concatenate([*y, x[:, count:]], axis=1)


def periodic_backward(parameters, x, dy, context=None):
    w, p, kernel, bias = parameters
    (count, units), dx = bias.shape, np.zeros_like(x)
    grads = [np.zeros_like(array) for array in parameters]
    for f in range(count):
        own = dy[:, f * (units + 1) : (f + 1) * (units + 1)]
        angle = 2 * np.pi * x[:, f : f + 1] * w[f] + p[f]
        slope = -np.sin(angle) * (own[:, 1:] @ kernel[f].T)
        dx[:, f] = own[:, 0] + (slope * 2 * np.pi * w[f]).sum(axis=1)
        grads[0][f] = (slope * 2 * np.pi * x[:, f : f + 1]).sum(axis=0)
        grads[1][f] = slope.sum(axis=0)
        grads[2][f] = np.cos(angle).T @ own[:, 1:]
        grads[3][f] = own[:, 1:].sum(axis=0)
    dx[:, count:] = dy[:, count * (units + 1) :]
    return dx, grads


def encode_piecewise(x, edges):
    """Return the encoding of numbers by the edges of their bins, and its slope."""
    edges = np.asarray(edges, dtype=np.float64)
    n = len(edges) - 1
    e, slope = np.zeros((len(x), n)), np.zeros((len(x), n))
    for i, value in enumerate(x):
        for t in range(n):
            low, high = edges[t], edges[t + 1]
            if (value < low and t > 0) or (value >= high and t < n - 1):
                e[i, t] = value >= high
            else:
                e[i, t], slope[i, t] = (value - low) / (high - low), 1 / (high - low)
    return e, slope


def _of_features(bins, parameters):
    """Yield for each feature its edges, the rows of its bins, and its other parameters."""
    start = 0
    for f, edges in enumerate(bins):
        stop = start + len(edges) - 1
        yield f, edges, slice(start, stop), parameters[0][start:stop]
        start = stop


def piecewise_forward(bins, relu=False):
    def forward(parameters, x, context=None):
        *slopes, bias = parameters[1:]
        y = []
        for f, edges, _, kernel in _of_features(bins, parameters):
            out = encode_piecewise(x[:, f], edges)[0] @ kernel + bias[f]
            out = out + x[:, f : f + 1] * slopes[0][f] if slopes else out
            y.append(np.maximum(out, 0) if relu else out)
        return np.concatenate([*y, x[:, len(bins) :]], axis=1)

    return forward


def piecewise_backward(bins, relu=False):
    value = piecewise_forward(bins, relu)

    def backward(parameters, x, dy, context=None):
        *slopes, bias = parameters[1:]
        (count, units), dx = bias.shape, np.zeros_like(x)
        grads = [np.zeros_like(array) for array in parameters]
        through = value(parameters, x) > 0 if relu else np.ones_like(dy)
        for f, edges, rows, kernel in _of_features(bins, parameters):
            columns = slice(f * units, (f + 1) * units)
            own = dy[:, columns] * through[:, columns]
            e, slope = encode_piecewise(x[:, f], edges)
            dx[:, f] = ((slope @ kernel) * own).sum(axis=1)
            grads[0][rows] = e.T @ own
            grads[-1][f] = own.sum(axis=0)
            if slopes:
                dx[:, f] += own @ slopes[0][f]
                grads[1][f] = x[:, f] @ own
        dx[:, count:] = dy[:, count * units :]
        return dx, grads

    return backward


# --- members -------------------------------------------------------------------------------


def spread_forward(parameters, x, context=None):
    (r,) = parameters
    return (x[:, np.newaxis] * r).reshape(len(x), -1)


def spread_backward(parameters, x, dy, context=None):
    (r,) = parameters
    dy = dy.reshape(len(x), *r.shape)
    return (dy * r).sum(axis=1), [(dy * x[:, np.newaxis]).sum(axis=0)]


def linear_forward(begins):
    """Return the twin of a first layer, whose members read one vector, or of another layer."""

    def forward(parameters, x, context=None):
        r, w, s, b = parameters
        y = []
        for m in range(len(r)):
            own = x if begins else x.reshape(len(x), *r.shape)[:, m]
            y.append(((own * r[m]) @ w) * s[m] + b[m])
        return np.concatenate(y, axis=1)

    return forward


def linear_backward(begins):
    def backward(parameters, x, dy, context=None):
        r, w, s, _ = parameters
        dx = np.zeros((len(x), *r.shape))
        grads = [np.zeros_like(array) for array in parameters]
        for m in range(len(r)):
            own = x if begins else x.reshape(dx.shape)[:, m]
            given = dy.reshape(len(x), *s.shape)[:, m]
            scaled = given * s[m]
            dx[:, m] = (scaled @ w.T) * r[m]
            grads[0][m] = ((scaled @ w.T) * own).sum(axis=0)
            grads[1] += (own * r[m]).T @ scaled
            grads[2][m] = (given * ((own * r[m]) @ w)).sum(axis=0)
            grads[3][m] = given.sum(axis=0)
        return dx.sum(axis=1) if begins else dx.reshape(x.shape), grads

    return backward


def heads_forward(parameters, x, context=None):
    w, b = parameters
    own = x.reshape(len(x), len(w), -1)
    return np.concatenate([own[:, m] @ w[m] + b[m] for m in range(len(w))], axis=1)


def heads_backward(parameters, x, dy, context=None):
    w, b = parameters
    own, given = x.reshape(len(x), len(w), -1), dy.reshape(len(x), *b.shape)
    dx, dw = np.zeros_like(own), np.zeros_like(w)
    for m in range(len(w)):
        dx[:, m], dw[m] = given[:, m] @ w[m].T, own[:, m].T @ given[:, m]
    return dx.reshape(x.shape), [dw, given.sum(axis=0)]


def mean_forward(members):
    def forward(parameters, x, context=None):
        return x.reshape(len(x), members, -1).mean(axis=1)

    return forward


def mean_backward(members):
    def backward(parameters, x, dy, context=None):
        return np.tile(dy, (1, members)) / members, []

    return backward
