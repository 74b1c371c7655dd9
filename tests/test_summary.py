"""The summary, receptive fields, feature maps and Grad-CAM."""

from __future__ import annotations

import numpy as np
import pytest

import striate as st
from striate.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Conv2DTranspose,
    Dense,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    MaxPooling2D,
    ReLU,
    Softmax,
    UpSampling2D,
)

rng = np.random.default_rng(4)


def network(seed: int = 0) -> st.Sequential:
    return st.Sequential(
        [
            Input((32, 32, 3)),
            Conv2D(8, 3, padding="same", name="a"),
            Conv2D(8, 3, padding="same", name="b"),
            MaxPooling2D(2, name="pool"),
            Conv2D(16, 5, padding="same", name="c"),
            Conv2D(16, 3, strides=2, padding="same", name="d"),
            Conv2D(16, (1, 3), dilation_rate=2, padding="same", name="e"),
            Flatten(name="flat"),
            Dense(10, name="out"),
        ],
        seed=seed,
        name="net",
    )


def test_summary_gives_the_working_memory_of_a_batch() -> None:
    model = network()
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    with_memory: list[str] = []
    model.summary(print_fn=with_memory.append, batch_size=16)
    assert with_memory[:-1] == lines
    core = model._network
    size = core.arena_bytes(16, False)
    assert with_memory[-1] == f"Working memory for 16 samples: prediction {size / 1e6:.1f} MB"
    # At least the largest map of a layer with what it reads.
    assert size >= 4 * 16 * 32 * 32 * (8 + 8)

    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.summary(print_fn=with_memory.append, batch_size=1)
    trainer = model._compiled("test")._settle()
    training = trainer.arena_bytes(1, True)
    assert with_memory[-1].startswith(f"Working memory for 1 sample: training step {training / 1e3:.1f} kB, prediction")
    assert training > core.arena_bytes(1, False)
    assert trainer.arena_bytes(32, True) > 20 * training
    assert model.gradients() == {}  # nothing was built
    for wrong in (0, -1):
        with pytest.raises(ValueError, match="summary: batch_size must be at least 1"):
            model.summary(print_fn=lines.append, batch_size=wrong)


def test_receptive_fields_by_hand() -> None:
    model = network()
    # Size and jump, worked out on paper.
    assert model.receptive_field("a") == ((3, 3), (1, 1))
    assert model.receptive_field("b") == ((5, 5), (1, 1))
    assert model.receptive_field("pool") == ((6, 6), (2, 2))
    assert model.receptive_field("c") == ((14, 14), (2, 2))
    assert model.receptive_field("d") == ((18, 18), (4, 4))
    field = model.receptive_field(model.get_layer("e"))
    assert field == ((18, 34), (4, 4))
    assert field is not None and field.size == (18, 34) and field.jump == (4, 4)
    assert model.receptive_field("out") == ((32, 34), (32, 32))


def test_receptive_field_is_what_the_gradient_reaches() -> None:
    model = st.Sequential(
        [
            Input((40, 40, 1)),
            Conv2D(4, 3, padding="same"),
            MaxPooling2D(2),
            Conv2D(4, 3, padding="same", dilation_rate=2),
            Conv2D(4, 3, strides=2, padding="same", name="last"),
        ],
        seed=0,
    )
    y = model.forward(rng.normal(size=(64, 40, 40, 1)))
    middle = np.zeros_like(y)
    middle[:, 5, 5] = 1
    reached = np.abs(model.backward(middle)).max(axis=(0, 3)) > 0
    rows = np.flatnonzero(reached.any(axis=1))
    field = model.receptive_field("last")
    assert field is not None
    assert rows[-1] - rows[0] + 1 == field.size[0]


def test_receptive_fields_of_graphs() -> None:
    inputs = Input((16, 16, 2))
    narrow = Conv2D(4, 1)(inputs)
    wide = Conv2D(4, 5, padding="same")(inputs)
    both = Add(name="sum")([narrow, wide])
    up = UpSampling2D(2, name="up")(MaxPooling2D(2)(both))
    transposed = Conv2DTranspose(4, 2, strides=2, name="back")(MaxPooling2D(2, name="pool")(both))
    model = st.Model(inputs, [up, transposed])
    assert model.receptive_field("sum") == ((5, 5), (1, 1))
    assert model.receptive_field("pool") == ((6, 6), (2, 2))
    for name in ("up", "back"):
        field = model.receptive_field(name)
        assert field is not None and field.jump == (1, 1)
    flat = st.Sequential([Input((7,)), Dense(3, name="d")])
    assert flat.receptive_field("d") is None


