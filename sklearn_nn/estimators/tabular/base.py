"""What TabularClassifier and TabularRegressor have in common."""

from __future__ import annotations

from abc import abstractmethod
from numbers import Integral, Real
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import _fit_context
from sklearn.utils._param_validation import Interval, StrOptions, validate_parameter_constraints
from sklearn.utils.validation import _check_sample_weight, _num_samples

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder
from sklearn_nn.estimators._inputs.table.rows import TableRows
from sklearn_nn.estimators.tabular.layers import (
    CHOICES,
    N_BINS,
    PERIODIC,
    PIECEWISE_LINEAR,
    Plan,
)
from sklearn_nn.estimators.tabular.recipes import RECIPES
from sklearn_nn.estimators.tabular.several_networks import SeveralNetworks
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS

AUTO = "auto"
#: Bytes of encoded rows that prediction makes at a time.
_BLOCK_BYTES = 8 * 2**20
#: Parameters that a recipe may give.
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


class BaseTabular(SeveralNetworks, BaseNetwork):
    """A table, encoded, and networks for tables, with a recipe for their training."""

    #: What is learnt for the output.
    _OF_OUTPUT: ClassVar[tuple[str, ...]] = ()
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
            Weights of the rows. A row of weight 0 is as if it were not there.
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
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    # --- the recipe ----------------------------------------------------------------------

    @abstractmethod
    def _kind(self):
        """What is learnt: one of `KINDS`."""

    def _recipe(self):
        return RECIPES[self.architecture]

    def _setting(self, name):
        value = getattr(self, name)
        return self.recipe_[name] if isinstance(value, str) and value == AUTO else value

    def _settings(self):
        return {**self.recipe_, **super()._settings()}

    def _decay_schedule(self):
        return self._recipe().decay_schedule

    def _batch_size(self, n_samples):
        return min(self._setting("batch_size"), n_samples)

    def _layers(self):
        encoder, settings = self.encoder_, self._settings()
        self.out_activation_ = self._loss().link
        plan = Plan(
            n_numbers=encoder.n_numbers_,
            cardinalities=encoder.cardinalities_,
            bins=self._bins,
            n_outputs=self.n_outputs_,
            **{name: settings[name] for name in CHOICES},
        )
        return self._recipe().layers(plan)

    # --- what is read --------------------------------------------------------------------

    def _has_weights(self):
        return hasattr(self, "layers_")

    def _sample_shape(self):
        return (self.encoder_.n_features_out_,)

    def _prepare(self, X, y, sample_weight, validation, goes_on):
        if goes_on is None:
            self._learn_recipe(X, sample_weight)
        elif goes_on == "warm":
            self.recipe_ = {**self.recipe_, "n_networks": 1}
        if goes_on in (None, "warm"):
            self._begin_networks(goes_on)
        if goes_on is None:
            self._fit_encoder(X, sample_weight)
        rows = self._read(X, y, sample_weight)
        if goes_on is None:
            self._learn_from(rows)
        return super()._prepare(rows, rows.y, rows, validation, goes_on)

    def _learn_recipe(self, X, sample_weight):
        """Settle what is "auto"."""
        n_rows = _num_samples(X)
        if sample_weight is not None:
            n_rows = np.count_nonzero(_check_sample_weight(sample_weight, X))
        self.recipe_ = self._recipe().parameters(n_rows, self._kind())
        if self.warm_start:
            self.recipe_["n_networks"] = 1

    def _fit_encoder(self, X, sample_weight):
        """Learn what the columns of the table are, and publish it."""
        encoder = TableEncoder(
            self.categorical_features,
            numeric=self._setting("numeric"),
            max_one_hot=self._setting("max_one_hot"),
            dtype=self.dtype,
        )
        self.encoder_ = encoder._learn(X, sample_weight, self)
        self._encoder_state = encoder.state()
        self.n_features_in_ = encoder.n_features_in_
        self.__dict__.pop("feature_names_in_", None)
        if hasattr(encoder, "feature_names_in_"):
            self.feature_names_in_ = encoder.feature_names_in_

    def _read(self, X, y, sample_weight):
        """The rows to be fitted to."""
        values, y = self._validate(X, y, reset=False)
        if sample_weight is not None:
            sample_weight = _check_sample_weight(sample_weight, values, ensure_non_negative=True)
        rows = TableRows(values, y, sample_weight).without_weightless()
        # As one batch, they are the same whatever their order.
        n_rows = len(rows.values)
        is_one_batch = self._batch_size(n_rows) == n_rows
        return rows.distinct() if is_one_batch else rows

    def _learn_from(self, rows):
        """Learn from the rows what the network needs to know before it is made."""
        self._bins = None
        if self._setting("num_embedding") == PIECEWISE_LINEAR:
            self._bins = self.encoder_.bin_edges(rows.values, N_BINS, rows.weight)

    def _validate(self, X, y, *, reset):
        if isinstance(X, TableRows):  # read before
            return X.values, y
        values = self.encoder_.encode(X, self)
        y = y.toarray() if sparse.issparse(y) else y
        return values, self._validate_target(y, values)

    def _sample_weight(self, sample_weight, X):
        if isinstance(sample_weight, TableRows):  # read before
            return sample_weight.weight
        return super()._sample_weight(sample_weight, X)

    def _row_blocks(self, X, dtype):
        n_rows = max(1, _BLOCK_BYTES // (8 * self.encoder_.n_features_out_))
        for values in self.encoder_.encode_blocks(X, n_rows, self):
            yield self._encode_rows(values, dtype)

    # --- what was learnt -----------------------------------------------------------------

    def _needed(self):
        of_networks = ("_earlier", "histories_", "_split_seed")
        of_tables = ("_encoder_state", "_bins", "recipe_", "n_features_in_")
        return (*super()._needed(), *of_networks, *of_tables, *self._OF_OUTPUT)

    def _check_learnt(self):
        super()._check_learnt()
        wanted = self._recipe().parameters(1, self._kind())
        if set(self.recipe_) != set(wanted):
            raise ValueError("a recipe that is none")
        constraints = {**TRAINING_CONSTRAINTS, **_AUTOMATIC}
        validate_parameter_constraints(constraints, self.recipe_, "the recipe")
        names = [vars(known).get("feature_names_in_", ()) for known in (self, self.encoder_)]
        if self.n_features_in_ != self.encoder_.n_features_in_ or list(names[0]) != list(names[1]):
            raise ValueError("an encoder of other columns")

    _transient = (*BaseNetwork._transient, "encoder_")

    def __setstate__(self, state):
        if "_encoder_state" in state:
            self.encoder_ = TableEncoder.from_state(state["_encoder_state"])
        super().__setstate__(state)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = False
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        return tags
