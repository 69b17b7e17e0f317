"""Initializers: means, deviations and bounds of their draws against closed forms."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.base import clone

from helpers.layer_cases.vectors import dense
from helpers.programs import build
from sklearn_nn.layers import Dense
from sklearn_nn.network.initializers import (
    INITIALIZERS,
    Constant,
    GlorotUniform,
    Initializer,
    Normal,
    Orthogonal,
    TruncatedNormal,
    Uniform,
    VarianceScaling,
    get_initializer,
)
from sklearn_nn.network.lowering import lower


def test_glorot_uniform():
    got = GlorotUniform()(np.random.RandomState(3), (300, 200), 300, 200)
    bound = np.sqrt(6 / 500)
    np.testing.assert_array_equal(got, np.random.RandomState(3).uniform(-bound, bound, (300, 200)))
    assert got.dtype == np.float64
    # The variance that keeps activations and gradients: 2 / (fan_in + fan_out).
    assert got.var() == pytest.approx(2 / 500, rel=0.02)
    narrow = GlorotUniform(2.0)(np.random.RandomState(3), (300, 200), 300, 200)
    np.testing.assert_allclose(narrow, got / np.sqrt(3), rtol=1e-9)


FAN_IN, FAN_OUT = 400, 300
FAN = (FAN_IN + FAN_OUT) / 2
#: Standard deviation of a normal distribution cut at two of its own.
CUT = stats.truncnorm.std(-2, 2)
#: Name or object, standard deviation, bound, shape of the distribution, mean.
DRAWN = [
    ("uniform", 0.1 / math.sqrt(3), 0.1, "uniform", 0),
    (Uniform(1.0, 1.6), 0.6 / math.sqrt(12), 0.3, "uniform", 1.3),
    ("fan_in_uniform", 1 / math.sqrt(3 * FAN_IN), 1 / math.sqrt(FAN_IN), "uniform", 0),
    ("normal", 0.05, np.inf, "normal", 0),
    (Normal(-3.0, 2.0), 2.0, np.inf, "normal", -3),
    ("truncated_normal", 0.05 * CUT, 0.1, "cut", 0),
    (TruncatedNormal(1.0, 0.5), 0.5 * CUT, 1.0, "cut", 1),
    ("glorot_uniform", math.sqrt(1 / FAN), math.sqrt(3 / FAN), "uniform", 0),
    (GlorotUniform(2.0), math.sqrt(1 / FAN / 3), math.sqrt(1 / FAN), "uniform", 0),
    ("glorot_normal", math.sqrt(1 / FAN), 2 * math.sqrt(1 / FAN) / CUT, "cut", 0),
    ("he_uniform", math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN), "uniform", 0),
    ("he_normal", math.sqrt(2 / FAN_IN), 2 * math.sqrt(2 / FAN_IN) / CUT, "cut", 0),
    ("lecun_uniform", math.sqrt(1 / FAN_IN), math.sqrt(3 / FAN_IN), "uniform", 0),
    ("lecun_normal", math.sqrt(1 / FAN_IN), 2 * math.sqrt(1 / FAN_IN) / CUT, "cut", 0),
    (VarianceScaling(4.0, "fan_out", "normal"), math.sqrt(4 / FAN_OUT), np.inf, "normal", 0),
    (VarianceScaling(0.5, "fan_avg", "uniform"), math.sqrt(0.5 / FAN), math.sqrt(1.5 / FAN),
     "uniform", 0),
]  # fmt: skip


def test_every_initializer_has_a_row():
    drawn = {row[0] for row in DRAWN if isinstance(row[0], str)}
    assert drawn | {"zeros", "ones", "constant", "orthogonal"} == set(INITIALIZERS)


@pytest.mark.parametrize(("initializer", "stddev", "bound", "shape", "mean"), DRAWN, ids=repr)
def test_draws(initializer, stddev, bound, shape, mean):
    draw, n = get_initializer(initializer), FAN_IN * FAN_OUT
    got = draw(np.random.RandomState(8), (FAN_IN, FAN_OUT), FAN_IN, FAN_OUT)
    assert got.dtype == np.float64
    assert got.shape == (FAN_IN, FAN_OUT)
    assert got.flags.c_contiguous
    # Five standard errors.
    assert abs(got.mean() - mean) < 5 * stddev / math.sqrt(n)
    assert got.std() == pytest.approx(stddev, rel=0.01)
    furthest = np.abs(got - mean).max()
    assert furthest <= bound * (1 + 1e-12)
    if shape != "normal":
        assert furthest > 0.999 * bound
    closed = {"uniform": stats.uniform(mean - math.sqrt(3) * stddev, 2 * math.sqrt(3) * stddev),
              "normal": stats.norm(mean, stddev),
              "cut": stats.truncnorm(-2, 2, mean, stddev / CUT)}[shape]  # fmt: skip
    assert stats.kstest(got.ravel(), closed.cdf).pvalue > 1e-4
    again = clone(draw)(np.random.RandomState(8), (FAN_IN, FAN_OUT), FAN_IN, FAN_OUT)
    np.testing.assert_array_equal(got, again)
    other = draw(np.random.RandomState(9), (FAN_IN, FAN_OUT), FAN_IN, FAN_OUT)
    assert (got != other).any()


@pytest.mark.parametrize("name", sorted(set(INITIALIZERS) - {"orthogonal"}))
def test_any_shape(name):
    """Also a bias, which has one dimension; a bias uses its layer's fans."""
    for shape in [(), (7,), (0,), (3, 3, 2, 5)]:
        got = INITIALIZERS[name](np.random.RandomState(1), shape, 18, 5)
        assert got.shape == shape
        assert got.dtype == np.float64


