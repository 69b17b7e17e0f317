"""Conversion of values to JSON and arrays for checkpoints, and back.

None, booleans, strings, finite floats, integers below 2**53 and lists are stored as they are. Any
other value is stored as an object with one key, its tag: `{"tuple": [1, 2]}`. Decoding calls only
the constructors below and those of the given classes.
"""

from __future__ import annotations

import dataclasses
import math
import re
import reprlib
from collections.abc import Callable, Mapping
from types import NoneType
from typing import Any

import numpy as np

from sklearn_nn._spec import Spec
from sklearn_nn.training.checkpoint.file import CheckpointError, storable

#: Values nested more deeply than this are assumed to contain themselves.
DEEPEST = 100
#: Integers below this are exact in every JSON reader.
_EXACT = 2**53
_INTEGER = re.compile(r"-?0x[0-9a-f]+")
_SCALAR = re.compile(r"[<>|][biufcmM]\d{1,2}(\[\w+\])?")
_NOT_FINITE = ("nan", "inf", "-inf")
_ELEMENTS = (NoneType, bool, int, float, str)
_MERSENNE_WORDS = 624

#: Keys that lead to a nested value.
Place = tuple[Any, ...]


def encode(
    value: Any, arrays: dict[str, np.ndarray], classes: Mapping[str, type] | None = None
) -> Any:
    """Convert a value to plain JSON and put its arrays into `arrays`.

    Supported are None, bool, int, float, str, NumPy scalars and arrays, `RandomState`, instances of
    `classes` (dataclasses and Specs, by name), and lists, tuples and dicts of them. Object arrays
    may hold None, bool, int, float, str and NumPy scalars. Arrays are not copied and get new keys;
    after an error `arrays` is unchanged. Raises TypeError, which names the place, for any other
    value, and ValueError if the value contains itself.
    """
    before = len(arrays)
    try:
        return _Coder(arrays, classes or {}).encode(value, ())
    except Exception:
        for key in list(arrays)[before:]:  # a dict keeps the order in which it was filled
            del arrays[key]
        raise


def decode(
    encoded: Any, arrays: Mapping[str, np.ndarray], classes: Mapping[str, type] | None = None
) -> Any:
    """Return the value that `encode` converted.

    The arrays become part of the value without a copy. A dataclass may have new fields with
    defaults. Raises CheckpointError if `encoded` is not a result of `encode`.
    """
    try:
        return _Coder(dict(arrays), classes or {}).decode(encoded, ())
    except Exception as error:  # constructors raise any kind for a forged value
        kind = "" if isinstance(error, CheckpointError) else f"{type(error).__name__}: "
        raise CheckpointError(
            f"The checkpoint holds a value that cannot be decoded ({kind}{error}). "
            "Use another copy, or an earlier checkpoint."
        ) from error


