"""Outputs of models: labels and probabilities, or numbers, as codecs decode them."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._targets.codec import BINARY, MULTILABEL, ScaledNumberCodec
from sklearn_nn.onnx.graph import SAMPLES, STEPS, GraphBuilder, Value
from sklearn_nn.onnx.network import mask_of


def add_class_outputs(graph: GraphBuilder, codec, output: Value, zipmap=False) -> None:
    """Append the outputs of a classifier, `label` and `probabilities`.

    `output` is that of the network after the link.
    """
    classes = labels_of(codec.classes)
    _check_zipmap(zipmap, classes, codec, output)
    axes, p = _axes(output), output.name
    if codec.kind == MULTILABEL:
        dtype = np.dtype(np.int64)
        label = graph.cast(graph.node("Greater", [p, 0.5]), dtype)
    else:
        dtype = classes.dtype
        if codec.kind == BINARY and len(classes) == 1:
            p = graph.node("Add", [graph.node("Mul", [p, 0]), 1])
        elif codec.kind == BINARY:
            p = graph.concat([graph.node("Sub", [1, p]), p], axis=-1)
        number = graph.node("ArgMax", [p], axis=-1, keepdims=0)
        label = graph.node("Gather", [graph.constant(classes, "classes"), number], axis=0)
    label_axes = [*axes, len(classes)] if codec.kind == MULTILABEL else axes
    graph.output("label", label, dtype, label_axes)
    if zipmap == "columns":
        for k, name in enumerate(classes):
            column = graph.slice(p, 1, k, k + 1)
            kind = "s" if classes.dtype.kind == "U" else "i"
            graph.output(f"{kind}{name}", column, graph.dtype, [SAMPLES, 1])
    elif zipmap:
        graph.maps_output("probabilities", graph.cast(p, np.float32), classes)
    else:
        p = _own_steps(graph, output, p, graph.dtype)
        graph.output("probabilities", p, graph.dtype, [*axes, len(classes)])


def labels_of(classes: np.ndarray) -> np.ndarray:
    """Return classes as models hold them: int64, strings, or float64."""
    classes = np.array(classes.tolist()) if classes.dtype.kind == "O" else classes
    kind = classes.dtype.kind
    if kind in "biu":
        if classes.max() > np.iinfo(np.int64).max:
            raise ValueError(
                f"classes_ holds {classes.max()}, but whole numbers of ONNX end at 2**63 - 1; use "
                "smaller ones, or strings."
            )
        return classes.astype(np.int64)
    if kind not in "fU":
        raise ValueError(
            f"classes_ holds labels of the type {classes.dtype}, which ONNX does not have; use "
            "strings or whole numbers."
        )
    return classes.astype(np.float64) if kind == "f" else classes


def _check_zipmap(zipmap, classes: np.ndarray, codec, output: Value) -> None:
    if not (isinstance(zipmap, bool) or zipmap == "columns"):
        raise ValueError(f"zipmap={zipmap!r} must be False, True or 'columns'.")
    if zipmap and (codec.kind == MULTILABEL or len(output.shape) > 1):
        raise ValueError(
            f"zipmap={zipmap!r} is for one label a sample; use zipmap=False for several labels, or "
            "a label for every step."
        )
    if zipmap and classes.dtype.kind == "f":
        raise ValueError(
            f"zipmap={zipmap!r} is for labels that are strings or whole numbers; use zipmap=False."
        )


def add_number_outputs(graph: GraphBuilder, codec, output: Value) -> None:
    """Append the output of a regressor, `variable`, in the units of y and the type of `predict`.

    Of several quantiles, it is the middle one, and all are the output `quantiles`.
    """
    y, dtype = output.name, graph.dtype
    if isinstance(codec, ScaledNumberCodec):
        y, dtype = unscaled(graph, codec, y), np.dtype(np.float64)
    levels = _levels(graph, codec, output, y, dtype) if codec.per_target > 1 else []
    if levels:
        y = graph.reshape(levels[codec.predicted], [*[0] * len(output.shape), codec.n_outputs])
    y = _own_steps(graph, output, y, dtype)
    graph.output("variable", y, dtype, [*_axes(output), codec.n_outputs])
    if levels and len(output.shape) == 1:
        several = [codec.n_outputs] if codec.n_outputs > 1 else []
        whole = graph.reshape(graph.concat(levels, axis=-1), [0, *several, len(levels)])
        graph.output("quantiles", whole, dtype, [SAMPLES, *several, len(levels)])


def scale_of(codec) -> np.ndarray:
    """Return the scale of targets with a column for each output; a target may have several."""
    return np.repeat(codec.scale, codec.per_target, axis=1)


def _levels(graph: GraphBuilder, codec, output: Value, y: str, dtype) -> list[str]:
    """Append the quantiles of each level, calibrated if offsets are learnt, on an axis of 1."""
    n, middle, rank = codec.per_target, codec.predicted, len(output.shape)
    y = graph.reshape(y, [*[0] * rank, codec.n_outputs, n])
    levels = [graph.slice(y, rank + 1, j, j + 1) for j in range(n)]
    if vars(codec).get("offsets") is not None:
        offsets = codec.offsets.astype(dtype)
        levels = [
            graph.node("Add", [level, graph.constant(np.ascontiguousarray(offsets[:, [j]]))])
            for j, level in enumerate(levels)
        ]
        for j in (*range(middle + 1, n), *range(middle - 1, -1, -1)):  # see NumberCodec.values
            op, before = ("Max", j - 1) if j > middle else ("Min", j + 1)
            levels[j] = graph.node(op, [levels[j], levels[before]])
    return levels


def unscaled(graph: GraphBuilder, codec, output: str) -> str:
    """Append the return to the units of y, in float64, within the range of y if it is known."""
    center, spread, *limits = scale_of(codec)
    y = graph.node("Mul", [graph.cast(output, np.float64), graph.constant(spread)])
    y = graph.node("Add", [y, graph.constant(center)])
    for op, limit in zip(("Max", "Min"), limits, strict=False):
        y = graph.node(op, [y, graph.constant(limit)])
    return y


def _axes(output: Value) -> list:
    """Return the axes of one prediction a sample, or one for each of its steps."""
    steps = [STEPS if size is None else size for size in output.shape[:-1]]
    return [SAMPLES, *steps]


def _own_steps(graph: GraphBuilder, output: Value, y: str, dtype) -> str:
    """Append NaN for the steps after the end of each sequence."""
    if output.lengths is None:
        return y
    nothing = graph.constant(np.array(np.nan, dtype))
    return graph.node("Where", [mask_of(graph, output), y, nothing])
