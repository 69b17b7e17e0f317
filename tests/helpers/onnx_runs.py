"""Runs of ONNX models, in onnxruntime and in the reference implementation of the standard."""

import numpy as np
import onnx
import onnxruntime
from onnx.reference import ReferenceEvaluator

from sklearn_nn.estimators._core.fitted_network import FittedNetwork, Plan
from sklearn_nn.network.lowering import lower
from sklearn_nn.onnx.graph import GraphBuilder, Value
from sklearn_nn.onnx.network import NetworkExporter

#: Largest difference, relative to the largest number of an output and at least to 1.
TOLERANCE = {"float32": 1e-5, "float64": 1e-10}


def session(model):
    """Return a session of onnxruntime that uses one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def read_in(graph):
    """Return the names that the nodes of a graph read, those of nodes within nodes included."""
    found = set()
    for node in graph.node:
        found.update(node.input)
        for attribute in node.attribute:
            found |= read_in(attribute.g)
    return found


def runs(model):
    """Return functions from inputs by name to the list of outputs, by name of the runtime.

    Runtimes warn of constants that nothing reads.
    """
    assert {constant.name for constant in model.graph.initializer} <= read_in(model.graph)
    own, reference = session(model), ReferenceEvaluator(model)
    return {
        "onnxruntime": lambda inputs: own.run(None, inputs),
        "reference": lambda inputs: reference.run(None, inputs),
    }


def assert_same(found, expected, dtype, what=""):
    """Assert that numbers agree to the precision that is promised for a type."""
    found, expected = np.asarray(found, np.float64), np.asarray(expected, np.float64)
    assert found.shape == expected.shape, f"{what}: {found.shape}, not {expected.shape}"
    size = max(1.0, float(np.nanmax(np.abs(expected), initial=0)))
    error = np.abs(found - expected).max(initial=0) / size
    assert error <= TOLERANCE[dtype], f"{what}: {error:.2g}"


def network_of_layers(layers, shape, dtype, seed=0, *, ragged=False, scale=1.0):
    """Return a network of (name, layer) pairs with random parameters and statistics."""
    form = {"shape": shape, "ragged": ragged}
    program = lower(layers, dtype=dtype, **form)
    rng = np.random.default_rng(seed)
    theta, state = (
        (scale * rng.standard_normal(program.n_theta)).astype(dtype),
        program.initial_state(),
    )
    for memories in program.memories.values():
        for placed in memories.values():
            view = placed.view(state)
            if placed.parameter.name == "moving_mean":
                view[...] = rng.standard_normal(view.shape)
            elif placed.parameter.name == "moving_variance":
                view[...] = rng.uniform(0.5, 2, view.shape)
    return FittedNetwork.of(
        Plan(layers, None, dtype, form, channels=shape[-1]), program, theta, state
    )


def model_of(network, *, opset=None):
    """Return the model of a network of layers; if it is ragged, with an input of lengths."""
    graph = GraphBuilder(network.dtype, opset)
    shape = network.plan.form["shape"]
    x = Value(graph.input("X", graph.dtype, ["n", *shape]), shape)
    if network.plan.form["ragged"]:
        x = x._replace(shape=(None, *shape[1:]), lengths=graph.input("lengths", np.int64, ["n"]))
    y = NetworkExporter(graph, network).run(x)
    sizes = ["steps" if size is None else size for size in y.shape]
    graph.output("y", y.name, graph.dtype, ["n", *sizes])
    if y.lengths is not None:
        graph.output("own", y.lengths, np.int64, ["n"])
    return graph.model({}, producer="test", version="0")


def columns(model, table):
    """Return the inputs of a model of a table: each column in the type that the model declares."""
    inputs, kinds = {}, {onnx.TensorProto.DOUBLE: np.float64, onnx.TensorProto.INT64: np.int64}
    for declared in model.graph.input:
        cells, kind = table[[declared.name]], declared.type.tensor_type.elem_type
        if kind in kinds:
            inputs[declared.name] = cells.to_numpy(dtype=kinds[kind])
        else:
            cells = cells.astype(object).where(cells.notna(), "")
            inputs[declared.name] = cells.astype(str).to_numpy(dtype=object)
    return inputs
