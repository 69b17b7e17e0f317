"""Advice on an invalid X in errors, and warnings about unusual units and axes of X.

`owner` is the class name of the estimator that reads X.
"""

from __future__ import annotations

import re

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor

from sklearn_nn.estimators._core.parts import DATES_REMEDY
from sklearn_nn.estimators._inputs.sequences import Sequences, as_numbers, n_axes, samples_of
from sklearn_nn.estimators._inputs.table.frames import is_missing, short
from sklearn_nn.layers.shape import CHANNELS_FIRST, CHANNELS_LAST

#: Messages of NumPy about cells that are lists or arrays, and of scikit-learn about NaN.
_NO_NUMBER, _NAN = "setting an array element with a sequence", "Input X contains NaN"
#: Beginnings of messages about cells of a table that are no numbers.
_NOT_NUMBERS = (
    "could not convert string to float", f"{_NAN}.\n", f"{_NAN}, which",
    "Input contains missing values (pd.NA)", "dtype='numeric' is not compatible",
)  # fmt: skip
#: Advice on a single sample.
_ONE = "X has the shape of one sample; pass X[:1] in place of X[0], or [x] for a single sample x."
#: Message of Python about an object that is not a number, with its type.
_NO_REAL = re.compile(r"^float\(\) argument must be a string or a real number, not '([^']*)'")
_DATES = ("datetime.date", "datetime.datetime", "datetime.timedelta", "Timestamp", "Timedelta")
#: Divisor of the bytes of images and sequences: 0..255 becomes 0..1.
WHITE = 255
#: Number of values whose units are examined, evenly spaced over the samples.
_LOOKED_AT = 2**16
#: Upper limit of values that were scaled to 0..1, with a margin for brightened images.
_BEYOND = 2.0
#: Factor by which whole numbers may exceed the fitted maximum.
_BRIGHTER = 16.0
#: Numbers of channels of grey, RGB and RGBA images.
_USUAL = (1, 3, 4)
#: Smallest number of pixels of a side; a shorter axis is ambiguous.
_SMALLEST = 8
#: Largest ratio of the sides of an image.
_LONGEST = 3
#: Few steps of many channels, and how many times more, of suspicious sequences.
_FEW_STEPS, _MANY_CHANNELS, _TIMES = 8, 50, 8


# --- advice in place of the messages of NumPy and scikit-learn ----------------------------------


def about_missing(what, message):
    """Return advice for an error about pd.NA, or dates, in `what`, or None."""
    found = _NO_REAL.search(message)
    kind = found.group(1) if found else ""
    if "NA is ambiguous" in message or kind == "NAType":
        return f"{what} contains missing values (pd.NA); fill or drop them first."
    return f"{what} contains dates ({kind}); {DATES_REMEDY}." if kind in _DATES else None


def check_targets(y):
    """Raise ValueError if targets are missing, with the number of rows."""
    try:
        values = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else np.asarray(y)
    except (TypeError, ValueError):  # rows of unequal length, which is another error
        return
    if values.ndim == 0 or values.dtype.kind not in "fcO" or not len(values):
        return
    is_object = values.dtype.kind == "O"
    missing = (
        np.frompyfunc(is_missing, 1, 1)(values).astype(bool) if is_object else np.isnan(values)
    )
    n = np.count_nonzero(missing.reshape(len(values), -1).any(axis=1))
    if not n:
        return
    example = values[missing][0]
    name = "NaN" if isinstance(example, float | np.floating) else f"missing values ({example})"
    name = name.replace("<NA>", "pd.NA")
    raise ValueError(
        f"Input y contains {name}.\ny is missing in {n} of {len(values)} rows; drop them, in X too."
    )


def about_table(X, owner, message):
    """Return advice for an error with a `message` about a table of numbers, or None."""
    if not message.startswith(_NO_NUMBER):
        return None
    return _about_cells(X, owner, takes_sequences=False) or _about_rows(X, owner)


def about_values(estimator, message):
    """Return a message about text or missing values in a table with advice added, or None.

    A message of scikit-learn's remains the first part.
    """
    if not message.startswith(_NOT_NUMBERS):
        return None
    reader = "TabularRegressor" if is_regressor(estimator) else "TabularClassifier"
    own = type(estimator).__name__
    return (
        f"{message}\n{reader} takes text, categories and missing values as they are; before {own}, "
        f"TableEncoder makes them numbers: make_pipeline(TableEncoder(), {own}()), from "
        "sklearn_nn.estimators.table_encoder."
    )


def about_one_sample(X, shapes, message):
    """Return an error's message with advice added if X has one of the shapes of a sample, or None.

    A length of None stands for any number of time steps.
    """
    try:
        found = np.shape(X)
    except ValueError:  # sequences of unequal length
        return None
    for shape in shapes:
        pairs = zip(found, shape, strict=False)
        if len(found) == len(shape) and all(wanted in (None, n) for n, wanted in pairs):
            return f"{message}\n{_ONE}"
    return None


def about_shaped(X, owner, message, steps):
    """Return advice for an error about images or sequences, or None.

    `steps` is the shape (steps, channels) of a row, or None if rows are not sequences.
    """
    if message.startswith(_NO_NUMBER):
        return _about_cells(X, owner, takes_sequences=True)
    return _about_nan(X, owner, steps) if message.startswith(_NAN) else None


def about_samples(X, message):
    """Return advice for NumPy's message about samples of unequal shapes, or None."""
    said = _about_samples(X)
    return None if said is None else f"{said} NumPy: {message}"


def _columns(X):
    """Yield the expression for each column of a two-dimensional table, and the column."""
    if hasattr(X, "columns"):
        for name in X.columns:
            yield f"X[{name!r}]", X[name]
    elif isinstance(X, np.ndarray) and X.ndim == 2:
        for i in range(X.shape[1]):
            yield f"X[:, {i}]", X[:, i]


