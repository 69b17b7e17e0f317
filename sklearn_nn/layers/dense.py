"""The fully connected layer: y = x W + b."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.activated import Activated
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    PREPARE,
    Builder,
    Parameter,
    Shape,
    owned_rows,
)

# Rows of W and columns of b are dealt out in multiples of these: a tile's height, a vector.
_WEIGHT_GRAIN, _BIAS_GRAIN = 8, 16


@kernel(FORWARD)
def dense_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x W + b. Owners: rows of the batch."""
    fan_in, units = x.shape[1], y.shape[1]
    lo, hi = owned_rows(x, part, parts)
    bias = vector(theta, fan_in * units, units)
    operands = (x[lo:], fan_in, 1, 0, theta, units, 0, y[lo:], units)
    contract_onto(bias, 0, *operands, hi - lo, units, fan_in, 1)


@kernel(PREPARE)
def dense_prepare(ctx, op, part, parts, theta, work):
    """work = W^T, so that dx = dy W^T reads its columns as vectors. Owners: rows of W."""
    fan_in, units = op[0], op[1]
    lo, hi = share(fan_in, part, parts, _BIAS_GRAIN)
    transpose(matrix(theta, 0, fan_in, units), matrix(work, 0, units, fan_in), lo, hi)


@kernel(BACKWARD)
def dense_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy W^T. Owners: rows of the batch."""
    fan_in, units = dx.shape[1], dy.shape[1]
    lo, hi = owned_rows(dx, part, parts)
    rows = hi - lo
    contract(dy[lo:], units, 1, 0, work, fan_in, 0, dx[lo:], fan_in, rows, fan_in, units, 1, 0)


@kernel(BACKWARD)
def dense_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = x^T dy, owners: rows of W. db = column sums of dy, owners: columns."""
    batch, fan_in = x.shape
    units = dy.shape[1]
    lo, hi = share(fan_in, part, parts, _WEIGHT_GRAIN)
    columns, dw = vector(x, lo, batch * fan_in - lo), grad[lo * units :]
    contract(columns, 1, fan_in, 0, dy, units, 0, dw, units, hi - lo, units, batch, 1, 0)
    lo, hi = share(units, part, parts, _BIAS_GRAIN)
    db = grad[fan_in * units + lo : fan_in * units + hi]
    for j in range(db.size):
        db[j] = 0
    for i in range(batch):
        row = vector(dy, i * units + lo, hi - lo)
        for j in range(db.size):
            db[j] += row[j]


class Dense(Activated):
    """Fully connected layer: ``y = x W + b``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, Activation, ParametricActivation or None, default=None
        Applied to y, as a layer behind this one would be: a name that :class:`Activation` takes,
        or a layer. None and "linear" are none.
    kernel_initializer : str, Initializer or None, default=None
        Draws W, of shape (inputs, units): a name such as "he_normal", or an object (see
        :mod:`sklearn_nn.network.initializers`). None is Glorot's uniform distribution.
    bias_initializer : str, Initializer or None, default=None
        Draws b, of shape (units,). None is zeros.
    """

    def __init__(
        self,
        units: int,
        activation: Any = None,
        *,
        kernel_initializer: Any = None,
        bias_initializer: Any = None,
    ) -> None:
        self.units = units
        self.activation = activation
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """One vector of `units` in place of the last axis, which must be the only one."""
        if len(shape) != 1:
            raise ValueError(
                f"Dense takes vectors, got samples of shape {shape}; put a Flatten before it."
            )
        self.activation_layer()
        return (self.units,)

    def parameters(self, inputs: int) -> list[Parameter]:
        """Kernel (inputs, units) and bias (units,)."""
        fans = {"fan_in": inputs, "fan_out": self.units}
        draw_kernel = self.kernel_initializer or "glorot_uniform"
        draw_bias = self.bias_initializer or "zeros"
        return [
            Parameter("kernel", (inputs, self.units), draw_kernel, **fans),
            Parameter("bias", (self.units,), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction, with kernel (inputs, units) and bias (units,); then the activation."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        parameters = self.parameters(int(np.prod(shape)))
        builder.instruction(
            slot,
            out,
            forward=dense_forward,
            prepare=dense_prepare,
            backward=dense_backward,
            weights=dense_weights,
            parameters=parameters,
            work=parameters[0].size,
            geometry=parameters[0].shape,
            keeps="x",
        )
        return self.activate(builder, out)
