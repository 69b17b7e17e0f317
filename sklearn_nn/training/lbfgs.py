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
    """
    import scipy.optimize  # a tenth of a second that the other solvers need not spend

    order = np.arange(data.n_rows)
    trained = np.zeros(machine.theta.size, dtype=bool)
    for start, stop in machine.program.groups()[0]:
        trained[start:stop] = True
    nothing = Update(0, np.zeros((1, 1)), np.zeros((0, 0), dtype=machine.program.dtype))

    def loss_and_gradient(theta: np.ndarray) -> tuple[float, np.ndarray]:
        np.copyto(machine.theta, theta, casting="same_kind", where=trained)
        loss = machine.train(data, targets, order, data.n_rows, 0, 1, nothing)[0]
        return loss, np.where(trained, machine.grad, 0.0)

    options: dict[str, Any] = {"maxfun": max_fun, "maxiter": max_iter, "gtol": tol}
    result = scipy.optimize.minimize(
        loss_and_gradient,
        machine.theta.astype(np.float64),
        method="L-BFGS-B",
        jac=True,
        options=options,
        callback=_progress() if verbose else None,
    )
    np.copyto(machine.theta, result.x, casting="same_kind", where=trained)
    return result


def _progress() -> Any:
    from sklearn_nn.training.trainer import say

    iteration = 0

    def tell(intermediate_result: Any) -> None:
        nonlocal iteration
        iteration += 1
        say(f"Iteration {iteration}, loss = {intermediate_result.fun:.8f}")

    return tell
