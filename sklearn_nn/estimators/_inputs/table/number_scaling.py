"""Scaling of numeric columns: robust, or by quantiles; a weight of 2 equals two equal rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

#: Relative tolerance at which two sums of weights are equal.
_SAME = 1e-12
#: Limit of scaled numbers before the smooth clip, which tends to 3, squares them.
_FAR = 1e30
#: Distance of probabilities from 0 and 1, as in scikit-learn's QuantileTransformer.
_RAREST = 1e-7
_FEWEST_KNOTS, _MOST_KNOTS, _ROWS_A_KNOT = 10, 1000, 30


def quantiles(values, levels, weights=None):
    """Return weighted quantiles, as np.quantile with method="averaged_inverted_cdf".

    `values` (n,) are finite and not empty, `levels` lie in [0, 1], `weights` (n,) are positive.
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
    np.clip(x, -_FAR, _FAR, out=x)
    root = x / 3
    root *= root
    root += 1
    np.sqrt(root, out=root)
    x /= root
    return x


def _fit_quantile(values, weights):
    """Return quantiles at equally spaced levels: one for 30 rows, but between 10 and 1000."""
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
    return ndtri(np.clip(share, _RAREST, 1 - _RAREST))


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


def scale_table(scaling, table, weights):
    """Return a small table with each column scaled, where rows count by their weights."""
    occurs = weights > 0
    if not scaling.of_indicators or not occurs.any() or not table.size:
        return table
    learnt = [scaling.fit(column[occurs], weights[occurs]) for column in table.T]
    columns = [scaling.apply(one, column) for one, column in zip(learnt, table.T, strict=True)]
    return np.column_stack(columns)


def bin_edges(values, n_bins, weights=None):
    """Return the edges of bins with about equally many values: ascending, at least two.

    The count of a value is capped at the size of a bin, so that a frequent value does not use up
    most bins.
    """
    unique, number = np.unique(values, return_inverse=True)
    counts = np.bincount(number.ravel(), weights).astype(np.float64)
    counts = np.minimum(counts, counts.sum() / n_bins)
    edges = np.unique(quantiles(unique, np.linspace(0, 1, n_bins + 1), counts))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1])
