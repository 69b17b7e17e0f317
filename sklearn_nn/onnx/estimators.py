"""Export of estimators: inputs as their readers take them, outputs as their codecs return them."""

from __future__ import annotations

import json

import numpy as np

import sklearn_nn
from sklearn_nn.estimators._core.base import BaseNetwork, NetworkClassifier
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators._targets.codec import BINARY, MULTILABEL, ScaledNumberCodec
from sklearn_nn.onnx.graph import GraphBuilder, Value
from sklearn_nn.onnx.network import NetworkExporter

#: Names of the axis of samples, and of that of time steps.
SAMPLES, STEPS = "n", "steps"


def to_onnx(estimator, *, opset=None, zipmap=False):
    """Export a fitted estimator to ONNX."""
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            f"to_onnx exports estimators of sklearn_nn, got {type(estimator).__name__}."
        )
    network = network_of(estimator)
    graph = GraphBuilder(network.dtype, opset)
    output = array_output(graph, estimator, network)
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


# --- inputs ------------------------------------------------------------------------------------


def array_output(graph, estimator, network):
    """Append the input X and a network that reads arrays; return the output after the link."""
    reader = estimator._reader
    shape = getattr(reader, "seen_shape", None) or (estimator.n_features_in_,)
    axes = reader._axes(shape) if hasattr(reader, "_axes") else shape
    x = graph.input("X", graph.dtype, [SAMPLES, *axes])
    if axes != shape:
        x = graph.transpose(x, [0, *range(2, len(axes) + 1), 1])
    if shape != reader.shape:
        x = graph.reshape(x, [-1, *reader.shape])
    return NetworkExporter(graph, network).run(Value(x, reader.shape))


# --- outputs -----------------------------------------------------------------------------------


def add_class_outputs(graph, codec, output, zipmap=False):
    """Append the outputs of a classifier, `label` and `probabilities`, as its codec decodes them.

    `output` is a `Value` of the network's output after the link.
    """
    p, classes = output.name, _labels(codec.classes)
    if codec.kind == MULTILABEL:
        half = graph.number(0.5)
        label = graph.cast(graph.node("Greater", [p, half]), np.int64)
        graph.output("label", label, np.int64, [SAMPLES, len(classes)])
        graph.output("probabilities", p, graph.dtype, [SAMPLES, len(classes)])
        return
    if codec.kind == BINARY:
        is_second = graph.cast(graph.node("Greater", [p, graph.number(0.5)]), np.int64)
        number = graph.reshape(is_second, [-1])
        p = graph.concat([graph.node("Sub", [graph.number(1), p]), p], axis=-1)
    else:
        number = graph.node("ArgMax", [p], axis=-1, keepdims=0)
    label = graph.node("Gather", [graph.constant(classes, "classes"), number], axis=0)
    graph.output("label", label, classes.dtype, [SAMPLES])
    graph.output("probabilities", p, graph.dtype, [SAMPLES, len(classes)])


def _labels(classes):
    """Return classes as int64, strings, or float64."""
    kind = classes.dtype.kind
    if kind in "biu":
        return classes.astype(np.int64)
    return classes.astype(np.float64) if kind == "f" else classes.astype(str)


def add_number_outputs(graph, codec, output):
    """Append the output of a regressor, `variable`, in the units of y and the type of `predict`."""
    y, dtype = output.name, graph.dtype
    if isinstance(codec, ScaledNumberCodec):
        center, spread, *_ = codec.scale
        y, dtype = graph.cast(y, np.float64), np.dtype(np.float64)
        y = graph.node(
            "Add", [graph.node("Mul", [y, graph.constant(spread)]), graph.constant(center)]
        )
    graph.output("variable", y, dtype, [SAMPLES, codec.n_outputs])
