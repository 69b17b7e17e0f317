"""Embeddings of numbers: each of a row's first columns becomes several, and the others are copied.

Blocks of rows are processed a column at a time, so that loops are long even with few columns.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any

import numpy as np

from sklearn_nn._spec import parameters
from sklearn_nn.jit import njit
from sklearn_nn.jit.functions import cos_turns, fma, sin_turns
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import kernel, like
from sklearn_nn.jit.team import share
from sklearn_nn.jit.views import dot, total, vector, workspace
from sklearn_nn.layers.base import BACKWARD, CTX_SIZE, FORWARD, owned_rows
from sklearn_nn.layers.layer import Builder, Instruction, Kernels, Layer, Memory, Parameter, Shape
from sklearn_nn.layers.tabular.linear import draw_within_fan
from sklearn_nn.layers.vectors import clear, copy, fill

#: Rows of a block. For sums over a batch, blocks begin at its first row in every part.
BLOCK = 128


@njit(**INLINED_OPTIONS)
def take_column(x: Any, first: int, column: int, target: Any) -> None:
    """Copy a column of x, from row `first` on, to `target`."""
    width = x.shape[1]
    source = vector(x, first * width + column, target.size * width)
    for i in range(target.size):
        target[i] = source[i * width]


@njit(**INLINED_OPTIONS)
def put_column(source: Any, y: Any, first: int, column: int) -> None:
    """Copy `source` to a column of y, from row `first` on."""
    width = y.shape[1]
    target = vector(y, first * width + column, source.size * width)
    for i in range(source.size):
        target[i * width] = source[i]


@njit(**INLINED_OPTIONS)
def hand_on(x: Any, first: int, y: Any, begin: int, lo: int, hi: int) -> None:
    """Copy columns of x from `first` on to those of y from `begin` on, for rows lo to hi."""
    width, total = x.shape[1], y.shape[1]
    size = total - begin
    for i in range(lo, hi):
        copy(vector(x, i * width + first, size), vector(y, i * total + begin, size))


class _NumberEmbedding(Layer):
    """Base of layers that embed a row's first columns."""

    def _count_columns(self, shape: Shape, features: int | None) -> int:
        """Return `features`, None being all columns; raise ValueError if samples have fewer."""
        self._check_axes(shape, 0)
        if features is not None and features > shape[0]:
            kind, more = type(self).__name__, f"more than the {shape[0]} columns of a sample"
            raise ValueError(f"features={features} of {kind} is {more}.")
        return shape[0] if features is None else features


