"""Tables: scores by cross-validation on eight public ones, and the time of a fit.

Run as ``python tests/benchmarks/tables.py [row ...] [--models name ...] [--seconds]``; rows are
adult, telco_churn, titanic, admissions, california_housing, ames, diamonds and bike, all by
default. Data is read from $SKLEARN_NN_DATA or ../shared/data. Five folds, shuffled with seed 0, or
the first ones of them (``--folds``); two threads each. Nothing is tuned: our defaults with either
architecture, gradient boosting with categories by type, and scikit-learn's MLP behind the usual
ColumnTransformer, with early stopping. Rows of Markdown are printed.

With ``--seconds`` it is the time of a fit to 10,000 rows of 50 numbers, beside the same network and
recipe as a loop in PyTorch, on as many threads; the best of three.
"""

from __future__ import annotations

import argparse
import itertools
import math
import os
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.compose import (
    ColumnTransformer,
    TransformedTargetRegressor,
    make_column_selector,
)
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss, root_mean_squared_error
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier, MLPRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from sklearn_nn import TabularClassifier, TabularRegressor

warnings.simplefilter("ignore", ConvergenceWarning)
# How pandas names its type of strings differs from version to version.
warnings.filterwarnings("ignore", message=".*select_dtypes")

FOLDER = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[3] / "shared" / "data"))
THREADS = 2


# --- the tables --------------------------------------------------------------------------------


def adult():
    """Read adults, who earn more than 50,000 dollars or not: 48,842 rows, 14 columns."""
    names = [f"c{i}" for i in range(14)] + ["income"]
    options = {"header": None, "names": names, "skipinitialspace": True, "na_values": "?"}
    parts = [pd.read_csv(FOLDER / f"adult/adult-{p}.csv.gz", **options) for p in ("train", "test")]
    table = pd.concat(parts, ignore_index=True)
    return table, table.pop("income").str.rstrip("."), True


def telco_churn():
    """Read customers, who leave or not: 7,043 rows, 19 columns."""
    table = pd.read_csv(FOLDER / "telco_churn/Telco-Customer-Churn.csv.gz")
    table["TotalCharges"] = pd.to_numeric(table["TotalCharges"], errors="coerce")
    y = table.pop("Churn")
    return table.drop(columns="customerID"), y, True


def titanic():
    """Who survived: 891 rows."""
    table = pd.read_csv(FOLDER / "titanic/titanic.csv")
    y = table.pop("survived")
    return table.drop(columns="alive"), y, True  # alive says the same


def admissions():
    """Who was admitted: 400 rows, 3 numbers."""
    table = pd.read_csv(FOLDER / "admissions/student_data.csv")
    return table, table.pop("admit"), True


def california_housing():
    """Median house value of a block, in dollars: 20,640 rows, 9 columns."""
    table = pd.read_csv(FOLDER / "california_housing/housing.csv.gz")
    return table, table.pop("median_house_value"), False


def ames():
    """Price of a house, in dollars: 2,930 rows, 79 columns."""
    table = pd.read_csv(FOLDER / "ames/AmesHousing.csv.gz")
    y = table.pop("SalePrice")
    return table.drop(columns=["Order", "PID"]), y, False


def diamonds():
    """Price of a diamond, in dollars: 53,940 rows, 9 columns."""
    table = pd.read_csv(FOLDER / "diamonds/diamonds.csv.gz")
    return table, table.pop("price"), False


def bike():
    """Bicycles hired in an hour: 17,379 rows, 12 columns."""
    table = pd.read_csv(FOLDER / "bike/hour.csv")
    y = table.pop("cnt")
    return table.drop(columns=["instant", "dteday", "casual", "registered"]), y, False


TABLES = {
    f.__name__: f
    for f in (adult, telco_churn, titanic, admissions, california_housing, ames, diamonds, bike)
}


# --- the models --------------------------------------------------------------------------------


def ours(classifies):
    """Our defaults."""
    return (TabularClassifier if classifies else TabularRegressor)(random_state=0, n_jobs=THREADS)


def tabm(classifies):
    """The other architecture: members of one network that share weights."""
    return ours(classifies).set_params(architecture="tabm")


def boosting(classifies):
    """scikit-learn's gradient boosting."""
    kind = HistGradientBoostingClassifier if classifies else HistGradientBoostingRegressor
    return kind(categorical_features="from_dtype", random_state=0)


