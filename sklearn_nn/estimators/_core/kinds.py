"""Networks for the two kinds of target: class labels and numbers."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.batches import fit_batches, is_stream
from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.parameters import is_lbfgs
from sklearn_nn.estimators._core.weights import check_fitted, has_weights
from sklearn_nn.estimators._targets.codec import LabelCodec, NumberCodec


def _is_trained_by_batches(estimator):
    """Return True; raise AttributeError if there is no partial_fit."""
    if not estimator._has_partial_fit:
        raise AttributeError(f"{type(estimator).__name__} has no partial_fit; use fit.")
    if is_lbfgs(estimator):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


class NetworkClassifier(ClassifierMixin, BaseNetwork):
    """Base of classifiers: binary, multiclass and multilabel targets."""

    _has_partial_fit = True

    def _make_codec(self):
        return LabelCodec(self._settings())

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or array of shape \
                (n_samples, ...)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The likeliest class, or for a multilabel target all labels of probability above .5. With
            `return_sequences`, an array of shape (n_samples, n_steps, ...), or a list of arrays of
            shape (n_steps, ...) where sequences are of unequal length.
        """
        check_fitted(self)
        return self._predict(X, self._codec.decode)

    def predict_proba(self, X):
        """Predict the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or array of shape \
                (n_samples, ...)
            The samples.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`. With `return_sequences`, an array of shape (n_samples,
            n_steps, n_classes), or a list of arrays of shape (n_steps, n_classes).
        """
        check_fitted(self)
        return self._predict(X, self._codec.probabilities)

    def predict_log_proba(self, X):
        """Predict the logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or array of shape \
                (n_samples, ...)
            The samples.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; equal to ``log(predict_proba(X))``, whose form it has.
        """
        p = self.predict_proba(X)
        return [np.log(steps) for steps in p] if isinstance(p, list) else np.log(p, out=p)

    @available_if(_is_trained_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(
        self,
        X,
        y=None,
        sample_weight=None,
        classes=None,
        *,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
    ):
        """Update the model with a single epoch over the given data, or batch after batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...), or iterable
            The samples. An iterable that is no array, list or tuple, such as a generator or a
            data loader, yields batches ``(X, y)`` or ``(X, y, sample_weight)``. It is gone
            through once, and each batch is trained on as by a call of its own, in steps of
            `batch_size` samples.
        y : array-like of shape (n_samples,) or (n_samples, n_labels), default=None
            Their classes. To be left out with an iterable, and only then.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        classes : array-like of shape (n_classes,), default=None
            All classes that will ever come; needed in the first call, not afterwards.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            A validation set, scored after the epoch. With `early_stopping` the weights go back to
            those of the best score once `n_iter_no_change` calls have brought no better one.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation set.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation set.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not valid, if training diverges, or if an iterable
            yields something else than batches, or nothing. The estimator is then as the last good
            batch left it.
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        if is_stream(X):
            return fit_batches(self, X, y, sample_weight, classes=classes, **validation)
        before = self.__dict__.copy()
        try:
            if _check_partial_fit_first_call(self, classes):
                self._codec = self._make_codec().begin(y, self.classes_)
            return self._fit_epoch(X, y, sample_weight, tuple(validation.values()))
        except BaseException:
            if not has_weights(self):  # a first call that could not begin
                self.__dict__ = before
            raise

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class NetworkRegressor(RegressorMixin, BaseNetwork):
    """Base of regressors: one or several numbers a sample."""

    _has_partial_fit = True

    def _make_codec(self):
        return NumberCodec(self._settings())

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features), or array of shape \
                (n_samples, ...)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted values. With `return_sequences`, an array of shape (n_samples, n_steps,
            ...), or a list of arrays of shape (n_steps, ...) where sequences are of unequal length.
        """
        check_fitted(self)
        return self._predict(X, self._codec.decode)

    @available_if(_is_trained_by_batches)
    @_fit_context(prefer_skip_nested_validation=True)
    @with_callbacks
    def partial_fit(
        self, X, y=None, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None
    ):
        """Update the model with a single epoch over the given data, or batch after batch.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, ...), or iterable
            The samples. An iterable that is no array, list or tuple, such as a generator or a
            data loader, yields batches ``(X, y)`` or ``(X, y, sample_weight)``. It is gone
            through once, and each batch is trained on as by a call of its own, in steps of
            `batch_size` samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), default=None
            Their targets. To be left out with an iterable, and only then.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the samples.
        X_val : {array-like, sparse matrix} of shape (n_val, n_features), default=None
            A validation set, scored after the epoch. With `early_stopping` the weights go back to
            those of the best score once `n_iter_no_change` calls have brought no better one.
        y_val : array-like of shape (n_val,) or (n_val, n_outputs), default=None
            Targets of the validation set.
        sample_weight_val : array-like of shape (n_val,), default=None
            Weights of the validation set.

        Returns
        -------
        self : object
            The estimator.

        Raises
        ------
        ValueError
            If a parameter or the data is not valid, if training diverges, or if an iterable
            yields something else than batches, or nothing. The estimator is then as the last good
            batch left it.
        """
        validation = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        if is_stream(X):
            return fit_batches(self, X, y, sample_weight, **validation)
        return self._fit_epoch(X, y, sample_weight, tuple(validation.values()))

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags
