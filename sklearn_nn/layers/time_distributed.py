"""A dense layer that is applied to every step of a sequence: ``y_t = x_t W + b``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from numba import njit

from sklearn_nn._spec import parameters
from sklearn_nn.jit.contract import contract, matmul, matmul_onto
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.base import (
    BACKWARD,
    COLUMN_GRAIN,
    FORWARD,
    LENGTHS,
    WEIGHT_GRAIN,
    owned_rows,
)
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.dense import Dense, dense_prepare
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.shape import check_axes
from sklearn_nn.layers.vectors import clear

# An instruction's geometry: inputs and units of a step, steps, and the clock.
FAN_IN, UNITS, STEPS, OFFSET, STRIDE = range(5)


@njit(**INLINED_OPTIONS)
def _count(ctx, op, rows):
    """Return the number of contiguous runs of steps in `rows` rows: one, if they are full."""
    return 1 if op[STRIDE] == 0 or ctx[LENGTHS] == 0 else rows


@njit(**INLINED_OPTIONS)
def _run(ctx, op, lo, hi, number):
    """Return the first step, counted over the batch, and the number of steps of a run."""
    if op[STRIDE] == 0 or ctx[LENGTHS] == 0:
        return lo * op[STEPS], (hi - lo) * op[STEPS]
    i = lo + number
    return i * op[STEPS], own_steps(ctx, op[OFFSET], op[STRIDE], i, op[STEPS])


@kernel(FORWARD)
def steps_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x W + b, step by step. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units = op[FAN_IN], op[UNITS]
    weights, bias = matrix(theta, 0, fan_in, units), vector(theta, fan_in * units, units)
    for number in range(_count(ctx, op, hi - lo)):
        start, steps = _run(ctx, op, lo, hi, number)
        source = matrix(x, start * fan_in, steps, fan_in)
        matmul_onto(bias, source, weights, matrix(y, start * units, steps, units))


@kernel(BACKWARD)
def steps_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy W^T, step by step; 0 in the padding. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    fan_in, units = op[FAN_IN], op[UNITS]
    count = _count(ctx, op, hi - lo)
    for number in range(count):
        start, steps = _run(ctx, op, lo, hi, number)
        given, target = matrix(dy, start * units, steps, units), vector(dx, start * fan_in, 0)
        matmul(given, matrix(work, 0, units, fan_in), matrix(target, 0, steps, fan_in))
        # The padding extends to the end of the row, or of all rows in a single run.
        end = (hi if number == count - 1 else lo + number + 1) * op[STEPS]
        clear(vector(dx, (start + steps) * fan_in, (end - start - steps) * fan_in))


@kernel(BACKWARD)
def steps_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = sum over own steps of x^T dy (owners: rows of W) and db (owners: columns)."""
    fan_in, units = op[FAN_IN], op[UNITS]
    lo, hi = share(fan_in, part, parts, WEIGHT_GRAIN)
    begin, end = share(units, part, parts, COLUMN_GRAIN)
    dw = vector(grad, lo * units, (hi - lo) * units)
    db = vector(grad, fan_in * units + begin, end - begin)
    clear(db)
    for number in range(_count(ctx, op, x.shape[0])):
        start, steps = _run(ctx, op, 0, x.shape[0], number)
        contract(
            a=vector(x, start * fan_in + lo, 1), ars=1, acs=fan_in, ao=0,
            b=vector(dy, start * units, 1), bs=units, bo=0, c=dw, cs=units,
            M=hi - lo, N=units, K=steps, O=1, beta=min(number, 1),
        )  # fmt: skip
        # In this loop, because dy of this row is still in the cache.
        add_places(matrix(dy, start * units, steps, units), begin, db)


def lower_steps(builder: Builder, slot: int, parameters: Sequence[Parameter]) -> int:
    """Append ``x_t W + b`` for every step of sequences; `parameters` are W and b."""
    (steps, _), (fan_in, units) = builder.shape(slot), parameters[0].shape
    clock = builder.clock(slot)
    out = builder.slot((steps, units), clock)
    op = Instruction(
        slot,
        out,
        Kernels(steps_forward, steps_backward, steps_weights, dense_prepare),
        parameters,
        geometry=(fan_in, units, steps, *geometry_of(clock)),
        work=fan_in * units,
        keeps="x",
    )
    return builder.append(op)


@parameters
class TimeDistributed(Layer):
    """Layer that applies a `Dense` layer to every step of a sequence: ``y_t = x_t W + b``.

    All steps share the parameters of the `Dense`, kernel and bias. Samples of shape (steps,
    channels) become samples of shape (steps, units).

    Parameters
    ----------
    layer : Dense
        The layer, with its `activation`. `Activation`, `Dropout` and `LayerNorm` need no
        `TimeDistributed`.
    """

    layer: Any

    lengths = "keeps"

    @property
    def label(self) -> str:
        """Its class and the activation."""
        return str(self.layer.label).replace("Dense", "TimeDistributed", 1)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (steps, units)."""
        if not isinstance(self.layer, Dense):
            raise ValueError(
                f"layer={self.layer!r} of TimeDistributed must be a Dense; leave TimeDistributed "
                "out: layers such as Activation, Dropout and LayerNorm work on every step anyway."
            )
        check_axes(self, shape, 1)
        return (shape[0], *self.layer.output_shape(shape[1:]))

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias, and the activation."""
        shape = builder.shape(slot)
        self.output_shape(shape)
        out = lower_steps(builder, slot, self.layer.parameters(shape[-1]))
        activated: int = self.layer.activate(builder, out)
        return activated
