"""Recurrent layers: PyTorch, parameters, gradients through networks, and estimators."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone

from helpers.gradient_check import check_layers
from helpers.layer_cases.recurrent import kinds, ways
from helpers.layer_runs import LayerRun
from helpers.learning import learning, median
from helpers.programs import Gradient, draw_theta
from sklearn_nn import NeuralNetworkClassifier, load
from sklearn_nn.inspection import saliency_map
from sklearn_nn.layers import GRU, LSTM, Dense, Residual, SimpleRNN
from sklearn_nn.network.initializers import Constant, get_initializer
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.training.losses import SquaredError


def prepared(layer, steps, features, dtype, n, seed=0):
    """A run of the layer, its parameters, x and dy: numbers that float32 holds exactly."""
    run = LayerRun(layer, (steps, features), dtype)
    rng = np.random.default_rng(seed)
    theta, x, dy = (
        (scale * rng.standard_normal(shape)).astype("float32").astype(dtype)
        for scale, shape in [
            (0.5, run.n_theta), (1, (n, steps * features)), (1, (n, run.units)),
        ]
    )  # fmt: skip
    return run, theta, x, dy


def _torch_twin(torch, layer, features, parameters):
    """The torch module, with our parameters; their update gate is ours, r stands before z."""
    name = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}[type(layer)]
    module = getattr(torch.nn, name)(features, layer.units, batch_first=True, dtype=torch.float64)
    W, R, b = map(_to_torch(type(layer), layer.units), parameters)
    biases = b if b.ndim == 2 else np.stack([b, np.zeros_like(b)])
    arrays = (W.T, R.T, *biases)
    with torch.no_grad():
        for own, array in zip(module.parameters(), arrays, strict=True):
            own.copy_(torch.from_numpy(array.copy()))
    return module


def _to_torch(kind, units):
    """Reorders the columns of a parameter. It is its own inverse."""
    if kind is not GRU:
        return lambda p: p
    order = np.r_[units : 2 * units, :units, 2 * units : 3 * units]
    return lambda p: p[..., order]


@pytest.mark.parametrize("steps", [86, 100, 300])
@kinds
def test_gradients_of_weights_add_up_over_rows(kind, steps):
    """Kernels sum some rows at a time: six, two and one of these."""
    run, theta, x, dy = prepared(kind(5), steps, 3, "float64", 9)
    found = run.backward(theta, x, dy)[1]
    own = [run.backward(theta, x[i : i + 1], dy[i : i + 1])[1] for i in range(len(x))]
    np.testing.assert_allclose(found, np.sum(own, axis=0), rtol=1e-9, atol=1e-9)


@ways
@kinds
def test_equals_torch(kind, way):
    """Values and gradients, in float64."""
    torch = pytest.importorskip("torch")
    units, steps, features, n = 7, 9, 3, 11
    layer = kind(units, **way)
    run, theta, x, dy = prepared(layer, steps, features, "float64", n)
    module = _torch_twin(torch, layer, features, run.parameters(theta))
    leaf = torch.from_numpy(x.reshape(n, steps, features).copy()).requires_grad_()
    h = module(leaf.flip(1) if layer.go_backwards else leaf)[0]
    y = (h if layer.return_sequences else h[:, -1]).reshape(n, -1)
    np.testing.assert_allclose(run.forward(theta, x), y.detach().numpy(), rtol=1e-10, atol=1e-10)
    y.backward(torch.from_numpy(dy))
    dx, grad = run.backward(theta, x, dy)
    theirs = [p.grad.numpy() for p in module.parameters()]
    bias = np.stack(theirs[2:]) if kind is GRU else theirs[2]
    expected = map(_to_torch(kind, units), (theirs[0].T, theirs[1].T, bias))
    np.testing.assert_allclose(dx, leaf.grad.numpy().reshape(n, -1), rtol=1e-10, atol=1e-10)
    for got, wanted in zip(run.parameters(grad), expected, strict=True):
        np.testing.assert_allclose(got, wanted, rtol=1e-10, atol=1e-10)


@kinds
def test_gradient_through_the_machine(kind):
    """Two of them, one upon the other, and a dense layer; several threads."""
    layers = [kind(4, return_sequences=True, go_backwards=True), kind(3), Dense(2)]
    check_layers(layers, (5, 3))


@kinds
def test_shape_rule_is_what_lower_makes(kind):
    for layer, expected in ((kind(4), (4,)), (kind(4, return_sequences=True), (7, 4))):
        builder = ProgramBuilder()
        out = layer.lower(builder, builder.slot((7, 3)))
        assert builder.shape(out) == layer.output_shape((7, 3)) == expected


@kinds
def test_arguments_that_do_not_fit(kind):
    for shape in ((5,), (5, 4, 3)):
        with pytest.raises(ValueError, match=f"{kind.__name__} takes sequences of shape"):
            kind(3).output_shape(shape)
    for units in (0, -2, 2.5, None):
        with pytest.raises(ValueError, match=f"units={units!r} must be a positive whole number"):
            kind(units).output_shape((5, 4))


@kinds
def test_equality_and_text_go_by_the_parameters(kind):
    layer = kind(3, return_sequences=True, recurrent_initializer="glorot_uniform")
    for copy in (clone(layer), pickle.loads(pickle.dumps(layer))):
        assert copy == layer
        assert hash(copy) == hash(layer)
    assert layer != kind(3)
    assert repr(layer).startswith(f"{kind.__name__}(")
    assert "recurrent_initializer='glorot_uniform'" in repr(layer)


def _drawn(layer, features=3):
    """The parameters by name, as an estimator draws them."""
    rng = np.random.RandomState(0)
    return {
        p.name: get_initializer(p.initializer)(rng, p.shape, p.fan_in, p.fan_out)
        for op in LayerRun(layer, (4, features), "float64").instructions
        for p in op.parameters
    }


@pytest.mark.parametrize(("kind", "gates"), [(SimpleRNN, 1), (LSTM, 4), (GRU, 3)])
def test_parameters_are_those_of_keras(kind, gates):
    drawn = _drawn(kind(5))
    assert list(drawn) == ["kernel", "recurrent_kernel", "bias"]
    assert drawn["kernel"].shape == (3, gates * 5)
    recurrent = drawn["recurrent_kernel"]
    assert recurrent.shape == (5, gates * 5)
    np.testing.assert_allclose(recurrent @ recurrent.T, np.eye(5), atol=1e-12)
    bound = np.sqrt(6 / (3 + gates * 5))
    assert 0.8 * bound < np.abs(drawn["kernel"]).max() <= bound
    if kind is LSTM:
        np.testing.assert_array_equal(drawn["bias"], np.repeat([0.0, 1, 0, 0], 5))
    else:
        np.testing.assert_array_equal(
            drawn["bias"], np.zeros((2, 15) if kind is GRU else (5,), "float64")
        )


@kinds
def test_initializers_are_used(kind):
    names = {"kernel_initializer": 2.0, "recurrent_initializer": 3.0, "bias_initializer": 4.0}
    drawn = _drawn(kind(2, **{name: Constant(value) for name, value in names.items()}))
    for array, value in zip(drawn.values(), names.values(), strict=True):
        assert (array == value).all()


def _halves(n, steps=12):
    """Sequences of two channels; which half has the larger mean in the first?"""
    rng = np.random.default_rng(3)
    X = rng.standard_normal((n, steps, 2)).astype("float32")
    first, second = np.split(X[:, :, 0], 2, axis=1)
    return X.reshape(n, -1), (first.mean(1) > second.mean(1)).astype(int)


SETTINGS = {"input_shape": (12, 2), "tol": 0, "learning_rate_init": 0.01, "batch_size": 50}


@learning
@kinds
def test_classifier_learns(kind):
    X, y = _halves(1200)

    def score(seed):
        model = NeuralNetworkClassifier([kind(8)], max_iter=30, random_state=seed, **SETTINGS)
        return model.fit(X[:800], y[:800]).score(X[800:], y[800:])

    assert median(score) > 0.8


@kinds
def test_classifier_is_the_same_for_any_number_of_threads(kind, tmp_path):
    X, y = _halves(600)
    models = [
        NeuralNetworkClassifier([kind(8)], max_iter=5, random_state=0, n_jobs=n_jobs, **SETTINGS)
        .fit(X[:400], y[:400])
        for n_jobs in (1, 2)
    ]  # fmt: skip
    probabilities = [model.predict_proba(X) for model in models]
    np.testing.assert_array_equal(*probabilities)
    models[0].save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(models[0]))):
        np.testing.assert_array_equal(again.predict_proba(X), probabilities[0])


@kinds
def test_stands_within_a_residual_connection(kind):
    """Its input is read twice, so that gradients are added."""
    check_layers([Residual([kind(3, return_sequences=True)]), kind(2)], (4, 3))


@kinds
def test_gradient_of_the_input(kind):
    X, y = _halves(200)
    layers = [kind(3, return_sequences=True), kind(3, go_backwards=True)]
    model = NeuralNetworkClassifier(layers, input_shape=(12, 2), random_state=0)
    samples = X[:3].astype("float64")
    model.initialize(samples, y[:3])

    def score(moved):
        p = model.predict_proba(moved)
        return np.log(p[:, 1] / p[:, 0])

    found, step = saliency_map(model, samples, target=1), 1e-5
    for sample, gradient in zip(samples, found, strict=True):
        moves = step * np.eye(sample.size)
        slopes = (score(sample + moves) - score(sample - moves)) / (2 * step)
        np.testing.assert_allclose(gradient, slopes, rtol=1e-5, atol=1e-7)


@kinds
def test_a_frozen_layer_is_left_as_it_is(kind):
    """First in the network, or with a layer before it that is trained through it."""
    layers = [("a", kind(3, return_sequences=True)), ("b", kind(2)), ("c", Dense(1))]
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((9, 12)), rng.standard_normal((9, 1))
    loss, gradients = SquaredError(), {}
    for frozen in ("", "a", "b"):
        rates = {frozen: 0.0} if frozen else {}
        program = lower(layers, (4, 3), "float64", loss.link_layer(), rates=rates)
        theta = draw_theta(program, np.random.default_rng(1))
        batch = Gradient(program, X, loss.targets(y, None, "float64"))
        gradients[frozen] = batch.gradient(theta), program.parameters
    whole = gradients.pop("")[0]
    assert whole.any()
    for grad, parameters in gradients.values():
        for placed in parameters:
            wanted = placed.view(whole) if placed.parameter.rate else 0
            np.testing.assert_array_equal(placed.view(grad), wanted)
