"""Two classes, one of them rare: is the digit an 8? Accuracy flatters; sensitivity and precision tell.

One digit in ten is an 8: always answering "no" is right nine times in ten, and useless. Weighting the rare class
moves the balance from precision towards sensitivity.
"""

import argparse

import striate as st
from striate.layers import BatchNormalization, Conv2D, Dense, GlobalAveragePooling2D, Input, ReLU, Rescaling
from striate.metrics import AUC, F1Score, Precision, Sensitivity, Specificity

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=8)
parser.add_argument("--digit", type=int, default=8)
arguments = parser.parse_args()

(x_train, digits_train), (x_test, digits_test) = st.data.load_digits()
y_train = (digits_train == arguments.digit).astype("float32")[:, None]
y_test = (digits_test == arguments.digit).astype("float32")[:, None]
print(f"{y_test.mean():.1%} of the test pictures show a {arguments.digit}")

for title, class_weight in (("equal weights", None), ("rare class weighs 9", {0: 1.0, 1: 9.0})):
    model = st.Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 255),
            Conv2D(16, 3, padding="same", use_bias=False),
            BatchNormalization(),
            ReLU(),
            Conv2D(16, 3, strides=2, padding="same", use_bias=False),
            BatchNormalization(),
            ReLU(),
            GlobalAveragePooling2D(),
            Dense(1, activation="sigmoid"),
        ],
        seed=0,
    )
    model.compile(
        optimizer=st.optimizers.Adam(2e-3),
        loss="binary_crossentropy",
        metrics=["accuracy", Precision(), Sensitivity(), Specificity(), F1Score(), AUC()],
    )
    model.fit(x_train, y_train, epochs=arguments.epochs, class_weight=class_weight, verbose=0)
    report = model.evaluate(x_test, y_test, return_dict=True, verbose=0)
    print(f"{title:20s}", "  ".join(f"{name} {value:.3f}" for name, value in report.items()))
