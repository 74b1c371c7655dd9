"""Find handwritten digits: real ones (they come with the package), put on a canvas for the purpose."""

import argparse

import striate as st
from striate.data import digit_scenes
from striate.metrics import MeanAveragePrecision

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--scenes", type=int, default=2000, help="to train on")
parser.add_argument("--epochs", type=int, default=20)
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()

# No digit of the test scenes is in a training scene.
train = digit_scenes(arguments.scenes, 64, (0, 4), seed=arguments.seed)
test = digit_scenes(300, 64, (0, 4), seed=1, part="test")

steps = arguments.epochs * -(-arguments.scenes // 32)
model = st.models.detector((64, 64, 1), classes=10, strides=(8,), rescale=1 / 255, seed=arguments.seed)
model.compile(
    st.optimizers.AdamW(st.optimizers.schedules.CosineDecay(3e-3, steps)),
    loss=st.losses.DetectionLoss(strides=(8,)),
    metrics=[MeanAveragePrecision(0.5, name="ap50")],
)
model.fit(train.images, train.targets, batch_size=32, epochs=arguments.epochs, verbose=2)
model.save("detector.safetensors")

scores = model.evaluate(test.images, test.targets, return_dict=True, verbose=0)
print(f"AP50 on {len(test.images)} test scenes: {scores['ap50']:.3f}")
found = st.detection.detect(model, test.images[:1])[0]
for box, label, score in zip(*found, strict=True):
    print(f"a {label} ({score:.2f}) at {box.round(1).tolist()}")
print("truth:", [(int(label), box.tolist()) for box, label in zip(*test.targets[0], strict=True)])
