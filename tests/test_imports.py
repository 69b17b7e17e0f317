"""Names of the package that are imported when they are first used."""

import subprocess
import sys
import textwrap

import numpy as np
import pytest

import sklearn_nn
from sklearn_nn import CNNClassifier
from sklearn_nn._optional import imported


def _run(script, *arguments):
    """Run a script in a new process, and return what it prints."""
    command = [sys.executable, "-W", "ignore", "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_an_mlp_needs_no_other_family():
    """Modules of other estimators, and pandas or Matplotlib for them, would take time."""
    script = """
        import sys
        from sklearn_nn import MLPClassifier
        print(*[name for name in sys.modules if name.startswith("sklearn_nn.")])
    """
    found = _run(script).split()
    assert "sklearn_nn.estimators.mlp" in found
    others = ("estimators.cnn", "estimators.tabular", "estimators.text", "inspection", "onnx")
    assert not [name for name in found if name.startswith(tuple(f"sklearn_nn.{o}" for o in others))]


def test_every_name_can_be_imported_first():
    script = """
        import sklearn_nn
        assert set(sklearn_nn.__all__) <= set(dir(sklearn_nn))
        for name in (*sklearn_nn.__all__, "inspection", "preprocessing", "layers", "training"):
            value = getattr(sklearn_nn, name)
            assert getattr(value, "__name__", name).split(".")[-1] == name
            assert name in vars(sklearn_nn)
        print("all")
    """
    assert _run(script) == "all\n"
    assert _run("from sklearn_nn import *; print(summary, TextGenerator)")
    # The table of names is complete.
    assert {*sklearn_nn.__all__} <= {*sklearn_nn._LATER, "MLPClassifier", "MLPRegressor"}


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_file_of_a_class_that_is_not_imported_yet(tmp_path):
    X, y = np.random.default_rng(0).standard_normal((12, 6, 6)), np.arange(12) % 2
    model = CNNClassifier((2,), max_iter=1, random_state=0).fit(X, y)
    model.save(tmp_path / "images.npz")
    script = """
        import sys
        from sklearn_nn.estimators._core.base import BaseNetwork
        assert "sklearn_nn.estimators.cnn" not in sys.modules
        print(type(BaseNetwork.load(sys.argv[1])).__name__)
        from sklearn_nn import load
        print(float(load(sys.argv[1]).layers_["output"]["bias"].sum()))
    """
    name, total = _run(script, str(tmp_path / "images.npz")).split()
    assert name == "CNNClassifier"
    assert float(total) == float(model.layers_["output"]["bias"].sum())


def test_a_package_that_is_not_installed():
    need = r'needs nothing_like_it; install it with: pip install "sklearn_nn\[extra\]"'
    with pytest.raises(ImportError, match=need):
        imported("nothing_like_it.part", "This needs nothing_like_it", "extra")
    assert imported("collections.abc", "This needs Python", "extra").Mapping
