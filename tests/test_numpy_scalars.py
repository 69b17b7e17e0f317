"""A NumPy scalar is worth its Python twin, in every parameter of every class and function."""

import inspect
import pickle

import numpy as np
import pytest
from sklearn.base import BaseEstimator, clone

import sklearn_nn
from helpers.numpy_scalars import is_plain, twins
from sklearn_nn import layers, training
from sklearn_nn._spec import plain, set_plain
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.inspection import occlusion_map, saliency_map
from sklearn_nn.layers import Conv2D, Dense, Dropout, RandomCrop, RandomFlip
from sklearn_nn.network import initializers
from sklearn_nn.training import Callback, LambdaCallback, Schedule

pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
]


def theta(model):
    """The parameters of a fitted network."""
    return model._network.theta


def public_classes():
    """Every public class that has parameters."""
    found = [TableEncoder]
    for module in (sklearn_nn, layers, training, initializers):
        found += [getattr(module, name) for name in getattr(module, "__all__", vars(module))]
    kinds = {kind for kind in found if isinstance(kind, type) and issubclass(kind, BaseEstimator)}
    return sorted(kinds - {BaseEstimator}, key=lambda kind: (kind.__module__, kind.__name__))


KINDS = public_classes()
#: Values of every sort that a parameter may have.
VALUES = (True, False, 3, 200, 0.5, 0.1, -1e-3, "relu", (8, 4), [0.25, (True, "same")])
of_every_class = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)


def made(kind, **parameters):
    """An object of a class; what it needs and is not given is a text."""
    needed = {
        name: "text"
        for name, parameter in inspect.signature(kind).parameters.items()
        if parameter.default is parameter.empty
    }
    return kind(**{**needed, **parameters})


@of_every_class
def test_parameters_are_kept_as_python_values(kind):
    """Values set by `__init__`, `set_params` or an assignment become plain ones."""
    assert kind.__setattr__ is set_plain
    of_one_sort = {"path", "log_dir", "layers", "augmentation"}
    names = set(kind._get_param_names()) - of_one_sort
    for value in VALUES:
        for twin in twins(value):
            given = dict.fromkeys(names, twin)
            objects = [made(kind, **given), made(kind).set_params(**given), made(kind)]
            for name in names:
                setattr(objects[2], name, twin)
                for kept in (vars(instance)[name] for instance in objects):
                    assert is_plain(kept)
                    assert type(kept) is type(value)
                    assert kept == value


def test_there_are_classes_of_every_family():
    names = {kind.__name__ for kind in KINDS}
    assert {"TableEncoder", "FeatureExtractor", "TextGenerator", "Dense", "SGD", "Cosine"} <= names
    assert {"Huber", "CSVLogger", "VarianceScaling", "RandomZoom", "TabularClassifier"} <= names


@pytest.mark.parametrize("value", [np.timedelta64(3, "D"), np.datetime64("2024-01-01"), 3j, None])
def test_values_that_are_no_numbers_or_text_are_kept(value):
    assert plain(value) is value


def test_plain_values_are_the_same_object():
    """As `clone` demands of what `__init__` assigns."""
    for value in ((8, 4), [Dense(3)], {"a": 1.5, "b": (1,)}, np.arange(3.0), "relu"):
        assert plain(value) is value
    nested = {"a": [np.int8(3), (np.True_,)], "b": {"c": np.float32(0.5)}}
    assert plain(nested) == {"a": [3, (True,)], "b": {"c": 0.5}}
    assert is_plain(plain(nested))


def test_learnt_attributes_are_kept():
    model = sklearn_nn.MLPClassifier()
    model.best_loss_ = best = np.float64(0.5)
    model._seed = seed = np.int64(7)
    assert model.best_loss_ is best
    assert model._seed is seed


def test_attributes_of_a_class_of_ones_own_are_left():
    class Watcher(Callback):
        def __init__(self, *rest, **options):
            self.seen = [np.float32(0.5)]

    class Counter(Callback):
        def __init__(self, every=1):
            self.every = every
            self.seen = [np.float32(0.5)]

    assert isinstance(Watcher().seen[0], np.float32)
    assert isinstance(Counter(np.int8(3)).seen[0], np.float32)
    assert type(Counter(np.int8(3)).every) is int


