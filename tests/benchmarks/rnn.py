"""Recurrent networks: whole training steps and prediction, beside torch where it is installed.

Run as ``python tests/benchmarks/rnn.py [row ...]``; rows are steps, ragged, predict and kernels,
all but the last by default. Ratios are torch's time against ours: above 1 this package is faster.
ragged is JapaneseVowels, of 7 to 29 steps, from $SKLEARN_NN_DATA or ../shared/data; torch gets
batches of packed sequences. kernels prints every kernel of recurrent layers by itself on one
thread.
"""

from __future__ import annotations

import functools
import sys
from pathlib import Path

import numpy as np
from cnn import against_torch, our_model, torch_epoch, torch_predict
from contract import peak
from conv import best_seconds, repeat

from sklearn_nn.layers import GRU, LSTM, SimpleRNN
from sklearn_nn.layers.base import CTX_SIZE, TRAINING
from sklearn_nn.network.lowering import ProgramBuilder
from sklearn_nn.network.program import allocate

BATCH, N_BATCHES, RAGGED_BATCH = 64, 40, 32
CELLS = {"SimpleRNN": (SimpleRNN, "RNN"), "GRU": (GRU, "GRU"), "LSTM": (LSTM, "LSTM")}
#: cell, steps, features, units, how many upon one another
NETWORKS = [
    ("SimpleRNN", 50, 16, 64, 1),
    ("GRU", 50, 16, 64, 1),
    ("LSTM", 50, 16, 64, 1),
    ("LSTM", 100, 65, 128, 2),
]


def samples(n, steps, features):
    """Random sequences and labels of ten classes."""
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, steps, features), dtype="float32"), rng.integers(0, 10, n)


def our_network(cell, steps, features, units, count, threads):
    """An estimator that trains an epoch at a time."""
    kind, _ = CELLS[cell]
    layers = [kind(units, return_sequences=k < count - 1) for k in range(count)]
    model = our_model(layers, BATCH, 1, threads)
    return model.set_params(input_shape=(steps, features))


