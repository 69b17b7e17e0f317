"""Forms of the layers of tables: embeddings of numbers and categories, scales, and members."""

from __future__ import annotations

import math

import numpy as np

from sklearn_nn.layers.embedding import CategoryEmbedding
from sklearn_nn.layers.tabular.linear import NTPLinear, ScaleFeatures
from sklearn_nn.layers.tabular.members import (
    MeanOverMembers,
    MemberHeads,
    MemberLinear,
    MemberScale,
)
from sklearn_nn.layers.tabular.number_embedding import PeriodicEmbedding, PiecewiseLinearEmbedding
from sklearn_nn.onnx.graph import Value
from sklearn_nn.onnx.network import NetworkExporter, form_of


@form_of(ScaleFeatures)
def scale_features(to: NetworkExporter, layer: ScaleFeatures, x: Value) -> Value:
    """Append y = scale x."""
    return x._replace(name=to.graph.node("Mul", [x.name, to.constant("scale")]))


@form_of(NTPLinear)
def ntp_linear(to: NetworkExporter, layer: NTPLinear, x: Value) -> Value:
    """Append y = x W / sqrt(inputs) + b."""
    kernel = to.array("kernel").astype(np.float64)
    y = to.graph.node("MatMul", [x.name, kernel / math.sqrt(len(kernel))])
    return Value(to.graph.node("Add", [y, to.constant("bias")]), (int(layer.units),))


# --- members -------------------------------------------------------------------------------------


def _spread(to: NetworkExporter, x: Value, name: str) -> str:
    """Append the product of vectors, or of each member's, and the factors of each member."""
    own = x.name
    if len(x.shape) == 1:
        own = to.graph.reshape(x.name, [0, 1, *x.sizes])
    return to.graph.node("Mul", [own, to.constant(name)])


@form_of(MemberScale)
def member_scale(to: NetworkExporter, layer: MemberScale, x: Value) -> Value:
    """Append y_m = r_m x_m."""
    return Value(_spread(to, x, "scale"), layer.output_shape(x.sizes))


@form_of(MemberLinear)
def member_linear(to: NetworkExporter, layer: MemberLinear, x: Value) -> Value:
    """Append y_m = ((x_m r_m) W) s_m + b_m."""
    y = to.graph.node("MatMul", [_spread(to, x, "input_scale"), to.constant("kernel")])
    y = to.graph.node("Mul", [y, to.constant("output_scale")])
    y = to.graph.node("Add", [y, to.constant("bias")])
    return Value(y, layer.output_shape(x.sizes))


def _products(to: NetworkExporter, x: str, kernels: np.ndarray) -> str:
    """Append x_k W_k for every k; x is (n, k, inputs) and the kernels (k, inputs, units)."""
    count, inputs, units = kernels.shape
    rows = to.graph.reshape(x, [0, count, 1, inputs])
    y = to.graph.node("MatMul", [rows, to.graph.number(kernels, "kernel")])
    return to.graph.reshape(y, [0, count, units])


@form_of(MemberHeads)
def member_heads(to: NetworkExporter, layer: MemberHeads, x: Value) -> Value:
    """Append y_m = x_m W_m + b_m."""
    y = _products(to, x.name, to.array("kernel"))
    y = to.graph.node("Add", [y, to.constant("bias")])
    return Value(y, layer.output_shape(x.sizes))


@form_of(MeanOverMembers)
def mean_over_members(to: NetworkExporter, layer: MeanOverMembers, x: Value) -> Value:
    """Append the mean over members."""
    return Value(to.graph.reduce("ReduceMean", x.name, [1]), x.shape[1:])


# --- embeddings ----------------------------------------------------------------------------------


def _beside(to: NetworkExporter, embedded: str, x: Value, first: int) -> str:
    """Append the columns of x from `first` on behind the embedded ones."""
    width = x.sizes[0]
    rest = [to.graph.slice(x.name, 1, first, width)] if first < width else []
    return to.graph.concat([embedded, *rest], axis=1)


