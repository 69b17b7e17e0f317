"""A fit that raises leaves the estimator as it was."""

from __future__ import annotations

import contextlib

import numpy as np

#: What a fit keeps on the estimator while it is under way.
OF_A_FIT = (
    "_callback_data",
    "_descent_before",
    "_first_rows",
    "_is_read",
    "_stopped_by",
    "_subtasks",
)


class DivergenceError(ValueError):
    """Training came to numbers that are infinite or NaN."""


class AllOrNothing:
    """Mixin: training publishes all of its results, or none.

    Weights are trained in buffers of their own. What a training changes that it goes on with is put
    back: the optimizer, and the history, which grows with every epoch.
    """

    @contextlib.contextmanager
    def _all_or_nothing(self):
        """Undo what is done within if that raises an error.

        Two endings leave results that stand for themselves, and are kept: training that has
        diverged, as it was before that epoch; and training that was stopped from outside, by an
        error in a callback or by an interrupt, as it is.
        """
        before = self.__dict__.copy()
        history, generator = before.get("_history"), before.get("random_state")
        mark = None if history is None else history.mark()
        is_generator = isinstance(generator, np.random.RandomState)
        drawn = generator.get_state() if is_generator else None
        try:
            yield
        except BaseException as error:
            stopped = self.__dict__.get("_stopped_by") is error
            if not stopped and not isinstance(error, DivergenceError):
                descent = self.__dict__.get("_descent_before")
                self.__dict__ = before
                if descent is not None:
                    vars(before["_optimizer"]).update(vars(descent))
                if history is not None:
                    history.back_to(mark)
                if is_generator:
                    generator.set_state(drawn)
            raise
        finally:
            for name in OF_A_FIT:
                self.__dict__.pop(name, None)
