"""Counter-based random numbers: the reference, reproducibility and statistics.

The statistical tests draw fixed numbers, so each passes always or never. Bounds are at about
five standard deviations.
"""

import numpy as np
import pytest
from numba import njit
from scipy import stats

from helpers.naive import random_numbers as naive
from sklearn_nn.jit.host import OPTIONS
from sklearn_nn.jit.random import random_bits, random_normal, random_uniform, stream

DTYPES = (np.float32, np.float64)


@njit(**OPTIONS)
def key_of(seed, step, layer, sample):
    return stream(seed, step, layer, sample)


@njit(**OPTIONS)
def fill_bits(seed, step, layer, sample, out):
    key = stream(seed, step, layer, sample)
    for unit in range(out.shape[0]):
        out[unit] = random_bits(key, unit)


@njit(**OPTIONS)
def fill_uniform(seed, step, layer, sample, out):
    key = stream(seed, step, layer, sample)
    for unit in range(out.shape[0]):
        out[unit] = random_uniform(key, unit, out.dtype)


@njit(**OPTIONS)
def fill_normal(seed, step, layer, sample, out):
    key = stream(seed, step, layer, sample)
    for unit in range(out.shape[0]):
        out[unit] = random_normal(key, unit, out.dtype)


def bits(seed=0, step=0, layer=0, sample=0, n=4096):
    out = np.empty(n, np.uint32)
    fill_bits(seed, step, layer, sample, out)
    return out


NUMBERS = [(0, 0, 0, 0), (1, 2, 3, 4), (-1, 7, 0, 2**40), (2**63 - 1, 10**12, 99, -5)]


@pytest.mark.parametrize("numbers", NUMBERS)
def test_equals_the_naive_reference(numbers):
    key = naive.stream(*numbers)
    assert key_of(*numbers) == key
    words = [[naive.random_word(key, unit, index) for index in (0, 1)] for unit in range(67)]
    assert bits(*numbers, n=67).tolist() == [first for first, _ in words]

    single, double = np.empty(67, np.float32), np.empty(67, np.float64)
    fill_uniform(*numbers, single)
    fill_uniform(*numbers, double)
    assert single.tolist() == [(first >> 8) / 2**24 for first, _ in words]
    assert double.tolist() == [((a >> 5) * 2**26 + (b >> 6)) / 2**53 for a, b in words]


@pytest.mark.parametrize("numbers", NUMBERS)
def test_normal_is_box_muller(numbers):
    key = naive.stream(*numbers)
    words = [
        [naive.random_word(key, unit, index) / 2**32 for index in (0, 1)] for unit in range(500)
    ]
    u, v = (np.floor(np.array(w) * 2**24) / 2**24 for w in zip(*words, strict=True))
    out = np.empty(500, np.float32)
    fill_normal(*numbers, out)
    expected = np.sqrt(-2 * np.log1p(-u)) * np.cos(2 * np.pi * v)
    np.testing.assert_allclose(out, expected, rtol=1e-6, atol=1e-6)


def test_units_beyond_the_vector_width_do_not_change_a_number():
    whole = bits(n=70)
    for n in range(1, 70):
        np.testing.assert_array_equal(bits(n=n), whole[:n])


@pytest.mark.parametrize("name", ["seed", "step", "layer", "sample"])
@pytest.mark.parametrize("value", [1, 2, 2**31, 2**32, 2**62, -1])
def test_another_key_gives_other_numbers(name, value):
    # Two words agree by chance once in 2**32.
    assert np.count_nonzero(bits() == bits(**{name: value})) <= 1


def test_arguments_do_not_stand_in_for_each_other():
    keys = {key_of(*(int(i == j) for j in range(4))) for i in range(4)}
    assert len(keys) == 4


@pytest.mark.parametrize("dtype", DTYPES)
def test_dtype_can_be_written_three_ways(dtype):
    if dtype == np.float32:

        @njit
        def draw(x):
            return random_uniform(5, 3, np.float32), random_uniform(5, 3, x[0])
    else:

        @njit
        def draw(x):
            return random_uniform(5, 3, np.float64), random_uniform(5, 3, x[0])

    first, second = draw(np.zeros(1, dtype))
    assert first == second


