"""Converters for skl2onnx, which exports pipelines and searches with estimators of this package."""

from __future__ import annotations

import importlib
from typing import Any

import numpy as np

from sklearn_nn._optional import imported
from sklearn_nn.estimators._core.base import NetworkClassifier
from sklearn_nn.estimators._targets.codec import MULTILABEL
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.estimators.tabular.estimators import BaseTabular
from sklearn_nn.onnx.encoder import Column
from sklearn_nn.onnx.estimators import append_estimator, dtype_of, encoder_of
from sklearn_nn.onnx.graph import SAMPLES, GraphBuilder
from sklearn_nn.onnx.outputs import labels_of

#: Estimators with a converter, by module.
_ESTIMATORS = {
    "sklearn_nn": (
        "CNNClassifier CNNRegressor FeatureExtractor MLPClassifier MLPRegressor "
        "NeuralNetworkClassifier NeuralNetworkRegressor RNNClassifier RNNRegressor "
        "TabularClassifier TabularRegressor"
    ),
    "sklearn_nn.estimators.table_encoder": "TableEncoder",
}
#: Options of skl2onnx's classifiers.
_OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
}


def register_onnx_converters() -> None:
    """Let skl2onnx convert pipelines and searches with estimators of this package.

    After the call, `skl2onnx.convert_sklearn` and `skl2onnx.to_onnx` take this package's
    classifiers and regressors, :class:`FeatureExtractor` and :class:`TableEncoder`, as steps of a
    Pipeline, in a ColumnTransformer, in a search, or alone. Further calls have no effect.

    Raises
    ------
    ImportError
        If the package skl2onnx is missing: ``pip install "sklearn_nn[skl2onnx]"``.

    See Also
    --------
    to_onnx : Export of one estimator, which does not need skl2onnx.

    Notes
    -----
    Outputs have the type of the first input where that is float or double, as those of
    scikit-learn's estimators in skl2onnx. Operator sets from 17 on are supported
    (`target_opset`). Estimators for tables take columns of any type, or a matrix of numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skl2onnx import convert_sklearn
    >>> from skl2onnx.common.data_types import FloatTensorType
    >>> from sklearn_nn import MLPClassifier, register_onnx_converters
    >>> register_onnx_converters()
    >>> X = np.random.default_rng(0).normal(size=(100, 3)).astype(np.float32)
    >>> model = make_pipeline(StandardScaler(), MLPClassifier(8, max_iter=5, random_state=0))
    >>> model = model.fit(X, X[:, 0] > 0)
    >>> onnx_model = convert_sklearn(
    ...     model, initial_types=[("X", FloatTensorType([None, 3]))], options={"zipmap": False}
    ... )
    >>> [output.name for output in onnx_model.graph.output]
    ['label', 'probabilities']
    """
    need = "register_onnx_converters needs skl2onnx"
    skl2onnx = imported("skl2onnx", need, "skl2onnx")
    parsing = imported("skl2onnx._parse", need, "skl2onnx")
    for module, names in _ESTIMATORS.items():
        for name in names.split():
            kind = getattr(importlib.import_module(module), name)
            options = _OPTIONS if issubclass(kind, NetworkClassifier) else None
            skl2onnx.update_registered_converter(
                kind, f"SklearnNN{name}", _set_types, _convert, options=options
            )
    # Columns of a ColumnTransformer have types of their own.
    kept = dict.fromkeys([*parsing.do_not_merge_columns, BaseTabular, TableEncoder])
    parsing.do_not_merge_columns = tuple(kept)


# --- outputs of an operator, which stands for an estimator in a pipeline -------------------------


def _set_types(operator: Any) -> None:
    """Set types and shapes of the outputs of an operator."""
    from skl2onnx.common import data_types as types

    estimator, n = operator.raw_operator, operator.inputs[0].get_first_dimension()
    floats = types.DoubleTensorType if _is_double(operator) else types.FloatTensorType
    if not isinstance(estimator, NetworkClassifier):
        operator.outputs[0].type = floats([n, _n_outputs(estimator)])
        return
    classes, is_multilabel = labels_of(estimator.classes_), estimator._codec.kind == MULTILABEL
    kinds = {"U": types.StringTensorType, "f": types.DoubleTensorType}
    labels = kinds.get("i" if is_multilabel else classes.dtype.kind, types.Int64TensorType)
    operator.outputs[0].type = labels([n, len(classes)] if is_multilabel else [n])
    operator.outputs[1].type = floats([n, len(classes)])


