"""
========================
Tuning the architecture
========================

``GridSearchCV`` over widths, depths, activations and penalties, with a user-defined ``KFold``.
Nothing is compiled for an architecture, so a candidate costs its training only. The results are the
same for any number of workers.
"""

# %%
# Scaling belongs in the pipeline: each fold is scaled by the statistics of its training rows.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV, KFold, train_test_split
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
architectures = [(8,), (32,), (128,), (16, 16), (64, 64), (32, 32, 32)]
penalties = [1e-5, 1e-3, 1e-1, 1.0]
grid = {
    "mlp__hidden_layer_sizes": architectures,
    "mlp__alpha": penalties,
    "mlp__activation": ["relu", "tanh"],
}
search = GridSearchCV(model, grid, cv=KFold(5, shuffle=True, random_state=0), n_jobs=2)

start = perf_counter()
search.fit(X_train, y_train)
fits = search.n_splits_ * len(search.cv_results_["params"])
print(f"{fits} fits in {perf_counter() - start:.1f} s")
print(f"best: {search.best_params_}")
print(f"cross-validated accuracy {search.best_score_:.3f}")
print(f"held-out accuracy        {search.score(X_test, y_test):.3f}")

# %%
# Where the scores are equal, prefer the smaller network: differences below the standard error of
# the folds are not significant.
results = search.cv_results_
relu = results["param_mlp__activation"] == "relu"
scores = results["mean_test_score"][relu].reshape(len(penalties), len(architectures))
error = np.mean(results["std_test_score"][relu]) / np.sqrt(search.n_splits_)

figure, ax = plt.subplots(figsize=(7, 3.5), layout="constrained")
image = ax.imshow(scores, cmap="viridis")
for i, j in np.ndindex(scores.shape):
    ax.text(j, i, f"{scores[i, j]:.3f}", ha="center", va="center", color="white")
ax.set_xticks(range(len(architectures)), [str(sizes) for sizes in architectures])
ax.set_yticks(range(len(penalties)), [f"{alpha:g}" for alpha in penalties])
ax.set(xlabel="hidden_layer_sizes", ylabel="alpha")
ax.set_title(f"relu: mean accuracy of 5 folds, standard error {error:.3f}")
plt.show()
