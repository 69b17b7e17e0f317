"""Names and values of other libraries: errors say what is meant here."""

import importlib
import inspect
import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import has_fit_parameter

import sklearn_nn
from helpers.estimators.all_estimators import CLASSES, IMAGES, KINDS, ROWS, data, make
from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
    layers,
    load,
    training,
)
from sklearn_nn._hints import _OTHER_CLASSES, _OTHER_NAMES
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.layers import LSTM, Conv2D, Cutout, Dense, Dropout, RandomFlip, RandomTranslation
from sklearn_nn.training import (
    SGD,
    Adam,
    AdamW,
    Cosine,
    EarlyStopping,
    Huber,
    LambdaCallback,
    ReduceLROnPlateau,
)

CLASSES_OF_ALL = [
    kind
    for module in (sklearn_nn, layers, training)
    for name in module.__all__
    if isinstance(kind := getattr(module, name), type) and hasattr(kind, "_get_param_names")
]
ESTIMATORS = sorted({type(make(kind)) for kind in KINDS}, key=lambda kind: kind.__name__)
#: What users pass to a constructor, and the end of the error.
IN_MLP = {
    "epochs": "use max_iter",
    "n_epochs": "use max_iter",
    "max_epochs": "use max_iter",
    "lr": "use learning_rate_init",
    "optimizer": "use solver",
    "patience": "use n_iter_no_change",
    "validation_split": "use validation_fraction with early_stopping=True",
    "validation_data": r"pass a validation set to fit: fit(X, y, X_val=..., y_val=...)",
    "hidden_layers": "use hidden_layer_sizes",
    "layers": "use hidden_layer_sizes",
    "dropout_rate": "use dropout",
    "l2": "use alpha",
    "seed": "use random_state",
    "batchsize": "use batch_size",
    "metrics": "use scoring",
    "device": "computations run on the CPU, in n_jobs threads",
    "weigth_decay": "did you mean 'weight_decay'?",
    "hiden_layer_sizes": "did you mean 'hidden_layer_sizes'?",
    "Solver": "use solver",
}

NORMS = "BatchNorm and LayerNorm are layers for the list of a NeuralNetworkClassifier"
RECURRENT_DROPOUT = (
    "it is a parameter of the layers LSTM, GRU and SimpleRNN, for the list of a "
    "NeuralNetworkClassifier"
)


def told(error, call, *args, **values):
    with pytest.raises(error) as caught:
        call(*args, **values)
    assert type(caught.value) is error
    return str(caught.value)


@pytest.mark.parametrize(("name", "end"), IN_MLP.items())
def test_constructors_and_set_params(name, end):
    start = f"MLPClassifier.__init__() got an unexpected keyword argument {name!r}; "
    assert told(TypeError, MLPClassifier, **{name: 3}) == start + end
    start = f"Invalid parameter {name!r} for estimator MLPClassifier(). Valid parameters are: ["
    model = MLPClassifier()
    message = told(ValueError, model.set_params, **{name: 3})
    assert message.startswith(start)
    assert message.removesuffix(".").endswith("; " + end)
    assert name not in vars(model)


