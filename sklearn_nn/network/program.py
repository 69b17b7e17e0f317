"""The program: what a list of layers becomes. A table of instructions, and where things lie.

An int64 table has one row per instruction, and the rows point into flat buffers. Nothing is
compiled for an architecture: another shape is another table, not other machine code. Slots are
given by their first column in an arena of `capacity` rows, so a table holds for batches of any
size.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from sklearn_nn.layers.base import Layer, Memory, Parameter, Shape
from sklearn_nn.network.initializers import get_initializer
from sklearn_nn.network.memory import allocate

# Columns of the table. Kernel addresses (0: none), then slots as (first column, width), then
# spans of the flat buffers, then the instruction's own geometry.
FORWARD_AT, FORWARD_SUMS_AT, PREPARE_AT, BACKWARD_AT, BACKWARD_SUMS_AT, WEIGHTS_AT = range(6)
X_AT, X_WIDTH, Y_AT, Y_WIDTH = 6, 7, 8, 9
# Where backward writes; where it is not X_AT, the machine adds it to the slot at X_AT. The width is
# 0 where the input wants no gradient.
DX_AT, DX_WIDTH = 10, 11
THETA_AT, THETA_SIZE, STATE_AT, STATE_SIZE, WORK_AT, WORK_SIZE = range(12, 18)
# What a row costs, in multiplications and additions: forward and backward, where they do not ask by
# themselves whether to stop, and weights.
ROW_COST, WEIGHTS_COST = 18, 19
GEOMETRY, TABLE_WIDTH = 20, 37
#: Where in `output_ends` the width of the output stands.
OUTPUT_WIDTH = 2


def _constant(*values: int) -> np.ndarray:
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Placed:
    """A parameter and where it begins in `theta`; or a memory, and where in `state`."""

    parameter: Parameter | Memory
    start: int

    def view(self, theta: np.ndarray) -> np.ndarray:
        """Its part of a vector laid out as `theta` (or `state`), in its own shape."""
        stop = self.start + self.parameter.size
        return theta[self.start : stop].reshape(self.parameter.shape)


class Outline(NamedTuple):
    """One line of a network's summary."""

    name: str
    layer: str
    output_shape: Shape
    n_parameters: int
    n_state: int


