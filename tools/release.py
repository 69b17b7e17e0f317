"""Steps of a release, which .github/workflows/release.yml takes one after the other.

python tools/release.py readme v1.2.3        # links of README.md as they work on PyPI
python tools/release.py check dist v1.2.3    # exit with an error if the files are not right
python tools/release.py recipe dist          # print a recipe for conda-forge
"""

from __future__ import annotations

import argparse
import hashlib
import re
import sys
import tomllib
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
URLS = PROJECT["urls"]
PYTHON = PROJECT["requires-python"].removeprefix(">=")
#: Recipe in rattler-build's format. `recipe` fills in what stands in double brackets.
RECIPE = """\
context:
  version: "[[version]]"
  python_min: "[[python]]"

package:
  name: sklearn_nn
  version: ${{ version }}

source:
  url: https://pypi.org/packages/source/s/sklearn_nn/sklearn_nn-${{ version }}.tar.gz
  sha256: [[sha256]]

build:
  number: 0
  noarch: python
  script: ${{ PYTHON }} -m pip install . -vv --no-deps --no-build-isolation

requirements:
  host:
    - python ${{ python_min }}.*
    - pip
[[host]]
  run:
    - python >=${{ python_min }}
[[run]]

tests:
  - python:
      imports: [sklearn_nn]
      pip_check: true
      python_version: ["${{ python_min }}.*", "*"]
  - script: python -m sklearn_nn --epochs 2

about:
  summary: [[summary]]
  license: [[license]]
  license_file: LICENSE
  homepage: [[home]]
  repository: [[home]]
  documentation: [[documentation]]

extra:
  recipe-maintainers: [[[maintainers]]]
"""


def version():
    """Return the version of the source."""
    text = (ROOT / "sklearn_nn/__init__.py").read_text(encoding="utf-8")
    return re.search(r'^__version__ = "(.+)"$', text, re.MULTILINE)[1]


def linked(readme, tag):
    """Return README.md with links to the files of a version in place of relative ones."""
    pages, files = f"{URLS['Source']}/blob/{tag}/", f"{URLS['Source']}/raw/{tag}/"
    readme = re.sub(r"(!\[[^]]*\]\()(?!https?:|#)", rf"\g<1>{files}", readme)
    return re.sub(r"(\]\()(?!https?:|#)", rf"\g<1>{pages}", readme)


def faults(tag):
    """Return what a tag is wrong about, a line for each fault."""
    here = version()
    if tag != f"v{here}":
        yield f"the tag is {tag}, but the version {here}"
    if f"## {here} - unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md says that {here} is unreleased; write the date"


def faults_of_wheel(folder):
    """Return what is wrong with the wheel in a folder, which holds the sources and nothing else.

    No kernels: they would be of use on the building machine only.
    """
    path = folder / f"sklearn_nn-{version()}-py3-none-any.whl"
    if not path.exists():
        return [f"there is no {path}"]
    sources = {*(ROOT / "sklearn_nn").rglob("*.py"), ROOT / "sklearn_nn/py.typed"}
    expected = {source.relative_to(ROOT).as_posix() for source in sources}
    with zipfile.ZipFile(path) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    kinds = (("lacks", expected - held), ("must not hold", held - expected))
    return [f"{path.name} {word} {name}" for word, names in kinds for name in sorted(names)]


def recipe(folder, maintainers="sklearn-nn"):
    """Return the recipe for the source distribution in a folder."""
    requirements = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    source = (folder / f"sklearn_nn-{version()}.tar.gz").read_bytes()
    values = {
        "version": version(),
        "python": PYTHON,
        "sha256": hashlib.sha256(source).hexdigest(),
        "host": listed(requirements["build-system"]["requires"]),
        "run": listed(PROJECT["dependencies"]),
        "summary": PROJECT["description"],
        "license": PROJECT["license"],
        "home": URLS["Source"],
        "documentation": URLS["Documentation"],
        "maintainers": maintainers,
    }
    return re.sub(r"\[\[(\w+)\]\]", lambda name: values[name[1]], RECIPE)


def listed(requirements):
    """Return requirements as lines of a recipe: names of PyPI are those of conda-forge."""
    return "\n".join(f"    - {one.replace('>=', ' >=')}" for one in requirements)


def main():
    """Take one of the steps."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("readme").add_argument("tag")
    check = steps.add_parser("check")
    check.add_argument("dist", type=Path)
    check.add_argument("tag", nargs="?", help="without it, the wheel alone is checked")
    steps.add_parser("recipe").add_argument("dist", type=Path)
    given = parser.parse_args()
    if given.step == "readme":
        path = ROOT / "README.md"
        path.write_text(linked(path.read_text(encoding="utf-8"), given.tag), encoding="utf-8")
    elif given.step == "recipe":
        sys.stdout.write(recipe(given.dist))
    elif found := [*faults_of_wheel(given.dist), *(faults(given.tag) if given.tag else ())]:
        sys.exit("\n".join(found))


if __name__ == "__main__":
    main()
