"""Machine code from the cache: linked without Numba, with all that an object file needs."""

import ctypes
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from llvmlite import binding
from numba.core import config
from numba.core.registry import cpu_target

import sklearn_nn
from sklearn_nn import jit
from sklearn_nn.jit import cache, host, machine_code
from sklearn_nn.jit.kernel import Kernel, Kind

ROOT = Path(sklearn_nn.__file__).parents[1]
#: A function that calls one of the C library, an intrinsic that becomes a call, and one of its own.
SOURCE = """
target triple = "{triple}"
declare double @cos(double)
declare double @llvm.exp.f64(double)
declare double @name_of_more_than_eight_letters(double)
@seen = common global i64 0
define internal double @inner(double %x) noinline {{ ret double %x }}
define double @outer(double %x) {{
  %a = call double @cos(double %x)
  %b = call double @llvm.exp.f64(double %a)
  %c = call double @name_of_more_than_eight_letters(double %b)
  %d = call double @inner(double %c)
  ret double %d
}}
"""

#: Uses of kernels and estimators in a process, which prints whether Numba was imported.
USES = {
    "MLPClassifier": "sklearn_nn.MLPClassifier(max_iter=2, random_state=0).fit(X, X[:, 0] > 0)",
    "float32": "sklearn_nn.MLPRegressor(max_iter=2).fit(X.astype('f4'), X[:, 0]).predict(X)",
    "early_stopping": (
        "sklearn_nn.MLPClassifier(max_iter=2, early_stopping=True, n_jobs=2)"
        ".fit(X, X[:, 0] > 0).predict_proba(X[:3])"
    ),
}
PROCESS = """
import json, sys, warnings
import numpy as np
import sklearn_nn
warnings.simplefilter("ignore")
X = np.linspace(-1, 1, 120).reshape(40, 3)
found = ["numba" in sys.modules]
{use}
print(json.dumps([*found, "numba" in sys.modules]))
"""
KERNEL = """
import sys
import numpy as np
from sklearn_nn.jit import cache, kernel
kernel.load_contract = lambda dtype: None  # tiles take seconds, and are not what is looked at

def change(x, y):
    {line}

made = kernel.Kernel(change, kernel.Kind("change", x="real[:]", y="real[:]"), "machine_code.change")
x, y = np.arange(3.0), np.zeros(3)
made.address("float64")
print(made._cache.hits, made._cache.misses, "numba" in sys.modules, flush=True)
made(x, y)
print(*y)
"""


