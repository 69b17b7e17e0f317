"""Interpreter that runs the kernels of a program's table in order, on one batch.

Rows of a batch have one owner from the gather to the loss and back, so that instructions need no
barrier. Only kernels that sum over the batch stand between two barriers.

Before each kernel a part tests whether to stop; it then skips the kernels but not the barriers,
until all parts agree. A long kernel is called several times as one of more parts, each call for
some of what the part owns, with the same result.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import invoke
from sklearn_nn.jit.team import barrier
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import ROW_GRAIN, is_stopped, owned_rows
from sklearn_nn.network.program import (
    BACKWARD_AT,
    BACKWARD_SUMS_AT,
    DX_AT,
    DX_WIDTH,
    FORWARD_AT,
    FORWARD_SUMS_AT,
    GEOMETRY,
    PREPARE_AT,
    ROW_COST,
    STATE_AT,
    STATE_SIZE,
    TABLE_WIDTH,
    THETA_AT,
    THETA_SIZE,
    WEIGHTS_AT,
    WEIGHTS_COST,
    WORK_AT,
    WORK_SIZE,
    X_AT,
    X_WIDTH,
    Y_AT,
    Y_WIDTH,
)

#: Most multiplications and additions of one call of a kernel: a tenth of a second or two. Weights
#: kernels have twice as many, since each call reads all rows.
_CALL = 2**31


@njit(**INLINED_OPTIONS)
def calls_by_row(rows, cost, parts):
    """Return the number of calls in which a part computes its rows of a batch."""
    return max(1, min(rows * cost // (_CALL * parts), rows // (ROW_GRAIN * parts)))


@njit(**INLINED_OPTIONS)
def _calls(rows, op, parts):
    """Return the number of calls in which a part computes sums over a batch."""
    # Those of a recurrence mostly wait for memory.
    cost = op[WEIGHTS_COST] * (16 if op[ROW_COST] == 0 else 1)
    return max(1, rows * cost // (2 * _CALL * parts))


@njit(**INLINED_OPTIONS)
def run_forward(part, parts, sync, ctx, table, capacity, rows, theta, state, work, arena):
    """Run the forward kernels of a table on one batch; with `sync`, their sums too."""
    for k in range(table.shape[0]):
        op = row(table, k)
        geometry = vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY)
        operands = (
            vector(theta, op[THETA_AT], op[THETA_SIZE]),
            vector(state, op[STATE_AT], op[STATE_SIZE]),
            vector(work, op[WORK_AT], op[WORK_SIZE]),
            matrix(arena, capacity * op[X_AT], rows, op[X_WIDTH]),
            matrix(arena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
        )
        sums = op[FORWARD_SUMS_AT] if sync.size else 0
        for stage in range(2):
            if sums != 0:
                barrier(sync, parts)
            address, calls = sums, _calls(rows, op, parts)
            if stage == 1:
                address, calls = op[FORWARD_AT], calls_by_row(rows, op[ROW_COST], parts)
            for call in range(calls if address != 0 else 0):
                if is_stopped(ctx):
                    break
                invoke(address, (ctx, geometry, part * calls + call, parts * calls, *operands))


@njit(**INLINED_OPTIONS)
def run_prepare(part, parts, ctx, table, theta, work):
    """Run the prepare kernels, which read parameters only."""
    for k in range(table.shape[0]):
        op = row(table, k)
        if op[PREPARE_AT] != 0:
            arguments = (
                ctx,
                vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY),
                part,
                parts,
                vector(theta, op[THETA_AT], op[THETA_SIZE]),
                vector(work, op[WORK_AT], op[WORK_SIZE]),
            )
            invoke(op[PREPARE_AT], arguments)


@njit(**INLINED_OPTIONS)
def _add_rows(part, parts, dx, extra):
    """Add extra to dx: a slot read by two instructions gets the sum of two gradients."""
    lo, hi = owned_rows(dx, part, parts)
    for i in range(lo, hi):
        for j in range(dx.shape[1]):
            dx[i, j] += extra[i, j]


@njit(**INLINED_OPTIONS)
def run_gradient(
    part, parts, sync, ctx, table, capacity, rows, theta, grad, state, work, arena, darena
):
    """Run the backward kernels from last to first, then, after a barrier, the weights kernels.

    As in `run_forward`, sums over the batch are run only with `sync`.
    """
    n = table.shape[0]
    for k in range(2 * n - 1, -1, -1):
        backward = k >= n
        if k == n - 1:
            barrier(sync, parts)
        op = row(table, k - n if backward else k)
        geometry = vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY)
        operands = (
            vector(theta, op[THETA_AT], op[THETA_SIZE]),
            vector(grad, op[THETA_AT], op[THETA_SIZE]),
            vector(state, op[STATE_AT], op[STATE_SIZE]),
            vector(work, op[WORK_AT], op[WORK_SIZE]),
            matrix(arena, capacity * op[X_AT], rows, op[X_WIDTH]),
            matrix(arena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
            matrix(darena, capacity * op[DX_AT], rows, op[DX_WIDTH]),
            matrix(darena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
        )
        sums = op[BACKWARD_SUMS_AT] if backward and sync.size else 0
        for stage in range(2):
            if sums != 0:
                barrier(sync, parts)
            address, calls = sums, _calls(rows, op, parts)
            if stage == 1:
                address = op[BACKWARD_AT] if backward else op[WEIGHTS_AT]
                if backward:
                    calls = calls_by_row(rows, op[ROW_COST], parts)
            for call in range(calls if address != 0 else 0):
                if is_stopped(ctx):
                    break
                invoke(address, (ctx, geometry, part * calls + call, parts * calls, *operands))
        if backward and op[BACKWARD_AT] != 0 and op[DX_AT] != op[X_AT]:
            dx = matrix(darena, capacity * op[X_AT], rows, op[X_WIDTH])
            _add_rows(part, parts, dx, matrix(darena, capacity * op[DX_AT], rows, op[X_WIDTH]))