# --- periodic: geometry is embedded columns, waves of each, and units in addition to the number ---

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
class PeriodicEmbedding(_NumberEmbedding):
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
        Number of columns, from the first, that are embedded; the others are copied after them.
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

    Examples
    --------
    The first two of four columns are embedded:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense, PeriodicEmbedding
    >>> X = np.random.default_rng(0).standard_normal((200, 4))
    >>> layers = [PeriodicEmbedding(waves=8, units=3, features=2), Dense(16, activation="relu")]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, np.sin(3 * X[:, 0]))
    >>> model.summary().rows[0].output_shape  # 2 x (x and 3 units), and 2 columns unchanged
    (10,)
    >>> {name: array.shape for name, array in model.layers_["periodicembedding1"].items()}
    {'frequencies': (2, 8), 'phases': (2, 8), 'kernel': (2, 8, 3), 'bias': (2, 3)}
    """

    limits = {"stddev": "[0, inf)", "rate_factor": "[0, inf)", "decay_factor": "[0, inf)"}

    waves: int = 16
    units: int = 3
    _: KW_ONLY
    stddev: float = 0.1
    features: int | None = None
    rate_factor: float = 0.1
    decay_factor: float = 1.0

    def output_shape(self, shape: Shape) -> Shape:
        """Return (columns + embedded columns * units,)."""
        self.check()
        features = None if self.features is None else self._whole_number("features")
        count = self._count_columns(shape, features)
        self._whole_number("waves")
        units = self._whole_number("units")
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
        count = shape[0] if self.features is None else int(self.features)
        kernels = Kernels(pbld_forward, pbld_backward, pbld_weights)
        op = Instruction(slot, out, kernels, self._parameters(count), keeps="x")
        op.geometry, op.scratch = (count, self.waves, self.units), (3 + self.units) * BLOCK
        return builder.append(op)


# --- piecewise linear: geometry is embedded columns, number of all bins, units of each column,
# whether a linear function of x is added, and whether there is a relu. State is the number of bins
# of each column, then the lower edge of each bin, then 1 / width of each bin ----------------------

_BINS, _LINEAR, _RELU = 1, 3, 4


@njit(**INLINED_OPTIONS)
def _place(state, first, count, features, value, place):
    """Compute the bin of each value: the number of lower edges, but the first, at or below it."""
    zero, one = like(state[0], 0), like(state[0], 1)
    clear(place)
    for k in range(1, count):
        edge = state[features + first + k]
        for i in range(place.size):
            place[i] += one if value[i] >= edge else zero


@njit(**INLINED_OPTIONS)
def _within(state, op, bin_number, value):
    """Return (value - lower edge) / width of a bin, in [0, 1) except in the outer bins."""
    begin, scale = op[_FEATURES] + bin_number, op[_FEATURES] + op[_BINS] + bin_number
    return (value - state[begin]) * state[scale]


@njit(**INLINED_OPTIONS)
def _arrived(op, y, dy, first, given):
    """Compute given = dy, from element `first` on, times the derivative of the relu if any."""
    own, out = vector(dy, first, given.size), vector(y, first, given.size)
    if not op[_RELU]:
        copy(own, given)
        return
    zero = like(given[0], 0)
    for j in range(given.size):
        given[j] = own[j] if out[j] > zero else zero


@njit(**INLINED_OPTIONS)
def _sum_up(theta, first, count, bias, table):
    """Compute row k of the table = bias + rows of the kernel of all bins before bin k."""
    units = bias.size
    copy(bias, vector(table, 0, units))
    for k in range(1, count):
        before, row = vector(table, (k - 1) * units, units), vector(table, k * units, units)
        step = vector(theta, (first + k - 1) * units, units)
        for j in range(units):
            row[j] = before[j] + step[j]


@kernel(FORWARD)
def piecewise_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y = b + sum over bins of e W (+ x s), column by column. Owners: rows of the batch.

    e is 1 in the bins below that of x, 0 in those above, and (x - lower edge) / width in its own.
    """
    features, units, room = op[_FEATURES], op[_UNITS], workspace(ctx, CTX_SIZE, x)
    width, n, slopes = y.shape[1], op[_BINS] * units, op[_BINS] * units
    biases = n + features * units if op[_LINEAR] else n
    lo, hi = owned_rows(x, part, parts)
    hand_on(x, features, y, features * units, lo, hi)
    first, zero = 0, like(x[0, 0], 0)
    for f in range(features):
        count, table = int(state[f]), vector(room, 2 * BLOCK, 1)
        _sum_up(theta, first, count, vector(theta, biases + f * units, units), table)
        for start in range(lo, hi, BLOCK):
            rows = min(BLOCK, hi - start)
            value, place = vector(room, 0, rows), vector(room, BLOCK, rows)
            take_column(x, start, f, value)
            _place(state, first, count, features, value, place)
            for i in range(rows):
                k = int(place[i])
                e = _within(state, op, first + k, value[i])
                step = vector(theta, (first + k) * units, units)
                base = vector(table, k * units, units)
                target = vector(y, (start + i) * width + f * units, units)
                for j in range(units):
                    target[j] = fma(e, step[j], base[j])
                if op[_LINEAR]:
                    slope = vector(theta, slopes + f * units, units)
                    for j in range(units):
                        target[j] = fma(value[i], slope[j], target[j])
                if op[_RELU]:
                    for j in range(units):
                        target[j] = zero if target[j] < zero else target[j]
        first += count


