"""The learning-rate range test: loss against learning rate, and a suggested rate."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter1d
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_nn._spec import plain
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.inspection._plotting import MARK, TRAINING, VALIDATION, Display
from sklearn_nn.training.schedules import Listed


def find_learning_rate(
    estimator, X, y, sample_weight=None, *, min_rate=1e-6, max_rate=1.0, n_steps=200
):
    """Train a copy of an estimator while the learning rate grows from batch to batch.

    The loss does not change at rates that are too small, falls at suitable rates, and diverges at
    rates that are too large (Smith, 2017, section 3.3). The estimator itself is not changed.

    Parameters
    ----------
    estimator : estimator
        A network with a first-order solver, which need not be fitted. Of a Pipeline, pass the last
        step, and data that the other steps have transformed.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        The samples.
    y : array-like of shape (n_samples,) or (n_samples, n_outputs)
        Their targets.
    sample_weight : array-like of shape (n_samples,), default=None
        Weights of the samples.
    min_rate, max_rate : float, default=1e-6, 1.0
        The first and the last rate of a geometric progression.
    n_steps : int, default=200
        Number of batches. The data are repeated as often as needed, and all batches are also
        evaluated by the untrained network.

    Returns
    -------
    display : LearningRateDisplay
        `display.suggestion` is a rate for `learning_rate_init`; `display.plot()` draws the losses.
        The suggestion is computed from the ratio of each loss to that of the untrained network on
        the same batch, because some batches are easier than others.

    Raises
    ------
    ValueError
        If the rates are not in order, or the solver has no learning rate.

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
            f"estimator={estimator!r} is not a network of sklearn_nn; of a Pipeline, pass the last "
            "step, and data that the other steps have transformed."
        )
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise ValueError("solver='lbfgs' has no learning rate; use solver='adam' or 'sgd'.")
    rates = np.geomspace(min_rate, max_rate, n_steps)
    estimator = clone(estimator)
    if estimator.random_state is None:  # the same batches for both networks
        estimator.random_state = check_random_state(None).randint(2**31 - 1)
    losses = range_test(clone(estimator), X, y, sample_weight, rates)
    rates = rates[: len(losses)]
    untrained = range_test(clone(estimator), X, y, sample_weight, np.zeros(len(losses)))
    # Losses are corrected for the difficulty of each batch.
    mean = untrained.mean()
    relative = losses * (mean / untrained) if untrained.min() > 0 else losses - untrained + mean
    return LearningRateDisplay(rates, losses, suggest_rate(rates, relative))


def range_test(estimator, X, y, sample_weight, rates):
    """Return the loss of each batch while the learning rate runs through `rates`."""
    estimator._validate_params()
    fit = estimator._fit_kind(estimator, FitMode.FRESH, X, y, sample_weight)
    fit.initialize()
    trainer = fit.trainer(fit.request)
    trainer.descent.base_rate, trainer.descent.schedule = 1.0, Listed(rates)
    losses = []
    while len(losses) < len(rates) and np.isfinite(losses).all():
        trainer.train_epoch(1)
        losses.extend(trainer.batch_losses)
    return np.array(losses[: len(rates)])


def suggest_rate(rates, losses):
    """Return the learning rate at which the loss falls fastest.

    The losses of a range test (see `find_learning_rate`) are smoothed along the logarithm of the
    rate. The suggestion is where the smoothed curve is steepest before its minimum, at a safe
    distance from rates that diverge.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Learning rates, positive and all different.
    losses : array-like of shape (n_rates,)
        The loss at each rate. Losses from the first that is NaN or infinite on are ignored.

    Returns
    -------
    rate : float
        One of the rates; the smallest if the loss does not fall.

    Raises
    ------
    ValueError
        If the lengths differ, rates are not positive or not distinct, or fewer than two losses are
        finite.

    Examples
    --------
    >>> from sklearn_nn.inspection import suggest_rate
    >>> suggest_rate([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.3, 2.2, 1.4, 0.9, float("nan")])
    0.01
    """
    rates, losses = _finite_part(rates, losses)
    smoothed = _smooth(_capped(losses))
    lowest = int(np.argmin(smoothed))
    if lowest == 0:
        return float(rates[0])
    slopes = np.gradient(smoothed, np.log(rates))
    return float(rates[np.argmin(slopes[: lowest + 1])])


