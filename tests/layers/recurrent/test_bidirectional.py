"""Recurrent layers that read from both ends: PyTorch, clocks, gradients and estimators."""

import pickle
import re

import numpy as np
import pytest
from sklearn.base import clone

from helpers.gradient_check import check_layers
from helpers.layer_cases.recurrent import kinds
from helpers.layer_runs import LayerRun
from helpers.learning import learning, median
from sklearn_nn import NeuralNetworkClassifier, load
from sklearn_nn.layers import GRU, LSTM, Activation, Add, Bidirectional, Dense, SimpleRNN
from sklearn_nn.layers.layer import Clock
from sklearn_nn.network.lowering import ProgramBuilder, lower

MODES = ("concat", "sum", "mul", "ave")
modes = pytest.mark.parametrize("mode", MODES)
returns = pytest.mark.parametrize("returned", [False, True])


def make(kind, units, returned, mode="concat"):
    return Bidirectional(kind(units, return_sequences=returned), merge_mode=mode)


@returns
@kinds
def test_clock_and_shape_of_the_output(kind, returned):
    for mode in MODES:
        layer, clock = make(kind, 3, returned, mode), Clock(-1, 2)
        builder = ProgramBuilder()
        out = builder.add("a", layer, builder.slot((5, 2), clock))
        columns = 6 if mode == "concat" else 3
        expected = (5, columns) if returned else (columns,)
        assert builder.shape(out) == layer.output_shape((5, 2)) == expected
        assert builder.clock(out) == (clock if returned else None)


