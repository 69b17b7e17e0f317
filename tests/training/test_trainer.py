"""The training loop: slices, interrupts, divergence, patience, schedules, validation."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.layer_cases.vectors import activation, dense, dropout
from helpers.loss_cases import LOSSES, sample
from helpers.programs import build, draw_theta, no_state
from sklearn_nn.network.machine import Machine
from sklearn_nn.network.source import readonly, source
from sklearn_nn.training import trainer as module
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import SGD, Adam, OptimizerState
from sklearn_nn.training.schedules import Adaptive, Constant, InverseScaling
from sklearn_nn.training.trainer import Ending, Trainer

BY_NAME = {case.name: case for case in LOSSES}


def make(
    optimizer=None, schedule=None, *, loss="multiclass", rate=0.01, validated=False,
    n=50, batch_size=7, n_jobs=1, dtype="float64", width=4, hidden=6, **options,
):  # fmt: skip
    """A trainer of a small network with dropout."""
    case, rng = BY_NAME[loss], np.random.default_rng(0)
    stack = [dense(hidden), activation("tanh"), dropout(0.2), dense(case.n_outputs)]
    program = build(stack, width, dtype, case.loss)
    X, y, _ = sample(rng, case, n, width, dtype)
    theta = draw_theta(program, rng)
    machine = Machine(
        program, theta, no_state(program), batch_size, alpha=0.01, seed=5, n_jobs=n_jobs
    )
    return Trainer(
        machine=machine,
        data=source(X, dtype),
        targets=case.loss.targets(y, None, dtype),
        descent=OptimizerState.start(optimizer or Adam(), schedule or Constant(), rate, theta),
        history=History(validated),
        rows=np.arange(n),
        batch_size=batch_size,
        **{"random_state": np.random.RandomState(1), "tol": 0.0, "patience": np.inf} | options,
    )


def run(trainer, epochs):
    """Train for so many epochs."""
    trainer.run(epochs)
    return trainer


def calls(trainer, monkeypatch):
    """A list that takes down (first, last, step) of every call of the machine."""
    found, plain = [], trainer.machine.train

    def train(data, targets, order, batch_size, first, last, update, step, windows):
        found.append((first, last, step))
        return plain(data, targets, order, batch_size, first, last, update, step, windows)

    monkeypatch.setattr(trainer.machine, "train", train)
    return found


# --- slices ----------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", [SGD(), Adam()], ids=["sgd", "adam"])
def test_slices_change_nothing(optimizer, monkeypatch):
    """Back in Python after every batch or after none: the same bits."""
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    monkeypatch.setattr(module, "_SLICE_SECONDS", 1e6)
    whole = make(optimizer)
    found = calls(whole, monkeypatch)
    run(whole, 5)
    assert found == [(0, 8, 8 * k) for k in range(5)]
    monkeypatch.setattr(module, "_SLICE_SECONDS", 1e-12)
    sliced = make(optimizer)
    found = calls(sliced, monkeypatch)
    run(sliced, 5)
    assert found == [(k % 8, k % 8 + 1, k) for k in range(40)]
    np.testing.assert_array_equal(sliced.machine.theta, whole.machine.theta)
    np.testing.assert_array_equal(sliced.descent.moments, whole.descent.moments)
    assert sliced.history.curves["loss"] == whole.history.curves["loss"]
    assert sliced.descent.step == whole.descent.step == 40


def test_slices_follow_the_clock(monkeypatch):
    """Slow batches make short slices."""
    monkeypatch.setattr(module, "_SLICE_SECONDS", 0.02)
    monkeypatch.setattr(module, "_ASSUMED_SPEED", 1.0)
    trainer = make(n=100, batch_size=2)
    found, plain, now = calls(trainer, monkeypatch), trainer.machine.train, [0.0]

    def slow(*arguments, **named):
        now[0] += 0.006 * (named["last"] - named["first"])
        return plain(*arguments, **named)

    monkeypatch.setattr(trainer.machine, "train", slow)
    monkeypatch.setattr(module, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    run(trainer, 1)
    assert found == [(0, 1, 0), *((k, min(50, k + 3), k) for k in range(1, 50, 3))]


def test_mean_loss_weighs_batches_by_size(monkeypatch):
    trainer = make(n=50, batch_size=20)
    monkeypatch.setattr(
        trainer.machine,
        "train",
        lambda *_, first, last, **__: np.arange(1.0, 4.0)[first:last],
    )
    run(trainer, 1)
    assert trainer.history.curves["loss"] == [(20 * 1 + 20 * 2 + 10 * 3) / 50]


# --- order -----------------------------------------------------------------------------------


def test_order_is_scikit_learns(monkeypatch):
    """Each epoch shuffles the last one's order, with one shuffle of the generator."""
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    trainer = make(batch_size=50)
    orders, plain = [], trainer.machine.train

    def train(data, targets, order, **named):
        orders.append(order.copy())
        return plain(data, targets, order, **named)

    monkeypatch.setattr(trainer.machine, "train", train)
    run(trainer, 3)
    rng, expected = np.random.RandomState(1), np.arange(50)
    for order in orders:
        permutation = np.arange(50)
        rng.shuffle(permutation)
        expected = expected[permutation]
        np.testing.assert_array_equal(order, expected)


