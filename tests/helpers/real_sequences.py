"""Public sequences for tests and benchmarks, read from $SKLEARN_NN_DATA or ../shared/data."""

from __future__ import annotations

import csv
import gzip
import io
import os
import zipfile
from pathlib import Path

import numpy as np
from sklearn.base import BaseEstimator, RegressorMixin, clone

from sklearn_nn import SequenceScaler, sliding_windows

FOLDER = Path(os.environ.get("SKLEARN_NN_DATA", Path(__file__).parents[2] / ".." / "shared/data"))
#: Hours of a day and of a week.
DAY, WEEK = 24, 168


def find(name):
    """Return the path of a file of the folder, packed or not.

    Raises
    ------
    FileNotFoundError
        If it is absent.
    """
    for path in (FOLDER / name, FOLDER / f"{name}.gz"):
        if path.exists():
            return path
    raise FileNotFoundError(
        f"{FOLDER / name} is absent; set SKLEARN_NN_DATA to the folder that holds {name}"
    )


def read_ts(path):
    """Return sequences and labels of a file of the UCR and UEA archives (sktime's .ts).

    A case is a line: its channels, each with values between commas, then its label, with colons in
    between. Lines of "#" are comments, and those of "@" settings, up to "@data".

    Returns
    -------
    X : list of ndarray of shape (n_steps, n_channels), float32
    y : ndarray of str
    """
    X, y = [], []
    opened = gzip.open if path.suffix == ".gz" else open
    with opened(path, "rt", encoding="utf-8") as file:
        lines = iter(file)
        next(line for line in lines if line.strip().lower() == "@data")
        for line in filter(str.strip, lines):
            *channels, label = line.strip().split(":")
            values = [[float("nan" if v == "?" else v) for v in c.split(",")] for c in channels]
            X.append(np.array(values, dtype=np.float32).T)
            y.append(label)
    return X, np.array(y)


def archive(name):
    """Return training and test set of a problem of the archive: (X, y), (X, y).

    X is an array of shape (n, n_steps, n_channels) where all sequences are of one length, else a
    list of arrays of shape (n_steps, n_channels).
    """
    parts = [read_ts(find(f"ucr_uea/{name}_{part}.ts")) for part in ("TRAIN", "TEST")]
    if len({len(x) for X, _ in parts for x in X}) == 1:
        parts = [(np.stack(X), y) for X, y in parts]
    return parts


def indoor_movement():
    """Return strengths of four radio signals while someone walks, and whether they change rooms.

    314 sequences of 19 to 129 steps; y is 1 where he does (Bacciu et al., 2014).
    """

    def table(file):
        with packed.open(file) as lines:
            return np.loadtxt(io.TextIOWrapper(lines, "utf-8"), "float32", delimiter=",", ndmin=2)

    with zipfile.ZipFile(find("indoor_movement/IndoorMovement.zip")) as packed:
        targets = table("dataset/MovementAAL_target.csv").astype(int)
        X = [table(f"dataset/MovementAAL_RSS_{number}.csv") for number in targets[:, 0]]
    return X, (targets[:, 1] == 1).astype(int)


def bike_hours():
    """Return bicycles hired in each hour of two years, and what was known at the time.

    Returns
    -------
    series : ndarray of shape (17544, 9)
        Number hired; whether this is a working day, and whether tomorrow is one, which the
        calendar says; weather (1 is clear, 4 a storm), temperature, humidity, wind; sine and
        cosine of the hour. Hours that are left out in the file are hours without hires, with the
        weather of the hour before.
    """
    with find("bike/hour.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    first = np.datetime64(rows[0]["dteday"], "h")
    times = [
        int((np.datetime64(r["dteday"], "h") - first).astype(int)) + int(r["hr"]) for r in rows
    ]
    names = ("cnt", "workingday", "weathersit", "temp", "hum", "windspeed")
    there = np.array([[float(row[name]) for name in names] for row in rows])
    n_hours = times[-1] + 1
    latest = np.searchsorted(times, np.arange(n_hours), side="right") - 1
    filled = there[latest]
    filled[np.setdiff1d(np.arange(n_hours), times), 0] = 0
    # All rows of a day say the same of it.
    days = np.arange(n_hours // DAY)
    working = there[np.searchsorted(times, days * DAY), names.index("workingday")]
    tomorrow = np.append(working[1:], working[-1])
    turn = np.arange(n_hours) * 2 * np.pi / DAY
    return np.column_stack(
        [
            filled[:, 0],
            *(np.repeat(flags, DAY) for flags in (working, tomorrow)),
            *filled[:, 2:].T,
            np.sin(turn),
            np.cos(turn),
        ]
    )


def bike_windows(stride=1):
    """Return weeks of `bike_hours`, and the hires of the day that follows each.

    A stride without a divisor in common with 24 makes windows that begin at every hour of a day.

    Returns
    -------
    (X, y), (X, y) : ndarrays of shape (n, 168, 9) and (n, 24)
        To train on: all that lies in the first 80 % of the time. To test on: a window for every
        hour, whose forecast lies in the rest.
    """
    series = bike_hours()
    cut = int(0.8 * len(series))
    train = sliding_windows(series[:cut], WEEK, DAY, stride, target=0)
    return train, sliding_windows(series[cut - WEEK :], WEEK, DAY, target=0)


class RelativeForecast(RegressorMixin, BaseEstimator):
    """Regressor of forecasts relative to the mean of a window, by another regressor.

    The network sees the first channel, and what follows it, over the window's mean, less 1: a
    pattern looks the same in a good year. Windows count by their mean, so that an absolute error
    is one of the series.

    Parameters
    ----------
    regressor : regressor
    """

    def __init__(self, regressor):
        self.regressor = regressor

    def _relative(self, X):
        level = X[:, :, 0].mean(axis=1, keepdims=True)
        return np.dstack([X[:, :, 0] / level - 1, X[:, :, 1:]]).astype("float32"), level

    def fit(self, X, y):
        """Fit the regressor and the scale of the channels."""
        Z, level = self._relative(X)
        self.scaler_ = SequenceScaler().fit(Z)
        self.regressor_ = clone(self.regressor).fit(
            self.scaler_.transform(Z),
            (y / level - 1).astype("float32"),
            sample_weight=level[:, 0] / level.mean(),
        )
        return self

    def predict(self, X):
        """Return a forecast for each window."""
        Z, level = self._relative(X)
        return (self.regressor_.predict(self.scaler_.transform(Z)) + 1) * level
