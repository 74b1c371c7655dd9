"""The vanishing gradient: ten layers with sigmoids beside the same ten with ReLU, and the gradient each layer gets.

The sigmoid's slope is at most 1/4, so that each layer on the way back to the input multiplies the gradient by a small
number; ReLU's slope is 1 where it is active. (Hochreiter 1991; Glorot and Bengio, AISTATS 2010.)
"""

import argparse
from pathlib import Path

import striate as st
from striate.layers import Dense, Flatten, Input, Rescaling

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--epochs", type=int, default=10)
parser.add_argument("--depth", type=int, default=10)
parser.add_argument("--out", type=Path, default=Path("."), help="folder for the picture")
arguments = parser.parse_args()

(x_train, y_train), (x_test, y_test) = st.data.load_digits()
flows = {}
for activation, initializer in (("sigmoid", "glorot_uniform"), ("relu", "he_normal")):
    hidden = [
        Dense(64, activation=activation, kernel_initializer=initializer, name=f"dense_{depth}")
        for depth in range(1, arguments.depth + 1)
    ]
    model = st.Sequential([Input((8, 8, 1)), Rescaling(1 / 255), Flatten(), *hidden, Dense(10, name="logits")], seed=0)
    model.compile(
        optimizer=st.optimizers.Adam(1e-3),
        loss=st.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    flow = st.callbacks.GradientFlow()
    model.fit(x_train, y_train, epochs=arguments.epochs, verbose=0, callbacks=[flow])
    _, accuracy = model.evaluate(x_test, y_test, verbose=0)
    first, last = flow.norms["dense_1"][0], flow.norms["logits"][0]
    print(
        f"{activation:8s} test accuracy {accuracy:6.2%}; first epoch: gradient of layer 1 / last = {first / last:.1e}"
    )
    flows[f"{activation}: test accuracy {accuracy:.1%}"] = flow

picture = arguments.out / "vanishing_gradient.png"
st.viz.plot_gradient_flow(flows, path=picture)
print("picture:", picture)
