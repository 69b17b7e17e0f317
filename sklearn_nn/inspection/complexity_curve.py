"""Validation curve with regions of underfitting and overfitting."""

import inspect
import textwrap
from numbers import Real

import numpy as np

from sklearn_nn.inspection._plotting import MARK, Display, pyplot


class ComplexityCurveDisplay(Display):
    """Display of training and validation scores against a parameter of the model's complexity.

    The best value has the highest mean validation score; ties go to the least complex value. With
    less complexity the model underfits, with more it overfits. Values that are worse than the best
    by more than one standard error of its mean over the folds are shaded; the others are as good as
    it, as far as the folds can tell. The direction of complexity is read off the training score,
    which rises with it: to the right for `hidden_layer_sizes`, to the left for `alpha`.

    Parameters
    ----------
    param_name : str
        The parameter that was varied.
    param_range : sequence of length n_values
        Its values. Numbers have their positions on the axis; tuples and other values have equal
        distances.
    train_scores, test_scores : ndarray of shape (n_values, n_folds)
        Scores on training and validation sets, as `validation_curve` returns them.
    score_name : str, default="Score"
        Name of the scores.

    Attributes
    ----------
    ax_ : matplotlib Axes
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        Mean training score and mean validation score.
    fill_between_ : list of matplotlib artists
        Bands of one standard deviation around the means.
    best_index_, best_value_ : int, object
        The best value and its index in `param_range`.
    best_line_, best_point_ : matplotlib Line2D
        Marks of the best value.
    regions_ : dict of str to matplotlib Text
        The labels of the regions "underfitting" and "overfitting" that exist.

    See Also
    --------
    sklearn.model_selection.ValidationCurveDisplay : The same without regions, for numbers only.
    sklearn.model_selection.validation_curve : Computes the scores.

    Examples
    --------
    >>> from sklearn_nn.inspection import ComplexityCurveDisplay
    >>> display = ComplexityCurveDisplay(
    ...     param_name="hidden_layer_sizes",
    ...     param_range=[(5,), (50,), (50, 50)],
    ...     train_scores=[[0.6], [0.8], [0.9]],
    ...     test_scores=[[0.5], [0.7], [0.6]],
    ... ).plot()
    >>> display.best_value_
    (50,)
    """

    def __init__(self, *, param_name, param_range, train_scores, test_scores, score_name="Score"):
        self.param_name = param_name
        self.param_range = param_range
        self.train_scores = train_scores
        self.test_scores = test_scores
        self.score_name = score_name

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        param_name,
        param_range,
        groups=None,
        cv=None,
        scoring=None,
        n_jobs=None,
        error_score=np.nan,
        fit_params=None,
        ax=None,
        negate_score=False,
        score_name=None,
        label_regions=True,
        line_kw=None,
        fill_between_kw=None,
    ):
        """Cross-validate an estimator for every value of a parameter, and plot.

        Parameters
        ----------
        estimator : estimator
            Estimator that is cloned and fitted for every value.
        X : array-like of shape (n_samples, ...)
            The samples.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs)
            Their targets.
        param_name : str
            The parameter to vary, such as "hidden_layer_sizes", "alpha" or "max_iter".
        param_range : sequence of length n_values
            Its values, two or more.
        groups, cv, scoring, n_jobs, error_score : optional
            Parameters of :func:`~sklearn.model_selection.validation_curve`.
        fit_params : dict, default=None
            Passed to `fit`.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        negate_score : bool, default=False
            Whether to draw the negative of the scores: "neg_log_loss" becomes a loss.
        score_name : str, default=None
            Name of the score; None derives it from `scoring`.
        label_regions : bool, default=True
            Whether to shade and label the regions of under- and overfitting.
        line_kw, fill_between_kw : dict, default=None
            Passed to matplotlib's `plot` and `fill_between`.

        Returns
        -------
        display : ComplexityCurveDisplay
        """
        pyplot("ComplexityCurveDisplay.from_estimator")  # an error comes before the fits
        _check_values(param_range)
        from sklearn.model_selection import validation_curve  # slow to import

        values = np.empty(len(param_range), dtype=object)
        values[:] = list(param_range)  # np.array would make a matrix of tuples, or fail
        options = {"param_name": param_name, "param_range": values, "error_score": error_score}
        options |= {"groups": groups, "cv": cv, "scoring": scoring, "n_jobs": n_jobs}
        known = inspect.signature(validation_curve).parameters
        # scikit-learn 1.8 renamed fit_params.
        options["params" if "params" in known else "fit_params"] = fit_params
        train_scores, test_scores = validation_curve(estimator, X, y, **options)
        if score_name is None:
            score_name = _score_name(scoring, negate_score)
        scores = {"train_scores": train_scores, "test_scores": test_scores}
        display = cls(
            param_name=param_name, param_range=list(param_range), score_name=score_name, **scores
        )
        style = {"line_kw": line_kw, "fill_between_kw": fill_between_kw}
        return display.plot(ax, negate_score=negate_score, label_regions=label_regions, **style)

    def plot(
        self, ax=None, *, negate_score=False, label_regions=True, line_kw=None, fill_between_kw=None
    ):
        """Draw the curves.

        Parameters
        ----------
        ax, negate_score, label_regions, line_kw, fill_between_kw : optional
            See `from_estimator`.

        Returns
        -------
        display : ComplexityCurveDisplay
        """
        _check_values(self.param_range)
        ax = self._use_axes(ax, (6.4, 4.4))
        x = _positions(self.param_range)
        order = np.argsort(x, kind="stable")
        train, test = (np.asarray(s, float)[order] for s in (self.train_scores, self.test_scores))
        from sklearn.model_selection import ValidationCurveDisplay  # slow to import

        scores = {"train_scores": train, "test_scores": test, "score_name": self.score_name}
        curves = ValidationCurveDisplay(param_name=self.param_name, param_range=x[order], **scores)
        bands = {"alpha": 0.2, "linewidth": 0, **(fill_between_kw or {})}
        drawn = curves.plot(ax, negate_score=negate_score, line_kw=line_kw, fill_between_kw=bands)
        self.lines_, self.fill_between_ = drawn.lines_, drawn.fill_between_
        for line, label in zip(self.lines_, ("Training", "Validation"), strict=True):
            line.set_label(label)
            line.set_marker(line_kw.get("marker", "o") if line_kw else "o")
        _set_ticks(ax, x[order], [self.param_range[i] for i in order])
        rising, best = _best(train.mean(axis=1), test.mean(axis=1))
        self.best_index_ = int(order[best])
        self.best_value_ = self.param_range[self.best_index_]
        self._mark_best(x[order[best]], self.lines_[1].get_ydata()[best])
        worse = _is_worse(test, best)
        self.regions_ = self._label_regions(worse, x[order], rising) if label_regions else {}
        ax.legend(loc="best")
        return self

    def _mark_best(self, x, score):
        ax, label = self.ax_, f"Best: {_tick_label(self.best_value_)}"
        self.best_line_ = ax.axvline(x, color=MARK, linestyle="--", linewidth=1, zorder=1)
        star = {"marker": "*", "markersize": 15, "markeredgecolor": "white", "linestyle": "none"}
        color = self.lines_[1].get_color()
        (self.best_point_,) = ax.plot([x], [score], color=color, label=label, zorder=3, **star)

    def _label_regions(self, worse, x, rising):
        """Shade and label the ends of the axis where all values are worse; return the labels."""
        ax, at = self.ax_, self.ax_.xaxis.get_transform()
        names = ("underfitting", "overfitting") if rising else ("overfitting", "underfitting")
        # Above the axes, because the legend may be anywhere inside.
        options = {"va": "bottom", "transform": ax.transAxes, "color": MARK}
        middles = at.inverted().transform((at.transform(x[1:]) + at.transform(x[:-1])) / 2)
        n_left, n_right = np.argmin(worse), np.argmin(worse[::-1])  # the best is not worse
        left, right = ax.get_xlim()
        regions = {}
        if n_left:
            ax.axvspan(left, middles[n_left - 1], color="0.5", alpha=0.1, linewidth=0, zorder=0)
            regions[names[0]] = ax.text(0, 1.01, f"← {names[0]}", ha="left", **options)
        if n_right:
            ax.axvspan(middles[-n_right], right, color="0.5", alpha=0.2, linewidth=0, zorder=0)
            regions[names[1]] = ax.text(1, 1.01, f"{names[1]} →", ha="right", **options)
        ax.set_xlim(left, right)
        return regions


