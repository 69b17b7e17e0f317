"""Convolutions: fast algorithms, PyTorch, parameters, and arguments that do not fit."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.layer_cases.base import CONTEXT, prepared
from helpers.layer_cases.checks import check_against_twin, check_parts, check_rows, check_scratch
from helpers.layer_cases.images import conv
from helpers.layer_runs import LayerRun
from helpers.parametrize import dtypes, names
from sklearn_nn.layers import Conv1D, Conv2D
from sklearn_nn.layers.convolution.depthwise import depthwise_forward
from sklearn_nn.layers.convolution.winograd import winograd_forward
from sklearn_nn.network.lowering import ProgramBuilder, lower


@dtypes
def test_equals_naive_where_sums_are_long(dtype):
    """More steps of a reduction than a block of the contraction, more columns than a panel."""
    for row in (conv((20, 19, 40), 70, 3, 1, "same"), conv((300, 9), 40, 31, 1, "same")):
        check_against_twin(row, dtype, (2,))


def kernels_of(layer, shape):
    """The forward kernel of the last instruction."""
    builder = ProgramBuilder()
    layer.lower(builder, builder.slot(shape))
    return builder.instructions[-1].kernels.forward


def test_three_by_three_takes_fewer_multiplications():
    """It is used if strides are one, and channels, filters and places are many enough."""
    fast = [
        (Conv2D(16, 3), (5, 5, 16)),
        (Conv2D(64, 3, padding="same"), (3, 40, 32)),
        (Conv2D(16, 3, use_bias=False), (9, 5, 100)),
    ]
    others = [
        (Conv2D(16, 3), (5, 5, 15)),
        (Conv2D(15, 3), (5, 5, 16)),
        (Conv2D(16, 3), (4, 9, 16)),
        (Conv2D(16, 3, strides=2, padding="same"), (9, 9, 16)),
        (Conv2D(16, 3, dilation_rate=(1, 2)), (9, 9, 16)),
        (Conv2D(32, 3, groups=2), (9, 9, 32)),
        (Conv2D(16, (3, 1)), (9, 9, 16)),
        (Conv2D(16, 5), (9, 9, 16)),
        (Conv1D(16, 3), (9, 16)),
    ]
    assert all(kernels_of(*row) is winograd_forward for row in fast)
    assert not any(kernels_of(*row) is winograd_forward for row in others)


#: Rows of one tile and of many, with left-over rows and columns; the last fill more than a block.
FAST = [
    conv((h, w, channels), filters, 3, 1, padding, 1, 1, use_bias)
    for h, w, channels, filters, padding, use_bias in [
        (5, 5, 16, 16, "valid", True), (7, 4, 23, 16, "same", True), (8, 3, 16, 16, "same", False),
        (13, 14, 16, 18, "same", True), (14, 13, 17, 16, "valid", False),
        (3, 33, 16, 16, "same", True), (33, 5, 16, 24, "valid", True),
        (5, 131, 16, 16, "same", True), (6, 134, 16, 17, "valid", False),
    ]
]  # fmt: skip
fast = pytest.mark.parametrize("case", FAST, ids=names(FAST))


@dtypes
@fast
def test_fast_convolution(case, dtype):
    """As the twin; the same bits for any number of parts, and any split of the batch."""
    assert kernels_of(case.layer, case.shape) is winograd_forward
    check_against_twin(case, dtype, (1, 20))
    check_parts(case, dtype, (17,))
    check_rows(case, dtype)


@fast
def test_fast_convolution_rounds_little(case):
    """In float32, errors are 4e-6 of the largest number at most: of y, dx, dW and db."""
    check_rounding(case)


@pytest.mark.parametrize("shape", [(14, 14, 64, 32), (32, 32, 16, 16)])
def test_fast_convolution_rounds_little_where_sums_are_long(shape):
    check_rounding(conv(shape[:3], shape[3], 3, 1, "same"))


def check_rounding(case):
    run, theta, x, dy = prepared(case, "float32", 3)
    exact = run.parameters(theta.astype("float64")), x.astype("float64"), dy.astype("float64")
    dx, grad = run.backward(theta, x, dy)
    wanted_dx, wanted = case.backward(*exact, CONTEXT)
    wanted_y = case.forward(*exact[:2], CONTEXT)
    found = [run.forward(theta, x), dx, *run.parameters(grad)]
    for got, exactly in zip(found, [wanted_y, wanted_dx, *wanted], strict=True):
        assert np.abs(got - exactly).max() < 4e-6 * np.abs(exactly).max()


@fast
def test_scratch_is_as_large_as_said(case):
    check_scratch(case)


#: Few and many channels; strides that do and do not divide sizes; images of several parts; windows
#: that reach beyond the image on both sides, that see it whole, and that leave cells unseen.
DEPTHWISE_ROWS = [
    conv((*size, channels), channels, kernel, strides, padding, dilation, channels)
    for channels in (1, 2, 3, 15, 16, 17, 40)
    for size, kernel, strides, padding, dilation in [
        ((7, 6), 3, 1, "same", 1), ((8, 9), 3, 2, "same", 1), ((9, 8), (3, 2), (2, 3), "valid", 1),
        ((2, 3), 5, 1, "same", 1), ((11, 7), 3, (1, 2), "same", 2), ((12, 12), 2, 3, "valid", 2),
        ((13,), 4, 1, "same", 1), ((13,), 5, 3, "valid", 1),
    ]
] + [
    conv((40, 37, 16), 16, 3, 1, "same", 1, 16), conv((38, 34, 17), 17, 3, (2, 1), "same", 1, 17),
    conv((60, 50, 3), 3, (5, 3), (3, 2), "same", 2, 3), conv((2000, 1), 1, 7, 1, "same"),
    conv((6, 5, 20), 20, 3, 1, "same", 1, 20, False), conv((6, 5, 2), 2, 3, 1, "same", 1, 2, False),
]  # fmt: skip


@dtypes
@pytest.mark.parametrize("case", DEPTHWISE_ROWS, ids=names(DEPTHWISE_ROWS))
def test_depthwise(case, dtype):
    """As the twin; the same bits for any number of parts, and any split of the batch."""
    assert kernels_of(case.layer, case.shape) is depthwise_forward
    check_against_twin(case, dtype, (3,))
    check_parts(case, dtype, (19,))
    check_rows(case, dtype)


def test_depthwise_scratch_is_as_large_as_said():
    for case in DEPTHWISE_ROWS:
        check_scratch(case)


def random_row(rng):
    """A random convolution of images."""
    groups = int(rng.choice([1, 1, 1, 2, 3]))
    height, width, channels, filters = (
        int(rng.integers(1, most)) for most in (13, 13, 40 // groups, 40 // groups)
    )
    kernel_size, strides, dilations = (
        tuple(int(n) for n in rng.integers(1, most, 2)) for most in (5, 4, 3)
    )
    groups = groups if rng.random() < 0.8 else channels
    shape = (height, width, channels * groups if groups != channels else channels)
    filters = filters * groups
    padding = str(rng.choice(["valid", "same"]))
    return conv(shape, filters, kernel_size, strides, padding, dilations, groups)


def torch_edges(layer, shape, places):
    """Return PyTorch's padding, last axis first: its own padding "same" has no strides."""
    edges = []
    numbers = zip(
        shape, places, layer.kernel_size, layer.strides, layer.dilation_rate, strict=False
    )
    for size, count, k, s, d in reversed(list(numbers)):
        beyond = max(0, (count - 1) * s + (k - 1) * d + 1 - size) * (layer.padding == "same")
        edges += [beyond // 2, beyond - beyond // 2]
    return edges


def test_equals_torch(torch):
    """Output and gradients of two hundred random convolutions, in float64."""
    rng, compared = np.random.default_rng(0), 0
    while compared < 200:
        row = random_row(rng)
        try:
            row.layer.output_shape(row.shape)
        except ValueError:  # it does not fit; another one will
            continue
        compared += 1
        run, theta, x, dy = prepared(row, "float64", 3)
        there = torch.tensor(x.reshape(-1, *row.shape), requires_grad=True)
        kernel, bias = (torch.tensor(p, requires_grad=True) for p in run.parameters(theta))
        edges = torch_edges(row.layer, row.shape, run.shape)
        value = torch.nn.functional.conv2d(
            torch.nn.functional.pad(there.permute(0, 3, 1, 2), edges).contiguous(),
            kernel.permute(3, 2, 0, 1).contiguous(), bias, row.layer.strides,
            dilation=row.layer.dilation_rate, groups=row.layer.groups,
        ).permute(0, 2, 3, 1)  # fmt: skip
        assert value.shape[1:] == run.shape
        value.backward(torch.tensor(dy.reshape(value.shape)))
        assert_close(run.forward(theta, x), value.detach().numpy().reshape(3, -1), "float64")
        dx, grad = run.backward(theta, x, dy)
        assert_close(dx, there.grad.numpy().reshape(3, -1), "float64")
        for got, wanted in zip(run.parameters(grad), (kernel, bias), strict=True):
            assert_close(got, wanted.grad.numpy(), "float64")


def test_sequences_are_images_of_height_one():
    """To the last bit."""
    for options in ({}, {"padding": "same", "strides": 2}, {"dilation_rate": 3}, {"groups": 2}):
        one, other = (
            LayerRun(layer(6, size, **options), shape, "float32", CONTEXT)
            for layer, size, shape in ((Conv1D, 3, (15, 4)), (Conv2D, (1, 3), (1, 15, 4)))
        )
        rng = np.random.default_rng(0)
        theta, x = (rng.standard_normal(s).astype("float32") for s in (one.n_theta, (5, 60)))
        dy = rng.standard_normal((5, one.units)).astype("float32")
        np.testing.assert_array_equal(one.forward(theta, x), other.forward(theta, x))
        for got, wanted in zip(
            one.backward(theta, x, dy), other.backward(theta, x, dy), strict=True
        ):
            np.testing.assert_array_equal(got, wanted)


def test_does_not_flip_the_kernel_and_pads_more_behind():
    """By hand: of two cells beyond, one is on either side; of one, it is behind."""
    run = LayerRun(Conv1D(1, 3, padding="same"), (4, 1), "float64", CONTEXT)
    theta = np.array([1.0, 10.0, 100.0, 0.0])
    x = np.array([[1.0, 2.0, 3.0, 4.0]])
    np.testing.assert_array_equal(run.forward(theta, x), [[210.0, 321.0, 432.0, 43.0]])
    run = LayerRun(Conv1D(1, 2, padding="same"), (4, 1), "float64", CONTEXT)
    theta = np.array([1.0, 10.0, 5.0])
    np.testing.assert_array_equal(run.forward(theta, x), [[26.0, 37.0, 48.0, 9.0]])


# --- parameters ------------------------------------------------------------------------------


def test_parameters_are_those_of_keras():
    """Shapes, fans (receptive field times channels), and what is decayed."""
    layers = [
        ("two", Conv2D(8, (3, 5), groups=2, padding="same")),
        ("one", Conv1D(6, 7, use_bias=False)),
    ]
    program = lower(layers[:1], (9, 9, 4), "float32")
    kernel, bias = (placed.parameter for placed in program.parameters)
    assert (kernel.name, kernel.shape, kernel.decay) == ("kernel", (3, 5, 2, 8), 1.0)
    assert (bias.name, bias.shape, bias.decay) == ("bias", (8,), 0.0)
    assert (kernel.fan_in, kernel.fan_out) == (15 * 2, 15 * 8)
    program = lower(layers[1:], (9, 4), "float32")
    (placed,) = program.parameters
    assert placed.parameter.shape == (7, 4, 6)
    assert (placed.parameter.fan_in, placed.parameter.fan_out) == (28, 42)
    theta = program.initialize(np.random.RandomState(0))
    limit = np.sqrt(6 / (28 + 42))
    assert 0.9 * limit < np.abs(theta[: 7 * 4 * 6]).max() <= limit


def test_initializers_are_used():
    layer = Conv2D(4, 3, kernel_initializer="ones", bias_initializer="ones")
    program = lower([("conv2d1", layer)], (5, 5, 2), "float64")
    theta = program.initialize(np.random.RandomState(0))
    assert all((placed.view(theta) == 1).all() for placed in program.parameters)


# --- what does not fit -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            Conv2D(4, 5),
            (3, 3, 1),
            r'kernel_size=5 does not fit the 3x3 input; use padding="same" or a smaller kernel\.',
        ),
        (Conv2D(4, (1, 4)), (3, 3, 1), r"kernel_size=\(1, 4\) does not fit the 3x3 input"),
        (Conv2D(4, 2, dilation_rate=3), (3, 3, 1), "kernel_size=2 with its dilation_rate does not"),
        (Conv1D(4, 5), (3, 1), "kernel_size=5 does not fit the 3 steps long input"),
        (Conv2D(4, 3), (9,), r"Conv2D takes images of shape \(height, width, channels\), got"),
        (Conv2D(4, 3), (9, 3), r"Conv2D takes .* shape \(9, 3\); put a Reshape before it"),
        (Conv1D(4, 3), (9, 3, 1), r"Conv1D takes sequences of shape \(steps, channels\), got"),
        (Conv2D(0, 3), (9, 9, 1), "filters=0 must be a positive whole number"),
        (Conv2D(4.0, 3), (9, 9, 1), r"filters=4\.0 must be a positive whole number"),
        (Conv2D(4, 0), (9, 9, 1), "kernel_size=0 must be a positive whole number, or 2 of them"),
        (Conv2D(4, (3, 3, 3)), (9, 9, 1), r"kernel_size=\(3, 3, 3\) must be"),
        (Conv2D(4, 3, strides=(1, -1)), (9, 9, 1), r"strides=\(1, -1\) must be"),
        (Conv2D(4, 3, dilation_rate="2"), (9, 9, 1), "dilation_rate='2' must be"),
        (Conv2D(4, 3, padding="full"), (9, 9, 1), "padding='full' is not known; use one of valid"),
        (Conv2D(4, 3, groups=3), (9, 9, 6), "groups=3 does not divide filters=4"),
        (Conv2D(6, 3, groups=3), (9, 9, 4), "groups=3 does not divide channels=4"),
    ],
)
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'conv': {message}"):
        lower([("conv", layer)], shape, "float32")
