"""Forecasts, direct and recursive, against loops and series whose continuation is known."""

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_nn import RNNRegressor, SequenceScaler, forecast, load, sliding_windows

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
QUANTILES = {"loss": "quantile", "quantile": [0.1, 0.5, 0.9]}


def flat(X):
    """Return windows as rows."""
    return X.reshape(len(X), -1)


def linear():
    return make_pipeline(FunctionTransformer(flat), LinearRegression())


def network(**options):
    return RNNRegressor(4, cell="gru", max_iter=1, random_state=0, **options)


@pytest.fixture
def wave():
    """Two waves of one frequency, which a linear model continues exactly."""
    t = np.arange(200) * 0.3
    return np.column_stack([np.sin(t), 2 + np.cos(t)])


@pytest.fixture
def driven():
    """A data frame whose first column follows from the others and its own past."""
    rng = np.random.default_rng(0)
    hour, price = np.arange(200) % 5, rng.standard_normal(200)
    sold = np.zeros(200)
    for t in range(1, 200):
        sold[t] = 0.5 * sold[t - 1] + price[t] - 0.2 * hour[t]
    return pd.DataFrame({"sold": sold, "price": price, "hour": hour})


@pytest.mark.parametrize("horizon", [1, 3, 40])
@pytest.mark.parametrize("columns", [[0], [0, 1]])
def test_a_wave_goes_on(wave, horizon, columns):
    wave = wave[:, columns]
    X, y = sliding_windows(wave[:150], 8, horizon)
    found = forecast(linear().fit(X, y), wave[142:150], 40)
    expected = wave[150:190, 0] if len(columns) == 1 else wave[150:190]
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_one_of_two_channels_within_the_horizon(wave):
    X, y = sliding_windows(wave[:150], 8, 12, target=1)
    model = linear().fit(X, y)
    found = forecast(model, wave[142:150], 7, target=1)
    np.testing.assert_allclose(found, wave[150:157, 1], atol=1e-6)
    with pytest.raises(
        ValueError, match=r"beyond the horizon .* 12.* channel 0 is neither a target"
    ):
        forecast(model, wave[142:150], 13, target=1)


@pytest.mark.parametrize("horizon", [1, 4, 12])
def test_with_what_is_known_ahead(driven, horizon):
    X, y = sliding_windows(driven[:150], 6, horizon, future=["hour", "price"])
    model = linear().fit(X, y)
    known = driven[["price", "hour"]][150:162]
    expected = driven["sold"][150:162]
    found = forecast(model, driven[144:150], 12, known, horizon=horizon)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    # The same as arrays, and two series at once.
    ahead = driven[150:162].to_numpy()
    ahead[:, 0] = np.nan
    past = driven[144:150].to_numpy()
    other = forecast(model, past, 12, ahead, horizon=horizon)
    np.testing.assert_array_equal(other, found)
    both = forecast(
        model, np.stack([past, past + 1]), 12, np.stack([ahead, ahead]), horizon=horizon
    )
    assert both.shape == (2, 12)
    np.testing.assert_allclose(both[0], found, atol=1e-12)
    np.testing.assert_allclose(
        both[1], forecast(model, past + 1, 12, ahead, horizon=horizon), atol=1e-12
    )


def test_more_steps_of_the_future_than_are_read(driven):
    model = linear().fit(*sliding_windows(driven[:150], 6, 4, future=[1, 2]))
    past, known = driven[144:150], driven[["price", "hour"]][150:170]
    long = forecast(model, past, 5, known, horizon=4)
    np.testing.assert_array_equal(forecast(model, past, 5, known[:8], horizon=4), long)
    with pytest.raises(
        ValueError, match=r"future has 7 steps, but steps=5 needs 8, .* 4 at a time"
    ):
        forecast(model, past, 5, known[:7], horizon=4)


