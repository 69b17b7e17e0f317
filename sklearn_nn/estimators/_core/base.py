"""The one skeleton of fit, partial_fit and predict that all estimators share."""

from __future__ import annotations

import copy
import functools
from abc import ABC, abstractmethod

import numpy as np
from sklearn.base import BaseEstimator, _fit_context
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight

from sklearn_nn._spec import PlainParameters
from sklearn_nn.estimators._core.all_or_nothing import AllOrNothing
from sklearn_nn.estimators._core.as_fitted import AsFitted, as_fitted
from sklearn_nn.estimators._core.callbacks import CallbackSupportMixin, with_callbacks
from sklearn_nn.estimators._core.fit import Training
from sklearn_nn.estimators._core.freezing import Freezing
from sklearn_nn.estimators._core.learnt import LEARNT_BY_TRAINING
from sklearn_nn.estimators._core.parameters import is_lbfgs
from sklearn_nn.estimators._core.saving import Saving
from sklearn_nn.estimators._core.transfer import Transfer
from sklearn_nn.estimators._core.validation import HeldOut
from sklearn_nn.estimators._core.weights import FlatWeights
from sklearn_nn.estimators._inputs.encoding import (
    check_fits,
    check_some_weight,
    is_bytes,
)
from sklearn_nn.estimators._inputs.rows import Reading
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.network.adaptation import adapt
from sklearn_nn.network.machine import predict


