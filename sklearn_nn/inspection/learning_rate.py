"""The learning-rate range test: loss against learning rate, and a suggested rate."""

from __future__ import annotations

import contextlib
import itertools

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from sklearn_nn._spec import plain
from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators.tabular.estimators import BaseTabular
from sklearn_nn.inspection._plotting import MARK, TRAINING, VALIDATION, Display
from sklearn_nn.training.progress import begin_bar, can_draw
from sklearn_nn.training.schedules import Listed
from sklearn_nn.training.trainer import say

#: How many times smaller than the best rate of a short training a suggested one is.
_CAUTION = 3.0


def find_learning_rate(
    estimator, X, y, sample_weight=None, *, min_rate=1e-5, max_rate=1.0, n_rates=11, n_steps=300,
    verbose=False,
):  # fmt: skip
    """Train copies of an estimator for a short time, each with another learning rate.

    All copies begin with the same weights and are trained on the same batches, so that the losses
    differ by their rates only. The estimator itself is not changed.

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
    min_rate, max_rate : float, default=1e-5, 1.0
        The first and the last rate of a geometric progression.
    n_rates : int, default=11
        Number of rates. The search ends at the first rate at which training diverges.
    n_steps : int, default=300
        Number of batches that each copy is trained on. Small data are repeated as often as needed.
    verbose : bool, default=False
        Whether to show progress: a bar on a terminal with rich installed, else a line per rate.

    Returns
    -------
    display : LearningRateDisplay
        `display.suggestion` is a rate for `learning_rate_init`; `display.plot()` draws the losses.
        The loss of a rate is the mean over the last half of its batches.

    Raises
    ------
    ValueError
        If the rates are not in order, a number is too small, or the solver has no learning rate.
    TypeError
        If the estimator is not a network, or a `TabularClassifier` or `TabularRegressor`, whose
        recipe has a rate.

    References
    ----------
    Smith, L. N. (2017). Cyclical learning rates for training neural networks. WACV.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier, find_learning_rate
    >>> X, y = load_digits(return_X_y=True)
    >>> find_learning_rate(MLPClassifier(random_state=0), X / 16, y)
    LearningRateDisplay(suggestion=0.01, 11 rates from 1e-05 to 1)
    """
    min_rate, max_rate, n_rates, n_steps = plain((min_rate, max_rate, n_rates, n_steps))
    if not 0 < min_rate < max_rate < np.inf:
        raise ValueError(
            f"min_rate={min_rate}, max_rate={max_rate}: rates must be positive and grow; set "
            "min_rate below max_rate."
        )
    if n_rates < 2 or n_steps < 2:
        raise ValueError(f"n_rates={n_rates}, n_steps={n_steps}: both must be at least 2.")
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            f"estimator={estimator!r} is not a network of sklearn_nn; of a Pipeline, pass the last "
            "step, and data that the other steps have transformed."
        )
    if isinstance(estimator, BaseTabular):
        raise TypeError(
            f"{type(estimator).__name__} needs no search: learning_rate_init='auto' is the rate of "
            "its recipe, which belongs to its schedule and cannot be judged by trainings of "
            "constant rate. To try others, compare scores of whole fits, as with GridSearchCV."
        )
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise ValueError("solver='lbfgs' has no learning rate; use solver='adam' or 'sgd'.")
    estimator = clone(estimator)
    if estimator.random_state is None:  # the same batches for all rates
        estimator.random_state = check_random_state(None).randint(2**31 - 1)
    rates, losses = np.geomspace(min_rate, max_rate, n_rates), []
    trials = _Trials(estimator, X, y, sample_weight, n_steps)
    with _progress(n_rates, shown=verbose) as show:
        for rate in rates:
            losses.append(trials.loss(rate))
            show(rate, losses[-1])
            if not np.isfinite(losses[-1]):
                break
    rates, losses = rates[: len(losses)], np.array(losses)
    return LearningRateDisplay(rates, losses, suggest_rate(rates, losses))


