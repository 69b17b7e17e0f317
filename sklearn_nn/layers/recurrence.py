"""What recurrences share: where their steps lie, and what goes from one to the next.

A recurrent layer is three instructions. The first writes ``x W`` of every step (see
recurrent_projection.py), the second goes from step to step, the third hands on what is asked for
(see recurrent_output.py). All three work on one slot, the *tape*: of each row a stretch for every
step, and one before the first, of which h and c are those that the recurrence begins with.

=========  ============================================  ================
cell       stretch of the tape, in units                 what x W becomes
=========  ============================================  ================
SimpleRNN  h                                             h
LSTM       i, f, g, o, c, h                              i, f, g, o
GRU        z, r, hh, the recurrent part of hh, h         z, r, hh
=========  ============================================  ================

With recurrent dropout there is one place more, for h times its mask, which h R then reads. So what
the next step and the gradients read is found where it was made, and no row's memory is another's.
The gradient of the tape is complete at step t once that of step t + 1 has been added to it; the
gradients of what gates saw then take the gates' place.

Rows are each by themselves, so some at a time go through all their steps: what a step writes is
still in the first cache when the next line reads it. All rows of a batch go to the end of the
longest; behind its own end a row's values are never handed on, and the gradient is zero.

Steps of the tape are in the order of the recurrence, which is that of x turned round where the
layer goes backwards. Where batches go on where those before ended, the tape has a last stretch, in
which a row's state after its last step waits for the next batch.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import CONTINUES, PREPARE, SEED, STEP, TRAINING
from sklearn_nn.layers.convolve import BIAS_GRAIN, add_places
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: units, the most steps, columns of R, and the clock. Of a stretch its
# width, where in it the state begins, where h, and where that is which h R reads in training.
# Whether the state is remembered. Of dropout the layer's number, the threshold and the factor.
UNITS, STEPS, SIZE, OFFSET, STRIDE, WIDTH, STATE, HOME, MASKED = range(9)
REMEMBERS, DRAWS, THRESHOLD, FACTOR = range(9, 13)

#: Rows that go through all their steps together, at most: those of two tiles of the contraction if
#: their stretches fit into the first cache (so many numbers), else those of one.
_TILE, _CACHED = 14, 28 * 400
# Columns are dealt out in multiples of this: a tile's width.
_COLUMN_GRAIN = 32


@njit(**INLINED_OPTIONS)
def rows_together(op, rows):
    """How many of so many rows go through their steps together: about as many in every block."""
    most = 2 * _TILE if 2 * _TILE * op[WIDTH] <= _CACHED else _TILE
    blocks = max((rows + most - 1) // most, 1)
    return max((rows + blocks - 1) // blocks, 1)


@njit(**INLINED_OPTIONS)
def last_step(ctx, op):
    """The batch's last step, which are numbered from 1."""
    return longest(ctx, op[OFFSET], op[STRIDE], op[STEPS])


@njit(**INLINED_OPTIONS)
def _goes_on(ctx, op):
    """Whether rows begin with what is remembered of the batch before."""
    return op[REMEMBERS] != 0 and ctx[CONTINUES] != 0


@njit(**INLINED_OPTIONS)
def _is_masked(ctx, op):
    """Whether h R reads h times a mask."""
    return op[MASKED] != op[HOME] and ctx[TRAINING] != 0


@njit(**INLINED_OPTIONS)
def _read(ctx, op):
    """Where in a stretch that is which h R reads."""
    return op[MASKED] if _is_masked(ctx, op) else op[HOME]


