"""Pictures of what layers put out."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.digits import IMAGES, LABELS, drawn, fitted_quietly, small_cnn, titles
from helpers.layer_cases.base import CONTEXT
from helpers.naive import images as naive_images
from sklearn_nn import CNNClassifier, MLPClassifier, NeuralNetworkClassifier
from sklearn_nn.inspection import FeatureMapDisplay
from sklearn_nn.layers import Activation, Conv2D, MaxPool2D, Residual

pytestmark = pytest.mark.usefixtures("plt")


@pytest.fixture(scope="module")
def grey():
    return small_cnn(batch_norm=True, dropout=0.5, input_noise=0.5)


def convolved(model, image, name="conv1"):
    """The first convolution, by loops."""
    shape = (*image.shape, 1) if image.ndim == 2 else image.shape
    window = naive_images.Window(shape, (3, 3), (1, 1), (1, 1), "same")
    arrays = model.layers_[name]
    forward, _ = naive_images.conv(window, arrays["bias"].size, 1)
    z = forward([arrays["kernel"], arrays["bias"]], image.reshape(1, -1), CONTEXT)
    return z.reshape(*shape[:2], -1)


def test_maps_are_those_of_the_layer(grey):
    """Of prediction: without noise or dropout. The input comes first."""
    display = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "conv1")
    assert titles(display) == ["input", "0", "1", "2", "3"]
    assert_array_equal(drawn(display.axes_[0]), IMAGES[0])
    expected = convolved(grey, IMAGES[0])
    assert_allclose(display.maps, expected, rtol=1e-10)
    for channel in range(4):
        assert_allclose(drawn(display.axes_[1 + channel]), expected[..., channel], rtol=1e-10)
    assert display.figure_.get_suptitle() == "conv1: 4 maps of 8 × 8"
    assert display.figure_.axes == list(display.axes_)


def test_every_layer_with_places(grey):
    shapes = {row.name: row.output_shape for row in grey.summary().rows}
    for name, shape in shapes.items():
        if len(shape) == 3:
            display = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], name)
            assert display.maps.shape == shape
    conv = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "convnorm1").maps
    relu = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "convactivation1").maps
    pooled = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "pool1").maps
    assert_array_equal(relu, np.maximum(conv, 0))
    assert_array_equal(pooled, relu.reshape(4, 2, 4, 2, 4).max(axis=(1, 3)))


def test_the_first_is_the_default_and_signs_have_colours(grey):
    display = FeatureMapDisplay.from_estimator(grey, IMAGES[:1])
    assert display.layer == "noise"
    assert_array_equal(display.maps, IMAGES[0][..., np.newaxis])
    signed = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "conv1").axes_[1].images[0]
    most = np.abs(convolved(grey, IMAGES[0])).max()
    assert signed.get_clim() == pytest.approx((-most, most))
    unsigned = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "pool1").axes_[1].images[0]
    assert unsigned.get_clim()[0] == 0
    assert signed.get_cmap().name != unsigned.get_cmap().name


def test_scales_and_colours_of_ones_own(grey):
    maps = convolved(grey, IMAGES[0])
    for share, whole in ((True, maps), (False, maps[..., 2])):
        display = FeatureMapDisplay.from_estimator(
            grey, IMAGES[:1], "conv1", cmap="viridis", share_scale=share
        )
        (image,) = display.axes_[3].images
        assert image.get_clim() == pytest.approx((whole.min(), whole.max()))
        assert image.get_cmap().name == "viridis"
    display = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "conv1", share_scale=False)
    assert display.axes_[3].images[0].get_clim()[1] == pytest.approx(np.abs(maps[..., 2]).max())


def test_layers_within_layers():
    layers = [Residual([Conv2D(1, 3, padding="same"), Activation("relu")]), MaxPool2D(2)]
    model = NeuralNetworkClassifier(layers, input_shape=(8, 8, 1), max_iter=2, random_state=0)
    fitted_quietly(model, IMAGES, LABELS)
    inner = FeatureMapDisplay.from_estimator(model, IMAGES[:1], "residual1.activation1").maps
    whole = FeatureMapDisplay.from_estimator(model, IMAGES[:1], "residual1").maps
    assert_allclose(whole, inner + IMAGES[0][..., np.newaxis])


@pytest.mark.parametrize("name", ["dense1", "output", "flatten", "conv7"])
def test_other_layers(grey, name):
    with pytest.raises(ValueError, match=rf"layer='{name}' .*'conv1', 'convnorm1'"):
        FeatureMapDisplay.from_estimator(grey, IMAGES[:1], name)


def test_networks_without_places():
    rows = IMAGES.reshape(300, -1)
    mlp = MLPClassifier(4, random_state=0).initialize(rows, LABELS)
    with pytest.raises(ValueError, match=r"neither images nor signals; those that do are \[\]"):
        FeatureMapDisplay.from_estimator(mlp, rows[:1])
    theirs = fitted_quietly(ScikitLearnMLP(4, max_iter=1), rows, LABELS)
    with pytest.raises(TypeError, match="network of sklearn_nn, not MLPClassifier"):
        FeatureMapDisplay.from_estimator(theirs, rows[:1])


@pytest.mark.parametrize("n", [2, 0])
def test_one_sample(grey, n):
    message = "has 2 samples.*X\\[:1\\]" if n else "0 sample"
    with pytest.raises(ValueError, match=message):
        FeatureMapDisplay.from_estimator(grey, IMAGES[:n], "conv1")


def test_not_fitted():
    with pytest.raises(NotFittedError):
        FeatureMapDisplay.from_estimator(CNNClassifier(), IMAGES[:1])


def test_forms_of_one_image_are_alike(rng):
    """Bytes, channels first and flat rows."""
    colours = rng.integers(0, 256, (60, 6, 8, 3)).astype("uint8")
    last = small_cnn(colours, LABELS[:60])
    first = small_cnn(np.moveaxis(colours, -1, 1), LABELS[:60], data_format="channels_first")
    rows = (colours / np.float32(255)).astype("float32").reshape(60, -1)
    flat = small_cnn(rows, LABELS[:60], input_shape=(6, 8, 3))
    forms = [(last, colours), (first, np.moveaxis(colours, -1, 1)), (flat, rows)]
    maps = []
    for model, X in forms:
        display = FeatureMapDisplay.from_estimator(model, X[:1], "conv2")
        maps.append(display.maps)
        assert_allclose(drawn(display.axes_[0]), colours[0] / 255, rtol=1e-6)
    assert_array_equal(maps[0], maps[1])
    assert_array_equal(maps[0], maps[2])


def test_signals_are_lines(rng):
    signals = rng.standard_normal((60, 12, 2))
    model = small_cnn(signals, LABELS[:60], input_shape=(12, 2))
    display = FeatureMapDisplay.from_estimator(model, signals[:1], "pool1")
    assert display.maps.shape == (6, 4)
    assert_array_equal(display.axes_[0].lines[1].get_ydata(), signals[0, :, 1])
    assert_array_equal(display.axes_[4].lines[0].get_ydata(), display.maps[:, 3])
    assert display.figure_.get_suptitle() == "pool1: 4 maps of 6"


def test_pipelines_are_gone_through():
    rows = IMAGES.reshape(300, -1)
    network = CNNClassifier((3,), max_iter=1, input_shape=(8, 8, 1), random_state=0)
    model = fitted_quietly(make_pipeline(StandardScaler(), network), rows, LABELS)
    display = FeatureMapDisplay.from_estimator(model, rows[:1], "conv1")
    scaled = model[0].transform(rows[:1]).reshape(8, 8)
    assert_allclose(display.maps, convolved(model[-1], scaled), rtol=1e-9, atol=1e-12)
    assert_array_equal(drawn(display.axes_[0]), scaled)


def test_axes_and_figures(grey, plt):
    figure, axes = plt.subplots(1, 3)
    display = FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "conv1", n_channels=2, axes=axes)
    assert list(display.axes_) == list(axes)
    assert display.figure_ is figure
    with pytest.raises(ValueError, match="3 axes were passed for 5"):
        FeatureMapDisplay.from_estimator(grey, IMAGES[:1], "conv1", axes=axes)
    own = plt.figure()
    assert FeatureMapDisplay.from_estimator(grey, IMAGES[:1], figure=own).figure_ is own
