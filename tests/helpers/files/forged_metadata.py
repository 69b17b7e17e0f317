"""Files of estimators that are well-formed and say what cannot be."""

import copy
import json

import numpy as np

#: What stands in the place of a value of JSON.
ODD = [
    None, True, False, -1, 0, 1, 3, 2**40, -(2**53), 0.5, -1e300, "", "adam", "multiclass", "x",
    [], [1], [[]], ["a"], [0.5, 0.5], {"dict": []}, {"dict": [["a", 1]]}, {"tuple": []},
    {"tuple": [3]}, {"tuple": ["a", None]}, {"float": "nan"}, {"float": "inf"},
    {"float": "-inf"}, {"int": "0xffffffffffffffffffff"}, {"int": "-0x1"}, {"array": "0"},
    {"array": "1"}, {"array": "3"}, {"array": "99"}, {"objects": [[2], ["a", None]]},
    {"scalar": ["<f8", "000000000000f03f"]}, {"numpy_str": "a"}, {"unknown": 1}, {},
    {"object": ["Optimizer.Lion", []]}, {"object": ["Optimizer.Adam", [["beta_1", "x"]]]},
    {"object": ["Schedule.Cosine", [["warmup", "x"]]]}, {"object": ["Layer.Dense", [["units", 3]]]},
    {"object": ["Loss.Huber", [["delta", "x"]]]}, {"object": ["History", [["validated", 3]]]},
]  # fmt: skip
NAMES = ["n_iter_", "_history", "classes_", "predict", "_lower", "__class__", "note", "_views"]


def _places(tree, place=()):
    """Yield the place of every item in nested lists and dicts."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    for key, item in pairs:
        yield (*place, key)
        if isinstance(item, dict | list):
            yield from _places(item, (*place, key))


def _node(tree, place):
    for key in place:
        tree = tree[key]
    return tree


def forged_meta(meta, rng):
    """Return the JSON with one or two values changed, left out, doubled or renamed."""
    meta = json.loads(json.dumps(meta))
    for _ in range(1 if rng.random() < 0.8 else 2):
        places = list(_places(meta))
        # Attributes as often as parameters, whatever there is more of.
        roots = [root for root in meta if root != "class"]
        root = roots[rng.integers(len(roots))]
        own = [place for place in places if place[0] == root]
        # The outer ones as often as the many that lie deep.
        depth = rng.choice([1, 2, 3, 4, 5, 6], p=[0.02, 0.58, 0.1, 0.1, 0.1, 0.1])
        chosen = [place for place in own if len(place) == depth] or own
        *before, last = chosen[rng.integers(len(chosen))]
        node, edit = _node(meta, before), rng.integers(8)
        if edit < 4:
            node[last] = copy.deepcopy(ODD[rng.integers(len(ODD))])
        elif edit == 4:
            del node[last]
        elif edit == 5 and isinstance(node, list):
            node.insert(last, copy.deepcopy(node[rng.integers(len(node))]))
        elif edit == 5:
            node[NAMES[rng.integers(len(NAMES))]] = copy.deepcopy(ODD[rng.integers(len(ODD))])
        elif edit == 6 and isinstance(node, dict):
            node[NAMES[rng.integers(len(NAMES))]] = node.pop(last)
        else:
            other = places[rng.integers(len(places))]
            node[last] = copy.deepcopy(_node(meta, other))
    return meta


def forged_arrays(arrays, rng):
    """Return the arrays, one of them with another shape, type, order, content or name."""
    names = list(arrays)
    name, other = names[rng.integers(len(names))], names[rng.integers(len(names))]
    array = arrays[name]
    kinds = [
        array[: len(array) // 2], array[::-1], np.concatenate([array, array]), np.zeros(3),
        np.zeros(0), array[np.newaxis], array.astype("U9"), arrays[other],
    ]  # fmt: skip
    if array.dtype.kind in "fiu":
        kinds += [
            array.astype("f4"), array.astype("f8"), (100 * array).astype("i8"),
            np.asfortranarray(array.T), np.full_like(array, 1),
            -array.astype("f8"), array.astype("f8") * np.nan, array.astype("c8"), array > 0,
        ]  # fmt: skip
    forged = {**arrays, name: kinds[rng.integers(len(kinds))]}
    if rng.random() < 0.1:
        del forged[other]
    return forged
