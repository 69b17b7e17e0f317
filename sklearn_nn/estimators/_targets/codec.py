"""Targets: what y is, as numbers for training, and outputs as what users predict."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_y

from sklearn_nn.estimators._core.checks import check_fits, warn
from sklearn_nn.estimators._core.parts import FitMode, Part
from sklearn_nn.estimators._inputs.reader import missing_values_told
from sklearn_nn.estimators._targets.scale import (
    check_scale,
    fit_scale,
    predicted,
    scaled,
    unscaled,
    widened,
)
from sklearn_nn.training.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    get_classification_loss,
    get_regression_loss,
)

#: Parameters that losses and class weights are made from.
_SETTINGS = {
    "loss",
    "class_weight",
    *(name for kind in REGRESSION_LOSSES.values() for name in kind.shared),
    *(name for kinds in CLASSIFICATION_LOSSES.values() for kind in kinds for name in kind.shared),
}


class TargetCodec(Part):
    """Codec of targets: learns what y is, encodes it, and decodes outputs after the link.

    Parameters
    ----------
    settings : dict
        The estimator's parameters by name, as training uses them.
    steps : Steps or None
        Arrangement of targets in time, where samples are sequences.

    Attributes
    ----------
    n_outputs : int
    """

    LEARNT: ClassVar[tuple[str, ...]] = ("n_outputs",)
    NEEDED: ClassVar[tuple[str, ...]] = LEARNT
    PUBLISHED: ClassVar[dict[str, str]] = {"n_outputs": "n_outputs_"}

    def __init__(self, settings, steps=None):
        self.settings = {name: settings[name] for name in _SETTINGS if name in settings}
        self.steps = steps

    @property
    def loss(self):
        """The loss for the kind of target at hand."""
        raise NotImplementedError

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        super().publish(estimator)
        estimator.out_activation_ = self.loss.link

    # --- y -----------------------------------------------------------------------------------

    def check_y(self, y, lengths, estimator):
        """Return y checked: a vector, or a matrix of several outputs.

        `lengths` are the numbers of time steps of the samples, or as many of any number.
        """
        if self.steps is not None and self.steps.of_each:
            return self._checked(self.steps.flat_targets(y, lengths), estimator)
        self.check_given(y, estimator)
        y = self._checked(y, estimator)
        check_consistent_length(lengths, y)
        return y

    def check_given(self, y, estimator):
        """Raise ValueError if there is no y, where there is one for each sample."""
        of_each = self.steps is not None and self.steps.of_each
        if y is None and not of_each:
            raise ValueError(
                f"This {type(estimator).__name__} estimator requires y to be passed, but the "
                "target y is None."
            )

    def _checked(self, y, estimator):
        """Return y as scikit-learn validates it; numbers in float64 and C order.

        So the same numbers have the same means and scores to the last bit, in whatever type and
        order they come.
        """
        numeric = is_regressor(estimator)
        with missing_values_told("Input y"):
            y = _check_y(y, multi_output=True, y_numeric=numeric, estimator=estimator)
        if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
            y = column_or_1d(y)
            warn(
                "A column-vector y was passed when a 1d array was expected. Please change the "
                "shape of y to (n_samples, ), for example using ravel().",
                DataConversionWarning,
            )
        if not numeric or y.dtype.kind not in "biuf":
            return y
        y = y.toarray() if sparse.issparse(y) else y
        check_fits("y", y, "float64")
        return np.ascontiguousarray(y, np.float64)

    def learn(self, y, mode, estimator, weight=None):
        """Learn what kind of target y is, or check that it is the kind seen before."""
        raise NotImplementedError

    def encode(self, y):
        """Return targets of shape (n_samples, n_columns) as numbers."""
        raise NotImplementedError

    def decode_target(self, target):
        """Return encoded targets as a user would pass them."""
        raise NotImplementedError

    def decode(self, output):
        """Return the prediction for each row of outputs after the link."""
        raise NotImplementedError

    def stratify(self, target):
        """Return the labels by which the validation split is stratified, or None."""
        return

    def check_validation_target(self, target, scoring):
        """Raise ValueError if the score is not defined for the validation target."""

    def score(self, target, output, sample_weight):
        """Return the estimator's own score of outputs after the link, which are finite."""
        raise NotImplementedError

    # --- weights -----------------------------------------------------------------------------

    def learn_class_weights(self, target, sample_weight, mode):
        """Learn the weight of each class."""

    def class_weights(self, target):
        """Return the weight of each sample by its class, or None."""
        return

    # --- time --------------------------------------------------------------------------------

    def row_weights(self, sample_weight, lengths):
        """Return sample weights, one for each target."""
        if sample_weight is None or self.steps is None or not self.steps.of_each:
            return sample_weight
        return np.repeat(sample_weight, lengths)

    def arrange(self, target, weight, lengths):
        """Return encoded targets and weights with an axis for samples before all others."""
        return (
            (target, weight) if self.steps is None else self.steps.arrange(target, weight, lengths)
        )

    def flat(self, target, output, weight):
        """Return targets, outputs and weights as they are scored, one target a row."""
        if self.steps is None:
            return target, output, weight
        return self.steps.flat(target, output, weight)

    def one_target_a_row(self):
        """Return a codec for the outputs that `flat` returns."""
        return self if self.steps is None else type(self)(self.settings).going_on(self)


