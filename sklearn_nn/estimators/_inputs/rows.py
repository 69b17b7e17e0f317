"""How an estimator reads X: checked by scikit-learn, and in the machine's form."""

from __future__ import annotations

import contextlib
import math

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils import check_consistent_length, column_or_1d
from sklearn.utils.validation import _check_y, validate_data

from sklearn_nn.estimators._core.warnings import warn
from sklearn_nn.estimators._inputs.advice import about_cells, about_rows, advising, is_about_cells
from sklearn_nn.estimators._inputs.encoding import (
    check_fits,
    check_no_dates,
    encode_rows,
    in_planes,
    is_bytes,
    row_blocks,
)
from sklearn_nn.estimators._inputs.sequences import Sequences

_SPARSE_FORMATS = ("csr", "csc")
#: What `validate_data` takes where there is no y to look at.
NO_TARGET = "no_validation"


def _is_no_target(y):
    return isinstance(y, str) and y == NO_TARGET


@contextlib.contextmanager
def _missing_values_told(what):
    """A TypeError about pd.NA becomes a ValueError that says what holds it."""
    try:
        yield
    except TypeError as error:
        if "NA is ambiguous" not in str(error):
            raise
        message = f"{what} contains missing values (pd.NA); fill or drop them first."
        raise ValueError(message) from error


def _column(y):
    """y; a single column as a vector, of which scikit-learn warns."""
    if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
        return column_or_1d(y, warn=True)
    return y


class Reading:
    """Mixin: X and y of fit, X of predict. No array that the machine can read is copied."""

    def _flatten(self, X, *, reset):
        """X as rows, one a sample, and the number of planes that a row holds one after another.

        With `reset`, the shape of a sample is learnt.
        """
        return X, 1

    def _sequences(self, X, *, reset):
        """X as `Sequences`, where it holds some that are no rows of equal length; else None."""
        return

    def _byte_divisor(self):
        """What bytes (uint8) are divided by before the first layer reads them."""
        return 1

    def _advice(self, X, message):
        """What to say in the place of an error about X that does not say what to do; else None."""
        if not is_about_cells(message):
            return None
        owner = type(self).__name__
        return about_cells(X, owner, takes_sequences=False) or about_rows(X, owner)

    def _look_at_units(self, X, are_bytes, *, reset):
        """Learn in which units X, checked, comes; or warn where it comes in others."""

    def _remark(self, message):
        """Warn of what X looks like: once in a fit, whose restarts read X again."""
        if "_is_read" not in vars(self):
            warn(message)

    def _validate(self, X, y, *, reset):
        """X and y checked, X in float64, float32, or bytes if it came as such; or as `Sequences`.

        Rows of several planes get an axis for these. A y of `NO_TARGET` is not looked at.
        """
        sequences = self._sequences(X, reset=reset)
        if sequences is not None:
            y = self._validate_target(y, sequences)
            self._look_at_units(sequences, sequences.are_bytes, reset=reset)
            return sequences, y
        check_no_dates(X)
        given = X
        X, planes = self._flatten(X, reset=reset)
        advised = advising(lambda message: self._advice(given, message))
        with _missing_values_told("Input"), advised:
            found = validate_data(
                self,
                X,
                y,
                accept_sparse=_SPARSE_FORMATS,
                **({} if _is_no_target(y) else self._of_target()),
                dtype="numeric" if is_bytes(X) else (np.float64, np.float32),
                reset=reset,
            )
        X, y = (found, y) if _is_no_target(y) else (found[0], self._as_target(found[1]))
        self._look_at_units(X, is_bytes(X), reset=reset)
        return in_planes(X, planes), y

    def _of_target(self):
        """How scikit-learn is to check y."""
        return {"multi_output": True, "y_numeric": is_regressor(self)}

    def _validate_target(self, y, sequences):
        """y checked, beside sequences."""
        if _is_no_target(y):
            return y
        if y is None:
            raise ValueError(
                f"This {type(self).__name__} estimator requires y to be passed, but the target y "
                "is None."
            )
        with _missing_values_told("Input y"):
            y = _check_y(y, estimator=self, **self._of_target())
        if sequences is not None:
            check_consistent_length(sequences, y)
        return self._as_target(y)

    def _as_target(self, y):
        """y as a fit takes it: a single column as a vector, numbers in float64 and C order.

        So the same numbers have the same means and scores to the last bit, in whatever type and
        order they come.
        """
        y = _column(y)
        if not is_regressor(self) or y.dtype.kind not in "biuf":
            return y
        y = y.toarray() if sparse.issparse(y) else y
        check_fits("y", y, "float64")
        return np.ascontiguousarray(y, np.float64)

    def _encode_rows(self, X, dtype):
        """X, as `_validate` returns it, in the form the machine gathers batches from."""
        if isinstance(X, Sequences):
            return X.source(dtype)
        return encode_rows(X, dtype, self._byte_divisor())

    def _row_blocks(self, X, dtype):
        """Check X and yield it in the machine's form, a block of rows at a time."""
        sequences = self._sequences(X, reset=False)
        if sequences is not None:
            self._look_at_units(sequences, sequences.are_bytes, reset=False)
            return iter([self._encode_rows(sequences, dtype)])
        given = X
        X, planes = self._flatten(X, reset=False)
        are_bytes = is_bytes(X)
        divisor = self._byte_divisor() if are_bytes else 1  # a frame of bytes is a table
        if not self._needs_no_validation(X):
            with advising(lambda message: self._advice(given, message)):
                X = validate_data(self, X, accept_sparse=_SPARSE_FORMATS, reset=False)
            if X.dtype.kind in "mM":
                check_no_dates(X)
        self._look_at_units(X, are_bytes, reset=False)
        return self._blocks(in_planes(X, planes), dtype, divisor)

    def _blocks(self, X, dtype, divisor):
        """Checked rows in the machine's form, a block of rows at a time."""
        return row_blocks(X, dtype, divisor)

    def _needs_no_validation(self, X):
        """Whether X is plainly what validation would return: a finite matrix of known width.

        Validation takes longer than predicting a row does.
        """
        if type(X) is not np.ndarray or X.dtype.name not in ("float64", "float32"):
            return False
        if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != self.n_features_in_:
            return False
        with np.errstate(all="ignore"):
            return not hasattr(self, "feature_names_in_") and math.isfinite(X.sum())
