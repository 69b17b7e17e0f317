"""Windows of a series against loops, and what may be trained on when."""

import itertools
import math
import pickle

import numpy as np
import pytest
from sklearn.model_selection import TimeSeriesSplit, cross_val_score

from helpers.learning import learning, median
from sklearn_nn import CNNRegressor, sliding_windows

pd = pytest.importorskip("pandas")

SHAPES = [(30,), (30, 1), (30, 4)]
SPLITS = list(itertools.product([1, 6], [1, 4], [0, 3]))
CUTS = list(itertools.product([1, 5], [1, 3], [1, 2, 7], [0, 2]))


def naive(values, width, horizon, stride, gap, channels):
    """A window and what follows it at a time, a number at a time."""
    windows, follow, start = [], [], 0
    while start + width + gap + horizon <= len(values):
        windows.append([list(values[start + i]) for i in range(width)])
        first = start + width + gap
        follow.append([values[first + i][c] for i in range(horizon) for c in channels])
        start += stride
    follow = np.array(follow)
    return np.array(windows), follow[:, 0] if follow.shape[1] == 1 else follow


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize(("width", "horizon", "stride", "gap"), CUTS)
def test_windows_equal_naive(shape, width, horizon, stride, gap, rng):
    series = rng.standard_normal(shape)
    values = series.reshape(len(series), -1)
    for target in (None, 0, *([[2, 0], -1] if shape[-1] == 4 else [])):
        n_channels = values.shape[1]
        asked = target if isinstance(target, list) else [target]
        channels = range(n_channels) if target is None else [c % n_channels for c in asked]
        X, y = sliding_windows(series, width, horizon, stride, gap=gap, target=target)
        expected = naive(values, width, horizon, stride, gap, channels)
        np.testing.assert_array_equal(X, expected[0])
        np.testing.assert_array_equal(y, expected[1])
        assert len(X) == (30 - width - gap - horizon) // stride + 1


def test_the_last_step_is_used_and_none_is_invented():
    for n in range(9, 15):
        X, y = sliding_windows(np.arange(n), 4, 3, 2, gap=2)
        assert len(X) == len(y) == (n - 9) // 2 + 1
        assert y[-1, -1] in (n - 1, n - 2)
    with pytest.raises(ValueError, match="series has 8 steps, but width=4, gap=2 and horizon=3"):
        sliding_windows(np.arange(8), 4, 3, 2, gap=2)


@pytest.mark.parametrize("dtype", ["float64", "float32", "int16", "uint8"])
@pytest.mark.parametrize("shape", SHAPES)
def test_windows_are_a_view(shape, dtype, rng):
    """No number is copied, and none can be changed by mistake; y is the caller's own."""
    series = rng.integers(0, 100, shape).astype(dtype)
    before = series.copy()
    for target, horizon in [(None, 1), (None, 3), (0, 1), ([0], 2)]:
        X, y = sliding_windows(series, 6, horizon, 2, target=target)
        assert np.shares_memory(X, series)
        assert X.dtype == y.dtype == dtype
        with pytest.raises(ValueError, match="read-only"):
            X[0] = 0
        y += 1
        y[...] = 0
        assert y.flags.c_contiguous
    np.testing.assert_array_equal(series, before)
    # The other order of memory is cut without a copy too.
    fortran = np.asfortranarray(series)
    assert np.shares_memory(sliding_windows(fortran, 6)[0], fortran)


def test_frames(rng):
    table = pd.DataFrame(
        {"count": np.arange(20), "warm": rng.random(20), "open": np.arange(20) % 3 == 0, 7: 2.5},
        index=pd.date_range("2024-01-01", periods=20, freq="h"),
    )
    values = table.to_numpy(float)
    for name, position in [
        ("count", 0),
        ("warm", 1),
        (["open", "warm"], [2, 1]),
        (["count", 3], [0, 3]),
    ]:
        X, y = sliding_windows(table, 5, 2, target=name)
        expected = sliding_windows(values, 5, 2, target=position)
        np.testing.assert_array_equal(X, expected[0])
        np.testing.assert_array_equal(y, expected[1])
    X, y = sliding_windows(table["count"], 5)
    assert X.shape == (15, 5, 1)
    np.testing.assert_array_equal(y, np.arange(5, 20))
    np.testing.assert_array_equal(sliding_windows(list(range(20)), 5)[1], y)
    # Numbers with a mark for what is missing, of which there is none.
    np.testing.assert_array_equal(sliding_windows(table[["count"]].astype("Int64"), 5)[0], X)


