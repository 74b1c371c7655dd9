"""The receptive field: what the rule says, and what the gradient measures.

The rule (Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional Neural Networks", Distill 2019): a layer
with a window of k and a stride of s makes the field grow by (k - 1) jumps and multiplies the jump by s.
"""

import argparse
from pathlib import Path

import numpy as np

import striate as st
from striate.layers import Conv2D, Input, MaxPooling2D

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--size", type=int, default=64, help="side of the input in pixels")
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()

model = st.Sequential(
    [
        Input((arguments.size, arguments.size, 1)),
        Conv2D(8, 3, padding="same", activation="relu", name="conv1"),
        Conv2D(8, 3, padding="same", activation="relu", name="conv2"),
        MaxPooling2D(2, name="pool1"),
        Conv2D(16, 3, padding="same", activation="relu", name="conv3"),
        Conv2D(16, 3, padding="same", activation="relu", dilation_rate=2, name="dilated"),
        MaxPooling2D(2, name="pool2"),
        Conv2D(32, 3, padding="same", name="conv4"),
    ],
    seed=0,
)
model.summary()

# Winograd's algorithm computes tiles of 4x4 at a time: beside the field it leaves rounding errors where the definition
# has zeros, so the measurement does without it.
model.winograd = False

# The pixels that can change the middle unit are those its gradient reaches: over many random pictures, their union.
rng = np.random.default_rng(0)
x = rng.normal(size=(64, *model.input_shape[1:])).astype(np.float32)
y = model.forward(x)
middle = np.zeros_like(y)
middle[:, y.shape[1] // 2, y.shape[2] // 2] = 1.0
reached = np.abs(model.backward(middle)).max(axis=(0, 3)) > 0
rows, columns = np.flatnonzero(reached.any(axis=1)), np.flatnonzero(reached.any(axis=0))
print("measured by gradients:", rows[-1] - rows[0] + 1, "x", columns[-1] - columns[0] + 1, "pixels")
print("by the rule:          ", model.receptive_field("conv4"))

picture = arguments.out / "receptive_field.png"
st.viz.plot_receptive_field(model, path=picture)
print("picture:", picture)
