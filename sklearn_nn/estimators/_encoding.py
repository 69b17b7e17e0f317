"""What users pass, to contiguous arrays and back."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from scipy import sparse
from sklearn.utils.multiclass import check_classification_targets, type_of_target, unique_labels

from sklearn_nn.network.source import Source, source

#: Bytes of X that prediction converts at a time, where its type is not the network's.
_BLOCK_BYTES = 8 * 2**20

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
    check_classification_targets(y)
    kind = type_of_target(y, input_name="y")
    if kind == "multiclass-multioutput":
        raise ValueError(
            "y has several columns of more than two classes, which is not supported; fit one "
            "classifier a column (sklearn.multioutput.MultiOutputClassifier)."
        )
    classes = unique_labels(y)
    if kind != MULTILABEL:
        kind = BINARY if len(classes) <= 2 else MULTICLASS
    return kind, classes


def encode_labels(y: np.ndarray, kind: str, classes: np.ndarray) -> np.ndarray:
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
    unknown = np.setdiff1d(y, classes)
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


def encode_rows(X: np.ndarray | sparse.spmatrix, dtype: str) -> Source:
    """X, checked before, in the form the machine gathers batches from.

    Raises
    ------
    ValueError
        If X holds numbers that `dtype` cannot.
    """
    data = source(X.tocsr() if sparse.issparse(X) else X, dtype)
    if data.values.dtype.itemsize < X.dtype.itemsize and not np.isfinite(data.values).all():
        raise ValueError(
            f"Input X contains values too large for dtype({dtype!r}); scale X or use "
            "dtype='float64'."
        )
    return data


def row_blocks(X: np.ndarray | sparse.spmatrix, dtype: str) -> Iterator[tuple[slice, Source]]:
    """X a block of rows at a time, so that converting it takes little memory.

    X of the machine's own type and order is one block, since it is not copied.
    """
    n_rows = X.shape[0]
    ready = not sparse.issparse(X) and X.dtype == dtype and X.flags.c_contiguous and X.flags.aligned
    if ready:
        yield slice(0, n_rows), encode_rows(X, dtype)
        return
    X = X.tocsr() if sparse.issparse(X) else X
    step = max(1, _BLOCK_BYTES // (8 * max(1, X.shape[1])))
    for start in range(0, n_rows, step):
        rows = slice(start, min(start + step, n_rows))
        yield rows, encode_rows(X[rows], dtype)
