"""Networks and weights of other frameworks.

`from_torch` turns a PyTorch module into a model, `from_keras` a Keras 3 model, `to_torch` a model into a module.
`load_torch_state_dict` and `load_keras_weights` fill a model of the same architecture with weights;
`to_torch_state_dict` gives a model's weights as PyTorch has them.
"""

from __future__ import annotations

from striate.interop._from_keras import from_keras
from striate.interop._keras import load_keras_weights
from striate.interop._torch import from_torch, load_torch_state_dict, to_torch, to_torch_state_dict

__all__ = ["from_keras", "from_torch", "load_keras_weights", "load_torch_state_dict", "to_torch", "to_torch_state_dict"]
