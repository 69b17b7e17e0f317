"""Pools: PyTorch, ties, NaN, and arguments that do not fit."""

import numpy as np
import pytest

from helpers.comparison import assert_close
from helpers.layer_cases.base import CONTEXT, prepared
from helpers.layer_cases.checks import check_against_twin, check_parts, check_rows, check_scratch
from helpers.layer_cases.images import global_pool, pool
from helpers.layer_runs import LayerRun
from helpers.parametrize import dtypes, names
from sklearn_nn.layers import (
    AveragePool1D,
    AveragePool2D,
    GlobalAveragePool,
    GlobalMaxPool,
    MaxPool1D,
    MaxPool2D,
)
from sklearn_nn.network.lowering import lower

#: Few and many channels; windows that overlap, lie apart, and reach beyond the image; leftover
#: cells; images of several parts.
POOLS = [
    pool(kind, (*size, channels), window, strides, padding)
    for kind in ("max", "mean")
    for channels in (1, 3, 16, 33)
    for size, window, strides, padding in [
        ((7, 6), 3, 1, "same"), ((8, 9), 3, 2, "same"), ((9, 8), (3, 2), (2, 3), "valid"),
        ((2, 3), 5, 1, "same"), ((7, 9), 2, 2, "valid"), ((7, 9), 2, 3, "same"),
        ((13,), 4, 1, "same"), ((13,), 3, 2, "valid"), ((12,), 2, 2, "valid"),
    ]
] + [
    pool(kind, shape, 3, strides, padding)
    for kind in ("max", "mean")
    for shape, strides, padding in [
        ((40, 37, 16), 1, "same"), ((38, 34, 17), (2, 1), "same"), ((500, 1), 2, "valid"),
    ]
]  # fmt: skip


@dtypes
@pytest.mark.parametrize("case", POOLS, ids=names(POOLS))
def test_windows(case, dtype):
    """As the twin; the same bits for any number of parts, and any split of the batch."""
    check_against_twin(case, dtype, (3,))
    check_parts(case, dtype, (19,))
    check_rows(case, dtype)


def test_scratch_is_as_large_as_said():
    for case in POOLS:
        check_scratch(case)


@dtypes
@pytest.mark.parametrize("kind", ["max", "mean"])
def test_global_pools_of_few_and_many_channels(kind, dtype):
    """Rows of several places, which are and are not full; the first of equal maxima."""
    for places in (1, 2, 21, 64, 65, 200):
        for channels in (1, 3, 16, 30, 64, 65):
            case = global_pool(kind, (places, channels))
            check_against_twin(case, dtype, (3,))
            check_scratch(case)
            run, theta, x, dy = prepared(case, dtype, 3)
            x = np.random.default_rng(0).integers(0, 3, x.shape).astype(dtype)
            dx, _ = run.backward(theta, x, dy)
            exact = case.backward([], x.astype("float64"), dy.astype("float64"))[0]
            assert_close(dx, exact, dtype)


@dtypes
def test_gradient_of_equal_cells_goes_to_the_first(dtype):
    """Row by row, where windows overlap too; and in an image of nothing but minus infinity."""
    rng = np.random.default_rng(0)
    for row in (
        pool("max", (6, 6, 17)),
        pool("max", (7, 6, 3), 3, 1, "same"),
        pool("max", (7, 6, 17), 3, 1, "same"),
    ):
        run, theta, x, dy = prepared(row, dtype, 9)
        x = rng.integers(0, 2, x.shape).astype(dtype)
        x[3] = -np.inf
        dx, _ = run.backward(theta, x, dy)
        exact = row.backward([], x.astype("float64"), dy.astype("float64"))[0]
        assert_close(dx, exact, dtype)


@dtypes
def test_ties_are_those_of_torch(dtype, torch):
    rng = np.random.default_rng(0)
    for size, strides, shape in ((2, 2, (6, 8, 5)), (3, 2, (7, 9, 20)), (3, 1, (5, 5, 2))):
        run, theta, x, dy = prepared(pool("max", shape, size, strides), dtype, 5)
        x = rng.integers(0, 3, x.shape).astype(dtype)
        there = torch.tensor(x.reshape(-1, *shape), requires_grad=True)
        value = torch.nn.functional.max_pool2d(there.permute(0, 3, 1, 2), size, strides)
        value = value.permute(0, 2, 3, 1)
        value.backward(torch.tensor(dy.reshape(value.shape)))
        np.testing.assert_array_equal(run.forward(theta, x), value.detach().reshape(5, -1).numpy())
        assert_close(run.backward(theta, x, dy)[0], there.grad.reshape(5, -1).numpy(), dtype)


def test_average_equals_torch(torch):
    """PyTorch pads on both sides alike, so the odd cell is left to the loops."""
    for size, strides, shape in ((2, 2, (6, 8, 5)), (3, 1, (7, 9, 20)), (5, 1, (9, 6, 2))):
        run, theta, x, dy = prepared(pool("mean", shape, size, strides, "same"), "float64", 5)
        there = torch.tensor(x.reshape(-1, *shape), requires_grad=True)
        edge = (size - 1) // 2 if strides == 1 else 0
        value = torch.nn.functional.avg_pool2d(
            there.permute(0, 3, 1, 2), size, strides, edge, count_include_pad=False
        ).permute(0, 2, 3, 1)
        value.backward(torch.tensor(dy.reshape(value.shape)))
        assert_close(run.forward(theta, x), value.detach().reshape(5, -1).numpy(), "float64")
        assert_close(run.backward(theta, x, dy)[0], there.grad.reshape(5, -1).numpy(), "float64")


