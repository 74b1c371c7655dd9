"""A convolutional network for handwritten digits as one writes it in Keras: only the imports are striate's.

Without an argument it trains on the bundled digits; with a folder of IDX files, on MNIST or Fashion-MNIST.
"""

import argparse

import striate as keras
from striate import layers
from striate.data import load_digits, load_idx, to_categorical

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("folder", nargs="?", help="folder with train-images-idx3-ubyte and so on")
parser.add_argument("--epochs", type=int, default=12)
arguments = parser.parse_args()

(x_train, y_train), (x_test, y_test) = load_idx(arguments.folder) if arguments.folder else load_digits()
num_classes = 10
input_shape = x_train.shape[1:]

# Pixels between 0 and 1, one row of zeros and a one for each label.
x_train = x_train.astype("float32") / 255
x_test = x_test.astype("float32") / 255
y_train = to_categorical(y_train, num_classes)
y_test = to_categorical(y_test, num_classes)

model = keras.Sequential(
    [
        keras.Input(shape=input_shape),
        layers.Conv2D(32, kernel_size=(3, 3), use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.Conv2D(64, kernel_size=(3, 3), use_bias=False),
        layers.BatchNormalization(),
        layers.Activation("relu"),
        layers.MaxPooling2D(pool_size=(2, 2)),
        layers.Dropout(0.25),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(num_classes, activation="softmax"),
    ]
)
model.summary()

model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
model.fit(x_train, y_train, batch_size=128, epochs=arguments.epochs, validation_split=0.1)

score = model.evaluate(x_test, y_test, verbose=0)
print("Test loss:", score[0])
print("Test accuracy:", score[1])
