"""Machine code of a function: compiled by Numba once, then linked from the cache without Numba.

An entry of the cache holds an object file as LLVM's compiler has written it, the symbol of the
function in it, and the symbols that it needs from elsewhere: functions of the C library,
`contract`, and seldom those of Numba's runtime. Numba is imported only if an entry is missing or
needs that.
"""

from __future__ import annotations

import ctypes
import functools
import struct
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from llvmlite import binding

from sklearn_nn.jit import njit, settings
from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.console import tell_compilation

# --- object files ---------------------------------------------------------------------------------


def _text(strings: bytes, place: int) -> str:
    return strings[place : strings.index(b"\0", place)].decode()


def _elf_symbols(content: bytes) -> Iterator[str]:
    """Yield the undefined symbols of a file for Linux and other systems."""
    (start,), (count,) = (
        struct.unpack_from("<Q", content, 40),
        struct.unpack_from("<H", content, 60),
    )
    sections = list(struct.iter_unpack("<4xI16xQQI20x", content[start : start + 64 * count]))
    offset, size, link = next(rest for kind, *rest in sections if kind == 2)
    strings = content[sections[link][1] :]
    for name, section in struct.iter_unpack("<I2xH16x", content[offset : offset + size]):
        if name and section == 0:
            yield _text(strings, name)


def _mach_symbols(content: bytes) -> Iterator[str]:
    """Yield the undefined symbols of a file for macOS, without the underscore of C's names."""
    (count,), place = struct.unpack_from("<I", content, 16), 32
    for _ in range(count):
        command, size = struct.unpack_from("<II", content, place)
        if command == 2:
            start, n, strings, _ = struct.unpack_from("<4I", content, place + 8)
            for name, kind, value in struct.iter_unpack("<IB3xQ", content[start : start + 16 * n]):
                if kind & 0x0F == 1 and value == 0:
                    yield _text(content, strings + name).removeprefix("_")
        place += size


def _coff_symbols(content: bytes) -> Iterator[str]:
    """Yield the undefined symbols of a file for Windows."""
    start, n = struct.unpack_from("<II", content, 8)
    strings, k = content[start + 18 * n :], 0
    while k < n:
        name, value, section, kind, further = struct.unpack_from(
            "<8sIh2xBB", content, start + 18 * k
        )
        if section == 0 and kind == 2 and value == 0:
            is_long = name.startswith(b"\0\0\0\0")
            yield (
                _text(strings, int.from_bytes(name[4:], "little"))
                if is_long
                else name.rstrip(b"\0").decode()
            )
        k += 1 + further


#: By first bytes: 64-bit little-endian ELF and Mach-O; COFF of x86-64 and 64-bit ARM.
_FORMATS: dict[bytes, Callable[[bytes], Iterator[str]]] = {
    b"\x7fELF\x02\x01": _elf_symbols,
    b"\xcf\xfa\xed\xfe": _mach_symbols,
    b"\x64\x86": _coff_symbols,
    b"\x64\xaa": _coff_symbols,
}
#: Symbols that tell a linker something and stand for nothing.
_NOTES = ("_GLOBAL_OFFSET_TABLE_", "_fltused")


def _reader(content: bytes) -> Callable[[bytes], Iterator[str]]:
    """Return the reader of an object file's symbols; raise ValueError if it is no such file."""
    for beginning, reader in _FORMATS.items():
        if content.startswith(beginning):
            return reader
    raise ValueError("an object file of unknown format")


class ObjectFile(NamedTuple):
    """Object file with one function of interest."""

    symbol: str  # of the function
    needed: tuple[str, ...]  # symbols from elsewhere
    content: bytes

    @classmethod
    def of(cls, symbol: str, content: bytes) -> ObjectFile:
        """Return an object file with the symbols that it needs; raise ValueError if it is none."""
        needed = sorted({*_reader(content)(content)} - {*_NOTES})
        return cls(symbol, tuple(needed), content)

    def packed(self) -> bytes:
        """Return the bytes of an entry of the cache."""
        return " ".join((self.symbol, *self.needed)).encode() + b"\n" + self.content

    @classmethod
    def unpacked(cls, payload: bytes) -> ObjectFile:
        """Return the object file of an entry; raise ValueError if it is none."""
        line, _, content = payload.partition(b"\n")
        _reader(content)  # LLVM aborts the process if it gets something else
        symbol, *needed = line.decode().split(" ")
        return cls(symbol, tuple(needed), content)


