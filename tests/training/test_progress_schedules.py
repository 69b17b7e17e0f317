"""Hyperparameters that change with the progress of training: dropout, weight decay."""

import math

import numpy as np
import pytest

from helpers.layer_cases.vectors import activation, dense
from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.parametrize import dtypes
from helpers.programs import build, draw_theta, no_state
from sklearn_nn.jit.kernel import real_bits
from sklearn_nn.layers import Dropout
from sklearn_nn.layers.base import PROGRESS, TRAINING
from sklearn_nn.network.machine import Machine
from sklearn_nn.network.source import source
from sklearn_nn.training.history import History
from sklearn_nn.training.losses import SquaredError
from sklearn_nn.training.optimizers import SGD, Adam, AdamW, OptimizerState
from sklearn_nn.training.schedules import Constant, CosLog4, FlatCos, Progress
from sklearn_nn.training.trainer import Trainer

#: Parts of the training that are over.
PARTS = (0.0, 0.25, 0.5, 0.6, 0.75, 0.99, 1.0)


def mask(layer, part, dtype="float64", backward=False, training=True):
    """Return the output of dropout for ones at some part of the training."""
    run = LayerRun(layer, 100, dtype, Context(seed=5, step=9))
    run.ctx[PROGRESS], run.ctx[TRAINING] = real_bits(part), training
    ones, theta = np.ones((80, 100), dtype), np.zeros(0, dtype)
    return run.backward(theta, ones, ones)[0] if backward else run.forward(theta, ones)


def factor(part):
    """flat_cos, by its definition."""
    return 1.0 if part <= 0.5 else (1 + math.cos(2 * math.pi * (part - 0.5))) / 2


@dtypes
@pytest.mark.parametrize("part", PARTS)
def test_rate_of_dropout_falls_as_flat_cos(part, dtype):
    """The mask is that of a constant rate as large as the schedule's is now."""
    rate = 0.4 * factor(part)
    got = mask(Dropout(0.4, "flat_cos"), part, dtype)
    plain = Dropout(rate) if rate else None
    expected = np.ones_like(got) if plain is None else mask(plain, 0.0, dtype)
    np.testing.assert_array_equal(got == 0, expected == 0)
    np.testing.assert_allclose(got, expected, rtol=1e-6 if dtype == "float32" else 1e-14)
    np.testing.assert_array_equal(mask(Dropout(0.4, "flat_cos"), part, dtype, True), got)
    assert (mask(Dropout(0.4, "flat_cos"), part, dtype, training=False) == 1).all()


def test_constant_dropout_does_not_heed_progress():
    for part in PARTS:
        np.testing.assert_array_equal(mask(Dropout(0.4), part), mask(Dropout(0.4), 0.0))


def test_flat_cos_is_one_schedule():
    """That of the layer's name is that of the learning rate."""
    steps = np.arange(41)
    schedule = FlatCos().factors(Progress(steps, 10, 4, 0))
    np.testing.assert_allclose(schedule, [factor(s / 40) for s in steps], rtol=1e-15)


def test_unknown_schedule():
    with pytest.raises(ValueError, match="schedule='cosine' of Dropout is not known; use one of c"):
        Dropout(0.3, "cosine").output_shape((3,))


# --- the descent ---------------------------------------------------------------------------


@pytest.mark.parametrize("schedule", [Constant(), CosLog4()])
def test_decay_of_each_batch(schedule):
    """Rate times decay times the schedule's factor; progress is the part that is over."""
    theta = np.zeros(3)
    descent = OptimizerState.start(
        Adam(), schedule, 0.1, theta, weight_decay=0.3, decay_schedule=FlatCos()
    )
    for step in (0, 7, 39):
        descent.step = step
        update = descent.update(5, (10, 4, 0))
        parts = np.minimum(1, np.arange(step, step + 5) / 40)
        np.testing.assert_array_equal(update.progress, parts)
        rates = 0.1 * schedule.factors(Progress(np.arange(step, step + 5), 10, 4, 0))
        expected = rates * 0.3 * np.array([factor(part) for part in parts])
        np.testing.assert_allclose(update.decays, expected, rtol=1e-13, atol=1e-18)
    plain = OptimizerState.start(Adam(), schedule, 0.1, theta, decay_schedule=FlatCos())
    assert plain.update(5, (10, 4, 0)).decays is None


