"""Checkpoints in the format of the package safetensors, which other libraries read.

Vectors that are divided into parts, such as all weights of a network, are stored as one tensor for
each part, under its name. The metadata holds everything else as JSON text.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn._optional import imported

SUFFIX = ".safetensors"
#: Key of the JSON text in the metadata.
_KEY = "sklearn_nn"
#: Before the names of arrays that are no parts of a vector.
_OTHERS = "saved/"


class Part(NamedTuple):
    """Named array within a vector."""

    name: str
    start: int
    shape: tuple[int, ...]


def is_tensors(path: str | os.PathLike[str]) -> bool:
    """Return whether a path is that of a file of tensors, by its ending."""
    return os.fsdecode(path).endswith(SUFFIX)


def library(module: str = "safetensors") -> Any:
    """Import a module of safetensors, or raise ImportError with the remedy."""
    need = f"Files that end in {SUFFIX} are written and read by the package safetensors"
    return imported(module, need, "safetensors")


def packed(
    meta: Mapping[str, Any],
    arrays: Mapping[str, np.ndarray],
    parts: Mapping[str, list[Part]],
) -> bytes:
    """Return the content of a file; `parts` divides some of the arrays, which are vectors."""
    save = library("safetensors.numpy").save
    tensors, vectors, texts = {}, {}, {}
    for key, array in arrays.items():
        if key in parts:
            vectors[key] = [array.size, array.dtype.str, [list(part) for part in parts[key]]]
            for name, start, shape in parts[key]:
                tensors[name] = array[start : start + math.prod(shape)].reshape(shape)
        elif _is_native(array.dtype):
            tensors[_OTHERS + key] = array
        else:  # text, dates, and numbers of other processors, as bytes
            texts[key] = [array.dtype.str, list(array.shape)]
            tensors[_OTHERS + key] = np.frombuffer(array.tobytes(), dtype=np.uint8)
    rest = {"meta": meta, "vectors": vectors, "bytes": texts}
    text = json.dumps(rest, allow_nan=False)
    dense = {name: np.asarray(tensor, order="C") for name, tensor in tensors.items()}
    content: bytes = save(dense, {"format": "np", _KEY: text})
    return content


def read(path: str) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Return `meta` and the arrays of a file. A forged file raises any kind of error."""
    with library().safe_open(path, framework="np") as file:
        text = (file.metadata() or {}).get(_KEY)
        if text is None:
            raise ValueError(
                "it holds tensors, but not of an estimator; from_pretrained of an estimator that "
                "fit or initialize has made takes them"
            )
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    rest = json.loads(text)
    most = os.path.getsize(path)
    arrays = {
        name.removeprefix(_OTHERS): tensor.copy()
        for name, tensor in tensors.items()
        if name.startswith(_OTHERS)
    }
    for key, (name, shape) in rest["bytes"].items():
        dtype = np.dtype(name)
        if dtype.kind not in "biufcSUmM":
            raise ValueError(f"array {key!r} is of dtype {dtype}")
        arrays[key] = np.frombuffer(arrays[key].tobytes(), dtype=dtype).reshape(shape).copy()
    for key, (size, name, parts) in rest["vectors"].items():
        arrays[key] = _vector((size, name), parts, tensors, most)
        most -= arrays[key].nbytes  # all vectors together are no larger than the file
    return rest["meta"], arrays


def _is_native(dtype: np.dtype) -> bool:
    """Return whether the format has the dtype, in the byte order that it has."""
    return dtype.kind in "biuf" and dtype.itemsize <= 8 and dtype.str[0] in "<|"


def _vector(form: Any, parts: Any, tensors: Mapping[str, np.ndarray], most: int) -> np.ndarray:
    """Return a vector of at most `most` bytes with tensors at their places, zeros between them."""
    size, dtype = form
    known = type(size) is int and dtype in ("<f4", "<f8")
    if not known or not 0 <= size * np.dtype(dtype).itemsize <= most:
        raise ValueError(f"a vector of {size} values of dtype {dtype}")
    vector = np.zeros(size, dtype=dtype)
    for name, start, shape in parts:
        tensor = tensors[name]
        end = start + tensor.size
        if list(tensor.shape) != shape or tensor.dtype != vector.dtype:
            raise ValueError(f"tensor {name!r} has another shape or dtype than it had")
        if not 0 <= start <= end <= size:
            raise ValueError(f"tensor {name!r} lies outside of its vector")
        vector[start:end] = tensor.ravel()
    return vector