@kernel(BACKWARD)
def piecewise_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dx = the slope of its bin (+ s), times dy, column by column. Owners: rows."""
    features, units, room = op[_FEATURES], op[_UNITS], workspace(ctx, CTX_SIZE, x)
    width, slopes = y.shape[1], op[_BINS] * units
    lo, hi = owned_rows(dx, part, parts)
    hand_on(dy, features * units, dx, features, lo, hi)
    first, given = 0, vector(room, 2 * BLOCK, units)
    for f in range(features):
        count = int(state[f])
        for start in range(lo, hi, BLOCK):
            rows = min(BLOCK, hi - start)
            value, place = vector(room, 0, rows), vector(room, BLOCK, rows)
            take_column(x, start, f, value)
            _place(state, first, count, features, value, place)
            for i in range(rows):
                k = first + int(place[i])
                _arrived(op, y, dy, (start + i) * width + f * units, given)
                found = dot(given, vector(theta, k * units, units))
                found *= state[features + op[_BINS] + k]
                if op[_LINEAR]:
                    found += dot(given, vector(theta, slopes + f * units, units))
                dx[start + i, f] = found
        first += count


@njit(**INLINED_OPTIONS)
def _add_to_bin(e, first, k, given, grad, table):
    """Add a row's gradient to that of its bin k, and to the table for the bins before."""
    own = vector(grad, (first + k) * given.size, given.size)
    below = vector(table, k * given.size, given.size)
    for j in range(given.size):
        own[j] = fma(e, given[j], own[j])
        below[j] += given[j]


