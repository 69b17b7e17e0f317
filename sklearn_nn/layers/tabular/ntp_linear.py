"""The fully connected layer whose weights are all of size 1: h = x W / sqrt(d) + b."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numba import njit

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.dense import dense_prepare
from sklearn_nn.layers.draws import draw_normal
from sklearn_nn.layers.vectors import clear

# Rows of W and columns of b are dealt out in multiples of these: a tile's height, a vector.
_WEIGHT_GRAIN, _BIAS_GRAIN = 8, 16
#: Outputs that vary less than this part of the usual are taken to vary so much: where samples are
#: few, or much alike, some hardly vary by chance, and their weights would be huge.
_LEAST_SPREAD = 0.1
#: Samples whose outputs a bias is mixed of.
_MIXED = 5


@njit(**INLINED_OPTIONS)
def _shrink(values: Any, fan_in: int) -> None:
    """values /= sqrt(fan_in)."""
    factor = like(values[0], 1 / np.sqrt(fan_in)) if values.size else values.dtype.type(0)
    for j in range(values.size):
        values[j] *= factor


@kernel(FORWARD)
def ntp_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x W / sqrt(fan in) + b. Owners: rows of the batch."""
    fan_in, units = x.shape[1], y.shape[1]
    lo, hi = owned_rows(x, part, parts)
    contract(x[lo:], fan_in, 1, 0, theta, units, 0, y[lo:], units, hi - lo, units, fan_in, 1, 0)
    bias, factor = vector(theta, fan_in * units, units), like(x[0, 0], 1 / np.sqrt(fan_in))
    for i in range(lo, hi):
        target = vector(y, i * units, units)
        for j in range(units):
            target[j] = fma(target[j], factor, bias[j])


@kernel(BACKWARD)
def ntp_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy W^T / sqrt(fan in). Owners: rows of the batch."""
    fan_in, units = dx.shape[1], dy.shape[1]
    lo, hi = owned_rows(dx, part, parts)
    rows = hi - lo
    contract(dy[lo:], units, 1, 0, work, fan_in, 0, dx[lo:], fan_in, rows, fan_in, units, 1, 0)
    _shrink(vector(dx, lo * fan_in, rows * fan_in), fan_in)


@kernel(BACKWARD)
def ntp_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = x^T dy / sqrt(fan in), owners: rows of W. db = sums of dy, owners: columns."""
    batch, fan_in = x.shape
    units = dy.shape[1]
    lo, hi = share(fan_in, part, parts, _WEIGHT_GRAIN)
    columns = vector(x, lo, batch * fan_in - lo)
    dw = vector(grad, lo * units, (hi - lo) * units)
    contract(columns, 1, fan_in, 0, dy, units, 0, dw, units, hi - lo, units, batch, 1, 0)
    _shrink(dw, fan_in)
    lo, hi = share(units, part, parts, _BIAS_GRAIN)
    db = vector(grad, fan_in * units + lo, hi - lo)
    clear(db)
    for i in range(batch):
        row = vector(dy, i * units + lo, hi - lo)
        for j in range(db.size):
            db[j] += row[j]


class NTPLinear(Layer):
    """Fully connected layer in neural tangent parametrisation: ``y = x W / sqrt(inputs) + b``.

    All weights are drawn from the standard normal distribution, so one learning rate suits layers
    of any width (Jacot et al., 2018). With `data_driven`, training data then sets the scale: each
    column of W is divided by the standard deviation of its output, and each bias becomes minus a
    random mean of that output for five samples, so that every unit bends within the data (the
    "he+5" of Holzmüller et al., 2024; after Steinwart, 2019).

    Parameters
    ----------
    units : int
        Number of outputs.
    data_driven : bool, default=True
        Whether training data sets scale and bias before training. Otherwise they are as drawn.
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (inputs, units). None is standard normal.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (units,). None is standard normal; with `data_driven` it has no effect.
    bias_rate_factor : float, default=0.1
        Factor on the learning rate of b.

    References
    ----------
    Jacot, A., Gabriel, F., & Hongler, C. (2018). Neural tangent kernel. NeurIPS.

    Steinwart, I. (2019). A sober look at neural network initializations. arXiv:1903.11482.

    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.
    """

    def __init__(
        self,
        units: int,
        *,
        data_driven: bool = True,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
        bias_rate_factor: float = 0.1,
    ) -> None:
        self.units = units
        self.data_driven = data_driven
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer
        self.bias_rate_factor = bias_rate_factor

    def output_shape(self, shape: Shape) -> Shape:
        """One vector of `units` in place of the last axis, which must be the only one."""
        if len(shape) != 1:
            raise ValueError(
                f"NTPLinear takes vectors, got samples of shape {shape}; put a Flatten before it."
            )
        return (self.units,)

    @property
    def adapts(self) -> bool:
        """Whether `adapt` sets its parameters by data before training."""
        return self.data_driven

    def adapt(
        self, rng: np.random.RandomState, outputs: np.ndarray, parameters: Mapping[str, np.ndarray]
    ) -> None:
        """Give every output a standard deviation of 1 and a bias within the data.

        Parameters
        ----------
        rng : RandomState
            Where random numbers come from.
        outputs : ndarray of shape (n_samples, units), float64
            What the layer makes of samples, with its parameters as they were drawn.
        parameters : dict of str to ndarray
            The kernel and the bias, changed in place.
        """
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
        """One instruction; its parameters are kernel (inputs, units) and bias (units,)."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        size = (shape[0], self.units)
        draws = [self.kernel_initializer or draw_normal, self.bias_initializer or draw_normal]
        rate = self.bias_rate_factor
        builder.instruction(
            slot,
            out,
            forward=ntp_forward,
            prepare=dense_prepare,
            backward=ntp_backward,
            weights=ntp_weights,
            parameters=[
                Parameter("kernel", size, draws[0], *size),
                Parameter("bias", size[1:], draws[1], *size, decay=0.0, rate=rate),
            ],
            work=size[0] * size[1],
            geometry=size,
            keeps="x",
        )
        return out
