import json

import numpy as np
import pytest
from PIL import Image

from striate.data import CocoDetection, VocDetection


def picture(number, height=20, width=30):
    return np.random.default_rng(number).integers(0, 256, (height, width, 3), dtype=np.uint8)


def coco(folder, annotations, count=3, height=20, width=30, **changes):
    (folder / "images").mkdir(exist_ok=True)
    for n in range(count):
        Image.fromarray(picture(n, height, width)).save(folder / "images" / f"{n}.png")
    content = {
        "images": [{"id": 10 + n, "file_name": f"{n}.png", "height": height, "width": width} for n in range(count)],
        "categories": [{"id": 7, "name": "tree"}, {"id": 3, "name": "bush"}],
        "annotations": [
            dict(zip(("image_id", "category_id", "bbox"), row[:3], strict=True), **(row[3:] or [{}])[0])
            for row in annotations
        ],
    }
    (folder / "boxes.json").write_text(json.dumps(content | changes))
    return folder / "images", folder / "boxes.json"


GOOD = [(10, 7, [1, 2, 4, 5]), (10, 3, [10.5, 3, 6, 6], {"iscrowd": 1, "area": 12.5}), (12, 3, [0, 0, 30, 20])]


def test_coco(tmp_path):
    data = CocoDetection(*coco(tmp_path, GOOD))
    assert data.class_names == ["bush", "tree"] and data.category_ids == [3, 7] and data.image_ids == [10, 11, 12]
    assert data.images.dtype == np.uint8 and all(np.array_equal(data.images[n], picture(n)) for n in range(3))
    boxes, labels = data.targets[0]
    assert boxes.dtype == np.float32 and boxes.tolist() == [[1, 2, 5, 7], [10.5, 3, 16.5, 9]]
    assert labels.dtype == np.int64 and labels.tolist() == [1, 0]
    assert data.crowds[0].tolist() == [False, True] and data.areas[0].tolist() == [20, 12.5]
    assert data.targets[1][0].shape == (0, 4) and data.targets[1][1].shape == (0,)
    assert data.fixed == {"clipped": 0, "outside": 0, "degenerate": 0} and data.skipped == []
    assert data.x is data.images and data.y is data.targets is data.labels and len(data) == 3
    assert repr(data) == "CocoDetection(3 images, 3 boxes, 2 classes)"


def test_boxes_follow_the_size(tmp_path):
    paths = coco(tmp_path, GOOD)
    data = CocoDetection(*paths, size=(40, 90))
    assert data.images.shape == (3, 40, 90, 3)
    assert data.targets[0][0].tolist() == [[3, 4, 15, 14], [31.5, 6, 49.5, 18]]
    assert data.areas[0].tolist() == [120, 75]
    padded = CocoDetection(*paths, size=60, pad_to_aspect_ratio=True)  # 5 rows above, 5 below, then twice
    assert padded.targets[0][0].tolist() == [[2, 14, 10, 24], [21, 16, 33, 28]]
    cropped = CocoDetection(*paths, size=20, crop_to_aspect_ratio=True)  # 5 columns go on either side
    assert cropped.targets[0][0].tolist() == [[5.5, 3, 11.5, 9]] and cropped.crowds[0].tolist() == [True]
    assert cropped.targets[2][0].tolist() == [[0, 0, 20, 20]]
    assert cropped.fixed == {"clipped": 1, "outside": 1, "degenerate": 0}