@pytest.mark.parametrize(
    ("kind", "name", "end"),
    [
        (RNNClassifier, "units", "use hidden_size"),
        (RNNClassifier, "n_layers", "use num_layers"),
        (RNNClassifier, "layers", "use num_layers"),
        (RNNClassifier, "batch_norm", NORMS),
        (
            RNNClassifier,
            "recurrent_dropout",
            RECURRENT_DROPOUT,
        ),
        (TextGenerator, "embedding_dim", "use embedding_size"),
        (
            TextGenerator,
            "temperature",
            "pass it to sample: TextGenerator(...).fit(text).sample(100, temperature=0.7)",
        ),
        (
            TextGenerator,
            "vocab_size",
            "the vocabulary is the characters of the text, or those of vocabulary='...'",
        ),
        (CNNClassifier, "kernel", "use kernel_size"),
        (CNNClassifier, "augment", "use augmentation"),
        (TabularClassifier, "cat_features", "use categorical_features"),
        (TabularClassifier, "n_estimators", "use n_networks"),
        (TabularClassifier, "alpha", "use weight_decay"),
        (TabularClassifier, "l2", "use weight_decay"),
        (TabularRegressor, "units", "use hidden_layer_sizes"),
        (Dense, "activaton", "did you mean 'activation'?"),
        (Dense, "name", "lists of layers take (name, layer) pairs, such as ('hidden', Dense(64))"),
        (Dense, "input_shape", "the shape of the input is that of the data"),
        (Conv2D, "kernel", "use kernel_size"),
        (Conv2D, "out_channels", "use filters"),
        (LSTM, "hidden_size", "use units"),
        (Dropout, "p", "use rate"),
        (RandomTranslation, "height", "did you mean 'height_factor'?"),
        (RandomFlip, "axis", "its parameters are mode"),
        (Adam, "lr", "the learning rate is learning_rate_init of the estimator"),
        (Adam, "learning_rate", "the learning rate is learning_rate_init of the estimator"),
        (AdamW, "betas", "use beta_1"),
        (SGD, "nesterovs_momentum", "use nesterov"),
        (Cosine, "warmpu", "did you mean 'warmup'?"),
        (Huber, "detla", "did you mean 'delta'?"),
        (EarlyStopping, "patiance", "did you mean 'patience'?"),
        (ReduceLROnPlateau, "min_lr", "use min_rate"),
        (FeatureExtractor, "estimater", "did you mean 'estimator'?"),
        (TableEncoder, "cat_cols", "use categorical_features"),
    ],
    ids=lambda part: getattr(part, "__name__", None),
)
def test_other_classes(kind, name, end):
    message = told(TypeError, kind, **{name: 3})
    assert (
        message == f"{kind.__name__}.__init__() got an unexpected keyword argument {name!r}; {end}"
    )


def test_a_subclass_names_itself():
    class Mine(MLPClassifier):
        pass

    assert told(TypeError, Mine, lr=1).startswith("Mine.__init__() got")


@pytest.mark.parametrize("kind", CLASSES_OF_ALL, ids=lambda kind: kind.__name__)
def test_every_class_refuses_unknown_names(kind):
    """Its own signature is unchanged by the check."""
    for name in kind._get_param_names():
        assert name in inspect.signature(kind).parameters
    with pytest.raises(TypeError, match="argument"):
        kind(qqq=1)


def test_names_in_the_table_exist():
    known = {name for kind in CLASSES_OF_ALL for name in kind._get_param_names()}
    known |= {*inspect.signature(MLPClassifier.fit).parameters}
    assert set(_OTHER_NAMES) <= known


def test_names_in_pipelines_searches_and_lists_of_layers():
    pipe = make_pipeline(MLPClassifier())
    message = told(ValueError, pipe.set_params, mlpclassifier__epochs=3)
    assert message.startswith("Invalid parameter 'epochs' for estimator MLPClassifier().")
    assert message.endswith("; use max_iter.")
    search = GridSearchCV(pipe, {"mlpclassifier__lr": [1.0]})
    assert told(ValueError, search.fit, ROWS, CLASSES).endswith("; use learning_rate_init.")
    message = told(TypeError, pipe.fit, ROWS, CLASSES, mlpclassifier__epochs=3)
    assert message.endswith("pass it to the constructor: MLPClassifier(max_iter=...)")
    network = NeuralNetworkClassifier([Dense(3)])
    assert told(ValueError, network.set_params, lr=3).endswith("; use learning_rate_init.")
    message = told(ValueError, network.set_params, dense1__unit=3)
    assert message.startswith("Invalid parameter 'unit' for estimator Dense(units=3).")
    assert message.endswith("; did you mean 'units'?")
    message = told(ValueError, network.set_params, dens1__units=3)
    assert message.startswith("Invalid parameter 'dens1__units'")
    assert message.endswith("; did you mean 'dense1'?")
    extractor = FeatureExtractor(MLPClassifier(), "dense1")
    assert told(ValueError, extractor.set_params, estimator__epochs=3).endswith("; use max_iter.")
    assert "; " not in told(ValueError, MLPClassifier().set_params, qqq=3)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", ["fit", "partial_fit", "initialize"])
