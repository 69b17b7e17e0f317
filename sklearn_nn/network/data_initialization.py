"""Data-dependent initialization: layers set parameters from training data before training."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from sklearn_nn.network.machine import predict
from sklearn_nn.network.program import Program
from sklearn_nn.network.source import Source

#: Largest number of rows used.
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
    """Let layers with data-dependent initialization set their parameters in `theta`, in order.

    Each layer sees its own output on the data, behind layers that have been set before, except
    those named in `kept`. Of more than `MOST_ROWS` rows a sample is drawn. Without such layers
    nothing is drawn from `rng`. The result does not depend on `n_jobs`.
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
