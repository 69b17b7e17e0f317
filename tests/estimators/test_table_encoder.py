"""What tables become: against a naive encoding, scikit-learn's encoders, and itself."""

import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, QuantileTransformer, RobustScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from helpers.naive import table_encoder
from sklearn_nn.estimators._inputs.table import columns as _table_columns
from sklearn_nn.estimators._inputs.table.columns import SCALINGS, bin_edges, quantiles
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.training.checkpoint.encoding import decode, encode

BOTH = pytest.mark.parametrize("numeric", ["robust", "quantile"])


def _with_checks(estimators):
    """parametrize_with_checks, whose cases pytest 9 wants in a list."""
    mark = parametrize_with_checks(estimators).mark
    names, cases = mark.args
    return pytest.mark.parametrize(names, list(cases), **mark.kwargs)


@_with_checks([TableEncoder(), TableEncoder(numeric="quantile"), TableEncoder(dtype="float64")])
def test_common_checks(estimator, check):
    check(estimator)


def random_table(rng, n):
    """Rows of numbers and words with missing values, and which columns are categories."""
    words = np.array([f"w{k:02}" for k in range(30)], dtype=object)
    columns = [
        rng.standard_normal(n).astype(object),
        (rng.integers(0, 3, n) * (rng.random(n) < 0.1)).astype(object),
        words[rng.integers(0, 2, n)],
        words[rng.integers(0, 8, n)],
        words[rng.integers(0, 30, n)],
        np.full(n, 2.5, dtype=object),
        rng.integers(0, 2, n).astype(bool).astype(object),
    ]
    for column in columns[:5]:
        column[rng.random(n) < rng.choice([0, 0.2])] = rng.choice([None, np.nan])
    is_category = [False, False, True, True, True, False, True]
    order = rng.permutation(len(columns))
    rows = [list(row) for row in zip(*(columns[k] for k in order), strict=True)]
    return rows, [is_category[k] for k in order]


# --- values ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(12))
def test_as_the_naive_encoding(seed):
    rng = np.random.default_rng(seed)
    rows, is_category = random_table(rng, 200)
    max_one_hot = int(rng.choice([0, 2, 9, 50]))
    encoder = TableEncoder(max_one_hot=max_one_hot, dtype="float64").fit(rows[:120])
    assert encoder.is_categorical_.tolist() == is_category
    expected, blocks = table_encoder.encode(rows[:120], rows, is_category, max_one_hot)
    encoded = encoder.transform(rows)
    np.testing.assert_allclose(encoded, expected, rtol=1e-12, atol=1e-14)
    assert encoded.flags.c_contiguous
    assert blocks == [
        encoder.n_numbers_,
        encoder.n_indicators_,
        encoder.n_one_hots_,
        len(encoder.cardinalities_),
    ]
    assert encoder.n_features_out_ == sum(blocks) == len(encoder.get_feature_names_out())
    single = clone(encoder).set_params(dtype="float32").fit(rows[:120]).transform(rows)
    assert single.dtype == np.float32
    np.testing.assert_array_equal(single, encoded.astype(np.float32))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.one_of(st.none(), st.floats(-1e3, 1e3), st.integers(-5, 5)),
            st.one_of(st.none(), st.sampled_from(["a", "b", "", "1", "nan"])),
        ),
        min_size=1,
        max_size=30,
    ),
    st.integers(1, 30),
)
def test_any_small_table(rows, n):
    rows, fitted = [list(row) for row in rows], [list(row) for row in rows[:n]]
    if all(cell is None for row in fitted for cell in row):
        return
    encoder = TableEncoder(["c"], dtype="float64", max_one_hot=3)
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(rows, columns=["n", "c"]).astype({"n": float, "c": object})
    encoded = encoder.fit(frame[:n]).transform(frame)
    expected, _ = table_encoder.encode(fitted, rows, [False, True], 3)
    np.testing.assert_allclose(encoded, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 100, 1001])
def test_quantiles_are_numpys(rng, n):
    values = rng.integers(0, 20, n).astype(float)
    for levels in ([0.5], [0, 0.25, 0.5, 0.75, 1], np.linspace(0, 1, 177)):
        expected = np.quantile(values, levels, method="averaged_inverted_cdf")
        np.testing.assert_allclose(quantiles(values, levels), expected)
        weights = rng.integers(1, 5, n)
        repeated = quantiles(np.repeat(values, weights), levels)
        np.testing.assert_array_equal(quantiles(values, levels, weights.astype(float)), repeated)
        np.testing.assert_array_equal(quantiles(values, levels, weights / 7), repeated)