# --- estimators at work -------------------------------------------------------------------

RNG = np.random.default_rng(0)
X = RNG.standard_normal((60, 6))
LABELS, NUMBERS = (X[:, 0] > 0).astype(int), X @ np.arange(6.0)
IMAGES, STEPS = X[:, :, np.newaxis] * np.ones((1, 1, 6)), X[:, :, np.newaxis]
TEXT = "the cat sat on the mat and looked at the hat. " * 8
_TRAINING = {
    "batch_size": 16, "max_iter": 4, "random_state": 3, "learning_rate_init": 2.0**-7,
    "alpha": 2.0**-10, "tol": 2.0**-12, "n_iter_no_change": 2, "beta_1": 0.75, "epsilon": 2.0**-20,
    "clipnorm": 2.0, "max_norm": 8.0, "ema_momentum": 0.5, "weight_decay": 0.0625, "n_jobs": 2,
    "l1_ratio": 0.25, "solver": "adamw", "dtype": "float64", "verbose": False,
}  # fmt: skip
_FULL = {
    **_TRAINING, "early_stopping": True, "validation_fraction": 0.25, "shuffle": True,
    "n_restarts": 2, "warm_start": False,
}  # fmt: skip
_CNN = {"filters": (3, 4), "kernel_size": 3, "pool_size": (2, 1), "strides": 1}
_NET = {k: v for k, v in _FULL.items() if k != "n_restarts"}
_RNN = {"hidden_size": 5, "num_layers": 2, "bidirectional": True, "dropout": [0.25, 0.5]}
_TABLE = {
    "hidden_layer_sizes": (8, 4), "n_networks": 2, "max_one_hot": 3, "embedding_size": 4,
    "categorical_features": [5], "refit_full": True, **_TRAINING,
}  # fmt: skip
_TEXT = {
    **_TRAINING, "hidden_size": 6, "num_layers": 1, "embedding_size": 3, "sequence_length": 8,
    "validation_fraction": 0.125, "early_stopping": True, "dropout": 0.25,
}  # fmt: skip
_LBFGS = {"solver": "lbfgs", "random_state": 0}
#: An estimator's class, its parameters, and what it is fitted to.
FITS = [
    ("MLPClassifier", {**_FULL, "hidden_layer_sizes": (8, 4), "dropout": 0.25}, X, LABELS),
    ("MLPRegressor", {**_FULL, "hidden_layer_sizes": 8, "batch_norm": True}, X, NUMBERS),
    ("MLPRegressor", {**_LBFGS, "max_iter": 5, "max_fun": 9}, X, NUMBERS),
    ("NeuralNetworkClassifier", _NET, X, LABELS),
    ("NeuralNetworkRegressor", {**_NET, "input_shape": (6,)}, X, NUMBERS),
    ("CNNClassifier", {**_FULL, **_CNN}, IMAGES, LABELS),
    ("CNNRegressor", {**_FULL, **_CNN, "input_shape": (6, 6, 1)}, IMAGES[..., None], NUMBERS),
    ("RNNClassifier", {**_FULL, **_RNN}, STEPS, LABELS),
    ("RNNRegressor", {**_FULL, "hidden_size": 5, "return_sequences": True, "truncation": 3,
                      "batch_size": 200}, STEPS, X),
    ("TabularClassifier", _TABLE, np.column_stack([X[:, :5], LABELS]), LABELS),
    ("TabularRegressor", {**_TABLE, "architecture": "tabm", "n_members": 2}, X, NUMBERS),
    ("TextGenerator", _TEXT, TEXT, None),
]  # fmt: skip


def known(kind, parameters):
    """Those of the parameters that a class has."""
    names = kind._get_param_names()
    return {name: value for name, value in parameters.items() if name in names}


