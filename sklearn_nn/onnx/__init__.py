"""Export of fitted estimators to ONNX, to be run without Python or this package."""

# These register the forms of layers.
from sklearn_nn.onnx import activations as activations
from sklearn_nn.onnx import sequences as sequences
from sklearn_nn.onnx import tabular as tabular
from sklearn_nn.onnx import vectors as vectors
from sklearn_nn.onnx import windows as windows
from sklearn_nn.onnx.converters import register_onnx_converters as register_onnx_converters
from sklearn_nn.onnx.estimators import to_onnx as to_onnx
from sklearn_nn.onnx.network import form_of as form_of

__all__ = ["form_of", "register_onnx_converters", "to_onnx"]
