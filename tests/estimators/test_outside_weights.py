"""Weights from other libraries, and for them: names, order of axes and of gates."""

import re

import numpy as np
import pytest
from sklearn.base import clone

from helpers.files.torch_files import state_dict
from sklearn_nn import MLPClassifier, NeuralNetworkClassifier, NeuralNetworkRegressor, layers
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.layers import (
    GRU,
    LSTM,
    Activation,
    BatchNorm,
    Bidirectional,
    Conv1D,
    Conv2D,
    Dense,
    Embedding,
    Flatten,
    LayerNorm,
    SimpleRNN,
)
from sklearn_nn.training.checkpoint import layouts

RNG = np.random.default_rng(0)
IMAGES, SERIES = RNG.standard_normal((12, 7, 6, 3)), RNG.standard_normal((12, 8, 3))
CODES, LABELS = RNG.integers(0, 9, (12, 7)), np.arange(12) % 3

NETWORKS = {
    "images": (
        [
            Conv2D(6, 3, padding="same"), BatchNorm(), Activation("relu6"),
            Conv2D(6, 3, groups=6, activation="relu"), Flatten(), Dense(5), LayerNorm(),
        ],
        IMAGES,
    ),
    "series": ([Conv1D(4, 3, activation="tanh"), Flatten(), layers.Dropout(0.5)], SERIES),
    **{
        f"{kind.__name__}, {direction}": (
            [Embedding(9, 4), wrap(kind(5, return_sequences=True)), kind(3)], CODES
        )
        for kind in (LSTM, GRU, SimpleRNN)
        for direction, wrap in (("one", lambda layer: layer), ("both", Bidirectional))
    },
}  # fmt: skip


def _network(name, kind=NeuralNetworkClassifier, y=LABELS, seed=0, **settings):
    """Return a network with random weights, biases and running means, too."""
    given, X = NETWORKS[name]
    settings = {"dtype": "float64", "scale_inputs": False, **settings}
    model = kind(given, random_state=seed, **settings).initialize(X, y)
    rng = np.random.default_rng(seed)
    for arrays in model.layers_.values():
        for array in arrays.values():
            array[...] = rng.uniform(0.1, 0.9, array.shape)
    return model, X


def _of_torch(X):
    return X if X.ndim == 2 else np.moveaxis(X, -1, 1)


# --- every layout, back and forth -----------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("layout", [None, "keras", "torch"])
@pytest.mark.parametrize("name", NETWORKS)
def test_weights_come_back(tmp_path, name, layout, dtype):
    model, X = _network(name, dtype=dtype)
    model.save_weights(tmp_path / "weights.npz", layout=layout)
    other, _ = _network(name, dtype=dtype, seed=1)
    assert not np.allclose(other.predict_proba(X), model.predict_proba(X))
    for given in (tmp_path / "weights.npz", dict(np.load(tmp_path / "weights.npz"))):
        same = clone(other).initialize(X, LABELS).from_pretrained(given, layout=layout)
        for layer, arrays in model.layers_.items():
            for array_name, array in arrays.items():
                np.testing.assert_array_equal(same.layers_[layer][array_name], array)
        np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))


def test_keras_numbers_the_arrays_of_a_file(tmp_path):
    h5py = pytest.importorskip("h5py")
    model, X = _network("LSTM, both")
    names = dict(zip(model.layers_, ["layers/e", "layers/b", "layers/l", "layers/d"], strict=True))
    model.save_weights(tmp_path / "a.weights.h5", layout="keras", names=names)
    with h5py.File(tmp_path / "a.weights.h5") as file:
        assert file["layers/b/forward_layer/cell/vars/1"].shape == (5, 20)
        assert file["layers/l/cell/vars/2"].shape == (12,)
        assert file["layers/d/vars/1"].shape == (3,)
    other, _ = _network("LSTM, both", seed=1)
    other.from_pretrained(tmp_path / "a.weights.h5", layout="keras", names=names)
    np.testing.assert_array_equal(other.predict_proba(X), model.predict_proba(X))


def test_a_depthwise_convolution_has_another_shape_in_keras(tmp_path):
    model, _ = _network("images")
    model.save_weights(tmp_path / "a.npz", layout="keras")
    kernel = np.load(tmp_path / "a.npz")["conv2d2/kernel"]
    assert kernel.shape == (3, 3, 6, 1)
    np.testing.assert_array_equal(kernel[..., 0], model.layers_["conv2d2"]["kernel"][:, :, 0])


# --- what torch computes, in its own equations ----------------------------------------------------


