"""Attributions against a naive integral, and what they add up to for every estimator."""

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.digits import IMAGES, LABELS, fitted_quietly
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
)
from sklearn_nn.inspection import AttributionDisplay, attributions
from sklearn_nn.layers import (
    LSTM,
    CategoryEmbedding,
    Conv1D,
    Dense,
    Embedding,
    Flatten,
    GlobalAveragePool,
    OneHot,
    Parallel,
)

RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((80, 4))
SIGNALS = RNG.standard_normal((60, 6, 2))
SEQUENCES = [RNG.standard_normal((n, 2)) for n in RNG.integers(4, 10, 60)]
WORDS = RNG.integers(1, 9, (60, 6))
TABLE = pd.DataFrame(
    {
        "number": RNG.standard_normal(150),
        "gap": np.where(RNG.random(150) < 0.2, np.nan, RNG.random(150)),
        "few": RNG.choice(["x", "y", "z", None], 150),
        "two": RNG.choice(["no", "yes"], 150),
        "many": RNG.choice(list("abcdefghijklmnop"), 150),
    }
)
OF_TABLE = 2 * TABLE["number"] + 3 * (TABLE["few"] == "x") + TABLE["gap"].fillna(0)
TEXT = "hello world, this is text. " * 20
ONE = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 1).astype(int)
THREE = np.digitize(ROWS[:, 0] * ROWS[:, 1], [-0.3, 0.3])


def short(kind, *args, **options):
    """Return an estimator that trains for a moment."""
    return kind(*args, **({"max_iter": 5, "random_state": 0} | options))


# --- against naive integrals -------------------------------------------------------------------


def log_odds(p):
    return np.log(p) - np.log1p(-p)


def naive(function, X, background, n=400, eps=1e-5):
    """Integrate central differences at the middle of `n` equal parts of every path."""
    found = np.zeros(X.shape)
    places = ((np.arange(n) + 0.5) / n).reshape(-1, *[1] * (X.ndim - 1))
    for row, sample in zip(found, X, strict=True):
        for start in background:
            step = sample - start
            points = start + places * step
            for at in np.ndindex(row.shape):
                move = np.zeros(row.shape)
                move[at] = eps
                slopes = (function(points + move) - function(points - move)) / (2 * eps)
                row[at] += step[at] * slopes.mean() / len(background)
    return found


SMOOTH = {"activation": "tanh", "dtype": "float64", "learning_rate_init": 0.05}
NAIVE = {
    "binary": (short(MLPClassifier, 6, **SMOOTH), ROWS, ONE, 1),
    "first class": (short(MLPClassifier, 6, **SMOOTH), ROWS, ONE, 0),
    "classes": (short(MLPClassifier, 6, **SMOOTH), ROWS, THREE, 2),
    "labels": (short(MLPClassifier, 6, **SMOOTH), ROWS, np.c_[ONE, THREE > 0].astype(int), 1),
    "numbers": (short(MLPRegressor, hidden_layer_sizes=6, **SMOOTH), ROWS, ROWS**2, 2),
    "poisson": (
        short(MLPRegressor, hidden_layer_sizes=6, loss="poisson", **SMOOTH), ROWS, THREE, 0,
    ),
    "scaled": (
        short(
            NeuralNetworkRegressor, [Dense(6, activation="tanh")], loss="poisson", dtype="float64"
        ),
        ROWS, 1000.0 * THREE, 0,
    ),
    "signals": (
        short(NeuralNetworkClassifier, [Conv1D(3, 3), Flatten()], dtype="float64"),
        SIGNALS, SIGNALS[:, 0, 0] > 0, True,
    ),
    "recurrent": (short(RNNRegressor, 4, dtype="float64"), SIGNALS, SIGNALS.sum((1, 2)), 0),
}  # fmt: skip


