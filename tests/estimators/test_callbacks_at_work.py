"""Callbacks in fits: when they are called, what they see, and what they bring about."""

import csv
import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    NUMBERS,
    X,
    assert_same_training,
    diverging,
    fitted,
    make,
    output,
    target,
    validation,
)
from sklearn_nn import MLPClassifier, MLPRegressor, load, load_checkpoint
from sklearn_nn.training import (
    Callback,
    CSVLogger,
    EarlyStopping,
    LambdaCallback,
    LearningRateScheduler,
    ModelCheckpoint,
    ReduceLROnPlateau,
    TerminateOnNaN,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


class Notes(Callback):
    """Takes down every call."""

    def __init__(self, calls=None, stop_after=None):
        self.calls = calls
        self.stop_after = stop_after

    def on_fit_begin(self, estimator):
        self.calls.append("begin")

    def on_epoch_begin(self, epoch, estimator):
        self.calls.append(f"epoch {epoch}")

    def on_epoch_end(self, epoch, log, estimator):
        self.calls.append(f"after {epoch}")
        return np.bool_(epoch == self.stop_after)

    def on_fit_end(self, estimator):
        self.calls.append("end")


def epochs(first, last):
    """What a fit of these epochs calls."""
    each = [call for k in range(first, last + 1) for call in (f"epoch {k}", f"after {k}")]
    return ["begin", *each, "end"]


def noted(**parameters):
    """An estimator, and the list of its callback's calls."""
    notes = Notes([])
    return make(callbacks=[notes], **parameters), notes.calls


# --- when they are called -------------------------------------------------------------------------


def test_the_order_of_calls():
    model, calls = noted(max_iter=3)
    model.fit(X, CLASSES)
    assert calls == epochs(1, 3)


def test_epochs_count_on_over_fits():
    model, calls = noted(max_iter=2, warm_start=True)
    model.fit(X, CLASSES).fit(X, CLASSES)
    assert calls == epochs(1, 2) + epochs(3, 4)
    model, calls = noted(max_iter=2)
    for _ in range(3):
        model.partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert calls == epochs(1, 1) + epochs(2, 2) + epochs(3, 3)
    model, calls = noted(max_iter=2, warm_start="resume")
    model.fit(X, CLASSES).set_params(max_iter=5).fit(X, CLASSES)
    assert calls == epochs(1, 2) + epochs(3, 5)
    del calls[:]
    model.fit(X, CLASSES)
    assert calls == ["begin", "end"]


def test_epochs_count_anew_in_each_restart_and_each_fit():
    model, calls = noted(max_iter=2, n_restarts=3)
    model.fit(X, CLASSES)
    assert calls == 3 * epochs(1, 2)
    model, calls = noted(max_iter=2)
    model.fit(X, CLASSES).fit(X, CLASSES)
    assert calls == 2 * epochs(1, 2)


def test_callbacks_run_in_order_and_those_that_save_last(tmp_path):
    calls = []

    def note(name):
        return LambdaCallback(lambda *_: calls.append(name))

    class Save(ModelCheckpoint):
        def on_epoch_end(self, epoch, log, estimator):
            calls.append("save")
            super().on_epoch_end(epoch, log, estimator)

    callbacks = [note("a"), Save(tmp_path / "model"), note("b"), note("c")]
    fitted(max_iter=1, callbacks=callbacks)
    assert calls == ["a", "b", "c", "save"]


def test_callbacks_change_nothing_by_being_there():
    model, _ = noted()
    assert_same_training(model.fit(X, CLASSES), fitted())


# --- what they see --------------------------------------------------------------------------------


class Look(Callback):
    """Asserts that the estimator is up to date."""

    def on_fit_begin(self, estimator):
        assert len(output(estimator)) == len(X)

    def on_epoch_end(self, epoch, log, estimator):
        assert estimator.n_iter_ == len(estimator.loss_curve_) == epoch
        assert estimator.loss_ == estimator.loss_curve_[-1] == log["loss"]
        assert {len(curve) for curve in estimator.history_.values()} == {epoch}
        assert np.isfinite(output(estimator)).all()
        assert log["seconds"] >= 0
        assert log["learning_rate"] > 0
        if "val_score" in log:
            assert estimator.validation_scores_[-1] == log["val_score"]
            assert estimator.validation_loss_curve_[-1] == log["val_loss"]
            assert estimator.best_validation_score_ == max(estimator.validation_scores_)
            X_val, y_val = validation(type(estimator)).values()
            assert estimator.score(X_val, y_val) == pytest.approx(log["val_score"])
        assert type(estimator).__name__ in repr(estimator.summary())

    def on_fit_end(self, estimator):
        assert len(output(estimator)) == len(X)


@BOTH
@pytest.mark.parametrize("ema_momentum", [0.0, 0.9])
@pytest.mark.parametrize("validated", [False, True])
def test_the_estimator_is_up_to_date(Estimator, validated, ema_momentum):
    """What is scored and shown is what would be returned now, averages included."""
    sets = validation(Estimator) if validated else {}
    model = make(Estimator, callbacks=[Look()], ema_momentum=ema_momentum, batch_norm=True)
    model.fit(X, target(Estimator), **sets)


def test_names_of_figures():
    seen = []
    look = LambdaCallback(lambda _, log, __: seen.append(sorted(log)))
    fitted(max_iter=1, callbacks=[look])
    fitted(max_iter=1, callbacks=[look], early_stopping=True)
    assert seen[0] == ["learning_rate", "loss", "seconds"]
    assert seen[1] == ["learning_rate", "loss", "seconds", "val_loss", "val_score"]


# --- stopping -------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_callback_that_returns_true_stops():
    """After the others were called, and without a word."""
    first, second = Notes([], stop_after=3), Notes([])
    model = fitted(callbacks=[first, second])
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert first.calls == second.calls == epochs(1, 3)
    assert_same_training(model, fitted(max_iter=3, callbacks=[first]))


def test_stopped_models_are_saved_as_stopped(tmp_path):
    callbacks = [ModelCheckpoint(tmp_path / "model"), LambdaCallback(lambda epoch, *_: epoch == 3)]
    fitted(callbacks=callbacks)
    with pytest.warns(UserWarning, match="callbacks"):
        resumed = load_checkpoint(tmp_path / "model")
    assert resumed.fit(X, CLASSES).n_iter_ == 3


def test_a_stop_goes_back_to_the_best_weights_with_early_stopping():
    worse = LambdaCallback(lambda _, log, model: log["val_score"] < model.best_validation_score_)
    model = make(early_stopping=True, max_iter=100, callbacks=[worse])
    model.fit(X, CLASSES, **validation(MLPClassifier))
    assert model.best_iteration_ < model.n_iter_ < 100
    assert model.score(*validation(MLPClassifier).values()) == model.best_validation_score_


def test_early_stopping_as_a_callback():
    """It watches any figure, and leaves the weights of the last epoch."""
    stop = EarlyStopping("val_loss", patience=2)
    model = make(MLPRegressor, max_iter=100, learning_rate_init=0.05, callbacks=[stop])
    model.fit(X, NUMBERS, **validation(MLPRegressor))
    curve = model.validation_loss_curve_
    assert model.n_iter_ < 100
    best = int(np.argmin(curve))
    assert len(curve) == best + 3
    straight = make(MLPRegressor, max_iter=len(curve), learning_rate_init=0.05)
    np.testing.assert_array_equal(model._network.theta, straight.fit(X, NUMBERS)._network.theta)


def test_a_loss_without_validation_is_watched_too():
    stop = EarlyStopping(patience=1, min_delta=0.5)
    assert fitted(callbacks=[stop]).n_iter_ == 2


# --- learning rates -------------------------------------------------------------------------------


def test_a_scheduler_sets_the_rate_of_the_next_epoch():
    model = fitted(max_iter=4, callbacks=[LearningRateScheduler(lambda epoch, _: 0.1 / epoch)])
    assert model.history_["learning_rate"] == [0.01, 0.1, 0.1 / 2, 0.1 / 3]
    other = fitted(max_iter=4)
    assert model.loss_curve_[0] == other.loss_curve_[0]
    assert model.loss_curve_[2] != other.loss_curve_[2]


def test_callbacks_see_each_others_rates():
    halve = LearningRateScheduler(lambda _, rate: rate / 2)
    model = fitted(max_iter=3, callbacks=[halve, halve])
    assert model.history_["learning_rate"] == [0.01, 0.0025, 0.000625]


def test_the_rate_of_a_callback_is_the_base_of_a_schedule():
    halve = LearningRateScheduler(lambda _, rate: rate / 2)
    model = fitted(max_iter=3, learning_rate="step", callbacks=[halve])
    assert model.history_["learning_rate"] == [0.01, 0.005, 0.0025]


def test_reduce_on_plateau():
    reduce = ReduceLROnPlateau(patience=2, factor=0.5, min_delta=100.0)
    model = fitted(max_iter=6, callbacks=[reduce])
    # The first epoch improves on nothing.
    assert model.history_["learning_rate"] == [0.01, 0.01, 0.01, 0.005, 0.005, 0.0025]
    same = fitted(max_iter=6, learning_rate="constant", callbacks=[reduce], n_jobs=2)
    assert_same_training(model, same)


# --- files ----------------------------------------------------------------------------------------


def test_files_by_epoch_and_score(tmp_path):
    path = tmp_path / "net-{epoch:02d}-{val_loss:.4f}.npz"
    model = make(max_iter=4, callbacks=[ModelCheckpoint(path)])
    model.fit(X, CLASSES, **validation(MLPClassifier))
    expected = [
        f"net-{epoch:02d}-{loss:.4f}.npz"
        for epoch, loss in enumerate(model.validation_loss_curve_, 1)
    ]
    assert sorted(file.name for file in tmp_path.iterdir()) == expected
    for epoch, name in enumerate(expected, 1):
        loaded = load(tmp_path / name)
        assert loaded.n_iter_ == epoch
        assert loaded.loss_curve_ == model.loss_curve_[:epoch]
    np.testing.assert_array_equal(output(loaded), output(model))


def test_the_best_file_holds_the_best_epoch(tmp_path):
    bests = []
    for seed in range(3):
        path = tmp_path / f"best {seed}"
        save = ModelCheckpoint(path, save_best_only=True, monitor="val_score")
        options = {"max_iter": 25, "learning_rate_init": 0.05, "random_state": seed}
        model = make(callbacks=[save], **options)
        model.fit(X, CLASSES, **validation(MLPClassifier))
        best = load(path)
        bests.append(best.n_iter_)
        assert best.n_iter_ == 1 + int(np.argmax(model.validation_scores_))
        assert best.score(*validation(MLPClassifier).values()) == max(model.validation_scores_)
    assert min(bests) < 25  # else the last file would do


def test_every_third_epoch(tmp_path):
    fitted(max_iter=7, callbacks=[ModelCheckpoint(tmp_path / "{epoch}", every=3)])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["3", "6"]


def test_csv_is_the_history(tmp_path):
    model = fitted(early_stopping=True, callbacks=[CSVLogger(tmp_path / "log.csv")])
    with (tmp_path / "log.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [int(row.pop("epoch")) for row in rows] == list(range(1, model.n_iter_ + 1))
    read = {name: [float(row[name]) for row in rows] for name in rows[0]}
    assert read == model.history_


def test_csv_of_training_that_is_resumed(tmp_path):
    """Appended to, it is the log of one fit."""
    callbacks = [CSVLogger(tmp_path / "log.csv", append=True), ModelCheckpoint(tmp_path / "model")]
    fitted(max_iter=3, callbacks=callbacks)
    resumed = load_checkpoint(tmp_path / "model").set_params(max_iter=5).fit(X, CLASSES)
    lines = (tmp_path / "log.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines] == ["epoch", "1", "2", "3", "4", "5"]
    assert [float(line.split(",")[1]) for line in lines[1:]] == resumed.loss_curve_


# --- what goes wrong ------------------------------------------------------------------------------


def test_terminate_on_nan():
    model = diverging(callbacks=[TerminateOnNaN()])
    with pytest.warns(match=r"diverged in epoch \d.*The weights from before that epoch are kept"):
        model.fit(1e3 * X, NUMBERS)
    assert np.isfinite(model._network.theta).all()
    with pytest.raises(ValueError, match=r"diverged in epoch \d.*lower learning_rate_init"):
        diverging().fit(1e3 * X, NUMBERS)


@pytest.mark.parametrize("kind", [EarlyStopping, ReduceLROnPlateau])
def test_an_unknown_monitor(kind):
    notes = Notes([])
    model = make(callbacks=[notes, kind("val_acc")])
    with pytest.raises(ValueError, match=f"monitor='val_acc' of {kind.__name__}.*early_stopping="):
        model.fit(X, CLASSES)
    assert notes.calls[-1] == "end"
    assert np.isfinite(output(model)).all()
    assert_same_training(model.set_params(callbacks=None).fit(X, CLASSES), fitted())


def test_a_monitor_of_validation_without_validation(tmp_path):
    save = ModelCheckpoint(tmp_path / "a", save_best_only=True, monitor="val_loss")
    with pytest.raises(ValueError, match=r"of ModelCheckpoint.*pass a validation set"):
        fitted(callbacks=[save])


@pytest.mark.parametrize("hook", ["on_fit_begin", "on_epoch_end"])
def test_an_error_in_a_callback(hook):
    """It comes through; callbacks that had begun end; the estimator can be used, and go on."""
    first, last = Notes([]), Notes([])

    def fail(*_):
        raise RuntimeError("mine")

    model = make(callbacks=[first, LambdaCallback(**{hook: fail}), last])
    with pytest.raises(RuntimeError, match="mine"):
        model.fit(X, CLASSES)
    assert first.calls[-1] == "end"
    assert last.calls == ([] if hook == "on_fit_begin" else ["begin", "epoch 1", "end"])
    assert np.isfinite(output(model)).all()
    assert_same_training(model.set_params(callbacks=None).fit(X, CLASSES), fitted())


def test_an_error_in_a_callback_and_averaged_weights():
    def fail(epoch, *_):
        if epoch == 2:
            raise RuntimeError("mine")

    model = make(callbacks=[LambdaCallback(fail)], ema_momentum=0.9, warm_start="resume")
    with pytest.raises(RuntimeError):
        model.fit(X, CLASSES)
    np.testing.assert_array_equal(
        model._network.theta, fitted(ema_momentum=0.9, max_iter=2)._network.theta
    )
    model.set_params(callbacks=None).fit(X, CLASSES)
    assert_same_training(model, fitted(ema_momentum=0.9))


@pytest.mark.parametrize("hook", ["on_fit_begin", "on_epoch_end"])
def test_ctrl_c_in_a_callback(hook):
    def interrupt(*_):
        raise KeyboardInterrupt

    notes = Notes([])
    model = make(callbacks=[notes, LambdaCallback(**{hook: interrupt})])
    with pytest.warns(UserWarning, match="Training interrupted by user"):
        model.fit(X, CLASSES)
    assert model.n_iter_ == (hook == "on_epoch_end")
    assert notes.calls[-1] == "end"
    assert np.isfinite(output(model)).all()


@pytest.mark.parametrize(
    ("callbacks", "message"),
    [
        ([EarlyStopping], r"callbacks\[0\]=<class.*not a Callback object"),
        ([EarlyStopping(), "loss"], r"callbacks\[1\]='loss' is not a Callback object"),
        ([lambda *_: None], r"not a Callback object of sklearn_nn.training.*set_callbacks"),
        ("loss", "'callbacks' parameter"),
        ([EarlyStopping(patience=-1)], "patience=-1 .*EarlyStopping"),
        ([ModelCheckpoint("a", every=0)], "every=0 .*ModelCheckpoint"),
    ],
    ids=["class", "name", "function", "not a list", "patience", "every"],
)
def test_invalid_callbacks(callbacks, message):
    """An error before training begins, which leaves the estimator as it was."""
    model = make(callbacks=callbacks)
    with pytest.raises(ValueError, match=message):
        model.fit(X, CLASSES)
    assert not hasattr(model, "coefs_")


def test_lbfgs_has_no_epochs():
    with pytest.raises(ValueError, match=r"callbacks=\[Early.*solver='lbfgs' does not have"):
        fitted(solver="lbfgs", callbacks=[EarlyStopping()])
    fitted(solver="lbfgs", callbacks=[])


# --- as parameters --------------------------------------------------------------------------------


class StopBelow(Callback):
    """A callback of a user's own, with parameters."""

    def __init__(self, loss=0.9, monitor="loss"):
        self.loss = loss
        self.monitor = monitor

    def on_epoch_end(self, epoch, log, estimator):
        return log[self.monitor] < self.loss


def test_a_callback_of_ones_own():
    model = fitted(MLPRegressor, callbacks=[StopBelow(1.2)])
    assert model.loss_curve_[-1] < 1.2 <= min(model.loss_curve_[:-1])
    assert repr(StopBelow(1.2)) == "StopBelow(loss=1.2)"
    assert clone(StopBelow(0.5)) == StopBelow(0.5) != StopBelow(0.6)


@BOTH
def test_callbacks_as_parameters(Estimator):
    callbacks = [EarlyStopping(patience=3), StopBelow(), ReduceLROnPlateau()]
    model = make(Estimator, callbacks=callbacks)
    assert model.get_params()["callbacks"] is callbacks
    assert clone(model).callbacks == callbacks
    assert "EarlyStopping(patience=3)" in repr(model)
    model.fit(X, target(Estimator))
    for same in (pickle.loads(pickle.dumps(model)), clone(model).fit(X, target(Estimator))):
        assert same.callbacks == callbacks
        np.testing.assert_array_equal(output(same), output(model))
    assert model.callbacks is callbacks


def test_grid_search_over_and_with_callbacks():
    grid = {"callbacks": [[EarlyStopping(patience=1, min_delta=0.5)], [StopBelow(0.0)], None]}
    search = GridSearchCV(make(max_iter=5), grid, cv=2, n_jobs=2).fit(X, CLASSES)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scores = search.cv_results_["mean_test_score"]
    assert scores[1] == scores[2] != scores[0]
    model = make(callbacks=[StopBelow(0.0), LambdaCallback(lambda *_: None)], max_iter=3)
    GridSearchCV(model, {"alpha": [0.1, 0.2]}, cv=2, n_jobs=2).fit(X, CLASSES)
