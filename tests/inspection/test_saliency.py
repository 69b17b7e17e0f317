"""Gradients with respect to the input, and occlusion, as numbers and as pictures."""

import copy

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier as ScikitLearnMLP
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.digits import IMAGES, LABELS, drawn, fitted_quietly, small_cnn, titles
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
)
from sklearn_nn.inspection import (
    FeatureMapDisplay,
    SaliencyDisplay,
    occlusion_map,
    saliency_map,
)
from sklearn_nn.layers import (
    Activation,
    AveragePool2D,
    BatchNorm,
    Conv1D,
    Conv2D,
    Dropout,
    GlobalAveragePool,
    Parallel,
)
from sklearn_nn.network.machine import predict
from sklearn_nn.network.source import source

ROWS = IMAGES.reshape(300, -1)
EPS = 1e-5


def score(model, X, target):
    """The raw output for a class, before the link."""
    raw = model._network.program.cut("output")
    z = predict(raw, model._network.theta, model._network.state, source(X, "float64"))
    if model._codec.raw_units is not None:  # of a regressor, whose targets may be scaled
        z = z * model._codec.raw_units[0]
    if z.shape[1] == 1:
        return z[:, 0] if target in (1, None) else -z[:, 0]
    return z[:, target]


def differences(model, X, target):
    """Central differences of the score, feature by feature."""
    rows = X.reshape(len(X), -1)
    gradient = np.zeros_like(rows)
    for j in range(rows.shape[1]):
        step = np.zeros(rows.shape[1])
        step[j] = EPS
        above, below = score(model, rows + step, target), score(model, rows - step, target)
        gradient[:, j] = (above - below) / (2 * EPS)
    return gradient.reshape(X.shape)


def settings(**options):
    """Smooth activations, so that differences are slopes everywhere."""
    return {"activation": "tanh", "max_iter": 4, "random_state": 0, "dtype": "float64"} | options


SMOOTH = [
    Conv2D(4, 3, padding="same"), BatchNorm(), Activation("tanh"), AveragePool2D(2),
    Parallel([Conv2D(3, 1), Conv2D(2, 3, padding="same")]), Dropout(0.5),
]  # fmt: skip
TWO = (LABELS > 4).astype(int)
CASES = {
    "mlp": (MLPClassifier((12, 7), **settings()), ROWS, LABELS, 3),
    "mlp_batch_norm_dropout": (
        MLPClassifier(12, batch_norm=True, dropout=0.5, input_noise=0.3, **settings()),
        ROWS, LABELS, 8,
    ),
    "mlp_binary": (MLPClassifier(6, **settings()), ROWS, TWO, 1),
    "mlp_binary_first_class": (MLPClassifier(6, **settings()), ROWS, TWO, 0),
    "mlp_regressor": (MLPRegressor(hidden_layer_sizes=6, **settings()), ROWS, LABELS / 9, None),
    "cnn": (
        CNNClassifier((4, 5), pooling="average", batch_norm=True, dropout=0.3, **settings()),
        IMAGES, LABELS, 7,
    ),
    "cnn_regressor": (
        CNNRegressor(4, pooling="average", **settings()), IMAGES, np.c_[LABELS, TWO] / 9, 1,
    ),
    "layers": (
        NeuralNetworkClassifier(
            SMOOTH, input_shape=(8, 8, 1), max_iter=4, random_state=0, dtype="float64"
        ),
        IMAGES, LABELS, 2,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CASES)
def test_gradient_against_central_differences(name):
    model, X, y, target = CASES[name]
    model = fitted_quietly(copy.deepcopy(model), X, y)
    found = saliency_map(model, X[:4], target)
    assert found.shape == X[:4].shape
    assert found.dtype == "float64"
    expected = differences(model, X[:4], target)
    assert np.abs(expected).max() > 1e-3
    assert_allclose(found, expected, rtol=1e-6, atol=1e-9 * np.abs(expected).max() + 1e-9)


def test_a_linear_network_has_its_weights_as_gradient():
    """Not of the probability: the softmax is left out."""
    model = fitted_quietly(NeuralNetworkClassifier([Dropout(0.2)], **plain()), ROWS, LABELS)
    kernel = model.layers_["output"]["kernel"]
    found = saliency_map(model, ROWS[:5], [3, 1, 4, 1, 5])
    assert_array_equal(found, kernel[:, [3, 1, 4, 1, 5]].T)


def plain(**options):
    return {"max_iter": 3, "random_state": 0} | options


def test_the_likeliest_class_is_the_default():
    for y in (LABELS, TWO, np.array(list("abcdefghij"))[LABELS]):
        model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, y)
        named = model.predict(ROWS[:6])
        assert_array_equal(saliency_map(model, ROWS[:6]), saliency_map(model, ROWS[:6], named))
        lost = occlusion_map(model, ROWS[:6], window=4)
        assert_array_equal(lost, occlusion_map(model, ROWS[:6], named, window=4))