def test_networks(driven, tmp_path):
    """The window of the training data gives the prediction of the network, saved or searched."""
    X, y = sliding_windows(driven[:150], 6, 4, future=[1, 2])
    model = network(bidirectional=True).fit(X, y)
    past, known = driven[144:150], driven[["hour", "price"]][150:158]
    window = sliding_windows(driven[144:154], 6, 4, future=[1, 2])[0]
    found = forecast(model, past, 4, known)
    np.testing.assert_array_equal(found, model.predict(window)[0])
    longer = forecast(model, past, 8, known)
    np.testing.assert_array_equal(longer[:4], found)
    mixed = driven[144:158].copy()
    mixed.iloc[6:10, 0] = found
    second = sliding_windows(mixed[4:14], 6, 4, future=[1, 2])[0]
    np.testing.assert_allclose(longer[4:], model.predict(second)[0], rtol=1e-9)
    model.save(tmp_path / "model.npz")
    np.testing.assert_array_equal(forecast(load(tmp_path / "model.npz"), past, 8, known), longer)
    search = GridSearchCV(
        make_pipeline(SequenceScaler(), network(bidirectional=True)),
        {"rnnregressor__alpha": [0.0, 0.1]},
        cv=TimeSeriesSplit(2, gap=3),
    ).fit(X, y)
    np.testing.assert_array_equal(forecast(search, past, 4, known), search.predict(window)[0])


@pytest.mark.parametrize("columns", [[0], [0, 1]])
def test_quantiles(wave, columns):
    wave = wave[:, columns]
    model = network(**QUANTILES).fit(*sliding_windows(wave[:150], 6, 4))
    found = forecast(model, wave[144:150], 3, quantiles=True)
    window = sliding_windows(wave[144:154], 6, 4)[0]
    expected = model.predict_quantiles(window).reshape(4, len(columns), 3)[:3]
    np.testing.assert_array_equal(found, expected[:, 0] if len(columns) == 1 else expected)
    middle = forecast(model, wave[144:150], 3)
    np.testing.assert_array_equal(middle, found[..., 1])
    with pytest.raises(ValueError, match=r"quantiles=True with steps=5 is beyond the horizon .* 4"):
        forecast(model, wave[144:150], 5, quantiles=True)


def test_quantiles_of_a_model_without(wave):
    model = linear().fit(*sliding_windows(wave, 6, 4))
    with pytest.raises(ValueError, match=r"quantiles=True needs .* but Pipeline has none"):
        forecast(model, wave[:6], 2, quantiles=True)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"steps": 0}, "steps=0 must be a positive whole number"),
        ({"horizon": 2.5}, "horizon=2.5 must be a positive whole number"),
        ({"horizon": None}, "horizon=None is read from n_outputs_ .* pass the horizon"),
        ({"history": np.full((6, 3), np.nan)}, "history holds nan at step 0, channel 0"),
        ({"history": np.zeros((0, 6, 3))}, "history has no series"),
        ({"history": np.full((1, 6, 3), np.inf)}, r"history\[0\] holds inf at step 0"),
        ({"future": pd.DataFrame({"cost": [1.0] * 4})}, "future has the column 'cost', which"),
        ({"future": pd.DataFrame({"price": [1, np.nan, 1, 1]})}, "future holds nan at step 1"),
        ({"future": np.zeros((4, 2))}, r"future has shape \(4, 2\), .* with 3 channels"),
        ({"future": np.full((4, 3), np.nan)}, "future holds NaN only; pass None"),
        ({"future": np.array([["a"] * 3] * 4)}, "future has dtype <U1; pass numbers"),
        ({"future": np.array([[np.nan, 1, 1], [np.nan, 1, np.nan]] * 2)},
         "future holds nan at step 1, channel 2; a channel is known at all steps"),
        ({"target": "price"}, "both name channel 'price'"),
    ],
)  # fmt: skip
def test_bad_parameters(driven, changed, message):
    model = linear().fit(*sliding_windows(driven[:150], 6, 4, future=[1, 2]))
    given = {"history": driven[144:150], "steps": 4, "future": driven[["price", "hour"]][150:154]}
    with pytest.raises(ValueError, match=message):
        forecast(model, **{**given, "horizon": 4, **changed})


def test_outputs_that_are_no_multiple_of_the_targets(wave):
    model = linear().fit(*sliding_windows(wave, 6, 3, target=0))
    with pytest.raises(ValueError, match="has 3 outputs for 2 targets at each step; pass the targ"):
        forecast(model, wave[:6], 2)
    with pytest.raises(ValueError, match=r"shape \(1, 3\) for 1 series, but horizon=2 and 1 targ"):
        forecast(model, wave[:6], 2, target=0, horizon=2)
