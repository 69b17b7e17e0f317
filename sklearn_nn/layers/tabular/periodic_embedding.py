"""Periodic embedding of numbers: each number of a row becomes several."""

from __future__ import annotations

import functools
import math
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit.functions import cos_turns, fma, sin_turns
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.sums import dot, total
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Parameter, Shape
from sklearn_nn.layers.shape import whole_numbers
from sklearn_nn.layers.tabular.columns import BLOCK, count_columns, hand_on, put_column, take_column
from sklearn_nn.layers.tabular.draws import draw_within_fan
from sklearn_nn.layers.vectors import clear, fill

# An instruction's geometry: embedded columns, waves of each, and units beside the number.
_FEATURES, _WAVES, _UNITS = range(3)
_TURN = 2 * math.pi


@kernel(FORWARD)
def pbld_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = (x, sum over waves of cos(2 pi w x + p) W + b) by column. Owners: rows."""
    features, waves, units = op[_FEATURES], op[_WAVES], op[_UNITS]
    n, room = features * waves, workspace(ctx, CTX_SIZE, x)
    lo, hi = owned_rows(x, part, parts)
    hand_on(x, features, y, features * (units + 1), lo, hi)
    for start in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - start)
        value, wave = vector(room, 0, rows), vector(room, BLOCK, rows)
        for f in range(features):
            take_column(x, start, f, value)
            put_column(value, y, start, f * (units + 1))
            for u in range(units):
                bias = theta[n * (2 + units) + f * units + u]
                fill(vector(room, (2 + u) * BLOCK, rows), bias)
            for h in range(f * waves, (f + 1) * waves):
                frequency, phase = theta[h], theta[n + h] * like(theta[h], 1 / _TURN)
                for i in range(rows):
                    wave[i] = cos_turns(fma(frequency, value[i], phase))
                for u in range(units):
                    out, factor = vector(room, (2 + u) * BLOCK, rows), theta[2 * n + h * units + u]
                    for i in range(rows):
                        out[i] = fma(factor, wave[i], out[i])
            for u in range(units):
                put_column(vector(room, (2 + u) * BLOCK, rows), y, start, f * (units + 1) + 1 + u)


@kernel(BACKWARD)
def pbld_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = dy_0 - sum over waves of 2 pi w sin(2 pi w x + p) W dy. Owners: rows."""
    features, waves, units = op[_FEATURES], op[_WAVES], op[_UNITS]
    n, room = features * waves, workspace(ctx, CTX_SIZE, x)
    lo, hi = owned_rows(x, part, parts)
    hand_on(dy, features * (units + 1), dx, features, lo, hi)
    for start in range(lo, hi, BLOCK):
        rows = min(BLOCK, hi - start)
        value, slope = vector(room, 0, rows), vector(room, BLOCK, rows)
        found = vector(room, (2 + units) * BLOCK, rows)
        for f in range(features):
            take_column(x, start, f, value)
            take_column(dy, start, f * (units + 1), found)
            for u in range(units):
                take_column(dy, start, f * (units + 1) + 1 + u, vector(room, (2 + u) * BLOCK, rows))
            for h in range(f * waves, (f + 1) * waves):
                clear(slope)
                for u in range(units):
                    given = vector(room, (2 + u) * BLOCK, rows)
                    factor = theta[2 * n + h * units + u]
                    for i in range(rows):
                        slope[i] = fma(factor, given[i], slope[i])
                frequency, phase = theta[h], theta[n + h] * like(theta[h], 1 / _TURN)
                rate = frequency * like(frequency, -_TURN)
                for i in range(rows):
                    sine = sin_turns(fma(frequency, value[i], phase))
                    found[i] = fma(rate * sine, slope[i], found[i])
            put_column(found, dx, start, f)


