"""A learnt factor for every input."""

from __future__ import annotations

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel
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
from sklearn_nn.layers.normalization.layer_norm import CHANNEL_GRAIN
from sklearn_nn.layers.vectors import clear


@kernel(FORWARD)
def scale_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = theta x, column by column. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    n = x.shape[1]
    for i in range(lo, hi):
        source, target = vector(x, i * n, n), vector(y, i * n, n)
        for j in range(n):
            target[j] = theta[j] * source[j]


@kernel(BACKWARD)
def scale_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = theta dy. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    n = dx.shape[1]
    for i in range(lo, hi):
        given, target = vector(dy, i * n, n), vector(dx, i * n, n)
        for j in range(n):
            target[j] = theta[j] * given[j]


@kernel(BACKWARD)
def scale_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dtheta = sum of dy x over the batch. Owners: columns."""
    n = x.shape[1]
    lo, hi = share(n, part, parts, CHANNEL_GRAIN)
    found = vector(grad, lo, hi - lo)
    clear(found)
    for i in range(x.shape[0]):
        source, given = vector(x, i * n + lo, hi - lo), vector(dy, i * n + lo, hi - lo)
        for j in range(found.size):
            found[j] = fma(given[j], source[j], found[j])


def lower_scale(builder: Builder, slot: int, parameter: Parameter) -> int:
    """Append ``y = theta x``; `parameter`, theta, has the shape of a sample."""
    out = builder.slot(builder.shape(slot))
    builder.instruction(
        slot,
        out,
        forward=scale_forward,
        backward=scale_backward,
        weights=scale_weights,
        parameters=[parameter],
        keeps="x",
    )
    return out


class ScaleFeatures(Layer):
    """Multiply every input by a factor of its own, which is learnt and starts at 1.

    With a high rate, features that do not help are soon made small (Holzmüller et al., 2024). Its
    parameter is called scale.

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
    """

    def __init__(self, *, rate_factor: float = 6.0, decay_factor: float = 1.0) -> None:
        self.rate_factor = rate_factor
        self.decay_factor = decay_factor

    def output_shape(self, shape: Shape) -> Shape:
        """The shape stays."""
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameter is scale, of the shape of a sample."""
        shape = builder.shape(slot)
        factors = {"rate": self.rate_factor, "decay": self.decay_factor}
        return lower_scale(builder, slot, Parameter("scale", shape, "ones", 1, 1, **factors))
