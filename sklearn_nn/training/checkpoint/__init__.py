"""Checkpoints: `file` writes and reads them, `encoding` converts values to JSON and arrays."""

from sklearn_nn.training.checkpoint.file import CheckpointError, read, storable, write

__all__ = ["CheckpointError", "read", "storable", "write"]
