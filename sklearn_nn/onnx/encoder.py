"""Tables in ONNX graphs: an input for each column, and the encoder that makes rows of numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn.estimators._inputs.table.columns import CategoryColumn, DateColumn, NumberColumn
from sklearn_nn.estimators._inputs.table.encoder import TableEncoder
from sklearn_nn.onnx.graph import SAMPLES, GraphBuilder
from sklearn_nn.onnx.number_scaling import SCALES

#: Whole numbers of at least this magnitude are not all floats.
_MOST_WHOLE = 2**53
_INT64 = np.iinfo(np.int64)


class Column(NamedTuple):
    """Column of a table in a graph: the name of a tensor of shape (n, 1), and its type.

    `dtype` is `str`, or a type of NumPy for numbers and booleans.
    """

    name: str
    dtype: Any


def declare_columns(graph: GraphBuilder, encoder: TableEncoder) -> list[Column | None]:
    """Declare an input for each column, None for those that the encoder does not read.

    Numbers are float64, in which the encoder computes: a number that equals a quantile, such as
    0.1, has another rank once it is rounded to float32.
    """
    _check_dates(encoder)
    columns: list[Column | None] = []
    for name, column in zip(_names_of(encoder), encoder._columns, strict=True):
        if not any(column.widths):
            columns.append(None)
            continue
        dtype = _type_of(column)
        columns.append(Column(graph.input(name, dtype, [SAMPLES, 1]), dtype))
    return columns


def _check_dates(encoder: TableEncoder) -> None:
    """Raise NotImplementedError if a column holds dates."""
    for name, column in zip(_names_of(encoder), encoder._columns, strict=True):
        if isinstance(column, DateColumn):
            raise NotImplementedError(
                f"column {name!r} holds dates, for which ONNX has no type; turn it into columns of "
                "numbers, such as year and weekday, before the estimator, and fit it again."
            )


def _names_of(encoder: TableEncoder) -> list[str]:
    """Return the names of the columns, of which ONNX takes none that is empty."""
    names = [*map(str, getattr(encoder, "feature_names_in_", [""] * encoder.n_features_in_))]
    for i, name in enumerate(names):
        if not name:
            names[i] = f"x{i}"
            while names.count(names[i]) > 1:
                names[i] += "_"
    return names


def _type_of(column: Any) -> Any:
    """Return the type of the input of a column: whole numbers cannot be missing."""
    if isinstance(column, NumberColumn):
        return np.float64
    if any(isinstance(value, str) for value in column.categories) or not column.categories:
        return str
    is_whole = all(isinstance(value, int) for value in column.categories)
    return np.int64 if is_whole and not column.saw_missing else np.float64


def encode(graph: GraphBuilder, encoder: TableEncoder, columns: Sequence[Column | None]) -> str:
    """Append what `encoder.transform` does; return the encoded rows, in the encoder's type.

    `columns` are in the encoder's order; those that it does not read may be None.
    """
    _check_dates(encoder)
    numbers, one_hots, embedded = [], [], []
    for name, column, given in zip(_names_of(encoder), encoder._columns, columns, strict=True):
        if given is None or not any(column.widths):
            continue
        _check_type(name, column, given)
        with graph.scope(name):
            if isinstance(column, NumberColumn):
                numbers.append((column, _as_double(graph, given)))
            elif column.one_hot is None:
                embedded.append(_codes(graph, name, column, given))
            else:
                table = graph.constant(column.one_hot.astype(encoder.dtype), "one_hot")
                rows = graph.node("Gather", [table, _codes(graph, name, column, given)], axis=0)
                one_hots.append(graph.reshape(rows, [0, column.one_hot.shape[1]]))
    parts = []
    if numbers:
        parts += _scaled(graph, encoder, *zip(*numbers, strict=True))
    parts += one_hots
    if embedded:
        parts.append(graph.cast(graph.concat(embedded, 1), encoder.dtype))
    return graph.concat(parts, 1)


def _check_type(name: str, column: Any, given: Column) -> None:
    """Raise ValueError if a column is text, where `fit` saw numbers only, or the reverse."""
    values = getattr(column, "categories", [0])
    kinds = {isinstance(value, str) for value in values}
    if values and (given.dtype is str) not in kinds:
        found, seen = ("text", "numbers") if given.dtype is str else ("numbers", "text")
        raise ValueError(f"column {name!r} is {found}, where fit saw {seen}; declare it as {seen}.")


# --- numbers -----------------------------------------------------------------------------------


def _as_double(graph: GraphBuilder, given: Column) -> str:
    """Return a column of numbers as float64."""
    return given.name if given.dtype == np.float64 else graph.cast(given.name, np.float64)


def _scaled(
    graph: GraphBuilder, encoder: TableEncoder, columns: Sequence[Any], names: Sequence[str]
) -> list[str]:
    """Return the scaled numbers, and the indicators of missing ones if there are any."""
    values = graph.concat(names, 1)
    missing = graph.node("IsNaN", [values])
    median = graph.constant(np.array([[column.median for column in columns]]), "median")
    values = graph.node("Where", [missing, median, values])
    scaled = SCALES[encoder.numeric](graph, values, [column.learnt for column in columns])
    parts = [graph.cast(scaled, encoder.dtype)]
    marked = [k for k, column in enumerate(columns) if column.indicator is not None]
    if marked:
        present, absent = np.hstack([columns[k].indicator for k in marked]).astype(encoder.dtype)
        if len(marked) < len(columns):
            missing = graph.node("Gather", [missing, graph.whole(*marked)], axis=1)
        marks = [graph.constant(row[np.newaxis], "indicator") for row in (absent, present)]
        parts.append(graph.node("Where", [missing, *marks]))
    return parts


# --- categories --------------------------------------------------------------------------------


def _codes(graph: GraphBuilder, name: str, column: CategoryColumn, given: Column) -> str:
    """Return the codes of a column's cells, int64 of shape (n, 1)."""
    codes = {category: code for code, category in enumerate(column.categories, 1)}
    if not codes:
        shape = graph.node("Shape", [given.name])
        zero = graph.onnx.numpy_helper.from_array(np.zeros(1, np.int64))
        return graph.node("ConstantOfShape", [shape], value=zero)
    if given.dtype is str:
        return _looked_up(graph, given.name, _by_text(name, codes))
    numbers = {number: code for number, code in codes.items() if not isinstance(number, str)}
    if np.dtype(given.dtype).kind == "f":
        return _codes_of_floats(graph, given, numbers)
    whole = {int(k): v for k, v in numbers.items() if k == int(k) and _is_int64(int(k))}
    x = given.name if given.dtype == np.int64 else graph.cast(given.name, np.int64)
    return _looked_up(graph, x, whole or {0: 0})


