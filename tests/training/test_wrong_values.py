"""Wrong values of hyperparameters: an error names them, and nothing is trained silently."""

import inspect

import numpy as np
import pytest

from sklearn_nn import MLPClassifier, MLPRegressor, layers
from sklearn_nn._spec import Spec
from sklearn_nn.estimators.mlp import with_output
from sklearn_nn.layers import GRU, Dense, Dropout, Layer, Mixup
from sklearn_nn.layers.augmentation.base import Augmentation
from sklearn_nn.network import initializers
from sklearn_nn.network.initializers import Initializer, Orthogonal
from sklearn_nn.network.lowering import lower
from sklearn_nn.training import (
    Adam,
    CSVLogger,
    LambdaCallback,
    Listed,
    Optimizer,
    callbacks,
    losses,
    optimizers,
    schedules,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WRONG = ["x", "1", "", None, [1], {}, 1j, True, -1, 0, 1.5, np.nan, np.inf, np.ones(2), object]
IMAGE, STEPS, WORDS, VECTOR = (8, 8, 2), (6, 2), (6, 1), (5,)
X = np.random.default_rng(0).standard_normal((20, 3))
Y = np.arange(20) % 3

#: Valid hyperparameters and the shape of a sample of every layer that has hyperparameters.
LAYERS = {
    "Activation": ({"activation": "relu"}, VECTOR),
    "Add": ({"branches": [[Dense(2)], [Dense(2)]]}, VECTOR),
    "AttentionPool": ({}, STEPS),
    "AveragePool1D": ({}, STEPS),
    "AveragePool2D": ({}, IMAGE),
    "BatchNorm": ({}, VECTOR),
    "Bidirectional": ({"layer": GRU(2)}, STEPS),
    "Bottleneck": ({"filters": 2}, STEPS),
    "CategoryEmbedding": ({"sizes": (2, 3)}, VECTOR),
    "Conv1D": ({"filters": 2, "kernel_size": 3}, STEPS),
    "Conv2D": ({"filters": 2, "kernel_size": 3}, IMAGE),
    "Cutout": ({"size": 2}, IMAGE),
    "Dense": ({"units": 2}, VECTOR),
    "Dropout": ({"rate": 0.1}, VECTOR),
    "Embedding": ({"input_dim": 5, "output_dim": 2}, WORDS),
    "GRU": ({"units": 2}, STEPS),
    "GaussianNoise": ({"stddev": 0.1}, VECTOR),
    "LSTM": ({"units": 2}, STEPS),
    "LayerNorm": ({}, VECTOR),
    "MaxPool1D": ({}, STEPS),
    "MaxPool2D": ({}, IMAGE),
    "MemberHeads": ({"units": 2}, (2, 5)),
    "MemberLinear": ({"units": 2, "members": 2}, VECTOR),
    "MemberScale": ({"members": 2}, VECTOR),
    "Members": ({"branches": [[Dense(2)], [Dense(2)]]}, VECTOR),
    "Mixup": ({}, VECTOR),
    "NTPLinear": ({"units": 2}, VECTOR),
    "OneHot": ({"input_dim": 5}, WORDS),
    "Parallel": ({"branches": [[Dense(2)], [Dense(2)]]}, VECTOR),
    "ParametricActivation": ({"activation": "relu"}, VECTOR),
    "PeriodicEmbedding": ({}, VECTOR),
    "PiecewiseLinearEmbedding": ({"bins": [[0.0, 1.0, 2.0]]}, VECTOR),
    "RandomBrightness": ({"factor": 0.1}, IMAGE),
    "RandomContrast": ({"factor": 0.1}, IMAGE),
    "RandomCrop": ({"height": 4, "width": 4}, IMAGE),
    "RandomFlip": ({}, IMAGE),
    "RandomRotation": ({"factor": 0.1}, IMAGE),
    "RandomTranslation": ({"height_factor": 0.1, "width_factor": 0.1}, IMAGE),
    "RandomZoom": ({"height_factor": 0.1}, IMAGE),
    "Reshape": ({"target_shape": (5, 1)}, VECTOR),
    "Residual": ({"layers": [Dense(5)]}, VECTOR),
    "ScaleFeatures": ({}, VECTOR),
    "SimpleRNN": ({"units": 2}, STEPS),
    "TimeDistributed": ({"layer": Dense(2)}, STEPS),
    "ZeroPad": ({}, IMAGE),
}

_SHARE, _FACTOR, _POSITIVE, _ANY, _FLAG = [0], [0, 1.5], [1.5], [-1, 0, 1.5], [True]
#: Those of `WRONG` that are right, by parameter, or by class and parameter.
RIGHT = {
    "AttentionPool.units": [None],
    "Constant.value": _ANY,
    "Conv1D.dilation_rate": [[1]],
    "Conv1D.kernel_size": [[1]],
    "Conv1D.strides": [[1]],
    "Listed.listed": [[1], np.ones(2)],
    "CategoryEmbedding.sizes": [[1]],
    "Dense.activation": [None],
    "Conv1D.activation": [None],
    "Conv2D.activation": [None],
    "SimpleRNN.activation": [None],
    "GRU.activation": [None],
    "LSTM.activation": [None],
    "Plateau.factor": [],
    "ReduceLROnPlateau.factor": [],
    "ProgressBar.unit": ["x", "1", ""],
    "MaxPool1D.pool_size": [[1]],
    "AveragePool1D.pool_size": [[1]],
    "MaxPool1D.strides": [None, [1]],
    "AveragePool1D.strides": [None, [1]],
    "MaxPool2D.strides": [None],
    "AveragePool2D.strides": [None],
    "PeriodicEmbedding.features": [None],
    "Reshape.target_shape": [-1],
    "append": _FLAG,
    "beta_1": _SHARE,
    "beta_2": _SHARE,
    "bias_rate_factor": _FACTOR,
    "centered": _FLAG,
    "data_driven": _FLAG,
    "decay": _FACTOR,
    "decay_factor": _FACTOR,
    "delta": _POSITIVE,
    "div_factor": _POSITIVE,
    "dropout": _SHARE,
    "end": _SHARE,
    "epsilon": _FACTOR,
    "BatchNorm.epsilon": _POSITIVE,
    "LayerNorm.epsilon": _POSITIVE,
    "ModelCheckpoint.monitor": ["x", "1", "", None],
    "factor": _SHARE,
    "fill_value": _ANY,
    "final_div_factor": _POSITIVE,
    "gain": _ANY,
    "gamma": _FACTOR,
    "Exponential.gamma": [],
    "go_backwards": _FLAG,
    "height": [None],
    "height_factor": _SHARE,
    "high": [0, 1.5],
    "initial_accumulator_value": _FACTOR,
    "label_smoothing": _SHARE,
    "linear": _FLAG,
    "low": [-1, 0],
    "mask_zero": _FLAG,
    "max_epochs": [None],
    "mean": _ANY,
    "min_delta": _FACTOR,
    "min_rate": _FACTOR,
    "momentum": _SHARE,
    "momentum_decay": _FACTOR,
    "monitor": [None],
    "n_samples": [None],
    "nesterov": _FLAG,
    "on_epoch_end": [None, object],
    "on_fit_begin": [None, object],
    "on_fit_end": [None, object],
    "RandomCrop.padding": [0],
    "ZeroPad.padding": [0],
    "path": ["x", "1", ""],
    "patience": [0],
    "pct_start": _SHARE,
    "power": _POSITIVE,
    "power_t": _FACTOR,
    "rate": _SHARE,
    "rate_factor": _FACTOR,
    "recurrent_dropout": _SHARE,
    "restarts": [0],
    "return_sequences": _FLAG,
    "rho": _SHARE,
    "save_best_only": _FLAG,
    "scale": _POSITIVE,
    "shortcut": [None],
    "smallest": _FACTOR,
    "stddev": _FACTOR,
    "use_bias": _FLAG,
    "value_range": [None],
    "warmup": _FACTOR,
    "weight_decay": _FACTOR,
    "width": [None],
    "width_factor": _SHARE,
    "RandomZoom.width_factor": [None, 0],
    "alpha": _POSITIVE,
}


def is_right(kind, name, value):
    right = RIGHT.get(f"{kind.__name__}.{name}", RIGHT.get(name, []))
    if name.endswith("_initializer"):
        right = [None]
    return any(type(value) is type(one) and np.array_equal(value, one) for one in right)


def public(module, base):
    found = {name: kind for name, kind in vars(module).items() if inspect.isclass(kind)}
    found = {n: k for n, k in found.items() if issubclass(k, base) and not n.startswith("_")}
    return {n: k for n, k in found.items() if _parameters(k)}


def _parameters(kind):
    return [name for name in inspect.signature(kind).parameters if name != "args"]


def assert_refused(call, kind, name, value):
    """The error is a ValueError or TypeError that names the parameter, or what it is."""
    with pytest.raises((ValueError, TypeError)) as caught:
        call()
    told = str(caught.value)
    named = f"{name}=" in told or f"{name}[0]=" in told or kind.__name__ in told
    said = "_initializer" in name and "initializer=" in told
    said |= name in ("branches", "layers", "shortcut") and "branch" in told
    assert named or said, f"{kind.__name__}({name}={value!r}): {told}"


def _each(kinds):
    return [(kind, name) for kind in kinds.values() for name in _parameters(kind)]


def _ids(cases):
    return [f"{kind.__name__}-{name}" for kind, name in cases]


def test_every_layer_is_in_the_table():
    """A new layer needs a line."""
    bases = {"Layer", "Augmentation", "Activated", "Recurrent"}
    assert set(public(layers, Layer)) - bases == set(LAYERS)


def build(kind, given, shape):
    pairs = with_output([("it", kind(**given))], shape, 1)[:1]
    lower(pairs, shape=shape, dtype="float64").initialize(np.random.RandomState(0))


CASES = _each({name: getattr(layers, name) for name in LAYERS})


@pytest.mark.parametrize(("kind", "name"), CASES, ids=_ids(CASES))
def test_layers(kind, name):
    given, shape = LAYERS[kind.__name__]
    build(kind, given, shape)
    for value in WRONG:
        options = {**given, name: value}
        if is_right(kind, name, value):
            build(kind, options, shape)
        else:
            assert_refused(lambda options=options: build(kind, options, shape), kind, name, value)


CASES = _each(public(initializers, Initializer))


@pytest.mark.parametrize(("kind", "name"), CASES, ids=_ids(CASES))
def test_initializers(kind, name):
    for value in WRONG:
        made = kind(**{name: value})

        def draw(made=made):
            return made(np.random.RandomState(0), (3, 4), 3, 4)

        if is_right(kind, name, value):
            assert np.isfinite(draw()).all()
        else:
            assert_refused(draw, kind, name, value)
            if value is np.nan:  # once in a fit
                model = MLPRegressor(hidden_layer_sizes=3, weight_init=made, max_iter=1)
                assert_refused(lambda model=model: model.fit(X, Y), kind, name, value)


OF_TRAINING = {
    "solver": public(optimizers, Optimizer),
    "learning_rate": public(schedules, schedules.Schedule),
    "callbacks": public(callbacks, callbacks.Callback),
    "loss": public(losses, losses.Loss),
}
#: Arguments without a default.
NEEDED = {"schedule": lambda _, rate: rate, "function": lambda _: 1.0, "listed": [1.0]}
CASES = [(key, *case) for key, kinds in OF_TRAINING.items() for case in _each(kinds)]


@pytest.mark.parametrize(
    ("key", "kind", "name"), CASES, ids=lambda one: getattr(one, "__name__", one)
)
def test_what_trains(key, kind, name, tmp_path):
    needed = {
        k: v for k, v in {**NEEDED, "path": tmp_path / "file"}.items() if k in _parameters(kind)
    }
    is_of_classes = kind.__name__.startswith(("Sigmoid", "Softmax"))
    estimator = MLPClassifier if is_of_classes else MLPRegressor

    def fit(value):
        made = kind(**{**needed, name: value})
        options = {"max_iter": 1, "solver": "sgd", key: [made] if key == "callbacks" else made}
        estimator(hidden_layer_sizes=2, **options).fit(X, Y)

    for value in WRONG:
        if is_right(kind, name, value):
            Spec.check(kind(**{**needed, name: value}))
        else:
            assert_refused(lambda value=value: fit(value), kind, name, value)


def test_what_was_seen():
    """Each of these was a raw error, or trained."""
    for wrong, told in (
        (Dropout("x"), r"rate='x' does not suit Dropout; use a number in \[0, 1\)\."),
        (
            layers.BatchNorm(None),
            r"momentum=None .* BatchNorm; use a number in \[0, 1\], such as 0.9",
        ),
        (Mixup("x"), r"alpha='x' does not suit Mixup; use a number in \(0, inf\), such as 0.2"),
        (layers.Conv2D(2, 3, use_bias="no"), "use_bias='no' .* Conv2D; use True or False, such as"),
        (layers.Bidirectional(GRU(2, dropout="a")), "dropout='a' does not suit GRU"),
        (layers.Residual([Dropout(2)]), "rate=2 does not suit Dropout"),
        (Dense(2, layers.ParametricActivation("relu", rate_factor=-1)), "rate_factor=-1"),
        (
            Dense(2, kernel_initializer=Orthogonal("x")),
            "gain='x' does not suit Orthogonal; use a fin",
        ),
    ):
        shape = STEPS if isinstance(wrong, layers.Bidirectional) else VECTOR
        shape = IMAGE if isinstance(wrong, layers.Conv2D) else shape
        with pytest.raises(ValueError, match=told):
            build(lambda wrong=wrong: wrong, {}, shape)
    with pytest.raises(
        ValueError, match=r"beta_1=1.5 .* Adam; use a number in \[0, 1\), such as 0.9"
    ):
        MLPRegressor(solver=Adam(beta_1=1.5)).fit(X, Y)
    with pytest.raises(ValueError, match=r"listed=\[1, 'a'\] does not suit Listed; use a list of"):
        MLPRegressor(learning_rate=Listed([1, "a"])).fit(X, Y)
    with pytest.raises(TypeError, match="path=3 of CSVLogger is not the path of a file; use a str"):
        CSVLogger(3)
    with pytest.raises(
        ValueError, match="on_fit_end=1 does not suit LambdaCallback; use a function"
    ):
        MLPRegressor(callbacks=[LambdaCallback(on_fit_end=1)]).fit(X, Y)


def test_functions_of_a_callback_can_be_taken_away():
    seen = []
    callback = LambdaCallback(on_epoch_end=lambda epoch, *_: seen.append(epoch))
    MLPRegressor(hidden_layer_sizes=2, max_iter=1, callbacks=[callback]).fit(X, Y)
    callback.set_params(on_epoch_end=None)
    MLPRegressor(hidden_layer_sizes=2, max_iter=1, callbacks=[callback]).fit(X, Y)
    assert seen == [1]
    assert callback.get_params()["on_epoch_end"] is None


def test_classes_of_users_have_the_types_that_they_like():
    class Fading(Dropout):
        """Dropout with another rate."""

        def __init__(self, rates=(0.1, 0.2)):
            self.rates = rates

        @property
        def rate(self):
            return self.rates[0]

        schedule = "constant"

    build(Fading, {}, VECTOR)
    with pytest.raises(ValueError, match="rate=2 does not suit Fading"):
        build(Fading, {"rates": [2]}, VECTOR)


def test_layers_of_signals_are_listed():
    with pytest.raises(
        ValueError, match=r"Cutout, Mixup, RandomCrop, .*RandomTranslation take signals"
    ):
        build(layers.RandomRotation, {"factor": 0.1}, STEPS)
    named = {name for name, kind in public(layers, Augmentation).items() if kind.takes_signals}
    for name in named & set(LAYERS):
        given = {
            "Cutout": {"size": 2},
            "RandomTranslation": {"height_factor": 0, "width_factor": 0},
        }
        build(getattr(layers, name), given.get(name, {}), STEPS)
    assert len(named) >= 5
