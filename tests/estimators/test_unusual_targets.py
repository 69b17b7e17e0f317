"""Missing targets are errors that count them; one-hot targets are told to be that."""

import warnings

import numpy as np
import pytest
from scipy import sparse

from helpers.estimators.all_estimators import KINDS, data, make

ONE_TARGET_A_ROW = [kind for kind in KINDS if kind not in ("TextGenerator", "RNNRegressor, steps")]


@pytest.mark.parametrize("kind", ONE_TARGET_A_ROW)
@pytest.mark.parametrize("missing", [np.nan, None, "pd.NA"])
def test_missing_targets_are_counted(kind, missing):
    pd = pytest.importorskip("pandas")
    rows, y = data(kind)
    start = {None: "missing values (None)", "pd.NA": "missing values (pd.NA)"}.get(missing, "NaN")
    y = np.asarray(y).astype(object)
    y[[1, 4, 5]] = pd.NA if missing == "pd.NA" else missing
    for form in (y, list(y), pd.Series(y)):
        with pytest.raises(ValueError) as caught:
            make(kind).fit(rows, form)
        assert str(caught.value) == (
            f"Input y contains {start}.\ny is missing in 3 of {len(y)} rows; drop them, in X too."
        )


def told_by(call, *args, **values):
    """Return the warnings of a call about one-hot targets."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        call(*args, **values)
    told = [one for one in caught if "one-hot" in str(one.message)]
    assert all(one.filename == __file__ for one in told)
    return [str(one.message) for one in told]


CLASSIFIERS = [kind for kind in ONE_TARGET_A_ROW if "Classifier" in kind]


@pytest.mark.parametrize("kind", CLASSIFIERS)
def test_one_hot_targets(kind):
    rows, y = data(kind)
    labels = np.arange(len(y)) % 4
    one_hot = np.eye(4, dtype=int)[labels]
    said = (
        "y looks one-hot: each row of its 4 columns has a single 1. It is learnt as 4 labels that "
        "are independent of each other; for one class a row, pass y.argmax(axis=1) (of a "
        "DataFrame, y.to_numpy().argmax(axis=1))."
    )
    model = make(kind)
    for form in (one_hot, one_hot.astype(float), sparse.csr_matrix(one_hot)):
        assert told_by(model.fit, rows, form, X_val=rows, y_val=form) == [said]
    if hasattr(model, "partial_fit"):
        fresh = make(kind)
        assert told_by(fresh.partial_fit, rows, one_hot, classes=np.arange(4)) == [said]
        assert told_by(fresh.partial_fit, rows, one_hot) == []
    assert told_by(model.fit, rows, labels) == []
    assert told_by(model.fit, rows, np.eye(2, dtype=int)[labels % 2]) == []
    several = one_hot.copy()
    several[0] = [1, 0, 1, 0]
    assert told_by(model.fit, rows, several) == []
    several[0] = 0
    assert told_by(model.fit, rows, several) == []
