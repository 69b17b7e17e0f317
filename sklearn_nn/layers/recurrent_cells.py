"""Kernels of recurrent cells, and how what they remember lies in a slot.

A recurrent layer is three instructions. The first is ``x W`` for all steps, a convolution of one
cell; its kernels are those of layers/convolve.py. The second goes from step to step; it keeps what
backward needs in a *tape*, a slot of one stretch for each step:

=========  ===========================================  =====================
cell       stretch of the tape, in units                gates of kernel and x
=========  ===========================================  =====================
SimpleRNN  h                                            h
LSTM       i, f, g, o, c, h                             i, f, g, o
GRU        z, r, the recurrent part of hh, hh, h        z, r, hh
=========  ===========================================  =====================

The third takes h off the tape. So h is found where the next step and the gradient of the recurrent
kernel read it, and every kernel writes its own outputs only. Backward goes back from step to step;
the tape's gradient is complete at step t once that of step t + 1 has been added to it, which is
done where it lies: nobody else reads it. What x W gets of it is dx.

Steps of the tape are in the order of the recurrence, which is that of x turned round where the
layer goes backwards.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.functions import sigmoid, tanh
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, PREPARE, owned_rows
from sklearn_nn.layers.convolve import BIAS_GRAIN, add_places

# An instruction's geometry: units, steps, whether it goes backwards, gates; a stretch of the tape,
# where in it h begins, and the first step whose h is handed on.
UNITS, STEPS, TURNED, GATES, WIDTH, HOME, FIRST = range(7)

# Rows of the recurrent kernel are dealt out in multiples of this: a tile's height.
_WEIGHT_GRAIN = 8


@njit(**INLINED_OPTIONS)
def _place(op, t):
    """Where step t of the recurrence begins in a row of x."""
    step = op[STEPS] - 1 - t if op[TURNED] else t
    return step * op[GATES] * op[UNITS]


@njit(**INLINED_OPTIONS)
def _recur(op, t, theta, addend, start, stride, y, lo, hi):
    """What the gates of step t see: an addend and h R, for rows [lo, hi); h is 0 before step 0."""
    units, row, size = op[UNITS], y.shape[1], op[GATES] * op[UNITS]
    before = lo * row + max(t - 1, 0) * op[WIDTH] + op[HOME]
    contract_onto(
        vector(addend, start, 1), stride, vector(y, before, 1), row, 1, 0, theta, size, 0,
        vector(y, lo * row + t * op[WIDTH], 1), row, hi - lo, size, units if t else 0, 1,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _carry(op, t, work, of_gates, start, dy, lo, hi):
    """Add the gradient of what the gates of step t saw to that of h at the step before."""
    row, units = dy.shape[1], op[UNITS]
    if t > 0:
        h = lo * row + (t - 1) * op[WIDTH] + op[HOME]
        contract(
            vector(of_gates, lo * of_gates.shape[1] + start, 1), of_gates.shape[1], 1, 0,
            work, units, 0, vector(dy, h, 1), row, hi - lo, units, op[GATES] * units, 1, 1,
        )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _sigmoids(gate, bias):
    """gate = sigmoid(gate + bias)."""
    for j in range(gate.size):
        gate[j] = sigmoid(gate[j] + bias[j])


@njit(**INLINED_OPTIONS)
def _tanhs(gate, bias):
    """gate = tanh(gate + bias)."""
    for j in range(gate.size):
        gate[j] = tanh(gate[j] + bias[j])


@kernel(PREPARE)
def recurrent_prepare(ctx, op, part, parts, theta, work):
    """work = R^T. Owners: rows of R."""
    units, size = op[UNITS], op[GATES] * op[UNITS]
    lo, hi = share(units, part, parts, BIAS_GRAIN)
    transpose(matrix(theta, 0, units, size), matrix(work, 0, size, units), lo, hi)


@njit(**INLINED_OPTIONS)
def _weights(op, part, parts, of_gates, start, step, y, grad):
    """dR = sum over steps and rows of the batch of h^T times the gradient of what the gates saw.

    That of step 1 lies at `start`, and `step` further on that of the next. Owners: rows of R.
    """
    units, size = op[UNITS], op[GATES] * op[UNITS]
    lo, hi = share(units, part, parts, _WEIGHT_GRAIN)
    contract(
        vector(y, op[HOME] + lo, 1), 1, op[WIDTH], y.shape[1],
        vector(of_gates, start, 1), step, of_gates.shape[1],
        vector(grad, lo * size, 1), size, hi - lo, size, op[STEPS] - 1, y.shape[0], 0,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _bias(op, part, parts, of_gates, width, grad, start):
    """db = sum over steps and rows of a gradient, `width` apart. Owners: columns."""
    lo, hi = share(op[GATES] * op[UNITS], part, parts, BIAS_GRAIN)
    db = vector(grad, start + lo, hi - lo)
    for j in range(db.size):
        db[j] = 0
    add_places(matrix(of_gates, 0, of_gates.size // width, width), lo, db)


@kernel(BACKWARD)
def recurrent_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dR and db where x W and h R are just added. Owners: rows of R, columns of b."""
    units, size = op[UNITS], op[GATES] * op[UNITS]
    _weights(op, part, parts, dx, _place(op, 1), -size if op[TURNED] else size, y, grad)
    _bias(op, part, parts, dx, size, grad, units * size)


