"""
==========================
Normalization and clipping
==========================

Networks train best if their numbers have about unit variance. Three techniques achieve this: scaled
inputs, batch normalization between the layers, and gradient clipping.
"""

# %%
# Scale the inputs first
# ----------------------
# The wine data have thirteen features, the largest a thousand times the smallest. Without scaling,
# the loss of the first epochs is enormous, and small features have hardly any effect. A
# :class:`~sklearn.preprocessing.StandardScaler` costs one line. Batch normalization helps as well,
# but it follows the first product, where large features already dominate small ones: scale the
# inputs in any case.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = load_wine(return_X_y=True)
cases = {
    "as they are": (X, False),
    "as they are, batch_norm=True": (X, True),
    "scaled": (StandardScaler().fit_transform(X), False),
}
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for name, (inputs, batch_norm) in cases.items():
    mlp = MLPClassifier(
        (32, 32),
        batch_norm=batch_norm,
        learning_rate_init=0.003,
        batch_size=32,
        max_iter=60,
        n_iter_no_change=np.inf,
        random_state=0,
    ).fit(inputs, y)
    ax.plot(range(1, 61), mlp.loss_curve_, label=name)
ax.set(xlabel="epoch", ylabel="training loss", yscale="log", title="Wine")
ax.legend(title="inputs")

# %%
# Batch normalization
# -------------------
# ``batch_norm=True`` adds a layer before each hidden activation. It subtracts the mean of the batch
# from each unit, divides by its standard deviation, then scales and shifts the unit by two learnt
# parameters. The input of each activation thus stays in a range where the activation is not
# saturated.
#
# The effect is largest for logistic units: their derivative is at most 1/4, so that gradients
# shrink by this factor in every layer, and networks of three layers do not learn at all with SGD.
# With batch normalization, six layers learn, at all of these learning rates. ReLU with Adam needs
# it less; there, it extends the range of suitable learning rates by a factor of ten.
X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X / 16, y, test_size=0.25, stratify=y, random_state=0
)


def train(depth, **parameters):
    """Return a network of equal layers, trained for twenty epochs."""
    mlp = MLPClassifier(
        (64,) * depth, batch_size=32, max_iter=20, n_iter_no_change=np.inf, random_state=0
    )
    return mlp.set_params(**parameters).fit(X_train, y_train, X_val=X_val, y_val=y_val)


depths = (1, 2, 3, 4, 6)
settings = (("logistic", "sgd", [0.001, 0.01, 0.1, 1]), ("relu", "adam", [1e-4, 1e-3, 1e-2, 0.1]))
figure, axes = plt.subplots(2, 2, figsize=(9, 6), layout="constrained")
for row, (activation, solver, rates) in zip(axes, settings, strict=True):
    for ax, batch_norm in zip(row, (False, True), strict=True):
        scores = [
            [
                train(
                    depth,
                    activation=activation,
                    solver=solver,
                    learning_rate_init=rate,
                    batch_norm=batch_norm,
                ).validation_scores_[-1]
                for rate in rates
            ]
            for depth in depths
        ]
        ax.imshow(scores, vmin=0.5, vmax=1, aspect="auto")
        for (i, j), score in np.ndenumerate(scores):
            color = "white" if score < 0.85 else "black"
            ax.text(j, i, f"{100 * score:.0f}", ha="center", va="center", color=color)
        ax.set_xticks(range(len(rates)), [f"{rate:g}" for rate in rates])
        ax.set_yticks(range(len(depths)), depths)
        ax.set_title(f"{activation}, {solver}, batch_norm={batch_norm}")
figure.supxlabel("learning_rate_init")
figure.supylabel("hidden layers")
figure.suptitle("Digits: validation accuracy in percent")

# %%
# Batches must not be small
# -------------------------
# Training uses the statistics of the batch, prediction their running means (``moving_mean`` and
# ``moving_variance`` in ``layers_``), so that the prediction of a row does not depend on the other
# rows. The fewer rows a batch has, the noisier are its statistics. Some noise regularizes; with two
# to four rows, it exceeds the signal.
sizes = [2, 4, 8, 16, 32, 64, 128, 256]
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for batch_norm in (False, True):
    losses = [
        train(2, batch_norm=batch_norm, batch_size=size, learning_rate_init=0.003).history_
        for size in sizes
    ]
    color = f"C{int(batch_norm)}"
    for key, style, what in (("loss", ":", "training"), ("val_loss", "-", "validation")):
        ends = [history[key][-1] for history in losses]
        label = f"{what}, batch_norm={batch_norm}"
        ax.plot(sizes, ends, "o" + style, color=color, markersize=4, label=label)
ax.set(xlabel="batch_size", ylabel="loss after 20 epochs", xscale="log", yscale="log")
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.legend()
mlp = train(2, batch_norm=True)
print({name: list(arrays) for name, arrays in mlp.layers_.items()})

# %%
# Gradient clipping
# -----------------
# Six layers of ReLU trained by SGD with momentum. At learning rates above 0.03, a single batch with
# a large gradient moves the weights so far that training does not recover, or overflows.
# ``clipnorm`` limits the norm of the gradient of all weights and keeps its direction: updates are
# bounded, and ten times larger learning rates work. It must be small enough to have an effect; if
# it is too small, small learning rates make no progress.
rates = [0.01, 0.03, 0.1, 0.3, 1.0]
figure, ax = plt.subplots(figsize=(7, 3.8), layout="constrained")
for clipnorm in (0, 1, 0.3, 0.1):
    scores = []
    for rate in rates:
        try:
            fits = [
                train(
                    6, solver="sgd", learning_rate_init=rate, clipnorm=clipnorm, random_state=seed
                )
                for seed in range(2)
            ]
            scores.append(np.mean([mlp.validation_scores_[-1] for mlp in fits]))
        except ValueError:  # training diverged: the accuracy of guessing
            scores.append(0.1)
    label = f"clipnorm={clipnorm}" if clipnorm else "clipnorm=0 (off)"
    ax.plot(rates, scores, "o-", color="black" if clipnorm == 0 else None, label=label)
ax.set(xlabel="learning_rate_init", xscale="log", ylabel="validation accuracy", ylim=(0, 1))
ax.set_xticks(rates, [f"{rate:g}" for rate in rates])
ax.minorticks_off()
ax.legend(loc="lower left")
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_training` explains the parameters.
# :ref:`sphx_glr_auto_examples_plot_initialisation.py` shows the role of the initial weights, and
# :ref:`sphx_glr_auto_examples_plot_schedules.py` that of the learning rate.