class LabelCodec(TargetCodec):
    """Codec of class labels: binary, multiclass and multilabel targets.

    Parameters
    ----------
    settings : dict
    steps : Steps or None
    as_scikit_learn : bool
        Whether only binary targets stratify the validation split, as scikit-learn's MLP does.
    """

    LEARNT = ("n_outputs", "kind", "classes", "weights")
    NEEDED = ("n_outputs", "kind", "classes")
    PUBLISHED = {"n_outputs": "n_outputs_", "classes": "classes_"}
    weights = None

    def __init__(self, settings, steps=None, *, as_scikit_learn=False):
        super().__init__(settings, steps)
        self.as_scikit_learn = as_scikit_learn

    @property
    def loss(self):
        """The loss for the kind of target at hand."""
        multiclass = self.kind == MULTICLASS
        return get_classification_loss(self.settings["loss"], multiclass, self.settings)

    def begin(self, y, classes):
        """Learn all classes before a first batch, which need not have all of them."""
        if self.steps is not None and self.steps.of_each and y is not None:
            y = getattr(y, "to_numpy", lambda: y)()
            y = np.concatenate([np.ravel(item) for item in y])
        if y is not None and type_of_target(y) == MULTILABEL:
            self.kind = MULTILABEL
        else:
            self.kind = BINARY if len(classes) <= 2 else MULTICLASS
        self.classes = classes
        return self

    def learn(self, y, mode, estimator, weight=None):
        """Learn the classes, or check that they are those seen before."""
        warm = bool(estimator.warm_start)
        if not hasattr(self, "classes") or not (warm or mode.keeps_training):
            self.kind, self.classes = find_classes(y)
        elif warm or mode is FitMode.RESUMED:
            classes = unique_labels(y)
            if set(classes) != set(self.classes):
                raise ValueError(
                    "warm_start can only be used where `y` has the same "
                    "classes as in the previous call to fit. Previously "
                    f"got {self.classes}, `y` has {classes}"
                )
        self.n_outputs = 1 if self.kind == BINARY else len(self.classes)

    def check_loaded(self, estimator):
        """Raise ValueError if what was learnt, now loaded from a file, contradicts itself."""
        n_classes, is_binary = len(self.classes), self.kind == BINARY
        known = self.kind in (BINARY, MULTICLASS, MULTILABEL)
        n_outputs = 1 if is_binary else n_classes
        if not known or n_outputs != self.n_outputs or (is_binary and n_classes > 2):
            raise ValueError("classes of another kind of target")
        if not np.array_equal(np.unique(self.classes), self.classes):
            raise ValueError("classes that are not sorted")

    def encode(self, y):
        """Return class numbers in one column, or indicators."""
        return encode_labels(y, self.kind, self.classes)

    def decode_target(self, target):
        """Return labels."""
        return target if self.kind == MULTILABEL else self.classes[target[:, 0]]

    def decode(self, output):
        """Return the most probable label of each row, or all labels above one half."""
        return decode_labels(output, self.kind, self.classes)

    def probabilities(self, output):
        """Return the probability of each class."""
        if self.kind != BINARY:
            return output
        if len(self.classes) == 1:
            return np.ones_like(output)
        both = np.empty((len(output), 2), dtype=output.dtype)
        np.subtract(1, output, out=both[:, :1])
        both[:, 1:] = output
        return both

    def stratify(self, target):
        """Return the labels by which the validation split is stratified, or None."""
        if self.steps is not None:
            if self.steps.of_each:
                return None
            target = self.steps.only_targets(target)
        if self.as_scikit_learn:  # named as it names them
            is_binary = self.kind == BINARY
            return np.array(["False", "True"])[target[:, 0]] if is_binary else None
        if self.kind == MULTILABEL:
            return None
        # Numbers in the order of the classes' numbers as text: the split was always drawn so, and
        # of a column scikit-learn makes a string for each sample.
        order = np.argsort([str(k) for k in range(len(self.classes))])
        return np.argsort(order)[target[:, 0]]

    def learn_class_weights(self, target, sample_weight, mode):
        """Learn the weight of each class."""
        class_weight = self.settings["class_weight"]
        self.weights = None
        if class_weight is None:
            return
        if mode is FitMode.ONE_EPOCH and class_weight == "balanced":
            raise ValueError(
                "class_weight='balanced' is not supported for partial_fit, which does not see all "
                "classes at once; pass a dict of weights."
            )
        self.weights = class_weights(class_weight, target, self.kind, self.classes, sample_weight)

    def class_weights(self, target):
        """Return the weight of each sample by its class, or None."""
        if self.weights is None:
            return None
        columns = zip(self.weights, target.T, strict=True)
        return np.prod([weights[labels] for weights, labels in columns], axis=0)

    def score(self, target, output, sample_weight):
        """Return the accuracy; with several labels, the share of samples with all of them right."""
        if self.kind == MULTICLASS and sample_weight is None:
            return np.count_nonzero(output.argmax(axis=1) == target[:, 0]) / len(target)
        numbers = np.arange(len(self.classes))
        predicted = decode_labels(output, self.kind, numbers).reshape(len(target), -1)
        return np.average((predicted == target).all(axis=1), weights=sample_weight)


