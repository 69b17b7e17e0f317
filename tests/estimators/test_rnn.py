"""RNNClassifier and RNNRegressor: forms of sequences, padding, targets of steps, truncation."""

import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import (
    GridSearchCV,
    KFold,
    TimeSeriesSplit,
    cross_val_score,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.learning import learning, median
from sklearn_nn import (
    FeatureExtractor,
    NeuralNetworkClassifier,
    RNNClassifier,
    RNNRegressor,
    load,
    sliding_windows,
)
from sklearn_nn.layers import GRU, Conv1D, Dropout, Embedding, GlobalAveragePool, MaxPool1D

CELLS = ("lstm", "gru", "rnn")


def ragged(n=60, channels=2, seed=0, dtype="float64", shortest=1):
    """Sequences of 1 to 12 steps, and whether the first step's first number is positive."""
    rng = np.random.default_rng(seed)
    X = [
        rng.standard_normal((length, channels)).astype(dtype)
        for length in rng.integers(shortest, 13, n)
    ]
    return X, np.array([x[0, 0] > 0 for x in X])


def padded(X, more=0):
    """An array with NaN behind the end of sequences."""
    array = np.full((len(X), max(map(len, X)) + more, X[0].shape[1]), np.nan, X[0].dtype)
    for row, x in zip(array, X, strict=True):
        row[: len(x)] = x
    return array


def small(**parameters):
    defaults = {"cell": "gru", "max_iter": 5, "random_state": 0, "batch_size": 16}
    return RNNClassifier(7, **{**defaults, **parameters})


def weights(model):
    """All weights, by layer and name."""
    return [array for layer in model.layers_.values() for array in layer.values()]


def assert_same_weights(a, b):
    for x, y in zip(weights(a), weights(b), strict=True):
        np.testing.assert_array_equal(x, y)


# --- forms of X -----------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_forms_of_unequal_sequences_are_one(dtype):
    """A list, an array of objects, NaN behind the end, channels first: the same to the bit."""
    X, y = ragged(dtype=dtype)
    objects = np.empty(len(X), dtype=object)
    objects[:] = X
    first = np.moveaxis(padded(X), 1, 2)
    model = small().fit(X, y)
    assert model.input_shape_ == (12, 2)
    assert model.n_features_in_ == 24
    assert weights(model)[0].dtype == dtype
    forms = {"objects": objects, "padded": padded(X), "more": padded(X, 5), "tuple": tuple(X)}
    if dtype == "float64":
        forms["lists"] = [x.tolist() for x in X]
    for form in forms.values():
        assert_same_weights(small().fit(form, y), model)
        np.testing.assert_array_equal(model.predict_proba(form), model.predict_proba(X))
    other = small(data_format="channels_first")
    assert_same_weights(other.fit(first, y), model)
    assert_same_weights(other.fit([x.T for x in X], y), model)


def test_forms_of_equal_sequences_are_one():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6, 3)), rng.integers(0, 3, 40)
    model = small().fit(X, y)
    assert model.input_shape_ == (6, 3)
    assert_same_weights(small(input_shape=(6, 3)).fit(X.reshape(40, 18), y), model)
    turned = np.moveaxis(X, 1, 2)
    assert_same_weights(small(data_format="channels_first").fit(turned, y), model)
    assert_same_weights(small(data_format="channels_first").fit(turned.copy(), y), model)
    p = model.predict_proba(X)
    np.testing.assert_array_equal(model.predict_proba(X.reshape(40, 18)), p)
    np.testing.assert_array_equal(model.predict_proba(list(X)), p)
    signals = X[:, :, 0]
    one = small().fit(signals, y)
    assert one.input_shape_ == (6, 1)
    assert_same_weights(small().fit(signals[:, :, np.newaxis], y), one)


def test_one_channel_may_go_without_an_axis():
    X, y = ragged(channels=1)
    model = small().fit(X, y)
    flat = [x[:, 0] for x in X]
    assert_same_weights(small().fit(flat, y), model)
    np.testing.assert_array_equal(model.predict_proba(flat), model.predict_proba(X))


