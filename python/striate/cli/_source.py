"""What `--from` begins with: the network of a file or a run, with a new head."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from striate import layers
from striate.cli._dataset import Part
from striate.cli._run import MODEL

if TYPE_CHECKING:
    from striate.cli._settings import Settings
    from striate.cli._tasks import Choices

PIXELS = ("auto", "unit", "symmetric", "imagenet", "bytes")
_SIDE = 224  # where the file leaves the size open and none is given


class Source:
    """A trained network.

    Args:
        place: a run folder, a model file or an .onnx file.
        pixels: what it expects, one of PIXELS.
        image_size: height and width, for a file that leaves them open.

    Raises:
        ImportError: the onnx package is missing.
        FileNotFoundError, ValueError: the network does not exist, has several inputs or
            outputs, or does not take pictures.
    """

    def __init__(self, place: str, pixels: str, image_size: tuple[int, int] | None) -> None:
        path = Path(place)
        self._place = place
        onnx = path.suffix.lower() == ".onnx"
        self._pixels = ("unit" if onnx else "bytes") if pixels == "auto" else pixels
        file = path / MODEL if path.is_dir() else path
        self._network = _of_onnx(file, image_size) if onnx else _of_striate(file)
        shape = self._network.input_shape
        if len(self._network.inputs) != 1 or len(self._network.outputs) != 1 or len(shape) != 4:
            raise ValueError(f"--from {place} must have one input, pictures, and one output; its input is {shape}")
        self._shape = tuple(int(size) for size in shape[1:])
        if self._shape[2] not in (1, 3):
            raise ValueError(f"--from {place} must take pictures of 1 or 3 channels, got {self._shape[2]}")

    def completed(self, settings: Settings) -> Settings:
        """The settings, with the network's image size and colour mode where none is given.

        Raises:
            ValueError: others are given.
        """
        height, width, channels = self._shape
        mode = "grayscale" if channels == 1 else "rgb"
        if settings.image_size not in (None, (height, width)):
            raise ValueError(f"--from {self._place} takes pictures of {height} x {width}: give no other --image-size")
        if settings.color_mode not in ("auto", mode):
            raise ValueError(f"--from {self._place} takes pictures in {mode}: give no other --color-mode")
        return replace(settings, image_size=(height, width), color_mode=mode)

    def build(self, task: str, training: Part, classes: int, choices: Choices, settings: Settings) -> Any:
        """The network with a new head for these pictures, scaling included."""
        from striate.finetuning import thawed, with_head

        if tuple(training.images.shape[1:]) != self._shape:
            raise ValueError(
                f"--from {self._place} takes pictures of {self._shape}, the data have {training.images.shape[1:]}"
            )
        more = choices.given("dropout", "strides")
        model, trained = with_head(
            self._network, classes, task, seed=settings.seed, scaling=_scaling(self._pixels), **more
        )
        if settings.thaw > 0:
            thawed(trained, settings.thaw)
        return model


def _scaling(pixels: str) -> layers.Layer | None:
    if pixels == "unit":
        return layers.Rescaling(1 / 255)
    if pixels == "symmetric":
        return layers.Rescaling(2 / 255, -1.0)
    if pixels == "imagenet":
        from striate.models import IMAGENET_DEVIATIONS, IMAGENET_MEANS

        pairs = list(zip(IMAGENET_MEANS, IMAGENET_DEVIATIONS, strict=True))
        return layers.Rescaling([1 / (255 * s) for _, s in pairs], [-m / s for m, s in pairs])
    return None


def _of_striate(path: Path) -> Any:
    from striate.io import load_model

    return load_model(path)


def _of_onnx(path: Path, image_size: tuple[int, int] | None) -> Any:
    from striate.onnx import load
    from striate.onnx._files import onnx_package

    onnx = onnx_package("striate train --from")
    shapes = {}
    try:
        graph = onnx.load(path, load_external_data=False).graph
    except Exception:  # `load` says what is wrong
        return load(path)
    stored = {tensor.name for tensor in graph.initializer}
    inputs = [info for info in graph.input if info.name not in stored]
    if len(inputs) == 1 and len(inputs[0].type.tensor_type.shape.dim) == 4:
        sizes = [d.dim_value if d.dim_value > 0 else None for d in inputs[0].type.tensor_type.shape.dim]
        height, width = image_size or (_SIDE, _SIDE)
        places = (1, 2) if sizes[3] in (1, 3) and sizes[1] not in (1, 3) else (2, 3)
        if None in (sizes[places[0]], sizes[places[1]]):
            wanted = [size or 3 for size in sizes]
            wanted[0] = 1
            for place, side in zip(places, (height, width), strict=True):
                wanted[place] = sizes[place] or side
            shapes[inputs[0].name] = wanted
    return load(path, shapes)