def _is_double(operator: Any) -> bool:
    """Return whether probabilities, numbers and features are double: as the first input is."""
    from skl2onnx.common import data_types as types

    kind = type(operator.inputs[0].type)
    if kind in (types.FloatTensorType, types.DoubleTensorType):
        return kind is types.DoubleTensorType
    return bool(dtype_of(operator.raw_operator) == "float64")


def _n_outputs(estimator: Any) -> int:
    """Return the number of columns that a regressor or transformer returns."""
    if hasattr(estimator, "n_outputs_"):
        return int(estimator.n_outputs_)
    return len(estimator.get_feature_names_out())


# --- nodes of an operator ------------------------------------------------------------------------


def _convert(scope: Any, operator: Any, container: Any) -> None:
    """Add the graph of an estimator to that of a pipeline."""
    from skl2onnx.common import _apply_operation as apply

    estimator, variables, columns = operator.raw_operator, operator.inputs, None
    graph, encoder = (
        GraphBuilder(dtype_of(estimator), container.target_opset_onnx),
        encoder_of(estimator),
    )
    if encoder is not None:
        variables = _in_order(variables, encoder)
        columns = _columns(graph, variables, encoder)
    append_estimator(graph, estimator, columns)
    model = graph.model({}, producer="", version="")
    inputs = [variable.full_name for variable in variables]
    if encoder is None and len(inputs) > 1:
        inputs = [scope.get_unique_variable_name("X")]
        apply.apply_concat(scope, [v.full_name for v in variables], *inputs, container, axis=1)
    _splice(model, scope, container, inputs, operator.outputs)


def _in_order(variables: list[Any], encoder: TableEncoder) -> list[Any]:
    """Return variables in the order of the encoder's columns, if they have the same names."""
    by_name = {variable.raw_name: variable for variable in variables}
    names = getattr(encoder, "feature_names_in_", ())
    return [by_name[name] for name in names] if {*by_name} == {*names} else variables


def _columns(graph: GraphBuilder, variables: list[Any], encoder: TableEncoder) -> list[Column]:
    """Declare an input for each variable, which has one or several columns; return all columns."""
    from skl2onnx.common import data_types as types

    dtypes = {
        types.StringTensorType: str, types.FloatTensorType: np.float32,
        types.DoubleTensorType: np.float64,
    }  # fmt: skip
    columns = []
    for k, variable in enumerate(variables):
        dtype, width = dtypes.get(type(variable.type), np.int64), variable.type.shape[1] or 1
        name = graph.input(f"table{k}", dtype, [SAMPLES, width])
        for i in range(width):
            own = name if width == 1 else graph.node("Gather", [name, graph.whole(i)], axis=1)
            columns.append(Column(own, dtype))
    if len(columns) != encoder.n_features_in_:
        raise ValueError(
            f"initial_types have {len(columns)} columns, but the encoder was fitted with "
            f"{encoder.n_features_in_}; give each its number of columns."
        )
    return columns


def _splice(model: Any, scope: Any, container: Any, inputs: list[str], outputs: list[Any]) -> None:
    """Add the nodes of a model, which reads the tensors `inputs`, under names that are new."""
    from skl2onnx.common import _apply_operation as apply
    from skl2onnx.common import data_types as types

    graph, prefix = model.graph, scope.get_unique_variable_name("network")

    def named(name: str) -> str:
        return f"{prefix}/{name}" if name else ""

    for name, own in zip(inputs, graph.input, strict=True):
        kind = own.type.tensor_type.elem_type
        apply.apply_cast(scope, name, named(own.name), container, to=kind)
    for tensor in graph.initializer:
        tensor.name = named(tensor.name)
        container.initializers.append(tensor)
    for node in graph.node:
        node.name = named(node.name)
        for names in (node.input, node.output):
            names[:] = [*map(named, names)]
        container.nodes.append(node)
    for opset in model.opset_import:
        container.node_domain_version_pair_sets.add((opset.domain, opset.version))
    for own, variable in zip(graph.output, outputs, strict=True):
        kind = types.guess_proto_type(variable.type)
        apply.apply_cast(scope, named(own.name), variable.full_name, container, to=kind)
