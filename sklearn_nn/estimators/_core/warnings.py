"""Warnings that point to a line of the user's."""

from __future__ import annotations

import sys
import warnings

#: What stands between a user's line and the code that warns.
_BETWEEN = {"sklearn_nn", "sklearn", "joblib"}


def warn(message, category=UserWarning):
    """Warn of the line that called into this package, directly or through scikit-learn.

    How many calls lie between differs: a prediction may come from a pipeline, a score or a display.

    Parameters
    ----------
    message : str
    category : type, default=UserWarning
    """
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level if frame is not None else 2)
