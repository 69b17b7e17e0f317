"""Where in the user's code a warning points to."""

from __future__ import annotations

import sys

#: Packages whose lines are not the user's.
_OWN = ("sklearn_nn", "sklearn")


def stacklevel_of_user():
    """The `stacklevel` with which a warning by the caller names the user's line.

    It is not the same for all calls: those of partial_fit lie deeper where an iterable is read.
    """
    frame, level = sys._getframe(1), 1
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _OWN:
        frame, level = frame.f_back, level + 1
    return level
