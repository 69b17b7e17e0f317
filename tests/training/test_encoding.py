"""Values as JSON and arrays: every type comes back as it was, and nothing else is let in."""

import dataclasses
import enum
import json
import math
import os
from collections import OrderedDict, namedtuple
from typing import Any

import hypothesis.extra.numpy as arrays_of
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from helpers.files.forged_files import HEADER_LENGTH, mutate, mutate_member, seal
from sklearn_nn._spec import Spec
from sklearn_nn.training.checkpoint import CheckpointError, read, write
from sklearn_nn.training.checkpoint.encoding import DEEPEST, decode, encode
from sklearn_nn.training.history import History
from sklearn_nn.training.optimizers import Adam


class Rule(Spec):
    def __init__(self, rate=0.1, inner=None):
        self.rate = rate
        self.inner = inner


@dataclasses.dataclass
class Progress:
    rule: Rule
    losses: list[float] = dataclasses.field(default_factory=list)
    best: Any = None
    late: int = dataclasses.field(default=0, init=False)


@dataclasses.dataclass(frozen=True)
class Frozen:
    size: int
    area: int = dataclasses.field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "area", self.size**2)


CLASSES = {kind.__name__: kind for kind in (Rule, Progress, Frozen, History, Adam)}
Pair = namedtuple("Pair", "a b")
Colour = enum.IntEnum("Colour", "RED")


def there_and_back(value):
    arrays = {}
    text = json.dumps(encode(value, arrays, CLASSES), allow_nan=False)
    return decode(json.loads(text), arrays, CLASSES)


def same(one, other):
    """Return whether two values are equal in type, order and every bit."""
    if type(one) is not type(other):
        return False
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict):
        return same(list(one), list(other)) and same(list(one.values()), list(other.values()))
    if isinstance(one, np.ndarray) and one.dtype == object:
        return one.shape == other.shape and same(one.ravel().tolist(), other.ravel().tolist())
    if isinstance(one, np.str_):
        return str(one) == str(other)
    if isinstance(one, np.ndarray | np.generic):
        return (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    if isinstance(one, np.random.RandomState):
        return same(one.get_state(legacy=False), other.get_state(legacy=False))
    if isinstance(one, float):
        return one.hex() == other.hex()
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return all(same(getattr(one, name), getattr(other, name)) for name in names)
    if isinstance(one, Spec):
        return same(vars(one), vars(other))
    return one == other


def random_state():
    """A generator midway, with half of a pair of normal numbers in hand."""
    state = np.random.RandomState(5)
    state.normal(size=7)
    return state


PLAIN = [
    None, True, False, 0, -1, 2**53 - 1, 2**53, -(2**63), 10**5000, -(7**9000),
    0.0, -0.0, 0.1, 5e-324, 1.7976931348623157e308, math.nan, math.inf, -math.inf,
    "", "é\0\N{SNOWMAN}\U0001f600", "\ud800", '{"tuple": []}',
    (), [], {}, ([],), [()], [[1], (2, [3.5])], {"tuple": [1]}, {"b": 1, "a": 2},
    {1: "int", "1": "str", 1.5: "float", None: 0, (1, "a"): [], np.int8(3): 1, math.nan: 0, (): 0},
    np.float32(0.1), np.float64(0.1), np.longdouble(0.1), np.float16(-0.0), np.bool_(True),
    np.int64(-7), np.uint8(255), np.complex64(1 + 2j), np.float64(math.nan), np.str_(""),
    np.str_("é"), np.datetime64("2020-02-29"), np.datetime64("NaT"), np.timedelta64(3, "ns"),
    np.arange(6.0).reshape(2, 3), np.array(1.5), np.array([], dtype="f4"), np.array(["a", "bcd"]),
    np.array([True]), np.array([1, 2], dtype=">i4"), np.array(["NaT"], dtype="M8[s]"),
    np.array(["a", 1, 2.5, True, None, math.nan, np.int64(3)], dtype=object),
    np.array([["a", "b"], ["c", None]], dtype=object), np.empty((0, 2), dtype=object),
    np.array(None), np.asfortranarray(np.array([["a", "b"], ["c", None]], dtype=object)),
    Rule(), Rule(rate=np.float32(0.5), inner=[Rule(), {"a": Rule(inner=(1,))}]), Adam(beta_1=0.5),
    Progress(Rule(), [1.0, math.inf], np.arange(3)), Frozen(3), random_state(),
    History(True, [0.5, math.nan], [0.1], best_theta=np.ones(3), samples_seen=10**20),
]  # fmt: skip


@pytest.mark.parametrize("value", PLAIN, ids=lambda value: type(value).__name__)
def test_round_trip(value):
    assert same(there_and_back(value), value)
    assert same(there_and_back([value, (value,), {"a": value}]), [value, (value,), {"a": value}])


def test_a_whole_file(tmp_path):
    arrays = {"2": np.zeros(2), "theta": np.ones(3)}
    write(tmp_path / "all", {"all": encode(PLAIN, arrays, CLASSES)}, arrays)
    meta, arrays = read(tmp_path / "all")
    assert same(decode(meta["all"], arrays, CLASSES), PLAIN)
    assert same((arrays["2"], arrays["theta"]), (np.zeros(2), np.ones(3)))


SCALARS = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(),
    arrays_of.scalar_dtypes().flatmap(arrays_of.from_dtype),
)  # fmt: skip
ARRAYS = arrays_of.arrays(
    st.one_of(arrays_of.scalar_dtypes(), arrays_of.unicode_string_dtypes(max_len=3)),
    arrays_of.array_shapes(min_dims=0, min_side=0, max_side=3),
)
KEYS = st.one_of(st.text(), st.integers(), st.booleans(), st.none(), st.tuples(st.text()))


