"""
==========
Warm start
==========

With ``warm_start=True``, the next ``fit`` starts from the weights of the last one. It has two uses:
to continue a training, and to start from the solution of a similar problem.
"""

# %%
# Continuing a training
# ---------------------
# ``max_iter`` is the number of epochs of one ``fit``; ``loss_curve_`` and ``n_iter_`` cover all
# fits.
import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPRegressor

X, y = load_diabetes(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, random_state=0)
scaler = StandardScaler().fit(X_train)
X_train, X_test = scaler.transform(X_train), scaler.transform(X_test)

mlp = MLPRegressor(
    hidden_layer_sizes=(32,), max_iter=50, learning_rate_init=0.02, warm_start=True, random_state=0
)
with warnings.catch_warnings():
    # Training stops before convergence on purpose.
    warnings.simplefilter("ignore", ConvergenceWarning)
    for _ in range(4):
        mlp.fit(X_train, y_train)
        print(f"{len(mlp.loss_curve_):4d} epochs, loss {mlp.loss_:7.1f}")

# %%
# Starting from a similar solution
# --------------------------------
# A path of decreasing penalties: each model starts from the previous one, and needs a fraction of
# the iterations of a new training.
penalties = np.geomspace(1000, 30, 7)
shared = {
    "hidden_layer_sizes": (16,),
    "activation": "tanh",
    "solver": "lbfgs",
    "max_iter": 5000,
    "max_fun": 10_000,
    "random_state": 0,
}
warm = MLPRegressor(**shared, warm_start=True)
iterations = []
print(f"{'alpha':>8}{'warm: iterations':>18}{'test R2':>9}{'cold: iterations':>18}{'test R2':>9}")
for alpha in penalties:
    cold = MLPRegressor(**shared, alpha=alpha).fit(X_train, y_train)
    warm.set_params(alpha=alpha).fit(X_train, y_train)
    line = f"{alpha:8.2f}"
    for mlp in (warm, cold):
        line += f"{mlp.n_iter_:18d}{mlp.score(X_test, y_test):9.3f}"
    iterations.append([warm.n_iter_, cold.n_iter_])
    print(line)

figure, ax = plt.subplots(figsize=(7, 3.4), layout="constrained")
ax.plot(penalties, iterations, "o-", label=["from the previous model", "from random weights"])
ax.set(xscale="log", xlabel="alpha", ylabel="iterations until convergence", ylim=(0, None))
ax.invert_xaxis()
ax.legend()
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_callbacks_checkpoints.py` saves a training and resumes it
# exactly, and :ref:`sphx_glr_auto_examples_plot_partial_fit_stream.py` trains on batches as they
# arrive.
