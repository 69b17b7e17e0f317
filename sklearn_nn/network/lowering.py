"""Lowering: from a list of layers to a program.

`lower` asks each layer for its instructions, and lays out the buffers that they point into.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Layer, Memory, Parameter, Shape
from sklearn_nn.network.program import (
    DX_AT,
    GEOMETRY,
    TABLE_WIDTH,
    THETA_AT,
    X_AT,
    Outline,
    Placed,
    Program,
)

_ALIGNMENT = 16  # elements; spans begin on a cache line


def _align(n: int) -> int:
    return -(-n // _ALIGNMENT) * _ALIGNMENT


@dataclass
class _Instruction:
    """An instruction before addresses and offsets are known."""

    layer: str
    x: int
    y: int
    kernels: tuple[Kernel | None, ...]
    parameters: Sequence[Parameter]
    state: Sequence[Memory]
    work: int
    geometry: Sequence[int]

    @property
    def is_trained(self) -> bool:
        """Whether it has parameters that are not frozen."""
        return any(p.rate != 0 for p in self.parameters)

    def used_kernels(self, *, trained: bool, through: bool) -> tuple[Kernel | None, ...]:
        """The kernels that run, in the table's order.

        Parameters
        ----------
        trained : bool
            Whether training runs the instruction. It does not run the link.
        through : bool
            Whether the input wants a gradient.
        """
        forward, forward_sums, prepare, backward, backward_sums, weights = self.kernels
        if not trained:
            return forward, None, None, None, None, None
        if not through:
            prepare = backward = backward_sums = None
        if not self.is_trained:
            weights = None
        return forward, forward_sums, prepare, backward, backward_sums, weights


@dataclass
class _Layout:
    """Where parameters, memories and scratch lie in their flat buffers."""

    n_theta: int = 0
    n_state: int = 0
    n_work: int = 0
    parameters: dict[str, dict[str, Placed]] = field(default_factory=dict)
    memories: dict[str, dict[str, Placed]] = field(default_factory=dict)

    def place(self, op: _Instruction) -> tuple[int, ...]:
        """Begin and size of an instruction's spans of `theta`, `state` and `work`."""
        theta, state, work = self.n_theta, self.n_state, self.n_work
        end = _place_all(op.parameters, theta, self.parameters, op.layer)
        state_end = _place_all(op.state, state, self.memories, op.layer)
        self.n_theta, self.n_state = _align(end), _align(state_end)
        self.n_work = _align(work + op.work)
        return theta, end - theta, state, state_end - state, work, op.work


def _place_all(
    arrays: Sequence[Parameter] | Sequence[Memory],
    start: int,
    places: dict[str, dict[str, Placed]],
    layer: str,
) -> int:
    """Place arrays one after another from `start`; returns where they end."""
    for array in arrays:
        places.setdefault(layer, {})[array.name] = Placed(array, start)
        start += array.size
    return start


