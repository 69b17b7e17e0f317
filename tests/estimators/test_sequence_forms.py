"""Every form in which sequences may come is read as the same numbers, or refused with a reason."""

import numpy as np
import pytest
from scipy import sparse
from sklearn.model_selection import LeaveOneOut, cross_val_predict

from sklearn_nn import CNNClassifier, FeatureExtractor, NeuralNetworkClassifier, RNNClassifier
from sklearn_nn.estimators._inputs.sequences import from_list, from_padded
from sklearn_nn.layers import GRU, Embedding, GlobalAveragePool, Reshape
from sklearn_nn.network.source import dense_rows, source

RNG = np.random.default_rng(0)
A = RNG.standard_normal((40, 6, 2))
Y = np.arange(40) % 2
U = RNG.integers(0, 256, (40, 6, 2), dtype=np.uint8)
LENGTHS = RNG.integers(2, 9, 40)
LENGTHS[0] = 8
#: Sequences of one channel; words, with and without zeros behind them in rows of nine.
SIGNALS = [RNG.standard_normal(n) for n in LENGTHS]
WORDS = [RNG.integers(1, 9, n) for n in LENGTHS]
WORD_ROWS = np.zeros((40, 9), dtype=int)
for row, word in zip(WORD_ROWS, WORDS, strict=True):
    row[: len(word)] = word


def rnn(**parameters):
    return RNNClassifier(4, **{"cell": "gru", "max_iter": 2, "random_state": 0, **parameters})


def reader(mask_zero=False, first=None, **parameters):
    layers = [first or Embedding(256, 3, mask_zero=mask_zero), GRU(4)]
    return NeuralNetworkClassifier(layers, max_iter=2, random_state=0, **parameters)


def ended(X, steps):
    """An array with NaN behind the last step of all."""
    found = np.full((len(X), steps, X.shape[2]), np.nan)
    found[:, : X.shape[1]] = X
    return found


def objects(items):
    found = np.empty(len(items), dtype=object)
    found[:] = items
    return found


def assert_same(a, b):
    """Networks that are equal to the bit, and have learnt the same shape."""
    assert (a.input_shape_, a.n_features_in_) == (b.input_shape_, b.n_features_in_)
    assert a._network.theta.dtype == b._network.theta.dtype
    np.testing.assert_array_equal(a._network.theta, b._network.theta)


# --- padding -------------------------------------------------------------------------------------


@pytest.mark.parametrize("steps", [7, 11])
def test_arrays_longer_than_all_sequences(steps):
    model = rnn().fit(A, Y)
    padded = ended(A, steps)
    for form in (padded, list(padded), np.moveaxis(padded, 1, 2)):
        first = (
            {} if form is padded or isinstance(form, list) else {"data_format": "channels_first"}
        )
        other = rnn(**first).fit(form, Y)
        assert_same(other, model)
        np.testing.assert_array_equal(other.predict_proba(form), model.predict_proba(A))


def test_sequences_of_one_length_are_not_copied():
    for found in (from_padded(ended(A, 9)), from_list(list(ended(A, 9)), "channels_last")):
        assert found.is_even
        assert found.shape == (40, 12)
        np.testing.assert_array_equal(
            dense_rows(found.source("float64"), "float64"), A.reshape(40, 12)
        )
    apart = from_padded(A)
    apart.lengths = np.full(40, 3)
    assert not apart.is_even  # of one length, and not one behind the other
    rows = dense_rows(apart.source("float64"), "float64")
    np.testing.assert_array_equal(rows, A[:, :3].reshape(40, 6))


def test_masked_rows_of_one_length():
    rows = np.zeros((40, 9), int)
    rows[:, :6] = RNG.integers(1, 9, (40, 6))
    model = reader(True).fit(rows, Y)
    assert_same(model, reader(True).fit(rows[:, :6], Y))
    assert model.input_shape_ == (6, 1)
    np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(rows[:, :6]))


