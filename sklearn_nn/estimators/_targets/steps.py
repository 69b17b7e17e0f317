"""Targets of steps: one for every step of a sequence, or one for its last, in its last window."""

from __future__ import annotations

import numpy as np
from sklearn.utils import check_consistent_length


def flat_steps(y, lengths):
    """Targets of all steps, one after another.

    Parameters
    ----------
    y : list of arrays, or array of shape (n_sequences, n_steps[, n_outputs])
        Behind the end of a sequence, what an array holds is not looked at.
    lengths : ndarray of shape (n_sequences,)
        Steps of each sequence.

    Returns
    -------
    flat : ndarray of shape (n_steps_in_all,) or (n_steps_in_all, n_outputs)

    Raises
    ------
    ValueError
        If a sequence's targets are more or fewer than its steps.
    """
    if y is None:
        raise ValueError("return_sequences=True requires y to be passed: a target for each step.")
    check_consistent_length(lengths, y)
    y = y.to_numpy() if hasattr(y, "to_numpy") else y
    arrays = [np.asarray(item) for item in y]
    if isinstance(y, np.ndarray) and y.ndim > 1:
        room = int(lengths.max(initial=0))
        if y.shape[1] < room:
            raise ValueError(
                f"y has targets for {y.shape[1]} steps, but X has sequences of {room}; with "
                "return_sequences=True there is one for every step."
            )
        arrays = [array[:n] for array, n in zip(arrays, lengths, strict=True)]
    for index, (array, n) in enumerate(zip(arrays, lengths, strict=True)):
        if array.ndim == 0 or len(array) != n:
            found = "one target" if array.ndim == 0 else f"{len(array)} targets"
            raise ValueError(
                f"y[{index}] has {found}, but X[{index}] has {n} steps; with return_sequences=True "
                "there is a target for every step."
            )
    return np.concatenate(arrays)


class Steps:
    """Arrangement of targets in time: one for each step of a sequence, or one for its last.

    With `truncation` a sequence is read in windows. Its only target, where it has one, is that of
    the last window in which it has steps; in the others it has none, which is a weight of 0.

    Parameters
    ----------
    of_each : bool
        Whether there is a target for each step.
    truncation : int or None
        Steps of a window.
    """

    def __init__(self, of_each, truncation):
        self.of_each = of_each
        self.truncation = truncation

    def flat_targets(self, y, lengths):
        """Return the targets of all steps, one after another."""
        return flat_steps(y, lengths)

    def _last_windows(self, lengths):
        """Return the number of the window in which each sequence ends."""
        return np.maximum(0, -(-lengths // self.truncation) - 1)

    def arrange(self, target, weight, lengths):
        """Return targets and weights with an axis for samples before all others."""
        longest = max(1, int(lengths.max(initial=1)))
        window = self.truncation or longest
        n_windows = -(-longest // window)
        if self.of_each:
            place = np.arange(n_windows * window) < lengths[:, np.newaxis]
        else:
            place = np.arange(n_windows) == self._last_windows(lengths)[:, np.newaxis]
        arranged = np.zeros((*place.shape, target.shape[1]), target.dtype)
        arranged[place] = target
        if weight is None and place.all():
            return arranged, None
        weights = np.zeros(place.shape)
        weights[place] = 1 if weight is None else weight
        return arranged, weights

    def only_targets(self, target):
        """Return the target of each sequence; in the windows before the last there are zeros."""
        return target.sum(axis=1)

    def flat(self, target, output, weight):
        """Return targets, outputs and weights of all steps or sequences, one a row."""
        flat = target.reshape(-1, target.shape[-1])
        output = output.reshape(len(flat), -1)
        if weight is None:
            return flat, output, None
        weight = weight.reshape(-1)
        own = weight > 0
        # Weights of 1 only say which steps there are: a score need not take them.
        weights = None if (weight[own] == 1).all() else weight[own]
        return flat[own], output[own], weights

    def own_outputs(self, data, output, *, of_steps):
        """Return the outputs that belong to a sequence.

        `of_steps` says whether the output is one vector for each step. Those of all windows are
        then one after another; else the output is that of the window in which a sequence ends.
        """
        if of_steps or data.windows == 1:
            return output
        output = output.reshape(data.n_rows, data.windows, -1)
        if data.lengths is None:
            return np.ascontiguousarray(output[:, -1])
        return output[np.arange(data.n_rows), self._last_windows(data.lengths)]

    def own_steps(self, data, output, n_outputs):
        """Return the outputs of the steps that there are, one a row."""
        output = output.reshape(len(output), -1, n_outputs)
        if data.lengths is None:
            return output.reshape(-1, n_outputs)
        return output[np.arange(output.shape[1]) < data.lengths[:, np.newaxis]]


def in_sequences(flat, lengths, *, as_list):
    """Return values of all steps as a list of arrays, one for each sequence, or as one array."""
    if not as_list and len(set(lengths.tolist())) == 1:
        return flat.reshape(len(lengths), -1, *flat.shape[1:])
    return np.split(flat, np.cumsum(lengths)[:-1])
