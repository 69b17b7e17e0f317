"""The scripts of the guide page "On a cluster", and one with losses and optimizers of its own."""

from pathlib import Path

import numpy as np
import pytest

pytestmark = [
    pytest.mark.cluster,
    pytest.mark.filterwarnings("ignore"),  # those of other packages
]
FOLDER = Path(__file__).parent / "snippets"
PAGE = Path(__file__).parents[2] / "docs" / "guide_cluster.rst"


def test_the_page_shows_every_snippet():
    shown = {path.name for path in FOLDER.glob("*.py")}
    text = PAGE.read_text(encoding="utf-8")
    assert len(shown) >= 6
    assert {name for name in shown if f"../tests/cluster/snippets/{name}" in text} == shown


def test_search_on_dask(dask_cluster, tmp_path):
    assert "mlpclassifier__alpha" in dask_cluster.script(FOLDER / "dask_search.py", tmp_path)


def test_search_on_ray(ray_cluster, tmp_path):
    assert "mlpclassifier__alpha" in ray_cluster.script(FOLDER / "ray_search.py", tmp_path)


def test_shared_study(dask_cluster, tmp_path):
    pytest.importorskip("optuna")
    printed = dask_cluster.script(FOLDER / "optuna_study.py", tmp_path)
    number, rest = printed.split(maxsplit=1)
    assert int(number) == 20
    assert float(rest.split()[-1]) > 0.9


def test_kernels_of_a_fit_on_each_worker(dask_cluster, tmp_path):
    assert dask_cluster.script(FOLDER / "warm_workers.py", tmp_path) == ""
    assert max(dask_cluster.compiled().values()) == 1


def test_networks_of_groups(dask_cluster, ray_cluster, tmp_path):
    """Dask, Ray and joblib's processes train the same networks."""
    printed = [
        cluster.script(FOLDER / f"{name}_groups.py", tmp_path)
        for name, cluster in (
            ("pandas", dask_cluster), ("dask", dask_cluster), ("ray", ray_cluster),
        )
    ]  # fmt: skip
    assert len(np.fromstring(printed[0].strip("[]\n"), sep=" ")) == 5
    assert printed[1] == printed[2] == printed[0]


def test_a_script_with_kernels_of_its_own(dask_cluster, tmp_path):
    script = Path(__file__).parent / "own_kernels.py"
    assert dask_cluster.script(script, tmp_path) == "equal\nequal\n"
