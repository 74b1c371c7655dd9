"""Cell nuclei in a fluorescence image: a U-Net learns from three quarters of one picture and is tested on the fourth.

The picture, 512 x 512 pixels with 125 nuclei and their masks, comes with the package stardist (BSD-3 licence):

    pip download --no-deps stardist          # 3 MB; nothing of it is installed or run
    python examples/segment_nuclei.py stardist-*.whl

A folder that holds img2d.tif and mask2d.tif can be given instead. For comparison, the program prints the result of the
best global threshold, chosen on the test quarter itself: the best that is possible without learning.
"""

import argparse
import tempfile
import time
import zipfile
from pathlib import Path

import numpy as np

import striate as st
from striate.losses import Dice, SparseCategoricalCrossentropy

SIDE = 64  # of a crop
parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
parser.add_argument("source", type=Path, help="the wheel of stardist, or a folder with img2d.tif and mask2d.tif")
parser.add_argument("--epochs", type=int, default=30)
parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()

with tempfile.TemporaryDirectory() as unpacked:
    folder = arguments.source
    if not folder.is_dir():
        with zipfile.ZipFile(folder) as wheel:
            for name in ("img2d.tif", "mask2d.tif"):
                Path(unpacked, name).write_bytes(wheel.read(f"stardist/data/images/{name}"))
        folder = Path(unpacked)
    image = st.data.read_image(folder / "img2d.tif", dtype="float32")
    nuclei = st.data.read_image(folder / "mask2d.tif", dtype="float32")[..., 0] > 0  # numbered from 1 in the file

# Brightness from 0 to about 1 by the training part's; its columns come first.
cut = image.shape[1] * 3 // 4
low, high = np.percentile(image[:, :cut], (1, 99.8))
image = (image - low) / (high - low)
picture, truth = image[:, cut:], nuclei[:, cut:]


def dice(found: np.ndarray) -> float:
    """The Dice coefficient of the nuclei on the test quarter."""
    return float(2 * (found & truth).sum() / (found.sum() + truth.sum()))


threshold = max(dice(picture[..., 0] > level) for level in np.linspace(picture.min(), picture.max(), 500))
print(f"best global threshold: Dice {threshold:.3f}")

for seed in arguments.seeds:
    start = time.perf_counter()
    rng = np.random.default_rng(seed)
    corners = [(rng.integers(image.shape[0] - SIDE + 1), rng.integers(cut - SIDE + 1)) for _ in range(256)]
    x = np.stack([image[top : top + SIDE, left : left + SIDE] for top, left in corners])
    y = np.stack([nuclei[top : top + SIDE, left : left + SIDE] for top, left in corners]).astype(np.uint8)

    model = st.models.unet((SIDE, SIDE, 1), classes=2, base=16, depth=3, seed=seed)
    steps = arguments.epochs * len(x) // 16
    model.compile(
        optimizer=st.optimizers.Adam(st.optimizers.schedules.CosineDecay(2e-3, steps)),
        loss=SparseCategoricalCrossentropy(from_logits=True) + Dice(from_logits=True),
    )
    turned = st.data.Augment(
        flip_horizontal=True, flip_vertical=True, rotation=30, zoom=0.1, brightness=0.1, contrast=0.2, seed=seed
    )
    model.fit(x, y, batch_size=16, epochs=arguments.epochs, augment=turned, verbose=0)

    scores = st.segmentation.predict_tiles(model, picture)
    found = scores.argmax(axis=-1)
    seconds = time.perf_counter() - start
    print(f"U-Net, seed {seed}: Dice {dice(found == 1):.3f} after {seconds:.0f} s")

names = ["background", "nucleus"]
shown = np.clip(picture, 0, 1)[None]
st.viz.plot_segmentation(shown, truth[None].astype(int), found[None], names, path=arguments.out / "segment_nuclei.png")
print("picture:", arguments.out / "segment_nuclei.png")
