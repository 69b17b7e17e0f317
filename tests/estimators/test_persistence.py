"""Forms of files other than this package's own: pickle, joblib, skops, safetensors."""

import importlib
import pickle
import pkgutil
import warnings

import joblib
import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning

import sklearn_nn
from helpers.estimators import all_estimators
from helpers.estimators.all_estimators import CLASSES, KINDS, ROWS, data, outputs
from helpers.estimators.more_estimators import NAMES, answers, fitted_ones
from sklearn_nn import MLPClassifier, load, load_checkpoint
from sklearn_nn.training import CheckpointError, ModelCheckpoint, checkpoint

pytestmark = pytest.mark.filterwarnings("ignore")

every_one = pytest.mark.parametrize("name", NAMES)


def check_equal(model, loaded, X):
    """Equal to the last bit, and of equal types."""
    assert type(loaded) is type(model)
    for mine, other in zip(answers(model, X), answers(loaded, X), strict=True):
        assert mine.dtype == other.dtype
        np.testing.assert_array_equal(mine, other)


# --- pickle and joblib ----------------------------------------------------------------------------


@every_one
def test_pickle_and_joblib(name, tmp_path):
    model, X = fitted_ones()[name]
    check_equal(model, pickle.loads(pickle.dumps(model)), X)
    joblib.dump(model, tmp_path / "model")
    check_equal(model, joblib.load(tmp_path / "model"), X)


@pytest.mark.parametrize(
    "name", ["MLPClassifier", "TableEncoder", "SequenceScaler", "FeatureExtractor"]
)
def test_pickles_of_another_version_warn(name, monkeypatch):
    model, X = fitted_ones()[name]
    monkeypatch.setattr(sklearn_nn, "__version__", "0.0.7")
    data = pickle.dumps(model)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        check_equal(model, pickle.loads(data), X)
    monkeypatch.undo()
    told = f"{name} from version 0.0.7 of sklearn_nn when using version {sklearn_nn.__version__}"
    with pytest.warns(InconsistentVersionWarning, match=told) as caught:
        loaded = pickle.loads(data)
    assert caught[0].filename == __file__
    check_equal(model, loaded, X)
    assert not [key for key in vars(loaded) if "version" in key]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(loaded))


def test_pickles_without_a_version_are_read(monkeypatch):
    """They were made before versions were noted."""
    model, X = fitted_ones()["MLPClassifier"]
    state = model.__getstate__()
    assert state.pop("_sklearn_nn_version") == sklearn_nn.__version__
    loaded = MLPClassifier.__new__(MLPClassifier)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        loaded.__setstate__(state)
    check_equal(model, loaded, X)


# --- skops ----------------------------------------------------------------------------------------


@every_one
def test_skops(name):
    skops = pytest.importorskip("skops.io")
    model, X = fitted_ones()[name]
    data = skops.dumps(model)
    trusted = [*sklearn_nn.TRUSTED_TYPES]
    if not hasattr(model, "save"):  # skops may not know all of scikit-learn's classes
        others = set(skops.get_untrusted_types(data=data)).difference(trusted)
        assert {kind.partition(".")[0] for kind in others} <= {"sklearn"}
        trusted += others
    check_equal(model, skops.loads(data, trusted=trusted), X)


def test_skops_trusts_no_function():
    skops = pytest.importorskip("skops.io")
    model = MLPClassifier((4,), solver="sgd", learning_rate=np.sin, max_iter=1)
    data = skops.dumps(model.set_params(learning_rate=warnings.warn))
    assert not set(skops.get_untrusted_types(data=data)) <= set(sklearn_nn.TRUSTED_TYPES)


def test_skops_keeps_the_training():
    skops = pytest.importorskip("skops.io")
    for kind in ("MLPClassifier", "RNNRegressor"):
        model = all_estimators.fitted(kind)
        loaded = skops.loads(skops.dumps(model), trusted=sklearn_nn.TRUSTED_TYPES)
        for one in (model, loaded):
            one.partial_fit(*data(kind))
        np.testing.assert_array_equal(loaded._network.theta, model._network.theta)


