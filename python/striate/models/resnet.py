"""ResNet-18."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from striate.interop import load_torch_state_dict
from striate.model import Model
from striate.models._building import build


def resnet18(
    input_shape: Sequence[int] = (32, 32, 3),
    classes: int = 10,
    stem: str = "auto",
    width: int = 64,
    dropout: float = 0.0,
    rescale: float | None = None,
    seed: int | None = None,
    padding: str = "same",
    weights: Any = None,
) -> Model:
    """ResNet-18: eight residual blocks of two 3×3 convolutions, 64 to 512 filters. About 11.2 million parameters.

    As in K. He, X. Zhang, S. Ren and J. Sun, "Deep Residual Learning for Image Recognition", CVPR 2016, with projection
    shortcuts where the shape changes (their option B).

    With torchvision's weights, and pixels as torchvision normalises them, it computes what torchvision's `resnet18`
    does: `resnet18((224, 224, 3), 1000, padding="torch", weights=module.state_dict())`. Its pixels are in [0, 1], minus
    (0.485, 0.456, 0.406), divided by (0.229, 0.224, 0.225).

    Args:
        input_shape: (height, width, channels).
        classes: number of outputs.
        stem: "imagenet" is the published start, a 7×7 convolution and a 3×3 max pooling, both with stride 2; "small" is
            one 3×3 convolution with stride 1, as the paper's networks for CIFAR have it; "auto" takes the first from 96
            pixels on.
        width: filters of the first stage; doubled at each of the three further ones.
        dropout: share dropped before the last layer.
        rescale: factor for the input, such as 1 / 255 for bytes; None leaves it as it is.
        seed: seed of the initial weights and the dropout.
        padding: padding of strided convolutions and of the stem's pooling: "same" as Keras defines it, which has fewer
            zeros at the top and left of maps with even sides; "torch": as many zeros on all sides.
        weights: initial weights: a state dict (or module) of torchvision's `resnet18`, which needs `padding="torch"`,
            or what `model.state_dict()` of such a model returned; None draws them. Its number of classes must be the
            same; to keep a new last layer, use `striate.interop.load_torch_state_dict` with `skip_mismatch=True` and
            `names=striate.models.TORCHVISION_RESNET18`.

    Returns:
        A model from (N, height, width, channels) to logits (N, classes).

    Raises:
        ValueError: an argument or a weight does not fit; the message names it.
    """
    arguments = {name: value for name, value in locals().items() if name != "weights"}
    model = build(arguments, "resnet18")
    if weights is not None:
        _load(model, weights, padding)
    return model


def _load(model: Model, weights: Any, padding: str) -> None:
    if isinstance(weights, Mapping) and any("/" in str(name) for name in weights):
        model.load_state_dict(dict(weights))
        return
    if padding != "torch":
        raise ValueError(
            f'models.resnet18: weights of PyTorch need padding="torch", got {padding!r}: with other '
            "padding, strided convolutions see other pixels"
        )
    load_torch_state_dict(model, weights, TORCHVISION_RESNET18)


def _torchvision_names() -> dict[str, str]:
    names = {"stem": "conv1", "stem_bn": "bn1", "logits": "fc"}
    for stage in range(1, 5):
        for block in (1, 2):
            ours, theirs = f"stage{stage}_block{block}", f"layer{stage}.{block - 1}"
            for number in (1, 2):
                names[f"{ours}_conv{number}"] = f"{theirs}.conv{number}"
                names[f"{ours}_conv{number}_bn"] = f"{theirs}.bn{number}"
            if stage > 1 and block == 1:
                names[f"{ours}_shortcut"] = f"{theirs}.downsample.0"
                names[f"{ours}_shortcut_bn"] = f"{theirs}.downsample.1"
    return names


TORCHVISION_RESNET18: Mapping[str, str] = _torchvision_names()
"""Layer of `resnet18` -> torchvision's module with its weights."""
