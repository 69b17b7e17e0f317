"""Searches on Dask and Ray: the results of one process, and one compilation a host."""

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingGridSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.jit.team import resolve_n_jobs
from sklearn_nn.training import Callback

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # those of other packages
]
X, Y = load_breast_cancer(return_X_y=True)
RNG = np.random.default_rng(0)
ROWS = RNG.standard_normal((120, 3))
SMALL = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=0)


def results(search):
    """Return the results of a search, but for times."""
    found = search.cv_results_
    return {key: found[key] for key in found if "time" not in key and key != "params"}


def equal(one, two):
    for key, expected in one.items():
        np.testing.assert_array_equal(two[key], expected)


def test_grid_search_of_120_fits(cluster):
    """Its two workers compile every kernel once, both together."""
    pipeline = make_pipeline(StandardScaler(), MLPClassifier(max_iter=10, random_state=0))
    grid = {
        "mlpclassifier__hidden_layer_sizes": [(8,), (16,), (16, 8)],
        "mlpclassifier__alpha": [1e-4, 1e-2, 1, 10],
        "mlpclassifier__solver": ["adam", "sgd"],
    }
    one = GridSearchCV(pipeline, grid, cv=5, n_jobs=1).fit(X, Y)
    with cluster.parallel():
        two = GridSearchCV(pipeline, grid, cv=5).fit(X, Y)
    equal(results(one), results(two))
    np.testing.assert_array_equal(one.predict_proba(X), two.predict_proba(X))
    compiled = cluster.compiled()
    assert len(compiled) > 10
    assert set(compiled.values()) == {1}, compiled.most_common()
    assert len(cluster.entries()) == len(compiled)


def test_other_searches(dask_cluster):
    def randomized():
        grid = {"alpha": [1e-4, 1e-2, 1, 10], "hidden_layer_sizes": [(4,), (3,)]}
        chance = np.random.RandomState(3)
        return RandomizedSearchCV(SMALL, grid, n_iter=4, cv=3, random_state=chance)

    def halving():
        grid = {"alpha": [1e-4, 1e-2, 1, 10]}
        resource = {"resource": "max_iter", "min_resources": 2, "max_resources": 18}
        return HalvingGridSearchCV(SMALL, grid, cv=3, random_state=0, **resource)

    for make in (randomized, halving):
        one = make().fit(ROWS, ROWS[:, 0])
        with dask_cluster.parallel():
            two = make().fit(ROWS, ROWS[:, 0])
        equal(results(one), results(two))


def test_fitted_estimators_come_back(dask_cluster):
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=5, random_state=np.random.RandomState(7))
    options = {"cv": 3, "return_estimator": True, "return_train_score": True}
    one = cross_validate(model, ROWS, ROWS[:, 0], **options)
    with dask_cluster.parallel():
        two = cross_validate(model, ROWS, ROWS[:, 0], **options)
    for score in ("test_score", "train_score"):
        np.testing.assert_array_equal(one[score], two[score])
    for mine, other in zip(one["estimator"], two["estimator"], strict=True):
        np.testing.assert_array_equal(mine.predict(ROWS), other.predict(ROWS))
        assert mine.history_["loss"] == other.history_["loss"]


def test_large_data_is_sent_once(dask_cluster):
    """It arrives read-only, as a future that all fits share."""
    big = RNG.standard_normal((40_000, 3))
    y = big[:, 0].copy()
    model = MLPRegressor(hidden_layer_sizes=(4,), max_iter=1, random_state=0)
    one = cross_val_score(model, big, y, cv=2)
    with joblib.parallel_config(backend="dask", n_jobs=2, scatter=[big, y]):
        two = cross_val_score(model, big, y, cv=2)
    np.testing.assert_array_equal(one, two)


class Refusing(Callback):
    """Fails after an epoch."""

    def on_epoch_end(self, epoch, log, estimator):
        raise RuntimeError(f"epoch {epoch} was refused")


@pytest.mark.parametrize(
    ("parameters", "error", "text"),
    [
        ({"callbacks": [Refusing()]}, RuntimeError, "epoch 1 was refused"),
        ({"hidden_layer_sizes": (0,)}, ValueError, "hidden_layer_sizes must be > 0, got"),
        ({"learning_rate_init": 1e300, "solver": "sgd"}, ValueError, "learning_rate"),
    ],
    ids=["callback", "parameter", "divergence"],
)
def test_errors_come_back_whole(dask_cluster, parameters, error, text):
    model = MLPRegressor(max_iter=5, random_state=0).set_params(**parameters)
    with dask_cluster.parallel(), pytest.raises(error, match=text):
        cross_val_score(model, ROWS, ROWS[:, 0], cv=3, error_score="raise")


def test_a_fit_has_the_threads_of_its_worker(dask_cluster, ray_cluster):
    """The clusters limit OpenMP's threads in their workers, and with them those of a fit."""
    import ray

    with dask_cluster.parallel():
        assert joblib.Parallel()(joblib.delayed(resolve_n_jobs)(-1) for _ in range(2)) == [1, 1]
    assert ray.get(ray.remote(resolve_n_jobs).remote(-1)) == 1