@form_of(PeriodicEmbedding)
def periodic(to: NetworkExporter, layer: PeriodicEmbedding, x: Value) -> Value:
    """Append (x, cos(2 pi w x + p) W + b) for every feature."""
    graph, kernel = to.graph, to.array("kernel")
    count, _, units = kernel.shape
    numbers = graph.reshape(graph.slice(x.name, 1, 0, count), [0, count, 1])
    phases = to.array("phases").astype(np.float64) / (2 * math.pi)
    turns = graph.node("Add", [graph.node("Mul", [numbers, to.constant("frequencies")]), phases])
    # Full turns are taken off before the product with 2 pi, which would round them.
    part = graph.node("Sub", [turns, graph.node("Round", [turns])])
    waves = graph.node("Cos", [graph.node("Mul", [part, 2 * math.pi])])
    y = graph.node("Add", [_products(to, waves, kernel), to.constant("bias")])
    y = graph.reshape(graph.concat([numbers, y], axis=2), [0, count * (units + 1)])
    return Value(_beside(to, y, x, count), layer.output_shape(x.sizes))


@form_of(PiecewiseLinearEmbedding)
def piecewise_linear(to: NetworkExporter, layer: PiecewiseLinearEmbedding, x: Value) -> Value:
    """Append b + sum over bins of e W (+ x s); e is the clipped place of x in a bin."""
    graph, counts = to.graph, to.array("counts").astype(np.int64)
    features, most = len(counts), int(counts.max())
    is_bin = np.arange(most) < counts[:, np.newaxis]

    def by_feature(values: np.ndarray) -> np.ndarray:
        """Return the values of all bins by feature, with zeros behind the last of a feature."""
        table = np.zeros((*is_bin.shape, *values.shape[1:]), graph.dtype)
        table[is_bin] = values
        return table

    numbers = graph.reshape(graph.slice(x.name, 1, 0, features), [0, features, 1])
    begins, scales = by_feature(to.array("begins")), by_feature(to.array("scales"))
    e = graph.node("Mul", [graph.node("Sub", [numbers, begins]), scales])
    # The first and the last bin of a feature have no end.
    edge = np.finfo(graph.dtype).max
    least, largest = np.zeros(is_bin.shape), np.ones(is_bin.shape)
    least[:, 0], largest[np.arange(features), counts - 1] = -edge, edge
    e = graph.node("Min", [graph.node("Max", [e, least]), largest])
    y = _products(to, e, by_feature(to.array("kernel")))
    y = graph.node("Add", [y, to.constant("bias")])
    if layer.linear:
        y = graph.node("Add", [y, graph.node("Mul", [numbers, to.constant("slopes")])])
    if layer.activation == "relu":
        y = graph.node("Relu", [y])
    y = graph.reshape(y, [0, features * int(layer.units)])
    return Value(_beside(to, y, x, features), layer.output_shape(x.sizes))


@form_of(CategoryEmbedding)
def categories(to: NetworkExporter, layer: CategoryEmbedding, x: Value) -> Value:
    """Append the numbers, then a row of each category's table, or zeros for an invalid code."""
    graph, sizes = to.graph, to.array("sizes").astype(np.int64)
    width, tables, (total, columns) = x.sizes[0], len(sizes), to.array("embeddings").shape
    codes = graph.slice(x.name, 1, width - tables, width)
    is_code = graph.node(
        "And",
        [graph.node("GreaterOrEqual", [codes, 0]), graph.node("Less", [codes, sizes])],
    )
    codes = graph.cast(graph.node("Where", [is_code, codes, 0]), np.int64)
    rows = graph.node("Add", [codes, graph.whole(*(np.cumsum(sizes) - sizes).tolist())])
    rows = graph.node("Where", [is_code, rows, graph.constant(np.int64(total), "int64")])
    table = np.concatenate([to.array("embeddings"), np.zeros((1, columns))])
    found = graph.node("Gather", [graph.number(table, "embeddings"), rows], axis=0)
    found = graph.reshape(found, [0, tables * columns])
    numbers = [graph.slice(x.name, 1, 0, width - tables)] if tables < width else []
    return Value(graph.concat([*numbers, found], axis=1), layer.output_shape(x.sizes))
