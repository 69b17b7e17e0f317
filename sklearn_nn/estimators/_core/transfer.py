"""Layers that are copied from another network, frozen, or trained at other rates."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from numbers import Real
from typing import NamedTuple

import numpy as np

from sklearn_nn._hints import question
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators._core.parts import check_fits, warn
from sklearn_nn.layers.standardize import INPUT_SCALE
from sklearn_nn.training.checkpoint import foreign, layouts

#: The layer that estimators add, whose width depends on the target.
OUTPUT = "output"
#: Values of the argument `layers` of `from_pretrained` that select layers without naming them.
ALL, BODY = "all", "body"

#: How the weights of a network of another library are got, by a method that it has.
_REMEDIES = {
    "state_dict": "model.state_dict() with layout='torch'",
    "save_weights": "{w.path: w.numpy() for w in model.weights} with layout='keras'",
}


class Pretrained(NamedTuple):
    """Initial weights, copied from another network."""

    #: Class of the other estimator.
    source: str
    #: Layers that were selected by name.
    names: list[str] | None
    #: Read-only arrays by layer and name.
    arrays: dict[str, dict[str, np.ndarray]]
    #: Factor and offset that return its raw outputs to the units of its targets, or None.
    raw_units: np.ndarray | None
    #: Units of the samples that it was fitted on, or None if samples are rows; see `units_of`.
    units: dict[str, bool | float] | None


def is_outside(other, layout, names):
    """Return whether weights are given as a mapping of arrays, or a file of them.

    Raises TypeError with the remedy for a network of another library.
    """
    if _is_path(other):
        is_told = layout is not None or names is not None
        return foreign.holds_arrays(other, is_told=is_told)
    for method, remedy in _REMEDIES.items():
        if hasattr(other, method) and not hasattr(other, "from_pretrained"):
            raise TypeError(
                f"from_pretrained takes the weights of another library, but not its "
                f"{type(other).__name__}; pass {remedy}."
            )
    return isinstance(other, Mapping)


def _is_path(other):
    return isinstance(other, str | bytes | os.PathLike)


def _check_layout(layout, names):
    """Raise ValueError or TypeError for a layout that is unknown, or names that are not names."""
    if layout is not None and layout not in layouts.LAYOUTS:
        known = ", ".join(map(repr, layouts.LAYOUTS))
        raise ValueError(f"layout={layout!r} is unknown; use {known}, or None for this package's.")
    is_map = isinstance(names, Mapping)
    if names is not None and not (
        is_map and all(isinstance(n, str) for p in names.items() for n in p)
    ):
        raise TypeError(
            f"names={names!r} must be a dict of names of layers here and there, or None."
        )


def from_outside(estimator, other, layers, layout, names):
    """Return arrays from a mapping or a file as initial weights of an estimator with a network."""
    _check_layout(layout, names)
    if "_network" not in vars(estimator):
        raise ValueError(
            "Weights from outside are converted for the layers of a network, but there is none "
            "yet; call initialize(X, y) first, with some of the data."
        )
    is_map = isinstance(other, Mapping)
    given = _arrays(other) if is_map else foreign.read_arrays(other)
    network, selected = network_of(estimator), None
    if layers != ALL:
        names, selected = _of_layers(network, layers, layout, names)
    arrays = layouts.to_ours(network, given, layout, names)
    if layout is not None and any(place.layer == INPUT_SCALE for place in network.places):
        warn(
            "The network standardizes X before these weights, which other libraries do not: make "
            "it with scale_inputs=False if they are for X as it is."
        )
    for layer, own in arrays.items():
        for name, array in own.items():
            if array.dtype.kind not in "fiub":
                raise ValueError(
                    f"{name} of layer {layer!r} has dtype {array.dtype}; weights are numbers."
                )
            if not np.isfinite(array).all():
                raise ValueError(f"{name} of layer {layer!r} has values that are not finite.")
            check_fits(f"{name} of layer {layer!r}", array, network.dtype)
            own[name] = np.array(array, dtype=network.dtype, order="C")
            own[name].flags.writeable = False
    source = "mapping" if is_map else "file"
    return Pretrained(source, selected, arrays, _own_units(estimator), None)


def _of_layers(network, layers, layout, names):
    """Return the `names` of the layers that are selected, and the selection if it is by name."""
    if names is None:
        own = dict.fromkeys(place.layer for place in network.places)
        names = {layer: layer for layer in own if layout is None or layer != INPUT_SCALE}
    if layers == BODY:
        return {layer: theirs for layer, theirs in names.items() if layer != OUTPUT}, None
    selected = as_names(layers, "layers")
    check_known(selected, list(names), "The network, or names,")
    inside = [layer for layer in names if any(is_within(layer, name) for name in selected)]
    return {layer: names[layer] for layer in inside}, selected


def _arrays(given):
    """Return a mapping with its values as arrays, or raise an error that names one that is none."""
    if nested := [name for name, item in given.items() if isinstance(item, Mapping)]:
        raise ValueError(
            f"The mapping has dictionaries in it, {nested}; pass the one that holds the arrays, "
            f"such as weights[{nested[0]!r}]."
        )
    arrays = {}
    for name, value in given.items():
        if not isinstance(name, str):
            raise TypeError(f"The mapping has the key {name!r}; its keys are names of arrays.")
        try:
            arrays[name] = _as_array(value)
        except Exception as error:  # tensors of other libraries raise any kind
            raise ValueError(
                f"The value of {name!r}, of type {type(value).__name__}, cannot be read as an "
                f"array ({error}); pass NumPy arrays."
            ) from error
    return arrays


def _as_array(value):
    """Return numbers as an array.

    A tensor of torch may record gradients, or be of a type that NumPy does not have.
    """
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        value = value.float() if str(value.dtype) == "torch.bfloat16" else value
    return np.asarray(value)


def _own_units(estimator):
    """Return the `raw_units` of a network whose raw outputs are in the units of its targets."""
    units = estimator._codec.raw_units
    return None if units is None else np.stack([np.ones_like(units[0]), np.zeros_like(units[1])])


def save_weights(estimator, path, layout, names):
    """Write the arrays of a network to a file: see `BaseNetwork.save_weights`."""
    _check_layout(layout, names)
    network = network_of(estimator).copy()
    before, after = estimator._codec.raw_units, _own_units(estimator)
    views = {place[:2]: v for place, v in zip(network.places, network.views(), strict=True)}
    outputs = {name: view for (layer, name), view in views.items() if layer == OUTPUT}
    for name, array in _in_units(outputs, before, after).items():
        outputs[name][...] = array
    if layout is not None and any(layer == INPUT_SCALE for layer, _ in views):
        warn(
            "The network standardizes X, and the file does not hold by what: pass the network "
            "there X scaled by the mean and deviation in layers_['input_scale'], or train with "
            "scale_inputs=False."
        )
    numbered = os.fsdecode(path).lower().endswith(".h5")
    foreign.write_arrays(path, layouts.to_theirs(network, layout, names, numbered=numbered))


def pretrained(other, layers, load):
    """Return copies of a network's arrays; `load` is a function that loads a path."""
    from sklearn_nn.inspection._fitted import fitted_network

    estimator = (
        load(other)
        if _is_path(other)
        else fitted_network(other)
        if hasattr(other, "fit")
        else other
    )
    if not hasattr(estimator, "from_pretrained"):
        raise TypeError(
            f"from_pretrained copies from networks of sklearn_nn, not from "
            f"{type(estimator).__name__}; pass one, its file, or arrays by name."
        )
    network, names, arrays = network_of(estimator), None, {}
    for place, view in zip(network.places, network.views(), strict=True):
        array = view.copy()
        array.flags.writeable = False
        arrays.setdefault(place.layer, {})[place.name] = array
    if layers == BODY:
        arrays.pop(OUTPUT, None)
    elif layers != ALL:
        names = as_names(layers, "layers")
        known = [line.name for line in network.outline]
        check_known(names, known, f"The {type(estimator).__name__} to copy from")
        names_and_scale = [*names, INPUT_SCALE]  # the layers have learnt scaled inputs
        arrays = {
            layer: own
            for layer, own in arrays.items()
            if any(is_within(layer, name) for name in names_and_scale)
        }
    reader, codec = estimator._reader, estimator._codec
    units = reader.units if reader.divisor != 1 else None
    return Pretrained(type(estimator).__name__, names, arrays, codec.raw_units, units)


