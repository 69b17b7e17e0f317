"""The images that a classifier is most surely wrong about."""

import numpy as np

from sklearn_nn.inspection._fitted import fitted_network
from sklearn_nn.inspection._pictures import (
    bare,
    draw_sample,
    drawable,
    limits_of,
    picture_axes,
)
from sklearn_nn.layers.shape import CHANNELS_FIRST


class MisclassifiedDisplay:
    """Samples that a classifier is wrong about, those first that it is surest of.

    They show whether labels are wrong, classes run into one another, or the network has missed
    something.

    Parameters
    ----------
    X : ndarray of shape (n_drawn, height, width, channels) or (n_drawn, steps, channels)
        The samples.
    y_true : array-like of shape (n_drawn,)
        Their labels.
    y_pred : array-like of shape (n_drawn,)
        What was predicted.
    probability : array-like of shape (n_drawn,)
        Probability of what was predicted.
    indices : array-like of shape (n_drawn,), default=None
        Which samples of the whole they are.
    n_wrong : int, default=None
        How many are wrong, drawn or not.
    n_samples : int, default=None
        How many samples there were.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_drawn,)
        One for each sample; a single one where there is nothing to draw.
    figure_ : matplotlib Figure
        The figure.

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : How often which class is taken for which.
    SaliencyDisplay : What speaks for a class.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import MisclassifiedDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(16, max_iter=20, random_state=0)
    >>> model = model.fit(X[:500] / 16, y[:500])
    >>> display = MisclassifiedDisplay.from_estimator(
    ...     model, X[500:] / 16, y[500:], n_images=4, input_shape=(8, 8, 1)
    ... )
    >>> bool((display.y_true != display.y_pred).all())
    True
    """

    def __init__(self, X, y_true, y_pred, probability, indices=None, n_wrong=None, n_samples=None):
        self.X = X
        self.y_true = y_true
        self.y_pred = y_pred
        self.probability = probability
        self.indices = indices
        self.n_wrong = n_wrong
        self.n_samples = n_samples

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X,
        y,
        *,
        n_images=12,
        input_shape=None,
        columns=6,
        axes=None,
        figure=None,
    ):
        """Plot what a fitted classifier is most surely wrong about.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier with `predict_proba`: a network, a pipeline or search that holds
            one, or another.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples as the estimator takes them, best such as it was not trained on. They are drawn
            as they are passed: before the steps of a pipeline.
        y : array-like of shape (n_samples,)
            Their labels.
        n_images : int, default=12
            How many are drawn at most.
        input_shape : tuple of int, default=None
            Shape of a sample, (height, width, channels) or (steps, channels), where X has flat
            rows. None is that of the network.
        columns : int, default=6
            How many stand beside one another.
        axes : sequence of matplotlib Axes, default=None
            One for each sample drawn.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

        Returns
        -------
        display : MisclassifiedDisplay
            The display, drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted.
        TypeError
            If it does not predict probabilities.
        ValueError
            If there are several labels a sample, X and y differ in length, or samples are neither
            images nor signals.
        """
        network = fitted_network(estimator)
        if not hasattr(estimator, "predict_proba"):
            raise TypeError(
                "MisclassifiedDisplay needs a classifier with predict_proba, not "
                f"{type(estimator).__name__}."
            )
        labels = np.asarray(y)
        images = _as_images(X, network, input_shape)
        if labels.ndim != 1 or len(labels) != len(images):
            raise ValueError(
                f"y has shape {labels.shape} for {len(images)} samples; pass one label a sample."
            )
        probabilities = estimator.predict_proba(X)
        # The likeliest class is what is predicted, unless a threshold was tuned.
        predicted = np.asarray(estimator.predict(X))
        places = np.searchsorted(estimator.classes_, predicted)
        sure = probabilities[np.arange(len(labels)), places]
        wrong = np.flatnonzero(predicted != labels)
        shown = wrong[np.argsort(-sure[wrong], kind="stable")][:n_images]
        display = cls(
            images[shown],
            labels[shown],
            predicted[shown],
            sure[shown],
            indices=shown,
            n_wrong=len(wrong),
            n_samples=len(labels),
        )
        return display.plot(columns=columns, axes=axes, figure=figure)

    def plot(self, *, columns=6, axes=None, figure=None):
        """Draw the samples.

        Parameters
        ----------
        columns : int, default=6
            How many stand beside one another.
        axes : sequence of matplotlib Axes, default=None
            One for each sample drawn.
        figure : matplotlib Figure or SubFigure, default=None
            What to draw a grid in; None makes a new figure, unless there are axes.

        Returns
        -------
        display : MisclassifiedDisplay
            This display.

        Raises
        ------
        ValueError
            If there are not as many axes as samples.
        """
        X = np.asarray(self.X)
        self.axes_ = picture_axes(
            "MisclassifiedDisplay.plot",
            max(1, len(X)),
            columns,
            axes=axes,
            figure=figure,
            cell=(1.4, 1.75) if X.ndim == 4 else (2.2, 1.7),
            title=self._title(),
        )
        self.figure_ = self.axes_[0].figure
        if not len(X):
            self.axes_[0].set_axis_off()
            self.axes_[0].text(0.5, 0.5, "nothing to show", ha="center", va="center")
            return self
        limits = limits_of(X)
        for ax, sample, true, said, sure in zip(
            self.axes_, X, self.y_true, self.y_pred, self.probability, strict=True
        ):
            draw_sample(ax, sample, limits)
            bare(ax, f"true {true}\nsaid {said} ({sure:.0%})")
        return self

    def _title(self):
        if self.n_wrong is None or self.n_samples is None:
            return None
        return f"{self.n_wrong} of {self.n_samples} wrong"


def _as_images(X, network, input_shape):
    """X as it is drawn: (n_samples, height, width, channels) or (n_samples, steps, channels)."""
    array = np.asarray(X)
    n, shape = len(array), array.shape[1:]
    if array.ndim > 2 and getattr(network, "data_format", None) == CHANNELS_FIRST:
        array = np.moveaxis(array, 1, -1)
        shape = array.shape[1:]
    if input_shape is None:
        # The network knows whether two axes are an image or a signal.
        known = getattr(network, "input_shape_", None)
        fits = known is not None and np.prod(known) == np.prod(shape)
        input_shape = known if fits else shape
    shape = tuple(int(length) for length in np.ravel(input_shape))
    drawable("MisclassifiedDisplay", shape)
    if np.prod(shape) != np.prod(array.shape[1:]):
        raise ValueError(
            f"input_shape={input_shape} does not fit samples of {np.prod(array.shape[1:])} values; "
            "pass a shape whose product is that number."
        )
    return array.reshape(n, *shape)