def test_robust_numbers_are_scikit_learns(rng):
    """Without a clip: the same up to how quartiles are interpolated."""
    X = rng.lognormal(size=(5000, 4))
    encoded = TableEncoder(dtype="float64").fit(X).transform(X)
    x = RobustScaler().fit_transform(X)
    np.testing.assert_allclose(encoded, x / np.sqrt(1 + (x / 3) ** 2), rtol=5e-3, atol=1e-3)
    assert np.abs(encoded).max() < 3


def test_quantile_numbers_are_scikit_learns(rng):
    X = np.column_stack([rng.lognormal(size=6000), rng.standard_normal(6000) * 1e-4])
    encoder = TableEncoder(numeric="quantile", dtype="float64").fit(X)
    oracle = QuantileTransformer(n_quantiles=200, output_distribution="normal", subsample=None)
    expected = oracle.fit_transform(X)
    inside = np.abs(expected) < 2.5
    np.testing.assert_allclose(encoder.transform(X)[inside], expected[inside], atol=0.02)
    # With the same knots it is the same function.
    oracle.quantiles_ = np.column_stack([column.learnt for column in encoder._columns])
    expected, inside = oracle.transform(X), np.abs(expected) < 5
    np.testing.assert_allclose(encoder.transform(X)[inside], expected[inside], atol=1e-9)
    assert np.abs(encoder.transform(X * 1e6)).max() < 5.2


def test_equal_numbers_stand_in_the_middle_of_their_ranks():
    X = np.array([[0.0]] * 600 + [[k] for k in range(1, 401)])
    encoded = TableEncoder(numeric="quantile", dtype="float64").fit(X).transform(X)
    assert encoded[0, 0] == pytest.approx(-0.524, abs=0.03)  # the normal quantile of .3
    assert (np.diff(encoded[600:, 0]) > 0).all()


def test_categories_are_scikit_learns(rng):
    X = np.array([f"w{k}" for k in rng.integers(0, 40, 2000)], dtype=object).reshape(-1, 2)
    X[rng.random(X.shape) < 0.1] = np.nan
    encoder = TableEncoder(max_one_hot=0, dtype="float64").fit(X[:500])
    oracle = OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=-1, encoded_missing_value=-1
    )
    np.testing.assert_array_equal(encoder.transform(X), oracle.fit(X[:500]).transform(X) + 1)
    assert encoder.cardinalities_ == [41, 41]
    for categories, expected in zip(encoder.categories_, oracle.categories_, strict=True):
        assert categories == expected[:-1].tolist()  # NaN is the last


@BOTH
def test_one_hots_are_scikit_learns(rng, numeric):
    X = np.array([["a", "b", "c", "d"][k] for k in rng.integers(0, 4, 300)], dtype=object)
    X = np.column_stack([X, X[::-1]])
    encoder = TableEncoder(numeric=numeric, dtype="float64").fit(X)
    oracle = OneHotEncoder(sparse_output=False).fit(X)
    expected = oracle.transform(X)
    assert encoder.get_feature_names_out().tolist() == oracle.get_feature_names_out().tolist()
    if numeric == "robust":
        expected = TableEncoder(dtype="float64").fit(expected).transform(expected)
    np.testing.assert_allclose(encoder.transform(X), expected)


def test_missing_numbers_are_medians(rng):
    X = rng.standard_normal((101, 3))
    X[::4, 0] = np.nan
    imputer = SimpleImputer(strategy="median", add_indicator=True)
    expected = imputer.fit_transform(X)
    encoder = TableEncoder(dtype="float64").fit(X)
    encoded = encoder.transform(X)
    assert encoder.get_feature_names_out().tolist() == imputer.get_feature_names_out().tolist()
    assert (encoded[::4, 0] == 0).all()
    np.testing.assert_array_equal(encoded[:, 3] > 0, expected[:, 3] > 0)
    new = np.full((1, 3), np.nan)  # the last two were never missing
    encoded = encoder.transform(new)
    np.testing.assert_array_equal(encoded[0, :3], 0)
    assert encoded[0, 3] > 0