def test_no_shuffle_and_some_rows_only(monkeypatch):
    trainer = make(random_state=None)
    trainer.rows = np.arange(10, 31)
    orders, plain = [], trainer.machine.train

    def train(data, targets, order, **named):
        orders.append(order.copy())
        return plain(data, targets, order, **named)

    monkeypatch.setattr(trainer.machine, "train", train)
    run(trainer, 2)
    for order in orders:
        np.testing.assert_array_equal(order, np.arange(10, 31))
    assert trainer.history.samples_seen == 42


def test_n_jobs_change_nothing():
    alone = run(make(n=67, batch_size=33), 4)
    for n_jobs in (2, 3, 4):
        team = run(make(n=67, batch_size=33, n_jobs=n_jobs), 4)
        np.testing.assert_array_equal(team.machine.theta, alone.machine.theta)
        assert team.history.curves["loss"] == alone.history.curves["loss"]


# --- the end -----------------------------------------------------------------------------------


def test_too_few_epochs():
    trainer = make()
    assert trainer.run(3) is Ending.EXHAUSTED
    assert trainer.n_epochs == 3
    assert len(trainer.history.curves["loss"]) == 3


def test_once_is_one_epoch_without_a_word():
    trainer = make()
    trainer.run(200, once=True)
    assert trainer.n_epochs == 1


def test_patience(capsys):
    """It stops after more than `patience` epochs without an improvement of `tol`."""
    trainer = make(tol=1e9, patience=4, verbose=True)
    trainer.run(100)
    # The first epoch improves on nothing at all.
    assert trainer.n_epochs == 6
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"Iteration 1, loss = {trainer.history.curves['loss'][0]:.8f}"
    assert lines[-1] == (
        "Training loss did not improve more than tol=1000000000.000000 "
        "for 4 consecutive epochs. Stopping."
    )


def test_silence(capsys):
    make(tol=1e9, patience=1).run(100)
    assert capsys.readouterr().out == ""


def test_adaptive_rate(capsys):
    """At each plateau a fifth of the rate, until it is small enough to stop."""
    trainer = make(SGD(), Adaptive(0.001), rate=0.1, tol=1e9, patience=1, verbose=True)
    trainer.run(100)
    said = [line for line in capsys.readouterr().out.splitlines() if "Setting" in line]
    assert [line.rsplit(" ", 1)[1] for line in said] == ["0.020000", "0.004000", "0.000800"]
    assert trainer.descent.learning_rate == pytest.approx(0.0008)
    # The first epoch improves; each plateau is two epochs.
    assert trainer.n_epochs == 1 + 2 * 4


def test_inverse_scaling_goes_by_samples():
    trainer = run(make(SGD(), InverseScaling(0.5), rate=0.1), 3)
    assert trainer.descent.learning_rate == 0.1 / np.sqrt(3 * 50 + 1)


