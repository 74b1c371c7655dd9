"""Look into a trained network: its filters, what each layer makes of a digit, and which pixels speak for the answer."""

import argparse
from pathlib import Path

import striate as st

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--image", type=int, default=3, help="number of the test picture to look at")
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the pictures")
arguments = parser.parse_args()

(x_train, y_train), (x_test, y_test) = st.data.load_digits()
model = st.models.cnn((8, 8, 1), classes=10, rescale=1 / 255, seed=0)
model.compile(
    optimizer=st.optimizers.Adam(1e-3),
    loss=st.losses.SparseCategoricalCrossentropy(from_logits=True),
    metrics=["accuracy"],
)
model.fit(x_train, y_train, epochs=arguments.epochs, validation_data=(x_test, y_test))

image = x_test[arguments.image : arguments.image + 1]
answer = int(model.predict(image).argmax())
print("answer:", answer, "truth:", y_test[arguments.image])

shown = ["block1_conv1", "block1_conv2_relu", "block1_pool", "block2_conv2_relu", "block2_pool", "logits"]
maps = model.feature_maps(image, layers=shown)
st.viz.plot_feature_maps(maps, image=image, path=arguments.out / "feature_maps.png")
st.viz.plot_filters(model, layer="block1_conv1", max_filters=32, path=arguments.out / "filters.png")

# The last map before the pooling that leaves too few pixels to point at anything.
heatmap = model.grad_cam(image, class_index=answer, layer="block2_conv2_relu")
st.viz.plot_grad_cam(image, heatmap, class_name=str(answer), path=arguments.out / "grad_cam.png")
print("pictures:", ", ".join(str(arguments.out / f"{name}.png") for name in ("feature_maps", "filters", "grad_cam")))