def test_summary_lines(capsys: pytest.CaptureFixture[str]) -> None:
    model = network()
    model.summary()
    text = capsys.readouterr().out
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert text.splitlines() == lines
    assert lines[0] == "Model: net"
    row = next(line for line in lines if line.startswith("c (Conv2D)"))
    assert row.split() == ["c", "(Conv2D)", "(N,", "16,", "16,", "16)", "3,216", "819,200", "14", "(2)"]
    row = next(line for line in lines if line.startswith("e (Conv2D)"))
    assert row.endswith("18×34 (4)")
    total = model.count_params()
    assert f"Parameters: {total:,}" in text and f"trainable {total:,}, others 0" in text
    assert len({len(line) for line in lines if set(line) == {"─"}}) == 1


def test_summary_of_work_is_exact() -> None:
    model = st.Sequential([Input((10, 8, 3)), Conv2D(5, 3, use_bias=False), Flatten(), Dense(7)])
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert lines[-1] == f"Multiply-adds for one sample: {8 * 6 * 5 * 27 + 8 * 6 * 5 * 7:,}"


def test_summary_tells_trainable_from_other_and_inputs() -> None:
    inputs = Input((8, 8, 1))
    x = BatchNormalization(name="bn")(Conv2D(4, 3, padding="same", name="conv")(inputs))
    model = st.Model(inputs, Add(name="sum")([x, Conv2D(4, 1, name="short")(inputs)]))
    lines: list[str] = []
    model.summary(print_fn=lines.append)
    assert lines[2].endswith("Input")
    assert next(line for line in lines if line.startswith("sum")).endswith("bn, short")
    assert "trainable 56, others 8" in lines[-2]
    model.get_layer("conv").trainable = False
    lines.clear()
    model.summary(print_fn=lines.append)
    assert "trainable 16, others 48" in lines[-2]


def test_narrow_summary() -> None:
    model = st.Sequential([Input((4,)), Dense(3, name="a_layer_with_quite_a_long_name")])
    lines: list[str] = []
    model.summary(line_length=70, print_fn=lines.append)
    assert max(map(len, lines)) <= 70
    assert any("…" in line for line in lines)


def test_feature_maps() -> None:
    model = network()
    x = rng.normal(size=(40, 32, 32, 3)).astype(np.float32)
    maps = model.feature_maps(x)
    assert list(maps) == ["a", "b", "pool", "c", "d", "e"]
    assert maps["d"].shape == (40, 8, 8, 16)
    part = st.Model(model.input, model.get_layer("c").output)
    assert np.allclose(maps["c"], part.predict(x), atol=1e-5)
    chosen = model.feature_maps(x[:1], ["out", model.get_layer("a")])
    assert list(chosen) == ["out", "a"]
    assert np.allclose(chosen["out"], model.predict(x[:1]), atol=1e-5)
    assert list(model.feature_maps(x[:1], "b")) == ["b"]


def test_grad_cam_by_hand() -> None:
    """With a linear head, the gradient of a score to the maps is the head's column, and Grad-CAM the weighted sum."""
    model = st.Sequential(
        [Input((8, 8, 1)), Conv2D(6, 3, padding="same", name="maps"), GlobalAveragePooling2D(), Dense(3, name="head")],
        seed=1,
    )
    x = rng.normal(size=(40, 8, 8, 1)).astype(np.float32)
    maps, kernel = model.feature_maps(x)["maps"], model.get_layer("head").get_weights()[0]
    for index in range(3):
        want = np.maximum(maps @ kernel[:, index], 0)
        want /= np.maximum(want.max(axis=(1, 2), keepdims=True), 1e-30)
        assert np.allclose(model.grad_cam(x, index), want, atol=1e-5)
    best = model.predict(x).argmax(1)
    assert np.allclose(model.grad_cam(x), model.grad_cam(x, best), atol=1e-6)
    assert np.allclose(model.grad_cam(x)[3], model.grad_cam(x[3:4], int(best[3]), "maps")[0], atol=1e-5)


