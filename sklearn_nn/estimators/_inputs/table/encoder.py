"""Tables, with categories and missing values, as numbers that a network learns from."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, _fit_context
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_sample_weight,
    check_is_fitted,
)

from sklearn_nn._spec import PlainParameters
from sklearn_nn.estimators._core.warnings import warn
from sklearn_nn.estimators._inputs.encoding import check_some_weight
from sklearn_nn.estimators._inputs.table.categorical_features import categorical_mask
from sklearn_nn.estimators._inputs.table.column_names import match_columns
from sklearn_nn.estimators._inputs.table.columns import BLOCKS, CategoryColumn, NumberColumn
from sklearn_nn.estimators._inputs.table.frames import read_frame
from sklearn_nn.estimators._inputs.table.number_scaling import SCALINGS, bin_edges

_COLUMNS = {column.kind: column for column in (NumberColumn, CategoryColumn)}


class TableEncoder(TransformerMixin, PlainParameters, BaseEstimator):
    """Encode tables: numbers scaled, missing values marked, categories one-hot or by number.

    The output has four blocks of columns, from left to right:

    1. *numbers*: each numeric column, scaled; the median where a value is missing.
    2. *indicators*: for each numeric column in which `fit` saw missing values, whether one is
       missing. A value that is missing elsewhere is the median, no more.
    3. *one-hots*: categorical columns of few values. A missing value, or a category that `fit` did
       not see, is all zeros. Two categories are one column of -1 and 1, and 0 for neither.
    4. *embedded*: the numbers of the categories of the other categorical columns, from 1 on, for
       an embedding to look up. 0 is a missing value or a category that `fit` did not see.

    Parameters
    ----------
    categorical_features : "from_dtype", None, or array-like of str, int or bool, \
            default="from_dtype"
        Which columns are categories: by their types, none, or those given by names, positions or
        a mask. By type it is those of strings, pandas' and polars' categories, truth values, and
        objects that are not all numbers. Strings that read as numbers are categories. A column
        without any value is one of no categories.
    numeric : {"robust", "quantile"}, default="robust"
        How numbers are scaled. "robust": minus the median, over the distance of the quartiles (or
        half the range where that is 0), then x / sqrt(1 + (x / 3)^2); indicators and one-hots are
        scaled so, too. "quantile": to a normal distribution, by the ranks; indicators and one-hots
        stay 0 and 1.
    max_one_hot : int, default=9
        Categorical columns with at most so many values, a missing one included, are one-hot.
    dtype : {"float32", "float64"}, default="float32"
        Type of the output.

    Attributes
    ----------
    n_features_in_ : int
        Columns of the table that was fitted.
    feature_names_in_ : ndarray of str of shape (n_features_in_,)
        Their names, where they are strings.
    is_categorical_ : ndarray of bool of shape (n_features_in_,)
        Which of them are categories.
    categories_ : list of length n_features_in_
        The categories of each, numbers before text; None for a numeric column. They do not depend
        on the type of the column: 1, 1.0 and a nullable 1 are one category. Of pandas' categories,
        dates and intervals are the text that they print as.
    n_numbers_ : int
        Columns in the first block of the output.
    n_indicators_ : int
        Columns in the second.
    n_one_hots_ : int
        Columns in the third.
    cardinalities_ : list of int
        For each column of the fourth, how many numbers there are, 0 included.
    n_features_out_ : int
        Columns of the output.

    See Also
    --------
    sklearn.preprocessing.OrdinalEncoder : Categories by number.
    sklearn.preprocessing.QuantileTransformer : Numbers to a normal distribution.

    Notes
    -----
    Columns of a table with names are matched by name, in any order. Scales are learnt from the
    values that are there. Constant columns, and those without any value, are 0.

    What a cell becomes depends on its value and on what was fitted, not on the cells beside it nor
    on the type of the column. In a categorical column, whatever `fit` did not see is no category,
    numbers among words as well; there is a warning where `fit` saw words only, or numbers only, and
    a cell is of the other kind. In a numeric column a word is an error; but if the column that was
    fitted was one of objects, which may hold words (or the table was a list of rows), a word is a
    missing value, and there is a warning.

    With `sample_weight`, a row of weight 2 counts as one that stands there twice, and a row of
    weight 0 as none: its categories and missing values are not seen.

    References
    ----------
    D. Holzmüller, L. Grinsztajn, I. Steinwart, "Better by default: Strong pre-tuned MLPs and
    boosted trees on tabular data", NeurIPS 2024.

    Examples
    --------
    >>> from sklearn_nn.estimators._inputs.table.encoder import TableEncoder
    >>> X = [[1.0, "red"], [2.0, "blue"], [None, "red"], [4.0, "green"]]
    >>> encoder = TableEncoder().fit(X)
    >>> encoder.get_feature_names_out()
    array(['x0', 'missingindicator_x0', 'x1_blue', 'x1_green', 'x1_red'],
          dtype=object)
    >>> encoder.n_numbers_, encoder.n_indicators_, encoder.n_one_hots_
    (1, 1, 3)
    """

    _parameter_constraints = {
        "categorical_features": ["array-like", StrOptions({"from_dtype"}), None],
        "numeric": [StrOptions(set(SCALINGS))],
        "max_one_hot": [Interval(Integral, 0, None, closed="left")],
        "dtype": [StrOptions({"float32", "float64"})],
    }

    def __init__(
        self, categorical_features="from_dtype", *, numeric="robust", max_one_hot=9, dtype="float32"
    ):
        self.categorical_features = categorical_features
        self.numeric = numeric
        self.max_one_hot = max_one_hot
        self.dtype = dtype

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X, y=None, sample_weight=None):
        """Learn scales and categories.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table. Missing values are None, NaN, pandas' NA or NaT.
        y : object, default=None
            Not used.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        self : object
            The encoder.

        Raises
        ------
        ValueError, TypeError
            If a column holds dates, infinite or complex numbers, or something that is neither
            number nor text, or text without being named a category; or if no column holds a value.
        """
        return self._learn(X, sample_weight, self)

    def _learn(self, X, sample_weight, estimator):
        """`fit`, with errors that name an estimator."""
        frame = read_frame(X, estimator)
        weights = self._weights(sample_weight, frame)
        mask = categorical_mask(frame, self.categorical_features)
        columns = [
            CategoryColumn.fit(frame, i, weights, self.numeric, self.max_one_hot)
            if mask[i]
            else NumberColumn.fit(frame, i, weights, self.numeric)
            for i in range(len(mask))
        ]
        if not any(any(column.widths) for column in columns):
            raise ValueError(
                "X has missing values only; pass a table with a column that holds a value."
            )
        self._publish(columns, frame.names)
        return self

    def _weights(self, sample_weight, frame):
        """Weights of the rows; None where all are equal."""
        if sample_weight is None:
            return None
        weights = _check_sample_weight(
            sample_weight, np.empty((frame.shape[0], 0)), dtype=np.float64, ensure_non_negative=True
        )
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
        widths = np.array([column.widths for column in columns])
        self.n_numbers_, self.n_indicators_, self.n_one_hots_, _ = widths.sum(axis=0).tolist()
        self.cardinalities_ = [
            len(c.categories) + 1 for c in columns if c.widths[BLOCKS.index("embedded")]
        ]
        self.n_features_out_ = int(widths.sum())
        # Block after block, and in each column after column.
        order = widths.T.ravel()
        self._starts = (np.cumsum(order) - order).reshape(widths.T.shape).T.tolist()

    def transform(self, X):
        """Encode a table.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table. Where columns have names, these are what counts, not their order.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features_out_)
            In C order and finite.

        Raises
        ------
        NotFittedError
            If `fit` has not been called.
        ValueError, TypeError
            If columns are missing or unknown, or hold something that is no value there: see Notes.
        """
        check_is_fitted(self)
        return self.encode(X)

    def encode(self, X, estimator=None):
        """Encode a table for an estimator: an array, whatever `set_output` says.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        estimator : estimator, default=None
            Who is named in errors and warnings; None is the encoder.

        Returns
        -------
        encoded : ndarray of shape (n_samples, n_features_out_)
            The encoded table.
        """
        (encoded,) = self.encode_blocks(X, None, estimator)
        return encoded

    def encode_blocks(self, X, n_rows, estimator=None):
        """Encode a table some rows at a time, so that it takes little memory.

        Parameters
        ----------
        X : DataFrame or array-like of shape (n_samples, n_features)
            The table.
        n_rows : int or None
            Rows to encode at a time; None is all.
        estimator : estimator, default=None
            Who is named in errors and warnings; None is the encoder.

        Yields
        ------
        encoded : ndarray of shape (at most n_rows, n_features_out_)
            The encoded rows.
        """
        owner = self if estimator is None else estimator
        frame = read_frame(X, owner)
        known = getattr(self, "feature_names_in_", None)
        positions = match_columns(
            frame.names, frame.shape[1], known, self.n_features_in_, type(owner).__name__
        )
        n_samples = frame.shape[0]
        step = n_samples if n_rows is None else n_rows
        told = set()
        for start in range(0, n_samples, step):
            part = frame if step >= n_samples else frame.rows(start, start + step)
            out = np.empty((part.shape[0], self.n_features_out_), dtype=self.dtype)
            for column, i, starts in zip(self._columns, positions, self._starts, strict=True):
                remark = column.write(part, i, out, starts)
                if remark is not None and i not in told:
                    told.add(i)
                    warn(remark)
            yield out

    def get_feature_names_out(self, input_features=None):
        """Names of the columns of the output.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns of the table; None is those fitted, or x0, x1, ...

        Returns
        -------
        names : ndarray of str of shape (n_features_out_,)
            That of a number or an embedded column is its own; others say what they stand for.
        """
        check_is_fitted(self)
        names_in = _check_feature_names_in(self, input_features)
        of_columns = [c.names_out(name) for c, name in zip(self._columns, names_in, strict=True)]
        names = [name for block in zip(*of_columns, strict=True) for part in block for name in part]
        return np.array(names, dtype=object)

    def bin_edges(self, encoded, n_bins, sample_weight=None):
        """Edges of bins for piecewise-linear embeddings of the numbers.

        Parameters
        ----------
        encoded : ndarray of shape (n_samples, n_features_out_)
            Encoded rows, such as those trained on.
        n_bins : int
            Bins a number, at most.
        sample_weight : ndarray of shape (n_samples,), default=None
            Weights of the rows.

        Returns
        -------
        edges : list of ndarray of length n_numbers_
            For each column of the first block its quantiles at equal distances: float64, distinct
            and ascending, n_bins + 1 or fewer, at least two. A value that occurs more often than
            one in n_bins counts as often as that.
        """
        check_is_fitted(self)
        weights = self._weights(sample_weight, encoded)
        kept = slice(None) if weights is None else weights > 0
        weights = None if weights is None else weights[kept]
        columns = encoded[kept, : self.n_numbers_].T
        return [bin_edges(column.astype(np.float64), n_bins, weights) for column in columns]

    def state(self):
        """What was learnt, as plain values: `from_state` makes an encoder of it.

        Returns
        -------
        state : dict
            Of strings, numbers, lists, dicts and arrays of float64.
        """
        check_is_fitted(self)
        names = getattr(self, "feature_names_in_", None)
        return {
            "numeric": self.numeric,
            "dtype": self.dtype,
            "max_one_hot": int(self.max_one_hot),
            "names": None if names is None else names.tolist(),
            "columns": [_as_plain(column) for column in self._columns],
        }

    @classmethod
    def from_state(cls, state):
        """An encoder that has learnt what another had.

        Parameters
        ----------
        state : dict
            What `state` returned.

        Returns
        -------
        encoder : TableEncoder
            It encodes as the other did; its `categorical_features` is the mask of those.

        Raises
        ------
        ValueError, TypeError, KeyError
            If this is not what `state` returns.
        """
        columns = [_from_plain(fields) for fields in state["columns"]]
        names = state["names"]
        if names is not None and not (len(set(names)) == len(names) == len(columns)):
            raise ValueError("names of other columns")
        mask = [isinstance(column, CategoryColumn) for column in columns]
        encoder = cls(
            mask,
            numeric=state["numeric"],
            max_one_hot=state["max_one_hot"],
            dtype=state["dtype"],
        )
        encoder._validate_params()
        encoder._publish(columns, names)
        return encoder

    def __getstate__(self):
        state = {**super().__getstate__()}  # what pickles hold: plain values
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
    """A column as a dict of plain values."""
    return {"kind": column.kind} | {n: getattr(column, n) for n in column.__dataclass_fields__}


def _from_plain(fields):
    """The column of a dict; an error if it is none."""
    column = _COLUMNS[fields["kind"]](**{k: v for k, v in fields.items() if k != "kind"})
    column.check()
    return column
