import numpy as np
import pandas as pd
import ray

from sklearn_nn import MLPRegressor


@ray.remote
def fit_groups(frame, shops):
    """Return the networks of some shops."""
    networks = {}
    for shop in shops:
        group = frame[frame["shop"] == shop]
        network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
        networks[shop] = network.fit(group[["price", "week"]], group["sales"])
    return networks


rng = np.random.default_rng(0)
frame = pd.DataFrame(rng.standard_normal((2000, 2)), columns=["price", "week"])
frame["shop"] = rng.integers(0, 20, len(frame))
frame["sales"] = frame["week"] - frame["shop"] / 10 * frame["price"]

ray.init()
sent = ray.put(frame)  # once, and not with each task
parts = np.array_split(np.arange(20), 4)  # a task for several shops
networks = {}
for found in ray.get([fit_groups.remote(sent, part) for part in parts]):
    networks |= found
print(networks[3].predict(frame[["price", "week"]].head()))
