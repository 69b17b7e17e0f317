"""Programs that an estimator keeps, so that they are not made for every prediction."""

from __future__ import annotations

import threading

#: Programs that an estimator keeps for forms of X other than that of the fit.
MOST_PROGRAMS = 32


class Programs:
    """What was made last, by key; of what has not been asked for longest, nothing is kept.

    Several threads may ask at once.

    Parameters
    ----------
    most : int
        How many are kept.
    """

    def __init__(self, most=MOST_PROGRAMS):
        self._most = most
        self._found = {}
        self._lock = threading.Lock()

    def __len__(self):
        return len(self._found)

    def get(self, key, make):
        """What there is under a key; where there is nothing, what `make` returns from now on."""
        with self._lock:
            if key in self._found:
                self._found[key] = self._found.pop(key)  # the last is the one asked for last
                return self._found[key]
        made = make()  # by several threads, perhaps: all the same
        with self._lock:
            self._found.pop(key, None)
            self._found[key] = made
            while len(self._found) > self._most:
                del self._found[next(iter(self._found))]
        return made