def test_each_sample_has_its_own_class():
    model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    classes = [3, 1, 4, 1, 5]
    for function in (saliency_map, occlusion_map):
        together = function(model, ROWS[:5], classes)
        for i, label in enumerate(classes):
            assert_array_equal(function(model, ROWS[i : i + 1], label), together[i : i + 1])


def test_two_classes_pull_in_opposite_directions():
    model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, TWO)
    first, second = (saliency_map(model, ROWS[:6], target) for target in (0, 1))
    assert_array_equal(first, -second)
    assert np.abs(first).max() > 0


def test_multilabel():
    y = np.c_[LABELS > 4, LABELS % 2, LABELS == 0].astype(int)
    model = fitted_quietly(MLPClassifier(8, activation="tanh", **plain()), ROWS, y)
    assert_allclose(
        saliency_map(model, ROWS[:4], 1), differences(model, ROWS[:4], 1), rtol=1e-6, atol=1e-9
    )
    lost = occlusion_map(model, ROWS[:4], 1, window=64, stride=64)
    gone = model.predict_proba(ROWS[:4])[:, 1] - model.predict_proba(0 * ROWS[:4])[:, 1]
    assert_allclose(lost, np.repeat(gone[:, np.newaxis], 64, axis=1), rtol=1e-12, atol=1e-15)


def test_forms_of_one_image_are_alike(rng):
    """Bytes, channels first, flat rows: the same numbers in the shape of X."""
    colours = rng.integers(0, 256, (60, 6, 8, 3)).astype("uint8")
    first = np.ascontiguousarray(np.moveaxis(colours, -1, 1))
    rows = (colours / np.float32(255)).astype("float32").reshape(60, -1)
    forms = [
        (colours, {}, lambda got: got),
        (first, {"data_format": "channels_first"}, lambda got: np.moveaxis(got, 1, -1)),
        (rows, {"input_shape": (6, 8, 3)}, lambda got: got.reshape(-1, 6, 8, 3)),
    ]
    for function, options in ((saliency_map, {}), (occlusion_map, {"fill_value": "mean"})):
        found = []
        for X, parameters, back in forms:
            got = function(small_cnn(X, LABELS[:60], **parameters), X[:5], 2, **options)
            assert got.shape == X[:5].shape
            assert got.dtype == "float32"
            found.append(back(got))
        assert np.abs(found[0]).max() > 0
        assert_array_equal(found[0], found[1])
        assert_array_equal(found[0], found[2])


def test_frames_and_sparse_rows():
    frame = pd.DataFrame(ROWS, columns=[f"pixel{i}" for i in range(64)])
    model = fitted_quietly(MLPClassifier(8, **plain()), frame, LABELS)
    expected = saliency_map(model, frame[:5], 2)
    assert expected.shape == (5, 64)
    assert occlusion_map(model, frame[:5], 2).shape == (5, 64)
    model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    assert_array_equal(saliency_map(model, sparse.csr_array(ROWS[:5]), 2), expected)


def test_pipelines_and_searches():
    """What the steps before the network make of X is what the gradient speaks of."""
    model = make_pipeline(StandardScaler(), MLPClassifier(8, **plain()))
    fitted_quietly(model, ROWS, LABELS)
    scaled = model[0].transform(ROWS[:5])
    assert_array_equal(saliency_map(model, ROWS[:5], 2), saliency_map(model[-1], scaled, 2))
    assert_array_equal(occlusion_map(model, ROWS[:5], 2), occlusion_map(model[-1], scaled, 2))
    search = GridSearchCV(model, {"mlpclassifier__alpha": [0.1, 1]}, cv=2)
    fitted_quietly(search, ROWS, LABELS)
    best = search.best_estimator_
    assert_array_equal(saliency_map(search, ROWS[:5], 2), saliency_map(best, ROWS[:5], 2))


