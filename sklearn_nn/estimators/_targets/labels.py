"""Class labels as numbers, and outputs as class labels."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

BINARY, MULTICLASS, MULTILABEL = "binary", "multiclass", "multilabel-indicator"


def find_classes(y: np.ndarray) -> tuple[str, np.ndarray]:
    """The kind of a classification target, and its sorted classes.

    Returns
    -------
    kind : {"binary", "multiclass", "multilabel-indicator"}
        One class counts as binary.
    classes : ndarray

    Raises
    ------
    ValueError
        If y is continuous, mixed or of several multiclass outputs.
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
    """What is wrong with labels that cannot be sorted, in place of a TypeError about '<'."""
    names = sorted({type(label).__name__ for label in np.ravel(y)})
    if len(names) == 1:
        return error
    return ValueError(
        f"y mixes labels of the types {', '.join(names)}, which have no order; make them all of "
        "one type (y.astype(str)), and fill or drop missing ones."
    )


def encode_labels(y: Any, kind: str, classes: np.ndarray) -> np.ndarray:
    """Labels to targets.

    Returns
    -------
    target : ndarray of shape (n_samples, n_outputs)
        Class numbers in one column, or the 0/1 indicators of a multilabel target.

    Raises
    ------
    ValueError
        If y has labels that are not among the classes, or is of another kind.
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
    """Outputs after the link to labels: the likeliest class, or all labels above one half."""
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
    """The weight of each class, for each column of the target.

    Parameters
    ----------
    class_weight : dict or "balanced"
        "balanced" is the total of the sample weights over the number of classes times the class's
        own total, as in scikit-learn.
    target : ndarray of shape (n_samples, n_columns)
        As encoded by `encode_labels`.
    kind, classes : str, ndarray
    sample_weight : ndarray of shape (n_samples,) or None

    Raises
    ------
    ValueError
        If the dict names no class for a weight, has a weight that is none, or is given for several
        labels a sample.
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
    """Weights inversely proportional to the frequencies of classes; 0 for classes not seen."""
    counts = np.bincount(labels, weights=sample_weight, minlength=n_classes).astype(np.float64)
    seen = counts > 0
    return np.divide(counts.sum(), seen.sum() * counts, out=np.zeros(n_classes), where=seen)
