"""The base of all layers, and what a layer declares to the program.

A layer is a plain value: hyperparameters, a shape rule and a lowering. `lower` appends
*instructions* to a program through a `Builder`. An instruction reads one slot (a batch of
activations, one row per sample), writes another, owns a span of parameters, and has up to six
kernels:

=============  =========================================================  ==================
kernel         output                                                     owner of an output
=============  =========================================================  ==================
forward        ``y``, from ``x``                                          row of the batch
prepare        ``work``, from ``theta``: parameters rearranged for        any
               backward
backward       ``dx``, from ``dy``                                        row of the batch
weights        ``grad``, the span of the parameters' gradient             row of the weight
forward_sums   ``work``, ``state``: sums over the batch for forward;      column
               only in training
backward_sums  ``work``: sums over the batch for backward                 column
=============  =========================================================  ==================

Every kernel takes ``(part, parts)`` and writes only its share of the outputs. Each output is
computed by one part, in one order of summation, so results do not depend on the number of parts.
Rows of a batch have the same owner in all layers. Sums over the batch are separate kernels, which
the machine runs between two barriers, just before the forward or backward kernel that needs them.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.jit.kernel import Kernel

Shape = tuple[int, ...]
#: Descriptions of samples, for messages, by the number of axes besides the channels.
SAMPLES = {
    0: "vectors",
    1: "sequences of shape (steps, channels)",
    2: "images of shape (height, width, channels)",
}


class _Shaped:
    """Base of descriptions of arrays."""

    shape: Shape

    @property
    def size(self) -> int:
        """Number of elements."""
        return int(math.prod(self.shape))


@dataclass(frozen=True)
class Parameter(_Shaped):
    """A trained array of a layer, named as in Keras: "kernel", "bias".

    The initializer (see network/initializers.py) is called with (rng, shape, fan_in, fan_out): the
    fans are the numbers of inputs and outputs of one unit. `decay` is a factor on the L2 penalty, 1
    for weights and 0 for biases, and `rate` one on the learning rate.
    """

    name: str
    shape: Shape
    initializer: Any
    fan_in: int
    fan_out: int
    decay: float = 1.0
    rate: float = 1.0


@dataclass(frozen=True)
class Memory(_Shaped):
    """An array that a layer remembers and that is not trained, named as in Keras: "moving_mean".

    `start` is its initial values. If kernels compute addresses from the elements, `counted` is
    (total, most): the elements must be whole numbers from 1 to `most` that sum to `total`.
    """

    name: str
    shape: Shape
    start: float | np.ndarray = 0.0
    counted: tuple[int, int] | None = None

    def check(self, array: np.ndarray) -> None:
        """Raise ValueError if `array` does not satisfy `counted`."""
        if self.counted is None:
            return
        total, most = self.counted
        whole = bool(((array >= 1) & (array <= most) & (array == np.floor(array))).all())
        if not whole or array.sum(dtype=np.float64) != total:
            raise ValueError(
                f"{self.name!r} must be whole numbers from 1 to {most} that sum to {total}; they "
                "say where the layer's parameters lie, and do not change after a fit."
            )


class Kernels(NamedTuple):
    """The kernels of an instruction: see the table above."""

    forward: Kernel | None
    backward: Kernel | None
    weights: Kernel | None = None
    prepare: Kernel | None = None
    forward_sums: Kernel | None = None
    backward_sums: Kernel | None = None


@dataclass
class Instruction:
    """Instruction of a program, before its addresses and offsets are known."""

    #: Slots that it reads and writes.
    x: int
    y: int
    kernels: Kernels
    parameters: Sequence[Parameter] = ()
    state: Sequence[Memory] = ()
    #: Numbers, which the kernels read as ``op``.
    geometry: Sequence[int] = ()
    #: Number of elements that its kernels pass to one another.
    work: int = 0
    #: Number of elements of scratch memory, after `ctx`, that each part has while a kernel runs.
    scratch: int = 0
    #: Slots that backward or weights read: "xy", "x", "y" or "".
    keeps: str = "xy"
    #: Forward and backward for x and y (dx and dy) in one memory, used if nothing else reads x.
    in_place: tuple[Kernel, Kernel] | None = None
    #: Name of the instruction in the `absorbs` of others.
    kind: str = ""
    #: Kinds of next instruction that it can also compute, with the place of its geometry to set.
    absorbs: Mapping[str, int] = field(default_factory=dict)
    #: Whether weights need backward, whose dx has no columns if the input needs no gradient.
    weights_need_backward: bool = False
    #: Whether forward and backward call `is_stopped`; other kernels get some rows at a time.
    asks_to_stop: bool = False
    #: Into how many pieces a thread may divide its share of weights, at little cost.
    pieces: int = 1
    #: Name of its layer, and number of places that the parameters multiply; set by the builder.
    layer: str = ""
    places: int = 1

    def costs(self, width: int) -> tuple[int, int]:
        """Estimate multiply-adds per row of forward (0 if it calls `is_stopped`) and of weights.

        `width` is the number of columns read and written, each of which may take a function.
        """
        products = self.places * sum(p.size for p in self.parameters)
        cost = max(products, 16 * width)
        return 0 if self.asks_to_stop else cost, cost

    @property
    def is_trained(self) -> bool:
        """Return whether it has parameters that are not frozen."""
        return any(p.rate != 0 for p in self.parameters)

    def used_kernels(self, *, trained: bool, through: bool, weights: bool) -> Kernels:
        """Return the kernels that run.

        `trained` is whether training runs the instruction (it does not run the link), `through`
        whether the input needs a gradient, and `weights` whether the parameters need one.
        """
        own = self.kernels
        if not trained:
            return Kernels(own.forward, None)
        if not weights or not self.is_trained:
            own = own._replace(weights=None)
        if not through and not (self.weights_need_backward and own.weights):
            own = own._replace(prepare=None, backward=None)
        if not through and own.weights is None:
            own = own._replace(backward_sums=None)
        return own


class Clock(NamedTuple):
    """Number of steps of a sequence of n steps in a slot: floor((n + offset) / stride)."""

    offset: int
    stride: int


class Builder(Protocol):
    """The part of a program under construction that a layer uses."""

    #: Whether a batch may continue the previous one (`CONTINUES`).
    carries: bool

    @property
    def is_frozen(self) -> bool:
        """Return whether the current layer is frozen: parameters and memories do not change."""

    def shape(self, slot: int) -> Shape:
        """Return the shape of one sample in a slot."""

    def clock(self, slot: int) -> Clock | None:
        """Return the clock of a slot of sequences of unequal length, else None."""

    def slot(self, shape: Shape, clock: Clock | None = None) -> int:
        """Make a slot for samples of this shape."""

    def reshape(self, slot: int, shape: Shape) -> int:
        """Make a slot of the same columns for samples of another shape. Nothing is copied."""

    def add(self, name: str, layer: Layer, slot: int) -> int:
        """Lower a layer within this one, which reads `slot`; return the slot of its output."""

    def append(self, instruction: Instruction) -> int:
        """Append an instruction; return the slot that it writes."""


class Layer(Spec):
    """Base of all layers: hyperparameters, a shape rule and a lowering; no weights, no state."""

    #: Whether it mixes each row of a batch with its partner in training, and sets PARTNER.
    mixes_rows: ClassVar[bool] = False
    #: Treatment of sequences of unequal length: "refuses"; "keeps" (steps are independent, and the
    #: output has the input's clock); or "reads" (it reads the clock, and sets that of its output).
    lengths: ClassVar[str] = "refuses"
    #: Whether its outputs, of shape (members, ...), are those of members, which share a target.
    has_members: ClassVar[bool] = False

    @property
    def label(self) -> str:
        """Name in a summary: the class of the layer, and its activation if it has one."""
        return type(self).__name__

    @property
    def is_random(self) -> bool:
        """Return whether its kernels draw random numbers in training."""
        return False

    @property
    def adapts(self) -> bool:
        """Return whether `adapt` sets its parameters from data before training."""
        return False

    def adapt(
        self, rng: np.random.RandomState, outputs: np.ndarray, parameters: Mapping[str, np.ndarray]
    ) -> None:
        """Set parameters from the layer's outputs for training data.

        Parameters
        ----------
        rng : RandomState
            Source of random numbers.
        outputs : ndarray of shape (n_samples, n_outputs), float64
            Outputs with the initial parameters.
        parameters : dict of str to ndarray
            By name, changed in place.
        """

    @property
    def reads_whole_numbers(self) -> bool:
        """Return whether its input is whole numbers (codes), which `check_values` validates."""
        return False

    @property
    def reads_steps(self) -> bool:
        """Return whether it takes sequences only, so that a row of numbers is a series of them."""
        return False

    @property
    def refers_to_values(self) -> bool:
        """Return whether it refers to values of its input, which must then not be scaled."""
        return self.reads_whole_numbers

    @property
    def padding_value(self) -> int | None:
        """Value of its input after the end of a sequence; None if it does not define one."""
        return None

    def check_values(self, lowest: float, highest: float, whole: bool) -> None:
        """Raise ValueError if the layer does not accept the values of an input.

        Parameters
        ----------
        lowest, highest : float
            Minimum and maximum of the input.
        whole : bool
            Whether all values are whole numbers.
        """

    def _whole_numbers(self, name: str, count: int) -> tuple[int, ...]:
        """Return the hyperparameter `name` as `count` positive ints, or raise ValueError."""
        return whole_numbers(name, getattr(self, name), count)

    def _whole_number(self, name: str) -> int:
        """Return the hyperparameter `name` as a positive int, or raise ValueError."""
        value = getattr(self, name)
        if np.ndim(value):
            raise self._invalid(name, "must be a positive whole number.")
        return whole_numbers(name, value, 1)[0]

    def _initializer(self, name: str, default: Any) -> Any:
        """Return the hyperparameter `name`, or the default if it is None."""
        value = getattr(self, name)
        return default if value is None else value

    def _invalid(self, name: str, remedy: str) -> ValueError:
        """Return the error about the value of the hyperparameter `name`."""
        return ValueError(f"{name}={getattr(self, name)!r} of {type(self).__name__} {remedy}")

    def _check_choice(self, name: str, choices: Iterable[str]) -> None:
        """Raise ValueError unless the hyperparameter `name` is one of the choices."""
        value = getattr(self, name)
        if not isinstance(value, str) or value not in choices:
            raise self._invalid(name, f"is not known; use one of {', '.join(choices)}.")

    def _misfit(self, shape: Shape, takes: str, remedy: str) -> ValueError:
        """Return the error about samples of a shape that the layer does not take."""
        kind = type(self).__name__
        return ValueError(f"{kind} takes {takes}, got samples of shape {shape}; {remedy}")

    def _check_axes(self, shape: Shape, count: int) -> None:
        """Raise ValueError unless samples have `count` axes besides the channels."""
        if len(shape) == count + 1:
            return
        remedy = "Reshape" if count else "Flatten"
        after = ""
        if (count, len(shape)) == (1, 1):
            after = ", or return_sequences=True in the recurrent layer before it"
        raise self._misfit(shape, SAMPLES[count], f"put a {remedy} before it{after}.")

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of one sample after this layer, given its shape before.

        Raises
        ------
        ValueError
            If the layer does not fit samples of this shape.
        """
        raise TypeError(f"{type(self).__name__} must define output_shape")

    def lower(self, builder: Builder, slot: int) -> int:
        """Append this layer's instructions, which read `slot`; return the slot of the output."""
        raise TypeError(f"{type(self).__name__} must define lower")