def test_masked_rows_of_any_form():
    pd = pytest.importorskip("pandas")
    model = reader(True).fit(WORD_ROWS, Y)
    p = model.predict_proba(WORD_ROWS)
    assert model.input_shape_ == (8, 1)
    forms = {
        "list": WORD_ROWS.tolist(),
        "tuple": tuple(map(tuple, WORD_ROWS)),
        "frame": pd.DataFrame(WORD_ROWS),
        "floats": WORD_ROWS.astype(float),
        "bytes": WORD_ROWS.astype(np.uint8),
        "objects": WORD_ROWS.astype(object),
        "sparse": sparse.csr_matrix(WORD_ROWS),
        "three axes": WORD_ROWS[:, :, np.newaxis],
        "list of columns": list(WORD_ROWS[:, :, np.newaxis]),
        "zeros in unequal ones": [
            row[: max(5, n)] for row, n in zip(WORD_ROWS, LENGTHS, strict=True)
        ],
        "NaN": np.where(WORD_ROWS == 0, np.nan, WORD_ROWS)[:, :, np.newaxis],
        "no zeros": WORDS,
    }
    for name, form in forms.items():
        assert_same(reader(True).fit(form, Y), model)
        np.testing.assert_array_equal(model.predict_proba(form), p, err_msg=name)
    other = reader(True, data_format="channels_first")
    assert_same(other.fit(WORD_ROWS, Y), model)
    assert_same(other.fit(WORD_ROWS[:, np.newaxis], Y), model)
    wider = np.c_[WORD_ROWS, np.zeros((40, 4), int)]
    np.testing.assert_array_equal(model.predict_proba(wider), p)
    full = np.full((1, 13), 3)
    np.testing.assert_array_equal(model.predict_proba(full), model.predict_proba([full[0]]))
    for bad in (WORD_ROWS.astype(str).astype("U3")[:, 0], np.full((3, 9), "a")):
        with pytest.raises(ValueError, match=r"1D array|Convert your data"):
            model.predict(bad)


def test_lists_of_padded_arrays():
    unequal = [ended(a[np.newaxis, :n], 6 + n % 3)[0] for a, n in zip(A, LENGTHS, strict=True)]
    model = rnn().fit([a[:n] for a, n in zip(A, LENGTHS, strict=True)], Y)
    assert_same(rnn().fit(unequal, Y), model)
    with pytest.raises(ValueError, match=r"missing values \(NaN\): X\[1\] at step 0"):
        model.predict([A[0], A[1] * np.nan])
    hole = A[1].copy()
    hole[2, 0] = np.nan
    with pytest.raises(ValueError, match=r"missing values \(NaN\): X\[1\] at step 2"):
        model.predict([A[0], hole])


def test_embeddings_do_not_look_at_padding():
    padded = np.where(WORD_ROWS == 0, np.nan, WORD_ROWS)[:, :, np.newaxis]
    model = reader().fit(WORDS, Y)
    assert_same(reader().fit(padded, Y), model)
    np.testing.assert_array_equal(model.predict_proba(padded), model.predict_proba(WORDS))
    padded[3, 0] = 0.5
    with pytest.raises(ValueError, match="numbers that are not whole"):
        model.predict(padded)


# --- bytes ---------------------------------------------------------------------------------------


def test_bytes_are_scaled_in_all_forms():
    model = rnn().fit(U, Y)
    p = model.predict_proba(U)
    for form in (list(U), objects(list(U)), [u.tolist() for u in U / np.float32(255)]):
        np.testing.assert_array_equal(model.predict_proba(form), p)
    assert_same(rnn().fit(list(U), Y), model)
    longer = np.concatenate([U, U[:, :3]], axis=1)
    scaled = longer.astype(np.float32) / np.float32(255)
    np.testing.assert_array_equal(model.predict_proba(longer), model.predict_proba(scaled))
    np.testing.assert_array_equal(model.predict_proba(list(longer)), model.predict_proba(scaled))
    cut = [u[:n] for u, n in zip(U, LENGTHS, strict=True)]
    assert_same(rnn().fit(cut, Y), rnn().fit([c / np.float32(255) for c in cut], Y))


def test_bytes_are_rounded_as_by_the_machine():
    every = np.arange(256, dtype=np.uint8)
    machine = dense_rows(source(every[np.newaxis], "float32", 255), "float32")[0]
    for found in (
        from_list([every], "channels_last", divisor=255),
        from_padded(every.reshape(1, 256, 1), divisor=255),
    ):
        assert found.dtype == np.float32
        np.testing.assert_array_equal(found.values, machine)