@dataclass
class Program:
    """A network, ready for the machine.

    Attributes
    ----------
    dtype : str
        "float32" or "float64".
    table : ndarray of shape (n_instructions, TABLE_WIDTH)
    n_trained : int
        How many instructions training runs. The rest, the loss's link, is for prediction.
    input_width, raw_slot, output_slot : int, (int, int), (int, int)
        Width of the input slot; (first column, width) of the raw output, which the loss sees,
        and of the output after the link, which a user sees.
    width, n_theta, n_state, n_work : int
        Columns of the arena, elements of `theta`, `state` and `work`.
    layers : dict of str to dict of str to Placed
        Every parameter by layer and name.
    memories : dict of str to dict of str to Placed
        The same for what layers remember in `state`.
    outline : list of Outline
        What each layer is, for a summary.
    is_random : bool
        Whether kernels draw random numbers in training.
    mixes_rows : bool
        Whether the losses of rows are mixed with those of their partners. Then the last columns of
        the arena, as many as the raw output has, are for the partners' gradient.
    cuts : dict of str to (int, (int, int))
        For each layer how many instructions there are up to its end, and the slot it ends in, as
        (first column, width).
    frozen : tuple of str
        Layers that training leaves as they are.
    n_scratch : int
        Elements that some kernel wants behind each part's `ctx`.
    steps : int
        Losses of a row: one, or where the raw output is a sequence one for each step.
    ragged : bool
        Whether rows are sequences of unequal length.
    absorbed : sequence of (int, int, int)
        An instruction that does the work of another as well, the place in its geometry that says
        so, and the other.
    has_members : bool
        Whether the steps are members, which have the row's one target in common.
    adapting : tuple of (str, Layer)
        Layers whose parameters are set by data, by name, in order.
    """

    dtype: str
    table: np.ndarray
    n_trained: int
    input_width: int
    raw_slot: tuple[int, int]
    output_slot: tuple[int, int]
    width: int
    n_theta: int
    n_state: int
    n_work: int
    layers: dict[str, dict[str, Placed]]
    memories: dict[str, dict[str, Placed]]
    outline: list[Outline]
    is_random: bool = False
    mixes_rows: bool = False
    cuts: dict[str, tuple[int, tuple[int, int]]] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()
    n_scratch: int = 0
    absorbed: Sequence[tuple[int, int, int]] = ()
    steps: int = 1
    ragged: bool = False
    has_members: bool = False
    adapting: tuple[tuple[str, Layer], ...] = ()

    def __post_init__(self) -> None:
        self.table.flags.writeable = False  # the type that the drivers declare

    @property
    def n_targets(self) -> int:
        """Targets of a row: one for each step, or one in all for members."""
        return 1 if self.has_members else self.steps

    @functools.cached_property
    def cost(self) -> int:
        """About how many multiplications and additions a row takes on its way forward."""
        return int(self.table[:, WEIGHTS_COST].sum())

    @functools.cached_property
    def raw_ends(self) -> np.ndarray:
        """Width of the input, first column and width of the raw output: for training.

        Behind them, where the partners' gradient begins if rows are mixed, and the losses and the
        targets of a row.
        """
        mixed = self.width - self.raw_slot[1]
        return _constant(self.input_width, *self.raw_slot, mixed, self.steps, self.n_targets)

    @functools.cached_property
    def output_ends(self) -> np.ndarray:
        """The same with the output after the link, then the raw output, where the slots end, and
        the losses and the targets of a row.
        """
        ends = (*self.output_slot, *self.raw_slot)
        return _constant(self.input_width, *ends, self.width, self.steps, self.n_targets)

    @functools.cached_property
    def no_output_ends(self) -> np.ndarray:
        """The same of an output without columns, where nobody wants it."""
        ends = self.output_ends.tolist()
        ends[OUTPUT_WIDTH] = 0
        return _constant(*ends)

    @property
    def parameters(self) -> list[Placed]:
        """All parameters in the order of the layers."""
        return [placed for layer in self.layers.values() for placed in layer.values()]

    def initialize(self, rng: np.random.RandomState) -> np.ndarray:
        """Draw `theta`, parameter by parameter in the order of the layers."""
        theta = allocate(self.n_theta, self.dtype)
        for placed in self.parameters:
            p = placed.parameter
            assert isinstance(p, Parameter)
            draw = get_initializer(p.initializer)
            placed.view(theta)[...] = draw(rng, p.shape, p.fan_in, p.fan_out)
        return theta

    def initial_state(self) -> np.ndarray:
        """What layers remember before training."""
        state = allocate(self.n_state, self.dtype)
        for layer in self.memories.values():
            for placed in layer.values():
                assert isinstance(placed.parameter, Memory)
                placed.view(state)[...] = placed.parameter.start
        return state

    def check_state(self, state: np.ndarray) -> None:
        """Raise a ValueError if kernels cannot find their way by what layers are to remember."""
        for layer, arrays in self.memories.items():
            for placed in arrays.values():
                assert isinstance(placed.parameter, Memory)
                try:
                    placed.parameter.check(placed.view(state))
                except ValueError as error:
                    raise ValueError(f"layer {layer!r}: {error}") from error

    def cut(self, layer: str) -> Program:
        """The part of the program that ends with a layer, to be run on the same `theta`.

        Parameters
        ----------
        layer : str
            A name in `cuts`.

        Returns
        -------
        program : Program
            Its output is that of the layer. Parameters lie where they do in the whole.
        """
        length, slot = self.cuts[layer]
        table = self.table[:length].copy()
        for index, place, other in self.absorbed:
            if index < length <= other:
                table[index, GEOMETRY + place] = 0
        ends = table[:, [X_AT, Y_AT, DX_AT]] + table[:, [X_WIDTH, Y_WIDTH, X_WIDTH]]
        width = max(self.input_width, int(ends.max(initial=0)))
        return replace(
            self, table=table, n_trained=length, raw_slot=slot, output_slot=slot, width=width
        )

    def new_buffers(self) -> tuple[np.ndarray, np.ndarray]:
        """`theta` and `state`, all zero."""
        return allocate(self.n_theta, self.dtype), allocate(self.n_state, self.dtype)

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Spans of `theta` that share a factor on the learning rate and one on decay.

        Neighbours with equal factors are one span; what is not trained (a rate factor of 0) is in
        none.

        Returns
        -------
        spans : ndarray of shape (n_groups, 2), int64
            First and one past the last element.
        factors : ndarray of shape (n_groups, 2), float64
            Of the learning rate, and of penalty and decay.
        """
        spans: list[list[int]] = []
        factors: list[tuple[float, float]] = []
        for placed in self.parameters:
            p, stop = placed.parameter, placed.start + placed.parameter.size
            assert isinstance(p, Parameter)
            value = (p.rate, p.decay)
            if factors and factors[-1] == value:
                spans[-1][1] = stop
            else:
                spans.append([placed.start, stop])
                factors.append(value)
        kept = [i for i, (rate, _) in enumerate(factors) if rate != 0]
        return (
            np.array([spans[i] for i in kept], dtype=np.int64).reshape(-1, 2),
            np.array([factors[i] for i in kept], dtype=np.float64).reshape(-1, 2),
        )

    def matrices(self) -> np.ndarray:
        """Weights that are trained, as matrices with one column a unit.

        Returns
        -------
        matrices : ndarray of shape (n_matrices, 3), int64
            First element, rows, columns.
        """
        rows = []
        for placed in self.parameters:
            p = placed.parameter
            assert isinstance(p, Parameter)
            if len(p.shape) > 1 and p.rate != 0:
                rows.append((placed.start, p.size // p.shape[-1], p.shape[-1]))
        return np.array(rows, dtype=np.int64).reshape(-1, 3)
