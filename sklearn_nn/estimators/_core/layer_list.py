"""Layers as a parameter: names, nested parameters, layers that are swapped or passed by."""

from __future__ import annotations

from typing import ClassVar

from sklearn_nn.estimators._core.rate_factors import PRETRAINED
from sklearn_nn.layers import Layer
from sklearn_nn.layers.names import is_named, repeated_name, with_names

#: In the place of a layer: nothing is done there.
PASSTHROUGH = "passthrough"


def named_layers(layers, parameter="layers"):
    """(name, layer) pairs of a list that may hold layers without a name.

    A layer without a name is called after its class, with a number: "dense1", "dense2".

    Raises
    ------
    ValueError
        If the list is none, holds something else, or a name twice.
    """
    if not isinstance(layers, list | tuple) or not layers:
        raise ValueError(
            f"{parameter}={layers!r} must be a list of layers, such as [Dense(64), Dropout(0.5)], "
            "or of (name, layer) pairs."
        )
    pairs = with_names(layers)
    for entry, (_, layer) in zip(layers, pairs, strict=True):
        if not isinstance(layer, Layer) and not (is_named(entry) and layer == PASSTHROUGH):
            raise ValueError(
                f"{parameter} holds {entry!r}; every entry is a layer or a (name, layer) pair, and "
                f"in a pair {PASSTHROUGH!r} may stand for a layer."
            )
    if (name := repeated_name(pairs)) is not None:
        raise ValueError(f"{parameter} has the name {name!r} more than once.")
    names = [name for name, _ in pairs]
    if bad := [name for name in names if "__" in name or name in ("output", PRETRAINED)]:
        raise ValueError(
            f"{parameter} has the name {bad[0]!r}; names hold no double underscore, 'output' is "
            f"the layer that the estimator adds, and {PRETRAINED!r} stands for layers that are "
            "copied."
        )
    return pairs


class LayerList:
    """Mixin of estimators with a list of layers as a parameter: its layers are parameters, too."""

    #: The name of that parameter.
    _layers_parameter: ClassVar[str] = "layers"

    def get_params(self, deep=True):
        """Get the parameters, and with `deep` those of each layer as well.

        Parameters
        ----------
        deep : bool, default=True
            Whether to include every layer under its name, and its parameters as
            ``name__parameter``.

        Returns
        -------
        params : dict of str to object
            Values by name.
        """
        params = super().get_params(deep=deep)
        if deep:
            for name, layer in self._named_or_none():
                params[name] = layer
                if layer != PASSTHROUGH:
                    nested = layer.get_params(deep=True)
                    params.update({f"{name}__{key}": value for key, value in nested.items()})
        return params

    def set_params(self, **params):
        """Set parameters.

        Parameters
        ----------
        **params : dict
            Parameters of the estimator; layers by name, each a layer or 'passthrough'; and their
            parameters, as ``name__parameter``.

        Returns
        -------
        self : object
            The estimator.
        """
        if self._layers_parameter in params:
            setattr(self, self._layers_parameter, params.pop(self._layers_parameter))
        pairs = self._named_or_none()
        own = super().get_params(deep=False)
        layers = {name: layer for name, layer in pairs if name not in own}
        for key in [key for key in params if key in layers]:
            layers[key] = params.pop(key)
            # A new list, with names for all: the one at hand may be another estimator's as well.
            renewed = [(name, layers.get(name, layer)) for name, layer in pairs]
            setattr(self, self._layers_parameter, renewed)
        for key in [key for key in params if key.partition("__")[0] in layers]:
            name, _, nested = key.partition("__")
            if layers[name] == PASSTHROUGH:
                raise ValueError(f"{key}: layer {name!r} is {PASSTHROUGH!r}; set a layer first.")
            layers[name].set_params(**{nested: params.pop(key)})
        for key in params:
            if key.partition("__")[0] not in own:
                raise ValueError(
                    f"Invalid parameter {key!r} for {type(self).__name__}. Its layers are "
                    f"{list(layers)}, its other parameters {sorted(own)}."
                )
        return super().set_params(**params)

    def _named(self):
        """(name, layer) pairs of the parameter."""
        pairs = named_layers(getattr(self, self._layers_parameter), self._layers_parameter)
        own = super().get_params(deep=False)
        if taken := [name for name, _ in pairs if name in own]:
            raise ValueError(
                f"{self._layers_parameter} has the name {taken[0]!r}, which is a parameter of "
                f"{type(self).__name__}; give the layer another."
            )
        return pairs

    def _named_or_none(self):
        """The named layers; none where the list is not valid, which is told when it is fitted."""
        try:
            return self._named()
        except ValueError:
            return []

    def _listed_layers(self):
        """(name, layer) pairs without those that are passed by."""
        return [(name, layer) for name, layer in self._named() if layer != PASSTHROUGH]
