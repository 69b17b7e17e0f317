"""Networks for time series on aeon's data, in its pipelines and beside its transformers.

aeon asks for older versions of Numba and pandas than others of the extra `ecosystem`, so that it is
not part of it.
"""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_nn.time_series import fcn, inception_time, lite

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore"),  # those of aeon
]
pytest.importorskip("aeon", exc_type=ImportError)

FIRST = {"data_format": "channels_first", "random_state": 0}


@pytest.fixture(scope="module")
def motions():
    """Return series of shape (n, 6 channels, 100 steps) for training and test."""
    from aeon.datasets import load_basic_motions

    return load_basic_motions(split="train"), load_basic_motions(split="test")


def test_arrays_of_aeon(motions):
    train, test = motions
    assert train[0].shape == (40, 6, 100)
    model = lite(max_iter=30, **FIRST).fit(*train)
    assert model.input_shape_ == (100, 6)
    assert model.score(*test) > 0.9


def test_in_pipelines_and_searches_of_scikit_learn(motions):
    from aeon.transformations.collection import Normalizer

    train, test = motions
    pipeline = make_pipeline(Normalizer(), lite(max_iter=20, **FIRST))
    assert pipeline.fit(*train).score(*test) > 0.7
    assert cross_val_score(pipeline, *train, cv=2).shape == (2,)
    search = GridSearchCV(fcn((4, 4), kernel_size=(8, 5), **FIRST), {"max_iter": [1, 2]}, cv=2)
    assert search.fit(*train).predict(test[0]).shape == (40,)


def test_in_compositions_of_aeon():
    """For series of one channel, which are all that they pass to estimators of scikit-learn."""
    from aeon.classification.compose import ClassifierPipeline
    from aeon.classification.sklearn import SklearnClassifierWrapper
    from aeon.datasets import load_italy_power_demand
    from aeon.transformations.collection import Normalizer

    train, test = (load_italy_power_demand(split=part) for part in ("train", "test"))
    assert train[0].shape == (67, 1, 24)
    direct = lite(max_iter=30, **FIRST).fit(*train)
    wrapped = SklearnClassifierWrapper(lite(max_iter=30, random_state=0)).fit(*train)
    np.testing.assert_array_equal(wrapped.predict_proba(test[0]), direct.predict_proba(test[0]))
    pipeline = ClassifierPipeline(Normalizer(), lite(max_iter=30, **FIRST)).fit(*train)
    assert np.mean(pipeline.predict(test[0]) == test[1]) > 0.9
    small = inception_time(2, 1, n_networks=2, max_iter=2, **FIRST)
    assert small.fit(*train).predict(test[0]).shape == (1029,)
