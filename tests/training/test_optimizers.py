"""Optimizers: a hundred steps against the twins, scikit-learn's and PyTorch's."""

import numpy as np
import pytest
from cases import DTYPES, OPTIMIZERS, names
from harness import assert_close
from sklearn.base import clone
from sklearn.neural_network._stochastic_optimizers import AdamOptimizer, SGDOptimizer

from sklearn_nn.training.descent import Descent
from sklearn_nn.training.optimizers import SGD, Adam, Optimizer
from sklearn_nn.training.schedules import Constant

N, STEPS, RATE = 37, 100, 0.02
rules = pytest.mark.parametrize("case", OPTIMIZERS, ids=names(OPTIMIZERS))
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def start(dtype="float64"):
    """Parameters, and the gradients of a hundred steps."""
    rng = np.random.default_rng(0)
    theta = rng.standard_normal(N).astype(dtype)
    scales = 10.0 ** rng.uniform(-3, 1, N)
    return theta, (scales * rng.standard_normal((STEPS, N))).astype(dtype)


def ours(optimizer, dtype="float64", *, factor=1.0, lo=0, hi=N):
    theta, gradients = start(dtype)
    moments = np.zeros((optimizer.n_moments, N), dtype)
    scalars = optimizer.scalars(np.arange(1, STEPS + 1), np.full(STEPS, RATE))
    for row, gradient in zip(scalars, gradients, strict=True):
        optimizer.kernel(row, factor, lo, hi, theta, gradient, moments)
    return theta, moments


def assert_equal(got, expected):
    np.testing.assert_allclose(got, expected, rtol=1e-12, atol=1e-12)


@dtypes
@rules
def test_equals_naive(case, dtype):
    theta, gradients = start("float32")
    theta, gradients = theta.astype("float64"), gradients.astype("float64")
    moments = np.zeros((2, N))
    start_32 = ours(case.optimizer, dtype)[0] if dtype == "float32" else None
    if dtype == "float64":
        theta, gradients = start()
    for t, gradient in enumerate(gradients, 1):
        case.naive(theta, gradient, moments, t, RATE)
    if dtype == "float64":
        assert_equal(ours(case.optimizer)[0], theta)
    else:
        assert_close(start_32, theta, dtype, factor=30)


@pytest.mark.parametrize("nesterov", [False, True])
@pytest.mark.parametrize("momentum", [0.0, 0.5, 0.9])
def test_sgd_equals_scikit_learn(momentum, nesterov):
    theta, gradients = start()
    reference = SGDOptimizer([theta], RATE, momentum=momentum, nesterov=nesterov)
    for gradient in gradients:
        reference.update_params([theta], [gradient])
    got, moments = ours(SGD(momentum, nesterov))
    assert_equal(got, theta)
    assert_equal(moments[0], reference.velocities[0])


def test_adam_equals_scikit_learn():
    for options in ({}, {"beta_1": 0.5, "beta_2": 0.9, "epsilon": 1e-4}, {"beta_1": 0.0}):
        theta, gradients = start()
        reference = AdamOptimizer([theta], RATE, **options)
        for gradient in gradients:
            reference.update_params([theta], [gradient])
        got, moments = ours(Adam(**options))
        assert_equal(got, theta)
        assert_equal(moments, [reference.ms[0], reference.vs[0]])


def theirs(torch, make):
    theta, gradients = start()
    parameter = torch.tensor(theta, requires_grad=True)
    optimizer = make([parameter])
    for gradient in gradients:
        parameter.grad = torch.tensor(gradient)
        optimizer.step()
    return parameter.detach().numpy()


@pytest.mark.parametrize(("momentum", "nesterov"), [(0.0, False), (0.9, False), (0.9, True)])
def test_sgd_equals_torch(torch, momentum, nesterov):
    def make(parameters):
        return torch.optim.SGD(parameters, lr=RATE, momentum=momentum, nesterov=nesterov)

    assert_equal(ours(SGD(momentum, nesterov))[0], theirs(torch, make))


def test_adam_equals_torch(torch):
    """PyTorch adds epsilon to the corrected root: with so small a one there is no difference."""

    def make(parameters):
        return torch.optim.Adam(parameters, lr=RATE, eps=1e-30)

    assert_equal(ours(Adam(epsilon=1e-30))[0], theirs(torch, make))


@rules
def test_rate_factor(case):
    """It multiplies the learning rate, step by step."""
    theta, gradients = start()
    moments = np.zeros((2, N))
    for t, gradient in enumerate(gradients, 1):
        case.naive(theta, gradient, moments, t, 0.3 * RATE)
    assert_equal(ours(case.optimizer, factor=0.3)[0], theta)
    assert_equal(ours(case.optimizer, factor=0.0)[0], start()[0])


@dtypes
@rules
def test_a_span_is_updated_alone(case, dtype):
    whole, whole_moments = ours(case.optimizer, dtype)
    part, part_moments = ours(case.optimizer, dtype, lo=5, hi=22)
    before = start(dtype)[0]
    np.testing.assert_array_equal(part[5:22], whole[5:22])
    np.testing.assert_array_equal(part_moments[:, 5:22], whole_moments[:, 5:22])
    for outside in (slice(5), slice(22, None)):
        np.testing.assert_array_equal(part[outside], before[outside])
        assert not part_moments[:, outside].any()


@rules
def test_scalars_continue(case):
    """A run of batches gets the numbers that its batches would get one by one."""
    steps, rates = np.arange(7, 19), np.linspace(0.1, 0.2, 12)
    together = case.optimizer.scalars(steps, rates)
    for k in range(12):
        alone = case.optimizer.scalars(steps[k : k + 1], rates[k : k + 1])
        np.testing.assert_array_equal(alone[0], together[k])
    assert together.dtype == np.float64


@rules
def test_descent_hands_out_steps(case):
    descent = Descent.start(case.optimizer, Constant(), 0.5, np.zeros(4, "float32"))
    assert descent.moments.shape == (case.optimizer.n_moments, 4)
    assert descent.moments.dtype == np.float32
    first = descent.update(3)
    np.testing.assert_array_equal(
        first.scalars, case.optimizer.scalars(np.arange(1, 4), np.full(3, 0.5))
    )
    descent.step += 3
    np.testing.assert_array_equal(
        descent.update(2).scalars, case.optimizer.scalars(np.array([4, 5]), np.full(2, 0.5))
    )
    assert first.moments is descent.moments
    assert first.kernel_at == case.optimizer.kernel.address("float32")


@rules
def test_is_a_plain_value(case):
    assert clone(case.optimizer) == case.optimizer


def test_nan_gradient_shows():
    for case in OPTIMIZERS:
        theta, moments = np.ones(3), np.zeros((case.optimizer.n_moments, 3))
        scalars = case.optimizer.scalars(np.array([1]), np.array([0.1]))[0]
        case.optimizer.kernel(scalars, 1.0, 0, 3, theta, np.array([1.0, np.nan, 1.0]), moments)
        assert np.isnan(theta).tolist() == [False, True, False]


def test_base_asks_for_scalars():
    with pytest.raises(TypeError, match="Optimizer must define scalars"):
        Optimizer().scalars(np.array([1]), np.array([0.1]))
