"""The program: what a list of layers becomes. A table of instructions, and where things lie.

`lower` asks each layer for its instructions. The result is an int64 table with one row per
instruction, and the layout of the buffers that the rows point into. Nothing is compiled for an
architecture: another shape is another table, not other machine code. Slots are given by their
first column in an arena of `capacity` rows, so a table holds for batches of any size.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Layer, Parameter, Shape
from sklearn_nn.network.initializers import get_initializer
from sklearn_nn.network.memory import allocate

# Columns of the table. Kernel addresses (0: none), then slots as (first column, width), then
# spans of the flat buffers, then the instruction's own geometry.
FORWARD_AT, PREPARE_AT, BACKWARD_AT, WEIGHTS_AT = 0, 1, 2, 3
X_AT, X_WIDTH, Y_AT, Y_WIDTH = 4, 5, 6, 7
DX_AT = 8  # where backward writes; where it is not X_AT, the machine adds it to the slot at X_AT
THETA_AT, THETA_SIZE, STATE_AT, STATE_SIZE, WORK_AT, WORK_SIZE = 9, 10, 11, 12, 13, 14
GEOMETRY, TABLE_WIDTH = 15, 31

_ALIGNMENT = 16  # elements; spans begin on a cache line


def _align(n: int) -> int:
    return -(-n // _ALIGNMENT) * _ALIGNMENT


def _constant(*values: int) -> np.ndarray:
    array = np.array(values, dtype=np.int64)
    array.flags.writeable = False
    return array


@dataclass(frozen=True)
class Placed:
    """A parameter and where it begins in `theta`."""

    parameter: Parameter
    start: int

    def view(self, theta: np.ndarray) -> np.ndarray:
        """The parameter's part of a vector laid out as `theta`, in its own shape."""
        stop = self.start + self.parameter.size
        return theta[self.start : stop].reshape(self.parameter.shape)


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

    def __post_init__(self) -> None:
        self.table.flags.writeable = False  # the type that the drivers declare

    @functools.cached_property
    def raw_ends(self) -> np.ndarray:
        """Width of the input, first column and width of the raw output: for training."""
        return _constant(self.input_width, *self.raw_slot)

    @functools.cached_property
    def output_ends(self) -> np.ndarray:
        """Width of the input, first column and width of the output: for prediction."""
        return _constant(self.input_width, *self.output_slot)

    @property
    def parameters(self) -> list[Placed]:
        """All parameters in the order of the layers."""
        return [placed for layer in self.layers.values() for placed in layer.values()]

    def initialize(self, rng: np.random.RandomState) -> np.ndarray:
        """Draw `theta`, parameter by parameter in the order of the layers."""
        theta = allocate(self.n_theta, self.dtype)
        for placed in self.parameters:
            p = placed.parameter
            draw = get_initializer(p.initializer)
            placed.view(theta)[...] = draw(rng, p.shape, p.fan_in, p.fan_out)
        return theta

    def spans(self, factor: str) -> tuple[np.ndarray, np.ndarray]:
        """Spans of `theta` by one factor of their parameters, "rate" or "decay".

        Neighbours with one factor are one span; those with factor 0 are left out.

        Returns
        -------
        spans : ndarray of shape (n_spans, 2), int64
            First and one past the last element.
        factors : ndarray of shape (n_spans,), float64
        """
        spans: list[list[int]] = []
        factors: list[float] = []
        for placed in self.parameters:
            value = getattr(placed.parameter, factor)
            stop = placed.start + placed.parameter.size
            if factors and factors[-1] == value:
                spans[-1][1] = stop
            else:
                spans.append([placed.start, stop])
                factors.append(value)
        kept = [i for i, value in enumerate(factors) if value != 0]
        array = np.array([spans[i] for i in kept], dtype=np.int64).reshape(-1, 2)
        return array, np.array([factors[i] for i in kept], dtype=np.float64)


@dataclass
class _Instruction:
    """An instruction before addresses and offsets are known."""

    layer: str
    x: int
    y: int
    kernels: tuple[Kernel | None, ...]
    parameters: Sequence[Parameter]
    state: int
    work: int
    geometry: Sequence[int]


