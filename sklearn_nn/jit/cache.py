"""Disk cache of compiled kernels.

Numba's own cache checks only the file of a function, so that machine code stays in use after a
callee in another file was edited. Here, the name of the folder of an entry is a *stamp*: a digest
of the package's version, all files with kernels, the compiler and the processor. Any change leads
to another folder. Unreadable entries are compiled again.

Entries are executed as code. They are read only from folders that belong to this user or to root
and that nobody else can write, such as a folder that root has filled while a container image was
built. New entries are written to the first folder that this user can write. Before all these, a
folder within the package is read, whose kernels were made when the package was built; it is never
written here.

Of several processes that need the same kernel at once, one compiles it, and the others wait for its
entry. The lock is the operating system's and ends with the process that holds it.

Nothing here needs Numba: the stamp has the version of the installed package.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import os
import platform
import re
import shutil
import stat
import sys
import tempfile
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple, TypeVar

import llvmlite

from sklearn_nn.jit import settings
from sklearn_nn.jit.host import TARGET, VECTOR_BITS, VECTOR_REGISTERS, uses_svml

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_FOLDERS = ("jit", "layers", "network", "training")
ENVIRONMENT_VARIABLE = "SKLEARN_NN_CACHE_DIR"
#: Kernels made when the package was built (see prebuild.py), by stamp as in other folders.
PREBUILT = PACKAGE / "prebuilt_kernels"
#: Number of folders kept, so that several environments do not evict each other.
KEPT_STAMPS = 8
_DIGEST = hashlib.sha256
_STAMP = re.compile("[0-9a-f]{20}")
#: Numba's settings that affect machine code.
_SETTINGS = (
    "CPU_NAME", "CPU_FEATURES", "ENABLE_AVX", "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE",
    "LLVM_REFPRUNE_PASS", "LLVM_REFPRUNE_FLAGS", "BOUNDSCHECK", "DEBUGINFO_DEFAULT",
)  # fmt: skip


def source_stamp(package: Path = PACKAGE) -> str:
    """Return a digest of the package's version file and all files that may contain kernels."""
    digest = _DIGEST()
    files = [package / "__init__.py"]
    for folder in KERNEL_FOLDERS:
        files += sorted((package / folder).rglob("*.py"))
    for file in files:
        name = file.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


# Computed at import, because code that is compiled later was imported from these files.
_IMPORTED_SOURCE = source_stamp()


def _compiler() -> tuple[object, ...]:
    """Return the versions and the settings of the compiler."""
    found = [(name, repr(getattr(settings(), name, None))) for name in _SETTINGS]
    return importlib.metadata.version("numba"), llvmlite.__version__, found, uses_svml()


@functools.cache
def stamp() -> str:
    """Return a digest, of 20 hexadecimal digits, of all that affects machine code."""
    parts = (
        _IMPORTED_SOURCE, sys.version, _compiler(), platform.machine(), TARGET,
        (VECTOR_BITS, VECTOR_REGISTERS),
    )  # fmt: skip
    return _DIGEST(repr(parts).encode()).hexdigest()[:20]


def _candidate_roots() -> list[Path]:
    """Return the folders that may hold the cache, best first."""
    chosen = _chosen_root()
    roots = [] if chosen is None else [chosen[1]]
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA")
    elif sys.platform == "darwin":
        base = os.path.expanduser("~/Library/Caches")
    else:
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    if base and not base.startswith("~"):
        roots.append(Path(base) / "sklearn_nn")
    user = os.getuid() if hasattr(os, "getuid") else os.environ.get("USERNAME", "user")
    with contextlib.suppress(OSError):  # without a temporary folder
        roots.append(Path(tempfile.gettempdir()) / f"sklearn_nn-{user}")
    return roots


def _chosen_root() -> tuple[str, Path] | None:
    """Return the folder that the user has chosen, and the environment variable that names it."""
    for variable in (ENVIRONMENT_VARIABLE, "NUMBA_CACHE_DIR"):
        if chosen := os.environ.get(variable):
            return variable, Path(chosen)
    return None


def _has_private_group(found: os.stat_result) -> bool:
    """Return whether the group of a user's file consists of that user only."""
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except (ImportError, KeyError):
        return False
    alone = group.gr_mem in ([], [user.pw_name])
    return user.pw_uid != 0 and group.gr_name == user.pw_name and alone


def _danger(path: Path, found: os.stat_result, *, holds_folders: bool = False) -> str | None:
    """Return why the content of a path may be another user's, with the remedy; None if it is safe.

    A folder that holds folders is unsafe if others may replace one of them, which the sticky bit
    prevents.
    """
    if not hasattr(os, "getuid"):
        return None
    if found.st_uid not in (0, os.getuid()):
        return (
            f"{path} belongs to another user (uid {found.st_uid}), and its content is executed "
            "as code. Change its owner to the user who runs this process, or to root"
        )
    writers = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if holds_folders:
        writers &= 0 if found.st_mode & stat.S_ISVTX else ~0
        writers &= ~stat.S_IWGRP if _has_private_group(found) else ~0
    if not writers:
        return None
    who = "everybody" if writers & stat.S_IWOTH else "its group"
    return (
        f"{path} can be written by {who}, and its content is executed as code. Remove "
        f"that permission: chmod go-w {path}"
    )


