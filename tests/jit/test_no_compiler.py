"""Without Numba's compiler: an error that names the variable which switches it off."""

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import sklearn_nn
from sklearn_nn.jit.kernel import Kernel, Kind

PARENT = Path(sklearn_nn.__file__).parents[1]
TOLD = r"NUMBA_DISABLE_JIT=1 switches its compiler off\. Unset that variable"


@pytest.mark.parametrize(
    "arguments",
    [
        ["-c", "import sklearn_nn"],
        ["-c", "from sklearn_nn.layers import Dense"],
        ["-c", "from sklearn_nn.training import Adam"],
        ["-c", "from sklearn_nn.jit.kernel import kernel"],
        ["-m", "sklearn_nn"],
    ],
    ids=" ".join,
)
def test_the_import_fails(arguments, tmp_path):
    own = {"NUMBA_DISABLE_JIT": "1", "PYTHONPATH": str(PARENT)}
    done = subprocess.run(
        [sys.executable, *arguments],
        env=os.environ | own, capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 1
    *_, last = done.stderr.strip().splitlines()
    assert last.startswith("ImportError: sklearn_nn computes with functions that Numba compiles")
    assert "NUMBA_DISABLE_JIT=1 switches its compiler off. Unset that variable" in last


def test_switched_off_after_the_import(monkeypatch):
    """Fits and predictions fail where they need a kernel that is not compiled yet."""
    made = Kernel(lambda *_: None, Kind("nothing", x="real[:]"), "test_no_compiler.nothing")
    monkeypatch.setattr(numba.config, "DISABLE_JIT", 1)
    with pytest.raises(RuntimeError, match=TOLD):
        made(np.zeros(1))
    with pytest.raises(RuntimeError, match=TOLD):
        made.address("float32")
