"""Estimators with what the smallest ones lack, and what goes with them: for files of all forms."""

import functools

import numpy as np
from sklearn.compose import make_column_transformer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from helpers.estimators import all_estimators
from helpers.estimators.all_estimators import CLASSES, IMAGES, KINDS, NUMBERS, RAGGED, ROWS, N
from sklearn_nn import (
    CNNClassifier,
    FeatureExtractor,
    MLPClassifier,
    NeuralNetworkRegressor,
    RNNClassifier,
    SequenceScaler,
    TabularClassifier,
    TabularRegressor,
    layers,
)
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.layers import Dense
from sklearn_nn.network.initializers import Orthogonal
from sklearn_nn.training import Cosine, EarlyStopping, Huber, RMSprop

_FAST = {"max_iter": 2, "random_state": 0}
_WORDS = np.array(["red", "green", "blue"], dtype=object)[CLASSES]


def _table():
    import pandas as pd

    colour = pd.Series(_WORDS).mask(np.arange(N) % 7 == 0)
    number = pd.Series(ROWS[:, 0]).mask(np.arange(N) % 5 == 0)
    kind = pd.Categorical(np.array(["a", "b"])[np.arange(N) % 2], categories=["b", "a", "c"])
    return pd.DataFrame({"colour": colour, "number": number, "kind": kind, "flag": CLASSES > 0})


def _branches():
    branch = [layers.Conv1D(2, 3, padding="same"), layers.LayerNorm()]
    return [
        layers.Parallel([branch, layers.Bidirectional(layers.GRU(2, return_sequences=True))]),
        layers.Residual(layers.Conv1D(6, 1)), layers.AttentionPool(), layers.Dropout(0.1),
        Dense(4, "relu", kernel_initializer=Orthogonal()),
    ]  # fmt: skip


def _kinds():
    """Return pairs of a function that makes a fitted estimator, and X, by name."""
    yield "labels of text", lambda: MLPClassifier((4,), **_FAST).fit(ROWS, _WORDS), ROWS
    several = np.c_[CLASSES > 0, CLASSES == 1]
    yield "multilabel", lambda: MLPClassifier((4,), **_FAST).fit(ROWS, several), ROWS
    yield "lbfgs", lambda: MLPClassifier((4,), "tanh", solver="lbfgs").fit(ROWS, CLASSES), ROWS
    objects = {
        "solver": RMSprop(momentum=0.9), "learning_rate": Cosine(warmup=1), "loss": Huber(0.5),
        "callbacks": [EarlyStopping()], "early_stopping": True, "validation_fraction": 0.3,
        "ema_momentum": 0.9,
    }  # fmt: skip
    signals = all_estimators.SIGNALS
    yield (
        "layers",
        lambda: NeuralNetworkRegressor(_branches(), **_FAST, **objects).fit(signals, NUMBERS),
        signals,
    )
    augmented = {"augmentation": [layers.RandomFlip(), layers.Cutout(1)], "filters": (2,), **_FAST}
    yield "augmentation", lambda: CNNClassifier(**augmented).fit(IMAGES, CLASSES), IMAGES
    yield (
        "pretrained",
        lambda: (
            MLPClassifier((5,), **_FAST)
            .from_pretrained(all_estimators.fitted("MLPClassifier"), layers="body", freeze="all")
            .fit(ROWS, CLASSES)
        ),
        ROWS,
    )
    yield (
        "scaled by itself",
        lambda: RNNClassifier(3, **_FAST).fit([99 + 20 * x for x in RAGGED], CLASSES),
        RAGGED,
    )
    table = _table()
    small = {"n_networks": 2, "hidden_layer_sizes": (6,), **_FAST}
    yield "table", lambda: TabularClassifier(**small).fit(table, _WORDS), table
    yield (
        "tabm",
        lambda: TabularRegressor(architecture="tabm", **{**small, "n_networks": 1}).fit(
            table, NUMBERS
        ),
        table,
    )
    yield "TableEncoder", lambda: TableEncoder().fit(table), table
    yield "SequenceScaler", lambda: SequenceScaler().fit(RAGGED), RAGGED
    yield (
        "FeatureExtractor",
        lambda: FeatureExtractor(MLPClassifier((4,), **_FAST)).fit(ROWS, CLASSES),
        ROWS,
    )
    yield (
        "pipeline",
        lambda: make_pipeline(StandardScaler(), MLPClassifier((4,), **_FAST)).fit(ROWS, CLASSES),
        ROWS,
    )
    yield (
        "columns",
        lambda: make_pipeline(
            make_column_transformer((OneHotEncoder(sparse_output=False), ["colour", "flag"])),
            MLPClassifier((4,), **_FAST),
        ).fit(table, CLASSES),
        table,
    )
    search = {"param_grid": {"alpha": [0.1, 0.01]}, "cv": 2}
    yield (
        "search",
        lambda: GridSearchCV(MLPClassifier((4,), **_FAST), **search).fit(ROWS, CLASSES),
        ROWS,
    )


@functools.cache
def fitted_ones():
    """Return the fitted estimator and X by name: the smallest of each class, and these."""
    ones = {kind: (all_estimators.fitted(kind), KINDS[kind][2]) for kind in KINDS}
    return {**ones, **{name: (made(), X) for name, made, X in _kinds()}}


#: Names of `fitted_ones`.
NAMES = [*KINDS, *(name for name, _, _ in _kinds())]


def answers(model, X):
    """Return all that a fitted estimator says of X, as a flat list of arrays and values."""
    if isinstance(X, str):
        X = [X[:9], "a", ""]
    found = []
    for method in ("predict", "predict_proba", "transform"):
        if hasattr(model, method):
            said = getattr(model, method)(X)
            found += said if isinstance(said, list) else [said]
    return found
