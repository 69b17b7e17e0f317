"""scikit-learn's own callbacks (`set_callbacks`, from 1.9 on) see every epoch."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.metrics import make_scorer, mean_absolute_error
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import (
    CLASSES,
    X,
    assert_same_training,
    diverging,
    fitted,
    make,
    output,
    target,
    validation,
)
from sklearn_nn import MLPClassifier, MLPRegressor, load
from sklearn_nn.training import LambdaCallback

callback = pytest.importorskip(
    "sklearn.callback", reason="this scikit-learn has no callbacks; they came with 1.9"
)
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def monitor(scoring="accuracy"):
    return callback.ScoringMonitor(scoring=scoring)


def bar():
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    return callback.ProgressBar()


def scores(watched, name="accuracy"):
    """The scores of the epochs of one fit, in their order."""
    return [row[name] for row in watched.get_logs().data if row["task_name"] == "epoch"]


class Tasks:
    """Takes down what it is told, and keeps the fitted estimators it is shown."""

    def __init__(self, stop_after=None):
        self.stop_after = stop_after
        self.calls, self.kept = [], []

    def setup(self, estimator, context):
        self.calls.append(("setup", context.max_subtasks))

    def on_fit_task_begin(self, estimator, context, *, X=None, y=None):
        assert len(X) == len(y)
        self.calls.append(("begin", context.task_name, context.task_id))

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self.calls.append(("end", context.task_name, context.task_id))
        if context.task_name == "epoch":
            self.kept.append(fitted_estimator)
            return context.task_id + 1 == self.stop_after
        return None

    def teardown(self, estimator, context):
        self.calls.append(("teardown",))


def tasks(n_epochs, most):
    """The calls of a fit."""
    epochs = [(hook, "epoch", k) for k in range(n_epochs) for hook in ("begin", "end")]
    return [("setup", most), ("begin", "fit", 0), *epochs, ("end", "fit", 0), ("teardown",)]


# --- alone ----------------------------------------------------------------------------------------


def test_the_order_of_tasks():
    seen = Tasks()
    model = make(max_iter=3).set_callbacks(seen).fit(X, CLASSES)
    assert seen.calls == tasks(3, 3)
    assert_same_training(model, fitted(max_iter=3))


def test_tasks_of_other_fits():
    seen = Tasks()
    make().set_callbacks(seen).partial_fit(X, CLASSES, classes=[0, 1, 2])
    assert seen.calls == tasks(1, 1)
    seen = Tasks()
    make(max_iter=3, n_restarts=2).set_callbacks(seen).fit(X, CLASSES)
    assert seen.calls == tasks(6, 6)
    seen = Tasks()
    make(solver="lbfgs").set_callbacks(seen).fit(X, CLASSES)
    assert seen.calls == tasks(0, 0)
    seen = Tasks()
    model = make(max_iter=3, warm_start="resume").set_callbacks(seen).fit(X, CLASSES)
    del seen.calls[:]
    model.set_params(max_iter=5).fit(X, CLASSES)
    assert seen.calls == tasks(2, 5)


@BOTH
def test_values_that_callbacks_keep_do_not_change(Estimator):
    """Each epoch's estimator predicts, and shows the weights, of its epoch for ever."""
    seen = Tasks()
    make(Estimator, ema_momentum=0.5, batch_norm=True).set_callbacks(seen).fit(X, target(Estimator))
    for epoch, kept in enumerate(seen.kept, 1):
        alone = fitted(Estimator, ema_momentum=0.5, batch_norm=True, max_iter=epoch)
        np.testing.assert_array_equal(output(kept), output(alone))
        for mine, other in zip(kept.coefs_, alone.coefs_, strict=True):
            np.testing.assert_array_equal(mine, other)


def test_scores_of_every_epoch():
    watched = monitor()
    model = make(max_iter=4).set_callbacks(watched, bar()).fit(X, CLASSES)
    expected = [fitted(max_iter=k).score(X, CLASSES) for k in (1, 2, 3, 4)]
    assert scores(watched) == expected
    assert watched.get_logs().data[0]["accuracy"] == model.score(X, CLASSES)


def test_several_scores_of_a_regressor():
    absolute = make_scorer(mean_absolute_error, greater_is_better=False)
    watched = monitor({"r2": "r2", "mine": absolute})
    y = target(MLPRegressor)
    model = make(MLPRegressor, max_iter=2).set_callbacks(watched).fit(X, y)
    assert scores(watched, "r2")[-1] == model.score(X, y)
    assert scores(watched, "mine")[-1] == -mean_absolute_error(y, model.predict(X))


def test_data_frames():
    pd = pytest.importorskip("pandas")
    frame, watched = pd.DataFrame(X, columns=list("abcdef")), monitor()
    make(max_iter=2).set_callbacks(watched).fit(frame, CLASSES)
    assert len(scores(watched)) == 2


