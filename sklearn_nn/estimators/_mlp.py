"""What MLPClassifier and MLPRegressor have in common."""

from __future__ import annotations

from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, Options, StrOptions

from sklearn_nn.estimators._base import BaseNetwork
from sklearn_nn.layers import Activation, Dense, Dropout
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.network.initializers import GlorotUniform
from sklearn_nn.training.optimizers import SGD, Adam
from sklearn_nn.training.schedules import Adaptive, Constant, InverseScaling


class BaseMLP(BaseNetwork):
    """Dense layers of `hidden_layer_sizes` units, each with an activation and dropout."""

    _parameter_constraints: ClassVar[dict] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        "solver": [StrOptions({"lbfgs", "sgd", "adam"})],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions({"constant", "invscaling", "adaptive"})],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "power_t": [Interval(Real, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "warm_start": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="both")],
        "nesterovs_momentum": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "n_iter_no_change": [
            Interval(Integral, 1, None, closed="left"),
            Options(Real, {np.inf}),
        ],
        "max_fun": [Interval(Integral, 1, None, closed="left")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "n_jobs": [Integral, None],
        "dtype": [StrOptions({"auto", "float32", "float64"})],
    }

    @_fit_context(prefer_skip_nested_validation=True)
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

    def _layers(self):
        # Glorot's scale for logistic units, and biases drawn like weights: as scikit-learn does.
        draw = GlorotUniform(2.0 if self.activation == "logistic" else 6.0)
        layers = []
        for i, units in enumerate(self._hidden_sizes(), 1):
            dense = Dense(units, kernel_initializer=draw, bias_initializer=draw)
            layers.append((f"dense{i}", dense))
            layers.append((f"activation{i}", Activation(self.activation)))
            layers.append((f"dropout{i}", Dropout(self.dropout)))
        output = Dense(self.n_outputs_, kernel_initializer=draw, bias_initializer=draw)
        self.n_layers_ = len(self._hidden_sizes()) + 2
        self.out_activation_ = self._loss().link
        return [*layers, ("output", output)]

    def _optimizer_and_schedule(self):
        if self.solver == "adam":
            # scikit-learn's adam does not heed `learning_rate`.
            return Adam(self.beta_1, self.beta_2, self.epsilon), Constant()
        schedules = {
            "constant": Constant(),
            "invscaling": InverseScaling(self.power_t),
            "adaptive": Adaptive(),
        }
        return SGD(self.momentum, self.nesterovs_momentum), schedules[self.learning_rate]

    # --- weights under scikit-learn's names -----------------------------------------------

    _transient = (*BaseNetwork._transient, "coefs_", "intercepts_")

    def _has_weights(self):
        return hasattr(self, "coefs_")

    def _publish_views(self):
        super()._publish_views()
        self.coefs_ = [layer["kernel"] for layer in self.layers_.values()]
        self.intercepts_ = [layer["bias"] for layer in self.layers_.values()]

    def _seen_arrays(self):
        pairs = zip(self.coefs_, self.intercepts_, strict=True)
        return [array for pair in pairs for array in pair]
