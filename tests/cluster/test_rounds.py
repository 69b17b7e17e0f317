"""Rounds of training in one process, against oracles made of ordinary fits."""

import pickle

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError

from sklearn_nn import (
    MLPClassifier,
    MLPRegressor,
    NeuralNetworkClassifier,
    NeuralNetworkRegressor,
    TabularClassifier,
    distributed,
)
from sklearn_nn.distributed import partitions, rounds
from sklearn_nn.layers import BatchNorm, Dense, Dropout
from sklearn_nn.training import LambdaCallback, TrainingScore

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

SIZES = (24, 40)  # of two groups


def table(rng, sizes=SIZES):
    """Rows of two classes in partitions of the given sizes, and their weights."""
    X = [rng.normal(size=(n, 5)) for n in sizes]
    y = [(part[:, 0] + part[:, 1] > 0).astype(int) for part in X]
    return X, y, [rng.uniform(0.5, 2, n) for n in sizes]


def network(**options):
    """A small network in float64, whose rows keep their order."""
    usual = {
        "hidden_layer_sizes": 4, "solver": "sgd", "learning_rate_init": 0.1, "batch_size": 8,
        "max_iter": 3, "shuffle": False, "random_state": 0, "momentum": 0.0, "alpha": 0.01,
    }  # fmt: skip
    return MLPClassifier(**{**usual, **options})


def weights(model):
    return [*model.coefs_, *model.intercepts_]


def fit(model, X, y, *rest, **options):
    return distributed.fit(model, X, y, *rest, client="local", n_workers=len(X), **options)


