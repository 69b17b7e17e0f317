"""One row for every recurrent layer, with its naive twin: plain, both ways, and with dropout."""

from dataclasses import replace

import numpy as np
import pytest

from helpers.layer_cases.base import LayerCase, Plan, Tolerance
from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from helpers.naive.recurrent import run, run_both_ways
from helpers.naive.vectors import dropout_mask
from sklearn_nn.layers import GRU, LSTM, Bidirectional, SimpleRNN
from sklearn_nn.layers.recurrent.cells import CELL_ACTIVATIONS

KINDS = (SimpleRNN, LSTM, GRU)
WAYS = [
    {"return_sequences": sequences, "go_backwards": backwards}
    for sequences in (False, True)
    for backwards in (False, True)
]
MERGE_MODES = ("concat", "sum", "mul", "ave")
#: Shares of the input and of the state that are dropped.
RATES = [(0.4, 0.0), (0.0, 0.4), (0.3, 0.6)]
#: All but the default, which the other rows have.
ACTIVATIONS = tuple(name for name in CELL_ACTIVATIONS if name != "tanh")


def name_of_way(way):
    """Return the options of a way to read that are set, as a test's id."""
    return "-".join(key for key in way if way[key])


kinds = pytest.mark.parametrize("kind", KINDS)
ways = pytest.mark.parametrize("way", WAYS, ids=name_of_way)

# --- rows ----------------------------------------------------------------------------------------

#: (units, steps, features); unequal lengths are tested at those of the second table.
SIZES = [
    (1, 9, 3), (5, 2, 1), (5, 9, 20), (16, 2, 3), (16, 1, 20), (33, 9, 3),
]  # fmt: skip
RAGGED_SIZES = [(5, 1, 3), (1, 1, 1), (16, 2, 1), (33, 4, 20)]


def plan(tolerance, parameter_scale=0.5, *, brief=True):
    """Return the sizes at which recurrent layers are tested, with a precision.

    All rows share the kernels' loops over rows and parts. `brief` tests these for one batch and one
    number of parts; the plain rows are tested for several.
    """
    return Plan(
        batches=(1, 13),
        training=(True, False),
        tolerance=tolerance,
        part_batches=(37,) if brief else (1, 8, 37),
        parts=(3,) if brief else (2, 3, 4),
        row_batch=37,
        row_slices=tuple(slice(i, i + 3) for i in range(0, 37, 16 if brief else 4)),
        parameter_scale=parameter_scale,
        all_lengths=not brief,
        nan_place=2,
        memory=np.nan,
        pads_with_zeros=True,
    )


PLAIN = plan(Tolerance(4, 10, 4), brief=False)
BOTH_WAYS = plan(Tolerance(4, 20, 4))
DROPPING = plan(Tolerance(10, 20, 10))
#: Without bounds, values differ in size, and cancel where they are summed.
#: Gradients by central differences: tests/layers/recurrent/test_recurrent_activation.py.
ACTIVATED = replace(
    plan(Tolerance(10, 10, 10, unit="largest"), parameter_scale=0.3), all_gradients=False
)


def masks_of(layer, n, features, context):
    """Return the dropout masks of the input and the state: the layer's slots follow its input's."""
    if not context.training:
        return 1, 1
    slots = iter((2, 3))
    return tuple(
        dropout_mask(rate, (n, width), Context(context.seed, context.step, next(slots)))
        if rate
        else 1
        for rate, width in [(layer.dropout, features), (layer.recurrent_dropout, layer.units)]
    )


def twin_of(layer, features):
    """Return forward and backward of the naive twin, for rows of (steps, features)."""

    def evaluate(parameters, x, context, *dy):
        sequences = x.reshape(len(x), -1, features)
        if isinstance(layer, Bidirectional):
            return run_both_ways(layer, parameters, sequences, *dy)
        masks = masks_of(layer, len(x), features, context)
        return run(layer, parameters, sequences, *dy, masks=masks)

    def forward(parameters, x, context):
        if not x.size:
            y = np.zeros((len(x), *layer.output_shape((1, features))))
            return y[:, :0] if y.ndim == 3 else y
        return evaluate(parameters, x, context)

    def backward(parameters, x, dy, context):
        y = evaluate(parameters, x, context)
        dx, gradients = evaluate(parameters, x, context, dy.reshape(y.shape))
        return dx.reshape(len(x), -1), gradients

    return forward, backward