@pytest.mark.parametrize("form", ["rows", "column", "input_shape", "list"])
def test_words_are_never_scaled(form):
    words = RNG.integers(0, 256, (40, 6))
    read = {
        "rows": lambda X: X,
        "column": lambda X: X[:, :, np.newaxis],
        "input_shape": lambda X: X,
        "list": lambda X: [x[:n] for x, n in zip(X, LENGTHS, strict=True)],
    }[form]
    options = {"input_shape": (6, 1)} if form == "input_shape" else {}
    model = reader(**options).fit(read(words), Y)
    other = reader(**options).fit(read(words.astype(np.uint8)), Y)
    assert_same(other, model)
    p = model.predict_proba(read(words))
    np.testing.assert_array_equal(other.predict_proba(read(words.astype(np.uint8))), p)
    assert len(np.unique(p[:, 0])) > 30


# --- lists ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["signals", "words"])
def test_signals_of_one_length_after_unequal_ones(kind):
    X = SIGNALS if kind == "signals" else WORDS
    model = (rnn() if kind == "signals" else reader()).fit(X, Y)
    p = model.predict_proba(X)
    for index in (0, 1, 5):
        for alone in ([X[index]], (X[index],), [X[index].tolist()], np.array([X[index]], object)):
            np.testing.assert_array_equal(model.predict_proba(alone)[0], p[index])
        twice = model.predict_proba([X[index], X[index]])
        np.testing.assert_array_equal(twice, p[[index, index]])


def test_unequal_signals_go_through_splits_and_streams():
    found = cross_val_predict(rnn(max_iter=1), SIGNALS[:6], Y[:6], cv=LeaveOneOut())
    assert found.shape == (6,)
    batches = [(SIGNALS[:9], Y[:9]), ([SIGNALS[9]] * 2, Y[9:11]), (SIGNALS[11:], Y[11:])]
    model = rnn().partial_fit(iter(batches), classes=[0, 1])
    assert np.isfinite(model.predict_proba(SIGNALS)).all()


def test_tables_stay_tables():
    model = rnn().fit(A[:, :, 0].tolist(), Y)
    with pytest.raises(ValueError, match="X has 5 features, but RNNClassifier is expecting 6"):
        model.predict(A[:, :5, 0].tolist())


def test_lists_of_frames_series_and_objects():
    pd = pytest.importorskip("pandas")
    X = [a[:n] for a, n in zip(A, LENGTHS, strict=True)]
    model = rnn().fit(X, Y)
    forms = [
        [pd.DataFrame(x, columns=["a", "b"]) for x in X],
        [pd.DataFrame(x).astype("Float64") for x in X],
        [list(x) for x in X],
        pd.Series(X, index=np.arange(40)[::-1]),
        [x.astype(object) for x in X],
    ]
    for form in forms:
        assert_same(rnn().fit(form, Y), model)
        np.testing.assert_array_equal(model.predict_proba(form), model.predict_proba(X))
    signals = rnn().fit(SIGNALS, Y)
    for form in (
        [pd.Series(x) for x in SIGNALS],
        pd.Series(SIGNALS),
        [x.astype(object) for x in SIGNALS],
    ):
        assert_same(rnn().fit(form, Y), signals)


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (np.array([["a", 1.0]], dtype=object), r"X\[1\] has dtype object; sequences hold numbers"),
        (np.array([["a", "b"]]), r"X\[1\] has dtype <U1; sequences hold numbers"),
        ([[1.0, 2.0], [3.0]], r"X\[1\] has steps of unequal length"),
        (np.zeros((0, 3)), r"X\[1\] has 3 channels, but X\[0\] has 2"),
    ],
)
def test_items_that_are_no_sequences(item, message):
    with pytest.raises(ValueError, match=message):
        rnn().fit([A[0], item, *A[2:]], Y)