def assert_equal(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_array_equal(a, b)


def assert_close(one, other):
    for a, b in zip(weights(one), weights(other), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


OPTIMIZERS = [
    {}, {"momentum": 0.9}, {"solver": "adam"}, {"clipnorm": 0.1, "weight_decay": 0.1},
    {"max_norm": 0.5, "ema_momentum": 0.5, "l1_ratio": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("options", OPTIMIZERS, ids=lambda options: " ".join(options) or "sgd")
@pytest.mark.parametrize("is_weighted", [False, True])
def test_gradients_of_batches_are_those_of_one_large_batch(rng, options, is_weighted):
    X, y, weight = table(rng, (24, 24))
    found = fit(network(**options), X, y, weight if is_weighted else None, sync_every=1)
    # A batch of 16 rows consists of a batch of 8 rows of each group.
    together = [np.stack([p.reshape(3, 8, -1) for p in two], axis=1) for two in (X, y, weight)]
    X, y, weight = (part.reshape(48, -1) for part in together)
    wanted = network(**options).set_params(batch_size=16)
    wanted.fit(X, y.ravel(), weight.ravel() if is_weighted else None)
    assert_close(found, wanted)
    if not is_weighted:  # the loss of scikit-learn's MLP counts rows
        np.testing.assert_allclose(found.loss_curve_, wanted.loss_curve_, rtol=1e-9)


def test_groups_of_unequal_size_are_weighted_by_their_rows(rng):
    X, y, _ = table(rng)
    found = fit(network(batch_size=40, max_iter=1), X, y, sync_every=1)
    wanted = network(batch_size=64, max_iter=1).fit(np.concatenate(X), np.concatenate(y))
    assert_close(found, wanted)


def test_lbfgs_adds_up_gradients(rng):
    X, y, weight = table(rng, (300, 40))
    options = {"solver": "lbfgs", "max_iter": 10, "hidden_layer_sizes": 3}
    found = fit(network(**options), X, y, weight)
    wanted = network(**options).fit(*map(np.concatenate, (X, y, weight)))
    for a, b in zip(weights(found), weights(wanted), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-7)
    assert found.n_iter_ == wanted.n_iter_


def local_epoch(start, X, y):
    """Weights after an ordinary epoch from the weights of `start`."""
    model = network(max_iter=1).fit(X, y)
    model.coefs_ = [a.copy() for a in start[: len(start) // 2]]
    model.intercepts_ = [a.copy() for a in start[len(start) // 2 :]]
    model._optimizer.moments[:] = 0
    return weights(model.partial_fit(X, y))


def averaged(start, X, y, rate=1.0, momentum=0.0, velocity=None):
    """Weights and velocity after an outer step, by hand."""
    found = [local_epoch(start, *part) for part in zip(X, y, strict=True)]
    share = np.array([len(part) for part in X]) / sum(map(len, X))
    change = [
        sum(s * (one[k] - start[k]) for s, one in zip(share, found, strict=True))
        for k in range(len(start))
    ]
    velocity = [momentum * v + c for v, c in zip(velocity or [0] * len(start), change, strict=True)]
    step = [c + momentum * v for c, v in zip(change, velocity, strict=True)]
    return [a + rate * s for a, s in zip(start, step, strict=True)], velocity


@pytest.mark.parametrize(("rate", "momentum"), [(1.0, 0.0), (0.7, 0.9)])
def test_changes_are_averaged_and_go_through_an_outer_nesterov_step(rng, rate, momentum):
    X, y, _ = table(rng)
    outer = {"outer_learning_rate": rate, "outer_momentum": momentum}
    found = fit(network(), X, y, **outer)
    start = weights(network().initialize(np.concatenate(X), np.concatenate(y)))
    velocity = None
    for _ in range(3):
        start, velocity = averaged(start, X, y, rate, momentum, velocity)
    for a, b in zip(weights(found), start, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-12)


def test_one_group_trains_as_one_process(rng):
    X, y, _ = table(rng)
    X, y = np.concatenate(X).astype(np.float32), np.concatenate(y)
    options = {"solver": "adam", "batch_size": 16, "max_iter": 5}
    found = fit(network(**options), [X], [y], sync_every=2)
    wanted = network(**options).fit(X, y)
    assert_equal(found, wanted)
    assert found.loss_curve_ == pytest.approx(wanted.loss_curve_, rel=1e-12)
    assert found.n_iter_ == wanted.n_iter_
    assert found.t_ == wanted.t_


@pytest.mark.parametrize(("n_groups", "momentum"), [(1, 0.0), (2, 0.5), (40, 0.9)])
def test_the_usual_momentum_is_that_of_the_number_of_groups(rng, n_groups, momentum):
    X, y, _ = table(rng, (8,) * n_groups)
    usual = fit(network(max_iter=2), X, y)
    given = fit(network(max_iter=2), X, y, outer_momentum=momentum)
    assert_equal(usual, given)


def test_batch_norm_statistics_are_averaged(rng):
    X, y, _ = table(rng)

    def made():
        return NeuralNetworkClassifier(
            [Dense(4), BatchNorm()], batch_size=8, learning_rate_init=0.1, max_iter=1,
            shuffle=False, random_state=0, scale_inputs=False,
        )  # fmt: skip

    found = fit(made(), X, y, outer_momentum=0)
    each = [made().fit(*part) for part in zip(X, y, strict=True)]
    share = np.array(SIZES) / sum(SIZES)
    for layer, name in (("batchnorm1", "moving_mean"), ("dense1", "kernel")):
        wanted = sum(s * one.layers_[layer][name] for s, one in zip(share, each, strict=True))
        np.testing.assert_allclose(found.layers_[layer][name], wanted, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("sync_every", [1, 2])
def test_results_are_repeatable_and_depend_on_random_state(rng, sync_every):
    X, y, _ = table(rng, (24, 40, 16))
    layers = [Dense(4), Dropout(0.5)]
    models = [
        NeuralNetworkClassifier(layers, batch_size=8, max_iter=3, random_state=seed)
        for seed in (0, 0, 1)
    ]
    one, same, other = (fit(model, X, y, sync_every=sync_every) for model in models)
    kernels = [model.layers_["dense1"]["kernel"] for model in (one, same, other)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.array_equal(kernels[0], kernels[2])


def test_rows_that_travel_give_the_same_bits(rng, monkeypatch):
    X, y, _ = table(rng)
    wanted = fit(network(shuffle=True), X, y, sync_every=2)
    run = rounds.Cluster.run

    def pickled(self, *args):
        self.shards = [pickle.loads(pickle.dumps(one)) for one in self.shards]
        return run(self, *args)

    monkeypatch.setattr(rounds.Cluster, "run", pickled)
    assert_equal(fit(network(shuffle=True), X, y, sync_every=2), wanted)


def test_means_of_moments_are_not_negative():
    parts = [np.array([1e-30, 0.0]), np.array([1e-30, 0.0])]
    assert (rounds.mean(parts, [1.0, 3.0]) >= 0).all()
    change = rounds.moved(np.array([3.0]), [np.array([3.0])] * 3, [0.1, 0.2, 0.3])
    assert change[0] == 0.0
    assert rounds.moved(np.array([3.0]), [np.array([4.0])], [0.0])[0] == 0.0


# --- what is learnt of all rows ------------------------------------------------------------------


def test_classes_and_scales_are_those_of_all_rows(rng, monkeypatch):
    monkeypatch.setattr(partitions, "SAMPLE_ROWS", 10)
    X = [rng.normal(size=(n, 3)) for n in (30, 50, 20)]
    labels = [rng.integers(0, 2, len(part)).astype(str) for part in X]
    labels[2][7] = "rare"
    options = {"batch_size": 16, "max_iter": 2, "random_state": 0}
    model = NeuralNetworkClassifier(
        [Dense(3, activation="relu")], class_weight="balanced", **options
    )
    fit(model, X, labels)
    assert model.classes_.tolist() == ["0", "1", "rare"]
    whole = NeuralNetworkClassifier(
        [Dense(3, activation="relu")], class_weight="balanced", **options
    )
    whole.initialize(np.concatenate(X), np.concatenate(labels))
    np.testing.assert_allclose(model._codec.weights[0], whole._codec.weights[0])
    y = [10 * part[:, :2] + 1000 for part in X]
    weight = [rng.uniform(0, 2, len(part)) for part in X]
    model = fit(NeuralNetworkRegressor([Dense(3, activation="relu")], **options), X, y, weight)
    whole = NeuralNetworkRegressor([Dense(3, activation="relu")], **options)
    whole.initialize(*map(np.concatenate, (X, y, weight)))
    np.testing.assert_allclose(model._codec.scale, whole._codec.scale, rtol=1e-12)


def frames(rng, sizes):
    made = []
    for n in sizes:
        frame = pd.DataFrame({"a": rng.normal(size=n), "b": rng.choice(["x", "y", "z"], n)})
        frame["target"] = np.where(frame["b"] == "x", "yes", "no")
        frame["weight"] = 1.0
        made.append(frame)
    return made


@pytest.mark.parametrize("names_weight", [False, True])
def test_tables_in_parquet_files(rng, tmp_path, names_weight):
    pytest.importorskip("pyarrow")
    made = frames(rng, (60, 0, 80))
    made = made if names_weight else [frame.drop(columns="weight") for frame in made]
    paths = [tmp_path / f"{k}.parquet" for k in range(3)]
    for frame, path in zip(made, paths, strict=True):
        frame.to_parquet(path)
    model = TabularClassifier(max_iter=3, random_state=0, batch_size=16)
    weight = "weight" if names_weight else None
    val = frames(rng, (50,))[0]
    distributed.fit(
        model, paths, "target", weight, client="local", n_workers=2, X_val=val[["a", "b"]],
        y_val=val["target"],
    )  # fmt: skip
    assert model.feature_names_in_.tolist() == ["a", "b"]
    assert len(model.history_["val_score"]) == 3
    assert model.predict(val[["a", "b"]]).shape == (50,)
    assert model.recipe_["n_networks"] == 1
    with pytest.raises(ValueError, match="no column"):
        distributed.fit(model, paths, "wrong", client="local")
    with pytest.raises(TypeError, match="name of the column"):
        distributed.fit(model, paths, np.zeros(3), client="local")


# --- the trainer's services ----------------------------------------------------------------------


def test_early_stopping_and_callbacks(rng):
    X, y, _ = table(rng)
    seen = []
    watch = LambdaCallback(lambda epoch, _, est: seen.append((epoch, est.predict(X[0]).shape)))
    model = network(early_stopping=True, callbacks=[watch], max_iter=50, n_iter_no_change=3)
    fit(model, X, y, X_val=X[0], y_val=y[0])
    assert len(seen) == model.n_iter_ == len(model.validation_scores_)
    assert model.score(X[0], y[0]) == max(model.validation_scores_)


class BreakError(Exception):
    """An interruption."""


@pytest.mark.parametrize("sync_every", [1, 2])
@pytest.mark.parametrize("at", [0, 3, 5, 9, 11])
def test_a_fit_continues_from_its_checkpoint(rng, tmp_path, monkeypatch, sync_every, at):
    X, y, _ = table(rng)
    path = tmp_path / "backup.npz"
    options = {
        "sync_every": sync_every, "checkpoint": path, "X_val": X[0], "y_val": y[0],
        **({} if sync_every == 1 else {"outer_momentum": 0.5}),
    }  # fmt: skip

    def made():
        return network(
            solver="adam", shuffle=True, max_iter=5, early_stopping="best", ema_momentum=0.5,
            learning_rate="cosine",
        )  # fmt: skip

    wanted = fit(made(), X, y, **options)
    assert not path.exists()
    run, n = rounds.Cluster.run, iter(range(10**6))

    def breaking(self, *args):
        if next(n) == at:
            raise BreakError
        return run(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(rounds.Cluster, "run", breaking)
        broken = made()
        with pytest.raises(BreakError):
            fit(broken, X, y, **options)
    assert path.exists() == (at > 0)
    with pytest.raises(NotFittedError):
        broken.predict(X[0])
    found = fit(made(), X, y, **options)
    assert_equal(found, wanted)
    assert found.loss_curve_ == wanted.loss_curve_
    assert found.validation_scores_ == wanted.validation_scores_
    assert not path.exists()


def test_a_checkpoint_of_another_fit_is_refused(rng, tmp_path, monkeypatch):
    X, y, _ = table(rng)
    path = tmp_path / "backup.npz"
    run, n = rounds.Cluster.run, iter(range(10**6))

    def breaking(self, *args):
        if next(n) == 2:
            raise BreakError
        return run(self, *args)

    with monkeypatch.context() as patch:
        patch.setattr(rounds.Cluster, "run", breaking)
        with pytest.raises(BreakError):
            fit(network(), X, y, sync_every=2, checkpoint=path)
    with pytest.raises(ValueError, match="other values of batch_size"):
        fit(network(batch_size=4), X, y, sync_every=2, checkpoint=path)
    with pytest.raises(ValueError, match="groups of"):
        fit(network(), X[::-1], y[::-1], sync_every=2, checkpoint=path)
    with pytest.raises(ValueError, match="not of an interrupted"):
        fit(MLPRegressor(), X, y, checkpoint=path)
    assert path.exists()


def test_warnings_of_workers_are_told(rng):
    X, y, _ = table(rng)
    with pytest.warns(UserWarning, match="looks like an output layer"):
        fit(NeuralNetworkClassifier([Dense(2)], max_iter=1), X, y)


def test_divergence_is_told(rng):
    X = [rng.normal(size=(20, 2))] * 2
    model = MLPRegressor("squared_error", (), solver="sgd", learning_rate_init=1e99, max_iter=3)
    with pytest.raises(ValueError, match="diverged"):
        fit(model, X, [part[:, 0] for part in X])


WRONG = [
    (ValueError, "sync_every=0", {}, {"sync_every": 0}),
    (ValueError, "n_workers=1.5", {}, {"n_workers": 1.5}),
    (ValueError, "outer_momentum=1", {}, {"outer_momentum": 1}),
    (ValueError, "averages gradients", {}, {"sync_every": 1, "outer_momentum": 0.5}),
    (ValueError, "needs a validation set", {"early_stopping": True}, {}),
    (ValueError, "n_restarts=2", {"n_restarts": 2}, {}),
    (ValueError, "TrainingScore", {"callbacks": [TrainingScore()]}, {}),
    (ValueError, "checkpoint is for", {"solver": "lbfgs"}, {"checkpoint": "x.npz"}),
    (ValueError, "is not a cluster", {}, {"client": 5}),
]


@pytest.mark.parametrize(
    ("kind", "told", "parameters", "options"), WRONG, ids=lambda v: str(v)[:24]
)
def test_errors_name_the_parameter(rng, kind, told, parameters, options):
    X, y, _ = table(rng)
    with pytest.raises(kind, match=told):
        distributed.fit(network(**parameters), X, y, **{"client": "local", **options})


def test_data_in_memory_are_refused(rng):
    X, y, _ = table(rng)
    with pytest.raises(TypeError, match="X is a ndarray"):
        distributed.fit(network(), X[0], y[0], client="local")
    with pytest.raises(ValueError, match="2 partitions"):
        distributed.fit(network(), X, y[0], client="local")
    with pytest.raises(ValueError, match="no rows"):
        distributed.fit(network(), [X[0][:0]], [y[0][:0]], client="local")


def test_a_fit_that_fails_leaves_the_estimator_as_it_was(rng):
    X, y, _ = table(rng)
    model = fit(network(), X, y)
    before = [a.copy() for a in weights(model)]
    with pytest.raises(ValueError, match="NaN"):
        fit(model, [X[0] * np.nan, X[1]], y)
    assert all(map(np.array_equal, before, weights(model)))


def test_the_result_is_an_ordinary_estimator(rng, tmp_path):
    X, y, _ = table(rng)
    model = fit(network(), X, y)
    model.save(tmp_path / "model.npz")
    loaded = MLPClassifier.load(tmp_path / "model.npz")
    np.testing.assert_array_equal(loaded.predict_proba(X[0]), model.predict_proba(X[0]))
    before = weights(model)[0].copy()
    model.partial_fit(X[0], y[0])
    assert not np.array_equal(before, weights(model)[0])
    assert "_rounds" not in vars(model)
