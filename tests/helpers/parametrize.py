"""Parameters that many tests share."""

import pytest

DTYPES = ("float32", "float64")
dtypes = pytest.mark.parametrize("dtype", DTYPES)


def names(rows):
    """Return the test ids of a table."""
    return [row.name for row in rows]
