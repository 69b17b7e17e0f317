"""Dropout and noise. Random numbers are functions of a key, so that no mask is stored."""

from __future__ import annotations

import math

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.random import random_bits, random_normal, stream
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, PROGRESS, SEED, STEP
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape
from sklearn_nn.layers.vectors import changed_rows, copy_rows, symmetric_kernels

# An instruction's geometry: the key, which is the number of its output slot and so different for
# each layer; the bits of the rate, or of the standard deviation; the schedule of the rate, and the
# number of steps that share a mask.
_KEY, _RATE, _SCHEDULE, _STEPS = range(4)
#: Schedules of the rate, named as those of the learning rate.
SCHEDULES = {"constant": 0, "flat_cos": 1}


@njit(**INLINED_OPTIONS)
def _drop(ctx, op, part, parts, source, target):
    """Set target = source / (1 - rate) for kept units, else 0; target = source in prediction."""
    lo, hi = changed_rows(ctx, part, parts, source, target)
    rate, features = real(op[_RATE]), source.shape[1] // op[_STEPS]
    if op[_SCHEDULE] != 0:  # constant for half of the training, then half a cosine to 0
        past_half = max(0.0, 2.0 * real(ctx[PROGRESS]) - 1.0)
        rate = rate * (1.0 + math.cos(math.pi * past_half)) / 2.0
    threshold, factor = np.int64(np.rint(rate * 2.0**32)), like(source[0, 0], 1.0 / (1.0 - rate))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[_KEY], i)
        for t in range(op[_STEPS]):
            at = i * source.shape[1] + t * features
            given, kept = vector(source, at, features), vector(target, at, features)
            for j in range(features):
                keep = random_bits(key, j) >= threshold
                kept[j] = given[j] * factor if keep else like(factor, 0)


_KERNELS = Kernels(*symmetric_kernels("dropout.dropout", _drop))


@parameters
class Dropout(Layer):
    """Layer that sets random inputs to zero in training (Srivastava et al., 2014).

    A mask is drawn for each sample of each batch. The other inputs are divided by ``1 - rate``, so
    that prediction changes nothing (inverted dropout).

    Parameters
    ----------
    rate : float
        Probability that an input is set to zero, in [0, 1).
    schedule : {"constant", "flat_cos"}, default="constant"
        Schedule of the rate. With "flat_cos" it is constant for the first half of the planned
        epochs and decreases to 0 in the second, as half a cosine (Holzmüller et al., 2024).

    References
    ----------
    Srivastava, N., Hinton, G., Krizhevsky, A., Sutskever, I., & Salakhutdinov, R. (2014). Dropout:
    a simple way to prevent neural networks from overfitting. JMLR 15.

    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    Examples
    --------
    A quarter of the inputs and half of the hidden units are absent in each update. A grid search
    may vary the rates, and leave a layer out with "passthrough":

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense, Dropout
    >>> X, y = load_digits(return_X_y=True)
    >>> layers = [Dropout(0.25), Dense(64, activation="relu"), Dropout(0.5)]
    >>> model = NeuralNetworkClassifier(
    ...     layers, batch_size=32, learning_rate_init=0.005, max_iter=20, random_state=0
    ... )
    >>> round(model.fit(X[:1200] / 16, y[:1200]).score(X[1200:] / 16, y[1200:]), 1)
    0.9
    >>> model.set_params(dropout2__rate=0.3, dropout1="passthrough").layers[::2]
    [('dropout1', 'passthrough'), ('dropout2', Dropout(rate=0.3))]
    """

    limits = {"rate": "[0, 1)"}

    rate: float
    schedule: str = "constant"

    is_random = True
    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        self._check_choice("schedule", SCHEDULES)
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none if the rate is 0."""
        shape = self.output_shape(builder.shape(slot))
        if self.rate == 0:
            return slot
        out = builder.slot(shape)
        geometry = (out, real_bits(self.rate), SCHEDULES[self.schedule], 1)
        return builder.append(Instruction(slot, out, _KERNELS, geometry=geometry))


def sequence_dropout(builder: Builder, slot: int, rate: float) -> int:
    """Append dropout of features, the same for all steps (Gal & Ghahramani, 2016), if rate > 0."""
    if rate == 0:
        return slot
    shape = builder.shape(slot)
    out = builder.slot(shape, builder.clock(slot))
    geometry = (out, real_bits(rate), SCHEDULES["constant"], shape[0])
    return builder.append(Instruction(slot, out, _KERNELS, geometry=geometry, keeps=""))


@kernel(FORWARD)
def noise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x + standard deviation * normal number; y = x in prediction. Owners: rows."""
    lo, hi = changed_rows(ctx, part, parts, x, y)
    stddev = like(x[0, 0], real(op[_RATE]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[_KEY], i)
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] + stddev * random_normal(key, j, x.dtype)


@kernel(BACKWARD)
def noise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = dy. Owners: rows of the batch."""
    copy_rows(part, parts, dy, dx)


@parameters
class GaussianNoise(Layer):
    """Layer that adds normal noise in training, drawn anew for each batch (Bishop, 1995).

    Parameters
    ----------
    stddev : float
        Standard deviation of the noise, in the units of its input.

    Examples
    --------
    Noise on the inputs of a network. It is there in training only, which `augment_images` shows:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier, augment_images
    >>> from sklearn_nn.layers import Dense, GaussianNoise
    >>> model = NeuralNetworkClassifier([GaussianNoise(0.1), Dense(32, activation="relu")])
    >>> noise = augment_images(np.zeros((100, 8, 8)), GaussianNoise(0.1), random_state=0)
    >>> round(float(noise.std()), 2)
    0.1
    """

    limits = {"stddev": "[0, inf)"}

    stddev: float

    is_random = True
    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        self.check()
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, or none if the standard deviation is 0."""
        shape = self.output_shape(builder.shape(slot))
        if self.stddev == 0:
            return slot
        out, kernels = builder.slot(shape), Kernels(noise_forward, noise_backward)
        geometry = (out, real_bits(self.stddev))
        return builder.append(Instruction(slot, out, kernels, geometry=geometry))