# --- SimpleRNN ----------------------------------------------------------------------------------


@kernel(FORWARD)
def simple_forward(ctx, op, part, parts, theta, state, work, x, y):
    """h = tanh(x W + h R + b), step by step. Owners: rows of the batch."""
    units, row = op[UNITS], x.shape[1]
    lo, hi = owned_rows(x, part, parts)
    bias = vector(theta, units * units, units)
    for t in range(op[STEPS]):
        _recur(op, t, theta, x, lo * row + _place(op, t), row, y, lo, hi)
        for i in range(lo, hi):
            _tanhs(vector(y, i * row + t * units, units), bias)


@kernel(BACKWARD)
def simple_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dh (1 - h^2), and on from there to the step before. Owners: rows of the batch."""
    units, row = op[UNITS], x.shape[1]
    lo, hi = owned_rows(x, part, parts)
    one = like(theta[0], 1)
    for t in range(op[STEPS] - 1, -1, -1):
        for i in range(lo, hi):
            h, dh = (
                vector(y, i * row + t * units, units),
                vector(dy, i * row + t * units, units),
            )
            da = vector(dx, i * row + _place(op, t), units)
            for j in range(units):
                da[j] = dh[j] * (one - h[j] * h[j])
        _carry(op, t, work, dx, _place(op, t), dy, lo, hi)


# --- LSTM ---------------------------------------------------------------------------------------


@njit(**INLINED_OPTIONS)
def _lstm_cell(y, at, units, t, bias):
    """The stretch of step t, whose gates are not activated yet, at `at`."""
    _sigmoids(vector(y, at, 2 * units), bias)
    _tanhs(vector(y, at + 2 * units, units), vector(bias, 2 * units, units))
    _sigmoids(vector(y, at + 3 * units, units), vector(bias, 3 * units, units))
    i, f = vector(y, at, units), vector(y, at + units, units)
    g, o = vector(y, at + 2 * units, units), vector(y, at + 3 * units, units)
    c, h = vector(y, at + 4 * units, units), vector(y, at + 5 * units, units)
    for j in range(units):
        c[j] = i[j] * g[j]
    if t > 0:
        before = vector(y, at - 2 * units, units)
        for j in range(units):
            c[j] += f[j] * before[j]
    for j in range(units):
        h[j] = o[j] * tanh(c[j])


@kernel(FORWARD)
def lstm_forward(ctx, op, part, parts, theta, state, work, x, y):
    """c = f c + i g and h = o tanh(c), step by step. Owners: rows of the batch."""
    units, row = op[UNITS], x.shape[1]
    lo, hi = owned_rows(x, part, parts)
    bias = vector(theta, 4 * units * units, 4 * units)
    for t in range(op[STEPS]):
        _recur(op, t, theta, x, lo * row + _place(op, t), row, y, lo, hi)
        for i in range(lo, hi):
            _lstm_cell(y, i * y.shape[1] + t * op[WIDTH], units, t, bias)


@njit(**INLINED_OPTIONS)
def _lstm_cell_backward(y, dy, at, units, t, dx, place):
    """dx of step t, and the gradient of c at the step before; those of h and c are complete."""
    one = like(y[0, 0], 1)
    i, f = vector(y, at, units), vector(y, at + units, units)
    g, o = vector(y, at + 2 * units, units), vector(y, at + 3 * units, units)
    c, h = vector(y, at + 4 * units, units), vector(y, at + 5 * units, units)
    dc, dh = vector(dy, at + 4 * units, units), vector(dy, at + 5 * units, units)
    di, df = vector(dx, place, units), vector(dx, place + units, units)
    dg, do = vector(dx, place + 2 * units, units), vector(dx, place + 3 * units, units)
    for j in range(units):
        dc[j] += dh[j] * (o[j] - h[j] * tanh(c[j]))
    for j in range(units):
        do[j] = dh[j] * h[j] * (one - o[j])
    for j in range(units):
        di[j] = dc[j] * g[j] * i[j] * (one - i[j])
    for j in range(units):
        dg[j] = dc[j] * i[j] * (one - g[j] * g[j])
    if t == 0:
        for j in range(units):
            df[j] = 0
        return
    before, d_before = vector(y, at - 2 * units, units), vector(dy, at - 2 * units, units)
    for j in range(units):
        df[j] = dc[j] * before[j] * f[j] * (one - f[j])
    for j in range(units):
        d_before[j] = dc[j] * f[j]


@kernel(BACKWARD)
def lstm_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx, the gradient of what the gates saw, from the last step on. Owners: rows of the batch."""
    units, last = op[UNITS], op[STEPS] - 1
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        dc = vector(dy, i * dy.shape[1] + last * op[WIDTH] + 4 * units, units)
        for j in range(units):
            dc[j] = 0
    for t in range(last, -1, -1):
        for i in range(lo, hi):
            at, place = i * y.shape[1] + t * op[WIDTH], i * x.shape[1] + _place(op, t)
            _lstm_cell_backward(y, dy, at, units, t, dx, place)
        _carry(op, t, work, dx, _place(op, t), dy, lo, hi)