def test_trusted_types_are_classes_of_this_package():
    """Also after somebody has derived classes of their own."""
    type("Own", (MLPClassifier,), {})
    for name in sklearn_nn.TRUSTED_TYPES:
        module, _, kind = name.rpartition(".")
        assert module.startswith("sklearn_nn.")
        assert isinstance(getattr(__import__(module, fromlist=["_"]), kind), type)


def test_every_estimator_is_trusted():
    """A search in all modules, so that a new transformer is not left out."""
    found = set()
    for module in pkgutil.walk_packages(sklearn_nn.__path__, "sklearn_nn."):
        if not module.name.endswith("__main__"):
            kinds = vars(importlib.import_module(module.name)).values()
            found |= {kind for kind in kinds if isinstance(kind, type)}
    names = {
        f"{kind.__module__}.{kind.__qualname__}"
        for kind in found
        if issubclass(kind, BaseEstimator) and kind.__module__.startswith("sklearn_nn.")
    }
    assert len(names) > 12
    assert names <= {*sklearn_nn.TRUSTED_TYPES}


# --- safetensors ----------------------------------------------------------------------------------


@pytest.fixture
def tensors():
    return pytest.importorskip("safetensors.numpy")


def networks_of(model):
    return [*vars(model).get("_earlier", ()), model._network]


@pytest.mark.parametrize("name", NAMES[: NAMES.index("TableEncoder")])  # estimators with `save`
def test_safetensors(name, tensors, tmp_path):
    model, X = fitted_ones()[name]
    path = tmp_path / "model.safetensors"
    model.save(path)
    loaded = load(path)
    check_equal(model, loaded, X)
    for mine, other in zip(networks_of(model), networks_of(loaded), strict=True):
        np.testing.assert_array_equal(other.theta, mine.theta)
        np.testing.assert_array_equal(other.state, mine.state)
    assert vars(loaded).get("history_") == vars(model).get("history_")
    # The weights have the names that they have in `layers_`.
    before = "1." if len(networks_of(model)) > 1 else ""
    found = tensors.load_file(path)
    for layer, arrays in model.layers_.items():
        for array_name, array in arrays.items():
            np.testing.assert_array_equal(found[f"{before}{layer}.{array_name}"], array)
    size = path.stat().st_size
    model.save(path, training_state=False)
    assert path.stat().st_size < size or name == "lbfgs"
    check_equal(model, load(path), X)


@pytest.mark.parametrize("kind", KINDS)
def test_training_resumes_from_safetensors(kind, tensors, tmp_path):
    networks = {"n_networks": 1} if kind.startswith("Tabular") else {}
    files, resumed = [tmp_path / name for name in ("model.safetensors", "model.npz")], []
    callbacks = [ModelCheckpoint(path) for path in files]
    all_estimators.fitted(kind, callbacks=callbacks, max_iter=3, **networks)
    for path in files:
        model = load_checkpoint(path).set_params(max_iter=6, callbacks=None).fit(*data(kind))
        assert model.n_iter_ == 6
        resumed.append(outputs(model, kind))
    np.testing.assert_array_equal(*resumed)


def test_weights_from_safetensors(tensors, tmp_path):
    """As pretrained weights, and those that another program has changed."""
    model = all_estimators.fitted("MLPClassifier")
    path = tmp_path / "model.safetensors"
    model.save(path)
    other = all_estimators.make("MLPClassifier").from_pretrained(path)
    other.set_params(max_iter=1, learning_rate_init=1e-9).fit(ROWS, CLASSES)
    np.testing.assert_allclose(other.coefs_[0], model.coefs_[0], atol=1e-6)
    with pytest.importorskip("safetensors").safe_open(path, framework="np") as file:
        text = file.metadata()
    weights = tensors.load_file(path)
    weights["output.bias"] = weights["output.bias"] + 1
    tensors.save_file(weights, path, text)
    np.testing.assert_array_equal(load(path).intercepts_[1], model.intercepts_[1] + 1)


