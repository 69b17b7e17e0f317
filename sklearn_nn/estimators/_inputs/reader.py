"""Readers of X: what an estimator's samples are, checked, and as sources of the machine."""

from __future__ import annotations

import contextlib
import math

import numpy as np
from sklearn.utils.validation import validate_data

from sklearn_nn.estimators._core.parts import Part
from sklearn_nn.estimators._inputs.advice import about_cells, about_rows, advising, is_about_cells
from sklearn_nn.estimators._inputs.encoding import (
    check_no_dates,
    encode_rows,
    in_planes,
    is_bytes,
    row_blocks,
)

_SPARSE_FORMATS = ("csr", "csc")


@contextlib.contextmanager
def missing_values_told(what):
    """Turn a TypeError about pd.NA into a ValueError that names the data."""
    try:
        yield
    except TypeError as error:
        if "NA is ambiguous" not in str(error):
            raise
        message = f"{what} contains missing values (pd.NA); fill or drop them first."
        raise ValueError(message) from error


class InputReader(Part):
    """Reader of tables of numbers: one row for each sample.

    No array that the machine can read as it is gets copied. `learn` is for the data of a first
    fit, `check` for all further data; both return checked samples, of which `source` makes what the
    machine gathers batches from. `blocks` does both for a prediction, a block of rows at a time.

    Attributes
    ----------
    shape : tuple of int
        Shape of one sample, as the first layer reads it.
    """

    #: Values of a time step, where samples are sequences of any length.
    channels = 1
    #: Number that bytes (uint8) are divided by.
    divisor = 1

    def learn(self, X, estimator):
        """Return X checked, and learn what its samples are."""
        samples = self._read(X, estimator, reset=True)
        self.settle(estimator)
        self._look_at_units(samples, estimator, reset=True)
        return samples

    def check(self, X, estimator):
        """Return X checked against what was learnt."""
        samples = self._read(X, estimator, reset=False)
        self.settle(estimator)
        self._look_at_units(samples, estimator, reset=False)
        return samples

    def going_on(self, before):
        """Take over what another reader has learnt, if there is one; return self."""
        if before is not None:
            self.shape = before.shape
        return super().going_on(before)

    def settle(self, estimator):
        """Set `shape` from what was learnt and the parameters."""
        self.shape = (estimator.n_features_in_,)

    def lengths(self, samples):
        """Return the number of time steps of each of the checked samples."""
        return np.full(samples.shape[0], self.shape[0])

    def form(self):
        """Return the arguments of `lower` that describe the samples."""
        return {"shape": self.shape}

    def source(self, samples, dtype, network=None):
        """Return checked samples in the form that the machine gathers batches from.

        `network` is the fitted network, if there is one.
        """
        return encode_rows(samples, dtype, self.divisor)

    def blocks(self, X, network, estimator):
        """Check X and return an iterator over its sources, each for a block of rows."""
        given = X
        X, planes = self._flatten(X, estimator, reset=False)
        are_bytes = is_bytes(X)
        divisor = self.divisor if are_bytes else 1  # a frame of bytes is a table
        if not self._needs_no_validation(X, estimator):
            with advising(lambda message: self._advice(given, message, estimator)):
                X = validate_data(estimator, X, accept_sparse=_SPARSE_FORMATS, reset=False)
            if X.dtype.kind in "mM":
                check_no_dates(X)
        self._look_at_units(X, estimator, reset=False, are_bytes=are_bytes)
        return self._blocks(in_planes(X, planes), network, divisor)

    def _blocks(self, X, network, divisor):
        return row_blocks(X, network.dtype, divisor)

    def _read(self, X, estimator, *, reset):
        """Return X as float64, float32 or bytes; rows of several planes get an axis for them."""
        check_no_dates(X)
        given = X
        X, planes = self._flatten(X, estimator, reset=reset)
        advised = advising(lambda message: self._advice(given, message, estimator))
        with missing_values_told("Input"), advised:
            X = validate_data(
                estimator,
                X,
                accept_sparse=_SPARSE_FORMATS,
                dtype="numeric" if is_bytes(X) else (np.float64, np.float32),
                reset=reset,
            )
        return in_planes(X, planes)

    def _flatten(self, X, estimator, *, reset):
        """Return X as rows, and the number of planes that a row holds one after another."""
        return X, 1

    def _advice(self, X, message, estimator):
        """Return a better message for an error about X, or None."""
        if not is_about_cells(message):
            return None
        owner = type(estimator).__name__
        return about_cells(X, owner, takes_sequences=False) or about_rows(X, owner)

    def _look_at_units(self, samples, estimator, *, reset, are_bytes=None):
        """Learn the units of the samples, or warn where they come in other units."""

    def _needs_no_validation(self, X, estimator):
        """Return whether X is a finite matrix of the known width, as validation would return it.

        Validation takes longer than the prediction of a row.
        """
        if type(X) is not np.ndarray or X.dtype.name not in ("float64", "float32"):
            return False
        if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != estimator.n_features_in_:
            return False
        with np.errstate(all="ignore"):
            return not hasattr(estimator, "feature_names_in_") and math.isfinite(X.sum())
