"""A fit that raises leaves the estimator as it was."""

from __future__ import annotations

import contextlib

import numpy as np

#: Attributes that exist only while a fit is under way.
OF_A_FIT = ("_callback_data", "_descent_before", "_first_rows", "_stopped_by", "_subtasks")


class DivergenceError(ValueError):
    """Training came to numbers that are infinite or NaN."""


@contextlib.contextmanager
def all_or_nothing(estimator):
    """Restore the estimator if an error is raised within.

    Weights are trained in buffers of their own; what training changes in place, the optimizer and
    the history, is put back. Two endings are kept, since their results stand for themselves:
    training that diverged, as it was before that epoch; and training that was stopped by an error
    in a callback or by an interrupt, as it is.
    """
    before = estimator.__dict__.copy()
    history, generator = before.get("_history"), before.get("random_state")
    mark = None if history is None else history.mark()
    is_generator = isinstance(generator, np.random.RandomState)
    drawn = generator.get_state() if is_generator else None
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
            if is_generator:
                generator.set_state(drawn)
        raise
    finally:
        for name in OF_A_FIT:
            estimator.__dict__.pop(name, None)
