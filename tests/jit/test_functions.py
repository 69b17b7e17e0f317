"""Elementary functions: accuracy, special values, and the same bits in every loop."""

import math
import re

import numpy as np
import pytest
from numba import njit
from numba.core.errors import TypingError
from scipy import special

from sklearn_nn.jit import functions
from sklearn_nn.jit.host import OPTIONS

NAMES = (
    "exp", "expm1", "log", "log1p", "tanh", "sigmoid", "softplus", "erf", "cos_turns", "sin_turns",
)  # fmt: skip
DTYPES = (np.float32, np.float64)
INF, NAN = math.inf, math.nan


def _loop(name, **options):
    """A jitted loop that fills y with the function of x, compiled as kernels are by default."""
    source = f"def loop(x, y):\n    for i in range(x.shape[0]):\n        y[i] = {name}(x[i])\n"
    namespace = {name: getattr(functions, name)}
    exec(source, namespace)
    return njit(**(OPTIONS | options))(namespace["loop"])


LOOPS = {name: _loop(name) for name in NAMES}


def apply(name, x):
    y = np.full_like(x, 7)
    LOOPS[name](x, y)
    return y


def oracle(name, x):
    """The function in extended precision (float64 for erf)."""
    x = x.astype(np.longdouble)
    with np.errstate(all="ignore"):
        if name == "sigmoid":
            return 1 / (1 + np.exp(-x))
        if name == "softplus":
            return np.maximum(x, 0) + np.log1p(np.exp(-np.abs(x)))
        if name in ("cos_turns", "sin_turns"):
            rest, turn = x - np.rint(x), 8 * np.arctan(np.longdouble(1))
            if name == "cos_turns":
                return np.sin(turn * (0.25 - np.abs(rest)))
            return np.sin(turn * np.minimum(np.abs(rest), 0.5 - np.abs(rest))) * np.sign(rest)
        if name == "erf":
            return special.erf(x.astype(np.float64)).astype(np.longdouble)
        return getattr(np, name)(x)


