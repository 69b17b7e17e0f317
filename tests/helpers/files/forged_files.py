"""Checkpoints that nobody wrote: random edits, and payloads sealed with the right digest."""

import hashlib
import io
import os
import zipfile

import numpy as np

HEADER_LENGTH = len(b"sklearn_nn checkpoint 1 sha256 \n") + 64


def seal(payload, version=1):
    """Return a file that holds `payload`, with the header that belongs to it."""
    digest = hashlib.sha256(payload).hexdigest()
    return f"sklearn_nn checkpoint {version} sha256 {digest}\n".encode() + payload


def npz(**arrays):
    """Return an npz file; its arrays of objects are pickled."""
    stream = io.BytesIO()
    np.savez(stream, **arrays)
    return stream.getvalue()


def packed(members, **options):
    """Return a zip of names to bytes."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", **options) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return stream.getvalue()


def unpacked(payload):
    """Return the members of a zip, as bytes."""
    with zipfile.ZipFile(io.BytesIO(payload)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def npy(header, data=b""):
    """Return a file as np.save writes it, with a user-defined header."""
    text = header.encode("latin1") + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


def array_header(descr, shape):
    return f"{{'descr': {descr!r}, 'fortran_order': False, 'shape': {shape}, }}"


def sealed(*, meta=b"{}", **members):
    """Return a sealed file with that JSON text and those npy members."""
    text = npy(array_header("|u1", f"({len(meta)},)"), meta)
    files = {f"arrays/{name}.npy": content for name, content in members.items()}
    return seal(packed({"meta.npy": text, **files}))


def mutate(data, rng):
    """Return data with random edits: bytes replaced, inserted, deleted, doubled, moved, cut off."""
    data = bytearray(data)
    for _ in range(rng.integers(1, 6)):
        at, length = int(rng.integers(len(data) + 1)), int(rng.integers(1, 17))
        edit = rng.integers(7)
        if edit == 0:
            data[at : at + 1] = rng.bytes(1)
        elif edit == 1:
            data[at:at] = rng.bytes(length)
        elif edit == 2:
            del data[at : at + length]
        elif edit == 3:
            data[at:at] = data[at : at + length]
        elif edit == 4:
            data[at : at + length] = b"\xff" * length
        elif edit == 5:
            data[at : at + 1] = b"0123456789[]{},:\"'-()ntfeU<>"[length : length + 1]
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data)


def mutate_member(payload, rng):
    """Return a zip with one member edited, and all checksums put right again."""
    members = unpacked(payload)
    name = list(members)[rng.integers(len(members))]
    content = members[name]
    if name == "meta.npy":  # with a header that fits, so that the JSON is reached
        start = content.index(b"\n") + 1
        text = mutate(content[start:], rng)
        members[name] = npy(array_header("|u1", f"({len(text)},)"), text)
    elif rng.random() < 0.5:
        members[name] = mutate(content[:128], rng) + content[128:]
    else:
        members[name] = mutate(content, rng)
    return packed(members)


class Pickled:
    """Object that makes a folder when it is unpickled."""

    def __init__(self, folder):
        self.folder = folder

    def __reduce__(self):
        return os.mkdir, (self.folder,)


def bomb(length=2, **changes):
    """Return a zip of one member with two bytes, and a directory that states a larger size."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("meta.npy", npy(array_header("|u1", f"({length},)"), b"{}"))
        archive.filelist[0].file_size += length - 2
        for key, value in changes.items():
            setattr(archive.filelist[0], key, value)
    return seal(stream.getvalue())


BIG = 10**15
BOMBS = {
    "elements": sealed(a=npy(array_header("<f8", f"({BIG},)"))),
    "overflow": sealed(a=npy(array_header("<f8", f"({2**40}, {2**40})"))),
    "none of many": sealed(a=npy(array_header("<f8", f"(0, {10**30})"))),
    "digits": sealed(a=npy(array_header("<f8", f"({'9' * 5000},)"))),
    "dimensions": sealed(a=npy(array_header("<f8", f"({'1,' * 2000})"), bytes(8))),
    "letters": sealed(a=npy(array_header(f"<U{2**31 - 1}", "(1,)"))),
    "no letters": sealed(a=npy(array_header("<U0", f"({BIG},)"))),
    "deflated": seal(packed({"meta.npy": bytes(10**7)}, compression=zipfile.ZIP_DEFLATED)),
    "directory": bomb(file_size=2**40, compress_size=2**40),
    "larger than it is": bomb(length=50),
    "longer than it says": bomb(length=1, file_size=72),
    "encrypted": bomb(flag_bits=1),
    "nested": sealed(meta=b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}"),
    "number": sealed(meta=b'{"a":' + b"9" * 100_000 + b"}"),
    "code": sealed(a=npy("__import__('os').abort()")),
    "dtype": sealed(a=npy(array_header("|O", "(1,)"))),
    "no dtype": sealed(a=npy(array_header("<f3", "(1,)"))),
    "fields": sealed(a=npy("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (1,), }")),
    "parentheses": sealed(a=npy("(" * 60_000)),
    "bool": sealed(a=npy(array_header("|b1", "(2,)"), b"\1\2")),
    "letter": sealed(a=npy(array_header("<U1", "(1,)"), b"\0\0\x11\0")),
    "swapped letter": sealed(a=npy(array_header(">U1", "(1,)"), b"\0\x11\0\0")),
    "not an object": sealed(meta=b"[]"),
    "not JSON": sealed(meta=b'{"a": NaN}'),
    "not ASCII": sealed(meta='{"a": "é"}'.encode()),
    "no meta": seal(packed({"arrays/a.npy": npy(array_header("<f8", "(0,)"))})),
    "no zip": seal(b""),
}
