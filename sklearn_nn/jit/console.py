"""Messages to a person who watches: at a terminal or in a notebook, and in no other process."""

from __future__ import annotations

import contextlib
import functools
import multiprocessing
import os
import sys
from typing import Any

#: Set to 0, nothing is told about compilation; set to 1, it is told without a terminal too.
COMPILE_MESSAGE = "SKLEARN_NN_COMPILE_MESSAGE"


def in_notebook() -> bool:
    """Return whether this process is the kernel of a notebook."""
    get_ipython = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)
    return getattr(get_ipython(), "kernel", None) is not None


def is_watched(stream: Any) -> bool:
    """Return whether a person reads `stream` now: it is a terminal or the output of a notebook.

    Worker processes are never watched, although they share their parent's terminal.
    """
    if stream is None or multiprocessing.parent_process() is not None:
        return False
    try:
        return in_notebook() or stream.isatty()
    except (AttributeError, ValueError):  # no usual stream, or a closed one
        return False


@functools.cache
def tell_once(text: str) -> None:
    """Write a line to stderr, once per process; a stream that cannot be written costs nothing."""
    with contextlib.suppress(AttributeError, OSError, ValueError):
        sys.stderr.write(f"sklearn_nn: {text}\n")
        sys.stderr.flush()


def tell_compilation(folder: str | None) -> None:
    """Announce that kernels are compiled and kept in `folder`, where a person waits for it."""
    chosen = os.environ.get(COMPILE_MESSAGE)
    if chosen != "0" and (chosen == "1" or is_watched(sys.stderr)):
        kept = f"kept in {folder}" if folder else "in each process, as no folder can be written"
        tell_once(f"compiling kernels, about 10 s for each kind of network the first time; {kept}")
