"""One row for every layer of images and sequences, with its naive twin; and how tests run them."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from helpers.comparison import assert_close
from helpers.layer_runs import LayerRun
from helpers.naive import images as naive_images
from helpers.naive import vectors as naive
from helpers.naive.images import Window
from helpers.naive.random_numbers import Context
from sklearn_nn.layers import (
    Activation,
    Add,
    AveragePool1D,
    AveragePool2D,
    Conv1D,
    Conv2D,
    Flatten,
    GlobalAveragePool,
    GlobalMaxPool,
    Layer,
    MaxPool1D,
    MaxPool2D,
    Parallel,
    Reshape,
    Residual,
    ZeroPad,
)
from sklearn_nn.network.lowering import ProgramBuilder

CONTEXT = Context(seed=12, step=34)


@dataclass(frozen=True)
class ImageCase:
    """A layer, the shape of its samples, and its twin.

    Attributes
    ----------
    n_parameters : int
        How many parameters it has.
    """

    name: str
    layer: Layer
    shape: tuple
    forward: Callable
    backward: Callable
    n_parameters: int = 0


def _several(value, count):
    return value if isinstance(value, tuple) else (value,) * count


def _name(*parts):
    return "_".join(str(part).replace(" ", "") for part in parts)


def conv(
    shape, filters, kernel_size, strides=1, padding="valid", dilation_rate=1, groups=1,
    use_bias=True,
):  # fmt: skip
    """A row for a convolution of images, or of sequences if the shape has two axes."""
    count = len(shape) - 1
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    numbers = (_several(value, count) for value in (kernel_size, strides, dilation_rate))
    window = Window(shape, *numbers, padding)
    layer = (Conv1D, Conv2D)[count - 1](
        filters, kernel_size, **options, groups=groups, use_bias=use_bias
    )
    name = _name("x".join(map(str, shape)), filters, kernel_size, *options.values(), groups)
    twin = naive_images.conv(window, filters, groups)
    return ImageCase(name, layer, shape, *twin, n_parameters=1 + use_bias)


POOLS = {
    "max": (naive_images.max_pool, MaxPool1D, MaxPool2D, GlobalMaxPool),
    "mean": (naive_images.mean_pool, AveragePool1D, AveragePool2D, GlobalAveragePool),
}


def pool(kind, shape, pool_size=2, strides=None, padding="valid"):
    """A row for a pool of "max" or "mean"."""
    twin, *classes = POOLS[kind]
    count = len(shape) - 1
    layer = classes[count - 1](pool_size, strides=strides, padding=padding)
    size = _several(pool_size, count)
    steps = size if strides is None else _several(strides, count)
    window = Window(shape, size, steps, (1,) * count, padding)
    name = _name(kind, "x".join(map(str, shape)), pool_size, strides, padding)
    return ImageCase(name, layer, shape, *twin(window))


def global_pool(kind, shape):
    """A row for a pool over all places."""
    twin, *_, layer = POOLS[kind]
    count = len(shape) - 1
    window = Window(shape, shape[:-1], (1,) * count, (1,) * count, "valid")
    return ImageCase(_name("global", kind, shape), layer(), shape, *twin(window))


def zero_pad(shape, padding, margins):
    """A row for a padding, with what it comes to for each axis."""
    twin = naive_images.zero_pad(shape, margins)
    return ImageCase(_name("pad", shape, padding), ZeroPad(padding), shape, *twin)


def renamed(layer, shape):
    """A row for a layer that leaves the elements as they are."""
    twin = naive.elementwise_forward("identity"), naive.elementwise_backward("identity")
    return ImageCase(_name(layer, shape), layer, shape, *twin)


def activation(name, shape):
    """A row for an activation of images."""
    twin = naive.elementwise_forward(name), naive.elementwise_backward(name)
    return ImageCase(name, Activation(name), shape, *twin)


def _end(cases, shape):
    for case in cases:
        shape = case.layer.output_shape(shape)
    return shape


def _branch_row(name, layer, shape, chains, *, joined):
    ends = [_end(cases, shape) for cases in chains]
    twin = naive_images.branches(chains, ends, joined=joined)
    count = sum(case.n_parameters for cases in chains for case in cases)
    return ImageCase(name, layer, shape, *twin, n_parameters=count)


def parallel(name, shape, *chains):
    """A row for branches joined by channel; each is a list of rows."""
    layer = Parallel([[case.layer for case in cases] for cases in chains])
    return _branch_row(name, layer, shape, chains, joined=True)


def add(name, shape, *chains):
    """A row for branches that are added; each is a list of rows."""
    layer = Add([[case.layer for case in cases] for cases in chains])
    return _branch_row(name, layer, shape, chains, joined=False)


def residual(name, shape, cases, shortcut=None):
    """A row for layers whose input is added to what they make of it."""
    shorter = None if shortcut is None else [case.layer for case in shortcut]
    layer = Residual([case.layer for case in cases], shortcut=shorter)
    return _branch_row(name, layer, shape, [cases, shortcut or []], joined=False)


#: (shape, filters, kernel size, strides, padding, dilation, groups, bias)
CONVOLUTIONS = [
    conv(*row)
    for row in [
        ((7, 5, 3), 4, 3),
        ((7, 5, 3), 4, 3, 1, "same"),
        # Few channels and as many filters as fill vectors.
        ((7, 5, 3), 16, 3, 1, "same"),
        ((9, 13, 1), 32, 5),
        ((3, 2, 8), 16, 5, 1, "same"),
        ((5, 19, 15), 48, (2, 3), 1, "same"),
        ((6, 7, 3), 16, (4, 2), (2, 1), "same"),
        ((20, 12), 16, 5, 1, "same", 1, 1, False),
        ((6, 9, 17), 5, 3, 1, "same"),
        ((6, 9, 65), 3, (1, 3), 1, "same"),
        ((5, 5, 64), 33, 3, 1, "valid"),
        ((8, 8, 2), 3, 2, 1, "same"),
        *(((h, w, 16), 17, 3, 1, "same") for h, w in [(3, 3), (3, 6), (4, 4), (5, 9), (13, 8)]),
        *(((h, w, 19), 16, 3, 1, "valid") for h, w in [(5, 5), (6, 5), (7, 14), (9, 33)]),
        ((14, 7, 33), 40, 3, 1, "same", 1, 1, False),
        ((8, 7, 20), 3, 4, 1, "same"),
        ((9, 9, 1), 6, 3, 2, "same"),
        ((9, 8, 24), 7, 3, 2, "same"),
        ((9, 8, 24), 7, 3, 2, "valid"),
        ((8, 8, 5), 4, 1),
        ((8, 7, 5), 4, 1, 1, "same", 1, 1, False),
        ((8, 7, 5), 4, 1, 2),
        ((8, 7, 5), 4, 1, 3, "same"),
        ((9, 11, 3), 4, 2, 3, "valid"),
        ((9, 11, 18), 4, 2, 3, "same"),
        ((10, 10, 3), 4, 3, 5, "valid"),
        ((10, 11, 25), 2, (2, 3), (5, 4), "same"),
        ((4, 4, 3), 5, 4),
        ((4, 4, 3), 5, 4, 1, "valid", 1, 1, False),
        ((4, 6, 3), 5, (4, 6), 3),
        ((4, 4, 3), 5, 4, 1, "same"),
        ((3, 2, 20), 4, 5, 1, "same"),
        ((1, 1, 3), 4, 1, 2),
        ((1, 1, 3), 4, 1, 2, "same"),
        ((1, 1, 3), 4, 3, 1, "same"),
        ((1, 6, 3), 1, (1, 3)),
        ((6, 1, 30), 1, (3, 1), (2, 1), "same"),
        ((9, 10, 3), 4, 3, 1, "same", 2),
        ((9, 10, 3), 4, 3, 1, "valid", (2, 3)),
        ((9, 10, 19), 4, 3, 2, "same", 3),
        ((11, 12, 4), 4, (3, 2), (2, 3), "valid", (3, 2)),
        ((3, 3, 2), 2, 2, 1, "same", 5),
        ((6, 7, 4), 6, 3, 1, "same", 1, 2),
        ((6, 7, 6), 9, 3, 2, "same", 1, 3, False),
        ((6, 7, 6), 6, 2, 1, "valid", 2, 2),
        ((6, 7, 4), 2, 1, 1, "valid", 1, 2),
        ((6, 7, 4), 8, 3, 1, "same", 1, 4),
        ((6, 7, 5), 5, 3, 1, "same", 1, 5),
        ((6, 7, 35), 35, 3, 2, "valid", 1, 35),
        ((6, 7, 4), 4, 3, 2, "same", 1, 4, False),
        ((8, 7, 3), 3, (2, 3), (1, 2), "same", (3, 1), 3),
        ((5, 4, 3), 3, 1, 1, "valid", 1, 3),
        ((12, 3), 4, 3),
        ((12, 3), 4, 5, 1, "same"),
        ((13, 1), 6, 4, 2, "same"),
        ((13, 70), 6, 3, 2, "same", 1, 1, False),
        ((13, 5), 6, 3, 1, "same", 3),
        ((5, 5), 6, 5),
        ((12, 3), 4, 1, 3),
        ((12, 4), 6, 3, 1, "same", 1, 2),
        ((12, 5), 5, 3, 1, "same", 2, 5),
    ]
]
POOLED = [
    pool(kind, *row)
    for kind in ("max", "mean")
    for row in [
        ((6, 8, 3),),
        ((7, 5, 17),),
        ((7, 5, 3), 2, None, "same"),
        ((7, 9, 4), 3, 2, "same"),
        ((7, 9, 4), 3, 2, "valid"),
        ((5, 6, 2), 3, 1, "same"),
        ((5, 6, 33), (1, 3), (2, 1), "valid"),
        ((5, 7, 3), (3, 2), (1, 2), "same"),
        ((9, 9, 2), 2, 3, "valid"),
        ((9, 9, 2), 2, 4, "same"),
        ((4, 4, 3), 4),
        ((3, 2, 3), 5, 1, "same"),
        ((1, 1, 3), 1),
        ((10, 3),),
        ((11, 3), 3, 2, "same"),
        ((11, 2), 4, 1, "valid"),
    ]
] + [
    global_pool(kind, shape)
    for kind in ("max", "mean")
    for shape in [(5, 6, 3), (9, 20), (7,), (2, 3, 4, 2)]
]
SHAPED = [
    zero_pad((3, 4, 2), 1, [(1, 1), (1, 1)]),
    zero_pad((3, 4, 20), (0, 2), [(0, 0), (2, 2)]),
    zero_pad((3, 4, 2), ((1, 0), (2, 3)), [(1, 0), (2, 3)]),
    zero_pad((1, 1, 1), ((0, 2), (0, 0)), [(0, 2), (0, 0)]),
    zero_pad((3, 4, 2), 0, [(0, 0), (0, 0)]),
    zero_pad((5, 3), 2, [(2, 2)]),
    zero_pad((5, 3), (0, 1), [(0, 1)]),
    renamed(Flatten(), (3, 4, 2)),
    renamed(Flatten(), (5,)),
    renamed(Reshape((2, -1)), (3, 4, 2)),
    renamed(Reshape((24,)), (3, 4, 2)),
]
_IMAGE = (6, 5, 4)
#: Convolutions that keep the height and width of an image.
_ONE, _THREE, _FIVE = (
    [conv(_IMAGE, filters, size, 1, "same")] for filters, size in [(3, 1), (4, 3), (3, 5)]
)
MERGED = [
    parallel(
        "inception",
        _IMAGE,
        _ONE,
        [*_ONE, conv((6, 5, 3), 18, 3, 1, "same"), activation("tanh", (6, 5, 18))],
        [pool("max", _IMAGE, 3, 1, "same"), conv(_IMAGE, 1, 1)],
        [],
    ),
    parallel("twice", _IMAGE, [], []),
    parallel(
        "sequences",
        (9, 3),
        [conv((9, 3), 2, 3, 2, "same")],
        [pool("mean", (9, 3), 2, None, "same")],
    ),
    parallel(
        "vectors", (2, 3, 4), [renamed(Flatten(), (2, 3, 4))], [global_pool("max", (2, 3, 4))]
    ),
    add("sum", _IMAGE, _ONE, [*_THREE, activation("relu", _IMAGE), *_ONE], _FIVE),
    add("thrice", _IMAGE, [], [], []),
    residual("identity", _IMAGE, [*_FIVE, activation("tanh", (6, 5, 3)), conv((6, 5, 3), 4, 1)]),
    residual("shortcut", _IMAGE, [conv(_IMAGE, 7, 3, 2, "same")], [conv(_IMAGE, 7, 1, 2)]),
    residual("nested", _IMAGE, [*_THREE, residual("inner", _IMAGE, _THREE)]),
    residual("only_shortcut", _IMAGE, [], _THREE),
]


# --- runs ------------------------------------------------------------------------------------


class ImageRun(LayerRun):
    """A layer, run kernel by kernel; the slot that it ends in may be another name for one."""

    def __init__(self, layer, shape, dtype, context=CONTEXT):
        super().__init__(layer, shape, dtype, context)
        builder = ProgramBuilder()
        out = layer.lower(builder, builder.slot(shape))
        self.output, self.shape = builder.homes[out], builder.shape(out)


def prepared(case, dtype, n, seed=0):
    """A run of a row, its parameters, x and dy: numbers that float32 holds exactly."""
    run = ImageRun(case.layer, case.shape, dtype)
    rng = np.random.default_rng(seed)
    sizes = run.n_theta, (n, int(np.prod(case.shape))), (n, run.units)
    theta, x, dy = (rng.standard_normal(s).astype("float32").astype(dtype) for s in sizes)
    return run, theta, x, dy


def check_against_twin(case, dtype, n):
    """Forward, dx and every parameter's gradient, in float32 too against the twin in float64.

    Sums are off by so much of what is summed, which may be far larger than what comes of it.
    """
    run, theta, x, dy = prepared(case, dtype, n)
    exact = run.parameters(theta.astype("float64")), *(a.astype("float64") for a in (x, dy))
    assert len(exact[0]) == case.n_parameters
    expected = case.forward(*exact[:2], CONTEXT)
    size = max(1, np.abs(expected).max())
    assert_close(run.forward(theta, x) / size, expected / size, dtype, factor=4)
    dx, grad = run.backward(theta, x, dy)
    expected, gradients = case.backward(*exact, CONTEXT)
    size = max(1, np.abs(expected).max())
    assert_close(dx / size, expected / size, dtype, factor=4)
    for got, wanted in zip(run.parameters(grad), gradients, strict=True):
        # Sums over places and samples.
        size = np.sqrt(n * np.prod(case.shape))
        assert_close(got / size, wanted / size, dtype, factor=4)


def check_parts(case, dtype, n=21):
    """Any number of parts, in any order, gives the same bits and leaves nothing unwritten."""
    run, theta, x, dy = prepared(case, dtype, n)
    y, (dx, grad) = run.forward(theta, x), run.backward(theta, x, dy)
    for array in (y, dx, grad):
        assert not np.isnan(array).any()
    for parts in (2, 3, 4, 7):
        np.testing.assert_array_equal(run.forward(theta, x, parts), y)
        other, other_grad = run.backward(theta, x, dy, parts)
        np.testing.assert_array_equal(other, dx)
        np.testing.assert_array_equal(other_grad, grad)


def check_rows(case, dtype, n=11):
    """A row does not depend on the rows beside it, forward and backward; a NaN stays in its row."""
    run, theta, x, dy = prepared(case, dtype, n)
    y, (dx, _) = run.forward(theta, x), run.backward(theta, x, dy)
    for some in (slice(0, 1), slice(3, 4), slice(0, 8), slice(2, n)):
        np.testing.assert_array_equal(run.forward(theta, x[some]), y[some])
        np.testing.assert_array_equal(run.backward(theta, x[some], dy[some])[0], dx[some])
    x[4] = np.nan
    spoilt = run.forward(theta, x)
    np.testing.assert_array_equal(np.delete(spoilt, 4, axis=0), np.delete(y, 4, axis=0))
    # What a window sees between its cells, or beyond an edge, is not the image.
    assert np.isnan(spoilt[4]).any(), "a NaN was swallowed"
