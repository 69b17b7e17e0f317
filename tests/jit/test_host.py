"""The processor that kernels are compiled for: widths follow what the compiler is told."""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

from sklearn_nn.jit.host import TARGET, VECTOR_BITS, VECTOR_REGISTERS, is_arm64, registers_of

TRIPLE = "x86_64-unknown-linux-gnu"
#: Features of a processor with AVX-512, as Numba hands them to LLVM.
WIDE = "+64bit,+avx,+avx2,+avx512f,+avx512vl,+fma"
on_x86 = pytest.mark.skipif(
    platform.machine().lower() not in ("x86_64", "amd64"), reason="LLVM makes no code for x86 here"
)

SAYS = """
import platform
from llvmlite import binding

if {apple}:
    def none():
        raise RuntimeError("failed to get host cpu features.")

    binding.get_host_cpu_features, platform.machine = none, lambda: "arm64"

from sklearn_nn.jit import cache, host
print(host.VECTOR_BITS, host.VECTOR_REGISTERS, cache.stamp())
"""


def says(apple=False, **settings):
    """Return what a process with these settings prints: bits, registers, and its stamp."""
    ran = subprocess.run(
        [sys.executable, "-c", SAYS.format(apple=apple)],
        capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        env={k: v for k, v in os.environ.items() if not k.startswith("NUMBA_")} | settings,
    )  # fmt: skip
    bits, registers, stamp = ran.stdout.split()
    return (int(bits), int(registers)), stamp


@pytest.mark.parametrize("machine", ["arm64", "aarch64", "ARM64"])
def test_arm_has_32_registers_of_128_bits_whatever_features_are_named(machine):
    for features in ("", "+neon"):
        assert registers_of("arm64-apple-darwin", "apple-m1", features, machine) == (128, 32)
    assert is_arm64(machine)
    assert not is_arm64("x86_64")


def test_another_architecture_is_assumed_to_have_least():
    assert registers_of("ppc64le-unknown-linux", "pwr9", "", "ppc64le") == (128, 16)


@on_x86
@pytest.mark.parametrize(
    ("processor", "features", "named", "expected"),
    [
        ("skylake-avx512", WIDE, False, (512, 32)),
        ("skylake-avx512", "", False, (512, 32)),
        ("znver4", WIDE, True, (512, 32)),
        ("haswell", "", False, (256, 16)),
        ("haswell", WIDE, True, (256, 16)),
        ("nehalem", "", False, (128, 16)),
        ("nehalem", WIDE, True, (128, 16)),
        # AVX without AVX2 has 256 bits for floats alone.
        ("sandybridge", "", False, (128, 16)),
        # Features that are asked for go beyond the processor's own, and below.
        ("nehalem", "+avx2", False, (256, 16)),
        ("haswell", "+avx512f", False, (512, 32)),
        ("skylake-avx512", "-avx512f", False, (256, 16)),
        # What NUMBA_ENABLE_AVX=0 makes of a host; the last feature brings AVX2 back.
        ("skylake-avx512", "+64bit,-avx,-avx2,-avx512f,+fma,+vaes", False, (128, 16)),
        ("x86-64", "", False, (128, 16)),
    ],
)
def test_widths_follow_processor_and_features(processor, features, named, expected):
    assert registers_of(TRIPLE, processor, features, "x86_64", named) == expected


def test_this_process_has_the_widths_of_what_numba_compiles_for():
    assert VECTOR_BITS in (128, 256, 512)
    assert VECTOR_REGISTERS in (16, 32)
    bits, registers = registers_of(*TARGET, platform.machine())
    assert bits >= VECTOR_BITS
    assert registers >= VECTOR_REGISTERS


@on_x86
def test_settings_of_numba_are_followed_and_each_has_a_stamp():
    stamps = [says()[1]]
    for settings, expected in [
        ({"NUMBA_CPU_NAME": "nehalem"}, (128, 16)),
        ({"NUMBA_CPU_NAME": "nehalem", "NUMBA_CPU_FEATURES": "+avx2"}, (256, 16)),
        ({"NUMBA_ENABLE_AVX": "0"}, (128, 16)),
    ]:
        widths, stamp = says(**settings)
        assert widths == expected, settings
        stamps.append(stamp)
    assert len(set(stamps)) == len(stamps)


def test_a_mac_of_apple_silicon_has_32_registers():
    """LLVM names no features there."""
    widths, _ = says(apple=True)
    assert widths == (128, 32)
