"""Kernels: jitted functions of fixed signature, compiled on first use and called by address.

A kernel is an ordinary Python function of arrays. Its *kind* fixes the argument types of a whole
family up to the real type, float32 or float64. The machine calls kernels by address, so that each
is compiled by itself, in either real type, when a program first needs it.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from sklearn_nn.jit import (
    cgutils,
    compiler_problem,
    global_name,
    intrinsic,
    njit,
    paused_collection,
    types,
)
from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.contract import load_contract, real_type
from sklearn_nn.jit.denormals import flush_denormals, restore_arithmetic
from sklearn_nn.jit.emit import call_compiled, emitted
from sklearn_nn.jit.host import HELPER_OPTIONS, OPTIONS
from sklearn_nn.jit.machine_code import obtain

# Numba's compiler is not reentrant for one dispatcher.
_COMPILING = threading.RLock()


@contextlib.contextmanager
def compiling() -> Iterator[None]:
    """Let one thread compile; raise RuntimeError if the compiler is switched off."""
    with _COMPILING, paused_collection():
        if (problem := compiler_problem()) is not None:
            raise RuntimeError(problem)
        yield


def _argument_type(description: str, real: types.Type) -> types.Type:
    """Return the Numba type of a description such as "int64", "real[:,:]" or "const real[:]"."""
    readonly = description.startswith("const ")
    name, bracket, axes = description.removeprefix("const ").partition("[")
    element = real if name == "real" else getattr(types, name)
    if not bracket:
        return element
    return types.Array(element, axes.count(":"), "C", readonly=readonly)


class Kind:
    """Signature shared by a family of kernels, such as "forward".

    `arguments` are names and types in order: "int64", "float64", "real" (the compute type) or an
    array of these, such as "real[:,:]", with the prefix "const" if the kernel must not write it.
    """

    def __init__(self, name: str, /, **arguments: str) -> None:
        self.name = name
        self.arguments = arguments

    def signature(self, dtype: str) -> Any:
        """Return the Numba signature for one real type."""
        real = real_type(dtype)
        return types.void(*[_argument_type(text, real) for text in self.arguments.values()])


class Kernel:
    """Function compiled on first use for each real type; see `kernel`.

    A user's can be pickled, by libraries that pickle functions by their code, as those that send
    work to other processes do.
    """

    def __init__(self, function: Callable[..., None], kind: Kind, name: str | None = None) -> None:
        self.function = function
        self.kind = kind
        if name is None:
            name = f"{function.__module__.removeprefix('sklearn_nn.')}.{function.__qualname__}"
        self.name = name
        self.__doc__, self.__module__ = function.__doc__, function.__module__
        # Created now, because the source file may have changed when the kernel is compiled.
        self._cache = KernelCache(self.name, function.__code__.co_filename)
        self._addresses: dict[str, int] = {}

    def address(self, dtype: str) -> int:
        """Return the address of the machine code for `dtype` ("float32" or "float64")."""
        if dtype not in self._addresses:
            with compiling():
                if dtype not in self._addresses:  # no other thread has obtained it meanwhile
                    self._addresses[dtype] = self._obtained(dtype)
        return self._addresses[dtype]

    def _obtained(self, dtype: str) -> int:
        load_contract(dtype)
        return obtain(
            self.function, self._cache, f"{dtype} {self.kind.arguments}",
            lambda: self.kind.signature(dtype), HELPER_OPTIONS,
        )  # fmt: skip

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel from Python, as tests do, in the real type of the first real array.

        Raises TypeError if the arguments' types are not those of the kernel's kind.
        """
        from numba import typeof

        given = [typeof(a) for a in arguments]
        arrays = zip(given, self.kind.arguments.values(), strict=True)
        dtype = next(t.dtype.name for t, text in arrays if text.endswith("]") and "real" in text)
        for given_type, wanted in zip(given, self.kind.signature(dtype).args, strict=True):
            if not given_type.can_convert_to(None, wanted) and given_type != wanted:
                raise TypeError(f"kernel {self.name!r} takes {wanted}, not {given_type}.")
        _enter(self.address(dtype), *arguments)

    def __reduce__(self) -> Any:
        known = global_name(self, self.function.__name__)
        parts = self.function, self.kind, self.name, self._cache.source
        return known or (_restored_kernel, parts)


def _restored_kernel(
    function: Callable[..., None], kind: Kind, name: str, source: bytes | None
) -> Kernel:
    """Return a user's kernel, as in another process that may not have its file."""
    made = Kernel(function, kind, name)
    made._cache.source = source
    return made


def kernel(kind: Kind, name: str | None = None) -> Callable[[Callable[..., None]], Kernel]:
    """Return a decorator that makes a kernel of `kind` from a function.

    `kind` fixes the types of the arguments. `name` is the cache's name for it, by default the
    qualified name, which functions made by a factory share.
    """
    return lambda function: Kernel(function, kind, name)


def call_kernel(
    context: Any, builder: Any, address: Any, given: Sequence[types.Type], arguments: Sequence[Any]
) -> None:
    """Emit a call of the kernel at `address`, whose arguments have the types `given`."""

    def find(kind: ir.FunctionType) -> ir.Value:
        return builder.inttoptr(address, kind.as_pointer())

    call_compiled(context, builder, find, given, arguments)


@intrinsic
def invoke(typing_context: Any, address: types.Type, arguments: types.Type) -> Any:
    """Call the kernel at `address` with a tuple of `arguments`, in Numba's own convention.

    The types must be exactly those of the kernel's kind: nothing checks them at run time.
    """
    signature = types.void(types.intp, arguments)

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        unpacked = cgutils.unpack_tuple(builder, values[1], len(arguments.types))
        call_kernel(context, builder, values[0], arguments.types, unpacked)
        return context.get_dummy_value()

    return signature, codegen


def _flushed(address: int, *arguments: Any) -> None:
    """Call the kernel at `address`, in whose arithmetic denormal numbers are zero.

    Every call of a kernel from Python passes here, in the thread that runs it. The kernel is called
    by address so that none of its arithmetic is moved out of the two lines around it.
    """
    word = flush_denormals()
    invoke(address, arguments)
    restore_arithmetic(word)


#: For arguments of any types; compiled once per process for each combination.
_enter = njit(**OPTIONS, no_cfunc_wrapper=True)(_flushed)


@intrinsic
def real(typing_context: Any, bits: types.Type) -> Any:
    """Return the float64 with the bits of an int64; instructions hold hyperparameters as bits."""
    double = ir.DoubleType()
    return emitted(types.float64(types.int64), lambda builder, bits: builder.bitcast(bits, double))


@intrinsic
def bits(typing_context: Any, number: types.Type) -> Any:
    """Return the bits of a float64 as int64, the inverse of `real`."""
    word = ir.IntType(64)
    return emitted(types.int64(types.float64), lambda builder, x: builder.bitcast(x, word))


@intrinsic
def like(typing_context: Any, example: types.Type, value: types.Type) -> Any:
    """Return `value` in the type of `example`; float32 times a literal would be float64."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        return context.cast(builder, values[1], value, example)

    return example(example, value), codegen


def real_bits(value: float) -> int:
    """Return the int64 with the bits of a float64, the inverse of `real`."""
    return int(np.float64(value).view(np.int64))
