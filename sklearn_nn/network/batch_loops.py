"""Drivers that run a program over batches without returning to Python.

The functions `run_...` run the kernels of a program's table in order, on one batch. Rows of a
batch have one owner from the gather to the loss and back, so that instructions need no barrier.
Only kernels that sum over the batch stand between two barriers. Training divides rows, weights and
parameters into pieces: a part takes those that it owns, then those that others have not begun.

`train_slice` trains on a slice of an epoch, `update_once` updates the parameters by a gradient that
was computed elsewhere, `predict_rows` predicts rows, `predict_few` predicts a
few rows that lie in the arena, and `differentiate_rows` computes the gradient of raw outputs with
respect to rows. All parts of a team enter together, and leave together when told to stop (see
`Team.stop_at`): training then completes or undoes its batch, prediction omits rows. Before each
kernel a part tests whether to stop; it then skips the kernels but not the barriers, until all parts
agree. A long kernel is called several times as one of more parts, each call for some of what the
part owns, with the same result.

They compute with addresses and lengths (see jit/driver.py): `f` is the frame of their arguments,
whose fields are named in frame.py.
"""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.driver import Driver, Routine, call_routine
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, bits, kernel, real
from sklearn_nn.jit.team import COUNTER_BYTES, agree_to_stop, barrier, claim, share
from sklearn_nn.jit.views import copy_bytes, doubles, words
from sklearn_nn.layers.base import (
    BACKWARD,
    CONTINUES,
    FORWARD,
    PARTNER,
    PREPARE,
    PROGRESS,
    ROW_GRAIN,
    STEP,
    is_stopped,
    owned_rows,
)
from sklearn_nn.network.frame import FRAME, frame_at
from sklearn_nn.network.parameter_update import plain_sum
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
    THETA_AT,
    THETA_SIZE,
    WEIGHTS_AT,
    WEIGHTS_COST,
    WEIGHTS_PIECES,
    WORK_AT,
    WORK_SIZE,
    X_AT,
    X_WIDTH,
    Y_AT,
    Y_WIDTH,
)
from sklearn_nn.network.source import GATHER

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
_WEIGH = Kind(
    "weigh", weight="const real[:]", rows="const int64[:]", steps="int64", total="float64[:]"
)
_COUNT = Kind("count", found="const real[:]", faults="int64[:]")
_ADD = Kind("add", part="int64", parts="int64", x="real[:,:]", extra="real[:,:]")

_SLOTS = {
    "theta": (THETA_AT, THETA_SIZE), "grad": (THETA_AT, THETA_SIZE),
    "state": (STATE_AT, STATE_SIZE), "work": (WORK_AT, WORK_SIZE),
    "x": (X_AT, X_WIDTH), "y": (Y_AT, Y_WIDTH), "dx": (DX_AT, DX_WIDTH), "dy": (Y_AT, Y_WIDTH),
}  # fmt: skip
_call_forward, _call_backward, _call_prepare = (
    FRAME.caller(kind, **_SLOTS) for kind in (FORWARD, BACKWARD, PREPARE)
)
_call_gather, _call_loss, _call_weigh, _call_count, _call_add = map(
    FRAME.caller, (GATHER, LOSS, _WEIGH, _COUNT, _ADD)
)


@kernel(_WEIGH)
def weigh(weight, rows, steps, total):
    """Write the sum of a batch's target weights, in the same order in every part."""
    found = 0.0
    for i in range(rows.size):
        for t in range(steps):
            found += weight[rows[i] * steps + t]
    total[0] = found


@kernel(_ADD)
def add_rows(part, parts, x, extra):
    """Add extra to x: a slot read by two instructions gets the sum of two gradients."""
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for j in range(x.shape[1]):
            x[i, j] += extra[i, j]


@njit(**INLINED_OPTIONS)
def _end(f, place):
    """Return one of the program's `ends`."""
    return words(f.ends)[place]


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


@njit(**HELPER_OPTIONS)
def _gather(part, parts, f, ctx, rows, n, x):
    """Gather rows of a batch, unless they are there, in several calls if there are many."""
    if f.gather_at == 0:
        return
    width = _end(f, INPUT_WIDTH)
    calls = _calls_by_row(n, _GATHER_COST * width, parts)
    for call in range(calls):
        if is_stopped(words(ctx)):
            break
        own = (ctx, f.contexts_columns, part * calls + call, parts * calls)
        _call_gather(f.gather_at, f, (*own, rows, n, x, n, width))


