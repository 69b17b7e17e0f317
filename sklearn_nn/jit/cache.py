"""The disk cache of compiled kernels.

Numba's own cache decides freshness by the one file a function stands in, so an edited callee
leaves its caller's old machine code in use. Here every entry lies in a folder named by a *stamp*
over the package's version, every file a kernel may stand in, the compiler and the processor:
whatever changes, the folder changes, and stale code cannot be found. An entry that cannot be
read is compiled again.

Entries are run as code. They are read from folders that belong to this user or to root and that
nobody else can write, such as one that root has filled while an image was built; they are kept in
the first folder that this user can write.

The cache rests on private parts of Numba (`numba.core.caching._Cache`, `CompileResult._reduce`);
whatever fails there costs a compilation, never a fit.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import platform
import re
import shutil
import stat
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any, NamedTuple

import llvmlite
import numba
from llvmlite import binding
from numba.core import config
from numba.core.caching import _Cache
from numba.core.compiler import CompileResult
from numba.core.runtime import rtsys
from numba.core.serialize import dumps

from sklearn_nn.jit.host import TARGET, VECTOR_BITS, VECTOR_REGISTERS

PACKAGE = Path(__file__).resolve().parent.parent
KERNEL_FOLDERS = ("jit", "layers", "network", "training")
ENVIRONMENT_VARIABLE = "SKLEARN_NN_CACHE_DIR"
#: Stamps kept side by side, so that two environments do not evict each other.
KEPT_STAMPS = 8
_DIGEST = hashlib.sha256
_STAMP = re.compile("[0-9a-f]{20}")
#: Numba's settings that decide what machine code a function becomes, beside the processor.
_SETTINGS = (
    "CPU_NAME",
    "CPU_FEATURES",
    "ENABLE_AVX",
    "OPT",
    "LOOP_VECTORIZE",
    "SLP_VECTORIZE",
    "USING_SVML",
    "LLVM_REFPRUNE_PASS",
    "LLVM_REFPRUNE_FLAGS",
    "BOUNDSCHECK",
    "DEBUGINFO_DEFAULT",
)


def source_stamp(package: Path = PACKAGE) -> str:
    """Digest of the package's version file and of every file a kernel may stand in."""
    digest = _DIGEST()
    files = [package / "__init__.py"]
    for folder in KERNEL_FOLDERS:
        files += sorted((package / folder).rglob("*.py"))
    for file in files:
        name = file.relative_to(package).as_posix()
        digest.update(name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()


# Taken at import: what is compiled later comes from the files as they are now.
_IMPORTED_SOURCE = source_stamp()


@functools.cache
def stamp() -> str:
    """Digest of all that decides what machine code a kernel becomes, 20 hexadecimal digits."""
    parts = (
        _IMPORTED_SOURCE,
        sys.version,
        numba.__version__,
        llvmlite.__version__,
        platform.machine(),
        TARGET,
        (VECTOR_BITS, VECTOR_REGISTERS),
        [(name, repr(getattr(config, name, None))) for name in _SETTINGS],
    )
    return _DIGEST(repr(parts).encode()).hexdigest()[:20]


def _candidate_roots() -> list[Path]:
    """Folders that may hold the cache, best first."""
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
    with contextlib.suppress(OSError):  # there may be no temporary folder either
        roots.append(Path(tempfile.gettempdir()) / f"sklearn_nn-{user}")
    return roots


def _chosen_root() -> tuple[str, Path] | None:
    """The folder that the user has chosen for the cache, and the variable that says so."""
    for variable in (ENVIRONMENT_VARIABLE, "NUMBA_CACHE_DIR"):
        if chosen := os.environ.get(variable):
            return variable, Path(chosen)
    return None


def _has_group_of_its_own(found: os.stat_result) -> bool:
    """Whether the group of a user's file is that user alone, as many systems have it."""
    try:
        import grp
        import pwd

        user, group = pwd.getpwuid(found.st_uid), grp.getgrgid(found.st_gid)
    except (ImportError, KeyError):
        return False
    members = group.gr_mem in ([], [user.pw_name])
    return user.pw_uid != 0 and group.gr_name == user.pw_name and members


def _danger(path: Path, found: os.stat_result, *, holds_folders: bool = False) -> str | None:
    """Why what a path holds may be another user's, and what helps; None where it is not.

    In a folder that holds folders, whoever may rename one may put another in its place. Where the
    sticky bit is set, that is its owner alone.
    """
    if not hasattr(os, "getuid"):
        return None
    if found.st_uid not in (0, os.getuid()):
        return (
            f"{path} belongs to another user (uid {found.st_uid}), and what it holds is run as "
            "code. Let it belong to the user who runs this process, or to root"
        )
    writers = found.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
    if holds_folders:
        writers &= 0 if found.st_mode & stat.S_ISVTX else ~0
        writers &= ~stat.S_IWGRP if _has_group_of_its_own(found) else ~0
    if not writers:
        return None
    who = "everybody" if writers & stat.S_IWOTH else "its group"
    return (
        f"{path} can be written by {who}, and what it holds is run as code. Take that "
        f"permission away: chmod go-w {path}"
    )


def _refusal(folder: Path) -> str | None:
    """Why what lies in `folder` must not be loaded, and what helps; None where it may be."""
    root = folder.parent.resolve()
    for outer in root.parents:
        mode = outer.stat().st_mode if outer.exists() else 0
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:
            return f"{outer} can be written by everybody. Take that away: chmod o-w {outer}"
    for path, holds_folders in ((root, True), (folder, False)):
        if path.exists():
            if not path.is_dir():
                return f"{path} is not a folder. Choose another name"
            if danger := _danger(path, path.stat(), holds_folders=holds_folders):
                return danger
    return None


def _make(folder: Path, mode: int) -> None:
    """Make a folder and those above it, to be written by this user alone.

    One that was chosen may be read by others, as it is when an image is built for them.
    """
    if not folder.parent.exists():
        _make(folder.parent, mode)
    folder.mkdir(mode=mode, exist_ok=True)


def _can_write(folder: Path) -> bool:
    """Whether this user can keep kernels in `folder`."""
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        return False
    try:
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


class Folders(NamedTuple):
    """Where this process finds compiled kernels, and where it keeps those that it compiles.

    Attributes
    ----------
    readable : tuple of Path
        Folders that others have filled, best first: they cannot be written.
    writable : Path or None
        The folder to keep kernels in, which is read after those.
    refusal : str or None
        Why the folder that the user has chosen is of no use, and what helps.
    """

    readable: tuple[Path, ...]
    writable: Path | None
    refusal: str | None


def find_folders() -> Folders:
    """Look for folders: those to be read, up to the first that can be written as well."""
    readable: list[Path] = []
    refusal, chosen = None, _chosen_root()
    for root in _candidate_roots():
        is_chosen = chosen is not None and root == chosen[1]
        folder, problem = root / stamp(), None
        is_missing = not os.path.exists(folder)
        try:
            problem = _refusal(folder)
            if problem is None and is_missing:
                _make(folder, 0o755 if is_chosen else 0o700)
                problem = _refusal(folder)  # another process may have been at it
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
                    f"There are no kernels of this version for this processor in {root}. Have them "
                    "made by sklearn_nn.warmup() on such a machine, or choose a folder that can be "
                    "written"
                )
            else:
                problem += f"Let this user read it (chmod -R go+rX {root}), or choose another"
        if is_chosen:
            refusal = problem
    return Folders(tuple(readable), None, refusal)