def _row(name, layer_of, sizes, own_plan, ragged_sizes=()):
    """Return a row for the layers that `layer_of` makes of numbers of units, at some sizes."""
    found = [
        LayerCase(
            name, layer_of(units), ((steps, features),), *twin_of(layer_of(units), features),
            own_plan, ragged=ragged,
        )
        for table, ragged in ((sizes, False), (ragged_sizes, True))
        for units, steps, features in table
    ]  # fmt: skip
    return replace(found[0], others=tuple(found[1:]))


def _plain(kind, way):
    name = f"{kind.__name__}-{name_of_way(way)}"
    return _row(name, lambda units: kind(units, **way), SIZES, PLAIN, RAGGED_SIZES)


def _both_ways(kind, mode, returned):
    name = f"Bidirectional-{kind.__name__}-{mode}-{returned}"

    def layer_of(units):
        return Bidirectional(kind(units, return_sequences=returned), merge_mode=mode)

    return _row(name, layer_of, [(1, 1, 1), (17, 2, 20)], BOTH_WAYS, [(5, 9, 3)])


def _activated(kind, activation, way):
    name = f"{kind.__name__}-{activation}-{name_of_way(way)}"
    sizes = [(1, 1, 1), (16, 5, 3), (33, 4, 20)]
    return _row(name, lambda units: kind(units, activation, **way), sizes, ACTIVATED, [(5, 6, 3)])


def _activated_both_ways(kind, activation, returned):
    name = f"Bidirectional-{kind.__name__}-{activation}-{returned}"

    def layer_of(units):
        return Bidirectional(kind(units, activation, return_sequences=returned))

    return _row(name, layer_of, [], ACTIVATED, [(5, 6, 3)])


def _dropping(kind, rates, way, activation="tanh"):
    options = {"dropout": rates[0], "recurrent_dropout": rates[1], **way}
    name = f"{kind.__name__}-{activation}-{rates}-{name_of_way(way)}"
    own_plan = DROPPING if activation == "tanh" else ACTIVATED
    return _row(name, lambda units: kind(units, activation, **options), [(7, 5, 6)], own_plan)


CASES = [
    *(_plain(kind, way) for kind in KINDS for way in WAYS),
    *(
        _both_ways(kind, mode, returned)
        for kind in KINDS
        for mode in MERGE_MODES
        for returned in (False, True)
    ),
    *(_activated(kind, name, way) for kind in KINDS for name in ACTIVATIONS for way in WAYS),
    *(
        _activated_both_ways(kind, name, returned)
        for kind in KINDS
        for name in ACTIVATIONS
        for returned in (False, True)
    ),
    *(_dropping(kind, rates, way) for kind in KINDS for rates in RATES for way in WAYS),
    *(
        _dropping(kind, (0.0, 0.4), way, name)
        for kind in KINDS
        for name in ACTIVATIONS
        for way in WAYS
    ),
]

# --- runs ----------------------------------------------------------------------------------------


def draw(dtype, *shape, scale=1.0, seed=0):
    """Draw numbers that float32 holds exactly."""
    values = scale * np.random.default_rng(seed).standard_normal(shape)
    return values.astype("float32").astype(dtype)


def pad(rows, steps, fill):
    """Return sequences as rows of a slot, with `fill` behind their ends."""
    padded = np.full((len(rows), steps, rows[0].shape[-1]), fill, rows[0].dtype)
    for row, sequence in zip(padded, rows, strict=True):
        row[: len(sequence)] = sequence
    return padded.reshape(len(rows), -1)


class Ragged:
    """A layer, sequences of given lengths for it, and a gradient of its output: 0 in padding."""

    def __init__(self, layer, lengths, features, dtype, seed=0):
        self.layer, self.lengths, self.dtype = layer, lengths, dtype
        self.rows = [draw(dtype, n, features, seed=seed + k) for k, n in enumerate(lengths)]
        self.sequences = getattr(layer, "layer", layer).return_sequences
        run = self.run(max(lengths))
        width = run.units // max(lengths) if self.sequences else run.units
        count = [n if self.sequences else 1 for n in lengths]
        self.dy = [draw(dtype, n, width, seed=seed + 99 + k) for k, n in enumerate(count)]
        self.theta = draw(dtype, run.n_theta, scale=0.5)

    def run(self, steps, **options):
        features = self.rows[0].shape[-1]
        return LayerRun(self.layer, (steps, features), self.dtype, lengths=self.lengths, **options)

    def padded(self, steps, fill=7.0):
        """Return x and dy in a program for the given number of steps."""
        out = steps if self.sequences else 1
        return pad(self.rows, steps, fill), pad(self.dy, out, 0)
