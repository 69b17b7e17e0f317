"""Calibration of predicted quantiles on rows that are held out of the whole fit."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _num_samples

from sklearn_nn.estimators._core.parts import FitMode, check_some_weight
from sklearn_nn.training import losses

#: Room for rounding in numbers of rows.
_ROUNDING = 1e-9


def set_aside(fit):
    """Split rows off the data of a fit; return (X, y, sample_weight) of these, or None.

    A fit that continues from earlier weights sets the same rows aside, if X has as many.
    """
    est, share = fit.estimator, getattr(fit.estimator, "conformal_fraction", 0)
    before = vars(est).pop("_set_aside", None)
    if not share or fit.y is None:
        return None
    if fit.mode is FitMode.ONE_EPOCH:
        raise ValueError(
            f"conformal_fraction={share} is for fit: partial_fit does not see all data at once, so "
            "that it cannot hold rows out of all of them; set conformal_fraction=0."
        )
    loss = losses.get_regression_loss(est.loss, est.get_params(deep=False))
    if not isinstance(loss, losses.Quantile):
        raise ValueError(
            f"conformal_fraction={share} calibrates quantiles, which needs loss='quantile', not "
            f"loss={est.loss!r}; set it, or use conformal_fraction=0."
        )
    loss.check()
    check_consistent_length(fit.X, fit.y, fit.sample_weight)
    n_rows = _num_samples(fit.X)
    n, rows = int(share * n_rows + 0.5), None if fit.begins else before
    _check_number(share, n, loss.levels)
    if rows is None or rows.size != n or not 0 <= rows.min() <= rows.max() < n_rows:
        rows = np.sort(est._random_state.permutation(n_rows)[:n])
    est._set_aside = rows
    rest = np.setdiff1d(np.arange(n_rows), rows)
    data = [_indexable(one) for one in (fit.X, fit.y, fit.sample_weight)]
    fit.X, fit.y, fit.sample_weight = (_rows_of(one, rest) for one in data)
    return tuple(_rows_of(one, rows) for one in data)


def _indexable(data):
    return data.tocsr() if sparse.issparse(data) else data


def _rows_of(data, rows):
    return None if data is None else _safe_indexing(data, rows)


def _check_number(share, n, levels):
    """Raise ValueError if `n` rows are too few for a bound of the outermost level."""
    outermost = max(levels, key=lambda level: abs(level - 0.5))
    rest = min(outermost, 1 - outermost)
    needed = max(1, math.ceil((1 - rest) / rest - _ROUNDING))
    if n < needed:
        raise ValueError(
            f"conformal_fraction={share} holds out {n} rows, but the level {outermost} needs at "
            f"least {needed} to be calibrated; hold out more, or use levels nearer to 0.5."
        )


def calibrate(fit, data):
    """Learn the offsets of all quantiles from rows that were set aside."""
    est, (X, y, weight) = fit.estimator, data
    codec, reader = est._codec, est._reader
    _, lengths, y, weight = fit.read_targets(reader, codec, reader.check(X, est), y, weight)
    weight = codec.row_weights(weight, lengths)
    check_some_weight(weight, "row that conformal_fraction holds out")
    target = y.reshape(len(y), codec.n_outputs, 1)
    found = np.concatenate([codec.quantiles(output) for _, output in est._outputs(X)])
    errors = target - found.reshape(len(y), codec.n_outputs, codec.per_target)
    codec.offsets = offsets(errors, codec.levels, weight)


def offsets(errors, levels, weight=None):
    """Return what to add to each quantile, of shape (n_outputs, n_levels).

    `errors` (n_rows, n_outputs, n_levels) are targets minus quantiles. A level above 1/2 becomes an
    upper bound of new targets with at least that probability, and a level q below 1/2 a lower bound
    with a probability of at least 1 - q (Romano et al., 2019, theorem 2). The median is unchanged.
    """
    found = np.zeros(errors.shape[1:])
    for k, j in np.ndindex(*found.shape):
        level = levels[j]
        if level > 0.5:
            found[k, j] = _bound(errors[:, k, j], level, weight)
        elif level < 0.5:
            found[k, j] = -_bound(-errors[:, k, j], 1 - level, weight)
    return found


def _bound(errors, share, weight):
    """Return the least error such that a further one is not larger with probability `share`."""
    if weight is not None:
        errors, weight = errors[weight > 0], weight[weight > 0]
    order = np.argsort(errors, kind="stable")
    weight = np.ones(len(errors)) if weight is None else weight[order] / weight.mean()
    # The further error counts as one that is larger than all others.
    wanted = share * (len(errors) + 1) - _ROUNDING * len(errors)
    place = np.searchsorted(np.cumsum(weight), wanted)
    return errors[order[min(place, len(errors) - 1)]]
