"""Errors about samples that cannot be read say what to do, in the terms of what reads them."""

import re

import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    RNNClassifier,
    RNNRegressor,
    TabularClassifier,
)
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.inspection import FeatureMapDisplay, SaliencyDisplay, occlusion_map, saliency_map
from sklearn_nn.layers import GRU, Conv2D, Dense, Embedding, Flatten

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 12
Y = np.arange(N) % 2
ROWS = RNG.standard_normal((N, 6))
SIGNALS = [RNG.standard_normal(3 + i % 3) for i in range(N)]
STEPS = [RNG.standard_normal((3 + i % 3, 2)) for i in range(N)]
EVEN = [RNG.standard_normal(6) for _ in range(N)]
IMAGES = RNG.standard_normal((N, 6, 5))


def rnn(**parameters):
    return RNNClassifier(3, max_iter=1, random_state=0, **parameters)


def gru(**parameters):
    return NeuralNetworkClassifier([GRU(3)], max_iter=1, random_state=0, **parameters)


def cnn(**parameters):
    return CNNClassifier(2, max_iter=1, random_state=0, **parameters)


def mlp():
    return MLPClassifier(3, max_iter=1, random_state=0)


def objects(items):
    found = np.empty(len(items), dtype=object)
    for i, item in enumerate(items):
        found[i] = item
    return found


def error_of(call, *args):
    with pytest.raises(ValueError) as caught:
        call(*args)
    return str(caught.value)


# --- NaN -----------------------------------------------------------------------------------------


def ended():
    """Rows of unequal length, with NaN behind their ends."""
    X = ROWS.copy()
    X[::2, 4:] = np.nan
    X[1, 5] = np.nan
    return X


def _forms(X):
    """The rows in every form, and how each gets an axis."""
    yield X, "X[:, :, np.newaxis]"
    yield X.astype("float32"), "X[:, :, np.newaxis]"
    yield X.astype(object), "X[:, :, np.newaxis]"
    yield X.tolist(), "np.asarray(X)[:, :, np.newaxis]"
    yield [[None if x != x else x for x in row] for row in X.tolist()], "np.asarray(X)[:, :, np"
    pd = pytest.importorskip("pandas")
    for dtype in ("float64", "Float64"):
        yield pd.DataFrame(X).astype(dtype), "X.astype(float).to_numpy()[:, :, np.newaxis]"


@pytest.mark.parametrize("make", [rnn, gru, lambda: RNNRegressor(3, max_iter=1)])
def test_rows_that_end_in_nan_lack_an_axis(make):
    for X, axis in _forms(ended()):
        told = error_of(make().fit, X, Y)
        assert told.startswith("Input X contains NaN at the end of rows.")
        assert axis in told
        assert "list of arrays" in told
        assert "HistGradientBoosting" not in told
    make().fit(ended()[:, :, np.newaxis], Y)  # what is advised
    make().fit([row[~np.isnan(row)] for row in ended()], Y)


def test_the_axis_at_predict_and_elsewhere():
    fitted = rnn().fit(ROWS, Y)
    for call in (fitted.predict, fitted.predict_proba, lambda X: fitted.score(X, Y)):
        assert "X[:, :, np.newaxis]" in error_of(call, ended())
    told = error_of(lambda X: rnn().fit(ROWS, Y, X_val=X, y_val=Y), ended())
    assert "X_val" in told
    assert "[:, :, np.newaxis]" in told
    assert "[:, :, np.newaxis]" in error_of(rnn().partial_fit, ended(), Y, None, [0, 1])


def test_rows_of_several_channels_are_reshaped():
    for make in (rnn, gru):
        told = error_of(make(input_shape=(3, 2)).fit, ended(), Y)
        assert "X.reshape(len(X), 3, 2)" in told
        make().fit(ended().reshape(N, 3, 2)[:, :2], Y)


def test_nan_that_is_no_padding():
    inside = ROWS.copy()
    inside[3, 2] = np.nan
    for make in (rnn, gru):
        told = error_of(make().fit, inside, Y)
        assert told.startswith("Input X contains NaN, not only at the end of rows.")
        assert "fill or drop it elsewhere" in told
    images = IMAGES.copy()
    images[3, 2, 1] = np.nan
    told = error_of(rnn().fit, images, Y)
    assert told.startswith("Input X contains NaN. NaN may be padding after the last step")


