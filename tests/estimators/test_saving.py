"""Files of estimators: what comes back, what is refused, what a crash leaves."""

import contextlib
import copy
import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import joblib
import numpy as np
import pytest
from scipy import sparse
from sklearn.base import clone

from helpers.estimators import all_estimators
from helpers.estimators.all_estimators import KINDS, data, outputs
from helpers.estimators.mlp_problem import BOTH
from helpers.estimators.noisy_data import CLASSES, NUMBERS, WEIGHTS, X, fitted, make, output
from helpers.files.forged_files import HEADER_LENGTH, mutate_member, seal
from helpers.files.write_failures import STEPS
from sklearn_nn import MLPClassifier, MLPRegressor, load, load_checkpoint
from sklearn_nn.network import initializers
from sklearn_nn.training import (
    SGD,
    Adam,
    Callback,
    CheckpointError,
    Cosine,
    EarlyStopping,
    Huber,
    LambdaCallback,
    Lion,
    ModelCheckpoint,
    OneCycle,
    ReduceLROnPlateau,
    RMSprop,
    SoftmaxFocal,
    checkpoint,
    schedules,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

# --- what comes back ----------------------------------------------------------------------------

LABELS = {
    "int": np.array([3, -7, 2**40]),
    "int8": np.array([1, 2, 3], dtype="i1"),
    "float": np.array([0.0, 1.0, 2.0]),
    "str": np.array(["ä", "bb", "c"]),
    "object": np.array(["x", "y", "z"], dtype=object),
    "bool": np.array([False, True, True]),
}
MANY = np.c_[CLASSES > 0, CLASSES == 1, X[:, 0] > 0].astype(int)
CONFIGURATIONS = {
    "plain": ({}, CLASSES),
    "two classes": ({}, CLASSES > 0),
    "one class": ({}, np.full(len(X), 4)),
    "multilabel": ({}, MANY),
    "regression": ({}, NUMBERS),
    "two outputs": ({}, np.c_[NUMBERS, -NUMBERS]),
    "lbfgs": ({"solver": "lbfgs"}, CLASSES),
    "class_weight": ({"class_weight": {0: 1, 1: 2.5, 2: np.float32(3)}}, CLASSES),
    "balanced": ({"class_weight": "balanced"}, CLASSES),
    "solver object": ({"solver": RMSprop(momentum=0.9, centered=True)}, CLASSES),
    "lion": ({"solver": Lion(weight_decay=0.1), "learning_rate_init": 1e-3}, NUMBERS),
    "schedule object": ({"learning_rate": Cosine(warmup=2), "solver": SGD(momentum=0.5)}, CLASSES),
    "loss object": ({"loss": SoftmaxFocal(gamma=1.5)}, CLASSES),
    "loss of regression": ({"loss": Huber(delta=2.0)}, NUMBERS),
    "initializers": ({"weight_init": initializers.Normal(0.1), "bias_init": "zeros"}, NUMBERS),
    "two constants": (
        {"bias_init": initializers.Constant(0.5), "learning_rate": schedules.Constant()},
        CLASSES,
    ),
    "generator": ({"random_state": np.random.RandomState(3)}, CLASSES),
    "no seed": ({"random_state": None}, CLASSES),
    "NumPy numbers": ({"alpha": np.float64(0.1), "max_iter": np.int64(4)}, CLASSES),
    "array of sizes": ({"hidden_layer_sizes": np.array([5, 4])}, CLASSES),
    "list of sizes": ({"hidden_layer_sizes": [5, 4], "dropout": [0.1, 0.2]}, CLASSES),
    "no hidden layer": ({"hidden_layer_sizes": ()}, CLASSES),
    "normalised": ({"batch_norm": True, "ema_momentum": 0.9}, CLASSES),
    "noise": ({"input_noise": 0.1, "max_norm": 2.0, "clipnorm": 1.0}, NUMBERS),
    "early stopping": ({"early_stopping": True, "scoring": "loss"}, CLASSES),
    "best": ({"early_stopping": "best", "n_iter_no_change": np.inf}, NUMBERS),
    "float32": ({"dtype": "float32"}, CLASSES),
    "callbacks": ({"callbacks": [EarlyStopping(patience=50), ReduceLROnPlateau()]}, CLASSES),
    "restarts": ({"n_restarts": 2, "early_stopping": True}, CLASSES),
    "warm": ({"warm_start": "resume"}, CLASSES),
    **{f"labels of {name}": ({}, kinds[CLASSES]) for name, kinds in LABELS.items()},
}


def model_of(parameters, y):
    numbers = y is NUMBERS or (y.ndim == 2 and y.dtype.kind == "f")
    Estimator = MLPRegressor if numbers else MLPClassifier
    return make(Estimator, **{"max_iter": 4, **parameters})


def same_parameters(a, b):
    """Equal, where equality of a RandomState is that of what it draws."""
    mine, others = a.get_params(), b.get_params()
    for parameters in (mine, others):
        if isinstance(parameters["random_state"], np.random.RandomState):
            parameters["random_state"] = copy.deepcopy(parameters["random_state"]).randint(2**31)
        parameters["hidden_layer_sizes"] = list(np.ravel(parameters["hidden_layer_sizes"]))
    return mine == others and {k: type(v) for k, v in mine.items()} == {
        k: type(v) for k, v in others.items()
    }


@pytest.mark.parametrize("name", CONFIGURATIONS)
def test_round_trip(name, tmp_path):
    """Predictions are the same bits; so are the parameters, and the next epoch."""
    parameters, y = CONFIGURATIONS[name]
    model = model_of(parameters, y).fit(X, y)
    model.save(tmp_path / "model")
    for loaded in (load(tmp_path / "model"), type(model).load(str(tmp_path / "model"))):
        assert type(loaded) is type(model)
        assert same_parameters(loaded, model)
        np.testing.assert_array_equal(output(loaded), output(model))
        assert loaded.predict(X).dtype == model.predict(X).dtype
        np.testing.assert_array_equal(loaded.predict(X), model.predict(X))
        for attribute in ("n_iter_", "t_", "n_layers_", "n_outputs_", "n_parameters_"):
            assert getattr(loaded, attribute) == getattr(model, attribute)
        assert {key for key in vars(model) if key.endswith("_")} == {
            key for key in vars(loaded) if key.endswith("_")
        }
    unlike = model.solver == "lbfgs" or model.early_stopping or model.random_state is None
    if not unlike and name != "balanced":  # what partial_fit takes
        again = copy.deepcopy(model).partial_fit(X, y)
        np.testing.assert_array_equal(loaded.partial_fit(X, y)._network.theta, again._network.theta)
        assert loaded.loss_curve_ == again.loss_curve_


@BOTH
def test_learnt_attributes_are_loaded(Estimator, tmp_path):
    model = fitted(Estimator, early_stopping=True)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    for name in (
        "loss_", "loss_curve_", "best_loss_", "validation_scores_", "best_validation_score_",
        "validation_loss_curve_", "best_iteration_", "history_", "n_features_in_",
    ):  # fmt: skip
        assert getattr(loaded, name) == getattr(model, name), name
    assert loaded.history_ is loaded._history.curves
    loaded.coefs_[0][:] = 0  # a live view again
    assert not np.array_equal(output(loaded), output(model))
    assert str(loaded.summary()) == str(model.summary())
    assert not hasattr(clone(loaded), "coefs_")


def test_names_of_features(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(X, columns=[f"größe {i}" for i in range(X.shape[1])])
    fitted_frame = make().fit(frame, pd.Series(CLASSES).map({0: "a", 1: "b", 2: "c"}))
    fitted_frame.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert loaded.feature_names_in_.tolist() == list(frame.columns)
    np.testing.assert_array_equal(loaded.predict(frame), fitted_frame.predict(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[frame.columns[::-1]])


def test_sparse_rows_and_weights(tmp_path):
    model = make().fit(sparse.csr_matrix(X), CLASSES, WEIGHTS)
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict_proba(X), output(model))


def test_an_initialized_estimator(tmp_path):
    model = make().initialize(X, CLASSES)
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(output(loaded), output(model))
    np.testing.assert_array_equal(
        loaded.partial_fit(X, CLASSES)._network.theta, model.partial_fit(X, CLASSES)._network.theta
    )


def test_replaced_and_written_weights(tmp_path):
    model = fitted(early_stopping=True)
    model.coefs_[0] = np.ones_like(model.coefs_[0])
    model.intercepts_[0][:] = 2
    model.save(tmp_path / "model")
    loaded = load(tmp_path / "model")
    assert (loaded.coefs_[0] == 1).all()
    assert (loaded.intercepts_[0] == 2).all()
    np.testing.assert_array_equal(output(loaded), output(model))


def test_a_saved_file_is_not_tied_to_the_estimator(tmp_path):
    model = fitted()
    before = output(model)
    model.save(tmp_path / "model")
    model.coefs_[0][:] = 0
    np.testing.assert_array_equal(output(load(tmp_path / "model")), before)


def test_a_read_only_memory_map_trains_on(tmp_path):
    """joblib's memory maps: the moments and the average are copied before they are written to."""
    model = fitted(ema_momentum=0.9, batch_norm=True, hidden_layer_sizes=(150,))
    joblib.dump(model, tmp_path / "model.joblib")
    loaded = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    assert not loaded._optimizer.average.flags.writeable
    loaded.partial_fit(X, CLASSES)
    np.testing.assert_array_equal(
        loaded._network.theta, model.partial_fit(X, CLASSES)._network.theta
    )


# --- what cannot be saved -----------------------------------------------------------------------


def test_functions_are_named_when_the_file_is_loaded(tmp_path):
    """They have their defaults until they are passed again; training then goes on exactly."""
    own = {
        "learning_rate": lambda epoch: 0.9**epoch,
        "callbacks": [LambdaCallback(lambda *_: None)],
        "scoring": lambda model, X, y: model.score(X, y),
    }
    parameters = {"solver": "sgd", "early_stopping": True, "n_iter_no_change": 100}
    straight = fitted(max_iter=12, **parameters, **own)
    fitted(max_iter=6, **parameters, **own).save(tmp_path / "model")
    with pytest.warns(UserWarning, match="defaults: callbacks, learning_rate, scoring. Pass them"):
        resumed = load_checkpoint(tmp_path / "model")
    assert resumed.learning_rate == "constant"
    assert resumed.callbacks is None
    resumed.set_params(max_iter=12, **own).fit(X, CLASSES)
    np.testing.assert_array_equal(resumed._network.theta, straight._network.theta)


class Halved(Adam):
    """A solver of one's own."""

    def initial_moments(self):
        """One more than it needs."""
        return 0.0, 0.0, 7.0


@pytest.mark.parametrize("named", ["solver", "learning_rate"])
def test_partial_fit_waits_for_what_was_left_out(named, tmp_path):
    own = {"solver": Halved()} if named == "solver" else {"learning_rate": lambda _: 0.5}
    own = {"solver": "sgd", **own}
    model = fitted(**own)
    model.save(tmp_path / "model")
    with pytest.warns(UserWarning, match=f"defaults: {named}."):
        loaded = load(tmp_path / "model")
    np.testing.assert_array_equal(output(loaded), output(model))
    if named == "solver":
        with pytest.raises(ValueError, match=r"solver='adam' cannot continue.*another solver"):
            loaded.partial_fit(X, CLASSES)
    loaded.set_params(**own).partial_fit(X, CLASSES)
    np.testing.assert_array_equal(
        loaded._network.theta, model.partial_fit(X, CLASSES)._network.theta
    )


def test_classes_of_ones_own_do_not_hide_ours(tmp_path):
    """A user's class may have the name of one of this package's."""
    own = type("EarlyStopping", (Callback,), {})
    fitted(callbacks=[EarlyStopping(patience=7)]).save(tmp_path / "model")
    assert load(tmp_path / "model").callbacks == [EarlyStopping(patience=7)]
    fitted(callbacks=[own()]).save(tmp_path / "model")
    with pytest.warns(UserWarning, match="callbacks"):
        assert load(tmp_path / "model").callbacks is None


def test_an_attribute_of_ones_own(tmp_path):
    model = fitted()
    model.note = {"author": "Ada"}
    model.save(tmp_path / "model")
    assert load(tmp_path / "model").note == {"author": "Ada"}
    model.note = object()
    with pytest.raises(TypeError, match="Attribute 'note' cannot be saved; delete it first"):
        model.save(tmp_path / "model")
    assert load(tmp_path / "model").note == {"author": "Ada"}


def test_nothing_to_save(tmp_path):
    with pytest.raises(ValueError, match="not fitted yet"):
        make().save(tmp_path / "model")
    assert not list(tmp_path.iterdir())


# --- without the state of training --------------------------------------------------------------


def saved_both(kind, tmp_path, **parameters):
    """Return a fitted estimator, and what is loaded of it with and without state of training."""
    model = all_estimators.fitted(kind, **parameters)
    model.save(tmp_path / "whole")
    model.save(tmp_path / "small", training_state=False)
    return model, load(tmp_path / "whole"), load(tmp_path / "small")


def learnt(model):
    return model._network.theta, model._network.state


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_small_files_predict_the_same(kind, early_stopping, tmp_path):
    parameters = {"early_stopping": early_stopping, "validation_fraction": 0.3}
    model, whole, small = saved_both(kind, tmp_path, **parameters)
    np.testing.assert_array_equal(outputs(model, kind), outputs(small, kind))
    for name in ("n_iter_", "t_", "loss_", "loss_curve_", "history_", "validation_scores_"):
        assert getattr(small, name) == getattr(whole, name)
    for name in ("best_loss_", "best_iteration_", "best_validation_score_"):
        assert getattr(small, name) == getattr(whole, name)
    assert not hasattr(small, "_optimizer")
    assert hasattr(model, "_optimizer")
    small.save(tmp_path / "again")
    np.testing.assert_array_equal(learnt(load(tmp_path / "again"))[0], learnt(model)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_small_files_do_not_resume(kind, tmp_path):
    networks = {"n_networks": 1} if kind.startswith("Tabular") else {}
    _, _, small = saved_both(kind, tmp_path, **networks)
    with pytest.raises(CheckpointError, match=r"small was saved with training_state=False, so"):
        load_checkpoint(tmp_path / "small")
    before = [array.copy() for array in learnt(small)]
    small.set_params(warm_start="resume", max_iter=6)
    told = r"nothing to resume: .*save\(training_state=False\)\. Fit with warm_start=True"
    with pytest.raises(ValueError, match=told):
        small.fit(*data(kind))
    for mine, other in zip(learnt(small), before, strict=True):
        np.testing.assert_array_equal(mine, other)
    assert load_checkpoint(tmp_path / "whole").set_params(max_iter=6).fit(*data(kind)).n_iter_ == 6


@pytest.mark.parametrize("kind", KINDS)
def test_training_from_small_files(kind, tmp_path):
    """Warm starts are those of whole files; partial_fit begins with a new optimizer."""
    networks = {"n_networks": 1} if kind.startswith("Tabular") else {}
    model, whole, small = saved_both(kind, tmp_path, early_stopping=False, **networks)
    fits = [one.set_params(warm_start=True).fit(*data(kind)) for one in (whole, small)]
    for mine, other in zip(*map(learnt, fits), strict=True):
        np.testing.assert_array_equal(mine, other)
    if not hasattr(model, "partial_fit"):
        return
    _, whole, small = saved_both(kind, tmp_path, **networks)
    fresh = copy.deepcopy(whole)
    del fresh._optimizer
    for one in (whole, fresh, small):
        one.partial_fit(*data(kind))
        assert len(one.loss_curve_) == 4
    np.testing.assert_array_equal(learnt(small)[0], learnt(fresh)[0])
    assert not np.array_equal(learnt(small)[0], learnt(whole)[0])


@pytest.mark.parametrize("kind", KINDS)
def test_early_stopping_from_small_files(kind, tmp_path):
    """The best weights are those of the epochs after loading."""
    networks = {"n_networks": 1} if kind.startswith("Tabular") else {}
    parameters = {"early_stopping": True, "validation_fraction": 0.3, **networks}
    _, _, small = saved_both(kind, tmp_path, **parameters)
    small.set_params(warm_start=True).fit(*data(kind))
    assert len(small.validation_scores_) == 6
    assert 4 <= small.best_iteration_ <= 6
    assert small.best_validation_score_ == max(small.validation_scores_[3:])


def test_small_files_are_small(tmp_path):
    model = make(MLPClassifier, hidden_layer_sizes=(300, 300), max_iter=1).fit(X, CLASSES)
    model.save(tmp_path / "whole")
    model.save(tmp_path / "small", training_state=False)
    sizes = [(tmp_path / name).stat().st_size for name in ("whole", "small")]
    assert 2.8 < sizes[0] / sizes[1] < 3.2


# --- what is refused ------------------------------------------------------------------------------


def test_the_wrong_class(tmp_path):
    fitted(MLPRegressor).save(tmp_path / "model")
    with pytest.raises(CheckpointError, match=r"model: the file holds a MLPRegressor.*MLPClass"):
        MLPClassifier.load(tmp_path / "model")
    assert isinstance(load(tmp_path / "model"), MLPRegressor)


def test_files_of_other_objects(tmp_path):
    path = tmp_path / "model"
    with pytest.raises(CheckpointError, match="No such file"):
        load(path)
    with pytest.raises(CheckpointError, match="not an ordinary file"):
        load(tmp_path)
    path.write_bytes(pickle.dumps(fitted()))
    with pytest.raises(CheckpointError, match="does not begin like a checkpoint"):
        load(path)
    checkpoint.write(path, {"a": 1}, {})
    with pytest.raises(CheckpointError, match="does not describe an estimator"):
        load(path)


def test_any_cut_or_flipped_byte(tmp_path):
    path, rng = tmp_path / "model", np.random.default_rng(0)
    fitted().save(path)
    data = path.read_bytes()
    for at in rng.integers(0, len(data), 60):
        path.write_bytes(data[:at])
        with pytest.raises(CheckpointError):
            load(path)
        path.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        with pytest.raises(CheckpointError):
            load(path)


def places(tree, place=()):
    """Where in nested lists and dicts there is something."""
    yield place
    for key, item in tree.items() if isinstance(tree, dict) else enumerate(tree):
        if isinstance(item, dict | list):
            yield from places(item, (*place, key))
        else:
            yield (*place, key)


ODD = [
    None, True, -1, 0, 3, 2**40, 0.5, "", "adam", "multiclass", [], [1], {}, {"tuple": [3]},
    {"float": "nan"}, {"array": "0"}, {"array": "3"}, {"object": ["Optimizer.Lion", []]},
]  # fmt: skip


def mutate_meta(meta, rng):
    """The JSON with some values in the place of others."""
    meta = json.loads(json.dumps(meta))
    known = list(places(meta))
    for k in rng.integers(1, len(known), rng.integers(1, 4)):
        *before, last = known[k]
        value, node = ODD[rng.integers(len(ODD))], meta
        for key in before:
            node = node[key] if isinstance(node, dict) and key in node else {}
        if isinstance(node, dict):
            node[last] = value
    return meta


def mutate_array(arrays, rng):
    """The arrays, of which one has another shape, type or order."""
    name = list(arrays)[rng.integers(len(arrays))]
    array = arrays[name]
    kinds = [array[: len(array) // 2], array[::-1], np.concatenate([array, array]), np.zeros(3)]
    if array.dtype.kind in "fiu":
        kinds += [array.astype("f4"), (1000 * array).astype("i8"), np.asfortranarray(array.T)]
    return {**arrays, name: kinds[rng.integers(len(kinds))]}


SUBJECTS = {
    "everything": (
        {
            "early_stopping": True, "dropout": 0.2, "batch_norm": True, "ema_momentum": 0.9,
            "solver": RMSprop(momentum=0.9), "learning_rate": OneCycle(),
            "class_weight": {0: 1.0, 1: 2.0, 2: 1.0}, "callbacks": [EarlyStopping()],
        },
        CLASSES,
    ),
    "regression": ({"loss": "huber", "weight_init": "orthogonal"}, NUMBERS),
    "words": ({"solver": "lbfgs"}, np.array(["a", "b", "c"])[CLASSES]),
}  # fmt: skip


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", SUBJECTS)
@pytest.mark.parametrize("mutation", ["bytes", "meta", "array"])
def test_forged_files(mutation, name, tmp_path):
    """Sealed with the right digest: an error that says so, or a model that can be used."""
    parameters, y = SUBJECTS[name]
    path, rng = tmp_path / "model", np.random.default_rng(1)
    model_of(parameters, y).fit(X, y).save(path)
    data, (meta, arrays) = path.read_bytes(), checkpoint.read(path)
    loaded = 0
    for _ in range(120):
        if mutation == "bytes":
            path.write_bytes(seal(mutate_member(data[HEADER_LENGTH:], rng)))
        elif mutation == "meta":
            checkpoint.write(path, mutate_meta(meta, rng), arrays)
        else:
            checkpoint.write(path, meta, mutate_array(arrays, rng))
        try:
            model = load(path)
        except CheckpointError:
            continue
        loaded += 1
        for use in (model.predict, lambda X, model=model: model.set_params(max_iter=6).fit(X, y)):
            with contextlib.suppress(AttributeError, IndexError, TypeError, ValueError):
                use(X)
    assert loaded > 0


@pytest.mark.parametrize("name", ["_order", "_held_out"])
def test_a_forged_order_of_samples_reads_no_other_memory(name, tmp_path):
    model = fitted(early_stopping=True, max_iter=4)
    getattr(model, name)[0] = 2**40
    model.save(tmp_path / "model")
    with pytest.raises(ValueError, match="does not hold each row once"):
        load_checkpoint(tmp_path / "model").set_params(max_iter=8).fit(X, CLASSES)


@pytest.mark.parametrize("name", ["moments", "average", "raw"])
def test_forged_moments_are_no_other_memory(name, tmp_path):
    model = fitted(ema_momentum=0.9)
    path, array = tmp_path / "model", getattr(model._optimizer, name)
    for forged in (array[..., :-1], array.astype("f4"), array[None]):
        setattr(model._optimizer, name, forged)
        model.save(path)
        with pytest.raises(CheckpointError, match=f"{name} of another network"):
            load(path)


@pytest.mark.parametrize("kinds", [np.array([2, 0, 1]), np.array([0, 0, 1]), np.array([0, 1])])
def test_forged_classes(kinds, tmp_path):
    """A class number must not point past the outputs."""
    model = fitted()
    model._codec.classes = kinds
    model.save(tmp_path / "model")
    with pytest.raises(CheckpointError, match="classes"):
        load(tmp_path / "model")


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("model.pth", r"save_weights\('weights\.npz', layout='torch'\)"),
        ("model.PT", r"save_weights\('weights\.npz', layout='torch'\)"),
        ("model.weights.h5", r"save_weights\('weights\.h5', layout='keras'\)"),
        ("model.keras", ".*layout='keras'"),
        ("model.onnx", r"sklearn_nn\.to_onnx"),
        ("model.pkl", r"joblib\.dump"),
        ("model.joblib", r"joblib\.dump"),
        ("model.skops", r"skops\.io\.dump"),
    ],
)
def test_endings_of_other_programs(name, remedy, tmp_path):
    """The file is written nevertheless: an error would lose the training."""
    model = fitted()
    with pytest.warns(UserWarning, match=rf"{name}.*not as.*\.npz or \.safetensors; {remedy}"):
        model.save(tmp_path / name)
    np.testing.assert_array_equal(output(load(tmp_path / name)), output(model))


# --- where nothing can be written, and crashes ----------------------------------------------------


def test_a_missing_folder(tmp_path):
    model = fitted()
    before = output(model)
    with pytest.raises(OSError, match="create the folder first"):
        model.save(tmp_path / "no" / "model")
    np.testing.assert_array_equal(output(model), before)
    model.save(tmp_path / "model")


@pytest.mark.parametrize("step", STEPS)
def test_a_failure_at_each_step(step, tmp_path):
    """Not allowed, disk full, Ctrl-C: the old file is as it was, and so is the estimator."""
    model = fitted()
    model.save(tmp_path / "model")
    old = (tmp_path / "model").read_bytes()
    model.partial_fit(X, CLASSES)
    before = output(model)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*STEPS[step])
        with pytest.raises(KeyboardInterrupt if step == "Ctrl-C" else OSError):
            model.save(tmp_path / "model")
    assert (tmp_path / "model").read_bytes() == old
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    np.testing.assert_array_equal(output(model), before)


def test_a_full_disk_during_a_fit(tmp_path, monkeypatch):
    """The file of the last epoch stays, and the estimator is that of the present one."""
    model = make(callbacks=[ModelCheckpoint(tmp_path / "model")])
    plain, count = os.fsync, 0

    def fsync(*arguments):
        nonlocal count
        count += 1
        if count == 7:  # two calls a file: its own and its folder's
            raise OSError(28, "No space left on device")
        return plain(*arguments)

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match=r"No space left on device.*an existing one is unchanged"):
        model.fit(X, CLASSES)
    assert load(tmp_path / "model").n_iter_ == 3
    assert model.n_iter_ == 4
    assert len(list(tmp_path.iterdir())) == 1
    assert np.isfinite(output(model)).all()


def test_a_missing_folder_during_a_fit(tmp_path):
    model = make(MLPRegressor, callbacks=[ModelCheckpoint(tmp_path / "no" / "model")])
    with pytest.raises(OSError, match="create the folder first"):
        model.fit(X, NUMBERS)
    assert model.n_iter_ == 1
    model.set_params(callbacks=None).fit(X, NUMBERS)


@pytest.mark.skipif(os.name == "nt", reason="Windows has no fork")
def test_a_fit_that_is_killed_leaves_a_whole_file(tmp_path):
    script = Path(__file__).parents[1] / "helpers" / "processes" / "kill_fit.py"
    command = [sys.executable, script, tmp_path, "20"]
    ran = subprocess.run(command, capture_output=True, text=True, check=True, timeout=900)
    assert ran.stdout.startswith("20 kills, ")
    assert ran.stdout.endswith(" 0 lost\n"), ran.stdout
