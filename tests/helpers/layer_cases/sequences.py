"""One row for every layer of sequences with its naive twin; layers that take unequal lengths."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.comparison import assert_close
from helpers.layer_runs import LayerRun
from helpers.naive import sequences as twins
from helpers.naive.random_numbers import Context
from sklearn_nn.layers import (
    Activation,
    Add,
    AttentionPool,
    AveragePool1D,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    Layer,
    LayerNorm,
    MaxPool1D,
    OneHot,
    Parallel,
    Residual,
    TimeDistributed,
)

CONTEXT = Context(seed=12, step=34)
#: Steps of the rows of a batch: none, all, and what kernels of several steps do not fit.
LENGTHS = [5, 0, 9, 1, 2, 9, 3, 4, 8, 7, 6, 1, 0, 9, 5, 3, 2, 7, 9]


@dataclass(frozen=True)
class SequenceCase:
    """A layer, the channels of a step, and its twin for one sequence.

    Attributes
    ----------
    numbers : int
        What it reads is whole numbers below this; 0 for any numbers.
    """

    name: str
    layer: Layer
    channels: int
    forward: Callable
    backward: Callable
    numbers: int = 0


def _pool(layer, channels, forward, backward):
    return SequenceCase(f"{layer}{channels}", layer, channels, forward, backward)


_MEAN = (twins.mean_forward, twins.mean_backward)
_MAX = (twins.max_forward, twins.max_backward)
_LAST = (twins.last_forward, twins.last_backward)
_ATTENTION = (twins.attention_forward, twins.attention_backward)
_DENSE = (twins.dense_forward, twins.dense_backward)
_TABLE = (twins.embedding_forward, twins.embedding_backward)
CASES = [
    *(_pool(GlobalAveragePool(), channels, *_MEAN) for channels in (1, 19)),
    *(_pool(GlobalMaxPool(), channels, *_MAX) for channels in (1, 19)),
    *(_pool(LastStep(), channels, *_LAST) for channels in (1, 19)),
    *(_pool(AttentionPool(u), c, *_ATTENTION) for u, c in [(None, 5), (1, 3), (33, 20), (4, 1)]),
    *(_pool(TimeDistributed(Dense(u)), c, *_DENSE) for u, c in [(1, 5), (6, 1), (37, 20)]),
    *(
        SequenceCase(f"embedding{n}x{width}", Embedding(n, width), 1, *_TABLE, n)
        for n, width in [(1, 1), (7, 5), (65, 64), (4, 33)]
    ),
    *(
        SequenceCase(
            f"one_hot{n}", OneHot(n), 1, twins.one_hot_forward(n), twins.one_hot_backward, n
        )
        for n in (1, 6, 20)
    ),
]  # fmt: skip


def chain(*layers):
    """Layers that follow one another, as one layer."""
    return Add([list(layers)])


#: (layer, channels): layers that are tested elsewhere, to be tested with unequal lengths.
OTHERS = [
    (Activation("tanh"), 5),
    (Activation("gelu"), 5),
    (Activation("softmax"), 5),
    (Dropout(0.4), 5),
    (GaussianNoise(0.7), 5),
    (LayerNorm(), 19),
    *((Conv1D(6, 3, padding="same"), c) for c in (3, 20, 70)),
    *((Conv1D(6, 3, padding="same", use_bias=False), c) for c in (3, 20, 70)),
    (Conv1D(6, 4, padding="same"), 20),
    (Conv1D(6, 3, padding="same", dilation_rate=2), 5),
    (Conv1D(6, 3, padding="same", groups=2), 4),
    (Conv1D(5, 3, padding="same", groups=5), 5),
    (Conv1D(6, 1), 5),
    (Conv1D(6, 1, strides=2, padding="same"), 5),
    *((Conv1D(6, 3, strides=s), c) for c in (3, 20, 70) for s in (1, 2, 3)),
    (Conv1D(6, 3, dilation_rate=2), 5),
    (Conv1D(5, 3, strides=2, dilation_rate=2, groups=5), 5),
    (MaxPool1D(), 5),
    (MaxPool1D(3, strides=2), 5),
    (MaxPool1D(2, strides=3), 5),
    (MaxPool1D(1, padding="same"), 5),
    (AveragePool1D(), 5),
    (AveragePool1D(3, strides=1), 5),
    (Residual([Conv1D(4, 3, padding="same"), Activation("relu"), Conv1D(4, 1)]), 4),
    (Parallel([Conv1D(2, 3, strides=2), MaxPool1D(3, strides=2)]), 4),
    (Add([GlobalAveragePool(), GlobalMaxPool()]), 4),
    (chain(Conv1D(6, 2), Activation("relu"), MaxPool1D(), Conv1D(5, 2, padding="same")), 3),
    (chain(Conv1D(6, 3, strides=2), LayerNorm(), Dropout(0.3), AveragePool1D(2, strides=1)), 4),
    (chain(TimeDistributed(Dense(6)), Conv1D(6, 2, strides=2), AttentionPool()), 4),
    (chain(MaxPool1D(2), Conv1D(6, 3, padding="same"), Activation("tanh"), LastStep()), 4),
    (chain(Conv1D(6, 3, padding="same"), Conv1D(5, 3, padding="same"), GlobalMaxPool()), 4),
]  # fmt: skip


def own_steps(clock, n):
    """Steps of a sequence of n in a slot of this clock."""
    return max(n + clock.offset, 0) // clock.stride


def drawn(case, dtype, lengths, most, seed=0):
    """Sequences of these lengths, of numbers that float32 holds exactly."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((len(lengths), most, case.channels))
    if case.numbers:
        x = rng.integers(0, case.numbers, x.shape)
    return x.astype("float32").astype(dtype)