def _refusal(folder: Path) -> str | None:
    """Return why entries in `folder` must not be loaded, with the remedy; None if they may."""
    root = folder.parent.resolve()
    for outer in root.parents:
        mode = outer.stat().st_mode if outer.exists() else 0
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"{outer} can be written by everybody. Remove that permission: chmod o-w {outer}"
    for path, holds_folders in ((root, True), (folder, False)):
        if path.exists():
            if not path.is_dir():
                return f"{path} is not a folder. Choose another name"
            if danger := _danger(path, path.stat(), holds_folders=holds_folders):
                return danger
    return None


def _is_like_package(path: Path, found: os.stat_result) -> bool:
    """Return whether only those can write to a path within the package who can change its code."""
    if not hasattr(os, "getuid"):
        return True
    package = PACKAGE.stat()
    writers = found.st_mode & ~package.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    same = (found.st_uid, found.st_gid) == (package.st_uid, package.st_gid)
    return same and not writers and not path.is_symlink()


def _prebuilt() -> list[Path]:
    """Return the folder of kernels that were made with the package, if they fit this process."""
    folder = PREBUILT / stamp()
    with contextlib.suppress(OSError):
        if all(_is_like_package(path, path.stat()) for path in (PREBUILT, folder)):
            return [folder]
    return []


def _make(folder: Path, mode: int) -> None:
    """Create a folder and its parents with this mode."""
    if not folder.parent.exists():
        _make(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)


def _can_write(folder: Path) -> bool:
    """Return whether this user can write kernels to `folder`."""
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return False
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class Folders(NamedTuple):
    """Folders of compiled kernels."""

    readable: tuple[Path, ...]  # prebuilt and read-only folders, best first
    writable: Path | None  # folder for new kernels, which is read after those
    refusal: str | None  # why the folder that the user has chosen cannot be used; the remedy


def find_folders() -> Folders:
    """Find the readable folders, up to the first writable one."""
    readable = _prebuilt()
    refusal, chosen = None, _chosen_root()
    for root in _candidate_roots():
        is_chosen = chosen is not None and root == chosen[1]
        folder, problem = root / stamp(), None
        is_missing = not os.path.exists(folder)
        try:
            problem = _refusal(folder)
            if problem is None and is_missing:
                _make(folder, 0o755 if is_chosen else 0o700)
                problem = _refusal(folder)  # another process may have changed it
            if problem is None and _can_write(folder):
                _forget_old_stamps(root, folder)
                return Folders(tuple(readable), folder, refusal)
            if problem is None:
                os.listdir(folder)
                readable.append(folder)
        except OSError as error:
            problem = f"{error.filename or folder}: {error.strerror or error}. "
            if is_missing:
                problem += (
                    f"There are no kernels of this version for this processor in {root}. Create "
                    "them by sklearn_nn.warmup() on such a machine, or choose a writable folder"
                )
            else:
                problem += f"Let this user read it (chmod -R go+rX {root}), or choose another"
        if is_chosen:
            refusal = problem
    return Folders(tuple(readable), None, refusal)


@functools.cache
def cache_folder() -> Path | None:
    """Return the folder for newly compiled kernels; None if none is writable."""
    return find_folders().writable


@functools.cache
def read_only_folders() -> tuple[Path, ...]:
    """Return the read-only folders of compiled kernels, best first.

    Warns once per process if the folder that the user has chosen cannot be used.
    """
    found, chosen = find_folders(), _chosen_root()
    if found.refusal is not None and chosen is not None:
        _tell(chosen[0], found.refusal)
    return found.readable


@functools.cache
def _tell(variable: str, refusal: str) -> None:
    """Warn once per process, at the line outside of this package that called it."""
    frame, level = sys._getframe(), 1
    installed, library = Path(llvmlite.__file__).parents[1], Path(functools.__file__).parent
    insiders = (str(PACKAGE), str(installed), str(library))
    while frame.f_back is not None and frame.f_code.co_filename.startswith(insiders):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"{variable}={os.environ.get(variable)} is not used for compiled kernels: {refusal}. "
        "Until then, kernels that are not found elsewhere are compiled again.",
        UserWarning,
        stacklevel=level,
    )