@dataclass
class ProgramBuilder:
    """Collects slots and instructions from the layers; `finish` lays everything out.

    Attributes
    ----------
    slots : list of tuple of int
        Shape of one sample in each slot.
    homes : list of int
        For each slot the one whose columns it is: itself, but where `reshape` made it.
    layer : str
        Under which name parameters are filed: that of the layer at hand, "residual1.conv2d2" where
        one lies within another.
    """

    slots: list[Shape] = field(default_factory=list)
    homes: list[int] = field(default_factory=list)
    instructions: list[_Instruction] = field(default_factory=list)
    layer: str = ""
    layers: list[tuple[str, str, int]] = field(default_factory=list)
    is_random: bool = False

    def shape(self, slot: int) -> Shape:
        """Shape of one sample in a slot."""
        return self.slots[slot]

    def slot(self, shape: Shape) -> int:
        """Make a slot for samples of this shape."""
        self.slots.append(shape)
        self.homes.append(len(self.homes))
        return self.homes[-1]

    def reshape(self, slot: int, shape: Shape) -> int:
        """Make a slot of the same columns for samples of another shape. Nothing is copied."""
        assert np.prod(shape) == np.prod(self.slots[slot])
        self.slots.append(shape)
        self.homes.append(self.homes[slot])
        return len(self.homes) - 1

    def add(self, name: str, layer: Layer, slot: int) -> int:
        """Lower a layer that reads `slot`, under a name; within another layer, below its name.

        Returns the slot it ends in. Where it raises, `layer` stays at the layer that does not fit.
        """
        outer, before = self.layer, len(self.instructions)
        self.layer = f"{outer}.{name}" if outer else name
        out = layer.lower(self, slot)
        self.layers.append((self.layer, type(layer).__name__, out))
        appended = len(self.instructions) > before
        self.is_random = self.is_random or (layer.is_random and appended)
        self.layer = outer
        return out

    def instruction(
        self,
        x: int,
        y: int,
        *,
        forward: Kernel,
        backward: Kernel,
        prepare: Kernel | None = None,
        weights: Kernel | None = None,
        forward_sums: Kernel | None = None,
        backward_sums: Kernel | None = None,
        parameters: Sequence[Parameter] = (),
        state: Sequence[Memory] = (),
        work: int = 0,
        geometry: Sequence[int] = (),
    ) -> None:
        """Append an instruction that reads slot `x` and writes slot `y`."""
        kernels = (forward, forward_sums, prepare, backward, backward_sums, weights)
        x, y = self.homes[x], self.homes[y]
        self.instructions.append(
            _Instruction(self.layer, x, y, kernels, parameters, state, work, geometry)
        )

    def finish(self, dtype: str, n_trained: int, raw: int, output: int) -> Program:
        """Lay out all buffers and write the table."""
        widths = [
            int(np.prod(shape)) if home == slot else 0
            for slot, (shape, home) in enumerate(zip(self.slots, self.homes, strict=True))
        ]
        raw, output = self.homes[raw], self.homes[output]
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(int).tolist()
        width = starts[-1]
        table = np.zeros((len(self.instructions), TABLE_WIDTH), dtype=np.int64)
        wants_gradient, readers = self._gradients()
        layout = _Layout()
        for index, (row, op, first) in enumerate(
            zip(table, self.instructions, readers, strict=True)
        ):
            kernels = op.used_kernels(trained=index < n_trained, through=wants_gradient[op.x])
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
            row[THETA_AT:GEOMETRY] = layout.place(op)
            row[GEOMETRY : GEOMETRY + len(op.geometry)] = op.geometry
        return Program(
            dtype,
            table,
            n_trained,
            widths[0],
            (starts[raw], widths[raw]),
            (starts[output], widths[output]),
            width,
            layout.n_theta,
            layout.n_state,
            layout.n_work,
            layout.parameters,
            layout.memories,
            self._outline(layout),
            self.is_random,
        )

    def _outline(self, layout: _Layout) -> list[Outline]:
        """A line for each layer."""
        return [
            Outline(
                name,
                kind,
                self.slots[slot],
                sum(p.parameter.size for p in layout.parameters.get(name, {}).values()),
                sum(p.parameter.size for p in layout.memories.get(name, {}).values()),
            )
            for name, kind, slot in self.layers
        ]

    def _gradients(self) -> tuple[list[bool], list[bool]]:
        """Which slots want a gradient, and which instructions are first to write theirs.

        A slot wants one if anything upstream of it is trained. Backward runs from the last
        instruction to the first: the last reader of a slot writes its gradient, others add.
        """
        wants = [False] * len(self.slots)
        for op in self.instructions:
            wants[op.y] = wants[op.y] or wants[op.x] or op.is_trained
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
        try:
            slot = builder.add(name, layer, slot)
        except ValueError as error:
            raise ValueError(f"layer {builder.layer!r}: {error}") from error
    raw, n_trained = slot, len(builder.instructions)
    if link is not None:
        slot = link.lower(builder, slot)
    return builder.finish(dtype, n_trained, raw, slot)
