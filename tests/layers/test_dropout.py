"""Dropout: shares, scale, and what its masks depend on."""

import numpy as np
import pytest

from helpers.layer_cases.base import CONTEXT, prepared
from helpers.layer_cases.vectors import dropout
from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.parametrize import dtypes
from sklearn_nn.layers import Dropout
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import ProgramBuilder


def mask(rate=0.4, n=20, width=50, dtype="float64", **context):
    """Return the output of dropout for ones."""
    run = LayerRun(Dropout(rate), width, dtype, Context(**context))
    return run.forward(np.zeros(0, dtype), np.ones((n, width), dtype))


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.5, 0.9])
def test_dropout_share_and_scale(rate):
    drawn = mask(rate, 500, 400)
    kept = drawn != 0
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    np.testing.assert_allclose(drawn[kept], 1 / (1 - rate), rtol=1e-15)
    # No row or column is favoured.
    for axis, n in [(0, 500), (1, 400)]:
        shares = kept.mean(axis=axis)
        assert np.abs(shares - (1 - rate)).max() < 6 * np.sqrt(rate * (1 - rate) / n)


def test_dropout_mask_depends_on_seed_step_sample_and_unit_only():
    whole = mask(seed=5, step=9)
    np.testing.assert_array_equal(mask(seed=5, step=9), whole)
    np.testing.assert_array_equal(mask(seed=5, step=9, dtype="float32") != 0, whole != 0)
    # Not on how many samples or units there are.
    np.testing.assert_array_equal(mask(n=7, width=31, seed=5, step=9), whole[:7, :31])
    for other in (mask(seed=6, step=9), mask(seed=5, step=10), mask(seed=9, step=5)):
        assert 0.3 < (other != whole).mean() < 0.7
    assert 0.3 < (whole[1:] != whole[:-1]).mean() < 0.7
    assert 0.3 < (whole[:, 1:] != whole[:, :-1]).mean() < 0.7


def test_dropout_layers_draw_apart():
    """Two dropout layers of one network do not share their mask."""
    builder = ProgramBuilder()
    slot = builder.slot((8,))
    for _ in range(2):
        slot = Dropout(0.5).lower(builder, slot)
    numbers = [instruction.geometry[0] for instruction in builder.instructions]
    assert len(set(numbers)) == 2


def test_dropout_does_nothing_at_prediction():
    run, theta, x, _ = prepared(dropout(0.4).at(13), "float64", 21)
    run.ctx[TRAINING] = 0
    np.testing.assert_array_equal(run.forward(theta, x), x)


@dtypes
def test_dropout_forward_and_backward_use_one_mask(dtype):
    run = LayerRun(Dropout(0.3), 33, dtype, CONTEXT)
    ones = np.ones((19, 33), dtype)
    y = run.forward(np.zeros(0, dtype), ones)
    dx, _ = run.backward(np.zeros(0, dtype), ones, ones)
    np.testing.assert_array_equal(dx, y)
    assert len(np.unique(y)) == 2


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_dropout_rate_is_a_share(rate):
    with pytest.raises(ValueError, match=r"rate=.* does not suit Dropout; use .* in \[0, 1\)"):
        Dropout(rate).output_shape((3,))
