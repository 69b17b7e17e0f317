"""@kernel: jitted functions of fixed signature, compiled on first need, reached by address.

A kernel is an ordinary Python function of arrays. Its *kind* fixes the argument types once for a
whole family (all forward kernels look alike to the machine), up to the real type: float32 or
float64. The machine calls kernels through their addresses, so each compiles by itself, in either
real type, when a program first asks for it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, typeof, types
from numba.core import cgutils
from numba.extending import intrinsic

from sklearn_nn.jit import compiler_problem
from sklearn_nn.jit.cache import KernelCache
from sklearn_nn.jit.contract import load_contract
from sklearn_nn.jit.host import HELPER_OPTIONS, OPTIONS

REALS = {"float32": types.float32, "float64": types.float64}
# Numba's compiler is not reentrant for one dispatcher: one thread compiles or loads at a time.
_COMPILING = threading.RLock()


def _argument_type(description: str, real: types.Type) -> types.Type:
    """The Numba type of an argument written as e.g. "int64", "real[:,:]" or "const real[:]"."""
    readonly = description.startswith("const ")
    name, bracket, axes = description.removeprefix("const ").partition("[")
    element = real if name == "real" else getattr(types, name)
    if not bracket:
        return element
    return types.Array(element, axes.count(":"), "C", readonly=readonly)


class Kind:
    """The signature shared by a family of kernels.

    Parameters
    ----------
    name : str
        What the kernels do, e.g. "forward".
    entry : bool
        Whether Python calls such kernels often: then they get a way in of their own.
    **arguments : str
        Argument names and types in order: "int64", "float64", "real" (the compute type) or an
        array of these: "real[:,:]"; "const" in front where the kernel may not write.
    """

    def __init__(self, name: str, entry: bool = False, /, **arguments: str) -> None:
        self.name = name
        self.options = {**OPTIONS, "no_cfunc_wrapper": True} if entry else HELPER_OPTIONS
        self.arguments = arguments

    def signature(self, dtype: str) -> Any:
        """The Numba signature for one real type."""
        real = REALS[dtype]
        return types.void(*[_argument_type(text, real) for text in self.arguments.values()])


class Kernel:
    """A function compiled on first need for each real type; see `kernel`."""

    def __init__(self, function: Callable[..., None], kind: Kind, name: str | None = None) -> None:
        self.function = function
        self.kind = kind
        if name is None:
            name = f"{function.__module__.removeprefix('sklearn_nn.')}.{function.__qualname__}"
        self.name = name
        self.__doc__ = function.__doc__
        # Made now and not when it compiles: by then the source file may have changed.
        self._cache = KernelCache(self.name, function.__code__.co_filename)
        self._dispatcher: Any = None
        self._addresses: dict[str, int] = {}

    def compiled(self, dtype: str) -> Any:
        """The dispatcher, compiled for `dtype`."""
        if dtype not in self._addresses:
            with _COMPILING:
                self._compile(dtype)
        return self._dispatcher

    def address(self, dtype: str) -> int:
        """Where the machine code for `dtype` ("float32" or "float64") begins."""
        self.compiled(dtype)
        return self._addresses[dtype]

    def _compile(self, dtype: str) -> None:
        if (problem := compiler_problem()) is not None:
            raise RuntimeError(problem)
        load_contract(dtype)
        if self._dispatcher is None:
            self._dispatcher = njit(**self.kind.options)(self.function)
            self._dispatcher._cache = self._cache
        signature = self.kind.signature(dtype)
        if signature.args not in self._dispatcher.overloads:
            self._dispatcher.disable_compile(False)
            self._dispatcher.compile(signature)
            # Arguments of other types are an error, not a reason to compile once more.
            self._dispatcher.disable_compile()
        result = self._dispatcher.overloads[signature.args]
        pointer = result.library.get_pointer_to_function(result.fndesc.llvm_func_name)
        self._addresses[dtype] = pointer

    def __call__(self, *arguments: Any) -> None:
        """Run the kernel from Python, as tests do. Its real type is that of the first real array.

        Raises
        ------
        TypeError
            If the arguments' types are not those of the kernel's kind.
        """
        given = [typeof(a) for a in arguments]
        arrays = zip(given, self.kind.arguments.values(), strict=True)
        dtype = next(t.dtype.name for t, text in arrays if text.endswith("]") and "real" in text)
        for given_type, wanted in zip(given, self.kind.signature(dtype).args, strict=True):
            if not given_type.can_convert_to(None, wanted) and given_type != wanted:
                raise TypeError(f"kernel {self.name!r} takes {wanted}, not {given_type}.")
        _enter(self.address(dtype), arguments)

    def __reduce__(self) -> Any:
        raise TypeError(f"kernel {self.name!r} is machine code and cannot be pickled")


def kernel(kind: Kind, name: str | None = None) -> Callable[[Callable[..., None]], Kernel]:
    """Make a kernel of `kind` out of a function.

    Parameters
    ----------
    kind : Kind
        Fixes the types of the arguments; their names and number must be the function's.
    name : str, optional
        What the cache files it under. A function made by a factory needs one, since all that a
        factory makes share a qualified name.
    """

    def decorate(function: Callable[..., None]) -> Kernel:
        return Kernel(function, kind, name)

    return decorate


@intrinsic
def invoke(typing_context: Any, address: types.Type, arguments: types.Type) -> Any:
    """Call the kernel at `address` with a tuple of `arguments`, in Numba's own convention.

    The types must be exactly those of the kernel's kind: nothing checks them at run time.
    """
    signature = types.void(types.intp, arguments)

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        convention = context.call_conv
        function_type = convention.get_function_type(types.void, arguments.types)
        function = builder.inttoptr(values[0], function_type.as_pointer())
        result, exception = (
            cgutils.alloca_once(builder, argument.pointee) for argument in function_type.args[:2]
        )
        unpacked = cgutils.unpack_tuple(builder, values[1], len(arguments.types))
        packer = context.get_arg_packer(arguments.types)
        # The status that comes back is not looked at: kernels never raise.
        builder.call(function, [result, exception, *packer.as_arguments(builder, unpacked)])
        return context.get_dummy_value()

    return signature, codegen


@njit(nogil=True)
def _enter(address: int, arguments: tuple[Any, ...]) -> None:
    """Call a kernel that has no way in from Python."""
    invoke(address, arguments)


@intrinsic
def real(typing_context: Any, bits: types.Type) -> Any:
    """The float64 whose bits an int64 holds: how a hyperparameter travels in an instruction."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        return builder.bitcast(values[0], ir.DoubleType())

    return types.float64(types.int64), codegen


@intrinsic
def like(typing_context: Any, example: types.Type, value: types.Type) -> Any:
    """`value` in the type of `example`: a float32 times a plain literal would be a float64."""

    def codegen(context: Any, builder: Any, sig: Any, values: Sequence[Any]) -> Any:
        return context.cast(builder, values[1], value, example)

    return example(example, value), codegen


def real_bits(value: float) -> int:
    """The int64 whose bits are those of a float64: the other half of `real`."""
    return int(np.float64(value).view(np.int64))
