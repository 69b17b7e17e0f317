"""Denormal numbers: zero within kernels, in every thread, and as before for the caller."""

import numpy as np
import pytest

from helpers.denormals import assert_numpy_keeps_denormals, flushes, is_denormal
from helpers.parametrize import dtypes
from sklearn_nn.jit.kernel import Kind, kernel, like
from sklearn_nn.jit.team import Team

SCALE = Kind(
    "scale_rows", part="int64", parts="int64", sync="int64[:]",
    factor="float64", x="const real[:,:]", y="real[:,:]",
)  # fmt: skip


@kernel(SCALE)
def scale_rows(part, parts, sync, factor, x, y):
    """Scale every row once, by its owner."""
    for i in range(part, x.shape[0], parts):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] * like(x[i, j], factor)


def constant(value, dtype):
    x = np.full((6, 37), value, dtype)
    x.flags.writeable = False
    return x


@flushes
@dtypes
@pytest.mark.parametrize("parts", [1, 2, 3])
def test_kernels_read_and_write_denormals_as_zero(dtype, parts):
    smallest = np.finfo(dtype).smallest_normal
    normal, denormal = constant(smallest, dtype), constant(smallest / 8, dtype)
    assert is_denormal(denormal).all()
    for x, factor in ((normal, 0.125), (denormal, 1024.0)):
        y = np.full_like(x, np.nan)
        Team(parts).run(scale_rows.entry(dtype), factor, x, y)
        assert (y == 0).all()
        assert_numpy_keeps_denormals()
        scale_rows(0, 1, np.zeros(64, np.int64), factor, x, np.full_like(x, np.nan))
        assert_numpy_keeps_denormals()
    y = np.full_like(normal, np.nan)
    Team(parts).run(scale_rows.entry(dtype), 2.0, normal, y)
    np.testing.assert_array_equal(y, 2 * normal)


@dtypes
def test_an_entry_refuses_other_types(dtype):
    """Also those of the other real type, for which there is an entry of its own."""
    run, sync = scale_rows.entry(dtype), np.zeros(64, np.int64)
    assert scale_rows.entry(dtype) is run
    other = "float32" if dtype == "float64" else "float64"
    scale_rows.entry(other)
    x, y = constant(1, dtype), np.zeros((6, 37), dtype)
    for wrong in (constant(1, other), x[0], x.T, constant(1, "int64")):
        with pytest.raises(TypeError, match="No matching definition"):
            run(0, 1, sync, 2.0, wrong, y)
    with pytest.raises(TypeError, match="No matching definition"):
        run(0, 1, sync, 2.0, x, x)
    with pytest.raises(TypeError, match="No matching definition"):
        run(0, 1, sync, 2.0, x)
    assert not y.any()
    run(0, 1, sync, 2.0, x, y)
    assert (y == 2).all()
