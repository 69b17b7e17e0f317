"""Dropout in recurrent layers: one mask for all steps of a row."""

from types import SimpleNamespace

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.gradient_check import check_layers
from helpers.layer_cases.recurrent import draw, kinds
from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.naive.recurrent import run as naive
from helpers.naive.vectors import dropout_mask
from helpers.parametrize import dtypes
from helpers.programs import build, draw_theta, forward
from sklearn_nn.layers import Bidirectional, Dense
from sklearn_nn.layers.base import CONTINUES, STEP
from sklearn_nn.network.lowering import lower

RATES = [(0.4, 0.0), (0.0, 0.4), (0.3, 0.6)]
rates = pytest.mark.parametrize("rates", RATES, ids=str)
N, STEPS, FEATURES, UNITS = 13, 5, 6, 7


def masks(rates, seed=12, step=34):
    """Those of x and h; the slots of what is dropped and of the tape follow input and output."""
    of_x, of_h = rates
    first = Context(seed, step, 2)
    second = Context(seed, step, 3 if of_x else 2)
    return (
        dropout_mask(of_x, (N, FEATURES), first) if of_x else 1,
        dropout_mask(of_h, (N, UNITS), second) if of_h else 1,
    )


def prepared(kind, rates, dtype, training=True, **options):
    """A run of the layer, its parameters, x and dy."""
    way = {"dropout": rates[0], "recurrent_dropout": rates[1], **options}
    context = SimpleNamespace(seed=12, step=34, training=training)
    run = LayerRun(kind(UNITS, **way), (STEPS, FEATURES), dtype, context)
    x, theta = draw(dtype, N, STEPS * FEATURES), draw(dtype, run.n_theta, scale=0.5, seed=1)
    return run, theta, x, draw(dtype, N, run.units, seed=2)


@rates
@dtypes
@kinds
def test_prediction_drops_nothing(kind, dtype, rates):
    """Values and gradients are those of the layer without, to the last bit."""
    run, theta, x, dy = prepared(kind, rates, dtype, training=False)
    plain = LayerRun(kind(UNITS), (STEPS, FEATURES), dtype)
    np.testing.assert_array_equal(run.forward(theta, x), plain.forward(theta, x))
    for got, expected in zip(run.backward(theta, x, dy), plain.backward(theta, x, dy), strict=True):
        np.testing.assert_array_equal(got, expected)


@rates
@kinds
def test_masks_are_new_in_every_batch(kind, rates):
    assert all(np.isscalar(mask) or 0 < (mask == 0).mean() < 1 for mask in masks(rates))
    run, theta, x, _ = prepared(kind, rates, "float64")
    y = run.forward(theta, x)
    np.testing.assert_array_equal(run.forward(theta, x), y)
    run.ctx[STEP] += 1
    # Two masks of a few features may be equal by chance.
    assert (run.forward(theta, x) != y).any(axis=1).mean() > 0.8


@kinds
def test_the_state_that_is_carried_is_masked_too(kind):
    """A batch that goes on: h before its first step is times this batch's mask where R reads it."""
    context = SimpleNamespace(seed=12, step=34, training=True)
    layer, shape = kind(UNITS, recurrent_dropout=0.4), (STEPS, FEATURES)
    run = LayerRun(layer, shape, "float64", context, carries=True)
    theta = draw("float64", run.n_theta, scale=0.5)
    first, second = draw("float64", 2, N, STEPS, FEATURES)
    dy = draw("float64", N, UNITS, seed=1)
    run.go_on(theta, first.reshape(N, -1))
    assert run.ctx[CONTINUES]
    run.ctx[STEP] += 1
    parameters, twin = run.parameters(theta), kind(UNITS)
    state = naive(twin, parameters, first, last=True, masks=masks((0, 0.4)))
    y = naive(twin, parameters, second, start=state, masks=masks((0, 0.4), step=35))
    assert_close(run.forward(theta, second.reshape(N, -1)), y, "float64")
    dx, gradients = naive(twin, parameters, second, dy, start=state, masks=masks((0, 0.4), step=35))
    got, grad = run.backward(theta, second.reshape(N, -1), dy)
    assert_close(got, dx.reshape(N, -1), "float64", factor=10)
    assert_close(grad, np.concatenate([g.ravel() for g in gradients]), "float64", factor=100)


@rates
@kinds
def test_gradient_check(kind, rates):
    """At a fixed step and seed, through the machine; both ways in one layer."""
    settings = {"dropout": rates[0], "recurrent_dropout": rates[1]}
    first = Bidirectional(kind(3, return_sequences=True, **settings))
    check_layers([first, kind(4, **settings), Dense(2)], (4, 3), seed=5, step=7)


@kinds
def test_is_random_only_if_something_is_dropped(kind):
    for of_x, of_h in [(0.0, 0.0), *RATES]:
        layer = kind(3, return_sequences=True, dropout=of_x, recurrent_dropout=of_h)
        drawn = bool(of_x or of_h)
        for whole in (layer, Bidirectional(layer)):
            assert whole.is_random == drawn
            program = lower([("a", whole)], (4, 2), "float32")
            assert program.is_random == drawn


@kinds
def test_prediction_of_a_network_that_drops(kind):
    """The link's program draws nothing, whatever the rates."""
    rng = np.random.default_rng(0)
    X, outputs = rng.standard_normal((9, 8)), []
    for rate in (0.0, 0.5):
        layers = [("a", kind(3, dropout=rate, recurrent_dropout=rate))]
        program = lower(layers, (4, 2), "float64")
        theta = draw_theta(program, np.random.default_rng(1))
        outputs.append(forward(program, theta, X))
    np.testing.assert_array_equal(*outputs)
    assert build([Dense(2)], 3, "float64").is_random is False


@kinds
def test_invalid_rates(kind):
    for name in ("dropout", "recurrent_dropout"):
        for rate in (-0.1, 1.0, 2, float("nan")):
            message = f"{name}={rate!r} does not suit {kind.__name__}; use a number in"
            with pytest.raises(ValueError, match=message):
                kind(3, **{name: rate}).output_shape((4, 2))
