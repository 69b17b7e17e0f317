"""Programs for prediction, whose slots share memory: the same bits in fewer columns."""

import numpy as np
import pytest

from helpers.loss_cases import LOSSES, sample
from helpers.programs import build, draw_theta, no_state
from helpers.random_networks import BY_NAME, random_stack
from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    Add,
    AttentionPool,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    GlobalAveragePool,
    GlobalMaxPool,
    LayerNorm,
    MaxPool1D,
    MaxPool2D,
    Parallel,
    Residual,
)
from sklearn_nn.network import machine
from sklearn_nn.network.machine import Predictor, predict
from sklearn_nn.network.program import X_AT, X_WIDTH, Y_AT, Y_WIDTH, allocate
from sklearn_nn.network.source import sequences, source

IMAGES = [
    Conv2D(17, 3, padding="same"), BatchNorm(), Activation("relu"),
    Residual([Conv2D(17, 3, padding="same"), Activation("gelu")]),
    Parallel([[], [Conv2D(5, 1), Activation("tanh")], [MaxPool2D(3, strides=1, padding="same")]]),
    Add([[Conv2D(8, 1)], [Conv2D(8, 3, padding="same"), BatchNorm()], [Conv2D(8, 1)]]),
    GlobalAveragePool(), Dense(3),
]  # fmt: skip


def runs(program, theta, X, targets, monkeypatch):
    """Outputs and losses with all slots apart, and with shared slots, some rows at a time."""
    data, found = source(X, program.dtype), []
    for size in (2**40, 1, 3 * program.compact.width):
        monkeypatch.setattr(machine, "PREDICT_SIZE", size)
        for n_jobs in (1, 3):
            made = Predictor(program, data, None, targets, n_jobs)
            found.append((made.run(theta, no_state(program)), made.losses))
    return found


def assert_all_same(found):
    for output, losses in found[1:]:
        np.testing.assert_array_equal(output, found[0][0])
        np.testing.assert_array_equal(losses, found[0][1])


@pytest.mark.parametrize("seed", range(12))
def test_random_networks_are_the_same_to_the_bit(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    case = LOSSES[seed % len(LOSSES)]
    program = build(random_stack(rng, case.n_outputs), 4, "float64", case.loss)
    X, y, _ = sample(rng, case, 37, 4)
    targets = case.loss.targets(y, None, "float64")
    assert_all_same(runs(program, draw_theta(program, rng, 0.4), X, targets, monkeypatch))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_branches_are_the_same_to_the_bit(dtype, monkeypatch):
    """Slots that are read later, or written by several instructions, keep what they hold."""
    rng = np.random.default_rng(0)
    case = BY_NAME["multiclass"]
    program = build(IMAGES, (6, 7, 3), dtype, case.loss)
    X, y, _ = sample(rng, case, 21, 126, dtype)
    theta, targets = draw_theta(program, rng, 0.2), case.loss.targets(y, None, dtype)
    assert_all_same(runs(program, theta, X, targets, monkeypatch))
    for name in program.cuts:
        outputs = []
        for size in (2**40, 1):
            monkeypatch.setattr(machine, "PREDICT_SIZE", size)
            data = source(X, dtype)
            outputs.append(predict(program.cut(name), theta, no_state(program), data))
        np.testing.assert_array_equal(*outputs)


def test_slots_that_live_at_once_are_apart():
    """Also from the output, and from the raw output, on which a loss acts."""
    program = build(IMAGES, (6, 7, 3), "float32", BY_NAME["multiclass"].loss)
    compact = program.compact
    slots = program.table[:, [X_AT, X_WIDTH, Y_AT, Y_WIDTH]].tolist()
    moved = compact.table[:, [X_AT, X_WIDTH, Y_AT, Y_WIDTH]].tolist()
    lives, n = {(0, program.input_width): [-1, 0, 0]}, len(slots)
    for k, (old, new) in enumerate(zip(slots, moved, strict=True)):
        for at in (0, 2):
            life = lives.setdefault((old[at], old[at + 1]), [k, k, new[at]])
            life[1] = k
            assert life[2] == new[at]
            assert old[at + 1] == new[at + 1]
    for slot, place in (
        (program.raw_slot, compact.raw_slot), (program.output_slot, compact.output_slot)
    ):  # fmt: skip
        lives[slot][1] = n
        assert lives[slot][2] == place[0]
    ends = [(begin, last, at, at + width) for (_, width), (begin, last, at) in lives.items()]
    for i, a in enumerate(ends):
        assert a[2] % 16 == 0
        assert a[3] <= compact.width
        for b in ends[:i]:
            assert a[1] < b[0] or b[1] < a[0] or a[3] <= b[2] or b[3] <= a[2]
    assert compact.width < program.width / 2


def test_a_deep_network_takes_the_memory_of_its_largest_layers():
    widths = {
        depth: build([Conv2D(4, 3, padding="same")] * depth, (8, 8, 4), "float32").compact.width
        for depth in (2, 20)
    }
    assert widths == {2: 2 * 256, 20: 2 * 256}


def test_a_network_that_carries_on_keeps_its_slots():
    """It finds in them what the last batch left."""
    for carries in (False, True):
        program = build([LSTM(3), Dense(2)], (5, 2), "float32", carries=carries)
        assert (program.compact is program) == carries


@pytest.mark.parametrize(
    "stack",
    [
        [Conv1D(6, 3, padding="same"), MaxPool1D(), LayerNorm(), Conv1D(5, 2), GlobalMaxPool()],
        [Residual([Conv1D(3, 3, padding="same"), Activation("gelu")]), AttentionPool()],
        [Bidirectional(LSTM(3, return_sequences=True)), Conv1D(4, 1), GRU(2)],
        [Parallel([[], Conv1D(2, 3, padding="same")]), LSTM(3, return_sequences=True)],
    ],
)
def test_nothing_is_read_before_it_is_written(stack, monkeypatch):
    """Not even behind the ends of sequences: memory that holds NaN gives the same."""
    rng = np.random.default_rng(0)
    lengths = rng.integers(1, 12, 30)
    starts = 3 * (np.cumsum(lengths) - lengths)
    values = rng.standard_normal(3 * lengths.sum())
    data = sequences(values, starts, lengths, 3, "float64")
    program = build(stack, (data.width // 3, 3), "float64", ragged=True)
    theta = draw_theta(program, rng)
    expected = predict(program, theta, no_state(program), data)
    assert np.isfinite(expected).all()

    def spoiled(shape, dtype):
        found = allocate(shape, dtype)
        found[...] = np.nan
        return found

    monkeypatch.setattr(machine, "allocate", spoiled)
    monkeypatch.setattr(machine, "PREDICT_SIZE", 1)
    for n_jobs in (1, 2):
        found = predict(program, theta, no_state(program), data, n_jobs=n_jobs)
        np.testing.assert_array_equal(found, expected)
