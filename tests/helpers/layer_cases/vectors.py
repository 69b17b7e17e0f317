"""One row for every layer of vectors, with its naive twin."""

from helpers.layer_cases.base import LayerCase, Plan, Tolerance
from helpers.layer_cases.custom_layers import Residual
from helpers.naive import vectors as naive
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    LayerNorm,
)
from sklearn_nn.layers.activation import ACTIVATIONS
from sklearn_nn.layers.base import ROW_GRAIN
from sklearn_nn.layers.quantiles import Quantiles

#: Widths of the vectors of every row.
WIDTHS = (1, 7, 16, 33)
PLAN = Plan(
    batches=(1, 5, 16, 37),
    training=(True, False),
    tolerance=Tolerance(parameter_unit="element"),
    part_batches=(1, ROW_GRAIN, 21, 37),
    row_batch=37,
    input_scale=2.0,
    nan_place=2,
)


def _row(name, layer, forward, backward, units=None, n_slots=1, widths=WIDTHS, **options):
    shapes = tuple((width,) for width in widths)
    return LayerCase(
        name, layer, shapes, forward, backward, PLAN, units=units, n_slots=n_slots, **options
    )


def dense(units):
    """Return a row for a dense layer of that width."""
    twin = (naive.dense_forward, naive.dense_backward)
    return _row(f"dense{units}", Dense(units), *twin, units)


def activated(units, name):
    """Return a row for a dense layer that ends in an activation."""
    value, backward = naive.elementwise_forward(name), naive.elementwise_backward(name)

    def forward(parameters, x, context):
        return value([], naive.dense_forward(parameters, x, context), context)

    def both_back(parameters, x, dy, context):
        dz, _ = backward([], naive.dense_forward(parameters, x, context), dy, context)
        return naive.dense_backward(parameters, x, dz, context)

    layer = Dense(units, activation=name)
    return _row(f"dense{units}_{name}", layer, forward, both_back, units, n_slots=2)


def dropout(rate):
    """Return a row for a dropout layer."""
    twin = (naive.dropout_forward(rate), naive.dropout_backward(rate))
    return _row(f"dropout{rate}", Dropout(rate), *twin, n_slots=int(rate > 0))


def activation(name):
    """Return a row for an activation."""
    if name == "softmax":
        twin = (naive.softmax_forward, naive.softmax_backward)
    else:
        twin = (naive.elementwise_forward(name), naive.elementwise_backward(name))
    return _row(name, Activation(name), *twin, n_slots=int(name != "identity"))


def noise(stddev):
    """Return a row for Gaussian noise."""
    twin = (naive.noise_forward(stddev), naive.noise_backward)
    return _row(f"noise{stddev}", GaussianNoise(stddev), *twin, n_slots=int(stddev > 0))


def batch_norm(epsilon=1e-5):
    """Return a row for batch normalisation."""
    twin = (naive.norm_forward(0, epsilon), naive.norm_backward(0, epsilon))
    layer = BatchNorm(epsilon=epsilon)
    return _row(f"batch_norm{epsilon}", layer, *twin, over_batch=True)


def layer_norm(epsilon=1e-5):
    """Return a row for layer normalisation."""
    twin = (naive.norm_forward(1, epsilon), naive.norm_backward(1, epsilon))
    return _row(f"layer_norm{epsilon}", LayerNorm(epsilon=epsilon), *twin, n_slots=2)


def quantiles(*levels):
    """Return a row for the layer that makes quantiles ascend."""
    twin = (naive.quantiles_forward(levels), naive.quantiles_backward(levels))
    n, name = len(levels), f"quantiles{levels}"
    return _row(name, Quantiles(levels), *twin, widths=(n, 2 * n, 7 * n))


RESIDUAL = _row("residual", Residual(), naive.residual_forward, naive.residual_backward)
#: Rows of `helpers.layer_cases.CASES`.
CASES = [
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
#: The same, of layers whose input has a multiple of some width.
GROUPED = [
    quantiles(0.05, 0.25, 0.5, 0.75, 0.95),
    quantiles(0.2, 0.3, 0.6, 0.99),
    quantiles(0.1, 0.9),
]
