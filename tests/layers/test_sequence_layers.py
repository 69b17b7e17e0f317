"""Layers that read sequences step by step, and who takes sequences of unequal length."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import check_layers
from helpers.layer_cases.base import LayerCase
from helpers.layer_cases.ragged import Batch
from helpers.layer_cases.sequences import PLAN
from helpers.layer_runs import LayerRun
from helpers.learning import learning, median
from helpers.parametrize import dtypes
from helpers.programs import draw_theta, forward
from sklearn_nn import NeuralNetworkClassifier
from sklearn_nn.layers import (
    LSTM,
    Activation,
    Add,
    AttentionPool,
    AveragePool1D,
    BatchNorm,
    Conv1D,
    Dense,
    Flatten,
    GlobalAveragePool,
    LastStep,
    MaxPool1D,
    Mixup,
    Parallel,
    Reshape,
    Residual,
    TimeDistributed,
    ZeroPad,
)
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import lower


@pytest.mark.parametrize("layer", [LastStep(), AttentionPool(3), AttentionPool()])
def test_gradient_through_the_machine(layer):
    """With dense layers for every step below, which rest on the gradient of its input."""
    check_layers([TimeDistributed(Dense(4)), Activation("tanh"), layer, Dense(2)], (5, 3))


@dtypes
def test_time_distributed_is_a_convolution_of_one_step(dtype):
    """And has its parameters."""
    rng = np.random.default_rng(0)
    runs = [LayerRun(layer, (7, 5), dtype) for layer in (TimeDistributed(Dense(6)), Conv1D(6, 1))]
    theta, x, dy = (rng.standard_normal(shape).astype(dtype) for shape in (36, (9, 35), (9, 42)))
    found = [(run.forward(theta, x), *run.backward(theta, x, dy)) for run in runs]
    for ours, theirs in zip(*found, strict=True):
        assert_close(ours, theirs, dtype, factor=4)
    parameters = [[(p.name, p.size) for p in run.instructions[0].parameters] for run in runs]
    assert parameters[0] == parameters[1]


def test_last_step_is_what_a_recurrent_layer_leaves():
    rng = np.random.default_rng(0)
    both = [LSTM(4, return_sequences=True), LastStep()]
    programs = [
        lower([(f"{i}", layer) for i, layer in enumerate(layers)], (6, 3), "float64")
        for layers in (both, [LSTM(4)])
    ]
    theta, x = draw_theta(programs[0], rng), rng.standard_normal((9, 18))
    np.testing.assert_array_equal(*(forward(program, theta, x) for program in programs))


@dtypes
def test_attention_of_large_scores(dtype):
    """Softmax neither overflows nor loses a step that has all the weight; NaN stays in its row."""
    run = LayerRun(AttentionPool(1), (4, 1), dtype)
    theta = np.array([1e4, 0, 1e4], dtype)  # tanh is a step, and scores are +-10000
    x = np.array([[-1.0, 2, -3, -4], [1, 2, 3, 6], [np.nan, 1, 1, 1]], dtype)
    y = run.forward(theta, x)
    np.testing.assert_allclose(y[:2, 0], [2, 3], rtol=1e-6)
    assert np.isnan(y[2]).all()
    dx, _ = run.backward(theta, x, np.ones_like(y))
    np.testing.assert_allclose(dx[:2], [[0, 1, 0, 0], [0.25] * 4], atol=1e-6)


@learning
def test_attention_is_learnt():
    """Which step counts is said by its first channel; its second is the answer."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((600, 8, 3)).astype("float32")
    X[:, :, 0] = 0
    marked = rng.integers(0, 8, 600)
    X[np.arange(600), marked, 0] = 1
    y = (X[np.arange(600), marked, 1] > 0).astype(int)
    flat = X.reshape(600, -1)

    def scores(seed):
        options = {"max_iter": 60, "learning_rate_init": 0.05, "random_state": seed}
        return [
            NeuralNetworkClassifier([layer], input_shape=(8, 3), **options)
            .fit(flat[:400], y[:400]).score(flat[400:], y[400:])
            for layer in (AttentionPool(4), GlobalAveragePool())
        ]  # fmt: skip

    attentive, average = median(scores)
    assert attentive > 0.9
    assert average < 0.8


