"""Activations: large inputs, PyTorch, and names that are not known."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.layer_cases.base import CONTEXT, prepared
from helpers.layer_cases.vectors import CASES, activation
from helpers.layer_runs import LayerRun
from helpers.naive import vectors as naive
from helpers.parametrize import dtypes
from sklearn_nn.layers import Activation
from sklearn_nn.layers.activation import ACTIVATIONS, ELEMENTWISE, HIDDEN_ACTIVATIONS


def test_table_has_every_activation():
    assert set(naive.ELEMENTWISE) == set(ELEMENTWISE)
    assert {case.name for case in CASES} >= set(ACTIVATIONS)
    assert set(HIDDEN_ACTIVATIONS) == set(ACTIVATIONS) - {"exp", "softmax"}
    assert len(ACTIVATIONS) == 15


@dtypes
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity", "softmax"}))
def test_activation_far_from_zero(name, dtype):
    """Large, tiny and special inputs: finite wherever the function is, value and derivative."""
    case = activation(name)
    run = LayerRun(case.layer, 1, dtype, CONTEXT)
    most = 80.0 if dtype == "float32" else 600.0
    x = np.array([0.0, 1e-30, 1e-5, 0.01, 1, 2.9, 3.1, 10, 20, 40, most])
    x = np.concatenate([-x, x]).astype(dtype)[:, None]
    y = run.forward(np.zeros(0, dtype), x)
    with np.errstate(all="ignore"):
        expected = case.forward([], x.astype("float64"), None)
        derivative = case.backward([], x.astype("float64"), np.ones(x.shape), None)[0]
    assert_close(y, expected, dtype, factor=4)
    dx, _ = run.backward(np.zeros(0, dtype), x, np.ones_like(x))
    # At a kink either slope is right.
    smooth = x[:, 0] != 0
    assert_close(dx[smooth], derivative[smooth], dtype, factor=4)
    assert np.isfinite(dx).all()


@dtypes
def test_softmax_of_large_inputs(dtype):
    run = LayerRun(Activation("softmax"), 3, dtype)
    x = np.array([[1e4, 1e4, -1e4], [-1e30, -1e30, -1e30], [0, 1e3, 2e3]], dtype)
    y = run.forward(np.zeros(0, dtype), x)
    np.testing.assert_allclose(y, [[0.5, 0.5, 0], [1 / 3] * 3, [0, 0, 1]], rtol=1e-6)
    assert_close(y.sum(axis=1), 1.0, dtype)


def test_activation_equals_torch(torch):
    functions = {
        "identity": lambda x: x,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "exp": torch.exp,
        "relu6": torch.nn.functional.relu6,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "elu": torch.nn.functional.elu,
        "selu": torch.nn.functional.selu,
        "gelu": torch.nn.functional.gelu,
        "silu": torch.nn.functional.silu,
        "mish": torch.nn.functional.mish,
        "softplus": torch.nn.functional.softplus,
        "hard_sigmoid": torch.nn.functional.hardsigmoid,
        "softmax": lambda x: torch.softmax(x, dim=1),
    }
    assert set(functions) == set(ACTIVATIONS)
    for name in sorted(set(functions) - {"identity"}):
        run, theta, x, dy = prepared(activation(name).at(7), "float64", 30)
        there = torch.tensor(x, requires_grad=True)
        value = functions[name](there)
        value.backward(torch.tensor(dy))
        y = run.forward(theta, x)
        assert_close(y, value.detach().numpy(), "float64")
        dx, _ = run.backward(theta, x, dy)
        # PyTorch's slope of hard_sigmoid is a float32.
        factor = 1000 if name == "hard_sigmoid" else 1
        assert_close(dx, there.grad.numpy(), "float64", factor)


def test_unknown_activation():
    with pytest.raises(ValueError, match=r"activation='sine' is not known; use one of identity"):
        Activation("sine").output_shape((3,))
