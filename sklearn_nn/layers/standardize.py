"""Standardization of the input by fixed statistics of the training data."""

from __future__ import annotations

from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Memory, Shape

#: Name of the layer by which estimators standardize X.
INPUT_SCALE = "input_scale"


@njit(**INLINED_OPTIONS)
def _shift_and_divide(op, part, parts, mean, deviation, source, target):
    """Set target = (source - mean) / deviation for the rows that a part owns."""
    channels = op[0]
    lo, hi = owned_rows(source, part, parts)
    places = source.shape[1] // channels
    if channels == 1:  # the loop runs along the places
        n = (hi - lo) * places
        given, out = vector(source, lo * places, n), vector(target, lo * places, n)
        for j in range(n):
            out[j] = (given[j] - mean[0]) / deviation[0]
        return
    for i in range(lo * places, hi * places):
        given, out = vector(source, i * channels, channels), vector(target, i * channels, channels)
        for j in range(channels):
            out[j] = (given[j] - mean[j]) / deviation[j]


@kernel(FORWARD)
def standardize_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = (x - mean) / deviation, channel by channel. Owners: rows of the batch."""
    channels = op[0]
    mean, deviation = vector(state, 0, channels), vector(state, channels, channels)
    _shift_and_divide(op, part, parts, mean, deviation, x, y)


@kernel(BACKWARD)
def standardize_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy / deviation. Owners: rows of the batch."""
    channels = op[0]
    lo, hi = owned_rows(dx, part, parts)
    places, deviation = dx.shape[1] // channels, vector(state, channels, channels)
    for i in range(lo * places, hi * places):
        given, out = vector(dy, i * channels, channels), vector(dx, i * channels, channels)
        for j in range(channels):
            out[j] = given[j] / deviation[j]


@parameters
class Standardize(Layer):
    """Layer that subtracts a mean from each channel and divides it by a standard deviation.

    Estimators put it before the first layer to scale X (`scale_inputs`). It is not trained. Its
    memories are named mean and deviation.

    Parameters
    ----------
    mean, deviation : array of shape (n_channels,)
        Mean and standard deviation of each channel.
    """

    mean: Any
    deviation: Any

    lengths = "keeps"

    def output_shape(self, shape: Shape) -> Shape:
        """Return `shape`."""
        return shape

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with the memories mean and deviation."""
        shape = builder.shape(slot)
        state = [
            Memory(name, shape[-1:], np.asarray(getattr(self, name), dtype=np.float64))
            for name in ("mean", "deviation")
        ]
        kernels = Kernels(standardize_forward, standardize_backward)
        made = Instruction(
            slot, builder.slot(shape, builder.clock(slot)), kernels, state=state,
            geometry=shape[-1:], keeps="",
        )  # fmt: skip
        return builder.append(made)
