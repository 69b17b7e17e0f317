"""The fully connected layer, y = x W + b, of a vector and of every step of a sequence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.contract import contract, matmul, matmul_onto, matmul_transposed
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.transpose import transpose
from sklearn_nn.jit.views import matrix, vector
from sklearn_nn.layers.activation import Activated
from sklearn_nn.layers.base import BACKWARD, FORWARD, LENGTHS, PREPARE, owned_rows
from sklearn_nn.layers.convolution.convolve import add_places
from sklearn_nn.layers.diagram import Block, chain
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.lengths import geometry_of, own_steps
from sklearn_nn.layers.vectors import clear, owned_columns, owned_weights, rows_of, sum_rows


@kernel(FORWARD)
def dense_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = x W + b. Owners: rows of the batch."""
    fan_in, units = x.shape[1], y.shape[1]
    lo, hi = owned_rows(x, part, parts)
    weights, bias = matrix(theta, 0, fan_in, units), vector(theta, fan_in * units, units)
    source, target = rows_of(x, lo, hi), rows_of(y, lo, hi)
    matmul_onto(bias, source, weights, target)


@kernel(PREPARE)
def dense_prepare(ctx, op, part, parts, theta, work):
    """Compute work = W^T, of which backward reads rows as vectors. Owners: rows of W."""
    fan_in, units = op[0], op[1]
    lo, hi = owned_columns(fan_in, part, parts)
    transpose(matrix(theta, 0, fan_in, units), matrix(work, 0, units, fan_in), lo, hi)


@kernel(BACKWARD)
def dense_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy W^T. Owners: rows of the batch."""
    fan_in, units = dx.shape[1], dy.shape[1]
    lo, hi = owned_rows(dx, part, parts)
    matmul(rows_of(dy, lo, hi), matrix(work, 0, units, fan_in), rows_of(dx, lo, hi))


@kernel(BACKWARD)
def dense_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = x^T dy (owners: rows of W) and db = sums of rows of dy (owners: columns)."""
    fan_in, units = x.shape[1], dy.shape[1]
    lo, hi = owned_weights(fan_in, part, parts)
    matmul_transposed(x, lo, dy, matrix(grad, lo * units, hi - lo, units))
    lo, hi = owned_columns(units, part, parts)
    sum_rows(dy, lo, vector(grad, fan_in * units + lo, hi - lo))


