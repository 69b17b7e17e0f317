"""Encoded rows of a table with their targets and weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.estimators._core.checks import check_some_weight


@dataclass(frozen=True)
class TableRows:
    """Encoded rows, (n_rows, n_columns), with their targets and weights (or None).

    Weights are of an integer type if they only count equal rows.
    """

    values: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    def without_weightless(self):
        """Return the rows with a positive weight."""
        if self.weight is None or (self.weight > 0).all():
            return self
        check_some_weight(self.weight, "sample")
        kept = np.flatnonzero(self.weight > 0)
        return TableRows(self.values[kept], self.y[kept], self.weight[kept])

    def distinct(self):
        """Return sorted rows, with the weights of equal rows with equal targets added up.

        A row of weight 2 then gives the same network as a row that occurs twice, to the last bit.
        """
        labels = _numbered(self.y)
        if labels is None:
            return self
        keys = np.column_stack([self.values.astype(np.float64), labels])
        _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weight = np.bincount(number.ravel(), self.weight, minlength=len(first))
        return TableRows(self.values[first], self.y[first], None if (weight == 1).all() else weight)


def _numbered(y):
    """Return the rank of each target within its column; None if targets cannot be sorted."""
    columns = y.reshape(len(y), -1).T
    try:
        return np.column_stack([np.unique(c, return_inverse=True)[1].ravel() for c in columns])
    except TypeError:
        return None
