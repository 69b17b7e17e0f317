"""Drivers: frames, calls of kernels with arguments from frame, instruction and tuple, one code."""

import pickle
import threading

import numpy as np
import pytest

from helpers.parametrize import dtypes
from sklearn_nn.jit.driver import Driver, Frame, Layout, Routine, call_routine
from sklearn_nn.jit.kernel import Kind, bits, kernel, like
from sklearn_nn.jit.views import doubles, words

LAYOUT = Layout(
    Kind(
        "frame",
        capacity="int64",
        theta="const real[:]",
        half="float64",
        op="const int64[:]",
        slots="real[:]",
        seen="float64[:]",
        kernel_at="int64",
        routine_at="int64",
        numbers="const int64[:,:]",
    )
)
MIX = Kind(
    "mix", half="float64", theta="const real[:]", extra="float64", x="real[:,:]", n="int64",
    own="real[:]", numbers="const int64[:,:]", seen="float64[:]",
)  # fmt: skip
call_mix = LAYOUT.caller(MIX, theta=(0, 1), own=(2, 3), x=(4, 5))
frame_at = LAYOUT.reader()


@kernel(MIX)
def mix(half, theta, extra, x, n, own, numbers, seen):
    for i in range(x.shape[0]):
        for j in range(x.shape[1]):
            x[i, j] = theta[j] * like(x[i, j], half) + like(x[i, j], extra)
    for i in range(own.size):
        own[i] = n + i
    seen[0], seen[1], seen[2] = theta.size, x.shape[0] * 100 + x.shape[1], own.size
    seen[3] = numbers[1, 2]


def add_ten(frame, place):
    doubles(frame_at(frame).seen)[place] += 10


def drive(part, parts, sync, frame):
    f = frame_at(frame)
    words(sync)[0] = part * 100 + parts
    given = (f.op, bits(0.25), f.slots, 3, 7, f.slots)
    call_mix(f.kernel_at, f, given)
    call_routine(f.routine_at, (frame, 4))


ADD_TEN, DRIVE = Routine(add_ten), Driver(drive)


def frozen(array):
    array.flags.writeable = False
    return array


def frame_of(dtype, **changed):
    arguments = {
        "capacity": 4, "theta": np.arange(6, dtype=dtype), "half": 0.5,
        # theta[2:4], own = slots[20:23], x = columns [1, 3) of slots of 4 rows.
        "op": frozen(np.array([2, 2, 20, 3, 1, 2])), "slots": np.zeros(24, dtype),
        "seen": np.zeros(5), "kernel_at": mix.address(dtype), "routine_at": ADD_TEN.address,
        "numbers": np.arange(6).reshape(2, 3),
    }  # fmt: skip
    arguments |= changed
    return Frame(LAYOUT, dtype, **arguments), arguments["slots"], arguments["seen"]


@dtypes
def test_a_kernel_gets_what_the_driver_says(dtype):
    """And the same machine code serves both real types."""
    frame, slots, seen = frame_of(dtype)
    sync = np.zeros(64, np.int64)
    DRIVE.run(2, 3, sync, frame)
    expected = np.zeros(24)
    expected[4:10] = np.tile([1.25, 1.75], 3)
    expected[20:23] = 7, 8, 9
    np.testing.assert_array_equal(slots, expected)
    np.testing.assert_array_equal(seen, [2, 302, 3, 5, 10])
    assert sync[0] == 203


@dtypes
def test_a_frame_is_changed_by_name(dtype):
    frame, slots, seen = frame_of(dtype)
    others = np.zeros(24, dtype)
    frame.set(slots=others, half=2.0, theta=frozen(np.full(5, 3, dtype)))
    DRIVE.run(0, 1, np.zeros(64, np.int64), frame)
    assert not slots.any()
    assert others[4] == 6.25
    assert seen[0] == 2


@dtypes
def test_a_frame_keeps_its_arrays(dtype):
    frame, *_ = frame_of(dtype)
    frame.set(slots=np.zeros(24, dtype))
    junk = [np.ones(24, dtype) for _ in range(50)]
    DRIVE.run(0, 1, np.zeros(64, np.int64), frame)
    assert all((array == 1).all() for array in junk)


@dtypes
def test_arrays_of_other_types_are_refused(dtype):
    other = "float32" if dtype == "float64" else "float64"
    unaligned = np.zeros(1 + 6 * 8, np.uint8)[1:].view(
        "float64" if dtype == "float64" else "float32"
    )
    for wrong in (
        {"theta": np.zeros(6, other)}, {"theta": np.zeros(12, dtype)[::2]}, {"theta": unaligned},
        {"theta": np.zeros((2, 3), dtype)}, {"slots": frozen(np.zeros(24, dtype))},
        {"op": np.zeros(6, np.int32)}, {"seen": np.zeros(5, "float32")},
        {"numbers": np.zeros((3, 2), np.int64).T}, {"numbers": np.zeros(6, np.int64)},
    ):  # fmt: skip
        (name,) = wrong
        with pytest.raises(TypeError, match=f"^{name} must be .*, not "):
            frame_of(dtype, **wrong)
    with pytest.raises(KeyError):
        frame_of(dtype, unknown=1)


def test_wrong_words_are_an_error_of_compilation():
    def drive(part, parts, sync, frame):
        f = frame_at(frame)
        call_mix(f.kernel_at, f, (f.op, bits(0.25), f.slots, 3, 7, f.slots, 1))

    with pytest.raises(AssertionError, match="too many words"):
        Driver(drive).address  # noqa: B018


def test_first_need_of_many_threads():
    """One compilation, and the same address for all."""
    made, addresses = Routine(add_ten), []
    compiled, plain = [], made._obtained
    made._obtained = lambda: compiled.append(1) or plain()
    threads = [threading.Thread(target=lambda: addresses.append(made.address)) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(addresses) == 8
    assert len(set(addresses)) == len(compiled) == 1


def test_is_not_pickled():
    with pytest.raises(TypeError, match="is machine code and cannot be pickled"):
        pickle.dumps(DRIVE)
