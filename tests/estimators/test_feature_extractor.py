"""FeatureExtractor: the output of a layer as features."""

import copy
import pickle

import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from helpers.estimators.all_estimators import activations
from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
)
from sklearn_nn.layers import (
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Parallel,
    Residual,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
X, Y = load_digits(return_X_y=True)
X, Y = X[:700] / 16, Y[:700]
IMAGES = X.reshape(-1, 8, 8)


def mlp(**options):
    defaults = {"hidden_layer_sizes": (12, 7), "max_iter": 3, "random_state": 0, "dropout": 0.2}
    return MLPClassifier(**defaults | options)


@pytest.fixture(scope="module")
def network():
    return mlp(batch_norm=True).fit(X, Y)


@pytest.fixture(scope="module")
def branches():
    """Layers within layers, of several slots that are read twice."""
    layers = [
        Conv2D(4, 3),
        Residual([Conv2D(4, 3, padding="same"), Activation("relu"), BatchNorm()]),
        Parallel([Conv2D(2, 1), [Conv2D(3, 3, padding="same"), Activation("tanh")]]),
        Flatten(),
        Dropout(0.5),
        ("wide", Dense(9)),
    ]
    return NeuralNetworkClassifier(layers, input_shape=(8, 8, 1), max_iter=2).fit(X, Y)


def by_hand(network, X):
    """What each layer of an MLP makes of X, in plain NumPy."""
    out, values = X, {}
    for i in (1, 2):
        out = out @ network.layers_[f"dense{i}"]["kernel"] + network.layers_[f"dense{i}"]["bias"]
        values[f"dense{i}"] = out
        norm = network.layers_[f"batchnorm{i}"]
        scaled = (out - norm["moving_mean"]) / np.sqrt(norm["moving_variance"] + 1e-5)
        out = values[f"batchnorm{i}"] = norm["gamma"] * scaled + norm["beta"]
        out = values[f"activation{i}"] = values[f"dropout{i}"] = np.maximum(out, 0)
    output = network.layers_["output"]
    return values | {"output": out @ output["kernel"] + output["bias"]}


# --- what comes out --------------------------------------------------------------------------


def test_every_layer_of_an_mlp(network):
    """The last entry is what the output layer has before the softmax."""
    expected = by_hand(network, X)
    assert list(expected) == [row.name for row in network.summary().rows]
    for layer, values in expected.items():
        found = FeatureExtractor(network, layer).fit(X).transform(X)
        np.testing.assert_allclose(found, values, rtol=1e-9, atol=1e-11, err_msg=layer)


def test_the_default_is_the_last_before_the_output(network, branches):
    extractor = FeatureExtractor(network).fit(X)
    assert extractor.layer_ == "dropout2"
    assert extractor.output_shape_ == (7,)
    assert FeatureExtractor(branches).fit(X).layer_ == "wide"
    # Behind it is the output layer.
    z = extractor.transform(X) @ network.coefs_[-1] + network.intercepts_[-1]
    p = np.exp(z - z.max(axis=1, keepdims=True))
    np.testing.assert_allclose(p / p.sum(axis=1, keepdims=True), network.predict_proba(X))


def test_layers_within_layers(branches):
    """Each is what the one after it makes the next of."""
    values = {row.name: activations(branches, X, row.name) for row in branches.summary().rows}
    shapes = {row.name: row.output_shape for row in branches.summary().rows}
    assert {name: value.shape[1:] for name, value in values.items()} == shapes
    added = values["conv2d1"] + values["residual1.batchnorm1"]
    np.testing.assert_allclose(values["residual1"], added, atol=1e-12)
    joined = [values["parallel1.0.conv2d1"], values["parallel1.1.activation1"]]
    np.testing.assert_array_equal(values["parallel1"], np.concatenate(joined, axis=-1))
    kernel = branches.layers_["parallel1.0.conv2d1"]["kernel"]
    np.testing.assert_allclose(
        values["parallel1.0.conv2d1"],
        values["residual1"] @ kernel[0, 0] + branches.layers_["parallel1.0.conv2d1"]["bias"],
        atol=1e-9,
    )
    np.testing.assert_array_equal(values["flatten1"], values["parallel1"].reshape(len(X), -1))
    np.testing.assert_array_equal(values["dropout1"], values["flatten1"])
    dense = branches.layers_["wide"]
    wide = values["dropout1"] @ dense["kernel"] + dense["bias"]
    np.testing.assert_allclose(values["wide"], wide, atol=1e-9)
    extractor = FeatureExtractor(branches, "parallel1").fit(X)
    assert extractor.output_shape_ == (6, 6, 5)
    np.testing.assert_array_equal(extractor.transform(X), values["parallel1"].reshape(len(X), -1))


def test_only_the_layers_below_the_cut_are_run(branches):
    program = branches._network.program
    lengths = [len(program.cut(row.name).table) for row in branches.summary().rows]
    assert lengths == sorted(lengths)
    assert lengths[0] == 1 < lengths[-1] <= len(program.table)
    assert program.cut("conv2d1").width == 64 + 6 * 6 * 4
    # Not even what is infinite above it matters.
    broken = pickle.loads(pickle.dumps(branches))
    broken.layers_["wide"]["kernel"][...] = np.inf
    with pytest.raises(ValueError, match="not finite"):
        broken.predict(X)
    found = FeatureExtractor(broken, "parallel1").fit(X).transform(X)
    np.testing.assert_array_equal(found, activations(branches, X, "parallel1").reshape(len(X), -1))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_blocks_change_no_bit(dtype):
    network = CNNClassifier(5, hidden_layer_sizes=6, max_iter=1, dtype=dtype).fit(IMAGES, Y)
    results = []
    for n_jobs in (1, 2, 3):
        network.set_params(n_jobs=n_jobs)
        extractor = FeatureExtractor(network, "pool1").fit(IMAGES)
        results.append(extractor.transform(IMAGES))
        assert results[-1].dtype == dtype
        np.testing.assert_array_equal(extractor.transform(IMAGES[5:6]), results[0][5:6])
    assert results[0].tobytes() == results[1].tobytes() == results[2].tobytes()


def test_images_bytes_frames_and_sparse_rows(network):
    pd = pytest.importorskip("pandas")
    pixels = (IMAGES * 255).astype(np.uint8)
    cnn = CNNClassifier(3, hidden_layer_sizes=4, max_iter=1, dtype="float32").fit(pixels, Y)
    extractor = FeatureExtractor(cnn, "convactivation1").fit(pixels)
    assert extractor.output_shape_ == (8, 8, 3)
    expected = extractor.transform(pixels.astype(np.float32) / np.float32(255))
    np.testing.assert_allclose(extractor.transform(pixels), expected, atol=1e-6)
    extractor = FeatureExtractor(network).fit(X)
    rows = extractor.transform(X)
    np.testing.assert_array_equal(extractor.transform(sparse.csr_matrix(X)), rows)
    np.testing.assert_array_equal(extractor.transform(X.tolist()), rows)
    frame = pd.DataFrame(X, columns=[f"pixel{i}" for i in range(64)], index=range(5, 705))
    named = FeatureExtractor(mlp()).fit(frame, Y).set_output(transform="pandas")
    assert list(named.feature_names_in_) == list(frame)
    found = named.transform(frame)
    assert list(found.columns) == [f"dropout2_{i}" for i in range(7)]
    assert list(found.index) == list(frame.index)
    with pytest.raises(ValueError, match="feature names"):
        named.transform(frame.rename(columns={"pixel0": "x"}))
    with pytest.raises(ValueError, match="input_features"):
        named.get_feature_names_out(["a"] * 64)


# --- several layers, and pooling ----------------------------------------------------------------


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("pooling", [None, "mean", "max"])
def test_several_layers_side_by_side(branches, pooling, n_jobs):
    """In the order of the list, nested ones and vectors among them."""
    layers = ["wide", "conv2d1", "residual1.activation1", "parallel1.1.conv2d1", "parallel1"]
    reduced = {None: lambda a: a, "mean": lambda a: a.mean((1, 2)), "max": lambda a: a.max((1, 2))}
    parts = [activations(branches, X, name) for name in layers]
    parts = [a if a.ndim == 2 else reduced[pooling](a) for a in parts]
    expected = np.concatenate([a.reshape(len(X), -1) for a in parts], axis=1)
    network = copy.copy(branches).set_params(n_jobs=n_jobs)
    extractor = FeatureExtractor(network, layers, pooling=pooling).fit(X)
    found = extractor.transform(X)
    np.testing.assert_allclose(found, expected, rtol=1e-12, atol=1e-14)
    assert extractor.output_shape_ == (expected.shape[1],)
    assert extractor.layer_ == layers
    names = [f"{n}_{i}" for n, a in zip(layers, parts, strict=True) for i in range(a[0].size)]
    assert list(extractor.get_feature_names_out()) == names
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(X), found)


