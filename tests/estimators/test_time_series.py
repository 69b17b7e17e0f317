"""Networks for time series: layer by layer as in Keras, their sizes, forms of X, and ensembles."""

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.model_selection import cross_val_score

from helpers import real_sequences
from helpers.learning import learning, seeds
from helpers.naive.keras_sequences import KerasNetwork
from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    SequenceScaler,
    load,
)
from sklearn_nn.layers import (
    GRU,
    Activation,
    Conv1D,
    Dense,
    Dropout,
    GlobalAveragePool,
    LastStep,
    Members,
    Parallel,
    Reshape,
)
from sklearn_nn.network.initializers import HandCrafted
from sklearn_nn.time_series import fcn, inception_time, lite, resnet_1d

RNG = np.random.default_rng(0)
Y = np.arange(12) % 3
#: Small networks of each kind; with one step of training if they are fitted.
SMALL = {
    "inception_time": (inception_time, {"n_filters": 2, "depth": 4, "bottleneck_size": 3}),
    "lite": (lite, {"n_filters": 3}),
    "fcn": (fcn, {"n_filters": (3, 4, 2)}),
    "resnet_1d": (resnet_1d, {"n_filters": (2, 3, 3)}),
}
every_network = pytest.mark.parametrize("name", SMALL)


def small(name, **parameters):
    make, sizes = SMALL[name]
    return make(**{**sizes, "n_networks": 1, "max_iter": 1, "random_state": 0, **parameters})


def series(channels=2, steps=30, n=12):
    return RNG.standard_normal((n, steps, channels))


# --- the networks of the literature --------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "published"),
    [(inception_time, 420_192), (lite, 9_814), (fcn, 264_704), (resnet_1d, 504_000)],
)
def test_numbers_of_trainable_parameters(make, published):
    """Those of Table I of Ismail-Fawaz et al. (2023), which leaves out the output layer."""
    for n in (1, 5):
        model = make(n_networks=n).initialize(np.zeros((4, 150, 1)), [0, 1, 2, 3])
        summary = model.summary()
        output = sum(array.size for array in model.layers_["output"].values())
        assert summary.n_trainable - output == n * published
        # The fixed filters: 2 * (2 + 4 + ... + 64), and 1.5 * (4 + 8 + ... + 64).
        assert summary.n_frozen == (n * (252 + 186) if make is lite else 0)


@every_network
@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize("steps", [7, 30])
def test_equals_keras_layer_by_layer(name, channels, steps):
    """Even kernels, some longer than the series, dilated and depthwise ones."""
    X = series(channels, steps)
    model = small(name, dtype="float64", scale_inputs=False).initialize(X, Y)
    for layer, arrays in model.layers_.items():
        for part, array in arrays.items():
            # Random statistics and biases; the fixed filters stay.
            if part != "kernel":
                array[...] = RNG.uniform(0.5, 1.5, array.shape)
            elif "fixed" not in layer:
                array[...] = RNG.standard_normal(array.shape) / np.sqrt(array[..., 0].size)
    there = KerasNetwork(model.layers_)
    expected = getattr(there, name)(X, SMALL[name][1])
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-9, atol=1e-12)
    assert there.n_read == sum(map(len, model.layers_.values()))


def test_fixed_filters():
    draw = lambda pattern, length: HandCrafted(pattern)(None, (length, 2, 3), 1, 1)  # noqa: E731
    for length in (2, 5, 64):
        rises = draw("increasing", length)
        assert rises[:2, 0, 0].tolist() == [-1, 1]
        assert (rises[2:] == rises[:-2]).all()
        np.testing.assert_array_equal(draw("decreasing", length), -rises)
    np.testing.assert_array_equal(draw("peak", 6)[:, 1, 2], [-1, -1, 2, 2, -1, -1])
    bump = np.array([0.25, 1, 1, 0.25])
    np.testing.assert_array_equal(draw("peak", 12)[:, 0, 0], [*-bump, *(2 * bump), *-bump])
    with pytest.raises(ValueError, match="multiple of 6, not 8"):
        draw("peak", 8)
    with pytest.raises(ValueError, match="pattern='rise' is not known; use one of increasing"):
        draw("rise", 8)
    with pytest.raises(ValueError, match="needs the kernel of a Conv1D"):
        HandCrafted()(None, (3, 3, 1, 1), 1, 1)


