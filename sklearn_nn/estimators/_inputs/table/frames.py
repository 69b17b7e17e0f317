"""Tables of NumPy, pandas and polars, read column by column as numbers or category codes."""

from __future__ import annotations

import datetime
import decimal
import numbers
import sys
from abc import ABC, abstractmethod
from collections.abc import Hashable
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

_DATES = (datetime.date, datetime.time, np.datetime64)
_DURATIONS = (datetime.timedelta, np.timedelta64)
#: Every float of at least this magnitude is a whole number.
_ALL_WHOLE = 2.0**53
#: Errors about types that are neither numbers nor categories, by NumPy's letter for the type.
_UNSUPPORTED = {
    "M": "{label} holds dates ({dtype}); turn dates into numbers first, such as year, month and "
    "weekday.",
    "m": "{label} holds time differences ({dtype}); turn them into numbers first, such as seconds "
    "(.dt.total_seconds() of a pandas column).",
    "c": "Complex data not supported: {label} holds complex numbers; pass their real and imaginary "
    "parts as two columns.",
}


def _refuse(letter, label, dtype):
    """Raise ValueError if NumPy's letter for a type is one of dates, durations or complex."""
    if letter in _UNSUPPORTED:
        raise ValueError(_UNSUPPORTED[letter].format(label=label, dtype=dtype))


def _infinity_error(label):
    return ValueError(
        f"Input X contains infinity or a value too large for dtype('float64') in {label}; replace "
        "it, by NaN if it stands for a missing value."
    )


# --- tables ------------------------------------------------------------------------------------


def read_frame(X, estimator=None):
    """Return X as a `Frame`; `estimator` is named in errors.

    X is a pandas or polars DataFrame, an object with a method `to_pandas`, an array or a list of
    rows. Raise TypeError or ValueError if it is sparse, lazy, empty, not two-dimensional, or has
    two columns of the same name.
    """
    if not isinstance(X, np.ndarray | list) and not sparse.issparse(X):
        if _is_frame_of("polars", X):
            return _PolarsFrame(X).checked(estimator)
        if not _is_frame_of("pandas", X) and hasattr(X, "to_pandas"):
            X = X.to_pandas()
        if _is_frame_of("pandas", X):
            return _PandasFrame(X).checked(estimator)
        if hasattr(X, "collect"):
            raise TypeError(f"X is a {type(X).__name__}, which has not been read; use X.collect().")
    array = _as_array(X) if not sparse.issparse(X) else X
    array = check_array(
        array, dtype=None, ensure_all_finite=False, estimator=estimator, input_name="X"
    )
    return _ArrayFrame(array, is_typed=hasattr(X, "dtype"))


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
    """Return the names of columns if all are strings, as scikit-learn does; else None.

    Raise TypeError if only some are strings, and ValueError if a name occurs twice.
    """
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


class Frame(ABC):
    """Table of shape `shape`; `names` are the column names if they are strings, else None."""

    shape: tuple[int, int]
    names: list[str] | None

    def label(self, i):
        """Return the name of a column in errors."""
        return f"Column {i if self.names is None else repr(self.names[i])} of X"

    def is_categorical(self, i):
        """Return whether a column holds categories, or no value; raise if it is of another kind."""
        if self._has_categories(i):
            return True
        values = self._numbers(i)
        return bool(len(values) and np.isnan(values[0]) and np.isnan(values).all())

    def numbers(self, i, found_text=None):
        """Return a column as float64, with NaN for missing values; it must not be written to.

        Text is treated as in `_as_numbers`. Infinite numbers raise ValueError.
        """
        values = self._numbers(i, found_text)
        if np.isinf(values).any():
            raise _infinity_error(self.label(i))
        return values

    def prints(self, i):
        """Return whether a column may hold any object as a category."""
        return False

    @abstractmethod
    def takes_text(self, i):
        """Return whether a column's type can hold text among numbers."""

    @abstractmethod
    def codes(self, i):
        """Return each cell's position in a list of values, -1 if missing, and this list.

        The list may hold values that do not occur.
        """

    @abstractmethod
    def rows(self, start, stop):
        """Return the rows from `start` to before `stop` as a frame."""

    @abstractmethod
    def _has_categories(self, i):
        """Return `is_categorical` of a column that holds a value."""

    @abstractmethod
    def _numbers(self, i, found_text=None):
        """Return `numbers`, which may be infinite."""

    def _numbers_of_codes(self, i, found_text):
        """Return `numbers` of a column that is stored as categories or booleans."""
        codes, values = self.codes(i)
        seen = np.unique(codes[codes >= 0])
        table = np.full(len(values) + 1, np.nan)
        table[seen] = _as_numbers([values[code] for code in seen], self.label(i), found_text)
        return table[codes]  # code -1 is the last

    def checked(self, estimator):
        """Return the frame; raise scikit-learn's error if it has no rows or no columns."""
        if 0 in self.shape:
            check_array(np.empty(self.shape), estimator=estimator, input_name="X")
        return self


