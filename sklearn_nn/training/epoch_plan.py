"""Division of an epoch into batches."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from sklearn_nn.network.source import Source

#: Batches in a pool that is sorted by length: more means less padding and less mixing.
_POOL = 32


class Stretch(NamedTuple):
    """Batches that the machine trains on in one call.

    Attributes
    ----------
    order : ndarray of int64
        Row numbers, batch by batch.
    batch_size, n_batches : int
    windows : int
        Number of consecutive batches that continue one another: the windows of the same rows.
    counts : ndarray of shape (n_batches,) or None
        Weight of each batch in the loss; None weights it by its rows.
    """

    order: np.ndarray
    batch_size: int
    n_batches: int
    windows: int = 1
    counts: np.ndarray | None = None

    @property
    def size(self) -> float:
        """Sum of the weights of all batches."""
        return float(self.order.size if self.counts is None else self.counts.sum())

    def total(self, losses: np.ndarray) -> float:
        """Return the weighted sum of the batches' mean losses."""
        if self.counts is not None:
            return float(losses @ self.counts)
        rest = self.order.size - (self.n_batches - 1) * self.batch_size
        return float(losses[:-1].sum() * self.batch_size + losses[-1] * rest)


def plan_epoch(
    data: Source,
    rows: np.ndarray,
    batch_size: int,
    random_state: np.random.RandomState | None,
    weights: np.ndarray | None = None,
) -> list[Stretch]:
    """Divide rows of `data` into batches, in their order.

    With a random state, sequences of similar length share a batch, which reduces padding, and the
    batches are shuffled. If rows are read in windows, each window of a batch is a batch of its own
    that the next one continues; their number is that of the longest row. `weights`, of shape
    (n_rows * n_windows,), holds the sum of the target weights of each window of each row of `data`
    and weights the batches' losses; None weights batches by their rows.
    """
    if data.lengths is not None and random_state is not None and rows.size > batch_size:
        rows = _with_similar(rows, data.lengths[rows], batch_size, random_state)
    if data.windows == 1:
        return [_stretch(rows, batch_size, 1, weights)]
    batches = [rows[k : k + batch_size] for k in range(0, rows.size, batch_size)]
    counted = [(batch, _windows_of_longest(data, batch)) for batch in batches]
    plan = []
    for (size, windows), group in itertools.groupby(counted, lambda c: (c[0].size, c[1])):
        order = np.concatenate([data.numbers(batch, windows) for batch, _ in group])
        plan.append(_stretch(order, size, windows, weights))
    return plan


def _stretch(
    order: np.ndarray, batch_size: int, windows: int, weights: np.ndarray | None
) -> Stretch:
    """Return batches of one size, the last possibly smaller, with their weights."""
    firsts = np.arange(0, order.size, batch_size)
    counts = None if weights is None else np.add.reduceat(weights[order], firsts)
    return Stretch(order, batch_size, firsts.size, windows, counts)


def _windows_of_longest(data: Source, rows: np.ndarray) -> int:
    """Return the number of windows of the longest of these rows."""
    steps = data.steps(rows)
    return data.windows if steps is None else max(1, int((steps > 0).any(axis=0).sum()))


def _with_similar(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, random_state: np.random.RandomState
) -> np.ndarray:
    """Return the rows sorted by length within pools of batches, with the batches shuffled."""
    n_batches = rows.size // batch_size
    whole = n_batches * batch_size
    by_length = np.lexsort((lengths[:whole], np.arange(whole) // (_POOL * batch_size)))
    batches = rows[by_length].reshape(n_batches, batch_size)
    return np.concatenate([*batches[random_state.permutation(n_batches)], rows[whole:]])