@pytest.mark.parametrize("pooling", ["last", "mean", "max", "attention"])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_padding_does_not_matter(cell, bidirectional, pooling):
    """Each sequence alone, with others, and longer than all that were fitted: the same bits."""
    X, y = ragged(40)
    model = small(
        cell=cell, bidirectional=bidirectional, pooling=pooling, num_layers=2, max_iter=1,
        hidden_layer_sizes=5,
    ).fit(X, y)  # fmt: skip
    p = model.predict_proba(X)
    assert len(np.unique(p[:, 0])) == len(X)
    np.testing.assert_array_equal(np.concatenate([model.predict_proba([x]) for x in X]), p)
    np.testing.assert_array_equal(model.predict_proba(padded(X, 9)), p)
    longer = [*X, np.ones((31, 2))]
    np.testing.assert_array_equal(model.predict_proba(longer)[:-1], p)
    alone = np.concatenate([model.predict_proba(x[np.newaxis]) for x in X])
    np.testing.assert_array_equal(alone, p)
    others = [np.concatenate([x[:-1], x[-1:] + 100]) for x in X]
    noticed = (model.predict_proba(others) != p).any(axis=1)  # the largest may be another step's
    assert noticed.all() if pooling != "max" else noticed.mean() > 0.5


def test_sequences_without_steps():
    X, y = ragged()
    bad = padded(X)
    bad[3] = np.nan
    for call in (lambda: small().fit(bad, y), lambda: small().fit(X, y).predict(bad)):
        with pytest.raises(ValueError, match=r"X\[3\] is a sequence without time steps"):
            call()
    one_step = small().fit([x[:1] for x in X], y)
    assert one_step.input_shape_ == (1, 2)


def test_other_lengths_after_equal_ones():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 6, 3)), rng.integers(0, 2, 40)
    model = small().fit(X, y)
    longer = rng.standard_normal((5, 9, 3))
    p = model.predict_proba(longer)
    np.testing.assert_array_equal(model.predict_proba(list(longer)), p)
    cut = [longer[0, :4], longer[1]]
    np.testing.assert_array_equal(model.predict_proba(cut)[1], p[1])
    with pytest.raises(ValueError, match="4 channels, but RNNClassifier was fitted with 3"):
        model.predict([np.zeros((3, 4))])


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda X: [*X[:2], np.zeros((3, 5)), *X[3:]], r"X\[2\] has 5 channels, but X\[0\] has 2"),
        (lambda X: [X[0] * np.nan, *X[1:]], r"missing values \(NaN\): X\[0\] at step 0"),
        (lambda X: [*X[:-1], X[-1] + np.inf], r"infinite values: X\[59\] at step 0"),
        (lambda X: [*X[:-1], np.array([["a", "b"]])], r"X\[59\] has dtype <U1"),
        (lambda X: X[:-1], "inconsistent numbers of samples"),
    ],
)
def test_bad_sequences(spoil, message):
    X, y = ragged()
    model = small().fit(X, y)
    before = weights(model)[0].copy()
    with pytest.raises(ValueError, match=message):
        model.fit(spoil(X), y)
    np.testing.assert_array_equal(weights(model)[0], before)


def test_missing_values_within_a_padded_sequence():
    X, y = ragged()
    array = padded(X)
    index = max(range(len(X)), key=lambda k: len(X[k]))
    array[index, 4, 1] = np.nan
    with pytest.raises(ValueError, match=rf"X\[{index}\] at step 4"):
        small().fit(array, y)
    with pytest.raises(ValueError, match="contains NaN"):
        small().fit(np.where(np.arange(6) == 2, np.nan, 1.0)[np.newaxis].repeat(60, 0), y)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"truncation": 3, "pooling": "mean"}, "pooling='mean' all steps at once"),
        (
            {"truncation": 3, "return_sequences": True, "bidirectional": True},
            "reads sequences forward",
        ),
        ({"dropout": [0.1, 0.2]}, r"dropout=\[0.1, 0.2\] must be one rate"),
        ({"input_shape": (24,)}, "does not fit X"),
        ({"cell": "elman"}, "The 'cell' parameter"),
    ],
)
def test_bad_parameters(parameters, message):
    rng = np.random.default_rng(0)
    y = np.arange(20) % 2
    y = y[:, np.newaxis].repeat(6, 1) if "return_sequences" in parameters else y
    with pytest.raises(ValueError, match=message):
        small(**parameters).fit(rng.standard_normal((20, 6, 2)), y)


