"""One row for every layer that reads sequences step by step, with its naive twin."""

import numpy as np

from helpers.layer_cases.base import LayerCase, Plan
from helpers.naive import sequences as twins
from sklearn_nn.layers import (
    Activation,
    Add,
    AttentionPool,
    AveragePool1D,
    Bottleneck,
    Conv1D,
    Dense,
    Dropout,
    Embedding,
    GaussianNoise,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    LayerNorm,
    MaxPool1D,
    Members,
    OneHot,
    Parallel,
    Residual,
    TimeDistributed,
)

PLAN = Plan(
    batches=(5,),
    training=(True, False),
    part_batches=(21,),
    parts=(2, 3, 4),
    row_slices=(slice(0, 1), slice(3, 4), slice(0, 8), slice(2, 11)),
    parameter_scale=0.5,
)
STEPS = 9


def by_sequence(forward, backward, channels):
    """Return the twin for a batch, from the twin for one sequence of shape (steps, channels)."""

    def forward_all(parameters, x, context):
        return np.stack([forward(parameters, row.reshape(-1, channels)) for row in x])

    def backward_all(parameters, x, dy, context):
        dx, total = [], 0
        for row, slope in zip(x, dy, strict=True):
            sequence = row.reshape(-1, channels)
            y = forward(parameters, sequence)
            own, gradients = backward(parameters, sequence, slope.reshape(y.shape))
            dx.append(own.reshape(-1))
            total = [a + b for a, b in zip(total, gradients, strict=True)] if total else gradients
        return np.stack(dx), total

    return forward_all, backward_all


def _row(name, layer, channels, forward, backward, whole_numbers=0):
    return LayerCase(
        name, layer, ((STEPS, channels),), *by_sequence(forward, backward, channels), PLAN,
        whole_numbers=whole_numbers, ragged=True,
    )  # fmt: skip


def _step_row(layer, channels, forward, backward):
    return _row(f"{layer}{channels}", layer, channels, forward, backward)


_MEAN = (twins.mean_forward, twins.mean_backward)
_MAX = (twins.max_forward, twins.max_backward)
_LAST = (twins.last_forward, twins.last_backward)
_ATTENTION = (twins.attention_forward, twins.attention_backward)
_DENSE = (twins.dense_forward, twins.dense_backward)
_MIXED = (twins.mixed_forward, twins.mixed_backward)
_BOTH = (twins.mean_and_max_forward, twins.mean_and_max_backward)
_TWO = Members([GlobalAveragePool(), GlobalMaxPool()])
_TABLE = (twins.embedding_forward, twins.embedding_backward)
CASES = [
    *(_step_row(GlobalAveragePool(), channels, *_MEAN) for channels in (1, 19)),
    *(_step_row(GlobalMaxPool(), channels, *_MAX) for channels in (1, 19)),
    *(_step_row(LastStep(), channels, *_LAST) for channels in (1, 19)),
    *(
        _step_row(AttentionPool(units), channels, *_ATTENTION)
        for units, channels in [(None, 5), (1, 3), (33, 20), (4, 1)]
    ),
    *(_step_row(Bottleneck(filters), channels, *_MIXED) for filters, channels in [(6, 5), (6, 1)]),
    *(_row(f"members{channels}", _TWO, channels, *_BOTH) for channels in (1, 19)),
    *(_step_row(TimeDistributed(Dense(u)), c, *_DENSE) for u, c in [(1, 5), (6, 1), (37, 20)]),
    *(
        _row(f"embedding{n}x{width}", Embedding(n, width), 1, *_TABLE, n)
        for n, width in [(1, 1), (7, 5), (65, 64), (4, 33)]
    ),
    *(
        _row(f"one_hot{n}", OneHot(n), 1, twins.one_hot_forward(n), twins.one_hot_backward, n)
        for n in (1, 6, 20)
    ),
]  # fmt: skip


def chain(*layers):
    """Return layers that follow one another as one layer."""
    return Add([list(layers)])


_OTHERS = [
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
#: Layers whose twins are in other tables, to be tested with sequences of unequal length.
WITHOUT_TWIN = [
    LayerCase(f"{layer}{channels}", layer, ((9, channels),), None, None, PLAN, ragged=True)
    for layer, channels in _OTHERS
]
