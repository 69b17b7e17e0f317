"""ParquetBatches: every row once an epoch, in an order that can be repeated, from any source."""

import numpy as np
import pytest

from sklearn_nn import MLPClassifier
from sklearn_nn.preprocessing import ParquetBatches

pd = pytest.importorskip("pandas")
pytest.importorskip("pyarrow")

N = 1000
TABLE = pd.DataFrame({
    "a": np.arange(N) / N,
    "b": np.cos(np.arange(N)),
    "y": np.arange(N) % 2,
    "w": 1.0 + np.arange(N) % 3,
})  # fmt: skip
OPTIONS = {"target": "y", "batch_rows": 90}


@pytest.fixture
def folder(tmp_path):
    TABLE[:600].to_parquet(tmp_path / "1.parquet", row_group_size=70)
    TABLE[600:].to_parquet(tmp_path / "2.parquet", row_group_size=130)
    return tmp_path


def rows_of(stream):
    return np.concatenate([X["a"].to_numpy() for X, *_ in stream])


@pytest.mark.parametrize("buffer", [None, 0, 50, 300, 5000])
def test_each_row_once_an_epoch(folder, buffer):
    stream = ParquetBatches(folder, shuffle_buffer=buffer, sample_weight="w", **OPTIONS)
    blocks = list(stream)
    assert [len(X) for X, _, _ in blocks] == [90] * 11 + [10]
    for X, y, weight in blocks:
        assert list(X.columns) == ["a", "b"]
        of = TABLE.iloc[np.rint(X["a"].to_numpy() * N).astype(int)]
        np.testing.assert_array_equal(y, of["y"])
        np.testing.assert_array_equal(weight, of["w"])
    first = rows_of(stream)
    np.testing.assert_array_equal(np.sort(first), TABLE["a"])
    assert (first == TABLE["a"].to_numpy()).all() == (buffer == 0)
    stream.set_epoch(1)
    second = rows_of(stream)
    assert (first == second).all() == (buffer == 0)
    again = ParquetBatches(folder, shuffle_buffer=buffer, **OPTIONS)
    np.testing.assert_array_equal(rows_of(again), first)
    again.set_epoch(1)
    np.testing.assert_array_equal(rows_of(again), second)


def test_sources(folder):
    files = [folder / "1.parquet", folder / "2.parquet"]
    wanted = rows_of(ParquetBatches(folder, **OPTIONS))
    for source in (str(folder), str(folder / "*.parquet"), files):
        np.testing.assert_array_equal(rows_of(ParquetBatches(source, **OPTIONS)), wanted)
    (X,) = ParquetBatches(files[0], columns=["b"])
    assert list(X.columns) == ["b"]
    (block,) = ParquetBatches(files[0], target=["y", "w"])
    assert block[1].shape == (600, 2)


def test_polars_and_dask(folder):
    pl, dask = pytest.importorskip("polars"), pytest.importorskip("dask.dataframe")
    for source in (pl.scan_parquet(folder / "*.parquet"), dask.from_pandas(TABLE, npartitions=7)):
        found = rows_of(ParquetBatches(source, **OPTIONS))
        np.testing.assert_array_equal(np.sort(found), TABLE["a"])
        assert (found != TABLE["a"].to_numpy()).any()


def test_fit_resume_and_predict(folder):
    options = {"hidden_layer_sizes": 8, "batch_size": 16, "random_state": 0, "tol": 0}
    options["n_iter_no_change"] = 99
    with pytest.warns(UserWarning, match="Maximum iterations"):
        whole = MLPClassifier(max_iter=4, **options).fit(
            ParquetBatches(folder, columns=["a", "b"], **OPTIONS)
        )
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model = MLPClassifier(max_iter=2, **options).fit(
            ParquetBatches(folder, columns=["a", "b"], **OPTIONS)
        )
    model.set_params(max_iter=4, warm_start="resume")
    with pytest.warns(UserWarning, match="Maximum iterations"):
        model.fit(ParquetBatches(folder, columns=["a", "b"], **OPTIONS))
    np.testing.assert_array_equal(model._network.theta, whole._network.theta)
    in_order = ParquetBatches(folder, shuffle_buffer=0, columns=["a", "b"], **OPTIONS)
    found = np.concatenate(list(model.predict_proba(in_order)))
    np.testing.assert_allclose(found, model.predict_proba(TABLE[["a", "b"]]))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"target": "z"}, r"no columns \['z'\]"),
        ({"columns": ["a", "y"], "target": "y"}, "the target"),
        ({"batch_rows": 0}, "batch_rows=0"),
        ({"shuffle_buffer": -1}, "shuffle_buffer=-1"),
        ({"random_state": None}, "random_state=None must be an integer"),
        ({"sample_weight": "w"}, "needs a target"),
    ],
)
def test_errors(folder, options, message):
    with pytest.raises(ValueError, match=message):
        ParquetBatches(folder, **options)
    with pytest.raises(FileNotFoundError, match="nor one of this pattern"):
        ParquetBatches(folder / "none*.parquet")
    with pytest.raises(TypeError, match="pass a file, a folder"):
        ParquetBatches(3)