@pytest.mark.parametrize("output", ["log_odds", "probability"])
@pytest.mark.parametrize("name", NAIVE)
def test_against_naive_integrals(name, output):
    model, X, y, target = NAIVE[name]
    model = fitted_quietly(model, X, y)
    place = 1 if target is True else target

    def function(points):
        if not hasattr(model, "predict_proba"):
            return model.predict(points).reshape(len(points), -1)[:, place]
        p = model.predict_proba(points)[:, place]
        return log_odds(p) if output == "log_odds" else p

    found = attributions(model, X[:2], X[5:8], target, output=output, tol=1e-7)
    assert found.values.shape == X[:2].shape
    expected = naive(function, X[:2], X[5:8])
    assert_allclose(found.values, expected, rtol=1e-4, atol=1e-5 * np.abs(expected).max())
    assert_allclose(found.outputs, function(X[:2]), rtol=1e-9)
    assert_allclose(found.base_values, function(X[5:8]).mean(), rtol=1e-9)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_of_a_linear_model_it_is_weight_times_distance_from_the_mean(dtype):
    """A short way to the result: no check of sums could tell a permutation of the columns."""
    y = LinearRegression().fit(ROWS, ROWS[:, 0]).predict(ROWS) * 3 + 50
    model = fitted_quietly(short(NeuralNetworkRegressor, [Dense(3)], dtype=dtype), ROWS, y)
    found = attributions(model, ROWS[:5], ROWS[10:])
    steps = np.eye(4)
    weights = model.predict(steps) - model.predict(0 * steps)
    expected = weights * (ROWS[:5] - ROWS[10:].mean(axis=0))
    assert np.abs(expected).max() > 0.1
    assert_allclose(found.values, expected, atol=2e-4 if dtype == "float32" else 1e-10)
    classifier = fitted_quietly(short(NeuralNetworkClassifier, [Dense(3)], dtype=dtype), ROWS, ONE)
    found = attributions(classifier, ROWS[:5], ROWS[10:])
    kernels = [layer["kernel"] for layer in classifier.layers_.values() if "kernel" in layer]
    weights = (kernels[0] @ kernels[1])[:, 0]
    expected = weights * (ROWS[:5] - ROWS[10:].mean(axis=0))
    assert_allclose(found.values, expected, atol=1e-5 if dtype == "float32" else 1e-12)


# --- what they add up to -----------------------------------------------------------------------


def _tabular(kind, architecture, **options):
    own = {"n_members": 3, "n_networks": 2} if architecture == "tabm" else {"n_networks": 3}
    return short(kind, architecture, hidden_layer_sizes=12, **own, **options)


EMBEDDED = [Embedding(9, 4), LSTM(5)]
NUMBERS_AND_CODES = np.c_[ROWS, RNG.integers(0, 3, 80), RNG.integers(0, 5, 80)]
SUMS = {
    "mlp": (short(MLPClassifier, 20), ROWS, THREE),
    "mlp regressor": (short(MLPRegressor, hidden_layer_sizes=20), ROWS, ROWS[:, 0] ** 2),
    "quantiles": (
        short(MLPRegressor, hidden_layer_sizes=20, loss="quantile", quantile=[0.1, 0.5, 0.8]),
        ROWS, 100 * ROWS[:, 0] ** 2,
    ),
    "tabm quantiles": (
        _tabular(TabularRegressor, "tabm", loss="quantile", quantile=[0.2, 0.4]), TABLE, OF_TABLE
    ),
    "cnn": (short(CNNClassifier, (4, 5)), IMAGES, LABELS),
    "cnn regressor": (short(CNNRegressor, (4, 5)), IMAGES, LABELS),
    "rnn": (short(RNNClassifier, 5), SIGNALS, SIGNALS[:, 0, 0] > 0),
    "windows": (short(RNNRegressor, 5, truncation=4), SIGNALS, SIGNALS[:, 0, 0]),
    "network": (short(NeuralNetworkClassifier, EMBEDDED), WORDS, WORDS[:, 0] > 4),
    "one-hot words": (short(NeuralNetworkClassifier, [OneHot(9), LSTM(5)]), WORDS, WORDS[:, 0]),
    "categories": (
        short(NeuralNetworkRegressor, [CategoryEmbedding([3, 5], 4), Dense(8, activation="relu")]),
        NUMBERS_AND_CODES, ROWS[:, 0],
    ),
    "realmlp": (_tabular(TabularClassifier, "realmlp"), TABLE, np.digitize(OF_TABLE, [0, 2])),
    "realmlp binary": (_tabular(TabularClassifier, "realmlp"), TABLE, OF_TABLE > 1),
    "tabm": (_tabular(TabularClassifier, "tabm"), TABLE, np.digitize(OF_TABLE, [0, 2])),
    "realmlp regressor": (_tabular(TabularRegressor, "realmlp"), TABLE, OF_TABLE),
    "periodic": (_tabular(TabularRegressor, "realmlp", num_embedding="periodic"), TABLE, OF_TABLE),
    "tabm regressor": (_tabular(TabularRegressor, "tabm"), TABLE, OF_TABLE),
    "tabm poisson": (_tabular(TabularRegressor, "tabm", loss="poisson"), TABLE, OF_TABLE**2),
}  # fmt: skip


