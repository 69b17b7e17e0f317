"""Memory of training beyond the data: bounded by the batch, whatever the number of samples.

Run as ``python tests/benchmarks/memory.py``. Each row is a process of its own, which first fits a
few samples, so that kernels are there, and then measures the peak of its resident memory over one
epoch against what was resident before. The network is conv32 - pool - conv64 - pool - dense128 -
dense10 on images of 28 x 28. The data is random. Linux only.

What may grow with the samples is their order and their labels, not their values. The column
"a sample" is the growth from 6,000 to 60,000 samples, in bytes: an image has 784 values.

A second table is of one long sequence with a target for every step, read by an LSTM of 64 units
whole and in windows.
"""

from __future__ import annotations

import argparse
import gc
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np

TYPES, SIZES, BATCHES = ("uint8", "float32"), (6_000, 60_000), (64, 256)
STEPS, WINDOWS, CHANNELS = (10_000, 100_000), (0, 1_000, 100), 4


def resident(name):
    """A figure of /proc/self/status, in bytes: VmRSS is memory at present, VmHWM its peak."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"/proc/self/status says nothing of {name}")


def forget_peak():
    """Make the peak the present: what the kernel does on this write."""
    Path("/proc/self/clear_refs").write_text("5")


def images(n, dtype, rng):
    """Random images, made in their type."""
    if dtype == "uint8":
        return rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
    return rng.random((n, 28, 28), dtype=dtype)


def measure(dtype, n, batch_size, n_jobs):
    """Bytes of resident memory beyond the data, at the peak of one epoch."""
    from sklearn_nn import CNNClassifier

    warnings.simplefilter("ignore")
    rng = np.random.default_rng(0)
    network = CNNClassifier(
        (32, 64), pool_size=2, hidden_layer_sizes=128, batch_size=batch_size, max_iter=1,
        n_jobs=n_jobs, random_state=0,
    )  # fmt: skip
    y = np.arange(n) % 10
    network.fit(images(16, dtype, rng), y[:16])
    X = images(n, dtype, rng)
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    network.fit(X, y)
    return resident("VmHWM") - before


def measure_sequence(steps, window):
    """The same for one sequence of so many steps, in windows; 0 is the whole."""
    from sklearn_nn import RNNRegressor

    warnings.simplefilter("ignore")
    X = np.random.default_rng(0).random((1, steps, CHANNELS), dtype="float32")
    y = X[:, :, 0]
    network = RNNRegressor(
        64, return_sequences=True, truncation=window or None, max_iter=1, random_state=0
    )
    network.fit(X[:, :200], y[:, :200])
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    network.fit(X, y)
    return resident("VmHWM") - before


def in_a_process(*arguments):
    """Return the result of `measure` in a new process."""
    command = [sys.executable, __file__, "--measure", *map(str, arguments)]
    return int(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def table(n_jobs):
    """Print a row for each type of data and batch size."""
    head = [f"{n:,} samples" for n in SIZES]
    print(f"{'data':8} {'batch':>5} {head[0]:>16} {head[1]:>16} {'a sample':>9} {'the data':>9}")
    for dtype in TYPES:
        for batch_size in BATCHES:
            found = [in_a_process(dtype, n, batch_size, n_jobs) for n in SIZES]
            slope = (found[1] - found[0]) / (SIZES[1] - SIZES[0])
            megabytes = [f"{size / 2**20:.1f} MiB" for size in found]
            data = SIZES[1] * 784 * np.dtype(dtype).itemsize / 2**20
            print(
                f"{dtype:8} {batch_size:5} {megabytes[0]:>16} {megabytes[1]:>16} {slope:7.0f} B"
                f" {data:5.0f} MiB",
                flush=True,
            )


def sequence_table():
    """Print a row for each length of window."""
    print(f"{'window':>8}" + "".join(f"{f'{steps:,} steps':>16}" for steps in STEPS))
    for window in WINDOWS:
        # Whole, ten times the steps take ten times the memory: not measured.
        found = [in_a_process(steps, window) for steps in STEPS[: 2 if window else 1]]
        sizes = "".join(f"{f'{size / 2**20:.1f} MiB':>16}" for size in found)
        print(f"{window or 'whole':>8}{sizes}", flush=True)


def main():
    """Print the tables, or measure one row of it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-jobs", type=int, default=1)
    parser.add_argument("--measure", nargs="+", help=argparse.SUPPRESS)
    parser.add_argument("--sequences", action="store_true", help="the second table only")
    arguments = parser.parse_args()
    if arguments.measure and arguments.measure[0] in TYPES:
        dtype, *numbers = arguments.measure
        print(measure(dtype, *map(int, numbers)))
    elif arguments.measure:
        print(measure_sequence(*map(int, arguments.measure)))
    else:
        if not arguments.sequences:
            table(arguments.n_jobs)
        sequence_table()


if __name__ == "__main__":
    main()