def test_the_rule_for_boxes(tmp_path):
    rows = [
        (10, 7, [-3, 2, 6, 5]),
        (10, 7, [25, 15, 10, 10]),
        (10, 3, [40, 2, 6, 5]),
        (10, 3, [-9, 2, 9, 5]),
        (11, 3, [4, 4, 0, 5]),
        (11, 3, [4, 4, 5, -1]),
        (11, 7, [4, 4, 1, 1]),
    ]
    data = CocoDetection(*coco(tmp_path, rows))
    assert data.targets[0][0].tolist() == [[0, 2, 3, 7], [25, 15, 30, 20]] and data.targets[0][1].tolist() == [1, 1]
    assert data.targets[1][0].tolist() == [[4, 4, 5, 5]]
    assert data.fixed == {"clipped": 2, "outside": 2, "degenerate": 2}
    assert repr(data) == "CocoDetection(3 images, 3 boxes, 2 classes, 2 clipped, 2 outside, 2 degenerate)"


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            (11, 7, [1, 2, float("nan"), 5]),
            r"boxes\.json \(image .*1\.png\) has a box .* bbox must be a finite number, got nan",
        ),
        ((11, 7, [1, 2, float("inf"), 5]), "bbox must be a finite number, got inf"),
        (
            (11, 5, [1, 2, 3, 4]),
            r"boxes\.json \(image .*1\.png\) has a box .*: its category 5 is not listed in categories",
        ),
        ((11, 7, [1, 2, 3]), r"1\.png\) has a box that cannot be used: bbox must be \[x, y, width, height\]"),
        ((11, 7, "abcd"), r"1\.png\) has a box that cannot be used: bbox must be \[x, y, width, height\]"),
        ((11, 7, [1e308, 2, 1e308, 5]), r"has the box \[1e\+308, 2\.0, inf, 7\.0\]; its numbers must be finite"),
    ],
)
def test_coco_bad_boxes(tmp_path, row, message):
    paths = coco(tmp_path, [*GOOD, row])
    with pytest.raises(ValueError, match=message):
        CocoDetection(*paths)
    data = CocoDetection(*paths, skip_bad=True)
    assert data.image_ids == [10, 12] and len(data.targets) == 2
    assert len(data.skipped) == 1 and data.skipped[0][0].endswith("1.png")


