"""The fitted network within an estimator, and samples as the network reads them."""

import math
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from sklearn_nn.estimators._core.base import BaseNetwork
from sklearn_nn.estimators._core.fitted_network import data_format_of, network_of, sources_of
from sklearn_nn.estimators._inputs.sequences import samples_of
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import dense_rows, sequences, source


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
    """Flat rows with channels last, in the dtype of a network.

    `shape` is that of X as passed; of a list, the number of samples and the shape of the first. If
    sequences differ in length or in what the network was fitted on, `lengths` are their numbers of
    time steps, of which the rows hold as many as the longest, and the network reads `width` values.
    """

    network: object
    rows: np.ndarray
    shape: tuple
    lengths: np.ndarray | None = None
    width: int | None = None

    @property
    def n_jobs(self):
        """Return the number of threads."""
        return resolve_n_jobs(self.network.n_jobs)

    def outputs(self, layer=None):
        """Return the network's output for the rows, after the link, or the output of a layer."""
        return network_of(self.network).run(self.source(), layer, self.n_jobs)

    def source(self):
        """Return the source of the rows."""
        dtype = network_of(self.network).dtype
        if self.lengths is None:
            return source(self.rows, dtype)
        channels, (n, width) = self._channels, self.rows.shape
        window = self.width // channels
        return sequences(
            self.rows.reshape(-1), np.arange(n) * width, self.lengths, channels, dtype, window
        )

    @property
    def _channels(self):
        return network_of(self.network).plan.channels

    def scores(self):
        """Return the probability of each class, or a regressor's outputs, a row per sample."""
        output = self.outputs()
        if is_two_sided(self.network):
            return np.hstack([1 - output, output])[:, : len(self.network.classes_)]
        codec = self.network._codec
        return codec.decode(output).reshape(len(output), -1) if codec.is_numeric else output

    def as_given(self, values):
        """Return values of the shape of `rows` in the shape and order of axes of X.

        Those of sequences of unequal length are a list of arrays.
        """
        if self.lengths is not None:
            return self._as_sequences(values)
        if len(self.shape) < 3:
            return values.reshape(values.shape[0], -1)
        if data_format_of(self.network) != CHANNELS_FIRST:
            return values.reshape(self.shape)
        n, channels, *places = self.shape
        return np.ascontiguousarray(np.moveaxis(values.reshape(n, *places, channels), -1, 1))

    def _as_sequences(self, values):
        """Return the values of existing time steps as one array, or a list if lengths differ."""
        values = values.reshape(len(self.rows), -1, self._channels)
        own = [value[:length] for value, length in zip(values, self.lengths, strict=True)]
        if len(self.shape) < 3:
            own = [value.ravel() for value in own]
        elif data_format_of(self.network) == CHANNELS_FIRST:
            own = [np.ascontiguousarray(value.T) for value in own]
        return np.stack(own) if len(set(self.lengths.tolist())) == 1 else own

    def with_gaps(self, values):
        """Return values (n_samples, n_steps, ...) with NaN after the end of each sequence."""
        if self.lengths is None or self.lengths.min() == values.shape[1]:
            return values
        values = values.copy()
        values[np.arange(values.shape[1]) >= self.lengths[:, np.newaxis]] = np.nan
        return values

    def sample_shape(self, input_shape=None):
        """Return the shape of a sample, channels last, or a valid `input_shape` in its place."""
        width = self.rows.shape[1]
        if input_shape is None:
            shape = getattr(self.network, "input_shape_", (width,))
            return shape if math.prod(shape) == width else (width // shape[-1], shape[-1])
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
    items, fitted = samples_of(X), network_of(network)
    if len(items):
        shape = (len(items), *np.shape(items[0]))
    else:
        shape = X.shape if sparse.issparse(X) else np.shape(X)
    sources = list(sources_of(network, X))
    blocks = [dense_rows(data, fitted.dtype) for data in sources]
    rows = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
    lengths = sources[0].lengths  # sequences come in one block
    if lengths is None:
        return Samples(network, rows, shape)
    longest = int(lengths.max()) * fitted.plan.channels
    return Samples(network, np.ascontiguousarray(rows[:, :longest]), shape, lengths, rows.shape[1])


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
