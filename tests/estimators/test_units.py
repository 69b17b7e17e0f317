"""Bytes are scaled and other numbers are not: the same pixels in another type are not silent."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

import sklearn_nn
from sklearn_nn import (
    CNNClassifier,
    CNNRegressor,
    FeatureExtractor,
    MLPClassifier,
    NeuralNetworkClassifier,
    RNNClassifier,
    TabularClassifier,
)
from sklearn_nn.estimators._inputs.advice import other_units, units_of
from sklearn_nn.inspection import SaliencyDisplay, occlusion_map, saliency_map
from sklearn_nn.layers import GRU, Conv2D, Embedding
from sklearn_nn.training.checkpoint import CheckpointError

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

RNG = np.random.default_rng(0)
N = 30
Y = np.arange(N) % 2
#: Bright images and dark ones.
PIXELS = RNG.integers(0, 120, (N, 6, 6), dtype=np.uint8) + (120 * Y[:, None, None]).astype(np.uint8)
SCALED = PIXELS / 255
MASKS = (PIXELS > 120).astype(np.uint8)


def cnn(**parameters):
    return CNNClassifier(2, max_iter=1, random_state=0, **parameters)


def convolutions():
    layers = [Conv2D(2, 3)]
    return NeuralNetworkClassifier(layers, max_iter=1, random_state=0, input_shape=(6, 6, 1))


def rnn(**parameters):
    return RNNClassifier(3, max_iter=1, random_state=0, **parameters)


def gru():
    return NeuralNetworkClassifier([GRU(3)], max_iter=1, random_state=0)


EVERY = pytest.mark.parametrize("make", [cnn, convolutions, rnn, gru])


def told_by(call, *args, **options):
    """The warnings of a call, each with the line that it points to."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        warnings.filterwarnings("ignore", category=ConvergenceWarning)
        call(*args, **options)
    assert all(one.filename == __file__ for one in caught)
    return [str(one.message) for one in caught]


def asserts_once(told, *parts):
    assert len(told) == 1
    for part in parts:
        assert part in told[0]


# --- fitted on bytes -----------------------------------------------------------------------------


@EVERY
def test_pixels_that_are_no_bytes(make):
    model = make().fit(PIXELS, Y)
    name = type(model).__name__
    for dtype in ("int64", "uint16", "float64", "float32", "float16", object):
        for X in (PIXELS.astype(dtype), PIXELS[:1].astype(dtype), list(PIXELS.astype(dtype))):
            told = told_by(model.predict, X)
            asserts_once(told, "239" if len(X) > 1 else "", name, "astype('uint8')", "X / 255")
    asserts_once(told_by(model.predict, PIXELS.tolist()), "divides by 255")
    asserts_once(told_by(model.predict_proba, PIXELS.astype(float)), "divides by 255")
    asserts_once(told_by(model.score, PIXELS.astype(float), Y), "divides by 255")


@EVERY
def test_ordinary_use_is_silent(make):
    model = make().fit(PIXELS, Y)
    bright = np.clip(SCALED * 1.5, 0, None)
    for X in (PIXELS, PIXELS[:1], list(PIXELS), SCALED, SCALED.astype("f4"), bright, SCALED - 0.5):
        assert told_by(model.predict, X) == []
    assert told_by(model.predict, PIXELS > 120) == []
    assert told_by(model.predict, np.zeros((2, 6, 6))) == []
    assert told_by(model.partial_fit, SCALED, Y) == []
    same = model.predict_proba(PIXELS)
    np.testing.assert_array_equal(same, model.predict_proba(SCALED.astype("float32")))


def test_knowledge_travels(tmp_path):
    model = cnn().fit(PIXELS, Y)
    model.save(tmp_path / "model")
    copies = (
        pickle.loads(pickle.dumps(model)),
        sklearn_nn.load(tmp_path / "model"),
        FeatureExtractor(model).fit(PIXELS).estimator_,
    )
    for copy in copies:
        asserts_once(told_by(copy.predict, PIXELS.astype(float)), "divides by 255")
        assert told_by(copy.predict, PIXELS) == []


