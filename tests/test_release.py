"""Files of the release agree with each other, and its tool finds what is wrong with them."""

import hashlib
import re
import sys
import zipfile
from pathlib import Path

import pytest

import sklearn_nn

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import release  # noqa: E402

VERSION = sklearn_nn.__version__
NAMED = ["README.md", "SECURITY.md", "CITATION.cff", ".github/ISSUE_TEMPLATE/config.yml"]
WORKFLOWS = {path.stem: path.read_text("utf-8") for path in ROOT.glob(".github/workflows/*.yml")}


@pytest.mark.parametrize("name", NAMED)
def test_addresses_are_those_of_the_project(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    for address in re.findall(r"https://\S*sklearn[_-]nn[^\s)]*", text):
        assert address.startswith(tuple(release.URLS.values())), address


def test_the_citation_has_the_version():
    assert f"\nversion: {VERSION}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert release.version() == VERSION


def test_every_version_of_python_that_is_named_is_tested():
    tested = set(re.findall(r'python(?:-version)?: "(3\.\d+)"', WORKFLOWS["tests"]))
    last = "Programming Language :: Python :: 3."
    named = {c.removeprefix(last[:-2]) for c in release.PROJECT["classifiers"] if last in c}
    assert tested == named
    assert min(named) == release.PYTHON


def test_links_of_the_readme_lead_to_files_on_pypi_too():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    links = re.findall(r"\]\(([^)]*)\)", release.linked(text, "v1.2.3"))
    assert f"{release.URLS['Source']}/raw/v1.2.3/docs/speed.svg" in links
    assert len(links) > 30
    for link in links:
        kind, _, path = link.removeprefix(f"{release.URLS['Source']}/").partition("/v1.2.3/")
        assert link.startswith("https://")
        assert kind not in ("blob", "raw") or (ROOT / path).exists()
    assert release.linked("[a](https://a.org) [b](#b) [c](c.md)", "v1").endswith("/blob/v1/c.md)")


def wheel(folder, names):
    """Write a wheel that holds empty files with these names."""
    with zipfile.ZipFile(folder / f"sklearn_nn-{VERSION}-py3-none-any.whl", "w") as file:
        for name in (*names, f"sklearn_nn-{VERSION}.dist-info/METADATA"):
            file.writestr(name, b"")


def test_faults_of_a_wheel_are_named(tmp_path):
    sources = [path.relative_to(ROOT) for path in (ROOT / "sklearn_nn").rglob("*.py")]
    names = [*(path.as_posix() for path in sources), "sklearn_nn/py.typed"]
    (missing,) = release.faults_of_wheel(tmp_path)
    assert missing.startswith("there is no ")
    wheel(tmp_path, names)
    assert release.faults_of_wheel(tmp_path) == []
    kernel = "sklearn_nn/prebuilt_kernels/stamp/a.kernel"
    wheel(tmp_path, [*names[:-1], kernel])
    lacks, holds = release.faults_of_wheel(tmp_path)
    assert lacks.endswith(" lacks sklearn_nn/py.typed")
    assert holds.endswith(f" must not hold {kernel}")


def test_a_tag_of_another_version_is_a_fault():
    assert "the tag is v9.9.9" in next(release.faults("v9.9.9"))
    unreleased = f"## {VERSION} - unreleased" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert len(list(release.faults(f"v{VERSION}"))) == unreleased


def test_the_recipe_names_what_the_package_needs(tmp_path):
    source = b"a source distribution"
    (tmp_path / f"sklearn_nn-{VERSION}.tar.gz").write_bytes(source)
    recipe = release.recipe(tmp_path)
    assert f"sha256: {hashlib.sha256(source).hexdigest()}\n" in recipe
    for requirement in release.PROJECT["dependencies"]:
        assert f"    - {requirement.replace('>=', ' >=')}\n" in recipe
    assert f'version: "{VERSION}"' in recipe
    assert "[[" not in recipe


def test_the_release_takes_each_step_of_the_tool():
    used = re.findall(r"tools/release\.py (\w+)", WORKFLOWS["release"])
    assert used == re.findall(r"tools/release\.py (\w+)", release.__doc__)
