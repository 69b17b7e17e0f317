"""The tape of a recurrent layer: layout of its steps, initial and final state, dropout masks.

A recurrent layer is two instructions. The first runs the recurrence step by step, and writes
``x W`` of a few steps at a time (see products.py); the second copies the output (see layers.py).
Between them lies the *tape*: for each row a *record* of every step, and one before the first step,
which holds the initial h and c.

=========  ==========================================  ===============
cell       record of a step, in units                  target of x W
=========  ==========================================  ===============
SimpleRNN  h                                           h
LSTM       i, f, g, o, c, h                            i, f, g, o
GRU        z, r, hh, the recurrent part of hh, h       z, r, hh
=========  ==========================================  ===============

With recurrent dropout, a record also holds h times its mask, which h R reads. The gradient of the
tape is that of h; it is complete at step t once that of step t + 1 has been added. The gradients of
the gates' inputs overwrite the gates in the tape, which nothing reads again, to save memory
traffic. (SimpleRNN has no gates: they overwrite those of h.)

Rows are independent. A few of them go through all steps together, so that what one step writes is
still in the first-level cache when the next step reads it. All rows go to the last step of the
batch's longest row; values after the end of a row are not output, and their gradient is zero. If
the activation of the cell is unbounded, they are set to zero.

Steps of the tape are in the order of the recurrence, which is reversed if the layer goes backwards.
If batches may continue the previous ones, the tape has one more record, which stores the state of
each row after its last step for the next batch.
"""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import like, real
from sklearn_nn.jit.random import random_bits, stream
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import CONTINUES, LENGTHS, SEED, STEP, TRAINING
from sklearn_nn.layers.lengths import longest, own_steps
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry: features, units, maximal number of steps, columns of R, the clock;
# width of a record, and in it the places of the state, of h, and of what h R reads in training;
# whether it goes backwards, outputs h of all steps, and stores the state; of dropout the key, the
# threshold and the factor; the number of the cell's activation. Parameters are W, R and the biases.
FEATURES, UNITS, STEPS, SIZE, OFFSET, STRIDE, WIDTH, STATE, HOME, MASKED = range(10)
TURNED, RETURNS_ALL, REMEMBERS, DRAWS, THRESHOLD, FACTOR, ACTIVATION = range(10, 17)

#: Rows that go through all steps together, at most: those of two tiles of the contraction if their
#: records fit into the first-level cache (this many numbers), else those of one tile.
_TILE, _CACHED = 14, 28 * 400


@njit(**INLINED_OPTIONS)
def rows_together(op, rows):
    """Return how many of `rows` rows go through their steps together, in blocks of similar size."""
    most = 2 * _TILE if 2 * _TILE * op[WIDTH] <= _CACHED else _TILE
    blocks = max((rows + most - 1) // most, 1)
    return max((rows + blocks - 1) // blocks, 1)


@njit(**INLINED_OPTIONS)
def last_step(ctx, op):
    """Return the number of steps of the batch's longest row. Steps are numbered from 1."""
    return longest(ctx, op[OFFSET], op[STRIDE], op[STEPS])


@njit(**INLINED_OPTIONS)
def is_ragged(ctx, op):
    """Return whether rows are of unequal length."""
    return op[STRIDE] != 0 and ctx[LENGTHS] != 0


@njit(**INLINED_OPTIONS)
def own(ctx, op, row):
    """Return the number of steps of a row."""
    return own_steps(ctx, op[OFFSET], op[STRIDE], row, op[STEPS])


@njit(**INLINED_OPTIONS)
def goes_on(ctx, op):
    """Return whether rows begin with the stored state of the previous batch."""
    return op[REMEMBERS] != 0 and ctx[CONTINUES] != 0


@njit(**INLINED_OPTIONS)
def is_masked(ctx, op):
    """Return whether h R reads h times a mask."""
    return op[MASKED] != op[HOME] and ctx[TRAINING] != 0


@njit(**INLINED_OPTIONS)
def read_at(ctx, op):
    """Return the place in a record that h R reads."""
    return op[MASKED] if is_masked(ctx, op) else op[HOME]


@njit(**INLINED_OPTIONS)
def mask(ctx, op, y, t, rows):
    """Write h of step t times the mask of its row to the place that h R reads."""
    if not is_masked(ctx, op):
        return
    units, factor = op[UNITS], like(y[0, 0], real(op[FACTOR]))
    for i in range(rows[0], rows[1]):
        key = stream(ctx[SEED], ctx[STEP], op[DRAWS], i)
        at = i * y.shape[1] + t * op[WIDTH]
        h, masked = vector(y, at + op[HOME], units), vector(y, at + op[MASKED], units)
        for j in range(units):
            keep = random_bits(key, j) >= op[THRESHOLD]
            masked[j] = h[j] * factor if keep else like(factor, 0)


@njit(**INLINED_OPTIONS)
def unmask(ctx, op, dy, t, rows):
    """Add the gradient of h times its mask to that of h, for step t > 0."""
    if t == 0 or not is_masked(ctx, op):
        return
    units, factor = op[UNITS], like(dy[0, 0], real(op[FACTOR]))
    for i in range(rows[0], rows[1]):
        key = stream(ctx[SEED], ctx[STEP], op[DRAWS], i)
        at = i * dy.shape[1] + t * op[WIDTH]
        dh, masked = vector(dy, at + op[HOME], units), vector(dy, at + op[MASKED], units)
        for j in range(units):
            keep = random_bits(key, j) >= op[THRESHOLD]
            dh[j] += masked[j] * factor if keep else like(factor, 0)


@njit(**INLINED_OPTIONS)
def begin(ctx, op, y, rows):
    """Set the initial state: zeros, or the stored state."""
    size = op[HOME] + op[UNITS] - op[STATE]
    for i in range(rows[0], rows[1]):
        at = i * y.shape[1] + op[STATE]
        state = vector(y, at, size)
        if goes_on(ctx, op):
            remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
            copy(remembered, state)
        else:
            clear(state)
    if goes_on(ctx, op):
        mask(ctx, op, y, 0, rows)


@njit(**INLINED_OPTIONS)
def remember(ctx, op, y, rows):
    """Store the state after each row's last step for the next batch."""
    size = op[HOME] + op[UNITS] - op[STATE]
    for i in range(rows[0], rows[1] if op[REMEMBERS] else rows[0]):
        steps = own(ctx, op, i)
        at = i * y.shape[1] + op[STATE]
        state = vector(y, at + steps * op[WIDTH], size)
        remembered = vector(y, at + (op[STEPS] + 1) * op[WIDTH], size)
        copy(state, remembered)


@njit(**INLINED_OPTIONS)
def open_gradient(ctx, op, dy, t, rows):
    """Set the gradient of h of step t to zero where the step is not an output."""
    if not op[RETURNS_ALL]:
        for i in range(rows[0], rows[1]):
            if own(ctx, op, i) != t:
                clear(vector(dy, i * dy.shape[1] + t * op[WIDTH] + op[HOME], op[UNITS]))


@njit(**INLINED_OPTIONS)
def clear_place(op, y, at, rows):
    """Set the `units` numbers from `at` on to zero in each row."""
    for i in range(rows[0], rows[1]):
        clear(vector(y, i * y.shape[1] + at, op[UNITS]))
