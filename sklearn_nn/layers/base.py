"""What a layer is, and what it hands to the program.

A layer is a plain value: hyperparameters, a shape rule and a lowering. `lower` appends
*instructions* to a program through a `Builder`. An instruction reads one slot (a batch of
activations, one row a sample), writes another, owns a span of parameters, and has up to six
kernels:

=============  =========================================================  ==================
kernel         what it writes                                             owner of an output
=============  =========================================================  ==================
forward        ``y``, from ``x``                                          row of the batch
prepare        ``work``, from ``theta``: what backward wants rearranged   any
backward       ``dx``, from ``dy``                                        row of the batch
weights        ``grad``, the span of the parameters' gradient             row of the weight
forward_sums   ``work``, ``state``: what forward needs of the whole       column
               batch; only in training
backward_sums  ``work``: what backward needs of the whole batch           column
=============  =========================================================  ==================

Every kernel takes ``(part, parts)`` and writes only its share of the outputs. Each output is
computed by one part, in one order of summation, so results do not depend on the number of parts.
Rows of a batch have one owner from layer to layer; what must be summed over the batch is a kernel
of its own, which the machine runs between two barriers just before the forward or backward it is
for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np
from numba import njit

from sklearn_nn._spec import Spec
from sklearn_nn.jit.host import INLINED_OPTIONS
from sklearn_nn.jit.kernel import Kernel, Kind
from sklearn_nn.jit.team import load_word, share

Shape = tuple[int, ...]
#: The slot that holds the network's input: the first that is made.
INPUT = 0

_COMMON = {"ctx": "int64[:]", "op": "const int64[:]", "part": "int64", "parts": "int64"}
FORWARD = Kind(
    "forward",
    **_COMMON,
    theta="real[:]",
    state="real[:]",
    work="real[:]",
    x="real[:,:]",
    y="real[:,:]",
)
BACKWARD = Kind(
    "backward",
    **_COMMON,
    theta="real[:]",
    grad="real[:]",
    state="real[:]",
    work="real[:]",
    x="real[:,:]",
    y="real[:,:]",
    dx="real[:,:]",
    dy="real[:,:]",
)
PREPARE = Kind("prepare", **_COMMON, theta="real[:]", work="real[:]")

#: Places in `ctx`, which every kernel sees. TRAINING is 0 in prediction, and in training the number
#: of rows that a batch has, if it is not a smaller one at the epoch's end. PARTNER holds the bits
#: of a real number: the share of each row's loss that is taken with the target of its partner, the
#: row as far from the end as itself from the beginning. 0 unless a layer mixes them. LENGTHS is
#: where in `ctx` the number of steps of each row of the batch stands, 0 where all sequences are of
#: one length, and LONGEST the largest of them (see lengths.py). CONTINUES is whether the rows go on
#: where those of the batch before ended, so that recurrent layers begin with what they remember.
#: PROGRESS holds the bits of a real number: the part of the training planned that is over, from 0
#: to 1. STOP_AT is the address of what `is_stopped` reads, or 0.
STEP, SEED, TRAINING, PARTNER, LENGTHS, LONGEST, CONTINUES, PROGRESS, STOP_AT, CTX_SIZE = range(10)
#: Rows of a batch are dealt out in multiples of this.
ROW_GRAIN = 8


@njit(**INLINED_OPTIONS)
def owned_rows(x: np.ndarray, part: int, parts: int) -> tuple[int, int]:
    """The rows of a batch that `part` owns: the same for every kernel that is split by row."""
    return share(x.shape[0], part, parts, ROW_GRAIN)


@njit(**INLINED_OPTIONS)
def is_stopped(ctx: np.ndarray) -> bool:
    """Whether what is being computed is wanted no more: what is not written yet may stay so."""
    return ctx[STOP_AT] != 0 and load_word(ctx[STOP_AT]) != 0


@dataclass(frozen=True)
class Parameter:
    """A trained array of a layer.

    Attributes
    ----------
    name : str
        As in Keras: "kernel", "bias".
    shape : tuple of int
    initializer : object
        Called with (rng, shape, fan_in, fan_out); see network/initializers.py.
    fan_in, fan_out : int
        Number of inputs and outputs of one unit, for the initializer.
    decay : float
        Factor on the L2 penalty: 1 for weights, 0 for biases.
    rate : float
        Factor on the learning rate.
    """

    name: str
    shape: Shape
    initializer: Any
    fan_in: int
    fan_out: int
    decay: float = 1.0
    rate: float = 1.0

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))


@dataclass(frozen=True)
class Memory:
    """An array that a layer remembers and that is not trained, such as a running mean.

    Attributes
    ----------
    name : str
        As in Keras: "moving_mean".
    shape : tuple of int
    start : float or ndarray of that shape
        What its elements are before training: one number, or one each.
    counted : (int, int), optional
        Kernels find their way by the elements: whole numbers from 1 to the second of these, whose
        sum is the first. They must never be anything else.
    """

    name: str
    shape: Shape
    start: float | np.ndarray = 0.0
    counted: tuple[int, int] | None = None

    def check(self, array: np.ndarray) -> None:
        """Raise a ValueError if kernels cannot find their way by an array."""
        if self.counted is None:
            return
        total, most = self.counted
        whole = bool(((array >= 1) & (array <= most) & (array == np.floor(array))).all())
        if not whole or array.sum(dtype=np.float64) != total:
            raise ValueError(
                f"{self.name!r} must be whole numbers from 1 to {most} that sum to {total}; they "
                "say where the layer's parameters lie, and do not change after a fit."
            )

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(np.prod(self.shape))


class Clock(NamedTuple):
    """How many steps a sequence of n steps has in a slot: floor((n + offset) / stride)."""

    offset: int
    stride: int


class Builder(Protocol):
    """What a layer sees of the program that is being built.

    Attributes
    ----------
    carries : bool
        Whether a batch may go on where the one before ended (`CONTINUES`).
    """

    carries: bool

    @property
    def is_frozen(self) -> bool:
        """Whether the layer at hand is left as it is, what it remembers included."""

    def shape(self, slot: int) -> Shape:
        """Shape of one sample in a slot."""

    def clock(self, slot: int) -> Clock | None:
        """Clock of a slot of sequences of unequal length; None where all rows are full."""

    def slot(self, shape: Shape, clock: Clock | None = None) -> int:
        """Make a slot for samples of this shape."""

    def reshape(self, slot: int, shape: Shape) -> int:
        """Make a slot of the same columns for samples of another shape. Nothing is copied."""

    def add(self, name: str, layer: Layer, slot: int) -> int:
        """Lower a layer within this one, which reads `slot`; returns the slot it ends in."""

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
        scratch: int = 0,
        geometry: Sequence[int] = (),
        keeps: str = "xy",
        in_place: tuple[Kernel, Kernel] | None = None,
        kind: str = "",
        absorbs: Mapping[str, int] | None = None,
        weights_need_backward: bool = False,
        asks_to_stop: bool = False,
    ) -> None:
        """Append an instruction that reads slot `x` and writes slot `y`.

        `work` and `scratch` count elements: of what the instruction's kernels leave to one
        another, and of the room behind `ctx` that each part has for itself while a kernel runs.
        `keeps` names the slots that are read after forward, by backward and weights. `in_place`
        are a forward and a backward for x and y that are the same memory, and dx and dy too: they
        take the place of the others where nobody misses x. `absorbs` names the kinds of next
        instruction whose work this one can do with its own, with the place in its geometry that
        then is 1; `kind` is what others know this one by. With `weights_need_backward`, backward
        runs before weights even where the input wants no gradient, which it sees by a dx without
        columns; else it does not run then. `asks_to_stop` says that forward and backward may take
        long for a few rows, and ask `is_stopped` meanwhile; others are given some rows at a time.
        """


class Layer(Spec):
    """Base of all layers: hyperparameters, a shape rule and a lowering; no weights, no state."""

    #: Whether it mixes each row of a batch with its partner while training, and sets PARTNER.
    mixes_rows: ClassVar[bool] = False
    #: What it does with sequences of unequal length: it "refuses" them; its output "keeps" their
    #: clock, as that of a layer does whose steps are each by itself; or it "heeds" the clock and
    #: gives its output one, if that is sequences still.
    lengths: ClassVar[str] = "refuses"
    #: Whether its outputs, of shape (members, ...), are those of members that have the target of
    #: their row in common.
    has_members: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """What a summary calls it: its class, and what else it does."""
        return type(self).__name__

    @property
    def is_random(self) -> bool:
        """Whether its kernels draw random numbers in training."""
        return False

    @property
    def adapts(self) -> bool:
        """Whether `adapt` sets its parameters by data before training."""
        return False

    def adapt(
        self, rng: np.random.RandomState, outputs: np.ndarray, parameters: Mapping[str, np.ndarray]
    ) -> None:
        """Set parameters by what the layer makes of training data with those that were drawn.

        Parameters
        ----------
        rng : RandomState
            Where random numbers come from.
        outputs : ndarray of shape (n_samples, n_outputs), float64
        parameters : dict of str to ndarray
            By name, changed in place.
        """

    @property
    def reads_whole_numbers(self) -> bool:
        """Whether its input is whole numbers that stand for something.

        Estimators ask `check_values` of a network's first layer about their data then.
        """
        return False

    @property
    def padding_value(self) -> int | None:
        """What its input holds behind the end of a sequence; None where it does not tell."""
        return None

    def check_values(self, lowest: float, highest: float, whole: bool) -> None:
        """Raise a ValueError if it does not take an input's values.

        Parameters
        ----------
        lowest, highest : float
            The least and the largest of them.
        whole : bool
            Whether all are whole numbers.
        """

    def output_shape(self, shape: Shape) -> Shape:
        """Shape of one sample after this layer, given its shape before.

        Raises
        ------
        ValueError
            If the layer does not fit samples of this shape.
        """
        raise TypeError(f"{type(self).__name__} must define output_shape")

    def lower(self, builder: Builder, slot: int) -> int:
        """Append this layer's instructions, reading `slot`; returns the slot they end in."""
        raise TypeError(f"{type(self).__name__} must define lower")
