"""
===============
Learning curves
===============

``loss_curve_`` holds the mean training loss of each epoch, ``validation_scores_`` the score of
held-out rows with ``early_stopping=True``. Plotted together, they show whether the learning rate is
right, whether training has converged, and whether the network overfits.
"""

# %%
# Solvers
# -------
# The same network trained by stochastic gradient descent without and with momentum, with a
# decreasing learning rate, and by Adam. ``partial_fit`` trains one epoch per call and never stops
# early, so all curves have equal length.
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import MinMaxScaler

from sklearn_nn import MLPClassifier, MLPRegressor

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    MinMaxScaler().fit_transform(X), y, test_size=0.25, stratify=y, random_state=0
)

solvers = {
    "sgd": {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.2},
    "sgd, Nesterov momentum 0.9": {"solver": "sgd", "learning_rate_init": 0.2},
    "sgd, momentum, rate falling as $1/\\sqrt{t}$": {
        "solver": "sgd",
        "learning_rate": "invscaling",
        "learning_rate_init": 0.2,
    },
    "adam": {"solver": "adam", "learning_rate_init": 0.005},
}

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, parameters in solvers.items():
    mlp = MLPClassifier((64,), random_state=0, **parameters)
    for _ in range(40):
        mlp.partial_fit(X_train, y_train, classes=range(10))
    ax.plot(range(1, 41), mlp.loss_curve_, label=f"{name}: {mlp.score(X_test, y_test):.3f}")
ax.set(xlabel="epoch", ylabel="training loss", yscale="log", title="Digits, by solver")
ax.set_ylim(top=50)
ax.legend(title="solver: test accuracy", loc="upper right")

# %%
# Early stopping
# --------------
# With ``early_stopping=True``, a tenth of the rows is held out, training stops when their score has
# not improved for ``n_iter_no_change`` epochs, and the best weights are kept. The training loss
# continues to decrease long after the validation score has converged.
mlp = MLPClassifier(
    (64,), learning_rate_init=0.005, early_stopping=True, n_iter_no_change=15, random_state=0
)
mlp.fit(X_train, y_train)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
epochs = range(1, mlp.n_iter_ + 1)
ax.plot(epochs, mlp.loss_curve_, color="C0")
ax.set(xlabel="epoch", title=f"Stopped after {mlp.n_iter_} epochs")
ax.set_ylabel("training loss", color="C0")
right = ax.twinx()
right.plot(epochs, mlp.validation_scores_, color="C1")
right.set_ylabel("validation accuracy", color="C1")
print(f"best validation accuracy {mlp.best_validation_score_:.3f}")
print(f"test accuracy            {mlp.score(X_test, y_test):.3f}")

# %%
# Regularization
# --------------
# A network that is far too large for 40 noisy points. ``alpha`` is the L2 penalty on the weights.
rng = np.random.default_rng(0)
x = np.sort(rng.uniform(-3, 3, 40))
target = np.sin(2 * x) + rng.normal(scale=0.3, size=x.size)
grid = np.linspace(-3, 3, 400)

figure, axes = plt.subplots(1, 3, figsize=(9, 3), sharey=True, layout="constrained")
for ax, alpha in zip(axes, (1e-2, 1e-1, 1.0), strict=True):
    mlp = MLPRegressor(
        hidden_layer_sizes=(50, 50),
        activation="tanh",
        solver="lbfgs",
        alpha=alpha,
        max_iter=5000,
        max_fun=10_000,
        random_state=0,
    )
    mlp.fit(x[:, None], target)
    ax.plot(grid, mlp.predict(grid[:, None]), color="C1")
    ax.plot(x, target, ".", color="C0")
    ax.set(title=f"alpha={alpha:g}", xlabel="x", ylim=(-2.2, 2.2))
axes[0].set_ylabel("y")
plt.show()

# %%
# :class:`~sklearn_nn.inspection.LossCurveDisplay` draws such curves in one line.
# :ref:`sphx_glr_auto_examples_plot_regularisation.py` shows over- and underfitting, and
# :ref:`sphx_glr_auto_examples_plot_optimizers.py` all solvers.