def trainer(dtype="float64", n_jobs=1, optimizer=None, rate=0.4, weight=None):
    """A trainer of a network whose dropout and weight decay fall."""
    rng, loss = np.random.default_rng(0), SquaredError()
    stack = [dense(30), activation("tanh"), Dropout(rate, "flat_cos"), dense(1)]
    program = build(stack, 4, dtype, loss)
    X, y = rng.standard_normal((50, 4)).astype(dtype), rng.standard_normal((50, 1))
    theta = draw_theta(program, rng)
    return Trainer(
        machine=Machine(program, theta, no_state(program), 16, seed=5, n_jobs=n_jobs),
        data=source(X, dtype),
        targets=loss.targets(y, weight, dtype),
        descent=OptimizerState.start(
            optimizer or AdamW(),
            CosLog4(),
            0.05,
            theta,
            weight_decay=0.5,
            decay_schedule=FlatCos(),
        ),
        history=History(False),
        rows=np.arange(50),
        batch_size=16,
        random_state=np.random.RandomState(1),
        tol=0.0,
        patience=np.inf,
    )


@dtypes
def test_same_bits_for_any_number_of_threads_and_slices(dtype, monkeypatch):
    runs = []
    for n_jobs, length in ((1, 100), (2, 100), (3, 1)):
        made = trainer(dtype, n_jobs)
        monkeypatch.setattr(Trainer, "_slice_length", lambda _, length=length: length)
        made.run(6)
        runs.append(made.machine.theta)
    for other in runs[1:]:
        np.testing.assert_array_equal(other, runs[0])


@dtypes
def test_training_that_is_taken_up_again_goes_on_to_the_last_bit(dtype):
    """Each epoch by itself, told of as many as were planned."""
    whole, parts = trainer(dtype), trainer(dtype)
    whole.run(6)
    for _ in range(6):
        parts.descent.hide_average(parts.machine.theta)
        parts.train_epoch(6)
    np.testing.assert_array_equal(parts.machine.theta, whole.machine.theta)
    short = trainer(dtype)
    for _ in range(6):
        short.train_epoch(12)  # of twice as many: half-way through no rate has fallen
    assert (short.machine.theta != whole.machine.theta).any()


def test_machine_tells_dropout_the_progress():
    """With no rate left in the second half there is no dropout: both runs then do the same."""
    falling, none = (
        trainer(optimizer=SGD(momentum=0.0, nesterov=False), rate=rate) for rate in (0.4, 0.0)
    )
    for made, step in ((falling, 10**6), (none, 10**6)):
        made.descent.step = step
        made.descent.schedule = Constant()
        made.train_epoch(6)
    np.testing.assert_array_equal(falling.machine.theta, none.machine.theta)
    early, base = (
        trainer(optimizer=SGD(momentum=0.0, nesterov=False), rate=rate) for rate in (0.4, 0.0)
    )
    for made in (early, base):
        made.descent.schedule = Constant()
        made.train_epoch(6)
    assert (early.machine.theta != base.machine.theta).any()


def test_decay_falls_in_training():
    """Without a gradient weights shrink by each batch's decay alone."""
    made = trainer(optimizer=SGD(momentum=0.0, nesterov=False), rate=0.0, weight=np.zeros(50))
    made.descent.schedule = Constant()
    kernel = made.machine.program.layers["layer0"]["kernel"]
    before = kernel.view(made.machine.theta).copy()
    for _ in range(6):
        made.train_epoch(6)
    total = math.prod(1 - 0.05 * 0.5 * factor(step / 24) for step in range(24))
    np.testing.assert_allclose(kernel.view(made.machine.theta), before * total, rtol=1e-12)
