"""Random configurations of all estimators, as many as there is time for.

SKLEARN_NN_CONFIGURATION_SECONDS is how long that is; how many were run is printed. More are run by
``python tests/configurations.py --from 0 --to 10000``, and one that fails by its seed:
``python tests/configurations.py 17``.
"""

import os

import pytest
from configurations import run_many, summary

#: Seconds of all parts together.
_SECONDS = float(os.environ.get("SKLEARN_NN_CONFIGURATION_SECONDS", "60"))
_PARTS = 2
#: Seeds of a part; more than there is time for.
_SEEDS = 25_000


@pytest.mark.parametrize("part", range(_PARTS))
def test_random_configurations(part, capsys, record_property):
    first = part * _SEEDS
    done = run_many(first, first + _SEEDS, seconds=_SECONDS / _PARTS)
    record_property("configurations", done.n_done)
    with capsys.disabled():
        print(f"\n{done.n_done} configurations from seed {first} on")
    if done.faults:
        pytest.fail(summary(done), pytrace=False)