@dataclasses.dataclass
class _Coder:
    """Encoder and decoder for one set of arrays and classes; each pair of methods has one tag."""

    arrays: dict[str, np.ndarray]
    classes: Mapping[str, type]

    def encode(self, value: Any, place: Place) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str):
            return value
        if len(place) > DEEPEST:
            raise ValueError(
                f"{_name(place[:3])}... is nested deeper than {DEEPEST} values, or contains "
                "itself, so it cannot be stored; flatten it."
            )
        if kind in ENCODERS:
            return ENCODERS[kind](self, value, place)
        if isinstance(value, np.generic):
            return self._scalar(value, place)
        for name, allowed in self.classes.items():
            if kind is allowed:
                return self._object(name, value, place)
        raise self._refusal(value, place)

    def decode(self, encoded: Any, place: Place) -> Any:
        if encoded is None or type(encoded) in (bool, int, float, str):
            return encoded
        if len(place) > DEEPEST:
            raise CheckpointError(f"it is nested deeper than {DEEPEST} values")
        if type(encoded) is list:
            return self._items(encoded, place)
        _require(type(encoded) is dict and len(encoded) == 1, encoded, place)
        ((tag, content),) = encoded.items()
        _require(tag in DECODERS, encoded, place)
        return DECODERS[tag](self, content, place)

    def _refusal(self, value: Any, place: Place) -> TypeError:
        known = ", ".join(self.classes) or "no class"
        dtype = f" of dtype {value.dtype}" if isinstance(value, np.ndarray) else ""
        return TypeError(
            f"{_name(place)} is {_short(value)}, a {type(value).__qualname__}{dtype}, which "
            "cannot be stored: a checkpoint holds numbers, strings, lists, tuples, dicts, plain "
            f"arrays, RandomState, and objects of {known}."
        )

    # Numbers

    def _int(self, value: int, place: Place) -> Any:
        return value if abs(value) < _EXACT else {"int": hex(value)}

    def _to_int(self, content: Any, place: Place) -> int:
        _require(type(content) is str and _INTEGER.fullmatch(content), content, place)
        return int(content, 16)

    def _float(self, value: float, place: Place) -> Any:
        return value if math.isfinite(value) else {"float": repr(value)}

    def _to_float(self, content: Any, place: Place) -> float:
        _require(content in _NOT_FINITE, content, place)
        return float(content)

    def _scalar(self, value: np.generic, place: Place) -> Any:
        if type(value) is np.str_:
            return {"numpy_str": str(value)}
        if not _SCALAR.fullmatch(value.dtype.str):
            raise self._refusal(value, place)
        return {"scalar": [value.dtype.str, value.tobytes().hex()]}

    def _to_scalar(self, content: Any, place: Place) -> np.generic:
        name, digits = content
        _require(type(name) is str and _SCALAR.fullmatch(name), content, place)
        dtype, data = np.dtype(name), bytes.fromhex(digits)
        _require(len(data) == dtype.itemsize, content, place)
        _require(dtype.kind != "b" or data[0] <= 1, content, place)
        return np.frombuffer(data, dtype=dtype)[0]

    def _to_numpy_str(self, content: Any, place: Place) -> np.str_:
        _require(type(content) is str, content, place)
        return np.str_(content)

    # Containers

    def _list(self, value: list[Any] | tuple[Any, ...], place: Place) -> list[Any]:
        return [self.encode(item, (*place, i)) for i, item in enumerate(value)]

    def _items(self, content: Any, place: Place) -> list[Any]:
        _require(type(content) is list, content, place)
        return [self.decode(item, (*place, i)) for i, item in enumerate(content)]

    def _tuple(self, value: tuple[Any, ...], place: Place) -> Any:
        return {"tuple": self._list(value, place)}

    def _to_tuple(self, content: Any, place: Place) -> tuple[Any, ...]:
        return tuple(self._items(content, place))

    def _dict(self, value: dict[Any, Any], place: Place) -> Any:
        encode = self.encode
        return {"dict": [[encode(k, place), encode(v, (*place, k))] for k, v in value.items()]}

    def _to_dict(self, content: Any, place: Place) -> dict[Any, Any]:
        _require(type(content) is list, content, place)
        value: dict[Any, Any] = {}
        for pair in content:
            _require(type(pair) is list and len(pair) == 2, pair, place)
            key = self.decode(pair[0], place)
            value[key] = self.decode(pair[1], (*place, key))
        if len(value) < len(content):
            raise CheckpointError(f"{_name(place)} has a duplicate key")
        return value

    # Arrays

    def _array(self, value: np.ndarray, place: Place) -> Any:
        if value.dtype.kind == "O":
            items = value.ravel().tolist()
            for i, item in enumerate(items):
                if type(item) not in _ELEMENTS and not isinstance(item, np.generic):
                    raise self._refusal(item, (*place, i))
            return {"objects": [list(value.shape), self._list(items, place)]}
        if not storable(value):
            raise self._refusal(value, place)
        number = len(self.arrays)
        while f"{number}" in self.arrays:
            number += 1
        self.arrays[f"{number}"] = value
        return {"array": f"{number}"}

    def _to_array(self, content: Any, place: Place) -> np.ndarray:
        array = self.arrays[content]
        _require(storable(array), array, place)
        return array

    def _to_objects(self, content: Any, place: Place) -> np.ndarray:
        shape, items = content
        plain = type(shape) is list and all(type(n) is int and n >= 0 for n in shape)
        _require(plain and type(items) is list and math.prod(shape) == len(items), shape, place)
        flat = np.empty(len(items), dtype=object)
        for i, item in enumerate(self._items(items, place)):
            _require(type(item) in _ELEMENTS or isinstance(item, np.generic), item, place)
            flat[i] = item
        return flat.reshape(shape)

    # Objects

    def _random_state(self, value: np.random.RandomState, place: Place) -> Any:
        state: dict[str, Any] = value.get_state(legacy=False)
        if state["bit_generator"] != "MT19937":
            raise self._refusal(value, place)
        words, position = state["state"]["key"], state["state"]["pos"]
        parts = [words, int(position), int(state["has_gauss"]), float(state["gauss"])]
        return {"random_state": self._list(parts, place)}

    def _to_random_state(self, content: Any, place: Place) -> np.random.RandomState:
        words, position, has_gauss, gauss = self._items(content, place)
        # NumPy does not check the position and would read beyond the array.
        _require(type(position) is int and 0 <= position <= _MERSENNE_WORDS, position, place)
        _require(words.dtype == np.uint32 and words.shape == (_MERSENNE_WORDS,), words, place)
        _require(type(gauss) is float, gauss, place)
        _require(type(has_gauss) is int and has_gauss in (0, 1), gauss, place)
        value = np.random.RandomState(0)
        value.set_state(("MT19937", words, position, has_gauss, gauss))
        return value

    def _object(self, name: str, value: Any, place: Place) -> Any:
        if isinstance(value, Spec):
            content = value.get_params(deep=False)
        elif dataclasses.is_dataclass(value):
            names = [field.name for field in dataclasses.fields(value)]
            content = {name: getattr(value, name) for name in names}
        else:
            raise self._refusal(value, place)
        return {"object": [name, self._dict(content, place)["dict"]]}

    def _to_object(self, content: Any, place: Place) -> Any:
        name, pairs = content
        if type(name) is not str or name not in self.classes:
            known = ", ".join(self.classes) or "none"
            raise CheckpointError(f"the class {_short(name)} is unknown; known are: {known}")
        given, made = self._to_dict(pairs, place), self.classes[name]
        if issubclass(made, Spec):
            return made(**given)
        if not dataclasses.is_dataclass(made):
            raise CheckpointError(f"{name} is neither a dataclass nor a Spec")
        late = {field.name for field in dataclasses.fields(made) if not field.init}
        value = made(**{key: item for key, item in given.items() if key not in late})
        for key in late & set(given):
            object.__setattr__(value, key, given[key])  # frozen ones too
        return value


