"""Dates in tables: an error that names the option, or their parts as numbers."""

import copy
import datetime
import pickle

import numpy as np
import pytest

from sklearn_nn import TabularClassifier, TabularRegressor, load
from sklearn_nn.estimators.table_encoder import TableEncoder

pd = pytest.importorskip("pandas")

N = 60
TIMES = pd.date_range("2019-12-30 06:30", periods=N, freq="53h")
NUMBERS = np.arange(N) % 7.0
TABLE = pd.DataFrame({"when": TIMES, "x": NUMBERS})
PARTS = [
    "elapsed", "year", "day", "month", "month_sin", "month_cos", "weekday", "weekday_sin",
    "weekday_cos", "hour", "hour_sin", "hour_cos",
]  # fmt: skip


def naive_parts(moment):
    """The parts of a datetime, by Python's own calendar."""
    hour = moment.hour + moment.minute / 60 + moment.second / 3600 + moment.microsecond / 3.6e9
    found = {
        "elapsed": (moment - datetime.datetime(1970, 1, 1)) / datetime.timedelta(days=1),
        "year": moment.year, "day": moment.day, "month": moment.month,
        "weekday": moment.weekday(), "hour": hour,
    }  # fmt: skip
    for name, first, length in (("month", 1, 12), ("weekday", 0, 7), ("hour", 0, 24)):
        angle = 2 * np.pi * (found[name] - first) / length
        found |= {f"{name}_sin": np.sin(angle), f"{name}_cos": np.cos(angle)}
    return [found[name] for name in PARTS]


def encoder(**options):
    return TableEncoder(dates="parts", dtype="float64", **options)


def test_parts_are_those_of_the_calendar():
    rng = np.random.default_rng(0)
    span = datetime.timedelta(days=200 * 365)
    moments = [datetime.datetime(1900, 2, 27) + rng.random() * span for _ in range(300)]
    moments += [datetime.datetime(1969, 12, 31, 23, 59), datetime.datetime(2000, 2, 29)]
    expected = np.array([naive_parts(moment) for moment in moments])
    frame = pd.DataFrame({"when": pd.Series(moments, dtype="datetime64[us]")})
    fitted = encoder().fit(frame)
    names = [f"when_{name}" for name in PARTS]
    assert fitted.get_feature_names_out().tolist() == names
    wanted = TableEncoder(dtype="float64").fit_transform(pd.DataFrame(expected, columns=names))
    np.testing.assert_allclose(fitted.transform(frame), wanted, rtol=1e-9, atol=1e-9)


def forms():
    """Yield the same table in other forms, by name."""
    moments = [stamp.to_pydatetime() for stamp in TIMES]
    yield "ns", TABLE.astype({"when": "datetime64[ns]"})
    yield "seconds", TABLE.astype({"when": "datetime64[s]"})
    yield "zone", TABLE.assign(when=TIMES.tz_localize("Asia/Tokyo"))
    yield "objects", TABLE.assign(when=pd.Series(moments, dtype=object))
    yield "timestamps", TABLE.assign(when=pd.Series(list(TIMES), dtype=object))
    rows = [[moment, x] for moment, x in zip(moments, NUMBERS, strict=True)]
    yield "list", rows
    yield "array of objects", np.array(rows, dtype=object)


FORMS = dict(forms())


@pytest.mark.parametrize("table", FORMS.values(), ids=FORMS)
def test_forms(table):
    wanted = encoder().fit_transform(TABLE)
    np.testing.assert_array_equal(encoder().fit_transform(table), wanted)


def test_polars():
    polars = pytest.importorskip("polars")
    wanted = encoder().fit_transform(TABLE)
    columns = {"when": [stamp.to_pydatetime() for stamp in TIMES], "x": NUMBERS}
    table = polars.DataFrame(columns)
    np.testing.assert_array_equal(encoder().fit_transform(table), wanted)
    fitted = encoder().fit(TABLE)
    np.testing.assert_array_equal(fitted.transform(table), wanted)
    days = table.with_columns(polars.col("when").cast(polars.Date))
    frame = TABLE.assign(when=TIMES.normalize())
    np.testing.assert_array_equal(encoder().fit_transform(days), encoder().fit_transform(frame))


def test_arrays_of_dates():
    array = TIMES.to_numpy()[:, np.newaxis]
    wanted = encoder().fit_transform(TABLE[["when"]])
    np.testing.assert_array_equal(encoder().fit_transform(array), wanted)


