"""Names of the layers in a list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any


def is_named(entry: Any) -> bool:
    """Return whether an entry of a list of layers is a (name, layer) pair."""
    return isinstance(entry, tuple) and len(entry) == 2 and isinstance(entry[0], str)


def with_names(entries: Iterable[Any]) -> list[tuple[str, Any]]:
    """Return the (name, layer) pairs of a list that may hold layers without a name.

    A layer without a name is named after its class, with a number: "conv2d1", "conv2d2". The types
    of the entries are not checked.
    """
    counts: Counter[str] = Counter()
    pairs = []
    for entry in entries:
        if is_named(entry):
            pairs.append(entry)
            continue
        kind = type(entry).__name__.lower()
        counts[kind] += 1
        pairs.append((f"{kind}{counts[kind]}", entry))
    return pairs


def repeated_name(pairs: Iterable[tuple[str, Any]]) -> str | None:
    """Return the first name that occurs more than once, or None."""
    counts = Counter(name for name, _ in pairs)
    return next((name for name, count in counts.items() if count > 1), None)
