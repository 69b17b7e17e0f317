"""The units of images and sequences: bytes are scaled, and other numbers are what they are."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from sklearn_nn.estimators._inputs.sequences import Sequences

#: What bytes are divided by where samples are images or sequences: 0..255 becomes 0..1.
WHITE = 255
#: Values that are looked at, from all over the samples.
_LOOKED_AT = 2**16
#: Numbers meant to lie in 0..1 lie below, however they were brightened.
_BEYOND = 2.0
#: How much brighter than all that was fitted whole numbers may be.
_BRIGHTER = 16.0


def units_of(X, are_bytes):
    """What tells in which units samples come.

    Parameters
    ----------
    X : ndarray, sparse matrix or Sequences
        Samples, checked.
    are_bytes : bool
        Whether they came as bytes (uint8), which are scaled.

    Returns
    -------
    units : dict
        "bytes" is `are_bytes`; "largest" is the largest value, of bytes before they are scaled;
        "whole" is whether all values are whole numbers.
    """
    values = X.data if sparse.issparse(X) else X.values if isinstance(X, Sequences) else X
    values = values[:: max(1, values.size // _LOOKED_AT)]
    largest = float(np.fmax.reduce(values, axis=None)) if values.size else 0.0
    if are_bytes:
        # Those of sequences are scaled by now.
        largest = float(round(largest * WHITE)) if isinstance(X, Sequences) else largest
        return {"bytes": True, "whole": True, "largest": largest}
    whole = values.dtype.kind in "biu" or bool((np.floor(values) == values).all())
    return {"bytes": False, "whole": whole, "largest": largest}


def check_units(units):
    """Raise a ValueError if this is nothing that `units_of` returns."""
    kinds = {name: type(value) for name, value in units.items()}
    if kinds != {"bytes": bool, "whole": bool, "largest": float}:
        raise ValueError("units of samples that are none")


def other_units(fitted, X, are_bytes, owner):
    """What to say of samples that come in other units than those fitted.

    Parameters
    ----------
    fitted : dict
        What `units_of` said of the samples fitted.
    X, are_bytes : ndarray, sparse matrix or Sequences; bool
        As for `units_of`.
    owner : str
        Who was fitted.

    Returns
    -------
    message : str or None
        None where they may well be the same.
    """
    if fitted["bytes"] == are_bytes:
        return None
    found = units_of(X, are_bytes)
    if are_bytes:
        # Images of 0 and 1 are as dark as can be once they are taken for bytes.
        alike = fitted["whole"] and 0 < found["largest"] <= fitted["largest"]
        if not (fitted["largest"] > _BEYOND or alike):
            return None
        return (
            f"X holds bytes (uint8), which {owner} divides by {WHITE}, but it was fitted on "
            f"numbers of another type, up to {fitted['largest']:g}, which it took as they are. "
            "Convert X to the type of those: X.astype(float)."
        )
    brighter = found["largest"] > _BRIGHTER * fitted["largest"] / WHITE and found["whole"]
    if not (found["largest"] > _BEYOND or brighter):
        return None
    return (
        f"X holds numbers up to {found['largest']:g} that are no bytes, but {owner} was fitted on "
        f"bytes (uint8), which it divides by {WHITE}, so that they lie in 0..1. Pass the same "
        f"pixels as bytes, X.astype('uint8'), or divide them: X / {WHITE}."
    )
