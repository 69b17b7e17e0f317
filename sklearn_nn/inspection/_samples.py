"""Samples as the network within an estimator reads them, and the output that is asked about."""

from numbers import Integral
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.weights import network_of, sources_of
from sklearn_nn.inspection._fitted import network_and_input
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import dense_rows, source


class Samples(NamedTuple):
    """Samples on their way into a network.

    Attributes
    ----------
    network : estimator
        The fitted network.
    rows : ndarray of shape (n_samples, n_features)
        The samples as flat rows with channels last, in the type that the network computes in.
    shape : tuple of int
        Shape of X as it came to the network.
    """

    network: object
    rows: np.ndarray
    shape: tuple

    @property
    def n_jobs(self):
        """Threads to work in."""
        n_jobs = self.network.n_jobs
        return 1 if n_jobs is None else resolve_n_jobs(n_jobs)

    def outputs(self, layer=None):
        """What the network puts out for the rows, after the link; or one of its layers."""
        fitted = network_of(self.network)
        return fitted.run(source(self.rows, fitted.dtype), layer, self.n_jobs)

    def as_given(self, values):
        """Numbers for `rows` in the shape and with the order of axes of X."""
        if len(self.shape) < 3:
            return values.reshape(values.shape[0], -1)
        if self.network.data_format != CHANNELS_FIRST:
            return values.reshape(self.shape)
        n, channels, *places = self.shape
        return np.ascontiguousarray(np.moveaxis(values.reshape(n, *places, channels), -1, 1))

    def rows_of(self, values):
        """The inverse of `as_given`: flat rows, channels last."""
        if len(self.shape) > 2 and self.network.data_format == CHANNELS_FIRST:
            values = np.moveaxis(values, 1, -1)
        return values.reshape(len(values), -1)

    def sample_shape(self, input_shape=None):
        """Shape of a sample, channels last; raises a ValueError if `input_shape` does not fit."""
        width = self.rows.shape[1]
        if input_shape is None:
            return getattr(self.network, "input_shape_", (width,))
        shape = tuple(int(length) for length in np.ravel(input_shape))
        if min(shape, default=0) < 1 or np.prod(shape) != width:
            raise ValueError(
                f"input_shape={input_shape} does not fit samples of {width} values; pass a shape "
                "whose product is that number."
            )
        return shape


def samples(estimator, X, caller):
    """X, checked, as the network within `estimator` reads it.

    Raises
    ------
    NotFittedError
        If the network is not fitted.
    TypeError
        If there is no network of sklearn_nn.
    ValueError
        If X is not valid.
    """
    network, X = network_and_input(estimator, X)
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            f"{caller} looks into networks of sklearn_nn, not {type(network).__name__}; pass one, "
            "or a pipeline that ends in one."
        )
    shape = np.shape(X) if not sparse.issparse(X) else X.shape
    dtype = network_of(network).dtype
    blocks = [dense_rows(data, dtype) for data in sources_of(network, X)]
    return Samples(network, blocks[0] if len(blocks) == 1 else np.concatenate(blocks), shape)


def chosen_outputs(network, target, output):
    """For each sample the class (by its place in `classes_`) or output column that is meant.

    Parameters
    ----------
    network : estimator
        A fitted network.
    target : label, int, array-like of shape (n_samples,) or None
        Class labels of a classifier, output columns of a regressor. None is the likeliest class,
        or the only output.
    output : ndarray of shape (n_samples, n_outputs)
        What the network puts out for the samples, after the link.

    Raises
    ------
    ValueError
        If there is no such class or output, or `target` is as long as something else.
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
    """What is meant where nothing is said."""
    if is_classifier(network):
        if output.shape[1] > 1:
            return output.argmax(axis=1)
        return np.minimum(output[:, 0] > 0.5, len(network.classes_) - 1).astype(np.intp)
    if output.shape[1] > 1:
        raise ValueError(
            f"{type(network).__name__} has {output.shape[1]} outputs; say with target, an output "
            "column, which is meant."
        )
    return np.zeros(len(output), dtype=np.intp)


def is_two_sided(network):
    """Whether one output stands for two classes."""
    return is_classifier(network) and network.n_outputs_ == 1


def chosen_values(network, chosen, output):
    """The probability of each sample's chosen class; the chosen output of a regressor."""
    if is_two_sided(network):
        return np.where(chosen == 1, output[:, 0], 1 - output[:, 0])
    return output[np.arange(len(output)), chosen]


def named_targets(network, chosen):
    """What `chosen_outputs` says, as a user would: class labels, or output columns."""
    return network.classes_[chosen] if is_classifier(network) else chosen


def per_axis(name, value, n_axes):
    """A whole number for each axis, from one for all or one for each.

    Raises
    ------
    ValueError
        If it is neither.
    """
    numbers = [value] * n_axes if isinstance(value, Integral) else list(np.ravel(value).tolist())
    whole = all(isinstance(n, Integral) and not isinstance(n, bool) and n >= 1 for n in numbers)
    if len(numbers) != n_axes or not whole:
        wanted = f"{n_axes} of them" if n_axes > 1 else "a list with one"
        raise ValueError(f"{name}={value!r} must be a whole number of at least 1, or {wanted}.")
    return [int(number) for number in numbers]
