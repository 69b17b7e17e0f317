"""Tables in ONNX: an input for each raw column, and the results of the estimator."""

import os
import pickle
from pathlib import Path

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from sklearn_nn import FeatureExtractor, TabularClassifier, TabularRegressor, TextGenerator
from sklearn_nn.estimators.table_encoder import TableEncoder

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")
pytest.importorskip("pandas")

import onnx
import pandas as pd

from helpers.onnx_runs import TOLERANCE, assert_same, columns, runs, session
from sklearn_nn.onnx import to_onnx

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])
scalings = pytest.mark.parametrize("numeric", ["robust", "quantile"])
NEWEST = onnx.defs.onnx_opset_version()
QUICK = {"hidden_layer_sizes": (24, 24), "n_networks": 2, "max_iter": 3, "random_state": 0}
#: Categorical columns of `table`, some of which hold numbers.
CATEGORIES = ["text", "two", "many", "flag", "whole", "halves", "gaps", "nothing", "mixed", "kind"]


def table(n=500, seed=0):
    """Return a table with columns of every kind, many values of which are missing or equal."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(
        {
            "normal": rng.standard_normal(n),
            "tenths": rng.standard_normal(n).round(1),
            "skewed": rng.lognormal(0, 4, n),
            "constant": np.full(n, 3.7),
            "counts": rng.poisson(1, n),
            "text": rng.choice(["x", "y", "Zürich", None], n),
            "two": rng.choice(["no", "yes"], n),
            "many": rng.choice([f"k{i}" for i in range(40)], n),
            "flag": rng.random(n) < 0.3,
            "whole": rng.integers(-3, 20, n),
            "halves": rng.choice([1.5, 2, np.nan, 7], n),
            "gaps": rng.choice([1, 2, np.nan, 7], n),
            "nothing": [None] * n,
            "mixed": pd.Series(rng.choice(np.array([1, 2, "three"], dtype=object), n)),
            "kind": pd.Categorical(rng.choice(["low", "high"], n)),
        }
    )
    frame.loc[rng.random(n) < 0.1, ["normal", "skewed"]] = np.nan
    return frame


def changed(frame, seed=1):
    """Return the table with unknown categories and missing values where it had none."""
    rng = np.random.default_rng(seed)
    frame = frame.copy()

    def somewhere():
        return rng.random(len(frame)) < 0.1

    for name in ("text", "two", "many", "mixed"):
        frame[name] = frame[name].astype(object)
        frame.loc[somewhere(), name] = "never seen"
    frame.loc[somewhere(), "whole"] = 99
    for name in ("halves", "gaps"):
        frame.loc[somewhere(), name] = 1.25
    for name in ("tenths", "constant", "skewed"):
        frame.loc[somewhere(), name] = np.nan
        frame.loc[somewhere(), name] = rng.choice([-1e300, 1e300, 0.0, -5.0])
    frame.loc[somewhere(), "two"] = None
    return frame


def target(frame, kind):
    """Return a target that depends on the table."""
    z = frame["normal"].fillna(0).to_numpy() + (frame["two"] == "yes").to_numpy()
    return {
        "numbers": lambda: np.where(z > 0.5, 7, 3),
        "booleans": lambda: z > 0.5,
        "strings": lambda: np.array(["low", "mid", "high"])[np.digitize(z, [0, 1])],
        "several": lambda: np.column_stack([z > 0, z > 1, z > 5]).astype(int),
        "one class": lambda: np.full(len(z), "only"),
        "y": lambda: 100 + 5 * z,
        "three": lambda: np.column_stack([z, 1e6 * z**2, -z]),
        "positive": lambda: np.exp(z),
    }[kind]()


@dtypes
@scalings
@pytest.mark.parametrize("categorical", ["from_dtype", CATEGORIES])
def test_encoder(numeric, dtype, categorical):
    frame = table()
    encoder = TableEncoder(categorical, numeric=numeric, dtype=dtype).fit(frame)
    model, other = to_onnx(encoder), changed(frame)
    for runtime, run in runs(model).items():
        for rows in (frame, other, other[:1], other[:3]):
            (found,) = run(columns(model, rows))
            assert found.dtype == dtype
            assert_same(found, encoder.transform(rows), dtype, runtime)


@pytest.mark.parametrize("seed", range(8))
@scalings
def test_encoder_of_random_tables(seed, numeric):
    rng = np.random.default_rng(seed)
    n = int(rng.choice([1, 5, 40, 2000]))
    kinds = [
        lambda: rng.standard_normal(n) * 10.0 ** rng.integers(-20, 20),
        lambda: rng.integers(0, 4, n).astype(float),
        lambda: np.where(rng.random(n) < 0.5, np.nan, rng.standard_cauchy(n)),
        lambda: np.full(n, np.nan),
        lambda: rng.choice(["a", "b", "", "ä", " a"], n).astype(object),
        lambda: np.where(rng.random(n) < 0.3, None, rng.choice(["u", "v"], n)),
    ]
    parts = [kinds[k]() for k in rng.integers(0, len(kinds), 6)]
    frame = pd.DataFrame({f"c{i}": part for i, part in enumerate(parts)})
    frame["c6"] = rng.standard_normal(n)
    encoder = TableEncoder(numeric=numeric, dtype="float64").fit(frame)
    model = to_onnx(encoder)
    rows = frame.sample(50, replace=True, random_state=seed)
    for runtime, run in runs(model).items():
        (found,) = run(columns(model, rows))
        np.testing.assert_allclose(found, encoder.transform(rows), 1e-10, 1e-12, err_msg=runtime)


def test_types_of_columns():
    """Numbers are double, text is text, and whole numbers int64 unless some were missing."""
    model = to_onnx(TableEncoder(CATEGORIES).fit(table()))
    kinds = {i.name: i.type.tensor_type.elem_type for i in model.graph.input}
    proto = onnx.TensorProto
    assert kinds == {
        **dict.fromkeys(["normal", "tenths", "skewed", "constant", "counts"], proto.DOUBLE),
        **dict.fromkeys(["text", "two", "many", "mixed", "kind"], proto.STRING),
        **dict.fromkeys(["flag", "whole"], proto.INT64),
        **dict.fromkeys(["halves", "gaps"], proto.DOUBLE),
    }  # without the column that holds nothing
    shapes = [
        [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]
        for i in model.graph.input
    ]
    assert shapes == [["n", 1]] * len(kinds)


def test_numbers_at_quantiles():
    """Numbers that equal several quantiles are in the middle of their ranks, also in float32."""
    x = np.repeat([0.1, 0.2, 0.3, 0.7], [40, 300, 10, 50])
    X = np.column_stack([x, np.linspace(-1e-9, 1e9, len(x))])
    encoder = TableEncoder(numeric="quantile").fit(X)
    model = to_onnx(encoder)
    values = np.concatenate([x, x + 1e-12, x - 1e-12, [-9e99, 9e99]])
    rows = np.column_stack([values, np.resize(X[:, 1], len(values))])
    for run in runs(model).values():
        (found,) = run({"x0": rows[:, :1], "x1": rows[:, 1:]})
        np.testing.assert_allclose(found, encoder.transform(rows), 1e-6)


def test_columns_that_are_left_out():
    frame = table()
    frame["id"] = [f"person {i}" for i in range(len(frame))]
    with pytest.warns(UserWarning, match="Left out"):
        encoder = TableEncoder().fit(frame)
    names = [i.name for i in to_onnx(encoder).graph.input]
    assert "id" not in names
    assert "normal" in names


def test_old_files_have_no_note_of_missing_values():
    encoder = TableEncoder(["gaps"]).fit(table()[["normal", "gaps"]])
    state = encoder.state()
    del state["columns"][1]["saw_missing"]
    assert not TableEncoder.from_state(state)._columns[1].saw_missing


def check_classifier(model, frame, dtype, **options):
    exported = to_onnx(model, **options)
    for runtime, run in runs(exported).items():
        label, p = run(columns(exported, frame))
        assert label.tolist() == model.predict(frame).tolist(), runtime
        assert p.dtype == dtype
        assert_same(p, model.predict_proba(frame), dtype, runtime)


@dtypes
@pytest.mark.parametrize("architecture", ["realmlp", "tabm"])
@pytest.mark.parametrize("kind", ["numbers", "booleans", "strings", "several", "one class"])
def test_classifier(architecture, kind, dtype):
    frame = table()
    model = TabularClassifier(architecture, **QUICK, dtype=dtype).fit(frame, target(frame, kind))
    assert kind == "one class" or (model.temperatures_ != 1).all()
    check_classifier(model, changed(frame), dtype)


@dtypes
@pytest.mark.parametrize("architecture", ["realmlp", "tabm"])
@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("y", {}),
        ("three", {}),
        ("positive", {"loss": "poisson"}),
        ("y", {"loss": "quantile", "quantile": 0.9, "n_networks": 1}),
        ("y", {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}),
    ],
)
def test_regressor(architecture, kind, options, dtype):
    frame = table()
    model = TabularRegressor(architecture, **{**QUICK, **options}, dtype=dtype)
    model.fit(frame, target(frame, kind))
    rows = changed(frame)
    exported, expected = to_onnx(model), model.predict(rows)
    for runtime, run in runs(exported).items():
        y, *quantiles = run(columns(exported, rows))
        if quantiles:
            levels = model.predict_quantiles(rows)
            tolerance = TOLERANCE[dtype] * np.abs(levels).max()
            np.testing.assert_allclose(quantiles[0], levels, TOLERANCE[dtype], tolerance)
        assert y.dtype == expected.dtype
        for found, own in zip(y.T, expected.reshape(len(y), -1).T, strict=True):
            np.testing.assert_allclose(
                found, own, TOLERANCE[dtype], TOLERANCE[dtype] * np.abs(own).max(), err_msg=runtime
            )


@pytest.mark.parametrize("num_embedding", ["piecewise_linear", "periodic", None])
@scalings
@dtypes
def test_embeddings(num_embedding, numeric, dtype):
    frame = table()
    options = {"num_embedding": num_embedding, "numeric": numeric, "calibrate": False}
    model = TabularClassifier(categorical_features=CATEGORIES, dtype=dtype, **options, **QUICK)
    check_classifier(model.fit(frame, target(frame, "strings")), changed(frame), dtype)


def test_default_in_batches_of_any_size():
    """The default network, in one session; the results of a row do not depend on other rows."""
    frame = table(1000)
    model = TabularClassifier(max_iter=2, random_state=0).fit(frame, target(frame, "strings"))
    exported = to_onnx(model)
    own = session(exported)
    for n in (1, 3, 1000):
        label, p = own.run(None, columns(exported, frame[:n]))
        assert label.tolist() == model.predict(frame[:n]).tolist()
        assert_same(p, model.predict_proba(frame[:n]), "float32")


@pytest.mark.parametrize("opset", range(17, NEWEST + 1))
def test_opsets(opset):
    frame = table()
    for architecture in ("realmlp", "tabm"):
        model = TabularClassifier(architecture, **QUICK).fit(frame, target(frame, "strings"))
        versions = {i.domain: i.version for i in to_onnx(model, opset=opset).opset_import}
        assert versions[""] == opset
        check_classifier(model, frame, "float32", opset=opset)


@pytest.mark.parametrize("kind", ["numbers", "strings"])
def test_zipmap(kind):
    frame = table()
    model = TabularClassifier(**QUICK).fit(frame, target(frame, kind))
    p = model.predict_proba(frame)
    exported = to_onnx(model, zipmap=True)
    label, maps = session(exported).run(None, columns(exported, frame))
    assert label.tolist() == model.predict(frame).tolist()
    assert [*maps[0]] == model.classes_.tolist()
    assert_same([[*row.values()] for row in maps], p, "float32")
    exported = to_onnx(model, zipmap="columns")
    _, *parts = session(exported).run(None, columns(exported, frame))
    assert_same(np.hstack(parts), p, "float32")


def test_names_of_columns():
    """Names are any text, also those that outputs and nodes have."""
    names = ["label", "probabilities", "Concat", "Concat_2", "a b/ü", "Add", "constant", ""]
    X = np.random.default_rng(0).standard_normal((200, len(names)))
    frame = pd.DataFrame(X, columns=names)
    model = TabularClassifier(**QUICK).fit(frame, X[:, 0] > 0)
    exported = to_onnx(model)
    inputs = [i.name for i in exported.graph.input]
    assert inputs == [*names[:-1], "x7"]
    assert [o.name for o in exported.graph.output] == ["label_", "probabilities_"]
    for run in runs(exported).values():
        _, p = run({name: X[:, i : i + 1] for i, name in enumerate(inputs)})
        assert_same(p, model.predict_proba(frame), "float32")


def test_names_are_unique():
    """That of a column without one, or of an output, differs from all others."""
    X = np.random.default_rng(0).standard_normal((200, 3))
    frame = pd.DataFrame(X, columns=["", "x0", "sa"])
    model = TabularClassifier(**QUICK).fit(frame, np.array(["a", "a_"])[(X[:, 0] > 0) * 1])
    exported = to_onnx(model, zipmap="columns")
    inputs = [i.name for i in exported.graph.input]
    assert inputs == ["x0_", "x0", "sa"]
    assert [o.name for o in exported.graph.output] == ["label", "sa_", "sa__"]
    for run in runs(exported).values():
        _, *parts = run({name: X[:, i : i + 1] for i, name in enumerate(inputs)})
        assert_same(np.hstack(parts), model.predict_proba(frame), "float32")


def test_array_without_names():
    X = np.random.default_rng(0).standard_normal((300, 3))
    X[::5, 1] = np.nan
    model = TabularRegressor(**QUICK).fit(X, X[:, 0])
    exported = to_onnx(model)
    for run in runs(exported).values():
        (y,) = run({f"x{i}": X[:, i : i + 1] for i in range(3)})
        assert_same(y.ravel(), model.predict(X), "float32")


def test_equal_estimators_have_equal_bytes():
    frame = table()
    fits = [TabularClassifier(**QUICK).fit(frame, target(frame, "strings")) for _ in range(2)]
    fits.append(pickle.loads(pickle.dumps(fits[0])))
    first, *others = (to_onnx(model).SerializeToString(deterministic=True) for model in fits)
    assert all(other == first for other in others)


def test_replaced_weights():
    """Weights that a user has changed are those that predict, and those of the file."""
    frame = table()
    model = TabularRegressor(**QUICK).fit(frame, target(frame, "y"))
    model.layers_["output"]["bias"] = model.layers_["output"]["bias"] + 0.25
    exported = to_onnx(model)
    (y,) = session(exported).run(None, columns(exported, frame))
    assert_same(y.ravel() / 100, model.predict(frame) / 100, "float32")


@pytest.mark.parametrize("layer", [None, "numbers", "linear1"])
def test_features_of_a_table(layer):
    frame = table()
    network = TabularClassifier(**QUICK).fit(frame, target(frame, "numbers"))
    extractor = FeatureExtractor(network, layer).fit(frame)
    exported = to_onnx(extractor)
    for run in runs(exported).values():
        (features,) = run(columns(exported, frame))
        assert_same(features, extractor.transform(frame), "float32")


def test_what_is_not_exported():
    with pytest.raises(TypeError, match=r"TextGenerator writes text.*save"):
        to_onnx(TextGenerator(8, max_iter=1).fit("the quick brown fox " * 9))
    frame = table()
    with pytest.raises(TypeError, match="for a Pipeline or a search use skl2onnx"):
        to_onnx(make_pipeline(TableEncoder()))
    for estimator in (TableEncoder(), TabularClassifier(), FeatureExtractor(TabularClassifier())):
        with pytest.raises(NotFittedError):
            to_onnx(estimator)
    frame["mixed"] = frame["mixed"].replace("three", "1")
    encoder = TableEncoder(["mixed"]).fit(frame[["normal", "mixed"]])
    with pytest.raises(ValueError, match=r"'mixed' has the categories 1 and '1'"):
        to_onnx(encoder)


# --- real tables -------------------------------------------------------------------------------

FOLDER = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[2] / ".." / "shared/data"))


def _read(name, **options):
    file = FOLDER / name
    if not file.exists():
        pytest.skip(f"{file} is absent; set SKLEARN_NN_DATA to the folder that holds {name}")
    return pd.read_csv(file, **options)


@pytest.mark.data
@pytest.mark.parametrize("architecture", ["realmlp", "tabm"])
def test_adult(architecture):
    names = [f"c{i}" for i in range(14)] + ["income"]
    options = {"header": None, "names": names, "skipinitialspace": True, "na_values": "?"}
    frame = _read("adult/adult-train.csv.gz", **options)
    y = frame.pop("income")
    options = {**QUICK, "num_embedding": "piecewise_linear"}
    model = TabularClassifier(architecture, **options).fit(frame[:4000], y[:4000])
    exported, rows = to_onnx(model), frame[4000:9000]
    expected, labels = model.predict_proba(rows), model.predict(rows).tolist()
    for runtime, run in runs(exported).items():
        label, p = run(columns(exported, rows))
        assert label.tolist() == labels, runtime
        assert_same(p, expected, "float32", runtime)


@pytest.mark.data
def test_diamonds():
    """Prices of five digits, three columns of text, and many equal numbers."""
    frame = _read("diamonds/diamonds.csv.gz")
    y = frame.pop("price")
    model = TabularRegressor("tabm", **QUICK).fit(frame[::20], y[::20])
    exported, rows = to_onnx(model), frame[7::20]
    for run in runs(exported).values():
        (found,) = run(columns(exported, rows))
        np.testing.assert_allclose(found.ravel(), model.predict(rows), 1e-5)


def test_dates_are_refused_by_name():
    when = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(40) * 7, "D")
    frame = pd.DataFrame({"a": np.arange(40.0), "when": when})
    for model in (TabularRegressor(dates="parts", **QUICK), TableEncoder(dates="parts")):
        model.fit(frame, np.arange(40) % 3)
        with pytest.raises(NotImplementedError, match="column 'when' holds dates"):
            to_onnx(model)