def run(*command, **environment):
    """Return what a process prints."""
    own = {"PYTHONPATH": str(ROOT)} | environment
    done = subprocess.run(
        command, env=os.environ | own, capture_output=True, text=True, timeout=900, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def output(script, folder):
    """Return what a script in a file, whose kernels can be cached, prints in its own process."""
    file = folder / "script.py"
    file.write_text(script)
    return run(sys.executable, "-B", file, SKLEARN_NN_CACHE_DIR=str(folder / "cache"))


# --- Numba is not imported ----------------------------------------------------------------------


@pytest.mark.parametrize("name", USES)
def test_a_fit_and_a_prediction_with_cached_kernels(name):
    """The first process may have to compile them."""
    command = sys.executable, "-c", PROCESS.format(use=USES[name])
    imported, _ = json.loads(run(*command))
    assert not imported
    assert json.loads(run(*command)) == [False, False]


def test_no_module_imports_numba():
    script = """
import importlib, pkgutil, sys
import sklearn_nn
for module in pkgutil.walk_packages(sklearn_nn.__path__, "sklearn_nn."):
    if not module.name.endswith(("__main__", "_build")):
        importlib.import_module(module.name)
print("numba" in sys.modules)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "False\n"


def test_settings_and_target_are_those_of_numba():
    alone = jit._settings_alone()
    assert alone is not config
    assert jit.settings() is config
    for name in (*cache._SETTINGS, "DISABLE_JIT", "USE_LLVMLITE_MEMORY_MANAGER"):
        assert hasattr(config, name)
        assert getattr(alone, name) == getattr(config, name), name
    assert cpu_target.target_context.codegen().magic_tuple() == host.TARGET
    assert host.uses_svml() == config.USING_SVML


# --- what an object file needs ------------------------------------------------------------------


@pytest.mark.parametrize(
    "triple",
    ["x86_64-unknown-linux-gnu", "x86_64-apple-macosx", "x86_64-pc-windows-msvc"],
)
def test_symbols_that_an_object_file_needs(triple):
    try:
        target = binding.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip("LLVM makes no code for x86 here")
    module = binding.parse_assembly(SOURCE.format(triple=triple))
    content = target.create_target_machine(jit=True).emit_object(module)
    found = machine_code.ObjectFile.of("outer", content)
    assert found.needed == ("cos", "exp", "name_of_more_than_eight_letters")
    assert machine_code.ObjectFile.unpacked(found.packed()) == found


@pytest.mark.parametrize("content", [b"", b"\n", b"outer cos\n", b"outer\n\x7fELF\x01\x01" * 9])
def test_something_else_is_no_object_file(content):
    with pytest.raises(ValueError, match="unknown format"):
        machine_code.link(content)


def test_a_symbol_that_is_not_there():
    module = binding.parse_assembly("define void @there() { ret void }")
    target = binding.Target.from_triple(binding.get_process_triple())
    content = target.create_target_machine(jit=True).emit_object(module)
    assert machine_code.link(machine_code.ObjectFile.of("there", content).packed()) > 0
    with pytest.raises(ValueError, match="no function here"):
        machine_code.link(machine_code.ObjectFile.of("here", content).packed())


def test_equal_names_in_two_entries():
    """Numba's names of functions within functions are unique in one process only."""
    text = """
    define linkonce_odr double @inner(double %x) noinline {{ ret double {number} }}
    define double @outer(double %x) {{ %y = call double @inner(double %x)  ret double %y }}
    """
    target = binding.Target.from_triple(binding.get_process_triple())
    codes = []
    for number in ("1.0", "2.0"):
        module = binding.parse_assembly(text.format(number=number))
        content = target.create_target_machine(jit=True).emit_object(module)
        codes.append(machine_code.link(machine_code.ObjectFile.of("outer", content).packed()))
    kind = ctypes.CFUNCTYPE(ctypes.c_double, ctypes.c_double)
    assert [kind(code)(0.0) for code in codes] == [1, 2]


# --- kernels of users that do what the package's do not ------------------------------------------


@pytest.mark.parametrize(
    ("line", "hits", "needs_numba"),
    [("y[:] = np.cos(x[0]) + 2", 1, False), ("y[:] = 2 * x + np.ones(3)", 1, True)],
    ids=["plain", "allocates"],
)
def test_what_a_kernel_needs_is_provided(line, hits, needs_numba, tmp_path):
    script = KERNEL.format(line=line)
    first, second = (output(script, tmp_path).splitlines() for _ in range(2))
    assert first[0] == "0 1 True"
    assert second[0] == f"{hits} 0 {needs_numba}"
    assert first[1] == second[1]


def test_a_kernel_that_prints_is_compiled_in_each_process(tmp_path):
    script = KERNEL.format(line='print("seen", x[1])')
    for _ in range(2):
        assert output(script, tmp_path).splitlines()[:2] == ["0 1 True", "seen 1.0"]


def test_settings_that_change_later_leave_no_entry(tmp_path, monkeypatch):
    """The stamp of the folder tells of those at the beginning."""

    def change(x, y):
        y[0] = x[0]

    kind = Kind("change", x="real[:]", y="real[:]")
    monkeypatch.setattr(cache, "cache_folder", lambda: tmp_path)
    cache.stamp()
    with monkeypatch.context() as patch:
        patch.setattr(config, "OPT", 0)
        Kernel(change, kind, "machine_code.other").address("float64")
        assert list(tmp_path.glob("machine_code*")) == []
    Kernel(change, kind, "machine_code.other").address("float64")
    assert len(list(tmp_path.glob("machine_code*"))) == 1
