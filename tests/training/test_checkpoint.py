"""Checkpoint files: what comes back, what is refused, and what a crash leaves."""

import errno
import io
import os
import pickle
import shutil
import stat
import subprocess
import sys
import tracemalloc
import zipfile
from pathlib import Path

import hypothesis
import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest

from helpers.files.forged_files import (
    BOMBS,
    HEADER_LENGTH,
    Pickled,
    array_header,
    npy,
    npz,
    packed,
    seal,
    sealed,
    unpacked,
)
from helpers.files.write_failures import STEPS, failing
from sklearn_nn.training.checkpoint import CheckpointError, read, write
from sklearn_nn.training.checkpoint import file as checkpoint

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has neither umask nor fork")

ARRAYS = {
    "float32": np.linspace(0, 1, 7, dtype="f4"),
    "layers/dense1/weights": np.arange(12.0).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(12).reshape(3, 4)),
    "strided": np.arange(24).reshape(4, 6)[::-2, 1::2],
    "swapped": np.arange(5, dtype=">f8"),
    "scalar": np.array(3.5),
    "empty": np.empty((0, 3), dtype="i2"),
    "bool": np.array([True, False]),
    "complex": np.array([1 + 2j, np.nan]),
    "half": np.array([0.5, np.inf], dtype="f2"),
    "long": np.array([np.pi], dtype=np.longdouble),
    "str": np.array([["a", "\N{SNOWMAN}"], ["", "\ud800"]]),
    "bytes": np.array([b"ab", b""]),
    "dates": np.array(["2020-02-29", "NaT"], dtype="M8[D]"),
    "spans": np.array([1, 2], dtype="m8[25s]"),
    "file": np.zeros(1),
    "allow_pickle": np.ones(1),
    "meta": np.ones(2),
    "é ü": np.full((1, 1, 2), 7, dtype="u1"),
}
META = {"text": "é\ud800", "list": [1, 0.1, None, True], "nested": {"b": {}, "a": -0.0}}


def assert_same(one, other):
    assert one.dtype == other.dtype
    assert one.shape == other.shape
    assert one.tobytes() == other.tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.checkpoint"


@pytest.fixture
def small(path):
    """The path of a small checkpoint."""
    write(path, {"epoch": 3}, {"theta": np.arange(4.0)})
    return path


def refused(path, content, reason="cannot be read"):
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match=reason) as caught:
        read(path)
    assert str(path) in str(caught.value)


def test_round_trip(path):
    write(path, META, ARRAYS)
    meta, arrays = read(path)
    assert meta == META
    assert list(arrays) == list(ARRAYS)
    for name, array in arrays.items():
        assert_same(array, ARRAYS[name])
        assert array.flags.writeable
    assert arrays["fortran"].flags.f_contiguous
    assert sorted(other.name for other in path.parent.iterdir()) == [path.name]


