"""Kernels of convolution, without a copy of the windows.

For output row o, kernel row k reads image row ``o * stride + k * dilation - top``. Position j of
the kernel row reads cells that are ``stride * channels`` apart for the places of the output row, so
that

    y[o, :, f] += sum over k, c of x[row(o, k), column(:, j), c] W[k, j, c, f]

is one contraction over kernel rows k and channels c. Rows and cells beyond the edges are skipped.
If no cell lies beyond, positions and channels of a kernel row are one contiguous axis of the
reduction, and all output rows that see the whole kernel are one contraction. With few channels,
this is worth a copy of the image with zeros left and right, in the scratch memory after `ctx`.
Gradients are the transposed sums. Depthwise convolution has separate kernels.
"""

from __future__ import annotations

from sklearn_nn.jit import njit
from sklearn_nn.jit.blocks import CHAIN
from sklearn_nn.jit.contract import contract, contract_groups
from sklearn_nn.jit.dot_tile import dot_plan, dot_row, lanes_of
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.lanes import make_lanes
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, PREPARE, owned_rows
from sklearn_nn.layers.layer import Kernels
from sklearn_nn.layers.vectors import clear, copy, owned_columns, owned_weights

# An instruction's geometry: height, width and channels of the input, height and width of the
# kernel, filters, height and width of the output, strides, dilations, cells of the first window
# beyond the edges, groups, and the method for few channels: 0, a copy with zeros, or also sums over
# lanes for dX.
H, W, C, KH, KW, F, OH, OW, SH, SW, DH, DW, TOP, LEFT, GROUPS, FEW = range(16)
AMID_ZEROS, BY_LANES = 1, 2


