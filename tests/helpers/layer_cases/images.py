"""One row for every layer of images and signals, with its naive twin."""

from helpers.layer_cases.base import LayerCase, Plan, Tolerance
from helpers.naive import images as naive_images
from helpers.naive import vectors as naive
from helpers.naive.images import Window
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
    MaxPool1D,
    MaxPool2D,
    Parallel,
    Reshape,
    Residual,
    ZeroPad,
)

PLAN = Plan(
    tolerance=Tolerance(unit="largest", parameter_unit="sum"),
    row_slices=(slice(0, 1), slice(3, 4), slice(0, 8), slice(2, 11)),
)


def _row(name, layer, shape, forward, backward, n_parameters=0):
    return LayerCase(name, layer, (shape,), forward, backward, PLAN, n_parameters=n_parameters)


def _several(value, count):
    return value if isinstance(value, tuple) else (value,) * count


def _name(*parts):
    return "_".join(str(part).replace(" ", "") for part in parts)


def conv(
    shape, filters, kernel_size, strides=1, padding="valid", dilation_rate=1, groups=1,
    use_bias=True,
):  # fmt: skip
    """Return a row for a convolution of images, or of sequences if the shape has two axes."""
    count = len(shape) - 1
    options = {"strides": strides, "padding": padding, "dilation_rate": dilation_rate}
    numbers = (_several(value, count) for value in (kernel_size, strides, dilation_rate))
    window = Window(shape, *numbers, padding)
    layer = (Conv1D, Conv2D)[count - 1](
        filters, kernel_size, **options, groups=groups, use_bias=use_bias
    )
    name = _name("x".join(map(str, shape)), filters, kernel_size, *options.values(), groups)
    name += "" if use_bias else "_no_bias"
    twin = naive_images.conv(window, filters, groups)
    return _row(name, layer, shape, *twin, n_parameters=1 + use_bias)


POOLS = {
    "max": (naive_images.max_pool, MaxPool1D, MaxPool2D, GlobalMaxPool),
    "mean": (naive_images.mean_pool, AveragePool1D, AveragePool2D, GlobalAveragePool),
}


def pool(kind, shape, pool_size=2, strides=None, padding="valid"):
    """Return a row for a pool of "max" or "mean"."""
    twin, *classes = POOLS[kind]
    count = len(shape) - 1
    layer = classes[count - 1](pool_size, strides=strides, padding=padding)
    size = _several(pool_size, count)
    steps = size if strides is None else _several(strides, count)
    window = Window(shape, size, steps, (1,) * count, padding)
    name = _name(kind, "x".join(map(str, shape)), pool_size, strides, padding)
    return _row(name, layer, shape, *twin(window))


def global_pool(kind, shape):
    """Return a row for a pool over all places."""
    twin, *_, layer = POOLS[kind]
    count = len(shape) - 1
    window = Window(shape, shape[:-1], (1,) * count, (1,) * count, "valid")
    return _row(_name("global", kind, shape), layer(), shape, *twin(window))


def zero_pad(shape, padding, margins):
    """Return a row for a padding, with what it comes to for each axis."""
    twin = naive_images.zero_pad(shape, margins)
    return _row(_name("pad", shape, padding), ZeroPad(padding), shape, *twin)


def renamed(layer, shape):
    """Return a row for a layer that leaves the elements as they are."""
    twin = naive.elementwise_forward("identity"), naive.elementwise_backward("identity")
    return _row(_name(layer, shape), layer, shape, *twin)


def activation(name, shape):
    """Return a row for an activation of images."""
    twin = naive.elementwise_forward(name), naive.elementwise_backward(name)
    return _row(name, Activation(name), shape, *twin)


def _end(cases, shape):
    for case in cases:
        shape = case.layer.output_shape(shape)
    return shape


def _branch_row(name, layer, shape, chains, *, joined):
    ends = [_end(cases, shape) for cases in chains]
    twin = naive_images.branches(chains, ends, joined=joined)
    count = sum(case.n_parameters for cases in chains for case in cases)
    return _row(f"{type(layer).__name__}_{name}", layer, shape, *twin, n_parameters=count)


def parallel(name, shape, *chains):
    """Return a row for branches joined by channel; each is a list of rows."""
    layer = Parallel([[case.layer for case in cases] for cases in chains])
    return _branch_row(name, layer, shape, chains, joined=True)


def add(name, shape, *chains):
    """Return a row for branches that are added; each is a list of rows."""
    layer = Add([[case.layer for case in cases] for cases in chains])
    return _branch_row(name, layer, shape, chains, joined=False)


def residual(name, shape, cases, shortcut=None):
    """Return a row for layers whose input is added to what they make of it."""
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
CASES = [*CONVOLUTIONS, *POOLED, *SHAPED, *MERGED]