def test_pooling_of_one_layer(branches):
    """The default layer is a vector, which has nothing to be reduced."""
    pooled = FeatureExtractor(branches, "parallel1", pooling="mean").fit(X)
    expected = activations(branches, X, "parallel1").mean(axis=(1, 2))
    np.testing.assert_allclose(pooled.transform(X), expected)
    assert list(pooled.get_feature_names_out()) == [f"parallel1_{i}" for i in range(5)]
    same, plain = (FeatureExtractor(branches, pooling=p).fit_transform(X) for p in ("max", None))
    np.testing.assert_array_equal(same, plain)
    assert activations(branches, X, "wide").shape == same.shape


def test_several_layers_need_none_behind_them(branches):
    broken = pickle.loads(pickle.dumps(branches))
    broken.layers_["wide"]["kernel"][...] = np.inf
    layers = ["conv2d1", "parallel1"]
    found = FeatureExtractor(broken, layers, pooling="mean").fit_transform(X)
    expected = FeatureExtractor(branches, layers, pooling="mean").fit_transform(X)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pooling_ignores_the_padding_of_sequences(dtype, rng):
    sequences = [rng.standard_normal((n, 2)) for n in (3, 7, 5, 2)]
    network = RNNClassifier(4, num_layers=2, dtype=dtype, max_iter=1, random_state=0)
    network.fit(sequences, [0, 1, 0, 1])
    first = next(row.name for row in network.summary().rows if len(row.output_shape) == 2)
    for pooling, reduced in (("mean", np.mean), ("max", np.max)):
        extractor = FeatureExtractor(network, [first], pooling=pooling).fit(sequences)
        expected = [
            reduced(network._output([one], first).reshape(len(one), -1), axis=0)
            for one in sequences
        ]
        assert extractor.transform(sequences).dtype == dtype
        tolerance = 1e-5 if dtype == "float32" else 1e-12
        np.testing.assert_allclose(extractor.transform(sequences), expected, atol=tolerance)
        longer = [np.concatenate([one, one, one]) for one in sequences]
        alone = extractor.transform([longer[1]])
        np.testing.assert_allclose(extractor.transform(longer)[1:2], alone, atol=tolerance)


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_images_and_their_mirror_images(data_format, rng):
    """All forms of images; their features are those of the mirror images, too."""
    images = rng.integers(0, 256, (9, 6, 7, 3)).astype(np.uint8)
    first = data_format == "channels_first"
    given = np.moveaxis(images, -1, 1) if first else images
    network = CNNClassifier((4,), max_iter=1, random_state=0, data_format=data_format)
    network.fit(given, np.arange(9) % 2)
    extractor = FeatureExtractor(network, "convactivation1", flip=True).fit(given)
    mirrored = given[..., ::-1] if first else given[:, :, ::-1]
    plain = FeatureExtractor(network, "convactivation1").fit(given)
    expected = (plain.transform(given) + plain.transform(mirrored)) / 2
    assert not np.allclose(expected, plain.transform(given))
    np.testing.assert_allclose(extractor.transform(given), expected, rtol=1e-12)
    np.testing.assert_allclose(extractor.transform(mirrored), expected, rtol=1e-12)
    np.testing.assert_allclose(extractor.transform([*given]), expected, rtol=1e-12)


