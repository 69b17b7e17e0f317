"""
============
Tuning a CNN
============

``GridSearchCV`` over the parameters of a convolutional network and over its layers, in a
``Pipeline`` with ``StandardScaler``. Nothing is compiled for an architecture, so that a candidate
costs its training only.
"""

# %%
# Layers are parameters
# ---------------------
# A network's layers are parameters under their names: ``conv2d1`` is the first ``Conv2D``, and
# ``conv2d1__filters`` its number of filters. A pair (name, layer) sets the name. With
# ``input_shape``, the network accepts flat rows, which scalers return.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import CNNClassifier, NeuralNetworkClassifier
from sklearn_nn.inspection import MisclassifiedDisplay
from sklearn_nn.layers import Activation, AveragePool2D, Conv2D, Dropout, Flatten, MaxPool2D

X, y = load_digits(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(
    X.astype(np.float32), y, test_size=0.3, stratify=y, random_state=0
)
network = NeuralNetworkClassifier(
    [
        Conv2D(8, 3, padding="same"),
        Activation("relu"),
        ("pool", MaxPool2D(2)),
        Conv2D(16, 3, padding="same"),
        Activation("relu"),
        Flatten(),
        Dropout(0.3),
    ],
    input_shape=(8, 8, 1),
    learning_rate_init=0.005,
    batch_size=64,
    max_iter=8,
    random_state=0,
)
model = Pipeline([("scale", StandardScaler()), ("cnn", network)])

# %%
# A grid
# ------
# The grid varies parameters of layers and whole layers: one kind of pooling is replaced by another,
# and ``"passthrough"`` skips a layer. Steps of the pipeline can be skipped in the same way.
grid = [
    {"cnn__conv2d1__filters": [4, 8, 16], "cnn__conv2d1__kernel_size": [1, 3, 5]},
    {
        "cnn__pool": [MaxPool2D(2), AveragePool2D(2), "passthrough"],
        "cnn__dropout1": [Dropout(0.3), "passthrough"],
    },
    {"scale": ["passthrough"], "cnn__activation1__activation": ["relu", "tanh"]},
]
search = GridSearchCV(model, grid, cv=3, n_jobs=2)
start = perf_counter()
search.fit(X_train, y_train)
fits = search.n_splits_ * len(search.cv_results_["params"])
print(f"{fits} fits in {perf_counter() - start:.1f} s")
print(f"best: {search.best_params_}")
print(f"cross-validated accuracy {search.best_score_:.3f}")
print(f"held-out accuracy        {search.score(X_test, y_test):.3f}")

# %%
# More filters help here, and so do kernels larger than one pixel. Compare differences with the
# standard deviation of the folds before you rely on them.
results = search.cv_results_
sizes = results["mean_test_score"][:9].reshape(3, 3)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.4), layout="constrained")
left.imshow(sizes, cmap="cividis", aspect="auto")
for (i, j), score in np.ndenumerate(sizes):
    color = "white" if score < (sizes.min() + sizes.max()) / 2 else "black"
    left.text(j, i, f"{score:.3f}", ha="center", va="center", color=color)
left.set_xticks(range(3), [1, 3, 5])
left.set_yticks(range(3), [4, 8, 16])
left.set(xlabel="conv2d1__kernel_size", ylabel="conv2d1__filters", title="mean accuracy of 3 folds")


def words(params):
    """Return the parameters of a candidate as text."""
    names = {name.rpartition("cnn__")[2]: value for name, value in params.items()}
    return ", ".join(f"{name}={value}" for name, value in names.items())


rest = range(9, len(results["params"]))
right.errorbar(
    results["mean_test_score"][9:], rest, xerr=results["std_test_score"][9:], fmt="o", capsize=3
)
right.set_yticks(rest, [words(results["params"][k]) for k in rest], fontsize="small")
right.set(xlabel="mean of 3 folds ± standard deviation")
right.locator_params(axis="x", nbins=5)
right.invert_yaxis()

# %%
# The preset architecture
# -----------------------
# :class:`~sklearn_nn.CNNClassifier` describes a common architecture by plain numbers, which are
# simpler to search over if this architecture is suitable.
preset = CNNClassifier(
    input_shape=(8, 8, 1), learning_rate_init=0.005, batch_size=64, max_iter=8, random_state=0
)
quick = GridSearchCV(
    Pipeline([("scale", StandardScaler()), ("cnn", preset)]),
    {"cnn__filters": [(8,), (8, 16)], "cnn__pooling": ["max", "average"]},
    cv=3,
    n_jobs=2,
).fit(X_train, y_train)
print(f"{quick.best_params_}: {quick.best_score_:.3f}")

# %%
# Displays accept searches and pipelines as well as networks.
MisclassifiedDisplay.from_estimator(
    search, X_test, y_test, n_images=6, input_shape=(8, 8, 1), columns=6
)
plt.show()

# %%
# :ref:`sphx_glr_auto_examples_plot_tune_architecture.py` shows how to read the results of a large
# grid, and :ref:`sphx_glr_auto_examples_plot_see_a_network.py` what a network of these layers has
# learnt.
