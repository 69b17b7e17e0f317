"""Kill a process that writes checkpoints, again and again, and look at what it leaves.

Usage: python tests/helpers/processes/kill_writer.py FOLDER KILLS [SEED]

Prints how many kills there were, how many struck while a file was being written, how many times
each of the two checkpoints was found, and how many times neither was (never, it is hoped).
checkpoint/file.py is loaded by its path: importing the package takes longer than many kills.
"""

import importlib.util
import os
import random
import signal
import sys
import time
from pathlib import Path

import numpy as np

SOURCE = Path(__file__).resolve().parents[3] / "sklearn_nn" / "training" / "checkpoint" / "file.py"


def load_module():
    spec = importlib.util.spec_from_file_location("checkpoint", SOURCE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def contents():
    """Return two checkpoints, of 0.2 and of 0.6 MB."""
    rng = np.random.default_rng(0)
    return [
        ({"which": which, "history": list(range(10))}, {"theta": rng.normal(size=size)})
        for which, size in enumerate((25_000, 75_000))
    ]


def write_for_ever(checkpoint, path, both, ready):
    """Write until the process is killed."""
    checkpoint.write(path, *both[0])
    os.write(ready, b"!")
    while True:
        for meta, arrays in reversed(both):
            checkpoint.write(path, meta, arrays)


def kill_once(checkpoint, path, both, delay):
    """Start a writer, and kill it `delay` seconds after its first checkpoint."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            write_for_ever(checkpoint, path, both, writable)
        finally:
            os._exit(1)
    os.close(writable)
    assert os.read(readable, 1) == b"!", "the writer failed"
    os.close(readable)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the writer ended by itself"


def which(checkpoint, path, both):
    """Return which of the two the file holds; None if neither."""
    try:
        meta, arrays = checkpoint.read(path)
    except checkpoint.CheckpointError:
        return None
    for i, (expected, weights) in enumerate(both):
        same = meta == expected and list(arrays) == ["theta"]
        if same and arrays["theta"].tobytes() == weights["theta"].tobytes():
            return i
    return None


def main(folder, kills, seed=0):
    checkpoint, both = load_module(), contents()
    path, chance = Path(folder) / "model.checkpoint", random.Random(seed)
    found, midway = {0: 0, 1: 0, None: 0}, 0
    for _ in range(kills):
        kill_once(checkpoint, path, both, chance.uniform(0, 0.05))
        found[which(checkpoint, path, both)] += 1
        leftovers = [other for other in Path(folder).iterdir() if other != path]
        midway += bool(leftovers)
        for other in leftovers:
            other.unlink()
    print(f"{kills} kills, {midway} midway, {found[0]} and {found[1]} found, {found[None]} lost")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
