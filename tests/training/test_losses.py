"""Losses: values and gradients against the twins and scikit-learn's, edges, targets, names."""

import doctest
import pickle
from pathlib import Path

import numpy as np
import pytest
from scipy import special
from sklearn import metrics
from sklearn.base import clone
from sklearn.neural_network import _base as theirs

from helpers.comparison import assert_close
from helpers.gradient_check import check_gradient
from helpers.layer_cases.vectors import dense
from helpers.loss_cases import LOSSES, LossCase, sample
from helpers.naive.vectors import quantiles_forward
from helpers.parametrize import DTYPES, dtypes, names
from helpers.programs import build, forward
from sklearn_nn import training
from sklearn_nn._spec import named_classes
from sklearn_nn.training.losses import (
    CLASSIFICATION_LOSSES,
    REGRESSION_LOSSES,
    AbsoluteError,
    Huber,
    LogCosh,
    Loss,
    Poisson,
    Quantile,
    SigmoidFocal,
    SigmoidLogLoss,
    SoftmaxFocal,
    SoftmaxLogLoss,
    SquaredError,
    get_classification_loss,
    get_regression_loss,
)

BY_NAME = {case.name: case for case in LOSSES}
losses = pytest.mark.parametrize("case", LOSSES, ids=names(LOSSES))


