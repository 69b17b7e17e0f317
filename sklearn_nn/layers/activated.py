"""Parametric activations, and the base of layers with a parameter `activation`."""

from __future__ import annotations

import functools
from dataclasses import KW_ONLY
from typing import Any

from sklearn_nn._spec import parameters
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.activation import ACTIVATIONS, ELEMENTWISE, OTHER_NAMES, Activation
from sklearn_nn.layers.base import BACKWARD, COLUMN_GRAIN, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.vectors import clear


@functools.cache
def _kernels(name: str) -> Kernels:
    """Make the kernels for a row of ELEMENTWISE."""
    value, derivative = ELEMENTWISE[name].value, ELEMENTWISE[name].derivative

    @kernel(FORWARD, name=f"layers.activated.{name}_forward")
    def forward(ctx, op, part, parts, theta, state, work, x, y):
        """Compute y = x + a (f(x) - x). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        n = x.shape[1]
        for i in range(lo, hi):
            source, target = vector(x, i * n, n), vector(y, i * n, n)
            for j in range(n):
                target[j] = source[j] + theta[j] * (value(source[j]) - source[j])

    @kernel(BACKWARD, name=f"layers.activated.{name}_backward")
    def backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute dx = dy (1 + a (f'(x) - 1)). Owners: rows of the batch."""
        lo, hi = owned_rows(x, part, parts)
        n = x.shape[1]
        for i in range(lo, hi):
            source, given = vector(x, i * n, n), vector(dy, i * n, n)
            target = vector(dx, i * n, n)
            for j in range(n):
                one = like(source[j], 1)
                slope = derivative(source[j], value(source[j]))
                target[j] = given[j] * (one + theta[j] * (slope - one))

    @kernel(BACKWARD, name=f"layers.activated.{name}_weights")
    def weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
        """Compute da = sum of dy (f(x) - x) over the batch. Owners: columns."""
        n = x.shape[1]
        lo, hi = share(n, part, parts, COLUMN_GRAIN)
        found = vector(grad, lo, hi - lo)
        # f(x) is stored, lest the compiler contract it with what follows: see COLUMN_GRAIN.
        active = vector(workspace(ctx, CTX_SIZE, x), 0, hi - lo)
        clear(found)
        for i in range(x.shape[0]):
            source, given = vector(x, i * n + lo, hi - lo), vector(dy, i * n + lo, hi - lo)
            for j in range(found.size):
                active[j] = value(source[j])
            for j in range(found.size):
                found[j] = fma(given[j], active[j] - source[j], found[j])

    return Kernels(forward, backward, weights)


@parameters
class ParametricActivation(Layer):
    """Activation with a trained factor per unit: ``y = x + a (f(x) - x)``.

    A factor a of 1, the initial value, is the activation, and 0 the identity (Holzmüller et al.,
    2024; for ReLU, as in He et al., 2015). The parameter is named alpha.

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

    activation: str
    _: KW_ONLY
    rate_factor: float = 0.1
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        if self.activation not in ELEMENTWISE:
            raise ValueError(
                f"activation={self.activation!r} of ParametricActivation is not known; use one of "
                f"{', '.join(ELEMENTWISE)}."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter alpha, of the shape of a sample."""
        shape = self.output_shape(builder.shape(slot))
        factors = {"rate": self.rate_factor, "decay": self.decay_factor}
        alpha = Parameter("alpha", shape, "ones", 1, 1, **factors)
        kernels, out = _kernels(self.activation), builder.slot(shape)
        return builder.append(
            Instruction(slot, out, kernels, [alpha], scratch=alpha.size, keeps="x")
        )


class Activated(Layer):
    """Base of layers with a parameter `activation`, which is applied to their output.

    The activation is lowered as a separate layer would be, so results are equal to the last bit.
    Its parameters, if any, are filed under the name of the layer.
    """

    activation: Any

    @property
    def label(self) -> str:
        """Its class and the activation."""
        kind = type(self).__name__
        if self.activation is None:
            return kind
        value = self.activation
        name = value.activation if isinstance(value, Activation) else value
        return f"{kind}, {name if isinstance(name, str) else type(name).__name__}"

    def activation_layer(self) -> Layer | None:
        """Return the activation as a layer, or None; raise ValueError if it is invalid."""
        value = self.activation
        if isinstance(value, Activation | ParametricActivation):
            layer: Layer = value
        elif isinstance(value, str) and value in (*ACTIVATIONS, *OTHER_NAMES):
            layer = Activation(value)
        elif value is None:
            return None
        else:
            raise ValueError(
                f"activation={value!r} of {type(self).__name__} is not known; use None, one of "
                f"{', '.join(ACTIVATIONS)}, or a layer such as ParametricActivation('relu')."
            )
        layer.output_shape(())  # raises if the layer's own activation is unknown
        return layer

    def activate(self, builder: Builder, slot: int) -> int:
        """Append the activation of `slot`, if any; return the slot of the output."""
        layer = self.activation_layer()
        if layer is None:
            return slot
        if builder.clock(slot) is not None and layer.lengths == "refuses":
            raise ValueError(
                f"activation={layer!r} of {type(self).__name__} does not take sequences of unequal "
                "length; use the name of an activation."
            )
        return layer.lower(builder, slot)
