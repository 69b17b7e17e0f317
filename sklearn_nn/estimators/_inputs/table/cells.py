"""Cell values of tables: numbers, categories and missing values."""

from __future__ import annotations

import datetime
import decimal
import numbers
import sys
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np

NUMBER, CATEGORY = "number", "category"
_DATES = (datetime.date, datetime.time, np.datetime64)
_DURATIONS = (datetime.timedelta, np.timedelta64)
#: Every float of at least this magnitude is a whole number.
_ALL_WHOLE = 2.0**53
#: Errors about types that are neither numbers nor categories, by NumPy's letter for the type.
UNSUPPORTED = {
    "M": "{label} holds dates ({dtype}); turn dates into numbers first, such as year, month and "
    "weekday.",
    "m": "{label} holds time differences ({dtype}); turn them into numbers first, such as seconds "
    "(.dt.total_seconds() of a pandas column).",
    "c": "Complex data not supported: {label} holds complex numbers; pass their real and imaginary "
    "parts as two columns.",
}


def unsupported(letter, label, dtype):
    """Return the error about a column of dates, durations or complex numbers."""
    return ValueError(UNSUPPORTED[letter].format(label=label, dtype=dtype))


def infinity_error(label):
    """Return the error about a column with infinite numbers."""
    return ValueError(
        f"Input X contains infinity or a value too large for dtype('float64') in {label}; replace "
        "it, by NaN if it stands for a missing value."
    )


def is_missing(value):
    """Return whether a cell is empty: None, NaN, pandas' NA or NaT."""
    if value is None or value is getattr(sys.modules.get("pandas"), "NA", None):
        return True
    if isinstance(value, str):
        return False
    try:
        return bool(value != value)  # true of NaN and NaT
    except (ArithmeticError, TypeError, ValueError):  # an array has no truth value
        return False


def is_number(value):
    """Return whether a value is a real number; booleans and Decimals are."""
    if isinstance(value, _DURATIONS):  # NumPy's are registered as integers
        return False
    return isinstance(value, numbers.Real | np.bool_ | decimal.Decimal)


def is_printed(value):
    """Return whether a value of a pandas category is represented by its text, such as a date."""
    if isinstance(value, _DURATIONS):
        return True
    return not (isinstance(value, str | bytes | numbers.Complex) or is_number(value))


def short(value, length=40):
    """Return the representation of a value on one line of at most `length` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= length else text[: length - 3] + "..."


def check_scalar(value, label):
    """Raise ValueError or TypeError unless a cell is a real number or a string."""
    if isinstance(value, str) or is_number(value):
        return
    kind = type(value).__name__
    if isinstance(value, _DATES) or kind == "Period":
        raise unsupported("M", label, kind)
    if isinstance(value, _DURATIONS):
        raise unsupported("m", label, kind)
    if isinstance(value, numbers.Complex):
        raise unsupported("c", label, kind)
    if isinstance(value, bytes):
        raise ValueError(
            f"{label} holds bytes, such as {value!r}; decode them first (.str.decode('utf-8') of "
            "a pandas column, numpy.char.decode of an array)."
        )
    raise TypeError(
        f"{label} holds {short(value)} of type {kind}; a cell's argument must be a string or a "
        "real number. Turn the column into text or numbers first, as with .astype(str)."
    )


def _examples(values):
    """Map each type among objects to a value that is not missing, or to None if all are."""
    backwards = values[::-1]  # so that the dict keeps the first value of each type
    examples = dict(zip(map(type, backwards), backwards, strict=True))
    for kind in [kind for kind, example in examples.items() if is_missing(example)]:
        # NaN shares its type with numbers: search for a value that is present.
        present = (v for v in values if type(v) is kind and not is_missing(v))
        examples[kind] = next(present, None)
    return examples


def kind_of(values, label):
    """Return `NUMBER` if all objects that are not missing are numbers, else `CATEGORY`.

    Columns of booleans, and columns without any value, are categories. Raise ValueError or
    TypeError for dates, complex numbers and objects that are not scalars.
    """
    examples = [example for example in _examples(values).values() if example is not None]
    for example in examples:
        check_scalar(example, label)
    if all(isinstance(example, bool | np.bool_) for example in examples):
        return CATEGORY
    return NUMBER if all(is_number(example) for example in examples) else CATEGORY


def as_numbers(values, label, found_text=None):
    """Convert objects to float64, with NaN for missing values; `label` names them in errors.

    Text is an error if `found_text` is None. Otherwise text is missing, and the first one is
    appended to the list `found_text`.
    """
    examples = _examples(values)
    text = [value for value in examples.values() if value is not None and not is_number(value)]
    for example in text:
        check_scalar(example, label)
    if text and found_text is None:
        raise ValueError(
            f"{label} holds {short(text[0])}, which is text, where numbers are expected. Convert "
            "it (pandas.to_numeric), or fit with the column listed in categorical_features."
        )
    if text:
        found_text.append(text[0])
    absent = {k for k, example in examples.items() if example is None or isinstance(example, str)}
    if not all(issubclass(kind, float) for kind in absent):
        values = [None if type(value) in absent else value for value in values]
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise infinity_error(label) from error


def lookalikes(values):
    """Return the types of objects that may compare equal to real numbers, such as complex."""
    return {
        kind
        for kind in set(map(type, values))
        if (issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real))
        or issubclass(kind, np.timedelta64)  # of NumPy before 2.0
    }


class _Apart(NamedTuple):
    """Dictionary key of a value that must not equal a real number."""

    value: object

    def __eq__(self, other):
        return type(other) is _Apart and self.value == other.value

    def __hash__(self):
        return hash(self.value)


def numbered(values, label):
    """Return the position of each object in a list of distinct values, and this list.

    The positions are of type intp, and -1 for missing values.
    """
    known = {}
    kinds = lookalikes(values)
    keys = [_Apart(v) if type(v) in kinds else v for v in values] if kinds else values
    try:
        codes = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)
    except TypeError as error:
        for value in values:
            if not isinstance(value, Hashable):
                check_scalar(value, label)
        raise TypeError(f"{label} holds values that cannot be hashed: {error}") from error
    distinct = [key.value if type(key) is _Apart else key for key in known]
    missing = [code for code, value in enumerate(distinct) if is_missing(value)]
    if missing:
        codes[np.isin(codes, missing)] = -1
    return codes, distinct


def plain(value, label, prints=False):
    """Convert a category to a str, bool, int or finite float of Python.

    Whole numbers of any type become int. With `prints`, dates, intervals and other objects become
    the text that they print as; without, they raise ValueError or TypeError.
    """
    if type(value) is str:
        return value
    if prints and is_printed(value):
        return str(_of_pandas(value))
    check_scalar(value, label)  # first, because .item() makes integers of NumPy's dates
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    value = float(value)
    if not np.isfinite(value):
        raise infinity_error(label)
    return int(value) if value.is_integer() and abs(value) < _ALL_WHOLE else value


def _of_pandas(value):
    """Convert a date or duration of NumPy to pandas, if pandas is loaded."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, np.datetime64 | np.timedelta64):
        return value
    return (pandas.Timestamp if isinstance(value, np.datetime64) else pandas.Timedelta)(value)
