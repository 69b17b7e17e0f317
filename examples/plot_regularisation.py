"""
=======================
Over- and underfitting
=======================

A network with too few units cannot follow the data; one with too many follows the noise as well.
How to see which it is, and seven ways to hold a large network back.
"""

# %%
# The graph to look at first
# --------------------------
# Four quarters of the plane, opposite ones of one class, and one label in ten wrong: no model can
# be right more often than nine times in ten, except about what it has learnt by heart.
# :class:`~sklearn_nn.inspection.ComplexityCurveDisplay` cross-validates a network for each value of
# a parameter and draws training and validation scores. Where both are low the network underfits,
# where they part it overfits. Complexity grows with the number of units and with the number of
# epochs, and falls as the penalty ``alpha`` grows.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import StratifiedKFold, train_test_split

from sklearn_nn import MLPClassifier
from sklearn_nn.inspection import ComplexityCurveDisplay

# Fits below train a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

rng = np.random.default_rng(0)
X = rng.normal(size=(300, 2))
y = (X[:, 0] * X[:, 1] > 0) ^ (rng.random(300) < 0.1)

shared = {"alpha": 0, "batch_size": 32, "learning_rate_init": 0.003, "n_iter_no_change": np.inf}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
wide = MLPClassifier((128, 128), max_iter=200, random_state=0, **shared)
panels = (
    ("hidden_layer_sizes", [(1,), (2,), (4,), (8,), (16,), (64,), (128, 128)]),
    ("alpha", [1e-3, 1e-2, 1e-1, 1, 10]),
    ("max_iter", [1, 3, 10, 30, 100, 300]),
)
figure, axes = plt.subplots(1, 3, figsize=(11, 3.7), sharey=True, layout="constrained")
for ax, (name, values) in zip(axes, panels, strict=True):
    ComplexityCurveDisplay.from_estimator(
        wide,
        X,
        y,
        param_name=name,
        param_range=values,
        cv=folds,
        score_name="accuracy, 5 folds",
        ax=ax,
    )
for ax in axes[1:]:
    ax.set_ylabel("")

# %%
# Seven remedies
# --------------
# Two crescents, blurred so that they overlap, and two layers of 128 units for 200 points. Left to
# itself the network bends around single points. Each of the others carries one restraint:
#
# - ``alpha``, the L2 penalty, pulls every weight towards zero in proportion to its size; with
#   ``l1_ratio=1`` it is the L1 penalty, which pulls all of them equally hard;
# - ``weight_decay`` shrinks weights past the optimizer, so that Adam does not rescale it;
# - ``max_norm`` cuts the weights of a unit back to a length;
# - ``dropout`` silences half of the units, others for each sample, so that none can rely on one
#   other;
# - ``input_noise`` moves every sample a little each time it is seen;
# - ``early_stopping`` sets rows aside and keeps the weights that were best on them.
X, y = make_moons(3200, noise=0.3, random_state=1)
X_train, X_test, y_train, y_test = train_test_split(
    X, y, train_size=200, stratify=y, random_state=0
)
remedies = {
    "none": {},
    "alpha=0.03": {"alpha": 0.03},
    "alpha=0.01, l1_ratio=1": {"alpha": 0.01, "l1_ratio": 1.0},
    "weight_decay=1": {"weight_decay": 1.0},
    "max_norm=1": {"max_norm": 1.0},
    "dropout=0.5": {"dropout": 0.5},
    "input_noise=0.2": {"input_noise": 0.2},
    "early_stopping": {
        "early_stopping": True,
        "scoring": "loss",
        "validation_fraction": 0.25,
        "n_iter_no_change": 30,
    },
}
fits = {
    name: MLPClassifier((128, 128), max_iter=300, random_state=0)
    .set_params(**(shared | parameters))
    .fit(X_train, y_train)
    for name, parameters in remedies.items()
}

across, up = np.meshgrid(np.linspace(-2, 3, 150), np.linspace(-1.6, 2.1, 150))
plane = np.column_stack([across.ravel(), up.ravel()])
figure, axes = plt.subplots(2, 4, figsize=(11, 5.2), sharex=True, sharey=True, layout="constrained")
for ax, (name, mlp) in zip(axes.flat, fits.items(), strict=True):
    p = mlp.predict_proba(plane)[:, 1].reshape(across.shape)
    ax.contourf(across, up, p, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.7)
    ax.contour(across, up, p, levels=[0.5], colors="black", linewidths=1)
    ax.scatter(*X_train.T, c=y_train, cmap="RdBu_r", s=9, edgecolors="white", linewidths=0.3)
    accuracy = f"train {mlp.score(X_train, y_train):.3f}, test {mlp.score(X_test, y_test):.3f}"
    ax.set_title(f"{name}\n{accuracy}", fontsize="medium")
    ax.set(xticks=[], yticks=[])

# %%
# By epoch
# --------
# The same fits once more, watched on the test points: a picture to learn from, not a way to choose,
# for what has chosen a model can no longer judge it. Without restraint the loss has its minimum
# after a few dozen epochs and then rises without end, as the network grows ever surer of its
# mistakes. Restraints raise the training loss and bring the other down. Early stopping changes
# nothing about the curve; it goes back to its minimum, as far as the rows set aside can tell.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for i, (name, parameters) in enumerate(remedies.items()):
    if name == "early_stopping":
        continue
    mlp = MLPClassifier((128, 128), max_iter=300, random_state=0, **(shared | parameters))
    mlp.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    color = "black" if name == "none" else f"C{i}"
    left.plot(range(1, 301), mlp.loss_curve_, color=color, linewidth=1)
    right.plot(range(1, 301), mlp.validation_loss_curve_, color=color, linewidth=1, label=name)
mark = fits["early_stopping"].best_iteration_
right.axvline(mark, color="0.35", linestyle="--", linewidth=1, label="best by early stopping")
left.set(title="training (with the penalty)", xlabel="epoch", ylabel="loss", ylim=(0.1, 0.6))
right.set(title="test", xlabel="epoch")
right.legend(fontsize="small", ncols=2, loc="upper right")

# %%
# What L1 and L2 leave
# --------------------
# Digits, and how much weight each pixel has in the first layer. Pixels of the margin are always
# empty: without a penalty they keep the weights that they were given at random. Both penalties take
# those away. L1 also takes what is of little use, where L2 only makes it small, so it shows which
# inputs matter.
X, y = load_digits(return_X_y=True)
penalties = {
    "alpha=0": {"alpha": 0},
    "alpha=0.3": {"alpha": 0.3},
    "alpha=0.1, l1_ratio=1": {"alpha": 0.1, "l1_ratio": 1.0},
}
figure, axes = plt.subplots(1, 3, figsize=(9, 3.3), layout="constrained")
for ax, (name, parameters) in zip(axes, penalties.items(), strict=True):
    mlp = MLPClassifier(
        (64,), batch_size=32, learning_rate_init=0.003, max_iter=100, random_state=0, **parameters
    ).fit(X / 16, y)
    kernel = mlp.coefs_[0]
    small = np.mean(np.abs(kernel) < 1e-3)
    image = ax.imshow(np.linalg.norm(kernel, axis=1).reshape(8, 8), cmap="magma", vmin=0)
    figure.colorbar(image, ax=ax, shrink=0.8)
    ax.set_title(f"{name}\n{small:.0%} of weights below 0.001", fontsize="medium")
    ax.set(xticks=[], yticks=[])
plt.show()
