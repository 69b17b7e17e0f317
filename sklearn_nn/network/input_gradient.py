"""Gradient of a network's raw output with respect to its input, in prediction mode.

Dropout is off and batch normalization uses running statistics, so that a row's output depends on
that row only.
"""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit.kernel import Kind, invoke, kernel
from sklearn_nn.jit.team import Team, share
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import is_stopped
from sklearn_nn.network.epoch_loop import (
    DATA,
    PROGRAM,
    TEAM,
    run_forward,
    run_gradient,
    run_prepare,
)
from sklearn_nn.network.program import (
    INPUT_WIDTH,
    OUTPUT_AT,
    OUTPUT_WIDTH,
    Program,
    allocate,
    contexts,
)
from sklearn_nn.network.source import Source, readonly

#: Rows per block in each thread, which take twice the memory of prediction.
ROWS = 64

_DIFFERENTIATE = Kind(
    "differentiate", True, **TEAM, **PROGRAM,
    order="const int64[:]", **DATA, seeds="const real[:,:]",
    theta="const real[:]", state="const real[:]",
    **dict.fromkeys(("work", "arenas", "darenas", "out"), "real[:,:]"),
)  # fmt: skip


@kernel(_DIFFERENTIATE)
def differentiate_rows(
    part, parts, sync, contexts, table, ends, capacity, order,
    gather_at, values, indices, indptr, seeds, theta, state, work, arenas, darenas, out,
):  # fmt: skip
    """Run all rows forward and back, a block at a time. Each part has its own rows and arenas."""
    ctx, scratch = row(contexts, part), row(work, part)
    arena, darena = row(arenas, part), row(darenas, part)
    lo, hi = share(order.size, part, parts, 1)
    alone, no_gradient = vector(sync, 0, 0), vector(darena, 0, 0)
    n_inputs, n_outputs = ends[INPUT_WIDTH], ends[OUTPUT_WIDTH]
    run_prepare(0, 1, ctx, table, theta, scratch)
    for start in range(lo, hi, capacity):
        if is_stopped(ctx):
            return
        n = min(hi - start, capacity)
        rows = vector(order, start, n)
        x = matrix(arena, 0, n, n_inputs)
        invoke(gather_at, (ctx, 0, 1, values, indices, indptr, rows, x))
        run_forward(0, 1, alone, ctx, table, capacity, n, theta, state, scratch, arena)
        dz = vector(darena, capacity * ends[OUTPUT_AT], n * n_outputs)
        seed = vector(seeds, start * n_outputs, n * n_outputs)
        for i in range(dz.size):
            dz[i] = seed[i]
        # Parameters get no gradient: the table has no weights kernels.
        run_gradient(
            0, 1, alone, ctx, table, capacity, n,
            theta, no_gradient, state, scratch, arena, darena,
        )  # fmt: skip
        dx = vector(darena, 0, n * n_inputs)
        found = vector(out, start * n_inputs, n * n_inputs)
        for i in range(dx.size):
            found[i] = dx[i]


def input_gradient(
    program: Program,
    theta: np.ndarray,
    state: np.ndarray,
    data: Source,
    seeds: np.ndarray,
    n_jobs: int = 1,
) -> np.ndarray:
    """Return the gradient of a weighted sum of raw outputs with respect to each row of the input.

    The program must be lowered with ``input_gradient=True`` and without a link. `seeds`, of shape
    (n_rows, n_raw_outputs), weights the raw outputs. The gradient, of shape (n_rows, n_features),
    does not depend on `n_jobs`.
    """
    dtype, n = program.dtype, data.n_rows
    out = np.empty((n, program.input_width), dtype=dtype)
    if not n:
        return out
    parts = max(1, min(n_jobs, -(-n // ROWS)))
    capacity = min(ROWS, -(-n // 16) * 16)
    work = allocate((parts, program.n_work), dtype)
    arenas, darenas = (allocate((parts, capacity * program.width), dtype) for _ in range(2))
    team, n_lengths = Team(parts), capacity if program.ragged else 0
    arguments = differentiate_rows.ordered(dict(
        contexts=contexts(
            parts, program.n_scratch, dtype, n_lengths=n_lengths, stop_at=team.stop_at
        ),
        table=program.table, ends=program.raw_ends, capacity=capacity,
        order=readonly(np.arange(n)), **data.arguments(dtype),
        seeds=readonly(np.ascontiguousarray(seeds, dtype=dtype)),
        theta=readonly(theta), state=readonly(state),
        work=work, arenas=arenas, darenas=darenas, out=out,
    ))  # fmt: skip
    team.run(differentiate_rows.compiled(dtype), *arguments, work=2 * n * program.cost)
    return out
