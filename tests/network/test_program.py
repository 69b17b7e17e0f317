"""From layers to a table: layout, spans, what is left out, errors that name the layer."""

import numpy as np
import pytest

from helpers.layer_cases.custom_layers import Grouped
from helpers.layer_cases.vectors import RESIDUAL, activation, dense, dropout
from helpers.programs import build
from sklearn_nn.layers import Activation, BatchNorm, Dense, Dropout, Residual
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.program import (
    BACKWARD_AT,
    BACKWARD_SUMS_AT,
    DX_AT,
    FORWARD_AT,
    FORWARD_SUMS_AT,
    GEOMETRY,
    LEAST_WIDTH,
    PREPARE_AT,
    THETA_AT,
    THETA_SIZE,
    WEIGHTS_AT,
    WORK_AT,
    WORK_SIZE,
    X_AT,
    X_WIDTH,
    Y_AT,
    Y_WIDTH,
)
from sklearn_nn.training.losses import SoftmaxLogLoss, SquaredError

STACK = [dense(7), activation("tanh"), dropout(0.5), dense(3)]


def test_table():
    program = build(STACK, 5, "float64", SoftmaxLogLoss())
    assert program.table.shape == (5, LEAST_WIDTH)
    assert program.table.dtype == np.int64
    assert program.n_trained == 4
    assert (program.table[:, FORWARD_AT] != 0).all()
    assert program.input_width == 5
    widths = program.table[:, [X_WIDTH, Y_WIDTH]].tolist()
    assert widths == [[5, 7], [7, 7], [7, 7], [7, 3], [3, 3]]
    # Each instruction reads what the one before has written; slots do not overlap, but where an
    # activation works in place.
    assert program.table[0, X_AT] == 0
    np.testing.assert_array_equal(program.table[1:, X_AT], program.table[:-1, Y_AT])
    np.testing.assert_array_equal(program.table[:, Y_AT], [5, 5, 12, 19, 22])
    assert program.raw_slot == (19, 3)
    assert program.output_slot == (22, 3)
    assert program.width == 25
    assert program.table[0, GEOMETRY : GEOMETRY + 2].tolist() == [5, 7]


def test_spans_begin_on_a_cache_line_and_do_not_overlap():
    program = build(STACK, 5, "float32")
    for at, size, total in [
        (THETA_AT, THETA_SIZE, program.n_theta),
        (WORK_AT, WORK_SIZE, program.n_work),
    ]:
        used = np.zeros(total, int)
        for start, length in program.table[:, [at, size]]:
            if length:
                assert start % 16 == 0
                used[start : start + length] += 1
        assert used.max() == 1
    spans = [(p.start, p.start + p.parameter.size) for p in program.parameters]
    assert spans == [(0, 35), (35, 42), (48, 69), (69, 72)]
    assert program.n_theta == 80


def test_nothing_flows_back_to_the_data():
    """The first layer's input wants no gradient; without trained layers nothing does."""
    program = build([activation("tanh"), dense(4), dense(2)], 3, "float64")
    backward = program.table[:, BACKWARD_AT] != 0
    assert backward.tolist() == [False, False, True]
    assert (program.table[:, PREPARE_AT] != 0).tolist() == [False, False, True]
    assert (program.table[:, WEIGHTS_AT] != 0).tolist() == [False, True, True]


def test_layers_that_do_nothing_are_no_instruction():
    program = lower(
        [("a", Dense(2)), ("b", Activation("identity")), ("c", Dropout(0.0))],
        (3,),
        "float32",
        SquaredError().link_layer(),
    )
    assert len(program.table) == program.n_trained == 1
    assert program.raw_slot == program.output_slot


def test_a_network_without_layers():
    program = lower([], (4,), "float64")
    assert program.table.shape == (0, LEAST_WIDTH)
    assert program.output_slot == (0, 4)
    assert program.n_theta == 0
    assert program.initialize(np.random.RandomState(0)).size == 0