# --- linking --------------------------------------------------------------------------------------


def _keep(owner: Any) -> None:
    """Keep the owner of machine code until the process ends, since programs hold addresses."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(owner))


#: Numba's functions that call Python begin with this one.
_LOCK = "numba_gil_ensure"
#: Numba's code refers to this function of its runtime, which frees an array. Kernels own none.
_FREE = "NRT_MemInfo_call_dtor"


@functools.cache
def _free_nothing() -> Any:
    """Return a C function in place of `_FREE`, which kernels do not call."""
    function = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(lambda _: None)
    _keep(function)
    return function


def _provide(needed: tuple[str, ...]) -> None:
    """Let LLVM find these symbols; import Numba if it has to define some of them."""
    missing = [name for name in needed if binding.address_of_symbol(name) is None]
    if missing == [_FREE]:
        binding.add_symbol(_FREE, ctypes.cast(_free_nothing(), ctypes.c_void_p).value)
    elif missing:
        from numba.core.registry import cpu_target
        from numba.core.runtime import rtsys

        rtsys.initialize(cpu_target.target_context)


def link(payload: bytes) -> int:
    """Return the address of the function in an entry; raise ValueError if it is damaged.

    Each has a linker of its own: Numba gives functions that several entries contain names that are
    unique within one process only.
    """
    found = ObjectFile.unpacked(payload)
    target = binding.Target.from_triple(binding.get_process_triple())
    none = binding.parse_assembly("")
    engine = binding.create_mcjit_compiler(
        none, target.create_target_machine(jit=True), settings().USE_LLVMLITE_MEMORY_MANAGER
    )
    engine.remove_module(none)  # otherwise it is compiled, which takes longer than all else
    _provide(found.needed)  # after an engine has been made, with which LLVM finds the C library
    engine.add_object_file(binding.ObjectFileRef.from_data(found.content))
    engine.finalize_object()
    if not (address := engine.get_function_address(found.symbol)):
        raise ValueError(f"no function {found.symbol} in an object file")
    _keep(engine)
    return address


# --- compilation ----------------------------------------------------------------------------------


def obtain(
    function: Callable[..., None], cache: KernelCache, types: str,
    signature: Callable[[], Any], options: dict[str, Any],
) -> int:  # fmt: skip
    """Return the address of the machine code of `function`, from the cache or else compiled.

    It follows Numba's convention of calls. `types` describes the signature for the cache.
    """
    return cache.obtain(types, link, lambda: _compiled(function, cache, types, signature, options))


def _compiled(
    function: Callable[..., None], cache: KernelCache, types: str,
    signature: Callable[[], Any], options: dict[str, Any],
) -> int:  # fmt: skip
    """Return the address of the machine code of `function`, which is compiled and saved."""
    tell_compilation(cache.path)
    dispatcher, wanted = njit(**options)(function).made, signature()
    dispatcher.compile(wanted)
    result = dispatcher.overloads[wanted.args]
    library, symbol = result.library, result.fndesc.llvm_func_name
    address = library.get_pointer_to_function(symbol)
    if not library.has_dynamic_globals:  # those are addresses of this process
        _save(cache, types, symbol, library)
    _keep(result)
    return address


def _save(cache: KernelCache, types: str, symbol: str, library: Any) -> None:
    """Write the object file of a library of Numba to the cache, if other processes can use it."""
    try:
        found = ObjectFile.of(symbol, library._get_compiled_object())
    except (AttributeError, RuntimeError, ValueError):  # private, and may change
        return
    # What calls Python, such as `print`, has objects of this process.
    if _LOCK not in found.needed:
        cache.save(types, found.packed())
