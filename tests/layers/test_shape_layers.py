"""Layers that rename or pad shapes; stacks of image layers in the machine."""

import numpy as np
import pytest

from helpers.gradient_check import check_gradient
from helpers.loss_cases import sample
from helpers.parametrize import dtypes
from helpers.programs import build
from helpers.stacks import MULTICLASS, Stack
from sklearn_nn.layers import (
    Activation,
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
    Parallel,
    Reshape,
    Residual,
    ZeroPad,
)
from sklearn_nn.network.lowering import lower


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (Reshape((5, 3)), (4, 4), r"target_shape=\(5, 3\) does not hold the 16 elements of"),
        (Reshape((5, -1)), (4, 4), r"target_shape=\(5, -1\) does not hold the 16 elements"),
        (Reshape((-1, -1)), (4, 4), r"target_shape=\(-1, -1\) must hold positive whole numbers"),
        (Reshape((0, 4)), (4, 4), r"target_shape=\(0, 4\) must hold"),
        (Reshape(None), (4, 4), "target_shape=None must hold"),
        (Reshape(()), (4, 4), r"target_shape=\(\) must hold"),
        (Reshape((2.0, -1)), (4, 4), r"target_shape=\(2\.0, -1\) must hold"),
        (ZeroPad(-1), (4, 4, 1), "padding=-1 of ZeroPad must be a whole number >= 0, two of them,"),
        (ZeroPad((1, 2, 3)), (4, 4, 1), r"padding=\(1, 2, 3\) of ZeroPad must be"),
        (ZeroPad(((1, 2), (3,))), (4, 4, 1), r"padding=\(\(1, 2\), \(3,\)\) of ZeroPad must be"),
        (ZeroPad(((1, 2, 3), (4,))), (4, 4, 1), "of ZeroPad must be"),
        (ZeroPad(((1, 2), (3, 4))), (4, 1), "must be a whole number >= 0, two of them, for"),
        (ZeroPad(1.5), (4, 4, 1), r"padding=1\.5 of ZeroPad must be"),
        (ZeroPad(1), (4,), r"ZeroPad takes images of .* got samples of shape \(4,\); put a Res"),
    ],
)  # fmt: skip
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'a': .*{message}"):
        lower([("a", layer)], shape, "float32")


# --- slots with several names ------------------------------------------------------------------


def test_reshape_takes_no_memory_and_no_instruction():
    plain = build([Activation("tanh")], (12,), "float32")
    named = build([Reshape((3, 4)), Activation("tanh"), Flatten()], (12,), "float32")
    assert named.width == plain.width == 24
    np.testing.assert_array_equal(named.table, plain.table)
    assert named.raw_slot == plain.raw_slot
    assert [line.output_shape for line in named.outline] == [(3, 4), (3, 4), (12,)]


def test_names_of_a_slot_share_its_gradient(rng):
    """Branches that read one slot under different names: their gradients are added."""
    layers = [
        Dense(12),
        Parallel([[], [Reshape((3, 4)), Conv1D(2, 2), Flatten()], [Reshape((2, 6)), Flatten()]]),
        Dense(3),
    ]
    program = build(layers, (5,), "float64", MULTICLASS.loss)
    X, y, weight = sample(rng, MULTICLASS, 6, 5)
    check_gradient(program, MULTICLASS, X, y, weight)


# --- stacks of image layers in the machine -------------------------------------------------------

STACKS = {
    "classic": Stack(
        (8, 7, 2),
        [
            Conv2D(3, 3, padding="same"), BatchNorm(), Activation("relu"), MaxPool2D(),
            Conv2D(17, 3), Activation("tanh"), Flatten(), Dense(3),
        ],
    ),
    "strided": Stack(
        (9, 9, 1),
        [
            Conv2D(4, 3, strides=2, padding="same"), Activation("elu"), ZeroPad((1, 2)),
            Conv2D(6, (1, 3), groups=2, dilation_rate=(1, 2)), AveragePool2D(2, padding="same"),
            Conv2D(6, 3, groups=6, padding="same"), GlobalAveragePool(), Dense(3),
        ],
    ),
    "signal": Stack(
        (40,),
        [
            Reshape((20, 2)), Conv1D(18, 5, padding="same"), Activation("tanh"),
            MaxPool1D(3, strides=2), Conv1D(3, 3, strides=2, use_bias=False),
            Activation("softplus"), GlobalMaxPool(), Dense(3),
        ],
    ),
    "modules": Stack(
        (6, 5, 3),
        [
            Conv2D(4, 1),
            Parallel([
                Conv2D(2, 1),
                [Conv2D(2, 1), Activation("tanh"), Conv2D(3, 3, padding="same")],
                [MaxPool2D(3, strides=1, padding="same"), ("narrow", Conv2D(2, 1))],
            ]),
            Residual([BatchNorm(), Activation("tanh"), Conv2D(7, 3, padding="same")]),
            Residual(
                [Conv2D(5, 3, strides=2, padding="same"), Dropout(0.2)],
                shortcut=Conv2D(5, 1, strides=2),
            ),
            Flatten(), Dense(3),
        ],
    ),
}  # fmt: skip
stacks = pytest.mark.parametrize("stack", STACKS.values(), ids=list(STACKS))


@stacks
def test_gradient(stack, rng):
    """Central differences of every parameter, through the machine."""
    stack.check_gradient(rng, seed=3)


@dtypes
@stacks
def test_training_does_not_depend_on_n_jobs(stack, dtype, rng):
    stack.check_threads(rng, dtype)


@dtypes
@stacks
def test_guard_words(stack, dtype, rng, monkeypatch):
    stack.check_guard_words(rng, dtype, monkeypatch)


@stacks
def test_prediction_of_a_row_is_its_own(stack, rng):
    stack.check_rows(rng)
