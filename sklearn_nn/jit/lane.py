"""Number, or vector of numbers, in LLVM code under construction.

Python's operators on it emit instructions. Every operation is rounded according to IEEE 754, and
acts in each lane of a vector as on a single number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from llvmlite import ir
from numba.core import cgutils

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


def _element(kind: ir.Type) -> ir.Type:
    """Return the type of a number, or of the numbers of a vector."""
    return kind.element if isinstance(kind, ir.VectorType) else kind


def _constant(kind: ir.Type, number: float) -> ir.Constant:
    """Return a number of a type, or a vector of it."""
    return ir.Constant(kind, [number] * kind.count if isinstance(kind, ir.VectorType) else number)


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
        return Lane(self.builder, _constant(kind, value))

    def where(self, sign: str, bound: float, chosen: Lane | float, other: Lane | float) -> Lane:
        """Return `chosen` where `self sign bound` holds, else `other`; NaN gives `other`."""
        limit, left, right = (self.lift(number).value for number in (bound, chosen, other))
        test = self.builder.fcmp_ordered(sign, self.value, limit, flags=_FLAGS)
        return Lane(self.builder, self.builder.select(test, left, right))

    def call(self, name: str, *others: Lane | float) -> Lane:
        """Call the LLVM intrinsic `name` with this number and `others`."""
        arguments, kind = (
            [self.value, *(self.lift(other).value for other in others)],
            self.value.type,
        )
        suffix = f"v{kind.count}" if isinstance(kind, ir.VectorType) else ""
        function = cgutils.get_or_insert_function(
            self.builder.module,
            ir.FunctionType(kind, [kind] * len(arguments)),
            f"llvm.{name}.{suffix}f{self.choose(32, 64)}",
        )
        call = self.builder.call(function, arguments)
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
