"""The fitted network within an estimator, and samples as the network reads them."""

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
    """Return the fitted network within an estimator, and X transformed by the steps before it."""
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
    """Flat rows with channels last, in the dtype of a network; `shape` is that of X as passed."""

    network: object
    rows: np.ndarray
    shape: tuple

    @property
    def n_jobs(self):
        """Return the number of threads."""
        return resolve_n_jobs(self.network.n_jobs)

    def outputs(self, layer=None):
        """Return the network's output for the rows, after the link, or the output of a layer."""
        fitted = network_of(self.network)
        return fitted.run(source(self.rows, fitted.dtype), layer, self.n_jobs)

    def scores(self):
        """Return the probability of each class, or a regressor's outputs, a row per sample."""
        output = self.outputs()
        if is_two_sided(self.network):
            return np.hstack([1 - output, output])[:, : len(self.network.classes_)]
        codec = self.network._codec
        return codec.decode(output).reshape(output.shape) if codec.is_numeric else output

    def as_given(self, values):
        """Return values of the shape of `rows` in the shape and order of axes of X."""
        if len(self.shape) < 3:
            return values.reshape(values.shape[0], -1)
        if data_format_of(self.network) != CHANNELS_FIRST:
            return values.reshape(self.shape)
        n, channels, *places = self.shape
        return np.ascontiguousarray(np.moveaxis(values.reshape(n, *places, channels), -1, 1))

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


def check_network(network, caller):
    """Raise TypeError, which names the caller, unless a network is one of sklearn_nn."""
    if not isinstance(network, BaseNetwork):
        raise TypeError(
            f"{caller} needs a network of sklearn_nn, not {type(network).__name__}; pass one, "
            "or a pipeline that ends in one."
        )


def samples(estimator, X, caller):
    """Check X; return it as `Samples` of the network in an estimator. Errors name the caller."""
    network, X = network_and_input(estimator, X)
    check_network(network, caller)
    shape = np.shape(X) if not sparse.issparse(X) else X.shape
    dtype = network_of(network).dtype
    blocks = [dense_rows(data, dtype) for data in sources_of(network, X)]
    return Samples(network, blocks[0] if len(blocks) == 1 else np.concatenate(blocks), shape)


def chosen_outputs(network, target, scores):
    """Return the index of the class or output column that `target` chooses for each sample.

    `target` is a class label (of a classifier) or an output column (of a regressor), one for all
    samples or one for each; None is the most probable class, or the only output. `scores` are
    those of `Samples.scores`. Raise ValueError if a class or column does not exist, or `target`
    does not match the samples.
    """
    if target is None:
        if not is_classifier(network) and scores.shape[1] > 1:
            raise ValueError(
                f"{type(network).__name__} has {scores.shape[1]} outputs; choose one by passing "
                "its column as target."
            )
        return scores.argmax(axis=1)
    n = len(scores)
    wanted = np.full(n, target) if np.ndim(target) == 0 else np.asarray(target)
    if wanted.shape != (n,):
        raise ValueError(f"target has shape {wanted.shape} for {n} samples; pass one for each.")
    if is_classifier(network):
        known, what = network.classes_.tolist(), "classes"
    else:
        known, what = list(range(network.n_outputs_)), "output columns"
    places = {value: place for place, value in enumerate(known)}
    wanted = wanted.tolist()
    if unknown := [value for value in wanted if value not in places]:
        raise ValueError(f"target={unknown[0]!r} is not among the {what}, which are {known}.")
    return np.array([places[value] for value in wanted], dtype=np.intp)


def is_two_sided(network):
    """Return whether a single output represents two classes."""
    return is_classifier(network) and network.n_outputs_ == 1
