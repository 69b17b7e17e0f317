"""Diagrams that notebooks show: links to the documentation, layers, texts of parameters."""

import re
import tomllib
from pathlib import Path

import pytest
from sklearn.base import BaseEstimator
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import sklearn_nn
from helpers.estimators.all_estimators import KINDS, fitted, make
from sklearn_nn import CNNClassifier, MLPClassifier, NeuralNetworkClassifier, layers, training
from sklearn_nn.layers import GRU, Bidirectional, Conv2D, Dense, Parallel, RandomFlip, Residual
from sklearn_nn.layers.activation import Activated
from sklearn_nn.network import initializers

ROOT = Path(__file__).parents[2]
_BASES = {layers.Layer, initializers.Initializer, initializers.Spec}
#: Classes with parameters, with the module that the documentation lists them under.
LISTED = [
    (module.__name__, kind)
    for module in (sklearn_nn, layers, training, initializers)
    for kind in (getattr(module, name) for name in dir(module) if not name.startswith("_"))
    if isinstance(kind, type) and issubclass(kind, BaseEstimator) and kind not in _BASES
]


def links(shown):
    """Return the names of the classes whose pages a diagram links, in its order."""
    found = re.findall(r'sk-estimator-doc-link[^>]*href="([^"]*)"', shown._repr_html_())
    return [link.removesuffix(".html").rpartition(".")[2] for link in found]


@pytest.mark.parametrize(("module", "kind"), LISTED)
def test_every_class_links_its_page(module, kind):
    """The page exists, because the lists of the API page are what Sphinx makes pages from."""
    urls = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]
    page = f"{urls['Documentation']}generated/{module}.{kind.__name__}.html"
    assert object.__new__(kind)._get_doc_link() == page
    api = (ROOT / "docs/api.rst").read_text(encoding="utf-8")
    sections = re.split(r"^\.\. currentmodule:: ", api, flags=re.MULTILINE)
    (section,) = (text for text in sections if text.startswith(f"{module}\n"))
    assert f"\n   {kind.__name__}\n" in section


def test_a_class_that_is_not_public_links_the_list():
    assert object.__new__(Activated)._get_doc_link().endswith("/stable/api.html")


def test_a_class_of_a_user_has_no_link():
    class Own(Dense):
        pass

    assert Own(3)._get_doc_link() == ""
    assert links(Own(3)) == []


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_every_estimator_links_its_page_before_and_after_a_fit(kind):
    name = KINDS[kind][0].__name__
    for model in (make(kind), fitted(kind)):
        assert links(model)[0] == name
        assert links(make_pipeline("passthrough", model))[:2] == ["Pipeline", name]


def test_layers_are_shown_within_the_estimator():
    branches = [Conv2D(4, 1), [("first", Conv2D(2, 1)), Residual(Conv2D(2, 3, padding="same"))]]
    network = NeuralNetworkClassifier(
        [Parallel(branches), ("skipped", "passthrough"), ("last", Bidirectional(GRU(4)))]
    )
    inner = [
        "NeuralNetworkClassifier", "Parallel", "Conv2D", "Conv2D", "Residual", "Conv2D",
        "Bidirectional", "GRU",
    ]  # fmt: skip
    assert links(network) == inner
    assert links(make_pipeline(StandardScaler(), network)) == ["Pipeline", "StandardScaler", *inner]
    shown = network._repr_html_()
    for name in ("parallel1: Parallel", "first", "last: Bidirectional"):
        assert name in shown
    assert links(CNNClassifier(augmentation=[RandomFlip()])) == ["CNNClassifier", "RandomFlip"]


@pytest.mark.parametrize("invalid", [None, [], 3, [3], [Dense], [("a", Dense(2)), ("a", Dense(2))]])
def test_an_estimator_with_an_invalid_list_is_shown_without_layers(invalid):
    assert links(NeuralNetworkClassifier(invalid)) == ["NeuralNetworkClassifier"]


@pytest.mark.parametrize("branches", [None, [3], 3, [["relu"]]])
def test_a_layer_with_invalid_branches_is_shown_alone(branches):
    assert links(Parallel(branches)) == ["Parallel"]


@pytest.mark.parametrize(("_", "kind"), LISTED)
def test_texts_of_parameters_are_shown_on_hover(_, kind):
    """From scikit-learn 1.9 on, which finds those that have an entry of their own."""
    entries = re.findall(r"^    (\w+) : ", kind.__doc__ or "", re.MULTILINE)
    assert set(kind._get_param_names()) <= set(entries)
    shown = object.__new__(kind)
    for name in kind._get_param_names():
        object.__setattr__(shown, name, MLPClassifier() if name == "estimator" else None)
    page = shown._repr_html_()
    if "param-doc-description" in StandardScaler()._repr_html_():
        for name in kind._get_param_names():
            assert f"position-anchor: --doc-link-{name};" in page, name
