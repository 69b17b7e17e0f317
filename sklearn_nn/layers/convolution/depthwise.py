"""Kernels of depthwise convolution: one filter for each channel."""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector, workspace
from sklearn_nn.jit.windows import sum_products
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.convolution.windows import (
    BACK_GROUPS,
    CELLS,
    CONSTANTS,
    FEW_CHANNELS,
    FORWARD_GROUPS,
    IMAGES,
    OF_PLACES,
    OH,
    OW,
    ROWS,
    ROWS_OF_CONSTANTS,
    SORTED_CELLS,
    TAPS,
    TOGETHER,
    C,
    cells_from,
    finish_back,
    group_of,
    items_of,
    over_groups,
    places_from,
    room,
    take_cells,
    take_places,
    target_back,
    terms_of,
)  # fmt: skip
from sklearn_nn.layers.layer import Kernels
from sklearn_nn.layers.vectors import clear, owned_columns

#: Elements of the output whose products are summed at once.
_AT_ONCE = 2048

_sum_products = over_groups(sum_products)


@njit(**INLINED_OPTIONS)
def _repeat(source, channels, target):
    """Fill `target` with the channels of `source` again and again."""
    for place in range(target.size // channels):
        for c in range(channels):
            target[place * channels + c] = source[c]


@njit(**INLINED_OPTIONS)
def _weights_of(op, theta, rows):
    """Return the weights of all taps as rows of constants."""
    channels, size = op[C], op[CONSTANTS]
    if channels >= FEW_CHANNELS:
        return theta
    for tap in range(op[TAPS]):
        weights = vector(theta, tap * channels, channels)
        _repeat(weights, channels, vector(rows, tap * size, size))
    return rows


@njit(**INLINED_OPTIONS)
def _fold(values, sums):
    """Set sums = the sums of the channels over the places of a row."""
    clear(sums)
    for place in range(values.size // sums.size):
        for c in range(sums.size):
            sums[c] += values[place * sums.size + c]


@kernel(FORWARD)
def depthwise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x * W + b, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    size, taps, channels = op[CONSTANTS], op[TAPS], op[C]
    memory = workspace(ctx, CTX_SIZE, x)
    cells, rows = room(memory, op, CELLS), room(memory, op, ROWS_OF_CONSTANTS)
    weights, bias = _weights_of(op, theta, rows), vector(rows, taps * size, size)
    clear(bias)
    if theta.size > taps * channels:
        _repeat(vector(theta, taps * channels, channels), channels, bias)
    clear(cells)
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        seen = take_cells(op, x, image, images, cells)
        target = vector(y, image * op[OH] * op[OW] * channels, 1)
        _sum_products(op, FORWARD_GROUPS, images, seen, (weights, bias), target)


@kernel(BACKWARD)
def depthwise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum over windows of dy W, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    size, taps = op[CONSTANTS], op[TAPS]
    memory = workspace(ctx, CTX_SIZE, dx)
    places, rows = room(memory, op, OF_PLACES), room(memory, op, ROWS_OF_CONSTANTS)
    weights, nothing = _weights_of(op, theta, rows), vector(rows, taps * size, size)
    cells = room(memory, op, SORTED_CELLS)
    clear(nothing)
    clear(places)
    for image in range(lo, hi, op[IMAGES]):
        images = min(op[IMAGES], hi - image)
        seeing = take_places(op, dy, image, images, places)
        target = target_back(op, dx, image, cells)
        _sum_products(op, BACK_GROUPS, images, seeing, (weights, nothing), target)
        finish_back(op, dx, image, images, cells)


@kernel(BACKWARD)
def depthwise_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = sum over places of x dy and db = sum of dy.

    Owners: channels; if these are few, taps, of which the owner of the last one also owns db.
    """
    count, taps, channels, size = x.shape[0], op[TAPS], op[C], op[CONSTANTS]
    line, is_flat = op[OW] * channels, channels < FEW_CHANNELS
    memory = workspace(ctx, CTX_SIZE, x)
    cells, rows = room(memory, op, CELLS), room(memory, op, ROWS_OF_CONSTANTS)
    first, last, lanes, at, totals = 0, taps, line, 0, grad
    if is_flat:
        first, last = share(taps, part, parts, 1)
        totals = rows
    else:
        at, end = owned_columns(channels, part, parts)
        lanes = end - at
    if lanes == 0 or first == last:
        return
    for tap in range(first, last):
        clear(vector(totals, tap * size + at, lanes))
    clear(cells)
    most, sums = max(1, _AT_ONCE // lanes), vector(totals, at, 1)
    # Taps are items, and places are terms.
    for image in range(0, count, op[IMAGES]):
        images = min(op[IMAGES], count - image)
        seen = vector(take_cells(op, x, image, images, cells), at, 1)
        gradient = vector(dy, image * op[OH] * line + at, 1)
        for k in range(op[FORWARD_GROUPS + 1]):
            group = group_of(op, FORWARD_GROUPS, k)
            items, n = terms_of(op, group)
            if is_flat:
                items, n = vector(items, 2 * first, 2 * (last - first)), last - first
            for row in range(0, group[ROWS], group[TOGETHER]):
                arrays = (
                    cells_from(group, seen, row), places_from(group, gradient, row), sums, sums
                )  # fmt: skip
                terms, n_terms = items_of(op, group, images, row)
                # Some places at a time, whose cells stay in the first-level cache.
                for begin in range(0, n_terms, most):
                    some = min(most, n_terms - begin)
                    places = vector(terms, 2 * begin, 2 * some)
                    sum_products(items, n, places, some, lanes, 1, arrays)
    if is_flat:
        for tap in range(first, last):
            _fold(vector(rows, tap * size, line), vector(grad, tap * channels, channels))
    if grad.size == taps * channels or last < taps:
        return
    # The rows of dy as long as an item, and their sum.
    length = line if is_flat else channels
    total = vector(rows if is_flat else grad, taps * size + at, lanes)
    clear(total)
    add_places(matrix(dy, 0, dy.size // length, length), at, total)
    if is_flat:
        _fold(total, vector(grad, taps * channels, channels))


#: The kernels keep a row of constants for every tap, and one for the bias.
DEPTHWISE = Kernels(depthwise_forward, depthwise_backward, depthwise_weights)
