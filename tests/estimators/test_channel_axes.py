"""Images whose channels are on another axis than `data_format` says are not read silently."""

import warnings

import numpy as np
import pytest

from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    NeuralNetworkClassifier,
    RNNClassifier,
    SequenceScaler,
    augment_images,
    resize_images,
)
from sklearn_nn.estimators._inputs.advice import misplaced_channels, misplaced_steps
from sklearn_nn.layers import (
    BatchNorm,
    Conv1D,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePool,
    RandomFlip,
    Reshape,
)

RNG = np.random.default_rng(0)
Y = np.arange(6) % 2
FIRST, LAST = "channels_first", "channels_last"


def told_by(call, *args, **options):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **options)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def images(*axes):
    return RNG.random((6, *axes))


def cnn(data_format=LAST, **parameters):
    return CNNClassifier(1, max_iter=1, random_state=0, data_format=data_format, **parameters)


def network(*layers, **parameters):
    return NeuralNetworkClassifier(list(layers), max_iter=1, random_state=0, **parameters)


STRANGE = [(3, 16, 16), (1, 28, 28), (4, 9, 12), (3, 32, 24), (3, 8, 8), (3, 48, 16)]
PLAIN = [
    (3, 3, 8), (1, 4, 4), (3, 7, 7), (7, 7, 64), (4, 4, 256), (1, 100, 16), (3, 9, 64), (2, 16, 16),
    (16, 16, 3), (28, 28, 1), (12, 16, 4), (8, 8, 8),
]  # fmt: skip


@pytest.mark.parametrize("axes", STRANGE)
def test_channels_that_came_first(axes):
    message = misplaced_channels(axes, LAST, "")
    assert f"shape {axes}" in message
    assert f"{axes[0]} x {axes[1]} pixels with {axes[2]} channels" in message
    assert "data_format='channels_first'" in message
    assert misplaced_channels(axes, FIRST, "") is None


@pytest.mark.parametrize("axes", STRANGE)
def test_channels_that_came_last(axes):
    axes = (*axes[1:], axes[0])
    message = misplaced_channels(axes, FIRST, "")
    assert f"{axes[1]} x {axes[2]} pixels with {axes[0]} channels" in message
    assert "data_format='channels_last'" in message
    assert misplaced_channels(axes, LAST, "") is None


@pytest.mark.parametrize("axes", PLAIN)
def test_feature_maps_strips_and_small_images_are_nothing_strange(axes):
    assert misplaced_channels(axes, LAST, "") is None
    assert misplaced_channels((*axes[1:], axes[0]), FIRST, "") is None


@pytest.mark.parametrize("data_format", [FIRST, LAST])
def test_fit_warns_once_and_goes_by_what_is_set(data_format):
    right = images(3, 12, 10) if data_format == FIRST else images(12, 10, 3)
    wrong = np.moveaxis(right, 1, -1) if data_format == FIRST else np.moveaxis(right, -1, 1)
    other = LAST if data_format == FIRST else FIRST
    for make in (
        cnn,
        lambda f: cnn(f, n_restarts=2),
        lambda f: network(Conv2D(1, 3, padding="same"), data_format=f),
        lambda f: network(BatchNorm(), Flatten(), Dense(3), data_format=f),
        lambda f: network(Dropout(0.1), GlobalAveragePool(), data_format=f),
        lambda f: FeatureExtractor(cnn(f)),
    ):
        assert told_by(make(data_format).fit, right, Y) == []
        (told,) = told_by(make(data_format).fit, wrong, Y)
        assert f"set data_format={other!r}" in told
        assert "input_shape=(" in told
    model = cnn(data_format)
    (told,) = told_by(model.partial_fit, wrong, Y, classes=[0, 1])
    assert told_by(model.partial_fit, wrong, Y) == []
    assert told_by(model.predict, wrong) == []
    (told,) = told_by(cnn(data_format).fit, list(wrong), Y)


