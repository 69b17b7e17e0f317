"""In which batches an epoch goes through its rows."""

from __future__ import annotations

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
    """

    order: np.ndarray
    batch_size: int
    n_batches: int

    def total(self, losses: np.ndarray) -> float:
        """The sum of the losses of rows, given the mean ones of the batches."""
        rest = self.order.size - (self.n_batches - 1) * self.batch_size
        return float(losses[:-1].sum() * self.batch_size + losses[-1] * rest)


def plan_epoch(
    data: Source, rows: np.ndarray, batch_size: int, random_state: np.random.RandomState | None
) -> list[Stretch]:
    """Make batches of rows, in their order.

    Of sequences of unequal length, those of similar length come into one batch, so that little of
    it is padding, if there is a random state to shuffle the batches with. Of rows that are read in
    windows, each window of a batch is a batch of its own, which the next goes on from.

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
    whole = rows.size // batch_size
    batches = [rows[k * batch_size : (k + 1) * batch_size] for k in range(whole)]
    plan = []
    if whole:
        order = np.concatenate([data.numbers(batch) for batch in batches])
        plan.append(Stretch(order, batch_size, whole * data.windows))
    if (rest := rows[whole * batch_size :]).size:
        plan.append(Stretch(data.numbers(rest), rest.size, data.windows))
    return plan


def _with_similar(
    rows: np.ndarray, lengths: np.ndarray, batch_size: int, random_state: np.random.RandomState
) -> np.ndarray:
    """The rows, sorted by length within pools of batches, in batches that are shuffled."""
    n_batches = rows.size // batch_size
    whole = n_batches * batch_size
    by_length = np.lexsort((lengths[:whole], np.arange(whole) // (_POOL * batch_size)))
    batches = rows[by_length].reshape(n_batches, batch_size)
    return np.concatenate([*batches[random_state.permutation(n_batches)], rows[whole:]])
