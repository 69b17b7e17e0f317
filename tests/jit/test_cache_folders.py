"""Which folders kernels are read from and kept in, and what is said of one that is of no use."""

import json
import os
import shutil
import stat
import tempfile
import warnings
from pathlib import Path

import numpy as np
import pytest

from sklearn_nn.jit import cache
from sklearn_nn.jit.contract import load_contract
from sklearn_nn.jit.kernel import Kernel, Kind

posix = pytest.mark.skipif(os.name != "posix", reason="permission bits are those of Unix systems")
as_root = pytest.mark.skipif(
    not hasattr(os, "getuid") or os.getuid() != 0, reason="makes files of other users"
)
KIND = Kind("triple", x="real[:]", y="real[:]")
#: Users that there need not be.
ONE, OTHER = 54321, 54322


def triple(x, y):
    for i in range(x.size):
        y[i] = 3 * x[i]


def run():
    """A kernel that has not been compiled in this process: (hits, misses) of its cache."""
    made, x, y = Kernel(triple, KIND, "test_cache_folders.triple"), np.ones(1), np.zeros(1)
    made(x, y)
    assert y[0] == 3
    return made._cache.hits, made._cache.misses


def anew():
    """Forget what was found, as a new process would."""
    for found in (cache.cache_folder, cache.read_only_folders, cache._tell):
        found.cache_clear()


@pytest.fixture
def places(monkeypatch):
    """A folder that others can enter, to be looked for in; and what this process finds in it."""
    for dtype in ("float32", "float64"):
        load_contract(dtype)
    with tempfile.TemporaryDirectory() as name:
        path = Path(name).resolve()
        path.chmod(0o755)
        monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(path / "chosen"))
        monkeypatch.setenv("XDG_CACHE_HOME", str(path / "home"))
        monkeypatch.setattr(tempfile, "tempdir", str(path / "temporary"))
        anew()
        yield path
    monkeypatch.undo()
    anew()


def filled(root):
    """A folder with the kernel in it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(cache.ENVIRONMENT_VARIABLE, str(root))
        anew()
        run()
        folder = cache.cache_folder()
    anew()
    assert folder.parent == root
    return folder


def refuse_to_write(monkeypatch, *roots):
    """As on a file system that is mounted read-only: not even root can write."""
    plain_file, plain_mkdir = tempfile.TemporaryFile, Path.mkdir

    def check(path):
        if any(Path(path).is_relative_to(root) for root in roots):
            raise OSError(30, "Read-only file system", str(path))

    def temporary_file(**named):
        check(named["dir"])
        return plain_file(**named)

    def mkdir(path, *arguments, **named):
        check(path)
        plain_mkdir(path, *arguments, **named)

    monkeypatch.setattr(cache.tempfile, "TemporaryFile", temporary_file)
    monkeypatch.setattr(Path, "mkdir", mkdir)


def as_user(uid, function):
    """Return a function's result in a process of another user."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of threads that a fork leaves behind
        child = os.fork()
    if child == 0:
        answer = "died"
        try:
            os.setgroups([])
            os.setgid(uid)
            os.setuid(uid)
            anew()
            with warnings.catch_warnings(record=True) as told:
                warnings.simplefilter("always")
                answer = [function(), [str(w.message) for w in told]]
        except BaseException as error:
            answer = repr(error)
        finally:
            os.write(writing, json.dumps(answer).encode())
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as file:
        answer = json.loads(file.read())
    os.waitpid(child, 0)
    assert isinstance(answer, list), answer
    return answer


# --- folders that others have filled -------------------------------------------------------------


def test_a_read_only_file_system(places, monkeypatch):
    """Existing entries are read; missing ones are kept in the next folder, and found there."""
    folder = filled(places / "chosen")
    refuse_to_write(monkeypatch, places / "chosen")
    anew()
    assert run() == (1, 0)
    (entry,) = folder.glob("*.kernel")
    entry.rename(places / "elsewhere")
    anew()
    assert cache.read_only_folders() == (folder,)
    assert cache.cache_folder() == places / "home" / "sklearn_nn" / cache.stamp()
    assert run() == (0, 1)
    assert run() == (1, 0)
    assert list(folder.iterdir()) == []


