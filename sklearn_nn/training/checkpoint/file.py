"""Checkpoint files: written atomically, and safe to load from untrusted sources.

A file is one line with the format number and a SHA-256 digest of the rest, followed by an ordinary
zip of arrays as `numpy.savez` writes it. The member "meta" is JSON text. The file contains no code,
and sizes in it are checked against the size of the file before memory is allocated. Files whose
names end in .safetensors are in the format of `tensors`.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import re
import secrets
import stat
import zipfile
from collections.abc import Callable, Mapping
from typing import Any, BinaryIO

import numpy as np

from sklearn_nn.training.checkpoint import tensors

FORMAT = 1
#: Kinds of dtypes that can be stored: those without objects and fields.
KINDS = "biufcSUmM"
_MAGIC = b"sklearn_nn checkpoint "
_HEADER = re.compile(rb"sklearn_nn checkpoint (\d{1,9}) (?:sha256 ([0-9a-f]{64})\n)?")
_META = "meta"
_ARRAYS = "arrays/"
#: Header of an array. NumPy's own reader evaluates it as Python.
_NPY_START = b"\x93NUMPY\x01\x00"
_NPY_HEADER = re.compile(
    rb"\{'descr': '([<>|][biufcSUmM]\d{0,10}(?:\[\w+\])?)', 'fortran_order': (True|False), "
    rb"'shape': \(([\d, ]*)\), \} *\n"
)
_BLOCK = 1 << 20
_TEMPORARY = ".sklearn_nn-unfinished"
#: Seconds after which a temporary file is taken to be left by a killed process.
_LEFT_BEHIND = 3600
_REMEDIES = {
    errno.ENOSPC: "free some space, or choose a folder on another disk",
    errno.EDQUOT: "free some space, or choose a folder on another disk",
    errno.EFBIG: "choose a folder on a disk that takes files of this size",
    errno.EACCES: "choose a folder that you may write in",
    errno.EPERM: "choose a folder that you may write in",
    errno.EROFS: "choose a folder that you may write in",
    errno.ENOENT: "create the folder first",
    errno.ENOTDIR: "create the folder first",
    errno.EISDIR: "give the path of a file",
    errno.ENAMETOOLONG: "choose a shorter name",
}
_CANNOT_FLUSH = {errno.EINVAL, errno.EBADF, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS}


class CheckpointError(ValueError):
    """A checkpoint that cannot be loaded: missing, damaged, too new, or not a checkpoint.

    Examples
    --------
    >>> from sklearn_nn import load
    >>> from sklearn_nn.training import CheckpointError
    >>> try:
    ...     load("nowhere.npz")
    ... except CheckpointError as error:
    ...     print(str(error).partition(". ")[0])
    Checkpoint 'nowhere.npz' cannot be read: No such file or directory
    """


def storable(array: Any) -> bool:
    """Return whether a checkpoint can store the array: numbers, booleans, strings or dates.

    Masked arrays and other subclasses would lose information and are not storable.
    """
    if type(array) not in (np.ndarray, np.memmap):
        return False
    return array.dtype.kind in KINDS and array.dtype.itemsize > 0


def write(
    path: str | os.PathLike[str],
    meta: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    parts: Mapping[str, list[tensors.Part]] | None = None,
) -> None:
    """Write a checkpoint by `replace`, in the format of `tensors` if its name ends as theirs.

    `meta` must be plain JSON (see `encoding.encode`), `arrays` must be `storable`. `parts` names
    the parts of vectors among them, which become tensors. Raises OSError, with a remedy, if the
    file cannot be written, TypeError or ValueError if the content cannot be stored.
    """
    members = _members(meta, arrays)
    if tensors.is_tensors(path):
        content = tensors.packed(meta, arrays, parts or {})
        replace(path, lambda file: file.write(content))
    else:
        replace(path, lambda file: _fill(file, members))


def replace(
    path: str | os.PathLike[str], fill: Callable[[BinaryIO], object], what: str = "Checkpoint"
) -> None:
    """Write a file atomically: `fill` gets it, open for writing and reading.

    A temporary file in the same folder is flushed to disk and renamed, so that the path always
    holds the old file or the new one, also after a crash or power cut. Links are followed;
    permissions are those of the old file, or the default ones. Raises OSError, with a remedy, if
    the file, which is `what` in the text, cannot be written.
    """
    path = os.fsdecode(path)
    target = os.path.realpath(path)
    folder, name = os.path.split(target)
    prefix = f".{name[:40]}."
    temporary = os.path.join(folder, prefix + secrets.token_hex(8) + _TEMPORARY)
    what = f"{what} {path!r}"
    try:
        mode = _mode(target)
        try:
            with open(temporary, "x+b") as file:
                if mode not in (None, stat.S_IMODE(os.fstat(file.fileno()).st_mode)):
                    os.chmod(temporary, mode)
                fill(file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, target)
        except BaseException:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
            raise
    except OSError as error:
        raise _explained(
            error, f"{what} was not written", "an existing one is unchanged"
        ) from error
    try:
        _flush_folder(folder)
    except OSError as error:
        after = "it is in place and whole, but a power cut now might undo it"
        raise _explained(error, f"{what} was not flushed to the disk", after) from error
    _remove_leftovers(target, prefix)


def read(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return `meta` and the arrays, writable, of a checkpoint. No code from the file is run.

    Raises CheckpointError if the file is missing, damaged, of a newer format, or no checkpoint.
    """
    path = os.fsdecode(path)
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise CheckpointError("it is not an ordinary file. Check the path.")
        if tensors.is_tensors(path) and os.path.exists(path):
            return tensors.read(path)
        with open(path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            _verify(file)
            with zipfile.ZipFile(file) as archive:
                return _contents(archive, size)
    except ImportError:
        raise
    except Exception as error:  # zipfile, json and NumPy raise many kinds for a forged file
        raise CheckpointError(f"Checkpoint {path!r} cannot be read: {_fault(error)}") from error


def _fault(error: Exception) -> str:
    """Return what is wrong with a file, and the remedy."""
    if isinstance(error, CheckpointError):
        return str(error)
    if isinstance(error, OSError):
        return f"{error.strerror or error}. Check the path, and that you may read it."
    return (
        f"its content is invalid ({type(error).__name__}: {error}). "
        "Use another copy, or an earlier checkpoint."
    )


def _members(meta: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Return the arrays of the zip by name, after checking them."""
    text = json.dumps(dict(meta), allow_nan=False).encode("ascii")
    members = {_META: np.frombuffer(text, dtype=np.uint8)}
    for name, array in arrays.items():
        named = f"The name {name!r} of an array"
        if not (isinstance(name, str) and 0 < len(name) <= 1000):
            raise ValueError(f"{named} must be a str of 1 to 1000 characters.")
        if not name.isprintable() or "\\" in name:
            raise ValueError(f"{named} has characters that are invalid in file names.")
        if not storable(array):
            kind = getattr(array, "dtype", type(array).__name__)
            raise TypeError(
                f"The array {name!r} ({kind}) cannot be stored: checkpoints hold NumPy arrays of "
                "numbers, booleans, strings or dates; encoding.encode converts object arrays."
            )
        members[_ARRAYS + name] = array
    return members


def _mode(target: str) -> int | None:
    """Return the permissions of the file that will be replaced; None if there is none."""
    try:
        mode = os.stat(target).st_mode
    except FileNotFoundError:
        return None
    if not stat.S_ISREG(mode):
        raise OSError(errno.EISDIR, "the path is a folder or a device, not a file")
    return stat.S_IMODE(mode)


def _fill(file: BinaryIO, members: dict[str, np.ndarray]) -> None:
    """Write a placeholder header and the payload, then the header."""
    header = _MAGIC + b"%d sha256 %064d\n" % (FORMAT, 0)
    file.write(header)
    write_members(file, members)
    file.seek(len(header))
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    file.seek(0)
    file.write(_MAGIC + b"%d sha256 %s\n" % (FORMAT, digest.encode("ascii")))


def write_members(file: BinaryIO, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name as `numpy.load` reads them."""
    # Not np.savez, which may pickle and does not close the file when it fails.
    with zipfile.ZipFile(file, "w") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array(member, array, allow_pickle=False)


def _explained(error: OSError, what: str, otherwise: str) -> OSError:
    """Return the same error with what has happened and the remedy."""
    remedy = _REMEDIES.get(error.errno or 0, "check the folder and its disk")
    message = f"{what}: {error.strerror or error}. To go on, {remedy}; {otherwise}."
    return OSError(message) if error.errno is None else OSError(error.errno, message)


def _flush_folder(folder: str) -> None:
    """Flush the folder, so that the new name survives a power cut."""
    if os.name == "nt":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder can be writable but not readable
        return
    try:
        os.fsync(handle)
    except OSError as error:
        if error.errno not in _CANNOT_FLUSH:
            raise
    finally:
        os.close(handle)


def _remove_leftovers(target: str, prefix: str) -> None:
    """Remove temporary files of processes that were killed while writing this checkpoint."""
    with contextlib.suppress(OSError), os.scandir(os.path.dirname(target)) as entries:
        oldest = os.stat(target).st_mtime - _LEFT_BEHIND  # the file system's clock
        for entry in entries:
            ours = entry.name.startswith(prefix) and entry.name.endswith(_TEMPORARY)
            if ours and entry.stat().st_mtime < oldest:
                os.unlink(entry.path)


def _verify(file: BinaryIO) -> None:
    """Check the header and the digest."""
    match = _HEADER.match(file.read(len(_MAGIC) + 100))
    if match is None:
        raise CheckpointError(
            "it does not begin like a checkpoint: it is another kind of file, or damaged. "
            "Check the path, or use another copy."
        )
    version, digest = int(match[1]), match[2]
    if version > FORMAT:
        raise CheckpointError(
            f"its format is {version}, and this version of sklearn_nn reads formats up to "
            f"{FORMAT}. Upgrade sklearn_nn."
        )
    file.seek(match.end())
    found = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    if version != FORMAT or digest is None or digest.decode("ascii") != found:
        raise CheckpointError(
            "it was modified or truncated after it was written (its checksum does not match). "
            "Use another copy, or an earlier checkpoint."
        )
    file.seek(0)


def _contents(archive: zipfile.ZipFile, size: int) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return the content of a file of `size` bytes. A forged file raises any kind of error."""
    members = archive.infolist()
    if len({member.filename for member in members}) < len(members):
        raise ValueError("two members have the same name")
    # Compressed or overlapping members could expand to any size.
    if any(m.compress_type != zipfile.ZIP_STORED or m.flag_bits & 1 for m in members):
        raise ValueError("a member is compressed or encrypted")
    if sum(member.file_size for member in members) > size:
        raise ValueError("the declared size of the members exceeds that of the file")
    arrays = {
        member.filename.removesuffix(".npy"): member_array(archive, member) for member in members
    }
    text = arrays.pop(_META).tobytes().decode("ascii")
    meta = json.loads(text, parse_constant=_refuse_constant)
    if not isinstance(meta, dict) or not all(name.startswith(_ARRAYS) for name in arrays):
        raise ValueError("meta is not a JSON object, or a member is not an array")
    return meta, {name.removeprefix(_ARRAYS): array for name, array in arrays.items()}


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def member_array(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> np.ndarray:
    """Read an array after checking its declared size against the size of its member."""
    with archive.open(member) as file:
        start = file.read(len(_NPY_START) + 2)
        header = file.read(int.from_bytes(start[-2:], "little"))
        match = _NPY_HEADER.fullmatch(header)
        if not start.startswith(_NPY_START) or match is None:
            raise ValueError(f"{member.filename} is not an array")
        dtype = np.dtype(match[1].decode("ascii"))
        shape = [int(length) for length in match[3].split(b",") if length.strip()]
        n_bytes = math.prod(shape) * dtype.itemsize
        if dtype.itemsize == 0:
            raise ValueError(f"{member.filename} is of dtype {dtype}")
        if n_bytes != member.file_size - len(start) - len(header):
            raise ValueError(f"{member.filename} does not have the size in its header")
        array = np.empty(shape, dtype=dtype, order="F" if match[2] == b"True" else "C")
        flat = array.reshape(-1, order="A").view(np.uint8)
        for begin in range(0, n_bytes, _BLOCK):
            part = flat[begin : begin + _BLOCK]
            block = file.read(part.size)
            if len(block) < part.size:
                raise ValueError(f"{member.filename} ends early")
            part[:] = np.frombuffer(block, dtype=np.uint8)
    _check_values(member.filename, flat, dtype)
    return array


def _check_values(name: str, flat: np.ndarray, dtype: np.dtype) -> None:
    """Raise ValueError for invalid booleans and characters, on which NumPy would fail later."""
    if dtype.kind == "b":
        largest, valid = flat.max(initial=0), 1
    elif dtype.kind == "U":
        codes = flat.view(np.dtype(np.uint32).newbyteorder(dtype.byteorder))
        largest, valid = codes.max(initial=0), 0x10FFFF
    else:
        return
    if largest > valid:
        raise ValueError(f"{name} holds bytes that are not valid {dtype} values")