@pytest.mark.parametrize("layer", [MaxPool2D(3, strides=1, padding="same"), GlobalMaxPool()])
def test_nan_is_the_largest(layer):
    """Wherever in the window it is; of plus infinity too."""
    run = LayerRun(layer, (3, 3, 1), "float32", CONTEXT)
    for place in range(9):
        x = np.full((1, 9), np.inf, "float32")
        x[0, place] = np.nan
        y = run.forward(np.zeros(0, "float32"), x)
        assert np.isnan(y[0, 4 if y.size == 9 else 0])


#: Windows of 2 x 2 have kernels of their own; beyond an edge, or of another size, they have not.
APART = [
    pool("max", (h, w, channels), size, None, padding)
    for channels in (1, 17)
    for h, w, size, padding in [
        (6, 8, 2, "valid"), (7, 5, 2, "valid"), (7, 8, 2, "valid"), (6, 5, 2, "valid"),
        (9, 7, 3, "valid"), (7, 5, 2, "same"),
    ]
]  # fmt: skip


def by_window(row, values, beyond):
    """Rows of a slot as (samples, places, cells, channels), and what lies in no window."""
    h, w, channels = row.shape
    size, (oh, ow, _) = row.layer.pool_size, row.layer.output_shape(row.shape)
    edges = ((0, 0), (0, max(0, oh * size - h)), (0, max(0, ow * size - w)), (0, 0))
    whole = np.pad(values.reshape(-1, h, w, channels), edges, constant_values=beyond)
    cells = whole[:, : oh * size, : ow * size].reshape(-1, oh, size, ow, size, channels)
    outside = np.concatenate([whole[:, oh * size :].ravel(), whole[:, :, ow * size :].ravel()])
    return cells.swapaxes(2, 3).reshape(len(values), oh * ow, size**2, channels), outside


@dtypes
@pytest.mark.parametrize("row", APART, ids=names(APART))
def test_gradient_goes_to_one_cell(row, dtype):
    """Ties with NaN among them, and gradients that are not finite."""
    run, theta, x, dy = prepared(row, dtype, 9)
    values, shares = [-np.inf, -1, 0, 1, np.nan], [0.1, 0.3, 0.3, 0.2, 0.1]
    x = np.random.default_rng(0).choice(values, x.shape, p=shares).astype(dtype)
    dy[0], dy[1], dy[2] = np.inf, -np.inf, np.nan
    cells, _ = by_window(row, x, -np.inf)
    y = cells.max(axis=2)
    assert np.isnan(y).any()
    np.testing.assert_array_equal(run.forward(theta, x), y.reshape(9, -1))
    hit = (cells == y[:, :, None]) | np.isnan(y[:, :, None])
    hit &= hit.cumsum(axis=2) == 1
    found, outside = by_window(row, run.backward(theta, x, dy)[0], 0)
    np.testing.assert_array_equal(found, np.where(hit, dy.reshape(y.shape)[:, :, None], 0))
    assert (outside == 0).all()


def test_average_counts_what_is_inside():
    run = LayerRun(AveragePool1D(3, strides=1, padding="same"), (4, 1), "float64", CONTEXT)
    y = run.forward(np.zeros(0), np.array([[1.0, 2.0, 6.0, 10.0]]))
    np.testing.assert_allclose(y, [[1.5, 3.0, 6.0, 8.0]])


@pytest.mark.parametrize(
    ("layer", "shape", "message"),
    [
        (
            MaxPool2D(),
            (5, 1, 3),
            r'pool_size=2 does not fit the 5x1 input; use padding="same" or a smaller window\.',
        ),
        (AveragePool1D(4), (3, 2), "pool_size=4 does not fit the 3 steps long input"),
        (AveragePool2D(2), (9, 2), r"AveragePool2D takes images of .* got samples of shape \(9, 2"),
        (MaxPool1D(2), (9,), r"MaxPool1D takes sequences of .* got samples of shape \(9,\)"),
        (MaxPool2D(0), (9, 9, 2), "pool_size=0 must be a positive whole number, or 2 of them"),
        (MaxPool2D(2, strides=0.5), (9, 9, 2), r"strides=0\.5 must be a positive whole number"),
        (MaxPool2D(2, padding="SAME"), (9, 9, 2), "padding='SAME' is not known; use one of"),
    ],
)
def test_arguments_that_do_not_fit(layer, shape, message):
    with pytest.raises(ValueError, match=message):
        layer.output_shape(shape)
    with pytest.raises(ValueError, match=f"layer 'pool': {message}"):
        lower([("pool", layer)], shape, "float32")


def test_global_pools_take_any_shape():
    for layer in (GlobalAveragePool(), GlobalMaxPool()):
        for shape in ((7,), (4, 7), (3, 4, 7), (2, 3, 4, 7)):
            assert layer.output_shape(shape) == (7,)
