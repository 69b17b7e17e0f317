"""Forms of convolutions and pooling.

Runtimes have no convolution, nor mean pooling, in float64. Cells are then gathered: a slice of the
input for each cell of the window, which are joined or added.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from sklearn_nn.layers.convolution.conv import Bottleneck, Conv1D, Conv2D
from sklearn_nn.layers.convolution.pool import (
    AveragePool1D,
    AveragePool2D,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    MaxPool1D,
    MaxPool2D,
)
from sklearn_nn.layers.shape import Axis
from sklearn_nn.onnx.graph import Value
from sklearn_nn.onnx.network import NetworkExporter, form_of

#: Number of time steps that stands for an unknown one: margins of windows do not depend on it.
_MANY = 2**20


def _axes(layer: Any, x: Value) -> tuple[list[Axis], tuple[int | None, ...]]:
    """Return the positions of a layer's window, and their numbers, None for unknown ones."""
    axes = layer.axes(tuple(_MANY if size is None else size for size in x.shape))
    sizes = zip(axes, x.shape[:-1], strict=True)
    return axes, tuple(None if size is None else axis.places for axis, size in sizes)


def _after(to: NetworkExporter, x: Value, axis: Axis) -> str | None:
    """Append the numbers of steps after a window along sequences."""
    if x.lengths is None or axis.reach == axis.stride == 1:
        return x.lengths
    if axis.before + axis.after:
        return x.lengths  # with a stride of 1
    graph = to.graph
    steps = graph.node("Add", [x.lengths, graph.whole(axis.stride - axis.reach)])
    steps = graph.node("Max", [steps, graph.whole(0)])
    return graph.node("Div", [steps, graph.whole(axis.stride)])


def _margins(axes: Sequence[Axis]) -> list[tuple[int, int]]:
    return [(0, 0), *((axis.before, axis.after) for axis in axes), (0, 0)]


def _cells(to: NetworkExporter, x: str, axes: Sequence[Axis]) -> list[str]:
    """Append a slice of padded x for each cell of the window: what it sees at all positions."""
    slices = []
    for cell in itertools.product(*(range(axis.window) for axis in axes)):
        part = x
        for number, (axis, k) in enumerate(zip(axes, cell, strict=True), 1):
            start, behind = k * axis.dilation, axis.reach - 1 - k * axis.dilation
            if start or behind or axis.stride > 1:
                part = to.graph.slice(part, number, start, -behind or None, axis.stride)
        slices.append(part)
    return slices


def _channels_first(to: NetworkExporter, x: str, rank: int) -> str:
    return to.graph.transpose(x, [0, rank + 1, *range(1, rank + 1)])


def _channels_last(to: NetworkExporter, x: str, rank: int) -> str:
    return to.graph.transpose(x, [0, *range(2, rank + 2), 1])


@form_of(Conv1D, Conv2D)
def convolution(to: NetworkExporter, layer: Conv1D | Conv2D, x: Value) -> Value:
    """Append the convolution, the bias and the activation."""
    graph, (axes, places) = to.graph, _axes(layer, x)
    name = x.name
    if x.lengths is not None and any(map(any, _margins(axes))):
        name = to.trimmed(x)
    if graph.dtype == np.float32:
        y = _by_operator(to, layer, name, axes)
    else:
        y = _by_cells(to, layer, name, axes)
    made = Value(y, (*places, int(layer.filters)), _after(to, x, axes[-1]))
    return to.activate(layer, made)


def _by_operator(to: NetworkExporter, layer: Any, x: str, axes: Sequence[Axis]) -> str:
    """Append the operator Conv, which has channels first."""
    rank, kernel = len(axes), to.array("kernel")
    weights = to.graph.number(np.moveaxis(kernel, (-1, -2), (0, 1)), "kernel")
    bias = [to.constant("bias")] if layer.use_bias else []
    y = to.graph.node(
        "Conv", [_channels_first(to, x, rank), weights, *bias],
        group=int(layer.groups), strides=[axis.stride for axis in axes],
        dilations=[axis.dilation for axis in axes],
        pads=[axis.before for axis in axes] + [axis.after for axis in axes],
        kernel_shape=[axis.window for axis in axes],
    )  # fmt: skip
    return _channels_last(to, y, rank)