def test_coco_bad_files(tmp_path):
    paths = coco(tmp_path, [*GOOD, (99, 7, [1, 1, 1, 1])])
    with pytest.raises(ValueError, match=r"boxes\.json: annotation 3 .* a box of the image 99, which is not"):
        CocoDetection(*paths)
    ((file, reason),) = CocoDetection(*paths, skip_bad=True).skipped
    assert file == str(paths[1]) and "annotation 3" in reason and "99" in reason
    paths = coco(tmp_path, GOOD)
    (paths[0] / "1.png").write_bytes(b"no")
    with pytest.raises(OSError, match=r"cannot read the image .*1\.png"):
        CocoDetection(*paths)
    (paths[0] / "1.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"there is no file .*1\.png"):
        CocoDetection(*paths)
    assert CocoDetection(*paths, skip_bad=True).image_ids == [10, 12]
    Image.fromarray(picture(1, 21, 30)).save(paths[0] / "1.png")
    with pytest.raises(ValueError, match=r"boxes\.json .* says that .*1\.png is 20x30, but it is 21x30"):
        CocoDetection(*paths)
    for changes, message in [
        ({"images": []}, r"boxes\.json names no image"),
        ({"categories": [{"id": 1}]}, r"boxes\.json: category 0 of the list cannot be used: it has no 'name'"),
    ]:
        with pytest.raises(ValueError, match=message):
            CocoDetection(*coco(tmp_path, GOOD, **changes))
    paths[1].write_text("[1, 2]")
    with pytest.raises(ValueError, match="is not in COCO's format: it holds a list, as results of a detector are"):
        CocoDetection(*paths)
    paths[1].write_text("{")
    with pytest.raises(OSError, match=r"cannot read the annotations .*boxes\.json"):
        CocoDetection(*paths)
    with pytest.raises(FileNotFoundError, match=r"there is no file .*nothing\.json"):
        CocoDetection(paths[0], tmp_path / "nothing.json")


def voc(root, objects, names=("a", "b", "c")):
    for folder in ("JPEGImages", "Annotations", "ImageSets/Main"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for n, name in enumerate(names):
        height = 20 + 4 * (n == 2)
        Image.fromarray(picture(n, height)).save(root / "JPEGImages" / f"{name}.jpg")
        inner = "".join(
            f"<object><name>{kind}</name><difficult>{int(hard)}</difficult><bndbox><xmin>{box[0]}</xmin><ymin>{box[1]}"
            f"</ymin><xmax>{box[2]}</xmax><ymax>{box[3]}</ymax></bndbox></object>"
            for kind, hard, box in objects.get(name, [])
        )
        size = f"<size><width>30</width><height>{height}</height></size>"
        (root / "Annotations" / f"{name}.xml").write_text(f"<annotation>{size}{inner}</annotation>")
    (root / "ImageSets/Main/train.txt").write_text("a\nb  1\n")
    (root / "ImageSets/Main/val.txt").write_text("c\n")
    return root


TREES = {"a": [("tree", 0, (1, 1, 30, 20)), ("bush", 1, (5, 6, 5, 6))], "c": [("cat", 0, (3, 3, 40, 9))]}


def test_voc(tmp_path):
    root = voc(tmp_path, TREES)
    data = VocDetection(root, "train")
    assert data.class_names == ["bush", "cat", "tree"]
    assert data.images.shape == (2, 20, 30, 3)
    assert data.targets[0][0].tolist() == [[0, 0, 30, 20], [4, 5, 5, 6]] and data.targets[0][1].tolist() == [2, 0]
    assert data.ignored[0].tolist() == [False, True] and not data.crowds[0].any()
    assert data.targets[1][0].shape == (0, 4)
    val = VocDetection(root, "val", class_names=["tree", "bush", "cat"])
    assert val.targets[0][0].tolist() == [[2, 2, 30, 9]] and val.targets[0][1].tolist() == [2]
    assert val.fixed == {"clipped": 1, "outside": 0, "degenerate": 0}
    whole = VocDetection(root, None)
    assert isinstance(whole.images, list) and [len(image) for image in whole.images] == [20, 20, 24]
    assert VocDetection(root, None, size=16).images.shape == (3, 16, 16, 3)


def test_voc_bad_files(tmp_path):
    root = voc(tmp_path, TREES)
    with pytest.raises(FileNotFoundError, match=r"there is no .*test\.txt for split 'test'"):
        VocDetection(root, "test")
    with pytest.raises(
        ValueError, match=r"a\.xml cannot be used: it has a box of the class 'tree', which is not in class_names"
    ):
        VocDetection(root, class_names=["bush"])
    assert len(VocDetection(root, class_names=["bush"], skip_bad=True)) == 1
    (root / "ImageSets/Main/none.txt").write_text("\n")
    with pytest.raises(ValueError, match=r"found no image in .* for split 'none'"):
        VocDetection(root, "none")
    target = root / "Annotations" / "b.xml"
    head = "<annotation><object><name>cat</name>"
    for content, message in [
        ("<annotation>", r"cannot read the annotation .*b\.xml"),
        ('<!DOCTYPE a [<!ENTITY b "c">]><annotation/>', r"b\.xml declares entities"),
        (f"{head}</object></annotation>", r"b\.xml cannot be used: an object 'cat' has no bndbox"),
        (f"{head}<bndbox><xmin>x</xmin></bndbox></object></annotation>", r"xmin must be a finite number, got 'x'"),
        (
            f"{head}<bndbox><xmin>nan</xmin><ymin>1</ymin><xmax>2</xmax><ymax>2</ymax></bndbox></object></annotation>",
            r"b\.xml cannot be used: xmin must be a finite number, got 'nan'",
        ),
    ]:
        target.write_text(content)
        with pytest.raises(ValueError, match=message):
            VocDetection(root)
        data = VocDetection(root, skip_bad=True)
        assert len(data) == 1 and data.skipped[0][0].endswith("b.jpg")
    target.unlink()
    with pytest.raises(ValueError, match=r"cannot read the annotation .*b\.xml"):
        VocDetection(root)
    with pytest.raises(FileNotFoundError, match=r"VocDetection: .*JPEGImages has no folder Annotations and no XML"):
        VocDetection(tmp_path / "JPEGImages")


def test_arguments(tmp_path):
    paths = coco(tmp_path, GOOD)
    for options, message in [
        ({"color_mode": "hsv"}, "CocoDetection expects color_mode to be one of grayscale, rgb, rgba, got 'hsv'"),
        ({"dtype": "int8"}, "CocoDetection expects dtype to be one of uint8, float32"),
        ({"crop_to_aspect_ratio": True, "pad_to_aspect_ratio": True}, "not both"),
        ({"interpolation": "best"}, "expects interpolation to be one of"),
    ]:
        with pytest.raises(ValueError, match=message):
            CocoDetection(*paths, **options)