def _shapes(arrays):
    """Return the text of shapes by name, for an error."""
    return ", ".join(f"{name} {tuple(array.shape)}" for name, array in sorted(arrays.items()))


def _fits(own, arrays):
    """Return whether parameters of a layer have the shapes of the arrays of another."""
    return {n: p.shape for n, p in own.items()} == {n: a.shape for n, a in arrays.items()}


def _instead(start, fitting):
    """Return the end of an error's sentence: what else may be done with layers that fit."""
    others = [layer for layer in fitting if layer != INPUT_SCALE]
    told = f", or copy those that fit: from_pretrained(..., layers={others})"
    told = told if others else "; no layer fits as it is"
    if start.source == "TextGenerator":
        told = f" (for a text of other characters, by vocabulary=other.vocabulary_){told}"
    return told


def copied_layers(program, start):
    """Return the names of a program's copied layers; raise ValueError for none or other shapes."""
    if start.names is not None:
        check_known(start.names, [line.name for line in program.outline], "The network to copy to")
    owned = {}
    for layer in start.arrays:
        places = {**program.layers.get(layer, {}), **program.memories.get(layer, {})}
        owned[layer] = {name: placed.parameter for name, placed in places.items()}
    copied = [layer for layer, own in owned.items() if _fits(own, start.arrays[layer])]
    for layer, arrays in start.arrays.items():
        own = owned[layer]
        if layer in copied:
            continue
        if layer == INPUT_SCALE:
            if not own:
                warn(
                    f"The {start.source} to copy from standardizes X, but this network does not: "
                    "pass X scaled by the mean and deviation in layers_['input_scale'] of the "
                    "former, or use scale_inputs='auto'."
                )
        elif start.names is not None or (own and layer != OUTPUT):
            raise ValueError(
                f"layer {layer!r} has {_shapes(arrays)} in the {start.source} to copy from, "
                f"but {_shapes(own) or 'no arrays'} here; make the two layers and what they "
                f"read equal{_instead(start, copied)}."
            )
    if not set(copied) - {INPUT_SCALE}:
        raise ValueError(
            f"No layer is copied: the {start.source} to copy from has arrays in "
            f"{list(start.arrays)}, the network here in {list(program.layers)}; "
            "give layers that are to be copied equal names."
        )
    return copied