def relative_errors(found):
    """Errors of the sums, relative to what the documentation says."""
    sizes = np.array([np.abs(value).sum() for value in found.values])
    return np.abs(found.errors) / np.maximum(np.abs(found.outputs - found.base_values), sizes / 100)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SUMS)
def test_they_add_up_to_the_difference_of_predictions(name, dtype):
    model, X, y = SUMS[name]
    model = fitted_quietly(model.set_params(dtype=dtype), X, y)
    found = attributions(model, X[:6], X[20:32], output="probability")
    assert found.values.shape == X[:6].shape
    assert np.abs(found.values).max() > 0
    assert (relative_errors(found) < 1.01e-3).all()
    if hasattr(model, "predict_proba"):
        places = np.searchsorted(model.classes_, found.target)
        if len(model.classes_) > 2:  # the most probable class by default, else the second
            assert_array_equal(found.target, model.predict(X[:6]))
        else:
            assert (places == 1).all()
        outputs = model.predict_proba(X[:6])[np.arange(6), places]
        base = model.predict_proba(X[20:32]).mean(axis=0)[places]
    else:
        outputs, base = model.predict(X[:6]), np.full(6, model.predict(X[20:32]).mean())
    assert_allclose(found.outputs, outputs, rtol=1e-5)
    assert_allclose(found.base_values, base, rtol=1e-5)


@pytest.mark.parametrize("return_sequences", [False, True])
def test_sequences_of_unequal_length(return_sequences):
    """Those of the background are cut; of the outputs of all steps, the last is explained."""
    y = [s[:, 0] > 0 for s in SEQUENCES] if return_sequences else [s[0, 0] > 0 for s in SEQUENCES]
    model = short(RNNClassifier, 4, return_sequences=return_sequences)
    model = fitted_quietly(model, SEQUENCES, y)

    def predicted(sequences):
        p = model.predict_proba(list(sequences))
        return np.array([own[-1, 1] for own in p] if return_sequences else p[:, 1])

    X = [SEQUENCES[0][:4], SEQUENCES[1][:3], SEQUENCES[2][:4]]
    background = [s for s in SEQUENCES if len(s) > 5][:5]
    found = attributions(model, X, background, output="probability")
    assert [value.shape for value in found.values] == [x.shape for x in X]
    assert_allclose(found.outputs, predicted(X), rtol=1e-6)
    cut = [predicted([b[: len(x)] for b in background]).mean() for x in X]
    assert_allclose(found.base_values, cut, rtol=1e-6)
    assert (relative_errors(found) < 1.01e-3).all()
    of_zero = attributions(model, X, 0.0, output="probability")
    assert_allclose(of_zero.base_values, predicted([0 * x for x in X]), rtol=1e-6)
    with pytest.raises(ValueError, match="sequence of 3 steps, but X one of 9"):
        attributions(model, [np.zeros((9, 2))], X)


def test_padding_of_words_has_no_attribution():
    X = np.where(np.arange(6) < RNG.integers(2, 7, 60)[:, np.newaxis], WORDS, 0)
    layers = [Embedding(9, 4, mask_zero=True), LSTM(5)]
    model = fitted_quietly(short(NeuralNetworkClassifier, layers), X, X[:, 0] > 4)
    found = attributions(model, X[:8], 0)
    assert [len(value) for value in found.values] == (X[:8] > 0).sum(axis=1).tolist()
    assert (relative_errors(found) < 1.01e-3).all()


