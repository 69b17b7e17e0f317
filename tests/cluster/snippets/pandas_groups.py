import joblib
import numpy as np
import pandas as pd

from sklearn_nn import MLPRegressor


def fit(group):
    """Return the network of one group."""
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
    return network.fit(group[["price", "week"]], group["sales"])


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((2000, 2)), columns=["price", "week"])
    frame["shop"] = rng.integers(0, 20, len(frame))
    frame["sales"] = frame["week"] - frame["shop"] / 10 * frame["price"]

    names, groups = zip(*frame.groupby("shop"), strict=True)
    found = joblib.Parallel(n_jobs=2)(joblib.delayed(fit)(group) for group in groups)
    networks = dict(zip(names, found, strict=True))
    print(networks[3].predict(frame[["price", "week"]].head()))
