"""Random data for the random configurations, and other forms of the same data.

Numbers are multiples of 1/4 of a few units, which every type of float holds exactly: in whatever
type they come, they are the same.
"""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

_LETTERS = "abcdéf \n"


@dataclass
class Data:
    """Samples, targets, and what else `fit` takes.

    Attributes
    ----------
    kind : str
        "rows", "images", "signals", "ragged", "numbers", "table", "text".
    X, query : object
        Samples to fit, and others to ask about.
    shape : tuple of int
        Of one sample, as the first layer reads it.
    y : object
        Targets; None for texts.
    target : str
        "classes", "labels" (several a sample), "numbers"; with `steps` one for every step.
    weight : ndarray or None
    parameters : dict
        Of the estimator, which go with the form of X.
    sizes : tuple of int
        Of "numbers", how many whole numbers there are; of "rows", categories of last columns.
    """

    kind: str
    X: Any
    query: Any
    shape: tuple
    y: Any = None
    target: str = "classes"
    steps: bool = False
    weight: Any = None
    parameters: dict = field(default_factory=dict)
    sizes: tuple = ()


@dataclass(frozen=True)
class Form:
    """Another form of the same samples: a function, and parameters that `fit` needs with it.

    With `refits`, a fit to samples of this form comes to the same as well.
    """

    name: str
    function: Callable
    parameters: dict = field(default_factory=dict)
    refits: bool = True


def take(X, index):
    """Return some samples of X, or targets, in the same form."""
    if X is None or isinstance(X, str):
        return X
    if isinstance(X, pd.DataFrame | pd.Series):
        return X.iloc[np.asarray(index)]
    if isinstance(X, list):
        return [X[i] for i in index]
    return X[np.asarray(index)]


def count(X):
    """Return the number of samples."""
    return X.shape[0] if hasattr(X, "shape") else len(X)


def frozen(X):
    """Return a copy that shows later whether X was changed."""
    return copy.deepcopy(X)


# --- draws ---------------------------------------------------------------------------------------


def quarters(rng, shape, dtype="float64"):
    """Draw numbers that every type of float holds exactly."""
    return (rng.integers(-8, 9, shape) / 4).astype(dtype)


def draw_rows(rng, n, width, dtype=None):
    """Draw vectors."""
    dtype = dtype or rng.choice(["float64", "float64", "float32", "int64", "uint8"])
    if dtype in ("int64", "uint8"):
        return rng.integers(0, 5, (n, width)).astype(dtype)
    X = quarters(rng, (n, width), dtype)
    if width and rng.random() < 0.2:  # large, tiny and constant columns
        X[:, rng.integers(width)] *= rng.choice([2.0**12, 2.0**-90])
        X[:, rng.integers(width)] = rng.choice([0.0, 3.0])
    return X


def draw_images(rng, n, axes):
    """Draw images of 2 or 3 axes."""
    shape = (n, *(int(k) for k in rng.integers(3, 7, 2)))
    if axes == 3:
        shape = (*shape, int(rng.integers(1, 4)))
    if rng.random() < 0.3:
        return rng.integers(0, 256, shape).astype(np.uint8)
    return quarters(rng, shape, rng.choice(["float32", "float64"]))


def draw_signals(rng, n):
    """Draw sequences of one length."""
    return quarters(rng, (n, *rng.integers((1, 1), (9, 4))), rng.choice(["float32", "float64"]))


def draw_ragged(rng, n, channels, most=7):
    """Draw a list of sequences of unequal length; in some lists, one step is twice as frequent."""
    least = int(rng.random() < 0.7)
    drawn = rng.integers(least, most + 1, max(0, n - 2))
    lengths = [most, 4, *(max(1, int(k)) for k in drawn)][:n]
    return [quarters(rng, (steps, channels)) for steps in lengths]


def draw_whole(rng, n, steps, most, ragged):
    """Draw sequences of whole numbers, without channels."""
    if not ragged:
        return rng.integers(0, most, (n, steps))
    lengths = [steps, max(1, steps - 1), *rng.integers(1, steps + 1, max(0, n - 2))][:n]
    # Zeros at an end may be taken for padding; nothing but zeros is another matter.
    return [rng.integers(1, most, int(k)) for k in lengths]


