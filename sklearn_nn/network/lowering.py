"""Lowering of a list of layers to a program.

`lower` asks each layer for its instructions and lays out the buffers that they point into.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.layers.convolution.pool import GlobalAveragePool, GlobalMaxPool
from sklearn_nn.layers.layer import Clock, Instruction, Kernels, Layer, Memory, Parameter, Shape
from sklearn_nn.layers.merge import join
from sklearn_nn.layers.tabular.members import MeanOverMembers
from sklearn_nn.network.initializers import get_initializer
from sklearn_nn.network.program import (
    DX_AT,
    DX_WIDTH,
    GEOMETRY,
    KERNELS_AT,
    LEAST_WIDTH,
    ROW_COST,
    THETA_AT,
    X_AT,
    Outline,
    Placed,
    Program,
)

#: Elements; spans begin on a cache line.
_ALIGNMENT = 16
_Array = TypeVar("_Array", Parameter, Memory)


#: Layers that reduce all places of an image or a sequence to one, by the name in `Features`.
POOLING = {"mean": GlobalAveragePool, "max": GlobalMaxPool}


class Features(NamedTuple):
    """Outputs of layers side by side, to be computed in place of a network's output."""

    layers: tuple[str, ...]  # full names
    pooling: str | None = None  # name in `POOLING` of what images and sequences are reduced by


