"""Pictures of what a classifier is wrong about."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.digits import IMAGES, LABELS, drawn, fitted_quietly, small_cnn, titles
from sklearn_nn import CNNClassifier, CNNRegressor, MLPClassifier, RNNClassifier
from sklearn_nn.inspection import MisclassifiedDisplay

pytestmark = pytest.mark.usefixtures("plt")


@pytest.fixture(scope="module")
def weak():
    """A network that is often wrong, with labels that are words."""
    names = np.array(["zero", "one", "two", "three", "four", "five", "six", "seven", "ate", "nine"])
    return small_cnn(y=names[LABELS]), names[LABELS]


def test_the_surest_come_first(weak):
    model, y = weak
    display = MisclassifiedDisplay.from_estimator(model, IMAGES, y, n_images=5)
    p, predicted = model.predict_proba(IMAGES), model.predict(IMAGES)
    wrong = [i for i in range(300) if predicted[i] != y[i]]
    assert len(wrong) > 5
    expected = sorted(wrong, key=lambda i: -p[i].max())[:5]
    assert display.indices.tolist() == expected
    assert_array_equal(display.y_true, y[expected])
    assert_array_equal(display.y_pred, predicted[expected])
    assert_allclose(display.probability, p[expected].max(axis=1))
    assert_array_equal(display.X[..., 0], IMAGES[expected])
    for ax, i in zip(display.axes_, expected, strict=True):
        assert_array_equal(drawn(ax), IMAGES[i])
        assert ax.get_title() == f"true {y[i]}\nsaid {predicted[i]} ({p[i].max():.0%})"
    assert display.figure_.get_suptitle() == f"{len(wrong)} of 300 wrong"
    assert display.figure_.axes == list(display.axes_)


def test_nothing_wrong(weak):
    model, _ = weak
    display = MisclassifiedDisplay.from_estimator(model, IMAGES, model.predict(IMAGES))
    assert len(display.X) == 0
    assert display.n_wrong == 0
    assert len(display.axes_) == 1
    assert display.figure_.get_suptitle() == "0 of 300 wrong"
    assert [text.get_text() for text in display.axes_[0].texts] == ["nothing to show"]


def test_fewer_than_asked_for(weak):
    model, y = weak
    n_wrong = int((model.predict(IMAGES) != y).sum())
    display = MisclassifiedDisplay.from_estimator(model, IMAGES, y, n_images=1000)
    assert len(display.axes_) == n_wrong
    assert (np.diff(display.probability) <= 0).all()


def test_forms_of_images(rng):
    """Bytes stay bytes; channels first and flat rows are drawn as images."""
    colours = rng.integers(0, 256, (60, 6, 8, 3)).astype("uint8")
    forms = [
        (colours, {}),
        (np.moveaxis(colours, -1, 1), {"data_format": "channels_first"}),
        ((colours / np.float32(255)).reshape(60, -1), {"input_shape": (6, 8, 3)}),
    ]
    for X, options in forms:
        model = small_cnn(X, LABELS[:60], max_iter=1, **options)
        display = MisclassifiedDisplay.from_estimator(model, X, LABELS[:60], n_images=2)
        for ax, i in zip(display.axes_, display.indices, strict=True):
            assert_allclose(drawn(ax), colours[i] / 255, rtol=1e-6)


def test_signals(rng):
    signals = rng.standard_normal((60, 12))
    model = small_cnn(signals, LABELS[:60], max_iter=1)
    display = MisclassifiedDisplay.from_estimator(model, signals, LABELS[:60], n_images=3)
    assert_array_equal(display.axes_[0].lines[0].get_ydata(), signals[display.indices[0]])


def test_vectors_and_other_classifiers():
    rows = IMAGES.reshape(300, -1)
    mlp = fitted_quietly(MLPClassifier(3, max_iter=5, random_state=0), rows, LABELS)
    theirs = make_pipeline(StandardScaler(), LogisticRegression(C=1e-4)).fit(rows, LABELS)
    for model in (mlp, theirs):
        with pytest.raises(ValueError, match="input_shape="):
            MisclassifiedDisplay.from_estimator(model, rows, LABELS)
        with pytest.raises(ValueError, match=r"input_shape=\(8, 9, 1\) does not fit"):
            MisclassifiedDisplay.from_estimator(model, rows, LABELS, input_shape=(8, 9, 1))
        display = MisclassifiedDisplay.from_estimator(
            model, rows, LABELS, n_images=2, input_shape=(8, 8, 1)
        )
        # As they were passed, not as the pipeline scales them.
        assert_array_equal(drawn(display.axes_[0]), IMAGES[display.indices[0]])


def test_errors(weak):
    model, y = weak
    with pytest.raises(ValueError, match=r"y has shape \(299,\) for 300 samples"):
        MisclassifiedDisplay.from_estimator(model, IMAGES, y[:-1])
    with pytest.raises(ValueError, match="one label per sample"):
        MisclassifiedDisplay.from_estimator(model, IMAGES, np.c_[y, y])
    with pytest.raises(NotFittedError):
        MisclassifiedDisplay.from_estimator(CNNClassifier(), IMAGES, y)
    regressor = fitted_quietly(CNNRegressor(2, max_iter=1), IMAGES, LABELS / 9)
    with pytest.raises(TypeError, match="with predict_proba, not CNNRegressor"):
        MisclassifiedDisplay.from_estimator(regressor, IMAGES, LABELS)


@pytest.mark.parametrize("y", [LABELS, LABELS == 1, LABELS.astype(str)])
def test_labels_of_another_kind(weak, y):
    with pytest.raises(ValueError, match=r"y holds .*, but the fitted classes are \['ate'"):
        MisclassifiedDisplay.from_estimator(weak[0], IMAGES, y)


def test_some_labels_are_of_other_classes(weak):
    model, y = weak
    some = np.where(np.arange(300) < 5, "eleven", y)
    display = MisclassifiedDisplay.from_estimator(model, IMAGES, some, n_images=300)
    assert {0, 1, 2, 3, 4} <= set(display.indices.tolist())


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_sequences_of_unequal_length(rng, data_format):
    X, y = [rng.standard_normal((3 + i % 4, 2)) for i in range(20)], np.arange(20) % 2
    given = [x.T for x in X] if data_format == "channels_first" else X
    model = RNNClassifier(2, max_iter=1, random_state=0, data_format=data_format).fit(given, y)
    display = MisclassifiedDisplay.from_estimator(model, given, 1 - model.predict(given))
    assert len(display.X) == 12
    for i, sample in zip(display.indices, display.X, strict=True):
        assert_array_equal(sample[: len(X[i])], X[i])
        assert np.isnan(sample[len(X[i]) :]).all()
    display.figure_.canvas.draw()


def test_axes_and_figures(weak, plt):
    model, y = weak
    figure, axes = plt.subplots(1, 3)
    display = MisclassifiedDisplay.from_estimator(model, IMAGES, y, n_images=3, axes=axes)
    assert display.figure_ is figure
    assert list(display.axes_) == list(axes)
    with pytest.raises(ValueError, match="3 axes were passed for 4"):
        MisclassifiedDisplay.from_estimator(model, IMAGES, y, n_images=4, axes=axes)
    assert titles(display)[0].startswith("true ")
