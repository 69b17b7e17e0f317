"""Base of readers and codecs, with the checks they share, and the modes of a fit."""

from __future__ import annotations

import importlib
import sys
import warnings
from enum import Enum
from typing import ClassVar

import numpy as np
from sklearn import exceptions


class Part:
    """Base of `InputReader` and `TargetCodec`: parameters and learnt attributes, by name.

    A part is made for each fit; predictions use the parts of the last fit.
    """

    #: Names of the attributes that are learnt, and saved in files.
    LEARNT: ClassVar[tuple[str, ...]] = ()
    #: Learnt attributes that a file must have.
    NEEDED: ClassVar[tuple[str, ...]] = ()
    #: Attributes that the estimator publishes, by the name of the part's attribute.
    PUBLISHED: ClassVar[dict[str, str]] = {}

    def learnt(self):
        """Return the learnt attributes by name."""
        return {name: vars(self)[name] for name in self.LEARNT if name in vars(self)}

    def going_on(self, before):
        """Copy the learnt attributes of another part, if any; return self."""
        if before is not None:
            vars(self).update({n: vars(before)[n] for n in self.LEARNT if n in vars(before)})
        return self

    def take(self, learnt):
        """Set the attributes that `learnt` returned."""
        vars(self).update(learnt)

    def publish(self, estimator):
        """Set the public attributes of the estimator."""
        for own, public in self.PUBLISHED.items():
            if own in vars(self):
                setattr(estimator, public, vars(self)[own])

    def check_loaded(self, estimator):
        """Raise ValueError if learnt attributes from a file contradict each other."""


class FitMode(Enum):
    """Relation of a fit to the last one."""

    FRESH = "new weights"
    WARM = "the weights of the last fit, with a new optimizer"
    RESUMED = "the training of the last fit, as if there had been no interruption"
    ONE_EPOCH = "one more epoch, the first or a later one: partial_fit"

    @property
    def keeps_training(self):
        """True if the optimizer and the history of the last fit are kept."""
        return self in (FitMode.RESUMED, FitMode.ONE_EPOCH)


#: What to do with dates among numbers.
DATES_REMEDY = "turn dates into numbers first, such as year, month and weekday"
#: Rows of a table in the form of a list, or of an array of objects.
_ROWS = (list, tuple, np.ndarray)


def check_some_weight(weights, what, given_by="sample_weight"):
    """Raise ValueError if all weights are zero."""
    if weights is not None and not np.any(weights > 0):
        raise ValueError(
            f"{given_by} is zero for every {what}; give at least one a positive weight."
        )


def check_fits(name, values, dtype):
    """Raise ValueError if finite values are too large for `dtype`."""
    if values.dtype.itemsize <= np.dtype(dtype).itemsize or values.dtype.kind != "f":
        return
    largest = np.finfo(dtype).max
    if values.size and not (values.max() <= largest and values.min() >= -largest):
        raise ValueError(
            f"{name} holds values too large for dtype({dtype!r}); scale {name} or use "
            "dtype='float64'."
        )


def _types_in(row):
    """Return the types of the values of a row, if it is one."""
    if isinstance(row, np.ndarray) and row.dtype.kind != "O":
        return {row.dtype.type}
    return set(map(type, row)) if isinstance(row, _ROWS) else set()


def check_no_dates(X):
    """Raise ValueError if X holds dates, which NumPy would convert to numbers."""
    dtypes = np.ravel(np.asarray(getattr(X, "dtypes", getattr(X, "dtype", None)), dtype=object))
    dates = [dtype for dtype in dtypes if getattr(dtype, "kind", "") in ("m", "M")]
    if dates:
        raise ValueError(f"X has columns of dtype {dates[0]}; {DATES_REMEDY}.")
    # Within lists and objects.
    rows = X if isinstance(X, list | tuple) or getattr(dtypes[0], "kind", "") == "O" else ()
    kinds = set().union(*map(_types_in, rows if isinstance(rows, _ROWS) else ()))
    if found := kinds & {np.datetime64, np.timedelta64}:
        raise ValueError(f"X contains dates ({found.pop().__name__}); {DATES_REMEDY}.")


def is_bytes(X):
    """Return whether X is an array of bytes (uint8), which kernels read directly."""
    return isinstance(X, np.ndarray) and X.dtype == np.uint8


#: Packages whose frames are skipped between the code that warns and the user's line.
_BETWEEN = {"sklearn_nn", "sklearn", "joblib"}


def warn(message, category=UserWarning):
    """Warn at the line that called into this package, directly or through scikit-learn."""
    frame, level = sys._getframe(1), 2
    while frame is not None and frame.f_globals.get("__name__", "").split(".")[0] in _BETWEEN:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level if frame is not None else 2)


#: Name of the version of this package in pickles.
_VERSION = "_sklearn_nn_version"


class InconsistentVersionWarning(exceptions.InconsistentVersionWarning):
    """Warning about an estimator that was pickled by another version of this package.

    It is of scikit-learn's class, so that whoever turns that warning into an error gets one here.
    """

    def __str__(self):
        before, now = self.original_sklearn_version, self.current_sklearn_version
        return (
            f"Trying to unpickle estimator {self.estimator_name} from version {before} of "
            f"sklearn_nn when using version {now}. It may fail, or predict something else: use "
            f"version {before}, or fit it again."
        )


def versioned(kind):
    """Decorate an estimator: its pickles hold this package's version, and another one warns."""
    get_state, set_state = kind.__getstate__, kind.__setstate__

    def version():
        return importlib.import_module("sklearn_nn").__version__

    def with_version(self):
        return {**get_state(self), _VERSION: version()}

    def without_version(self, state):
        state = {**state}
        found = state.pop(_VERSION, version())
        if found != version():
            versions = {"original_sklearn_version": found, "current_sklearn_version": version()}
            warn(InconsistentVersionWarning(estimator_name=type(self).__name__, **versions))
        set_state(self, state)

    kind.__getstate__, kind.__setstate__ = with_version, without_version
    return kind