@parameters
class Dense(Activated):
    """Fully connected layer: ``y = x W + b``.

    Parameters
    ----------
    units : int
        Number of outputs.
    activation : str, Activation, ParametricActivation or None, default=None
        Activation of y: a name that :class:`Activation` takes, or a layer; None is the identity.
    kernel_initializer : str, Initializer or None, default=None
        Initial W, of shape (inputs, units): a name such as "he_normal", or an object (see
        :mod:`sklearn_nn.network.initializers`). None is Glorot's uniform distribution.
    bias_initializer : str, Initializer or None, default=None
        Initial b, of shape (units,). None is zeros.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.preprocessing import StandardScaler
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense
    >>> X, y = load_iris(return_X_y=True)
    >>> X = StandardScaler().fit_transform(X)
    >>> model = NeuralNetworkClassifier(
    ...     [Dense(32, activation="relu"), Dense(16, activation="relu")],
    ...     batch_size=16, learning_rate_init=0.01, max_iter=20, random_state=0,
    ... ).fit(X, y)
    >>> {name: weights["kernel"].shape for name, weights in model.layers_.items()}
    {'dense1': (4, 32), 'dense2': (32, 16), 'output': (16, 3)}
    >>> round(model.score(X, y), 1)
    1.0
    """

    units: int
    activation: Any = None
    _: KW_ONLY
    kernel_initializer: Any = None
    bias_initializer: Any = None

    def output_shape(self, shape: Shape) -> Shape:
        """Return (units,); samples must be vectors."""
        self._check_axes(shape, 0)
        self.activation_layer()
        return (self._whole_number("units"),)

    def parameters(self, inputs: int) -> list[Parameter]:
        """Return the kernel, of shape (inputs, units), and the bias, of shape (units,)."""
        fans = {"fan_in": inputs, "fan_out": self.units}
        draw_kernel = self._initializer("kernel_initializer", "glorot_uniform")
        draw_bias = self._initializer("bias_initializer", "zeros")
        return [
            Parameter("kernel", (inputs, self.units), draw_kernel, **fans),
            Parameter("bias", (self.units,), draw_bias, **fans, decay=0.0),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias, and the activation."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        kernels = Kernels(dense_forward, dense_backward, dense_weights, dense_prepare)
        kernel, bias = self.parameters(shape[0])
        op = Instruction(slot, out, kernels, [kernel, bias], geometry=kernel.shape, keeps="x")
        op.work, op.pieces = kernel.size, 4
        return self.activate(builder, builder.append(op))


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
    """Compute y = x W + b, or x W without a bias, step by step. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    fan_in, units = op[FAN_IN], op[UNITS]
    weights, bias = matrix(theta, 0, fan_in, units), vector(theta, fan_in * units, units)
    for number in range(_count(ctx, op, hi - lo)):
        start, steps = _run(ctx, op, lo, hi, number)
        source = matrix(x, start * fan_in, steps, fan_in)
        target = matrix(y, start * units, steps, units)
        if theta.size > weights.size:
            matmul_onto(bias, source, weights, target)
        else:
            matmul(source, weights, target)


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
    """Compute dW = sum of x^T dy before the padding (owners: rows of W), db (owners: columns)."""
    fan_in, units = op[FAN_IN], op[UNITS]
    lo, hi = owned_weights(fan_in, part, parts)
    begin, end = owned_columns(grad.size - fan_in * units, part, parts)
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
    """Append ``x_t W + b`` for every step of sequences; `parameters` are W and, if any, b."""
    (steps, _), (fan_in, units) = builder.shape(slot), parameters[0].shape
    clock = builder.clock(slot)
    kernels = Kernels(steps_forward, steps_backward, steps_weights, dense_prepare)
    op = Instruction(slot, builder.slot((steps, units), clock), kernels, parameters, keeps="x")
    op.geometry, op.work = (fan_in, units, steps, *geometry_of(clock)), fan_in * units
    op.pieces = 4
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

    Examples
    --------
    Two units for each of ten steps, then a number for each step as the target:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense, TimeDistributed
    >>> X = np.random.default_rng(0).standard_normal((20, 10, 3))
    >>> layers = [TimeDistributed(Dense(2, activation="tanh"))]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, X[:, :, 0])
    >>> [(row.name, row.output_shape, row.n_parameters) for row in model.summary().rows]
    [('timedistributed1', (10, 2), 8), ('flatten', (20,), 0), ('output', (10,), 210)]
    """

    layer: Any

    lengths = "keeps"

    def _sk_visual_block_(self) -> Block:
        """Return what scikit-learn's diagrams show within the layer."""
        return chain([("layer", self.layer)])

    @property
    def label(self) -> str:
        """Class of the layer, and its activation if it has one."""
        return str(self.layer.label).replace("Dense", "TimeDistributed", 1)

    def output_shape(self, shape: Shape) -> Shape:
        """Return (steps, units)."""
        if not isinstance(self.layer, Dense):
            remedy = "layers such as Activation, Dropout and LayerNorm work on every step anyway."
            raise self._invalid("layer", f"must be a Dense; leave TimeDistributed out: {remedy}")
        Spec.check(self.layer)
        self._check_axes(shape, 1)
        return (shape[0], *self.layer.output_shape(shape[1:]))

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel and a bias, and the activation."""
        self.output_shape(builder.shape(slot))
        out = lower_steps(builder, slot, self.layer.parameters(builder.shape(slot)[-1]))
        return int(self.layer.activate(builder, out))
