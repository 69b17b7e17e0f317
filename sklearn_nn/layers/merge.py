"""Branches: several chains of layers that read one slot, and whose outputs are joined or added.

Parameters of inner layers are filed under the name of the outer layer, the branch and the inner
layer: "parallel1.0.conv2d1" is the first convolution of the first branch of the first `Parallel`.
The gradient of the slot that branches read is the sum of theirs, which the machine computes.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import KW_ONLY
from typing import Any, ClassVar

import numpy as np

from sklearn_nn._spec import Spec, parameters
from sklearn_nn.jit.kernel import kernel
from sklearn_nn.jit.views import vector
from sklearn_nn.layers.base import BACKWARD, FORWARD, owned_rows
from sklearn_nn.layers.diagram import Block, chain
from sklearn_nn.layers.layer import (
    Builder,
    Clock,
    Instruction,
    Kernels,
    Layer,
    Shape,
    is_named,
    repeated_name,
    with_names,
)
from sklearn_nn.layers.vectors import copy

#: A layer, a (name, layer) pair, or a list of these, applied in order.
Branch = Any


@kernel(FORWARD)
def join_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Set channels from op[3] on of y = x, place by place. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    places, channels, total = op[0], op[1], op[2]
    for i in range(lo * places, hi * places):
        copy(vector(x, i * channels, channels), vector(y, i * total + op[3], channels))


@kernel(BACKWARD)
def join_backward(ctx, op, part, parts, theta, grad, state, work, x, y, dx, dy):
    """Set dx = channels from op[3] on of dy, place by place. Owners: rows of the batch."""
    lo, hi = owned_rows(dx, part, parts)
    places, channels, total = op[0], op[1], op[2]
    for i in range(lo * places, hi * places):
        copy(vector(dy, i * total + op[3], channels), vector(dx, i * channels, channels))


@kernel(FORWARD)
def add_forward(ctx, op, part, parts, theta, state, work, x, y):
    """Compute y += x. Owners: rows of the batch."""
    lo, hi = owned_rows(x, part, parts)
    size = (hi - lo) * x.shape[1]
    source, target = vector(x, lo * x.shape[1], size), vector(y, lo * x.shape[1], size)
    for j in range(size):
        target[j] += source[j]


def join(
    builder: Builder, slot: int, out: int, geometry: Sequence[int], *, adds: bool = False
) -> None:
    """Append the instruction that copies `slot` to its channels of `out`, or adds it to them."""
    kernels = Kernels(add_forward if adds else join_forward, join_backward)
    builder.append(Instruction(slot, out, kernels, geometry=geometry, keeps=""))


def named_layers(layers: Branch) -> list[tuple[str, Layer]]:
    """Return the (name, layer) pairs of a branch, or raise ValueError; see `with_names`."""
    entries = [layers] if isinstance(layers, Layer) or is_named(layers) else layers
    if not isinstance(entries, list | tuple):
        raise ValueError(f"{layers!r} is not a branch; use a layer or a list of layers.")
    pairs = with_names(entries)
    for entry, (_, layer) in zip(entries, pairs, strict=True):
        if not isinstance(layer, Layer):
            every = "every entry is a layer or a (name, layer) pair"
            raise ValueError(f"a branch holds {entry!r}; {every}.")
        Spec.check(layer)
    if (name := repeated_name(pairs)) is not None:
        raise ValueError(f"a branch has the name {name!r} more than once; choose another.")
    return pairs


class _Branches(Layer):
    """Base of layers of several branches."""

    lengths = "reads"

    def named_branches(self) -> list[tuple[str, Branch]]:
        """Return each branch with the prefix of the names of its layers: its number."""
        branches: Any = getattr(self, "branches", None)
        if not isinstance(branches, list | tuple) or not branches:
            remedy = "must be a list of branches, each a layer or a list of layers."
            raise self._invalid("branches", remedy)
        return [(f"{number}.", branch) for number, branch in enumerate(branches)]

    def _sk_visual_block_(self) -> Block:
        """Return the branches as scikit-learn's diagrams show them, side by side."""
        branches = [(name, named_layers(branch)) for name, branch in self.named_branches()]
        return Block("parallel", [(name.rstrip("."), chain(pairs)) for name, pairs in branches])

    def _joined(self, shapes: Sequence[Shape]) -> Shape:
        """Return the output shape for branches with outputs of these shapes."""
        raise TypeError(f"{type(self).__name__} must define _joined")

    def _join(self, builder: Builder, slots: Sequence[int], clock: Clock | None) -> int:
        """Append the instructions that combine the outputs of the branches; return their slot."""
        raise TypeError(f"{type(self).__name__} must define _join")

    def _first_layers(self) -> list[Layer]:
        """Return the first layer of each branch."""
        try:
            branches = [named_layers(layers) for _, layers in self.named_branches()]
        except ValueError:  # lowering raises it again, with the name of the layer
            return []
        return [branch[0][1] for branch in branches if branch]

    @property
    def reads_whole_numbers(self) -> bool:
        """Return whether the first layer of a branch reads whole numbers."""
        return any(layer.reads_whole_numbers for layer in self._first_layers())

    @property
    def reads_steps(self) -> bool:
        """Return whether the first layer of a branch takes sequences only."""
        return any(layer.reads_steps for layer in self._first_layers())

    @property
    def refers_to_values(self) -> bool:
        """Return whether the first layer of a branch refers to values of its input."""
        return any(layer.refers_to_values for layer in self._first_layers())

    @property
    def padding_value(self) -> int | None:
        """The first padding value that a branch defines."""
        values = (layer.padding_value for layer in self._first_layers())
        return next((value for value in values if value is not None), None)

    def check_values(self, lowest: float, highest: float, whole: bool) -> None:
        """Raise ValueError if the first layer of a branch does not accept the values."""
        for layer in self._first_layers():
            layer.check_values(lowest, highest, whole)

    def output_shape(self, shape: Shape) -> Shape:
        """Return the shape of the combined outputs of the branches."""
        ends = []
        for _, layers in self.named_branches():
            end = shape
            for _, layer in named_layers(layers):
                end = layer.output_shape(end)
            ends.append(end)
        return self._joined(ends)

    def lower(self, builder: Builder, slot: int) -> int:
        """Append the instructions of every branch in turn, and one more for each branch."""
        ends = []
        for prefix, layers in self.named_branches():
            end = slot
            for name, layer in named_layers(layers):
                end = builder.add(prefix + name, layer, end)
            ends.append(end)
        self._joined([builder.shape(end) for end in ends])
        clocks = {builder.clock(end) for end in ends}
        if len(clocks) > 1:
            raise ValueError(
                "branches end in sequences with different padding; let every branch keep the "
                "steps, or shorten them by equal windows and strides."
            )
        return self._join(builder, ends, clocks.pop())


