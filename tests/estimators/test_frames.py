"""Tables of every form and type of column, and those that cannot be read."""

import datetime
import decimal
import warnings

import numpy as np
import pytest
from scipy import sparse

from sklearn_nn import TabularClassifier
from sklearn_nn.estimators._inputs.table import frames as _frames
from sklearn_nn.estimators.table_encoder import TableEncoder

ROWS = [[1.0, "a", 3], [2.5, None, 1], [None, "b", 2], [-1.0, "c", 2], [0.0, "a", 7]]
NAMES = ["size", "kind", "count"]


@pytest.fixture(scope="module")
def pd():
    return pytest.importorskip("pandas")


@pytest.fixture(scope="module")
def pl():
    return pytest.importorskip("polars", reason="polars is not installed")


def encoded(X, **parameters):
    return TableEncoder(dtype="float64", **parameters).fit(X).transform(X)


@pytest.fixture(scope="module")
def expected():
    return encoded(np.array(ROWS, dtype=object))


@pytest.fixture(scope="module")
def frame(pd):
    return pd.DataFrame(ROWS, columns=NAMES)


# --- forms -------------------------------------------------------------------------------------


def test_lists_and_arrays_of_objects(expected):
    for X in (ROWS, [tuple(row) for row in ROWS], tuple(ROWS), [np.array(r, object) for r in ROWS]):
        np.testing.assert_array_equal(encoded(X), expected)
    X = np.array(ROWS, dtype=object)
    for order in (np.asfortranarray(X), np.repeat(X, 2, axis=0)[::2], X[::-1][::-1]):
        np.testing.assert_array_equal(encoded(order), expected)
    assert expected.shape == (5, 6)


@pytest.mark.parametrize("words", ["object", "category", "string", "str"])
@pytest.mark.parametrize("numbers", ["float64", "float32", "object", "Float64", "Float32"])
def test_pandas_types(frame, expected, numbers, words):
    frame = frame.astype({"size": numbers, "kind": words if words != "str" else "object"})
    if words == "str":
        frame["kind"] = frame["kind"].convert_dtypes()
    X = frame.copy()
    np.testing.assert_array_equal(encoded(X), expected)
    assert X.equals(frame)
    assert TableEncoder().fit(X).feature_names_in_.tolist() == NAMES


@pytest.mark.parametrize(
    "dtype", ["int64", "uint8", "int8", "Int16", "UInt32", "float16", "float32", "object", ">i4"]
)
def test_types_of_numbers(pd, frame, expected, dtype):
    X = frame.assign(count=pd.Series([3, 1, 2, 2, 7]).astype(dtype))
    np.testing.assert_array_equal(encoded(X), expected)


def test_nullable_numbers(pd, frame):
    whole = pd.array([4, None, 2, 1, 1], dtype="Int64")
    X, plain = frame.assign(count=whole), frame.assign(count=[4, np.nan, 2, 1, 1])
    np.testing.assert_array_equal(encoded(X), encoded(plain))
    strange = frame.assign(count=np.array([4, pd.NA, 2, 1, 1], dtype=object))
    np.testing.assert_array_equal(encoded(strange), encoded(plain))
    exact = frame.assign(count=[decimal.Decimal(4), decimal.Decimal("NaN"), *map(int, "211")])
    np.testing.assert_array_equal(encoded(exact), encoded(plain))
    thin = frame.assign(count=pd.arrays.SparseArray([4, np.nan, 2, 1, 1]))
    np.testing.assert_array_equal(encoded(thin), encoded(plain))