def test_grad_cam_looks_before_the_softmax() -> None:
    x = rng.normal(size=(5, 8, 8, 1)).astype(np.float32)
    maps = []
    for end in ([Dense(3)], [Dense(3, activation="softmax")], [Dense(3), Softmax()], [Dense(3), Activation("softmax")]):
        stack = [Input((8, 8, 1)), Conv2D(6, 3), ReLU(), GlobalAveragePooling2D(), *end]
        model = st.Sequential(stack, seed=1)
        before = model.get_weights()
        maps.append(model.grad_cam(x, 1))
        assert all(np.array_equal(a, b) for a, b in zip(before, model.get_weights(), strict=True))
    for other in maps[1:]:
        assert np.allclose(maps[0], other, atol=1e-5)


def test_grad_cam_has_the_image_size() -> None:
    model = network()
    heat = model.grad_cam(rng.normal(size=(3, 32, 32, 3)))
    assert heat.shape == (3, 32, 32) and heat.dtype == np.float32
    assert heat.min() >= 0 and set(heat.max(axis=(1, 2)).tolist()) <= {0.0, 1.0}
    constant = model.grad_cam(np.zeros((1, 32, 32, 3)), 0)
    assert np.isfinite(constant).all()


def weighed(maps: np.ndarray, gradients: np.ndarray) -> np.ndarray:
    """Grad-CAM from a layer's maps and the gradient of what is explained."""
    heat = np.maximum((maps * gradients.mean(axis=(1, 2), keepdims=True)).sum(axis=3), 0)
    return heat / np.maximum(heat.max(axis=(1, 2), keepdims=True), 1e-30)


def test_grad_cam_of_pixels_by_hand() -> None:
    """With a linear head of 1x1 convolution, the gradient of a region's sum is the head's column within it."""
    stack = [Input((8, 8, 1)), Conv2D(6, 3, padding="same", activation="relu", name="maps"), Conv2D(3, 1, name="head")]
    model = st.Sequential(stack, seed=1)
    x = rng.normal(size=(40, 8, 8, 1)).astype(np.float32)
    maps, kernel = model.feature_maps(x)["maps"], model.get_layer("head").get_weights()[0][0, 0]
    classes = model.predict(x).argmax(axis=3)
    region = rng.random((40, 8, 8)) < 0.3
    for index in range(3):
        for given, used in ((None, classes == index), (region, region), (region[0], np.repeat(region[:1], 40, axis=0))):
            want = weighed(maps, used[..., None] * kernel[:, index])
            assert np.allclose(model.grad_cam(x, index, region=given), want, atol=1e-5)
    most = np.array([np.bincount(one.ravel(), minlength=3).argmax() for one in classes])
    assert np.allclose(model.grad_cam(x), model.grad_cam(x, most), atol=1e-6)
    one = st.Sequential([*stack[:-1], Conv2D(1, 1, activation="sigmoid", name="head")], seed=1)  # a class and no class
    kernel, there = one.get_layer("head").get_weights()[0][0, 0], one.predict(x) > 0.5
    assert np.allclose(one.grad_cam(x), weighed(one.feature_maps(x)["maps"], there * kernel[:, 0]), atol=1e-5)


def test_grad_cam_of_a_segmentation_is_that_of_the_coarsest_maps() -> None:
    model = st.models.unet((32, 32, 1), 3, base=2, depth=2, seed=0)
    x = rng.normal(size=(3, 32, 32, 1)).astype(np.float32)
    coarsest = [layer.name for layer in model.layers if layer.output_shape[1:3] == (8, 8)][-1]
    assert np.array_equal(model.grad_cam(x, 1), model.grad_cam(x, 1, coarsest))
    assert model.grad_cam(x).shape == (3, 32, 32)


