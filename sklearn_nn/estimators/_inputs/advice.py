"""What errors about X say to do, where NumPy and scikit-learn do not know what X is."""

from __future__ import annotations

import contextlib

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._inputs.sequences import as_numbers, n_axes, samples_of
from sklearn_nn.estimators._inputs.table.cells import is_missing, short

#: What NumPy says of cells that are lists or arrays, and scikit-learn of NaN.
_NO_NUMBER, _NAN = "setting an array element with a sequence", "Input X contains NaN"


def _columns(X):
    """How a user writes each column of a table of two axes, and the column."""
    if hasattr(X, "columns"):
        for name in X.columns:
            yield f"X[{name!r}]", X[name]
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        for i in range(X.shape[1]):
            yield f"X[:, {i}]", X[:, i]


def about_cells(X, owner, takes_sequences):
    """What to say of a table that holds a list, an array or a Series in a cell; else None.

    Parameters
    ----------
    X : object
        As the user passed it.
    owner : str
        Who reads it.
    takes_sequences : bool
        Whether that takes samples that are more than rows.
    """
    for written, column in _columns(X):
        found = next((cell for cell in column if (n_axes(cell) or 0) > 0), None)
        if found is None:
            continue
        said = f"{written} has cells of type {type(found).__name__}, where a table has numbers."
        if takes_sequences:
            return f"{said} Pass the column alone, as a list of samples: list({written})."
        return (
            f"{said} {owner} reads tables: make columns of the values, with np.stack({written}) "
            "where all are of one length."
        )
    return None


def about_rows(X, owner):
    """What to say of listed samples that make no table; else None."""
    samples = samples_of(X)
    if not len(samples):
        return None
    told = about_samples(samples)
    if told is not None or not n_axes(samples[0]):
        return told
    kind = type(samples[0]).__name__
    table = "np.stack(X)" if n_axes(samples[0]) == 1 else "np.stack(X).reshape(len(X), -1)"
    return f"X has items of type {kind}; {owner} reads tables, such as {table}."


def about_samples(X):
    """What to say of listed samples that make no array; else None.

    Parameters
    ----------
    X : sequence of object
        Not all of one shape.
    """
    shapes = {}
    for i, sample in enumerate(X):
        if n_axes(sample) == 0:
            nothing = "is missing" if is_missing(sample) else "is no sample of several values"
            return f"X[{i}] is {short(sample)}, which {nothing}; leave it out, with its target."
        try:
            shapes.setdefault(np.shape(sample), i)
        except ValueError:
            return (
                f"X[{i}] holds lists of unequal length; each sample is an array of numbers, whose "
                "rows are of one length."
            )
    if len(shapes) < 2:
        return None
    first, other, *_ = shapes
    remedy = "give images one size by resize_images(X, size)"
    if {len(shape) for shape in shapes} == {1}:
        remedy = "cut or pad them to one length; an RNNClassifier or RNNRegressor takes any"
    elif len({len(shape) for shape in shapes}) > 1:
        remedy = "give them the same axes, as with sample[:, np.newaxis]"
    return f"X holds samples of shapes {first} and {other}, but all must have one; {remedy}."


def about_nan(X, owner, steps):
    """What to say of NaN in samples that are more than rows.

    Parameters
    ----------
    X : object
        As the user passed it.
    owner : str
        Who reads it.
    steps : tuple of int or None
        (steps, channels) of the sequences that rows stand for; (-1, 1) where each value is a step.
        None where the estimator does not read sequences.
    """
    if steps is None:
        return (
            f"{_NAN}, which {owner} does not read; fill it first, as with np.nan_to_num(X), or "
            "leave out the samples that have it."
        )
    padding = "NaN may stand for padding behind the last step only, in all channels"
    name, array = _as_array(X)
    if array is None or array.ndim != 2:
        return f"{_NAN}. {padding}; fill or drop it elsewhere."
    axis = "[:, :, np.newaxis]" if steps[1] == 1 else f".reshape(len(X), {steps[0]}, {steps[1]})"
    ends = np.isnan(array.reshape(len(array), *steps))
    is_tail = bool((ends[:, 1:] >= ends[:, :-1]).all() and not ends[:, 0].any())
    said = f"{_NAN} at the end of rows" if is_tail else f"{_NAN}, not only at the end of rows"
    return (
        f"{said}. Sequences that end before others have an axis for channels, {name}{axis}, or "
        f"come as a list of arrays. {padding}; fill or drop it elsewhere."
    )


def _as_array(X):
    """How a user writes X as an array, and that array; None where it holds no numbers."""
    if sparse.issparse(X):
        return "X.toarray()", X.toarray()
    if hasattr(X, "to_numpy") and hasattr(X, "astype"):  # nullable columns, too
        return "X.astype(float).to_numpy()", X.astype(float).to_numpy()
    if hasattr(X, "to_numpy"):
        return "X.to_numpy()", as_numbers(X)
    return "X" if hasattr(X, "shape") else "np.asarray(X)", as_numbers(X)


@contextlib.contextmanager
def advising(about):
    """A ValueError becomes one that says what to do, where there is something to say.

    `about` is a function of the message: it returns another, or None.
    """
    try:
        yield
    except ValueError as error:
        message = about(str(error))
        if message is None:
            raise
        raise ValueError(message) from error


def is_about_cells(message):
    """Whether NumPy says that a cell is no number."""
    return message.startswith(_NO_NUMBER)


def is_about_nan(message):
    """Whether scikit-learn says that X contains NaN."""
    return message.startswith(_NAN)
