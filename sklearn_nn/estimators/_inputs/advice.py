"""Advice in errors about X, in place of the messages of NumPy and scikit-learn."""

from __future__ import annotations

import contextlib

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._inputs.sequences import as_numbers, n_axes, samples_of
from sklearn_nn.estimators._inputs.table.frames import is_missing, short

#: Messages of NumPy about cells that are lists or arrays, and of scikit-learn about NaN.
_NO_NUMBER, _NAN = "setting an array element with a sequence", "Input X contains NaN"


def _columns(X):
    """Yield the expression for each column of a two-dimensional table, and the column."""
    if hasattr(X, "columns"):
        for name in X.columns:
            yield f"X[{name!r}]", X[name]
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        for i in range(X.shape[1]):
            yield f"X[:, {i}]", X[:, i]


def about_cells(X, owner, takes_sequences):
    """Return advice about a table with a list, an array or a Series in a cell, else None.

    `owner` names the estimator; `takes_sequences` tells whether its samples can be sequences.
    """
    for written, column in _columns(X):
        found = next((cell for cell in column if (n_axes(cell) or 0) > 0), None)
        if found is None:
            continue
        said = f"{written} has cells of type {type(found).__name__}, where a table has numbers."
        if takes_sequences:
            return f"{said} Pass the column alone, as a list of samples: list({written})."
        return (
            f"{said} {owner} reads tables: convert the cells to columns, with np.stack({written}) "
            "if all have one length."
        )
    return None


def about_rows(X, owner):
    """Return advice about a list of samples that is not a table, else None."""
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
    """Return advice about a list of samples of unequal shapes, else None."""
    shapes = {}
    for i, sample in enumerate(X):
        if n_axes(sample) == 0:
            nothing = "is missing" if is_missing(sample) else "is not a sample of several values"
            return f"X[{i}] is {short(sample)}, which {nothing}; leave it out, with its target."
        try:
            shapes.setdefault(np.shape(sample), i)
        except ValueError:
            return (
                f"X[{i}] holds lists of unequal length; each sample must be an array of numbers, "
                "with rows of one length."
            )
    if len(shapes) < 2:
        return None
    first, other, *_ = shapes
    remedy = "give images one size by resize_images(X, size)"
    if {len(shape) for shape in shapes} == {1}:
        remedy = "cut or pad them to one length; an RNNClassifier or RNNRegressor takes any"
    elif len({len(shape) for shape in shapes}) > 1:
        remedy = "give them the same axes, as with sample[:, np.newaxis]"
    return f"X holds samples of shapes {first} and {other}, but all need the same; {remedy}."


def about_nan(X, owner, steps):
    """Return advice about NaN in samples that are images or sequences.

    `steps` is (steps, channels) of the sequences that rows stand for, (-1, 1) if each value is a
    time step, or None if the estimator (`owner`) does not read sequences.
    """
    if steps is None:
        return (
            f"{_NAN}, which {owner} does not accept; fill it first, as with np.nan_to_num(X), or "
            "leave out the samples that have it."
        )
    padding = "NaN may be padding after the last step only, in all channels"
    name, array = _as_array(X)
    if array is None or array.ndim != 2:
        return f"{_NAN}. {padding}; fill or drop it elsewhere."
    axis = "[:, :, np.newaxis]" if steps[1] == 1 else f".reshape(len(X), {steps[0]}, {steps[1]})"
    ends = np.isnan(array.reshape(len(array), *steps))
    is_tail = bool((ends[:, 1:] >= ends[:, :-1]).all() and not ends[:, 0].any())
    said = f"{_NAN} at the end of rows" if is_tail else f"{_NAN}, not only at the end of rows"
    return (
        f"{said}. Pass sequences of unequal length with an axis of channels, {name}{axis}, or as a "
        f"list of arrays. {padding}; fill or drop it elsewhere."
    )


def _as_array(X):
    """Return the expression for X as an array, and that array, None if it has no numbers."""
    if sparse.issparse(X):
        return "X.toarray()", X.toarray()
    if hasattr(X, "to_numpy") and hasattr(X, "astype"):  # with nullable columns
        return "X.astype(float).to_numpy()", X.astype(float).to_numpy()
    if hasattr(X, "to_numpy"):
        return "X.to_numpy()", as_numbers(X)
    return "X" if hasattr(X, "shape") else "np.asarray(X)", as_numbers(X)


@contextlib.contextmanager
def advising(about):
    """Replace the message of a ValueError by `about(message)`, unless that is None."""
    try:
        yield
    except ValueError as error:
        message = about(str(error))
        if message is None:
            raise
        raise ValueError(message) from error


def is_about_cells(message):
    """Return whether a message is NumPy's about cells that are not numbers."""
    return message.startswith(_NO_NUMBER)


def is_about_nan(message):
    """Return whether a message is scikit-learn's about NaN in X."""
    return message.startswith(_NAN)
