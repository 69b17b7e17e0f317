"""Program: the table of instructions and the memory layout that a list of layers is lowered to.

The int64 table has one row per instruction, which points into flat buffers. All architectures use
the same machine code: another architecture is another table. A slot is given by its first column in
an arena of `capacity` rows, so that a table is valid for batches of any size.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Generic, NamedTuple, TypeVar

import numpy as np

from sklearn_nn.jit.host import LINE
from sklearn_nn.layers.base import CTX_SIZE, LENGTHS, ROW_GRAIN, SEED, STOP_AT, TRAINING
from sklearn_nn.layers.layer import Layer, Memory, Parameter, Shape
from sklearn_nn.network.initializers import get_initializer

# Columns of the table: kernel addresses (0: none), slots as (first column, width), spans of flat
# buffers, costs, and the instruction's own geometry. `KERNELS_AT` is in the order of `Kernels`.
FORWARD_AT, FORWARD_SUMS_AT, PREPARE_AT, BACKWARD_AT, BACKWARD_SUMS_AT, WEIGHTS_AT = range(6)
KERNELS_AT = (FORWARD_AT, BACKWARD_AT, WEIGHTS_AT, PREPARE_AT, FORWARD_SUMS_AT, BACKWARD_SUMS_AT)
X_AT, X_WIDTH, Y_AT, Y_WIDTH = 6, 7, 8, 9
# Slot that backward writes; the machine adds it to the slot at X_AT if it is another one. The width
# is 0 if the input needs no gradient.
DX_AT, DX_WIDTH = 10, 11
THETA_AT, THETA_SIZE, STATE_AT, STATE_SIZE, WORK_AT, WORK_SIZE = range(12, 18)
# Multiplications and additions per row: of forward and backward, 0 if these kernels themselves test
# whether to stop, and of weights.
ROW_COST, WEIGHTS_COST = 18, 19
# Most pieces of a part's share of weights.
WEIGHTS_PIECES = 20
GEOMETRY = 21
#: Multiplications and additions of a piece of work that is small enough to be shared evenly, and
#: its least number of rows, without and with a recurrence.
PIECE_COST, PIECE_ROWS, _RECURRENT_ROWS = 2**21, 16, 32
#: Columns of a table without longer geometries; those that are not given are 0.
LEAST_WIDTH = 38
#: Places in `ends`, which the epoch loop reads: width of the input; first column and width of the
#: slot that is read out, and of the raw output; first column after the slots, where the
#: gradient of a second loss is written; losses and targets per row.
INPUT_WIDTH, OUTPUT_AT, OUTPUT_WIDTH, RAW_AT, RAW_WIDTH, SPARE_AT, N_LOSSES, N_TARGETS = range(8)

#: Columns of slots that share memory are a multiple of this, one or two cache lines.
_COLUMNS = 16

_Array = TypeVar("_Array", Parameter, Memory)


def allocate(shape: int | tuple[int, int], dtype: str) -> np.ndarray:
    """Return zeros that begin on a cache line.

    NumPy begins 16 bytes into a line. Every vector load then touches two lines, so that an update
    of the parameters takes almost three times as long.
    """
    length = shape[0] * shape[1] if isinstance(shape, tuple) else shape
    size = length * np.dtype(dtype).itemsize
    raw = np.zeros(size + LINE, dtype=np.uint8)
    start = -raw.__array_interface__["data"][0] % LINE
    return raw[start : start + size].view(dtype).reshape(shape)


def aligned(array: np.ndarray) -> np.ndarray:
    """Return a writable copy that begins on a cache line."""
    copied = allocate(array.size, array.dtype.name).reshape(array.shape)
    copied[...] = array
    return copied


def contexts(
    parts: int, n_scratch: int, dtype: str, *,
    seed: int = 0, usual_rows: int = 0, n_lengths: int = 0, stop_at: int = 0,
) -> np.ndarray:  # fmt: skip
    """Return the `ctx` of kernels, an int64 row for each part.

    After the numbers is room for scratch, `n_scratch` elements of `dtype`, and then for the
    lengths of sequences in a batch, `n_lengths`. `seed` is the key of random numbers in kernels,
    `usual_rows` the size of training batches (0 is prediction), `stop_at` the address of the stop
    flag (0 is never).
    """
    words = -(-n_scratch * np.dtype(dtype).itemsize // LINE) * LINE // 8
    end = CTX_SIZE + words
    rows = allocate((parts, end + -(-n_lengths // 8) * 8), "int64")
    fields = LENGTHS, SEED, TRAINING, STOP_AT
    rows[:, fields] = end if n_lengths else 0, seed, usual_rows, stop_at
    return rows


def _share_columns(
    lives: Mapping[tuple[int, int], Sequence[int]],
) -> tuple[dict[tuple[int, int], int], int]:
    """Return a first column for each slot, those that live at once apart, and the columns in all.

    `lives` holds the first and the last instruction of each slot, in the order of the first ones.
    Slots begin on cache lines in batches of any number of rows.
    """
    places, width = {}, 0
    taken: list[tuple[int, int, int]] = []  # first column, end and last instruction
    for slot, (begin, end) in lives.items():
        taken = sorted(t for t in taken if t[2] >= begin)
        size, at = -(-slot[1] // _COLUMNS) * _COLUMNS, 0
        for first, stop, _ in taken:
            if at + size <= first:
                break
            at = max(at, stop)
        taken.append((at, at + size, end))
        places[slot], width = at, max(width, at + size)
    return places, width


@dataclass(frozen=True)
class Placed(Generic[_Array]):
    """Parameter with its first element in `theta`, or memory with its first element in `state`."""

    parameter: _Array
    start: int

    @property
    def stop(self) -> int:
        """One past the last element."""
        return self.start + self.parameter.size

    def view(self, theta: np.ndarray) -> np.ndarray:
        """Return the array as a view of a vector with the layout of `theta` (or `state`)."""
        return theta[self.start : self.stop].reshape(self.parameter.shape)


class Outline(NamedTuple):
    """Line of a network's summary."""

    name: str
    layer: str
    output_shape: Shape
    n_parameters: int
    n_state: int


