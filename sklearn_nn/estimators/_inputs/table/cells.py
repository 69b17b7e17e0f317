"""What the cells of a column of objects hold: numbers, categories, or nothing."""

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
#: From here on floats are whole because they have no more digits.
_ALL_WHOLE = 2.0**53


def is_missing(value):
    """Whether a cell is empty: None, NaN, pandas' NA or NaT."""
    if value is None or value is getattr(sys.modules.get("pandas"), "NA", None):
        return True
    return not isinstance(value, str) and _differs_from_itself(value)


def _differs_from_itself(value):
    """What NaN and NaT do; an array says neither yes nor no."""
    try:
        return bool(value != value)
    except (ArithmeticError, TypeError, ValueError):
        return False


def _examples(values):
    """For each type among objects one that is not missing; None for types of which all are."""
    backwards = values[::-1]  # so that the first of each type is what remains
    examples = dict(zip(map(type, backwards), backwards, strict=True))
    for kind in [kind for kind, example in examples.items() if is_missing(example)]:
        # A type that NaN has too, such as float: look for one that is a number.
        there = (v for v in values if type(v) is kind and not is_missing(v))
        examples[kind] = next(there, None)
    return examples


def kind_of(values, label):
    """What objects are: `NUMBER` if all that are not missing are numbers, else `CATEGORY`.

    Only truth values, and nothing at all, are categories.

    Raises
    ------
    ValueError, TypeError
        If there are dates, complex numbers, or what is no scalar.
    """
    examples = [example for example in _examples(values).values() if example is not None]
    for example in examples:
        check_scalar(example, label)
    if all(isinstance(example, bool | np.bool_) for example in examples):
        return CATEGORY
    return NUMBER if all(is_number(example) for example in examples) else CATEGORY


def is_number(value):
    """Whether a value is a real number; a truth value is one, and so is a Decimal."""
    if isinstance(value, _DURATIONS):  # NumPy's are whole numbers to Python
        return False
    return isinstance(value, numbers.Real | np.bool_ | decimal.Decimal)


def check_scalar(value, label):
    """Raise an error if a cell holds what is neither number nor text."""
    if isinstance(value, str) or is_number(value):
        return
    kind = type(value).__name__
    if isinstance(value, _DATES) or kind == "Period":
        raise refusal_of_dates(label, kind)
    if isinstance(value, _DURATIONS):
        raise refusal_of_durations(label, kind)
    if isinstance(value, numbers.Complex):
        raise refusal_of_complex(label)
    if isinstance(value, bytes):
        raise ValueError(
            f"{label} holds bytes, such as {value!r}; decode them first (.str.decode('utf-8') of "
            "a pandas column, numpy.char.decode of an array)."
        )
    raise TypeError(
        f"{label} holds {short(value)} of type {kind}; a cell's argument must be a string or a "
        "real number. Turn the column into text or numbers first, as with .astype(str)."
    )


def refusal_of_dates(label, dtype):
    """The error about a column of dates."""
    return ValueError(
        f"{label} holds dates ({dtype}); turn dates into numbers first, such as year, month and "
        "weekday."
    )


def refusal_of_durations(label, dtype):
    """The error about a column of time differences."""
    return ValueError(
        f"{label} holds time differences ({dtype}); turn them into numbers first, such as seconds "
        "(.dt.total_seconds() of a pandas column)."
    )


def refusal_of_complex(label):
    """The error about a column of complex numbers."""
    return ValueError(
        f"Complex data not supported: {label} holds complex numbers; pass their real and imaginary "
        "parts as two columns."
    )


def as_numbers(values, label, words=None):
    """Objects as float64, with NaN where there is none.

    Parameters
    ----------
    values : sequence of object
    label : str
        How errors call the column.
    words : list or None
        Where text counts as missing: the first that is found is appended. None is where it does
        not.

    Raises
    ------
    ValueError, TypeError
        If one is no number.
    """
    examples = _examples(values)
    text = [value for value in examples.values() if value is not None and not is_number(value)]
    for example in text:
        check_scalar(example, label)
    if text and words is None:
        raise ValueError(
            f"{label} holds {short(text[0])}, which is text, where numbers are expected. Convert "
            "it (pandas.to_numeric), or fit with the column listed in categorical_features."
        )
    if text:
        words.append(text[0])
    absent = {k for k, example in examples.items() if example is None or isinstance(example, str)}
    if not all(issubclass(kind, float) for kind in absent):
        values = [None if type(value) in absent else value for value in values]
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise refusal_of_infinity(label) from error


def lookalikes(values):
    """The types among objects whose values may equal numbers that they are not: 1 + 0j equals 1."""
    return {
        kind
        for kind in set(map(type, values))
        if (issubclass(kind, numbers.Complex) and not issubclass(kind, numbers.Real))
        or issubclass(kind, np.timedelta64)  # of NumPy before 2.0
    }


class _Apart(NamedTuple):
    """A value that equals none of another type."""

    value: object

    def __eq__(self, other):
        return type(other) is _Apart and self.value == other.value

    def __hash__(self):
        return hash(self.value)


def numbered(values, label):
    """Objects as numbers of distinct values.

    Returns
    -------
    codes : ndarray of intp of shape (n,)
        Positions in `distinct`; -1 where a cell is missing.
    distinct : list
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
        raise TypeError(f"{label} holds values that cannot be told apart: {error}") from error
    distinct = [key.value if type(key) is _Apart else key for key in known]
    missing = [code for code, value in enumerate(distinct) if is_missing(value)]
    if missing:
        codes[np.isin(codes, missing)] = -1
    return codes, distinct


def plain(value, label, prints=False):
    """A category as text, truth value, whole or finite number of Python's own.

    A whole number is an int, whatever type it came in. With `prints`, dates, intervals and other
    objects are the text that they print as.

    Raises
    ------
    ValueError, TypeError
        If it is something else.
    """
    if type(value) is str:
        return value
    if prints and is_printed(value):
        return str(_of_pandas(value))
    check_scalar(value, label)  # before NumPy makes whole numbers of its dates
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return str(value)
    if isinstance(value, bool):
        return value
    if isinstance(value, int):
        return int(value)
    value = float(value)
    if not np.isfinite(value):
        raise refusal_of_infinity(label)
    return int(value) if value.is_integer() and abs(value) < _ALL_WHOLE else value


def _of_pandas(value):
    """A date or duration of NumPy's as pandas has it, where pandas is loaded."""
    pandas = sys.modules.get("pandas")
    if pandas is None or not isinstance(value, np.datetime64 | np.timedelta64):
        return value
    return (pandas.Timestamp if isinstance(value, np.datetime64) else pandas.Timedelta)(value)


def is_printed(value):
    """Whether a category of pandas' is what it prints as: a date, an interval, a tuple."""
    if isinstance(value, _DURATIONS):
        return True
    return not (isinstance(value, str | bytes | numbers.Complex) or is_number(value))


def refusal_of_infinity(label):
    """The error about a column with numbers that are not finite."""
    return ValueError(
        f"Input X contains infinity or a value too large for dtype('float64') in {label}; replace "
        "it, by NaN if it stands for a missing value."
    )


def short(value):
    """A value as errors show it, on one line."""
    text = " ".join(repr(value).split())
    return text if len(text) <= 40 else text[:37] + "..."