def test_nan_where_there_are_no_sequences():
    images = IMAGES.copy()
    images[3, 2, 1] = np.nan
    for X in (images, images[..., np.newaxis], images.reshape(N, -1), list(images)):
        told = error_of(cnn().fit, X, Y)
        assert told.startswith("Input X contains NaN, which CNNClassifier does not accept; fill it")
    dense = NeuralNetworkClassifier([Dense(3)], max_iter=1)
    assert "NeuralNetworkClassifier does not accept; fill it" in error_of(dense.fit, ended(), Y)
    # A table of numbers is what scikit-learn's advice is for.
    assert "HistGradientBoosting" in error_of(mlp().fit, ended(), Y)


# --- cells that are sequences --------------------------------------------------------------------


@pytest.mark.parametrize("samples", [SIGNALS, STEPS, EVEN, list(IMAGES)])
@pytest.mark.parametrize("make", [rnn, gru, cnn])
def test_a_frame_of_sequences_is_passed_as_a_list(make, samples):
    pd = pytest.importorskip("pandas")
    cells = {
        "ndarray": samples,
        "list": [x.tolist() for x in samples],
        "Series": [pd.Series(list(x)) for x in samples],
    }
    for kind, column in cells.items():
        frame = pd.DataFrame({"signal": objects(column), "other": objects(column)})
        for X in (frame, frame[["signal"]], frame.assign(size=1.0)):
            told = error_of(make().fit, X, Y)
            assert told.startswith(f"X['signal'] has cells of type {kind}")
            assert "list(X['signal'])" in told
        array = frame[["signal"]].to_numpy()
        assert "list(X[:, 0])" in error_of(make().fit, array, Y)
    if make is rnn:
        fitted = rnn().fit(list(frame["signal"].map(np.stack)), Y)  # what is advised
        assert "list(X[:, 0])" in error_of(fitted.predict, array)


def test_a_table_of_sequences_is_stacked():
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"signal": objects(EVEN)})
    assert "np.stack(X['signal'])" in error_of(mlp().fit, frame, Y)
    assert "np.stack(X)" in error_of(mlp().fit, frame["signal"], Y)
    assert "np.stack(X).reshape(len(X), -1)" in error_of(mlp().fit, objects(list(IMAGES)), Y)
    np.testing.assert_array_equal(
        mlp().fit(np.stack(frame["signal"]), Y).predict_proba(EVEN),
        mlp().fit(EVEN, Y).predict_proba(np.stack(EVEN)),
    )


@pytest.mark.parametrize("make", [rnn, cnn])
@pytest.mark.parametrize("samples", [EVEN, list(IMAGES)])
def test_columns_and_arrays_of_samples_are_samples(make, samples):
    """A Series, or an array of objects, of arrays of one shape is what the list of them is."""
    pd = pytest.importorskip("pandas")
    expected = make().fit(samples, Y).predict_proba(samples)
    for X in (objects(samples), pd.Series(objects(samples)), tuple(samples)):
        found = make().fit(X, Y)
        np.testing.assert_array_equal(found.predict_proba(X), expected)
        np.testing.assert_array_equal(found.predict_proba(samples), expected)


# --- samples that make no array ------------------------------------------------------------------


def test_samples_of_several_shapes():
    told = error_of(cnn().fit, [x[: 4 + i % 2] for i, x in enumerate(IMAGES)], Y)
    assert "shapes (4, 5) and (5, 5)" in told
    assert "resize_images(X, size)" in told
    for signals in (SIGNALS, [x.tolist() for x in SIGNALS], [tuple(x) for x in SIGNALS]):
        for X in (signals, objects(signals)):
            told = error_of(cnn().fit, X, Y)
            assert "shapes (3,) and (4,)" in told
            assert "RNNClassifier or RNNRegressor takes any" in told
    assert "same axes" in error_of(rnn().fit, [*SIGNALS[:6], *STEPS[6:]], Y)
    assert "X[0] holds lists of unequal length" in error_of(cnn().fit, [[[1, 2], [3]]] * N, Y)