class _ArrayFrame(Frame):
    """Columns of a NumPy array; `is_typed` is False if the user passed lists."""

    names = None

    def __init__(self, array, *, is_typed):
        self._array, self._is_typed = array, is_typed
        self.shape = array.shape

    def _column(self, i):
        """Return a column and NumPy's letter for its type, which is not one of dates."""
        letter = self._array.dtype.kind
        _refuse(letter, self.label(i), self._array.dtype)
        return self._array[:, i], letter

    def takes_text(self, i):
        return not self._is_typed or self._array.dtype.kind not in "iufb"

    def _has_categories(self, i):
        column, letter = self._column(i)
        if letter == "O":
            return _are_categories(column, self.label(i))
        if letter not in "iuf":
            _check_scalar(column[0], self.label(i))
        return letter not in "iuf"

    def _numbers(self, i, found_text=None):
        column, letter = self._column(i)
        if letter in "iufb":
            with np.errstate(over="ignore"):
                return column.astype(np.float64, copy=False)
        return _as_numbers(column, self.label(i), found_text)

    def codes(self, i):
        column, letter = self._column(i)
        if letter not in "iufb":
            return _numbered(column.tolist(), self.label(i))
        return _numbered_by_value(column)

    def rows(self, start, stop):
        return _ArrayFrame(self._array[start:stop], is_typed=self._is_typed)


class _PandasFrame(Frame):
    """Columns of a pandas DataFrame."""

    def __init__(self, frame):
        self._frame, self._pandas = frame, sys.modules["pandas"]
        self.shape, self.names = frame.shape, _names_of(frame.columns)

    def _column(self, i):
        """Return a column, whether it holds codes of categories, and the letter of its values."""
        series = self._frame.iloc[:, i]
        # Dates and durations stay arrays of pandas, whose values print as those of its categories.
        is_numpy = isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM"
        column = series.to_numpy() if is_numpy else series.array
        is_coded = isinstance(column.dtype, self._pandas.CategoricalDtype)
        values = column.categories if is_coded else column
        return column, is_coded, getattr(values.dtype, "kind", "O")

    def prints(self, i):
        return self._column(i)[1]

    def takes_text(self, i):
        return self._column(i)[2] not in "iufb"

    def _has_categories(self, i):
        column, is_coded, letter = self._column(i)
        if is_coded or letter == "b" or column.dtype.type is str:
            return True
        if letter in "iuf":
            return False
        _refuse(letter, self.label(i), column.dtype)
        return _are_categories(np.asarray(column, dtype=object), self.label(i))

    def _numbers(self, i, found_text=None):
        column, is_coded, letter = self._column(i)
        if is_coded:
            return self._numbers_of_codes(i, found_text)
        if letter not in "mM" or not column.isna().all():  # NaT alone is missing, not a date
            _refuse(letter, self.label(i), column.dtype)
        if letter not in "iufb":
            return _as_numbers(np.asarray(column, dtype=object), self.label(i), found_text)
        if isinstance(column.dtype, np.dtype | self._pandas.SparseDtype):
            with np.errstate(over="ignore"):
                return np.asarray(column).astype(np.float64, copy=False)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)

    def codes(self, i):
        column, is_coded, letter = self._column(i)
        if is_coded:
            codes, values = np.asarray(column.codes), list(column.categories)
        elif isinstance(column, np.ndarray) and letter in "iufb":
            return _numbered_by_value(column)
        elif letter == "O" and _lookalikes(column):
            return _numbered(list(column), self.label(i))
        else:
            try:
                codes, values = self._pandas.factorize(column)
            except TypeError:  # cells that cannot be hashed, which `_numbered` names
                return _numbered(column, self.label(i))
            values = list(values)
        if letter == "f":  # nullable types distinguish NaN and NA
            missing = [code for code, value in enumerate(values) if is_missing(value)]
            codes = np.where(np.isin(codes, missing), -1, codes)
        return codes, values

    def rows(self, start, stop):
        return _PandasFrame(self._frame.iloc[start:stop])