def test_arrow_types(pd, frame, expected):
    pa = pytest.importorskip("pyarrow", reason="pyarrow is not installed")
    for text in ("string[pyarrow]", pd.ArrowDtype(pa.string()), pd.ArrowDtype(pa.large_string())):
        X = frame.astype({"size": "double[pyarrow]", "kind": text, "count": "int16[pyarrow]"})
        np.testing.assert_array_equal(encoded(X), expected)
    X["kind"] = pd.Series(X["kind"].tolist()).astype(
        pd.ArrowDtype(pa.dictionary(pa.int8(), pa.string()))
    )
    np.testing.assert_array_equal(encoded(X), expected)
    np.testing.assert_array_equal(encoded(pa.Table.from_pandas(frame)), expected)
    truths = [True, None, False]
    for dtype in ("boolean", "bool[pyarrow]", "object"):
        one = encoded(pd.DataFrame({"x": pd.array(truths, dtype=dtype)}))
        np.testing.assert_array_equal(one, encoded([[t] for t in truths]))
    for value, message in ((datetime.date(2020, 1, 1), "dates"), (b"x", "bytes")):
        column = pd.array([value], dtype=pd.ArrowDtype(pa.scalar(value).type))
        with pytest.raises(ValueError, match=f"Column 'x' of X holds {message}"):
            TableEncoder().fit(pd.DataFrame({"x": column}))


def test_polars(pl, expected):
    X = pl.DataFrame(ROWS, schema=NAMES, orient="row")
    encoder = TableEncoder(dtype="float64").fit(X)
    np.testing.assert_array_equal(encoder.transform(X), expected)
    assert encoder.feature_names_in_.tolist() == NAMES
    np.testing.assert_array_equal(encoder.transform(X[::-1]), expected[::-1])
    np.testing.assert_array_equal(
        np.concatenate(list(encoder.encode_blocks(X[["count", "size", "kind"]], 2))), expected
    )
    for kind in (pl.Categorical, pl.Enum(["c", "z", "b", "a"]), pl.Object):
        column = (
            X["kind"].cast(kind)
            if kind != pl.Object
            else pl.Series(X["kind"].to_list(), dtype=kind)
        )
        np.testing.assert_array_equal(encoded(X.with_columns(column.alias("kind"))), expected)
    for kind in (pl.Float64, pl.UInt8, pl.Decimal(10, 2)):
        np.testing.assert_array_equal(encoded(X.with_columns(pl.col("count").cast(kind))), expected)
    truths = pl.DataFrame({"x": [True, None, False], "none": [None] * 3})
    np.testing.assert_array_equal(encoded(truths), encoded([[True], [None], [False]]))
    nan = pl.DataFrame({"x": [1.0, float("nan"), None]})
    np.testing.assert_array_equal(encoded(nan), encoded([[1.0], [None], [None]]))
    by_number = encoded(X, categorical_features=["count", "kind"])
    np.testing.assert_array_equal(by_number, encoded(ROWS, categorical_features=[1, 2]))


def test_polars_that_cannot_be_read(pl):
    for values, error, message in (
        ([datetime.date(2020, 1, 1), None], ValueError, "dates"),
        ([datetime.time(1), None], ValueError, "dates"),
        ([datetime.timedelta(1), None], ValueError, "time differences"),
        ([b"a", None], ValueError, "bytes"),
        ([[1], [2]], TypeError, "a string or a real number"),
        ([{"k": 1}, None], TypeError, "a string or a real number"),
        ([1.0, float("inf")], ValueError, "infinity"),
    ):
        X = pl.DataFrame({"ok": [1, 2], "bad": values})
        for which in ("from_dtype", ["bad"]):
            with pytest.raises(error, match=message) as caught:
                TableEncoder(which).fit(X)
            assert "Column 'bad'" in str(caught.value)
    with pytest.raises(TypeError, match=r"LazyFrame.*collect"):
        TableEncoder().fit(X.lazy())


def test_numeric_arrays(rng):
    X = rng.integers(-9, 9, (50, 3))
    expected = encoded(X.astype(float))
    for dtype in ("i1", "i8", "f2", "f4", ">f8", "f8", "g", "object"):
        np.testing.assert_array_equal(encoded(X.astype(dtype)), expected)
    readonly = X.astype(float)
    readonly.setflags(write=False)
    np.testing.assert_array_equal(encoded(readonly), expected)
    assert TableEncoder().fit(X).is_categorical_.tolist() == [False] * 3
    assert TableEncoder().fit(X > 0).is_categorical_.tolist() == [True] * 3
    assert TableEncoder().fit(X.astype(str)).is_categorical_.tolist() == [True] * 3