def test_texts():
    """One value for each character, for the next one."""
    model = short(TextGenerator, 8, num_layers=1, sequence_length=10, batch_size=2).fit(TEXT)
    found = attributions(model, ["hello wor", "this is"], " ", output="probability")
    assert [len(value) for value in found.values] == [9, 7]
    assert "".join(found.data[1]) == "this is"
    assert (relative_errors(found) < 1.01e-3).all()
    assert found.values[0][5] == 0  # a space in both
    same = attributions(model, "hello wor", ["ld, this is text", "hello, world"], target="l")
    assert same.values.shape == (1, 9)
    assert same.target.tolist() == ["l"]
    with pytest.raises(ValueError, match=r"target='lo'.*single character"):
        attributions(model, "hello", " ", target="lo")
    with pytest.raises(ValueError, match="empty"):
        attributions(model, ["hello", ""], " ")


# --- tables ------------------------------------------------------------------------------------


@pytest.mark.parametrize("numeric", ["robust", "quantile"])
@pytest.mark.parametrize("architecture", ["realmlp", "tabm"])
def test_a_column_that_differs_gets_all(architecture, numeric):
    """Numbers, missing ones, one-hots and embedded categories; columns in another order, too."""
    model = _tabular(TabularRegressor, architecture, max_one_hot=5, numeric=numeric)
    model = fitted_quietly(model, TABLE, OF_TABLE)
    start = pd.DataFrame(
        {"number": [0.1], "gap": [0.4], "few": ["z"], "two": ["no"], "many": ["c"]}
    )
    others = {"number": 1.3, "gap": np.nan, "few": None, "two": "yes", "many": "unseen"}
    for column, value in others.items():
        row = start.copy()
        row[column] = [value]
        found = attributions(model, row[row.columns[::-1]], start)
        change = model.predict(row) - model.predict(start)
        place = list(TABLE).index(column)
        assert found.feature_names == list(TABLE)
        assert_array_equal(np.delete(found.values[0], place), 0)
        assert_allclose(found.values[0, place], change[0], rtol=1.1e-3)
        assert found.data[0, place] == value or pd.isna(value)


def test_dropped_and_unnamed_columns():
    table = TABLE.assign(name=[f"person {k}" for k in range(150)])[["name", *TABLE]]
    with pytest.warns(UserWarning, match="name"):
        model = _tabular(TabularRegressor, "realmlp").fit(table, OF_TABLE)
    found = attributions(model, table[:3], table[10:20])
    assert found.values.shape == (3, 6)
    assert_array_equal(found.values[:, 0], 0)
    model = fitted_quietly(_tabular(TabularRegressor, "realmlp"), ROWS, ROWS[:, 0])
    found = attributions(model, ROWS[:3].tolist(), ROWS[10:20])
    assert found.values.shape == (3, 4)
    assert found.feature_names is None


# --- inputs and parameters -----------------------------------------------------------------------


def test_steps_before_the_network_and_searches():
    frame = pd.DataFrame(ROWS * 100, columns=list("abcd"))
    network = short(MLPClassifier, 5)
    search = GridSearchCV(network, {"alpha": [0.1, 1]}, cv=2)
    model = fitted_quietly(make_pipeline(StandardScaler(), search), frame, ONE)
    found = attributions(model, frame[:4], frame[10:20])
    scaled = model[0].transform(frame)
    same = attributions(model[-1].best_estimator_, scaled[:4], scaled[10:20])
    assert_array_equal(found.values, same.values)
    assert_array_equal(found.data, scaled[:4].astype(found.data.dtype))
    whole = fitted_quietly(short(MLPClassifier, 5), frame, ONE)
    assert attributions(whole, frame[:2], frame[5:9]).feature_names == list("abcd")


def test_bytes_and_a_number_as_background():
    """A number is in units of the network, which scales bytes to 0..1."""
    X = (IMAGES * 255).astype(np.uint8)
    model = fitted_quietly(short(CNNClassifier, (4, 5)), X, LABELS)
    black, number = (attributions(model, X[:3], b) for b in (0 * X[:1], 0))
    assert_array_equal(black.values, number.values)
    assert black.values.shape == X[:3].shape


