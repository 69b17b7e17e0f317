"""Dense layers against PyTorch, and methods that a layer must define."""

import pytest

from helpers.comparison import assert_close
from helpers.layer_cases.base import prepared
from helpers.layer_cases.vectors import dense
from sklearn_nn.layers import Dense, Layer
from sklearn_nn.network.lowering import ProgramBuilder


def test_dense_equals_torch(torch):
    run, theta, x, dy = prepared(dense(9).at(11), "float64", 23)
    w, b = (torch.tensor(p, requires_grad=True) for p in run.parameters(theta))
    there = torch.tensor(x, requires_grad=True)
    value = there @ w + b
    value.backward(torch.tensor(dy))
    y = run.forward(theta, x)
    assert_close(y, value.detach().numpy(), "float64")
    dx, grad = run.backward(theta, x, dy)
    for got, wanted in zip([dx, *run.parameters(grad)], [there, w, b], strict=True):
        assert_close(got, wanted.grad.numpy(), "float64")


def test_dense_wants_vectors():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); put a Flatten"):
        Dense(3).output_shape((4, 4))


def test_base_layer_asks_for_its_methods():
    with pytest.raises(TypeError, match="Layer must define output_shape"):
        Layer().output_shape((1,))
    with pytest.raises(TypeError, match="Layer must define lower"):
        Layer().lower(ProgramBuilder(), 0)
