"""Kernels that run a program over batches without returning to Python.

The functions `run_...` run the kernels of a program's table in order, on one batch. Rows of a batch
have one owner from the gather to the loss and back, so that instructions need no barrier. Only
kernels that sum over the batch stand between two barriers.

`train_slice` trains on a slice of an epoch, `predict_rows` predicts rows, `predict_few` predicts a
few rows that lie in the arena, and `differentiate_rows` computes the gradient of raw outputs with
respect to rows. All parts of a team enter together, and
leave together when told to stop (see `Team.stop_at`): training then completes or undoes its batch,
prediction omits rows. Before each kernel a part tests whether to stop; it then skips the kernels
but not the barriers, until all parts agree. A long kernel is called several times as one of more
parts, each call for some of what the part owns, with the same result.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, invoke, kernel, real
from sklearn_nn.jit.team import agree_to_stop, barrier, share
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import (
    CONTINUES,
    PARTNER,
    PROGRESS,
    ROW_GRAIN,
    STEP,
    is_stopped,
    owned_rows,
)
from sklearn_nn.network.parameter_update import ALPHA, descend, plain_sum
from sklearn_nn.network.program import (
    BACKWARD_AT,
    BACKWARD_SUMS_AT,
    DX_AT,
    DX_WIDTH,
    FORWARD_AT,
    FORWARD_SUMS_AT,
    GEOMETRY,
    INPUT_WIDTH,
    N_LOSSES,
    N_TARGETS,
    OUTPUT_AT,
    OUTPUT_WIDTH,
    PREPARE_AT,
    RAW_AT,
    RAW_WIDTH,
    ROW_COST,
    SPARE_AT,
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
#: Cost of gathering a number and of the loss of a raw output, in multiplications and additions.
_GATHER_COST, _LOSS_COST = 16, 64

LOSS = Kind(
    "loss",
    part="int64", parts="int64", options="const float64[:]", target="const real[:,:]",
    weight="const real[:]", rows="const int64[:]", scale="float64",
    z="real[:,:]", dz="real[:,:]", losses="float64[:]",
)  # fmt: skip


@njit(**INLINED_OPTIONS)
def _calls_by_row(rows, cost, parts):
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
                address, calls = op[FORWARD_AT], _calls_by_row(rows, op[ROW_COST], parts)
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
                    calls = _calls_by_row(rows, op[ROW_COST], parts)
            for call in range(calls if address != 0 else 0):
                if is_stopped(ctx):
                    break
                invoke(address, (ctx, geometry, part * calls + call, parts * calls, *operands))
        if backward and op[BACKWARD_AT] != 0 and op[DX_AT] != op[X_AT]:
            dx = matrix(darena, capacity * op[X_AT], rows, op[X_WIDTH])
            _add_rows(part, parts, dx, matrix(darena, capacity * op[DX_AT], rows, op[X_WIDTH]))


@njit(**INLINED_OPTIONS)
def _total_weight(weight: np.ndarray, rows: np.ndarray, steps: int) -> float:
    """Return the sum of a batch's target weights, in the same order in every part."""
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
    """Compute the losses of rows [lo, hi) of the batch, `steps` per row.

    A row has `n_targets` targets: one for each step, or one that all steps share. `rows` are the
    numbers of those rows; `numbers` is room for the numbers of their targets.
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
    """Mix the losses of rows with those for their partners' targets, which have weight `partner`.

    The partner of row i is row n - 1 - i. The second losses are first written after the others, and
    their gradients after the slots. Owners: rows of the batch.
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
    """Compute the losses of a batch and the gradient of `scale` times their sum. Owners: rows."""
    n, steps, n_targets = rows.size, ends[N_LOSSES], ends[N_TARGETS]
    z = matrix(arena, capacity * ends[RAW_AT], n, ends[RAW_WIDTH])
    dz = matrix(darena, capacity * ends[RAW_AT], n, ends[RAW_WIDTH])
    partner = real(ctx[PARTNER])
    own = scale * (1.0 - partner)
    calls = _calls_by_row(n, _LOSS_COST * z.shape[1], parts)
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
                one, of, partner, scale, capacity, ends[SPARE_AT],
                loss_at, options, target, weight, rows, numbers, z, dz, losses, darena,
            )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _copy(source, target):
    """Copy source to target."""
    for i in range(target.size):
        target[i] = source[i]


@njit(**INLINED_OPTIONS)
def _gather(ctx, part, parts, gather_at, values, indices, indptr, rows, x):
    """Gather a part's rows of a batch, in several calls if there are many."""
    calls = _calls_by_row(x.shape[0], _GATHER_COST * x.shape[1], parts)
    for call in range(calls):
        if is_stopped(ctx):
            break
        one, of = part * calls + call, parts * calls
        invoke(gather_at, (ctx, one, of, values, indices, indptr, rows, x))