@pytest.mark.parametrize(("horizon", "stride", "gap"), SPLITS)
def test_windows_that_the_split_leaves_out(horizon, stride, gap):
    """With the gap of the docstring nothing trained on lies after a test window; else some does."""
    width = 5
    X, y = sliding_windows(np.arange(120), width, horizon, stride, gap=gap)
    last_known = X[:, -1, 0]
    last_trained = y.reshape(len(y), -1)[:, -1]
    left_out = math.ceil((horizon + gap) / stride) - 1

    def in_time(windows):
        return [
            last_trained[train].max() <= last_known[test].min()
            for train, test in TimeSeriesSplit(3, gap=windows).split(X)
        ]

    assert all(in_time(left_out))
    if left_out:
        assert not any(in_time(left_out - 1))


@learning
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("horizon", [1, 3])
def test_a_network_forecasts(horizon):
    """From windows to scores, without a warning: a wave goes on as it did, noise does not."""
    series = np.sin(np.arange(300) * 0.4)
    X, y = sliding_windows(series, 16, horizon)
    cv = TimeSeriesSplit(2, gap=horizon - 1)
    shuffled = np.random.default_rng(0).permutation(series)

    def scores(seed):
        model = CNNRegressor(8, solver="lbfgs", max_iter=60, random_state=seed)
        of_noise = cross_val_score(model, *sliding_windows(shuffled, 16, horizon), cv=cv)
        return cross_val_score(model, X, y, cv=cv).min(), of_noise.max()

    of_wave, of_noise = median(scores)
    assert of_wave > 0.98
    assert of_noise < 0.5


