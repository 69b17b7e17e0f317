"""What MLPClassifier and MLPRegressor have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions

from sklearn_nn.estimators._base import BaseNetwork
from sklearn_nn.estimators._callbacks import with_callbacks
from sklearn_nn.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_nn.layers import Activation, BatchNorm, Dense, Dropout, GaussianNoise
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.network.initializers import GlorotUniform


class BaseMLP(BaseNetwork):
    """Dense layers of `hidden_layer_sizes` units, each with an activation and dropout."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        **TRAINING_CONSTRAINTS,
    }

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets: class labels in classification, numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            A validation set. With `early_stopping` it takes the place of the split; without, its
            score is recorded in `validation_scores_` after each epoch. Not used by 'lbfgs'.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation set.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation set.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not valid, or if training diverges. In the last case
            the weights from before the epoch that diverged are kept; otherwise the estimator is
            as it was before.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _hidden_sizes(self):
        sizes = self.hidden_layer_sizes
        sizes = list(sizes) if hasattr(sizes, "__iter__") else [sizes]
        if any(not isinstance(size, Integral) or size <= 0 for size in sizes):
            raise ValueError(f"hidden_layer_sizes must be > 0, got {sizes}; pass whole numbers.")
        return [int(size) for size in sizes]

    def _dropout_rates(self, n_layers):
        """The rate of each hidden layer."""
        if isinstance(self.dropout, Real):
            return [float(self.dropout)] * n_layers
        rates = list(self.dropout)
        if len(rates) != n_layers or not all(isinstance(r, Real) and 0 <= r < 1 for r in rates):
            raise ValueError(
                f"dropout={self.dropout!r} must be one rate in [0, 1), or one for each of the "
                f"{n_layers} hidden layers."
            )
        return rates

    def _initializers(self):
        """What draws weights, and what draws biases."""
        # Glorot's scale for logistic units, and biases drawn like weights: as scikit-learn does.
        own = GlorotUniform(2.0 if self.activation == "logistic" else 6.0)
        return [
            own if isinstance(name, str) and name == "glorot_uniform" else name
            for name in (self.weight_init, self.bias_init)
        ]

    def _layers(self):
        kernel, bias = self._initializers()
        draws = {"kernel_initializer": kernel, "bias_initializer": bias}
        sizes = self._hidden_sizes()
        layers = [("noise", GaussianNoise(self.input_noise))] if self.input_noise else []
        for i, (units, rate) in enumerate(
            zip(sizes, self._dropout_rates(len(sizes)), strict=True), 1
        ):
            layers.append((f"dense{i}", Dense(units, **draws)))
            if self.batch_norm:
                layers.append((f"batchnorm{i}", BatchNorm()))
            layers.append((f"activation{i}", Activation(self.activation)))
            if rate:
                layers.append((f"dropout{i}", Dropout(rate)))
        self.n_layers_ = len(sizes) + 2
        self.out_activation_ = self._loss().link
        return [*layers, ("output", Dense(self.n_outputs_, **draws))]

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
        for layer, name, *_ in self._layout:
            if name not in named:
                seen.append(self.layers_[layer][name])
            elif named[name]:
                seen.append(named[name].pop(0))
        return [*seen, *named["kernel"], *named["bias"]]
