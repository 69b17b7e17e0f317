"""Feature extractors in ONNX: the output of any layer, also of one within another."""

import numpy as np
import pytest

from sklearn_nn import CNNClassifier, FeatureExtractor, NeuralNetworkClassifier, RNNClassifier
from sklearn_nn.layers import Activation, BatchNorm, Dense, Residual

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")

from helpers.onnx_runs import assert_same, runs
from sklearn_nn.onnx import to_onnx

NETWORKS = {
    "vectors": (
        NeuralNetworkClassifier(
            [Dense(6), Residual([Dense(6), Activation("tanh"), Dense(6)]), BatchNorm()], max_iter=2
        ),
        (6,),
    ),
    "images": (CNNClassifier((4, 6), data_format="channels_first", max_iter=2), (3, 8, 8)),
    "sequences": (RNNClassifier(5, num_layers=2, bidirectional=True, max_iter=2), (7, 2)),
}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_every_layer(kind, dtype):
    network, shape = NETWORKS[kind]
    X = np.random.default_rng(0).standard_normal((30, *shape)).astype(dtype)
    network.set_params(random_state=0).fit(X, X.reshape(30, -1)[:, 0] > 0)
    names = [row.name for row in network.summary().rows]
    assert kind != "vectors" or "residual1.activation1" in names
    for name in [None, *names]:
        extractor = FeatureExtractor(network, name).fit(X)
        for runtime, run in runs(to_onnx(extractor)).items():
            (features,) = run({"X": X})
            assert features.dtype == dtype
            assert_same(features, extractor.transform(X), dtype, f"{name} in {runtime}")


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("pooling", [None, "mean", "max"])
@pytest.mark.parametrize("kind", NETWORKS)
def test_several_layers(kind, pooling):
    network, shape = NETWORKS[kind]
    X = np.random.default_rng(0).standard_normal((30, *shape))
    network.set_params(random_state=0).fit(X, X.reshape(30, -1)[:, 0] > 0)
    names = [row.name for row in network.summary().rows][:-1]
    assert len(names) > 1
    flip = kind == "images"
    extractor = FeatureExtractor(network, names, pooling=pooling, flip=flip).fit(X)
    for runtime, run in runs(to_onnx(extractor)).items():
        (features,) = run({"X": X})
        assert_same(features, extractor.transform(X), "float64", f"{names} in {runtime}")