def test_the_rate_reaches_the_machine(monkeypatch):
    trainer = make(SGD(momentum=0.0, nesterov=False), InverseScaling(0.5), rate=0.1, batch_size=50)
    rates, plain = [], trainer.machine.train

    def train(*arguments, **named):
        rates.append(named["update"].scalars[0, 0])
        return plain(*arguments, **named)

    monkeypatch.setattr(trainer.machine, "train", train)
    run(trainer, 3)
    assert rates == [0.1, 0.1 / np.sqrt(51), 0.1 / np.sqrt(101)]


# --- validation ----------------------------------------------------------------------------


def test_early_stopping_keeps_the_best(capsys):
    scores = iter([0.1, 0.5, 0.9, 0.3, 0.2, 0.1, 0.0])
    trainer = make(validated=True, patience=2, verbose=True)
    seen = []

    def score():
        seen.append(trainer.machine.theta.copy())
        return next(scores)

    trainer.evaluate = lambda: {"val_score": score()}
    trainer.run(100)
    assert trainer.n_epochs == 6
    assert trainer.history.curves["val_score"] == [0.1, 0.5, 0.9, 0.3, 0.2, 0.1]
    assert trainer.history.best_score == 0.9
    np.testing.assert_array_equal(trainer.machine.theta, seen[2])
    out = capsys.readouterr().out
    assert "Validation score: 0.900000" in out
    assert "Validation score did not improve more than tol=0.000000 for 2" in out


def test_a_score_without_early_stopping_is_only_taken_down():
    trainer = make(patience=2, evaluate=lambda: {"val_score": 0.5})
    run(trainer, 5)
    assert trainer.history.curves["val_score"] == [0.5] * 5
    assert trainer.history.best_theta is None
    assert trainer.n_epochs == 5


def test_history():
    history = History(validated=False)
    weights = np.zeros(2), np.ones(1)
    # As in scikit-learn, a loss that is lower by less than tol is the best one nevertheless.
    for loss, count in [(5.0, 0), (4.0, 0), (3.5, 1), (3.2, 2), (2.5, 0), (9.0, 1), (1.0, 0)]:
        history.record({"loss": loss}, weights, tol=0.6)
        assert history.no_improvement == count
    assert history.best_loss == 1.0
    assert history.best_epoch == 7
    assert history.best_theta is None
    history = History(validated=True)
    for score, count in [(0.1, 0), (0.2, 0), (0.25, 1), (0.4, 0), (0.3, 1)]:
        weights[0][:], weights[1][:] = score, -score
        history.record({"loss": 1.0, "val_score": score}, weights, tol=0.1)
        assert history.no_improvement == count
    assert history.best_epoch == 4
    np.testing.assert_array_equal(history.best_theta, [0.4, 0.4])
    np.testing.assert_array_equal(history.best_state, [-0.4])


def test_curves_of_a_history_have_equal_lengths():
    """Figures that were not taken in an epoch are NaN."""
    history, weights = History(validated=False), (np.zeros(1), np.zeros(0))
    history.record({"loss": 1.0}, weights, tol=0)
    history.record({"loss": 2.0, "val_loss": 3.0}, weights, tol=0)
    history.record({"loss": 4.0}, weights, tol=0)
    np.testing.assert_equal(
        history.curves, {"loss": [1.0, 2.0, 4.0], "val_loss": [np.nan, 3.0, np.nan]}
    )


# --- interrupts ------------------------------------------------------------------------------


