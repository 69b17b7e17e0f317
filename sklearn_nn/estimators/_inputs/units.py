"""Units of images and sequences: bytes are scaled, other numbers are not."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._inputs.sequences import Sequences

#: Divisor of the bytes of images and sequences: 0..255 becomes 0..1.
WHITE = 255
#: Number of values that are examined, evenly spaced over the samples.
_LOOKED_AT = 2**16
#: Upper limit of values that were scaled to 0..1, with a margin for brightened images.
_BEYOND = 2.0
#: Factor by which whole numbers may exceed the fitted maximum.
_BRIGHTER = 16.0


def units_of(X, are_bytes):
    """Return a dict that describes the units of checked samples.

    X is an array, a sparse matrix or `Sequences`. "bytes" is `are_bytes`, whether X was uint8;
    "largest" is the largest value, of bytes before scaling; "whole" is whether all values are whole
    numbers.
    """
    values = X.data if sparse.issparse(X) else X.values if isinstance(X, Sequences) else X
    values = values[:: max(1, values.size // _LOOKED_AT)]
    largest = float(np.fmax.reduce(values, axis=None)) if values.size else 0.0
    if are_bytes:
        # Bytes of sequences are scaled already.
        largest = float(round(largest * WHITE)) if isinstance(X, Sequences) else largest
        return {"bytes": True, "whole": True, "largest": largest}
    whole = values.dtype.kind in "biu" or bool((np.floor(values) == values).all())
    return {"bytes": False, "whole": whole, "largest": largest}


def check_units(units):
    """Raise ValueError unless `units` has the form that `units_of` returns."""
    kinds = {name: type(value) for name, value in units.items()}
    if kinds != {"bytes": bool, "whole": bool, "largest": float}:
        raise ValueError("invalid units of samples")


def other_units(fitted, X, are_bytes, owner):
    """Return a warning if samples seem to be in other units than the fitted ones, else None.

    `fitted` is `units_of` the fitted samples; X and `are_bytes` are as in `units_of`; `owner` names
    the fitted estimator.
    """
    if fitted["bytes"] == are_bytes:
        return None
    found = units_of(X, are_bytes)
    if are_bytes:
        # Images of 0 and 1 would be almost black as bytes.
        alike = fitted["whole"] and 0 < found["largest"] <= fitted["largest"]
        if not (fitted["largest"] > _BEYOND or alike):
            return None
        return (
            f"X holds bytes (uint8), which {owner} divides by {WHITE}, but it was fitted on "
            f"numbers of another type, up to {fitted['largest']:g}, which it did not scale. "
            "Convert X to the fitted type: X.astype(float)."
        )
    brighter = found["largest"] > _BRIGHTER * fitted["largest"] / WHITE and found["whole"]
    if not (found["largest"] > _BEYOND or brighter):
        return None
    return (
        f"X holds numbers up to {found['largest']:g} that are not bytes, but {owner} was fitted on "
        f"bytes (uint8), which it divides by {WHITE}, so that they lie in 0..1. Pass the same "
        f"pixels as bytes, X.astype('uint8'), or divide them: X / {WHITE}."
    )