@pytest.mark.parametrize("make", [rnn, lambda: NeuralNetworkClassifier([GRU(3)], max_iter=1)])
@pytest.mark.parametrize("empty", [[], np.zeros((0, 2)), np.zeros(0), ()])
def test_empty_sequences(make, empty):
    message = r"X\[2\] is a sequence without time steps, of which nothing can be said; leave it out"
    X = [A[0], A[1][:3], *A[2:]]
    bad = [*X[:2], empty, *X[3:]]
    objects = np.empty(len(bad), dtype=object)
    objects[:] = bad
    model = make().fit(X, Y)
    for given in (bad, objects):
        for call in (
            lambda given=given: make().fit(given, Y),
            lambda given=given: make().fit(X, Y, X_val=given, y_val=Y),
            lambda given=given: model.predict(given),
            lambda given=given: model.partial_fit(given, Y),
            lambda given=given: FeatureExtractor(model).fit(X).transform(given),
        ):
            with pytest.raises(ValueError, match=message):
                call()
    with pytest.raises(ValueError, match=r"3 channels, but X.0. has 2|time steps"):
        model.predict([A[0], np.zeros((0, 3))])


def test_empty_sequences_alone_and_empty_signals():
    model = rnn().fit([A[0], *A[1:, :4]], Y)
    signals = rnn().fit(SIGNALS, Y)
    without = r"samples of shape .0, 2.|X\[0\] is a sequence without time steps|0 feature\(s\)"
    for fitted, X in (
        (model, [np.zeros((0, 2))]),
        (signals, [[], [1.0]]),
        (signals, [np.zeros(0)]),
        (model, [[]]),
        (signals, [[]]),
        (signals, [[], []]),
        (model, np.zeros((2, 0, 2))),
    ):
        with pytest.raises(ValueError, match=without):
            fitted.predict(X)


# --- arrays of three axes ------------------------------------------------------------------------


def test_tensors():
    torch = pytest.importorskip("torch")
    X = [a[:n] for a, n in zip(A, LENGTHS, strict=True)]
    assert_same(rnn().fit([torch.from_numpy(x) for x in X], Y), rnn().fit(X, Y))
    assert_same(rnn().fit([torch.from_numpy(x) for x in SIGNALS], Y), rnn().fit(SIGNALS, Y))
    padded = ended(A, 8)
    padded[3, 4:] = np.nan
    model = rnn().fit(padded, Y)
    assert_same(rnn().fit(torch.from_numpy(padded), Y), model)
    longer = np.concatenate([A, A], axis=1)
    found = model.predict_proba(torch.from_numpy(longer))
    np.testing.assert_array_equal(found, model.predict_proba(longer))


def test_three_axes_of_any_kind():
    model = rnn().fit(A, Y)
    padded = ended(A, 8)
    padded[3, 4:] = np.nan
    longer = np.concatenate([A, A], axis=1)
    for array in (padded, longer):
        found = model.predict_proba(array.astype(object))
        np.testing.assert_array_equal(found, model.predict_proba(array))
    assert_same(rnn().fit(padded.astype(object), Y), rnn().fit(padded, Y))
    signs = rnn().fit(A > 0, Y)
    np.testing.assert_array_equal(
        signs.predict_proba(longer > 0), signs.predict_proba((longer > 0).astype(float))
    )


def test_sparse_rows_of_words():
    model = reader().fit(WORD_ROWS, Y)
    rows = sparse.csr_matrix(WORD_ROWS)
    assert_same(reader().fit(rows, Y), model)
    np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(WORD_ROWS))
    with pytest.raises(ValueError, match="X holds -1"):
        model.predict(sparse.csr_matrix(-(WORD_ROWS > 5).astype(int)))


def test_rows_and_columns_of_words():
    model = reader().fit(WORD_ROWS, Y)
    column = WORD_ROWS[:, :, np.newaxis]
    np.testing.assert_array_equal(model.predict_proba(column), model.predict_proba(WORD_ROWS))
    assert model.predict_proba(column[:, :7]).shape == (40, 2)


# --- input_shape ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("X", "parameters", "seen"),
    [
        (np.moveaxis(A, 1, 2), {"data_format": "channels_first", "input_shape": (2, 6)}, (6, 2)),
        (A, {"input_shape": (2, 6)}, (6, 2)),
        (list(A), {"input_shape": (2, 6)}, (6, 2)),
        (A, {"input_shape": (2, 6, 1)}, (6, 2)),
    ],
)
def test_input_shapes_that_contradict_the_samples(X, parameters, seen):
    given = parameters["input_shape"]
    message = (
        rf"input_shape=\({', '.join(map(str, given))}\) does not fit X.*\({seen[0]}, {seen[1]}\)"
    )
    with pytest.raises(ValueError, match=message + r" \(channels last"):
        rnn(**parameters).fit(X, Y)


