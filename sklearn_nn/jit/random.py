"""Counter-based random numbers for kernels: functions of a key and a unit, without state.

`stream` mixes (seed, step, layer, sample) into a key; the other functions return the number of a
unit (of which the low 32 bits count) for that key. Results do not depend on the order of a loop or
the number of threads, and loops over the unit vectorize.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from llvmlite import ir

from sklearn_nn.jit import intrinsic, types
from sklearn_nn.jit.emit import Lane
from sklearn_nn.jit.functions import log_of_normal, sine_ratio

# The fractional part of the golden ratio, in 64 and 32 bits.
_GOLDEN64, _GOLDEN32 = 0x9E3779B97F4A7C15, 0x9E3779B9


def _mix64(x: Lane) -> Lane:
    """Mix the bits of a 64-bit x (splitmix64; Steele, Lea and Flood 2014)."""
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9
    x = (x ^ (x >> 27)) * 0x94D049BB133111EB
    return x ^ (x >> 31)


def _mix32(x: Lane) -> Lane:
    """Mix the bits of a 32-bit x (lowbias32; Wellons 2018, Prospecting for hash functions)."""
    x = (x ^ (x >> 16)) * 0x7FEB352D
    x = (x ^ (x >> 15)) * 0x846CA68B
    return x ^ (x >> 16)


def _word(key: Lane, unit: Lane, index: int) -> Lane:
    """Return the unit's 32-bit word number `index`.

    Mixing uses 32 bits because 64-bit vector products are slow or missing. The low half of the key
    is added to the unit and the high half enters later: if both were added, the numbers of one key
    would be those of another, shifted.
    """
    low, high, counter = (
        Lane(key.builder, key.builder.trunc(part.value, ir.IntType(32)))
        for part in (key, key >> 32, unit)
    )
    return _mix32((_mix32(counter + low) ^ high) + index * _GOLDEN32)


def _uniform(key: Lane, unit: Lane, single: bool, index: int = 0) -> Lane:
    """Return the unit's number `index` in [0, 1), a multiple of 2**-24 or 2**-53."""

    def convert(word: Lane, kind: ir.Type) -> Lane:
        return Lane(key.builder, key.builder.sitofp(word.value, kind))

    if single:
        return convert(_word(key, unit, index) >> 8, ir.FloatType()) * 2.0**-24
    # 27 and 26 bits of two words.
    high = convert(_word(key, unit, 2 * index) >> 5, ir.DoubleType())
    low = convert(_word(key, unit, 2 * index + 1) >> 6, ir.DoubleType())
    return high.fma(2.0**-27, low * 2.0**-53)


def _normal(key: Lane, unit: Lane, single: bool) -> Lane:
    """Return sqrt(-2 log(1 - u)) cos(2 pi v) of two uniform numbers."""
    radius = (log_of_normal(1 - _uniform(key, unit, single)) * -2).call("sqrt")
    # cos(2 pi v) = sin(2 pi c), with c at most a quarter of a turn.
    c = (_uniform(key, unit, single, 1) - 0.5).call("fabs") - 0.25
    return radius * c * sine_ratio(c)


def _lanes(context: Any, builder: Any, signature: Any, arguments: Any) -> list[Lane]:
    """Return the integer arguments as 64-bit lanes."""
    return [
        Lane(builder, context.cast(builder, value, kind, types.uint64))
        for kind, value in zip(signature.args, arguments, strict=True)
        if isinstance(kind, types.Integer)
    ]


def _drawn(draw: Callable[[Lane, Lane, bool], Lane], key: Any, unit: Any, dtype: Any) -> Any:
    """Return the result of an intrinsic that draws a number with the code that `draw` emits.

    `dtype` is `np.float32`, `array.dtype` or a number, of either float type.
    """
    number = getattr(dtype, "dtype", dtype)
    if number not in (types.float32, types.float64):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key, unit = _lanes(context, builder, signature, arguments)[:2]
        return draw(key, unit, number is types.float32).value

    return number(key, unit, dtype), codegen


@intrinsic
def stream(typingctx: Any, seed: Any, step: Any, layer: Any, sample: Any) -> Any:
    """Return the uint64 key of the random numbers of one sample in one layer at one step."""
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
    """Return 32 random bits as a uint32."""
    if not (isinstance(key, types.Integer) and isinstance(unit, types.Integer)):
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        key, unit = _lanes(context, builder, signature, arguments)
        return _word(key, unit, 0).value

    return types.uint32(key, unit), codegen


@intrinsic
def random_uniform(typingctx: Any, key: Any, unit: Any, dtype: Any) -> Any:
    """Return a uniform number in [0, 1) of type `np.float32` (24 bits) or `np.float64` (53)."""
    return _drawn(_uniform, key, unit, dtype)


@intrinsic
def random_normal(typingctx: Any, key: Any, unit: Any, dtype: Any) -> Any:
    """Return a standard normal number of this type (Box and Muller 1958), <= 5.8 in float32."""
    return _drawn(_normal, key, unit, dtype)