class Batch:
    """A layer run on sequences of unequal length, in room for `most` steps.

    Attributes
    ----------
    y : list of ndarray
        Of each row what is its own: (steps, channels), or a vector.
    dx : list of ndarray
        Of each row, of shape (steps, channels).
    grad : ndarray
        Of all parameters.
    """

    def __init__(self, case, dtype, lengths, most, *, parts=1, fill=1e3, seed=0):
        shape = (most, case.channels)
        self.run = run = LayerRun(case.layer, shape, dtype, CONTEXT, lengths, fill)
        rng, n = np.random.default_rng(seed), len(lengths)
        self.theta = (0.5 * rng.standard_normal(run.n_theta)).astype("float32").astype(dtype)
        self.x = drawn(case, dtype, lengths, max(LENGTHS))[:, : min(most, max(LENGTHS))]
        room = np.full((n, *shape), fill, dtype)
        for row, sequence, steps in zip(room, self.x, lengths, strict=True):
            row[:steps] = sequence[:steps]
        out = (n, *case.layer.output_shape(shape))
        widest = (n, *case.layer.output_shape((max(LENGTHS), case.channels)))
        own = rng.standard_normal(widest).astype("float32").astype(dtype)
        self.dy, self.own = np.zeros(out, dtype), [None] * n
        for i, steps in enumerate(lengths):
            self.own[i] = slice(None if run.clock is None else own_steps(run.clock, steps))
            self.dy[i][self.own[i]] = own[i][self.own[i]]
        room, dy = room.reshape(n, -1), self.dy.reshape(n, -1)
        y = run.forward(self.theta, room, parts).reshape(out)
        self.y = [row[part] for row, part in zip(y, self.own, strict=True)]
        dx, self.grad = run.backward(self.theta, room, dy, parts)
        self.dx = list(dx.reshape(n, *shape))


def alone(case, dtype, batch, i, steps):
    """Row i in a batch of sequences as long as itself: y, dx and the parameters' gradient.

    None where there is no such program: without steps, and where a window does not fit.
    """
    if steps == 0:
        return None
    try:
        run = LayerRun(case.layer, (steps, case.channels), dtype, CONTEXT)
    except ValueError as error:
        if "does not fit" not in str(error):
            raise
        return None
    x = np.repeat(batch.x[i : i + 1, :steps], i + 1, axis=0).reshape(i + 1, -1)
    out = case.layer.output_shape((steps, case.channels))
    dy = np.zeros((i + 1, *out), dtype)
    dy[i] = batch.dy[i][batch.own[i]]
    y = run.forward(batch.theta, x)[i].reshape(out)
    dx, grad = run.backward(batch.theta, x, dy.reshape(i + 1, -1))
    return y, dx[i].reshape(steps, -1), grad


def check_padding(case, dtype):
    """Of every row its own results, to the bit, however much padding there is and what is in it."""
    batches = [
        Batch(case, dtype, LENGTHS, most, parts=parts, fill=fill)
        for most, parts, fill in [(9, 1, 1e3), (9, 3, -7.0), (12, 1, 1e3), (31, 2, 0.5)]
    ]
    total, clock = np.zeros(batches[0].grad.size), batches[0].run.clock
    for i, steps in enumerate(LENGTHS):
        found = alone(case, dtype, batches[0], i, steps)
        if found is None:
            y, dx = np.zeros_like(batches[0].y[i]), 0
            assert clock is None or len(y) == 0
        else:
            y, dx, grad = found
            total += grad
        for batch in batches:
            np.testing.assert_array_equal(batch.y[i], y)
            np.testing.assert_array_equal(batch.dx[i][:steps], dx)
            assert (batch.dx[i][steps:] == 0).all()
    for batch in batches:
        scale = max(1.0, np.abs(total).max(initial=0))
        assert_close(batch.grad / scale, total / scale, dtype, factor=4)
    np.testing.assert_array_equal(batches[0].grad, batches[1].grad)
