"""Streams that are read once an epoch: their blocks, and what a first pass learns of all rows."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterable

import numpy as np
from scipy import sparse
from sklearn.base import is_classifier
from sklearn.utils import _safe_indexing, check_consistent_length
from sklearn.utils.validation import _check_sample_weight, _num_samples

from sklearn_nn.estimators._core.parts import FitMode
from sklearn_nn.estimators._core.validation import is_given
from sklearn_nn.estimators._inputs.batches import is_stream, unpack

#: Most rows of the sample that encodings and units are learnt from, and most bytes of X in it.
SAMPLE_ROWS, SAMPLE_BYTES = 2**17, 2**26
#: Fewest rows of the sample, however large they are.
_LEAST_ROWS = 256


def is_stream_of_epochs(X):
    """Return whether X is an iterable of blocks, or a function that returns one."""
    return is_stream(X) or (callable(X) and not hasattr(X, "shape"))


def check_streams(estimator, validation):
    """Raise ValueError if a parameter excludes streams."""
    if isinstance(estimator.solver, str) and estimator.solver == "lbfgs":
        raise ValueError(
            "solver='lbfgs' uses all samples at once, which a stream does not hold in memory; use "
            "another solver, such as 'adam'."
        )
    if estimator.early_stopping and not is_given(*validation):
        raise ValueError(
            f"early_stopping={estimator.early_stopping!r} cannot hold rows out of a stream, since "
            "they would have to stay in memory; pass a validation set, X_val and y_val, or set "
            "early_stopping=False."
        )
    if share := getattr(estimator, "conformal_fraction", 0):
        raise ValueError(
            f"conformal_fraction={share} cannot hold rows out of a stream; set it to 0, or pass X "
            "and y as arrays."
        )


def blocks_of(fit, epoch):
    """Yield the source and the targets of each block of a pass over the stream of a fit."""
    est, program = fit.estimator, fit.request.program
    reader, codec, network = est._reader, est._codec, est._network
    for number, (X, y, weight) in fit.stream.blocks(epoch):
        if fit.survey.is_weighted and weight is None:
            weight = np.ones(_num_samples(X))
        try:
            data = fit.encoded(reader, codec, program.dtype, X, y, weight)
            samples, target, weight = data
            source = reader.source(samples, program.dtype, network)
            if network.program_for(source) is not program:
                raise ValueError(
                    "its sequences are of another length than those of other blocks; pad all to "
                    "one length."
                )
        except ValueError as error:
            raise in_block(number, error) from error
        del X, y, samples, data
        yield source, codec.loss.targets(target, weight, program.dtype)
        del source, target, weight


class Stream:
    """Blocks (X, y, sample_weight or None) that can be read once an epoch.

    `source` is an iterable or a function without arguments that returns one. If it has a method
    `set_epoch`, this is told the number of epochs before each pass. With `drops_weightless`, rows
    of zero weight are left out.
    """

    def __init__(self, source, *, drops_weightless):
        if not callable(source) and iter(source) is source:
            raise ValueError(
                f"X is a {type(source).__name__}, which can be iterated only once, but fit reads "
                "a stream once an epoch; pass a function that makes a new iterator, such as the "
                "generator function itself without calling it, or use partial_fit for one pass."
            )
        self._source = source
        self._drops_weightless = drops_weightless

    def blocks(self, epoch):
        """Yield (number, (X, y, sample_weight or None)) of the blocks of a pass.

        Blocks without rows, or without a positive weight, are left out. Raise ValueError if a block
        is invalid, or if there is none.
        """
        if hasattr(self._source, "set_epoch"):
            self._source.set_epoch(epoch)
        source, is_empty = self._source() if callable(self._source) else self._source, True
        if not isinstance(source, Iterable):
            raise ValueError(
                f"X is a function that returned a {type(source).__name__}; make it return an "
                "iterable of blocks (X, y) or (X, y, sample_weight)."
            )
        number = -1
        for item in source:  # enumerate would hold a second block in memory
            number += 1
            block = self._checked(unpack(item, number, "Block"), number)
            del item
            if block is not None:
                is_empty = False
                yield number, block
            del block
        if is_empty:
            raise ValueError(
                f"The stream X yielded no rows in pass {epoch + 1}; make each iteration over it "
                "begin anew."
            )

    def _checked(self, block, number):
        """Return a block whose parts have equally many rows; None if no row counts."""
        X, y, weight = block
        try:
            X = X.tocsr() if sparse.issparse(X) else X
            n_rows = _num_samples(X)
            if y is not None:
                check_consistent_length(X, y)
            if weight is None:
                return block if n_rows else None
            if not n_rows or not np.any(weight):
                return None
            weight = _check_sample_weight(weight, X, ensure_non_negative=True)
        except ValueError as error:
            raise in_block(number, error) from error
        if self._drops_weightless and not (weight > 0).all():
            kept = np.flatnonzero(weight > 0)
            return _rows_of(X, kept), _rows_of(y, kept), weight[kept]
        return X, y, weight


def predicted_blocks(X, predict):
    """Yield the prediction for each block of a stream, which may be (X, y) or X alone."""
    number = -1
    for block in X() if callable(X) else X:
        number += 1
        block = block[0] if isinstance(block, tuple) else block
        try:
            found = predict(block)
        except ValueError as error:
            raise in_block(number, error) from error
        del block
        yield found


def in_block(number, error):
    """Return an error that names the block it was raised for."""
    return ValueError(f"Block {number} of the stream: {error}")


class Survey:
    """Figures of all rows of a stream, and a sample of them, from a pass over it.

    Attributes
    ----------
    n_rows : int
        Number of rows.
    sample : tuple
        X, y and sample_weight of a random sample of the rows, in their order: all of them if they
        are few. It has the first row of each class, or those of the smallest and largest target.
    is_complete : bool
        Whether the sample holds all rows.
    is_weighted : bool
        Whether a block has weights.
    """

    def __init__(self, stream, estimator, watch=None):
        rng = np.random.default_rng(copy.deepcopy(estimator._random_state).randint(2**31 - 1))
        self._sizes, self.is_weighted, self.n_rows = Counter(), False, 0
        #: Sum of weights of each class; None if targets are not labels of rows.
        self.counts = {} if is_classifier(estimator) else None
        #: Sum of weights, means, sums of squared differences and ranges of targets, or None.
        self._moments, self._has_moments = None, self.counts is None
        self._limit, self._pool = None, []
        for number, (X, y, weight) in stream.blocks(0):
            n = _num_samples(X)
            if watch is not None:
                try:
                    watch(X, weight)
                except ValueError as error:
                    raise in_block(number, error) from error
            self._sample(X, y, weight, n, rng)
            self._sizes[n] += 1
            self.n_rows += n
            del X, y, weight
        self._pruned()
        self._join()

    def n_batches(self, batch_size):
        """Return the number of batches of an epoch."""
        return sum(-(-size // batch_size) * times for size, times in self._sizes.items())

    # --- exact figures of targets --------------------------------------------------------------

    def complete(self, codec, mode):
        """Set the scale of a codec, learnt from the sample, to that of all targets."""
        is_new = mode is FitMode.FRESH and hasattr(codec, "learn_moments")
        if self.is_complete or not is_new or self._moments is None:
            return
        total, mean, squares, least, most = self._moments
        if mean.shape == (codec.n_outputs,):
            codec.learn_moments(mean, np.sqrt(squares / (total or 1.0)), least, most)

    def balance(self, codec, target, weight):
        """Return encoded targets and weights that are balanced as those of all rows are."""
        if self.is_complete or not self.counts:
            return target, weight
        weights = [self.counts.get(label, 0.0) for label in codec.classes.tolist()]
        return np.arange(len(weights)).reshape(-1, 1), np.array(weights)

    def _look_at_targets(self, y, weight, n):
        """Add the targets of a block, and return the rows that the sample must have."""
        if y is None or isinstance(y, list | tuple) or sparse.issparse(y):
            y = y if y is None or sparse.issparse(y) else _as_vector(y)
        values = None if y is None or sparse.issparse(y) else np.asarray(y)
        if values is not None and values.ndim == 2 and values.shape[1] == 1:
            values = values[:, 0]
        weight = np.ones(n) if weight is None else weight
        if self.counts is not None and values is not None and values.ndim == 1:
            return self._count(values, weight)
        is_number = values is not None and values.ndim < 3 and values.dtype.kind in "biuf"
        if not (self._has_moments and is_number):
            self._has_moments, self._moments = False, None
            return []
        values = values.astype(np.float64).reshape(n, -1)
        return self._add(values, weight)

    def _count(self, labels, weight):
        try:
            classes, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
        except TypeError:  # labels of several types, which the codec refuses
            return range(len(labels))
        new = [k for k, label in zip(first, classes.tolist(), strict=True)
               if label not in self.counts]  # fmt: skip
        sums = np.bincount(numbers.ravel(), weight, len(classes))
        for label, total in zip(classes.tolist(), sums.tolist(), strict=True):
            self.counts[label] = self.counts.get(label, 0.0) + total
        return new

    def _add(self, values, weight):
        """Combine moments as in Chan, Golub & LeVeque (1983); return rows of new extremes."""
        extremes = [*values.argmin(axis=0), *values.argmax(axis=0)]
        m = weight.sum()
        mean = weight @ values / m
        with np.errstate(all="ignore"):  # of infinite targets, which the codec refuses
            squares = weight @ (values - mean) ** 2
        least, most = values.min(axis=0), values.max(axis=0)
        if self._moments is None:
            self._moments = m, mean, squares, least, most
            return extremes
        n, own_mean, own_squares, own_least, own_most = self._moments
        step, share = mean - own_mean, m / (n + m)
        self._moments = (
            n + m, own_mean + step * share, own_squares + squares + step**2 * n * share,
            np.minimum(own_least, least), np.maximum(own_most, most),
        )  # fmt: skip
        is_new = np.concatenate([~(least >= own_least), ~(most <= own_most)])  # NaN as well
        return [k for k, new in zip(extremes, is_new, strict=True) if new]

    # --- sample --------------------------------------------------------------------------------

    def _sample(self, X, y, weight, n, rng):
        """Add rows of a block to the sample: those whose random keys are among the smallest."""
        if self._limit is None:
            of_row = max(1, _size_of(X) // n)
            self._limit = max(_LEAST_ROWS, min(SAMPLE_ROWS, SAMPLE_BYTES // of_row))
            self._bound = np.inf
        keys = rng.random(n)
        keys[list(self._look_at_targets(y, weight, n))] = -1.0  # always in the sample
        self.is_weighted = self.is_weighted or weight is not None
        weight = np.ones(n) if weight is None else weight
        chosen = np.flatnonzero(keys <= self._bound)
        if chosen.size:
            rows = [_rows_of(part, chosen) for part in (X, y, weight)]
            self._pool.append((keys[chosen], *rows))
        if sum(len(keys) for keys, *_ in self._pool) > 2 * self._limit:
            self._pruned()

    def _pruned(self):
        """Leave only the rows with the smallest keys."""
        keys = np.concatenate([part[0] for part in self._pool])
        if keys.size <= self._limit:
            return
        self._bound = np.partition(keys, self._limit - 1)[self._limit - 1]
        pool = []
        for keys, *parts in self._pool:
            kept = np.flatnonzero(keys <= self._bound)
            if kept.size:
                pool.append((keys[kept], *(_rows_of(part, kept) for part in parts)))
        self._pool = pool

    def _join(self):
        """Make the sample of the pool."""
        keys, X, y, weight = zip(*self._pool, strict=True)
        self._pool = []
        self.is_complete = sum(map(len, keys)) == self.n_rows
        try:
            X, y = joined(X), joined(y)
        except ValueError as error:
            raise ValueError(
                f"The blocks of the stream do not have the same columns: {error}"
            ) from error
        self.sample = X, y, np.concatenate(weight) if self.is_weighted else None


def _as_vector(y):
    """Return a list of targets as an array; lists of sequences have no such form."""
    try:
        return np.asarray(y)
    except ValueError:
        return None


def _size_of(X):
    """Return the number of bytes of rows, as far as their kind tells it."""
    if hasattr(X, "memory_usage"):
        used = X.memory_usage(deep=True)
        return int(used.sum() if hasattr(used, "sum") else used)
    if hasattr(X, "estimated_size"):
        return int(X.estimated_size())
    if sparse.issparse(X):
        return X.data.nbytes + X.indices.nbytes
    if isinstance(X, list | tuple):
        return sum(np.asarray(row).nbytes for row in X[:1]) * len(X)
    return int(getattr(X, "nbytes", 0))


def _rows_of(part, rows):
    return None if part is None else _safe_indexing(part, rows)


def joined(parts):
    """Return blocks of one kind, one after another."""
    first = parts[0]
    if first is None or len(parts) == 1:
        return first
    if sparse.issparse(first):
        return sparse.vstack(parts, "csr")
    if hasattr(first, "iloc"):
        import pandas as pd

        if any(list(getattr(p, "columns", ())) != list(getattr(first, "columns", ()))
               for p in parts):  # fmt: skip
            raise ValueError("their names differ")
        return pd.concat(parts)
    if hasattr(first, "estimated_size"):
        import polars as pl

        return pl.concat(parts)
    if isinstance(first, list | tuple):
        return [row for part in parts for row in part]
    return np.concatenate(parts)
