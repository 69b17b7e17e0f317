"""Pipelines and searches with estimators of this package, through skl2onnx."""

import sys

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import StackingClassifier, VotingRegressor
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkRegressor,
    TabularClassifier,
    TabularRegressor,
)
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.layers import Dense

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")
pytest.importorskip("skl2onnx")
pytest.importorskip("pandas")

import onnx
import pandas as pd
import skl2onnx
from skl2onnx.common import data_types as types

from helpers.onnx_runs import assert_same, columns, runs, session
from sklearn_nn.onnx import register_onnx_converters

SHORT = {"hidden_layer_sizes": 8, "max_iter": 4, "random_state": 0}
TABULAR = {**SHORT, "n_networks": 2}
pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.fixture(autouse=True)
def _registered():
    register_onnx_converters()
    register_onnx_converters()  # a second call changes nothing


def numbers(n=200):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, 4)).astype(np.float32)


def table(n=200):
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "a": np.where(rng.random(n) < 0.1, np.nan, rng.standard_normal(n)),
            "b": rng.standard_normal(n),
            "city": rng.choice(["x", "y", "zz"], n),
            "shop": rng.integers(0, 30, n),
            "item": rng.choice([f"q{i}" for i in range(30)], n),
        }
    )
    return frame, np.array(["no", "yes", "perhaps"])[(frame["b"] > 0) * 1 + (frame["b"] > 1)]


TYPES = {
    "a": types.DoubleTensorType([None, 1]),
    "b": types.DoubleTensorType([None, 1]),
    "city": types.StringTensorType([None, 1]),
    "shop": types.Int64TensorType([None, 1]),
    "item": types.StringTensorType([None, 1]),
}


def check(model, X, dtype="float32", tolerance=None, names=tuple(TYPES), **options):
    """Check that the converted model has the results of the fitted one; return it."""
    if isinstance(X, np.ndarray):
        kind = types.DoubleTensorType if X.dtype == np.float64 else types.FloatTensorType
        initial = [("X", kind([None, *X.shape[1:]]))]
    else:
        initial = [(name, TYPES[name]) for name in names]
    if hasattr(model, "classes_"):
        options["options"] = {"zipmap": False}
    converted = skl2onnx.convert_sklearn(model, initial_types=initial, **options)
    onnx.checker.check_model(converted, full_check=True)
    inputs = {"X": X} if isinstance(X, np.ndarray) else columns(converted, X)
    for runtime, run in runs(converted).items():
        found = run(inputs)
        if hasattr(model, "classes_"):
            assert found[0].tolist() == model.predict(X).tolist(), runtime
            assert_same(found[1], model.predict_proba(X), tolerance or dtype, runtime)
            assert found[1].dtype == dtype
        else:
            expected = model.predict(X) if hasattr(model, "predict") else model.transform(X)
            assert_same(found[0].reshape(expected.shape), expected, tolerance or dtype, runtime)
            assert found[0].dtype == dtype
    return converted


@pytest.mark.parametrize("labels", [[0, 1], [False, True], ["no", "yes"], ["a", "b", "c"]])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_pipeline_of_a_classifier(labels, dtype):
    X = numbers().astype(dtype)
    y = np.array(labels)[np.digitize(X[:, 0], np.linspace(-0.5, 0.5, len(labels) - 1))]
    check(make_pipeline(StandardScaler(), MLPClassifier(**SHORT)).fit(X, y), X, dtype)


@pytest.mark.parametrize("outputs", [1, 3])
def test_pipeline_of_a_regressor(outputs):
    X = numbers()
    y = X[:, 0] if outputs == 1 else X[:, :outputs]
    check(make_pipeline(StandardScaler(), MLPRegressor(**SHORT)).fit(X, y), X)
    layers = [Dense(8, activation="tanh")]
    model = make_pipeline(StandardScaler(), NeuralNetworkRegressor(layers, max_iter=4))
    check(model.fit(X, y), X)


def test_multilabel():
    X = numbers()
    check(make_pipeline(StandardScaler(), MLPClassifier(**SHORT)).fit(X, (X[:, :3] > 0) * 1), X)


def test_type_of_the_input():
    """A network of float32 in a pipeline of doubles has outputs of doubles, and the reverse."""
    X = numbers()
    model = TabularRegressor(**TABULAR).fit(X, X[:, 0])
    check(model, X.astype(np.float64), "float64", "float32")
    X = X.astype(np.float64)
    model = MLPClassifier(**SHORT).fit(X, X[:, 0] > 0)
    check(model, X.astype(np.float32), "float32")


def test_search():
    X = numbers()
    model = make_pipeline(StandardScaler(), MLPClassifier(**SHORT))
    search = GridSearchCV(model, {"mlpclassifier__alpha": [0, 1]}, cv=2).fit(X, X[:, 0] > 0)
    check(search, X)
    check(search.best_estimator_, X)
    check(GridSearchCV(MLPClassifier(**SHORT), {"alpha": [0]}, cv=2).fit(X, X[:, 0] > 0), X)


