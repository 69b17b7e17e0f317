"""Forged files of every estimator: refused when they are loaded, or values that work."""

import contextlib
import io
import pickle
import warnings

import numpy as np
import pytest

from helpers.estimators.all_estimators import KINDS, data, fitted, outputs
from helpers.files.forged_metadata import forged_arrays, forged_meta
from sklearn_nn import TextGenerator, load, load_checkpoint
from sklearn_nn.network import initializers
from sklearn_nn.training import CheckpointError, EarlyStopping, Huber, checkpoint

#: Parameters that bring what a file can hold.
_TRAINING = {
    "early_stopping": True, "ema_momentum": 0.5, "callbacks": [EarlyStopping(patience=50)],
    "learning_rate": "cosine",
}  # fmt: skip
SUBJECTS = {
    "MLPClassifier": {**_TRAINING, "class_weight": {0: 1.0, 1: 2.0, 2: 1.0}, "batch_norm": True},
    "MLPRegressor": {"solver": "lbfgs", "weight_init": initializers.Normal(0.1)},
    "CNNClassifier": {
        "learning_rate_factors": {"conv1": 0.0}, "random_state": np.random.RandomState(1),
    },
    "CNNRegressor": {"loss": Huber(), **_TRAINING},
    "RNNClassifier": _TRAINING,
    "RNNRegressor": {"pooling": "attention"},
    "RNNRegressor, steps": {},
    "NeuralNetworkClassifier": {},
    "NeuralNetworkRegressor": _TRAINING,
    "TabularClassifier": {"early_stopping": True, "num_embedding": "piecewise_linear"},
    "TabularRegressor": {"refit_full": True, "early_stopping": True},
    "TextGenerator": {"validation_fraction": 0.3, "early_stopping": True},
}  # fmt: skip


def uses(model, kind, folder):
    """All that can be asked of an estimator, as functions."""
    X, rest = data(kind)[0], data(kind)
    yield lambda: outputs(model, kind)
    yield lambda: str(model.summary())
    yield lambda: (repr(model), model._repr_html_(), model.get_params())
    yield lambda: model.save(folder / "again")
    yield lambda: outputs(pickle.loads(pickle.dumps(model)), kind)
    if hasattr(model, "partial_fit"):
        yield lambda: model.partial_fit(*rest)
    yield lambda: model.set_params(warm_start="resume", max_iter=5).fit(*rest)
    yield lambda: model.set_params(warm_start=True).fit(*rest)
    yield lambda: model.set_params(warm_start=False).fit(*rest)
    yield lambda: model.predict_proba(X) if isinstance(model, TextGenerator) else model.predict(X)


def try_one(path, kind, reads):
    """Load a file and use it: (an error that should not be, or None; whether it was loaded)."""
    try:
        model = reads(path)
    except CheckpointError:
        return None, False
    for number, use in enumerate(uses(model, kind, path.parent)):
        try:
            use()
        except ValueError:
            continue
        except Exception as error:
            return f"use {number}: {type(error).__name__}: {error}", True
    return None, True


def forge(kind, n, seed, folder):
    """Forge so many files; returns errors with what was forged, and how many files were loaded."""
    path, rng = folder / "forged", np.random.default_rng(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fitted(kind, **SUBJECTS.get(kind, {})).save(path)
        meta, arrays = checkpoint.read(path)
        found, loaded = [], 0
        for _ in range(n):
            if rng.random() < 0.7:
                changed = forged_meta(meta, rng), arrays
            else:
                changed = meta, forged_arrays(arrays, rng)
            checkpoint.write(path, *changed)
            with contextlib.redirect_stdout(io.StringIO()):
                error, is_loaded = try_one(path, kind, (load, load_checkpoint)[rng.integers(2)])
            loaded += is_loaded
            if error is not None:
                found.append((error, changed))
    return found, loaded


@pytest.mark.parametrize("kind", KINDS)
def test_forged_files(kind, tmp_path):
    found, loaded = forge(kind, 30, 0, tmp_path)
    assert not [error for error, _ in found]
    assert loaded > 0