# --- GRU ----------------------------------------------------------------------------------------


@njit(**INLINED_OPTIONS)
def _gru_cell(y, at, units, t, x, place, bias):
    """The stretch of step t at `at`: it holds h R and its bias where gates will be."""
    gates, seen = vector(y, at, 2 * units), vector(x, place, 2 * units)
    for j in range(2 * units):
        gates[j] = sigmoid(gates[j] + (seen[j] + bias[j]))
    z, r = vector(y, at, units), vector(y, at + units, units)
    q, hh = vector(y, at + 2 * units, units), vector(y, at + 3 * units, units)
    h = vector(y, at + 4 * units, units)
    seen_h, bias_h = vector(x, place + 2 * units, units), vector(bias, 2 * units, units)
    for j in range(units):
        hh[j] = tanh(seen_h[j] + bias_h[j] + r[j] * q[j])
    for j in range(units):
        h[j] = hh[j] - z[j] * hh[j]
    if t > 0:
        before = vector(y, at - units, units)
        for j in range(units):
            h[j] += z[j] * before[j]


@kernel(FORWARD)
def gru_forward(ctx, op, part, parts, theta, state, work, x, y):
    """h = z h + (1 - z) hh, step by step. Owners: rows of the batch."""
    units = op[UNITS]
    size = 3 * units
    lo, hi = owned_rows(x, part, parts)
    bias = vector(theta, units * size, size)
    for t in range(op[STEPS]):
        _recur(op, t, theta, theta, (units + 1) * size, 0, y, lo, hi)
        for i in range(lo, hi):
            at, place = i * y.shape[1] + t * op[WIDTH], i * x.shape[1] + _place(op, t)
            _gru_cell(y, at, units, t, x, place, bias)