@returns
@kinds
def test_two_layers_equal_torch(kind, returned):
    """Values and gradients of a stack, in float64."""
    torch = pytest.importorskip("torch")
    units, steps, features, n = 5, 7, 3, 11
    layers = [("a", make(kind, units, True)), ("b", make(kind, units, returned))]
    stack = lower(layers, (steps, features), "float64")
    rng = np.random.default_rng(0)
    name = {SimpleRNN: "RNN", LSTM: "LSTM", GRU: "GRU"}[kind]
    module = getattr(torch.nn, name)(
        features, units, 2, batch_first=True, bidirectional=True, dtype=torch.float64
    )
    order = np.r_[units : 2 * units, :units, 2 * units : 3 * units]

    def twin(array):  # torch's r stands before z
        return array[..., order] if kind is GRU else array

    theta = np.zeros(stack.n_theta)
    ours = {
        f"{layer}.{key}": placed
        for layer, found in stack.layers.items()
        for key, placed in found.items()
    }
    assert list(stack.layers["a"]) == [
        f"{way}_{key}"
        for way in ("forward", "backward")
        for key in ("kernel", "recurrent_kernel", "bias")
    ]
    theirs = []
    for number, layer in enumerate("ab"):
        for way, suffix in (("forward", ""), ("backward", "_reverse")):
            for key, names in (
                ("kernel", ["weight_ih"]),
                ("recurrent_kernel", ["weight_hh"]),
                ("bias", ["bias_ih", "bias_hh"]),
            ):
                placed = ours[f"{layer}.{way}_{key}"]
                view = placed.view(theta)
                view[...] = 0.5 * rng.standard_normal(view.shape)
                tensors = [getattr(module, f"{n}_l{number}{suffix}") for n in names]
                theirs.append((placed, key, tensors))
                with torch.no_grad():
                    if key != "bias":
                        tensors[0].copy_(torch.from_numpy(twin(view).T.copy()))
                    elif kind is GRU:
                        for tensor, row in zip(tensors, twin(view), strict=True):
                            tensor.copy_(torch.from_numpy(row.copy()))
                    else:
                        tensors[0].copy_(torch.from_numpy(view.copy()))
                        tensors[1].zero_()
    x = rng.standard_normal((n, steps, features))
    leaf = torch.from_numpy(x).requires_grad_()
    h = module(leaf)[0]
    y = h if returned else torch.cat([h[:, -1, :units], h[:, 0, units:]], 1)
    whole = LayerRunOfStack(layers, (steps, features))
    np.testing.assert_allclose(
        whole.forward(whole.pack(theta, stack), x.reshape(n, -1)),
        y.detach().numpy().reshape(n, -1), rtol=1e-10, atol=1e-10,
    )  # fmt: skip
    dy = rng.standard_normal((n, y.numel() // n))
    y.backward(torch.from_numpy(dy).reshape(y.shape))
    dx, packed = whole.backward(whole.pack(theta, stack), x.reshape(n, -1), dy)
    np.testing.assert_allclose(dx, leaf.grad.numpy().reshape(n, -1), rtol=1e-10, atol=1e-10)
    for (placed, key, tensors), got in zip(theirs, whole.parameters(packed), strict=True):
        grads = [t.grad.numpy() for t in tensors]
        expected = grads[0].T if key != "bias" else grads[0] if kind is not GRU else np.stack(grads)
        assert got.shape == placed.parameter.shape
        np.testing.assert_allclose(got, twin(expected), rtol=1e-10, atol=1e-10)


class LayerRunOfStack(LayerRun):
    """Several layers as one, and parameters without the gaps of a program's."""

    def __init__(self, layers, shape):
        super().__init__(Add([[layer for _, layer in layers]]), shape, "float64")

    def pack(self, theta, program):
        return np.concatenate([placed.view(theta).ravel() for placed in program.parameters])


@modes
def test_gradient_through_the_machine(mode):
    """Two upon one another, an activation that works in place, and a dense layer."""
    for kind in (SimpleRNN, LSTM, GRU):
        layers = [make(kind, 3, True, mode), Activation("relu"), make(kind, 2, False, mode)]
        check_layers([*layers, Dense(2)], (5, 3))


def test_is_a_plain_value_with_parameters_within():
    layer = Bidirectional(LSTM(3, dropout=0.2), merge_mode="sum")
    assert layer.get_params()["layer__units"] == 3
    for copy in (clone(layer), pickle.loads(pickle.dumps(layer))):
        assert copy == layer
        assert hash(copy) == hash(layer)
    layer.set_params(layer__units=5, layer__return_sequences=True)
    assert layer.output_shape((7, 2)) == (7, 5)
    assert not layer.layer.go_backwards
    builder = ProgramBuilder()
    assert layer.lower(builder, builder.slot((7, 2)))
    assert not layer.layer.go_backwards  # what it is given stays as it is


@learning
def test_in_an_estimator(tmp_path):
    """Weights by name; a file and a pickle give the same; units can be searched over."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5, 2)).astype("float32")
    y = (X[:, 0, 0] > 0).astype(int)
    flat = X.reshape(60, -1)

    def fitted(seed):
        return NeuralNetworkClassifier(
            [Bidirectional(GRU(4))], input_shape=(5, 2), max_iter=60, learning_rate_init=0.02,
            random_state=seed,
        ).fit(flat, y)  # fmt: skip

    assert median(lambda seed: fitted(seed).score(flat, y)) > 0.9
    model = fitted(0)
    weights = model.layers_["bidirectional1"]
    assert weights["forward_kernel"].shape == weights["backward_kernel"].shape == (2, 12)
    assert (weights["forward_kernel"] != weights["backward_kernel"]).any()
    model.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        np.testing.assert_array_equal(again.predict_proba(flat), model.predict_proba(flat))


def test_arguments_that_do_not_fit():
    for layer, message in [
        (
            Bidirectional(Dense(3)),
            "layer=Dense(units=3) of Bidirectional must be a recurrent layer",
        ),
        (Bidirectional(GRU(3, go_backwards=True)), "of Bidirectional goes backwards; leave out"),
        (Bidirectional(GRU(3), merge_mode="max"), "merge_mode='max' of Bidirectional is not known"),
        (Bidirectional(GRU(0)), "units=0 must be a positive whole number"),
    ]:
        with pytest.raises(ValueError, match=re.escape(message)):
            layer.output_shape((5, 2))
    builder = ProgramBuilder(carries=True)
    with pytest.raises(ValueError, match=r"Bidirectional cannot continue .* use GRU alone"):
        Bidirectional(GRU(3)).lower(builder, builder.slot((5, 2)))
