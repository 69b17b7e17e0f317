"""Tables of NumPy, pandas and polars, read column by column as numbers or category codes."""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_nn.estimators._inputs.table.cells import (
    CATEGORY,
    NUMBER,
    UNSUPPORTED,
    as_numbers,
    check_scalar,
    infinity_error,
    is_missing,
    kind_of,
    lookalikes,
    numbered,
    unsupported,
)
from sklearn_nn.estimators._inputs.table.column_selection import names_of


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


def _numbered_by_value(column):
    """Return `Frame.codes` of an array of numbers or booleans."""
    values, codes = np.unique(column, return_inverse=True)
    if column.dtype.kind == "f" and len(values) and np.isnan(values[-1]):
        codes = np.where(codes == len(values) - 1, -1, codes)
    return codes, values.tolist()


class Frame(ABC):
    """Table of shape `shape`; `names` are the column names if they are strings, else None."""

    shape: tuple[int, int]
    names: list[str] | None

    def label(self, i):
        """Return the name of a column in errors."""
        return f"Column {i if self.names is None else repr(self.names[i])} of X"

    def kind(self, i):
        """Return `NUMBER` or `CATEGORY` by the type of a column, or raise an error.

        A column without any value is a `CATEGORY`.
        """
        kind = self._kind(i)
        if kind == NUMBER:
            values = self._numbers(i)
            if len(values) and np.isnan(values[0]) and np.isnan(values).all():
                return CATEGORY
        return kind

    def numbers(self, i, found_text=None):
        """Return a column as float64, with NaN for missing values; it must not be written to.

        Text is treated as in `as_numbers`. Infinite numbers raise ValueError.
        """
        values = self._numbers(i, found_text)
        if np.isinf(values).any():
            raise infinity_error(self.label(i))
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
    def _kind(self, i):
        """Return `kind` of a column that holds a value."""

    @abstractmethod
    def _numbers(self, i, found_text=None):
        """Return `numbers`, which may be infinite."""

    def _numbers_of_codes(self, i, found_text):
        """Return `numbers` of a column that is stored as categories or booleans."""
        codes, values = self.codes(i)
        seen = np.unique(codes[codes >= 0])
        table = np.full(len(values) + 1, np.nan)
        table[seen] = as_numbers([values[code] for code in seen], self.label(i), found_text)
        return table[codes]  # code -1 is the last

    def _refuse(self, i, letter, dtype):
        """Raise ValueError if NumPy's letter for a type is one of dates or complex numbers."""
        if letter in UNSUPPORTED:
            raise unsupported(letter, self.label(i), dtype)

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
        self._refuse(i, self._array.dtype.kind, self._array.dtype)
        return self._array[:, i], self._array.dtype.kind

    def takes_text(self, i):
        return not self._is_typed or self._array.dtype.kind not in "iufb"

    def _kind(self, i):
        column, letter = self._column(i)
        if letter in "iuf":
            return NUMBER
        if letter == "O":
            return kind_of(column, self.label(i))
        check_scalar(column[0], self.label(i))
        return CATEGORY

    def _numbers(self, i, found_text=None):
        column, letter = self._column(i)
        if letter in "iufb":
            with np.errstate(over="ignore"):
                return column.astype(np.float64, copy=False)
        return as_numbers(column, self.label(i), found_text)

    def codes(self, i):
        column, letter = self._column(i)
        if letter not in "iufb":
            return numbered(column.tolist(), self.label(i))
        return _numbered_by_value(column)

    def rows(self, start, stop):
        return _ArrayFrame(self._array[start:stop], is_typed=self._is_typed)


