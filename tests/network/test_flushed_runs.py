"""Denormal numbers in runs of the machine: none is left behind, and the caller keeps its own."""

import numpy as np
import pytest

from helpers.comparison import assert_same_bits
from helpers.denormals import assert_numpy_keeps_denormals, flushes, is_denormal
from helpers.interrupts import interrupt_when, sends_signals
from helpers.layer_cases.vectors import activation, dense
from helpers.parametrize import dtypes
from helpers.programs import build, draw_theta, forward, no_state, train
from sklearn_nn.jit import team
from sklearn_nn.layers import Dense
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Machine, input_gradient
from sklearn_nn.network.source import source
from sklearn_nn.training.losses import SquaredError
from sklearn_nn.training.optimizers import Adam, OptimizerState
from sklearn_nn.training.schedules import Constant

jobs = pytest.mark.parametrize("n_jobs", [1, 2, 3])
N = 48
#: Moments of weights without gradient shrink by 0.6 per update, down to a denormal number that
#: 0.6 times itself is rounded to.
FORGETFUL = Adam(beta_1=0.6, beta_2=0.6)
BATCHES = {"float32": 300, "float64": 1600}


@pytest.fixture(autouse=True, params=["calling thread", "team"])
def threads(request, monkeypatch):
    """Run brief jobs in the calling thread, or all in those of the team."""
    if request.param == "team":
        for name in ("BRIEF", "TINY", "BRIEF_SECONDS"):
            monkeypatch.setattr(team, name, 0)


def problem(dtype):
    """Return a program, parameters and data; only the first row has a first number."""
    rng = np.random.default_rng(0)
    program = build([dense(16), activation("tanh"), dense(1)], 3, dtype)
    X = rng.standard_normal((N, 3)).astype(dtype)
    X[1:, 0] = 0
    targets = SquaredError().targets(rng.standard_normal((N, 1)), None, dtype)
    return program, draw_theta(program, rng), X, targets


@flushes
@dtypes
@jobs
def test_moments_of_idle_weights_become_zero(dtype, n_jobs):
    """And none is denormal; they are the same in any number of threads."""
    program, theta, X, targets = problem(dtype)
    order = np.r_[:4, 1 + np.arange(4 * BATCHES[dtype] - 4) % (N - 1)]

    def trained(n_jobs):
        options = {"order": order, "batch_size": 4, "n_jobs": n_jobs, "averaged": True}
        return train(program, theta, X, targets, FORGETFUL, average_keep=0.6, **options)

    found = trained(n_jobs)
    assert_numpy_keeps_denormals()
    weights = next(placed for placed in program.parameters if placed.view(theta).ndim == 2)
    for moments in found.moments:
        assert (weights.view(moments)[0] == 0).all()
        assert (weights.view(moments)[1:] != 0).all()
    for array in (found.theta, found.moments, found.average):
        assert not is_denormal(array).any()
    assert_same_bits(found, trained(1))


@flushes
@dtypes
@jobs
def test_predictions_and_gradients_of_the_input_flush(dtype, n_jobs):
    """A product below the smallest normal number is zero; twice that number is not."""
    smallest, layers = np.finfo(dtype).smallest_normal, [("layer", Dense(2))]
    program, back = lower(layers, (1,), dtype), lower(layers, (1,), dtype, input_gradient=True)
    theta = draw_theta(program, np.random.default_rng(0), 0)
    program.parameters[0].view(theta)[:] = smallest
    for factor in (0.5, 2):
        rows = np.full((600, 1), factor, dtype)
        output = forward(program, theta, rows, n_jobs=n_jobs)
        assert_numpy_keeps_denormals()
        seeds = np.tile(np.array([factor, 0], dtype), (600, 1))
        gradient = input_gradient(
            back, theta, no_state(back), source(rows, dtype), seeds, n_jobs=n_jobs
        )
        assert_numpy_keeps_denormals()
        expected = smallest * factor if factor > 1 else 0
        assert (output == expected).all()
        assert (gradient == expected).all()


@sends_signals
@jobs
def test_an_interrupted_caller_keeps_denormals(n_jobs):
    program, theta, X, targets = problem("float32")
    machine = Machine(program, theta, no_state(program), 4, n_jobs=n_jobs)
    descent = OptimizerState.start(FORGETFUL, Constant(), 0.01, theta)
    order, n = np.arange(8000) % N, 2000

    def train_on():
        while True:
            data = source(X, "float32")
            machine.train(data, targets, order, 4, 0, n, descent.update(n), descent.step)

    watch = interrupt_when(lambda: machine.step > 5)
    with pytest.raises(KeyboardInterrupt):
        train_on()
    watch.join()
    assert_numpy_keeps_denormals()
