"""
========================
Tuning the architecture
========================

:class:`~sklearn.model_selection.GridSearchCV` over widths, depths, activations and penalties, and
two ways to look at the results. Nothing is compiled for an architecture, so a candidate costs its
training only. The results are the same for any number of workers.
"""

# %%
# Scaling belongs in the pipeline: each fold is scaled by the statistics of its training rows.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPClassifier

X, y = load_breast_cancer(return_X_y=True)
X_train, X_test, y_train, y_test = train_test_split(X, y, stratify=y, random_state=0)

model = Pipeline(
    [
        ("scale", StandardScaler()),
        ("mlp", MLPClassifier(early_stopping=True, learning_rate_init=0.01, random_state=0)),
    ]
)
architectures = [(2,), (8,), (32,), (128,), (16, 16), (64, 64)]
penalties = [0.001, 0.1, 1.0, 10.0]
grid = {
    "mlp__hidden_layer_sizes": architectures,
    "mlp__alpha": penalties,
    "mlp__activation": ["relu", "tanh"],
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
search = GridSearchCV(model, grid, cv=folds, n_jobs=2)

start = perf_counter()
search.fit(X_train, y_train)
fits = search.n_splits_ * len(search.cv_results_["params"])
print(f"{fits} fits in {perf_counter() - start:.1f} s")
print(f"best: {search.best_params_}")
print(f"cross-validated accuracy {search.best_score_:.3f}")
print(f"held-out accuracy        {search.score(X_test, y_test):.3f}")

# %%
# All candidates
# --------------
# The mean accuracy of the folds, for every combination, on one scale of colours. The star marks the
# best one.
results = search.cv_results_
shape = len(grid["mlp__activation"]), len(penalties), len(architectures)  # names are sorted
scores = results["mean_test_score"].reshape(shape)
names = ["-".join(map(str, sizes)) for sizes in architectures]

figure, axes = plt.subplots(1, 2, figsize=(10, 3.4), sharey=True, layout="constrained")
limits = {"vmin": scores.min(), "vmax": scores.max()}
for ax, activation, values in zip(axes, grid["mlp__activation"], scores, strict=True):
    image = ax.imshow(values, cmap="cividis", aspect="auto", **limits)
    for (i, j), score in np.ndenumerate(values):
        color = "black" if score > np.mean([*limits.values()]) else "white"
        star = " ★" if score == search.best_score_ else ""
        ax.text(j, i, f"{score:.3f}{star}", ha="center", va="center", color=color, fontsize=9)
    ax.set_xticks(range(len(names)), names)
    ax.set_yticks(range(len(penalties)), [f"{alpha:g}" for alpha in penalties])
    ax.set(xlabel="units of the hidden layers", title=activation)
axes[0].set_ylabel("alpha")
figure.colorbar(image, ax=axes, label="mean accuracy")

# %%
# The best, with error bars
# -------------------------
# The candidates in the order of their means, with the standard error of each mean over the five
# folds. Those whose mean is within one standard error of the best one (the grey band) are as good,
# as far as five folds can tell: prefer the smallest of these networks. The best of many candidates
# has been lucky, too: its accuracy on held-out rows, above, is usually lower.
order = np.argsort(-results["mean_test_score"], kind="stable")[:16]
means = results["mean_test_score"][order]
errors = results["std_test_score"][order] / np.sqrt(search.n_splits_ - 1)
labels = [
    f"{results['params'][k]['mlp__activation']}, "
    f"{'-'.join(map(str, results['params'][k]['mlp__hidden_layer_sizes']))}, "
    f"alpha={results['params'][k]['mlp__alpha']:g}"
    for k in order
]
figure, ax = plt.subplots(figsize=(7, 4.6), layout="constrained")
ax.axvspan(means[0] - errors[0], means[0] + errors[0], color="0.9", zorder=0)
ax.errorbar(means, range(len(order)), xerr=errors, fmt="o", capsize=3)
ax.set_yticks(range(len(order)), labels, fontsize="small")
ax.invert_yaxis()
ax.set(xlabel="mean accuracy, with its standard error", title="The 16 best of 48 candidates")
plt.show()

within = results["mean_test_score"] >= means[0] - errors[0]
print(f"{within.sum()} of {len(within)} candidates are within one standard error of the best")

# %%
# :ref:`sphx_glr_auto_examples_plot_tune_cnn.py` searches over layers, and
# :ref:`sphx_glr_auto_examples_plot_tune_dataframe.py` over preprocessing and network together.
