"""Small networks for tests of pictures, and what was drawn."""

import warnings

import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn import CNNClassifier

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:300] / 16, DIGITS.target[:300]


def fitted_quietly(model, X, y):
    """Fit for a few epochs without the warning of MLPs that these are few."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def small_cnn(X=IMAGES, y=LABELS, **options):
    """Return a small convolutional network, fitted briefly."""
    defaults = {"filters": (4, 6), "hidden_layer_sizes": 16, "max_iter": 3, "random_state": 0}
    return CNNClassifier(**defaults | options).fit(X, y)


def drawn(ax):
    """Return the array of the one image on some axes."""
    (image,) = ax.images
    return np.asarray(image.get_array())


def titles(display):
    """Return the title of each picture."""
    return [ax.get_title() for ax in np.ravel(display.axes_)]