class NumberCodec(TargetCodec):
    """Codec of one or several numbers a sample."""

    @property
    def loss(self):
        """The loss of regression."""
        return get_regression_loss(self.settings["loss"], self.settings)

    def learn(self, y, mode, estimator, weight=None):
        """Learn the number of outputs, or check that it is the one seen before."""
        n_outputs = 1 if y.ndim == 1 else y.shape[1]
        goes_on = bool(estimator.warm_start) or mode.keeps_training
        if goes_on and hasattr(self, "n_outputs") and n_outputs != self.n_outputs:
            raise ValueError(
                f"y has {n_outputs} outputs, but {type(estimator).__name__} was fitted with "
                f"{self.n_outputs}."
            )
        self.n_outputs = n_outputs

    def encode(self, y):
        """Return y as a matrix; raise ValueError if the loss is not for such numbers."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y has dtype {y.dtype}; a regressor needs numbers.")
        self.loss.check_target(y)
        target = y.reshape(len(y), -1)
        if target.shape[1] != self.n_outputs:
            raise ValueError(f"y has {target.shape[1]} outputs, but {self.n_outputs} are learnt.")
        return target

    def decode_target(self, target):
        """Return a vector for one output, else the matrix."""
        return target[:, 0] if target.shape[1] == 1 else target

    def decode(self, output):
        """Return a vector for one output, else the matrix."""
        return output.ravel() if output.shape[1] == 1 else output

    def check_validation_target(self, target, scoring):
        """Raise ValueError if R^2 is not defined for the validation target."""
        if scoring is None and len(target) < 2:
            raise ValueError("R^2 is not defined for 1 sample; pass at least two.")

    def score(self, target, output, sample_weight):
        """Return R^2, averaged over outputs."""
        from sklearn.metrics import r2_score

        return r2_score(target, output, sample_weight=sample_weight)


class ScaledNumberCodec(NumberCodec):
    """Codec of numbers that are scaled for training; predictions are cut to the range of y."""

    LEARNT = NEEDED = ("n_outputs", "scale")

    def learn(self, y, mode, estimator, weight=None):
        """Learn the number of outputs and their scale, or widen the range."""
        super().learn(y, mode, estimator)
        if mode in (FitMode.FRESH, FitMode.WARM):
            target = super().encode(y)
            if mode is FitMode.FRESH:
                self.scale = fit_scale(target, weight, self.loss.link)
            else:
                self.scale = widened(self.scale, target)

    def check_loaded(self, estimator):
        """Raise ValueError if the scale, now loaded from a file, cannot have been learnt."""
        check_scale(self.scale, self.n_outputs)

    def encode(self, y):
        """Return scaled targets."""
        return scaled(super().encode(y), self.scale)

    def decode_target(self, target):
        """Return targets in the units of y."""
        return super().decode_target(unscaled(target, self.scale))

    def decode(self, output):
        """Return predictions in the units of y."""
        return super().decode(predicted(output, self.scale))

    def cut(self, output):
        """Return scaled outputs, cut to the range of the targets."""
        return scaled(predicted(output, self.scale), self.scale)

    def score(self, target, output, sample_weight):
        """Return R^2, averaged over outputs."""
        return super().score(target, self.cut(output), sample_weight)


BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel-indicator"


def find_classes(y: np.ndarray) -> tuple[str, np.ndarray]:
    """Return the kind of a classification target, and its sorted classes; one class is binary.

    Raise ValueError if y is continuous, mixed or of several multiclass outputs.
    """
    try:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y")
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of more than two classes, which is not supported; fit one "
                "classifier a column (sklearn.multioutput.MultiOutputClassifier)."
            )
        # Labels keep their type: unique_labels makes strings of objects.
        classes = unique_labels(y) if kind == MULTILABEL else np.unique(y)
    except TypeError as error:
        raise _unsortable(y, error) from error
    if kind != MULTILABEL:
        kind = BINARY if len(classes) <= 2 else MULTICLASS
    return kind, classes


def _unsortable(y: np.ndarray, error: TypeError) -> Exception:
    """Return an error about labels that cannot be sorted, in place of a TypeError about '<'."""
    names = sorted({type(label).__name__ for label in np.ravel(y)})
    if len(names) == 1:
        return error
    return ValueError(
        f"y mixes labels of the types {', '.join(names)}, which have no order; make them all of "
        "one type (y.astype(str)), and fill or drop missing ones."
    )


def encode_labels(y: Any, kind: str, classes: np.ndarray) -> np.ndarray:
    """Return class numbers in one column, or the 0/1 indicators of a multilabel target.

    Raise ValueError if y has unknown labels, or is of another kind.
    """
    if kind == MULTILABEL:
        dense = y.toarray() if sparse.issparse(y) else np.asarray(y)
        if dense.ndim != 2 or dense.shape[1] != len(classes):
            raise ValueError(
                f"y has shape {dense.shape}; multilabel targets of {len(classes)} labels, as seen "
                f"before, have shape (n_samples, {len(classes)})."
            )
        return (dense != 0).astype(np.int64)
    if y.ndim != 1:
        raise ValueError(f"y has shape {y.shape}; one label a sample was seen before.")
    try:
        unknown = np.setdiff1d(y, classes)
    except TypeError as error:
        raise _unsortable(np.concatenate([classes.astype(object), y]), error) from error
    if unknown.size:
        raise ValueError(
            "`y` has classes not in `self.classes_`. "
            f"`self.classes_` has {classes}. 'y' has also {unknown}."
        )
    return np.searchsorted(classes, y).reshape(-1, 1)


def decode_labels(output: np.ndarray, kind: str, classes: np.ndarray) -> np.ndarray:
    """Return labels for outputs after the link: the most probable, or all above one half."""
    if kind == MULTILABEL:
        return (output > 0.5).astype(np.int64)
    if kind == MULTICLASS:
        return classes[output.argmax(axis=1)]
    if len(classes) == 1:
        return np.repeat(classes, len(output))
    return classes[(output[:, 0] > 0.5).astype(np.intp)]


def class_weights(
    class_weight: Any,
    target: np.ndarray,
    kind: str,
    classes: np.ndarray,
    sample_weight: np.ndarray | None,
) -> list[np.ndarray]:
    """Return the weight of each class, for each column of the encoded target.

    "balanced" is the total of the sample weights over the number of classes times the class's own
    total, as in scikit-learn. Raise ValueError if a dict has a weight for an unknown class and none
    for a known one, an invalid weight, or is given for several labels a sample.
    """
    if class_weight == "balanced":
        n_classes = 2 if kind == MULTILABEL else len(classes)
        return [_balanced(labels, n_classes, sample_weight) for labels in target.T]
    if kind == MULTILABEL:
        raise ValueError(
            "class_weight as a dict is for one label a sample; for several pass 'balanced', or "
            "sample_weight to fit."
        )
    labels = classes.tolist()
    missing = [label for label in labels if label not in class_weight]
    unknown = [label for label in class_weight if label not in labels]
    if missing and unknown:
        raise ValueError(
            f"class_weight={class_weight} has weights for {unknown}, which are not among the "
            f"classes, and none for {missing}, which are."
        )
    weights = np.array([class_weight.get(label, 1.0) for label in labels], dtype=np.float64)
    if not np.all(np.isfinite(weights) & (weights >= 0)):
        raise ValueError(f"class_weight={class_weight} must hold finite weights >= 0.")
    return [weights]


def _balanced(labels: np.ndarray, n_classes: int, sample_weight: np.ndarray | None) -> np.ndarray:
    """Return weights inversely proportional to class frequencies; 0 for classes not seen."""
    counts = np.bincount(labels, weights=sample_weight, minlength=n_classes).astype(np.float64)
    seen = counts > 0
    return np.divide(counts.sum(), seen.sum() * counts, out=np.zeros(n_classes), where=seen)