def test_without_any_folder_to_write(places, monkeypatch):
    filled(places / "chosen")
    refuse_to_write(monkeypatch, places)
    anew()
    assert cache.cache_folder() is None
    assert run() == (1, 0)


def test_a_damaged_entry_of_others_is_left(places, monkeypatch):
    folder = filled(places / "chosen")
    (entry,) = folder.glob("*.kernel")
    entry.write_bytes(entry.read_bytes()[:-1])
    refuse_to_write(monkeypatch, places / "chosen")
    anew()
    assert run() == (0, 1)
    assert run() == (1, 0)
    assert entry.exists()


@as_root
def test_a_cache_made_by_root_and_read_by_a_user(places):
    """As in a container that is built by one and run by another."""
    folder = filled(places / "chosen")
    (entry,) = folder.glob("*.kernel")
    (places / "home").mkdir()
    os.chown(places / "home", ONE, ONE)

    def look():
        found = [run(), [str(f) for f in cache.read_only_folders()], str(cache.cache_folder())]
        entry_is_there = entry.exists()
        return [*found, entry_is_there]

    found, told = as_user(ONE, look)
    kept = places / "home" / "sklearn_nn" / cache.stamp()
    assert found == [[1, 0], [str(folder)], str(kept), True]
    assert told == []
    assert stat.S_IMODE(kept.stat().st_mode) == 0o700


@posix
def test_permissions_of_cached_files(places, monkeypatch):
    """Others where the folder was chosen, and nobody else where it was not."""
    before = os.umask(0o022)
    try:
        folder = filled(places / "some" / "chosen")
        monkeypatch.delenv(cache.ENVIRONMENT_VARIABLE)
        monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
        anew()
        run()
    finally:
        os.umask(before)
    private = cache.cache_folder()
    for path, mode in ((folder.parent.parent, 0o755), (folder, 0o755), (private, 0o700)):
        assert stat.S_IMODE(path.stat().st_mode) == mode
    for where, mode in ((folder, 0o644), (private, 0o600)):
        (entry,) = where.glob("*.kernel")
        assert stat.S_IMODE(entry.stat().st_mode) == mode


# --- folders that are refused --------------------------------------------------------------------


def check_refused(places, told, variable="SKLEARN_NN_CACHE_DIR"):
    """The chosen folder is not used; that is said once, here, and kernels are kept elsewhere."""
    shutil.rmtree(places / "home", ignore_errors=True)
    anew()
    with pytest.warns(UserWarning, match=rf"{variable}=.* is not used .*{told}") as found:
        assert [run(), run()] == [(0, 1), (1, 0)]
    assert [warning.filename for warning in found] == [__file__]
    assert cache.cache_folder() == places / "home" / "sklearn_nn" / cache.stamp()
    assert cache.read_only_folders() == ()


@posix
@pytest.mark.parametrize("mode", [0o777, 0o772])
@pytest.mark.parametrize("at", ["root", "stamp", "above"])
def test_a_folder_that_everybody_can_write(places, mode, at):
    folder = filled(places / "above" / "chosen")
    os.environ[cache.ENVIRONMENT_VARIABLE] = str(places / "above" / "chosen")
    path = {"root": folder.parent, "stamp": folder, "above": places / "above"}[at]
    path.chmod(mode)
    check_refused(places, f"{path} can be written by everybody.* chmod ")


@as_root
@pytest.mark.parametrize("at", ["root", "stamp"])
def test_a_folder_that_a_group_can_write(places, at):
    folder = filled(places / "chosen")
    path = folder.parent if at == "root" else folder
    path.chmod(0o775)
    check_refused(places, f"{path} can be written by its group")


@posix
@pytest.mark.parametrize("above", [False, True])
def test_folder_where_only_owners_can_rename(places, above):
    """The sticky bit, as that of /tmp."""
    folder = filled(places / "above" / "chosen")
    os.environ[cache.ENVIRONMENT_VARIABLE] = str(places / "above" / "chosen")
    (places / "above" if above else folder.parent).chmod(0o1777)
    anew()
    assert run() == (1, 0)
    assert cache.cache_folder() == folder