def test_threads_and_the_rows_beside_change_nothing():
    model = small_cnn(batch_norm=True)
    whole = saliency_map(model, IMAGES, 3), occlusion_map(model, IMAGES, 3)
    for n_jobs in (2, 3):
        model.n_jobs = n_jobs
        assert_array_equal(saliency_map(model, IMAGES, 3), whole[0])
        assert_array_equal(occlusion_map(model, IMAGES, 3), whole[1])
    assert_array_equal(saliency_map(model, IMAGES[7:8], 3), whole[0][7:8])
    assert_array_equal(occlusion_map(model, IMAGES[7:8], 3), whole[1][7:8])


def test_nothing_is_changed():
    model = small_cnn(batch_norm=True, dropout=0.2)
    before = model._network.theta.copy(), model._network.state.copy(), model.predict_proba(IMAGES)
    attributes = set(vars(model))
    saliency_map(model, IMAGES[:3])
    occlusion_map(model, IMAGES[:3])
    assert_array_equal(model._network.theta, before[0])
    assert_array_equal(model._network.state, before[1])
    assert_array_equal(model.predict_proba(IMAGES), before[2])
    assert set(vars(model)) == attributes


def test_replaced_weights_are_used():
    model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    model.coefs_[0] = np.zeros_like(model.coefs_[0])
    assert not saliency_map(model, ROWS[:3], 1).any()


def test_other_parameters_after_the_fit():
    """They wait for the next fit: the map is that of the network which predicts."""
    model = small_cnn()
    before = saliency_map(model, IMAGES[:3], 1)
    model.set_params(filters=(9, 9), activation="tanh")
    np.testing.assert_array_equal(saliency_map(model, IMAGES[:3], 1), before)


# --- occlusion -------------------------------------------------------------------------------


def naive_occlusion(model, X, target, window, stride, fill):
    """Loops over places, windows and samples: images of shape (n, height, width, channels)."""
    n, height, width, _ = X.shape
    total, times = np.zeros((n, height, width)), np.zeros((height, width))
    whole = model.predict_proba(X)[:, target]
    tops = sorted({*range(0, height - window[0] + 1, stride[0]), height - window[0]})
    lefts = sorted({*range(0, width - window[1] + 1, stride[1]), width - window[1]})
    for top in tops:
        for left in lefts:
            covered = X.copy()
            for i in range(n):
                for c in range(X.shape[3]):
                    value = X[i, :, :, c].mean() if isinstance(fill, str) else fill[c]
                    covered[i, top : top + window[0], left : left + window[1], c] = value
            lost = whole - model.predict_proba(covered)[:, target]
            for p in range(top, top + window[0]):
                for q in range(left, left + window[1]):
                    total[:, p, q] += lost
                    times[p, q] += 1
    assert (times > 0).all()
    return np.repeat((total / times)[..., np.newaxis], X.shape[3], axis=3)


@pytest.mark.parametrize(
    ("window", "stride", "fill"),
    [(2, 1, 0.3), ((3, 2), (2, 2), (0.1, 0.9)), (4, 3, "mean"), ((6, 7), 1, 0.0), (1, 1, 1.0)],
    ids=str,
)
def test_occlusion_equals_naive(window, stride, fill, rng):
    images = rng.random((60, 6, 7, 2))
    model = small_cnn(images, LABELS[:60], max_iter=10, learning_rate_init=0.01)
    found = occlusion_map(model, images[:3], 4, window=window, stride=stride, fill_value=fill)
    both = [np.broadcast_to(value, 2) for value in (window, stride)]
    numbers = fill if isinstance(fill, str) else np.broadcast_to(fill, 2)
    expected = naive_occlusion(model, images[:3], 4, *both, numbers)
    assert np.abs(expected).max() > 1e-3
    assert_allclose(found, expected, rtol=1e-9, atol=1e-12)


def test_occlusion_defaults(rng):
    """A quarter of each side, half of it at a step; of vectors a value at a time."""
    images = rng.random((60, 6, 9, 1))
    model = small_cnn(images, LABELS[:60])
    spelt = occlusion_map(model, images[:3], 1, window=(2, 3), stride=(1, 2), fill_value=0.0)
    assert_array_equal(occlusion_map(model, images[:3], 1), spelt)
    mlp = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    spelt = occlusion_map(mlp, ROWS[:3], 1, window=1, stride=1)
    assert_array_equal(occlusion_map(mlp, ROWS[:3], 1), spelt)
    whole = mlp.predict_proba(ROWS[:3])[:, 1]
    without = ROWS[:3].copy()
    without[:, 20] = 0
    assert_allclose(spelt[:, 20], whole - mlp.predict_proba(without)[:, 1], atol=1e-15)


