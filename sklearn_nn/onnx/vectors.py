"""Forms of dense layers, normalizations, changes of shape, and layers that only act in training."""

from __future__ import annotations

import numpy as np

from sklearn_nn.layers.augmentation.affine import RandomRotation, RandomTranslation, RandomZoom
from sklearn_nn.layers.augmentation.values import Mixup, RandomBrightness, RandomContrast
from sklearn_nn.layers.augmentation.windows import Cutout, RandomCrop, RandomFlip
from sklearn_nn.layers.dense import Dense, TimeDistributed
from sklearn_nn.layers.dropout import Dropout, GaussianNoise
from sklearn_nn.layers.merge import Add, Members, Parallel, Residual, named_layers
from sklearn_nn.layers.normalization import BatchNorm, LayerNorm
from sklearn_nn.layers.shape import Flatten, Reshape, ZeroPad
from sklearn_nn.layers.standardize import Standardize
from sklearn_nn.onnx.graph import Value
from sklearn_nn.onnx.network import NetworkExporter, form_of


def product(to: NetworkExporter, x: str) -> str:
    """Append x W + b, over the last axis of x."""
    y = to.graph.node("MatMul", [x, to.constant("kernel")])
    return to.graph.node("Add", [y, to.constant("bias")])


@form_of(Dense)
def dense(to: NetworkExporter, layer: Dense, x: Value) -> Value:
    """Append y = x W + b and the activation."""
    return to.activate(layer, Value(product(to, x.name), (int(layer.units),)))


@form_of(TimeDistributed)
def every_step(to: NetworkExporter, layer: TimeDistributed, x: Value) -> Value:
    """Append y_t = x_t W + b and the activation."""
    to.form(layer.layer, dense)
    y = x._replace(name=product(to, x.name), shape=(x.shape[0], int(layer.layer.units)))
    y = to.activate(layer.layer, y)
    return y if y.lengths is None else y._replace(name=to.trimmed(y))


@form_of(Standardize)
def standardize(to: NetworkExporter, layer: Standardize, x: Value) -> Value:
    """Append y = (x - mean) / deviation."""
    y = to.graph.node("Sub", [x.name, to.constant("mean")])
    return x._replace(name=to.graph.node("Div", [y, to.constant("deviation")]))


@form_of(BatchNorm)
def batch_norm(to: NetworkExporter, layer: BatchNorm, x: Value) -> Value:
    """Append y = gamma (x - mean) / standard deviation + beta, by the running statistics."""
    variance = to.array("moving_variance").astype(np.float64) + layer.epsilon
    y = to.graph.node("Sub", [x.name, to.constant("moving_mean")])
    factor = to.graph.number(to.array("gamma") / np.sqrt(variance), "factor")
    y = to.graph.node("Mul", [y, factor])
    return x._replace(name=to.graph.node("Add", [y, to.constant("beta")]))


@form_of(LayerNorm)
def layer_norm(to: NetworkExporter, layer: LayerNorm, x: Value) -> Value:
    """Append y = gamma (x - mean) / standard deviation + beta, over the channels of a place."""
    graph = to.graph
    y = graph.node("Sub", [x.name, graph.reduce("ReduceMean", x.name, [-1], keepdims=True)])
    squares = graph.node("Mul", [y, y])
    variance = graph.reduce("ReduceMean", squares, [-1], keepdims=True)
    deviation = graph.node("Sqrt", [graph.node("Add", [variance, layer.epsilon])])
    y = graph.node("Mul", [graph.node("Div", [y, deviation]), to.constant("gamma")])
    return x._replace(name=graph.node("Add", [y, to.constant("beta")]))


# --- shapes ------------------------------------------------------------------------------------


@form_of(Flatten, Reshape)
def reshape(to: NetworkExporter, layer: Flatten | Reshape, x: Value) -> Value:
    """Append a reshape of each sample."""
    shape = layer.output_shape(x.sizes)
    return Value(to.graph.reshape(x.name, [0, *shape]), shape)


@form_of(ZeroPad)
def zero_pad(to: NetworkExporter, layer: ZeroPad, x: Value) -> Value:
    """Append zeros around images, or before and after sequences."""
    margins = layer.margins(x.sizes)
    name = to.graph.pad(x.name, [(0, 0), *margins, (0, 0)])
    return Value(name, layer.output_shape(x.sizes))


# --- branches ----------------------------------------------------------------------------------


@form_of(Parallel, Members, Add, Residual)
def branches(to: NetworkExporter, layer: Parallel | Members | Add | Residual, x: Value) -> Value:
    """Append all branches, and their concatenation, stack or sum."""
    ends = []
    for prefix, layers in layer.named_branches():
        end = x
        for name, inner in named_layers(layers):
            end = to.add(prefix + name, inner, end)
        ends.append(end)
    names = [end.name for end in ends]
    if isinstance(layer, Members):
        rows = [to.graph.node("Unsqueeze", [name, to.graph.whole(1)]) for name in names]
        return Value(to.graph.concat(rows, axis=1), (len(ends), *ends[0].shape))
    if isinstance(layer, Parallel):
        channels = sum(end.shape[-1] or 0 for end in ends)
        shape = (*ends[0].shape[:-1], channels)
        return ends[0]._replace(name=to.graph.concat(names, axis=-1), shape=shape)
    return ends[0]._replace(name=to.graph.node("Sum", names))


# --- layers that act in training ---------------------------------------------------------------


@form_of(Dropout, GaussianNoise, Mixup)
@form_of(RandomTranslation, RandomRotation, RandomZoom)
@form_of(RandomBrightness, RandomContrast, RandomFlip, Cutout)
def nothing(to: NetworkExporter, layer: object, x: Value) -> Value:
    """Append nothing: in prediction the layer changes nothing."""
    return x


def _folded(places: np.ndarray, size: int, mode: str) -> np.ndarray:
    """Return the places inside an axis whose values fill others; -1 for the constant."""
    if mode == "reflect":
        places = places % (2 * size)
        return np.minimum(places, 2 * size - 1 - places)
    if mode == "wrap":
        return places % size
    if mode == "nearest":
        return places.clip(0, size - 1)
    return np.where((places >= 0) & (places < size), places, -1)


@form_of(RandomCrop)
def centre(to: NetworkExporter, layer: RandomCrop, x: Value) -> Value:
    """Append the window at the centre, filled beyond the edges."""
    shape, name, graph = layer.output_shape(x.sizes), x.name, to.graph
    for axis, (size, window) in enumerate(zip(x.sizes[:-1], shape[:-1], strict=True), 1):
        if size == window:
            continue
        places = _folded((size - window) // 2 + np.arange(window), size, layer.fill_mode)
        index = graph.whole(*places.clip(0).tolist())
        name = graph.node("Gather", [name, index], axis=axis)
        if places.min() < 0:
            inside = (places >= 0).reshape(-1, *[1] * (len(shape) - axis))
            name = graph.node("Where", [graph.constant(inside, "inside"), name, layer.fill_value])
    return Value(name, shape)
