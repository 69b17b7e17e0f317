"""Emission of LLVM code: the parts that tiles, loops and transposition share, and `Lane`.

A `Lane` is a number, or vector of numbers, in code under construction: Python's operators on it
emit instructions. Each is rounded according to IEEE 754, and acts in every lane of a vector as on a
single number.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from llvmlite import ir

from sklearn_nn.jit import cgutils, types

_I32, _I64 = ir.IntType(32), ir.IntType(64)


def emitted(signature: Any, emit: Callable[..., ir.Value]) -> tuple[Any, Callable[..., ir.Value]]:
    """Return the result of an intrinsic whose code ``emit(builder, *arguments)`` writes."""

    def codegen(context: Any, builder: ir.IRBuilder, signature: Any, args: Any) -> ir.Value:
        return emit(builder, *args)

    return signature, codegen


def int64(value: int) -> ir.Constant:
    """Return a constant integer of 64 bits."""
    return ir.Constant(_I64, value)


def is_given(builder: ir.IRBuilder, pointer: ir.Value) -> ir.Value:
    """Return whether `pointer` is not null."""
    return builder.icmp_unsigned("!=", builder.ptrtoint(pointer, _I64), int64(0))


def splat(builder: ir.IRBuilder, value: ir.Value, lanes: int) -> ir.Value:
    """Return a vector with `value` in every lane."""
    vector = ir.VectorType(value.type, lanes)
    first = builder.insert_element(ir.Constant(vector, ir.Undefined), value, ir.Constant(_I32, 0))
    zeros = ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes)
    return builder.shuffle_vector(first, ir.Constant(vector, ir.Undefined), zeros)


def _element(kind: ir.Type) -> ir.Type:
    """Return the type of a number, or of the numbers of a vector."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _bits(kind: ir.Type) -> int:
    return 32 if isinstance(_element(kind), ir.FloatType) else 64


def _suffix(kind: ir.Type) -> str:
    """Return a float type's part of the names of LLVM intrinsics, such as "f64" or "v8f32"."""
    return (f"v{kind.count}" if isinstance(kind, ir.VectorType) else "") + f"f{_bits(kind)}"


def multiply_add(builder: ir.IRBuilder, a: ir.Value, b: ir.Value, c: ir.Value) -> ir.Value:
    """Return a b + c of vectors, fused if the processor can.

    Unlike `fma` it never calls a library routine for every lane.
    """
    return call_intrinsic(builder, f"fmuladd.{_suffix(a.type)}", a.type, a, b, c)


def call_intrinsic(
    builder: ir.IRBuilder, name: str, result: ir.Type, *arguments: ir.Value
) -> ir.Value:
    """Call the LLVM intrinsic `name`, which returns a value of type `result`."""
    kind = ir.FunctionType(result, [argument.type for argument in arguments])
    function = cgutils.get_or_insert_function(builder.module, kind, f"llvm.{name}")
    return builder.call(function, arguments)


def call_compiled(
    context: Any, builder: ir.IRBuilder, find: Callable[[ir.FunctionType], ir.Value],
    given: Sequence[Any], arguments: Sequence[ir.Value],
) -> None:  # fmt: skip
    """Call a function that Numba has compiled, which returns nothing and never raises.

    ``find(type)`` returns the function; `given` are Numba's types of the arguments.
    """
    kind = context.call_conv.get_function_type(types.void, given)
    result, exception = (cgutils.alloca_once(builder, one.pointee) for one in kind.args[:2])
    packed = context.get_arg_packer(given).as_arguments(builder, arguments)
    builder.call(find(kind), [result, exception, *packed])


def load_vector(builder: ir.IRBuilder, address: ir.Value, mask: ir.Value | None = None) -> ir.Value:
    """Return the vector at a typed address; lanes that a mask leaves out are 0 and not read."""
    vector = address.type.pointee
    align = _bits(vector) // 8
    if mask is None:
        return builder.load(address, align=align)
    rest = ir.Constant(_I32, align), mask, ir.Constant(vector, None)
    return call_intrinsic(builder, f"masked.load.{_suffix(vector)}.p0", vector, address, *rest)


def store_vector(
    builder: ir.IRBuilder, value: ir.Value, address: ir.Value, mask: ir.Value | None = None
) -> None:
    """Write a vector to a typed address, without the lanes that a mask leaves out."""
    align = _bits(value.type) // 8
    if mask is None:
        builder.store(value, address, align=align)
        return
    name, rest = f"masked.store.{_suffix(value.type)}.p0", (ir.Constant(_I32, align), mask)
    call_intrinsic(builder, name, ir.VoidType(), value, address, *rest)


def lanes_below(builder: ir.IRBuilder, count: ir.Value, lanes: int) -> ir.Value:
    """Return the mask of the first `count` of a vector's lanes."""
    numbers = ir.Constant(ir.VectorType(_I64, lanes), list(range(lanes)))
    return builder.icmp_signed("<", numbers, splat(builder, count, lanes))


def define(
    module: ir.Module, name: str, arguments: Sequence[ir.Type], emit: Callable[..., None]
) -> ir.Function:
    """Return the function `name` of `module`, whose code ``emit(builder, *arguments)`` writes once.

    It is never inlined: with many loops in one large function, LLVM is slow and keeps fewer vectors
    in registers.
    """
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), arguments), name)
    function.linkage = "internal"
    function.attributes.add("noinline")
    function.attributes.add("nounwind")
    builder = ir.IRBuilder(function.append_basic_block("entry"))
    emit(builder, *function.args)
    builder.ret_void()
    return function


