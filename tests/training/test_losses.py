"""Losses: values and gradients against the twins and scikit-learn's, edges, targets."""

import numpy as np
import pytest
from cases import DTYPES, LOSSES, names
from harness import assert_close, build, forward
from scipy import special
from sklearn import metrics
from sklearn.base import clone
from sklearn.neural_network import _base as theirs

from sklearn_nn.training.losses import (
    REGRESSION_LOSSES,
    Loss,
    Poisson,
    SigmoidLogLoss,
    SoftmaxLogLoss,
    SquaredError,
)

BY_NAME = {case.name: case for case in LOSSES}
dtypes = pytest.mark.parametrize("dtype", DTYPES)
losses = pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))


def run(loss, z, y, weight=None, *, rows=None, scale=1.0, parts=1):
    """Every row's loss times its weight, and the gradient of scale times their sum."""
    z = np.ascontiguousarray(z)
    dtype = z.dtype.name
    targets = loss.targets(np.asarray(y, dtype), weight, dtype)
    rows = np.arange(len(z)) if rows is None else np.asarray(rows, np.int64)
    dz, values = np.full_like(z, np.nan), np.full(len(z), np.nan)
    for part in range(parts):
        loss.kernel(
            part, parts, targets.options, targets.values, targets.weight, rows, scale, z, dz,
            values,
        )  # fmt: skip
    return values, dz


def draw(case, n=23, dtype="float64", size=2.0):
    rng = np.random.default_rng(1)
    z = (size * rng.standard_normal((n, case.n_outputs))).astype("float32").astype(dtype)
    y = case.draw(rng, n, case.n_outputs).astype("float32").astype(dtype)
    weight = rng.uniform(0.2, 3, n).astype("float32")
    weight[::5] = 0
    return z, y, weight


def twin(case, z, y, dtype="float64"):
    return case.naive(z.astype("float64"), y.astype("float64"), np.finfo(dtype).eps)


@dtypes
@losses
def test_equals_naive(case, dtype):
    for n in (1, 8, 23):
        z, y, weight = draw(case, n, dtype)
        expected, gradient = twin(case, z, y, dtype)
        values, dz = run(case.loss, z, y)
        assert_close(values, expected, dtype, factor=4)
        assert_close(dz, gradient, dtype, factor=4)
        values, dz = run(case.loss, z, y, weight, scale=0.25)
        assert_close(values, weight * expected, dtype, factor=4)
        assert_close(dz, gradient * weight[:, None] / 4, dtype, factor=4)


@dtypes
@losses
def test_rows_are_looked_up(case, dtype):
    """The batch's rows of z belong to any rows of the targets."""
    z, y, weight = draw(case, 23, dtype)
    rows = np.random.default_rng(2).integers(0, 23, 23)
    values, dz = run(case.loss, z, y, weight, rows=rows)
    expected, gradient = run(case.loss, z, y[rows], weight[rows])
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(dz, gradient)


@dtypes
@losses
def test_parts_own_rows(case, dtype):
    z, y, weight = draw(case, 37, dtype)
    whole = run(case.loss, z, y, weight)
    for parts in (2, 3, 4, 7):
        for got, expected in zip(run(case.loss, z, y, weight, parts=parts), whole, strict=True):
            np.testing.assert_array_equal(got, expected)
    for i in range(37):
        values, dz = run(case.loss, z[i : i + 1], y[i : i + 1], weight[i : i + 1])
        assert values[0] == whole[0][i]
        np.testing.assert_array_equal(dz[0], whole[1][i])


@losses
def test_gradient_is_the_values(case):
    """By central differences on z itself."""
    z, y, weight = draw(case, 9)
    _, dz = run(case.loss, z, y, weight, scale=0.5)
    for i in range(9):
        for j in range(case.n_outputs):
            above, below = z.copy(), z.copy()
            above[i, j] += 1e-6
            below[i, j] -= 1e-6
            rise = run(case.loss, above, y, weight)[0].sum()
            rise -= run(case.loss, below, y, weight)[0].sum()
            slope = 0.5 * case.gradient_factor * rise / 2e-6
            assert dz[i, j] == pytest.approx(slope, rel=1e-6, abs=1e-8)


def mean(loss, z, y, weight=None):
    """The loss of a batch as users see it."""
    values, _ = run(loss, z, y, weight)
    return values.sum() / (len(z) if weight is None else weight.sum(dtype="float64"))


