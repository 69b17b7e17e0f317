"""What RNNClassifier and RNNRegressor have in common."""

from __future__ import annotations

from typing import ClassVar

import numpy as np
from scipy import sparse
from sklearn.utils._param_validation import StrOptions

from sklearn_nn.estimators._encoding import is_bytes
from sklearn_nn.estimators._network import SHAPE_CONSTRAINTS, Shaped
from sklearn_nn.estimators._parameters import TRAINING_CONSTRAINTS
from sklearn_nn.estimators._presets import check_sizes, draws, dropout_rates, hidden_layers
from sklearn_nn.estimators._recurrent import COUNT, RECURRENT_CONSTRAINTS, recurrent_layers
from sklearn_nn.estimators._sequences import Sequences
from sklearn_nn.layers import (
    AttentionPool,
    Dense,
    Dropout,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    TimeDistributed,
)
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.network.source import in_windows

#: What is made of the last recurrent layer's steps; for "last" it hands on no other.
POOLS = {"mean": GlobalAveragePool, "max": GlobalMaxPool, "attention": AttentionPool}


class BaseRNN(Shaped):
    """Recurrent layers, pooling over time, then dense layers."""

    _takes_any_length = True
    _parameter_constraints: ClassVar[dict] = {
        **RECURRENT_CONSTRAINTS,
        "bidirectional": ["boolean"],
        "pooling": [StrOptions({"last", *POOLS})],
        "hidden_layer_sizes": ["array-like", *COUNT],
        "return_sequences": ["boolean"],
        "truncation": [*COUNT, None],
        "activation": [StrOptions(set(HIDDEN_ACTIVATIONS))],
        **SHAPE_CONSTRAINTS,
        **{k: v for k, v in TRAINING_CONSTRAINTS.items() if k != "batch_norm"},
    }

    def _steps_of_rows(self):
        shape = self.input_shape
        return (-1, 1) if shape is None or len(shape) != 2 else (int(shape[0]), int(shape[1]))

    def _shape_of_rows(self, n_features):
        return (n_features, 1)  # a signal of one channel

    def _form(self):
        form = super()._form()
        if self.truncation is None:
            return form
        return {**form, "shape": (self.truncation, form["shape"][1]), "carries": True}

    def _encode_rows(self, X, dtype):
        if self.truncation is None:
            return super()._encode_rows(X, dtype)
        if sparse.issparse(X):
            X = X.toarray()
        if isinstance(X, Sequences) and X.is_even and X.sample_shape == self.input_shape_:
            # As an array of them, whose batches are made in another way than those of a list.
            X = X.values[: X.shape[0] * X.shape[1]].reshape(X.shape)
        if not isinstance(X, Sequences):
            rows = X if X.ndim == 2 else np.moveaxis(X, 1, 2).reshape(len(X), -1)
            steps, channels = self.input_shape_
            if steps % self.truncation == 0:
                windows = steps // self.truncation
                return in_windows(rows, windows, dtype, self._byte_divisor())
            if is_bytes(rows):
                rows = rows.astype(np.float32) / np.float32(self._byte_divisor())
            rows = np.ascontiguousarray(rows)
            starts = np.arange(len(rows)) * rows.shape[1]
            X = Sequences(rows.reshape(-1), starts, np.full(len(rows), steps), channels)
        X.window = self.truncation
        return X.source(dtype)

    def _blocks(self, X, dtype, divisor):
        if self.truncation is None:
            return super()._blocks(X, dtype, divisor)
        return iter([self._encode_rows(X, dtype)])

    def _recurrent_layers(self):
        """The recurrent layers, and the rate of the dropout behind the last."""
        kernel, _ = draws(self)
        sizes = check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        rates = dropout_rates(self.dropout, self.num_layers + len(sizes))[: self.num_layers]
        layers = recurrent_layers(
            self.cell,
            self.hidden_size,
            rates,
            return_sequences=self.return_sequences or self.pooling != "last",
            bidirectional=self.bidirectional,
            kernel_initializer=kernel,
        )
        return layers, rates[-1]

    def _layers(self):
        self._check_truncation()
        if len(self._sample_shape()) != 2:
            raise ValueError(
                f"input_shape={self.input_shape_}: recurrent layers need (steps, channels)."
            )
        layers, rate = self._recurrent_layers()
        if self.input_noise:
            layers.insert(0, ("noise", GaussianNoise(self.input_noise)))
        if not self.return_sequences and self.pooling != "last":
            layers.append(("pooling", POOLS[self.pooling]()))
        if rate:
            layers.append((f"{self.cell}dropout{self.num_layers}", Dropout(rate)))
        layers += hidden_layers(self, self.num_layers)
        if not self.return_sequences:
            return self._with_output(layers)
        self.out_activation_ = self._loss().link
        layers.append(("output", Dense(self.n_outputs_)))
        return [(n, TimeDistributed(x) if isinstance(x, Dense) else x) for n, x in layers]

    def _check_truncation(self):
        """Raise a ValueError where sequences cannot be read in windows."""
        if self.truncation is None:
            return
        if not self.return_sequences and self.pooling != "last":
            raise ValueError(
                f"truncation={self.truncation} reads sequences window by window, and "
                f"pooling={self.pooling!r} all steps at once; set pooling='last', or "
                "truncation=None."
            )
        if self.bidirectional:
            raise ValueError(
                f"truncation={self.truncation} reads sequences forward, window by window; set "
                "bidirectional=False, or truncation=None."
            )
        if self.solver == "lbfgs":
            raise ValueError(
                f"truncation={self.truncation} trains window by window, and solver='lbfgs' on all "
                "rows at once; use another solver, or truncation=None."
            )
