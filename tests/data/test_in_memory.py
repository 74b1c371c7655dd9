"""Data sets whose files are read on demand: rows, messages and training are those of the data set in memory."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from annotated import CAT, coco, voc

import striate as st
from striate.data import CocoDetection, SegmentationFolder, VocDetection, image_dataset_from_directory
from striate.layers import Conv2D, Dense, Flatten, Input

Image = pytest.importorskip("PIL.Image", reason="needs striate[data]")


def save(path: Path, array: Any, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **options)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for place in range(21):
        end = ("jpg", "png")[place % 2]
        save(
            tmp_path / f"{'abc'[place % 3]}/{place}.{end}",
            rng.integers(0, 256, (12 + place % 2, 14, 3), dtype=np.uint8),
        )
    return tmp_path


def fitted(data: Any, classes: int, shape: Any = (8, 8, 3), **options: Any) -> Any:
    model = st.Sequential([Input(shape), Conv2D(4, 3), Flatten(), Dense(classes)], seed=0)
    model.compile("adam", st.losses.SparseCategoricalCrossentropy(from_logits=True), metrics=["accuracy"])
    history = model.fit(data, epochs=2, batch_size=4, verbose=0, **options).history
    values = model.evaluate(data, verbose=0)
    return history, values, [weight.tobytes() for weight in model.get_weights()]


@pytest.mark.parametrize("skip_bad", [False, True])
def test_a_folder_gives_the_bits_of_the_one_in_memory(folder: Path, skip_bad: bool) -> None:
    if skip_bad:
        (folder / "b" / "zz.png").write_bytes(b"no picture")
    options: dict[str, Any] = {
        "image_size": 8,
        "validation_split": 0.3,
        "subset": "both",
        "seed": 4,
        "skip_bad": skip_bad,
    }
    (train, test), (train_later, test_later) = (
        image_dataset_from_directory(folder, in_memory=kept, **options) for kept in (True, False)
    )
    assert train.in_memory and not train_later.in_memory
    for now, later in ((train, train_later), (test, test_later)):
        assert np.array_equal(now.labels, later.labels) and now.file_paths == later.file_paths
        assert now.skipped == later.skipped and now.class_names == later.class_names
        rows = [later.rows[place] for place in range(len(later))]
        assert np.array_equal(np.stack([x for x, _ in rows]), now.images) and [y for _, y in rows] == list(now.labels)
    augment = st.data.Augment(flip_horizontal=True, brightness=0.1)
    expected = fitted(train, 3, validation_data=test, augment=augment)
    assert fitted(train_later, 3, validation_data=test_later, augment=augment) == expected
    model = st.Sequential([Input((8, 8, 3)), Flatten(), Dense(2)], seed=0)
    np.testing.assert_array_equal(model.predict(train_later, batch_size=5), model.predict(train, batch_size=5))


def test_what_is_not_in_memory_says_so(folder: Path) -> None:
    data = image_dataset_from_directory(folder, image_size=8, in_memory=False)
    assert repr(data) == "ImageDataset(21 images, not in memory, 3 classes)"
    for name in ("images", "x"):
        with pytest.raises(AttributeError, match=r"was made with in_memory=False and has no images"):
            getattr(data, name)


@pytest.mark.parametrize("in_memory", [True, False])
def test_iterating_gives_batches(folder: Path, in_memory: bool) -> None:
    options: dict[str, Any] = {"image_size": 8, "seed": 1}
    whole = image_dataset_from_directory(folder, **options)
    data = image_dataset_from_directory(folder, batch_size=6, in_memory=in_memory, **options)
    batches = list(data)
    assert [x.shape[0] for x, _ in batches] == [6, 6, 6, 3]
    assert np.array_equal(np.concatenate([x for x, _ in batches]), whole.images)
    assert np.array_equal(np.concatenate([y for _, y in batches]), whole.labels)
    assert batches[0][1].dtype == np.int64
    one_by_one = image_dataset_from_directory(folder, batch_size=None, in_memory=in_memory, **options)
    assert [(x.shape, y) for x, y in one_by_one] == [((8, 8, 3), y) for y in whole.labels]
    alone = image_dataset_from_directory(folder, labels=None, batch_size=20, in_memory=in_memory, **options)
    assert [x.shape for x in alone] == [(20, 8, 8, 3), (1, 8, 8, 3)]
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        image_dataset_from_directory(folder, batch_size=0)


def test_a_file_that_turns_bad_or_is_of_another_size_is_named(folder: Path) -> None:
    data = image_dataset_from_directory(folder, in_memory=False, image_size=8, shuffle=False)
    whole = image_dataset_from_directory(folder, in_memory=False, image_size=None, shuffle=False)
    with pytest.raises(ValueError, match=rf"{folder}/./\d+.png: its input has shape \(13, 14, 3\), the first row's"):
        fitted(whole, 3, (12, 14, 3))
    (folder / "b" / "7.png").write_bytes(b"no picture")
    with pytest.raises(OSError, match=f"cannot read the image {folder}/b/7.png: it is not a picture"):
        fitted(data, 3)


def test_deep_grey_has_the_window_of_the_data_set(tmp_path: Path) -> None:
    for place in range(6):
        values = np.linspace(0, 200 + 99 * place, 64).astype(np.uint16).reshape(8, 8)
        save(tmp_path / f"{'ab'[place % 2]}/{place}.png", values)
    options: dict[str, Any] = {"image_size": 8, "color_mode": "grayscale", "shuffle": False}
    with pytest.warns(UserWarning, match="hold grey of more than 8 bits"):
        now = image_dataset_from_directory(tmp_path, **options)
    with pytest.warns(UserWarning, match="hold grey of more than 8 bits"):
        later = image_dataset_from_directory(tmp_path, in_memory=False, **options)
    assert later.default_window == now.default_window is not None
    assert np.array_equal(np.concatenate([x for x, _ in later]), now.images)
    save(tmp_path / "a/0.png", np.zeros((8, 8), np.uint8))
    mixed = image_dataset_from_directory(tmp_path, in_memory=False, **options)
    with pytest.raises(ValueError, match=r"2.png holds grey of more than 8 bits, and the first picture does not"):
        list(mixed)


@pytest.mark.parametrize(
    ("values", "masks"), [(None, (0, 255)), (None, (0, 1, 2)), ({0: 0, 9: 1, 7: 255}, (0, 9, 7)), ("nonzero", (0, 3))]
)
def test_masks_give_the_bits_of_those_in_memory(tmp_path: Path, values: Any, masks: Any) -> None:
    rng = np.random.default_rng(1)
    for place in range(9):
        save(tmp_path / f"i/{place}.png", rng.integers(0, 256, (10, 9, 3), dtype=np.uint8))
        save(tmp_path / f"m/{place}.png", rng.choice(np.array(masks, np.uint8), (10, 9)))
    options: dict[str, Any] = {
        "values": values,
        "size": (8, 8),
        "ignore_class": 255 if values == {0: 0, 9: 1, 7: 255} else None,
    }
    now, later = (
        SegmentationFolder(tmp_path / "i", tmp_path / "m", in_memory=kept, **options) for kept in (True, False)
    )
    assert now.class_names == later.class_names and now.mask_paths == later.mask_paths and now.frames == later.frames
    batches = list(later)
    assert np.array_equal(np.concatenate([x for x, _ in batches]), now.images)
    assert np.array_equal(np.concatenate([y for _, y in batches]), now.labels)
    assert batches[0][1].dtype == now.labels.dtype
    with pytest.raises(AttributeError, match="SegmentationFolder was made with in_memory=False and has no labels"):
        _ = later.labels
    save(tmp_path / "m/3.png", np.zeros((5, 5), np.uint8))
    for kept in (True, False):
        with pytest.raises(ValueError, match=r"3.png is 5x5, its image .*3.png 10x9"):
            list(SegmentationFolder(tmp_path / "i", tmp_path / "m", in_memory=kept, **options))


def test_boxes_are_those_in_memory(tmp_path: Path) -> None:
    box = {"id": 2, "image_id": 1, "category_id": 1, "bbox": [5, 5, 100, 100], "iscrowd": 1}
    paths = coco(tmp_path / "coco", annotations=[box])
    root = voc(tmp_path / "voc", {"a": CAT, "b": CAT * 2, "c": ""})
    for kind, places in ((CocoDetection, paths), (VocDetection, (root, None))):
        now, later = (kind(*places, size=(32, 32), in_memory=kept) for kept in (True, False))
        assert len(later) == len(now) and later.class_names == now.class_names and later.file_paths == now.file_paths
        found = [later.rows[place] for place in range(len(later))]
        assert np.array_equal(np.stack([x for x, _ in found]), now.images)
        for (_, (boxes, labels, _)), (expected, numbers) in zip(found, now.targets, strict=True):
            assert boxes.tobytes() == expected.tobytes() and np.array_equal(labels, numbers)
        assert "not in memory" in repr(later)
        for name in ("images", "targets", "crowds", "fixed"):
            with pytest.raises(AttributeError, match=f"in_memory=False and has no {name}"):
                getattr(later, name)
        assert [len(y) for _, y in now] == [len(now)]

        def fit(data: Any) -> Any:
            model = st.models.detector((32, 32, 3), len(now.class_names), seed=0)  # noqa: B023
            model.compile("adam", st.losses.DetectionLoss(), metrics=[st.metrics.MeanAveragePrecision()])
            return repr(model.fit(data, epochs=2, batch_size=2, verbose=0).history), model.get_weights()[0].tobytes()

        assert fit(later) == fit(now)
