"""Tensors in files that ``torch.save`` has written, read without torch.

A file holds a pickle, in which tensors refer to storages by number, and the bytes of the storages:
since torch 1.6 as members of a zip, before that one after another. Unpickling can run any code, so
the pickle is first examined: it may only build dictionaries, lists, tuples, strings and numbers,
and call the few functions named here, which are not those of torch.
"""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import zipfile
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

#: Data types of storages, by the names of their classes; bfloat16 is widened to float32.
_STORAGES = {
    "FloatStorage": "<f4", "DoubleStorage": "<f8", "HalfStorage": "<f2", "BFloat16Storage": "<u2",
    "LongStorage": "<i8", "IntStorage": "<i4", "ShortStorage": "<i2", "CharStorage": "i1",
    "ByteStorage": "u1", "BoolStorage": "u1",
}  # fmt: skip
_BRAIN_FLOAT = "BFloat16Storage"
#: Numbers that begin a file of torch before 1.6.
_MAGIC, _PROTOCOL = 0x1950A86A20F9469CFC6C, 1001
#: Instructions of a pickle that build plain values and call functions by name.
_OPCODES = frozenset(
    ["PROTO", "FRAME", "STOP", "MARK", "MEMOIZE", "PUT", "BINPUT", "LONG_BINPUT", "GET", "BINGET",
     "LONG_BINGET", "NONE", "NEWTRUE", "NEWFALSE", "BININT", "BININT1", "BININT2", "LONG1",
     "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE", "EMPTY_DICT", "EMPTY_LIST", "EMPTY_TUPLE",
     "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3", "SETITEM", "SETITEMS", "APPEND", "APPENDS", "GLOBAL",
     "STACK_GLOBAL", "REDUCE", "BUILD", "BINPERSID"]
)  # fmt: skip
#: Most instructions of a pickle, each of which makes an object; a tensor takes about fifty.
_MOST_OPCODES = 2**20
_REMEDY = (
    "Only tensors in dictionaries are read, for safety; in torch, save the weights alone: "
    "torch.save(model.state_dict(), path)"
)


class _Storage(NamedTuple):
    """Numbers that tensors refer to."""

    kind: str
    key: str
    start: int  # in numbers
    size: int


class _Tensor(NamedTuple):
    """Part of a storage; sizes and strides count numbers."""

    storage: _Storage
    start: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


def _rebuilt(storage: Any, start: Any, shape: Any, strides: Any, *_rest: Any) -> _Tensor:
    """Return a tensor, in place of torch's function of the same arguments."""
    numbers = [start, *shape, *strides]
    if not isinstance(storage, _Storage) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError("a tensor without a storage or a shape")
    if len(shape) != len(strides):
        raise ValueError("a tensor whose shape and strides differ in length")
    return _Tensor(storage, start, tuple(shape), tuple(strides))


def _parameter(tensor: Any, *_rest: Any) -> Any:
    return tensor


#: What a pickle may call, by module and name.
_FUNCTIONS: dict[tuple[str, str], Any] = {
    ("collections", "OrderedDict"): OrderedDict,
    ("torch._utils", "_rebuild_tensor_v2"): _rebuilt,
    ("torch._utils", "_rebuild_parameter"): _parameter,
    ("torch", "Size"): tuple,
}


# The unpickler in Python: that in C allocates memory by numbers in the file.
class _Unpickler(pickle._Unpickler):
    """Unpickler that knows tensors and ordered dictionaries and refuses all else."""

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) in _FUNCTIONS:
            return _FUNCTIONS[module, name]
        if module == "torch" and name in _STORAGES:
            return name
        raise ValueError(f"it holds a {module}.{name}. {_REMEDY}")

    def persistent_load(self, pid: Any) -> _Storage:
        if type(pid) is not tuple or len(pid) not in (5, 6) or pid[0] != "storage":
            raise ValueError("a reference to something other than a storage")
        _, kind, key, _device, size, *view = pid
        start = 0
        if view and view[0] is not None:
            _, start, size = view[0]
        wrong = kind not in _STORAGES or type(key) is not str
        if wrong or not all(type(n) is int and n >= 0 for n in (start, size)):
            raise ValueError("a storage of an unknown kind")
        return _Storage(kind, key, start, size)


def _unpickle(file: io.BytesIO) -> Any:
    """Return the next value of a file, after its instructions have been examined."""
    begin = file.tell()
    for n, (opcode, _argument, _place) in enumerate(pickletools.genops(file)):
        if opcode.name not in _OPCODES:
            raise ValueError(f"its pickle makes objects ({opcode.name}). {_REMEDY}")
        if n >= _MOST_OPCODES:
            raise ValueError(f"its pickle is too long. {_REMEDY}")
    file.seek(begin)
    return _Unpickler(file, encoding="utf-8").load()


