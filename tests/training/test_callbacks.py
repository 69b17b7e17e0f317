"""Callbacks by themselves: what each makes of a history, without any training."""

import math
import pickle
from types import SimpleNamespace

import numpy as np
import pytest
from sklearn.base import clone

from sklearn_nn import training
from sklearn_nn.training import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    Logger,
    MLflowLogger,
    ModelCheckpoint,
    OptunaPruning,
    ProgressBar,
    ReduceLROnPlateau,
    TensorBoard,
    TerminateOnNaN,
    TrainingScore,
    WandbLogger,
)
from sklearn_nn.training.callbacks import is_stopped_gently, monitored


def half(epoch, rate):
    """A schedule that can be pickled."""
    return rate / 2


EVERY = [
    Callback(), EarlyStopping("loss", patience=3, min_delta=0.1), ModelCheckpoint("a.npz", every=2),
    LearningRateScheduler(half), ReduceLROnPlateau(patience=1), TerminateOnNaN(), TrainingScore(),
    LambdaCallback(half, on_fit_end=print), ProgressBar(7, 100),
    CSVLogger("a.csv", append=True), Logger(), TensorBoard("runs"), MLflowLogger("a"),
    OptunaPruning(None, "loss"), WandbLogger("p", "n"),
]  # fmt: skip
PUBLIC = {*training.callbacks.__all__, *training.loggers.__all__}
assert {type(callback).__name__ for callback in EVERY} == PUBLIC
every_callback = pytest.mark.parametrize("callback", EVERY, ids=lambda c: type(c).__name__)


def show(callback, curves, log=None):
    """Call the callback after each epoch of these curves; returns the last epoch's answer."""
    estimator, answers = SimpleNamespace(history_={}), []
    for epoch in range(1, 1 + len(next(iter(curves.values())))):
        estimator.history_ = {name: list(curve[:epoch]) for name, curve in curves.items()}
        figures = {name: curve[epoch - 1] for name, curve in curves.items()}
        answers.append(callback.on_epoch_end(epoch, figures if log is None else log, estimator))
    return answers


def stops_at(callback, **curves):
    """The epoch at which training is stopped; None if it is not."""
    answers = show(callback, {name.replace("__", " "): c for name, c in curves.items()})
    return answers.index(True) + 1 if True in answers else None


# --- values ---------------------------------------------------------------------------------------


@every_callback
def test_callbacks_are_plain_values(callback):
    for same in (clone(callback), pickle.loads(pickle.dumps(callback))):
        assert same == callback
        assert same.get_params() == callback.get_params()
        assert repr(same) == repr(callback)
    callback.check()


def test_every_public_callback_is_tested():
    public = {kind for kind in vars(training).values() if isinstance(kind, type)}
    assert {kind for kind in public if issubclass(kind, Callback)} == set(map(type, EVERY))


@pytest.mark.parametrize(
    ("kind", "parameters", "message"),
    [
        (
            EarlyStopping,
            {"patience": -1},
            r"patience=-1 .*EarlyStopping.*whole.*\[0, inf\)",
        ),
        (
            EarlyStopping,
            {"patience": 2.5},
            r"patience=2.5 .*EarlyStopping.*whole number",
        ),
        (EarlyStopping, {"min_delta": math.nan}, "min_delta=nan .*EarlyStopping"),
        (
            ReduceLROnPlateau,
            {"factor": 1.0},
            r"factor=1.0 does not suit ReduceLROnPlateau.*\(0, 1\)",
        ),
        (ReduceLROnPlateau, {"patience": "2"}, "patience='2'"),
        (ReduceLROnPlateau, {"min_rate": -1}, "min_rate=-1"),
        (
            ModelCheckpoint,
            {"path": "a", "every": 0},
            r"every=0 does not suit ModelCheckpoint.*\[1, inf\)",
        ),
    ],
)
def test_unsuitable_parameters(kind, parameters, message):
    with pytest.raises(ValueError, match=message):
        kind(**parameters).check()


def test_monitor():
    figures = {"loss": [1.0], "val_loss": [2.0], "val_score": [0.5]}
    assert monitored(None, figures, "X") == "val_loss"
    assert monitored(None, {"loss": [1.0]}, "X") == "loss"
    assert monitored("val_score", figures, "X") == "val_score"
    with pytest.raises(ValueError, match=r"monitor='acc' of X is not among.*val_loss, val_score"):
        monitored("acc", figures, "X")
    with pytest.raises(ValueError, match=r"pass a validation set \(X_val, y_val\)"):
        monitored("val_loss", {"loss": [1.0]}, "X")


