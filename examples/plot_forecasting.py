"""
===========
Forecasting
===========

A forecast of the next 24 hours of an hourly time series from the past week, and from what is known
of the 24 hours: the calendar and a weather forecast. The series is the simulated load of a small
power grid: a daily and a weekly cycle, a trend over the year, slowly changing weather, and noise.
The forecasts are compared with two baselines that need no model: the same hour of the day before,
and of the week before. :doc:`/guide_forecasting` is the guide.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.metrics import root_mean_squared_error
from sklearn.model_selection import TimeSeriesSplit

from sklearn_nn import NeuralNetworkRegressor, forecast, sliding_windows
from sklearn_nn.inspection import LossCurveDisplay
from sklearn_nn.layers import GRU, Bidirectional, Conv1D, Conv2D, Dropout, Flatten, Reshape

rng = np.random.default_rng(0)

# %%
# The series
# ----------
# 300 days of hourly values.

DAY, WEEK = 24, 168
hour = np.arange(300 * DAY)
weather = np.zeros(hour.size)
for k in range(1, hour.size):
    weather[k] = 0.99 * weather[k - 1] + 0.14 * rng.standard_normal()
weekday = (hour // DAY) % 7 < 5
morning = np.exp(-(((hour % DAY) - 8) ** 2) / 8)
evening = np.exp(-(((hour % DAY) - 19) ** 2) / 12)
load = (
    100
    + 30 * morning * weekday
    + 25 * evening
    - 10 * np.cos(2 * np.pi * hour / hour.size)
    + 8 * weather * (0.5 + evening)
    + 2 * rng.standard_normal(hour.size)
)

figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.plot(hour[: 3 * WEEK] / DAY, load[: 3 * WEEK])
ax.set(xlabel="day", ylabel="load in MW")

# %%
# Windows
# -------
# The input of each hour is the load, standardized by the training data; the weather; and the time
# of the day and of the week, each as a point on a circle. All but the load is known ahead:
# ``future`` appends the 24 hours to forecast to each window. A target is the load of these hours.
# Windows whose targets are after day 240 are the test set.

begin_test = 240 * DAY
mean, spread = load[:begin_test].mean(), load[:begin_test].std()
day, week = 2 * np.pi * hour / DAY, 2 * np.pi * hour / WEEK
columns = [(load - mean) / spread, weather, np.sin(day), np.cos(day), np.sin(week), np.cos(week)]
series = np.column_stack(columns).astype(np.float32)
known = [1, 2, 3, 4, 5]
X, y = sliding_windows(series, width=WEEK, horizon=DAY, stride=6, future=known)
first_hour = 6 * np.arange(len(X)) + WEEK  # of each target
train, test = first_hour + DAY <= begin_test, first_hour >= begin_test
print(X.shape, y.shape, train.sum(), test.sum())

# %%
# Forecasts without a model
# -------------------------


def rmse(forecast, rows):
    """Root mean squared error in the units of the load."""
    return spread * root_mean_squared_error(y[rows], forecast)


day_before = X[:, WEEK - DAY : WEEK, 0]
week_before = X[:, :DAY, 0]
naive = {"day before": rmse(day_before[test], test), "week before": rmse(week_before[test], test)}
print(", ".join(f"{name}: {error:.2f}" for name, error in naive.items()))

# %%
# The networks
# ------------
# As an image of days by hours, a window has the same hour of all days in one column. A convolution
# of the height of the image computes 32 numbers for each hour, of which a GRU in both directions
# makes the forecast. The targets are the differences of each hour from the mean of the same hour of
# the past seven days, so that the network need not learn the daily cycle.

usual = X[:, :WEEK, 0].reshape(len(X), 7, DAY).mean(axis=1)


def network(n_days, n_channels):
    """Return a network that reads `n_days` days and forecasts one."""
    layers = [
        Reshape((n_days, DAY, n_channels)),
        Conv2D(32, (n_days, 1), activation="relu"),
        Reshape((DAY, 32)),
        Bidirectional(GRU(24, return_sequences=True)),
        Dropout(0.1),
        Conv1D(8, 1, activation="relu"),
        Flatten(),
    ]
    return NeuralNetworkRegressor(
        layers,
        learning_rate="onecycle",
        learning_rate_init=0.01,
        batch_size=32,
        max_iter=15,
        random_state=0,
    )


# %%
# A backtest on the training data: each fold is later than the windows that it is forecast from, and
# the gap keeps the targets of the last of these before the first forecast of the fold.

rows = np.flatnonzero(train)
model = network(8, X.shape[2])
errors = []
for past, future in TimeSeriesSplit(3, gap=DAY // 6).split(rows):
    past, future = rows[past], rows[future]
    model.fit(X[past], (y - usual)[past])
    errors.append(rmse(usual[future] + model.predict(X[future]), future))
print("backtest:", ", ".join(f"{error:.2f}" for error in errors))

# %%
# On the test set, what is known ahead takes off a good part of the error of the same network on the
# past week alone:

past_week = X[:, :WEEK, :-1]
model_of_past = network(7, past_week.shape[2]).fit(past_week[train], (y - usual)[train])
error = rmse(usual[test] + model_of_past.predict(past_week[test]), test)
print(f"the past alone: {error:.2f}")

model.fit(X[train], (y - usual)[train])
predicted = usual[test] + model.predict(X[test])
error = rmse(predicted, test)
print(f"and what is known: {error:.2f}, {1 - error / naive['week before']:.0%} below a week before")

# %%
# A week of forecasts, each made at midnight for the day to come, and how the error grows with the
# time ahead:

figure, ax = plt.subplots(figsize=(9, 3.4), layout="constrained")
at_midnight = np.flatnonzero(test)[::4][:7]
for k in at_midnight:
    begin = first_hour[k]
    ahead = begin + np.arange(DAY)
    coming = np.where(np.isin(np.arange(6), known), series[ahead], np.nan)
    one = usual[k] + forecast(model, series[begin - WEEK : begin], DAY, coming)
    one = mean + spread * one
    (line,) = ax.plot(ahead / DAY, one, color="C1")
span = slice(first_hour[at_midnight[0]], first_hour[at_midnight[-1]] + DAY)
(truth,) = ax.plot(hour[span] / DAY, load[span], color="C0", lw=1)
ax.legend([truth, line], ["load", "forecast"], loc="upper left", ncols=2)
ax.set(xlabel="day", ylabel="load in MW", ylim=(None, 1.1 * load[span].max()))

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
by_hour = spread * np.sqrt(((predicted - y[test]) ** 2).mean(axis=0))
axes[0].plot(np.arange(1, DAY + 1), by_hour, label="network")
by_hour = spread * np.sqrt(((week_before[test] - y[test]) ** 2).mean(axis=0))
axes[0].plot(np.arange(1, DAY + 1), by_hour, label="week before")
axes[0].set(xlabel="hours ahead", ylabel="RMSE in MW", ylim=(0, None))
axes[0].legend()
LossCurveDisplay.from_estimator(model, ax=axes[1])
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_sequence_classification.py` compares cells and kinds of pooling.
