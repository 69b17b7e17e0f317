"""Validation sets that a pipeline transforms, with metadata routing: of every estimator."""

import inspect

import numpy as np
import pytest
import sklearn
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer

from helpers.estimators.all_estimators import KINDS, data, make

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(
        "transform_input" not in inspect.signature(Pipeline).parameters,
        reason="this scikit-learn's pipelines do not transform validation sets",
    ),
]


def doubled(X):
    return [2 * x for x in X] if isinstance(X, list) else 2 * X


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "TextGenerator"])
@pytest.mark.parametrize("early_stopping", [False, "best"])
def test_the_network_validates_on_transformed_rows(kind, early_stopping):
    X, y = data(kind)
    weight = np.arange(1.0, 9.0)
    validation = {"X_val": X[:8], "y_val": y[:8], "sample_weight_val": weight}
    model = make(kind, early_stopping=early_stopping)
    with sklearn.config_context(enable_metadata_routing=True):
        model.set_fit_request(**dict.fromkeys(validation, True))
        step = FunctionTransformer(doubled)
        pipeline = make_pipeline(step, model, transform_input=["X_val"])
        fitted = pipeline.fit(X[8:], y[8:], **validation)[-1]
    direct = make(kind, early_stopping=early_stopping)
    direct.fit(doubled(X[8:]), y[8:], **{**validation, "X_val": doubled(X[:8])})
    assert fitted.history_["val_loss"] == direct.history_["val_loss"]
    assert fitted.history_["val_score"] == direct.history_["val_score"]
    np.testing.assert_array_equal(fitted._network.theta, direct._network.theta)
    other = make(kind, early_stopping=early_stopping).fit(doubled(X[8:]), y[8:], **validation)
    assert fitted.history_["val_loss"] != other.history_["val_loss"]
