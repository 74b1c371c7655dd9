"""Gradient descent, stochastic and mini-batch descent, momentum and Adam: the same network, the same first weights."""

import argparse
from pathlib import Path
from time import perf_counter

from matplotlib.figure import Figure

import striate as st
from striate.layers import Conv2D, Dense, Flatten, Input, MaxPooling2D, Rescaling

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=15)
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()

(x_train, y_train), (x_test, y_test) = st.data.load_digits()
ways = {
    "gradient descent (all at once)": (st.optimizers.SGD(0.5), len(x_train), "-"),
    "stochastic (one at a time)": (st.optimizers.SGD(0.01), 1, "--"),
    "mini-batch (32)": (st.optimizers.SGD(0.1), 32, "-."),
    "mini-batch, momentum 0.9": (st.optimizers.SGD(0.02, momentum=0.9, nesterov=True), 32, ":"),
    "Adam, mini-batch": (st.optimizers.Adam(2e-3), 32, (0, (5, 1, 1, 1, 1, 1))),
}
colors = ("#000000", "#E69F00", "#0072B2", "#009E73", "#D55E00")
figure = Figure(figsize=(8, 5), layout="constrained")
axes = figure.add_subplot(title="The same network under five optimizers", xlabel="epoch", ylabel="training loss (nats)")
for (name, (optimizer, batch_size, style)), color in zip(ways.items(), colors, strict=True):
    model = st.Sequential(
        [
            Input((8, 8, 1)),
            Rescaling(1 / 255),
            Conv2D(16, 3, activation="relu", kernel_initializer="he_normal"),
            MaxPooling2D(2),
            Flatten(),
            Dense(64, activation="relu", kernel_initializer="he_normal"),
            Dense(10),
        ],
        seed=0,
    )
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(optimizer=optimizer, loss=loss, metrics=["accuracy"])
    began = perf_counter()
    history = model.fit(x_train, y_train, batch_size=batch_size, epochs=arguments.epochs, verbose=0).history
    seconds = perf_counter() - began
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    print(f"{name:32s} loss {history['loss'][-1]:7.4f}  test accuracy {accuracy:6.2%}  {seconds:5.1f} s")
    axes.plot(
        range(1, len(history["loss"]) + 1), history["loss"], linestyle=style, color=color, label=name, linewidth=2
    )
axes.set_yscale("log")
axes.grid(True, color="#DDDDDD")
axes.legend()
figure.savefig(arguments.out / "optimizers.png", dpi=130)
print("picture:", arguments.out / "optimizers.png")