class BaseNetwork(
    Training,
    Freezing,
    Transfer,
    HeldOut,
    FlatWeights,
    AsFitted,
    AllOrNothing,
    Saving,
    Reading,
    CallbackSupportMixin,
    PlainParameters,
    BaseEstimator,
    ABC,
):
    """Base of all estimators.

    A subclass says which layers it is made of, how its target is encoded and scored, and which
    optimizer it asks for: the methods of the first block below. The rest is the same for all.
    """

    # --- what a subclass says ------------------------------------------------------------

    @abstractmethod
    def _has_weights(self):
        """Whether there are weights to go on from."""

    @abstractmethod
    def _layers(self):
        """(name, layer) pairs from input to raw output, for `n_outputs_` outputs."""

    @abstractmethod
    def _learn_target(self, y, how):
        """Learn what kind of target y is, or check that it is the kind seen before.

        `how` says how the fit goes on from the last, as `_goes_on` returns it.
        """

    @abstractmethod
    def _encode_target(self, y):
        """Targets of shape (n_samples, n_columns) as numbers."""

    @abstractmethod
    def _loss(self):
        """The loss for the kind of target at hand."""

    @abstractmethod
    def _decode_target(self, target):
        """Encoded targets as a user would pass them."""

    @abstractmethod
    def _validation_score(self, target, output, sample_weight):
        """The score of outputs after the link, which are finite."""

    def _stratify(self, target):
        """What the validation split is stratified by; None for nothing."""
        return

    def _learn_class_weights(self, target, sample_weight, *, incremental):
        """Learn how much each class counts."""

    def _class_weights(self, target):
        """Weights of the samples by class, or None."""
        return

    def _check_target_kind(self):
        """Raise a ValueError if what was learnt of the target, now loaded, contradicts itself."""

    def _setting(self, name):
        """A parameter as training takes it: a subclass may have values that stand for others."""
        return getattr(self, name)

    def _settings(self):
        """All parameters by name, as training takes them."""
        return {name: self._setting(name) for name in self.get_params(deep=False)}

    def _sample_shape(self):
        """Shape of one sample, as the first layer reads it."""
        return (self.n_features_in_,)

    def _form(self):
        """What `lower` is told of the samples that the network is fitted to."""
        return {"shape": self._sample_shape()}

    def _suited_program(self, program, data):
        """The program for the form of some data, given that for the form of those fitted."""
        return program

    def _remarks(self):
        """What a summary says beside the layers: names and texts."""
        return ()

    # --- fit -----------------------------------------------------------------------------

    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
        """Fit the model.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or array of shape \
                (n_samples, ...)
            The samples: vectors, or what else the estimator takes. An array in C order and in the
            type that the network computes in is not copied, nor is one of bytes (uint8), which
            are scaled to 0..1 where samples are images or sequences; so X may be an `np.memmap` of
            a file that is larger than memory.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets: class labels in classification, numbers in regression.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_val : array-like of the form of X, default=None
            A validation set. With `early_stopping` it takes the place of the split; without, its
            loss and score are recorded in `history_` after each epoch. Not used by 'lbfgs'.
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
            the weights from before the epoch that diverged are kept, and where a callback raises
            what it was called with; otherwise the estimator is as it was before.
        """
        return self._fit(X, y, sample_weight, (X_val, y_val, sample_weight_val))

    def _fit(self, X, y, sample_weight=None, validation=None, *, incremental=False):
        """Validate, encode, lower, train, and publish what was learnt.

        Parameters
        ----------
        validation : tuple or None
            (X_val, y_val, sample_weight_val) as passed to fit.
        incremental : bool
            One epoch that goes on from the last call: partial_fit.
        """
        with self._all_or_nothing():
            if incremental:
                self._check_parameters()
            self._callback_data = (X, y)
            goes_on = self._goes_on(incremental)
            self._random_state = self._generator(goes_on)
            self._take_down()
            train = self._training(X, y, sample_weight, validation, goes_on)
            self._is_read = True
            again = functools.partial(self._training, X, y, sample_weight, validation, "restarted")
            self._train(train, again, 1 if goes_on else self.n_restarts)
            if "_subtasks" in self.__dict__:
                self._subtasks.end(self)
            self._check_finite_weights()
        return self

    def _goes_on(self, incremental):
        """How this fit goes on from the last one, if it does: else None.

        "incremental" is an epoch of partial_fit, the first or a later one, "warm" a fit from the
        weights of the last, and
        "resumed" one that goes on as if there had been no interruption.
        """
        if incremental:
            return "incremental"
        if not self._has_weights():
            return None
        resumes = self.__dict__.pop("_resumes", False) or isinstance(self.warm_start, str)
        if resumes and hasattr(self, "_history"):
            return "resumed"
        return "warm" if self.warm_start else None

    def _generator(self, goes_on):
        """What draws initial weights, splits and orders."""
        if goes_on == "resumed":
            own = self._random_state
            return own if own is self.random_state else copy.deepcopy(own)
        return check_random_state(self.random_state)

    def _training(self, X, y, sample_weight, validation, goes_on):
        """Training, ready to begin: a function without arguments that returns how it ended."""
        prepared = self._prepare(X, y, sample_weight, validation, goes_on)
        self._check_some_trained(prepared[0])
        if is_lbfgs(self):
            return functools.partial(self._run_lbfgs, *self._lbfgs(*prepared))
        trainer = self._trainer(*prepared, goes_on)
        return functools.partial(self._run_descent, trainer, once=goes_on == "incremental")

    def _prepare(self, X, y, sample_weight, validation, goes_on):
        """Validate, encode and lower; returns program, data, target, weights, validation set."""
        first_pass = goes_on in (None, "restarted") or not self._has_weights()
        incremental = goes_on == "incremental"
        X, y = self._validate(X, y, reset=first_pass)
        self._sample_shape()
        self._learn_target(y, goes_on)
        target = self._encode_target(y)
        dtype = self._compute_dtype(X, first_pass=first_pass)
        check_fits("y", target, dtype)
        sample_weight = self._sample_weight(sample_weight, X)
        self._learn_class_weights(target, sample_weight, incremental=incremental)
        weight = self._weights(target, sample_weight, dtype)
        target, weight = self._arrange_targets(target, weight, X)
        validation = self._check_validation(validation, dtype)
        program = self._lower(dtype)
        if first_pass:
            self._start(program)
        else:
            self._adopt_weights(program)
        self._link_weights(program)
        data = self._encode_rows(X, dtype)
        program = self._suited_program(program, data)
        if first_pass:
            self._adapt_weights(program, data)
        return program, data, target, weight, validation

    def _adapt_weights(self, program, data):
        """Let data set the weights of layers that ask for it, but for those that are copied."""
        copied, jobs = self._copied_layers(program), resolve_n_jobs(self.n_jobs)
        generator = self._random_state
        adapt(program, self._theta, self._state, data, generator, kept=copied, n_jobs=jobs)

    def _sample_weight(self, sample_weight, X):
        """Sample weights, checked: one for each target that `_encode_target` returns, or None."""
        if sample_weight is None:
            return None
        return _check_sample_weight(sample_weight, X, ensure_non_negative=True)

    def _arrange_targets(self, target, weight, X):
        """Encoded targets and their weights with an axis for samples before all others."""
        return target, weight

    def _flat_targets(self, target, output, weight):
        """Targets, outputs and weights as they are scored, one target a row."""
        return target, output, weight

    def _weights(self, target, sample_weight, dtype):
        """Sample weights times class weights, or None where there are neither."""
        weights = self._class_weights(target)
        check_some_weight(weights, "sample", "class_weight")
        if sample_weight is not None:
            weights = sample_weight if weights is None else weights * sample_weight
        if weights is not None:
            check_some_weight(weights, "sample")
            check_fits("sample_weight", weights, dtype)
        return weights

    def _compute_dtype(self, X, *, first_pass):
        """The type that the network computes in."""
        if not first_pass and hasattr(self, "_theta"):
            return self._theta.dtype.name
        if self.dtype != "auto":
            return self.dtype
        # scipy's L-BFGS works in float64, and so does scikit-learn's MLP with it.
        if is_lbfgs(self):
            return "float64"
        if is_bytes(X):  # images are scaled; whole numbers of a table are what other integers are
            return "float64" if self._byte_divisor() == 1 else "float32"
        return X.dtype.name

    def initialize(self, X, y, sample_weight=None):
        """Build the network for this data and draw its first weights, without training it.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.

        Returns
        -------
        self : object
            The estimator, which can predict, be saved, and be trained by `partial_fit`.

        Raises
        ------
        ValueError
            If a parameter or the data is not valid.
        """
        self._validate_params()
        with self._all_or_nothing():
            self._take_down()
            self._random_state = check_random_state(self.random_state)
            self._prepare(X, y, sample_weight, None, None)
        return self

    def summary(self):
        """The network layer by layer: shapes, numbers of parameters, memory.

        Returns
        -------
        summary : Summary
            Prints as a table; a notebook shows it as one, too.

        Raises
        ------
        NotFittedError
            If there is no network yet; `initialize` makes one without training it.
        """
        from sklearn_nn.inspection import summary

        return summary(self)

    def _start(self, program):
        """Begin anew: fresh weights, nothing seen, no optimizer."""
        self._theta = program.initialize(self._random_state)
        self._state = program.initial_state()
        self._copy_pretrained(program, vars(self).get("_pretrained"), self._theta, self._state)
        self.n_iter_ = 0
        self.t_ = 0
        for name in LEARNT_BY_TRAINING:
            if name != "_held_out":
                self.__dict__.pop(name, None)

    # --- predict -------------------------------------------------------------------------

    @as_fitted
    def _outputs(self, X, layer=None):
        """Check X and yield (data, output after the link), a block of rows at a time.

        With the name of a layer, the output is that of the layer.
        """
        program = self._trained_program()
        jobs = 1 if self.n_jobs is None else resolve_n_jobs(self.n_jobs)
        for data in self._row_blocks(X, program.dtype):
            suited = self._suited_program(program, data)
            suited = suited if layer is None else suited.cut(layer)
            output = self._predicted(suited, data, jobs, layer)
            if not np.isfinite(output).all():
                raise ValueError(
                    "The network's output is not finite for some rows of X, whose values are too"
                    " large for it; scale X as the training data was."
                )
            yield data, output

    def _predicted(self, program, data, jobs, layer):
        """The output of a program for all rows of data; `layer` is where it was cut, or None."""
        return predict(program, self._theta, self._state, data, None, jobs)

    def _output(self, X):
        """The output after the link for all rows of X, of shape (n_samples, n_outputs)."""
        blocks = [output for _, output in self._outputs(X)]
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags
