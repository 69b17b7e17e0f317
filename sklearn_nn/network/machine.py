"""The machine: jitted drivers that execute a program, and the memory they run in.

`train` runs a slice of an epoch, `forward` a block of rows; neither returns to Python between
batches. All parts of a team enter a driver together. Rows of a batch have one owner from the
gather to the loss, so only steps that change owner need a barrier.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit

from sklearn_nn.jit import team
from sklearn_nn.jit.host import OPTIONS
from sklearn_nn.jit.kernel import Kernel, Kind, invoke, kernel
from sklearn_nn.jit.team import barrier, share
from sklearn_nn.layers.base import CTX_SIZE, SEED, STEP, TRAINING, owned_rows
from sklearn_nn.network.program import (
    BACKWARD_AT,
    DX_AT,
    FORWARD_AT,
    GEOMETRY,
    PREPARE_AT,
    STATE_AT,
    STATE_SIZE,
    THETA_AT,
    THETA_SIZE,
    WEIGHTS_AT,
    WORK_AT,
    WORK_SIZE,
    X_AT,
    X_WIDTH,
    Y_AT,
    Y_WIDTH,
    Program,
)
from sklearn_nn.network.source import Source, readonly

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


@njit(**OPTIONS)
def _slot(buffer: np.ndarray, capacity: int, first: int, rows: int, width: int) -> np.ndarray:
    """The first rows of a slot as a (rows, width) view."""
    start = capacity * first
    return buffer[start : start + rows * width].reshape(rows, width)


@njit(**OPTIONS)
def _span(buffer: np.ndarray, start: int, size: int) -> np.ndarray:
    """A span of a flat buffer."""
    return buffer[start : start + size]


@njit(**OPTIONS)
def _forward(part, parts, ctx, table, capacity, rows, theta, state, work, arena):  # type: ignore[no-untyped-def]
    """Run the forward kernels of a table on one batch."""
    for k in range(table.shape[0]):
        op = table[k]
        arguments = (
            ctx,
            op[GEOMETRY:],
            part,
            parts,
            _span(theta, op[THETA_AT], op[THETA_SIZE]),
            _span(state, op[STATE_AT], op[STATE_SIZE]),
            _span(work, op[WORK_AT], op[WORK_SIZE]),
            _slot(arena, capacity, op[X_AT], rows, op[X_WIDTH]),
            _slot(arena, capacity, op[Y_AT], rows, op[Y_WIDTH]),
        )
        invoke(op[FORWARD_AT], arguments)


@njit(**OPTIONS)
def _prepare(part, parts, ctx, table, theta, work):  # type: ignore[no-untyped-def]
    """Run the prepare kernels: they need the parameters only."""
    for k in range(table.shape[0]):
        op = table[k]
        if op[PREPARE_AT] != 0:
            parameters = _span(theta, op[THETA_AT], op[THETA_SIZE])
            scratch = _span(work, op[WORK_AT], op[WORK_SIZE])
            invoke(op[PREPARE_AT], (ctx, op[GEOMETRY:], part, parts, parameters, scratch))


@njit(**OPTIONS)
def _add_rows(part, parts, dx, extra):  # type: ignore[no-untyped-def]
    """dx += extra: a slot read by two instructions gets the sum of two gradients."""
    lo, hi = owned_rows(dx, part, parts)
    for i in range(lo, hi):
        for j in range(dx.shape[1]):
            dx[i, j] += extra[i, j]


@njit(**OPTIONS)
def _gradient(part, parts, ctx, table, column, capacity, rows, theta, grad, state, work, arena, darena):  # type: ignore[no-untyped-def]
    """Run the backward or the weights kernels (by `column`) from last to first."""
    for k in range(table.shape[0] - 1, -1, -1):
        op = table[k]
        if op[column] == 0:
            continue
        arguments = (
            ctx,
            op[GEOMETRY:],
            part,
            parts,
            _span(theta, op[THETA_AT], op[THETA_SIZE]),
            _span(grad, op[THETA_AT], op[THETA_SIZE]),
            _span(state, op[STATE_AT], op[STATE_SIZE]),
            _span(work, op[WORK_AT], op[WORK_SIZE]),
            _slot(arena, capacity, op[X_AT], rows, op[X_WIDTH]),
            _slot(arena, capacity, op[Y_AT], rows, op[Y_WIDTH]),
            _slot(darena, capacity, op[DX_AT], rows, op[X_WIDTH]),
            _slot(darena, capacity, op[Y_AT], rows, op[Y_WIDTH]),
        )
        invoke(op[column], arguments)
        if column == BACKWARD_AT and op[DX_AT] != op[X_AT]:
            dx = _slot(darena, capacity, op[X_AT], rows, op[X_WIDTH])
            _add_rows(part, parts, dx, _slot(darena, capacity, op[DX_AT], rows, op[X_WIDTH]))


@njit(**{**OPTIONS, "fastmath": {"contract", "nsz", "reassoc"}})
def _sum_of_squares(values: np.ndarray) -> float:
    """Sum of squares. The compiler may order it, but orders equal lengths equally."""
    total = values.dtype.type(0)
    for i in range(values.size):
        total += values[i] * values[i]
    return total


@njit(**OPTIONS)
def _penalize(lo, hi, spans, factors, strength, theta, grad):  # type: ignore[no-untyped-def]
    """Add the L2 penalty's gradient within [lo, hi); returns the penalty there.

    The penalty is strength / 2 * factor * sum of squares, span by span.
    """
    total = 0.0
    for k in range(spans.shape[0]):
        start, stop = max(lo, spans[k, 0]), min(hi, spans[k, 1])
        if start >= stop:
            continue
        w, g = theta[start:stop], grad[start:stop]
        scale = w.dtype.type(strength * factors[k])
        for i in range(w.size):
            g[i] += scale * w[i]
        total += 0.5 * strength * factors[k] * _sum_of_squares(w)
    return total


@njit(**OPTIONS)
def _step(part, parts, decay, decay_factors, strength, rates, rate_factors, update_at, scalars, theta, grad, moments, penalties):  # type: ignore[no-untyped-def]
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


@njit(**OPTIONS)
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
def train_batches(  # type: ignore[no-untyped-def]
    part, parts, sync, contexts, table, ends, capacity, batch_size, first, last, order,
    gather_at, values, indices, indptr, loss_at, options, target, weight,
    alpha, decay, decay_factors, rates, rate_factors, update_at, scalars,
    theta, grad, state, work, arena, darena, moments, losses, penalties, batch_losses,
):  # fmt: skip
    """Train on batches first to last (exclusive) of an epoch, whose row numbers `order` gives."""
    ctx = contexts[part]
    step = ctx[STEP]
    for b in range(first, last):
        rows = order[b * batch_size : min(order.size, (b + 1) * batch_size)]
        n = rows.size
        ctx[STEP] = step + b - first
        total = _total_weight(weight, rows)
        scale = 1.0 / total if total > 0 else 0.0
        _prepare(part, parts, ctx, table, theta, work)
        x = _slot(arena, capacity, 0, n, ends[0])
        invoke(gather_at, (part, parts, values, indices, indptr, rows, x))
        _forward(part, parts, ctx, table, capacity, n, theta, state, work, arena)
        z = _slot(arena, capacity, ends[1], n, ends[2])
        dz = _slot(darena, capacity, ends[1], n, ends[2])
        invoke(loss_at, (part, parts, options, target, weight, rows, scale, z, dz, losses))
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] = scale * losses[:n].sum()
        buffers = (theta, grad, state, work, arena, darena)
        _gradient(part, parts, ctx, table, BACKWARD_AT, capacity, n, *buffers)
        barrier(sync, parts)
        _gradient(part, parts, ctx, table, WEIGHTS_AT, capacity, n, *buffers)
        barrier(sync, parts)
        _step(part, parts, decay, decay_factors, alpha * scale, rates, rate_factors,
              update_at, scalars[b - first], theta, grad, moments, penalties)  # fmt: skip
        barrier(sync, parts)
        if part == 0:
            batch_losses[b - first] += penalties.sum()


@kernel(_PREDICT)
def predict_rows(  # type: ignore[no-untyped-def]
    part, parts, sync, contexts, table, ends, capacity, order,
    gather_at, values, indices, indptr, theta, state, work, arenas, out,
):  # fmt: skip
    """Run rows `order` forward, a block at a time. Each part has its own rows and its own arena."""
    ctx, arena = contexts[part], arenas[part]
    lo, hi = share(order.size, part, parts, 1)
    for start in range(lo, hi, capacity):
        stop = min(hi, start + capacity)
        rows, n = order[start:stop], stop - start
        x = _slot(arena, capacity, 0, n, ends[0])
        invoke(gather_at, (0, 1, values, indices, indptr, rows, x))
        _forward(0, 1, ctx, table, capacity, n, theta, state, work[part], arena)
        y = _slot(arena, capacity, ends[1], n, ends[2])
        for i in range(n):
            for j in range(ends[2]):
                out[start + i, j] = y[i, j]


def allocate(size: int, dtype: str) -> np.ndarray:
    """Zeros that begin on a cache line."""
    item = np.dtype(dtype).itemsize
    raw = np.zeros(size * item + 64, dtype=np.uint8)
    offset = -raw.ctypes.data % 64
    return raw[offset : offset + size * item].view(dtype)


def _contexts(parts: int, seed: int, *, training: bool) -> np.ndarray:
    contexts = np.zeros((parts, CTX_SIZE), dtype=np.int64)
    contexts[:, SEED] = seed
    contexts[:, TRAINING] = training
    return contexts


@dataclass(frozen=True)
class Targets:
    """What the loss compares the output with.

    Attributes
    ----------
    loss_at : int
        Address of the loss kernel.
    options : ndarray of float64
        The loss's hyperparameters.
    values : ndarray of shape (n_samples, n_targets)
    weight : ndarray of shape (n_samples,) or (0,)
        Sample weights; empty where there are none.
    """

    loss_at: int
    options: np.ndarray
    values: np.ndarray
    weight: np.ndarray


@dataclass(frozen=True)
class Update:
    """What the optimizer does to the parameters in a run of batches.

    Attributes
    ----------
    kernel_at : int
        Address of the update kernel; 0 computes gradients and changes nothing.
    scalars : ndarray of shape (n_batches, n_scalars)
        The optimizer's numbers for each batch, the learning rate among them.
    moments : ndarray of shape (n_moments, n_theta)
        The optimizer's state.
    """

    kernel_at: int
    scalars: np.ndarray
    moments: np.ndarray


class Machine:
    """A program with its parameters, and the memory to train it in batches.

    Parameters
    ----------
    program : Program
    theta : ndarray of shape (n_theta,)
        Parameters, changed in place.
    state : ndarray of shape (n_state,)
        What layers remember that is not trained.
    capacity : int
        The largest batch. Memory grows with it, and not with the number of samples.
    alpha : float
        Strength of the L2 penalty; divided by the batch's sum of weights, as in scikit-learn.
    seed : int
        Key of the random numbers drawn inside kernels.
    n_jobs : int
        Number of threads. Results do not depend on it.
    """

    def __init__(
        self,
        program: Program,
        theta: np.ndarray,
        state: np.ndarray,
        capacity: int,
        *,
        alpha: float = 0.0,
        seed: int = 0,
        n_jobs: int = 1,
    ) -> None:
        self.program = program
        self.theta = theta
        self.state = state
        self.grad = allocate(program.n_theta, program.dtype)
        self.n_jobs = n_jobs
        self.capacity = -(-capacity // 16) * 16
        self.alpha = alpha
        self._contexts = _contexts(n_jobs, seed, training=True)
        self._arenas = [allocate(self.capacity * program.width, program.dtype) for _ in range(2)]
        self._work = allocate(program.n_work, program.dtype)
        self._losses = np.zeros(self.capacity)
        self._penalties = np.zeros(-(-program.n_theta // CHUNK))
        self._table = readonly(program.table[: program.n_trained])
        self._ends = readonly(np.array([program.input_width, *program.raw_slot], dtype=np.int64))
        spans = (*program.spans("decay"), *program.spans("rate"))
        self._spans = tuple(readonly(array) for array in spans)
        self._train = train_batches.compiled(program.dtype)

    def train(
        self,
        data: Source,
        targets: Targets,
        order: np.ndarray,
        batch_size: int,
        first: int,
        last: int,
        update: Update,
        step: int = 0,
    ) -> np.ndarray:
        """Train on batches `first` to `last` (exclusive) of an epoch.

        Parameters
        ----------
        data, targets : Source, Targets
        order : ndarray of int64
            Row numbers of the epoch, in the order of training.
        batch_size, first, last : int
        update : Update
        step : int
            Number of batches trained before, over all epochs.

        Returns
        -------
        losses : ndarray of shape (last - first,)
            Each batch's loss before its update, penalty included.
        """
        losses = np.empty(last - first)
        self._contexts[:, STEP] = step
        team.run(
            self._train, self.n_jobs, self._contexts, self._table, self._ends, self.capacity,
            batch_size, first, last, readonly(order),
            data.gather.address(self.program.dtype), data.values, data.indices, data.indptr,
            targets.loss_at, targets.options, targets.values, targets.weight,
            self.alpha, *self._spans, update.kernel_at, readonly(update.scalars),
            self.theta, self.grad, self.state, self._work, *self._arenas,
            update.moments, self._losses, self._penalties, losses,
        )  # fmt: skip
        return losses


#: Rows that prediction runs at a time in each thread: enough for the tiles, small in the cache.
PREDICT_ROWS = 256


def predict(
    program: Program,
    theta: np.ndarray,
    state: np.ndarray,
    data: Source,
    rows: np.ndarray | None = None,
    n_jobs: int = 1,
) -> np.ndarray:
    """Output of the network, after the link, for some rows of `data` (all of them by default).

    Returns
    -------
    out : ndarray of shape (n_rows, n_outputs)
    """
    order = np.arange(data.n_rows) if rows is None else rows
    out = np.empty((order.size, program.output_slot[1]), dtype=program.dtype)
    if order.size == 0:
        return out
    parts = min(n_jobs, -(-order.size // PREDICT_ROWS))
    capacity = min(PREDICT_ROWS, -(-order.size // 16) * 16)
    ends = np.array([program.input_width, *program.output_slot], dtype=np.int64)
    arenas = allocate(parts * capacity * program.width, program.dtype).reshape(parts, -1)
    work = np.zeros((parts, 0), dtype=program.dtype)
    team.run(
        predict_rows.compiled(program.dtype), parts, _contexts(parts, 0, training=False),
        readonly(program.table), readonly(ends), capacity, readonly(order),
        data.gather.address(program.dtype), data.values, data.indices, data.indptr,
        readonly(theta), readonly(state), work, arenas, out,
    )  # fmt: skip
    return out
