"""Misclassified images with the highest predicted probabilities."""

import numpy as np

from sklearn_nn.estimators._core.fitted_network import data_format_of
from sklearn_nn.estimators._inputs.sequences import from_list, is_listed
from sklearn_nn.inspection._fitted import checked_shape, fitted_network
from sklearn_nn.inspection._plotting import Display, bare, draw_sample, drawable, limits_of
from sklearn_nn.layers.shape import CHANNELS_FIRST


class MisclassifiedDisplay(Display):
    """Display of misclassified samples, those with the highest probability first.

    They show whether labels are wrong, classes overlap, or the network misses a feature.

    Parameters
    ----------
    X : ndarray of shape (n_drawn, height, width, channels) or (n_drawn, steps, channels)
        The samples.
    y_true : array-like of shape (n_drawn,)
        Their labels.
    y_pred : array-like of shape (n_drawn,)
        The predicted labels.
    probability : array-like of shape (n_drawn,)
        Probability of the predicted labels.
    indices : array-like of shape (n_drawn,), default=None
        Positions of the samples in the data set.
    n_wrong, n_samples : int, default=None
        Number of misclassified samples, drawn or not, and of all samples.

    Attributes
    ----------
    axes_ : ndarray of matplotlib Axes, of shape (n_drawn,)
        Axes of each sample; a single one if there is no sample to draw.
    figure_ : matplotlib Figure

    See Also
    --------
    sklearn.metrics.ConfusionMatrixDisplay : Counts of each confusion of two classes.
    SaliencyDisplay : The pixels that support a class.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import MLPClassifier
    >>> from sklearn_nn.inspection import MisclassifiedDisplay
    >>> X, y = load_digits(return_X_y=True)
    >>> model = MLPClassifier(16, early_stopping=True, random_state=0).fit(X[:500] / 16, y[:500])
    >>> display = MisclassifiedDisplay.from_estimator(
    ...     model, X[500:] / 16, y[500:], n_images=4, input_shape=(8, 8, 1)
    ... )
    >>> len(display.y_true), int((display.y_true == display.y_pred).sum())
    (4, 0)
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
        cls, estimator, X, y, *, n_images=12, input_shape=None, columns=6, axes=None, figure=None
    ):
        """Plot the samples that a fitted classifier misclassifies with the highest probability.

        Parameters
        ----------
        estimator : estimator
            A fitted classifier with `predict_proba`; it need not be a network.
        X : array-like of shape (n_samples, n_features) or (n_samples, ...)
            Samples as the estimator takes them, preferably not used in training. They are drawn as
            passed, before the steps of a pipeline.
        y : array-like of shape (n_samples,)
            Their labels.
        n_images : int, default=12
            Largest number of samples to draw.
        input_shape : tuple of int, default=None
            Shape of a sample, (height, width, channels) or (steps, channels), if X has flat rows.
            None is the input shape of the network.
        columns : int, default=6
            Largest number of pictures in a row.
        axes : sequence of matplotlib Axes, default=None
            One for each sample drawn.
        figure : matplotlib Figure or SubFigure, default=None
            Figure to draw a grid in. None makes a new one unless `axes` are passed.

        Returns
        -------
        display : MisclassifiedDisplay

        Raises
        ------
        NotFittedError, TypeError
            If the estimator is not fitted, or does not predict probabilities.
        ValueError
            If y does not have one label per sample or holds a class that was not fitted, or samples
            are neither images nor signals.
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
                f"y has shape {labels.shape} for {len(images)} samples; pass one label per sample."
            )
        _check_known_classes(labels, estimator.classes_)
        probabilities = estimator.predict_proba(X)
        # With a tuned threshold the prediction is not the most probable class.
        predicted = np.asarray(estimator.predict(X))
        places = np.searchsorted(estimator.classes_, predicted)
        sure = probabilities[np.arange(len(labels)), places]
        wrong = np.flatnonzero(predicted != labels)
        shown = wrong[np.argsort(-sure[wrong], kind="stable")][:n_images]
        drawn = (values[shown] for values in (images, labels, predicted, sure))
        display = cls(*drawn, indices=shown, n_wrong=len(wrong), n_samples=len(labels))
        return display.plot(columns=columns, axes=axes, figure=figure)

    def plot(self, *, columns=6, axes=None, figure=None):
        """Draw the samples.

        Parameters
        ----------
        columns, axes, figure : optional
            See `from_estimator`, also for the errors.

        Returns
        -------
        display : MisclassifiedDisplay
        """
        X = np.asarray(self.X)
        known = self.n_wrong is not None and self.n_samples is not None
        title = f"{self.n_wrong} of {self.n_samples} wrong" if known else None
        n, cell = max(1, len(X)), (1.4, 1.75) if X.ndim == 4 else (2.2, 1.7)
        self._use_grid(n, columns, axes, figure, cell, title=title)
        if not len(X):
            self.axes_[0].set_axis_off()
            self.axes_[0].text(0.5, 0.5, "nothing to show", ha="center", va="center")
            return self
        limits = limits_of(X)
        labels = zip(self.y_true, self.y_pred, self.probability, strict=True)
        for ax, sample, (true, said, sure) in zip(self.axes_, X, labels, strict=True):
            draw_sample(ax, sample, limits)
            bare(ax, f"true {true}\nsaid {said} ({sure:.0%})")
        return self


def _check_known_classes(labels, classes):
    """Raise ValueError if no label is a fitted class, as if these were of another type.

    Labels beside known ones may be unknown, as of a class that was not in the training data.
    """
    known = set(classes.tolist())
    if len(labels) and not any(label in known for label in labels.tolist()):
        raise ValueError(
            f"y holds {labels.tolist()[0]!r}, but the fitted classes are {classes.tolist()[:10]}; "
            "pass labels as in fit."
        )


def _padded(sequences):
    """Return `Sequences` as an array (n, n_steps, n_channels), with NaN after the end of each."""
    steps, channels = sequences.sample_shape
    array = np.full((len(sequences), steps, channels), np.nan)
    own = np.arange(steps) < sequences.lengths[:, np.newaxis]
    array[own] = sequences.own_values().reshape(-1, channels)
    return array


def _as_images(X, network, input_shape):
    """Return X with an axis of samples and those of an image or signal, channels last."""
    data_format = data_format_of(network)
    if is_listed(X):
        return _padded(from_list(X, data_format))
    array = np.asarray(X)
    if array.ndim > 2 and data_format == CHANNELS_FIRST:
        array = np.moveaxis(array, 1, -1)
    shape, width = array.shape[1:], np.prod(array.shape[1:])
    if input_shape is None:
        # Two axes may be an image or a signal, which the network's shape tells.
        known = getattr(network, "input_shape_", None)
        input_shape = known if known is not None and np.prod(known) == width else shape
    drawable("MisclassifiedDisplay", np.ravel(input_shape).tolist())
    return array.reshape(len(array), *checked_shape(input_shape, width))
