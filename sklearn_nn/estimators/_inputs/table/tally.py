"""Categories of the columns of a table that is read in blocks, counted exactly."""

from __future__ import annotations

from collections import Counter

import numpy as np

from sklearn_nn.estimators._inputs.table.columns import CategoryColumn
from sklearn_nn.estimators._inputs.table.encoder import categorical_mask
from sklearn_nn.estimators._inputs.table.frames import is_printed, plain, read_frame

#: Most distinct values of a column that are counted; columns with more are those of identifiers.
MOST_COUNTED = 2**18


class CategoryTally:
    """Sums of the weights of the categories of each column.

    `categorical_features` is the parameter of the encoder; errors name `estimator`.
    """

    def __init__(self, categorical_features, estimator):
        self._chosen, self._estimator = categorical_features, estimator
        self._n_rows = 0
        self._columns = {}

    def add(self, X, weight):
        """Count the categories in a block."""
        frame = read_frame(X, self._estimator)
        mask = categorical_mask(frame, self._chosen)
        names = range(frame.shape[1]) if frame.names is None else frame.names
        self._n_rows += frame.shape[0]
        for i, name in enumerate(names):
            column = self._columns.setdefault(name, _Counted())
            cells = frame.column(i)
            if not column.is_large and (cells.are_categorical() if mask is None else mask[i]):
                column.add(cells, weight, frame.shape[0])

    def column(self, name, scaling, max_one_hot):
        """Return the fitted column of a name or position, or None if it was not counted."""
        counted = self._columns.get(name)
        if counted is None or counted.is_large or counted.n_rows != self._n_rows:
            return None
        column = CategoryColumn.fit(counted, counted.weights(), scaling, max_one_hot)
        column.prints = counted.has_printed
        return column


class _Counted:
    """Categories of a column with the sums of their weights, in the form of its cells."""

    prints = False

    def __init__(self):
        self.n_rows, self.is_large, self.has_printed = 0, False, False
        self.label = ""
        self._missing, self._sums = 0.0, Counter()

    def add(self, cells, weight, n_rows):
        """Count the cells of a block."""
        codes, values = cells.codes()
        sums = np.bincount(codes + 1, weight, len(values) + 1).tolist()
        self._missing += sums[0]
        self.label, self.n_rows = cells.label, self.n_rows + n_rows
        for value, total in zip(values, sums[1:], strict=True):
            if total > 0:
                is_text = cells.prints and is_printed(value)
                self.has_printed = self.has_printed or is_text
                self._sums[plain(value, cells.label, cells.prints)] += total
        if len(self._sums) > MOST_COUNTED:
            self.is_large, self._sums = True, Counter()

    def weights(self):
        """Return the sums of the weights, of missing cells first."""
        return np.array([self._missing, *self._sums.values()])

    def codes(self):
        """Return the position of each category in a list of values, -1 if missing, and this list.

        Each category is a single cell.
        """
        return np.arange(-1, len(self._sums)), list(self._sums)
