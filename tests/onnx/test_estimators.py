"""Estimators of arrays in ONNX: inputs as they take them, outputs as they predict."""

import copy
import json
import sys

import numpy as np
import pytest

from helpers.estimators.all_estimators import (
    CLASSES,
    IMAGES,
    KINDS,
    NUMBERS,
    RAGGED,
    ROWS,
    SIGNALS,
    STEPS,
    N,
    fitted,
    make,
)
from sklearn_nn import FeatureExtractor, MLPClassifier, to_onnx
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    Bidirectional,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    LastStep,
    Layer,
    MemberHeads,
    MemberLinear,
    OneHot,
    Reshape,
    Residual,
    TimeDistributed,
)
from sklearn_nn.onnx.outputs import labels_of

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")

import onnx

from helpers.onnx_runs import assert_same, runs, session

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

_RNG = np.random.default_rng(0)
WORDS = _RNG.integers(0, 9, (N, 6))
ENDED = np.sort(WORDS)[:, ::-1].copy()  # with zeros at the end
LONG = [_RNG.standard_normal((4 + k % 5, 2)) for k in range(N)]
BYTES = (IMAGES * 40 + 100).astype(np.uint8)
NAMES = np.array(["ant", "bee", "cat"])[CLASSES]
SEVERAL = np.column_stack([CLASSES == 0, CLASSES > 0, CLASSES == 2]).astype(int)
OF_STEPS = [(steps > 0).astype(int) for steps in STEPS]


def _layers(kind, *layers):
    return f"NeuralNetwork{kind}", {"layers": list(layers)}


#: Name, parameters, X and y.
CASES = [
    *((kind, {}, *KINDS[kind][2:]) for kind in KINDS if kind[:3] not in ("Tab", "Tex")),
    # labels
    ("MLPClassifier", {}, ROWS, NAMES),
    ("MLPClassifier", {}, ROWS, NAMES.astype(object)),
    ("MLPClassifier", {}, ROWS, CLASSES > 0),
    ("MLPClassifier", {}, ROWS, CLASSES.astype(float)),
    ("MLPClassifier", {}, ROWS, np.full(N, 7)),
    ("MLPClassifier", {}, ROWS, SEVERAL),
    ("CNNClassifier", {"batch_norm": True}, IMAGES, NAMES == "bee"),
    # numbers
    ("MLPRegressor", {"loss": "poisson"}, ROWS, NUMBERS**2),
    ("MLPRegressor", {}, ROWS, np.column_stack([NUMBERS, NUMBERS**2, ROWS[:, 1]])),
    ("CNNRegressor", {}, SIGNALS, 1e4 * NUMBERS + 1e5),
    ("RNNRegressor", {}, 300 * SIGNALS + 7, np.column_stack([NUMBERS, 100 * NUMBERS, -NUMBERS])),
    (*_layers("Regressor", Dense(4)), ROWS, 100 * NUMBERS**2),
    # forms of X
    ("CNNClassifier", {"data_format": "channels_first"}, IMAGES.transpose(0, 3, 1, 2), CLASSES),
    ("CNNClassifier", {}, BYTES, CLASSES),
    ("CNNClassifier", {}, np.repeat(BYTES, 3, axis=3), CLASSES),
    ("CNNClassifier", {}, IMAGES[..., 0], CLASSES),
    ("CNNClassifier", {"input_shape": (4, 4, 1)}, 1000 * IMAGES.reshape(N, -1), CLASSES),
    ("RNNRegressor", {"data_format": "channels_first"}, SIGNALS.transpose(0, 2, 1), NUMBERS),
    ("RNNRegressor", {}, SIGNALS.reshape(N, -1), NUMBERS),
    ("RNNRegressor", {}, (SIGNALS * 40 + 100).astype(np.uint8), NUMBERS),
    # sequences
    *(
        (
            "RNNClassifier", {"cell": cell, "bidirectional": True, "pooling": pooling},
            RAGGED, CLASSES,
        )
        for cell in ("lstm", "gru", "rnn")
        for pooling in ("last", "mean", "max", "attention")
    ),
    ("RNNClassifier", {"return_sequences": True, "num_layers": 2}, RAGGED, OF_STEPS),
    ("RNNClassifier", {"return_sequences": True, "truncation": 2}, RAGGED, OF_STEPS),
    ("RNNRegressor", {"truncation": 2}, RAGGED, NUMBERS),
    ("RNNRegressor", {"truncation": 2}, SIGNALS, NUMBERS),
    (*_layers("Classifier", Embedding(9, 4, mask_zero=True), GRU(5)), ENDED, CLASSES),
    (*_layers("Classifier", Embedding(9, 4), GRU(5)), WORDS, CLASSES),
    (*_layers("Classifier", Embedding(9, 4), Flatten(), Dense(5)), WORDS, CLASSES),
    (*_layers("Classifier", OneHot(9), Conv1D(4, 3), GlobalMaxPool()), WORDS, CLASSES),
    (
        *_layers("Classifier", Conv1D(4, 3, padding="same"), Conv1D(4, 2, strides=2), LastStep()),
        LONG, CLASSES,
    ),
    (
        *_layers("Classifier", MemberLinear(4, members=3), Activation("gelu"), MemberHeads(3)),
        ROWS, CLASSES,
    ),
]  # fmt: skip
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def padded(X, steps=None):
    """Return sequences in one array, with NaN after the end of each."""
    if not isinstance(X, list):
        return X
    found = np.full((len(X), steps or max(map(len, X)), X[0].shape[1]), np.nan)
    for row, sequence in zip(found, X, strict=True):
        row[: len(sequence)] = sequence
    return found