def test_every_method_that_reads_samples_warns():
    model, floats = cnn().fit(PIXELS, Y), PIXELS.astype(float)
    extractor = FeatureExtractor(model).fit(PIXELS)
    for call in (
        lambda: extractor.transform(floats),
        lambda: saliency_map(model, floats[:2]),
        lambda: occlusion_map(model, floats[:2], window=3),
        lambda: pickle.loads(pickle.dumps(model)).partial_fit(floats, Y),
        lambda: cnn().fit(PIXELS, Y, X_val=floats, y_val=Y),
        lambda: cnn(n_restarts=3).fit(PIXELS, Y, X_val=floats, y_val=Y),
        lambda: cnn(solver="lbfgs", n_restarts=2).fit(PIXELS, Y, X_val=floats, y_val=Y),
        lambda: CNNRegressor(2, max_iter=1).fit(PIXELS, Y).predict(floats),
    ):
        asserts_once(told_by(call), "divides by 255")
    pytest.importorskip("matplotlib").use("agg")
    told = told_by(SaliencyDisplay.from_estimator, model, floats[:2])
    assert set(told) == set(told_by(model.predict, floats[:2]))


def test_rows_and_frames_of_pixels():
    """A frame of bytes is a table, whose numbers are what they are."""
    pd = pytest.importorskip("pandas")
    rows = PIXELS.reshape(N, -1)
    frame = pd.DataFrame(rows)
    model = cnn(input_shape=(6, 6, 1)).fit(rows, Y)
    assert told_by(model.predict, rows) == []
    for X in (frame, rows.astype(int), rows.tolist(), frame.astype(float)):
        asserts_once(told_by(model.predict, X), "divides by 255")
    model = cnn(input_shape=(6, 6, 1)).fit(frame, Y)
    assert told_by(model.predict, frame) == []
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X does not have valid feature names")
        asserts_once(told_by(model.predict, frame.rename(columns=int).astype(float))[:1] or ["-"])
    # Tables are never scaled.
    for table in (MLPClassifier(3, max_iter=1), TabularClassifier(max_iter=1, n_networks=1)):
        table.fit(rows, Y)
        assert told_by(table.predict, rows.astype(float)) == []


def test_sequences_of_unequal_length():
    ragged = [x[: 3 + i % 3] for i, x in enumerate(PIXELS)]
    model = rnn().fit(ragged, Y)
    for dtype in ("int64", "float32"):
        asserts_once(told_by(model.predict, [x.astype(dtype) for x in ragged]), "divides by 255")
    asserts_once(told_by(model.predict, [x.tolist() for x in ragged]), "divides by 255")
    assert told_by(model.predict, ragged) == []
    assert told_by(model.predict, [x / 255 for x in ragged]) == []
    # Each is what it is alone, whatever lies beside it.
    mixed = [ragged[0], ragged[1] / 255, *ragged[2:]]
    assert told_by(model.predict, mixed) == []
    np.testing.assert_array_equal(model.predict_proba(mixed)[0], model.predict_proba(ragged)[0])
    asserts_once(told_by(model.predict, [ragged[0], ragged[1].astype(int)]), "divides by 255")


def test_images_of_bytes_beside_others():
    with pytest.raises(ValueError, match=r"bytes \(uint8\).*float64.*convert all to one type"):
        cnn().fit([*PIXELS[:10], *SCALED[10:]], Y)


def test_words_have_no_unit():
    model = NeuralNetworkClassifier([Embedding(256, 2), GRU(2)], max_iter=1)
    model.fit(PIXELS[:, :, 0], Y)
    assert told_by(model.predict, PIXELS[:, :, 0].astype(int)) == []


# --- fitted on other numbers, and asked about bytes ----------------------------------------------


