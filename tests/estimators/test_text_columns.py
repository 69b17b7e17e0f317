"""Text that is not made of categories: numbers with words among them, identifiers and dates."""

import datetime
import pickle
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from sklearn_nn import TabularClassifier, TabularRegressor, load
from sklearn_nn.estimators._inputs.table.frames import number_in
from sklearn_nn.estimators.table_encoder import TableEncoder

pd = pytest.importorskip("pandas")

N = 60
RNG = np.random.default_rng(0)
SIZES = RNG.normal(50, 20, N).round(2)
IDS = [f"{k:04}-AB" for k in RNG.permutation(N)]
COSTS = [f"{cost:.2f}" for cost in RNG.normal(70, 20, N)]
COSTS[3] = COSTS[8] = " "
KINDS = RNG.choice(["new", "old"], N)
TABLE = pd.DataFrame({"id": IDS, "size": SIZES, "cost": COSTS, "kind": KINDS})
CLEANED = TABLE[["size", "cost", "kind"]].assign(cost=pd.to_numeric(TABLE["cost"], errors="coerce"))
CLASSES = np.where(SIZES > 50, "large", "small")
MESSAGE = (
    "X has text that is not made of categories. Left out, as nearly every value occurs once: 'id' "
    f"(such as {IDS[0]!r}). Read as numbers: 'cost' (such as {COSTS[0]!r}; ' ' is missing). To "
    "choose otherwise, convert or drop these columns, or list all categorical columns in "
    "categorical_features."
)
QUIET = pytest.mark.filterwarnings("ignore:X has text:UserWarning")


def make(Estimator=TabularClassifier, **parameters):
    return Estimator(**{"max_iter": 2, "n_networks": 2, "random_state": 0} | parameters)


def encoder(**parameters):
    return TableEncoder(dtype="float64", **parameters)


def told_by(call):
    """Return the messages of the warnings of a call."""
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        call()
    assert all(warning.filename == __file__ for warning in told)
    return [str(warning.message) for warning in told]


def kind_of(values, **parameters):
    """Return what a column of these values is taken as, beside a column of numbers."""
    X = pd.DataFrame({"x": pd.Series(values, dtype=object), "n": np.arange(len(values))})
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        found = encoder(**parameters).fit(X)
    kind = found.state()["columns"][0]["kind"]
    is_told = any("'x'" in str(warning.message) for warning in told)
    assert is_told == (kind != "category"), kind
    return kind


# --- one warning ---------------------------------------------------------------------------------


@pytest.mark.parametrize("Estimator", [TabularClassifier, TabularRegressor, TableEncoder])
def test_the_warning(Estimator):
    """One for each fit, with the columns, what became of them, and the remedy."""
    model = TableEncoder() if Estimator is TableEncoder else make(Estimator, refit_full=True)
    y = CLASSES if Estimator is TabularClassifier else SIZES
    assert told_by(lambda: model.fit(TABLE, y)) == [MESSAGE]
    used = model if Estimator is TableEncoder else model.encoder_
    assert used.dropped_columns_ == ["id"]
    assert used.is_categorical_.tolist() == [False, False, False, True]
    assert used.categories_ == [None, None, None, ["new", "old"]]
    apply = model.transform if Estimator is TableEncoder else model.predict
    assert told_by(lambda: apply(TABLE)) == []


def test_the_warning_without_names():
    (message,) = told_by(lambda: encoder().fit(TABLE.to_numpy(dtype=object)))
    expected = MESSAGE.replace("'id'", "column 0").replace("'cost'", "column 2")
    assert message == expected
    found = encoder()
    told_by(lambda: found.fit(TABLE.to_numpy(dtype=object)))
    assert found.dropped_columns_ == [0]


