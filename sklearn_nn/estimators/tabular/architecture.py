"""Architectures of networks for tables: their layers, and values of parameters that are "auto"."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from sklearn_nn.estimators.mlp import check_sizes, dropout_rates
from sklearn_nn.layers import (
    Activation,
    CategoryEmbedding,
    Dropout,
    MemberHeads,
    MemberLinear,
    NTPLinear,
    ParametricActivation,
    PeriodicEmbedding,
    PiecewiseLinearEmbedding,
    ScaleFeatures,
)
from sklearn_nn.layers.tabular.linear import draw_normal
from sklearn_nn.training.schedules import FlatCos, Schedule

#: Kinds of targets: classes, numbers, or positive numbers through an exponential.
KINDS = CLASSES, NUMBERS, POSITIVE = ("classes", "numbers", "positive numbers")
#: Largest number of bins of a piecewise linear embedding.
N_BINS = 48
#: Dimension of the embedding of a category.
_CATEGORY_DIM = 8
PERIODIC, PIECEWISE_LINEAR = "periodic", "piecewise_linear"


def _hidden(settings):
    """Return the index (from 1), and units and dropout rate, of each hidden layer."""
    sizes = check_sizes("hidden_layer_sizes", settings["hidden_layer_sizes"])
    return enumerate(zip(sizes, dropout_rates(settings["dropout"], len(sizes)), strict=True), 1)


def _draw_categories(cardinalities, rng, shape, fan_in, fan_out):
    """Draw standard normal vectors; those of code 0, a missing or unknown value, are zero."""
    table = draw_normal(rng, shape, fan_in, fan_out)
    table[np.cumsum([0, *cardinalities[:-1]])] = 0
    return table


def _embeddings(reader, kind, piecewise):
    """Return embeddings of the reader's numbers and categories.

    `kind` is the embedding of numbers; `piecewise` are options of a piecewise linear one.
    """
    layers, n_numbers = [], reader.encoder.n_numbers_
    cardinalities = reader.encoder.cardinalities_
    if n_numbers and kind == PERIODIC:
        layers.append(("numbers", PeriodicEmbedding(features=n_numbers)))
    elif n_numbers and kind == PIECEWISE_LINEAR:
        layers.append(("numbers", PiecewiseLinearEmbedding(reader.bins, **piecewise)))
    if cardinalities:
        draw = functools.partial(_draw_categories, cardinalities)
        layer = CategoryEmbedding(cardinalities, _CATEGORY_DIM, embeddings_initializer=draw)
        layers.append(("categories", layer))
    return layers


def realmlp(reader, n_outputs, settings):
    """Return the layers of RealMLP (Holzmueller et al., 2024), with any embedding of numbers."""
    if settings["n_members"] != 1:
        raise ValueError(
            f"n_members={settings['n_members']} does not suit architecture='realmlp', which has "
            "one; use architecture='tabm'."
        )
    curves = {"units": 8, "linear": True, "rate_factor": 0.1}
    layers = _embeddings(reader, settings["num_embedding"], curves)
    layers.append(("scale", ScaleFeatures()))
    for i, (units, rate) in _hidden(settings):
        layers.append((f"linear{i}", NTPLinear(units)))
        layers.append((f"activation{i}", ParametricActivation(settings["activation"])))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate, "flat_cos")))
    return [*layers, ("output", NTPLinear(n_outputs, data_driven=False))]


def tabm(reader, n_outputs, settings):
    """Return the layers of TabM (Gorishniy et al., 2025)."""
    curves = {"units": 16, "linear": True, "decay_factor": 1.0}
    layers = _embeddings(reader, settings["num_embedding"], curves)
    members = settings["n_members"]
    for i, (units, rate) in _hidden(settings):
        layers.append((f"linear{i}", MemberLinear(units, members)))
        layers.append((f"activation{i}", Activation(settings["activation"])))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate)))
        members = None
    if members is not None:
        raise ValueError(
            f"hidden_layer_sizes={settings['hidden_layer_sizes']} does not suit "
            "architecture='tabm', which needs a hidden layer; pass one, or use "
            "architecture='realmlp'."
        )
    return [*layers, ("output", MemberHeads(n_outputs))]


@dataclass(frozen=True)
class Recipe:
    """Network architecture and training parameters.

    `layers` returns (name, layer) pairs for a reader, the number of outputs and the settings;
    `epochs` the number of epochs for a number of rows. `decay_schedule` is the factor of the weight
    decay for each batch. `shared` are parameters of the estimator and of its optimizer, Adam, by
    name; `own` are those that depend on the kind of targets: see `KINDS`.
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
