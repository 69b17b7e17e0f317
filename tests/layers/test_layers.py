"""Every layer against its naive twin and one contract, over the table of cases."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import clone

from helpers.comparison import assert_close
from helpers.gradient_check import check_gradient
from helpers.layer_cases.vectors import LAYERS, RESIDUAL, activation, dense, dropout
from helpers.layer_runs import LayerRun
from helpers.loss_cases import LOSSES, sample
from helpers.naive import vectors as naive
from helpers.naive.random_numbers import Context
from helpers.parametrize import DTYPES, names
from helpers.programs import build
from sklearn_nn.layers import Activation, Dense, Dropout, Layer
from sklearn_nn.layers.activation import ACTIVATIONS, ELEMENTWISE, HIDDEN_ACTIVATIONS
from sklearn_nn.layers.base import ROW_GRAIN, TRAINING
from sklearn_nn.network.lowering import ProgramBuilder

CONTEXT = Context(seed=12, step=34)
WIDTHS = (1, 7, 16, 33)
BATCHES = (1, 5, 16, 37)
#: Layers that are an instruction: all but the identity.
INSTRUCTIONS = [case for case in LAYERS if case.n_slots]

layers = pytest.mark.parametrize("case", INSTRUCTIONS, ids=names(INSTRUCTIONS))
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def prepared(case, width, dtype, n, seed=0):
    """A run of the layer, its parameters, x and dy: numbers that float32 holds exactly."""
    run = LayerRun(case.layer, width, dtype, CONTEXT)
    rng = np.random.default_rng(seed)
    theta, x, dy = (
        (scale * rng.standard_normal(shape)).astype("float32").astype(dtype)
        for scale, shape in [(1, run.n_theta), (2, (n, width)), (1, (n, run.units))]
    )
    return run, theta, x, dy


def in_float64(run, theta, *arrays):
    return run.parameters(theta.astype("float64")), *(a.astype("float64") for a in arrays)


@dtypes
@layers
def test_forward_equals_naive(case, dtype):
    """In training, and in prediction by a layer that has seen nothing."""
    for training in (True, False):
        context = replace(CONTEXT, training=training, dtype=dtype)
        for width in WIDTHS:
            for n in BATCHES:
                run, theta, x, _ = prepared(case, width, dtype, n)
                run.ctx[TRAINING] = training
                expected = case.forward(*in_float64(run, theta, x), context)
                assert_close(run.forward(theta, x), expected, dtype, factor=4)


@dtypes
@layers
def test_backward_equals_naive(case, dtype):
    """In float32 too, against the twin in float64; in training and in prediction.

    Prediction has no gradient of parameters.
    """
    for training in (True, False):
        context = replace(CONTEXT, training=training, dtype=dtype)
        for width in WIDTHS:
            for n in BATCHES:
                run, theta, x, dy = prepared(case, width, dtype, n)
                run.ctx[TRAINING] = training
                dx, grad = run.backward(theta, x, dy)
                expected, gradients = case.backward(*in_float64(run, theta, x, dy), context)
                assert_close(dx, expected, dtype, factor=4)
                found = zip(run.parameters(grad), gradients, strict=True)
                for got, wanted in found if training else ():
                    assert_close(got, wanted, dtype, factor=4)


@dtypes
@layers
def test_prediction_has_no_work(case, dtype):
    """Where bounds are checked, reading any would be an error."""
    run, theta, x, _ = prepared(case, 5, dtype, 3)
    run.ctx[TRAINING] = False
    expected = run.forward(theta, x)
    run._work = [slice(0, 0)] * len(run.instructions)
    np.testing.assert_array_equal(run.forward(theta, x), expected)


@dtypes
@layers
def test_parts_own_their_outputs(case, dtype):
    """Any number of parts, in any order, gives the same bits and leaves nothing unwritten."""
    for width in WIDTHS:
        for n in (1, ROW_GRAIN, 21, 37):
            run, theta, x, dy = prepared(case, width, dtype, n)
            y = run.forward(theta, x)
            dx, grad = run.backward(theta, x, dy)
            for array in (y, dx, grad):
                assert not np.isnan(array).any()
            for parts in (2, 3, 4, 7):
                np.testing.assert_array_equal(run.forward(theta, x, parts), y)
                other, other_grad = run.backward(theta, x, dy, parts)
                np.testing.assert_array_equal(other, dx)
                np.testing.assert_array_equal(other_grad, grad)


@dtypes
@layers
def test_a_row_does_not_depend_on_the_rows_beside_it(case, dtype):
    """In prediction, and in training where no layer sums over the batch."""
    run, theta, x, dy = prepared(case, 13, dtype, 37)
    for training in (False,) if case.over_batch else (True, False):
        run.ctx[TRAINING] = training
        y = run.forward(theta, x)
        for n in range(1, 37):
            np.testing.assert_array_equal(run.forward(theta, x[:n]), y[:n])
        if not (training and case.layer.is_random):  # its numbers go by the place in the batch
            for i in range(37):
                np.testing.assert_array_equal(run.forward(theta, x[i : i + 1]), y[i : i + 1])
    if not case.over_batch:
        run.ctx[TRAINING] = True
        dx, _ = run.backward(theta, x, dy)
        for n in range(1, 37):
            np.testing.assert_array_equal(run.backward(theta, x[:n], dy[:n])[0], dx[:n])


@dtypes
@layers
def test_nan_and_infinity_stay_in_their_row(case, dtype):
    run, theta, x, _ = prepared(case, 6, dtype, 9)
    run.ctx[TRAINING] = not case.over_batch
    y = run.forward(theta, x)
    for bad in (np.nan, np.inf, -np.inf):
        spoilt = x.copy()
        spoilt[4, 2] = bad
        got = run.forward(theta, spoilt)
        np.testing.assert_array_equal(np.delete(got, 4, axis=0), np.delete(y, 4, axis=0))
        if np.isnan(bad) and not isinstance(case.layer, Dropout):
            assert np.isnan(got[4]).any(), "a NaN was swallowed"


@layers
def test_is_a_plain_value(case):
    layer = case.layer
    assert clone(layer) == layer
    assert pickle.loads(pickle.dumps(layer)) == layer
    assert hash(clone(layer)) == hash(layer)
    assert layer != Layer()
    assert type(layer).__name__ in repr(layer)


@pytest.mark.parametrize("case", LAYERS, ids=names(LAYERS))
def test_shape_rule_is_what_lower_makes(case):
    builder = ProgramBuilder()
    slot = builder.slot((7,))
    out = case.layer.lower(builder, slot)
    assert builder.shape(out) == case.layer.output_shape((7,)) == (case.units or 7,)
    assert len(builder.slots) == 1 + case.n_slots


@pytest.mark.parametrize("loss", LOSSES, ids=names(LOSSES))
@pytest.mark.parametrize("case", [*LAYERS, RESIDUAL], ids=names([*LAYERS, RESIDUAL]))
def test_gradient(case, loss, rng):
    """Each layer between two dense layers: with every loss, weighted and not, penalised."""
    program = build([dense(4), case, dense(loss.n_outputs)], 3, "float64", loss.loss)
    X, y, weight = sample(rng, loss, 5, 3)
    check_gradient(program, loss, X, y, seed=3, step=2)
    check_gradient(program, loss, X, y, weight, seed=3, step=2)
    if loss.gradient_factor == 1:
        check_gradient(program, loss, X, y, weight, alpha=0.7, seed=3, step=2)


def test_table_has_every_activation():
    assert set(naive.ELEMENTWISE) == set(ELEMENTWISE)
    assert {case.name for case in LAYERS} >= set(ACTIVATIONS)
    assert set(HIDDEN_ACTIVATIONS) == set(ACTIVATIONS) - {"exp", "softmax"}
    assert len(ACTIVATIONS) == 14


# --- activations ---------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("name", sorted(set(ACTIVATIONS) - {"identity", "softmax"}))
def test_activation_far_from_zero(name, dtype):
    """Large, tiny and special inputs: finite wherever the function is, value and derivative."""
    case = activation(name)
    run = LayerRun(case.layer, 1, dtype, CONTEXT)
    most = 80.0 if dtype == "float32" else 600.0
    x = np.array([0.0, 1e-30, 1e-5, 0.01, 1, 2.9, 3.1, 10, 20, 40, most])
    x = np.concatenate([-x, x]).astype(dtype)[:, None]
    y = run.forward(np.zeros(0, dtype), x)
    with np.errstate(all="ignore"):
        expected = case.forward([], x.astype("float64"), None)
        derivative = case.backward([], x.astype("float64"), np.ones(x.shape), None)[0]
    assert_close(y, expected, dtype, factor=4)
    dx, _ = run.backward(np.zeros(0, dtype), x, np.ones_like(x))
    # At a kink either slope is right.
    smooth = x[:, 0] != 0
    assert_close(dx[smooth], derivative[smooth], dtype, factor=4)
    assert np.isfinite(dx).all()


@dtypes
def test_softmax_of_large_inputs(dtype):
    run = LayerRun(Activation("softmax"), 3, dtype)
    x = np.array([[1e4, 1e4, -1e4], [-1e30, -1e30, -1e30], [0, 1e3, 2e3]], dtype)
    y = run.forward(np.zeros(0, dtype), x)
    np.testing.assert_allclose(y, [[0.5, 0.5, 0], [1 / 3] * 3, [0, 0, 1]], rtol=1e-6)
    assert_close(y.sum(axis=1), 1.0, dtype)


def test_activation_equals_torch(torch):
    functions = {
        "identity": lambda x: x,
        "logistic": torch.sigmoid,
        "tanh": torch.tanh,
        "relu": torch.relu,
        "exp": torch.exp,
        "leaky_relu": torch.nn.functional.leaky_relu,
        "elu": torch.nn.functional.elu,
        "selu": torch.nn.functional.selu,
        "gelu": torch.nn.functional.gelu,
        "silu": torch.nn.functional.silu,
        "mish": torch.nn.functional.mish,
        "softplus": torch.nn.functional.softplus,
        "hard_sigmoid": torch.nn.functional.hardsigmoid,
        "softmax": lambda x: torch.softmax(x, dim=1),
    }
    assert set(functions) == set(ACTIVATIONS)
    for name in sorted(set(functions) - {"identity"}):
        run, theta, x, dy = prepared(activation(name), 7, "float64", 30)
        there = torch.tensor(x, requires_grad=True)
        value = functions[name](there)
        value.backward(torch.tensor(dy))
        y = run.forward(theta, x)
        assert_close(y, value.detach().numpy(), "float64")
        dx, _ = run.backward(theta, x, dy)
        # PyTorch's slope of hard_sigmoid is a float32.
        factor = 1000 if name == "hard_sigmoid" else 1
        assert_close(dx, there.grad.numpy(), "float64", factor)


def test_dense_equals_torch(torch):
    run, theta, x, dy = prepared(dense(9), 11, "float64", 23)
    w, b = (torch.tensor(p, requires_grad=True) for p in run.parameters(theta))
    there = torch.tensor(x, requires_grad=True)
    value = there @ w + b
    value.backward(torch.tensor(dy))
    y = run.forward(theta, x)
    assert_close(y, value.detach().numpy(), "float64")
    dx, grad = run.backward(theta, x, dy)
    for got, wanted in zip([dx, *run.parameters(grad)], [there, w, b], strict=True):
        assert_close(got, wanted.grad.numpy(), "float64")


def test_unknown_activation():
    with pytest.raises(ValueError, match=r"activation='sine' is not known; use one of identity"):
        Activation("sine").output_shape((3,))


def test_dense_wants_vectors():
    with pytest.raises(ValueError, match=r"shape \(4, 4\); put a Flatten"):
        Dense(3).output_shape((4, 4))


def test_base_layer_asks_for_its_methods():
    with pytest.raises(TypeError, match="Layer must define output_shape"):
        Layer().output_shape((1,))
    with pytest.raises(TypeError, match="Layer must define lower"):
        Layer().lower(ProgramBuilder(), 0)


# --- dropout -------------------------------------------------------------------------------


def mask(rate=0.4, n=20, width=50, dtype="float64", **context):
    """What dropout multiplies ones by."""
    run = LayerRun(Dropout(rate), width, dtype, Context(**context))
    return run.forward(np.zeros(0, dtype), np.ones((n, width), dtype))


@pytest.mark.parametrize("rate", [0.01, 0.25, 0.5, 0.9])
def test_dropout_share_and_scale(rate):
    drawn = mask(rate, 500, 400)
    kept = drawn != 0
    deviation = np.sqrt(rate * (1 - rate) / kept.size)
    assert abs(kept.mean() - (1 - rate)) < 5 * deviation
    np.testing.assert_allclose(drawn[kept], 1 / (1 - rate), rtol=1e-15)
    # No row or column is favoured.
    for axis, n in [(0, 500), (1, 400)]:
        shares = kept.mean(axis=axis)
        assert np.abs(shares - (1 - rate)).max() < 6 * np.sqrt(rate * (1 - rate) / n)


def test_dropout_mask_depends_on_seed_step_sample_and_unit_only():
    whole = mask(seed=5, step=9)
    np.testing.assert_array_equal(mask(seed=5, step=9), whole)
    np.testing.assert_array_equal(mask(seed=5, step=9, dtype="float32") != 0, whole != 0)
    # Not on how many samples or units there are.
    np.testing.assert_array_equal(mask(n=7, width=31, seed=5, step=9), whole[:7, :31])
    for other in (mask(seed=6, step=9), mask(seed=5, step=10), mask(seed=9, step=5)):
        assert 0.3 < (other != whole).mean() < 0.7
    assert 0.3 < (whole[1:] != whole[:-1]).mean() < 0.7
    assert 0.3 < (whole[:, 1:] != whole[:, :-1]).mean() < 0.7


def test_dropout_layers_draw_apart():
    """Two dropout layers of one network do not share their mask."""
    builder = ProgramBuilder()
    slot = builder.slot((8,))
    for _ in range(2):
        slot = Dropout(0.5).lower(builder, slot)
    numbers = [instruction.geometry[0] for instruction in builder.instructions]
    assert len(set(numbers)) == 2


def test_dropout_does_nothing_at_prediction():
    run, theta, x, _ = prepared(dropout(0.4), 13, "float64", 21)
    run.ctx[TRAINING] = 0
    np.testing.assert_array_equal(run.forward(theta, x), x)


@dtypes
def test_dropout_forward_and_backward_use_one_mask(dtype):
    run = LayerRun(Dropout(0.3), 33, dtype, CONTEXT)
    ones = np.ones((19, 33), dtype)
    y = run.forward(np.zeros(0, dtype), ones)
    dx, _ = run.backward(np.zeros(0, dtype), ones, ones)
    np.testing.assert_array_equal(dx, y)
    assert len(np.unique(y)) == 2


@pytest.mark.parametrize("rate", [-0.1, 1, 1.5, np.nan])
def test_dropout_rate_is_a_share(rate):
    with pytest.raises(ValueError, match=r"rate=.* of Dropout must lie in \[0, 1\)"):
        Dropout(rate).output_shape((3,))