# --- targets of every step ------------------------------------------------------------------


def per_step(n=60, seed=0):
    """Sequences, and for each step whether the sum so far is positive."""
    X, _ = ragged(n, seed=seed)
    return X, [np.where(np.cumsum(x[:, 0]) > 0, "up", "down") for x in X]


@learning
def test_steps_are_learnt():
    X, y = per_step(200)

    def score(seed):
        options = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": seed}
        return small(return_sequences=True, **options).fit(X, y).score(X, y)

    assert median(score) > 0.9


def test_classes_of_steps():
    X, y = per_step(200)
    model = small(return_sequences=True, max_iter=10, learning_rate_init=0.02).fit(X, y)
    predicted = model.predict(X)
    assert [len(p) for p in predicted] == [len(x) for x in X]
    assert set(np.concatenate(predicted)) == {"up", "down"}
    flat = np.concatenate(predicted) == np.concatenate(y)
    assert model.score(X, y) == pytest.approx(flat.mean())
    for p, labels, log_p in zip(
        model.predict_proba(X), predicted, model.predict_log_proba(X), strict=True
    ):
        assert p.shape == (len(labels), 2)
        np.testing.assert_array_equal(model.classes_[p.argmax(axis=1)], labels)
        np.testing.assert_allclose(np.exp(log_p), p)
    weight = np.arange(200.0)
    by_step = np.repeat(weight, [len(x) for x in X])
    assert model.score(X, y, weight) == pytest.approx(np.average(flat, weights=by_step))


def test_targets_behind_the_end_are_not_looked_at():
    X, y = per_step()
    labels = np.full((60, 12), "elsewhere", dtype=object)
    for row, own in zip(labels, y, strict=True):
        row[: len(own)] = own
    model = small(return_sequences=True).fit(X, y)
    assert_same_weights(small(return_sequences=True).fit(padded(X), labels), model)
    np.testing.assert_array_equal(model.classes_, ["down", "up"])


@learning
def test_numbers_of_steps():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((80, 9, 1))
    y = np.cumsum(X[:, :, 0], axis=1) / 3
    both = np.stack([y, -y], axis=2)

    def scores(seed):
        options = {"max_iter": 60, "learning_rate_init": 0.02, "random_state": seed}
        model = RNNRegressor(16, return_sequences=True, **options)
        score = model.fit(X, y).score(X, y)
        assert model.predict(X).shape == (80, 9)
        assert model.predict(X[:3, :4]).shape == (3, 4)
        assert model.fit(X, both).predict(X).shape == (80, 9, 2)
        return score, model.score(X, both)

    assert min(median(scores)) > 0.85
    model = RNNRegressor(16, return_sequences=True, max_iter=1)
    with pytest.raises(ValueError, match=r"y\[0\] has one target, but X\[0\] has 9 steps"):
        model.fit(X, y[:, 0])
    with pytest.raises(ValueError, match=r"y\[1\] has 8 targets, but X\[1\] has 9 steps"):
        model.fit(X, [y[0], y[1, 1:], *y[2:]])
    with pytest.raises(ValueError, match="y has targets for 8 steps"):
        model.fit(X, y[:, 1:])


def test_the_loss_of_steps_is_that_of_their_mean():
    """Steps count alike, however they are spread over sequences, and padding counts nothing."""
    X, y = per_step()
    model = small(return_sequences=True, max_iter=1, learning_rate_init=1e-12, batch_size=60)
    model.fit(X, y)
    p = np.concatenate(model.predict_proba(X))
    own = p[np.arange(len(p)), np.searchsorted(model.classes_, np.concatenate(y))]
    penalty = sum((w**2).sum() for w in weights(model) if w.ndim == 2)
    expected = -np.log(own).mean() + model.alpha / 2 * penalty / len(p)
    assert model.loss_ == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("scoring", [None, "loss", "balanced_accuracy"])
