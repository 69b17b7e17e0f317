"""Parameters that data sets: layer by layer, the same for any number of threads."""

import numpy as np
from scipy import sparse

from helpers.parametrize import dtypes
from sklearn_nn.layers import Activation, BatchNorm, Dense, NTPLinear, Residual
from sklearn_nn.network import machine
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import adapt, predict
from sklearn_nn.network.source import source

LAYERS = [
    ("first", NTPLinear(20)),
    ("relu", Activation("relu")),
    ("plain", NTPLinear(9, data_driven=False)),
    ("residual", Residual([Dense(7), Activation("relu"), NTPLinear(9), Activation("relu")])),
    ("last", NTPLinear(3)),
]


def adapted(dtype="float64", n=400, layers=LAYERS, seed=0, **options):
    """A program, theta as it was drawn and as it was set, and the data."""
    X = np.random.default_rng(seed).standard_normal((n, 6)).astype(dtype) * 3 + 1
    program = lower(layers, (6,), dtype)
    rng = np.random.RandomState(1)
    drawn = program.initialize(rng)
    theta, state = drawn.copy(), program.initial_state()
    adapt(program, theta, state, source(X, dtype), rng, **options)
    return program, drawn, theta, X


@dtypes
def test_every_layer_that_adapts_has_outputs_of_deviation_1(dtype):
    """Also one within another, and one whose output the next instruction overwrites."""
    program, drawn, theta, X = adapted(dtype)
    assert [name for name, _ in program.adapting] == ["first", "residual.ntplinear1", "last"]
    for name, _ in program.adapting:
        z = predict(program.cut(name), theta, program.initial_state(), source(X, dtype))
        np.testing.assert_allclose(z.std(axis=0), 1, rtol=1e-4 if dtype == "float32" else 1e-10)
        before = z - program.layers[name]["bias"].view(theta)
        bias = program.layers[name]["bias"].view(theta)
        assert (before.min(axis=0) <= -bias + 1e-5).all()
        assert (-bias <= before.max(axis=0) + 1e-5).all()
    for name in ("plain", "residual.dense1"):
        for placed in program.layers[name].values():
            np.testing.assert_array_equal(placed.view(theta), placed.view(drawn))


@dtypes
def test_does_not_depend_on_threads_or_the_form_of_the_data(dtype):
    _, _, theta, X = adapted(dtype, 2000)
    for n_jobs in (2, 3):
        np.testing.assert_array_equal(adapted(dtype, 2000, n_jobs=n_jobs)[2], theta)
    program, drawn, *_ = adapted(dtype, 2000)
    rng = np.random.RandomState(1)
    program.initialize(rng)
    adapt(program, drawn, program.initial_state(), source(sparse.csr_array(X), dtype), rng)
    np.testing.assert_array_equal(drawn, theta)


def test_kept_layers_are_left():
    program, drawn, theta, _ = adapted(kept=["first"])
    for placed in program.layers["first"].values():
        np.testing.assert_array_equal(placed.view(theta), placed.view(drawn))
    last = program.layers["last"]["kernel"]
    assert (last.view(theta) != last.view(drawn)).all()


def test_some_of_many_rows_are_drawn(monkeypatch):
    monkeypatch.setattr(machine, "MOST_ROWS", 50)
    seen = []

    class Watching(NTPLinear):
        def adapt(self, rng, outputs, parameters):
            seen.append(outputs)
            super().adapt(rng, outputs, parameters)

    adapted(n=400, layers=[("own", Watching(4))])
    adapted(n=50, layers=[("own", Watching(4))])
    assert [len(outputs) for outputs in seen] == [50, 50]
    assert len(np.unique(seen[0][:, 0])) == 50  # without replacement
    assert seen[0].dtype == np.float64


def test_draws_nothing_where_nothing_adapts():
    layers = [("a", Dense(4)), ("b", BatchNorm()), ("c", NTPLinear(2, data_driven=False))]
    program = lower(layers, (6,), "float64")
    rng = np.random.RandomState(1)
    theta = program.initialize(rng)
    before, state = theta.copy(), rng.get_state()[1].copy()
    adapt(program, theta, program.initial_state(), source(np.ones((5, 6)), "float64"), rng)
    np.testing.assert_array_equal(theta, before)
    np.testing.assert_array_equal(rng.get_state()[1], state)


def test_one_row_and_constant_columns_are_no_division_by_zero():
    for X in (np.ones((1, 6)), np.zeros((30, 6))):
        program = lower(LAYERS, (6,), "float64")
        rng = np.random.RandomState(1)
        theta = program.initialize(rng)
        adapt(program, theta, program.initial_state(), source(X, "float64"), rng)
        assert np.isfinite(theta).all()
