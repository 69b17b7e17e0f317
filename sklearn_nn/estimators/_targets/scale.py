"""Targets of regression, scaled for training and back."""

from __future__ import annotations

import numpy as np

#: The rows of what `fit_scale` returns.
_CENTER, _SPREAD, _LEAST, _MOST = range(4)


def fit_scale(target, weight, link):
    """Return center, spread, smallest and largest of each output, of shape (4, n_outputs).

    `target` has shape (n_samples, n_outputs). With the link "identity" targets get mean 0 and
    standard deviation 1; with "exp", whose predictions are positive, mean 1; others are unchanged.
    """
    target = target.astype(np.float64)
    least, most = target.min(axis=0), target.max(axis=0)
    # Divided first: squares of very large numbers are infinite.
    size = np.abs(target).max(axis=0)
    size[size == 0] = 1
    parts = target / size
    mean = np.average(parts, axis=0, weights=weight)
    center, spread = np.zeros(len(size)), np.ones(len(size))
    if link == "identity":
        deviation = np.sqrt(np.average((parts - mean) ** 2, axis=0, weights=weight))
        spread = size * np.where((deviation > 0) & (least < most), deviation, 1)
        center = np.where(least < most, mean * size, least)
    elif link == "exp":
        spread = np.where(mean > 0, mean * size, 1)
    return np.array([center, spread, least, most])


def widened(learnt, target):
    """Return the scale with room for further targets; center and spread stay."""
    target = target.astype(np.float64)
    least = np.minimum(learnt[_LEAST], target.min(axis=0))
    most = np.maximum(learnt[_MOST], target.max(axis=0))
    return np.array([learnt[_CENTER], learnt[_SPREAD], least, most])


def scaled(target, learnt):
    """Return targets as a network learns them."""
    return target / learnt[_SPREAD] - learnt[_CENTER] / learnt[_SPREAD]


def unscaled(values, learnt):
    """Return targets in their own units, as float64."""
    return values.astype(np.float64) * learnt[_SPREAD] + learnt[_CENTER]


def predicted(output, learnt):
    """Return outputs of a network as targets, cut to the range of those learnt."""
    return np.clip(unscaled(output, learnt), learnt[_LEAST], learnt[_MOST])


def check_scale(learnt, n_outputs):
    """Raise ValueError if the scale is invalid."""
    if learnt.shape != (4, n_outputs) or not np.isfinite(learnt).all():
        raise ValueError("a scale of other targets")
    if not ((learnt[_SPREAD] > 0).all() and (learnt[_LEAST] <= learnt[_MOST]).all()):
        raise ValueError("an invalid scale of targets")
