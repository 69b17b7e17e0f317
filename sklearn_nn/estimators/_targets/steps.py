"""Targets of steps: one for every step of a sequence, or one for its last, in its last window."""

from __future__ import annotations

import numpy as np
from sklearn.base import is_classifier
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import _num_samples

from sklearn_nn.estimators._core.as_fitted import as_fitted
from sklearn_nn.estimators._inputs.rows import NO_TARGET
from sklearn_nn.estimators._inputs.sequences import Sequences, is_listed


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
    """Mixin of estimators that have a target for every step where `return_sequences` is set.

    With `truncation` a sequence is read in windows. Its one target, where it has one, is that of
    the last window in which it has steps; in the others it has none, which is a weight of 0.
    """

    def _own_steps(self, X):
        """Steps of each sequence of a validated X."""
        if isinstance(X, Sequences):
            return X.lengths
        return np.full(X.shape[0], self._sample_shape()[0])

    def _validate(self, X, y, *, reset):
        if not self.return_sequences:
            return super()._validate(X, y, reset=reset)
        X, _ = super()._validate(X, NO_TARGET, reset=reset)
        self._sample_shape()
        return X, self._validate_target(flat_steps(y, self._own_steps(X)), None)

    def _sample_weight(self, sample_weight, X):
        weight = super()._sample_weight(sample_weight, X)
        if weight is None or not self.return_sequences:
            return weight
        return np.repeat(weight, self._own_steps(X))

    def _last_windows(self, lengths):
        """The window in which each sequence ends."""
        return np.maximum(0, -(-lengths // self.truncation) - 1)

    def _arrange_targets(self, target, weight, X):
        if not self.return_sequences and self.truncation is None:
            return target, weight
        lengths = self._own_steps(X)
        longest = X.sample_shape[0] if isinstance(X, Sequences) else int(lengths.max())
        window = self.truncation or longest
        n_windows = -(-longest // window)
        if self.return_sequences:
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

    def _flat_targets(self, target, output, weight):
        if not self.return_sequences and self.truncation is None:
            return target, output, weight
        flat = target.reshape(-1, target.shape[-1])
        output = output.reshape(len(flat), -1)
        if weight is None:
            return flat, output, None
        weight = weight.reshape(-1)
        own = weight > 0
        # Weights of 1 only say which steps there are: a score need not take them.
        weights = None if (weight[own] == 1).all() else weight[own]
        return flat[own], output[own], weights

    def _one_axis(self, y):
        if not self.return_sequences or y is None:
            return super()._one_axis(y)
        return np.concatenate([np.ravel(item) for item in getattr(y, "to_numpy", lambda: y)()])

    def _stratify(self, target):
        if self.return_sequences:
            return None
        # In the windows before the last there are zeros.
        return super()._stratify(target if self.truncation is None else target.sum(axis=1))

    def _one_target_a_row(self):
        shown = super()._one_target_a_row()
        shown.return_sequences = False
        return shown

    @as_fitted
    def _outputs(self, X, layer=None):
        for data, output in super()._outputs(X, layer):
            if layer is None and self.return_sequences:
                yield data, self._of_own_steps(data, output)
            elif data.windows > 1 and not self._is_of_steps(layer):
                yield data, self._of_last_windows(data, output)
            else:
                yield data, output

    def _is_of_steps(self, layer):
        """Whether the output of a layer, or of the network, is one vector a step."""
        lines = self._trained_program().outline
        shapes = {line.name: line.output_shape for line in lines}
        return len(shapes[lines[-1].name if layer is None else layer]) > 1

    def _of_last_windows(self, data, output):
        """Of the outputs of all windows, those of the window in which each sequence ends."""
        output = output.reshape(data.n_rows, data.windows, -1)
        if data.lengths is None:
            return np.ascontiguousarray(output[:, -1])
        return output[np.arange(data.n_rows), self._last_windows(data.lengths)]

    def _of_own_steps(self, data, output):
        """The output of all steps that there are, one a row."""
        output = output.reshape(len(output), -1, self.n_outputs_)
        if data.lengths is None:
            return output.reshape(-1, self.n_outputs_)
        return output[np.arange(output.shape[1]) < data.lengths[:, np.newaxis]]

    def _lengths_of(self, X):
        """Steps of each sequence of X as a user passes it."""
        found = self._sequences(X, reset=False)
        if found is not None:
            return found.lengths
        return np.full(_num_samples(X), self.input_shape_[0])

    def _in_sequences(self, flat, X):
        """Values of all steps as a list of arrays, or one array where X is an array."""
        lengths = self._lengths_of(X)
        if len(set(lengths)) == 1 and not is_listed(X):
            return flat.reshape(len(lengths), -1, *flat.shape[1:])
        return np.split(flat, np.cumsum(lengths)[:-1])

    @as_fitted
    def predict(self, X):
        """Predict targets.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, or rows
            The sequences.

        Returns
        -------
        y : ndarray of shape (n_samples,) or (n_samples, n_outputs), or with `return_sequences` \
                ndarray of shape (n_samples, n_steps, ...) or list of arrays of shape (n_steps, ...)
            Predicted classes or values. Sequences of unequal length give a list.
        """
        y = super().predict(X)
        return self._in_sequences(y, X) if self.return_sequences else y

    @as_fitted
    def score(self, X, y, sample_weight=None):
        """Accuracy of a classifier, R^2 of a regressor; with `return_sequences` over all steps.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_steps, n_channels), list of arrays, or rows
            The sequences.
        y : array-like of shape (n_samples,) or (n_samples, n_outputs), or targets of each step
            Their targets.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the sequences.

        Returns
        -------
        score : float
            The score.
        """
        if not self.return_sequences:
            return super().score(X, y, sample_weight)
        from sklearn.metrics import accuracy_score, r2_score

        lengths = self._lengths_of(X)
        if sample_weight is not None:
            check_consistent_length(lengths, sample_weight)
        weights = None if sample_weight is None else np.repeat(sample_weight, lengths)
        metric = accuracy_score if is_classifier(self) else r2_score
        return float(metric(flat_steps(y, lengths), super().predict(X), sample_weight=weights))
