"""Pictures of kernels."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.digits import IMAGES, LABELS, drawn, small_cnn, titles
from sklearn_nn import CNNClassifier, MLPClassifier
from sklearn_nn.inspection import FilterDisplay

pytestmark = pytest.mark.usefixtures("plt")


@pytest.fixture(scope="module")
def grey():
    return small_cnn()


def test_one_picture_a_filter(grey):
    display = FilterDisplay.from_estimator(grey)
    kernel = grey.layers_["conv1"]["kernel"]
    assert titles(display) == ["0", "1", "2", "3"]
    for number, ax in enumerate(display.axes_):
        assert_array_equal(drawn(ax), kernel[:, :, 0, number])
        (image,) = ax.images
        low, high = image.get_clim()
        assert (low, high) == (-np.abs(kernel).max(), np.abs(kernel).max())
    assert display.figure_.axes == list(display.axes_)
    assert display.figure_.get_suptitle() == "conv1: 4 filters of 3 × 3"


def test_a_scale_for_each(grey):
    display = FilterDisplay.from_estimator(grey, share_scale=False)
    kernel = grey.layers_["conv1"]["kernel"]
    for number, ax in enumerate(display.axes_):
        most = np.abs(kernel[..., number]).max()
        assert ax.images[0].get_clim() == (-most, most)


def test_later_layers_are_drawn_by_their_mean(grey):
    kernel = grey.layers_["conv2"]["kernel"]
    display = FilterDisplay.from_estimator(grey, "conv2")
    assert_allclose(drawn(display.axes_[5]), kernel[..., 5].mean(axis=2))
    assert display.figure_.get_suptitle() == "conv2: 6 filters of 3 × 3, mean of 4 channels"
    display = FilterDisplay.from_estimator(grey, "conv2", channel=3)
    assert_array_equal(drawn(display.axes_[1]), kernel[:, :, 3, 1])
    assert display.figure_.get_suptitle() == "conv2: 6 filters of 3 × 3, channel 3 of 4"
    with pytest.raises(ValueError, match="channel=4 is not among the 4"):
        FilterDisplay.from_estimator(grey, "conv2", channel=4)
    with pytest.raises(ValueError, match="channel=-1 is not among"):
        FilterDisplay.from_estimator(grey, "conv2", channel=-1)
    with pytest.raises(ValueError, match='must be a number or "mean"'):
        FilterDisplay.from_estimator(grey, "conv2", channel="max")


def test_colours(rng):
    """Zero is mid-grey, the largest magnitude full or no light."""
    model = small_cnn(rng.random((60, 6, 6, 3)), LABELS[:60])
    kernel = model.layers_["conv1"]["kernel"]
    display = FilterDisplay.from_estimator(model)
    assert display.pictures_.shape == (4, 3, 3, 3)
    expected = 0.5 + kernel[..., 2] / (2 * np.abs(kernel).max())
    assert_allclose(drawn(display.axes_[2]), expected)
    assert display.pictures_.min() == pytest.approx(0) or display.pictures_.max() == pytest.approx(
        1
    )
    display = FilterDisplay.from_estimator(model, share_scale=False)
    expected = 0.5 + kernel[..., 2] / (2 * np.abs(kernel[..., 2]).max())
    assert_allclose(drawn(display.axes_[2]), expected)
    display = FilterDisplay.from_estimator(model, channel="mean")
    assert_allclose(drawn(display.axes_[0]), kernel[..., 0].mean(axis=2))
    display = FilterDisplay.from_estimator(model, channel=1)
    assert_array_equal(drawn(display.axes_[0]), kernel[:, :, 1, 0])


def test_kernels_of_signals_are_lines(rng):
    model = small_cnn(rng.random((60, 12, 2)), LABELS[:60], input_shape=(12, 2), kernel_size=5)
    kernel = model.layers_["conv1"]["kernel"]
    display = FilterDisplay.from_estimator(model)
    lines = display.axes_[3].lines
    assert_array_equal(lines[0].get_ydata(), kernel[:, 0, 3])
    assert_array_equal(lines[1].get_ydata(), kernel[:, 1, 3])
    assert display.figure_.get_suptitle() == "conv1: 4 filters of 5, 2 channels"
    display = FilterDisplay.from_estimator(model, channel=1)
    assert_array_equal(display.axes_[3].lines[0].get_ydata(), kernel[:, 1, 3])


def test_a_layer_without_a_kernel_names_those_with_one(grey):
    for name in ("dense1", "output", "pool1", "flatten"):
        with pytest.raises(ValueError, match=rf"layer='{name}' .*\['conv1', 'conv2'\]"):
            FilterDisplay.from_estimator(grey, name)
    mlp = MLPClassifier(4, solver="lbfgs", max_iter=5).initialize(IMAGES.reshape(300, -1), LABELS)
    with pytest.raises(ValueError, match="MLPClassifier has no convolution"):
        FilterDisplay.from_estimator(mlp)


def test_not_fitted():
    with pytest.raises(NotFittedError):
        FilterDisplay.from_estimator(CNNClassifier())


def test_pipelines():
    rows = IMAGES.reshape(300, -1)
    network = CNNClassifier((3,), max_iter=1, input_shape=(8, 8, 1), random_state=0)
    model = make_pipeline(StandardScaler(), network)
    model.fit(rows, LABELS)
    assert len(FilterDisplay.from_estimator(model).axes_) == 3


def test_axes_and_figures(grey, plt):
    """Axes of one's own, one for each; a figure or a part of one, which holds the grid."""
    _, axes = plt.subplots(2, 2)
    display = FilterDisplay.from_estimator(grey, axes=axes)
    assert list(display.axes_) == list(axes.flat)
    with pytest.raises(ValueError, match="3 axes were passed for 4 plots"):
        FilterDisplay.from_estimator(grey, axes=axes.flat[:3])
    with pytest.raises(ValueError, match="both passed"):
        FilterDisplay.from_estimator(grey, axes=axes, figure=axes.flat[0].figure)
    left, _ = plt.figure().subfigures(1, 2)
    display = FilterDisplay.from_estimator(grey, figure=left, columns=3)
    assert display.figure_ is left
    assert len(left.axes) == 4


def test_no_more_than_asked_for(grey):
    display = FilterDisplay.from_estimator(grey, "conv2", n_filters=2)
    assert titles(display) == ["0", "1"]
    assert display.figure_.get_suptitle().startswith("conv2: 2 of 6 filters")