def inputs(name, dtype):
    """Numbers of every size and sign in the function's domain, and many of ordinary size."""
    rng = np.random.default_rng(0)
    digits = 300 if dtype == np.float64 else 37
    sizes = 10.0 ** rng.uniform(-digits, digits, 20_000)
    x = np.concatenate([sizes, -sizes, 10.0 ** rng.uniform(-4, 0, 20_000)])
    x = np.concatenate([x, rng.uniform(-3, 3, 50_000), rng.uniform(-750, 750, 50_000)])
    x = np.concatenate([x, 1 + x[np.abs(x) < 1]]).astype(dtype)
    return x[x > {"log": 0, "log1p": -1}.get(name, -INF)]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_accuracy(name, dtype):
    x = inputs(name, dtype)
    y, exact = apply(name, x), oracle(name, x)
    info = np.finfo(dtype)
    with np.errstate(over="ignore"):
        rounded = exact.astype(dtype)
    np.testing.assert_array_equal(np.isinf(y), np.isinf(rounded))
    assert y.dtype == dtype
    assert np.all(np.abs(y[np.abs(exact) < info.tiny]) <= info.tiny)
    normal = np.isfinite(rounded) & (np.abs(exact) >= info.tiny)
    error = np.abs(y[normal] - exact[normal]) / np.abs(exact[normal])
    limit = 4e-7 if dtype == np.float32 else 4e-15 if name == "erf" else 1e-15
    assert error.max() <= limit, x[normal][error.argmax()]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("name", "x", "expected"),
    [
        ("exp", [INF, -INF, 0, 1e30, -1e30, -800], [INF, 0, 1, INF, 0, 0]),
        ("expm1", [INF, -INF, 0, 1e30, -1e30], [INF, -1, 0, INF, -1]),
        ("log", [INF, 0, -0.0, 1, -1e-30, -1, -INF], [INF, -INF, -INF, 0, NAN, NAN, NAN]),
        ("log1p", [INF, -1, 0, -1.5, -1e30, -INF], [INF, -INF, 0, NAN, NAN, NAN]),
        ("tanh", [INF, -INF, 0, 1e30, -1e30, 30], [1, -1, 0, 1, -1, 1]),
        ("sigmoid", [INF, -INF, 0, 800, -800], [1, 0, 0.5, 1, 0]),
        ("softplus", [INF, -INF, 1e30, -1e30], [INF, 0, 1e30, 0]),
        ("erf", [INF, -INF, 0, 1e30, -1e30, 7], [1, -1, 0, 1, -1, 1]),
        ("cos_turns", [INF, -INF, 0, 0.25, -0.5, 3, 1e30], [NAN, NAN, 1, 0, -1, 1, 1]),
        ("sin_turns", [INF, -INF, 0, 0.25, -0.75, 0.5, 1e30], [NAN, NAN, 0, 1, 1, 0, 0]),
    ],
)
def test_special_values(name, x, expected, dtype):
    y = apply(name, np.array(x, dtype))
    # exp(-800) and its like are subnormal at most.
    np.testing.assert_allclose(y, np.array(expected, dtype), rtol=0, atol=np.finfo(dtype).tiny)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_nan_gives_nan_whatever_its_bits(name, dtype):
    integer = np.uint32 if dtype == np.float32 else np.uint64
    bits = np.array([np.nan, -np.nan], dtype).view(integer)
    payloads = np.arange(60, dtype=integer)
    x = np.concatenate([bits[0] + payloads, bits[1] + payloads]).view(dtype)
    assert np.isnan(x).all()
    assert np.isnan(apply(name, x)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_an_element_has_the_same_bits_in_any_loop(name, dtype):
    rng = np.random.default_rng(1)
    x = np.concatenate([rng.uniform(-9, 9, 60), [NAN, INF, -INF, 0, -0.0, 1, -1, 95, -95, 1e-20]])
    x = rng.permutation(x).astype(dtype)
    alone = np.concatenate([apply(name, x[i : i + 1]) for i in range(len(x))])
    for length in range(1, len(x) + 1):
        together = apply(name, x[:length])
        np.testing.assert_array_equal(together, alone[:length])
        numbers = ~np.isnan(together)
        assert together[numbers].tobytes() == alone[:length][numbers].tobytes()


@pytest.mark.parametrize("fastmath", [False, {"contract", "nsz", "arcp", "afn", "reassoc"}])
@pytest.mark.parametrize("name", ["exp", "log1p", "tanh", "erf"])
def test_a_kernels_flags_change_no_bit(name, fastmath):
    loop = _loop(name, fastmath=fastmath)
    for dtype in DTYPES:
        x = inputs(name, dtype)
        y = np.empty_like(x)
        loop(x, y)
        np.testing.assert_array_equal(y, apply(name, x))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", NAMES)
def test_loops_vectorise(name, dtype):
    x = np.zeros(1, dtype)
    apply(name, x)
    assembly = next(c for s, c in LOOPS[name].inspect_asm().items() if s[0].dtype.name == x.dtype)
    if not re.search(r"fn?m(add|sub|la|ls)", assembly):
        pytest.skip("this processor has no fused multiply-add: it is a call, which stays scalar")
    kind = "float" if dtype == np.float32 else "double"
    code = next(c for s, c in LOOPS[name].inspect_llvm().items() if s[0].dtype.name == x.dtype)
    assert re.search(rf"call .*<\d+ x {kind}> @llvm\.fma", code)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["exp", "tanh", "sigmoid", "softplus", "erf", "expm1", "log"])
def test_never_steps_back(name, dtype):
    # Rising up to rounding, and bounded: code that takes 1 - y**2 or log(y) relies on it.
    x = np.linspace(0.0 if name == "log" else -20, 20, 100_001).astype(dtype)
    y = apply(name, x)
    slack = 4 * np.finfo(dtype).eps * np.maximum(np.abs(y[1:]), np.abs(y[:-1]))
    assert np.all((y[1:] >= y[:-1]) | (y[:-1] - y[1:] <= slack))
    if name in ("tanh", "erf", "sigmoid"):
        assert np.abs(y).max() <= 1


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["tanh", "erf"])
def test_odd_functions_are_odd(name, dtype):
    x = np.linspace(-10, 10, 1001).astype(dtype)
    np.testing.assert_array_equal(apply(name, -x), -apply(name, x))


@pytest.mark.parametrize("dtype", DTYPES)
def test_fma_rounds_once(dtype):
    fma = functions.fma

    @njit(**OPTIONS)
    def apply_fma(a, b, c):
        return fma(a, b, c)

    a = dtype(1) + np.finfo(dtype).eps
    # (1 + eps)**2 - (1 + 2 eps) = eps**2, which a rounded product loses.
    assert apply_fma(a, a, -(a + np.finfo(dtype).eps)) == np.finfo(dtype).eps ** 2


def test_fma_refuses_mixed_types():
    fma = functions.fma

    @njit
    def mixed(a, b):
        return fma(a, a, b)

    with pytest.raises(TypingError):
        mixed(np.float32(1), 1.0)
