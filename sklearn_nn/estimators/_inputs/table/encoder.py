"""Encoder of tables with numbers, categories and missing values."""

from __future__ import annotations

from dataclasses import KW_ONLY
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils import validation
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from sklearn_nn._spec import DOC_LINKS, doc_page, parameters, set_plain
from sklearn_nn.estimators._core.parameters import StrOptions
from sklearn_nn.estimators._core.parts import check_some_weight, versioned, warn
from sklearn_nn.estimators._inputs.table import columns as kinds
from sklearn_nn.estimators._inputs.table.columns import (
    BLOCKS,
    CategoryColumn,
    DateColumn,
    DroppedColumn,
    NumberColumn,
)
from sklearn_nn.estimators._inputs.table.frames import TextError, read_frame, short
from sklearn_nn.estimators._inputs.table.text import IDENTIFIERS, NUMBERS, TextColumn, advice_on

_COLUMNS = {
    column.kind: column for column in (NumberColumn, CategoryColumn, DateColumn, DroppedColumn)
}
_BY_TYPE = "from_dtype"


@parameters
@versioned
class TableEncoder(TransformerMixin, BaseEstimator):
    """Encoder of tables: scaled numbers, indicators of missing values, one-hots and codes.

    The output has four blocks of columns, from left to right:

    1. *numbers*: each numeric column, scaled. A missing value is replaced by the median.
    2. *indicators*: one column for each numeric column in which `fit` saw missing values.
    3. *one-hots*: categorical columns with few categories. Missing values and categories that
       `fit` did not see are all zeros. Two categories share one column of -1 and 1.
    4. *embedded*: for the other categorical columns the code of each category, from 1, as an index
       into an embedding. Code 0 is a missing value or a category that `fit` did not see.

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like of str, int or bool, \
            default="from_dtype"
        The categorical columns: chosen by type, none, or given as names, positions or a mask.
        Categorical by type are strings, categories of pandas and polars, booleans, objects that are
        not all numbers, and columns without any value, except text of numbers and identifiers, for
        which there is a warning (see Notes).
    numeric : {"robust", "quantile"}, default="robust"
        Scaling of numbers. "robust" computes x / sqrt(1 + (x / 3)^2), where x is the distance from
        the median in interquartile ranges (in halves of the range if that is 0), and applies to
        indicators and one-hots, too. "quantile" maps numbers to a normal distribution by rank, and
        leaves indicators and one-hots 0 and 1.
    max_one_hot : int, default=9
        Largest number of values, a missing one included, of a column that is one-hot encoded.
    dates : {"error", "parts"}, default="error"
        What is done with columns of dates. "parts" turns each into numbers: elapsed days, year,
        month, day of the month, weekday and hour, as far as they vary, and sine and cosine of the
        angle of month, weekday and hour on a circle. Times with a zone are those of the clocks
        there. Dates as text must be converted first (pandas.to_datetime).
    dtype : {"float32", "float64"}, default="float32"
        Type of the output.

    Attributes
    ----------
    n_features_in_ : int
        Number of columns of the table.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Names of the columns, if they are strings.
    is_categorical_ : ndarray of bool of shape (n_features_in_,)
        Mask of the categorical columns.
    categories_ : list of length n_features_in_
        Categories of each column, numbers before text; None for a numeric column. 1, 1.0 and a
        nullable 1 are the same category. pandas categories that are dates or intervals are text.
    dropped_columns_ : list of str or int
        Names, or positions without names, of the columns that are left out.
    n_numbers_, n_indicators_, n_one_hots_ : int
        Number of columns in the first three blocks of the output.
    cardinalities_ : list of int
        Number of codes, 0 included, of each column in the fourth block.
    n_features_out_ : int
        Number of columns of the output.

    Notes
    -----
    Named columns are matched by name, in any order. Constant columns, and columns without any
    value, are 0.

    With ``categorical_features="from_dtype"``, `fit` decides about columns of text, and names in a
    warning those that are not made of categories. The decision does not depend on `y`, and each row
    with a positive weight counts once:

    - *Numbers*: at least 32 distinct numbers that are at least 95% of the values, none of which is
      a whole number with a leading zero, such as a postal code. "1e3", "1,234", "$5.20" and "12%"
      are numbers; "1,5", "1.234,50" and "inf" are not.
    - *Identifiers*: at least 50 values, of which at least 90% occur once. They are left out;
      `transform` does not read them.
    - *Dates*: at least 32 distinct values, of which at least 95% look like "2011-01-31" or
      "31/01/2011", with a time or without. If they are not left out as identifiers, they are
      categories.

    Empty text, "-", "?", ".", "n/a" and the like are missing values in these rules.

    The encoding of a cell depends on its value and on the fitted encoder, not on other cells or on
    the type of the column. A category of text in a column where `fit` saw only numbers, or the
    reverse, is unknown and gives a warning. Text in a numeric column is an error, unless the fitted
    column could hold text (text, objects, or a list of rows): then it is read as a number or a
    missing value, with a warning about words that `fit` did not see.

    A row of `sample_weight` 2 counts as two equal rows. Rows with zero weight are ignored.

    Examples
    --------
    >>> from sklearn_nn.estimators.table_encoder import TableEncoder
    >>> X = [[1.0, "red"], [2.0, "blue"], [None, "red"], [4.0, "green"]]
    >>> encoder = TableEncoder().fit(X)
    >>> encoder.get_feature_names_out()
    array(['x0', 'missingindicator_x0', 'x1_blue', 'x1_green', 'x1_red'],
          dtype=object)
    >>> encoder.n_numbers_, encoder.n_indicators_, encoder.n_one_hots_
    (1, 1, 3)
    """

    categorical_features: Any = _BY_TYPE
    _: KW_ONLY
    numeric: str = "robust"
    max_one_hot: int = 9
    dates: str = "error"
    dtype: str = "float32"

    __setattr__ = set_plain
    _doc_link_module, _doc_link_template = DOC_LINKS
    _doc_link_url_param_generator = doc_page

    _parameter_constraints = {
        "categorical_features": ["array-like", StrOptions({_BY_TYPE}), None],
        "numeric": [StrOptions(set(kinds.SCALINGS))],
        "max_one_hot": [Interval(Integral, 0, None, closed="left")],
        "dates": [StrOptions({"error", "parts"})],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn scales and categories from a table.

        `X` is a DataFrame or an array-like of shape (n_samples, n_features), in which None, NaN,
        pandas' NA and NaT are missing values; `y` is not used. Raise ValueError or TypeError for
        dates unless `dates` is "parts", infinite or complex numbers, for other cells that are
        neither numbers nor text, for text in a numeric column, and if no column holds a value or
        all are identifiers.
        """
        return self._learn(X, sample_weight, self)

    def _learn(self, X, sample_weight, estimator):
        """Fit, with errors that name `estimator`."""
        frame = read_frame(X, estimator)
        weights = self._weights(sample_weight, frame)
        mask = categorical_mask(frame, self.categorical_features)
        columns, of_text, not_listed = [], {}, {}
        for i in range(frame.shape[1]):
            cells = frame.column(i)
            times = cells.times() if self.dates == "parts" else None
            if times is not None and not np.isnat(times).all():
                columns.append(DateColumn.fit(times, cells.label, weights, self.numeric))
                continue
            is_categorical = cells.are_categorical() if mask is None else mask[i]
            text = TextColumn.of(cells, weights) if is_categorical and mask is None else None
            if text is not None:
                of_text[i] = text
            try:
                columns.append(self._column(cells, weights, is_categorical, text))
            except TextError as error:
                not_listed[i] = error
        if not_listed:
            raise ValueError(_about_text(not_listed, frame, mask)) from None
        if not any(any(column.widths) for column in columns):
            if of_text:
                raise ValueError(
                    f"X has no column to learn from. {advice_on(of_text, frame.names)}"
                )
            raise ValueError(
                "X has missing values only; pass a table with a column that holds a value."
            )
        if of_text:
            warn(advice_on(of_text, frame.names))
        self._publish(columns, frame.names)
        return self

    def take_categories(self, tally):
        """Replace the categories that were learnt from a sample by those of all rows."""
        names = getattr(self, "feature_names_in_", None)
        columns = [*self._columns]
        for i, column in enumerate(columns):
            if isinstance(column, CategoryColumn):
                name = i if names is None else names[i]
                counted = tally.column(name, self.numeric, self.max_one_hot)
                columns[i] = column if counted is None else counted
        self._publish(columns, None if names is None else names.tolist())

    def _column(self, cells, weights, is_categorical, text):
        """Return a fitted column; `text` is its `TextColumn`, or None."""
        kind = None if text is None else text.kind
        if kind == IDENTIFIERS:
            return DroppedColumn()
        if kind == NUMBERS or not is_categorical:
            return NumberColumn.fit(cells, weights, self.numeric, reads_text=kind == NUMBERS)
        return CategoryColumn.fit(cells, weights, self.numeric, self.max_one_hot)

    def _weights(self, sample_weight, frame):
        """Return the weights of the rows; None if all are equal."""
        if sample_weight is None:
            return None
        kind = {"dtype": np.float64, "ensure_non_negative": True}
        weights = validation._check_sample_weight(sample_weight, frame, **kind)
        check_some_weight(weights, "sample")
        return None if (weights == weights[0]).all() else weights

    def _publish(self, columns, names):
        """Set the fitted attributes."""
        self._columns = columns
        self.n_features_in_ = len(columns)
        self.__dict__.pop("feature_names_in_", None)
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        self.is_categorical_ = np.array([isinstance(c, CategoryColumn) for c in columns])
        self.categories_ = [getattr(column, "categories", None) for column in columns]
        dropped = [i for i, column in enumerate(columns) if isinstance(column, DroppedColumn)]
        self.dropped_columns_ = dropped if names is None else [names[i] for i in dropped]
        widths = np.array([column.widths for column in columns])
        self.n_numbers_, self.n_indicators_, self.n_one_hots_, _ = widths.sum(axis=0).tolist()
        embedded = BLOCKS.index("embedded")
        self.cardinalities_ = [len(c.categories) + 1 for c in columns if c.widths[embedded]]
        self.n_features_out_ = int(widths.sum())
        # The output is ordered by block, then by column.
        order = widths.T.ravel()
        self._starts = (np.cumsum(order) - order).reshape(widths.T.shape).T.tolist()

    def transform(self, X):
        """Return the encoded table, a finite array of shape (n_samples, n_features_out_).

        Columns with names may come in any order. Raise ValueError or TypeError if columns are
        missing or unknown, or hold invalid values.
        """
        check_is_fitted(self)
        return self.encode(X)

    def encode(self, X, estimator=None):
        """Return the encoded table as an array; errors name `estimator`."""
        (encoded,) = self.encode_blocks(X, None, estimator)
        return encoded

    def encode_blocks(self, X, n_rows, estimator=None):
        """Yield blocks of `n_rows` encoded rows, or all at once; errors name `estimator`."""
        owner = self if estimator is None else estimator
        frame = read_frame(X, owner)
        positions = self._positions(frame, owner)
        n_samples, told = frame.shape[0], set()
        step = n_samples if n_rows is None else n_rows
        for start in range(0, n_samples, step):
            part = frame if step >= n_samples else frame.rows(start, start + step)
            out = np.empty((part.shape[0], self.n_features_out_), dtype=self.dtype)
            for column, i, starts in zip(self._columns, positions, self._starts, strict=True):
                remark = column.write(part.column(i), out, starts)
                if remark is not None and i not in told:
                    told.add(i)
                    warn(remark)
            yield out

    def _positions(self, frame, owner):
        """Return the position in a frame of each fitted column: by name, or in the same order."""
        names, known = frame.names, getattr(self, "feature_names_in_", None)
        n_columns, n_known, kind = frame.shape[1], self.n_features_in_, type(owner).__name__
        if names is not None and known is not None:
            at = {name: i for i, name in enumerate(names)}
            if set(at) != set(known):
                validation._check_feature_names(self, frame.table, reset=False)  # raises an error
            return [at[name] for name in known]
        if n_columns != n_known:
            raise ValueError(
                f"X has {n_columns} features, but {kind} is expecting {n_known} features as input."
            )
        if names is not None:
            warn(f"X has feature names, but {kind} was fitted without feature names")
        elif known is not None:
            warn(f"X does not have valid feature names, but {kind} was fitted with feature names")
        return list(range(n_known))

    def get_feature_names_out(self, input_features=None):
        """Return the names of the output columns, an array of strings.

        `input_features` are the names of the table's columns; None stands for the fitted ones, or
        x0, x1, ... Numbers and embedded columns keep their name, others append to it.
        """
        check_is_fitted(self)
        names_in = validation._check_feature_names_in(self, input_features)
        of_columns = [c.names_out(name) for c, name in zip(self._columns, names_in, strict=True)]
        names = [name for block in zip(*of_columns, strict=True) for part in block for name in part]
        return np.array(names, dtype=object)

    def origins(self):
        """Return the position of the table's column from which each output column comes."""
        check_is_fitted(self)
        found = np.empty(self.n_features_out_, dtype=np.intp)
        for position, (column, starts) in enumerate(zip(self._columns, self._starts, strict=True)):
            for start, width in zip(starts, column.widths, strict=True):
                found[start : start + width] = position
        return found

    def bin_edges(self, encoded, n_bins, sample_weight=None):
        """Return the edges of bins, at most n_bins + 1, of each column of numbers of encoded rows.

        They are for piecewise-linear embeddings; `sample_weight` has the weights of the rows.
        """
        check_is_fitted(self)
        weights = self._weights(sample_weight, encoded)
        kept = slice(None) if weights is None else weights > 0
        weights = None if weights is None else weights[kept]
        columns = encoded[kept, : self.n_numbers_].T
        return [kinds.bin_edges(column.astype(np.float64), n_bins, weights) for column in columns]

    def state(self):
        """Return the fitted encoder as a dict of plain values and arrays of float64."""
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return {
            "numeric": self.numeric,
            "dtype": self.dtype,
            "max_one_hot": int(self.max_one_hot),
            "dates": self.dates,
            "names": None if names is None else names.tolist(),
            "columns": [_as_plain(column) for column in self._columns],
        }

    @classmethod
    def from_state(cls, state):
        """Return the encoder of a dict that `state` returned; its `categorical_features` is a mask.

        Raise ValueError, TypeError or KeyError if the dict is invalid.
        """
        columns = [_from_plain(fields) for fields in state["columns"]]
        names = state["names"]
        if names is not None and not (len(set(names)) == len(names) == len(columns)):
            raise ValueError("names do not match the columns")
        mask = [isinstance(column, CategoryColumn) for column in columns]
        options = {name: state[name] for name in ("numeric", "max_one_hot", "dtype")}
        encoder = cls(mask, **options, dates=state.get("dates", "error"))
        encoder._validate_params()
        encoder._publish(columns, names)
        return encoder

    def __getstate__(self):
        state = {**super().__getstate__()}  # pickles hold plain values
        if "_columns" in state:
            state["_columns"] = [_as_plain(column) for column in state["_columns"]]
        return state

    def __setstate__(self, state):
        super().__setstate__(state)
        if "_columns" in state:
            self._columns = [_from_plain(fields) for fields in state["_columns"]]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = []
        return tags


def _as_plain(column):
    """Return a column as a dict of plain values."""
    fields = {name: getattr(column, name) for name in column.__dataclass_fields__}
    if isinstance(column, DateColumn):
        fields["columns"] = [_as_plain(one) for one in column.columns]
    return {"kind": column.kind, **fields}


def _from_plain(fields):
    """Return the column of a dict, or raise an error if it is invalid."""
    kind, given = _COLUMNS[fields["kind"]], {k: v for k, v in fields.items() if k != "kind"}
    if kind is DateColumn:
        given["columns"] = [_from_plain(one) for one in given["columns"]]
    column = kind(**given)
    column.check()
    return column


# --- selection of columns ----------------------------------------------------------------------


def categorical_mask(frame, categorical_features):
    """Return a boolean mask of the categorical columns, or None if their types decide.

    Raise ValueError if a column does not exist.
    """
    n_columns = frame.shape[1]
    if isinstance(categorical_features, str) and categorical_features == _BY_TYPE:
        return None
    asked = [] if categorical_features is None else list(categorical_features)
    are_flags = [isinstance(value, bool | np.bool_) for value in asked]
    if all(isinstance(value, str) for value in asked):
        positions = _named(frame, asked)
    elif all(are_flags):
        if len(asked) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(asked)} columns, but X has {n_columns}; "
                "pass one boolean per column."
            )
        positions = np.flatnonzero(asked)
    elif any(are_flags) or not all(isinstance(value, int | np.integer) for value in asked):
        raise ValueError(
            f"categorical_features={short(asked, 80)} must be names, positions or booleans, all of "
            "one kind, 'from_dtype' or None."
        )
    else:
        positions = asked
    for position in positions:
        if not 0 <= position < n_columns:
            raise ValueError(
                f"categorical_features={short(asked, 80)} has the position {position}, but X "
                f"has {n_columns} columns; use positions from 0 to {n_columns - 1}."
            )
    return np.isin(np.arange(n_columns), positions)