# --- TimeDistributed: what it takes, and parameters within ---------------------------------------


def test_time_distributed_nests_its_layer():
    layer = TimeDistributed(Dense(3))
    assert layer.get_params()["layer__units"] == 3
    layer.set_params(layer__units=5)
    assert layer.output_shape((4, 2)) == (4, 5)
    model = NeuralNetworkClassifier([TimeDistributed(Dense(3)), GlobalAveragePool()])
    model.set_params(timedistributed1__layer__units=7)
    X, y = np.random.default_rng(0).standard_normal((20, 12)), np.arange(20) % 2
    model.set_params(input_shape=(4, 3), max_iter=2, tol=0)
    model.fit(X, y)
    assert model.get_params()["timedistributed1__layer__units"] == 7
    (parameters,) = (model.layers_[name] for name in model.layers_ if "timedistributed1" in name)
    assert parameters["kernel"].shape == (3, 7)
    assert parameters["bias"].shape == (7,)


@pytest.mark.parametrize("layer", [Activation("relu"), Conv1D(3, 2), LSTM(3), 3])
def test_time_distributed_takes_a_dense(layer):
    with pytest.raises(ValueError, match="must be a Dense; leave TimeDistributed out"):
        TimeDistributed(layer).output_shape((5, 3))


def test_a_subclass_of_dense_will_do():
    class Own(Dense):
        pass

    assert TimeDistributed(Own(4)).output_shape((5, 3)) == (5, 4)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (LastStep(), (5,), "LastStep takes sequences of shape"),
        (AttentionPool(), (5, 4, 3), "AttentionPool takes sequences of shape"),
        (AttentionPool(0), (5, 4), "units=0 must be a positive whole number"),
        (TimeDistributed(Dense(3)), (5, 4, 3), "TimeDistributed takes sequences of shape"),
    ],
)
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'one': {message}"):
        lower([("one", layer)], shape, "float32")


# --- unequal lengths: who takes them ---------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (Flatten(), "Flatten does not take sequences of unequal length; use pooling over time"),
        (BatchNorm(), "BatchNorm does not take sequences of unequal length; use LayerNorm"),
        (Reshape((-1,)), "Reshape does not take sequences of unequal length"),
        (ZeroPad(1), "ZeroPad does not take sequences of unequal length"),
        (Mixup(), "Mixup does not take sequences of unequal length"),
        (Residual([BatchNorm()]), "BatchNorm does not take sequences of unequal length"),
        (
            Conv1D(4, 3, strides=2, padding="same"),
            'a window of 3 steps and strides=2 .* use padding="valid", or strides=1 and a pool',
        ),
        (
            MaxPool1D(2, strides=1, padding="same"),
            'padding="same" with a window of 2 .* use padding="valid", or pad all to one length',
        ),
        (AveragePool1D(2, padding="same"), 'strides=2 does not take .* use padding="valid"'),
        (
            Add([Conv1D(4, 3, strides=2), Conv1D(4, 2, strides=2)]),
            "branches end in sequences with different padding; let every",
        ),
        (Parallel([Conv1D(4, 3), []]), "which differ in more than their last axis"),
    ],
)
def test_layers_that_refuse_unequal_lengths(layer, message):
    shape = (7, 4)
    with pytest.raises(ValueError, match=message):
        lower([("one", layer)], shape, "float32", ragged=True)


def test_layers_that_refuse_say_so_for_unequal_lengths_only():
    for layer in (Flatten(), BatchNorm(), Conv1D(4, 3, strides=2, padding="same")):
        lower([("one", layer)], (6, 4), "float32")


@pytest.mark.parametrize("training", [True, False])
def test_a_batch_shorter_than_its_room(training):
    """Steps behind the longest row need not be written, and are not read."""
    for layer in (TimeDistributed(Dense(5)), AttentionPool(), GlobalAveragePool()):
        case = LayerCase("", layer, ((9, 4),), None, None, PLAN)
        batch = Batch(case, "float64", [3, 0, 2], 50)
        batch.run.ctx[TRAINING] = training
        assert np.isfinite(batch.grad).all()
        for i in range(3):
            assert (np.abs(batch.y[i]) < 100).all()
