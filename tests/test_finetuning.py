"""A trained network with a new head: what is trained, what stays, and that it learns."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import layers, models

RNG = np.random.default_rng(0)


def source(**more: Any) -> Any:
    return models.resnet18((32, 32, 3), 5, width=4, seed=0, **more)


def quadrants(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Noise with one brighter quadrant, and its number."""
    x = RNG.normal(0, 0.3, (count, 32, 32, 3)).astype(np.float32)
    y = np.arange(count) % 4
    for picture, label in zip(x, y, strict=True):
        picture[label // 2 * 16 :, label % 2 * 16 :][:16, :16] += 1
    return x, y


def test_a_classifier(capsys: pytest.CaptureFixture[str]) -> None:
    base = source()
    before = base.get_weights()
    x, y = quadrants(64)
    model = st.finetune(
        base, x, y, epochs=(4, 4), learning_rate=0.02, thaw=0.5, dropout=0.0, batch_size=16, verbose=0, seed=1
    )
    assert capsys.readouterr().out == ""
    assert all(np.array_equal(a, b) for a, b in zip(before, base.get_weights(), strict=True))  # a copy is trained
    assert model.output_shape == (None, 4) and model.layers[-1].name == "head"
    state, old = model.state_dict(), base.state_dict()
    changed = {
        name.partition("/")[0] for name in old.keys() & state.keys() if not np.array_equal(old[name], state[name])
    }
    assert "stage4_block2_conv2" in changed and "stem" not in changed
    assert not any(name.endswith("_bn") for name in changed)  # neither weights nor moving averages
    assert model.evaluate(x, y, verbose=0)[1] > 0.9


def test_each_step_is_told_and_may_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    x, y = quadrants(8)
    model = st.finetune(source(), x, y, epochs=(1, 0), verbose=2, seed=1)
    out = capsys.readouterr().out
    assert "step 1: the head: 132 of " in out and "step 2" not in out
    assert [layer.name for layer in model.layers if layer.weights and layer.trainable] == ["head"]
    again = st.finetune(model, x, y, epochs=(0, 1), thaw=1.0, verbose=2, seed=1)
    assert again.layers[-1].name == "head2"
    assert "step 2: the head and the top: " in capsys.readouterr().out


def test_a_file_and_batches(tmp_path: Path) -> None:
    base = source()
    base.save(tmp_path / "m.safetensors")
    x, y = quadrants(8)
    batches = [(x[:4], y[:4]), (x[4:], y[4:])]
    model = st.finetune(tmp_path / "m.safetensors", batches, classes=4, epochs=(1, 0), verbose=0)
    assert model.output_shape == (None, 4)
    with pytest.raises(ValueError, match="give classes=, the number of classes"):
        st.finetune(base, batches, verbose=0)


def test_an_onnx_file(tmp_path: Path) -> None:
    pytest.importorskip("onnx")
    source().export(tmp_path / "m.onnx", data_format="channels_first")
    x, y = quadrants(8)
    model = st.finetune(tmp_path / "m.onnx", x, y, epochs=(1, 1), verbose=0)
    assert model.output_shape == (None, 4)


def test_a_segmenter_on_a_classifiers_maps() -> None:
    x, _ = quadrants(16)
    masks = (x.mean(axis=-1) > 0.5).astype(np.int32)
    model = st.finetune(
        source(), x, masks, task="segment", epochs=(6, 1), learning_rate=0.01, batch_size=8, verbose=0, seed=1
    )
    assert model.output_shape == (None, 32, 32, 2)
    wrong = float((model.predict(x).argmax(axis=-1) != masks).mean())
    assert wrong < 0.15


def test_a_detector_on_a_classifiers_maps() -> None:
    x, y = quadrants(8)
    boxes = [np.array([[q % 2 * 16, q // 2 * 16, q % 2 * 16 + 16, q // 2 * 16 + 16]], np.float32) for q in y]
    targets = [(box, np.zeros(1, np.int64)) for box in boxes]
    options: dict[str, Any] = {"task": "detect", "classes": 1, "strides": (4, 8), "epochs": (1, 1), "verbose": 0}
    model = st.finetune(source(), x, targets, **options)
    assert model.output_shape == (None, 8 + 2, 8, 6)
    assert len(st.detection.decode(model.predict(x), strides=(4, 8))) == len(x)
    with pytest.raises(ValueError, match=r"no map of stride 16, \(2, 2\); its maps are \(32, 32\)"):
        st.finetune(models.lenet((32, 32, 1), seed=0), x[..., :1], targets, **{**options, "strides": (16,)})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"task": "guess"}, "task must be one of classify, segment, detect, got 'guess'"),
        ({"epochs": (0, 0)}, "epochs must be two numbers"),
        ({"thaw": 0}, "thaw must be above 0"),
        ({"y": np.zeros(4, np.float32)}, "labels must be whole numbers from 0 on, got float32"),
    ],
)
def test_arguments_that_do_not_fit(options: dict[str, Any], message: str) -> None:
    x, y = quadrants(4)
    with pytest.raises(ValueError, match=message):
        st.finetune(source(), x, **{"y": y, "verbose": 0, **options})


def test_networks_that_do_not_fit() -> None:
    x, y = quadrants(4)
    inputs = layers.Input((32, 32, 3))
    features = layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(inputs))
    two = st.Model(inputs, [layers.Dense(2)(features), layers.Dense(3)(features)])
    with pytest.raises(ValueError, match="one input and one output, got 1 and 2"):
        st.finetune(two, x, y, verbose=0)
    with pytest.raises(ValueError, match="the source has no layer with weights"):
        st.finetune(st.Model(inputs, layers.GlobalAveragePooling2D()(inputs)), x, y, verbose=0)


def test_a_source_without_a_head_is_kept_whole() -> None:
    x, y = quadrants(4)
    inputs = layers.Input((32, 32, 3))
    maps = layers.Conv2D(4, 3, strides=4, name="trunk")(inputs)
    body = st.Model(inputs, layers.Multiply()([maps, layers.Activation("sigmoid")(maps)]))
    model = st.finetune(body, x, y, epochs=(1, 0), verbose=0)
    assert [layer.name for layer in model.layers if layer.weights] == ["trunk", "head"]