@parameters
class Parallel(_Branches):
    """Layer of several branches with the same input, whose outputs are concatenated by channel.

    With convolutions of several sizes, this is the Inception module (Szegedy et al., 2015). The
    output of an empty branch is its input.

    Parameters
    ----------
    branches : list of branches
        Each is a layer, a (name, layer) pair, or a list of these, applied in order. Their outputs
        may differ in the number of channels only. The parameters of a layer are stored under the
        number of its branch and its name, such as "parallel1.0.conv2d1".

    Examples
    --------
    An Inception module: filters of three sizes for the same image.

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Conv2D, Parallel
    >>> X = np.random.default_rng(0).random((4, 16, 16, 3))
    >>> module = Parallel([
    ...     Conv2D(8, 1, activation="relu"),
    ...     Conv2D(16, 3, padding="same", activation="relu"),
    ...     [Conv2D(4, 1, activation="relu"), Conv2D(8, 5, padding="same", activation="relu")],
    ... ])
    >>> model = NeuralNetworkClassifier([module]).initialize(X, [0, 1, 0, 1])
    >>> [row.output_shape for row in model.summary().rows][:5]  # of all convolutions, and together
    [(16, 16, 8), (16, 16, 16), (16, 16, 4), (16, 16, 8), (16, 16, 32)]
    """

    branches: Sequence[Branch]

    def _joined(self, shapes: Sequence[Shape]) -> Shape:
        if len({shape[:-1] for shape in shapes}) > 1:
            raise ValueError(
                f"branches end in samples of shapes {', '.join(map(str, shapes))}, which differ in "
                'more than their last axis; use equal strides and padding="same" in all of them.'
            )
        return (*shapes[0][:-1], sum(shape[-1] for shape in shapes))

    def _join(self, builder: Builder, slots: Sequence[int], clock: Clock | None) -> int:
        shapes = [builder.shape(slot) for slot in slots]
        shape = self._joined(shapes)
        out, first = builder.slot(shape, clock), 0
        for slot, (*places, channels) in zip(slots, shapes, strict=True):
            join(builder, slot, out, (int(np.prod(places)), channels, shape[-1], first))
            first += channels
        return out


@parameters
class Members(_Branches):
    """Layer of several networks with the same input, the members of an ensemble.

    Each branch ends in a vector, all of one size; the output has a vector for each member. In
    :class:`~sklearn_nn.NeuralNetworkClassifier` and :class:`~sklearn_nn.NeuralNetworkRegressor`,
    the output layer is then a :class:`MemberHeads`: each member has outputs of its own, the loss is
    the mean of the members' losses, and a prediction is the mean of their predictions, for instance
    of their probabilities. Members share no weights, and are trained on the same batches.

    Parameters
    ----------
    branches : list of branches
        Each is a layer, a (name, layer) pair, or a list of these, applied in order. The parameters
        of a layer are stored under the number of its branch and its name, such as
        "members1.0.dense1".

    Examples
    --------
    Three networks that differ in their initial weights:

    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Dense, Members
    >>> X, y = load_iris(return_X_y=True)
    >>> model = NeuralNetworkClassifier([Members(3 * [Dense(16, activation="relu")])], max_iter=1)
    >>> [(row.name, row.output_shape) for row in model.fit(X, y).summary().rows][2:]
    [('members1.2.dense1', (16,)), ('members1', (3, 16)), ('output', (3, 3))]
    >>> model.predict_proba(X).shape
    (150, 3)
    """

    branches: Sequence[Branch]

    def _joined(self, shapes: Sequence[Shape]) -> Shape:
        if len(set(shapes)) > 1 or len(shapes[0]) != 1:
            found = ", ".join(map(str, shapes))
            raise ValueError(
                f"members end in samples of shapes {found}; let all of them end in a vector of one "
                "size, for instance after GlobalAveragePool or Flatten."
            )
        return (len(shapes), *shapes[0])

    def _join(self, builder: Builder, slots: Sequence[int], clock: Clock | None) -> int:
        members, size = shape = self._joined([builder.shape(slot) for slot in slots])
        out = builder.slot(shape)
        for number, slot in enumerate(slots):
            join(builder, slot, out, (1, size, members * size, number * size))
        return out


