"""
========================
Convolutions for signals
========================

Signals are images with one axis: ``CNNClassifier`` and ``CNNRegressor`` move their kernels along
the time steps. The task is to recognize three shapes at random times in noise: cylinder, bell and
funnel.
"""

# %%
# The signals
# -----------
# A classic benchmark of time series (Saito, 1994), generated from its formula: between a random
# first and a random last time step, the signal is constant (cylinder), rising (bell) or falling
# (funnel). Noise is added everywhere.
import warnings
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression

from sklearn_nn import CNNClassifier, CNNRegressor, MLPClassifier
from sklearn_nn.inspection import FeatureMapDisplay, FilterDisplay, SaliencyDisplay

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

NAMES, STEPS = np.array(["cylinder", "bell", "funnel"]), 128


def cylinder_bell_funnel(n, seed):
    """Return n signals, their classes, and the first time step of each shape."""
    rng = np.random.default_rng(seed)
    t, kind = np.arange(STEPS), rng.integers(0, 3, n)
    first = rng.integers(16, 33, n)[:, np.newaxis]
    last = first + rng.integers(32, 97, n)[:, np.newaxis]
    rise = (t - first) / (last - first)
    shape = np.choose(kind[:, np.newaxis], [np.ones_like(rise), rise, 1 - rise])
    height = 6 + rng.standard_normal((n, 1))
    X = height * shape * ((t >= first) & (t <= last)) + rng.standard_normal((n, STEPS))
    return X.astype(np.float32), NAMES[kind], first.ravel()


X_train, y_train, first_train = cylinder_bell_funnel(300, 0)
X_test, y_test, first_test = cylinder_bell_funnel(2000, 1)
figure, axes = plt.subplots(1, 3, figsize=(9, 2.6), sharey=True, layout="constrained")
for ax, name in zip(axes, NAMES, strict=True):
    ax.plot(X_train[y_train == name][:3].T, linewidth=1)
    ax.set(title=name, xlabel="step")

# %%
# Three classifiers
# -----------------
# Flat rows are signals of one channel; signals of several channels have shape (n, steps, channels).
# A dense layer has to learn each shape separately for every position; a convolution uses the same
# kernel for all positions. The difference is largest with few training signals.
settings = {"max_iter": 40, "n_iter_no_change": np.inf, "batch_size": 30, "random_state": 0}
models = {
    "logistic regression": LogisticRegression(max_iter=5000),
    "MLP": MLPClassifier((64,), **settings),
    "CNN": CNNClassifier((8, 16), kernel_size=9, pool_size=4, hidden_layer_sizes=32, **settings),
}
for name, model in models.items():
    start = perf_counter()
    fits = (model.fit(X_train[:n], y_train[:n]) for n in (30, 100, 300))
    words = ", ".join(f"{model.score(X_test, y_test):.3f}" for model in fits)
    print(f"{name:20} 30, 100, 300 signals: {words}  ({perf_counter() - start:.1f} s)")
cnn = models["CNN"]
print(cnn.summary())

# %%
# Filters
# -------
# Kernels of signals are drawn as lines: they detect rises and falls, or average.
FilterDisplay.from_estimator(cnn)

# %%
# The feature maps of a funnel, after the activation.
funnel = np.flatnonzero(y_test == "funnel")[0]
FeatureMapDisplay.from_estimator(cnn, X_test[funnel : funnel + 1], "convactivation1", columns=3)

# %%
# Occlusion of eight time steps at a time, by the signal's mean, shows which of them the network
# uses: mainly those at the beginning of the shape. Each map has its own scale, unless
# ``share_scale=True``.
chosen = [np.flatnonzero(y_test == name)[0] for name in NAMES]
SaliencyDisplay.from_estimator(
    cnn, X_test[chosen], method=("gradient", "occlusion"), window=8, stride=2, fill_value="mean"
)

# %%
# Regression on signals
# ---------------------
# A regressor locates the beginning of the shape. Its pooling windows are small, to preserve
# positions.
when = CNNRegressor(
    (8, 16), kernel_size=9, pool_size=2, hidden_layer_sizes=32, learning_rate_init=0.003, **settings
)
scale = first_train.std()
when.fit(X_train, (first_train - first_train.mean()) / scale)
found = when.predict(X_test) * scale + first_train.mean()
print(f"median error {np.median(np.abs(found - first_test)):.1f} steps")
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name in NAMES:
    of = y_test == name
    ax.plot(first_test[of] + np.linspace(-0.3, 0.3, of.sum()), found[of], ".", ms=2, label=name)
ax.plot([16, 32], [16, 32], "k:", linewidth=1)
ax.set(xlabel="step at which the shape begins", ylabel="step found")
figure.legend(markerscale=4, loc="outside right upper")
# sphinx_gallery_thumbnail_number = 4
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_inception.py` has kernels of several sizes, and
# :ref:`sphx_glr_auto_examples_plot_sequence_classification.py` classifies sequences of unequal
# length.
