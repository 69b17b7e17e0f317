"""In which batches an epoch goes through its rows."""

from __future__ import annotations

import itertools
from typing import NamedTuple

import numpy as np

from sklearn_nn.network.source import Source

#: Batches that rows of similar length are sought in: more waste less on padding, and mix less.
_POOL = 32


class Stretch(NamedTuple):
    """Batches that the machine is given together.

    Attributes
    ----------
    order : ndarray of int64
        Row numbers, batch by batch.
    batch_size, n_batches : int
    windows : int
        How many batches go on one from the other: the windows of the same rows.
    counts : ndarray of shape (n_batches,) or None
        How much the loss of each batch counts; None where it counts by its rows.
    """

    order: np.ndarray
    batch_size: int
    n_batches: int
    windows: int = 1
    counts: np.ndarray | None = None

    @property
    def size(self) -> float:
        """How many losses the total is of, or the sum of their weights."""
        return float(self.order.size if self.counts is None else self.counts.sum())

    def total(self, losses: np.ndarray) -> float:
        """The sum of the losses, each times its weight, given the mean ones of the batches."""
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
    """Make batches of rows, in their order.

    Of sequences of unequal length, those of similar length come into one batch, so that little of
    it is padding, if there is a random state to shuffle the batches with. Of rows that are read in
    windows, each window of a batch is a batch of its own, which the next goes on from: as many as
    the longest of its rows has.

    Parameters
    ----------
    data : Source
    rows : ndarray of int64
        Rows of `data`.
    batch_size : int
    random_state : RandomState or None
    weights : ndarray of shape (n_rows * n_windows,) or None
        The sum of the weights of the targets in each window of each row of `data`, in its order:
        what the losses of batches are weighed by. Without, batches count by their rows.
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
    """Batches of one size, the last perhaps smaller, and how much each of them counts."""
    firsts = np.arange(0, order.size, batch_size)
    counts = None if weights is None else np.add.reduceat(weights[order], firsts)
    return Stretch(order, batch_size, firsts.size, windows, counts)


def _windows_of_longest(data: Source, rows: np.ndarray) -> int:
    """How many windows the longest of some rows has."""
    steps = data.steps(rows)
    return data.windows if steps is None else max(1, int((steps > 0).any(axis=0).sum()))


def _with_similar(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, random_state: np.random.RandomState
) -> np.ndarray:
    """The rows, sorted by length within pools of batches, in batches that are shuffled."""
    n_batches = rows.size // batch_size
    whole = n_batches * batch_size
    by_length = np.lexsort((lengths[:whole], np.arange(whole) // (_POOL * batch_size)))
    batches = rows[by_length].reshape(n_batches, batch_size)
    return np.concatenate([*batches[random_state.permutation(n_batches)], rows[whole:]])