@kernel(BACKWARD)
def piecewise_weights(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Compute dW = sum of e dy, ds = sum of x dy and db = sum of dy. Owners: columns of x."""
    features, units, room = op[_FEATURES], op[_UNITS], workspace(ctx, CTX_SIZE, x)
    width, n = y.shape[1], op[_BINS] * units
    biases, batch = n + features * units if op[_LINEAR] else n, x.shape[0]
    lo, hi = share(features, part, parts, 1)
    first, given = 0, vector(room, 2 * BLOCK, units)
    for f in range(hi):
        count, table = int(state[f]), vector(room, 2 * BLOCK + units, 1)
        # Without slopes this is the place of the bias, which is written last.
        slope = vector(grad, n + f * units, units)
        if f >= lo:
            clear(vector(grad, first * units, count * units))
            clear(vector(table, 0, count * units))
            clear(slope)
        for start in range(0, batch if f >= lo else 0, BLOCK):
            rows = min(BLOCK, batch - start)
            value, place = vector(room, 0, rows), vector(room, BLOCK, rows)
            take_column(x, start, f, value)
            _place(state, first, count, features, value, place)
            for i in range(rows):
                _arrived(op, y, dy, (start + i) * width + f * units, given)
                k = int(place[i])
                e = _within(state, op, first + k, value[i])
                _add_to_bin(e, first, k, given, grad, table)
                for j in range(units if op[_LINEAR] else 0):
                    slope[j] = fma(value[i], given[j], slope[j])
        if f >= lo:
            # From the last bin to the first: the output in a bin depends on all bins before it.
            for k in range(count - 1, 0, -1):
                here = vector(table, k * units, units)
                before = vector(table, (k - 1) * units, units)
                target = vector(grad, (first + k - 1) * units, units)
                for j in range(units):
                    target[j] += here[j]
                    before[j] += here[j]
            copy(vector(table, 0, units), vector(grad, biases + f * units, units))
        first += count


def _draw_within(
    bound: float, rng: np.random.RandomState, shape: Shape, fan_in: int, fan_out: int
) -> np.ndarray:
    """Draw uniformly from [-bound, bound)."""
    return rng.uniform(-bound, bound, shape)


@parameters
class PiecewiseLinearEmbedding(_NumberEmbedding):
    """Piecewise linear embedding of every number of a row.

    For a feature whose bins have the edges b_0 < ... < b_T, a number x is encoded as T numbers
    ``(x - b_(t-1)) / (b_t - b_(t-1))``, clipped to [0, 1] except below the first and above the last
    bin. A linear layer of each feature maps them to `units` numbers (Gorishniy et al., 2022,
    section 3.2). The parameters are kernel (bins, units), with the bins of all features one below
    the other, slopes (features, units) with `linear`, and bias (features, units).

    Parameters
    ----------
    bins : sequence of sequences of float
        Increasing edges of each feature's bins, at least two; quantiles of the training data, for
        instance. The features are the first columns; the others are copied after them.
    units : int, default=16
        Number of outputs of each feature.
    linear : bool, default=False
        Whether to add a linear function of x, with initial kernels of zero, as in TabM (Gorishniy
        et al., 2025).
    activation : {"identity", "relu"}, default="identity"
        Activation of the outputs, except of the copied columns.
    rate_factor : float, default=1.0
        Factor on the learning rate.
    decay_factor : float, default=0.0
        Factor on penalty and weight decay; biases have none.

    References
    ----------
    Gorishniy, Y., Rubachev, I., & Babenko, A. (2022). On embeddings for numerical features in
    tabular deep learning. NeurIPS.

    Gorishniy, Y., Kotelnikov, A., & Babenko, A. (2025). TabM: advancing tabular deep learning with
    parameter-efficient ensembling. ICLR.

    Examples
    --------
    Bins between the octiles of each of two features:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkRegressor
    >>> from sklearn_nn.layers import Dense, PiecewiseLinearEmbedding
    >>> X = np.random.default_rng(0).standard_normal((200, 2))
    >>> bins = [np.quantile(column, np.linspace(0, 1, 9)) for column in X.T]
    >>> layers = [PiecewiseLinearEmbedding(bins, units=6), Dense(16, activation="relu")]
    >>> model = NeuralNetworkRegressor(layers).initialize(X, X[:, 0])
    >>> model.summary().rows[0].output_shape
    (12,)
    >>> model.layers_["piecewiselinearembedding1"]["kernel"].shape
    (16, 6)
    """

    limits = {"rate_factor": "[0, inf)", "decay_factor": "[0, inf)"}

    bins: Sequence[Sequence[float]]
    units: int = 16
    _: KW_ONLY
    linear: bool = False
    activation: str = "identity"
    rate_factor: float = 1.0
    decay_factor: float = 0.0

    @property
    def refers_to_values(self) -> bool:
        """Return True: bins have edges."""
        return True

    def output_shape(self, shape: Shape) -> Shape:
        """Return (columns + embedded columns * (units - 1),)."""
        units = self._whole_number("units")
        if not isinstance(self.bins, list | tuple | np.ndarray) or not len(self.bins):
            raise self._invalid("bins", "must be a list of the edges of each feature.")
        count = self._count_columns(shape, len(self.bins))
        for feature, edges in enumerate(self.bins):
            found = np.asarray(edges, dtype=np.float64)
            given = f"bins[{feature}]={edges!r} of PiecewiseLinearEmbedding"
            if found.ndim != 1 or found.size < 2 or not np.isfinite(found).all():
                remedy = "put features without bins after the others"
                raise ValueError(f"{given} must be two finite edges or more; {remedy}.")
            if not (np.diff(found) > 0).all():
                raise ValueError(f"{given} must be increasing; use numpy.unique of them.")
        self._check_choice("activation", ("identity", "relu"))
        return (shape[0] + count * (units - 1),)

    def _parameters(self, counts: np.ndarray) -> list[Parameter]:
        total, units = int(counts.sum()), int(self.units)
        own, fans = (counts.size, units), (int(counts.max()), units)
        factors: dict[str, Any] = {"rate": self.rate_factor, "decay": self.decay_factor}
        free = {**factors, "decay": 0.0}
        if not self.linear:
            kernel = Parameter("kernel", (total, units), draw_within_fan, *fans, **factors)
            return [kernel, Parameter("bias", own, draw_within_fan, *fans, **free)]
        draw: Any = functools.partial(_draw_within, units**-0.5)
        return [
            Parameter("kernel", (total, units), "zeros", *fans, **factors),
            Parameter("slopes", own, draw, *fans, **factors),
            Parameter("bias", own, draw, *fans, **free),
        ]

    def lower(self, builder: Builder, slot: int) -> int:
        """Append one instruction, with a kernel, slopes if `linear`, and a bias."""
        out = builder.slot(self.output_shape(builder.shape(slot)))
        edges = [np.asarray(own, dtype=np.float64) for own in self.bins]
        counts = np.array([own.size - 1 for own in edges])
        begins = np.concatenate([own[:-1] for own in edges])
        scales = np.concatenate([1 / np.diff(own) for own in edges])
        features, total, units = counts.size, begins.size, int(self.units)
        most = int(counts.max())
        memories = [
            Memory("counts", counts.shape, counts.astype(np.float64), (total, most)),
            Memory("begins", begins.shape, begins),
            Memory("scales", scales.shape, scales),
        ]
        kernels = Kernels(piecewise_forward, piecewise_backward, piecewise_weights)
        has_relu = self.activation == "relu"
        op = Instruction(slot, out, kernels, self._parameters(counts), memories)
        op.geometry = (features, total, units, int(self.linear), int(has_relu))
        op.scratch, op.keeps = 2 * BLOCK + units * (1 + most), "xy" if has_relu else "x"
        return builder.append(op)
