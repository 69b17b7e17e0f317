"""fit over streams: one block is an array, blocks can be resumed, errors name a remedy."""

import numpy as np
import pytest
from scipy import sparse

from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    TabularClassifier,
    TabularRegressor,
    TextGenerator,
)
from sklearn_nn.estimators._inputs import streams
from sklearn_nn.layers import Dense
from sklearn_nn.training import ModelCheckpoint, TrainingScore
from sklearn_nn.training.callbacks import Callback

pytestmark = pytest.mark.filterwarnings(
    "ignore::sklearn.exceptions.ConvergenceWarning",
    "ignore:Got `batch_size` less than 1 or larger:UserWarning",
)
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((90, 5))
LABELS, NUMBERS = np.arange(90) % 3, 100 + 50 * ROWS @ np.arange(1.0, 6.0)
BLOCKS = [slice(0, 40), slice(40, 45), slice(45, 90)]
BOTH = pytest.mark.parametrize("Estimator", [MLPClassifier, MLPRegressor])


def make(Estimator, **options):
    options = {
        "hidden_layer_sizes": 8,
        "batch_size": 16,
        "random_state": 0,
        "max_iter": 6,
    } | options
    return Estimator(**options)


def targets(Estimator):
    return NUMBERS if Estimator in (MLPRegressor, TabularRegressor) else LABELS


class Loader:
    """Stream of blocks, which counts how often it was iterated."""

    def __init__(self, X, y, weight=None, blocks=BLOCKS):
        self.parts = [part for part in (X, y, weight) if part is not None]
        self.slices, self.epochs = blocks, []

    def set_epoch(self, epoch):
        self.epochs.append(epoch)

    def __iter__(self):
        for rows in self.slices:
            yield tuple(part[rows] for part in self.parts)


def same(one, other):
    np.testing.assert_array_equal(one._network.theta, other._network.theta)
    assert one.loss_curve_ == other.loss_curve_


@BOTH
@pytest.mark.parametrize(
    "options",
    [{}, {"solver": "sgd", "learning_rate": "cosine"}, {"shuffle": False}, {"n_restarts": 2}],
    ids=str,
)
def test_one_block_is_an_array(Estimator, options):
    y = targets(Estimator)
    whole = make(Estimator, **options).fit(ROWS, y)
    same(make(Estimator, **options).fit(lambda: iter([(ROWS, y)])), whole)
    weight = RNG.random(90)
    weighed = make(Estimator, **options).fit(ROWS, y, weight)
    one = make(Estimator, **options).fit(Loader(ROWS, y, weight, [slice(None)]))
    same(one, weighed)
    assert one.t_ == weighed.t_


@BOTH
def test_validation_and_callbacks_of_one_block(Estimator):
    y = targets(Estimator)
    options = {"early_stopping": True, "callbacks": [TrainingScore()], "max_iter": 12}
    held_out = {"X_val": ROWS[::3], "y_val": y[::3]}
    whole = make(Estimator, **options).fit(ROWS, y, **held_out)
    streamed = make(Estimator, **options).fit(Loader(ROWS, y, None, [slice(None)]), **held_out)
    same(whole, streamed)
    for name in ("val_loss", "val_score", "score"):
        assert whole.history_[name] == streamed.history_[name]


def test_balanced_classes_of_one_block():
    y = LABELS * (np.arange(90) % 4 == 0)
    options = {"class_weight": "balanced"}
    model = NeuralNetworkClassifier(
        [Dense(8)], batch_size=16, max_iter=3, random_state=0, **options
    )
    whole = model.fit(ROWS, y)._network.theta.copy()
    np.testing.assert_array_equal(whole, model.fit(lambda: iter([(ROWS, y)]))._network.theta)


