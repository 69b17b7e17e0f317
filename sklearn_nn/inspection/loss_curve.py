"""Loss curves: loss, score and learning rate of every epoch."""

import numpy as np

from sklearn_nn.inspection._fitted import fitted_network
from sklearn_nn.inspection._plotting import MARK, TRAINING, VALIDATION, Display

#: Label, colour (by data set) and line style (by quantity) of each curve.
CURVES = {
    "loss": ("Training loss", TRAINING, "-"),
    "val_loss": ("Validation loss", VALIDATION, "-"),
    "score": ("Training score", TRAINING, "--"),
    "val_score": ("Validation score", VALIDATION, "--"),
    "learning_rate": ("Learning rate", MARK, ":"),
}
#: Curves that the best epoch may be judged by (of several, the first), and how.
JUDGES = {"val_score": np.nanargmax, "val_loss": np.nanargmin, "loss": np.nanargmin}
#: Attributes of estimators without `history_`, such as scikit-learn's.
ATTRIBUTES = {
    "loss": "loss_curve_",
    "val_loss": "validation_loss_curve_",
    "val_score": "validation_scores_",
}


class LossCurveDisplay(Display):
    """Display of the training and validation loss of every epoch.

    A validation loss that rises while the training loss falls is a sign of overfitting; if both
    still fall, more epochs help.

    Parameters
    ----------
    history : dict of str to array-like of shape (n_epochs,)
        Values of "loss" and optionally "val_loss", "score", "val_score" and "learning_rate", as in
        `history_` of an estimator. Other keys are ignored. NaN and None leave gaps.
    best_iteration : int, default=None
        The best epoch, counted from 1, which is marked on the curve that it was judged by.
    judged_by : {"loss", "val_loss", "val_score"}, default=None
        That curve. None means the last of these that `history` contains.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes of the losses.
    score_ax_, learning_rate_ax_ : matplotlib Axes or None
        The axes of the scores and the learning rate, to the right.
    figure_ : matplotlib Figure
    lines_ : list of matplotlib Line2D
        The curves, in the order of the legend.
    best_line_ : matplotlib Line2D or None
        The mark of the best epoch: a circle on the curve that it was judged by. None if that curve
        is not drawn: the validation score is drawn with `score=True` only.

    See Also
    --------
    ComplexityCurveDisplay : Scores against a parameter of the model's complexity.

    Examples
    --------
    >>> from sklearn_nn.inspection import LossCurveDisplay
    >>> history = {"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.7, 0.8]}
    >>> display = LossCurveDisplay(history, best_iteration=2).plot()
    >>> [line.get_label() for line in display.lines_]
    ['Training loss', 'Validation loss']
    """

    def __init__(self, history, best_iteration=None, judged_by=None):
        self.history = history
        self.best_iteration = best_iteration
        self.judged_by = judged_by

    @classmethod
    def from_estimator(
        cls, estimator, *, ax=None, log_scale=False, score=False, learning_rate=False, line_kw=None
    ):
        """Plot the history of a fitted estimator.

        Parameters
        ----------
        estimator : estimator
            A fitted network, or a pipeline or search that contains one; or another estimator with
            `loss_curve_`, such as scikit-learn's MLP.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        log_scale : bool, default=False
            Whether the loss axis is logarithmic.
        score, learning_rate : bool, default=False
            Whether to draw the scores and the learning rate, each on an axis of its own. If the
            best epoch was judged by the validation score, only `score=True` shows it.
        line_kw : dict, default=None
            Passed to matplotlib's `plot` for every curve.

        Returns
        -------
        display : LossCurveDisplay

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it has not recorded the loss or another requested curve.
        """
        network = fitted_network(estimator)
        history = _recorded(network)
        if "loss" not in history:
            raise ValueError(
                f"{type(network).__name__} has no recorded loss; solver='lbfgs' records none. "
                "Fit with another solver, such as 'adam'."
            )
        return cls(history, *_best_iteration(network, history)).plot(
            ax, log_scale=log_scale, score=score, learning_rate=learning_rate, line_kw=line_kw
        )

    def plot(self, ax=None, *, log_scale=False, score=False, learning_rate=False, line_kw=None):
        """Draw the curves.

        Parameters
        ----------
        ax, log_scale, score, learning_rate, line_kw : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : LossCurveDisplay
        """
        if score:
            self._check_recorded("score", "X_val and y_val")
        if learning_rate:
            self._check_recorded("learning_rate", "an estimator of sklearn_nn")
        ax = self._use_axes(ax, (6.4 + 0.9 * (score + learning_rate), 4.2))
        self._drawn = {}
        self.lines_ = self._draw(ax, ("loss", "val_loss"), line_kw)
        ax.set(xlabel="Epoch", ylabel="Loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if log_scale:
            ax.set_yscale("log")
        self.score_ax_ = self.learning_rate_ax_ = None
        if score:
            self.score_ax_ = self._beside(("score", "val_score"), "Score (dashed)", line_kw)
        if learning_rate:
            label, away = "Learning rate (dotted)", 58 if score else 0
            self.learning_rate_ax_ = self._beside(("learning_rate",), label, line_kw, away)
            self.learning_rate_ax_.set_ylim(bottom=0)
        self.best_line_ = self._mark_best()
        self._draw_legend()
        return self

    def _check_recorded(self, name, remedy):
        if not {name, f"val_{name}"} & self.history.keys():
            raise ValueError(f"{name}=True, but it was not recorded; fit with {remedy}.")

    def _draw(self, ax, names, line_kw):
        lines = []
        for name in filter(self.history.__contains__, names):
            values = np.asarray(self.history[name], dtype=float)
            label, color, style = CURVES[name]
            # A line of a single epoch is not visible.
            options = {"marker": "o" if values.size == 1 else None, "label": label}
            options |= {"color": color, "linestyle": style, **(line_kw or {})}
            lines += ax.plot(np.arange(1, values.size + 1), values, **options)
            self._drawn[name] = lines[-1]
        return lines

    def _beside(self, names, label, line_kw, away=0):
        """Draw curves on new axes to the right, `away` points from the axes of the losses."""
        ax = self.ax_.twinx()
        ax.spines["right"].set_position(("outward", away))
        ax.set_ylabel(label)
        self.lines_ += self._draw(ax, names, line_kw)
        return ax

    def _mark_best(self):
        """Circle the best epoch on the curve that it was judged by, if both exist."""
        by = self.judged_by or next((name for name in JUDGES if name in self.history), None)
        epoch = self.best_iteration
        if epoch is None or by not in self._drawn:
            return None
        line = self._drawn[by]
        style = {"marker": "o", "markersize": 11, "markeredgewidth": 1.5, "fillstyle": "none"}
        style |= {"linestyle": "none", "color": MARK, "label": f"Best epoch ({epoch:,})"}
        at = line.get_xdata() == epoch
        return line.axes.plot(line.get_xdata()[at], line.get_ydata()[at], **style)[0]

    def _draw_legend(self):
        """Draw one legend for all axes, above them if there are several."""
        handles = self.lines_ + ([] if self.best_line_ is None else [self.best_line_])
        if self.score_ax_ is None and self.learning_rate_ax_ is None:
            self.ax_.legend(handles=handles)
        else:
            width = self.ax_.get_window_extent().width / self.figure_.dpi  # in inches
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
            self.ax_.legend(handles=handles, frameon=False, ncols=3 if width > 4.5 else 2, **place)


def _recorded(network):
    """Return `history_`, or the same from scikit-learn's attributes, without empty curves."""
    history = getattr(network, "history_", None)
    if history is None:
        history = {name: getattr(network, of, None) for name, of in ATTRIBUTES.items()}
    return {
        name: curve
        for name, curve in history.items()
        if curve is not None and np.isfinite(np.asarray(curve, dtype=float)).any()
    }


def _best_iteration(network, history):
    """Return the best epoch, and the name of the curve that it was judged by."""
    curves = {name: np.asarray(history[name], dtype=float) for name in JUDGES if name in history}
    bests = {name: 1 + JUDGES[name](curve) for name, curve in curves.items()}
    best, by = getattr(network, "best_iteration_", None), next(iter(curves))
    if not getattr(network, "early_stopping", True):
        by = "loss"
    elif by == "val_score" and "val_loss" in curves:
        is_equal = np.ptp(curves[by]) == 0 and best == bests["val_loss"]
        if getattr(network, "scoring", None) == "loss" or is_equal:
            by = "val_loss"
    if best is None and by != "loss":
        best = int(bests[by])
    return best, by
