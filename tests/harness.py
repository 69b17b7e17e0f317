"""Small networks for tests: built, run and taken apart below the estimators."""

import itertools

import numpy as np

from sklearn_nn.layers.base import CTX_SIZE, SEED, STEP, TRAINING
from sklearn_nn.network.machine import Machine, Update, predict
from sklearn_nn.network.lowering import ProgramBuilder, lower
from sklearn_nn.network.source import source
from sklearn_nn.training.descent import Descent
from sklearn_nn.training.schedules import Constant

#: How far a result may lie from its naive twin: relative, or absolute below one.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def assert_close(actual, expected, dtype, factor=1.0):
    """Equal to the precision that a dtype promises."""
    tolerance = factor * TOLERANCE[dtype]
    np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


def build(layers, width, dtype, loss=None):
    """The program of some layers (Layer or rows of cases.LAYERS), with the loss's link."""
    layers = [getattr(layer, "layer", layer) for layer in layers]
    named = [(f"layer{i}", layer) for i, layer in enumerate(layers)]
    return lower(named, (width,), dtype, None if loss is None else loss.link_layer())


def draw_theta(program, rng, scale=0.5):
    """Parameters that are all of ordinary size, biases too. Gaps between them are zero."""
    theta = np.zeros(program.n_theta, program.dtype)
    for placed in program.parameters:
        view = placed.view(theta)
        view[...] = scale * rng.standard_normal(view.shape)
    return theta


def no_state(program):
    return program.initial_state()


def nothing(program):
    """The update that computes gradients and changes no parameter."""
    return Update(0, np.zeros((1, 1)), np.zeros((0, 0), program.dtype))


class Gradient:
    """Loss and gradient of one batch as functions of theta, through the machine."""

    def __init__(self, program, X, targets, *, step=0, **options):
        self.program, self.targets, self.step = program, targets, step
        self.data = source(X, program.dtype)
        theta = np.zeros(program.n_theta, program.dtype)
        n = len(X)
        self.machine = Machine(program, theta, no_state(program), n, **options)
        self.arguments = (np.arange(n), n, 0, 1, nothing(program), step)

    def loss(self, theta):
        """The batch's loss, penalty included."""
        self.machine.theta[:] = theta
        return self.machine.train(self.data, self.targets, *self.arguments)[0]

    def gradient(self, theta):
        """The gradient that the optimizer would see."""
        self.loss(theta)
        return self.machine.grad.copy()


def train(
    program, theta, X, targets, optimizer, *, order, batch_size, rate=0.01, slices=1, **options
):
    """Train on every batch of `order` once; returns theta, the losses and the moments."""
    theta = theta.copy()
    machine = Machine(program, theta, no_state(program), batch_size, **options)
    descent = Descent.start(optimizer, Constant(), rate, theta)
    n_batches = -(-len(order) // batch_size)
    edges = np.linspace(0, n_batches, slices + 1).astype(int)
    losses = []
    for first, last in itertools.pairwise(edges):
        losses.append(
            machine.train(
                source(X, program.dtype), targets, order, batch_size, first, last,
                descent.update(last - first), descent.step,
            )
        )  # fmt: skip
        descent.step += last - first
    return theta, np.concatenate(losses), descent.moments


def forward(program, theta, X, **options):
    """The output after the link."""
    return predict(program, theta, no_state(program), source(X, program.dtype), **options)


class LayerRun:
    """A layer of one instruction, run kernel by kernel from Python on memory full of NaN."""

    def __init__(self, layer, width, dtype, context=None):
        builder = ProgramBuilder()
        slot = builder.slot((width,))
        out = layer.lower(builder, slot)
        (self.instruction,) = builder.instructions
        self.dtype, (self.units,) = dtype, builder.shape(out)
        self.forward_kernel, _, self.prepare, self.backward_kernel, _, self.weights = (
            self.instruction.kernels
        )
        self.op = np.zeros(16, np.int64)
        self.op[: len(self.instruction.geometry)] = self.instruction.geometry
        self.work = np.full(self.instruction.work, np.nan, dtype)
        self.n_theta = sum(p.size for p in self.instruction.parameters)
        self.state = np.zeros(0, dtype)
        self.ctx = np.zeros(CTX_SIZE, np.int64)
        if context is not None:
            self.ctx[[SEED, STEP, TRAINING]] = context.seed, context.step, context.training

    def parameters(self, theta):
        """The parameters that lie in a flat vector."""
        found, start = [], 0
        for p in self.instruction.parameters:
            found.append(theta[start : start + p.size].reshape(p.shape))
            start += p.size
        return found

    def _every_part(self, kernel, parts, *arguments):
        # From the last part to the first: none may rest on what another has written.
        for part in range(parts - 1, -1, -1):
            kernel(self.ctx, self.op, part, parts, *arguments)

    def forward(self, theta, x, parts=1):
        """y."""
        y = np.full((len(x), self.units), np.nan, self.dtype)
        self._every_part(self.forward_kernel, parts, theta, self.state, self.work, x, y)
        return y

    def backward(self, theta, x, y, dy, parts=1):
        """dx and the parameters' gradient."""
        if self.prepare is not None:
            self._every_part(self.prepare, parts, theta, self.work)
        dx, grad = np.full_like(x, np.nan), np.full(self.n_theta, np.nan, self.dtype)
        arguments = (theta, grad, self.state, self.work, x, y, dx, dy)
        self._every_part(self.backward_kernel, parts, *arguments)
        if self.weights is not None:
            self._every_part(self.weights, parts, *arguments)
        return dx, grad
