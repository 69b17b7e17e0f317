"""Fixtures for all tests."""

import platform
import warnings

import hypothesis
import numpy as np
import pytest

# The same examples in every run: what fails does so again.
hypothesis.settings.register_profile("repeatable", derandomize=True)
hypothesis.settings.load_profile("repeatable")


def pytest_configure(config):
    """Ignore flags of errors that NumPy's products may set on ARM, for numbers that have none."""
    if platform.machine().lower() in ("arm64", "aarch64"):
        for error in ("divide by zero", "invalid value", "overflow"):
            config.addinivalue_line(
                "filterwarnings", f"ignore:{error} encountered in matmul:RuntimeWarning"
            )


@pytest.fixture(autouse=True)
def _threads_for_little_work(monkeypatch):
    """Let threads share the work of small networks too, in small pieces."""
    monkeypatch.setattr("sklearn_nn.jit.team.TINY", 0)
    monkeypatch.setattr("sklearn_nn.network.machine.WORK_OF_THREAD", 1)
    for name in ("machine.PIECE_COST", "program.PIECE_COST", "program.PIECE_ROWS"):
        monkeypatch.setattr(f"sklearn_nn.network.{name}", 1)


@pytest.fixture
def rng():
    """Return random numbers, the same in every run."""
    return np.random.default_rng(0)


@pytest.fixture(scope="session")
def torch():
    """Return PyTorch on one thread, where it is installed: an independent oracle."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        module = pytest.importorskip("torch", reason="compares with PyTorch, which is not here")
    module.set_num_threads(1)
    return module
