"""The drivers: jitted functions that execute a program's table without returning to Python.

`train_batches` runs a slice of an epoch, `predict_rows` any number of rows. All parts of a team
enter a driver together. Rows of a batch have one owner from the gather to the loss and back, so
only steps that change owner need a barrier.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, invoke, kernel
from sklearn_nn.jit.team import barrier, share
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import STEP, owned_rows
from sklearn_nn.network.program import (
    BACKWARD_AT,
    DX_AT,
    FORWARD_AT,
    GEOMETRY,
    PREPARE_AT,
    STATE_AT,
    STATE_SIZE,
    TABLE_WIDTH,
    THETA_AT,
    THETA_SIZE,
    WEIGHTS_AT,
    WORK_AT,
    WORK_SIZE,
    X_AT,
    X_WIDTH,
    Y_AT,
    Y_WIDTH,
)

#: Elements of `theta` that are penalised and updated at a time; threads own whole chunks.
CHUNK = 4096

LOSS = Kind(
    "loss",
    part="int64",
    parts="int64",
    options="const float64[:]",
    target="const real[:,:]",
    weight="const real[:]",
    rows="const int64[:]",
    scale="float64",
    z="real[:,:]",
    dz="real[:,:]",
    losses="float64[:]",
)
UPDATE = Kind(
    "update",
    scalars="const float64[:]",
    rate="float64",
    lo="int64",
    hi="int64",
    theta="real[:]",
    grad="real[:]",
    state="real[:,:]",
)


@njit(**INLINED_OPTIONS)
def _forward(part, parts, ctx, table, capacity, rows, theta, state, work, arena):
    """Run the forward kernels of a table on one batch."""
    for k in range(table.shape[0]):
        op = row(table, k)
        arguments = (
            ctx,
            vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY),
            part,
            parts,
            vector(theta, op[THETA_AT], op[THETA_SIZE]),
            vector(state, op[STATE_AT], op[STATE_SIZE]),
            vector(work, op[WORK_AT], op[WORK_SIZE]),
            matrix(arena, capacity * op[X_AT], rows, op[X_WIDTH]),
            matrix(arena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
        )
        invoke(op[FORWARD_AT], arguments)


@njit(**INLINED_OPTIONS)
def _prepare(part, parts, ctx, table, theta, work):
    """Run the prepare kernels: they need the parameters only."""
    for k in range(table.shape[0]):
        op = row(table, k)
        if op[PREPARE_AT] != 0:
            parameters = vector(theta, op[THETA_AT], op[THETA_SIZE])
            scratch = vector(work, op[WORK_AT], op[WORK_SIZE])
            invoke(
                op[PREPARE_AT],
                (
                    ctx,
                    vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY),
                    part,
                    parts,
                    parameters,
                    scratch,
                ),
            )


@njit(**INLINED_OPTIONS)
def _add_rows(part, parts, dx, extra):
    """dx += extra: a slot read by two instructions gets the sum of two gradients."""
    lo, hi = owned_rows(dx, part, parts)
    for i in range(lo, hi):
        for j in range(dx.shape[1]):
            dx[i, j] += extra[i, j]


@njit(**INLINED_OPTIONS)
def _gradient(
    part, parts, ctx, table, column, capacity, rows, theta, grad, state, work, arena, darena
):
    """Run the backward or the weights kernels (by `column`) from last to first."""
    for k in range(table.shape[0] - 1, -1, -1):
        op = row(table, k)
        if op[column] == 0:
            continue
        arguments = (
            ctx,
            vector(op, GEOMETRY, TABLE_WIDTH - GEOMETRY),
            part,
            parts,
            vector(theta, op[THETA_AT], op[THETA_SIZE]),
            vector(grad, op[THETA_AT], op[THETA_SIZE]),
            vector(state, op[STATE_AT], op[STATE_SIZE]),
            vector(work, op[WORK_AT], op[WORK_SIZE]),
            matrix(arena, capacity * op[X_AT], rows, op[X_WIDTH]),
            matrix(arena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
            matrix(darena, capacity * op[DX_AT], rows, op[X_WIDTH]),
            matrix(darena, capacity * op[Y_AT], rows, op[Y_WIDTH]),
        )
        invoke(op[column], arguments)
        if column == BACKWARD_AT and op[DX_AT] != op[X_AT]:
            dx = matrix(darena, capacity * op[X_AT], rows, op[X_WIDTH])
            _add_rows(part, parts, dx, matrix(darena, capacity * op[DX_AT], rows, op[X_WIDTH]))


@njit(**{**HELPER_OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})
def _sum_of_squares(values: np.ndarray) -> float:
    """Sum of squares. The compiler may order it, but orders equal lengths equally."""
    total = values.dtype.type(0)
    for i in range(values.size):
        total += values[i] * values[i]
    return total


@njit(**INLINED_OPTIONS)
def _penalize(lo, hi, spans, factors, strength, theta, grad):
    """Add the L2 penalty's gradient within [lo, hi); returns the penalty there.

    The penalty is strength / 2 * factor * sum of squares, span by span.
    """
    total = 0.0
    for k in range(spans.shape[0]):
        start, stop = max(lo, spans[k, 0]), min(hi, spans[k, 1])
        if start >= stop:
            continue
        w, g = vector(theta, start, stop - start), vector(grad, start, stop - start)
        scale = w.dtype.type(strength * factors[k])
        for i in range(w.size):
            g[i] += scale * w[i]
        total += 0.5 * strength * factors[k] * _sum_of_squares(w)
    return total


@njit(**INLINED_OPTIONS)
def _step(
    part,
    parts,
    decay,
    decay_factors,
    strength,
    rates,
    rate_factors,
    update_at,
    scalars,
    theta,
    grad,
    moments,
    penalties,
):
    """Penalise and update the parameters, chunk by chunk. Owners: chunks of theta."""
    first, last = share(penalties.size, part, parts, 1)
    for chunk in range(first, last):
        lo, hi = chunk * CHUNK, min(theta.size, (chunk + 1) * CHUNK)
        penalties[chunk] = 0.0
        if strength > 0:
            penalties[chunk] = _penalize(lo, hi, decay, decay_factors, strength, theta, grad)
        if update_at == 0:
            continue
        for k in range(rates.shape[0]):
            start, stop = max(lo, rates[k, 0]), min(hi, rates[k, 1])
            if start < stop:
                arguments = (scalars, rate_factors[k], start, stop, theta, grad, moments)
                invoke(update_at, arguments)


@njit(**HELPER_OPTIONS)
def _sum(values: np.ndarray) -> float:
    """Sum from first to last."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@njit(**INLINED_OPTIONS)
