"""
===================================================
Tuning on a data frame with text and missing values
===================================================

Most tables are not matrices: some columns are numbers, some are text, and some entries are missing.
Here, a :class:`~sklearn.compose.ColumnTransformer` converts the frame to numbers, an
:class:`~sklearn_nn.MLPClassifier` learns from them, and one
:class:`~sklearn.model_selection.GridSearchCV` tunes both.
"""

# %%
# The table
# ---------
# Customers of a telephone company, some of whom left. The data are generated, so that the best
# possible accuracy is known.
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from sklearn_nn import MLPClassifier


def make_customers(n, seed):
    """Return a frame of n customers, who left, and the probability that each would."""
    rng = np.random.default_rng(seed)
    contract = rng.choice(["monthly", "one year", "two years"], n, p=[0.55, 0.25, 0.2])
    internet = rng.choice(["fibre", "dsl", "none"], n, p=[0.45, 0.35, 0.2])
    payment = rng.choice(["cheque", "bank transfer", "card"], n)
    tenure = np.minimum(72, rng.exponential(30, n)).round()
    charge = 20 + 45 * (internet == "fibre") + 20 * (internet == "dsl") + rng.gamma(4, 4, n)
    calls = rng.poisson(1 + 1.5 * (internet == "fibre"), n).astype(float)

    monthly = contract == "monthly"
    score = 2.4 * monthly - 0.06 * tenure * monthly + 1.3 * (payment == "cheque")
    score += 0.8 * np.maximum(calls - 2, 0) - 2.5 * (contract == "two years")
    score += np.where(internet == "fibre", 0.06 * (charge - 80), -0.5)
    p = 1 / (1 + np.exp(-1.5 * (score - 0.8)))
    left = rng.random(n) < p

    frame = pd.DataFrame(
        {
            "contract": contract,
            "internet": internet,
            "payment": payment,
            "tenure_months": tenure,
            "monthly_charge": charge.round(2),
            "support_calls": calls,
        }
    )
    for column, share in {"payment": 0.04, "monthly_charge": 0.05, "support_calls": 0.08}.items():
        frame.loc[rng.random(n) < share, column] = np.nan
    return frame, np.where(left, "left", "stayed"), p


customers, outcome, p = make_customers(4000, seed=0)
print(customers.head(), "\n")
print(customers.isna().sum())

# %%
# From a frame to numbers
# -----------------------
# Text is one-hot encoded; missing text is a separate category. Missing numbers are replaced by the
# median and marked in an additional column, and numbers are scaled, since networks need inputs of
# similar variance.
strings = ["contract", "internet", "payment"]
numbers = ["tenure_months", "monthly_charge", "support_calls"]


def make_preparation():
    """Return a transformer from a frame of customers to a matrix."""
    indicators = make_pipeline(
        SimpleImputer(strategy="constant", fill_value="unknown"),
        OneHotEncoder(handle_unknown="ignore"),
    )
    scaled = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
    )
    return ColumnTransformer([("strings", indicators, strings), ("numbers", scaled, numbers)])


mlp = MLPClassifier(max_iter=60, early_stopping=True, random_state=0)
model = Pipeline([("prepare", make_preparation()), ("mlp", mlp)])

# %%
# The search
# ----------
# Preprocessing and network are tuned together. Nothing is compiled for an architecture: each of
# these fits takes milliseconds.
grid = {
    "prepare__numbers__simpleimputer__strategy": ["median", "mean"],
    "mlp__hidden_layer_sizes": [(16,), (64,), (32, 32)],
    "mlp__alpha": [1e-4, 1e-1],
    "mlp__learning_rate_init": [3e-3, 1e-2],
}
folds = StratifiedKFold(5, shuffle=True, random_state=0)
search = GridSearchCV(model, grid, cv=folds, n_jobs=2)

train, test = train_test_split(np.arange(len(outcome)), stratify=outcome, random_state=0)
start = perf_counter()
search.fit(customers.iloc[train], outcome[train])
seconds = perf_counter() - start
print(f"{len(search.cv_results_['params'])} candidates x 5 folds in {seconds:.1f} s")
for name, value in search.best_params_.items():
    print(f"  {name} = {value}")

# %%
# Comparison
# ----------
# The baselines are the larger class, a linear model, and the best possible prediction from the true
# probabilities.
accuracies = {}
for name, other in {
    "larger class": DummyClassifier(),
    "logistic regression": LogisticRegression(max_iter=1000),
}.items():
    baseline = make_pipeline(make_preparation(), other)
    baseline.fit(customers.iloc[train], outcome[train])
    accuracies[name] = baseline.score(customers.iloc[test], outcome[test])
accuracies["MLP, tuned"] = search.score(customers.iloc[test], outcome[test])
accuracies["best possible"] = np.mean((p[test] > 0.5) == (outcome[test] == "left"))

figure, ax = plt.subplots(figsize=(7, 2.6), layout="constrained")
bars = ax.barh(list(accuracies), list(accuracies.values()), color=["C0", "C0", "C1", "0.6"])
ax.bar_label(bars, fmt=" %.3f")
ax.invert_yaxis()
ax.set(xlabel=f"accuracy on {len(test):,} held-out rows", xlim=(0, 1))
plt.show()

# %%
# The results of the search, as a data frame:
columns = ["param_mlp__hidden_layer_sizes", "param_mlp__alpha", "param_mlp__learning_rate_init"]
columns += ["mean_test_score", "std_test_score", "mean_fit_time"]
results = pd.DataFrame(search.cv_results_)
print(results.sort_values("rank_test_score")[columns].head(8).round(3).to_string(index=False))

# %%
# :ref:`sphx_glr_auto_examples_plot_table_workflow.py` needs no preprocessing, and
# :ref:`sphx_glr_auto_examples_plot_tune_architecture.py` shows how to read such results.
