"""Drivers: compiled loops that call kernels by address, the same machine code for every real type.

A driver computes with addresses, lengths and numbers only; arrays of real numbers are touched by
the kernels that it calls. It is therefore compiled once, and soon: arrays as arguments would be
structures of seven or nine fields, copied and counted in every function they pass through.

The arguments of a driver are a `Frame`: a record in memory of 64-bit fields. A number is one field.
An array has a field with its address, of the array's name, and one for each length: `name_size` of
a vector; `name_rows` and `name_columns` of a matrix.
"""

from __future__ import annotations

import ctypes
import functools
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from sklearn_nn.jit import cgutils, intrinsic, types
from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.denormals import flush_denormals, restore_arithmetic
from sklearn_nn.jit.emit import emitted
from sklearn_nn.jit.host import HELPER_OPTIONS
from sklearn_nn.jit.kernel import Kind, call_kernel, compiling
from sklearn_nn.jit.machine_code import obtain

_LENGTHS = {0: (), 1: ("_size",), 2: ("_rows", "_columns")}
_I64 = ir.IntType(64)


def _fields(kind: Kind) -> list[tuple[str, str]]:
    """Return the fields of a record with the arguments of `kind`, and their types."""
    fields = []
    for name, text in kind.arguments.items():
        axes = text.count(":")
        fields.append((name, "float64" if text == "float64" else "int64"))
        fields += [(name + ending, "int64") for ending in _LENGTHS[axes]]
    return fields


_INT64, _FLOAT64 = np.dtype("int64"), np.dtype("float64")


