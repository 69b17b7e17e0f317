"""Step of the build: compiled kernels for the building machine, where Numba is at hand.

Setuptools loads this file by itself (see pyproject.toml); the package is not imported by it.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from setuptools.command.build_py import build_py

#: Longest duration of the step in seconds, after which the kernels are left out.
TIMEOUT = 300
_NEEDED = ("numba", "sklearn", "scipy")


class BuildWithKernels(build_py):
    """Copy the package and compile kernels into the copy.

    They are left out in an editable installation, in an isolated build (which has no Numba), and if
    they cannot be compiled: then each is compiled when it is first needed.
    """

    def run(self) -> None:
        """Copy the package, then compile in another process."""
        super().run()
        missing = [name for name in _NEEDED if importlib.util.find_spec(name) is None]
        if self.editable_mode or missing:
            self.announce(f"no kernels are prebuilt: {missing or 'editable mode'}", level=2)
            return
        library = Path(self.build_lib).resolve()
        command = [sys.executable, "-B", "-m", "sklearn_nn.prebuild"]
        try:
            subprocess.run(
                command, env={**os.environ, "PYTHONPATH": str(library)}, check=True,
                cwd=tempfile.gettempdir(), timeout=TIMEOUT,
            )  # fmt: skip
        except (OSError, subprocess.SubprocessError) as error:
            self.warn(f"no kernels are prebuilt: {error}")
