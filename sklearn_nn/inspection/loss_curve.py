"""The loss of every epoch."""

import numpy as np

from sklearn_nn.inspection._fitted import fitted_network
from sklearn_nn.inspection._plotting import MARK, TRAINING, VALIDATION, axes_or_new

#: What a curve is called and how it is drawn: the colour says which data, the dashes which measure.
CURVES = {
    "loss": ("Training loss", TRAINING, "-"),
    "val_loss": ("Validation loss", VALIDATION, "-"),
    "score": ("Training score", TRAINING, "--"),
    "val_score": ("Validation score", VALIDATION, "--"),
    "learning_rate": ("Learning rate", MARK, ":"),
}
#: Attributes of estimators without `history_`, scikit-learn's own among them.
ATTRIBUTES = {
    "loss": "loss_curve_",
    "val_loss": "validation_loss_curve_",
    "val_score": "validation_scores_",
}


class LossCurveDisplay:
    """Loss of every epoch, in training and in validation.

    A training loss that falls while the validation loss rises is overfitting; two losses that
    still fall together ask for more epochs.

    Parameters
    ----------
    history : dict of str to array-like of shape (n_epochs,)
        "loss", and where there are such "val_loss", "score", "val_score" and "learning_rate":
        `history_` of an estimator. Other keys are left out. NaN and None leave gaps.
    best_iteration : int, default=None
        The best epoch, counted from 1; None marks none.

    Attributes
    ----------
    ax_ : matplotlib Axes
        The axes with the losses.
    score_ax_, learning_rate_ax_ : matplotlib Axes or None
        The axes with the scores and the learning rate, to the right.
    figure_ : matplotlib Figure
        The figure.
    lines_ : list of matplotlib Line2D
        The curves, in the order of the legend.
    best_line_ : matplotlib Line2D or None
        The line that marks the best epoch.

    See Also
    --------
    ComplexityCurveDisplay : Scores against a parameter that sets the complexity.

    Examples
    --------
    >>> from sklearn_nn.inspection import LossCurveDisplay
    >>> history = {"loss": [1.0, 0.5, 0.3], "val_loss": [1.1, 0.7, 0.8]}
    >>> display = LossCurveDisplay(history, best_iteration=2).plot()
    >>> [line.get_label() for line in display.lines_]
    ['Training loss', 'Validation loss']
    """

    def __init__(self, history, best_iteration=None):
        self.history = history
        self.best_iteration = best_iteration

    @classmethod
    def from_estimator(
        cls,
        estimator,
        *,
        ax=None,
        log_scale=False,
        score=False,
        learning_rate=False,
        line_kw=None,
    ):
        """Plot what a fitted estimator recorded.

        Parameters
        ----------
        estimator : estimator
            A fitted network, or a pipeline or search that holds one. scikit-learn's MLP and
            others that have only `loss_curve_` will do.
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        log_scale : bool, default=False
            Whether the axis of the loss is logarithmic.
        score : bool, default=False
            Whether to draw the scores on a second axis.
        learning_rate : bool, default=False
            Whether to draw the learning rate on an axis of its own.
        line_kw : dict, default=None
            Passed to matplotlib's `plot` for every curve.

        Returns
        -------
        display : LossCurveDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        ValueError
            If it recorded no loss, or nothing of what is asked for.
        """
        network = fitted_network(estimator)
        history = _recorded(network)
        if "loss" not in history:
            raise ValueError(
                f"{type(network).__name__} has recorded no loss; solver='lbfgs' records none. "
                "Fit with another solver, such as 'adam'."
            )
        display = cls(history, _best_iteration(network, history))
        return display.plot(
            ax, log_scale=log_scale, score=score, learning_rate=learning_rate, line_kw=line_kw
        )

    def plot(self, ax=None, *, log_scale=False, score=False, learning_rate=False, line_kw=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes, default=None
            Axes to draw on; None makes a new figure.
        log_scale : bool, default=False
            Whether the axis of the loss is logarithmic.
        score : bool, default=False
            Whether to draw the scores on a second axis.
        learning_rate : bool, default=False
            Whether to draw the learning rate on an axis of its own.
        line_kw : dict, default=None
            Passed to matplotlib's `plot` for every curve.

        Returns
        -------
        display : LossCurveDisplay
            This display.

        Raises
        ------
        ValueError
            If nothing was recorded of what is asked for.
        """
        self._check_recorded(score, ("score", "val_score"), "score", "X_val and y_val")
        self._check_recorded(
            learning_rate, ("learning_rate",), "learning_rate", "an estimator of sklearn_nn"
        )
        width = 6.4 + 0.9 * (score + learning_rate)
        ax = axes_or_new(ax, "LossCurveDisplay.plot", (width, 4.2))
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_ = self._draw(ax, ("loss", "val_loss"), line_kw)
        ax.set_xlabel("Epoch")
        ax.set_ylabel("Loss")
        ax.xaxis.get_major_locator().set_params(integer=True)
        if log_scale:
            ax.set_yscale("log")
        self.best_line_ = self._mark_best(ax)
        self.score_ax_ = self.learning_rate_ax_ = None
        if score:
            self.score_ax_ = self._beside(("score", "val_score"), "Score (dashed)", line_kw)
        if learning_rate:
            self.learning_rate_ax_ = self._beside(
                ("learning_rate",), "Learning rate (dotted)", line_kw, away=58 if score else 0
            )
            self.learning_rate_ax_.set_ylim(bottom=0)
        self._tell_curves()
        return self

    def _check_recorded(self, asked, names, parameter, remedy):
        if asked and not any(name in self.history for name in names):
            raise ValueError(f"{parameter}=True, but none was recorded; fit with {remedy}.")

    def _draw(self, ax, names, line_kw):
        lines = []
        for name in names:
            if name not in self.history:
                continue
            values = np.asarray(self.history[name], dtype=float)
            label, color, style = CURVES[name]
            # A single epoch would be a line without length.
            options = {"marker": "o" if values.size == 1 else None, "label": label}
            options |= {"color": color, "linestyle": style, **(line_kw or {})}
            lines += ax.plot(np.arange(1, values.size + 1), values, **options)
        return lines

    def _mark_best(self, ax):
        best = self.best_iteration
        if best is None:
            return None
        label = f"Best epoch ({best:,})"
        return ax.axvline(best, color=MARK, linestyle="-.", linewidth=1, label=label, zorder=1)

    def _beside(self, names, label, line_kw, away=0):
        """Axes to the right of the losses, `away` points from them."""
        ax = self.ax_.twinx()
        ax.spines["right"].set_position(("outward", away))
        ax.set_ylabel(label)
        self.lines_ += self._draw(ax, names, line_kw)
        return ax

    def _tell_curves(self):
        """One legend for all axes: above them where curves may be anywhere below."""
        handles = self.lines_ + ([] if self.best_line_ is None else [self.best_line_])
        if self.score_ax_ is None and self.learning_rate_ax_ is None:
            self.ax_.legend(handles=handles)
        else:
            width = self.ax_.get_window_extent().width / self.figure_.dpi  # in inches
            place = {"loc": "lower center", "bbox_to_anchor": (0.5, 1.0)}
            self.ax_.legend(handles=handles, frameon=False, ncols=3 if width > 4.5 else 2, **place)


def _recorded(network):
    """`history_`, or what scikit-learn's attributes tell of it."""
    history = getattr(network, "history_", None)
    if history is None:
        history = {name: getattr(network, of, None) for name, of in ATTRIBUTES.items()}
    return {name: curve for name, curve in history.items() if _has_numbers(curve)}


def _has_numbers(curve):
    return curve is not None and bool(np.isfinite(np.asarray(curve, dtype=float)).any())


def _best_iteration(network, history):
    """The best epoch by the validation set, where nothing else is said."""
    best = getattr(network, "best_iteration_", None)
    if best is not None:
        return best
    for name, argbest in (("val_score", np.nanargmax), ("val_loss", np.nanargmin)):
        if name in history:
            return int(argbest(np.asarray(history[name], dtype=float))) + 1
    return None
