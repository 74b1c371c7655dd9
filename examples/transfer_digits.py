"""Transfer: the convolutions of a text recogniser, fine-tuned on a few handwritten digits, beside random weights.

The recogniser is PP-OCRv4 of PaddleOCR (Apache License 2.0), an ONNX file in the package rapidocr-onnxruntime:
`pip install --no-deps rapidocr-onnxruntime`. The same network with random weights is trained whole on the same
pictures, for as many epochs and with ten times the rate of the fine-tuned top. Accuracy is that of digits of other
writers.
"""

import argparse
import importlib.util
from pathlib import Path

import numpy as np

import striate as st

parser = argparse.ArgumentParser(description=__doc__)
parser.add_argument("--file", type=Path, help="the recogniser's ONNX file; default: that of the package")
parser.add_argument("--pictures", type=int, default=10, help="of each class, for training")
parser.add_argument("--epochs", type=int, default=8, help="of each of the two steps")
parser.add_argument("--seeds", type=int, default=3)
arguments = parser.parse_args()

path = arguments.file
if path is None:
    package = importlib.util.find_spec("rapidocr_onnxruntime")
    if package is None or package.origin is None:
        raise SystemExit("give --file, or pip install --no-deps rapidocr-onnxruntime")
    path = Path(package.origin).parent / "models" / "ch_PP-OCRv4_rec_infer.onnx"

SIDE = 48
recogniser = st.onnx.load(path, input_shapes={"x": (1, 3, SIDE, SIDE)})
maps = [layer.output for layer in recogniser.layers if len(layer.output_shape) == 4 and layer.output_shape[1] >= 3]
body = st.Model(recogniser.inputs, maps[-1])


def enlarged(digits: np.ndarray) -> np.ndarray:
    """Digits of 8 x 8 pixels as the recogniser takes pictures: 48 x 48, three channels from -1 to 1."""
    large = np.repeat(np.repeat(digits, SIDE // 8, axis=1), SIDE // 8, axis=2)
    return np.repeat(large.astype(np.float32) / 127.5 - 1, 3, axis=3)


(x, y), (x_test, y_test) = st.data.load_digits()
x_test = enlarged(x_test)
results = {"fine-tuned": [], "random": []}
for seed in range(arguments.seeds):
    order = np.random.default_rng(seed).permutation(len(x))
    chosen = np.concatenate([order[y[order] == digit][: arguments.pictures] for digit in range(10)])
    pictures, labels = enlarged(x[chosen]), y[chosen]
    epochs = (arguments.epochs, arguments.epochs)
    tuned = st.finetune(body, pictures, labels, epochs=epochs, thaw=0.5, verbose=0, seed=seed)
    results["fine-tuned"].append(tuned.evaluate(x_test, y_test, verbose=0)[1])

    st.set_seed(seed)
    fresh = st.models.clone_model(body)
    inputs = st.Input((SIDE, SIDE, 3))
    features = st.layers.GlobalAveragePooling2D()(fresh(inputs))
    random = st.Model(inputs, st.layers.Dense(10)(features), seed=seed)
    loss = st.losses.SparseCategoricalCrossentropy(from_logits=True)
    random.compile(st.optimizers.Adam(1e-3), loss, metrics=["accuracy"])
    random.fit(pictures, labels, epochs=2 * arguments.epochs, verbose=0)
    results["random"].append(random.evaluate(x_test, y_test, verbose=0)[1])
    print(f"seed {seed}:", "  ".join(f"{name} {values[-1]:.3f}" for name, values in results.items()))
print(f"{arguments.pictures} pictures of each digit:", *(f"{name} {np.mean(v):.3f}" for name, v in results.items()))
