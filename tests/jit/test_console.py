"""The line that announces compilation: where a person waits, once, and only if code is compiled."""

import os
import subprocess
import sys

import pytest

from sklearn_nn.jit import console

#: A process that compiles or loads a kernel of its own, twice.
USE = """
import numpy as np
from sklearn_nn.jit import cache, kernel
cache.cache_folder = lambda: cache.Path({folder!r})
kernel.load_contract = lambda dtype: None  # tiles, which take seconds and are not used
kind = kernel.Kind("double", x="real[:]")

def double(x):
    x[:] = 2 * x

for name in ("first", "second"):
    for dtype in ("float32", "float64"):
        x = np.ones(2, dtype)
        kernel.Kernel(double, kind, name)(x)
        assert x.sum() == 4
"""
LINE = "sklearn_nn: compiling kernels"
pty = pytest.importorskip("pty", reason="the test needs a pseudo-terminal")


def run(tmp_path, *, terminal=True, **variables):
    """Return what the process writes to stderr, which is a terminal or a pipe."""
    script = tmp_path / "use.py"  # whose kernels can be cached
    script.write_text(USE.format(folder=str(tmp_path)))
    shown, stderr = pty.openpty() if terminal else os.pipe()
    environment = {**os.environ, console.COMPILE_MESSAGE: "", **variables}
    with subprocess.Popen([sys.executable, script], stderr=stderr, env=environment) as process:
        os.close(stderr)
        text = b""
        try:
            while part := os.read(shown, 1000):
                text += part
        except OSError:  # the end, on a pseudo-terminal
            pass
    os.close(shown)
    assert process.returncode == 0, text
    return text.decode()


def test_a_terminal_shows_one_line_and_only_if_kernels_are_compiled(tmp_path):
    told = run(tmp_path)
    assert told.count("\n") == told.count(LINE) == 1
    assert f"kept in {tmp_path}" in told
    assert len(list(tmp_path.glob("*.kernel"))) == 4
    assert run(tmp_path) == ""


def test_a_pipe_shows_nothing(tmp_path):
    assert run(tmp_path, terminal=False) == ""


def test_the_variable_switches_the_line_off_and_on(tmp_path):
    assert run(tmp_path, SKLEARN_NN_COMPILE_MESSAGE="0") == ""
    for entry in tmp_path.glob("*.kernel"):
        entry.unlink()
    assert run(tmp_path, terminal=False, SKLEARN_NN_COMPILE_MESSAGE="1").count(LINE) == 1
