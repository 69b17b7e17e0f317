"""One row for every layer of vectors, with its naive twin."""

from collections.abc import Callable
from dataclasses import dataclass

from helpers.custom_layers import Residual
from helpers.naive import vectors as naive
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    LayerNorm,
)
from sklearn_nn.layers.activation import ACTIVATIONS


@dataclass(frozen=True)
class LayerCase:
    """A layer and its twin.

    Attributes
    ----------
    units : int or None
        Width of the output; None is the input's.
    n_slots : int
        How many slots it makes.
    over_batch : bool
        Whether, in training, a row's output depends on the rows beside it.
    """

    name: str
    layer: Layer
    forward: Callable
    backward: Callable
    units: int | None = None
    n_slots: int = 1
    over_batch: bool = False


def dense(units):
    """A row for a dense layer; its width is part of it."""
    twin = (naive.dense_forward, naive.dense_backward)
    return LayerCase(f"dense{units}", Dense(units), *twin, units)


def activated(units, name):
    """A row for a dense layer that ends in an activation."""
    value, backward = naive.elementwise_forward(name), naive.elementwise_backward(name)

    def forward(parameters, x, context):
        return value([], naive.dense_forward(parameters, x, context), context)

    def both_back(parameters, x, dy, context):
        dz, _ = backward([], naive.dense_forward(parameters, x, context), dy, context)
        return naive.dense_backward(parameters, x, dz, context)

    layer = Dense(units, activation=name)
    return LayerCase(f"dense{units}_{name}", layer, forward, both_back, units, n_slots=2)


def dropout(rate):
    """A row for a dropout layer."""
    twin = (naive.dropout_forward(rate), naive.dropout_backward(rate))
    return LayerCase(f"dropout{rate}", Dropout(rate), *twin, n_slots=int(rate > 0))


def activation(name):
    """A row for an activation."""
    if name == "softmax":
        twin = (naive.softmax_forward, naive.softmax_backward)
    else:
        twin = (naive.elementwise_forward(name), naive.elementwise_backward(name))
    return LayerCase(name, Activation(name), *twin, n_slots=int(name != "identity"))


def noise(stddev):
    """A row for Gaussian noise."""
    twin = (naive.noise_forward(stddev), naive.noise_backward)
    return LayerCase(f"noise{stddev}", GaussianNoise(stddev), *twin, n_slots=int(stddev > 0))


def batch_norm(epsilon=1e-5):
    """A row for batch normalisation."""
    twin = (naive.norm_forward(0, epsilon), naive.norm_backward(0, epsilon))
    layer = BatchNorm(epsilon=epsilon)
    return LayerCase(f"batch_norm{epsilon}", layer, *twin, over_batch=True)


def layer_norm(epsilon=1e-5):
    """A row for layer normalisation."""
    twin = (naive.norm_forward(1, epsilon), naive.norm_backward(1, epsilon))
    return LayerCase(f"layer_norm{epsilon}", LayerNorm(epsilon=epsilon), *twin, n_slots=2)


RESIDUAL = LayerCase("residual", Residual(), naive.residual_forward, naive.residual_backward)
LAYERS = [
    dense(5),
    dense(1),
    activated(4, "tanh"),
    activated(3, "gelu"),
    dropout(0.4),
    noise(0.7),
    batch_norm(),
    batch_norm(0.5),
    layer_norm(),
    layer_norm(0.5),
    *(activation(name) for name in ACTIVATIONS),
]