@as_root
@pytest.mark.parametrize("at", ["root", "stamp"])
def test_a_folder_of_another_user(places, at):
    """Root does not run what a user has written, either."""
    folder = filled(places / "chosen")
    os.chown(folder.parent if at == "root" else folder, ONE, ONE)
    check_refused(places, f"belongs to another user .uid {ONE}.")


@as_root
def test_a_users_folder_and_another_user(places):
    folder = filled(places / "chosen")
    for path in (folder.parent, folder, *folder.iterdir()):
        os.chown(path, ONE, ONE)
    assert as_user(ONE, run) == [[1, 0], []]
    found, (told,) = as_user(OTHER, run)
    assert found == [0, 1]  # nowhere to look
    assert f"belongs to another user (uid {ONE})" in told


@posix
@pytest.mark.parametrize("mode", [0o646, 0o664])
def test_an_entry_that_others_can_write(places, mode):
    folder = filled(places / "chosen")
    (entry,) = folder.glob("*.kernel")
    entry.chmod(mode)
    anew()
    with pytest.warns(UserWarning, match=r"\* can be written by .* chmod go-w"):
        assert run() == (0, 1)
    # It is one of our own, and has been replaced.
    assert run() == (1, 0)
    assert not entry.stat().st_mode & (stat.S_IWGRP | stat.S_IWOTH)


@as_root
def test_an_entry_of_another_user(places):
    """Root's folder, in which a user owns a file."""
    folder = filled(places / "chosen")
    (entry,) = folder.glob("*.kernel")
    os.chown(entry, ONE, ONE)
    found, (told,) = as_user(OTHER, run)
    assert found == [0, 1]
    assert f"belongs to another user (uid {ONE})" in told


def test_a_file_in_its_place(places):
    (places / "chosen").write_text("")
    check_refused(places, "chosen is not a folder")
    (places / "chosen").unlink()
    (places / "chosen").mkdir()
    (places / "chosen" / cache.stamp()).write_text("")
    check_refused(places, f"{cache.stamp()} is not a folder")


def test_no_folder_on_a_read_only_file_system(places, monkeypatch):
    refuse_to_write(monkeypatch, places / "chosen")
    check_refused(places, r"Read-only file system\. There are no kernels .*warmup")
    monkeypatch.delenv(cache.ENVIRONMENT_VARIABLE)
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(places / "chosen"))
    check_refused(places, "Read-only file system", variable="NUMBA_CACHE_DIR")


def test_kernels_of_other_versions_on_a_read_only_file_system(places, monkeypatch):
    folder = filled(places / "chosen")
    folder.rename(folder.with_name("0" * 20))
    refuse_to_write(monkeypatch, places / "chosen")
    check_refused(places, "There are no kernels of this version for this processor")


@as_root
def test_a_folder_that_cannot_be_read(places):
    filled(places / "chosen").chmod(0o700)
    found, (told,) = as_user(ONE, run)
    assert found == [0, 1]  # nowhere to look
    assert "Permission denied. Let this user read it (chmod -R go+rX" in told


@posix
def test_a_link_to_a_folder(places):
    """The target of the link counts."""
    folder = filled(places / "real")
    (places / "chosen").symlink_to(places / "real")
    anew()
    assert run() == (1, 0)
    folder.parent.chmod(0o777)
    check_refused(places, f"{folder.parent} can be written by everybody")


def test_nothing_is_said_of_folders_that_nobody_chose(places, monkeypatch):
    monkeypatch.delenv(cache.ENVIRONMENT_VARIABLE)
    monkeypatch.delenv("NUMBA_CACHE_DIR", raising=False)
    (places / "home").write_text("")
    (places / "temporary").mkdir()
    anew()
    run()
    assert cache.cache_folder().parent.parent == places / "temporary"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/dev/null/nothing")
    anew()
    assert cache.cache_folder().parent.parent == places / "temporary"