@pytest.mark.parametrize("nothing", [None, np.nan, "a", 3.0])
@pytest.mark.parametrize("make", [rnn, gru, cnn, mlp])
def test_samples_that_are_none(make, nothing):
    pd = pytest.importorskip("pandas")
    for samples in (SIGNALS, EVEN, STEPS):
        listed = [*samples[:2], nothing, *samples[3:]]
        for X in (listed, objects(listed), pd.Series(objects(listed))):
            told = error_of(make().fit, X, Y)
            assert told.startswith(f"X[2] is {nothing!r}, which is")
            assert "leave it out, with its target" in told


@pytest.mark.parametrize("make", [rnn, gru, cnn, mlp])
def test_one_axis_is_too_few(make):
    for X in (ROWS[:, 0], ROWS[:, 0].tolist(), ROWS[:, 0].astype(object), 3.0, []):
        assert "Expected 2D array" in error_of(make().fit, X, Y)


# --- text, categories and missing values in tables ------------------------------------------------


def tables():
    """Tables that are not of numbers, and the beginning of scikit-learn's message about each."""
    pd = pytest.importorskip("pandas")
    numbers = pd.DataFrame({"a": ROWS[:, 0], "b": ROWS[:, 1]})
    city = ["x", "y", "z"] * (N // 3)
    missing = numbers.copy()
    missing.iloc[3, 0] = np.nan
    no_number, nan = r"could not convert string to float: .*'x'\)?\n", r"Input X contains NaN\.\n"
    no_text = r"dtype='numeric' is not compatible with .*\n"
    no_value = r"Input contains missing values \(pd\.NA\); fill or drop them first\.\n"
    some = pd.array([1, None] + [2] * (N - 2), dtype="Int64")
    return {
        "text": (numbers.assign(city=city), no_number),
        "categories": (numbers.assign(city=pd.Categorical(city)), no_number),
        "strings": (numbers.assign(city=pd.array(city, dtype="string")), no_number),
        "objects": (numbers.assign(city=city).to_numpy(), no_number),
        "characters": (np.array([city, city]).T, f"{no_number}|{no_text}"),
        "list": ([["x", 1.0]] * N, f"{no_number}|{no_text}"),
        "nan": (missing, nan),
        "array with nan": (missing.to_numpy(), nan),
        "nullable": (numbers.assign(c=some), nan),
        "None": (np.array([[1.0, None]] * N, dtype=object), nan),
        "pd.NA": (
            np.array([[1.0, pd.NA]] * N, dtype=object),
            no_value,
        ),
    }


KINDS_OF_TABLES = (
    "text", "categories", "strings", "objects", "characters", "list", "nan", "array with nan",
    "nullable", "None", "pd.NA",
)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS_OF_TABLES)
@pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_tables_name_what_reads_them(kind, Estimator):
    """scikit-learn's message remains the first part; in every method that reads X."""
    X, start = tables()[kind]
    tabular = Estimator.__name__.replace("MLP", "Tabular")
    told = re.compile(
        rf"({start})(.*\n)*{tabular} takes text, categories and missing values as they are; before "
        rf"{Estimator.__name__}, TableEncoder makes them numbers: make_pipeline\(TableEncoder\(\), "
        rf"{Estimator.__name__}\(\)\), from sklearn_nn\.estimators\.table_encoder\.$"
    )
    assert told.match(error_of(Estimator().fit, X, Y))
    classes = {"classes": [0, 1]} if Estimator is MLPClassifier else {}
    with pytest.raises(ValueError, match=told):
        Estimator().partial_fit(X, Y, **classes)
    numbers = np.ones((N, np.shape(X)[1]))
    model = Estimator(hidden_layer_sizes=2, max_iter=1).fit(numbers, Y)
    if hasattr(X, "columns"):
        model.feature_names_in_ = np.array(X.columns, dtype=object)
    assert told.match(error_of(model.predict, X))
    assert told.match(error_of(model.score, X, Y))
    with pytest.raises(ValueError, match=r"The validation set \(X_val, y_val\): " + told.pattern):
        model.fit(numbers, Y, X_val=X, y_val=Y)


@pytest.mark.parametrize("make", [cnn, rnn, gru])
def test_frames_of_text_for_images_and_sequences(make):
    X, _ = tables()["text"]
    assert "\nTabularClassifier takes text" in error_of(make().fit, X, Y)
    images = IMAGES.copy()
    images[0, 0, 0] = np.nan
    assert "Tabular" not in error_of(cnn().fit, images, Y)