def test_the_warning_about_dates_and_many_columns():
    days = pd.date_range("2011-01-01", periods=N)
    for form in ("%Y-%m-%d", "%Y-%m-%d %H:%M", "%d/%m/%Y", "%Y-%m-%dT%H:%M:%SZ", "%d.%m.%y"):
        X = TABLE[["size"]].assign(day=days.strftime(form).tolist())
        (message,) = told_by(lambda X=X: encoder().fit(X))
        assert "once: 'day' (such as " in message
        assert "dates into numbers first, such as year, month and weekday" in message
        assert "pandas.to_datetime" in message
    found = encoder()
    X = TABLE[["size"]].assign(day=np.repeat(days[:32], 2)[:N].strftime("%Y-%m-%d").tolist())
    assert told_by(lambda: found.fit(X)) == []  # 30 days
    twice = pd.concat([X, X.assign(day=days.strftime("%d.%m.%Y").tolist())], ignore_index=True)
    (message,) = told_by(lambda: found.fit(twice))
    used = "Used as categories, so that other dates are unknown: 'day' (such as '2011-01-01'). Turn"
    assert used in message
    assert found.is_categorical_.tolist() == [False, True]
    assert len(found.categories_[1]) == 90
    assert told_by(lambda: encoder(categorical_features=["day"]).fit(twice)) == []
    twice.loc[::19, "day"] = "soon"  # more than 5%
    assert told_by(lambda: found.fit(twice)) == []
    many = TABLE[["size"]].assign(**{f"id{k}": IDS for k in range(13)})
    (message,) = told_by(lambda: encoder().fit(many))
    assert "'id9' (such as" in message
    assert "'id10'" not in message
    assert ", 3 more." in message
    assert "dates" not in message


def test_one_warning_for_each_fit_of_a_search():
    search = GridSearchCV(make(n_networks=1), {"dropout": [0.0, 0.1]}, cv=2, error_score="raise")
    X = pd.concat([TABLE, TABLE.assign(id=[f"c{k}" for k in range(N)])], ignore_index=True)
    messages = told_by(lambda: search.fit(X, np.tile(CLASSES, 2)))
    assert len(messages) == 5
    assert all("Left out" in message and "'cost'" in message for message in messages)
    assert search.best_estimator_.encoder_.dropped_columns_ == ["id"]


def test_columns_that_are_told_to_be_categories():
    """They are taken as told, with no warning."""
    model = make(categorical_features=["id", "cost", "kind"])
    assert told_by(lambda: model.fit(TABLE, CLASSES)) == []
    assert model.encoder_.is_categorical_.tolist() == [True, False, True, True]
    assert model.encoder_.dropped_columns_ == []
    assert len(model.encoder_.categories_[0]) == N
    model.set_params(categorical_features="from_dtype")
    assert told_by(lambda: model.fit(TABLE, CLASSES)) == [MESSAGE]
    assert model.encoder_.dropped_columns_ == ["id"]
    assert told_by(lambda: make().fit(CLEANED, CLASSES)) == []


def test_tables_of_identifiers_alone():
    with pytest.raises(ValueError, match=r"no column to learn from\. .*Left out.*'id'.*'other'"):
        make().fit(TABLE[["id"]].assign(other=IDS[::-1]), CLASSES)


# --- the same as the cleaned table ---------------------------------------------------------------


@QUIET
@pytest.mark.parametrize("Estimator", [TabularClassifier, TabularRegressor])
def test_the_same_model_as_of_the_cleaned_table(Estimator):
    """To the last bit."""
    y = CLASSES if Estimator is TabularClassifier else SIZES
    raw, cleaned = make(Estimator).fit(TABLE, y), make(Estimator).fit(CLEANED, y)
    np.testing.assert_array_equal(raw._network.theta, cleaned._network.theta)
    np.testing.assert_array_equal(raw.predict(TABLE), cleaned.predict(CLEANED))
    names = ["size", "cost", "missingindicator_cost", "kind_old"]
    assert raw.encoder_.get_feature_names_out().tolist() == names
    assert raw.feature_names_in_.tolist() == list(TABLE.columns)
    with pytest.raises(ValueError, match="id"):  # scikit-learn's contract
        raw.predict(CLEANED)


