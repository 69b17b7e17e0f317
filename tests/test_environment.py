"""`warmup` and `show_versions`."""

import io
import itertools
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import sklearn_nn
from sklearn_nn import environment

ROOT = Path(__file__).parents[1]
#: Extras with tools, which do not change what the package does.
OF_DEVELOPERS = {"test", "dev", "docs", "ecosystem"}
#: Fits every estimator after `warmup`, and prints what is compiled or loaded only then.
FITS = """
import warnings
import numpy as np
import sklearn_nn
from sklearn_nn.jit.kernel import Kernel

sklearn_nn.warmup(("float32",))

def say(kernel, dtype):
    print("late:", kernel.name, dtype)
    return obtain(kernel, dtype)

obtain, Kernel._obtained = Kernel._obtained, say
warnings.simplefilter("ignore")
x = np.random.default_rng(0).standard_normal((60, 8)).astype("float32")
forms = {
    "MLP": [x],
    "CNN": [np.repeat(x[:, :, None], 8, 2)],
    "RNN": [x[:, :, None], [row[: 5 + k % 3, None] for k, row in enumerate(x)]],
    "Tabular": [x],
}
for name, inputs in forms.items():
    for kind, y in (("Classifier", np.arange(60) % 3), ("Regressor", x[:, 0])):
        for data in inputs:
            getattr(sklearn_nn, name + kind)(max_iter=2).fit(data, y).predict(data)
sklearn_nn.TextGenerator(max_iter=2).fit("hello world " * 50).sample(3)
print("done")
"""


def test_nothing_is_compiled_after_warmup():
    """Kernels of every estimator with its defaults, in float32."""
    ran = subprocess.run(
        [sys.executable, "-c", FITS], capture_output=True, text=True, cwd=ROOT,
    )  # fmt: skip
    assert (ran.stdout, ran.returncode) == ("done\n", 0), ran.stderr


def test_warmup_shows_progress_on_a_terminal(monkeypatch):
    pytest.importorskip("rich", reason="the bar is drawn by rich, which is not installed")
    first = list(itertools.islice(environment._rows(("float64",)), 2))
    monkeypatch.setattr(environment, "_rows", lambda _: first)
    for name in ("_images", "_sequences", "_tables"):
        monkeypatch.setattr(environment, name, lambda _: [])
    screen = io.StringIO()
    screen.isatty = lambda: True
    monkeypatch.setattr(sys, "stdout", screen)
    sklearn_nn.warmup()
    assert "network 2/2" in screen.getvalue()
    assert all(hasattr(model, "coefs_") for model, *_ in first)


def test_show_versions(capsys):
    sklearn_nn.show_versions()
    rows = dict(row.strip().split(": ", 1) for row in capsys.readouterr().out.splitlines())
    assert rows["python"] == sys.version.replace("\n", " ")
    assert rows["sklearn_nn"] == sklearn_nn.__version__
    assert {"numba", "scikit-learn", "processor", "compiled for"} <= set(rows)
    assert {"vector lanes", "kernel cache"} <= set(rows)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"]
    optional = {name: extras[name] for name in extras.keys() - OF_DEVELOPERS}
    for requirement in itertools.chain(project["dependencies"], *optional.values()):
        name = re.match(r"[\w-]+", requirement)[0]
        assert name in rows
        assert rows[name] == "not installed" or rows[name][0].isdigit()
