"""COCO files as tools write them, and hostile ones."""

import json
import math
import os

import numpy as np
import pytest
from annotated import coco, picture

from striate.data import CocoDetection
from striate.data.rle import box_of

HUGE = 10**4000


@pytest.mark.parametrize(
    "changes",
    [
        {"category": {"id": "1"}, "annotation": {"category_id": "1"}},
        {"category": {"id": "1"}},
        {"category": {"id": 1.0}},
        {"image": {"id": "1"}},
        {"image": {"id": "img-1"}, "annotation": {"image_id": "img-1"}},
        {"category": {"id": "c-1"}, "annotation": {"category_id": "c-1"}},
        {"image": {"width": None, "height": None}},
        {"image": {"width": "30", "height": 20.0}},
        {"image": {"width": 0, "height": 0}},
        {"annotation": {"area": None}},
        {"annotation": {"area": "72"}},
        {"annotation": {"iscrowd": None}},
        {"annotation": {"iscrowd": "0"}},
        {"annotation": {"iscrowd": False}},
        {"annotation": {"bbox": ["1", "2.0", 8, 9.0]}},
        {"annotation": {"id": None}},
        {"annotation": {"bbox": [], "segmentation": [[1, 2, 9, 2, 9, 11]]}},
        {"annotation": {"bbox": None, "segmentation": [1, 2, 9, 2, 9, 11]}},
        {"annotation": {"bbox": [0, 0, 0, 0], "segmentation": [[1, 2, 9, 2], [9, 11, 3, 3]]}},
    ],
)
def test_ordinary_files(tmp_path, changes):
    data = CocoDetection(*coco(tmp_path, **changes))
    assert data.targets[0][0].tolist() == [[1, 2, 9, 11]] and data.areas[0].tolist() == [72]
    assert data.targets[0][1].tolist() == [0] and not data.crowds[0].any() and data.skipped == []


@pytest.mark.parametrize(("value", "crowd"), [("1", True), (1, True), (True, True), ("true", True), ("", False)])
def test_crowds(tmp_path, value, crowd):
    assert CocoDetection(*coco(tmp_path, annotation={"iscrowd": value})).crowds[0].tolist() == [crowd]


def test_empty_boxes_are_dropped_and_counted(tmp_path):
    for annotation in ({"bbox": []}, {"bbox": None}, {"bbox": [3, 3, 0, 4]}, {"bbox": [], "segmentation": []}):
        data = CocoDetection(*coco(tmp_path, annotation=annotation))
        assert len(data.targets[0][0]) == 0 and data.fixed["degenerate"] == 1


def test_missing_lists_are_named(tmp_path):
    for key in ("annotations", "images", "categories"):
        with pytest.raises(ValueError, match=f"needs the key '{key}' with a list"):
            CocoDetection(*coco(tmp_path, drop=[key]), skip_bad=True)


def masks(count=40):
    rng = np.random.default_rng(0)
    for _ in range(count):
        height, width = rng.integers(1, 12, 2)
        yield rng.random((height, width)) < rng.uniform(0, 0.5)


def compressed(runs):
    text = ""
    for place, run in enumerate(runs):
        value = run - (runs[place - 2] if place > 2 else 0)
        more = True
        while more:
            bits = value & 31
            value >>= 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(bits + (32 if more else 0) + 48)
    return text


def test_boxes_around_run_lengths():
    for mask in masks():
        flat = np.concatenate([[0], mask.T.ravel(), [2]])
        ends = np.flatnonzero(np.diff(flat[:-1].astype(int), prepend=0))
        runs = np.diff(np.concatenate([[0], ends - 1, [mask.size]])).tolist()
        rows, columns = np.nonzero(mask)
        expected = None
        if len(rows):
            expected = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
        size = list(mask.shape)
        assert box_of({"size": size, "counts": runs}) == expected
        assert box_of({"size": size, "counts": compressed(runs)}) == expected


@pytest.mark.parametrize(
    "segmentation",
    [
        {"size": [4, 4], "counts": "~~~"},
        {"size": [4, 4], "counts": "oooooooooooooooo"},
        {"size": [4, 4], "counts": [3, 4]},
        {"size": [4, 4], "counts": [-1, 17]},
        {"size": [2**40, 2**40], "counts": [1]},
        {"size": [0, 4], "counts": []},
        {"size": "44", "counts": []},
        {"size": [4, 4], "counts": None},
        {"size": [4, 4], "counts": [HUGE]},
        [[1, 2, 3]],
        [[1, "a"]],
        [[1, math.nan]],
        [[1, HUGE]],
        [1, [2]],
        "polygon",
    ],
)
def test_masks_that_are_none(tmp_path, segmentation):
    with pytest.raises(ValueError, match=r"segmentation|polygon"):
        box_of(segmentation)
    paths = coco(tmp_path, annotation={"bbox": [], "segmentation": segmentation}, images=[SECOND])
    picture(tmp_path / "b.jpg")
    assert len(CocoDetection(*paths, skip_bad=True)) == 1


