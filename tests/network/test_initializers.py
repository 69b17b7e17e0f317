"""How parameters are drawn."""

import numpy as np
import pytest
from cases import dense
from harness import build
from sklearn.base import clone

from sklearn_nn.layers import Dense
from sklearn_nn.network.initializers import (
    INITIALIZERS,
    GlorotUniform,
    Initializer,
    Zeros,
    get_initializer,
)
from sklearn_nn.network.program import lower


def test_glorot_uniform():
    got = GlorotUniform()(np.random.RandomState(3), (300, 200), 300, 200)
    bound = np.sqrt(6 / 500)
    np.testing.assert_array_equal(got, np.random.RandomState(3).uniform(-bound, bound, (300, 200)))
    assert got.dtype == np.float64
    # The variance that keeps activations and gradients: 2 / (fan_in + fan_out).
    assert got.var() == pytest.approx(2 / 500, rel=0.02)
    narrow = GlorotUniform(2.0)(np.random.RandomState(3), (300, 200), 300, 200)
    np.testing.assert_allclose(narrow, got / np.sqrt(3), rtol=1e-9)


def test_zeros_draw_nothing():
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(Zeros()(rng, (2, 3), 2, 3), np.zeros((2, 3)))
    assert rng.randint(1000) == np.random.RandomState(0).randint(1000)


def test_names():
    assert get_initializer("zeros") == Zeros()
    assert get_initializer("glorot_uniform") == GlorotUniform()
    own = GlorotUniform(1.0)
    assert get_initializer(own) is own
    with pytest.raises(ValueError, match=r"initializer='he' is not known; use one of zeros"):
        get_initializer("he")
    with pytest.raises(TypeError, match="Initializer must define __call__"):
        Initializer()(None, (1,), 1, 1)
    for initializer in INITIALIZERS.values():
        assert clone(initializer) == initializer


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_parameters_are_drawn_layer_by_layer(dtype):
    """The order of scikit-learn's MLP: weights, then biases, from input to output."""
    draw = GlorotUniform()
    layers = [Dense(n, kernel_initializer=draw, bias_initializer=draw) for n in (7, 4)]
    program = lower([("a", layers[0]), ("b", layers[1])], (5,), dtype)
    theta = program.initialize(np.random.RandomState(1))
    rng, sizes = np.random.RandomState(1), (5, 7, 4)
    for name, fan_in, fan_out in zip("ab", sizes, sizes[1:], strict=False):
        bound = np.sqrt(6 / (fan_in + fan_out))
        kernel = rng.uniform(-bound, bound, (fan_in, fan_out)).astype(dtype)
        bias = rng.uniform(-bound, bound, fan_out).astype(dtype)
        np.testing.assert_array_equal(program.layers[name]["kernel"].view(theta), kernel)
        np.testing.assert_array_equal(program.layers[name]["bias"].view(theta), bias)


def test_a_bias_starts_at_zero():
    program = build([dense(4)], 3, "float32")
    theta = program.initialize(np.random.RandomState(0))
    assert theta.dtype == np.float32
    assert not program.layers["layer0"]["bias"].view(theta).any()
    assert program.layers["layer0"]["kernel"].view(theta).all()
