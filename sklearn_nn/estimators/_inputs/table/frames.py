"""Tables of NumPy, pandas and polars, read column by column as numbers or category codes."""

from __future__ import annotations

import datetime
import decimal
import numbers
import re
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

_DATES = (datetime.date, datetime.time, np.datetime64)
_DURATIONS = (datetime.timedelta, np.timedelta64)
#: Every float of at least this magnitude is a whole number.
_ALL_WHOLE = 2.0**53
#: Digits with commas in groups of three or none, a currency, an exponent, a percent sign.
_NUMBER = re.compile(
    r"([+-]?)[$€£¥]?\s*"
    r"((?:[1-9][0-9]{0,2}(?:,[0-9]{3})+|[0-9]+)?(?:\.[0-9]*)?(?:[eE][+-]?[0-9]+)?)\s*(%?)"
)
#: Text that stands for a missing number, in lower case.
_ABSENT = {*("", "-", "--", "?", ".", "na", "n/a", "n.a.", "#n/a", "<na>", "nan", "null", "none")}
#: Errors about types that are neither numbers nor categories, by NumPy's letter for the type.
_UNSUPPORTED = {
    "M": "{label} holds dates ({dtype}); turn dates into numbers first, such as year, month and "
    "weekday, or use dates='parts'.",
    "m": "{label} holds time differences ({dtype}); turn them into numbers first, such as seconds "
    "(.dt.total_seconds() of a pandas column).",
    "c": "Complex data not supported: {label} holds complex numbers; pass their real and imaginary "
    "parts as two columns.",
}


def _refuse(letter, label, dtype):
    """Raise ValueError if NumPy's letter for a type is one of dates, durations or complex."""
    if letter in _UNSUPPORTED:
        raise ValueError(_UNSUPPORTED[letter].format(label=label, dtype=dtype))


class TextError(ValueError):
    """Text in a column of numbers."""


def _infinity_error(label):
    return ValueError(
        f"Input X contains infinity or a value too large for dtype('float64') in {label}; replace "
        "it, by NaN if it stands for a missing value."
    )


# --- tables ------------------------------------------------------------------------------------


def read_frame(X, estimator=None):
    """Return X, a DataFrame of any library, an array or a list of rows, as a `Frame`.

    Errors name `estimator`. Raise TypeError or ValueError if X is sparse, lazy, empty, not
    two-dimensional, or has two columns of the same name.
    """
    named = {"estimator": estimator, "input_name": "X"}
    if not isinstance(X, np.ndarray | list) and not sparse.issparse(X):
        if not any(_is_frame_of(library, X) for library in _LIBRARIES) and hasattr(X, "to_pandas"):
            X = X.to_pandas()
        for library, kind in _LIBRARIES.items():
            if _is_frame_of(library, X):
                if 0 in X.shape:
                    check_array(np.empty(X.shape), **named)  # raises scikit-learn's error
                return Frame(X, _names_of(X.columns), kind)
        if hasattr(X, "collect"):
            raise TypeError(f"X is a {type(X).__name__}, which has not been read; use X.collect().")
    array = X if sparse.issparse(X) else _as_array(X)
    try:
        array = check_array(array, dtype=None, ensure_all_finite=False, **named)
    except ValueError as error:
        if getattr(array, "ndim", 2) != 1:
            raise
        advice = "A table of one row is X[:1], and one of one column X[['name']]."
        raise ValueError(f"{error}\n{advice}") from None
    return Frame(array, None, _ArrayCells if hasattr(X, "dtype") else _ListCells)


def _is_frame_of(library, X):
    """Return whether X is a DataFrame of a library, without importing the library."""
    kind = getattr(sys.modules.get(library), "DataFrame", None)
    return kind is not None and isinstance(X, kind)


def _as_array(X):
    """Return rows as an array; cells of lists keep their types."""
    if isinstance(X, np.ndarray):
        return X
    try:
        array = np.asarray(X)
        return np.asarray(X, dtype=object) if array.ndim == 2 else array
    except ValueError as error:
        raise ValueError(
            f"X cannot be read as a table ({error}); give every row the same number of cells."
        ) from error


def _names_of(columns):
    """Return the column names if they are strings, else None; raise an error if only some are."""
    columns = list(columns)
    texts = [isinstance(name, str) for name in columns]
    if any(texts) and not all(texts):
        kinds = sorted({type(name).__qualname__ for name in columns})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your "
            f"input has {kinds} as feature name / column name types; use X.columns = "
            "X.columns.astype(str)."
        )
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(
            f"X has {columns.count(twice)} columns of the name {twice!r}; rename or drop all but "
            "one."
        )
    return columns if columns and all(texts) else None