def test_two_categories_are_one_column():
    encoder = TableEncoder(numeric="quantile").fit([["no"], ["yes"], [None], ["no"]])
    X = [["no"], ["yes"], [None], ["perhaps"]]
    assert encoder.transform(X).tolist() == [[-1], [1], [0], [0]]


def test_missing_counts_among_the_values_of_a_one_hot():
    nine = [[f"{k}"] for k in range(9)]
    assert TableEncoder().fit(nine).n_one_hots_ == 9
    encoder = TableEncoder().fit([*nine, [None]])
    assert (encoder.n_one_hots_, encoder.cardinalities_) == (0, [10])
    assert encoder.transform([["3"], [None], ["new"]]).ravel().tolist() == [4, 0, 0]


@BOTH
def test_constant_and_empty_columns(numeric):
    X = [[5.0, None, "a", None, 1.0], [5.0, np.nan, "a", None, 2.0]]
    encoder = TableEncoder([2, 3], numeric=numeric).fit(X)
    assert (encoder.n_numbers_, encoder.n_indicators_, encoder.n_one_hots_) == (3, 0, 1)
    assert encoder.categories_ == [None, None, ["a"], [], None]
    new = [[7.0, 3.0, "b", "b", None]]
    assert np.isfinite(encoder.transform(new)).all()
    np.testing.assert_array_equal(encoder.transform(new)[0, :2], 0)
    with pytest.raises(ValueError, match="missing values only"):
        TableEncoder().fit([[None], [None]])


@BOTH
@pytest.mark.parametrize("scale", [5e-324, 1e-310, 1e-30, 1e30, 1e150, 1e300, 1.7e308])
def test_any_finite_numbers(numeric, scale):
    X = np.array([[-1.0, 0, 1], [1, 0, 0], [0.5, 1, 0], [-0.5, 0, 0]]) * scale
    encoded = TableEncoder(numeric=numeric, dtype="float64").fit(X).transform(np.vstack([X, -X]))
    assert np.isfinite(encoded).all()
    if scale > 1e-300:
        assert (np.sign(encoded[:4, 0]) == [-1, 1, 1, -1]).all()
        plain = TableEncoder(numeric=numeric, dtype="float64").fit(X / scale).transform(X / scale)
        np.testing.assert_allclose(encoded[:4], plain)


def test_outliers_end_at_three(rng):
    encoder = TableEncoder(dtype="float64").fit(rng.standard_normal((50, 1)))
    far = encoder.transform([[1e3], [1e30], [1e300], [-1e300]])
    np.testing.assert_allclose(far.ravel(), [3, 3, 3, -3], rtol=1e-4)


# --- weights -----------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("seed", range(5))
def test_weights_are_repetitions(numeric, seed):
    rng = np.random.default_rng(seed)
    rows, _ = random_table(rng, 80)
    weights = rng.integers(0, 4, 80)
    weights[0] = 1
    repeated = [row for row, weight in zip(rows, weights, strict=True) for _ in range(weight)]
    encoder = TableEncoder(numeric=numeric, dtype="float64")
    # Columns of objects are what the rows that are there hold.
    encoder.set_params(categorical_features=TableEncoder().fit(rows).is_categorical_)
    expected = clone(encoder).fit(repeated).transform(repeated)
    encoder.fit(rows, sample_weight=weights)
    np.testing.assert_allclose(encoder.transform(repeated), expected, rtol=1e-12, atol=1e-14)
    ones = clone(encoder).fit(rows, sample_weight=np.full(80, 0.3)).transform(rows)
    np.testing.assert_array_equal(ones, clone(encoder).fit(rows).transform(rows))


@pytest.mark.parametrize(
    ("weights", "message"),
    [([0, 0], "zero"), ([1, -1], "Negative"), ([1, np.nan], "NaN"), ([1], "shape")],
)
def test_bad_weights(weights, message):
    with pytest.raises(ValueError, match=message):
        TableEncoder().fit([[1.0], [2.0]], sample_weight=weights)


# --- bins --------------------------------------------------------------------------------------


