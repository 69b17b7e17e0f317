"""The documentation lists exactly the names, files, versions and figures that exist."""

import doctest
import importlib
import re
import sys
import tomllib
from pathlib import Path

import pytest

import sklearn_nn
from sklearn_nn import inspection, layers, training
from sklearn_nn.layers.activation import HIDDEN_ACTIVATIONS
from sklearn_nn.network import initializers
from sklearn_nn.network.initializers import INITIALIZERS, Initializer
from sklearn_nn.training.losses import CLASSIFICATION_LOSSES, REGRESSION_LOSSES
from sklearn_nn.training.optimizers import OPTIMIZERS
from sklearn_nn.training.schedules import SCHEDULES

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tools"))
import readme_picture  # noqa: E402

README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [*sorted((ROOT / "docs").glob("*.rst")), *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in PAGES}
TEXTS |= {"README.md": README}
TEXTS |= {name: (ROOT / name).read_text(encoding="utf-8") for name in ("CONTRIBUTING.md",)}
#: Modules with examples in their docstrings.
MODULES = [
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in sorted((ROOT / "sklearn_nn").rglob("*.py"))
    if ">>> " in path.read_text(encoding="utf-8")
]
every_text = pytest.mark.parametrize("name", TEXTS)
#: What scikit-learn's MLP has as well, and README's table therefore leaves out.
OF_SCIKIT_LEARN = {
    "sgd", "adam", "constant", "invscaling", "adaptive", "squared_error", "poisson", "log_loss",
    "identity", "logistic", "tanh", "relu",
}  # fmt: skip


def listed():
    """The names in the lists of the API page, by module."""
    found, module = {}, None
    for line in TEXTS["docs/api.rst"].splitlines():
        if match := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = match[1]
        elif match := re.fullmatch(r" {3}([A-Za-z]\w*)", line):
            found.setdefault(module, []).append(match[1])
    return found


def test_the_api_page_lists_every_public_name_once():
    found = listed()
    for module in (sklearn_nn, training, inspection, layers):
        public = set(module.__all__) - {"Layer"}  # the base: the page on extending speaks of it
        if module is not sklearn_nn:  # what stands on the top as well is listed there
            public -= set(sklearn_nn.__all__)
        assert sorted(found[module.__name__]) == sorted(public)
    kinds = {
        name
        for name, kind in vars(initializers).items()
        if isinstance(kind, type) and issubclass(kind, Initializer) and kind is not Initializer
    }
    assert sorted(found[initializers.__name__]) == sorted(kinds)


@pytest.mark.parametrize(
    ("module", "name"), [(module, name) for module, names in listed().items() for name in names]
)
def test_every_public_name_has_an_example(module, name):
    text = getattr(importlib.import_module(module), name).__doc__
    _, heading, example = text.partition("Examples\n    --------\n")
    assert heading
    assert ">>> " in example


@pytest.mark.parametrize("module", MODULES)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_examples_in_docstrings_hold(module):
    pyplot = pytest.importorskip("matplotlib.pyplot")
    failed, _ = doctest.testmod(importlib.import_module(module))
    pyplot.close("all")
    assert not failed


@every_text
def test_files_that_are_named_are_there(name):
    """Paths from the root, and of modules from the package."""
    text = TEXTS[name]
    paths = set(re.findall(r"\b(?:[a-z_]+/)+[A-Za-z_]+\.(?:py|rst|md)\b", text))
    paths |= {f"docs/{page}.rst" for page in re.findall(r":doc:`(\w+)`", text)} - {
        "docs/performance.rst"  # in Markdown
    }
    for script in re.findall(r"sphx_glr_auto_examples_(\w+)\.py", text):
        paths.add(f"examples/{script}.py")
    for path in paths:
        places = [ROOT / path, ROOT / "sklearn_nn" / path, ROOT / name / ".." / path]
        assert any(place.resolve().exists() for place in places), path


def test_every_example_is_named_in_the_readme():
    for path in (ROOT / "examples").glob("*.py"):
        named = path.name in README or any(path.stem in text for text in TEXTS.values())
        assert named, path.name


def test_the_gallery_has_each_example_under_one_topic():
    text = (ROOT / "examples/index.rst").read_text(encoding="utf-8")
    shown, navigated = text.split(".. toctree::")
    names = sorted(path.stem for path in (ROOT / "examples").glob("*.py"))
    assert sorted(re.findall(r"\.\./examples/(\w+)\.py", shown)) == names
    assert re.findall(r"   (\w+)\n", navigated) == re.findall(r"/(\w+)\.py", shown)


