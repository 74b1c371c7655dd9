"""VOC annotations as LabelImg, VoTT, CVAT, Roboflow and others write them."""

import pytest
from annotated import BOX, CAT, picture, voc
from PIL import Image

from striate.data import VocDetection


@pytest.mark.parametrize("name", ["a.jpg", "a.JPG", "a.Jpg", "a.JPEG", "a.PNG", "a.TIF", "a.jfif", "a.webp", "a.bmp"])
def test_endings_in_capitals(tmp_path, name):
    data = VocDetection(voc(tmp_path, {"a": CAT}, ["a.jpg"] if name == "a.jfif" else [name]), None)
    assert len(data) == 1 and data.file_paths[0].endswith(name if name != "a.jfif" else "a.jpg")


@pytest.mark.parametrize(
    ("text", "hard"),
    [
        ("<difficult/>", False),
        ("<difficult>Unspecified</difficult>", False),
        ("<difficult>0.0</difficult>", False),
        ("<difficult>False</difficult>", False),
        ("<difficult> 0 </difficult>", False),
        ("", False),
        ("<difficult>1.0</difficult>", True),
        ("<difficult>True</difficult>", True),
        ("<difficult> 1\n</difficult>", True),
    ],
)
def test_difficult(tmp_path, text, hard):
    data = VocDetection(voc(tmp_path, {"a": f"<object><name>c</name>{text}{BOX}</object>"}), None)
    assert data.targets[0][0].tolist() == [[0, 0, 9, 9]] and data.ignored[0].tolist() == [hard]


@pytest.mark.parametrize(
    "size",
    [
        "<size><width>30.0</width><height>20.0</height></size>",
        "<size><width/><height/></size>",
        "<size><width>0</width><height>0</height></size>",
        "<size><width> </width></size>",
        "<size/>",
        "",
    ],
)
def test_sizes(tmp_path, size):
    assert len(VocDetection(voc(tmp_path, {"a": size + CAT}), None).targets[0][0]) == 1


@pytest.mark.parametrize(
    ("xml", "message"),
    [
        (
            "<object><name>c</name><robndbox><cx>1</cx></robndbox></object>",
            "'c' has no bndbox, it has robndbox; only up",
        ),
        ("<object><name>c</name><polygon/></object>", "an object 'c' has no bndbox, it has polygon"),
        ("<object><name> </name>" + BOX + "</object>", "an object has no name"),
        ("<object><name>c</name><difficult>maybe</difficult>" + BOX + "</object>", "difficult must be a finite number"),
        ("<size><width>-3</width><height>4</height></size>" + CAT, "width must be a whole number of pixels, got '-3'"),
        (
            "<size><width>3.5</width><height>4</height></size>" + CAT,
            "width must be a whole number of pixels, got '3.5'",
        ),
        ("<size><width>20</width><height>30</height></size>" + CAT, "is 30x20, but it is 20x30"),
        (CAT.replace("<xmin>1<", "<xmin>1e999<"), "xmin must be a finite number"),
        (CAT.replace("<xmin>1<", "<xmin>1_0<"), "xmin must be a finite number"),
        (CAT.replace("<xmin>1<", f"<xmin>{'9' * 4000}<"), "xmin must be a finite number"),
        (CAT.replace("<xmin>1</xmin>", ""), "xmin must be a finite number, got ''"),
    ],
)
def test_bad_fields_are_named_and_skipped(tmp_path, xml, message):
    root = voc(tmp_path, {"a": xml, "b": CAT})
    with pytest.raises(ValueError, match=message):
        VocDetection(root, None)
    data = VocDetection(root, None, skip_bad=True)
    assert len(data) == 1 and [file.rsplit("/")[-1] for file, _ in data.skipped] == ["a.jpg"]


@pytest.mark.parametrize(
    ("line", "stem"),
    [
        ("my photo 1", "my photo 1"),
        ("my photo 1", "my photo"),
        ("my photo  -1", "my photo"),
        ("my photo.jpg 1", "my photo"),
        ("a.b.jpg", "a.b"),
        ("1.2.840", "1.2.840"),
        ("\ufeffcat 0", "cat"),
    ],
)
def test_names_in_lists(tmp_path, line, stem):
    data = VocDetection(voc(tmp_path, {stem: CAT, "other": CAT}, split={"train": f"{line}\r\n\n"}))
    assert len(data) == 1 and data.file_paths[0].endswith(f"{stem}.jpg")


