"""The two kinds of target, shared by all estimators: class labels and numbers."""

from __future__ import annotations

import numpy as np
from sklearn.base import ClassifierMixin, RegressorMixin, _fit_context
from sklearn.utils.metaestimators import available_if
from sklearn.utils.multiclass import _check_partial_fit_first_call, type_of_target, unique_labels

from sklearn_nn.estimators._core.batches import fit_batches, is_stream
from sklearn_nn.estimators._core.callbacks import with_callbacks
from sklearn_nn.estimators._core.parameters import is_lbfgs
from sklearn_nn.estimators._inputs.encoding import (
    BINARY,
    MULTICLASS,
    MULTILABEL,
    class_weights,
    decode_labels,
    encode_labels,
    find_classes,
)
from sklearn_nn.training.losses import get_classification_loss, get_regression_loss


def _is_first_order(estimator):
    """Whether batches can follow one another: not so for L-BFGS."""
    if is_lbfgs(estimator):
        raise AttributeError(
            "partial_fit is only available for stochastic optimizers. "
            f"{estimator.solver} is not stochastic."
        )
    return True


def _kind_of_first(y, classes):
    """The kind of target of the first batch, which need not have all the classes."""
    if y is not None and type_of_target(y) == MULTILABEL:
        return MULTILABEL
    return BINARY if len(classes) <= 2 else MULTICLASS


class Labels(ClassifierMixin):
    """Mixin of classifiers: binary, multiclass and multilabel targets."""

    def _one_axis(self, y):
        """Targets as they are told apart: those of steps one after another."""
        return y

    def _learn_target(self, y, how):
        goes_on = bool(self.warm_start) or how in ("incremental", "resumed")
        if not hasattr(self, "classes_") or not goes_on:
            self._target_kind, self.classes_ = find_classes(y)
        elif self.warm_start or how == "resumed":
            classes = unique_labels(y)
            if set(classes) != set(self.classes_):
                raise ValueError(
                    "warm_start can only be used where `y` has the same "
                    "classes as in the previous call to fit. Previously "
                    f"got {self.classes_}, `y` has {classes}"
                )
        self.n_outputs_ = 1 if self._target_kind == BINARY else len(self.classes_)

    def _needed(self):
        return (*super()._needed(), "classes_", "_target_kind")

    def _check_target_kind(self):
        n_classes = len(self.classes_)
        n_outputs = 1 if self._target_kind == BINARY else n_classes
        known = self._target_kind in (BINARY, MULTICLASS, MULTILABEL)
        if (
            not known
            or n_outputs != self.n_outputs_
            or (self._target_kind == BINARY and n_classes > 2)
        ):
            raise ValueError("classes of another kind of target")
        if not np.array_equal(np.unique(self.classes_), self.classes_):
            raise ValueError("classes that are not sorted")

    def _encode_target(self, y):
        return encode_labels(y, self._target_kind, self.classes_)

    def _decode_target(self, target):
        return target if self._target_kind == MULTILABEL else self.classes_[target[:, 0]]

    def _loss(self):
        multiclass = self._target_kind == MULTICLASS
        return get_classification_loss(self.loss, multiclass, self._settings())

    def _stratify(self, target):
        if self._target_kind == MULTILABEL:
            return None
        # Numbers in the order of the classes' numbers as text: the split was always drawn so, and
        # of a column scikit-learn makes a string for each sample.
        order = np.argsort([str(k) for k in range(len(self.classes_))])
        return np.argsort(order)[target[:, 0]]

    def _learn_class_weights(self, target, sample_weight, *, incremental):
        self._class_weight = None
        if self.class_weight is None:
            return
        if incremental and self.class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not see all "
                "classes at once; pass a dict of weights."
            )
        self._class_weight = class_weights(
            self.class_weight, target, self._target_kind, self.classes_, sample_weight
        )

    def _class_weights(self, target):
        if self._class_weight is None:
            return None
        columns = zip(self._class_weight, target.T, strict=True)
        return np.prod([weights[labels] for weights, labels in columns], axis=0)

    def _validation_score(self, target, output, sample_weight):
        """Accuracy; with several labels, the share of samples with all of them right."""
        if self._target_kind == MULTICLASS and sample_weight is None:
            return np.count_nonzero(output.argmax(axis=1) == target[:, 0]) / len(target)
        numbers = np.arange(len(self.classes_))
        predicted = decode_labels(output, self._target_kind, numbers).reshape(len(target), -1)
        return np.average((predicted == target).all(axis=1), weights=sample_weight)

    def predict(self, X):
        """Predict classes.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_labels)
            The likeliest class, or for a multilabel target all labels of probability above .5.
        """
        outputs = self._outputs(X)
        labels = [decode_labels(output, self._target_kind, self.classes_) for _, output in outputs]
        return labels[0] if len(labels) == 1 else np.concatenate(labels)

    def predict_proba(self, X):
        """Probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`.
        """
        p = self._output(X)
        if self._target_kind != BINARY:
            return p
        if len(self.classes_) == 1:
            return np.ones_like(p)
        both = np.empty((len(p), 2), dtype=p.dtype)
        np.subtract(1, p, out=both[:, :1])
        both[:, 1:] = p
        return both

    def predict_log_proba(self, X):
        """Logarithm of the probability of each class.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        log_p : ndarray of shape (n_samples, n_classes)
            In the order of `classes_`; equal to ``log(predict_proba(X))``.
        """
        p = self.predict_proba(X)
        return np.log(p, out=p)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags


