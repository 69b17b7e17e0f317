"""Kill a fit that saves itself after every epoch, again and again, and look at what it leaves.

Usage: python tests/helpers/processes/kill_fit.py FOLDER KILLS [SEED]

Prints how many kills there were, how many struck while a file was being written, how many epochs
the files that were found had seen at least and at most, and how many times no file could be
loaded or held something else than the model of its epoch (never, it is hoped).
"""

import hashlib
import os
import random
import signal
import sys
import time
import warnings
from pathlib import Path

import numpy as np

from sklearn_nn import MLPClassifier, load
from sklearn_nn.training import CheckpointError, LambdaCallback, ModelCheckpoint

EPOCHS = 60
X = np.random.default_rng(0).standard_normal((60, 20))
Y = np.arange(60) % 3


def network(*callbacks):
    """Return a network whose checkpoint is 0.5 MB."""
    return MLPClassifier(
        (150, 100), max_iter=EPOCHS, random_state=0, tol=0.0, n_iter_no_change=np.inf,
        callbacks=list(callbacks),
    )  # fmt: skip


def digest(model):
    return hashlib.sha256(model._network.theta.tobytes()).hexdigest()


def fit_and_save(path, ready):
    """Fit until the process is killed."""

    def tell(epoch, log, model):
        if epoch == 2:  # the first checkpoint is there
            os.write(ready, b"!")

    network(LambdaCallback(tell), ModelCheckpoint(path)).fit(X, Y)
    time.sleep(60)


def kill_once(path, delay):
    """Start a fit, and kill it `delay` seconds after its first checkpoint."""
    readable, writable = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            fit_and_save(path, writable)
        finally:
            os._exit(1)
    os.close(writable)
    assert os.read(readable, 1) == b"!", "the fit failed"
    os.close(readable)
    time.sleep(delay)
    os.kill(child, signal.SIGKILL)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status), "the fit ended by itself"


def epoch_of(path, digests):
    """Return the number of epochs that the model in the file has seen; None if it is damaged."""
    try:
        model = load(path)
    except CheckpointError:
        return None
    whole = digests.get(model.n_iter_) == digest(model) and len(model.predict(X)) == len(X)
    return model.n_iter_ if whole else None


def main(folder, kills, seed=0):
    warnings.simplefilter("ignore")
    path, chance, digests = Path(folder) / "model.npz", random.Random(seed), {}
    note = LambdaCallback(lambda epoch, _, model: digests.update({epoch: digest(model)}))
    network(note).fit(X, Y)
    found, midway, lost = [], 0, 0
    for _ in range(kills):
        kill_once(path, chance.uniform(0, 0.15))
        epoch = epoch_of(path, digests)
        lost += epoch is None
        found.append(epoch or 0)
        leftovers = [other for other in Path(folder).iterdir() if other != path]
        midway += bool(leftovers)
        for other in (*leftovers, path):
            other.unlink()
    print(f"{kills} kills, {midway} midway, epochs {min(found)} to {max(found)}, {lost} lost")


if __name__ == "__main__":
    main(sys.argv[1], *map(int, sys.argv[2:]))
