"""The cache: hits, damage, folders that cannot be used, and never stale machine code."""

import importlib.util
import json
import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import pytest
from numba.core import config

import sklearn_nn
from sklearn_nn.jit import cache
from sklearn_nn.jit.contract import load_contract
from sklearn_nn.jit.kernel import Kernel, Kind

PACKAGE = Path(sklearn_nn.__file__).parent
KIND = Kind("double", x="real[:]", y="real[:]")
NO_FOLDER = "/dev/null/nothing"  # below a file: not even root can make it


def double(x, y):
    for i in range(x.size):
        y[i] = 2 * x[i]


def fresh(function=double, name="test_cache.double"):
    """A kernel that has not been compiled in this process."""
    return Kernel(function, KIND, name)


def apply(made, dtype="float64"):
    x = np.arange(3, dtype=dtype)
    y = np.zeros_like(x)
    made(x, y)
    return y.tolist()


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty cache of this process's own. The tiles are elsewhere."""
    for dtype in ("float32", "float64"):
        load_contract(dtype)
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    return tmp_path


def entries(folder):
    return sorted(folder.glob("*.kernel"))


# --- entries ---------------------------------------------------------------------------------


def test_round_trip(folder):
    made = fresh()
    assert apply(made) == [0, 2, 4]
    assert (made._cache.hits, made._cache.misses) == (0, 1)
    again = fresh()
    assert apply(again) == [0, 2, 4]
    assert (again._cache.hits, again._cache.misses) == (1, 0)
    # Each real type is an entry of its own.
    assert apply(again, "float32") == [0, 2, 4]
    assert (again._cache.hits, again._cache.misses) == (1, 1)
    assert len(entries(folder)) == 2
    assert len(list(folder.iterdir())) == 2


def flip(content):
    middle = len(content) // 2
    return content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :]


def sealed(payload):
    """An entry with a right checksum."""
    return cache._DIGEST(payload).digest() + payload


@pytest.mark.parametrize(
    "damage",
    [
        flip,
        lambda content: content[: len(content) // 2],
        lambda content: content[:10],
        lambda content: content[:0],
        lambda content: content + b"\0",
        lambda content: bytes([content[0] ^ 128]) + content[1:],
        lambda content: sealed(content[32:][::-1]),
        lambda content: sealed(pickle.dumps(content)),
    ],
    ids=["flipped", "halved", "cut", "empty", "longer", "checksum", "garbage", "other"],
)
def test_a_damaged_entry_is_compiled_again(folder, damage):
    apply(fresh())
    (entry,) = entries(folder)
    entry.write_bytes(damage(entry.read_bytes()))
    made = fresh()
    assert apply(made) == [0, 2, 4]
    assert (made._cache.hits, made._cache.misses) == (0, 1)
    healed = fresh()
    assert apply(healed) == [0, 2, 4]
    assert healed._cache.hits == 1


def test_a_full_disk_costs_only_time(folder, monkeypatch):
    def full(handle, mode):
        os.close(handle)
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cache.os, "fdopen", full)
    assert apply(fresh()) == [0, 2, 4]
    assert list(folder.iterdir()) == []


def test_a_folder_that_vanishes_costs_only_time(folder):
    shutil.rmtree(folder)
    assert apply(fresh()) == [0, 2, 4]
    assert not folder.exists()


def test_no_folder(monkeypatch):
    monkeypatch.setattr(cache, "cache_folder", lambda: None)
    made = fresh()
    assert apply(made) == [0, 2, 4]
    assert made._cache.path is None
    assert (made._cache.hits, made._cache.misses) == (0, 1)


def load(file, name="mine"):
    """Import a file as a module, as a new process would."""
    spec = importlib.util.spec_from_file_location(name, file)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return fresh(module.change, "mine.change")


