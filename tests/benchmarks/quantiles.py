"""Quantiles of tables: pinball loss of five levels, and coverage of 90% prediction intervals.

Run as ``python tests/benchmarks/quantiles.py [row ...] [--splits n] [--networks n]``; rows are
california_housing, bike and diamonds, all by default. Data is read from $SKLEARN_NN_DATA or
../shared/data. A fifth of the rows is held out, at random, once for each split. Nothing is tuned:
one `TabularRegressor` for all levels, one with a tenth of its rows set aside for calibration, and a
gradient boosting for each level. One thread. Rows of Markdown are printed: the mean pinball loss
over all levels, the share of test targets from the lowest to the highest level, the share of test
rows whose quantiles cross, and seconds.
"""

from __future__ import annotations

import argparse
import time

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.metrics import mean_pinball_loss
from sklearn.model_selection import train_test_split
from tables import TABLES, categorical
from threadpoolctl import threadpool_limits

from sklearn_nn import TabularRegressor

ROWS = ("california_housing", "bike", "diamonds")
LEVELS = [0.05, 0.25, 0.5, 0.75, 0.95]


def ours(X, y, query, networks, **options):
    """Quantiles of one estimator for all levels."""
    model = TabularRegressor(
        loss="quantile", quantile=LEVELS, n_networks=networks, random_state=0, **options
    )
    return model.fit(X, y).predict_quantiles(query)


def boosting(X, y, query):
    """Quantiles of one gradient boosting for each level."""
    models = [
        HistGradientBoostingRegressor(
            loss="quantile", quantile=level, categorical_features="from_dtype", random_state=0
        )
        for level in LEVELS
    ]
    return np.column_stack([model.fit(X, y).predict(query) for model in models])


def figures(predict, parts):
    """Mean pinball loss, share of targets inside the outer levels, share of crossings, seconds."""
    X, query, y, wanted = parts
    begun = time.perf_counter()
    with threadpool_limits(1):
        found = predict(X, y, query)
    seconds = time.perf_counter() - begun
    losses = [mean_pinball_loss(wanted, q, alpha=a) for a, q in zip(LEVELS, found.T, strict=True)]
    inside = np.mean((found[:, 0] <= wanted) & (wanted <= found[:, -1]))
    crossing = np.mean((np.diff(found, axis=1) < 0).any(axis=1))
    return np.mean(losses), inside, crossing, seconds


def main():
    """Print the rows named on the command line, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=ROWS)
    parser.add_argument("--splits", type=int, default=1)
    parser.add_argument("--networks", type=int, default=4)
    given = parser.parse_args()
    models = {
        "one network for all levels": lambda *data: ours(*data, given.networks),
        "calibrated": lambda *data: ours(*data, given.networks, conformal_fraction=0.1),
        "gradient boosting, one a level": boosting,
    }
    print("| table | model | pinball loss | inside 90% | rows that cross | seconds |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for name in given.rows:
        table, y, _ = TABLES[name]()
        table = categorical(table)
        splits = [
            train_test_split(table, y, test_size=0.2, random_state=seed)
            for seed in range(given.splits)
        ]
        for title, predict in models.items():
            found = np.mean([figures(predict, parts) for parts in splits], axis=0)
            loss, inside, crossing, seconds = found
            print(f"| {name} | {title} | {loss:,.5g} | {inside:.3f} | {crossing:.1%} | "
                  f"{seconds:.0f} |", flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