def test_mirror_images_without_channels_and_of_rows(branches):
    cnn = CNNClassifier(3, max_iter=1, random_state=0).fit(IMAGES, Y)
    for network, X_given, X_mirrored in (
        (cnn, IMAGES, IMAGES[:, :, ::-1]),
        (branches, X, IMAGES[:, :, ::-1].reshape(X.shape)),
        (branches, sparse.csr_matrix(X), IMAGES[:, :, ::-1].reshape(X.shape)),
    ):
        plain = FeatureExtractor(network).fit(X_given)
        expected = (plain.transform(X_given) + plain.transform(X_mirrored)) / 2
        flipped = FeatureExtractor(network, flip=True).fit(X_given)
        np.testing.assert_allclose(flipped.transform(X_given), expected, rtol=1e-9, atol=1e-12)


def test_only_images_have_mirror_images(network):
    with pytest.raises(ValueError, match=r"flip=True is for networks of images.*\(64,\)"):
        FeatureExtractor(network, flip=True).fit(X)


def test_layers_that_cannot_be_joined(network):
    for layer in ([], ["dense1", "dense1"]):
        with pytest.raises(ValueError, match="must name one layer or more, each once"):
            FeatureExtractor(network, layer).fit(X)
    with pytest.raises(ValueError, match="layer='dense9' is not in the network"):
        FeatureExtractor(network, ["dense1", "dense9"]).fit(X)
    with pytest.raises(TypeError, match="must be the name of a layer, or a list of names"):
        FeatureExtractor(network, ["dense1", 2]).fit(X)
    with pytest.raises(ValueError, match="'pooling' parameter"):
        FeatureExtractor(network, pooling="avg").fit(X)
    steps = np.random.default_rng(0).random((6, 5, 2))
    of_each = RNNClassifier(3, return_sequences=True, max_iter=1).fit(
        steps, np.arange(30).reshape(6, 5) % 2
    )
    with pytest.raises(ValueError, match="predicts each time step"):
        FeatureExtractor(of_each, pooling="mean").fit(steps)


