"""
=======================
Learning-rate schedules
=======================

How to find the initial learning rate, how schedules change it, and how much this improves the loss.
All schedules work with all first-order solvers.
"""

# %%
# Initial learning rate
# ---------------------
# :func:`sklearn_nn.find_learning_rate` trains copies of the network, each for 300 batches with
# another rate, from the same weights. The loss falls where the rate is suitable, and is large where
# the rate is too large. The suggestion is the rate that is nearest to a third of the one with the
# lowest loss, since longer trainings need lower rates.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_friedman1
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier, MLPRegressor, find_learning_rate
from sklearn_nn.training import Cosine, Exponential, InverseScaling, Plateau, StepDecay
from sklearn_nn.training.schedules import SCHEDULES, Function, Progress

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = load_digits(return_X_y=True)
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), sharey=True, layout="constrained")
for ax, solver in zip(axes, ("sgd", "adam"), strict=True):
    network = MLPClassifier((64,), solver=solver, batch_size=32, random_state=0)
    found = find_learning_rate(network, X / 16, y, max_rate=10)
    found.plot(ax)
    ax.set_title(f'solver="{solver}"')
    print(f"{solver}: {found.suggestion:.3g}")
axes[1].set_ylabel("")

# %%
# Shapes of schedules
# -------------------
# Factors on ``learning_rate_init``, for each batch of sixty epochs. Blue schedules are functions of
# time. "polynomial", "cosine", "flat_cos", "onecycle" and "coslog4" have a fixed length of
# ``max_iter`` epochs: if early stopping ends training sooner, the rate has not decreased, so use
# ``early_stopping="best"`` with them. scikit-learn's "invscaling" counts samples; with its default
# exponent, the rate is very small after one epoch.
EPOCHS, BATCHES = 60, 50
epochs = np.arange(EPOCHS * BATCHES) / BATCHES

schedules = {f'"{name}"': kind() for name, kind in SCHEDULES.items()}
schedules["InverseScaling(power_t=0.2)"] = InverseScaling(power_t=0.2)
schedules["Cosine(warmup=5, restarts=2)"] = Cosine(warmup=5, restarts=2)
schedules["a function of the epoch"] = Function(lambda epoch: 1 / (1 + np.exp((epoch - 30) / 5)))


def curve(schedule):
    """Return the factor on the rate for every batch."""
    factors = []
    for epoch in range(EPOCHS):
        batches = np.arange(epoch * BATCHES, (epoch + 1) * BATCHES)
        progress = Progress(batches, BATCHES, EPOCHS, samples_seen=epoch * BATCHES * 32)
        factors.append(np.broadcast_to(schedule.factors(progress), BATCHES))
    return np.concatenate(factors)


# %%
# The orange schedules reduce the rate when training no longer improves, so their curves come from a
# training: ``history_["learning_rate"]`` holds the rate of every epoch. "adaptive" waits for
# ``n_iter_no_change`` epochs; "plateau" has its own patience.
X, y = make_friedman1(6000, noise=1.0, random_state=0)
X, deviation = StandardScaler().fit_transform(X), y.std()
y = (y - y.mean()) / deviation
X_train, X_val, y_train, y_val = X[:4000], X[4000:], y[:4000], y[4000:]


def train(schedule, rate=0.1, epochs=40, patience=np.inf, seed=0):
    """Return a network trained by SGD with Nesterov momentum, with a validation set."""
    mlp = MLPRegressor(
        hidden_layer_sizes=(32,),
        solver="sgd",
        learning_rate=schedule,
        learning_rate_init=rate,
        batch_size=32,
        max_iter=epochs,
        n_iter_no_change=patience,
        random_state=seed,
    )
    return mlp.fit(X_train, y_train, X_val=X_val, y_val=y_val)


watched = {
    '"adaptive"': {"schedule": "adaptive", "patience": 5},
    "Plateau(0.3, patience=3)": {"schedule": Plateau(factor=0.3, patience=3)},
}

figure, axes = plt.subplots(3, 5, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
of_time = [name for name in schedules if name not in ('"adaptive"', '"plateau"')]
for ax, name in zip(axes.flat, of_time, strict=False):
    factors = curve(schedules[name])
    ax.fill_between(epochs, factors, alpha=0.25, linewidth=0)
    ax.plot(epochs, factors)
    ax.set_title(name, fontsize="small")
for ax, (name, parameters) in zip(axes.flat[len(of_time) :], watched.items(), strict=True):
    rates = np.array(train(**parameters, epochs=EPOCHS).history_["learning_rate"])
    ax.fill_between(range(len(rates)), rates / 0.1, step="post", alpha=0.25, lw=0, color="C1")
    ax.step(range(len(rates)), rates / 0.1, where="post", color="C1")
    ax.set_title(name, fontsize="small")
axes[0, 0].set(xlim=(0, EPOCHS), ylim=(0, 1.05))
figure.supxlabel("epoch")
figure.supylabel("factor on learning_rate_init")

# %%
# Effect on the loss
# ------------------
# The same data, a noisy function of ten inputs, for which the best possible loss is known. With a
# small constant rate, training has not converged after forty epochs; with a large one, the weights
# fluctuate around the minimum. A schedule that ends near zero avoids this compromise; its exact
# shape has little effect. Each line is the mean of five seeds.
compared = {
    "constant, 0.01": ("constant", 0.01),
    "constant, 0.03": ("constant", 0.03),
    "constant, 0.1": ("constant", 0.1),
    "step": (StepDecay(drop=0.3, epochs=10), 0.1),
    "exponential": (Exponential(gamma=0.9), 0.1),
    "cosine": ("cosine", 0.1),
    "onecycle": ("onecycle", 0.1),
    "plateau": (Plateau(factor=0.3, patience=3), 0.1),
}
figure, ax = plt.subplots(figsize=(9, 4.2), layout="constrained")
for i, (name, (schedule, rate)) in enumerate(compared.items()):
    curves = [train(schedule, rate, seed=seed).validation_loss_curve_ for seed in range(5)]
    mean = np.mean(curves, axis=0)
    label = f"{name}: {mean[-1]:.4f}"
    ax.plot(range(1, 41), mean, ":" if i < 3 else "-", color=f"C{i}", label=label)
best = 0.5 / deviation**2
ax.axhline(best, color="0.35", linestyle="--", linewidth=1, label=f"best possible: {best:.4f}")
ax.set(xlabel="epoch", ylabel="validation loss", ylim=(0.018, 0.045))
figure.legend(title="schedule: loss in the end", loc="outside right upper")
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_training` describes every schedule. :ref:`sphx_glr_auto_examples_plot_optimizers.py`
# compares the solvers, and :ref:`sphx_glr_auto_examples_plot_callbacks_checkpoints.py` shows how to
# change the rate by other rules.
