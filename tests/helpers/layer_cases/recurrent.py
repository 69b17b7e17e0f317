"""Recurrent layers, and sequences for them."""

import numpy as np
import pytest

from helpers.layer_runs import LayerRun
from helpers.parametrize import DTYPES
from sklearn_nn.layers import GRU, LSTM, SimpleRNN

KINDS = (SimpleRNN, LSTM, GRU)
WAYS = [
    {"return_sequences": sequences, "go_backwards": backwards}
    for sequences in (False, True)
    for backwards in (False, True)
]
kinds = pytest.mark.parametrize("kind", KINDS)
dtypes = pytest.mark.parametrize("dtype", DTYPES)
ways = pytest.mark.parametrize("way", WAYS, ids=lambda way: "-".join(k for k in way if way[k]))


def draw(dtype, *shape, scale=1.0, seed=0):
    """Numbers that float32 holds exactly."""
    values = scale * np.random.default_rng(seed).standard_normal(shape)
    return values.astype("float32").astype(dtype)


def pad(rows, steps, fill):
    """Sequences as rows of a slot, with `fill` behind their ends."""
    padded = np.full((len(rows), steps, rows[0].shape[-1]), fill, rows[0].dtype)
    for row, sequence in zip(padded, rows, strict=True):
        row[: len(sequence)] = sequence
    return padded.reshape(len(rows), -1)


class Ragged:
    """A layer, sequences of these lengths for it, and a gradient of its output: 0 in padding."""

    def __init__(self, layer, lengths, features, dtype, seed=0):
        self.layer, self.lengths, self.dtype = layer, lengths, dtype
        self.rows = [draw(dtype, n, features, seed=seed + k) for k, n in enumerate(lengths)]
        self.sequences = getattr(layer, "layer", layer).return_sequences
        run = self.run(max(lengths))
        width = run.units // max(lengths) if self.sequences else run.units
        count = [n if self.sequences else 1 for n in lengths]
        self.dy = [draw(dtype, n, width, seed=seed + 99 + k) for k, n in enumerate(count)]
        self.theta = draw(dtype, run.n_theta, scale=0.5)

    def run(self, steps, **options):
        features = self.rows[0].shape[-1]
        return LayerRun(self.layer, (steps, features), self.dtype, lengths=self.lengths, **options)

    def of_row(self, k):
        """Output and dx of row k by itself, in a program of its own length."""
        run = LayerRun(self.layer, self.rows[k].shape, self.dtype)
        x, dy = self.rows[k].reshape(1, -1), self.dy[k].reshape(1, -1)
        return run.forward(self.theta, x)[0], run.backward(self.theta, x, dy)[0][0]

    def padded(self, steps, fill=7.0):
        """x and dy in a program for so many steps."""
        out = steps if self.sequences else 1
        return pad(self.rows, steps, fill), pad(self.dy, out, 0)

    def check_rows(self, steps, fill):
        """Every row is to the last bit as if alone, whatever the parts, and 0 behind its end."""
        x, dy = self.padded(steps, fill)
        alone = [self.of_row(k) for k in range(len(self.lengths))]
        for parts in (1, 2, 3):
            run = self.run(steps, fill=fill)
            y = run.forward(self.theta, x, parts)
            dx, _ = run.backward(self.theta, x, dy, parts)
            for k, (own, own_dx) in enumerate(alone):
                np.testing.assert_array_equal(y[k, : own.size], own)
                np.testing.assert_array_equal(y[k, own.size :], 0)
                np.testing.assert_array_equal(dx[k, : own_dx.size], own_dx)
                np.testing.assert_array_equal(dx[k, own_dx.size :], 0)