def run(loss, z, y, weight=None, *, rows=None, scale=1.0, parts=1):
    """Every row's loss times its weight, and the gradient of scale times their sum."""
    z = np.ascontiguousarray(z)
    dtype = z.dtype.name
    targets = loss.targets(np.asarray(y, dtype), weight, dtype)
    rows = np.arange(len(z)) if rows is None else np.asarray(rows, np.int64)
    dz, values = np.full_like(z, np.nan), np.full(len(z), np.nan)
    kernel = loss.chosen_kernel()
    assert targets.loss_at == kernel.address(dtype)
    for part in range(parts):
        kernel(
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


def focal_of_torch(torch, log_p, gamma):
    """Lin et al.'s equation 4, for the gradient by automatic differentiation."""
    return -((-torch.expm1(log_p)) ** gamma) * log_p


def test_equals_torch(torch):
    functions = torch.nn.functional
    entropy, binary = functions.cross_entropy, functions.binary_cross_entropy_with_logits

    def own(z, y):
        return -entropy(z, y[:, 0].long(), reduction="none")

    rows = {
        "squared_error": lambda z, y: ((z - y) ** 2).mean(1) / 2,
        "absolute_error": lambda z, y: functions.l1_loss(z, y, reduction="none").mean(1),
        "absolute_error_3": lambda z, y: functions.l1_loss(z, y, reduction="none").mean(1),
        "huber": lambda z, y: torch.nn.HuberLoss("none", 1.0)(z, y).mean(1),
        "huber_narrow_3": lambda z, y: torch.nn.HuberLoss("none", 0.3)(z, y).mean(1),
        "poisson_2": lambda z, y: functions.poisson_nll_loss(z, y, reduction="none").sum(1),
        "multilabel": lambda z, y: binary(z, y, reduction="none").sum(1),
        "multilabel_smooth": lambda z, y: binary(z, 0.7 * y + 0.15, reduction="none").sum(1),
        "multiclass": lambda z, y: -own(z, y),
        "multiclass_smooth": lambda z, y: entropy(
            z, y[:, 0].long(), reduction="none", label_smoothing=0.1
        ),
        "two_classes_smooth": lambda z, y: entropy(
            z, y[:, 0].long(), reduction="none", label_smoothing=0.7
        ),
        "multilabel_focal": lambda z, y: focal_of_torch(
            torch, -binary(z, y, reduction="none"), 0.5
        ).sum(1),
        "multiclass_focal": lambda z, y: focal_of_torch(torch, own(z, y), 2.0),
        "two_classes_focal": lambda z, y: focal_of_torch(torch, own(z, y), 0.5),
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
        assert_close(dz / case.gradient_factor, there.grad.numpy(), "float64")


@pytest.mark.parametrize("quantile", [0.1, 0.5, 0.85])
def test_quantile_equals_scikit_learn(quantile):
    for name in ("quantile", "quantile_high_3"):
        z, y, weight = draw(BY_NAME[name], 40)
        weight = weight.astype("float64")
        expected = metrics.mean_pinball_loss(y, z, sample_weight=weight, alpha=quantile)
        assert mean(Quantile(quantile), z, y, weight) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("quantile", [0.07, 0.5, 0.9])
def test_best_constant_is_the_quantile(quantile):
    y = np.random.default_rng(3).lognormal(size=(101, 1))
    costs = [run(Quantile(quantile), np.full_like(y, c), y)[0].sum() for c in y[:, 0]]
    best = y[np.argmin(costs), 0]
    assert best == np.quantile(y, quantile, method="inverted_cdf")
    for side, sign in ((0.999, -1), (1.001, 1)):
        assert np.sign(run(Quantile(quantile), np.full_like(y, side * best), y)[1].sum()) == sign


def test_best_constants_of_other_losses():
    """The median of the absolute error; of a huge delta the mean, of a tiny one the median."""
    y = np.random.default_rng(4).lognormal(size=(101, 1))

    def slope(loss, constant):
        return run(loss, np.full_like(y, constant), y)[1].sum()

    median = np.median(y)
    for loss in (AbsoluteError(), Huber(1e-6)):
        assert slope(loss, median - 1e-3) < 0 < slope(loss, median + 1e-3)
    assert slope(Huber(1e6), y.mean()) == pytest.approx(0, abs=1e-9)


def test_pointwise_losses_at_no_error():
    """Nothing to learn where the prediction is right, kinks included."""
    y = np.array([[0.0, -1.5, 3.25]])
    for loss in (AbsoluteError(), Huber(), Quantile(0.2), LogCosh()):
        values, dz = run(loss, y.copy(), y)
        assert values[0] == 0
        np.testing.assert_array_equal(dz, np.zeros((1, 3)))


def test_losses_of_several_outputs_are_those_of_each():
    """The mean of the outputs' values; each output's gradient as it would be alone."""
    for case in LOSSES:
        if case.name.endswith("_3"):
            z, y, weight = draw(case)
            values, dz = run(case.loss, z, y, weight)
            alone = [run(case.loss, z[:, [j]], y[:, [j]], weight) for j in range(3)]
            assert_close(values, np.mean([value for value, _ in alone], axis=0), "float64")
            np.testing.assert_array_equal(dz, np.hstack([gradient for _, gradient in alone]))


@dtypes
def test_focal_of_gamma_zero_is_the_log_loss(dtype):
    for focal, plain in (("binary_focal_0", "binary"), ("multiclass_focal_0", "multiclass")):
        for size in (0.1, 1.0, 10.0, 30.0, 1e4):
            z, y, weight = draw(BY_NAME[focal], 50, dtype, size)
            values, dz = run(BY_NAME[focal].loss, z, y, weight)
            expected, gradient = run(BY_NAME[plain].loss, z, y, weight)
            assert_close(dz, gradient, dtype)
            if size not in (10.0, 30.0):  # there the log loss's 1 - p is rounded, the focal's not
                assert_close(values, expected, dtype)


def test_focal_of_two_classes_is_the_sigmoids():
    z = np.linspace(-40, 40, 81)[:, None]
    for label in (0.0, 1.0):
        y = np.full_like(z, label)
        both = np.hstack([np.zeros_like(z), z])
        for gamma in (0.0, 0.5, 1.0, 2.0, 5.0):
            values, dz = run(SigmoidFocal(gamma), z, y)
            expected, gradient = run(SoftmaxFocal(gamma), both, y)
            np.testing.assert_allclose(values, expected, rtol=1e-10, atol=1e-300)
            np.testing.assert_allclose(dz[:, 0], gradient[:, 1], rtol=1e-10, atol=1e-300)
            np.testing.assert_allclose(dz[:, 0], -gradient[:, 0], rtol=1e-10, atol=1e-300)


@dtypes
def test_focal_gradient_is_exact_far_out(dtype):
    """Relative accuracy where p is next to 1: -(gamma + 1) r^(gamma + 1) with r = 1 - p."""
    for gamma in (0.0, 0.5, 1.0, 2.0):
        for z in (12.0, 20.0):
            expected = -(gamma + 1) * special.expit(-z) ** (gamma + 1)
            near = {"rel": 30 * special.expit(-z) + 1e-5}
            _, dz = run(SigmoidFocal(gamma), np.array([[z]], dtype), [[1.0]])
            assert dz[0, 0] == pytest.approx(expected, **near)
            _, dz = run(SoftmaxFocal(gamma), np.array([[0, z]], dtype), [[1.0]])
            assert dz[0, 1] == pytest.approx(expected, **near)
            assert dz[0, 0] == pytest.approx(-expected, **near)
        _, dz = run(SigmoidFocal(gamma), np.array([[-80.0]], dtype), [[1.0]])
        assert dz[0, 0] == pytest.approx(-1)
        _, dz = run(SoftmaxFocal(gamma), np.array([[80.0, 0]], dtype), [[1.0]])
        np.testing.assert_allclose(dz, [[1, -1]], rtol=1e-6)


@dtypes
def test_smoothing_tends_to_none(dtype):
    for name in ("binary", "multilabel", "multiclass", "two_classes"):
        case = BY_NAME[name]
        z, y, weight = draw(case, 20, dtype, 10.0)
        smooth = type(case.loss)(label_smoothing=1e-12)
        values, dz = run(smooth, z, y, weight)
        expected, gradient = run(case.loss, z, y, weight)
        assert_close(values, expected, dtype)
        assert_close(dz, gradient, dtype)


def test_smooth_log_loss_is_least_at_the_smooth_targets():
    smoothing, n = 0.2, 4
    p = np.full((1, n), smoothing / n)
    p[0, 2] += 1 - smoothing
    value, dz = run(SoftmaxLogLoss(smoothing), np.log(p), [[2.0]])
    np.testing.assert_allclose(dz, np.zeros((1, n)), atol=1e-15)
    assert value[0] == pytest.approx(special.entr(p).sum())
    for label in (0.0, 1.0):
        t = 0.8 * label + 0.1
        value, dz = run(SigmoidLogLoss(smoothing), special.logit([[t]]), [[label]])
        assert dz[0, 0] == pytest.approx(0, abs=1e-15)
        assert value[0] == pytest.approx(special.entr(t) + special.entr(1 - t))


def test_squared_error_of_several_outputs_is_scikit_learns():
    """The value is the mean over outputs, the gradient that of their sum: not each other's."""
    z, y = np.array([[1.0, 2.0, 3.0]]), np.array([[0.0, 0.0, 0.0]])
    values, dz = run(SquaredError(), z, y)
    assert values[0] == pytest.approx((1 + 4 + 9) / 3 / 2)
    np.testing.assert_array_equal(dz, [[1.0, 2.0, 3.0]])


# --- edges -----------------------------------------------------------------------------------


@dtypes
@pytest.mark.parametrize(
    "name",
    ["binary", "multilabel", "multiclass", "binary_focal", "multilabel_focal", "multiclass_focal"],
)
def test_log_loss_is_at_most_that_of_epsilon(name, dtype):
    """As scikit-learn clips; the gradient is not clipped."""
    case, multiclass = BY_NAME[name], name.startswith("multiclass")
    most = -np.log(np.finfo(dtype).eps)
    n = case.n_outputs
    y = np.zeros((1, 1 if multiclass else n))
    for size in (40.0, 100.0, 1e4, 1e30):
        z = np.full((1, n), size, dtype)
        if multiclass:
            z[0, 0] = -size
        values, dz = run(case.loss, z, y)
        wrong = 1 if multiclass else n
        assert values[0] == pytest.approx(wrong * most, rel=1e-6)
        assert np.isfinite(dz).all()
        assert abs(dz).sum() == pytest.approx(2 if multiclass else n, rel=1e-6)
        right, dz = run(case.loss, -z, y)
        assert np.abs(dz).max() == pytest.approx(0, abs=1e-6)
        assert right[0] == pytest.approx(0, abs=1e-15)


@dtypes
@losses
def test_extreme_outputs(case, dtype):
    """Finite, or infinite where the loss is; never NaN. Where outputs may be, gradients are too."""
    rng = np.random.default_rng(5)
    for size in (1e4, 1e30, float(np.finfo(dtype).max)):
        signs = rng.choice([-1.0, 0.0, 1.0], (200, case.n_outputs))
        z = (size * signs).astype(dtype)
        y = case.draw(rng, 200, case.n_outputs)
        values, dz = run(case.loss, z, y)
        assert not np.isnan(values).any()
        assert not np.isnan(dz).any()
        assert (values >= 0).all()
        # Squares and exponentials overflow, and a sum of the largest numbers.
        if case.name.startswith(("squared", "poisson")) or size > 1e30:
            continue
        assert np.isfinite(values).all()
        assert (np.abs(dz) <= 1).all()
        weight = np.zeros(200)
        values, dz = run(case.loss, z, y, weight)
        assert (values == 0).all()
        assert (dz == 0).all()


@dtypes
def test_log_cosh_far_from_zero(dtype):
    z = np.array([[-1e30], [-1e4], [-100.0], [-1e-3], [1e-3], [100.0], [1e4], [1e30]], dtype)
    values, dz = run(LogCosh(), z, np.zeros((8, 1)))
    size = np.abs(z[:, 0].astype("float64"))
    expected = np.logaddexp(size, -size) - np.log(2)
    assert_close(values, expected, dtype)
    np.testing.assert_allclose(values[3:5], 5e-7, rtol=1e-3)
    assert_close(dz, np.tanh(z.astype("float64")), dtype)


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
    """`predict` returns the mean that the loss assumes."""
    z, _, _ = draw(case, 7, dtype)
    program = build([], case.n_outputs, dtype, case.loss)
    link = {
        "real": lambda x: x,
        "count": np.exp,
        "binary": special.expit,
        "label": lambda x: special.softmax(x, axis=1),
        "quantile": lambda x: quantiles_forward(case.loss.levels)([], x, None),
    }[case.draw.__name__.removeprefix("_")]
    assert_close(forward(program, np.zeros(0, dtype), z), link(z.astype("float64")), dtype, 4)


@losses
def test_is_a_plain_value(case):
    assert clone(case.loss) == case.loss
    assert pickle.loads(pickle.dumps(case.loss)) == case.loss
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


# --- names and hyperparameters -----------------------------------------------------------------


def test_every_loss_has_a_row():
    named = {*REGRESSION_LOSSES.values(), *sum(CLASSIFICATION_LOSSES.values(), ())}
    assert named == {type(case.loss) for case in LOSSES}
    assert {getattr(training, name) for name in training.losses.__all__} == named | {Loss}


def test_names_are_those_of_this_package():
    """A user's subclass does not become a value of `loss=`, nor takes the place of one."""

    class Mine(Huber):
        name = "mine"

    assert Mine not in REGRESSION_LOSSES.values()
    assert Mine not in named_classes(Loss, vars(training.losses))


def test_regression_losses_by_name():
    assert tuple(REGRESSION_LOSSES) == (
        "squared_error", "absolute_error", "huber", "quantile", "log_cosh", "poisson",
    )  # fmt: skip
    for name, kind in REGRESSION_LOSSES.items():
        assert get_regression_loss(name, {}) == kind()
    estimator = {"quantile": 0.9, "alpha": 3.0, "delta": 7.0, "gamma": 1.0}
    assert get_regression_loss("quantile", estimator) == Quantile(0.9)
    assert get_regression_loss("huber", estimator) == Huber(1.0)
    own = Huber(0.2)
    assert get_regression_loss(own, estimator) is own


def test_classification_losses_by_name():
    assert tuple(CLASSIFICATION_LOSSES) == ("log_loss", "focal")
    estimator = {"label_smoothing": 0.1, "gamma": 1.0}
    assert get_classification_loss("log_loss", False, {}) == SigmoidLogLoss()
    assert get_classification_loss("log_loss", True, {}) == SoftmaxLogLoss()
    assert get_classification_loss("log_loss", False, estimator) == SigmoidLogLoss(0.1)
    assert get_classification_loss("log_loss", True, estimator) == SoftmaxLogLoss(0.1)
    assert get_classification_loss("focal", False, estimator) == SigmoidFocal(2.0)
    assert get_classification_loss("focal", True, estimator) == SoftmaxFocal(2.0)
    own = SoftmaxFocal(3.0)
    assert get_classification_loss(own, True, estimator) is own


@pytest.mark.parametrize("loss", ["log_loss", "mse", "", None, 3, ["huber"], Huber])
def test_unknown_regression_loss(loss):
    with pytest.raises(ValueError, match=r"loss=.* is not known; use one of .*huber, .*or a Loss"):
        get_regression_loss(loss, {})


@pytest.mark.parametrize("loss", ["squared_error", "Focal", None, SoftmaxFocal])
def test_unknown_classification_loss(loss):
    message = r"loss=.* is not known; use one of log_loss, focal, or a Loss object\."
    with pytest.raises(ValueError, match=message):
        get_classification_loss(loss, True, {})


@pytest.mark.parametrize(
    ("kind", "name", "good", "bad"),
    [
        (Huber, "delta", (1e-3, 1, np.float32(5)), (0, -1.0, np.inf, np.nan, "1", None)),
        (Quantile, "quantile", (0.01, 0.99), (0, 1, -0.1, 1.5, np.nan, "0.5", None)),
        (SigmoidFocal, "gamma", (0, 0.5, 5), (-0.1, np.inf, np.nan, "2", None)),
        (SoftmaxFocal, "gamma", (0, 0.5, 5), (-0.1, np.inf, np.nan, "2", None)),
        (SigmoidLogLoss, "label_smoothing", (0, 0.99), (-0.1, 1, 1.5, np.nan, "0.1", None)),
        (SoftmaxLogLoss, "label_smoothing", (0, 0.99), (-0.1, 1, 1.5, np.nan, "0.1", None)),
    ],
)
def test_hyperparameters_out_of_range(kind, name, good, bad):
    """Refused where the loss is used, not where it is made."""
    y = np.zeros((3, 1))
    for value in good:
        kind(**{name: value}).targets(y, None, "float32")
    message = rf"^{name}=.* does not suit {kind.__name__}; use a number in "
    for value in bad:
        loss = kind(**{name: value})
        for use in (loss.check, lambda loss=loss: loss.targets(y, None, "float32")):
            with pytest.raises(ValueError, match=message) as caught:
                use()
            assert repr(value) in str(caught.value)


def test_no_smoothing_is_the_plain_kernel():
    assert SoftmaxLogLoss().chosen_kernel() is SoftmaxLogLoss.kernel
    assert SoftmaxLogLoss(0.1).chosen_kernel() is not SoftmaxLogLoss.kernel
    y = np.ones((3, 1), "float32")
    assert np.shares_memory(SigmoidLogLoss(0.0).targets(y, None, "float32").values, y)
    assert_close(SigmoidLogLoss(0.5).targets(y, None, "float32").values, 0.75 * y, "float32")


# --- a user's own ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def documented():
    """Return the names that the examples of docs/extending.rst define."""
    path = Path(__file__).parents[2] / "docs" / "extending.rst"
    text, scope = path.read_text(encoding="utf-8"), {"__name__": "documented"}
    test = doctest.DocTestParser().get_doctest(text, scope, path.name, str(path), 0)
    report = []
    doctest.DocTestRunner().run(test, out=report.append, clear_globs=False)
    assert not report, "".join(report)
    return test.globs


def asymmetric(z, y, eps):
    """The twin of the documentation's loss."""
    factor = np.where(z < y, 4, 1)
    return (factor * (z - y) ** 2).mean(axis=1) / 2, factor * (z - y)


def test_own_loss(documented):
    """The documentation's example is a loss like ours."""
    loss = documented["AsymmetricSquaredError"](4.0)
    with pytest.raises(ValueError, match=r"factor=0 .*use a number in \(0, inf\), such as 2\.0"):
        type(loss)(0).check()
    real = BY_NAME["squared_error_3"].draw
    case = LossCase("asymmetric", loss, asymmetric, 3, real, gradient_factor=3)
    for check in (test_equals_naive, test_rows_are_looked_up, test_parts_own_rows):
        for dtype in DTYPES:
            check(case, dtype)
    test_gradient_is_the_values(case)
    test_weight_zero_is_no_row(case, "float32")
    test_nan_stays_nan(case, "float32")
    assert get_regression_loss(loss, {}) is loss
    X, y, weight = sample(np.random.default_rng(0), case, 7, 4)
    check_gradient(build([dense(3)], 4, "float64", loss), case, X, y, weight)
