"""Which pixel belongs to which digit: a U-Net on scenes of real digits (the digits are real, the scenes are made).

No digit of the training scenes is in the test scenes. The loss is the sum of two: cross-entropy, which weighs every
pixel alike, and Dice, which weighs every class alike, so that the background does not drown the digits.
"""

import argparse
from pathlib import Path

import striate as st
from striate.losses import Dice, SparseCategoricalCrossentropy

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--scenes", type=int, default=3000, help="number of training scenes")
parser.add_argument("--seed", type=int, default=0)
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()

x_train, _, y_train = st.data.digit_scenes(arguments.scenes, 64, seed=arguments.seed)
x_test, _, y_test = st.data.digit_scenes(300, 64, seed=arguments.seed + 1, part="test")
names = ["background", *map(str, range(10))]

model = st.models.unet((64, 64, 1), classes=len(names), base=16, depth=3, rescale=1 / 255, seed=arguments.seed)
steps = arguments.epochs * -(-arguments.scenes // 16)
model.compile(
    optimizer=st.optimizers.Adam(st.optimizers.schedules.CosineDecay(4e-3, steps)),
    loss=SparseCategoricalCrossentropy(from_logits=True) + 0.5 * Dice(from_logits=True, axis=(0, 1, 2)),
    metrics=["mean_iou"],
)
model.fit(x_train, y_train, batch_size=16, epochs=arguments.epochs)

report = model.evaluate(x_test, y_test, return_dict=True, verbose=0)
print(f"mean IoU on the test scenes: {report['mean_iou']:.3f}")
scores = model.predict(x_test[:6])
st.viz.plot_segmentation(x_test[:6], y_test[:6], scores, names, path=arguments.out / "segment_digits.png")
print("picture:", arguments.out / "segment_digits.png")
