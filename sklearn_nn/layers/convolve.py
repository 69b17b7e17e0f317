"""Kernels of convolution, without a copy of the windows.

For output row o, kernel row k reads image row ``o * stride + k * dilation - top``. Position j of
the kernel row meets the places of the output row at cells ``stride * channels`` apart, so that

    y[o, :, f] += sum over k, c of x[row(o, k), column(:, j), c] W[k, j, c, f]

is one contraction over kernel rows k and channels c. Rows and cells beyond the edges are left out
and not multiplied by zeros. Where no cell lies beyond, the kernel's positions and its channels are
one contiguous axis of the reduction. Gradients are the same sums the other way round.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, PREPARE, owned_rows

# An instruction's geometry. H, W and C are the input's height, width and channels, KH and KW the
# kernel's height and width, then filters, output height and width, strides, dilations, what the
# first window reaches beyond the edges, groups, and whether there are few channels.
H, W, C, KH, KW, F, OH, OW, SH, SW, DH, DW, TOP, LEFT, GROUPS, THIN = range(16)

# Rows of W and columns of b are dealt out in multiples of these.
_WEIGHT_GRAIN, BIAS_GRAIN = 8, 16


@njit(**INLINED_OPTIONS)
def _inside(size, places, stride, start):
    """The places [lo, hi) whose cell ``start + place * stride`` lies in [0, size)."""
    lo = max(0, -(start // stride))
    hi = min(places, (size - 1 - start) // stride + 1)
    return lo, max(lo, hi)


@njit(**INLINED_OPTIONS)
def _steps(op):
    """Positions of a kernel row that are contracted one by one, and the channels of each.

    Where no window reaches beyond an edge and cells of a kernel row are neighbours, it is one.
    """
    whole = op[LEFT] == 0 and (op[OW] - 1) * op[SW] + op[KW] <= op[W]
    if whole and op[DW] == 1 and op[GROUPS] == 1:
        return 1, op[KW] * op[C]
    return op[KW], op[C] // op[GROUPS]


@njit(**INLINED_OPTIONS)
def _sizes(op, images):
    """Number of images, their width and that of the output: a pointwise layer sees one image."""
    if op[H] * op[KH] * op[KW] * op[SW] == 1 and op[W] == op[OW]:
        return 1, images * op[W], images * op[W]
    return images, op[W], op[OW]


@kernel(FORWARD)
def conv_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x * W + b. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    images, width, out = _sizes(op, hi - lo)
    steps, depth = _steps(op)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    size, own = op[KH] * steps * depth * filters, filters // groups
    bias = vector(theta, size, theta.size - size)
    for i in range(images * op[OH]):
        image, o = i // op[OH], i % op[OH]
        first, last = _inside(op[H], op[KH], op[DH], o * op[SH] - op[TOP])
        row = image * op[H] + o * op[SH] - op[TOP] + first * op[DH]
        at = lo * y.shape[1] + i * out * filters
        if steps > 1:
            _fill(vector(y, at, out * filters), bias, filters)
        for j in range(steps):
            left, right = _inside(width, out, op[SW], j * op[DW] - op[LEFT])
            column = j * op[DW] - op[LEFT] + left * op[SW]
            start = lo * x.shape[1] + (row * width + column) * channels
            places, rows = right - left, last - first
            for g in range(groups):
                operands = (
                    vector(x, start + g * depth, 1),
                    op[SW] * channels, 1, op[DH] * width * channels,
                    vector(theta, (first * steps + j) * depth * filters + g * own, 1),
                    filters, steps * depth * filters,
                    vector(y, at + left * filters + g * own, 1), filters,
                )  # fmt: skip
                if steps == 1 and bias.size:
                    addend = vector(bias, g * own, own)
                    contract_onto(addend, 0, *operands, places, own, depth, rows)
                else:
                    contract(*operands, places, own, depth, rows, min(steps - 1, 1))


@njit(**INLINED_OPTIONS)
def _fill(y, bias, filters):
    """y = b, place by place; 0 where there is no bias."""
    if bias.size == 0:
        for j in range(y.size):
            y[j] = 0
        return
    for i in range(y.size // filters):
        place = vector(y, i * filters, filters)
        for j in range(filters):
            place[j] = bias[j]


@kernel(PREPARE)
def conv_prepare(ctx, op, part, parts, theta, work):
    """work = W transposed, position by position. Owners: rows of W."""
    filters, depth = op[F], op[C] // op[GROUPS]
    if op[THIN]:
        depth *= op[KW]
    rows = op[KH] * op[KW] * (op[C] // op[GROUPS])
    lo, hi = share(rows, part, parts, BIAS_GRAIN)
    for step in range(lo // depth, (hi + depth - 1) // depth):
        first, last = max(lo - step * depth, 0), min(hi - step * depth, depth)
        source = matrix(theta, step * depth * filters, depth, filters)
        transpose(source, matrix(work, step * depth * filters, filters, depth), first, last)


@kernel(BACKWARD)
def conv_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum over windows of dy W^T. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    images, width, out = _sizes(op, hi - lo)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    steps, depth, together = op[KW], channels // groups, 1
    if op[THIN]:
        # All positions of a kernel row at once, for places so far apart that none share a cell.
        steps, depth, together = 1, op[KW] * channels, (op[KW] + op[SW] - 1) // op[SW]
    own, every = filters // groups, 1
    alone = steps * together == 1 and out == width
    while every * op[DH] % op[SH] != 0:
        every += 1  # only every so many kernel rows meet the rows of one output
    for i in range(images * op[H]):
        image, h = i // op[H], i % op[H] + op[TOP]
        at = lo * dx.shape[1] + i * width * channels
        if not alone:
            row = vector(dx, at, width * channels)
            for j in range(row.size):
                row[j] = 0
        first = 0
        while first < op[KH] and (
            (h - first * op[DH]) % op[SH] != 0 or (h - first * op[DH]) // op[SH] >= op[OH]
        ):
            first += 1
        o = (h - first * op[DH]) // op[SH]
        up = every * op[DH] // op[SH]
        count = min((op[KH] - first + every - 1) // every, o // up + 1) if o >= 0 else 0
        for p in range(steps * together):
            j = p // together
            left, right = _inside(width, out, op[SW], j * op[DW] - op[LEFT])
            left += p % together
            column = j * op[DW] - op[LEFT] + left * op[SW]
            places = (right - left + together - 1) // together
            start = lo * dy.shape[1] + ((image * op[OH] + o) * out + left) * filters
            for g in range(groups):
                contract(
                    vector(dy, start + g * own, 1), together * filters, 1, -up * out * filters,
                    vector(work, ((first * steps + j) * filters + g * own) * depth, 1),
                    depth, every * steps * filters * depth,
                    vector(dx, at + column * channels + g * depth, 1),
                    together * op[SW] * channels, places, depth, own, count, 0 if alone else 1,
                )  # fmt: skip


@kernel(BACKWARD)
def conv_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over places of x^T dy, owners: rows of W. db = sum of dy, owners: filters."""
    images, width, out = _sizes(op, x.shape[0])
    steps, depth = _steps(op)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    rows, own = op[KH] * steps * depth, filters // groups
    begin, end = share(grad.size - rows * filters, part, parts, BIAS_GRAIN)
    db = vector(grad, rows * filters + begin, end - begin)
    lo, hi = share(rows, part, parts, _WEIGHT_GRAIN)
    for j in range(db.size):
        db[j] = 0
    for image in range(images):
        for step in range(lo // depth, (hi + depth - 1) // depth):
            first, last = max(lo - step * depth, 0), min(hi - step * depth, depth)
            k, j = step // steps * op[DH] - op[TOP], step % steps * op[DW] - op[LEFT]
            top, bottom = _inside(op[H], op[OH], op[SH], k)
            left, right = _inside(width, out, op[SW], j)
            cell = (image * op[H] + top * op[SH] + k) * width + left * op[SW] + j
            place = (image * op[OH] + top) * out + left
            for g in range(groups):
                contract(
                    vector(x, cell * channels + g * depth + first, 1),
                    1, op[SW] * channels, op[SH] * width * channels,
                    vector(dy, place * filters + g * own, 1), filters, out * filters,
                    vector(grad, (step * depth + first) * filters + g * own, 1), filters,
                    last - first, own, right - left, bottom - top, min(image, 1),
                )  # fmt: skip
        # Here and not after the last image: this one's dy is still in the cache.
        places = op[OH] * out
        add_places(matrix(dy, image * places * filters, places, filters), begin, db)


@njit(**INLINED_OPTIONS)
def add_places(dy, first, total):
    """total += sum over rows of dy from column `first` on."""
    n, filters, size = dy.shape[0], dy.shape[1], total.size
    whole = n // 4 * 4 if size else 0
    # Four at a time: each addition to what was just stored waits for the store.
    for i in range(0, whole, 4):
        a, b = vector(dy, i * filters + first, size), vector(dy, (i + 1) * filters + first, size)
        c, d = (
            vector(dy, (i + 2) * filters + first, size),
            vector(dy, (i + 3) * filters + first, size),
        )
        for j in range(size):
            total[j] += (a[j] + b[j]) + (c[j] + d[j])
    for i in range(whole, n if size else 0):
        a = vector(dy, i * filters + first, size)
        for j in range(size):
            total[j] += a[j]


# --- one filter a channel: lanes are channels, and nothing is summed over them ------------------


@kernel(FORWARD)
def depthwise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x * W + b, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    channels, stride = op[C], op[SW]
    size = op[KH] * op[KW] * channels
    bias = vector(theta, size, theta.size - size)
    for i in range(lo * op[OH], hi * op[OH]):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = _inside(op[H], op[KH], op[DH], top)
        _fill(vector(y, i * op[OW] * channels, op[OW] * channels), bias, channels)
        for tap in range(first * op[KW], last * op[KW]):
            weight = vector(theta, tap * channels, channels)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = _inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(x, (row + o * stride) * channels, channels)
                place = vector(y, (i * op[OW] + o) * channels, channels)
                for c in range(channels):
                    place[c] += cell[c] * weight[c]


@kernel(BACKWARD)
def depthwise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum over windows of dy W, channel by channel. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    channels, stride = op[C], op[SW]
    whole = vector(dx, lo * dx.shape[1], (hi - lo) * dx.shape[1])
    for j in range(whole.size):
        whole[j] = 0
    for i in range(lo * op[OH], hi * op[OH]):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = _inside(op[H], op[KH], op[DH], top)
        for tap in range(first * op[KW], last * op[KW]):
            weight = vector(theta, tap * channels, channels)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = _inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(dx, (row + o * stride) * channels, channels)
                place = vector(dy, (i * op[OW] + o) * channels, channels)
                for c in range(channels):
                    cell[c] += place[c] * weight[c]


@kernel(BACKWARD)
def depthwise_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over places of x dy, db = sum of dy. Owners: channels."""
    channels, stride = op[C], op[SW]
    taps = op[KH] * op[KW]
    lo, hi = share(channels, part, parts, BIAS_GRAIN)
    size = hi - lo
    for k in range(grad.size // channels):
        total = vector(grad, k * channels + lo, size)
        for c in range(size):
            total[c] = 0
    for i in range(x.shape[0] * op[OH] if size else 0):
        top = i % op[OH] * op[SH] - op[TOP]
        first, last = _inside(op[H], op[KH], op[DH], top)
        for tap in range(first * op[KW], last * op[KW]):
            total = vector(grad, tap * channels + lo, size)
            k, column = tap // op[KW], tap % op[KW] * op[DW] - op[LEFT]
            left, right = _inside(op[W], op[OW], stride, column)
            row = (i // op[OH] * op[H] + top + k * op[DH]) * op[W] + column
            for o in range(left, right):
                cell = vector(x, (row + o * stride) * channels + lo, size)
                place = vector(dy, (i * op[OW] + o) * channels + lo, size)
                for c in range(size):
                    total[c] += cell[c] * place[c]
    if grad.size > taps * channels:
        rows = matrix(dy, 0, dy.size // channels, channels)
        add_places(rows, lo, vector(grad, taps * channels + lo, size))