def test_input_shapes_that_say_more_than_the_samples():
    cnn = {"filters": 2, "max_iter": 1, "random_state": 0}
    images = RNG.standard_normal((40, 8, 6))
    model = CNNClassifier(**cnn).fit(images, Y)
    assert_same(CNNClassifier(**cnn, input_shape=(8, 6, 1)).fit(images, Y), model)
    assert_same(CNNClassifier(**cnn, input_shape=[8, 6, 1]).fit(images.reshape(40, 48), Y), model)
    with pytest.raises(ValueError, match=r"input_shape=\(6, 8, 1\) does not fit X"):
        CNNClassifier(**cnn, input_shape=(6, 8, 1)).fit(images, Y)
    flat = NeuralNetworkClassifier(None, input_shape=(48,), max_iter=1, random_state=0)
    assert flat.fit(images, Y).input_shape_ == (48,)


def test_grey_images_have_no_channels_to_come_first():
    cnn = {"filters": 2, "max_iter": 1, "random_state": 0}
    first = {"data_format": "channels_first"}
    images = RNG.standard_normal((40, 8, 6))
    model = CNNClassifier(**cnn).fit(images, Y)
    for given in ({}, {"input_shape": (8, 6, 1)}):
        other = CNNClassifier(**cnn, **first, **given).fit(images, Y)
        assert_same(other, model)
        np.testing.assert_array_equal(other.predict_proba(images), model.predict_proba(images))
    other = CNNClassifier(**cnn, **first).fit(images[:, np.newaxis], Y)
    assert_same(other, model)
    turned = np.moveaxis(images, 1, 2)
    signals = CNNClassifier(**cnn, input_shape=(6, 8)).fit(turned, Y)
    assert_same(CNNClassifier(**cnn, **first, input_shape=(6, 8)).fit(images, Y), signals)
    assert rnn(**first).fit(images, Y).input_shape_ == (6, 8)


# --- layers that read whole numbers --------------------------------------------------------------


def test_embeddings_stand_first():
    with pytest.raises(ValueError, match="'embedding1': Embedding reads the whole numbers of X"):
        NeuralNetworkClassifier([Reshape((9,)), Embedding(3, 4), GRU(5)]).fit(WORD_ROWS, Y)
    pooled = NeuralNetworkClassifier([Embedding(9, 4), GlobalAveragePool()], max_iter=1)
    assert pooled.fit(WORD_ROWS, Y).input_shape_ == (9,)


def test_an_input_shape_without_lengths_is_no_shape():
    """Also where it is not asked for: embeddings and sequences of unequal length have their own."""
    for shape in ((0, 1), (9, -1), ()):
        for layers, X in (([Embedding(9, 4), GlobalAveragePool()], WORD_ROWS), ([GRU(3)], list(A))):
            with pytest.raises(ValueError, match=r"input_shape=\(.*does not fit X"):
                NeuralNetworkClassifier(layers, input_shape=shape, max_iter=1).fit(X, Y[: len(X)])


# --- windows -------------------------------------------------------------------------------------


@pytest.mark.parametrize("truncation", [2, 3, 4, 6, 7])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_windows_of_even_sequences_in_any_form(truncation, dtype):
    """A list, or padding behind the end of all, is cut into the batches that an array is."""
    steps = A[:, :, 0] > 0
    for X in (A, U):
        model, *others = (
            rnn(return_sequences=True, truncation=truncation, batch_size=7, dtype=dtype).fit(
                form, y, X_val=val, y_val=y[:9]
            )
            for form, y, val in (
                (X, steps, X[:9]),
                (list(X), list(steps), list(X[:9])),
                (X, list(steps), list(X[:9])),
                *([(ended(X, 8), steps, X[:9])] if X is A else []),
            )
        )
        for other in others:
            assert_same(model, other)
            assert model.loss_curve_ == other.loss_curve_
            assert model.validation_loss_curve_ == other.validation_loss_curve_
            np.testing.assert_array_equal(model.predict_proba(X), other.predict_proba(list(X)))
