"""The rules of the house, read off the source: floors, sizes, docstrings, no global state."""

import ast
from collections import Counter
from pathlib import Path
from types import FunctionType

import pytest
from sklearn.base import BaseEstimator

import sklearn_nn
from sklearn_nn.estimators._core.base import BatchClassifier

ROOT = Path(sklearn_nn.__file__).parent
FILES = sorted(ROOT.rglob("*.py"))
NAMES = [str(path.relative_to(ROOT)) for path in FILES]
TREES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}

#: Imports point down only. What stands at the top level and is not named here is
#: the roof.
FLOORS = {
    "_hints": 1, "_optional": 1, "_spec": 1, "jit": 1, "layers": 2, "network": 3, "training": 4,
    "estimators": 5, "inspection": 5, "preprocessing": 5, "onnx": 6,
    "distributed": 6,
}  # fmt: skip
ROOF = 6
#: Where scikit-learn may be used below the estimators, and what of it.
SKLEARN_BELOW = {
    "_spec.py": {"sklearn.base.BaseEstimator"},
}
#: What a module may hold that can be changed: tables, which have capital names.
MUTABLE = (ast.List, ast.Dict, ast.Set, ast.ListComp, ast.DictComp, ast.SetComp)
MUTABLE_CALLS = {
    "list",
    "dict",
    "set",
    "defaultdict",
    "Counter",
    "deque",
    "zeros",
    "empty",
    "array",
}

#: Files and folders in a folder.
MOST_ENTRIES = 20

#: Positional arguments of a call; those of kernels, and of functions within kernels, may be more.
MOST_POSITIONAL = 8
COMPILED = {"kernel", "njit", "register_jitable", "intrinsic", "_inlined", "_reassociated"}
#: Compiled functions that a decorator does not mark: they are compiled at their place of use.
COMPILED_FILES = {"jit/blocks.py"}
#: Words that begin a riddle; a docstring begins with a verb, or for classes with a noun.
FIRST_WORDS_AVOIDED = {"What", "Whether", "How", "Where", "Of"}

every_file = pytest.mark.parametrize("path", FILES, ids=NAMES)


def relative(path):
    return path.relative_to(ROOT).as_posix()


def floor_of(module):
    """The floor of a dotted name below sklearn_nn: "jit.cache" is on floor 1."""
    return FLOORS.get(module.split(".")[0], ROOF)


