"""Draw the three pictures of README.md from real training runs: `python docs/pictures.py`, about three minutes.

Each run trains on digits that come with the package and draws what the network finds in pictures that it has not
seen. A picture stores the digest of this file; `packaging/check_readme.py` fails if the file has changed since.
"""

from __future__ import annotations

import hashlib
import time
from pathlib import Path
from typing import Any

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke
from PIL import Image
from PIL.PngImagePlugin import PngInfo

import striate as st
from striate.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    ReLU,
    Rescaling,
)
from striate.losses import DetectionLoss, Dice, SparseCategoricalCrossentropy
from striate.optimizers.schedules import CosineDecay

FOLDER = Path(__file__).parent / "pictures"
DIGEST_KEY = "striate:drawn-by"
COLORS = matplotlib.color_sequences["tab10"]
RIGHT, WRONG = "#1b7837", "#c51b7d"
SIDE = 64  # pixels of a scene


def digest() -> str:
    """The digest that a picture stores: of this file, whatever its line ends."""
    return hashlib.sha256(
        Path(__file__).read_bytes().replace(b"\r\n", b"\n")
    ).hexdigest()


def grid(rows: int, columns: int, title: str) -> tuple[Figure, Any]:
    figure = Figure(figsize=(4.2, 4.4), dpi=110, layout="constrained")
    figure.suptitle(title, fontsize=11)
    axes = figure.subplots(rows, columns, squeeze=False)
    for cell in axes.flat:
        cell.set_axis_off()
    return figure, axes


def several(scenes: Any) -> Any:
    """The first nine scenes with at least two digits."""
    rows = [row for row, (boxes, _) in enumerate(scenes.targets) if len(boxes) > 1]
    return scenes.images[rows[:9]]


def write(cell: Any, x: float, y: float, text: str, color: Any) -> None:
    """Write above the point, inside the picture."""
    y = max(y - 1, 8)
    outline = [withStroke(linewidth=2, foreground="white")]
    cell.text(
        x,
        y,
        text,
        fontsize=8,
        color=color,
        ha="center",
        weight="bold",
        path_effects=outline,
        clip_on=True,
    )


def save(figure: Figure, name: str) -> None:
    figure.savefig(FOLDER / name, facecolor="white")
    info = PngInfo()
    info.add_text(DIGEST_KEY, digest())
    picture = Image.open(FOLDER / name).convert("RGB").quantize(256, kmeans=3)
    picture.save(FOLDER / name, optimize=True, pnginfo=info)


def classify() -> str:
    (x, y), (x_test, y_test) = st.data.load_digits()
    model = st.Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 255),
            Conv2D(32, 3, padding="same"),
            BatchNormalization(),
            ReLU(),
            MaxPooling2D(2),
            Conv2D(64, 3, padding="same"),
            BatchNormalization(),
            ReLU(),
            MaxPooling2D(2),
            Flatten(),
            Dense(10),
        ],
        seed=0,
    )
    model.compile(
        "adam", SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"]
    )
    model.fit(x, y, epochs=15, verbose=0)
    found = model.predict(x_test).argmax(axis=1)
    title = f"classify: {(found == y_test).mean():.1%} of {len(y_test)} test digits are right"
    # The wrong predictions come first: there are few of them.
    shown = np.argsort(found == y_test, kind="stable")[:30]
    figure, axes = grid(5, 6, title)
    for cell, index in zip(axes.flat, shown, strict=True):
        right = found[index] == y_test[index]
        cell.imshow(x_test[index, :, :, 0], cmap="gray_r")
        text = f"{found[index]}" if right else f"{found[index]} (is {y_test[index]})"
        cell.set_title(text, fontsize=9, color=RIGHT if right else WRONG, pad=2)
    save(figure, "classify.png")
    return title


def segment() -> str:
    train = st.data.digit_scenes(2000, SIDE, seed=0)
    test = st.data.digit_scenes(300, SIDE, seed=1, part="test")
    model = st.models.unet(
        (SIDE, SIDE, 1), classes=11, base=16, depth=3, rescale=1 / 255, seed=0
    )
    epochs = 8
    model.compile(
        st.optimizers.Adam(CosineDecay(4e-3, epochs * len(train.images) // 16)),
        SparseCategoricalCrossentropy(from_logits=True)
        + 0.5 * Dice(from_logits=True, axis=(0, 1, 2)),
        metrics=["mean_iou"],
    )
    model.fit(train.images, train.masks, batch_size=16, epochs=epochs, verbose=0)
    score = model.evaluate(test.images, test.masks, return_dict=True, verbose=0)[
        "mean_iou"
    ]
    title = f"segment: mean IoU {score:.2f} on {len(test.images)} test scenes"
    figure, axes = grid(3, 3, title)
    images = several(test)
    found = model.predict(images).argmax(axis=-1)
    colors = np.ones((11, 3))
    colors[1:] = COLORS
    for cell, image, classes in zip(axes.flat, images, found, strict=True):
        shade = 1 - 0.85 * image[..., :1] / 255
        cell.imshow(
            np.where(
                classes[..., None] > 0, colors[classes] * (0.5 + 0.5 * shade), shade
            )
        )
        for label in np.unique(classes[classes > 0]):
            rows, columns = np.nonzero(classes == label)
            if len(rows) < 30:
                continue
            write(
                cell, np.median(columns), rows.min(), str(label - 1), COLORS[label - 1]
            )
    save(figure, "segment.png")
    return title


def detect() -> str:
    train = st.data.digit_scenes(2000, SIDE, (0, 4), seed=0)
    test = st.data.digit_scenes(300, SIDE, (0, 4), seed=1, part="test")
    model = st.models.detector(
        (SIDE, SIDE, 1), classes=10, strides=(8,), rescale=1 / 255, seed=0
    )
    epochs = 20
    model.compile(
        st.optimizers.AdamW(CosineDecay(3e-3, epochs * -(-len(train.images) // 32))),
        DetectionLoss(strides=(8,)),
        metrics=[st.metrics.MeanAveragePrecision(0.5, name="ap50")],
    )
    model.fit(train.images, train.targets, batch_size=32, epochs=epochs, verbose=0)
    score = model.evaluate(test.images, test.targets, return_dict=True, verbose=0)[
        "ap50"
    ]
    title = f"detect: AP50 {score:.2f} on {len(test.images)} test scenes"
    figure, axes = grid(3, 3, title)
    images = several(test)
    found = st.detection.detect(model, images)
    for cell, image, (boxes, labels, scores) in zip(
        axes.flat, images, found, strict=True
    ):
        cell.imshow(255 - image[..., 0], cmap="gray", vmin=0, vmax=255)
        for (x1, y1, x2, y2), label, confidence in zip(
            boxes, labels, scores, strict=True
        ):
            if confidence < 0.3:
                continue
            color = COLORS[label]
            cell.add_patch(
                Rectangle(
                    (x1, y1), x2 - x1, y2 - y1, fill=False, color=color, linewidth=1.5
                )
            )
            write(cell, (x1 + x2) / 2, y1, f"{label} {confidence:.2f}", color)
    save(figure, "detect.png")
    return title


def main() -> None:
    FOLDER.mkdir(exist_ok=True)
    for draw in (classify, segment, detect):
        start = time.perf_counter()
        title = draw()
        print(f"{title} ({time.perf_counter() - start:.0f} s)", flush=True)


if __name__ == "__main__":
    main()
