"""Processes that need one entry of the cache at the same time: one makes it, and none is stuck."""

import contextlib
import errno
import os
import signal
import threading
import time
import warnings

import pytest

from sklearn_nn.jit import cache

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """A cache that is empty, and no process that was waited for in vain."""
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    monkeypatch.setattr(cache, "_IN_VAIN", threading.Event())
    return tmp_path


def start(function):
    """Run a function in a child process; return its number."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that a fork leaves behind
        child = os.fork()
    if child == 0:
        try:
            function()
            os._exit(0)
        finally:
            os._exit(1)
    return child


def ended_well(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@contextlib.contextmanager
def held(path, seconds=600.0):
    """Another process holds the lock of `path`; yields its number."""
    reading, writing = os.pipe()

    def hold():
        with cache.one_at_a_time(path):
            os.write(writing, b"!")
            time.sleep(seconds)

    child = start(hold)
    try:
        assert os.read(reading, 1) == b"!"
        yield child
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)


def test_one_process_makes_an_entry(folder, tmp_path_factory):
    log = tmp_path_factory.mktemp("log") / "made"

    def obtain():
        one = cache.KernelCache("one", __file__)

        def make():
            with log.open("a") as file:
                file.write("made\n")
            time.sleep(0.2)
            one.save("types", b"payload")
            return b"payload"

        assert one.obtain("types", bytes, make) == b"payload"
        assert one.hits + one.misses == 1

    children = [start(obtain) for _ in range(6)]
    assert [ended_well(child) for child in children] == 6 * [True]
    assert log.read_text() == "made\n"
    assert [path.suffix for path in folder.iterdir()] == [".kernel"]


def test_other_entries_are_not_waited_for(folder):
    with held(folder / "one.lock"), cache.one_at_a_time(folder / "other.lock"):
        assert not cache._IN_VAIN.is_set()


def test_a_process_that_is_killed_is_not_waited_for(folder):
    with held(folder / "one.lock") as child:
        os.kill(child, signal.SIGKILL)
        with cache.one_at_a_time(folder / "one.lock"):
            assert not cache._IN_VAIN.is_set()
    assert list(folder.iterdir()) == []


def test_a_child_does_not_hold_the_lock_of_its_parent(folder):
    """A process that has forked while it compiled, and is killed before its child ends."""
    reading, writing = os.pipe()

    def hold():
        with cache.one_at_a_time(folder / "one.lock"):
            grandchild = start(lambda: time.sleep(600))
            os.write(writing, f"{grandchild}\n".encode())
            time.sleep(600)

    child = start(hold)
    with os.fdopen(reading) as file:
        grandchild = int(file.readline())
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    try:
        with cache.one_at_a_time(folder / "one.lock"):
            assert not cache._IN_VAIN.is_set()
        os.kill(grandchild, 0)  # it is still there
    finally:
        os.kill(grandchild, signal.SIGKILL)
        os.close(writing)


def test_a_process_that_does_nothing_is_waited_for_once(folder, monkeypatch):
    """As one that Ctrl-Z has stopped while it compiled."""
    monkeypatch.setattr(cache, "PATIENCE", 0.1)
    with held(folder / "one.lock"), held(folder / "other.lock"):
        with cache.one_at_a_time(folder / "one.lock"):
            assert cache._IN_VAIN.is_set()
        monkeypatch.setattr(cache, "PATIENCE", 10**6)
        with cache.one_at_a_time(folder / "other.lock"):
            pass


def test_a_lock_ends_with_an_error(folder):
    with pytest.raises(ZeroDivisionError), cache.one_at_a_time(folder / "one.lock"):
        raise ZeroDivisionError
    assert list(folder.iterdir()) == []
    with cache.one_at_a_time(folder / "one.lock"):
        pass


def test_a_file_system_without_locks(folder, monkeypatch):
    def refuse(handle):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(cache, "_lock", refuse)
    with cache.one_at_a_time(folder / "one.lock"):
        pass
    assert list(folder.iterdir()) == []