class Layout:
    """Layout of the frames of some drivers: the arguments of `kind`, after `itemsize`.

    `itemsize` is the number of bytes of an element of the real type.
    """

    def __init__(self, kind: Kind) -> None:
        self.kind = kind
        fields = [("itemsize", "int64"), *_fields(kind)]
        self.places = {name: place for place, (name, _) in enumerate(fields)}
        self._fields = fields
        dtypes = {"int64": _INT64, "float64": _FLOAT64, "real": None}
        #: By name: place, number of axes, type (None: real), and whether drivers only read it.
        self.forms: dict[str, tuple[int, int, np.dtype | None, bool]] = {}
        for name, text in kind.arguments.items():
            dtype = dtypes[text.removeprefix("const ").partition("[")[0]]
            axes, is_const = text.count(":"), text.startswith("const ")
            self.forms[name] = self.places[name], axes, dtype, is_const

    def reader(self) -> Any:
        """Return a function for drivers that returns the record at an address."""
        size = 8 * len(self.places)

        @intrinsic
        def frame_at(typing_context: Any, address: types.Type) -> Any:
            from numba import from_dtype

            def emit(builder: Any, address: Any) -> Any:
                return builder.inttoptr(address, ir.ArrayType(ir.IntType(8), size).as_pointer())

            return emitted(from_dtype(np.dtype(self._fields))(types.int64), emit)

        return frame_at

    def caller(self, kind: Kind, **slots: tuple[int, int]) -> Any:
        """Return a function ``call(address, f, words)`` for drivers, which calls a kernel.

        `kind` is the kernel's kind, and `f` the record of a frame, from which arguments of the same
        name are taken. All others are in the tuple `words`, in order: a number (float64 as `bits`),
        or the address and the lengths of an array.

        With `slots`, the first word is the address of an instruction. Each of `slots` is an array
        within a larger one, and has two places in the instruction. Of a vector these are the places
        of its first element and its size; the frame has the larger one, or else a word has its
        address. Of a matrix they are the places of its first column and its number of columns: it
        begins `capacity` elements for each column further, and its words are the address of the
        larger one and the number of rows.
        """

        @intrinsic
        def call(typing_context: Any, address: Any, f: Any, words: Any) -> Any:
            # Both real types have the same convention: their arrays differ in elements' size.
            given = kind.signature("float64").args

            def codegen(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
                source = _Source(self, slots, builder, *values[1:])
                arguments = []
                for (name, text), one in zip(kind.arguments.items(), given, strict=True):
                    found = source.words(name, getattr(one, "ndim", 0))
                    if isinstance(one, types.Array):
                        size = source.itemsize if "real" in text else _I64(8)
                        found = [_array(context, builder, one, found, size)]
                    elif one == types.float64:
                        found = [builder.bitcast(found[0], ir.DoubleType())]
                    arguments += found
                source.end()
                call_kernel(context, builder, values[0], given, arguments)
                return context.get_dummy_value()

            return types.void(types.int64, f, words), codegen

        return call


class _Source:
    """Code that takes a kernel's arguments from a frame, an instruction and a tuple."""

    def __init__(self, layout: Layout, slots: Any, builder: Any, f: Any, words: Any) -> None:
        self._layout, self._slots, self._builder = layout, slots, builder
        self._f = builder.bitcast(f, _I64.as_pointer())
        self._words = [builder.extract_value(words, k) for k in range(words.type.count)]
        self.itemsize = self._load(self._f, 0)
        if slots:
            self._op = builder.inttoptr(self._words.pop(0), _I64.as_pointer())

    def _load(self, pointer: Any, place: int) -> Any:
        return self._builder.load(self._builder.gep(pointer, [_I64(place)]))

    def _field(self, name: str, further: int = 0) -> Any:
        return self._load(self._f, self._layout.places[name] + further)

    def words(self, name: str, axes: int) -> list[Any]:
        """Return the number `name`, or the address and the lengths of an array."""
        in_frame = self._layout.kind.arguments.get(name)
        if name in self._slots:
            at, size = self._slots[name]
            offset, builder = self._load(self._op, at), self._builder
            first = self._field(name) if in_frame else self._words.pop(0)
            rows = [self._words.pop(0) for _ in range(axes - 1)]
            if rows:
                offset = builder.mul(offset, self._field("capacity"))
            first = builder.add(first, builder.mul(offset, self.itemsize))
            return [first, *rows, self._load(self._op, size)]
        if in_frame:
            assert in_frame.count(":") == axes, name
            return [self._field(name, axis) for axis in range(axes + 1)]
        return [self._words.pop(0) for _ in range(axes + 1)]

    def end(self) -> None:
        """Check that all words have been used."""
        assert not self._words, "too many words"


def _array(context: Any, builder: Any, kind: types.Array, words: Sequence[Any], size: Any) -> Any:
    """Return a C-contiguous array of this address and these lengths."""
    address, *shape = words
    strides = [size]
    for length in reversed(shape[1:]):
        strides.insert(0, builder.mul(length, strides[0]))
    n_items = shape[0]
    for length in shape[1:]:
        n_items = builder.mul(n_items, length)
    model = context.data_model_manager[kind]
    array = ir.Constant(model.get_value_type(), None)  # it owns no memory
    data = model.get_field_position("data")
    fields = {
        "nitems": n_items, "itemsize": size,
        "data": builder.inttoptr(address, array.type.elements[data]),
        "shape": cgutils.pack_array(builder, shape),
        "strides": cgutils.pack_array(builder, strides),
    }  # fmt: skip
    for name, value in fields.items():
        array = builder.insert_value(array, value, model.get_field_position(name))
    return array


class Frame:
    """Arguments of a driver in memory, for one real type; it keeps the arrays alive."""

    def __init__(self, layout: Layout, dtype: str, **arguments: Any) -> None:
        self._layout = layout
        self._real = np.dtype(dtype)
        self._words = (ctypes.c_int64 * len(layout.places))()
        self._numbers = (ctypes.c_double * len(layout.places)).from_buffer(self._words)
        #: Arrays by name.
        self.arrays: dict[str, np.ndarray] = {}
        self.address = ctypes.addressof(self._words)
        self._words[0] = self._real.itemsize
        self.set(**arguments)

    def set(self, **arguments: Any) -> None:
        """Set arguments by name; raise TypeError for an array that the driver cannot use."""
        words, forms, real, arrays = self._words, self._layout.forms, self._real, self.arrays
        for name, value in arguments.items():
            place, axes, dtype, is_const = forms[name]
            if not axes:
                (words if dtype is _INT64 else self._numbers)[place] = value
                continue
            if value is arrays.get(name):
                continue
            flags, shape = value.flags, value.shape
            fits = flags.carray or (is_const and flags.c_contiguous and flags.aligned)
            if not fits or len(shape) != axes or value.dtype != (dtype or real):
                text, given = self._layout.kind.arguments[name], f"{value.dtype} of shape {shape}"
                raise TypeError(f"{name} must be {text} with real = {real}, not {given}.")
            arrays[name] = value
            words[place] = address_of(value) if value.size else 0
            for length in shape:
                place += 1
                words[place] = length


class Routine:
    """Function of int64 arguments, compiled once for all real types and called by address.

    Drivers call it by `call_routine`. Code that several of them need is so compiled once.
    """

    def __init__(self, function: Callable[..., None]) -> None:
        self.function = function
        self.name = f"{function.__module__.removeprefix('sklearn_nn.')}.{function.__qualname__}"
        self.__doc__ = function.__doc__
        # Created now, because the source file may have changed when the code is compiled.
        self._cache = KernelCache(self.name, function.__code__.co_filename)
        self._address: int | None = None

    @property
    def address(self) -> int:
        """Address of the machine code."""
        if self._address is None:
            with compiling():
                if self._address is None:  # no other thread has compiled it meanwhile
                    self._address = self._obtained()
        return self._address

    def _obtained(self) -> int:
        n = self.function.__code__.co_argcount
        signature = lambda: types.void(*[types.int64] * n)  # noqa: E731
        return obtain(self.function, self._cache, f"{n} int64", signature, HELPER_OPTIONS)

    def __reduce__(self) -> Any:
        raise TypeError(f"routine {self.name!r} is machine code and cannot be pickled")


class Driver(Routine):
    """Routine of part, parts, the address of the team's memory, and that of a frame."""

    def run(self, part: int, parts: int, sync: np.ndarray, frame: Frame) -> None:
        """Run the driver as one part of a team, with arithmetic that flushes denormal numbers."""
        _enter()(self.address, part, parts, address_of(sync), frame.address)


class _Interface(ctypes.Structure):
    """Beginning of the structure behind `__array_struct__` of NumPy's array interface."""

    _fields_ = (
        ("two", ctypes.c_int), ("axes", ctypes.c_int), ("kind", ctypes.c_char),
        ("itemsize", ctypes.c_int), ("flags", ctypes.c_int), ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p), ("data", ctypes.c_ssize_t),
    )  # fmt: skip