def test_a_kernel_outside_the_package_goes_by_its_file(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "mine.py"
    file.write_text("def change(x, y):\n    y[0] = x[1] + 10\n")
    assert apply(load(file))[0] == 11
    again = load(file)
    assert apply(again)[0] == 11
    assert again._cache.hits == 1
    file.write_text("def change(x, y):\n    y[0] = x[1] + 20\n")
    assert apply(load(file))[0] == 21


def test_a_file_edited_between_import_and_use(folder, tmp_path, monkeypatch):
    """Code imported before the edit runs, and is not filed under the edited source."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    file = tmp_path / "mine.py"
    file.write_text("def change(x, y):\n    y[0] = x[1] + 10\n")
    imported = load(file)
    file.write_text("def change(x, y):\n    y[0] = x[1] + 20\n")
    assert apply(imported)[0] == 11
    assert apply(load(file))[0] == 21


def test_functions_without_a_file_are_not_cached(folder):
    """Two versions typed into a notebook have one name and one signature."""
    for number in (10, 20):
        space = {}
        source = f"def change(x, y):\n    y[0] = x[1] + {number}\n"
        exec(compile(source, "<ipython-input-1>", "exec"), space)
        assert apply(fresh(space["change"], "notebook.change"))[0] == number + 1
    assert entries(folder) == []


# --- the folder --------------------------------------------------------------------------------


@pytest.fixture
def choose(tmp_path, monkeypatch):
    """Choose among folders as a new process would."""

    def chosen(*roots):
        monkeypatch.setattr(cache, "_candidate_roots", lambda: [Path(root) for root in roots])
        return cache.cache_folder.__wrapped__()

    return chosen


def test_the_first_usable_folder(choose, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert choose(first, second) == first / cache.stamp()
    assert choose(NO_FOLDER, second) == second / cache.stamp()
    assert choose(NO_FOLDER) is None
    if os.name == "posix":
        assert (second / cache.stamp()).stat().st_mode & 0o777 == 0o700
        assert second.stat().st_mode & 0o777 == 0o700


def test_a_file_in_the_place_of_a_folder(choose, tmp_path):
    (tmp_path / "a").write_text("")
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / cache.stamp()).write_text("")
    assert choose(tmp_path / "a", tmp_path / "b", tmp_path / "c").parent == tmp_path / "c"


posix = pytest.mark.skipif(os.name != "posix", reason="permission bits are those of Unix systems")


@posix
@pytest.mark.parametrize("mode", [0o777, 0o770, 0o702])
def test_a_folder_that_others_may_write_is_refused(choose, tmp_path, mode):
    """Its files are run as code."""
    unsafe, safe = tmp_path / "unsafe", tmp_path / "safe"
    unsafe.mkdir(mode=0o700)
    (unsafe / cache.stamp()).mkdir()
    (unsafe / cache.stamp()).chmod(mode)
    assert choose(unsafe, safe) == safe / cache.stamp()


@posix
def test_a_root_that_others_may_rename_in_is_refused(choose, tmp_path):
    unsafe, safe = tmp_path / "unsafe", tmp_path / "safe"
    unsafe.mkdir()
    unsafe.chmod(0o777)
    assert choose(unsafe, safe) == safe / cache.stamp()
    unsafe.chmod(0o1777)  # as /tmp: only its owner may rename what lies there
    assert choose(unsafe, safe) == unsafe / cache.stamp()


@posix
def test_another_users_folder_is_refused(choose, tmp_path, monkeypatch):
    mine = tmp_path / "mine"
    assert choose(mine) is not None
    monkeypatch.setattr(cache.os, "getuid", lambda: 12345)
    assert choose(mine) is None


def test_candidates(monkeypatch, tmp_path):
    for name in (cache.ENVIRONMENT_VARIABLE, "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    plain = cache._candidate_roots()
    assert len(plain) == 2
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "numba"))
    assert cache._candidate_roots() == [tmp_path / "numba", *plain]
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, str(tmp_path / "own"))
    assert cache._candidate_roots() == [tmp_path / "own", *plain]

    def nowhere():
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", nowhere)
    assert cache._candidate_roots() == [tmp_path / "own", *plain[:1]]


def test_old_stamps_are_forgotten_and_nothing_else(choose, tmp_path):
    """Files that a user keeps in the folder are not deleted."""
    old = [f"{k:020x}" for k in range(cache.KEPT_STAMPS + 3)]
    for age, name in enumerate(old):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    kept = ["a_project_of_20_chars", "twenty_letters_in_it", "g" * 20]
    assert len(kept[1]) == 20
    for name in kept:
        (tmp_path / name).mkdir()
    choose(tmp_path)
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*kept, cache.stamp(), *old[-(cache.KEPT_STAMPS - 1) :]}


# --- the stamp -----------------------------------------------------------------------------------


@pytest.fixture
def copied(tmp_path):
    """A copy of the package's sources that a test may edit."""
    target = tmp_path / "copy" / "sklearn_nn"
    shutil.copytree(PACKAGE, target, ignore=shutil.ignore_patterns("__pycache__"))
    return target


def test_stamp_covers_every_kernel_file_and_the_version(copied):
    """Installing another version over this one changes __init__.py if nothing else."""
    before = cache.source_stamp(copied)
    assert before == cache.source_stamp(PACKAGE)
    files = [copied / "__init__.py"]
    assert "__version__" in files[0].read_text(encoding="utf-8")
    for name in cache.KERNEL_FOLDERS:
        found = list((copied / name).rglob("*.py"))
        assert found
        files += found
    assert copied / "layers" / "recurrent" / "cells.py" in files
    for file in files:
        source = file.read_bytes()
        file.write_bytes(source + b"#")
        assert cache.source_stamp(copied) != before, file
        file.write_bytes(source)
    for place in ("jit", "layers/recurrent"):
        new = copied / place / "new.py"
        new.write_text("")
        assert cache.source_stamp(copied) != before
        new.unlink()
    assert cache.source_stamp(copied) == before


def test_the_stamp_tells_where_a_file_stands(copied):
    """Two files of one name that change places are other code."""
    before = cache.source_stamp(copied)
    a, b = copied / "layers" / "base.py", copied / "layers" / "augmentation" / "base.py"
    texts = a.read_bytes(), b.read_bytes()
    a.write_bytes(texts[1])
    b.write_bytes(texts[0])
    assert cache.source_stamp(copied) != before


def test_every_kernel_stands_where_the_stamp_looks():
    users = {
        path.relative_to(PACKAGE).parts[0]
        for path in PACKAGE.rglob("*.py")
        if any(word in path.read_text(encoding="utf-8") for word in ("@kernel(", "@njit("))
    }
    assert users <= set(cache.KERNEL_FOLDERS)


def test_stamp_covers_compiler_and_options(monkeypatch):
    before = cache.stamp.__wrapped__()
    assert before == cache.stamp()
    assert cache._STAMP.fullmatch(before)
    for place, name, value in [
        (cache.importlib.metadata, "version", "{}".format),
        (cache.llvmlite, "__version__", "0"),
        (cache.sys, "version", "0"),
        (cache, "TARGET", ("", "", "")),
        (cache, "VECTOR_BITS", 7),
        (cache, "VECTOR_REGISTERS", 7),
        *((config, name, 7) for name in cache._SETTINGS),
        (cache, "uses_svml", lambda: None),
    ]:
        with monkeypatch.context() as patch:
            patch.setattr(place, name, value)
            assert cache.stamp.__wrapped__() != before, name


# --- other processes ---------------------------------------------------------------------------

FIT = """
import gc, json, tempfile, warnings
import numpy as np
from sklearn_nn import MLPClassifier
from sklearn_nn.jit import cache
warnings.simplefilter("ignore")
if {blocked}:
    tempfile.tempdir = "/dev/null/nothing"
rng = np.random.default_rng(0)
X = rng.standard_normal((30, 3)).astype("float32")
y = X[:, 0] > 0
model = MLPClassifier((4,), max_iter=3, random_state=0).fit(X, y)
caches = [o for o in gc.get_objects() if type(o) is cache.KernelCache]
print(json.dumps({{
    "proba": model.predict_proba(X).tolist(), "loss": model.loss_curve_,
    "folder": str(cache.cache_folder()), "hits": sum(c.hits for c in caches),
    "misses": sum(c.misses for c in caches),
}}))
"""

KERNELS = """
import gc, json, sys
import numpy as np
from sklearn_nn.jit import cache, kernel
kernel.load_contract = lambda dtype: None  # tiles take seconds, and are not what is looked at
from sklearn_nn.layers import Activation
from sklearn_nn.network.lowering import ProgramBuilder
{edit}
def apply(name):
    builder = ProgramBuilder()
    Activation(name).lower(builder, builder.slot((1,)))
    forward, none = builder.instructions[0].kernels.forward, np.zeros(0)
    x, y = np.full((1, 1), -1.0), np.zeros((1, 1))
    forward(np.zeros(8, np.int64), np.zeros(16, np.int64), 0, 1, none, none, none, x, y)
    return y[0, 0]
found = {{"relu": apply("relu"), "tanh": apply("tanh"), "stamp": cache.stamp()}}
found["package"] = str(cache.PACKAGE)
caches = [o for o in gc.get_objects() if type(o) is cache.KernelCache]
found["hits"] = sum(c.hits for c in caches)
print(json.dumps(found))
"""


def process(script, folder, package=PACKAGE, **environment):
    """Return what a script prints in a process that sees `package` and caches in `folder`."""
    own = {"SKLEARN_NN_CACHE_DIR": str(folder), "PYTHONPATH": str(package.parent)} | environment
    done = subprocess.run(
        [sys.executable, "-B", "-c", script],
        env=os.environ | own, capture_output=True, text=True, timeout=900, cwd=os.sep,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def cold(tmp_path_factory):
    """A fit in a new process with an empty cache: its folder, and what it found."""
    folder = tmp_path_factory.mktemp("cache")
    return folder, process(FIT.format(blocked=False), folder)


def test_a_second_process_compiles_only_what_is_damaged(cold):
    """A flipped byte in one entry, another one cut; all others are as good as compiled."""
    folder, first = cold
    (relu,) = folder.glob("*/*activation.relu_forward_in_place-*.kernel")
    (gather,) = folder.glob("*/network.source.gather_dense-*.kernel")
    relu.write_bytes(flip(relu.read_bytes()))
    gather.write_bytes(gather.read_bytes()[:1000])
    second = process(FIT.format(blocked=False), folder)
    assert second["misses"] == 2
    assert second["hits"] == first["hits"] + first["misses"] - 2 > 5
    assert (second["proba"], second["loss"]) == (first["proba"], first["loss"])
    assert Path(second["folder"]).parent == folder
    assert gather.stat().st_size > 1000


def test_no_writable_folder_at_all(cold, copied):
    """No home, no temporary folder, and the package's own folder is left as it was."""
    before = sorted(copied.rglob("*"))
    nowhere = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "TMPDIR", "NUMBA_CACHE_DIR"), NO_FOLDER)
    # Without optimisation it compiles sooner.
    found = process(FIT.format(blocked=True), NO_FOLDER, copied, NUMBA_OPT="0", **nowhere)
    assert found["folder"] == "None"
    np.testing.assert_allclose(found["proba"], cold[1]["proba"], rtol=1e-4)
    assert sorted(copied.rglob("*")) == before