def assert_predicts(estimator, runtimes, X, dtype):
    """Assert that all outputs are those of the estimator."""
    values = padded(X)
    values = values if values.dtype == np.uint8 else values.astype(dtype)
    expected = [estimator.predict(X)]
    if hasattr(estimator, "predict_proba"):
        expected.append(estimator.predict_proba(X))
    for runtime, run in runtimes.items():
        for found, wanted in zip(run({"X": values}), expected, strict=True):
            if isinstance(wanted, list):  # of steps, up to the end of each sequence
                found = np.concatenate([a[: len(b)] for a, b in zip(found, wanted, strict=True)])
                wanted = np.concatenate(wanted)
            found = found.reshape(wanted.shape)
            if wanted.dtype.kind == "f":
                assert_same(found, wanted, dtype, runtime)
            else:
                assert (found == wanted).all(), runtime


def some(X, n):
    """Return n samples, again and again the same."""
    chosen = np.resize(np.arange(len(X)), n)
    return [X[i] for i in chosen] if isinstance(X, list) else X[chosen]


@dtypes
@pytest.mark.parametrize(
    ("kind", "parameters", "X", "y"), CASES, ids=[f"{k}-{c[0]}" for k, c in enumerate(CASES)]
)
def test_predictions(kind, parameters, X, y, dtype):
    """Batches of any size in one session, and equal bytes for equal estimators."""
    estimator = make(kind, **parameters, dtype=dtype).fit(X, y)
    model = to_onnx(estimator)
    assert model.SerializeToString() == to_onnx(copy.deepcopy(estimator)).SerializeToString()
    runtimes = runs(model)
    for n in (1, 3, 1000):
        assert_predicts(estimator, runtimes, some(X, n), dtype)


@dtypes
@pytest.mark.parametrize("opset", range(17, onnx.defs.onnx_opset_version() + 1))
@pytest.mark.parametrize("kind", ["MLPClassifier", "CNNClassifier", "RNNClassifier"])
def test_operator_sets(kind, opset, dtype):
    estimator = fitted(kind, dtype=dtype)
    model = to_onnx(estimator, opset=opset)
    assert model.opset_import[0].version == opset
    assert_predicts(estimator, runs(model), some(KINDS[kind][2], 3), dtype)


@dtypes
def test_sequences_of_other_lengths(dtype):
    """Longer ones than in the fit, and those that are shorter than a kernel."""
    layers = [Conv1D(4, 3, activation="relu"), GlobalMaxPool()]
    for estimator in (
        fitted("RNNClassifier", dtype=dtype),
        make("NeuralNetworkClassifier", layers=layers, dtype=dtype).fit(LONG, CLASSES),
    ):
        runtimes = runs(to_onnx(estimator))
        for steps in ([1], [2, 1], [3, 1, 12]):
            X = [_RNG.standard_normal((n, 2)) for n in steps]
            assert_predicts(estimator, runtimes, X, dtype)


@pytest.mark.parametrize(
    "layer",
    [
        GRU(2, activation="relu", return_sequences=True, go_backwards=True),
        Bidirectional(LSTM(2, return_sequences=True)),
        Conv1D(2, 3, padding="same"),
    ],
)
@dtypes
def test_features_of_every_step(layer, dtype):
    """Features after the end of a sequence are those of `transform`, too."""
    X = np.random.default_rng(0).standard_normal((6, 5, 3)).astype(dtype)
    X[::2, 3:] = np.nan
    layers = [("first", layer), ("second", TimeDistributed(Dense(2))), GlobalMaxPool()]
    network = make("NeuralNetworkClassifier", layers=layers, dtype=dtype).initialize(X, [0, 1] * 3)
    for name in ("first", "second"):
        extractor = FeatureExtractor(network, name).fit(X)
        for run in runs(to_onnx(extractor)).values():
            assert_same(run({"X": X})[0], extractor.transform(X), dtype, name)