def test_arguments_of_methods(kind, method):
    model = make(kind)
    if not hasattr(model, method):
        assert kind.startswith("Tabular")
        return
    start = f"{type(model).__name__}.{method}() got an unexpected keyword argument "
    ends = {"epochs": "max_iter", "lr": "learning_rate_init", "batch_size": "batch_size"}
    ends |= {"callbacks": "callbacks", "verbose": "verbose", "seed": "random_state"}
    for name, own in ends.items():
        end = f"{name!r}; pass it to the constructor: {type(model).__name__}({own}=...)"
        assert told(TypeError, getattr(model, method), *data(kind), **{name: 3}) == start + end
    end = "'validation_data'; pass a validation set to fit: fit(X, y, X_val=..., y_val=...)"
    assert told(TypeError, getattr(model, method), *data(kind), validation_data=3) == start + end
    if kind != "TextGenerator":
        end = "'sample_weights'; did you mean 'sample_weight'?"
        assert told(TypeError, getattr(model, method), *data(kind), sample_weights=3) == start + end
        assert has_fit_parameter(model, "sample_weight")


# --- values ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [*ESTIMATORS, TableEncoder], ids=lambda kind: kind.__name__)
def test_allowed_values_are_sorted(kind):
    found = 0
    for allowed in kind._parameter_constraints.values():
        for one in allowed:
            if isinstance(one, StrOptions):
                shown = re.findall(r"'([^']*)'", str(one))
                assert shown == sorted(one.options)
                found += 1
    assert found


@pytest.mark.parametrize("kind", sorted({kind.partition(",")[0] for kind in KINDS}))
def test_a_number_as_learning_rate(kind):
    model = make(kind, learning_rate=0.01)
    with pytest.raises(ValueError, match=r"Got 0\.01 instead\. .* use learning_rate_init=0\.01\.$"):
        model.fit(*data(kind))


@pytest.mark.parametrize(
    ("values", "meant"),
    [
        ({"solver": "Adam"}, "adam"),
        ({"solver": "adamx"}, "adamax"),
        ({"activation": "sigmoid"}, "logistic"),
        ({"activation": "ReLU"}, "relu"),
        ({"loss": "mse"}, "squared_error"),
        ({"loss": "mae"}, "absolute_error"),
        ({"weight_init": "kaiming_normal"}, "he_normal"),
        ({"learning_rate": "reduce_on_plateau"}, "plateau"),
    ],
)
def test_values(values, meant):
    model = MLPRegressor(**values)
    with pytest.raises(ValueError, match=rf"instead\. Did you mean '{meant}'\?$"):
        model.fit(ROWS, ROWS[:, 0])


@pytest.mark.parametrize("sizes", [(5,), 5, [5, 4]])
def test_sizes_in_place_of_a_loss(sizes):
    """The first parameter of MLPRegressor is `loss`, as in scikit-learn."""
    with pytest.raises(ValueError) as caught:
        MLPRegressor(sizes).fit(ROWS, ROWS[:, 0])
    end = f"instead. It is the first parameter; for layers, use hidden_layer_sizes={sizes!r}."
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize("sizes", [(64, 64), 64])
@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor])
def test_sizes_in_place_of_an_architecture(kind, sizes):
    with pytest.raises(ValueError) as caught:
        kind(sizes).fit(ROWS, CLASSES)
    end = f"instead. It is the first parameter; for layers, use hidden_layer_sizes={sizes!r}."
    assert str(caught.value).endswith(end)