@njit(**INLINED_OPTIONS)
def _own(f, at, ctx, part, parts):
    """Return the first words of a call of a kernel of the instruction at an address."""
    geometry = at + 8 * GEOMETRY, f.table_columns - GEOMETRY
    return at, ctx, f.contexts_columns, *geometry, part, parts


def run_forward(part, parts, sync, frame, ctx, order, rows, work, arena):
    """Gather a batch and run the forward kernels of a table on it; with `sync`, their sums too.

    The batch has `rows` rows, whose numbers are at `order`.
    """
    f, context = frame_at(frame), words(ctx)
    _gather(part, parts, f, ctx, order, rows, arena)
    for k in range(f.table_rows):
        at = f.table + 8 * f.table_columns * k
        op = words(at)
        sums = op[FORWARD_SUMS_AT] if sync != 0 else 0
        for stage in range(2):
            if sums != 0:
                barrier(sync, parts)
            address, calls = sums, _calls(rows, op, parts)
            if stage == 1:
                address, calls = op[FORWARD_AT], _calls_by_row(rows, op[ROW_COST], parts)
            for call in range(calls if address != 0 else 0):
                if is_stopped(context):
                    break
                own = _own(f, at, ctx, part * calls + call, parts * calls)
                _call_forward(address, f, (*own, work, arena, rows, arena, rows))


@njit(**HELPER_OPTIONS)
def _run_prepare(part, parts, f, ctx, work):
    """Run the prepare kernels, which read parameters only."""
    for k in range(f.table_rows):
        at = f.table + 8 * f.table_columns * k
        address = words(at)[PREPARE_AT]
        if address != 0:
            _call_prepare(address, f, (*_own(f, at, ctx, part, parts), work))


@njit(**INLINED_OPTIONS)
def _slots(rows, arena, darena):
    """Return the last words of a call of a backward or weights kernel."""
    return arena, rows, arena, rows, darena, rows, darena, rows


def run_backward(part, parts, sync, frame, ctx, rows, work, arena, darena):
    """Run the backward kernels from last to first; with `sync`, their sums over the batch too."""
    f, context = frame_at(frame), words(ctx)
    width, slots = f.itemsize * f.capacity, _slots(rows, arena, darena)
    for k in range(f.table_rows - 1, -1, -1):
        at = f.table + 8 * f.table_columns * k
        op = words(at)
        sums = op[BACKWARD_SUMS_AT] if sync != 0 else 0
        for stage in range(2):
            if sums != 0:
                barrier(sync, parts)
            address, calls = sums, _calls(rows, op, parts)
            if stage == 1:
                address, calls = op[BACKWARD_AT], _calls_by_row(rows, op[ROW_COST], parts)
            for call in range(calls if address != 0 else 0):
                if is_stopped(context):
                    break
                own = _own(f, at, ctx, part * calls + call, parts * calls)
                _call_backward(address, f, (*own, work, *slots))
        if op[BACKWARD_AT] != 0 and op[DX_AT] != op[X_AT]:
            dx, extra = darena + width * op[X_AT], darena + width * op[DX_AT]
            given = (part, parts, dx, rows, op[X_WIDTH], extra, rows, op[X_WIDTH])
            _call_add(f.add_at, f, given)


@njit(**HELPER_OPTIONS)
def _run_weights(part, parts, f, ctx, rows, counters):
    """Run the weights kernels, from last to first. Parts claim pieces of each."""
    slots = _slots(rows, f.arenas, f.darenas)
    for k in range(f.table_rows - 1, -1, -1):
        at = f.table + 8 * f.table_columns * k
        op = words(at)
        if op[WEIGHTS_AT] == 0:
            continue
        pieces = _calls(rows, op, parts)
        if parts > 1:
            even = rows * op[WEIGHTS_COST] // (f.piece_cost * parts)
            pieces = max(pieces, min(even, op[WEIGHTS_PIECES]))
        place, piece = counters + COUNTER_BYTES * parts * k, -1
        while True:
            piece = claim(place, part, parts, pieces, piece)
            if piece < 0 or is_stopped(words(ctx)):
                break
            own = _own(f, at, ctx, piece, parts * pieces)
            _call_backward(op[WEIGHTS_AT], f, (*own, f.works, *slots))


@njit(**HELPER_OPTIONS)
def _total_weight(part, f, rows, n, steps):
    """Return the sum of a batch's target weights, in the same order in every part."""
    if f.weight_size == 0:
        return float(n * steps)
    total = f.totals + 64 * part
    _call_weigh(f.weigh_at, f, (rows, n, steps, total, 1))
    return doubles(total)[0]


