"""Encoded rows of a table with their targets and weights, as a network is fitted to them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.estimators._inputs.encoding import check_some_weight


@dataclass(frozen=True)
class TableRows:
    """Rows that count, each with its target and weight.

    Attributes
    ----------
    values : ndarray of shape (n_rows, n_columns)
        What the encoder made of the table.
    y : ndarray of shape (n_rows,) or (n_rows, n_outputs)
    weight : ndarray of shape (n_rows,) or None
        Whole numbers by type where they count equal rows and say nothing else.
    """

    values: np.ndarray
    y: np.ndarray
    weight: np.ndarray | None

    def without_weightless(self):
        """Rows of weight 0 are none."""
        if self.weight is None or (self.weight > 0).all():
            return self
        check_some_weight(self.weight, "sample")
        kept = np.flatnonzero(self.weight > 0)
        return TableRows(self.values[kept], self.y[kept], self.weight[kept])

    def distinct(self):
        """Equal rows of equal target as one, of their weight in all, in an order of their own.

        So a row of weight 2 is the same as one that occurs twice, to the last bit.
        """
        labels = _numbered(self.y)
        if labels is None:
            return self
        keys = np.column_stack([self.values.astype(np.float64), labels])
        _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weight = np.bincount(number.ravel(), self.weight, minlength=len(first))
        return TableRows(self.values[first], self.y[first], None if (weight == 1).all() else weight)


def _numbered(y):
    """A number for each value in each column of targets, or None where they have no order."""
    columns = y.reshape(len(y), -1).T
    try:
        return np.column_stack([np.unique(c, return_inverse=True)[1].ravel() for c in columns])
    except TypeError:
        return None
