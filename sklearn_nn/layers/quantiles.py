"""Quantiles that cannot cross: the middle one, and distances from each to the next."""

from __future__ import annotations

import math
from typing import Any

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.functions import sigmoid, softplus
from sklearn_nn.jit.host import HELPER_OPTIONS, INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like, real, real_bits
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Shape

#: Smallest distance between neighbouring quantiles of a normal distribution that is assumed.
_LEAST_GAP = 1e-6


def middle_level(levels: tuple[float, ...]) -> int:
    """Return the index of the middle level; of two middle ones, of that which is nearer to 1/2."""
    low, high = (len(levels) - 1) // 2, len(levels) // 2
    return high if abs(levels[high] - 0.5) < abs(levels[low] - 0.5) else low


def shifts(levels: tuple[float, ...]) -> list[float]:
    """Return what is added to each number, so that zeros are quantiles of a normal distribution.

    The targets of most estimators are standardized for training. The shift of the middle level, to
    which nothing is added, is 0.
    """
    from statistics import NormalDist

    middle, normal = middle_level(levels), [NormalDist().inv_cdf(level) for level in levels]
    found = [0.0] * len(levels)
    for j in range(len(levels)):
        if j != middle:
            gap = abs(normal[j] - normal[j - 1 if j > middle else j + 1])
            found[j] = math.log(math.expm1(max(gap, _LEAST_GAP)))
    return found


# Not inlined: after a call of an inlined function with branches, Numba loses what loops add up.


@njit(**HELPER_OPTIONS)
def ascend(z: Any, shift: Any, middle: int, q: Any) -> None:
    """Compute quantiles: the middle one is z, the others add or subtract softplus(z + shift)."""
    q[middle] = z[middle]
    # A rounded sum is never below a term to which something >= 0 is added.
    for j in range(middle + 1, q.size):
        q[j] = q[j - 1] + softplus(z[j] + like(z[j], shift[j]))
    for j in range(middle - 1, -1, -1):
        q[j] = q[j + 1] - softplus(z[j] + like(z[j], shift[j]))


@njit(**HELPER_OPTIONS)
def ascend_backward(z: Any, shift: Any, middle: int, dq: Any, dz: Any) -> None:
    """Compute the gradient in z from that in the quantiles; dz may be dq."""
    above, below, own = like(z[0], 0), like(z[0], 0), dq[middle]
    for j in range(dq.size - 1, middle, -1):
        above += dq[j]
        dz[j] = above * sigmoid(z[j] + like(z[j], shift[j]))
    for j in range(middle):
        below += dq[j]
        dz[j] = -below * sigmoid(z[j] + like(z[j], shift[j]))
    dz[middle] = below + own + above


# The geometry is the number of levels, the index of the middle one, and the bits of the shifts.
_MIDDLE, _SHIFTS = 1, 2


@njit(**INLINED_OPTIONS)
def _shifts_of(ctx: Any, op: Any, x: Any) -> Any:
    """Return the shifts of an instruction, in scratch memory."""
    found = vector(workspace(ctx, CTX_SIZE, x), 0, op[0])
    for j in range(found.size):
        found[j] = like(x[0, 0], real(op[_SHIFTS + j]))
    return found


@kernel(FORWARD)
def quantiles_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute ascending quantiles of each op[0] values. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    n, shift = op[0], _shifts_of(ctx, op, x)
    places = x.shape[1] // n
    for i in range(lo * places, hi * places):
        ascend(vector(x, i * n, n), shift, op[_MIDDLE], vector(y, i * n, n))


@kernel(BACKWARD)
def quantiles_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute the gradient of the values of each quantile. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    n, shift = op[0], _shifts_of(ctx, op, x)
    places = x.shape[1] // n
    for i in range(lo * places, hi * places):
        given, found = vector(dy, i * n, n), vector(dx, i * n, n)
        ascend_backward(vector(x, i * n, n), shift, op[_MIDDLE], given, found)


@parameters
class Quantiles(Layer):
    """Layer that turns the numbers of each target into ascending quantiles.

    The middle number is the middle quantile. From there outwards, each quantile is the one before,
    plus (or minus, below the middle) the softplus of its number, so that quantiles never cross. It
    is the link of the loss :class:`~sklearn_nn.training.Quantile` for several levels.

    Parameters
    ----------
    levels : tuple of float
        Levels of the quantiles, in (0, 1) and ascending. Zeros are turned into the quantiles of the
        standard normal distribution, less that of the middle level.
    """

    levels: tuple[float, ...]

    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`, whose last axis holds all levels of a target, then those of the next."""
        if shape[-1] % len(self.levels):
            raise ValueError(
                f"levels={self.levels} are {len(self.levels)} for each target, but the input has "
                f"{shape[-1]} values; give the layer before it a multiple of that number."
            )
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction."""
        shape, levels = self.output_shape(builder.shape(slot)), self.levels
        geometry = (len(levels), middle_level(levels), *map(real_bits, shifts(levels)))
        out = builder.slot(shape, builder.clock(slot))
        kernels = Kernels(quantiles_forward, quantiles_backward)
        scratch = len(levels)
        made = Instruction(slot, out, kernels, geometry=geometry, scratch=scratch, keeps="x")
        return builder.append(made)
