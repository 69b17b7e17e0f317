"""Layers with a parameter `activation`, and initializers by name."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import clone

import sklearn_nn
from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier, layers, load
from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    MaxPool2D,
    ParametricActivation,
    Residual,
    SimpleRNN,
    TimeDistributed,
)
from sklearn_nn.layers.activation import ACTIVATIONS, OTHER_NAMES
from sklearn_nn.network.initializers import INITIALIZERS
from sklearn_nn.network.lowering import lower

#: A layer for an activation, the shape of a sample, and whether sequences are of unequal length.
MAKERS = {
    "dense": (lambda a: Dense(5, activation=a), (4,), False),
    "conv2d": (lambda a: Conv2D(5, 3, activation=a), (7, 7, 2), False),
    "winograd": (lambda a: Conv2D(16, 3, padding="same", activation=a), (12, 12, 16), False),
    "depthwise": (lambda a: Conv2D(3, 3, groups=3, activation=a), (7, 7, 3), False),
    "conv1d": (lambda a: Conv1D(5, 3, activation=a), (7, 2), False),
    "ragged_conv1d": (lambda a: Conv1D(5, 3, padding="same", activation=a), (7, 2), True),
    "steps": (lambda a: TimeDistributed(Dense(5, activation=a)), (7, 2), False),
    "ragged_steps": (lambda a: TimeDistributed(Dense(5, activation=a)), (7, 2), True),
}
makers = pytest.mark.parametrize("maker", MAKERS)


def programs(maker, activation, behind=None):
    """Return programs of a layer with an activation, and of two layers; another layer follows."""
    make, shape, ragged = MAKERS[maker]
    behind = Activation(activation) if behind is None else behind
    last = TimeDistributed(Dense(2)) if len(shape) == 2 else Activation("tanh")
    form = {"shape": shape, "dtype": "float32", "ragged": ragged}
    return (
        lower([("first", make(activation)), ("last", last)], **form),
        lower([("first", make(None)), ("behind", behind), ("last", last)], **form),
    )


def assert_same_program(one, two):
    """To the machine they are one network: kernels, slots, spans and draws are equal."""
    np.testing.assert_array_equal(one.table, two.table)
    for name in ("raw_slot", "output_slot", "width", "n_theta", "n_state", "n_work", "n_scratch"):
        assert getattr(one, name) == getattr(two, name)
    drawn = (p.initialize(np.random.RandomState(0)) for p in (one, two))
    np.testing.assert_array_equal(*drawn)


@makers
@pytest.mark.parametrize("name", [*ACTIVATIONS, *OTHER_NAMES])
def test_activation_parameter_is_lowered_as_a_layer_behind(maker, name):
    one, two = programs(maker, name)
    assert_same_program(one, two)
    assert one.cuts["first"] == two.cuts["behind"]
    assert list(one.layers) == [layer for layer in two.layers if layer != "behind"]
    assert [line.name for line in one.outline] == ["first", "last"]


@makers
def test_activation_layers_as_parameter(maker):
    assert_same_program(*programs(maker, Activation("relu"), Activation("relu")))
    alpha = ParametricActivation("relu", rate_factor=0.5)
    if not MAKERS[maker][2]:
        one, two = programs(maker, alpha, alpha)
        assert_same_program(one, two)
        assert one.layers["first"]["alpha"].parameter == two.layers["behind"]["alpha"].parameter
        return
    with pytest.raises(ValueError, match=r"layer 'first': .*unequal length; use the name of an"):
        programs(maker, alpha, alpha)


@makers
def test_none_is_the_layer_alone(maker):
    make, shape, ragged = MAKERS[maker]
    alone = lower([("first", make(None))], shape, "float64", ragged=ragged)
    assert_same_program(alone, lower([("first", make("linear"))], shape, "float64", ragged=ragged))
    assert "activation" not in repr(make(None))


def test_names_of_keras():
    for name, own in OTHER_NAMES.items():
        one, two = (lower([("a", Activation(n))], (3,), "float32") for n in (name, own))
        np.testing.assert_array_equal(one.table, two.table)


@pytest.mark.parametrize("bad", ["rectified", "", 3, Dense(3), np.tanh, Activation])
def test_invalid_activations(bad):
    for layer, shape in ((Dense(3, activation=bad), (4,)), (Conv1D(3, 2, activation=bad), (4, 1))):
        with pytest.raises(ValueError, match=r"activation=.* of (Dense|Conv1D) is not known; use"):
            layer.output_shape(shape)
    with pytest.raises(ValueError, match="layer 'dense1': activation="):
        NeuralNetworkClassifier([Dense(3, activation=bad)]).fit([[0.0], [1.0]], [0, 1])


def test_an_object_with_a_bad_name():
    with pytest.raises(ValueError, match="activation='sine' of ParametricActivation is not known"):
        Dense(3, activation=ParametricActivation("sine")).output_shape((4,))


# --- recurrent layers ---------------------------------------------------------------------


@pytest.mark.parametrize("kind", [SimpleRNN, LSTM, GRU])
def test_recurrent_layers_have_their_own(kind):
    """It is within the recurrence, as in Keras, and not behind it; of some there is none there."""
    form = {"shape": (5, 2), "dtype": "float64"}
    usual = lower([("a", kind(3))], **form)
    assert_same_program(lower([("a", kind(3, activation="tanh"))], **form), usual)
    rectified = lower([("a", kind(3, activation="relu"))], **form)
    assert rectified.table.shape == usual.table.shape
    assert (rectified.table != usual.table).any()
    for name, other in (("logistic", "sigmoid"), ("identity", "linear"), ("identity", None)):
        programs = (lower([("a", kind(3, activation=a))], **form) for a in (name, other))
        assert_same_program(*programs)
    known = "must be one of 'tanh', 'logistic', 'relu', 'identity', 'linear', 'sigmoid' or None"
    for bad in ("gelu", "softmax", "", 3, ["relu"], np.tanh, Activation("relu")):
        for layer in (kind(3, activation=bad), Bidirectional(kind(3, activation=bad))):
            with pytest.raises(ValueError, match=f"activation=.* of {kind.__name__} {known}"):
                layer.output_shape((5, 2))


def test_the_label_of_a_recurrent_layer_says_it():
    assert GRU(3).label == "GRU"
    assert LSTM(3, activation="relu").label == "LSTM, relu"
    assert SimpleRNN(3, activation=None).label == "SimpleRNN, identity"


# --- in a network -------------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.standard_normal((40, 8, 8, 1)).astype(np.float32)
Y = np.arange(40) % 3
WITH = [
    ("conv", Conv2D(4, 3, activation="relu")),
    ("norm", BatchNorm()),
    ("relu", Activation("relu")),
    ("pool", MaxPool2D(2)),
    ("block", Residual([Conv2D(4, 1, activation="silu")])),
    ("flatten", layers.Flatten()),
    ("dense", Dense(6, activation="gelu")),
]
WITHOUT = [
    ("conv", Conv2D(4, 3)),
    ("conv_relu", Activation("relu")),
    ("norm", BatchNorm()),
    ("relu", Activation("relu")),
    ("pool", MaxPool2D(2)),
    ("block", Residual([Conv2D(4, 1), Activation("silu")])),
    ("flatten", layers.Flatten()),
    ("dense", Dense(6)),
    ("dense_gelu", Activation("gelu")),
]
OPTIONS = {"input_shape": (8, 8, 1), "max_iter": 3, "random_state": 0, "batch_size": 16}


@pytest.fixture(scope="module")
def pair():
    return tuple(
        NeuralNetworkClassifier(clone(net, safe=False), **OPTIONS).fit(X, Y)
        for net in (WITH, WITHOUT)
    )


def test_fits_are_the_same_to_the_last_bit(pair):
    one, two = pair
    np.testing.assert_array_equal(one._network.theta, two._network.theta)
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    assert one.loss_curve_ == two.loss_curve_
    for name in one.layers_:
        for key, array in one.layers_[name].items():
            np.testing.assert_array_equal(array, two.layers_[name][key])


def test_a_layers_output_is_behind_its_activation(pair):
    one, two = pair
    for name, behind in (("conv", "conv_relu"), ("dense", "dense_gelu")):
        outputs = [
            FeatureExtractor(n, to).fit(X).transform(X) for n, to in ((one, name), (two, behind))
        ]
        np.testing.assert_array_equal(*outputs)
    assert FeatureExtractor(one, "conv").fit(X).transform(X).min() == 0


def test_a_summary_and_a_text_say_it(pair):
    assert "Conv2D, relu" in str(pair[0].summary())
    assert "Dense, gelu" in str(pair[0].summary())
    assert "Dense, " not in str(pair[1].summary())
    assert repr(Dense(3, activation="relu")) == "Dense(activation='relu', units=3)"
    assert Dense(3, "relu") == Dense(3, activation="relu") != Dense(3)


def test_activation_is_a_nested_parameter(pair, tmp_path):
    net = clone(pair[0]).set_params(dense__activation="tanh")
    assert net.get_params()["dense__activation"] == "tanh"
    assert pair[0].get_params()["dense__activation"] == "gelu"
    assert net.fit(X, Y).predict_proba(X).tobytes() != pair[0].predict_proba(X).tobytes()
    net = NeuralNetworkClassifier([Dense(4, activation=ParametricActivation("relu"))], max_iter=2)
    net.set_params(dense1__activation__rate_factor=0.5).fit(X.reshape(40, -1), Y)
    assert net.layers_["dense1"]["alpha"].shape == (4,)
    net.save(tmp_path / "net")
    for copied in (load(tmp_path / "net"), pickle.loads(pickle.dumps(net))):
        assert copied.get_params()["dense1__activation__rate_factor"] == 0.5
        flat = X.reshape(40, -1)
        np.testing.assert_array_equal(copied.predict_proba(flat), net.predict_proba(flat))


def test_transfer_between_both_forms(pair):
    two = pair[1]
    net = NeuralNetworkClassifier(clone(WITH, safe=False), **OPTIONS)
    net.from_pretrained(two, layers=["conv", "dense"], freeze=["conv"]).fit(X, Y)
    np.testing.assert_array_equal(net.layers_["conv"]["kernel"], two.layers_["conv"]["kernel"])
    learnt = NeuralNetworkClassifier(
        [Dense(4, activation=ParametricActivation("relu"))], max_iter=2
    )
    flat = X.reshape(40, -1)
    learnt.initialize(flat, Y).freeze("dense1")
    learnt.fit(flat, Y)
    np.testing.assert_array_equal(learnt.layers_["dense1"]["alpha"], 1)


# --- initializers by name -----------------------------------------------------------------

NEEDED = {
    "Bottleneck": ({"filters": 2}, (4, 3)),
    "CategoryEmbedding": ({"sizes": (3,)}, (4,)),
    "Conv1D": ({"filters": 2, "kernel_size": 2}, (4, 3)),
    "Conv2D": ({"filters": 2, "kernel_size": 2}, (4, 4, 3)),
    "Dense": ({"units": 2}, (3,)),
    "Embedding": ({"input_dim": 4, "output_dim": 2}, (5,)),
    "GRU": ({"units": 2}, (4, 3)),
    "LSTM": ({"units": 2}, (4, 3)),
    "SimpleRNN": ({"units": 2}, (4, 3)),
    "AttentionPool": ({}, (4, 3)),
    "MemberHeads": ({"units": 2}, (3, 4)),
    "MemberLinear": ({"units": 2, "members": 3}, (4,)),
    "MemberScale": ({"members": 3}, (4,)),
    "NTPLinear": ({"units": 2}, (3,)),
}
DRAWS = [
    (kind, parameter)
    for kind in layers.__all__
    for parameter in inspect.signature(getattr(layers, kind)).parameters
    if parameter.endswith("_initializer")
]


def test_there_are_initializers_to_ask():
    assert len(DRAWS) > 20
    assert {kind for kind, _ in DRAWS} == set(NEEDED)


@pytest.mark.parametrize(("kind", "parameter"), DRAWS)
def test_initializers_by_name(kind, parameter):
    """A name draws what its object draws; one that is not known is an error that names it."""
    arguments, shape = NEEDED[kind]

    def program(value):
        layer = getattr(layers, kind)(**arguments, **{parameter: value})
        return lower([("first", layer)], shape, "float64")

    for name in ("zeros", "normal", "he_uniform", "glorot_normal", "lecun_uniform"):
        drawn = [
            program(v).initialize(np.random.RandomState(0)) for v in (name, INITIALIZERS[name])
        ]
        np.testing.assert_array_equal(*drawn)
    wanted = parameter.removesuffix("_initializer").removeprefix("scale")
    known = "is not known; use one of zeros, ones, .*he_uniform"
    with pytest.raises(ValueError, match=f"layer 'first': .*{wanted}.*: initializer='he' {known}"):
        program("he")


def test_errors_of_initializers_come_before_training():
    net = sklearn_nn.NeuralNetworkRegressor([Dense(3, kernel_initializer="he")])
    with pytest.raises(ValueError, match="layer 'dense1': kernel: initializer='he' is not known"):
        net.fit([[0.0], [1.0]], [0.0, 1.0])
    assert not hasattr(net, "layers_")