@pytest.mark.filterwarnings("error::sklearn.exceptions.ConvergenceWarning")
def test_a_callback_that_asks_to_stop():
    seen = Tasks(stop_after=3)
    model = make().set_callbacks(seen, monitor()).fit(X, CLASSES)
    assert model.n_iter_ == len(model.loss_curve_) == 3
    assert seen.calls == tasks(3, 12)


def test_a_stop_and_early_stopping():
    """The best weights are gone back to."""
    bests = []
    for seed in range(3):
        model = make(early_stopping=True, n_iter_no_change=50, max_iter=60, random_state=seed)
        model.set_callbacks(Tasks(stop_after=40)).fit(X, CLASSES, **validation(MLPClassifier))
        assert model.n_iter_ == 40
        bests.append(model.best_iteration_)
        assert model.score(*validation(MLPClassifier).values()) == model.best_validation_score_
    assert min(bests) < 40


def test_callbacks_of_both_kinds():
    calls, watched = [], monitor()
    own = LambdaCallback(lambda epoch, *_: calls.append(epoch) or epoch == 2)
    make(callbacks=[own]).set_callbacks(watched).fit(X, CLASSES)
    assert calls == [1, 2]
    assert len(scores(watched)) == 2


def test_callbacks_are_torn_down_after_errors():
    seen = Tasks()
    with pytest.raises(ValueError, match="diverged"):
        diverging().set_callbacks(seen).fit(1e3 * X, target(MLPRegressor))
    assert seen.calls[-1] == ("teardown",)
    seen = Tasks()
    with pytest.raises(ValueError, match="inconsistent"):
        make().set_callbacks(seen).fit(X, CLASSES[:5])
    assert not seen.calls


def test_ctrl_c():
    def interrupt(*_):
        raise KeyboardInterrupt

    seen = Tasks()
    model = make(callbacks=[LambdaCallback(interrupt)]).set_callbacks(seen)
    with pytest.warns(UserWarning, match="interrupted"):
        model.fit(X, CLASSES)
    assert seen.calls[-2:] == [("end", "fit", 0), ("teardown",)]


def test_a_fitted_estimator_with_callbacks_is_pickled_saved_and_cloned(tmp_path):
    model = make().set_callbacks(monitor()).fit(X, CLASSES)
    np.testing.assert_array_equal(output(pickle.loads(pickle.dumps(model))), output(model))
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(output(load(tmp_path / "model")), output(model))
    clone(model).fit(X, CLASSES)
    left = {"_subtasks", "_callback_data", "_callback_fit_ctx", "_skl_callbacks_to_teardown"}
    assert not left & set(vars(model))


def test_they_are_no_parameters():
    with pytest.raises(ValueError, match="scikit-learn's own callbacks are for set_callbacks"):
        fitted(callbacks=[monitor()])


# --- in other estimators --------------------------------------------------------------------------


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_in_a_pipeline(solver, capsys):
    watched = monitor()
    model = make(max_iter=3, solver=solver).set_callbacks(watched)
    pipeline = make_pipeline(StandardScaler(), model).set_callbacks(bar()).fit(X, CLASSES)
    assert len(scores(watched)) == (3 if solver == "adam" else 0)
    assert watched.get_logs().data[0]["accuracy"] == pipeline.score(X, CLASSES)
    drawn = capsys.readouterr().out
    assert "MLPClassifier - fit" in drawn
    assert drawn.count("100%") == 3


@pytest.mark.parametrize("solver", ["adam", "lbfgs"])
def test_in_a_grid_search(solver):
    """Two processes, four fits and a last one: every epoch of each is there."""
    watched = monitor()
    model = make(max_iter=3, solver=solver).set_callbacks(watched)
    search = GridSearchCV(model, {"alpha": [0.1, 0.2]}, cv=2, n_jobs=2).set_callbacks(bar())
    search.fit(X, CLASSES)
    log = watched.get_logs().data
    assert len([row for row in log if row["task_name"] == "epoch"]) == 15 * (solver == "adam")
    assert len([row for row in log if row["task_name"] == "fit"]) == 5
    assert all(0 <= row["accuracy"] <= 1 for row in log)


def test_in_a_pipeline_in_a_grid_search():
    watched = monitor()
    pipeline = make_pipeline(StandardScaler(), make(max_iter=2).set_callbacks(watched))
    grid = {"mlpclassifier__alpha": [0.1, 0.2]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).set_callbacks(bar()).fit(X, CLASSES)
    assert len(scores(watched)) == 10
    assert search.best_score_ > 0


def test_stopping_in_a_grid_search():
    model = make().set_callbacks(Tasks(stop_after=2))
    search = GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, CLASSES)
    assert search.best_estimator_.n_iter_ == 2