def draw_table(rng, n, query=False, columns=None):
    """Draw a table of numbers, words, categories and truth values, with missing ones.

    `query` brings categories that were not there before.
    """
    kinds = ("float", "whole", "word", "category", "truth", "float_nan", "word_nan", "number_words")
    if columns is None:
        columns = [str(kind) for kind in rng.choice(kinds, int(rng.integers(1, 6)))]
    new = ["purple"] if query else []
    made = {}
    for i, kind in enumerate(columns):
        if kind == "float":
            column = quarters(rng, n)
        elif kind == "whole":
            column = rng.integers(0, 30, n)
        elif kind == "truth":
            column = rng.random(n) < 0.5
        elif kind == "float_nan":
            column = np.where(rng.random(n) < 0.3, np.nan, quarters(rng, n))
            column[0] = 1.0
        elif kind == "category":
            words = np.array(["x", "y", "z", *new])[rng.integers(0, 3 + len(new), n)]
            column = pd.Categorical(words, categories=["z", "y", "x", *new])
        elif kind == "number_words":
            column = np.array(["1", "2", "10", *new], dtype=object)
            column = column[rng.integers(0, len(column), n)]
        else:
            words = np.array(["red", "blue", "green", *new], dtype=object)
            column = words[rng.integers(0, len(words), n)]
            if kind == "word_nan":
                column[rng.random(n) < 0.3] = None
                column[0] = "red"
            if query and rng.random() < 0.3:
                column[rng.random(n) < 0.3] = 17
        made[f"c{i}"] = pd.Series(column, dtype=object if kind.startswith(("word", "nu")) else None)
    return pd.DataFrame(made), columns


def draw_text(rng, length):
    """Draw a text with every letter."""
    return _LETTERS + "".join(_LETTERS[i] for i in rng.integers(0, len(_LETTERS), length))


# --- targets -------------------------------------------------------------------------------------

_CLASSES = (
    [0, 1], [0, 1, 2], [-3, 7], ["no", "yes"], ["c", "a", "b"], [False, True], [2**40, 5, -1],
    [0.0, 1.0], [1], [0, 1, 2, 3, 4],
)  # fmt: skip


def draw_target(rng, n, target):
    """Draw targets of n samples (or steps)."""
    if target == "classes":
        classes = np.array(_CLASSES[rng.integers(len(_CLASSES))])
        drawn = rng.integers(0, len(classes), n)
        # Of every class two at least, where there is room: splits are stratified.
        drawn[: 2 * len(classes)] = np.resize(np.arange(len(classes)), 2 * len(classes))[:n]
        return classes[drawn]
    if target == "labels":
        labels = (rng.random((n, int(rng.integers(2, 4)))) < 0.4).astype(int)
        labels[0], labels[1 % n] = 0, 1
        return labels
    if target == "counts":
        return rng.integers(0, 4, n).astype(float)
    outputs = int(rng.integers(1, 4))
    return quarters(rng, n) if outputs == 1 else quarters(rng, (n, outputs))


# --- forms ---------------------------------------------------------------------------------------


def _copied(X, order="C"):
    return np.array(X, order=order)


def _strided(X):
    room = np.zeros((2 * X.shape[0], *X.shape[1:-1], 3 * X.shape[-1]), X.dtype)
    view = room[::2, ..., 1::3]
    view[...] = X
    return view


def _turned(X):
    return np.ascontiguousarray(X[::-1, ..., ::-1])[::-1, ..., ::-1]


def _read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def _unaligned(X):
    room = np.zeros(X.nbytes + 1, np.uint8)
    view = room[1:].view(X.dtype) if X.nbytes else X
    view = view.reshape(X.shape)
    view[...] = X
    return view


def _swapped(X):
    return X.astype(X.dtype.newbyteorder())


LAYOUTS = [
    Form("Fortran order", lambda X: _copied(X, "F")),
    Form("strides", _strided),
    Form("negative strides", _turned),
    Form("read-only", _read_only),
    Form("unaligned", _unaligned),
]


