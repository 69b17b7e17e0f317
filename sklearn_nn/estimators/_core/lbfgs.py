"""Training on all samples at once, by scipy's L-BFGS."""

from __future__ import annotations

import functools
import warnings

from sklearn_nn.estimators._core import transfer
from sklearn_nn.estimators._core.automatic import settle
from sklearn_nn.estimators._core.callbacks import tell_network
from sklearn_nn.estimators._core.parts import warn


def prepared(fit, request):
    """Return a function that trains by L-BFGS; raise ValueError if the parameters exclude it."""
    est = fit.estimator
    if fit.callbacks():
        raise ValueError(
            f"callbacks={est.callbacks} are called after epochs, which solver='lbfgs' does not "
            "have; use solver='adam', for example, or callbacks=None."
        )
    for name in ("clipnorm", "max_norm", "weight_decay", "ema_momentum"):
        if getattr(est, name) not in (0, None, getattr(type(est), name)):
            raise ValueError(
                f"{name}={getattr(est, name)} acts on steps of a first-order solver; use "
                f"solver='adam', for example, or {name}=0 with solver='lbfgs'."
            )
    transfer.check_frozen_or_not(request.program, est.learning_rate_factors)
    if est.l1_ratio and est.alpha:
        raise ValueError(
            f"l1_ratio={est.l1_ratio} adds a penalty that is not differentiable at 0, which "
            "solver='lbfgs' does not support; use solver='adam', for example, or l1_ratio=0."
        )
    settle(est, request.source.n_rows)
    machine = fit.machine(request.program, request.source.n_rows)
    targets = est._codec.loss.targets(request.target, request.weight, request.program.dtype)
    return functools.partial(_run, fit, machine, request.source, targets)


def _run(fit, machine, data, targets):
    from sklearn.utils.optimize import _check_optimize_result

    from sklearn_nn.training.lbfgs import minimize

    est = fit.estimator
    fit.begin_subtasks(0)
    if est.verbose:
        tell_network(est)
    max_iter = est._setting("max_iter")
    limits = {"max_iter": max_iter, "max_fun": est.max_fun, "tol": est.tol}
    result = minimize(machine, data, targets, **limits, verbose=bool(est.verbose))
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        est.n_iter_ = _check_optimize_result("lbfgs", result, max_iter)
    for warning in told:  # at the user's line
        warn(str(warning.message), warning.category)
    est.loss_ = float(result.fun)
