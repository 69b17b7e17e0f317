"""
=======================
Over- and underfitting
=======================

A network with too few units cannot model the data; one with too many models the noise as well. This
example shows how to distinguish the two, and seven kinds of regularization.
"""

# %%
# Complexity curves
# -----------------
# In these data, opposite quadrants of the plane belong to the same class, and one label in ten is
# wrong: no model can have an accuracy above 0.9, except on memorized training data.
# :class:`~sklearn_nn.inspection.ComplexityCurveDisplay` cross-validates a network for each value of
# a parameter, and draws the mean training and validation scores, with bands of one standard
# deviation over the folds. If both are low, the network underfits; if they differ, it overfits.
# Complexity grows with the number of units and epochs, and decreases with the penalty ``alpha``.
# The grey regions contain the values whose mean is lower than the best one (the star) by more than
# its standard error; those between them are as good as the best, as far as five folds can tell.
import warnings

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits, make_moons
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
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
figure.get_layout_engine().set(w_pad=0.12)
for ax, (name, values) in zip(axes, panels, strict=True):
    ComplexityCurveDisplay.from_estimator(
        wide,
        X,
        y,
        param_name=name,
        param_range=values,
        cv=folds,
        score_name="accuracy",
        ax=ax,
    )
for ax in axes[1:]:
    ax.set_ylabel("")

# %%
# Seven kinds of regularization
# -----------------------------
# Two overlapping crescents of 200 points, and two layers of 128 units. The colour is the predicted
# probability of a class, and the black line the decision boundary at one half. Without
# regularization, the boundary follows single points. Each of the other networks has one kind of
# regularization:
#
# - ``alpha``, the L2 penalty, shrinks every weight in proportion to its size; with ``l1_ratio=1``
#   it is the L1 penalty, which shrinks all weights by the same amount;
# - ``weight_decay`` shrinks weights independently of the optimizer, so that Adam does not rescale
#   it;
# - ``max_norm`` limits the norm of the weights of each unit;
# - ``dropout`` sets a random half of the units to zero for each sample, so that no unit can rely on
#   a single other one;
# - ``input_noise`` adds noise to every sample in each epoch;
# - ``early_stopping`` holds out rows and keeps the weights with the best score on them.
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
    for label, marker, color in ((0, "o", "navy"), (1, "^", "darkred")):
        of = X_train[y_train == label]
        ax.scatter(*of.T, marker=marker, c=color, s=16, edgecolors="white", linewidths=0.5)
    accuracy = f"train {mlp.score(X_train, y_train):.3f}, test {mlp.score(X_test, y_test):.3f}"
    ax.set_title(f"{name}\n{accuracy}", fontsize="medium")
    ax.set(xticks=[], yticks=[])

# %%
# By epoch
# --------
# The same networks, with the test loss of every epoch. This is an illustration and not a way to
# select a model, since data that select a model cannot measure its quality. Without regularization,
# the test loss has a minimum after a few dozen epochs and then increases, as the network becomes
# more certain of its errors. Regularization increases the training loss and decreases the test
# loss. Early stopping has no line, since it does not change the curve of a network: it goes back to
# the weights of the epoch whose loss on held-out rows is smallest.
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), sharey=True, layout="constrained")
for i, (name, parameters) in enumerate(remedies.items()):
    if name == "early_stopping":
        continue
    mlp = MLPClassifier((128, 128), max_iter=300, random_state=0, **(shared | parameters))
    mlp.fit(X_train, y_train, X_val=X_test, y_val=y_test)
    color = "black" if name == "none" else f"C{i}"
    left.plot(range(1, 301), mlp.loss_curve_, color=color, linewidth=1)
    right.plot(range(1, 301), mlp.validation_loss_curve_, color=color, linewidth=1, label=name)
left.set(title="training (with the penalty)", xlabel="epoch", ylabel="loss", ylim=(0.1, 0.6))
right.set(title="test", xlabel="epoch")
right.legend(fontsize="small", ncols=2, loc="upper right")
for name in ("none", "early_stopping"):
    loss = log_loss(y_test, fits[name].predict_proba(X_test))
    print(f"test loss in the end, {name}: {loss:.3f}")

# %%
# Weights with L1 and L2 penalties
# --------------------------------
# The norm of the weights of each pixel in the first layer, for digits. Pixels of the margin are
# always empty: without a penalty, they keep their initial weights. Both penalties remove these. L1
# also sets weights of little use to zero, while L2 only makes them small, so L1 shows which inputs
# matter.
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
    figure.colorbar(image, ax=ax, shrink=0.8, label="norm of weights" if ax is axes[-1] else None)
    ax.set_title(f"{name}\n{small:.0%} of weights below 0.001", fontsize="medium")
    ax.set(xticks=[], yticks=[])
plt.show()

# %%
# :doc:`/guide_training` explains the parameters.
# :ref:`sphx_glr_auto_examples_plot_callbacks_checkpoints.py` shows how to stop a training and keep
# its best epoch, and :ref:`sphx_glr_auto_examples_plot_augmentation.py` another regularization, for
# images.
