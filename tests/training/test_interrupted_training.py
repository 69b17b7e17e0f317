"""Training that is interrupted, at whatever instant: what is kept fits together, and goes on."""

import itertools

import numpy as np
import pytest
from test_lbfgs import solve
from test_trainer import make

from helpers.interrupts import At, interrupt_when, raising, sends_signals
from sklearn_nn.network import machine
from sklearn_nn.training import history, optimizers
from sklearn_nn.training import trainer as module
from sklearn_nn.training.callbacks import Callback
from sklearn_nn.training.schedules import Adaptive
from sklearn_nn.training.trainer import Ending

EPOCHS = 2


class Notes(Callback):
    """Counts how often training began and ended."""

    def __init__(self):
        self.begun = self.ended = 0

    def on_fit_begin(self, estimator):
        self.begun += 1

    def on_fit_end(self, estimator):
        self.ended += 1


def trainer_of(averaged=False, **options):
    """A trainer that validates, and perhaps averages; the parameters after each batch."""
    made = make(n=40, batch_size=20, schedule=Adaptive(), rate=0.05, **options)
    score = iter(range(100))
    made.evaluate = lambda: {"val_loss": 1.0, "val_score": float(next(score) % 3)}
    made.callbacks = [Notes()]
    if averaged:
        made.descent.average = machine.allocate(made.machine.theta.size, "float64")
        settings = machine.readonly(np.array([0.01, 0.0, 0.0, 0.0, 0.5]))
        made.machine._frame.set(settings=settings)
    return made


def parameters_by_step(monkeypatch, **options):
    """Return the results of uninterrupted training after each number of batches."""
    with monkeypatch.context() as patch:
        patch.setattr(module, "_SLICE_SECONDS", 1e-12)
        made = trainer_of(**options)
        plain, found = made.machine.train, {0: made.machine.theta.copy()}

        def train(*arguments, **named):
            losses = plain(*arguments, **named)
            found[made.machine.step] = made.machine.theta.copy()
            return losses

        made.machine.train = train
        made.run(EPOCHS + 1)
    return found


def check_whole(made):
    """The state that an interrupted run leaves is consistent."""
    history, curves = made.history, made.history.curves
    assert {len(curve) for curve in curves.values()} <= {made.n_epochs}
    assert history.n_epochs == made.n_epochs
    assert history.samples_seen == 40 * made.n_epochs
    assert history.best_epoch <= made.n_epochs
    if made.n_epochs:
        assert history.best_loss == min(curves["loss"])
        scores = curves.get("val_score", [])
        assert history.best_score == np.nanmax([*scores, -np.inf])
        assert len(scores) == made.n_epochs or not history.validated
    assert made.descent.step - 2 * made.n_epochs in (0, 1, 2)
    assert made.callbacks[0].begun in (made.callbacks[0].ended, made.callbacks[0].ended + 1)


@pytest.mark.parametrize("averaged", [False, True])
@pytest.mark.parametrize("validated", [False, True])
@pytest.mark.parametrize("file", [module.__file__, history.__file__, optimizers.__file__])
def test_interrupt_at_any_line(file, validated, averaged, monkeypatch):
    """At every line of the loop: epochs are recorded as a whole, batches trained as a whole."""
    steps = {} if averaged else parameters_by_step(monkeypatch, validated=validated)
    for k in itertools.count(1):
        made, at, ending = trainer_of(averaged, validated=validated), At(file, k), None
        try:
            with at:
                ending = made.run(EPOCHS)
        except KeyboardInterrupt:  # before it began, or as it returned
            assert made.descent.step in (0, 2 * EPOCHS)
        check_whole(made)
        if at.left > 0:
            break
        assert ending in (None, Ending.INTERRUPTED)
        assert np.isfinite(made.machine.theta).all()
        if averaged:
            shown = made.descent.raw is not None
            assert shown == (made.descent.step > 0)
            if not validated and shown:
                np.testing.assert_array_equal(made.machine.theta, made.descent.average)
        elif not validated:
            np.testing.assert_array_equal(made.machine.theta, steps[made.descent.step])
        elif made.history.best_theta is not None:
            np.testing.assert_array_equal(made.machine.theta, made.history.best_theta)
            # Training goes on from the last ones.
            np.testing.assert_array_equal(made.history.last[0], steps[made.descent.step])
        made.run(EPOCHS + 1)
        check_whole(made)
        assert made.n_epochs == EPOCHS + 1
    assert ending is Ending.EXHAUSTED
    assert k > 20


