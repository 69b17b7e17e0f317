"""Files as `torch.save` writes them, made without torch."""

import io
import struct
import zipfile

import numpy as np

_STORAGES = {"float32": "FloatStorage", "float64": "DoubleStorage", "float16": "HalfStorage",
             "int64": "LongStorage", "uint8": "ByteStorage"}  # fmt: skip


def _text(value):
    content = value.encode()
    return b"X" + struct.pack("<I", len(content)) + content


def _number(value):
    return (
        b"J" + struct.pack("<i", value) if value < 2**31 else b"\x8a\x08" + struct.pack("<q", value)
    )


def _numbers(values):
    return b"(" + b"".join(map(_number, values)) + b"t"


def tensor(key, array, *, old, shape=None, strides=None, start=0, size=None):
    """Return the instructions that build a tensor, of other sizes than the array's if given."""
    storage = f"ctorch\n{_STORAGES[array.dtype.name]}\n".encode()
    size = _number(array.size if size is None else size)
    pid = b"(" + _text("storage") + storage + _text(key) + _text("cpu") + size
    pid += b"N" * old + b"tQ"
    strides = [s // array.itemsize for s in array.strides] if strides is None else strides
    arguments = b"(" + pid + _number(start) + _numbers(array.shape if shape is None else shape)
    arguments += _numbers(strides) + b"\x89" + b"ccollections\nOrderedDict\n)R" + b"t"
    return b"ctorch._utils\n_rebuild_tensor_v2\n" + arguments + b"R"


def dictionary(items):
    """Return the instructions that build an ordered dictionary of values, which are such, too."""
    pairs = b"".join(_text(name) + value for name, value in items.items())
    return b"ccollections\nOrderedDict\n)R(" + pairs + b"u"


def torch_file(value, arrays, *, old=False, compression=zipfile.ZIP_STORED):
    """Return a file with the instructions of a value, and the arrays that its tensors refer to.

    `old` is the format before torch 1.6.
    """
    pickled = b"\x80\x02" + value + b"."
    keys = [str(k) for k in range(len(arrays))]
    contents = [np.ascontiguousarray(array) for array in arrays]
    if old:
        magic = b"\x80\x02\x8a\x0a" + (0x1950A86A20F9469CFC6C).to_bytes(10, "little") + b"."
        system = b"\x80\x02}" + _text("little_endian") + b"\x88s."
        listed = b"\x80\x02](" + b"".join(map(_text, keys)) + b"e."
        data = b"".join(struct.pack("<q", a.size) + a.tobytes() for a in contents)
        return magic + b"\x80\x02M\xe9\x03." + system + pickled + listed + data
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled)
        archive.writestr("archive/byteorder", "little")
        for key, array in zip(keys, contents, strict=True):
            archive.writestr(f"archive/data/{key}", array.tobytes())
    return file.getvalue()


def state_dict(arrays, *, old=False):
    """Return a file with arrays by name."""
    items = {n: tensor(str(k), a, old=old) for k, (n, a) in enumerate(arrays.items())}
    return torch_file(dictionary(items), list(arrays.values()), old=old)
