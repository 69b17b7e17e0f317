"""Warnings point to the line of the user's that called into the package."""

import linecache
import pickle
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.all_estimators import CLASSES, IMAGES, KINDS, ROWS, data, make
from sklearn_nn import CNNClassifier, MLPClassifier, TabularClassifier, load
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.training import LambdaCallback

HERE = "# the user's line"


def lines_of(call):
    """Return the source line of every warning of a call; all of them are in this file."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call()
    assert told, "no warning came"
    for warning in told:
        assert warning.filename == __file__, f"{warning.filename}: {warning.message}"
    return [linecache.getline(__file__, warning.lineno) for warning in told]


def assert_here(call):
    assert all(HERE in line for line in lines_of(call))


@pytest.mark.parametrize("kind", KINDS)
def test_fits_that_were_cut_short(kind):
    def interrupt(*_):
        raise KeyboardInterrupt

    model = make(kind, callbacks=[LambdaCallback(on_epoch_end=interrupt)])
    assert_here(lambda: model.fit(*data(kind)))  # the user's line


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_epochs_that_did_not_suffice(kind, early_stopping):
    """Only the MLPs warn, as scikit-learn's; a number of epochs is a plan for all others."""
    model = make(kind, max_iter=2)
    if kind != "TextGenerator":
        model.set_params(early_stopping=early_stopping, validation_fraction=0.3)
    if not kind.startswith("MLP"):
        assert model.fit(*data(kind)).n_iter_ == 2
        return
    for one in (model, pickle.loads(pickle.dumps(model))):
        told = r"^Stochastic Optimizer: Maximum iterations \(2\) reached .* hasn't converged yet\.$"
        with pytest.warns(ConvergenceWarning, match=told):
            one.fit(*data(kind))
        assert_here(lambda one=one: one.fit(*data(kind)))  # the user's line


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("Tab")])
def test_schedules_that_ended(kind):
    model = make(kind, max_iter=2, learning_rate="cosine")
    given = data(kind)
    options = {"classes": np.unique(CLASSES)} if kind.endswith("Classifier") else {}

    def train():
        for _ in range(4):
            model.partial_fit(*given, **options)  # the user's line

    assert_here(train)


@pytest.mark.parametrize("kind", [k for k in KINDS if k.startswith(("MLP", "CNN", "RNN", "Neu"))])
def test_batches_that_are_clipped(kind):
    model = make(kind, batch_size=1000, max_iter=40, tol=1e6, n_iter_no_change=1)
    assert_here(lambda: model.fit(*data(kind)))  # the user's line


@pytest.mark.parametrize("kind", ["MLPClassifier", "CNNClassifier", "RNNClassifier"])
def test_l_bfgs(kind):
    """It has a criterion of convergence, so it warns in every estimator."""
    model = make(kind, solver="lbfgs", max_iter=1)
    assert_here(lambda: model.fit(*data(kind)))  # the user's line


def test_text_that_is_not_used_as_categories():
    X = [[f"c{k}", k % 7] for k in range(60)]
    y = [k % 2 for k in range(60)]
    model = TabularClassifier(max_iter=1, n_networks=2, random_state=0)
    assert_here(lambda: model.fit(X, y))  # the user's line
    pipeline = make_pipeline(TableEncoder())
    assert_here(lambda: pipeline.fit(X))  # the user's line
    search = GridSearchCV(model, {"dropout": [0.1]}, cv=KFold(6))
    assert_here(lambda: search.fit(X, y))  # the user's line


def test_columns_as_targets():
    model = MLPClassifier(3, max_iter=40, tol=1e6, n_iter_no_change=1)
    assert_here(lambda: model.fit(ROWS, CLASSES[:, np.newaxis]))  # the user's line


def test_pipelines_and_searches():
    model = make_pipeline(StandardScaler(), MLPClassifier(3, max_iter=1))
    assert_here(lambda: model.fit(ROWS, CLASSES))  # the user's line
    search = GridSearchCV(MLPClassifier(3, max_iter=1), {"alpha": [0.1]}, cv=2)
    assert_here(lambda: search.fit(ROWS, CLASSES))  # the user's line


def test_data_that_look_strange(tmp_path):
    images = np.tile(IMAGES, (1, 4, 4, 3))
    first = np.moveaxis(images, -1, 1)
    model = CNNClassifier(2, max_iter=40, tol=1e6, n_iter_no_change=1)
    assert_here(lambda: model.fit(first, CLASSES))  # the user's line
    model.fit(np.abs(images * 50).astype("uint8"), CLASSES)
    assert_here(lambda: model.predict(np.abs(images * 50) + 99))  # the user's line
    model = MLPClassifier(3, max_iter=40, tol=1e6, n_iter_no_change=1, scoring=lambda *_: 0.5)
    model.fit(ROWS, CLASSES).save(tmp_path / "model")
    assert_here(lambda: load(tmp_path / "model"))  # the user's line
