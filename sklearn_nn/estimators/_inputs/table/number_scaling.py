"""How numbers of a table are brought to a scale that a network learns from.

A scaling is learnt from the values of a column, as an array, and is applied with this array. It
depends on the values' ranks and weights alone: a weight of 2 is a row that stands there twice.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

#: Two sums of weights that differ by less than this share of them are one.
_SAME = 1e-12
#: Scaled numbers are cut off here before the smooth clip, whose limit is 3, squares them.
_FAR = 1e30
#: Probabilities nearer to 0 or 1 are taken for this, as in scikit-learn's QuantileTransformer.
_RAREST = 1e-7
_FEWEST_KNOTS, _MOST_KNOTS, _ROWS_A_KNOT = 10, 1000, 30


def quantiles(values, levels, weights=None):
    """Quantiles: the mean of the two values next to each other where a level falls between them.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Finite numbers, at least one.
    levels : array-like of floats from 0 to 1
    weights : ndarray of shape (n,), default=None
        Positive. None is ones.

    Returns
    -------
    quantiles : ndarray
        As ``np.quantile(values, levels, method="averaged_inverted_cdf")``.
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
    # Halves: the sum of two numbers may be too large.
    return np.where(low == high, low, low / 2 + high / 2)


def _fit_robust(values, weights):
    """The median, and what to multiply by."""
    low, first, median, third, high = quantiles(values, [0, 0.25, 0.5, 0.75, 1], weights)
    spread, reach = third / 2 - first / 2, high / 2 - low / 2
    with np.errstate(over="ignore", divide="ignore"):
        factor = 0.5 / spread if spread > 0 else 1 / reach if reach > 0 else 0.0
    return np.array([median, min(factor, np.finfo(np.float64).max)])


def _apply_robust(learnt, values):
    """x / sqrt(1 + (x / 3)^2) of x = (value - median) * factor."""
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
    """Knots: quantiles at equal distances, one for 30 rows, but 10 to 1000."""
    rows = len(values) if weights is None else weights.sum() / weights.min()
    count = int(np.clip(rows // _ROWS_A_KNOT, _FEWEST_KNOTS, _MOST_KNOTS))
    return quantiles(values, np.linspace(0, 1, count), weights)


def _apply_quantile(learnt, values):
    """The normal quantile of the share of values below; equal values stand in their middle."""
    if learnt[0] == learnt[-1]:
        return np.zeros(len(values))
    levels = np.linspace(0, 1, len(learnt))
    below = np.interp(values, learnt, levels)
    above = np.interp(-values, -learnt[::-1], -levels[::-1])
    share = (below - above) / 2
    return ndtri(np.clip(share, _RAREST, 1 - _RAREST))


@dataclass(frozen=True)
class Scaling:
    """One way to scale: `fit(values, weights)` returns what `apply(learnt, values)` takes.

    Both get finite float64 numbers; weights are None or positive. `of_indicators` says whether
    columns of zeros and ones are scaled, too, and `has_learnt` whether an array may be what fit
    has returned.
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
    """Columns of a table of few rows, scaled as if each row occurred as often as its weight."""
    occurs = weights > 0
    if not scaling.of_indicators or not occurs.any() or not table.size:
        return table
    learnt = [scaling.fit(column[occurs], weights[occurs]) for column in table.T]
    columns = [scaling.apply(one, column) for one, column in zip(learnt, table.T, strict=True)]
    return np.column_stack(columns)


def bin_edges(values, n_bins, weights=None):
    """Edges of bins that hold about equally many values: distinct, ascending, at least two.

    A value that occurs more often than a bin should hold counts as often as that, so that most bins
    are left for others.
    """
    unique, number = np.unique(values, return_inverse=True)
    counts = np.bincount(number.ravel(), weights).astype(np.float64)
    counts = np.minimum(counts, counts.sum() / n_bins)
    edges = np.unique(quantiles(unique, np.linspace(0, 1, n_bins + 1), counts))
    return edges if len(edges) > 1 else np.array([edges[0], edges[0] + 1])