def test_a_slot_read_twice_has_room_for_two_gradients():
    program = build([dense(6), RESIDUAL, dense(2)], 3, "float64")
    first, copy, add, last = program.table
    assert copy[X_AT] == add[X_AT] == first[Y_AT]
    assert copy[Y_AT] == add[Y_AT] == last[X_AT]
    # Backward runs from last to first: the dense branch writes, the copy adds.
    assert add[DX_AT] == add[X_AT]
    assert copy[DX_AT] == 3 + 6 + 6 + 2
    assert program.width == copy[DX_AT] + 6


def test_a_table_is_the_same_for_any_batch():
    """And another shape is another table, not other kernels."""
    one, other = build(STACK, 5, "float64"), build(STACK, 50, "float64")
    kernels = [FORWARD_AT, WEIGHTS_AT]
    np.testing.assert_array_equal(one.table[:, kernels], other.table[:, kernels])
    in_float32 = build(STACK, 5, "float32")
    assert (in_float32.table[:, FORWARD_AT] != one.table[:, FORWARD_AT]).all()
    np.testing.assert_array_equal(in_float32.table[:, X_AT:], one.table[:, X_AT:])


def test_groups():
    program = build([dense(3), dense(2)], 4, "float64")
    spans, factors = program.groups()
    assert spans.tolist() == [[0, 12], [12, 15], [16, 22], [22, 24]]
    assert factors.tolist() == [[1, 1], [1, 0], [1, 1], [1, 0]]


def test_groups_of_one_factor_are_one_and_frozen_parameters_are_in_none():
    layers = [
        Grouped(3, {"kernel": {"rate": 0.0, "decay": 2.0}, "bias": {"rate": 0.0}}),
        Grouped(2, {"kernel": {"rate": 0.5, "decay": 3.0}, "bias": {"rate": 0.5, "decay": 3.0}}),
    ]
    program = build(layers, 4, "float64")
    spans, factors = program.groups()
    assert spans.tolist() == [[16, 24]]
    assert factors.tolist() == [[0.5, 3]]
    assert program.table[0, WEIGHTS_AT] == 0
    assert program.table[1, WEIGHTS_AT] != 0
    assert program.table[1, BACKWARD_AT] == 0


def test_matrices_are_the_weights_that_are_trained():
    layers = [dense(3), Grouped(2, {"kernel": {"rate": 0.0}}), dense(5)]
    program = build(layers, 4, "float64")
    assert program.matrices().tolist() == [[0, 4, 3], [32, 2, 5]]


def test_no_groups():
    program = build([activation("relu")], 4, "float64")
    spans, factors = program.groups()
    assert spans.shape == (0, 2)
    assert factors.shape == (0, 2)
    assert program.matrices().shape == (0, 3)


def test_memories():
    """Memories of layers lie in `state`, as the parameters do in `theta`."""
    named = [("dense", Dense(3)), ("norm", BatchNorm()), ("norm2", BatchNorm())]
    program = lower(named, (4,), "float32")
    assert program.n_state == 32
    state = program.initial_state()
    views = {k: {n: p.view(state) for n, p in v.items()} for k, v in program.memories.items()}
    assert list(views) == ["norm", "norm2"]
    assert views["norm2"]["moving_variance"].tolist() == [1, 1, 1]
    assert state.tolist() == ([0, 0, 0, 1, 1, 1] + [0] * 10) * 2
    assert np.shares_memory(views["norm"]["moving_mean"], state)
    assert list(program.layers["norm"]) == ["gamma", "beta"]


def test_outline():
    named = [("first", Dense(3)), ("norm", BatchNorm()), ("relu", Activation("relu"))]
    program = lower(named, (4,), "float32")
    assert program.outline == [
        ("first", "Dense", (3,), 15, 0),
        ("norm", "BatchNorm", (3,), 6, 6),
        ("relu", "Activation", (3,), 0, 0),
    ]


