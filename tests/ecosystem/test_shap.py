"""Attributions in shap's plots."""

import numpy as np
import pandas as pd
import pytest

from helpers.estimators.digits import IMAGES, LABELS, fitted_quietly
from sklearn_nn import CNNClassifier, RNNClassifier, TabularRegressor
from sklearn_nn.inspection import attributions

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore"),  # those of shap and what it imports
]
RNG = np.random.default_rng(0)


@pytest.fixture
def shap():
    """Import shap, without a window, and close its figures."""
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    yield pytest.importorskip("shap", reason="plots; shap is not installed")
    matplotlib.pyplot.close("all")


def test_tables(shap):
    table = pd.DataFrame(
        {"size": RNG.random(60), "colour": RNG.choice(["red", "blue", None], 60), "gap": np.nan}
    )
    table.loc[::2, "gap"] = 1.0
    model = TabularRegressor(n_networks=1, hidden_layer_sizes=8, max_iter=2, random_state=0)
    model = fitted_quietly(model, table, table["size"])
    found = attributions(model, table[:20], table[20:40])
    explanation = found.to_shap()
    assert isinstance(explanation, shap.Explanation)
    np.testing.assert_array_equal(explanation.values, found.values)
    assert explanation.feature_names == ["size", "colour", "gap"]
    assert explanation.data.dtype == np.float64
    assert explanation.display_data[0, 1] == table["colour"][0]
    sums = explanation.values.sum(axis=1) + explanation.base_values
    np.testing.assert_allclose(sums, model.predict(table[:20]), atol=1e-3)
    shap.plots.beeswarm(explanation, show=False)
    shap.plots.bar(explanation, show=False)
    shap.plots.waterfall(explanation[0], show=False)
    shap.plots.scatter(explanation[:, "size"], show=False)
    shap.plots.heatmap(explanation, show=False)


def test_images(shap):
    model = fitted_quietly(CNNClassifier(4, max_iter=2, random_state=0), IMAGES, LABELS)
    explanation = attributions(model, IMAGES[:3], 0).to_shap()
    assert explanation.shape == (3, 8, 8)
    shap.image_plot(explanation.values[..., np.newaxis], explanation.data, show=False)


def test_sequences_of_unequal_length(shap):
    X = [RNG.standard_normal((n, 2)) for n in range(3, 23)]
    model = RNNClassifier(3, max_iter=2, random_state=0)
    model = fitted_quietly(model, X, [x[0, 0] > 0 for x in X])
    explanation = attributions(model, X[:4], 0).to_shap()
    assert [value.shape for value in explanation.values] == [x.shape for x in X[:4]]