def fitted(kind, parameters, x, y):
    """A fitted estimator; with a layer list, layers whose parameters are like the others."""
    model = kind(**parameters)
    if isinstance(model, sklearn_nn.NeuralNetworkClassifier | sklearn_nn.NeuralNetworkRegressor):
        whole, rate = parameters["batch_size"], parameters["weight_decay"]
        model.layers = [Dense(whole), Dropout(rate)]
    return model.fit(x) if y is None else model.fit(x, y)


def predicted(model, x):
    return model.predict_proba([x[:20]]) if x is TEXT else np.concatenate(model.predict(x), None)


def same(a, b):
    for name in ("theta", "state"):
        np.testing.assert_array_equal(getattr(a._network, name), getattr(b._network, name))
    assert a.n_iter_ == b.n_iter_
    assert a.loss_ == b.loss_


@pytest.mark.filterwarnings("ignore:Got `batch_size` less than 1 or larger:UserWarning")
@pytest.mark.parametrize("size", [0, -1], ids=["smallest", "largest"])
@pytest.mark.parametrize(("name", "parameters", "x", "y"), FITS, ids=[row[0] for row in FITS])
def test_fits_are_the_same(name, parameters, x, y, size, tmp_path):
    """To the last bit; and so are clones, pickles, files, and training that is resumed."""
    kind = getattr(sklearn_nn, name)
    parameters = known(kind, parameters)
    given = {key: twins(value)[size] for key, value in parameters.items()}
    expected, found = fitted(kind, parameters, x, y), fitted(kind, given, x, y)
    same(expected, found)
    assert repr(expected) == repr(found)
    same(expected, fitted(kind, clone(kind(**given)).get_params(), x, y))
    found.save(tmp_path / "model")
    copies = [pickle.loads(pickle.dumps(found)), sklearn_nn.load(tmp_path / "model")]
    for copied in copies:
        same(expected, copied)
        np.testing.assert_array_equal(predicted(expected, x), predicted(copied, x))
        assert repr(expected) == repr(copied)
    resumes = parameters.get("solver") != "lbfgs" and not name.startswith("Tabular")
    if resumes:
        more = {"max_iter": 6, "early_stopping": False}
        for model, step in ((expected, more), (found, {k: twins(v)[0] for k, v in more.items()})):
            model.set_params(warm_start=twins("resume")[0], **known(kind, step))
            assert model.fit(x) if y is None else model.fit(x, y)
        same(expected, found)


@pytest.mark.parametrize("stops", [np.True_, np.bool_(1)])
def test_true_of_numpy_stops_early(stops):
    """A schedule that plans the end is cut short by True alone."""
    options = {"learning_rate": "cosine", "n_iter_no_change": 2, "max_iter": 30, "tol": 10.0}
    models = [
        sklearn_nn.MLPClassifier(8, early_stopping=value, random_state=0, **options).fit(X, LABELS)
        for value in (True, stops)
    ]
    assert models[0].n_iter_ == models[1].n_iter_ < 30


def test_sizes_as_an_array():
    options = {"hidden_layer_sizes": (8, 4), "max_iter": 3, "random_state": 0}
    expected = sklearn_nn.MLPRegressor(**options).fit(X, NUMBERS)
    for dtype in ("uint8", "int64"):
        sizes = np.array([8, 4], dtype=dtype)
        same(
            expected,
            sklearn_nn.MLPRegressor(**{**options, "hidden_layer_sizes": sizes}).fit(X, NUMBERS),
        )


# --- functions ----------------------------------------------------------------------------


def _network():
    return sklearn_nn.CNNClassifier(4, max_iter=1, random_state=0).fit(IMAGES, LABELS)


class Naive:
    """A forecast of two steps that repeats the last one."""

    def predict(self, X):
        return np.tile(X[:, -1, ::-1], 2)


