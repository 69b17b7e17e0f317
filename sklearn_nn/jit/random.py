"""Random numbers without a state, for kernels: each is a function of a key and a unit.

`stream` mixes (seed, step, layer, sample) into a key; the other functions draw the number of
one unit of that key. The same arguments always give the same number, so neither the order of
a loop nor the number of threads matters, and loops over the unit vectorise.

Only the low 32 bits of a unit count.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from sklearn_nn.jit.functions import log_of_normal, sine_ratio
from sklearn_nn.jit.lane import Lane

# The fractional part of the golden ratio, in 64 and 32 bits.
_GOLDEN64, _GOLDEN32 = 0x9E3779B97F4A7C15, 0x9E3779B9


def _mix64(x: Lane) -> Lane:
    """Spread every bit of x over 64 (splitmix64; Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB
    return x ^ (x >> 31)


def _mix32(x: Lane) -> Lane:
    """Spread every bit of x over 32 (lowbias32; Wellons 2018, Prospecting for hash functions)."""
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


def _word(key: Lane, unit: Lane, index: int) -> Lane:
    """The unit's word number `index`, of 32 bits.

    The mixing works in 32 bits because 64-bit vector products are slow or absent. A key's low
    half decides where its units start, its high half what follows: were both halves added to
    the unit, one key's numbers would be another's, shifted.
    """
    low, high, counter = (
        Lane(key.builder, key.builder.trunc(part.value, ir.IntType(32)))
        for part in (key, key >> 32, unit)
    )
    return _mix32((_mix32(counter + low) ^ high) + index * _GOLDEN32)


def _uniform(key: Lane, unit: Lane, single: bool, index: int = 0) -> Lane:
    """The unit's number `index` in [0, 1): a multiple of 2**-24 or 2**-53."""

    def convert(word: Lane, kind: ir.Type) -> Lane:
        return Lane(key.builder, key.builder.sitofp(word.value, kind))

    if single:
        return convert(_word(key, unit, index) >> 8, ir.FloatType()) * 2.0**-24
    # Two words of which 27 and 26 bits count, exactly.
    high = convert(_word(key, unit, 2 * index) >> 5, ir.DoubleType())
    low = convert(_word(key, unit, 2 * index + 1) >> 6, ir.DoubleType())
    return high.fma(2.0**-27, low * 2.0**-53)


def _normal(key: Lane, unit: Lane, single: bool) -> Lane:
    """sqrt(-2 log(1 - u)) cos(2 pi v) of two uniform numbers."""
    radius = (log_of_normal(1 - _uniform(key, unit, single)) * -2).call("sqrt")
    # cos(2 pi v) = sin(2 pi c), with c at most a quarter of a turn.
    c = (_uniform(key, unit, single, 1) - 0.5).call("fabs") - 0.25
    return radius * c * sine_ratio(c)


def _lanes(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Lane]:
    """The integer arguments as 64-bit lanes."""
    return [
        Lane(builder, context.cast(builder, value, kind, types.uint64))
        for kind, value in zip(signature.args, arguments, strict=True)
        if isinstance(kind, types.Integer)
    ]


def _float_type(dtype: types.Type) -> types.Type | None:
    """The type that `np.float32`, `array.dtype` or a number stands for, if it is a float."""
    number = getattr(dtype, "dtype", dtype)
    return number if number in (types.float32, types.float64) else None


@intrinsic
def stream(typingctx: Any, seed: Any, step: Any, layer: Any, sample: Any) -> Any:
    """Key of the random numbers of one sample in one layer at one step: a uint64."""
    numbers = (seed, step, layer, sample)
    if not all(isinstance(number, types.Integer) for number in numbers):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key = Lane(builder, ir.Constant(ir.IntType(64), 0))
        for number in _lanes(context, builder, signature, arguments):
            key = _mix64((key ^ number) + _GOLDEN64)
        return key.value

    return types.uint64(*numbers), codegen


@intrinsic
def random_bits(typingctx: Any, key: Any, unit: Any) -> Any:
    """32 random bits: a uint32."""
    if not (isinstance(key, types.Integer) and isinstance(unit, types.Integer)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key, unit = _lanes(context, builder, signature, arguments)
        return _word(key, unit, 0).value

    return types.uint32(key, unit), codegen


@intrinsic
def random_uniform(typingctx: Any, key: Any, unit: Any, dtype: Any) -> Any:
    """Uniform on [0, 1), of type `dtype`: `np.float32` (24 random bits) or `np.float64` (53)."""
    number = _float_type(dtype)
    if number is None:
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key, unit = _lanes(context, builder, signature, arguments)[:2]
        return _uniform(key, unit, number is types.float32).value

    return number(key, unit, dtype), codegen


@intrinsic
def random_normal(typingctx: Any, key: Any, unit: Any, dtype: Any) -> Any:
    """Standard normal of type `dtype` (Box and Muller 1958); at most 5.8 in float32."""
    number = _float_type(dtype)
    if number is None:
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key, unit = _lanes(context, builder, signature, arguments)[:2]
        return _normal(key, unit, number is types.float32).value

    return number(key, unit, dtype), codegen
