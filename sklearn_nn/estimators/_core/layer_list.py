"""Lists of layers as a parameter of estimators: names and nested parameters."""

from __future__ import annotations

import copy

from sklearn_nn._hints import about_class
from sklearn_nn.estimators._core.transfer import PRETRAINED
from sklearn_nn.layers import Layer
from sklearn_nn.layers.layer import is_named, repeated_name, with_names
from sklearn_nn.layers.standardize import INPUT_SCALE

#: Names that layers in a list cannot have.
_RESERVED = ("output", INPUT_SCALE, PRETRAINED)
#: Value in place of a layer that is skipped.
PASSTHROUGH = "passthrough"


def as_list(layers):
    """Return a single layer as a list of one, and anything else unchanged."""
    return [layers] if isinstance(layers, Layer) else layers


def named_layers(layers, parameter="layers"):
    """Return (name, layer) pairs of a list of layers; raise ValueError if it is invalid.

    Layers without a name are named by class and number: "dense1", "dense2".
    """
    layers = as_list(layers)
    if not isinstance(layers, list | tuple) or not layers:
        raise ValueError(
            f"{parameter}={layers!r} must be a list of layers, such as [Dense(64), Dropout(0.5)], "
            "or of (name, layer) pairs."
        )
    pairs = with_names(layers)
    for entry, (_, layer) in zip(layers, pairs, strict=True):
        if not isinstance(layer, Layer) and not (is_named(entry) and layer == PASSTHROUGH):
            raise ValueError(
                f"{parameter} holds {entry!r}; every entry is a layer or a (name, layer) pair, "
                f"in which {PASSTHROUGH!r} may replace the layer.{about_class(layer)}"
            )
    if (name := repeated_name(pairs)) is not None:
        raise ValueError(f"{parameter} has the name {name!r} more than once.")
    names = [name for name, _ in pairs]
    if bad := [name for name in names if "__" in name or name in _RESERVED]:
        raise ValueError(
            f"{parameter} has the name {bad[0]!r}; names must not contain a double underscore, nor "
            f"be 'output' or {INPUT_SCALE!r}, layers that the estimator adds, or {PRETRAINED!r}, "
            "which stands for layers that are copied."
        )
    return pairs


def nested_parameters(estimator):
    """Return the layers of an estimator by name, and their parameters as ``name__parameter``."""
    params = {}
    for name, layer in named_or_none(estimator):
        params[name] = layer
        if layer != PASSTHROUGH:
            nested = layer.get_params(deep=True)
            params.update({f"{name}__{key}": value for key, value in nested.items()})
    return params


def set_nested(estimator, params):
    """Set the list of layers, single layers and their parameters; return the other parameters."""
    parameter, params = estimator._layers_parameter, dict(params)
    if parameter in params:
        setattr(estimator, parameter, params.pop(parameter))
    pairs, own = named_or_none(estimator), estimator.get_params(deep=False)
    layers = {name: layer for name, layer in pairs if name not in own}
    for key in [key for key in params if key in layers]:
        layers[key] = params.pop(key)
        # A new list, because estimators may share the old one.
        setattr(estimator, parameter, [(name, layers.get(name, layer)) for name, layer in pairs])
    for key in [key for key in params if key.partition("__")[0] in layers]:
        name, _, nested = key.partition("__")
        if layers[name] == PASSTHROUGH:
            raise ValueError(f"{key}: layer {name!r} is {PASSTHROUGH!r}; set a layer first.")
        layers[name].set_params(**{nested: params.pop(key)})
    for key in params:
        if key.partition("__")[0] not in own:
            raise ValueError(
                f"Invalid parameter {key!r} for {type(estimator).__name__}. Its layers are "
                f"{list(layers)}, its other parameters {sorted(own)}."
            )
    return params


def _named(estimator):
    """Return (name, layer) pairs of the parameter; raise ValueError if it is invalid."""
    parameter = estimator._layers_parameter
    pairs = named_layers(getattr(estimator, parameter), parameter)
    own = estimator.get_params(deep=False)
    if taken := [name for name, _ in pairs if name in own]:
        raise ValueError(
            f"{parameter} has the name {taken[0]!r}, which is a parameter of "
            f"{type(estimator).__name__}; give the layer another."
        )
    return pairs


def named_or_none(estimator):
    """Return the named layers, or none if the list is invalid: `fit` raises the error."""
    try:
        return _named(estimator)
    except ValueError:
        return []


def has_layers(estimator):
    """Return whether an estimator has a list of layers, which is valid."""
    return estimator._layers_parameter is not None and bool(named_or_none(estimator))


def listed_layers(estimator):
    """Return copies of the named layers, without those that are skipped."""
    return [(name, copy.deepcopy(x)) for name, x in _named(estimator) if x != PASSTHROUGH]