def test_a_second_interrupt_while_the_first_is_dealt_with(monkeypatch):
    made = trainer_of(validated=True)
    monkeypatch.setattr(made, "_call_back", raising(KeyboardInterrupt))
    plain, more = made._restore_best, iter([True, True])

    def restore():
        if next(more, False):
            raise KeyboardInterrupt
        plain()

    monkeypatch.setattr(made, "_restore_best", restore)
    assert made.run(EPOCHS) is Ending.INTERRUPTED
    assert made.n_epochs == 1
    check_whole(made)


def test_an_epoch_that_diverges_and_is_interrupted_is_undone(monkeypatch):
    """The state that is kept is finite, whatever happened."""
    made = trainer_of()
    made.run(1)
    before = [array.copy() for array in (made.machine.theta, made.descent.moments)]
    plain = made.machine.train

    def train(*arguments, **named):
        plain(*arguments, **named)
        made.machine.theta[3] = made.descent.moments[0, 3] = np.nan
        raise KeyboardInterrupt

    monkeypatch.setattr(made.machine, "train", train)
    assert made.run(EPOCHS) is Ending.INTERRUPTED
    np.testing.assert_array_equal(made.machine.theta, before[0])
    np.testing.assert_array_equal(made.descent.moments, before[1])
    assert made.descent.step == 2
    check_whole(made)


@sends_signals
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_an_interrupt_amid_a_slice(n_jobs, monkeypatch):
    """A real one, in a call that would train an epoch of a million batches."""
    monkeypatch.setattr(module, "_SLICE_SECONDS", 1e9)
    made = make(n=1_000_000, batch_size=1, n_jobs=n_jobs, dtype="float32")
    watch = interrupt_when(lambda: made.machine.step > 3)
    assert made.run(1) is Ending.INTERRUPTED
    watch.join()
    assert 3 < made.descent.step == made.machine.step < 1_000_000
    assert made.n_epochs == made.history.n_epochs == made.history.samples_seen == 0
    assert np.isfinite(made.machine.theta).all()


@pytest.mark.parametrize("at", [1, 2, 7, 30])
def test_lbfgs_keeps_what_the_last_iteration_has_come_to(at, monkeypatch, rng):
    """And not a step that was being tried."""
    from helpers.layer_cases.vectors import activation, dense
    from helpers.loss_cases import LOSSES, sample
    from helpers.programs import build

    case = {case.name: case for case in LOSSES}["multiclass"]
    X, y, _ = sample(rng, case, 40, 4, "float64")
    program = build([dense(15), activation("tanh"), dense(3)], 4, "float64", case.loss)
    targets = case.loss.targets(y, None, "float64")
    plain, count, losses, kept = machine.Machine.train, 0, {}, []

    def train(self, *arguments, **named):
        nonlocal count
        count += 1
        kept[:] = [self.theta]
        if count == at:
            raise KeyboardInterrupt
        found = plain(self, *arguments, **named)
        losses[self.theta.tobytes()] = found[0]
        return found

    monkeypatch.setattr(machine.Machine, "train", train)
    with pytest.raises(KeyboardInterrupt):
        solve(program, X, targets)
    theta = kept[0].tobytes()
    assert theta in losses or at == 1
    assert losses.get(theta) == min(losses.values(), default=None)
