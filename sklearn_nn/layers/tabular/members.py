"""Ensembles of networks that share weights: a row becomes a vector for each member.

All members are computed at once, as rows of one matrix product. The outputs of all members have the
target of their row in common: the loss is the mean of theirs.
"""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import Any

from sklearn_nn._spec import parameters
from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.functions import fma
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, row, vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, PREPARE, owned_rows
from sklearn_nn.layers.convolution.pool import GlobalAveragePool
from sklearn_nn.layers.dense import lower_steps
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.normalization import lower_scale_and_shift
from sklearn_nn.layers.tabular.linear import draw_alike, draw_signs, draw_within_fan, lower_scale
from sklearn_nn.layers.vectors import clear, sum_rows

# An instruction's geometry: inputs and units of a member, and members.
_FAN_IN, _UNITS, _MEMBERS = range(3)


@kernel(FORWARD)
def spread_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y_m = r_m x for every member m. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    n, total = x.shape[1], y.shape[1]
    for i in range(lo, hi):
        source = row(x, i)
        for m in range(0, total, n):
            scale, target = vector(theta, m, n), vector(y, i * total + m, n)
            for j in range(n):
                target[j] = scale[j] * source[j]


@kernel(BACKWARD)
def spread_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = sum over members of r_m dy_m. Owners: rows of the batch."""
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
    """Compute dr_m = sum of dy_m x over the batch. Owners: members."""
    n, total = x.shape[1], dy.shape[1]
    lo, hi = share(total // n, part, parts, 1)
    clear(vector(grad, lo * n, (hi - lo) * n))
    for i in range(x.shape[0]):
        source = vector(x, i * n, n)
        for m in range(lo * n, hi * n, n):
            found, given = vector(grad, m, n), vector(dy, i * total + m, n)
            for j in range(n):
                found[j] = fma(given[j], source[j], found[j])


def check_members(layer: Layer, shape: Shape) -> None:
    """Raise ValueError unless a sample has a vector for each member."""
    if len(shape) != 2:
        remedy = "put a MemberScale or a MemberLinear with members= before it."
        raise layer._misfit(shape, "a vector for each member", remedy)


class _Spread(Layer):
    """Base of layers that can create members from a vector."""

    members: int | None

    def _spread_shape(self, shape: Shape) -> Shape:
        """Return the shape of a sample with a vector for each member."""
        if len(shape) == 1:
            if self.members is None:
                raise self._invalid("members", "must be a number if samples are vectors.")
            return (self._whole_number("members"), *shape)
        check_members(self, shape)
        if self.members not in (None, shape[0]):
            remedy = f"differs from the {shape[0]} members of its input; leave it out."
            raise self._invalid("members", remedy)
        return shape

    def _lower_scale(self, builder: Builder, slot: int, name: str) -> int:
        """Append one instruction, which multiplies by the factors of each member."""
        begins = len(builder.shape(slot)) == 1
        shape = self._spread_shape(builder.shape(slot))
        draw = self._initializer("scale_initializer", draw_signs if begins else "ones")
        scale = Parameter(name, shape, draw, 1, 1)
        if not begins:
            return lower_scale(builder, slot, scale)
        kernels = Kernels(spread_forward, spread_backward, spread_weights)
        return builder.append(Instruction(slot, builder.slot(shape), kernels, [scale], keeps="x"))


@parameters
class MemberScale(_Spread):
    """Layer that multiplies every input by a factor of each member: the first layer of TabM-mini.

    A vector becomes a vector for each member, of shape (members, inputs). Members may share all
    layers that follow: `TimeDistributed` of a `Dense`, `Activation`, `Dropout`; the last layer is
    `MemberHeads`. The parameter is named scale.

    Parameters
    ----------
    members : int or None
        Number of members. None is for samples that already have a vector for each member.
    scale_initializer : str, Initializer or None, default=None
        Initial factors, of shape (members, inputs). None is 1 or -1 at random for samples that are
        vectors, so that members differ, and else 1.

    References
    ----------
    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.

    Examples
    --------
    Thirty-two views of each row, and layers that all of them share:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense, MeanOverMembers, MemberScale, TimeDistributed
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> layers = [
    ...     MemberScale(32), TimeDistributed(Dense(16, activation="relu")), MeanOverMembers()
    ... ]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, X[:, 0])
    >>> [(row.output_shape, row.n_parameters) for row in model.summary().rows]
    [((32, 5), 160), ((32, 16), 96), ((16,), 0), ((1,), 17)]
    """

    members: int | None = None
    _: KW_ONLY
    scale_initializer: Any = None

    def output_shape(self, shape: Shape) -> Shape:
        """Return (members, inputs)."""
        return self._spread_shape(shape)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the parameter scale."""
        return self._lower_scale(builder, slot, "scale")


