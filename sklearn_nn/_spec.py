"""Spec: a named bundle of hyperparameters; and how any object keeps its parameters."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator


def plain(value: Any) -> Any:
    """Return Python's own value for a NumPy scalar, also within lists, tuples and dicts.

    Parameters
    ----------
    value : object
        Whatever a parameter may be.

    Returns
    -------
    value : object
        A bool, int, float or str in the place of NumPy's; the object itself where it holds none.
    """
    if isinstance(value, np.generic):
        return _plain_scalar(value)
    kind = type(value)
    if kind is list or kind is tuple:
        items = [plain(item) for item in value]
        is_plain = all(new is old for new, old in zip(items, value, strict=True))
        return value if is_plain else kind(items)
    if kind is dict:
        entries = {key: plain(item) for key, item in value.items()}
        return value if all(entries[key] is item for key, item in value.items()) else entries
    return value


def _plain_scalar(value: np.generic) -> Any:
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, np.timedelta64):  # a whole number to NumPy, and none to a parameter
        return value
    if isinstance(value, np.integer):
        return int(value)
    if isinstance(value, np.floating):
        return float(value)
    return str(value) if isinstance(value, np.str_) else value


@functools.cache
def _parameters_of(kind: Any) -> frozenset[str]:
    """Return the names of a class's parameters; none where its `__init__` takes any."""
    try:
        return frozenset(kind._get_param_names())
    except RuntimeError:
        return frozenset()


class PlainParameters:
    """Mixin: parameters are kept as values of Python's own.

    A search over `scipy.stats.randint` or `np.logspace` sets NumPy scalars, which are no instances
    of int or bool, overflow at the size of their type, and make float32 arithmetic of float64.
    They are replaced where a parameter is set, whether by `__init__`, `set_params` or by name, so
    that nothing that reads one has to think of them.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        # What is learnt, with an underscore before or behind its name, is left as it is.
        if isinstance(value, np.generic | list | tuple | dict) and "_" not in (name[0], name[-1]):
            kind: Any = type(self)
            value = plain(value) if name in _parameters_of(kind) else value
        super().__setattr__(name, value)


class Spec(PlainParameters, BaseEstimator):
    """Hyperparameters and nothing else: layers, optimizers, schedules and initializers are Specs.

    A Spec clones, prints, pickles and nests in a parameter grid like any scikit-learn estimator;
    two Specs of one class with equal parameters are equal. What is learnt or computed from it
    lives elsewhere.
    """

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        return bool(self.get_params() == other.get_params())

    def __hash__(self) -> int:
        return hash((type(self), repr(self)))
