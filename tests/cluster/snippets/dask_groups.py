import dask.dataframe as dd
import numpy as np
import pandas as pd
from dask.distributed import Client

from sklearn_nn import MLPRegressor


def fit(group):
    """Return the network of one group."""
    network = MLPRegressor(hidden_layer_sizes=(8,), max_iter=20, random_state=0)
    return network.fit(group[["price", "week"]], group["sales"])


def fit_groups(partition):
    """Return the networks of all groups in a partition, one row for each."""
    return pd.DataFrame(
        [(name, fit(group)) for name, group in partition.groupby("shop")],
        columns=["shop", "network"],
    )


if __name__ == "__main__":
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.standard_normal((2000, 2)), columns=["price", "week"])
    frame["shop"] = rng.integers(0, 20, len(frame))
    frame["sales"] = frame["week"] - frame["shop"] / 10 * frame["price"]

    client = Client()
    shops = dd.from_pandas(frame, npartitions=4).shuffle("shop")  # a shop in one partition
    meta = {"shop": int, "network": object}
    networks = shops.map_partitions(fit_groups, meta=meta).compute().set_index("shop")["network"]
    print(networks[3].predict(frame[["price", "week"]].head()))