def _forget_old_stamps(root: Path, current: Path) -> None:
    """Remove all but the newest folders; failures, as by concurrent processes, are ignored."""
    try:
        others = [f for f in root.iterdir() if f != current and _STAMP.fullmatch(f.name)]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[KEPT_STAMPS - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return


Loaded = TypeVar("Loaded")


def _own_source(file: str) -> bytes | None:
    """Return a digest of the file of a kernel outside of the package, which is part of its key.

    It is empty for kernels of the package, and None for code without a file, such as that of a
    notebook.
    """
    path = Path(file)
    if PACKAGE in path.parents:
        return b""
    try:
        return _DIGEST(path.read_bytes()).digest()
    except OSError:
        return None


def _content(entry: Path) -> bytes:
    """Return the content of a cache file; raise OSError if another user may have written it."""
    with entry.open("rb") as file:
        found = os.fstat(file.fileno())
        if PREBUILT in entry.parents:
            if not _is_like_package(entry, found):
                raise PermissionError(f"{entry} can be written by others than the package")
        elif danger := _danger(entry.with_name("*"), found):
            if (chosen := _chosen_root()) is not None and chosen[1] == entry.parent.parent:
                _tell(chosen[0], danger)
            raise PermissionError(danger)
        return file.read()


#: Seconds to wait for a process that compiles a kernel, which takes it a few at most; and between
#: two looks.
PATIENCE, _PAUSE = 60.0, 0.02
#: Set when a process was waited for in vain, as one that was stopped: no other is waited for then.
_IN_VAIN = threading.Event()


def _lock(handle: int) -> bool:
    """Lock an open file; return False if another process holds the lock.

    It ends when the file is closed, or the process ends in any way. A child of `fork` does not
    inherit it. Raises OSError where the file system has no locks.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (BlockingIOError, PermissionError):
        return False
    return True


@contextlib.contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Run the body in one process at a time of those that pass the same path.

    At most `PATIENCE` seconds are waited for another one. Where locks cannot be had, as in a folder
    that has vanished, nothing is waited for. The file is removed at the end.
    """
    handle = None
    try:
        with contextlib.suppress(OSError):
            handle, begun = os.open(path, os.O_RDWR | os.O_CREAT, 0o600), time.monotonic()
            while not _lock(handle) and not _IN_VAIN.is_set():
                if time.monotonic() - begun > PATIENCE:
                    _IN_VAIN.set()
                time.sleep(_PAUSE)
        yield
    finally:
        if handle is not None:
            os.close(handle)
            with contextlib.suppress(OSError):
                path.unlink()


class KernelCache:
    """Cache of the machine code of one function, for one or several signatures.

    The function's `name` is unique within the project. The key of an entry includes `_own_source`.
    """

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.source = _own_source(file)
        self.hits = 0  # entries used
        self.misses = 0  # entries made

    @property
    def path(self) -> str | None:
        """Folder of new entries."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def _name(self, signature: str) -> str:
        """Return the file name of an entry."""
        assert self.source is not None
        key = _DIGEST(signature.encode() + b"\0" + self.source).hexdigest()[:16]
        return f"{self.name}-{key}.kernel"

    def obtain(
        self, signature: str, use: Callable[[bytes], Loaded], make: Callable[[], Loaded]
    ) -> Loaded:
        """Return what `use` makes of the entry for `signature`, or else what `make` returns.

        `make` may save the entry. One process at a time runs it, and the others use that entry.
        """
        found = self._load(signature, use)
        if found is not None:
            return found
        with self._alone(signature):
            found = self._load(signature, use)
            if found is not None:
                return found
            self.misses += 1
            return make()

    def _alone(self, signature: str) -> contextlib.AbstractContextManager[None]:
        """Return a context that one process at a time enters, if entries can be saved."""
        folder = cache_folder()
        if folder is None or self.source is None:
            return contextlib.nullcontext()
        return one_at_a_time((folder / self._name(signature)).with_suffix(".lock"))

    def _load(self, signature: str, use: Callable[[bytes], Loaded]) -> Loaded | None:
        """Return what `use` makes of the entry for `signature`; None if there is no usable entry.

        Delete an entry of this user that is damaged, or with which `use` fails.
        """
        own = cache_folder()
        folders = [*read_only_folders(), *([] if own is None else [own])]
        if self.source is None or not folders:
            return None
        for folder in folders:
            entry = folder / self._name(signature)
            try:
                content = _content(entry)
            except OSError:
                continue
            try:
                if _DIGEST(content[32:]).digest() != content[:32]:
                    raise ValueError("damaged entry")
                loaded = use(content[32:])
            except Exception:
                if folder == own:
                    entry.unlink(missing_ok=True)
                continue
            self.hits += 1
            return loaded
        return None

    def save(self, signature: str, payload: bytes) -> None:
        """Write an entry to a temporary file in the same folder and rename it."""
        folder = cache_folder()
        if folder is None or self.source is None or stamp.__wrapped__() != stamp():
            return
        entry, temporary = folder / self._name(signature), None
        try:
            handle, temporary = tempfile.mkstemp(dir=entry.parent, prefix=".writing-")
            with os.fdopen(handle, "wb") as file:
                file.write(_DIGEST(payload).digest() + payload)
            os.chmod(temporary, 0o600 | folder.stat().st_mode & 0o044)  # readable like the folder
            os.replace(temporary, entry)
        except Exception:  # for example a full disk
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)
