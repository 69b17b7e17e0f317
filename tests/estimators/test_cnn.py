"""CNNClassifier and CNNRegressor: shapes of data, parameters of layers, threads."""

import numpy as np
import pytest
from sklearn.datasets import load_digits

from helpers.learning import learning, median
from sklearn_nn import CNNClassifier, CNNRegressor

DIGITS = load_digits()
IMAGES, LABELS = DIGITS.images[:300] / 16, DIGITS.target[:300]


def make(**options):
    """A small network for digits."""
    defaults = {"filters": (4, 6), "hidden_layer_sizes": 16, "max_iter": 3, "random_state": 0}
    return CNNClassifier(**defaults | options)


def probabilities(X, **options):
    return make(**options).fit(X, LABELS).predict_proba(X)


@learning
def test_cnn_learns():
    X, y = DIGITS.images / 16, DIGITS.target

    def score(seed):
        model = CNNClassifier((8, 16), learning_rate_init=0.01, max_iter=15, random_state=seed)
        model.fit(X[:1200], y[:1200])
        assert model.input_shape_ == (8, 8, 1)
        return model.score(X[1200:], y[1200:])

    assert median(score) > 0.88


def test_forms_of_one_image_are_alike():
    expected = probabilities(IMAGES)
    rows = IMAGES.reshape(300, -1)
    forms = [
        (IMAGES[..., np.newaxis], {}),
        (IMAGES[:, np.newaxis], {"data_format": "channels_first"}),
        (rows, {"input_shape": (8, 8, 1)}),
        (np.asfortranarray(IMAGES), {}),
        (IMAGES.tolist(), {}),
    ]
    for X, options in forms:
        np.testing.assert_array_equal(probabilities(X, **options), expected)
    model = make().fit(IMAGES, LABELS)
    np.testing.assert_array_equal(model.predict_proba(rows), expected)


def test_channels_first_and_last():
    colours = np.random.default_rng(0).random((300, 6, 8, 3))
    last = probabilities(colours)
    first = probabilities(np.moveaxis(colours, -1, 1), data_format="channels_first")
    np.testing.assert_array_equal(first, last)


def test_whole_bytes_are_scaled():
    """0..255 becomes 0..1, in float32."""
    whole = (IMAGES * 255).astype("uint8")
    scaled = whole.astype("float32") / np.float32(255)
    np.testing.assert_array_equal(probabilities(whole), probabilities(scaled))


def test_signals():
    """(n, T, C) with input_shape; flat rows are a signal of one channel."""
    signals = np.random.default_rng(0).random((300, 20, 2))
    model = make(input_shape=(20, 2)).fit(signals, LABELS)
    assert model.layers_["conv1"]["kernel"].shape == (3, 2, 4)
    flat = make().fit(signals[..., 0], LABELS)
    assert flat.input_shape_ == (20, 1)


def test_parameters_of_each_convolution():
    model = make(
        filters=(4, 6, 8), kernel_size=(5, 3, 1), strides=(1, 2, 1), pool_size=(2, None, 1),
        padding="same", batch_norm=True, dropout=0.2, hidden_layer_sizes=(12, 10),
    ).fit(IMAGES, LABELS)  # fmt: skip
    shapes = [model.layers_[f"conv{i}"]["kernel"].shape for i in (1, 2, 3)]
    assert shapes == [(5, 5, 1, 4), (3, 3, 4, 6), (1, 1, 6, 8)]
    names = [row.name for row in model.summary().rows]
    assert "pool1" in names
    assert "pool2" not in names
    assert "convnorm3" in names
    assert [row.output_shape for row in model.summary().rows if row.name == "conv2"] == [(2, 2, 6)]
    with pytest.raises(ValueError, match=r"kernel_size=\(3, 3, 3\) has 3 values for 2"):
        make(kernel_size=(3, 3, 3)).fit(IMAGES, LABELS)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_n_jobs_and_the_rows_beside_change_nothing(dtype):
    model = make(dtype=dtype, batch_norm=True, dropout=0.1).fit(IMAGES, LABELS)
    for n_jobs in (2, 3):
        other = make(dtype=dtype, batch_norm=True, dropout=0.1, n_jobs=n_jobs).fit(IMAGES, LABELS)
        np.testing.assert_array_equal(other._network.theta, model._network.theta)
        np.testing.assert_array_equal(other.predict_proba(IMAGES), model.predict_proba(IMAGES))
    alone = np.concatenate([model.predict_proba(image[np.newaxis]) for image in IMAGES[:20]])
    np.testing.assert_array_equal(alone, model.predict_proba(IMAGES)[:20])


def test_a_weight_of_zero_is_a_row_removed():
    weight = np.ones(300)
    weight[200:] = 0
    options = {"batch_size": 300, "shuffle": False, "max_iter": 5}
    weighed = make(**options).fit(IMAGES, LABELS, weight)
    removed = make(**options | {"batch_size": 200}).fit(IMAGES[:200], LABELS[:200])
    np.testing.assert_allclose(
        weighed._network.theta, removed._network.theta, rtol=1e-7, atol=1e-12
    )


@learning
@pytest.mark.filterwarnings("ignore:lbfgs failed to converge")
def test_regression_of_several_outputs():
    y = np.stack([IMAGES[:, :4].mean(axis=(1, 2)), IMAGES[:, 4:].mean(axis=(1, 2))], axis=1)

    def score(seed):
        model = CNNRegressor(filters=6, hidden_layer_sizes=8, solver="lbfgs", random_state=seed)
        return model.fit(IMAGES, y).score(IMAGES, y)

    assert median(score) > 0.9


def test_the_split_is_stratified():
    """By every class, unlike that of scikit-learn's MLP."""
    labels = np.repeat([0, 1, 2], [200, 50, 50])
    model = make(early_stopping=True, validation_fraction=0.2).fit(IMAGES, labels)
    assert np.bincount(labels[model._held_out]).tolist() == [40, 10, 10]


@pytest.mark.parametrize(
    ("X", "options", "message"),
    [
        (IMAGES, {"kernel_size": 9, "padding": "valid"}, "layer 'conv1': kernel_size=9"),
        (IMAGES, {"input_shape": (8, 9, 1)}, r"input_shape=\(8, 9, 1\) does not fit X"),
        (IMAGES, {"input_shape": (64,)}, "convolutions need"),
        (IMAGES, {"pooling": "median"}, "'pooling' parameter"),
        (IMAGES, {"filters": (4, 0)}, "filters must be > 0"),
        (np.where(IMAGES > 0.9, np.nan, IMAGES), {}, "NaN"),
    ],
    ids=["kernel", "shape", "rank", "pooling", "filters", "nan"],
)
def test_errors(X, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options).fit(X, LABELS)


def test_another_shape_at_predict():
    model = make().fit(IMAGES, LABELS)
    with pytest.raises(ValueError, match=r"samples of shape \(4, 16\).*samples of shape \(8, 8\)"):
        model.predict(IMAGES.reshape(300, 4, 16))
    with pytest.raises(ValueError, match="60 features"):
        model.predict(IMAGES.reshape(300, 64)[:, :60])


def test_images_of_unequal_sizes():
    X = [np.zeros((8, 8)), np.zeros((9, 8))]
    for kind in (CNNClassifier, CNNRegressor):
        with pytest.raises(ValueError, match=r"\(8, 8\) and \(9, 8\).*resize_images"):
            kind().fit(X, [0, 1])
    with pytest.raises(ValueError, match="inhomogeneous"):
        CNNClassifier().fit([[[0.0, 1.0]], [[0.0], [1.0]]], [0, 1])
