"""Update of the flat parameters: penalty, clipping, decay, optimizer, max-norm, average.

Parameters form *groups*: spans of `theta` with a factor on the learning rate and one on penalty and
decay. Threads own chunks of `theta`; sums over all of it add the chunks' sums in one order.
"""

from __future__ import annotations

import numpy as np

from sklearn_nn.jit import njit
from sklearn_nn.jit.driver import Routine
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.host import HELPER_OPTIONS
from sklearn_nn.jit.kernel import Kind, bits, kernel, real
from sklearn_nn.jit.team import COUNTER_BYTES, barrier, claim, share
from sklearn_nn.jit.views import (
    doubles,
    fetch_to_write,
    total_of_magnitudes,
    total_of_squares,
    vector,
    words,
)
from sklearn_nn.network.frame import FRAME, frame_at

#: Elements of `theta` in a chunk; threads own whole chunks.
CHUNK = 4096

#: Places in `settings`, numbers that are constant in a fit.
ALPHA, L1_RATIO, CLIPNORM, MAX_NORM, AVERAGE_KEEP, SETTINGS_SIZE = 0, 1, 2, 3, 4, 5

#: Elements that a call of an optimizer updates, while those after them are prefetched.
_SPAN_SIZE = 512

# Columns of a weight matrix are divided among parts in multiples of this.
_COLUMN_GRAIN = 16

UPDATE = Kind(
    "update",
    scalars="const float64[:]", rate="float64", lo="int64", hi="int64",
    theta="real[:]", grad="real[:]", moments="real[:,:]",
)  # fmt: skip
_SPAN = {"lo": "int64", "hi": "int64"}
_GROUPS = {"groups": "const int64[:,:]", "factors": "const float64[:,:]"}
_PENALIZE = Kind(
    "penalize", **_SPAN, **_GROUPS,
    l1="float64", l2="float64", theta="real[:]", grad="real[:]", total="float64[:]",
)  # fmt: skip
_MEASURE = Kind("measure", **_SPAN, **_GROUPS, grad="real[:]", total="float64[:]")
_SHRINK = Kind(
    "shrink", **_SPAN, **_GROUPS,
    clip="float64", decay="float64", theta="real[:]", grad="real[:]",
)  # fmt: skip
_LIMIT = Kind(
    "limit", part="int64", parts="int64", matrices="const int64[:,:]", most="float64",
    theta="real[:]", grad="real[:]",
)  # fmt: skip
_AVERAGE = Kind("average", **_SPAN, keep="float64", theta="real[:]", average="real[:]")

_call_update, _call_penalize, _call_measure, _call_shrink, _call_limit, _call_average = map(
    FRAME.caller, (UPDATE, _PENALIZE, _MEASURE, _SHRINK, _LIMIT, _AVERAGE)
)


@njit(**HELPER_OPTIONS)
def plain_sum(values: int, n: int) -> float:
    """Return the sum of the n float64 at an address, added from first to last."""
    numbers, total = doubles(values), 0.0
    for i in range(n):
        total += numbers[i]
    return total


@kernel(_PENALIZE)
def penalize(lo, hi, groups, factors, l1, l2, theta, grad, total):
    """Add the penalty's gradient within [lo, hi) and write the penalty there.

    The penalty is factor * (l1 * sum of |w| + l2 / 2 * sum of w^2), group by group.
    """
    found = 0.0
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        factor = factors[k, 1]
        if start >= stop or factor == 0:
            continue
        w, g = vector(theta, start, stop - start), vector(grad, start, stop - start)
        scale, zero = w.dtype.type(l2 * factor), w.dtype.type(0)
        for i in range(w.size):
            g[i] += scale * w[i]
        found += 0.5 * l2 * factor * total_of_squares(w, zero)
        if l1 > 0:
            slope = w.dtype.type(l1 * factor)
            for i in range(w.size):
                g[i] += slope if w[i] > zero else (-slope if w[i] < zero else zero)
            found += l1 * factor * total_of_magnitudes(w)
    total[0] = found


@kernel(_MEASURE)
def measure(lo, hi, groups, factors, grad, total):
    """Write the squared norm of the trained parameters' gradient within [lo, hi)."""
    found = 0.0
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        if start < stop:
            g = vector(grad, start, stop - start)
            found += total_of_squares(g, g.dtype.type(0))
    total[0] = found


@kernel(_SHRINK)
def shrink(lo, hi, groups, factors, clip, decay, theta, grad):
    """Scale the gradient by `clip` and decay the parameters within [lo, hi)."""
    if clip < 1:
        g, factor = vector(grad, lo, hi - lo), grad.dtype.type(clip)
        for i in range(g.size):
            g[i] *= factor
    for k in range(groups.shape[0]):
        start, stop = max(lo, groups[k, 0]), min(hi, groups[k, 1])
        if start < stop and decay > 0 and factors[k, 1] > 0:
            w = vector(theta, start, stop - start)
            rest = w.dtype.type(1 - decay * factors[k, 0] * factors[k, 1])
            for i in range(w.size):
                w[i] *= rest


