"""The graph of under- and overfitting."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import ValidationCurveDisplay, validation_curve
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier
from sklearn_nn.inspection import ComplexityCurveDisplay

pytestmark = pytest.mark.usefixtures("plt")

SIZES = [(2,), (20,), (20, 20)]


def display_of(values, train, validation, name="p", **options):
    """A display of given mean scores, from two folds."""
    spread = np.array([-0.05, 0.05])
    return ComplexityCurveDisplay(
        param_name=name,
        param_range=values,
        train_scores=np.add.outer(train, spread),
        test_scores=np.add.outer(validation, spread),
        **options,
    )


def tick_labels(ax):
    return [label.get_text() for label in ax.get_xticklabels()]


def regions(display):
    return {name: text.get_text() for name, text in display.regions_.items()}


def test_scores_against_the_parameter(legend_of):
    display = display_of([1, 2, 3], [0.6, 0.8, 0.9], [0.5, 0.7, 0.6], score_name="Accuracy").plot()
    for line, scores in zip(display.lines_, ([0.6, 0.8, 0.9], [0.5, 0.7, 0.6]), strict=True):
        assert_array_equal(line.get_xdata(), [1, 2, 3])
        assert_allclose(line.get_ydata(), scores)
    assert len(display.fill_between_) == 2
    assert display.ax_.get_xlabel() == "p"
    assert display.ax_.get_ylabel() == "Accuracy"
    assert tick_labels(display.ax_) == ["1", "2", "3"]
    assert display.best_index_ == 1
    assert display.best_value_ == 2
    assert_allclose(display.best_point_.get_xydata(), [[2, 0.7]])
    assert display.best_line_.get_xdata()[0] == 2
    assert legend_of(display.ax_) == ["Training", "Validation", "Best: 2"]


def test_regions_where_complexity_rises(overlaps):
    display = display_of([1, 2, 3], [0.6, 0.8, 0.9], [0.5, 0.7, 0.6]).plot()
    assert regions(display) == {
        "underfitting": "← underfitting",
        "overfitting": "overfitting →",
    }
    assert not overlaps(*display.regions_.values())
    legend = display.ax_.get_legend()
    assert not any(overlaps(legend, text) for text in display.regions_.values())


def test_regions_where_complexity_falls():
    display = display_of([1, 2, 3], [0.9, 0.8, 0.6], [0.6, 0.7, 0.5], name="alpha").plot()
    assert regions(display) == {
        "overfitting": "← overfitting",
        "underfitting": "underfitting →",
    }


@pytest.mark.parametrize(
    ("validation", "region"), [([0.5, 0.6, 0.7], "underfitting"), ([0.7, 0.6, 0.5], "overfitting")]
)
def test_the_best_at_an_end_leaves_one_region(validation, region):
    display = display_of([1, 2, 3], [0.6, 0.8, 0.9], validation).plot()
    assert list(display.regions_) == [region]


def spans(display):
    """Return where the shaded regions begin, and where they end."""
    # Rectangles are polygons in older versions of matplotlib.
    paths = [p.get_patch_transform().transform_path(p.get_path()) for p in display.ax_.patches]
    boxes = [path.get_extents() for path in paths]
    return [box.x0 for box in boxes], [box.x1 for box in boxes]


def test_regions_end_where_values_are_as_good_as_the_best():
    train, validation = [0.6, 0.7, 0.8, 0.9, 0.95], [0.3, 0.6, 0.7, 0.69, 0.5]
    folds = np.array([-0.05, 0.0, 0.05])
    scores = np.add.outer(validation, folds)
    # The standard error of the best mean is 0.05 / 3**0.5, so 0.69 is as good, and 0.6 is not.
    names = {"param_name": "p", "param_range": [1, 2, 3, 4, 5]}
    display = ComplexityCurveDisplay(
        train_scores=np.add.outer(train, folds), test_scores=scores, **names
    ).plot()
    assert display.best_value_ == 3
    low, high = display.ax_.get_xlim()
    begins, ends = spans(display)
    assert_allclose(begins, [low, 4.5])
    assert_allclose(ends, [2.5, high])
    # With one fold, every difference counts.
    display = ComplexityCurveDisplay(
        train_scores=scores[:, :1], test_scores=np.reshape(validation, (5, 1)), **names
    ).plot()
    assert_allclose(spans(display)[0][1], 3.5)


def test_no_regions_where_all_values_are_equal():
    display = display_of([1, 10, 100], [0.8, 0.8, 0.9], [0.7, 0.7, 0.7]).plot()
    assert display.regions_ == {}
    assert not display.ax_.patches


def test_regions_meet_half_way_on_a_log_scale():
    display = display_of([1, 10, 100, 1000], [0.6, 0.8, 0.9, 0.9], [0.5, 0.7, 0.7, 0.6]).plot()
    assert display.ax_.get_xscale() == "log"
    assert_allclose(spans(display)[1][0], 10**0.5)
    assert_allclose(spans(display)[0][1], 10**2.5)


def test_regions_can_be_left_out():
    display = display_of([1, 2, 3], [0.6, 0.8, 0.9], [0.5, 0.7, 0.6]).plot(label_regions=False)
    assert display.regions_ == {}
    assert not display.ax_.texts


@pytest.mark.parametrize(("train", "best"), [([0.6, 0.8, 0.9], 0), ([0.9, 0.8, 0.6], 2)])
def test_least_complex_of_equal_values_is_best(train, best):
    assert display_of([1, 2, 3], train, [0.5, 0.4, 0.5]).plot().best_index_ == best


def test_numbers_in_any_order():
    display = display_of([3, 1, 2], [0.9, 0.6, 0.8], [0.5, 0.6, 0.7]).plot()
    assert_array_equal(display.lines_[0].get_xdata(), [1, 2, 3])
    assert_allclose(display.lines_[0].get_ydata(), [0.6, 0.8, 0.9])
    assert display.best_index_ == 2
    assert display.best_value_ == 2


def test_failed_fits_are_not_the_best():
    display = display_of([1, 2, 3], [0.6, np.nan, 0.9], [0.5, np.nan, 0.7]).plot()
    assert display.best_value_ == 3


def test_negated_scores():
    display = display_of([1, 2, 3], [-0.6, -0.4, -0.2], [-0.7, -0.5, -0.9]).plot(negate_score=True)
    assert_allclose(display.lines_[1].get_ydata(), [0.7, 0.5, 0.9])
    assert display.best_value_ == 2
    assert_allclose(display.best_point_.get_ydata(), [0.5])
    assert regions(display)["underfitting"].startswith("←")


def test_ticks_of_numbers_far_apart():
    display = display_of([0, 1e-4, 1e-2, 1], [0.9, 0.9, 0.8, 0.6], [0.5, 0.6, 0.7, 0.6]).plot()
    assert display.ax_.get_xscale() == "symlog"
    assert tick_labels(display.ax_) == ["0", "0.0001", "0.01", "1"]
    # The smallest value is not squeezed into zero.
    along = display.ax_.transData.transform([(x, 0) for x in (0, 1e-4, 1e-2, 1)])[:, 0]
    assert np.diff(along).min() > 50


def test_crowded_ticks_are_left_out(overlaps):
    values = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 100, 1000, 100000]
    display = display_of(values, np.linspace(0, 1, 13), np.linspace(0, 1, 13)).plot()
    labels = display.ax_.get_xticklabels()
    assert labels[0].get_text() == "1"
    assert labels[-1].get_text() == "100000"
    assert not any(map(overlaps, labels[:-1], labels[1:]))


def test_scikit_learn_fails_on_tuples(rng):
    """The reason for what stands below: remove it when this fails."""
    X, y = rng.standard_normal((20, 2)), np.arange(20) % 2
    options = {"param_name": "hidden_layer_sizes", "param_range": SIZES, "cv": 2}
    network = MLPClassifier(solver="lbfgs", max_iter=500)
    with pytest.raises(ValueError, match="inhomogeneous"):
        ValidationCurveDisplay.from_estimator(network, X, y, **options)


@pytest.mark.parametrize(
    ("values", "labels"),
    [
        (SIZES, ["2", "20", "20, 20"]),
        ([(2, 3), (4, 5)], ["2, 3", "4, 5"]),
        ([[2], [4, 5]], ["2", "4, 5"]),
        (["relu", "tanh"], ["relu", "tanh"]),
        ([False, True], ["False", "True"]),
        ([None, 5], ["None", "5"]),
        ([5, 5], ["5", "5"]),
        ([np.float64(0.1), 1e-7], ["1e-07", "0.1"]),
        (np.array([1, 2]), ["1", "2"]),
        ([(), tuple(range(100))], ["()", "0, 1, 2, 3, 4, 5, 6, …"]),
    ],
)
def test_ticks(values, labels):
    scores = np.linspace(0.5, 0.6, len(values))
    display = display_of(values, scores, scores).plot()
    assert tick_labels(display.ax_) == labels


def test_long_ticks_stand_aslant(overlaps):
    values = [(100,) * i for i in range(1, 7)]
    display = display_of(values, np.linspace(0, 1, 6), np.linspace(0, 1, 6)).plot()
    assert {label.get_rotation() for label in display.ax_.get_xticklabels()} == {30}


def test_one_value_is_no_curve(rng):
    with pytest.raises(ValueError, match="two values"):
        display_of([1], [0.5], [0.5]).plot()
    with pytest.raises(ValueError, match="two values"):
        ComplexityCurveDisplay.from_estimator(
            MLPClassifier(), [[0]], [0], param_name="alpha", param_range=[1]
        )


def test_given_axes_and_style(plt):
    figure, (_, ax) = plt.subplots(1, 2)
    display = display_of([1, 2], [0.5, 0.6], [0.5, 0.6]).plot(
        ax, line_kw={"marker": "s"}, fill_between_kw={"alpha": 0.5}
    )
    assert display.ax_ is ax
    assert display.figure_ is figure
    assert {line.get_marker() for line in display.lines_} == {"s"}
    assert {band.get_alpha() for band in display.fill_between_} == {0.5}


def test_tuples_from_an_estimator(rng):
    X = rng.standard_normal((60, 3))
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    network = make_pipeline(StandardScaler(), MLPClassifier(max_iter=5, random_state=0))
    options = {"param_name": "mlpclassifier__hidden_layer_sizes", "param_range": SIZES, "cv": 2}
    with pytest.warns(ConvergenceWarning):
        display = ComplexityCurveDisplay.from_estimator(network, X, y, **options)
    with pytest.warns(ConvergenceWarning):
        train, test = validation_curve(network, X, y, **options)
    assert_allclose(display.lines_[0].get_ydata(), train.mean(axis=1))
    assert_allclose(display.lines_[1].get_ydata(), test.mean(axis=1))
    assert display.best_value_ == SIZES[np.argmax(test.mean(axis=1))]
    assert tick_labels(display.ax_) == ["2", "20", "20, 20"]
    assert display.ax_.get_ylabel() == "Score"


class Weighted(KNeighborsClassifier):
    """Fails where the argument of fit does not arrive."""

    def fit(self, X, y, flag=False):
        """Insist on the flag."""
        assert flag
        return super().fit(X, y)


def test_arguments_of_fit_arrive(rng):
    X, y = rng.standard_normal((40, 2)), np.arange(40) % 2
    display = ComplexityCurveDisplay.from_estimator(
        Weighted(),
        X,
        y,
        param_name="n_neighbors",
        param_range=[1, 5, 15],
        cv=2,
        fit_params={"flag": True},
        error_score="raise",
    )
    # More neighbours are less complex.
    assert "underfitting →" in regions(display).values() or display.best_index_ == 2


@pytest.mark.parametrize(
    ("scoring", "negate", "name"),
    [
        (None, False, "Score"),
        ("balanced_accuracy", False, "Balanced accuracy"),
        ("neg_log_loss", True, "Log loss"),
        ("neg_log_loss", False, "Negative log loss"),
        (None, True, "Negative score"),
    ],
)
def test_names_of_scores(rng, scoring, negate, name):
    X, y = rng.standard_normal((40, 2)), np.arange(40) % 2
    display = ComplexityCurveDisplay.from_estimator(
        KNeighborsClassifier(),
        X,
        y,
        param_name="n_neighbors",
        param_range=[5, 15],
        cv=2,
        scoring=scoring,
        negate_score=negate,
    )
    assert display.ax_.get_ylabel() == name
