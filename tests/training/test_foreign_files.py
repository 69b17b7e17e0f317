"""Files of arrays from other programs: what is read, and what is refused."""

import errno
import io
import json
import os
import pickle
import stat
import tracemalloc
import zipfile

import numpy as np
import pytest

from helpers.files.torch_files import dictionary, state_dict, tensor, torch_file
from sklearn_nn.training import CheckpointError
from sklearn_nn.training.checkpoint import torch_file as torch_file_module
from sklearn_nn.training.checkpoint.foreign import holds_arrays, read_arrays, write_arrays

ARRAYS = {
    "0.weight": np.arange(6, dtype=np.float32).reshape(2, 3),
    "0.bias": np.array([1.5, -2], dtype=np.float64),
    "half": np.array([1, 2], dtype=np.float16),
    "n": np.array(7, dtype=np.int64),
    "none": np.zeros((0, 3), dtype=np.float32),
}


def _written(tmp_path, content, name="weights.pth"):
    path = tmp_path / name
    path.write_bytes(content)
    return path


def _refused(path, match="holds no arrays"):
    with pytest.raises(CheckpointError, match=match):
        read_arrays(path)


def _assert_same(found, wanted):
    assert list(found) == list(wanted)
    for name, array in wanted.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize("name", ["weights.pth", "weights.PT"])
def test_tensors_of_torch_without_torch(tmp_path, old, name):
    _assert_same(read_arrays(_written(tmp_path, state_dict(ARRAYS, old=old), name)), ARRAYS)


@pytest.mark.parametrize("old", [False, True])
def test_parts_of_a_storage(tmp_path, old):
    array = np.arange(12, dtype=np.float32)
    items = {
        "turned": tensor("0", array, old=old, shape=(3, 4), strides=(1, 3)),
        "row": tensor("0", array, old=old, shape=(4,), strides=(1,), start=8),
    }
    found = read_arrays(_written(tmp_path, torch_file(dictionary(items), [array], old=old)))
    np.testing.assert_array_equal(found["turned"], array.reshape(4, 3).T)
    np.testing.assert_array_equal(found["row"], array[8:])


def test_weights_within_a_dictionary(tmp_path):
    inner = dictionary({"w": tensor("0", ARRAYS["0.weight"], old=False)})
    content = torch_file(dictionary({"epoch": b"K\x03", "model": inner}), [ARRAYS["0.weight"]])
    assert [*read_arrays(_written(tmp_path, content))] == ["w"]
    two = torch_file(dictionary({"a": inner, "b": inner}), [ARRAYS["0.weight"]])
    _refused(_written(tmp_path, two), r"2 dictionaries of tensors \(\['a', 'b'\]\)")


@pytest.mark.parametrize("ending", [".npz", ".safetensors", ".h5"])
def test_arrays_are_written_and_read(tmp_path, ending):
    pytest.importorskip({".safetensors": "safetensors", ".h5": "h5py"}.get(ending, "numpy"))
    path = tmp_path / f"weights{ending}"
    write_arrays(path, ARRAYS)
    found = read_arrays(path)
    _assert_same({name: found[name] for name in ARRAYS}, ARRAYS)
    assert len(found) == len(ARRAYS)
    assert holds_arrays(path)


def test_files_are_replaced_atomically(tmp_path, monkeypatch):
    path, link = tmp_path / "weights.npz", tmp_path / "link.npz"
    write_arrays(path, ARRAYS)
    path.chmod(0o640)
    link.symlink_to(path)
    write_arrays(os.fsencode(link), {"only": ARRAYS["n"]})
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert [*read_arrays(os.fsencode(path))] == ["only"]

    def full(_number):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"weights.npz' was not written: No space.*is unchanged"):
        write_arrays(path, ARRAYS)
    assert [*read_arrays(path)] == ["only"]
    assert sorted(tmp_path.iterdir()) == [link, path]


@pytest.mark.parametrize("name", ["no/weights.npz", "folder.npz"])
def test_what_cannot_be_written(tmp_path, name):
    (tmp_path / "folder.npz").mkdir()
    with pytest.raises(OSError, match=r"^\[Errno \d+\] File of weights .* To go on, "):
        write_arrays(tmp_path / name, ARRAYS)
    assert [entry.name for entry in tmp_path.iterdir()] == ["folder.npz"]


def test_compressed_arrays_are_read(tmp_path):
    noise = {"a": np.random.default_rng(0).standard_normal((30, 40))}
    np.savez_compressed(tmp_path / "weights.npz", **noise)
    _assert_same(read_arrays(tmp_path / "weights.npz"), noise)


def test_torch_reads_and_writes_the_same(tmp_path):
    torch = pytest.importorskip("torch")
    whole = torch.arange(12.0).reshape(3, 4)
    tensors = {
        "turned": whole.T, "part": whole[1:, 2], "half": whole.half(), "flag": whole > 3,
        "brain": whole.to(torch.bfloat16), "parameter": torch.nn.Parameter(whole),
        "number": torch.tensor(2.0), "none": torch.zeros(0, 3),
    }  # fmt: skip
    for new in (True, False):
        path = tmp_path / "weights.pt"
        torch.save(tensors, path, _use_new_zipfile_serialization=new)
        found = read_arrays(path)
        for name, one in tensors.items():
            np.testing.assert_array_equal(found[name], one.detach().float().numpy())
        torch.save(torch.nn.Linear(2, 2), path, _use_new_zipfile_serialization=new)
        _refused(path, r"save the weights alone: torch\.save\(model\.state_dict\(\), path\)")


