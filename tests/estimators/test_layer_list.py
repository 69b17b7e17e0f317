"""`layers` as a parameter: names, nested parameters, swapped layers, errors that name a layer."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.learning import learning, median
from sklearn_nn import NeuralNetworkClassifier, NeuralNetworkRegressor, load
from sklearn_nn.layers import (
    LSTM,
    Activation,
    BatchNorm,
    Conv2D,
    Dense,
    Dropout,
    Embedding,
    Flatten,
    MaxPool2D,
    Parallel,
    Residual,
)

X, Y = load_digits(return_X_y=True)
X, Y = X[:300] / 16, Y[:300]


def images(layers, **options):
    """A classifier of digits."""
    return NeuralNetworkClassifier(
        layers, input_shape=(8, 8, 1), **{"max_iter": 3, "random_state": 0} | options
    )


def stack():
    return [Conv2D(4, 3), Activation("relu"), ("drop", Dropout(0.2)), Flatten(), Dense(8), Dense(6)]


def test_names_and_nested_parameters():
    model = images(stack())
    params = model.get_params()
    names = ["conv2d1", "activation1", "drop", "flatten1", "dense1", "dense2"]
    assert all(name in params for name in names)
    assert params["conv2d1__filters"] == 4
    assert params["dense2__units"] == 6
    shallow = model.get_params(deep=False)
    assert shallow["layers"] is model.layers
    assert "conv2d1" not in shallow
    model.set_params(conv2d1__filters=7, drop__rate=0.1, dense2=Dense(3), alpha=0.5)
    assert model.layers[0][1].filters == 7
    assert model.get_params()["drop__rate"] == 0.1
    assert model.get_params()["dense2"] == Dense(3)
    assert model.alpha == 0.5


def test_setting_parameters_leaves_other_estimators_alone():
    model = images(stack())
    copy = clone(model).set_params(conv2d1__filters=9, dense1="passthrough")
    assert model.get_params()["conv2d1__filters"] == 4
    assert model.get_params()["dense1"] == Dense(8)
    assert copy.get_params()["conv2d1__filters"] == 9


def test_fit_changes_no_parameter():
    model = images(stack())
    before = repr(model.get_params())
    model.fit(X, Y)
    assert repr(model.get_params()) == before
    assert list(model.layers_) == ["conv2d1", "dense1", "dense2", "output"]


def test_a_layer_that_is_passed_by_is_not_there():
    model = images([Flatten(), ("wide", Dense(50)), ("last", Dense(5))])
    without = clone(model).set_params(wide="passthrough").fit(X, Y)
    same = images([Flatten(), ("last", Dense(5))]).fit(X, Y)
    np.testing.assert_array_equal(without.predict_proba(X), same.predict_proba(X))
    with pytest.raises(ValueError, match=r"wide__units: layer 'wide' is 'passthrough'"):
        without.set_params(wide__units=3)


def test_an_unknown_name_lists_the_valid_ones():
    with pytest.raises(ValueError, match=r"Invalid parameter 'conv1__filters'.*'conv2d1'.*'alpha'"):
        images(stack()).set_params(conv1__filters=3)


@pytest.mark.parametrize(
    ("layers", "message"),
    [
        ([], r"layers=\[\] must be a list of layers"),
        ([Dense(3), "relu"], r"layers holds 'relu'"),
        ([("a", Dense(3)), ("a", Dense(2))], "the name 'a' more than once"),
        ([("output", Dense(3))], "the name 'output'"),
        ([("alpha", Dense(3))], "the name 'alpha', which is a parameter of NeuralNetworkCl"),
        ([("a__b", Dense(3))], "the name 'a__b'"),
        ([Flatten(), Activation("step")], "layer 'activation1': activation='step'"),
        ([Conv2D(4, 9)], "layer 'conv2d1': kernel_size=9 does not fit the 8x8"),
    ],
    ids=["empty", "string", "twice", "output", "parameter", "underscores", "activation", "kernel"],
)
def test_errors_name_the_layer(layers, message):
    with pytest.raises(ValueError, match=message):
        images(layers).fit(X, Y)


def test_none_is_a_linear_model():
    model = NeuralNetworkRegressor(max_iter=300, learning_rate_init=0.05, random_state=0)
    x = np.linspace(-1, 1, 60).reshape(-1, 1)
    model.fit(x, 2 * x[:, 0] + 1)
    assert list(model.layers_) == ["output"]
    np.testing.assert_allclose(model.predict([[0.5]]), [2.0], atol=0.05)


def test_search_over_layers_in_a_pipeline():
    model = make_pipeline(StandardScaler(), images([Conv2D(4, 3), ("act", Activation("relu"))]))
    grid = {
        "neuralnetworkclassifier__conv2d1__filters": [2, 6],
        "neuralnetworkclassifier__act": ["passthrough", Activation("tanh")],
    }
    search = GridSearchCV(model, grid, cv=KFold(2), n_jobs=2).fit(X, Y)
    assert len(search.cv_results_["params"]) == 4
    assert cross_val_score(search.best_estimator_, X, Y, cv=KFold(2)).shape == (2,)


@learning
def test_branches_and_shortcuts_learn():
    inception = Parallel([Conv2D(4, 1), [Conv2D(4, 3, padding="same"), Activation("relu")]])
    layers = [inception, Residual([Conv2D(8, 3, padding="same"), BatchNorm()]), MaxPool2D(2)]

    def score(seed):
        options = {"max_iter": 15, "learning_rate_init": 0.01, "random_state": seed}
        return images(layers, **options).fit(X, Y).score(X, Y)

    assert median(score) > 0.95


@pytest.mark.parametrize("how", ["pickle", "file"])
def test_saved_model_predicts_the_same(how, tmp_path):
    model = images(stack()).fit(X, Y)
    if how == "pickle":
        again = pickle.loads(pickle.dumps(model))
    else:
        model.save(tmp_path / "net")
        again = load(tmp_path / "net")
    assert repr(again) == repr(model)
    np.testing.assert_array_equal(again.predict_proba(X), model.predict_proba(X))


def test_whole_numbers_read_by_branches():
    """The values are checked, and 0 is padding, as where an embedding stands by itself."""
    X = np.random.RandomState(0).randint(1, 9, (40, 7))
    y = X[:, 0] > 4

    def fit(X, input_dim):
        branches = [Embedding(input_dim, 3, mask_zero=True), [Embedding(9, 2, mask_zero=True)]]
        layers = [Parallel(branches), LSTM(4)]
        return NeuralNetworkClassifier(layers, max_iter=2, random_state=0).fit(X, y)

    with pytest.raises(ValueError, match=r"X holds 8, and .*input_dim=5.* use input_dim=9"):
        fit(X, 5)
    with pytest.raises(ValueError, match="not whole"):
        fit(X + 0.5, 9)
    padded = np.pad(X, ((0, 0), (0, 3)))
    expected = fit(X, 9).predict_proba(X)
    np.testing.assert_array_equal(fit(padded, 9).predict_proba(padded), expected)
    for branches in (3, [3]):
        with pytest.raises(ValueError, match=r"^layer 'parallel1': .*branch"):
            NeuralNetworkClassifier([Parallel(branches), LSTM(4)]).fit(X, y)
