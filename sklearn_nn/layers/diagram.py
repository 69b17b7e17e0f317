"""Layers that consist of others, in the diagrams of estimators that notebooks show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any


class Block:
    """Objects that a diagram shows within another one: the result of its `_sk_visual_block_`.

    It has the attributes of scikit-learn's `_VisualBlock`, whose module differs between versions.
    `kind` is "serial", from top to bottom, or "parallel", side by side.
    """

    dash_wrapped = True

    def __init__(self, kind: str, named: Iterable[tuple[str, Any]]) -> None:
        pairs = list(named)
        self.kind = kind
        self.estimators = [shown for _, shown in pairs]
        self.names = [name for name, _ in pairs]
        self.name_details = [str(shown) for shown in self.estimators]

    def __str__(self) -> str:
        return "\n".join(self.name_details)

    def _sk_visual_block_(self) -> Block:
        return self


def chain(pairs: Iterable[tuple[str, Any]]) -> Block:
    """Return the block of (name, layer) pairs that are applied in order."""
    return Block("serial", ((f"{name}: {type(layer).__name__}", layer) for name, layer in pairs))
