"""Networks for time series as their authors wrote them in Keras, layer by layer, in NumPy."""

import numpy as np

EPSILON = 1e-3  # of Keras's BatchNormalization


def padded(x, window, dilation=1, value=0.0):
    """Return steps with those that Keras's "same" adds: one more at the end of an odd number."""
    beyond = (window - 1) * dilation
    margins = [(0, 0), (beyond // 2, beyond - beyond // 2), (0, 0)]
    return np.pad(x, margins, constant_values=value)


def conv(x, kernel, bias=0.0):
    """Return a Conv1D with padding "same"; the kernel has shape (length, channels, filters)."""
    steps, seen = x.shape[1], padded(x, len(kernel))
    return sum(seen[:, k : k + steps] @ kernel[k] for k in range(len(kernel))) + bias


def depthwise(x, kernel, dilation):
    """Return a DepthwiseConv1D with padding "same"; the kernel has shape (length, channels)."""
    steps, seen = x.shape[1], padded(x, len(kernel), dilation)
    return sum(seen[:, k * dilation : k * dilation + steps] * kernel[k] for k in range(len(kernel)))


def max_of_three(x):
    steps, seen = x.shape[1], padded(x, 3, value=-np.inf)
    return np.max([seen[:, k : k + steps] for k in range(3)], axis=0)


def relu(x):
    return np.maximum(x, 0)


class KerasNetwork:
    """Networks with given arrays, by layer and name, which are read in order."""

    def __init__(self, layers):
        self._layers = iter(layers.items())
        self._output = layers["output"]
        self.n_read = 0

    def _arrays(self, *names):
        """Return the arrays of the next layer, which has just these."""
        _, arrays = next(self._layers)
        assert set(arrays) == set(names)
        self.n_read += len(names)
        return [arrays[name] for name in names]

    def _conv(self, x, bias=False):
        return conv(x, *self._arrays("kernel", *(["bias"] if bias else [])))

    def _norm(self, x):
        gamma, beta, mean, variance = self._arrays(
            "gamma", "beta", "moving_mean", "moving_variance"
        )
        return (x - mean) / np.sqrt(variance + EPSILON) * gamma + beta

    def _end(self, x):
        """Return probabilities: the mean over steps, a dense layer and softmax."""
        kernel, bias = self._arrays("kernel", "bias")
        raw = x.mean(axis=1) @ kernel + bias
        odds = np.exp(raw - raw.max(axis=1, keepdims=True))
        return odds / odds.sum(axis=1, keepdims=True)

    def inception_time(self, x, sizes):
        """Return the probabilities of Inception."""
        before = x
        for d in range(sizes["depth"]):
            narrow = self._conv(x) if x.shape[-1] > 1 else x
            branches = [self._conv(narrow) for _ in range(3)]
            branches.append(self._conv(max_of_three(x)))
            x = relu(self._norm(np.concatenate(branches, axis=2)))
            if d % 3 == 2:
                x = before = relu(x + self._norm(self._conv(before)))
        return self._end(x)

    def lite(self, x, sizes):
        """Return the probabilities of LITE."""
        trained = [self._conv(x) for _ in range(3)]
        fixed = relu(np.concatenate([self._conv(x) for _ in range(17)], axis=2))
        x = relu(self._norm(np.concatenate([*trained, fixed], axis=2)))
        for dilation in (2, 4):
            (kernel,) = self._arrays("kernel")
            x = relu(self._norm(self._conv(depthwise(x, kernel[:, 0], dilation))))
        return self._end(x)

    def fcn(self, x, sizes):
        """Return the probabilities of the fully convolutional network."""
        for _ in range(3):
            x = relu(self._norm(self._conv(x, bias=True)))
        return self._end(x)

    def resnet_1d(self, x, sizes):
        """Return the probabilities of the residual network."""
        channels = None
        for filters in sizes["n_filters"]:
            y = x
            for k in range(3):
                y = self._norm(self._conv(y, bias=True))
                y = relu(y) if k < 2 else y
            x = x if filters == channels else self._conv(x, bias=True)
            x, channels = relu(y + self._norm(x)), filters
        return self._end(x)