class _Sum(_Branches):
    """Base of layers that add the outputs of their branches."""

    #: Advice in the error about branches of different shapes.
    _remedy: ClassVar[str]

    def _joined(self, shapes: Sequence[Shape]) -> Shape:
        if len(set(shapes)) > 1:
            found = ", ".join(map(str, shapes))
            raise ValueError(f"samples of shapes {found} cannot be added; {self._remedy}")
        return shapes[0]

    def _join(self, builder: Builder, slots: Sequence[int], clock: Clock | None) -> int:
        shape = self._joined([builder.shape(slot) for slot in slots])
        out, size = builder.slot(shape, clock), int(np.prod(shape))
        for number, slot in enumerate(slots):
            join(builder, slot, out, (1, size, size, 0), adds=number > 0)
        return out


@parameters
class Add(_Sum):
    """Layer of several branches with the same input, whose outputs are added.

    The output of an empty branch is its input.

    Parameters
    ----------
    branches : list of branches
        Each is a layer, a (name, layer) pair, or a list of these, applied in order. Their outputs
        have the same shape. The parameters of a layer are stored under the number of its branch and
        its name, such as "add1.0.conv2d1".

    Examples
    --------
    A pixel and its neighbourhood, each seen by filters of their own:

    >>> from sklearn.datasets import load_digits
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Add, Conv2D
    >>> digits = load_digits()
    >>> both = Add([Conv2D(8, 1), Conv2D(8, 5, padding="same")])
    >>> model = NeuralNetworkClassifier([both], max_iter=1)
    >>> model = model.fit(digits.images[..., None] / 16, digits.target)
    >>> [(row.name, row.output_shape, row.n_parameters) for row in model.summary().rows][:3]
    [('add1.0.conv2d1', (8, 8, 8), 16), ('add1.1.conv2d1', (8, 8, 8), 208), ('add1', (8, 8, 8), 0)]
    """

    branches: Sequence[Branch]

    _remedy = 'use equal strides and filters and padding="same" in all branches.'


@parameters
class Residual(_Sum):
    """Residual connection: ``y = f(x) + x`` (He et al., 2016).

    Parameters
    ----------
    layers : layer or list of layers
        f: layers or (name, layer) pairs, applied in order. Their parameters are stored under names
        such as "residual1.conv2d1".
    shortcut : layer, list of layers or None, default=None
        Applied to x before it is added, for an f that changes the shape: ``Conv2D(64, 1,
        strides=2)``. Parameters are stored under names such as "residual1.shortcut.conv2d1".

    Examples
    --------
    Half the size and twice the channels; a convolution of one pixel brings x to the same shape:

    >>> import numpy as np
    >>> from sklearn_nn import NeuralNetworkClassifier
    >>> from sklearn_nn.layers import Activation, BatchNorm, Conv2D, Residual
    >>> X = np.random.default_rng(0).random((4, 16, 16, 8))
    >>> block = Residual(
    ...     [Conv2D(16, 3, strides=2, padding="same"), BatchNorm(), Activation("relu"),
    ...      Conv2D(16, 3, padding="same")],
    ...     shortcut=Conv2D(16, 1, strides=2),
    ... )
    >>> model = NeuralNetworkClassifier([block, Activation("relu")]).initialize(X, [0, 1, 0, 1])
    >>> {row.name: row.output_shape for row in model.summary().rows}["residual1"]
    (8, 8, 16)
    >>> sorted(name for name in model.layers_ if "residual1" in name)
    ['residual1.batchnorm1', 'residual1.conv2d1', 'residual1.conv2d2', 'residual1.shortcut.conv2d1']
    """

    layers: Branch
    _: KW_ONLY
    shortcut: Branch | None = None

    _remedy = (
        "let the layers keep the shape, or give a shortcut such as Conv2D(filters, 1, "
        "strides=strides) that changes it in the same way."
    )

    def named_branches(self) -> list[tuple[str, Branch]]:
        """Return the layers, whose names have no prefix, and the shortcut."""
        return [("", self.layers), ("shortcut.", [] if self.shortcut is None else self.shortcut)]