def _by_text(name: str, codes: dict[Any, int]) -> dict[str, int]:
    """Return the codes by text, which stands for a number where a column holds both."""
    numbers = {str(k): k for k in codes if not isinstance(k, str)}
    for text, number in numbers.items():
        if text in codes:
            raise ValueError(
                f"column {name!r} has the categories {number!r} and {text!r}, which are the same "
                "text in a file; write them alike before fit, as with .astype(str)."
            )
    return {str(category): code for category, code in codes.items()}


def _is_int64(value: int) -> bool:
    return _INT64.min <= value <= _INT64.max


def _looked_up(graph: GraphBuilder, name: str, codes: dict[Any, int]) -> str:
    """Return the code of each text or whole number, 0 for others."""
    kind = "keys_strings" if isinstance(next(iter(codes)), str) else "keys_int64s"
    values = {kind: [*codes], "values_int64s": [*codes.values()], "default_int64": 0}
    return graph.node("LabelEncoder", [name], domain="ai.onnx.ml", **values)


def _codes_of_floats(graph: GraphBuilder, given: Column, numbers: dict[Any, int]) -> str:
    """Return the codes of numbers that are given as floats, NaN if they are missing."""
    x = _as_double(graph, given)
    if all(value == int(value) and abs(value) < _MOST_WHOLE for value in numbers):
        whole = {int(value): code for value, code in numbers.items()}
        unknown = graph.constant(np.array(float(max(whole) + 1)), "unknown")
        limit = graph.constant(np.array(float(_MOST_WHOLE)), "limit")
        is_whole = graph.node("Equal", [x, graph.node("Floor", [x])])
        is_near = graph.node("Less", [graph.node("Abs", [x]), limit])
        is_whole = graph.node("And", [is_whole, is_near])
        x = graph.node("Where", [is_whole, x, unknown])
        return _looked_up(graph, graph.cast(x, np.int64), whole)
    floats = {float(value): code for value, code in numbers.items() if float(value) == value}
    keys = graph.constant(np.array([[*floats]]), "keys")
    codes = graph.constant(np.array([[*floats.values()]], dtype=np.int64), "codes")
    is_key = graph.cast(graph.node("Equal", [x, keys]), np.int64)
    return graph.reduce("ReduceMax", graph.node("Mul", [is_key, codes]), [1], keepdims=True)