@kernel(BACKWARD)
def pbld_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute the gradients of w, p, W and b, block by block. Owners: columns of x."""
    features, waves, units = op[_FEATURES], op[_WAVES], op[_UNITS]
    n, batch, room = features * waves, x.shape[0], workspace(ctx, CTX_SIZE, x)
    lo, hi = share(features, part, parts, 1)
    for begin, size in ((0, waves), (n, waves), (2 * n, waves * units), (n * (2 + units), units)):
        clear(vector(grad, begin + lo * size, (hi - lo) * size))
    for start in range(0, batch, BLOCK):
        rows = min(BLOCK, batch - start)
        value, wave = vector(room, 0, rows), vector(room, BLOCK, rows)
        slope = vector(room, (2 + units) * BLOCK, rows)
        for f in range(lo, hi):
            take_column(x, start, f, value)
            for u in range(units):
                given = vector(room, (2 + u) * BLOCK, rows)
                take_column(dy, start, f * (units + 1) + 1 + u, given)
                grad[n * (2 + units) + f * units + u] += total(given)
            for h in range(f * waves, (f + 1) * waves):
                frequency, phase = theta[h], theta[n + h] * like(theta[h], 1 / _TURN)
                clear(slope)
                for i in range(rows):
                    wave[i] = cos_turns(fma(frequency, value[i], phase))
                for u in range(units):
                    given = vector(room, (2 + u) * BLOCK, rows)
                    factor = theta[2 * n + h * units + u]
                    grad[2 * n + h * units + u] += dot(wave, given)
                    for i in range(rows):
                        slope[i] = fma(factor, given[i], slope[i])
                for i in range(rows):
                    slope[i] *= sin_turns(fma(frequency, value[i], phase))
                grad[h] -= like(frequency, _TURN) * dot(slope, value)
                grad[n + h] -= total(slope)


def _draw_frequencies(
    stddev: float, rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Draw from a normal distribution."""
    return stddev * rng.standard_normal(shape)


def _draw_phases(rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int) -> np.ndarray:
    """Draw uniformly from [-pi, pi)."""
    return rng.uniform(-math.pi, math.pi, shape)


@parameters
class PeriodicEmbedding(Layer):
    """Periodic embedding of every number of a row, with the number itself (PBLD).

    A number x becomes ``(x, cos(2 pi w x + p) W + b)``: `waves` cosines, with frequencies w and
    phases p of each feature, then a linear layer of each feature (Holzmüller et al., 2024, after
    Gorishniy et al., 2022). So a shallow network can be nonlinear within a feature's range. The
    parameters are frequencies and phases (features, waves), kernel (features, waves, units) and
    bias (features, units).

    Parameters
    ----------
    waves : int, default=16
        Number of cosines.
    units : int, default=3
        Number of outputs of the linear layer.
    stddev : float, default=0.1
        Standard deviation of the initial frequencies. Features should be scaled.
    features : int or None, default=None
        Number of columns, from the first, that are embedded; the others are copied behind them.
        None is all.
    rate_factor : float, default=0.1
        Factor on the learning rate.
    decay_factor : float, default=1.0
        Factor on penalty and weight decay; biases and phases have none.

    References
    ----------
    Holzmüller, D., Grinsztajn, L., & Steinwart, I. (2024). Better by default: strong pre-tuned MLPs
    and boosted trees on tabular data. NeurIPS.

    Gorishniy, Y., Rubachev, I., & Babenko, A. (2022). On embeddings for numerical features in
    tabular deep learning. NeurIPS.
    """

    waves: int = 16
    units: int = 3
    _: KW_ONLY
    stddev: float = 0.1
    features: int | None = None
    rate_factor: float = 0.1
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return (columns + embedded columns * units,)."""
        count = count_columns(self, shape, self.features)
        whole_numbers("waves", self.waves, 1)
        (units,) = whole_numbers("units", self.units, 1)
        if not self.stddev >= 0:
            raise ValueError(f"stddev={self.stddev!r} of PeriodicEmbedding must be >= 0.")
        return (shape[0] + count * units,)

    def _parameters(self, count: int) -> list[Parameter]:
        fans, waves = (self.waves, self.units), (count, self.waves)
        draw = functools.partial(_draw_frequencies, self.stddev)
        factors: dict[str, Any] = {"rate": self.rate_factor, "decay": self.decay_factor}
        free = {**factors, "decay": 0.0}
        return [
            Parameter("frequencies", waves, draw, *fans, **factors),
            Parameter("phases", waves, _draw_phases, *fans, **free),
            Parameter("kernel", (*waves, self.units), draw_within_fan, *fans, **factors),
            Parameter("bias", (count, self.units), draw_within_fan, *fans, **free),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with frequencies, phases, a kernel and a bias."""
        shape = builder.shape(slot)
        out = builder.slot(self.output_shape(shape))
        count = count_columns(self, shape, self.features)
        op = Instruction(
            slot,
            out,
            Kernels(pbld_forward, pbld_backward, pbld_weights),
            self._parameters(count),
            geometry=(count, self.waves, self.units),
            scratch=(3 + self.units) * BLOCK,
            keeps="x",
        )
        return builder.append(op)
