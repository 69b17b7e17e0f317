"""Time-series networks on sets of the UCR and UEA archives, beside published accuracies.

Run with ``python tests/benchmarks/time_series.py [PRESET ...] [SET ...]``, with names of `PRESETS`
and `SETS`; all by default. Data are read from
$SKLEARN_NN_DATA or ../shared/data: training and test sets as the archives divide them, three seeds
each. JapaneseVowels, whose sequences differ in length, is padded with zeros at the end.

Published figures are those of github.com/MSD-IRIMAS/LITE, files results.csv (GunPoint and
ItalyPowerDemand) and results_multivariate.csv (BasicMotions and JapaneseVowels): after 1,500 epochs
(2,000 for FCN). Training here is shorter: `max_iter` is 60 epochs, for LITE the automatic number.
Rates and epochs were chosen by cross-validation on training sets.
"""

from __future__ import annotations

import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sklearn_nn import time_series

sys.path.insert(0, str(Path(__file__).parents[1]))
from helpers.real_sequences import archive

warnings.simplefilter("ignore", ConvergenceWarning)

SEEDS = (0, 1, 2)
#: Published accuracies, in the order of `PRESETS`.
SETS = {
    "ItalyPowerDemand": (0.9650, 0.9685, 0.9670, 0.9627, 0.9615),
    "GunPoint": (1.0, 0.9973, 1.0, 0.9973, 0.9907),
    "BasicMotions": (1.0, 0.95, 0.95, 1.0, 1.0),
    "JapaneseVowels": (0.9702, 0.9676, 0.9730, 0.9730, 0.9135),
}
#: Functions that make the networks.
PRESETS = {
    "inception_time": partial(time_series.inception_time, max_iter=60),
    "lite": time_series.lite,
    "lite_time": partial(time_series.lite, n_networks=5),
    "fcn": partial(time_series.fcn, max_iter=60),
    "resnet_1d": partial(time_series.resnet_1d, max_iter=60),
}


def equal_length(parts):
    """Return (X, y) pairs with zeros after the end of shorter sequences."""
    longest = max(len(x) for X, _ in parts for x in X)
    return [
        (np.stack([np.pad(x, ((0, longest - len(x)), (0, 0))) for x in X]), y) for X, y in parts
    ]


def row(preset, name):
    """Print the accuracies of all seeds, their mean, the published one, and seconds of a fit."""
    train, test = equal_length(archive(name))
    accuracies, seconds = [], []
    for seed in SEEDS:
        start = time.perf_counter()
        model = PRESETS[preset](random_state=seed).fit(*train)
        seconds.append(time.perf_counter() - start)
        accuracies.append(model.score(*test))
    published = SETS[name][list(PRESETS).index(preset)]
    each = " ".join(f"{accuracy:.4f}" for accuracy in accuracies)
    print(
        f"{name:<17} {preset:<15} {model.n_iter_:>4} epochs  {each}  mean {np.mean(accuracies):.4f}"
        f"  published {published:.4f}  {np.median(seconds):7.1f} s",
        flush=True,
    )


def main():
    """Print the rows of the presets and sets named on the command line, or all."""
    presets, sets = ([n for n in names if n in sys.argv] or names for names in (PRESETS, SETS))
    for preset in presets:
        for name in sets:
            row(preset, name)


if __name__ == "__main__":
    main()
