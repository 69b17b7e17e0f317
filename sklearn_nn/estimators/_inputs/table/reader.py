"""Reader of tables of any kind: numbers, text, categories, missing values."""

from __future__ import annotations

from sklearn_nn.estimators._inputs.reader import InputReader
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder

#: Bytes of encoded rows that prediction makes at a time.
_BLOCK_BYTES = 8 * 2**20


class TableReader(InputReader):
    """Reader of tables, which an encoder turns into rows of numbers.

    Parameters
    ----------
    **options : dict
        Parameters of `TableEncoder`.

    Attributes
    ----------
    encoder : TableEncoder
    bins : list of ndarray or None
        Edges of bins for each number, where embeddings need them.
    """

    LEARNT = NEEDED = ("encoder", "bins")

    def __init__(self, **options):
        self.options = options
        self.bins = None

    def learn_encoder(self, X, sample_weight, estimator):
        """Learn what the columns of the table are, and publish it."""
        self.encoder = TableEncoder(**self.options)._learn(X, sample_weight, estimator)
        self.publish(estimator)

    def learn_bins(self, values, n_bins, weight):
        """Learn the edges of bins of the numbers from encoded rows."""
        self.bins = self.encoder.bin_edges(values, n_bins, weight)

    def check(self, X, estimator):
        """Return the encoded table."""
        self.settle(estimator)
        return self.encoder.encode(X, estimator)

    def settle(self, estimator):
        """Set `shape` from what was learnt."""
        self.shape = (self.encoder.n_features_out_,)

    def blocks(self, X, network, estimator):
        """Check X and yield its sources, each for a block of rows."""
        n_rows = max(1, _BLOCK_BYTES // (8 * self.encoder.n_features_out_))
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
        """Return what was learnt, as plain values."""
        return {"encoder": self.encoder.state(), "bins": self.bins}

    def take(self, learnt):
        """Take over what `learnt` returned."""
        self.encoder, self.bins = TableEncoder.from_state(learnt["encoder"]), learnt["bins"]

    def check_loaded(self, estimator):
        """Raise ValueError if the encoder is not that of the estimator."""
        names = [vars(x).get("feature_names_in_", ()) for x in (estimator, self.encoder)]
        same = estimator.n_features_in_ == self.encoder.n_features_in_
        if not same or list(names[0]) != list(names[1]):
            raise ValueError("an encoder of other columns")
