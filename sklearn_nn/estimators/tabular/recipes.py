"""Networks for tables, and what their parameters are where they are "auto"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn_nn.estimators.tabular.layers import realmlp, tabm
from sklearn_nn.training.schedule import Schedule
from sklearn_nn.training.schedules import FlatCos

#: What is learnt: classes, numbers, or positive numbers through an exponential.
KINDS = CLASSES, NUMBERS, POSITIVE = ("classes", "numbers", "positive numbers")


@dataclass(frozen=True)
class Recipe:
    """A network, and how it is trained.

    Attributes
    ----------
    layers : callable
        Makes (name, layer) pairs of a `Plan`.
    decay_schedule : Schedule or None
        What multiplies the weight decay batch by batch.
    epochs : callable
        How many epochs for so many rows.
    shared : dict of str to object
        Parameters by name, of the estimator and of its optimizer, Adam.
    own : dict of str to dict of str to object
        Those that differ by what is learnt: see `KINDS`.
    """

    layers: Callable
    decay_schedule: Schedule | None
    epochs: Callable[[int], int]
    shared: dict[str, Any]
    own: dict[str, dict[str, Any]]

    def parameters(self, n_rows: int, kind: str) -> dict[str, Any]:
        """Parameters by name, for a table of so many rows."""
        return {"max_iter": self.epochs(n_rows), **self.shared, **self.own[kind]}


_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}


def _epochs(n_rows: int) -> int:
    """Fewer the larger the table: about 4,000 batches, from 16 to 64 epochs.

    Of very small tables, whose epochs are a batch or two, as many as make 128 batches.
    """
    n_rows = max(1, n_rows)  # no rows are refused later
    n_batches = math.ceil(0.8 * n_rows / 256)
    return max(16, min(64, round(1.28e6 / n_rows)), math.ceil(128 / n_batches))


# RealMLP-TD (Holzmueller et al., NeurIPS 2024, appendix A), with curves in the place of waves.
_REALMLP = Recipe(
    layers=realmlp,
    decay_schedule=FlatCos(),
    epochs=_epochs,
    shared={
        **_ADAM,
        "beta_2": 0.95,
        "n_networks": 4,
        "hidden_layer_sizes": (256, 256, 256),
        "n_members": 1,
        "num_embedding": "piecewise_linear",
        "numeric": "robust",
        "max_one_hot": 9,
        "dropout": 0.15,
        "batch_size": 256,
        "learning_rate": "coslog4",
        "weight_decay": 0.02,
    },
    own={
        CLASSES: {"activation": "relu", "learning_rate_init": 0.04},
        NUMBERS: {"activation": "mish", "learning_rate_init": 0.2},
        POSITIVE: {"activation": "mish", "learning_rate_init": 0.04},
    },
)
# TabM (Gorishniy et al., ICLR 2025, appendix on defaults).
_TABM = Recipe(
    layers=tabm,
    decay_schedule=None,
    epochs=lambda _: 100,
    shared={
        **_ADAM,
        "n_networks": 1,
        "hidden_layer_sizes": (512, 512, 512),
        "activation": "relu",
        "n_members": 32,
        "num_embedding": "piecewise_linear",
        "numeric": "quantile",
        "max_one_hot": 9,
        "dropout": 0.1,
        "batch_size": 256,
        "learning_rate": "constant",
        "learning_rate_init": 0.002,
        "weight_decay": 3e-4,
    },
    own={CLASSES: {}, NUMBERS: {}, POSITIVE: {}},
)
RECIPES = {"realmlp": _REALMLP, "tabm": _TABM}
