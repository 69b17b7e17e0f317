"""The dot tile against NumPy: every number of channels, rows of any width, and nothing beside."""

import numpy as np
import pytest
from numba import njit

from sklearn_nn.jit.dot_tile import dot_plan, dot_row
from sklearn_nn.jit.host import lanes
from sklearn_nn.jit.views import vector


@njit
def run(width, zeros, y, y_at, y_step, w, w_step, x, before, rows):
    positions, channels, filters = w.shape[1:]
    dot_row(
        dot_plan(width, channels), width, channels, zeros, vector(y, y_at, 1), y_step, w, w_step, x,
        before, rows, positions, filters, y.shape[1],
    )  # fmt: skip


def naive(width, y, w, before):
    """x, the rows of `y` from the last one upwards."""
    x = np.zeros((width, w.shape[2]), y.dtype)
    for k, j, i in np.ndindex(*w.shape[:2], width):
        place = i + before - j
        if 0 <= place < y.shape[1]:
            x[i] += w[k, j] @ y[len(y) - 1 - k, place]
    return x


def draw(rng, dtype, width, there, channels, filters, rows, positions):
    """Arrays of `run` for windows that reach beyond both edges; x with a margin."""
    y = rng.standard_normal((rows, there, filters)).astype(dtype)
    w = rng.standard_normal((rows, positions, channels, filters)).astype(dtype)
    zeros, x = np.zeros(filters, dtype), np.full(width * channels + 3, np.nan, dtype)
    strides = [size // y.itemsize for size in (y.strides[0], w.strides[0])]
    before = min(positions // 2, there - 1)
    at = (rows - 1) * strides[0]
    return (width, zeros, y, at, -strides[0], w, strides[1], x, before, rows), before


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_equals_naive(dtype):
    """All numbers of channels; widths that fill tiles and do not; edges on either side."""
    rng = np.random.default_rng(0)
    for channels in range(1, lanes(dtype) + 1):
        for width in (1, 2, 5, 8, 9, 13, 32):
            there, filters = max(1, width - width % 3), lanes(dtype) * (1 + width % 3)
            sizes = (width, there, channels, filters, 1 + width % 3, 1 + channels % 5)
            given, before = draw(rng, dtype, *sizes)
            run(*given)
            y, w, x = given[2], given[5], given[7]
            wanted = naive(width, y.astype("float64"), w.astype("float64"), before)
            found = x[:-3].reshape(width, channels)
            tolerance = 1e-5 if dtype == "float32" else 1e-13
            np.testing.assert_allclose(found, wanted, atol=tolerance * np.abs(wanted).max())
            assert np.isnan(x[-3:]).all()


def test_the_same_place_has_the_same_bits_in_any_tile():
    """A row of twenty places holds those of every shorter one."""
    rng = np.random.default_rng(0)
    for channels in [c for c in (1, 3, 4, 7, 16) if c <= lanes("float32")]:
        given, before = draw(rng, "float32", 20, 20, channels, 2 * lanes("float32"), 2, 3)
        run(*given)
        for width in range(1, 20):
            x = np.empty_like(given[7])
            run(width, *given[1:7], x, before, 2)
            np.testing.assert_array_equal(x[: width * channels], given[7][: width * channels])


def test_infinities_beyond_an_edge_are_not_read():
    """Beside a row lie other rows; what they hold is none of its business."""
    rng = np.random.default_rng(0)
    given, before = draw(rng, "float32", 8, 6, 3, lanes("float32"), 3, 5)
    y, w = given[2], given[5]
    y[0], y[2] = np.inf, np.nan
    at, one = given[3] + given[4], w[:1].copy()
    run(8, given[1], y, at, given[4], one, given[6], given[7], before, 1)
    wanted = naive(8, y[1:2].astype("float64"), one.astype("float64"), before)
    np.testing.assert_allclose(given[7][:-3].reshape(8, 3), wanted, atol=1e-4)
