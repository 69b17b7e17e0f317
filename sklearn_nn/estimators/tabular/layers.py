"""Layers of networks for tables, from an encoded row to the raw output."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np

from sklearn_nn.estimators._presets import check_sizes, dropout_rates
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

#: Largest number of bins of a piecewise linear embedding.
N_BINS = 48
#: Dimension of the embedding of a category.
_CATEGORY_DIM = 8
PERIODIC, PIECEWISE_LINEAR = "periodic", "piecewise_linear"
#: Parameters of the estimator that are part of a plan.
CHOICES = ("hidden_layer_sizes", "activation", "dropout", "n_members", "num_embedding")


@dataclass(frozen=True)
class Plan:
    """Inputs, outputs and parameters of a network, from which its layers are made.

    The first `n_numbers` columns of a row are numbers; the last are codes of categories, with
    `cardinalities` codes each, 0 included. `bins` are the edges of the bins of each number for
    piecewise linear embeddings, or None. The remaining attributes are those in `CHOICES`.
    """

    n_numbers: int
    cardinalities: list
    bins: list | None
    n_outputs: int
    hidden_layer_sizes: object
    activation: str
    dropout: object
    n_members: int
    num_embedding: str | None

    def hidden(self):
        """Return the index (from 1), and units and dropout rate, of each hidden layer."""
        sizes = check_sizes("hidden_layer_sizes", self.hidden_layer_sizes)
        return enumerate(zip(sizes, dropout_rates(self.dropout, len(sizes)), strict=True), 1)


def _draw_categories(cardinalities, rng, shape, fan_in, fan_out):
    """Draw standard normal vectors; those of code 0, a missing or unknown value, are zero."""
    table = draw_normal(rng, shape, fan_in, fan_out)
    table[np.cumsum([0, *cardinalities[:-1]])] = 0
    return table


def embeddings(plan, piecewise):
    """Return the embedding layers; `piecewise` are options of piecewise linear embeddings."""
    layers = []
    if plan.n_numbers and plan.num_embedding == PERIODIC:
        layers.append(("numbers", PeriodicEmbedding(features=plan.n_numbers)))
    elif plan.n_numbers and plan.num_embedding == PIECEWISE_LINEAR:
        layers.append(("numbers", PiecewiseLinearEmbedding(plan.bins, **piecewise)))
    if plan.cardinalities:
        draw = functools.partial(_draw_categories, plan.cardinalities)
        layer = CategoryEmbedding(plan.cardinalities, _CATEGORY_DIM, embeddings_initializer=draw)
        layers.append(("categories", layer))
    return layers


def realmlp(plan):
    """Return the layers of RealMLP (Holzmueller et al., 2024), here with any embedding."""
    if plan.n_members != 1:
        raise ValueError(
            f"n_members={plan.n_members} does not suit architecture='realmlp', which has one; use "
            "architecture='tabm'."
        )
    curves = {"units": 8, "linear": True, "rate_factor": 0.1}
    layers = [*embeddings(plan, curves), ("scale", ScaleFeatures())]
    for i, (units, rate) in plan.hidden():
        layers.append((f"linear{i}", NTPLinear(units)))
        layers.append((f"activation{i}", ParametricActivation(plan.activation)))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate, "flat_cos")))
    return [*layers, ("output", NTPLinear(plan.n_outputs, data_driven=False))]


def tabm(plan):
    """Return the layers of TabM (Gorishniy et al., 2025)."""
    layers = embeddings(plan, {"units": 16, "linear": True, "decay_factor": 1.0})
    members = plan.n_members
    if not list(plan.hidden()):
        raise ValueError(
            f"hidden_layer_sizes={plan.hidden_layer_sizes} does not suit architecture='tabm', "
            "which needs a hidden layer; pass one, or use architecture='realmlp'."
        )
    for i, (units, rate) in plan.hidden():
        layers.append((f"linear{i}", MemberLinear(units, members)))
        layers.append((f"activation{i}", Activation(plan.activation)))
        if rate:
            layers.append((f"dropout{i}", Dropout(rate)))
        members = None
    return [*layers, ("output", MemberHeads(plan.n_outputs))]