@pytest.mark.parametrize("n_networks", [1, 2])
def test_fixed_filters_are_not_trained(n_networks):
    model = small("lite", n_networks=n_networks, learning_rate_factors={"output": 0.5})
    before = clone(model).initialize(series(), Y).layers_
    after = model.fit(series(), Y).layers_
    fixed = [layer for layer in after if ".fixed." in layer]
    assert len(fixed) == 17 * n_networks
    for layer, arrays in after.items():
        same = all((before[layer][n] == array).all() for n, array in arrays.items())
        assert same == (layer in fixed)
    assert model.learning_rate_factors["output"] == 0.5


# --- forms of X ----------------------------------------------------------------------------------


@every_network
def test_forms_of_series(name):
    """Channels first, as in aeon, lists, and rows of one channel are the same series."""
    X = series(channels=2)
    model = small(name).fit(X, Y)
    first = small(name, data_format="channels_first").fit(X.swapaxes(1, 2), Y)
    expected = model.predict_proba(X)
    np.testing.assert_array_equal(first.predict_proba(X.swapaxes(1, 2)), expected)
    np.testing.assert_array_equal(small(name).fit(list(X), Y).predict_proba(list(X)), expected)
    one = X[:, :, :1]
    model = small(name).fit(one, Y)
    rows = small(name).fit(one[:, :, 0], Y)
    expected = model.predict_proba(one)
    np.testing.assert_array_equal(rows.predict_proba(one[:, :, 0]), expected)
    first = small(name, data_format="channels_first").fit(one.swapaxes(1, 2), Y)
    np.testing.assert_array_equal(first.predict_proba(one.swapaxes(1, 2)), expected)


@pytest.mark.parametrize(
    "layers",
    [
        [Conv1D(3, 4)],
        [Dropout(0.1), GRU(3)],
        [Parallel([LastStep(), [Conv1D(2, 3), GlobalAveragePool()]])],
    ],
)
def test_rows_are_signals_if_the_first_layer_takes_only_sequences(layers):
    X = series(channels=1)
    common = {"max_iter": 1, "random_state": 0}
    model = NeuralNetworkClassifier(layers, **common).fit(X[:, :, 0], Y)
    assert model.input_shape_ == (30, 1)
    there = NeuralNetworkClassifier(layers, **common).fit(X, Y)
    expected = there.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X[:, :, 0]), expected)
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    named = pd.DataFrame(X[:, :, 0], columns=[f"step {k}" for k in range(30)])
    np.testing.assert_array_equal(model.predict_proba(named.to_numpy()), expected)
    assert NeuralNetworkClassifier(layers, **common).fit(named, Y).feature_names_in_[1] == "step 1"


@pytest.mark.parametrize("layers", [[Dense(4)], [GlobalAveragePool()], [Reshape((15, 2)), GRU(2)]])
def test_rows_are_vectors_before_other_layers(layers):
    model = NeuralNetworkClassifier(layers, max_iter=1).fit(series(channels=1)[:, :, 0], Y)
    assert model.input_shape_ == (30,)


@every_network
def test_series_of_unequal_length(name):
    """The networks refuse them before training, since their statistics would include padding."""
    X = [series(steps=n, n=1)[0] for n in range(20, 32)]
    told = "does not take sequences of unequal length; .*, or pad all to one length"
    with pytest.raises(ValueError, match=told):
        small(name).fit(X, Y)