@functools.cache
def cache_folder() -> Path | None:
    """The folder that keeps this process's compiled kernels, or None where none is writable."""
    return find_folders().writable


@functools.cache
def read_only_folders() -> tuple[Path, ...]:
    """Folders that hold compiled kernels and cannot be written, best first.

    Warns
    -----
    UserWarning
        If the folder that the user has chosen cannot be used, once a process.
    """
    found, chosen = find_folders(), _chosen_root()
    if found.refusal is not None and chosen is not None:
        _tell(chosen[0], found.refusal)
    return found.readable


@functools.cache
def _tell(variable: str, refusal: str) -> None:
    """Warn at the line outside of this package that has led here, once a process."""
    frame, level = sys._getframe(), 1
    installed, library = Path(numba.__file__).parents[1], Path(functools.__file__).parent
    insiders = (str(PACKAGE), str(installed), str(library))
    while frame.f_back is not None and frame.f_code.co_filename.startswith(insiders):
        frame, level = frame.f_back, level + 1
    warnings.warn(
        f"{variable}={os.environ.get(variable)} is not used for compiled kernels: {refusal}. "
        "Until then they are compiled anew where they are not found elsewhere.",
        UserWarning,
        stacklevel=level,
    )


def _forget_old_stamps(root: Path, current: Path) -> None:
    """Keep the newest stamps only. Another process may be at the same work: failures are fine."""
    try:
        others = [f for f in root.iterdir() if f != current and _STAMP.fullmatch(f.name)]
        others.sort(key=lambda folder: folder.stat().st_mtime, reverse=True)
        for folder in others[KEPT_STAMPS - 1 :]:
            shutil.rmtree(folder, ignore_errors=True)
    except OSError:
        return