@parameters
class MemberLinear(_Spread):
    """Fully connected layer whose weights members share: ``y_m = ((x_m r_m) W) s_m + b_m``.

    Each member m has its own factors r_m and s_m of inputs and outputs, and its own bias; the large
    W is shared (Wen et al., 2020; Gorishniy et al., 2025). The parameters are input_scale (members,
    inputs), kernel (inputs, units), output_scale and bias (members, units).

    Parameters
    ----------
    units : int
        Number of outputs of each member.
    members : int or None, default=None
        Number of members, in the first such layer, which reads vectors. None is for samples that
        already have a vector for each member.
    kernel_initializer : str, Initializer or None, default=None
        Initial W. None is uniform in ±1 / sqrt(inputs).
    scale_initializer : str, Initializer or None, default=None
        Initial r, of shape (members, inputs). None is 1 or -1 at random for samples that are
        vectors, so that members differ, and else 1.

    References
    ----------
    Wen, Y., Tran, D., & Ba, J. (2020). BatchEnsemble: an alternative approach to efficient ensemble
    and lifelong learning. ICLR.

    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.

    Examples
    --------
    Eight members with a common kernel; factors and biases are each member's own:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Activation, MeanOverMembers, MemberLinear
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> layers = [MemberLinear(16, members=8), Activation("relu"), MeanOverMembers()]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, X[:, 0])
    >>> {name: array.shape for name, array in model.layers_["memberlinear1"].items()}
    {'input_scale': (8, 5), 'kernel': (5, 16), 'output_scale': (8, 16), 'bias': (8, 16)}
    """

    units: int
    members: int | None = None
    _: KW_ONLY
    kernel_initializer: Any = None
    scale_initializer: Any = None

    def output_shape(self, shape: Shape) -> Shape:
        """Return (members, units)."""
        return (self._spread_shape(shape)[0], self._whole_number("units"))

    def lower(self, builder: Builder, slot: int) -> int:
        """Append three instructions: input factors; the shared product; output factors and bias."""
        members, units = self.output_shape(builder.shape(slot))
        slot = self._lower_scale(builder, slot, "input_scale")
        draw = self._initializer("kernel_initializer", draw_within_fan)
        fans = builder.shape(slot)[1], units
        slot = lower_steps(builder, slot, [Parameter("kernel", fans, draw, *fans)])
        own = (members, units)
        scale = Parameter("output_scale", own, "ones", *fans)
        bias = Parameter("bias", own, draw_alike, *fans, decay=0.0)
        return lower_scale_and_shift(builder, slot, [scale, bias])


@kernel(FORWARD)
def heads_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y_m = x_m W_m + b_m for every member m. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units, members = op[_FAN_IN], op[_UNITS], op[_MEMBERS]
    width, total = x.shape[1], y.shape[1]
    for m in range(members):
        bias = vector(theta, (members * fan_in + m) * units, units)
        contract_onto(
            d=bias, ds=0, a=vector(x, lo * width + m * fan_in, 1), ars=width, acs=1, ao=0,
            b=vector(theta, m * fan_in * units, 1), bs=units, bo=0,
            c=vector(y, lo * total + m * units, 1), cs=total, M=hi - lo, N=units, K=fan_in, O=1,
        )  # fmt: skip


@kernel(PREPARE)
def heads_prepare(ctx, op, part, parts, theta, work):
    """Compute work = W_m^T for every member m. Owners: members."""
    fan_in, units = op[_FAN_IN], op[_UNITS]
    lo, hi = share(op[_MEMBERS], part, parts, 1)
    for m in range(lo, hi):
        start = m * fan_in * units
        source, target = matrix(theta, start, fan_in, units), matrix(work, start, units, fan_in)
        transpose(source, target, 0, fan_in)