@dataclass
class ProgramBuilder:
    """Collects slots and instructions from the layers; `finish` lays everything out."""

    slots: list[Shape] = field(default_factory=list)
    instructions: list[_Instruction] = field(default_factory=list)
    layer: str = ""

    def shape(self, slot: int) -> Shape:
        """Shape of one sample in a slot."""
        return self.slots[slot]

    def slot(self, shape: Shape) -> int:
        """Make a slot for samples of this shape."""
        self.slots.append(shape)
        return len(self.slots) - 1

    def instruction(
        self,
        x: int,
        y: int,
        *,
        forward: Kernel,
        backward: Kernel,
        prepare: Kernel | None = None,
        weights: Kernel | None = None,
        parameters: Sequence[Parameter] = (),
        state: int = 0,
        work: int = 0,
        geometry: Sequence[int] = (),
    ) -> None:
        """Append an instruction that reads slot `x` and writes slot `y`."""
        kernels = (forward, prepare, backward, weights)
        self.instructions.append(
            _Instruction(self.layer, x, y, kernels, parameters, state, work, geometry)
        )

    def finish(self, dtype: str, n_trained: int, raw: int, output: int) -> Program:
        """Lay out all buffers and write the table."""
        widths = [int(np.prod(shape)) for shape in self.slots]
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(int).tolist()
        width = starts[-1]
        table = np.zeros((len(self.instructions), TABLE_WIDTH), dtype=np.int64)
        wants_gradient, readers = self._gradients()
        layers: dict[str, dict[str, Placed]] = {}
        n_theta = n_state = n_work = 0
        for index, (row, op, first) in enumerate(
            zip(table, self.instructions, readers, strict=True)
        ):
            forward, prepare, backward, weights = op.kernels
            if index >= n_trained:  # the link is not trained through
                prepare = backward = weights = None
            if not wants_gradient[op.x]:
                prepare = backward = None
            kernels = (forward, prepare, backward, weights)
            row[:X_AT] = [0 if k is None else k.address(dtype) for k in kernels]
            row[X_AT : DX_AT + 1] = (
                starts[op.x],
                widths[op.x],
                starts[op.y],
                widths[op.y],
                starts[op.x],
            )
            if not first and wants_gradient[op.x]:
                row[DX_AT] = width
                width += widths[op.x]
            row[STATE_AT], row[STATE_SIZE] = n_state, op.state
            row[WORK_AT], row[WORK_SIZE] = n_work, op.work
            row[THETA_AT] = n_theta
            for parameter in op.parameters:
                layers.setdefault(op.layer, {})[parameter.name] = Placed(parameter, n_theta)
                n_theta += parameter.size
            row[THETA_SIZE] = n_theta - row[THETA_AT]
            n_theta, n_state = _align(n_theta), _align(n_state + op.state)
            n_work = _align(n_work + op.work)
            row[GEOMETRY : GEOMETRY + len(op.geometry)] = op.geometry
        return Program(
            dtype,
            table,
            n_trained,
            widths[0],
            (starts[raw], widths[raw]),
            (starts[output], widths[output]),
            width,
            n_theta,
            n_state,
            n_work,
            layers,
        )

    def _gradients(self) -> tuple[list[bool], list[bool]]:
        """Which slots want a gradient, and which instructions are first to write theirs.

        A slot wants one if anything upstream of it is trained. Backward runs from the last
        instruction to the first: the last reader of a slot writes its gradient, others add.
        """
        wants = [False] * len(self.slots)
        for op in self.instructions:
            wants[op.y] = wants[op.y] or wants[op.x] or bool(op.parameters)
        seen: set[int] = set()
        first = []
        for op in reversed(self.instructions):
            first.append(op.x not in seen)
            seen.add(op.x)
        return wants, first[::-1]


def lower(
    layers: Sequence[tuple[str, Layer]], shape: Shape, dtype: str, link: Layer | None = None
) -> Program:
    """Turn named layers into a program.

    Parameters
    ----------
    layers : sequence of (name, Layer)
        From input to raw output.
    shape : tuple of int
        Shape of one input sample.
    dtype : {"float32", "float64"}
    link : Layer, optional
        Applied after the last layer at prediction only; the loss works on the raw output.

    Returns
    -------
    program : Program

    Raises
    ------
    ValueError
        If a layer does not fit what comes before it; the error names the layer.
    """
    builder = ProgramBuilder()
    slot = builder.slot(shape)
    for name, layer in layers:
        builder.layer = name
        try:
            slot = layer.lower(builder, slot)
        except ValueError as error:
            raise ValueError(f"layer {name!r}: {error}") from error
    raw, n_trained = slot, len(builder.instructions)
    if link is not None:
        slot = link.lower(builder, slot)
    return builder.finish(dtype, n_trained, raw, slot)
