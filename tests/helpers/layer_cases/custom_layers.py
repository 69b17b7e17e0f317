"""Layers that only tests use: a branch in the graph of slots, and groups of parameters."""

from dataclasses import replace

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.layers import Dense, Layer
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.dense import dense_backward, dense_prepare, dense_weights
from sklearn_nn.layers.layer import Instruction, Kernels, Parameter


@kernel(FORWARD)
def copy_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j]


@kernel(BACKWARD)
def copy_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy. Owners: rows."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            dx[i, j] = dy[i, j]


@kernel(FORWARD)
def add_dense_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y += x W + b. Owners: rows."""
    n = x.shape[1]
    lo, hi = owned_rows(x, part, parts)
    bias = theta[n * n :]
    for i in range(lo, hi):
        for j in range(n):
            y[i, j] += bias[j]
    contract(x[lo:], n, 1, 0, theta, n, 0, y[lo:], n, hi - lo, n, n, 1, 1)


class Residual(Layer):
    """Layer y = x + x W + b: two instructions read one slot, and both write another."""

    def output_shape(self, shape):
        return shape

    def lower(self, builder, slot):
        (n,) = builder.shape(slot)
        out = builder.slot((n,))
        fans = {"fan_in": n, "fan_out": n}
        builder.append(Instruction(slot, out, Kernels(copy_forward, copy_backward)))
        kernels = Kernels(add_dense_forward, dense_backward, dense_weights, dense_prepare)
        parameters = [
            Parameter("kernel", (n, n), "glorot_uniform", **fans),
            Parameter("bias", (n,), "zeros", **fans, decay=0.0),
        ]
        op = Instruction(slot, out, kernels, parameters, geometry=(n, n), work=n * n)
        return builder.append(op)


class _Factors:
    """Builder that changes the factors of the parameters that pass through."""

    def __init__(self, builder, factors):
        self.builder, self.factors = builder, factors

    def __getattr__(self, name):
        return getattr(self.builder, name)

    def append(self, instruction):
        changed = [replace(p, **self.factors.get(p.name, {})) for p in instruction.parameters]
        return self.builder.append(replace(instruction, parameters=changed))


class Grouped(Layer):
    """Dense layer whose kernel and bias have factors of their own.

    Parameters
    ----------
    units : int
    factors : dict of str to dict
        By parameter, e.g. {"kernel": {"rate": 0.5, "decay": 2.0}}.
    """

    def __init__(self, units, factors):
        self.units = units
        self.factors = factors

    def output_shape(self, shape):
        return (self.units,)

    def lower(self, builder, slot):
        return Dense(self.units).lower(_Factors(builder, self.factors), slot)
