"""Names of columns: which a table has, and where those that were fitted stand in another."""

from __future__ import annotations

from sklearn_nn.estimators._core.warnings import warn

#: Names that an error lists of each kind.
_SHOWN = 5


def names_of(columns):
    """Names of a table's columns where all are strings, as in scikit-learn; else None.

    Raises
    ------
    TypeError
        If some are strings and others are not.
    ValueError
        If two are the same.
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
    """Where each column that was fitted stands in a table: by name, or in the same order.

    Parameters
    ----------
    names : list of str or None
        The table's.
    n_columns : int
    known : sequence of str or None
        Those fitted.
    n_known : int
    owner : str
        Who was fitted.

    Returns
    -------
    positions : list of int

    Raises
    ------
    ValueError
        If a column is missing or unknown. Messages are scikit-learn's.
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
    """scikit-learn's message about names that do not match."""
    lines = ["The feature names should match those that were passed during fit."]
    for title, names in (
        ("Feature names unseen at fit time:", unseen),
        ("Feature names seen at fit time, yet now missing:", missing),
    ):
        if names:
            lines += [title, *(f"- {name}" for name in names[:_SHOWN])]
            lines += ["- ..."] * (len(names) > _SHOWN)
    return "\n".join(lines) + "\n"
