"""Denormal numbers: zero within kernels, in every thread, and as before for the caller."""

import numpy as np
import pytest

from helpers.denormals import assert_numpy_keeps_denormals, flushes, is_denormal
from helpers.parametrize import dtypes
from sklearn_nn.jit.driver import Driver, Frame, Layout
from sklearn_nn.jit.kernel import Kind, kernel, like
from sklearn_nn.jit.team import Team

ARRAYS = {"factor": "float64", "x": "const real[:,:]", "y": "real[:,:]"}
SCALE = Kind("scale_rows", part="int64", parts="int64", **ARRAYS)
LAYOUT = Layout(Kind("scaling", **ARRAYS, kernel_at="int64"))
call_scale, frame_at = LAYOUT.caller(SCALE), LAYOUT.reader()


@kernel(SCALE)
def scale_rows(part, parts, factor, x, y):
    """Scale every row once, by its owner."""
    for i in range(part, x.shape[0], parts):
        for j in range(x.shape[1]):
            y[i, j] = x[i, j] * like(x[i, j], factor)


def scale(part, parts, sync, frame):
    f = frame_at(frame)
    call_scale(f.kernel_at, f, (part, parts))


SCALING = Driver(scale)


def run(parts, factor, x, y):
    at = scale_rows.address(x.dtype.name)
    Team(parts).run(SCALING.run, Frame(LAYOUT, x.dtype.name, kernel_at=at, factor=factor, x=x, y=y))


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
        run(parts, factor, x, y)
        assert (y == 0).all()
        assert_numpy_keeps_denormals()
        scale_rows(0, 1, factor, x, np.full_like(x, np.nan))
        assert_numpy_keeps_denormals()
    y = np.full_like(normal, np.nan)
    run(parts, 2.0, normal, y)
    np.testing.assert_array_equal(y, 2 * normal)