def test_steps_after_the_end_are_nan():
    estimator = fitted("RNNRegressor, steps")
    for run in runs(to_onnx(estimator)).values():
        (y,) = run({"X": padded(RAGGED, 9).astype(network_of(estimator).dtype)})
        ended = np.arange(9) >= np.array([len(x) for x in RAGGED])[:, np.newaxis]
        assert (np.isnan(y[..., 0]) == ended).all()


def test_types_of_inputs_and_outputs():
    def types(kind, **parameters):
        graph = to_onnx(fitted(kind, **parameters)).graph
        return [
            (value.name, value.type.tensor_type.elem_type)
            for value in (*graph.input, *graph.output)
        ]

    proto = onnx.TensorProto
    one = [("X", proto.FLOAT), ("label", proto.INT64), ("probabilities", proto.FLOAT)]
    assert types("MLPClassifier", dtype="float32") == one
    assert types("CNNRegressor", dtype="float64") == [
        ("X", proto.DOUBLE),
        ("variable", proto.DOUBLE),
    ]
    model = to_onnx(make("CNNClassifier").fit(BYTES, NAMES))
    kinds = [
        value.type.tensor_type.elem_type for value in (*model.graph.input, *model.graph.output)
    ]
    assert kinds[:2] == [proto.UINT8, proto.STRING]
    axes = to_onnx(fitted("RNNRegressor, steps")).graph.output[0].type.tensor_type.shape.dim
    assert [axis.dim_param or axis.dim_value for axis in axes] == ["n", "steps", 1]


def test_zipmap():
    estimator = make("MLPClassifier", dtype="float32").fit(ROWS, NAMES)
    X = ROWS.astype("float32")
    p = estimator.predict_proba(X)
    run = runs(to_onnx(estimator, zipmap="columns"))["onnxruntime"]
    label, *columns = run({"X": X})
    assert (label == estimator.predict(X)).all()
    assert_same(np.hstack(columns), p, "float32")
    outputs = to_onnx(estimator, zipmap="columns").graph.output
    assert [output.name for output in outputs] == ["label", "sant", "sbee", "scat"]
    for dtype in ("float32", "float64"):
        estimator = make("MLPClassifier", dtype=dtype).fit(ROWS, CLASSES)
        own = session(to_onnx(estimator, zipmap=True))  # the reference does not have the operator
        _, maps = own.run(None, {"X": ROWS.astype(dtype)})
        assert list(maps[0]) == [0, 1, 2]
        assert_same([list(row.values()) for row in maps], estimator.predict_proba(ROWS), "float32")


@pytest.mark.parametrize(
    ("y", "zipmap", "message"),
    [
        (CLASSES, "rows", "must be False, True or 'columns'"),
        (SEVERAL, True, "for one label a sample"),
        (CLASSES.astype(float), "columns", "strings or whole numbers"),
    ],
)
def test_invalid_zipmap(y, zipmap, message):
    estimator = make("MLPClassifier").fit(ROWS, y)
    with pytest.raises(ValueError, match=message):
        to_onnx(estimator, zipmap=zipmap)


def test_metadata():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(ROWS, columns=["a", "b", "c", "d"])
    model = to_onnx(make("MLPClassifier").fit(frame, NAMES))
    found = {entry.key: entry.value for entry in model.metadata_props}
    assert found["class"] == "MLPClassifier"
    assert found["version"] == model.producer_version
    assert json.loads(found["classes"]) == ["ant", "bee", "cat"]
    assert json.loads(found["feature_names"]) == ["a", "b", "c", "d"]


class OwnLayer(Layer):
    """A layer of a user."""

    def output_shape(self, shape):
        return shape

    def lower(self, builder, slot):
        return slot


class OwnDense(Dense):
    """A layer of a user that may compute something else."""

    def lower(self, builder, slot):
        return super().lower(builder, slot)


class OwnGRU(GRU):
    """A layer of a user that may compute something else."""

    def lower(self, builder, slot):
        return super().lower(builder, slot)


@pytest.mark.parametrize(
    "layer",
    [
        OwnLayer(),
        OwnDense(4),
        [Reshape((2, 2)), ("mine", Bidirectional(OwnGRU(2)))],
    ],
    ids=["layer", "subclass", "inner"],
)
def test_a_users_layer_is_named(layer):
    mine = layer if isinstance(layer, list) else [("mine", layer)]
    network = make("NeuralNetworkClassifier", layers=[Residual(mine)])
    network.initialize(ROWS, CLASSES)
    with pytest.raises(NotImplementedError, match=r"layer 'residual1\.mine'.*no form in ONNX"):
        to_onnx(network)