def torch_network(cell, features, units, count):
    """The same in torch: recurrent layers, and a dense one on what the last gives last."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            kind = getattr(torch.nn, CELLS[cell][1])
            self.recurrent = kind(features, units, count, batch_first=True)
            self.output = torch.nn.Linear(units, 10)

        def forward(self, x):
            return self.output(self.recurrent(x)[0][:, -1])

    return Network()


def torch_training(cell, features, units, count, X, y):
    """A function that runs an epoch of the same network in torch."""
    import torch

    model, data, labels = (
        torch_network(cell, features, units, count), torch.from_numpy(X), torch.from_numpy(y)
    )  # fmt: skip
    optimizer = torch.optim.Adam(model.parameters())
    return [functools.partial(torch_epoch, model, optimizer, data, labels, BATCH)]


def steps():
    """Microseconds of a training step with Adam."""
    for cell, length, features, units, count in NETWORKS:
        X, y = samples(BATCH * N_BATCHES, length, features)
        flat = X.reshape(len(X), -1)
        for threads in (1, 2):
            model = our_network(cell, length, features, units, count, threads).initialize(flat, y)
            against_torch(
                f"{cell}({units}) x {count}, {length} steps of {features}, {threads} threads",
                functools.partial(model.partial_fit, flat, y),
                functools.partial(torch_training, cell, features, units, count, X, y),
                threads, N_BATCHES, "us/step",
            )  # fmt: skip


def vowels():
    """The sequences of JapaneseVowels eight times over, in float32, and their labels as numbers."""
    sys.path.insert(0, str(Path(__file__).parents[1]))
    from helpers.real_sequences import find, read_ts

    X, y = read_ts(find("ucr_uea/JapaneseVowels_TRAIN.ts"))
    return [x.astype("float32") for x in X] * 8, np.tile(np.unique(y, return_inverse=True)[1], 8)


def torch_packed(features, units, classes, X, y):
    """A function that runs an epoch of an LSTM on packed sequences."""
    import torch

    lstm, output = torch.nn.LSTM(features, units), torch.nn.Linear(units, classes)
    optimizer = torch.optim.Adam([*lstm.parameters(), *output.parameters()])
    data, labels = [torch.from_numpy(x) for x in X], torch.from_numpy(y)

    def epoch():
        order = torch.randperm(len(data))
        for start in range(0, len(data), RAGGED_BATCH):
            rows = order[start : start + RAGGED_BATCH]
            batch = torch.nn.utils.rnn.pack_sequence([data[k] for k in rows], enforce_sorted=False)
            optimizer.zero_grad()
            z = output(lstm(batch)[1][0][-1])
            torch.nn.functional.cross_entropy(z, labels[rows]).backward()
            optimizer.step()

    return [epoch]


def ragged():
    """Microseconds of a training step with Adam on sequences of unequal length."""
    X, y = vowels()
    features, units = X[0].shape[1], 64
    for threads in (1, 2):
        model = our_model([LSTM(units)], RAGGED_BATCH, 1, threads).initialize(X, y)
        against_torch(
            f"LSTM({units}), JapaneseVowels, batch {RAGGED_BATCH}, {threads} threads",
            functools.partial(model.partial_fit, X, y),
            functools.partial(torch_packed, features, units, y.max() + 1, X, y),
            threads, -(-len(X) // RAGGED_BATCH), "us/step",
        )  # fmt: skip


def predict():
    """Microseconds to predict one of 1,000 sequences."""
    for cell, length, features, units, count in NETWORKS[2:3]:
        X, y = samples(1000, length, features)
        flat = X.reshape(len(X), -1)

        def theirs(X=X, cell=cell, features=features, units=units, count=count):
            import torch

            network = torch_network(cell, features, units, count).eval()
            return [functools.partial(torch_predict, network, torch.from_numpy(X))]

        for threads in (1, 2):
            model = our_network(cell, length, features, units, count, threads).initialize(flat, y)
            against_torch(
                f"predict 1,000, {cell}({units}), {length} steps, {threads} threads",
                functools.partial(model.predict, flat), theirs, threads, len(X), "us/row",
            )  # fmt: skip


class Kernels:
    """The kernels of a layer, and memory that they run in."""

    def __init__(self, layer, shape):
        builder, self._rng = ProgramBuilder(), np.random.default_rng(0)
        layer.lower(builder, builder.slot(shape))
        sizes = [int(np.prod(slot)) for slot in builder.slots]
        self._slots = [self._filled((BATCH, size), 1.0) for size in sizes]
        self._gradients = [self._filled((BATCH, size), 0.01) for size in sizes]
        self.instructions = builder.instructions
        scratch = max(op.scratch for op in builder.instructions)
        self._ctx = np.zeros(CTX_SIZE + scratch, np.int64)
        self._ctx[TRAINING] = 1

    def _filled(self, shape, scale):
        array = allocate(shape, "float32")
        array[...] = scale * self._rng.standard_normal(array.shape)
        return array

    def seconds(self, op):
        """(kernel, seconds) of an instruction."""
        size = sum(p.size for p in op.parameters)
        theta, grad = self._filled(size, 0.1), allocate(size, "float32")
        state, work = allocate(0, "float32"), allocate(op.work, "float32")
        geometry = np.zeros(17, np.int64)
        geometry[: len(op.geometry)] = op.geometry
        geometry.flags.writeable = False
        x, y = self._slots[op.x], self._slots[op.y]
        before = (self._ctx, geometry, 0, 1, theta)
        ahead = (*before, state, work, x, y)
        behind = (*before, grad, state, work, x, y, self._gradients[op.x], self._gradients[op.y])
        given = (ahead, behind, behind, (*before, work), ahead, behind)
        for kernel, arguments in zip(op.kernels, given, strict=True):
            if kernel is not None:
                at = kernel.address("float32")
                run = functools.partial(repeat, address=at, arguments=arguments)
                yield kernel, best_seconds(run)


def kernels():
    """Microseconds of every kernel; of those that contract, the share of the tile's peak.

    Those of a recurrent layer include the gates, and its weights' the biases.
    """
    limit = peak("float32")
    print(f"one thread, peak of the tile {limit:.0f} GFLOP/s")
    for cell, length, features, units, count in NETWORKS:
        for depth in range(count):
            width = units if depth else features
            print(f"{cell}({units}), {length} steps of {width}, batch {BATCH}")
            timed = Kernels(CELLS[cell][0](units), (length, width))
            for op in timed.instructions:
                matrices = [p.size for p in op.parameters if not p.name.endswith("bias")]
                for kernel, seconds in timed.seconds(op):
                    work = 2e-9 * BATCH * length * sum(matrices)
                    counts = work and kernel.kind.name != "prepare"
                    share = f"{work / seconds / limit:8.0%}" if counts else ""
                    print(f"  {kernel.name:46s}{seconds * 1e6:9.1f} us{share}")


def main():
    """The rows that are asked for."""
    rows = {"steps": steps, "ragged": ragged, "predict": predict, "kernels": kernels}
    for name in sys.argv[1:] or ["steps", "ragged", "predict"]:
        rows[name]()


if __name__ == "__main__":
    main()