@pytest.mark.parametrize("truncation", [None, 5])
def test_validation_of_steps(scoring, truncation):
    X, y = per_step(150)
    X_val, y_val = per_step(60, seed=1)
    model = small(
        return_sequences=True, truncation=truncation, early_stopping="best", scoring=scoring,
        max_iter=8, learning_rate_init=0.02,
    )  # fmt: skip
    model.fit(X, y, X_val=X_val, y_val=y_val)
    best = model.best_validation_score_
    if scoring is None:
        assert best == pytest.approx(model.score(X_val, y_val))
    if scoring == "loss":
        own = np.concatenate(model.predict_proba(X_val))
        column = np.searchsorted(model.classes_, np.concatenate(y_val))
        loss = -np.log(own[np.arange(len(own)), column]).mean()
        assert best == pytest.approx(-loss)
    held_out = clone(model).fit(X, y)
    assert len(held_out.history_["val_loss"]) == 8
    assert held_out._held_out.size == 15


# --- truncation -----------------------------------------------------------------------------


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("length", [12, 11])
def test_windows_predict_what_the_whole_does(cell, length):
    """State is carried from window to window, so truncation changes gradients only."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, length, 2))
    y = np.cumsum(X[:, :, 0], axis=1) > 0
    whole = small(cell=cell, num_layers=2, return_sequences=True, batch_size=7).fit(X, y)
    windows = clone(whole).set_params(truncation=4)
    windows.fit(X, y)
    assert any((a != b).any() for a, b in zip(weights(whole), weights(windows), strict=True))
    for model in (whole, windows):
        p = model.predict_proba(X)
        assert p.shape == (30, length, 2)
        for own, other in zip(weights(windows), weights(model), strict=True):
            own[...] = other
        np.testing.assert_array_equal(windows.predict_proba(X), p)
        ragged_p = windows.predict_proba([X[0, :5], X[1]])
        np.testing.assert_array_equal(ragged_p[0], p[0, :5])


def test_a_window_as_long_as_the_sequence_is_no_truncation():
    X, y = per_step(48)
    whole = small(return_sequences=True).fit(X, y)
    assert_same_weights(small(return_sequences=True, truncation=12).fit(X, y), whole)


@pytest.mark.parametrize("cell", CELLS)
def test_training_remembers_from_window_to_window(cell):
    """At a rate that changes nothing, the training loss is that of the whole sequences."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 12, 2))
    y = rng.integers(0, 3, (30, 12))
    model = small(
        cell=cell, truncation=4, return_sequences=True, solver="sgd", learning_rate_init=1e-300,
        max_iter=1, batch_size=10, alpha=0.0,
    ).fit(X, y)  # fmt: skip
    p = model.predict_proba(X).reshape(-1, 3)
    loss = -np.log(p[np.arange(len(p)), y.ravel()]).mean()
    assert model.loss_curve_[0] == pytest.approx(loss, rel=1e-12)