def test_vectors_that_are_images():
    mlp = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    found = occlusion_map(mlp, ROWS[:3], 1, window=2, stride=2, input_shape=(8, 8, 1))
    squares = found.reshape(3, 4, 2, 4, 2)
    assert (squares == squares[:, :, :1, :, :1]).all()
    assert len(np.unique(found)) > 20


def test_occlusion_of_signals_and_regressors(rng):
    signals = rng.standard_normal((60, 12, 2))
    y = np.c_[signals[:, 3, 0], signals[:, 9, 1]]
    model = CNNRegressor(6, kernel_size=1, pool_size=None, input_shape=(12, 2), random_state=0)
    fitted_quietly(model.set_params(solver="lbfgs", max_iter=400), signals, y)
    for column, step in ((0, 3), (1, 9)):
        lost = occlusion_map(model, signals[:20], column, window=1)
        assert lost.shape == (20, 12, 2)
        assert_array_equal(lost[..., 0], lost[..., 1])
        assert np.abs(lost[..., 0]).mean(axis=0).argmax() == step
    gradient = np.abs(saliency_map(model, signals[:20], 1)).mean(axis=0)
    assert np.unravel_index(gradient.argmax(), gradient.shape) == (9, 1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 9}, "window=9 does not fit samples of"),
        ({"window": (2, 2, 2)}, r"window=\(2, 2, 2\) must be a positive whole number"),
        ({"window": 0}, "window=0 must be a positive whole number"),
        ({"window": 2.5}, "window=2.5 must be"),
        ({"window": 2, "stride": 3}, "stride=3 leaves places"),
        ({"stride": (1, 0)}, r"stride=\(1, 0\) must be"),
        ({"fill_value": "median"}, "fill_value='median' must be"),
        ({"fill_value": (0, 1)}, r"fill_value=\(0, 1\) must be a number, one for each of 1"),
        ({"input_shape": (8, 9, 1)}, r"input_shape=\(8, 9, 1\) does not fit samples of 64"),
        ({"target": 10}, "target=10 is not among the classes"),
        ({"target": [1, 2]}, r"target has shape \(2,\) for 3 samples"),
    ],
    ids=str,
)
def test_errors_of_occlusion(options, message):
    with pytest.raises(ValueError, match=message):
        occlusion_map(small_cnn(), IMAGES[:3], **{"target": 1} | options)


def test_errors():
    rows = ROWS[:3]
    for function in (saliency_map, occlusion_map):
        with pytest.raises(NotFittedError):
            function(MLPClassifier(), rows)
        theirs = fitted_quietly(ScikitLearnMLP(4, max_iter=1), ROWS, LABELS)
        with pytest.raises(TypeError, match=f"{function.__name__} needs a network of"):
            function(theirs, rows)
    model = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
    with pytest.raises(ValueError, match="60 features"):
        saliency_map(model, rows[:, :60])
    with pytest.raises(ValueError, match="NaN"):
        saliency_map(model, np.where(rows > 0.9, np.nan, rows))
    with pytest.raises(ValueError, match="target='a' is not among the classes"):
        saliency_map(model, rows, "a")
    two = fitted_quietly(MLPRegressor(hidden_layer_sizes=4, **plain()), ROWS, np.c_[LABELS, LABELS])
    with pytest.raises(ValueError, match="has 2 outputs; choose one"):
        saliency_map(two, rows)
    with pytest.raises(ValueError, match=r"target=2 is not among the output columns.*\[0, 1\]"):
        saliency_map(two, rows, 2)


@pytest.fixture(scope="module")
def grey():
    return small_cnn(max_iter=20)


# --- display ---------------------------------------------------------------------------------