def test_declared_channel_axis_is_used_without_warning():
    X = images(3, 12, 10)
    assert told_by(cnn(input_shape=(3, 12, 10)).fit, X, Y) == []
    assert told_by(cnn(FIRST, input_shape=(12, 10, 3)).fit, X, Y) == []
    assert told_by(cnn(input_shape=(3, 12, 10)).fit, X.reshape(6, -1), Y) == []


def test_networks_that_do_not_look_at_axes():
    X = images(3, 12, 10)
    for layers in ([Flatten(), Dense(3)], [Dropout(0.1), Flatten()], [Reshape((360,))]):
        assert told_by(network(*layers).fit, X, Y) == []


def test_signals_are_nothing_strange():
    """Few steps of many channels are as likely as few channels of many steps."""
    X = images(3, 40)
    assert told_by(RNNClassifier(2, max_iter=1).fit, X, Y) == []
    assert told_by(network(Conv1D(2, 3)).fit, X, Y) == []
    assert told_by(cnn(input_shape=(3, 40)).fit, X, Y) == []


@pytest.mark.parametrize("axes", [(6, 100), (1, 150), (3, 50), (8, 64)])
def test_steps_that_may_be_channels(axes):
    X, turned = images(*axes), images(*axes[::-1])
    for make in (
        lambda **options: RNNClassifier(2, max_iter=1, **options),
        lambda **options: network(Conv1D(2, 3, padding="same"), GlobalAveragePool(), **options),
        lambda **_: SequenceScaler(),
    ):
        (told,) = told_by(make().fit, X, Y)
        assert f"sequences of shape {axes}" in told
        assert f"{axes[0]} time steps of {axes[1]} channels" in told
        assert "set data_format='channels_first', or pass np.swapaxes(X, 1, 2)" in told
        assert told_by(make().fit, turned, Y) == []
        if "input_shape" in make().get_params():
            assert f"otherwise pass input_shape={axes}" in told
            assert told_by(make(input_shape=axes).fit, X, Y) == []
            assert told_by(make(data_format=FIRST).fit, X, Y) == []
            (told,) = told_by(make(data_format=FIRST).fit, turned, Y)
            assert "set data_format='channels_last'" in told


def test_few_steps_that_are_nothing_strange():
    for axes in [(10, 300), (9, 128), (1, 40), (3, 49), (8, 63), (100, 6), (6, 6)]:
        assert misplaced_steps(axes, LAST) is None
        assert misplaced_steps(axes[::-1], FIRST) is None


def test_shapes_at_predict_say_the_way_back():
    last = images(12, 10, 3)
    model = cnn().fit(last, Y)
    with pytest.raises(ValueError, match=r"fitted with .*\(12, 10, 3\); .*np.moveaxis\(X, 1, -1\)"):
        model.predict(np.moveaxis(last, -1, 1))
    model = cnn(FIRST).fit(np.moveaxis(last, -1, 1), Y)
    with pytest.raises(ValueError, match=r"fitted with .*\(12, 10, 3\); .*np.moveaxis\(X, -1, 1\)"):
        model.predict(last)
    with pytest.raises(ValueError, match=r"fitted with samples of shape \(12, 10, 3\)\.$"):
        model.predict(images(3, 9, 9))


def test_functions_of_images():
    first, last = images(3, 12, 10), images(12, 10, 3)
    for call in (lambda X, **k: resize_images(X, (8, 8), **k), _flipped):
        for X, data_format in ((first, LAST), (last, FIRST)):
            (told,) = told_by(call, X, data_format=data_format)
            assert "set data_format=" in told
        for X, data_format in ((first, FIRST), (last, LAST), (images(12, 10), LAST)):
            assert told_by(call, X, data_format=data_format) == []
    assert told_by(_flipped, first, input_shape=(3, 12, 10)) == []


def _flipped(X, **options):
    return augment_images(X, RandomFlip(), random_state=0, **options)
