import numpy as np
import pandas as pd
from darts import TimeSeries
from darts.models import SKLearnModel
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_nn import MLPRegressor

hours = pd.date_range("2024-01-01", periods=400, freq="h")
price, night = np.random.default_rng(0).uniform(1, 2, 400), hours.hour < 6
sold = TimeSeries.from_times_and_values(hours, 50 - 20 * price - 10 * night)
known = TimeSeries.from_times_and_values(hours, np.column_stack([price, night]))

network = make_pipeline(
    StandardScaler(),
    MLPRegressor(hidden_layer_sizes=(16,), solver="lbfgs", alpha=0.1, max_iter=500, random_state=0),
)
forecaster = SKLearnModel(
    lags=14, lags_future_covariates=(0, 7), output_chunk_length=7, model=network
)
forecaster.fit(sold[:386], future_covariates=known)
forecast = forecaster.predict(14, future_covariates=known)