@pytest.mark.parametrize(
    "callback", [EarlyStopping("nope"), ReduceLROnPlateau("nope")], ids=lambda c: type(c).__name__
)
def test_an_unknown_monitor(callback):
    with pytest.raises(ValueError, match=f"monitor='nope' of {type(callback).__name__}.*loss"):
        show(callback, {"loss": [1.0]}, {"learning_rate": 0.1})


# --- EarlyStopping --------------------------------------------------------------------------------


def test_early_stopping_waits():
    loss = [5.0, 4.0, 4.0, 4.5, 4.0, 3.0]
    assert stops_at(EarlyStopping(patience=3), loss=loss) == 5
    assert stops_at(EarlyStopping(patience=2), loss=loss) == 4
    assert stops_at(EarlyStopping(patience=4), loss=loss) is None
    assert stops_at(EarlyStopping(patience=1), loss=loss) == 3
    assert stops_at(EarlyStopping(patience=0), loss=loss) == 3
    assert stops_at(EarlyStopping(patience=1), loss=[1.0]) is None


def test_early_stopping_by_scores_and_by_losses():
    assert stops_at(EarlyStopping("val_score", patience=2), val_score=[0.1, 0.5, 0.4, 0.5]) == 4
    assert stops_at(EarlyStopping("val_score", patience=2), val_score=[0.1, 0.2, 0.3, 0.4]) is None
    falls, rises = [4.0, 3.0, 2.0, 1.0], [1.0, 2.0, 3.0, 4.0]
    assert stops_at(EarlyStopping(patience=2), loss=falls, val_loss=rises) == 3
    assert stops_at(EarlyStopping("loss", patience=2), loss=falls, val_loss=rises) is None


def test_early_stopping_wants_more_than_min_delta():
    loss = [1.0, 0.95, 0.9, 0.85]
    assert stops_at(EarlyStopping(patience=1, min_delta=0.1), loss=loss) == 2
    assert stops_at(EarlyStopping(patience=3, min_delta=0.1), loss=loss) is None
    assert stops_at(EarlyStopping(patience=1, min_delta=0.01), loss=loss) is None


@pytest.mark.parametrize("at", range(4))
def test_an_epoch_without_a_figure_is_no_improvement(at):
    """NaN, as where the validation set came later, or the output overflowed."""
    loss = [4.0, 3.0, 2.0, 1.0, 1.0, 1.0]
    loss[at] = math.nan
    assert stops_at(EarlyStopping(patience=2), loss=loss) == (None if at == 3 else 6)
    assert stops_at(EarlyStopping(patience=2), loss=[math.nan] * 3) == 3
    assert stops_at(EarlyStopping("val_score", patience=1), val_score=[math.nan, 0.1, 0.2]) is None


# --- rates ----------------------------------------------------------------------------------------


def rates(callback, rate, **curves):
    """The base rate after each epoch."""
    log, found = {"learning_rate": rate}, []
    estimator = SimpleNamespace(history_={})
    for epoch in range(1, 1 + len(next(iter(curves.values())))):
        estimator.history_ = {name: curve[:epoch] for name, curve in curves.items()}
        assert not callback.on_epoch_end(epoch, log, estimator)
        found.append(log["learning_rate"])
    return found


def test_reduce_on_plateau():
    loss = [3.0, 2.0, 2.0, 2.0, 2.0, 1.0, 1.0, 1.0]
    reduce = ReduceLROnPlateau(factor=0.5, patience=2)
    assert rates(reduce, 1.0, loss=loss) == [1, 1, 1, 0.5, 0.5, 0.5, 0.5, 0.25]
    reduce = ReduceLROnPlateau(factor=0.5, patience=1, min_rate=0.3)
    assert rates(reduce, 1.0, loss=[1.0] * 5) == [1, 0.5, 0.3, 0.3, 0.3]
    reduce = ReduceLROnPlateau("val_score", factor=0.5, patience=1)
    assert rates(reduce, 1.0, loss=[1.0] * 3, val_score=[0.1, 0.2, 0.2]) == [1, 1, 0.5]
    reduce = ReduceLROnPlateau(factor=0.5, patience=1, min_delta=0.5)
    assert rates(reduce, 1.0, loss=[1.0, 0.6, 0.3]) == [1, 0.5, 0.5]


