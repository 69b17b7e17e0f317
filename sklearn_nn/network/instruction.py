"""An instruction before it is a row of a program's table: what a layer has said of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sklearn_nn.jit.kernel import Kernel
from sklearn_nn.layers.base import Memory, Parameter


@dataclass
class Instruction:
    """An instruction before addresses and offsets are known."""

    layer: str
    x: int
    y: int
    kernels: tuple[Kernel | None, ...]
    parameters: Sequence[Parameter]
    state: Sequence[Memory]
    work: int
    scratch: int
    geometry: Sequence[int]
    keeps: str
    in_place: tuple[Kernel, Kernel] | None
    kind: str
    absorbs: Mapping[str, int]
    weights_need_backward: bool
    asks_to_stop: bool
    places: int

    def costs(self, width: int) -> tuple[int, int]:
        """About how many multiplications and additions a row takes: of forward, of weights.

        The parameters are multiplied at each of the places. `width` is the number of columns read
        and written, each of which may take a function. The first is 0 where the kernels themselves
        ask whether to stop.
        """
        products = self.places * sum(p.size for p in self.parameters)
        cost = max(products, 16 * width)
        return 0 if self.asks_to_stop else cost, cost

    @property
    def is_trained(self) -> bool:
        """Whether it has parameters that are not frozen."""
        return any(p.rate != 0 for p in self.parameters)

    def used_kernels(
        self, *, trained: bool, through: bool, weights: bool
    ) -> tuple[Kernel | None, ...]:
        """The kernels that run, in the table's order.

        Parameters
        ----------
        trained : bool
            Whether training runs the instruction. It does not run the link.
        through : bool
            Whether the input wants a gradient.
        weights : bool
            Whether the parameters want one.
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