def _members(archive: zipfile.ZipFile, size: int) -> tuple[bytes, dict[str, Any]]:
    """Return the pickle and the bytes of the storages of a zip that is `size` bytes long."""
    members = {}
    for member in archive.infolist():
        if member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1:
            raise ValueError("a member is compressed or encrypted")
        members[member.filename.partition("/")[2]] = member
    if sum(member.file_size for member in archive.infolist()) > size:
        raise ValueError("the declared size of the members exceeds that of the file")
    if "data.pkl" not in members:
        raise ValueError("it is a zip, but not one of torch")
    if "byteorder" in members and archive.read(members["byteorder"]) != b"little":
        raise ValueError("it was written on a processor of another byte order")
    contents = {
        name.removeprefix("data/"): archive.read(member)
        for name, member in members.items()
        if name.startswith("data/") and not member.is_dir()
    }
    return archive.read(members["data.pkl"]), contents


def _read_sequence(content: bytes) -> tuple[Any, dict[str, Any]]:
    """Return the value and the bytes of the storages of a file of torch before 1.6."""
    file = io.BytesIO(content)
    if _unpickle(file) != _MAGIC or _unpickle(file) != _PROTOCOL:
        raise ValueError("it does not begin like a file of torch")
    if _unpickle(file).get("little_endian") is not True:
        raise ValueError("it was written on a processor of another byte order")
    value, keys, storages = _unpickle(file), _unpickle(file), {}
    kinds = {t.storage.key: t.storage.kind for t in _tensors(value).values()}
    place, whole = file.tell(), memoryview(content)
    for key in keys:
        length = int.from_bytes(whole[place : place + 8], "little")
        n_bytes = length * np.dtype(_STORAGES[kinds.get(key, "ByteStorage")]).itemsize
        if key not in kinds or place + 8 + n_bytes > len(whole):
            raise ValueError("a storage is missing, or ends early")
        storages[key] = whole[place + 8 : place + 8 + n_bytes]
        place += 8 + n_bytes
    return value, storages


def _tensors(value: Any) -> dict[str, _Tensor]:
    """Return the tensors of a dictionary, or of the one dictionary of tensors within it."""
    if not isinstance(value, Mapping):
        raise ValueError(f"it holds a {type(value).__name__}, not a dictionary of tensors")
    found = {str(name): item for name, item in value.items() if isinstance(item, _Tensor)}
    if found:
        return found
    inner = {
        str(name): item
        for name, item in value.items()
        if isinstance(item, Mapping) and any(isinstance(t, _Tensor) for t in item.values())
    }
    if len(inner) != 1:
        raise ValueError(f"it holds {len(inner)} dictionaries of tensors ({[*inner]}), not one")
    return _tensors(next(iter(inner.values())))


def widened(halves: np.ndarray) -> np.ndarray:
    """Return numbers of type bfloat16, the upper halves of float32, as float32."""
    return (halves.astype("<u4") << 16).view("<f4")


def _array(tensor: _Tensor, storages: Mapping[str, Any]) -> np.ndarray:
    """Return a tensor as an array, a view of its storage."""
    storage, (_, start, shape, strides) = tensor.storage, tensor
    numbers = np.frombuffer(storages[storage.key], dtype=_STORAGES[storage.kind])
    if storage.start + storage.size > numbers.size:
        raise ValueError("a storage ends early")
    numbers = numbers[storage.start : storage.start + storage.size]
    last = start + sum((n - 1) * step for n, step in zip(shape, strides, strict=True))
    size = math.prod(shape)
    # A tensor that repeats its numbers could have any size.
    if size > numbers.size - min(start, numbers.size) or (size and last >= numbers.size):
        raise ValueError("a tensor exceeds its storage")
    if not size:
        return np.zeros(shape, dtype=numbers.dtype)
    bytes_apart = [step * numbers.itemsize for step in strides]
    array = np.lib.stride_tricks.as_strided(numbers[start:], shape, bytes_apart, writeable=False)
    if storage.kind == _BRAIN_FLOAT:
        return widened(array)
    return array.view(bool) if storage.kind == "BoolStorage" and array.flags.c_contiguous else array


def read(content: bytes) -> dict[str, np.ndarray]:
    """Return the arrays of a file by name. A forged file raises any kind of error."""
    if content.startswith(b"PK"):
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            text, storages = _members(archive, len(content))
        value = _unpickle(io.BytesIO(text))
    else:
        value, storages = _read_sequence(content)
    return {name: _array(tensor, storages) for name, tensor in _tensors(value).items()}
