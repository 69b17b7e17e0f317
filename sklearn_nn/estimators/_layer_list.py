"""`layers` as a parameter: names, nested parameters, layers that are swapped or passed by."""

from __future__ import annotations

from sklearn_nn.layers import Layer
from sklearn_nn.layers.names import is_named, repeated_name, with_names

#: In the place of a layer: nothing is done there.
PASSTHROUGH = "passthrough"


def named_layers(layers):
    """(name, layer) pairs of a list that may hold layers without a name.

    A layer without a name is called after its class, with a number: "dense1", "dense2".

    Raises
    ------
    ValueError
        If the list is none, holds something else, or a name twice.
    """
    if not isinstance(layers, list | tuple) or not layers:
        raise ValueError(
            f"layers={layers!r} must be a list of layers, such as [Dense(64), Dropout(0.5)], or of "
            "(name, layer) pairs."
        )
    pairs = with_names(layers)
    for entry, (_, layer) in zip(layers, pairs, strict=True):
        if not isinstance(layer, Layer) and not (is_named(entry) and layer == PASSTHROUGH):
            raise ValueError(
                f"layers holds {entry!r}; every entry is a layer or a (name, layer) pair, and in a "
                f"pair {PASSTHROUGH!r} may stand for a layer."
            )
    if (name := repeated_name(pairs)) is not None:
        raise ValueError(f"layers has the name {name!r} more than once.")
    names = [name for name, _ in pairs]
    if bad := [name for name in names if "__" in name or name == "output"]:
        raise ValueError(
            f"layers has the name {bad[0]!r}; names hold no double underscore, and 'output' is the "
            "layer that the estimator adds."
        )
    return pairs


class LayerList:
    """Mixin of estimators with a parameter `layers`: its layers are parameters, too."""

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
        if "layers" in params:
            self.layers = params.pop("layers")
        pairs = self._named_or_none()
        own = super().get_params(deep=False)
        layers = {name: layer for name, layer in pairs if name not in own}
        for key in [key for key in params if key in layers]:
            layers[key] = params.pop(key)
            # A new list, with names for all: the one at hand may be another estimator's as well.
            self.layers = [(name, layers.get(name, layer)) for name, layer in pairs]
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

    def _named_or_none(self):
        """The named layers; none where the list is not valid, which is told when it is fitted."""
        try:
            return named_layers(self.layers)
        except ValueError:
            return []

    def _listed_layers(self):
        """(name, layer) pairs without those that are passed by."""
        return [(name, layer) for name, layer in named_layers(self.layers) if layer != PASSTHROUGH]