def as_type(name):
    """Return the form of another type."""
    return Form(name, lambda X: X.astype(name))


def _holds(name, *arrays):
    """Return whether a type holds all values of some arrays."""
    with np.errstate(over="ignore", invalid="ignore"):
        return all(np.array_equal(X.astype(name).astype(X.dtype), X) for X in arrays)


def types_of(X, fixed):
    """Return forms of X in other types, where these lead to the same type to compute in."""
    dtype = X.dtype.name
    if dtype == "uint8" and X.ndim > 2:
        return []  # bytes of images are scaled
    if dtype == "float32" and not fixed:
        return []
    names = ["float64", "float16", "longdouble"] + ["float32"] * fixed
    forms = [as_type(name) for name in names if name != dtype and _holds(name, X)]
    forms.append(Form("object", lambda X: X.astype(object)))
    forms.append(Form("list", lambda X: X.tolist()))
    forms.append(Form("swapped", _swapped))
    if np.array_equal(X, np.floor(X)):
        wholes = [name for name in ("int64", "int8", "int32") if name != dtype]
        forms += [as_type(name) for name in wholes if _holds(name, X)]
    return forms


def _indices(X):
    X = sparse.csr_matrix(X)
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


SPARSE = [
    Form("csr", sparse.csr_matrix),
    Form("csc", sparse.csc_matrix),
    Form("coo", sparse.coo_matrix),
    Form("csr_array", sparse.csr_array),
    Form("csr with int64 indices", _indices),
]


def _frame(X):
    return pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])


def _nullable(X):
    return _frame(X).astype("Int64" if X.dtype.kind in "iu" else X.dtype.name.title())


def _channels_first(X):
    return np.ascontiguousarray(np.moveaxis(X, -1, 1))


def array_forms(data, fixed, takes_sparse):
    """Return forms of an array of vectors, images or signals."""
    X = data.X
    both = np.concatenate([X, data.query])
    forms = [*LAYOUTS, *types_of(both, fixed)]
    if data.kind == "rows":
        forms.append(Form("DataFrame", _frame))
        if fixed or X.dtype != np.float32:
            forms.append(Form("DataFrame of nullable numbers", _nullable))
        forms += SPARSE * takes_sparse
        return forms
    if data.kind == "numbers":
        return [*forms, Form("a channel", lambda X: X[:, :, np.newaxis])]
    shape = (*X.shape[1:], 1) if data.kind == "images" and X.ndim == 3 else X.shape[1:]
    flat = {"input_shape": tuple(int(k) for k in shape)}
    if not data.parameters:
        forms.append(Form("flat rows", lambda X: X.reshape(len(X), -1), flat))
        if X.ndim > 3 or data.kind == "signals":
            first = {"data_format": "channels_first"}
            forms.append(Form("channels first", _channels_first, first))
    if data.kind == "signals":
        forms.append(Form("list of signals", list))
    return forms


def _padded(X, room=0, steps_of=None):
    steps = max(len(item) for item in X) + room
    shape = (len(X), steps, *X[0].shape[1:])
    padded = np.full(shape, np.nan)
    for row, item in zip(padded, X, strict=True):
        row[: len(item)] = item
    return padded


def _objects(X):
    room = np.empty(len(X), dtype=object)
    room[:] = list(X)
    return room


def list_forms(data, fixed):
    """Return forms of a list of sequences."""
    forms = [
        Form("array of objects", _objects),
        Form("Series", lambda X: pd.Series(list(X))),
        Form("Fortran order", lambda X: [np.asfortranarray(item) for item in X]),
        Form("negative strides", lambda X: [np.flip(np.flip(item).copy()) for item in X]),
        Form("read-only", lambda X: [_read_only(item) for item in X]),
    ]
    if data.kind == "ragged":
        forms += [
            Form("padded with NaN", _padded),
            Form("padded with more NaN", lambda X: _padded(X, 3)),
            Form("lists", lambda X: [item.tolist() for item in X]),
            Form("tuple", tuple),
            Form("float16", lambda X: [item.astype("float16") for item in X]),
            Form("longdouble", lambda X: [item.astype("longdouble") for item in X]),
            Form("a float32 among them", lambda X: [X[0].astype("float32"), *X[1:]]),
        ]
        if fixed:
            forms.append(Form("float32", lambda X: [item.astype("float32") for item in X]))
        if not data.parameters:
            turned = {"data_format": "channels_first"}
            forms.append(
                Form("channels first", lambda X: [np.ascontiguousarray(i.T) for i in X], turned)
            )
    else:
        if fixed:
            forms.append(Form("float32", lambda X: [item.astype("float32") for item in X]))
        forms.append(Form("uint8", lambda X: [item.astype("uint8") for item in X]))
    return forms


