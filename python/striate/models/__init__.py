"""Ready networks: the input's shape and the number of classes are arguments, all else has a default.

Each function returns an untrained `striate.Model` that ends in logits: compile it with
`SparseCategoricalCrossentropy(from_logits=True)`, or, with `classes=1`, with `BinaryCrossentropy(from_logits=True)`.
`unet` gives logits for each pixel, the others for each picture; `detector` predicts boxes and has its own loss,
`DetectionLoss`.

The names that Keras has in its `models` are here as well: `Model`, `Sequential`, `load_model`, `clone_model`,
`model_from_json`.

`resnet50`, `mobilenet_v2`, `mobilenet_v3_small`, `efficientnet_b0`, `densenet121` and `convnext_tiny` take
torchvision's weights: `resnet50(weights=module.state_dict(), rescale="imagenet")`; `imagenet_pixels` prepares pictures.

`deeplabv3` and `pyramid_detector` build networks for pixels and boxes on the maps of any network.

With `rescale=1 / 255` raw bytes go in, and a saved model carries its scaling with it.
"""

from striate.io import load_model
from striate.model import Model
from striate.models.cloning import clone_model, model_from_json
from striate.models.cnn import cnn
from striate.models.detector import detector
from striate.models.heads import deeplabv3, pyramid_detector
from striate.models.imagenet import (
    IMAGENET_DEVIATIONS,
    IMAGENET_MEANS,
    convnext_tiny,
    densenet121,
    efficientnet_b0,
    imagenet_pixels,
    mobilenet_v2,
    mobilenet_v3_small,
    resnet50,
)
from striate.models.lenet import lenet
from striate.models.resnet import TORCHVISION_RESNET18, resnet18
from striate.models.unet import unet
from striate.models.vgg import vgg
from striate.sequential import Sequential

READY = (
    *("cnn", "convnext_tiny", "densenet121", "detector", "efficientnet_b0", "lenet", "mobilenet_v2"),
    *("mobilenet_v3_small", "resnet18", "resnet50", "unet", "vgg"),
)
"""The names of the ready networks."""

__all__ = [
    "IMAGENET_DEVIATIONS",
    "IMAGENET_MEANS",
    "READY",
    "TORCHVISION_RESNET18",
    "Model",
    "Sequential",
    "clone_model",
    "cnn",
    "convnext_tiny",
    "deeplabv3",
    "densenet121",
    "detector",
    "efficientnet_b0",
    "imagenet_pixels",
    "lenet",
    "load_model",
    "mobilenet_v2",
    "mobilenet_v3_small",
    "model_from_json",
    "pyramid_detector",
    "resnet18",
    "resnet50",
    "unet",
    "vgg",
]
