"""The two kinds of encoded column: numbers and categories."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.estimators._inputs.table.cells import CATEGORY, NUMBER, is_printed, plain, short
from sklearn_nn.estimators._inputs.table.number_scaling import SCALINGS, quantiles, scale_table

#: Blocks of the output, from left to right.
BLOCKS = ("numbers", "indicators", "one_hots", "embedded")
_PLAIN = {str, bool, int, float}
#: Larger codes are not exact in float32.
_MOST_CATEGORIES = 2**24 - 1
#: Rows that are written at a time, so that temporary arrays fit into a cache.
_BLOCK = 2**15


def _blocks(n_rows):
    return (slice(start, start + _BLOCK) for start in range(0, n_rows, _BLOCK))


def _sum_of(weights, codes, size):
    """Return the sum of weights of each code below `size`, as float64."""
    return np.bincount(codes, weights=weights, minlength=size).astype(np.float64)


@dataclass
class NumberColumn:
    """Scaled numbers; the median and an indicator stand for a missing number.

    Attributes
    ----------
    scaling : str
        A key of `SCALINGS`.
    median : float
    learnt : ndarray
        Fitted values of the scaling.
    indicator : ndarray of shape (2, 1) or None
        Values for a present and for a missing number; None if `fit` saw no missing number.
    takes_text : bool
        Whether the fitted column could hold text. If so, text in later tables is a missing value,
        otherwise an error.
    """

    kind = NUMBER
    scaling: str
    median: float
    learnt: np.ndarray
    indicator: np.ndarray | None
    takes_text: bool

    @classmethod
    def fit(cls, frame, i, weights, scaling):
        """Fit to column `i` of a frame. Rows with zero weight are ignored."""
        values, takes_text = frame.numbers(i), frame.takes_text(i)
        kept = slice(None) if weights is None else weights > 0
        values, weights = values[kept], None if weights is None else weights[kept]
        missing = np.isnan(values)
        if missing.all():  # the output is always 0, without an indicator
            nothing = SCALINGS["robust"].fit(np.zeros(1), None)
            return cls(scaling, 0.0, nothing, None, takes_text)
        indicator = None
        if missing.any():
            counts = _sum_of(weights, missing.astype(np.intp), 2)
            indicator = scale_table(SCALINGS[scaling], np.array([[0.0], [1.0]]), counts)
            values, weights = values[~missing], None if weights is None else weights[~missing]
        (median,) = quantiles(values, [0.5], weights)
        learnt = SCALINGS[scaling].fit(values, weights)
        return cls(scaling, float(median), learnt, indicator, takes_text)

    @property
    def widths(self):
        """Return the number of output columns in each of the `BLOCKS`."""
        return (1, 0 if self.indicator is None else 1, 0, 0)

    def write(self, frame, i, out, starts):
        """Write column `i` of a frame to `out`; `starts` is its first column in each block.

        Return the text of a warning, or None.
        """
        found_text = [] if self.takes_text else None
        values = frame.numbers(i, found_text)
        apply = SCALINGS[self.scaling].apply
        for rows in _blocks(len(values)):
            block = values[rows]
            missing = np.isnan(block)
            if missing.any():
                block = np.where(missing, self.median, block)
            out[rows, starts[0]] = apply(self.learnt, block)
            if self.indicator is not None:
                out[rows, starts[1]] = self.indicator[missing.astype(np.intp), 0]
        if not found_text:
            return None
        return (
            f"{frame.label(i)} holds {short(found_text[0])}, which is text, where fit saw numbers: "
            "text is treated as missing. Convert it first (pandas.to_numeric), or fit with the "
            "column listed in categorical_features."
        )

    def names_out(self, name):
        """Return the names of the output columns in each block."""
        indicators = [] if self.indicator is None else [f"missingindicator_{name}"]
        return ([name], indicators, [], [])

    def check(self):
        """Raise ValueError if the attributes cannot come from `fit`."""
        _require(self.scaling in SCALINGS and np.isfinite(self.median), "scaling or median")
        is_vector = _is_array(self.learnt, np.shape(self.learnt)[:1])
        _require(is_vector and SCALINGS[self.scaling].has_learnt(self.learnt), "fitted scaling")
        _require(self.indicator is None or _is_array(self.indicator, (2, 1)), "indicator")
        _require(isinstance(self.takes_text, bool), "takes_text")


@dataclass
class CategoryColumn:
    """Categories: one-hot if there are few, else codes for an embedding to look up.

    Attributes
    ----------
    categories : list of str, bool, int and float
        Sorted, numbers before text. Category i has the code i + 1; code 0 is a missing value or a
        category that `fit` did not see.
    one_hot : ndarray of shape (len(categories) + 1, n_columns) or None
        Row of output values for each code; None if the code itself is the output.
    prints : bool
        Whether some categories are the text of pandas categories such as dates or intervals. If
        so, `write` converts such objects to text in a column of any type.
    """

    kind = CATEGORY
    categories: list
    one_hot: np.ndarray | None
    prints: bool

    def __post_init__(self):
        self._numbers = {category: k for k, category in enumerate(self.categories, 1)}

    @classmethod
    def fit(cls, frame, i, weights, scaling, max_one_hot):
        """Fit to column `i` of a frame. Rows with zero weight are ignored."""
        codes, values = frame.codes(i)
        if weights is not None:
            codes, weights = codes[weights > 0], weights[weights > 0]
        label = frame.label(i)
        seen = _sum_of(None, codes + 1, len(values) + 1)[1:] > 0
        prints = frame.prints(i) and any(is_printed(values[k]) for k in np.flatnonzero(seen))
        of_value = {k: plain(values[k], label, prints) for k in np.flatnonzero(seen)}
        categories = sorted(set(of_value.values()), key=lambda v: (isinstance(v, str), v))
        column = cls(categories, None, prints)
        m = len(column.categories)
        if m > _MOST_CATEGORIES:
            raise ValueError(
                f"{label} has {m} categories, more than the maximum of {_MOST_CATEGORIES}; "
                "drop it, or give rare ones a common name."
            )
        numbers = np.zeros(len(values) + 1, dtype=np.intp)  # the last is for code -1
        for k, value in of_value.items():
            numbers[k] = column._numbers[value]
        counts = _sum_of(weights, numbers[codes], m + 1)
        if m + (counts[0] > 0) <= max_one_hot:
            column.one_hot = scale_table(SCALINGS[scaling], _one_hot(m), counts)
        return column

    @property
    def widths(self):
        """Return the number of output columns in each of the `BLOCKS`."""
        return (0, 0, 0, 1) if self.one_hot is None else (0, 0, self.one_hot.shape[1], 0)

    def write(self, frame, i, out, starts):
        """Write column `i` of a frame to `out`; `starts` is its first column in each block.

        Return the text of a warning, or None.
        """
        codes, values = frame.codes(i)
        numbers = np.zeros(len(values) + 1, dtype=np.intp)  # the last is for code -1
        for k, value in enumerate(values):
            if type(value) in _PLAIN:
                numbers[k] = self._numbers.get(value, 0)
        remark = None
        if not numbers[:-1].all():
            remark = self._read_others(codes, values, numbers, frame.label(i))
        for rows in _blocks(len(codes)):
            block = numbers[codes[rows]]
            if self.one_hot is None:
                out[rows, starts[3]] = block
            else:
                out[rows, starts[2] : starts[2] + self.one_hot.shape[1]] = self.one_hot[block]
        return remark

    def _read_others(self, codes, values, numbers, label):
        """Set the codes of values that are not of Python's own types; raise if one is invalid.

        Return the text of a warning about values that `fit` did not see, or None.
        """
        occur = np.flatnonzero(_sum_of(None, codes + 1, len(values) + 1)[1:])
        unseen = {}
        for k in occur[numbers[occur] == 0]:
            value = plain(values[k], label, self.prints)
            numbers[k] = self._numbers.get(value, 0)
            if numbers[k] == 0:
                unseen.setdefault(isinstance(value, str), value)
        known = {isinstance(category, str) for category in self.categories}
        strange = [is_text for is_text in unseen if is_text not in known]
        if not known or not strange:
            return None
        found, seen, remedy = ("a number", "text", ".astype(str)")
        if strange[0]:
            found, seen, remedy = ("text", "numbers", "pandas.to_numeric")
        return (
            f"{label} holds {short(unseen[strange[0]])}, which is {found}, where fit saw {seen}, "
            f"such as {short(self.categories[0])}: it is treated as an unknown category. Convert "
            f"it first, as with {remedy}."
        )

    def names_out(self, name):
        """Return the names of the output columns in each block."""
        if self.one_hot is None:
            return ([], [], [], [name])
        shown = self.categories[1:] if len(self.categories) == 2 else self.categories
        return ([], [], [f"{name}_{category}" for category in shown], [])

    def check(self):
        """Raise ValueError if the attributes cannot come from `fit`."""
        m, types = len(self.categories), {type(v) for v in self.categories}
        _require(m == len(self._numbers) and types <= _PLAIN, "categories")
        _require(self.one_hot is None or _is_array(self.one_hot, _one_hot(m).shape), "one_hot")
        _require(isinstance(self.prints, bool), "prints")


def _one_hot(m):
    """Return a row of zeros and one row per category; two categories share a column of -1, 1."""
    if m == 2:
        return np.array([[0.0], [-1.0], [1.0]])
    return np.eye(m + 1)[:, 1:]


def _require(is_valid, what):
    """Raise ValueError unless an attribute of a column is valid."""
    if not is_valid:
        raise ValueError(f"invalid {what} of a column")


def _is_array(values, shape):
    """Return whether values are a finite array of float64 of the given shape."""
    is_float = isinstance(values, np.ndarray) and values.dtype == np.float64
    return is_float and values.shape == shape and bool(np.isfinite(values).all())
