"""
=======================
Four real tables
=======================

Four public data sets with text, missing values and thousands of rows: a network after pandas and a
:class:`~sklearn.compose.ColumnTransformer` is compared with a constant prediction, a linear model
on the same columns, and gradient boosting. The tables are used as published; the penalties and the
patience of the networks were chosen from a few values on these tables.

The data are read from the folder in the environment variable ``SKLEARN_NN_DATA``, or from
``../shared/data`` relative to the project. Absent tables are skipped, and their sources are named::

    SKLEARN_NN_DATA=~/data python examples/real_tables.py
"""

import os
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
from sklearn.compose import ColumnTransformer, TransformedTargetRegressor, make_column_selector
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.metrics import accuracy_score, root_mean_squared_error
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from sklearn_nn import MLPClassifier, MLPRegressor

FOLDER = Path(
    os.environ.get("SKLEARN_NN_DATA", Path(__file__).resolve().parents[2] / "shared" / "data")
)


# %%
# Reading
# -------
# Each reader returns a frame, the target, and the rows to be held out: the published test set
# for adult, a random fifth of the others. Columns of strings become categories.
def read_adult():
    """Census of 1994: does a person earn more than 50,000 dollars a year?"""
    names = [
        *("age", "workclass", "fnlwgt", "education", "education_num", "marital_status"),
        *("occupation", "relationship", "race", "sex", "capital_gain", "capital_loss"),
        *("hours_per_week", "country", "income"),
    ]
    parts = [
        pd.read_csv(
            FOLDER / "adult" / f"adult-{part}.csv.gz",
            names=names,
            skipinitialspace=True,
            na_values="?",
        )
        for part in ("train", "test")
    ]
    frame = pd.concat(parts, ignore_index=True)
    income = frame.pop("income").str.rstrip(".")  # the test file ends its labels in a full stop
    # fnlwgt is the survey's weight, no property of a person. education_num says education again.
    frame = frame.drop(columns=["fnlwgt", "education"])
    return frame, income, np.arange(len(parts[0]), len(frame))


def read_california():
    """Census of 1990: median house value of a block in California, in dollars."""
    frame = pd.read_csv(FOLDER / "california_housing" / "housing.csv.gz")
    value = frame.pop("median_house_value")
    for total in ("total_rooms", "total_bedrooms", "population"):
        frame[f"{total}_per_household"] = frame[total] / frame["households"]
    return frame, value, None


def read_bike():
    """Bicycles hired in Washington in an hour of 2011 or 2012."""
    frame = pd.read_csv(FOLDER / "bike" / "hour.csv")
    hired = frame.pop("cnt")
    # registered + casual is the target itself; instant and dteday number the rows.
    frame = frame.drop(columns=["registered", "casual", "instant", "dteday"])
    labels = ["season", "mnth", "hr", "weekday", "weathersit"]
    frame["weekend_hr"] = frame["hr"] + 24 * (frame["workingday"] == 0)
    frame[[*labels, "weekend_hr"]] = frame[[*labels, "weekend_hr"]].astype(str)
    return frame, hired, None


def read_ames():
    """Price of a house sold in Ames, Iowa, 2006 to 2010, in dollars."""
    frame = pd.read_csv(FOLDER / "ames" / "AmesHousing.csv.gz", dtype={"MS SubClass": str})
    price = frame.pop("SalePrice")
    return frame.drop(columns=["Order", "PID"]), price, None


# %%
# Preparing
# ---------
# Rare categories share one column; a missing value is a category of its own. Missing numbers
# become the median and a column that says so. Numbers beyond three standard deviations are
# brought back: one mansion should not steer the whole fit.
def limit(Z):
    """Return Z held to three standard deviations."""
    return np.clip(Z, -3, 3)


