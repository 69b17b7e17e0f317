import numpy as np
import pandas as pd
from skforecast.recursive import ForecasterRecursive
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPRegressor

days = pd.date_range("2024-01-01", periods=400, freq="D")
price = np.random.default_rng(0).uniform(1, 2, 400)
known = pd.DataFrame({"price": price, "weekend": (days.day_of_week >= 5) * 1.0}, index=days)
sold = 50 - 20 * known["price"] + 10 * known["weekend"]

network = make_pipeline(
    StandardScaler(),
    MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", alpha=0.1, max_iter=500, random_state=0),
)
forecaster = ForecasterRecursive(network, lags=7)
forecaster.fit(sold[:380], exog=known[:380])
forecast = forecaster.predict(20, exog=known[380:])
