"""Sequences of unequal length, as users pass them."""

from __future__ import annotations

import numpy as np

from sklearn_nn.layers.shape import CHANNELS_FIRST
from sklearn_nn.network.source import sequences, source

#: What is wrong with values, by what looks for it.
_FAULTS = {"missing values (NaN)": np.isnan, "infinite values": np.isinf}
#: Sequences that are looked into at a time.
_BLOCK = 1024


class Sequences:
    """Sequences in one array.

    Attributes
    ----------
    values : ndarray of shape (n_values,)
        float64 or float32.
    starts, lengths : ndarray of shape (n_sequences,)
        Where in `values` each begins, and how many steps it has.
    channels : int
        Values of a step.
    are_bytes : bool
        Whether the values came as bytes, and are scaled by now.
    window : int or None
        Steps that the network reads at a time.
    """

    def __init__(self, values, starts, lengths, channels, *, are_bytes=False):
        self.values, self.starts, self.lengths = values, starts, lengths
        self.channels = channels
        self.are_bytes = are_bytes
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
    def is_of_one_length(self):
        """Whether all have as many steps, and some."""
        return len(self) > 0 and bool(self.lengths.min() == self.lengths.max() > 0)

    @property
    def is_even(self):
        """Whether they are rows of one length, one after another from the first value on."""
        follow = np.arange(len(self)) * self.shape[1]
        return self.is_of_one_length and np.array_equal(self.starts, follow)

    def source(self, dtype):
        """In the form the machine gathers batches from."""
        if self.is_even and self.window is None:
            return source(self.values[: self.shape[0] * self.shape[1]].reshape(self.shape), dtype)
        return sequences(self.values, self.starts, self.lengths, self.channels, dtype, self.window)

    def own_values(self, first=0, last=None):
        """Values of the sequences from `first` to before `last`, without what lies between them."""
        sizes = self.lengths[first:last] * self.channels
        offsets = self.starts[first:last] - (np.cumsum(sizes) - sizes)
        return self.values[np.repeat(offsets, sizes) + np.arange(sizes.sum())]

    def drop_padding(self, value=None):
        """Let sequences end before steps at their end that are NaN, or `value`, throughout."""
        lengths, left = self.lengths.astype(np.int64), np.flatnonzero(self.lengths)
        channel = np.arange(self.channels)
        while left.size:
            last = self.starts[left] + (lengths[left] - 1) * self.channels
            found = self.values[last[:, np.newaxis] + channel]
            left = left[is_padding(found, value).all(axis=1)]
            lengths[left] -= 1
            left = left[lengths[left] > 0]
        self.lengths = lengths

    def close_up(self):
        """Let sequences of one length follow one another."""
        if self.is_of_one_length and not self.is_even:
            self.values = self.own_values()
            self.starts = np.arange(len(self)) * self.shape[1]

    def check_finite(self):
        """Raise a ValueError if they hold what is no finite number; what lies between may."""
        with np.errstate(all="ignore"):
            if np.isfinite(self.values.sum()):
                return
            for first in range(0, len(self), _BLOCK):
                if not np.isfinite(self.own_values(first, first + _BLOCK).sum()):
                    self._check_each(range(first, min(first + _BLOCK, len(self))))

    def _check_each(self, indices):
        """Raise a ValueError that names the first step with a value that is none."""
        for what, is_fault in _FAULTS.items():
            for index in indices:
                own = self.own_values(index, index + 1).reshape(-1, self.channels)
                steps = is_fault(own).any(axis=1)
                if steps.any():
                    raise ValueError(
                        f"Input X contains {what}: X[{index}] at step {int(steps.argmax())}. NaN "
                        "may stand for padding behind the last step only, in all channels; fill or "
                        "drop it elsewhere."
                    )


def is_padding(values, value=None):
    """Where NaN stands, or the value if there is one."""
    found = np.isnan(values) if values.dtype.kind == "f" else np.zeros(values.shape, bool)
    return found if value is None else found | (values == value)


# --- forms of X ----------------------------------------------------------------------------------


def samples_of(X):
    """The items of a list, an array of objects or a Series of arrays; else an empty list."""
    if hasattr(X, "to_numpy") and getattr(X, "ndim", 1) == 1:
        X = X.to_numpy()
    if isinstance(X, np.ndarray):
        return X if X.dtype == object and X.ndim > 0 else []
    return X if isinstance(X, list | tuple) else []


def n_axes(item):
    """How many axes an item has; None where it is empty and may have any."""
    if isinstance(item, str) or not hasattr(item, "__len__"):
        return 0
    n_axes = item.ndim if hasattr(item, "ndim") else _depth(item)
    return None if n_axes == 1 and len(item) == 0 else n_axes


def _depth(item):
    """How deep lists are nested, as far as their first elements say."""
    depth = 0
    while isinstance(item, list | tuple):
        depth += 1
        if not len(item):
            break
        item = item[0]
    return depth + getattr(item, "ndim", 0)


