"""Lists of layers, made from plain parameters of estimators."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn_nn.layers import Activation, BatchNorm, Dense, Dropout, Flatten
from sklearn_nn.network.initializers import GlorotUniform


def check_sizes(name, sizes):
    """Return numbers of units as a list; raise ValueError unless all are positive integers."""
    sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
    if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
        raise ValueError(f"{name} must be > 0, got {sizes}; pass whole numbers.")
    return [int(size) for size in sizes]


def dropout_rates(rate, n_layers):
    """Return the dropout rate of each layer; raise ValueError if they are invalid or too few."""
    if isinstance(rate, Real):
        return [float(rate)] * n_layers
    rates = list(rate)
    if len(rates) != n_layers or not all(isinstance(r, Real) and 0 <= r < 1 for r in rates):
        raise ValueError(
            f"dropout={rate!r} must be one rate in [0, 1), or one for each of the {n_layers} "
            "hidden layers."
        )
    return rates


def draws(estimator):
    """Return the initializers of weights and of biases."""
    # Glorot's scale for logistic units, and biases drawn like weights: as scikit-learn does.
    own = GlorotUniform(2.0 if estimator.activation == "logistic" else 6.0)
    return [
        own if isinstance(name, str) and name == "glorot_uniform" else name
        for name in (estimator.weight_init, estimator.bias_init)
    ]


def hidden_layers(estimator, n_before=0):
    """Return dense layers with their norm, activation and dropout.

    `n_before` other layers, which have rates of dropout too, stand before them.
    """
    kernel, bias = draws(estimator)
    sizes = check_sizes("hidden_layer_sizes", estimator.hidden_layer_sizes)
    rates, layers = dropout_rates(estimator.dropout, n_before + len(sizes))[n_before:], []
    for i, (units, rate) in enumerate(zip(sizes, rates, strict=True), 1):
        dense = Dense(units, kernel_initializer=kernel, bias_initializer=bias)
        layers.append((f"dense{i}", dense))
        if getattr(estimator, "batch_norm", False):
            layers.append((f"batchnorm{i}", BatchNorm()))
        layers.append((f"activation{i}", Activation(estimator.activation)))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate)))
    return layers


def with_output(layers, shape, n_outputs):
    """Return the layers, a Flatten if samples are not vectors by then, and the output layer.

    `shape` is that of one sample.
    """
    for name, layer in layers:
        try:
            shape = layer.output_shape(shape)
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from error
    flatten = [("flatten", Flatten())] if len(shape) > 1 else []
    return [*layers, *flatten, ("output", Dense(n_outputs))]
