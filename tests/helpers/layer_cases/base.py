"""The row of a layer in the table, and the sizes and precision at which its family is tested."""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from helpers.layer_runs import LayerRun
from helpers.naive.random_numbers import Context
from sklearn_nn.layers import GaussianNoise, Layer

#: The batch of which the twins compute a step of training.
CONTEXT = Context(seed=12, step=34)


@dataclass(frozen=True)
class Tolerance:
    """Largest error of a layer: factors on the precision of a dtype, and their unit.

    Attributes
    ----------
    output, input_gradient, parameter_gradient : float
    unit : {"element", "largest"}
        What errors of output and input gradient are relative to, but at least 1: the element
        itself, or the array's largest one.
    parameter_unit : {"element", "largest", "sum"}
        The same of the gradient of a parameter; "sum" is the expected size of a sum over samples
        and places, which may be far larger than what comes of it.
    twin_error : float
        Error of the input gradient of the twin itself.
    """

    output: float = 4
    input_gradient: float = 4
    parameter_gradient: float = 4
    unit: str = "element"
    parameter_unit: str = "largest"
    twin_error: float = 0.0


@dataclass(frozen=True)
class Plan:
    """Sizes and precision at which the layers of a family are tested.

    Attributes
    ----------
    batches : tuple of int
        Sizes of the batches that are compared with the naive twin.
    training : tuple of bool
        Whether they are compared in training, in prediction, or in both.
    tolerance : Tolerance
    part_batches, parts : tuple of int
        Sizes of the batches that are computed in several parts, and numbers of parts.
    row_batch : int
        Size of the batch of which rows are computed without the others.
    row_slices : tuple of slice
        These rows; None for every prefix and every single row.
    input_scale, parameter_scale : float
        Standard deviations of the numbers that are drawn.
    nan_place : int or None
        The element of a row whose NaN is seen in the output; None if only a row of NaN is.
    all_gradients : bool
        Whether every row is checked by central differences, or the first of each layer.
    all_lengths : bool
        Whether a layer of sequences is compared with its twin for several sets of lengths, or for
        one.
    memory : float or None
        What memory is full of before a layer of sequences of unequal length writes there; None is
        what lies in the padding of its input.
    pads_with_zeros : bool
        Whether it writes zeros behind the ends of sequences of unequal length.
    """

    batches: tuple = (1, 9)
    training: tuple = (True,)
    tolerance: Tolerance = field(default_factory=Tolerance)
    part_batches: tuple = (21,)
    parts: tuple = (2, 3, 4, 7)
    row_batch: int = 11
    row_slices: tuple | None = None
    input_scale: float = 1.0
    parameter_scale: float = 1.0
    nan_place: int | None = None
    all_gradients: bool = True
    all_lengths: bool = True
    memory: float | None = None
    pads_with_zeros: bool = False


@dataclass(frozen=True)
class LayerCase:
    """A layer and its naive twin.

    Attributes
    ----------
    shapes : tuple of tuple of int
        Shapes of samples that it is tested with.
    forward, backward : callable
        The twin: `forward(parameters, x, context)` returns y, and
        `backward(parameters, x, dy, context)` dx and the list of the parameters' gradients, for
        x and dy with one row for each sample, in float64.
    plan : Plan
    units : int or None
        Width of the output of a layer of vectors; None if it is the input's.
    n_slots : int or None
        Number of slots that it makes; None if that is not tested.
    n_parameters : int or None
        Number of arrays of parameters; None if that is not tested.
    over_batch : bool
        Whether, in training, the output of a row depends on the rows beside it.
    categories : tuple of int
        Numbers of categories of the last columns of the input.
    whole_numbers : int
        The input is whole numbers below this; 0 for any numbers.
    ragged : bool
        Whether it is also tested with sequences of unequal length.
    others : tuple of LayerCase
        Rows of the same layer at other sizes, which are tested with it.
    """

    name: str
    layer: Layer
    shapes: tuple
    forward: Callable | None
    backward: Callable | None
    plan: Plan
    units: int | None = None
    n_slots: int | None = None
    n_parameters: int | None = None
    over_batch: bool = False
    categories: tuple = ()
    whole_numbers: int = 0
    ragged: bool = False
    others: tuple = ()

    @property
    def shape(self):
        """Return the first of the shapes of samples."""
        return self.shapes[0]

    def each(self):
        """Yield the row at every size: rows of one shape."""
        for shape in self.shapes:
            yield replace(self, shapes=(shape,), others=())
        for other in self.others:
            yield from other.each()

    def at(self, *shape):
        """Return the row for samples of another shape."""
        return replace(self, shapes=(shape,), others=())

    @property
    def largest(self):
        """Return the row at the last of its sizes."""
        return list(self.each())[-1]

    @property
    def sees_nan(self):
        """Return whether a NaN of the input is seen in the output in prediction."""
        return not self.whole_numbers and len(self.categories) < np.prod(self.shape)

    @property
    def keeps_nan(self):
        """Return whether it is seen in training too: dropout and augmentation may leave it out."""
        return isinstance(self.layer, GaussianNoise) or not self.layer.is_random

    def draw(self, rng, n):
        """Return n samples, as rows of numbers that float32 holds exactly."""
        size = n, int(np.prod(self.shape))
        if self.whole_numbers:
            return rng.integers(0, self.whole_numbers, size).astype("float64")
        x = (self.plan.input_scale * rng.standard_normal(size)).astype("float32").astype("float64")
        for c, count in enumerate(self.categories, size[1] - len(self.categories)):
            x[:, c] = rng.integers(-1, count + 1, n)  # missing ones and new ones among them
        return x


def prepared(case, dtype, n, seed=0):
    """Return a run of a row, and its parameters, x and dy: numbers that float32 holds exactly."""
    run = LayerRun(case.layer, case.shape, dtype, CONTEXT)
    rng = np.random.default_rng(seed)
    theta, dy = (
        (scale * rng.standard_normal(size)).astype("float32").astype(dtype)
        for scale, size in [(case.plan.parameter_scale, run.n_theta), (1, (n, run.units))]
    )
    return run, theta, case.draw(rng, n).astype(dtype), dy


def in_float64(run, theta, *arrays):
    """Return the parameters in theta, and some arrays, in float64: what a twin takes."""
    return run.parameters(theta.astype("float64")), *(a.astype("float64") for a in arrays)
