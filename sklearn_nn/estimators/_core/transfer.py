"""Transfer learning: arrays of one network, copied into another."""

from __future__ import annotations

import os
from typing import NamedTuple

from sklearn_nn.estimators._core.rate_factors import as_names, check_known, is_within
from sklearn_nn.estimators._core.weights import network_of
from sklearn_nn.estimators._inputs.encoding import check_fits

#: The layer that estimators add, whose width depends on the target.
OUTPUT = "output"
#: Values of `layers` of `from_pretrained` that are no names.
ALL, BODY = "all", "body"


class Pretrained(NamedTuple):
    """Arrays of another network, to begin with.

    Attributes
    ----------
    source : str
        Class of the other estimator.
    names : list of str or None
        Layers that were asked for by name.
    arrays : dict of str to dict of str to ndarray
        Read-only arrays by layer and name.
    """

    source: str
    names: list[str] | None
    arrays: dict


def pretrained(other, layers, load):
    """Return copies of the arrays of another network, as `from_pretrained` takes them.

    `load` is a function that loads an estimator from a path.
    """
    from sklearn_nn.inspection._fitted import fitted_network

    estimator = load(other) if isinstance(other, str | os.PathLike) else fitted_network(other)
    if not hasattr(estimator, "from_pretrained"):
        raise TypeError(
            f"from_pretrained copies from networks of sklearn_nn, not from "
            f"{type(estimator).__name__}; pass one, or the path of a saved one."
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
        arrays = {
            layer: own
            for layer, own in arrays.items()
            if any(is_within(layer, name) for name in names)
        }
    return Pretrained(type(estimator).__name__, names, arrays)


def _shapes(arrays):
    """Return shapes by name, as an error says them."""
    return ", ".join(f"{name} {tuple(array.shape)}" for name, array in sorted(arrays.items()))


def copied_layers(program, start):
    """Return the names of the layers of a program that are copied.

    Raises
    ------
    ValueError
        If there are none, or a layer does not have the shapes of the one it is copied from.
    """
    if start is None:
        return []
    if start.names is not None:
        check_known(start.names, [line.name for line in program.outline], "The network to copy to")
    copied = []
    for layer, arrays in start.arrays.items():
        places = {**program.layers.get(layer, {}), **program.memories.get(layer, {})}
        own = {name: placed.parameter for name, placed in places.items()}
        if {n: p.shape for n, p in own.items()} == {n: a.shape for n, a in arrays.items()}:
            copied.append(layer)
        elif start.names is not None or (own and layer != OUTPUT):
            others = [name for name in start.arrays if name != layer]
            raise ValueError(
                f"layer {layer!r} has {_shapes(arrays)} in the {start.source} to copy from, "
                f"but {_shapes(own) or 'no arrays'} here; make the two layers and what they "
                f"read equal, or leave it out: from_pretrained(..., layers={others})."
            )
    if not copied:
        raise ValueError(
            f"No layer is copied: the {start.source} to copy from has arrays in "
            f"{list(start.arrays)}, the network here in {list(program.layers)}; "
            "call layers by equal names."
        )
    return copied


def copy_into(program, start, theta, state):
    """Copy arrays of another network into weights, where that was asked for."""
    for layer in copied_layers(program, start):
        for name, array in start.arrays[layer].items():
            check_fits(f"{name} of layer {layer!r}", array, program.dtype)
        for places, buffer in ((program.layers, theta), (program.memories, state)):
            for name, placed in places.get(layer, {}).items():
                placed.view(buffer)[...] = start.arrays[layer][name]
    program.check_state(state)
