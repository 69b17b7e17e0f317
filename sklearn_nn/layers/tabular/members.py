"""Networks that share their weights: a row becomes as many vectors as there are members.

All members are computed at once, as rows of one matrix product. member_heads.py has the end of such
a network.
"""

from __future__ import annotations

from typing import Any

from sklearn_nn.jit.contract import contract
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.dense import dense_prepare
from sklearn_nn.layers.draws import draw_alike, draw_signs, draw_within_fan
from sklearn_nn.layers.normalization.layer_norm import (
    scale_and_shift,
    scale_and_shift_backward,
    scale_and_shift_weights,
)
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.tabular.feature_scale import lower_scale
from sklearn_nn.layers.vectors import clear

# An instruction's geometry: inputs and units of a member, and members.
_FAN_IN, _UNITS, _MEMBERS = range(3)
# Rows of W are dealt out in multiples of this: a tile's height.
_WEIGHT_GRAIN = 8


@kernel(FORWARD)
def spread_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_m = r_m x for every member m. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    n, total = x.shape[1], y.shape[1]
    for i in range(lo, hi):
        source = vector(x, i * n, n)
        for m in range(0, total, n):
            scale, target = vector(theta, m, n), vector(y, i * total + m, n)
            for j in range(n):
                target[j] = scale[j] * source[j]


@kernel(BACKWARD)
def spread_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = sum over members of r_m dy_m. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    n, total = dx.shape[1], dy.shape[1]
    for i in range(lo, hi):
        target = vector(dx, i * n, n)
        clear(target)
        for m in range(0, total, n):
            scale, given = vector(theta, m, n), vector(dy, i * total + m, n)
            for j in range(n):
                target[j] = fma(scale[j], given[j], target[j])


@kernel(BACKWARD)
def spread_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dr_m = sum of dy_m x over the batch. Owners: members."""
    n, total = x.shape[1], dy.shape[1]
    lo, hi = share(total // n, part, parts, 1)
    clear(vector(grad, lo * n, (hi - lo) * n))
    for i in range(x.shape[0]):
        source = vector(x, i * n, n)
        for m in range(lo * n, hi * n, n):
            found, given = vector(grad, m, n), vector(dy, i * total + m, n)
            for j in range(n):
                found[j] = fma(given[j], source[j], found[j])


@kernel(FORWARD)
def shared_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y_m = x_m W for every member m. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units, rows = op[_FAN_IN], op[_UNITS], (hi - lo) * op[_MEMBERS]
    source, target = vector(x, lo * x.shape[1], 1), vector(y, lo * y.shape[1], 1)
    contract(source, fan_in, 1, 0, theta, units, 0, target, units, rows, units, fan_in, 1, 0)


@kernel(BACKWARD)
def shared_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx_m = dy_m W^T. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    fan_in, units, rows = op[_FAN_IN], op[_UNITS], (hi - lo) * op[_MEMBERS]
    given, target = vector(dy, lo * dy.shape[1], 1), vector(dx, lo * dx.shape[1], 1)
    contract(given, units, 1, 0, work, fan_in, 0, target, fan_in, rows, fan_in, units, 1, 0)


@kernel(BACKWARD)
def shared_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over members of x_m^T dy_m. Owners: rows of W."""
    fan_in, units, rows = op[_FAN_IN], op[_UNITS], x.shape[0] * op[_MEMBERS]
    lo, hi = share(fan_in, part, parts, _WEIGHT_GRAIN)
    columns, dw = vector(x, lo, 1), vector(grad, lo * units, 1)
    contract(columns, 1, fan_in, 0, dy, units, 0, dw, units, hi - lo, units, rows, 1, 0)


def check_members(layer: Layer, shape: Shape) -> None:
    """Raise a ValueError if a sample is not a vector for each member."""
    if len(shape) != 2:
        raise ValueError(
            f"{type(layer).__name__} takes a vector for each member, got samples of shape {shape}; "
            "put a MemberScale or a MemberLinear with members= before it."
        )