def test_channels_first():
    model = short(CNNRegressor, (4, 5), data_format="channels_first", dtype="float64")
    X = IMAGES.reshape(-1, 1, 8, 8)
    model = fitted_quietly(model, X, LABELS)
    found = attributions(model, X[:3], X[5:15])
    assert found.values.shape == (3, 1, 8, 8)
    assert (relative_errors(found) < 1.01e-3).all()


def test_threads_give_the_same_bits():
    model, X, y = SUMS["realmlp"]
    model = fitted_quietly(model, X, y)
    one = attributions(model, X[:9], X[20:40])
    two = attributions(model.set_params(n_jobs=2), X[:9], X[20:40])
    model.set_params(n_jobs=None)
    assert_array_equal(one.values, two.values)


def test_rows_do_not_depend_on_each_other(monkeypatch):
    """Nor on the blocks in which they are computed."""
    model, X, y = SUMS["mlp"]
    model = fitted_quietly(model.set_params(dtype="float64"), X, y)
    target = model.predict(X[:9])
    whole = attributions(model, X[:9], X[20:40], target)
    alone = attributions(model, X[4:5], X[20:40], target[4:5])
    assert_allclose(whole.values[4:5], alone.values, rtol=1e-12)
    monkeypatch.setattr("sklearn_nn.inspection._paths._BLOCK", 200)
    parts = attributions(model, X[:9], X[20:40], target)
    assert_allclose(whole.values, parts.values, rtol=1e-12)


def test_errors():
    model = fitted_quietly(short(MLPClassifier, 5), ROWS, ONE)
    with pytest.raises(ValueError, match=r"output='logit' must be 'log_odds' or 'probability'"):
        attributions(model, ROWS, ROWS, output="logit")
    for tol in (0, -1, True, "small", np.nan):
        with pytest.raises(ValueError, match="tol="):
            attributions(model, ROWS, ROWS, tol=tol)
    for max_points in (0, 2.5, True):
        with pytest.raises(ValueError, match="max_points="):
            attributions(model, ROWS, ROWS, max_points=max_points)
    with pytest.raises(ValueError, match="target=7 is not among the classes"):
        attributions(model, ROWS, ROWS, 7)
    with pytest.raises(ValueError, match="3 features"):
        attributions(model, ROWS, ROWS[:, :3])
    with pytest.raises(NotFittedError):
        attributions(MLPClassifier(), ROWS, ROWS)
    with pytest.raises(TypeError, match="attributions needs a network of sklearn_nn"):
        attributions(LinearRegression().fit(ROWS, ONE), ROWS, ROWS)
    table = fitted_quietly(_tabular(TabularRegressor, "realmlp"), TABLE, OF_TABLE)
    with pytest.raises(ValueError, match="background=0 is not a row of a table"):
        attributions(table, TABLE, 0)
    words = fitted_quietly(short(NeuralNetworkClassifier, EMBEDDED), WORDS, WORDS[:, 0] > 4)
    with pytest.raises(ValueError, match="X holds 12"):
        attributions(words, WORDS, 12)
    several = fitted_quietly(short(MLPRegressor, hidden_layer_sizes=5), ROWS, ROWS[:, :2])
    with pytest.raises(ValueError, match="has 2 outputs; choose one"):
        attributions(several, ROWS, ROWS)


def test_codes_that_are_looked_up_elsewhere():
    branches = Parallel([[Embedding(9, 4), GlobalAveragePool()], [OneHot(9), GlobalAveragePool()]])
    model = fitted_quietly(short(NeuralNetworkClassifier, [branches]), WORDS, WORDS[:, 0] > 4)
    with pytest.raises(ValueError, match="single Embedding, OneHot or CategoryEmbedding"):
        attributions(model, WORDS[:2], WORDS[4:6])


def test_too_few_points():
    model = fitted_quietly(short(MLPClassifier, 30), ROWS, ONE)
    with pytest.warns(ConvergenceWarning, match="increase that number"):
        attributions(model, ROWS[:5], ROWS[5:6], tol=1e-9, max_points=30)