def test_features():
    X = numbers()
    network = MLPClassifier(**SHORT).fit(X, X[:, 0] > 0)
    pair = FeatureUnion([("scaled", StandardScaler()), ("learnt", FeatureExtractor(network))])
    check(make_pipeline(pair, LogisticRegression()).fit(X, X[:, 1] > 0), X)


def test_images():
    X = np.random.default_rng(0).standard_normal((60, 64)).astype(np.float32)
    model = CNNClassifier(input_shape=(8, 8, 1), max_iter=2, random_state=0)
    check(make_pipeline(StandardScaler(), model).fit(X, X[:, 0] > 0), X)


def test_ensembles():
    X = numbers()
    parts = [("network", MLPRegressor(**SHORT)), ("line", Ridge())]
    check(VotingRegressor(parts).fit(X, X[:, 0]), X)
    parts = [("network", MLPClassifier(**SHORT)), ("line", LogisticRegression())]
    check(StackingClassifier(parts, cv=2).fit(X, X[:, 0] > 0), X)


@pytest.mark.parametrize("final", [LogisticRegression(), MLPClassifier(**SHORT)])
def test_column_transformer(final):
    """An encoder gets columns of several types, as does each estimator for tables."""
    X, y = table()
    parts = [
        ("numbers", StandardScaler(), ["b"]),
        ("table", TableEncoder(["city", "shop", "item"]), ["a", "city", "shop", "item"]),
        ("words", OneHotEncoder(handle_unknown="ignore"), ["city"]),
    ]
    model = make_pipeline(ColumnTransformer(parts), final).fit(X, y)
    X.loc[:9, "city"] = "unknown"
    X.loc[5:9, "shop"] = -1
    check(model, X, "float64", "float32")


@pytest.mark.parametrize("kind", [TabularClassifier, TabularRegressor, TableEncoder])
def test_tables(kind):
    X, y = table()
    model = TableEncoder(["city", "item"]) if kind is TableEncoder else kind(**TABULAR)
    model.fit(X, X["b"] if kind is TabularRegressor else y)
    check(model, X, "float64", "float32")


def test_order_of_columns():
    """Columns are those of their names, in whatever order the types are listed."""
    X, y = table()
    model = TabularClassifier(**TABULAR).fit(X, y)
    check(model, X, "float64", "float32", names=["b", "a", "item", "shop", "city"])


def test_whole_numbers():
    X = pd.DataFrame(np.random.default_rng(0).integers(0, 9, (200, 2)), columns=["shop", "item"])
    model = TabularClassifier(**TABULAR, categorical_features=["item"]).fit(X, X["shop"] > 4)
    initial = [
        ("shop", types.Int32TensorType([None, 1])),
        ("item", types.Int64TensorType([None, 1])),
    ]
    converted = skl2onnx.convert_sklearn(model, initial_types=initial, options={"zipmap": False})
    inputs = {"shop": X[["shop"]].to_numpy(np.int32), "item": X[["item"]].to_numpy(np.int64)}
    for run in runs(converted).values():
        assert_same(run(inputs)[1], model.predict_proba(X), "float32")


def test_matrix_as_a_table():
    X = numbers()
    X[::7, 1] = np.nan
    y = X[:, 0] > 0
    model = make_pipeline(StandardScaler(), TabularClassifier(**TABULAR)).fit(X, y)
    check(model, X)
    initial = [("X", types.FloatTensorType([None, 3]))]
    with pytest.raises(ValueError, match="have 3 columns, but the encoder was fitted with 4"):
        skl2onnx.convert_sklearn(model[-1], initial_types=initial)


def test_types_of_columns_that_do_not_fit():
    X, y = table()
    model = TabularClassifier(**TABULAR).fit(X, y)
    for name, declared, found in (("city", TYPES["b"], "numbers"), ("b", TYPES["city"], "text")):
        with pytest.raises(ValueError, match=f"column '{name}' is {found}"):
            skl2onnx.convert_sklearn(model, initial_types=[*{**TYPES, name: declared}.items()])


def test_dictionaries_of_probabilities():
    X = numbers()
    model = make_pipeline(StandardScaler(), MLPClassifier(**SHORT))
    model.fit(X, np.array(["no", "yes"])[(X[:, 0] > 0) * 1])
    initial = [("X", types.FloatTensorType([None, 4]))]
    converted = skl2onnx.convert_sklearn(model, initial_types=initial)
    _, maps = session(converted).run(None, {"X": X})
    assert_same([[m["no"], m["yes"]] for m in maps], model.predict_proba(X), "float32")


@pytest.mark.parametrize("opset", [17, 18, 20])
def test_opset(opset):
    X = numbers()
    model = make_pipeline(StandardScaler(), MLPClassifier(**SHORT)).fit(X, X[:, 0] > 0)
    converted = check(model, X, target_opset={"": opset, "ai.onnx.ml": 3})
    assert {i.domain: i.version for i in converted.opset_import}[""] == opset


def test_older_opset():
    X = numbers()
    model = MLPClassifier(**SHORT).fit(X, X[:, 0] > 0)
    with pytest.raises(ValueError, match="opset=15 is not supported; use 17"):
        check(model, X, target_opset={"": 15, "ai.onnx.ml": 3})


def test_missing_package(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn_nn\[skl2onnx\]"'):
        register_onnx_converters()