def mlp(classifies):
    """scikit-learn's MLP behind the usual preprocessing."""
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    words = OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=10)
    columns = ColumnTransformer(
        [
            ("numbers", numbers, make_column_selector(dtype_include="number")),
            ("words", words, make_column_selector(dtype_exclude="number")),
        ]
    )
    if classifies:
        return make_pipeline(columns, MLPClassifier(early_stopping=True, random_state=0))
    network = MLPRegressor(early_stopping=True, random_state=0)
    return make_pipeline(columns, TransformedTargetRegressor(network, transformer=StandardScaler()))


MODELS = {"ours": ours, "TabM": tabm, "gradient boosting": boosting, "scikit-learn's MLP": mlp}


def categorical(table):
    """Columns of text as categories, which gradient boosting asks for."""
    words = table.select_dtypes(exclude="number").columns
    return table.astype(dict.fromkeys(words, "category"))


def figures(model, table, y, classifies, folds):
    """Mean score, log loss and seconds over the first folds of five."""
    splitter = (StratifiedKFold if classifies else KFold)(5, shuffle=True, random_state=0)
    found = []
    for train, test in itertools.islice(splitter.split(table, y), folds):
        begun = time.perf_counter()
        with threadpool_limits(THREADS):
            model.fit(table.iloc[train], y.iloc[train])
        seconds = time.perf_counter() - begun
        predicted = model.predict(table.iloc[test])
        if classifies:
            p = model.predict_proba(table.iloc[test]).astype(np.float64)
            p /= p.sum(axis=1, keepdims=True)
            score, loss = accuracy_score(y.iloc[test], predicted), log_loss(y.iloc[test], p)
        else:
            score, loss = root_mean_squared_error(y.iloc[test], predicted), math.nan
        found.append((score, loss, seconds))
    return np.mean(found, axis=0)


def scores(names, models, folds):
    """One row for each table and model."""
    print("| table | model | accuracy or RMSE | log loss | seconds of a fit |")
    print("| --- | --- | --- | --- | --- |")
    for name in names:
        table, y, classifies = TABLES[name]()
        table = categorical(table)
        for title in models:
            score, loss, seconds = figures(MODELS[title](classifies), table, y, classifies, folds)
            shown = f"{score:.4f} | {loss:.4f}" if classifies else f"{score:,.4g} | "
            print(f"| {name} | {title} | {shown} | {seconds:.1f} |", flush=True)


# --- the time of a fit -------------------------------------------------------------------------


