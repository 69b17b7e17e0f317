"""Export of estimators: an input as the reader takes X, a network, outputs as `predict` returns."""

from __future__ import annotations

import json

import sklearn_nn
from sklearn_nn.estimators._core.base import BaseNetwork, NetworkClassifier
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.onnx.arrays import array_input
from sklearn_nn.onnx.graph import GraphBuilder
from sklearn_nn.onnx.network import NetworkExporter
from sklearn_nn.onnx.outputs import add_class_outputs, add_number_outputs


def to_onnx(estimator, *, opset=None, zipmap=False):
    """Export a fitted estimator to ONNX.

    The model has the inputs and outputs of ``predict`` and ``predict_proba``. Its metadata hold the
    class, the version of this package, the classes and the names of features. Equal estimators have
    equal bytes. See :doc:`/guide_onnx` for inputs, outputs and precision.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this package, except a :class:`TextGenerator`.
    opset : int or None, default=None
        Version of the operators of ONNX, from 17 to the newest of the installed onnx. None is 17.
    zipmap : bool or "columns", default=False
        Form of a classifier's probabilities: one array; a list of dicts with the label as key, as
        float32 (True); or an output for each class ("columns").

    Returns
    -------
    model : onnx.ModelProto
        The model. ``model.SerializeToString()`` is the content of a file.

    Raises
    ------
    ImportError
        If onnx is not installed: ``pip install "sklearn_nn[onnx]"``.
    NotFittedError
        If the estimator is not fitted.
    NotImplementedError
        If a layer has no form in ONNX, as those that users define.
    TypeError
        If the estimator is not one of this package, or cannot be exported.
    ValueError
        If `opset` or `zipmap` is not supported, or labels are of a type that ONNX does not have.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn_nn import MLPClassifier, to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> model = to_onnx(MLPClassifier(random_state=0).initialize(X, y))
    >>> [value.name for value in (*model.graph.input, *model.graph.output)]
    ['X', 'label', 'probabilities']
    """
    if not isinstance(estimator, BaseNetwork):
        kind = type(estimator).__name__
        raise TypeError(f"to_onnx exports estimators of sklearn_nn, got {kind}.")
    network = network_of(estimator)
    graph = GraphBuilder(network.dtype, opset)
    output = NetworkExporter(graph, network).run(array_input(graph, estimator))
    if isinstance(estimator, NetworkClassifier):
        add_class_outputs(graph, estimator._codec, output, zipmap)
    else:
        add_number_outputs(graph, estimator._codec, output)
    return finish(graph, estimator)


def finish(graph, estimator):
    """Return the model of a graph, with a description of the estimator as metadata."""
    metadata = {"class": type(estimator).__name__, "version": sklearn_nn.__version__}
    for key, attribute in {"classes": "classes_", "feature_names": "feature_names_in_"}.items():
        if hasattr(estimator, attribute):
            metadata[key] = json.dumps(getattr(estimator, attribute).tolist())
    return graph.model(metadata, producer="sklearn_nn", version=sklearn_nn.__version__)
