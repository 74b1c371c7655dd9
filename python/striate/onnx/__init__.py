"""ONNX both ways: networks of other frameworks as striate models, and striate models as ONNX files.

It needs `pip install 'striate[onnx]'`. `python -m striate.onnx.report` runs ONNX's own tests against striate.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from striate.model import Model

__all__ = ["load"]


def load(
    source: str | os.PathLike[str] | Any,
    input_shapes: Mapping[str, Sequence[int]] | None = None,
    max_constants: int = 1 << 24,
) -> Model:
    """Read an ONNX model as a striate model, to predict with or to train further.

    The model takes and gives maps as (N, H, W, C). Inputs and outputs that are (N, C, H, W) in the graph are turned,
    and the weights with them; those that are (N, H, W, C) in the graph, as Keras exports them, stay as they are. The
    order follows from the operators that require one. Tensors with other numbers of axes stay as they are. Axis 0 is
    the batch, which may be of any size. Dropout does nothing; batch normalisation keeps its moving averages.

    A file is data: nothing in it is executed. Tensors that it stores beside itself are read from its folder alone;
    absolute paths, `..`, symbolic links, pipes and devices are refused. Time and memory are in proportion to the file.
    docs/onnx.md states all rules.

    Args:
        source: the file, or an `onnx.ModelProto`.
        input_shapes: whole shapes, as ONNX has them, of inputs whose sizes the model leaves open, or in place of the
            sizes that it states: {"image": (1, 3, 224, 224)}. Sizes that are constants elsewhere in the graph stay.
        max_constants: how many numbers may be made of few that the file stores, such as by ConstantOfShape or for
            the weights of a Resize; 32 times the numbers that the file stores are allowed in addition.

    Returns:
        The model. Its layers have the names of the graph's nodes, where these have names.

    Raises:
        ImportError: the onnx package is missing.
        FileNotFoundError: the file does not exist, or none of those that it stores tensors in.
        OSError: a file cannot be read.
        MemoryError: there is not enough memory.
        ValueError: it is not an ONNX model, damaged, or has parts that striate has no layers for; the message lists
            all.
    """
    from striate.onnx._files import onnx_package, read_model

    what = "striate.onnx.load"
    onnx = onnx_package(what)
    model = read_model(source, what)
    from striate.onnx._importer import Importer

    name = "the model" if isinstance(source, onnx.ModelProto) else f"'{os.fsdecode(source)}'"
    return Importer(onnx, model, name, shapes=input_shapes, max_constants=max_constants).run().model
