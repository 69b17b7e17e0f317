"""Update of the flat parameters: penalty, clipping, decay, optimizer, max-norm, average.

Parameters form *groups*: spans of `theta` with a factor on the learning rate and one on penalty and
decay. Threads own chunks of `theta`; sums over all of it add the chunks' sums in one order.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kind, invoke
from sklearn_nn.jit.team import barrier, share
from sklearn_nn.jit.views import total_of_magnitudes, total_of_squares, vector

#: Elements of `theta` in a chunk; threads own whole chunks.
CHUNK = 4096

#: Places in `settings`, numbers that are constant in a fit.
ALPHA, L1_RATIO, CLIPNORM, MAX_NORM, AVERAGE_KEEP, SETTINGS_SIZE = 0, 1, 2, 3, 4, 5

# Columns of a weight matrix are divided among parts in multiples of this.
_COLUMN_GRAIN = 16

UPDATE = Kind(
    "update",
    scalars="const float64[:]", rate="float64", lo="int64", hi="int64",
    theta="real[:]", grad="real[:]", state="real[:,:]",
)  # fmt: skip


@njit(**HELPER_OPTIONS)
def plain_sum(values: np.ndarray) -> float:
    """Return the sum, added from first to last."""
    total = 0.0
    for i in range(values.size):
        total += values[i]
    return total


@njit(**INLINED_OPTIONS)
def _penalize(lo, hi, groups, factors, l1, l2, theta, grad):
    """Add the penalty's gradient within [lo, hi) and return the penalty there.

    The penalty is factor * (l1 * sum of |w| + l2 / 2 * sum of w^2), group by group.
    """
    total = 0.0
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        factor = factors[k, 1]
        if start >= stop or factor == 0:
            continue
        w, g = vector(theta, start, stop - start), vector(grad, start, stop - start)
        scale, zero = w.dtype.type(l2 * factor), w.dtype.type(0)
        for i in range(w.size):
            g[i] += scale * w[i]
        total += 0.5 * l2 * factor * total_of_squares(w, zero)
        if l1 > 0:
            slope = w.dtype.type(l1 * factor)
            for i in range(w.size):
                g[i] += slope if w[i] > zero else (-slope if w[i] < zero else zero)
            total += l1 * factor * total_of_magnitudes(w)
    return total


@njit(**INLINED_OPTIONS)
def _squared_norm(lo, hi, groups, grad):
    """Return the squared norm of the trained parameters' gradient within [lo, hi)."""
    total = 0.0
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        if start < stop:
            g = vector(grad, start, stop - start)
            total += total_of_squares(g, g.dtype.type(0))
    return total


@njit(**INLINED_OPTIONS)
def _descend(lo, hi, groups, factors, clip, decay, update_at, scalars, theta, grad, moments):
    """Scale the gradient, decay and update the parameters within [lo, hi)."""
    if clip < 1:
        g, factor = vector(grad, lo, hi - lo), grad.dtype.type(clip)
        for i in range(g.size):
            g[i] *= factor
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        if start >= stop:
            continue
        if decay > 0 and factors[k, 1] > 0:
            w = vector(theta, start, stop - start)
            rest = w.dtype.type(1 - decay * factors[k, 0] * factors[k, 1])
            for i in range(w.size):
                w[i] *= rest
        invoke(update_at, (scalars, factors[k, 0], start, stop, theta, grad, moments))


@njit(**INLINED_OPTIONS)
def _limit_norms(part, parts, matrices, most, theta, scratch):
    """Scale the weights into a unit if their norm exceeds `most`. Owners: columns."""
    for k in range(matrices.shape[0]):
        start, rows, columns = matrices[k, 0], matrices[k, 1], matrices[k, 2]
        lo, hi = share(columns, part, parts, _COLUMN_GRAIN)
        scale = vector(scratch, start + lo, hi - lo)
        for j in range(scale.size):
            scale[j] = 0
        for i in range(rows):
            w = vector(theta, start + i * columns + lo, hi - lo)
            for j in range(scale.size):
                scale[j] = fma(w[j], w[j], scale[j])
        limit, one = scale.dtype.type(most), scale.dtype.type(1)
        for j in range(scale.size):
            norm = np.sqrt(scale[j])
            scale[j] = limit / norm if norm > limit else one
        for i in range(rows):
            w = vector(theta, start + i * columns + lo, hi - lo)
            for j in range(scale.size):
                w[j] *= scale[j]


@njit(**INLINED_OPTIONS)
def _average(lo, hi, keep, theta, average):
    """Update the running average of the parameters within [lo, hi)."""
    w, mean = vector(theta, lo, hi - lo), vector(average, lo, hi - lo)
    # In this form the average of a constant is that constant, bit for bit.
    old = w.dtype.type(keep)
    for i in range(w.size):
        mean[i] = w[i] + old * (mean[i] - w[i])


@njit(**INLINED_OPTIONS)
def descend(
    part, parts, sync, settings, strength, groups, factors, matrices, first_step,
    update_at, decay, scalars, theta, grad, moments, average, penalties, norms,
):  # fmt: skip
    """Penalize the gradient and, if there is an update, apply it. Owners: chunks of theta."""
    first, last = share(penalties.size, part, parts, 1)
    l1 = strength * settings[L1_RATIO]
    l2 = strength - l1
    clipnorm = settings[CLIPNORM]
    clip = 1.0
    # One pass over theta, or two if the gradient's norm is needed before the update.
    for stage in range(2 if clipnorm > 0 else 1):
        for chunk in range(first, last):
            lo, hi = chunk * CHUNK, min(theta.size, (chunk + 1) * CHUNK)
            if stage == 0:
                penalties[chunk] = 0.0
                if strength > 0:
                    penalties[chunk] = _penalize(lo, hi, groups, factors, l1, l2, theta, grad)
                if clipnorm > 0:
                    norms[chunk] = _squared_norm(lo, hi, groups, grad)
            if update_at != 0 and (stage == 1 or clipnorm == 0):
                _descend(
                    lo, hi, groups, factors, clip, decay, update_at, scalars, theta, grad, moments
                )
        if stage == 0 and clipnorm > 0:
            barrier(sync, parts)
            norm = np.sqrt(plain_sum(norms))
            clip = clipnorm / norm if norm > clipnorm else 1.0
    if update_at == 0:
        return
    if settings[MAX_NORM] > 0:
        barrier(sync, parts)
        _limit_norms(part, parts, matrices, settings[MAX_NORM], theta, grad)
        barrier(sync, parts)
    if average.size > 0:
        # Last, so that the average respects the limit.
        keep = 0.0 if first_step else settings[AVERAGE_KEEP]
        _average(first * CHUNK, min(theta.size, last * CHUNK), keep, theta, average)
