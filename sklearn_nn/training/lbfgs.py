"""Full-batch training with scipy's L-BFGS-B on the flat parameter vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_nn.network.machine import Machine, Targets, Update
from sklearn_nn.network.source import Source


def minimize(
    machine: Machine,
    data: Source,
    targets: Targets,
    *,
    max_iter: int,
    max_fun: int,
    tol: float,
    verbose: bool = False,
) -> Any:
    """Minimise the loss over all rows; `machine.theta` becomes the solution.

    What is frozen is not touched; other factors on learning rates have no meaning here.

    Parameters
    ----------
    machine : Machine
        Of capacity `data.n_rows`.
    data, targets : Source, Targets
    max_iter, max_fun : int
        Most iterations and evaluations.
    tol : float
        Stop where no element of the gradient is larger.
    verbose : bool

    Returns
    -------
    result : scipy.optimize.OptimizeResult

    Raises
    ------
    KeyboardInterrupt
        If an interrupt came meanwhile. `machine.theta` is what the last iteration came to.
    """
    import scipy.optimize  # a tenth of a second that the other solvers need not spend

    from sklearn_nn.training.trainer import say

    order = np.arange(data.n_rows)
    trained = np.zeros(machine.theta.size, dtype=bool)
    for start, stop in machine.program.groups()[0]:
        trained[start:stop] = True
    nothing = Update(0, np.zeros((1, 1)), np.zeros((0, 0), dtype=machine.program.dtype))

    def loss_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        np.copyto(machine.theta, theta, casting="same_kind", where=trained)
        loss = machine.train(data, targets, order, data.n_rows, 0, 1, nothing)[0]
        return loss, np.where(trained, machine.grad, 0.0)

    iteration, reached = 0, machine.theta.astype(np.float64)

    def take_down(intermediate_result: Any) -> None:
        nonlocal iteration, reached
        iteration, reached = iteration + 1, intermediate_result.x.copy()
        if verbose:
            say(f"Iteration {iteration}, loss = {intermediate_result.fun:.8f}")

    options: dict[str, Any] = {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
    try:
        result = scipy.optimize.minimize(
            loss_and_gradient,
            reached,
            method="L-BFGS-B",
            jac=True,
            options=options,
            callback=take_down,
        )
        reached = result.x
    finally:  # what an interrupt finds is a step that is tried
        np.copyto(machine.theta, reached, casting="same_kind", where=trained)
    return result