@pytest.mark.usefixtures("plt")
class TestDisplay:
    """Pictures of both."""

    def test_a_row_a_sample(self, grey):
        display = SaliencyDisplay.from_estimator(
            grey, IMAGES[:3], method=("gradient", "occlusion"), window=2, stride=1
        )
        gradient = np.abs(saliency_map(grey, IMAGES[:3]))
        lost = occlusion_map(grey, IMAGES[:3], window=2, stride=1)
        assert display.axes_.shape == (3, 3)
        assert list(display.maps) == ["gradient", "occlusion"]
        for i, (image, first, second) in enumerate(display.axes_):
            assert_array_equal(drawn(image), IMAGES[i])
            assert_array_equal(drawn(first), gradient[i])
            assert_array_equal(drawn(second), lost[i])
            assert first.images[0].get_clim() == (0, gradient[i].max())
            assert second.images[0].get_clim() == (-np.abs(lost[i]).max(), np.abs(lost[i]).max())
        p = grey.predict_proba(IMAGES[:3])
        assert_array_equal(display.target, grey.predict(IMAGES[:3]))
        assert_allclose(display.values, p.max(axis=1))
        first = f"{p[0].argmax()} ({p[0].max():.0%})"
        assert titles(display)[:3] == [first, "|gradient|", "occlusion"]

    def test_a_shared_scale(self, grey):
        display = SaliencyDisplay.from_estimator(grey, IMAGES[:3], share_scale=True)
        limits = {ax.images[0].get_clim() for ax in display.axes_[:, 1]}
        assert limits == {(0, np.abs(saliency_map(grey, IMAGES[:3])).max())}

    def test_a_class_of_ones_own(self, grey):
        display = SaliencyDisplay.from_estimator(grey, IMAGES[:2], target=7)
        p = grey.predict_proba(IMAGES[:2])[:, 7]
        assert titles(display)[::2] == [f"7 ({value:.0%})" for value in p]
        expected = np.abs(saliency_map(grey, IMAGES[:2], 7))
        assert_array_equal(display.maps["gradient"], expected)

    def test_the_largest_of_the_channels(self, rng):
        colours = rng.random((60, 3, 6, 8))
        model = small_cnn(colours, LABELS[:60], data_format="channels_first")
        display = SaliencyDisplay.from_estimator(
            model, colours[:2], 1, method=["occlusion", "gradient"], fill_value="mean"
        )
        expected = np.abs(saliency_map(model, colours[:2], 1)).max(axis=1)
        assert_array_equal(display.maps["gradient"], expected)
        lost = occlusion_map(model, colours[:2], 1, fill_value="mean")
        assert_array_equal(display.maps["occlusion"], lost[:, 0])
        assert_array_equal(drawn(display.axes_[1, 0]), np.moveaxis(colours[1], 0, -1))
        assert_array_equal(drawn(display.axes_[1, 1]), lost[1, 0])

    def test_signals(self, rng):
        signals = rng.standard_normal((60, 12, 2))
        model = small_cnn(signals, LABELS[:60], input_shape=(12, 2))
        display = SaliencyDisplay.from_estimator(model, signals[:2], method="occlusion")
        assert_array_equal(display.axes_[0, 0].lines[1].get_ydata(), signals[0, :, 1])
        assert display.maps["occlusion"].shape == (2, 12)

    def test_vectors(self):
        mlp = fitted_quietly(MLPClassifier(8, **plain()), ROWS, LABELS)
        with pytest.raises(ValueError, match=r"draws images and signals.*input_shape="):
            SaliencyDisplay.from_estimator(mlp, ROWS[:2])
        display = SaliencyDisplay.from_estimator(
            mlp, ROWS[:2], method=("gradient", "occlusion"), input_shape=(8, 8, 1)
        )
        assert_array_equal(drawn(display.axes_[1, 0]), IMAGES[1])
        expected = np.abs(saliency_map(mlp, ROWS[:2])).reshape(2, 8, 8)
        assert_array_equal(display.maps["gradient"], expected)
        lost = occlusion_map(mlp, ROWS[:2], input_shape=(8, 8, 1))
        assert_array_equal(display.maps["occlusion"], lost.reshape(2, 8, 8))

    def test_regressors(self):
        model = fitted_quietly(CNNRegressor(4, **plain()), IMAGES, LABELS / 9)
        display = SaliencyDisplay.from_estimator(model, IMAGES[:1])
        value = model.predict(IMAGES[:1])[0]
        assert titles(display)[0] == f"output 0: {value:.3g}"

    def test_axes_figures_and_errors(self, grey, plt):
        figure, axes = plt.subplots(2, 2)
        display = SaliencyDisplay.from_estimator(grey, IMAGES[:2], axes=axes)
        assert display.figure_ is figure
        assert_array_equal(display.axes_, axes)
        with pytest.raises(ValueError, match="4 axes were passed for 6"):
            SaliencyDisplay.from_estimator(grey, IMAGES[:3], axes=axes)
        own = plt.figure()
        assert SaliencyDisplay.from_estimator(grey, IMAGES[:1], figure=own).figure_ is own
        for method in ("lime", [], ["gradient", "lime"]):
            with pytest.raises(ValueError, match=r"method=.* must be among"):
                SaliencyDisplay.from_estimator(grey, IMAGES[:1], method=method)
        with pytest.raises(NotFittedError):
            SaliencyDisplay.from_estimator(CNNClassifier(), IMAGES[:1])


