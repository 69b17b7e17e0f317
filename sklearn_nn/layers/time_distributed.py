"""A dense layer applied to every step of a sequence: ``y_t = x_t W + b``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import njit

from sklearn_nn.jit.contract import contract, contract_onto
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import (
    BACKWARD,
    FORWARD,
    LENGTHS,
    Builder,
    Layer,
    Parameter,
    Shape,
    owned_rows,
)
from sklearn_nn.layers.convolution.convolve import BIAS_GRAIN, add_places
from sklearn_nn.layers.dense import Dense, dense_prepare
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import check_axes
from sklearn_nn.layers.vectors import clear

# An instruction's geometry: inputs and units of a step, steps, and the clock.
FAN_IN, UNITS, STEPS, OFFSET, STRIDE = range(5)

# Rows of W are dealt out in multiples of this: a tile's height.
_WEIGHT_GRAIN = 8


@njit(**INLINED_OPTIONS)
def _count(ctx, op, rows):
    """Into how many runs of steps without a gap so many rows fall: one, if they are full."""
    return 1 if op[STRIDE] == 0 or ctx[LENGTHS] == 0 else rows


@njit(**INLINED_OPTIONS)
def _run(ctx, op, lo, hi, number):
    """The first step, counted over the batch, and the steps of a run of rows [lo, hi)."""
    if op[STRIDE] == 0 or ctx[LENGTHS] == 0:
        return lo * op[STEPS], (hi - lo) * op[STEPS]
    i = lo + number
    return i * op[STEPS], own_steps(ctx, op[OFFSET], op[STRIDE], i, op[STEPS])


@kernel(FORWARD)
def steps_forward(ctx, op, part, parts, theta, state, work, x, y):
    """y = x W + b, step by step. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units = op[FAN_IN], op[UNITS]
    bias = vector(theta, fan_in * units, units)
    for number in range(_count(ctx, op, hi - lo)):
        start, steps = _run(ctx, op, lo, hi, number)
        source, target = vector(x, start * fan_in, 1), vector(y, start * units, 1)
        operands = (source, fan_in, 1, 0, theta, units, 0, target, units)
        contract_onto(bias, 0, *operands, steps, units, fan_in, 1)


@kernel(BACKWARD)
def steps_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dx = dy W^T, step by step; 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    fan_in, units = op[FAN_IN], op[UNITS]
    count = _count(ctx, op, hi - lo)
    for number in range(count):
        start, steps = _run(ctx, op, lo, hi, number)
        given, target = vector(dy, start * units, 1), vector(dx, start * fan_in, 1)
        operands = (given, units, 1, 0, work, fan_in, 0, target, fan_in)
        contract(*operands, steps, fan_in, units, 1, 0)
        # Runs lie one behind the other, as far apart as rows are long.
        end = (hi if number == count - 1 else lo + number + 1) * op[STEPS]
        clear(vector(dx, (start + steps) * fan_in, (end - start - steps) * fan_in))


@kernel(BACKWARD)
def steps_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """dW = sum over own steps of x^T dy, owners: rows of W. db = sum of dy, owners: columns."""
    fan_in, units = op[FAN_IN], op[UNITS]
    lo, hi = share(fan_in, part, parts, _WEIGHT_GRAIN)
    begin, end = share(units, part, parts, BIAS_GRAIN)
    dw = vector(grad, lo * units, (hi - lo) * units)
    db = vector(grad, fan_in * units + begin, end - begin)
    clear(db)
    for number in range(_count(ctx, op, x.shape[0])):
        start, steps = _run(ctx, op, 0, x.shape[0], number)
        columns, given = vector(x, start * fan_in + lo, 1), vector(dy, start * units, 1)
        operands = (columns, 1, fan_in, 0, given, units, 0, dw, units)
        contract(*operands, hi - lo, units, steps, 1, min(number, 1))
        # Here and not after the last row: this one's dy is still in the cache.
        add_places(matrix(dy, start * units, steps, units), begin, db)


def lower_steps(builder: Builder, slot: int, parameters: Sequence[Parameter]) -> int:
    """Append ``x_t W + b`` for every step of sequences; `parameters` are W and b."""
    (steps, _), (fan_in, units) = builder.shape(slot), parameters[0].shape
    clock = builder.clock(slot)
    out = builder.slot((steps, units), clock)
    builder.instruction(
        slot,
        out,
        forward=steps_forward,
        prepare=dense_prepare,
        backward=steps_backward,
        weights=steps_weights,
        parameters=parameters,
        work=fan_in * units,
        geometry=(fan_in, units, steps, *geometry_of(clock)),
        keeps="x",
    )
    return out


class TimeDistributed(Layer):
    """Apply a `Dense` layer to every step of a sequence: ``y_t = x_t W + b``.

    Its parameters are those of the `Dense`, kernel and bias, and are the same for every step.
    Samples of shape (steps, channels) become such of shape (steps, units).

    Parameters
    ----------
    layer : Dense
        What is applied, with its `activation`. Other activations, dropout and normalisation by
        layer work on every step by themselves.
    """

    lengths = "keeps"

    def __init__(self, layer: Any) -> None:
        self.layer = layer

    @property
    def label(self) -> str:
        """Its class and the activation."""
        return str(self.layer.label).replace("Dense", "TimeDistributed", 1)

    def output_shape(self, shape: Shape) -> Shape:
        """The steps, with the units of the `Dense` in place of the channels."""
        if not isinstance(self.layer, Dense):
            raise ValueError(
                f"layer={self.layer!r} of TimeDistributed must be a Dense; leave TimeDistributed "
                "out: layers such as Activation, Dropout and LayerNorm work on every step anyway."
            )
        check_axes(self, shape, 1)
        return (shape[0], *self.layer.output_shape(shape[1:]))

    def lower(self, builder: Builder, slot: int) -> int:
        """One instruction, with kernel (channels, units) and bias (units,); then the activation."""
        shape = builder.shape(slot)
        self.output_shape(shape)
        out = lower_steps(builder, slot, self.layer.parameters(shape[-1]))
        activated: int = self.layer.activate(builder, out)
        return activated