# --- which columns are categories --------------------------------------------------------------


def test_strings_of_digits_stay_categories():
    encoder = TableEncoder().fit([["1", 1], ["2", 2], ["3", 3]])
    assert encoder.categories_ == [["1", "2", "3"], None]


def test_named_columns(frame):
    chosen = TableEncoder(["count", "kind"]).fit(frame)
    assert chosen.categories_ == [None, ["a", "b", "c"], [1, 2, 3, 7]]
    for which in ([1, 2], [False, True, True], np.array([2, 1]), np.array(["kind", "count"])):
        other = TableEncoder(which).fit(frame)
        np.testing.assert_array_equal(other.transform(frame), chosen.transform(frame))
    for which in (None, []):
        numeric = TableEncoder(which).fit(frame[["size", "count"]])
        assert not numeric.is_categorical_.any()


@pytest.mark.parametrize("dtype", ["int64", "float64", "Int64", "category", "object"])
def test_numbers_as_categories(pd, dtype):
    values = pd.Series([10, 20, 30, 20]).astype(dtype)
    encoder = TableEncoder(["x"], numeric="quantile").fit(pd.DataFrame({"x": values}))
    assert encoder.categories_ == [[10, 20, 30]]
    for other in ("int8", "float32", "Float64", "object"):
        new = pd.DataFrame({"x": pd.Series([30, 10, 99]).astype(other)})
        assert encoder.transform(new).tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0]]
    assert encoder.transform(pd.DataFrame({"x": [np.nan]})).sum() == 0


@pytest.mark.parametrize("dtype", ["f4", "f8", "object"])
def test_missing_numbers_as_categories(dtype):
    X = np.array([[2], [np.nan], [1], [2], [np.nan]], dtype=dtype)
    encoder = TableEncoder([0], max_one_hot=0).fit(X)
    assert encoder.categories_ == [[1, 2]]
    assert encoder.transform(X).ravel().tolist() == [2, 0, 1, 2, 0]
    assert encoder.transform([[np.nan], [3], [1]]).ravel().tolist() == [0, 0, 1]


def test_categories_as_numbers(pd):
    X = pd.DataFrame({"x": pd.Categorical([3, 1, None, 2]), "t": [True, False, True, True]})
    plain = np.array([[3, 1], [1, 0], [np.nan, 1], [2, 1]])
    np.testing.assert_array_equal(
        encoded(X, categorical_features=None), encoded(plain, categorical_features=None)
    )
    words = pd.DataFrame({"x": pd.Categorical(["1", "2"])})
    with pytest.raises(ValueError, match="Column 'x' of X holds '1', which is text"):
        TableEncoder(None).fit(words)


def test_unused_and_strange_categories(pd):
    X = pd.DataFrame({"x": pd.Categorical(["b", "a", "b"], categories=["z", "b", "a"])})
    assert TableEncoder().fit(X).categories_ == [["a", "b"]]
    cut = pd.DataFrame({"x": pd.cut([1, 5, 9], 3)})
    encoder = TableEncoder().fit(cut)
    assert encoder.categories_ == [["(0.992, 3.667]", "(3.667, 6.333]", "(6.333, 9.0]"]]
    np.testing.assert_array_equal(encoder.transform(cut[:1]), encoder.transform(cut)[:1])


