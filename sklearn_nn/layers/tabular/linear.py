"""Scaling of inputs, the linear layer in neural tangent parametrisation, and initializers."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.contract import matmul, matmul_transposed
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.dense import dense_prepare
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.vectors import clear, owned_columns, owned_weights, rows_of, sum_rows


def draw_normal(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw from the standard normal distribution."""
    return rng.standard_normal(shape)


def draw_signs(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw 1 or -1 with equal probability."""
    return 2.0 * rng.randint(2, size=shape) - 1.0


def draw_within_fan(
    rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Draw uniformly from [-b, b) with b = 1 / sqrt(fan_in)."""
    bound = 1 / math.sqrt(fan_in)
    return rng.uniform(-bound, bound, shape)


def draw_alike(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw one row by `draw_within_fan` and repeat it."""
    return np.broadcast_to(draw_within_fan(rng, shape[1:], fan_in, fan_out), shape)


#: Minimal standard deviation of an output, relative to the root mean square of all: with few or
#: similar samples some outputs hardly vary by chance, and their weights would be huge.
_LEAST_SPREAD = 0.1
#: Number of samples whose outputs are averaged for a bias.
_MIXED = 5


@kernel(FORWARD)
def scale_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = theta x, column by column. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        source, target = row(x, i), row(y, i)
        for j in range(source.size):
            target[j] = theta[j] * source[j]


@kernel(BACKWARD)
def scale_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = theta dy. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    for i in range(lo, hi):
        given, target = row(dy, i), row(dx, i)
        for j in range(given.size):
            target[j] = theta[j] * given[j]


@kernel(BACKWARD)
def scale_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dtheta = sum of dy x over the batch. Owners: columns."""
    n = x.shape[1]
    lo, hi = owned_columns(n, part, parts)
    found = vector(grad, lo, hi - lo)
    clear(found)
    for i in range(x.shape[0]):
        source, given = vector(x, i * n + lo, hi - lo), vector(dy, i * n + lo, hi - lo)
        for j in range(found.size):
            found[j] = fma(given[j], source[j], found[j])


def lower_scale(builder: Builder, slot: int, parameter: Parameter) -> int:
    """Append ``y = theta x``; `parameter`, theta, has the shape of a sample."""
    out = builder.slot(builder.shape(slot))
    kernels = Kernels(scale_forward, scale_backward, scale_weights)
    return builder.append(Instruction(slot, out, kernels, [parameter], keeps="x"))


@parameters
class ScaleFeatures(Layer):
    """Layer that multiplies every input by a trained factor, with an initial value of 1.

    With a high rate, useless features become small early (Holzmüller et al., 2024). The parameter
    is named scale.

    Parameters
    ----------
    rate_factor : float, default=6.0
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay.

    References
    ----------
    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    Examples
    --------
    The target depends on the first two of four features. After training, their factors are large:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense, ScaleFeatures
    >>> X = np.random.default_rng(0).standard_normal((500, 4))
    >>> y = X[:, 0] * X[:, 1]
    >>> layers = [ScaleFeatures(), Dense(32, activation="silu")]
    >>> model = NeuralNetworkRegressor(
    ...     layers, batch_size=50, learning_rate_init=0.01, max_iter=50, random_state=0
    ... ).fit(X, y)
    >>> np.flatnonzero(np.abs(model.layers_["scalefeatures1"]["scale"]) > 0.8)
    array([0, 1])
    """

    limits = {"rate_factor": "[0, inf)", "decay_factor": "[0, inf)"}

    _: KW_ONLY
    rate_factor: float = 6.0
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter scale, of the shape of a sample."""
        shape = builder.shape(slot)
        factors = {"rate": self.rate_factor, "decay": self.decay_factor}
        return lower_scale(builder, slot, Parameter("scale", shape, "ones", 1, 1, **factors))


@njit(**INLINED_OPTIONS)
def _shrink(values: Any, fan_in: int) -> None:
    """Compute values /= sqrt(fan_in)."""
    factor = like(values[0], 1 / np.sqrt(fan_in)) if values.size else values.dtype.type(0)
    for j in range(values.size):
        values[j] *= factor


@kernel(FORWARD)
def ntp_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x W / sqrt(fan in) + b. Owners: rows of the batch."""
    fan_in, units = x.shape[1], y.shape[1]
    lo, hi = owned_rows(x, part, parts)
    matmul(rows_of(x, lo, hi), matrix(theta, 0, fan_in, units), rows_of(y, lo, hi))
    bias, factor = vector(theta, fan_in * units, units), like(x[0, 0], 1 / np.sqrt(fan_in))
    for i in range(lo, hi):
        target = vector(y, i * units, units)
        for j in range(units):
            target[j] = fma(target[j], factor, bias[j])


@kernel(BACKWARD)
def ntp_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy W^T / sqrt(fan in). Owners: rows of the batch."""
    fan_in, units = dx.shape[1], dy.shape[1]
    lo, hi = owned_rows(dx, part, parts)
    matmul(rows_of(dy, lo, hi), matrix(work, 0, units, fan_in), rows_of(dx, lo, hi))
    _shrink(vector(dx, lo * fan_in, (hi - lo) * fan_in), fan_in)


@kernel(BACKWARD)
def ntp_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = x^T dy / sqrt(fan in) (owners: rows of W) and db (owners: columns)."""
    fan_in, units = x.shape[1], dy.shape[1]
    lo, hi = owned_weights(fan_in, part, parts)
    matmul_transposed(x, lo, dy, matrix(grad, lo * units, hi - lo, units))
    _shrink(vector(grad, lo * units, (hi - lo) * units), fan_in)
    lo, hi = owned_columns(units, part, parts)
    sum_rows(dy, lo, vector(grad, fan_in * units + lo, hi - lo))


@parameters
class NTPLinear(Layer):
    """Fully connected layer in neural tangent parametrization: ``y = x W / sqrt(inputs) + b``.

    Initial weights are standard normal, so that one learning rate suits layers of any width (Jacot
    et al., 2018). With `data_driven`, each column of W is then divided by the standard deviation of
    its output for training data, and each bias becomes minus a random weighted mean of the output
    for five samples, so that every activation has its kink within the data ("he+5" of Holzmüller et
    al., 2024; after Steinwart, 2019).

    Parameters
    ----------
    units : int
        Number of outputs.
    data_driven : bool, default=True
        Whether training data sets scale and bias before training.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (inputs, units). None is standard normal.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (units,). None is standard normal; with `data_driven` it has no effect.
    bias_rate_factor : float, default=0.1
        Factor on the learning rate of b.

    References
    ----------
    Jacot, A., Gabriel, F., & Hongler, C. (2018). Neural tangent kernel. NeurIPS.

    Steinwart, I. (2019). A sober look at neural network initializations. arXiv:1903.11482.

    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    Examples
    --------
    A hidden layer of any width for the same learning rate; training data set its initial scale:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Activation, NTPLinear
    >>> X, y = load_iris(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> layers = [NTPLinear(200), Activation("relu")]
    >>> network = NeuralNetworkClassifier(layers, random_state=0).initialize(X, y)
    >>> units = FeatureExtractor(network, layer="ntplinear1").fit_transform(X)
    >>> units.shape, round(float(units.std(axis=0).mean()), 2)
    ((150, 200), 1.0)
    """

    limits = {"bias_rate_factor": "[0, inf)"}

    units: int
    _: KW_ONLY
    data_driven: bool = True
    kernel_initializer: Any = None
    bias_initializer: Any = None
    bias_rate_factor: float = 0.1

    def output_shape(self, shape: Shape) -> Shape:
        """Return (units,); samples must be vectors."""
        self._check_axes(shape, 0)
        return (self._whole_number("units"),)

    @property
    def adapts(self) -> bool:
        """Return whether `adapt` sets its parameters from data before training."""
        return self.data_driven

    def adapt(
        self, rng: np.random.RandomState, outputs: np.ndarray, parameters: Mapping[str, np.ndarray]
    ) -> None:
        """Give every output a standard deviation of 1, and a bias within the data."""
        kernel, bias = parameters["kernel"], parameters["bias"]
        chosen = rng.randint(len(outputs), size=(_MIXED, self.units))
        share = rng.standard_exponential((_MIXED, self.units))
        outputs = outputs - bias.astype(np.float64)
        spread = outputs.std(axis=0)
        usual = np.sqrt(np.mean(spread**2))
        spread = np.maximum(spread, _LEAST_SPREAD * usual) if usual > 0 else np.ones(self.units)
        kernel /= spread
        mixed = np.take_along_axis(outputs, chosen, axis=0) * share
        bias[:] = -mixed.sum(axis=0) / share.sum(axis=0) / spread

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        size, rate = (shape[0], self.units), self.bias_rate_factor
        draw = self._initializer("kernel_initializer", draw_normal)
        draw_bias = self._initializer("bias_initializer", draw_normal)
        kernel = Parameter("kernel", size, draw, *size)
        bias = Parameter("bias", size[1:], draw_bias, *size, decay=0.0, rate=rate)
        kernels = Kernels(ntp_forward, ntp_backward, ntp_weights, dense_prepare)
        op = Instruction(slot, out, kernels, [kernel, bias], geometry=size, keeps="x")
        op.work = kernel.size
        return builder.append(op)