def test_bin_edges(rng):
    X = np.column_stack([rng.standard_normal(1000), rng.integers(0, 3, 1000), np.ones(1000)])
    encoder = TableEncoder(categorical_features=None).fit(X)
    encoded = encoder.transform(X)
    edges = encoder.bin_edges(encoded, 10)
    assert [len(e) for e in edges] == [11, 3, 2]
    assert all((np.diff(e) > 0).all() and e.dtype == np.float64 for e in edges)
    counts, _ = np.histogram(encoded[:, 0], edges[0])
    assert counts.min() >= 98
    assert counts.max() <= 102
    assert (edges[0][0], edges[0][-1]) == (encoded[:, 0].min(), encoded[:, 0].max())
    assert edges[2].tolist() == [0, 1]
    weights = rng.integers(0, 3, 1000)
    repeated = encoder.bin_edges(np.repeat(encoded, weights, axis=0), 10)
    for one, other in zip(encoder.bin_edges(encoded, 10, weights), repeated, strict=True):
        np.testing.assert_array_equal(one, other)
    assert bin_edges(np.zeros(1), 4).tolist() == [0, 1]


def test_a_frequent_value_leaves_bins_for_others(rng):
    """Nine quantiles of ten would fall on it; it counts as often as a tenth of the rows."""
    X = np.where(rng.random(1000) < 0.9, 0.0, rng.uniform(1, 2, 1000))[:, np.newaxis]
    encoder = TableEncoder().fit(X)
    encoded = encoder.transform(X)
    (edges,) = encoder.bin_edges(encoded, 10)
    others = encoded[X > 0]
    share = 100 / (100 + len(others))
    assert len(edges) == 11 - int(10 * share)
    counts = np.histogram(others, edges[1:])[0]
    assert counts.max() - counts.min() <= 3
    assert len(np.unique(np.quantile(encoded, np.linspace(0, 1, 11)))) < 4


# --- blocks, state, names ----------------------------------------------------------------------


def test_blocks_are_the_whole(rng, monkeypatch):
    rows, _ = random_table(rng, 100)
    encoder = TableEncoder().fit(rows)
    whole = encoder.transform(rows)
    for n_rows in (1, 7, 100, 1000):
        blocks = list(encoder.encode_blocks(rows, n_rows))
        assert max(len(block) for block in blocks) <= n_rows
        np.testing.assert_array_equal(np.concatenate(blocks), whole)
    monkeypatch.setattr(_table_columns, "_BLOCK", 8)
    np.testing.assert_array_equal(encoder.transform(rows), whole)


@BOTH
def test_memory_is_that_of_the_output(rng, numeric):
    """Nothing but the output and a few columns at a time."""
    n = 200_000
    X = rng.standard_normal((n, 10))
    X[::7, 3] = np.nan
    X[:, 8:] = rng.integers(0, [5, 50], (n, 2))
    encoder = TableEncoder([8, 9], numeric=numeric)
    tracemalloc.start()
    try:
        encoder.fit(X)
        of_fit = tracemalloc.get_traced_memory()[1]
        tracemalloc.reset_peak()
        encoded = encoder.transform(X)
        of_transform = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert encoded.shape == (n, 15)
    assert of_fit < 6 * 8 * n
    assert of_transform < encoded.nbytes + 6 * 8 * n


def _plain(value):
    if isinstance(value, dict):
        return all(type(key) is str and _plain(item) for key, item in value.items())
    if isinstance(value, list):
        return all(_plain(item) for item in value)
    if isinstance(value, np.ndarray):
        return value.dtype.kind in "fb" or all(type(item) is str for item in value)
    return value is None or type(value) in (bool, int, float, str)


@BOTH
def test_state_pickle_and_file(rng, numeric):
    rows, _ = random_table(rng, 100)
    encoder = TableEncoder(numeric=numeric, max_one_hot=4).fit(rows)
    expected, names = encoder.transform(rows), encoder.get_feature_names_out()
    assert _plain(encoder.state())
    assert _plain(encoder.__getstate__())
    arrays = {}
    stored = decode(encode(encoder.state(), arrays), arrays)
    copies = [
        TableEncoder.from_state(stored),
        TableEncoder.from_state(stored | {"names": None}),
        pickle.loads(pickle.dumps(encoder)),
    ]
    for copy in copies:
        np.testing.assert_array_equal(copy.transform(rows), expected)
        assert copy.get_feature_names_out().tolist() == names.tolist()
        assert copy.cardinalities_ == encoder.cardinalities_
        assert copy.categories_ == encoder.categories_
        assert copy.get_params().keys() == encoder.get_params().keys()
    assert clone(copies[0]).fit(rows).transform(rows).tolist() == expected.tolist()
    assert pickle.loads(pickle.dumps(TableEncoder())).get_params() == TableEncoder().get_params()
    with pytest.raises(NotFittedError):
        TableEncoder().state()


