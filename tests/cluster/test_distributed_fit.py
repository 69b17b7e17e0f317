"""One network on real clusters of two processes: Dask and Ray."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sklearn_nn import MLPClassifier, NeuralNetworkRegressor, TabularClassifier, distributed
from sklearn_nn.layers import BatchNorm, Dense, Dropout

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # those of other packages
]


@pytest.fixture(scope="module")
def client():
    """Return a client of a Dask cluster of two processes."""
    dask = pytest.importorskip("dask.distributed")
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with dask.LocalCluster(**options) as cluster, dask.Client(cluster) as found:
            yield found


@pytest.fixture(scope="module")
def ray():
    """Return an initialised Ray with two processors."""
    module = pytest.importorskip("ray")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module.init(num_cpus=2, include_dashboard=False, log_to_driver=False)
        yield module
        module.shutdown()


@pytest.fixture(params=["dask", "ray"])
def cluster(request):
    """Return the value of `client` for either cluster."""
    if request.param == "dask":
        return request.getfixturevalue("client")
    request.getfixturevalue("ray")
    return "ray"


def table(n_parts=4, n=100):
    rng = np.random.default_rng(0)
    X = [rng.normal(size=(n + k, 6)) for k in range(n_parts)]
    return X, [(part[:, 0] + part[:, 1] > 0).astype(int) for part in X]


def network(**options):
    usual = {"hidden_layer_sizes": 8, "batch_size": 16, "max_iter": 2, "random_state": 0}
    return MLPClassifier(**{**usual, **options})


def theta(model):
    return model._network.theta


def locally(model, X, y, **options):
    return theta(distributed.fit(model, X, y, client="local", n_workers=2, **options))


MODES = [
    {"sync_every": 1}, {"sync_every": 4}, {"sync_every": 4, "outer_momentum": 0.5},
]  # fmt: skip


@pytest.mark.parametrize("options", MODES, ids=lambda options: " ".join(options))
def test_results_are_those_of_one_process(cluster, options):
    X, y = table()
    found = distributed.fit(network(), X, y, client=cluster, **options)
    np.testing.assert_array_equal(theta(found), locally(network(), X, y, **options))
    assert found.predict(X[0]).shape == (100,)


def test_lbfgs_and_a_validation_set(cluster):
    X, y = table()
    model = network(solver="lbfgs")
    found = distributed.fit(model, X, y, client=cluster)
    np.testing.assert_array_equal(theta(found), locally(network(solver="lbfgs"), X, y))
    options = {"X_val": X[0], "y_val": y[0]}
    found = distributed.fit(network(early_stopping=True), X, y, client=cluster, **options)
    wanted = locally(network(early_stopping=True), X, y, **options)
    np.testing.assert_array_equal(theta(found), wanted)
    assert len(found.validation_scores_) == found.n_iter_


def test_layers_that_draw_and_remember(cluster):
    X, _ = table()

    def made():
        layers = [Dense(8), BatchNorm(), Dropout(0.5)]
        return NeuralNetworkRegressor(layers, batch_size=16, max_iter=2, random_state=0)

    y = [part[:, 0] for part in X]
    found = distributed.fit(made(), X, y, client=cluster, sync_every=3)
    assert np.array_equal(theta(found), locally(made(), X, y, sync_every=3))


def test_parquet_files(cluster, tmp_path):
    pytest.importorskip("pyarrow")
    X, y = table()
    paths = []
    for k, (part, labels) in enumerate(zip(X, y, strict=True)):
        frame = pd.DataFrame(part, columns=list("abcdef"))
        frame["kind"] = np.where(part[:, 0] > 0, "up", "down")
        frame["target"] = labels
        paths.append(str(tmp_path / f"{k}.parquet"))
        frame.to_parquet(paths[-1])

    def made():
        return TabularClassifier(max_iter=2, random_state=0, batch_size=32)

    found = distributed.fit(made(), paths, "target", client=cluster)
    np.testing.assert_array_equal(theta(found), locally(made(), paths, "target"))


def test_dask_arrays(client):
    import dask.array as da

    X, y = table()
    wanted = locally(network(), X, y)
    lazy = da.concatenate([da.from_array(part, chunks=(-1, 3)) for part in X])
    labels = da.concatenate([da.from_array(part) for part in y])
    found = distributed.fit(network(), lazy, labels)  # the client of this process
    np.testing.assert_array_equal(theta(found), wanted)
    kept, known = client.persist([lazy.rechunk({1: -1}), labels])
    model = distributed.fit(network(), kept, known, client=client)
    again = distributed.fit(network(), kept, known, client=client)
    np.testing.assert_array_equal(theta(model), theta(again))
    with pytest.raises(ValueError, match="4 and 2 partitions"):
        distributed.fit(network(), lazy, labels.rechunk(206), client=client)
    with pytest.raises(TypeError, match="Dask collection"):
        distributed.fit(network(), lazy, labels, client="local")


def test_dask_data_frames(client):
    import dask.dataframe as dd

    X, y = table()
    frame = pd.DataFrame(np.concatenate(X), columns=list("abcdef"))
    frame["target"] = np.concatenate(y)
    frame["weight"] = 1.0
    parts = dd.from_pandas(frame, npartitions=4)
    found = distributed.fit(network(), parts, "target", "weight", client=client)
    assert found.feature_names_in_.tolist() == list("abcdef")
    two = parts[list("abcdef")], parts["target"]
    same = distributed.fit(network(), *two, parts["weight"], client=client)
    np.testing.assert_array_equal(theta(found), theta(same))


def test_ray_datasets(ray):
    X, y = table()
    frames = [pd.DataFrame(part, columns=list("abcdef")) for part in X]
    for frame, labels in zip(frames, y, strict=True):
        frame["target"] = labels
    data = ray.data.from_pandas(frames)
    found = distributed.fit(network(), data, "target", client=ray)
    wanted = locally(network(), [frame[list("abcdef")] for frame in frames], y)
    np.testing.assert_array_equal(theta(found), wanted)
    rows = {"x": np.concatenate(X), "target": np.concatenate(y)}
    images = ray.data.from_numpy([rows["x"]]).add_column("target", lambda _: rows["target"])
    model = distributed.fit(network(), images, "target", client="ray")
    np.testing.assert_array_equal(theta(model), locally(network(), [rows["x"]], [rows["target"]]))


# --- processes that die --------------------------------------------------------------------------


def processes(cluster):
    """Return the process numbers of the workers."""
    if cluster == "ray":
        import psutil

        found = psutil.Process().children(recursive=True)
        titles = {p.pid: "".join(p.cmdline()[:1]) for p in found}
        return [pid for pid, title in titles.items() if re.match("ray::(?!.*Agent)", title)]
    return list(cluster.run(os.getpid).values())


@pytest.mark.parametrize("share", [0.2, 0.6])
def test_a_worker_that_is_killed_changes_nothing(cluster, share):
    X, y = table()
    options = {"sync_every": 4, "client": cluster}
    long = {"max_iter": 12, "tol": 0, "n_iter_no_change": 100}
    started = time.perf_counter()
    wanted = theta(distributed.fit(network(**long), X, y, **options))
    instant = share * (time.perf_counter() - started)
    killed = []

    def kill():
        time.sleep(instant)
        killed.extend(processes(cluster)[:1])
        for process in killed:
            os.kill(process, signal.SIGKILL)

    killer = threading.Thread(target=kill)
    killer.start()
    found = distributed.fit(network(**long), X, y, **options)
    killer.join()
    assert killed or cluster == "ray"  # its workers may have no task at this moment
    np.testing.assert_array_equal(theta(found), wanted)
    if cluster != "ray":
        cluster.wait_for_workers(2, timeout=60)


CLIENT = """
import sys, time
import numpy as np
sys.path.insert(0, {folder!r})
from test_distributed_fit import network, table, theta
from sklearn_nn import distributed
from sklearn_nn.training import LambdaCallback
def slow(epoch, log, estimator):
    print("epoch", epoch, flush=True)
    time.sleep({pause})