@dataclass(frozen=True)
class Frame:
    """Data frame of any library; `names` are the names of its columns, or None if not strings."""

    table: Any
    names: list[str] | None
    _kind: type[Cells]

    @property
    def shape(self):
        """Return the number of rows and of columns."""
        return self.table.shape

    def column(self, i):
        """Return the cells of a column."""
        label = f"Column {i if self.names is None else repr(self.names[i])} of X"
        return self._kind(self.table, i, label)

    def rows(self, start, stop):
        """Return the rows from `start` to before `stop` as a frame."""
        rows = getattr(self.table, "iloc", self.table)[start:stop]
        return Frame(rows, self.names, self._kind)


# --- columns -----------------------------------------------------------------------------------


class Cells(ABC):
    """Cells of column `i` of a table; `label` is the name of the column in errors."""

    #: Whether the type of the column can hold text among numbers.
    takes_text: bool
    #: Whether the column may hold any object as a category.
    prints = False

    def __init__(self, table, i, label):
        self.label = label
        self._coded = None

    def are_categorical(self):
        """Return whether the cells are categories, or all missing."""
        if self._are_categories():
            return True
        values = self._numbers()
        return bool(len(values) and np.isnan(values[0]) and np.isnan(values).all())

    def numbers(self, words=None):
        """Return the cells as float64, to be read only, with NaN if missing; see `_as_numbers`."""
        values = self._numbers(words)
        if np.isinf(values).any():
            raise _infinity_error(self.label)
        return values

    def codes(self):
        """Return each cell's position in a list of values, -1 if missing, and this list."""
        if self._coded is None:
            self._coded = self._codes()
        return self._coded

    def times(self):
        """Return dates as datetime64 of microseconds, NaT if missing; None if there are no dates.

        Times with a zone are those of the clocks there.
        """
        return

    @abstractmethod
    def _codes(self):
        """Return `codes`."""

    @abstractmethod
    def _are_categories(self):
        """Return `are_categorical` of cells that are not all missing."""

    @abstractmethod
    def _numbers(self, words=None):
        """Return `numbers`, which may be infinite."""

    def _numbers_of_codes(self, words):
        """Return `numbers` of a column that is stored as categories or booleans."""
        codes, values = self.codes()
        seen = np.unique(codes[codes >= 0])
        table = np.full(len(values) + 1, np.nan)
        table[seen] = _as_numbers([values[code] for code in seen], self.label, words)
        return table[codes]  # code -1 is the last


class _ArrayCells(Cells):
    """Cells of an array."""

    def __init__(self, table, i, label):
        super().__init__(table, i, label)
        self._values, self._letter = table[:, i], table.dtype.kind

    @property
    def takes_text(self):
        return self._letter not in "iufb"

    def times(self):
        """Return dates, as in `Cells`."""
        return _as_times(self._values) if self._letter in "MO" else None

    def _are_categories(self):
        _refuse(self._letter, self.label, self._values.dtype)
        if self._letter == "O":
            return _objects_are_categories(self._values, self.label)
        if self._letter not in "iuf":
            _check_scalar(self._values[0], self.label)
        return self._letter not in "iuf"

    def _numbers(self, words=None):
        _refuse(self._letter, self.label, self._values.dtype)
        if self._letter in "iufb":
            with np.errstate(over="ignore"):
                return self._values.astype(np.float64, copy=False)
        return _as_numbers(self._values, self.label, words)

    def _codes(self):
        _refuse(self._letter, self.label, self._values.dtype)
        if self._letter in "iufb":
            return _numbered_by_value(self._values)
        return _numbered(self._values.tolist(), self.label)


class _ListCells(_ArrayCells):
    """Cells of a list of rows."""

    takes_text = True