def _draws(axis):
    """2**20 words along the units of a key, or across one argument's neighbouring values."""
    if axis == "unit":
        return bits(seed=3, n=2**20)
    rows = [bits(**{axis: value}, n=256) for value in range(4096)]
    return np.array(rows).T.ravel()


@pytest.fixture(params=["unit", "seed", "step", "layer", "sample"], scope="module")
def draws(request):
    return _draws(request.param)


def test_every_bit_is_balanced(draws):
    ones = np.array([np.count_nonzero(draws >> np.uint32(bit) & np.uint32(1)) for bit in range(32)])
    assert np.abs(ones - draws.size / 2).max() < 5 * np.sqrt(draws.size / 4)


def test_bytes_and_pairs_of_bytes_are_uniform(draws):
    data = draws.view(np.uint8).reshape(-1, 4)
    for byte in data.T:
        assert stats.chisquare(np.bincount(byte, minlength=256)).pvalue > 1e-6
        # Successive numbers together: a lattice would show.
        pair = byte[1:].astype(np.int64) // 8 * 32 + byte[:-1] // 8
        assert stats.chisquare(np.bincount(pair, minlength=1024)).pvalue > 1e-6


def test_successive_numbers_are_uncorrelated(draws):
    u = draws / 2**32 - 0.5
    for lag in (1, 2, 3, 7, 16, 64, 256, 1024, 4096):
        product = u[lag:] * u[:-lag]
        assert abs(product.mean()) < 5 / 12 / np.sqrt(product.size)


def test_successive_numbers_differ_in_half_their_bits(draws):
    flips = np.unpackbits((draws[1:] ^ draws[:-1]).view(np.uint8)).reshape(-1, 32).sum(axis=1)
    counts = np.bincount(flips, minlength=33)[8:25]
    expected = stats.binom(32, 0.5).pmf(np.arange(8, 25))
    assert counts.sum() > 0.99 * flips.size
    assert stats.chisquare(counts, expected / expected.sum() * counts.sum()).pvalue > 1e-6


def test_one_flipped_bit_of_key_or_unit_flips_each_bit_half_the_time():
    @njit(**OPTIONS)
    def words(keys, units, out):
        for i in range(out.shape[0]):
            out[i] = random_bits(keys[i], units[i])

    rng = np.random.default_rng(0)
    keys = rng.integers(0, 2**64, 20_000, np.uint64)
    units = rng.integers(0, 2**32, 20_000, np.int64)
    before, after = np.empty((2, 20_000), np.uint32)
    words(keys, units, before)
    for bit in range(96):
        key_bit = np.uint64(1 << bit if bit < 64 else 0)
        words(keys ^ key_bit, units ^ (1 << (bit - 64) if bit >= 64 else 0), after)
        flipped = np.unpackbits((before ^ after).view(np.uint8)).reshape(-1, 32).mean(axis=0)
        assert np.abs(flipped - 0.5).max() < 5.5 / 2 / np.sqrt(20_000)


@pytest.mark.parametrize("dtype", DTYPES)
def test_uniform(dtype):
    u = np.empty(2**20, dtype)
    fill_uniform(11, 0, 0, 0, u)
    assert u.min() >= 0
    assert u.max() < 1
    assert abs(u.mean(dtype=np.float64) - 0.5) < 5 / np.sqrt(12 * u.size)
    assert abs(u.var(dtype=np.float64) - 1 / 12) < 5 * np.sqrt(1 / 180 / u.size)
    assert stats.kstest(u.astype(np.float64), "uniform").pvalue > 1e-6
    # All the bits a number of this type in [0.5, 1) can hold are in use.
    last = np.count_nonzero(u[u >= 0.5] / np.finfo(dtype).epsneg % 2)
    assert abs(last / np.count_nonzero(u >= 0.5) - 0.5) < 0.005


@pytest.mark.parametrize("dtype", DTYPES)
def test_normal(dtype):
    z = np.empty(2**20, dtype)
    fill_normal(12, 0, 0, 0, z)
    z = z.astype(np.float64)
    assert abs(z.mean()) < 5 / np.sqrt(z.size)
    assert abs(z.var() - 1) < 5 * np.sqrt(2 / z.size)
    assert abs(np.mean(z[1:] * z[:-1])) < 5 / np.sqrt(z.size)
    assert stats.kstest(z, "norm").pvalue > 1e-6