def test_parameters_by_name():
    program = build([dense(3), activation("relu"), dense(2)], 4, "float32")
    assert list(program.layers) == ["layer0", "layer2"]
    assert list(program.layers["layer0"]) == ["kernel", "bias"]
    shapes = [placed.parameter.shape for placed in program.parameters]
    assert shapes == [(4, 3), (3,), (3, 2), (2,)]
    theta = np.arange(program.n_theta, dtype="float32")
    view = program.layers["layer2"]["bias"].view(theta)
    assert np.shares_memory(view, theta)
    assert view.tolist() == [22, 23]


def test_an_error_names_the_layer():
    with pytest.raises(ValueError, match=r"layer 'second': activation='x' is not known"):
        lower([("first", Dense(2)), ("second", Activation("x"))], (3,), "float64")
    with pytest.raises(ValueError, match=r"layer 'dense': Dense takes vectors"):
        lower([("dense", Dense(2))], (3, 3), "float64")


# --- factors on the learning rates of layers, and cuts -----------------------------------------


def _with_rates(rates, dtype="float64"):
    named = [("first", Dense(3)), ("norm", BatchNorm()), ("last", Dense(2))]
    return lower(named, (4,), dtype, rates=rates)


def test_rates_multiply_those_of_the_parameters():
    program = lower([("first", Grouped(3, {"kernel": {"rate": 0.5}}))], (4,), "float64")
    assert program.groups()[1].tolist() == [[0.5, 1], [1, 0]]
    assert program.frozen == ()
    rates = {"first": 0.5, "not_here": 0.0}
    program = lower(
        [("first", Grouped(3, {"kernel": {"rate": 0.5}}))], (4,), "float64", rates=rates
    )
    assert program.groups()[1].tolist() == [[0.25, 1], [0.5, 0]]


def test_frozen_layers_lie_where_they_lay():
    """In no group, without a gradient, and where the layout has them anyway."""
    plain, frozen = _with_rates({}), _with_rates({"first": 0.0, "norm": 0.0, "last": 2.0})
    assert frozen.frozen == ("first", "norm")
    assert [p.start for p in frozen.parameters] == [p.start for p in plain.parameters]
    places = [THETA_AT, THETA_SIZE, X_AT, Y_AT]
    np.testing.assert_array_equal(frozen.table[:, places], plain.table[:, places])
    assert frozen.groups()[0].tolist() == plain.groups()[0][-2:].tolist()
    assert frozen.groups()[1].tolist() == [[2, 1], [2, 0]]
    assert (frozen.table[:, WEIGHTS_AT] != 0).tolist() == [False, False, True]
    assert not frozen.table[:, BACKWARD_AT].any()
    assert plain.table[1, [FORWARD_SUMS_AT, BACKWARD_SUMS_AT]].all()
    assert not frozen.table[:, [FORWARD_SUMS_AT, BACKWARD_SUMS_AT]].any()


def test_gradients_reach_what_is_trained_below_a_frozen_layer():
    program = _with_rates({"norm": 0.0})
    assert (program.table[:, BACKWARD_AT] != 0).tolist() == [False, True, True]
    assert (program.table[:, WEIGHTS_AT] != 0).tolist() == [True, False, True]


def test_layers_within_layers_have_rates_of_their_own():
    block = Residual([("one", Dense(4)), ("two", Dense(4))])
    program = lower([("block", block)], (4,), "float64", rates={"block.two": 0.0})
    assert program.frozen == ("block.two",)
    assert program.groups()[0].tolist() == [[0, 16], [16, 20]]


def test_cuts():
    named = [("first", Dense(3)), ("same", Dropout(0.0)), ("act", Activation("tanh"))]
    program = lower([*named, ("last", Dense(2))], (4,), "float32", SoftmaxLogLoss().link_layer())
    assert list(program.cuts) == ["first", "same", "act", "last"]
    cut = program.cut("act")
    np.testing.assert_array_equal(cut.table, program.table[:2])
    assert cut.output_slot == cut.raw_slot == (4, 3)
    assert cut.width == 7 < program.width
    assert cut.n_theta == program.n_theta
    assert program.cut("same").output_slot == program.cut("first").output_slot == (4, 3)
    assert program.cut("last").output_slot == program.raw_slot
    assert not cut.table.flags.writeable