def test_pictures_beside_their_xml(tmp_path):
    """LabelImg's default and Roboflow's export."""
    root = voc(tmp_path, {"a": CAT, "b": ""}, ["a.jpg", "b.PNG"], folders=("", ""))
    data = VocDetection(root, None)
    assert [len(boxes) for boxes, _ in data.targets] == [1, 0] and data.unused == []
    with pytest.raises(FileNotFoundError, match=r"train\.txt for split 'train'; split=None reads every image"):
        VocDetection(root)
    picture(root / "c.jpg")
    with pytest.warns(UserWarning, match=r"1 pictures of .* have no annotation and are not read; the first: .*c\.jpg"):
        data = VocDetection(root, None)
    assert [file.rsplit("/")[-1] for file, _ in data.unused] == ["c.jpg"]


def test_folders_within_and_other_names(tmp_path):
    """CVAT keeps the folders of a task; Label Studio calls the pictures' folder images."""
    root = voc(tmp_path, {"x/a": CAT, "y/a": ""}, folders=("Annotations", "images"))
    data = VocDetection(root, None)
    assert [path.rsplit("/", 2)[-2:] for path in data.file_paths] == [["x", "a.jpg"], ["y", "a.jpg"]]
    assert [len(boxes) for boxes, _ in data.targets] == [1, 0]
    (root / "Annotations/x/a.xml").rename(root / "Annotations/x/a.XML")
    assert len(VocDetection(root, None)) == 2


def test_filename_decides_where_the_stem_does_not(tmp_path):
    root = voc(tmp_path, {"a": CAT}, ["a.jpg", "a.png"])
    with pytest.raises(ValueError, match=r"two images for the annotation a\.xml: .*a\.jpg and .*a\.png"):
        VocDetection(root, None)
    root = voc(tmp_path, {"a": "<filename>a.png</filename>" + CAT}, ["a.jpg", "a.png"])
    with pytest.warns(UserWarning, match=r"no annotation .*a\.jpg"):
        assert VocDetection(root, None).file_paths[0].endswith("a.png")
    root = voc(tmp_path / "b", {"n": "<filename>C:\\data\\photo.jpg</filename>" + CAT}, ["photo.jpg"])
    assert VocDetection(root, None).file_paths[0].endswith("photo.jpg")


def test_names_stay_inside(tmp_path):
    voc(tmp_path / "other", {"a": CAT})
    root = voc(tmp_path / "root", {"b": CAT}, split={"train": "../../other/Annotations/a\n/etc/passwd\nb\nnul\0\n"})
    with pytest.raises(ValueError, match=r"names must be relative and without '\.\.'"):
        VocDetection(root)
    data = VocDetection(root, skip_bad=True)
    assert len(data) == 1 and len(data.skipped) == 3


def test_encodings(tmp_path):
    root = voc(tmp_path, {"a": CAT, "b": CAT})
    xml = f"<annotation><object><name>木</name>{BOX}</object></annotation>"
    path = root / "Annotations" / "a.xml"
    for encoding in ("gb2312", "utf-8", "utf-16", "big5"):
        path.write_bytes(f'<?xml version="1.0" encoding="{encoding}"?>{xml}'.encode(encoding))
        assert VocDetection(root, None).class_names == ["cat", "木"], encoding
    for content in (
        b'<?xml version="1.0" encoding="nothing"?><annotation/>',
        '<!DOCTYPE a [<!ENTITY b "c">]><annotation>&b;</annotation>'.encode("utf-16"),
        b"",
        b"<a>" * 50_000,
    ):
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r"annotation .*a\.xml"):
            VocDetection(root, None)
        assert len(VocDetection(root, None, skip_bad=True)) == 1
    (root / "ImageSets" / "Main").mkdir(parents=True)
    (root / "ImageSets" / "Main" / "train.txt").write_bytes(b"\xff\xfe\xff")
    with pytest.raises(OSError, match=r"train\.txt is not UTF-8"):
        VocDetection(root)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_of_a_picture_that_exif_turns(tmp_path, orientation):
    """Where the XML gives the size of the picture as it is stored, its boxes turn with it."""
    stored = Image.new("L", (30, 20))
    stored.paste(255, (2, 3, 12, 9))
    exif = Image.Exif()
    exif[274] = orientation
    (tmp_path / "JPEGImages").mkdir()
    stored.save(tmp_path / "JPEGImages" / "a.png", exif=exif)
    box = "<bndbox><xmin>3</xmin><ymin>4</ymin><xmax>12</xmax><ymax>9</ymax></bndbox>"
    size = "<size><width>30</width><height>20</height></size>"
    voc(tmp_path, {"a": f"{size}<object><name>c</name>{box}</object>"}, ["../unused/a.jpg"])
    data = VocDetection(tmp_path, None, color_mode="grayscale")
    if orientation >= 5:
        x1, y1, x2, y2 = data.targets[0][0][0].astype(int)
        bright = data.images[0, ..., 0] == 255
        assert bright[y1:y2, x1:x2].all() and bright.sum() == (y2 - y1) * (x2 - x1) == 60
    else:  # the size does not tell: the box is that of the upright picture
        assert data.targets[0][0].tolist() == [[2, 3, 12, 9]]
