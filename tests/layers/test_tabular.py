"""Layers of tables: parameters, values by hand, and arguments that do not fit."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.guarded_memory import Guards
from helpers.layer_cases.tabular import BINS
from helpers.layer_runs import LayerRun
from helpers.naive.tabular import encode_piecewise
from helpers.parametrize import dtypes
from sklearn_nn.layers import (
    Activation,
    CategoryEmbedding,
    MeanOverMembers,
    MemberHeads,
    MemberLinear,
    MemberScale,
    NTPLinear,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    ScaleFeatures,
)
from sklearn_nn.network.initializers import get_initializer
from sklearn_nn.network.lowering import lower


def drawn(layer, shape, seed=0):
    """The parameters of a layer as they are drawn, by name, and what is said of them."""
    program = lower([("own", layer)], shape, "float64")
    theta = program.initialize(np.random.RandomState(seed))
    own = program.layers["own"]
    return {k: p.view(theta) for k, p in own.items()}, {k: p.parameter for k, p in own.items()}


# --- scales, activations, NTP --------------------------------------------------------------


def test_factors_on_rate_and_decay():
    found = {
        (kind, name): (p.rate, p.decay)
        for kind, (layer, shape) in {
            "scale": (ScaleFeatures(), (3,)),
            "parametric": (ParametricActivation("selu"), (3,)),
            "ntp": (NTPLinear(2), (3,)),
            "periodic": (PeriodicEmbedding(), (3,)),
            "piecewise": (PiecewiseLinearEmbedding(BINS, linear=True), (3,)),
            "category": (CategoryEmbedding((3,)), (3,)),
            "linear": (MemberLinear(2, 3), (3,)),
            "heads": (MemberHeads(2), (3, 3)),
        }.items()
        for name, p in drawn(layer, shape)[1].items()
    }
    assert found == {
        ("scale", "scale"): (6, 1),
        ("parametric", "alpha"): (0.1, 1),
        ("ntp", "kernel"): (1, 1),
        ("ntp", "bias"): (0.1, 0),
        ("periodic", "frequencies"): (0.1, 1),
        ("periodic", "phases"): (0.1, 0),
        ("periodic", "kernel"): (0.1, 1),
        ("periodic", "bias"): (0.1, 0),
        ("piecewise", "kernel"): (1, 0),
        ("piecewise", "slopes"): (1, 0),
        ("piecewise", "bias"): (1, 0),
        ("category", "embeddings"): (1, 1),
        ("linear", "input_scale"): (1, 1),
        ("linear", "kernel"): (1, 1),
        ("linear", "output_scale"): (1, 1),
        ("linear", "bias"): (1, 0),
        ("heads", "kernel"): (1, 1),
        ("heads", "bias"): (1, 0),
    }
    for layer in (ScaleFeatures, PeriodicEmbedding):
        _, own = drawn(layer(rate_factor=3.0, decay_factor=0.5), (2,))
        assert {(p.rate, p.decay) for p in own.values()} <= {(3.0, 0.5), (3.0, 0.0)}


@dtypes
@pytest.mark.parametrize("name", ["selu", "mish"])
def test_parametric_activation_starts_as_the_activation(name, dtype):
    own, _ = drawn(ParametricActivation(name), (7,))
    x = np.random.default_rng(0).standard_normal((20, 7)).astype(dtype)
    run, plain = (
        LayerRun(ParametricActivation(name), 7, dtype),
        LayerRun(Activation(name), 7, dtype),
    )
    y = run.forward(own["alpha"].astype(dtype), x)
    assert_close(y, plain.forward(np.zeros(0, dtype), x), dtype)
    np.testing.assert_array_equal(run.forward(np.zeros(7, dtype), x), x)


def test_unknown_names():
    with pytest.raises(ValueError, match="activation='swish' of ParametricActivation is not known"):
        ParametricActivation("swish").output_shape((3,))
    with pytest.raises(ValueError, match=r"NTPLinear takes vectors.*shape \(2, 3\); put a Flatten"):
        NTPLinear(3).output_shape((2, 3))


def test_ntp_adapts_to_its_outputs():
    """Columns of standard deviation 1, and biases that are minus a mean of five outputs."""
    rng, layer = np.random.default_rng(0), NTPLinear(40)
    w, b = 3 * rng.standard_normal((6, 40)), rng.standard_normal(40)
    x = rng.standard_normal((500, 6)) + 1
    w[:, 7] = 0  # an output that does not vary
    before = w.copy()
    outputs = x @ w / np.sqrt(6) + b
    layer.adapt(np.random.RandomState(3), outputs, {"kernel": w, "bias": b})
    z = x @ w / np.sqrt(6)
    np.testing.assert_allclose(np.delete(z.std(axis=0), 7), 1, rtol=1e-12)
    scale = np.delete(w, 7, axis=1) / np.delete(before, 7, axis=1)
    np.testing.assert_allclose(scale, np.broadcast_to(scale[0], scale.shape), rtol=1e-12)
    assert (w[:, 7] == 0).all()
    assert b[7] == 0
    again = np.random.RandomState(3)
    chosen, share = again.randint(500, size=(5, 40)), again.standard_exponential((5, 40))
    for j in range(40):
        mix = share[:, j] / share[:, j].sum()
        assert b[j] == pytest.approx(-(mix * z[chosen[:, j], j]).sum(), abs=1e-12)
    assert (z.min(axis=0) <= -b + 1e-12).all()
    assert (-b <= z.max(axis=0) + 1e-12).all()
    assert layer.adapts
    assert not NTPLinear(3, data_driven=False).adapts


def test_ntp_is_drawn_standard_normal():
    own, _ = drawn(NTPLinear(50, data_driven=False), (200,))
    for array in own.values():
        assert abs(array.std() - 1) < 5 / np.sqrt(2 * array.size)
    own, _ = drawn(NTPLinear(5, kernel_initializer="zeros", bias_initializer="ones"), (3,))
    assert (own["kernel"] == 0).all()
    assert (own["bias"] == 1).all()


# --- categories ----------------------------------------------------------------------------


@dtypes
def test_unknown_categories_are_zeros(dtype):
    """And reads no memory beside the tables, and leaves their gradient alone."""
    layer, guards = CategoryEmbedding((3, 4), 5), Guards()
    run = LayerRun(layer, (3,), dtype)
    theta = guards.allocate(run.n_theta, dtype)
    theta[:] = 1
    bad = [-1, -1e9, -np.inf, np.nan, 3, 4, 1e9, 1e30, np.inf, -0.5]
    x = np.array([[7, value, 9] for value in bad], dtype)
    y = run.forward(theta, x)
    assert (y[:, 0] == 7).all()
    assert (y[:, 1:] == 0).all()
    dx, grad = run.backward(theta, x, np.ones_like(y))
    assert (grad == 0).all()
    assert (dx == [1, 0, 0]).all()
    guards.check()
    assert run.forward(theta, np.array([[7, 2, 3]], dtype)).sum() == 17


@dtypes
def test_categories_equal_torch(dtype, torch):
    rng, sizes = np.random.default_rng(0), (5, 3)
    run = LayerRun(CategoryEmbedding(sizes, 4), (6,), dtype)
    theta = rng.standard_normal(run.n_theta).astype(dtype)
    tables = torch.tensor(theta.reshape(8, 4), requires_grad=True)
    x = rng.standard_normal((30, 6)).astype(dtype)
    numbers = np.column_stack([rng.integers(0, size, 30) for size in sizes])
    x[:, 4:] = numbers
    parts = [torch.nn.functional.embedding(torch.tensor(numbers[:, 0]), tables[:5])]
    parts += [torch.nn.functional.embedding(torch.tensor(numbers[:, 1]), tables[5:])]
    value = torch.cat([torch.tensor(x[:, :4]), *parts], dim=1)
    dy = rng.standard_normal(tuple(value.shape)).astype(dtype)
    value.backward(torch.tensor(dy))
    np.testing.assert_array_equal(run.forward(theta, x), value.detach().numpy())
    assert_close(run.backward(theta, x, dy)[1].reshape(8, 4), tables.grad.numpy(), dtype)


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (CategoryEmbedding(()), (3,), r"sizes=\(\) .* leave the layer out"),
        (CategoryEmbedding((3, 0)), (3,), r"sizes=\(3, 0\) must be a positive whole number"),
        (CategoryEmbedding((3, 2**25)), (3,), "must be at most 16777216"),
        (CategoryEmbedding((3, 3), 0), (3,), "output_dim=0 must be"),
        (CategoryEmbedding((3, 3)), (1,), r"last 2 columns are categories, got .*\(1,\)"),
        (CategoryEmbedding((3, 3)), (4, 2), r"samples of shape \(4, 2\)"),
        (PeriodicEmbedding(features=4), (3,), "features=4 of PeriodicEmbedding is more than the 3"),
        (PeriodicEmbedding(waves=0), (3,), "waves=0 must be"),
        (PeriodicEmbedding(stddev=-1.0), (3,), "stddev=-1.0 .* use a number in .0, inf."),
        (PeriodicEmbedding(), (3, 2), "takes vectors"),
        (PiecewiseLinearEmbedding([[0, 1]] * 4), (3,), "features=4 of Piecewise.* more than the 3"),
        (PiecewiseLinearEmbedding([[0, 1], [2]]), (3,), r"bins\[1\]=\[2\] .* two finite edges"),
        (PiecewiseLinearEmbedding([[0, np.nan]]), (3,), r"bins\[0\]=.* two finite edges"),
        (PiecewiseLinearEmbedding([[0, 1, 1]]), (3,), r"bins\[0\]=\[0, 1, 1\] .* increasing"),
        (PiecewiseLinearEmbedding(BINS, activation="tanh"), (3,), "activation='tanh'"),
        (MemberScale(), (3,), "members=None of MemberScale must be a number"),
        (MemberLinear(5), (3,), "members=None of MemberLinear must be a number"),
        (MemberLinear(5, 4), (3, 2), "members=4 of MemberLinear differs from the 3"),
        (MemberLinear(0, 4), (2,), "units=0 must be"),
        (MemberLinear(5), (3, 2, 2), "takes a vector for each member"),
        (MemberHeads(1), (3,), "MemberHeads takes a vector for each member"),
        (MeanOverMembers(), (3,), "MeanOverMembers takes a vector for each member"),
    ],
)
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)


# --- numbers -------------------------------------------------------------------------------


def test_periodic_parameters_are_drawn_as_in_the_paper():
    own, _ = drawn(PeriodicEmbedding(), (400,))
    assert {k: a.shape for k, a in own.items()} == {
        "frequencies": (400, 16), "phases": (400, 16), "kernel": (400, 16, 3), "bias": (400, 3),
    }  # fmt: skip
    assert own["frequencies"].std() == pytest.approx(0.1, rel=0.05)
    assert np.pi * 0.99 < np.abs(own["phases"]).max() <= np.pi
    for name in ("kernel", "bias"):
        assert 0.24 < np.abs(own[name]).max() <= 0.25


@dtypes
def test_periodic_of_large_numbers_is_bounded(dtype):
    run = LayerRun(PeriodicEmbedding(units=1), (1,), dtype)
    theta = np.ones(run.n_theta, dtype)
    x = np.array([[1e4], [-1e9], [1e30], [3.0]], dtype)
    y = run.forward(theta, x)
    np.testing.assert_array_equal(y[:, :1], x)
    assert (np.abs(y[:, 1]) <= 17.001).all()


def test_piecewise_is_continuous_and_goes_on_beyond_its_bins():
    """At an edge both sides agree; beyond the outer bins the curve is a line."""
    run = LayerRun(PiecewiseLinearEmbedding(BINS[:1], 4), (1,), "float64")
    theta = np.random.default_rng(0).standard_normal(run.n_theta)
    edges = np.array(BINS[0])
    sides = [run.forward(theta, (edges + step)[:, None]) for step in (-1e-9, 0, 1e-9)]
    np.testing.assert_allclose(sides[0], sides[1], atol=1e-7)
    np.testing.assert_allclose(sides[2], sides[1], atol=1e-7)
    for ends in ([-9.0, -6.0, -3.0], [4.0, 7.0, 10.0]):
        first, middle, last = run.forward(theta, np.array(ends)[:, None])
        np.testing.assert_allclose(middle, (first + last) / 2, rtol=1e-12)
    assert (encode_piecewise([-1.1], edges)[0] == [[1, 0.6, 0, 0, 0, 0]]).sum() >= 5


def test_piecewise_bins_are_constants():
    layer = PiecewiseLinearEmbedding(BINS, 2)
    program = lower([("own", layer)], (3,), "float64")
    state = program.initial_state()
    found = {name: p.view(state) for name, p in program.memories["own"].items()}
    np.testing.assert_array_equal(found["counts"], [6, 2, 1])
    np.testing.assert_array_equal(found["begins"], [*BINS[0][:-1], *BINS[1][:-1], *BINS[2][:-1]])
    widths = np.concatenate([np.diff(edges) for edges in BINS])
    np.testing.assert_allclose(found["scales"] * widths, 1)


@dtypes
def test_edges_that_float32_cannot_tell_apart(dtype):
    """Are no division by zero."""
    bins = ((1.0, 1.0 + 1e-12, 1.0 + 2e-12, 2.0),)
    run = LayerRun(PiecewiseLinearEmbedding(bins, 2), (1,), dtype)
    y = run.forward(np.ones(run.n_theta, dtype), np.array([[0.5], [1.0], [1.5], [2.5]], dtype))
    assert np.isfinite(y).all()


def test_piecewise_with_a_line_starts_as_a_line():
    own, _ = drawn(PiecewiseLinearEmbedding(BINS, 16, linear=True), (3,))
    assert (own["kernel"] == 0).all()
    assert 0.2 < np.abs(own["slopes"]).max() <= 0.25
    run = LayerRun(PiecewiseLinearEmbedding(BINS, 16, linear=True), (3,), "float64")
    theta = np.concatenate([a.ravel() for a in own.values()])
    x = np.linspace(-5, 5, 11)[:, None] * np.ones((1, 3))
    y = run.forward(theta, x).reshape(11, 3, 16)
    expected = x[:, :, None] * own["slopes"] + own["bias"]
    np.testing.assert_allclose(y, expected, atol=1e-12)


# --- members -------------------------------------------------------------------------------


def test_members_begin_apart_and_share_the_rest():
    own, _ = drawn(MemberLinear(6, 32), (40,))
    assert set(np.unique(own["input_scale"])) == {-1.0, 1.0}
    assert 0.4 < (own["input_scale"] > 0).mean() < 0.6
    assert len(np.unique(own["input_scale"], axis=0)) == 32
    assert (own["output_scale"] == 1).all()
    assert (own["bias"] == own["bias"][0]).all()
    assert len(np.unique(own["bias"])) == 6
    assert np.abs(own["kernel"]).max() <= 1 / np.sqrt(40)
    further, _ = drawn(MemberLinear(6), (32, 40))
    assert (further["input_scale"] == 1).all()
    first, _ = drawn(MemberScale(32), (40,))
    assert set(np.unique(first["scale"])) == {-1.0, 1.0}
    heads, _ = drawn(MemberHeads(3), (32, 40))
    assert len(np.unique(heads["kernel"])) == 32 * 40 * 3
    normal = get_initializer("normal")
    given, _ = drawn(MemberLinear(6, 4, scale_initializer=normal), (5,))
    assert len(np.unique(given["input_scale"])) == 20
