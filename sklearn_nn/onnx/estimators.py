"""Export of estimators: an input as the reader takes X, a network, outputs as `predict` returns."""

from __future__ import annotations

import json
import math

from sklearn.utils.validation import check_is_fitted

import sklearn_nn
from sklearn_nn.estimators._core.base import BaseNetwork, NetworkClassifier
from sklearn_nn.estimators._core.fitted_network import network_of
from sklearn_nn.estimators.feature_extractor import FeatureExtractor
from sklearn_nn.estimators.table_encoder import TableEncoder
from sklearn_nn.estimators.text.generator import TextGenerator
from sklearn_nn.onnx.arrays import array_input
from sklearn_nn.onnx.encoder import declare_columns, encode
from sklearn_nn.onnx.graph import SAMPLES, GraphBuilder, Value
from sklearn_nn.onnx.network import NetworkExporter
from sklearn_nn.onnx.outputs import add_class_outputs, add_number_outputs
from sklearn_nn.onnx.table_estimators import mean_of_networks


def to_onnx(estimator, *, opset=None, zipmap=False):
    """Export a fitted estimator to ONNX.

    The model has the inputs and outputs of ``predict`` and ``predict_proba``. Its metadata hold the
    class, the version of this package, the classes and the names of features. Equal estimators have
    equal bytes. See :doc:`/guide_onnx` for inputs, outputs and precision.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this package, except a :class:`TextGenerator`; a
        :class:`FeatureExtractor` or a :class:`~sklearn_nn.estimators.table_encoder.TableEncoder`.
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
    graph = GraphBuilder(dtype_of(estimator), opset)
    append_estimator(graph, estimator, zipmap=zipmap)
    return finish(graph, estimator)


def dtype_of(estimator):
    """Return the type in which a fitted estimator computes, "float32" or "float64"."""
    if isinstance(estimator, TableEncoder):
        check_is_fitted(estimator)
        return estimator.dtype
    return network_of(_checked_network(estimator)).dtype


def _checked_network(estimator):
    """Return the estimator that holds the network, or raise an error if there is none."""
    if isinstance(estimator, FeatureExtractor):
        check_is_fitted(estimator)
        return estimator.estimator_
    if isinstance(estimator, TextGenerator):
        raise TypeError(
            "to_onnx exports estimators whose output for a sample is a number of values; a "
            "TextGenerator writes text, each character after the one before. Keep it in a file by "
            "its method save."
        )
    if isinstance(estimator, type):
        raise TypeError(
            f"to_onnx exports fitted estimators, got the class {estimator.__name__}; pass an "
            "instance after its fit."
        )
    if not isinstance(estimator, BaseNetwork):
        raise TypeError(
            "to_onnx exports networks, FeatureExtractor and TableEncoder of sklearn_nn, got "
            f"{type(estimator).__name__}; for a Pipeline or a search use skl2onnx after "
            "sklearn_nn.register_onnx_converters()."
        )
    return estimator


def encoder_of(estimator):
    """Return the encoder of tables that an estimator is, or begins with; None without one."""
    if isinstance(estimator, TableEncoder):
        return estimator
    return getattr(getattr(estimator, "estimator_", estimator), "encoder_", None)


def append_estimator(graph, estimator, columns=None, *, zipmap=False):
    """Append inputs, estimator and outputs to a graph.

    `columns` are those of a table that are declared already, a list of `Column`.
    """
    encoder, owner = encoder_of(estimator), getattr(estimator, "estimator_", estimator)
    if encoder is None:
        x = array_input(graph, owner)
    else:
        rows = encode(graph, encoder, columns or declare_columns(graph, encoder))
        x = Value(rows, (encoder.n_features_out_,))
    if estimator is encoder:
        _add_features(graph, x, encoder.n_features_out_)
    elif isinstance(estimator, FeatureExtractor):
        size = math.prod(estimator.output_shape_)
        if estimator.flip:
            mirrored = graph.slice(x.name, 2, None, None, -1)
            x = x._replace(name=graph.concat([x.name, mirrored], axis=0))
        x = NetworkExporter(graph, network_of(owner)).run(x, estimator._features)
        if estimator.flip:
            pairs = graph.reshape(x.name, [2, -1, size])
            x = Value(graph.reduce("ReduceMean", pairs, [0]), (size,))
        _add_features(graph, x, size)
    else:
        if encoder is None:
            output = NetworkExporter(graph, network_of(estimator)).run(x)
        else:
            output = mean_of_networks(graph, estimator, x)
        if isinstance(estimator, NetworkClassifier):
            add_class_outputs(graph, estimator._codec, output, zipmap)
        else:
            add_number_outputs(graph, estimator._codec, output)


def _add_features(graph, x, size):
    """Append the output of a transformer, which has `size` values for each sample."""
    graph.output("variable", graph.reshape(x.name, [0, size]), graph.dtype, [SAMPLES, size])


def finish(graph, estimator):
    """Return the model of a graph, with a description of the estimator as metadata."""
    metadata = {"class": type(estimator).__name__, "version": sklearn_nn.__version__}
    for key, attribute in {"classes": "classes_", "feature_names": "feature_names_in_"}.items():
        if hasattr(estimator, attribute):
            metadata[key] = json.dumps(getattr(estimator, attribute).tolist())
    return graph.model(metadata, producer="sklearn_nn", version=sklearn_nn.__version__)