@every_network
def test_series_of_another_length(name):
    """Fitted networks read longer and shorter series, which are not padded if of one length."""
    fitted = small(name).fit(series(), Y)
    for steps in (40, 20):
        other = series(steps=steps)
        # A network that is built for series of this length, with the same weights.
        built = small(name).from_pretrained(fitted, layers="all").initialize(other, Y)
        expected = built.predict_proba(other)
        np.testing.assert_array_equal(fitted.predict_proba(other), expected)
        np.testing.assert_array_equal(fitted.predict_proba(list(other)), expected)


def test_channels_first_in_all_estimators_of_sequences():
    X = series(channels=3)
    turned = X.swapaxes(1, 2)
    common = {"max_iter": 1, "random_state": 0}
    for kind, parameters in (
        (RNNClassifier, {"hidden_size": 3}),
        (CNNClassifier, {"filters": 3, "input_shape": (30, 3)}),
        (NeuralNetworkClassifier, {"layers": [GlobalAveragePool()]}),
    ):
        there = kind(**common, **parameters).fit(X, Y)
        here = kind(**common, **parameters, data_format="channels_first").fit(turned, Y)
        np.testing.assert_array_equal(there.predict_proba(X), here.predict_proba(turned))
        np.testing.assert_array_equal(
            FeatureExtractor(there).fit(X, Y).transform(X),
            FeatureExtractor(here).fit(turned, Y).transform(turned),
        )
        ragged = [x[: 20 + i % 3] for i, x in enumerate(X)]
        if kind is not CNNClassifier:
            np.testing.assert_array_equal(
                there.predict_proba(ragged), here.predict_proba([x.T for x in ragged])
            )
    scaled = SequenceScaler(data_format="channels_first").fit_transform(turned)
    np.testing.assert_allclose(scaled, SequenceScaler().fit_transform(X).swapaxes(1, 2))


# --- ensembles -----------------------------------------------------------------------------------


def test_members_train_and_predict_as_networks_of_their_own():
    """Their loss is the mean of the members' losses: with plain SGD, at twice the rate for two."""
    X = RNG.standard_normal((60, 4))
    y = np.arange(60) % 3
    own = [Dense(5, activation="tanh"), Activation("relu")]
    common = {
        "solver": "sgd", "momentum": 0.0, "max_iter": 7, "shuffle": False, "dtype": "float64",
        "alpha": 0.0, "batch_size": 20, "scale_inputs": False,
    }  # fmt: skip
    both = NeuralNetworkClassifier(
        [Members([own, own])], learning_rate_init=0.2, random_state=0, **common
    )
    start = clone(both).initialize(X, y).layers_
    found = both.fit(X, y).predict_proba(X)
    each = []
    for m in range(2):
        one = NeuralNetworkClassifier(own, learning_rate_init=0.1, **common).initialize(X, y)
        one.from_pretrained(
            {
                "dense1.kernel": start[f"members1.{m}.dense1"]["kernel"],
                "dense1.bias": start[f"members1.{m}.dense1"]["bias"],
                "output.kernel": start["output"]["kernel"][m],
                "output.bias": start["output"]["bias"][m],
            }
        )
        each.append(one.fit(X, y).predict_proba(X))
    assert abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(found, np.mean(each, axis=0), rtol=1e-9)


def test_output_layer_after_members():
    X = RNG.standard_normal((12, 4))
    heads = NeuralNetworkClassifier([Members([Dense(5)] * 3), Dropout(0.1)]).initialize(X, Y)
    assert heads.layers_["output"]["kernel"].shape == (3, 5, 3)
    bound = np.sqrt(6 / (5 + 3))  # as drawn for other output layers
    assert np.abs(heads.layers_["output"]["kernel"]).max() <= bound
    assert not heads.layers_["output"]["bias"].any()
    mean = NeuralNetworkClassifier([Members([Dense(5)] * 3), GlobalAveragePool()]).initialize(X, Y)
    assert mean.layers_["output"]["kernel"].shape == (5, 3)