def _converted(convert, *kinds):
    def function(X):
        X = X.copy()
        for name in X.columns:
            if X[name].dtype.kind in kinds or X[name].dtype.name in kinds:
                X[name] = convert(X[name])
        return X

    return function


def _words_only(column):
    return all(isinstance(item, str) or item is None for item in column)


def _to_words(dtype):
    def convert(column):
        return column.astype(dtype) if _words_only(column) else column

    return convert


TABLE = [
    Form("words as categories", _converted(_to_words("category"), "O")),
    Form("words as string", _converted(_to_words("string"), "O")),
    Form("categories as words", _converted(lambda c: c.astype(object), "category")),
    Form("categories in another order", _converted(
        lambda c: c.cat.set_categories(sorted(c.cat.categories)), "category")),
    Form("Int64", _converted(lambda c: c.astype("Int64"), "i")),
    Form("int16", _converted(lambda c: c.astype("int16"), "i")),
    Form("whole numbers as floats", _converted(lambda c: c.astype("float64"), "i")),
    Form("Float64", _converted(lambda c: c.astype("Float64"), "f")),
    Form("float32", _converted(lambda c: c.astype("float32"), "f")),
    Form("boolean", _converted(lambda c: c.astype("boolean"), "b")),
    Form("convert_dtypes", lambda X: X.convert_dtypes()),
    Form("object", lambda X: X.astype(object)),
    Form("columns in another order", lambda X: X[list(X.columns[::-1])], refits=False),
    Form("another index", lambda X: X.set_axis(np.arange(len(X))[::-1] * 3)),
    Form("Fortran or not", lambda X: pd.concat([X[[name]] for name in X.columns], axis=1)),
]  # fmt: skip

TEXT = [
    Form("tuple", tuple),
    Form("array", lambda X: np.array(X, dtype=object)),
    Form("Series", lambda X: pd.Series(X, dtype=object)),
]


def forms_of(data, fixed, takes_sparse):
    """Return all other forms of the samples; `fixed` means that dtype is a parameter."""
    if data.kind == "table":
        return TABLE
    if data.kind == "text":
        return TEXT
    if isinstance(data.X, list):
        return list_forms(data, fixed)
    return array_forms(data, fixed, takes_sparse)


def target_forms(data):
    """Return other forms of the targets: names and functions."""
    y = data.y
    if y is None or isinstance(y, list):
        return [("tuple", tuple)] if isinstance(y, list) else []
    forms = [("Fortran order", lambda y: _copied(y, "F")), ("read-only", _read_only)]
    if y.ndim == 1:
        forms += [
            ("list", list),
            ("plain list", lambda y: y.tolist()),
            ("Series", pd.Series),
            ("negative strides", lambda y: y[::-1].copy()[::-1]),
        ]
        if data.target == "classes" and not data.steps:
            if y.dtype.kind == "U":
                forms.append(("object", lambda y: y.astype(object)))
            if y.dtype.kind not in "fc":
                forms.append(("category", lambda y: pd.Series(y).astype("category")))
    elif not data.steps:
        forms.append(("DataFrame", pd.DataFrame))
        if data.target == "labels":
            forms += [("csr", sparse.csr_matrix), ("truth values", lambda y: y.astype(bool))]
    if data.target == "numbers":
        forms += [(name, lambda y, name=name: y.astype(name)) for name in ("float32", "longdouble")]
    if y.dtype.kind == "i" and abs(y).max() < 100:
        forms += [(name, lambda y, name=name: y.astype(name)) for name in ("int8", "int32")]
    return forms
