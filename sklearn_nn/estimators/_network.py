"""What the estimators that are made of a list of layers have in common."""

from __future__ import annotations

import math
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import StrOptions

from sklearn_nn.estimators._base import BaseNetwork
from sklearn_nn.estimators._layer_list import PASSTHROUGH, LayerList
from sklearn_nn.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._sequences import Sequences
from sklearn_nn.estimators._shapes import ShapedInput
from sklearn_nn.layers import (
    Activation,
    AttentionPool,
    Bidirectional,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    GaussianNoise,
    LastStep,
    Layer,
    OneHot,
    Reshape,
)
from sklearn_nn.layers.names import is_named
from sklearn_nn.layers.recurrent import Recurrent
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST

#: Parameters that shape the layers of a preset, and that a list of layers takes the place of.
_OF_PRESETS = ("dropout", "input_noise", "batch_norm", "weight_init", "bias_init")
#: Layers that do the same with each value, wherever it lies.
_OF_EACH_VALUE = Activation | Dropout | GaussianNoise
#: Layers that read samples step by step.
_OF_STEPS = AttentionPool | Bidirectional | Conv1D | Embedding | LastStep | OneHot | Recurrent
SHAPE_CONSTRAINTS: dict = {
    "input_shape": [tuple, list, None],
    "data_format": [StrOptions({CHANNELS_FIRST, CHANNELS_LAST})],
}


class Shaped(ShapedInput, BaseNetwork):
    """Estimators whose samples may have any shape."""

    def _has_weights(self):
        return hasattr(self, "layers_")

    def _needed(self):
        return (*super()._needed(), "n_features_in_", "_seen_shape")

    def _check_learnt(self):
        super()._check_learnt()
        shape = self._seen_shape
        if shape is not None and math.prod(shape) != self.n_features_in_:
            raise ValueError(f"samples of shape {shape} with {self.n_features_in_} values")

    def _with_output(self, layers):
        """The layers, a Flatten where samples are not vectors by then, and the output layer."""
        shape = self._sample_shape()
        for name, layer in layers:
            try:
                shape = layer.output_shape(shape)
            except ValueError as error:
                raise ValueError(f"layer {name!r}: {error}") from error
        flatten = [("flatten", Flatten())] if len(shape) > 1 else []
        self.out_activation_ = self._loss().link
        return [*layers, *flatten, ("output", Dense(self.n_outputs_))]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


class BaseNeuralNetwork(LayerList, Shaped):
    """A list of layers of one's own."""

    _takes_any_length = True

    _parameter_constraints: ClassVar[dict] = {
        "layers": [list, tuple, None],
        **SHAPE_CONSTRAINTS,
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k not in _OF_PRESETS},
    }

    def _layers(self):
        return self._with_output([] if self.layers is None else self._listed_layers())

    def _first_layer(self):
        """The first layer, which may have wishes as to X; None if there is none.

        Every prediction asks for it several times: that the list is valid is seen in `_layers`.
        """
        layers = (entry[1] if is_named(entry) else entry for entry in self.layers or ())
        first = next((layer for layer in layers if layer != PASSTHROUGH), None)
        return first if isinstance(first, Layer) else None

    def _goes_by_place(self):
        """As there; a network that begins by making vectors of samples does not."""
        layers = [entry[1] if is_named(entry) else entry for entry in self.layers or ()]
        first = next((x for x in layers if not isinstance(x, _OF_EACH_VALUE | str)), None)
        return isinstance(first, Layer) and not isinstance(first, Flatten | Reshape)

    def _steps_of_rows(self):
        """As there: of a network with a layer that reads steps, or whose rows are said to be."""
        if self.input_shape is not None:
            shape = tuple(map(int, self.input_shape))
            return shape if len(shape) == 2 else None
        layers = [entry[1] if is_named(entry) else entry for entry in self.layers or ()]
        return (-1, 1) if any(isinstance(layer, _OF_STEPS) for layer in layers) else None

    def _padding_value(self):
        return getattr(self._first_layer(), "padding_value", None)

    def _reads_whole_numbers(self):
        first = self._first_layer()
        return first is not None and first.reads_whole_numbers

    def _encode_rows(self, X, dtype):
        if self._reads_whole_numbers():
            X = X.toarray() if sparse.issparse(X) else X
            values = X.own_values() if isinstance(X, Sequences) else np.ravel(X)
            low, high = (values.min(), values.max()) if values.size else (0, 0)
            whole = bool((values == np.floor(values)).all())
            self._first_layer().check_values(low, high, whole)
        return super()._encode_rows(X, dtype)

    def _blocks(self, X, dtype, divisor):
        if self._reads_whole_numbers():
            return iter([self._encode_rows(X, dtype)])
        return super()._blocks(X, dtype, divisor)
