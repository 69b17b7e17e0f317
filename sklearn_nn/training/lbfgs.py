"""Full-batch training with scipy's L-BFGS-B on the flat parameter vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_nn.network.machine import Machine, Targets, Update
from sklearn_nn.network.source import Source


def minimize(
    machine: Machine, data: Source, targets: Targets, *,
    max_iter: int, max_fun: int, tol: float, verbose: bool = False,
) -> Any:  # fmt: skip
    """Minimize the loss over all rows; `machine.theta` becomes the solution.

    The machine's capacity is `data.n_rows`. Frozen parameters do not change; other factors on
    learning rates have no effect. Minimization ends after `max_iter` iterations, `max_fun`
    evaluations, or when no element of the gradient exceeds `tol`. Returns scipy's OptimizeResult.
    An interrupt raises KeyboardInterrupt and leaves the result of the last complete iteration.
    """
    import scipy.optimize  # takes a tenth of a second that other solvers do not need

    from sklearn_nn.training.trainer import say

    order = np.arange(data.n_rows)
    trained = np.zeros(machine.theta.size, dtype=bool)
    for start, stop in machine.program.groups()[0]:
        trained[start:stop] = True
    no_update = Update(0, np.zeros((1, 1)), np.zeros((0, 0), dtype=machine.program.dtype))

    def loss_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        np.copyto(machine.theta, theta, casting="same_kind", where=trained)
        losses = machine.train(
            data, targets, order, batch_size=data.n_rows, first=0, last=1, update=no_update
        )
        return losses[0], np.where(trained, machine.grad, 0.0)

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
