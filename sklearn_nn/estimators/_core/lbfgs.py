"""Training on all samples at once, by scipy's L-BFGS."""

from __future__ import annotations

import warnings

from sklearn_nn.estimators._core import transfer
from sklearn_nn.estimators._core.automatic import settle
from sklearn_nn.estimators._core.callbacks import tell_network
from sklearn_nn.estimators._core.parts import warn


class Minimization:
    """Training by L-BFGS that is ready to begin; ValueError if the parameters exclude it."""

    def __init__(self, fit, request):
        est = fit.estimator
        _check(fit, request)
        settle(est, request.source.n_rows)
        self._fit, self._result = fit, None
        self._machine, self._loss = fit.loss_over_all(request)

    def run(self):
        """Train."""
        from sklearn_nn.training.lbfgs import minimize

        est = self._fit.estimator
        self._fit.begin_subtasks(0)
        if est.verbose:
            tell_network(est)
        self._result = minimize(
            self._machine, self._loss, max_iter=est._setting("max_iter"), max_fun=est.max_fun,
            tol=est.tol, verbose=bool(est.verbose),
        )  # fmt: skip
        est.loss_ = float(self._result.fun)

    def skip(self, random_state, until):
        """Draw nothing, as training does."""

    def conclude(self, fit):
        """Tell how the training ended."""
        from sklearn.utils.optimize import _check_optimize_result

        est = fit.estimator
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            est.n_iter_ = _check_optimize_result("lbfgs", self._result, est._setting("max_iter"))
        for warning in told:  # at the user's line
            warn(str(warning.message), warning.category)


def _check(fit, request):
    """Raise ValueError if a parameter excludes L-BFGS."""
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