class _PandasCells(Cells):
    """Cells of a pandas DataFrame."""

    def __init__(self, table, i, label):
        super().__init__(table, i, label)
        self._pandas, series = sys.modules["pandas"], table.iloc[:, i]
        # Dates and durations stay arrays of pandas, whose values print as those of its categories.
        is_numpy = isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM"
        self._values = values = series.to_numpy() if is_numpy else series.array
        # Whether the column has pandas' type of categories.
        self.prints = self._is_coded = isinstance(values.dtype, self._pandas.CategoricalDtype)
        dtype = values.categories.dtype if self._is_coded else values.dtype
        self._letter = getattr(dtype, "kind", "O")
        self.takes_text = self._letter not in "iufb"

    def times(self):
        """Return dates, as in `Cells`."""
        values = self._values
        if self._is_coded or self._letter not in "MO" or values.dtype.type is str:
            return None
        if getattr(values.dtype, "tz", None) is not None:
            values = values.tz_localize(None)
        return _as_times(np.asarray(values))

    def _are_categories(self):
        dtype = self._values.dtype
        if self._is_coded or self._letter == "b" or dtype.type is str:
            return True
        if self._letter in "iuf":
            return False
        _refuse(self._letter, self.label, dtype)
        return _objects_are_categories(np.asarray(self._values, dtype=object), self.label)

    def _numbers(self, words=None):
        values, letter = self._values, self._letter
        if self._is_coded:
            return self._numbers_of_codes(words)
        if letter not in "mM" or not values.isna().all():  # NaT alone is missing, not a date
            _refuse(letter, self.label, values.dtype)
        if letter not in "iufb":
            return _as_numbers(np.asarray(values, dtype=object), self.label, words)
        if isinstance(values.dtype, np.dtype | self._pandas.SparseDtype):
            with np.errstate(over="ignore"):
                return np.asarray(values).astype(np.float64, copy=False)
        return values.to_numpy(dtype=np.float64, na_value=np.nan)

    def _codes(self):
        cells = self._values
        if self._is_coded:
            codes, values = np.asarray(cells.codes), list(cells.categories)
        elif isinstance(cells, np.ndarray) and self._letter in "iufb":
            return _numbered_by_value(cells)
        elif self._letter == "O" and _lookalikes(cells):
            return _numbered(list(cells), self.label)
        else:
            try:
                codes, values = self._pandas.factorize(cells)
            except TypeError:  # cells that cannot be hashed, which `_numbered` names
                return _numbered(cells, self.label)
            values = list(values)
        if self._letter == "f":  # nullable types distinguish NaN and NA
            missing = [code for code, value in enumerate(values) if is_missing(value)]
            codes = np.where(np.isin(codes, missing), -1, codes)
        return codes, values


class _PolarsCells(Cells):
    """Cells of a polars DataFrame."""

    def __init__(self, table, i, label):
        super().__init__(table, i, label)
        self._polars, self._values = sys.modules["polars"], table.to_series(i)
        self._dtype = self._values.dtype
        self.takes_text = not (self._dtype.is_numeric() or self._dtype == self._polars.Boolean)

    def times(self):
        """Return dates, as in `Cells`."""
        if self._dtype == self._polars.Object:
            return _as_times(np.array(self._values.to_list(), dtype=object))
        if self._dtype not in (self._polars.Date, self._polars.Datetime):
            return None
        values = self._values
        if self._dtype == self._polars.Datetime:
            values = values.dt.replace_time_zone(None)
        return _as_times(values.cast(self._polars.Datetime("us")).to_numpy())

    def _refuse_times(self):
        """Raise ValueError if the type is one of dates or durations."""
        if self._dtype.is_temporal():
            is_duration = self._dtype == self._polars.Duration
            _refuse("m" if is_duration else "M", self.label, self._dtype)

    def _are_categories(self):
        self._refuse_times()
        if self._dtype == self._polars.Object:
            objects = np.array(self._values.to_list(), dtype=object)
            return _objects_are_categories(objects, self.label)
        if self._dtype.is_nested() or self._dtype == self._polars.Binary:
            for example in self._values.drop_nulls().head(1).to_list():
                _check_scalar(example, self.label)
        return not self._dtype.is_numeric()

    def _numbers(self, words=None):
        values = self._values
        if values.null_count() < len(values):
            self._refuse_times()
        if self._dtype.is_numeric():
            return values.cast(self._polars.Float64).to_numpy()
        if self._dtype == self._polars.Object:
            return _as_numbers(values.to_list(), self.label, words)
        return self._numbers_of_codes(words)

    def _codes(self):
        return _numbered(self._values, self.label)


#: Libraries whose DataFrames are read, if they are imported.
_LIBRARIES = {"polars": _PolarsCells, "pandas": _PandasCells}


def _as_times(values):
    """Return an array of dates, or of objects, as `Cells.times`."""
    if values.dtype.kind == "O":
        missing = [is_missing(value) for value in values]
        present = [value for value, gone in zip(values, missing, strict=True) if not gone]
        if not present or not all(isinstance(v, datetime.date | np.datetime64) for v in present):
            return None
        found = np.full(len(values), "NaT", dtype="datetime64[us]")
        zoneless = [v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in present]
        found[~np.array(missing)] = np.array(zoneless, dtype="datetime64[us]")
        return found
    return values.astype("datetime64[us]") if values.dtype.kind == "M" else None


# --- values ------------------------------------------------------------------------------------


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


def number_in(text):
    """Return the number that text reads as, NaN if it stands for a missing value, else None."""
    text = text.strip()
    if text.lower() in _ABSENT:
        return np.nan
    match = _NUMBER.fullmatch(text)
    if match is None:
        return None
    sign, digits, percent = match.groups()
    try:
        number = float(sign + digits.replace(",", "")) / (100 if percent else 1)
    except ValueError:  # no digits
        return None
    return number if np.isfinite(number) else None


