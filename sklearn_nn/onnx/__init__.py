"""Export of fitted estimators to ONNX, to be run without Python or this package."""

from sklearn_nn.onnx.converters import register_onnx_converters as register_onnx_converters
from sklearn_nn.onnx.estimators import to_onnx as to_onnx
from sklearn_nn.onnx.network import form_of as form_of

__all__ = ["form_of", "register_onnx_converters", "to_onnx"]