def _align(n: int) -> int:
    return -(-n // _ALIGNMENT) * _ALIGNMENT


@dataclass
class Layout:
    """Places of parameters, memories and work in their flat buffers, as fields of `Program`."""

    n_theta: int = 0
    n_state: int = 0
    n_work: int = 0
    layers: dict[str, dict[str, Placed[Parameter]]] = field(default_factory=dict)
    memories: dict[str, dict[str, Placed[Memory]]] = field(default_factory=dict)

    def place(self, op: Instruction) -> tuple[int, ...]:
        """Place an instruction; return begin and size of its spans of `theta`, `state`, `work`."""
        theta, state, work = self.n_theta, self.n_state, self.n_work
        end = _place_all(op.parameters, theta, self.layers, op.layer)
        state_end = _place_all(op.state, state, self.memories, op.layer)
        self.n_theta, self.n_state = _align(end), _align(state_end)
        self.n_work = _align(work + op.work)
        return theta, end - theta, state, state_end - state, work, op.work


def _place_all(
    arrays: Sequence[_Array], start: int, places: dict[str, dict[str, Placed[_Array]]], layer: str
) -> int:
    """Place arrays one after another from `start` and return their end."""
    for array in arrays:
        placed = places.setdefault(layer, {})[array.name] = Placed(array, start)
        start = placed.stop
    return start


@dataclass
class ProgramBuilder:
    """Collector of slots and instructions from the layers; `finish` makes the program."""

    slots: list[Shape] = field(default_factory=list)  # shape of one sample in each
    clocks: list[Clock | None] = field(default_factory=list)  # of slots of unequal sequences
    homes: list[int] = field(default_factory=list)  # slot whose columns each uses; see `reshape`
    instructions: list[Instruction] = field(default_factory=list)
    layer: str = ""  # full name of the present layer, such as "residual1.conv2d2"
    layers: list[tuple[str, str, int, int]] = field(default_factory=list)
    is_random: bool = False
    mixes_rows: bool = False
    has_members: bool = False
    adapting: list[tuple[str, Layer]] = field(default_factory=list)
    rates: Mapping[str, float] = field(default_factory=dict)  # see `lower`
    carries: bool = False  # whether a batch may continue the one before

    @property
    def is_frozen(self) -> bool:
        """True if the present layer is frozen, its state included."""
        return self.rates.get(self.layer) == 0

    def shape(self, slot: int) -> Shape:
        """Return the shape of one sample in a slot."""
        return self.slots[slot]

    def clock(self, slot: int) -> Clock | None:
        """Return the clock of a slot of sequences of unequal length; None if all rows are full."""
        return self.clocks[slot]

    def slot(self, shape: Shape, clock: Clock | None = None) -> int:
        """Add a slot for samples of this shape and return its number."""
        self.slots.append(shape)
        self.clocks.append(clock)
        self.homes.append(len(self.homes))
        return self.homes[-1]

    def reshape(self, slot: int, shape: Shape) -> int:
        """Add a slot that views the same columns as samples of another shape."""
        assert math.prod(shape) == math.prod(self.slots[slot])
        view = self.slot(shape, self.clocks[slot])
        self.homes[view] = self.homes[slot]
        return view

    def add(self, name: str, layer: Layer, slot: int) -> int:
        """Lower a layer that reads `slot` and return its output slot.

        Within another layer the name is appended to that layer's. After an error `layer` is the
        name of the layer that does not fit.
        """
        outer, before = self.layer, len(self.instructions)
        self.layer = f"{outer}.{name}" if outer else name
        Spec.check(layer)
        if layer.mixes_rows:
            self._mix_rows(layer, outer)
        if self.clocks[slot] is not None and layer.lengths == "refuses":
            raise ValueError(_refusal(layer))
        out = layer.lower(self, slot)
        if layer.lengths == "keeps":
            self.clocks[out] = self.clocks[slot]
        self.layers.append((self.layer, layer.label, out, len(self.instructions)))
        appended = len(self.instructions) > before
        self.is_random = self.is_random or (layer.is_random and appended)
        self.has_members = self.has_members or layer.has_members
        self.adapting += [(self.layer, layer)] if layer.adapts else []
        self.layer = outer
        return out

    def _mix_rows(self, layer: Layer, outer: str) -> None:
        """Record a layer that mixes rows; as it mixes losses too, it cannot be nested."""
        kind = type(layer).__name__
        if self.mixes_rows:
            raise ValueError(f"a network can have only one {kind}; remove the others.")
        if outer:
            refusal = f"mixes whole samples and cannot be nested in {outer!r}"
            raise ValueError(f"{kind} {refusal}; put it before or after that.")
        self.mixes_rows = True

    def add_features(self, features: Features) -> int:
        """Join the outputs of layers that were added, and return the slot of vectors."""
        found = {name: slot for name, _, slot, _ in self.layers}
        slots = [found[name] for name in features.layers]
        if features.pooling is not None:
            pool = POOLING[features.pooling]()
            slots = [pool.lower(self, s) if len(self.slots[s]) > 1 else s for s in slots]
        sizes = [math.prod(self.slots[slot]) for slot in slots]
        out, first = self.slot((sum(sizes),)), 0
        for slot, size in zip(slots, sizes, strict=True):
            join(self, slot, out, (1, size, sum(sizes), first))
            first += size
        return out

    def append(self, instruction: Instruction) -> int:
        """Append an instruction; return the slot that it writes."""
        op, out = instruction, instruction.y
        for parameter in op.parameters:
            try:
                get_initializer(parameter.initializer)
            except ValueError as error:
                raise ValueError(f"{parameter.name}: {error}") from error
        # If the output is a vector, such as the tape of a recurrence, the input's steps count.
        shape = self.slots[out] if len(self.slots[out]) > 1 else self.slots[op.x]
        op.places, op.layer = int(math.prod(shape[:-1])), self.layer
        op.x, op.y = self.homes[op.x], self.homes[out]
        if (factor := self.rates.get(self.layer, 1.0)) != 1:
            op.parameters = [replace(p, rate=p.rate * factor) for p in op.parameters]
        self.instructions.append(op)
        return out

    def _merge(self, n_trained: int, ends: Sequence[int]) -> list[tuple[int, int, int]]:
        """Let instructions work in place where this is possible, and return `Program.absorbed`.

        An instruction works in place if nothing else reads its input, and the instruction that
        wrote the input does not keep it. If the latter can, it computes the former as well
        (`absorbs`).
        """
        reads, absorbed = Counter(op.x for op in self.instructions), []
        writers: dict[int, int] = {}
        for index, op in enumerate(self.instructions[:n_trained]):
            before = self.instructions[writers.get(op.x, 0)]
            alone = op.x in writers and reads[op.x] == 1 and op.x not in ends
            if op.in_place and alone and "y" not in before.keeps:
                forward, backward = op.in_place
                if op.kind in before.absorbs:
                    absorbed.append((writers[op.x], before.absorbs[op.kind], index))
                    op.kernels = Kernels(None, None)
                else:
                    op.kernels = op.kernels._replace(forward=forward, backward=backward)
                self._rename(op.y, op.x)
                reads[op.x] = reads.pop(op.y, 0)
            writers[op.y] = index
        return absorbed

    def _rename(self, slot: int, home: int) -> None:
        """Move a slot and its reshaped views to the memory of another."""
        self.homes = [home if h == slot else h for h in self.homes]
        for op in self.instructions:
            op.x, op.y = self.homes[op.x], self.homes[op.y]

    def finish(
        self, dtype: str, n_trained: int, raw: int, output: int, *, input_gradient: bool = False
    ) -> Program:
        """Lay out all buffers and write the table."""
        steps = self.slots[raw][0] if len(self.slots[raw]) == 2 else 1
        absorbed = self._merge(n_trained, [0, self.homes[raw], self.homes[output]])
        widths = [  # columns of every slot, 0 for views of another slot
            int(math.prod(shape)) if self.homes[slot] == slot else 0
            for slot, shape in enumerate(self.slots)
        ]
        raw, output = self.homes[raw], self.homes[output]
        starts = np.concatenate([[0], np.cumsum(widths)]).astype(int).tolist()
        spans, width = list(zip(starts[:-1], widths, strict=True)), starts[-1]
        lengths = [GEOMETRY + len(op.geometry) for op in self.instructions]
        columns = max([LEAST_WIDTH, *lengths])
        table = np.zeros((len(self.instructions), columns), dtype=np.int64)
        wants_gradient, readers = self._gradients(input_gradient)
        layout = Layout()
        for index, op in enumerate(self.instructions):
            row, first = table[index], readers[index]
            trained, through = index < n_trained, wants_gradient[op.x]
            used = op.used_kernels(trained=trained, through=through, weights=not input_gradient)
            for at, kernel in zip(KERNELS_AT, used, strict=True):
                row[at] = 0 if kernel is None else kernel.address(dtype)
            row[X_AT : DX_AT + 1] = (*spans[op.x], *spans[op.y], starts[op.x])
            row[DX_WIDTH] = widths[op.x] if through else 0
            if not first and wants_gradient[op.x]:
                row[DX_AT] = width
                width += widths[op.x]
            row[THETA_AT:ROW_COST] = layout.place(op)
            costs = op.costs(widths[op.x] + widths[op.y])
            row[ROW_COST:GEOMETRY] = (*costs, op.pieces)
            row[GEOMETRY : GEOMETRY + len(op.geometry)] = op.geometry
        for index, place, _ in absorbed:
            table[index, GEOMETRY + place] = 1
        width += widths[raw] if self.mixes_rows else 0
        return Program(
            dtype, table, n_trained, input_width=widths[0], raw_slot=spans[raw],
            output_slot=spans[output], width=width, **vars(layout), outline=self._outline(layout),
            is_random=self.is_random, mixes_rows=self.mixes_rows,
            cuts={n: (length, spans[self.homes[slot]]) for n, _, slot, length in self.layers},
            frozen=tuple(name for name, factor in self.rates.items() if factor == 0),
            n_scratch=max((op.scratch for op in self.instructions), default=0),
            absorbed=absorbed, steps=steps, ragged=self.clocks[0] is not None,
            has_members=self.has_members and steps > 1, adapting=tuple(self.adapting),
            carries=self.carries,
        )  # fmt: skip

    def _outline(self, layout: Layout) -> list[Outline]:
        """Return a line for each layer."""
        lines = []
        for name, kind, slot, _ in self.layers:
            n_parameters, n_state = (
                sum(placed.parameter.size for placed in places.get(name, {}).values())
                for places in (layout.layers, layout.memories)
            )
            lines.append(Outline(name, kind, self.slots[slot], n_parameters, n_state))
        return lines

    def _gradients(self, of_input: bool) -> tuple[list[bool], list[bool]]:
        """Return which slots need a gradient, and which instructions are first to write theirs.

        A slot needs one if anything upstream of it is trained, or if the input's is requested.
        Backward runs from the last instruction to the first: the last reader of a slot writes its
        gradient, others add.
        """
        wants = [of_input] * len(self.slots)
        for op in self.instructions:
            wants[op.y] = wants[op.y] or wants[op.x] or op.is_trained
        seen: set[int] = set()
        first = []
        for op in reversed(self.instructions):
            first.append(op.x == op.y or op.x not in seen)
            seen.add(op.x)
        return wants, first[::-1]


def _refusal(layer: Layer) -> str:
    """Return the error of a layer that does not take sequences of unequal length."""
    kind = type(layer).__name__
    remedies = {
        "Flatten": "use pooling over time, such as GlobalAveragePool, or a recurrent layer",
        "BatchNorm": "use LayerNorm",
        "Dense": "use TimeDistributed(Dense(...)), or pooling over time before it",
    }
    remedy = remedies.get(kind, "put it after a layer that reduces a sequence to one vector")
    return f"{kind} does not take sequences of unequal length; {remedy}, or pad all to one length."


def lower(
    layers: Sequence[tuple[str, Layer]], shape: Shape, dtype: str, link: Layer | None = None, *,
    input_gradient: bool = False, rates: Mapping[str, float] | None = None,
    ragged: bool = False, carries: bool = False, features: Features | None = None,
) -> Program:  # fmt: skip
    """Return the program of named layers, from input to raw output.

    `shape` is that of one input sample, of the longest if they are sequences of unequal length
    (`ragged`). `link` is applied after the last layer in prediction only, where members are then
    averaged; the loss acts on the raw output. With `input_gradient`, backward kernels compute the
    gradient of the input instead of the parameters'. `rates` are factors on the learning rates of
    layers, by full name; 0 freezes a layer. `carries` tells whether a batch may continue the one
    before. With `features` the program computes those in place of the output, up to the last layer
    that they need; it runs on the same `theta`. Raises ValueError, which names the layer, if one
    does not fit the one before it.
    """
    builder = ProgramBuilder(rates=rates or {}, carries=carries)
    slot = builder.slot(shape, Clock(0, 1) if ragged else None)
    for name, layer in layers:
        try:
            slot = builder.add(name, layer, slot)
        except ValueError as error:
            raise ValueError(f"layer {builder.layer!r}: {error}") from error
        if features is not None and {*features.layers} <= {line[0] for line in builder.layers}:
            break
    raw, n_trained = slot, len(builder.instructions)
    if builder.mixes_rows and builder.has_members:
        raise ValueError("Mixup and members cannot be combined; remove one of them.")
    if features is not None:
        slot = builder.add_features(features)
    elif link is not None:
        slot = link.lower(builder, slot)
    if builder.has_members and len(builder.shape(slot)) > 1:
        slot = MeanOverMembers().lower(builder, slot)
    return builder.finish(dtype, n_trained, raw, slot, input_gradient=input_gradient)
