"""The end of a network of members: outputs of each, and the mean of what they predict.

The outputs of all members have a row's target in common: the loss is the mean of theirs.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    PREPARE,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.draws import draw_within_fan
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.tabular.members import check_members
from sklearn_nn.layers.vectors import clear

# An instruction's geometry: inputs and units of a member, and members.
_FAN_IN, _UNITS, _MEMBERS = range(3)


@kernel(FORWARD)
def heads_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_m = x_m W_m + b_m for every member m. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units, members = op[_FAN_IN], op[_UNITS], op[_MEMBERS]
    width, total = x.shape[1], y.shape[1]
    for m in range(members):
        bias = vector(theta, (members * fan_in + m) * units, units)
        weights = vector(theta, m * fan_in * units, fan_in * units)
        source = vector(x, lo * width + m * fan_in, 1)
        target = vector(y, lo * total + m * units, 1)
        operands = (source, width, 1, 0, weights, units, 0, target, total)
        contract_onto(bias, 0, *operands, hi - lo, units, fan_in, 1)


@kernel(PREPARE)
def heads_prepare(ctx, op, part, parts, theta, work):
    """work = W_m^T for every member m. Owners: members."""
    fan_in, units = op[_FAN_IN], op[_UNITS]
    lo, hi = share(op[_MEMBERS], part, parts, 1)
    for m in range(lo, hi):
        start = m * fan_in * units
        transpose(
            matrix(theta, start, fan_in, units), matrix(work, start, units, fan_in), 0, fan_in
        )


@kernel(BACKWARD)
def heads_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx_m = dy_m W_m^T. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    fan_in, units = op[_FAN_IN], op[_UNITS]
    width, total = dx.shape[1], dy.shape[1]
    for m in range(op[_MEMBERS]):
        weights = vector(work, m * fan_in * units, fan_in * units)
        given = vector(dy, lo * total + m * units, 1)
        target = vector(dx, lo * width + m * fan_in, 1)
        operands = (given, total, 1, 0, weights, fan_in, 0, target, width)
        contract(*operands, hi - lo, fan_in, units, 1, 0)


@kernel(BACKWARD)
def heads_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW_m = x_m^T dy_m, db_m = sum of dy_m over the batch. Owners: members."""
    fan_in, units, members = op[_FAN_IN], op[_UNITS], op[_MEMBERS]
    batch, width, total = x.shape[0], x.shape[1], dy.shape[1]
    lo, hi = share(members, part, parts, 1)
    for m in range(lo, hi):
        columns, given = vector(x, m * fan_in, 1), vector(dy, m * units, 1)
        dw = vector(grad, m * fan_in * units, fan_in * units)
        operands = (columns, 1, width, 0, given, total, 0, dw, units)
        contract(*operands, fan_in, units, batch, 1, 0)
    db = vector(grad, (members * fan_in + lo) * units, (hi - lo) * units)
    clear(db)
    for i in range(batch):
        row = vector(dy, i * total + lo * units, db.size)
        for j in range(db.size):
            db[j] += row[j]


@njit(**INLINED_OPTIONS)
def _share_of_one(values: Any, members: int) -> Any:
    """1 / members in the type of the values."""
    return values.dtype.type(1.0 / members)


@kernel(FORWARD)
def mean_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = mean of x_m over the members. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    width, n = x.shape[1], y.shape[1]
    scale = _share_of_one(y, width // n)
    for i in range(lo, hi):
        target = vector(y, i * n, n)
        clear(target)
        for m in range(0, width, n):
            source = vector(x, i * width + m, n)
            for j in range(n):
                target[j] += source[j]
        for j in range(n):
            target[j] *= scale


@kernel(BACKWARD)
def mean_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx_m = dy / members. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    width, n = dx.shape[1], dy.shape[1]
    scale = _share_of_one(dy, width // n)
    for i in range(lo, hi):
        given = vector(dy, i * n, n)
        for m in range(0, width, n):
            target = vector(dx, i * width + m, n)
            for j in range(n):
                target[j] = scale * given[j]


class MemberHeads(Layer):
    """Fully connected layers, one for each member: ``y_m = x_m W_m + b_m``.

    The end of a network of members, whose raw outputs then are of shape (members, units): the loss
    is the mean of the members' losses, each with the row's target, and a prediction is the mean of
    their predictions after the link, of their probabilities for instance. The parameters are kernel
    (members, inputs, units) and bias (members, units).

    Parameters
    ----------
    units : int
        Number of outputs of each member.
    kernel_initializer, bias_initializer : str, Initializer or None, default=None
        Draw W and b. None is uniform in ±1 / sqrt(inputs).

    References
    ----------
    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.
    """

    has_members = True

    def __init__(
        self, units: int, *, kernel_initializer: Any = None, bias_initializer: Any = None
    ) -> None:
        self.units = units
        self.kernel_initializer = kernel_initializer
        self.bias_initializer = bias_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """A vector of `units` for each member."""
        check_members(self, shape)
        return (shape[0], *whole_numbers("units", self.units, 1))

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameters are kernel and bias."""
        own = self.output_shape(builder.shape(slot))
        members, fan_in = builder.shape(slot)
        out, fans = builder.slot(own), (fan_in, own[1])
        draws = (
            self.kernel_initializer or draw_within_fan,
            self.bias_initializer or draw_within_fan,
        )
        shape = (members, *fans)
        builder.instruction(
            slot,
            out,
            forward=heads_forward,
            prepare=heads_prepare,
            backward=heads_backward,
            weights=heads_weights,
            parameters=[
                Parameter("kernel", shape, draws[0], *fans),
                Parameter("bias", own, draws[1], *fans, decay=0.0),
            ],
            work=members * fan_in * own[1],
            geometry=(*fans, members),
            keeps="x",
        )
        return out


class MeanOverMembers(Layer):
    """The mean of the members' vectors. A network of members ends with it in prediction."""

    def output_shape(self, shape: Shape) -> Shape:
        """The vector of one member."""
        check_members(self, shape)
        return shape[1:]

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        builder.instruction(slot, out, forward=mean_forward, backward=mean_backward, keeps="")
        return out
