"""Every layer in ONNX computes what its kernels compute in prediction."""

import numpy as np
import pytest

from helpers.layer_cases import CASES
from sklearn_nn import layers
from sklearn_nn.layers.activation import ACTIVATIONS
from sklearn_nn.network.source import sequences, source

pytest.importorskip("onnx.reference")  # `onnx` alone is this folder
pytest.importorskip("onnxruntime")

from helpers.onnx_runs import assert_same, model_of, network_of_layers, runs
from sklearn_nn.onnx.activations import EXPRESSIONS
from sklearn_nn.onnx.network import find_form

ROWS = [(case.name, row) for case in CASES for row in case.each()]
dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@dtypes
@pytest.mark.parametrize(("name", "case"), ROWS, ids=[f"{n}-{c.shape}" for n, c in ROWS])
def test_layer(name, case, dtype):
    # A simple recurrence of large weights is chaotic: rounding errors grow from step to step.
    scale = case.plan.parameter_scale / (2 if name.startswith("SimpleRNN") else 1)
    network = network_of_layers([("layer", case.layer)], case.shape, dtype, scale=scale)
    x = case.draw(np.random.default_rng(1), 9).astype(dtype)
    expected = network.run(source(x, dtype))
    for runtime, run in runs(model_of(network)).items():
        (y,) = run({"X": x.reshape(-1, *case.shape)})
        assert y.dtype == dtype
        assert_same(y.reshape(9, -1), expected, dtype, f"{name} in {runtime}")


RAGGED = [(name, row) for name, row in ROWS if row.ragged]


@dtypes
@pytest.mark.parametrize(("name", "case"), RAGGED, ids=[f"{n}-{c.shape}" for n, c in RAGGED])
def test_sequences_of_unequal_length(name, case, dtype):
    """Whatever is behind the end of a sequence is not seen, in a tensor of any number of steps."""
    scale = case.plan.parameter_scale / (2 if name.startswith("SimpleRNN") else 1)
    network = network_of_layers(
        [("layer", case.layer)], case.shape, dtype, ragged=True, scale=scale
    )
    rng, (most, *_) = np.random.default_rng(1), case.shape
    lengths = np.concatenate([[most, 0, 1], rng.integers(1, most + 1, 6)])
    x = case.draw(rng, 9).astype(dtype)
    channels = x.shape[1] // most
    data = sequences(x.ravel(), np.arange(9) * x.shape[1], lengths, channels, dtype)
    expected = network.run(data).reshape(9, *case.layer.output_shape(case.shape))
    for runtime, run in runs(model_of(network)).items():
        y, *own = run({"X": x.reshape(-1, *case.shape), "lengths": lengths})
        if not own:  # a vector
            assert_same(y, expected, dtype, f"{name} in {runtime}")
            continue
        assert own[0].tolist() == [steps_after(case, n) for n in lengths]
        for i, steps in enumerate(own[0]):
            assert_same(y[i, :steps], expected[i, :steps], dtype, f"{name} in {runtime}")


def steps_after(case, steps):
    """Return the number of steps that a layer makes of a sequence; 0 if its window does not fit."""
    try:
        return case.layer.output_shape((int(steps), *case.shape[1:]))[0]
    except ValueError:
        return 0


def test_every_layer_and_activation_has_a_form():
    own = [getattr(layers, name) for name in layers.__all__ if name != "Layer"]
    assert not [kind.__name__ for kind in own if find_form(kind) is None]
    assert {"identity", "softmax", *EXPRESSIONS} == set(ACTIVATIONS)