def test_scheduler():
    seen = []

    def schedule(epoch, rate):
        seen.append((epoch, rate))
        return rate / 2

    assert rates(LearningRateScheduler(schedule), 0.8, loss=[1.0] * 3) == [0.4, 0.2, 0.1]
    assert seen == [(1, 0.8), (2, 0.4), (3, 0.2)]


@pytest.mark.parametrize("bad", [0, -1.0, math.nan, math.inf])
def test_a_scheduler_that_returns_no_rate(bad):
    with pytest.raises(ValueError, match=r"schedule of LearningRateScheduler returned.*positive"):
        rates(LearningRateScheduler(lambda *_: bad), 0.1, loss=[1.0])


# --- ModelCheckpoint ------------------------------------------------------------------------------


class Saved:
    """An estimator that takes down under what name it is saved."""

    def __init__(self):
        self.names, self.history_ = [], {}

    def save(self, path):
        self.names.append(str(path))


def saved(callback, **curves):
    """The files that are written."""
    estimator = Saved()
    for epoch in range(1, 1 + len(next(iter(curves.values())))):
        estimator.history_ = {name: curve[:epoch] for name, curve in curves.items()}
        log = {name: curve[-1] for name, curve in estimator.history_.items()}
        callback.on_epoch_end(epoch, log, estimator)
    return estimator.names


def test_names_of_files():
    curves = {"loss": [1.0, 0.5], "val_loss": [2.0, 1.23456]}
    path = "net-{epoch:03d}-{val_loss:.4f}.npz"
    assert saved(ModelCheckpoint(path), **curves) == ["net-001-2.0000.npz", "net-002-1.2346.npz"]
    assert saved(ModelCheckpoint("last"), **curves) == ["last", "last"]
    assert saved(ModelCheckpoint("{{a}}"), **curves)[0] == "{a}"


@pytest.mark.parametrize("path", ["{acc}", "{}", "{", "{loss:d}"])
def test_names_that_cannot_be_filled_in(path):
    with pytest.raises(ValueError, match=r"path=.* of ModelCheckpoint.*epoch, loss, and"):
        saved(ModelCheckpoint(path), loss=[1.0])


def test_only_the_best():
    loss = [3.0, 2.0, 2.0, 2.5, math.nan, 1.0]
    assert saved(ModelCheckpoint("{epoch}", save_best_only=True), loss=loss) == ["1", "2", "6"]
    best = ModelCheckpoint("{epoch}", save_best_only=True, monitor="val_score")
    assert saved(best, loss=loss, val_score=[0.1, 0.3, 0.2, 0.3, 0.4, 0.1]) == ["1", "2", "5"]
    best = ModelCheckpoint("{epoch}", save_best_only=True)
    assert saved(best, loss=[3.0, 2.0, 1.0], val_loss=[1.0, 2.0, 0.5]) == ["1", "3"]


def test_every_so_many_epochs():
    assert saved(ModelCheckpoint("{epoch}", every=3), loss=[1.0] * 7) == ["3", "6"]


def test_a_path_is_kept_as_text(tmp_path):
    """So that the checkpoint itself can hold it, and those who load it find their callbacks."""
    assert ModelCheckpoint(tmp_path / "a").path == str(tmp_path / "a")


# --- LambdaCallback -------------------------------------------------------------------------------


def test_lambda():
    calls = []
    callback = LambdaCallback(
        lambda epoch, *_: epoch == 2,
        on_fit_begin=lambda _: calls.append("begin"),
        on_fit_end=lambda _: calls.append("end"),
    )
    callback.on_fit_begin(None)
    callback.on_epoch_begin(1, None)
    assert show(callback, {"loss": [1.0, 1.0]}) == [False, True]
    callback.on_fit_end(None)
    assert calls == ["begin", "end"]
    assert LambdaCallback().on_epoch_end(1, {}, None) is None
    assert LambdaCallback().get_params() == dict.fromkeys(LambdaCallback._HOOKS)


def test_terminate_on_nan():
    assert is_stopped_gently([EarlyStopping(), TerminateOnNaN()])
    assert not is_stopped_gently([EarlyStopping()])


def test_nan_is_a_number():
    """NumPy's floats and Python's are taken alike."""
    curves = {"loss": list(np.array([1.0, np.nan, 0.5]))}
    assert show(EarlyStopping(patience=1), curves) == [False, True, False]