def _about_cells(X, owner, takes_sequences):
    """Return advice about a table with a list, an array or a Series in a cell, else None."""
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


def _about_rows(X, owner):
    """Return advice about a list of samples that is not a table, else None."""
    samples = samples_of(X)
    if not len(samples):
        return None
    told = _about_samples(samples)
    if told is not None or not n_axes(samples[0]):
        return told
    kind = type(samples[0]).__name__
    table = "np.stack(X)" if n_axes(samples[0]) == 1 else "np.stack(X).reshape(len(X), -1)"
    return f"X has items of type {kind}; {owner} reads tables, such as {table}."


def _about_samples(X):
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


def _about_nan(X, owner, steps):
    """Return advice about NaN in samples that are images or sequences."""
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


# --- warnings -----------------------------------------------------------------------------------


def units_of(X, are_bytes):
    """Return the units of an array, a sparse matrix or `Sequences` as a dict.

    Its keys are "bytes", "largest" (of bytes before scaling), and "whole" (only whole numbers).
    """
    values = X.data if sparse.issparse(X) else X.values if isinstance(X, Sequences) else X
    values = values[:: max(1, values.size // _LOOKED_AT)]
    largest = float(np.fmax.reduce(values, axis=None)) if values.size else 0.0
    if are_bytes:
        # Bytes of sequences are scaled already.
        largest = float(round(largest * WHITE)) if isinstance(X, Sequences) else largest
        return {"bytes": True, "whole": True, "largest": largest}
    whole = values.dtype.kind in "biu" or bool((np.floor(values) == values).all())
    return {"bytes": False, "whole": whole, "largest": largest}


def other_units(fitted, found, owner):
    """Return a warning if samples seem to be in other units than the fitted ones, else None.

    `fitted` and `found` are `units_of` the fitted samples and of others; one of the two are bytes.
    """
    if found["bytes"]:
        # Images of 0 and 1 would be almost black as bytes.
        alike = fitted["whole"] and 0 < found["largest"] <= fitted["largest"]
        if not (fitted["largest"] > _BEYOND or alike):
            return None
        return (
            f"X holds bytes (uint8), which {owner} divides by {WHITE}, but it was fitted on "
            f"numbers of another type, up to {fitted['largest']:g}, which it did not divide. "
            "Convert X to the fitted type: X.astype(float)."
        )
    brighter = found["largest"] > _BRIGHTER * fitted["largest"] / WHITE and found["whole"]
    if not (found["largest"] > _BEYOND or brighter):
        return None
    return (
        f"X holds numbers up to {found['largest']:g} that are not bytes, but {owner} was fitted on "
        f"bytes (uint8), which it divides by {WHITE}, so that they lie in 0..1. Pass the same "
        f"pixels as bytes, X.astype('uint8'), or divide them: X / {WHITE}."
    )


def units_of_another(fitted, found, owner):
    """Return a warning if samples seem to be in other units than those of another network."""
    if fitted["bytes"] != found["bytes"]:
        return other_units(fitted, found, owner)
    small, large = sorted((fitted, found), key=lambda units: units["largest"])
    are_pixels = large["whole"] and large["largest"] > _BRIGHTER * small["largest"]
    if found["bytes"] or not are_pixels or not 0 < small["largest"] <= _BEYOND:
        return None
    return (
        f"X holds numbers up to {found['largest']:g}, but {owner} was fitted on numbers up to "
        f"{fitted['largest']:g}; pass X in the same units, in which its weights are useful."
    )


def misplaced_channels(axes, data_format, otherwise):
    """Return a warning if images seem to have their channels on another axis, else None.

    `axes` is the shape of an image as passed; `otherwise`, the end of the text, says what to do if
    it is intended. An axis of 1, 3 or 4 beside two long ones of similar length is suspicious.
    """
    if len(axes) != 3:
        return None
    is_first = data_format == CHANNELS_FIRST
    channels, sides = (axes[-1], axes[:-1]) if is_first else (axes[0], axes[1:])
    # An axis of 1 may also be a height of one pixel, unless the other axes are of similar length.
    longest = _LONGEST if channels > 1 else _LONGEST - 1
    if channels not in _USUAL or min(sides) < _SMALLEST or max(sides) > longest * min(sides):
        return None
    height, width, read = (axes[1], axes[2], axes[0]) if is_first else axes
    other = CHANNELS_LAST if is_first else CHANNELS_FIRST
    return (
        f"X has samples of shape {axes}, which with data_format={data_format!r} are images of "
        f"{height} x {width} pixels with {read} channels. If the axis of {channels} is that of the "
        f"channels, set data_format={other!r}{otherwise}."
    )


def misplaced_steps(axes, data_format, otherwise=""):
    """Return a warning if sequences seem to have their channels on another axis, else None.

    `axes` is the shape of a sequence as passed; `otherwise`, the end of the text, says what to do
    if it is intended. Up to 8 time steps of 50 channels or more, 8 times as many, are suspicious.
    """
    if len(axes) != 2:
        return None
    is_first = data_format == CHANNELS_FIRST
    steps, channels = reversed(axes) if is_first else axes
    if steps > _FEW_STEPS or channels < max(_MANY_CHANNELS, _TIMES * steps):
        return None
    other = CHANNELS_LAST if is_first else CHANNELS_FIRST
    return (
        f"X has sequences of shape {axes}, which with data_format={data_format!r} are {steps} time "
        f"steps of {channels} channels. If the axis of {steps} is that of the channels, set "
        f"data_format={other!r}, or pass np.swapaxes(X, 1, 2){otherwise}."
    )