@njit(**INLINED_OPTIONS)
def inside(size, places, stride, start):
    """Return the places [lo, hi) whose cell ``start + place * stride`` lies in [0, size)."""
    lo = max(0, -(start // stride))
    hi = min(places, (size - 1 - start) // stride + 1)
    return lo, max(lo, hi)


@njit(**INLINED_OPTIONS)
def _reach(op):
    """Return the number of cells of a row that windows see, including those beyond the edges."""
    return (op[OW] - 1) * op[SW] + (op[KW] - 1) * op[DW] + 1


@njit(**INLINED_OPTIONS)
def _is_whole(op):
    """Return whether no window reaches beyond the left or right edge."""
    return op[LEFT] == 0 and _reach(op) <= op[W]


@njit(**INLINED_OPTIONS)
def _steps(op):
    """Return the number of contractions for a kernel row, one if possible, and their depth."""
    together = op[FEW] >= AMID_ZEROS or _is_whole(op)
    if together and op[DW] == 1 and op[GROUPS] == 1:
        return 1, op[KW] * op[C]
    return op[KW], op[C] // op[GROUPS]


@njit(**INLINED_OPTIONS)
def _sizes(op, images):
    """Return number and width of images, and output width; one image if the kernel is pointwise."""
    if op[H] * op[KH] * op[KW] * op[SW] == 1 and op[W] == op[OW]:
        return 1, images * op[W], images * op[W]
    return images, op[W], op[OW]


@njit(**INLINED_OPTIONS)
def _copy_rows(source, start, length, target, at, step, rows):
    """Copy contiguous rows of `length` elements to rows that are `step` elements apart."""
    for h in range(rows):
        row = vector(source, start + h * length, length)
        copy(row, vector(target, at + h * step, length))


@kernel(FORWARD)
def conv_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x * W + b. Owners: rows of the batch."""
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
    """Compute y = x * W + b for one image."""
    steps, depth = _steps(op)
    channels, filters, groups = op[C], op[F], op[GROUPS]
    own = filters // groups
    # Rows of the output that see the whole kernel.
    begin, end = inside(op[H] - (op[KH] - 1) * op[DH], op[OH], op[SH], -op[TOP])
    o = 0
    while o < op[OH]:
        together = end - o if steps == 1 and o == begin and end > begin else 1
        first, last = inside(op[H], op[KH], op[DH], o * op[SH] - op[TOP])
        row = o * op[SH] - op[TOP] + first * op[DH]
        if steps > 1:
            fill_bias(vector(y, o * out * filters, out * filters), bias, filters)
        for j in range(steps):
            left, right = inside(width, out, op[SW], j * op[DW] - before)
            start = (row * width + j * op[DW] - before + left * op[SW]) * channels
            at = (o * out + left) * filters
            for g in range(groups):
                a, c = vector(x, start + g * depth, 1), vector(y, at + g * own, 1)
                b = vector(theta, (first * steps + j) * depth * filters + g * own, 1)
                if steps == 1:
                    contract_groups(
                        vector(bias, g * own, min(own, bias.size)),
                        a, op[SW] * channels, 1, ao=op[DH] * width * channels,
                        b=b, bs=filters, bo=depth * filters, c=c, cs=filters,
                        M=right - left, N=own, K=depth, O=last - first,
                        G=together, ag=op[SH] * width * channels, cg=out * filters,
                    )  # fmt: skip
                else:
                    contract(
                        a=a, ars=op[SW] * channels, acs=1, ao=op[DH] * width * channels,
                        b=b, bs=filters, bo=steps * depth * filters, c=c, cs=filters,
                        M=right - left, N=own, K=depth, O=last - first, beta=1,
                    )  # fmt: skip
        o += together


@njit(**INLINED_OPTIONS)
def fill_bias(y, bias, filters):
    """Set y = b, place by place; 0 without a bias."""
    if bias.size == 0:
        clear(y)
        return
    for i in range(y.size // filters):
        copy(bias, vector(y, i * filters, filters))


@kernel(PREPARE)
def conv_prepare(ctx, op, part, parts, theta, work):
    """Compute work = W transposed, position by position. Owners: rows of W."""
    filters, depth = op[F], op[C] // op[GROUPS]
    rows = op[KH] * op[KW] * (op[C] // op[GROUPS])
    lo, hi = owned_columns(rows, part, parts)
    for step in range(lo // depth, (hi + depth - 1) // depth):
        first, last = max(lo - step * depth, 0), min(hi - step * depth, depth)
        source = matrix(theta, step * depth * filters, depth, filters)
        transpose(source, matrix(work, step * depth * filters, filters, depth), first, last)


@kernel(BACKWARD)
def conv_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum over windows of dy W^T. Owners: rows of the batch."""
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
    """Compute row h of dx, counted from the first window's first cell, by sums over lanes."""
    first, row, step = max(0, h - op[OH] + 1), op[OW] * op[F], op[KW] * op[C] * op[F]
    count = min(op[KH], h + 1) - first
    if count <= 0:
        clear(dx)
        return
    dot_row(
        plan, width=op[W], channels=op[C], zeros=zeros,
        y=vector(dy, (h - first) * row, 1), y_step=-row, w=vector(theta, first * step, 1),
        w_step=step, x=dx, before=op[LEFT], rows=count, positions=op[KW], filters=op[F],
        there=op[OW],
    )  # fmt: skip


@njit(**INLINED_OPTIONS)
def _spread(op, dy, work, dx, width, h, out):
    """Compute row h of dx, counted from the first window's first cell, by contractions."""
    channels, filters, groups = op[C], op[F], op[GROUPS]
    own, depth, every = filters // groups, channels // groups, 1
    alone = op[KW] == 1 and out == width
    if not alone:
        clear(dx)
    while every * op[DH] % op[SH] != 0:
        every += 1  # with strides, only every such kernel row meets the cells of row h
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
                a=vector(dy, (o * out + left) * filters + g * own, 1),
                ars=filters, acs=1, ao=-up * out * filters,
                b=vector(work, ((first * op[KW] + j) * filters + g * own) * depth, 1),
                bs=depth, bo=every * op[KW] * filters * depth,
                c=vector(dx, column * channels + g * depth, 1), cs=op[SW] * channels,
                M=right - left, N=depth, K=own, O=count, beta=0 if alone else 1,
            )  # fmt: skip


@kernel(BACKWARD)
def conv_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = sum over places of x^T dy (owners: rows of W) and db (owners: filters)."""
    images, width, out = _sizes(op, x.shape[0])
    steps, depth = _steps(op)
    rows, filters = op[KH] * steps * depth, op[F]
    begin, end = owned_columns(grad.size - rows * filters, part, parts)
    db = vector(grad, rows * filters + begin, end - begin)
    lo, hi = owned_weights(rows, part, parts)
    clear(db)
    room, size, length = workspace(ctx, CTX_SIZE, x), op[C] * width, op[C] * _reach(op)
    copied = op[FEW] >= AMID_ZEROS and not _is_whole(op) and hi > lo
    if copied:
        clear(vector(room, 0, op[H] * length))
    # Some rows of dy at a time, for dW and db, while they are in the cache.
    count = max(1, CHAIN // out)
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
            _correlate(op, of_x, source, out, (o, to), grad, (lo, hi), image + o == 0)
            add_places(matrix(source, o * out * filters, (to - o) * out, filters), begin, db)


@njit(**INLINED_OPTIONS)
def _correlate(op, of_x, dy, out, places, grad, rows, is_first):
    """Add x^T dy over some rows of an image's dy to some rows of dW, or set these if `is_first`."""
    (x, width, before), (o, to), (lo, hi) = of_x, places, rows
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
                a=vector(x, cell * channels + g * depth + first, 1),
                ars=1, acs=op[SW] * channels, ao=op[SH] * width * channels,
                b=vector(dy, (top * out + left) * filters + g * own, 1), bs=filters,
                bo=out * filters, c=vector(grad, (step * depth + first) * filters + g * own, 1),
                cs=filters, M=last - first, N=own, K=right - left, O=bottom - top,
                beta=0 if is_first else 1,
            )  # fmt: skip


def _emit_sum(count):
    """Make an emitter that adds `count` rows, pairwise, to a total."""

    def emit(builder, loads, stores):
        def total(first, count):
            if count == 1:
                return loads[0](first, 0)
            half = count // 2
            return builder.fadd(total(first, half), total(first + half, half))

        stores[1](builder.fadd(loads[1](0, 0), total(0, count)), 0, 0)

    return emit


#: Rows that are added in registers before the total is written, which is read again at once.
_TOGETHER = 16
_add_rows = make_lanes("add_rows", 2, _emit_sum(_TOGETHER))
_add_row = make_lanes("add_row", 2, _emit_sum(1))


@njit(**INLINED_OPTIONS)
def add_places(dy, first, total):
    """Compute total += sum over rows of dy, for columns from `first` on."""
    n, filters = dy.shape[0], dy.shape[1]
    count = n // _TOGETHER
    rest, to = n - count * _TOGETHER, (total, 0, 0, 0)
    _add_rows(count, total.size, ((vector(dy, first, 1), _TOGETHER * filters, filters, 0), to))
    left = vector(dy, first + count * _TOGETHER * filters, 1)
    _add_row(rest, total.size, ((left, filters, filters, 0), to))


DIRECT = Kernels(conv_forward, conv_backward, conv_weights, conv_prepare)