# --- sequences of unequal length -----------------------------------------------------------------

LENGTHS = [9, 5, 7, 9, 2, 6] * 3
SEQUENCES = [np.random.default_rng(0).normal(size=(n, 3)) for n in LENGTHS]
CLASSES = np.arange(len(LENGTHS)) % 2
AS_LISTS = [saliency_map, occlusion_map]


PLAIN = {"max_iter": 2, "random_state": 0, "dtype": "float64"}
OF_SEQUENCES = {
    "plain": RNNClassifier(6, **PLAIN),
    "windows": RNNClassifier(6, truncation=4, **PLAIN),
    "channels_first": RNNClassifier(6, data_format="channels_first", **PLAIN),
    # Reads no fewer than three steps, and pads shorter sequences.
    "convolutional": NeuralNetworkClassifier([Conv1D(4, 3), GlobalAveragePool()], **PLAIN),
}


@pytest.fixture(scope="module", params=OF_SEQUENCES)
def of_sequences(request):
    """A network fitted on sequences of unequal length, and these with axes as it reads them."""
    X = [x.T for x in SEQUENCES] if request.param == "channels_first" else SEQUENCES
    return clone(OF_SEQUENCES[request.param]).fit(X, CLASSES), X


@pytest.mark.parametrize("map_of", AS_LISTS)
def test_maps_of_unequal_sequences_are_a_list(of_sequences, map_of):
    model, X = of_sequences
    found = map_of(model, X[:6], window=2) if map_of is occlusion_map else map_of(model, X[:6])
    assert type(found) is list
    assert [one.shape for one in found] == [x.shape for x in X[:6]]
    for x, one in zip(X[:6], found, strict=True):
        alone = map_of(model, [x], window=2) if map_of is occlusion_map else map_of(model, [x])
        assert alone.shape == (1, *x.shape)
        if map_of is saliency_map:  # windows of occlusion begin at the end of the longest
            assert_allclose(one, alone[0], rtol=1e-9)
            assert_allclose(one, map_of(model, np.array([x]))[0], rtol=1e-9)


def test_gradient_of_unequal_sequences(of_sequences):
    model, X = of_sequences
    for number in (1, 4):  # 5 and 2 steps
        found, slopes = saliency_map(model, X[:6], target=1)[number], np.zeros(X[number].shape)
        for place in np.ndindex(slopes.shape):
            step = np.zeros_like(slopes)
            step[place] = EPS
            pair = model.predict_proba([X[number] + step, X[number] - step])
            above, below = np.log(pair[:, 1] / pair[:, 0])
            slopes[place] = (above - below) / (2 * EPS)
        assert number == 4 or np.abs(slopes).max() > 1e-5
        assert_allclose(found, slopes, rtol=1e-4, atol=1e-8)


def test_display_of_unequal_sequences(plt, of_sequences):
    model, X = of_sequences
    display = SaliencyDisplay.from_estimator(
        model, X[:3], method=["gradient", "occlusion"], window=2
    )
    assert display.X.shape == (3, 9, 3)
    for values in (display.X[..., 0], *display.maps.values()):
        assert np.isnan(values).sum(axis=1).tolist() == [0, 4, 2]
    expected = saliency_map(model, X[:3])[1]
    channels = 0 if X[1].shape[0] == 3 else 1
    assert_allclose(display.maps["gradient"][1, :5], np.abs(expected).max(axis=channels))
    display.figure_.canvas.draw()
    alone = SaliencyDisplay.from_estimator(model, [X[1]])
    assert alone.X.shape == (1, 5, 3)
    assert alone.axes_[0, 1].get_ylim()[1] > 0


def test_feature_maps_of_a_shorter_sequence(plt):
    model = RNNClassifier(4, num_layers=2, max_iter=1, random_state=0).fit(SEQUENCES, CLASSES)
    assert FeatureMapDisplay.from_estimator(model, [SEQUENCES[1]]).maps.shape == (5, 4)