# --- pictures ------------------------------------------------------------------------------------


def test_bars_of_one_row(plt):
    model, X, y = SUMS["realmlp regressor"]
    model = fitted_quietly(model, X, y)
    display = AttributionDisplay.from_estimator(model, X[:1], X[20:30], max_features=3)
    (ax,) = display.axes_
    labels = [label.get_text() for label in ax.get_yticklabels()]
    order = np.argsort(-np.abs(display.values[0]))
    assert [label.split(" = ")[0] for label in labels[:3]] == [list(X)[k] for k in order[:3]]
    assert labels[3] == "2 others"
    widths = [bar.get_width() for bar in ax.patches]
    assert_allclose(sum(widths), display.values[0].sum())
    assert f"{display.outputs[0]:.3g}" in ax.get_title()


def test_bars_of_several_rows(plt):
    model = fitted_quietly(short(MLPClassifier, 5), ROWS, ONE)
    display = AttributionDisplay.from_estimator(model, ROWS[:9], ROWS[20:30])
    widths = [bar.get_width() for bar in display.axes_[0].patches]
    assert_allclose(widths, np.sort(np.abs(display.values).mean(axis=0))[::-1])


@pytest.mark.parametrize("data_format", ["channels_last", "channels_first"])
def test_maps_of_images(plt, data_format):
    X = RNG.random((40, 6, 5, 3))
    X = X if data_format == "channels_last" else np.moveaxis(X, -1, 1)
    model = short(CNNClassifier, 4, data_format=data_format)
    model = fitted_quietly(model, X, RNG.integers(0, 2, 40))
    display = AttributionDisplay.from_estimator(model, X[:2], 0.5)
    assert display.axes_.shape == (2, 2)
    assert display.values.shape == (2, 6, 5, 3)
    drawn = display.axes_[1, 1].images[0].get_array()
    assert_allclose(drawn, display.values[1].sum(axis=-1))
    assert_allclose(display.axes_[1, 0].images[0].get_array().shape, (6, 5, 3))


def test_maps_of_vectors_signals_and_grey_images(plt):
    model = fitted_quietly(short(MLPClassifier, 5), IMAGES.reshape(-1, 64), LABELS)
    rows = IMAGES.reshape(-1, 64)
    display = AttributionDisplay.from_estimator(model, rows[:2], 0, input_shape=(8, 8, 1))
    assert display.values.shape == (2, 8, 8, 1)
    grey = fitted_quietly(short(CNNClassifier, 4), IMAGES, LABELS)
    display = AttributionDisplay.from_estimator(grey, IMAGES[:2], 0)
    assert display.values.shape == (2, 8, 8, 1)
    y = [s[0, 0] > 0 for s in SEQUENCES]
    model = fitted_quietly(short(RNNClassifier, 4), SEQUENCES, y)
    display = AttributionDisplay.from_estimator(model, SEQUENCES[:3], 0)
    assert display.values.shape == (3, max(map(len, SEQUENCES[:3])), 2)
    assert np.isnan(display.values).any()


def test_words_and_characters_in_order(plt):
    model = short(TextGenerator, 8, num_layers=1, sequence_length=10, batch_size=2).fit(TEXT)
    display = AttributionDisplay.from_estimator(model, ["is te", "lo world"], " ")
    labels = [label.get_text() for label in display.axes_[1].get_xticklabels()]
    assert "".join(labels) == "lo␣world"
    assert len(display.axes_[0].patches) == 5
    words = fitted_quietly(short(NeuralNetworkClassifier, EMBEDDED), WORDS, WORDS[:, 0] > 4)
    display = AttributionDisplay.from_estimator(words, WORDS[:2], 0)
    labels = [label.get_text() for label in display.axes_[1].get_xticklabels()]
    assert labels == [str(word) for word in WORDS[1]]


def test_to_shap_asks_for_shap(without):
    without("shap")
    model = fitted_quietly(short(MLPClassifier, 5), ROWS, ONE)
    with pytest.raises(ImportError, match="ecosystem"):
        attributions(model, ROWS[:2], 0).to_shap()