@pytest.mark.parametrize("Estimator", [TabularClassifier, TabularRegressor])
def test_one_block_of_a_table(Estimator):
    pd = pytest.importorskip("pandas")
    X = pd.DataFrame({"size": ROWS[:, 0], "colour": np.array(list("rgb"))[LABELS]})
    X.loc[::7, "size"] = np.nan
    X = pd.concat([X] * 4, ignore_index=True)
    y, rows = np.tile(targets(Estimator), 4), np.arange(0, 360, 5)
    weight = RNG.integers(0, 2, 360).astype(float)
    options = {"hidden_layer_sizes": 8, "max_iter": 4, "n_networks": 2, "random_state": 0}
    options |= {"batch_size": 64}
    held_out = {"X_val": X.iloc[rows], "y_val": y[rows]}
    for w in (None, weight):
        whole = Estimator(**options).fit(X, y, w, **held_out)
        stream = [(X, y) if w is None else (X, y, w)]
        streamed = Estimator(**options).fit(lambda stream=stream: iter(stream), **held_out)
        np.testing.assert_array_equal(whole._network.theta, streamed._network.theta)
        assert whole.histories_[0]["val_loss"] == streamed.histories_[0]["val_loss"]
        assert whole.recipe_ == streamed.recipe_
        np.testing.assert_array_equal(whole.predict(X), streamed.predict(X))


@BOTH
@pytest.mark.parametrize(
    "options",
    [{}, {"learning_rate": "cosine"}, {"ema_momentum": 0.9}, {"early_stopping": "best"}],
    ids=str,
)
def test_resumed_stream_is_the_uninterrupted_one(Estimator, options, tmp_path):
    y, held_out = targets(Estimator), {}
    if "early_stopping" in options:
        held_out = {"X_val": ROWS[::3], "y_val": targets(Estimator)[::3]}
    options = {"max_iter": 10} | options
    whole = make(Estimator, **options).fit(Loader(ROWS, y), **held_out)

    class Stop(Callback):
        def on_epoch_begin(self, epoch, estimator):
            if epoch == 5:
                raise KeyboardInterrupt

    saved = tmp_path / "stopped"
    stopped = make(Estimator, callbacks=[Stop()], **options)
    with pytest.warns(UserWarning, match="interrupted"):
        stopped.fit(Loader(ROWS, y), **held_out)
    assert stopped.n_iter_ == 4
    stopped.set_params(callbacks=None).save(saved)
    resumed = Estimator.load(saved).set_params(warm_start="resume")
    loader = Loader(ROWS, y)
    resumed.fit(loader, **held_out)
    same(resumed, whole)
    assert resumed.t_ == whole.t_ == 900
    assert loader.epochs == [0, 4, 5, 6, 7, 8, 9]


def test_checkpoint_of_a_stream(tmp_path):
    whole = make(MLPClassifier).fit(Loader(ROWS, LABELS))
    path = tmp_path / "checkpoint"
    make(MLPClassifier, callbacks=ModelCheckpoint(path, save_best_only=False), max_iter=3).fit(
        Loader(ROWS, LABELS)
    )
    resumed = MLPClassifier.load(path).set_params(max_iter=6, warm_start="resume", callbacks=None)
    same(resumed.fit(Loader(ROWS, LABELS)), whole)


def test_every_block_is_trained_on_and_counts_in_the_loss():
    """Without shuffling, blocks of whole batches are the batches of the array."""
    blocks = [slice(0, 48), slice(48, 80), slice(80, 90)]
    options = {"shuffle": False, "learning_rate": "cosine", "solver": "sgd"}
    whole = make(MLPClassifier, **options).fit(ROWS, LABELS)
    loader = Loader(ROWS, LABELS, None, blocks)
    streamed = make(MLPClassifier, **options).fit(loader)
    np.testing.assert_array_equal(whole._network.theta, streamed._network.theta)
    np.testing.assert_allclose(whole.loss_curve_, streamed.loss_curve_, rtol=1e-12)
    assert loader.epochs == [0, 0, 1, 2, 3, 4, 5]
    X = sparse.csr_matrix(np.where(np.abs(ROWS) > 0.5, ROWS, 0))
    dense = make(MLPClassifier).fit(Loader(X.toarray(), LABELS))
    np.testing.assert_allclose(
        dense._network.theta, make(MLPClassifier).fit(Loader(X, LABELS))._network.theta
    )


