"""Kernels of 3 x 3 convolution with fewer multiplications (Winograd; Lavin & Gray, 2016).

The output is divided into tiles of 4 x 4, each of which sees 6 x 6 cells d. With the transforms

    U = G W G'        V = B' d B        Y = A' (sum over channels of U V) A

a tile takes 36 multiplications per channel and filter instead of 144. For each of the 36 places of
a transformed tile, the sum over channels is a product of matrices: (tiles x channels) (channels x
filters). Tiles are processed in blocks, in the order of the batch, so that transformed data stays
in the cache. The gradient of the input is a convolution too; that of W is the transposed formula:
dU = V' (A dY A'), dW = G' dU G.

Rounding errors are larger: in float32 about 1e-6 of the output's size, two to three times those of
direct summation. Transformed blocks lie in the scratch memory after `ctx`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from sklearn_nn.jit import njit
from sklearn_nn.jit.contract import contract, matmul, matmul_onto
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.lanes import Matrix, make_sandwich
from sklearn_nn.jit.views import matrix, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.convolution.convolve import LEFT, OH, OW, TOP, C, F, H, W, add_places
from sklearn_nn.layers.layer import Kernels
from sklearn_nn.layers.vectors import clear, copy, owned_columns, owned_weights

#: Minimal channels and filters, and places of a row or column, for which this is faster.
FEWEST_CHANNELS, FEWEST_PLACES = 16, 3
#: Height and width of a tile of the output, and of the cells that it sees.
_TILE, _CELLS = 4, 6
_PLACES = _CELLS * _CELLS
#: Tiles of a block: enough rows for the products, and they fit into the second-level cache.
_TILES = 32
#: Elements between the places of a block, which must not share sets of the cache.
_GAP = 16
#: Interpolation points of polynomials of degree 5, besides infinity, with low rounding errors.
_POINTS = (Fraction(0), Fraction(1), Fraction(-1), Fraction(1, 2), Fraction(-2))
#: The place whose sums are added to every cell of a tile with factor 1: point 1 along both axes.
_ONE = 1 * _CELLS + 1


def _times(polynomial: list[Fraction], root: Fraction) -> list[Fraction]:
    """Multiply a polynomial, given by its coefficients from the lowest on, by (x - root)."""
    shifted, scaled = [Fraction(0), *polynomial], [*(root * c for c in polynomial), Fraction(0)]
    return [a - b for a, b in zip(shifted, scaled, strict=True)]


def _product(roots: Sequence[Fraction]) -> list[float]:
    """Return the coefficients, up to degree 5, of the polynomial with these roots."""
    found = [Fraction(1)]
    for root in roots:
        found = _times(found, root)
    return [float(c) for c in (*found, *[0] * (_CELLS - len(found)))]


def _transforms() -> tuple[Matrix, Matrix, Matrix]:
    """Return A', G and B' by the method of Cook and Toom.

    A correlation is a transposed product of polynomials: A', G evaluate at points, B' interpolates.
    """
    others = [[q for q in _POINTS if q != p] for p in _POINTS]
    weights = [math.prod(p - q for q in rest) for p, rest in zip(_POINTS, others, strict=True)]
    output = [[float(p**i) for p in _POINTS] + [float(i == _TILE - 1)] for i in range(_TILE)]
    kernel = [[float(p**i / w) for i in range(3)] for p, w in zip(_POINTS, weights, strict=True)]
    cells = [_product(roots) for roots in (*others, _POINTS)]
    return output, [*kernel, [0.0, 0.0, 1.0]], cells


def _turned(matrix: Matrix) -> Matrix:
    return [list(row) for row in zip(*matrix, strict=True)]


_OUTPUT, _KERNEL, _INPUT = _transforms()
_transform_kernel = make_sandwich("kernel", _KERNEL)
_transform_input = make_sandwich("input", _INPUT)
_transform_sums = make_sandwich("sums", _OUTPUT)
_transform_gradient = make_sandwich("gradient", _turned(_OUTPUT))
_transform_back = make_sandwich("back", _turned(_KERNEL))


@njit(**INLINED_OPTIONS)
def _block_rows(tiles):
    """Return the number of rows of tiles in a block, for `tiles` in a row."""
    return max(1, _TILES // tiles)


def room(width: int, channels: int, filters: int) -> int:
    """Return the number of elements of scratch memory, for images of at most `width`."""
    across = -(-width // _TILE)
    tiles = max(_TILES, across)
    transformed = channels * filters + tiles * (channels + filters) + 2 * _GAP
    return _PLACES * transformed + _CELLS * (_TILE * across + 2) * max(channels, filters)


@njit(**INLINED_OPTIONS)
def _take_rows(x, size, image, first, count, left, target, length):
    """Copy rows from `first` on of an image of x, with zeros around, to rows of `length` cells.

    `size` is height, width and channels of the images; `left` is the number of zeros on the left.
    """
    height, width, channels = size
    inside = min(width, length - left) * channels
    for a in range(count):
        row = vector(target, a * length * channels, length * channels)
        h = first + a
        if h < 0 or h >= height:
            clear(row)
            continue
        clear(vector(row, 0, left * channels))
        source = vector(x, (image * height + h) * width * channels, inside)
        copy(source, vector(row, left * channels, inside))
        clear(vector(row, left * channels + inside, row.size - left * channels - inside))


@njit(**INLINED_OPTIONS)
def _convolve(room, u, bias, source, target, corner, images):
    """Compute y = x * W + b for some images; u is W transformed, at the start of `room`.

    `source` and `target` are x and y, each with height, width and channels; `corner` is the cells
    of the first window above and to the left of the image.
    """
    (x, size), (y, (out_height, out_width, filters)), (top, left) = source, target, corner
    channels = size[2]
    across, down = (out_width + _TILE - 1) // _TILE, (out_height + _TILE - 1) // _TILE
    step = _block_rows(across)
    v_gap, m_gap = step * across * channels + _GAP, step * across * filters + _GAP
    v = vector(room, u.size, _PLACES * v_gap)
    m = vector(room, u.size + v.size, _PLACES * m_gap)
    rows = vector(room, u.size + v.size + m.size, room.size - u.size - v.size - m.size)
    length = _TILE * across + 2
    for begin in range(0, images * down, step):
        end = min(begin + step, images * down)
        tiles = (end - begin) * across
        for r in range(begin, end):
            i = r % down * _TILE
            _take_rows(x, size, r // down, i - top, _CELLS, left, rows, length)
            cells = rows, _TILE * channels, length * channels, channels
            places = vector(v, (r - begin) * across * channels, 1), channels, _CELLS * v_gap, v_gap
            _transform_input(across, channels, (cells, places))
        for k in range(_PLACES):
            a = matrix(v, k * v_gap, tiles, channels)
            b = matrix(u, k * channels * filters, channels, filters)
            c = matrix(m, k * m_gap, tiles, filters)
            if k == _ONE and bias.size:
                matmul_onto(bias, a, b, c)
            else:
                matmul(a, b, c)
        for r in range(begin, end):
            i = r % down * _TILE
            place = (r // down * out_height + i) * out_width * filters
            whole = i + _TILE <= out_height and _TILE * across == out_width
            breadth = _TILE * across * filters
            tile = vector(y, place, 1) if whole else vector(rows, 0, 1)
            sums = vector(m, (r - begin) * across * filters, 1), filters, _CELLS * m_gap, m_gap
            _transform_sums(across, filters, (sums, (tile, _TILE * filters, breadth, filters)))
            if not whole:
                for a in range(min(_TILE, out_height - i)):
                    line = vector(y, place + a * out_width * filters, out_width * filters)
                    copy(vector(rows, a * breadth, line.size), line)


@kernel(FORWARD)
def winograd_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x * W + b. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    size = op[C] * op[F]
    scratch = workspace(ctx, CTX_SIZE, x)
    u, bias = vector(scratch, 0, _PLACES * size), vector(theta, 9 * size, theta.size - 9 * size)
    _transform_kernel(1, size, ((theta, 0, 3 * size, size), (u, 0, _CELLS * size, size)))
    source = vector(x, lo * x.shape[1], 0), (op[H], op[W], op[C])
    target = vector(y, lo * y.shape[1], 0), (op[OH], op[OW], op[F])
    _convolve(scratch, u, bias, source, target, (op[TOP], op[LEFT]), hi - lo)


@kernel(BACKWARD)
def winograd_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy * W, rotated by 180 degrees; `work` is W transposed. Owners: rows."""
    lo, hi = owned_rows(dx, part, parts)
    size = op[C] * op[F]
    scratch = workspace(ctx, CTX_SIZE, dx)
    u = vector(scratch, 0, _PLACES * size)
    turned = vector(work, 8 * size, 1), 0, -3 * size, -size
    _transform_kernel(1, size, (turned, (u, 0, _CELLS * size, size)))
    source = vector(dy, lo * dy.shape[1], 0), (op[OH], op[OW], op[F])
    target = vector(dx, lo * dx.shape[1], 0), (op[H], op[W], op[C])
    corner = 2 - op[TOP], 2 - op[LEFT]
    _convolve(scratch, u, vector(work, 0, 0), source, target, corner, hi - lo)


