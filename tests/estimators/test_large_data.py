"""Data that is larger than memory: images of bytes, and files that are mapped into memory."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    MLPClassifier,
    NeuralNetworkClassifier,
    find_learning_rate,
    load,
)
from sklearn_nn.layers import Flatten

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size` less than 1 or larger:UserWarning",
)
RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (120, 6, 8, 3), dtype=np.uint8)
FLOATS = BYTES.astype(np.float32) / np.float32(255)
Y = np.arange(120) % 3
LABELS = np.arange(90) % 3


def cnn(**options):
    """A small network for images."""
    defaults = {"filters": 4, "hidden_layer_sizes": 6, "batch_size": 32, "max_iter": 3}
    return CNNClassifier(**defaults | {"random_state": 0} | options)


def assert_same(a, b, X=FLOATS):
    """The two networks are one, to the last bit."""
    assert a._network.theta.dtype == b._network.theta.dtype
    np.testing.assert_array_equal(a._network.theta, b._network.theta)
    np.testing.assert_array_equal(a.predict_proba(X), b.predict_proba(X))


# --- images of bytes ---------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["auto", "float32", "float64"])
def test_bytes_are_floats_scaled(dtype):
    a, b = cnn(dtype=dtype).fit(BYTES, Y), cnn(dtype=dtype).fit(FLOATS, Y)
    assert a._network.theta.dtype == ("float64" if dtype == "float64" else "float32")
    assert a.n_features_in_ == 144
    assert a.input_shape_ == (6, 8, 3)
    assert_same(a, b)
    np.testing.assert_array_equal(a.predict_proba(BYTES), a.predict_proba(FLOATS))
    assert a.score(BYTES, Y) == b.score(FLOATS, Y)


def test_solvers_threads_and_outputs():
    y = FLOATS[:, 0, 0]
    for options in ({"solver": "lbfgs"}, {"n_jobs": 2}, {"n_jobs": 3, "dtype": "float64"}):
        networks = [
            CNNRegressor(4, hidden_layer_sizes=6, max_iter=3, random_state=0, **options).fit(X, y)
            for X in (BYTES, FLOATS)
        ]
        found = [network.predict(X) for network in networks for X in (BYTES, FLOATS)]
        for other in found[1:]:
            np.testing.assert_array_equal(other, found[0])


def test_bytes_everywhere_that_x_goes(tmp_path):
    """Validation set, split, callbacks' scores, warm start, resumption, partial_fit, rates."""

    def trained(X):
        half = X[:60], X[60:]
        model = cnn(early_stopping="best").fit(half[0], Y[:60], X_val=half[1], y_val=Y[60:])
        split = cnn(early_stopping=True, validation_fraction=0.3).fit(X, Y)
        again = cnn(warm_start=True).fit(X, Y).fit(X, Y)
        steps = cnn().partial_fit(half[0], Y[:60], classes=[0, 1, 2])
        steps.partial_fit(half[1], Y[60:], X_val=half[0], y_val=Y[:60])
        saved = cnn(max_iter=2).fit(X, Y)
        saved.save(tmp_path / "model")
        resumed = load(tmp_path / "model").set_params(warm_start="resume", max_iter=4).fit(X, Y)
        return [model, split, again, steps, resumed]

    for a, b in zip(trained(BYTES), trained(FLOATS), strict=True):
        assert a.history_["loss"] == b.history_["loss"]
        assert a.history_.get("val_score") == b.history_.get("val_score")
        assert_same(a, b)
    rates = [find_learning_rate(cnn(), X, Y, n_steps=5).losses for X in (BYTES, FLOATS)]
    np.testing.assert_array_equal(*rates)


@pytest.mark.parametrize("X", [BYTES, FLOATS, FLOATS.astype("float64")], ids=lambda X: X.dtype.name)
def test_channels_first(X):
    first = np.moveaxis(X, -1, 1)
    expected = cnn().fit(X, Y)
    for given in (np.ascontiguousarray(first), first):
        model = cnn(data_format="channels_first").fit(given, Y, X_val=given[:9], y_val=Y[:9])
        assert model.input_shape_ == (6, 8, 3)
        np.testing.assert_array_equal(model._network.theta, expected._network.theta)
        np.testing.assert_array_equal(model.predict_proba(given), expected.predict_proba(X))
        rows = X.reshape(120, -1)  # are channels last
        np.testing.assert_array_equal(model.predict_proba(rows), expected.predict_proba(X))


def test_orders_of_bytes_in_memory():
    expected = cnn().fit(BYTES, Y)
    wide = np.repeat(BYTES, 2, axis=2)[:, :, ::2]
    for given in (np.asfortranarray(BYTES), wide, BYTES[::-1].copy()[::-1]):
        model = cnn().fit(given, Y)
        assert_same(model, expected)
        np.testing.assert_array_equal(model.predict(given), expected.predict(BYTES))


def test_rows_of_bytes_are_images_where_samples_are():
    """The same images as rows, with `input_shape`, or after a fit to images."""
    rows = BYTES.reshape(120, -1)
    expected = cnn().fit(FLOATS, Y)
    assert_same(cnn(input_shape=(6, 8, 3)).fit(rows, Y), expected)
    np.testing.assert_array_equal(expected.predict_proba(rows), expected.predict_proba(FLOATS))
    np.testing.assert_array_equal(expected.predict_proba(BYTES), expected.predict_proba(FLOATS))