@settings(max_examples=60, deadline=None)
@given(
    st.recursive(
        st.one_of(SCALARS, ARRAYS, st.builds(Rule, SCALARS)),
        lambda inner: st.one_of(
            st.lists(inner),
            st.lists(inner).map(tuple),
            st.dictionaries(KEYS, inner),
            st.builds(Rule, inner, inner),
            st.builds(Progress, st.builds(Rule), st.lists(st.floats()), inner),
        ),
        max_leaves=8,
    )
)
def test_any_value_comes_back(value):
    assert same(there_and_back(value), value)


def test_random_numbers_go_on():
    state = random_state()
    other = there_and_back(state)
    for draw in ("normal", "rand", "permutation"):
        np.testing.assert_array_equal(getattr(state, draw)(700), getattr(other, draw)(700))
    numpys = np.random.get_state()[1].copy()
    there_and_back(random_state())
    np.testing.assert_array_equal(np.random.get_state()[1], numpys)


def test_fields_that_are_new_or_gone():
    arrays = {}
    encoded = encode(Progress(Rule(), [1.0]), arrays, CLASSES)
    encoded["object"][1] = [pair for pair in encoded["object"][1] if pair[0] != "best"]
    assert same(decode(encoded, arrays, CLASSES), Progress(Rule(), [1.0]))
    encoded["object"][1].append(["gone", 1])
    with pytest.raises(CheckpointError, match="gone"):
        decode(encoded, arrays, CLASSES)


def a_function():
    """Not a value."""


class Users(Rule):
    pass


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (a_function, "function"),
        (lambda: None, "function"),
        (len, "builtin_function_or_method"),
        (Rule, "type"),
        (Users(), "Users"),
        (object(), "object"),
        ({1}, "set"),
        (b"bytes", "bytes"),
        (1j, "complex"),
        (Pair(1, 2), "Pair"),
        (Colour.RED, "Colour"),
        (OrderedDict(), "OrderedDict"),
        (np.random.default_rng(0), "Generator"),
        (np.random.RandomState(np.random.PCG64(0)), "RandomState"),
        (np.zeros(1, dtype="i4, f8"), "ndarray of dtype"),
        (np.zeros(1, dtype="i4, f8")[0], "void"),
        (np.ma.array([1.0], mask=[True]), "MaskedArray"),
        (np.array([(1, 2), None], dtype=object), "tuple"),
        (np.bytes_(b"a"), "bytes_"),
        (np.dtype("f4"), "Float32DType"),
        (History, "type"),
    ],
)
def test_refuses_everything_else(value, name):
    with pytest.raises(TypeError, match=rf"value\['a'\].* a {name}.*cannot be stored"):
        encode({"a": value}, {}, CLASSES)


def test_refusal_says_where():
    with pytest.raises(TypeError, match=r"value\['rule'\]\['inner'\]\[2\] is <function a_function"):
        encode({"rule": Rule(inner=[1, 2, a_function])}, {}, CLASSES)
    with pytest.raises(TypeError, match="objects of no class"):
        encode(Rule(), {})
    with pytest.raises(TypeError, match="cannot be stored"):
        encode(OrderedDict(), {}, {"OrderedDict": OrderedDict})


def test_refusal_leaves_no_arrays():
    arrays = {"theta": np.ones(3)}
    encode(np.zeros(1), arrays)
    with pytest.raises(TypeError):
        encode([np.zeros(2), {"a": np.zeros(3)}, a_function], arrays)
    assert list(arrays) == ["theta", "1"]


def nested(depth):
    value = 1
    for i in range(depth):
        value = [[value], (value,), {"a": value}, Rule(value)][i % 4]
    return value


def test_depth():
    assert same(there_and_back(nested(DEEPEST)), nested(DEEPEST))
    with pytest.raises(ValueError, match="deeper than 100 values, or contains itself"):
        encode(nested(DEEPEST + 1), {}, CLASSES)
    endless = []
    endless.append(endless)
    with pytest.raises(ValueError, match="contains itself"):
        encode(endless, {})
    with pytest.raises(CheckpointError, match="nested deeper"):
        decode(json.loads("[" * 200 + "]" * 200), {})


