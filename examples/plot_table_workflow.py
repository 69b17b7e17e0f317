"""
======================================
From a CSV file to an explained model
======================================

A table with text, numbers and missing values goes directly from :func:`pandas.read_csv` into a
:class:`~sklearn_nn.TabularClassifier`. A small search tunes it, its calibration is checked, and
scikit-learn's tools explain what it has learnt.

The table is the passenger list of the Titanic from OpenML; without a connection, a table with the
same columns is generated.
"""

# %%
# The table
# ---------
import tempfile
from pathlib import Path
from time import perf_counter

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.calibration import CalibrationDisplay
from sklearn.datasets import fetch_openml
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.inspection import PartialDependenceDisplay, permutation_importance
from sklearn.metrics import log_loss
from sklearn.model_selection import RandomizedSearchCV, train_test_split

from sklearn_nn import TabularClassifier


def passengers():
    """Return the passenger list, with the target in the column `survived`."""
    columns = ["pclass", "sex", "age", "sibsp", "parch", "fare", "cabin", "embarked", "survived"]
    try:
        return fetch_openml("titanic", version=1, as_frame=True, n_retries=1, delay=0.1).frame[
            columns
        ]
    except Exception as error:  # no connection, or none to OpenML
        print(f"OpenML cannot be reached ({type(error).__name__}); the list is generated.")
    rng = np.random.default_rng(0)
    n = 1309
    pclass = rng.choice([1, 2, 3], n, p=[0.25, 0.21, 0.54])
    woman = rng.random(n) < 0.36
    age = np.where(rng.random(n) < 0.2, np.nan, rng.gamma(5, 6, n).round())
    fare = (rng.lognormal(4.5 - 0.8 * pclass, 0.5)).round(2)
    score = 1.2 + 2.6 * woman - 1.1 * (pclass - 1) * (1 - 0.3 * woman)
    score += np.where(np.nan_to_num(age, nan=30) < 10, 1.5, 0) - 1.7 + 0.004 * fare
    return pd.DataFrame(
        {
            "pclass": pclass,
            "sex": np.where(woman, "female", "male"),
            "age": age,
            "sibsp": rng.poisson(0.5, n),
            "parch": rng.poisson(0.4, n),
            "fare": fare,
            "cabin": np.where(rng.random(n) < 0.77, None, rng.choice(list("ABCDEF"), n)),
            "embarked": rng.choice(["S", "C", "Q"], n, p=[0.7, 0.2, 0.1]),
            "survived": (rng.random(n) < 1 / (1 + np.exp(-score))).astype(int),
        }
    )


file = Path(tempfile.mkdtemp()) / "passengers.csv"
passengers().to_csv(file, index=False)

# %%
# Five lines
# ----------
# No preprocessing is needed. Only the deck, the first letter of the cabin, is extracted.
table = pd.read_csv(file)
table["cabin"] = table["cabin"].str[:1]
y = table.pop("survived")
X_train, X_test, y_train, y_test = train_test_split(table, y, stratify=y, random_state=0)
model = TabularClassifier(random_state=0).fit(X_train, y_train)

boosting = HistGradientBoostingClassifier(categorical_features="from_dtype", random_state=0)
words = dict.fromkeys(table.select_dtypes(exclude="number").columns, "category")
boosting.fit(X_train.astype(words), y_train)


def report(name, fitted, X):
    """Print accuracy and log loss on the rows held out."""
    loss = log_loss(y_test, fitted.predict_proba(X))
    print(f"{name:22}{fitted.score(X, y_test):10.3f}{loss:10.3f}")


print(f"{'':22}{'accuracy':>10}{'log loss':>10}")
report("gradient boosting", boosting, X_test.astype(words))
report("network, no tuning", model, X_test)

# %%
# The inputs of the network: numbers, indicators of missing numbers, and categories.
print(model.encoder_.get_feature_names_out().tolist())

# %%
# Tuning
# ------
# ``SEARCH_SPACE`` holds distributions to search over. The search trains single networks, which is
# faster; the final model averages several networks with the best parameters.
start = perf_counter()
search = RandomizedSearchCV(
    TabularClassifier(n_networks=1, max_iter=32, random_state=0),
    TabularClassifier.SEARCH_SPACE,
    n_iter=5,
    cv=3,
    scoring="neg_log_loss",
    random_state=0,
    refit=False,
).fit(X_train, y_train)
print(f"5 candidates x 3 folds in {perf_counter() - start:.1f} s")
for name, value in search.best_params_.items():
    print(f"  {name} = {value}")
tuned = TabularClassifier(**search.best_params_, random_state=0).fit(X_train, y_train)
report("network, tuned", tuned, X_test)

# %%
# Calibration
# -----------
# Of the passengers with a predicted probability of 0.7, seven of ten should have survived. The
# logits of each network are divided by a temperature, which is fitted on its validation set.
print("temperatures:", model.temperatures_.round(2))
fig, ax = plt.subplots(figsize=(5, 5), layout="constrained")
for name, fitted, X in (
    ("network", model, X_test),
    ("gradient boosting", boosting, X_test.astype(words)),
):
    CalibrationDisplay.from_estimator(fitted, X, y_test, n_bins=6, name=name, ax=ax)
ax.set_title("Share that survived, by predicted probability")

# %%
# Importance of columns
# ---------------------
# The increase of the log loss on test rows when a column is shuffled.
importance = permutation_importance(
    model, X_test, y_test, scoring="neg_log_loss", n_repeats=5, random_state=0
)
order = importance.importances_mean.argsort()
fig, ax = plt.subplots(figsize=(6, 4), layout="constrained")
ax.boxplot(importance.importances[order].T, orientation="horizontal")
ax.set_yticks(np.arange(1, len(order) + 1), table.columns[order])
ax.set_xlabel("rise of the log loss")
ax.set_title("Permutation importance")

# %%
# Partial dependence
# ------------------
# The mean prediction when one column is set to each of its values. Passengers of unknown age or
# fare are left out, as they have no place on these axes.
known = X_train.dropna(subset=["age", "fare"])
fig, ax = plt.subplots(1, 3, figsize=(10, 3.5), sharey=True, layout="constrained")
PartialDependenceDisplay.from_estimator(
    model,
    known.astype({"age": float, "pclass": float}),
    ["age", "fare", "sex"],
    categorical_features=["sex"],
    grid_resolution=15,
    ax=ax,
)
fig.suptitle("Probability of survival")
# sphinx_gallery_thumbnail_number = 2
plt.show()

# %%
# :doc:`/guide_tables` explains the estimators. :ref:`sphx_glr_auto_examples_plot_tune_dataframe.py`
# does the preprocessing by hand, for an MLP.