@pytest.mark.parametrize(
    ("kind", "values", "name"),
    [
        (MLPClassifier, {"callbacks": EarlyStopping}, "EarlyStopping"),
        (MLPClassifier, {"callbacks": [EarlyStopping]}, "EarlyStopping"),
        (MLPClassifier, {"solver": Adam}, "Adam"),
        (RNNClassifier, {"solver": AdamW}, "AdamW"),
        (MLPClassifier, {"learning_rate": Cosine}, "Cosine"),
        (TabularClassifier, {"learning_rate": Cosine}, "Cosine"),
        (TabularRegressor, {"loss": Huber}, "Huber"),
        (CNNClassifier, {"augmentation": RandomFlip}, "RandomFlip"),
        (CNNClassifier, {"augmentation": [RandomFlip]}, "RandomFlip"),
        (NeuralNetworkClassifier, {"layers": Dense}, "Dense"),
        (NeuralNetworkClassifier, {"layers": [Dense(3), Dropout]}, "Dropout"),
    ],
)
def test_a_class_in_place_of_an_object(kind, values, name):
    X = IMAGES if kind is CNNClassifier else ROWS
    y = ROWS[:, 0] if kind is TabularRegressor else CLASSES
    with pytest.raises(ValueError, match=rf"It is a class; pass an object: {name}\(\)\.$"):
        kind(**values).fit(X, y)


@pytest.mark.parametrize("dtype", [np.float32, np.dtype("float32")])
@pytest.mark.parametrize("kind", [MLPClassifier, TabularClassifier])
def test_types_of_numpy(kind, dtype):
    with pytest.raises(ValueError, match=r"Did you mean 'float32'\?$"):
        kind(dtype=dtype).fit(ROWS, CLASSES)


def test_no_activation():
    with pytest.raises(ValueError, match=r"Got None instead\. Did you mean 'identity'\?$"):
        MLPClassifier(activation=None).fit(ROWS, CLASSES)


def test_values_that_are_like_none():
    with pytest.raises(ValueError, match=r"Got 'qqq' instead\.$"):
        MLPClassifier(solver="qqq").fit(ROWS, CLASSES)


# --- one in place of a list -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_one_callback(kind, tmp_path):
    seen = []
    one = LambdaCallback(lambda epoch, *_: seen.append(epoch) or epoch == 2)
    model = make(kind).set_params(callbacks=one).fit(*data(kind))
    assert seen[:2] == [1, 2]
    assert model.n_iter_ == 2
    assert model.callbacks is one
    assert model.get_params(deep=False)["callbacks"] is one
    kept = make(kind, max_iter=20, callbacks=EarlyStopping(patience=7, min_delta=100.0))
    copied = clone(kept)
    assert copied.callbacks == kept.callbacks
    assert copied.callbacks is not kept.callbacks
    assert copied.set_params(callbacks__patience=5).callbacks.patience == 5
    copied.fit(*data(kind)).save(tmp_path / "model")
    assert load(tmp_path / "model").callbacks == EarlyStopping(patience=5, min_delta=100.0)


def test_one_callback_and_a_final_training():
    """It is not called in the training on all rows, as in a list."""
    seen = []
    one = LambdaCallback(lambda epoch, *_: seen.append(epoch))
    model = make("TabularClassifier", refit_full=True, n_networks=1)
    model.set_params(callbacks=one).fit(ROWS, CLASSES)
    assert seen == [1, 2, 3]


def test_what_is_no_callback():
    with pytest.raises(ValueError, match=r"Callback' or None\. Got <built-in function print>"):
        MLPClassifier(callbacks=print).fit(ROWS, CLASSES)


def test_one_augmentation(tmp_path):
    def network(augmentation):
        model = make("CNNClassifier", augmentation=augmentation)
        return model.fit(IMAGES, CLASSES)

    one, listed = network(RandomFlip()), network([RandomFlip()])
    np.testing.assert_array_equal(one.predict_proba(IMAGES), listed.predict_proba(IMAGES))
    assert one.get_params()["augmentation"] == RandomFlip()
    assert one.get_params()["randomflip1__mode"] == "horizontal"
    copied = clone(one)
    assert copied.augmentation == one.augmentation
    copied.set_params(augmentation__mode="vertical")
    assert (copied.augmentation.mode, one.augmentation.mode) == ("vertical", "horizontal")
    one.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.augmentation == one.augmentation
    np.testing.assert_array_equal(one.predict_proba(IMAGES), loaded.predict_proba(IMAGES))
    copied.set_params(randomflip1=Cutout(2)).fit(IMAGES, CLASSES)
    assert copied.augmentation == [("randomflip1", Cutout(2))]


