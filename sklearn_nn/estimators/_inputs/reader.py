"""Reader of X: checks an estimator's samples, and makes sources of batches from them."""

from __future__ import annotations

import contextlib
import functools
import math

import numpy as np
from scipy import sparse
from sklearn.utils.validation import validate_data

from sklearn_nn.estimators._core.parts import Part, check_no_dates, is_bytes
from sklearn_nn.estimators._inputs.advice import (
    about_missing,
    about_one_sample,
    about_table,
    about_values,
)
from sklearn_nn.network.source import source

#: Bytes of X that prediction converts at a time, if its type is not the network's.
BLOCK_BYTES = 8 * 2**20


@contextlib.contextmanager
def advising(about, *details, kind=ValueError):
    """Replace an error of class `kind` by a ValueError with `about(*details, message)`, if any."""
    try:
        yield
    except kind as error:
        message = about(*details, str(error))
        if message is None:
            raise
        raise ValueError(message) from error


class InputReader(Part):
    """Reader of tables of numbers: one row for each sample.

    `learn` is for the data of a first fit, `check` for further data; both return checked samples,
    which `source` turns into batches for the machine. `shape` is the shape of one sample.
    """

    #: Values of a time step, if samples are sequences of any length.
    channels = 1
    #: Number that bytes (uint8) are divided by.
    divisor = 1
    #: Mean and standard deviation (2, n_channels) that the network standardizes X by, or None.
    scale = None

    def learn(self, X, estimator):
        """Return X checked, and learn the form of its samples."""
        return self.check(X, estimator, reset=True)

    def check(self, X, estimator, *, reset=False):
        """Return X checked against the samples that were learnt."""
        samples = self._read(X, estimator, reset=reset)
        self.settle(estimator)
        self._look_at_units(samples, estimator, reset=reset)
        return samples

    def going_on(self, before):
        """Copy the learnt attributes of another reader, if any; return self."""
        if before is not None:
            self.shape = before.shape
        return super().going_on(before)

    def settle(self, estimator):
        """Set `shape` from the learnt attributes and the parameters."""
        self.shape = (estimator.n_features_in_,)

    def with_scale_of(self, pretrained):
        """Return a reader with the scale in the arrays of another network, by layer."""
        return self

    def compare_units(self, start):
        """Warn if the network that pretrained weights come from was fitted in other units."""

    def lengths(self, samples):
        """Return the number of time steps of each checked sample."""
        return np.full(samples.shape[0], self.shape[0])

    def form(self):
        """Return the arguments of `lower` that describe the samples."""
        return {"shape": self.shape}

    def source(self, samples, dtype, network=None):
        """Return the source of batches of checked samples, for the fitted network, if any."""
        return encode_rows(samples, dtype, self.divisor)

    def blocks(self, X, network, estimator):
        """Check X and return an iterator over its sources, each for a block of rows."""
        rows, planes = self._flatten(X, estimator, reset=False)
        is_ready = self._needs_no_validation(rows, estimator)
        are_bytes = not is_ready and is_bytes(rows)
        divisor = self.divisor if are_bytes else 1  # a frame of bytes is a table
        if not is_ready:
            rows = self._validated(X, rows, estimator, "numeric", reset=False)
        self._look_at_units(rows, estimator, reset=False, are_bytes=are_bytes)
        return self._blocks(_in_planes(rows, planes), network, divisor)

    def _blocks(self, X, network, divisor):
        return row_blocks(X, network.dtype, divisor)

    def takes_as_rows(self, X, estimator):
        """Return whether an array of floats holds samples that are read as they are, if finite."""
        return X.shape[1:] == self.shape == (estimator.n_features_in_,)

    def _read(self, X, estimator, *, reset):
        """Return X as float64, float32 or bytes; rows of several planes get an axis for them."""
        rows, planes = self._flatten(X, estimator, reset=reset)
        dtype = "numeric" if is_bytes(rows) else (np.float64, np.float32)
        return _in_planes(self._validated(X, rows, estimator, dtype, reset=reset), planes)

    def _flatten(self, X, estimator, *, reset):
        """Return X as rows, and the number of planes that a row holds one after another."""
        return X, 1

    def _validated(self, X, rows, estimator, dtype, *, reset):
        """Return the rows of X as scikit-learn validates them; errors advise on X, if possible."""
        check_no_dates(rows)
        known = {"accept_sparse": ("csr", "csc"), "dtype": dtype, "reset": reset}
        with (
            advising(functools.partial(self._advice_on_one, reset=reset), X),
            advising(self._advice_on_values, X, estimator),
            advising(about_missing, "Input", kind=TypeError),
            advising(self._advice, X, type(estimator).__name__),
        ):
            rows = validate_data(estimator, rows, **known)
            if rows.dtype.kind == "O":  # of a list, or of categories
                rows = rows.astype(np.float64)
        if rows.dtype.kind in "mM":  # of a list
            check_no_dates(rows)
        if sparse.issparse(rows):
            rows.check_format(full_check=True)  # scipy does not check indices when it reads them
        return rows

    def _of_one(self):
        """Return the shapes that X has if it is a single sample."""
        return [self.shape]

    def _advice_on_one(self, X, message, *, reset=False):
        """Return an error's message with advice added if X is a single sample, or None."""
        return None if reset else about_one_sample(X, self._of_one(), message)

    def _advice_on_values(self, X, estimator, message):
        """Return a message about a table that is not of numbers with advice added, or None."""
        return about_values(estimator, message)

    def _advice(self, X, owner, message):
        """Return a better message for an error about X, or None; `owner` names the estimator."""
        return about_table(X, owner, message)

    def _look_at_units(self, samples, estimator, *, reset, are_bytes=None):
        """Learn the units of the samples, or warn if they are in other units."""

    def _needs_no_validation(self, X, estimator):
        """Return whether X is a finite matrix of the fitted width; validation is slower."""
        if type(X) is not np.ndarray or X.dtype.char not in "fd":
            return False
        if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != estimator.n_features_in_:
            return False
        with np.errstate(all="ignore"):
            return not hasattr(estimator, "feature_names_in_") and math.isfinite(X.sum())


def _in_planes(X, planes):
    """Return rows of several planes with an axis for these; rows of one plane unchanged."""
    return X if planes == 1 else X.reshape(X.shape[0], planes, X.shape[1] // planes)


def encode_rows(X, dtype, divisor=1):
    """Return the source of batches of checked rows; raise ValueError if `dtype` is too small."""
    with np.errstate(over="ignore"):  # checked below
        data = source(X.tocsr() if sparse.issparse(X) else X, dtype, divisor)
    if data.values.dtype.itemsize < X.dtype.itemsize and not np.isfinite(data.values).all():
        raise ValueError(
            f"Input X contains values too large for dtype({dtype!r}); scale X or use "
            "dtype='float64'."
        )
    return data


def row_blocks(X, dtype, divisor=1):
    """Yield sources of blocks of rows, which limits the memory of a conversion of X."""
    ready = not sparse.issparse(X) and X.flags.c_contiguous and X.flags.aligned
    if ready and (X.dtype == dtype or is_bytes(X)):  # no conversion
        yield source(X, dtype, divisor)
        return
    X = X.tocsr() if sparse.issparse(X) else X
    step = max(1, BLOCK_BYTES // (8 * max(1, math.prod(X.shape[1:]))))
    for start in range(0, X.shape[0], step):
        yield encode_rows(X[start : start + step], dtype, divisor)
