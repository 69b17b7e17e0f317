import numpy as np
import pandas as pd
from mlforecast import MLForecast
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPRegressor

days = pd.date_range("2024-01-01", periods=200, freq="D")
panel = pd.concat(
    pd.DataFrame({"unique_id": shop, "ds": days, "y": base + 5 * (days.day_of_week >= 5)})
    for shop, base in (("north", 10), ("south", 20))
)
panel["y"] += np.random.default_rng(0).normal(0, 0.3, len(panel))
past, coming = panel[panel["ds"] < days[186]], panel[panel["ds"] >= days[186]]

network = make_pipeline(
    StandardScaler(),
    MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", alpha=0.1, max_iter=500, random_state=0),
)
forecaster = MLForecast({"network": network}, freq="D", lags=range(1, 8)).fit(past)
forecast = forecaster.predict(14)  # columns: unique_id, ds, network
