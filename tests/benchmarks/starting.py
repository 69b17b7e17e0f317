"""Time of a new process that imports the package, fits iris and predicts, beside scikit-learn.

Run as ``python tests/benchmarks/starting.py [--rounds N] [--other FOLDER ...]``. The programs run
in turn: with scikit-learn's MLP; with kernels cached by an earlier process; with kernels compiled
into a copy of the package (prebuild.py) and no cache; and the second one for other versions of the
package, which lie in FOLDER. Printed are medians of wall and processor time in seconds, and ratios
to scikit-learn. Files are written to a temporary folder only, bytecode included.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = """
import warnings
from sklearn.datasets import load_iris
from {module} import MLPClassifier
warnings.simplefilter("ignore")
X, y = load_iris(return_X_y=True)
MLPClassifier(random_state=0).fit(X, y).predict(X)
"""


def copied(folder: Path) -> Path:
    """Copy the package with its kernels to a folder, and return the folder."""
    ignore = shutil.ignore_patterns("__pycache__", "prebuilt_kernels")
    shutil.copytree(ROOT / "sklearn_nn", folder / "sklearn_nn", ignore=ignore)
    command = [sys.executable, "-m", "sklearn_nn.prebuild"]
    environment = {**os.environ, "PYTHONPATH": str(folder)}
    subprocess.run(command, env=environment, cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def timed(module: str, package: Path, cache: Path) -> tuple[float, float]:
    """Return wall and processor time of the program in a process."""
    own = {
        "PYTHONPATH": str(package), "SKLEARN_NN_CACHE_DIR": str(cache),
        "PYTHONPYCACHEPREFIX": str(cache.parent / "bytecode"),
    }  # fmt: skip
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | own
    before, begun = os.times(), time.perf_counter()
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    subprocess.run(command, env=environment, cwd=cache.parent, check=True)
    wall, after = time.perf_counter() - begun, os.times()
    used = (getattr(after, k) - getattr(before, k) for k in ("children_user", "children_system"))
    return wall, sum(used)


def main() -> None:
    """Run the programs in turn and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--other", type=Path, nargs="*", default=[])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        programs = {
            "scikit-learn": ("sklearn.neural_network", ROOT, place / "none"),
            "cached": ("sklearn_nn", ROOT, place / "cache"),
            "prebuilt": ("sklearn_nn", copied(place / "copy"), place / "empty"),
        }
        for other in options.other:
            programs[str(other)] = ("sklearn_nn", other.resolve(), place / "others")
        for program in programs.values():
            timed(*program)  # compiles kernels and bytecode
        rounds = [[timed(*p) for p in programs.values()] for _ in range(options.rounds)]
    wall, used = (
        [statistics.median(times) for times in zip(*part, strict=True)]
        for part in zip(*(zip(*one, strict=True) for one in rounds), strict=True)
    )
    print(f"{'program':<30} wall  ratio   CPU  ratio")
    for program, a, b in zip(programs, wall, used, strict=True):
        print(f"{program[-30:]:<30} {a:4.2f}  {a / wall[0]:5.2f}  {b:4.2f}  {b / used[0]:5.2f}")


if __name__ == "__main__":
    main()
