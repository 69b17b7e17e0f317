"""The drivers: jitted functions that execute a program's table without returning to Python.

`train_batches` runs a slice of an epoch, `predict_rows` any number of rows. All parts of a team
enter a driver together. Once they are to stop (see `Team.stop_at`), they leave together: training
with all of a batch or nothing of it, prediction with rows left out.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, invoke, kernel, real
from sklearn_nn.jit.team import agree_to_stop, barrier, share
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import CONTINUES, PARTNER, PROGRESS, STEP, is_stopped, owned_rows
from sklearn_nn.network.interpreter import calls_by_row, run_forward, run_gradient, run_prepare
from sklearn_nn.network.parameter_update import ALPHA, descend, plain_sum

#: What a number gathered, or a raw output's loss, costs: in multiplications and additions.
_GATHER_COST, _LOSS_COST = 16, 64

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
def _total_weight(weight: np.ndarray, rows: np.ndarray, steps: int) -> float:
    """The batch's sum of targets' weights; every part sums it for itself, in one order."""
    if weight.size == 0:
        return float(rows.size * steps)
    total = 0.0
    for i in range(rows.size):
        for t in range(steps):
            total += weight[rows[i] * steps + t]
    return total


@njit(**INLINED_OPTIONS)
def _take_losses_of_steps(
    steps, n_targets, loss_at, options, target, weight, rows, lo, hi, numbers, scale, z, dz, losses
):  # fmt: skip
    """The losses of rows [lo, hi) of the batch, one for each of so many steps.

    Each step has a target of its own, or all have the row's in common: `n_targets` are a row's.

    `rows` are those rows' numbers, and `numbers` is room for their targets'.
    """
    n, width = (hi - lo) * steps, z.shape[1] // steps
    of_steps = vector(numbers, lo * steps, n)
    for i in range(rows.size):
        for t in range(steps):
            of_steps[i * steps + t] = rows[i] * n_targets + t % n_targets
    start = lo * z.shape[1]
    invoke(
        loss_at,
        (
            0, 1, options, target, weight, of_steps, scale,
            matrix(z, start, n, width), matrix(dz, start, n, width), vector(losses, lo * steps, n),
        ),
    )  # fmt: skip


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


@njit(**INLINED_OPTIONS)
def _take_losses(
    part, parts, ctx, ends, capacity, loss_at, options, target, weight, rows, scale,
    numbers, arena, darena, losses,
):  # fmt: skip
    """The losses of a batch times `scale`, and their gradient. Owners: rows of the batch."""
    n, steps, n_targets = rows.size, ends[4], ends[5]
    z = matrix(arena, capacity * ends[1], n, ends[2])
    dz = matrix(darena, capacity * ends[1], n, ends[2])
    partner = real(ctx[PARTNER])
    own = scale * (1.0 - partner)
    calls = calls_by_row(n, _LOSS_COST * z.shape[1], parts)
    for call in range(calls):
        if is_stopped(ctx):
            break
        one, of = part * calls + call, parts * calls
        if steps == 1:
            invoke(loss_at, (one, of, options, target, weight, rows, own, z, dz, losses))
        else:
            lo, hi = owned_rows(z, one, of)
            _take_losses_of_steps(
                steps, n_targets, loss_at, options, target, weight, vector(rows, lo, hi - lo),
                lo, hi, numbers, own, z, dz, losses,
            )  # fmt: skip
        if partner > 0:
            _mix_losses(
                one, of, partner, scale, capacity, ends[3],
                loss_at, options, target, weight, rows, numbers, z, dz, losses, darena,
            )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _copy(source, target):
    """target = source."""
    for i in range(target.size):
        target[i] = source[i]


@njit(**INLINED_OPTIONS)
def _gather(ctx, part, parts, gather_at, values, indices, indptr, rows, x):
    """Gather a part's rows of a batch, which may be as many as there are."""
    calls = calls_by_row(x.shape[0], _GATHER_COST * x.shape[1], parts)
    for call in range(calls):
        if is_stopped(ctx):
            break
        one, of = part * calls + call, parts * calls
        invoke(gather_at, (ctx, one, of, values, indices, indptr, rows, x))


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
    windows="int64",
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
    progress="const float64[:]",
    **dict.fromkeys(("theta", "grad", "state", "kept", "work", "arena", "darena"), "real[:]"),
    moments="real[:,:]",
    average="real[:]",
    losses="float64[:]",
    numbers="int64[:]",
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
    windows="int64",
    order="const int64[:]",
    **DATA,
    **_TARGETS,
    theta="const real[:]",
    state="const real[:]",
    work="real[:,:]",
    arenas="real[:,:]",
    out="real[:,:]",
    losses="float64[:]",
    numbers="int64[:]",
)