def _sigmoid(x):
    return 1 / (1 + np.exp(-x))


def _torch_rnn(kind, w, ending, x):
    """Return all h of a recurrent layer by the equations in the documentation of torch."""
    wi, wh, bi, bh = (w[n + ending] for n in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"))
    h = c = np.zeros((len(x), wh.shape[1]))
    found = []
    for t in range(x.shape[1]):
        a, b = x[:, t] @ wi.T + bi, h @ wh.T + bh
        if kind == "SimpleRNN":
            h = np.tanh(a + b)
        elif kind == "LSTM":
            i, f, g, o = np.split(a + b, 4, axis=1)
            c = _sigmoid(f) * c + _sigmoid(i) * np.tanh(g)
            h = _sigmoid(o) * np.tanh(c)
        else:
            (ri, zi, ni), (rh, zh, nh) = np.split(a, 3, axis=1), np.split(b, 3, axis=1)
            z, n = _sigmoid(zi + zh), np.tanh(ni + _sigmoid(ri + rh) * nh)
            h = (1 - z) * n + z * h
        found.append(h)
    return np.stack(found, axis=1)


def _softmax(z):
    e = np.exp(z - z.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", ["LSTM", "GRU", "SimpleRNN"])
def test_recurrent_layers_of_torch(tmp_path, kind):
    model, X = _network(f"{kind}, both")
    model.save_weights(tmp_path / "a.npz", layout="torch")
    w = dict(np.load(tmp_path / "a.npz"))
    names = list(model.layers_)
    first = {key.removeprefix(names[1] + "."): a for key, a in w.items()}
    last = {key.removeprefix(names[2] + "."): a for key, a in w.items()}
    x = w[f"{names[0]}.weight"][X]
    back = _torch_rnn(kind, first, "_l0_reverse", x[:, ::-1])[:, ::-1]
    x = np.concatenate([_torch_rnn(kind, first, "_l0", x), back], axis=2)
    h = _torch_rnn(kind, last, "_l0", x)[:, -1]
    p = _softmax(h @ w["output.weight"].T + w["output.bias"])
    np.testing.assert_allclose(p, model.predict_proba(X), rtol=1e-10)


def test_a_dense_layer_after_flatten_reads_channels_first(tmp_path):
    """torch flattens channels, then places; here it is places, then channels."""
    model, X = _network("series", NeuralNetworkRegressor, y=RNG.standard_normal((12, 2)))
    model.save_weights(tmp_path / "a.npz", layout="torch")
    w = dict(np.load(tmp_path / "a.npz"))
    x, kernel = _of_torch(X), w["conv1d1.weight"]
    assert kernel.shape == (4, 3, 3)
    h = [np.einsum("nck,fck->nf", x[:, :, t : t + 3], kernel) for t in range(6)]
    h = np.tanh(np.stack(h, axis=2) + w["conv1d1.bias"][:, np.newaxis])
    y = h.reshape(12, -1) @ w["output.weight"].T + w["output.bias"]
    np.testing.assert_allclose(y, model.predict(X), rtol=1e-10)


@pytest.mark.parametrize("name", NETWORKS)
def test_networks_of_torch(tmp_path, name):
    torch = pytest.importorskip("torch")
    nn = torch.nn
    if name == "images":
        theirs = nn.Sequential(
            nn.Conv2d(3, 6, 3, padding=1), nn.BatchNorm2d(6), nn.ReLU6(),
            nn.Conv2d(6, 6, 3, groups=6), nn.ReLU(), nn.Flatten(), nn.Linear(6 * 5 * 4, 5),
            nn.LayerNorm(5), nn.Linear(5, 3),
        )  # fmt: skip
    elif name == "series":
        theirs = nn.Sequential(nn.Conv1d(3, 4, 3), nn.Tanh(), nn.Flatten(), nn.Linear(24, 3))
    else:
        theirs = _recurrent_module(torch, *name.split(", "))
    theirs = theirs.double()
    model, X = _network(name)
    x = torch.as_tensor(_of_torch(X).copy())
    theirs(x)  # so that running means are not those at the beginning
    theirs.eval()
    weights = {n: t.numpy() for n, t in theirs.state_dict().items()}
    kept = dict.fromkeys(n.rpartition(".")[0] for n in weights)
    names = dict(zip(model.layers_, kept, strict=True))
    torch.save(theirs.state_dict(), tmp_path / "a.pth")
    for given in (weights, tmp_path / "a.pth"):
        model.from_pretrained(given, layout="torch", names=names)
        with torch.no_grad():
            p = torch.softmax(theirs(x), dim=1).numpy()
        np.testing.assert_allclose(model.predict_proba(X), p, rtol=1e-10)
    other, _ = _network(name, seed=2)
    other.save_weights(tmp_path / "b.npz", layout="torch", names=names)
    returned = {n: torch.as_tensor(a) for n, a in np.load(tmp_path / "b.npz").items()}
    missing = theirs.load_state_dict(returned, strict=False)
    assert not missing.unexpected_keys
    assert all(key.endswith("num_batches_tracked") for key in missing.missing_keys)
    with torch.no_grad():
        p = torch.softmax(theirs(x), dim=1).numpy()
    np.testing.assert_allclose(other.predict_proba(X), p, rtol=1e-10)


def _recurrent_module(torch, kind, direction):
    """Return the module of torch with the layers of a recurrent network of `NETWORKS`."""
    nn, both = torch.nn, direction == "both"
    kind = {"SimpleRNN": "RNN"}.get(kind, kind)

    class Module(nn.Module):
        def __init__(self):
            super().__init__()
            self.words = nn.Embedding(9, 4)
            self.first = getattr(nn, kind)(4, 5, batch_first=True, bidirectional=both)
            self.last = getattr(nn, kind)(10 if both else 5, 3, batch_first=True)
            self.out = nn.Linear(3, 3)

        def forward(self, x):
            return self.out(self.last(self.first(self.words(x))[0])[0][:, -1])

    return Module()


def test_further_layers_of_a_recurrent_module_by_a_wildcard(tmp_path):
    """Layers of a module of torch are numbered at the end of the names of their arrays."""
    model, _ = _network("LSTM, both")
    _, first, last, _ = model.layers_
    model.save_weights(tmp_path / "a.npz", layout="torch", names={first: "rnn.*_l3"})
    model.save_weights(tmp_path / "b.npz", layout="torch", names={last: "rnn"})
    named = {*np.load(tmp_path / "a.npz")}
    arrays = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
    assert named == {f"rnn.{n}_l3{end}" for n in arrays for end in ("", "_reverse")}
    assert {*np.load(tmp_path / "b.npz")} == {f"rnn.{name}_l0" for name in arrays}
    other, _ = _network("LSTM, both", seed=1)
    other.from_pretrained(tmp_path / "a.npz", layout="torch", names={first: "rnn.*_l3"})
    for name, array in model.layers_[first].items():
        np.testing.assert_array_equal(other.layers_[first][name], array)
    assert not np.array_equal(other.layers_[last]["kernel"], model.layers_[last]["kernel"])


# --- scaled targets, selections, resumed fits -----------------------------------------------------


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_outputs_are_in_the_units_of_the_targets(tmp_path):
    """Targets are scaled within a network, but not in a file for other programs."""
    y = 1000 + 50 * RNG.standard_normal(12)
    model = NeuralNetworkRegressor([Dense(4, activation="tanh")], dtype="float64", max_iter=2)
    X = SERIES[:, 0]
    model.fit(X, y)
    for layout in (None, "torch"):
        model.save_weights(tmp_path / "a.npz", layout=layout)
        other = NeuralNetworkRegressor([Dense(4, activation="tanh")], dtype="float64")
        other.initialize(X, y / 7).from_pretrained(tmp_path / "a.npz", layout=layout)
        np.testing.assert_allclose(other.predict(X), model.predict(X), rtol=1e-12)
    w = dict(np.load(tmp_path / "a.npz"))
    h = np.tanh(X @ w["dense1.weight"].T + w["dense1.bias"])
    np.testing.assert_allclose(h @ w["output.weight"][0] + w["output.bias"], model.predict(X))


def test_a_warning_where_inputs_are_scaled(tmp_path):
    X = 100 + SERIES[:, 0]
    model = NeuralNetworkClassifier([Dense(4)], scale_inputs=True).initialize(X, LABELS)
    with pytest.warns(UserWarning, match="standardizes X"):
        model.save_weights(tmp_path / "a.npz", layout="torch")
    with pytest.warns(UserWarning, match="standardizes X .* make it with scale_inputs=False"):
        clone(model).initialize(X, LABELS).from_pretrained(tmp_path / "a.npz", layout="torch")
    model.save_weights(tmp_path / "a.npz")
    same = clone(model).initialize(X * 2, LABELS)
    same.from_pretrained(tmp_path / "a.npz")
    np.testing.assert_array_equal(same.predict_proba(X), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_fits_begin_with_weights_from_outside(tmp_path):
    model, X = _network("images")
    model.save_weights(tmp_path / "a.npz", layout="torch")
    body, _ = _network("images", seed=1, max_iter=1)
    body.from_pretrained(tmp_path / "a.npz", layers="body", freeze="all", layout="torch")
    for fitted in (body, clone(body)):
        fitted.fit(X, LABELS)
        for layer in model.layers_:
            for name, array in model.layers_[layer].items():
                assert np.array_equal(fitted.layers_[layer][name], array) == (layer != "output")
    body.save(tmp_path / "whole.npz")
    one = NeuralNetworkClassifier.load(tmp_path / "whole.npz")
    np.testing.assert_array_equal(one.predict_proba(X), body.predict_proba(X))
    some, _ = _network("images", seed=1)
    some.from_pretrained(tmp_path / "a.npz", layers=["dense1"], layout="torch")
    assert np.array_equal(some.layers_["dense1"]["kernel"], model.layers_["dense1"]["kernel"])
    assert not np.array_equal(some.layers_["conv2d1"]["kernel"], model.layers_["conv2d1"]["kernel"])


# --- errors ---------------------------------------------------------------------------------------


def test_one_error_lists_all_that_does_not_fit(tmp_path):
    model, X = _network("images")
    before = model.predict_proba(X)
    model.save_weights(tmp_path / "a.npz", layout="torch")
    given = dict(np.load(tmp_path / "a.npz"))
    del given["conv2d1.bias"]
    given["dense1.bias"], given["zz"] = np.zeros(4), np.zeros(3)
    with pytest.raises(ValueError, match="do not fit the network") as caught:
        model.from_pretrained(given, layout="torch")
    text = str(caught.value)
    assert "missing: conv2d1.bias" in text
    assert "not used: zz" in text
    assert "of another shape: dense1.bias (4,), not (5,)" in text
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"layout": "tf"}, "layout='tf' is unknown; use 'keras', 'torch', or None"),
        ({"names": {"nowhere": "a"}}, r"names has \['nowhere'\], but the layers"),
        ({"layers": ["nowhere"]}, "has no layer 'nowhere'"),
        ({"freeze": "nowhere"}, "nowhere"),
    ],
)
def test_errors_of_arguments(arguments, message):
    model, _ = _network("images")
    given = {
        f"{layer}.{name}": array
        for layer, arrays in model.layers_.items()
        for name, array in arrays.items()
    }
    with pytest.raises(ValueError, match=message):
        model.from_pretrained(given, **arguments)
    with pytest.raises(TypeError, match="must be a dict of names"):
        model.from_pretrained(given, names=["conv2d1"])
    with pytest.raises(TypeError, match="are for a mapping of arrays"):
        model.from_pretrained(model, layout="torch")
    with pytest.raises(ValueError, match=r"call initialize\(X, y\) first"):
        clone(model).from_pretrained(given)
    given["dense1.kernel"] = given["dense1.kernel"].astype(str)
    with pytest.raises(ValueError, match="has dtype <U"):
        model.from_pretrained(given)
    model, _ = _network("images", dtype="float32")
    for value, text in (np.inf, "values that are not finite"), (1e39, "too large for"):
        given["dense1.kernel"] = np.full((120, 5), value)
        with pytest.raises(ValueError, match=f"kernel of layer 'dense1'.* {text}"):
            model.from_pretrained(given)
    given["dense1.kernel"] = [[1.0], [1.0, 2.0]]
    with pytest.raises(
        ValueError, match=r"value of 'dense1\.kernel', of type list, cannot be read"
    ):
        model.from_pretrained(given)
    with pytest.raises(TypeError, match=r"the key 1; its keys are names"):
        model.from_pretrained({1: np.zeros(3)})