def take_losses(frame, rows, lo, hi, numbers, scale, z, dz, losses):
    """Compute the losses of rows [lo, hi) of a batch with the row numbers `rows`.

    A row has one or several steps, and targets: one for each step, or one that all steps share.
    `numbers` is room for the numbers of targets. `scale` has the bits of the factor of the sum of
    losses whose gradient is computed.
    """
    f = frame_at(frame)
    steps, n_targets, columns = _end(f, N_LOSSES), _end(f, N_TARGETS), _end(f, RAW_WIDTH)
    of_rows, of_steps = words(rows), words(numbers)
    for i in range(lo, hi):
        for t in range(steps):
            of_steps[i * steps + t] = of_rows[i] * n_targets + t % n_targets
    n, width, first = (hi - lo) * steps, columns // steps, 8 * lo * steps
    z, dz = z + f.itemsize * lo * columns, dz + f.itemsize * lo * columns
    given = (0, 1, numbers + first, n, scale, z, n, width, dz, n, width, losses + first, n)
    _call_loss(f.loss_at, f, given)


@njit(**HELPER_OPTIONS)
def _take_own_losses(part, parts, frame, ctx, rows, n, scale):
    """Compute the losses of a batch and the gradient of `scale` times their sum. Owners: rows.

    With partners, losses are mixed with those for the partners' targets. The partner of row i is
    row n - 1 - i. The second losses are first written after the others, and their gradients after
    the slots.
    """
    f = frame_at(frame)
    width, column, context = _end(f, RAW_WIDTH), f.itemsize * f.capacity, words(ctx)
    z, dz = f.arenas + column * _end(f, RAW_AT), f.darenas + column * _end(f, RAW_AT)
    second, more = f.all_losses + 8 * f.capacity, f.darenas + column * _end(f, SPARE_AT)
    losses, others = doubles(f.all_losses), doubles(second)
    of_rows, turned = words(rows), words(f.numbers)
    partner = real(context[PARTNER])
    own = bits(scale * (1.0 - partner))
    calls = _calls_by_row(n, _LOSS_COST * width, parts)
    for call in range(calls):
        if is_stopped(context):
            break
        one, of = part * calls + call, parts * calls
        lo, hi = share(n, one, of, ROW_GRAIN)
        given = (frame, rows, lo, hi, f.numbers, own, z, dz, f.all_losses)
        call_routine(f.take_losses_at, given)
        if partner > 0:
            for i in range(lo, hi):
                turned[i] = of_rows[n - 1 - i]
            factor = bits(scale * partner)
            given = (frame, f.numbers, lo, hi, f.numbers, factor, z, more, second)
            call_routine(f.take_losses_at, given)
            for i in range(lo, hi):
                losses[i] += partner * (others[i] - losses[i])
            _call_add(f.add_at, f, (one, of, dz, n, width, more, n, width))


#: Places of the counters of a batch: of its rows, of two passes over chunks of theta, of the
#: weights kernel of each instruction.
_BY_ROW, _BY_CHUNK, _BY_INSTRUCTION = 0, 1, 3


