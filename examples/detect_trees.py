"""Tree crowns in aerial pictures: a detector learns from one picture and is tested on two others.

The pictures, of 10 cm a pixel, and their hand-drawn boxes come with the package deepforest (MIT licence; the pictures
are of the National Ecological Observatory Network):

    pip download --no-deps deepforest==2.1.0     # nothing of it is installed or run
    python examples/detect_trees.py deepforest-*.whl

574 boxes of one site to train, 279 of the same site to validate, 61 of another site, a forest of Florida's, that the
network has never seen the like of. A folder with the wheel's pictures does as well.

What limits it is how closely boxes fit. So all places of the maps that tell of a crown have a say in its box, in
mirrored views and at three sizes of the picture. Turning pictures by angles widens the boxes that are learned; mirrored
and transposed tiles keep them.
"""

import argparse
import shutil
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np
from PIL import Image

import striate as st
from striate.data import Augment, VocDetection
from striate.metrics import MeanAveragePrecision

NAMES = {
    "training": "2019_YELL_2_528000_4978000_image_crop2",
    "validation": "2019_YELL_2_541000_4977000_image_crop",
    "unseen site": "OSBS_029",
}
TILE, STEP, STRIDES = 192, 96, (8, 16)  # pixels
SIZES = (1.0, 1.2, 0.85)  # of the picture in prediction
CROWDED = 7  # crowns; tiles with as many are cut at half the step too, since the pictures of the test are dense forest

parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source", type=Path, help="the wheel of deepforest, or a folder with its pictures")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()


def load(name: str, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """A picture (H, W, 3) and its boxes (M, 4)."""
    for suffix, folder in ((".png", "JPEGImages"), (".xml", "Annotations")):
        (root / folder).mkdir(parents=True)
        target = root / folder / (name + suffix)
        if arguments.source.is_dir():
            shutil.copy(arguments.source / (name + suffix), target)
        else:
            with zipfile.ZipFile(arguments.source) as wheel:
                target.write_bytes(wheel.read(f"deepforest/data/{name}{suffix}"))
    dataset = VocDetection(root, split=None)
    return dataset.images[0], dataset.targets[0][0]


def tiles(image: np.ndarray, boxes: np.ndarray) -> tuple[np.ndarray, list]:
    """Overlapping tiles, two thirds of the empty ones left out. A crown of which a tile shows a tenth to four tenths
    counts for nothing there.
    """
    images, targets = [], []
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(axis=1)
    empty = 0
    for top in range(0, image.shape[0] - TILE + 1, STEP // 2):
        for left in range(0, image.shape[1] - TILE + 1, STEP // 2):
            cut = np.clip(boxes - np.float32([left, top, left, top]), 0, TILE)
            seen = np.maximum(cut[:, 2:] - cut[:, :2], 0).prod(axis=1) / areas
            there = seen > 0.1
            crowns = np.count_nonzero(seen >= 0.4)
            if crowns < CROWDED and (top % STEP or left % STEP):
                continue
            empty += not there.any()
            if not there.any() and empty % 3:
                continue
            images.append(image[top : top + TILE, left : left + TILE])
            targets.append((cut[there], np.zeros(there.sum(), int), seen[there] < 0.4))
    return np.stack(images), targets


def detector(height: int, width: int, seed: int = 0) -> st.Model:
    """The network for pictures of a size; its weights fit any."""
    return st.models.detector((height, width, 3), classes=1, strides=STRIDES, rescale=1 / 255, seed=seed)


def find(model: st.Model, image: np.ndarray) -> tuple:
    """Boxes, labels and scores of a whole picture: what is told of it at three sizes, mirrored four ways, fused."""
    height, width = image.shape[:2]
    found = []
    for scale in SIZES:
        sides = (round(width * scale), round(height * scale))
        scaled = np.asarray(Image.fromarray(image).resize(sides, Image.Resampling.BILINEAR))
        whole = detector(*(-(-side // 32) * 32 for side in scaled.shape[:2]))
        whole.load_state_dict(model.state_dict())
        padded = np.zeros((1, *whole.input_shape[1:]), image.dtype)
        padded[0, : scaled.shape[0], : scaled.shape[1]] = scaled
        for boxes, labels, scores in st.detection.candidates(
            whole, padded, flip_horizontal=True, flip_vertical=True, max_detections=4000
        )[0]:
            found.append((st.detection.clip(boxes / scale, height, width), labels, scores))
    boxes, labels, scores = st.detection.weighted_boxes_fusion(found, boxes_per_object=9)
    kept = st.detection.nms(boxes, scores, labels, max_detections=1000)
    return boxes[kept], labels[kept], scores[kept]


def average_precision(found: tuple, boxes: np.ndarray) -> float:
    metric = MeanAveragePrecision(0.5, max_detections=1000)
    metric.update_state([(boxes, np.zeros(len(boxes), int))], [found])
    return float(metric.result())


with tempfile.TemporaryDirectory() as unpacked:
    sites = {what: load(name, Path(unpacked, name)) for what, name in NAMES.items()}
x, y = tiles(*sites["training"])
crowns = ", ".join(f"{what}: {len(boxes)} crowns" for what, (_, boxes) in sites.items())
print(f"{len(x)} tiles of {TILE} pixels; {crowns}")
# From above a forest has no upper side: with the flips below, tiles are seen in all eight orientations.
x = np.concatenate([x, x.swapaxes(1, 2)])
y += [(boxes[:, [1, 0, 3, 2]], labels, partly) for boxes, labels, partly in y]

for seed in arguments.seeds:
    start = time.process_time()
    model = detector(TILE, TILE, seed)
    steps = arguments.epochs * -(-len(x) // 16)
    model.compile(
        st.optimizers.AdamW(st.optimizers.schedules.CosineDecay(3e-3, steps), weight_decay=0.3),
        loss=st.losses.DetectionLoss(STRIDES),
    )
    changes = Augment(
        flip_horizontal=True,
        flip_vertical=True,
        zoom=0.4,
        shift=0.1,
        brightness=0.4,
        contrast=0.4,
        noise=0.04,
        fill_mode="constant",  # no crown without its box
        seed=seed,
    )
    model.fit(x, y, batch_size=16, epochs=arguments.epochs, augment=changes, verbose=0)
    seconds = time.process_time() - start
    found = {what: find(model, image) for what, (image, _) in sites.items()}
    scores = [f"{what} {average_precision(found[what], boxes):.3f}" for what, (_, boxes) in sites.items()]
    print(f"seed {seed}: AP50 {', '.join(scores)} after {seconds:.0f} s of CPU time", flush=True)

# A corner of the picture: all of it would be nothing but boxes.
picture, truth = sites["validation"]
boxes, labels, scores = found["validation"]
seen = (boxes[:, :2] < TILE).all(axis=1) & (scores > 0.2)
corner = [(truth[there], np.zeros(there.sum(), int)) for there in [(truth[:, :2] < TILE).all(axis=1)]]
shown = (boxes[seen].clip(0, TILE), labels[seen], scores[seen])
st.viz.plot_detections(picture[None, :TILE, :TILE], [shown], corner, ["tree"], path=arguments.out / "detect_trees.png")
print("picture:", arguments.out / "detect_trees.png")
