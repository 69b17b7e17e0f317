"""Builder of ONNX graphs: nodes, constants, inputs and outputs, under deterministic names."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from sklearn_nn._optional import imported

#: Oldest operator set that graphs are made for; it is the default, as all runtimes read it.
OLDEST_OPSET = 17
#: Version of the operators for machine learning, which a graph uses for `ZipMap` and the like.
_ML, _ML_OPSET = "ai.onnx.ml", 3
#: Names of the axis of samples, and of that of time steps.
SAMPLES, STEPS = "n", "steps"
#: Beyond the end of any axis.
END = 2**62
#: Operator sets, from which on the axes of reductions are an input.
_AXES_ARE_INPUT = {"ReduceSum": 13, "ReduceMean": 18, "ReduceMax": 18, "ReduceMin": 18}


def _onnx() -> Any:
    """Return the package onnx, or raise ImportError with the command that installs it."""
    modules = "onnx.checker", "onnx.helper", "onnx.numpy_helper", "onnx"
    return [imported(module, "to_onnx needs onnx", "onnx") for module in modules][-1]


class Value(NamedTuple):
    """Batch of samples in a graph: the name of a tensor, and what is known of a sample.

    The first axis of the tensor is the batch. `shape` is that of one sample, channels last; a
    number of time steps that only the input knows is None. `lengths` is the name of an int64
    vector, the number of time steps of each sequence, or None if all have as many as the tensor.
    """

    name: str
    shape: tuple[int | None, ...]
    lengths: str | None = None

    @property
    def sizes(self) -> tuple[int, ...]:
        """The shape, all of which must be known."""
        assert None not in self.shape
        return tuple(int(size) for size in self.shape if size is not None)


class GraphBuilder:
    """Builder of a graph.

    Parameters
    ----------
    dtype : {"float32", "float64"}
        Type in which networks compute; `number` makes constants of it.
    opset : int or None
        Version of the operators; None is the oldest supported.
    """

    def __init__(self, dtype: str = "float32", opset: int | None = None) -> None:
        self.onnx = _onnx()
        newest = self.onnx.defs.onnx_opset_version()
        self.opset = OLDEST_OPSET if opset is None else opset
        if self.opset not in range(OLDEST_OPSET, newest + 1):
            raise ValueError(
                f"opset={opset!r} is not supported; use {OLDEST_OPSET} to {newest}, the newest of "
                f"the installed onnx {self.onnx.__version__}."
            )
        self.dtype = np.dtype(dtype)
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: dict[tuple[str, tuple[int, ...], Any], Any] = {}
        self._names: set[str] = set()
        self._counts: dict[str, int] = {}  # of names with a number, by what is before it
        self._scope: list[str] = []

    # --- names ---------------------------------------------------------------------------------

    def _named(self, kind: str) -> str:
        """Return a new name, which begins with those of the present scopes."""
        base = name = "/".join([*self._scope, kind])
        while name in self._names:
            self._counts[base] = self._counts.get(base, 1) + 1
            name = f"{base}_{self._counts[base]}"
        self._names.add(name)
        return name

    def _free(self, name: str) -> str:
        """Return a new name of an output: with underscores at its end if others have the name."""
        while name in self._names:
            name += "_"
        self._names.add(name)
        return name

    @contextlib.contextmanager
    def scope(self, name: str) -> Iterator[None]:
        """Let names of nodes and constants begin with `name`."""
        self._scope.append(name)
        try:
            yield
        finally:
            self._scope.pop()

    # --- nodes and constants -------------------------------------------------------------------

    def node(self, op: str, inputs: Sequence[Any], *, domain: str = "", **attributes: Any) -> str:
        """Append a node with one output and return the output's name.

        Inputs are names, of which "" omits one, or numbers and arrays of numbers, which become
        constants of the type in which networks compute.
        """
        return self.nodes(op, inputs, 1, domain=domain, **attributes)[0]

    def nodes(
        self, op: str, inputs: Sequence[Any], count: int, *, domain: str = "", **attributes: Any
    ) -> list[str]:
        """Append a node with `count` outputs and return their names."""
        names = [x if isinstance(x, str) else self.number(x) for x in inputs]
        name = self._named(op)
        outputs = [name if k == 0 else f"{name}:{k}" for k in range(count)]
        made = self.onnx.helper.make_node(
            op, names, outputs, name=name, domain=domain, **attributes
        )
        self._nodes.append(made)
        return outputs

    def constant(self, array: Any, name: str = "constant") -> str:
        """Return the name of a constant of an array's own type; equal ones are stored once.

        Arrays of strings, or of objects that are strings, become tensors of strings.
        """
        array = np.asarray(array)
        is_text = array.dtype.kind in "OU"
        values = tuple(map(str, array.flat)) if is_text else array.tobytes()
        key = array.dtype.str, array.shape, values
        if key not in self._constants:
            self._constants[key] = self._tensor(array, self._named(name))
        return str(self._constants[key].name)

    def _tensor(self, array: np.ndarray, name: str) -> Any:
        if array.dtype.kind not in "OU":
            return self.onnx.numpy_helper.from_array(np.asarray(array, order="C"), name)
        values = [str(value).encode() for value in array.ravel()]
        kind = self.onnx.TensorProto.STRING
        return self.onnx.helper.make_tensor(name, kind, array.shape, values)

    def number(self, array: Any, name: str = "constant") -> str:
        """Return the name of a constant in the type in which networks compute."""
        return self.constant(np.asarray(array, dtype=self.dtype), name)

    def whole(self, *numbers: int) -> str:
        """Return the name of a constant vector of int64, such as a shape or axes."""
        return self.constant(np.array(numbers, dtype=np.int64), "int64")

    # --- operators whose form depends on the version, or that occur often ----------------------

    def cast(self, x: str, dtype: Any) -> str:
        """Convert to a NumPy type, or to strings (`str`)."""
        return self.node("Cast", [x], to=self.type_of(dtype))

    def reduce(self, op: str, x: str, axes: Sequence[int], *, keepdims: bool = False) -> str:
        """Reduce over axes by ReduceSum, ReduceMean, ReduceMax or ReduceMin."""
        keep = int(keepdims)
        if self.opset >= _AXES_ARE_INPUT[op]:
            return self.node(op, [x, self.whole(*axes)], keepdims=keep)
        return self.node(op, [x], axes=list(axes), keepdims=keep)

    def size(self, x: str, axis: int) -> str:
        """Return the length of an axis, as a vector of one int64."""
        return self.slice(self.node("Shape", [x]), 0, axis, axis + 1)

    def reshape(self, x: str, shape: Sequence[int]) -> str:
        """Reshape; 0 is the length of the axis of `x` at this place, and -1 is inferred."""
        return self.node("Reshape", [x, self.whole(*shape)])

    def transpose(self, x: str, axes: Sequence[int]) -> str:
        """Permute axes, unless they are in order."""
        if list(axes) == sorted(axes):
            return x
        return self.node("Transpose", [x], perm=list(axes))

    def slice(self, x: str, axis: int, start: int | None, stop: int | None, step: int = 1) -> str:
        """Return ``x[start:stop:step]`` along an axis, as in Python."""
        ends = (0, END) if step > 0 else (-1, -END)
        first, last = (e if n is None else n for n, e in zip((start, stop), ends, strict=True))
        bounds = [self.whole(n) for n in (first, last, axis, step)]
        return self.node("Slice", [x, *bounds])

    def pad(self, x: str, margins: Sequence[tuple[int, int]], value: float = 0.0) -> str:
        """Surround with a value: (before, after) for each axis; nothing without margins."""
        if not any(map(any, margins)):
            return x
        pads = [before for before, _ in margins] + [after for _, after in margins]
        return self.node("Pad", [x, self.whole(*pads), value])

    def concat(self, parts: Sequence[str], axis: int) -> str:
        """Join tensors along an axis; a single one is returned as it is."""
        return parts[0] if len(parts) == 1 else self.node("Concat", parts, axis=axis)

    def scan(self, step: Callable[[str, str], tuple[str, str]], state: str, x: str) -> str:
        """Append a loop over the first axis of x; return what each step outputs, one after another.

        `step` gets the names of the state and of a part of x, of the type in which networks
        compute, and returns those of the new state and of the output. It makes its own constants:
        some runtimes do not find those outside, and have loops with a single state only.
        """
        outside = self._nodes, self._constants
        self._nodes, self._constants = [], {}
        before, part = self._named("state"), self._named("part")
        ends = [self.node("Identity", [value]) for value in step(before, part)]
        inputs, outputs = (
            [
                self.onnx.helper.make_tensor_value_info(n, self.type_of(self.dtype), None)
                for n in names
            ]
            for names in ((before, part), ends)
        )
        constants = [*self._constants.values()]
        body = self.onnx.helper.make_graph(self._nodes, "step", inputs, outputs, constants)
        self._nodes, self._constants = outside
        return self.nodes("Scan", [state, x], 2, body=body, num_scan_inputs=1)[1]

    # --- inputs, outputs and the model ---------------------------------------------------------

    def type_of(self, dtype: Any) -> int:
        """Return ONNX's number of a NumPy type, or of strings."""
        if dtype is str or np.dtype(dtype).kind in "OU":
            return int(self.onnx.TensorProto.STRING)
        return int(self.onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def input(self, name: str, dtype: Any, shape: Sequence[int | str]) -> str:
        """Declare an input; axes of any length have a name. Return the input's name."""
        made = self.onnx.helper.make_tensor_value_info(name, self.type_of(dtype), list(shape))
        self._inputs.append(made)
        self._names.add(name)
        return name

    def output(self, name: str, value: str, dtype: Any, shape: Sequence[int | str]) -> None:
        """Declare an output and give the tensor `value` its name; see `_free`."""
        name = self._free(name)
        make = self.onnx.helper.make_tensor_value_info
        self._nodes.append(self.onnx.helper.make_node("Identity", [value], [name], name=name))
        self._outputs.append(make(name, self.type_of(dtype), list(shape)))

    def maps_output(self, name: str, value: str, labels: Any) -> None:
        """Declare an output that is a list of maps from labels to probabilities (`ZipMap`)."""
        name = self._free(name)
        helper, proto = self.onnx.helper, self.onnx.TensorProto
        labels = np.asarray(labels)
        is_text = labels.dtype.kind in "OU"
        kind = "classlabels_strings" if is_text else "classlabels_int64s"
        given = {kind: labels.tolist()}
        self._nodes.append(helper.make_node("ZipMap", [value], [name], name, domain=_ML, **given))
        key = proto.STRING if is_text else proto.INT64
        one = helper.make_map_type_proto(key, helper.make_tensor_type_proto(proto.FLOAT, []))
        self._outputs.append(helper.make_value_info(name, helper.make_sequence_type_proto(one)))

    def model(self, metadata: Mapping[str, str], *, producer: str, version: str) -> Any:
        """Return the checked `onnx.ModelProto` of the graph, with texts by name as metadata."""
        helper = self.onnx.helper
        graph = helper.make_graph(
            self._nodes, "network", self._inputs, self._outputs, [*self._constants.values()]
        )
        imports = [helper.make_opsetid("", self.opset)]
        if any(node.domain == _ML for node in self._nodes):
            imports.append(helper.make_opsetid(_ML, _ML_OPSET))
        made = helper.make_model(
            graph, opset_imports=imports, producer_name=producer, producer_version=version,
            ir_version=helper.find_min_ir_version_for(imports),
        )  # fmt: skip
        helper.set_model_props(made, dict(metadata))
        self.onnx.checker.check_model(made, full_check=True)
        return made