WORDS = {"array": "words"}
MALFORMED = [
    {}, {"a": 1, "b": 2}, {"unknown": 1}, b"bytes", (1,), {1: 2},
    {"int": 5}, {"int": "0xg"}, {"int": "1_0"}, {"int": "9" * 5000}, {"float": "1e5"},
    {"float": []}, {"float": "infinity"},
    {"scalar": ["<f4", "00"]}, {"scalar": ["|O", "00" * 8]}, {"scalar": ["|b1", "02"]},
    {"scalar": ["<f3", "000000"]}, {"scalar": ["<f4", "zz"]}, {"scalar": 5}, {"scalar": [1, 2]},
    {"scalar": ["<M8[x]", "00" * 8]}, {"scalar": ["|V4", "00" * 4]}, {"numpy_str": 5},
    {"tuple": 5}, {"tuple": {"list": []}}, {"dict": 5}, {"dict": ["ab"]}, {"dict": [[1]]},
    {"dict": [[[], 1]]}, {"dict": [["a", 1], ["a", 2]]}, {"dict": [[{"dict": []}, 1]]},
    {"array": "no"}, {"array": 5}, {"array": []}, {"array": "objects"},
    {"objects": [[10**15], []]}, {"objects": [[0, 10**30], []]}, {"objects": [[-1, -1], [1]]},
    {"objects": [[1], [[1]]]}, {"objects": [[True], [1]]}, {"objects": [[1], "a"]},
    {"objects": [1, [1]]}, {"objects": [[1] * 100, [1]]}, {"objects": 5},
    {"random_state": [WORDS, 625, 0, 0.0]}, {"random_state": [WORDS, -1, 0, 0.0]},
    {"random_state": [WORDS, 10**30, 0, 0.0]}, {"random_state": [WORDS, 1.0, 0, 0.0]},
    {"random_state": [WORDS, 1, 2, 0.0]}, {"random_state": [WORDS, 1, 0, "a"]},
    {"random_state": [{"array": "short"}, 1, 0, 0.0]}, {"random_state": [1, 1, 0, 0.0]},
    {"random_state": [WORDS]}, {"random_state": None},
    {"object": ["os.system", [["command", "false"]]]}, {"object": ["dict", []]},
    {"object": ["Rule", [["unknown", 1]]]}, {"object": ["Rule", [[1, 1]]]}, {"object": ["Rule"]},
    {"object": ["Progress", []]}, {"object": ["Frozen", [["size", "a"]]]}, {"object": [[], []]},
]  # fmt: skip


@pytest.mark.parametrize("encoded", MALFORMED, ids=lambda encoded: repr(encoded)[:40])
def test_malformed(encoded):
    arrays = {
        "words": np.zeros(624, dtype=np.uint32),
        "short": np.zeros(623, dtype=np.uint32),
        "objects": np.array([None]),
    }
    for value in (encoded, [encoded], {"tuple": [encoded]}):
        with pytest.raises(CheckpointError, match=r"cannot be decoded .* Use another copy"):
            decode(value, arrays, {**CLASSES, "dict": dict})


def outcomes(path, contents):
    """Return the numbers of files that give a value and that give a CheckpointError."""
    loaded = refused = 0
    for content in contents:
        path.write_bytes(content)
        try:
            meta, arrays = read(path)
            value = decode(meta.get("all"), arrays, CLASSES)
        except CheckpointError:
            refused += 1
        else:
            assert isinstance(repr(value), str)
            loaded += 1
    return loaded, refused


def test_mutated_files(tmp_path, rng):
    """Random edits of the file, of its payload under a right digest, and of single members."""
    # More of them by hand: MUTATIONS=20000 pytest ...
    mutations = int(os.environ.get("MUTATIONS", 400))
    path, arrays = tmp_path / "mutated", {}
    # Not integers of 5000 digits: Python does not print these.
    value = [item for item in PLAIN if not (type(item) is int and abs(item) > 2**64)]
    write(path, {"all": encode(value, arrays, CLASSES)}, arrays)
    whole = path.read_bytes()
    payload = whole[HEADER_LENGTH:]
    assert outcomes(path, [seal(payload)]) == (1, 0)

    edited = {mutate(whole, rng) for _ in range(mutations)} - {whole}
    assert outcomes(path, edited) == (0, len(edited))
    sealed = [seal(mutate(payload, rng)) for _ in range(mutations)]
    assert outcomes(path, sealed)[1] > mutations / 4
    repacked = [seal(mutate_member(payload, rng)) for _ in range(mutations)]
    loaded, refused = outcomes(path, repacked)
    assert loaded > mutations / 50
    assert refused > mutations / 4
