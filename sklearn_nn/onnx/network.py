"""Export of networks: the form of each layer in ONNX, and the walk over layers that applies them.

A layer is exported by the function that `form_of` registers for its class. The function gets the
exporter, the layer and its input, appends nodes and returns the output, as `Layer.lower` appends
instructions. Forms compute what kernels compute in prediction.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from types import FunctionType
from typing import Any, TypeVar

import numpy as np

from sklearn_nn.estimators._core.fitted_network import FittedNetwork
from sklearn_nn.layers.activation import Activated
from sklearn_nn.layers.layer import Layer
from sklearn_nn.layers.tabular.members import MeanOverMembers
from sklearn_nn.network.lowering import POOLING, Features
from sklearn_nn.onnx.graph import GraphBuilder, Value

#: Appends the nodes of a layer, given exporter, layer and input; returns the output.
Form = Callable[["NetworkExporter", Any, Value], Value]
_FORMS: dict[type[Layer], Form] = {}
_METHODS = (FunctionType, property, classmethod, staticmethod)
_Function = TypeVar("_Function", bound=Form)


def form_of(*kinds: type[Layer]) -> Callable[[_Function], _Function]:
    """Register a function as the form of layers of these classes.

    Parameters
    ----------
    *kinds : type
        Classes of layers; subclasses that inherit all methods have the same form.

    Returns
    -------
    register : callable
        Decorator of a function ``form(to, layer, x)``, which gets a `NetworkExporter`, the layer
        and its input, a `Value`, and returns its output.

    Examples
    --------
    A layer of one's own, whose form appends one node:

    >>> from sklearn_nn.layers import Layer
    >>> from sklearn_nn.onnx import form_of
    >>> class Absolute(Layer):
    ...     pass
    >>> @form_of(Absolute)
    ... def absolute(to, layer, x):
    ...     return x._replace(name=to.graph.node("Abs", [x.name]))
    """

    def register(form: _Function) -> _Function:
        _FORMS.update(dict.fromkeys(kinds, form))
        return form

    return register


def find_form(kind: type[Layer]) -> Form | None:
    """Return the form of a class of layers, or of the base that it computes as; None without."""
    for base in kind.__mro__:
        if base in _FORMS:
            return _FORMS[base] if _computes_as(base, kind) else None
    return None


def _computes_as(base: type[Layer], kind: type[Layer]) -> bool:
    """Return whether a subclass has all methods of its base, and all that it keeps private."""
    for name in dir(base):
        if name.startswith("__"):
            continue
        theirs = inspect.getattr_static(base, name)
        if inspect.getattr_static(kind, name) is theirs:
            continue
        if name.startswith("_") or isinstance(theirs, _METHODS):
            return False
    return True


def mask_of(graph: GraphBuilder, x: Value) -> str:
    """Append which steps of sequences are not padding, of shape (n, steps, 1)."""
    count = graph.node("Squeeze", [graph.size(x.name, 1)])
    zero, one = (graph.constant(np.int64(k), "int64") for k in (0, 1))
    own = graph.node("Range", [zero, count, one])
    own = graph.node("Less", [own, graph.reshape(x.lengths or "", [-1, 1])])
    return graph.node("Unsqueeze", [own, graph.whole(2)])


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
        self.has_members = False  # whether a layer's outputs are those of members
        self.layer = ""  # full name of the present layer, such as "residual1.conv2d2"
        self.outputs: dict[str | None, Value] = {}  # by full name of the layer
        self._masks: dict[str, str] = {}  # by name of the lengths
        self.arrays: dict[str, dict[str, np.ndarray]] = {}
        for place, view in zip(network.places, network.views(), strict=True):
            self.arrays.setdefault(place.layer, {})[place.name] = view

    def run(self, x: Value, layer: str | Features | None = None) -> Value:
        """Append all layers and the link, or those up to named ones; return the output."""
        features = Features((layer,)) if isinstance(layer, str) else layer
        for name, entry in self.network.plan.layers:
            x = self.add(name, entry, x)
            if features is not None and all(one in self.outputs for one in features.layers):
                return self._features(features)
        if self.network.plan.link is not None:
            x = self.add("link", self.network.plan.link, x)
        if self.has_members and len(x.shape) > 1:
            x = self.add("mean", MeanOverMembers(), x)
        return x

    def _features(self, features: Features) -> Value:
        """Append what joins the outputs of layers; return it, or the output of a single one."""
        found = [self.outputs[name] for name in features.layers]
        if features.pooling is not None:
            pool = POOLING[features.pooling]()
            found = [self.add("pool", pool, x) if len(x.shape) > 1 else x for x in found]
        if len(found) == 1:
            return found[0]
        sizes = self.network.widths(features)
        flat = [self.graph.reshape(x.name, [0, n]) for x, n in zip(found, sizes, strict=True)]
        return Value(self.graph.concat(flat, 1), (sum(sizes),))

    def add(self, name: str, layer: Layer, x: Value) -> Value:
        """Append a layer, which may be within another one, and return its output."""
        outer = self.layer
        self.layer = f"{outer}.{name}" if outer else name
        form = self.form(layer)
        with self.graph.scope(name):
            x = form(self, layer, x)
        self.outputs[self.layer] = x
        self.layer, self.has_members = outer, self.has_members or layer.has_members
        return x

    def form(self, layer: Layer, wanted: Form | None = None) -> Form:
        """Return the form of a layer, which may be part of the present one.

        Raises NotImplementedError if there is none, or another than the one that is wanted.
        """
        form = find_form(type(layer))
        if form is None or wanted not in (None, form):
            raise NotImplementedError(
                f"layer {self.layer!r}: {type(layer).__name__} has no form in ONNX; register a "
                "function for it, or for the layer that it is part of, with "
                "sklearn_nn.onnx.form_of."
            )
        return form

    def array(self, name: str) -> np.ndarray:
        """Return a parameter or memory of the present layer."""
        return self.arrays[self.layer][name]

    def constant(self, name: str) -> str:
        """Return the constant of a parameter or memory of the present layer."""
        return self.graph.number(self.array(name), name)

    def activate(self, layer: Activated, x: Value) -> Value:
        """Append the activation of a layer, if it has one."""
        activation = layer.activation_layer()
        if activation is None:
            return x
        return self.form(activation)(self, activation, x)

    # --- sequences of unequal length -----------------------------------------------------------

    def mask(self, x: Value) -> str:
        """Return which steps are not padding, of shape (n, steps, 1)."""
        assert x.lengths is not None
        if x.lengths not in self._masks:
            self._masks[x.lengths] = mask_of(self.graph, x)
        return self._masks[x.lengths]

    def trimmed(self, x: Value) -> str:
        """Append sequences with zeros in the padding."""
        return self.graph.node("Where", [self.mask(x), x.name, 0])

    def unless_empty(self, x: Value, y: str) -> str:
        """Append y, of shape (n, channels), with zeros for sequences x without steps."""
        if x.lengths is None:
            return y
        lengths = self.graph.reshape(x.lengths, [-1, 1])
        has_steps = self.graph.node("Greater", [lengths, self.graph.whole(0)])
        return self.graph.node("Where", [has_steps, y, 0])

    def last_step(self, x: Value) -> Value:
        """Append the last step before the padding; zero without any."""
        graph = self.graph
        if x.lengths is None:
            last = graph.constant(np.int64(-1), "int64")
            return Value(graph.node("Gather", [x.name, last], axis=1), x.shape[1:])
        last = graph.node("Max", [graph.node("Sub", [x.lengths, graph.whole(1)]), graph.whole(0)])
        step = graph.node("GatherND", [x.name, graph.reshape(last, [-1, 1])], batch_dims=1)
        return Value(self.unless_empty(x, step), x.shape[1:])
