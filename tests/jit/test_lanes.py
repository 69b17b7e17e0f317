"""Loops over lanes against NumPy: every tail, any strides, and nothing beside the lanes."""

import numpy as np
import pytest
from numba import njit

from sklearn_nn.jit.host import lanes
from sklearn_nn.jit.lanes import make_lanes, make_sandwich

MATRICES = {
    "square": ((1, 0, -1), (0.5, -2, 0.25), (0, -1, 1)),
    "wide": ((1, 1, 1, 0), (0, 1, -1, -3)),
    "tall": ((1, 0), (-0.75, 1), (1, -1)),
}


def _largest_product(builder, loads, stores):
    """c = max(a(0, 0) b(0, 0), a(0, 1) b(1, 0))."""
    first = builder.fmul(loads[0](0, 0), loads[1](0, 0))
    second = builder.fmul(loads[0](0, 1), loads[1](1, 0))
    stores[2](builder.select(builder.fcmp_ordered(">", first, second), first, second), 0, 0)


_LOOPS = {name: make_sandwich(f"test_{name}", matrix) for name, matrix in MATRICES.items()}
_square, _wide, _tall = _LOOPS["square"], _LOOPS["wide"], _LOOPS["tall"]
_body = make_lanes("test_largest_product", 3, _largest_product)


@njit
def run_square(count, n, x, x_at, y, y_at):
    _square(count, n, ((x, *x_at), (y, *y_at)))


@njit
def run_wide(count, n, x, x_at, y, y_at):
    _wide(count, n, ((x, *x_at), (y, *y_at)))


@njit
def run_tall(count, n, x, x_at, y, y_at):
    _tall(count, n, ((x, *x_at), (y, *y_at)))


@njit
def run_body(count, n, a, b, c):
    _body(count, n, ((a, n, 0, 2 * n), (b, 0, n, 0), (c, n, 0, 0)))


RUNS = {"square": run_square, "wide": run_wide, "tall": run_tall}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", MATRICES)
def test_sandwich(name, dtype):
    matrix, rng = np.array(MATRICES[name]), np.random.default_rng(0)
    size, places = matrix.shape[1], len(matrix)
    for n in range(1, 2 * lanes(dtype) + 2):
        for count in (0, 1, 3):
            x = rng.standard_normal((max(count, 1), size, size, n)).astype(dtype)
            y = np.full((max(count, 1), places, places, n + 1), np.nan, dtype)
            x_at, y_at = (size * size * n, size * n, n), (places**2 * (n + 1), places * (n + 1))
            RUNS[name](count, n, x.reshape(-1), x_at, y.reshape(-1), (*y_at, n + 1))
            expected = np.einsum("ip,kpql,jq->kijl", matrix, x.astype("float64"), matrix)
            tolerance = 1e-5 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(y[:count, ..., :n], expected[:count], tolerance, tolerance)
            assert np.isnan(y[..., n:]).all()
            assert np.isnan(y[count:]).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_strides_may_be_negative(dtype):
    """X turned by half a circle."""
    matrix, n = np.array(MATRICES["square"]), 5
    x = np.random.default_rng(0).standard_normal((3, 3, n)).astype(dtype)
    y = np.empty((3, 3, n), dtype)
    run_square(1, n, x.reshape(-1)[8 * n :], (0, -3 * n, -n), y.reshape(-1), (0, 3 * n, n))
    expected = np.einsum("ip,pql,jq->ijl", matrix, x[::-1, ::-1].astype("float64"), matrix)
    np.testing.assert_allclose(y, expected, 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_steps_may_be_negative_and_strides_zero(dtype):
    """Items from the last to the first, each of one row, or one column, again and again."""
    matrix, n, rng = np.array(MATRICES["square"]), 2 * lanes(dtype) + 1, np.random.default_rng(0)
    x = rng.standard_normal((4, 3, n)).astype(dtype)
    from_last, still = x.reshape(-1)[9 * n :], np.broadcast_to(x[:, None], (4, 3, 3, n))
    for strides, seen in (((0, n), still), ((n, 0), still.swapaxes(1, 2))):
        y = np.full((4, 3, 3, n), np.nan, dtype)
        end = y.reshape(-1)[27 * n :]
        run_square(4, n, from_last, (-3 * n, *strides), end, (-9 * n, 3 * n, n))
        expected = np.einsum("ip,kpql,jq->kijl", matrix, seen.astype("float64"), matrix)
        np.testing.assert_allclose(y, expected, 1e-5, 1e-5)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_lanes_and_no_items_write_nothing(dtype):
    x, y = np.ones(9 * 8, dtype), np.full(9 * 8, np.nan, dtype)
    for count, n in ((0, 8), (3, 0), (0, 0)):
        run_square(count, n, x, (0, 24, 8), y, (0, 24, 8))
    assert np.isnan(y).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_body_of_three_operands(dtype):
    """One that stands still from item to item, and one whose items overlap."""
    rng = np.random.default_rng(0)
    for n in (1, 7, 16, 33):
        a, b = rng.standard_normal((6, n)).astype(dtype), rng.standard_normal((2, n)).astype(dtype)
        c = np.full((5, n), np.nan, dtype)
        run_body(4, n, a.reshape(-1), b.reshape(-1), c.reshape(-1))
        np.testing.assert_array_equal(c[:4], np.maximum(a[:4] * b[0], a[2:] * b[1]))
        assert np.isnan(c[4]).all()
