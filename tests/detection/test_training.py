"""Lists of boxes in fit, evaluate and the metrics; the detector is saved and loaded like any model."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import striate as st
from striate import losses, metrics, models
from striate.data import Augment, DetectionDataset, digit_scenes
from striate.data.targets import Target
from striate.detection import detect

SCENES = digit_scenes(24, 32, (0, 2), sides=(10, 16), seed=0)
IMAGES = SCENES.images.astype(np.float32) / 255


def small(**more: Any) -> st.Model:
    model = models.detector((32, 32, 1), 10, base=4, strides=(8,), seed=1)
    model.compile(st.optimizers.Adam(0.01), **{"loss": losses.DetectionLoss((8,)), **more})
    return model


@pytest.fixture
def model() -> st.Model:
    return small(metrics=["mean_average_precision", metrics.MeanAveragePrecision(0.5, name="ap50")])


def test_fit_shuffles_splits_and_measures(model: st.Model) -> None:
    history = model.fit(IMAGES, SCENES.targets, batch_size=5, epochs=3, validation_split=0.25, verbose=0).history
    assert set(history) == {f"{a}{b}" for a in ("", "val_") for b in ("loss", "mean_average_precision", "ap50")}
    assert history["loss"][-1] < history["loss"][0]
    again = small().fit(IMAGES[:18], SCENES.targets[:18], batch_size=5, epochs=3, verbose=0).history
    assert again["loss"] == history["loss"]


def test_metrics_are_those_of_the_whole_set(model: st.Model) -> None:
    model.fit(IMAGES, SCENES.targets, epochs=2, verbose=0)
    found = model.evaluate(IMAGES, SCENES.targets, batch_size=7, return_dict=True, verbose=0)
    metric = metrics.MeanAveragePrecision()
    metric.update_state(SCENES.targets, detect(model, IMAGES, score_threshold=0.01))
    assert found["mean_average_precision"] == pytest.approx(metric.result())
    assert found["ap50"] == pytest.approx(np.nanmean(metric.per_class(0.5)))
    alone = losses.DetectionLoss((8,))(SCENES.targets, model.predict(IMAGES))
    assert model.evaluate(IMAGES, SCENES.targets, batch_size=24, return_dict=True, verbose=0)["loss"] == pytest.approx(
        alone, rel=1e-6
    )


def test_a_metric_cannot_write_into_boxes() -> None:
    seen = []

    class Own(metrics.MeanAveragePrecision):
        def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None, **marks: Any) -> None:
            arrays = [array for image in (*y_true, *y_pred) for array in image] + list(marks["ignored"])
            seen.extend(array.flags.writeable for array in arrays)
            assert len(y_true) and y_pred[0].scores is y_pred[0][2]
            super().update_state(y_true, y_pred, sample_weight, **marks)

    small(metrics=[Own()]).evaluate(IMAGES, SCENES.targets, verbose=0)
    assert len(seen) == 6 * len(IMAGES) and not any(seen)


def test_validation_data_and_python_lists(model: st.Model) -> None:
    lists = [(boxes.tolist(), labels.tolist()) for boxes, labels in SCENES.targets]
    history = model.fit(IMAGES, lists, epochs=1, validation_data=(IMAGES[:4], lists[:4]), verbose=0).history
    other = small().fit(IMAGES, SCENES.targets, epochs=1, verbose=0).history
    assert history["loss"] == other["loss"] and len(history["val_ap50"]) == 1


def test_images_without_boxes_teach_background() -> None:
    model = small()
    empty = [(np.zeros((0, 4)), np.zeros(0, np.int64))] * len(IMAGES)
    before = model.test_on_batch(IMAGES, empty)
    history = model.fit(IMAGES, empty, epochs=3, verbose=0).history["loss"]
    assert 0 < history[-1] < history[0] and before > 0
    assert all(len(one.boxes) == 0 for one in detect(model, IMAGES))


@pytest.fixture
def threads() -> Iterator[None]:
    before = st.get_num_threads()
    yield
    st.set_num_threads(before)


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize("box_loss", ["giou", "ciou"])
def test_training_gives_the_same_bits_at_any_number_of_threads(box_loss: str) -> None:
    states = []
    for count in (1, 2, 3, 4):
        st.set_num_threads(count)
        model = small(loss=losses.DetectionLoss((8,), box_loss))
        model.fit(IMAGES, SCENES.targets, batch_size=8, epochs=2, verbose=0)
        states.append(model.state_dict())
    for state in states[1:]:
        assert all(np.array_equal(value, states[0][name]) for name, value in state.items())


def test_a_dataset_brings_its_crowds() -> None:
    targets = [Target(b, y, np.zeros(len(y), bool), y < 5, np.ones(len(y))) for b, y in SCENES.targets]
    dataset = DetectionDataset(IMAGES, targets, list("0123456789"), [""] * len(IMAGES), {}, [])
    lists = [(boxes, labels, labels < 5) for boxes, labels in SCENES.targets]
    one, other = (small(metrics=["mean_average_precision"]) for _ in range(2))
    history = one.fit(dataset, epochs=2, validation_data=dataset, verbose=0).history
    assert history == other.fit(IMAGES, lists, epochs=2, validation_data=(IMAGES, lists), verbose=0).history
    assert history["loss"] != small().fit(IMAGES, SCENES.targets, epochs=2, verbose=0).history["loss"]


def test_boxes_move_with_augmented_pixels(model: st.Model) -> None:
    moved: list[Any] = []

    class Watched(Augment):
        def boxes(self, *args: Any, **more: Any) -> Any:
            moved.append(super().boxes(*args, **more))
            return moved[-1]

    augment = Watched(flip_horizontal=1.0)
    mirrored = [(b[:, [2, 1, 0, 3]] * [-1, 1, -1, 1] + [32, 0, 32, 0], y) for b, y in SCENES.targets]
    history = model.fit(IMAGES, SCENES.targets, batch_size=8, shuffle=False, augment=augment, verbose=0).history
    for one, other in zip([one for batch in moved for one in batch], mirrored, strict=True):
        np.testing.assert_allclose(one[0], other[0], atol=1e-5)
        assert np.array_equal(one[1], other[1])
    plain = small(metrics=["mean_average_precision"])
    want = plain.fit(IMAGES[:, :, ::-1], mirrored, batch_size=8, shuffle=False, verbose=0).history
    assert history["loss"] == pytest.approx(want["loss"], rel=1e-5)
    assert history["mean_average_precision"] == pytest.approx(want["mean_average_precision"], rel=1e-3, abs=1e-6)
    # One that only changes colours leaves them where they are.
    colours = small().fit(IMAGES, SCENES.targets, augment=lambda x, *_: x, verbose=0).history
    assert colours["loss"] == pytest.approx(small().fit(IMAGES, SCENES.targets, verbose=0).history["loss"])


def test_boxes_move_in_the_core_as_in_python() -> None:
    class Derived(Augment):
        """Goes by way of Python."""

    changes = {"flip_horizontal": 0.5, "rotation": 20.0, "shift": 0.3, "zoom": 0.2, "seed": 3}
    ignored = [(boxes, labels, np.arange(len(labels)) == 0) for boxes, labels in SCENES.targets]
    for targets in (SCENES.targets, ignored):
        histories = [
            small(metrics=["mean_average_precision"])
            .fit(IMAGES, targets, batch_size=7, epochs=3, augment=kind(**changes), verbose=0)
            .history
            for kind in (Augment, Derived)
        ]
        assert histories[0].keys() == histories[1].keys()
        for name, values in histories[0].items():
            assert values == pytest.approx(histories[1][name], rel=1e-4, abs=1e-4)


def test_boxes_that_do_not_fit_are_counted() -> None:
    model = small()
    targets = [([[-2, 3, 9, 12], [40, 2, 50, 9], [5, 5, 5, 9]], [1, 2, 3])] * 2
    words = "fit: y: of the boxes 2 without extent and 2 outside their image were dropped, 2 that reach beyond it were"
    with pytest.warns(UserWarning, match=words):
        loss = model.fit(IMAGES[:2], targets, verbose=0).history["loss"]
    assert loss == small().fit(IMAGES[:2], [([[0, 3, 9, 12]], [1])] * 2, verbose=0).history["loss"]


@pytest.mark.parametrize("strides", [(8,), (4, 8)])
def test_it_is_saved_whole(strides: tuple[int, ...], tmp_path: Path) -> None:
    model = models.detector((32, 48, 1), 3, base=2, strides=strides, rescale=1 / 255, seed=3)
    model.compile("adam", losses.DetectionLoss(strides), metrics=["mean_average_precision"])
    x = np.random.default_rng(0).integers(0, 256, (6, 32, 48, 1), np.uint8)
    y = [([[4, 5, 20, 25]], [2])] * 6
    model.fit(x, y, epochs=2, verbose=0)
    model.save(tmp_path / "detector.safetensors")
    again = st.load_model(tmp_path / "detector.safetensors")
    assert np.array_equal(again.predict(x), model.predict(x))
    assert again.evaluate(x, y, verbose=0) == model.evaluate(x, y, verbose=0)


def test_what_does_not_fit() -> None:
    with pytest.raises(
        ValueError, match=r"\[DetectionLoss\] with strides \(4, 8\) takes the output .* but the model's"
    ):
        models.detector((64, 64, 1), 2, base=2, strides=(8, 16)).compile("adam", losses.DetectionLoss((4, 8)))
    for accuracy in ("accuracy", "mean_iou"):
        with pytest.raises(ValueError, match="cannot be used for an output that is trained with DetectionLoss"):
            small(metrics=[accuracy])
    with pytest.raises(ValueError, match="trained with MeanSquaredError; use DetectionLoss"):
        models.lenet().compile("adam", "mse", metrics=["mean_average_precision"])
    with pytest.raises(ValueError, match="class_weight is for labels, not for boxes"):
        small().fit(IMAGES, SCENES.targets, class_weight={1: 2.0}, verbose=0)
    with pytest.raises(ValueError, match="fit: x has 24 rows, y has 23"):
        small().fit(IMAGES, SCENES.targets[1:], verbose=0)
    with pytest.raises(ValueError, match="fit: y: image 0 has the label 10, but the model has 10 classes"):
        small().fit(IMAGES[:1], [([[1, 2, 3, 4]], [10])], verbose=0)
    with pytest.raises(TypeError, match="fit: y must be a list with one"):
        small().fit(IMAGES, np.zeros(24), verbose=0)
    packed = np.zeros((1, 100, 5), np.float32)
    for row, message in [
        ([1, 2, 3, 4, 10], "labels must be whole numbers within 0 to 9 for an output of 10 class"),
        ([1, 2, 3, 4, 0.5], "labels must be whole numbers within 0 to 9"),
        ([1, 2, 1, 4, 0], r"boxes must be finite with x2 > x1 and y2 > y1, got \(1, 2, 1, 4\) \(image 0\)"),
        ([1, 2, np.nan, 4, 0], "boxes must be finite with x2 > x1"),
    ]:
        packed[..., 4], packed[0, 0] = -1, row
        with pytest.raises(ValueError, match=message):
            small().fit(IMAGES[:1], packed, verbose=0)
    for arguments, message in [
        ({"box_loss": "diou"}, "box_loss must be 'giou' or 'ciou', got 'diou'"),
        ({"alpha": 2.0}, "alpha must be within 0 to 1"),
        ({"gamma": -1.0}, "gamma must be a number of at least 0"),
        ({"max_boxes": 0}, "max_boxes must be within 1 to 1000000, got 0"),
        ({"strides": (8, 24)}, "strides must double from each to the next"),
    ]:
        with pytest.raises(ValueError, match=message):
            losses.DetectionLoss(**arguments)


def test_the_network() -> None:
    model = models.detector((64, 96, 3), 7, base=4, strides=(8, 16), depth=2, seed=0)
    assert model.output_shape == (None, 10, 12, 12)
    names = [layer.name for layer in model.layers]
    assert "stride8_boxes" in names and "stride16_boxes" in names and "scale4_conv2_bn" in names
    filters = [layer.get_config()["filters"] for layer in model.layers if layer.name.startswith("scale") and
               layer.name.endswith("conv1")]  # fmt: skip
    assert filters == [4, 8, 16, 32, 32]
    x = np.random.default_rng(0).normal(0, 1, (2, 64, 96, 3)).astype(np.float32)
    odds = 1 / (1 + np.exp(-model.predict(x)[..., 4]))
    assert np.median(odds) < 0.05  # before anything is learned
    for arguments, message in [
        ({"strides": (8, 32)}, "strides that double"),
        ({"strides": (6,)}, "strides of 2, 4, 8 and so on"),
        ({"strides": ()}, "strides of 2, 4, 8 and so on"),
        ({"input_shape": (48, 96, 3)}, "a height in multiples of 32 and a width in multiples of 16, got 48 x 96; give"),
        ({"depth": 0}, "base and depth of at least 1"),
    ]:
        with pytest.raises(ValueError, match=message):
            models.detector(**{"input_shape": (64, 96, 3), **arguments})


def test_boxes_within_0_and_1_are_doubted(model: st.Model) -> None:
    height, width = IMAGES.shape[1:3]
    scale = np.array([width, height, width, height], np.float32)
    normalised = [(boxes / scale, labels) for boxes, labels in SCENES.targets]
    with pytest.warns(
        UserWarning, match=rf"within 0 \.\. 1; boxes are in pixels: multiply x by the width, {width}, and y"
    ):
        model.evaluate(IMAGES[:4], normalised[:4], verbose=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model.evaluate(IMAGES[:4], SCENES.targets[:4], verbose=0)
        model.evaluate(IMAGES[:2], [(np.zeros((0, 4)), np.zeros(0, int))] * 2, verbose=0)
