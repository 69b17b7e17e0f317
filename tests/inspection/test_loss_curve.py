"""Loss curves show what was recorded."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.compose import TransformedTargetRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.inspection import LossCurveDisplay

HISTORY = {
    "loss": [1.0, 0.5, 0.3, 0.2],
    "val_loss": [1.1, 0.7, 0.6, 0.8],
    "score": [0.5, 0.7, 0.8, 0.9],
    "val_score": [0.4, 0.6, 0.75, 0.7],
    "learning_rate": [0.1, 0.1, 0.05, 0.05],
    "seconds": [0.1, 0.1, 0.1, 0.1],
}

pytestmark = pytest.mark.usefixtures("plt")


def labels(lines):
    return [line.get_label() for line in lines]


def assert_marks(display, ax, epoch, curve):
    """Check that the best epoch is marked on one curve, and on no other axes."""
    mark = display.best_line_
    assert mark.axes is ax
    assert_array_equal(mark.get_xdata(), [epoch])
    assert_array_equal(mark.get_ydata(), [curve[epoch - 1]])
    everything = [line for axes in display.figure_.axes for line in axes.lines]
    assert len(everything) == len(display.lines_) + 1


def small(rng):
    X = rng.standard_normal((60, 4))
    return X, (X[:, 0] > 0).astype(int)


def fit(estimator, X, y, **arguments):
    """Fit for a few epochs, which do not converge."""
    with pytest.warns(ConvergenceWarning):
        return estimator.fit(X, y, **arguments)


def test_losses_against_epochs(legend_of):
    display = LossCurveDisplay(HISTORY, best_iteration=3, judged_by="val_loss").plot()
    assert labels(display.lines_) == ["Training loss", "Validation loss"]
    for line, name in zip(display.lines_, ("loss", "val_loss"), strict=True):
        assert_array_equal(line.get_xdata(), [1, 2, 3, 4])
        assert_array_equal(line.get_ydata(), HISTORY[name])
    assert display.ax_.get_xlabel() == "Epoch"
    assert display.ax_.get_ylabel() == "Loss"
    assert display.ax_.get_yscale() == "linear"
    assert display.figure_ is display.ax_.figure
    assert display.score_ax_ is None
    assert display.learning_rate_ax_ is None
    assert_marks(display, display.ax_, 3, HISTORY["val_loss"])
    assert legend_of(display.ax_) == ["Training loss", "Validation loss", "Best epoch (3)"]


def test_epochs_are_whole():
    display = LossCurveDisplay(HISTORY).plot()
    display.figure_.draw_without_rendering()
    ticks = display.ax_.get_xticks()
    assert_array_equal(ticks, np.round(ticks))


def test_log_scale():
    assert LossCurveDisplay(HISTORY).plot(log_scale=True).ax_.get_yscale() == "log"


def test_scores_and_rate_on_axes_of_their_own(legend_of, overlaps):
    display = LossCurveDisplay(HISTORY, 3).plot(score=True, learning_rate=True)
    assert_marks(display, display.score_ax_, 3, HISTORY["val_score"])
    assert labels(display.lines_) == [
        "Training loss",
        "Validation loss",
        "Training score",
        "Validation score",
        "Learning rate",
    ]
    assert [line.axes for line in display.lines_] == [
        *[display.ax_] * 2,
        *[display.score_ax_] * 2,
        display.learning_rate_ax_,
    ]
    assert_array_equal(display.lines_[3].get_ydata(), HISTORY["val_score"])
    assert_array_equal(display.lines_[4].get_ydata(), HISTORY["learning_rate"])
    assert legend_of(display.ax_) == [*labels(display.lines_), "Best epoch (3)"]
    # One colour for the data, one kind of line for the measure.
    assert display.lines_[1].get_color() == display.lines_[3].get_color()
    assert display.lines_[1].get_linestyle() != display.lines_[3].get_linestyle()
    axes = [display.score_ax_.yaxis.label, display.learning_rate_ax_.yaxis.label]
    assert [label.get_text() for label in axes] == ["Score (dashed)", "Learning rate (dotted)"]
    assert not overlaps(*axes)
    assert display.learning_rate_ax_.get_ylim()[0] == 0
    legend = display.ax_.get_legend()
    assert not any(overlaps(legend, line) for line in display.lines_)


def test_given_axes_and_style(plt):
    figure, (_, ax) = plt.subplots(1, 2)
    display = LossCurveDisplay(HISTORY).plot(ax, line_kw={"linewidth": 3})
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert plt.get_fignums() == [figure.number]
    assert {line.get_linewidth() for line in display.lines_} == {3}


def test_a_single_epoch_can_be_seen():
    (line,) = LossCurveDisplay({"loss": [0.5]}).plot().lines_
    assert line.get_marker() == "o"


def test_the_best_epoch_is_marked_on_the_curve_that_judged_it():
    for judge in ("loss", "val_loss"):
        display = LossCurveDisplay(HISTORY, 2, judged_by=judge).plot(score=True)
        assert_marks(display, display.ax_, 2, HISTORY[judge])


def test_the_best_score_is_not_marked_among_losses(legend_of):
    display = LossCurveDisplay(HISTORY, 3).plot()
    assert display.best_line_ is None
    assert len(display.ax_.lines) == 2
    assert legend_of(display.ax_) == ["Training loss", "Validation loss"]


@pytest.mark.parametrize(
    ("parameters", "judge"),
    [
        ({"early_stopping": "best"}, "val_score"),
        ({"early_stopping": True}, "val_score"),
        ({"early_stopping": "best", "scoring": "loss"}, "val_loss"),
        ({"early_stopping": False}, "loss"),
    ],
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_judged_the_epochs_of_an_estimator(parameters, judge, rng):
    X, y = small(rng)
    network = MLPClassifier(8, max_iter=6, learning_rate_init=0.05, random_state=0, **parameters)
    network.fit(X, y ^ (rng.random(60) < 0.3), X_val=X, y_val=y)
    display = LossCurveDisplay.from_estimator(network, score=True)
    ax = display.score_ax_ if judge == "val_score" else display.ax_
    assert_marks(display, ax, network.best_iteration_, network.history_[judge])
    best = np.max if judge == "val_score" else np.min
    assert display.best_line_.get_ydata()[0] == best(network.history_[judge])


def test_equal_scores_are_judged_by_the_loss(fitted):
    history = HISTORY | {"val_score": [0.5] * 4}
    network = fitted(history_=history, best_iteration_=3, early_stopping="best")
    display = LossCurveDisplay.from_estimator(network)
    assert_marks(display, display.ax_, 3, HISTORY["val_loss"])
    # Some estimators keep the first of equal scores instead.
    network.best_iteration_ = 1
    display = LossCurveDisplay.from_estimator(network, score=True)
    assert_marks(display, display.score_ax_, 1, history["val_score"])


def test_epochs_without_validation_leave_gaps():
    history = {"loss": [3, 2, 1], "val_loss": [None, 2.5, float("nan")]}
    display = LossCurveDisplay(history).plot()
    assert_array_equal(display.lines_[1].get_ydata(), [np.nan, 2.5, np.nan])


def test_requested_curves_must_exist():
    display = LossCurveDisplay({"loss": [1, 2]})
    with pytest.raises(ValueError, match=r"score=True.*X_val"):
        display.plot(score=True)
    with pytest.raises(ValueError, match="learning_rate=True"):
        display.plot(learning_rate=True)


def test_history_of_an_estimator(fitted):
    network = fitted(history_=HISTORY, best_iteration_=2, loss_curve_=[9])
    display = LossCurveDisplay.from_estimator(network, score=True, log_scale=True)
    assert_array_equal(display.lines_[0].get_ydata(), HISTORY["loss"])
    assert_array_equal(display.lines_[3].get_ydata(), HISTORY["val_score"])
    assert display.best_line_.get_xdata()[0] == 2
    assert display.ax_.get_yscale() == "log"


def test_history_with_empty_columns(fitted):
    history = {"loss": [2, 1], "val_loss": [None, None], "val_score": []}
    display = LossCurveDisplay.from_estimator(fitted(history_=history))
    assert labels(display.lines_) == ["Training loss"]
    assert display.best_line_ is None


@pytest.mark.parametrize(
    ("missing", "best"),
    [((), 3), (("val_score",), 3), (("val_loss",), 3), (("val_score", "val_loss"), None)],
)
def test_best_epoch_where_the_estimator_does_not_say(fitted, missing, best):
    history = {name: curve for name, curve in HISTORY.items() if name not in missing}
    score = "val_score" in history
    line = LossCurveDisplay.from_estimator(fitted(history_=history), score=score).best_line_
    assert (line and line.get_xdata()[0]) == best


@pytest.mark.parametrize("Estimator", [MLPClassifier, ScikitLearnMLP])
def test_estimators_that_stop_early(Estimator, rng):
    network = Estimator(4, early_stopping=True, max_iter=5, random_state=0)
    fit(network, *small(rng))
    display = LossCurveDisplay.from_estimator(network, score=True)
    assert_array_equal(display.lines_[0].get_ydata(), network.loss_curve_)
    scores = next(line for line in display.lines_ if line.get_label() == "Validation score")
    assert_array_equal(scores.get_ydata(), network.validation_scores_)
    best = int(np.argmax(network.validation_scores_)) + 1
    assert display.best_line_.get_xdata()[0] == best


@pytest.mark.parametrize("Estimator", [MLPClassifier, ScikitLearnMLP])
def test_inside_pipelines_and_searches(Estimator, rng):
    pipeline = make_pipeline(StandardScaler(), Estimator(4, max_iter=3, random_state=0))
    step = pipeline.steps[-1][0]
    search = GridSearchCV(pipeline, {f"{step}__alpha": [0.0, 0.1]}, cv=2)
    fit(search, *small(rng))
    display = LossCurveDisplay.from_estimator(search)
    assert_array_equal(
        display.lines_[0].get_ydata(), search.best_estimator_.named_steps[step].loss_curve_
    )


def test_behind_a_transformed_target(rng):
    X, _ = small(rng)
    network = MLPRegressor(hidden_layer_sizes=4, max_iter=3, random_state=0)
    model = fit(TransformedTargetRegressor(network, transformer=StandardScaler()), X, X[:, 0])
    display = LossCurveDisplay.from_estimator(model)
    assert_array_equal(display.lines_[0].get_ydata(), model.regressor_.loss_curve_)


@pytest.mark.parametrize("Estimator", [MLPClassifier, ScikitLearnMLP])
def test_lbfgs_has_no_curve(Estimator, rng):
    X, y = small(rng)
    network = Estimator(2, solver="lbfgs", max_iter=500, random_state=0).fit(X, y)
    with pytest.raises(ValueError, match="lbfgs"):
        LossCurveDisplay.from_estimator(network)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(MLPClassifier())
    with pytest.raises(NotFittedError):
        LossCurveDisplay.from_estimator(make_pipeline(StandardScaler(), MLPClassifier()))
