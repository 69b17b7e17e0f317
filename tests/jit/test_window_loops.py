"""Loops over windows against NumPy: any number of items, terms and lanes, and nothing beside."""

import numpy as np
import pytest
from numba import njit

from sklearn_nn.jit.host import lanes
from sklearn_nn.jit.windows import find_equal, find_largest, sum_cells, sum_noted, sum_products

dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


@njit
def run_products(items, count, terms, n_terms, n, number, arrays):
    sum_products(items, count, terms, n_terms, n, number, arrays)


@njit
def run_cells(items, count, terms, n_terms, n, number, arrays):
    sum_cells(items, count, terms, n_terms, n, number, arrays)


@njit
def run_largest(items, count, terms, n_terms, n, number, arrays):
    find_largest(items, count, terms, n_terms, n, number, arrays)


@njit
def run_equal(items, count, terms, n_terms, n, number, arrays):
    find_equal(items, count, terms, n_terms, n, number, arrays)


@njit
def run_noted(items, count, terms, n_terms, n, number, arrays):
    sum_noted(items, count, terms, n_terms, n, number, arrays)


def sizes(dtype):
    """Numbers of items, terms and lanes: groups and vectors that are full and are not."""
    width = lanes(dtype)
    for n in (1, width - 1, width, 2 * width + 1):
        for count in (0, 1, 4, 5, 6, 11):
            for n_terms in (0, 1, 9):
                yield count, n_terms, n


def draw(dtype, count, n_terms, n):
    """Tables of cells 2 apart, which overlap, and of places with a gap; cells, and an output."""
    rng = np.random.default_rng(0)
    items = np.array([(2 * i, (n + 1) * i) for i in range(count)], np.int64).reshape(-1)
    terms = np.array([(3 * t, t * n) for t in range(n_terms)], np.int64).reshape(-1)
    cells = rng.integers(-3, 4, 2 * count + 3 * n_terms + n).astype(dtype)
    return items, terms, cells, np.full((count + 1) * (n + 1), np.nan, dtype)


def seen(cells, count, n_terms, n):
    """The cells of items by term and lane."""
    rows = [[cells[2 * i + 3 * t :][:n] for t in range(n_terms)] for i in range(count)]
    return np.array(rows).reshape(count, n_terms, n)


def written(out, count, n):
    """The rows that a loop wrote; what lies beside them is as it was."""
    rows = out[: count * (n + 1)].reshape(count, n + 1)
    assert np.isnan(rows[:, n:]).all()
    assert np.isnan(out[count * (n + 1) :]).all()
    return rows[:, :n]


@dtypes
def test_sum_products(dtype):
    for count, n_terms, n in sizes(dtype):
        items, terms, cells, out = draw(dtype, count, n_terms, n)
        weights = np.arange(n_terms * n).astype(dtype) % 5
        start = np.arange(n).astype(dtype)
        run_products(items, count, terms, n_terms, n, 0, (cells, weights, start, out))
        products = seen(cells, count, n_terms, n) * weights.reshape(n_terms, n)
        expected = start + products.sum(axis=1)
        np.testing.assert_array_equal(written(out, count, n), expected)
        # Added to what is there.
        run_products(items, count, terms, n_terms, n, 1, (cells, weights, out, out))
        np.testing.assert_array_equal(written(out, count, n), expected + products.sum(axis=1))


@dtypes
def test_sum_and_largest(dtype):
    for count, n_terms, n in sizes(dtype):
        items, terms, cells, out = draw(dtype, count, n_terms, n)
        run_cells(items, count, terms, n_terms, n, 0, (cells, out))
        windows = seen(cells, count, n_terms, n)
        np.testing.assert_array_equal(written(out, count, n), windows.sum(axis=1))
        cells[:: n + 2] = np.nan
        run_largest(items, count, terms, n_terms, n, 0, (cells, out))
        windows = seen(cells, count, n_terms, n)
        np.testing.assert_array_equal(written(out, count, n), windows.max(axis=1, initial=-np.inf))


@dtypes
def test_last_equal_is_noted_and_found_again(dtype):
    """The number of the last term with the value; -1 without one; the loop's number for NaN."""
    for count, n_terms, n in sizes(dtype):
        items, terms, cells, out = draw(dtype, count, n_terms, n)
        cells[:: n + 2] = np.nan
        terms[1::2] = 7 + np.arange(n_terms)
        wanted = np.array([0, 1, 9, np.nan], dtype)[np.arange(count * n) % 4].reshape(count, n)
        for row, values in enumerate(wanted):
            out[row * (n + 1) :][:n] = values
        run_equal(items, count, terms, n_terms, n, 5, (cells, out, out))
        hit = seen(cells, count, n_terms, n) == wanted[:, None]
        numbers = np.arange(7, 7 + n_terms)[:, None]
        expected = np.where(hit, numbers, -1).max(axis=1, initial=-1)
        expected = np.where(np.isnan(wanted), 5, expected)
        np.testing.assert_array_equal(written(out, count, n), expected)


@dtypes
def test_sum_of_what_is_noted(dtype):
    for count, n_terms, n in sizes(dtype):
        items, terms, cells, out = draw(dtype, count, n_terms, n)
        terms[1::2] = np.arange(n_terms) % 3
        values = np.arange(cells.size).astype(dtype)
        values[cells < 0] = np.inf  # is not read
        run_noted(items, count, terms, n_terms, n, 0, (cells, values, out))
        hit = seen(cells, count, n_terms, n) == (np.arange(n_terms) % 3)[:, None]
        expected = np.where(hit, seen(values, count, n_terms, n), 0).sum(axis=1)
        np.testing.assert_array_equal(written(out, count, n), expected)


@dtypes
def test_an_item_has_the_same_bits_beside_any_others(dtype):
    """Alone, in a group, and in the last lanes or the first."""
    rng, n = np.random.default_rng(0), 2 * lanes(dtype) + 3
    items, terms, cells, out = draw(dtype, 11, 9, n)
    cells[:] = rng.standard_normal(cells.size)
    weights, start = rng.standard_normal(9 * n).astype(dtype), np.zeros(n, dtype)
    run_products(items, 11, terms, 9, n, 0, (cells, weights, start, out))
    for first in range(11):
        for lane in (0, 1, n - 1):
            one = np.full(out.size, np.nan, dtype)
            arrays = cells[lane:], weights[lane:], start[lane:], one
            run_products(items[2 * first :], 1, terms, 9, n - lane, 0, arrays)
            place = items[2 * first + 1]
            np.testing.assert_array_equal(
                one[place : place + n - lane], out[place + lane : place + n]
            )