def append(file, text):
    file.write_text(file.read_text(encoding="utf-8") + text, encoding="utf-8")


def test_no_stale_code(copied, tmp_path):
    """After a kernel is edited, or a callee in another file."""
    folder = tmp_path / "cache"

    def look(edit=""):
        return process(KERNELS.format(edit=edit), folder, copied)

    first = look()
    assert first["package"] == str(copied)
    assert (first["relu"], first["tanh"]) == (0.0, pytest.approx(np.tanh(-1)))
    assert look()["hits"] == 2
    # A kernel's own file; then a callee in another one, edited while a process runs that has
    # imported it already. That process goes on as it began, and leaves nothing behind that a
    # new one would find.
    append(
        copied / "layers" / "activation.py",
        '\nELEMENTWISE["relu"] = Elementwise(lambda x: x * like(x, 7), lambda x, y: y)\n',
    )
    callee = "\n@_elementary\ndef tanh(x):\n    return x * 3\n"
    edit = f"file = open({str(copied / 'jit' / 'functions.py')!r}, 'a')\n"
    second = look(edit + f"file.write({callee!r})\nfile.close()\n")
    assert (second["relu"], second["tanh"]) == (-7.0, first["tanh"])
    third = look()
    assert (third["relu"], third["tanh"]) == (-7.0, -3.0)
    assert len({found["stamp"] for found in (first, second, third)}) == 3


