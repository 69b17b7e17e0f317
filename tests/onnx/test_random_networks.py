"""Random networks of all kinds of layers in ONNX."""

import numpy as np
import pytest

from helpers.configurations.layers import LayerDraw
from sklearn_nn.estimators.mlp import with_output
from sklearn_nn.layers.layer import with_names
from sklearn_nn.network.source import source

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")

from helpers.onnx_runs import assert_same, model_of, network_of_layers, runs

#: Of vectors, images and sequences.
SHAPES = [(5,), (9,), (6, 6, 2), (5, 7, 3), (7, 3), (9, 1)]


@pytest.mark.parametrize("seed", range(200))
def test_random_network(seed):
    rng = np.random.default_rng(seed)
    shape, dtype = SHAPES[seed % len(SHAPES)], ("float32", "float64")[seed // len(SHAPES) % 2]
    layers = with_output(with_names(LayerDraw(rng).stack(shape)), shape, 3)
    network = network_of_layers(layers, shape, dtype, seed, scale=0.5)
    x = rng.standard_normal((7, int(np.prod(shape)))).astype("float32").astype(dtype)
    expected = network.run(source(x, dtype))
    assert np.isfinite(expected).all()
    for runtime, run in runs(model_of(network)).items():
        (y,) = run({"X": x.reshape(-1, *shape)})
        assert_same(y, expected, dtype, runtime)