@pytest.mark.parametrize(
    ("which", "message"),
    [
        (["size", "colour"], "categorical_features has 'colour', which is not a column of X"),
        ([0, 3], "position 3, but X has 3 columns; use positions from 0 to 2"),
        ([-1], "position -1"),
        ([True, False], "a mask of 2 columns, but X has 3"),
        ([0, "kind"], "all of one kind"),
        ([1.5], "must be names, positions or booleans"),
    ],
)
def test_columns_that_are_not_there(frame, which, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder(which).fit(frame)


def test_names_need_a_frame():
    with pytest.raises(ValueError, match="are names, but the columns of X have none"):
        TableEncoder(["kind"]).fit(ROWS)


# --- columns at transform ----------------------------------------------------------------------


def test_columns_are_matched_by_name(frame):
    encoder = TableEncoder().fit(frame)
    expected = encoder.transform(frame)
    np.testing.assert_array_equal(encoder.transform(frame[["count", "size", "kind"]]), expected)
    blocks = encoder.encode_blocks(frame[["kind", "count", "size"]], 2)
    np.testing.assert_array_equal(np.concatenate(list(blocks)), expected)


def test_missing_and_unknown_names(frame):
    encoder = TableEncoder().fit(frame)
    with pytest.raises(ValueError, match=r"yet now missing:\n- kind\n$"):
        encoder.transform(frame.drop(columns="kind"))
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- extra\n$"):
        encoder.transform(frame.assign(extra=1))
    with pytest.raises(ValueError, match=r"unseen at fit time:\n- Kind\n.*missing:\n- kind"):
        encoder.transform(frame.rename(columns={"kind": "Kind"}))


def test_frames_and_arrays(frame, expected):
    encoder = TableEncoder(dtype="float64").fit(frame)
    X = frame.to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="X does not have valid feature names, but TableEncoder"):
        np.testing.assert_array_equal(encoder.transform(X), expected)
    with pytest.warns(UserWarning, match="X has feature names, but TableEncoder was fitted with"):
        np.testing.assert_array_equal(
            TableEncoder(dtype="float64").fit(X).transform(frame), expected
        )
    with pytest.raises(ValueError, match="X has 2 features, but TableEncoder is expecting 3 feat"):
        encoder.transform(X[:, :2])


def test_the_estimator_is_named(frame):
    class Owner:
        pass

    encoder = TableEncoder().fit(frame)
    X = frame.to_numpy(dtype=object)
    with pytest.warns(UserWarning, match="but Owner was fitted with feature names"):
        encoder.encode(X, Owner())
    with pytest.raises(ValueError, match="but Owner is expecting 3"):
        encoder.encode(X[:, :1], Owner())
    with pytest.raises(ValueError, match="required by Owner"):
        encoder.encode(X[:0], Owner())


