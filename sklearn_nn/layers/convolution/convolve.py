"""Kernels of convolution, without a copy of the windows.

For output row o, kernel row k reads image row ``o * stride + k * dilation - top``. Position j of
the kernel row meets the places of the output row at cells ``stride * channels`` apart, so that

    y[o, :, f] += sum over k, c of x[row(o, k), column(:, j), c] W[k, j, c, f]

is one contraction over kernel rows k and channels c. Rows and cells beyond the edges are left out
and not multiplied by zeros. Where no cell lies beyond, the kernel's positions and its channels are
one contiguous axis of the reduction, and rows of the output that see all of the kernel are one
contraction. Where channels are few, that is worth a copy of the image amid zeros, left and right,
in the part's room behind `ctx`. Gradients are the same sums the other way round.
"""

from __future__ import annotations

from numba import njit

from sklearn_nn.jit.blocks import BLOCK
from sklearn_nn.jit.contract import contract, contract_groups
from sklearn_nn.jit.dot_tile import dot_plan, dot_row, lanes_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.lanes import make_lanes
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, PREPARE, owned_rows
from sklearn_nn.layers.vectors import clear, copy

# An instruction's geometry. H, W and C are the input's height, width and channels, KH and KW the
# kernel's height and width, then filters, output height and width, strides, dilations, what the
# first window reaches beyond the edges, groups, and what is done for few channels: nothing, a copy
# amid zeros, or that and sums over the lanes of vectors for dX.
H, W, C, KH, KW, F, OH, OW, SH, SW, DH, DW, TOP, LEFT, GROUPS, FEW = range(16)
AMID_ZEROS, BY_LANES = 1, 2

# Rows of W and columns of b are dealt out in multiples of these.
_WEIGHT_GRAIN, BIAS_GRAIN = 8, 16