@njit(**INLINED_OPTIONS)
def _gru_cell_backward(y, dy, at, units, t, dx, place):
    """Gradients of what the gates of step t saw: of x in dx, of h in dy where the gates are."""
    one = like(y[0, 0], 1)
    z, r = vector(y, at, units), vector(y, at + units, units)
    q, hh = vector(y, at + 2 * units, units), vector(y, at + 3 * units, units)
    dh = vector(dy, at + 4 * units, units)
    dz, dr = vector(dx, place, units), vector(dx, place + units, units)
    dhh, dq = vector(dx, place + 2 * units, units), vector(dy, at + 2 * units, units)
    for j in range(units):
        dz[j] = -dh[j] * hh[j] * z[j] * (one - z[j])
    if t > 0:
        before, d_before = vector(y, at - units, units), vector(dy, at - units, units)
        for j in range(units):
            dz[j] = dh[j] * (before[j] - hh[j]) * z[j] * (one - z[j])
        for j in range(units):
            d_before[j] += dh[j] * z[j]
    for j in range(units):
        dhh[j] = dh[j] * (one - z[j]) * (one - hh[j] * hh[j])
    for j in range(units):
        dr[j] = dhh[j] * q[j] * r[j] * (one - r[j])
    for j in range(units):
        dq[j] = dhh[j] * r[j]
    both, copy = vector(dx, place, 2 * units), vector(dy, at, 2 * units)
    for j in range(2 * units):
        copy[j] = both[j]


@kernel(BACKWARD)
def gru_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx, the gradient of x W, from the last step on. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    for t in range(op[STEPS] - 1, -1, -1):
        for i in range(lo, hi):
            at, place = i * y.shape[1] + t * op[WIDTH], i * x.shape[1] + _place(op, t)
            _gru_cell_backward(y, dy, at, op[UNITS], t, dx, place)
        _carry(op, t, work, dy, t * op[WIDTH], dy, lo, hi)


@kernel(BACKWARD)
def gru_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dR and db, of x W and of h R. Owners: rows of R, columns of b."""
    units, size = op[UNITS], 3 * op[UNITS]
    _weights(op, part, parts, dy, op[WIDTH], op[WIDTH], y, grad)
    _bias(op, part, parts, dx, size, grad, units * size)
    _bias(op, part, parts, dy, op[WIDTH], grad, (units + 1) * size)


# --- what the layer hands on --------------------------------------------------------------------


@kernel(FORWARD)
def take_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = h of the last step, or of all. Owners: rows of the batch."""
    units, first = op[UNITS], op[FIRST]
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for t in range(first, op[STEPS]):
            h = vector(x, i * x.shape[1] + t * op[WIDTH] + op[HOME], units)
            copy = vector(y, i * y.shape[1] + (t - first) * units, units)
            for j in range(units):
                copy[j] = h[j]


@kernel(BACKWARD)
def take_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx of h = dy, 0 at steps not handed on; no other of dx is read. Owners: rows of the batch."""
    units, first = op[UNITS], op[FIRST]
    lo, hi = owned_rows(x, part, parts)
    for i in range(lo, hi):
        for t in range(op[STEPS]):
            dh = vector(dx, i * dx.shape[1] + t * op[WIDTH] + op[HOME], units)
            if t < first:
                for j in range(units):
                    dh[j] = 0
                continue
            given = vector(dy, i * dy.shape[1] + (t - first) * units, units)
            for j in range(units):
                dh[j] = given[j]