def _total_weight(weight: np.ndarray, rows: np.ndarray) -> float:
    """The batch's sum of sample weights; every part sums it for itself, in one order."""
    if weight.size == 0:
        return float(rows.size)
    total = 0.0
    for i in range(rows.size):
        total += weight[rows[i]]
    return total


_SPANS = {"decay": "const int64[:,:]", "decay_factors": "const float64[:]"}
_SPANS |= {"rates": "const int64[:,:]", "rate_factors": "const float64[:]"}
_DATA = {"gather_at": "int64", "values": "const real[:]"}
_DATA |= {"indices": "const int64[:]", "indptr": "const int64[:]"}
_TRAIN = Kind(
    "train",
    True,
    part="int64",
    parts="int64",
    sync="int64[:]",
    contexts="int64[:,:]",
    table="const int64[:,:]",
    ends="const int64[:]",
    capacity="int64",
    batch_size="int64",
    first="int64",
    last="int64",
    order="const int64[:]",
    **_DATA,
    loss_at="int64",
    options="const float64[:]",
    target="const real[:,:]",
    weight="const real[:]",
    alpha="float64",
    **_SPANS,
    update_at="int64",
    scalars="const float64[:,:]",
    **dict.fromkeys(("theta", "grad", "state", "work", "arena", "darena"), "real[:]"),
    moments="real[:,:]",
    losses="float64[:]",
    penalties="float64[:]",
    batch_losses="float64[:]",
)
_PREDICT = Kind(
    "predict",
    True,
    part="int64",
    parts="int64",
    sync="int64[:]",
    contexts="int64[:,:]",
    table="const int64[:,:]",
    ends="const int64[:]",
    capacity="int64",
    order="const int64[:]",
    **_DATA,
    theta="const real[:]",
    state="const real[:]",
    work="real[:,:]",
    arenas="real[:,:]",
    out="real[:,:]",
)


@kernel(_TRAIN)
def train_batches(
    part, parts, sync, contexts, table, ends, capacity, batch_size, first, last, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    alpha, decay, decay_factors, rates, rate_factors, update_at, scalars,
    theta, grad, state, work, arena, darena, moments, losses, penalties, batch_losses,
):  # fmt: skip
    """Train on batches first to last (exclusive) of an epoch, whose row numbers `order` gives."""
    ctx = row(contexts, part)
    step = ctx[STEP]
    for b in range(first, last):
        n = min(order.size - b * batch_size, batch_size)
        rows = vector(order, b * batch_size, n)
        ctx[STEP] = step + b - first
        total = _total_weight(weight, rows)
        scale = 1.0 / total if total > 0 else 0.0
        _prepare(part, parts, ctx, table, theta, work)
        x = matrix(arena, 0, n, ends[0])
        invoke(gather_at, (part, parts, values, indices, indptr, rows, x))
        _forward(part, parts, ctx, table, capacity, n, theta, state, work, arena)
        z = matrix(arena, capacity * ends[1], n, ends[2])
        dz = matrix(darena, capacity * ends[1], n, ends[2])
        invoke(loss_at, (part, parts, options, target, weight, rows, scale, z, dz, losses))
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] = scale * _sum(vector(losses, 0, n))
        for column in (BACKWARD_AT, WEIGHTS_AT):
            _gradient(
                part, parts, ctx, table, column, capacity, n,
                theta, grad, state, work, arena, darena,
            )  # fmt: skip
            barrier(sync, parts)
        _step(
            part, parts, decay, decay_factors, alpha * scale, rates, rate_factors,
            update_at, row(scalars, b - first), theta, grad, moments, penalties,
        )  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] += _sum(penalties)


@kernel(_PREDICT)
def predict_rows(
    part, parts, sync, contexts, table, ends, capacity, order,
    gather_at, values, indices, indptr, theta, state, work, arenas, out,
):  # fmt: skip
    """Run rows `order` forward, a block at a time. Each part has its own rows and its own arena."""
    ctx, arena, scratch = row(contexts, part), row(arenas, part), row(work, part)
    lo, hi = share(order.size, part, parts, 1)
    for start in range(lo, hi, capacity):
        n = min(hi - start, capacity)
        rows = vector(order, start, n)
        x = matrix(arena, 0, n, ends[0])
        invoke(gather_at, (0, 1, values, indices, indptr, rows, x))
        _forward(0, 1, ctx, table, capacity, n, theta, state, scratch, arena)
        y = matrix(arena, capacity * ends[1], n, ends[2])
        for i in range(n):
            for j in range(ends[2]):
                out[start + i, j] = y[i, j]