def counters_size(n_instructions, parts):
    """Return the number of words of the counters by which `parts` parts claim work."""
    return 2 * (_BY_INSTRUCTION + n_instructions) * parts * (COUNTER_BYTES // 8)


@njit(**INLINED_OPTIONS)
def _counters(f, parts, batch):
    """Return the address of a batch's counters: there are two sets, which are used in turn."""
    size = COUNTER_BYTES * parts * (_BY_INSTRUCTION + f.table_rows)
    return f.counters + batch % 2 * size


@njit(**HELPER_OPTIONS)
def _clear_counters(counters, f, parts):
    """Set one set of counters to 0."""
    for k in range(parts * (_BY_INSTRUCTION + f.table_rows)):
        words(counters)[k * (COUNTER_BYTES // 8)] = 0


@njit(**HELPER_OPTIONS)
def _run_rows(part, parts, sync, frame, batch, counters):
    """Run a batch forward, compute its losses, and run it back.

    `batch` is the address of its row numbers, their count, the factor of the losses whose gradient
    is computed, and whether there is one.

    Parts claim pieces of the rows. Where kernels sum over the batch, or read other rows, each part
    has one piece, and all parts meet.
    """
    f = frame_at(frame)
    rows, n, scale, learns = batch
    ctx, divides = f.contexts + 8 * f.contexts_columns * part, f.piece_rows > 0
    pieces = max(1, n // (parts * f.piece_rows)) if divides and parts > 1 else 1
    piece, of, meeting, has_gathered = -1, parts * pieces, 0 if divides else sync, False
    while True:
        if divides:
            place = counters + COUNTER_BYTES * parts * _BY_ROW
            piece = claim(place, part, parts, pieces, piece)
            if is_stopped(words(ctx)):
                return
        else:
            piece = part if piece < 0 else -1
        if piece < 0:
            if not has_gathered:  # no rows, but the lengths of sequences, which its context holds
                _gather(0, n + 1, f, ctx, rows, n, f.arenas)
            return
        has_gathered = True
        given = (piece, of, meeting, frame, ctx, rows, n, f.works, f.arenas)
        call_routine(f.forward_at, given)
        if learns:
            _take_own_losses(piece, of, frame, ctx, rows, n, scale)
            if not divides:  # partners' losses, and sums over the batch
                barrier(sync, parts)
            given = (piece, of, meeting, frame, ctx, n, f.works, f.arenas, f.darenas)
            call_routine(f.backward_at, given)


def train_slice(part, parts, sync, frame):
    """Train on batches first to last (exclusive), in the order of the row numbers `order`.

    `order` holds those of one epoch, or of several with `n_rows` each, the last batch of which may
    be smaller than others. Of `windows` consecutive batches each continues the one before, except
    the first. A window whose targets have zero weight only runs forward, so that the next can
    continue it. At the end `ctx` holds the total number of batches trained. If the parts stop,
    `state` is restored from `kept`.
    """
    f = frame_at(frame)
    ctx, state_size = f.contexts + 8 * f.contexts_columns * part, f.itemsize * f.state_size
    context, batch_losses = words(ctx), doubles(f.batch_losses)
    steps, n_targets = _end(f, N_LOSSES), _end(f, N_TARGETS)
    per_epoch = (f.n_rows + f.batch_size - 1) // f.batch_size
    for b in range(f.first, f.last):
        start, k = b % per_epoch * f.batch_size, b - f.first
        n = min(f.n_rows - start, f.batch_size)
        rows = f.order + 8 * (b // per_epoch * f.n_rows + start)
        context[CONTINUES] = 1 if b % f.windows != 0 else 0
        context[PROGRESS] = words(f.progress)[k]
        if part == 0:  # no part writes it before the first barrier
            copy_bytes(f.kept, f.state, state_size)
        total = _total_weight(part, f, rows, n, n_targets) * (steps // n_targets)
        scale = 1.0 / total if total > 0 else 0.0
        learns = f.windows == 1 or total != 0
        # Those of the last batch are not needed any more.
        counters, unused = _counters(f, parts, b), _counters(f, parts, b + 1)
        if part == 0 and parts > 1:
            _clear_counters(unused, f, parts)
        _run_prepare(part, parts, f, ctx, f.works)
        barrier(sync, parts)
        _run_rows(part, parts, sync, frame, (rows, n, scale, learns), counters)
        if learns:
            barrier(sync, parts)
        if part == 0:
            batch_losses[k] = scale * plain_sum(f.all_losses, n * steps) if learns else 0.0
        if learns:
            place = counters + COUNTER_BYTES * parts * _BY_INSTRUCTION
            _run_weights(part, parts, f, ctx, n, place)
        if agree_to_stop(sync, parts):
            if part == 0:
                copy_bytes(f.state, f.kept, state_size)
            return
        if learns:
            is_first = 1 if context[STEP] == 0 else 0
            place = counters + COUNTER_BYTES * parts * _BY_CHUNK
            given = (part, parts, sync, frame, bits(scale), k, is_first, place)
            call_routine(f.descend_at, given)
            barrier(sync, parts)
            if part == 0:
                batch_losses[k] += plain_sum(f.penalties, f.penalties_size)
        context[STEP] += 1


def update_once(part, parts, sync, frame):
    """Update the parameters by the gradient `grad`, of losses whose weights sum to `totals[0]`."""
    f = frame_at(frame)
    context, scale = words(f.contexts + 8 * f.contexts_columns * part), 1.0 / doubles(f.totals)[0]
    is_first = 1 if context[STEP] == 0 else 0
    place = _counters(f, parts, 0) + COUNTER_BYTES * parts * _BY_CHUNK
    given = (part, parts, sync, frame, bits(scale), 0, is_first, place)
    call_routine(f.descend_at, given)
    barrier(sync, parts)
    context[STEP] += 1


def predict_rows(part, parts, sync, frame):
    """Run rows `order` forward, a block at a time, and compute their losses if there is a loss.

    Each part has its own rows and arena. With several windows, `order` holds the first windows of
    all sequences, then the second ones, and so on; each continues the one before, and the first
    continues the last run if `ctx` says so.
    """
    f = frame_at(frame)
    size, capacity, steps = f.itemsize, f.capacity, _end(f, N_LOSSES)
    ctx = f.contexts + 8 * f.contexts_columns * part
    arena, work = f.arenas + size * f.arenas_columns * part, f.works + size * f.works_columns * part
    n_rows, width, context = f.order_size // f.windows, _end(f, OUTPUT_WIDTH), words(ctx)
    continues = context[CONTINUES]
    lo, hi = share(n_rows, part, parts, 1)
    for k in range(lo, hi, capacity):
        n = min(hi - k, capacity)
        for window in range(f.windows):
            if is_stopped(context):
                return
            start = window * n_rows + k
            rows = f.order + 8 * start
            context[CONTINUES] = 1 if window else continues
            call_routine(f.forward_at, (0, 1, 0, frame, ctx, rows, n, work, arena))
            y = arena + size * capacity * _end(f, OUTPUT_AT)
            copy_bytes(f.out + size * start * width, y, size * n * width)
            if f.loss_at != 0:
                z = arena + size * capacity * _end(f, RAW_AT)
                # The gradient is not needed and goes after the slots.
                dz = arena + size * capacity * _end(f, SPARE_AT)
                numbers, losses = f.numbers + 8 * start * steps, f.all_losses + 8 * start * steps
                given = (frame, rows, 0, n, numbers, bits(1.0), z, dz, losses)
                call_routine(f.take_losses_at, given)


@kernel(_COUNT)
def count_not_finite(found, faults):
    """Set faults[0] to the number of elements that are infinite or NaN."""
    count = 0
    for i in range(found.size):  # a sum of integers vectorizes
        count += 0 if found[i] - found[i] == 0 else 1
    faults[0] = count


def predict_few(part, parts, sync, frame):
    """Run the first `n_rows` rows of the arena forward, if all of their numbers are finite.

    Afterwards `numbers[0]` is 0 if the outputs are finite, too. A call cannot be stopped.
    """
    f = frame_at(frame)
    faults = words(f.numbers)
    _call_count(f.count_at, f, (f.arenas, f.n_rows * _end(f, INPUT_WIDTH), f.numbers, 1))
    if faults[0] == 0:
        given = (0, 1, 0, frame, f.contexts, f.order, f.n_rows, f.works, f.arenas)
        call_routine(f.forward_at, given)
        y = f.arenas + f.itemsize * f.capacity * _end(f, OUTPUT_AT)
        _call_count(f.count_at, f, (y, f.n_rows * _end(f, OUTPUT_WIDTH), f.numbers, 1))


def differentiate_rows(part, parts, sync, frame):
    """Run all rows forward and back, a block at a time. Each part has its own rows and arenas."""
    f = frame_at(frame)
    size, capacity, n_inputs = f.itemsize, f.capacity, _end(f, INPUT_WIDTH)
    ctx, work = f.contexts + 8 * f.contexts_columns * part, f.works + size * f.works_columns * part
    own = size * f.arenas_columns * part
    arena, darena, width = f.arenas + own, f.darenas + own, _end(f, OUTPUT_WIDTH)
    lo, hi = share(f.order_size, part, parts, 1)
    _run_prepare(0, 1, f, ctx, work)
    for start in range(lo, hi, capacity):
        if is_stopped(words(ctx)):
            return
        n = min(hi - start, capacity)
        given = (0, 1, 0, frame, ctx, f.order + 8 * start, n, work, arena)
        call_routine(f.forward_at, given)
        dz = darena + size * capacity * _end(f, OUTPUT_AT)
        copy_bytes(dz, f.seeds + size * start * width, size * n * width)
        # Parameters get no gradient: the table has no weights kernels.
        call_routine(f.backward_at, (0, 1, 0, frame, ctx, n, work, arena, darena))
        copy_bytes(f.out + size * start * n_inputs, darena, size * n * n_inputs)


RUN_FORWARD, RUN_BACKWARD, TAKE_LOSSES = map(Routine, (run_forward, run_backward, take_losses))
TRAIN, UPDATE, PREDICT, PREDICT_FEW, DIFFERENTIATE = map(
    Driver, (train_slice, update_once, predict_rows, predict_few, differentiate_rows)
)