def _about_text(not_listed, frame, mask):
    """Return an error's message about all columns of text that `categorical_features` leaves out.

    `not_listed` holds the error of each of them by position.
    """
    names = list(range(frame.shape[1])) if frame.names is None else frame.names
    first, *_ = not_listed.values()
    problem, _, _ = str(first).partition(" Convert it")
    shown = ", ".join(repr(names[i]) for i in not_listed)
    listed = [names[i] for i in np.flatnonzero(mask)][:1]
    marked = ""
    if listed and frame.names is not None:
        marked = f", and X.astype({{{listed[0]!r}: 'category'}}) marks a column of numbers"
    return (
        f"{problem} List all columns of text in categorical_features, which leaves out {shown}; or "
        f"leave it at 'from_dtype': text is then recognized{marked}. Convert text of numbers by "
        "pandas.to_numeric."
    )


def _named(frame, asked):
    """Return the positions of columns by name."""
    names = frame.names or []
    if asked and not names:
        raise ValueError(
            f"categorical_features={short(asked, 80)} are names, but the columns of X have none; "
            "use positions or a mask, or pass a DataFrame whose column names are strings."
        )
    unknown = [name for name in asked if name not in names]
    if unknown:
        raise ValueError(
            f"categorical_features has {unknown[0]!r}, which is not a column of X; its columns are "
            f"{', '.join(map(repr, names))}."
        )
    return [names.index(name) for name in asked]
