"""The fitted network within an estimator, and samples as the network reads them."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.fitted_network import data_format_of, network_of, sources_of
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import dense_rows, source


def fitted_network(estimator):
    """Return the fitted network within pipelines, searches and transformed-target regressors."""
    return network_and_input(estimator)[0]


def network_and_input(estimator, X=None):
    """Return the network within an estimator, and X as transformed by the steps before it.

    Raise NotFittedError if the estimator is not fitted.
    """
    from sklearn.pipeline import Pipeline  # slow to import

    while True:
        if hasattr(estimator, "best_estimator_"):
            estimator = estimator.best_estimator_
        elif hasattr(estimator, "regressor_"):
            estimator = estimator.regressor_
        elif isinstance(estimator, Pipeline):
            if X is not None and len(estimator) > 1:
                X = estimator[:-1].transform(X)
            estimator = estimator[-1]
        else:
            check_is_fitted(estimator)
            return estimator, X


class Samples(NamedTuple):
    """Samples prepared for a network.

    Attributes
    ----------
    network : estimator
        The fitted network.
    rows : ndarray of shape (n_samples, n_features)
        The samples as flat rows with channels last, in the dtype of the network.
    shape : tuple of int
        Shape of X as passed to the network.
    """

    network: object
    rows: np.ndarray
    shape: tuple

    @property
    def n_jobs(self):
        """Return the number of threads."""
        n_jobs = self.network.n_jobs
        return 1 if n_jobs is None else resolve_n_jobs(n_jobs)

    def outputs(self, layer=None):
        """Return the network's output for the rows, after the link, or the output of a layer."""
        fitted = network_of(self.network)
        return fitted.run(source(self.rows, fitted.dtype), layer, self.n_jobs)

    def as_given(self, values):
        """Return values of the shape of `rows` in the shape and order of axes of X."""
        if len(self.shape) < 3:
            return values.reshape(values.shape[0], -1)
        if data_format_of(self.network) != CHANNELS_FIRST:
            return values.reshape(self.shape)
        n, channels, *places = self.shape
        return np.ascontiguousarray(np.moveaxis(values.reshape(n, *places, channels), -1, 1))

    def rows_of(self, values):
        """Return values of the shape of X as flat rows, channels last."""
        if len(self.shape) > 2 and data_format_of(self.network) == CHANNELS_FIRST:
            values = np.moveaxis(values, 1, -1)
        return values.reshape(len(values), -1)

    def sample_shape(self, input_shape=None):
        """Return the shape of a sample, channels last, or a valid `input_shape` in its place."""
        width = self.rows.shape[1]
        if input_shape is None:
            return getattr(self.network, "input_shape_", (width,))
        return checked_shape(input_shape, width)


def checked_shape(input_shape, width):
    """Return a shape as a tuple; raise ValueError unless its product is `width`."""
    shape = tuple(int(length) for length in np.ravel(input_shape))
    if min(shape, default=0) < 1 or np.prod(shape) != width:
        raise ValueError(
            f"input_shape={input_shape} does not fit samples of {width} values; pass a shape "
            "whose product is that number."
        )
    return shape


def samples(estimator, X, caller):
    """Return X, checked, as `Samples` of the network within an estimator.

    Raise NotFittedError, or TypeError if the estimator contains no network of sklearn_nn, or
    ValueError if X is invalid; `caller` is named in errors.
    """
    network, X = network_and_input(estimator, X)
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            f"{caller} needs a network of sklearn_nn, not {type(network).__name__}; pass one, "
            "or a pipeline that ends in one."
        )
    shape = np.shape(X) if not sparse.issparse(X) else X.shape
    dtype = network_of(network).dtype
    blocks = [dense_rows(data, dtype) for data in sources_of(network, X)]
    return Samples(network, blocks[0] if len(blocks) == 1 else np.concatenate(blocks), shape)


def chosen_outputs(network, target, output):
    """Return the index of the class or output column that `target` chooses for each sample.

    `target` is a class label (of a classifier) or an output column (of a regressor), one for all
    samples or one for each; None is the most probable class, or the only output. `output` of shape
    (n_samples, n_outputs) is the network's output after the link. Raise ValueError if a class or
    column does not exist, or `target` does not match the samples.
    """
    n = len(output)
    if target is None:
        return _likeliest(network, output)
    wanted = np.full(n, target) if np.ndim(target) == 0 else np.asarray(target)
    if wanted.shape != (n,):
        raise ValueError(
            f"target has shape {wanted.shape} for {n} samples; pass one value for all, or one for "
            "each."
        )
    if is_classifier(network):
        known, what = network.classes_.tolist(), "classes"
    else:
        known, what = list(range(network.n_outputs_)), "output columns"
    places = {value: place for place, value in enumerate(known)}
    unknown = [value for value in wanted.tolist() if value not in places]
    if unknown:
        raise ValueError(f"target={unknown[0]!r} is not among the {what}, which are {known}.")
    return np.array([places[value] for value in wanted.tolist()], dtype=np.intp)


def _likeliest(network, output):
    """Return the most probable class of each sample, or the only output column."""
    if is_classifier(network):
        if output.shape[1] > 1:
            return output.argmax(axis=1)
        return np.minimum(output[:, 0] > 0.5, len(network.classes_) - 1).astype(np.intp)
    if output.shape[1] > 1:
        raise ValueError(
            f"{type(network).__name__} has {output.shape[1]} outputs; choose one by passing its "
            "column as target."
        )
    return np.zeros(len(output), dtype=np.intp)


def is_two_sided(network):
    """Return whether a single output represents two classes."""
    return is_classifier(network) and network.n_outputs_ == 1


def chosen_values(network, chosen, output):
    """Return the probability of each sample's chosen class, or a regressor's chosen output."""
    if is_two_sided(network):
        return np.where(chosen == 1, output[:, 0], 1 - output[:, 0])
    return output[np.arange(len(output)), chosen]


def named_targets(network, chosen):
    """Return the class labels, or output columns, of indices from `chosen_outputs`."""
    return network.classes_[chosen] if is_classifier(network) else chosen


def per_axis(name, value, n_axes):
    """Return a positive integer for each axis, from one for all or one for each."""
    numbers = [value] * n_axes if isinstance(value, Integral) else list(np.ravel(value).tolist())
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) and n >= 1 for n in numbers)
    if len(numbers) != n_axes or not whole:
        wanted = f"{n_axes} of them" if n_axes > 1 else "a list with one"
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1, or {wanted}.")
    return [int(number) for number in numbers]
