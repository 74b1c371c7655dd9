"""Train a small convolutional network on real handwritten digits (they come with the package) and test it."""

import sys

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, Flatten, Input, MaxPooling2D, ReLU, Rescaling

(x_train, y_train), (x_test, y_test) = st.data.load_digits()
model = st.Sequential(
    [Input((8, 8, 1)), Rescaling(1 / 255), Conv2D(32, 3, padding="same"), BatchNormalization(), ReLU(), MaxPooling2D(2),
     Conv2D(64, 3, padding="same"), BatchNormalization(), ReLU(), MaxPooling2D(2), Flatten(), Dense(10)],
    seed=0,
)  # fmt: skip
model.compile("adam", loss=st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
model.fit(x_train, y_train, epochs=int(sys.argv[1]) if len(sys.argv) > 1 else 15, validation_data=(x_test, y_test))
model.save("digits.safetensors")
print("prediction:", st.load_model("digits.safetensors").predict(x_test[:1]).argmax(), "truth:", y_test[0])
