"""Layout of the arrays of a program's instructions in flat buffers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from sklearn_nn.layers.layer import Instruction, Memory, Parameter
from sklearn_nn.network.program import Placed

_ALIGNMENT = 16  # elements; spans begin on a cache line


def _align(n: int) -> int:
    return -(-n // _ALIGNMENT) * _ALIGNMENT


@dataclass
class Layout:
    """Places of parameters, memories and work in their flat buffers."""

    n_theta: int = 0
    n_state: int = 0
    n_work: int = 0
    parameters: dict[str, dict[str, Placed]] = field(default_factory=dict)
    memories: dict[str, dict[str, Placed]] = field(default_factory=dict)

    def place(self, op: Instruction) -> tuple[int, ...]:
        """Place an instruction; return begin and size of its spans of `theta`, `state`, `work`."""
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
    """Place arrays one after another from `start` and return their end."""
    for array in arrays:
        places.setdefault(layer, {})[array.name] = Placed(array, start)
        start += array.size
    return start