def _cases():
    """(function of keyword arguments, their values)."""
    series = np.arange(60.0).reshape(30, 2)
    pixels = (X[:20] * 40 + 128).clip(0, 255).astype(np.uint8)
    moves = [RandomFlip(), RandomCrop(1)]
    text = sklearn_nn.TextGenerator(6, num_layers=1, max_iter=1, random_state=0).fit(TEXT)
    network, mlp = _network(), sklearn_nn.MLPClassifier(4, max_iter=1, random_state=0)
    return {
        "sliding_windows": (
            lambda **k: sklearn_nn.sliding_windows(series, **k),
            {"width": 5, "horizon": 2, "stride": 2, "gap": 1, "target": (1, 0)},
        ),
        "forecast": (
            lambda **k: sklearn_nn.forecast(Naive(), series[-5:], **k),
            {"steps": 5, "target": (1, 0), "horizon": 2},
        ),
        "resize_images": (
            lambda **k: sklearn_nn.resize_images(IMAGES, **k),
            {"size": (4, 5), "data_format": "channels_last"},
        ),
        "augment_images": (
            lambda **k: sklearn_nn.augment_images(pixels, moves, **k),
            {"random_state": 3, "input_shape": (3, 2, 1)},
        ),
        "find_learning_rate": (
            lambda **k: sklearn_nn.find_learning_rate(mlp, X, LABELS, **k).losses,
            {"min_rate": 2.0**-10, "max_rate": 0.5, "n_rates": 3, "n_steps": 20},
        ),
        "saliency_map": (lambda **k: saliency_map(network, IMAGES, **k), {"target": 1}),
        "occlusion_map": (
            lambda **k: occlusion_map(network, IMAGES, **k),
            {"target": 1, "window": (3, 2), "stride": (2, 1), "fill_value": 0.5},
        ),
        "sample": (
            text.sample,
            {"n_chars": 9, "prime": "the", "temperature": 0.5, "top_k": 3, "top_p": 0.75,
             "random_state": 0},
        ),
        "from_pretrained": (
            lambda **k: theta(clone(network).from_pretrained(network, **k).fit(IMAGES, LABELS)),
            {"layers": ("conv1", "dense1"), "freeze": ["conv1"]},
        ),
    }  # fmt: skip


def test_arguments_of_functions():
    for name, (function, arguments) in _cases().items():
        expected = function(**arguments)
        changed = [{key: twin} for key, value in arguments.items() for twin in twins(value)]
        changed += [{key: twins(value)[k] for key, value in arguments.items()} for k in (0, -1)]
        for some in changed:
            found = function(**{**arguments, **some})
            if not isinstance(expected, tuple):
                np.testing.assert_array_equal(found, expected, err_msg=f"{name}: {some}")
                continue
            for a, b in zip(found, expected, strict=True):
                np.testing.assert_array_equal(a, b, err_msg=f"{name}: {some}")


# --- what functions of one's own return ---------------------------------------------------


class Halved(Schedule):
    """A schedule that returns numbers of some kind."""

    def __init__(self, kind):
        self.kind = kind

    def factors(self, progress):
        return self.kind(0.5)

    def after_epoch(self, rate, history):
        return self.kind(rate)

    def at_plateau(self, rate):
        return self.kind(rate)


@pytest.mark.parametrize("kind", [np.float32, np.float64, np.float16, np.array])
def test_numbers_that_schedules_and_callbacks_return(kind):
    def run(kind):
        def note(epoch, log, estimator):
            log["learning_rate"] = kind(2.0**-epoch)
            return np.bool_(epoch == 4)

        options = {"learning_rate_init": 0.25, "callbacks": [LambdaCallback(note)], "max_iter": 9}
        return sklearn_nn.MLPRegressor(
            hidden_layer_sizes=4, learning_rate=Halved(kind), random_state=0, **options
        ).fit(X, NUMBERS)

    expected, found = run(float), run(kind)
    same(expected, found)
    assert found.n_iter_ == 4
    assert all(type(rate) is float for rate in found.history_["learning_rate"])


def test_layers_with_numpy_sizes():
    """The layers' parameters, nested ones too, by `set_params` of the estimator."""
    nets = []
    for size in (3, np.uint8(3)):
        net = sklearn_nn.NeuralNetworkClassifier(
            [Conv2D(2, 2)], input_shape=(6, 6, 1), max_iter=2, random_state=0
        )
        net.set_params(conv2d1__filters=size, conv2d1__kernel_size=(size, size))
        nets.append(net.fit(IMAGES, LABELS))
    same(*nets)