def test_layers_that_are_not_selected_need_not_fit():
    """Weights of a network for other classes, or without its last layer."""
    source, _ = _network("images", y=np.arange(12) % 5, seed=1)
    for layout in ("torch", "keras", None):
        given = layouts.to_theirs(network_of(source), layout, None, numbered=False)
        model, _ = _network("images")
        before = model.layers_["output"]["kernel"].copy()
        with pytest.raises(ValueError, match=r"of another shape: output.*layers='body'"):
            model.from_pretrained(given, layout=layout)
        model.from_pretrained(given, layout=layout, layers="body")
        for layer, arrays in model.layers_.items():
            for name, array in arrays.items():
                wanted = before if name == "kernel" else array
                wanted = wanted if layer == "output" else source.layers_[layer][name]
                np.testing.assert_array_equal(array, wanted)
        some = {name: array for name, array in given.items() if name.startswith("dense1")}
        other, _ = _network("images", seed=2)
        other.from_pretrained(some, layout=layout, layers="dense1")
        kernels = [network.layers_["dense1"]["kernel"] for network in (other, source)]
        np.testing.assert_array_equal(*kernels)
        with pytest.raises(ValueError, match="missing: conv2d1"):
            other.from_pretrained(some, layout=layout, layers="body")


@pytest.mark.parametrize("layout", ["torch", "keras", None])
@pytest.mark.parametrize("told", ["torch", "keras", None])
def test_a_layout_that_was_not_told_is_guessed(layout, told):
    model, _ = _network("images")
    arrays = layouts.to_theirs(network_of(model), layout, None, numbered=False)
    if layout == told:
        model.from_pretrained(arrays, layout=told)
        return
    with pytest.raises(ValueError, match="do not fit the network") as caught:
        model.from_pretrained(arrays, layout=told)
    assert (f"Pass layout={layout!r}," in str(caught.value)) == (layout is not None)


