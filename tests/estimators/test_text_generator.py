"""TextGenerator: what it reads, what it learns, what it writes."""

import gzip
import itertools
import math
import os
import pickle
import random
import re
import string
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import chisquare
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, KFold, cross_val_score
from sklearn.utils import get_tags
from sklearn.utils.estimator_checks import estimator_checks_generator

from helpers.learning import learning, median, seeds
from helpers.naive.recurrent import run
from sklearn_nn import TextGenerator, find_learning_rate, load, load_checkpoint
from sklearn_nn.estimators._inputs.text import encoded, short_passages, streams, whole_passages
from sklearn_nn.estimators.text.sampling import draw, probabilities
from sklearn_nn.layers import GRU, LSTM, SimpleRNN
from sklearn_nn.training import ModelCheckpoint, TrainingScore

DATA = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[2] / ".." / "shared/data"))
FILE = DATA / "text_tinyshakespeare" / "input.txt.gz"
LAYERS = {"lstm": LSTM, "gru": GRU, "rnn": SimpleRNN}
CELLS = tuple(LAYERS)


def prose(n, seed=0, words=("the", "cat", "sat", "on", "a", "mat", "and", "slept")):
    """Words in any order."""
    rng, text = random.Random(seed), ""
    while len(text) < n:
        text += rng.choice(words) + rng.choice(" " * 8 + ".\n")
    return text[:n]


def small(**parameters):
    defaults = {"hidden_size": 9, "sequence_length": 12, "batch_size": 6, "max_iter": 3}
    return TextGenerator(**{"random_state": 0, **defaults, **parameters})


def weights(model):
    """All weights, by layer and name."""
    return [array for layer in model.layers_.values() for array in layer.values()]


def assert_same_weights(a, b):
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(x, y)


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def naive_logits(model, text):
    """Raw output at every character of a text, by NumPy loops."""
    codes = [model.vocabulary_.index(character) for character in text]
    x = np.eye(len(model.vocabulary_))[codes]
    if model.embedding_size is not None:
        x = x @ model.layers_["embedding"]["embeddings"].astype(float)
    x = x[np.newaxis]
    for i in range(model.num_layers):
        layer = LAYERS[model.cell](model.hidden_size, return_sequences=True)
        own = model.layers_[f"{model.cell}{i + 1}"]
        x = run(layer, [own[k] for k in ("kernel", "recurrent_kernel", "bias")], x)
    return (x @ model.layers_["output"]["kernel"] + model.layers_["output"]["bias"])[0]


def naive_score(model, text):
    log_p = log_softmax(naive_logits(model, text[:-1]))
    codes = [model.vocabulary_.index(character) for character in text[1:]]
    return log_p[np.arange(len(codes)), codes].mean()


def whole_logits(model, text):
    """Raw output at every character, of the program that reads windows."""
    network = model._network
    data = whole_passages([encoded(text + text[0], model.vocabulary_)]).source(
        network.dtype, model.sequence_length
    )
    out = network.run(data, "output")
    return out.reshape(-1, len(model.vocabulary_))[: len(text)]


# --- text as numbers ------------------------------------------------------------------------