def test_forms_of_blocks():
    """Empty blocks, blocks without weight, and weights in some blocks only."""
    weight = np.ones(90)
    weight[:40] = 0
    plain = make(MLPClassifier).fit(Loader(ROWS[40:], LABELS[40:], None, [slice(5), slice(5, 50)]))
    streamed = make(MLPClassifier).fit(Loader(ROWS, LABELS, weight, [slice(0, 0), *BLOCKS]))
    np.testing.assert_allclose(plain._network.theta, streamed._network.theta)

    def some():
        yield ROWS[:40], LABELS[:40], np.ones(40)
        yield ROWS[40:45].tolist(), LABELS[40:45].tolist()
        yield ROWS[45:], LABELS[45:]

    same(make(MLPClassifier).fit(some), make(MLPClassifier).fit(Loader(ROWS, LABELS, np.ones(90))))


def test_images_in_blocks():
    X, y = RNG.integers(0, 256, (60, 6, 8, 3), dtype=np.uint8), np.arange(60) % 3
    model = CNNClassifier((4,), batch_size=16, max_iter=2, random_state=0)
    whole = model.fit(X, y)._network.theta.copy()
    np.testing.assert_array_equal(model.fit(lambda: iter([(X, y)]))._network.theta, whole)
    model.fit(lambda: ((X[k : k + 20], y[k : k + 20]) for k in range(0, 60, 20)))
    assert model.t_ == 120


def test_figures_of_all_rows_are_exact_beyond_the_sample(monkeypatch):
    monkeypatch.setattr(streams, "SAMPLE_ROWS", 20)
    monkeypatch.setattr(streams, "_LEAST_ROWS", 20)
    X, y = np.tile(ROWS, (10, 1)), np.tile(NUMBERS, 10)
    y[777] = 5000.0
    blocks = [slice(k, k + 90) for k in range(0, 900, 90)]
    regressor = TabularRegressor(
        hidden_layer_sizes=8, max_iter=1, n_networks=1, early_stopping=False, random_state=0
    )
    whole = regressor.fit(X, y)._codec.scale
    np.testing.assert_allclose(regressor.fit(Loader(X, y, None, blocks))._codec.scale, whole)
    labels = np.zeros(900, dtype=int)
    labels[[3, 400, 401, 899]] = [1, 2, 2, 7]
    model = NeuralNetworkClassifier(
        [Dense(8)], batch_size=16, max_iter=1, random_state=0, class_weight="balanced"
    )
    weights = model.fit(X, labels)._codec.weights
    model.fit(Loader(X, labels, None, blocks))
    np.testing.assert_allclose(model._codec.weights, weights)
    assert model.classes_.tolist() == [0, 1, 2, 7]


def test_categories_of_all_rows_are_exact_beyond_the_sample(monkeypatch):
    pd = pytest.importorskip("pandas")
    monkeypatch.setattr(streams, "SAMPLE_ROWS", 300)
    n = 3000
    letters = np.array([f"c{k}" for k in range(40)])
    X = pd.DataFrame(
        {
            "many": letters[RNG.zipf(1.3, n) % 40],
            "few": pd.Series(np.array(["a", "b", None], dtype=object)[(np.arange(n) > 2990) * 1]),
            "coded": pd.Categorical(np.where(np.arange(n) == 1234, "rare", "usual")),
            "whole": RNG.integers(0, 5, n),
        }
    )
    X.loc[2500, "few"] = None
    y = np.arange(n) % 2
    options = {"hidden_layer_sizes": 8, "max_iter": 1, "n_networks": 1, "early_stopping": False}
    options |= {"random_state": 0, "categorical_features": ["many", "few", "coded", "whole"]}
    for categorical in (options["categorical_features"], "from_dtype"):
        options["categorical_features"] = categorical
        whole = TabularClassifier(**options).fit(X, y).encoder_
        blocks = [slice(k, k + 500) for k in range(0, n, 500)]
        stream = lambda blocks=blocks: ((X.iloc[b], y[b]) for b in blocks)  # noqa: E731
        found = TabularClassifier(**options).fit(stream)
        assert found.encoder_.categories_ == whole.categories_
        assert found.encoder_.get_feature_names_out().tolist() == (
            whole.get_feature_names_out().tolist()
        )
        one_hots = whole.n_numbers_ + whole.n_indicators_
        np.testing.assert_array_equal(
            found.encoder_.transform(X)[:, one_hots:], whole.transform(X)[:, one_hots:]
        )


