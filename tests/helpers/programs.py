"""Small networks below the estimators: lowered, trained and run."""

import itertools
from typing import NamedTuple

import numpy as np

from sklearn_nn.layers import Layer
from sklearn_nn.network.lowering import lower
from sklearn_nn.network.machine import Machine, Update, predict
from sklearn_nn.network.source import Source, source
from sklearn_nn.training.optimizers import OptimizerState
from sklearn_nn.training.schedules import Constant


def build(layers, shape, dtype, loss=None, **options):
    """Return the program of layers, or of rows of a table of them, and of the loss's link.

    `shape` is that of a sample; a number is the width of a vector. Options are those of `lower`.
    """
    shape = shape if isinstance(shape, tuple) else (shape,)
    layers = [layer if isinstance(layer, Layer) else layer.layer for layer in layers]
    named = [(f"layer{i}", layer) for i, layer in enumerate(layers)]
    return lower(named, shape, dtype, None if loss is None else loss.link_layer(), **options)


def draw_theta(program, rng, scale=0.5):
    """Draw parameters of ordinary size, biases too. Gaps between them are zero."""
    theta = np.zeros(program.n_theta, program.dtype)
    for placed in program.parameters:
        view = placed.view(theta)
        view[...] = scale * rng.standard_normal(view.shape)
    return theta


def no_state(program):
    """Return the state of a network before its first batch."""
    return program.initial_state()


def nothing(program):
    """Return the update that computes gradients and changes no parameter."""
    return Update(0, np.zeros((1, 1)), np.zeros((0, 0), program.dtype))


class Gradient:
    """Loss and gradient of one batch as functions of theta, through the machine."""

    def __init__(self, program, X, targets, *, step=0, **options):
        self.program, self.targets, self.step = program, targets, step
        self.data = X if isinstance(X, Source) else source(X, program.dtype)
        theta = np.zeros(program.n_theta, program.dtype)
        n = self.data.n_rows
        self.machine = Machine(program, theta, no_state(program), n, **options)
        self.arguments = (np.arange(n), n, 0, 1, nothing(program), step)

    def loss(self, theta):
        """Return the loss of the batch, penalty included."""
        self.machine.theta[:] = theta
        return self.machine.train(self.data, self.targets, *self.arguments)[0]

    def gradient(self, theta):
        """Return the gradient that the optimizer would see."""
        self.loss(theta)
        return self.machine.grad.copy()


class Trained(NamedTuple):
    """Arrays that training leaves behind."""

    theta: np.ndarray
    losses: np.ndarray
    moments: np.ndarray
    state: np.ndarray
    average: np.ndarray | None


def train(
    program, theta, X, targets, optimizer, *, order, batch_size, rate=0.01, slices=1,
    weight_decay=None, averaged=False, **options,
):  # fmt: skip
    """Train a copy of theta on every batch of `order` once."""
    own, state = program.new_buffers()
    own[:], state[:] = theta, program.initial_state()
    machine = Machine(program, own, state, batch_size, **options)
    descent = OptimizerState.start(
        optimizer, Constant(), rate, own, weight_decay=weight_decay, averaged=averaged
    )
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
    return Trained(own, np.concatenate(losses), descent.moments, state, descent.average)


def forward(program, theta, X, **options):
    """Return the output after the link."""
    return predict(program, theta, no_state(program), source(X, program.dtype), **options)