def containers():
    """Return tables of the same values in every type, by name."""
    cells = TABLE.astype({"id": object, "cost": object, "kind": object})
    texts = ["id", "cost", "kind"]
    found = {dtype: cells.astype(dict.fromkeys(texts, dtype)) for dtype in ("object", "category")}
    found |= {"string": cells.astype(dict.fromkeys(texts, "string")), "inferred": TABLE}
    found |= {"array": cells.to_numpy(), "rows": cells.to_numpy().tolist()}
    found["category of strings"] = found["string"].astype(dict.fromkeys(texts, "category"))
    found["numbers among text"] = cells.assign(
        cost=[float(c) if k % 2 and c != " " else c for k, c in enumerate(COSTS)]
    )
    try:
        import pyarrow
    except ImportError:
        pass
    else:
        found["arrow"] = pyarrow.table(cells.to_dict("list"))
        found["arrow in pandas"] = cells.convert_dtypes(dtype_backend="pyarrow")
        encoded = {n: pyarrow.array(cells[n].tolist()).dictionary_encode() for n in texts}
        columns = {n: encoded.get(n, pyarrow.array(cells[n])) for n in cells}
        found["dictionary"] = pyarrow.table(columns)
    try:
        import polars
    except ImportError:
        pass
    else:
        found["polars"] = polars.DataFrame(cells.to_dict("list"))
        for kind in (polars.Categorical, polars.Object):
            columns = {
                name: polars.Series(cells[name].tolist(), dtype=polars.Object)
                if kind == polars.Object and name in texts
                else found["polars"][name].cast(kind if name in texts else polars.Float64)
                for name in cells
            }
            found[f"polars, {kind}"] = polars.DataFrame(columns)
    return found


@QUIET
@pytest.mark.parametrize("fitted", list(containers()))
def test_any_container(fitted):
    """The same encoding and the same words, whatever holds the table."""
    tables = containers()
    expected = encoder().fit(CLEANED).transform(CLEANED)
    found = encoder()
    (message,) = told_by(lambda: found.fit(tables[fitted]))
    message = message.replace("column 0", "'id'").replace("column 2", "'cost'")
    # The first cell of text is another one where some cells are numbers.
    assert message == MESSAGE or fitted == "numbers among text"
    named = fitted not in ("array", "rows")
    for other, table in tables.items():
        if named == (other not in ("array", "rows")):
            np.testing.assert_array_equal(found.transform(table), expected, err_msg=other)
    copy = TableEncoder.from_state(found.state())
    np.testing.assert_array_equal(copy.transform(tables[fitted]), expected)
    assert copy.dropped_columns_ == found.dropped_columns_


def test_arrays_of_text():
    """Such as numpy.array makes of rows with numbers and words."""
    X = np.array(TABLE.to_numpy().tolist())
    assert X.dtype.kind == "U"
    (message,) = told_by(lambda: encoder().fit(X))
    assert "Left out, as nearly every value occurs once: column 0 " in message
    assert "Read as numbers: column 1 (such as " in message
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = encoder().fit(X).transform(X)
    np.testing.assert_array_equal(found, encoder().fit(CLEANED).transform(CLEANED))


@QUIET
def test_predict_ignores_identifiers_whatever_they_are():
    model = make().fit(TABLE, CLASSES)
    expected = model.predict_proba(TABLE)
    columns = [np.arange(N), [None] * N, pd.date_range("2020", periods=N), [b"x"] * N, [[1]] * N]
    for column in [*columns, [1j] * N, [np.inf] * N, KINDS, [datetime.date(2020, 1, 1)] * N]:
        asked = TABLE.assign(id=pd.Series(column))
        assert told_by(lambda asked=asked: model.predict(asked)) == []
        np.testing.assert_array_equal(model.predict_proba(asked), expected)


@QUIET
def test_predict_reads_numbers_as_fit_did():
    found = encoder().fit(TABLE)
    rows = TABLE[:6].assign(cost=["1,070.5", "$70", " 7e1 ", "7000%", "?", None])
    numbers = CLEANED[:6].assign(cost=[1070.5, 70, 70, 70, np.nan, np.nan])
    expected = encoder().fit(CLEANED).transform(numbers)
    np.testing.assert_array_equal(found.transform(rows), expected)
    np.testing.assert_array_equal(found.transform(TABLE[:6].assign(cost=numbers["cost"])), expected)
    strange = rows.assign(cost=[*rows["cost"][:4], "a lot", "70,5"])
    (message,) = told_by(lambda: found.transform(strange))
    assert message.startswith("Column 'cost' of X holds 'a lot', which is text, where fit saw num")
    assert "treated as missing" in message
    with pytest.warns(UserWarning, match="'a lot'"):
        np.testing.assert_array_equal(found.transform(strange), expected)
    for bad in (np.inf, b"1", datetime.date(2020, 1, 1)):
        cells = pd.Series([bad, *COSTS[1:6]], dtype=object)
        with pytest.raises(ValueError, match="Column 'cost'"):
            found.transform(TABLE[:6].assign(cost=cells))