_get_pointer = ctypes.PYFUNCTYPE(ctypes.c_void_p, ctypes.py_object, ctypes.c_char_p)(
    ("PyCapsule_GetPointer", ctypes.pythonapi)
)


def address_of(array: np.ndarray) -> int:
    """Return the address of an array's first element, in half the time of `array.ctypes.data`."""
    capsule = array.__array_struct__
    return _Interface.from_address(_get_pointer(capsule, None)).data


def _flushed(address: int, part: int, parts: int, sync: int, frame: int) -> None:
    """Call the driver at `address`, in whose arithmetic denormal numbers are zero.

    It is called by address so that none of its arithmetic is moved out of the two lines around it.
    """
    word = flush_denormals()
    call_routine(address, (part, parts, sync, frame))
    restore_arithmetic(word)


_FLUSHED = Routine(_flushed)


@functools.cache
def _enter() -> Any:
    """Return a function that runs the driver at an address; it releases the GIL."""
    kind = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_void_p] * 2, *[ctypes.c_int64] * 5)
    # Numba's functions have two places for results first, in which all threads write the same.
    results = (ctypes.c_void_p * 2)()
    places = [ctypes.byref(results, k * ctypes.sizeof(ctypes.c_void_p)) for k in range(2)]
    return functools.partial(kind(_FLUSHED.address), *places)


@intrinsic
def call_routine(typing_context: Any, address: types.Type, arguments: types.Type) -> Any:
    """Call the routine at `address` with a tuple of int64."""

    given = [types.int64] * len(arguments.types)

    def codegen(context: Any, builder: Any, signature: Any, values: Sequence[Any]) -> Any:
        words = cgutils.unpack_tuple(builder, values[1], len(given))
        call_kernel(context, builder, values[0], given, words)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), codegen