@pytest.mark.parametrize(
    ("parameter", "names"),
    [
        ("solver", OPTIMIZERS),
        ("learning_rate", SCHEDULES),
        ("activation", HIDDEN_ACTIVATIONS),
        ("loss", {*REGRESSION_LOSSES, *CLASSIFICATION_LOSSES}),
    ],
)
def test_the_readme_lists_what_parameters_also_take(parameter, names):
    (row,) = re.findall(rf"^\| `{parameter}` \| also (.*) \|$", README, re.MULTILINE)
    words = set(re.findall(r"\w+", row))
    assert set(names) - OF_SCIKIT_LEARN <= words
    assert not (words & OF_SCIKIT_LEARN - {"constant"})


@pytest.mark.parametrize(
    ("page", "names"),
    [
        ("docs/guide_training.rst", SCHEDULES),
        ("docs/guide_training.rst", [n for n in INITIALIZERS if n not in ("constant", "ones")]),
    ],
)
def test_the_training_guide_names_them_all(page, names):
    assert [name for name in names if name not in TEXTS[page]] == []


def test_every_estimator_has_a_place():
    estimators = [n for n in sklearn_nn.__all__ if re.search("(ifier|ressor|rator|ractor)$", n)]
    assert len(estimators) >= 12
    guides = "".join(text for name, text in TEXTS.items() if "guide" in name)
    for estimator in estimators:
        assert estimator in README
        assert estimator in guides


def test_required_versions():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    (line,) = re.findall(r"^Python .*?Extras: .*?\.$", README, re.MULTILINE | re.DOTALL)
    least = dict(re.findall(r"([\w-]+)>=([\d.]+)", " ".join(project["dependencies"])))
    assert f"Python {project['requires-python'].removeprefix('>=')} or later" in line
    for package in ("scikit-learn", "Numba", "NumPy", "SciPy"):
        assert f"{package} {least[package.lower()]}" in line
    for extra in project["optional-dependencies"]:
        assert f"`{extra}`" in line


def test_tables_beside_gradient_boosting():
    """README repeats figures of the page about performance."""
    rows = re.findall(r"^\| (\w+) \| (.*?) \| ([\d.e+]+) \|.*\| ([\d.]+) \|$",
                      TEXTS["docs/performance.md"], re.MULTILINE)  # fmt: skip
    ours, boosting = (
        {table: (float(error), float(seconds)) for table, by, error, seconds in rows if by == model}
        for model in ("ours", "gradient boosting")
    )
    assert len(ours) == len(boosting) == 8
    better = [
        table
        for table, (figure, _) in ours.items()
        if (figure > boosting[table][0]) == (figure <= 1)  # an accuracy, or an error
    ]
    assert len(better) == 7
    assert "smaller error on seven of eight public tables" in README
    slower = [seconds / boosting[table][1] for table, (_, seconds) in ours.items()]
    assert min(slower) == 5
    assert max(slower) > 100
    assert "5 to more than 100 times as fast" in README


def test_the_picture_shows_the_figures_of_the_tables():
    svg = readme_picture.PICTURE.read_text(encoding="utf-8")
    shown = re.findall(r">([\d.]+)x</text>", svg)
    assert shown == [f"{ratio:.1f}" for _, _, ratio in readme_picture.bars()]
    assert f"({readme_picture.PICTURE.relative_to(ROOT).as_posix()})" in README


def test_the_table_of_accuracies_is_that_of_the_page_about_performance():
    """README rounds errors above 100 to whole numbers."""
    pattern = r"^\| (\w+) \| (ours|gradient boosting|scikit-learn's MLP) \| ([\d.e+]+) \|"
    figures = {}
    for table, _, figure in re.findall(pattern, TEXTS["docs/performance.md"], re.MULTILINE):
        short = f"{float(figure):,.0f}" if float(figure) > 100 else figure
        figures.setdefault(table, []).append(short)
    assert len(figures) == 8
    for table, row in figures.items():
        (line,) = re.findall(rf"^\| {table} \|.*", README, re.MULTILINE)
        assert line.replace("*", "").strip("| ").split(" | ")[2:] == row