@kernel(_TRAIN)
def train_batches(
    part, parts, sync, contexts, table, ends, capacity, batch_size, first, last, windows, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    settings, groups, factors, matrices, update_at, decays, scalars, progress,
    theta, grad, state, kept, work, arena, darena, moments, average,
    losses, numbers, penalties, norms, batch_losses,
):  # fmt: skip
    """Train on batches first to last (exclusive) of an epoch, whose row numbers `order` gives.

    Of so many `windows`, one a batch, each goes on where the one before ended, but the first. One
    without a target of any weight is run forward, so that the next can go on, and teaches nothing.
    In the end `ctx` has the number of batches trained in all. Where the parts stop, what the batch
    at hand has done to `state` is undone, from what is `kept`.
    """
    ctx = row(contexts, part)
    step, steps, n_targets = ctx[STEP], ends[4], ends[5]
    for b in range(first, last):
        n = min(order.size - b * batch_size, batch_size)
        rows = vector(order, b * batch_size, n)
        ctx[STEP] = step + b - first
        ctx[CONTINUES] = b % windows != 0
        ctx[PROGRESS] = np.float64(progress[b - first]).view(np.int64)
        if part == 0:  # nobody writes it before the first barrier
            _copy(state, kept)
        total = _total_weight(weight, rows, n_targets) * (steps // n_targets)
        scale = 1.0 / total if total > 0 else 0.0
        run_prepare(part, parts, ctx, table, theta, work)
        x = matrix(arena, 0, n, ends[0])
        _gather(ctx, part, parts, gather_at, values, indices, indptr, rows, x)
        run_forward(part, parts, sync, ctx, table, capacity, n, theta, state, work, arena)
        if windows > 1 and total == 0:
            if agree_to_stop(sync, parts):
                if part == 0:
                    _copy(kept, state)
                return
            if part == 0:
                batch_losses[b - first] = 0.0
            continue
        _take_losses(
            part, parts, ctx, ends, capacity, loss_at, options, target, weight, rows, scale,
            numbers, arena, darena, losses,
        )  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] = scale * plain_sum(vector(losses, 0, n * steps))
        run_gradient(
            part, parts, sync, ctx, table, capacity, n,
            theta, grad, state, work, arena, darena,
        )  # fmt: skip
        if agree_to_stop(sync, parts):
            if part == 0:
                _copy(kept, state)
            return
        descend(
            part, parts, sync, settings, settings[ALPHA] * scale, groups, factors, matrices,
            ctx[STEP] == 0, update_at, decays[b - first], row(scalars, b - first),
            theta, grad, moments, average, penalties, norms,
        )  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] += plain_sum(penalties)
    ctx[STEP] = step + last - first


@kernel(_PREDICT)
def predict_rows(
    part, parts, sync, contexts, table, ends, capacity, windows, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    theta, state, work, arenas, out, losses, numbers,
):  # fmt: skip
    """Run rows `order` forward, a block at a time, and take their losses if there is a loss.

    Each part has its own rows and its own arena. Where there are several windows, `order` holds
    the first of all sequences, then the second, and so on; each goes on where the one before
    ended, and the first one where the last run did if `ctx` says so.
    """
    ctx, arena, scratch = row(contexts, part), row(arenas, part), row(work, part)
    continues, n_rows, steps = ctx[CONTINUES], order.size // windows, ends[6]
    n_targets = ends[7]
    lo, hi = share(n_rows, part, parts, 1)
    alone = vector(sync, 0, 0)
    for k in range(lo, hi, capacity):
        n = min(hi - k, capacity)
        for window in range(windows):
            if is_stopped(ctx):
                return
            start = window * n_rows + k
            rows = vector(order, start, n)
            ctx[CONTINUES] = 1 if window else continues
            x = matrix(arena, 0, n, ends[0])
            invoke(gather_at, (ctx, 0, 1, values, indices, indptr, rows, x))
            run_forward(0, 1, alone, ctx, table, capacity, n, theta, state, scratch, arena)
            y = vector(arena, capacity * ends[1], n * ends[2])
            found = vector(out, start * ends[2], n * ends[2])
            for i in range(y.size):
                found[i] = y[i]
            if loss_at != 0:
                z = matrix(arena, capacity * ends[3], n, ends[4])
                # The gradient that comes with the loss is not wanted: it goes behind the slots.
                dz = matrix(arena, capacity * ends[5], n, ends[4])
                _take_losses_of_steps(
                    steps, n_targets, loss_at, options, target, weight, rows, 0, n,
                    vector(numbers, start * steps, n * steps), 1.0, z, dz,
                    vector(losses, start * steps, n * steps),
                )  # fmt: skip