@pytest.mark.parametrize(
    ("series", "options", "message"),
    [
        (np.arange(9), {"width": 0}, "width=0 must be a positive whole number"),
        (np.arange(9), {"width": 2.0}, "width=2.0 must be a positive whole number"),
        (np.arange(9), {"horizon": 0}, "horizon=0 must be a positive whole number"),
        (np.arange(9), {"stride": -1}, "stride=-1 must be a positive whole number"),
        (np.arange(9), {"gap": -1}, "gap=-1 must be a non-negative whole number"),
        (np.arange(9), {"gap": 0.5}, "gap=0.5 must be"),
        (np.arange(9), {"gap": True}, "gap=True must be"),
        (np.arange(4), {"width": 4}, r"series has 4 steps, .* need 5; use a longer series or a"),
        (np.zeros(0), {}, "series has 0 steps"),
        (np.zeros((9, 2)), {"target": 2}, "target=2: 2 is not a channel .* a position from 0 to 1"),
        (np.zeros((9, 2)), {"target": -3}, "target=-3: -3 is not a channel"),
        (np.zeros((9, 2)), {"target": True}, "target=True: True is not a channel"),
        (np.zeros((9, 2)), {"target": "a"}, "target='a': 'a' is not a channel .* from 0 to 1\\.$"),
        (pd.DataFrame({"a": range(9)}), {"target": "b"}, "'b' is not .* or one of the columns a"),
        (np.zeros((9, 2)), {"target": [1, -1]}, r"target=\[1, -1\] must name channels, each once"),
        (np.zeros((9, 2)), {"target": []}, r"target=\[\] must name channels"),
        (np.zeros((2, 9, 2)), {}, r"series has shape \(2, 9, 2\); .* Stack several series"),
        (np.zeros((9, 0)), {}, r"series has shape \(9, 0\)"),
        (5.0, {}, r"series has shape \(\)"),
        (["a", "b", "c"], {}, "series cannot be read as numbers.* Encode"),
        (np.array([1j] * 9), {}, "series cannot be read as numbers"),
        (pd.DataFrame({"a": ["x"] * 9}), {}, "series cannot be read as numbers"),
        (pd.Series([0, 1, None, 3, 4]), {}, "series holds nan at step 2, channel 0; fill gaps"),
        (np.array([[0, 1], [0, np.inf], [0, 1]]), {}, "series holds inf at step 1, channel 1"),
    ],
)  # fmt: skip
def test_series_that_cannot_be_cut(series, options, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(series, **{"width": 2, **options})


def test_windows_go_on_over_the_horizon(rng):
    series = rng.standard_normal((40, 4))
    for stride, gap, future in itertools.product([1, 3], [0, 2], [[1, 3], 2]):
        known = [future] if isinstance(future, int) else future
        X, y = sliding_windows(series, 6, 5, stride, gap=gap, future=future)
        target = [i for i in range(4) if i not in known]
        past, expected = sliding_windows(series, 6, 5, stride, gap=gap, target=target)
        np.testing.assert_array_equal(y, expected)
        assert X.shape == (len(past), 11, 5)
        for i, window in enumerate(X):
            ahead = np.zeros((5, 4))
            first = i * stride + 6 + gap
            ahead[:, known] = series[first : first + 5, known]
            np.testing.assert_array_equal(window[:, :4], np.vstack([past[i], ahead]))
            assert window[:, 4].tolist() == [0] * 6 + [1] * 5


def test_windows_with_future_are_floats():
    series = np.arange(40).reshape(20, 2)
    for dtype, expected in (("int16", "float32"), ("float32", "float32"), ("float64", "float64")):
        X, y = sliding_windows(series.astype(dtype), 4, 2, future=1)
        assert X.dtype == expected
        assert y.dtype == dtype


def test_future_by_name():
    table = pd.DataFrame(np.arange(60.0).reshape(20, 3), columns=["sold", "price", "hour"])
    X, y = sliding_windows(table, 5, 2, future=["price", "hour"])
    for future in ([1, 2], ("hour", "price")):
        np.testing.assert_array_equal(sliding_windows(table, 5, 2, future=future)[0], X)
    np.testing.assert_array_equal(y, sliding_windows(table["sold"], 5, 2)[1])


@pytest.mark.parametrize("future", [None, [1]])
@pytest.mark.parametrize(("stride", "gap"), [(1, 0), (3, 2)])
def test_windows_stay_within_groups(rng, future, stride, gap):
    series = rng.standard_normal((60, 2))
    groups = np.repeat(["b", "a", "c"], [20, 11, 29])
    X, y = sliding_windows(series, 6, 3, stride, gap=gap, future=future, groups=groups)
    parts = [
        sliding_windows(series[groups == g], 6, 3, stride, gap=gap, future=future) for g in "bac"
    ]
    np.testing.assert_array_equal(X, np.concatenate([part[0] for part in parts]))
    np.testing.assert_array_equal(y, np.concatenate([part[1] for part in parts]))
    steps = sliding_windows(np.arange(60), 6, 3, stride, gap=gap, groups=pd.Series(groups))[1]
    np.testing.assert_array_equal(series[steps][:, :, 0], y.reshape(len(y), 3, -1)[:, :, 0])


def test_one_group_is_one_series(rng):
    series = rng.standard_normal(20)
    for one, other in zip(
        sliding_windows(series, 4, 2, groups=[7] * 20), sliding_windows(series, 4, 2), strict=True
    ):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"future": 2}, "future=2: 2 is not a channel"),
        ({"future": []}, r"future=\[\] must name channels, each once; None is for none"),
        ({"future": [0, 1]}, r"future=\[0, 1\] names all channels"),
        ({"future": [1], "target": [0, 1]}, r"future=\[1\] and target=\[0, 1\] both .* channel 1;"),
        ({"groups": [0] * 8}, r"groups has shape \(8,\), but series has 9 steps"),
        ({"groups": [0] * 4 + [1] + [0] * 4}, "groups has 0 at step 0 and again at step 5.*sort"),
        ({"groups": [0.0] * 8 + [np.nan]}, "groups holds nan at step 8; label every step"),
        ({"groups": ["a"] * 7 + ["b"] * 2}, "the series of group 'b' has 2 steps, but width=2"),
    ],
)
def test_future_and_groups_that_cannot_be_used(options, message):
    with pytest.raises(ValueError, match=message):
        sliding_windows(np.zeros((9, 2)), 2, **options)


def test_names_twice_are_no_names():
    table = pd.DataFrame(np.zeros((9, 2)), columns=["a", "a"])
    with pytest.raises(ValueError, match=r"series (?s:.*)unique column names|'a' is not a channel"):
        sliding_windows(table, 2, target="a")


def test_functions_are_found_where_they_were():
    """In pickles made while all of them stood in one file."""
    import sklearn_nn

    for name in ("resize_images", "augment_images"):
        found = pickle.loads(f"csklearn_nn.preprocessing\n{name}\n.".encode())
        assert found is getattr(sklearn_nn, name)
        assert pickle.loads(pickle.dumps(found)) is found


def test_times_are_no_numbers():
    times = np.arange(20).astype("datetime64[h]")
    with pytest.raises(ValueError, match=r"series has dtype datetime64\[h\].*hour of the day"):
        sliding_windows(times, width=3)
