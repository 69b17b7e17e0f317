"""What a cell becomes depends on its value and on what was fitted: on no type, no other cell."""

import datetime
import decimal
import warnings

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_nn import TabularClassifier, TabularRegressor
from sklearn_nn.estimators.table_encoder import TableEncoder

pd = pytest.importorskip("pandas")


def encoder(**parameters):
    return TableEncoder(dtype="float64", **parameters)


# --- the same values in any type ------------------------------------------------------------------


def _objects(values):
    cells = np.empty(len(values), dtype=object)
    cells[:] = values
    return pd.Series(cells, dtype=object)


def _read_by(library, values):
    """The values in the types of another library, if it is there."""
    try:
        module = __import__(library)
    except ImportError:
        return {}
    if library == "pyarrow":
        encoded = module.array(values).dictionary_encode() if type(values[0]) is not bool else None
        tables = {"arrow": module.table({"x": values})}
        return tables | ({} if encoded is None else {"dictionary": module.table({"x": encoded})})
    column = module.Series(values, dtype=module.Object)
    return {"polars": module.DataFrame({"x": values}), "pl": module.DataFrame({"x": column})}


TYPES = {
    int: [
        "int64",
        "uint8",
        ">i4",
        "float64",
        "float16",
        "Int64",
        "UInt8",
        "Float32",
        "Sparse[int]",
    ],
    float: ["float64", "Float64", "Sparse[float]"],
    bool: ["bool", "boolean"],
    str: ["string"],
}
CANNOT_BE_MISSING = {"int64", "uint8", ">i4", "Sparse[int]", "bool"}
ABSENT = {int: "other", float: 99.5, bool: "other", str: "zz"}


def _as_numpy(values):
    """Scalars of NumPy among objects."""
    return [None if v is None else np.array([v])[0] for v in values]


def same_values(values):
    """Tables of the same values, by the name of what holds them."""
    kind = type(next(v for v in values if v is not None))
    columns = {"objects": _objects(values), "numpy": _objects(_as_numpy(values))}
    columns["inferred"] = pd.Series(values)
    if None in values:
        for other in (np.nan, pd.NA):
            replaced = [other if v is None else v for v in values]
            columns[f"objects, {other}"] = _objects(replaced)
    if kind in (int, float):
        exact = [None if v is None else decimal.Decimal(v) for v in values]
        columns["decimal"] = _objects(exact)
    for dtype in TYPES[kind]:
        if None not in values or dtype not in CANNOT_BE_MISSING:
            columns[dtype] = pd.Series(values, dtype=dtype)
    if kind is float:
        numbers = np.array(values, dtype=np.float64)
        # Not a number, where a nullable type would say NA.
        array = pd.arrays.FloatingArray(numbers, np.zeros(len(values), dtype=bool))
        columns["Float64, NaN"] = pd.Series(array)
    for name in [name for name in columns if name not in ("float16", ">i4")]:
        columns[f"category, {name}"] = columns[name].astype("category")
    columns["ordered"] = columns["category, objects"].cat.as_ordered()
    known = list(columns["category, objects"].cat.categories)
    for name, categories in (("unused", known), ("unused, numpy", _as_numpy(known))):
        categories = [*reversed(categories), ABSENT[kind]]
        columns[name] = pd.Series(pd.Categorical(values, categories=categories))
    frames = {name: pd.DataFrame({"x": column}) for name, column in columns.items()}
    cells = pd.DataFrame({"x": columns["objects"]}).to_numpy(dtype=object)
    arrays = {"array": cells, "rows": cells.tolist()}
    return frames, arrays, _read_by("pyarrow", values) | _read_by("polars", values)


VALUES = {
    "whole numbers": [10, 20, 10, 5],
    "some missing": [10, None, 10, 20],
    "fractions": [0.5, 0.25, 1.0, 0.125],
    "missing fractions": [0.5, None, 1.0, 0.125],
    "truths": [True, False, True, True],
    "missing truths": [True, None, False, True],
    "words": ["a", "b", "a", "c"],
    "missing words": ["a", None, "b", "1"],
    "words that read as numbers": ["10", "1.0", "True", None],
}


@pytest.mark.parametrize("name", VALUES)
@pytest.mark.parametrize("by_name", [True, False])
def test_the_same_values_in_any_type(name, by_name):
    """Fitted in any type, and asked about in any other: names, categories and numbers are equal."""
    values = VALUES[name]
    frames, arrays, others = same_values(values)
    if not by_name and type(values[0]) is str:
        return
    if "float16" in frames and by_name:
        assert frames["float16"]["x"].dtype == np.float16
    expected = None
    for which, tables in ((["x"], frames | others), ([0], arrays)):
        for fitted in tables:
            found = encoder(categorical_features=which if by_name else None).fit(tables[fitted])
            names = [n.replace("x0", "x") for n in found.get_feature_names_out().tolist()]
            learnt = (names, repr(found.categories_))
            for asked in tables:
                result = found.transform(tables[asked])
                expected = (learnt, result) if expected is None else expected
                assert learnt == expected[0], fitted
                np.testing.assert_array_equal(result, expected[1], err_msg=f"{fitted}, {asked}")


