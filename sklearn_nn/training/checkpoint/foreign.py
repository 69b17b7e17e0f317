"""Files of arrays that other programs write and read: .npz, .safetensors, .pth, .pt and .h5.

Files may come from anywhere: nothing in them is run, and sizes in them are checked against the size
of the file before memory is allocated.
"""

from __future__ import annotations

import io
import math
import os
import zipfile
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from sklearn_nn._optional import imported
from sklearn_nn.training.checkpoint import tensors, torch_file
from sklearn_nn.training.checkpoint.file import (
    CheckpointError,
    member_array,
    replace,
    write_members,
)

#: Times the size of a file that its arrays may take. Weights hardly shrink when they are packed.
_MOST_EXPANSION = 2


#: Bytes at the beginning of a file that tell an estimator of this package from mere arrays.
_OWN_MARKS, _LOOKED_AT = (b"sklearn_nn checkpoint ", b'"sklearn_nn":'), 4096


# --- .npz -----------------------------------------------------------------------------------------


def _read_npz(content: bytes) -> dict[str, np.ndarray]:
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = archive.infolist()
        if sum(member.file_size for member in members) > _MOST_EXPANSION * len(content):
            raise ValueError("its arrays would take far more memory than the file")
        arrays = {m.filename.removesuffix(".npy"): member_array(archive, m) for m in members}
    if len(arrays) < len(members):
        raise ValueError("two of its arrays have the same name")
    return arrays


def _write_npz(arrays: Mapping[str, np.ndarray]) -> bytes:
    file = io.BytesIO()
    write_members(file, arrays)
    return file.getvalue()


# --- .safetensors ---------------------------------------------------------------------------------


#: Types of tensors in a file; bfloat16 is widened to float32, which safetensors leaves to torch.
_TENSOR_TYPES = {
    "F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "I64": "<i8", "I32": "<i4",
    "I16": "<i2", "I8": "i1", "U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1", "BOOL": "?",
}  # fmt: skip


def _read_safetensors(content: bytes) -> dict[str, np.ndarray]:
    arrays = {}
    for name, tensor in tensors.library().deserialize(content):
        kind = tensor["dtype"]
        if kind not in _TENSOR_TYPES:
            raise ValueError(f"tensor {name!r} is of type {kind}; store it as float32")
        array = np.frombuffer(tensor["data"], dtype=_TENSOR_TYPES[kind]).reshape(tensor["shape"])
        arrays[name] = torch_file.widened(array) if kind == "BF16" else array
    return arrays


def _write_safetensors(arrays: Mapping[str, np.ndarray]) -> bytes:
    dense = {name: np.asarray(array, order="C") for name, array in arrays.items()}
    return bytes(tensors.library("safetensors.numpy").save(dense, {"format": "pt"}))


# --- .h5 ------------------------------------------------------------------------------------------


def _h5py() -> Any:
    """Import h5py, or raise ImportError with the remedy."""
    need = "Files that end in .h5 are written and read by the package h5py"
    return imported("h5py", need, "keras")


def _datasets(group: Any, library: Any, prefix: str = "") -> dict[str, Any]:
    """Return the data sets within a group by path, without following links to other files."""
    found: dict[str, Any] = {}
    for name in group:
        if type(group.get(name, getlink=True)) is not library.HardLink:
            raise ValueError(f"{prefix}{name} is a link")
        item = group[name]
        if isinstance(item, library.Group):
            found |= _datasets(item, library, f"{prefix}{name}/")
        elif item.external or item.is_virtual:
            raise ValueError(f"the values of {prefix}{name} are in another file")
        elif item.dtype.kind in "fiub" and item.shape is not None:
            found[f"{prefix}{name}"] = item
    return found


def _read_h5(content: bytes) -> dict[str, np.ndarray]:
    library = _h5py()
    with library.File(io.BytesIO(content), "r") as file:
        found = _datasets(file, library)
        size = sum(math.prod(item.shape) * item.dtype.itemsize for item in found.values())
        if size > _MOST_EXPANSION * len(content):
            raise ValueError("its arrays would take far more memory than the file")
        return {name: np.asarray(item) for name, item in found.items()}


def _write_h5(arrays: Mapping[str, np.ndarray]) -> bytes:
    library = _h5py()
    content = io.BytesIO()
    with library.File(content, "w") as file:
        for name, array in arrays.items():
            file[name] = array
    return content.getvalue()


# --- any ------------------------------------------------------------------------------------------

_Read = Callable[[bytes], dict[str, np.ndarray]]
_Write = Callable[[Mapping[str, np.ndarray]], bytes]
#: By the ending of a file's name: how it is read, and how it is written, if it is.
_FORMATS: dict[str, tuple[_Read, _Write | None]] = {
    ".npz": (_read_npz, _write_npz),
    ".safetensors": (_read_safetensors, _write_safetensors),
    ".h5": (_read_h5, _write_h5),
    ".pth": (torch_file.read, None),
    ".pt": (torch_file.read, None),
}


def _format(path: str | os.PathLike[str], *, writes: bool) -> tuple[_Read, _Write | None]:
    """Return the functions for a file; raise ValueError for another kind of file."""
    ending = os.path.splitext(os.fsdecode(path))[1].lower()
    known = [end for end, (_, write) in _FORMATS.items() if write is not None or not writes]
    if ending not in known:
        what = "written" if writes else "read"
        raise ValueError(
            f"path={os.fsdecode(path)!r} ends in {ending!r}; weights are {what} as "
            f"{', '.join(known)}: give the file one of these endings."
        )
    return _FORMATS[ending]


def holds_arrays(path: str | os.PathLike[str], *, is_told: bool = False) -> bool:
    """Return whether a file holds arrays of weights, by its ending, and is none of this package.

    If it `is_told` by other arguments, no ending is needed, and the file may be absent.
    """
    if not is_told and os.path.splitext(os.fsdecode(path))[1].lower() not in _FORMATS:
        return False
    try:
        with open(path, "rb") as file:
            beginning = file.read(_LOOKED_AT)
    except OSError:
        return is_told
    return not any(mark in beginning for mark in _OWN_MARKS)


def read_arrays(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Return the arrays in a file of weights by name.

    Raises ValueError for an unknown kind of file, ImportError if it takes a package that is not
    installed, and CheckpointError if the file cannot be read.
    """
    read, _ = _format(path, writes=False)
    try:
        with open(path, "rb") as file:
            content = file.read()
        return read(content)
    except ImportError:
        raise
    except OSError as error:
        raise CheckpointError(
            f"{os.fsdecode(path)!r} cannot be read: {error.strerror or error}. Check the path."
        ) from error
    except Exception as error:  # libraries raise any kind of error for a damaged file
        raise CheckpointError(
            f"{os.fsdecode(path)!r} holds no arrays that can be read: {error}."
        ) from error


def write_arrays(path: str | os.PathLike[str], arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays by name to a file of the kind that its ending tells, atomically."""
    _, write = _format(path, writes=True)
    assert write is not None
    content = write(arrays)
    replace(path, lambda file: file.write(content), "File of weights")
