"""What MLPClassifier and MLPRegressor have in common."""

from __future__ import annotations

from numbers import Integral
from typing import ClassVar

from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._base import BaseNetwork
from sklearn_nn.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._presets import check_sizes, draws, hidden_layers
from sklearn_nn.layers import Dense, GaussianNoise
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS


class BaseMLP(BaseNetwork):
    """Dense layers of `hidden_layer_sizes` units, each with an activation and dropout."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        **TRAINING_CONSTRAINTS,
    }

    #: As in scikit-learn.
    _counts_rows = True

    def _loss_decides(self):
        # Where scikit-learn's MLP can do the same, it keeps the first of equal scores.
        return self.early_stopping == "best" or self.scoring is not None

    def _layers(self):
        kernel, bias = draws(self)
        noise = [("noise", GaussianNoise(self.input_noise))] if self.input_noise else []
        output = Dense(self.n_outputs_, kernel_initializer=kernel, bias_initializer=bias)
        self.n_layers_ = len(check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)) + 2
        self.out_activation_ = self._loss().link
        return [*noise, *hidden_layers(self), ("output", output)]

    def _needed(self):
        return (*super()._needed(), "n_features_in_")

    # --- weights under scikit-learn's names -----------------------------------------------

    _transient = (*BaseNetwork._transient, "coefs_", "intercepts_")

    def _has_weights(self):
        return hasattr(self, "coefs_")

    def _publish_views(self):
        super()._publish_views()
        dense = [layer for layer in self.layers_.values() if "kernel" in layer]
        self.coefs_ = [layer["kernel"] for layer in dense]
        self.intercepts_ = [layer["bias"] for layer in dense]

    def _seen_arrays(self):
        if "_layout" not in self.__dict__:  # weights that were set before there was a network
            return [a for pair in zip(self.coefs_, self.intercepts_, strict=True) for a in pair]
        named = {"kernel": list(self.coefs_), "bias": list(self.intercepts_)}
        seen = []
        for (layer, name, *_), view in zip(self._layout, self._views, strict=True):
            array = self.layers_[layer][name]
            if name in named:
                if not named[name]:  # a list that is too short
                    continue
                other = named[name].pop(0)
                array = array if other is view else other  # whichever was replaced
            seen.append(array)
        return [*seen, *named["kernel"], *named["bias"]]
