"""Recipes of networks for tables: values of the parameters that are "auto"."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from sklearn_nn.estimators.tabular.layers import realmlp, tabm
from sklearn_nn.training.schedules import FlatCos, Schedule

#: Kinds of targets: classes, numbers, or positive numbers through an exponential.
KINDS = CLASSES, NUMBERS, POSITIVE = ("classes", "numbers", "positive numbers")


@dataclass(frozen=True)
class Recipe:
    """Network architecture and training parameters.

    `layers` maps a `Plan` to (name, layer) pairs, `epochs` the number of rows to that of epochs.
    `decay_schedule` is the factor of the weight decay for each batch. `shared` are parameters of
    the estimator and of its optimizer, Adam, by name; `own` are those that depend on the kind of
    targets: see `KINDS`.
    """

    layers: Callable
    decay_schedule: Schedule | None
    epochs: Callable[[int], int]
    shared: dict[str, Any]
    own: dict[str, dict[str, Any]]

    def parameters(self, n_rows: int, kind: str) -> dict[str, Any]:
        """Return parameters by name for a table of `n_rows` rows and a kind of targets."""
        return {"max_iter": self.epochs(n_rows), **self.shared, **self.own[kind]}


_ADAM = {"beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-8}


def _epochs(n_rows: int) -> int:
    """Return the number of epochs: 16 to 64, about 4,000 batches; at least 128 batches."""
    n_rows = max(1, n_rows)  # zero rows raise an error later
    n_batches = math.ceil(0.8 * n_rows / 256)
    return max(16, min(64, round(1.28e6 / n_rows)), math.ceil(128 / n_batches))


# RealMLP-TD (Holzmueller et al., NeurIPS 2024, appendix A), with piecewise linear embeddings in
# place of periodic ones.
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