class _PandasFrame(Frame):
    """Columns of a pandas DataFrame."""

    def __init__(self, frame):
        self._frame = frame
        self.shape = frame.shape
        self.names = names_of(frame.columns)
        self._pandas = sys.modules["pandas"]

    def _column(self, i):
        series = self._frame.iloc[:, i]
        # Dates and durations stay arrays of pandas, whose values print as those of its categories.
        is_numpy = isinstance(series.dtype, np.dtype) and series.dtype.kind not in "mM"
        column = series.to_numpy() if is_numpy else series.array
        return column, getattr(column.dtype, "kind", "O")

    def _is_categorical(self, column):
        return isinstance(column.dtype, self._pandas.CategoricalDtype)

    def prints(self, i):
        return self._is_categorical(self._column(i)[0])

    def takes_text(self, i):
        column, letter = self._column(i)
        if self._is_categorical(column):
            letter = getattr(column.categories.dtype, "kind", "O")
        return letter not in "iufb"

    def _kind(self, i):
        column, letter = self._column(i)
        if self._is_categorical(column) or letter == "b" or column.dtype.type is str:
            return CATEGORY
        if letter in "iuf":
            return NUMBER
        self._refuse(i, letter, column.dtype)
        return kind_of(np.asarray(column, dtype=object), self.label(i))

    def _numbers(self, i, found_text=None):
        column, letter = self._column(i)
        if self._is_categorical(column):
            return self._numbers_of_codes(i, found_text)
        if letter not in "mM" or not column.isna().all():  # NaT alone is missing, not a date
            self._refuse(i, letter, column.dtype)
        if letter not in "iufb":
            return as_numbers(np.asarray(column, dtype=object), self.label(i), found_text)
        if isinstance(column.dtype, np.dtype | self._pandas.SparseDtype):
            with np.errstate(over="ignore"):
                return np.asarray(column).astype(np.float64, copy=False)
        return column.to_numpy(dtype=np.float64, na_value=np.nan)

    def codes(self, i):
        column, letter = self._column(i)
        if self._is_categorical(column):
            codes, values = np.asarray(column.codes), list(column.categories)
            letter = getattr(column.categories.dtype, "kind", "O")
        elif isinstance(column, np.ndarray) and letter in "iufb":
            return _numbered_by_value(column)
        elif letter == "O" and lookalikes(column):
            return numbered(list(column), self.label(i))
        else:
            try:
                codes, values = self._pandas.factorize(column)
            except TypeError:  # cells that cannot be hashed, which `numbered` names
                return numbered(column, self.label(i))
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
        self._frame = frame
        self.shape = frame.shape
        self.names = names_of(frame.columns)
        self._polars = sys.modules["polars"]

    def _column(self, i):
        return self._frame.to_series(i)

    def _refuse_times(self, i, dtype):
        """Raise ValueError if a type is one of dates or durations."""
        if dtype.is_temporal():
            self._refuse(i, "m" if dtype == self._polars.Duration else "M", dtype)

    def takes_text(self, i):
        dtype = self._column(i).dtype
        return not (dtype.is_numeric() or dtype == self._polars.Boolean)

    def _kind(self, i):
        column = self._column(i)
        self._refuse_times(i, column.dtype)
        if column.dtype.is_numeric():
            return NUMBER
        if column.dtype == self._polars.Object:
            return kind_of(np.array(column.to_list(), dtype=object), self.label(i))
        if column.dtype.is_nested() or column.dtype == self._polars.Binary:
            for example in column.drop_nulls().head(1).to_list():
                check_scalar(example, self.label(i))
        return CATEGORY

    def _numbers(self, i, found_text=None):
        column = self._column(i)
        if column.null_count() < len(column):
            self._refuse_times(i, column.dtype)
        if column.dtype.is_numeric():
            return column.cast(self._polars.Float64).to_numpy()
        if column.dtype == self._polars.Object:
            return as_numbers(column.to_list(), self.label(i), found_text)
        return self._numbers_of_codes(i, found_text)

    def codes(self, i):
        return numbered(self._column(i), self.label(i))

    def rows(self, start, stop):
        return _PolarsFrame(self._frame[start:stop])