def copy_into(network, start, codec):
    """Copy the selected arrays of another network into parameters and memories.

    The output layer is rescaled if targets are scaled otherwise, so that predictions are equal.
    """
    program = network.program
    for layer in copied_layers(program, start):
        arrays = start.arrays[layer]
        if layer == OUTPUT:
            arrays = _in_units(arrays, start.raw_units, codec.raw_units)
        for name, array in arrays.items():
            check_fits(f"{name} of layer {layer!r}", array, program.dtype)
        for places, buffer in ((program.layers, network.theta), (program.memories, network.state)):
            for name, placed in places.get(layer, {}).items():
                placed.view(buffer)[...] = arrays[name]
    program.check_state(network.state)


def _in_units(arrays, before, after):
    """Return the arrays of an output layer for raw outputs in other units; see `raw_units`."""
    if before is None or after is None or np.array_equal(before, after):
        return arrays
    (factor, offset), (new_factor, new_offset) = before, after
    ratio, shift = factor / new_factor, (offset - new_offset) / new_factor
    changed = {"kernel": arrays["kernel"] * ratio, "bias": arrays["bias"] * ratio + shift}
    return {**arrays, **changed}


#: Name that stands for all layers that `from_pretrained` copies.
PRETRAINED = "pretrained"


def is_within(layer, name):
    """Return whether a layer has this name, or lies within a layer of this name."""
    return layer == name or layer.startswith(f"{name}.")