def test_other_types_than_fitted(pd, frame):
    encoder = TableEncoder(dtype="float64").fit(frame)
    expected = encoder.transform(frame)
    new = frame.assign(count=frame["count"].astype(float), size=frame["size"].astype("float32"))
    np.testing.assert_array_equal(encoder.transform(new), expected)
    for column, values, message in (
        ("count", list("12345"), "Column 'count' of X holds '1', which is text, where numbers"),
        ("count", pd.Categorical(list("12345")), "Column 'count' of X holds '1', which is text"),
        ("size", [1, "x", None, 2, 3], "Column 'size' of X holds 'x', which is text"),
        ("size", pd.date_range("2020", periods=5), "Column 'size' of X holds dates"),
        ("kind", pd.date_range("2020", periods=5), "Column 'kind' of X holds dates"),
        ("kind", [np.inf] * 5, "infinity .* in Column 'kind'"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder.transform(frame.assign(**{column: values}))
    for values in ([None] * 5, [np.nan] * 5, [pd.NA] * 5, ["new"] * 5):
        out = encoder.transform(frame.assign(kind=values))
        assert np.unique(out[:, 3:], axis=0).shape[0] == 1
    for values in ([None] * 5, [np.nan] * 5, pd.array([None] * 5, dtype="Int8")):
        assert (encoder.transform(frame.assign(size=values))[:, 0] == 0).all()
    nothing = encoder.transform(frame.assign(kind=[None] * 5))
    for values, shown in ((range(5), "0"), ([True] * 5, "True"), ([1, *"abc", 2], "1")):
        message = f"Column 'kind' of X holds {shown}, which is a number, where fit saw text"
        with pytest.warns(UserWarning, match=message):
            out = encoder.transform(frame.assign(kind=values))
        numbers = [isinstance(value, int) for value in values]
        np.testing.assert_array_equal(out[numbers], nothing[numbers])
    by_number = TableEncoder(["count"]).fit(frame[["count"]])
    with pytest.warns(UserWarning, match="'1', which is text, where fit saw numbers, such as 1:"):
        assert not by_number.transform(pd.DataFrame({"count": ["1"]})).any()


def test_one_row(frame):
    encoder = TableEncoder().fit(frame)
    expected = encoder.transform(frame)
    for k in range(len(frame)):
        np.testing.assert_array_equal(encoder.transform(frame.iloc[[k]]), expected[[k]])


# --- what cannot be read -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "error", "message"),
    [
        (np.array(["2020-01-01", "NaT"], "M8[ns]"), ValueError, "dates .*year, month and weekday"),
        (np.array([1, 2], "m8[s]"), ValueError, "time differences .*total_seconds"),
        ([datetime.date(2020, 1, 1), None], ValueError, "dates"),
        ([datetime.datetime(2020, 1, 1), "x"], ValueError, "dates"),
        ([datetime.time(1), None], ValueError, "dates"),
        (np.array([datetime.timedelta(1), None], dtype=object), ValueError, "time differences"),
        ([1j, 2], ValueError, "[Cc]omplex"),
        (np.array([1j, "a"], dtype=object), ValueError, "[Cc]omplex"),
        ([b"a", b"b"], ValueError, "bytes"),
        ([(1,), (2,)], TypeError, "type tuple"),
        ([{"a": 1}, {}], TypeError, "a string or a real number"),
        ([[1], [2, 3]], TypeError, "type list"),
        ([np.inf, 1.0], ValueError, "infinity"),
        ([-np.inf, 1.0], ValueError, "infinity"),
        (["a", np.inf], ValueError, "infinity|'a', which is text"),
        (np.array([-(10**400), 1], dtype=object), ValueError, "too large"),
    ],
)
@pytest.mark.parametrize("form", ["frame", "array"])
@pytest.mark.parametrize("which", ["from_dtype", "named", None])
def test_columns_that_cannot_be_read(pd, values, error, message, form, which):
    cells = np.empty((2, 2), dtype=object)
    cells[:, 0] = [1.0, 2.0]
    for k in range(2):
        cells[k, 1] = values[k]
    column = pd.Series(values, dtype=getattr(values, "dtype", None))
    X = pd.DataFrame({"ok": [1.0, 2.0], "bad": column}) if form == "frame" else cells
    name = "'bad'" if form == "frame" else "1"
    if which == "named":
        if message == "too large":
            assert TableEncoder([1]).fit(X).categories_ == [None, [values[0], 1]]
            return
        which = [1]
    with pytest.raises(error, match=message) as caught:
        TableEncoder(which).fit(X)
    assert f"Column {name} of X" in str(caught.value)


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        (np.array(["a", "b"]), ValueError, "Expected 2D array, got 1D"),
        ([1, 2], ValueError, "Expected 2D array, got 1D"),
        (3.0, ValueError, "Expected 2D array, got scalar"),
        (np.zeros((2, 2, 2)), ValueError, "dim 3"),
        (np.zeros((0, 3)), ValueError, r"0 sample\(s\)"),
        (np.zeros((3, 0)), ValueError, r"0 feature\(s\)"),
        ([[1, 2], [3]], ValueError, "give every row the same number of cells"),
        (sparse.csr_matrix([[1.0, 0]]), TypeError, "toarray"),
        (sparse.coo_array([[1.0, 0]]), TypeError, "toarray"),
        (np.array([[1j]]), ValueError, "Complex data not supported"),
        (np.array([["2020-01-01"]], "M8[D]"), ValueError, "Column 0 of X holds dates"),
        (np.array([[b"a"]]), ValueError, "Column 0 of X holds bytes"),
        (None, ValueError, "Expected 2D"),
    ],
)
def test_tables_that_cannot_be_read(X, error, message):
    with pytest.raises(error, match=message):
        TableEncoder().fit(X)


