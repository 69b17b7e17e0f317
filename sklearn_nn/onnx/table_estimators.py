"""Export of estimators for tables: the mean of all networks, as the estimator corrects each."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators._targets.codec import MULTICLASS, ClippedNumberCodec
from sklearn_nn.onnx.graph import GraphBuilder, Value
from sklearn_nn.onnx.network import NetworkExporter
from sklearn_nn.onnx.outputs import scale_of, unscaled


def mean_of_networks(graph: GraphBuilder, estimator, rows: Value) -> Value:
    """Append all networks of an estimator, which read encoded rows; return the mean output."""
    networks, total = [*estimator._earlier, network_of(estimator)], ""
    for k, network in enumerate(networks):
        with graph.scope(f"network{k + 1}"):
            output = NetworkExporter(graph, network).run(rows)
            one = _corrected(graph, estimator, output.name, k)
        total = graph.node("Add", [total, one]) if total else one
    if len(networks) > 1:
        is_double = isinstance(estimator._codec, ClippedNumberCodec)
        dtype = np.dtype(np.float64) if is_double else graph.dtype
        total = graph.node("Div", [total, graph.constant(np.array(len(networks), dtype))])
    return output._replace(name=total)


def _corrected(graph: GraphBuilder, estimator, output: str, k: int) -> str:
    """Append what the estimator does to the output of network `k` before the mean."""
    codec = estimator._codec
    if isinstance(codec, ClippedNumberCodec):
        center, spread, *_ = scale_of(codec)
        y = graph.node("Div", [unscaled(graph, codec, output), graph.constant(spread)])
        return graph.node("Sub", [y, graph.constant(center / spread)])
    temperature = estimator._temperatures[k]
    if temperature == 1:
        return output
    return _at_temperature(graph, output, temperature, codec.kind == MULTICLASS)


def _at_temperature(graph: GraphBuilder, p: str, temperature: float, one_of_many: bool) -> str:
    """Append what `estimators.tabular.fit.at_temperature` does to probabilities."""
    info = np.finfo(graph.dtype)
    p = graph.cast(p, np.float64)
    z = graph.node("Log", [graph.node("Max", [p, graph.constant(np.float64(info.tiny))])])
    if not one_of_many:
        rest = graph.node("Sub", [graph.constant(np.float64(1)), p])
        rest = graph.node("Max", [rest, graph.constant(np.float64(info.epsneg / 2))])
        z = graph.node("Sub", [z, graph.node("Log", [rest])])
    z = graph.node("Div", [z, graph.constant(np.float64(temperature))])
    found = graph.node("Softmax", [z], axis=1) if one_of_many else graph.node("Sigmoid", [z])
    return graph.cast(found, graph.dtype)
