"""Recurrent networks: whole training steps, beside torch where it is installed.

Run as ``python tests/benchmarks/rnn.py``. Ratios are torch's time against ours: above 1 this
package is faster.
"""

from __future__ import annotations

import functools

import numpy as np
from cnn import against_torch, our_model, torch_epoch

from sklearn_nn.layers import GRU, LSTM, SimpleRNN

STEPS, FEATURES, UNITS, BATCH, N_BATCHES = 50, 16, 64, 64, 20


def samples():
    """Random sequences and labels of ten classes."""
    rng = np.random.default_rng(0)
    n = BATCH * N_BATCHES
    return rng.standard_normal((n, STEPS, FEATURES), dtype="float32"), rng.integers(0, 10, n)


def torch_runs(name, X, y):
    """A function that runs an epoch of the same network in torch."""
    import torch

    class Network(torch.nn.Module):
        """A recurrent layer, and a dense one on what it gives last."""

        def __init__(self) -> None:
            super().__init__()
            self.recurrent = getattr(torch.nn, name)(FEATURES, UNITS, batch_first=True)
            self.output = torch.nn.Linear(UNITS, 10)

        def forward(self, x):
            return self.output(self.recurrent(x)[0][:, -1])

    model, data, labels = Network(), torch.from_numpy(X), torch.from_numpy(y)
    optimizer = torch.optim.Adam(model.parameters())
    return [functools.partial(torch_epoch, model, optimizer, data, labels, BATCH)]


def main():
    """Microseconds of a training step with Adam."""
    X, y = samples()
    flat = X.reshape(len(X), -1)
    for layer, name in ((SimpleRNN, "RNN"), (GRU, "GRU"), (LSTM, "LSTM")):
        for threads in (1, 2):
            model = our_model([layer(UNITS)], BATCH, 1, threads)
            model.set_params(input_shape=(STEPS, FEATURES)).initialize(flat, y)
            against_torch(
                f"{layer.__name__}({UNITS}), {STEPS} steps of {FEATURES}, {threads} threads",
                functools.partial(model.partial_fit, flat, y),
                functools.partial(torch_runs, name, X, y),
                threads, N_BATCHES, "us/step",
            )  # fmt: skip


if __name__ == "__main__":
    main()