def test_what_is_no_mapping_of_arrays(tmp_path):
    torch = pytest.importorskip("torch")
    model = MLPClassifier((3,)).initialize(np.eye(4), [0, 1, 2, 0])
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    for arguments in {}, {"layout": "torch"}:
        with pytest.raises(TypeError, match=r"not its Sequential; pass model\.state_dict\(\)"):
            model.from_pretrained(module, **arguments)
    with pytest.raises(ValueError, match=r"pass the one .*, such as weights\['state_dict'\]"):
        model.from_pretrained({"state_dict": module.state_dict(), "epoch": 3}, layout="torch")
    for other in (3, [np.eye(3)], np.eye(3)):
        with pytest.raises(TypeError, match="copies from networks of sklearn_nn, not from"):
            model.from_pretrained(other)
    for name, error in ("no.pth", "No such file"), ("no.bin", "weights are read as"):
        with pytest.raises(ValueError, match=error):
            model.from_pretrained(tmp_path / name, layout="torch")
    model.save(tmp_path / "own.npz")
    with pytest.raises(TypeError, match="are for a mapping of arrays"):
        model.from_pretrained(tmp_path / "own.npz", layout="torch")


@pytest.mark.parametrize("dtype", ["float64", "float16", "bfloat16"])
def test_tensors_that_numpy_cannot_read_at_once(dtype):
    """Parameters record gradients, and NumPy has no bfloat16."""
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU(), torch.nn.Linear(3, 3))
    module = module.to(getattr(torch, dtype))
    model = MLPClassifier((3,)).initialize(np.eye(4), [0, 1, 2, 0])
    names = {"dense1": "0", "output": "2"}
    model.from_pretrained(dict(module.named_parameters()), layout="torch", names=names)
    wanted = module[0].weight.detach().double().numpy().T
    np.testing.assert_array_equal(model.layers_["dense1"]["kernel"], wanted)


