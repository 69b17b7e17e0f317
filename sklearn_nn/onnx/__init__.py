"""Export of fitted estimators to ONNX, to be run without Python or this package."""

from sklearn_nn.onnx.estimators import to_onnx as to_onnx

__all__ = ["to_onnx"]