def test_one_layer():
    one, listed = (
        NeuralNetworkClassifier(layers, max_iter=2, random_state=0).fit(ROWS, CLASSES)
        for layers in (Dense(4), [Dense(4)])
    )
    np.testing.assert_array_equal(one.predict_proba(ROWS), listed.predict_proba(ROWS))
    assert clone(one).layers == Dense(4)


# --- names of modules -----------------------------------------------------------------------------

IN_MODULES = {
    ("layers", "MaxPooling2D"): "use MaxPool2D",
    ("layers", "BatchNormalization"): "use BatchNorm",
    ("layers", "GlobalAveragePooling1D"): "use GlobalAveragePool",
    ("layers", "Conv2d"): "did you mean 'Conv2D'?",
    ("layers", "GaussianNois"): "did you mean 'GaussianNoise'?",
    ("layers", "Concatenate"): "use Parallel",
    ("layers", "ReLU"): "use Activation('relu')",
    ("layers", "Input"): "no layer is needed: the input has the shape of X",
    ("layers", "Masking"): (
        "no layer is needed: sequences are a list of arrays, or have NaN after the end"
    ),
    ("training", "EarlyStoping"): "did you mean 'EarlyStopping'?",
    ("", "EarlyStopping"): "it is in sklearn_nn.training",
    ("", "Dense"): "it is in sklearn_nn.layers",
    ("", "TableEncoder"): "it is in sklearn_nn.estimators.table_encoder",
    ("", "SaliencyDisplay"): "it is in sklearn_nn.inspection",
    ("", "MLPClasifier"): "did you mean 'MLPClassifier'?",
    ("", "Sequential"): "use NeuralNetworkClassifier or NeuralNetworkRegressor, with a list of "
    "layers",
}


@pytest.mark.parametrize(("place", "end"), IN_MODULES.items(), ids=str)
def test_names_that_modules_do_not_have(place, end):
    module, name = f"sklearn_nn.{place[0]}".rstrip("."), place[1]
    found = importlib.import_module(module)
    message = told(ImportError, exec, f"from {module} import {name}")
    assert message == f"cannot import name {name!r} from {module!r}; {end}"
    message = told(AttributeError, getattr, found, name)
    assert message == f"module {module!r} has no attribute {name!r}; {end}"
    assert not hasattr(found, name)
    assert getattr(found, name, None) is None


@pytest.mark.parametrize("module", ["sklearn_nn", "sklearn_nn.layers", "sklearn_nn.training"])
def test_modules_are_ordinary_otherwise(module):
    found, names = importlib.import_module(module), {}
    exec(f"from {module} import *", names)
    assert {*found.__all__} == {*names} - {"__builtins__"}
    for name in ("__wrapped__", "_qqq", "qqq"):
        assert told(AttributeError, getattr, found, name).endswith(f"has no attribute {name!r}")
    with pytest.raises(ImportError, match="cannot import name 'qqq'"):
        exec(f"from {module} import qqq")
    with pytest.raises(ModuleNotFoundError):
        importlib.import_module(f"{module}.qqq")
    for value in names.values():
        if isinstance(value, type):
            assert pickle.loads(pickle.dumps(value)) is value


def test_what_is_suggested_for_names_of_other_libraries_exists():
    for own, names in _OTHER_CLASSES.items():
        if own.isidentifier():
            assert hasattr(layers, own)
        elif own.startswith("Activation("):
            assert eval(own, vars(layers)).check() is None
        assert not {*names.split()} & {name.lower() for name in [own]}