@pytest.mark.parametrize("dtype", ["float64", "Float64", "object", "Int64", "category"])
def test_nothing_is_the_same_in_any_type(dtype):
    """A column without a value is a category of none, and adds nothing."""
    X = pd.DataFrame({"a": [1.0, 2.0, 3.0], "x": pd.Series([None] * 3, dtype=dtype)})
    found = encoder().fit(X)
    assert found.is_categorical_.tolist() == [False, True]
    assert found.get_feature_names_out().tolist() == ["a"]
    later = X.assign(x=[1.0, np.nan, 2.0])
    np.testing.assert_array_equal(found.transform(later), found.transform(X))


def test_cells_of_a_list_do_not_depend_on_their_neighbours():
    large = 2**62 + 1
    rows = [[True, large, 1.5, "a"], [False, large + 1, 2.5, "b"]]
    wide, narrow = encoder(categorical_features=[0, 1, 3]).fit(rows), encoder()
    assert wide.categories_[1] == [large, large + 1]
    narrow.set_params(categorical_features=[0, 1]).fit([row[:3] for row in rows])
    assert narrow.categories_ == wide.categories_[:3]
    assert encoder().fit([row[:3] for row in rows]).is_categorical_.tolist() == [True, False, False]
    with pytest.warns(UserWarning, match="Column 3 of X holds 17"):
        asked = wide.transform([[True, large, 1.5, 17]])
    np.testing.assert_array_equal(asked[0, :3], wide.transform(rows)[0, :3])


def _of_kinds():
    """What pandas makes categories of, and the same objects in another type."""
    days = pd.to_datetime(["2024-01-01", "2024-03-01", "2024-01-01"])
    yield pd.Series(days).astype("category"), pd.Series(days)
    yield pd.Series(days.to_period("M")).astype("category"), pd.Series(days.to_period("M"))
    yield pd.Series(days - days[0]).astype("category"), pd.Series(days - days[0])
    parts = pd.Series(pd.cut([1, 9, 1], [0, 5, 10]))
    yield parts, parts.astype(object)
    pairs = _objects([("a", 1), ("b", 2), ("a", 1)])
    yield pairs.astype("category"), pairs


@pytest.mark.parametrize("number", range(5))
def test_objects_that_are_categories(number):
    """They are what they print as, in a column of whatever type they are asked about."""
    category, plain = list(_of_kinds())[number]
    fitted = encoder().fit(pd.DataFrame({"x": category}))
    assert fitted.categories_ == [sorted(map(str, plain[:2]))]
    expected = fitted.transform(pd.DataFrame({"x": category}))
    copy = TableEncoder.from_state(fitted.state())
    for other in (plain, plain.astype(object), category.cat.remove_unused_categories()):
        for who in (fitted, copy):
            np.testing.assert_array_equal(who.transform(pd.DataFrame({"x": other})), expected)
    error = ValueError if number < 3 else TypeError
    with pytest.raises(error, match="Column 'x' of X holds"):
        encoder().fit(pd.DataFrame({"x": plain}))
    words = encoder().fit(pd.DataFrame({"x": ["a", "b", "c"]}))
    for other in (category, plain):
        with pytest.raises(error, match="Column 'x' of X holds"):
            words.transform(pd.DataFrame({"x": other}))


def test_decimals_are_found_among_categories():
    """0.1 as a Decimal is not equal to the float, but it is the same category."""
    exact = pd.DataFrame({"x": _objects([decimal.Decimal("0.1"), decimal.Decimal("0.3")])})
    floats = pd.DataFrame({"x": [0.1, 0.3]})
    fitted = encoder(categorical_features=["x"], numeric="quantile").fit(exact)
    np.testing.assert_array_equal(fitted.transform(exact), [[-1], [1]])
    np.testing.assert_array_equal(fitted.transform(floats), [[-1], [1]])


# --- a row alone is the row in company ------------------------------------------------------------