@learning
def test_truncation_goes_through_all_windows_of_unequal_sequences():
    X, y = per_step(100)

    def score(seed):
        options = {"max_iter": 40, "learning_rate_init": 0.02, "random_state": seed}
        model = small(return_sequences=True, truncation=4, **options)
        return model.fit(X, y).score(X, y)

    assert median(score) > 0.85


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("length", [12, 11, 3])
@pytest.mark.parametrize("n_jobs", [1, 2])
def test_one_target_of_windows_is_that_of_the_last(cell, length, n_jobs):
    """The loss, the scores and what is predicted are those of the whole sequences."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, length, 2))
    y, weight = rng.integers(0, 3, 30), rng.uniform(0.5, 2, 30)
    options = {"cell": cell, "max_iter": 1, "batch_size": 10, "alpha": 0.0, "n_jobs": n_jobs}
    options |= {"solver": "sgd", "learning_rate_init": 1e-300, "num_layers": 2}
    whole, windows = small(**options), small(truncation=4, **options)
    for model in (whole, windows):
        model.fit(X, y, weight, X_val=X, y_val=y, sample_weight_val=weight)
    p = whole.predict_proba(X)
    np.testing.assert_array_equal(windows.predict_proba(X), p)
    assert windows.loss_curve_[0] == pytest.approx(whole.loss_curve_[0], rel=1e-12)
    for name in ("val_loss", "val_score"):
        np.testing.assert_allclose(windows.history_[name], whole.history_[name], rtol=1e-12)
    np.testing.assert_array_equal(windows.predict_proba([X[0, :2], X[1]])[1], p[1])
    extracted = [FeatureExtractor(m, f"{cell}2").fit(X).transform(X) for m in (whole, windows)]
    np.testing.assert_array_equal(*extracted)


def test_one_target_of_windows_is_learnt_from_in_the_last():
    """A step an epoch, from the last window, begun with what the window before remembers."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 8, 2)), rng.standard_normal(6)
    model = RNNRegressor(
        3, cell="rnn", truncation=4, solver="sgd", learning_rate_init=0.1, momentum=0.9,
        nesterovs_momentum=False, alpha=0.0, clipnorm=0.0, max_iter=3, batch_size=6,
        shuffle=False, dtype="float64", random_state=0,
    )  # fmt: skip
    layers = clone(model).initialize(X, y).layers_
    W, R, b, V, c = (
        layers[layer][name].copy()
        for layer, name in [
            ("rnn1", "kernel"), ("rnn1", "recurrent_kernel"), ("rnn1", "bias"),
            ("output", "kernel"), ("output", "bias"),
        ]
    )  # fmt: skip
    speed = [0.0] * 5
    scaled = (y - y.mean()) / y.std()
    for _ in range(3):
        h = [np.zeros((6, 3))]
        for t in range(8):
            h.append(np.tanh(X[:, t] @ W + h[-1] @ R + b))
        error = (h[8] @ V + c - scaled[:, np.newaxis]) / 6
        slopes = [
            np.zeros_like(W),
            np.zeros_like(R),
            np.zeros_like(b),
            h[8].T @ error,
            error.sum(0),
        ]
        dh = error @ V.T
        for t in (7, 6, 5, 4):
            da = dh * (1 - h[t + 1] ** 2)
            for slope, part in zip(slopes, (X[:, t].T @ da, h[t].T @ da, da.sum(0)), strict=False):
                slope += part
            dh = da @ R.T
        speed = [0.9 * v - 0.1 * slope for v, slope in zip(speed, slopes, strict=True)]
        W, R, b, V, c = (w + v for w, v in zip((W, R, b, V, c), speed, strict=True))
    fitted = model.fit(X, y)
    for own, wanted in zip(weights(fitted), (W, R, b, V, c), strict=True):
        np.testing.assert_allclose(own, wanted, rtol=1e-9)


@pytest.mark.parametrize("cell", CELLS)
def test_one_target_of_one_window_is_no_truncation(cell):
    X, y = ragged(40)
    whole = small(cell=cell).fit(X, y)
    assert_same_weights(small(cell=cell, truncation=12).fit(X, y), whole)


@learning
def test_one_target_of_windows_is_learnt():
    """Which of two the last steps hold, of sequences of unequal length."""
    rng = np.random.default_rng(0)
    X = [rng.standard_normal((n, 2)) for n in rng.integers(5, 40, 200)]
    y = np.array([x[-3:, 0].sum() > 0 for x in X])

    def score(seed):
        model = RNNClassifier(
            12, cell="gru", truncation=6, learning_rate_init=0.02, max_iter=40, random_state=seed
        )
        return model.fit(X[:150], y[:150]).score(X[150:], y[150:])

    assert median(score) > 0.8


def test_one_target_of_windows_with_early_stopping():
    X, y = ragged(60)
    model = small(truncation=2, early_stopping="best", max_iter=4).fit(X, y)
    assert len(model.history_["val_score"]) == 4
    assert 0 <= model.score(X, y) <= 1


# --- scikit-learn ---------------------------------------------------------------------------


def test_searches_and_splits():
    X, y = ragged(80)
    grid = {"cell": ["gru", "rnn"], "hidden_size": [3, 5], "num_layers": [1, 2]}
    search = GridSearchCV(small(max_iter=2), grid, cv=2).fit(X, y)
    assert set(search.best_params_) == set(grid)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    scores = cross_val_score(small(max_iter=2), X, y, cv=KFold(3))
    assert np.isfinite(scores).all()