def imports(path):
    """Every dotted name that a file imports, inside functions too."""
    for node in ast.walk(TREES[path]):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def functions(path):
    return [
        n for n in ast.walk(TREES[path]) if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def public_definitions(body, prefix=""):
    """Classes and functions that others may use, with methods."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node.body, f"{node.name}.")


@every_file
def test_imports_point_down(path):
    own = floor_of(relative(path).removesuffix(".py").replace("/", "."))
    for name in imports(path):
        package, _, rest = name.partition(".")
        if package == "sklearn_nn":
            # Below the roof nothing asks the package itself for a name.
            assert rest or own == ROOF, f"{name} is on the roof"
            assert floor_of(rest) <= own, f"{name} stands above"


@every_file
def test_jit_knows_nothing_of_the_rest(path):
    if relative(path).startswith("jit/"):
        for name in imports(path):
            assert not name.startswith("sklearn_nn.") or name.startswith("sklearn_nn.jit.")


@every_file
def test_scikit_learn_stays_upstairs(path):
    used = {name for name in imports(path) if name.split(".")[0] == "sklearn"}
    if floor_of(relative(path).removesuffix(".py").replace("/", ".")) < FLOORS["estimators"]:
        assert used <= SKLEARN_BELOW.get(relative(path), set())


@every_file
def test_labels_and_optimizers_do_not_meet(path):
    """Optimizers never see layers."""
    if relative(path) == "training/optimizers.py":
        assert not any(name.startswith("sklearn_nn.layers") for name in imports(path))


def is_compiled(node):
    """Whether a function is machine code or becomes part of it."""
    decorators = [getattr(d, "func", d) for d in getattr(node, "decorator_list", ())]
    return any(getattr(d, "id", "") in COMPILED for d in decorators)


def python_calls(node):
    """Calls outside of compiled functions."""
    for child in ast.iter_child_nodes(node):
        if not is_compiled(child):
            if isinstance(child, ast.Call):
                yield child
            yield from python_calls(child)


@every_file
def test_calls_name_their_arguments(path):
    """Nobody can count to nine at a call."""
    if relative(path) not in COMPILED_FILES:
        for call in python_calls(TREES[path]):
            assert len(call.args) <= MOST_POSITIONAL, f"line {call.lineno}: {ast.unparse(call)}"


@every_file
def test_docstrings_do_not_begin_with_a_riddle(path):
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    for node in (node for node in ast.walk(TREES[path]) if isinstance(node, kinds)):
        first = (ast.get_docstring(node) or "").split(maxsplit=1)[:1]
        assert not FIRST_WORDS_AVOIDED.intersection(first), (
            f"{getattr(node, 'name', 'module')}: {first}"
        )


def docstring_lines(path):
    """Number of lines that are docstrings."""
    kinds = ast.Module | ast.ClassDef | ast.FunctionDef
    nodes = [node for node in ast.walk(TREES[path]) if isinstance(node, kinds)]
    texts = [node.body[0] for node in nodes if ast.get_docstring(node) is not None]
    return sum(text.end_lineno - text.lineno + 1 for text in texts)


@every_file
def test_files_are_short(path):
    """About 400 lines are enough for one idea; a file half as long again has several."""
    lines = len(path.read_text(encoding="utf-8").splitlines())
    assert lines - docstring_lines(path) <= 600


@every_file
def test_functions_are_short(path):
    """About 50 lines, without signature and docstring."""
    for function in functions(path):
        body = function.body[1:] if ast.get_docstring(function) else function.body
        lines = body[-1].end_lineno - body[0].lineno + 1 if body else 0
        assert lines <= 60, f"{function.name} has {lines} lines"


@every_file
def test_nothing_is_printed(path):
    if path.name == "__main__.py":
        return
    called = {
        node.func.id
        for node in ast.walk(TREES[path])
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
    }
    assert not called & {"print", "breakpoint", "input"}


@every_file
def test_public_names_are_documented(path):
    assert ast.get_docstring(TREES[path]), "the module has no docstring"
    for name, node in public_definitions(TREES[path].body):
        assert ast.get_docstring(node), f"{name} has no docstring"


@every_file
def test_modules_hold_no_state(path):
    """Tables with capital names are all that a module may hold and Python could change."""
    assert not any(isinstance(node, ast.Global) for node in ast.walk(TREES[path]))
    for node in TREES[path].body:
        if not isinstance(node, ast.Assign | ast.AnnAssign | ast.AugAssign):
            continue
        value, targets = node.value, getattr(node, "targets", [getattr(node, "target", None)])
        called = getattr(value, "func", None)
        made = getattr(called, "id", getattr(called, "attr", ""))
        if isinstance(value, MUTABLE) or made in MUTABLE_CALLS:
            for target in targets:
                name = getattr(target, "id", "")
                assert name == "__all__" or name.isupper(), f"{name} can be changed"


def test_rooms_are_seen_at_a_look():
    """A stranger who opens a folder finds so few things that their names can be read."""
    for folder in {path.parent for path in FILES}:
        entries = [p for p in folder.iterdir() if p.suffix == ".py" or p.is_dir()]
        entries = [p.name for p in entries if p.name != "__pycache__"]
        assert len(entries) <= MOST_ENTRIES, sorted(entries)


def test_every_folder_has_a_floor():
    folders = {path.name for path in ROOT.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert folders <= {*FLOORS, "prebuilt_kernels"}


def test_the_rules_see_the_package():
    """The tables above speak of files that exist."""
    assert {"jit/cache.py", "layers/dense.py", "network/machine.py"} <= {relative(p) for p in FILES}
    assert set(SKLEARN_BELOW) <= {relative(p) for p in FILES}
    assert len(public_names := list(public_definitions(TREES[ROOT / "layers/dense.py"].body))) >= 3
    assert "Dense.lower" in dict(public_names)


ESTIMATORS = [
    kind
    for kind in map(sklearn_nn.__dict__.get, sklearn_nn.__all__)
    if isinstance(kind, type) and issubclass(kind, BaseEstimator)
]


@pytest.mark.parametrize("kind", ESTIMATORS, ids=lambda kind: kind.__name__)
def test_estimators_have_parts_and_are_no_towers(kind):
    """A change of one behaviour is made in one place that is easily found."""
    classes = [c for c in kind.__mro__ if c.__module__.startswith("sklearn_nn.")]
    assert len(classes) <= 5
    kinds = (
        FunctionType
        | property
        | classmethod
        | staticmethod
        | type(vars(BatchClassifier)["partial_fit"])
    )
    found = Counter(
        name for c in classes for name, value in vars(c).items() if isinstance(value, kinds)
    )
    assert len(found) <= 60
    assert max(found.values()) <= 2, found.most_common(3)