@pytest.mark.parametrize("weighted", [False, True])
def test_equals_scikit_learn(weighted):
    def given(name):
        z, y, weight = draw(BY_NAME[name], 40)
        return z, y, weight.astype("float64") if weighted else None

    for name in ("squared_error", "squared_error_3"):
        z, y, weight = given(name)
        expected = theirs.squared_loss(y, z, weight)
        assert mean(SquaredError(), z, y, weight) == pytest.approx(expected, rel=1e-12)
        metric = metrics.mean_squared_error(y, z, sample_weight=weight) / 2
        assert expected == pytest.approx(metric, rel=1e-12)
    z, y, weight = given("poisson_2")
    expected = theirs.poisson_loss(y, np.exp(z), weight)
    assert mean(Poisson(), z, y, weight) == pytest.approx(expected, rel=1e-12)
    z, y, weight = given("poisson")
    metric = metrics.mean_poisson_deviance(y, np.exp(z[:, 0]), sample_weight=weight) / 2
    assert mean(Poisson(), z, y, weight) == pytest.approx(metric, rel=1e-12)
    for name in ("binary", "multilabel"):
        z, y, weight = given(name)
        expected = theirs.binary_log_loss(y, special.expit(z), weight)
        assert mean(SigmoidLogLoss(), z, y, weight) == pytest.approx(expected, rel=1e-12)
    for name in ("multiclass", "two_classes"):
        z, y, weight = given(name)
        p, n = special.softmax(z, axis=1), z.shape[1]
        expected = theirs.log_loss(np.eye(n)[y[:, 0].astype(int)], p, weight)
        assert mean(SoftmaxLogLoss(), z, y, weight) == pytest.approx(expected, rel=1e-12)
        metric = metrics.log_loss(y[:, 0], p, sample_weight=weight, labels=np.arange(n))
        assert expected == pytest.approx(metric, rel=1e-12)


def test_equals_torch(torch):
    functions = torch.nn.functional
    rows = {
        "squared_error": lambda z, y: ((z - y) ** 2).mean(1) / 2,
        "poisson_2": lambda z, y: functions.poisson_nll_loss(z, y, reduction="none").sum(1),
        "multilabel": lambda z, y: functions.binary_cross_entropy_with_logits(
            z, y, reduction="none"
        ).sum(1),
        "multiclass": lambda z, y: functions.cross_entropy(z, y[:, 0].long(), reduction="none"),
    }
    for name, function in rows.items():
        case = BY_NAME[name]
        z, y, _ = draw(case)
        there = torch.tensor(z, requires_grad=True)
        value = function(there, torch.tensor(y))
        value.sum().backward()
        values, dz = run(case.loss, z, y)
        if name.startswith("poisson"):  # PyTorch leaves out what does not depend on z
            values = values - (special.xlogy(y, y) - y).sum(axis=1)
        assert_close(values, value.detach().numpy(), "float64")
        assert_close(dz, there.grad.numpy(), "float64")


def test_squared_error_of_several_outputs_is_scikit_learns():
    """The value is the mean over outputs, the gradient that of their sum: not each other's."""
    z, y = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 0.0, 0.0]])
    values, dz = run(SquaredError(), z, y)
    assert values[0] == pytest.approx((1 + 4 + 9) / 3 / 2)
    np.testing.assert_array_equal(dz, [[1.0, 2.0, 3.0]])


# --- edges -----------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize("name", ["binary", "multilabel", "multiclass"])
def test_log_loss_is_at_most_that_of_epsilon(name, dtype):
    """As scikit-learn clips; the gradient is not clipped."""
    case = BY_NAME[name]
    most = -np.log(np.finfo(dtype).eps)
    n = case.n_outputs
    y = np.zeros((1, 1 if name == "multiclass" else n))
    for size in (40.0, 100.0, 1e4, 1e30):
        z = np.full((1, n), size, dtype)
        if name == "multiclass":
            z[0, 0] = -size
        values, dz = run(case.loss, z, y)
        wrong = 1 if name == "multiclass" else n
        assert values[0] == pytest.approx(wrong * most, rel=1e-6)
        assert np.isfinite(dz).all()
        assert abs(dz).sum() == pytest.approx(2 if name == "multiclass" else n, rel=1e-6)
        right, dz = run(case.loss, -z, y)
        assert np.abs(dz).max() == pytest.approx(0, abs=1e-6)
        assert right[0] == pytest.approx(0, abs=1e-15)


