"""Regression with the mean squared error: find the position of a handwritten digit on a canvas.

Real digits of 8 x 8 pixels are laid at random places on a canvas of 24 x 24; the network answers with the place of the
digit's middle, in pixels. The error is the root of the mean squared distance along one axis.
"""

import argparse

import numpy as np

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, ReLU, Rescaling

SIDE, DIGIT = 24, 8


def scatter(digits, copies, seed):
    """Each digit on `copies` canvases of its own, with the (x, y) of its middle in pixels."""
    rng = np.random.default_rng(seed)
    digits = digits.repeat(copies, axis=0)
    canvas = np.zeros((len(digits), SIDE, SIDE, 1), np.uint8)
    corners = rng.integers(0, SIDE - DIGIT + 1, (len(digits), 2))
    for image, digit, (x, y) in zip(canvas, digits, corners, strict=True):
        image[y : y + DIGIT, x : x + DIGIT] = digit
    return canvas, (corners + (DIGIT - 1) / 2).astype(np.float32)


parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=12)
arguments = parser.parse_args()

(digits_train, _), (digits_test, _) = st.data.load_digits()
x_train, y_train = scatter(digits_train, 4, seed=1)
x_test, y_test = scatter(digits_test, 4, seed=2)

blocks = [
    layer
    for filters in (16, 32, 64)
    for layer in (Conv2D(filters, 3, strides=2, padding="same", use_bias=False), BatchNormalization(), ReLU())
]
model = st.Sequential([Input((SIDE, SIDE, 1)), Rescaling(1 / 255), *blocks, Flatten(), Dense(2)], seed=0)
schedule = st.optimizers.CosineDecay(3e-3, decay_steps=arguments.epochs * -(-len(x_train) // 32))
model.compile(optimizer=st.optimizers.Adam(schedule), loss="mean_squared_error")
model.fit(x_train, y_train, epochs=arguments.epochs, validation_data=(x_test, y_test))

places = model.predict(x_test)
guess = np.sqrt(((y_train.mean(axis=0) - y_test) ** 2).mean())
error = np.sqrt(((places - y_test) ** 2).mean())
print(f"root mean squared error {error:.2f} pixels; always the mean: {guess:.2f} pixels")