def is_listed(X):
    """Whether X is a list, an array of objects or a Series, of sequences that are arrays each.

    A list of lists of numbers is a table, if they are of one length.
    """
    items = samples_of(X)
    if getattr(items, "ndim", 1) != 1:
        return False
    axes = {n_axes(item) for item in items} - {None}
    return axes == {2} or (axes == {1} and len({len(item) for item in items}) > 1)


def is_list_of_signals(X):
    """Whether X is a list or an array of objects, of sequences of numbers of whatever length."""
    items = samples_of(X)
    if len(items) == 0 or {n_axes(item) for item in items} - {1, None}:
        return False
    # Rows of an array that hold arrays are no numbers.
    return getattr(items, "ndim", 1) == 1 or not any(n_axes(cell) for cell in items[0])


def as_numbers(X):
    """X as an array of numbers, which objects are turned into; None where it holds no numbers."""
    array = np.asarray(X)
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError):
            return None
    return array if array.dtype.kind in "buif" else None


def _steps(item, index, data_format):
    """A sequence as an array of numbers of shape (steps, channels)."""
    try:
        array = np.asarray(item)
    except ValueError as error:
        raise ValueError(
            f"X[{index}] has steps of unequal length; each has a number for every channel."
        ) from error
    numbers = as_numbers(array)
    if numbers is None:
        raise ValueError(
            f"X[{index}] has dtype {array.dtype}; sequences are numbers: encode what is not, and "
            "fill or drop what is missing."
        )
    if numbers.ndim == 1:
        return numbers[:, np.newaxis]
    return numbers.T if data_format == CHANNELS_FIRST else numbers


def _common_width(arrays, known):
    """Channels that arrays have in common, of those of which it is known."""
    width = next((a.shape[1] for a, is_known in zip(arrays, known, strict=True) if is_known), 1)
    first = known.index(True) if any(known) else 0
    for index, array in enumerate(arrays):
        if known[index] and array.shape[1] != width:
            raise ValueError(
                f"X[{index}] has {array.shape[1]} channels, but X[{first}] has {width}; all "
                f"sequences need the same. Shapes are (steps, channels) with data_format="
                "'channels_last', (channels, steps) with 'channels_first'."
            )
    return width


def _scaled(values, divisor):
    """Numbers in a type that networks read; bytes over the divisor in float32, rounded once."""
    if values.dtype == np.uint8 and divisor != 1:
        return values.astype(np.float32) / np.float32(divisor)
    real = values.dtype if values.dtype in (np.float32, np.float64) else np.float64
    return np.ascontiguousarray(values, dtype=real)


def from_list(X, data_format, *, divisor=1, padding=None):
    """Sequences of a list of arrays of shape (steps, channels), or (steps,) for one channel.

    Those that are bytes are divided by `divisor`, whatever the others are. Steps at the end that
    are NaN throughout, or `padding`, are left out; but a sequence of NaN alone is missing: one that
    has no steps has the shape (0, channels).

    Raises
    ------
    ValueError
        If they differ in their number of channels, or hold what is no finite number.
    """
    items = samples_of(X)
    arrays = [_steps(item, index, data_format) for index, item in enumerate(items)]
    channels = _common_width(arrays, [n_axes(item) is not None for item in items])
    types = {array.dtype for array in arrays if array.size}
    are_bytes = types == {np.dtype(np.uint8)}
    if divisor != 1 and not are_bytes:
        arrays = [_scaled(a, divisor) if a.dtype == np.uint8 else a for a in arrays]
        types = {array.dtype for array in arrays if array.size}
    mixed = types <= {np.dtype(np.float32), np.dtype(np.uint8)} and len(types) > 1
    dtype = next(iter(types)) if len(types) == 1 else np.dtype(np.float32 if mixed else np.float64)
    flat = [np.ravel(array).astype(dtype, copy=False) for array in arrays]
    lengths = np.array([len(array) for array in arrays], dtype=np.int64)
    starts = (np.cumsum(lengths) - lengths) * channels
    values = _scaled(np.concatenate(flat), divisor)
    found = Sequences(values, starts, lengths, channels, are_bytes=are_bytes)
    found.drop_padding(padding)
    emptied = np.flatnonzero((found.lengths == 0) & (lengths > 0))
    missing = emptied[np.isnan(found.values[starts[emptied]])]
    found.lengths[missing] = lengths[missing]
    found.check_finite()
    found.close_up()
    return found


def from_padded(X, *, divisor=1, padding=None):
    """Sequences of an array (n, steps, channels) in which NaN stands behind where they end.

    Bytes are divided by `divisor`. A number that is `padding` ends sequences as NaN does.

    Raises
    ------
    ValueError
        If NaN stands elsewhere.
    """
    n, steps, channels = X.shape
    starts = np.arange(n, dtype=np.int64) * steps * channels
    lengths = np.full(n, steps, dtype=np.int64)
    values, are_bytes = _scaled(X, divisor).reshape(-1), X.dtype == np.uint8
    found = Sequences(values, starts, lengths, channels, are_bytes=are_bytes)
    found.drop_padding(padding)
    found.check_finite()
    found.close_up()
    return found
