"""The parameters and attributes of the estimators are documented by one table of texts."""

import inspect
import itertools
import subprocess
import sys
from pathlib import Path

import pytest

import sklearn_nn
from sklearn_nn import inspection, layers, preprocessing, training

TOOL = Path(__file__).parents[1] / "tools" / "parameter_texts.py"
sys.path.insert(0, str(TOOL.parent))
import parameter_texts  # noqa: E402

TABLE = parameter_texts.TABLE
every_estimator = pytest.mark.parametrize("kind", parameter_texts.ESTIMATORS)


@every_estimator
def test_docstrings_agree_with_the_table(kind):
    source = Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8")
    remedy = "python tools/parameter_texts.py --write"
    assert parameter_texts.with_sections(source, kind) == source, f"run {remedy}"


def test_a_docstring_that_differs_is_found():
    kind = parameter_texts.ESTIMATORS[0]
    source = Path(inspect.getsourcefile(kind)).read_text(encoding="utf-8")
    damaged = source.replace("        Class labels.\n", "        Labels.\n", 1)
    assert damaged != source
    assert parameter_texts.with_sections(damaged, kind) == source


def test_every_text_is_used():
    """Entries belong to an estimator, and variants are selected by one that has the entry."""
    for section, table in TABLE.items():
        for name, entry in table.items():
            if section == "attributes":
                have = [
                    kind
                    for kind in parameter_texts.ESTIMATORS
                    if set(entry["of"]) & set(parameter_texts.selectors(kind))
                ]
            else:
                have = [
                    kind
                    for kind in parameter_texts.ESTIMATORS
                    if name in inspect.signature(kind).parameters
                ]
            assert have, name
            chosen = {one for kind in have for one in parameter_texts.selectors(kind)}
            variants = {key for key, value in entry.items() if isinstance(value, dict)}
            assert variants <= chosen, name


def documented_parameters(kind):
    """Return the names in the Parameters section of a docstring."""
    lines = (inspect.getdoc(kind) or "").splitlines()
    if "Parameters" not in lines:
        return []
    section = lines[lines.index("Parameters") + 2 :]
    heads = itertools.takewhile(lambda line: line[:3] != "---", section)
    names = [line.partition(" : ")[0] for line in heads if " : " in line and line[0] != " "]
    return [name.strip("*") for group in names for name in group.split(", ")]


@pytest.mark.parametrize(
    "kind",
    [
        kind
        for module in (sklearn_nn, layers, training, inspection, preprocessing)
        for kind in (getattr(module, name) for name in module.__all__)
        if callable(kind)
    ],
)
def test_documented_parameters_exist(kind):
    methods = [f for name, f in inspect.getmembers(kind, inspect.isfunction) if name[0] != "_"]
    for documented in (kind, *methods):
        if names := documented_parameters(documented):
            assert set(names) <= set(inspect.signature(documented).parameters)


def test_check_is_a_command():
    found = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
