"""Learning-rate schedules, and the table of those that estimators accept by name.

`base` defines the interface, `by_epoch` the schedules that change the rate between epochs and
`by_step` those with a factor for each batch. A class with a `name` enters the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sklearn_nn._spec import named_classes
from sklearn_nn.training.schedules import by_epoch, by_step
from sklearn_nn.training.schedules.base import ByStep as ByStep
from sklearn_nn.training.schedules.base import Progress as Progress
from sklearn_nn.training.schedules.base import Schedule
from sklearn_nn.training.schedules.by_epoch import *
from sklearn_nn.training.schedules.by_step import *

__all__ = ["Schedule", *by_epoch.__all__, *by_step.__all__]

#: Schedules by name.
SCHEDULES = {kind.name: kind for kind in named_classes(Schedule, by_epoch, by_step)}


def get_schedule(learning_rate: Any, parameters: Mapping[str, Any]) -> Schedule:
    """Return the schedule that an estimator's `learning_rate` stands for.

    A name selects a class, which takes from `parameters` those that it shares; a `Schedule` is
    returned unchanged; a function of the epoch becomes a `Function`. Others raise ValueError.
    """
    if isinstance(learning_rate, Schedule):
        return learning_rate
    if isinstance(learning_rate, str) and learning_rate in SCHEDULES:
        kind = SCHEDULES[learning_rate]
        return kind(**{name: parameters[name] for name in kind.shared if name in parameters})
    if callable(learning_rate) and not isinstance(learning_rate, type):
        return by_step.Function(learning_rate)
    raise ValueError(
        f"learning_rate={learning_rate!r} is not known; use one of {', '.join(SCHEDULES)}, "
        f"a schedule object or a function of the epoch."
    )
