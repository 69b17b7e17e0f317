"""Elementary functions that vectorize in loops over float32 and float64 arrays.

Numba calls the C library for `exp`, `tanh` and the like, one element per call. These functions are
short sequences of LLVM instructions without branches and calls, so that a loop becomes vector code.
Every operation is rounded according to IEEE 754: a function gives the same bits in the vector body
of a loop, in its scalar tail and anywhere else.

In a jitted function each takes one number (`fma`: three of one type), float32 or float64, and
returns that type. NaN gives NaN; a result below the smallest normal number may be zero.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from sklearn_nn.jit import intrinsic, types
from sklearn_nn.jit.emit import Lane


def _is_float(x: Any) -> bool:
    """Return whether `x` is the type float32 or float64."""
    return x in (types.float32, types.float64)


def _elementary(body: Callable[[Lane], Lane]) -> Any:
    """Return an intrinsic of one float whose code `body` emits."""

    def function(typingctx: Any, x: Any) -> Any:
        if not _is_float(x):
            return None

        def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            return body(Lane(builder, arguments[0])).value

        return x(x), codegen

    function.__name__, function.__doc__ = body.__name__, body.__doc__
    return intrinsic(function)


@intrinsic
def fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:
    """Return a * b + c, rounded once, for three numbers of one type."""
    if not _is_float(a) or not a == b == c:
        return None

    def codegen(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        factor, *others = (Lane(builder, argument) for argument in arguments)
        return factor.fma(*others).value

    return a(a, a, a), codegen


# (e**r - 1 - r) / r**2 for |r| <= ln(2) / 2: minimax polynomials (Remez exchange).
_EXP32 = (0.00139464747397, 0.00836658160425, 0.041666281307, 0.166665430421, 0.500000006244)
_EXP64 = (
    2.5114449457049307e-08, 2.762632851890212e-07, 2.7557228031775584e-06, 2.480150444107443e-05,
    0.00019841269902939928, 0.0013888888932382362, 0.008333333333314635, 0.04166666666657362,
    0.16666666666666685, 0.5000000000000006,
)  # fmt: skip


def _exp_parts(x: Lane) -> tuple[Lane, Lane]:
    """Return e**r - 1, and n in the exponent's bits: x = n ln(2) + r with |r| <= ln(2) / 2.

    Cody and Waite (1980), Software Manual for the Elementary Functions.
    """
    # Adding 1.5 * 2**mantissa rounds to an integer and leaves it in the low bits. Unlike a
    # conversion to an integer type, this is defined for NaN.
    shift = 1.5 * 2.0**x.format.mantissa
    shifted = x.fma(1 / math.log(2), shift)
    n = shifted - shift
    r = n.fma(-x.format.ln2_rest, n.fma(-math.log(2), x))
    less_one = (r * r).fma(r.polynomial(x.choose(_EXP32, _EXP64)), r)
    return less_one, shifted.bits() << x.format.mantissa


def _exp_normal(x: Lane) -> Lane:
    """Return e**x, which must be a normal number."""
    less_one, exponent = _exp_parts(x)
    return x.from_bits((less_one + 1).bits() + exponent)


def _exp_down(x: Lane) -> Lane:
    """Return e**x, which must not overflow; 0 below the smallest normal number."""
    return x.where("<", x.format.least, 0, _exp_normal(x))


def _half_expm1(x: Lane) -> Lane:
    """Return (e**x - 1) / 2 for x >= -40; it overflows only if e**x does."""
    less_one, exponent = _exp_parts(x)
    half = x.from_bits(x.lift(0.5).bits() + exponent)
    return half.fma(less_one, half - 0.5)


def _up_to_overflow(x: Lane, y: Lane) -> Lane:
    """Return y up to the last x with finite e**x, inf beyond, NaN for NaN."""
    return x.where("<=", x.format.most, y, x + math.inf)


@_elementary
def exp(x: Lane) -> Lane:
    """Return e**x (Cody and Waite's reduction, minimax polynomial)."""
    return _up_to_overflow(x, _exp_down(x))


@_elementary
def expm1(x: Lane) -> Lane:
    """Return e**x - 1, accurate near 0."""
    least = x.choose(-18, -38)
    half = _half_expm1(x.where("<", least, least, x))
    return _up_to_overflow(x, half + half)


def sigmoid_of(x: Lane) -> Lane:
    """Return the logistic function of a lane."""
    return 1 / (1 + _up_to_overflow(-x, _exp_down(-x)))


@_elementary
def sigmoid(x: Lane) -> Lane:
    """Return the logistic function 1 / (1 + e**-x)."""
    return sigmoid_of(x)


# tanh(x) / x as a ratio of polynomials in x**2 for |x| <= 9.02: minimax (Lawson's iteration).
_TANH32 = (
    (1.332031927e-8, 2.058458978e-5, 3.494111541e-3, 0.1337978616, 1.0),
    (7.762590573e-7, 3.283211841e-4, 2.587137652e-2, 0.4671310155, 1.0),
)


def _bounded_ratio(size: Lane, ratio: tuple[tuple[float, ...], ...], most: float) -> Lane:
    """Return size times a ratio of polynomials in size**2, at most 1; 1 if size exceeds `most`."""
    above, below = ((size * size).polynomial(coefficients) for coefficients in ratio)
    y = size * above / below
    y = y.where(">", 1, 1, y)
    return size.where(">", most, 1, y)


def _tanh_double(size: Lane) -> Lane:
    """Return tanh in float64: -u / (u + 2) with u = e**(-2 size) - 1."""
    half = _half_expm1(size.where(">", 20, 20, size) * -2)
    return half / (half + 1)


def tanh_of(x: Lane) -> Lane:
    """Return the hyperbolic tangent of a lane."""
    size = x.call("fabs")
    y = _bounded_ratio(size, _TANH32, 9.02) if x.is_single else _tanh_double(size)
    return y.call("copysign", x)


@_elementary
def tanh(x: Lane) -> Lane:
    """Return tanh (a ratio in float32, by e**x - 1 in float64), exactly odd."""
    return tanh_of(x)


# Lg1, Lg2, ... of e_logf.c and e_log.c in fdlibm (Sun Microsystems 1993) and FreeBSD, last
# first: (2 artanh(s) / s - 2) / s**2 as a polynomial in s**2 for s <= 3 - 2 sqrt(2).
_LOG32 = (0.24279078841, 0.28498786688, 0.40000972152, 0.66666662693)
_LOG64 = (
    0.14798198605116586, 0.15313837699209373, 0.1818357216161805, 0.22222198432149784,
    0.2857142874366239, 0.3999999999940942, 0.6666666666666735,
)  # fmt: skip


def _split(x: Lane) -> tuple[Lane, Lane]:
    """Return m in [sqrt(1/2), sqrt(2)) and the integer k with x = m 2**k, x normal and positive."""
    root = x.lift(math.sqrt(0.5)).bits()
    bits = x.bits() + (x.lift(1).bits() - root)
    m = x.from_bits((bits & (2**x.format.mantissa - 1)) + root)
    return m, (bits >> x.format.mantissa) - x.format.bias


def _to_float(k: Lane, like: Lane) -> Lane:
    """Return the small integer k as a float of the type of `like`."""
    # No conversion instruction: it exists for 64-bit vectors only since AVX-512.
    shift = like.lift(1.5 * 2.0**like.format.mantissa)
    return like.from_bits(k + shift.bits()) - shift


def _log_parts(f: Lane, k: Lane) -> Lane:
    """Return log(1 + f) + k ln(2) for 1 + f in [sqrt(1/2), sqrt(2)) (fdlibm)."""
    s = f / (2 + f)
    z = s * s
    rest = (-z).fma(z.polynomial(f.choose(_LOG32, _LOG64)), f)
    small = s.fma(rest, k * -f.format.ln2_rest)
    return k.fma(math.log(2), f - small)


def _log_domain(u: Lane, y: Lane) -> Lane:
    """Return y = log(u) for positive finite u; -inf at 0, NaN below, u at inf and NaN."""
    y = u.where("<", math.inf, y, u)
    y = u.where("==", 0, -math.inf, y)
    return u.where("<", 0, math.nan, y)


def log_of_normal(x: Lane, lift: Lane | int = 0) -> Lane:
    """Return log(x / 2**lift) of a normal positive x."""
    m, k = _split(x)
    return _log_parts(m - 1, _to_float(k, x) - lift)


@_elementary
def log(x: Lane) -> Lane:
    """Return the natural logarithm (fdlibm); -inf at 0, NaN below."""
    # Subnormal numbers are scaled to normal ones first, whose exponent can be split off.
    tiny, lift = 2.0 ** (1 - x.format.bias), x.format.mantissa + 1
    y = log_of_normal(x.where("<", tiny, x * 2.0**lift, x), x.where("<", tiny, lift, 0))
    return _log_domain(x, y)


@_elementary
def log1p(x: Lane) -> Lane:
    """Return log(1 + x), accurate near 0; -inf at -1, NaN below."""
    u = 1 + x
    # The rounding error of the sum, exactly (Knuth's two-sum), is added to m - 1 below.
    x_part = u - 1
    lost = (1 - (u - x_part)) + (x - x_part)
    m, k = _split(u)
    # Two factors, since 2**-k can be subnormal.
    scale = x.from_bits((x.format.bias + 64 - k) << x.format.mantissa)
    f = (lost * scale).fma(2.0**-64, m - 1)
    return _log_domain(u, _log_parts(f, _to_float(k, x)))


# (2 artanh(s) / s - 2) / s**2 as a polynomial in s**2 for s <= 1/3: minimax (Remez exchange).
_ARTANH32 = (0.243009521874, 0.214276558725, 0.286168846005, 0.39998877773, 0.666666756212)
_ARTANH64 = (
    0.16975541984683418, 0.0836498319876817, 0.1209993548088199, 0.13301821610923556,
    0.1538648860986745, 0.18181747680580979, 0.22222223847489941, 0.28571428550182504,
    0.4000000000013429, 0.6666666666666639,
)  # fmt: skip


@_elementary
def softplus(x: Lane) -> Lane:
    """Return log(1 + e**x) as max(x, 0) + 2 artanh(t / (t + 2)) with t = e**-|x|."""
    t = _exp_down(-x.call("fabs"))
    s = t / (t + 2)
    z = s * s
    series = z.polynomial(x.choose(_ARTANH32, _ARTANH64))
    return x.where("<", 0, 0, x) + (s * z).fma(series, s + s)


# erf(x) / x as a ratio of polynomials in x**2 for |x| <= 3.92: minimax (Lawson's iteration).
_ERF32 = (
    (2.050037273e-6, 2.848376673e-4, 3.764433659e-3, 5.274500951e-2, 0.1903814423, 1.128379146),
    (3.808884212e-5, 1.162214219e-3, 1.49668612e-2, 0.1140984013, 0.5020539081, 1.0),
)  # fmt: skip
# T, U (up to 1) and P, Q (beyond) of ndtr.c in Cephes (Moshier 1989).
ERF64 = (
    (9.60497373987051638749, 90.0260197203842689217, 2232.00534594684319226,
     7003.32514112805075473, 55592.3013010394962768),
    (1.0, 33.5617141647503099647, 521.357949780152679795, 4594.32382970980127987,
     22629.0000613890934246, 49267.3942608635921086),
)  # fmt: skip
ERFC64 = (
    (2.46196981473530512524e-10, 0.564189564831068821977, 7.46321056442269912687,
     48.6371970985681366614, 196.520832956077098242, 526.445194995477358631,
     934.528527171957607540, 1027.55188689515710272, 557.535335369399327526),
    (1.0, 13.2281951154744992508, 86.7072140885989742329, 354.937778887819891062,
     975.708501743205489753, 1823.90916687909736289, 2246.33760818710981792,
     1656.66309194161350182, 557.535340817727675546),
)  # fmt: skip


def _erf_double(size: Lane) -> Lane:
    """Return erf in float64: Cephes' ratios for erf up to 1 and for erfc beyond."""
    size = size.where(">", 6, 6, size)
    square = size * size
    near, near_below = (square.polynomial(coefficients) for coefficients in ERF64)
    far, far_below = (size.polynomial(coefficients) for coefficients in ERFC64)
    # Select before dividing: one division costs more than two selections.
    above = size.where("<", 1, size * near, _exp_normal(-square) * far)
    ratio = above / size.where("<", 1, near_below, far_below)
    return size.where("<", 1, ratio, 1 - ratio)


@_elementary
def erf(x: Lane) -> Lane:
    """Return the error function (one ratio in float32, Cephes' in float64), exactly odd."""
    size = x.call("fabs")
    y = _bounded_ratio(size, _ERF32, 3.92) if x.is_single else _erf_double(size)
    return y.call("copysign", x)


# sin(2 pi c) / c as a polynomial in c**2 for |c| <= 1/4: minimax (Remez exchange).
_SINE32 = (39.7109162376, -76.5749919302, 81.6022312323, -41.3416774783, 6.28318527379)
_SINE64 = (
    0.10085633249034635313, -0.71772358063732980281, 3.8199270505341733519,
    -15.094641620513310887, 42.058693923785351762, -76.705859752798499736,
    81.605249276073406116, -41.34170224039975623, 6.2831853071795864753,
)  # fmt: skip


def sine_ratio(c: Lane) -> Lane:
    """Return sin(2 pi c) / c for |c| <= 1/4."""
    return (c * c).polynomial(c.choose(_SINE32, _SINE64))


def _part_of_turn(x: Lane) -> Lane:
    """Return the distance of x to the nearest integer."""
    return (x - x.call("rint")).call("fabs")


@_elementary
def cos_turns(x: Lane) -> Lane:
    """Return cos(2 pi x) as sin(2 pi c), c = 1/4 minus the distance of x to an integer."""
    c = 0.25 - _part_of_turn(x)
    return c * sine_ratio(c)


@_elementary
def sin_turns(x: Lane) -> Lane:
    """Return sin(2 pi x), exactly odd."""
    c = _part_of_turn(x)
    c = c.where(">", 0.25, 0.5 - c, c)
    y = c * sine_ratio(c)
    return y.call("copysign", x - x.call("rint"))
