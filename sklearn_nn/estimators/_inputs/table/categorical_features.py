"""Which columns of a table are categories."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._inputs.table.cells import CATEGORY


def categorical_mask(frame, categorical_features):
    """Which columns of a frame hold categories, as HistGradientBoosting is told.

    Parameters
    ----------
    frame : Frame
    categorical_features : "from_dtype", None, or array-like of str, int or bool
        By the type of each column; none; or names, positions or a mask.

    Returns
    -------
    mask : ndarray of bool of shape (n_columns,)

    Raises
    ------
    ValueError
        If it names columns that the frame does not have.
    """
    n_columns = frame.shape[1]
    if isinstance(categorical_features, str) and categorical_features == "from_dtype":
        return np.array([frame.kind(i) == CATEGORY for i in range(n_columns)])
    asked = [] if categorical_features is None else list(categorical_features)
    mask = np.zeros(n_columns, dtype=bool)
    kinds = {_kind(value) for value in asked}
    if kinds <= {"name"}:
        mask[_positions(frame, asked)] = True
    elif kinds == {"position"}:
        for position in asked:
            if not 0 <= position < n_columns:
                raise ValueError(
                    f"categorical_features={_short(asked)} has the position {position}, but X has "
                    f"{n_columns} columns; use positions from 0 to {n_columns - 1}."
                )
        mask[asked] = True
    elif kinds == {"mask"}:
        if len(asked) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(asked)} columns, but X has {n_columns}; "
                "give one boolean a column."
            )
        mask[:] = asked
    else:
        raise ValueError(
            f"categorical_features={_short(asked)} must be names, positions or booleans, all of "
            "one kind, 'from_dtype' or None."
        )
    return mask


def _kind(value):
    if isinstance(value, str):
        return "name"
    if isinstance(value, bool | np.bool_):
        return "mask"
    return "position" if isinstance(value, int | np.integer) else "nothing"


def _positions(frame, asked):
    """Positions of columns by name."""
    if not asked:
        return []
    if frame.names is None:
        raise ValueError(
            f"categorical_features={_short(asked)} are names, but the columns of X have none; use "
            "positions or a mask, or pass a DataFrame whose column names are strings."
        )
    unknown = [name for name in asked if name not in frame.names]
    if unknown:
        raise ValueError(
            f"categorical_features has {unknown[0]!r}, which is no column of X; its columns are "
            f"{', '.join(map(repr, frame.names))}."
        )
    return [frame.names.index(name) for name in asked]


def _short(values):
    text = repr(values)
    return text if len(text) <= 80 else text[:77] + "..."
