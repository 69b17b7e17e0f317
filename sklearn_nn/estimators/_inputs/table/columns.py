"""The kinds of encoded column, numbers and categories, and the scaling of their output."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import ndtri

from sklearn_nn.estimators._inputs.table.frames import is_printed, plain, short

#: Blocks of the output, from left to right.
BLOCKS = ("numbers", "indicators", "one_hots", "embedded")
_PLAIN = {str, bool, int, float}
#: Larger codes are not exact in float32.
_MOST_CATEGORIES = 2**24 - 1
#: Rows that are written at a time, so that temporary arrays fit into a cache.
_BLOCK = 2**15
#: Rows from which on it is told if most categories are unknown.
_MANY = 20
#: Relative tolerance at which two sums of weights are equal.
_SAME = 1e-12
#: Limit of scaled numbers before the smooth clip, which tends to 3, squares them.
FAR = 1e30
#: Distance of probabilities from 0 and 1, as in scikit-learn's QuantileTransformer.
RAREST = 1e-7
_FEWEST_KNOTS, _MOST_KNOTS, _ROWS_A_KNOT = 10, 1000, 30


# --- columns -----------------------------------------------------------------------------------


def _blocks(n_rows):
    return (slice(start, start + _BLOCK) for start in range(0, n_rows, _BLOCK))


def _occurring(codes, n_values):
    """Return the codes that occur, ascending, without -1."""
    return np.flatnonzero(np.bincount(codes + 1, minlength=n_values + 1)[1:])


def _sum_of(weights, codes, size):
    """Return the sum of weights of each code below `size`, as float64."""
    return np.bincount(codes, weights=weights, minlength=size).astype(np.float64)


@dataclass
class NumberColumn:
    """Scaled numbers; the median and an indicator stand for a missing number.

    `scaling` is a key of `SCALINGS`, and `learnt` its fitted array. `indicator`, of shape (2, 1),
    holds the values for a present and for a missing number; it is None if `fit` saw no missing
    number. With `takes_text`, text in later tables is read as a number or as missing, otherwise it
    is an error. `words` is the text that was no number in `fit`, sorted.
    """

    kind = "number"
    scaling: str
    median: float
    learnt: np.ndarray
    indicator: np.ndarray | None
    takes_text: bool
    words: list = field(default_factory=list)

    @classmethod
    def fit(cls, cells, weights, scaling, *, reads_text=False):
        """Fit to the cells of a column. Rows with zero weight are ignored.

        Text is read as numbers with `reads_text`, and is otherwise an error.
        """
        words = []
        values, takes_text = cells.numbers(words if reads_text else None), cells.takes_text
        words = sorted(set(words))
        kept = slice(None) if weights is None else weights > 0
        values, weights = values[kept], None if weights is None else weights[kept]
        missing = np.isnan(values)
        if missing.all():  # the output is always 0, without an indicator
            nothing = SCALINGS["robust"].fit(np.zeros(1), None)
            return cls(scaling, 0.0, nothing, None, takes_text, words)
        indicator = None
        if missing.any():
            counts = _sum_of(weights, missing.astype(np.intp), 2)
            indicator = _scale_table(SCALINGS[scaling], np.array([[0.0], [1.0]]), counts)
            values, weights = values[~missing], None if weights is None else weights[~missing]
        (median,) = quantiles(values, [0.5], weights)
        learnt = SCALINGS[scaling].fit(values, weights)
        return cls(scaling, float(median), learnt, indicator, takes_text, words)

    @property
    def widths(self):
        """Return the number of output columns in each of the `BLOCKS`."""
        return (1, 0 if self.indicator is None else 1, 0, 0)

    def write(self, cells, out, starts):
        """Write cells to `out`, from column `starts` of each block; return a warning or None."""
        words = [] if self.takes_text else None
        values = cells.numbers(words)
        apply = SCALINGS[self.scaling].apply
        for rows in _blocks(len(values)):
            block = values[rows]
            missing = np.isnan(block)
            if missing.any():
                block = np.where(missing, self.median, block)
            out[rows, starts[0]] = apply(self.learnt, block)
            if self.indicator is not None:
                out[rows, starts[1]] = self.indicator[missing.astype(np.intp), 0]
        known = set(self.words)
        new = next((word for word in words or () if word not in known), None)
        if new is None:
            return None
        return (
            f"{cells.label} holds {short(new)}, which is text, where fit saw numbers: it is "
            "treated as missing. Convert it first (pandas.to_numeric), or fit with the column "
            "listed in categorical_features."
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
        _require(all(isinstance(word, str) for word in self.words), "words")


@dataclass
class CategoryColumn:
    """Categories: one-hot if there are few, else codes for an embedding to look up.

    `categories` are sorted, numbers before text. Category i has the code i + 1; code 0 is a missing
    value or a category that `fit` did not see. `one_hot`, of shape (len(categories) + 1,
    n_columns), holds the output values for each code; it is None if the code itself is the output.
    With `prints`, some categories are the text of pandas categories such as dates or intervals, and
    `write` converts such objects to text in a column of any type. `saw_missing` is whether a value
    was missing in `fit`.
    """

    kind = "category"
    categories: list
    one_hot: np.ndarray | None
    prints: bool
    saw_missing: bool = False

    def __post_init__(self):
        self._numbers = {category: k for k, category in enumerate(self.categories, 1)}

    @classmethod
    def fit(cls, cells, weights, scaling, max_one_hot):
        """Fit to the cells of a column. Rows with zero weight are ignored."""
        codes, values = cells.codes()
        if weights is not None:
            codes, weights = codes[weights > 0], weights[weights > 0]
        seen = _occurring(codes, len(values))
        prints = cells.prints and any(is_printed(values[k]) for k in seen)
        of_value = {k: plain(values[k], cells.label, prints) for k in seen}
        categories = sorted(set(of_value.values()), key=lambda v: (isinstance(v, str), v))
        column, m = cls(categories, None, prints), len(categories)
        if m > _MOST_CATEGORIES:
            raise ValueError(
                f"{cells.label} has {m} categories, more than the maximum of {_MOST_CATEGORIES}; "
                "drop it, or give rare ones a common name."
            )
        numbers = np.zeros(len(values) + 1, dtype=np.intp)  # the last is for code -1
        for k, value in of_value.items():
            numbers[k] = column._numbers[value]
        counts = _sum_of(weights, numbers[codes], m + 1)
        column.saw_missing = bool(counts[0] > 0)
        if m + column.saw_missing <= max_one_hot:
            column.one_hot = _scale_table(SCALINGS[scaling], _one_hot(m), counts)
        return column

    @property
    def widths(self):
        """Return the number of output columns in each of the `BLOCKS`."""
        return (0, 0, 0, 1) if self.one_hot is None else (0, 0, self.one_hot.shape[1], 0)

    def write(self, cells, out, starts):
        """Write encoded cells to `out`, as `NumberColumn.write` does."""
        codes, values = cells.codes()
        numbers = np.zeros(len(values) + 1, dtype=np.intp)  # the last is for code -1
        for k, value in enumerate(values):
            if type(value) in _PLAIN:
                numbers[k] = self._numbers.get(value, 0)
        remark = None
        if not numbers[:-1].all():
            remark = self._read_others(codes, values, numbers, cells.label)
            remark = remark or self._about_unknown(codes, values, numbers, cells.label)
        for rows in _blocks(len(codes)):
            block = numbers[codes[rows]]
            if self.one_hot is None:
                out[rows, starts[3]] = block
            else:
                out[rows, starts[2] : starts[2] + self.one_hot.shape[1]] = self.one_hot[block]
        return remark

    def _read_others(self, codes, values, numbers, label):
        """Set the codes of the other values, and return the text of a warning or None."""
        occur, unseen = _occurring(codes, len(values)), {}
        for k in occur[numbers[occur] == 0]:
            value = plain(values[k], label, self.prints)
            numbers[k] = self._numbers.get(value, 0)
            if numbers[k] == 0:
                unseen.setdefault(isinstance(value, str), value)
        known = {isinstance(category, str) for category in self.categories}
        strange = [is_text for is_text in unseen if is_text not in known]
        if not known or not strange:
            return None
        found, seen, remedy = "a number", "text", ".astype(str)"
        if strange[0]:
            found, seen, remedy = "text", "numbers", "pandas.to_numeric"
        return (
            f"{label} holds {short(unseen[strange[0]])}, which is {found}, where fit saw {seen}, "
            f"such as {short(self.categories[0])}: it is treated as an unknown category. Convert "
            f"it first, as with {remedy}."
        )

    def _about_unknown(self, codes, values, numbers, label):
        """Return the text of a warning if most cells of many are unknown categories, or None."""
        counts = np.bincount(codes[codes >= 0], minlength=len(values))
        unknown = numbers[:-1] == 0
        n, n_unknown = counts.sum(), counts[unknown].sum()
        if len(codes) < _MANY or not self.categories or 2 * n_unknown <= n:
            return None
        example = next(v for v, c in zip(values, counts * unknown, strict=True) if c)
        return (
            f"{label} holds categories that fit did not see in {n_unknown} of {n} cells, such as "
            f"{short(example)}; fit saw categories such as {short(self.categories[0])}. They tell "
            "nothing: write them as in fit."
        )

    def names_out(self, name):
        """Return the names of the output columns in each block."""
        if self.one_hot is None:
            return ([], [], [], [name])
        shown = self.categories[len(self.categories) == 2 :]
        return ([], [], [f"{name}_{category}" for category in shown], [])

    def check(self):
        """Raise ValueError if the attributes cannot come from `fit`."""
        m, types = len(self.categories), {type(v) for v in self.categories}
        _require(m == len(self._numbers) and types <= _PLAIN, "categories")
        _require(self.one_hot is None or _is_array(self.one_hot, _one_hot(m).shape), "one_hot")
        flags = self.prints, self.saw_missing
        _require(all(isinstance(flag, bool) for flag in flags), "prints or saw_missing")


def _parts_of(times):
    """Return the parts of dates by name, as float64 with NaN if missing.

    Months, weekdays and hours also have a place on a circle, on which the last is next to the
    first.
    """
    missing = np.isnat(times)
    days, years = times.astype("datetime64[D]"), times.astype("datetime64[Y]")
    months = times.astype("datetime64[M]")
    micros = (times - days).astype(np.float64)
    number = days.astype(np.int64)
    cycles = {
        "month": ((months - years).astype(np.float64) + 1, 1, 12),
        "weekday": ((number + 3) % 7.0, 0, 7),  # from Monday, 0; 1970-01-01 was a Thursday
        "hour": (micros / 3.6e9, 0, 24),
    }
    parts = {
        "elapsed": number + micros / 8.64e10,
        "year": years.astype(np.float64) + 1970,
        "day": (days - months).astype(np.float64) + 1,
    }
    for name, (values, first, length) in cycles.items():
        angle = 2 * np.pi * (values - first) / length
        parts |= {name: values, f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}
    return {name: np.where(missing, np.nan, values) for name, values in parts.items()}


class _PartCells:
    """Cells that hold a part of dates."""

    takes_text = False

    def __init__(self, values, label):
        self.values, self.label = values, label

    def numbers(self, words=None):
        """Return the values."""
        return self.values


@dataclass
class DateColumn:
    """Parts of dates, each of which is a column of numbers; the first has the indicator.

    `names` are those of the parts that vary in `fit`.
    """

    kind = "date"
    names: list
    columns: list

    @classmethod
    def fit(cls, times, label, weights, scaling):
        """Fit to dates. Rows with zero weight are ignored."""
        kept = slice(None) if weights is None else weights > 0
        names, columns = [], []
        for name, values in _parts_of(times).items():
            seen = values[kept]
            seen = seen[~np.isnan(seen)]
            if not names or (seen.size and seen.min() < seen.max()):
                names.append(name)
                columns.append(NumberColumn.fit(_PartCells(values, label), weights, scaling))
        for column in columns[1:]:
            column.indicator = None
        return cls(names, columns)

    @property
    def widths(self):
        """Return the number of output columns in each of the `BLOCKS`."""
        return (len(self.columns), self.columns[0].widths[1], 0, 0)

    def write(self, cells, out, starts):
        """Write encoded cells to `out`, as `NumberColumn.write` does."""
        times = cells.times()
        if times is None:
            if not cells.are_categorical() or (cells.codes()[0] >= 0).any():
                raise ValueError(
                    f"{cells.label} holds no dates, but fit saw dates; convert it first, as with "
                    "pandas.to_datetime."
                )
            times = np.full(len(out), "NaT", dtype="datetime64[us]")
        parts = _parts_of(times)
        for k, (name, column) in enumerate(zip(self.names, self.columns, strict=True)):
            part = _PartCells(parts[name], cells.label)
            column.write(part, out, [starts[0] + k, *starts[1:]])

    def names_out(self, name):
        """Return the names of the output columns in each block."""
        numbers = [f"{name}_{part}" for part in self.names]
        return (numbers, self.columns[0].names_out(name)[1], [], [])

    def check(self):
        """Raise ValueError if the attributes cannot come from `fit`."""
        known = [*_parts_of(np.zeros(1, "datetime64[us]"))]
        are_parts = len(self.names) > 0 and set(self.names) <= set(known)
        _require(are_parts and self.names == sorted(set(self.names), key=known.index), "names")
        _require(len(self.columns) == len(self.names), "columns")
        for column in self.columns:
            _require(isinstance(column, NumberColumn), "columns")
            column.check()
        _require(all(column.indicator is None for column in self.columns[1:]), "indicator")


@dataclass
class DroppedColumn:
    """Column of identifiers, which is not encoded, whatever it holds."""

    kind = "dropped"
    widths = (0, 0, 0, 0)

    def write(self, cells, out, starts):
        """Write nothing."""

    def names_out(self, name):
        """Return no names."""
        return ([], [], [], [])

    def check(self):
        """Accept any state, as there is none."""


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


# --- scaling -----------------------------------------------------------------------------------


def quantiles(values, levels, weights=None):
    """Return weighted quantiles, as np.quantile with method="averaged_inverted_cdf".

    `values` (n,) are finite, `levels` lie in [0, 1], `weights` (n,) are positive.
    """
    levels, last = np.asarray(levels, dtype=np.float64), len(values) - 1
    if weights is None:
        position = levels * len(values)
        lower = np.ceil(position * (1 - _SAME)).astype(np.intp) - 1
        upper = np.floor(position * (1 + _SAME)).astype(np.intp)
        lower, upper = np.clip(lower, 0, last), np.clip(upper, 0, last)
        needed = np.unique(np.concatenate([lower, upper]))
        ordered = np.sort(values) if len(needed) > 100 else np.partition(values, needed)
    else:
        order = np.argsort(values, kind="stable")
        ordered, total = values[order], np.cumsum(weights[order])
        position = levels * total[-1]
        lower = np.searchsorted(total, position * (1 - _SAME), side="left")
        upper = np.minimum(np.searchsorted(total, position * (1 + _SAME), side="right"), last)
    low, high = ordered[lower], ordered[upper]
    # Halved before the addition, which may overflow.
    return np.where(low == high, low, low / 2 + high / 2)


def _fit_robust(values, weights):
    """Return the median and the factor."""
    low, first, median, third, high = quantiles(values, [0, 0.25, 0.5, 0.75, 1], weights)
    spread, reach = third / 2 - first / 2, high / 2 - low / 2
    with np.errstate(over="ignore", divide="ignore"):
        factor = 0.5 / spread if spread > 0 else 1 / reach if reach > 0 else 0.0
    return np.array([median, min(factor, np.finfo(np.float64).max)])


def _apply_robust(learnt, values):
    """Return x / sqrt(1 + (x / 3)^2) with x = (value - median) * factor."""
    median, factor = learnt
    limit = np.finfo(np.float64).max
    with np.errstate(over="ignore"):
        x = np.clip(values - median, -limit, limit)
        x *= factor
    np.clip(x, -FAR, FAR, out=x)
    root = x / 3
    root *= root
    root += 1
    np.sqrt(root, out=root)
    x /= root
    return x


def _fit_quantile(values, weights):
    """Return quantiles at equally spaced levels, one for every 30 rows, but 10 to 1000."""
    rows = len(values) if weights is None else weights.sum() / weights.min()
    count = int(np.clip(rows // _ROWS_A_KNOT, _FEWEST_KNOTS, _MOST_KNOTS))
    return quantiles(values, np.linspace(0, 1, count), weights)


def _apply_quantile(learnt, values):
    """Return the normal quantile of each value's share of smaller values, ties in the middle."""
    if learnt[0] == learnt[-1]:
        return np.zeros(len(values))
    levels = np.linspace(0, 1, len(learnt))
    below = np.interp(values, learnt, levels)
    above = np.interp(-values, -learnt[::-1], -levels[::-1])
    share = (below - above) / 2
    return ndtri(np.clip(share, RAREST, 1 - RAREST))


