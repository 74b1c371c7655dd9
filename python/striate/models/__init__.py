"""Ready networks: the input's shape and the number of classes are arguments, all else has a default.

Each function returns an untrained `striate.Model` that ends in logits: compile it with
`SparseCategoricalCrossentropy(from_logits=True)`, or, with `classes=1`, with `BinaryCrossentropy(from_logits=True)`.
`unet` gives logits for each pixel, the others for each picture; `detector` tells of boxes and has a loss of its own,
`DetectionLoss`.

With `rescale=1 / 255` raw bytes go in, and a saved model carries its scaling with it.
"""

from striate.models.cnn import cnn
from striate.models.detector import detector
from striate.models.lenet import lenet
from striate.models.resnet import resnet18
from striate.models.unet import unet
from striate.models.vgg import vgg

__all__ = ["cnn", "detector", "lenet", "resnet18", "unet", "vgg"]