@njit(**INLINED_OPTIONS)
def mask(ctx, op, y, t, lo, hi):
    """h of step t times the mask, one for each row of the batch, where h R is to read it."""
    if not _is_masked(ctx, op):
        return
    units, factor = op[UNITS], like(y[0, 0], real(op[FACTOR]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[DRAWS], i)
        at = i * y.shape[1] + t * op[WIDTH]
        h, masked = vector(y, at + op[HOME], units), vector(y, at + op[MASKED], units)
        for j in range(units):
            keep = random_bits(key, j) >= op[THRESHOLD]
            masked[j] = h[j] * factor if keep else like(factor, 0)


@njit(**INLINED_OPTIONS)
def begin(ctx, op, y, lo, hi):
    """The state before the first step: zeros, or what is remembered."""
    size = op[HOME] + op[UNITS] - op[STATE]
    for i in range(lo, hi):
        at = i * y.shape[1] + op[STATE]
        state = vector(y, at, size)
        if _goes_on(ctx, op):
            remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
            copy(remembered, state)
        else:
            clear(state)
    if _goes_on(ctx, op):
        mask(ctx, op, y, 0, lo, hi)


@njit(**INLINED_OPTIONS)
def remember(ctx, op, y, lo, hi):
    """Keep the state after each row's last step for the next batch."""
    size = op[HOME] + op[UNITS] - op[STATE]
    for i in range(lo, hi if op[REMEMBERS] else lo):
        own = own_steps(ctx, op[OFFSET], op[STRIDE], i, op[STEPS])
        at = i * y.shape[1] + op[STATE]
        state = vector(y, at + own * op[WIDTH], size)
        remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
        copy(state, remembered)


@njit(**INLINED_OPTIONS)
def add_recurrent(ctx, op, theta, y, t, lo, hi, column, target, size):
    """Add h R of so many columns to what is in the stretch of step t from `target` on.

    h is that of the step before; where it is zero, since nothing came before, nothing is done.
    """
    row = y.shape[1]
    if t > 1 or _goes_on(ctx, op):
        at = lo * row + t * op[WIDTH]
        contract(
            vector(y, at - op[WIDTH] + _read(ctx, op), 1), row, 1, 0,
            vector(theta, column, 1), op[SIZE], 0,
            vector(y, at + target, 1), row, hi - lo, size, op[UNITS], 1, 1,
        )  # fmt: skip


@njit(**INLINED_OPTIONS)
def carry(ctx, op, work, dy, t, lo, hi, column, source, size, is_last):
    """Add the gradient of what some gates of step t saw to that of h at the step before.

    `column` is that of R, whose transpose is `work`, and `source` where the gates lie. With
    `is_last`, it is the step's last call. What came before the first step gets no gradient.
    """
    if t == 1:
        return
    row, units = dy.shape[1], op[UNITS]
    at, masked = lo * row + t * op[WIDTH], _is_masked(ctx, op)
    before = at - op[WIDTH] + _read(ctx, op)
    contract(
        vector(dy, at + source, 1), row, 1, 0, vector(work, column * units, 1), units, 0,
        vector(dy, before, 1), row, hi - lo, units, size, 1, 0 if masked and column == 0 else 1,
    )  # fmt: skip
    if is_last and masked:
        _unmask(ctx, op, dy, t - 1, lo, hi)


@njit(**INLINED_OPTIONS)
def _unmask(ctx, op, dy, t, lo, hi):
    """Add the gradient of h times its mask to that of h."""
    units, factor = op[UNITS], like(dy[0, 0], real(op[FACTOR]))
    for i in range(lo, hi):
        key = stream(ctx[SEED], ctx[STEP], op[DRAWS], i)
        at = i * dy.shape[1] + t * op[WIDTH]
        dh, masked = vector(dy, at + op[HOME], units), vector(dy, at + op[MASKED], units)
        for j in range(units):
            keep = random_bits(key, j) >= op[THRESHOLD]
            dh[j] += masked[j] * factor if keep else like(factor, 0)


@kernel(PREPARE)
def recurrent_prepare(ctx, op, part, parts, theta, work):
    """work = R^T. Owners: rows of R."""
    units, size = op[UNITS], op[SIZE]
    lo, hi = share(units, part, parts, BIAS_GRAIN)
    transpose(matrix(theta, 0, units, size), matrix(work, 0, size, units), lo, hi)


@njit(**INLINED_OPTIONS)
def owned_columns(size, part, parts):
    """The columns of W, R or b that a part owns: it reads no others of the gates' gradient."""
    return share(size, part, parts, _COLUMN_GRAIN)


@njit(**INLINED_OPTIONS)
def recurrent_kernel(ctx, op, y, dy, grad, lo, hi, shift):
    """Columns lo to hi of dR: the sum over steps and rows of h^T times what the gates saw.

    That of column j lies in place ``j + shift`` of a stretch.
    """
    first = 1 if _goes_on(ctx, op) else 2
    at = first * op[WIDTH]
    contract(
        vector(y, at - op[WIDTH] + _read(ctx, op), 1), 1, op[WIDTH], y.shape[1],
        vector(dy, at + lo + shift, 1), op[WIDTH], dy.shape[1],
        vector(grad, lo, 1), op[SIZE],
        op[UNITS], hi - lo, last_step(ctx, op) - first + 1, y.shape[0], 0,
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def bias_columns(ctx, op, dy, grad, lo, hi, shift, start):
    """Columns lo to hi of a bias from `start` on: the sum over steps and rows of their gradient.

    That of column j lies in place ``j + shift`` of a stretch.
    """
    db = vector(grad, start + lo, max(hi - lo, 0))
    clear(db)
    for i in range(dy.shape[0]):
        places = matrix(dy, i * dy.shape[1] + op[WIDTH], last_step(ctx, op), op[WIDTH])
        add_places(places, lo + shift, db)


@njit(**INLINED_OPTIONS)
def recurrent_kernel_and_bias(ctx, op, part, parts, y, dy, grad):
    """dR and db where x W and h R are just added. Owners: columns."""
    lo, hi = owned_columns(op[SIZE], part, parts)
    recurrent_kernel(ctx, op, y, dy, grad, lo, hi, 0)
    bias_columns(ctx, op, dy, grad, lo, hi, 0, op[UNITS] * op[SIZE])