@learning
def test_forecasts_of_a_wave():
    series = np.sin(np.arange(120) / 4)
    windows, targets = sliding_windows(series, 10, horizon=3)

    def score(seed):
        model = RNNRegressor(8, max_iter=40, learning_rate_init=0.02, random_state=seed)
        return cross_val_score(model, windows, targets, cv=TimeSeriesSplit(3))[-1]

    assert median(score) > 0.5


@learning
def test_pipeline_on_rows():
    rng = np.random.default_rng(0)
    X = 50 + 9 * rng.standard_normal((120, 10))
    y = X[:, 0] > 50

    def score(seed):
        network = small(max_iter=40, learning_rate_init=0.02, random_state=seed)
        return make_pipeline(StandardScaler(), network).fit(X, y).score(X, y)

    assert median(score) > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # of L-BFGS
def test_sample_weights():
    """A weight of zero leaves a sequence out; a weight of two counts it twice."""
    X, y = ragged(32)
    weight = np.repeat([1.0, 0.0], 16)
    model = small(solver="lbfgs", max_iter=8)
    assert_close = np.testing.assert_allclose
    left_out = clone(model).fit(X[:16], y[:16])
    weighted = clone(model).fit(X, y, weight)
    assert_close(weighted.predict_proba(X), left_out.predict_proba(X), rtol=1e-6)
    twice = clone(model).fit([*X, *X[:16]], np.r_[y, y[:16]])
    weighted = clone(model).fit(X, y, np.repeat([2.0, 1.0], 16))
    assert_close(weighted.predict_proba(X), twice.predict_proba(X), rtol=1e-6)


@learning
def test_early_stopping():
    X, y = ragged(200)
    train, test, y_train, y_test = train_test_split(X, y, random_state=0)

    def score(seed):
        model = small(
            early_stopping=True, n_iter_no_change=5, max_iter=200, learning_rate_init=0.02,
            tol=0.01, random_state=seed,
        ).fit(train, y_train)  # fmt: skip
        assert model.n_iter_ < 200
        return model.score(test, y_test)

    assert median(score) > 0.75


@pytest.mark.parametrize("per_steps", [False, True])
def test_resumes_to_the_last_bit(tmp_path, per_steps):
    X, y = per_step() if per_steps else ragged()
    options = {"dropout": 0.3, "return_sequences": per_steps, "early_stopping": "best"}
    options |= {"truncation": 5 if per_steps else None}
    whole = small(max_iter=6, **options).fit(X, y)
    model = small(max_iter=3, warm_start="resume", **options).fit(X, y)
    model.save(tmp_path / "model.npz")
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")):
        again.set_params(max_iter=6).fit(X, y)
        assert_same_weights(again, whole)
        assert again.loss_curve_ == whole.loss_curve_