@dataclass
class Program:
    """Network in the form that the machine runs."""

    dtype: str  # "float32" or "float64"
    table: np.ndarray  # of shape (n_instructions, GEOMETRY + longest geometry)
    n_trained: int  # instructions that training runs; those for the link run in prediction only
    input_width: int
    #: First column and width of the raw output, on which the loss acts, and of that after the link.
    raw_slot: tuple[int, int]
    output_slot: tuple[int, int]
    width: int  # columns of the arena
    n_theta: int  # elements of `theta`, `state` and `work`
    n_state: int
    n_work: int
    layers: dict[str, dict[str, Placed[Parameter]]]  # by layer and name
    memories: dict[str, dict[str, Placed[Memory]]]
    outline: list[Outline]
    is_random: bool = False  # whether kernels draw random numbers in training
    #: Whether losses of rows are mixed with those of their partners, the gradient of which is then
    #: written to the last columns of the arena.
    mixes_rows: bool = False
    #: For each layer the number of instructions up to its end, and its output slot.
    cuts: dict[str, tuple[int, tuple[int, int]]] = field(default_factory=dict)
    frozen: tuple[str, ...] = ()  # layers that training does not change
    n_scratch: int = 0  # elements of scratch memory after each part's `ctx`
    #: Instructions that also do the work of another: the instruction, the place of the flag in its
    #: geometry, and the other instruction.
    absorbed: Sequence[tuple[int, int, int]] = ()
    steps: int = 1  # losses per row: one, or one for each time step or member of the raw output
    ragged: bool = False  # whether rows are sequences of unequal length
    has_members: bool = False  # whether the losses of a row are those of members with one target
    adapting: tuple[tuple[str, Layer], ...] = ()  # layers with data-dependent initialization
    carries: bool = False  # whether a batch may continue the one before

    def __post_init__(self) -> None:
        self.table.flags.writeable = False  # the type that the drivers declare

    @property
    def n_targets(self) -> int:
        """Targets per row: one for each time step, or a single one for members."""
        return 1 if self.has_members else self.steps

    @functools.cached_property
    def cost(self) -> int:
        """Approximate multiplications and additions of a row's forward pass."""
        return int(self.table[:, WEIGHTS_COST].sum())

    @functools.cached_property
    def is_recurrent(self) -> bool:
        """True if a kernel multiplies its weights by one row of each sample at every step."""
        return not self.table[:, ROW_COST].all()

    @functools.cached_property
    def compact(self) -> Program:
        """The program for prediction, with slots that are not needed at once in the same memory.

        Where a batch may continue the one before, layers find in their slots what that one left,
        so that it is the program itself.
        """
        if self.carries:
            return self
        n, table = len(self.table), self.table.copy()
        lives = {(0, self.input_width): [-1, -1]}  # first and last instruction, by slot
        slots = table[:, [X_AT, X_WIDTH, Y_AT, Y_WIDTH]].tolist()
        for k, (x_at, x_width, y_at, y_width) in enumerate(slots):
            for slot in ((x_at, x_width), (y_at, y_width)):
                lives.setdefault(slot, [k, k])[1] = k
        for slot in (self.raw_slot, self.output_slot):
            lives[slot][1] = n
        places, width = _share_columns(lives)
        table[:, X_AT] = [places[x_at, x_width] for x_at, x_width, _, _ in slots]
        table[:, Y_AT] = [places[y_at, y_width] for _, _, y_at, y_width in slots]
        raw, output = ((places[slot], slot[1]) for slot in (self.raw_slot, self.output_slot))
        return replace(
            self, table=table, width=width, raw_slot=raw, output_slot=output, cuts={}, absorbed=()
        )

    @functools.cached_property
    def piece_rows(self) -> int:
        """Least number of rows that run forward and back together where parts share a batch.

        Pieces are small, so that work is shared evenly, but each reads all parameters, and a
        recurrence does so at every step. 0 if kernels sum over the batch or read other rows.
        """
        table = self.table[: self.n_trained]
        if self.mixes_rows or table[:, [FORWARD_SUMS_AT, BACKWARD_SUMS_AT]].any():
            return 0
        least = _RECURRENT_ROWS if self.is_recurrent else PIECE_ROWS
        of_parameters = self.n_theta // (16 * max(1, self.width))
        rows = max(least, of_parameters, PIECE_COST // (2 * max(1, self.cost)))
        return -(-rows // ROW_GRAIN) * ROW_GRAIN

    @functools.cached_property
    def adds_gradients(self) -> bool:
        """True if a slot is read by two instructions, whose gradients are added."""
        back, table = self.table[:, BACKWARD_AT] != 0, self.table
        return bool((back & (table[:, DX_AT] != table[:, X_AT])).any())

    @functools.cached_property
    def raw_ends(self) -> np.ndarray:
        """The program's `ends` where the raw output is read out, as in training."""
        return self._ends(self.raw_slot, self.width - self.raw_slot[1])

    @functools.cached_property
    def output_ends(self) -> np.ndarray:
        """The program's `ends` where the output after the link is read out."""
        return self._ends(self.output_slot, self.width)

    @functools.cached_property
    def no_output_ends(self) -> np.ndarray:
        """The program's `ends` where no output is read out."""
        return self._ends((self.output_slot[0], 0), self.width)

    def _ends(self, slot: tuple[int, int], spare: int) -> np.ndarray:
        ends = np.zeros(N_TARGETS + 1, dtype=np.int64)
        ends[INPUT_WIDTH], ends[SPARE_AT] = self.input_width, spare
        ends[[OUTPUT_AT, OUTPUT_WIDTH]], ends[[RAW_AT, RAW_WIDTH]] = slot, self.raw_slot
        ends[N_LOSSES], ends[N_TARGETS] = self.steps, self.n_targets
        ends.flags.writeable = False  # the type that kernels declare
        return ends

    @property
    def parameters(self) -> list[Placed[Parameter]]:
        """Parameters in the order of the layers."""
        return [placed for layer in self.layers.values() for placed in layer.values()]

    def initialize(self, rng: np.random.RandomState) -> np.ndarray:
        """Draw and return `theta`, parameter by parameter in the order of the layers."""
        theta = allocate(self.n_theta, self.dtype)
        for placed in self.parameters:
            p = placed.parameter
            draw = get_initializer(p.initializer)
            placed.view(theta)[...] = draw(rng, p.shape, p.fan_in, p.fan_out)
        return theta

    def initial_state(self) -> np.ndarray:
        """Return `state` before training."""
        state = allocate(self.n_state, self.dtype)
        for layer in self.memories.values():
            for placed in layer.values():
                placed.view(state)[...] = placed.parameter.start
        return state

    def check_state(self, state: np.ndarray) -> None:
        """Raise ValueError if a memory in `state` has values that kernels cannot use."""
        for layer, arrays in self.memories.items():
            for placed in arrays.values():
                try:
                    placed.parameter.check(placed.view(state))
                except ValueError as error:
                    raise ValueError(f"layer {layer!r}: {error}") from error

    def cut(self, layer: str) -> Program:
        """Return the program up to the layer named in `cuts`, to be run on the same `theta`."""
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
        """Return `theta` and `state` filled with zeros."""
        return allocate(self.n_theta, self.dtype), allocate(self.n_state, self.dtype)

    def groups(self) -> tuple[np.ndarray, np.ndarray]:
        """Return spans of `theta` with equal factors, and these factors, of shape (n_groups, 2).

        Spans hold the first and one past the last element; factors are those on the learning rate
        and on penalty and decay. Frozen parameters (a rate factor of 0) are in no span.
        """
        spans, factors = [], []
        for value, group in itertools.groupby(
            self.parameters, lambda placed: (placed.parameter.rate, placed.parameter.decay)
        ):
            members = [*group]
            if value[0] != 0:
                spans.append((members[0].start, members[-1].stop))
                factors.append(value)
        return np.array(spans, np.int64).reshape(-1, 2), np.array(factors, float).reshape(-1, 2)

    def matrices(self) -> np.ndarray:
        """Return (first element, rows, columns) of each trained matrix, one column per unit."""
        rows = []
        for placed in self.parameters:
            p = placed.parameter
            if len(p.shape) > 1 and p.rate != 0:
                rows.append((placed.start, p.size // p.shape[-1], p.shape[-1]))
        return np.array(rows, dtype=np.int64).reshape(-1, 3)
