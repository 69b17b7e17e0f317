"""Packages that not everybody has installed."""

from __future__ import annotations

import importlib
from typing import Any


def imported(module: str, need: str, extra: str) -> Any:
    """Import and return a module of an optional package.

    Raises ImportError, with the extra that installs the package, if it is absent; `need` begins the
    message, such as "to_onnx needs onnx".
    """
    try:
        return importlib.import_module(module)
    except ImportError as error:
        raise ImportError(f'{need}; install it with: pip install "sklearn_nn[{extra}]"') from error