@pytest.mark.parametrize("per_steps", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_threads_give_the_same_bits(cell, per_steps):
    X, y = per_step() if per_steps else ragged()
    options = {"num_layers": 2, "dropout": 0.2, "return_sequences": per_steps, "batch_size": 60}
    options |= {"truncation": 5 if per_steps else None, "bidirectional": not per_steps}
    one = small(cell=cell, max_iter=2, n_jobs=1, **options).fit(X, y)
    two = small(cell=cell, max_iter=2, n_jobs=2, **options).fit(X, y)
    assert_same_weights(one, two)


def test_saved_models_predict_the_same(tmp_path):
    X, y = ragged()
    model = small(pooling="attention", bidirectional=True).fit(X, y)
    p = model.predict_proba(X)
    model.save(tmp_path / "model.npz")
    for again in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model.npz")):
        np.testing.assert_array_equal(again.predict_proba(X), p)
    assert "gru1" in str(model.summary())


def test_batches_of_other_lengths():
    """partial_fit goes on with sequences that are longer or shorter than the first ones."""
    X, y = ragged(40)
    model = small().partial_fit(X, y, classes=[False, True])
    longer = [np.concatenate([x, x, x]) for x in X]
    model.partial_fit(longer, y).partial_fit([x[:2] for x in X], y)
    model.partial_fit(iter([(X[:20], y[:20]), (longer[20:], y[20:])]))
    assert np.isfinite(model.predict_proba(longer)).all()
    warm = small(warm_start=True).fit(X, y)
    assert np.isfinite(warm.fit(longer, y).predict_proba(X)).all()


def test_clipping_is_on():
    assert RNNClassifier().clipnorm == RNNRegressor().clipnorm == 1.0


# --- layers of one's own --------------------------------------------------------------------


def test_convolutions_before_recurrence():
    X, y = ragged(60, shortest=4)
    layers = [Conv1D(6, 3, padding="same"), MaxPool1D(2), Dropout(0.1), GRU(5)]
    options = {"max_iter": 2, "random_state": 0, "batch_size": 16}
    model = NeuralNetworkClassifier(layers, **options).fit(X, y)
    p = model.predict_proba(X)
    np.testing.assert_array_equal(np.concatenate([model.predict_proba([x]) for x in X]), p)
    np.testing.assert_array_equal(model.predict_proba(padded(X, 7)), p)
    only = NeuralNetworkClassifier([Conv1D(6, 3), GlobalAveragePool()], **options).fit(X, y)
    p = only.predict_proba(X)
    np.testing.assert_array_equal(np.concatenate([only.predict_proba([x]) for x in X]), p)


def test_layers_that_go_by_the_length_say_so():
    X, y = ragged(20)
    with pytest.raises(ValueError, match=r"'flatten'.*Flatten does not take sequences of unequal"):
        NeuralNetworkClassifier([Conv1D(4, 1)]).fit(X, y)
    rng = np.random.default_rng(0)
    model = NeuralNetworkClassifier([Conv1D(4, 1)], max_iter=1).fit(
        rng.standard_normal((20, 6, 2)), y
    )
    with pytest.raises(ValueError, match="sequences of 7 steps, but the network was fitted with 6"):
        model.predict(rng.standard_normal((20, 7, 2)))


def words(n=80):
    """Sequences of numbers that stand for words, and whether the first is one of the last four."""
    rng = np.random.default_rng(0)
    X = [rng.integers(1, 9, size) for size in rng.integers(2, 10, n)]
    return X, np.array([x[0] > 4 for x in X])


@learning
def test_words_are_learnt():
    X, y = words()

    def score(seed):
        layers = [Embedding(9, 4, mask_zero=True), GRU(8)]
        options = {"learning_rate_init": 0.02, "max_iter": 60, "random_state": seed}
        return NeuralNetworkClassifier(layers, **options).fit(X, y).score(X, y)

    assert median(score) > 0.9


def test_numbers_that_stand_for_words():
    """Embedding: ragged lists, and rows with zeros behind the end, are the same sequences."""
    X, y = words()
    rows = np.zeros((80, 9), int)
    for row, x in zip(rows, X, strict=True):
        row[: len(x)] = x
    options = {"learning_rate_init": 0.02, "max_iter": 5, "random_state": 0}
    layers = [Embedding(9, 4, mask_zero=True), GRU(8)]
    model = NeuralNetworkClassifier(layers, **options).fit(X, y)
    other = NeuralNetworkClassifier(layers, **options).fit(rows, y)
    assert_same_weights(other, model)
    np.testing.assert_array_equal(model.predict_proba(rows), model.predict_proba(X))
    for bad in (np.full((80, 9), 9), rows + 0.5, rows - 1):
        with pytest.raises(ValueError, match="Embedding"):
            NeuralNetworkClassifier(layers, **options).fit(bad, y)
        with pytest.raises(ValueError, match="Embedding"):
            model.predict(bad)


def test_targets_of_sequences_that_are_all_shorter_than_those_fitted():
    """Of equal lengths, in a list or an array: as many targets as each has steps."""
    rng = np.random.default_rng(0)
    fitted = [rng.standard_normal((n, 2)) for n in (7, 4, 6, 7)]
    model = RNNRegressor(3, return_sequences=True, max_iter=1, random_state=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(fitted, [x[:, 0] for x in fitted])
    short = [x[:3] for x in fitted]
    single = [model.predict([x])[0] for x in short]
    assert [len(steps) for steps in model.predict(short)] == [3, 3, 3, 3]
    np.testing.assert_array_equal(np.stack(model.predict(short)), np.stack(single))
    np.testing.assert_array_equal(model.predict(np.stack(short)), np.stack(single))