@hypothesis.settings(max_examples=100, deadline=None)
@hypothesis.given(
    array=arrays_of.arrays(
        dtype=hypothesis.strategies.one_of(
            arrays_of.scalar_dtypes(), arrays_of.unicode_string_dtypes()
        ),
        shape=arrays_of.array_shapes(min_dims=0, min_side=0),
    )
)
def test_any_array_comes_back(array, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "any.checkpoint"
    write(path, {}, {"array": array})
    assert_same(read(path)[1]["array"], array)


def test_read_only_and_mapped_arrays(tmp_path, path):
    np.save(tmp_path / "mapped.npy", np.arange(6.0))
    mapped = np.load(tmp_path / "mapped.npy", mmap_mode="r")
    write(path, {}, {"mapped": mapped})
    assert type(read(path)[1]["mapped"]) is np.ndarray
    assert_same(read(path)[1]["mapped"], mapped)


def test_the_file_is_a_zip(path):
    write(path, META, {"theta": np.arange(3.0)})
    assert path.read_bytes().startswith(b"sklearn_nn checkpoint 1 sha256 ")
    assert zipfile.ZipFile(path).namelist() == ["meta.npy", "arrays/theta.npy"]
    if shutil.which("unzip"):
        listed = subprocess.run(["unzip", "-l", path], capture_output=True, text=True, check=True)
        assert "arrays/theta.npy" in listed.stdout
    payload = path.read_bytes()[HEADER_LENGTH:]
    assert seal(payload) == path.read_bytes()
    assert unpacked(payload)["arrays/theta.npy"] == unpacked(npz(theta=np.arange(3.0)))["theta.npy"]


@pytest.mark.parametrize(
    "array",
    [
        np.array([None]),
        np.zeros(2, dtype=[("a", "O"), ("b", "f8")]),
        np.zeros(2, dtype="i4, f8"),
        np.ma.array([1.0, 2.0], mask=[True, False]),
        [1.0, 2.0],
        3.0,
    ],
)
def test_refuses_what_is_not_plain(path, array):
    with pytest.raises(TypeError, match=r"The array 'moments' .* cannot be stored"):
        write(path, {}, {"theta": np.zeros(1), "moments": array})
    assert not any(path.parent.iterdir())


@pytest.mark.parametrize("name", ["", "a\0b", "a\\b", "a\nb", "\ud800", 3, "a" * 1001])
def test_refuses_names(path, name):
    with pytest.raises(ValueError, match=r"The name .* of an array"):
        write(path, {}, {name: np.zeros(1)})


def test_refuses_what_is_not_json(path):
    with pytest.raises(TypeError, match="JSON"):
        write(path, {"a": np.zeros(1)}, {})
    with pytest.raises(ValueError, match="JSON"):
        write(path, {"a": float("nan")}, {})
    assert not any(path.parent.iterdir())


# Damage


def test_every_flipped_byte_is_found(small):
    whole = small.read_bytes()
    for at in range(len(whole)):
        for bits in (1, 0x20, 0xFF):
            content = bytearray(whole)
            content[at] ^= bits
            refused(small, content)


def test_every_cut_is_found(small):
    whole = small.read_bytes()
    for length in range(len(whole)):
        refused(small, whole[:length])
    refused(small, whole + b"\0", "modified or truncated")


def test_flips_and_cuts_in_a_large_file(path, rng):
    write(path, META, {"theta": rng.normal(size=(100, 1000)), "more": rng.normal(size=1000)})
    whole = path.read_bytes()
    for at in rng.integers(len(whole), size=100):
        content = bytearray(whole)
        content[at] ^= 1 << rng.integers(8)
        refused(path, content)
        refused(path, whole[:at])


def test_a_newer_format(path):
    refused(path, seal(b"of another kind", version=2), "format is 2, .* Upgrade sklearn_nn")
    refused(path, b"sklearn_nn checkpoint 12 blake3 ab", "format is 12, .* Upgrade sklearn_nn")


@pytest.mark.parametrize("content", [b"", b"PNG", b"\0" * 1000, npz(a=np.ones(3)), b"sklearn_nn"])
def test_other_files(path, content):
    refused(path, content, "another kind of file, or damaged")


@posix
def test_no_file(path, monkeypatch):
    with pytest.raises(CheckpointError, match=r"model.checkpoint.*No such file.*Check the path"):
        read(path)
    with pytest.raises(CheckpointError, match="not an ordinary file"):
        read(path.parent)
    os.mkfifo(path)
    with pytest.raises(CheckpointError, match="not an ordinary file"):
        read(path)

    monkeypatch.setattr(*STEPS["open"])
    with pytest.raises(CheckpointError, match="Permission denied"):
        read("any")


# Forgeries: the digest is right


def test_pickles_are_refused(tmp_path, path):
    folder = str(tmp_path / "made")
    objects = np.array([Pickled(folder)])
    payload = npz(**{"meta": np.frombuffer(b"{}", dtype="u1"), "arrays/a": objects})
    refused(path, seal(payload), "a.npy is not an array")
    refused(path, seal(npz(meta=objects)), "meta.npy is not an array")
    # The same with a header that does not own up, and as a bare pickle.
    disguised = unpacked(payload)
    disguised["arrays/a.npy"] = disguised["arrays/a.npy"].replace(b"'|O'", b"'u1'")
    refused(path, seal(packed(disguised)), "a.npy is not an array")
    refused(path, seal(pickle.dumps(Pickled(folder))), "BadZipFile")
    refused(path, pickle.dumps(Pickled(folder)), "another kind of file")
    assert not os.path.exists(folder)
    np.load(io.BytesIO(payload), allow_pickle=True)["arrays/a"]
    assert os.path.exists(folder), "the pickle is a live one"


@pytest.mark.parametrize("content", BOMBS.values(), ids=BOMBS)
def test_forgeries_cost_nothing(path, content):
    path.write_bytes(content)
    tracemalloc.start()
    try:
        refused(path, content, "its content is invalid")
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()


@pytest.mark.filterwarnings("ignore:Duplicate name:UserWarning")
def test_two_members_of_one_name(path):
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        for _ in range(2):
            archive.writestr("meta.npy", npy(array_header("|u1", "(2,)"), b"{}"))
    refused(path, seal(stream.getvalue()), "two members have the same name")


def test_the_forger_can_write_what_is_valid(path):
    path.write_bytes(sealed(meta=b'{"b": 1}', a=npy(array_header("<f8", "(1,)"), bytes(8))))
    assert read(path) == ({"b": 1}, {"a": [0.0]})


# Crashes


@pytest.mark.parametrize("step", STEPS)
def test_failure_leaves_the_old_one(small, step):
    expected = KeyboardInterrupt if step == "Ctrl-C" else OSError
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(*STEPS[step])
        with pytest.raises(expected) as caught:
            write(small, {"epoch": 4}, {"theta": np.zeros(10_000)})
    assert read(small)[0] == {"epoch": 3}
    assert [other.name for other in small.parent.iterdir()] == [small.name]
    if expected is OSError:
        assert str(small) in str(caught.value)
        assert "To go on, " in str(caught.value)
        assert "unchanged" in str(caught.value)


@posix
@pytest.mark.parametrize("room", [0, 50, 200, 500, 5_000, 80_000, 80_700])
def test_a_full_disk(small, room):
    """Not a mock: the system refuses to let the file grow."""
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (room, hard))
    try:
        with pytest.raises(OSError, match=r"was not written: File too large.*To go on"):
            write(small, {"epoch": 4}, {"theta": np.zeros(10_000), "more": np.zeros(10)})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert read(small)[0] == {"epoch": 3}
    assert [other.name for other in small.parent.iterdir()] == [small.name]


