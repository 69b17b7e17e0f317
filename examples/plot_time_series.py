"""
==========================
Time-series classification
==========================

Three kinds of short patterns are hidden in long noisy series. Networks of the literature find them
wherever they are, in the raw series: LITE with 9,814 weights, an ensemble of five of it, and the
fully convolutional network. They are compared with nearest neighbours and with a logistic
regression on the steps. :doc:`/guide_sequences` explains the networks.
"""

import time

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split
from sklearn.neighbors import KNeighborsClassifier

from sklearn_nn.time_series import fcn, lite

rng = np.random.default_rng(0)

# %%
# The data
# --------
# The class is the shape of a pattern of 16 steps: one peak, a peak and a trough, or two peaks. The
# place is random, and so is the slow wave below it. Series of one channel are rows.

t = np.linspace(0, 1, 16)
patterns = {
    "peak": np.sin(np.pi * t),
    "peak and trough": np.sin(2 * np.pi * t),
    "two peaks": np.abs(np.sin(2 * np.pi * t)),
}
kinds = np.array(list(patterns) * 80)
series = np.sin(np.arange(100) / rng.uniform(10, 30, (240, 1)) + rng.uniform(0, 6, (240, 1)))
series += 0.15 * rng.standard_normal(series.shape)
for row, kind in zip(series, kinds, strict=True):
    start = rng.integers(0, 100 - 16)
    row[start : start + 16] += patterns[kind]
X_train, X_test, y_train, y_test = train_test_split(
    series.astype(np.float32), kinds, test_size=0.5, stratify=kinds, random_state=0
)

figure, axes = plt.subplots(3, 1, figsize=(7, 5), sharex=True, layout="constrained")
for ax, row, kind in zip(axes, series, kinds, strict=False):
    ax.plot(row)
    ax.set(ylabel=kind, xlim=(0, 99))
axes[-1].set_xlabel("step")

# %%
# Networks
# --------
# A function of :mod:`sklearn_nn.time_series` returns an estimator, and takes its parameters.

models = {
    "nearest neighbour": KNeighborsClassifier(1),
    "logistic regression": LogisticRegression(max_iter=1000),
    "FCN": fcn((32, 64, 32), max_iter=30, random_state=0),
    "LITE": lite(max_iter=60, random_state=0),
    "five of LITE": lite(n_networks=5, max_iter=60, random_state=0),
}
scores = {}
for name, model in models.items():
    begun = time.perf_counter()
    scores[name] = model.fit(X_train, y_train).score(X_test, y_test)
    print(f"{name}: {scores[name]:.3f}, {time.perf_counter() - begun:.1f} s")

figure, ax = plt.subplots(figsize=(6, 2.5), layout="constrained")
ax.barh(list(scores), list(scores.values()))
ax.invert_yaxis()
ax.set(xlabel="accuracy on test series", xlim=(0, 1))
plt.show()

# %%
# Which filters are fixed
# -----------------------
# The first layer of LITE has filters for rises, falls and peaks, which training does not change.

figure, axes = plt.subplots(1, 3, figsize=(9, 2.2), layout="constrained")
fixed = {n: a for n, a in models["LITE"].layers_.items() if ".fixed." in n}
for ax, (name, arrays) in zip(axes, [list(fixed.items())[k] for k in (3, 9, 14)], strict=True):
    ax.stem(arrays["kernel"].ravel(), basefmt=" ", markerfmt=".")
    ax.set(title=name.rsplit(".", 1)[-1], xlabel="step")
plt.show()
