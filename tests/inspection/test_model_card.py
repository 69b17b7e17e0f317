"""Model cards: tables of what a network is, of every estimator and within others."""

import re

import numpy as np
import pytest
from sklearn.compose import TransformedTargetRegressor
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from helpers.estimators.more_estimators import NAMES, fitted_ones
from sklearn_nn import (
    CNNClassifier,
    MLPClassifier,
    MLPRegressor,
    RNNClassifier,
    TabularClassifier,
    model_card,
)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

WITHOUT_NETWORK = ("TableEncoder", "SequenceScaler", "FeatureExtractor")


def tables(card):
    """Return the tables of a card as lists of rows, which are lists of cells."""
    found = [[]]
    for line in card.splitlines():
        if line.startswith("|"):
            found[-1].append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
        elif found[-1]:
            found.append([])
    return [table for table in found if table]


@pytest.mark.parametrize("name", [name for name in NAMES if name not in WITHOUT_NETWORK])
def test_every_network_has_a_card(name):
    model, _ = fitted_ones()[name]
    card = model_card(model)
    network = model
    while not hasattr(network, "layers_"):
        network = getattr(network, "best_estimator_", None) or network[-1]
    assert card.startswith(f"# {type(network).__name__}\n")
    assert [line for line in card.splitlines() if line.startswith("##")] == [
        "## Network", "## Training", "## Parameters",
    ]  # fmt: skip
    for head, rule, *rows in tables(card):
        assert set(rule) == {":--"}
        assert {len(row) for row in rows} == {len(head)}
    assert {row[0] for row in tables(card)[1][2:]} >= {"output"}


def test_the_values_of_a_card():
    model, _ = fitted_ones()["table"]
    facts, layers, _, training, history, parameters = tables(model_card(model))
    assert ["Names of features", "colour, number, kind, flag"] in facts
    assert ["Classes", "blue, green, red"] in facts
    assert len(layers) == 2 + len(model.summary().rows)
    assert ["Trainings", "2"] in training
    assert history[0] == ["Epoch", *model.history_]
    assert [row[0] for row in history[2:]] == ["1", "2"]
    assert float(history[2][1]) == pytest.approx(model.history_["loss"][0], rel=1e-5)
    shown = dict(parameters[2:])
    assert shown["n_networks"] == "2"
    automatic = [name for name, value in model.get_params().items() if value == "auto"]
    assert len(automatic) > 5
    for name in automatic:
        assert shown[name] == f"'auto': {model.recipe_[name]!r}"
    assert "loss" not in shown


def test_shapes_of_samples():
    y, small = [0, 1] * 4, {"max_iter": 1}
    images = np.random.default_rng(0).normal(size=(8, 3, 5, 6))
    last = CNNClassifier((2,), **small).fit(np.moveaxis(images, 1, -1), y)
    first = CNNClassifier((2,), data_format="channels_first", **small).fit(images, y)
    sequences = RNNClassifier(2, **small).fit([x[0, : 2 + k % 3] for k, x in enumerate(images)], y)
    grey = CNNClassifier((2,), kernel_size=2, **small).fit(images[:, 0], y)
    for model, shape in [
        (last, "(5, 6, 3)"), (first, "(3, 5, 6)"), (sequences, "(steps, 6)"), (grey, "(5, 6, 1)"),
    ]:  # fmt: skip
        facts = dict(tables(model_card(model))[0])
        assert facts["Shape of a sample"] == shape
        assert "Features" not in facts


def test_steps_before_the_network():
    X, y = np.random.default_rng(0).normal(size=(12, 3)), [0, 1] * 6
    network = MLPClassifier((2,), max_iter=1)
    model = make_pipeline(StandardScaler(), "passthrough", make_pipeline(PCA(2), network))
    search = GridSearchCV(model, {"standardscaler__with_mean": [True]}, cv=2)
    for one in (model, search):
        facts = dict(tables(model_card(one.fit(X, y)))[0])
        assert facts["Steps before it"] == "StandardScaler, PCA"
    target = TransformedTargetRegressor(make_pipeline(PCA(2), MLPRegressor(max_iter=1)))
    assert dict(tables(model_card(target.fit(X, y)))[0])["Steps before it"] == "PCA"
    assert "Steps before it" not in model_card(network.fit(X, y))


def test_long_histories_and_lists_are_shortened():
    X = [[float(k)] for k in range(150)]
    model = MLPClassifier((3,), max_iter=100, random_state=0).fit(X, [k % 50 for k in range(150)])
    facts, *_, history, _ = tables(model_card(model))
    assert ["Classes", ", ".join(map(str, range(20))) + ", ... (50 in all)"] in facts
    assert [row[0] for row in history[2:]] == [str(11 * k + 1) for k in range(10)]


def test_a_bar_within_a_name():
    pd = pytest.importorskip("pandas")
    table = pd.DataFrame({"a|b": [0.0, 1.0, 2.0, 3.0]})
    small = {"n_networks": 1, "hidden_layer_sizes": (2,), "max_iter": 1, "early_stopping": False}
    model = TabularClassifier(**small).fit(table, [0, 1, 0, 1])
    assert ["Names of features", r"a\|b"] in tables(model_card(model))[0]


def test_other_models_have_none():
    with pytest.raises(TypeError, match="model_card needs a network of sklearn_nn, not Logistic"):
        model_card(LogisticRegression().fit([[0.0], [1.0]], [0, 1]))