def prepare():
    """Return a transformer from a frame to a matrix."""
    categories = OneHotEncoder(
        min_frequency=10, handle_unknown="infrequent_if_exist", sparse_output=False
    )
    numbers = make_pipeline(
        SimpleImputer(strategy="median", add_indicator=True),
        StandardScaler(),
        FunctionTransformer(limit, feature_names_out="one-to-one"),
    )
    return ColumnTransformer(
        [
            ("categories", categories, make_column_selector(dtype_include="category")),
            ("numbers", numbers, make_column_selector(dtype_include="number")),
        ]
    )


# %%
# Models
# ------
# A network wants targets of about unit size, so :class:`TransformedTargetRegressor` scales them
# before and unscales predictions after. ``early_stopping`` sets a tenth of the rows aside and
# stops when they no longer improve.
def scaled(regressor):
    """Return a regressor that learns the standardized target."""
    return TransformedTargetRegressor(regressor, transformer=StandardScaler())


def classifiers(alpha):
    """Return models by name."""
    mlp = MLPClassifier((64, 64), alpha=alpha, early_stopping=True, random_state=0)
    return {
        "guess": DummyClassifier(),
        "linear": make_pipeline(prepare(), LogisticRegression(max_iter=2000)),
        "boosting": HistGradientBoostingClassifier(random_state=0),
        "network": make_pipeline(prepare(), mlp),
    }


def regressors(alpha):
    """Return models by name."""
    mlp = MLPRegressor(
        hidden_layer_sizes=(128, 64),
        alpha=alpha,
        early_stopping=True,
        n_iter_no_change=40,
        max_iter=500,
        random_state=0,
    )
    return {
        "guess": DummyRegressor(),
        "linear": scaled(make_pipeline(prepare(), Ridge())),
        "boosting": HistGradientBoostingRegressor(random_state=0),
        "network": scaled(make_pipeline(prepare(), mlp)),
    }


TASKS = {
    "adult": (read_adult, classifiers(alpha=1e-3), accuracy_score),
    "california_housing": (read_california, regressors(alpha=1e-3), root_mean_squared_error),
    "bike": (read_bike, regressors(alpha=1e-3), root_mean_squared_error),
    "ames": (read_ames, regressors(alpha=1.0), root_mean_squared_error),
}
SOURCES = {
    "adult": "https://archive.ics.uci.edu/dataset/2/adult as adult/adult-{train,test}.csv.gz",
    "california_housing": "https://github.com/ageron/handson-ml2 (datasets/housing) "
    "as california_housing/housing.csv.gz",
    "bike": "https://archive.ics.uci.edu/dataset/275/bike+sharing+dataset as bike/hour.csv",
    "ames": "https://jse.amstat.org/v19n3/decock.pdf as ames/AmesHousing.csv.gz",
}


# %%
# Results
# -------
def main():
    """Print the held-out score and training time of every model on every table at hand."""
    rows, absent = [], []
    for name, (read, models, metric) in TASKS.items():
        if not (FOLDER / name).is_dir():
            absent.append(name)
            continue
        frame, target, test = read()
        strings = frame.select_dtypes(exclude=["number", "bool"]).columns
        frame[strings] = frame[strings].astype("category")
        if test is None:
            _, test = train_test_split(np.arange(len(frame)), test_size=0.2, random_state=0)
        train = np.setdiff1d(np.arange(len(frame)), test)
        for model_name, model in models.items():
            start = perf_counter()
            model.fit(frame.iloc[train], target.iloc[train])
            seconds = perf_counter() - start
            score = metric(target.iloc[test], model.predict(frame.iloc[test]))
            rows.append((name, f"{len(frame)} x {frame.shape[1]}", model_name, score, seconds))

    if rows:
        print(
            "Held-out accuracy (adult) or root mean squared error (the others), and seconds to fit:"
        )
        print(f"{'table':20}{'size':>12}  {'model':12}{'score':>12}{'seconds':>9}")
    for name, size, model_name, score, seconds in rows:
        digits = 4 if name == "adult" else 1
        print(f"{name:20}{size:>12}  {model_name:12}{score:12,.{digits}f}{seconds:9.1f}")
    for name in absent:
        print(f"{name}: not in {FOLDER}. Get it from {SOURCES[name]}.")


if __name__ == "__main__":
    main()
