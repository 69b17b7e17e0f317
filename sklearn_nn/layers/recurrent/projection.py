"""``x W`` of a recurrent layer: some steps at a time, just before the recurrence goes through them.

See recurrence.py for how steps lie in y, the tape. What is written for some rows and steps is still
in the second cache when the recurrence comes to it; written for all of them first, it would come
from memory. The same holds of the way back, where dx follows the recurrence.

Rows of the contraction are those of the batch and their steps. It may go by either first; of one
feature the steps of a row are a vector, which `contract` sums otherwise, so there it goes by those.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract, contract_groups
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.recurrent.recurrence import (
    FEATURES,
    SIZE,
    STEPS,
    TURNED,
    UNITS,
    WIDTH,
    is_ragged,
    last_step,
    own,
)
from sklearn_nn.layers.vectors import clear

#: Steps whose x W is computed together.
_TOGETHER = 8


@njit(**INLINED_OPTIONS)
def project(ctx, op, theta, x, y, t, lo, hi):
    """Where some steps begin with t, gates = x W in all of them, 0 in the padding."""
    if (t - 1) % _TOGETHER != 0:
        return
    features, size, width, row = op[FEATURES], op[SIZE], op[WIDTH], x.shape[1]
    count, back = min(_TOGETHER, last_step(ctx, op) + 1 - t), -features if op[TURNED] else features
    if is_ragged(ctx, op):
        for i in range(lo, hi):
            steps = own(ctx, op, i)
            kept, at = max(min(steps + 1 - t, count), 0), i * y.shape[1] + t * width
            first = max(steps - t, 0) if op[TURNED] else t - 1
            contract(
                vector(x, i * row + first * features, 1), back, 1, 0, theta, size, 0,
                vector(y, at, 1), width, kept, size, features, 1, 0,
            )  # fmt: skip
            for k in range(kept, count):
                clear(vector(y, at + k * width, size))
        return
    first = op[STEPS] - t if op[TURNED] else t - 1
    by_step = count < hi - lo
    contract_groups(
        vector(theta, 0, 0),
        vector(x, lo * row + first * features, 1), row if by_step else back, 1, 0, theta, size, 0,
        vector(y, lo * y.shape[1] + t * width, 1), y.shape[1] if by_step else width,
        hi - lo if by_step else count, size, features, 1,
        count if by_step else hi - lo, back if by_step else row, width if by_step else y.shape[1],
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def clear_padding(ctx, op, dx, lo, hi):
    """dx = 0 behind the end of each row."""
    for i in range(lo, hi if dx.shape[1] else lo):
        kept = own(ctx, op, i) * op[FEATURES]
        clear(vector(dx, i * dx.shape[1] + kept, dx.shape[1] - kept))


@njit(**INLINED_OPTIONS)
def project_back(ctx, op, work, saw, dx, t, lo, hi):
    """Where some steps begin with t, dx = gates' gradient W^T in all of them.

    `saw` is where the gates' gradient lies. The input may want none: then dx has no columns.
    """
    if (t - 1) % _TOGETHER != 0 or dx.shape[1] == 0:
        return
    features, size, width, row = op[FEATURES], op[SIZE], op[WIDTH], dx.shape[1]
    count, back = min(_TOGETHER, last_step(ctx, op) + 1 - t), -width if op[TURNED] else width
    of_kernel = vector(work, op[UNITS] * size, 1)
    if is_ragged(ctx, op):
        for i in range(lo, hi):
            steps = own(ctx, op, i)
            kept, at = max(min(steps + 1 - t, count), 0), i * saw.shape[1]
            # Of steps that are turned, the last is the first in dx.
            first, step = (t + kept - 1, steps + 1 - t - kept) if op[TURNED] else (t, t - 1)
            contract(
                vector(saw, at + first * width, 1), back, 1, 0, of_kernel, features, 0,
                vector(dx, i * row + max(step, 0) * features, 1), features,
                kept, features, size, 1, 0,
            )  # fmt: skip
        return
    first, step = (t + count - 1, op[STEPS] + 1 - t - count) if op[TURNED] else (t, t - 1)
    by_step = count < hi - lo and features > 1
    contract_groups(
        vector(work, 0, 0),
        vector(saw, lo * saw.shape[1] + first * width, 1), saw.shape[1] if by_step else back, 1, 0,
        of_kernel, features, 0,
        vector(dx, lo * row + step * features, 1), row if by_step else features,
        hi - lo if by_step else count, features, size, 1,
        count if by_step else hi - lo, back if by_step else saw.shape[1],
        features if by_step else row,
    )  # fmt: skip
