"""Estimators that earlier releases saved still load, predict and go on training."""

from pathlib import Path

import joblib
import numpy as np
import pytest

FILES = sorted((Path(__file__).parents[1] / "golden").glob("mlp-*.joblib"))


@pytest.fixture(params=FILES, ids=lambda file: file.stem)
def golden(request):
    return joblib.load(request.param)


def test_there_is_a_file_of_every_release():
    assert "mlp-0.1.0" in [file.stem for file in FILES]
    assert all(file.stat().st_size < 20_000 for file in FILES)


def test_they_predict_as_they_did(golden):
    """To rounding, not to the last bit: another processor may have other instructions."""
    X, classifier, regressor = golden["X"], golden["classifier"], golden["regressor"]
    assert classifier.classes_.tolist() == ["no", "perhaps", "yes"]
    np.testing.assert_allclose(classifier.predict_proba(X), golden["probabilities"], rtol=1e-9)
    np.testing.assert_allclose(regressor.predict(X), golden["predictions"], rtol=1e-4, atol=1e-6)
    assert regressor.predict(X).dtype == np.float32
    assert len(regressor.validation_scores_) == regressor.n_iter_ == 4
    assert set(classifier.predict(X)) <= set(golden["labels"])


def test_they_go_on_training(golden):
    X, regressor = golden["X"], golden["regressor"]
    regressor.partial_fit(X, X[:, :2])
    np.testing.assert_allclose(regressor.predict(X), golden["next"], rtol=1e-4, atol=1e-6)
    loss = golden["classifier"].loss_curve_[-1]
    for _ in range(30):
        golden["classifier"].partial_fit(X, golden["labels"])
    assert golden["classifier"].loss_curve_[-1] < loss
    assert len(golden["classifier"].loss_curve_) == 34
