"""The drivers: jitted functions that execute a program's table without returning to Python.

`train_batches` runs a slice of an epoch, `predict_rows` any number of rows. All parts of a team
enter a driver together.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, invoke, kernel, real
from sklearn_nn.jit.team import barrier, share
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import PARTNER, STEP, owned_rows
from sklearn_nn.network.execution import run_forward, run_gradient, run_prepare
from sklearn_nn.network.step import ALPHA, descend, plain_sum

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


@njit(**INLINED_OPTIONS)
def _total_weight(weight: np.ndarray, rows: np.ndarray) -> float:
    """The batch's sum of sample weights; every part sums it for itself, in one order."""
    if weight.size == 0:
        return float(rows.size)
    total = 0.0
    for i in range(rows.size):
        total += weight[rows[i]]
    return total


@njit(**INLINED_OPTIONS)
def _mix_losses(
    part, parts, partner, scale, capacity, mixed_at,
    loss_at, options, target, weight, rows, partners, z, dz, losses, darena,
):  # fmt: skip
    """Of each row, add the share `partner` of its loss with the target of its partner.

    The partner of row i is row n - 1 - i. What is added is first written behind the slots, and
    behind the losses. Owners: rows of the batch.
    """
    lo, hi = owned_rows(z, part, parts)
    n, width = z.shape
    turned, others = vector(partners, 0, n), vector(losses, capacity, n)
    for i in range(lo, hi):
        turned[i] = rows[n - 1 - i]
    gradient = matrix(darena, capacity * mixed_at, n, width)
    invoke(
        loss_at,
        (part, parts, options, target, weight, turned, scale * partner, z, gradient, others),
    )
    for i in range(lo, hi):
        losses[i] += partner * (others[i] - losses[i])
        out, more = vector(dz, i * width, width), vector(gradient, i * width, width)
        for j in range(width):
            out[j] += more[j]


# Arguments that drivers share.
TEAM = {"part": "int64", "parts": "int64", "sync": "int64[:]"}
PROGRAM = {"table": "const int64[:,:]", "ends": "const int64[:]", "capacity": "int64"}
DATA = {"gather_at": "int64", "values": "const real[:]"}
DATA |= {"indices": "const int64[:]", "indptr": "const int64[:]"}
_TARGETS = {"loss_at": "int64", "options": "const float64[:]"}
_TARGETS |= {"target": "const real[:,:]", "weight": "const real[:]"}
_TRAIN = Kind(
    "train",
    True,
    **TEAM,
    contexts="int64[:,:]",
    **PROGRAM,
    batch_size="int64",
    first="int64",
    last="int64",
    order="const int64[:]",
    **DATA,
    **_TARGETS,
    settings="const float64[:]",
    groups="const int64[:,:]",
    factors="const float64[:,:]",
    matrices="const int64[:,:]",
    update_at="int64",
    decays="const float64[:]",
    scalars="const float64[:,:]",
    **dict.fromkeys(("theta", "grad", "state", "work", "arena", "darena"), "real[:]"),
    moments="real[:,:]",
    average="real[:]",
    losses="float64[:]",
    partners="int64[:]",
    penalties="float64[:]",
    norms="float64[:]",
    batch_losses="float64[:]",
)
_PREDICT = Kind(
    "predict",
    True,
    **TEAM,
    contexts="int64[:,:]",
    **PROGRAM,
    order="const int64[:]",
    **DATA,
    **_TARGETS,
    theta="const real[:]",
    state="const real[:]",
    work="real[:,:]",
    arenas="real[:,:]",
    out="real[:,:]",
    losses="float64[:]",
)


@kernel(_TRAIN)
def train_batches(
    part, parts, sync, contexts, table, ends, capacity, batch_size, first, last, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    settings, groups, factors, matrices, update_at, decays, scalars,
    theta, grad, state, work, arena, darena, moments, average,
    losses, partners, penalties, norms, batch_losses,
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
        run_prepare(part, parts, ctx, table, theta, work)
        x = matrix(arena, 0, n, ends[0])
        invoke(gather_at, (part, parts, values, indices, indptr, rows, x))
        run_forward(part, parts, sync, ctx, table, capacity, n, theta, state, work, arena)
        z = matrix(arena, capacity * ends[1], n, ends[2])
        dz = matrix(darena, capacity * ends[1], n, ends[2])
        partner = real(ctx[PARTNER])
        own = scale * (1.0 - partner)
        invoke(loss_at, (part, parts, options, target, weight, rows, own, z, dz, losses))
        if partner > 0:
            _mix_losses(
                part, parts, partner, scale, capacity, ends[3],
                loss_at, options, target, weight, rows, partners, z, dz, losses, darena,
            )  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] = scale * plain_sum(vector(losses, 0, n))
        run_gradient(
            part, parts, sync, ctx, table, capacity, n,
            theta, grad, state, work, arena, darena,
        )  # fmt: skip
        barrier(sync, parts)
        descend(
            part, parts, sync, settings, settings[ALPHA] * scale, groups, factors, matrices,
            ctx[STEP] == 0, update_at, decays[b - first], row(scalars, b - first),
            theta, grad, moments, average, penalties, norms,
        )  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] += plain_sum(penalties)


@kernel(_PREDICT)
def predict_rows(
    part, parts, sync, contexts, table, ends, capacity, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    theta, state, work, arenas, out, losses,
):  # fmt: skip
    """Run rows `order` forward, a block at a time, and take their losses if there is a loss.

    Each part has its own rows and its own arena.
    """
    ctx, arena, scratch = row(contexts, part), row(arenas, part), row(work, part)
    lo, hi = share(order.size, part, parts, 1)
    alone = vector(sync, 0, 0)
    for start in range(lo, hi, capacity):
        n = min(hi - start, capacity)
        rows = vector(order, start, n)
        x = matrix(arena, 0, n, ends[0])
        invoke(gather_at, (0, 1, values, indices, indptr, rows, x))
        run_forward(0, 1, alone, ctx, table, capacity, n, theta, state, scratch, arena)
        y = vector(arena, capacity * ends[1], n * ends[2])
        found = vector(out, start * ends[2], n * ends[2])
        for i in range(y.size):
            found[i] = y[i]
        if loss_at != 0:
            z = matrix(arena, capacity * ends[3], n, ends[4])
            # The gradient that comes with the loss is not wanted: it goes behind the slots.
            dz = matrix(arena, capacity * ends[5], n, ends[4])
            taken = vector(losses, start, n)
            invoke(loss_at, (0, 1, options, target, weight, rows, 1.0, z, dz, taken))