@kernel(BACKWARD)
def winograd_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = G' dU G, with dU summed over tiles (owners: channels), and db (filters)."""
    channels, filters, images = op[C], op[F], x.shape[0]
    size = channels * filters
    begin, end = owned_columns(grad.size - 9 * size, part, parts)
    db = vector(grad, 9 * size + begin, end - begin)
    clear(db)
    lo, hi = owned_weights(channels, part, parts)
    own = hi - lo
    scratch = workspace(ctx, CTX_SIZE, x)
    across, down = (op[OW] + _TILE - 1) // _TILE, (op[OH] + _TILE - 1) // _TILE
    step = _block_rows(across)
    v_gap, d_gap = step * across * own + _GAP, step * across * filters + _GAP
    du = vector(scratch, 0, _PLACES * own * filters)
    v = vector(scratch, du.size, _PLACES * v_gap)
    d = vector(scratch, du.size + v.size, _PLACES * d_gap)
    rows = vector(scratch, du.size + v.size + d.size, 1)
    length = _TILE * across + 2
    for begin_row in range(0, images * down, step):
        end_row = min(begin_row + step, images * down)
        for r in range(begin_row, end_row):
            image, i, first = r // down, r % down * _TILE, (r - begin_row) * across
            breadth = op[OW] * min(_TILE, op[OH] - i)
            start = (image * op[OH] + i) * op[OW] * filters
            add_places(matrix(dy, start, breadth, filters), begin, db)
            if own == 0:
                continue
            size_x, size_y = (op[H], op[W], channels), (op[OH], op[OW], filters)
            _take_rows(x, size_x, image, i - op[TOP], _CELLS, op[LEFT], rows, length)
            source = vector(rows, lo, 1), _TILE * channels, length * channels, channels
            target = vector(v, first * own, 1), own, _CELLS * v_gap, v_gap
            _transform_input(across, own, (source, target))
            _take_rows(dy, size_y, image, i, _TILE, 0, rows, _TILE * across)
            source = rows, _TILE * filters, _TILE * across * filters, filters
            target = vector(d, first * filters, 1), filters, _CELLS * d_gap, d_gap
            _transform_gradient(across, filters, (source, target))
        tiles = (end_row - begin_row) * across
        for k in range(_PLACES):
            contract(
                a=vector(v, k * v_gap, 1), ars=1, acs=own, ao=0,
                b=vector(d, k * d_gap, 1), bs=filters, bo=0,
                c=vector(du, k * own * filters, 1), cs=filters,
                M=own, N=filters, K=tiles, O=1, beta=min(begin_row, 1),
            )  # fmt: skip
    target = vector(grad, lo * filters, 1), 0, 3 * size, size
    _transform_back(1, own * filters, ((du, 0, _CELLS * own * filters, own * filters), target))


#: Without the kernel that transposes W, which is that of other convolutions.
WINOGRAD = Kernels(winograd_forward, winograd_backward, winograd_weights)
