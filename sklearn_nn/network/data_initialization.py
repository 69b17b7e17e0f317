"""Parameters that training data sets, after they have been drawn and before training."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sklearn_nn.network.machine import predict
from sklearn_nn.network.program import Program
from sklearn_nn.network.source import Source

#: Rows of the data that parameters are set by, at most.
MOST_ROWS = 10_000


def adapt(
    program: Program,
    theta: np.ndarray,
    state: np.ndarray,
    data: Source,
    rng: np.random.RandomState,
    *,
    kept: Collection[str] = (),
    n_jobs: int = 1,
) -> None:
    """Let layers that adapt set their parameters by data, from the first to the last.

    Each sees what it makes of the data itself, behind layers that have been set before. Nothing is
    drawn from `rng` if there are no such layers, and the result does not depend on `n_jobs`.

    Parameters
    ----------
    program : Program
    theta : ndarray of shape (n_theta,)
        Changed in place.
    state : ndarray of shape (n_state,)
    data : Source
        Training data. Of more than `MOST_ROWS` rows, so many are drawn.
    rng : RandomState
    kept : collection of str
        Full names of layers that are left as they are.
    n_jobs : int
    """
    layers = [(name, layer) for name, layer in program.adapting if name not in kept]
    if not layers:
        return
    rows = np.arange(data.n_rows)
    if rows.size > MOST_ROWS:
        rows = np.sort(rng.choice(rows.size, MOST_ROWS, replace=False))
    for name, layer in layers:
        outputs = predict(program.cut(name), theta, state, data, rows, n_jobs)
        found = {key: placed.view(theta) for key, placed in program.layers[name].items()}
        layer.adapt(rng, outputs.astype(np.float64), found)