@QUIET
def test_words_that_fit_saw_are_no_cause_for_warnings():
    X = TABLE.assign(cost=["free", *COSTS[1:]])
    (message,) = told_by(lambda: encoder().fit(X))
    assert "'cost' (such as" in message
    assert "'free' is missing" in message
    found = encoder().fit(X)
    for copy in (found, TableEncoder.from_state(found.state()), pickle.loads(pickle.dumps(found))):
        assert told_by(lambda copy=copy: copy.transform(X)) == []
        assert len(told_by(lambda copy=copy: copy.transform(X.assign(cost="dear")))) == 1


# --- the rules -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("29.85", 29.85),
        (" -3 ", -3),
        ("+.5", 0.5),
        ("5.", 5),
        ("1e3", 1000),
        ("1.5E-2", 0.015),
        ("1,234", 1234),
        ("$1,234,567.50", 1234567.5),
        ("-€ 12", -12),
        ("12%", 0.12),
        ("12.5 %", 0.125),
        ("0.1", 0.1),
    ],
)
def test_text_that_reads_as_numbers(text, number):
    assert number_in(text) == number


def test_text_that_does_not():
    for text in ("", "  ", "-", "?", "N/A", "n/a", "NaN", "None", "null", ".", "NA"):
        assert np.isnan(number_in(text)), text
    words = [
        "1.234,50",
        "29,85",
        "0,125",
        "1,23,456",
        "12,3456",
        "1 234",
        "1_000",
        "0x1f",
        "inf",
        "-inf",
    ]
    words += ["1e999", "e5", "+", "$", "%", "1-2", "2011-01-01", "1/2", "5 kg", "٣", "--5", "1.2.3"]
    for text in words:
        assert number_in(text) is None, text


def test_limits_of_numbers():
    numbers = [f"{k / 8}" for k in range(32)]
    assert kind_of(numbers * 3) == "number"
    assert kind_of(numbers[:31] * 3) == "category"
    # At least 95% of the values that are not missing.
    assert kind_of([*numbers * 2, *numbers[:31], *["many"] * 5]) == "number"
    assert kind_of([*numbers * 2, *numbers[:31], *["many"] * 6]) == "category"
    assert kind_of([*numbers, *["?"] * 100, *[None] * 100]) == "number"
    assert kind_of([*numbers, "word"]) == "number"
    assert kind_of([*map(float, numbers), "word"]) == "number"


def test_codes_are_categories():
    assert kind_of([str(k % 5) for k in range(100)]) == "category"  # ratings
    assert kind_of([str(k % 31) for k in range(500)]) == "category"  # days of the month
    zips = [str(k) for k in range(1000, 1060)] * 3
    assert kind_of(zips) == "number"
    assert kind_of([*zips, "02134"]) == "category"
    assert kind_of([f"{k:05}" for k in range(60)] * 3) == "category"
    assert kind_of([f"{k / 8:.3f}" for k in range(60)] * 3) == "number"  # 0.125


def test_numbers_of_other_conventions_are_not_guessed():
    for values in ([f"{k},50" for k in range(60)] * 3, [f"1.{k:03},50" for k in range(60)] * 3):
        fit = encoder()
        told_by(lambda fit=fit, values=values: fit.fit(pd.DataFrame({"x": values})))
        assert fit.is_categorical_.tolist() == [True]


def test_limits_of_identifiers():
    words = [f"word {k}" for k in range(100)]
    assert kind_of(words) == "dropped"
    assert kind_of(words[:50]) == "dropped"
    assert kind_of(words[:49]) == "category"
    assert kind_of([*words[:90], *["again"] * 10]) == "dropped"
    assert kind_of([*words[:89], *["again"] * 11]) == "category"
    assert kind_of(words * 2) == "category"
    # Missing values do not count.
    assert kind_of([*words[:50], *[None] * 100, *["?"] * 100]) == "dropped"
    assert kind_of([*words[:49], None, *["?"] * 100]) == "category"
    assert kind_of([*words, *range(1000)]) == "dropped"
    assert kind_of([f"{k:05}" for k in range(60)]) == "dropped"