def _best(train, test):
    """Return whether complexity rises to the right, and the index of the best mean score."""
    place = np.arange(train.size)
    rising = np.nansum((place - place.mean()) * train) >= 0
    best = np.flatnonzero(test == np.nanmax(test))
    return rising, int(best[0] if rising else best[-1])


def _is_worse(test, best):
    """Return which values have a mean score below the best one by more than its standard error.

    Values whose score is not defined count as worse.
    """
    n_folds = test.shape[1]
    error = test[best].std(ddof=1) / np.sqrt(n_folds) if n_folds > 1 else 0.0
    means = test.mean(axis=1)
    return ~(means >= means[best] - error)


def _check_values(param_range):
    if len(param_range) < 2:
        raise ValueError(f"param_range={param_range!r} has fewer than two values; pass more.")


def _is_number(value):
    return isinstance(value, Real) and not isinstance(value, bool | np.bool_)


def _are_numbers(values):
    return all(map(_is_number, values)) and np.isfinite(np.asarray(values, float)).all()


def _positions(values):
    """Return the positions of values on the axis: the values if they are distinct numbers."""
    if _are_numbers(values) and len(set(values)) == len(values):
        return np.asarray(values, dtype=float)
    return np.arange(len(values), dtype=float)


def _tick_label(value):
    """Return the text of a value, such as "50, 50" for (50, 50)."""
    if _is_number(value):
        return f"{value:g}"
    if isinstance(value, tuple | list | np.ndarray) and len(value):
        value = ", ".join(map(_tick_label, value))
    return textwrap.shorten(str(value), 24, placeholder=" …")


def _set_ticks(ax, x, values):
    """Set ticks at the values; labels that would overlap are left out or rotated."""
    if ax.get_xscale() == "symlog":  # the default is linear below 2
        ax.set_xscale("symlog", linthresh=np.abs(x[x != 0]).min())
    labels = [_tick_label(value) for value in values]
    if _are_numbers(values):
        along = ax.xaxis.get_transform().transform(x)
        along = (along - along[0]) / (along[-1] - along[0])
        shown = [0]
        for i in range(1, x.size):
            width = 0.02 + 0.009 * (len(labels[i]) + len(labels[shown[-1]]))
            if along[i] - along[shown[-1]] >= width:
                shown.append(i)
        x, labels = x[shown], [labels[i] for i in shown]
    ax.set_xticks([], minor=True)
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"}
    is_long = max(map(len, labels)) * len(labels) > 60
    ax.set_xticks(x, labels, **(slanted if is_long else {}))


def _score_name(scoring, negated):
    """Return the name of a score, derived as in scikit-learn's displays."""
    if not isinstance(scoring, str):
        return "Negative score" if negated else "Score"
    positive = scoring.removeprefix("neg_")
    if positive != scoring and not negated:
        positive = f"negative {positive}"
    name = positive.replace("_", " ")
    return name[:1].upper() + name[1:]