def test_what_torch_writes_to_safetensors(tmp_path):
    torch = pytest.importorskip("torch")
    safetensors = pytest.importorskip("safetensors.torch")
    whole = torch.arange(12.0).reshape(3, 4)
    kinds = ["float64", "float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool"]
    tensors = {kind: whole.to(getattr(torch, kind)) for kind in kinds}
    tensors |= {"number": torch.tensor(2.0).bfloat16(), "none": torch.zeros(0, 3).bfloat16()}
    path = tmp_path / "weights.safetensors"
    safetensors.save_file(tensors, path)
    found = read_arrays(path)
    assert {*found} == {*tensors}
    for name, one in tensors.items():
        np.testing.assert_array_equal(found[name], one.double().numpy(), strict=False)
        assert found[name].shape == one.shape
    assert found["bool"].dtype == bool
    safetensors.save_file({"small": whole.to(torch.float8_e4m3fn)}, path)
    _refused(path, "tensor 'small' is of type F8_E4M3; store it as float32")


# --- files that are damaged or malicious ----------------------------------------------------------


class _Calls:
    """Object whose unpickling calls a function."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
def test_no_code_is_run(tmp_path, protocol):
    target = tmp_path / "was_run"
    for call in (
        _Calls(os.mkdir, str(target)),
        _Calls(eval, f"__import__('os').mkdir({target!r})"),
    ):
        content = io.BytesIO()
        with zipfile.ZipFile(content, "w") as archive:
            archive.writestr("archive/data.pkl", pickle.dumps({"w": call}, protocol))
        _refused(_written(tmp_path, content.getvalue()))
        _refused(_written(tmp_path, pickle.dumps(call, protocol)))
        np.savez(tmp_path / "weights.npz", a=np.array([call], dtype=object), allow_pickle=True)
        _refused(tmp_path / "weights.npz")
    assert not target.exists()


@pytest.mark.parametrize(
    "value",
    [
        b"cbuiltins\neval\n", b"cos\nsystem\n", b"ctorch.storage\n_load_from_bytes\n",
        b"ctorch._utils\n_rebuild_device_tensor_from_numpy\n", b"ctorch\nload\n",
    ],
)  # fmt: skip
def test_other_functions_are_refused_by_name(tmp_path, value):
    module, name = value[1:].decode().split()
    _refused(_written(tmp_path, torch_file(value, [])), f"holds a {module}.{name}")


@pytest.mark.parametrize(
    ("value", "instruction"),
    [
        (b"C\x03abc", "SHORT_BINBYTES"), (b"ccollections\nOrderedDict\n)\x81", "NEWOBJ"),
        (b"\x82\x01", "EXT1"), (b"N0N", "POP"),
    ],
)  # fmt: skip
def test_instructions_that_make_other_objects_are_refused(tmp_path, value, instruction):
    """Even where nothing that they make would be called."""
    items = {"w": tensor("0", ARRAYS["0.weight"], old=False), "other": value}
    content = torch_file(dictionary(items), [ARRAYS["0.weight"]])
    _refused(_written(tmp_path, content), rf"makes objects \({instruction}\)")


def test_a_pickle_of_too_many_instructions(tmp_path, monkeypatch):
    """Each may make an object, which takes many times its byte in the file."""
    path = _written(tmp_path, state_dict(ARRAYS))
    assert read_arrays(path)
    monkeypatch.setattr(torch_file_module, "_MOST_OPCODES", 100)
    _refused(path, "its pickle is too long")


@pytest.mark.parametrize("old", [False, True])
@pytest.mark.parametrize(
    "change",
    [
        {"shape": (10**6, 10**6), "strides": (0, 0)}, {"shape": (2**62,), "strides": (1,)},
        {"shape": (3, 2), "strides": (3, 3)}, {"start": 5}, {"start": 10**9}, {"size": 10**9},
        {"shape": (-1,), "strides": (1,)}, {"shape": (6,), "strides": (1, 1)},
        {"shape": (6,), "strides": (-1,), "start": 5},
    ],
)  # fmt: skip
def test_tensors_that_exceed_their_storage(tmp_path, change, old):
    array = ARRAYS["0.weight"]
    content = torch_file(dictionary({"w": tensor("0", array, old=old, **change)}), [array], old=old)
    _refused(_written(tmp_path, content))


def _peak(path):
    """Return the bytes that reading a file takes at most; an error is what a forged file gives."""
    tracemalloc.start()
    try:
        with pytest.raises(CheckpointError):
            read_arrays(path)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", ["weights.pth", "weights.npz"])
def test_archives_that_expand(tmp_path, name):
    zeros = np.zeros(3_000_000, dtype=np.float32)
    if name.endswith("npz"):
        np.savez_compressed(tmp_path / name, a=zeros)
    else:
        value = dictionary({"w": tensor("0", zeros, old=False)})
        content = torch_file(value, [zeros], compression=zipfile.ZIP_DEFLATED)
        _written(tmp_path, content, name)
    assert (tmp_path / name).stat().st_size < 100_000
    assert _peak(tmp_path / name) < 2_000_000


def test_numbers_in_a_pickle_allocate_nothing(tmp_path):
    for value in (
        b"Nr\xff\xff\xff\x7f",  # stored under a number that is the last of two billion
        b"\x96\xff\xff\xff\xff\xff\x00\x00\x00",  # an array of a terabyte
        b"\x8d\xff\xff\xff\xff\xff\x00\x00\x00",  # a text of a terabyte
    ):
        path = _written(tmp_path, torch_file(value, []))
        assert _peak(path) < 2_000_000


@pytest.mark.parametrize("kind", ["new.pth", "old.pth", "a.npz", "a.safetensors", "a.h5"])
def test_mutated_files(tmp_path, kind):
    """A damaged file gives an error, or arrays that it could hold; never another exception."""
    ending = kind.partition(".")[2]
    pytest.importorskip({"safetensors": "safetensors", "h5": "h5py"}.get(ending, "numpy"))
    path = tmp_path / kind
    if ending == "pth":
        path.write_bytes(state_dict(ARRAYS, old=kind.startswith("old")))
    else:
        write_arrays(path, ARRAYS)
    content, rng = path.read_bytes(), np.random.default_rng(0)
    n_errors = 0
    for trial in range(400):
        forged = bytearray(content)
        if trial % 4 == 0:
            forged = forged[: rng.integers(len(forged))]
        elif trial % 4 == 1:
            at = rng.integers(len(forged))
            forged[at:at] = rng.bytes(rng.integers(1, 9))
        else:
            for at in rng.integers(len(forged), size=rng.integers(1, 6)):
                forged[at] = rng.integers(256)
        path.write_bytes(bytes(forged))
        try:
            found = read_arrays(path)
        except CheckpointError:
            n_errors += 1
            continue
        assert sum(array.nbytes for array in found.values()) <= 2 * len(content)
    assert n_errors > 100


def test_unknown_kinds_of_files(tmp_path):
    with pytest.raises(ValueError, match=r"ends in '.bin'; weights are read as .npz, .*\.pth"):
        read_arrays("weights.bin")
    with pytest.raises(ValueError, match=r"ends in '.pth'; weights are written as"):
        write_arrays("weights.pth", ARRAYS)
    _refused(tmp_path / "nowhere.pth", "cannot be read: No such file")
    assert not holds_arrays(tmp_path / "nowhere.pth")
    assert not holds_arrays("weights.bin")
    assert holds_arrays("weights.bin", is_told=True)


def test_numbers_of_sixteen_bits(tmp_path):
    """Those of bfloat16 are the upper half of float32."""
    pytest.importorskip("safetensors")
    numbers = np.array([[1.5, -2.0, 0.0078125]], dtype=np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype(np.uint16)
    kinds = {"brain": ("BF16", 0), "half": ("F16", 6)}
    header = json.dumps(
        {
            name: {"dtype": kind, "shape": [1, 3], "data_offsets": [start, start + 6]}
            for name, (kind, start) in kinds.items()
        }
    ).encode()
    content = len(header).to_bytes(8, "little") + header
    content += upper.tobytes() + numbers.astype(np.float16).tobytes()
    found = read_arrays(_written(tmp_path, content, "a.safetensors"))
    assert {name: array.dtype for name, array in found.items()} == {
        "brain": np.float32, "half": np.float16,
    }  # fmt: skip
    for array in found.values():
        np.testing.assert_array_equal(array, numbers)
    _refused(_written(tmp_path, content.replace(b"BF16", b"BF17"), "a.safetensors"))


def test_an_empty_data_set_is_no_array(tmp_path):
    library = pytest.importorskip("h5py")
    with library.File(tmp_path / "a.h5", "w") as file:
        file["w"], file["nothing"] = np.zeros(2), library.Empty("f4")
    assert [*read_arrays(tmp_path / "a.h5")] == ["w"]


def test_links_in_h5_files_are_not_followed(tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["a"] = np.ones(3)
    for link in (h5py.ExternalLink("secret.h5", "a"), h5py.SoftLink("/elsewhere")):
        with h5py.File(tmp_path / "weights.h5", "w") as file:
            file["b"] = link
        _refused(tmp_path / "weights.h5", "b is a link")
    layout = h5py.VirtualLayout((3,), dtype="f8")
    layout[:] = h5py.VirtualSource("secret.h5", "a", shape=(3,))
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_virtual_dataset("c", layout)
    _refused(tmp_path / "weights.h5", "c are in another file")
    with h5py.File(tmp_path / "weights.h5", "w") as file:
        file.create_dataset("d", data=np.zeros(10**6), compression="gzip", chunks=True)
    assert _peak(tmp_path / "weights.h5") < 2_000_000