if __name__ == "__main__":
    from dask.distributed import Client
    with Client({address!r}) as client:
        model = network(max_iter=6, tol=0, n_iter_no_change=100, callbacks=[LambdaCallback(slow)])
        distributed.fit(model, *table(), client=client, sync_every=5, checkpoint={path!r})
    np.save({path!r} + ".npy", theta(model))
"""


def test_a_client_that_is_killed_continues_from_its_checkpoint(client, tmp_path):
    X, y = table()
    path = str(tmp_path / "backup.npz")
    long = {"max_iter": 6, "tol": 0, "n_iter_no_change": 100}
    wanted = locally(network(**long), X, y, sync_every=5)
    given = {
        "folder": str(Path(__file__).parent), "address": client.scheduler.address, "path": path
    }  # fmt: skip
    started = [sys.executable, "-W", "ignore", "-c"]
    script = CLIENT.format(pause=0.2, **given)
    with subprocess.Popen([*started, script], stdout=subprocess.PIPE, text=True) as first:
        for line in first.stdout:
            if line.split() == ["epoch", "3"]:
                first.kill()
    assert os.path.exists(path)
    second = subprocess.run(
        [*started, CLIENT.format(pause=0, **given)], stdout=subprocess.PIPE, text=True, check=True
    )
    assert second.stdout.split()[:2] in (["epoch", "3"], ["epoch", "4"])
    np.testing.assert_array_equal(np.load(path + ".npy"), wanted)
    assert not os.path.exists(path)