def test_interrupt_between_slices(monkeypatch):
    """Parameters that have been learnt are kept, and training can go on."""
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    monkeypatch.setattr(module, "_SLICE_SECONDS", 1e-12)
    trainer = make()
    plain, count = trainer.machine.train, 0

    def train(*arguments, **named):
        nonlocal count
        count += 1
        if count == 20:
            raise KeyboardInterrupt
        return plain(*arguments, **named)

    monkeypatch.setattr(trainer.machine, "train", train)
    before = trainer.machine.theta.copy()
    assert trainer.run(100) is Ending.INTERRUPTED
    assert trainer.n_epochs == 2
    assert len(trainer.history.curves["loss"]) == 2
    assert trainer.descent.step == 19
    assert np.isfinite(trainer.machine.theta).all()
    assert (trainer.machine.theta != before).any()
    monkeypatch.setattr(trainer.machine, "train", plain)
    run(trainer, 4)
    assert trainer.n_epochs == 4


def test_interrupt_with_early_stopping_keeps_the_best(monkeypatch):
    trainer = make(validated=True, batch_size=50)
    scores, seen = iter([0.5, 0.9, 0.1, 0.2]), []

    def score():
        seen.append(trainer.machine.theta.copy())
        if len(seen) == 4:
            raise KeyboardInterrupt
        return next(scores)

    trainer.evaluate = lambda: {"val_score": score()}
    assert trainer.run(100) is Ending.INTERRUPTED
    np.testing.assert_array_equal(trainer.machine.theta, seen[1])


# --- divergence ------------------------------------------------------------------------------


def diverge_in(trainer, epoch, monkeypatch):
    """Make parameters and moments NaN at the end of an epoch of one batch."""
    plain, count = trainer.machine.train, 0

    def train(*arguments, **named):
        nonlocal count
        losses = plain(*arguments, **named)
        count += 1
        if count == epoch:
            trainer.machine.theta[3] = np.nan
            trainer.descent.moments[:, 3] = np.inf
        return losses

    monkeypatch.setattr(trainer.machine, "train", train)


def test_divergence_puts_everything_back(monkeypatch):
    monkeypatch.setattr(module, "_MOST_AT_ONCE", 1)
    reference = run(make(batch_size=50), 3)
    trainer = make(batch_size=50)
    diverge_in(trainer, 4, monkeypatch)
    assert trainer.run(100) is Ending.DIVERGED
    assert trainer.n_epochs == 4
    np.testing.assert_array_equal(trainer.machine.theta, reference.machine.theta)
    np.testing.assert_array_equal(trainer.descent.moments, reference.descent.moments)
    assert trainer.descent.step == reference.descent.step
    # And so training can go on.
    run(trainer, 6)
    assert trainer.n_epochs == 6
    assert np.isfinite(trainer.machine.theta).all()


def test_divergence_by_a_large_rate():
    trainer = make(SGD(), loss="squared_error", rate=1e200)
    before = trainer.machine.theta.copy()
    assert trainer.run(100) is Ending.DIVERGED
    np.testing.assert_array_equal(trainer.machine.theta, before)
    assert not trainer.descent.moments.any()


def test_divergence_with_early_stopping_returns_to_the_best(monkeypatch):
    trainer = make(validated=True, batch_size=50)
    scores, seen = iter([0.5, 0.9, 0.1, 0.2]), []

    def score():
        seen.append(trainer.machine.theta.copy())
        return next(scores)

    trainer.evaluate = lambda: {"val_score": score()}
    diverge_in(trainer, 4, monkeypatch)
    assert trainer.run(100) is Ending.DIVERGED
    np.testing.assert_array_equal(trainer.machine.theta, seen[1])


def test_nan_data_diverges():
    trainer = make()
    trainer.data = source(np.full((50, 4), np.nan), "float64")
    before = trainer.machine.theta.copy()
    assert trainer.run(5) is Ending.DIVERGED
    assert trainer.n_epochs == 1
    np.testing.assert_array_equal(trainer.machine.theta, before)


def test_a_loss_that_overflows_diverges():
    """The parameters may stay finite, but nothing is learnt from an infinite loss."""
    trainer = make(loss="squared_error")
    huge = trainer.targets.values * 0 + 1e200
    trainer.targets = replace(trainer.targets, values=readonly(huge))
    before = trainer.machine.theta.copy()
    assert trainer.run(5) is Ending.DIVERGED
    np.testing.assert_array_equal(trainer.machine.theta, before)