# Arguments that several kinds share.
_TEAM = {"part": "int64", "parts": "int64", "sync": "int64[:]", "contexts": "int64[:,:]"}
_PROGRAM = {"table": "const int64[:,:]", "ends": "const int64[:]", "capacity": "int64"}
_DATA = {"gather_at": "int64", "values": "const real[:]"}
_DATA |= {"indices": "const int64[:]", "indptr": "const int64[:]"}
_TARGETS = {"loss_at": "int64", "options": "const float64[:]"}
_TARGETS |= {"target": "const real[:,:]", "weight": "const real[:]"}
_TRAIN = Kind(
    "train", **_TEAM, **_PROGRAM,
    batch_size="int64", first="int64", last="int64", windows="int64", order="const int64[:]",
    n_rows="int64",
    **_DATA, **_TARGETS,
    settings="const float64[:]", groups="const int64[:,:]", factors="const float64[:,:]",
    matrices="const int64[:,:]", update_at="int64", decays="const float64[:]",
    scalars="const float64[:,:]", progress="const float64[:]",
    **dict.fromkeys(("theta", "grad", "state", "kept", "work", "arena", "darena"), "real[:]"),
    moments="real[:,:]", average="real[:]", losses="float64[:]", numbers="int64[:]",
    penalties="float64[:]", norms="float64[:]", batch_losses="float64[:]",
)  # fmt: skip
_PREDICT = Kind(
    "predict", **_TEAM, **_PROGRAM,
    windows="int64", order="const int64[:]", **_DATA, **_TARGETS,
    theta="const real[:]", state="const real[:]", work="real[:,:]", arenas="real[:,:]",
    out="real[:,:]", losses="float64[:]", numbers="int64[:]",
)  # fmt: skip
_FEW = Kind(
    "predict few", ctx="int64[:]", **_PROGRAM, theta="const real[:]", state="const real[:]",
    arena="real[:]", faults="int64[:]", n_rows="int64",
)  # fmt: skip
_DIFFERENTIATE = Kind(
    "differentiate", **_TEAM, **_PROGRAM,
    order="const int64[:]", **_DATA, seeds="const real[:,:]",
    theta="const real[:]", state="const real[:]",
    **dict.fromkeys(("work", "arenas", "darenas", "out"), "real[:,:]"),
)  # fmt: skip


@kernel(_TRAIN)
def train_slice(
    part, parts, sync, contexts, table, ends, capacity, batch_size, first, last, windows, order,
    n_rows, gather_at, values, indices, indptr, loss_at, options, target, weight,
    settings, groups, factors, matrices, update_at, decays, scalars, progress,
    theta, grad, state, kept, work, arena, darena, moments, average,
    losses, numbers, penalties, norms, batch_losses,
):  # fmt: skip
    """Train on batches first to last (exclusive), in the order of the row numbers `order`.

    `order` holds those of one epoch, or of several with `n_rows` each, the last batch of which may
    be smaller than others. Of `windows` consecutive batches each continues the one before, except
    the first. A window whose targets have zero weight only runs forward, so that the next can
    continue it. At the end `ctx` holds the total number of batches trained. If the parts stop,
    `state` is restored from `kept`.
    """
    ctx = row(contexts, part)
    step, steps, n_targets = ctx[STEP], ends[N_LOSSES], ends[N_TARGETS]
    per_epoch = (n_rows + batch_size - 1) // batch_size
    for b in range(first, last):
        start = b % per_epoch * batch_size
        n = min(n_rows - start, batch_size)
        rows = vector(order, b // per_epoch * n_rows + start, n)
        ctx[STEP] = step + b - first
        ctx[CONTINUES] = b % windows != 0
        ctx[PROGRESS] = np.float64(progress[b - first]).view(np.int64)
        if part == 0:  # no part writes it before the first barrier
            _copy(state, kept)
        total = _total_weight(weight, rows, n_targets) * (steps // n_targets)
        scale = 1.0 / total if total > 0 else 0.0
        run_prepare(part, parts, ctx, table, theta, work)
        x = matrix(arena, 0, n, ends[INPUT_WIDTH])
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
    """Run rows `order` forward, a block at a time, and compute their losses if there is a loss.

    Each part has its own rows and arena. With several windows, `order` holds the first windows of
    all sequences, then the second ones, and so on; each continues the one before, and the first
    continues the last run if `ctx` says so.
    """
    ctx, arena, scratch = row(contexts, part), row(arenas, part), row(work, part)
    continues, n_rows, steps = ctx[CONTINUES], order.size // windows, ends[N_LOSSES]
    n_targets = ends[N_TARGETS]
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
            x = matrix(arena, 0, n, ends[INPUT_WIDTH])
            invoke(gather_at, (ctx, 0, 1, values, indices, indptr, rows, x))
            run_forward(0, 1, alone, ctx, table, capacity, n, theta, state, scratch, arena)
            width = ends[OUTPUT_WIDTH]
            y = vector(arena, capacity * ends[OUTPUT_AT], n * width)
            found = vector(out, start * width, n * width)
            for i in range(y.size):
                found[i] = y[i]
            if loss_at != 0:
                z = matrix(arena, capacity * ends[RAW_AT], n, ends[RAW_WIDTH])
                # The gradient is not needed and goes after the slots.
                dz = matrix(arena, capacity * ends[SPARE_AT], n, ends[RAW_WIDTH])
                _take_losses_of_steps(
                    steps, n_targets, loss_at, options, target, weight, rows, 0, n,
                    vector(numbers, start * steps, n * steps), 1.0, z, dz,
                    vector(losses, start * steps, n * steps),
                )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _count_not_finite(values):
    """Return the number of values that are infinite or NaN; a sum of integers vectorizes."""
    count = 0
    for i in range(values.size):
        count += 0 if values[i] - values[i] == 0 else 1
    return count


@kernel(_FEW)
def predict_few(ctx, table, ends, capacity, theta, state, arena, faults, n_rows):
    """Run the first rows of the arena forward, unless `faults[0]`, values not finite, is positive.

    Outputs that are not finite count too. A call cannot be stopped.
    """
    faults[0] = _count_not_finite(vector(arena, 0, n_rows * ends[INPUT_WIDTH]))
    if faults[0] == 0:
        alone, no_work = vector(faults, 0, 0), vector(arena, 0, 0)
        run_forward(0, 1, alone, ctx, table, capacity, n_rows, theta, state, no_work, arena)
        first, size = capacity * ends[OUTPUT_AT], n_rows * ends[OUTPUT_WIDTH]
        faults[0] = _count_not_finite(vector(arena, first, size))


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