class _Trials:
    """Short trainings from the same weights on the same batches."""

    def __init__(self, estimator, X, y, sample_weight, n_steps):
        estimator._validate_params()
        estimator.set_params(verbose=False, callbacks=None)
        self.fit = estimator._fit_kind(estimator, FitMode.FRESH, X, y, sample_weight)
        self.fit.initialize()
        self.n_steps = n_steps
        network = estimator._network
        self.weights = network.theta.copy(), network.state.copy()
        self.before = {k: v for k, v in vars(estimator).items() if k != "_random_state"}
        self.drawn = estimator._random_state.get_state()

    def loss(self, rate):
        """Train the network with one rate.

        Parameters
        ----------
        rate : float
            The learning rate.

        Returns
        -------
        loss : float
            Mean over the last half of the batches, or NaN if training diverges.
        """
        est, n_steps = self.fit.estimator, self.n_steps
        generator = est._random_state
        generator.set_state(self.drawn)
        est.__dict__ = {**self.before, "_random_state": generator}
        est._network.theta[:], est._network.state[:] = self.weights
        trainer = self.fit.trainer(self.fit.request)
        trainer.descent.base_rate, trainer.descent.schedule = 1.0, Listed([rate] * n_steps)
        most = n_steps * trainer.batch_size
        if trainer.rows.size > most:
            trainer.rows = generator.permutation(trainer.rows)[:most]
        losses = []
        while len(losses) < n_steps:
            trainer.train_epoch(1)
            losses.extend(trainer.batch_losses)
            if not np.isfinite(losses).all():
                return np.nan
        return float(np.mean(losses[n_steps // 2 : n_steps]))


@contextlib.contextmanager
def _progress(n_rates, *, shown):
    """Yield a function that shows the rate that has been tried last, and its loss."""
    if not shown:
        yield lambda *_: None
    elif can_draw():
        bar, done = begin_bar("learning rate", n_rates), itertools.count(1)
        try:
            yield lambda rate, loss: bar.show(next(done), f"{rate:.3g}, loss {loss:.4g}")
        finally:
            bar.close()
    else:
        yield lambda rate, loss: say(f"Learning rate {rate:.3g}, loss = {loss:.8f}")


def suggest_rate(rates, losses):
    """Return the rate that is nearest to a third of the rate with the lowest loss.

    The rate with the lowest loss itself is often too large for a longer training.

    Parameters
    ----------
    rates : array-like of shape (n_rates,)
        Learning rates, positive and all different.
    losses : array-like of shape (n_rates,)
        The loss after a training with each rate (see `find_learning_rate`). Losses from the first
        that is NaN or infinite on are ignored.

    Returns
    -------
    rate : float
        One of the rates, nearest by ratio; the smallest if the loss does not fall.

    Raises
    ------
    ValueError
        If the lengths differ, rates are not positive or not distinct, or fewer than two losses are
        finite.

    Examples
    --------
    >>> from sklearn_nn.inspection import suggest_rate
    >>> suggest_rate([1e-4, 1e-3, 1e-2, 1e-1, 1.0], [2.3, 1.4, 0.9, 1.2, float("nan")])
    0.01
    """
    rates, losses = _finite_part(rates, losses)
    wanted = rates[np.argmin(losses)] / _CAUTION
    return float(rates[np.argmin(np.abs(np.log(rates / wanted)))])


class LearningRateDisplay(Display):
    """Display of the loss against the learning rate, with the suggested rate.

    Parameters
    ----------
    rates, losses : array-like of shape (n_rates,)
        Rates, and the loss of each; see `find_learning_rate`.
    suggestion : float, default=None
        The rate to mark; None is that of `suggest_rate`.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        The losses.
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

    def __repr__(self):
        rates, name = np.asarray(self.rates), type(self).__name__
        of = f"{rates.size} rates from {rates.min():.3g} to {rates.max():.3g}"
        return f"{name}(suggestion={float(self._suggested()):.3g}, {of})"

    def _suggested(self):
        """Return the rate to mark."""
        given = self.suggestion
        return suggest_rate(self.rates, self.losses) if given is None else given

    def plot(self, ax=None, *, line_kw=None):
        """Draw the curve.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        line_kw : dict, default=None
            Passed to matplotlib's `plot` for the curve.

        Returns
        -------
        display : LearningRateDisplay

        Raises
        ------
        ValueError
            If rates or losses are invalid; see `suggest_rate`.
        """
        rates, losses = _finite_part(self.rates, self.losses)
        self.suggestion_ = float(self._suggested())
        ax = self._use_axes(ax, (6.4, 4.2))
        marker = "o" if losses.size <= 50 else ""
        drawn = {"color": TRAINING, "marker": marker, "label": "Loss", **(line_kw or {})}
        self.lines_ = ax.plot(rates, losses, **drawn)
        label = f"Suggested rate: {self.suggestion_:.3g}"
        self.suggestion_line_ = ax.axvline(
            self.suggestion_, color=MARK, linestyle="--", linewidth=1, label=label, zorder=1
        )
        height = np.interp(np.log(self.suggestion_), np.log(rates), losses)
        ax.plot([self.suggestion_], [height], "o", color=VALIDATION, zorder=3)
        capped = _capped(losses)
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
