"""Base of TabularClassifier and TabularRegressor."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import ClassVar

from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.fit import mode_of
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder
from sklearn_nn.estimators._inputs.table.reader import TableReader
from sklearn_nn.estimators.tabular.fit import TableFit
from sklearn_nn.estimators.tabular.layers import (
    CHOICES,
    PERIODIC,
    PIECEWISE_LINEAR,
    Plan,
)
from sklearn_nn.estimators.tabular.recipes import RECIPES
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS

AUTO = "auto"
#: Parameters whose value may be "auto": then the recipe gives it.
_AUTOMATIC = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
    "n_networks": [Interval(Integral, 1, None, closed="left")],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "num_embedding": [StrOptions({PERIODIC, PIECEWISE_LINEAR}), None],
    "numeric": [StrOptions({"robust", "quantile"})],
    "max_one_hot": [Interval(Integral, 0, None, closed="left")],
    "dropout": TRAINING_CONSTRAINTS["dropout"],
    "batch_size": TRAINING_CONSTRAINTS["batch_size"],
    "learning_rate": TRAINING_CONSTRAINTS["learning_rate"],
    "learning_rate_init": TRAINING_CONSTRAINTS["learning_rate_init"],
    "weight_decay": [Interval(Real, 0, None, closed="left")],
    "max_iter": TRAINING_CONSTRAINTS["max_iter"],
}
_AS_OTHERS = (
    "learning_rate_factors",
    "early_stopping",
    "validation_fraction",
    "n_iter_no_change",
    "tol",
    "scoring",
    "random_state",
    "verbose",
    "warm_start",
    "callbacks",
    "n_jobs",
)


class BaseTabular(BaseNetwork):
    """Base of estimators for tables: an encoder, networks for tables, a recipe for training."""

    _fit_kind = TableFit
    _input_tags: ClassVar[dict] = {"allow_nan": True, "string": True, "categorical": True}
    _NEEDED = (*BaseNetwork._NEEDED, "histories_", "_split_seed", "recipe_")
    # What recipes leave as it is.
    solver = "adamw"
    alpha = l1_ratio = clipnorm = max_norm = ema_momentum = 0.0
    shuffle = True
    n_restarts = 1

    _parameter_constraints: ClassVar[dict] = {
        "architecture": [StrOptions(set(RECIPES))],
        **{name: [*allowed, StrOptions({AUTO})] for name, allowed in _AUTOMATIC.items()},
        "categorical_features": TableEncoder._parameter_constraints["categorical_features"],
        "refit_full": ["boolean"],
        **{name: TRAINING_CONSTRAINTS[name] for name in _AS_OTHERS},
        "dtype": [StrOptions({"float32", "float64"})],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model to a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table, of pandas, polars or NumPy: numbers, text, categories, truth values; any may
            be missing.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            The targets: class labels in classification, numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Rows with zero weight are ignored.
        X_val : DataFrame or array-like of shape (n_val, n_features), default=None
            A validation table. With `early_stopping` it takes the place of the split; without, its
            loss and score are recorded in `history_` after each epoch.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation table.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation table.

        Returns
        -------
        self : object
            The fitted estimator.

        Raises
        ------
        ValueError, TypeError
            If a parameter or the data is not valid, or if training diverges. In the last case
            the weights from before the epoch that diverged are kept, and where a callback raises
            what it was called with; otherwise the estimator is as it was before.
        """
        validation = X_val, y_val, sample_weight_val
        return self._fit_kind(self, mode_of(self), X, y, sample_weight, validation).run()

    # --- the recipe ----------------------------------------------------------------------

    @abstractmethod
    def _kind(self):
        """Return the kind of target, one of `KINDS`."""

    def _setting(self, name):
        value = getattr(self, name)
        return self.recipe_[name] if isinstance(value, str) and value == AUTO else value

    def _settings(self):
        return {**self.recipe_, **super()._settings()}

    # --- parts -------------------------------------------------------------------------------

    def _make_reader(self):
        return TableReader(
            categorical_features=self.categorical_features,
            numeric=self._setting("numeric"),
            max_one_hot=self._setting("max_one_hot"),
            dtype=self.dtype,
        )

    def _layers(self, reader, n_outputs):
        encoder, settings = reader.encoder, self._settings()
        plan = Plan(
            n_numbers=encoder.n_numbers_,
            cardinalities=encoder.cardinalities_,
            bins=reader.bins,
            n_outputs=n_outputs,
            **{name: settings[name] for name in CHOICES},
        )
        return self._recipe().layers(plan)

    def _recipe(self):
        return RECIPES[self.architecture]

    def _run(self, network, data, layer, n_jobs):
        """Return the mean of what the networks predict; of a layer, the output of the last."""
        if layer is not None:
            return network.run(data, layer, n_jobs)
        networks = [*self._earlier, network]
        total = self._corrected(networks[0].run(data, None, n_jobs), 0)
        for k, other in enumerate(networks[1:], 1):
            total += self._corrected(other.run(data, None, n_jobs), k)
        total /= len(networks)
        return total

    @abstractmethod
    def _corrected(self, output, k):
        """Return the output of network `k` as it is averaged with others."""

    def _judges(self, program, validation):
        """Return callbacks that look at the validation set."""
        return []

    def _remarks(self):
        n = len(self._earlier) + 1
        return (("Networks", f"{n}, each as above"),) if n > 1 else ()

    def _check_loaded(self):
        wanted = self._recipe().parameters(1, self._kind())
        if set(self.recipe_) != set(wanted):
            raise ValueError("a recipe with other parameters")
        constraints = {**TRAINING_CONSTRAINTS, **_AUTOMATIC}
        validate_parameter_constraints(constraints, self.recipe_, "the recipe")
        temperatures = vars(self).get("_temperatures")
        if temperatures is not None and len(temperatures) != len(self._earlier) + 1:
            raise ValueError("temperatures of other networks")
