"""The input X of estimators of arrays: vectors, images and sequences, as `predict` takes them."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.onnx.graph import SAMPLES, STEPS, GraphBuilder, Value


def array_input(graph: GraphBuilder, estimator) -> Value:
    """Append the input X of an estimator that reads arrays; return it as the layers take it.

    X has the axes of the samples that were fitted, and is uint8 if these were bytes that the
    estimator scales. The number of time steps is free if the network reads any; NaN, or the padding
    value of an embedding, at the end of a sequence is not part of it, as in `predict`.
    """
    reader = estimator._reader
    if not hasattr(reader, "seen_shape"):  # of rows
        n_features = estimator.n_features_in_
        return Value(graph.input("X", graph.dtype, [SAMPLES, n_features]), (n_features,))
    if _takes_any_length(estimator):
        return _sequences(graph, estimator)
    shape = reader.seen_shape or (estimator.n_features_in_,)
    axes = reader.axes(shape)
    if _reads_bytes(reader):
        x = _bytes(graph, reader.divisor, axes)
    else:
        x = graph.input("X", graph.dtype, [SAMPLES, *axes])
    if axes != shape:
        x = graph.transpose(x, [0, *range(2, len(axes) + 1), 1])
    if shape != reader.shape:
        x = graph.reshape(x, [0, *reader.shape])
    return Value(x, reader.shape)


def _reads_bytes(reader) -> bool:
    """Return whether the samples that were fitted were bytes, which the estimator scales."""
    return bool(reader.units and reader.units["bytes"] and reader.divisor != 1)


def _bytes(graph: GraphBuilder, divisor: int, axes) -> str:
    """Append X as bytes, which are scaled in float32."""
    x = graph.cast(graph.input("X", np.uint8, [SAMPLES, *axes]), np.float32)
    x = graph.node("Div", [x, graph.constant(np.float32(divisor))])
    return x if graph.dtype == np.float32 else graph.cast(x, graph.dtype)


def _takes_any_length(estimator) -> bool:
    """Return whether X may be sequences of another length than the fitted ones."""
    reader = estimator._reader
    if not reader.takes_any_length or (reader.seen_shape is None and reader.first_layer is None):
        return False
    if _reads_bytes(reader) and not reader.ragged:  # for which NaN is no end
        return False
    is_sequence = len(reader.shape) == 2 or reader.first_layer is not None
    return is_sequence and network_of(estimator).reads(reader.shape[0], ragged=True)


def _sequences(graph: GraphBuilder, estimator) -> Value:
    """Append X as sequences of any length, and their numbers of steps."""
    reader, network = estimator._reader, network_of(estimator)
    steps, channels = reader.shape[0], reader.channels
    is_row = reader.first_layer is not None and channels == 1
    axes = (STEPS,) if is_row else reader.axes((STEPS, channels))
    x = graph.input("X", graph.dtype, [SAMPLES, *axes])
    if is_row:
        x = graph.node("Unsqueeze", [x, graph.whole(2)])
    elif axes[0] != STEPS:
        x = graph.transpose(x, [0, 2, 1])
    if not network.reads(1, ragged=True):
        x = _lengthened(graph, x, steps)
    is_padding = is_missing = graph.node("IsNaN", [x])
    if reader.padding_value is not None:
        is_value = graph.node("Equal", [x, reader.padding_value])
        is_padding = graph.node("Or", [is_missing, is_value])
    lengths = _lengths(graph, x, is_padding)
    x = graph.node("Where", [is_missing, 0, x])
    return Value(x, (None, channels), lengths)


def _lengthened(graph: GraphBuilder, x: str, steps: int) -> str:
    """Append NaN at the end of sequences, up to a number of steps that all layers can read."""
    missing = graph.node("Sub", [graph.whole(steps), graph.size(x, 1)])
    missing = graph.node("Max", [missing, graph.whole(0)])
    pads = graph.concat([graph.whole(0, 0, 0, 0), missing, graph.whole(0)], axis=0)
    return graph.node("Pad", [x, pads, np.nan])


def _lengths(graph: GraphBuilder, x: str, is_padding: str) -> str:
    """Append the number of the last step that is not padding in all channels; 0 for none."""
    padded = graph.reduce("ReduceMin", graph.cast(is_padding, np.int64), [2])
    count = graph.node("Squeeze", [graph.size(x, 1)])
    one = graph.constant(np.int64(1), "int64")
    numbers = graph.node("Range", [one, graph.node("Add", [count, one]), one])
    own = graph.node("Mul", [numbers, graph.node("Sub", [one, padded])])
    return graph.reduce("ReduceMax", own, [1])
