"""Codecs of targets: y as numbers for training, and outputs as predictions."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.exceptions import DataConversionWarning
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels
from sklearn.utils.validation import _check_y

from sklearn_nn._spec import is_number, lies_in
from sklearn_nn.estimators._core.parts import FitMode, Part, check_fits, check_some_weight, warn
from sklearn_nn.estimators._inputs.advice import about_missing, check_targets
from sklearn_nn.estimators._inputs.reader import advising
from sklearn_nn.estimators._targets.steps import flat_steps
from sklearn_nn.training import losses

#: Parameters that losses and class weights are made from.
_SETTINGS = {
    "loss",
    "class_weight",
    *(name for kind in losses.REGRESSION_LOSSES.values() for name in kind.shared),
    *(
        name
        for kinds in losses.CLASSIFICATION_LOSSES.values()
        for kind in kinds
        for name in kind.shared
    ),
}

#: Fewest columns and rows of targets that are told to be one-hot.
_FEWEST_COLUMNS, _FEWEST_ROWS = 3, 10

#: By type, 1 for the first of two classes and 0 for the second.
_FIRST = {char: np.array([1, 0], dtype=char) for char in "fd"}

BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel-indicator"


class TargetCodec(Part, ABC):
    """Codec of targets: learns the kind of y, encodes it, and decodes outputs after the link.

    `settings` are the estimator's parameters by name, as training uses them. `steps` is the
    arrangement of targets in time if samples are sequences, else None. `n_outputs` is learnt.
    """

    #: Whether targets must be numbers.
    is_numeric = False
    LEARNT: ClassVar[tuple[str, ...]] = ("n_outputs",)
    NEEDED: ClassVar[tuple[str, ...]] = LEARNT
    PUBLISHED: ClassVar[dict[str, str]] = {"n_outputs": "n_outputs_"}
    #: Factor and offset that return raw outputs to the units of y; None if it has no units.
    raw_units = None
    #: Number of raw outputs for each target, and which of them the prediction is.
    per_target, predicted = 1, 0

    def __init__(self, settings, steps=None):
        self.settings = {name: settings[name] for name in _SETTINGS if name in settings}
        self.steps = steps

    @property
    @abstractmethod
    def loss(self):
        """Loss for the kind of target."""

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        super().publish(estimator)
        estimator.out_activation_ = self.loss.link

    @property
    def n_raw_outputs(self):
        """Number of outputs of the network."""
        return self.n_outputs * self.per_target

    def raw_columns(self, chosen):
        """Return the columns of raw outputs that are the predictions of the chosen targets."""
        return chosen * self.per_target + self.predicted

    @property
    def _is_of_steps(self):
        """Return whether there is a target for each time step."""
        return self.steps is not None and self.steps.of_each

    # --- y -----------------------------------------------------------------------------------

    def check_y(self, y, lengths, estimator):
        """Return y checked: a vector, or a matrix of several outputs; `lengths` are time steps."""
        if self._is_of_steps:
            return self._checked(flat_steps(y, lengths), estimator)
        self.check_given(y, estimator)
        y = self._checked(y, estimator)
        check_consistent_length(lengths, y)
        return y

    def check_given(self, y, estimator):
        """Raise ValueError if y is missing, unless it has a target for each time step."""
        if y is None and not self._is_of_steps:
            raise ValueError(
                f"This {type(estimator).__name__} estimator requires y to be passed, but the "
                "target y is None."
            )

    def _checked(self, y, estimator):
        """Return y as scikit-learn validates it; numbers as float64, for the same results."""
        check_targets(y)
        with advising(about_missing, "Input y", kind=TypeError):
            y = _check_y(y, multi_output=True, y_numeric=self.is_numeric, estimator=estimator)
        if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
            y = column_or_1d(y)
            warn(
                "A column-vector y was passed when a 1d array was expected. Please change the "
                "shape of y to (n_samples, ), for example using ravel().",
                DataConversionWarning,
            )
        if not self.is_numeric or y.dtype.kind not in "biuf":
            return y
        y = y.toarray() if sparse.issparse(y) else y
        check_fits("y", y, "float64")
        return np.ascontiguousarray(y, np.float64)

    @abstractmethod
    def learn(self, y, mode, estimator, weight=None):
        """Learn the kind of y, or check that it is the kind seen before."""

    @abstractmethod
    def encode(self, y):
        """Return targets of shape (n_samples, n_columns) as numbers."""

    def decode_target(self, target):
        """Return encoded targets in the form of y; one column becomes a vector."""
        return target[:, 0] if target.shape[1] == 1 else target

    def decode(self, output):
        """Return the prediction for each row of outputs after the link; see `decode_target`."""
        return output.ravel() if output.shape[1] == 1 else output

    def stratify(self, target):
        """Return the labels by which the validation split is stratified, or None."""
        return

    def check_validation_target(self, target, scoring):
        """Raise ValueError if the score is not defined for the validation target."""

    # --- weights -----------------------------------------------------------------------------

    def learn_class_weights(self, target, sample_weight, mode):
        """Learn the weight of each class."""

    def class_weights(self, target):
        """Return the weight of each sample by its class, or None."""
        return

    # --- time --------------------------------------------------------------------------------

    def row_weights(self, sample_weight, lengths):
        """Return sample weights, one for each target."""
        if sample_weight is None or not self._is_of_steps:
            return sample_weight
        return np.repeat(sample_weight, lengths)

    def arrange(self, target, weight, lengths):
        """Return encoded targets and weights with an axis for samples before all others."""
        if self.steps is None:
            return target, weight
        return self.steps.arrange(target, weight, lengths)

    def flat(self, target, output, weight):
        """Return targets, outputs and weights as they are scored, one target per row."""
        if self.steps is None:
            return target, output, weight
        return self.steps.flat(target, output, weight)

    def one_target_a_row(self):
        """Return a codec for the outputs that `flat` returns."""
        return self if self.steps is None else type(self)(self.settings).going_on(self)


class LabelCodec(TargetCodec):
    """Codec of class labels; `as_scikit_learn` stratifies splits of binary targets only."""

    LEARNT = ("n_outputs", "kind", "classes", "weights")
    NEEDED = ("n_outputs", "kind", "classes")
    PUBLISHED = {"n_outputs": "n_outputs_", "classes": "classes_"}
    weights = None

    def __init__(self, settings, steps=None, *, as_scikit_learn=False):
        super().__init__(settings, steps)
        self.as_scikit_learn = as_scikit_learn

    @property
    def loss(self):
        """Loss for the kind of target."""
        multiclass = self.kind == MULTICLASS
        return losses.get_classification_loss(self.settings["loss"], multiclass, self.settings)

    def begin(self, y, classes):
        """Learn all classes before a first batch, which need not have all of them."""
        if self._is_of_steps and y is not None:
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
        if self.kind == MULTILABEL and (mode is FitMode.FRESH or not hasattr(estimator, "t_")):
            _warn_if_one_hot(y, -1 if self._is_of_steps else 1)

    def check_loaded(self, estimator):
        """Raise ValueError if the attributes loaded from a file contradict each other."""
        n_classes, is_binary = len(self.classes), self.kind == BINARY
        known = self.kind in (BINARY, MULTICLASS, MULTILABEL)
        n_outputs = 1 if is_binary else n_classes
        if not known or n_outputs != self.n_outputs or (is_binary and n_classes > 2):
            raise ValueError("classes that do not fit the kind of target")
        if not np.array_equal(np.unique(self.classes), self.classes):
            raise ValueError("classes that are not sorted")

    def encode(self, y):
        """Return class numbers in one column, or the 0/1 indicators of a multilabel target.

        Raise ValueError if y has unknown labels, or is of another kind.
        """
        classes = self.classes
        if self.kind == MULTILABEL:
            dense = y.toarray() if sparse.issparse(y) else np.asarray(y)
            if dense.ndim != 2 or dense.shape[1] != len(classes):
                raise ValueError(
                    f"y has shape {dense.shape}; multilabel targets of {len(classes)} labels, as "
                    f"seen before, have shape (n_samples, {len(classes)})."
                )
            return (dense != 0).astype(np.int64)
        if y.ndim != 1:
            raise ValueError(f"y has shape {y.shape}; earlier targets had one label a sample.")
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
        return np.abs(_FIRST[output.dtype.char] - output)  # 1 - p and p

    def stratify(self, target):
        """Return the labels by which the validation split is stratified, or None."""
        if self._is_of_steps or self.kind == MULTILABEL:
            return None
        if self.steps is not None:
            target = target.sum(axis=1)  # only one window has a target that is not zero
        if self.as_scikit_learn:  # which stratifies by these names
            is_binary = self.kind == BINARY
            return np.array(["False", "True"])[target[:, 0]] if is_binary else None
        # Ranks of the class numbers as text, which is how scikit-learn sorts labels in a column.
        order = np.argsort([str(k) for k in range(len(self.classes))])
        return np.argsort(order)[target[:, 0]]

    def learn_class_weights(self, target, sample_weight, mode):
        """Learn the weight of each class, for each column; "balanced" is as in scikit-learn."""
        class_weight = self.settings["class_weight"]
        self.weights = None
        if class_weight == "balanced":
            if mode is FitMode.ONE_EPOCH:
                raise ValueError(
                    "class_weight='balanced' is not supported for partial_fit, which does not see "
                    "all classes at once; pass a dict of weights."
                )
            n_classes = 2 if self.kind == MULTILABEL else len(self.classes)
            self.weights = [_balanced(labels, n_classes, sample_weight) for labels in target.T]
        elif class_weight is not None:
            self.weights = [self._weights_of(class_weight)]

    def _weights_of(self, class_weight):
        """Return the weights of the classes, 1 by default; raise ValueError for an invalid dict."""
        if self.kind == MULTILABEL:
            raise ValueError(
                "class_weight as a dict is for one label per sample; for several, pass 'balanced', "
                "or sample_weight to fit."
            )
        labels = self.classes.tolist()
        missing = [label for label in labels if label not in class_weight]
        unknown = [label for label in class_weight if label not in labels]
        if missing and unknown:
            raise ValueError(
                f"class_weight={class_weight} has weights for {unknown}, which are not classes, "
                f"and none for {missing}; use the labels in y as keys."
            )
        weights = [class_weight.get(label, 1.0) for label in labels]
        for label, weight in zip(labels, weights, strict=True):
            if not (is_number(weight) and lies_in(weight, "[0, inf)")):
                raise ValueError(
                    f"class_weight={class_weight} must hold finite weights >= 0; that of class "
                    f"{label!r} is {weight!r}."
                )
        return np.array(weights, dtype=np.float64)

    def class_weights(self, target):
        """Return the weight of each sample by its class, or None."""
        if self.weights is None:
            return None
        columns = zip(self.weights, target.T, strict=True)
        return np.prod([weights[labels] for weights, labels in columns], axis=0)

    def score(self, target, output, sample_weight):
        """Return the accuracy; with several labels, the share of samples with all labels right."""
        if self.kind == MULTICLASS and sample_weight is None:
            return np.count_nonzero(output.argmax(axis=1) == target[:, 0]) / len(target)
        numbers = np.arange(len(self.classes))
        predicted = decode_labels(output, self.kind, numbers).reshape(len(target), -1)
        return np.average((predicted == target).all(axis=1), weights=sample_weight)


class NumberCodec(TargetCodec):
    """Codec of one or several numbers per sample.

    `offsets` (n_outputs, per_target) are added to predicted quantiles, if they are calibrated.
    """

    LEARNT: ClassVar[tuple[str, ...]] = ("n_outputs", "offsets")
    NEEDED: ClassVar[tuple[str, ...]] = ("n_outputs",)
    is_numeric = True
    #: Levels of the quantiles that are predicted; None without any.
    levels = None

    def __init__(self, settings, steps=None):
        super().__init__(settings, steps)
        loss, quantile = self.loss, self.settings.get("quantile")
        if isinstance(loss, losses.Quantile):
            loss.check()
            self.levels = loss.levels
        elif np.ndim(quantile) > 0:
            raise ValueError(
                f"quantile={quantile!r} needs loss='quantile', not loss={self.settings['loss']!r}; "
                "set it, or leave quantile out."
            )
        # Not read from the loss later, whose parameters may then be others.
        self.per_target, self.predicted = loss.outputs_per_target, loss.predicted

    @property
    def raw_units(self):
        """Factor and offset, for each raw output, from a raw output to one in units of y.

        Outputs that are not predictions have the factor 1: distances between quantiles, before they
        are made positive, are in units of the scaled target.
        """
        return self._raw_units(np.ones(self.n_outputs), np.zeros(self.n_outputs))

    def _raw_units(self, factor, offset):
        units = np.zeros((2, self.n_outputs, self.per_target))
        units[0] = 1
        units[..., self.predicted] = factor, offset
        return units.reshape(2, -1)

    @property
    def loss(self):
        """Return the loss of regression."""
        return losses.get_regression_loss(self.settings["loss"], self.settings)

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
        vars(self).pop("offsets", None)  # those of other weights

    def check_loaded(self, estimator):
        """Raise ValueError if the offsets loaded from a file are invalid."""
        offsets = vars(self).get("offsets")
        if offsets is None:
            return
        if self.levels is None or offsets.shape != (self.n_outputs, self.per_target):
            raise ValueError("offsets of other quantiles")
        if not np.isfinite(offsets).all():
            raise ValueError("offsets that are not finite")

    def slopes(self, output):
        """Return the derivative of each prediction with respect to the output after the link."""
        return np.ones_like(output)

    def encode(self, y):
        """Return y as a matrix; raise ValueError if the loss is not for such numbers."""
        if y.dtype.kind not in "biuf":
            raise ValueError(f"y has dtype {y.dtype}; a regressor needs numbers.")
        self.loss.check_target(y)
        target = y.reshape(len(y), -1)
        if target.shape[1] != self.n_outputs:
            raise ValueError(f"y has {target.shape[1]} outputs, but {self.n_outputs} are expected.")
        return target

    def values(self, output):
        """Return all outputs in the units of y; quantiles are calibrated, if offsets are learnt."""
        values = self._in_units(output)
        if vars(self).get("offsets") is None:
            return values
        quantiles = values.reshape(len(values), self.n_outputs, self.per_target)
        quantiles = quantiles + self.offsets.astype(values.dtype)
        # Where quantiles would cross, the outer one moves outwards, which loses no coverage.
        above, below = quantiles[..., self.predicted :], quantiles[..., self.predicted :: -1]
        np.maximum.accumulate(above, axis=-1, out=above)
        np.minimum.accumulate(below, axis=-1, out=below)
        return quantiles.reshape(values.shape)

    def _in_units(self, output):
        """Return all outputs in the units of y, as the network predicts them."""
        return output

    def decode(self, output):
        """Return predictions in the units of y: the middle one of several quantiles."""
        return super().decode(self._of_predictions(self.values(output)))

    def _of_predictions(self, output):
        """Return the outputs that are predictions, one for each target."""
        if self.per_target == 1:
            return output
        return np.ascontiguousarray(output[:, self.predicted :: self.per_target])

    def quantiles(self, output):
        """Return all quantiles, of shape (n_rows, n_levels) or (n_rows, n_outputs, n_levels)."""
        values = self.values(output)
        several = (self.n_outputs,) if self.n_outputs > 1 else ()
        return values.reshape(len(values), *several, self.per_target)

    def check_validation_target(self, target, scoring):
        """Raise ValueError if R^2 is not defined for the validation target."""
        if scoring is None and len(target) < 2:
            raise ValueError("the score R^2 is not defined for 1 sample; pass at least two.")

    def score(self, target, output, sample_weight):
        """Return R^2, averaged over outputs."""
        from sklearn.metrics import r2_score

        return r2_score(target, self._of_predictions(output), sample_weight=sample_weight)


class ScaledNumberCodec(NumberCodec):
    """Codec of numbers that are scaled for training, by the targets of the first fit or batch.

    `scale` (2, n_outputs) holds center and spread: y = spread * scaled target + center.
    """

    LEARNT = (*NumberCodec.LEARNT, "scale")
    NEEDED = ("n_outputs", "scale")

    def learn(self, y, mode, estimator, weight=None):
        """Learn the number of outputs and, in a first fit, their scale."""
        super().learn(y, mode, estimator)
        if mode is not FitMode.FRESH and hasattr(self, "scale"):
            return
        if weight is not None:
            check_some_weight(weight, "sample")
        center, spread = _center_and_spread(super().encode(y), weight, self.loss.link)
        self.scale = np.array([center, spread])

    def learn_moments(self, mean, deviation, least, most):
        """Set the scale to that of targets with these moments, each of shape (n_outputs,)."""
        self.scale = np.array(_scale_by(mean, deviation, least, most, self.loss.link))

    def check_loaded(self, estimator):
        """Raise ValueError if the scale loaded from a file is invalid."""
        super().check_loaded(estimator)
        if self.scale.shape != (self._N_ROWS, self.n_outputs) or not np.isfinite(self.scale).all():
            raise ValueError("a scale of other targets")
        if not (self.scale[1] > 0).all():
            raise ValueError("an invalid scale of targets")

    #: Number of rows of `scale`.
    _N_ROWS = 2

    @property
    def raw_units(self):
        """Factor and offset, for each raw output, from a scaled one to one in units of y."""
        center, spread, *_ = self.scale
        if self.loss.link == "exp":  # exp(z) * spread is exp(z + log(spread))
            return self._raw_units(np.ones_like(spread), np.log(spread))
        return self._raw_units(spread, center)

    def slopes(self, output):
        """Return the derivative of each prediction with respect to the output after the link."""
        return super().slopes(output) * self._scale_of(output)[1]

    def _scale_of(self, values):
        """Return `scale` with a column for each of the values, which may be several a target."""
        several = values.shape[1] // self.n_outputs
        return self.scale if several == 1 else np.repeat(self.scale, several, axis=1)

    def _scaled(self, values):
        center, spread, *_ = self._scale_of(values)
        return values / spread - center / spread

    def _unscaled(self, values):
        center, spread, *_ = self._scale_of(values)
        return values.astype(np.float64) * spread + center

    def encode(self, y):
        """Return scaled targets."""
        return self._scaled(super().encode(y))

    def decode_target(self, target):
        """Return targets in the units of y."""
        return super().decode_target(self._unscaled(target))

    def _in_units(self, output):
        return self._unscaled(output)


class ClippedNumberCodec(ScaledNumberCodec):
    """Codec of scaled numbers whose predictions are clipped to the range of y.

    `scale` (4, n_outputs) holds center, spread, smallest and largest target.
    """

    _N_ROWS = 4
    raw_units = None

    def learn(self, y, mode, estimator, weight=None):
        """Learn the number of outputs and their scale, or widen the range."""
        super().learn(y, mode, estimator, weight)
        if mode not in (FitMode.FRESH, FitMode.WARM):
            return
        target = NumberCodec.encode(self, y)
        least, most = target.min(axis=0), target.max(axis=0)
        center, spread, *before = self.scale
        if mode is FitMode.WARM:
            least, most = np.minimum(before[0], least), np.maximum(before[1], most)
        self.scale = np.array([center, spread, least, most])

    def learn_moments(self, mean, deviation, least, most):
        """Set scale and range to those of targets with these moments."""
        super().learn_moments(mean, deviation, least, most)
        self.scale = np.array([*self.scale, least, most])

    def check_loaded(self, estimator):
        """Raise ValueError if the scale loaded from a file is invalid."""
        super().check_loaded(estimator)
        _, _, least, most = self.scale
        if not (least <= most).all():
            raise ValueError("an invalid scale of targets")

    def _in_units(self, output):
        """Return outputs in the units of y, clipped to its range."""
        return np.clip(self._unscaled(output), *self._scale_of(output)[2:])

    def slopes(self, output):
        """Return the derivative of each prediction; it is 0 where predictions are clipped."""
        least, most = self._scale_of(output)[2:]
        found = self._unscaled(output)
        return super().slopes(output) * ((least < found) & (found < most))

    def cut(self, output):
        """Return scaled outputs, clipped to the range of the targets."""
        return self._scaled(self._in_units(output))

    def score(self, target, output, sample_weight):
        """Return R^2, averaged over outputs."""
        return super().score(target, self.cut(output), sample_weight)


def _center_and_spread(target, weight, link):
    """Return center and spread of each column, which scale it to mean 0 and standard deviation 1.

    A constant column has its size as spread. With the link "exp", columns are only scaled to mean
    1; with other links they are unchanged.
    """
    # Divide first, since squares of very large numbers are infinite.
    size = np.abs(target).max(axis=0)
    size[size == 0] = 1
    parts = target / size
    mean = np.average(parts, axis=0, weights=weight)
    deviation = np.sqrt(np.average((parts - mean) ** 2, axis=0, weights=weight))
    moments = size * mean, size * deviation, target.min(axis=0), target.max(axis=0)
    return _scale_by(*moments, link)


def _scale_by(mean, deviation, least, most, link):
    """Return center and spread of columns with these moments, as `_center_and_spread` does."""
    center, spread = np.zeros(len(mean)), np.ones(len(mean))
    if link == "identity":
        varies = least < most
        size = np.maximum(np.abs(least), np.abs(most))
        size[size == 0] = 1
        spread = np.where((deviation > 0) & varies, deviation, size)
        center = np.where(varies, mean, least)
    elif link == "exp":
        spread = np.where(mean > 0, mean, 1)
    return center, spread


def find_classes(y):
    """Return the kind of a classification target, and its sorted classes; one class is binary."""
    try:
        check_classification_targets(y)
        kind = type_of_target(y, input_name="y") if y.ndim > 1 else None
        if kind == "multiclass-multioutput":
            raise ValueError(
                "y has several columns of more than two classes, which is not supported; fit one "
                "classifier per column (sklearn.multioutput.MultiOutputClassifier)."
            )
        # Labels keep their type: unique_labels makes strings of objects.
        classes = unique_labels(y) if kind == MULTILABEL else np.unique(y)
    except TypeError as error:
        raise _unsortable(y, error) from error
    if kind != MULTILABEL:
        kind = BINARY if len(classes) <= 2 else MULTICLASS
    return kind, classes


def _unsortable(y, error):
    """Return an error about labels that cannot be sorted, in place of a TypeError about '<'."""
    names = sorted({type(label).__name__ for label in np.ravel(y)})
    if len(names) == 1:
        return error
    return ValueError(
        f"y mixes labels of the types {', '.join(names)}, which have no order; make them all of "
        "one type (y.astype(str)), and fill or drop missing ones."
    )


def _warn_if_one_hot(y, axis):
    """Warn if indicators of several labels have a single 1 in each row; `axis` is the user's."""
    n_rows, n_labels = y.shape
    counts = np.asarray((y != 0).sum(axis=1)).ravel()
    if n_labels < _FEWEST_COLUMNS or n_rows < _FEWEST_ROWS or not (counts == 1).all():
        return
    warn(
        f"y looks one-hot: each row of its {n_labels} columns has a single 1. It is learnt as "
        f"{n_labels} labels that are independent of each other; for one class a row, pass "
        f"y.argmax(axis={axis}) (of a DataFrame, y.to_numpy().argmax(axis={axis}))."
    )


def decode_labels(output, kind, classes):
    """Return labels for outputs after the link: the most probable, or all above one half."""
    if kind == MULTILABEL:
        return (output > 0.5).astype(np.int64)
    if kind == MULTICLASS:
        return classes[output.argmax(axis=1)]
    if len(classes) == 1:
        return np.repeat(classes, len(output))
    return classes[(output[:, 0] > 0.5).astype(np.intp)]


def _balanced(labels, n_classes, sample_weight):
    """Return weights inversely proportional to class frequencies; 0 for classes not seen."""
    counts = np.bincount(labels, weights=sample_weight, minlength=n_classes).astype(np.float64)
    seen = counts > 0
    return np.divide(counts.sum(), seen.sum() * counts, out=np.zeros(n_classes), where=seen)