def _own_source(file: str) -> bytes | None:
    """What a kernel outside the package adds to its name: its own file's content.

    None where there is no such file: nothing would tell two versions apart that were typed into
    an interpreter or a notebook.
    """
    path = Path(file)
    if PACKAGE in path.parents:
        return b""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _names_only(payload: Any) -> Any:
    """A reduced compilation in which the code that others could inline is but its names.

    No other function inlines a kernel, and reading that code takes longer than all else. The
    names stay, since Numba looks a function's address up only if its library defines the name.
    """
    (name, kind, (machine_code, bitcode)), *rest = payload
    module = binding.parse_bitcode(bitcode)
    lines = [
        f'define void @"{f.name}"() {{ ret void }}'
        for f in module.functions
        if not f.is_declaration
    ]
    lines += [f'@"{g.name}" = global i8 0' for g in module.global_variables if not g.is_declaration]
    stub = binding.parse_assembly("\n".join(lines)).as_bitcode()
    return ((name, kind, (machine_code, stub)), *rest)


def _content(entry: Path) -> bytes:
    """What a file of the cache holds.

    Raises
    ------
    OSError
        If it cannot be read, or may hold what another user has written.
    """
    with entry.open("rb") as file:
        if danger := _danger(entry.with_name("*"), os.fstat(file.fileno())):
            if (chosen := _chosen_root()) is not None and chosen[1] == entry.parent.parent:
                _tell(chosen[0], danger)
            raise PermissionError(danger)
        return file.read()


class KernelCache(_Cache):
    """The cache of one kernel, in the form Numba's compilers ask for.

    Parameters
    ----------
    name : str
        The kernel's name, unique within the project.
    file : str
        The source file it stands in. Outside the package its content is part of the entry's
        key; code that stands in no file is not cached.
    """

    def __init__(self, name: str, file: str) -> None:
        self.name = name
        self.source = _own_source(file)
        self.hits = 0
        self.misses = 0

    @property
    def cache_path(self) -> str | None:
        """The folder of the entries, for Numba's messages."""
        folder = cache_folder()
        return None if folder is None else str(folder)

    def _name(self, signature: Any) -> str:
        """The name of an entry in its folder."""
        assert self.source is not None
        key = _DIGEST(repr(signature).encode() + self.source).hexdigest()[:16]
        return f"{self.name}-{key}.kernel"

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The compiled kernel for `sig`, or None. A damaged entry of our own is deleted."""
        own = cache_folder()
        folders = [*read_only_folders(), *([] if own is None else [own])]
        if self.source is None or not folders:
            return None
        for folder in folders:
            entry = folder / self._name(sig)
            try:
                content = _content(entry)
            except OSError:
                continue
            try:
                if _DIGEST(content[32:]).digest() != content[:32]:
                    raise ValueError("damaged entry")
                # What loaded code links to. Numba's own cache readies the compiler too: 0.2 s.
                rtsys.initialize(target_context)
                result = CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
            except Exception:
                if folder == own:
                    entry.unlink(missing_ok=True)
                continue
            self.hits += 1
            return result
        self.misses += 1
        return None

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Write the compiled kernel: a temporary file in the same folder, then a rename."""
        folder = cache_folder()
        if folder is None or self.source is None or data.library.has_dynamic_globals:
            return
        entry, temporary = folder / self._name(sig), None
        try:
            payload = dumps(_names_only(data._reduce()))
            handle, temporary = tempfile.mkstemp(dir=entry.parent, prefix=".writing-")
            with os.fdopen(handle, "wb") as file:
                file.write(_DIGEST(payload).digest() + payload)
            os.chmod(temporary, 0o600 | folder.stat().st_mode & 0o044)  # who sees it may read it
            os.replace(temporary, entry)
        except Exception:
            # A full disk, say. What was written of it is taken away again.
            if temporary is not None:
                Path(temporary).unlink(missing_ok=True)

    def enable(self) -> None:
        """Do nothing: the cache is always on."""

    def disable(self) -> None:
        """Do nothing: the cache is always on."""

    def flush(self) -> None:
        """Do nothing: entries are written at once."""
