"""Sequences of unequal length: their forms as inputs, and their storage."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import sequences, source

#: Functions that find invalid values, by the name of the fault.
_FAULTS = {"missing values (NaN)": np.isnan, "infinite values": np.isinf}
#: Sequences that are checked at a time.
_BLOCK = 1024


@dataclass(eq=False)
class Sequences:
    """Sequences in one array.

    For each sequence, `starts` holds the index of its first value in `values`, and `lengths` its
    number of time steps. If `are_bytes`, values were bytes and are scaled. A network reads `window`
    time steps at a time, or all if it is None.
    """

    values: np.ndarray
    starts: np.ndarray
    lengths: np.ndarray
    channels: int
    are_bytes: bool = False
    window: int | None = None

    def __len__(self):
        return len(self.lengths)

    @property
    def dtype(self):
        """Return the type of the values."""
        return self.values.dtype

    @property
    def sample_shape(self):
        """Return the number of steps of the longest sequence, and of channels."""
        return max(1, int(self.lengths.max(initial=1))), self.channels

    @property
    def shape(self):
        """Return the shape of the sequences as rows, padded to the longest."""
        steps, channels = self.sample_shape
        return len(self), steps * channels

    @property
    def is_of_one_length(self):
        """Return whether all sequences have the same number of steps, at least one."""
        return len(self) > 0 and bool(self.lengths.min() == self.lengths.max() > 0)

    @property
    def is_even(self):
        """Return whether the sequences are contiguous rows of one length."""
        follow = np.arange(len(self)) * self.shape[1]
        return self.is_of_one_length and np.array_equal(self.starts, follow)

    def source(self, dtype):
        """Return the source of batches for the machine."""
        if self.is_even and self.window is None:
            return source(self.values[: self.shape[0] * self.shape[1]].reshape(self.shape), dtype)
        return sequences(self.values, self.starts, self.lengths, self.channels, dtype, self.window)

    def own_values(self, first=0, last=None):
        """Return the values of the sequences from `first` to before `last`, without gaps."""
        sizes = self.lengths[first:last] * self.channels
        offsets = self.starts[first:last] - (np.cumsum(sizes) - sizes)
        return self.values[np.repeat(offsets, sizes) + np.arange(sizes.sum())]

    def drop_padding(self, value=None):
        """Remove steps at the end of sequences that are NaN, or `value`, in all channels."""
        lengths, left = self.lengths.astype(np.int64), np.flatnonzero(self.lengths)
        channel = np.arange(self.channels)
        while left.size:
            last = self.starts[left] + (lengths[left] - 1) * self.channels
            found = self.values[last[:, np.newaxis] + channel]
            left = left[is_padding(found, value).all(axis=1)]
            lengths[left] -= 1
            left = left[lengths[left] > 0]
        self.lengths = lengths

    def checked(self):
        """Return self with sequences of one length contiguous; raise if a value is not finite."""
        self._check_finite()
        if self.is_of_one_length and not self.is_even:
            self.values = self.own_values()
            self.starts = np.arange(len(self)) * self.shape[1]
        return self

    def _check_finite(self):
        """Raise ValueError if a value of a sequence is not finite."""
        with np.errstate(all="ignore"):
            if np.isfinite(self.values.sum()):
                return
            for first in range(0, len(self), _BLOCK):
                if not np.isfinite(self.own_values(first, first + _BLOCK).sum()):
                    self._check_each(range(first, min(first + _BLOCK, len(self))))

    def _check_each(self, indices):
        """Raise ValueError with the first time step that has an invalid value."""
        for what, is_fault in _FAULTS.items():
            for index in indices:
                own = self.own_values(index, index + 1).reshape(-1, self.channels)
                steps = is_fault(own).any(axis=1)
                if steps.any():
                    raise ValueError(
                        f"Input X contains {what}: X[{index}] at step {int(steps.argmax())}. NaN "
                        "may be padding after the last step only, in all channels; fill or drop it "
                        "elsewhere."
                    )


def is_padding(values, value=None):
    """Return a mask of NaN, and of `value` if it is not None."""
    found = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return found if value is None else found | (values == value)


def samples_of(X):
    """Return the items of a list, an array of objects or a Series; else an empty list."""
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 1) == 1:
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        return X if X.dtype == object and X.ndim > 0 else []
    return X if isinstance(X, list | tuple) else []


def n_axes(item):
    """Return the number of axes of an item; None if it is empty and one-dimensional."""
    if isinstance(item, str) or not hasattr(item, "__len__"):
        return 0
    n_axes = item.ndim if hasattr(item, "ndim") else _depth(item)
    return None if n_axes == 1 and len(item) == 0 else n_axes


def _depth(item):
    """Return the depth of nested lists, judged by their first elements."""
    depth = 0
    while isinstance(item, list | tuple):
        depth += 1
        if not len(item):
            break
        item = item[0]
    return depth + getattr(item, "ndim", 0)


def is_listed(X):
    """Return whether X is a list, an array of objects or a Series of sequences, but not a table."""
    items = samples_of(X)
    if getattr(items, "ndim", 1) != 1:
        return False
    axes = {n_axes(item) for item in items} - {None}
    return axes == {2} or (axes == {1} and len({len(item) for item in items}) > 1)


def is_list_of_signals(X):
    """Return whether X is a list or an array of objects of one-dimensional sequences."""
    items = samples_of(X)
    if len(items) == 0 or {n_axes(item) for item in items} - {1, None}:
        return False
    # Rows of an array whose cells are arrays are not sequences of numbers.
    return getattr(items, "ndim", 1) == 1 or not any(n_axes(cell) for cell in items[0])


def as_numbers(X):
    """Return X as an array of numbers, converted from objects; None if this fails."""
    array = np.asarray(X)
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            return None
    return array if array.dtype.kind in "buif" else None


def _steps(item, index, data_format):
    """Return a sequence as an array of numbers of shape (steps, channels)."""
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise ValueError(
            f"X[{index}] has steps of unequal length; each needs one number per channel."
        ) from error
    numbers = as_numbers(array)
    if numbers is None:
        raise ValueError(
            f"X[{index}] has dtype {array.dtype}; sequences hold numbers: encode other values, and "
            "fill or drop missing ones."
        )
    if numbers.ndim == 1:
        return numbers[:, np.newaxis]
    return numbers.T if data_format == CHANNELS_FIRST else numbers


def _common_width(arrays, items):
    """Return the common number of channels of the arrays of all items that are not ``[]``."""
    widths = {i: arrays[i].shape[1] for i, item in enumerate(items) if n_axes(item) is not None}
    first, width = next(iter(widths.items()), (0, 1))
    for index, found in widths.items():
        if found != width:
            raise ValueError(
                f"X[{index}] has {found} channels, but X[{first}] has {width}; all "
                f"sequences need the same number. Shapes are (steps, channels) with data_format="
                "'channels_last', (channels, steps) with 'channels_first'."
            )
    return width


def _scaled(values, divisor):
    """Return numbers as float32 or float64; bytes are divided in float32, rounded once."""
    if values.dtype == np.uint8 and divisor != 1:
        return values.astype(np.float32) / np.float32(divisor)
    real = values.dtype if values.dtype in (np.float32, np.float64) else np.float64
    return np.ascontiguousarray(values, dtype=real)


def _check_steps(is_empty):
    """Raise ValueError if a sequence has no time steps."""
    if is_empty.any():
        raise ValueError(
            f"X[{int(is_empty.argmax())}] is a sequence without time steps, of which nothing can "
            "be said; leave it out, with its target."
        )


def from_list(X, data_format, *, divisor=1, padding=None):
    """Return `Sequences` of a list of arrays of shape (steps, channels), or (steps,).

    Bytes are divided by `divisor`. Steps at the end that are NaN, or `padding`, in all channels are
    removed; a sequence of NaN alone, or without steps, raises ValueError.
    """
    items = samples_of(X)
    arrays = [_steps(item, index, data_format) for index, item in enumerate(items)]
    channels = _common_width(arrays, items)
    types = {array.dtype for array in arrays if array.size}
    are_bytes = types == {np.dtype(np.uint8)}
    if divisor != 1 and not are_bytes:
        arrays = [_scaled(a, divisor) if a.dtype == np.uint8 else a for a in arrays]
        types = {array.dtype for array in arrays if array.size}
    mixed = types <= {np.dtype(np.float32), np.dtype(np.uint8)} and len(types) > 1
    dtype = next(iter(types)) if len(types) == 1 else np.dtype(np.float32 if mixed else np.float64)
    flat = [np.ravel(array).astype(dtype, copy=False) for array in arrays]
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    _check_steps(lengths == 0)
    starts = (np.cumsum(lengths) - lengths) * channels
    values = _scaled(np.concatenate(flat), divisor)
    found = Sequences(values, starts, lengths, channels, are_bytes=are_bytes)
    found.drop_padding(padding)
    emptied = np.flatnonzero((found.lengths == 0) & (lengths > 0))
    missing = emptied[np.isnan(found.values[starts[emptied]])]
    found.lengths[missing] = lengths[missing]
    return found.checked()


def from_padded(X, *, divisor=1, padding=None):
    """Return `Sequences` of an array (n, steps, channels), with NaN or `padding` after each end.

    Bytes are divided by `divisor`. Raise ValueError if NaN is elsewhere, or all of a sequence.
    """
    n, steps, channels = X.shape
    starts = np.arange(n, dtype=np.int64) * steps * channels
    lengths = np.full(n, steps, dtype=np.int64)
    values = _scaled(X, divisor).reshape(-1)
    found = Sequences(values, starts, lengths, channels, are_bytes=X.dtype == np.uint8)
    found.drop_padding(padding)
    _check_steps((found.lengths == 0) & np.isnan(values[starts]))
    return found.checked()
