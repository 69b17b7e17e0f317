"""NumPy's scalars of the same value as one of Python's."""

import numpy as np

_WHOLE = (np.int8, np.uint8, np.int16, np.uint16, np.int32, np.uint32, np.int64, np.uint64)
_REAL = (np.float16, np.float32, np.float64, np.longdouble)


def twins(value):
    """Return every NumPy scalar that equals a value of Python; of a list or tuple, all in one."""
    if isinstance(value, bool):
        return [np.bool_(value)]
    if isinstance(value, int):
        fitting = [t for t in _WHOLE if np.iinfo(t).min <= value <= np.iinfo(t).max]
        return [t(value) for t in fitting]
    if isinstance(value, float):
        with np.errstate(over="ignore"):
            return [twin for twin in (t(value) for t in _REAL) if float(twin) == value]
    if isinstance(value, str):
        return [np.str_(value)]
    if isinstance(value, list | tuple) and value:
        each = [twins(item) or [item] for item in value]
        return [type(value)(of[k % len(of)] for of in each) for k in range(max(map(len, each)))]
    return []


def is_plain(value):
    """Return whether a value holds no NumPy scalar."""
    if isinstance(value, list | tuple):
        return all(map(is_plain, value))
    if isinstance(value, dict):
        return all(map(is_plain, value.values()))
    return not isinstance(value, np.generic)