def _short(value: Any) -> str:
    """Return a short repr on one line."""
    shortener = reprlib.Repr()
    shortener.maxother = 80
    return " ".join(shortener.repr(value).split())


def _name(place: Place) -> str:
    """Return the Python expression of a nested value."""
    return "value" + "".join(f"[{_short(key)}]" for key in place)


def _require(valid: Any, encoded: Any, place: Place) -> None:
    """Raise CheckpointError unless an encoded value is valid at its place."""
    if not valid:
        raise CheckpointError(f"{_name(place)} cannot be {_short(encoded)}")


Step = Callable[[_Coder, Any, Place], Any]

ENCODERS: dict[type, Step] = {
    int: _Coder._int, float: _Coder._float,
    list: _Coder._list, tuple: _Coder._tuple, dict: _Coder._dict,
    np.ndarray: _Coder._array, np.memmap: _Coder._array,
    np.random.RandomState: _Coder._random_state,
}  # fmt: skip
DECODERS: dict[str, Step] = {
    "int": _Coder._to_int, "float": _Coder._to_float,
    "scalar": _Coder._to_scalar, "numpy_str": _Coder._to_numpy_str,
    "tuple": _Coder._to_tuple, "dict": _Coder._to_dict,
    "array": _Coder._to_array, "objects": _Coder._to_objects,
    "random_state": _Coder._to_random_state, "object": _Coder._to_object,
}  # fmt: skip