@pytest.mark.parametrize("Estimator", [MLPClassifier, NeuralNetworkClassifier])
def test_bytes_of_a_table_are_whole_numbers(Estimator):
    """Not scaled, and computed with in float64, as other integers are."""
    whole = RNG.integers(0, 9, (90, 5), dtype=np.uint8)
    model = Estimator(max_iter=3, random_state=0).fit(whole, LABELS)
    same = Estimator(max_iter=3, random_state=0).fit(whole.astype(float), LABELS)
    assert model._network.theta.dtype == np.float64
    np.testing.assert_array_equal(model._network.theta, same._network.theta)
    np.testing.assert_array_equal(model.predict_proba(whole), same.predict_proba(whole + 0.0))


def test_frames_of_bytes_are_tables():
    pd = pytest.importorskip("pandas")
    whole = BYTES.reshape(120, -1)
    frame = pd.DataFrame(whole, columns=[f"pixel{i}" for i in range(144)])
    model = NeuralNetworkClassifier([Flatten()], max_iter=3, random_state=0, input_shape=(144, 1))
    model.fit(frame, Y)
    numbers = frame.astype("float64")
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(numbers))


def test_tensors_of_bytes(torch):
    tensor, whole = torch.from_numpy(BYTES), torch.from_numpy(BYTES.reshape(120, -1))
    expected = cnn().fit(FLOATS, Y)
    assert_same(cnn().fit(tensor, torch.from_numpy(Y)), expected)
    np.testing.assert_array_equal(expected.predict_proba(whole), expected.predict_proba(FLOATS))


@pytest.mark.parametrize(
    ("X", "y", "options", "message"),
    [
        (BYTES, Y[:9], {}, "inconsistent numbers of samples"),
        (BYTES, None, {}, "requires y"),
        (BYTES, np.where(Y > 1, np.nan, Y), {}, "NaN"),
        (BYTES, Y, {"sample_weight": np.full(120, -1.0)}, "(?i)negative"),
        (BYTES, Y, {"sample_weight": np.ones(3)}, r"sample_weight.shape == \(3,\)"),
        (BYTES[:0], Y[:0], {}, r"0 sample\(s\)"),
        (BYTES, Y, {"X_val": BYTES[:, :5], "y_val": Y}, r"samples of shape \(5, 8, 3\)"),
        (BYTES, Y, {"X_val": BYTES[:9], "y_val": Y}, "inconsistent numbers of samples"),
    ],
)
def test_bytes_are_checked(X, y, options, message):
    with pytest.raises(ValueError, match=message):
        cnn().fit(X, y, **options)


def test_bytes_are_checked_at_predict():
    model = cnn().fit(BYTES, Y)
    with pytest.raises(ValueError, match=r"samples of shape \(6, 7, 3\)"):
        model.predict(BYTES[:, :, :7])
    with pytest.raises(ValueError, match="X has 140 features"):
        model.predict(BYTES.reshape(120, -1)[:, :140])


# --- files that are mapped into memory ---------------------------------------------------------

LIMIT = pytest.mark.skipif(sys.platform != "linux", reason="limits memory as Linux does")


def beside_the_file(folder, *case):
    """What large_fit.py says of a file of 200 MB."""
    script = Path(__file__).parents[1] / "helpers" / "processes" / "large_fit.py"
    command = [sys.executable, str(script), str(folder), *case, "200"]
    return subprocess.run(command, capture_output=True, text=True, timeout=900, check=False)


@LIMIT
@pytest.mark.parametrize(
    "case",
    [
        ("uint8", "images", "auto"),
        ("uint8", "rows", "auto"),
        ("uint8", "channels_first", "float64"),
        ("uint8", "table", "auto"),
        ("float32", "images", "auto"),
        ("float32", "rows", "auto"),
        ("float32", "table", "float32"),
        ("float64", "channels_first", "auto"),
    ],
    ids="-".join,
)
def test_nothing_of_a_file_is_copied(case, tmp_path):
    found = beside_the_file(tmp_path, *case)
    assert found.returncode == 0, found.stderr
    assert int(found.stdout) < 28e6  # the split alone, which is a tenth, would take 20 MB more


@LIMIT
def test_the_limit_is_one(tmp_path):
    """Where a copy cannot be avoided, since the network computes in another type, it is found."""
    found = beside_the_file(tmp_path, "float32", "images", "float64")
    assert found.returncode != 0
    assert "MemoryError" in found.stderr


def test_a_mapped_file_is_as_good_as_an_array(tmp_path):
    for X in (BYTES, FLOATS, FLOATS.astype("float64")):
        np.save(tmp_path / "X.npy", X)
        np.save(tmp_path / "y.npy", Y)
        expected = cnn(early_stopping=True).fit(X, Y)
        for mode in ("r", "c", "r+"):
            mapped, labels = (np.load(tmp_path / f"{n}.npy", mmap_mode=mode) for n in "Xy")
            model = cnn(early_stopping=True).fit(mapped, labels)
            assert_same(model, expected, X)
            np.testing.assert_array_equal(model.predict(mapped), expected.predict(X))


def test_the_split_is_what_it_was():
    """Stratified by class numbers as text, which is how the split has always been drawn."""
    from sklearn.model_selection import train_test_split

    labels = np.random.default_rng(1).integers(0, 12, 240)
    model = NeuralNetworkClassifier(max_iter=1, early_stopping=True, random_state=3)
    model.initialize(np.ones((240, 2)), labels)
    rows = np.arange(240)
    _, expected = train_test_split(
        rows, random_state=model._random_state, test_size=0.1, stratify=labels[:, np.newaxis]
    )
    model.fit(np.ones((240, 2)), labels)
    np.testing.assert_array_equal(model._held_out, expected)
