"""Copies are the same estimator, whatever was done before, and whatever is done afterwards."""

import copy
import pickle
import warnings

import numpy as np
import pytest

from helpers.estimators.all_estimators import KINDS, data, fitted, make, outputs
from sklearn_nn import TabularClassifier, load
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.training import CheckpointError, LambdaCallback, RMSprop

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

#: What estimators of a walk are made with, one of these.
STARTS = [
    {}, {"random_state": "generator"}, {"ema_momentum": 0.5}, {"early_stopping": True},
    {"dtype": "float32"}, {"dropout": 0.2}, {"n_restarts": 2}, {"solver": "sgd"},
    {"learning_rate": "adaptive", "solver": "sgd", "n_iter_no_change": 1, "tol": 0.5},
]  # fmt: skip
#: What is set in a walk.
SETTINGS = [
    {"activation": "tanh"}, {"activation": "relu"}, {"learning_rate_init": 0.02},
    {"beta_1": 0.5}, {"solver": RMSprop()}, {"solver": "adam"}, {"dropout": 0.1},
    {"hidden_layer_sizes": (7,)}, {"hidden_layer_sizes": (4,)}, {"pooling": "max"},
    {"warm_start": True}, {"warm_start": False}, {"warm_start": "resume"}, {"max_iter": 5},
    {"max_iter": 2}, {"random_state": 4}, {"early_stopping": False}, {"batch_size": 5},
    {"learning_rate_factors": {"output": 0.5}}, {"loss": "squared_error"},
]  # fmt: skip


def parameters_of(kind, chosen):
    """Of these parameters those that an estimator of the kind has."""
    known = make(kind).get_params()
    values = {name: value for name, value in chosen.items() if name in known}
    if values.get("random_state") == "generator":
        values["random_state"] = np.random.RandomState(3)
    if kind.startswith(("Tabular", "TextGenerator")) and values.get("dtype") == "auto":
        values.pop("dtype")
    if kind == "TextGenerator" and values.get("early_stopping"):
        values["validation_fraction"] = 0.3
    return values


def interrupted(epoch, *_):
    if epoch % 2 == 0:
        raise KeyboardInterrupt


def write(model, draw):
    """Write into an array, or put another in its place."""
    layer = sorted(model.layers_)[draw.integers(len(model.layers_))]
    name = sorted(model.layers_[layer])[draw.integers(len(model.layers_[layer]))]
    array, way = model.layers_[layer][name], draw.integers(5)
    if way == 0 or not array.flags.writeable:
        array *= 1.1
    elif way == 1:
        array += 0.1
    elif way == 2:
        model.layers_[layer][name] = draw.standard_normal(array.shape)
    elif way == 3:
        model.layers_[layer][name] = array.astype(np.float32) / np.float32(3)
    else:
        model.layers_[layer][name] = (array / 7).tolist()


def step(model, kind, seed):
    """One call, drawn; what it raises is returned, and what it says."""
    draw = np.random.default_rng(seed)
    calls = ["fit", "partial_fit", "set", "write", "write", "replace", "predict", "freeze",
             "unfreeze", "interrupt", "resume", "bad", "checkpoint", "initialize"]  # fmt: skip
    call = calls[draw.integers(len(calls))]
    arguments = data(kind)
    try:
        if call == "fit":
            model.fit(*arguments)
        elif call == "partial_fit":
            model.partial_fit(*arguments)
        elif call == "set":
            chosen = parameters_of(kind, SETTINGS[draw.integers(len(SETTINGS))])
            model.set_params(**copy.deepcopy(chosen))
        elif call in ("write", "replace"):
            write(model, draw)
            if hasattr(model, "coefs_") and call == "replace":
                model.coefs_[0] = model.coefs_[0] * 1.5
        elif call == "freeze":
            model.freeze(sorted(model.layers_)[0])
        elif call == "unfreeze":
            model.unfreeze()
        elif call == "interrupt":
            before = model.callbacks
            model.set_params(callbacks=[LambdaCallback(interrupted)])
            try:
                model.fit(*arguments)
            finally:
                model.set_params(callbacks=before)
        elif call == "resume":
            before = model.get_params(deep=False)
            model.set_params(warm_start="resume", max_iter=getattr(model, "n_iter_", 0) + 2)
            try:
                model.fit(*arguments)
            finally:
                names = ("warm_start", "max_iter")
                model.set_params(**{name: before[name] for name in names})
        elif call == "bad":
            model.fit(arguments[0][:-1], *arguments[1:]) if len(arguments) > 1 else model.fit("")
        elif call == "initialize" and draw.random() < 0.3:
            model.initialize(*arguments)
        return call, outputs(model, kind).tobytes()
    except (ValueError, AttributeError, TypeError) as error:
        return call, type(error).__name__, str(error)[:200]


def weights(model):
    """All numbers that predictions and further training go by."""
    try:
        network_of(model)
    except ValueError as error:
        return str(error)
    found = {"theta": model._network.theta, "state": model._network.state}
    descent = vars(model).get("_optimizer")
    if descent is not None:
        found |= {"moments": descent.moments, "step": descent.step, "rate": descent.base_rate}
        found |= {"average": descent.average, "raw": descent.raw}
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "best_iteration_", "validation_scores_"):
        found[name] = vars(model).get(name)
    return {name: np.array(value, dtype=object if value is None else None).tobytes()
            for name, value in found.items() if value is not None}  # fmt: skip


def copied(model, way, path):
    if way == "file":
        model.save(path)
        return load(path)
    if way == "file twice":
        model.save(path)
        load(path).save(path)
        return load(path)
    if way == "pickle":
        return pickle.loads(pickle.dumps(model))
    return copy.deepcopy(model)


