"""@kernel: fixed types, called from Python and by address, in both real types."""

import pickle
import threading

import numpy as np
import pytest
from joblib.externals.loky.backend.reduction import dumps
from numba import njit

from sklearn_nn.jit import njit as decorate
from sklearn_nn.jit.host import OPTIONS
from sklearn_nn.jit.kernel import Kernel, Kind, invoke, kernel, like, real, real_bits
from sklearn_nn.layers.base import owned_rows
from sklearn_nn.network.source import gather_dense

DTYPES = ("float32", "float64")
SCALE = Kind("scale", factor="float64", n="int64", x="const real[:,:]", y="real[:,:]")

dtypes = pytest.mark.parametrize("dtype", DTYPES)


@kernel(SCALE)
def scaled(factor, n, x, y):
    """y = factor x + n."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] * like(x[i, j], factor) + n


@njit(**OPTIONS)
def by_address(address, factor, n, x, y):
    invoke(address, (factor, n, x, y))


def arrays(dtype):
    x = np.arange(6, dtype=dtype).reshape(2, 3)
    frozen = x.view()
    frozen.flags.writeable = False
    return frozen, np.full((2, 3), np.nan, dtype)


@dtypes
def test_call_from_python(dtype):
    x, y = arrays(dtype)
    scaled(0.5, 2, x, y)
    np.testing.assert_array_equal(y, x / 2 + 2)
    scaled(1.5, 0, x.copy(), y)  # what may be written may be read
    np.testing.assert_array_equal(y, 1.5 * x)


@dtypes
def test_call_by_address(dtype):
    x, y = arrays(dtype)
    by_address(scaled.address(dtype), 0.5, 2, x, y)
    np.testing.assert_array_equal(y, x / 2 + 2)
    assert scaled.address(dtype) == scaled.address(dtype)
    assert scaled.address("float32") != scaled.address("float64")


@dtypes
def test_other_types_are_an_error(dtype):
    """And no reason to compile once more."""
    x, y = arrays(dtype)
    scaled(1.0, 0, x, y)
    before = {**scaled._addresses}
    other = y.astype("float64" if dtype == "float32" else "float32")
    for wrong in [(1.0, 0, x, other), (1.0, 0, x, y.T), (1.0, 0, x, y[0]), (1.0, 0, x, x)]:
        with pytest.raises(TypeError):
            scaled(*wrong)
    assert scaled._addresses == before
    with pytest.raises(KeyError):
        scaled(1.0, 0, x.astype("int64"), y.astype("int64"))


def test_signature():
    text = str(SCALE.signature("float32"))
    assert text.startswith("(float64, int64, ")
    assert text.endswith("-> none")
    double = SCALE.signature("float64").args
    assert not double[2].mutable
    assert double[3].mutable
    assert [a.dtype.bitwidth for a in double[2:]] == [64, 64]
    assert [a.dtype.bitwidth for a in SCALE.signature("float32").args[2:]] == [32, 32]
    with pytest.raises(KeyError):
        SCALE.signature("float16")


def test_names():
    assert scaled.name == "test_kernel.scaled"
    assert scaled.__doc__ == "y = factor x + n."
    assert kernel(SCALE, name="other")(scaled.function).name == "other"


@kernel(SCALE)
def doubled(factor, n, x, y):
    """y = 2 factor x + n, by a function of this file."""
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            y[i, j] = twice(x[i, j]) * like(x[i, j], factor) + n


@decorate()
def twice(x):
    return 2 * x


def test_this_packages_kernels_and_functions_are_pickled_by_name():
    for thing in (gather_dense, like, owned_rows):
        assert pickle.loads(pickle.dumps(thing)) is thing
        assert pickle.loads(dumps(thing)) is thing


def test_a_users_kernel_is_pickled_with_its_code():
    """As to another process, which may not have its file: the entry in the cache is the same."""
    x, y = arrays("float64")
    doubled(0.5, 1, x, y)
    made = pickle.loads(dumps(doubled))
    assert made is not doubled
    assert (made.name, made.__doc__) == (doubled.name, doubled.__doc__)
    assert made._cache.source == doubled._cache.source
    assert made.function.__globals__["like"] is like
    assert made.function.__globals__["twice"] is not twice
    other = np.empty_like(y)
    made(0.5, 1, x, other)
    np.testing.assert_array_equal(y, other)
    assert (made._cache.hits, made._cache.misses) == (1, 0)
    apart = pickle.loads(dumps(made.function.__globals__["twice"]))
    assert apart(4) == twice(4) == 8


def test_plain_pickle_does_not_find_a_users_kernel():
    with pytest.raises(pickle.PicklingError, match=r"not the same object as test_kernel\.scaled"):
        pickle.dumps(scaled)


def test_first_need_of_many_threads():
    """One compilation, and the same address for all."""

    def fresh(factor, n, x, y):
        y[0, 0] = factor

    made, addresses, obtained = Kernel(fresh, SCALE, "test_kernel.fresh"), [], []
    plain = made._obtained
    made._obtained = lambda dtype: obtained.append(dtype) or plain(dtype)
    threads = [
        threading.Thread(target=lambda: addresses.append(made.address("float64"))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 8
    assert len(set(addresses)) == 1
    assert obtained == ["float64"]


def test_numbers_travel_as_bits():
    @njit(**OPTIONS)
    def back(bits):
        return real(bits)

    for value in (0.0, -0.0, 1.0, -1.5, 1 / 3, 1e-310, 1e308, np.inf, -np.inf):
        assert np.float64(back(real_bits(value))).tobytes() == np.float64(value).tobytes()
    assert np.isnan(back(real_bits(np.nan)))


def test_like_takes_the_type_of_its_example():
    @njit(**OPTIONS)
    def third(x):
        return like(x, 1 / 3)

    assert third(np.float64(2)) == 1 / 3
    single = third(np.float32(2))
    assert single == np.float32(1 / 3)
    assert third.nopython_signatures[-1].return_type.bitwidth == 32


def test_a_division_by_zero_does_not_raise():
    """Kernels never raise: what comes is NaN or infinity."""

    @kernel(SCALE, name="test_kernel.ratio")
    def ratio(factor, n, x, y):
        y[0, 0] = factor / n
        y[0, 1] = x[0, 0] / x[0, 0]

    x, y = arrays("float64")
    ratio(1.0, 0, x, y)
    assert y[0, 0] == np.inf
    assert np.isnan(y[0, 1])
