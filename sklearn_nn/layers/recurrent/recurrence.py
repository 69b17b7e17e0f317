"""What recurrences share: where their steps lie, and what goes from one to the next.

A recurrent layer is two instructions. The first goes from step to step, and writes ``x W`` of some
steps at a time before it comes to them (see recurrent_projection.py); the second hands on what is
asked for (see recurrent_output.py). Between them lies the *tape*: of each row a stretch for every
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
The gradient of the tape is that of h, and is complete at step t once that of step t + 1 has been
added to it. The gradients of what gates saw take the gates' place in the tape itself, which nobody
reads again; so less memory is written. (SimpleRNN has no gates: there it takes that of h's.)

Rows are each by themselves, so some at a time go through all their steps: what a step writes is
still in the first cache when the next line reads it. All rows of a batch go to the end of the
longest; behind its own end a row's values are never handed on, and the gradient is zero. Where the
activation within the cell has no bounds, the values there are zero, too.

Steps of the tape are in the order of the recurrence, which is that of x turned round where the
layer goes backwards. Where batches go on where those before ended, the tape has a last stretch, in
which a row's state after its last step waits for the next batch.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.blocks import BLOCK, LINE
from sklearn_nn.jit.contract import contract, contract_and_fetch
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import CONTINUES, LENGTHS, PREPARE, SEED, STEP, TRAINING
from sklearn_nn.layers.convolution.convolve import BIAS_GRAIN
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: features, units, the most steps, columns of R, and the clock. Of a
# stretch its width, where in it the state begins, where h, and where that is which h R reads in
# training. Whether it goes backwards, hands on h of all steps, and remembers the state. Of dropout
# the layer's number, the threshold and the factor. The cell's activation (see
# recurrent_activation.py). Parameters are W, R and the biases.
FEATURES, UNITS, STEPS, SIZE, OFFSET, STRIDE, WIDTH, STATE, HOME, MASKED = range(10)
TURNED, RETURNS_ALL, REMEMBERS, DRAWS, THRESHOLD, FACTOR, ACTIVATION = range(10, 17)

#: Rows that go through all their steps together, at most: those of two tiles of the contraction if
#: their stretches fit into the first cache (so many numbers), else those of one.
_TILE, _CACHED = 14, 28 * 400
#: Each step back asks for what the next ones read, of some rows: the first is so many rows on.
_TURN = 5


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
def is_ragged(ctx, op):
    """Whether rows are of unequal length."""
    return op[STRIDE] != 0 and ctx[LENGTHS] != 0


@njit(**INLINED_OPTIONS)
def own(ctx, op, row):
    """Steps of a row."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], row, op[STEPS])


@njit(**INLINED_OPTIONS)
def goes_on(ctx, op):
    """Whether rows begin with what is remembered of the batch before."""
    return op[REMEMBERS] != 0 and ctx[CONTINUES] != 0


@njit(**INLINED_OPTIONS)
def _is_masked(ctx, op):
    """Whether h R reads h times a mask."""
    return op[MASKED] != op[HOME] and ctx[TRAINING] != 0


@njit(**INLINED_OPTIONS)
def read_at(ctx, op):
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
        if goes_on(ctx, op):
            remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
            copy(remembered, state)
        else:
            clear(state)
    if goes_on(ctx, op):
        mask(ctx, op, y, 0, lo, hi)


@njit(**INLINED_OPTIONS)
def remember(ctx, op, y, lo, hi):
    """Keep the state after each row's last step for the next batch."""
    size = op[HOME] + op[UNITS] - op[STATE]
    for i in range(lo, hi if op[REMEMBERS] else lo):
        steps = own(ctx, op, i)
        at = i * y.shape[1] + op[STATE]
        state = vector(y, at + steps * op[WIDTH], size)
        remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
        copy(state, remembered)


@njit(**INLINED_OPTIONS)
def add_recurrent(ctx, op, theta, y, t, lo, hi, column, target, size):
    """Add h R of so many columns to what is in the stretch of step t from `target` on.

    h is that of the step before; where it is zero, since nothing came before, nothing is done.
    """
    row = y.shape[1]
    if t > 1 or goes_on(ctx, op):
        at = lo * row + t * op[WIDTH]
        contract(
            vector(y, at - op[WIDTH] + read_at(ctx, op), 1), row, 1, 0,
            vector(theta, op[FEATURES] * op[SIZE] + column, 1), op[SIZE], 0,
            vector(y, at + target, 1), row, hi - lo, size, op[UNITS], 1, 1,
        )  # fmt: skip


@njit(**INLINED_OPTIONS)
def carry(ctx, op, work, saw, dy, t, lo, hi, column, source, size, is_last):
    """Add the gradient of what some gates of step t saw to that of h at the step before.

    `column` is that of R, whose transpose is in `work`, and `source` where the gates lie in `saw`.
    With `is_last`, it is the step's last call. What came before the first step gets no gradient.
    Meanwhile the stretches of the steps before that one are asked for.
    """
    if t == 1:
        return
    row, units = dy.shape[1], op[UNITS]
    at, masked = lo * row + t * op[WIDTH], _is_masked(ctx, op)
    before = at - op[WIDTH] + read_at(ctx, op)
    run = min(size, BLOCK) * LINE // dy.itemsize
    contract_and_fetch(
        vector(saw, max(at - run, 0), 1), row, t * _TURN % (hi - lo),
        vector(saw, at + source, 1), row, 1, 0, vector(work, column * units, 1), units, 0,
        vector(dy, before, 1), row, hi - lo, units, size, 1, 0 if masked and column == 0 else 1,
    )  # fmt: skip
    if is_last and masked:
        _unmask(ctx, op, dy, t - 1, lo, hi)


@njit(**INLINED_OPTIONS)
def open_gradient(ctx, op, dy, t, lo, hi):
    """Make the gradient of h of step t zero before it is added to, where h is not handed on."""
    if not op[RETURNS_ALL]:
        for i in range(lo, hi):
            if own(ctx, op, i) != t:
                clear(vector(dy, i * dy.shape[1] + t * op[WIDTH] + op[HOME], op[UNITS]))


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
    """work = R^T, then W^T. Owners: rows of R and of W."""
    features, units, size = op[FEATURES], op[UNITS], op[SIZE]
    lo, hi = share(units, part, parts, BIAS_GRAIN)
    recurrent = matrix(theta, features * size, units, size)
    transpose(recurrent, matrix(work, 0, size, units), lo, hi)
    lo, hi = share(features, part, parts, BIAS_GRAIN)
    transpose(matrix(theta, 0, features, size), matrix(work, units * size, size, features), lo, hi)
