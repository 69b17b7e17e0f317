"""What CNNClassifier and CNNRegressor have in common."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._layer_list import LayerList
from sklearn_nn.estimators._network import SHAPE_CONSTRAINTS, Shaped
from sklearn_nn.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._presets import check_sizes, draws, hidden_layers
from sklearn_nn.layers import (
    Activation,
    AveragePool1D,
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Flatten,
    GaussianNoise,
    MaxPool1D,
    MaxPool2D,
)
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.layers.names import repeated_name

_POOLS = {("max", 1): MaxPool1D, ("max", 2): MaxPool2D}
_POOLS |= {("average", 1): AveragePool1D, ("average", 2): AveragePool2D}
_POSITIVE = [Interval(Integral, 1, None, closed="left"), tuple, list]


class BaseCNN(LayerList, Shaped):
    """Augmentation, convolutions, each with activation and pooling, then dense layers."""

    _layers_parameter = "augmentation"

    _parameter_constraints: ClassVar[dict] = {
        "filters": _POSITIVE,
        "kernel_size": _POSITIVE,
        "strides": _POSITIVE,
        "padding": [StrOptions({"same", "valid"})],
        "pool_size": [*_POSITIVE, None],
        "pooling": [StrOptions({"max", "average"})],
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        "augmentation": [list, tuple, None],
        **SHAPE_CONSTRAINTS,
        **TRAINING_CONSTRAINTS,
    }

    def _goes_by_place(self):
        return True

    def _shape_of_rows(self, n_features):
        return (n_features, 1)  # a signal of one channel

    def _has_channels(self, n_axes):
        # Two axes are grey images, but where `input_shape` says that they are signals.
        return super()._has_channels(n_axes) and (n_axes != 2 or self.input_shape is not None)

    def _shape_of_planes(self, shape):
        return (*shape, 1)  # grey images

    def _of_each(self, name, n):
        """A parameter's value for each convolution."""
        value = getattr(self, name)
        if not isinstance(value, tuple | list):
            return [value] * n
        if len(value) != n:
            raise ValueError(
                f"{name}={value!r} has {len(value)} values for {n} convolutions (filters="
                f"{self.filters!r}); pass one value for all, or one for each."
            )
        return list(value)

    def _augmentation(self):
        """The layers that change samples while training, which stand before all others."""
        pairs = self._listed_layers() if self.augmentation else []
        for _, layer in pairs:
            if not layer.is_random:
                raise ValueError(
                    f"augmentation holds {layer!r}, which does not act in training alone; it is "
                    "for layers such as RandomFlip, RandomCrop, Mixup, GaussianNoise and Dropout."
                )
        return pairs

    def _layers(self):
        kernel, bias = draws(self)
        rank = len(self._sample_shape()) - 1
        if rank not in (1, 2):
            raise ValueError(
                f"input_shape={self.input_shape_}: convolutions need (steps, channels) or (height, "
                "width, channels)."
            )
        convolution, pool = (Conv1D, Conv2D)[rank - 1], _POOLS[self.pooling, rank]
        filters = check_sizes("filters", self.filters)
        n = len(filters)
        sizes, strides = self._of_each("kernel_size", n), self._of_each("strides", n)
        layers = self._augmentation()
        if self.input_noise:
            layers.append(("noise", GaussianNoise(self.input_noise)))
        for i, window in enumerate(self._of_each("pool_size", n)):
            layer = convolution(
                filters[i],
                sizes[i],
                strides=strides[i],
                padding=self.padding,
                kernel_initializer=kernel,
                bias_initializer=bias,
            )
            layers.append((f"conv{i + 1}", layer))
            if self.batch_norm:
                layers.append((f"convnorm{i + 1}", BatchNorm()))
            layers.append((f"convactivation{i + 1}", Activation(self.activation)))
            if window not in (None, 1):
                layers.append((f"pool{i + 1}", pool(window, padding=self.padding)))
        layers = [*layers, ("flatten", Flatten()), *hidden_layers(self)]
        if (name := repeated_name(layers)) is not None:
            raise ValueError(
                f"augmentation has the name {name!r}, which another layer of the network has; use "
                "another."
            )
        return self._with_output(layers)
