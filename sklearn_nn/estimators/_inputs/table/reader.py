"""Reader of tables of any kind, and their encoded rows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sklearn_nn.estimators._core.parts import check_some_weight
from sklearn_nn.estimators._inputs.reader import BLOCK_BYTES, InputReader
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder


class TableReader(InputReader):
    """Reader of tables, which an encoder with the parameters `options` turns into rows of numbers.

    `bins` holds the edges of bins for each number if embeddings need them, else None.
    """

    LEARNT = NEEDED = ("encoder", "bins")

    def __init__(self, **options):
        self.options = options
        self.bins = None

    def learn_encoder(self, X, sample_weight, estimator, tally=None):
        """Learn the encoding of the columns of a table, and publish it.

        Categories are those of a tally, if any, of which the table is a sample.
        """
        self.encoder = TableEncoder(**self.options)._learn(X, sample_weight, estimator)
        if tally is not None:
            self.encoder.take_categories(tally)
        self.publish(estimator)

    def learn_bins(self, values, n_bins, weight):
        """Learn the edges of bins of the numbers from encoded rows."""
        self.bins = self.encoder.bin_edges(values, n_bins, weight)

    def check(self, X, estimator):
        """Return the encoded table."""
        self.settle(estimator)
        return self.encoder.encode(X, estimator)

    def settle(self, estimator):
        """Set `shape` from the encoder."""
        self.shape = (self.encoder.n_features_out_,)

    def takes_as_rows(self, X, estimator):
        """Return False: samples are encoded."""
        return False

    def blocks(self, X, network, estimator):
        """Check X and yield its sources, each for a block of rows."""
        n_rows = max(1, BLOCK_BYTES // (8 * self.encoder.n_features_out_))
        for values in self.encoder.encode_blocks(X, n_rows, estimator):
            yield self.source(values, network.dtype)

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        estimator.encoder_ = self.encoder
        estimator.n_features_in_ = self.encoder.n_features_in_
        vars(estimator).pop("feature_names_in_", None)
        if hasattr(self.encoder, "feature_names_in_"):
            estimator.feature_names_in_ = self.encoder.feature_names_in_

    def learnt(self):
        """Return the learnt attributes as plain values."""
        return {"encoder": self.encoder.state(), "bins": self.bins}

    def take(self, learnt):
        """Set the attributes that `learnt` returned."""
        self.encoder, self.bins = TableEncoder.from_state(learnt["encoder"]), learnt["bins"]

    def check_loaded(self, estimator):
        """Raise ValueError if the encoder is not that of the estimator."""
        names = [vars(x).get("feature_names_in_", ()) for x in (estimator, self.encoder)]
        same = estimator.n_features_in_ == self.encoder.n_features_in_
        if not same or list(names[0]) != list(names[1]):
            raise ValueError("an encoder of other columns")


@dataclass(frozen=True)
class TableRows:
    """Encoded rows, targets, and weights, which are integers if they count equal rows, or None."""

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
        """Return sorted distinct rows with summed weights, so that weights act as equal rows do."""
        labels = _ranks(self.y)
        if labels is None:
            return self
        keys = np.column_stack([self.values.astype(np.float64), labels])
        _, first, number = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        weight = np.bincount(number.ravel(), self.weight, minlength=len(first))
        return TableRows(self.values[first], self.y[first], None if (weight == 1).all() else weight)


def _ranks(y):
    """Return the rank of each target within its column; None if targets cannot be sorted."""
    columns = y.reshape(len(y), -1).T
    try:
        return np.column_stack([np.unique(c, return_inverse=True)[1].ravel() for c in columns])
    except TypeError:
        return None