class OwnActivate(Dense):
    """A layer of a user that activates otherwise."""

    def activate(self, builder, slot):
        return super().activate(builder, super().activate(builder, slot))


class OwnActivation(Activation):
    """An activation of a user."""

    def lower(self, builder, slot):
        return super().lower(builder, super().lower(builder, slot))


class OwnUnit(GRU):
    """A recurrent layer of a user."""

    def lower_into(self, *arguments, **named):
        return super().lower_into(*arguments, **named)


class SameUnit(LSTM):
    """A recurrent layer of a user that has another name only."""


@pytest.mark.parametrize(
    ("layer", "named"),
    [
        (TimeDistributed(OwnActivate(2, activation="tanh")), "'mine': OwnActivate"),
        (TimeDistributed(Dense(2, activation=OwnActivation("tanh"))), "'mine': OwnActivation"),
        (Bidirectional(OwnUnit(2, return_sequences=True)), "'mine': OwnUnit"),
        (OwnUnit(2, return_sequences=True), "'mine': OwnUnit"),
    ],
)
def test_a_users_part_of_a_layer_is_named(layer, named):
    X = np.zeros((4, 5, 3))
    network = make("NeuralNetworkClassifier", layers=[("mine", layer), GlobalAveragePool()])
    network.initialize(X, [0, 1, 0, 1])
    with pytest.raises(NotImplementedError, match=f"layer {named} has no form in ONNX"):
        to_onnx(network)


@pytest.mark.parametrize("layer", [SameUnit(2), Bidirectional(SameUnit(2))])
@dtypes
def test_a_users_layer_that_computes_the_same(layer, dtype):
    X = np.random.default_rng(0).standard_normal((6, 5, 3))
    network = make("NeuralNetworkClassifier", layers=[layer], dtype=dtype)
    network.initialize(X, [0, 1] * 3)
    assert_predicts(network, runs(to_onnx(network)), X, dtype)


def same(to, layer, x):
    return x


def test_a_users_layer_can_be_registered(monkeypatch):
    from sklearn_nn.onnx import network as exporters

    monkeypatch.setattr(exporters, "_FORMS", dict(exporters._FORMS))
    exporters.form_of(OwnLayer)(same)
    network = make("NeuralNetworkClassifier", layers=[OwnLayer()]).initialize(ROWS, CLASSES)
    assert_predicts(network, runs(to_onnx(network)), ROWS, network_of(network).dtype)


@pytest.mark.parametrize("opset", [16, 10_000, "17", 17.5])
def test_unknown_operator_set(opset):
    with pytest.raises(ValueError, match=f"opset={opset!r} is not supported; use 17 to"):
        to_onnx(fitted("MLPClassifier"), opset=opset)


def test_labels():
    assert labels_of(np.array([False, True])).dtype == np.int64
    assert labels_of(np.array(["a", "bc"], dtype=object)).dtype == np.array(["bc"]).dtype
    with pytest.raises(ValueError, match=r"labels of the type datetime64.*ONNX does not have"):
        labels_of(np.array(["2020", "2021"], dtype="datetime64[D]"))
    with pytest.raises(ValueError, match="holds 9223372036854775809, but"):
        labels_of(np.array([1, 2**63 + 1], dtype=np.uint64))


def test_other_objects():
    with pytest.raises(TypeError, match=r"got the class MLPClassifier; pass an instance"):
        to_onnx(MLPClassifier)
    with pytest.raises(TypeError, match="exports networks, FeatureExtractor and TableEncoder of"):
        to_onnx(ROWS)


def test_the_missing_package_is_named(monkeypatch):
    estimator = fitted("MLPClassifier")
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn_nn\[onnx\]"'):
        to_onnx(estimator)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("conformal_fraction", [0.0, 0.3])
@pytest.mark.parametrize("several", [False, True])
def test_quantiles(several, conformal_fraction, dtype):
    """The first output is what `predict` returns, the second what `predict_quantiles` returns."""
    y = np.column_stack([100 * NUMBERS + 7, NUMBERS**2]) if several else 100 * NUMBERS + 7
    options = {"loss": "quantile", "quantile": [0.2, 0.4, 0.6, 0.8], "max_iter": 3}
    model = make("MLPRegressor", dtype=dtype, conformal_fraction=conformal_fraction, **options)
    model.fit(ROWS, y)
    middle, levels = model.predict(ROWS), model.predict_quantiles(ROWS)
    for run in runs(to_onnx(model)).values():
        variable, quantiles = run({"X": ROWS.astype(dtype)})
        assert_same(variable.reshape(middle.shape), middle, dtype)
        assert_same(quantiles, levels, dtype)
        assert (np.diff(quantiles, axis=-1) >= 0).all()