@EVERY
def test_bytes_where_numbers_were_not_scaled(make):
    for fitted in (PIXELS.astype(int), PIXELS.astype(float), PIXELS.astype("float32")):
        model = make().fit(fitted, Y)
        asserts_once(
            told_by(model.predict, PIXELS), "divides by 255", "did not divide", "astype(float)"
        )
        assert told_by(model.predict, fitted) == []
    model = make().fit(SCALED, Y)
    assert told_by(model.predict, PIXELS) == []
    assert told_by(model.predict, PIXELS[:1] // 100) == []


def test_images_of_zeros_and_ones():
    """As truth values, bytes and numbers they are the same pixels."""
    model = cnn().fit(MASKS > 0, Y)
    asserts_once(told_by(model.predict, MASKS), "divides by 255")
    for X in (255 * MASKS, MASKS.astype(int), 0 * MASKS):
        assert told_by(model.predict, X) == []
    model = cnn().fit(MASKS, Y)
    for X in (MASKS > 0, MASKS.astype(float)):
        asserts_once(told_by(model.predict, X), "divides by 255")
    assert told_by(model.predict, MASKS / 255) == []


# --- what is known -------------------------------------------------------------------------------


def test_forged_knowledge_is_refused(tmp_path):
    for forged in (
        {"bytes": 1, "whole": True, "largest": 1.0},
        {"bytes": True, "whole": True, "largest": "a"},
        {"bytes": True},
    ):
        model = cnn().fit(PIXELS, Y)
        model._reader.units = forged
        model.save(tmp_path / "model")
        with pytest.raises(CheckpointError, match=r"units is .* invalid"):
            sklearn_nn.load(tmp_path / "model")


def test_few_values_of_many_are_looked_at():
    X = np.zeros((2**17, 4, 4), dtype=np.uint8)
    X[::2] = 255
    assert units_of(X, True) == {"bytes": True, "whole": True, "largest": 255.0}
    assert units_of(np.empty((0, 3)), False)["largest"] == 0.0
    assert other_units(units_of(X / 255, False), units_of(X, True), "who") is None


# --- pretrained weights --------------------------------------------------------------------------

FLOATS = PIXELS.astype(float)
#: What the other network was fitted on, what this one is, and parts of the warning.
UNLIKE = [
    (FLOATS, PIXELS, ("X holds bytes", "up to 239, which it did not divide", "astype(float)")),
    (FLOATS, SCALED, ("X holds numbers up to 0.937", "was fitted on numbers up to 239")),
    (SCALED, FLOATS, ("X holds numbers up to 239", "was fitted on numbers up to 0.937")),
    (PIXELS, FLOATS, ("X holds numbers up to 239", "was fitted on bytes", "X / 255")),
]
ALIKE = [(FLOATS, FLOATS / 4), (PIXELS, SCALED), (SCALED, PIXELS), (PIXELS, PIXELS // 20)]


@pytest.mark.parametrize(("before", "after", "parts"), UNLIKE)
@EVERY
def test_pretrained_in_other_units(make, before, after, parts, tmp_path):
    other = make().fit(before, Y)
    who = f"the {type(other).__name__} that from_pretrained copies"
    model = make().from_pretrained(other)
    asserts_once(told_by(model.fit, after, Y), who, *parts)
    model.save(tmp_path / "model")
    for copy in (
        clone(model),
        pickle.loads(pickle.dumps(model)),
        sklearn_nn.load(tmp_path / "model"),
    ):
        asserts_once(told_by(copy.fit, after, Y), who, *parts)
    fitted = make().fit(after, Y)
    asserts_once(told_by(fitted.from_pretrained, other, layers="all"), who, *parts)


@pytest.mark.parametrize(("before", "after"), ALIKE)
@EVERY
def test_pretrained_in_the_same_units(make, before, after):
    other = make().fit(before, Y)
    assert told_by(make().from_pretrained(other).fit, after, Y) == []
    assert told_by(make().fit(after, Y).from_pretrained, other) == []


def test_pretrained_tables_have_no_unit():
    rows = PIXELS.reshape(N, -1)
    other = MLPClassifier(3, max_iter=1).fit(rows.astype(float), Y)
    assert told_by(MLPClassifier(3, max_iter=1).from_pretrained(other).fit, rows, Y) == []
