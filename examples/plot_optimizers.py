"""
==========
Optimizers
==========

From gradient descent to Adam: batches, momentum, and rates of each weight's own. What each adds is
drawn on a valley with two weights, then measured on handwritten digits.
"""

# %%
# Full batch, mini-batch, stochastic
# ----------------------------------
# An epoch sees every sample once. With all of them in one batch it takes a single step along the
# exact gradient; with batches of 32, forty-two steps along good estimates; with single samples,
# over a thousand along poor ones. ``batch_size`` chooses, and each needs a rate of its own: the
# noisier the gradient, the smaller the step. The best compromise lies between the extremes.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier, MLPRegressor

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X / 16, y, test_size=0.25, stratify=y, random_state=0
)

batches = {"full batch": (len(X_train), 0.5), "batches of 32": (32, 0.1), "one sample": (1, 0.01)}
figure, (by_epoch, by_time) = plt.subplots(
    1, 2, figsize=(8.5, 3.6), sharey=True, layout="constrained"
)
for name, (size, rate) in batches.items():
    mlp = MLPClassifier(
        (32,),
        solver="sgd",
        momentum=0,
        batch_size=size,
        learning_rate_init=rate,
        max_iter=60,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(X_train, y_train)
    epochs, seconds = np.arange(1, 61), np.median(mlp.history_["seconds"])
    by_epoch.plot(epochs, mlp.loss_curve_, label=f"{name}, rate {rate:g}")
    by_time.plot(1000 * seconds * epochs, mlp.loss_curve_)
by_epoch.set(xlabel="epoch", ylabel="training loss", yscale="log")
by_time.set(xlabel="milliseconds", xscale="log")
by_epoch.legend()
figure.suptitle("The same network and data; only the batch differs")

# %%
# A valley
# --------
# A linear model of two inputs, one with ten times the spread of the other, has a loss that is steep
# in one weight and flat in the other. ``partial_fit`` with all samples is one step of full-batch
# descent, so ``coefs_`` can be followed from step to step.
#
# Plain descent bounces between the steep sides: a larger rate would throw it out, and with this
# one it crawls along the floor. Momentum gathers speed along the valley, and overshoots; Nesterov's
# looks ahead and overshoots less. The adaptive ones divide by the size of past gradients and head
# for the goal as if the valley were round. (It runs along one weight, which flatters them.)
rng = np.random.default_rng(0)
inputs = rng.normal(size=(400, 2))
inputs = (inputs - inputs.mean(axis=0)) * [3.0, 0.3] / inputs.std(axis=0)
goal, start = np.array([1.0, 1.0]), np.array([-0.6, -3.0])
target = inputs @ goal


def path(steps, **parameters):
    """Return the two weights after each step of full-batch descent."""
    model = MLPRegressor(
        hidden_layer_sizes=(), alpha=0, batch_size=400, bias_init="zeros", **parameters
    )
    model.initialize(inputs, target)
    model.coefs_[0][:, 0] = start
    weights = [start]
    for _ in range(steps):
        model.partial_fit(inputs, target)
        weights.append(model.coefs_[0][:, 0].copy())
    return np.array(weights)


solvers = {
    "descent": {"solver": "sgd", "momentum": 0, "learning_rate_init": 0.2},
    "momentum": {"solver": "sgd", "nesterovs_momentum": False, "learning_rate_init": 0.06},
    "Nesterov": {"solver": "sgd", "nesterovs_momentum": True, "learning_rate_init": 0.06},
    "adagrad": {"solver": "adagrad", "learning_rate_init": 1.0},
    "rmsprop": {"solver": "rmsprop", "learning_rate_init": 0.1},
    "adam": {"solver": "adam", "learning_rate_init": 0.3},
}

spread = np.cov(inputs.T, bias=True)
grid = np.meshgrid(np.linspace(-1.3, 2.9, 200), np.linspace(-4.2, 3.6, 200))
offset = np.stack(grid, axis=-1) - goal
height = np.einsum("...i,ij,...j", offset, spread, offset) / 2

figure, axes = plt.subplots(2, 3, figsize=(9, 5.6), sharex=True, sharey=True, layout="constrained")
for ax, (name, parameters) in zip(axes.flat, solvers.items(), strict=True):
    weights = path(60, **parameters)
    ax.contour(*grid, height, levels=np.geomspace(0.02, 40, 12), cmap="Blues_r", linewidths=0.8)
    ax.plot(*weights.T, ".-", color="C1", markersize=4, linewidth=1)
    ax.plot(*goal, "*", color="C3", markersize=11)
    ax.set_title(f"{name}: {np.linalg.norm(weights[-1] - goal):.2g} from the goal")
figure.supxlabel("weight of the wide input")
figure.supylabel("weight of the narrow input")
figure.suptitle("Sixty steps down a valley")

# %%
# All of them, at their usual rates
# ---------------------------------
# Digits again. The rate that suits an optimizer is part of it: SGD wants 0.1 where Adam wants
# 0.003, Lion a third of Adam's, and Adadelta the 1.0 of its paper.
usual = {
    "sgd": 0.1,
    "adagrad": 0.05,
    "rmsprop": 0.003,
    "adam": 0.003,
    "adamw": 0.003,
    "nadam": 0.003,
    "adamax": 0.005,
    "adadelta": 1.0,
    "lion": 0.001,
}


def train(solver, rate):
    """Return a network trained for twenty epochs, watched on the validation set."""
    mlp = MLPClassifier(
        (64,),
        solver=solver,
        learning_rate_init=rate,
        batch_size=32,
        max_iter=20,
        n_iter_no_change=np.inf,
        random_state=0,
    )
    return mlp.fit(X_train, y_train, X_val=X_val, y_val=y_val)


figure, ax = plt.subplots(figsize=(7.5, 4.2), layout="constrained")
styles = ["-", "--", ":"]
for i, (solver, rate) in enumerate(usual.items()):
    mlp = train(solver, rate)
    label = f"{solver}, {rate:g}: {mlp.validation_scores_[-1]:.3f}"
    ax.plot(range(1, 21), mlp.loss_curve_, styles[i // 3], color=f"C{i}", label=label)
ax.set(xlabel="epoch", ylabel="training loss", yscale="log", title="Digits, batches of 32")
ax.set_xticks(range(0, 21, 5))
ax.legend(title="solver, rate: validation accuracy", ncols=2)

# %%
# How much the rate matters
# -------------------------
# Each optimizer at thirteen rates. All work over two decades or more, but not the same two: Lion's
# end where Adagrad's begin. To the left of them twenty epochs do not lead far enough. To the right
# is a cliff: steps are too large to settle, and guessing would do as well.
# :ref:`sphx_glr_auto_examples_plot_schedules.py` shows how to find the rate in one short run.
rates = np.geomspace(1e-5, 10, 13)
scores = np.empty((len(usual), len(rates)))
for i, j in np.ndindex(scores.shape):
    scores[i, j] = train(list(usual)[i], rates[j]).validation_scores_[-1]

figure, ax = plt.subplots(figsize=(8.5, 4.4), layout="constrained")
image = ax.imshow(scores, cmap="viridis", vmin=0.5, vmax=1, aspect="auto")
for (i, j), score in np.ndenumerate(scores):
    color = "white" if score < 0.85 else "black"
    ax.text(j, i, f"{100 * score:.0f}", ha="center", va="center", color=color)
ax.set_xticks(range(len(rates)), [f"{rate:.2g}" for rate in rates])
ax.set_yticks(range(len(usual)), list(usual))
ax.set(xlabel="learning_rate_init", title="Validation accuracy in percent after 20 epochs")
plt.show()