class _Spread(Layer):
    """What layers share that members can begin at."""

    members: int | None

    def _spread_shape(self, shape: Shape) -> Shape:
        """The shape of a sample with a vector for each member."""
        kind = type(self).__name__
        if len(shape) == 1:
            if self.members is None:
                raise ValueError(f"members=None of {kind} must be a number where members begin.")
            return (*whole_numbers("members", self.members, 1), *shape)
        check_members(self, shape)
        if self.members not in (None, shape[0]):
            raise ValueError(
                f"members={self.members!r} of {kind} does not suit the {shape[0]} members that "
                "come in; leave it out."
            )
        return shape

    def _lower_scale(self, builder: Builder, slot: int, name: str, draw: Any) -> int:
        """One instruction: the factors of each member, on what all share or on its own."""
        begins = len(builder.shape(slot)) == 1
        shape = self._spread_shape(builder.shape(slot))
        scale = Parameter(name, shape, draw or (draw_signs if begins else "ones"), 1, 1)
        if not begins:
            return lower_scale(builder, slot, scale)
        out = builder.slot(shape)
        builder.instruction(
            slot,
            out,
            forward=spread_forward,
            backward=spread_backward,
            weights=spread_weights,
            parameters=[scale],
            keeps="x",
        )
        return out


class MemberScale(_Spread):
    """Give each member a factor of its own on every input: where the members of TabM-mini begin.

    A vector becomes one vector for each member, of shape (members, inputs). All that follows may be
    shared: `TimeDistributed` of a `Dense`, `Activation`, `Dropout`; `MemberHeads` ends the network.
    The parameter is called scale.

    Parameters
    ----------
    members : int or None
        Number of members. None is for samples that have a vector for each member already.
    scale_initializer : str, Initializer or None, default=None
        Draws the factors, of shape (members, inputs). None is 1 or -1 where members begin, so that
        they differ, and 1 further on.

    References
    ----------
    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.
    """

    def __init__(self, members: int | None = None, *, scale_initializer: Any = None) -> None:
        self.members = members
        self.scale_initializer = scale_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """A vector for each member."""
        return self._spread_shape(shape)

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction; its parameter is scale (members, inputs)."""
        return self._lower_scale(builder, slot, "scale", self.scale_initializer)


class MemberLinear(_Spread):
    """Fully connected layer whose weights members share: ``y_m = ((x_m r_m) W) s_m + b_m``.

    Each member m has factors r_m on its inputs and s_m on its outputs, and a bias; what costs time
    and memory is shared (Wen et al., 2020; Gorishniy et al., 2025). The parameters are input_scale
    (members, inputs), kernel (inputs, units), output_scale and bias (members, units).

    Parameters
    ----------
    units : int
        Number of outputs of each member.
    members : int or None, default=None
        Number of members, in the first such layer, which reads vectors. None is for samples that
        have a vector for each member already.
    kernel_initializer : str, Initializer or None, default=None
        Draws W. None is uniform in ±1 / sqrt(inputs).
    scale_initializer : str, Initializer or None, default=None
        Draws r, of shape (members, inputs). None is 1 or -1 where members begin, so that they
        differ, and 1 further on.

    References
    ----------
    Wen, Y., Tran, D., & Ba, J. (2020). BatchEnsemble: an alternative approach to efficient ensemble
    and lifelong learning. ICLR.

    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.
    """

    def __init__(
        self,
        units: int,
        members: int | None = None,
        *,
        kernel_initializer: Any = None,
        scale_initializer: Any = None,
    ) -> None:
        self.units = units
        self.members = members
        self.kernel_initializer = kernel_initializer
        self.scale_initializer = scale_initializer

    def output_shape(self, shape: Shape) -> Shape:
        """A vector of `units` for each member."""
        return (self._spread_shape(shape)[0], *whole_numbers("units", self.units, 1))

    def lower(self, builder: Builder, slot: int) -> int:
        """Three instructions: the members' factors, what they share, factors and biases."""
        members, units = self.output_shape(builder.shape(slot))
        slot = self._lower_scale(builder, slot, "input_scale", self.scale_initializer)
        fan_in = builder.shape(slot)[1]
        draw, fans = self.kernel_initializer or draw_within_fan, (fan_in, units)
        shared, out = builder.slot((members, units)), builder.slot((members, units))
        builder.instruction(
            slot,
            shared,
            forward=shared_forward,
            prepare=dense_prepare,
            backward=shared_backward,
            weights=shared_weights,
            parameters=[Parameter("kernel", fans, draw, *fans)],
            work=fan_in * units,
            geometry=(*fans, members),
            keeps="x",
        )
        own = (members, units)
        builder.instruction(
            shared,
            out,
            forward=scale_and_shift,
            backward=scale_and_shift_backward,
            weights=scale_and_shift_weights,
            parameters=[
                Parameter("output_scale", own, "ones", *fans),
                Parameter("bias", own, draw_alike, *fans, decay=0.0),
            ],
            geometry=(members * units,),
            keeps="x",
        )
        return out
