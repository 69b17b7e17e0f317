"""Full-batch training with scipy's L-BFGS-B on the flat parameter vector."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sklearn_nn.network.machine import Machine, Targets, Update
from sklearn_nn.network.source import Source


def no_update(dtype: str) -> Update:
    """Return an update that computes the gradient and changes nothing."""
    return Update(0, np.zeros((1, 1)), np.zeros((0, 0), dtype=dtype))


def on_all_rows(machine: Machine, data: Source, targets: Targets) -> Callable[[], float]:
    """Return a function that writes the gradient over all rows to `machine.grad`; see `minimize`.

    The machine's capacity is `data.n_rows`.
    """
    order, update = np.arange(data.n_rows), no_update(machine.program.dtype)

    def loss() -> float:
        n = data.n_rows
        return float(
            machine.train(data, targets, order, batch_size=n, first=0, last=1, update=update)[0]
        )

    return loss


def minimize(
    machine: Machine, loss: Callable[[], float], *,
    max_iter: int, max_fun: int, tol: float, verbose: bool = False,
) -> Any:  # fmt: skip
    """Minimize a loss; `machine.theta` becomes the solution.

    `loss` returns the loss, and its gradient in `machine.grad`, of the parameters `machine.theta`.
    Frozen parameters do not change; other factors on learning rates have no effect. Minimization
    ends after `max_iter` iterations, `max_fun` evaluations, or when no element of the gradient
    exceeds `tol`. Returns scipy's OptimizeResult. An interrupt raises KeyboardInterrupt and leaves
    the result of the last complete iteration.
    """
    import scipy.optimize  # takes a tenth of a second that other solvers do not need

    from sklearn_nn.training.trainer import say

    trained = np.zeros(machine.theta.size, dtype=bool)
    for start, stop in machine.program.groups()[0]:
        trained[start:stop] = True

    def loss_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        np.copyto(machine.theta, theta, casting="same_kind", where=trained)
        return loss(), np.where(trained, machine.grad, 0.0)

    iteration, reached = 0, machine.theta.astype(np.float64)

    def record(intermediate_result: Any) -> None:
        nonlocal iteration, reached
        iteration, reached = iteration + 1, intermediate_result.x.copy()
        if verbose:
            say(f"Iteration {iteration}, loss = {intermediate_result.fun:.8f}")

    options = {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
    method: dict[str, Any] = {"method": "L-BFGS-B", "jac": True, "options": options}
    try:
        result = scipy.optimize.minimize(loss_and_gradient, reached, callback=record, **method)
        reached = result.x
    finally:  # after an interrupt theta holds a trial step of the line search
        np.copyto(machine.theta, reached, casting="same_kind", where=trained)
    return result