CELLS = {
    "number": 17,
    "fraction": 0.25,
    "word": "nowhere",
    "known word": "north",
    "digits": "3.5",
    "exponent": "1e5",
    "blanks": " 7 ",
    "none": None,
    "nan": np.nan,
    "na": pd.NA,
    "nat": pd.NaT,
    "truth": True,
    "numpy truth": np.False_,
    "numpy": np.int8(3),
    "decimal": decimal.Decimal("0.1"),
    "infinity": np.inf,
    "huge": 10**400,
    "complex": 1j,
    "complex one": 1 + 0j,
    "bytes": b"north",
    "date": datetime.date(2024, 1, 1),
    "timestamp": pd.Timestamp("2024-01-01"),
    "duration": np.timedelta64(1, "s"),
    "list": [1, 2],
    "tuple": (1, 2),
}


def table(rng, n=40):
    """A column of every kind."""
    words = rng.choice(["north", "south", "east"], n)
    days = pd.to_datetime(["2024-01-01", "2024-02-02", "2024-03-03"])
    frame = pd.DataFrame(
        {
            "float": rng.standard_normal(n),
            "int": rng.integers(0, 9, n),
            "objects": pd.Series(rng.standard_normal(n).astype(object)),
            "words": words,
            "category": pd.Categorical(words),
            "truth": rng.random(n) < 0.5,
            "code": rng.integers(0, 3, n),
            "mixed": pd.Series([1, "north", True, 0.25] * (n // 4), dtype=object),
            "day": pd.Categorical(days[rng.integers(0, 3, n)]),
        }
    )
    for name in ("float", "objects", "words"):
        frame.loc[rng.random(n) < 0.2, name] = None
    return frame


FITTED = table(np.random.default_rng(0))
WHICH = ["words", "category", "truth", "code", "mixed", "day"]


def _outcome(fitted, X, n_rows=None):
    """What rows become, or the kind of the error."""
    try:
        return np.concatenate(list(fitted.encode_blocks(X, n_rows)))
    except (TypeError, ValueError) as error:
        return type(error).__name__


def _same(found, expected):
    if isinstance(found, str) or isinstance(expected, str):
        assert found == expected
    else:
        np.testing.assert_array_equal(found, expected)


def _at(outcome, rows):
    """Some rows of an outcome; the error of all where there is one."""
    return outcome if isinstance(outcome, str) else outcome[rows]


@pytest.mark.filterwarnings("ignore:Column:UserWarning")
@pytest.mark.parametrize("column", FITTED.columns)
def test_a_row_alone_is_the_row_in_company(column):
    fitted = encoder(categorical_features=WHICH).fit(FITTED)
    rng = np.random.default_rng(1)
    plain = table(rng, 12).astype(object)
    for cell in CELLS.values():
        place, order = int(rng.integers(12)), rng.permutation(12)
        cells = list(plain[column])
        cells[place] = cell
        company = plain.assign(**{column: _objects(cells)})
        alone, together = _outcome(fitted, company.iloc[[place]]), _outcome(fitted, company)
        _same(_at(together, [place]), alone)
        for n_rows in (1, 5, place + 1):
            _same(_outcome(fitted, company, n_rows), together)
        _same(_outcome(fitted, company.iloc[order]), _at(together, order))
        whole = company.assign(**{column: _objects([cell] * 12)})
        inferred = [] if cell is CELLS.get("huge") else [whole.infer_objects()]
        for X in (whole, *inferred):  # pandas 2.0 raises an OverflowError for huge integers
            _same(_at(_outcome(fitted, X), [place]), alone)


@pytest.mark.parametrize("seed", range(10))
@pytest.mark.filterwarnings("ignore:Column:UserWarning")
def test_random_rows_alone(seed):
    """Random cells of every kind in every column, in random blocks and orders."""
    rng = np.random.default_rng(seed)
    fitted = encoder(categorical_features=WHICH).fit(table(rng))
    valid = ["number", "fraction", "word", "known word", "digits", "none", "nan", "truth"]
    X = table(rng, 8).astype(object)
    for column in X.columns.drop(["float", "int", "day"]):
        cells = list(X[column])
        for place in np.flatnonzero(rng.random(8) < 0.4):
            cells[place] = CELLS[valid[rng.integers(len(valid))]]
        X[column] = _objects(cells)
    together = _outcome(fitted, X)
    assert not isinstance(together, str)
    order = rng.permutation(8)
    _same(_outcome(fitted, X.iloc[order], int(rng.integers(1, 9))), together[order])
    for k in range(8):
        _same(_outcome(fitted, X.iloc[[k]]), together[[k]])
        _same(_outcome(fitted, X.iloc[[k]].infer_objects()), together[[k]])


def test_a_strange_cell_is_told_once_a_call():
    """With the column, the cell and the remedy, at the line that asked."""
    X = pd.DataFrame({"a": np.arange(6.0), "w": list("abcabc")})
    model = TabularRegressor(max_iter=1, n_networks=2, random_state=0).fit(X, X["a"])
    asked = pd.DataFrame({"a": [0.0, 0.0], "w": ["a", 17]})
    calls = (model.predict, lambda rows: model.score(rows, [0.0, 1.0]), model.encoder_.transform)
    for call in calls:
        with pytest.warns(UserWarning, match="Column 'w' of X holds 17, which is a number") as told:
            call(asked)
        assert len(told) == 1
        assert told[0].filename == __file__
    with pytest.warns(UserWarning, match=r"Column 'w' .*\.astype\(str\)"):
        alone = model.predict(asked[1:])
    with pytest.warns(UserWarning, match="Column 'w'"):
        np.testing.assert_array_equal(model.predict(asked)[1:], alone)
    many = pd.concat([asked] * 4, ignore_index=True)
    with pytest.warns(UserWarning, match="Column 'w'") as told:
        list(model.encoder_.encode_blocks(many, 2))
    assert len(told) == 1


# --- one decision in all folds of a search --------------------------------------------------------


def rare_word(form, word="many", n=60):
    rng = np.random.default_rng(0)
    X = pd.DataFrame({"a": rng.standard_normal(n), "b": rng.standard_normal(n).astype(object)})
    X.loc[7, "b"] = word
    y = (X["a"] > 0).astype(int).to_numpy()
    return (X if form == "frame" else X.to_numpy() if form == "array" else X.to_numpy().tolist()), y


def assert_told_of(told, word):
    """Four folds were fitted to the word, one was asked about it; the column is numeric in all."""
    of_fit = [warning for warning in told if f"({word!r} is missing)" in str(warning.message)]
    asked = f"holds {word!r}, which is text, where fit saw numbers"
    of_predict = [warning for warning in told if asked in str(warning.message)]
    assert (len(of_fit), len(of_predict), len(told)) == (4, 1, 5)
    assert {warning.filename for warning in told} == {__file__}


@pytest.mark.parametrize("form", ["frame", "array", "rows"])
def test_a_rare_word_among_numbers_spoils_no_fold(form):
    X, y = rare_word(form)
    model = make_pipeline(TableEncoder(), LogisticRegression())
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = cross_val_score(model, X, y, cv=5, error_score="raise")
    assert scores.min() > 0.7
    assert_told_of(told, "many")


def test_a_rare_word_in_a_search_over_networks():
    X, y = rare_word("frame")
    model = TabularClassifier(max_iter=1, n_networks=1, random_state=0)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        scores = cross_val_score(model, X, y, cv=5)
    assert np.isfinite(scores).all()
    assert_told_of(told, "many")


def test_text_that_stands_for_a_missing_number_is_told_by_fit_alone():
    X, y = rare_word("frame", "n/a")
    with pytest.warns(UserWarning, match="'n/a' is missing") as told:
        cross_val_score(make_pipeline(TableEncoder(), LogisticRegression()), X, y, cv=5)
    assert len(told) == 4


def test_words_among_numbers():
    """Text is read where the type of what was fitted would have taken it; else it is an error."""
    X = pd.DataFrame({"x": [1.0, 2.0, None, 4.0]})
    words = pd.DataFrame({"x": _objects([1.0, "many", None, "3.5"])})
    expected = encoder().fit(X).transform(pd.DataFrame({"x": [1.0, None, None, 3.5]}))
    for fitted in (X.astype(object), X.to_numpy().tolist(), X.to_numpy().astype(object)):
        found = encoder().fit(fitted)
        for copy in (found, TableEncoder.from_state(found.state())):
            asked = words if fitted is words or hasattr(fitted, "columns") else words.to_numpy()
            with pytest.warns(UserWarning, match="holds 'many', which is text"):
                np.testing.assert_array_equal(copy.transform(asked), expected)
        for bad, error in ((b"1", ValueError), ([1], TypeError), (np.inf, ValueError)):
            cells = pd.DataFrame({"x": _objects([1.0, bad])})
            asked = cells if hasattr(fitted, "columns") else cells.to_numpy()
            with pytest.raises(error):
                found.transform(asked)
    for dtype in ("float64", "float32", "Float64"):
        with pytest.raises(ValueError, match=r"Column 'x' .*'many'.*categorical_features"):
            encoder().fit(X.astype(dtype)).transform(words)


def test_ordinary_tables_are_no_cause_for_warnings():
    rng = np.random.default_rng(0)
    fitted = encoder(categorical_features=WHICH).fit(FITTED)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for X in (table(rng), table(rng).astype(object), table(rng).iloc[:1]):
            fitted.transform(X)
        unseen = table(rng).assign(words="nowhere", code=99, category="west")
        fitted.transform(unseen.iloc[:19])
