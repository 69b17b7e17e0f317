"""Fits that fail leave the estimator as it was."""

from __future__ import annotations

import contextlib

import numpy as np

from sklearn_nn.estimators._core.endings import DivergenceError

#: Attributes that exist only during a fit.
OF_A_FIT = (
    "_callback_data", "_descent_before", "_first_rows", "_network_name", "_stopped_by", "_subtasks",
)  # fmt: skip


@contextlib.contextmanager
def all_or_nothing(estimator):
    """Restore the estimator if an error is raised within.

    The optimizer and the history are changed in place, and are put back. Two results are kept:
    that of training that diverged, as it was before that epoch, and that of training that a
    callback's error or an interrupt has stopped.
    """
    before = estimator.__dict__.copy()
    history, generator = before.get("_history"), before.get("random_state")
    mark = None if history is None else history.mark()
    drawn = generator.get_state() if isinstance(generator, np.random.RandomState) else None
    try:
        yield
    except BaseException as error:
        stopped = estimator.__dict__.get("_stopped_by") is error
        if not stopped and not isinstance(error, DivergenceError):
            descent = estimator.__dict__.get("_descent_before")
            estimator.__dict__ = before
            if descent is not None:
                vars(before["_optimizer"]).update(vars(descent))
            if history is not None:
                history.back_to(mark)
            if drawn is not None:
                generator.set_state(drawn)
        raise
    finally:
        for name in OF_A_FIT:
            estimator.__dict__.pop(name, None)
