"""Targets of sequences: one for every time step, or one for the last window of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.utils import check_consistent_length


def flat_steps(y, lengths):
    """Return the targets of all time steps, one after another; raise ValueError if counts differ.

    y is a list of arrays, or an array (n_sequences, n_steps[, n_outputs]), whose values after the
    end of a sequence are ignored.
    """
    if y is None:
        raise ValueError("return_sequences=True requires y, with a target for each time step.")
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


@dataclass(frozen=True)
class Steps:
    """Arrangement of targets in time: one for each time step of a sequence, or one for all.

    With `of_each`, each time step has a target. With `truncation`, sequences are read in windows of
    that length; a single target belongs to the window in which the sequence ends, and other windows
    have weight 0.
    """

    of_each: bool
    truncation: int | None

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

    def flat(self, target, output, weight):
        """Return targets, outputs and weights of all steps or sequences, one per row."""
        flat = target.reshape(-1, target.shape[-1])
        output = output.reshape(len(flat), -1)
        if weight is None:
            return flat, output, None
        weight = weight.reshape(-1)
        own = weight > 0
        # Weights that are all 1 only mark the existing steps, so scores need no weights.
        weights = None if (weight[own] == 1).all() else weight[own]
        return flat[own], output[own], weights

    def own_outputs(self, data, output, *, of_steps):
        """Return the outputs of all steps (`of_steps`), or of the window in which each ends."""
        if of_steps or data.windows == 1:
            return output
        output = output.reshape(data.n_rows, data.windows, -1)
        if data.lengths is None:
            return np.ascontiguousarray(output[:, -1])
        return output[np.arange(data.n_rows), self._last_windows(data.lengths)]

    def own_steps(self, data, output, n_outputs):
        """Return the outputs of the existing time steps, one per row."""
        output = output.reshape(len(output), -1, n_outputs)
        if data.lengths is None:
            return output.reshape(-1, n_outputs)
        return output[np.arange(output.shape[1]) < data.lengths[:, np.newaxis]]


def in_sequences(flat, lengths, *, as_list):
    """Return values of all steps as a list of arrays, one for each sequence, or as one array."""
    if not as_list and len(set(lengths.tolist())) == 1:
        return flat.reshape(len(lengths), -1, *flat.shape[1:])
    return np.split(flat, np.cumsum(lengths)[:-1])
