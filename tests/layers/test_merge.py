"""Branches that are joined or added: values, gradients, names, and what does not fit."""

import numpy as np
import pytest

from helpers.layer_cases.base import CONTEXT
from helpers.layer_runs import LayerRun
from helpers.programs import build
from sklearn_nn.layers import (
    Activation,
    Add,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    MaxPool2D,
    Parallel,
    Residual,
)
from sklearn_nn.layers.merge import named_layers
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.program import X_AT, Y_AT


def test_equals_torch(torch):
    """A residual block: batch norm apart, all that ResNet has, strides and a shortcut included."""
    layer = Residual(
        [Conv2D(6, 3, strides=2, padding="same"), Activation("relu"), Conv2D(6, 3, padding="same")],
        shortcut=Conv2D(6, 1, strides=2),
    )
    run, rng = LayerRun(layer, (7, 9, 4), "float64", CONTEXT), np.random.default_rng(0)
    theta, x = rng.standard_normal(run.n_theta), rng.standard_normal((5, 7 * 9 * 4))
    dy = rng.standard_normal((5, run.units))
    there = torch.tensor(x.reshape(5, 7, 9, 4), requires_grad=True)
    own = [torch.tensor(p, requires_grad=True) for p in run.parameters(theta)]
    kernels = [p.permute(3, 2, 0, 1).contiguous() if p.ndim == 4 else p for p in own]
    conv2d, image = torch.nn.functional.conv2d, there.permute(0, 3, 1, 2).contiguous()
    value = torch.relu(conv2d(image, *kernels[:2], stride=2, padding=1))
    value = conv2d(value, *kernels[2:4], padding=1) + conv2d(image, *kernels[4:], stride=2)
    value = value.permute(0, 2, 3, 1)
    value.backward(torch.tensor(dy.reshape(value.shape)))
    close = {"rtol": 1e-10, "atol": 1e-10}
    np.testing.assert_allclose(run.forward(theta, x), value.detach().reshape(5, -1), **close)
    dx, grad = run.backward(theta, x, dy)
    np.testing.assert_allclose(dx, there.grad.reshape(5, -1), **close)
    for got, wanted in zip(run.parameters(grad), own, strict=True):
        np.testing.assert_allclose(got, wanted.grad, **close)


# --- names ---------------------------------------------------------------------------------------


def test_names_of_parameters():
    """By layer, below the whole's name; each parameter once."""
    inner = Parallel([Conv2D(2, 1), [Conv2D(2, 1), BatchNorm(), Conv2D(2, 3, padding="same")]])
    layers = [
        ("parallel1", inner),
        ("block", Residual([("squeeze", Conv2D(3, 1)), inner], shortcut=[Conv2D(4, 1)])),
        ("add1", Add([Conv2D(2, 1), []])),
    ]
    with pytest.raises(ValueError, match="layer 'add1': samples of shapes"):
        lower(layers, (5, 5, 3), "float32")
    program = lower(layers[:2], (5, 5, 3), "float32")
    within = ["0.conv2d1", "1.conv2d1", "1.batchnorm1", "1.conv2d2"]
    assert list(program.layers) == [
        *(f"parallel1.{name}" for name in within),
        "block.squeeze",
        *(f"block.parallel1.{name}" for name in within),
        "block.shortcut.conv2d1",
    ]
    assert list(program.memories) == ["parallel1.1.batchnorm1", "block.parallel1.1.batchnorm1"]
    assert [line.name for line in program.outline] == [
        *(f"parallel1.{name}" for name in within),
        "parallel1",
        "block.squeeze",
        *(f"block.parallel1.{name}" for name in within),
        "block.parallel1",
        "block.shortcut.conv2d1",
        "block",
    ]
    counted = sum(line.n_parameters for line in program.outline)
    assert counted == sum(placed.parameter.size for placed in program.parameters)
    assert program.outline[4].output_shape == (5, 5, 4)


def test_equal_layers_in_branches_have_parameters_of_their_own():
    """One object in two places is two layers."""
    layer = Conv2D(2, 1)
    program = build([Parallel([layer, layer])], (3, 3, 2), "float64")
    theta = program.initialize(np.random.RandomState(0))
    one, other = (program.layers[f"layer0.{k}.conv2d1"]["kernel"].view(theta) for k in (0, 1))
    assert (one != other).all()


def test_a_layer_that_draws_is_seen_within_others():
    for layers, drawn in (
        ([Residual([Parallel([Dropout(0.5), []]), Dense(3)])], True),
        ([Residual([Dropout(0.0)]), Dense(3)], False),
    ):
        assert build(layers, (3,), "float32").is_random == drawn


def test_branch_is_a_layer_a_pair_or_a_list():
    layer = Dense(3)
    assert named_layers(layer) == [("dense1", layer)]
    assert named_layers(("head", layer)) == [("head", layer)]
    assert named_layers([layer, ("head", layer), layer]) == [
        ("dense1", layer), ("head", layer), ("dense2", layer),
    ]  # fmt: skip
    assert named_layers((layer, layer)) == [("dense1", layer), ("dense2", layer)]
    assert named_layers([]) == []


# --- what does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "message"),
    [
        (
            Parallel([Conv2D(2, 3), Conv2D(2, 1)]),
            r"branches end in samples of shapes \(3, 3, 2\), \(5, 5, 2\), which differ in more",
        ),
        (Parallel([Flatten(), []]), r"which differ .* use equal strides and padding=.same"),
        (Add([Conv2D(2, 1), []]), r"shapes \(5, 5, 2\), \(5, 5, 3\) cannot be added; use equal"),
        (
            Residual([MaxPool2D()]),
            r"shapes \(2, 2, 3\), \(5, 5, 3\) cannot be added; .* or give a shortcut such as",
        ),
        (Parallel([]), r"branches=\[\] of Parallel must be a list of branches"),
        (Add(Dense(3)), r"branches=Dense\(units=3\) of Add must be a list of branches"),
        (Parallel([3]), "3 is not a branch; use a layer or a list of layers"),
        (Residual(["dense"]), r"a branch holds 'dense'; every entry is a layer or a \(name, layer"),
        (
            Residual([("a", Conv2D(3, 1)), ("a", Conv2D(3, 1))]),
            "a branch has the name 'a' more than once; choose another",
        ),
    ],
)
def test_arguments_that_do_not_fit(layer, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape((5, 5, 3))
    with pytest.raises(ValueError, match=f"layer 'block': .*{message}"):
        lower([("block", layer)], (5, 5, 3), "float32")


def test_an_error_names_the_layer_within():
    layers = [("block", Residual([Parallel([[], [Conv2D(2, 1), Conv2D(2, 9)]])]))]
    message = r"^layer 'block\.parallel1\.1\.conv2d2': kernel_size=9 does not fit the 5x5 input"
    with pytest.raises(ValueError, match=message):
        lower(layers, (5, 5, 3), "float32")


def test_an_activation_behind_works_in_place():
    """Joined slots are not read again."""
    for layer in (Residual([Conv2D(3, 1)]), Parallel([Conv2D(2, 1), []])):
        program = build([Conv2D(3, 1), layer, Activation("relu"), Flatten()], (5, 5, 3), "float32")
        *_, relu = program.table
        assert relu[X_AT] == relu[Y_AT]