def prefetch(builder: ir.IRBuilder, pointer: ir.Value, *, to_write: bool = False) -> None:
    """Prefetch the cache line that `pointer` points into; any address is allowed."""
    address = builder.bitcast(pointer, ir.IntType(8).as_pointer())
    # Read or write, first-level cache, data.
    how = (ir.Constant(_I32, number) for number in (int(to_write), 3, 1))
    call_intrinsic(builder, "prefetch.p0", ir.VoidType(), address, *how)


# Fast-math flags let LLVM fuse operations in the body of a loop but not in its tail. Numba adds a
# kernel's flags to float operations that have none, so these get a harmless one.
_FLAGS = ("nsz",)


class _Flags(ir.instructions.FastMathFlags):
    """Flags of calls that ignore those that Numba adds to all calls.

    With "afn" a square root would be approximate, and so would `fma` on a processor without it.
    """

    def add(self, name: str) -> None:
        """Add the harmless flag, and no other."""
        if name in _FLAGS:
            super().add(name)


class _Format(NamedTuple):
    """Limits of a float type."""

    mantissa: int  # bits
    bias: int  # of the exponent
    ln2_rest: float  # ln 2 minus its nearest float
    least: float  # e**x is about the smallest normal number
    most: float  # last x with finite e**x


_SINGLE = _Format(23, 127, -1.904654299957768e-9, -87.33654022, 88.72283172607422)
_DOUBLE = _Format(52, 1023, 2.319046813846299558e-17, -708.3964185322641, 709.782712893384)


def _operator(name: str, reflected: bool = False) -> Callable[[Lane, Lane | float], Lane]:
    """Return a method of `Lane` that emits the instruction `name` ("f" + `name` for floats)."""

    def method(self: Lane, other: Lane | float) -> Lane:
        values = [self.value, self.lift(other).value]
        if reflected:
            values.reverse()
        if isinstance(_element(self.value.type), ir.IntType):
            return Lane(self.builder, getattr(self.builder, name)(*values))
        return Lane(self.builder, getattr(self.builder, "f" + name)(*values, flags=_FLAGS))

    return method


class Lane:
    """Number in LLVM code under construction; Python's operators emit its instructions.

    The value may be a vector, on which operators act elementwise. Python numbers take the lane's
    type. Integers wrap, and `>>` shifts zeros in.
    """

    __slots__ = ("builder", "value")

    def __init__(self, builder: ir.IRBuilder, value: ir.Value) -> None:
        self.builder = builder
        self.value = value

    __add__ = __radd__ = _operator("add")
    __sub__ = _operator("sub")
    __rsub__ = _operator("sub", reflected=True)
    __mul__ = __rmul__ = _operator("mul")
    __truediv__ = _operator("div")
    __rtruediv__ = _operator("div", reflected=True)
    __and__ = _operator("and_")
    __xor__ = _operator("xor")
    __lshift__ = _operator("shl")
    __rshift__ = _operator("lshr")

    def __neg__(self) -> Lane:
        return Lane(self.builder, self.builder.fneg(self.value))

    @property
    def is_single(self) -> bool:
        """Return whether the number is float32."""
        return isinstance(_element(self.value.type), ir.FloatType)

    @property
    def format(self) -> _Format:
        """Limits of the number's float type."""
        return _SINGLE if self.is_single else _DOUBLE

    def choose(self, single: Any, double: Any) -> Any:
        """Return `single` for float32, `double` for float64."""
        return single if self.is_single else double

    def lift(self, number: Lane | float) -> Lane:
        """Return `number` as a lane; a Python number becomes a constant of this lane's type."""
        if isinstance(number, Lane):
            return number
        kind, element = self.value.type, _element(self.value.type)
        whole = isinstance(element, ir.IntType)
        value = int(number) % 2**element.width if whole else float(number)
        vector = isinstance(kind, ir.VectorType)
        return Lane(self.builder, ir.Constant(kind, [value] * kind.count if vector else value))

    def where(self, sign: str, bound: float, chosen: Lane | float, other: Lane | float) -> Lane:
        """Return `chosen` where `self sign bound` holds, else `other`; NaN gives `other`."""
        limit, left, right = (self.lift(number).value for number in (bound, chosen, other))
        test = self.builder.fcmp_ordered(sign, self.value, limit, flags=_FLAGS)
        return Lane(self.builder, self.builder.select(test, left, right))

    def call(self, name: str, *others: Lane | float) -> Lane:
        """Call the LLVM intrinsic `name` with this number and `others`."""
        arguments = [self.value, *(self.lift(other).value for other in others)]
        kind = self.value.type
        call = call_intrinsic(self.builder, f"{name}.{_suffix(kind)}", kind, *arguments)
        call.fastmath = _Flags(_FLAGS)
        return Lane(self.builder, call)

    def fma(self, factor: Lane | float, term: Lane | float) -> Lane:
        """Return self * factor + term, rounded once."""
        return self.call("fma", factor, term)

    def polynomial(self, coefficients: tuple[float, ...]) -> Lane:
        """Return a polynomial by Horner's rule; the coefficient of the highest power is first."""
        total = self.lift(coefficients[0])
        for coefficient in coefficients[1:]:
            total = total.fma(self, coefficient)
        return total

    def bits(self) -> Lane:
        """Return the bits of a float as an integer."""
        kind: ir.Type = ir.IntType(self.choose(32, 64))
        if isinstance(self.value.type, ir.VectorType):
            kind = ir.VectorType(kind, self.value.type.count)
        return Lane(self.builder, self.builder.bitcast(self.value, kind))

    def from_bits(self, bits: Lane) -> Lane:
        """Return the float of this lane's type with these bits."""
        return Lane(self.builder, self.builder.bitcast(bits.value, self.value.type))
