"""
======
Losses
======

The loss determines which statistic a regressor predicts (mean, median or another quantile), and how
certain the probabilities of a classifier are.
"""

# %%
# Shapes of losses
# ----------------
# The squared error weights large errors heavily: its minimum is the mean, which a single outlier
# can move. The minimum of the absolute error is the median. Huber and log-cosh losses are quadratic
# near zero, where a smooth minimum helps optimization, and linear far from it. The pinball loss of
# a quantile has different slopes for positive and negative errors.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from sklearn_nn import MLPClassifier, MLPRegressor
from sklearn_nn.training import Huber

# Every fit below trains a fixed number of epochs, converged or not.
warnings.simplefilter("ignore", ConvergenceWarning)

e = np.linspace(-3, 3, 301)
shapes = {
    "squared_error": e**2 / 2,
    "absolute_error": np.abs(e),
    "huber": np.where(np.abs(e) <= 1, e**2 / 2, np.abs(e) - 0.5),
    "log_cosh": np.log(np.cosh(e)),
    "quantile, 0.9": np.maximum(0.1 * e, -0.9 * e),
}
p = np.linspace(0.002, 1, 400)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for name, loss in shapes.items():
    left.plot(e, loss, label=name)
left.set(xlabel="prediction − target", ylabel="loss", ylim=(-0.1, 3.5), title="Numbers")
left.legend()
for gamma in (0, 0.5, 2, 5):
    name = "log_loss" if gamma == 0 else f"focal, gamma={gamma:g}"
    right.plot(p, -((1 - p) ** gamma) * np.log(p), label=name)
right.set(xlabel="probability of the right class", ylim=(-0.1, 3.5), title="Classes")
right.legend()

# %%
# Outliers
# --------
# A sine, where one measurement in eight is increased by three to nine. The squared error follows
# the mean, which the outliers increase; the absolute error follows the majority. Huber and log-cosh
# are slightly affected, and a smaller ``loss=Huber(delta=0.2)`` hardly at all.
rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 3, 400))
y = np.sin(2 * x) + 0.15 * rng.normal(size=x.size)
lifted = rng.random(x.size) < 0.125
y[lifted] += rng.uniform(3, 9, lifted.sum())
grid = np.linspace(-3, 3, 300)


def fit(loss, x, y, **parameters):
    """Return a network that is fitted to points."""
    mlp = MLPRegressor(
        loss,
        (64, 64),
        activation="silu",
        learning_rate="cosine",
        learning_rate_init=0.01,
        batch_size=50,
        max_iter=500,
        n_iter_no_change=np.inf,
        random_state=0,
        **parameters,
    )
    return mlp.fit(x[:, None], y)


figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
ax.plot(x, y, ".", color="0.7", markersize=4)
ax.plot(grid, np.sin(2 * grid), color="black", linestyle="--", label="without outliers")
losses = {
    "squared_error": "squared_error",
    "huber": "huber",
    "Huber(delta=0.2)": Huber(delta=0.2),
    "log_cosh": "log_cosh",
    "absolute_error": "absolute_error",
}
for i, (name, loss) in enumerate(losses.items()):
    predicted = fit(loss, x, y).predict(grid[:, None])
    error = np.sqrt(np.mean((predicted - np.sin(2 * grid)) ** 2))
    ax.plot(grid, predicted, color=f"C{i}", label=f"{name}: {error:.2f}")
ax.set(xlabel="x", ylabel="y", ylim=(-2, 9.5))
ax.legend(title="loss: distance from the sine", loc="upper left", ncols=2, fontsize="small")

# %%
# Prediction intervals
# --------------------
# One network predicts the quantiles 0.05, 0.5 and 0.95, which never cross. Nine of ten training
# points are between the outer two, for small and for large x, although the noise grows with x; of
# new points, slightly fewer. Use ``scoring="loss"`` for early stopping, because R² does not measure
# quantiles.
x = np.sort(rng.uniform(-3, 3, 2000))
y = np.sin(2 * x) + rng.normal(size=x.size) * (0.1 + 0.15 * (x + 3))
model = fit("quantile", x, y, quantile=[0.05, 0.5, 0.95])
low, median, high = model.predict_quantiles(grid[:, None]).T

figure, ax = plt.subplots(figsize=(8, 4.2), layout="constrained")
ax.plot(x, y, ".", color="0.7", markersize=3)
ax.fill_between(grid, low, high, alpha=0.25, label="5% to 95%")
ax.plot(grid, median, color="C1", label="median")
ax.set(xlabel="x", ylabel="y")
ax.legend(loc="upper left")

fresh = rng.uniform(-3, 3, 20_000)
seen = np.sin(2 * fresh) + rng.normal(size=fresh.size) * (0.1 + 0.15 * (fresh + 3))
for low, high in ((-3, -1), (-1, 1), (1, 3)):
    here = (fresh >= low) & (fresh < high)
    below, _, above = model.predict_quantiles(fresh[here, None]).T
    inside = np.mean((seen[here] > below) & (seen[here] < above))
    print(f"x from {low:2d} to {high:2d}: {inside:.1%} of new points are inside")

# %%
# Certainty of a classifier
# -------------------------
# The log loss always rewards higher probabilities: 0.99 can still become 0.999. ``label_smoothing``
# makes the targets less certain, and the focal loss gives little weight to samples that are already
# classified well. Both make the network less certain, with nearly the same predictions. The log
# loss of held-out rows shows whether its probabilities are better.
X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X / 16, y, train_size=300, stratify=y, random_state=0
)
figure, axes = plt.subplots(1, 3, figsize=(9.5, 3.3), sharey=True, layout="constrained")
cases = {
    "log_loss": {},
    "label_smoothing=0.1": {"label_smoothing": 0.1},
    'loss="focal"': {"loss": "focal"},
}
for ax, (name, parameters) in zip(axes, cases.items(), strict=True):
    mlp = MLPClassifier((64,), learning_rate_init=0.005, max_iter=300, random_state=0)
    mlp.set_params(**parameters).fit(X_train, y_train)
    surest = mlp.predict_proba(X_test).max(axis=1)
    right = mlp.predict(X_test) == y_test
    edges = np.linspace(0, 1, 21)
    ax.hist([surest[right], surest[~right]], edges, stacked=True, color=["C0", "C3"])
    loss = log_loss(y_test, mlp.predict_proba(X_test))
    ax.set_title(f"{name}\naccuracy {right.mean():.3f}, log loss {loss:.3f}", fontsize="medium")
    ax.set(xlabel="largest probability", yscale="log")
axes[0].set_ylabel("test rows")
axes[0].legend(["right", "wrong"], loc="upper left")
# sphinx_gallery_thumbnail_number = 3
plt.show()

# %%
# :doc:`/guide_training` describes every loss. :ref:`sphx_glr_auto_examples_plot_regularisation.py`
# shows other ways to make a network less certain of its errors.
