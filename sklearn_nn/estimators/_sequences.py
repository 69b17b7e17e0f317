"""Sequences of unequal length, as users pass them."""

from __future__ import annotations

import numpy as np

from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import sequences, source

#: What is wrong with values, by what looks for it.
_FAULTS = {"missing values (NaN)": np.isnan, "infinite values": np.isinf}


class Sequences:
    """Sequences one after another in one array.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        float64 or float32.
    starts, lengths : ndarray of shape (n_sequences,)
        Where in `values` each begins, and how many steps it has. Where all are as long as the
        longest, they follow one another from the first value on.
    channels : int
        Values of a step.
    window : int or None
        Steps that the network reads at a time.
    """

    def __init__(self, values, starts, lengths, channels):
        self.values, self.starts, self.lengths = values, starts, lengths
        self.channels = channels
        self.window = None

    def __len__(self):
        return len(self.lengths)

    @property
    def dtype(self):
        """Type of the values."""
        return self.values.dtype

    @property
    def sample_shape(self):
        """Steps of the longest, and channels."""
        return max(1, int(self.lengths.max(initial=1))), self.channels

    @property
    def shape(self):
        """As that of rows as long as the longest."""
        steps, channels = self.sample_shape
        return len(self), steps * channels

    @property
    def is_even(self):
        """Whether all are of one length."""
        return len(set(self.lengths.tolist())) == 1 and self.lengths[0] > 0

    def source(self, dtype):
        """In the form the machine gathers batches from."""
        if self.is_even and self.window is None:
            return source(self.values[: self.shape[0] * self.shape[1]].reshape(self.shape), dtype)
        return sequences(self.values, self.starts, self.lengths, self.channels, dtype, self.window)


def is_listed(X):
    """Whether X is a list, or an array of objects, of sequences that are arrays of their own.

    A list of lists of numbers is a table, if they are of one length.
    """
    if isinstance(X, np.ndarray):
        if X.dtype != object or X.ndim != 1:
            return False
    elif not isinstance(X, list | tuple):
        return False
    if len(X) == 0 or any(isinstance(item, str) or not hasattr(item, "__len__") for item in X):
        return False
    axes = {np.ndim(item) if isinstance(item, np.ndarray) else _depth(item) for item in X}
    return axes == {2} or (axes == {1} and len({len(item) for item in X}) > 1)


def _depth(item):
    """How deep lists are nested, as far as their first elements say."""
    depth = 0
    while isinstance(item, list | tuple) or (depth and isinstance(item, np.ndarray)):
        depth += 1
        if not len(item):
            break
        item = item[0]
    return depth + np.ndim(item) if isinstance(item, np.ndarray) else depth


def _numbers(item, index):
    """A sequence as an array of numbers with an axis for channels."""
    array = np.asarray(item)
    if array.dtype.kind not in "buif":
        raise ValueError(
            f"X[{index}] has dtype {array.dtype}; sequences are numbers: encode what is not."
        )
    return array[:, np.newaxis] if array.ndim == 1 else array


def from_list(X, data_format):
    """Sequences of a list of arrays of shape (steps, channels), or (steps,) for one channel.

    Raises
    ------
    ValueError
        If they differ in their number of channels, or hold what is no finite number.
    """
    arrays = [_numbers(item, index) for index, item in enumerate(X)]
    if data_format == CHANNELS_FIRST:
        arrays = [a.T if np.ndim(item) == 2 else a for a, item in zip(arrays, X, strict=True)]
    widths = [array.shape[1] for array in arrays if array.size or array.shape[0]] or [1]
    if len(set(widths)) > 1:
        index = next(i for i, array in enumerate(arrays) if array.shape[1] != widths[0])
        raise ValueError(
            f"X[{index}] has {arrays[index].shape[1]} channels, but X[0] has {widths[0]}; all "
            f"sequences need the same. Shapes are (steps, channels) with data_format="
            "'channels_last', (channels, steps) with 'channels_first'."
        )
    dtype = np.float32 if all(a.dtype in (np.float32, np.uint8) for a in arrays) else np.float64
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    flat = [np.ravel(array).astype(dtype, copy=False) for array in arrays]
    values = np.concatenate(flat) if flat else np.zeros(0, dtype)
    starts = np.concatenate([[0], np.cumsum(lengths * widths[0])[:-1]]).astype(np.int64)
    _check_values(values, starts, lengths, widths[0])
    return Sequences(values, starts, lengths, widths[0])


def from_padded(X, data_format):
    """Sequences of an array (n, steps, channels) in which NaN stands behind where they end.

    Raises
    ------
    ValueError
        If NaN stands elsewhere.
    """
    X = np.moveaxis(X, 1, 2) if data_format == CHANNELS_FIRST else X
    X = np.ascontiguousarray(X, dtype=X.dtype if X.dtype in (np.float32, np.float64) else float)
    n, steps, channels = X.shape
    there = ~np.isnan(X).all(axis=2)
    lengths = np.where(there.any(axis=1), steps - np.argmax(there[:, ::-1], axis=1), 0)
    starts = np.arange(n, dtype=np.int64) * steps * channels
    _check_values(X.reshape(-1), starts, lengths, channels)
    return Sequences(X.reshape(-1), starts, lengths, channels)


def from_filled(X, value):
    """Sequences of rows of numbers, one a step, of which trailing ones of a value are padding."""
    X = np.ascontiguousarray(X, dtype=X.dtype if X.dtype in (np.float32, np.float64) else float)
    n, steps = X.shape
    there = value != X
    lengths = np.where(there.any(axis=1), steps - np.argmax(there[:, ::-1], axis=1), 0)
    return Sequences(X.reshape(-1), np.arange(n, dtype=np.int64) * steps, lengths, 1)


def _check_values(values, starts, lengths, channels):
    """Raise a ValueError if sequences hold what is no finite number, padding left aside."""
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return
    for what, is_fault in _FAULTS.items():
        for index, (start, length) in enumerate(zip(starts, lengths, strict=True)):
            steps = is_fault(values[start : start + length * channels]).reshape(length, channels)
            if steps.any():
                step = int(steps.any(axis=1).argmax())
                raise ValueError(
                    f"Input X contains {what}: X[{index}] at step {step}. NaN may stand for "
                    "padding behind the last step only, in all channels; fill or drop it elsewhere."
                )