@posix
def test_order_of_steps(small, monkeypatch):
    """A power cut undoes nothing: content, then name, then folder are synchronised."""
    steps = []

    def note(name, function):
        def noted(*arguments):
            folder = name == "fsync" and stat.S_ISDIR(os.fstat(arguments[0]).st_mode)
            steps.append("fsync folder" if folder else name)
            return function(*arguments)

        monkeypatch.setattr(os, name, noted)

    note("fsync", os.fsync)
    note("replace", os.replace)
    write(small, {"epoch": 4}, {})
    assert steps == ["fsync", "replace", "fsync folder"]


@posix
def test_failure_to_flush_the_folder(small, monkeypatch):
    """The new file is in place by then; where folders cannot be flushed at all, that is fine."""
    monkeypatch.setattr(os, "fsync", failing(os.fsync, at=2, number=errno.EIO))
    with pytest.raises(OSError, match=r"not flushed.*in place and whole"):
        write(small, {"epoch": 4}, {})
    assert read(small)[0] == {"epoch": 4}
    monkeypatch.setattr(os, "fsync", failing(os.fsync, at=2, number=errno.EINVAL))
    write(small, {"epoch": 5}, {})
    monkeypatch.setattr(os, "open", failing(os.open, at=1, number=errno.EACCES))
    write(small, {"epoch": 6}, {})
    assert read(small)[0] == {"epoch": 6}
    assert [other.name for other in small.parent.iterdir()] == [small.name]


def test_folder_that_cannot_be_written_to(tmp_path, small):
    with pytest.raises(OSError, match=r"no/model.*No such file.*create the folder first"):
        write(tmp_path / "no" / "model", {}, {})
    with pytest.raises(OSError, match="To go on, create the folder first"):
        write(small / "model", {}, {})
    with pytest.raises(OSError, match="give the path of a file"):
        write(tmp_path, {}, {})
    with pytest.raises(OSError, match="choose a shorter name"):
        write(tmp_path / ("a" * 300), {}, {})


@posix
def test_permissions_and_links(small):
    old = os.umask(0o027)
    try:
        fresh = small.with_name("ä" * 120)  # 240 bytes: the temporary file's name must be shorter
        write(fresh, {}, {})
        assert fresh.stat().st_mode & 0o777 == 0o640
        fresh.chmod(0o600)
        write(fresh, {"a": 1}, {})
        assert fresh.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(old)
    link = small.with_name("link")
    link.symlink_to(small.name)
    write(link, {"epoch": 4}, {})
    assert link.is_symlink()
    assert read(small)[0] == {"epoch": 4}


def test_leftovers_of_killed_writers_are_removed(small):
    old, new, other = (
        small.with_name(f".{name}{checkpoint._TEMPORARY}")
        for name in (f"{small.name}.1", f"{small.name}.2", "another.1")
    )
    for leftover in (old, new, other):
        leftover.write_bytes(b"half")
    for leftover in (old, other):
        os.utime(leftover, (0, 0))
    write(small, {}, {})
    assert not old.exists()
    assert new.exists(), "it may be at work"
    assert other.exists()


@posix
def test_killed_writers(tmp_path):
    script = Path(__file__).parents[1] / "helpers" / "processes" / "kill_writer.py"
    ran = subprocess.run(
        [sys.executable, script, tmp_path, "20"], capture_output=True, text=True, check=True
    )
    assert ran.stdout.startswith("20 kills, ")
    assert ran.stdout.endswith(" 0 lost\n"), ran.stdout
