"""First-order optimizers, and the table of those that estimators accept by name.

Each is a kernel over flat vectors and a class; `base` defines the interface. A class with a `name`
enters the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_nn._spec import named_classes
from sklearn_nn.training.optimizers import adam, adaptive, momentum
from sklearn_nn.training.optimizers.adam import *
from sklearn_nn.training.optimizers.adaptive import *
from sklearn_nn.training.optimizers.base import Optimizer
from sklearn_nn.training.optimizers.momentum import *

__all__ = ["Optimizer", *adam.__all__, *adaptive.__all__, *momentum.__all__]

#: Optimizers by name.
OPTIMIZERS = {kind.name: kind for kind in named_classes(Optimizer, momentum, adam, adaptive)}


def get_optimizer(solver: str | Optimizer, parameters: Mapping[str, Any]) -> Optimizer:
    """Return the optimizer of this name with the estimator's `parameters` that it shares.

    An `Optimizer` is returned unchanged; an unknown name raises ValueError.
    """
    if isinstance(solver, Optimizer):
        return solver
    if not isinstance(solver, str) or solver not in OPTIMIZERS:
        known = ", ".join(OPTIMIZERS)
        raise ValueError(f"solver={solver!r} is not known; use one of {known}, or an Optimizer.")
    made = OPTIMIZERS[solver]
    shared = {own: parameters[name] for own, name in made.shares.items() if name in parameters}
    return made(**shared)
