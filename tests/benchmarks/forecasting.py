"""Bicycles hired in each of the next 24 hours, from the past week and what is known ahead.

Run as ``python tests/benchmarks/forecasting.py [row ...] [--validation] [--seeds n]``; rows are
naive, past, known, lightgbm and lightgbm_each, the first four by default. Data is read from
$SKLEARN_NN_DATA or ../shared/data. Forecasts begin at every hour. The last fifth of the two years
is the test period, and all that ends before it the training data. The settings of networks and
boosting were chosen on the tenth before the test period (``--validation``, where models are
trained on what ends before that tenth).

Known ahead are the calendar (hour, weekday, day of the year, whether yesterday, today and tomorrow
are working days) and the weather, whose measurements stand for a forecast. Every model learns the
hires over the mean of the past week, less 1, and windows count by the square of this mean, so that
errors are those of the hires. "past" is the same network without the 24 hours ahead. Columns of the
boosting are, for each hour to forecast: hires at this hour of the seven days before, of each of the
last 24 hours, and means; what is known of this hour, the hour before and the hour after; the mean
weather of the day, and up to this hour. "lightgbm" is one model with the number of hours ahead as
a column, "lightgbm_each" one model for each of the 24, which has the whole week and the weather of
all 24 hours. One thread.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
from sklearn.metrics import root_mean_squared_error
from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))

from helpers.real_sequences import DAY, WEEK, bike_hours
from sklearn_nn import NeuralNetworkRegressor, sliding_windows
from sklearn_nn.layers import GRU, Bidirectional, Conv1D, Conv2D, Dropout, Flatten, Reshape

STEP = {
    "n_estimators": 300, "learning_rate": 0.05, "num_leaves": 127, "min_child_samples": 20,
    "subsample": 0.8, "subsample_freq": 1, "colsample_bytree": 0.5,
}  # fmt: skip
EACH = {**STEP, "n_estimators": 200, "num_leaves": 31, "colsample_bytree": 0.4}


def bike_series():
    """Return hires, weather (4 columns) and calendar (9 columns) of each hour."""
    hires, today, tomorrow, *weather, sine, cosine = bike_hours().T
    hours = np.arange(len(hires))
    yesterday = np.concatenate([today[:DAY], today[:-DAY]])
    turns = [hours // DAY / 7, hours / (365.25 * DAY)]
    cycles = [f(2 * np.pi * turn) for turn in turns for f in (np.sin, np.cos)]
    columns = [hires, *weather, today, tomorrow, yesterday, sine, cosine, *cycles]
    return np.column_stack(columns).astype(np.float32)


class Windows:
    """Windows of the series, relative to the mean of their hires, and what follows each."""

    def __init__(self, series):
        known = list(range(1, series.shape[1]))
        self.X, self.y = sliding_windows(series, WEEK, DAY, target=0, future=known)
        self.level = self.X[:, :WEEK, 0].mean(axis=1, keepdims=True)
        self.weight = (self.level[:, 0] / self.level.mean()) ** 2
        self.X[:, :WEEK, 0] = self.X[:, :WEEK, 0] / self.level - 1
        self.relative = self.y / self.level - 1

    def between(self, begin, end):
        """Return the windows whose targets are the hours from `begin` to before `end`."""
        return np.arange(begin - WEEK, end - DAY + 1 - WEEK)


def network(seed, n_days, n_channels):
    """Return a network that computes each hour from the same hour of all days."""
    layers = [
        Reshape((n_days, DAY, n_channels)),
        Conv2D(64, (n_days, 1), activation="relu"),
        Reshape((DAY, 64)),
        Dropout(0.2),
        Bidirectional(GRU(32, return_sequences=True)),
        Dropout(0.2),
        Conv1D(64, 1, activation="relu"),
        Flatten(),
    ]
    return NeuralNetworkRegressor(
        layers,
        solver="adamw",
        weight_decay=0.05,
        learning_rate="onecycle",
        learning_rate_init=0.005,
        batch_size=64,
        max_iter=30,
        random_state=seed,
    )


def ours(windows, train, test, seed, *, ahead):
    """Relative forecasts of the network, which sees the hours ahead or not."""
    X = windows.X if ahead else windows.X[:, :WEEK, :-1]
    model = network(seed, X.shape[1] // DAY, X.shape[2])
    model.fit(X[train], windows.relative[train], sample_weight=windows.weight[train])
    return model.predict(X[test])


def columns_of_steps(windows, rows):
    """Return the columns of the boosting, of shape (n, 24, n_columns)."""
    past, coming = windows.X[rows, :WEEK, 0], windows.X[rows, WEEK:, 1:-1]
    before = np.concatenate([windows.X[rows, WEEK - 1 : WEEK, 1:-1], coming[:, :-1]], axis=1)
    after = np.concatenate([coming[:, 1:], coming[:, -1:]], axis=1)
    weather = coming[:, :, :4]
    so_far = np.cumsum(weather, axis=1) / np.arange(1, DAY + 1)[:, np.newaxis]
    of_all = np.column_stack([past[:, -DAY:], past[:, -DAY:].mean(axis=1), windows.level[rows]])
    n = len(rows)
    parts = [
        np.broadcast_to(np.arange(DAY)[np.newaxis, :, np.newaxis], (n, DAY, 1)),
        past.reshape(n, 7, DAY).transpose(0, 2, 1),
        np.broadcast_to(of_all[:, np.newaxis], (n, DAY, of_all.shape[1])),
        coming,
        before,
        after,
        np.broadcast_to(weather.mean(axis=1, keepdims=True), weather.shape),
        so_far,
    ]
    return np.concatenate(parts, axis=2, dtype=np.float32)


def lightgbm(windows, train, test, seed):
    """Relative forecasts of one boosting, which has the number of hours ahead as a column."""
    from lightgbm import LGBMRegressor

    A, B = (columns_of_steps(windows, rows) for rows in (train, test))
    model = LGBMRegressor(**STEP, random_state=seed, n_jobs=1, verbose=-1)
    weight = np.repeat(windows.weight[train], DAY)
    model.fit(A.reshape(-1, A.shape[2]), windows.relative[train].ravel(), sample_weight=weight)
    return model.predict(B.reshape(-1, B.shape[2])).reshape(-1, DAY)


def lightgbm_each(windows, train, test, seed):
    """Relative forecasts of a boosting for each hour ahead."""
    from lightgbm import LGBMRegressor

    found = np.empty((len(test), DAY))
    for k in range(DAY):
        A, B = (
            np.column_stack([
                windows.X[rows, :WEEK, 0], windows.level[rows], windows.X[rows, WEEK + k, 1:-1],
                windows.X[rows, WEEK:, 1:5].reshape(len(rows), -1),
            ])
            for rows in (train, test)
        )  # fmt: skip
        model = LGBMRegressor(**EACH, random_state=seed, n_jobs=1, verbose=-1)
        found[:, k] = model.fit(A, windows.relative[train, k], windows.weight[train]).predict(B)
    return found


def naive(windows, train, test, seed):
    """Hires of the same hour a week before, over the mean of the week."""
    return windows.X[test, :DAY, 0]


ROWS = {
    "naive": naive,
    "past": lambda *given: ours(*given, ahead=False),
    "known": lambda *given: ours(*given, ahead=True),
    "lightgbm": lightgbm,
    "lightgbm_each": lightgbm_each,
}


def main():
    """Print the rows named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="*", default=["naive", "past", "known", "lightgbm"])
    parser.add_argument("--validation", action="store_true")
    parser.add_argument("--seeds", type=int, default=5)
    given = parser.parse_args()
    series = bike_series()
    windows, n = Windows(series), len(series)
    begin, end = (int(0.7 * n), int(0.8 * n)) if given.validation else (int(0.8 * n), n)
    train, test = windows.between(WEEK, begin), windows.between(begin, end)
    print(f"{len(train)} windows for training, {len(test)} for testing")
    print("| model | RMSE, mean of seeds | each seed | mean of forecasts | seconds of a fit |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for name in given.rows:
        forecasts, begun = [], time.perf_counter()
        seeds = range(1 if name == "naive" else given.seeds)
        with threadpool_limits(1):
            for seed in seeds:
                relative = ROWS[name](windows, train, test, seed)
                forecasts.append(np.maximum((relative + 1) * windows.level[test], 0))
        seconds = (time.perf_counter() - begun) / len(seeds)
        errors = [root_mean_squared_error(windows.y[test], one) for one in forecasts]
        together = root_mean_squared_error(windows.y[test], np.mean(forecasts, axis=0))
        each = " ".join(f"{error:.1f}" for error in errors)
        print(f"| {name} | {np.mean(errors):.1f} | {each} | {together:.1f} | {seconds:.0f} |",
              flush=True)  # fmt: skip


if __name__ == "__main__":
    main()