# --- which network ---------------------------------------------------------------------------


def test_a_fitted_network_is_used_as_it_is(network):
    theta = network._network.theta.copy()
    extractor = FeatureExtractor(network).fit(X[:2], None)
    assert extractor.estimator_ is network
    np.testing.assert_array_equal(network._network.theta, theta)
    copied = clone(extractor)
    assert not hasattr(copied, "estimator_")
    copied.set_params(estimator__alpha=5.0, layer="dense1")
    assert (network.alpha, extractor.layer) == (0.0001, None)
    np.testing.assert_array_equal(copied.fit(X[:2]).transform(X), activations(network, X, "dense1"))


def test_one_that_is_not_fitted_is_cloned_and_fitted():
    new = mlp()
    extractor = FeatureExtractor(new).fit(X, Y, sample_weight=np.ones(len(X)))
    assert not hasattr(new, "coefs_")
    np.testing.assert_array_equal(
        extractor.transform(X), activations(mlp().fit(X, Y), X, "dropout2")
    )
    with pytest.raises(ValueError, match="y"):
        FeatureExtractor(mlp()).fit(X)


def test_a_frozen_estimator(network):
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator(network)
    extractor = clone(FeatureExtractor(frozen)).fit(X)
    np.testing.assert_array_equal(extractor.transform(X), activations(network, X, "dropout2"))


def test_in_pipelines_and_searches(network):
    """Trained once, not in every fold: scores are those of the features."""
    features = activations(network, X, "dropout2")
    model = make_pipeline(FeatureExtractor(network), LogisticRegression(max_iter=500))
    expected = cross_val_score(LogisticRegression(max_iter=500), features, Y, cv=3)
    np.testing.assert_array_equal(cross_val_score(model, X, Y, cv=3), expected)
    grid = {"featureextractor__layer": ["dense1", "activation1", None]}
    search = GridSearchCV(model, grid, cv=2).fit(X, Y)
    assert len(set(search.cv_results_["mean_test_score"])) > 1
    trained = make_pipeline(PCA(10), FeatureExtractor(mlp()), LogisticRegression(max_iter=500))
    assert cross_val_score(trained, X, Y, cv=2).min() > 0.2
    regressor = FeatureExtractor(MLPRegressor(hidden_layer_sizes=5, max_iter=2))
    assert regressor.fit_transform(X, Y.astype(float)).shape == (len(X), 5)


def test_pickles(network):
    extractor = FeatureExtractor(network).fit(X)
    again = pickle.loads(pickle.dumps(extractor))
    np.testing.assert_array_equal(again.transform(X), extractor.transform(X))


def test_errors(network):
    with pytest.raises(NotFittedError):
        FeatureExtractor(network).transform(X)
    with pytest.raises(NotFittedError):
        FeatureExtractor(network).get_feature_names_out()
    with pytest.raises(NotFittedError):
        activations(mlp(), X, "dense1")
    with pytest.raises(
        ValueError, match=r"layer='dense9' is not in the network; .*'dense1'.* Did you mean 'dense"
    ):
        FeatureExtractor(network, "dense9").fit(X)
    with pytest.raises(TypeError, match="must be a network of sklearn_nn"):
        FeatureExtractor(LogisticRegression()).fit(X, Y)
    with pytest.raises(ValueError, match="no layer before its output layer"):
        FeatureExtractor(mlp(hidden_layer_sizes=(), dropout=0)).fit(X, Y)
    with pytest.raises(ValueError, match="'layer' parameter"):
        FeatureExtractor(network, 3).fit(X)
    with pytest.raises(ValueError, match="X has 3 features"):
        FeatureExtractor(network).fit(X).transform(X[:, :3])


def test_the_best_network_of_a_search(rng):
    """A fitted search stands for its best network; it is not trained again."""
    X, y = rng.standard_normal((40, 6)), np.arange(40) % 2
    grid = {"hidden_layer_sizes": [(3,)]}
    search = GridSearchCV(MLPClassifier((5,), max_iter=2, random_state=0), grid, cv=2).fit(X, y)
    extractor = FeatureExtractor(search).fit(X, y)
    assert extractor.estimator_ is search.best_estimator_
    assert extractor.transform(X).shape == (40, 3)