@pytest.mark.parametrize(
    ("branches", "message"),
    [
        ([Dense(2), Dense(3)], r"members end in samples of shapes \(2,\), \(3,\)"),
        ([[], []], r"members end in samples of shapes \(30, 2\)"),
    ],
)
def test_members_that_do_not_fit(branches, message):
    X = series() if branches[0] == [] else RNG.standard_normal((12, 4))
    with pytest.raises(ValueError, match=message):
        NeuralNetworkClassifier([Members(branches)]).fit(X, Y)


# --- estimators ----------------------------------------------------------------------------------


@every_network
def test_files_clones_and_searches(name, tmp_path):
    X = series()
    model = small(name, n_networks=2).fit(X, Y)
    expected = model.predict_proba(X)
    path = tmp_path / "model.nn"
    model.save(path)
    np.testing.assert_array_equal(load(path).predict_proba(X), expected)
    np.testing.assert_array_equal(clone(model).fit(X, Y).predict_proba(X), expected)
    assert cross_val_score(clone(model), X, Y, cv=2).shape == (2,)


@every_network
def test_regression(name):
    X, y = series(), RNG.standard_normal((12, 2))
    model = small(name, n_networks=2, estimator=NeuralNetworkRegressor).fit(X, y)
    assert type(model) is NeuralNetworkRegressor
    assert model.predict(X).shape == (12, 2)


@every_network
def test_onnx(name):
    pytest.importorskip("onnx.reference")
    pytest.importorskip("onnxruntime")
    from helpers.onnx_runs import assert_same, runs
    from sklearn_nn import to_onnx

    for parameters in ({"n_networks": 2}, {"data_format": "channels_first"}):
        X = series().astype(np.float32)
        X = X.swapaxes(1, 2) if "data_format" in parameters else X
        model = small(name, **parameters).fit(X, Y)
        for runtime, run in runs(to_onnx(model)).items():
            label, probabilities = run({"X": X})
            np.testing.assert_array_equal(label, model.predict(X))
            assert_same(probabilities, model.predict_proba(X), "float32", runtime)


@pytest.mark.parametrize(
    ("make", "parameters", "message"),
    [
        (inception_time, {"depth": 0}, "depth=0 must be a positive whole number"),
        (inception_time, {"n_networks": 1.5}, "n_networks=1.5 must be a positive"),
        (lite, {"n_filters": -1}, "n_filters=-1 must be a positive"),
        (fcn, {"n_filters": (3, "x", 2)}, "must be a sequence of positive whole numbers"),
        (fcn, {"n_filters": (3, 4)}, r"n_filters=\(3, 4\) and kernel_size=\(8, 5, 3\) differ"),
        (resnet_1d, {"kernel_size": 3}, "kernel_size=3 must be a sequence"),
        (resnet_1d, {"kernel_size": ()}, r"kernel_size=\(\) must be a sequence"),
    ],
)
def test_wrong_sizes(make, parameters, message):
    with pytest.raises(ValueError, match=message):
        make(**parameters)


def test_wrong_parameters():
    with pytest.raises(TypeError, match="makes the layers itself; omit"):
        lite(layers=[])
    with pytest.raises(TypeError, match="max_itr"):
        lite(max_itr=3)
    for kind in (NeuralNetworkRegressor(), "regressor", None):
        with pytest.raises(TypeError, match=r"estimator=.* must be a class, such as Neural"):
            lite(estimator=kind)


# --- learning ------------------------------------------------------------------------------------


@learning
@pytest.mark.data
def test_italy_power_demand():
    """Published for LITE: .9685 (Ismail-Fawaz et al., 2023); .964 to .970 here."""
    try:
        train, test = real_sequences.archive("ItalyPowerDemand")
    except FileNotFoundError as error:
        pytest.skip(str(error))
    scores = [lite(random_state=seed).fit(*train).score(*test) for seed in seeds(3)]
    assert np.mean(scores) > 0.955
