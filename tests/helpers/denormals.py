"""Numbers below the smallest normal one, which kernels flush to zero and NumPy keeps."""

import platform

import numpy as np
import pytest

flushes = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64", "arm64", "aarch64"),
    reason="denormal numbers are flushed on x86-64 and 64-bit ARM processors",
)


def is_denormal(array):
    """Return where an array holds a denormal number. Integers are compared, not numbers."""
    whole = array.view(f"int{8 * array.itemsize}")
    limits = np.finfo(array.dtype)
    magnitude = whole & np.iinfo(whole.dtype).max
    return (magnitude > 0) & (magnitude < limits.smallest_normal.view(whole.dtype))


def assert_numpy_keeps_denormals():
    """Check that denormal numbers are written and read by this thread's arithmetic."""
    for dtype in ("float32", "float64"):
        smallest = np.finfo(dtype).smallest_normal
        small = np.full(3, smallest)
        assert is_denormal(small / 8).all()
        np.testing.assert_array_equal(small / 8 * 8, small)
