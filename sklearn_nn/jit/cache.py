"""The disk cache of compiled kernels.

Numba's own cache decides freshness by the one file a function stands in, so an edited callee
leaves its caller's old machine code in use. Here every entry lies in a folder named by a *stamp*
over the package's version, every file a kernel may stand in, the compiler and the processor:
whatever changes, the folder changes, and stale code cannot be found. An entry that cannot be
read is compiled again; a folder that cannot be written is passed over.

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
from pathlib import Path
from typing import Any

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
        files += sorted((package / folder).glob("*.py"))
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
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
    chosen = os.environ.get(ENVIRONMENT_VARIABLE) or os.environ.get("NUMBA_CACHE_DIR")
    roots = [Path(chosen)] if chosen else []
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


def _usable(folder: Path) -> bool:
    """Whether `folder` can be written, and by no other user: its files are run as code."""
    try:
        folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        if hasattr(os, "getuid"):
            root, own = folder.parent.stat(), folder.stat()
            # Whoever may rename what lies in the root may put another folder in our place.
            shared = root.st_mode & stat.S_IWOTH and not root.st_mode & stat.S_ISVTX
            if root.st_uid not in (0, os.getuid()) or shared:
                return False
            if own.st_uid != os.getuid() or own.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                return False
        tempfile.TemporaryFile(dir=folder).close()
    except OSError:
        return False
    return True


@functools.cache
def cache_folder() -> Path | None:
    """The folder that holds this process's compiled kernels, or None where none is writable."""
    for root in _candidate_roots():
        folder = root / stamp()
        if _usable(folder):
            _forget_old_stamps(root, folder)
            return folder
    return None


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

    def _entry(self, signature: Any) -> Path | None:
        folder = cache_folder()
        if folder is None or self.source is None:
            return None
        key = _DIGEST(repr(signature).encode() + self.source).hexdigest()[:16]
        return folder / f"{self.name}-{key}.kernel"

    def load_overload(self, sig: Any, target_context: Any) -> CompileResult | None:
        """The compiled kernel for `sig`, or None. A damaged entry is deleted."""
        entry = self._entry(sig)
        if entry is None:
            return None
        try:
            content = entry.read_bytes()
        except OSError:
            self.misses += 1
            return None
        try:
            if _DIGEST(content[32:]).digest() != content[:32]:
                raise ValueError("damaged entry")
            # What loaded code links to. Numba's own cache readies the compiler too: 0.2 s.
            rtsys.initialize(target_context)
            result = CompileResult._rebuild(target_context, *pickle.loads(content[32:]))
        except Exception:
            self.misses += 1
            entry.unlink(missing_ok=True)
            return None
        self.hits += 1
        return result

    def save_overload(self, sig: Any, data: CompileResult) -> None:
        """Write the compiled kernel: a temporary file in the same folder, then a rename."""
        entry = self._entry(sig)
        if entry is None or data.library.has_dynamic_globals:
            return
        temporary = None
        try:
            payload = dumps(_names_only(data._reduce()))
            handle, temporary = tempfile.mkstemp(dir=entry.parent, prefix=".writing-")
            with os.fdopen(handle, "wb") as file:
                file.write(_DIGEST(payload).digest() + payload)
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