class _PolarsFrame(Frame):
    """Columns of a polars DataFrame."""

    def __init__(self, frame):
        self._frame, self._polars = frame, sys.modules["polars"]
        self.shape, self.names = frame.shape, _names_of(frame.columns)

    def _column(self, i):
        return self._frame.to_series(i)

    def _refuse_times(self, i, dtype):
        """Raise ValueError if a type is one of dates or durations."""
        if dtype.is_temporal():
            _refuse("m" if dtype == self._polars.Duration else "M", self.label(i), dtype)

    def takes_text(self, i):
        dtype = self._column(i).dtype
        return not (dtype.is_numeric() or dtype == self._polars.Boolean)

    def _has_categories(self, i):
        column = self._column(i)
        self._refuse_times(i, column.dtype)
        if column.dtype == self._polars.Object:
            return _are_categories(np.array(column.to_list(), dtype=object), self.label(i))
        if column.dtype.is_nested() or column.dtype == self._polars.Binary:
            for example in column.drop_nulls().head(1).to_list():
                _check_scalar(example, self.label(i))
        return not column.dtype.is_numeric()

    def _numbers(self, i, found_text=None):
        column = self._column(i)
        if column.null_count() < len(column):
            self._refuse_times(i, column.dtype)
        if column.dtype.is_numeric():
            return column.cast(self._polars.Float64).to_numpy()
        if column.dtype == self._polars.Object:
            return _as_numbers(column.to_list(), self.label(i), found_text)
        return self._numbers_of_codes(i, found_text)

    def codes(self, i):
        return _numbered(self._column(i), self.label(i))

    def rows(self, start, stop):
        return _PolarsFrame(self._frame[start:stop])


# --- cells -------------------------------------------------------------------------------------


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


def _are_categories(values, label):
    """Return whether objects are categories: booleans, not all numbers, or all missing.

    Raise ValueError or TypeError for dates, complex numbers and objects that are not scalars.
    """
    examples = [example for example in _examples(values).values() if example is not None]
    for example in examples:
        _check_scalar(example, label)
    are_booleans = all(isinstance(example, bool | np.bool_) for example in examples)
    return are_booleans or not all(map(_is_number, examples))


def _as_numbers(values, label, found_text=None):
    """Convert objects to float64, with NaN for missing values; `label` names them in errors.

    Text is an error if `found_text` is None. Otherwise text is missing, and the first one is
    appended to the list `found_text`.
    """
    examples = _examples(values)
    text = [value for value in examples.values() if value is not None and not _is_number(value)]
    for example in text:
        _check_scalar(example, label)
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
        raise _infinity_error(label) from error


def _numbered_by_value(column):
    """Return `Frame.codes` of an array of numbers or booleans."""
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
    """Return `Frame.codes` of objects: positions of type intp, and the distinct values."""
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
    """Convert a category to a str, bool, int or finite float of Python.

    Whole numbers of any type become int. With `prints`, dates, intervals and other objects become
    the text that they print as; without, they raise ValueError or TypeError.
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
