"""Export of networks: the form of each layer in ONNX, and the walk over layers that applies them.

A layer is exported by the function that `form_of` registers for its class. The function gets the
exporter, the layer and its input, appends nodes and returns the output, as `Layer.lower` appends
instructions. Forms compute what kernels compute in prediction.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np

from sklearn_nn.estimators._core.fitted_network import FittedNetwork
from sklearn_nn.layers.activation import Activated, Activation
from sklearn_nn.layers.layer import Layer
from sklearn_nn.onnx.graph import GraphBuilder, Value

#: Appends the nodes of a layer, given exporter, layer and input; returns the output.
Form = Callable[["NetworkExporter", Any, Value], Value]
_FORMS: dict[type[Layer], Form] = {}
#: Modules that register forms, by family of layers.
_FAMILIES = ("vectors",)
_Function = TypeVar("_Function", bound=Form)


def form_of(*kinds: type[Layer]) -> Callable[[_Function], _Function]:
    """Register a function as the form of layers of these classes."""

    def register(form: _Function) -> _Function:
        _FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


def _find_form(layer: Layer) -> Form | None:
    """Return the form of a layer's class, or of the base whose lowering it has."""
    for family in _FAMILIES:
        importlib.import_module(f"sklearn_nn.onnx.{family}")
    for kind in type(layer).__mro__:
        if kind in _FORMS and type(layer).lower is kind.lower:
            return _FORMS[kind]
    return None


class NetworkExporter:
    """Exporter of the layers of one network to a graph.

    Parameters
    ----------
    graph : GraphBuilder
        Builder of the graph, of the network's dtype.
    network : FittedNetwork
        The network; `arrays` holds its parameters and memories by full name of the layer, and name.
    """

    def __init__(self, graph: GraphBuilder, network: FittedNetwork) -> None:
        self.graph = graph
        self.network = network
        self.layer = ""  # full name of the present layer, such as "residual1.conv2d2"
        self.arrays: dict[str, dict[str, np.ndarray]] = {}
        for place, view in zip(network.places, network.views(), strict=True):
            self.arrays.setdefault(place.layer, {})[place.name] = view

    def run(self, x: Value, layer: str | None = None) -> Value:
        """Append all layers and the link, or those up to a named one; return the output."""
        for name, entry in self.network.plan.layers:
            x = self.add(name, entry, x)
            if name == layer:
                return x
        if self.network.plan.link is not None:
            x = self.add("link", self.network.plan.link, x)
        return x

    def add(self, name: str, layer: Layer, x: Value) -> Value:
        """Append a layer, which may be within another one, and return its output."""
        form, outer = _find_form(layer), self.layer
        self.layer = f"{outer}.{name}" if outer else name
        if form is None:
            raise NotImplementedError(
                f"layer {self.layer!r}: {type(layer).__name__} has no form in ONNX; register one "
                "with sklearn_nn.onnx.network.form_of, or export a network without the layer."
            )
        with self.graph.scope(name):
            x = form(self, layer, x)
        self.layer = outer
        return x

    def array(self, name: str) -> np.ndarray:
        """Return a parameter or memory of the present layer."""
        return self.arrays[self.layer][name]

    def has(self, name: str) -> bool:
        """Return whether the present layer has a parameter or memory of this name."""
        return name in self.arrays.get(self.layer, {})

    def constant(self, name: str) -> str:
        """Return the constant of a parameter or memory of the present layer."""
        return self.graph.number(self.array(name), name)

    def activate(self, layer: Activated, x: Value) -> Value:
        """Append the activation of a layer, if it has one."""
        activation = layer.activation_layer()
        if activation is None:
            return x
        form = _find_form(activation)
        assert form is not None
        return form(self, activation, x)

    def apply(self, name: str, x: Value) -> Value:
        """Append the activation of a name."""
        activation = Activation(name)
        form = _find_form(activation)
        assert form is not None
        return form(self, activation, x)