def seconds(epochs=20):
    """Our engine and a loop in PyTorch on the same network, data and recipe."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((10_000, 50)).astype(np.float32)
    y = (X[:, :5].sum(axis=1) + rng.standard_normal(10_000) > 0).astype(np.int64)
    options = {"n_networks": 1, "max_iter": epochs, "random_state": 0}
    TabularClassifier(**{**options, "max_iter": 1}).fit(X, y)  # compiles
    print(f"| 10,000 x 50, {epochs} epochs | ours, s | PyTorch, s | ratio |")
    print("| --- | --- | --- | --- |")
    for threads in (1, THREADS):
        own, other = [], []
        for _ in range(3):
            begun = time.perf_counter()
            model = TabularClassifier(**options, n_jobs=threads).fit(X, y)
            own.append(time.perf_counter() - begun)
            other.append(torch_seconds(model, X, y, epochs, threads))
        ratio = min(other) / min(own)
        print(
            f"| {threads} threads | {min(own):.2f} | {min(other):.2f} | {ratio:.1f} |", flush=True
        )


def torch_network(model, torch):
    """RealMLP over piecewise linear curves, as the model has it, of plain PyTorch operations."""

    class Curves(torch.nn.Module):
        def __init__(self, bins, units):
            super().__init__()
            edges = torch.full((len(bins), max(map(len, bins))), float("inf"))
            for row, own in zip(edges, bins, strict=True):
                row[: len(own)] = torch.as_tensor(own)
            begins, ends = edges[:, :-1], edges[:, 1:]
            widths = torch.where(ends.isfinite(), ends - begins, torch.ones(()))
            self.register_buffer("begins", torch.where(begins.isfinite(), begins, torch.zeros(())))
            self.register_buffer("widths", widths)
            last = torch.tensor([len(own) - 2 for own in bins])
            place = torch.arange(begins.shape[1])
            self.register_buffer(
                "low", torch.where(place == 0, -float("inf"), 0.0).expand_as(begins)
            )
            self.register_buffer("high", torch.where(place == last[:, None], float("inf"), 1.0))
            self.register_buffer("own", (place <= last[:, None]).float())
            self.kernel = torch.nn.Parameter(torch.zeros(*begins.shape, units))
            bound = units**-0.5
            self.slopes = torch.nn.Parameter(torch.empty(len(bins), units).uniform_(-bound, bound))
            self.bias = torch.nn.Parameter(torch.empty(len(bins), units).uniform_(-bound, bound))

        def forward(self, x):
            e = (x[:, :, None] - self.begins) / self.widths
            e = torch.clamp(e, self.low, self.high) * self.own
            y = torch.einsum("bft,ftu->bfu", e, self.kernel)
            return (y + x[:, :, None] * self.slopes + self.bias).flatten(1)

    class Scale(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.scale = torch.nn.Parameter(torch.ones(n))

        def forward(self, x):
            return x * self.scale

    class Linear(torch.nn.Module):
        def __init__(self, n, units):
            super().__init__()
            self.weight = torch.nn.Parameter(torch.randn(n, units))
            self.bias = torch.nn.Parameter(torch.randn(units))

        def forward(self, x):
            return torch.addmm(self.bias, x, self.weight, alpha=x.shape[1] ** -0.5)

    class Parametric(torch.nn.Module):
        def __init__(self, n):
            super().__init__()
            self.alpha = torch.nn.Parameter(torch.ones(n))

        def forward(self, x):
            return x + self.alpha * (torch.relu(x) - x)

    n = len(model._bins) * 8
    layers = [Curves(model._bins, 8), Scale(n)]
    for units in model.recipe_["hidden_layer_sizes"]:
        layers += [Linear(n, units), Parametric(units), torch.nn.Dropout(0.15)]
        n = units
    return torch.nn.Sequential(*layers, Linear(n, 1))


def torch_seconds(model, X, y, epochs, threads):
    """The same training as a plain loop: schedules by batch, decoupled decay, the best epoch."""
    import torch

    torch.set_num_threads(threads)
    torch.manual_seed(0)
    data = torch.as_tensor(model.encoder_.encode(X))
    target = torch.as_tensor(y, dtype=torch.float32)[:, None]
    network = torch_network(model, torch)
    loss_of = torch.nn.functional.binary_cross_entropy_with_logits
    factors = {"scale": 6.0, "bias": 0.1, "alpha": 0.1}
    groups = [
        {
            "params": [p],
            "factor": 0.1 if name.startswith("0.") else factors.get(name.split(".")[-1], 1.0),
            "weight_decay": 0.0 if name.endswith("bias") else 0.02,
        }
        for name, p in network.named_parameters()
    ]
    optimizer = torch.optim.AdamW(groups, lr=0.04, betas=(0.9, 0.95))
    held_out, train = torch.randperm(len(X)).split([2000, len(X) - 2000])
    steps, step = epochs * math.ceil(len(train) / 256), 0
    best, begun = (math.inf, None), time.perf_counter()
    for _ in range(epochs):
        network.train()
        for rows in train[torch.randperm(len(train))].split(256):
            t = step / steps
            rate = 0.02 * (1 - math.cos(2 * math.pi * math.log2(1 + 15 * t)))
            flat = 0.5 * (1 + math.cos(math.pi * max(0.0, 2 * t - 1)))
            for group in optimizer.param_groups:
                group["lr"] = rate * group["factor"]
                group["weight_decay"] = 0.02 * flat if group["weight_decay"] else 0.0
            for layer in network:
                if isinstance(layer, torch.nn.Dropout):
                    layer.p = 0.15 * flat
            optimizer.zero_grad()
            loss_of(network(data[rows]), 0.9 * target[rows] + 0.05).backward()
            optimizer.step()
            step += 1
        network.eval()
        with torch.no_grad():
            loss = loss_of(network(data[held_out]), target[held_out]).item()
        if loss < best[0]:
            best = loss, {name: value.clone() for name, value in network.state_dict().items()}
    return time.perf_counter() - begun


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("rows", nargs="*", choices=[*TABLES, []], default=[])
    parser.add_argument("--models", nargs="*", choices=MODELS, default=list(MODELS))
    parser.add_argument("--folds", type=int, choices=range(1, 6), default=5)
    parser.add_argument("--seconds", action="store_true")
    arguments = parser.parse_args()
    if arguments.seconds:
        seconds()
    else:
        scores(arguments.rows or TABLES, arguments.models, arguments.folds)
