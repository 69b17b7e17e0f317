"""Text that is not made of categories: numbers with words among them, identifiers and dates."""

from __future__ import annotations

import re
from typing import NamedTuple

import numpy as np

from sklearn_nn.estimators._inputs.table.frames import is_printed, number_in, short

#: Whole numbers with a leading zero, which are codes, such as postal codes.
_CODE = re.compile(r"\s*[+-]?0[0-9]+\s*")
_DATE = re.compile(
    r"\s*([0-9]{4}[-/.][0-9]{1,2}|[0-9]{1,2}[-/.][0-9]{1,2})[-/.][0-9]{1,4}(?![0-9]).*"
)
#: Numbers with a decimal comma.
_COMMA = re.compile(r"\s*[+-]?[0-9]+(\.[0-9]{3})*,[0-9]+\s*")
#: Fewest distinct numbers or dates of such a column: hours and days of the month are categories.
FEWEST_NUMBERS = 32
#: Least share of the values of a column of numbers or dates.
LEAST_SHARE_OF_NUMBERS = 0.95
#: Fewest values of a column of identifiers, and least share of those that occur once.
FEWEST_IDENTIFIERS = 50
LEAST_SHARE_OF_IDENTIFIERS = 0.9
#: Number of columns that a warning names.
_MOST_NAMED = 10

NUMBERS, IDENTIFIERS, DATES, COMMAS = "numbers", "identifiers", "dates", "commas"
_SAID = {
    IDENTIFIERS: "Left out, as nearly every value occurs once",
    NUMBERS: "Read as numbers",
    DATES: "Used as categories, so that other dates are unknown",
    COMMAS: "Used as categories, although they seem to be numbers",
}


class TextColumn(NamedTuple):
    """Column of text that is not made of categories.

    `kind` is `NUMBERS`, `IDENTIFIERS`, `DATES` or `COMMAS`; `example` is the first text of this
    kind, and `missing` the first text that stands for a missing number; either may be None.
    """

    kind: str
    example: str | None
    missing: str | None

    @classmethod
    def of(cls, cells, weights):
        """Return what the cells of a categorical column are, or None if they are categories.

        Rows with zero weight are ignored, others count once.
        """
        codes, values = cells.codes()
        codes = codes[codes >= 0 if weights is None else (codes >= 0) & (weights > 0)]
        counts = np.bincount(codes, minlength=len(values))
        if np.count_nonzero(counts) < FEWEST_NUMBERS:
            return None
        order = list(dict.fromkeys(codes.tolist()))  # that of the rows
        texts = [k for k in order if isinstance(values[k], str)]
        if not texts or any(is_printed(values[k]) for k in order):  # such as pandas' intervals
            return None
        read = {k: number_in(values[k]) for k in texts}
        absent = {k for k in texts if read[k] is not None and np.isnan(read[k])}
        words = {k for k in texts if read[k] is None}
        present = [k for k in order if k not in absent]
        numbers = [k for k in present if k not in words]
        n_present = counts[present].sum()
        if (
            len(numbers) >= FEWEST_NUMBERS
            and _is_most(counts[numbers].sum(), n_present)
            and not any(_CODE.fullmatch(values[k]) for k in texts)
        ):
            example = next((str(values[k]) for k in numbers if k in read), None)
            missing = next((str(values[k]) for k in texts if k in absent or k in words), None)
            return cls(NUMBERS, example, missing)
        commas = [k for k in present if k in words and _COMMA.fullmatch(values[k])]
        n_read = counts[[*commas, *numbers]].sum()
        if not (len(commas) + len(numbers) >= FEWEST_NUMBERS and _is_most(n_read, n_present)):
            commas = []
        n_once = np.count_nonzero(counts[present] == 1)
        if n_present >= FEWEST_IDENTIFIERS and n_once >= LEAST_SHARE_OF_IDENTIFIERS * n_present:
            those = commas or [k for k in texts if k not in absent]
            example = str(values[those[0]]) if those else None
            return None if example is None else cls(IDENTIFIERS, example, None)
        if commas:
            return cls(COMMAS, str(values[commas[0]]), None)
        dates = [k for k in present if k in words and _DATE.fullmatch(values[k])]
        if dates and _is_most(counts[dates].sum(), n_present):
            return cls(DATES, str(values[dates[0]]), None)
        return None


def _is_most(n, n_present):
    """Return whether a number of values is nearly that of all values."""
    return n >= LEAST_SHARE_OF_NUMBERS * n_present


def advice_on(found, names):
    """Return a warning that names text columns, a dict by position, and the remedy."""
    parts = []
    for kind, said in _SAID.items():
        told = [_described(column, i, names) for i, column in found.items() if column.kind == kind]
        if len(told) > _MOST_NAMED:
            told[_MOST_NAMED:] = [f"{len(told) - _MOST_NAMED} more"]
        if told:
            parts.append(f"{said}: {', '.join(told)}.")
    if any(c.kind != NUMBERS and _DATE.fullmatch(c.example) for c in found.values()):
        parts.append(
            "Turn dates into numbers first, such as year, month and weekday (pandas.to_datetime)."
        )
    commas = [i for i, c in found.items() if c.kind != NUMBERS and _COMMA.fullmatch(c.example)]
    commas = commas[:_MOST_NAMED]
    if commas:
        named = ", ".join(f"column {i}" if names is None else repr(names[i]) for i in commas)
        parts.append(
            f"Text in {named} looks like numbers with a decimal comma: pandas.read_csv(..., "
            "decimal=',')."
        )
    return (
        f"X has text that is not made of categories. {' '.join(parts)} To choose "
        "otherwise, convert or drop these columns, or list all categorical columns in "
        "categorical_features."
    )


def _described(column, i, names):
    """Return the name and the examples of a text column."""
    examples = [] if column.example is None else [f"such as {short(column.example)}"]
    if column.missing is not None:
        examples.append(f"{short(column.missing)} is missing")
    return f"{f'column {i}' if names is None else repr(names[i])} ({'; '.join(examples)})"
