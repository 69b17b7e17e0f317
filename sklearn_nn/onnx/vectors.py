"""Forms of layers that treat samples as vectors, or elements one by one."""

from __future__ import annotations

from sklearn_nn.layers.activation import Activation
from sklearn_nn.layers.dense import Dense
from sklearn_nn.layers.standardize import Standardize
from sklearn_nn.onnx.graph import Value
from sklearn_nn.onnx.network import NetworkExporter, form_of


@form_of(Dense)
def dense(to: NetworkExporter, layer: Dense, x: Value) -> Value:
    """Append y = x W + b and the activation."""
    y = to.graph.node("MatMul", [x.name, to.constant("kernel")])
    y = to.graph.node("Add", [y, to.constant("bias")])
    return to.activate(layer, Value(y, (layer.units,)))


@form_of(Standardize)
def standardize(to: NetworkExporter, layer: Standardize, x: Value) -> Value:
    """Append y = (x - mean) / deviation."""
    y = to.graph.node("Sub", [x.name, to.constant("mean")])
    return x._replace(name=to.graph.node("Div", [y, to.constant("deviation")]))


@form_of(Activation)
def activation(to: NetworkExporter, layer: Activation, x: Value) -> Value:
    """Append an activation by name."""
    name = layer._known_name()
    if name == "identity":
        return x
    if name == "softmax":
        return x._replace(name=to.graph.node("Softmax", [x.name], axis=-1))
    op = {"logistic": "Sigmoid", "tanh": "Tanh", "relu": "Relu", "exp": "Exp"}[name]
    return x._replace(name=to.graph.node(op, [x.name]))