def _by_cells(to: NetworkExporter, layer: Any, x: str, axes: Sequence[Axis]) -> str:
    """Append a product of the kernel and the cells that it sees."""
    graph, kernel, groups = to.graph, to.array("kernel"), int(layer.groups)
    *_, depth, filters = kernel.shape
    x, rank = graph.pad(x, _margins(axes)), len(axes)
    if groups > 1:
        x = graph.reshape(x, [*[0] * (rank + 1), groups, 1, depth])
    cells = graph.concat(_cells(to, x, axes), axis=-1)
    weights = kernel.reshape(-1, groups, filters // groups).swapaxes(0, 1)
    y = graph.node("MatMul", [cells, graph.number(weights if groups > 1 else weights[0], "kernel")])
    if groups > 1:
        y = graph.reshape(y, [*[0] * (rank + 1), filters])
    return graph.node("Add", [y, to.constant("bias")]) if layer.use_bias else y


@form_of(Bottleneck)
def bottleneck(to: NetworkExporter, layer: Bottleneck, x: Value) -> Value:
    """Append the convolution, or nothing for one channel."""
    made = layer.convolution((_MANY, x.shape[-1] or 0))
    return x if made is None else convolution(to, made, x)


@form_of(MaxPool1D, MaxPool2D)
def max_pool(to: NetworkExporter, layer: MaxPool1D | MaxPool2D, x: Value) -> Value:
    """Append the maximum over each window, without what is beyond the edges."""
    axes, places = _axes(layer, x)
    rank = len(axes)
    padded = to.graph.pad(x.name, _margins(axes), -np.inf)
    y = to.graph.node(
        "MaxPool", [_channels_first(to, padded, rank)],
        kernel_shape=[axis.window for axis in axes], strides=[axis.stride for axis in axes],
    )  # fmt: skip
    y = _channels_last(to, y, rank)
    return Value(y, (*places, x.shape[-1]), _after(to, x, axes[-1]))


@form_of(AveragePool1D, AveragePool2D)
def mean_pool(to: NetworkExporter, layer: AveragePool1D | AveragePool2D, x: Value) -> Value:
    """Append the sum over each window, divided by its number of cells inside the edges."""
    graph, (axes, places) = to.graph, _axes(layer, x)
    cells = _cells(to, graph.pad(x.name, _margins(axes)), axes)
    total = cells[0] if len(cells) == 1 else graph.node("Sum", cells)
    counts: Any = math.prod(axis.window for axis in axes)
    if any(map(any, _margins(axes))):
        counts = np.ones(1)
        for axis in axes:
            starts = np.arange(axis.places) * axis.stride - axis.before
            ends = np.minimum(starts + axis.window, axis.size)
            counts = np.multiply.outer(counts, ends - np.maximum(starts, 0))
        counts = counts[0, ..., np.newaxis]
    y = graph.node("Div", [total, counts])
    return Value(y, (*places, x.shape[-1]), _after(to, x, axes[-1]))


# --- over all places -----------------------------------------------------------------------------


@form_of(GlobalAveragePool)
def global_mean(to: NetworkExporter, layer: GlobalAveragePool, x: Value) -> Value:
    """Append the mean over all places before the padding, zero without any."""
    graph, axes = to.graph, range(1, len(x.shape))
    if not axes:
        return x
    if x.lengths is None:
        return Value(graph.reduce("ReduceMean", x.name, axes), x.shape[-1:])
    total = graph.reduce("ReduceSum", to.trimmed(x), axes)
    count = graph.cast(graph.node("Max", [x.lengths, graph.whole(1)]), graph.dtype)
    y = graph.node("Div", [total, graph.reshape(count, [-1, 1])])
    return Value(y, x.shape[-1:])


@form_of(GlobalMaxPool)
def global_max(to: NetworkExporter, layer: GlobalMaxPool, x: Value) -> Value:
    """Append the maximum over all places before the padding, zero without any."""
    graph, axes = to.graph, range(1, len(x.shape))
    if not axes:
        return x
    if x.lengths is None:
        return Value(graph.reduce("ReduceMax", x.name, axes), x.shape[-1:])
    own = graph.node("Where", [to.mask(x), x.name, -np.inf])
    largest = graph.reduce("ReduceMax", own, axes)
    return Value(to.unless_empty(x, largest), x.shape[-1:])


@form_of(LastStep)
def last_step(to: NetworkExporter, layer: LastStep, x: Value) -> Value:
    """Append the last step before the padding, zero without any."""
    return to.last_step(x)