WAYS = ["file", "file twice", "pickle", "deep copy"]


def walk(kind, seed, path, n_steps=8):
    """Call and call; copy now and then; every copy must go the same way from there."""
    draw = np.random.default_rng(seed)
    model = make(kind, **parameters_of(kind, STARTS[draw.integers(len(STARTS))]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(*data(kind))
        twins, calls = {}, []
        for number in range(n_steps):
            if number in (0, 2, 5):
                way = WAYS[draw.integers(len(WAYS))]
                twins[f"{way} before {number}"] = copied(model, way, path)
            made = int(draw.integers(2**31))
            said = step(model, kind, made)
            calls.append(said[0])
            for way, twin in twins.items():
                other = step(twin, kind, made)
                assert other == said, (kind, seed, way, calls, said[1:], other[1:])
                assert weights(twin) == weights(model), (kind, seed, way, calls)


@pytest.mark.parametrize("kind", KINDS)
def test_copies_go_the_same_way(kind, tmp_path):
    for seed in range(3):
        walk(kind, seed, tmp_path / "model")


@pytest.mark.parametrize("kind", KINDS)
def test_a_shallow_copy_shares_its_weights_until_one_is_trained(kind):
    model = fitted(kind, **{"n_networks": 1} if kind.startswith("Tabular") else {})
    other, before = copy.copy(model), outputs(model, kind)
    layer = next(iter(model.layers_))
    name = next(iter(model.layers_[layer]))
    assert np.shares_memory(model.layers_[layer][name], other.layers_[layer][name])
    state = pickle.dumps(other)
    model.set_params(warm_start="resume", max_iter=5).fit(*data(kind))
    assert model.n_iter_ >= 3
    assert pickle.dumps(other) == state
    np.testing.assert_array_equal(outputs(other, kind), before)
    other.set_params(warm_start="resume", max_iter=5).fit(*data(kind))
    np.testing.assert_array_equal(outputs(other, kind), outputs(model, kind))
    assert vars(other).get("loss_curve_") == vars(model).get("loss_curve_")


@pytest.mark.parametrize("way", WAYS)
def test_training_that_nobody_meant_to_resume_is_resumed_by_copies(way, tmp_path):
    model = make("MLPClassifier", early_stopping=True, n_iter_no_change=50).fit(
        *data("MLPClassifier")
    )
    twin = copied(model, way, tmp_path / "model")
    for estimator in (model, twin):
        estimator.set_params(warm_start="resume", max_iter=6).fit(*data("MLPClassifier"))
        assert estimator.n_iter_ == 6
    np.testing.assert_array_equal(model._network.theta, twin._network.theta)


def test_arrays_put_in_the_place_of_others(tmp_path):
    """In `layers_` of an MLP too; of another type; two that are one."""
    model = fitted("MLPClassifier", dtype="float32", hidden_layer_sizes=(4, 4))
    model.layers_["dense1"]["kernel"] = np.full((4, 4), 1 / 3)
    twin = copied(model, "file", tmp_path / "model")
    assert (twin.coefs_[0] == np.float32(1 / 3)).all()
    assert (model.coefs_[0] == np.float32(1 / 3)).all()
    for estimator in (model, twin):
        for _ in range(5):
            estimator.layers_["dense1"]["kernel"] *= 1.1
        estimator.coefs_[1] = estimator.coefs_[0]
        estimator.predict(data("MLPClassifier")[0])
        estimator.coefs_[0] += 1
    assert weights(model) == weights(twin)
    assert not np.array_equal(model.coefs_[0], model.coefs_[1])


def categories():
    """A small table with a number and many words, and its targets."""
    rng = np.random.default_rng(0)
    words = np.array([f"word {k % 12}" for k in range(48)], dtype=object)
    return np.column_stack([rng.standard_normal(48).astype(object), words]), np.arange(48) % 2


@pytest.mark.parametrize(("layer", "name"), [("numbers", "counts"), ("categories", "sizes")])
def test_layout_of_weights_is_read_only(layer, name, tmp_path):
    """Kernels would read and write where there is no memory."""
    X, y = categories()
    model = TabularClassifier(
        num_embedding="piecewise_linear", hidden_layer_sizes=(4,), n_networks=1, max_iter=2,
        random_state=0,
    ).fit(X, y)  # fmt: skip
    before = model.predict_proba(X)
    array = model.layers_[layer][name]
    with pytest.raises(ValueError, match="read-only"):
        array *= 2
    model.layers_[layer][name] = array * 2
    uses = [lambda: model.predict(X), lambda: copy.copy(model), lambda: model.save(tmp_path / "a")]
    for use in uses:
        with pytest.raises(ValueError, match=f"layer '{layer}': '{name}' must be whole numbers"):
            use()
    model.layers_[layer][name] = array
    np.testing.assert_array_equal(model.predict_proba(X), before)
    for way in WAYS:
        twin = copied(model, way, tmp_path / "model")
        assert not twin.layers_[layer][name].flags.writeable
        np.testing.assert_array_equal(twin.predict_proba(X), before)
    place = next(p for p in model._network.places if p[:2] == (layer, name))
    model._network.state[place.start] += 3  # a forged file
    model.save(tmp_path / "forged")
    with pytest.raises(CheckpointError, match=f"layer '{layer}': '{name}' must be whole numbers"):
        load(tmp_path / "forged")
    with pytest.raises(ValueError, match="must be whole numbers"):
        pickle.loads(pickle.dumps(model)).predict(X)
