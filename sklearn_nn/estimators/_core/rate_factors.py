"""Factors on the learning rates of layers, by name; a factor of 0 freezes a layer.

A name stands for a layer and for all layers within it: "residual1" for "residual1.conv2d2" too.
Where several names apply, the longest counts.
"""

from __future__ import annotations

import math
from numbers import Real

#: In the place of a layer's name: all layers that `from_pretrained` copies.
PRETRAINED = "pretrained"


def is_within(layer, name):
    """Whether a layer is the one of that name, or lies within it."""
    return layer == name or layer.startswith(f"{name}.")


def as_names(names, parameter):
    """Names as a list of strings; a TypeError if there is something else in it."""
    listed = [names] if isinstance(names, str) else names
    is_list = isinstance(listed, list | tuple | set | frozenset)
    if not is_list or not all(isinstance(name, str) for name in listed):
        raise TypeError(f"{parameter}={names!r} must be the name of a layer, or a list of names.")
    return list(listed)


def check_known(names, layers, what):
    """Raise a ValueError if a name is neither that of a layer nor of what holds some."""
    for name in names:
        if not any(is_within(layer, name) for layer in layers):
            raise ValueError(
                f"{what} has no layer {name!r}; its layers are {', '.join(map(repr, layers))}."
            )


def check_factors(factors):
    """Raise a ValueError if the factors are no dict of names and numbers >= 0."""
    for name, factor in factors.items():
        is_factor = isinstance(factor, Real) and math.isfinite(factor) and factor >= 0
        if not isinstance(name, str) or not is_factor:
            raise ValueError(
                f"learning_rate_factors={factors!r} holds {name!r}: {factor!r}; it maps names of "
                "layers to factors >= 0, of which 0 freezes a layer and 1 changes nothing."
            )


def resolve(factors, layers, copied):
    """The factor of each layer that has one.

    Parameters
    ----------
    factors : dict of str to float
        As the user gives them.
    layers : list of str
        Full names of all layers.
    copied : collection of str
        Those that "pretrained" stands for.

    Returns
    -------
    rates : dict of str to float

    Raises
    ------
    ValueError
        If a factor is none, or a name that of no layer.
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
    """The factor of one layer, or None."""
    names = [name for name in factors if is_within(layer, name)]
    if names:
        return float(factors[max(names, key=len)])
    return float(factors[PRETRAINED]) if PRETRAINED in factors and layer in copied else None


def frozen(factors, names, copied):
    """The factors with those of some layers, and of all within them, at 0.

    `copied` is what "pretrained" may stand for.
    """
    covered = [*names, *copied] if PRETRAINED in names else names
    rest = {
        key: factor
        for key, factor in (factors or {}).items()
        if not any(is_within(key, name) for name in covered)
    }
    return {**rest, **dict.fromkeys(names, 0.0)}


def thawed(factors, names):
    """The factors without zeros for some layers and all within them; without names, for any.

    Returns
    -------
    factors : dict of str to float, or None where none is left
    """
    factors = factors or {}
    if not names:
        rest = {key: factor for key, factor in factors.items() if factor != 0}
        return rest or None
    rest = {
        key: factor
        for key, factor in factors.items()
        if factor != 0 or not any(is_within(key, name) for name in names)
    }
    for name in names:
        # Of a layer within one that stays frozen, or copied with others that do.
        if name != PRETRAINED and factor_of(rest, name, (name,)) == 0:
            rest[name] = 1.0
    return rest or None
