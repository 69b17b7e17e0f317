"""The parameters and attributes of the estimators are documented by one table of texts."""

import inspect
import subprocess
import sys
from pathlib import Path

import pytest

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
        for names, entry in table.items():
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
                    if set(names.split(", ")) <= set(inspect.signature(kind).parameters)
                ]
            assert have, names
            chosen = {name for kind in have for name in parameter_texts.selectors(kind)}
            variants = {name for name, value in entry.items() if isinstance(value, dict)}
            assert variants <= chosen, names


def test_check_is_a_command():
    found = subprocess.run([sys.executable, TOOL, "--check"], capture_output=True, text=True)
    assert found.returncode == 0, found.stdout + found.stderr