def test_numbers_are_no_identifiers():
    X = pd.DataFrame({"key": np.arange(100), "objects": pd.Series(range(100), dtype=object)})
    X["codes"] = X["key"].astype("category")
    X["days"] = pd.Series(pd.date_range("2020", periods=100)).astype("category")
    X["mixed"] = pd.Categorical([*X["days"][:60], *map(str, range(38)), "n/a", None])
    found = encoder()
    assert told_by(lambda: found.fit(X)) == []
    assert found.dropped_columns_ == []
    assert found.is_categorical_.tolist() == [False, False, True, True, True]


@QUIET
def test_rows_with_zero_weight_are_ignored():
    twice = pd.concat([TABLE, TABLE], ignore_index=True)
    weights = np.repeat([1.0, 0.0], N)
    found = encoder().fit(twice, sample_weight=weights)
    assert found.dropped_columns_ == ["id"]
    np.testing.assert_array_equal(
        found.transform(TABLE), encoder().fit(TABLE, sample_weight=weights[:N]).transform(TABLE)
    )
    assert encoder().fit(twice).dropped_columns_ == []


def test_the_rules_do_not_depend_on_the_order_of_rows_or_the_target():
    rng = np.random.default_rng(1)
    for _ in range(5):
        found, order = make(n_networks=1, max_iter=1), rng.permutation(N)
        told_by(lambda f=found, o=order: f.fit(TABLE.iloc[o], rng.permutation(CLASSES)))
        assert found.encoder_.dropped_columns_ == ["id"]
        np.testing.assert_array_equal(
            found.encoder_.transform(TABLE), TableEncoder().fit(CLEANED).transform(CLEANED)
        )


# --- the life of an estimator --------------------------------------------------------------------


def test_warm_starts_keep_the_decision():
    model = make(n_networks=1, warm_start=True)
    assert told_by(lambda: model.fit(TABLE, CLASSES)) == [MESSAGE]
    assert told_by(lambda: model.fit(TABLE.assign(id="same"), CLASSES)) == []
    assert model.encoder_.dropped_columns_ == ["id"]


@QUIET
def test_copies(tmp_path):
    model = make().fit(TABLE, CLASSES)
    expected = model.predict_proba(TABLE)
    model.save(tmp_path / "model")
    for copy in (pickle.loads(pickle.dumps(model)), load(tmp_path / "model")):
        np.testing.assert_array_equal(copy.predict_proba(TABLE), expected)
        assert copy.encoder_.dropped_columns_ == ["id"]
        assert told_by(lambda copy=copy: copy.predict(TABLE)) == []
        assert told_by(lambda copy=copy: copy.fit(TABLE, CLASSES)) == [MESSAGE]
        np.testing.assert_array_equal(copy.predict_proba(TABLE), expected)
    assert told_by(lambda: clone(model).fit(TABLE, CLASSES)) == [MESSAGE]
    pipeline = make_pipeline(make())
    assert told_by(lambda: pipeline.fit(TABLE, CLASSES)) == [MESSAGE]


@QUIET
def test_forged_states():
    state = encoder().fit(TABLE).state()
    for i, change in ((2, {"words": [1]}), (0, {"kind": "unknown"}), (0, {"more": 1})):
        columns = [dict(column) for column in state["columns"]]
        columns[i] |= change
        with pytest.raises((ValueError, KeyError, TypeError)):
            TableEncoder.from_state({**state, "columns": columns})
    # As earlier versions wrote it.
    for column in state["columns"]:
        column.pop("words", None)
    assert np.isfinite(TableEncoder.from_state(state).transform(TABLE)).all()


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([f"{k}.{k:03},96" for k in range(1, N + 1)], "Left out, as nearly every value occurs"),
        ([f"{k},5" for k in range(N - 1)] + ["?"], "Left out, as nearly every value occurs once"),
        ([f"{k % 40},5" for k in range(N)], "Used as categories, although they seem to be numbers"),
    ],
)
def test_decimal_commas(values, said):
    X = pd.DataFrame({"price": values, "size": SIZES})
    (message,) = told_by(lambda: encoder().fit(X))
    assert f"{said}" in message
    assert f"'price' (such as {values[0]!r})." in message
    remedy = "Text in 'price' looks like numbers with a decimal comma: pandas.read_csv(..., decimal"
    assert remedy in message
    # A few of them are categories, and so are other words with a comma.
    assert told_by(lambda: encoder().fit(X.assign(price=["1,5", "2,5"] * (N // 2)))) == []
    words = [f"a{k % 40},5" for k in range(N)]
    assert told_by(lambda: encoder().fit(X.assign(price=words))) == []
