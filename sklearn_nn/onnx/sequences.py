"""Forms of layers of sequences: recurrences, attention, and embeddings of whole numbers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

import numpy as np

from sklearn_nn.layers.activation import OTHER_NAMES
from sklearn_nn.layers.embedding import Embedding, OneHot
from sklearn_nn.layers.recurrent.attention_pool import AttentionPool
from sklearn_nn.layers.recurrent.layers import GRU, LSTM, Bidirectional, Recurrent, SimpleRNN
from sklearn_nn.onnx.activations import apply
from sklearn_nn.onnx.graph import Value
from sklearn_nn.onnx.network import NetworkExporter, form_of
from sklearn_nn.onnx.vectors import product

_T = TypeVar("_T")
#: By layer: the operator, and the order of its gates in terms of the layer's.
_OPERATORS: dict[type[Recurrent], tuple[str, tuple[int, ...]]] = {
    SimpleRNN: ("RNN", (0,)),
    LSTM: ("LSTM", (0, 3, 1, 2)),
    GRU: ("GRU", (0, 1, 2)),
}


def _of_kind(layer: Recurrent, values: Mapping[type[Recurrent], _T]) -> _T:
    """Return the value for the class of a layer, or for the base that it inherits from."""
    return next(value for kind, value in values.items() if isinstance(layer, kind))


def _turned(to: NetworkExporter, x: str, lengths: str | None) -> str:
    """Append x with the steps before the padding in reverse order; x is (steps, n, channels)."""
    if lengths is None:
        return to.graph.slice(x, 0, None, None, -1)
    return to.graph.node("ReverseSequence", [x, lengths], time_axis=0, batch_axis=1)


def _recurrence(
    to: NetworkExporter, layer: Recurrent, x: Value, prefix: str = "", *, turned: bool = False
) -> Value:
    """Append a recurrent layer; with `turned`, one that goes backwards puts its steps in order."""
    graph = to.graph
    steps_first = graph.transpose(x.name, [1, 0, 2])
    if layer.go_backwards:
        steps_first = _turned(to, steps_first, x.lengths)
    name = "identity" if layer.activation is None else layer.activation
    name = OTHER_NAMES.get(name, name)
    if graph.dtype == np.float32 and name == "tanh":
        h = _by_operator(to, layer, steps_first, prefix, x.lengths)
    else:
        h = _by_scan(to, layer, steps_first, prefix, name)
    if layer.go_backwards and turned and layer.return_sequences:
        h = _turned(to, h, x.lengths)
    units = int(layer.units)
    every = x._replace(name=graph.transpose(h, [1, 0, 2]), shape=(x.shape[0], units))
    if layer.return_sequences:
        # Some runtimes go on after the end of sequences.
        return every if x.lengths is None else every._replace(name=to.trimmed(every))
    if x.lengths is None:
        return Value(graph.node("Gather", [h, graph.constant(-1)], axis=0), (units,))
    return to.last_step(every)


def _by_operator(
    to: NetworkExporter, layer: Recurrent, x: str, prefix: str, lengths: str | None
) -> str:
    """Append RNN, LSTM or GRU; return h of all steps, of shape (steps, n, units)."""
    graph, units = to.graph, int(layer.units)
    op, order = _of_kind(layer, _OPERATORS)

    def reordered(array: np.ndarray) -> np.ndarray:
        """Return the gates, along the last axis, in the order of the operator."""
        gates = np.split(array, len(order), axis=-1)
        return np.concatenate([gates[k] for k in order], axis=-1)

    kernels = [
        reordered(to.array(f"{prefix}{name}kernel")).T[np.newaxis] for name in ("", "recurrent_")
    ]
    bias = reordered(to.array(f"{prefix}bias")).reshape(1, -1)
    if op != "GRU":  # which has a second bias, that of h R
        bias = np.concatenate([bias, np.zeros_like(bias)], axis=1)
    inputs = [x, *kernels, bias]
    if lengths is not None:
        inputs.append(graph.cast(lengths, np.int32))
    options: dict[str, Any] = {"linear_before_reset": 1} if op == "GRU" else {}
    h = graph.node(op, inputs, hidden_size=units, **options)
    return graph.node("Squeeze", [h, graph.whole(1)])


def _by_scan(to: NetworkExporter, layer: Recurrent, x: str, prefix: str, name: str) -> str:
    """Append a loop over steps, for types and activations that the operators do not have."""
    graph, units = to.graph, int(layer.units)
    bias, recurrent = to.array(f"{prefix}bias"), to.array(f"{prefix}recurrent_kernel")
    of_x, of_h = bias if bias.ndim == 2 else (bias, None)
    seen = graph.node("MatMul", [x, to.constant(f"{prefix}kernel")])
    seen = graph.node("Add", [seen, of_x])
    width = 2 * units if isinstance(layer, LSTM) else units
    shape = graph.concat([graph.size(x, 1), graph.whole(width)], axis=0)
    zero = graph.node("Expand", [graph.number(0), shape])

    def parts(values: str, count: int) -> list[str]:
        return [graph.slice(values, 1, k * units, (k + 1) * units) for k in range(count)]

    def node(op: str, *inputs: object) -> str:
        return graph.node(op, inputs)

    def simple(h: str, saw: str) -> tuple[str, str]:
        """Append h = f(x W + h R + b)."""
        h = apply(graph, name, node("Add", saw, node("MatMul", h, recurrent)))
        return h, h

    def lstm(state: str, saw: str) -> tuple[str, str]:
        """Append c = s(f) c + s(i) a(g) and h = s(o) a(c)."""
        h, c = parts(state, 2)
        i, f, g, o = parts(node("Add", saw, node("MatMul", h, recurrent)), 4)
        i, f, o = (node("Sigmoid", gate) for gate in (i, f, o))
        c = node("Add", node("Mul", f, c), node("Mul", i, apply(graph, name, g)))
        h = node("Mul", o, apply(graph, name, c))
        return graph.concat([h, c], axis=1), h

    def gru(h: str, saw: str) -> tuple[str, str]:
        """Append h = z h + (1 - z) hh."""
        of_state = node("Add", node("MatMul", h, recurrent), of_h)
        (z, r, new), (z_h, r_h, new_h) = parts(saw, 3), parts(of_state, 3)
        z, r = node("Sigmoid", node("Add", z, z_h)), node("Sigmoid", node("Add", r, r_h))
        new = apply(graph, name, node("Add", new, node("Mul", r, new_h)))
        h = node("Add", new, node("Mul", z, node("Sub", h, new)))
        return h, h

    steps = {SimpleRNN: simple, LSTM: lstm, GRU: gru}
    return graph.scan(_of_kind(layer, steps), zero, seen)


@form_of(SimpleRNN, LSTM, GRU)
def recurrent(to: NetworkExporter, layer: Recurrent, x: Value) -> Value:
    """Append a recurrent layer."""
    return _recurrence(to, layer, x)


@form_of(Bidirectional)
def bidirectional(to: NetworkExporter, layer: Bidirectional, x: Value) -> Value:
    """Append both directions, and their combination."""
    to.form(layer.layer, recurrent)
    graph, copy = to.graph, layer.backward_layer()
    forward = _recurrence(to, layer.layer, x, "forward_")
    backward = _recurrence(to, copy, x, "backward_", turned=True)
    names = [forward.name, backward.name]
    if layer.merge_mode == "concat":
        shape = (*forward.shape[:-1], 2 * int(copy.units))
        return forward._replace(name=graph.concat(names, axis=-1), shape=shape)
    y = graph.node("Mul" if layer.merge_mode == "mul" else "Add", names)
    return forward._replace(name=graph.node("Mul", [y, 0.5]) if layer.merge_mode == "ave" else y)


@form_of(AttentionPool)
def attention_pool(to: NetworkExporter, layer: AttentionPool, x: Value) -> Value:
    """Append the mean over steps, weighted by the softmax of v . tanh(x_t W + b)."""
    graph = to.graph
    seen = graph.node("Tanh", [product(to, x.name)])
    scores = graph.node("MatMul", [seen, to.array("context")[:, np.newaxis]])
    if x.lengths is not None:
        lowest = np.finfo(graph.dtype).min
        scores = graph.node("Where", [to.mask(x), scores, lowest])
    weights = graph.node("Softmax", [scores], axis=1)
    steps = x.name if x.lengths is None else to.trimmed(x)
    y = graph.reduce("ReduceSum", graph.node("Mul", [weights, steps]), [1])
    return Value(to.unless_empty(x, y), x.shape[-1:])


def _codes(to: NetworkExporter, layer: Embedding | OneHot, x: Value) -> str:
    """Append whole numbers clipped to the rows of a table, of shape (n, steps)."""
    graph, last = to.graph, int(layer.input_dim) - 1
    codes = graph.reshape(x.name, [0, -1]) if len(x.shape) == 2 else x.name
    return graph.cast(graph.node("Clip", [codes, 0, last]), np.int64)


@form_of(Embedding)
def embedding(to: NetworkExporter, layer: Embedding, x: Value) -> Value:
    """Append the rows of the table."""
    y = to.graph.node("Gather", [to.constant("embeddings"), _codes(to, layer, x)], axis=0)
    return x._replace(name=y, shape=(x.shape[0], int(layer.output_dim)))


@form_of(OneHot)
def one_hot(to: NetworkExporter, layer: OneHot, x: Value) -> Value:
    """Append ones in the columns of the codes, else zeros."""
    graph, count = to.graph, int(layer.input_dim)
    codes = graph.node("Unsqueeze", [_codes(to, layer, x), graph.whole(2)])
    y = graph.cast(graph.node("Equal", [codes, graph.whole(*range(count))]), graph.dtype)
    return x._replace(name=y, shape=(x.shape[0], count))
