"""The learning-rate range test: which rates a network learns at."""

from __future__ import annotations

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_nn._spec import plain
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.fit import range_test
from sklearn_nn.inspection.learning_rate_display import LearningRateDisplay, suggest_rate


def find_learning_rate(
    estimator, X, y, sample_weight=None, *, min_rate=1e-6, max_rate=1.0, n_steps=200
):
    """Train a copy of an estimator while its learning rate grows from batch to batch.

    Where the rate is too small the loss does not move; where it suits, it falls; where it is too
    large, it explodes (Smith, 2017, section 3.3). The estimator itself is not changed.

    Parameters
    ----------
    estimator : estimator
        With a first-order solver. Need not be fitted; a Pipeline's last step must be given by
        itself, with data that the other steps have transformed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    min_rate, max_rate : float, default=1e-6, 1.0
        The first rate and the last; they grow geometrically.
    n_steps : int, default=200
        Number of batches. The data is gone through as often as that takes, and once more with
        the untrained network.

    Returns
    -------
    display : LearningRateDisplay
        `display.suggestion` is a rate to set as `learning_rate_init`; `display.plot()` shows the
        losses. It is read off their ratios to what the untrained network loses on the same
        batches: some batches are easier than others.

    Raises
    ------
    ValueError
        If the rates are not in order, or the solver has none.

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks. WACV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier, find_learning_rate
    >>> X, y = load_digits(return_X_y=True)
    >>> found = find_learning_rate(MLPClassifier(random_state=0), X / 16, y)
    >>> 1e-4 < found.suggestion < 1e-1
    True
    """
    min_rate, max_rate, n_steps = plain((min_rate, max_rate, n_steps))
    if not 0 < min_rate < max_rate or n_steps < 2:
        raise ValueError(
            f"min_rate={min_rate}, max_rate={max_rate}, n_steps={n_steps}: rates must be positive "
            "and grow, over two steps at least."
        )
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            f"estimator={estimator!r} is no network of sklearn_nn; of a Pipeline, pass the last "
            "step, and data that the other steps have transformed."
        )
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise ValueError("solver='lbfgs' has no learning rate; use solver='adam' or 'sgd', say.")
    rates = np.geomspace(min_rate, max_rate, n_steps)
    estimator = clone(estimator)
    if estimator.random_state is None:  # both times the same batches
        estimator.random_state = check_random_state(None).randint(2**31 - 1)
    losses = range_test(clone(estimator), X, y, sample_weight, rates)
    rates = rates[: len(losses)]
    untrained = range_test(clone(estimator), X, y, sample_weight, np.zeros(len(losses)))
    return LearningRateDisplay(rates, losses, suggest_rate(rates, _relative(losses, untrained)))


def _relative(losses, untrained):
    """Losses without the part that is due to which samples are in a batch."""
    if untrained.min() > 0:
        return losses * (untrained.mean() / untrained)
    return losses - untrained + untrained.mean()
