"""Forms of activations: expressions whose operators runtimes have in float32 and in float64."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from sklearn_nn.jit.functions import ERF64, ERFC64
from sklearn_nn.layers.activation import SELU_ALPHA, SELU_SCALE, Activation, ParametricActivation
from sklearn_nn.layers.quantiles import Quantiles, middle_level, shifts
from sklearn_nn.onnx.graph import GraphBuilder, Value
from sklearn_nn.onnx.network import NetworkExporter, form_of


def _expm1(graph: GraphBuilder, x: str) -> str:
    """Append exp(x) - 1 where x is negative, else 0."""
    return graph.node("Sub", [graph.node("Exp", [graph.node("Min", [x, 0])]), 1])


def _positive(graph: GraphBuilder, x: str) -> str:
    return graph.node("Relu", [x])


def _elu(graph: GraphBuilder, x: str) -> str:
    return graph.node("Add", [_positive(graph, x), _expm1(graph, x)])


def _selu(graph: GraphBuilder, x: str) -> str:
    negative = graph.node("Mul", [_expm1(graph, x), SELU_SCALE * SELU_ALPHA])
    return graph.node("Add", [graph.node("Mul", [_positive(graph, x), SELU_SCALE]), negative])


def _softplus(graph: GraphBuilder, x: str) -> str:
    """Append max(x, 0) + log(1 + exp(-|x|))."""
    below = graph.node("Exp", [graph.node("Neg", [graph.node("Abs", [x])])])
    return graph.node(
        "Add", [_positive(graph, x), graph.node("Log", [graph.node("Add", [below, 1])])]
    )


def _silu(graph: GraphBuilder, x: str) -> str:
    return graph.node("Mul", [x, graph.node("Sigmoid", [x])])


def _mish(graph: GraphBuilder, x: str) -> str:
    return graph.node("Mul", [x, graph.node("Tanh", [_softplus(graph, x)])])


def _gelu(graph: GraphBuilder, x: str) -> str:
    e = erf(graph, graph.node("Mul", [x, np.sqrt(0.5)]))
    return graph.node("Mul", [x, graph.node("Mul", [graph.node("Add", [e, 1]), 0.5])])


def _hard_sigmoid(graph: GraphBuilder, x: str) -> str:
    line = graph.node("Add", [graph.node("Mul", [x, 1 / 6]), 0.5])
    return graph.node("Clip", [line, 0, 1])


def _polynomial(graph: GraphBuilder, x: str, coefficients: tuple[float, ...]) -> str:
    """Append a polynomial by Horner's rule, from the highest power on."""
    first, *others = coefficients
    value: str | float = first
    for coefficient in others:
        value = graph.node("Add", [graph.node("Mul", [x, value]), coefficient])
    return str(value)


def erf(graph: GraphBuilder, x: str) -> str:
    """Append the error function: in float64, which runtimes lack, by ratios as in kernels."""
    if graph.dtype == np.float32:
        return graph.node("Erf", [x])
    size = graph.node("Min", [graph.node("Abs", [x]), 6])
    square, is_near = graph.node("Mul", [size, size]), graph.node("Less", [size, 1])
    near, near_below = (_polynomial(graph, square, c) for c in ERF64)
    far, far_below = (_polynomial(graph, size, c) for c in ERFC64)
    tail = graph.node("Mul", [graph.node("Exp", [graph.node("Neg", [square])]), far])
    inner = graph.node("Div", [graph.node("Mul", [size, near]), near_below])
    outer = graph.node("Sub", [1, graph.node("Div", [tail, far_below])])
    value = graph.node("Where", [is_near, inner, outer])
    return graph.node("Mul", [value, graph.node("Sign", [x])])


#: All elementwise activations but the identity, as expressions of x.
EXPRESSIONS: dict[str, Callable[[GraphBuilder, str], str]] = {
    "logistic": lambda graph, x: graph.node("Sigmoid", [x]),
    "tanh": lambda graph, x: graph.node("Tanh", [x]),
    "relu": _positive,
    "relu6": lambda graph, x: graph.node("Min", [_positive(graph, x), 6]),
    "leaky_relu": lambda graph, x: graph.node("Max", [x, graph.node("Mul", [x, 0.01])]),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "softplus": _softplus,
    "hard_sigmoid": _hard_sigmoid,
    "exp": lambda graph, x: graph.node("Exp", [x]),
}


def apply(graph: GraphBuilder, name: str, x: str) -> str:
    """Append an activation by its name in this package."""
    if name == "identity":
        return x
    if name == "softmax":
        return graph.node("Softmax", [x], axis=-1)
    return EXPRESSIONS[name](graph, x)


@form_of(Activation)
def activation(to: NetworkExporter, layer: Activation, x: Value) -> Value:
    """Append y = f(x)."""
    return x._replace(name=apply(to.graph, layer.known_name(), x.name))


@form_of(Quantiles)
def quantiles(to: NetworkExporter, layer: Quantiles, x: Value) -> Value:
    """Append the middle number of each target, and the others by distances from one to the next."""
    n, middle, graph = len(layer.levels), middle_level(layer.levels), to.graph
    places, kept = (x.shape[-1] or 0) // n, [0] * len(x.shape)
    numbers = [graph.slice(x.name, len(x.shape), j, None, n) for j in range(n)]
    found = {middle: numbers[middle]}
    for j in (*range(middle + 1, n), *range(middle - 1, -1, -1)):
        shifted = graph.node("Add", [numbers[j], shifts(layer.levels)[j]])
        op, before = ("Add", j - 1) if j > middle else ("Sub", j + 1)
        found[j] = graph.node(op, [found[before], apply(graph, "softplus", shifted)])
    columns = [graph.reshape(found[j], [*kept, places, 1]) for j in range(n)]
    return x._replace(name=graph.reshape(graph.concat(columns, axis=-1), [*kept, places * n]))


@form_of(ParametricActivation)
def parametric(to: NetworkExporter, layer: ParametricActivation, x: Value) -> Value:
    """Append y = x + a (f(x) - x)."""
    y = to.graph.node("Sub", [apply(to.graph, layer.activation, x.name), x.name])
    y = to.graph.node("Mul", [y, to.constant("alpha")])
    return x._replace(name=to.graph.node("Add", [x.name, y]))