@kernel(_LIMIT)
def limit_norms(part, parts, matrices, most, theta, grad):
    """Scale the weights into a unit if their norm exceeds `most`. Owners: columns.

    `grad` is used as scratch memory.
    """
    for k in range(matrices.shape[0]):
        start, rows, columns = matrices[k, 0], matrices[k, 1], matrices[k, 2]
        lo, hi = share(columns, part, parts, _COLUMN_GRAIN)
        scale = vector(grad, start + lo, hi - lo)
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


@kernel(_AVERAGE)
def update_average(lo, hi, keep, theta, average):
    """Update the running average of the parameters within [lo, hi)."""
    w, mean = vector(theta, lo, hi - lo), vector(average, lo, hi - lo)
    # In this form the average of a constant is that constant, bit for bit.
    old = w.dtype.type(keep)
    for i in range(w.size):
        mean[i] = w[i] + old * (mean[i] - w[i])


@njit(**HELPER_OPTIONS)
def _descend(f, lo, hi, clip, decay, batch):
    """Scale the gradient, decay and update the parameters within [lo, hi)."""
    groups = words(f.groups)
    if clip < 1 or decay > 0:
        _call_shrink(f.shrink_at, f, (lo, hi, bits(clip), bits(decay)))
    n = f.all_scalars_columns
    scalars = f.all_scalars + 8 * n * batch
    for k in range(f.groups_rows):
        start, stop = max(lo, groups[2 * k]), min(hi, groups[2 * k + 1])
        rate = words(f.factors)[2 * k]
        while start < stop:
            end = min(stop, start + _SPAN_SIZE)
            # Other threads have read the parameters after these.
            ahead = min(f.theta_size - end, _SPAN_SIZE)
            fetch_to_write(f.theta + f.itemsize * end, f.itemsize * ahead)
            _call_update(f.update_at, f, (scalars, n, rate, start, end))
            start = end


def descend(part, parts, sync, frame, scale, batch, is_first, counters):
    """Penalize the gradient and, if there is an update, apply it. Owners: chunks of theta.

    `batch` is the batch's place in `decays` and `all_scalars`, `scale` has the bits of the factor
    of its losses, and `is_first` tells whether it is the first of the fit. At `counters` are those
    by which the parts claim chunks in each of two passes.
    """
    f = frame_at(frame)
    settings, n_chunks = doubles(f.settings), f.penalties_size
    pieces = (n_chunks + parts - 1) // parts
    clipnorm, clip, decay = settings[CLIPNORM], 1.0, doubles(f.decays)[batch]
    strength = settings[ALPHA] * real(scale)
    l1 = strength * settings[L1_RATIO]
    # One pass over theta, or two if the gradient's norm is needed before the update.
    for stage in range(2 if clipnorm > 0 else 1):
        chunk = -1
        while True:
            chunk = claim(counters + stage * COUNTER_BYTES * parts, part, parts, pieces, chunk)
            if chunk < 0:
                break
            if chunk >= n_chunks:
                continue
            lo, hi = chunk * CHUNK, min(f.theta_size, (chunk + 1) * CHUNK)
            if stage == 0:
                doubles(f.penalties)[chunk] = 0.0
                if strength > 0:
                    given = (lo, hi, bits(l1), bits(strength - l1), f.penalties + 8 * chunk, 1)
                    _call_penalize(f.penalize_at, f, given)
                if clipnorm > 0:
                    _call_measure(f.measure_at, f, (lo, hi, f.norms + 8 * chunk, 1))
            if f.update_at != 0 and (stage == 1 or clipnorm == 0):
                _descend(f, lo, hi, clip, decay, batch)
        if stage == 0 and clipnorm > 0:
            barrier(sync, parts)
            norm = np.sqrt(plain_sum(f.norms, n_chunks))
            clip = clipnorm / norm if norm > clipnorm else 1.0
    if f.update_at == 0:
        return
    if settings[MAX_NORM] > 0:
        barrier(sync, parts)
        _call_limit(f.limit_at, f, (part, parts, bits(settings[MAX_NORM])))
        barrier(sync, parts)
    if f.average_size > 0:
        # Last, so that the average respects the limit.
        keep = 0.0 if is_first != 0 else settings[AVERAGE_KEEP]
        barrier(sync, parts)
        first, last = share(n_chunks, part, parts, 1)
        lo, hi = first * CHUNK, min(f.theta_size, last * CHUNK)
        _call_average(f.average_at, f, (lo, hi, bits(keep)))


DESCEND = Routine(descend)