@dataclass(frozen=True)
class Scaling:
    """Scaling method: `fit(values, weights)` returns the array that `apply(learnt, values)` takes.

    Values are finite float64; weights are None or positive. `of_indicators` tells whether columns
    of zeros and ones are scaled, too; `has_learnt(a)` whether `fit` can have returned an array.
    """

    fit: Callable
    apply: Callable
    of_indicators: bool
    has_learnt: Callable


SCALINGS = {
    # RealMLP's "robust scale + smooth clip" (Holzmueller et al., NeurIPS 2024).
    "robust": Scaling(_fit_robust, _apply_robust, True, lambda a: a.size == 2 and a[1] >= 0),
    # TabM's quantiles to a normal distribution (Gorishniy et al., ICLR 2025).
    "quantile": Scaling(
        _fit_quantile, _apply_quantile, False, lambda a: a.size > 1 and (np.diff(a) >= 0).all()
    ),
}


def _scale_table(scaling, table, weights):
    """Return a small table with each column scaled by rows with the given weights."""
    occurs = weights > 0
    if not scaling.of_indicators or not occurs.any() or not table.size:
        return table
    columns = [scaling.apply(scaling.fit(c[occurs], weights[occurs]), c) for c in table.T]
    return np.column_stack(columns)


def bin_edges(values, n_bins, weights=None):
    """Return the edges of bins, at least two, with about equally many values.

    The count of a value is capped, so that a frequent value does not use up most bins.
    """
    unique, number = np.unique(values, return_inverse=True)
    counts = np.bincount(number.ravel(), weights).astype(np.float64)
    counts = np.minimum(counts, counts.sum() / n_bins)
    edges = np.unique(quantiles(unique, np.linspace(0, 1, n_bins + 1), counts))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1])