SECOND = {"id": 2, "file_name": "b.jpg"}
NUMBERS = [math.inf, -math.inf, math.nan, HUGE, -HUGE, "1e999", "nan", "x", "9" * 400, [], {}, True]
HOSTILE = [
    *({"annotation": {"bbox": [1, 2, value, 4]}} for value in NUMBERS),
    *({"annotation": {"area": value}} for value in NUMBERS),
    *({"image": {"height": value}} for value in NUMBERS),
    *({"annotation": {"iscrowd": value}} for value in (math.nan, HUGE, "maybe", [], {})),
    *({"annotation": {"category_id": value}} for value in (*NUMBERS, None, 9)),
    *({"annotation": {"image_id": value}} for value in (*NUMBERS, None, 9)),
    *({"category": {"id": value}} for value in (math.inf, math.nan, None, [], {}, True, HUGE)),
    *({"category": {"name": value}} for value in (None, "", " ", [], {}, "\ud800", True)),
    *({"image": {"id": value}} for value in (math.inf, math.nan, None, [], {}, True, HUGE)),
    *(
        {"image": {"file_name": value}}
        for value in (None, 1, "", [], "../a.jpg", "x/../../a.jpg", "/etc/passwd", "a\0.jpg", "\ud800", "b\n.jpg")
    ),
    {"image": {"file_name": "n" * 10_000}},
    {"image": {"file_name": "d/" * 5_000}},
    {"annotation": {"bbox": [1e308, 1, 1e308, 1]}},
    {"annotation": {"bbox": {"x": 1}}},
    {"annotation": {"bbox": "1234"}},
    {"annotations": [None]},
    {"annotations": ["x"]},
    {"annotations": [[1]]},
    {"annotations": [{}]},
    {"images": [None]},
    {"images": [{"id": 1, "file_name": "c.jpg"}]},
    {"images": [{"id": 3, "file_name": "a.jpg"}]},
    {"categories": [None]},
    {"categories": [{"id": 1, "name": "other"}]},
]


@pytest.mark.parametrize("changes", HOSTILE, ids=lambda changes: repr(changes)[:60])
def test_what_cannot_be_used_is_an_error_or_skipped_and_listed(tmp_path, changes):
    """Every such entry, and no error but the documented ones; the rest is read."""
    images = [SECOND, *changes.get("images", [])]
    paths = coco(tmp_path, **{**changes, "images": images})
    picture(tmp_path / "b.jpg")
    with pytest.raises((ValueError, OSError)) as refused:
        CocoDetection(*paths)
    assert type(refused.value).__module__ != "json.decoder" and str(refused.value)
    data = CocoDetection(*paths, skip_bad=True)
    assert 2 in data.image_ids and len(data.skipped) >= 1
    assert all(isinstance(text, str) for pair in data.skipped for text in pair)


def test_numbers_of_json_beyond_python(tmp_path):
    for text in ("1e999", "Infinity", "-Infinity", "NaN", "9" * 4000):
        folder, path = coco(tmp_path)
        path.write_text(path.read_text().replace("[1, 2, 8, 9]", f"[1, 2, {text}, 9]"))
        with pytest.raises(ValueError, match=r"a\.jpg\) has a box that cannot be used: bbox must be a finite number"):
            CocoDetection(folder, path)
        with pytest.raises(OSError, match="none of 1 images could be used"):
            CocoDetection(folder, path, skip_bad=True)
    path.write_text("[" * 100_000)
    with pytest.raises(OSError, match="cannot read the annotations"):
        CocoDetection(folder, path, skip_bad=True)
    path.write_text("9" * 5000)
    with pytest.raises(OSError, match="cannot read the annotations"):
        CocoDetection(folder, path, skip_bad=True)


def test_links_in_the_folder_are_followed(tmp_path):
    folder, path = coco(tmp_path / "set", image={"file_name": "link.jpg"})
    os.symlink(picture(tmp_path / "elsewhere" / "a.jpg"), folder / "link.jpg")
    assert len(CocoDetection(folder, path)) == 1


def test_names_from_windows(tmp_path):
    folder, path = coco(tmp_path, image={"file_name": "sub\\a.jpg"})
    picture(tmp_path / "sub" / "a.jpg")
    assert CocoDetection(folder, path).file_paths == [str(tmp_path / "sub" / "a.jpg")]


def test_each_image_keeps_its_own_id(tmp_path):
    names = ("x.jpg", "y.jpg", "z.jpg")
    more = [{"id": f"n{place}", "file_name": name} for place, name in enumerate(names)]
    paths = coco(tmp_path, images=more)
    for name in names[1:]:
        picture(tmp_path / name)
    assert CocoDetection(*paths, skip_bad=True).image_ids == [1, "n1", "n2"]


def test_categories_of_both_kinds(tmp_path):
    more = [{"id": "b", "name": "x"}, {"id": 10, "name": "y"}, {"id": "2", "name": "z"}]
    data = CocoDetection(*coco(tmp_path, categories=more))
    assert data.category_ids == [1, 2, 10, "b"] and data.class_names == ["c", "z", "y", "x"]


def test_the_file_is_json_of_utf_8_with_a_mark(tmp_path):
    folder, path = coco(tmp_path)
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps(json.loads(path.read_text())).encode())
    assert len(CocoDetection(folder, path)) == 1