def test_only_parts_that_vary_are_kept():
    days = pd.DataFrame({"when": pd.date_range("2021-03-01", periods=20)})
    names = encoder().fit(days).get_feature_names_out().tolist()
    assert names == [f"when_{name}" for name in PARTS if name[:4] not in ("year", "mont", "hour")]
    same = pd.DataFrame({"when": [pd.Timestamp("2021-03-01")] * 5, "x": np.arange(5.0)})
    assert encoder().fit(same).get_feature_names_out().tolist() == ["when_elapsed", "x"]
    weight = np.r_[np.ones(10), np.zeros(10)]
    wanted = encoder().fit(days[:10]).transform(days)
    np.testing.assert_array_equal(encoder().fit(days, None, weight).transform(days), wanted)


def test_missing_dates():
    """One indicator; the parts are those of the medians."""
    table = TABLE.copy()
    table.loc[[3, 8], "when"] = pd.NaT
    fitted = encoder().fit(table)
    names = fitted.get_feature_names_out().tolist()
    assert [name for name in names if "missing" in name] == ["missingindicator_when"]
    found = fitted.transform(table)
    assert np.isfinite(found).all()
    at = names.index("missingindicator_when")
    assert len(set(found[[3, 8], at])) == 1 == len(set(np.delete(found[:, at], [3, 8])))
    np.testing.assert_array_equal(found[3, :12], found[8, :12])
    # Without dates, whatever the type of the column.
    for column in ([pd.NaT] * N, [None] * N, np.full(N, np.nan)):
        gone = fitted.transform(table.assign(when=column))
        np.testing.assert_array_equal(gone[:, :12], np.tile(found[3, :12], (N, 1)))


def test_columns_without_dates_are_as_before():
    table = pd.DataFrame({"x": NUMBERS, "c": list("abc") * (N // 3)})
    wanted = TableEncoder().fit(table).transform(table)
    np.testing.assert_array_equal(TableEncoder(dates="parts").fit(table).transform(table), wanted)


def test_errors():
    message = r"Column 'when' of X holds dates .*turn dates into numbers first.* dates='parts'"
    for estimator in (TableEncoder(), TabularRegressor()):
        with pytest.raises(ValueError, match=message):
            estimator.fit(TABLE, NUMBERS)
    for column in (NUMBERS, ["a"] * N):
        with pytest.raises(ValueError, match="holds no dates, but fit saw dates"):
            encoder().fit(TABLE).transform(TABLE.assign(when=column))
    with pytest.raises(ValueError, match="holds dates"):
        encoder().fit(TABLE.assign(when=NUMBERS)).transform(TABLE)
    for options in ({}, {"categorical_features": [0]}):
        with pytest.raises(ValueError, match=r"Column 0 of X holds dates"):
            TableEncoder(**options).fit(TIMES.to_numpy()[:, np.newaxis])
    with pytest.raises(ValueError, match="dates"):
        TableEncoder(dates="ignore").fit(TABLE)


@pytest.mark.parametrize("Estimator", [TabularRegressor, TabularClassifier])
def test_estimators(Estimator, tmp_path):
    """A weekly rhythm is learnt; copies and files predict the same."""
    times = pd.date_range("2021-01-01", periods=600, freq="7h")
    table = pd.DataFrame({"when": times, "x": np.random.default_rng(0).standard_normal(600)})
    y = (times.day_of_week < 5) * 2.0 + (times.hour > 12)
    y = np.asarray(y > 1.5).astype(str) if Estimator is TabularClassifier else np.asarray(y)
    model = Estimator(dates="parts", n_networks=1, max_iter=60, random_state=0).fit(table, y)
    assert model.score(table, y) > 0.9
    model.save(tmp_path / "model")
    wanted = model.predict(table)
    for other in (
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model"),
    ):
        np.testing.assert_array_equal(other.predict(table), wanted)


def test_pickles_and_states_of_encoders():
    fitted = encoder().fit(TABLE)
    wanted = fitted.transform(TABLE)
    for other in (pickle.loads(pickle.dumps(fitted)), TableEncoder.from_state(fitted.state())):
        np.testing.assert_array_equal(other.transform(TABLE), wanted)
    for change in (
        {"names": ["year", "elapsed"]}, {"names": ["century"]}, {"names": []}, {"columns": []},
    ):  # fmt: skip
        state = fitted.state()
        state["columns"][0].update(change)
        with pytest.raises(ValueError, match="invalid"):
            TableEncoder.from_state(state)
