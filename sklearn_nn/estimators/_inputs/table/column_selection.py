"""Selection of columns: by name, and of those that hold categories."""

from __future__ import annotations

import numpy as np

from sklearn_nn.estimators._core.checks import warn
from sklearn_nn.estimators._inputs.table.cells import CATEGORY, short

#: Most names of each kind that an error lists.
_SHOWN = 5


def names_of(columns):
    """Return the names of columns if all are strings, as scikit-learn does; else None.

    Raise TypeError if only some are strings, and ValueError if a name occurs twice.
    """
    columns = list(columns)
    texts = [isinstance(name, str) for name in columns]
    if any(texts) and not all(texts):
        kinds = sorted({type(name).__qualname__ for name in columns})
        raise TypeError(
            "Feature names are only supported if all input features have string names, but your "
            f"input has {kinds} as feature name / column name types; use X.columns = "
            "X.columns.astype(str)."
        )
    if len(set(columns)) < len(columns):
        twice = next(name for name in columns if columns.count(name) > 1)
        raise ValueError(
            f"X has {columns.count(twice)} columns of the name {twice!r}; rename or drop all but "
            "one."
        )
    return columns if columns and all(texts) else None


def match_columns(names, n_columns, known, n_known, owner):
    """Return the position in a table of each fitted column: by name, or in the same order.

    `names` (or None) and `n_columns` describe the table, `known` and `n_known` the fitted one, and
    `owner` names the fitted estimator. Errors and warnings have the text of scikit-learn's.
    """
    if names is not None and known is not None:
        at = {name: i for i, name in enumerate(names)}
        missing = [name for name in known if name not in at]
        unseen = sorted(set(names).difference(known))
        if missing or unseen:
            raise ValueError(_mismatch(missing, unseen))
        return [at[name] for name in known]
    if n_columns != n_known:
        raise ValueError(
            f"X has {n_columns} features, but {owner} is expecting {n_known} features as input."
        )
    if names is not None:
        message = f"X has feature names, but {owner} was fitted without feature names"
        warn(message)
    elif known is not None:
        message = f"X does not have valid feature names, but {owner} was fitted with feature names"
        warn(message)
    return list(range(n_known))


def _mismatch(missing, unseen):
    """Return scikit-learn's message about names that do not match."""
    lines = ["The feature names should match those that were passed during fit."]
    for title, names in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", missing),
    ):
        if names:
            lines += [title, *(f"- {name}" for name in names[:_SHOWN])]
            lines += ["- ..."] * (len(names) > _SHOWN)
    return "\n".join(lines) + "\n"


def categorical_mask(frame, categorical_features):
    """Return a boolean mask of the categorical columns of a frame.

    `categorical_features` is as in HistGradientBoosting: "from_dtype", None, or names, positions
    or a mask of columns. Raise ValueError if a column does not exist.
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
                    f"categorical_features={short(asked, 80)} has the position {position}, but X "
                    f"has {n_columns} columns; use positions from 0 to {n_columns - 1}."
                )
        mask[asked] = True
    elif kinds == {"mask"}:
        if len(asked) != n_columns:
            raise ValueError(
                f"categorical_features is a mask of {len(asked)} columns, but X has {n_columns}; "
                "pass one boolean per column."
            )
        mask[:] = asked
    else:
        raise ValueError(
            f"categorical_features={short(asked, 80)} must be names, positions or booleans, all of "
            "one kind, 'from_dtype' or None."
        )
    return mask


def _kind(value):
    if isinstance(value, str):
        return "name"
    if isinstance(value, bool | np.bool_):
        return "mask"
    return "position" if isinstance(value, int | np.integer) else "invalid"


def _positions(frame, asked):
    """Return the positions of columns by name."""
    if not asked:
        return []
    if frame.names is None:
        raise ValueError(
            f"categorical_features={short(asked, 80)} are names, but the columns of X have none; "
            "use positions or a mask, or pass a DataFrame whose column names are strings."
        )
    unknown = [name for name in asked if name not in frame.names]
    if unknown:
        raise ValueError(
            f"categorical_features has {unknown[0]!r}, which is not a column of X; its columns are "
            f"{', '.join(map(repr, frame.names))}."
        )
    return [frame.names.index(name) for name in asked]