def as_names(names, parameter):
    """Return names as a list; raise TypeError if one is not a string."""
    listed = [names] if isinstance(names, str) else names
    is_list = isinstance(listed, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{parameter}={names!r} must be the name of a layer, or a list of names.")
    return list(listed)


def check_known(names, layers, what):
    """Raise ValueError if a name is not that of a layer."""
    for name in names:
        if not any(is_within(layer, name) for layer in layers):
            raise ValueError(
                f"{what} has no layer {name!r}; its layers are {', '.join(map(repr, layers))}."
                f"{question(name, layers)}"
            )


def check_factors(factors):
    """Raise ValueError unless the factors are a dict of names and numbers >= 0."""
    for name, factor in factors.items():
        is_factor = isinstance(factor, Real) and math.isfinite(factor) and factor >= 0
        if not isinstance(name, str) or not is_factor:
            raise ValueError(
                f"learning_rate_factors={factors!r} holds {name!r}: {factor!r}; it maps names of "
                "layers to factors >= 0, of which 0 freezes a layer and 1 changes nothing."
            )


def resolve(factors, layers, copied):
    """Return the factor of each layer that has one; raise ValueError if one is invalid.

    `copied` are the layers that "pretrained" stands for.
    """
    check_factors(factors)
    check_known([name for name in factors if name != PRETRAINED], layers, "The network")
    if PRETRAINED in factors and not copied:
        raise ValueError(
            f"learning_rate_factors has {PRETRAINED!r}, which stands for the layers that "
            "from_pretrained copies; call from_pretrained first, or name layers."
        )
    found = {layer: factor_of(factors, layer, copied) for layer in layers}
    return {layer: factor for layer, factor in found.items() if factor is not None}


def factor_of(factors, layer, copied):
    """Return the factor of one layer, or None."""
    names = [name for name in factors if is_within(layer, name)]
    if names:
        return float(factors[max(names, key=len)])
    return float(factors[PRETRAINED]) if PRETRAINED in factors and layer in copied else None


def frozen(factors, names, copied):
    """Return the factors with 0 for the named layers; `copied` are those that were pretrained."""
    covered = [*names, *copied] if PRETRAINED in names else names
    given = (factors or {}).items()
    rest = {key: f for key, f in given if not any(is_within(key, name) for name in covered)}
    return {**rest, **dict.fromkeys(names, 0.0)}


def thawed(factors, names):
    """Return the factors without zeros, of the named layers if any are named, else of all."""
    rest = {
        key: factor
        for key, factor in (factors or {}).items()
        if factor != 0 or (names and not any(is_within(key, name) for name in names))
    }
    for name in names or ():
        # The name lies within a layer that stays frozen, or is among the copied layers that do.
        if name != PRETRAINED and factor_of(rest, name, (name,)) == 0:
            rest[name] = 1.0
    return rest or None


def check_frozen_or_not(program, factors):
    """Raise ValueError if there are factors other than 0 and 1, for L-BFGS, which has no steps."""
    if np.isin(program.groups()[1][:, 0], (0, 1)).all():
        return
    if not all(factor in (0, 1) for factor in (factors or {}).values()):
        raise ValueError(
            f"learning_rate_factors={factors} acts on steps of a first-order solver; use "
            "solver='adam', for example, or only factors of 0 and 1 with solver='lbfgs'."
        )
    for layer, arrays in program.layers.items():
        for name, placed in arrays.items():
            if placed.parameter.rate not in (0, 1):
                raise ValueError(
                    f"layer {layer!r} learns its {name} at {placed.parameter.rate:g} times the "
                    "learning rate, but solver='lbfgs' has none; use solver='adam', say, or "
                    "set the layer's factors on the rate (such as rate_factor) to 1."
                )


def hold_frozen(estimator, program, history):
    """Copy the frozen arrays into every state that training may continue from or return to."""
    parameters = [placed for placed in program.parameters if placed.parameter.rate == 0]
    memories = [p for name in program.frozen for p in program.memories.get(name, {}).values()]
    descent, network = estimator._optimizer, estimator._network

    def held(theta, state):
        found = theta.copy(), state.copy()
        for placed in parameters:
            placed.view(found[0])[...] = placed.view(network.theta)
        for placed in memories:
            placed.view(found[1])[...] = placed.view(network.state)
        return found

    if descent.average is not None and descent.raw is not None:
        # Users see the average, which is constant like its parameter.
        descent.raw = held(descent.raw, network.state)[0]
    if history.last is not None:
        history.last = held(*history.last)
    if history.best_theta is not None:
        best = history.best_theta, history.best_state
        if not all(map(np.array_equal, held(*best), best)):
            history.forget_best()