@kernel(BACKWARD)
def heads_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx_m = dy_m W_m^T. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    fan_in, units = op[_FAN_IN], op[_UNITS]
    width, total = dx.shape[1], dy.shape[1]
    for m in range(op[_MEMBERS]):
        contract(
            a=vector(dy, lo * total + m * units, 1), ars=total, acs=1, ao=0,
            b=vector(work, m * fan_in * units, 1), bs=fan_in, bo=0,
            c=vector(dx, lo * width + m * fan_in, 1), cs=width,
            M=hi - lo, N=fan_in, K=units, O=1, beta=0,
        )  # fmt: skip


@kernel(BACKWARD)
def heads_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW_m = x_m^T dy_m and db_m = sum of dy_m over the batch. Owners: members."""
    fan_in, units, members = op[_FAN_IN], op[_UNITS], op[_MEMBERS]
    batch, width, total = x.shape[0], x.shape[1], dy.shape[1]
    lo, hi = share(members, part, parts, 1)
    for m in range(lo, hi):
        contract(
            a=vector(x, m * fan_in, 1), ars=1, acs=width, ao=0,
            b=vector(dy, m * units, 1), bs=total, bo=0,
            c=vector(grad, m * fan_in * units, 1), cs=units,
            M=fan_in, N=units, K=batch, O=1, beta=0,
        )  # fmt: skip
    sum_rows(dy, lo * units, vector(grad, (members * fan_in + lo) * units, (hi - lo) * units))


@parameters
class MemberHeads(Layer):
    """Fully connected layer with separate weights for each member: ``y_m = x_m W_m + b_m``.

    It is the last layer of a network of members. The raw outputs have the shape (members, units);
    the loss is the mean of the members' losses, each with the row's target; a prediction is the
    mean of their predictions after the link, for instance of their probabilities. The parameters
    are kernel (members, inputs, units) and bias (members, units).

    Parameters
    ----------
    units : int
        Number of outputs of each member.
    kernel_initializer : str, Initializer or None, default=None
        Initial W. None is uniform in ±1 / sqrt(inputs).
    bias_initializer : str, Initializer or None, default=None
        Initial b. None is uniform in ±1 / sqrt(inputs).

    References
    ----------
    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.

    Examples
    --------
    The output layer of TabM, here with four members:

    >>> import numpy as np
    >>> from sklearn_nn import TabularRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 5))
    >>> model = TabularRegressor(
    ...     "tabm", n_members=4, hidden_layer_sizes=16, num_embedding=None, max_iter=2
    ... ).fit(X, X[:, 0])
    >>> [(row.name, row.layer, row.output_shape) for row in model.summary().rows][::3]
    [('linear1', 'MemberLinear', (4, 16)), ('output', 'MemberHeads', (4, 1))]
    """

    units: int
    _: KW_ONLY
    kernel_initializer: Any = None
    bias_initializer: Any = None

    has_members = True

    def output_shape(self, shape: Shape) -> Shape:
        """Return (members, units)."""
        check_members(self, shape)
        return (shape[0], self._whole_number("units"))

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias."""
        own = self.output_shape(builder.shape(slot))
        members, fan_in = builder.shape(slot)
        out, fans = builder.slot(own), (fan_in, own[1])
        draw = self._initializer("kernel_initializer", draw_within_fan)
        draw_bias = self._initializer("bias_initializer", draw_within_fan)
        kernel = Parameter("kernel", (members, *fans), draw, *fans)
        bias = Parameter("bias", own, draw_bias, *fans, decay=0.0)
        kernels = Kernels(heads_forward, heads_backward, heads_weights, heads_prepare)
        op = Instruction(slot, out, kernels, [kernel, bias], geometry=(*fans, members), keeps="x")
        op.work = kernel.size
        return builder.append(op)


class MeanOverMembers(GlobalAveragePool):
    """Layer that computes the mean of the members' vectors, as a network of members predicts.

    Examples
    --------
    The vectors of eight members become one:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Activation, MeanOverMembers, MemberLinear
    >>> X = np.random.default_rng(0).standard_normal((100, 5))
    >>> layers = [MemberLinear(16, members=8), Activation("relu"), MeanOverMembers()]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, X[:, 0])
    >>> [row.output_shape for row in model.summary().rows]
    [(8, 16), (8, 16), (16,), (1,)]
    """

    lengths = "refuses"

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one member's vector."""
        check_members(self, shape)
        return shape[1:]