@dtypes
@losses
def test_nan_stays_nan(case, dtype):
    z, y, _ = draw(case, 9, dtype)
    z[4, 0] = np.nan
    values, dz = run(case.loss, z, y)
    assert np.isnan(values[4])
    assert np.isnan(dz[4]).any()
    assert np.isfinite(np.delete(values, 4)).all()
    assert np.isfinite(np.delete(dz, 4, axis=0)).all()


@dtypes
@losses
def test_weight_zero_is_no_row(case, dtype):
    z, y, weight = draw(case, 23, dtype)
    values, dz = run(case.loss, z, y, weight)
    out = weight == 0
    assert out.any()
    assert (values[out] == 0).all()
    assert (dz[out] == 0).all()


@dtypes
@losses
def test_weights_of_one_are_none(case, dtype):
    z, y, _ = draw(case, 23, dtype)
    for got, expected in zip(run(case.loss, z, y, np.ones(23)), run(case.loss, z, y), strict=True):
        np.testing.assert_array_equal(got, expected)


@dtypes
@losses
def test_scale_zero_has_no_gradient(case, dtype):
    """A batch of total weight zero."""
    z, y, _ = draw(case, 9, dtype)
    _, dz = run(case.loss, z, y, np.zeros(9), scale=0.0)
    assert (dz == 0).all()


@dtypes
def test_poisson_of_zero_counts_and_large_outputs(dtype):
    z = np.array([[0.0], [-80.0], [50.0]], dtype)
    values, dz = run(Poisson(), z, np.zeros((3, 1)))
    assert_close(values, np.exp(z[:, 0].astype("float64")), dtype, factor=10)
    assert_close(dz, np.exp(z.astype("float64")), dtype, factor=10)
    # Perfect predictions cost nothing.
    values, dz = run(Poisson(), np.log(np.array([[3.0]], dtype)), [[3.0]])
    assert values[0] == pytest.approx(0, abs=1e-6)
    assert dz[0, 0] == pytest.approx(0, abs=1e-6)


# --- descriptions ------------------------------------------------------------------------------


@dtypes
@losses
def test_link(case, dtype):
    """What predict returns: the mean that the loss assumes."""
    z, _, _ = draw(case, 7, dtype)
    program = build([], case.n_outputs, dtype, case.loss)
    link = {
        SquaredError: lambda x: x,
        Poisson: np.exp,
        SigmoidLogLoss: special.expit,
        SoftmaxLogLoss: lambda x: special.softmax(x, axis=1),
    }[type(case.loss)]
    assert_close(forward(program, np.zeros(0, dtype), z), link(z.astype("float64")), dtype, 4)


@losses
def test_is_a_plain_value(case):
    assert clone(case.loss) == case.loss
    assert isinstance(case.loss, Loss)


def test_targets_are_not_copied_without_need():
    y, weight = np.ones((5, 1), "float32"), np.ones(5, "float32")
    targets = SquaredError().targets(y, weight, "float32")
    assert np.shares_memory(targets.values, y)
    assert np.shares_memory(targets.weight, weight)
    assert not targets.values.flags.writeable
    assert y.flags.writeable


def test_targets_in_any_layout():
    rng = np.random.default_rng(0)
    y = rng.standard_normal((6, 2))
    big = y.astype(">f8")
    for given in (y, np.asfortranarray(y), y[::-1][::-1], big, y.astype("float32")):
        targets = SquaredError().targets(given, None, "float64")
        assert_close(targets.values, y, "float32")
        assert targets.values.flags.c_contiguous
        assert targets.values.dtype == np.float64
        assert targets.weight.shape == (0,)


def test_poisson_refuses_negative_targets():
    with pytest.raises(ValueError, match=r"loss='poisson' needs y >= 0, got .* of -1\.0; use"):
        Poisson().check_target(np.array([3.0, -1.0]))
    Poisson().check_target(np.array([3.0, 0.0]))
    SquaredError().check_target(np.array([-1.0]))


def test_names():
    assert set(REGRESSION_LOSSES) == {"squared_error", "poisson"}
    for loss in REGRESSION_LOSSES.values():
        assert issubclass(loss, Loss)
