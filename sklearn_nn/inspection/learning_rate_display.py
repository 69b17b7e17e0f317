"""The loss against the learning rate, and which rate it speaks for."""

import numpy as np
from scipy.ndimage import gaussian_filter1d

from sklearn_nn.inspection._plotting import MARK, TRAINING, VALIDATION, axes_or_new


def suggest_rate(rates, losses):
    """The learning rate at which the loss falls fastest.

    The losses of a range test, in which the rate grows from batch to batch, are smoothed along
    the logarithm of the rate. The suggestion is where the smoothed curve is steepest before its
    minimum: there, a step does most good, at a safe distance from the rates that diverge.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Learning rates, positive and all different.
    losses : array-like of shape (n_rates,)
        The loss at each. What follows the first loss that is NaN or infinite does not count.

    Returns
    -------
    rate : float
        One of the rates; the smallest where the loss falls nowhere.

    Raises
    ------
    ValueError
        If the lengths differ, a rate is not positive or is there twice, or fewer than two losses
        are finite.

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks. WACV.

    Examples
    --------
    >>> from sklearn_nn.inspection import suggest_rate
    >>> suggest_rate([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.3, 2.2, 1.4, 0.9, float("nan")])
    0.01
    """
    rates, losses = _finite_part(rates, losses)
    smoothed = _smooth(losses)
    lowest = int(np.argmin(smoothed))
    if lowest == 0:
        return float(rates[0])
    slopes = np.gradient(smoothed, np.log(rates))
    return float(rates[np.argmin(slopes[: lowest + 1])])


class LearningRateDisplay:
    """Loss against learning rate, with the rate that it speaks for.

    Parameters
    ----------
    rates, losses : array-like of shape (n_rates,)
        What a range test recorded; see `suggest_rate`.
    suggestion : float, default=None
        The rate to mark; None asks `suggest_rate`.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The losses, the smoothed losses.
    suggestion_ : float
        The rate that is marked.
    suggestion_line_ : matplotlib Line2D
        The line that marks it.

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
            This display.

        Raises
        ------
        ValueError
            If rates and losses are not what `suggest_rate` asks for.
        """
        rates, losses = _finite_part(self.rates, self.losses, cap=False)
        suggestion = self.suggestion
        if suggestion is None:
            suggestion = suggest_rate(rates, losses)
        ax = axes_or_new(ax, "LearningRateDisplay.plot", (6.4, 4.2))
        smooth = {"color": TRAINING, "linewidth": 2, "label": "Smoothed loss", **(line_kw or {})}
        raw = {"color": TRAINING, "alpha": 0.35, "linewidth": 1, "label": "Loss"}
        capped = _capped(losses)
        smoothed = np.where(losses > capped, np.nan, _smooth(capped))
        self.lines_ = ax.plot(rates, losses, **raw) + ax.plot(rates, smoothed, **smooth)
        self.suggestion_ = float(suggestion)
        label = f"Suggested rate: {self.suggestion_:.3g}"
        self.suggestion_line_ = ax.axvline(
            self.suggestion_, color=MARK, linestyle="--", linewidth=1, label=label, zorder=1
        )
        height = np.interp(np.log(self.suggestion_), np.log(rates), _smooth(capped))
        ax.plot([self.suggestion_], [height], "o", color=VALIDATION, zorder=3)
        ax.set_xscale("log")
        ax.set_ylim(*_losses_to_show(losses))
        ax.set_xlabel("Learning rate")
        ax.set_ylabel("Loss")
        ax.legend()
        self.ax_, self.figure_ = ax, ax.figure
        return self


def _finite_part(rates, losses, *, cap=True):
    """Rates in rising order with their losses, up to the first loss that is not finite."""
    rates, losses = np.asarray(rates, dtype=float), np.asarray(losses, dtype=float)
    if rates.ndim != 1 or rates.shape != losses.shape:
        raise ValueError(
            f"rates of shape {rates.shape} and losses of shape {losses.shape} do not belong "
            "together; pass one loss for each rate."
        )
    order = np.argsort(rates, kind="stable")
    rates, losses = rates[order], losses[order]
    if not (np.isfinite(rates).all() and (rates > 0).all() and (np.diff(rates) > 0).all()):
        raise ValueError("rates must be positive, finite and all different.")
    ends = np.flatnonzero(~np.isfinite(losses))
    stop = ends[0] if ends.size else losses.size
    if stop < 2:
        raise ValueError(
            f"{stop} losses are finite before the first that is not, and two are needed; begin "
            "with lower rates."
        )
    rates, losses = rates[:stop], losses[:stop]
    return rates, _capped(losses) if cap else losses


def _capped(losses):
    """Losses cut off at the highest before the lowest: divergence must not blur what it follows."""
    lowest = int(np.argmin(losses))
    return np.minimum(losses, losses[: lowest + 1].max())


def _smooth(losses):
    """A Gaussian mean over about a twentieth of the curve."""
    return gaussian_filter1d(losses, sigma=max(losses.size / 40, 0.5), mode="nearest")


def _losses_to_show(losses):
    """Limits of the axis: a loss that explodes would flatten all the rest."""
    before = losses[: int(np.argmin(losses)) + 1]
    low, fall = losses.min(), before.max() - losses.min()
    if fall == 0:
        return None, None
    return low - 0.1 * fall, min(losses.max() + 0.1 * fall, before.max() + 0.5 * fall)