class LearningRateDisplay(Display):
    """Display of the loss against the learning rate, with the suggested rate.

    Parameters
    ----------
    rates, losses : array-like of shape (n_rates,)
        Rates and losses of a range test; see `suggest_rate`.
    suggestion : float, default=None
        The rate to mark; None is that of `suggest_rate`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        The losses and the smoothed losses.
    suggestion_, suggestion_line_ : float, matplotlib Line2D
        The marked rate, and the line that marks it.

    Examples
    --------
    >>> from sklearn_nn.inspection import LearningRateDisplay
    >>> display = LearningRateDisplay([1e-3, 1e-2, 1e-1, 1.0], [2.3, 1.4, 0.9, 5.0]).plot()
    >>> display.ax_.get_xscale()
    'log'
    """

    def __init__(self, rates, losses, suggestion=None):
        self.rates = rates
        self.losses = losses
        self.suggestion = suggestion

    def plot(self, ax=None, *, line_kw=None):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        line_kw : dict, default=None
            Passed to matplotlib's `plot` for the smoothed curve.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        ValueError
            If rates or losses are invalid; see `suggest_rate`.
        """
        rates, losses = _finite_part(self.rates, self.losses)
        found = suggest_rate(rates, losses) if self.suggestion is None else self.suggestion
        self.suggestion_ = float(found)
        ax = self._use_axes(ax, (6.4, 4.2))
        smooth = {"color": TRAINING, "linewidth": 2, "label": "Smoothed loss", **(line_kw or {})}
        raw = {"color": TRAINING, "alpha": 0.35, "linewidth": 1, "label": "Loss"}
        capped = _capped(losses)
        smoothed = _smooth(capped)
        self.lines_ = ax.plot(rates, losses, **raw)
        self.lines_ += ax.plot(rates, np.where(losses > capped, np.nan, smoothed), **smooth)
        label = f"Suggested rate: {self.suggestion_:.3g}"
        self.suggestion_line_ = ax.axvline(
            self.suggestion_, color=MARK, linestyle="--", linewidth=1, label=label, zorder=1
        )
        height = np.interp(np.log(self.suggestion_), np.log(rates), smoothed)
        ax.plot([self.suggestion_], [height], "o", color=VALIDATION, zorder=3)
        # Losses that diverge are cut off.
        low, high, largest = losses.min(), capped.max(), losses.max()
        fall = high - low
        shown = (low - 0.1 * fall, min(largest + 0.1 * fall, high + 0.5 * fall)) if fall else None
        ax.set(xscale="log", ylim=shown, xlabel="Learning rate", ylabel="Loss")
        ax.legend()
        return self


def _finite_part(rates, losses):
    """Return sorted rates with their losses, up to the first loss that is not finite."""
    rates, losses = np.asarray(rates, dtype=float), np.asarray(losses, dtype=float)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(
            f"rates of shape {rates.shape} and losses of shape {losses.shape} do not match; "
            "pass one loss for each rate."
        )
    order = np.argsort(rates, kind="stable")
    rates, losses = rates[order], losses[order]
    if not (np.isfinite(rates).all() and (rates > 0).all() and (np.diff(rates) > 0).all()):
        raise ValueError("rates must be positive, finite and all different.")
    ends = np.flatnonzero(~np.isfinite(losses))
    stop = ends[0] if ends.size else losses.size
    if stop < 2:
        raise ValueError(
            f"{stop} losses are finite before the first that is not, but two are needed; begin "
            "with lower rates."
        )
    return rates[:stop], losses[:stop]


def _capped(losses):
    """Return losses cut off at the largest one before the minimum, to limit divergence."""
    lowest = int(np.argmin(losses))
    return np.minimum(losses, losses[: lowest + 1].max())


def _smooth(losses):
    """Return the losses smoothed by a Gaussian over about a twentieth of the curve."""
    return gaussian_filter1d(losses, sigma=max(losses.size / 40, 0.5), mode="nearest")
