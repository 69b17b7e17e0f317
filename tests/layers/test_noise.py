"""Gaussian noise: what its numbers depend on, and how they are spread."""

import numpy as np
import pytest
from scipy import stats

from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.parametrize import dtypes
from sklearn_nn.layers import GaussianNoise
from sklearn_nn.layers.base import TRAINING
from sklearn_nn.network.lowering import ProgramBuilder


def noise(stddev=1.0, n=20, width=50, dtype="float64", **context):
    """Return the output of Gaussian noise for zeros."""
    run = LayerRun(GaussianNoise(stddev), width, dtype, Context(**context))
    return run.forward(np.zeros(0, dtype), np.zeros((n, width), dtype))


@dtypes
def test_noise_is_normal(dtype):
    drawn = noise(0.3, 500, 400, dtype).astype("float64") / 0.3
    assert abs(drawn.mean()) < 5 / np.sqrt(drawn.size)
    assert abs(drawn.var() - 1) < 5 * np.sqrt(2 / drawn.size)
    assert stats.kstest(drawn.ravel(), "norm").pvalue > 1e-6
    # No row or column is favoured, and none follows another.
    for axis, n in [(0, 500), (1, 400)]:
        assert np.abs(drawn.mean(axis=axis)).max() < 6 / np.sqrt(n)
    for one, other in [(drawn[1:], drawn[:-1]), (drawn[:, 1:], drawn[:, :-1])]:
        assert abs((one * other).mean()) < 5 / np.sqrt(one.size)


@dtypes
def test_noise_depends_on_seed_step_sample_and_unit_only(dtype):
    whole = noise(dtype=dtype, seed=5, step=9)
    np.testing.assert_array_equal(noise(dtype=dtype, seed=5, step=9), whole)
    # Not on how many samples or units there are, nor on what it is added to.
    np.testing.assert_array_equal(noise(n=7, width=31, dtype=dtype, seed=5, step=9), whole[:7, :31])
    for seed, step in [(6, 9), (5, 10), (9, 5)]:
        assert (noise(dtype=dtype, seed=seed, step=step) != whole).mean() > 0.99


def test_noise_layers_draw_apart():
    """Two layers of one network do not share their noise."""
    builder = ProgramBuilder()
    slot = builder.slot((8,))
    for _ in range(2):
        slot = GaussianNoise(0.5).lower(builder, slot)
    assert len({instruction.geometry[0] for instruction in builder.instructions}) == 2


@dtypes
def test_noise_has_the_units_of_its_input(dtype):
    np.testing.assert_allclose(noise(7.0, dtype=dtype), 7 * noise(dtype=dtype), rtol=1e-6)


@dtypes
def test_noise_does_nothing_at_prediction(dtype, rng):
    run = LayerRun(GaussianNoise(0.5), 13, dtype, Context(training=True))
    x = rng.standard_normal((21, 13)).astype(dtype)
    assert (run.forward(np.zeros(0, dtype), x) != x).all()
    run.ctx[TRAINING] = 0
    np.testing.assert_array_equal(run.forward(np.zeros(0, dtype), x), x)


def test_no_noise_is_no_instruction():
    builder = ProgramBuilder()
    slot = builder.slot((8,))
    assert GaussianNoise(0.0).lower(builder, slot) == slot
    assert not builder.instructions


@pytest.mark.parametrize("stddev", [-0.1, np.nan])
def test_stddev_is_not_negative(stddev):
    with pytest.raises(
        ValueError, match=r"stddev=.* does not suit GaussianNoise; use a number in \[0, inf\)"
    ):
        GaussianNoise(stddev).output_shape((3,))