@pytest.mark.parametrize(("n", "n_streams", "window"), [
    (2, 50, 100), (3, 1, 1), (90, 50, 100), (100, 2, 100), (151, 5, 100), (1000, 1, 7),
    (1001, 4, 10), (1002, 7, 10), (5003, 50, 100), (101, 50, 2), (977, 50, 13), (300, 300, 1),
])  # fmt: skip
def test_streams_read_everything(n, n_streams, window):
    codes = np.arange(n)
    found = streams(codes, n_streams, window)
    rows, length = found.inputs.shape
    assert rows == max(1, min(n_streams, (n - 1) // window))
    assert length % found.windows == 0
    assert 1 <= length // found.windows <= window
    np.testing.assert_array_equal(found.targets, found.inputs + 1)
    np.testing.assert_array_equal(np.diff(found.inputs, axis=1), 1)
    read = np.unique(found.targets)
    missing = np.setdiff1d(codes[1:], read)
    assert missing.size < found.windows if rows == 1 else not missing.size
    np.testing.assert_array_equal(missing, codes[1 : 1 + missing.size])
    # Little is read twice: less than what fills the windows.
    assert found.targets.size - read.size <= rows * found.windows
    assert abs(np.diff(found.inputs[1:, 0])).max(initial=0) <= length


def test_long_windows_are_shared_out_evenly():
    """Of 1061 characters two streams of five windows of 100 would leave 30 for the last."""
    found = streams(np.arange(1062), 2, 100)
    assert (found.windows, found.inputs.shape) == (6, (2, 534))


@pytest.mark.parametrize("window", [1, 5, 50])
def test_short_passages_count_every_character_once(window):
    sizes = [1, 2, 3, 150, 2000, 101, 1]
    texts = np.split(np.arange(sum(sizes)), np.cumsum(sizes)[:-1])
    found = short_passages(texts, window)
    target, weight = found.targets(window)
    counted = np.sort(target[:, :, 0][weight > 0])
    np.testing.assert_array_equal(counted, np.concatenate([text[1:] for text in texts]))
    assert set(np.unique(weight)) == {0, 1}
    begins = {int(text[0]) for text in texts}
    for start, unscored in zip(found.starts, found.unscored, strict=True):
        assert (start in begins) if not unscored else (unscored == window or start in begins)
    assert found.lengths.max() <= 21 * window


def test_passages_in_blocks_are_the_same_passages(monkeypatch):
    monkeypatch.setattr("sklearn_nn.estimators._inputs.text._BLOCK", 50)
    texts = [np.arange(k) for k in (3, 40, 2, 60, 7, 7, 100)]
    whole = whole_passages(texts)
    blocks = list(whole.blocks())
    assert len(blocks) > 3
    assert all(b.lengths.size == 1 or b.lengths.size * b.lengths.max() <= 50 for b in blocks)
    got = sorted((s, n) for b in blocks for s, n in zip(b.starts, b.lengths, strict=True))
    assert got == sorted(zip(whole.starts, whole.lengths, strict=True))


# --- reading --------------------------------------------------------------------------------


@pytest.mark.parametrize("embedding_size", [None, 4])
@pytest.mark.parametrize("cell", CELLS)
def test_scores_are_the_naive_ones(cell, embedding_size):
    text = prose(200)
    model = small(cell=cell, embedding_size=embedding_size, dtype="float64").fit(text)
    for other in (prose(83, 1), text[:2], prose(301, 2)):
        assert model.score(other) == pytest.approx(naive_score(model, other), rel=1e-10)
        assert model.perplexity(other) == pytest.approx(math.exp(-naive_score(model, other)))
    single = small(cell=cell, embedding_size=embedding_size).fit(text)
    assert single.score(text) == pytest.approx(naive_score(single, text), rel=1e-5)
    last = log_softmax(naive_logits(model, text)[-1])
    np.testing.assert_allclose(model.predict_proba(text), np.exp(last)[np.newaxis], rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_one_step_at_a_time_is_the_whole_to_the_bit(cell, dtype):
    text = prose(100)
    model = small(cell=cell, dtype=dtype).fit(text)
    reader = model._text_reader()
    steps = [reader.read(encoded(c, model.vocabulary_)).logits.copy() for c in text]
    whole = whole_logits(model, text)
    assert whole.dtype == dtype
    np.testing.assert_array_equal(np.stack(steps), whole)
    model.sequence_length = 33
    np.testing.assert_array_equal(whole_logits(model, text), whole)


def test_windows_and_threads_do_not_change_a_score():
    texts = [prose(n, n) for n in (50, 333, 2, 90, 34, 35, 36, 150, 20, 21, 22, 23, 24, 25, 26, 27)]
    model = small().fit(prose(300))
    score = model.score(texts)
    own = [(-model.score(text) * (len(text) - 1), len(text) - 1) for text in texts]
    assert score == pytest.approx(-sum(a for a, _ in own) / sum(b for _, b in own), rel=1e-12)
    for window, jobs in ((1, 1), (5, 2), (1000, 3)):
        assert model.set_params(sequence_length=window, n_jobs=jobs).score(texts) == score


def test_a_long_list_is_scored_in_blocks(monkeypatch):
    texts = [prose(n, n) for n in range(1, 60)]
    model = small().fit(prose(300))
    score = model.score(texts)
    monkeypatch.setattr("sklearn_nn.estimators._inputs.text._BLOCK", 100)
    assert model.score(texts) == pytest.approx(score, rel=1e-12)


@pytest.mark.parametrize("cell", CELLS)
def test_training_remembers_from_window_to_window(cell):
    """At a rate that changes nothing, the training loss of one stream is that of the whole text."""
    text = prose(121)
    model = small(
        cell=cell, batch_size=1, solver="sgd", learning_rate_init=1e-300, max_iter=1,
        dtype="float64", clipnorm=0.0,
    ).fit(text)  # fmt: skip
    assert model.history_["loss"][0] == pytest.approx(-model.score(text), rel=1e-12)
    forgetful = [-model.score(text[k : k + 13]) for k in range(0, 120, 12)]
    assert abs(np.mean(forgetful) + model.score(text)) > 1e-4


def test_streams_are_read_side_by_side():
    text = prose(6 * 36 + 1)
    model = small(solver="sgd", learning_rate_init=1e-300, max_iter=1, dtype="float64").fit(text)
    own = [-model.score(text[k : k + 37]) for k in range(0, 6 * 36, 36)]
    assert model.loss_curve_[0] == pytest.approx(np.mean(own), rel=1e-12)


# --- learning -------------------------------------------------------------------------------


@learning
@pytest.mark.parametrize("cell", CELLS)
def test_learns_what_is_far_back(cell):
    """After 'ab', 'c'; after 'xb', 'y': more than the last character has to be remembered."""

    def measured(seed):
        rng = random.Random(seed)
        text = "".join(rng.choice(["abbbc", "xbbby"]) for _ in range(400))
        model = TextGenerator(
            16, cell=cell, num_layers=1, sequence_length=20, batch_size=10, max_iter=80,
            learning_rate_init=0.01, n_iter_no_change=np.inf, random_state=seed,
        ).fit(text)  # fmt: skip
        # Behind a text: where nothing stands before them, no training had been.
        p = model.predict_proba([text[:50] + "abbb", text[:50] + "xbbb"])
        known = [p[0, model.vocabulary_.index("c")], p[1, model.vocabulary_.index("y")]]
        return min(known), -model.score(text), model.loss_curve_[-1] / model.loss_curve_[0]

    known, loss, share = median(measured, 5)
    assert known > 0.9  # half of it without a memory
    # What cannot be known is one of two in every five characters, or two without a memory.
    assert loss < 0.2 * math.log(2) * 1.3
    assert share < 0.2


def test_published_attributes():
    text = prose(500)
    model = small(validation_fraction=0.2).fit(text)
    assert model.vocabulary_ == "".join(sorted(set(text)))
    assert model.n_characters_ == 400
    assert model.character_counts_.sum() == 400
    assert dict(zip(model.vocabulary_, model.character_counts_, strict=True)) == {
        c: text[:400].count(c) for c in model.vocabulary_
    }
    assert model.n_parameters_ == sum(array.size for array in weights(model))
    assert model.n_iter_ == 3
    assert set(model.layers_) == {"lstm1", "lstm2", "output"}
    assert set(model.history_) == {"loss", "learning_rate", "seconds", "val_loss", "val_score"}
    printed = str(model.summary())
    assert f"{model.n_parameters_:,}" in printed
    assert "Characters of the text: 400" in printed
    assert "Characters of the text" in model.summary()._repr_html_()


def test_verbose_sets_parameters_beside_characters(capsys):
    model = small(verbose=True, max_iter=1).fit(prose(1500))
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"{model.n_parameters_:,} parameters, 1,500 characters"
    small(max_iter=1).fit(prose(1500))
    assert not capsys.readouterr().out


def test_layers_and_their_dropout():
    model = small(num_layers=3, dropout=[0.1, 0.0, 0.2], embedding_size=5, cell="gru")
    model.fit(prose(200))
    names = [row.name for row in model.summary().rows]
    wanted = ["embedding", "gru1", "grudropout1", "gru2", "gru3", "grudropout3", "output"]
    assert names == wanted
    with pytest.raises(ValueError, match="dropout"):
        small(dropout=[0.1]).fit(prose(200))


def test_lists_are_joined():
    texts = ["the cat", "sat on", "a mat"] * 12
    model = small(separator="|").fit(texts)
    assert_same_weights(model, small().fit("|".join(texts)))
    assert_same_weights(model, small(separator="|").fit(np.array(texts)))
    assert_same_weights(model, small(separator="|").fit(np.array(texts, dtype=object)))
    pandas = pytest.importorskip("pandas")
    assert_same_weights(model, small(separator="|").fit(pandas.Series(texts)))


def test_one_hot_is_an_embedding_that_stands_still():
    text = prose(300)
    size = len(set(text))
    learnt = small(max_iter=1).fit(text)
    model = small(embedding_size=size, learning_rate_factors={"embedding": 0}, dtype="float32")
    model.initialize(text)
    model.layers_["embedding"]["embeddings"] = np.eye(size, dtype="float32")
    for name in ("lstm1", "lstm2", "output"):
        for key, array in small(max_iter=1).initialize(text).layers_[name].items():
            model.layers_[name][key][...] = array
    model.partial_fit(text)
    np.testing.assert_array_equal(model.layers_["embedding"]["embeddings"], np.eye(size))
    assert model.score(text) == pytest.approx(learnt.score(text), rel=1e-5)


# --- validation -----------------------------------------------------------------------------


def test_the_end_is_held_out():
    text = prose(400)
    model = small(validation_fraction=0.25).fit(text)
    assert model.validation_loss_curve_ == model.history_["val_loss"]
    assert model.history_["val_score"] == [-loss for loss in model.history_["val_loss"]]
    # A hundred characters are one passage, which is read as `score` reads it.
    assert model.history_["val_loss"][-1] == pytest.approx(-model.score(text[300:]), rel=1e-6)
    assert_same_weights(model, small(vocabulary=model.vocabulary_).fit(text[:300]))
    given = small(validation_fraction=0.25, vocabulary=model.vocabulary_)
    given.fit(text[:300], X_val=text[300:])
    assert_same_weights(model, given)
    assert given.history_["val_loss"] == model.history_["val_loss"]
    assert small().fit(text).validation_loss_curve_ is None


def test_validation_in_passages_is_nearly_the_whole():
    text = prose(4000)
    model = small(
        validation_fraction=0.5, sequence_length=20, max_iter=10, learning_rate_init=0.02
    ).fit(text)
    whole = -model.score(text[2000:])
    assert model.history_["val_loss"][-1] == pytest.approx(whole, rel=2e-3)
    assert model.history_["val_loss"][-1] != whole


def test_texts_to_validate_on_are_not_joined():
    model = small(vocabulary=string.printable)
    texts = [prose(40, 1), "a", prose(90, 2)]
    model.fit(prose(200), X_val=texts)
    assert model.history_["val_loss"][-1] == pytest.approx(-model.score(texts), rel=1e-6)


@pytest.mark.parametrize("early_stopping", [True, "best"])
def test_the_best_weights_are_kept(early_stopping):
    """Words of another text: at first they are learnt, then the text by heart."""
    train, test = prose(600), prose(400, 5)
    model = small(
        early_stopping=early_stopping, max_iter=60, n_iter_no_change=3, learning_rate_init=0.03
    ).fit(train, X_val=test)
    losses = model.history_["val_loss"]
    assert model.best_iteration_ == 1 + int(np.argmin(losses)) < len(losses)
    assert (len(losses) == 60) == (early_stopping == "best")
    assert -model.score(test) == pytest.approx(min(losses), rel=1e-2)
    assert -model.score(test) < losses[-1]
    held_out = small(early_stopping=early_stopping).fit(train)
    assert held_out.n_characters_ == 540


def test_validation_needs_text():
    with pytest.raises(ValueError, match="early_stopping=True needs a validation text"):
        small(early_stopping=True, validation_fraction=0).fit(prose(100))
    with pytest.raises(ValueError, match="leaves 99 of 100 characters to train on"):
        small(validation_fraction=0.01).fit(prose(100))
    with pytest.raises(ValueError, match=r"validation text \(X_val\): X holds no text of two"):
        small().fit(prose(100), X_val="a")
    with pytest.raises(ValueError, match="partial_fit does not support early_stopping=True"):
        small(early_stopping=True).partial_fit(prose(100))
    model = small(early_stopping=True).partial_fit(prose(100), X_val=prose(50))
    assert len(model.history_["val_loss"]) == 1


# --- what is no text, or another -------------------------------------------------------------


@pytest.mark.parametrize(("X", "error", "message"), [
    ("", ValueError, "X is an empty text"),
    (["", ""], ValueError, "X is a text of one character"),
    ("a", ValueError, "X is a text of one character"),
    ([], ValueError, "X is a list without texts"),
    (b"bytes", TypeError, "decode it first"),
    (["a", 3], TypeError, r"X\[1\] is a int"),
    (["a", None], TypeError, r"X\[1\] is a NoneType"),
    (np.zeros((3, 2)), TypeError, "X is a ndarray"),
    (np.zeros(3), TypeError, r"X\[0\] is a float64"),
    ({"a"}, TypeError, "X is a set"),
    (None, TypeError, "X is a NoneType"),
    (iter("ab"), TypeError, "pass one string, or a list of strings"),
])  # fmt: skip
def test_invalid_texts(X, error, message):
    model = small()
    with pytest.raises(error, match=message):
        model.fit(X)
    assert not hasattr(model, "vocabulary_")
    if error is TypeError:
        with pytest.raises(error, match=message):
            small().fit(prose(50)).score(X)


def test_paths_in_place_of_texts(tmp_path, monkeypatch):
    file, text = tmp_path / "my text", prose(60)
    file.write_text(text, encoding="utf-8")
    model = small().fit(text)
    missing = ["/no/such/file.txt", "corpus/a.md", r"C:\texts\b.txt", "./c.json"]
    missing += ["input.txt", "reviews.csv", "notes.MD", "data/corpus.txt", "a.txt.gz", "no.jsonl"]
    for path in (str(file), *missing):
        nothing = ", and there is no such file" if path in missing else ""
        remedy = f"X={path!r} is the path of a file, not a text{nothing}; pass its text, "
        remedy += "pathlib.Path("
        for call in (small().fit, small().partial_fit, small().initialize, model.score):
            with pytest.raises(ValueError, match=re.escape(remedy) + ".*read_text"):
                call(path)
        with pytest.raises(ValueError, match=r"X_val=.* is the path of a file"):
            small().fit(text, X_val=path)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="X='my text' is the path of a file"):
        small().fit("my text")
    for address in ("https://example.org/a", "http://example.org/a.txt"):
        with pytest.raises(ValueError, match=r"is an address, not a text; .*urlopen.*decode"):
            small().fit(address)
    texts = ["and/or", "a/b. c", "\0/a b", "see input.txt", "end.", "e.g.", "https://a.org is here"]
    for fine in (["/no/such/file.txt"], "see /no/such/file.txt\n", ["input.txt"], *texts):
        assert small().fit(fine).n_iter_ > 0
    # A path is read.
    assert_same_weights(small().fit(file), model)
    assert_same_weights(small().fit([file]), model)
    assert model.score(file) == model.score(text)
    validated = small().fit(text, X_val=file)
    assert validated.history_["val_loss"] == small().fit(text, X_val=text).history_["val_loss"]
    with pytest.raises(FileNotFoundError):
        small().fit(tmp_path / "nothing")
    for name, remedy in (("b.txt.gz", "gzip.open"), ("c.txt", "read_text(encoding=")):
        (tmp_path / name).write_bytes(b"\x1f\x8b\xff")
        with pytest.raises(ValueError, match="is not a text in UTF-8") as caught:
            small().fit(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)
        assert remedy in str(caught.value)


def test_texts_of_one_character_have_nothing_to_predict():
    model = small().fit(prose(100))
    for nothing in ("", "a", ["a", "", "c"]):
        with pytest.raises(ValueError, match="no text of two characters"):
            model.score(nothing)
    assert model.score(["a", "at", ""]) == model.score("at")


def test_characters_that_were_not_seen_are_named():
    model = small().fit(prose(100))
    unknown = r"X holds 'é' \(U\+00E9, at 3\)"
    for call in (model.score, model.perplexity, model.predict_proba, model.partial_fit):
        with pytest.raises(ValueError, match=unknown):
            call("caté")
    with pytest.raises(ValueError, match=r"validation text \(X_val\): X holds 'é'"):
        model.fit(prose(100), X_val="été")
    with pytest.raises(ValueError, match=r"prime holds 'Z' \(U\+005A, at 0\)"):
        model.sample(prime="Z")
    with pytest.raises(ValueError, match="X holds '9'"):
        small(vocabulary=string.ascii_letters).fit("a9a")
    warm = small(warm_start=True).fit(prose(100))
    with pytest.raises(ValueError, match="X holds '#'"):
        warm.fit("cat#")


def test_a_vocabulary_of_ones_own():
    model = small(vocabulary=string.printable).fit(prose(100))
    assert model.vocabulary_ == "".join(sorted(string.printable))
    assert np.isfinite(model.score("XYZ 123"))
    assert len(model.sample(20, random_state=0)) == 20
    assert_same_weights(model, small(vocabulary=list(string.printable)).fit(prose(100)))
    for bad, message in ((["ab"], "'ab'"), ("", "empty"), ([1], "1, which is not a single")):
        with pytest.raises(ValueError, match=message):
            small(vocabulary=bad).fit(prose(100))


def test_a_text_shorter_than_a_window():
    model = TextGenerator(8, max_iter=2, random_state=0).fit("ab")
    assert model.score("ab") < 0
    model = TextGenerator(8, max_iter=2, random_state=0, embedding_size=3).fit("aaaa")
    assert model.vocabulary_ == "a"
    assert model.score("aaa") == 0
    assert model.sample(5) == "aaaaa"


@pytest.mark.parametrize("embedding_size", [None, 6])
def test_many_characters(embedding_size, tmp_path):
    """More than a byte can number; beyond the first plane; zero; halves of pairs; lines."""
    characters = "".join(map(chr, range(400))) + "\U0001f600\U0001f4a9\ud800\u2028\x00"
    rng = random.Random(0)
    text = characters + "".join(rng.choice(characters) for _ in range(300))
    for dtype in ("float32", "float64"):
        model = small(embedding_size=embedding_size, dtype=dtype).fit(text)
        assert model.vocabulary_ == "".join(sorted(set(characters)))
        assert model.score(text) == pytest.approx(naive_score(model, text), rel=1e-4)
        assert set(model.sample(50, prime="\x00\U0001f600", random_state=0)) <= set(characters)
        model.save(tmp_path / "model.npz")
        again = load(tmp_path / "model.npz")
        assert again.vocabulary_ == model.vocabulary_
        assert again.score(text) == model.score(text)


@pytest.mark.parametrize(("name", "value"), [
    ("hidden_size", 0), ("cell", "tanh"), ("num_layers", 0), ("embedding_size", 0),
    ("sequence_length", 0), ("batch_size", "auto"), ("batch_size", 0), ("separator", None),
    ("vocabulary", 3), ("dropout", 1.0), ("solver", "lbfgs"), ("validation_fraction", 1.0),
    ("dtype", "auto"), ("clipnorm", -1), ("max_iter", 0), ("early_stopping", "yes"),
])  # fmt: skip
def test_parameters_are_checked(name, value):
    with pytest.raises(ValueError, match=f"'{name}' parameter"):
        small(**{name: value}).fit(prose(100))


# --- writing --------------------------------------------------------------------------------


def test_probabilities_of_a_temperature():
    z = np.array([2.0, -1.0, 0.5, 2.0, -900.0])
    for temperature in (0.3, 1.0, 4.0):
        expected = np.exp(z / temperature) / np.exp(z / temperature).sum()
        np.testing.assert_allclose(probabilities(z, temperature), expected, rtol=1e-12)
    np.testing.assert_array_equal(probabilities(z, 0), [1, 0, 0, 0, 0])
    z[3] = 1.9
    np.testing.assert_array_equal(probabilities(z, 1e-300), [1, 0, 0, 0, 0])
    np.testing.assert_allclose(probabilities(z, 1e300), 0.2)
    with np.errstate(divide="ignore"):
        never = np.log(np.array([0.0, 1.0, 3.0]))
    np.testing.assert_allclose(probabilities(never), [0, 0.25, 0.75])


def test_top_k_and_top_p_differ():
    """A number of characters, and a probability: where the network is sure, and where it is not."""
    sure, unsure = np.log([0.9, 0.06, 0.02, 0.01, 0.01]), np.log([0.3, 0.25, 0.2, 0.15, 0.1])

    def left(z, **choice):
        return int(np.count_nonzero(probabilities(z, **choice)))

    assert (left(sure, top_k=3), left(unsure, top_k=3)) == (3, 3)
    assert (left(sure, top_p=0.85), left(unsure, top_p=0.85)) == (1, 4)
    np.testing.assert_allclose(probabilities(unsure, top_k=2), np.array([6, 5, 0, 0, 0]) / 11)
    np.testing.assert_allclose(probabilities(unsure, top_p=0.74), np.array([6, 5, 4, 0, 0]) / 15)
    np.testing.assert_allclose(probabilities(unsure, top_p=0.76), np.array([6, 5, 4, 3, 0]) / 18)
    # top_p is of what top_k leaves, and both come after the temperature.
    np.testing.assert_allclose(
        probabilities(unsure, top_k=3, top_p=0.7), np.array([6, 5, 0, 0, 0]) / 11
    )
    assert left(unsure, temperature=0.2, top_p=0.74) == 2
    for everything in ({"top_k": 5}, {"top_k": 99}, {"top_p": 1.0}, {}):
        np.testing.assert_allclose(probabilities(unsure, **everything), np.exp(unsure))
    # Of equal ones the first; the order of the logits does not matter.
    np.testing.assert_allclose(probabilities(np.zeros(4), top_k=2), [0.5, 0.5, 0, 0])
    order = [3, 0, 4, 1, 2]
    np.testing.assert_allclose(
        probabilities(unsure[order], top_p=0.74), probabilities(unsure, top_p=0.74)[order]
    )
    far = np.array([0.0, -800.0, -900.0])  # probabilities of zero, and yet in an order
    np.testing.assert_array_equal(probabilities(far, 1.0, 2), [1, 0, 0])


def test_draws_follow_their_probabilities():
    p = np.array([0.0, 0.5, 0.0, 0.3, 0.15, 0.05, 0.0])
    rng = np.random.RandomState(0)
    counts = np.bincount([draw(p, rng) for _ in range(20_000)], minlength=p.size)
    assert counts[p == 0].sum() == 0
    assert chisquare(counts[p > 0], 20_000 * p[p > 0]).pvalue > 0.01


@pytest.mark.parametrize("temperature", [0.5, 1.0, 1.5])
def test_sampled_characters_follow_the_softmax(temperature):
    model = small(max_iter=10, learning_rate_init=0.01).fit(prose(600))
    z = naive_logits(model, "the c")[-1].astype(float)
    p = np.exp(log_softmax(z / temperature))
    rng = np.random.RandomState(0)
    drawn = [
        model.sample(1, "the c", temperature=temperature, random_state=rng) for _ in range(3000)
    ]
    counts = np.array([drawn.count(c) for c in model.vocabulary_])
    order = np.argsort(p)  # the rarest together, so that every group is some in number
    group = np.searchsorted([5, 10, 20, 50], 3000 * np.cumsum(p[order]))
    group[group == 4] += np.arange(np.count_nonzero(group == 4))
    observed, expected = (np.bincount(group, a[order]) for a in (counts, 3000 * p))
    observed, expected = observed[expected > 0], expected[expected > 0]
    assert expected.size > 4
    assert chisquare(observed, expected).pvalue > 0.01


def test_without_a_prime_the_first_character_is_drawn_by_its_share():
    text = "aaab" * 50
    model = small().fit(text)
    np.testing.assert_allclose(model.predict_proba(""), [[0.75, 0.25]])
    rng = np.random.RandomState(0)
    firsts = [model.sample(1, random_state=rng) for _ in range(400)]
    assert 260 < firsts.count("a") < 340
    assert model.sample(1, temperature=0) == "a"


def test_samples():
    model = small(max_iter=40, learning_rate_init=0.02).fit(prose(600))
    text = model.sample(80, "the ", random_state=3)
    assert len(text) == 80
    assert text == model.sample(80, "the ", random_state=3)
    assert text != model.sample(80, "the ", random_state=4)
    assert text == "".join(model.sample_iter(80, "the ", random_state=3))
    endless = model.sample_iter(prime="the ", random_state=3)
    assert text == "".join(itertools.islice(endless, 80))
    assert len(next(endless)) == 1
    assert model.sample(0) == ""
    assert len(model.sample()) == 200
    greedy = model.sample(60, "the ", temperature=0)
    assert greedy == model.sample(60, "the ", temperature=1e-9, random_state=1)
    assert greedy == model.sample(60, "the ", top_k=1, random_state=2)
    assert greedy == model.sample(60, "the ", top_p=1e-9, random_state=2)
    best = whole_logits(model, "the " + greedy).argmax(axis=1)[3:-1]
    assert greedy == "".join(model.vocabulary_[k] for k in best)


def test_a_prime_is_what_was_written_before():
    """To go on writing, and to read what was written and go on, is one."""
    model = small(max_iter=20, learning_rate_init=0.02).fit(prose(600))
    for choice in ({}, {"temperature": 0.7}, {"top_k": 3}, {"top_p": 0.8}):
        whole = model.sample(60, "a ", **choice, random_state=5)
        rng = np.random.RandomState(5)
        first = model.sample(25, "a ", **choice, random_state=rng)
        assert first + model.sample(35, "a " + first, **choice, random_state=rng) == whole


def test_writing_leaves_the_network_alone():
    model = small().fit(prose(300))
    before, score = [a.copy() for a in weights(model)], model.score(prose(99, 1))
    pair = [model.sample_iter(prime=p, temperature=0) for p in ("the ", "a ")]
    mixed = [[next(one) for one in pair] for _ in range(20)]
    for one, prime in zip(zip(*mixed, strict=True), ("the ", "a "), strict=True):
        assert "".join(one) == model.sample(20, prime, temperature=0)
    assert model.score(prose(99, 1)) == score
    for a, b in zip(weights(model), before, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("choice", "message"), [
    ({"n_chars": -1}, "n_chars=-1"), ({"n_chars": 2.5}, "n_chars=2.5"),
    ({"temperature": -0.1}, "temperature=-0.1"), ({"temperature": math.inf}, "temperature=inf"),
    ({"temperature": math.nan}, "temperature=nan"), ({"top_k": 0}, "top_k=0"),
    ({"top_k": 1.5}, "top_k=1.5"), ({"top_p": 0.0}, "top_p=0.0"), ({"top_p": 1.1}, "top_p=1.1"),
    ({"temperature": "hot"}, "temperature='hot'"),
])  # fmt: skip
def test_sampling_parameters_are_checked_at_once(choice, message):
    model = small(max_iter=1).fit(prose(50))
    for call in (model.sample, model.sample_iter):
        with pytest.raises(ValueError, match=message):
            call(**choice)


def test_arguments_of_sampling():
    with pytest.raises(NotFittedError):
        small().sample()
    for call in (small().score, small().perplexity, small().predict_proba):
        with pytest.raises(NotFittedError):
            call("ab")
    model = small(max_iter=1).fit(prose(50))
    with pytest.raises(ValueError, match="use sample_iter"):
        model.sample(None)
    with pytest.raises(TypeError, match="prime=3 is a int"):
        model.sample(prime=3)
    assert len(model.initialize(prose(50)).sample(9)) == 9


def test_predict_proba():
    model = small().fit(prose(300))
    texts = ["the cat ", "a", "", prose(50)]
    p = model.predict_proba(texts)
    assert p.shape == (4, len(model.vocabulary_))
    np.testing.assert_allclose(p.sum(axis=1), 1)
    for row, text in zip(p, texts, strict=True):
        np.testing.assert_array_equal(model.predict_proba(text), row[np.newaxis])


# --- going on -------------------------------------------------------------------------------


def test_partial_fit_is_an_epoch():
    text = prose(300)
    model = small()
    for _ in range(3):
        model.partial_fit(text)
    assert_same_weights(model, small(max_iter=3).fit(text))
    assert model.n_characters_ == 900
    np.testing.assert_array_equal(
        model.character_counts_, 3 * small(max_iter=1).fit(text).character_counts_
    )
    model.partial_fit(prose(77, 1)).partial_fit([prose(1000, 2), prose(30, 3)])
    assert np.isfinite(model.score(text))
    assert len(model.loss_curve_) == 5


@pytest.mark.parametrize("early_stopping", [False, "best"])
@pytest.mark.parametrize("cell", CELLS)
def test_resumes_to_the_last_bit(tmp_path, cell, early_stopping):
    text = prose(400)
    options = {"cell": cell, "dropout": 0.3, "early_stopping": early_stopping}
    options |= {"learning_rate": "cosine", "learning_rate_init": 0.02, "ema_momentum": 0.5}
    whole = small(max_iter=6, **options).fit(text)
    path = tmp_path / "{epoch}.npz"
    small(max_iter=6, callbacks=[ModelCheckpoint(path)], **options).fit(text)
    halfway = load_checkpoint(tmp_path / "3.npz")
    copies = [halfway, pickle.loads(pickle.dumps(halfway))]
    for again in copies:
        assert len(again.loss_curve_) == 3
        again.callbacks = None
        again.fit(text)
        assert_same_weights(again, whole)
        assert again.loss_curve_ == whole.loss_curve_
        assert again.validation_loss_curve_ == whole.validation_loss_curve_


def test_resuming_takes_the_same_text():
    text = prose(400)
    model = small(warm_start="resume").fit(text)
    model.set_params(max_iter=6).fit(text)
    assert_same_weights(model, small(max_iter=6).fit(text))
    with pytest.raises(
        ValueError, match="X has 399 characters to train on, but the training to resume had"
    ):
        model.set_params(max_iter=9).fit(text[:-1])
    model.partial_fit(text).set_params(max_iter=8).fit(text)
    assert len(model.loss_curve_) == 8
    warm = small(warm_start=True).fit(text)
    before = warm.loss_curve_[-1]
    assert warm.fit(text[:300]).loss_curve_[-1] < before
    assert warm.n_characters_ == 300


@pytest.mark.parametrize("cell", CELLS)
def test_threads_give_the_same_bits(cell):
    text = prose(3000)
    options = {"cell": cell, "dropout": 0.2, "validation_fraction": 0.2, "batch_size": 40}
    one = small(n_jobs=1, **options).fit(text)
    for jobs in (2, 3):
        other = small(n_jobs=jobs, **options).fit(text)
        assert_same_weights(one, other)
        assert one.history_["val_loss"] == other.history_["val_loss"]


def test_saved_and_copied(tmp_path):
    text = prose(300)
    model = small(embedding_size=4).fit(text)
    model.save(tmp_path / "model.npz")
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")):
        assert type(again) is TextGenerator
        assert again.get_params() == model.get_params()
        assert again.score(text) == model.score(text)
        assert again.sample(50, random_state=0) == model.sample(50, random_state=0)
        assert again.history_ == model.history_
        np.testing.assert_array_equal(again.character_counts_, model.character_counts_)
    fresh = clone(model)
    assert not hasattr(fresh, "vocabulary_")
    assert_same_weights(fresh.fit(text), model)


def test_training_is_steered_as_elsewhere():
    text = prose(400)
    model = small(embedding_size=3).fit(text)
    table = model.layers_["embedding"]["embeddings"].copy()
    frozen = small(embedding_size=3, warm_start=True).fit(text).freeze("embedding", "lstm1")
    frozen.fit(text)
    np.testing.assert_array_equal(frozen.layers_["embedding"]["embeddings"], table)
    assert (frozen.layers_["lstm2"]["kernel"] != model.layers_["lstm2"]["kernel"]).any()
    begun = small(embedding_size=3, max_iter=1).from_pretrained(model).fit(text)
    assert begun.loss_curve_[0] < model.loss_curve_[0]
    scored = small(callbacks=[TrainingScore()], learning_rate_init=1e-12).fit(text)
    assert scored.history_["score"][-1] == pytest.approx(-scored.loss_curve_[-1], rel=1e-4)
    found = find_learning_rate(small(), text, None, n_steps=40)
    assert len(found.rates) > 5


def test_divergence_keeps_the_weights():
    model = small(learning_rate_init=1e38, solver="sgd", clipnorm=0.0, max_iter=5)
    with pytest.raises(ValueError, match="Training diverged in epoch"):
        model.fit(prose(300))
    assert all(np.isfinite(a).all() for a in weights(model))


def test_the_bar_counts_characters(monkeypatch):
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    monkeypatch.setattr("sklearn_nn.estimators._core.fit.can_draw", lambda: True)
    shown = []
    monkeypatch.setattr(
        "sklearn_nn.training.callbacks.ProgressBar._show", lambda bar, _: shown.append(bar)
    )
    small(verbose=True).fit(prose(500))
    assert (shown[0].max_epochs, shown[0].n_samples, shown[0].unit) == (3, 500, "characters")


@learning
@pytest.mark.data
def test_shakespeare():
    """A fifth of the plays, twice: far better than shares alone (3.3), with words in it (1.93)."""
    if not FILE.exists():
        pytest.skip(f"{FILE} is absent; set SKLEARN_NN_DATA to the folder that holds it")
    text = gzip.decompress(FILE.read_bytes()).decode()
    assert (len(text), len(set(text))) == (1_115_394, 65)
    model = TextGenerator(
        96, cell="gru", num_layers=1, max_iter=3, learning_rate="onecycle", batch_size=20,
        learning_rate_init=0.02, validation_fraction=0.1, random_state=seeds(1)[0],
    ).fit(text[:200_000])  # fmt: skip
    assert model.history_["val_loss"][-1] < 2.0
    written = model.sample(400, "\n", temperature=0.5, random_state=0)
    known = set(text.lower().split())
    words = written.lower().split()
    assert sum(word in known for word in words) > 0.6 * len(words)


# --- scikit-learn ---------------------------------------------------------------------------


def test_searches():
    texts = [prose(150, seed) for seed in range(8)]
    search = GridSearchCV(
        small(vocabulary=string.printable), {"cell": ["gru", "rnn"], "hidden_size": [3, 8]},
        cv=KFold(3),
    ).fit(texts)  # fmt: skip
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert search.best_score_ == search.cv_results_["mean_test_score"].max() < 0
    assert len(search.best_estimator_.sample(5)) == 5
    assert search.score(texts) == search.best_estimator_.score(texts)
    scores = cross_val_score(small(vocabulary=string.printable), texts, cv=2)
    by_hand = small(vocabulary=string.printable).fit(texts[4:]).score(texts[:4])
    assert scores[0] == by_hand


def test_tags_and_representations():
    model = small()
    tags = get_tags(model)
    assert tags.input_tags.string
    assert tags.input_tags.one_d_array
    assert not tags.input_tags.two_d_array
    assert not tags.input_tags.sparse
    assert not tags.target_tags.required
    assert tags.estimator_type is None
    assert repr(model).startswith("TextGenerator(batch_size=6")
    assert "TextGenerator" in model._repr_html_()
    assert set(model.get_params()) == set(TextGenerator._parameter_constraints)


@pytest.mark.filterwarnings("ignore:Can't test estimator:sklearn.exceptions.SkipTestWarning")
def test_scikit_learns_checks_that_apply():
    """Those that need no table of numbers; the generator leaves out the others."""
    ran = []
    for estimator, check in estimator_checks_generator(small(max_iter=1)):
        check(estimator)
        ran.append(check.func.__name__)
    assert "check_estimator_cloneable" in ran
