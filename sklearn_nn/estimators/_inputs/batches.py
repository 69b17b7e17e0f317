"""partial_fit over an iterable of batches."""

from __future__ import annotations

from collections.abc import Iterable

#: Attributes of arrays and data frames, and containers of rows.
_OF_ARRAYS = ("shape", "__array__", "__array_interface__", "__dataframe__")
_OF_ROWS = (list, tuple, str, bytes)


def is_stream(X):
    """Return whether X is an iterable of batches; a list or tuple holds rows."""
    if isinstance(X, _OF_ROWS) or any(hasattr(X, name) for name in _OF_ARRAYS):
        return False
    return isinstance(X, Iterable)


def unpack(item, number, name="Batch"):
    """Return (X, y, sample_weight or None) of a batch; raise ValueError if it is something else."""
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        X, y, *weight = item
        return X, y, weight[0] if weight else None
    found = type(item).__name__
    if isinstance(item, tuple | list):
        found += f" of {len(item)}"
    raise ValueError(
        f"{name} {number} of the iterable is a {found}; make it yield tuples (X, y) or (X, y, "
        "sample_weight)."
    )


def check_stream_alone(y, sample_weight):
    """Raise ValueError if y or sample_weight are passed beside an iterable of batches."""
    for name, given in (("y", y), ("sample_weight", sample_weight)):
        if given is not None:
            raise ValueError(
                f"X is an iterable of batches, which include {name}: leave {name} out and yield "
                "(X, y) or (X, y, sample_weight), or pass X as an array."
            )


def fit_batches(estimator, X, y, sample_weight, **options):
    """Call partial_fit with each batch that the iterable X yields, and `options`.

    Raise ValueError without batches, for an invalid batch (training on those before it is kept), or
    if y or sample_weight are passed as well.
    """
    check_stream_alone(y, sample_weight)
    number = -1
    for item in X:  # enumerate would hold a second batch in memory
        number += 1
        batch = unpack(item, number)
        try:
            estimator.partial_fit(*batch, **options)
        except ValueError as error:
            raise ValueError(f"Batch {number} of the iterable: {error}") from error
        del item, batch  # one batch at a time in memory
    if number < 0:
        raise ValueError(
            "X is an iterable that yielded no batch. An iterator is exhausted after one pass: make "
            "a new one for each."
        )
    return estimator
