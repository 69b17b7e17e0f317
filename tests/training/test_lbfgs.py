"""L-BFGS on the flat vector: known minima, limits, progress."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from helpers.layer_cases.custom_layers import Grouped
from helpers.layer_cases.vectors import activation, dense
from helpers.loss_cases import LOSSES, sample
from helpers.parametrize import DTYPES
from helpers.programs import build, draw_theta, no_state
from sklearn_nn.network.machine import Machine
from sklearn_nn.network.source import source
from sklearn_nn.training.lbfgs import minimize, on_all_rows
from sklearn_nn.training.losses import SigmoidLogLoss, SquaredError

BY_NAME = {case.name: case for case in LOSSES}


def solve(program, X, targets, *, alpha=0.0, n_jobs=1, **options):
    """The result, and the parameters it leaves in the machine."""
    theta = draw_theta(program, np.random.default_rng(7), 0.1)
    machine = Machine(program, theta, no_state(program), len(X), alpha=alpha, n_jobs=n_jobs)
    limits = {"max_iter": 1000, "max_fun": 10_000, "tol": 1e-9} | options
    loss = on_all_rows(machine, source(X, program.dtype), targets)
    return minimize(machine, loss, **limits), theta


def test_linear_regression_is_ridge(rng):
    X, y, weight = sample(rng, BY_NAME["squared_error"], 60, 5)
    program = build([dense(1)], 5, "float64", SquaredError())
    targets = SquaredError().targets(y, weight, "float64")
    result, theta = solve(program, X, targets, alpha=0.8)
    exact = Ridge(alpha=0.8, tol=1e-12).fit(X, y[:, 0], weight)
    kernel, bias = (placed.view(theta) for placed in program.parameters)
    np.testing.assert_allclose(kernel[:, 0], exact.coef_, atol=1e-5)
    np.testing.assert_allclose(bias[0], exact.intercept_, atol=1e-5)
    assert result.success
    np.testing.assert_array_equal(theta, result.x)


def test_one_logistic_unit_is_logistic_regression(rng):
    X, y, _ = sample(rng, BY_NAME["binary"], 80, 4)
    program = build([dense(1)], 4, "float64", SigmoidLogLoss())
    targets = SigmoidLogLoss().targets(y, None, "float64")
    result, theta = solve(program, X, targets, alpha=0.5)
    exact = LogisticRegression(C=2.0, tol=1e-10, max_iter=1000).fit(X, y[:, 0])
    kernel, bias = (placed.view(theta) for placed in program.parameters)
    np.testing.assert_allclose(kernel[:, 0], exact.coef_[0], atol=1e-4)
    np.testing.assert_allclose(bias, exact.intercept_, atol=1e-4)
    assert np.abs(result.jac).max() < 1e-4


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_network_fits(dtype, rng):
    X, y, _ = sample(rng, BY_NAME["multiclass"], 40, 4, dtype)
    case = BY_NAME["multiclass"]
    program = build([dense(15), activation("tanh"), dense(3)], 4, dtype, case.loss)
    result, theta = solve(program, X, case.loss.targets(y, None, dtype), tol=1e-4)
    assert result.fun < 0.05
    assert theta.dtype == dtype
    assert np.isfinite(theta).all()


def test_does_not_depend_on_n_jobs(rng):
    X, y, _ = sample(rng, BY_NAME["multiclass"], 50, 4)
    case = BY_NAME["multiclass"]
    program = build([dense(9), activation("tanh"), dense(3)], 4, "float64", case.loss)
    targets = case.loss.targets(y, None, "float64")
    alone = solve(program, X, targets, max_iter=20)[1]
    for n_jobs in (2, 3):
        team = solve(program, X, targets, max_iter=20, n_jobs=n_jobs)[1]
        np.testing.assert_array_equal(team, alone)


def test_limits_and_progress(rng, capsys):
    X, y, _ = sample(rng, BY_NAME["multiclass"], 50, 4)
    case = BY_NAME["multiclass"]
    program = build([dense(9), activation("tanh"), dense(3)], 4, "float64", case.loss)
    targets = case.loss.targets(y, None, "float64")
    result, _ = solve(program, X, targets, max_iter=3)
    assert result.nit == 3
    assert not result.success
    result, _ = solve(program, X, targets, max_fun=5)
    assert 5 <= result.nfev <= 30
    assert capsys.readouterr().out == ""
    result, _ = solve(program, X, targets, max_iter=4, verbose=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 4
    assert lines[-1] == f"Iteration 4, loss = {result.fun:.8f}"


@pytest.mark.parametrize("dtype", DTYPES)
def test_frozen_parameters_are_not_touched(dtype, rng):
    """A kernel whose bias is trained has a gradient, which must not count; the rest is solved."""
    X, y, weight = sample(rng, BY_NAME["squared_error"], 60, 5, dtype)
    loss = SquaredError()
    program = build([Grouped(1, {"kernel": {"rate": 0.0}})], 5, dtype, loss)
    start = draw_theta(program, np.random.default_rng(7), 0.1)
    _, theta = solve(program, X, loss.targets(y, weight, dtype), tol=1e-7)
    kernel, bias = (placed.view(theta) for placed in program.parameters)
    np.testing.assert_array_equal(kernel, program.parameters[0].view(start))
    mean = np.average((y - X @ kernel)[:, 0], weights=weight)
    np.testing.assert_allclose(bias, mean, rtol=1e-4)
    assert bias != program.parameters[1].view(start)