@njit(**INLINED_OPTIONS)
def inside(size, places, stride, start):
    """The places [lo, hi) whose cell ``start + place * stride`` lies in [0, size)."""
    lo = max(0, -(start // stride))
    hi = min(places, (size - 1 - start) // stride + 1)
    return lo, max(lo, hi)


@njit(**INLINED_OPTIONS)
def _reach(op):
    """Cells of a row that windows see, those beyond the edges too."""
    return (op[OW] - 1) * op[SW] + (op[KW] - 1) * op[DW] + 1


@njit(**INLINED_OPTIONS)
def _is_whole(op):
    """Whether no window reaches beyond the left or right edge."""
    return op[LEFT] == 0 and _reach(op) <= op[W]


@njit(**INLINED_OPTIONS)
def _steps(op):
    """Positions of a kernel row that are contracted one by one, and the channels of each.

    Where no window reaches beyond an edge and cells of a kernel row are neighbours, it is one.
    """
    together = op[FEW] >= AMID_ZEROS or _is_whole(op)
    if together and op[DW] == 1 and op[GROUPS] == 1:
        return 1, op[KW] * op[C]
    return op[KW], op[C] // op[GROUPS]


@njit(**INLINED_OPTIONS)
def _sizes(op, images):
    """Number of images, their width and that of the output: a pointwise layer sees one image."""
    if op[H] * op[KH] * op[KW] * op[SW] == 1 and op[W] == op[OW]:
        return 1, images * op[W], images * op[W]
    return images, op[W], op[OW]


@njit(**INLINED_OPTIONS)
def _copy_rows(source, start, length, target, at, step, rows):
    """Rows of `length` elements, one behind the other, to where they are `step` apart."""
    for h in range(rows):
        row = vector(source, start + h * length, length)
        copy(row, vector(target, at + h * step, length))


@kernel(FORWARD)
def conv_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x * W + b. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    images, width, out = _sizes(op, hi - lo)
    size = op[KH] * op[KW] * (op[C] // op[GROUPS]) * op[F]
    bias = vector(theta, size, theta.size - size)
    room = workspace(ctx, CTX_SIZE, x)
    row = op[C] * width
    copied, length = op[FEW] >= AMID_ZEROS and not _is_whole(op), op[C] * _reach(op)
    if copied:
        clear(vector(room, 0, op[H] * length))
    for i in range(images):
        at = lo * x.shape[1] + i * op[H] * row
        target = vector(y, lo * y.shape[1] + i * op[OH] * out * op[F], op[OH] * out * op[F])
        if copied:
            _copy_rows(x, at, row, room, op[LEFT] * op[C], length, op[H])
            _convolve(op, vector(room, 0, 1), _reach(op), 0, theta, bias, target, out)
        else:
            _convolve(op, vector(x, at, 1), width, op[LEFT], theta, bias, target, out)


@njit(**INLINED_OPTIONS)
def _convolve(op, x, width, before, theta, bias, y, out):
    """y = x * W + b for one image."""
    steps, depth = _steps(op)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    own = filters // groups
    # Rows of the output that see all of the kernel.
    begin, end = inside(op[H] - (op[KH] - 1) * op[DH], op[OH], op[SH], -op[TOP])
    o = 0
    while o < op[OH]:
        together = end - o if steps == 1 and o == begin and end > begin else 1
        first, last = inside(op[H], op[KH], op[DH], o * op[SH] - op[TOP])
        row = o * op[SH] - op[TOP] + first * op[DH]
        if steps > 1:
            fill(vector(y, o * out * filters, out * filters), bias, filters)
        for j in range(steps):
            left, right = inside(width, out, op[SW], j * op[DW] - before)
            start = (row * width + j * op[DW] - before + left * op[SW]) * channels
            at = (o * out + left) * filters
            for g in range(groups):
                operands = (
                    vector(x, start + g * depth, 1),
                    op[SW] * channels, 1, op[DH] * width * channels,
                    vector(theta, (first * steps + j) * depth * filters + g * own, 1),
                    filters, steps * depth * filters,
                    vector(y, at + g * own, 1), filters, right - left, own, depth, last - first,
                )  # fmt: skip
                if steps == 1:
                    addend = vector(bias, g * own, min(own, bias.size))
                    a_step, y_step = op[SH] * width * channels, out * filters
                    contract_groups(addend, *operands, together, a_step, y_step)
                else:
                    contract(*operands, 1)
        o += together


@njit(**INLINED_OPTIONS)
def fill(y, bias, filters):
    """y = b, place by place; 0 where there is no bias."""
    if bias.size == 0:
        clear(y)
        return
    for i in range(y.size // filters):
        copy(bias, vector(y, i * filters, filters))


@kernel(PREPARE)
def conv_prepare(ctx, op, part, parts, theta, work):
    """work = W transposed, position by position. Owners: rows of W."""
    filters, depth = op[F], op[C] // op[GROUPS]
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
    by_lanes = op[FEW] == BY_LANES and op[F] % lanes_of(dy) == 0 and op[C] <= lanes_of(dy)
    zeros = vector(workspace(ctx, CTX_SIZE, dx), 0, op[F])
    if by_lanes:
        clear(zeros)
    plan = dot_plan(op[W], op[C])
    at, size = lo * dx.shape[1], width * op[C]
    for image in range(images):
        source = vector(dy, lo * dy.shape[1] + image * op[OH] * out * op[F], 1)
        for h in range(op[TOP], op[TOP] + op[H]):
            if by_lanes:
                _add_lanes(op, plan, source, theta, vector(dx, at, size), zeros, h)
            else:
                _spread(op, source, work, vector(dx, at, size), width, h, out)
            at += size


@njit(**INLINED_OPTIONS)
def _add_lanes(op, plan, dy, theta, dx, zeros, h):
    """One row of dx, that of cell h from the first one of the first window; dy of its image."""
    first, row, step = max(0, h - op[OH] + 1), op[OW] * op[F], op[KW] * op[C] * op[F]
    count = min(op[KH], h + 1) - first
    if count <= 0:
        clear(dx)
        return
    dot_row(
        plan, op[W], op[C], zeros, vector(dy, (h - first) * row, 1), -row,
        vector(theta, first * step, 1), step, dx, op[LEFT], count, op[KW], op[F], op[OW],
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _spread(op, dy, work, dx, width, h, out):
    """One row of dx, that of cell h from the first one of the first window; dy of its image."""
    channels, filters, groups = op[C], op[F], op[GROUPS]
    own, depth, every = filters // groups, channels // groups, 1
    alone = op[KW] == 1 and out == width
    if not alone:
        clear(dx)
    while every * op[DH] % op[SH] != 0:
        every += 1  # only every so many kernel rows meet the rows of one output
    first = 0
    while first < op[KH] and (
        (h - first * op[DH]) % op[SH] != 0 or (h - first * op[DH]) // op[SH] >= op[OH]
    ):
        first += 1
    o = (h - first * op[DH]) // op[SH]
    up = every * op[DH] // op[SH]
    count = min((op[KH] - first + every - 1) // every, o // up + 1) if o >= 0 else 0
    for j in range(op[KW]):
        left, right = inside(width, out, op[SW], j * op[DW] - op[LEFT])
        column = j * op[DW] - op[LEFT] + left * op[SW]
        for g in range(groups):
            contract(
                vector(dy, (o * out + left) * filters + g * own, 1),
                filters, 1, -up * out * filters,
                vector(work, ((first * op[KW] + j) * filters + g * own) * depth, 1),
                depth, every * op[KW] * filters * depth,
                vector(dx, column * channels + g * depth, 1),
                op[SW] * channels, right - left, depth, own, count, 0 if alone else 1,
            )  # fmt: skip


@kernel(BACKWARD)
def conv_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over places of x^T dy, owners: rows of W. db = sum of dy, owners: filters."""
    images, width, out = _sizes(op, x.shape[0])
    steps, depth = _steps(op)
    rows, filters = op[KH] * steps * depth, op[F]
    begin, end = share(grad.size - rows * filters, part, parts, BIAS_GRAIN)
    db = vector(grad, rows * filters + begin, end - begin)
    lo, hi = share(rows, part, parts, _WEIGHT_GRAIN)
    clear(db)
    room, size, length = workspace(ctx, CTX_SIZE, x), op[C] * width, op[C] * _reach(op)
    copied = op[FEW] >= AMID_ZEROS and not _is_whole(op) and hi > lo
    if copied:
        clear(vector(room, 0, op[H] * length))
    # Some rows of dy at a time, and db with them: then they are still in the cache.
    count = max(1, BLOCK // out)
    for image in range(images):
        at = image * op[H] * size
        if copied:
            _copy_rows(x, at, size, room, op[LEFT] * op[C], length, op[H])
        for o in range(0, op[OH], count):
            to = min(o + count, op[OH])
            source = vector(dy, image * op[OH] * out * filters, 1)
            if copied:
                of_x = vector(room, 0, 1), _reach(op), 0
            else:
                of_x = vector(x, at, 1), width, op[LEFT]
            _correlate(op, of_x, source, out, o, to, grad, lo, hi, image + o == 0)
            add_places(matrix(source, o * out * filters, (to - o) * out, filters), begin, db)


@njit(**INLINED_OPTIONS)
def _correlate(op, of_x, dy, out, o, to, grad, lo, hi, is_first):
    """Rows lo..hi of dW += x^T dy, over rows o..to of an image's dy; = for the first ones."""
    x, width, before = of_x
    steps, depth = _steps(op)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    own = filters // groups
    for step in range(lo // depth, (hi + depth - 1) // depth):
        first, last = max(lo - step * depth, 0), min(hi - step * depth, depth)
        k, j = step // steps * op[DH] - op[TOP], step % steps * op[DW] - before
        top, bottom = inside(op[H], op[OH], op[SH], k)
        top, bottom = max(top, o), min(bottom, to)
        left, right = inside(width, out, op[SW], j)
        cell = (top * op[SH] + k) * width + left * op[SW] + j
        for g in range(groups):
            contract(
                vector(x, cell * channels + g * depth + first, 1),
                1, op[SW] * channels, op[SH] * width * channels,
                vector(dy, (top * out + left) * filters + g * own, 1), filters, out * filters,
                vector(grad, (step * depth + first) * filters + g * own, 1), filters,
                last - first, own, right - left, bottom - top, 0 if is_first else 1,
            )  # fmt: skip


def _emit_sum(count):
    """Adds so many rows, four by four, to a total."""

    def emit(builder, loads, stores):
        def total(first, count):
            if count == 1:
                return loads[0](first, 0)
            half = count // 2
            return builder.fadd(total(first, half), total(first + half, half))

        stores[1](builder.fadd(loads[1](0, 0), total(0, count)), 0, 0)

    return emit


#: Rows that are added up before the total is written. It is read again at once: more rows, less
#: waiting.
_TOGETHER = 16
_add_rows = make_lanes("add_rows", 2, _emit_sum(_TOGETHER))
_add_row = make_lanes("add_row", 2, _emit_sum(1))


@njit(**INLINED_OPTIONS)
def add_places(dy, first, total):
    """total += sum over rows of dy from column `first` on."""
    n, filters = dy.shape[0], dy.shape[1]
    count = n // _TOGETHER
    rest, to = n - count * _TOGETHER, (total, 0, 0, 0)
    _add_rows(count, total.size, ((vector(dy, first, 1), _TOGETHER * filters, filters, 0), to))
    left = vector(dy, first + count * _TOGETHER * filters, 1)
    _add_row(rest, total.size, ((left, filters, filters, 0), to))