@pytest.mark.parametrize("kind", ["text", "nan"])
def test_the_remedies_work(kind):
    X, _ = tables()[kind]
    for model in (
        TabularClassifier(max_iter=2, random_state=0),
        make_pipeline(TableEncoder(), MLPClassifier(max_iter=5, random_state=0)),
    ):
        assert model.fit(X, Y).predict(X).shape == (N,)


# --- one sample in place of several ---------------------------------------------------------------

THREE = RNG.standard_normal((N, 6, 5, 3))
CUBES = RNG.standard_normal((N, 5, 2))
INDICES = RNG.integers(0, 5, (N, 7))


def layered(*layers, **parameters):
    return NeuralNetworkClassifier(list(layers), max_iter=1, random_state=0, **parameters)


#: By name: a network, its samples.
OF_SAMPLES = {
    "grey images": (cnn, IMAGES),
    "images": (cnn, THREE),
    "channels first": (lambda: cnn(data_format="channels_first"), np.moveaxis(THREE, -1, 1)),
    "one channel": (cnn, THREE[..., :1]),
    "signals": (lambda: cnn(input_shape=(5, 2)), CUBES),
    "rows as images": (lambda: cnn(input_shape=(3, 2)), ROWS),
    "sequences": (rnn, CUBES),
    "unequal sequences": (rnn, STEPS),
    "rows as sequences": (rnn, ROWS),
    "unequal signals": (rnn, SIGNALS),
    "convolution": (lambda: layered(Conv2D(2, 3), Flatten()), THREE),
    "dense": (lambda: layered(Dense(4)), ROWS),
    "recurrent": (gru, CUBES),
    "indices": (lambda: layered(Embedding(5, 2), GRU(2)), INDICES),
    "mlp": (mlp, ROWS),
}


@pytest.mark.parametrize("kind", OF_SAMPLES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_one_sample(kind):
    make, X = OF_SAMPLES[kind]
    model = make().fit(X, Y)
    end = "\nX has the shape of one sample; pass X[:1] in place of X[0], or [x] for a "
    end += "single sample x."
    assert error_of(model.predict, X[0]).endswith(end)
    assert error_of(model.predict_proba, X[0]).endswith(end)
    error = error_of(lambda: model.fit(X, Y, X_val=X[0], y_val=Y[:1]))
    assert error.startswith("The validation set (X_val, y_val): ")
    assert error.endswith(end)
    one = model.predict_proba(X[:1])
    np.testing.assert_array_equal(one, model.predict_proba([X[0]]))
    np.testing.assert_allclose(one, model.predict_proba(X)[:1], rtol=1e-6)


def test_other_shapes_are_not_taken_for_one_sample():
    model = cnn().fit(IMAGES, Y)
    for X in (IMAGES[:, :, :4], IMAGES[0, :, :4], IMAGES[0, 0], THREE):
        assert "one sample" not in error_of(model.predict, X)
    assert "one sample" not in error_of(mlp().fit, ROWS[0], Y)


ONE_IMAGE = [
    saliency_map, occlusion_map, SaliencyDisplay.from_estimator,
    lambda model, X: FeatureMapDisplay.from_estimator(model, X, layer="conv1"),
    lambda model, X: FeatureExtractor(model, "conv1").fit(IMAGES).transform(X),
]  # fmt: skip


@pytest.mark.parametrize("show", ONE_IMAGE)
def test_one_image_in_inspection(show):
    model = cnn().fit(IMAGES, Y)
    assert "pass X[:1] in place of X[0]" in error_of(show, model, IMAGES[0])
    show(model, IMAGES[:1])


def test_one_row_of_a_table():
    X, _ = tables()["text"]
    model = TabularClassifier(max_iter=2, random_state=0).fit(X, Y)
    end = "\nA table of one row is X[:1], and one of one column X[['name']]."
    for one in (X.iloc[0], X.to_numpy()[0], X.iloc[0].tolist()):
        assert error_of(model.predict, one).endswith(end)
    assert error_of(TabularClassifier().fit, X["a"], Y).endswith(end)
    assert error_of(TableEncoder().fit, X["a"]).endswith(end)
    assert model.predict(X[:1]) == model.predict(X)[0]
    assert model.fit(X[["a"]], Y).n_features_in_ == 1
