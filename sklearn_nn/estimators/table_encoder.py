"""TableEncoder: the encoder of tables of any kind, under its public path."""

from sklearn_nn.estimators._inputs.table.encoder import TableEncoder

__all__ = ["TableEncoder"]
