"""How an estimator reads X: checked by scikit-learn, and in the machine's form."""

from __future__ import annotations

import math

import numpy as np
from scipy import sparse
from sklearn.base import is_regressor
from sklearn.utils import column_or_1d
from sklearn.utils.validation import validate_data

from sklearn_nn.estimators._encoding import (
    check_no_dates,
    encode_rows,
    in_planes,
    is_bytes,
    row_blocks,
)

_SPARSE_FORMATS = ("csr", "csc")


class Reading:
    """Mixin: X and y of fit, X of predict. No array that the machine can read is copied."""

    def _flatten(self, X, *, reset):
        """X as rows, one a sample, and the number of planes that a row holds one after another.

        With `reset`, the shape of a sample is learnt.
        """
        return X, 1

    def _byte_divisor(self):
        """What bytes (uint8) are divided by before the first layer reads them."""
        return 1

    def _validate(self, X, y, *, reset):
        """X and y checked, X in float64, float32, or bytes if it came as such.

        Rows of several planes get an axis for these.
        """
        check_no_dates(X)
        X, planes = self._flatten(X, reset=reset)
        try:
            X, y = validate_data(
                self,
                X,
                y,
                accept_sparse=_SPARSE_FORMATS,
                multi_output=True,
                y_numeric=is_regressor(self),
                dtype="numeric" if is_bytes(X) else (np.float64, np.float32),
                reset=reset,
            )
        except TypeError as error:
            if "NA is ambiguous" in str(error):
                message = "Input contains missing values (pd.NA); fill or drop them first."
                raise ValueError(message) from error
            raise
        if y.ndim == 2 and y.shape[1] == 1 and not sparse.issparse(y):
            y = column_or_1d(y, warn=True)
        return in_planes(X, planes), y

    def _encode_rows(self, X, dtype):
        """X, as `_validate` returns it, in the form the machine gathers batches from."""
        return encode_rows(X, dtype, self._byte_divisor())

    def _row_blocks(self, X, dtype):
        """Check X and yield (rows, the machine's form of them), a block of rows at a time."""
        X, planes = self._flatten(X, reset=False)
        divisor = self._byte_divisor() if is_bytes(X) else 1  # a frame of bytes is a table
        if not self._needs_no_validation(X):
            X = validate_data(self, X, accept_sparse=_SPARSE_FORMATS, reset=False)
            if X.dtype.kind in "mM":
                check_no_dates(X)
        return row_blocks(in_planes(X, planes), dtype, divisor)

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