def test_pickles_name_no_class_but_the_encoder(rng):
    encoder = TableEncoder().fit(random_table(rng, 50)[0])
    assert b"_table_columns" not in pickle.dumps(encoder)


@pytest.mark.parametrize(
    "change",
    [
        lambda state: state.update(names=["a"]),
        lambda state: state.update(names=["a", "a"]),
        lambda state: state.update(numeric="cubic"),
        lambda state: state.update(dtype="int8"),
        lambda state: state["columns"][0].update(kind="date"),
        lambda state: state["columns"][0].update(learnt=np.array([0.0, np.nan])),
        lambda state: state["columns"][0].update(learnt=np.array([0.0, 1.0, 2.0])),
        lambda state: state["columns"][0].update(learnt=np.array([0.0, -1.0])),
        lambda state: state["columns"][0].update(learnt=[0.0, 1.0]),
        lambda state: state["columns"][0].update(median=np.inf),
        lambda state: state["columns"][0].update(scaling="quantile", learnt=np.array([1.0, 0.0])),
        lambda state: state["columns"][0].update(indicator=np.zeros((3, 1))),
        lambda state: state["columns"][0].pop("median"),
        lambda state: state["columns"][1].update(categories=["a", "a", "b"]),
        lambda state: state["columns"][1].update(categories=["a", "b"]),
        lambda state: state["columns"][1].update(categories=["a", "b", None]),
        lambda state: state["columns"][1].update(one_hot=np.zeros((2, 3))),
        lambda state: state.pop("columns"),
    ],
)
def test_forged_states(change):
    state = TableEncoder().fit([[1.0, "a"], [None, "b"], [2.0, "c"]]).state()
    TableEncoder.from_state(state)
    change(state)
    with pytest.raises((ValueError, TypeError, KeyError)):
        TableEncoder.from_state(state)


def test_names_out(rng):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(
        {
            "word": [f"w{k}" for k in range(12)],
            "age": [1.0, None] * 6,
            "kind": ["x", "y", "z"] * 4,
            "old": [True, False] * 6,
            "size": range(12),
        }
    )
    encoder = TableEncoder().fit(frame)
    names = ["age", "size", "missingindicator_age"]
    names += ["kind_x", "kind_y", "kind_z", "old_True", "word"]
    assert encoder.get_feature_names_out().tolist() == names
    with pytest.raises(ValueError, match="input_features"):
        encoder.get_feature_names_out(["a"])
    encoder.set_output(transform="pandas")
    out = encoder.transform(frame)
    assert list(out.columns) == names
    assert isinstance(encoder.encode(frame), np.ndarray)
    np.testing.assert_array_equal(out.to_numpy(), encoder.encode(frame))
    again = encoder.fit(frame.to_numpy(dtype=object))
    assert not hasattr(again, "feature_names_in_")
    assert list(again.transform(frame.to_numpy(dtype=object)).columns)[-1] == "x0"


def test_too_many_categories(monkeypatch):
    monkeypatch.setattr(_table_columns, "_MOST_CATEGORIES", 2)
    with pytest.raises(ValueError, match="Column 0 of X has 3 categories"):
        TableEncoder().fit([["a"], ["b"], ["c"]])


@pytest.mark.parametrize(
    ("parameter", "value"),
    [("numeric", "cubic"), ("max_one_hot", -1), ("dtype", "int8"), ("categorical_features", 3)],
)
def test_bad_parameters(parameter, value):
    with pytest.raises(ValueError, match=f"The '{parameter}' parameter"):
        TableEncoder(**{parameter: value}).fit([[1.0]])


def test_not_fitted():
    for call in (TableEncoder().transform, TableEncoder().get_feature_names_out):
        with pytest.raises(NotFittedError):
            call([[1.0]])


def test_the_table_of_scalings_is_what_the_parameter_takes():
    (options,) = TableEncoder._parameter_constraints["numeric"]
    assert options.options == set(SCALINGS)