def is_named(entry: Any) -> bool:
    """Return whether an entry of a list of layers is a (name, layer) pair."""
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def with_names(entries: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return (name, layer) pairs; layers without a name are named after their class: "conv2d1"."""
    counts: Counter[str] = Counter()
    pairs = []
    for entry in entries:
        if is_named(entry):
            pairs.append(entry)
            continue
        kind = type(entry).__name__.lower()
        counts[kind] += 1
        pairs.append((f"{kind}{counts[kind]}", entry))
    return pairs


def repeated_name(pairs: Iterable[tuple[str, Any]]) -> str | None:
    """Return the first name that occurs more than once, or None."""
    counts = Counter(name for name, _ in pairs)
    return next((name for name, count in counts.items() if count > 1), None)


def several(value: Any, count: int) -> tuple[Any, ...]:
    """Return a sequence as a tuple, and a single value repeated `count` times."""
    return tuple(value) if isinstance(value, Sequence | np.ndarray) else (value,) * count


def whole_numbers(name: str, value: Any, count: int) -> tuple[int, ...]:
    """Return one or `count` positive whole numbers as `count` ints, or raise ValueError."""
    numbers = several(value, count)
    whole = [isinstance(n, int | np.integer) and not isinstance(n, bool) for n in numbers]
    if len(numbers) != count or not all(whole) or min(numbers) <= 0:
        or_several = "" if count == 1 else f", or {count} of them"
        raise ValueError(f"{name}={value!r} must be a positive whole number{or_several}.")
    return tuple(int(n) for n in numbers)
