"""The fully connected layer: y = x W + b."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

from sklearn_nn._spec import parameters
from sklearn_nn.jit.contract import matmul, matmul_onto, matmul_transposed
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.activated import Activated
from sklearn_nn.layers.base import (
    BACKWARD,
    COLUMN_GRAIN,
    FORWARD,
    PREPARE,
    WEIGHT_GRAIN,
    owned_rows,
)
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Parameter, Shape
from sklearn_nn.layers.vectors import rows_of, sum_rows


@kernel(FORWARD)
def dense_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x W + b. Owners: rows of the batch."""
    fan_in, units = x.shape[1], y.shape[1]
    lo, hi = owned_rows(x, part, parts)
    weights, bias = matrix(theta, 0, fan_in, units), vector(theta, fan_in * units, units)
    source, target = rows_of(x, lo, hi), rows_of(y, lo, hi)
    matmul_onto(bias, source, weights, target)


@kernel(PREPARE)
def dense_prepare(ctx, op, part, parts, theta, work):
    """Compute work = W^T, of which backward reads rows as vectors. Owners: rows of W."""
    fan_in, units = op[0], op[1]
    lo, hi = share(fan_in, part, parts, COLUMN_GRAIN)
    transpose(matrix(theta, 0, fan_in, units), matrix(work, 0, units, fan_in), lo, hi)


@kernel(BACKWARD)
def dense_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy W^T. Owners: rows of the batch."""
    fan_in, units = dx.shape[1], dy.shape[1]
    lo, hi = owned_rows(dx, part, parts)
    matmul(rows_of(dy, lo, hi), matrix(work, 0, units, fan_in), rows_of(dx, lo, hi))


@kernel(BACKWARD)
def dense_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = x^T dy (owners: rows of W) and db = sums of rows of dy (owners: columns)."""
    fan_in, units = x.shape[1], dy.shape[1]
    lo, hi = share(fan_in, part, parts, WEIGHT_GRAIN)
    matmul_transposed(x, lo, dy, matrix(grad, lo * units, hi - lo, units))
    lo, hi = share(units, part, parts, COLUMN_GRAIN)
    sum_rows(dy, lo, vector(grad, fan_in * units + lo, hi - lo))


@parameters
class Dense(Activated):
    """Fully connected layer: ``y = x W + b``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, Activation, ParametricActivation or None, default=None
        Activation of y: a name that :class:`Activation` takes, or a layer. None and "linear" apply
        none.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (inputs, units): a name such as "he_normal", or an object (see
        :mod:`sklearn_nn.network.initializers`). None is Glorot's uniform distribution.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (units,). None is zeros.
    """

    units: int
    activation: Any = None
    _: KW_ONLY
    kernel_initializer: Any = None
    bias_initializer: Any = None

    def output_shape(self, shape: Shape) -> Shape:
        """Return (units,); samples must be vectors."""
        if len(shape) != 1:
            raise ValueError(
                f"Dense takes vectors, got samples of shape {shape}; put a Flatten before it."
            )
        self.activation_layer()
        return (self.units,)

    def parameters(self, inputs: int) -> list[Parameter]:
        """Return the kernel, of shape (inputs, units), and the bias, of shape (units,)."""
        fans = {"fan_in": inputs, "fan_out": self.units}
        draw_kernel = self.kernel_initializer or "glorot_uniform"
        draw_bias = self.bias_initializer or "zeros"
        return [
            Parameter("kernel", (inputs, self.units), draw_kernel, **fans),
            Parameter("bias", (self.units,), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias, and the activation."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        kernels = Kernels(dense_forward, dense_backward, dense_weights, dense_prepare)
        kernel, bias = self.parameters(shape[0])
        op = Instruction(slot, out, kernels, [kernel, bias], geometry=kernel.shape, keeps="x")
        op.work = kernel.size
        return self.activate(builder, builder.append(op))