def test_frames_that_cannot_be_read(pd, frame):
    twice = frame.set_axis(["a", "b", "a"], axis=1)
    with pytest.raises(ValueError, match="X has 2 columns of the name 'a'; rename or drop"):
        TableEncoder().fit(twice)
    with pytest.raises(TypeError, match="Feature names are only supported if all"):
        TableEncoder().fit(frame.set_axis(["a", "b", 3], axis=1))
    for empty in (frame[:0], frame[[]]):
        with pytest.raises(ValueError, match=r"0 (sample|feature)\(s\)"):
            TableEncoder().fit(empty)
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        TableEncoder().fit(frame["size"])
    numbered = frame.set_axis([5, 6, 7], axis=1)
    encoder = TableEncoder().fit(numbered)
    assert not hasattr(encoder, "feature_names_in_")
    np.testing.assert_array_equal(encoder.transform(numbered), TableEncoder().fit_transform(frame))


def test_a_failed_fit_leaves_the_encoder_as_it_was(frame):
    encoder = TableEncoder().fit(frame)
    expected = encoder.transform(frame)
    with pytest.raises(ValueError, match="infinity"):
        encoder.fit([[np.inf]])
    np.testing.assert_array_equal(encoder.transform(frame), expected)


def test_libraries_are_not_imported(monkeypatch):
    """A table of a library that is not loaded is none of its own."""
    for library in ("pandas", "polars"):
        monkeypatch.delitem(_frames.sys.modules, library, raising=False)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert TableEncoder().fit(ROWS).transform(ROWS).shape == (5, 6)


@pytest.mark.parametrize("n", [2, 30])  # one-hot and embedded
def test_most_categories_are_unknown(pd, n):
    seen = [f"city {k % n}" for k in range(60)]
    X = pd.DataFrame({"city": seen, "n": range(60)})
    model = TabularClassifier(max_iter=2, n_networks=2, random_state=0).fit(X, ["a", "b"] * 30)
    upper = X.assign(city=X["city"].str.upper().where(X["n"] > 4, X["city"]))
    upper.loc[:2, "city"] = None
    said = (
        "Column 'city' of X holds categories that fit did not see in 55 of 57 cells, such as "
        f"'CITY {5 % n}'; fit saw categories such as 'city 0'. They tell nothing: write them as in "
        "fit."
    )
    for call in (model.predict, model.encoder_.transform):
        with pytest.warns(UserWarning, match="did not see") as caught:
            call(upper)
        assert [str(one.message) for one in caught] == [said]
    with pytest.warns(UserWarning, match="did not see"):
        model.score(upper, ["a", "b"] * 30)
    # Nothing is said of few rows, of missing values, or if half of the cells are known.
    model.predict(upper[10:29])
    model.predict(X.assign(city=None))
    model.predict(X.assign(city=X["city"].where(X["n"] % 2 == 0, "nowhere")))


@pytest.mark.parametrize(
    ("asked", "marked"),
    [
        (["zip"], ", and X.astype({'zip': 'category'}) marks a column of numbers"),
        ([0], ", and X.astype({'zip': 'category'}) marks a column of numbers"),
        (None, ""),
    ],
)
def test_all_columns_of_text_that_are_not_listed(pd, asked, marked):
    """The remedy works."""
    names = {"zip": [1, 2, 3] * 10, "city": ["a", "b"] * 15, "n": range(30), "kind": ["x"] * 30}
    X = pd.DataFrame(names)
    for model in (TableEncoder(asked), TabularClassifier(categorical_features=asked)):
        with pytest.raises(ValueError) as caught:
            model.fit(X, ["a", "b"] * 15)
        assert str(caught.value) == (
            "Column 'city' of X holds 'a', which is text, where numbers are expected. List all "
            "columns of text in categorical_features, which leaves out 'city', 'kind'; or leave it "
            f"at 'from_dtype': text is then recognized{marked}. Convert text of numbers by "
            "pandas.to_numeric."
        )
    encoder = TableEncoder().fit(X.astype({"zip": "category"}))
    assert encoder.is_categorical_.tolist() == [True, True, False, True]
