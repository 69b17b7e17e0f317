"""Failures of the system, one for each step of writing a checkpoint."""

import builtins
import errno
import itertools
import os

import numpy as np


def failing(function, at, number):
    """Return the function, whose call number `at` fails."""
    calls = itertools.count(1)

    def fails(*args, **kwargs):
        if next(calls) == at:
            raise OSError(number, os.strerror(number))
        return function(*args, **kwargs)

    return fails


def raising(error):
    """Return a function that raises an error."""

    def raises(*_, **__):
        raise error

    return raises


def half_written(file, *_, **__):
    """Write an array to a disk that gets full."""
    file.write(b"half of it")
    raise NO_SPACE


NO_SPACE = OSError(errno.ENOSPC, "No space left on device")
STEPS = {
    "stat": (os, "stat", raising(OSError(errno.EIO, "Input/output error"))),
    "open": (builtins, "open", raising(PermissionError(errno.EACCES, "Permission denied"))),
    "write": (np.lib.format, "write_array", half_written),
    "fsync": (os, "fsync", raising(NO_SPACE)),
    "replace": (os, "replace", raising(NO_SPACE)),
    "no number": (os, "replace", raising(OSError("lost"))),
    "Ctrl-C": (os, "fsync", raising(KeyboardInterrupt)),
}
