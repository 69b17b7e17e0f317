"""Interrupts at chosen instants: at the k-th line of a file, or once something holds."""

import signal
import sys
import threading
import time

import pytest

sends_signals = pytest.mark.skipif(
    not hasattr(signal, "pthread_kill"), reason="sends a signal as Unix systems do"
)


class At:
    """Context that raises an error at the k-th line that this thread runs of a file.

    Attributes
    ----------
    left : int
        Lines still to come: 0 once the error has been raised.
    """

    def __init__(self, file, k, error=KeyboardInterrupt):
        self.file, self.left, self.error = file, k, error

    def __enter__(self):
        self.before = sys.gettrace()
        sys.settrace(self._call)

    def __exit__(self, *_):
        sys.settrace(self.before)

    def _call(self, frame, event, _):
        return self._line if frame.f_code.co_filename == self.file else None

    def _line(self, frame, event, _):
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise self.error
        return self._line


def interrupt_when(condition):
    """Send an interrupt to the main thread once something holds; returns the thread that does."""

    def watch():
        while not condition():
            time.sleep(0.001)
        signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def raising(error):
    """Return a function of any arguments that raises an error."""

    def fail(*_, **__):
        raise error

    return fail
