"""Missing targets are errors that count them."""

import numpy as np
import pytest

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