@BOTH
def test_predictions_of_a_stream_are_blocks(Estimator):
    y = targets(Estimator)
    model = make(Estimator).fit(ROWS, y)
    alone = (ROWS[rows] for rows in BLOCKS)
    for stream in (Loader(ROWS, y), alone, lambda: iter(Loader(ROWS, y))):
        blocks = list(model.predict(stream))
        assert [len(block) for block in blocks] == [40, 5, 45]
        np.testing.assert_array_equal(np.concatenate(blocks), model.predict(ROWS))
    if Estimator is MLPClassifier:
        for name in ("predict_proba", "predict_log_proba"):
            predict = getattr(model, name)
            found = np.concatenate(list(predict(Loader(ROWS, y))))
            np.testing.assert_allclose(found, predict(ROWS), rtol=1e-12)
    with pytest.raises(ValueError, match="Block 1 of the stream: X has 4 features"):
        list(model.predict(iter([ROWS, ROWS[:, :4]])))


def bad_streams():
    X, y = ROWS, LABELS
    generator = ((X, y) for _ in range(2))
    calls = []

    def shrinks():
        calls.append(0)
        yield X, y
        if len(calls) > 2:
            yield X[:, :3], y[:]

    def late_class():
        calls.append(0)
        yield X, y + (9 if len(calls) > 2 else 0)

    def ends():
        calls.append(0)
        if len(calls) < 3:
            yield X, y

    both = {"early_stopping": True}
    return [
        (generator, {}, "can be iterated only once.*pass a function"),
        (zip([X], [y], strict=True), {}, "can be iterated only once"),
        (lambda: iter([]), {}, "yielded no rows in pass 1"),
        (ends, {}, "yielded no rows in pass 2"),
        (lambda: 3, {}, "function that returned a int"),
        (lambda: iter([X]), {}, "Block 0 of the iterable is a ndarray"),
        (lambda: iter([(X, y), (X, y[:9])]), {}, "Block 1 of the stream: .*inconsistent"),
        (lambda: iter([(X, y), (X[:, :4], y)]), {}, "do not have the same columns"),
        (shrinks, {}, "Block 1 of the stream: X has 3 features"),
        (late_class, {}, "Block 0 of the stream: `y` has classes not in"),
        (Loader(X, y), both, "early_stopping=True cannot hold rows out.*X_val and y_val"),
        (Loader(X, y), {"solver": "lbfgs"}, "solver='lbfgs' uses all samples at once"),
    ]


@pytest.mark.parametrize("number", range(len(bad_streams())))
def test_errors_leave_the_estimator_as_it_was(number):
    stream, options, message = bad_streams()[number]
    model = make(MLPClassifier, **options)
    before = {**vars(model)}
    with pytest.raises(ValueError, match=message):
        model.fit(stream)
    assert vars(model) == before


def test_targets_beside_a_stream():
    with pytest.raises(ValueError, match="leave y out"):
        make(MLPClassifier).fit(Loader(ROWS, LABELS), LABELS)
    with pytest.raises(ValueError, match="y to be passed"):
        make(MLPClassifier).fit(ROWS)
    with pytest.raises(TypeError, match="pass one string"):
        TextGenerator().fit(part for part in ("some", "text"))


def test_one_block_of_data_at_a_time():
    """A block is released when the second after it is made."""
    import weakref

    alive = []

    def stream():
        made = []
        for rows in [slice(k, k + 10) for k in range(0, 90, 10)]:
            X = ROWS[rows].astype(np.float32)
            made.append(weakref.ref(X))
            alive.append(sum(ref() is not None for ref in made))
            yield X, LABELS[rows]
            del X

    make(MLPClassifier, max_iter=2).fit(stream)
    assert max(alive) <= 2


def test_divergence_keeps_the_weights_before():
    model = make(MLPRegressor, solver="sgd", learning_rate_init=1e-3, max_iter=20)

    def stream():
        for rows in BLOCKS:
            yield ROWS[rows], NUMBERS[rows]

    model.set_params(learning_rate_init=1e200)
    with pytest.raises(ValueError, match="diverge"):
        model.fit(stream)
