"""Activations of which each unit learns how much it takes."""

from __future__ import annotations

import functools

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import Kernel, kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.activation import ELEMENTWISE
from sklearn_nn.layers.base import (
    BACKWARD,
    CTX_SIZE,
    FORWARD,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.normalization.layer_norm import CHANNEL_GRAIN
from sklearn_nn.layers.vectors import clear


@functools.cache
def _kernels(name: str) -> tuple[Kernel, Kernel, Kernel]:
    """The forward, backward and weights kernels for a row of ELEMENTWISE."""
    value, derivative = ELEMENTWISE[name].value, ELEMENTWISE[name].derivative

    @kernel(FORWARD, name=f"parametric_activation.{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """y = x + a (f(x) - x). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        n = x.shape[1]
        for i in range(lo, hi):
            source, target = vector(x, i * n, n), vector(y, i * n, n)
            for j in range(n):
                target[j] = source[j] + theta[j] * (value(source[j]) - source[j])

    @kernel(BACKWARD, name=f"parametric_activation.{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """dx = dy (1 + a (f'(x) - 1)). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        n = x.shape[1]
        for i in range(lo, hi):
            source, given = vector(x, i * n, n), vector(dy, i * n, n)
            target = vector(dx, i * n, n)
            for j in range(n):
                one = like(source[j], 1)
                slope = derivative(source[j], value(source[j]))
                target[j] = given[j] * (one + theta[j] * (slope - one))

    @kernel(BACKWARD, name=f"parametric_activation.{name}_weights")
    def weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """da = sum of dy (f(x) - x) over the batch. Owners: columns."""
        n = x.shape[1]
        lo, hi = share(n, part, parts, CHANNEL_GRAIN)
        found = vector(grad, lo, hi - lo)
        # What f is made of must not be rounded together with what follows: see norm.py.
        active = vector(workspace(ctx, CTX_SIZE, x), 0, hi - lo)
        clear(found)
        for i in range(x.shape[0]):
            source, given = vector(x, i * n + lo, hi - lo), vector(dy, i * n + lo, hi - lo)
            for j in range(found.size):
                active[j] = value(source[j])
            for j in range(found.size):
                found[j] = fma(given[j], active[j] - source[j], found[j])

    return forward, backward, weights


class ParametricActivation(Layer):
    """``x + a (f(x) - x)``: each unit learns how much of an activation it takes.

    A factor a of 1, where all start, is the activation, and 0 the identity (Holzmüller et al.,
    2024; for ReLU, as in He et al., 2015). Its parameter is called alpha.

    Parameters
    ----------
    activation : str
        f: identity, logistic, tanh, relu, leaky_relu, elu, selu, gelu, silu, mish, softplus,
        hard_sigmoid or exp.
    rate_factor : float, default=0.1
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay.

    References
    ----------
    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    He, K., Zhang, X., Ren, S., & Sun, J. (2015). Delving deep into rectifiers. ICCV.
    """

    def __init__(
        self, activation: str, *, rate_factor: float = 0.1, decay_factor: float = 1.0
    ) -> None:
        self.activation = activation
        self.rate_factor = rate_factor
        self.decay_factor = decay_factor

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        if self.activation not in ELEMENTWISE:
            raise ValueError(
                f"activation={self.activation!r} of ParametricActivation is not known; use one of "
                f"{', '.join(ELEMENTWISE)}."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameter is alpha, of the shape of a sample."""
        shape = self.output_shape(builder.shape(slot))
        out = builder.slot(shape)
        factors = {"rate": self.rate_factor, "decay": self.decay_factor}
        alpha = Parameter("alpha", shape, "ones", 1, 1, **factors)
        forward, backward, weights = _kernels(self.activation)
        builder.instruction(
            slot,
            out,
            forward=forward,
            backward=backward,
            weights=weights,
            parameters=[alpha],
            scratch=alpha.size,
            keeps="x",
        )
        return out