class LabelTarget(Labels):
    """Mixin of classifiers that can be given samples batch by batch, too."""

    @available_if(_is_first_order)
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
                self._target_kind = _kind_of_first(self._one_axis(y), self.classes_)
            return self._fit(X, y, sample_weight, tuple(validation.values()), incremental=True)
        except BaseException:
            if not self._has_weights():  # a first call that could not begin
                self.__dict__ = before
            raise


class Numbers(RegressorMixin):
    """Mixin of regressors: one or several numbers a sample."""

    def _learn_target(self, y, how):
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        goes_on = bool(self.warm_start) or how in ("incremental", "resumed")
        if goes_on and self._has_weights() and n_outputs != self.n_outputs_:
            raise ValueError(
                f"y has {n_outputs} outputs, but {type(self).__name__} was fitted with "
                f"{self.n_outputs_}."
            )
        self.n_outputs_ = n_outputs

    def _check_numbers(self, y):
        """Raise a ValueError if y is not numbers, or such as the loss is not for."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y has dtype {y.dtype}; a regressor needs numbers.")
        self._loss().check_target(y)

    def _encode_target(self, y):
        self._check_numbers(y)
        target = y.reshape(len(y), -1)
        if target.shape[1] != self.n_outputs_:
            raise ValueError(f"y has {target.shape[1]} outputs, but {self.n_outputs_} are learnt.")
        return target

    def _decode_target(self, target):
        return target[:, 0] if target.shape[1] == 1 else target

    def _loss(self):
        return get_regression_loss(self.loss, self._settings())

    def _check_validation_target(self, target):
        if self.scoring is None and len(target) < 2:
            raise ValueError("R^2 is not defined for 1 sample; pass at least two.")

    def _validation_score(self, target, output, sample_weight):
        """R^2, averaged over outputs."""
        from sklearn.metrics import r2_score

        return r2_score(target, output, sample_weight=sample_weight)

    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            The samples.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs)
            The predicted values.
        """
        y = self._output(X)
        return y.ravel() if y.shape[1] == 1 else y

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.positive_only = self.loss == "poisson"
        return tags


class NumericTarget(Numbers):
    """Mixin of regressors that can be given samples batch by batch, too."""

    @available_if(_is_first_order)
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
        return self._fit(X, y, sample_weight, tuple(validation.values()), incremental=True)
