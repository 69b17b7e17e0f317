"""TabularClassifier over a Parquet file four times larger than the memory that is allowed for it.

``python tests/benchmarks/streams.py [MIB]`` writes a file whose rows take 4 x MIB in memory, and
fits it as a stream in a process whose address space may grow by MIB (default 256) beyond that of
the same fit on a small file, then in memory without a limit. It prints the test accuracies and the
peak of resident memory of each.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

ROWS_AT_ONCE, N_NUMBERS = 100_000, 14


def table(n, seed):
    """Return n rows whose class depends on numbers and two columns of text."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, N_NUMBERS)).astype(np.float32)
    few, many = rng.integers(0, 5, n), rng.integers(0, 60, n)
    score = X[:, 0] * X[:, 1] + X[:, 2] + 0.5 * (few - 2) + np.sin(many) + rng.logistic(0, 0.5, n)
    frame = pd.DataFrame({f"x{k}": X[:, k] for k in range(N_NUMBERS)})
    frame["few"] = pd.Categorical.from_codes(few, list("abcde"))
    frame["many"] = pd.Categorical.from_codes(many, [f"m{k}" for k in range(60)])
    frame["y"] = (score > 0).astype(np.int8)
    return frame


def write(path, n):
    """Write n rows, a row group at a time."""
    import pyarrow as pa
    from pyarrow import parquet

    writer = None
    for k, start in enumerate(range(0, n, ROWS_AT_ONCE)):
        part = pa.Table.from_pandas(table(min(ROWS_AT_ONCE, n - start), k), preserve_index=False)
        writer = writer or parquet.ParquetWriter(path, part.schema)
        writer.write_table(part, row_group_size=20_000)
    writer.close()


def address_space():
    """Return the bytes of address space of this process."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    return pages * resource.getpagesize()


def fit(path, small, mib):
    """Fit in this process, and print the accuracy and memory; mib=0 is in memory, without limit."""
    from sklearn_nn import TabularClassifier
    from sklearn_nn.preprocessing import ParquetBatches

    def model(epochs):
        return TabularClassifier(
            n_networks=1, max_iter=epochs, hidden_layer_sizes=64, batch_size=1024, random_state=0
        )

    def stream(name):
        return ParquetBatches(name, target="y", batch_rows=20_000, shuffle_buffer=80_000)

    held_out, test = table(10_000, 10**6), table(50_000, 10**6 + 1)
    validation = {"X_val": held_out.drop(columns="y"), "y_val": held_out["y"].to_numpy()}
    model(1).fit(stream(small), **validation).predict(test[:1000].drop(columns="y"))
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    if mib:
        limit = address_space() + mib * 2**20
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        fitted = model(4).fit(stream(path), **validation)
    else:
        whole = pd.read_parquet(path)
        fitted = model(4).fit(whole.drop(columns="y"), whole["y"].to_numpy(), **validation)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    score = fitted.score(test.drop(columns="y"), test["y"])
    print(json.dumps({"accuracy": score, "peak_mib": (peak - before) / 1024}))


def main(mib=256):
    """Write the files, and compare both fits."""
    of_row = table(1000, 0).memory_usage(index=False, deep=True).sum() / 1000
    n = int(4 * mib * 2**20 / of_row)
    with tempfile.TemporaryDirectory() as folder:
        path, small = Path(folder) / "large.parquet", Path(folder) / "small.parquet"
        write(path, n)
        write(small, ROWS_AT_ONCE)
        print(f"{n:,} rows, {4 * mib} MiB in memory, {path.stat().st_size / 2**20:.0f} MiB on disk")
        for name, limit in (("stream", mib), ("in memory", 0)):
            call = [sys.executable, __file__, "fit", path, small, str(limit)]
            found = subprocess.run(call, check=True, capture_output=True, text=True).stdout
            print(name, found.strip().splitlines()[-1])


if __name__ == "__main__":
    if sys.argv[1:2] == ["fit"]:
        fit(sys.argv[2], sys.argv[3], int(sys.argv[4]))
    else:
        main(*map(int, sys.argv[1:2]))
