"""Interrupts: batches are trained as a whole, and later kernels are not called."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.comparison import assert_same_bits
from helpers.interrupts import interrupt_when, sends_signals
from helpers.layer_cases.vectors import activation, batch_norm, dense, dropout
from helpers.layer_runs import LayerRun
from helpers.loss_cases import LOSSES, sample
from helpers.programs import build, draw_theta
from sklearn_nn.jit import team
from sklearn_nn.jit.team import Team
from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    Conv1D,
    Dense,
    Flatten,
    SimpleRNN,
    TimeDistributed,
)
from sklearn_nn.layers.base import STOP_AT
from sklearn_nn.network import machine
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Machine, Predictor
from sklearn_nn.network.program import ROW_COST, WEIGHTS_COST, Y_WIDTH
from sklearn_nn.network.source import source
from sklearn_nn.training.optimizers import Adam, OptimizerState
from sklearn_nn.training.schedules import Constant

CASE = {case.name: case for case in LOSSES}["multiclass"]
jobs = pytest.mark.parametrize("n_jobs", [1, 2, 3])


@pytest.fixture
def long(monkeypatch):
    """As if all runs took long."""
    monkeypatch.setattr(team, "BRIEF", 0)
    monkeypatch.setattr(team, "BRIEF_SECONDS", 0)


class Fit:
    """A network with a memory and an average, trained on the same rows over and over."""

    def __init__(self, n_jobs=1, program=None):
        rng = np.random.default_rng(0)
        stack = [dense(9), batch_norm(), activation("tanh"), dropout(0.3), dense(CASE.n_outputs)]
        self.program = program or build(stack, 5, "float64", CASE.loss)
        X, y, weight = sample(rng, CASE, 40, 5, "float64")
        self.data, self.targets = source(X, "float64"), CASE.loss.targets(y, weight, "float64")
        self.theta, self.state = draw_theta(self.program, rng), self.program.initial_state()
        self.descent = OptimizerState.start(Adam(), Constant(), 0.01, self.theta, averaged=True)
        self.machine = Machine(
            self.program, self.theta, self.state, 40, alpha=0.1, clipnorm=0.5, max_norm=0.9,
            average_keep=0.9, seed=3, n_jobs=n_jobs,
        )  # fmt: skip

    def train(self, batches, rows=10):
        update = self.descent.update(batches)
        order = np.resize(np.arange(self.data.n_rows), batches * rows)
        arguments = self.data, self.targets, order, rows, 0, batches, update
        losses = self.machine.train(*arguments, self.descent.step)
        self.descent.step += batches
        return losses

    def left(self):
        return (self.theta, self.state, self.descent.moments, self.descent.average)


BATCHES = 400_000


@sends_signals
@jobs
def test_an_interrupt_leaves_whole_batches(n_jobs):
    """Parameters, moments, average and memory are those of as many batches as are counted."""
    for after in (0, 1, 50):
        fit = Fit(n_jobs)
        at_work, found = fit.machine._team, fit.machine
        watch = interrupt_when(
            lambda team=at_work, m=found, n=after: team._is_waiting and m.step >= n
        )
        with pytest.raises(KeyboardInterrupt):
            fit.train(BATCHES)
        watch.join()
        done = fit.machine.step
        assert after <= done < BATCHES
        straight = Fit()
        if done:
            straight.train(done)
        assert_same_bits(fit.left(), straight.left())
        assert straight.machine.step == done


@pytest.mark.usefixtures("long")
def test_steps_are_counted():
    fit = Fit(2)
    assert fit.machine.step == 0
    fit.train(4)
    assert fit.machine.step == 4
    fit.train(3)
    assert fit.machine.step == 7


class Stopped(Team):
    """A team that is asked to stop before it begins."""

    def run(self, function, *arguments, **_):
        self._sync[:] = 0
        self._sync[(self.stop_at - self._sync.ctypes.data) // 8] = 1
        function(0, 1, self._sync, *arguments)


@pytest.fixture
def stopped(monkeypatch):
    monkeypatch.setattr(machine, "Team", Stopped)


@pytest.mark.usefixtures("stopped")
def test_no_kernel_is_called_when_all_is_to_stop():
    fit = Fit()
    before = [array.copy() for array in fit.left()]
    fit.train(3)
    assert_same_bits(fit.left(), before)
    assert fit.machine.step == 0
    assert not any(fit.machine._frame.arrays[name].any() for name in ("arenas", "darenas"))
    assert not fit.machine.grad.any()


@pytest.mark.usefixtures("stopped")
@pytest.mark.parametrize("targets", [False, True])
def test_prediction_stops(targets):
    fit = Fit()
    predictor = Predictor(fit.program, fit.data, None, fit.targets if targets else None)
    predictor._out[:] = 7
    assert (predictor.run(fit.theta, fit.state) == 7).all()
    assert not predictor.losses.any()


@pytest.mark.usefixtures("stopped")
def test_the_gradient_of_the_input_stops(monkeypatch):
    program = lower([("dense", Dense(3))], (5,), "float64", input_gradient=True)
    theta, state = program.new_buffers()
    theta[:] = 1
    monkeypatch.setattr(machine.np, "empty", np.zeros)
    found = machine.input_gradient(
        program, theta, state, source(np.ones((9, 5)), "float64"), np.ones((9, 3))
    )
    assert not found.any()


@sends_signals
@jobs
def test_a_long_prediction_is_cut_short(n_jobs):
    """In one call: a condition, and no clock, since rows are left that nobody has computed."""
    program = build([dense(256), activation("tanh"), dense(256), dense(1)], 20, "float32")
    data = source(np.ones((600_000, 20), "float32"), "float32")
    predictor = Predictor(program, data, n_jobs=n_jobs)
    predictor._out[:] = np.nan
    theta = draw_theta(program, np.random.default_rng(0), 0.1).astype("float32")
    watch = interrupt_when(lambda: np.isfinite(predictor._out[0]))
    with pytest.raises(KeyboardInterrupt):
        predictor.run(theta, program.initial_state())
    watch.join()
    assert np.isnan(predictor._out[-1])
    assert np.isfinite(predictor.run(theta, program.initial_state())).all()


# --- kernels that are called some times ---------------------------------------------------------


def costly(program, cost):
    """The program, as if a row cost so much."""
    table = program.table.copy()
    table[:, [ROW_COST, WEIGHTS_COST]] = cost
    return replace(program, table=table)


@jobs
@pytest.mark.parametrize("cost", [2**29, 2**40])
def test_in_many_calls_the_result_is_the_same(n_jobs, cost):
    plain, other = Fit(), Fit(n_jobs, costly(Fit().program, cost))
    np.testing.assert_array_equal(plain.train(4, rows=40), other.train(4, rows=40))
    assert_same_bits(plain.left(), other.left())
    outputs, losses = [], []
    for fit, jobs in ((plain, 1), (other, n_jobs)):
        predictor = Predictor(fit.program, fit.data, None, fit.targets, jobs)
        outputs.append(predictor.run(plain.theta, plain.state))
        losses.append(predictor.losses)
    np.testing.assert_array_equal(*outputs)
    np.testing.assert_array_equal(*losses)


def test_cost_of_a_row():
    """Parameters times the places where they are multiplied; or columns, where those are more."""
    layers = [Conv1D(8, 3), LSTM(5, return_sequences=True), TimeDistributed(Dense(4)), Flatten()]
    layers += [Dense(100), Activation("tanh")]
    program = lower([(f"layer{k}", layer) for k, layer in enumerate(layers)], (22, 6), "float64")
    tape = program.table[1, Y_WIDTH]
    products = [20 * (3 * 6 * 8 + 8), 20 * 20 * (8 + 5 + 1), 0, 20 * 4 * (5 + 1), 8100, 0]
    columns = [22 * 6 + 20 * 8, 20 * 8 + tape, tape + 20 * 5, 20 * (5 + 4), 80 + 100, 100 + 100]
    expected = [max(a, 16 * b) for a, b in zip(products, columns, strict=True)]
    assert expected[0] > products[0]
    assert expected[4] == products[4]
    assert program.table[:, WEIGHTS_COST].tolist() == expected
    assert program.cost == sum(expected)
    asks = np.arange(len(expected)) == 1
    np.testing.assert_array_equal(program.table[:, ROW_COST], np.where(asks, 0, expected))


@pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU])
def test_a_recurrence_stops_amid_a_row(kind):
    """A row may take it a minute."""
    run, flag = LayerRun(kind(4), (30, 2), "float64"), np.zeros(1, np.int64)
    theta = np.random.default_rng(0).standard_normal(run.n_theta)
    run.ctx[STOP_AT] = flag.ctypes.data
    x, dy = np.ones((3, 60)), np.ones((3, 4))
    assert np.isfinite(run.forward(theta, x)).all()
    assert np.isfinite(run.backward(theta, x, dy)[0]).all()
    flag[:] = 1
    assert np.isnan(run.forward(theta, x)).all()
    assert np.isnan(run.backward(theta, x, dy)[0]).all()
