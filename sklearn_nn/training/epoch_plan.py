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
    steps : ndarray of shape (n_batches,) or None
        Steps of the sequences in each batch, where windows hold more or fewer.
    """

    order: np.ndarray
    batch_size: int
    n_batches: int
    windows: int = 1
    steps: np.ndarray | None = None

    @property
    def size(self) -> int:
        """How many losses the total is of."""
        return self.order.size if self.steps is None else int(self.steps.sum())

    def total(self, losses: np.ndarray) -> float:
        """The sum of the losses of rows, or of steps, given the mean ones of the batches."""
        if self.steps is not None:
            return float(losses @ self.steps)
        rest = self.order.size - (self.n_batches - 1) * self.batch_size
        return float(losses[:-1].sum() * self.batch_size + losses[-1] * rest)


def plan_epoch(
    data: Source, rows: np.ndarray, batch_size: int, random_state: np.random.RandomState | None
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
    """
    if data.lengths is not None and random_state is not None and rows.size > batch_size:
        rows = _with_similar(rows, data.lengths[rows], batch_size, random_state)
    if data.windows == 1:
        return [Stretch(rows, batch_size, -(-rows.size // batch_size))]
    batches = [rows[k : k + batch_size] for k in range(0, rows.size, batch_size)]
    counted = [(batch, *_windows_and_steps(data, batch)) for batch in batches]
    plan = []
    for (size, windows), group in itertools.groupby(counted, lambda c: (c[0].size, c[1])):
        own = list(group)
        order = np.concatenate([data.numbers(batch, windows) for batch, _, _ in own])
        steps = None if data.lengths is None else np.concatenate([count for _, _, count in own])
        plan.append(Stretch(order, size, len(own) * windows, windows, steps))
    return plan


def _windows_and_steps(data: Source, rows: np.ndarray) -> tuple[int, np.ndarray]:
    """The windows that the longest of some rows has, and the steps of all in each of them."""
    steps = data.steps(rows)
    if steps is None:
        return data.windows, np.zeros(0)
    windows = max(1, int((steps > 0).any(axis=0).sum()))
    return windows, steps[:, :windows].sum(axis=0)


def _with_similar(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, random_state: np.random.RandomState
) -> np.ndarray:
    """The rows, sorted by length within pools of batches, in batches that are shuffled."""
    n_batches = rows.size // batch_size
    whole = n_batches * batch_size
    by_length = np.lexsort((lengths[:whole], np.arange(whole) // (_POOL * batch_size)))
    batches = rows[by_length].reshape(n_batches, batch_size)
    return np.concatenate([*batches[random_state.permutation(n_batches)], rows[whole:]])