@pytest.mark.parametrize(("classes", "strides"), [(1, (8,)), (3, (4, 8))])
def test_grad_cam_of_boxes(classes: int, strides: tuple[int, ...]) -> None:
    """The gradient of the object's score and its class's, at the places within the box."""
    model = st.models.detector((32, 32, 1), classes, base=2, strides=strides, seed=0)
    x = rng.normal(size=(3, 32, 32, 1)).astype(np.float32)
    boxes = np.array([[0, 0, 16, 16], [4, 8, 30, 28], [8, 8, 24, 20]], np.float64)
    label = classes - 1
    output = model.predict(x)
    slope = np.zeros_like(output)
    first = 0
    for stride in strides:
        for place in range((32 // stride) ** 2):
            row, column = (place // (32 // stride) + 0.5) * stride, (place % (32 // stride) + 0.5) * stride
            where = np.unravel_index(first + place, output.shape[1:3])
            for image, (x1, y1, x2, y2) in enumerate(boxes):
                if x1 <= column <= x2 and y1 <= row <= y2:
                    slope[(image, *where, 4)] = 1
                    slope[(image, *where, 5 + label)] = classes > 1
        first += (32 // stride) ** 2
    layers = [layer.name for layer in model.layers]
    name = layers[layers.index(f"stride{strides[0]}_conv") - 1] if strides == (8,) else None
    trunk = [layer.name for layer in model.layers if layer.output_shape[1:3] == (32 // strides[0],) * 2]
    name = name or [one for one in trunk if one.startswith("scale")][-1]
    network = model._network
    node = network.layer(network.find_layer(name))[2]
    (values,), (gradients,) = network.node_gradients([x], [slope], [node])
    found = model.grad_cam(x, label, region=boxes)
    assert found.shape == (3, 32, 32)
    assert np.array_equal(found, model.grad_cam(x, label, name, boxes))
    heat = weighed(values, gradients)
    centre = 32 // strides[0] // 2
    assert heat.max() == 1 and np.isfinite(heat[:, centre]).all()
    assert np.allclose(found.max(axis=(1, 2)), heat.max(axis=(1, 2)) > 0, atol=1e-6)
    best = st.detection.detect(model, x, score_threshold=0.0)
    surest, labels = np.stack([one.boxes[0] for one in best]), [int(one.labels[0]) for one in best]
    assert np.array_equal(model.grad_cam(x), model.grad_cam(x, labels, region=surest))


def test_grad_cam_of_what_does_not_fit() -> None:
    x = np.zeros((2, 32, 32, 1), np.float32)
    classifier = st.models.lenet((32, 32, 1), 3, seed=0)
    with pytest.raises(ValueError, match="a region is for outputs of maps"):
        classifier.grad_cam(x, region=np.ones((32, 32)))
    unet = st.models.unet((32, 32, 1), 3, base=2, depth=2, seed=0)
    with pytest.raises(ValueError, match=r"a mask of shape \(2, 32, 32\) or \(32, 32\), got \(4,\)"):
        unet.grad_cam(x, region=[0, 0, 1, 1])
    detector = st.models.detector((32, 32, 1), 2, base=2, seed=0)
    with pytest.raises(ValueError, match="one box for each of 2 images, got 3 boxes"):
        detector.grad_cam(x, region=[[0, 0, 1, 1]] * 3)
    with pytest.raises(ValueError, match="class_index must be 0 to 1, got 2"):
        detector.grad_cam(x, 2)


def test_grad_cam_points_at_the_digit() -> None:
    """A network that tells apart where a bright spot is looks at the spot."""
    spots = rng.integers(2, 14, (400, 2))
    x = np.zeros((400, 16, 16, 1), np.float32)
    for image, (row, column) in zip(x, spots, strict=True):
        image[row - 1 : row + 2, column - 1 : column + 2] = 1
    y = spots[:, 0] > 7
    model = st.Sequential(
        [Input((16, 16, 1)), Conv2D(8, 3, padding="same", activation="relu"), Flatten(), Dense(2)], seed=0
    )
    model.compile(st.optimizers.Adam(1e-2), st.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, y, epochs=5, verbose=0)
    heat = model.grad_cam(x[:50])
    top = np.array([np.unravel_index(one.argmax(), one.shape) for one in heat])
    near = np.abs(top - spots[:50]).max(axis=1) <= 2
    assert near.mean() > 0.8
