"""Clusters of two worker processes, whose cache of kernels is empty at first."""

import os
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import joblib
import pytest

SNIPPETS = Path(__file__).parent / "snippets"


class Cluster(NamedTuple):
    """Running cluster."""

    backend: str  # of joblib
    address: dict[str, str]  # environment variable that names it to scripts
    folder: Path  # of kernels of its workers
    log: Path  # with a line for each compilation

    def parallel(self):
        """Return a context in which joblib uses both workers."""
        return joblib.parallel_config(backend=self.backend, n_jobs=2)

    def compiled(self):
        """Return how many times each kernel was compiled."""
        return Counter(self.log.read_text(encoding="utf-8").splitlines())

    def entries(self):
        """Return the kernels in the folder."""
        return list(self.folder.rglob("*.kernel"))

    def script(self, path, folder):
        """Return what a script prints that uses this cluster; `folder` is its working folder."""
        done = subprocess.run(
            [sys.executable, "-W", "ignore", path],
            env=os.environ | self.address, capture_output=True, text=True, cwd=folder, timeout=600,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        return done.stdout


def recorder(log):
    """Return a function that lets a process write a line to a file before it compiles."""

    def record():
        from sklearn_nn.jit import machine_code

        compiled = machine_code._compiled

        def recorded(function, cache, types, *rest):
            with open(log, "a", encoding="utf-8") as file:
                file.write(f"{cache.name} {types}\n")
            return compiled(function, cache, types, *rest)

        machine_code._compiled = recorded

    return record


def _places(tmp_path_factory, name):
    """Return a folder for kernels and a log, which is empty."""
    folder = tmp_path_factory.mktemp(name)
    log = folder / "compiled.log"
    log.touch()
    return folder, log


@pytest.fixture(scope="session")
def dask_cluster(tmp_path_factory):
    """Dask with two workers of one thread."""
    distributed = pytest.importorskip("distributed", exc_type=ImportError)
    folder, log = _places(tmp_path_factory, "dask")
    environment = {"SKLEARN_NN_CACHE_DIR": str(folder)}
    options = {"n_workers": 2, "threads_per_worker": 1, "dashboard_address": None}
    with (
        warnings.catch_warnings(action="ignore"),
        distributed.LocalCluster(env=environment, **options) as cluster,
        distributed.Client(cluster) as client,
    ):
        client.run(recorder(str(log)))
        address = {"DASK_SCHEDULER_ADDRESS": cluster.scheduler_address}
        yield Cluster("dask", address, folder, log)


@pytest.fixture(scope="session")
def ray_cluster(tmp_path_factory):
    """Ray with two processors."""
    ray = pytest.importorskip("ray", exc_type=ImportError)
    from ray.util.joblib import register_ray

    folder, log = _places(tmp_path_factory, "ray")
    environment = {
        "env_vars": {"SKLEARN_NN_CACHE_DIR": str(folder)},
        "worker_process_setup_hook": recorder(str(log)),
    }
    quiet = {"include_dashboard": False, "log_to_driver": False, "logging_level": "ERROR"}
    with warnings.catch_warnings(action="ignore"):
        ray.init(num_cpus=2, runtime_env=environment, **quiet)
    register_ray()
    address = {"RAY_ADDRESS": ray.get_runtime_context().gcs_address}
    yield Cluster("ray", address, folder, log)
    ray.shutdown()


@pytest.fixture(params=["dask", "ray"])
def cluster(request):
    """Return each cluster in turn."""
    return request.getfixturevalue(f"{request.param}_cluster")
