"""Kernels in the package: used where they fit, never written, never stale, never unsafe."""

import os
import shutil
import subprocess

import numpy as np
import pytest
from test_cache import KERNELS, PACKAGE, append, flip, posix, process

import sklearn_nn
from sklearn_nn import MLPRegressor, prebuild
from sklearn_nn.jit import cache


@pytest.fixture(scope="module")
def template(tmp_path_factory):
    """A copy of the package with two kernels in it, and what the process found that made them."""
    package = tmp_path_factory.mktemp("template") / "sklearn_nn"
    shutil.copytree(
        PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__", cache.PREBUILT.name)
    )
    found = process(KERNELS.format(edit=""), package / cache.PREBUILT.name, package)
    assert found["hits"] == 0
    return package, found


@pytest.fixture
def built(template, tmp_path):
    """A copy of that which a test may change: package, kernels, and what was found."""
    package = tmp_path / "copy" / "sklearn_nn"
    shutil.copytree(template[0], package)
    entries = sorted((package / cache.PREBUILT.name).glob("*/*.kernel"))
    assert len(entries) == 2
    return package, entries, template[1]


def look(package, folder, edit="", **environment):
    return process(KERNELS.format(edit=edit), folder, package, **environment)


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_they_are_used_and_give_the_same_bits(built, tmp_path):
    package, _, compiled = built
    before, own = contents(package), tmp_path / "cache"
    found = look(package, own)
    assert found["hits"] == 2
    assert [found[name] for name in ("relu", "tanh")] == [compiled[n] for n in ("relu", "tanh")]
    assert contents(package) == before
    assert list(own.glob("*/*.kernel")) == []


def test_without_any_other_folder(built):
    """No home, no temporary folder: the user's choice is not complained about in vain."""
    package, *_ = built
    nowhere = "/dev/null/nothing"
    variables = ("HOME", "XDG_CACHE_HOME", "TMPDIR", "NUMBA_CACHE_DIR")
    edit = f"import tempfile; tempfile.tempdir = {nowhere!r}\nimport warnings\n"
    edit += "warnings.simplefilter('ignore')\n"
    assert look(package, nowhere, edit, **dict.fromkeys(variables, nowhere))["hits"] == 2


def test_a_changed_file_makes_them_unused(built, tmp_path):
    package, entries, _ = built
    before = [entry.read_bytes() for entry in entries]
    append(
        package / "layers" / "activation.py",
        '\nELEMENTWISE["relu"] = Elementwise(lambda x: x * like(x, 7), lambda x, y: y)\n',
    )
    found = look(package, tmp_path / "cache")
    assert (found["hits"], found["relu"]) == (0, -7.0)
    assert [entry.read_bytes() for entry in entries] == before


def test_those_of_another_processor_are_not_loaded(built, tmp_path):
    package, *_ = built
    other = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": ""}
    found = look(package, tmp_path / "cache", **other)
    assert found["hits"] == 0
    assert found["tanh"] == pytest.approx(np.tanh(-1))


@pytest.mark.parametrize("damage", [flip, lambda content: content[:100], lambda _: b""])
def test_a_damaged_one_is_ignored(built, tmp_path, damage):
    """It is left as it is, and compiled into the user's folder."""
    package, entries, compiled = built
    broken = damage(entries[0].read_bytes())
    entries[0].write_bytes(broken)
    own = tmp_path / "cache"
    found = look(package, own)
    assert (found["hits"], found["relu"], found["tanh"]) == (1, compiled["relu"], compiled["tanh"])
    assert entries[0].read_bytes() == broken
    assert [path.name for path in own.glob("*/*.kernel")] == [entries[0].name]
    assert look(package, own)["hits"] == 2


@posix
def test_what_others_may_write_is_not_loaded(built, tmp_path):
    """Unless they may write to the package itself, whose code is executed anyway."""
    package, entries, _ = built
    for number, path in enumerate((entries[0], entries[0].parent, entries[0].parent.parent)):
        mode = path.stat().st_mode
        path.chmod(mode | 0o022)
        hits = look(package, tmp_path / str(number))["hits"]
        path.chmod(mode)
        assert hits == (1 if path.is_file() else 0)
    for path in (package, entries[0].parent.parent, entries[0].parent, *entries):
        path.chmod(path.stat().st_mode | 0o020)
    assert look(package, tmp_path / "cache")["hits"] == 2


@posix
def test_links_are_not_followed(built, tmp_path):
    package, entries, _ = built
    elsewhere = tmp_path / "elsewhere"
    shutil.move(entries[0].parent, elsewhere)
    entries[0].parent.symlink_to(elsewhere)
    assert look(package, tmp_path / "cache")["hits"] == 0


def test_the_command(tmp_path, monkeypatch, capsys):
    """It compiles into the package, in place of what was there."""
    target = tmp_path / "kernels"
    (target / "old").mkdir(parents=True)
    monkeypatch.setattr(cache, "PREBUILT", target)
    monkeypatch.setenv(cache.ENVIRONMENT_VARIABLE, "before")
    monkeypatch.setattr(cache, "cache_folder", lambda: target / cache.stamp())

    def fit(self, X, y):
        (target / cache.stamp()).mkdir()
        (target / cache.stamp() / "one.kernel").write_bytes(b"12")
        assert os.environ[cache.ENVIRONMENT_VARIABLE] == str(target)
        return self

    monkeypatch.setattr(MLPRegressor, "fit", fit)
    monkeypatch.setattr(MLPRegressor, "predict", lambda _, X: X)
    one = (MLPRegressor(), np.zeros((2, 2)), np.zeros(2))
    monkeypatch.setattr(prebuild, "common_fits", lambda: iter([one]))
    prebuild.main()
    assert sorted(path.name for path in target.iterdir()) == [cache.stamp()]
    assert capsys.readouterr().out.splitlines()[-1].startswith("1 kernels, 0.0 MB, in ")


def test_common_fits_have_data_of_their_own():
    """Each can be fitted; families are those that most users begin with."""
    kinds = [type(network).__name__ for network, _, _ in prebuild.common_fits()]
    assert {"MLPClassifier", "MLPRegressor", "CNNClassifier", "RNNClassifier"} < set(kinds)
    for network, X, y in prebuild.common_fits():
        assert len(X) == len(y)
        assert isinstance(network, sklearn_nn.estimators._core.base.BaseNetwork)


@pytest.mark.parametrize("case", ["built", "editable", "no numba", "fails", "hangs"])
def test_the_step_of_the_build(case, tmp_path, monkeypatch):
    """It compiles in the copy of the package, or leaves the kernels out."""
    pytest.importorskip("setuptools")
    from setuptools.command.build_py import build_py
    from setuptools.dist import Distribution

    from sklearn_nn import _build

    called = []

    def run(command, **options):
        called.append((command[-1], options["env"]["PYTHONPATH"]))
        if case == "fails":
            raise subprocess.CalledProcessError(1, command)
        if case == "hangs":
            raise subprocess.TimeoutExpired(command, options["timeout"])

    monkeypatch.setattr(build_py, "run", lambda self: called.append("copied"))  # noqa: ARG005
    monkeypatch.setattr(_build.subprocess, "run", run)
    if case == "no numba":
        monkeypatch.setattr(_build.importlib.util, "find_spec", lambda _: None)
    step = _build.BuildWithKernels(Distribution())
    step.build_lib, step.editable_mode = str(tmp_path), case == "editable"
    step.run()
    compiled = [] if case in ("editable", "no numba") else [("sklearn_nn.prebuild", str(tmp_path))]
    assert called == ["copied", *compiled]