def _is_number(value):
    """Return whether a value is a real number; booleans and Decimals are."""
    is_real = isinstance(value, numbers.Real | np.bool_ | decimal.Decimal)
    return is_real and not isinstance(value, _DURATIONS)  # NumPy's are registered as integers


def is_printed(value):
    """Return whether a value of a pandas category is represented by its text, such as a date."""
    is_plain = isinstance(value, str | bytes | numbers.Complex) or _is_number(value)
    return isinstance(value, _DURATIONS) or not is_plain


def short(value, length=40):
    """Return the representation of a value on one line of at most `length` characters."""
    text = " ".join(repr(value).split())
    return text if len(text) <= length else text[: length - 3] + "..."


def _check_scalar(value, label):
    """Raise ValueError or TypeError unless a cell is a real number or a string."""
    if isinstance(value, str) or _is_number(value):
        return
    kind = type(value).__name__
    if isinstance(value, _DATES) or kind == "Period":
        _refuse("M", label, kind)
    if isinstance(value, _DURATIONS):
        _refuse("m", label, kind)
    if isinstance(value, numbers.Complex):
        _refuse("c", label, kind)
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


def _objects_are_categories(values, label):
    """Return whether objects are categories: booleans, not all numbers, or all missing."""
    examples = [example for example in _examples(values).values() if example is not None]
    for example in examples:
        _check_scalar(example, label)
    are_booleans = all(isinstance(example, bool | np.bool_) for example in examples)
    return are_booleans or not all(map(_is_number, examples))


def _as_numbers(values, label, words=None):
    """Convert objects to float64, with NaN for missing values.

    Text is an error if `words` is None. Otherwise it is read, and that which is neither a number
    nor stands for a missing one is appended to `words`, and is missing.
    """
    examples = _examples(values)
    text = [value for value in examples.values() if value is not None and not _is_number(value)]
    for example in text:
        _check_scalar(example, label)
    if text and words is None:
        raise TextError(
            f"{label} holds {short(text[0])}, which is text, where numbers are expected. Convert "
            "it (pandas.to_numeric), or fit with the column listed in categorical_features."
        )
    if text:
        read = {v: number_in(v) for v in values if isinstance(v, str)}
        words += [str(word) for word, number in read.items() if number is None]
        values = [read[v] if isinstance(v, str) else v for v in values]
    absent = {kind for kind, example in examples.items() if example is None}
    if not all(issubclass(kind, float) for kind in absent):
        values = [None if type(value) in absent else value for value in values]
    try:
        with np.errstate(over="ignore"):
            return np.array(values, dtype=np.float64)
    except OverflowError as error:
        raise _infinity_error(label) from error


def _numbered_by_value(column):
    """Return `Cells.codes` of an array of numbers or booleans."""
    values, codes = np.unique(column, return_inverse=True)
    if column.dtype.kind == "f" and len(values) and np.isnan(values[-1]):
        codes = np.where(codes == len(values) - 1, -1, codes)
    return codes, values.tolist()


def _lookalikes(values):
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


def _numbered(values, label):
    """Return `Cells.codes` of objects: positions of type intp, and the distinct values."""
    known = {}
    kinds = _lookalikes(values)
    keys = [_Apart(v) if type(v) in kinds else v for v in values] if kinds else values
    try:
        codes = np.array([known.setdefault(key, len(known)) for key in keys], dtype=np.intp)
    except TypeError as error:
        for value in values:
            if not isinstance(value, Hashable):
                _check_scalar(value, label)
        raise TypeError(f"{label} holds values that cannot be hashed: {error}") from error
    distinct = [key.value if type(key) is _Apart else key for key in known]
    missing = [code for code, value in enumerate(distinct) if is_missing(value)]
    if missing:
        codes[np.isin(codes, missing)] = -1
    return codes, distinct


def plain(value, label, prints=False):
    """Convert a category to a str, bool, int (if it is whole) or finite float of Python.

    With `prints`, dates and other objects become the text that they print as.
    """
    if type(value) is str:
        return value
    if prints and is_printed(value):
        return _printed(value)
    _check_scalar(value, label)  # first, because .item() makes integers of NumPy's dates
    value = value.item() if isinstance(value, np.generic) else value
    for kind in (str, bool, int):
        if isinstance(value, kind):
            return kind(value)
    value = float(value)
    if not np.isfinite(value):
        raise _infinity_error(label)
    return int(value) if value.is_integer() and abs(value) < _ALL_WHOLE else value


def _printed(value):
    """Return the text of a value; that of NumPy's dates and durations is as pandas prints them."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(value, np.datetime64 | np.timedelta64):
        value = (pandas.Timestamp if isinstance(value, np.datetime64) else pandas.Timedelta)(value)
    return str(value)
