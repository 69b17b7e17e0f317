"""
=======================
Learning-rate schedules
=======================

How large a rate to begin with, and how to bring it down. Any schedule works with any first-order
solver. Where a solver is ``"adam"``, the three names that scikit-learn has (constant, invscaling,
adaptive) are constant, as they are there.
"""

# %%
# How large a rate
# ----------------
# :func:`sklearn_nn.find_learning_rate` trains a copy of the network for some two hundred batches
# while the rate grows from batch to batch. The loss stays where it is while the rate is too small,
# falls where it suits, and explodes where it is too large. The suggestion is the rate at which it
# falls fastest: a good maximum for schedules that come down, a little large for a constant rate.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier, find_learning_rate
from sklearn_nn.training import Adaptive, Cosine, Exponential, InverseScaling, Plateau, StepDecay

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

X, y = load_digits(return_X_y=True)
X_train, X_val, y_train, y_val = train_test_split(
    X / 16, y, test_size=0.25, stratify=y, random_state=0
)

figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, solver in zip(axes, ("sgd", "adam"), strict=True):
    network = MLPClassifier((64,), solver=solver, batch_size=32, random_state=0)
    found = find_learning_rate(network, X_train, y_train, max_rate=10)
    found.plot(ax)
    ax.set_title(f'solver="{solver}"')
    print(f"{solver}: {found.suggestion:.3g}")

# %%
# The shapes
# ----------
# ``history_["learning_rate"]`` tells the rate that every epoch began with. The panels below were
# recorded while training for sixty epochs from the same rate. "adaptive" and "plateau" are no
# functions of time: they come down when training no longer improves.
schedules = {
    '"constant"': "constant",
    '"invscaling"': "invscaling",
    '"step"': "step",
    '"exponential"': "exponential",
    '"inverse_time"': "inverse_time",
    '"polynomial"': "polynomial",
    '"cosine"': "cosine",
    "Cosine(warmup=5, restarts=2)": Cosine(warmup=5, restarts=2),
    '"flat_cos"': "flat_cos",
    '"onecycle"': "onecycle",
    '"coslog4"': "coslog4",
    '"adaptive"': Adaptive(),
    "Plateau(patience=2)": Plateau(patience=2),
    "a function of the epoch": lambda epoch: 1 / (1 + np.exp((epoch - 30) / 5)),
}


def train(schedule, patience=np.inf, rate=0.1, seed=0):
    """Return a network trained by SGD with Nesterov momentum, watched on the validation set."""
    mlp = MLPClassifier(
        (64,),
        solver="sgd",
        learning_rate=schedule,
        learning_rate_init=rate,
        batch_size=32,
        max_iter=60,
        n_iter_no_change=patience,
        random_state=seed,
    )
    return mlp.fit(X_train, y_train, X_val=X_val, y_val=y_val)


figure, axes = plt.subplots(
    3, 5, figsize=(10, 5), sharex=True, sharey=True, layout="constrained"
)
for ax, (name, schedule) in zip(axes.flat, schedules.items(), strict=False):
    # An adaptive rate comes down where training would stop: its patience is the estimator's.
    mlp = train(schedule, patience=4 if name == '"adaptive"' else np.inf)
    rates = mlp.history_["learning_rate"]
    ax.fill_between(range(len(rates)), rates, step="post", alpha=0.25, linewidth=0)
    ax.step(range(len(rates)), rates, where="post")
    ax.set_title(name, fontsize="small")
axes[0, 0].set(xlim=(0, 60), ylim=(0, None))
axes.flat[-1].remove()
figure.supxlabel("epoch")
figure.supylabel("learning rate")

# %%
# Within an epoch
# ---------------
# The picture shows one rate an epoch. Those that fall smoothly do so with every batch, so a warm-up
# of half an epoch is possible. Cosine, polynomial, onecycle, flat_cos and coslog4 are planned on
# ``max_iter``: they end where the last epoch ends. If early stopping ends training sooner, they
# have not come down; leave it out with them, or say ``early_stopping="best"``.

# %%
# What it is worth
# ----------------
# A constant rate is a compromise: large enough to arrive, small enough to settle. A schedule needs
# none. Each line is the mean of five seeds.
compared = {
    "constant 0.02": ("constant", 0.02),
    "constant 0.2": ("constant", 0.2),
    "step": (StepDecay(drop=0.3, epochs=15), 0.2),
    "exponential": (Exponential(gamma=0.93), 0.2),
    "invscaling": (InverseScaling(power_t=0.2), 0.4),
    "cosine": ("cosine", 0.2),
    "onecycle": ("onecycle", 0.2),
}
figure, (left, right) = plt.subplots(1, 2, figsize=(9.5, 4), layout="constrained")
print(f"{'schedule':16}{'loss':>10}{'validation loss':>18}{'accuracy':>11}")
for name, (schedule, rate) in compared.items():
    fits = [train(schedule, rate=rate, seed=seed).history_ for seed in range(5)]
    loss, val_loss, val_score = (
        np.mean([fit[key] for fit in fits], axis=0) for key in ("loss", "val_loss", "val_score")
    )
    dashes = "--" if name.startswith("constant") else "-"
    left.plot(range(1, 61), loss, dashes, label=name)
    right.plot(range(1, 61), val_loss, dashes)
    print(f"{name:16}{loss[-1]:10.4f}{val_loss[-1]:18.4f}{val_score[-1]:11.4f}")
left.set(xlabel="epoch", ylabel="training loss", yscale="log")
right.set(xlabel="epoch", ylabel="validation loss", yscale="log")
left.legend()
plt.show()
