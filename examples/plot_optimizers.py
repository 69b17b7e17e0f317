"""
==========
Optimizers
==========

From gradient descent to Adam: mini-batches, momentum, and adaptive learning rates. Their effects
are shown for a loss of two weights, then measured on handwritten digits.
"""

# %%
# Full batch, mini-batch, stochastic
# ----------------------------------
# An epoch processes every sample once. With all samples in one batch, it makes a single update with
# the exact gradient; with batches of 32, forty-two updates with good estimates; with single
# samples, over a thousand with poor estimates. Each ``batch_size`` needs its own learning rate: the
# noisier the gradient, the smaller the rate. The best compromise is between the extremes.
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
# A narrow valley
# ---------------
# A linear model of two inputs, one with ten times the standard deviation of the other, has a loss
# that is steep in one weight and flat in the other. ``partial_fit`` with all samples is one update
# of full-batch descent, so the path of ``coefs_`` can be recorded.
#
# Plain gradient descent oscillates between the steep sides: with a larger learning rate it would
# diverge, and with this one it moves slowly along the bottom. Momentum accelerates along the
# valley, and overshoots; Nesterov's momentum overshoots less. The adaptive optimizers divide by the
# size of past gradients, and approach the minimum as if the valley were round. (The valley is
# parallel to an axis, which favours them.)
rng = np.random.default_rng(0)
inputs = rng.normal(size=(400, 2))
inputs = (inputs - inputs.mean(axis=0)) * [3.0, 0.3] / inputs.std(axis=0)
goal, start = np.array([1.0, 1.0]), np.array([-0.6, -3.0])
target = inputs @ goal


def path(steps, **parameters):
    """Return the two weights after each update of full-batch descent."""
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
figure.suptitle("Sixty updates in a narrow valley")

# %%
# All optimizers at their usual learning rates
# --------------------------------------------
# Digits again. Optimizers need different learning rates: SGD needs 0.1 where Adam needs 0.003, Lion
# a third of Adam's, and Adadelta the 1.0 of its paper.
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
    """Return a network trained for twenty epochs, with a validation set."""
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
# Sensitivity to the learning rate
# --------------------------------
# Each optimizer at thirteen learning rates. All of them work over two or more orders of magnitude,
# but not the same ones: Lion's range ends where Adagrad's begins. With smaller rates, twenty epochs
# are too few. With larger rates, training diverges, and the accuracy is that of guessing.
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
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_schedules.py` shows how to find a learning rate, and how to
# change it during training.
