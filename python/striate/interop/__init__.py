"""Networks and weights of other frameworks.

`from_torch` turns a PyTorch module into a model (by way of ONNX). `load_torch_state_dict` and `load_keras_weights` fill
a model of the same architecture with weights.
"""

from __future__ import annotations

from striate.interop._keras import load_keras_weights
from striate.interop._torch import from_torch, load_torch_state_dict

__all__ = ["from_torch", "load_keras_weights", "load_torch_state_dict"]