def test_layers_without_a_counterpart(tmp_path):
    given = [layers.TimeDistributed(Dense(3)), layers.AttentionPool(3)]
    model = NeuralNetworkClassifier(given).initialize(SERIES, LABELS)
    with pytest.raises(ValueError, match=re.escape("layout='torch' has no counterpart")):
        model.save_weights(tmp_path / "a.npz", layout="torch")
    names = {"timedistributed1": "a"}
    model.save_weights(tmp_path / "a.npz", layout="torch", names=names)
    assert set(np.load(tmp_path / "a.npz")) == {"a.weight", "a.bias"}
    with pytest.raises(ValueError, match=r"ends in '\.pth'; weights are written as"):
        model.save_weights(tmp_path / "a.pth")


def test_a_file_of_torch_in_a_first_network(tmp_path):
    weights = {"0.weight": np.ones((2, 3)), "0.bias": np.zeros(2), "1.weight": np.ones((3, 2)),
               "1.bias": np.arange(3.0)}  # fmt: skip
    (tmp_path / "a.pth").write_bytes(state_dict(weights))
    model = MLPClassifier((2,), activation="identity").initialize(SERIES[:, 0], LABELS)
    names = dict(zip(model.layers_, ["0", "1"], strict=True))
    model.from_pretrained(tmp_path / "a.pth", layout="torch", names=names)
    np.testing.assert_allclose(
        model.predict_proba(np.zeros((1, 3))), _softmax(np.array([[0.0, 1, 2]]))
    )
