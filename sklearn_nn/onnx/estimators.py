"""Export of estimators: an input as the reader takes X, a network, outputs as `predict` returns."""

from __future__ import annotations

import json

import sklearn_nn
from sklearn_nn.estimators._core.base import BaseNetwork, NetworkClassifier
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.onnx.arrays import array_input
from sklearn_nn.onnx.graph import GraphBuilder
from sklearn_nn.onnx.network import NetworkExporter
from sklearn_nn.onnx.outputs import add_class_outputs, add_number_outputs


def to_onnx(estimator, *, opset=None, zipmap=False):
    """Export a fitted estimator to ONNX."""
    if not isinstance(estimator, BaseNetwork):
        kind = type(estimator).__name__
        raise TypeError(f"to_onnx exports estimators of sklearn_nn, got {kind}.")
    network = network_of(estimator)
    graph = GraphBuilder(network.dtype, opset)
    output = NetworkExporter(graph, network).run(array_input(graph, estimator))
    if isinstance(estimator, NetworkClassifier):
        add_class_outputs(graph, estimator._codec, output, zipmap)
    else:
        add_number_outputs(graph, estimator._codec, output)
    return finish(graph, estimator)


def finish(graph, estimator):
    """Return the model of a graph, with a description of the estimator as metadata."""
    metadata = {"class": type(estimator).__name__, "version": sklearn_nn.__version__}
    for key, attribute in {"classes": "classes_", "feature_names": "feature_names_in_"}.items():
        if hasattr(estimator, attribute):
            metadata[key] = json.dumps(getattr(estimator, attribute).tolist())
    return graph.model(metadata, producer="sklearn_nn", version=sklearn_nn.__version__)
