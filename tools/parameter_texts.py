"""Write the Parameters and Attributes sections of the estimators from one table of texts.

The table is `parameter_texts.toml`. Sections are plain text in the source, which editors read.

    python tools/parameter_texts.py --check    # exit with 1 if a docstring differs from the table
    python tools/parameter_texts.py --write    # write the table's texts into the docstrings
"""

from __future__ import annotations

import argparse
import ast
import inspect
import sys
import textwrap
import tomllib
from pathlib import Path

import sklearn_nn

TABLE = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))
ESTIMATORS = [
    kind
    for name, kind in ((name, getattr(sklearn_nn, name)) for name in sorted(sklearn_nn.__all__))
    if isinstance(kind, type) and kind.__module__.startswith("sklearn_nn.estimators.")
]
KINDS = ("Classifier", "Regressor")
#: The longest line of the source.
WIDTH = 100


def selectors(kind):
    """Return the names that select an estimator in the table, the most specific one last."""
    name = kind.__name__
    ends = [end for end in KINDS if name.endswith(end)]
    return [*ends, *(name.removesuffix(end) for end in ends), name]


def resolved(entry, kind):
    """Return the type and the text of an entry for an estimator."""
    found = {key: value for key, value in entry.items() if isinstance(value, str)}
    for name in selectors(kind):
        found |= entry.get(name, {})
    return found["type"], " ".join(found[key] for key in ("text", "more") if found.get(key))


def default_text(parameter):
    """Return ", default=..." for a parameter, or "" if it has no default."""
    if parameter.default is inspect.Parameter.empty:
        return ""
    return f", default={parameter.default!r}".replace("e-0", "e-")


def written(header, text):
    """Return the lines of one entry as they stand in the source."""
    header, text = (part.replace("\\", "\\\\") for part in (header, text))
    indent = " " * 8
    lines = textwrap.wrap(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return [f"    {header}", *lines]


def parameter_lines(kind):
    """Return the Parameters section of an estimator, in the order of its signature."""
    lines = ["    Parameters", "    ----------"]
    for name, parameter in inspect.signature(kind).parameters.items():
        type_, text = resolved(TABLE["parameters"][name], kind)
        lines += written(f"{name} : {type_}{default_text(parameter)}", text)
    return lines


def attribute_lines(kind):
    """Return the Attributes section of an estimator, in the order of the table."""
    lines = ["    Attributes", "    ----------"]
    for name, entry in TABLE["attributes"].items():
        if set(entry["of"]) & set(selectors(kind)):
            type_, text = resolved(entry, kind)
            lines += written(f"{name} : {type_}", text)
    return lines


def with_sections(source, kind):
    """Return the source of a module with the table's sections in the class's docstring."""
    lines = source.splitlines()
    (node,) = (
        node
        for node in ast.parse(source).body
        if isinstance(node, ast.ClassDef) and node.name == kind.__name__
    )
    docstring = node.body[0]
    heads = [
        index - 1
        for index in range(docstring.lineno, docstring.end_lineno)
        if lines[index].strip() and not lines[index].strip("- ")
    ]
    titles = [lines[index].strip() for index in heads]
    begin = heads[titles.index("Parameters")]
    after = titles.index("Attributes") + 1
    end = heads[after] if after < len(heads) else docstring.end_lineno - 1
    blank = [""] if after < len(heads) else []
    sections = [*parameter_lines(kind), "", *attribute_lines(kind), *blank]
    return "\n".join([*lines[:begin], *sections, *lines[end:]]) + "\n"


def main():
    """Check or write the docstrings of all estimators."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    task = parser.add_mutually_exclusive_group(required=True)
    task.add_argument("--check", action="store_true", help="exit with 1 if a docstring differs")
    task.add_argument("--write", action="store_true", help="write the docstrings")
    write = parser.parse_args().write
    package, root = (
        Path(sklearn_nn.__file__).resolve().parents[1],
        Path(__file__).resolve().parents[1],
    )
    if package != root:
        sys.exit(f"sklearn_nn is imported from {package}, not from {root}; set PYTHONPATH={root}.")
    stale = False
    for kind in ESTIMATORS:
        path = Path(inspect.getsourcefile(kind))
        source = path.read_text(encoding="utf-8")
        current = with_sections(source, kind)
        if current != source:
            stale = True
            print(f"{path}: {kind.__name__} differs from the table")
            if write:
                path.write_text(current, encoding="utf-8")
    return int(stale and not write)


if __name__ == "__main__":
    sys.exit(main())