def test_tensors_of_other_programs(tensors, tmp_path):
    path = tmp_path / "other.safetensors"
    tensors.save_file({"weight": np.ones(3)}, path)
    with pytest.raises(CheckpointError, match=r"not of an estimator; from_pretrained of"):
        load(path)
    with pytest.raises(CheckpointError, match="No such file"):
        load(tmp_path / "absent.safetensors")


def test_arrays_of_all_dtypes(tensors, tmp_path):
    arrays = {
        "half": np.array([0.5, np.inf], dtype="f2"), "swapped": np.arange(5, dtype=">f8"),
        "scalar": np.array(3.5), "empty": np.empty((0, 3), dtype="i2"), "bool": np.array([True]),
        "complex": np.array([1 + 2j, np.nan]), "text": np.array([["a", "\N{SNOWMAN}"], ["", "b"]]),
        "dates": np.array(["2020-02-29", "NaT"], dtype="M8[D]"), "none": np.array([], dtype="U3"),
        "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)), "bytes": np.array([b"ab", b""]),
    }  # fmt: skip
    path, meta = tmp_path / "arrays.safetensors", {"text": "é", "list": [1, 0.1, None]}
    checkpoint.write(path, meta, arrays)
    found_meta, found = checkpoint.read(path)
    assert found_meta == meta
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype
        assert found[name].flags.writeable
        np.testing.assert_array_equal(found[name], array)


def test_safetensors_is_an_extra(monkeypatch, tmp_path):
    monkeypatch.setitem(__import__("sys").modules, "safetensors", None)
    monkeypatch.setitem(__import__("sys").modules, "safetensors.numpy", None)
    model, path = all_estimators.fitted("MLPClassifier"), tmp_path / "model.safetensors"
    with pytest.raises(ImportError, match=r'pip install "sklearn_nn\[safetensors\]"'):
        model.save(path)
    assert not [*tmp_path.iterdir()]
    path.write_bytes(b"x")
    with pytest.raises(ImportError, match=r'pip install "sklearn_nn\[safetensors\]"'):
        load(path)


def test_damaged_safetensors(tensors, tmp_path):
    """An error that says so, or a model that can be used: there is no checksum."""
    path, rng, loaded = tmp_path / "model.safetensors", np.random.default_rng(0), 0
    all_estimators.fitted("MLPClassifier", early_stopping=True, validation_fraction=0.3).save(path)
    content = path.read_bytes()
    for _ in range(150):
        damaged = bytearray(content)
        for place in rng.integers(len(damaged), size=rng.integers(1, 4)):
            damaged[place] = (
                rng.integers(256) if rng.random() < 0.5 else b"0123456789[]{},:"[place % 16]
            )
        if rng.random() < 0.2:
            del damaged[rng.integers(len(damaged)) :]
        path.write_bytes(damaged)
        try:
            model = load(path)
        except CheckpointError:
            continue
        loaded += 1
        try:
            model.predict(ROWS)
        except ValueError:
            continue
    assert 0 < loaded < 150


def test_a_forged_vector(tensors, tmp_path):
    """Sizes and places in the text reach no other memory."""
    path = tmp_path / "model.safetensors"
    all_estimators.fitted("MLPClassifier").save(path)
    with pytest.importorskip("safetensors").safe_open(path, framework="np") as file:
        text = file.metadata()["sklearn_nn"]
    weights = tensors.load_file(path)
    named = '["dense1.kernel", '
    for old, new in ((named, f"{named}99999"), (named, f"{named}-1"), ('"<f8"', '"<f4"')):
        begin = text.index('"vectors": ')
        forged = text[:begin] + text[begin:].replace(old, new)
        assert forged != text
        tensors.save_file(weights, path, {"sklearn_nn": forged})
        with pytest.raises(CheckpointError):
            load(path)
    # Each of many vectors could be as large as the file.
    size = path.stat().st_size // 8
    many = ", ".join(f'"v{k}": [{size}, "<f8", []]' for k in range(9))
    forged = text.replace('"vectors": {', f'"vectors": {{{many}, ')
    tensors.save_file(weights, path, {"sklearn_nn": forged})
    with pytest.raises(CheckpointError):
        load(path)
