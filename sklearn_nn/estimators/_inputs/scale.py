"""Mean and standard deviation of each channel of the samples, by which X is standardized."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._core.parts import is_bytes
from sklearn_nn.estimators._inputs.sequences import Sequences
from sklearn_nn.layers.dropout import Dropout
from sklearn_nn.layers.standardize import INPUT_SCALE, Standardize

#: Bytes of X, as float64, that are read at a time.
_BLOCK_BYTES = 8 * 2**20
#: Values that are examined to decide on scaling, and limits of the number of samples.
_LOOKED_AT, _LEAST_SAMPLES, _MOST_SAMPLES = 2**18, 16, 4096
#: Beyond these limits, values are plainly not of unit size: of the root mean square and of the
#: standard deviation of a channel, and of the mean in standard deviations.
_LARGEST, _SMALLEST, _FARTHEST = 10.0, 0.1, 4.0


@dataclass(eq=False)
class Moments:
    """Number, means, sums of squared differences from them, and ranges of values by channel.

    Blocks are combined as in Chan, Golub & LeVeque (1983), which avoids cancellation.
    """

    n: int
    mean: np.ndarray
    squares: np.ndarray
    least: np.ndarray
    most: np.ndarray

    @classmethod
    def of(cls, n_channels):
        """Return the moments of no values."""
        nothing, never = np.zeros(n_channels), np.full(n_channels, np.inf)
        return cls(0, nothing, nothing, never, -never)

    def add(self, values):
        """Add values of shape (n, n_channels)."""
        if not len(values):
            return
        total = self.n + len(values)
        with np.errstate(over="ignore", invalid="ignore"):
            mean = values.mean(axis=0)
            step, share = mean - self.mean, len(values) / total
            squares = ((values - mean) ** 2).sum(axis=0) + step**2 * self.n * share
            self.mean, self.squares = self.mean + step * share, self.squares + squares
        self.n = total
        self.least = np.minimum(self.least, values.min(axis=0))
        self.most = np.maximum(self.most, values.max(axis=0))

    @property
    def deviation(self):
        """Standard deviation of each channel."""
        return np.sqrt(self.squares / max(self.n, 1))

    @property
    def scale(self):
        """Mean and standard deviation (2, n_channels); the latter is 1 for constant channels."""
        varies = self.varies & (self.deviation > 0)
        return np.array(
            [np.where(varies, self.mean, self.least), np.where(varies, self.deviation, 1.0)]
        )

    @property
    def varies(self):
        """True for channels whose values differ."""
        return self.least < self.most

    @property
    def are_far_from_unit(self):
        """True if a channel is large, or all channels are small or far from 0.

        Small is a standard deviation below 0.1, large a root mean square above 10, and far a mean
        of more than 4 standard deviations. Constant channels do not count.
        """
        mean, deviation = np.abs(self.mean[self.varies]), self.deviation[self.varies]
        is_large = np.hypot(mean, deviation) > _LARGEST
        is_odd = (deviation < _SMALLEST) | (mean > _FARTHEST * deviation)
        return bool(is_large.any() or (is_odd.size and is_odd.all()))


def _blocks(samples, n_channels, divisor, rows=None):
    """Yield values of shape (n, n_channels), of all samples or of some rows, a block at a time."""
    n = samples.shape[0] if rows is None else len(rows)
    step = max(1, _BLOCK_BYTES // (8 * max(1, math.prod(samples.shape[1:]))))
    for first in range(0, n, step):
        part = slice(first, min(first + step, n))
        yield _values(samples, part if rows is None else rows[part], divisor).reshape(
            -1, n_channels
        )


def _values(samples, chosen, divisor):
    """Return the values of some samples as float64, channels last.

    They are in C order, whatever the order of the samples is: NumPy's sums depend on it.
    """
    if isinstance(samples, Sequences):
        starts, lengths = samples.starts[chosen], samples.lengths[chosen]
        part = Sequences(samples.values, starts, lengths, samples.channels)
        return part.own_values().astype(np.float64, copy=False)
    block = samples[chosen]
    block = block.toarray() if sparse.issparse(block) else np.asarray(block)
    block = np.moveaxis(block, 1, 2) if block.ndim == 3 else block
    if is_bytes(samples) and divisor != 1:  # as the network reads them
        block = block.astype(np.float32) / np.float32(divisor)
    return block.astype(np.float64, order="C")


def moments_of(samples, n_channels, divisor=1, rows=None, before=None):
    """Return the moments of checked samples: rows, planes, sparse rows, or `Sequences`.

    Bytes are divided by `divisor`. With `rows`, only these samples are read. With `before`, the
    samples are added to these moments.
    """
    samples = samples.tocsr() if sparse.issparse(samples) else samples
    found = Moments.of(n_channels) if before is None else copy.copy(before)
    for values in _blocks(samples, n_channels, divisor, rows):
        found.add(values)
    return found


def is_far_from_unit(samples, n_channels, divisor=1):
    """Return whether the samples, some of which are read, are plainly not of unit size."""
    rows = some_rows(samples.shape)
    return moments_of(samples, n_channels, divisor, rows=rows).are_far_from_unit


def some_rows(shape):
    """Return the numbers of at most some thousand rows of an array, at equal distances."""
    n, width = shape[0], math.prod(shape[1:])
    count = min(n, _MOST_SAMPLES, max(_LEAST_SAMPLES, _LOOKED_AT // max(1, width)))
    return np.linspace(0, n - 1, count).astype(np.int64)


def scale_of(arrays, n_channels):
    """Return the scale in the arrays of a network, by layer; None if it has none of this size."""
    found = arrays.get(INPUT_SCALE)
    if found is None or found["mean"].shape != (n_channels,):
        return None
    return np.array([found["mean"], found["deviation"]], dtype=np.float64)


def with_scale(layers, scale):
    """Return (name, layer) pairs with a layer that standardizes the input by `scale`, if any.

    It follows augmentation and noise, which are in the units of X.
    """
    layers = [(name, layer) for name, layer in layers if name != INPUT_SCALE]
    if scale is not None:
        place = 0
        while layers[place][1].is_random and not isinstance(layers[place][1], Dropout):
            place += 1
        layers.insert(place, (INPUT_SCALE, Standardize(*scale)))
    return layers