def test_constants_draw_nothing():
    rng = np.random.RandomState(0)
    np.testing.assert_array_equal(get_initializer("zeros")(rng, (2, 3), 2, 3), np.zeros((2, 3)))
    np.testing.assert_array_equal(get_initializer("ones")(rng, (2, 3), 2, 3), np.ones((2, 3)))
    np.testing.assert_array_equal(Constant(-2)(rng, (4,), 2, 3), np.full(4, -2.0))
    assert rng.randint(1000) == np.random.RandomState(0).randint(1000)


def test_torch_s_default_for_biases():
    """±1 / sqrt(fan_in)."""
    torch = pytest.importorskip("torch")
    layer = torch.nn.Linear(64, 40000)
    got = INITIALIZERS["fan_in_uniform"](np.random.RandomState(1), (40000,), 64, 40000)
    for drawn in (got, layer.bias.detach().numpy()):
        assert np.abs(drawn).max() == pytest.approx(1 / 8, rel=1e-3)
        assert drawn.std() == pytest.approx(1 / 8 / math.sqrt(3), rel=0.02)


@pytest.mark.parametrize("shape", [(6, 6), (40, 7), (7, 40), (3, 3, 4, 20), (3, 2, 2, 50), (1, 5)])
def test_orthogonal(shape):
    got = Orthogonal(3.0)(np.random.RandomState(2), shape, 5, 5)
    assert got.shape == shape
    assert got.dtype == np.float64
    assert got.flags.c_contiguous
    matrix = got.reshape(-1, shape[-1]) / 3
    rows, columns = matrix.shape
    product = matrix.T @ matrix if rows >= columns else matrix @ matrix.T
    np.testing.assert_allclose(product, np.eye(min(rows, columns)), atol=1e-12)
    again = INITIALIZERS["orthogonal"](np.random.RandomState(2), shape, 1, 1)
    np.testing.assert_allclose(got, 3 * again, rtol=1e-12)


def test_every_rotation_is_equally_likely():
    """Without the signs of R's diagonal the first element would always be of one sign."""
    rng = np.random.RandomState(5)
    drawn = np.array([Orthogonal()(rng, (3, 3), 3, 3) for _ in range(2000)])
    # An element of a random rotation of space is uniform in ±1 (Archimedes).
    for element in drawn.reshape(2000, 9).T:
        assert stats.kstest(element, stats.uniform(-1, 2).cdf).pvalue > 1e-4
    assert 0.45 < (np.linalg.det(drawn) > 0).mean() < 0.55


def test_names():
    assert get_initializer("zeros") == Constant(0.0)
    assert get_initializer("glorot_uniform") == GlorotUniform()
    own = GlorotUniform(1.0)
    assert get_initializer(own) is own
    assert get_initializer(len) is len
    for bad in ("he", None, 0.1, ["zeros"]):
        with pytest.raises(ValueError) as caught:
            get_initializer(bad)
        assert str(caught.value).startswith(
            f"initializer={bad!r} is not known; use one of zeros, ones, constant, uniform,"
        )
    with pytest.raises(ValueError, match=r"Orthogonal is a class; pass an object: Orthogonal\(\)"):
        get_initializer(Orthogonal)
    with pytest.raises(TypeError, match="Initializer must define __call__"):
        Initializer()(None, (1,), 1, 1)
    for initializer in INITIALIZERS.values():
        assert clone(initializer) == initializer


@pytest.mark.parametrize(
    ("initializer", "message"),
    [
        (Uniform(0.2, 0.1), r"low=0.2 is not below high=0.1; swap them"),
        (Normal(stddev=-1.0), r"stddev=-1.0 does not suit Normal; use a number in \[0, inf\)"),
        (TruncatedNormal(stddev=np.nan), "stddev=nan"),
        (
            GlorotUniform(0.0),
            r"scale=0.0 does not suit GlorotUniform; use .*, such as 6.0",
        ),
        (VarianceScaling(-2.0), "scale=-2.0 does not suit VarianceScaling"),
        (VarianceScaling(mode="fan"), "mode='fan' is not known; use one of fan_in, fan_out, fan_a"),
        (VarianceScaling(distribution="gauss"), "distribution='gauss' .* truncated_normal, normal"),
        (Orthogonal(), r"Orthogonal needs a matrix, but a parameter has shape \(3,\); use another"),
    ],
    ids=repr,
)
def test_errors_come_late(initializer, message):
    """Not when it is made or cloned, but when it draws."""
    with pytest.raises(ValueError, match=message):
        clone(initializer)(np.random.RandomState(0), (3,), 3, 3)


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
