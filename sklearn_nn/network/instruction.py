"""Instructions as layers describe them, and the layout of their arrays in flat buffers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Memory, Parameter
from sklearn_nn.network.program import Placed

_ALIGNMENT = 16  # elements; spans begin on a cache line


@dataclass
class Instruction:
    """Instruction whose addresses and offsets are not known yet.

    `places` is the number of places at which a sample is multiplied by the parameters; the other
    fields are described by `Builder.instruction` in layers/base.py.
    """

    layer: str
    x: int
    y: int
    kernels: tuple[Kernel | None, ...]
    parameters: Sequence[Parameter]
    places: int
    state: Sequence[Memory] = ()
    work: int = 0
    scratch: int = 0
    geometry: Sequence[int] = ()
    keeps: str = "xy"
    in_place: tuple[Kernel, Kernel] | None = None
    kind: str = ""
    absorbs: Mapping[str, int] | None = None
    weights_need_backward: bool = False
    asks_to_stop: bool = False

    def costs(self, width: int) -> tuple[int, int]:
        """Return the approximate multiplications and additions per row of forward and of weights.

        Parameters are multiplied at each of the places. `width` is the number of columns read and
        written, each of which may take a function. The first cost is 0 if the kernels themselves
        test whether to stop.
        """
        products = self.places * sum(p.size for p in self.parameters)
        cost = max(products, 16 * width)
        return 0 if self.asks_to_stop else cost, cost

    @property
    def is_trained(self) -> bool:
        """True if it has parameters that are not frozen."""
        return any(p.rate != 0 for p in self.parameters)

    def used_kernels(
        self, *, trained: bool, through: bool, weights: bool
    ) -> tuple[Kernel | None, ...]:
        """Return the kernels that run, in the table's order.

        `trained` means that training runs the instruction, `through` that the input needs a
        gradient, `weights` that the parameters need one.
        """
        forward, forward_sums, prepare, backward, backward_sums, to_weights = self.kernels
        if not trained:
            return forward, None, None, None, None, None
        if not weights or not self.is_trained:
            to_weights = None
        if not through and not (self.weights_need_backward and to_weights):
            prepare = backward = None
        if not through and to_weights is None:
            backward_sums = None
        return forward, forward_sums, prepare, backward, backward_sums, to_weights


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