TWINS = """
import json
import numpy as np
from sklearn_nn.jit import cache
from sklearn_nn.layers.convolution import twin as a
from sklearn_nn.layers.recurrent import twin as b
found = {}
for module in (a, b):
    x = np.ones(1)
    module.write(x)
    found[module.__name__] = x[0]
found["hits"] = sum(module.write._cache.hits for module in (a, b))
found["names"] = [module.write.name for module in (a, b)]
print(json.dumps(found))
"""
TWIN = """
from sklearn_nn.jit.kernel import Kind, kernel

@kernel(Kind("twin", x="real[:]"))
def write(x):
    \"\"\"Write a number.\"\"\"
    x[0] = {number}
"""


def test_kernels_of_equal_names_in_sub_folders(copied, tmp_path):
    """Files of one name in two folders keep their kernels apart; an edit there is seen."""
    folder = tmp_path / "cache"
    places = [copied / "layers" / name / "twin.py" for name in ("convolution", "recurrent")]
    for number, place in enumerate(places, 2):
        place.write_text(TWIN.format(number=number))

    def look():
        found = process(TWINS, folder, copied)
        return [found[f"sklearn_nn.layers.{p.parent.name}.twin"] for p in places], found

    values, found = look()
    assert values == [2, 3]
    assert found["hits"] == 0
    assert found["names"] == ["layers.convolution.twin.write", "layers.recurrent.twin.write"]
    values, found = look()
    assert (values, found["hits"]) == ([2, 3], 2)
    places[1].write_text(TWIN.format(number=5))
    assert look()[0] == [2, 5]
